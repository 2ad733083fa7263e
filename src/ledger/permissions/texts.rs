//! Texts that many records share: the wording shown, the method, the source. Each is in the log once.
//!
//! Bounded: once full, records carry further texts themselves. What may be personal (evidence, an address) is never
//! here, since a text is never forgotten.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most texts.
const TEXTS: usize = 1 << 16;
/// The most octets in all of them.
const OCTETS: usize = 16 << 20;

#[derive(Debug, Default)]
pub(super) struct Texts(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    ids: HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
    octets: usize,
}

/// Where a text stands in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interned {
    /// It has been there.
    Known(u32),
    /// It is there from now on, and has yet to be written to the log.
    New(u32),
    /// There is no room for it.
    Full,
}

impl Texts {
    pub(super) fn intern(&self, text: &Arc<str>) -> Interned {
        let mut table = self.lock();
        if let Some(id) = table.ids.get(text) {
            return Interned::Known(*id);
        }
        if table.texts.len() == TEXTS || table.octets + text.len() > OCTETS {
            return Interned::Full;
        }
        Interned::New(table.push(text.clone()))
    }

    pub(super) fn text(&self, id: u32) -> Option<Arc<str>> {
        self.lock().texts.get(id as usize).cloned()
    }

    /// All texts, by their numbers.
    pub(super) fn all(&self) -> Vec<Arc<str>> {
        self.lock().texts.clone()
    }

    /// Takes up a text that is durable already; false if it is not the next.
    pub(super) fn restore(&self, id: u32, text: &str) -> bool {
        self.lock().push(text.into()) == id
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn push(&mut self, text: Arc<str>) -> u32 {
        let id = self.texts.len() as u32;
        self.octets += text.len();
        self.texts.push(text.clone());
        self.ids.insert(text, id);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_there_once_until_there_is_no_room() {
        let texts = Texts::default();
        assert_eq!(texts.intern(&"a".into()), Interned::New(0));
        assert_eq!(texts.intern(&"b".into()), Interned::New(1));
        assert_eq!(texts.intern(&"a".into()), Interned::Known(0));
        assert_eq!((texts.text(1).as_deref(), texts.text(2)), (Some("b"), None));
        assert!(texts.restore(2, "c") && !texts.restore(7, "d"));
        assert_eq!(texts.intern(&"x".repeat(OCTETS).into()), Interned::Full);
        for number in 4..TEXTS as u32 {
            assert_eq!(texts.intern(&format!("text {number}").into()), Interned::New(number));
        }
        assert_eq!(texts.intern(&"one more".into()), Interned::Full);
        assert_eq!(texts.intern(&"c".into()), Interned::Known(2));
    }
}
