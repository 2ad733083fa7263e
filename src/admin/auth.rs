//! The bearer token of the operator's interface: 32 random octets as hex, made once, never printed, never replaced.

use std::fmt;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::problem::Problem;

const SECRET: usize = 32;

/// See the module.
#[derive(Debug, Clone)]
pub struct Token(SecretString);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenFault {
    /// The file system refuses.
    #[error("cannot use {} for the token of the admin interface: {source}", path.display())]
    File {
        /// `admin.token_file`
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
    /// The file holds something else.
    #[error(
        "{} holds no token: expected 64 hexadecimal digits; remove the file and smppolicy makes another", path.display()
    )]
    NoToken {
        /// `admin.token_file`
        path: PathBuf,
    },
}

impl Token {
    /// Reads the token from `path`, or makes one there, for its owner alone, if there is no file. Blocks.
    ///
    /// # Errors
    /// [`TokenFault`]
    pub fn load_or_create(path: &Path) -> Result<Self, TokenFault> {
        let fault = |source| TokenFault::File { path: path.to_owned(), source };
        let text = match read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(path).and_then(|()| read(path)),
            text => text,
        };
        let text = text.map_err(fault)?;
        let digits = text.trim_end();
        let fits = digits.len() == 2 * SECRET && digits.bytes().all(|octet| octet.is_ascii_hexdigit());
        if fits { Ok(Self(digits.into())) } else { Err(TokenFault::NoToken { path: path.to_owned() }) }
    }

    /// Whether a request shows it; how long that takes does not depend on what it shows instead.
    fn is_shown(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().split_at_checked(7));
        shown.is_some_and(|(scheme, token)| {
            let token = token.trim_ascii();
            scheme.eq_ignore_ascii_case(b"bearer ") && bool::from(token.ct_eq(self.0.expose_secret().as_bytes()))
        })
    }
}

/// Lets requests through that show the token.
pub(super) async fn guard(State(token): State<Token>, request: Request, next: Next) -> Response {
    if token.is_shown(request.headers()) {
        return next.run(request).await;
    }
    let problem = Problem::new(StatusCode::UNAUTHORIZED, "the request shows no token, or another one");
    problem.hint("send `authorization: Bearer TOKEN` with what is in admin.token_file").into_response()
}

fn read(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "others than its owner may read the token of the admin interface: chmod 600");
    }
    fs::read_to_string(path)
}

/// Writes beside `path` first, so that a crash leaves a whole token or none, and never replaces one that is there.
fn create(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut secret = [0; SECRET];
    getrandom::fill(&mut secret).map_err(io::Error::other)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?; // mode 0600
    writeln!(file, "{}", Hex(&secret))?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
        Ok(_) => File::open(folder)?.sync_all(),
    }
}

/// Octets as hexadecimal digits.
pub(super) struct Hex<'a>(pub(super) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_for_its_owner_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("var/admin-token");
        let made = Token::load_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let read = Token::load_or_create(&path).unwrap();
        assert_eq!(made.0.expose_secret(), read.0.expose_secret());
        assert_eq!(made.0.expose_secret().len(), 64);
        create(&path).unwrap();
        assert_eq!(Token::load_or_create(&path).unwrap().0.expose_secret(), made.0.expose_secret());
        assert!(!format!("{made:?}").contains(made.0.expose_secret()));
        for text in ["", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64)] {
            fs::write(&path, text).unwrap();
            assert!(matches!(Token::load_or_create(&path), Err(TokenFault::NoToken { .. })), "{text}");
        }
    }

    #[test]
    fn only_the_whole_token_counts_as_shown() {
        let token = Token("ab".repeat(32).into());
        let whole = "ab".repeat(32);
        for (value, shown) in [
            (format!("Bearer {whole}"), true),
            (format!("bearer {whole} "), true),
            (format!("Basic {whole}"), false),
            (format!("Bearer {}", &whole[..63]), false),
            (format!("Bearer {whole}0"), false),
            (format!("Bearer {}", "ba".repeat(32)), false),
            ("Bearer ".to_owned(), false),
            (String::new(), false),
        ] {
            let headers = [(AUTHORIZATION, value.parse().unwrap())].into_iter().collect();
            assert_eq!(token.is_shown(&headers), shown, "{value}");
        }
        assert!(!token.is_shown(&HeaderMap::new()));
    }
}
