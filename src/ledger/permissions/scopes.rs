//! What a fact is for: an account, one of its senders or all, and for consents a purpose; each as a small number.
//!
//! A name gets its number when it is first asked for, and keeps it while the process runs; it is durable with the first
//! record that uses it. Never forgets a name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::Purpose;
use crate::policy::Scope;

/// What a fact is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ScopeName {
    /// The account's system_id; none for all accounts.
    pub account: Option<Arc<str>>,
    /// A sender ID or a brand of the account, in lower case; none for all its senders (`*`).
    pub sender: Option<Arc<str>>,
    /// What the consent is for; none for opt-outs, which are from everything.
    pub purpose: Option<Purpose>,
}

impl ScopeName {
    /// The name of a scope; `*` or nothing as the sender means all senders, and case makes no difference in it.
    pub fn new(account: Option<&str>, sender: Option<&str>, purpose: Option<Purpose>) -> Self {
        let sender = sender.map(str::trim).filter(|sender| !sender.is_empty() && *sender != "*");
        Self { account: account.map(Arc::from), sender: sender.map(|sender| sender.to_lowercase().into()), purpose }
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
    /// The scope with this name; none if there are as many scopes as can be, 2^20.
    pub(super) fn scope(&self, name: &ScopeName) -> Option<Scope> {
        let mut named = self.lock();
        if let Some(scope) = named.scopes.get(name) {
            return Some(*scope);
        }
        if named.next >> Scope::BITS != 0 {
            return None;
        }
        let scope = Scope::from_value(named.next);
        named.next += 1;
        named.scopes.insert(name.clone(), scope);
        named.names.insert(scope, name.clone());
        Some(scope)
    }

    /// The name of a scope that has one.
    pub(super) fn name(&self, scope: Scope) -> Option<ScopeName> {
        self.lock().names.get(&scope).cloned()
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

    #[test]
    fn a_name_has_one_number_whatever_its_case() {
        let scopes = Scopes::default();
        let marketing = Some(Purpose::Marketing);
        let shop = scopes.scope(&ScopeName::new(Some("shop"), Some("SHOP"), marketing)).unwrap();
        assert_eq!(scopes.scope(&ScopeName::new(Some("shop"), Some(" Shop "), marketing)), Some(shop));
        let all = scopes.scope(&ScopeName::new(Some("shop"), Some("*"), marketing)).unwrap();
        assert_eq!(scopes.scope(&ScopeName::new(Some("shop"), None, marketing)), Some(all));
        let others = [
            ScopeName::new(Some("Shop"), Some("SHOP"), marketing),
            ScopeName::new(Some("shop"), Some("SHOP"), Some(Purpose::Alert)),
            ScopeName::new(Some("shop"), Some("SHOP"), None),
            ScopeName::new(None, None, None),
        ];
        let numbers: std::collections::HashSet<_> = others.iter().map(|name| scopes.scope(name).unwrap()).collect();
        assert_eq!(numbers.len(), 4);
        assert!(!numbers.contains(&shop) && !numbers.contains(&all) && all != shop);
        assert_eq!(scopes.name(shop).unwrap().sender.as_deref(), Some("shop"));
    }

    #[test]
    fn restored_scopes_keep_their_numbers() {
        let scopes = Scopes::default();
        let name = |sender| ScopeName::new(Some("shop"), Some(sender), None);
        assert!(scopes.restore(Scope::from_value(7), name("a")));
        assert_eq!(scopes.scope(&name("a")), Some(Scope::from_value(7)));
        assert_eq!(scopes.scope(&name("b")), Some(Scope::from_value(8)));
        assert!(scopes.restore(Scope::from_value(7), name("a")), "the same again");
        assert!(!scopes.restore(Scope::from_value(7), name("c")));
        assert!(!scopes.restore(Scope::from_value(9), name("a")));
        let full = Scopes::default();
        assert!(full.restore(Scope::from_value(u32::MAX), name("last")));
        assert_eq!(full.scope(&name("one more")), None);
    }
}
