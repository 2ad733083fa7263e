//! What comes of a report: a case, what is known of it, and what it does to an account.

use super::*;

#[tokio::test]
async fn a_report_becomes_a_case_about_its_message_and_names_the_authority() {
    let smsc = Smsc::listen().await.serve();
    let desk = Desk::open(smsc.address, "").await;
    let esme = desk.relay("SHOP", &[RECIPIENT.to_owned()]).await;
    let said = desk.send(1, "", &typed("+32 470 12 34 56", &now(), "I never asked for <this>")).await;
    assert_eq!(said.status, 200, "{}", said.page);
    for part in
        ["We have your report", "FPS Economy, Economic Inspection", "https://meldpunt.belgie.be", "abuse@example.net"]
    {
        assert!(said.page.contains(part), "{part}: {}", said.page);
    }
    let case = desk.operator(&format!("/v1/complaints/{}", said.case())).await;
    let message = desk.operator(&format!("/v1/subjects/{RECIPIENT}")).await["messages"][0].clone();
    assert_eq!(
        (&case["via"], &case["account"], &case["message"]),
        (&json!("form"), &json!("shop"), &message["reference"])
    );
    assert_eq!((&case["msisdn"], &case["at"], &case["state"]), (&json!(RECIPIENT), &message["at"], &json!("open")));
    assert_eq!(case["timeline"][0]["by"], "recipient");
    let text = case["text"].as_str().unwrap();
    assert!(text.starts_with("(from Shop, at ") && text.ends_with("\nI never asked for <this>"), "{text}");
    // The level of service, as the page and the operator's interface say it.
    let deadline = case["deadline"].as_str().unwrap().replace('T', " ");
    assert!(said.page.contains(&format!("<time>{} UTC</time>", &deadline[..16])), "{deadline}: {}", said.page);
    assert_eq!(desk.operator("/v1/complaints").await["items"][0]["id"], case["id"]);

    // Of another sender, at another time, or to another number: the same page, and nobody is blamed.
    let before = "2020-01-01T12:00";
    for (number, when, from, text) in [
        (RECIPIENT, &*now(), "Stranger", "one"),
        (RECIPIENT, before, "Shop", "two"),
        ("32470999999", &*now(), "Shop", "three"),
    ] {
        let fields = [("number", number), ("when", when), ("sender", from), ("text", text)];
        let other = desk.send(1, "", &fields).await;
        let unlinked = desk.operator(&format!("/v1/complaints/{}", other.case())).await;
        assert_eq!((&unlinked["account"], &unlinked["message"]), (&Value::Null, &Value::Null), "{text}");
        let same = |said: &Said| {
            let page = said.page.replace(&format!("<strong>{}</strong>", said.case()), "");
            page.split("<time>").map(|part| part.rsplit("</time>").next().unwrap().to_owned()).collect::<String>()
        };
        assert_eq!(same(&other), same(&said), "what is known of a number is not told");
    }
    // Sent again, it is the same case.
    let again = desk.send(2, "", &typed(RECIPIENT, before, "two")).await;
    assert_eq!((again.case(), desk.cases().await), (said.case() + 2, 4));
    let nowhere = desk.send(2, "", &typed("99999999999", &now(), "four")).await;
    assert!(nowhere.page.contains("We do not know which authority"), "{}", nowhere.page);
    desk.close().await.stop_with([esme]).await;
}

#[tokio::test]
async fn who_knows_many_numbers_takes_no_account_down() {
    let smsc = Smsc::listen().await.serve();
    let keys = "reports_per_address = 100\n[complaints]\nwarn = 1\nhold = 2\nblock = 3\n";
    let desk = Desk::open(smsc.address, keys).await;
    let numbers: Vec<String> = (0..5).map(|last| format!("3247012345{last}")).collect();
    let esme = desk.relay("SHOP", &numbers).await;
    for number in &numbers {
        let said = desk.send(1, "", &typed(number, &now(), "block them")).await;
        let case = desk.operator(&format!("/v1/complaints/{}", said.case())).await;
        assert_eq!(case["account"], "shop", "it is linked");
    }
    let account = desk.operator("/v1/accounts/shop").await;
    assert_eq!((&account["state"], &account["history"]), (&json!("active"), &json!([])));
    desk.close().await.stop_with([esme]).await;
}

/// What a webhook gets.
#[derive(Default)]
struct Inbox {
    events: Mutex<Vec<Value>>,
    more: Notify,
}

