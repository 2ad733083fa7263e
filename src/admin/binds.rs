//! The binds that there are, and the configuration that is in force for them.

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::Admin;
use super::asked::{Answer, Named, Page, Parameters, cut, listed, ok, shown};
use super::problem::Problem;
use super::proxy::NotReloaded;
use crate::relay::LiveBind;

pub(super) async fn list(State(admin): State<Admin>, Parameters(page): Parameters<Page>) -> Answer {
    let (limit, after) = (page.limit()?, page.after::<u64>()?);
    let mut binds = admin.proxy().binds();
    binds.retain(|bind| after.is_none_or(|after| bind.id > after));
    let next = cut(&mut binds, limit, |bind| bind.id.to_string());
    listed(binds.iter().map(item).collect(), next)
}

pub(super) async fn unbind(State(admin): State<Admin>, Named(id): Named<u64>) -> Answer {
    if admin.proxy().unbind(id) {
        return ok(json!({"id": id, "state": "leaving"}));
    }
    let nearest = admin.proxy().binds().into_iter().min_by_key(|bind| bind.id.abs_diff(id));
    let hint = match nearest {
        Some(bind) => format!("the nearest is {}; GET /v1/binds lists them", bind.id),
        None => "nobody is bound".to_owned(),
    };
    Err(Problem::unknown(format!("there is no bind {id}")).hint(hint))
}

pub(super) async fn reload(State(admin): State<Admin>) -> Answer {
    let reloaded = admin.blocking(|admin| Ok::<_, Problem>(admin.proxy().reload())).await?;
    match reloaded {
        Ok(reloaded) => ok(json!(reloaded)),
        Err(NotReloaded::Faulty(faults)) => Err(Problem::invalid(faults).hint("the configuration in force stays")),
        Err(fault @ NotReloaded::NoProxy) => Err(Problem::new(StatusCode::CONFLICT, fault.to_string())),
    }
}

fn item(bind: &LiveBind) -> Value {
    let LiveBind { id, account, state, since, up, down } = bind;
    json!({"id": id, "account": account, "state": state, "since": shown(*since), "up": up, "down": down})
}
