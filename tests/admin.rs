//! The operator's interface over HTTP, beside the real proxy.

#![cfg(test)]

mod support;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use smppolicy::admin::{self, Admin, NotReloaded, Proxy as _, Running, Stopped, Token};
use smppolicy::config::Config;
use smppolicy::ledger::Ledger;
use smppolicy::pdu::CommandStatus;
use smppolicy::policy::Msisdn;
use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

const ACCOUNTS: &str = "[[account]]\nsystem_id = 'shop'\ndefault_purpose = 'marketing'\nsender = [{ id = 'SHOP' }]\n\
                        [[account.campaign]]\nname = 'winter'\npurpose = 'marketing'\nservice_type = 'WNTR'\n\
                        [[account]]\nsystem_id = 'bank'\nstate = 'held'\n";
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
        let path = proxy.folder().join("token");
        let token = Token::load_or_create(&path).unwrap();
        let listener = admin::open("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let relay = &proxy.relay;
        let running = Running::new(relay.control(), &proxy.folder().join("config.toml"));
        let admin = Admin::new(relay.ledger(), relay.audit(), relay.journal(), running);
        let served = tokio::spawn(admin.serve(listener, token, stop.clone()));
        let token = std::fs::read_to_string(path).unwrap().trim().to_owned();
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
    for path in ["/healthz", "/readyz"] {
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
async fn a_consent_that_waits_for_a_yes_is_shown_as_pending_until_that_comes_or_it_is_revoked() {
    let twice = ACCOUNTS.replace("system_id = 'shop'", "system_id = 'shop'\ndouble_opt_in = true");
    let office = Office::open_for(Proxy::start(Smsc::listen().await.address(), &twice).await).await;
    let (number, now) = (Msisdn::parse(RECIPIENT).unwrap(), 1_795_521_600_000);
    let state = |item: &Value| [&item["pending"], &item["confirmed_at"], &item["at"]].map(Clone::clone);
    let given = json!("2026-01-02T03:04:05Z");
    office.make("/v1/consents", consent()).await;
    for path in [format!("/v1/consents?msisdn={RECIPIENT}"), "/v1/consents".to_owned()] {
        let shown = office.get(&path).await;
        assert_eq!(state(&shown["items"][0]), [json!(true), Value::Null, given.clone()], "{path}");
    }
    let ledger = office.proxy.relay.ledger();
    let consents = ledger.permissions().consents();
    let pending = consents.pending(number, "shop", &[Some("SHOP")], now);
    consents.confirm(number, &pending, now).await.unwrap();
    // One consent, with both times, wherever it is shown.
    for path in [format!("/v1/consents?msisdn={RECIPIENT}"), "/v1/consents".to_owned()] {
        let shown = office.get(&path).await;
        let [item] = &shown["items"].as_array().unwrap()[..] else { panic!("{path}: {shown}") };
        assert_eq!(state(item), [json!(false), json!("2026-11-24T12:00:00Z"), given.clone()], "{path}");
        assert_eq!(item["wording"], "Yes, send me offers");
    }
    let subject = office.get(&format!("/v1/subjects/{RECIPIENT}")).await;
    assert_eq!(subject["consents"][0]["confirmed_at"], "2026-11-24T12:00:00Z");
    let mut other = consent();
    other["msisdn"] = json!(OTHER);
    office.make("/v1/consents", other).await;
    for number in [RECIPIENT, OTHER] {
        let scope = json!({"msisdn": number, "account": "shop", "sender": "SHOP", "purpose": "marketing"});
        let revoked = office.expect(200, Method::DELETE, "/v1/consents", scope.clone()).await;
        assert_eq!(revoked, json!({"outcome": "changed"}), "{number}");
        assert_eq!(office.expect(200, Method::DELETE, "/v1/consents", scope).await, json!({"outcome": "unchanged"}));
        let shown = office.get(&format!("/v1/consents?msisdn={number}")).await;
        let [item] = &shown["items"].as_array().unwrap()[..] else { panic!("{shown}") };
        assert!(item["revoked_at"].is_string() && item["pending"] == (number == OTHER), "{shown}");
    }
    drop(ledger);
    office.close().await.stop_with([]).await;
}

#[tokio::test]
async fn consents_are_granted_shown_paged_and_revoked_and_messages_follow() {
    let smsc = Smsc::listen().await.serve();
    let office = Office::open(smsc.address).await;
    let mut esme = esme(&office.proxy, "shop").await;
    assert_eq!(office.make("/v1/consents", consent()).await, json!({"outcome": "changed"}));
    assert_eq!(office.make("/v1/consents", consent()).await, json!({"outcome": "unchanged"}));
    assert_eq!(esme.status(&submit(2, "SHOP", b"hello")).await, CommandStatus::ESME_ROK);
    let mut other = consent();
    other["msisdn"] = json!(OTHER);
    office.make("/v1/consents", other).await;

    let shown = office.get(&format!("/v1/consents?msisdn={RECIPIENT}")).await;
    let mut expected = consent();
    expected["msisdn"] = json!(RECIPIENT);
    expected["sender"] = json!("shop");
    expected["expires"] = json!("2999-01-01T00:00:00Z");
    expected["pending"] = json!(false);
    expected["confirmed_at"] = Value::Null;
    expected["revoked_at"] = Value::Null;
    assert_eq!(shown, json!({"items": [expected], "next": null}));

    let first = office.get("/v1/consents?limit=1").await;
    let cursor = first["next"].as_str().unwrap();
    let second = office.get(&format!("/v1/consents?limit=1&cursor={cursor}")).await;
    assert_eq!(second["next"], Value::Null);
    let mut numbers = [&first, &second].map(|page| page["items"][0]["msisdn"].as_str().unwrap());
    numbers.sort_unstable();
    assert_eq!(numbers, [RECIPIENT, OTHER]);

    let scope = json!({"msisdn": RECIPIENT, "account": "shop", "sender": "SHOP", "purpose": "marketing"});
    let revoked = office.expect(200, Method::DELETE, "/v1/consents", scope).await;
    assert_eq!(revoked, json!({"outcome": "changed"}));
    assert_eq!(esme.status(&submit(3, "SHOP", b"hello")).await, CommandStatus::ESME_RINVDSTADR);
    let shown = office.get(&format!("/v1/consents?msisdn={RECIPIENT}")).await;
    assert_eq!(shown["items"].as_array().unwrap().len(), 1);
    assert_eq!(shown["items"][0]["wording"], "Yes, send me offers");
    assert!(shown["items"][0]["revoked_at"].is_string(), "{shown}");

    for (field, value, says) in [
        ("source", json!("a list that we bought"), "clause 11"),
        ("wording", json!(""), "clause 13"),
        ("at", json!("2999-01-01"), "future"),
        ("at", json!("yesterday"), "at is no time"),
        ("msisdn", json!("0470123456"), "msisdn is no international number"),
        ("evidence_sha256", json!("00"), "64 hexadecimal digits"),
        ("purpose", json!("fun"), "fun"),
        ("colour", json!("red"), "colour"),
    ] {
        let mut faulty = consent();
        faulty[field] = value;
        let problem = office.expect(400, Method::POST, "/v1/consents", faulty).await;
        assert!(problem["detail"].as_str().unwrap().contains(says), "{field}: {problem}");
    }
    let mut stranger = consent();
    stranger["account"] = json!("shoq");
    let problem = office.expect(404, Method::POST, "/v1/consents", stranger).await;
    assert_eq!(problem["hint"], "did you mean shop?");
    for query in ["limit=0", "limit=1001", "limit=x", "cursor=!", "colour=red", "msisdn=1"] {
        office.expect(400, Method::GET, &format!("/v1/consents?{query}"), Value::Null).await;
    }
    office.close().await.stop_with([esme]).await;
}

#[tokio::test]
async fn files_are_imported_and_bad_rows_come_back() {
    let office = Office::open(Smsc::listen().await.address()).await;
    let header = "msisdn,account,sender,purpose,method,at,wording,source\n";
    let file = format!(
        "{header}{RECIPIENT},shop,SHOP,marketing,form,2026-01-02T03:04:05Z,yes,site\n\
         {OTHER},shop,SHOP,marketing,form,2026-01-02T03:04:05Z,yes,bought list\n\
         123,shop,SHOP,marketing,form,2026-01-02T03:04:05Z,yes,site\n"
    );
    let said = office.send("/v1/consents/import", "text/csv; charset=utf-8", file.as_bytes()).await;
    assert_eq!(said.status, 200, "{}", said.body);
    let counts = ["rows", "changed", "unchanged", "superseded", "rejected"].map(|key| said.body[key].as_u64().unwrap());
    assert_eq!(counts, [3, 1, 0, 0, 2]);
    assert_eq!(said.body["reasons"].as_object().unwrap().len(), 2);
    assert_eq!(said.body["signals"], json!([]));
    let rejects: Vec<&str> = said.body["rejects"].as_str().unwrap().lines().collect();
    assert!(rejects.len() == 2 && rejects[0].starts_with("3,") && rejects[1].starts_with("4,"), "{rejects:?}");
    assert_eq!(office.get(&format!("/v1/consents?msisdn={RECIPIENT}")).await["items"][0]["source"], "site");

    let line = format!("{{\"msisdn\": \"{OTHER}\", \"account\": \"shop\"}}\n");
    let said = office.send("/v1/suppressions/import", "application/x-ndjson", line.as_bytes()).await;
    assert_eq!((said.status, &said.body["changed"]), (200, &json!(1)), "{}", said.body);
    assert_eq!(office.get(&format!("/v1/suppressions?msisdn={OTHER}")).await["items"][0]["origin"], "import");

    let path = "/v1/suppressions/import?registry=dnc&as_of=2026-11-01&countries=BE,NL";
    let said = office.send(path, "text/csv", format!("msisdn\n{OTHER}\n{RECIPIENT}\n").as_bytes()).await;
    assert_eq!((said.status, &said.body["changed"]), (200, &json!(2)), "{}", said.body);
    let ledger = office.proxy.relay.ledger();
    let registries = ledger.permissions().registries().all();
    assert_eq!((&*registries[0].name, registries[0].len(), registries[0].is_for("FR")), ("dnc", 2, false));

    for (path, content_type, status) in [
        ("/v1/consents/import", "application/json", 415),
        ("/v1/consents/import", "text/csv", 400),
        ("/v1/suppressions/import?registry=../x&as_of=2026-11-01", "text/csv", 400),
        ("/v1/suppressions/import?registry=dnc", "text/csv", 400),
        ("/v1/suppressions/import?registry=dnc&as_of=2999-11-01", "text/csv", 400),
        ("/v1/suppressions/import?registry=dnc&as_of=2026-11-01&countries=Belgium", "text/csv", 400),
        ("/v1/suppressions/import?as_of=2026-11-01", "text/csv", 400),
    ] {
        let said = office.send(path, content_type, b"nothing\n1\n").await;
        assert_eq!((said.status, &*said.content_type), (status, "application/problem+json"), "{path}: {}", said.body);
    }
    drop((registries, ledger));
    office.close().await.stop().await;
}

#[tokio::test]
async fn of_a_file_that_does_not_arrive_whole_nothing_is_imported() {
    let office = Office::open(Smsc::listen().await.address()).await;
    let file = format!(
        "msisdn,account,sender,purpose,method,at,wording,source\n\
         {RECIPIENT},shop,SHOP,marketing,form,2026-01-02T03:04:05Z,yes,site\n"
    );
    let request = format!(
        "POST /v1/consents/import HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: text/csv\r\n\
         transfer-encoding: chunked\r\n\r\n{:x}\r\n{file}\r\n",
        office.token,
        file.len()
    );
    // The same with an end is taken, so what is refused is the rest.
    for (end, status, consents) in [("no chunk\r\n", "400", 0), ("0\r\n\r\n", "200", 1)] {
        let mut connection = tokio::net::TcpStream::connect(office.address).await.unwrap();
        connection.write_all(format!("{request}{end}").as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        soon(connection.read_exact(&mut answer)).await.unwrap();
        assert_eq!(std::str::from_utf8(&answer).unwrap(), format!("HTTP/1.1 {status}"));
        let shown = office.get(&format!("/v1/consents?msisdn={RECIPIENT}")).await;
        assert_eq!(shown["items"].as_array().unwrap().len(), consents, "{status}");
    }
    office.close().await.stop().await;
}

#[tokio::test]
async fn opt_outs_are_taken_and_ended() {
    let office = Office::open(Smsc::listen().await.address()).await;
    let all = json!({"msisdn": RECIPIENT, "reference": "ticket 5"});
    assert_eq!(office.make("/v1/suppressions", all.clone()).await, json!({"outcome": "changed"}));
    let one = json!({"msisdn": RECIPIENT, "account": "shop", "sender": "SHOP"});
    office.make("/v1/suppressions", one).await;
    let shown = office.get(&format!("/v1/suppressions?msisdn={RECIPIENT}")).await;
    let of = |account: Value| {
        let items = shown["items"].as_array().unwrap().iter().find(|item| item["account"] == account);
        items.unwrap_or_else(|| panic!("{shown}")).clone()
    };
    assert_eq!((&of(Value::Null)["reference"], &of(json!("shop"))["sender"]), (&json!("ticket 5"), &json!("shop")));
    assert_eq!((&of(Value::Null)["out"], &of(Value::Null)["origin"]), (&json!(true), &json!("api")));
    let ended = office.expect(200, Method::DELETE, "/v1/suppressions", all).await;
    assert_eq!(ended, json!({"outcome": "changed"}));
    let first = office.get("/v1/suppressions?limit=1").await;
    let second = office.get(&format!("/v1/suppressions?cursor={}", first["next"].as_str().unwrap())).await;
    let outs = [&first, &second].map(|page| page["items"][0]["out"].as_bool().unwrap());
    assert!(outs.contains(&true) && outs.contains(&false), "{outs:?}");
    assert_eq!(second["next"], Value::Null);
    let problem = json!({"msisdn": RECIPIENT, "sender": "SHOP"});
    office.expect(400, Method::POST, "/v1/suppressions", problem).await;
    office.expect(404, Method::POST, "/v1/suppressions", json!({"msisdn": RECIPIENT, "account": "none"})).await;
    office.close().await.stop().await;
}

/// Waits until the journal's writer has written the message that the number got.
async fn relayed(office: &Office, number: &str) -> Value {
    soon(async {
        loop {
            let held = office.get(&format!("/v1/subjects/{number}")).await;
            if held["messages"][0]["message_id"].is_string() {
                return held["messages"][0].clone();
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_complaint_is_linked_to_its_message_appealed_and_resolved() {
    let smsc = Smsc::listen().await.serve();
    let office = Office::open(smsc.address).await;
    let mut esme = esme(&office.proxy, "shop").await;
    office.make("/v1/consents", consent()).await;
    assert_eq!(esme.status(&submit(2, "SHOP", b"hello")).await, CommandStatus::ESME_ROK);
    let message = relayed(&office, RECIPIENT).await;
    assert_eq!((&message["account"], &message["message_id"]), (&json!("shop"), &json!("2")));

    let at = jiff::Timestamp::now().to_string();
    let complaint = |msisdn: &str, at: &str| json!({"msisdn": msisdn, "at": at, "text": "I did not ask for this"});
    let case = office.make("/v1/complaints", complaint(RECIPIENT, &at)).await;
    assert_eq!((&case["message"], &case["account"]), (&message["reference"], &json!("shop")));
    assert_eq!((&case["state"], &case["via"], &case["country"]), (&json!("open"), &json!("api"), &json!("BE")));
    assert!(case["authority"]["address"].as_str().unwrap().starts_with("https://"), "{case}");
    let time = |key: &str| case[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!(time("deadline").duration_since(time("opened")).as_secs(), 3 * 24 * 3600, "complaints.service_level");
    // Before the message came, and of somebody who got none.
    for (msisdn, at) in [(RECIPIENT, "2020-01-01"), (OTHER, &*at)] {
        let unlinked = office.make("/v1/complaints", complaint(msisdn, at)).await;
        assert_eq!((&unlinked["message"], &unlinked["account"]), (&Value::Null, &Value::Null));
    }
    // A clock may be somewhat wrong, and no more.
    let ahead = |minutes: i64| (jiff::Timestamp::now() + jiff::SignedDuration::from_mins(minutes)).to_string();
    let problem = office.expect(400, Method::POST, "/v1/complaints", complaint(OTHER, &ahead(7))).await;
    assert!(problem["detail"].as_str().unwrap().starts_with("at is in the future"), "{problem}");
    let mut named = complaint(OTHER, &ahead(3));
    (named["account"], named["via"]) = (json!("shop"), json!("cli"));
    let named = office.make("/v1/complaints", named).await;
    assert_eq!((&named["message"], &named["account"], &named["via"]), (&Value::Null, &json!("shop"), &json!("cli")));

    let path = format!("/v1/complaints/{}", case["id"]);
    let appealed = office.post(&format!("{path}/appeal"), json!({"reason": "they signed up"})).await;
    assert_eq!(appealed["state"], "appealed");
    let decision = json!({"upheld": false, "release": true, "reason": "they had"});
    let resolved = office.post(&format!("{path}/resolve"), decision.clone()).await;
    assert_eq!((&resolved["state"], &resolved["resolution"]), (&json!("resolved"), &json!("dismissed")));
    assert_eq!(resolved["msisdn"], Value::Null, "no longer kept");
    let steps: Vec<&str> = resolved["timeline"].as_array().unwrap().iter().map(|s| s["by"].as_str().unwrap()).collect();
    assert_eq!(steps, ["operator (api)", "customer", "operator (api)"]);
    assert_eq!(office.get(&path).await, resolved);
    let otherwise = json!({"upheld": true, "reason": "no"});
    office.expect(409, Method::POST, &format!("{path}/resolve"), otherwise).await;

    let page = office.get("/v1/complaints?limit=3").await;
    assert_eq!((page["items"].as_array().unwrap().len(), &page["next"]), (3, &json!("3")));
    let rest = office.get("/v1/complaints?limit=3&cursor=3").await;
    assert_eq!((&rest["items"][0]["id"], &rest["next"]), (&json!(4), &Value::Null));
    let paths = ["/v1/complaints/99".to_owned(), "/v1/complaints/99/resolve".to_owned()];
    let unknown = office.expect(404, Method::GET, &paths[0], Value::Null).await;
    assert_eq!(unknown["hint"], "the nearest is 4");
    let unknown = office.expect(404, Method::POST, &paths[1], decision).await;
    assert_eq!(unknown["hint"], "the nearest is 4");
    office.expect(400, Method::GET, "/v1/complaints/first", Value::Null).await;
    office.close().await.stop_with([esme]).await;
}

#[tokio::test]
async fn proof_is_asked_for_handed_in_and_decided() {
    let smsc = Smsc::listen().await.serve();
    let office = Office::open(smsc.address).await;
    let mut esme = esme(&office.proxy, "shop").await;
    office.make("/v1/consents", consent()).await;
    assert_eq!(esme.status(&submit(2, "SHOP", b"hello")).await, CommandStatus::ESME_ROK);
    let message = relayed(&office, RECIPIENT).await;

    let drawn = office.make("/v1/proof-requests", json!({"account": "shop", "sample": 20})).await;
    assert_eq!(
        (&drawn["state"], &drawn["deadline"], &drawn["recipients"]),
        (&json!("created"), &Value::Null, &json!([]))
    );
    let asked = &drawn["messages"][0];
    assert_eq!((&asked["reference"], &asked["message_id"]), (&message["reference"], &message["message_id"]));
    assert_eq!((&asked["at"], &asked["sender"]), (&message["at"], &json!("SHOP")));
    assert_eq!(drawn["messages"].as_array().unwrap().len(), 1);
    let of_campaign = |campaign: &str| json!({"account": "shop", "sample": 20, "campaign": campaign});
    let unknown = office.expect(404, Method::POST, "/v1/proof-requests", of_campaign("winther")).await;
    assert_eq!(unknown["hint"], "did you mean winter?");
    for nobody in [of_campaign("winter"), json!({"account": "bank", "sample": 20})] {
        let problem = office.expect(409, Method::POST, "/v1/proof-requests", nobody).await;
        assert!(problem["detail"].as_str().unwrap().starts_with("nobody can be drawn: no message of "), "{problem}");
    }
    assert_eq!(
        office.get("/v1/proof-requests").await["items"].as_array().unwrap().len(),
        1,
        "no clock can run for those"
    );

    let path = format!("/v1/proof-requests/{}", drawn["id"]);
    let early = office.send(&format!("{path}/evidence"), "application/pdf", b"%PDF").await;
    assert_eq!(early.status, 409, "{}", early.body);
    let told = office.post(&format!("{path}/delivered"), json!({})).await;
    let time = |key: &str| told[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!(time("deadline").duration_since(time("delivered")).as_secs(), 24 * 3600);
    let stranger = office.send(&format!("{path}/evidence?msisdn={OTHER}"), "application/pdf", b"%PDF").await;
    assert_eq!(stranger.status, 400, "{}", stranger.body);
    let empty = office.send(&format!("{path}/evidence"), "application/pdf", b"").await;
    assert_eq!(empty.status, 400, "{}", empty.body);
    let query = format!("msisdn={RECIPIENT}&note=form%2017&purpose=marketing");
    let handed = office.send(&format!("{path}/evidence?{query}"), "application/pdf", b"%PDF").await;
    assert_eq!((handed.status, &handed.body["state"]), (201, &json!("submitted")), "{}", handed.body);
    let item = &handed.body["items"][0];
    assert_eq!((&item["msisdn"], &item["content_type"]), (&json!(RECIPIENT), &json!("application/pdf")));
    assert_eq!((&item["note"], &item["purpose"]), (&json!("form 17"), &json!("marketing")));
    let kept = office.proxy.folder().join("ledger/evidence").join(item["evidence"].as_str().unwrap());
    assert_eq!(std::fs::read(kept).unwrap(), b"%PDF");

    let rejected = office.post(&format!("{path}/reject"), json!({"reason": "unreadable"})).await;
    assert_eq!(rejected["state"], "rejected");
    office.send(&format!("{path}/evidence"), "text/plain", b"again").await;
    assert_eq!(office.post(&format!("{path}/accept"), json!({})).await["state"], "accepted");
    office.expect(409, Method::POST, &format!("{path}/reject"), json!({"reason": "late"})).await;
    assert_eq!(office.get(&path).await["state"], "accepted");

    let named = json!({"account": "shop", "recipients": [RECIPIENT], "purpose": "marketing"});
    let named = office.make("/v1/proof-requests", named).await;
    assert_eq!((&named["recipients"], &named["unanswered"]), (&json!([RECIPIENT]), &json!([RECIPIENT])));
    let page = office.get("/v1/proof-requests?limit=1").await;
    assert_eq!((page["items"].as_array().unwrap().len(), &page["next"]), (1, &json!("1")));
    for (body, status) in [
        (json!({"account": "shop"}), 400),
        (json!({"account": "shop", "sample": 1001}), 400),
        (json!({"account": "shop", "sample": 1, "recipients": [RECIPIENT]}), 400),
        (json!({"account": "none", "sample": 1}), 404),
    ] {
        office.expect(status, Method::POST, "/v1/proof-requests", body).await;
    }
    let unknown = office.expect(404, Method::POST, "/v1/proof-requests/77/accept", json!({})).await;
    assert_eq!(unknown["hint"], "the nearest is 2");
    office.close().await.stop_with([esme]).await;
}

#[tokio::test]
async fn a_person_is_shown_what_is_held_and_erased() {
    let office = Office::open(Smsc::listen().await.address()).await;
    office.make("/v1/consents", consent()).await;
    office.make("/v1/suppressions", json!({"msisdn": RECIPIENT, "account": "shop", "reference": "ticket 5"})).await;
    let complaint = json!({"msisdn": RECIPIENT, "at": "2026-01-01", "text": "no", "account": "shop"});
    office.make("/v1/complaints", complaint).await;
    office.make("/v1/proof-requests", json!({"account": "shop", "recipients": [RECIPIENT]})).await;
    let path = format!("/v1/subjects/{RECIPIENT}");
    let held = office.get(&path).await;
    let count = |held: &Value| {
        ["consents", "suppressions", "complaints", "proof_requests", "messages"]
            .map(|key| held[key].as_array().unwrap().len())
    };
    assert_eq!(count(&held), [1, 1, 1, 1, 0], "{held}");
    let erased = office.expect(200, Method::DELETE, &path, Value::Null).await;
    assert_eq!(erased["erased"], json!({"consents": 1, "complaints_and_proof_requests": 2}));
    assert!(erased["kept"].as_str().unwrap().starts_with("opt-outs as a keyed hash"));
    let held = office.get(&path).await;
    assert_eq!(count(&held), [0, 1, 1, 0, 0], "{held}");
    assert_eq!((&held["suppressions"][0]["out"], &held["suppressions"][0]["reference"]), (&json!(true), &json!("")));
    assert_eq!((&held["complaints"][0]["msisdn"], &held["complaints"][0]["text"]), (&Value::Null, &Value::Null));
    let again = office.expect(200, Method::DELETE, &path, Value::Null).await;
    assert_eq!(again["erased"], json!({"consents": 0, "complaints_and_proof_requests": 0}));
    office.expect(400, Method::GET, "/v1/subjects/me", Value::Null).await;
    office.close().await.stop().await;
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
    soon(async { while office.get("/v1/binds").await["items"].as_array().unwrap().len() > 1 {} }).await;
    let unknown = office.expect(404, Method::DELETE, "/v1/binds/1", Value::Null).await;
    assert_eq!(unknown["hint"], "the nearest is 2; GET /v1/binds lists them");
    office.close().await.stop_with([second]).await;
}

#[tokio::test]
async fn a_reload_is_all_or_nothing() {
    let smsc = Smsc::listen().await;
    let office = Office::open(smsc.address()).await;
    let path = office.proxy.folder().join("config.toml");
    let faulty = "[[account]]\nsystem_id = 'new'\ncolour = 'red'\n";
    std::fs::write(&path, configuration(smsc.address(), faulty)).unwrap();
    let problem = office.expect(400, Method::POST, "/v1/reload", json!({})).await;
    assert!(problem["detail"].as_str().unwrap().contains("colour"), "{problem}");
    office.get("/v1/accounts/shop").await;
    std::fs::write(&path, configuration(smsc.address(), "[[account]]\nsystem_id = 'new'\n")).unwrap();
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
    for (path, methods) in document["paths"].as_object().unwrap() {
        let address = path.replace("{id}", "7").replace("{act}", "block").replace("{msisdn}", RECIPIENT);
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
    assert_eq!(known.into_inner(), 29);
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
    let journal = smppolicy::ledger::Journal::open(&config.journal, audit.refs(), audit.key(), 0).unwrap();
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
