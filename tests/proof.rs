//! Clauses 14 to 17 from end to end: a request for proof goes out by the webhook, the proxy is stopped and started again over
//! the same folders, hours pass, and what becomes of the account is seen on its binds and by the receiver of events.

#![cfg(test)]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use smppolicy::admin::{Admin, Running};
use smppolicy::pdu::{CommandId, CommandStatus, SubmitSm};
use smppolicy::relay::Given;
use support::clock::HandClock;
use support::look::Looks;
use support::*;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const OK: CommandStatus = CommandStatus::ESME_ROK;
const REFUSED: CommandStatus = CommandStatus::ESME_RSUBMITFAIL;
const NOT_BOUND: CommandStatus = CommandStatus::ESME_RBINDFAIL;
/// 2026-11-24T12:00:00Z
const NOON: i64 = 1_795_521_600_000;
const DAY: i64 = 86_400_000;
const SECRET: &str = "a secret of the two of us";
const ACCOUNTS: &str = "[policy.consent]\nmode = 'off'\n\
                        [[account]]\nsystem_id = 'shop'\ndefault_purpose = 'transactional'\nsender = [{ id = 'SHOP' }]\n\
                        [[account.campaign]]\nname = 'offers'\npurpose = 'marketing'\nservice_type = 'OFFER'\n\
                        [[account]]\nsystem_id = 'bank'\ndefault_purpose = 'transactional'\nsender = [{ id = 'Bank' }]\n";

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

/// The operator's receiver: takes every event, once it has seen that the signature is right.
fn receiver() -> (SocketAddr, mpsc::Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::channel(1000);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let tell = tell.clone();
            std::thread::spawn(move || while take(stream.as_ref().unwrap(), &tell).is_some() {});
        }
    });
    (address, told)
}

/// Reads one request and answers it; none at the end of the connection.
fn take(stream: &TcpStream, tell: &mpsc::Sender<Value>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length, mut signature) = (String::new(), 0, String::new());
    reader.read_line(&mut line).ok().filter(|octets| *octets > 0)?;
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().unwrap(),
            Some(("smppolicy-signature", value)) => signature = value.to_owned(),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let seconds = signature.strip_prefix("t=").unwrap().split(',').next().unwrap();
    let code = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap().chain_update(format!("{seconds}."));
    let code: String = code.chain_update(&body).finalize().into_bytes().iter().map(|it| format!("{it:02x}")).collect();
    let status = if signature == format!("t={seconds},v1={code}") { 204 } else { 401 };
    (&mut &*stream).write_all(format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n").as_bytes()).ok()?;
    tell.try_send(if status == 204 { serde_json::from_slice(&body).unwrap() } else { json!("not signed") }).ok()
}

/// The proxy between two restarts, an SMSC that outlives it, the operator, and the clocks on the wall.
struct Scene {
    clock: Arc<HandClock>,
    smsc: Serving,
    fragment: String,
    events: mpsc::Receiver<Value>,
    open: Open,
    sequence: u32,
}

/// What runs between two restarts.
struct Open {
    proxy: Proxy,
    operator: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<std::io::Result<()>>,
}

