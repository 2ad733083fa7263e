//! What a fact is for: an account, one of its senders or all, and for consents a purpose; each as a small number.
//!
//! A name gets its number when a fact or the configuration has it first, and keeps it while the process runs; it is
//! durable with the first record that uses it. Looking a name up makes none. Never forgets a name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::Purpose;
use crate::config::reader::nearest;
use crate::policy::{NoScope, Scope};

/// What a fact is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ScopeName {
    /// The account's system_id; none for all accounts.
    pub account: Option<Arc<str>>,
    /// A sender ID or a brand of the account, in lower case; none for all its senders (`*`).
    pub sender: Option<Arc<str>>,
    /// What the consent is for; none for opt-outs, which are from everything.
    pub purpose: Option<Purpose>,
    /// Whether it is of consents that wait for the recipient's own word, and do not count before.
    pub pending: bool,
}

/// What facts there are in a scope: which of the two indexes has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Consents,
    Suppressions,
}

/// The most octets of an account's name.
const ACCOUNT: usize = 64;
/// The most octets of a sender's name, in lower case.
const SENDER: usize = 256;

impl ScopeName {
    /// The name of a scope; `*` or nothing as the sender means all senders, and case makes no difference in it.
    ///
    /// # Errors
    /// [`NoScope::TooLong`]: nothing can be known of such a name.
    pub fn new(account: Option<&str>, sender: Option<&str>, purpose: Option<Purpose>) -> Result<Self, NoScope> {
        if account.is_some_and(|account| account.len() > ACCOUNT) {
            return Err(NoScope::TooLong("account", ACCOUNT));
        }
        let sender = sender.and_then(sender_name);
        if sender.as_ref().is_some_and(|sender| sender.len() > SENDER) {
            return Err(NoScope::TooLong("sender", SENDER));
        }
        Ok(Self { account: account.map(Arc::from), sender: sender.map(Arc::from), purpose, pending: false })
    }

    /// The same, of consents that wait for the recipient's own word.
    pub(crate) fn pending(self) -> Self {
        Self { pending: true, ..self }
    }

    /// The same, of consents that count.
    pub(super) fn confirmed(self) -> Self {
        Self { pending: false, ..self }
    }
}

/// A sender ID or brand as scopes name it; none: it stands for all senders.
fn sender_name(sender: &str) -> Option<String> {
    let sender = sender.trim();
    (!sender.is_empty() && sender != "*").then(|| sender.to_lowercase())
}

/// The sender IDs and brands that a configuration declares for an account. What is for any other name is found by no
/// message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(Arc<HashMap<String, String>>);

impl Names {
    /// These names.
    pub fn new(declared: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let named = |name: &str| Some((sender_name(name)?, name.to_owned()));
        Self(Arc::new(declared.into_iter().filter_map(|name| named(name.as_ref())).collect()))
    }

    /// Whether messages find what is for this scope: it is for one of the names, or for all.
    pub fn has(&self, scope: &ScopeName) -> bool {
        scope.sender.as_ref().is_none_or(|sender| self.0.contains_key(&**sender))
    }

    /// The name, as it is declared, that may have been meant by one that is not.
    pub fn nearest(&self, sender: &str) -> Option<&str> {
        nearest(sender.trim(), self.0.values().map(String::as_str))
    }
}

/// All scopes there are names for.
#[derive(Debug, Default)]
pub(super) struct Scopes(Mutex<Named>);

#[derive(Debug, Default)]
struct Named {
    scopes: HashMap<ScopeName, Scope>,
    names: HashMap<Scope, ScopeName>,
    next: u32,
}

impl Scopes {
    /// The scope with this name; none if nothing can be known of it.
    pub(super) fn find(&self, name: &ScopeName) -> Option<Scope> {
        self.lock().scopes.get(name).copied()
    }

    /// The scope with this name, which has it from now on.
    ///
    /// # Errors
    /// [`NoScope::Full`]
    pub(super) fn make(&self, name: &ScopeName) -> Result<Scope, NoScope> {
        let mut named = self.lock();
        if let Some(scope) = named.scopes.get(name) {
            return Ok(*scope);
        }
        if named.next >> Scope::BITS != 0 {
            return Err(NoScope::Full);
        }
        let scope = Scope::from_value(named.next);
        named.next += 1;
        named.scopes.insert(name.clone(), scope);
        named.names.insert(scope, name.clone());
        Ok(scope)
    }

    /// The name of a scope that has one.
    pub(super) fn name(&self, scope: Scope) -> Option<ScopeName> {
        self.lock().names.get(&scope).cloned()
    }

    /// What facts there are in a scope: consents are for a purpose, opt-outs from everything.
    pub(super) fn kind(&self, scope: Scope) -> Kind {
        let is_opt_out = self.lock().names.get(&scope).is_some_and(|name| name.purpose.is_none());
        if is_opt_out { Kind::Suppressions } else { Kind::Consents }
    }

