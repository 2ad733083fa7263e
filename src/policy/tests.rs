//! What the tests of the rules share: one account, one bind, messages made of a few fields, and a clock set by hand.

use std::sync::Arc;

use bytes::BytesMut;

use super::*;
use crate::config::{self, Config, ListFile};
use crate::pdu::{Destinations, EsmClass, SequenceNumber, SubmitMulti, SubmitSm, Tlv, TlvTag, Tlvs};

/// A bind of the account `shop`.
pub(super) struct Scene {
    pub(super) standing: Standing,
    pub(super) now: Now,
    pub(super) shadowed: Vec<Rejection>,
}

impl Scene {
    /// With these keys and senders of the account, or more tables after them.
    pub(super) fn new(account: &str) -> Self {
        Self::of(config(account))
    }

    /// With these keys of the account, and one list of the operator's.
    pub(super) fn with_list(account: &str, list: &str) -> Self {
        // Without the shipped lists, which take a while to compile when nothing is optimised.
        let mut config = config(&format!("{SHOP}\n{account}\n[policy.lists]\nlanguages = ['xx']"));
        config.texts.lists = vec![ListFile { file: "own.toml".to_owned(), text: list.to_owned() }];
        Self::of(config)
    }

    /// With these keys of the account, and these facts about it.
    pub(super) fn knowing(account: &str, facts: &str) -> Self {
        let facts = config::Facts::parse(facts, "facts.toml").unwrap_or_else(|faults| panic!("{faults}"));
        let text = format!("{account}\n[policy.lists]\nlanguages = ['xx']");
        Self::with(config(&text), Arc::new(DeclaredFacts::new("shop", facts)))
    }

    /// With this configuration.
    pub(super) fn of(config: Config) -> Self {
        Self::with(config, Arc::new(NoFacts))
    }

    fn with(config: Config, facts: Arc<dyn DurableFacts>) -> Self {
        let snapshot = Snapshot::knowing(config, facts).unwrap_or_else(|faults| panic!("{faults}"));
        let snapshot = Arc::new(snapshot);
        let account = snapshot.account(b"shop").unwrap().clone();
        let limiter = account.declared().bind_rate.map(Limiter::new);
        // Tuesday, 2026-11-24T12:00:00Z.
        let at = 1_795_521_600_000;
        let now = Now { monotonic_nanos: 5_000_000_000, unix_millis: at, steady_millis: at };
        Self { standing: Standing { snapshot, account, limiter, withholds: false }, now, shadowed: Vec::new() }
    }

    /// What becomes of these octets: whether they pass, or why not.
    pub(super) fn clear(&mut self, pdu: &[u8]) -> Result<(), Rejection> {
        let frame = Frame::from_bytes(pdu).unwrap();
        match self.standing.snapshot.policy().clear(frame, &self.standing, self.now, &mut self.shadowed) {
            Outcome::Cleared(cleared, _) => {
                assert_eq!(cleared.bytes(), pdu);
                Ok(())
            }
            Outcome::Rejected(rejection, _) => Err(rejection),
            outcome => panic!("{outcome:?}"),
        }
    }

    /// The same, by status.
    pub(super) fn status(&mut self, pdu: &[u8]) -> CommandStatus {
        self.clear(pdu).map_or_else(|rejection| rejection.status, |()| CommandStatus::ESME_ROK)
    }

    /// The destinations of a submit_multi that are refused while others pass.
    pub(super) fn taken_out<'b>(&mut self, pdu: &'b [u8]) -> Vec<&'b [u8]> {
        let policy = self.standing.snapshot.policy();
        match policy.clear(Frame::from_bytes(pdu).unwrap(), &self.standing, self.now, &mut self.shadowed) {
            Outcome::Reduced { refused, .. } => refused.iter().map(|(address, _)| address.digits).collect(),
            outcome => panic!("{outcome:?}"),
        }
    }

    /// At this time, in milliseconds since 1970, by a clock that nobody has set.
    pub(super) fn at(&mut self, unix_millis: i64) {
        (self.now.unix_millis, self.now.steady_millis) = (unix_millis, unix_millis);
    }

    pub(super) fn later(&mut self, millis: u64) {
        self.now.monotonic_nanos += millis * 1_000_000;
        self.now.unix_millis += millis as i64;
        self.now.steady_millis += millis as i64;
    }
}

