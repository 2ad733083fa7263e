//! What rows of a file have in common, so that each text is kept and each account and sender looked up once.
//!
//! Remembers a bounded number of each. Writes nothing.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::Rejection;
use crate::ledger::permissions::{Names, Permissions, Scope, ScopeName};

/// Texts, accounts and scopes that are remembered, each.
const SHARED: usize = 4096;

/// What rows share, so that each of them need not own it.
pub(super) struct Shared<'a> {
    texts: HashMap<Arc<str>, (), RandomState>,
    declared: &'a dyn Fn(&str) -> Option<Names>,
    names: HashMap<Arc<str>, Option<Names>, RandomState>,
    scopes: HashMap<ScopeName, Result<Scope, Rejection>, RandomState>,
}

impl<'a> Shared<'a> {
    pub(super) fn new(declared: &'a dyn Fn(&str) -> Option<Names>) -> Self {
        Self { texts: HashMap::default(), declared, names: HashMap::default(), scopes: HashMap::default() }
    }

    pub(super) fn text(&mut self, text: &str) -> Arc<str> {
        if let Some((text, ())) = self.texts.get_key_value(text) {
            return text.clone();
        }
        let text: Arc<str> = text.into();
        if self.texts.len() < SHARED {
            self.texts.insert(text.clone(), ());
        }
        text
    }

    /// The scope with this name, if messages will find what is for it.
    pub(super) fn scope(&mut self, name: ScopeName, permissions: &Permissions) -> Result<Scope, Rejection> {
        if let Some(scope) = self.scopes.get(&name) {
            return *scope;
        }
        let scope = self.is_declared(&name).and_then(|()| Ok(permissions.make_scope(&name)?));
        if self.scopes.len() < SHARED {
            self.scopes.insert(name, scope);
        }
        scope
    }

    /// Refuses what no message would ever find.
    fn is_declared(&mut self, name: &ScopeName) -> Result<(), Rejection> {
        let Some(account) = &name.account else { return Ok(()) };
        let names = match self.names.get(account) {
            Some(names) => names.clone(),
            None => (self.declared)(account),
        };
        let is_found = names.as_ref().map(|names| names.has(name));
        if self.names.len() < SHARED {
            self.names.insert(account.clone(), names);
        }
        match is_found {
            None => Err(Rejection::Account),
            Some(false) => Err(Rejection::Sender),
            Some(true) => Ok(()),
        }
    }
}
