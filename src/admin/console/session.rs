//! Who is signed in: sessions of the console, in memory, bounded in number and in time. Keeps no session's identifier,
//! only its digest, so that looking one up tells nothing by the time that it takes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::auth::{Asker, Role};
use crate::hex::Hex;

/// The cookie.
const NAME: &str = "smppolicy_session";
/// Sessions at once; one more ends the one that was used least lately.
const MOST: usize = 256;
/// How long a session may be left alone.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// How long one lasts.
const WHOLE: Duration = Duration::from_secs(12 * 3600);
/// Octets of its digest that are its name in records.
const SHOWN: usize = 4;

/// See the module. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Sessions(Arc<Mutex<HashMap<[u8; 32], Session>>>);

#[derive(Debug)]
struct Session {
    role: Role,
    csrf: String,
    begun: Instant,
    seen: Instant,
    ended: CancellationToken,
}

/// Who is signed in, as far as a request tells.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    pub(super) asker: Asker,
    /// What every form that changes something must hold.
    pub(super) csrf: String,
    /// When the session is over at the latest, and what tells that it is over before.
    pub(super) until: Instant,
    pub(super) ended: CancellationToken,
}

impl Visitor {
    /// Whether a form is this session's own.
    pub(super) fn has_sent(&self, csrf: &str) -> bool {
        csrf.as_bytes().ct_eq(self.csrf.as_bytes()).into()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

fn secret() -> Result<String, getrandom::Error> {
    let mut octets = [0; 32];
    getrandom::fill(&mut octets)?;
    Ok(Hex(&octets).to_string())
}

fn digest(id: &str) -> [u8; 32] {
    Sha256::digest(id).into()
}

/// The session's identifier, if the request has its cookie.
pub(super) fn id(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|cookie| cookie.trim().strip_prefix(NAME)?.strip_prefix('='))
}

/// The cookie of a session, or one that ends it. Secure where a proxy before this one says that it does TLS.
pub(super) fn cookie(id: &str, headers: &HeaderMap) -> String {
    let is_secure = headers.get("x-forwarded-proto").is_some_and(|value| value == "https");
    let (secure, age) = (if is_secure { "; Secure" } else { "" }, if id.is_empty() { "; Max-Age=0" } else { "" });
    format!("{NAME}={id}; Path=/console; HttpOnly; SameSite=Strict{secure}{age}")
}

impl Sessions {
    fn all(&self) -> MutexGuard<'_, HashMap<[u8; 32], Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a session of this role, and gives its identifier.
    pub(super) fn begin(&self, role: Role, now: Instant) -> Result<String, getrandom::Error> {
        let (id, csrf) = (secret()?, secret()?);
        let mut all = self.all();
        all.retain(|_, session| session.lives(now));
        if all.len() >= MOST
            && let Some(oldest) = all.iter().min_by_key(|(_, session)| session.seen).map(|(digest, _)| *digest)
        {
            all.remove(&oldest);
        }
        all.insert(digest(&id), Session { role, csrf, begun: now, seen: now, ended: CancellationToken::new() });
        Ok(id)
    }

    /// Who has the session with this identifier, which is used now; none if it is over.
    pub(super) fn visitor(&self, id: &str, now: Instant) -> Option<Visitor> {
        let digest = digest(id);
        let mut all = self.all();
        let session = all.get_mut(&digest)?;
        if !session.lives(now) {
            all.remove(&digest);
            return None;
        }
        session.seen = now;
        let name = digest.get(..SHOWN).map(|octets| Hex(octets).to_string());
        Some(Visitor {
            asker: Asker { role: session.role, session: name },
            csrf: session.csrf.clone(),
            until: session.begun + WHOLE,
            ended: session.ended.clone(),
        })
    }

    pub(super) fn end(&self, id: &str) {
        self.all().remove(&digest(id));
    }
}

impl Session {
    fn lives(&self, now: Instant) -> bool {
        now.duration_since(self.seen) < IDLE && now.duration_since(self.begun) < WHOLE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_when_it_is_left_alone_and_when_its_time_is_over() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let id = sessions.begin(Role::Operator, now).unwrap();
        let almost = IDLE - Duration::from_secs(1);
        let mut at = now;
        while at + almost < now + WHOLE {
            at += almost;
            assert_eq!(sessions.visitor(&id, at).unwrap().asker.role, Role::Operator);
        }
        let visitor = sessions.visitor(&id, at).unwrap();
        assert!(sessions.visitor(&id, now + WHOLE).is_none());
        assert!(visitor.ended.is_cancelled(), "its streams end");
        let other = sessions.begin(Role::Viewer, now).unwrap();
        assert!(sessions.visitor(&other, now + IDLE).is_none());
        assert!(sessions.visitor("", now).is_none());
    }

    #[test]
    fn sessions_are_bounded_and_the_least_used_one_makes_room() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let at = |step: usize| now + Duration::from_millis(step as u64);
        let ids: Vec<String> = (0..MOST).map(|step| sessions.begin(Role::Viewer, at(step)).unwrap()).collect();
        sessions.visitor(&ids[0], at(MOST)).unwrap();
        sessions.begin(Role::Viewer, at(MOST + 1)).unwrap();
        assert_eq!(sessions.all().len(), MOST);
        assert!(sessions.visitor(&ids[0], at(MOST + 2)).is_some() && sessions.visitor(&ids[1], at(MOST + 2)).is_none());
    }

    #[test]
    fn forms_are_told_apart_by_their_session() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let [one, other] = [(), ()].map(|()| sessions.begin(Role::Admin, now).unwrap());
        let visitor = |id: &str| sessions.visitor(id, now).unwrap();
        assert!(visitor(&one).has_sent(&visitor(&one).csrf));
        assert!(!visitor(&one).has_sent(&visitor(&other).csrf) && !visitor(&one).has_sent(""));
        sessions.end(&one);
        assert!(sessions.visitor(&one, now).is_none());
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let headers = |lines: &[&str]| -> HeaderMap {
            lines.iter().map(|line| (header::COOKIE, line.parse().unwrap())).collect()
        };
        for (lines, found) in [
            (&["smppolicy_session=ab"][..], Some("ab")),
            (&["a=b; smppolicy_session=ab; c=d"], Some("ab")),
            (&["a=b", "smppolicy_session=ab"], Some("ab")),
            (&["xsmppolicy_session=ab", "smppolicy_sessions=ab"], None),
            (&[], None),
        ] {
            assert_eq!(id(&headers(lines)), found, "{lines:?}");
        }
        assert!(!cookie("ab", &HeaderMap::new()).contains("Secure"));
        let behind_tls = [("x-forwarded-proto".parse().unwrap(), "https".parse().unwrap())].into_iter().collect();
        assert!(cookie("ab", &behind_tls).ends_with("HttpOnly; SameSite=Strict; Secure"));
    }
}
