//! Both ways to an answer against routes that record what they are asked; and what each command asks.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use clap::Parser;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::cli::{Arguments, Command, Exit};

/// A request as it came in.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::cli) struct Seen {
    pub(in crate::cli) asked: String,
    authorization: Option<String>,
    pub(in crate::cli) content_type: Option<String>,
    pub(in crate::cli) octets: Vec<u8>,
}

pub(in crate::cli) type Record = Arc<Mutex<Vec<Seen>>>;

/// Routes that record each request, and give the answer that `answer` makes of `METHOD path?query`.
pub(in crate::cli) fn routes(answer: impl Fn(&str) -> Response + Clone + Send + Sync + 'static) -> (Router, Record) {
    let record = Record::default();
    let (seen, answer) = (record.clone(), Arc::new(answer));
    let handler = move |method: Method, uri: Uri, headers: HeaderMap, octets: Bytes| async move {
        let header = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap().to_owned());
        let asked = format!("{method} {uri}");
        let response = answer(&asked);
        seen.lock().unwrap().push(Seen {
            asked,
            authorization: header(header::AUTHORIZATION),
            content_type: header(header::CONTENT_TYPE),
            octets: octets.to_vec(),
        });
        response
    };
    (Router::new().fallback(handler), record)
}

fn problem(status: u16, detail: &str, hint: Option<&str>) -> Response {
    let body = json!({"type": "about:blank", "title": "x", "status": status, "detail": detail, "hint": hint});
    let status = StatusCode::from_u16(status).unwrap();
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}

pub(in crate::cli) fn ok(body: &Value) -> Response {
    body.to_string().into_response()
}

/// The routes on a socket, in a thread of their own, until the process ends.
fn serve(routes: Router) -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, routes).await
        })
    });
    address
}

/// A configuration with its folders in a folder of its own.
pub(in crate::cli) fn configuration() -> (TempDir, Config) {
    let folder = tempfile::tempdir().unwrap();
    let text = "[upstream.main]\naddress = 'simulator'\n[admin]\naddress = '127.0.0.1:0'\ntoken_file = 'token'\n\
                [ledger]\npath = 'ledger'\n[audit]\npath = 'audit'\nmsisdn_key_file = 'key'\n[journal]\npath = 'journal'\n\
                [[account]]\nsystem_id = 'shop'\ndefault_purpose = 'transactional'\nsender = [{ id = 'SHOP' }]\n";
    let config = Config::parse(text, "test.toml", folder.path()).unwrap();
    (folder, config)
}

/// The client that finds a proxy, this process, on these routes.
pub(in crate::cli) fn remote(routes: Router) -> (TempDir, Client) {
    let (folder, config) = configuration();
    std::fs::create_dir(folder.path().join("ledger")).unwrap();
    let running = json!({"pid": std::process::id(), "admin": serve(routes).to_string(), "listen": "127.0.0.1:1"});
    std::fs::write(folder.path().join("ledger/running.json"), running.to_string()).unwrap();
    std::fs::write(folder.path().join("token"), "abc123\n").unwrap();
    let client = Client::open(config).unwrap();
    assert!(matches!(client, Client::Remote(_)));
    (folder, client)
}

/// Runs the command of this line against `client`.
pub(in crate::cli) fn command(client: &Client, line: &[&str]) -> Result<Exit, Failure> {
    let arguments = Arguments::try_parse_from([&["smppolicy"], line].concat()).unwrap();
    match arguments.command.unwrap() {
        Command::Consent(asking) => crate::cli::consent::consent(client, &asking),
        Command::Suppress(asking) => crate::cli::suppress::suppress(client, &asking),
        Command::Account(asking) => crate::cli::account::account(client, &asking),
        Command::Complaint(asking) => crate::cli::complaint::complaint(client, &asking),
        Command::Proof(asking) => crate::cli::proof::proof(client, &asking),
        Command::Subject(asking) => crate::cli::subject::subject(client, &asking),
        other => panic!("{other:?} asks nobody"),
    }
}