impl Open {
    async fn over(folder: TempDir, smsc: &Serving, fragment: &str, clock: &Arc<HandClock>) -> Self {
        let given = Given { clock: Some(clock.clone()), ..Given::default() };
        let proxy = Proxy::start_given(folder, smsc.address, fragment, given).await;
        let relay = &proxy.relay;
        let running = Running::new(relay.control(), &proxy.folder().join("config.toml"));
        let router = Admin::new(relay.ledger(), relay.audit(), relay.journal(), running).router();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (operator, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let serve = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
        Self { proxy, operator, stop, served: tokio::spawn(async move { serve.await }) }
    }

    /// Stops in an orderly way, and gives the folder.
    async fn close(self) -> TempDir {
        self.stop.cancel();
        // It holds the ledger for as long as it is there.
        soon(self.served).await.unwrap().unwrap();
        self.proxy.drain().await
    }
}

impl Scene {
    async fn set(proof: &str) -> Self {
        let (address, events) = receiver();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), SECRET).unwrap();
        let fragment = format!(
            "[admin]\naddress = '127.0.0.1:0'\nwebhook = 'http://{address}/events'\nwebhook_secret_file = 'secret'\n\
             [proof]\n{proof}\n{ACCOUNTS}"
        );
        let (clock, smsc) = (HandClock::at(NOON), Smsc::listen().await.serve());
        let open = Open::over(folder, &smsc, &fragment, &clock).await;
        Self { clock, smsc, fragment, events, open, sequence: 1 }
    }

    /// Stops the proxy in an orderly way and starts it again over the same folders.
    async fn restart(mut self) -> Self {
        let folder = self.open.close().await;
        self.open = Open::over(folder, &self.smsc, &self.fragment, &self.clock).await;
        self
    }

    /// Posts to the operator's interface, or gets from it if there is nothing to post.
    async fn ask(&self, path: &str, body: Option<&str>) -> Value {
        let (url, body) = (format!("http://{}{path}", self.open.operator), body.map(str::to_owned));
        let asked = tokio::task::spawn_blocking(move || {
            let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
            let answer = match body {
                Some(body) => agent.post(url).header("content-type", "application/json").send(body),
                None => agent.get(url).call(),
            };
            serde_json::from_str(&answer.unwrap().body_mut().read_to_string().unwrap()).unwrap()
        });
        soon(asked).await.unwrap()
    }

    /// Asks this account for proof; when this returns, the webhook has taken the request and the clock runs.
    async fn demand(&mut self, account: &str) -> Value {
        self.demand_about(account, json!({"account": account, "recipients": ["32470123456"]})).await
    }

    /// The same about recipients who are drawn of those whom it has sent something.
    async fn demand_sample(&mut self, account: &str) -> Value {
        let asked = self.demand_about(account, json!({"account": account, "sample": 20})).await;
        let [message] = &asked["messages"].as_array().unwrap()[..] else { panic!("{asked}") };
        assert_eq!((&asked["recipients"], message["sender"].as_str()), (&json!([]), Some("SHOP")), "{asked}");
        asked
    }

    async fn demand_about(&mut self, account: &str, body: Value) -> Value {
        let asked = self.ask("/v1/proof-requests", Some(&body.to_string())).await;
        assert_eq!((&asked["state"], &asked["deadline"]), (&json!("created"), &Value::Null), "{asked}");
        assert_eq!(self.event().await, ("proof.requested".to_owned(), account.to_owned()));
        let path = format!("/v1/proof-requests/{}", asked["id"]);
        let looks = Looks::within(PATIENCE);
        loop {
            let asked = self.ask(&path, None).await;
            if asked["state"] == "delivered" {
                return asked;
            }
            looks.again().await.unwrap();
        }
    }

    /// The next event, with its data, but for those about the audit record.
    async fn told(&mut self) -> Value {
        loop {
            let event: Value = soon(self.events.recv()).await.unwrap();
            if !event["kind"].as_str().is_some_and(|kind| kind.starts_with("audit.")) {
                return event;
            }
        }
    }

    /// What the next event is and about whom.
    async fn event(&mut self) -> (String, String) {
        let event = self.told().await;
        let text = |key: &str| event[key].as_str().unwrap_or_else(|| panic!("{event}")).to_owned();
        (text("kind"), text("account"))
    }

    /// The events until the account `bank`, which never answers, has lost its account: then what is due at this time has
    /// been done for `shop`, whose request is the earlier one.
    async fn events_until_bank_is_out(&mut self) -> Vec<String> {
        let mut about_shop = Vec::new();
        loop {
            match self.event().await {
                (kind, account) if account == "bank" => match kind.as_str() {
                    "credit.refund_due" | "account.held" => return about_shop,
                    _ => {}
                },
                (kind, _) => about_shop.push(kind),
            }
        }
    }

    async fn state(&self) -> Value {
        self.ask("/v1/accounts/shop", None).await["state"].clone()
    }

    /// The status of a message of `shop`, or of one of its offers.
    async fn send(&mut self, esme: &mut Link, service_type: &str) -> CommandStatus {
        self.sequence += 1;
        let message = SubmitSm { service_type: service_type.as_bytes(), ..submit_defaults() };
        esme.status(&submit_with(self.sequence, message, &[])).await
    }
}

/// Ends a bind from the ESME's side.
async fn unbind(mut esme: Link) {
    assert_eq!(esme.status(&bare(CommandId::UNBIND, 1_000_000)).await, OK);
    esme.ends().await;
}

