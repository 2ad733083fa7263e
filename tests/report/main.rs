//! The public form over HTTP, beside the real proxy: who may do what with it, and what comes of a report (clauses 27, 28
//! and 36).

#![cfg(test)]

mod bounds;
mod cases;
mod page;
#[path = "../support/mod.rs"]
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
