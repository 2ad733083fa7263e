//! Complaints and requests for proof over HTTP.

use super::*;

/// Waits until the journal's writer has written the message that the number got.
async fn relayed(office: &Office, number: &str) -> Value {
    let looks = Looks::within(PATIENCE);
    loop {
        let held = office.get(&format!("/v1/subjects/{number}")).await;
        if held["messages"][0]["message_id"].is_string() {
            return held["messages"][0].clone();
        }
        looks.again().await.unwrap();
    }
}

/// The office of a proxy that has relayed a message of the ESME `shop`, and the message.
async fn after_a_message() -> (Office, Link, Value) {
    let smsc = Smsc::listen().await.serve();
    let office = Office::open(smsc.address).await;
    let mut shop = esme(&office.proxy, "shop").await;
    office.make("/v1/consents", consent()).await;
    assert_eq!(shop.status(&submit(2, "SHOP", b"hello")).await, CommandStatus::ESME_ROK);
    let message = relayed(&office, RECIPIENT).await;
    (office, shop, message)
}

#[tokio::test]
async fn a_complaint_is_linked_to_its_message_appealed_and_resolved() {
    let (office, esme, message) = after_a_message().await;
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
    let (office, esme, message) = after_a_message().await;

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