/// The proxy ends the bind.
async fn is_unbound(mut esme: Link) {
    let unbind = esme.receive().await;
    assert_eq!(frame(&unbind).command_id(), CommandId::UNBIND);
    esme.send(&accepted(&unbind)).await;
    esme.ends().await;
}

async fn status_of_bind(scene: &Scene) -> CommandStatus {
    Link::connect(scene.open.proxy.address()).await.status(&bind(CommandId::BIND_TRANSCEIVER, "shop")).await
}

/// Nobody answers. `set_by`: what the wall's clock is set by, in milliseconds, an hour before the first and the second
/// restart.
async fn nobody_answers(set_by: [i64; 2]) {
    let mut scene = Scene::set("reminders = ['12h', '23h']").await;
    let mut esme = esme(&scene.open.proxy, "shop").await;
    for service_type in ["", "", "OFFER"] {
        assert_eq!(scene.send(&mut esme, service_type).await, OK);
    }
    let asked = scene.demand_sample("shop").await;
    assert_eq!(asked["deadline"], "2026-11-25T12:00:00Z");
    unbind(esme).await;

    scene.clock.pass(hours(11));
    scene.clock.step(set_by[0]);
    let mut scene = scene.restart().await;
    scene.clock.pass(hours(1));
    let reminder = scene.told().await;
    assert_eq!((&reminder["kind"], &reminder["data"]["seconds_left"]), (&json!("proof.reminder"), &json!(12 * 3600)));

    scene.clock.pass(hours(10));
    scene.clock.step(set_by[1]);
    let mut scene = scene.restart().await;
    let mut esme = support::esme(&scene.open.proxy, "shop").await;
    scene.clock.pass(hours(1));
    let reminder = scene.told().await;
    assert_eq!((&reminder["kind"], &reminder["data"]["seconds_left"]), (&json!("proof.reminder"), &json!(3600)));
    // One minute before the end nothing has happened yet.
    scene.clock.pass(Duration::from_secs(59 * 60));
    assert_eq!(scene.send(&mut esme, "").await, OK);
    assert_eq!(scene.state().await, "active");

    scene.clock.pass(Duration::from_secs(60));
    is_unbound(esme).await;
    assert_eq!(status_of_bind(&scene).await, NOT_BOUND);
    assert_eq!(scene.state().await, "deactivated");
    let events = [scene.told().await, scene.told().await, scene.told().await];
    let kinds = events.each_ref().map(|event| event["kind"].as_str().unwrap());
    assert_eq!(kinds, ["proof.expired", "account.deactivated", "credit.refund_due"]);
    assert_eq!(events[0]["data"]["act"], "deactivate");
    assert_eq!(events[2]["data"]["usage"]["messages"], 4, "{}", events[2]);

    // It stays so over another restart and another day, and the refund comes no second time.
    let mut scene = scene.restart().await;
    assert_eq!(status_of_bind(&scene).await, NOT_BOUND);
    scene.demand("bank").await;
    scene.clock.pass(hours(24));
    assert_eq!(scene.events_until_bank_is_out().await, [""; 0]);
    assert_eq!(scene.state().await, "deactivated");
    scene.open.close().await;
}

#[tokio::test]
async fn what_nobody_answers_within_a_day_costs_the_account_over_two_restarts() {
    nobody_answers([0, 0]).await;
}

#[tokio::test]
async fn who_sets_the_clock_back_wins_no_time() {
    nobody_answers([-DAY, 0]).await;
}

#[tokio::test]
async fn who_sets_the_clock_forward_loses_none() {
    nobody_answers([0, 2 * DAY]).await;
}

