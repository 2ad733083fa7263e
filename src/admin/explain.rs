//! What every rule says of a message that somebody describes, by the facts and limits of the proxy that runs.

use axum::extract::State;
use axum::http::StatusCode;

use super::Admin;
use super::accounts::known;
use super::asked::{Answer, Body, ok};
use super::problem::Problem;
use crate::explain::{self, Question, Unfit};
use crate::policy::Now;

pub(super) async fn explain(State(admin): State<Admin>, Body(question): Body<Question>) -> Answer {
    let Some((standing, now)) = admin.proxy().standing(&question.account) else {
        known(&admin, &question.account)?;
        let problem = Problem::new(StatusCode::CONFLICT, "no proxy runs whose rules could be asked");
        return Err(problem.hint("use the command `smppolicy explain`, or start the proxy"));
    };
    let now = match question.at.map(|at| at.as_millisecond()) {
        Some(at) => Now { unix_millis: at, steady_millis: at, ..now },
        None => now,
    };
    let unfit = |unfit: Unfit| Problem::invalid(unfit.to_string());
    // Not where tasks run: rules take as long as the text is long.
    let explained = admin.blocking(move |_| {
        let octets = question.octets(&standing).map_err(unfit)?;
        let answer = explain::Answer::new(&octets, &standing, now).map_err(unfit)?;
        serde_json::to_value(answer.object()).map_err(|_| Problem::internal())
    });
    ok(explained.await?)
}
