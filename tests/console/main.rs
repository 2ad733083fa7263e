//! The console over HTTP without a browser: who gets in, what forms do and refuse, and what pages hold.

#![cfg(test)]

#[path = "../support/mod.rs"]
mod support;

use std::net::SocketAddr;

use axum::http::Request;
use serde_json::Value;
use smppolicy::admin::{self, Admin, Running, Tokens};
use smppolicy::config::Config;
use smppolicy::pdu::CommandStatus;
use support::look::Looks;
use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// One account is called so that a page that did not escape it would show it.
const EVIL: &str = "\"><img src=x>";
const ACCOUNTS: &str = "[[account]]\nsystem_id = 'shop'\ndefault_purpose = 'transactional'\nsender = [{ id = 'SHOP' }]\n\
                        [[account]]\nsystem_id = '\"><img src=x>'\ndefault_purpose = 'transactional'\n";
const PAGES: [&str; 15] = [
    "/console/",
    "/console/?by=account",
    "/console/verdicts",
    "/console/verdicts?rule=sender&account=shop&clause=1&verdict=shadow&since=2026-01-01",
    "/console/accounts",
    "/console/accounts/shop",
    "/console/proofs",
    "/console/proofs/1",
    "/console/complaints",
    "/console/complaints/1",
    "/console/people",
    "/console/people?msisdn=32470123456",
    "/console/explain",
    "/console/binds",
    "/console/imports",
];

/// The console of a running proxy.
struct Office {
    proxy: Proxy,
    address: SocketAddr,
    stop: CancellationToken,
    served: tokio::task::JoinHandle<()>,
}

/// An answer.
#[derive(Debug)]
struct Said {
    status: u16,
    headers: axum::http::HeaderMap,
    text: String,
}

