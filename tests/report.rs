//! The public form over HTTP, beside the real proxy: who may do what with it, and what comes of a report (clauses 27, 28
//! and 36).

#![cfg(test)]

mod support;

use std::io::ErrorKind::WouldBlock;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use smppolicy::admin::{Admin, Running};
use smppolicy::pdu::CommandStatus;
use smppolicy::report::{self, Form};
use support::look::Looks;
use support::process::Process;
use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

const ACCOUNTS: &str = "[[account]]\nsystem_id = 'shop'\ndefault_purpose = 'transactional'\n\
                        sender = [{ id = 'SHOP' }]\n\
                        [report]\naddress = '127.0.0.1:0'\nprovider = 'Wire & Sons'\ncontact = 'abuse@example.net'\n";
const FORM: &str = "content-type: application/x-www-form-urlencoded\r\n";

/// The form of a running proxy.
struct Desk {
    proxy: Proxy,
    address: SocketAddr,
    admin: Router,
    stop: CancellationToken,
    served: tokio::task::JoinHandle<()>,
}

/// An answer.
#[derive(Debug)]
struct Said {
    status: u16,
    head: String,
    page: String,
}

impl Said {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The case that the page names.
    fn case(&self) -> u64 {
        let named = self.page.split("<strong>").nth(1).and_then(|rest| rest.split('<').next());
        named.and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("{}", self.page))
    }
}

impl Desk {
    async fn open(upstream: SocketAddr, keys: &str) -> Self {
        let fragment = format!("{ACCOUNTS}{keys}");
        Self::open_for(Proxy::start(upstream, &fragment).await, upstream, &fragment).await
    }

    async fn open_for(proxy: Proxy, upstream: SocketAddr, fragment: &str) -> Self {
        let text = configuration(upstream, fragment);
        let config = smppolicy::config::Config::parse(&text, "test.toml", proxy.folder()).unwrap();
        let settings = config.report.unwrap();
        let relay = &proxy.relay;
        let form = Form::new(settings.clone(), relay.ledger(), relay.journal());
        let listener = report::open(settings.address).await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let running = Running::new(relay.control(), &proxy.folder().join("config.toml"));
        let admin = Admin::new(relay.ledger(), relay.audit(), relay.journal(), running).router();
        let served = tokio::spawn(form.serve(listener, stop.clone()));
        Self { proxy, address, admin, stop, served }
    }

    async fn get(&self, path: &str, headers: &str) -> Said {
        ask(self.address, 1, &format!("GET {path} HTTP/1.1\r\nhost: desk\r\n{headers}\r\n")).await
    }

    /// Sends a form of these fields from 127.0.0.`from`.
    async fn send(&self, from: u8, headers: &str, fields: &[(&str, &str)]) -> Said {
        ask(self.address, from, &post(headers, fields)).await
    }

    /// What the operator's interface says.
    async fn operator(&self, path: &str) -> Value {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let answer = soon(self.admin.clone().oneshot(request)).await.unwrap();
        let octets = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        serde_json::from_slice(&octets).unwrap()
    }

    async fn cases(&self) -> usize {
        self.operator("/v1/complaints").await["items"].as_array().unwrap().len()
    }

    /// Sends messages of `from` through the proxy to these numbers, and waits until the journal has them.
    async fn relay(&self, from: &str, numbers: &[String]) -> Link {
        let mut esme = esme(&self.proxy, "shop").await;
        for (sequence, to) in (2..).zip(numbers) {
            let message =
                smppolicy::pdu::SubmitSm { source: sender(from), destination: number(to), ..submit_defaults() };
            assert_eq!(esme.status(&submit_with(sequence, message, &[])).await, CommandStatus::ESME_ROK);
        }
        let path = format!("/v1/subjects/{}", numbers.last().unwrap());
        let looks = Looks::within(PATIENCE);
        while self.operator(&path).await["messages"][0]["message_id"].is_null() {
            looks.again().await.unwrap();
        }
        esme
    }

    async fn close(self) -> Proxy {
        self.stop.cancel();
        soon(self.served).await.unwrap();
        drop(self.admin);
        self.proxy
    }
}

