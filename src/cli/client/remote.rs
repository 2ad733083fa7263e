//! The proxy that runs, as `running.json` in the ledger's folder names it.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http::{HeaderValue, Method, Request, header, request};
use serde::Deserialize;
use ureq::{Agent, AsSendBody, SendBody};

use super::{Answer, Body, MAX_ANSWER, OPERATOR, authorization, operator};
use crate::cli::Failure;
use crate::config::Config;

/// How long the connection may take: it is on this machine, or near.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the answer may take after the request: an erasure writes files anew, an import waits for the disk.
const ANSWER: Duration = Duration::from_secs(600);

/// The admin interface of a proxy.
pub(in crate::cli) struct Remote {
    agent: Agent,
    address: SocketAddr,
    authorization: HeaderValue,
    running: PathBuf,
}

/// `running.json`
#[derive(Debug, Deserialize)]
struct Running {
    pid: u32,
    admin: Option<SocketAddr>,
}

impl Remote {
    /// The proxy that runs on the ledger of this configuration; none if there is none, or what is named has ended.
    ///
    /// # Errors
    /// [`Failure::Environment`]: a proxy runs and cannot be asked.
    pub(in crate::cli) fn running(config: &Config) -> Result<Option<Self>, Failure> {
        let path = config.ledger.path.join("running.json");
        let Some(running) = read(&path)? else { return Ok(None) };
        let unasked = |what: String| Failure::Environment(format!("smppolicy runs (process {}), {what}", running.pid));
        let (Some(address), Some(admin)) = (running.admin, &config.admin) else {
            return Err(unasked("but without [admin]: stop it, or add admin.address and start it again".to_owned()));
        };
        let authorization = authorization(&admin.token_file)?;
        let file = admin.token_file.display();
        let authorization = authorization.ok_or_else(|| unasked(format!("but there is no token in {file}")))?;
        Ok(Some(Self::new(address, authorization, path)))
    }

    pub(super) fn new(address: SocketAddr, authorization: HeaderValue, running: PathBuf) -> Self {
        let agent = Agent::config_builder()
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .timeout_recv_body(Some(ANSWER))
            .user_agent("smppolicy")
            .build()
            .new_agent();
        Self { agent, address: reachable(address), authorization, running }
    }

    pub(super) fn request(&self, method: Method, path: &str, body: Body<'_>) -> Result<Answer, Failure> {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header(header::AUTHORIZATION, self.authorization.clone())
            .header(OPERATOR, operator());
        let answer = match body {
            Body::Nothing => self.run(request, SendBody::none())?,
            Body::Json(value) => {
                self.run(request.header(header::CONTENT_TYPE, "application/json"), value.to_string())?
            }
            Body::Octets { mut from, length, content_type } => {
                // A refusal is to come before the octets go.
                let request = request.header(header::EXPECT, "100-continue").header(header::CONTENT_LENGTH, length);
                let body = SendBody::from_reader(&mut from);
                self.run(request.header(header::CONTENT_TYPE, content_type), body)?
            }
        };
        Ok(answer)
    }

    fn run(&self, request: request::Builder, body: impl AsSendBody) -> Result<Answer, Failure> {
        let unreachable = |error: &dyn std::fmt::Display| {
            Failure::Environment(format!(
                "cannot ask the proxy at {}, which {} names: {error}; if none runs, remove that file",
                self.address,
                self.running.display()
            ))
        };
        let request = request.body(body).map_err(|error| unreachable(&error))?;
        let (parts, body) = self.agent.run(request).map_err(|error| unreachable(&error))?.into_parts();
        let octets = body.into_with_config().limit(MAX_ANSWER as u64).read_to_vec();
        Ok(Answer::new(parts.status, &parts.headers, octets.map_err(|error| unreachable(&error))?))
    }
}

/// What the file says, if there is one and its process lives.
fn read(path: &Path) -> Result<Option<Running>, Failure> {
    let unreadable =
        |error: &dyn std::fmt::Display| Failure::Environment(format!("cannot use {}: {error}", path.display()));
    let text = match std::fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text.map_err(|error| unreadable(&error))?,
    };
    let running: Running = serde_json::from_slice(&text).map_err(|error| unreadable(&error))?;
    Ok(Path::new("/proc").join(running.pid.to_string()).exists().then_some(running))
}

/// Where to connect to what listens on an address: one that stands for all is this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_stands_for_all_is_reached_here() {
        for (listens, reached) in [("0.0.0.0:5", "127.0.0.1:5"), ("[::]:5", "[::1]:5"), ("10.1.2.3:5", "10.1.2.3:5")] {
            assert_eq!(reachable(listens.parse().unwrap()), reached.parse().unwrap());
        }
    }

    #[test]
    fn a_proxy_that_has_ended_is_none_and_a_file_of_something_else_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("running.json");
        assert!(read(&path).unwrap().is_none());
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        let pid = ended.id();
        ended.wait().unwrap();
        std::fs::write(&path, format!(r#"{{"pid":{pid},"admin":"127.0.0.1:1","listen":"127.0.0.1:2"}}"#)).unwrap();
        assert!(read(&path).unwrap().is_none());
        std::fs::write(&path, format!(r#"{{"pid":{},"admin":null}}"#, std::process::id())).unwrap();
        assert!(read(&path).unwrap().is_some_and(|running| running.admin.is_none()));
        std::fs::write(&path, "pid 12").unwrap();
        assert!(read(&path).is_err_and(|failure| failure.to_string().contains("running.json")));
    }
}
