//! What every rule says of one frame, and what would become of it: a question, not a judgement.
//!
//! No rule stops the others here, and nothing is taken or noted: not from a limit, not in the memory for multipart
//! messages. An [`Explanation`] is no [`Cleared`](super::Cleared): nothing goes to the SMSC on the strength of it.

use super::{
    Assembly, Context, Entry, Full, Mode, Now, Policy, Recipient, Rejection, Rewritten, RuleName, Standing, Submission,
    Verdict,
};
use crate::pdu::{Frame, Malformed};
use crate::reference::Ref;

/// What every rule says of one frame.
#[derive(Debug)]
pub struct Explanation<'b> {
    /// The message as the rules saw it.
    pub message: Submission<'b>,
    /// Every rule, in the order in which they run.
    pub opinions: Vec<Opinion>,
    /// Refusals of the proxy's own, which no mode turns off: a text that cannot be read, a message of which an earlier
    /// part was refused, parts for which there is no memory.
    pub own: Vec<Rejection>,
    /// What [`Policy::clear`] would make of it now.
    pub outcome: Foretold,
}

/// What one rule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opinion {
    /// The rule.
    pub rule: RuleName,
    /// Whether its refusals count.
    pub mode: Mode,
    /// Of the message as a whole.
    pub says: Says,
    /// Of single recipients, by their place in the message: those of which it does not say [`Says::Pass`].
    pub recipients: Vec<(usize, Says)>,
}

/// What a rule says of a message or of a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Says {
    /// Nothing against it.
    Pass,
    /// It must not go up.
    Refuse(Rejection),
    /// It may, but it is put on record.
    Note(Rejection),
    /// It is about what the message says, and that cannot be read.
    Unread,
    /// The rule does not run.
    Off,
}

impl Says {
    /// Why not, or why it is recorded.
    pub fn rejection(&self) -> Option<&Rejection> {
        match self {
            Self::Refuse(rejection) | Self::Note(rejection) => Some(rejection),
            Self::Pass | Self::Unread | Self::Off => None,
        }
    }

    /// Whether it must not go up.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refuse(_))
    }

    fn refusal(&self, mode: Mode) -> Option<&Rejection> {
        match self {
            Self::Refuse(rejection) if mode == Mode::Enforce => Some(rejection),
            _ => None,
        }
    }
}

/// What would become of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Foretold {
    /// It would go up as it is.
    Relayed,
    /// A submit_multi would go up without these destinations, by their place in it.
    Reduced(Vec<(usize, Rejection)>),
    /// It would be refused.
    Rejected(Rejection),
}