async fn connect(address: SocketAddr, from: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, from)), 0)).unwrap();
    soon(socket.connect(address)).await.unwrap()
}

/// Sends octets, and reads what is answered until the connection ends.
async fn ask(address: SocketAddr, from: u8, request: &str) -> Said {
    let mut connection = connect(address, from).await;
    soon(connection.write_all(request.as_bytes())).await.unwrap();
    let mut octets = Vec::new();
    soon(connection.read_to_end(&mut octets)).await.unwrap();
    let text = String::from_utf8(octets).unwrap();
    let (head, page) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Said { status, head: head.to_owned(), page: page.to_owned() }
}

fn post(headers: &str, fields: &[(&str, &str)]) -> String {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    format!("POST /report HTTP/1.1\r\nhost: desk\r\n{FORM}{headers}content-length: {}\r\n\r\n{body}", body.len())
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%FT%H:%M").to_string()
}

/// What somebody fills in.
fn typed<'a>(number: &'a str, when: &'a str, text: &'a str) -> [(&'a str, &'a str); 4] {
    [("number", number), ("when", when), ("sender", "Shop"), ("text", text)]
}

#[tokio::test]
async fn anybody_gets_the_form_in_their_language_and_nothing_else() {
    let desk = Desk::open(Smsc::listen().await.address(), "").await;
    for (path, headers, language, title) in [
        ("/report", "", "en", "Report a text message"),
        ("/report", "accept-language: nl-BE, en;q=0.5\r\n", "nl", "Een sms-bericht melden"),
        ("/report", "accept-language: fr\r\n", "fr", "Signaler un SMS"),
        ("/report?lang=de", "accept-language: fr\r\n", "de", "Eine SMS melden"),
    ] {
        let said = desk.get(path, headers).await;
        assert_eq!((said.status, said.header("content-language")), (200, Some(language)), "{path} {headers}");
        assert!(said.page.contains(&format!("<html lang=\"{language}\">")), "{}", said.page);
        assert!(said.page.contains(title) && said.page.contains("Wire &#38; Sons"), "{}", said.page);
        assert!(said.page.contains("<a href=\"mailto:abuse@example.net\">"), "{}", said.page);
        // Each field has its label and its hint, and nothing comes from elsewhere.
        for field in ["number", "when", "sender", "text"] {
            for part in [
                format!("<label for=\"{field}\">"),
                format!("id=\"{field}\" name=\"{field}\""),
                format!("aria-describedby=\"{field}-hint\""),
            ] {
                assert!(said.page.contains(&part), "{part} is not in {}", said.page);
            }
        }
        for none in ["<script", "src=", "http://", "https://", "@import", "url("] {
            assert!(!said.page.contains(none), "{none}: {}", said.page);
        }
        let policy = said.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(policy.ends_with("; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"), "{policy}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("x-frame-options", "DENY"),
            ("cache-control", "no-store"),
            ("connection", "close"),
            ("content-type", "text/html; charset=utf-8"),
        ] {
            assert_eq!(said.header(name), Some(value), "{}", said.head);
        }
    }
    for path in
        ["/", "/v1/complaints", "/v1/openapi.json", "/healthz", "/readyz", "/report/1", "/report/../v1/accounts"]
    {
        let said = desk.get(path, "").await;
        assert_eq!((said.status, said.header("x-content-type-options")), (404, Some("nosniff")), "{path}");
        assert!(said.page.contains("There is nothing here."), "{path}: {}", said.page);
    }
    let said = ask(desk.address, 1, "DELETE /report HTTP/1.1\r\nhost: desk\r\n\r\n").await;
    assert_eq!((said.status, said.header("allow")), (405, Some("GET,HEAD,POST")), "{}", said.head);
    desk.close().await.stop().await;
}