#[test]
fn a_proxy_that_runs_is_asked_with_the_token() {
    let (routes, record) = routes(|_| ok(&json!({"outcome": "changed"})));
    let (_folder, client) = remote(routes);
    let answer = client.request(Method::DELETE, "/v1/x?a=b", Body::Json(json!({"c": 1}))).unwrap();
    assert_eq!(answer, json!({"outcome": "changed"}));
    let (mut octets, length) = (&b"a,b\n1,2\n"[..], 8);
    let body = Body::Octets { from: &mut octets, length, content_type: "text/csv".to_owned() };
    client.request(Method::POST, "/v1/y", body).unwrap();
    let seen = record.lock().unwrap().clone();
    assert_eq!((&*seen[0].asked, &*seen[0].octets), ("DELETE /v1/x?a=b", &b"{\"c\":1}"[..]));
    assert_eq!((&*seen[1].asked, &*seen[1].octets), ("POST /v1/y", &b"a,b\n1,2\n"[..]));
    assert_eq!(seen[0].content_type.as_deref(), Some("application/json"));
    assert_eq!(seen[1].content_type.as_deref(), Some("text/csv"));
    assert!(seen.iter().all(|seen| seen.authorization.as_deref() == Some("Bearer abc123")));
}

#[test]
fn without_a_proxy_the_folders_are_opened_here_for_this_process_alone() {
    let (folder, config) = configuration();
    let client = Client::open(config).unwrap();
    assert!(matches!(&client, Client::InProcess(local) if local.ledger().is_some()));
    // The routes are the admin interface's own.
    let accounts = client.get("/v1/accounts").unwrap();
    assert_eq!(accounts["items"][0]["id"], "shop");

    let (_other, again) = configuration();
    let again =
        Config { ledger: crate::config::Ledger { path: folder.path().join("ledger"), ..again.ledger }, ..again };
    let refused = Client::open(again).err().unwrap();
    assert!(matches!(&refused, Failure::Environment(why) if why.contains("another process")), "{refused}");
}

#[test]
fn a_proxy_that_cannot_be_asked_is_a_fault_of_the_environment() {
    let (folder, config) = configuration();
    std::fs::create_dir(folder.path().join("ledger")).unwrap();
    let running = folder.path().join("ledger/running.json");
    let write = |admin: Value| {
        let text = json!({"pid": std::process::id(), "admin": admin, "listen": "127.0.0.1:1"}).to_string();
        std::fs::write(&running, text).unwrap();
    };
    let why = |config: &Config| match Remote::running(config) {
        Err(Failure::Environment(why)) => why,
        _ => panic!("it can be asked"),
    };
    write(Value::Null);
    assert!(why(&config).contains("without [admin]"));
    write("127.0.0.1:1".into());
    assert!(why(&config).contains("no token in"));
    std::fs::write(folder.path().join("token"), "abc").unwrap();
    // Nobody listens on a port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    write(free.to_string().into());
    let client = Client::open(config).unwrap();
    let failure = client.get("/v1/accounts").unwrap_err();
    assert!(matches!(&failure, Failure::Environment(why) if why.contains("running.json")), "{failure}");
}

#[test]
fn refusals_become_failures_with_their_hint() {
    let (routes, _) = routes(|asked| match asked {
        "GET /404" => problem(404, "there is no account shpo", Some("did you mean \"shop\"?")),
        "GET /409" => problem(409, "the account is deactivated", None),
        "GET /400" => problem(400, "wording is missing", None),
        "GET /401" => problem(401, "the token is wrong", None),
        "GET /503" => problem(503, "the disk is full", None),
        "GET /bare" => StatusCode::NOT_FOUND.into_response(),
        "GET /html" => "<html>".into_response(),
        _ => StatusCode::NO_CONTENT.into_response(),
    });
    let (_folder, remote) = remote(routes.clone());
    for client in [remote, Client::InProcess(Box::new(Local::over(routes)))] {
        for (path, exit, message) in [
            ("/404", Exit::No, "smppolicy: there is no account shpo; did you mean \"shop\"?"),
            ("/409", Exit::No, "smppolicy: the account is deactivated"),
            ("/400", Exit::BadInput, "smppolicy: wording is missing"),
            ("/401", Exit::Environment, "smppolicy: the token is wrong; the token is read from admin.token_file"),
            ("/503", Exit::Environment, "smppolicy: the disk is full"),
        ] {
            let failure = client.get(path).unwrap_err();
            assert_eq!((failure.exit(), failure.to_string()), (exit, message.to_owned()));
        }
        for path in ["/bare", "/html"] {
            let failure = client.get(path).unwrap_err();
            assert!(matches!(&failure, Failure::Environment(why) if why.contains(path)), "{failure}");
        }
        assert_eq!(client.get("/empty").unwrap(), Value::Null);
    }
}

