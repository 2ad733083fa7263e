//! Refusals on record over HTTP, what a message is told, and who may do what.

use super::*;

/// A proxy whose `shop` has had so many messages refused, from a sender that is not its own.
async fn after_refusals(count: u32) -> (Office, Link) {
    let smsc = Smsc::listen().await.serve();
    let office = Office::open(smsc.address).await;
    let mut shop = esme(&office.proxy, "shop").await;
    for sequence in 0..count {
        let refused = shop.status(&submit(2 + sequence, "Bank", b"hello")).await;
        assert_eq!(refused, CommandStatus::ESME_RINVSRCADR);
    }
    (office, shop)
}

/// Waits until so many are on record, and gives them.
async fn recorded(office: &Office, count: usize) -> Vec<Value> {
    let looks = Looks::within(PATIENCE);
    loop {
        let page = office.get("/v1/verdicts").await;
        let items = page["items"].as_array().unwrap();
        if items.len() == count {
            assert_eq!(page["next"], Value::Null);
            return items.clone();
        }
        looks.again().await.unwrap();
    }
}

#[tokio::test]
async fn refusals_are_listed_by_pages_filtered_and_shown_with_their_clause() {
    let (office, esme) = after_refusals(5).await;
    let all = recorded(&office, 5).await;
    let sequences: Vec<u64> = all.iter().map(|record| record["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, [6, 5, 4, 3, 2], "the newest first");
    let page = office.get("/v1/verdicts?limit=2").await;
    let rest = office.get(&format!("/v1/verdicts?limit=3&cursor={}", page["next"].as_str().unwrap())).await;
    assert_eq!(rest["items"].as_array().unwrap().len(), 3);
    // Behind the last refusal there is the record of the start, which is none.
    let last = office.get(&format!("/v1/verdicts?limit=3&cursor={}", rest["next"].as_str().unwrap())).await;
    assert_eq!((last["items"].as_array().unwrap().len(), &last["next"]), (0, &Value::Null));
    assert_eq!((&page["items"][1], &rest["items"][0]), (&all[1], &all[2]));
    for (query, count) in
        [("rule=sender&account=shop&verdict=rejected", 5), ("rule=content", 0), ("since=2999-01-01", 0)]
    {
        let page = office.get(&format!("/v1/verdicts?{query}")).await;
        assert_eq!(page["items"].as_array().unwrap().len(), count, "{query}");
    }
    for query in ["cursor=x", "limit=0", "since=soon", "clause=x", "colour=red"] {
        office.expect(400, Method::GET, &format!("/v1/verdicts?{query}"), Value::Null).await;
    }
    let name = all[3]["ref"].as_str().unwrap();
    let one = office.get(&format!("/v1/verdicts/{name}")).await;
    assert_eq!((&one["ref"], &one["rule"], &one["clause"]), (&all[3]["ref"], &json!("sender"), &all[3]["clause"]));
    assert!(one["clause_title"].is_string() && one["clause_summary"].is_string(), "{one}");
    let unknown = "00000000000000000000000000";
    office.expect(404, Method::GET, &format!("/v1/verdicts/{unknown}"), Value::Null).await;
    office.expect(400, Method::GET, "/v1/verdicts/x", Value::Null).await;
    let looks = Looks::within(PATIENCE);
    loop {
        let counts = office.get("/v1/verdicts/counts?by=account").await;
        if counts["series"][0]["total"] == 5 {
            assert_eq!(counts["series"][0]["name"], "shop");
            break;
        }
        looks.again().await.unwrap();
    }
    office.close().await.stop_with([esme]).await;
}

#[tokio::test]
async fn a_stream_tells_what_is_wanted_as_it_comes() {
    let (office, mut esme) = after_refusals(0).await;
    let mut stream = tokio::net::TcpStream::connect(office.address).await.unwrap();
    let request = format!(
        "GET /v1/verdicts/stream?rule=sender HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
        office.token
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut told = String::new();
    let mut until = async |what: &str| {
        while !told.contains(what) {
            let mut octets = [0; 4096];
            let count = soon(stream.read(&mut octets)).await.unwrap();
            assert!(count > 0, "{told}");
            told.push_str(&String::from_utf8_lossy(&octets[..count]));
        }
        told.clone()
    };
    until("text/event-stream").await;
    // Another rule's, which is not wanted.
    assert_eq!(esme.status(&submit(2, "SHOP", b"hello")).await, CommandStatus::ESME_RINVDSTADR);
    assert_eq!(esme.status(&submit(3, "Bank", b"hello")).await, CommandStatus::ESME_RINVSRCADR);
    let told = until("\"sequence\":3").await;
    assert!(told.contains("event: verdict\ndata: {\"ref\"") && !told.contains("\"sequence\":2"), "{told}");
    // An open stream does not keep the interface from ending.
    office.close().await.stop_with([esme]).await;
}

#[tokio::test]
async fn a_message_is_explained_by_the_facts_in_force() {
    let (office, esme) = after_refusals(0).await;
    let question = json!({"account": "shop", "from": "SHOP", "to": RECIPIENT, "text": "hello"});
    let said = office.post("/v1/explain", question.clone()).await;
    assert_eq!(
        (&said["verdict"], &said["rule"], &said["account"]),
        (&json!("rejected"), &json!("consent"), &json!("shop"))
    );
    office.make("/v1/consents", consent()).await;
    assert_eq!(office.post("/v1/explain", question).await["verdict"], "relayed");
    for (body, status) in [
        (json!({"account": "shp", "from": "a", "to": "b", "text": "c"}), 404),
        (json!({"account": "shop", "from": "SHOP", "to": RECIPIENT}), 400),
        (json!({"account": "shop", "pdu": "00", "to": RECIPIENT}), 400),
        (json!({"account": "shop", "pdu": "0"}), 400),
        (json!({"account": "shop", "pdu": "00"}), 400),
        (json!({"account": "shop", "from": "SHOP", "to": RECIPIENT, "text": "x", "at": "soon"}), 400),
    ] {
        office.expect(status, Method::POST, "/v1/explain", body).await;
    }
    assert_eq!(office.get("/v1/verdicts").await["items"], json!([]), "nothing of this is on record");
    office.close().await.stop_with([esme]).await;
}

#[tokio::test]
async fn each_role_may_do_what_the_document_says() {
    let office = Office::open(Smsc::listen().await.address()).await;
    let document = office.get("/v1/openapi.json").await;
    let rank = |role: &str| ["viewer", "operator", "admin"].iter().position(|it| *it == role).unwrap();
    for role in ["viewer", "operator", "admin"] {
        let token = format!("Bearer {}", token(&office.proxy, role));
        for (path, methods) in document["paths"].as_object().unwrap() {
            // What is asked for is none: it is refused for that only by who may do it.
            let address = path.replace("{id}", "none").replace("{act}", "block").replace("{msisdn}", "x");
            for (method, operation) in methods.as_object().unwrap() {
                if path.ends_with("/stream") {
                    continue; // it does not end
                }
                let method: Method = method.to_uppercase().parse().unwrap();
                let headers = [("authorization", token.as_str())];
                let said = office.ask_with(method.clone(), &address, &headers, vec![]).await;
                let may = rank(role) >= rank(operation["x-role"].as_str().unwrap());
                assert_eq!(said.status != 403, may, "{role} {method} {path}: {}", said.body);
            }
        }
    }
    let by = async |role: &str, act: &str| {
        let token = format!("Bearer {}", token(&office.proxy, role));
        let headers = [("authorization", token.as_str())];
        office
            .ask_with(Method::POST, &format!("/v1/accounts/shop/{act}"), &headers, b"{\"reason\":\"x\"}".to_vec())
            .await
    };
    let held = by("operator", "hold").await;
    assert_eq!((held.status, &held.body["by"]), (200, &json!("operator (api, operator)")));
    assert_eq!([by("operator", "deactivate").await.status, by("viewer", "block").await.status], [403, 403]);
    assert_eq!(by("admin", "deactivate").await.body["by"], "operator (api)");
    office.close().await.stop().await;
}
