//! The lists that were compiled last: a configuration that names the same ones as another, as nearly every reload does,
//! shares what was made of them. Never keeps more than a few.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::lists::{Lists, Source};
use crate::config::{Faults, ListFile};

/// What is in force, what is tried in its place, and as much again for who runs two at once.
const KEPT: usize = 4;

/// What lists are compiled from, beside those that are shipped.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The operator's own.
    pub(super) lists: Vec<ListFile>,
    /// Languages whose entries count; none: all.
    pub(super) languages: Vec<String>,
    /// Entries and categories that do not.
    pub(super) except: Vec<String>,
}

static LAST: Mutex<VecDeque<(Wanted, Arc<Lists>)>> = Mutex::new(VecDeque::new());

impl Wanted {
    /// What is made of it. Who asks for the same while it is being made waits for it.
    ///
    /// # Errors
    /// Every fault of the operator's lists.
    pub(super) fn compiled(self) -> Result<Arc<Lists>, Vec<Faults>> {
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, lists)) = last.iter().find(|(wanted, _)| *wanted == self) {
            return Ok(lists.clone());
        }
        let lists = Arc::new(self.compile()?);
        last.truncate(KEPT - 1);
        last.push_front((self, lists.clone()));
        Ok(lists)
    }

    fn compile(&self) -> Result<Lists, Vec<Faults>> {
        let Self { lists, languages, except } = self;
        Lists::with_shipped(lists.iter().map(|list| Source { file: &list.file, text: &list.text }), |entry| {
            let spoken = languages.is_empty() || entry.language == "any" || languages.contains(&entry.language);
            spoken && !except.contains(&entry.id) && !except.contains(&entry.category)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(entry: &str, languages: &[&str], except: &[&str]) -> Wanted {
        let text = format!("rule = 'content'\nlanguage = 'nl'\nclause = 30\ncategory = 'own'\n[[entry]]\n{entry}\n");
        let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        let lists = vec![ListFile { file: "own.toml".to_owned(), text }];
        Wanted { lists, languages: owned(languages), except: owned(except) }
    }

    #[test]
    fn the_same_lists_are_made_once_and_others_anew() {
        let one = || wanted("id = 'compiled-1'\nmatch = ['zorble']", &["xx"], &[]).compiled().unwrap();
        let first = one();
        assert!(Arc::ptr_eq(&first, &one()));
        for other in [
            wanted("id = 'compiled-1'\nmatch = ['zorbles']", &["xx"], &[]),
            wanted("id = 'compiled-1'\nmatch = ['zorble']", &["nl"], &[]),
            wanted("id = 'compiled-1'\nmatch = ['zorble']", &["xx"], &["own"]),
        ] {
            assert!(!Arc::ptr_eq(&first, &other.compiled().unwrap()));
        }
        let faulty = || wanted("id = 'compiled-1'\nmatch = ['(']", &["xx"], &[]).compiled();
        assert!(faulty().is_err() && faulty().is_err(), "a fault is none the less one the second time");
    }
}