#[test]
fn a_refusal_comes_before_a_large_file_goes() {
    let refuse = || async { problem(400, "the first line lacks msisdn", None) };
    let (_folder, client) = remote(Router::new().fallback(refuse));
    // More than the buffers of both ends take without a reader.
    let length = 64 << 20;
    let mut octets = std::io::Read::take(std::io::repeat(b'x'), length);
    let body = Body::Octets { from: &mut octets, length, content_type: "text/csv".to_owned() };
    let failure = client.request(Method::POST, "/v1/consents/import", body).unwrap_err();
    assert_eq!(failure.to_string(), "smppolicy: the first line lacks msisdn");
    assert_eq!(octets.limit(), length, "none of it was sent");
}

#[test]
fn each_command_asks_what_the_interface_has() {
    let (routes, record) = routes(|_| ok(&json!({"id": 1})));
    let client = Client::InProcess(Box::new(Local::over(routes)));
    let scope = json!({"msisdn": "32470123456", "account": "shop", "sender": "SHOP", "purpose": "marketing"});
    let why = json!({"reason": "spam"});
    let cases: &[(&str, &str, Value)] = &[
        ("account list --limit 7 --cursor a/b", "GET /v1/accounts?limit=7&cursor=a%2Fb", Value::Null),
        ("account show a/b", "GET /v1/accounts/a%2Fb", Value::Null),
        ("account block shop --reason spam", "POST /v1/accounts/shop/block", why.clone()),
        ("account unblock shop --reason spam", "POST /v1/accounts/shop/unblock", why.clone()),
        ("account deactivate shop --reason spam", "POST /v1/accounts/shop/deactivate", why.clone()),
        ("account reactivate shop --reason spam", "POST /v1/accounts/shop/reactivate", why.clone()),
        ("account hold shop --reason spam", "POST /v1/accounts/shop/hold", why.clone()),
        ("account release shop --reason spam", "POST /v1/accounts/shop/release", why.clone()),
        (
            "consent grant +32470123456 --account shop --sender SHOP --purpose marketing --method form \
             --at 2026-11-24T09:00:00+01:00 --wording Yes --source site --expires 2027-01-01T00:00:00Z",
            "POST /v1/consents",
            json!({"msisdn": "32470123456", "account": "shop", "sender": "SHOP", "purpose": "marketing",
                   "method": "form", "at": "2026-11-24T08:00:00Z", "wording": "Yes", "source": "site",
                   "evidence": null, "evidence_sha256": null, "expires": "2027-01-01T00:00:00Z", "address": null}),
        ),
        ("consent revoke 32470123456 --account shop --sender SHOP --purpose marketing", "DELETE /v1/consents", scope),
        ("consent show 0032470123456", "GET /v1/consents?msisdn=32470123456&limit=100", Value::Null),
        (
            "suppress add 32470123456",
            "POST /v1/suppressions",
            json!({"msisdn": "32470123456", "account": null, "sender": null, "reference": null}),
        ),
        (
            "suppress remove 32470123456 --account shop --sender SHOP --reference L1",
            "DELETE /v1/suppressions",
            json!({"msisdn": "32470123456", "account": "shop", "sender": "SHOP", "reference": "L1"}),
        ),
        ("suppress show 32470123456", "GET /v1/suppressions?msisdn=32470123456&limit=100", Value::Null),
        (
            "complaint add --msisdn 32470123456 --at 2026-11-24T09:00:00Z --text Enough",
            "POST /v1/complaints",
            json!({"msisdn": "32470123456", "at": "2026-11-24T09:00:00Z", "text": "Enough", "account": null,
                   "via": "cli"}),
        ),
        ("complaint list", "GET /v1/complaints?limit=100", Value::Null),
        ("complaint show 7", "GET /v1/complaints/7", Value::Null),
        ("complaint appeal 7 --reason spam", "POST /v1/complaints/7/appeal", why.clone()),
        (
            "complaint resolve 7 --dismissed --release --reason spam",
            "POST /v1/complaints/7/resolve",
            json!({"upheld": false, "release": true, "reason": "spam"}),
        ),
        (
            "complaint resolve 7 --upheld --reason spam",
            "POST /v1/complaints/7/resolve",
            json!({"upheld": true, "release": false, "reason": "spam"}),
        ),
        (
            "proof request --account shop --sample 20 --purpose otp",
            "POST /v1/proof-requests",
            json!({"account": "shop", "sample": 20, "recipients": null, "campaign": null, "purpose": "otp"}),
        ),
        (
            "proof request --account shop --recipients 32470123456,32470123457 --campaign winter",
            "POST /v1/proof-requests",
            json!({"account": "shop", "sample": null, "recipients": ["32470123456", "32470123457"],
                   "campaign": "winter", "purpose": null}),
        ),
        ("proof delivered 3", "POST /v1/proof-requests/3/delivered", json!({})),
        ("proof accept 3", "POST /v1/proof-requests/3/accept", json!({})),
        ("proof reject 3 --reason spam", "POST /v1/proof-requests/3/reject", why),
        ("proof list", "GET /v1/proof-requests?limit=100", Value::Null),
        ("proof show 3", "GET /v1/proof-requests/3", Value::Null),
        ("subject show 32470123456", "GET /v1/subjects/32470123456", Value::Null),
        ("subject erase 32470123456", "DELETE /v1/subjects/32470123456", Value::Null),
    ];
    for (line, asked, body) in cases {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(command(&client, &words).unwrap(), Exit::Done, "{line}");
        let seen = record.lock().unwrap().pop().unwrap();
        let octets = if body.is_null() { vec![] } else { body.to_string().into_bytes() };
        assert_eq!((&*seen.asked, seen.octets), (*asked, octets), "{line}");
    }
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    for line in [
        "account block shop",
        "account list --limit 0",
        "consent show 0470123456",
        "consent revoke 32470123456 --account shop --sender SHOP --purpose offers",
        "suppress add 32470123456 --sender SHOP",
        "suppress import a.csv --registry dnd",
        "suppress import a.csv --as-of 2026-11-24",
        "suppress import a.csv --registry dnd --as-of 2026-11-24 --countries Belgium",
        "complaint resolve 7 --reason x",
        "complaint resolve 7 --upheld --dismissed --reason x",
        "proof request --account shop",
        "proof request --account shop --sample 5 --recipients 32470123456",
        "proof request --account shop --sample 0",
    ] {
        let words = ["smppolicy"].into_iter().chain(line.split(' '));
        assert!(Arguments::try_parse_from(words).is_err(), "{line}");
    }
}

#[test]
fn evidence_goes_as_its_octets() {
    let (routes, record) = routes(|_| ok(&json!({"id": 3, "state": "submitted"})));
    let (folder, client) = remote(routes);
    let path = folder.path().join("scan.pdf");
    std::fs::write(&path, b"%PDF\0\xFF").unwrap();
    let file = path.to_str().unwrap();
    let line = [
        "proof",
        "submit",
        "3",
        file,
        "--msisdn",
        "32470123456",
        "--note",
        "a & b",
        "--content-type",
        "application/pdf",
    ];
    assert_eq!(command(&client, &line).unwrap(), Exit::Done);
    let seen = record.lock().unwrap().pop().unwrap();
    assert_eq!(seen.asked, "POST /v1/proof-requests/3/evidence?msisdn=32470123456&note=a%20%26%20b");
    assert_eq!((seen.content_type.as_deref(), &*seen.octets), (Some("application/pdf"), &b"%PDF\0\xFF"[..]));

    let missing = command(&client, &["proof", "submit", "3", "nowhere.pdf"]).unwrap_err();
    assert!(matches!(&missing, Failure::Input(why) if why.contains("nowhere.pdf")), "{missing}");
}