impl Inbox {
    async fn open() -> (Arc<Self>, SocketAddr) {
        let (inbox, listener) = (Arc::<Self>::default(), tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap());
        let (kept, address) = (inbox.clone(), listener.local_addr().unwrap());
        let take = axum::routing::post(async move |axum::Json(event): axum::Json<Value>| {
            kept.events.lock().unwrap().push(event);
            kept.more.notify_waiters();
        });
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(take)).await });
        (inbox, address)
    }

    async fn wait_for(&self, kind: &str) -> Value {
        soon(async {
            loop {
                let more = self.more.notified();
                let found = self.events.lock().unwrap().iter().find(|event| event["kind"] == kind).cloned();
                match found {
                    Some(event) => return event,
                    None => more.await,
                }
            }
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_that_nobody_decides_is_overdue_by_the_clock_and_the_operator_is_told() {
    let (inbox, address) = Inbox::open().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "0123456789abcdef").unwrap();
    let fragment = format!(
        "{ACCOUNTS}[complaints]\nservice_level = '1s'\n\
         [admin]\nwebhook = 'http://{address}/'\nwebhook_secret_file = 'secret'\n"
    );
    let upstream = Smsc::listen().await.address();
    let desk = Desk::open_for(Proxy::start_in(folder, upstream, &fragment).await, upstream, &fragment).await;
    let said = desk.send(1, "", &typed("31612345678", &now(), "no")).await;
    let path = format!("/v1/complaints/{}", said.case());
    let opened = inbox.wait_for("complaint.opened").await;
    assert_eq!(opened["data"], json!({"case": said.case(), "via": "form", "message": null}));
    let overdue = inbox.wait_for("complaint.overdue").await;
    assert_eq!(overdue["data"]["case"], said.case());
    let case = desk.operator(&path).await;
    assert_eq!((&case["overdue"], &case["authority"]["country"]), (&json!(true), &json!("NL")));
    let time = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!(time(&case["deadline"]).duration_since(time(&case["opened"])).as_secs(), 1);
    assert!(time(&overdue["at"]) >= time(&case["deadline"]), "{overdue} {case}");
    desk.close().await.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_no_report_unsaid_and_no_log_tells_who_complains() {
    let folder = tempfile::tempdir().unwrap();
    // A write beyond the limit is then a fault and not a death.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\"", env!("CARGO_BIN_EXE_smppolicy")]);
    command.current_dir(folder.path()).env("RUST_LOG", "debug").env("NO_COLOR", "1");
    let mut process = Process::start_by(command, folder, Smsc::listen().await.address(), ACCOUNTS).await;
    let running = std::fs::read_to_string(process.folder().join("ledger/running.json")).unwrap();
    let running: Value = serde_json::from_str(&running).unwrap();
    let address: SocketAddr = running["report"].as_str().unwrap().parse().unwrap();
    assert!(process.ready.ends_with(&format!(" report={address}")), "{}", process.ready);
    let report = post("", &typed("+32 470 98 76 54", &now(), "quite a rare word"));
    assert_eq!(ask(address, 1, &report).await.case(), 1);

    let pid = i32::try_from(process.child.id()).unwrap();
    let limit = |octets| rlimit::prlimit(pid, rlimit::Resource::FSIZE, Some((octets, u64::MAX)), None).unwrap();
    limit(0);
    let other = post("", &typed("+32 470 98 76 54", &now(), "another rare word"));
    let said = ask(address, 1, &other).await;
    assert_eq!((said.status, said.header("retry-after")), (503, Some("61")), "{}", said.page);
    assert!(said.page.contains("another rare word") && said.page.contains("+32 470 98 76 54"), "{}", said.page);
    limit(u64::MAX);
    assert_eq!(ask(address, 1, &other).await.case(), 2);

    // One who does not finish does not keep it from ending.
    let mut unfinished = connect(address, 1).await;
    unfinished.write_all(&report.as_bytes()[..100]).await.unwrap();
    process.signal("TERM");
    assert_eq!(process.ended().await.code(), Some(0));
    let mut log = String::new();
    while let Some(line) = process.log.recv().await {
        log.push_str(&line);
    }
    assert!(log.contains("could not be kept"), "{log}");
    for told in ["32470987654", "470 98 76 54", "rare word", "Shop"] {
        assert!(!log.contains(told), "{told}: {log}");
    }
}