#[tokio::test]
async fn evidence_in_time_that_is_accepted_does_none_of_that() {
    let mut scene = Scene::set("reminders = ['23h']").await;
    let mut sending = esme(&scene.open.proxy, "shop").await;
    assert_eq!(scene.send(&mut sending, "").await, OK);
    unbind(sending).await;
    let id = scene.demand_sample("shop").await["id"].clone();
    scene.demand("bank").await;
    let scene = scene.restart().await;
    scene.clock.pass(hours(22));
    let about = format!("/v1/proof-requests/{id}/evidence?msisdn=");
    let of_another = scene.ask(&format!("{about}32470654321"), Some("the forms, signed")).await;
    assert_eq!(of_another["status"], 400, "{of_another}");
    let handed_in = scene.ask(&format!("{about}32470123456"), Some("the forms, signed")).await;
    assert_eq!(handed_in["state"], "submitted", "{handed_in}");
    // What is handed in stops the clock until somebody has decided.
    let mut scene = scene.restart().await;
    let mut esme = esme(&scene.open.proxy, "shop").await;
    scene.clock.pass(hours(2));
    assert_eq!(scene.events_until_bank_is_out().await, [""; 0]);
    let accepted = scene.ask(&format!("/v1/proof-requests/{id}/accept"), Some("{}")).await;
    assert_eq!(accepted["state"], "accepted", "{accepted}");
    assert_eq!(scene.event().await, ("proof.accepted".to_owned(), "shop".to_owned()));

    scene.ask("/v1/accounts/bank/reactivate", Some(r#"{"reason": "to lose it once more"}"#)).await;
    assert_eq!(scene.event().await, ("account.reactivated".to_owned(), "bank".to_owned()));
    scene.demand("bank").await;
    scene.clock.pass(hours(30));
    assert_eq!(scene.events_until_bank_is_out().await, [""; 0]);
    assert_eq!(scene.state().await, "active");
    assert_eq!([scene.send(&mut esme, "").await, scene.send(&mut esme, "OFFER").await], [OK, OK]);
    unbind(esme).await;
    scene.open.close().await;
}

#[tokio::test]
async fn rejected_evidence_stops_no_clock() {
    let mut scene = Scene::set("reminders = []").await;
    let id = scene.demand("shop").await["id"].clone();
    let esme = esme(&scene.open.proxy, "shop").await;
    scene.clock.pass(hours(10));
    scene.ask(&format!("/v1/proof-requests/{id}/evidence"), Some("a list of numbers")).await;
    let path = format!("/v1/proof-requests/{id}/reject");
    let rejected = scene.ask(&path, Some(r#"{"reason": "says not who agreed, nor when"}"#)).await;
    assert_eq!(rejected["state"], "rejected", "{rejected}");
    assert_eq!(scene.event().await.0, "proof.rejected");
    scene.clock.pass(hours(14));
    is_unbound(esme).await;
    assert_eq!([scene.event().await.0, scene.event().await.0], ["proof.expired", "account.deactivated"]);
    scene.open.close().await;
}

#[tokio::test]
async fn on_expiry_hold_ends_the_offers_alone() {
    let mut scene = Scene::set("reminders = []\non_expiry = 'hold'").await;
    let mut esme = esme(&scene.open.proxy, "shop").await;
    scene.demand("shop").await;
    assert_eq!(scene.send(&mut esme, "OFFER").await, OK);
    scene.clock.pass(hours(24));
    assert_eq!([scene.event().await.0, scene.event().await.0], ["proof.expired", "account.held"]);
    assert_eq!([scene.send(&mut esme, "OFFER").await, scene.send(&mut esme, "").await], [REFUSED, OK]);
    assert_eq!(scene.state().await, "held");
    scene.demand("bank").await;
    scene.clock.pass(hours(24));
    assert_eq!(scene.events_until_bank_is_out().await, [""; 0], "no refund");
    unbind(esme).await;
    scene.open.close().await;
}

#[tokio::test]
async fn on_expiry_propose_tells_the_operator_and_does_nothing() {
    let mut scene = Scene::set("reminders = []\non_expiry = 'propose'").await;
    let mut esme = esme(&scene.open.proxy, "shop").await;
    scene.demand("shop").await;
    scene.clock.pass(hours(24));
    let expired = scene.told().await;
    assert_eq!((&expired["kind"], &expired["data"]["act"]), (&json!("proof.expired"), &json!("propose")));
    assert_eq!([scene.send(&mut esme, "OFFER").await, scene.send(&mut esme, "").await], [OK, OK]);
    assert_eq!(scene.state().await, "active");
    // The next that the operator hears of the account is what they themselves have done.
    scene.ask("/v1/accounts/shop/deactivate", Some(r#"{"reason": "as was proposed"}"#)).await;
    is_unbound(esme).await;
    assert_eq!([scene.event().await.0, scene.event().await.0], ["account.deactivated", "credit.refund_due"]);
    scene.open.close().await;
}
