//! `content` (clauses 3, 30, 31, 33, 34): what a message must not say, as lists and the operator's expressions have it.

use super::super::inspection::Ground;
use super::super::{Context, Rule, Verdict};

#[derive(Debug)]
pub(super) struct Content;

impl Rule for Content {
    #[inline]
    fn check(&self, context: &Context<'_>) -> Verdict {
        context.findings.on(Ground::Content).map_or(Verdict::Pass, super::refuse)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{Scene, said, text};
    use crate::pdu::CommandStatus;

    #[test]
    fn an_entry_refuses_with_its_clause_and_a_licence_lets_its_category_pass() {
        let mut scene = Scene::with_list(
            "",
            "rule = 'content'\nlanguage = 'xx'\nclause = 30\ncategory = 'gambling'\n[[entry]]\nid = 'own-1'\nmatch = ['zorble now']",
        );
        let rejection = scene.clear(&text("Please ZORBLE now!")).unwrap_err();
        assert_eq!((rejection.clause.unwrap().0, rejection.status), (30, CommandStatus::ESME_RSUBMITFAIL));
        assert_eq!(said(&rejection), ("own-1".to_owned(), 7..17));
        assert_eq!(scene.clear(&text("Please zorble later")), Ok(()));
        let mut licensed = Scene::with_list(
            "licences = ['gambling']",
            "rule = 'content'\nlanguage = 'xx'\nclause = 30\ncategory = 'gambling'\n[[entry]]\nid = 'own-1'\nmatch = ['zorble now']",
        );
        assert_eq!(licensed.clear(&text("Please ZORBLE now!")), Ok(()));
    }
}