    /// Takes up a scope that is durable already; false if its name or number is another's.
    pub(super) fn restore(&self, scope: Scope, name: ScopeName) -> bool {
        let mut named = self.lock();
        named.next = named.next.max(scope.value() + 1);
        let known = named.names.insert(scope, name.clone()).is_some_and(|before| before != name);
        !known && named.scopes.insert(name, scope).is_none_or(|before| before == scope)
    }

    fn lock(&self) -> MutexGuard<'_, Named> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(account: Option<&str>, sender: Option<&str>, purpose: Option<Purpose>) -> ScopeName {
        ScopeName::new(account, sender, purpose).unwrap()
    }

    #[test]
    fn a_name_has_one_number_whatever_its_case() {
        let scopes = Scopes::default();
        let marketing = Some(Purpose::Marketing);
        let shop = scopes.make(&name(Some("shop"), Some("SHOP"), marketing)).unwrap();
        assert_eq!(scopes.make(&name(Some("shop"), Some(" Shop "), marketing)), Ok(shop));
        let all = scopes.make(&name(Some("shop"), Some("*"), marketing)).unwrap();
        assert_eq!(scopes.find(&name(Some("shop"), None, marketing)), Some(all));
        let others = [
            name(Some("Shop"), Some("SHOP"), marketing),
            name(Some("shop"), Some("SHOP"), Some(Purpose::Alert)),
            name(Some("shop"), Some("SHOP"), None),
            name(None, None, None),
        ];
        let numbers: std::collections::HashSet<_> = others.iter().map(|name| scopes.make(name).unwrap()).collect();
        assert_eq!(numbers.len(), 4);
        let pending = name(Some("shop"), Some("SHOP"), marketing).pending();
        assert_eq!(scopes.find(&pending), None);
        assert_ne!(scopes.make(&pending), Ok(shop));
        assert!(!numbers.contains(&shop) && !numbers.contains(&all) && all != shop);
        assert_eq!(scopes.name(shop).unwrap().sender.as_deref(), Some("shop"));
    }

    #[test]
    fn what_is_for_a_name_that_nothing_declares_is_told_from_what_messages_find() {
        let names = Names::new(["SHOP", "Été"]);
        let has = |sender| names.has(&name(Some("shop"), sender, None));
        assert!([None, Some("*"), Some(" Shop "), Some("été")].into_iter().all(has));
        assert!(!has(Some("Shopp")) && !has(Some("+SHOP")));
        assert_eq!((names.nearest(" shopp"), names.nearest("8850")), (Some("SHOP"), None));
        assert!(!Names::default().has(&name(Some("shop"), Some("SHOP"), None)));
    }

    #[test]
    fn to_look_a_name_up_makes_none() {
        let scopes = Scopes::default();
        let name = |sender: &str| name(Some("shop"), Some(sender), None);
        for sender in 0..100 {
            assert_eq!(scopes.find(&name(&sender.to_string())), None);
        }
        assert_eq!(scopes.make(&name("first")), Ok(Scope::FIRST));
        assert_eq!(scopes.find(&name("FIRST")), Some(Scope::FIRST));
    }

    #[test]
    fn a_name_is_as_long_as_a_record_may_hold() {
        let long = |octets| "É".repeat(octets / 2);
        assert!(ScopeName::new(Some(&long(ACCOUNT)), Some(&long(SENDER)), None).is_ok());
        let account = ScopeName::new(Some(&long(ACCOUNT + 2)), None, None);
        assert_eq!(account, Err(NoScope::TooLong("account", ACCOUNT)));
        let sender = ScopeName::new(None, Some(&long(SENDER + 2)), None);
        assert_eq!(sender, Err(NoScope::TooLong("sender", SENDER)));
        // In lower case it has three octets.
        assert!(ScopeName::new(None, Some(&"Ⱥ".repeat(SENDER / 2)), None).is_err());
    }

    #[test]
    fn restored_scopes_keep_their_numbers() {
        let scopes = Scopes::default();
        let name = |sender| name(Some("shop"), Some(sender), None);
        assert!(scopes.restore(Scope::from_value(7), name("a")));
        assert_eq!(scopes.make(&name("a")), Ok(Scope::from_value(7)));
        assert_eq!(scopes.make(&name("b")), Ok(Scope::from_value(8)));
        assert!(scopes.restore(Scope::from_value(7), name("a")), "the same again");
        assert!(!scopes.restore(Scope::from_value(7), name("c")));
        assert!(!scopes.restore(Scope::from_value(9), name("a")));
        let full = Scopes::default();
        assert!(full.restore(Scope::from_value(u32::MAX), name("last")));
        assert_eq!(full.make(&name("one more")), Err(NoScope::Full));
        assert!(full.find(&name("last")).is_some());
    }
}
