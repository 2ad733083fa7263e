//! What happens before a case's messages come, told in steps: traffic, subscribers who write, operators who act through
//! their interface, hours that pass. A step that does not go as it is told ends the run, by its place.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request};
use bytes::BytesMut;
use serde::Deserialize;
use serde_json::Value;
use smppolicy::ledger::journal::Query;
use smppolicy::ledger::workflow::Clock as _;
use smppolicy::pdu::{CommandId, CommandStatus, DeliverSm, SequenceNumber};
use toml::Table;
use tower::ServiceExt as _;

use crate::message::{Message, Sent};
use crate::stage::Stage;
use crate::support::look::Looks;
use crate::support::{PATIENCE, RECIPIENT, accepted, frame, number, pdu};

/// The longest answer of the operator's interface, in octets.
const MAX_ANSWER: usize = 1 << 20;

/// One step, as it is written: exactly one of `send`, `mo`, `hours`, `post`, `get`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Step {
    /// Messages of the account, each of which the SMSC must get.
    send: Option<Message>,
    /// The error that the SMSC answers it with.
    answer: Option<String>,
    /// How often it is sent, or the MO comes.
    times: Option<usize>,
    /// What a subscriber writes, which the ESME must get as it is.
    mo: Option<String>,
    /// To which address.
    to: Option<String>,
    /// By whom.
    from: Option<String>,
    /// So many hours pass, and what is due is done.
    hours: Option<f64>,
    /// A route of the operator's interface that is posted to.
    post: Option<String>,
    /// What is posted: an object, or a text as it is.
    body: Option<toml::Value>,
    /// A route that is read.
    get: Option<String>,
    /// The status of the answer; default: any that means yes.
    status: Option<u16>,
    /// What the answer must hold: `"*"` stands for anything but null, `"-"` for null.
    then: Option<Table>,
}

impl Step {
    /// That it is one thing, and has nothing that is another's.
    pub(crate) fn check(&self) -> Result<(), String> {
        let Self { send, answer, times, mo, to, from, hours, post, body, get, status, then } = self;
        let acts = [send.is_some(), mo.is_some(), hours.is_some(), post.is_some(), get.is_some()];
        if acts.iter().filter(|it| **it).count() != 1 {
            return Err("before: a step is one of send, mo, hours, post, get".to_owned());
        }
        let asks = post.is_some() || get.is_some();
        let strays = [
            (answer.is_some() && send.is_none(), "answer: is for send"),
            (times.is_some() && send.is_none() && mo.is_none(), "times: is for send and mo"),
            ((to.is_some() || from.is_some()) && mo.is_none(), "to and from: are for mo"),
            (body.is_some() && post.is_none(), "body: is for post"),
            ((status.is_some() || then.is_some()) && !asks, "status and then: are for post and get"),
            (hours.is_some_and(|hours| !(0.0..=100_000.0).contains(&hours)), "hours: are from 0 to 100000"),
        ];
        strays.iter().find(|(is_so, _)| *is_so).map_or(Ok(()), |(_, fault)| Err(format!("before: {fault}")))?;
        self.error().map(drop)
    }

    /// What the SMSC is to answer the messages with, if not with yes.
    fn error(&self) -> Result<Option<CommandStatus>, String> {
        let Some(name) = &self.answer else { return Ok(None) };
        let status = CommandStatus::from_name(name).filter(|status| *status != CommandStatus::ESME_ROK);
        status.map(Some).ok_or_else(|| format!("before: answer: is {name:?}, which names no error"))
    }

    /// The PDUs that the SMSC gets and takes.
    pub(crate) fn taken(&self) -> Result<Vec<Sent>, String> {
        let Some(message) = self.send.as_ref().filter(|_| self.answer.is_none()) else { return Ok(Vec::new()) };
        Ok(vec![message.pdus(1)?; self.times.unwrap_or(1)].concat())
    }

    /// How much time passes, in milliseconds.
    pub(crate) fn millis(&self) -> i64 {
        self.hours.map_or(0, |hours| Duration::from_secs_f64(hours * 3600.0).as_millis() as i64)
    }
}