impl Said {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The token that the page's forms hold.
    fn csrf(&self) -> String {
        let (_, rest) = self.text.split_once("name=\"csrf\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }
}

/// Who is signed in.
struct Visitor {
    cookie: String,
    csrf: String,
}

impl Office {
    async fn open() -> Self {
        let proxy = Proxy::start(Smsc::listen().await.serve().address, ACCOUNTS).await;
        let text = "[upstream.main]\naddress = 'simulator'\n[admin]\ntoken_file = 'admin'\n\
                    operator_token_file = 'operator'\nviewer_token_file = 'viewer'";
        let settings = Config::parse(text, "test.toml", proxy.folder()).unwrap().admin.unwrap();
        let tokens = Tokens::load_or_create(&settings).unwrap();
        let listener = admin::open("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let relay = &proxy.relay;
        let running = Running::new(relay.control(), &proxy.folder().join("config.toml"));
        let admin = Admin::new(relay.ledger(), relay.audit(), relay.journal(), running);
        let served = tokio::spawn(admin.serve(listener, tokens, stop.clone()));
        Self { proxy, address, stop, served }
    }

    fn token(&self, role: &str) -> String {
        std::fs::read_to_string(self.proxy.folder().join(role)).unwrap().trim().to_owned()
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Said {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).unwrap();
        let asked = tokio::task::spawn_blocking(move || {
            let agent = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
            let mut answer = agent.build().new_agent().run(request).unwrap();
            let text = answer.body_mut().read_to_string().unwrap();
            Said { status: answer.status().as_u16(), headers: answer.headers().clone(), text }
        });
        soon(asked).await.unwrap()
    }

    async fn get(&self, visitor: &Visitor, path: &str) -> Said {
        self.ask("GET", path, &[("cookie", &visitor.cookie)], vec![]).await
    }

    /// Sends a form, with nothing but what is said.
    async fn send(&self, cookie: &str, path: &str, fields: &[(&str, &str)]) -> Said {
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let headers = [("cookie", cookie), ("content-type", "application/x-www-form-urlencoded")];
        self.ask("POST", path, &headers, body.join("&").into_bytes()).await
    }

    /// Sends a form as its page would.
    async fn fill(&self, visitor: &Visitor, path: &str, fields: &[(&str, &str)]) -> Said {
        let fields: Vec<(&str, &str)> =
            [("csrf", visitor.csrf.as_str())].into_iter().chain(fields.iter().copied()).collect();
        self.send(&visitor.cookie, path, &fields).await
    }

    /// Sends a form with a file behind its fields.
    async fn upload(&self, visitor: &Visitor, path: &str, csrf: &str, file: (&str, &str, &[u8])) -> Said {
        let (name, media, octets) = file;
        let mut body = format!(
            "--x\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{csrf}\r\n--x\r\nContent-Disposition: form-data; \
             name=\"file\"; filename=\"{name}\"\r\nContent-Type: {media}\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(octets);
        body.extend_from_slice(b"\r\n--x--\r\n");
        let headers = [("cookie", visitor.cookie.as_str()), ("content-type", "multipart/form-data; boundary=x")];
        self.ask("POST", path, &headers, body).await
    }

    async fn sign_in(&self, role: &str) -> Visitor {
        let said = self.send("", "/console/sign-in", &[("token", &self.token(role))]).await;
        assert_eq!((said.status, said.header("location")), (303, "/console/"));
        let set = said.header("set-cookie");
        assert!(set.ends_with("; Path=/console; HttpOnly; SameSite=Strict"), "{set}");
        let cookie = set.split(';').next().unwrap().to_owned();
        let csrf = self.ask("GET", "/console/", &[("cookie", &cookie)], vec![]).await.csrf();
        Visitor { cookie, csrf }
    }

    /// What a program is told.
    async fn api(&self, path: &str) -> Value {
        let token = format!("Bearer {}", self.token("admin"));
        let said = self.ask("GET", path, &[("authorization", &token)], vec![]).await;
        assert_eq!(said.status, 200, "{}", said.text);
        serde_json::from_str(&said.text).unwrap()
    }

    async fn close(self, peers: impl IntoIterator<Item = Link>) {
        self.stop.cancel();
        soon(self.served).await.unwrap();
        self.proxy.stop_with(peers).await;
    }
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Makes a request for proof and a complaint, each with the number 1.
async fn cases(office: &Office, visitor: &Visitor) {
    let proof = [("account", "shop"), ("recipients", RECIPIENT), ("back", "/console/proofs")];
    assert_eq!(office.fill(visitor, "/console/act/v1/proof-requests", &proof).await.status, 303);
    let text = "<script>alert(1)</script>";
    let complaint = [("msisdn", RECIPIENT), ("at", "2026-01-02"), ("text", text), ("back", "/console/complaints")];
    assert_eq!(office.fill(visitor, "/console/act/v1/complaints", &complaint).await.status, 303);
}

#[tokio::test]
async fn nobody_gets_in_without_a_session() {
    let office = Office::open().await;
    assert_eq!(office.ask("GET", "/", &[], vec![]).await.header("location"), "/console/");
    for path in PAGES.into_iter().chain(["/console/stream", "/console/nothing"]) {
        for cookie in ["", "smppolicy_session=", "smppolicy_session=0123456789abcdef"] {
            let said = office.ask("GET", path, &[("cookie", cookie)], vec![]).await;
            assert_eq!((said.status, said.header("location")), (303, "/console/sign-in"), "{path}");
        }
        // The token of programs opens no page, and a session is none for programs.
        let token = format!("Bearer {}", office.token("admin"));
        assert_eq!(office.ask("GET", path, &[("authorization", &token)], vec![]).await.status, 303, "{path}");
    }
    let visitor = office.sign_in("admin").await;
    assert_eq!(office.get(&visitor, "/v1/accounts").await.status, 401);
    for token in ["", "x", &"0".repeat(64), &office.token("admin")[..63]] {
        let said = office.send("", "/console/sign-in", &[("token", token)]).await;
        assert_eq!((said.status, said.header("set-cookie")), (401, ""), "{token}");
        assert!(said.text.contains("no token of any role"));
    }
    office.close([]).await;
}

#[tokio::test]
async fn attempts_to_sign_in_are_limited() {
    let office = Office::open().await;
    let token = office.token("viewer");
    let mut statuses = Vec::new();
    for _ in 0..11 {
        statuses.push(office.send("", "/console/sign-in", &[("token", "x")]).await.status);
    }
    assert_eq!(statuses, [vec![401; 10], vec![429]].concat());
    let said = office.send("", "/console/sign-in", &[("token", &token)]).await;
    assert_eq!((said.status, said.header("retry-after")), (429, "60"), "the right token too");
    office.close([]).await;
}

#[tokio::test]
async fn every_page_is_there_without_script_and_holds_nothing_from_elsewhere() {
    let office = Office::open().await;
    let admin = office.sign_in("admin").await;
    cases(&office, &admin).await;
    for role in ["admin", "viewer"] {
        let visitor = office.sign_in(role).await;
        for path in PAGES {
            let said = office.get(&visitor, path).await;
            assert_eq!(said.status, 200, "{path}: {}", said.text);
            let policy = said.header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{path}: {policy}");
            assert_eq!((said.header("x-frame-options"), said.header("cache-control")), ("DENY", "no-store"), "{path}");
            for (place, attribute) in
                ["src=\"", "href=\"", "action=\""].into_iter().flat_map(|it| said.text.match_indices(it))
            {
                let to = said.text[place + attribute.len()..].split('"').next().unwrap();
                let is_own = to == "#main" || to.starts_with("/console/") && !to.contains("//");
                assert!(is_own, "{path} leads elsewhere: {attribute}{to}");
            }
            for inline in ["<style", " style=", " onclick=", "javascript:", "<script>"] {
                assert!(!said.text.contains(inline), "{path}: {inline}");
            }
            let tables = said.text.matches("<table").count();
            assert_eq!(said.text.matches("<caption>").count(), tables, "{path}: each table says what it is");
            // Nothing that one may not do is offered.
            let acts = said.text.matches("action=\"/console/act/").count();
            assert!(role == "admin" || acts == 0, "{role} {path}: {acts}");
            for (place, _) in said.text.match_indices(" id=\"form") {
                let id = said.text[place + 5..].split('"').next().unwrap();
                assert_eq!(said.text.matches(&format!(" id=\"{id}\"")).count(), 1, "{path}: {id} twice");
                assert!(said.text.contains(&format!("<label for=\"{id}\"")), "{path}: {id} has no label");
            }
        }
    }
    for fixed in ["style.css", "console.js", "icon.svg"] {
        let said = office.ask("GET", &format!("/console/{fixed}"), &[], vec![]).await;
        assert_eq!((said.status, said.header("x-content-type-options")), (200, "nosniff"), "{fixed}");
    }
    let said = office.get(&admin, "/console/nothing").await;
    assert_eq!((said.status, said.header("x-frame-options")), (404, "DENY"));
    for (path, status) in [("/console/proofs/99", 404), ("/console/verdicts/x", 400), ("/console/people?msisdn=x", 400)]
    {
        let said = office.get(&admin, path).await;
        assert_eq!((said.status, said.text.contains("role=\"alert\"")), (status, true), "{path}");
    }
    office.close([]).await;
}

#[tokio::test]
async fn a_form_counts_in_its_own_session_alone() {
    let office = Office::open().await;
    let (visitor, other) = (office.sign_in("admin").await, office.sign_in("admin").await);
    let (path, act) = ("/console/act/v1/accounts/shop/block", [("reason", "x"), ("back", "/console/accounts/shop")]);
    for forged in [&[][..], &[("csrf", "")], &[("csrf", &"0".repeat(64))], &[("csrf", &other.csrf)]] {
        let fields: Vec<(&str, &str)> = forged.iter().chain(&act).copied().collect();
        assert_eq!(office.send(&visitor.cookie, path, &fields).await.status, 403, "{forged:?}");
    }
    let json = [("cookie", visitor.cookie.as_str()), ("content-type", "application/json")];
    assert_eq!(office.ask("POST", path, &json, b"{\"reason\":\"x\"}".to_vec()).await.status, 400);
    assert_eq!(office.ask("GET", path, &[("cookie", &visitor.cookie)], vec![]).await.status, 405);
    assert_eq!(office.send(&visitor.cookie, "/console/sign-out", &[("csrf", "x")]).await.status, 403);
    assert_eq!(office.send(&visitor.cookie, "/console/explain", &[("account", "shop")]).await.status, 403);
    assert_eq!(office.api("/v1/accounts/shop").await["state"], "active", "none of them has done anything");

    let said = office.fill(&visitor, path, &act).await;
    assert_eq!((said.status, said.header("location")), (303, "/console/accounts/shop"));
    let account = office.api("/v1/accounts/shop").await;
    assert_eq!((&account["state"], &account["reason"]), (&"blocked".into(), &"x".into()));
    assert!(account["by"].as_str().unwrap().starts_with("operator (console "), "{account}");
    // What the interface refuses is said with its status.
    assert_eq!(office.fill(&visitor, path, &[("reason", " ")]).await.status, 400);
    assert_eq!(office.fill(&visitor, "/console/act/v1/accounts/none/block", &act).await.status, 404);
    assert_eq!(office.fill(&visitor, "/console/act/v1/nothing", &act).await.status, 404);
    let elsewhere = [("reason", "x"), ("back", "//evil.example/")];
    let said = office.fill(&visitor, "/console/act/v1/accounts/shop/unblock", &elsewhere).await;
    assert_eq!((said.status, said.header("location")), (200, ""), "done, and led nowhere else");

    assert_eq!(office.fill(&visitor, "/console/sign-out", &[]).await.header("location"), "/console/sign-in");
    let stale = office.fill(&visitor, path, &act).await;
    assert!(stale.status == 401 && stale.text.contains("your session is over"), "{}", stale.text);
    assert_eq!(office.api("/v1/accounts/shop").await["state"], "active");
    office.close([]).await;
}

#[tokio::test]
async fn a_session_may_do_what_its_role_may() {
    let office = Office::open().await;
    let (viewer, operator) = (office.sign_in("viewer").await, office.sign_in("operator").await);
    let act = |name: &str| format!("/console/act/v1/accounts/shop/{name}");
    let reason = [("reason", "x"), ("back", "/console/accounts/shop")];
    assert_eq!(office.fill(&viewer, &act("hold"), &reason).await.status, 403);
    assert_eq!(office.fill(&operator, &act("deactivate"), &reason).await.status, 403);
    assert_eq!(office.fill(&operator, "/console/act/v1/reload", &[]).await.status, 403);
    assert_eq!(office.fill(&operator, &act("hold"), &reason).await.status, 303);
    let by = office.api("/v1/accounts/shop").await["by"].as_str().unwrap().to_owned();
    assert!(by.starts_with("operator (console ") && by.ends_with(", operator)"), "{by}");
    let question = [("account", "shop"), ("from", "SHOP"), ("to", RECIPIENT), ("text", "<b>send us your PIN</b>")];
    let said = office.fill(&viewer, "/console/explain", &question).await;
    assert_eq!(said.status, 200, "{}", said.text);
    assert!(said.text.contains("Every rule") && !said.text.contains("<b>") && said.text.contains("&#60;b&#62;"));
    office.close([]).await;
}

#[tokio::test]
async fn files_go_through_forms_and_too_large_ones_leave_nothing() {
    let office = Office::open().await;
    let visitor = office.sign_in("operator").await;
    cases(&office, &visitor).await;
    let rows = format!(
        "msisdn,account,sender,purpose,method,at,wording,source\n{RECIPIENT},shop,SHOP,marketing,web,2026-01-02,Yes,shop\n\
         <i>,shop,SHOP,marketing,web,2026-01-02,Yes,shop\n"
    );
    let import = "/console/act/v1/consents/import";
    let forged = office.upload(&visitor, import, "x", ("a.csv", "text/csv", rows.as_bytes())).await;
    assert_eq!(forged.status, 403);
    assert_eq!(office.api("/v1/consents").await["items"].as_array().unwrap().len(), 0);
    let said = office.upload(&visitor, import, &visitor.csrf, ("a.csv", "text/csv", rows.as_bytes())).await;
    assert_eq!(said.status, 200, "{}", said.text);
    assert!(said.text.contains("Rejected rows") && said.text.contains("&#60;i&#62;") && !said.text.contains("<i>"));
    assert_eq!(office.api("/v1/consents").await["items"].as_array().unwrap().len(), 1);

    let delivered =
        office.fill(&visitor, "/console/act/v1/proof-requests/1/delivered", &[("back", "/console/proofs/1")]).await;
    assert_eq!(delivered.status, 303);
    let path = "/console/act/v1/proof-requests/1/evidence";
    let large = vec![b'x'; smppolicy::ledger::workflow::MAX_EVIDENCE as usize + 1];
    let said = office.upload(&visitor, path, &visitor.csrf, ("a.bin", "application/pdf", &large)).await;
    assert_eq!(said.status, 413);
    assert_eq!(office.api("/v1/proof-requests/1").await["state"], "delivered");
    let said = office.upload(&visitor, path, &visitor.csrf, ("a.pdf", "application/pdf", b"%PDF")).await;
    assert_eq!(said.status, 200, "{}", said.text);
    let proof = office.api("/v1/proof-requests/1").await;
    assert_eq!((&proof["state"], &proof["items"][0]["content_type"]), (&"submitted".into(), &"application/pdf".into()));
    let form = "x".repeat((1 << 20) + 1);
    assert_eq!(office.fill(&visitor, "/console/act/v1/accounts/shop/hold", &[("reason", &form)]).await.status, 413);
    assert_eq!(office.api("/v1/accounts/shop").await["state"], "active");
    office.close([]).await;
}

#[tokio::test]
async fn whatever_a_name_or_a_text_holds_is_shown_as_text() {
    let office = Office::open().await;
    let mut esme = esme(&office.proxy, EVIL).await;
    assert_eq!(esme.status(&submit(2, "<script>", b"hello")).await, CommandStatus::ESME_RINVSRCADR);
    let visitor = office.sign_in("admin").await;
    cases(&office, &visitor).await;
    let looks = Looks::within(PATIENCE);
    let record = loop {
        let page = office.api("/v1/verdicts").await;
        if page["items"][0].is_object() {
            break page["items"][0].clone();
        }
        looks.again().await.unwrap();
    };
    assert_eq!(record["account"], EVIL);
    let verdict = format!("/console/verdicts/{}", record["ref"].as_str().unwrap());
    let account = format!("/console/accounts/{}", encoded(EVIL));
    for path in
        ["/console/verdicts", "/console/accounts", "/console/binds", "/console/complaints/1", &verdict, &account]
    {
        let said = office.get(&visitor, path).await;
        assert_eq!(said.status, 200, "{path}");
        assert!(!said.text.contains("<img") && !said.text.contains("<script>"), "{path}: {}", said.text);
        assert!(said.text.contains("&#60;img src=x&#62;") || said.text.contains("&#60;script&#62;"), "{path}");
    }
    office.close([esme]).await;
}

#[tokio::test]
async fn the_stream_of_a_session_ends_with_it() {
    let office = Office::open().await;
    let mut esme = esme(&office.proxy, "shop").await;
    let visitor = office.sign_in("viewer").await;
    let mut stream = TcpStream::connect(office.address).await.unwrap();
    let request = format!(
        "GET /console/stream?account=shop HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: {}\r\n\r\n",
        visitor.cookie
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut told = String::new();
    let mut octets = [0; 4096];
    let mut sent = false;
    while !told.contains("event: verdict") {
        let count = soon(stream.read(&mut octets)).await.unwrap();
        assert!(count > 0, "{told}");
        told.push_str(&String::from_utf8_lossy(&octets[..count]));
        if !sent && told.contains("text/event-stream") {
            sent = true;
            assert_eq!(esme.status(&submit(2, "Bank", b"hello")).await, CommandStatus::ESME_RINVSRCADR);
        }
    }
    assert!(told.to_ascii_lowercase().contains("content-security-policy"));
    assert_eq!(office.fill(&visitor, "/console/sign-out", &[]).await.status, 303);
    while soon(stream.read(&mut octets)).await.unwrap() > 0 {}
    office.close([esme]).await;
}
