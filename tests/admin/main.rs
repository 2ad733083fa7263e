//! The operator's interface over HTTP, beside the real proxy.

#![cfg(test)]

mod acts;
mod cases;
mod consents;
mod files;
#[path = "../support/mod.rs"]
mod support;
mod verdicts;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use smppolicy::admin::{self, Admin, NotReloaded, Proxy as _, Running, Stopped, Tokens};
use smppolicy::config::Config;
use smppolicy::ledger::Ledger;
use smppolicy::pdu::CommandStatus;
use smppolicy::policy::Msisdn;
use support::look::Looks;
use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

const ACCOUNTS: &str = "[[account]]\nsystem_id = 'shop'\ndefault_purpose = 'marketing'\nsender = [{ id = 'SHOP' }]\n\
                        [[account.campaign]]\nname = 'winter'\npurpose = 'marketing'\nservice_type = 'WNTR'\n\
                        [[account]]\nsystem_id = 'bank'\ndefault_purpose = 'transactional'\nstate = 'held'\n";
/// Nothing that is imported or asked for is of anybody's.
const OTHER: &str = "32470999999";

/// The interface of a running proxy, and who asks it.
struct Office {
    proxy: Proxy,
    address: SocketAddr,
    token: String,
    stop: CancellationToken,
    served: tokio::task::JoinHandle<()>,
}

/// An answer.
#[derive(Debug)]
struct Said {
    status: u16,
    content_type: String,
    body: Value,
}

impl Office {
    async fn open(upstream: SocketAddr) -> Self {
        Self::open_for(Proxy::start(upstream, ACCOUNTS).await).await
    }

    async fn open_for(proxy: Proxy) -> Self {
        let tokens = Tokens::load_or_create(&settings(proxy.folder())).unwrap();
        let listener = admin::open("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let relay = &proxy.relay;
        let running = Running::new(relay.control(), &proxy.folder().join("config.toml"));
        let admin = Admin::new(relay.ledger(), relay.audit(), relay.journal(), running);
        let served = tokio::spawn(admin.serve(listener, tokens, stop.clone()));
        let token = token(&proxy, "admin");
        Self { proxy, address, token, stop, served }
    }

    /// Asks with these headers and octets, and no others.
    async fn ask_with(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Said {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).unwrap();
        let asked = tokio::task::spawn_blocking(move || {
            let agent = ureq::Agent::config_builder().http_status_as_error(false).allow_non_standard_methods(true);
            let mut answer = agent.build().new_agent().run(request).unwrap();
            let content_type = answer.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
            let text = answer.body_mut().read_to_string().unwrap();
            let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
            Said { status: answer.status().as_u16(), content_type: content_type.unwrap_or_default(), body }
        });
        soon(asked).await.unwrap()
    }

    async fn ask(&self, method: Method, path: &str, body: Value) -> Said {
        let token = format!("Bearer {}", self.token);
        let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
        let octets = if body.is_null() { vec![] } else { body.to_string().into_bytes() };
        self.ask_with(method, path, &headers, octets).await
    }

    /// What is answered with this status.
    #[track_caller]
    fn expect(&self, status: u16, method: Method, path: &str, body: Value) -> impl Future<Output = Value> + use<'_> {
        let (place, path) = (std::panic::Location::caller(), path.to_owned());
        async move {
            let said = self.ask(method, &path, body).await;
            assert_eq!(said.status, status, "{place}: {path}: {}", said.body);
            let media = if status < 400 { "application/json" } else { "application/problem+json" };
            assert_eq!(said.content_type, media, "{place}: {path}");
            said.body
        }
    }

    async fn get(&self, path: &str) -> Value {
        self.expect(200, Method::GET, path, Value::Null).await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.expect(200, Method::POST, path, body).await
    }

    async fn make(&self, path: &str, body: Value) -> Value {
        self.expect(201, Method::POST, path, body).await
    }

    /// A file as the body.
    async fn send(&self, path: &str, content_type: &str, octets: &[u8]) -> Said {
        let token = format!("Bearer {}", self.token);
        let headers = [("authorization", token.as_str()), ("content-type", content_type)];
        self.ask_with(Method::POST, path, &headers, octets.to_vec()).await
    }