/// A configuration with one account, `shop`, of these keys.
pub(super) fn config(account: &str) -> Config {
    let purpose = if account.contains("default_purpose") { "" } else { "default_purpose = 'transactional'\n" };
    let text = format!("[upstream.main]\naddress = 'simulator'\n[[account]]\nsystem_id = 'shop'\n{purpose}{account}");
    let parsed = Config::parse(&text, "test.toml", std::path::Path::new("/"));
    let mut config = parsed.unwrap_or_else(|faults| panic!("{faults}"));
    // Room for a million would take longer to make than most tests take.
    config.repetition.recipients = 1000;
    // Most tests send the same message over and over.
    if !account.contains("_within") {
        (config.repetition.same_within, config.repetition.similar_within) = Default::default();
    }
    config
}

/// What most messages are: from `SHOP` to one recipient.
pub(super) fn message() -> SubmitSm<'static> {
    let (source, destination) = (address(b"SHOP"), address(b"32470123456"));
    SubmitSm { source, destination, short_message: b"hello", ..SubmitSm::default() }
}

pub(super) fn address(digits: &[u8]) -> Address<'_> {
    Address { digits, ..Address::default() }
}

/// A submit_sm with these parameters.
pub(super) fn submit(message: SubmitSm<'_>, tlvs: &[(TlvTag, &[u8])]) -> Vec<u8> {
    let (mut list, mut pdu) = (BytesMut::new(), BytesMut::new());
    let tlvs = Tlvs::build(tlvs.iter().map(|(tag, value)| Tlv { tag: *tag, value }), &mut list).unwrap();
    SubmitSm { tlvs, ..message }.encode(SequenceNumber(1), &mut pdu).unwrap();
    pdu.to_vec()
}

/// An ordinary submit_sm.
pub(super) fn plain() -> Vec<u8> {
    submit(message(), &[])
}

/// A submit_sm with this text, in GSM characters that are ASCII as well.
pub(super) fn text(text: &str) -> Vec<u8> {
    submit(SubmitSm { short_message: text.as_bytes(), ..message() }, &[])
}

/// The same from another sender.
pub(super) fn from(sender: &str, text: &str) -> Vec<u8> {
    submit(SubmitSm { source: address(sender.as_bytes()), short_message: text.as_bytes(), ..message() }, &[])
}

/// The parts of a text under an 8-bit reference.
pub(super) fn parts(texts: &[&[u8]], reference: u8) -> Vec<Vec<u8>> {
    let total = texts.len() as u8;
    let one = |(index, text): (usize, &&[u8])| {
        let text = [&[5, 0, 3, reference, total, index as u8 + 1][..], text].concat();
        submit(SubmitSm { esm_class: EsmClass(EsmClass::UDHI), short_message: &text, ..message() }, &[])
    };
    texts.iter().enumerate().map(one).collect()
}

/// The list entry that a rejection rests on, and where it matches.
pub(super) fn said(rejection: &Rejection) -> (String, std::ops::Range<u32>) {
    match rejection.evidence {
        Evidence::Entry { entry, span, .. } => (entry.to_string(), span.from.octet..span.to.octet),
        other => panic!("{other:?}"),
    }
}

/// A submit_sm that is a part, its text told apart from others' by `content`.
pub(super) fn part(reference: u8, total: u8, number: u8, content: u8) -> Vec<u8> {
    let text = [5, 0, 3, reference, total, number, content];
    submit(SubmitSm { esm_class: EsmClass(EsmClass::UDHI), short_message: &text, ..message() }, &[])
}

