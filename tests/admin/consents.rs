//! Consents and opt-outs over HTTP, and what is held about a person.

use super::*;

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
    let mut mistyped = consent();
    mistyped["sender"] = json!("Shopp");
    let problem = office.expect(404, Method::POST, "/v1/consents", mistyped).await;
    assert_eq!(problem["hint"], "did you mean SHOP?", "{problem}");
    for query in ["limit=0", "limit=1001", "limit=x", "cursor=!", "colour=red", "msisdn=1"] {
        office.expect(400, Method::GET, &format!("/v1/consents?{query}"), Value::Null).await;
    }
    office.close().await.stop_with([esme]).await;
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
    let mistyped = json!({"msisdn": RECIPIENT, "account": "shop", "sender": "Shopp"});
    for method in [Method::POST, Method::DELETE] {
        let problem = office.expect(404, method, "/v1/suppressions", mistyped.clone()).await;
        assert_eq!(problem["hint"], "did you mean SHOP?", "{problem}");
    }
    office.close().await.stop().await;
}

#[tokio::test]
async fn what_is_known_of_a_sender_that_is_no_longer_declared_can_be_ended_and_nothing_added_to_it() {
    let smsc = Smsc::listen().await;
    let office = Office::open(smsc.address()).await;
    let opt_out = |account: &str, sender: &str| json!({"msisdn": RECIPIENT, "account": account, "sender": sender});
    let mut scope = opt_out("shop", "SHOP");
    scope["purpose"] = json!("marketing");
    office.make("/v1/consents", consent()).await;
    office.make("/v1/suppressions", opt_out("shop", "SHOP")).await;
    office.make("/v1/suppressions", opt_out("bank", "*")).await;
    let other = "[[account]]\nsystem_id = 'shop'\nsender = [{ id = '8850' }]\nbrands = ['Shops']\n";
    let path = office.proxy.folder().join("config.toml");
    std::fs::write(path, configuration(smsc.address(), other)).unwrap();
    office.post("/v1/reload", Value::Null).await;

    let refused = office.expect(404, Method::POST, "/v1/suppressions", opt_out("shop", "SHOP")).await;
    assert_eq!(refused["hint"], "did you mean Shops?");
    office.expect(404, Method::POST, "/v1/consents", consent()).await;
    office.make("/v1/suppressions", opt_out("shop", "shops")).await;
    for (path, body) in [
        ("/v1/consents", scope),
        ("/v1/suppressions", opt_out("shop", "SHOP")),
        ("/v1/suppressions", opt_out("bank", "*")),
    ] {
        let ended = office.expect(200, Method::DELETE, path, body).await;
        assert_eq!(ended, json!({"outcome": "changed"}), "{path}");
    }
    office.close().await.stop().await;
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
