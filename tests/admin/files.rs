//! Files over HTTP: imports and evidence, how many at once, and the same again.

use super::*;

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
async fn a_file_that_is_sent_again_with_its_key_is_taken_once_and_another_file_is_not_taken_for_it() {
    let office = Office::open(Smsc::listen().await.address()).await;
    let token = format!("Bearer {}", office.token);
    let sent = async |path: &str, key: &str, content_type: &str, octets: &str| {
        let headers = [("authorization", token.as_str()), ("idempotency-key", key), ("content-type", content_type)];
        office.ask_with(Method::POST, path, &headers, octets.into()).await
    };
    let import = async |key: &str, content_type: &str, octets: &str| {
        sent("/v1/suppressions/import", key, content_type, octets).await
    };
    let list = format!("msisdn\n{RECIPIENT}\n");
    let first = import("one", "text/csv", &list).await;
    let again = import("one", "text/csv", &list).await;
    assert_eq!((first.status, &first.body["changed"]), (200, &json!(1)), "{}", first.body);
    assert_eq!((again.status, &again.body), (200, &first.body), "not imported again");
    for (content_type, octets) in [("text/csv", format!("msisdn\n{OTHER}\n")), ("application/x-ndjson", list.clone())] {
        assert_eq!(import("one", content_type, &octets).await.status, 422, "{content_type}");
    }
    assert_eq!(office.get(&format!("/v1/suppressions?msisdn={OTHER}")).await["items"], json!([]));
    // What was refused is tried again, whatever it holds.
    assert_eq!(import("two", "text/csv", "number\n1\n").await.status, 400);
    assert_eq!(import("two", "text/csv", &list).await.body["unchanged"], 1);

    let proof = office.make("/v1/proof-requests", json!({"account": "shop", "recipients": [RECIPIENT]})).await;
    let path = format!("/v1/proof-requests/{}", proof["id"]);
    office.post(&format!("{path}/delivered"), json!({})).await;
    let evidence = format!("{path}/evidence?msisdn={RECIPIENT}");
    for (octets, status) in [("%PDF", 201), ("%PDF", 201), ("%PDF 2", 422)] {
        assert_eq!(sent(&evidence, "three", "application/pdf", octets).await.status, status, "{octets}");
    }
    assert_eq!(office.get(&path).await["items"].as_array().unwrap().len(), 1);
    office.close().await.stop().await;
}

#[tokio::test]
async fn a_few_files_are_taken_in_at_once_and_another_is_told_to_come_again() {
    let office = Office::open(Smsc::listen().await.address()).await;
    let list = format!("msisdn\n{RECIPIENT}\n");
    let request = format!(
        "POST /v1/suppressions/import HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: text/csv\r\n\
         content-length: {}\r\nexpect: 100-continue\r\n\r\n",
        office.token,
        list.len()
    );
    let said = async |connection: &mut tokio::net::TcpStream, expected: &str| {
        let mut line = vec![0; expected.len()];
        soon(connection.read_exact(&mut line)).await.unwrap();
        assert_eq!(String::from_utf8(line).unwrap(), expected);
    };
    let mut waiting = vec![];
    for _ in 0..8 {
        let mut connection = tokio::net::TcpStream::connect(office.address).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        said(&mut connection, "HTTP/1.1 100 Continue\r\n\r\n").await;
        waiting.push(connection);
    }
    let keyed = "idempotency-key: one\r\n";
    for key in ["", keyed] {
        let mut one_more = tokio::net::TcpStream::connect(office.address).await.unwrap();
        let more = format!("connection: close\r\n{key}expect");
        one_more.write_all(request.replace("expect", &more).as_bytes()).await.unwrap();
        let mut refused = String::new();
        soon(one_more.read_to_string(&mut refused)).await.unwrap();
        assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after: 10\r\n"), "{refused}");
    }
    // All else is answered meanwhile, and each that ends makes room.
    office.get("/v1/accounts/shop").await;
    for mut connection in waiting {
        connection.write_all(list.as_bytes()).await.unwrap();
        said(&mut connection, "HTTP/1.1 200").await;
    }
    assert_eq!(office.send("/v1/suppressions/import", "text/csv", list.as_bytes()).await.status, 200);
    let large = request.replace(&format!("content-length: {}", list.len()), "content-length: 4294967297");
    for key in ["", keyed] {
        let mut connection = tokio::net::TcpStream::connect(office.address).await.unwrap();
        let large = large.replace("expect", &format!("{key}expect"));
        connection.write_all(large.as_bytes()).await.unwrap();
        said(&mut connection, "HTTP/1.1 413").await;
    }
    office.close().await.stop().await;
}
