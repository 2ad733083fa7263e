//! The bearer token of the operator's interface: 32 random octets as hex, made once, never printed, never replaced.

use std::io;
use std::path::{Path, PathBuf};

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::problem::Problem;
use crate::disk;
use crate::hex::Hex;

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
        let secret = disk::secret::<32>(path);
        let secret = secret.map_err(|source| TokenFault::File { path: path.to_owned(), source })?;
        let secret = secret.ok_or_else(|| TokenFault::NoToken { path: path.to_owned() })?;
        Ok(Self(Hex(&secret).to_string().into()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("var/admin-token");
        let made = Token::load_or_create(&path).unwrap();
        let read = Token::load_or_create(&path).unwrap();
        assert_eq!(made.0.expose_secret(), read.0.expose_secret());
        assert_eq!(std::fs::read_to_string(&path).unwrap().trim_end(), made.0.expose_secret());
        assert!(!format!("{made:?}").contains(made.0.expose_secret()));
        std::fs::write(&path, "0").unwrap();
        assert!(matches!(Token::load_or_create(&path), Err(TokenFault::NoToken { .. })));
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
