//! What operators do, as it stands in the audit record; and what cannot stand there is not done.

use std::ops::ControlFlow;
use std::path::Path;

use smppolicy::audit::{Files, NumberKey};

use super::*;

/// The acts on record, in their order.
fn acts(folder: &Path) -> Vec<Value> {
    let mut acts = Vec::new();
    let files = Files::at(&folder.join("audit")).unwrap();
    let read = files.each(|line| {
        let line: Value = serde_json::from_slice(line.octets).unwrap();
        if line["act"] == "request" {
            acts.push(line);
        }
        ControlFlow::<()>::Continue(())
    });
    read.unwrap();
    acts
}

#[tokio::test]
async fn each_request_that_may_change_something_is_on_record_without_numbers_and_texts() {
    let office = Office::open(Smsc::listen().await.address()).await;
    office.make("/v1/consents", consent()).await;
    office.get("/v1/accounts").await;
    office.expect(404, Method::POST, "/v1/accounts/nobody/block", json!({"reason": "secret reason"})).await;
    office.expect(200, Method::DELETE, &format!("/v1/subjects/{RECIPIENT}"), Value::Null).await;
    office.expect(400, Method::POST, "/v1/suppressions", json!({"msisdn": "0470"})).await;
    office.expect(404, Method::POST, "/v1/nothing", Value::Null).await;
    let token = format!("Bearer {}", office.token);
    let headers = [("authorization", token.as_str()), ("smppolicy-operator", "jo"), ("idempotency-key", "once")];
    for _again in 0..2 {
        let body = json!({"reason": "secret reason"}).to_string().into_bytes();
        let said = office.ask_with(Method::POST, "/v1/accounts/shop/hold", &headers, body).await;
        assert_eq!(said.status, 200, "{}", said.body);
    }
    let folder = office.close().await.drain().await;

    let acts = acts(folder.path());
    let hash = NumberKey::load_or_create(&folder.path().join("key")).unwrap().hash(RECIPIENT.as_bytes()).to_string();
    let expected = [
        ("api", "POST", "/v1/consents", 201, json!({"account": "shop", "purpose": "marketing", "msisdn": hash})),
        ("api", "POST", "/v1/accounts/{id}/{act}", 404, json!({"id": "nobody", "act": "block"})),
        ("api", "DELETE", "/v1/subjects/{msisdn}", 200, json!({"msisdn": hash})),
        ("api", "POST", "/v1/suppressions", 400, json!({})),
        ("jo", "POST", "/v1/accounts/{id}/{act}", 200, json!({"id": "shop", "act": "hold"})),
    ];
    assert_eq!(acts.len(), expected.len(), "{acts:#?}");
    for (act, (by, method, route, status, subject)) in acts.iter().zip(expected) {
        assert_eq!(act["by"], format!("admin ({by})"));
        assert_eq!(
            act["details"],
            json!({"method": method, "route": route, "status": status, "subject": subject}),
            "{act}"
        );
    }
    let files = std::fs::read_dir(folder.path().join("audit")).unwrap();
    let text: String = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    for secret in ["secret", "470123456", "0470", "web form", "Yes, send", "shop.example"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

/// An office whose audit record cannot be written until the folder at the path goes.
async fn obstructed(fragment: &str) -> (Office, Vec<std::path::PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let today = jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::now()).date();
    let obstacles =
        [today, today.tomorrow().unwrap()].map(|day| folder.path().join(format!("audit/audit-{day}.ndjson")));
    obstacles.iter().for_each(|path| std::fs::create_dir_all(path).unwrap());
    let upstream = Smsc::listen().await.address();
    let proxy = Proxy::start_in(folder, upstream, &format!("{ACCOUNTS}[audit]\n{fragment}")).await;
    let (audit, looks) = (proxy.relay.audit(), Looks::within(PATIENCE));
    while audit.health().failing.is_none() {
        looks.again().await.unwrap();
    }
    (Office::open_for(proxy).await, obstacles.to_vec())
}

#[tokio::test]
async fn what_cannot_stand_on_record_is_not_done() {
    let (office, obstacles) = obstructed("").await;
    let said = office.ask_with(Method::GET, "/readyz", &[], vec![]).await;
    assert_eq!((said.status, &said.body["ready"]), (503, &json!(false)));
    assert!(said.body["audit_failing_since"].is_string());
    let hold = ("/v1/accounts/shop/hold", json!({"reason": "x"}));
    let problem = office.expect(503, Method::POST, hold.0, hold.1.clone()).await;
    assert!(problem["hint"].as_str().unwrap().contains("audit.when_failing"), "{problem}");
    assert_eq!(office.get("/v1/accounts/shop").await["state"], "active");

    obstacles.iter().for_each(|path| std::fs::remove_dir(path).unwrap());
    let (audit, looks) = (office.proxy.relay.audit(), Looks::within(PATIENCE));
    while audit.health().failing.is_some() {
        looks.again().await.unwrap();
    }
    office.post(hold.0, hold.1).await;
    assert_eq!(office.ask_with(Method::GET, "/readyz", &[], vec![]).await.status, 200);
    let folder = office.close().await.drain().await;
    assert_eq!(acts(folder.path()).len(), 1);
}

#[tokio::test]
async fn with_service_before_evidence_it_is_done_all_the_same() {
    let (office, obstacles) = obstructed("when_failing = 'serve'\nqueue = 1\n").await;
    // The first fills the queue, the second finds no room.
    office.post("/v1/accounts/shop/hold", json!({"reason": "x"})).await;
    office.post("/v1/accounts/shop/release", json!({"reason": "x"})).await;
    obstacles.iter().for_each(|path| std::fs::remove_dir(path).unwrap());
    let folder = office.close().await.drain().await;
    let acts = acts(folder.path());
    assert_eq!(acts.iter().map(|act| &act["details"]["subject"]["act"]).collect::<Vec<_>>(), ["hold"]);
}
