//! Who may do what: a bearer token for each role, of 32 random octets as hex, made once, never printed, never replaced.

use std::io;
use std::path::{Path, PathBuf};

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::problem::Problem;
use crate::hex::Hex;
use crate::{config, disk};

/// What somebody may do; each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Look at everything, and ask what would become of a message.
    Viewer,
    /// The workflows: states, consents, opt-outs, complaints, requests for proof.
    Operator,
    /// All else: another configuration, the end of a bind, erasure, the end of an account.
    Admin,
}

impl Role {
    /// As configurations and records call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// Who asks. A request without one is let through by no route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asker {
    pub(super) role: Role,
    /// The beginning of the digest of the console's session, if it is asked through one.
    pub(super) session: Option<String>,
}

impl Asker {
    /// Who holds the ledger's files, and may do with them what they like.
    pub(super) const IN_PROCESS: Self = Self { role: Role::Admin, session: None };

    /// Refuses what needs more than this role.
    pub(super) fn must_be(&self, least: Role) -> Result<(), Problem> {
        if self.role >= least {
            return Ok(());
        }
        let detail = format!("the role {} may not do this", self.role.name());
        Err(Problem::new(StatusCode::FORBIDDEN, detail)
            .hint(format!("it takes the token of the role {}", least.name())))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get().cloned().ok_or_else(no_token)
    }
}

/// One role's.
#[derive(Debug, Clone)]
struct Token(SecretString);

/// The tokens of all roles that have one. Clones share them.
#[derive(Debug, Clone)]
pub struct Tokens(Vec<(Role, Token)>);

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
    fn load_or_create(path: &Path) -> Result<Self, TokenFault> {
        let secret = disk::secret::<32>(path);
        let secret = secret.map_err(|source| TokenFault::File { path: path.to_owned(), source })?;
        let secret = secret.ok_or_else(|| TokenFault::NoToken { path: path.to_owned() })?;
        Ok(Self(Hex(&secret).to_string().into()))
    }

    /// Whether this is it; how long that takes does not depend on what is shown instead.
    fn is(&self, shown: &[u8]) -> bool {
        shown.ct_eq(self.0.expose_secret().as_bytes()).into()
    }
}

impl Tokens {
    /// Reads the tokens that the settings name, or makes those of which there is no file, for their owner alone. Blocks.
    ///
    /// # Errors
    /// [`TokenFault`]
    pub fn load_or_create(settings: &config::Admin) -> Result<Self, TokenFault> {
        let files = [
            (Role::Admin, Some(&settings.token_file)),
            (Role::Operator, settings.operator_token_file.as_ref()),
            (Role::Viewer, settings.viewer_token_file.as_ref()),
        ];
        let named = files.into_iter().filter_map(|(role, path)| Some((role, path?)));
        named.map(|(role, path)| Ok((role, Token::load_or_create(path)?))).collect::<Result<_, _>>().map(Self)
    }

    /// The role whose token this is.
    pub(super) fn role(&self, shown: &[u8]) -> Option<Role> {
        // All are compared, whichever it is.
        self.0.iter().fold(None, |found, (role, token)| if token.is(shown) { Some(*role) } else { found })
    }

    fn asker(&self, headers: &HeaderMap) -> Option<Asker> {
        let (scheme, token) = headers.get(AUTHORIZATION)?.as_bytes().split_at_checked(7)?;
        let role = self.role(token.trim_ascii()).filter(|_| scheme.eq_ignore_ascii_case(b"bearer "))?;
        Some(Asker { role, session: None })
    }
}

fn no_token() -> Problem {
    let problem = Problem::new(StatusCode::UNAUTHORIZED, "the request shows no token, or another one");
    problem.hint("send `authorization: Bearer TOKEN` with what is in admin.token_file")
}

/// Lets requests through that show a token, and says on them whose it is.
pub(super) async fn guard(State(tokens): State<Tokens>, mut request: Request, next: Next) -> Response {
    let Some(asker) = tokens.asker(request.headers()) else { return no_token().into_response() };
    request.extensions_mut().insert(asker);
    next.run(request).await
}

/// Lets requests through of those who have this role at least.
pub(super) async fn allow(State(least): State<Role>, asker: Asker, request: Request, next: Next) -> Response {
    match asker.must_be(least) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
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
    fn only_a_whole_token_counts_as_shown() {
        let token = |octet: &str| Token(octet.repeat(32).into());
        let tokens = Tokens(vec![(Role::Admin, token("ab")), (Role::Viewer, token("cd"))]);
        let whole = "ab".repeat(32);
        for (value, role) in [
            (format!("Bearer {whole}"), Some(Role::Admin)),
            (format!("bearer {whole} "), Some(Role::Admin)),
            (format!("Bearer {}", "cd".repeat(32)), Some(Role::Viewer)),
            (format!("Basic {whole}"), None),
            (format!("Bearer {}", &whole[..63]), None),
            (format!("Bearer {whole}0"), None),
            (format!("Bearer {}", "ba".repeat(32)), None),
            ("Bearer ".to_owned(), None),
            (String::new(), None),
        ] {
            let headers = [(AUTHORIZATION, value.parse().unwrap())].into_iter().collect();
            assert_eq!(tokens.asker(&headers).map(|asker| asker.role), role, "{value}");
        }
        assert_eq!(tokens.asker(&HeaderMap::new()), None);
    }
}
