//! Who answers a command: the proxy that runs, over HTTP, or the same routes in this process when none runs.
//!
//! Knows no resource and prints nothing: a request in, its answer as JSON or the failure that the answer amounts to.

mod local;
mod remote;

use std::fmt::Display;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::Failure;
use crate::admin::OPERATOR;
use crate::config::Config;
pub(super) use local::Local;
pub(super) use remote::Remote;

/// The largest answer that is read, in octets: a page of the longest items.
const MAX_ANSWER: usize = 64 * 1024 * 1024;
/// What stands for itself in a path or a query.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a request carries.
#[derive(Debug)]
pub(super) enum Body<'a> {
    /// Nothing.
    Nothing,
    /// A JSON value.
    Json(Value),
    /// Octets of a file from where it stands.
    Octets {
        /// Where they come from.
        from: &'a mut dyn Source,
        /// How many.
        length: u64,
        /// What they are.
        content_type: String,
    },
}

/// What octets of a request are read from.
pub(super) trait Source: Read + std::fmt::Debug {}
impl<R: Read + std::fmt::Debug> Source for R {}

/// Who answers.
pub(super) enum Client {
    /// The proxy that runs.
    Remote(Remote),
    /// This process, which holds the ledger.
    InProcess(Box<Local>),
}

impl Client {
    /// The proxy that runs with this configuration; without one, what its folders hold is opened here. Blocks.
    ///
    /// # Errors
    /// [`Failure::Environment`] when neither is possible.
    pub(super) fn open(config: Config) -> Result<Self, Failure> {
        match Remote::running(&config)? {
            Some(remote) => Ok(Self::Remote(remote)),
            None => Local::open(config).map(Box::new).map(Self::InProcess),
        }
    }

    /// To be called when all has been asked, whatever came of it.
    ///
    /// # Errors
    /// [`Failure::Environment`]: a record could not be written.
    pub(super) fn close(self) -> Result<(), Failure> {
        match self {
            Self::Remote(_) => Ok(()),
            Self::InProcess(local) => local.close(),
        }
    }

    /// Asks, and waits for the answer; an empty one is `null`.
    ///
    /// # Errors
    /// What a refusal amounts to: [`Failure::Refused`] for 404 and 409, [`Failure::Input`] for other statuses from 400,
    /// [`Failure::Environment`] for all else, and when nobody answers.
    pub(super) fn request(&self, method: Method, path: &str, body: Body<'_>) -> Result<Value, Failure> {
        let answer = match self {
            Self::Remote(remote) => remote.request(method, path, body)?,
            Self::InProcess(local) => local.request(method, path, body)?,
        };
        answer.value(path)
    }

    /// [`request`](Self::request) of GET.
    pub(super) fn get(&self, path: &str) -> Result<Value, Failure> {
        self.request(Method::GET, path, Body::Nothing)
    }

    /// [`request`](Self::request) of POST.
    pub(super) fn post(&self, path: &str, body: Value) -> Result<Value, Failure> {
        self.request(Method::POST, path, Body::Json(body))
    }

    /// [`request`](Self::request) of DELETE.
    pub(super) fn delete(&self, path: &str, body: Body<'_>) -> Result<Value, Failure> {
        self.request(Method::DELETE, path, body)
    }
}

/// `text` as a segment of a path, or as a name or value in a query.
pub(super) fn encoded(text: &str) -> impl Display {
    utf8_percent_encode(text, PLAIN)
}

/// A path with those parameters that have a value.
pub(super) fn with_query(path: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let given = parameters.iter().filter_map(|(name, value)| Some((name, (*value)?)));
    let query: Vec<String> = given.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
}

/// An answer as it came.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    /// Whether it is `application/problem+json`.
    is_problem: bool,
    octets: Vec<u8>,
}

impl Answer {
    fn new(status: StatusCode, headers: &HeaderMap, octets: Vec<u8>) -> Self {
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_problem = content_type.is_some_and(|value| value.starts_with("application/problem+json"));
        Self { status, is_problem, octets }
    }

    /// What was asked for, or the failure that it amounts to.
    fn value(self, path: &str) -> Result<Value, Failure> {
        let path = path.split('?').next().unwrap_or_default();
        let strange = |what: &dyn Display| {
            let advice = "is smppolicy there of another version?";
            Failure::Environment(format!("the answer to {path} is not as expected ({what}); {advice}"))
        };
        if self.status.is_success() {
            if self.octets.is_empty() {
                return Ok(Value::Null);
            }
            return serde_json::from_slice(&self.octets).map_err(|error| strange(&error));
        }
        let problem = self.is_problem.then(|| serde_json::from_slice::<Value>(&self.octets).ok()).flatten();
        let Some(problem) = problem else { return Err(strange(&self.status)) };
        let text = |key: &str| problem.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let mut message = text("detail").or(text("title")).unwrap_or(self.status.as_str()).to_owned();
        if let Some(hint) = text("hint") {
            message = format!("{message}; {hint}");
        }
        Err(match self.status {
            StatusCode::NOT_FOUND | StatusCode::CONFLICT => Failure::Refused(message),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Failure::Environment(format!("{message}; the token is read from admin.token_file"))
            }
            status if status.is_client_error() => Failure::Input(message),
            _ => Failure::Environment(message),
        })
    }
}

/// The operator's token, as a header has it; none if there is no file.
fn authorization(path: &Path) -> Result<Option<HeaderValue>, Failure> {
    let unreadable =
        |error: &dyn Display| Failure::Environment(format!("cannot use admin.token_file {}: {error}", path.display()));
    let token = match std::fs::read_to_string(path) {
        Ok(text) => SecretString::from(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(&error)),
    };
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret().trim()))
        .map_err(|_| unreadable(&"it holds no token"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// Who asks: the name that this user has logged in with.
fn operator() -> HeaderValue {
    let name = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok()).unwrap_or_default();
    let name: String = name.chars().filter(char::is_ascii_graphic).take(32).collect();
    let name = if name.is_empty() { "cli".to_owned() } else { format!("cli {name}") };
    HeaderValue::try_from(name).unwrap_or(HeaderValue::from_static("cli"))
}

/// A file to be sent, with its length.
pub(super) fn open_file(path: &Path) -> Result<(File, u64), Failure> {
    let unreadable = |error: std::io::Error| Failure::Input(format!("cannot read {}: {error}", path.display()));
    let mut file = File::open(path).map_err(unreadable)?;
    // Also what is no regular file has to say how long it is, and to begin anew.
    let length = file.seek(SeekFrom::End(0)).map_err(unreadable)?;
    file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    Ok((file, length))
}

#[cfg(test)]
pub(super) mod tests;