    /// Ends the interface, and gives the proxy.
    async fn close(self) -> Proxy {
        self.stop.cancel();
        soon(self.served).await.unwrap();
        self.proxy
    }
}

/// A token for each role, in a file that is called like it.
fn settings(folder: &Path) -> smppolicy::config::Admin {
    let text = "[upstream.main]\naddress = 'simulator'\n[admin]\ntoken_file = 'admin'\n\
                operator_token_file = 'operator'\nviewer_token_file = 'viewer'";
    Config::parse(text, "test.toml", folder).unwrap().admin.unwrap()
}

fn token(proxy: &Proxy, role: &str) -> String {
    std::fs::read_to_string(proxy.folder().join(role)).unwrap().trim().to_owned()
}

fn consent() -> Value {
    json!({
        "msisdn": "+32 470 12 34 56", "account": "shop", "sender": "SHOP", "purpose": "marketing", "method": "web form",
        "at": "2026-01-02T03:04:05Z", "wording": "Yes, send me offers", "source": "shop.example/join",
        "evidence": "form 17", "evidence_sha256": "ab".repeat(32), "expires": "2999-01-01", "address": "192.0.2.1",
    })
}

#[tokio::test]
async fn only_the_token_opens_it_and_health_needs_none() {
    let office = Office::open(Smsc::listen().await.address()).await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(office.ask_with(Method::GET, path, &[], vec![]).await.status, 200, "{path}");
    }
    let wrong = format!("Bearer {}", "0".repeat(64));
    for path in ["/v1/accounts", "/v1/nothing", "/v1/openapi.json"] {
        for headers in [&[][..], &[("authorization", wrong.as_str())]] {
            let said = office.ask_with(Method::GET, path, headers, vec![]).await;
            assert_eq!((said.status, &*said.content_type), (401, "application/problem+json"), "{path}");
            assert!(said.body["hint"].as_str().unwrap().contains("admin.token_file"), "{path}");
        }
    }
    office.get("/v1/accounts").await;
    office.close().await.stop().await;
}