impl Policy {
    /// Asks every rule about one frame of a bind. Changes nothing.
    ///
    /// # Errors
    /// The body cannot be read, and would be refused for that.
    pub fn explain<'b>(&self, frame: Frame<'b>, standing: &Standing, now: Now) -> Result<Explanation<'b>, Malformed> {
        let message = Submission::decode(frame)?;
        let account = &*standing.account;
        let concatenation = &standing.snapshot.memory().concatenation;
        let assembly = message.part.map(|part| concatenation.enter(account, &message, part, now));
        // It goes nowhere, so it has no name.
        let nameless = Ref::from_octets([0; 16]);
        let mut context = Context::new(&message, standing, assembly.as_ref(), nameless, now);
        let (unread, barred) = self.question_texts(&mut context);
        let refused = self.question_recipients(&context);
        if !context.refuses_whole(&refused) {
            context.refused.clone_from(&refused);
        }
        let opinions: Vec<Opinion> = RuleName::ORDER.map(|name| self.opinion(name, &context, unread)).into();
        let full = no_room(&context);
        let outcome = self.foretell(frame, &context, barred.as_ref(), refused, full.as_ref());
        let own = barred.into_iter().chain(full).collect();
        Ok(Explanation { message, opinions, own, outcome })
    }

    /// Reads what the message says, if a rule wants to know: whether it cannot be read, and why that, or an earlier part,
    /// refuses the message.
    fn question_texts(&self, context: &mut Context<'_>) -> (bool, Option<Rejection>) {
        if !self.entries.iter().any(|entry| entry.name.reads_text()) {
            return (false, None);
        }
        let condemned = context.assembly.and_then(Assembly::condemned).cloned();
        let read = self.inspect(context);
        match read {
            Ok(()) => (false, condemned),
            Err(evidence) => {
                let refused = !context.account.may_send_unread(&evidence);
                (true, condemned.or(refused.then(|| Rejection::unreadable(evidence))))
            }
        }
    }

    /// The first refusal of each recipient that has one.
    fn question_recipients(&self, context: &Context<'_>) -> Vec<(usize, Rejection)> {
        let first = |recipient: &Recipient<'_>| {
            self.entries.iter().find_map(|entry| {
                let says = entry.says(entry.rule.check_recipient(context, recipient));
                says.refusal(entry.mode()).cloned()
            })
        };
        context.all().enumerate().filter_map(|(index, recipient)| Some((index, first(&recipient)?))).collect()
    }

    fn opinion(&self, name: RuleName, context: &Context<'_>, unread: bool) -> Opinion {
        let Some(entry) = self.entries.iter().find(|entry| entry.name == name) else {
            return Opinion { rule: name, mode: Mode::Off, says: Says::Off, recipients: Vec::new() };
        };
        let check = match (entry.rule.check(context), entry.rule.consuming()) {
            (Verdict::Pass, Some(rule)) => rule.preview(context),
            (check, _) => check,
        };
        let says = match entry.says(check) {
            Says::Pass if unread && name.judges_text() => Says::Unread,
            says => says,
        };
        let each =
            context.all().map(|recipient| entry.says(entry.rule.check_recipient(context, &recipient))).enumerate();
        let recipients = each.filter(|(_, says)| *says != Says::Pass).collect();
        Opinion { rule: name, mode: entry.mode(), says, recipients }
    }

    /// The same steps as [`Policy::judge`], with answers instead of questions.
    fn foretell(
        &self,
        frame: Frame<'_>,
        context: &Context<'_>,
        barred: Option<&Rejection>,
        refused: Vec<(usize, Rejection)>,
        full: Option<&Rejection>,
    ) -> Foretold {
        let refusal = |entry: &Entry, verdict| entry.says(verdict).refusal(entry.mode()).cloned();
        if let Some(barred) = barred.filter(|_| self.may_turn_out_an_offer(context)) {
            return Foretold::Rejected(barred.clone());
        }
        for entry in &self.entries {
            if let Some(barred) = barred.filter(|_| entry.name.reads_text()) {
                return Foretold::Rejected(barred.clone());
            }
            if let Some(rejection) = refusal(entry, entry.rule.check(context)) {
                return Foretold::Rejected(rejection);
            }
        }
        let whole = context.refuses_whole(&refused);
        if let Some((_, first)) = refused.first().filter(|_| whole) {
            return Foretold::Rejected(first.clone());
        }
        if let Some(full) = full {
            return Foretold::Rejected(full.clone());
        }
        if let Some(rejection) = self.consuming().find_map(|(entry, rule)| refusal(entry, rule.preview(context))) {
            return Foretold::Rejected(rejection);
        }
        if refused.is_empty() {
            return Foretold::Relayed;
        }
        let is_kept = |index| refused.binary_search_by_key(&index, |(refused, _)| *refused).is_err();
        match Rewritten::submit_multi(frame, |index, _| is_kept(index)) {
            Some(_writable) => Foretold::Reduced(refused),
            None => {
                Foretold::Rejected(refused.into_iter().next().map_or_else(Rejection::unwritable, |(_, first)| first))
            }
        }
    }
}

impl Entry {
    fn mode(&self) -> Mode {
        if self.enforce { Mode::Enforce } else { Mode::Shadow }
    }

    fn says(&self, verdict: Verdict) -> Says {
        match verdict {
            Verdict::Pass => Says::Pass,
            Verdict::Refuse(refusal) => Says::Refuse(self.rejection(refusal)),
            Verdict::Note(refusal) => Says::Note(Rejection { mode: Mode::Shadow, ..self.rejection(refusal) }),
        }
    }
}