#[tokio::test]
async fn the_style_of_the_page_is_the_one_that_its_policy_allows() {
    use base64::Engine;
    use sha2::Digest;
    let desk = Desk::open(Smsc::listen().await.address(), "").await;
    let said = desk.get("/report", "").await;
    let style = said.page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let hash = base64::prelude::BASE64_STANDARD.encode(sha2::Sha256::digest(style));
    let policy = said.header("content-security-policy").unwrap();
    assert!(policy.contains(&format!("'sha256-{hash}'")), "{policy} {hash}");
    desk.close().await.stop().await;
}

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
async fn what_is_wrong_is_said_and_what_was_typed_is_kept() {
    let desk = Desk::open(Smsc::listen().await.address(), "reports_per_address = 1").await;
    let hostile = "\"><script>alert('1')</script></textarea>&";
    let fields = [("number", hostile), ("when", hostile), ("sender", hostile), ("text", hostile)];
    for _ in 0..3 {
        let said = desk.send(1, "accept-language: de\r\n", &fields).await;
        assert_eq!(said.status, 422, "what is no report counts against nobody");
        let escaped = "&#34;&#62;&#60;script&#62;alert(&#39;1&#39;)&#60;/script&#62;&#60;/textarea&#62;&#38;";
        assert_eq!(said.page.matches(escaped).count(), 4, "{}", said.page);
        assert!(!said.page.contains("<script"), "{}", said.page);
        assert!(said.page.contains("<title>Fehler: ") && said.page.contains("role=\"alert\""), "{}", said.page);
        for field in ["number", "when"] {
            let described = format!("aria-describedby=\"{field}-hint {field}-fault\" aria-invalid=\"true\"");
            assert!(
                said.page.contains(&described) && said.page.contains(&format!("id=\"{field}-fault\"")),
                "{}",
                said.page
            );
        }
        assert!(!said.page.contains("sender-fault") && !said.page.contains("text-fault"), "{}", said.page);
    }
    let said = ask(desk.address, 1, &post("", &[])).await;
    assert_eq!((said.status, said.page.matches("aria-invalid").count()), (422, 3 + 1), "one is of the style");
    let said = desk.send(1, "", &[("number", "0470 12 34 56"), ("when", &now()), ("text", "x")]).await;
    assert_eq!((said.status, said.page.matches("aria-invalid=\"true\"").count()), (422, 1));
    assert!(said.page.contains("with its country code"), "{}", said.page);
    assert_eq!(desk.cases().await, 0);
    desk.close().await.stop().await;
}

#[tokio::test]
async fn one_client_sends_few_and_all_together_a_bounded_number() {
    let keys = "reports_per_address = 2\nreports_in_all = 5\ntrusted_proxies = ['127.0.0.9']";
    let desk = Desk::open(Smsc::listen().await.address(), keys).await;
    let send = async |from: u8, headers: &str, text: &str| {
        let said = desk.send(from, headers, &typed(RECIPIENT, &now(), text)).await;
        (said.status, said)
    };
    for text in ["one", "two"] {
        assert_eq!(send(1, "", text).await.0, 200);
    }
    // Nobody else is believed about who it is.
    let (status, said) = send(1, "x-forwarded-for: 192.0.2.7\r\n", "three <b>").await;
    assert_eq!(status, 429);
    let wait: u64 = said.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=1801).contains(&wait), "{wait}");
    assert!(
        said.page.contains("\nthree &#60;b&#62;</textarea>") && said.page.contains("from your network"),
        "{}",
        said.page
    );
    // Behind the proxy each has a share, and one network of IPv6 is one.
    for (forwarded, text, status) in [
        ("2001:db8::1", "four", 200),
        ("2001:db8::2", "five", 200),
        ("2001:db8::3", "six", 429),
        ("2001:db8:0:1::3, 127.0.0.9", "seven", 200),
        ("2001:db8:0:2::3", "eight", 503),
    ] {
        let (said, answer) = send(9, &format!("x-forwarded-for: {forwarded}\r\n"), text).await;
        assert_eq!(said, status, "{forwarded}: {}", answer.page);
        assert_eq!(answer.header("retry-after").is_some(), status != 200, "{forwarded}");
    }
    assert_eq!(desk.cases().await, 5);
    desk.close().await.stop().await;
}

