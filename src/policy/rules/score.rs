//! The trained score, a signal of `content`: what a model thinks of the text as a whole. Cites no clause but the model.

use super::super::{Context, Evidence, Refusal, Rule, Verdict};
use crate::pdu::CommandStatus;

#[derive(Debug)]
pub(super) struct Score {
    threshold: f32,
}

impl Score {
    pub(super) fn new(threshold: f32) -> Self {
        Self { threshold }
    }
}

impl Rule for Score {
    #[inline]
    fn check(&self, context: &Context<'_>) -> Verdict {
        match context.findings.score {
            Some((model, score)) if score >= self.threshold => Verdict::Refuse(Refusal {
                clause: None,
                status: CommandStatus::ESME_RSUBMITFAIL,
                evidence: Evidence::Score { model, thousandths: (score * 1000.0) as u16 },
            }),
            _ => Verdict::Pass,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::score::{Data, study};
    use super::super::super::tests::{Scene, config, parts, text};
    use super::*;
    use crate::config::{self, Mode};

    /// A model that has seen what is ham and what is spam.
    fn model() -> Vec<u8> {
        let lines: String = (0..60)
            .map(|number| {
                let number = char::from(b'a' + number % 26);
                format!("ham\tsee you at dinner tonight {number}{number}\nspam\tclaim your casino bonus now {number}{number}\n")
            })
            .collect();
        study(&[Data::parse(lines.as_bytes(), "lines.tsv")], &[], 0.01).unwrap().0.to_bytes()
    }

    fn scene(mode: Mode) -> Scene {
        let mut config = config("sender = [{ id = 'SHOP' }]\n[policy.lists]\nlanguages = ['xx']");
        let (file, threshold) = ("m.model".to_owned(), Some(600));
        config.texts.score = Some(config::Score { mode, file, model: model(), threshold });
        Scene::of(config)
    }

    #[test]
    fn it_is_recorded_and_refuses_only_when_told_to() {
        let spam = text("claim your casino bonus now xy");
        let mut shadow = scene(Mode::Shadow);
        assert_eq!(shadow.clear(&spam), Ok(()));
        let [shadowed] = &shadow.shadowed[..] else { panic!("{:?}", shadow.shadowed) };
        assert!(matches!(shadowed.evidence, Evidence::Score { thousandths: 600.., .. }), "{shadowed}");
        let mut enforced = scene(Mode::Enforce);
        let refused = enforced.clear(&spam).unwrap_err();
        assert_eq!((refused.clause, refused.mode), (None, Mode::Enforce));
        assert_eq!(enforced.clear(&text("see you at dinner tonight xy")), Ok(()));
        let pdus = parts(&[b"claim your casi", b"no bonus now xy"], 1);
        assert_eq!(enforced.clear(&pdus[1]), Ok(()), "half a text has no score");
        assert!(enforced.clear(&pdus[0]).is_err());
        assert_eq!(scene(Mode::Off).clear(&spam), Ok(()));
    }

    #[test]
    fn a_damaged_model_is_named() {
        let mut config = config("");
        let (file, model) = ("m.model".to_owned(), b"no model".to_vec());
        config.texts.score = Some(config::Score { mode: Mode::Shadow, file, model, threshold: None });
        let faults = super::super::super::Snapshot::new(config).unwrap_err().to_string();
        assert!(faults.starts_with("m.model: octet 0: "), "{faults}");
    }
}