/// The refusal of a part that there is no memory for.
fn no_room(context: &Context<'_>) -> Option<Rejection> {
    let octets = context.message.texts().map(|(_, octets)| octets.len()).sum();
    let Full(held) = context.assembly?.room(octets).err()?;
    Some(Rejection::full(held))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::super::tests::{Scene, address, message, multi, part, submit, text};
    use super::super::{Evidence, Outcome, Recipients};
    use super::*;
    use crate::config::Purpose;
    use crate::pdu::{CommandStatus, DataCoding, Destination, EsmClass, SubmitSm};

    const LIST: &str = "rule = 'content'\nlanguage = 'en'\nclause = 34\ncategory = 'hate'\n\
                        [[entry]]\nid = 'own-1'\nmatch = ['zorble now']";

    fn explain<'b>(scene: &Scene, pdu: &'b [u8]) -> Explanation<'b> {
        let policy = scene.standing.snapshot.policy();
        policy.explain(Frame::from_bytes(pdu).unwrap(), &scene.standing, scene.now).unwrap()
    }

    /// What the live path makes of it.
    fn clear(scene: &mut Scene, pdu: &[u8]) -> Foretold {
        let policy = scene.standing.snapshot.policy();
        let outcome = policy.clear(Frame::from_bytes(pdu).unwrap(), &scene.standing, scene.now, &mut scene.shadowed);
        match outcome {
            Outcome::Cleared(..) => Foretold::Relayed,
            Outcome::Reduced { refused, .. } => {
                let Recipients::Many(all) = Submission::decode(Frame::from_bytes(pdu).unwrap()).unwrap().recipients
                else {
                    panic!("only a submit_multi is reduced")
                };
                let mut places = all.iter().enumerate();
                let place = |address| places.find(|(_, it)| super::super::address(it) == address).unwrap().0;
                let (addresses, rejections): (Vec<_>, Vec<_>) = refused.into_iter().unzip();
                Foretold::Reduced(addresses.into_iter().map(place).zip(rejections).collect())
            }
            Outcome::Rejected(rejection, _) => Foretold::Rejected(rejection),
            outcome => panic!("{outcome:?}"),
        }
    }

    fn says(explanation: &Explanation<'_>, rule: RuleName) -> (Mode, Says) {
        let opinion = explanation.opinions.iter().find(|opinion| opinion.rule == rule).unwrap();
        (opinion.mode, opinion.says.clone())
    }

    #[test]
    fn every_rule_speaks_though_the_first_has_refused() {
        let scene =
            Scene::new("sender = [{ id = 'SHOP' }]\n[policy.media]\nmode = 'shadow'\n[policy.health]\nmode = 'off'");
        let pdu = submit(
            SubmitSm {
                source: address(b"Bank"),
                esm_class: EsmClass(EsmClass::TYPE_DELIVERY_ACK | EsmClass::UDHI),
                short_message: b"\x03\x10\x01\0hello",
                ..message()
            },
            &[],
        );
        let explanation = explain(&scene, &pdu);
        assert_eq!(explanation.opinions.iter().map(|opinion| opinion.rule).collect::<Vec<_>>(), RuleName::ORDER);
        let evidence = |rule| {
            let (mode, says) = says(&explanation, rule);
            (mode, says.rejection().map(|rejection| rejection.evidence))
        };
        assert_eq!(evidence(RuleName::Account), (Mode::Enforce, Some(Evidence::Permission("allow_receipt_types"))));
        assert_eq!(evidence(RuleName::Sender), (Mode::Enforce, Some(Evidence::Sender("not declared for the account"))));
        assert_eq!(evidence(RuleName::Media), (Mode::Shadow, Some(Evidence::Element("an EMS picture"))));
        assert_eq!(says(&explanation, RuleName::Health), (Mode::Off, Says::Off));
        assert_eq!(says(&explanation, RuleName::Rate), (Mode::Enforce, Says::Pass));
        let Foretold::Rejected(first) = &explanation.outcome else { panic!("{:?}", explanation.outcome) };
        assert_eq!(first.rule, RuleName::Account);
    }

    #[test]
    fn a_text_that_cannot_be_read_leaves_the_rules_about_it_without_an_opinion() {
        let scene = Scene::new("sender = [{ id = 'SHOP' }]\n[policy.content]\nmode = 'off'");
        let pdu = submit(SubmitSm { data_coding: DataCoding(8), short_message: b"odd", ..message() }, &[]);
        let explanation = explain(&scene, &pdu);
        assert_eq!(says(&explanation, RuleName::Fraud), (Mode::Enforce, Says::Unread));
        assert_eq!(says(&explanation, RuleName::Content), (Mode::Off, Says::Off));
        assert_eq!(explanation.own.len(), 1);
        assert_eq!(explanation.outcome, Foretold::Rejected(explanation.own[0].clone()));
    }

    #[test]
    fn asking_takes_nothing() {
        let rate = "rate = { per_second = 1, burst = 2 }\nsender = [{ id = 'SHOP' }]";
        let mut scene = Scene::new(rate);
        let parts = [part(1, 2, 1, 0), part(1, 2, 2, 0), part(2, 3, 1, 0)];
        for _ in 0..3 {
            assert_eq!(explain(&scene, &parts[0]).outcome, Foretold::Relayed);
            let Foretold::Rejected(never) = explain(&scene, &parts[2]).outcome else { panic!("3 of 2 at once") };
            assert_eq!((never.rule, never.status), (RuleName::Rate, CommandStatus::ESME_RSUBMITFAIL));
        }
        assert_eq!(clear(&mut scene, &parts[0]), Foretold::Relayed);
        for _ in 0..3 {
            assert_eq!(explain(&scene, &parts[1]).outcome, Foretold::Relayed, "rides on the first");
            let Foretold::Rejected(later) = explain(&scene, &text("hello")).outcome else { panic!("nothing is left") };
            assert_eq!((later.rule, later.status), (RuleName::Rate, CommandStatus::ESME_RTHROTTLED));
        }
    }

    /// A message of some kind, often with something against it.
    fn pdus() -> impl Strategy<Value = Vec<u8>> {
        let words = select(&["hello", "Please zorble", " now, or else", "zorble now!", "send us your PIN", ""][..]);
        let sources = select(&["SHOP", "SHOP", "shop", "Bank", ""][..]);
        let codings = select(&[0_u8, 0, 0, 1, 3, 4, 8, 0x30, 0xF0][..]);
        let classes = select(&[0_u8, 0, 0, EsmClass::TYPE_RECEIPT, EsmClass::UDHI][..]);
        let plain =
            (words.clone(), sources, codings, classes, 0..3_u8).prop_map(|(words, source, coding, class, canned)| {
                let (source, data_coding, esm_class) =
                    (address(source.as_bytes()), DataCoding(coding), EsmClass(class));
                let short_message = words.as_bytes();
                let sm_default_msg_id = canned / 2;
                submit(SubmitSm { source, data_coding, esm_class, short_message, sm_default_msg_id, ..message() }, &[])
            });
        let numbered = (1..3_u8, 2..4_u8, 1..4_u8, words).prop_map(|(reference, total, number, words)| {
            let text = [&[5, 0, 3, reference, total, number.min(total)][..], words.as_bytes()].concat();
            submit(SubmitSm { esm_class: EsmClass(EsmClass::UDHI), short_message: &text, ..message() }, &[])
        });
        let destinations = [
            Destination::Sme(address(b"32470123456")),
            Destination::Sme(address(b"32470654321")),
            Destination::List(b"friends"),
        ];
        let many = proptest::sample::subsequence(destinations.to_vec(), 1..=3).prop_map(|some| multi(&some));
        prop_oneof![3 => plain, 3 => numbered, 1 => many]
    }

    /// Limits that so few messages reach.
    fn limits(rule: RuleName) -> &'static str {
        match rule {
            RuleName::Campaign => "person = { per_minute = 5, per_day = 9, recipients = 1 }\n",
            RuleName::Repetition => "same_within = '2s'\nsimilar_within = '2s'\n",
            RuleName::Rate => "codes = { most = 3, within = '1m' }\nrange = { most = 1, within = '1m' }\n",
            _ => "",
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn the_live_path_does_what_was_foretold(
            pdus in prop::collection::vec(pdus(), 20..80),
            modes in prop::collection::vec(select(&["enforce", "enforce", "shadow", "off"][..]), RuleName::ORDER.len()),
            switches in any::<[bool; 3]>(),
            bursts in (2..12_u32, 2..12_u32),
            purpose in select(Purpose::ALL.to_vec()),
        ) {
            let [strict, binary, limited] = switches;
            let rules: String = RuleName::ORDER
                .iter()
                .zip(&modes)
                .map(|(name, mode)| format!("[policy.{}]\nmode = '{mode}'\n{}", name.name(), limits(*name)))
                .collect();
            let bounds = if limited { "references_per_account = 1\nreferences = 2" } else { "" };
            let mut scene = Scene::with_list(
                &format!(
                    "strict_multi = {strict}\nallow_binary = {binary}\nrate = {{ per_second = 1, burst = {} }}\n\
                     bind_rate = {{ per_second = 1, burst = {} }}\ndefault_purpose = '{}'\ncountry_rate = {{ BE = {{ \
                     per_second = 1, burst = 5 }} }}\n{rules}[policy.concatenation]\n{bounds}",
                    bursts.0, bursts.1, purpose.name(),
                ),
                LIST,
            );
            for pdu in &pdus {
                let foretold = explain(&scene, pdu).outcome;
                prop_assert_eq!(explain(&scene, pdu).outcome, foretold.clone(), "asked twice");
                prop_assert_eq!(clear(&mut scene, pdu), foretold);
                scene.later(100);
            }
        }
    }
}