#[tokio::test]
async fn other_sites_other_bodies_and_large_ones_are_refused() {
    let desk = Desk::open(Smsc::listen().await.address(), "").await;
    let (when, large) = (now(), "x".repeat(16 * 1024));
    let report = typed(RECIPIENT, &when, "no");
    for (headers, status) in [
        ("sec-fetch-site: cross-site\r\n", 403),
        ("sec-fetch-site: same-site\r\n", 403),
        ("origin: https://evil.example\r\n", 403),
        ("origin: null\r\n", 403),
        ("origin: http://desk\r\n", 200),
        ("sec-fetch-site: same-origin\r\norigin: http://desk\r\n", 200),
    ] {
        let said = desk.send(1, headers, &report).await;
        assert_eq!(said.status, status, "{headers}: {}", said.page);
        assert!(status == 200 || said.page.contains("sent from another site"), "{}", said.page);
    }
    let said = desk.send(1, "", &typed(RECIPIENT, &when, &large)).await;
    assert_eq!(said.status, 413);
    let chunked = format!(
        "POST /report HTTP/1.1\r\nhost: desk\r\n{FORM}transfer-encoding: chunked\r\n\r\n{:x}\r\n{large}\r\n10\r\n{}\r\n0\r\n\r\n",
        large.len(),
        "x".repeat(16)
    );
    assert_eq!(ask(desk.address, 1, &chunked).await.status, 413);
    for media_type in ["text/plain", "multipart/form-data; boundary=x", "application/json"] {
        let request = post("", &report).replace("application/x-www-form-urlencoded", media_type);
        let said = ask(desk.address, 1, &request).await;
        assert_eq!((said.status, said.header("x-content-type-options")), (415, Some("nosniff")), "{media_type}");
    }
    let many: String = (0..100).map(|line| format!("x-{line}: y\r\n")).collect();
    assert_eq!(desk.get("/report", &many).await.status, 431);
    let said =
        ask(desk.address, 1, &format!("GET /report HTTP/1.1\r\nhost: desk\r\nx: {}\r\n\r\n", "y".repeat(17_000))).await;
    assert_eq!(said.status, 431);
    assert_eq!(desk.cases().await, 1, "the same was sent twice");
    desk.close().await.stop().await;
}

#[tokio::test]
async fn slow_clients_are_let_go_and_one_takes_no_place_from_others() {
    let desk = Desk::open(Smsc::listen().await.address(), "max_connections = 5\nrequest_timeout = '3s'").await;
    let begin = async |from: u8, octets: &[u8]| {
        let mut connection = connect(desk.address, from).await;
        connection.write_all(octets).await.unwrap();
        connection
    };
    let ended = async |mut connection: TcpStream| {
        let mut rest = Vec::new();
        // Closed or reset, before anything was answered.
        let _read = soon(connection.read_to_end(&mut rest)).await;
        assert_eq!(rest, b"");
    };
    let unfinished = post("", &typed(RECIPIENT, &now(), "no"));
    let unfinished = &unfinished.as_bytes()[..unfinished.len() - 1];
    let slow = [
        begin(1, b"").await,
        begin(1, b"GET").await,
        begin(1, b"GET /report HTTP/1.1\r\nhost:").await,
        begin(1, unfinished).await,
    ];
    let is_open = |connection: &TcpStream| connection.try_read(&mut [0]).is_err_and(|error| error.kind() == WouldBlock);
    const PAGE: &str = "GET /report HTTP/1.1\r\nhost: desk\r\n\r\n";
    // More than a client may have: closed at once, while another is served.
    ended(begin(1, b"").await).await;
    assert_eq!(ask(desk.address, 2, PAGE).await.status, 200);
    assert!(is_open(&slow[0]), "nobody waited for its time to be up");
    // All places are taken: who comes then waits until one is free.
    let last = begin(2, b"").await;
    assert_eq!(ask(desk.address, 3, PAGE).await.status, 200);
    assert!(!is_open(&slow[0]), "there was no place before");
    for connection in slow.into_iter().chain([last]) {
        ended(connection).await;
    }
    assert_eq!(desk.get("/report", "").await.status, 200);
    assert_eq!(desk.cases().await, 0);
    desk.close().await.stop().await;
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