/// A submit_multi of `SHOP`.
pub(super) fn multi(destinations: &[Destination<'_>]) -> Vec<u8> {
    let (mut list, mut pdu) = (BytesMut::new(), BytesMut::new());
    let destinations = Destinations::build(destinations.iter().copied(), &mut list).unwrap();
    let message = SubmitMulti { source: address(b"SHOP"), destinations, ..SubmitMulti::default() };
    message.encode(SequenceNumber(1), &mut pdu).unwrap();
    pdu.to_vec()
}

const SHOP: &str = "sender = [{ id = 'SHOP' }]";

#[test]
fn the_first_rule_that_refuses_wins_and_shadows_go_on() {
    let canned_of_another = submit(SubmitSm { source: address(b"Bank"), sm_default_msg_id: 9, ..message() }, &[]);
    let both = Scene::new(SHOP).clear(&canned_of_another).unwrap_err();
    assert_eq!((both.rule, both.mode, both.clause), (RuleName::Account, Mode::Enforce, None));
    let mut scene = Scene::new(&format!("{SHOP}\n[policy.account]\nmode = 'shadow'"));
    let sender = scene.clear(&canned_of_another).unwrap_err();
    assert_eq!((sender.rule, sender.clause), (RuleName::Sender, Some(Clause(5))));
    assert_eq!(
        scene.shadowed.iter().map(|shadow| (shadow.rule, shadow.mode)).collect::<Vec<_>>(),
        [(RuleName::Account, Mode::Shadow)]
    );
    let mut scene = Scene::new(&format!("{SHOP}\n[policy.account]\nmode = 'off'\n[policy.sender]\nmode = 'off'"));
    assert_eq!(scene.clear(&canned_of_another), Ok(()));
    assert_eq!(scene.shadowed, []);
}

#[test]
fn an_override_takes_the_rules_place_but_never_makes_what_is_final_retryable() {
    let mut scene = Scene::new(&format!("{SHOP}\n[policy.sender]\nstatus = 'ESME_RINVDSTADR'"));
    let other = submit(SubmitSm { source: address(b"Bank"), ..message() }, &[]);
    assert_eq!(scene.status(&other), CommandStatus::ESME_RINVDSTADR);
    let rate =
        "rate = { per_second = 1, burst = 2 }\nsender = [{ id = 'SHOP' }]\n[policy.rate]\nstatus = 'ESME_RMSGQFUL'";
    let mut scene = Scene::new(rate);
    // More parts than may ever come at once: no retry cures that.
    assert_eq!(scene.status(&part(1, 3, 1, 0)), CommandStatus::ESME_RSUBMITFAIL);
    assert_eq!(scene.status(&part(1, 2, 1, 0)), CommandStatus::ESME_ROK);
    assert_eq!(scene.status(&plain()), CommandStatus::ESME_RMSGQFUL);
}

#[test]
fn what_cannot_be_read_is_not_judged() {
    let mut cut_short = plain();
    cut_short.truncate(30);
    cut_short[3] = 30;
    let mut scene = Scene::new(SHOP);
    let frame = Frame::from_bytes(&cut_short).unwrap();
    let outcome = scene.standing.snapshot.policy().clear(frame, &scene.standing, scene.now, &mut scene.shadowed);
    assert!(matches!(outcome, Outcome::Malformed(_)), "{outcome:?}");
}

#[test]
fn what_is_withheld_has_taken_nothing_and_what_is_refused_is_refused_all_the_same() {
    let mut scene = Scene::new("sender = [{ id = 'SHOP' }]\nrate = { per_second = 1, burst = 2 }");
    scene.standing.withholds = true;
    let pdu = submit(message(), &[]);
    let outcome = |scene: &mut Scene, pdu: &[u8]| {
        let frame = Frame::from_bytes(pdu).unwrap();
        let policy = scene.standing.snapshot.policy();
        match policy.clear(frame, &scene.standing, scene.now, &mut scene.shadowed) {
            Outcome::Withheld => "withheld",
            Outcome::Rejected(..) => "rejected",
            _ => "other",
        }
    };
    assert!((0..5).all(|_| outcome(&mut scene, &pdu) == "withheld"));
    let of_another = submit(SubmitSm { source: address(b"Bank"), ..message() }, &[]);
    assert_eq!(outcome(&mut scene, &of_another), "rejected");
    scene.standing.withholds = false;
    assert_eq!([scene.clear(&pdu), scene.clear(&pdu)], [Ok(()), Ok(())], "the whole burst is left");
    assert_eq!(scene.status(&pdu), CommandStatus::ESME_RTHROTTLED);
}