impl Stage {
    /// Does what a case tells of what went before.
    pub(crate) async fn tell(&mut self, steps: &[Step]) -> Result<(), String> {
        for (index, step) in steps.iter().enumerate() {
            let done = self.step(step).await;
            done.map_err(|fault| format!("step {} of before: {fault}", index + 1))?;
            self.see_binds_end().await?;
        }
        if !steps.is_empty() {
            self.clock_is_followed().await?;
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result<(), String> {
        let times = step.times.unwrap_or(1);
        if step.send.is_some() || step.mo.is_some() {
            self.clock_is_followed().await?;
        }
        if let Some(message) = &step.send {
            return self.traffic(message, step.error()?, times).await;
        }
        if let Some(text) = &step.mo {
            for _ in 0..times {
                self.mo(step, text).await?;
            }
            return Ok(());
        }
        if let Some(hours) = step.hours {
            return self.pass(Duration::from_secs_f64(hours * 3600.0)).await;
        }
        self.ask_operator(step).await
    }

    async fn traffic(&mut self, message: &Message, error: Option<CommandStatus>, times: usize) -> Result<(), String> {
        for _ in 0..times {
            for sent in message.pdus(1)? {
                let octets = self.numbered(&sent);
                error.into_iter().for_each(|status| self.serving.refuse_next(status));
                let link = self.link(&sent.account, sent.bind).await.map_err(|status| format!("no bind: {status}"))?;
                let answer = link.ask(&octets).await.to_vec();
                let status = frame(&answer).command_status();
                if status != error.unwrap_or(CommandStatus::ESME_ROK) {
                    return Err(format!("what went before is answered with {status}"));
                }
                match error {
                    None => drop(self.outcome(&sent, &octets, &answer)?),
                    Some(_) => self.see_arrive(&octets)?,
                }
            }
        }
        self.journal_is_written().await
    }

    /// Until the proxy judges by the time that it is.
    async fn clock_is_followed(&mut self) -> Result<(), String> {
        let (control, now) = (self.relay.control(), self.clock.now().unix_millis);
        let looks = Looks::within(PATIENCE);
        while control.now() < now {
            looks.again().await.map_err(|late| format!("the time that the proxy judges by: {late}"))?;
        }
        Ok(())
    }

    /// Until everything that went up is in the journal.
    async fn journal_is_written(&mut self) -> Result<(), String> {
        let until = self.clock.now().unix_millis.saturating_add(86_400_000);
        let (archive, sent) = (self.relay.journal().archive(), self.arrived);
        let looks = Looks::within(PATIENCE);
        loop {
            let archive = archive.clone();
            let found = tokio::task::spawn_blocking(move || archive.find(&Query::between(0, until), sent));
            let found = found.await.map_err(|error| error.to_string())?.map_err(|fault| fault.to_string())?;
            if found.len() >= sent {
                return Ok(());
            }
            looks.again().await.map_err(|late| format!("what went up in the journal: {late}"))?;
        }
    }

    async fn mo(&mut self, step: &Step, text: &str) -> Result<(), String> {
        let (to, from) = (step.to.as_deref().unwrap_or("8850"), step.from.as_deref().unwrap_or(RECIPIENT));
        let message = DeliverSm {
            source: number(from),
            destination: number(to),
            short_message: text.as_bytes(),
            ..DeliverSm::default()
        };
        let mut octets = BytesMut::new();
        self.sequence += 1;
        let sequence = self.sequence;
        message.encode(SequenceNumber(sequence), &mut octets).map_err(|malformed| malformed.to_string())?;
        self.link("shop", 1).await.map_err(|status| format!("no bind: {status}"))?;
        self.serving.deliver(&octets);
        let link = self.link("shop", 1).await.map_err(|status| format!("no bind: {status}"))?;
        let got = link.receive().await;
        if got != octets {
            return Err(format!("the ESME got {got:02x?} in place of the MO"));
        }
        link.send(&pdu(CommandId::DELIVER_SM.response(), CommandStatus::ESME_ROK, sequence, b"\0")).await;
        Ok(())
    }

    /// Time passes, and the proxy's upkeep comes round once.
    async fn pass(&mut self, time: Duration) -> Result<(), String> {
        self.clock.pass(time);
        let (ledger, journal) = (self.relay.ledger(), self.relay.journal());
        let due = tokio::task::spawn_blocking(move || {
            let terms = ledger.terms();
            let workflow = ledger.workflow();
            workflow.do_due(ledger.now(), terms.proof.on_expiry, |account| journal.sent(account)).map(drop)
        });
        due.await.map_err(|error| error.to_string())?.map_err(|fault| fault.to_string())
    }

    /// Asks the operator's interface, and holds the answer against what it must hold. What only looks looks again for a
    /// while: the journal counts what it writes, a little after the message.
    async fn ask_operator(&mut self, step: &Step) -> Result<(), String> {
        let looks = Looks::within(PATIENCE);
        loop {
            let asked = self.ask_operator_once(step).await;
            if asked.is_ok() || step.get.is_none() || looks.again().await.is_err() {
                return asked;
            }
        }
    }

    async fn ask_operator_once(&mut self, step: &Step) -> Result<(), String> {
        let method = if step.post.is_some() { Method::POST } else { Method::GET };
        let path = step.post.as_ref().or(step.get.as_ref()).map_or("", String::as_str);
        let (body, content_type) = match &step.body {
            Some(toml::Value::String(text)) => (text.clone(), "text/plain"),
            Some(body) => (serde_json::to_string(body).map_err(|error| error.to_string())?, "application/json"),
            None if step.post.is_some() => ("{}".to_owned(), "application/json"),
            None => (String::new(), "application/json"),
        };
        let request = Request::builder().method(method).uri(path).header("content-type", content_type);
        let request = request.body(Body::from(body)).map_err(|error| error.to_string())?;
        let answer = self.operator.clone().oneshot(request).await.map_err(|never| never.to_string())?;
        let status = answer.status();
        let octets = to_bytes(answer.into_body(), MAX_ANSWER).await.map_err(|error| error.to_string())?;
        let answer: Value = serde_json::from_slice(&octets).unwrap_or(Value::Null);
        let is_so = step.status.map_or(status.is_success(), |wanted| wanted == status.as_u16());
        if !is_so {
            return Err(format!("{path} is answered with {status}: {answer}"));
        }
        let Some(then) = &step.then else { return Ok(()) };
        let then = serde_json::to_value(then).map_err(|error| error.to_string())?;
        holds(&answer, &then).map_err(|place| format!("{path}: {place} is not as it must be in {answer}"))
    }

    /// Binds of an account that may no longer send are ended by the proxy, one and all.
    async fn see_binds_end(&mut self) -> Result<(), String> {
        let ended: Vec<_> = self.links.keys().filter(|(account, _)| !self.may_send(account)).cloned().collect();
        for key in ended {
            let Some(mut link) = self.links.remove(&key) else { continue };
            let unbind = link.receive().await;
            if frame(&unbind).command_id() != CommandId::UNBIND {
                return Err(format!("the account {} may not send, and its bind is not ended: {unbind:02x?}", key.0));
            }
            link.send(&accepted(&unbind)).await;
            link.ends().await;
        }
        Ok(())
    }
}

/// Whether an answer holds all of what it must; else the place where it does not.
fn holds(answer: &Value, then: &Value) -> Result<(), String> {
    match (answer, then) {
        (answer, Value::String(any)) if any == "*" => {
            if answer.is_null() {
                Err("it".to_owned())
            } else {
                Ok(())
            }
        }
        (answer, Value::String(none)) if none == "-" => {
            if answer.is_null() {
                Ok(())
            } else {
                Err("it".to_owned())
            }
        }
        (Value::Object(answer), Value::Object(then)) => then.iter().try_for_each(|(key, then)| {
            let place = |place| format!("{key}: {place}");
            holds(answer.get(key).unwrap_or(&Value::Null), then).map_err(place)
        }),
        (Value::Array(answer), Value::Array(then)) if answer.len() == then.len() => {
            answer.iter().zip(then).try_for_each(|(answer, then)| holds(answer, then))
        }
        (answer, then) if answer == then => Ok(()),
        _ => Err("it".to_owned()),
    }
}
