//! `brand` (clauses 6, 7): each message names the brand that speaks, and no other.

use super::super::inspection::Ground;
use super::super::{Clause, Context, Evidence, Refusal, Rule, SenderFacts, Verdict};
use crate::pdu::CommandStatus;

/// Clause 7: name the brand in each message.
const NAMED: Clause = Clause(7);

#[derive(Debug)]
pub(super) struct Brand;

impl Rule for Brand {
    #[inline]
    fn check(&self, context: &Context<'_>) -> Verdict {
        if let Some(found) = context.findings.on(Ground::OtherBrand) {
            return super::refuse(found);
        }
        if context.account.declared().brands.is_empty()
            || context.findings.named
            || context.sender.is_some_and(SenderFacts::names_brand)
            || context.assembly.is_some_and(|assembly| assembly.named() || !assembly.completes())
        {
            return Verdict::Pass;
        }
        let status = CommandStatus::ESME_RSUBMITFAIL;
        Verdict::Refuse(Refusal { clause: Some(NAMED), status, evidence: Evidence::Unnamed })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{Scene, from, parts, text};
    use super::*;

    fn scene() -> Scene {
        Scene::new(
            "brands = ['Blue Shop']\nsender = [{ id = 'SHOP' }, { id = 'BlueShop' }]\n[policy.brand]\nmode = 'enforce'\n\
             [[brand]]\nname = 'Polderbank'\nspellings = ['Polder Bank']",
        )
    }

    #[test]
    fn the_text_or_the_sender_names_the_brand() {
        let mut scene = scene();
        for named in ["Blue Shop: your order is here", "Your order from BLUE-SHOP is here"] {
            assert_eq!(scene.clear(&text(named)), Ok(()), "{named}");
        }
        let rejection = scene.clear(&text("Your order is here")).unwrap_err();
        assert_eq!((rejection.clause, rejection.evidence), (Some(NAMED), Evidence::Unnamed));
        assert_eq!(scene.clear(&from("BlueShop", "Your order is here")), Ok(()));
        // Any part may name it, and only the one that completes the message can miss it.
        for pdu in parts(&[b"Blue Sh", b"op: it is", b" here"], 1).into_iter().chain(parts(&[b"1 ", b"Blue Shop"], 2)) {
            assert_eq!(scene.clear(&pdu), Ok(()));
        }
        let unnamed = parts(&[b"It is", b" here"], 3);
        assert_eq!(scene.clear(&unnamed[0]), Ok(()));
        assert_eq!(scene.clear(&unnamed[1]).unwrap_err().clause, Some(NAMED));
    }

    #[test]
    fn another_brand_is_not_named() {
        let rejection = scene().clear(&text("Blue Shop and Polder-Bank: your account")).unwrap_err();
        assert_eq!(rejection.clause, Some(Clause(6)));
        assert!(rejection.evidence.to_string().starts_with("names Polderbank at octets 14..25"), "{rejection}");
    }
}