#[tokio::test]
async fn accounts_change_state_and_their_binds_feel_it() {
    let smsc = Smsc::listen().await.serve();
    let office = Office::open(smsc.address).await;
    let mut esme = esme(&office.proxy, "shop").await;
    assert_eq!(esme.status(&submit(2, "SHOP", b"hello")).await, CommandStatus::ESME_RINVDSTADR, "no consent");
    let page = office.get("/v1/accounts?limit=1").await;
    assert_eq!((&page["items"][0]["id"], &page["next"]), (&json!("bank"), &json!("bank")));
    let page = office.get("/v1/accounts?cursor=bank").await;
    let expected = json!([{"id": "shop", "state": "active", "declared_state": "active", "since": null, "by": null,
                           "reason": null, "binds": 1}]);
    assert_eq!((&page["items"], &page["next"]), (&expected, &Value::Null));
    let held = office.get("/v1/accounts/bank").await;
    assert_eq!((&held["state"], &held["declared_state"]), (&json!("held"), &json!("held")));

    for (act, state) in [
        ("hold", "held"),
        ("release", "active"),
        ("deactivate", "deactivated"),
        ("reactivate", "active"),
        ("block", "blocked"),
    ] {
        let account = office.post(&format!("/v1/accounts/shop/{act}"), json!({"reason": "we looked"})).await;
        assert_eq!((&account["state"], &account["reason"]), (&json!(state), &json!("we looked")), "{act}");
        if act == "deactivate" {
            // Asked to leave, it unbinds; its answer lets it go.
            let unbind = soon(esme.from.next()).await;
            assert!(unbind.is_some(), "the bind is ended");
        }
    }
    let refused = office.expect(409, Method::POST, "/v1/accounts/shop/hold", json!({"reason": "x"})).await;
    assert!(refused["detail"].as_str().unwrap().ends_with("unblock it first"), "{refused}");
    let account = office.post("/v1/accounts/shop/unblock", json!({"reason": "again"})).await;
    let states: Vec<&str> =
        account["history"].as_array().unwrap().iter().map(|c| c["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["active", "blocked", "active", "deactivated", "active", "held"]);
    assert_eq!(
        (&account["usage"]["messages"], &account["usage"]["since"]),
        (&json!(0), &account["last_refund"]["until"])
    );
    assert_eq!((&account["last_refund"]["messages"], &account["last_refund"]["since"]), (&json!(0), &Value::Null));

    let unknown = office.expect(404, Method::GET, "/v1/accounts/shp", Value::Null).await;
    assert_eq!((&unknown["hint"], &unknown["status"]), (&json!("did you mean shop?"), &json!(404)));
    office.expect(404, Method::POST, "/v1/accounts/shop/explode", json!({"reason": "x"})).await;
    office.expect(400, Method::POST, "/v1/accounts/shop/block", json!({"reason": " "})).await;
    office.expect(400, Method::POST, "/v1/accounts/shop/block", json!({"because": "x"})).await;
    office.close().await.stop_with([esme]).await;
}

#[tokio::test]
async fn binds_are_listed_with_their_counts_and_ended() {
    let smsc = Smsc::listen().await.serve();
    let office = Office::open(smsc.address).await;
    office.make("/v1/consents", consent()).await;
    let (mut first, second) = (esme(&office.proxy, "shop").await, esme(&office.proxy, "shop").await);
    assert_eq!(first.status(&submit(2, "SHOP", b"hello")).await, CommandStatus::ESME_ROK);
    let page = office.get("/v1/binds?limit=1").await;
    let bind = &page["items"][0];
    assert_eq!((&bind["id"], &bind["account"], &bind["state"]), (&json!(1), &json!("shop"), &json!("transceiver")));
    assert_eq!((&bind["up"], &bind["down"], &page["next"]), (&json!(1), &json!(1), &json!("1")));
    assert!(bind["since"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    assert_eq!(office.get("/v1/binds?cursor=1").await["items"][0]["id"], 2);
    let ended = office.expect(200, Method::DELETE, "/v1/binds/1", Value::Null).await;
    assert_eq!(ended, json!({"id": 1, "state": "leaving"}));
    let unbind = first.receive().await;
    let answer = accepted(&unbind);
    first.send(&answer).await;
    first.ends().await;
    let looks = Looks::within(PATIENCE);
    while office.get("/v1/binds").await["items"].as_array().unwrap().len() > 1 {
        looks.again().await.unwrap();
    }
    let unknown = office.expect(404, Method::DELETE, "/v1/binds/1", Value::Null).await;
    assert_eq!(unknown["hint"], "the nearest is 2; GET /v1/binds lists them");
    office.close().await.stop_with([second]).await;
}

#[tokio::test]
async fn a_reload_is_all_or_nothing() {
    let smsc = Smsc::listen().await;
    let office = Office::open(smsc.address()).await;
    let path = office.proxy.folder().join("config.toml");
    let faulty = "[[account]]\nsystem_id = 'new'\ndefault_purpose = 'transactional'\ncolour = 'red'\n";
    std::fs::write(&path, configuration(smsc.address(), faulty)).unwrap();
    let problem = office.expect(400, Method::POST, "/v1/reload", json!({})).await;
    assert!(problem["detail"].as_str().unwrap().contains("colour"), "{problem}");
    office.get("/v1/accounts/shop").await;
    std::fs::write(
        &path,
        configuration(smsc.address(), "[[account]]\nsystem_id = 'new'\ndefault_purpose = 'transactional'\n"),
    )
    .unwrap();
    office.post("/v1/reload", Value::Null).await;
    office.get("/v1/accounts/new").await;
    office.expect(404, Method::GET, "/v1/accounts/shop", Value::Null).await;
    office.close().await.stop().await;
}

#[tokio::test]
async fn a_request_that_is_sent_again_with_its_key_is_done_once() {
    let office = Office::open(Smsc::listen().await.address()).await;
    let token = format!("Bearer {}", office.token);
    let sent_at = async |key: &str, text: &str, at: &str| {
        let headers = [("authorization", token.as_str()), ("idempotency-key", key)];
        let body = json!({"msisdn": RECIPIENT, "at": at, "text": text}).to_string();
        office.ask_with(Method::POST, "/v1/complaints", &headers, body.into_bytes()).await
    };
    let sent = async |key: &str, text: &str| sent_at(key, text, "2026-01-01").await;
    let first = sent("one", "no").await;
    let again = sent("one", "no").await;
    assert_eq!((first.status, again.status, &again.body), (201, 201, &first.body));
    assert_eq!(again.content_type, "application/json");
    assert_eq!(sent("one", "something else").await.status, 422);
    assert_eq!(sent(&"x".repeat(256), "no").await.status, 400);
    assert_ne!(sent("two", "not again").await.body["id"], first.body["id"]);
    assert_eq!(office.get("/v1/complaints").await["items"].as_array().unwrap().len(), 2);
    // What was refused is tried again.
    assert_eq!(sent_at("three", "no time", "some day").await.status, 400);
    assert_eq!(sent("three", "now there is a text").await.status, 201);
    office.close().await.stop().await;
}

#[tokio::test]
async fn bodies_in_memory_are_bounded() {
    let office = Office::open(Smsc::listen().await.address()).await;
    let large = json!({"reason": "x".repeat(1 << 20)});
    office.expect(413, Method::POST, "/v1/accounts/shop/block", large).await;
    assert_eq!(office.get("/v1/accounts/shop").await["state"], "active");
    office.close().await.stop().await;
}

#[tokio::test]
async fn every_route_of_the_document_answers_and_nothing_else_does() {
    let office = Office::open(Smsc::listen().await.address()).await;
    let document = office.get("/v1/openapi.json").await;
    assert_eq!(document["openapi"], "3.1.0");
    let known = AtomicU64::new(0);
    // The answer of a stream does not end; it has a test of its own.
    let ends = |(path, _): &(&String, &Value)| !path.ends_with("/stream");
    for (path, methods) in document["paths"].as_object().unwrap().iter().filter(ends) {
        let address =
            path.replace("{id}", "7").replace("{act}", "block").replace("{msisdn}", RECIPIENT).replace("{ref}", "x");
        for method in ["get", "post", "put", "delete", "patch"] {
            let said = office.ask(method.to_uppercase().parse().unwrap(), &address, Value::Null).await;
            let is_there = said.body["detail"] != "there is nothing here" && said.status != 405;
            assert_eq!(is_there, methods.get(method).is_some(), "{method} {path}: {}", said.body);
            known.fetch_add(u64::from(is_there), Ordering::Relaxed);
            let Some(operation) = methods.get(method) else { continue };
            let named = operation["parameters"].as_array().unwrap().iter().filter(|p| p["in"] == "path").count();
            assert_eq!(named, path.matches('{').count(), "{method} {path}");
            // What an object is required to have is asked for.
            let body = &operation["requestBody"]["content"]["application/json"]["schema"];
            if body["required"].as_array().is_some_and(|required| !required.is_empty()) {
                assert_eq!(said.status, 400, "{method} {path}: {}", said.body);
            }
        }
    }
    assert_eq!(known.into_inner(), 33);
    office.expect(404, Method::GET, "/v1/nothing", Value::Null).await;
    office.expect(405, Method::PUT, "/v1/accounts", Value::Null).await;
    office.close().await.stop().await;
}

#[tokio::test]
async fn without_a_proxy_the_same_routes_answer_in_this_process() {
    let folder = tempfile::tempdir().unwrap();
    let text = configuration("127.0.0.1:9".parse().unwrap(), ACCOUNTS);
    let config = Config::parse(&text, "test.toml", folder.path()).unwrap();
    let audit = smppolicy::audit::Audit::open(&config.audit).unwrap();
    let ledger = std::sync::Arc::new(Ledger::open(&config, audit.key()).unwrap());
    let journal = smppolicy::ledger::Journal::open(&config.journal, audit.key(), 0).unwrap();
    let stopped = Stopped::new(&config);
    assert_eq!(stopped.reload(), Err(NotReloaded::NoProxy));
    let listener = admin::open("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Admin::new(ledger, audit, journal, stopped).router();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let asked = tokio::task::spawn_blocking(move || {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let reload = agent.post(format!("http://{address}/v1/reload")).send_empty().unwrap();
        assert_eq!(reload.status(), StatusCode::CONFLICT);
        let text = agent.get(format!("http://{address}/v1/accounts")).call().unwrap().body_mut().read_to_string();
        serde_json::from_str::<Value>(&text.unwrap()).unwrap()
    });
    let accounts = soon(asked).await.unwrap();
    let states: Vec<&str> =
        accounts["items"].as_array().unwrap().iter().map(|a| a["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["held", "active"]);
}
