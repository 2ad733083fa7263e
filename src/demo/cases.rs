//! The demo's table: what each clause that is enforced accepts and refuses. A row is a value and nothing more.
//!
//! `config.toml` beside it declares the accounts that the rows bind as.

use super::message::{Message, Part};
use crate::config::RuleName;
use crate::pdu::{Address, CommandId, CommandStatus, DataCoding, Destination, EsmClass, Npi, Ton};
use crate::policy::Clause;

/// A row of the table.
#[derive(Debug)]
pub(super) struct Case {
    /// The clause that it shows; none where the ground is the protocol's or the proxy's own.
    pub(super) clause: Option<Clause>,
    /// The rule that decides; none where the protocol does.
    pub(super) rule: Option<RuleName>,
    /// Who binds.
    pub(super) system_id: &'static str,
    /// What is done, in at most 27 characters.
    pub(super) sent: &'static str,
    /// What is done.
    pub(super) act: Act,
}

/// What a row does, with what is expected to come of it.
#[derive(Debug)]
pub(super) enum Act {
    /// It binds.
    Bind(Outcome),
    /// It binds and sends messages.
    Send(&'static [(Message, Outcome)]),
    /// It binds, is blocked, sends a message, and waits to be unbound.
    SendOnceBlocked(Message, Outcome),
}

/// What becomes of a bind or a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The SMSC accepted the bind.
    Bound,
    /// The proxy ended the bind with an unbind.
    Unbound,
    /// The SMSC got the very octets, and answered ESME_ROK.
    Relayed,
    /// The SMSC got the message without its distribution lists; the answer, ESME_ROK, names them.
    RelayedWithoutLists,
    /// Answered with this status; the SMSC got nothing.
    Refused(CommandStatus),
    /// What must not be, in a few words.
    Odd(&'static str),
}

use Act::{Bind, Send, SendOnceBlocked};
use Outcome::{Bound, Refused, Relayed, RelayedWithoutLists};

const NO_CLAUSE: Option<Clause> = None;
const OWN_IDENTITY: Option<Clause> = Some(Clause(5));
const NO_DECEPTION: Option<Clause> = Some(Clause(6));
const FOR_OTHERS: Option<Clause> = Some(Clause(8));
const OPT_IN: Option<Clause> = Some(Clause(9));
const OPEN_HOURS: Option<Clause> = Some(Clause(22));
const LAWS: Option<Clause> = Some(Clause(1));
const DECLARED: Option<Clause> = Some(Clause(14));
const SAME: Option<Clause> = Some(Clause(19));
const SIMILAR: Option<Clause> = Some(Clause(20));
const PERSONS: Option<Clause> = Some(Clause(24));
const TEN_DIGITS: Option<Clause> = Some(Clause(25));
const SILENCE: Option<Clause> = Some(Clause(21));
const BLOCKING: Option<Clause> = Some(Clause(18));
const VOLUME: Option<Clause> = Some(Clause(23));
const PICTURES: Option<Clause> = Some(Clause(29));
const RESCUE: Option<Clause> = Some(Clause(3));
const BRAND_NAMED: Option<Clause> = Some(Clause(7));
const SECRETS: Option<Clause> = Some(Clause(26));
const ILLEGAL: Option<Clause> = Some(Clause(30));
const THREATS: Option<Clause> = Some(Clause(31));
const HARM: Option<Clause> = Some(Clause(33));
const HATE: Option<Clause> = Some(Clause(34));
const UNWANTED: Option<Clause> = Some(Clause(32));
const HEALTH_DATA: Option<Clause> = Some(Clause(35));

const ACCOUNT: Option<RuleName> = Some(RuleName::Account);
const SENDER: Option<RuleName> = Some(RuleName::Sender);
const DESTINATION: Option<RuleName> = Some(RuleName::Destination);
const SUPPRESSION: Option<RuleName> = Some(RuleName::Suppression);
const CONSENT: Option<RuleName> = Some(RuleName::Consent);
const HOURS: Option<RuleName> = Some(RuleName::Hours);
const CAMPAIGN: Option<RuleName> = Some(RuleName::Campaign);
const BRAND: Option<RuleName> = Some(RuleName::Brand);
const FRAUD: Option<RuleName> = Some(RuleName::Fraud);
const CONTENT: Option<RuleName> = Some(RuleName::Content);
const HEALTH: Option<RuleName> = Some(RuleName::Health);
const MEDIA: Option<RuleName> = Some(RuleName::Media);
const REPETITION: Option<RuleName> = Some(RuleName::Repetition);
const RATE: Option<RuleName> = Some(RuleName::Rate);

const ANN: Destination<'static> = sme(b"32470123456");
const BOB: Destination<'static> = sme(b"32470654321");
/// Has agreed to offers of the account `offers`; has opted out of its messages from 8850.
const EVE: Destination<'static> = sme(EVES_NUMBER);
pub(super) const EVES_NUMBER: &[u8] = b"32470111222";
/// Has agreed to those offers too, and never replies.
const DAN: Destination<'static> = sme(DANS_NUMBER);
pub(super) const DANS_NUMBER: &[u8] = b"32470333444";
/// Has agreed to them as well.
const FAY: Destination<'static> = sme(FAYS_NUMBER);
pub(super) const FAYS_NUMBER: &[u8] = b"32470555666";
const CAL: Destination<'static> = sme(b"12025550123");
const LIST: Destination<'static> = Destination::List(b"customers");

/// What most rows send, with a difference.
const SMS: Message = Message {
    operation: CommandId::SUBMIT_SM,
    from: "SHOP",
    to: &[ANN],
    text: "Shop: your parcel has arrived",
    part: None,
    esm_class: EsmClass(0),
    data_coding: DataCoding::DEFAULT,
    sm_default_msg_id: 0,
    schedule: b"",
    cut_short: false,
};
const DATA_SM: Message = Message { operation: CommandId::DATA_SM, ..SMS };
const MULTI: Message = Message { operation: CommandId::SUBMIT_MULTI, to: &[ANN, BOB], ..SMS };
const REPLACE: Message = Message { operation: CommandId::REPLACE_SM, text: "Shop: it arrives tomorrow", ..SMS };
const BINARY: Message = Message { data_coding: DataCoding::OCTETS_4, ..SMS };
const CANNED: Message = Message { sm_default_msg_id: 7, text: "", ..SMS };
const RECEIPT: Message = Message { esm_class: EsmClass(EsmClass::TYPE_RECEIPT), ..SMS };
const CUT_SHORT: Message = Message { cut_short: true, ..SMS };
const UCS2_SECRET: Message = Message { data_coding: DataCoding::UCS2, ..text("Please reply with your PIN code") };
const REMOTE: Message = text("Your PC has a virus. Install AnyDesk now and give us the code");
const RESULT_TO_US: Message =
    Message { from: "28850", to: &[CAL], ..text("Blue Shop: your HIV test result is positive") };
const FROM_8850: Message = from("8850");

const OFFER: Message = offer(&[EVE], "Shop: winter sale, 20% off until Sunday");
const OTHER_OFFER: Message = offer(&[EVE], "Shop: gifts are wrapped for free all week");
const MONDAY_OFFER: Message = offer(&[EVE], "Shop: open until ten today, come and see us");
const SUNDAY_OFFER: Message = Message { schedule: b"980601120000004+", ..MONDAY_OFFER };
const FIRST_TO_DAN: Message = offer(&[DAN], "Shop: winter sale, 20% off until Sunday");
const SECOND_TO_DAN: Message = offer(&[DAN], "Shop: gifts are wrapped for free all week");
const THIRD_TO_DAN: Message = offer(&[DAN], "Shop: meet the author on Friday at six");
const FOURTH_TO_DAN: Message = offer(&[DAN], "Shop: come and taste our new teas");
const OFFER_TO_FAY: Message = offer(&[FAY], "Shop: winter sale, 20% off until Sunday");
const SHOUTED_TO_FAY: Message = offer(&[FAY], "SHOP: WINTER SALE,  20% OFF UNTIL SUNDAY");
const SIMILAR_TO_FAY: Message = offer(&[FAY], "Shop: winter sale, 35% off until Sunday");
const OTHER_TO_FAY: Message = offer(&[FAY], "Shop: gifts are wrapped for free all week");
/// One person to another, in the Netherlands.
const TO_A_FRIEND: Message = to_friend(&[sme(b"31620304051")]);
const AGAIN_TO_A_FRIEND: Message = Message { text: "or at nine?", ..TO_A_FRIEND };
const TO_ANOTHER_FRIEND: Message = to_friend(&[sme(b"31620304052")]);
const TO_A_THIRD: Message = to_friend(&[sme(b"31620304053")]);
const TO_US: Message = Message { from: "12025550100", to: &[CAL], ..SMS };
const TO_US_REGISTERED: Message = Message { from: "12025550111", ..TO_US };
const INVALID_RECIPIENT: Outcome = Refused(CommandStatus::ESME_RINVDSTADR);
const INVALID_SOURCE: Outcome = Refused(CommandStatus::ESME_RINVSRCADR);
const FAILED: Outcome = Refused(CommandStatus::ESME_RSUBMITFAIL);
const THROTTLED: Outcome = Refused(CommandStatus::ESME_RTHROTTLED);

/// Every row, in the order it is run and shown.
pub(super) const CASES: &[Case] = &[
    // account: who may bind, and what kinds of PDU they may send.
    row(BLOCKING, ACCOUNT, "shop", "bind, account active", Bind(Bound)),
    row(BLOCKING, ACCOUNT, "blocked", "bind, account blocked", Bind(Refused(CommandStatus::ESME_RBINDFAIL))),
    row(BLOCKING, ACCOUNT, "suspect", "blocked while bound", SendOnceBlocked(SMS, FAILED)),
    row(NO_CLAUSE, ACCOUNT, "nobody", "bind, system_id unknown", Bind(Refused(CommandStatus::ESME_RINVSYSID))),
    row(NO_CLAUSE, ACCOUNT, "trusted", "replace_sm, allowed", Send(&[(SMS, Relayed), (REPLACE, Relayed)])),
    row(NO_CLAUSE, ACCOUNT, "shop", "replace_sm, not allowed", Send(&[(SMS, Relayed), (REPLACE, FAILED)])),
    row(NO_CLAUSE, ACCOUNT, "trusted", "canned text, allowed", Send(&[(CANNED, Relayed)])),
    row(NO_CLAUSE, ACCOUNT, "shop", "canned text, not allowed", Send(&[(CANNED, FAILED)])),
    row(PICTURES, MEDIA, "trusted", "binary content, allowed", Send(&[(BINARY, Relayed)])),
    row(PICTURES, MEDIA, "shop", "binary content, not allowed", Send(&[(BINARY, FAILED)])),
    row(NO_DECEPTION, ACCOUNT, "trusted", "receipt type, allowed", Send(&[(RECEIPT, Relayed)])),
    row(NO_DECEPTION, ACCOUNT, "shop", "receipt type, not allowed", Send(&[(RECEIPT, FAILED)])),
    row(NO_CLAUSE, ACCOUNT, "shop", "submit_multi to 2", Send(&[(MULTI, Relayed)])),
    row(
        NO_CLAUSE,
        ACCOUNT,
        "shop",
        "submit_multi, 2 and a list",
        Send(&[(Message { to: &[ANN, LIST, BOB], ..MULTI }, RelayedWithoutLists)]),
    ),
    row(
        NO_CLAUSE,
        ACCOUNT,
        "shop",
        "submit_multi to a list only",
        Send(&[(Message { to: &[LIST], ..MULTI }, Refused(CommandStatus::ESME_RCNTSUBDL))]),
    ),
    // sender: whose name or number it is.
    row(OWN_IDENTITY, SENDER, "shop", "own name, SHOP", Send(&[(SMS, Relayed)])),
    row(OWN_IDENTITY, SENDER, "shop", "own name otherwise, Shop", Send(&[(from("Shop"), Relayed)])),
    row(OWN_IDENTITY, SENDER, "shop", "own short code, 8850", Send(&[(FROM_8850, Relayed)])),
    row(OWN_IDENTITY, SENDER, "shop", "own number", Send(&[(from("32470000001"), Relayed)])),
    row(OWN_IDENTITY, SENDER, "shop", "own number with +", Send(&[(from("+32470000001"), Relayed)])),
    row(OWN_IDENTITY, SENDER, "shop", "own number with 00", Send(&[(from("0032470000001"), Relayed)])),
    row(OWN_IDENTITY, SENDER, "shop", "own name in a data_sm", Send(&[(DATA_SM, Relayed)])),
    row(OWN_IDENTITY, SENDER, "shop", "another's name, Bank", Send(&[(from("Bank"), INVALID_SOURCE)])),
    row(OWN_IDENTITY, SENDER, "shop", "another's number", Send(&[(from("+32470000002"), INVALID_SOURCE)])),
    row(OWN_IDENTITY, SENDER, "shop", "another's short code, 8851", Send(&[(from("8851"), INVALID_SOURCE)])),
    row(
        OWN_IDENTITY,
        SENDER,
        "shop",
        "another's name in a data_sm",
        Send(&[(Message { from: "Bank", ..DATA_SM }, INVALID_SOURCE)]),
    ),
    row(OWN_IDENTITY, SENDER, "shop", "own name, expired", Send(&[(from("Fair2020"), INVALID_SOURCE)])),
    row(OWN_IDENTITY, SENDER, "trusted", "no sender, allowed", Send(&[(from(""), Relayed)])),
    row(OWN_IDENTITY, SENDER, "shop", "no sender, not allowed", Send(&[(from(""), INVALID_SOURCE)])),
    row(FOR_OTHERS, SENDER, "shop", "for Insure NV, authorised", Send(&[(from("Insure"), Relayed)])),
    row(FOR_OTHERS, SENDER, "shop", "for Travel NV, expired", Send(&[(from("Travel"), INVALID_SOURCE)])),
    // destination: a handset, in a country that the account may write to, and nobody's emergency number.
    row(LAWS, DESTINATION, "shop", "to a mobile number", Send(&[(to(&[BOB]), Relayed)])),
    row(LAWS, DESTINATION, "shop", "to a fixed line", Send(&[(to(&[sme(b"3222790000")]), INVALID_RECIPIENT)])),
    row(LAWS, DESTINATION, "shop", "to a number of nobody", Send(&[(to(&[sme(b"3247012345")]), INVALID_RECIPIENT)])),
    row(RESCUE, DESTINATION, "shop", "112 inside a number", Send(&[(to(&[sme(b"32470112112")]), Relayed)])),
    row(RESCUE, DESTINATION, "shop", "to 112", Send(&[(to(&[sme(b"112")]), INVALID_RECIPIENT)])),
    row(RESCUE, DESTINATION, "shop", "to 112 with a country code", Send(&[(to(&[sme(b"+32112")]), INVALID_RECIPIENT)])),
    // suppression and consent: who wants to be written to.
    row(UNWANTED, SUPPRESSION, "offers", "offer, not opted out", Send(&[(OFFER, Relayed)])),
    row(
        UNWANTED,
        SUPPRESSION,
        "offers",
        "opted out of 8850",
        Send(&[(Message { from: "8850", ..OFFER }, INVALID_RECIPIENT)]),
    ),
    row(OPT_IN, CONSENT, "offers", "offer, consent documented", Send(&[(OTHER_OFFER, Relayed)])),
    row(
        OPT_IN,
        CONSENT,
        "offers",
        "offer without consent",
        Send(&[(Message { to: &[BOB], ..OFFER }, INVALID_RECIPIENT)]),
    ),
    row(OPT_IN, CONSENT, "shop", "no offer, no consent needed", Send(&[(Message { to: &[BOB], ..SMS }, Relayed)])),
    // hours: when the recipient may be disturbed.
    row(OPEN_HOURS, HOURS, "offers", "offer for a Monday noon", Send(&[(MONDAY_OFFER, Relayed)])),
    row(OPEN_HOURS, HOURS, "offers", "offer for a Sunday noon", Send(&[(SUNDAY_OFFER, FAILED)])),
    // campaign: a message is of something that was declared, and goes by the rules for its kind.
    row(DECLARED, CAMPAIGN, "declared", "of a declared campaign", Send(&[(SMS, Relayed)])),
    row(DECLARED, CAMPAIGN, "declared", "of no declared campaign", Send(&[(FROM_8850, FAILED)])),
    row(
        PERSONS,
        CAMPAIGN,
        "people",
        "a person writes to 2",
        Send(&[(TO_A_FRIEND, Relayed), (TO_ANOTHER_FRIEND, Relayed), (AGAIN_TO_A_FRIEND, Relayed)]),
    ),
    row(PERSONS, CAMPAIGN, "people", "a person, to one too many", Send(&[(TO_A_THIRD, INVALID_SOURCE)])),
    row(TEN_DIGITS, CAMPAIGN, "american", "10 digits, registered", Send(&[(TO_US_REGISTERED, Relayed)])),
    row(TEN_DIGITS, CAMPAIGN, "american", "10 digits, not registered", Send(&[(TO_US, INVALID_SOURCE)])),
    // brand: who speaks is named, in the text or as the sender.
    row(
        BRAND_NAMED,
        BRAND,
        "named",
        "brand in the text",
        Send(&[(text("Blue Shop: your parcel has arrived"), Relayed)]),
    ),
    row(BRAND_NAMED, BRAND, "named", "no brand in text and sender", Send(&[(text("your parcel has arrived"), FAILED)])),
    row(NO_DECEPTION, BRAND, "named", "own brand beside a word", Send(&[(text("Blue Shop: see your bank"), Relayed)])),
    row(
        NO_DECEPTION,
        BRAND,
        "named",
        "another's brand in the text",
        Send(&[(text("Blue Shop: see Polderbank"), FAILED)]),
    ),
    // fraud: nobody is asked for secrets, no link is what it is not.
    row(
        SECRETS,
        FRAUD,
        "shop",
        "warning not to share a PIN",
        Send(&[(text("Never share your PIN with anyone"), Relayed)]),
    ),
    row(SECRETS, FRAUD, "shop", "asks for the PIN", Send(&[(text("Please reply with your PIN code"), FAILED)])),
    row(SECRETS, FRAUD, "shop", "the same as UCS-2", Send(&[(UCS2_SECRET, FAILED)])),
    row(
        NO_DECEPTION,
        FRAUD,
        "shop",
        "link to the bank itself",
        Send(&[(text("Log in at polderbank.nl/pas"), Relayed)]),
    ),
    row(NO_DECEPTION, FRAUD, "shop", "link to a look-alike", Send(&[(text("Log in at po1derbank.nl/pas"), FAILED)])),
    row(HARM, FRAUD, "shop", "news of an investment", Send(&[(text("Our fund grew 3% last year"), Relayed)])),
    row(HARM, FRAUD, "shop", "remote control of the phone", Send(&[(REMOTE, FAILED)])),
    // content: what must not be said.
    row(RESCUE, CONTENT, "shop", "112 in a storm warning", Send(&[(text("Storm: in an emergency call 112"), Relayed)])),
    row(
        RESCUE,
        CONTENT,
        "shop",
        "text for help, emergency",
        Send(&[(text("In an emergency text SOS to 8850"), FAILED)]),
    ),
    row(ILLEGAL, CONTENT, "shop", "news of a drugs trial", Send(&[(text("News: cocaine ring on trial"), Relayed)])),
    row(ILLEGAL, CONTENT, "shop", "drugs for sale", Send(&[(text("Best cocaine for sale, delivered today"), FAILED)])),
    row(THREATS, CONTENT, "shop", "a film title", Send(&[(text("Tonight on TV: Kill Bill"), Relayed)])),
    row(THREATS, CONTENT, "shop", "a threat", Send(&[(text("I will kill you and your family"), FAILED)])),
    row(
        THREATS,
        CONTENT,
        "shop",
        "a threat cut inside a word",
        Send(&[(cut(1, "I will ki"), Relayed), (cut(2, "ll you"), FAILED)]),
    ),
    row(HATE, CONTENT, "shop", "a group praised", Send(&[(text("Muslims are welcome here"), Relayed)])),
    row(HATE, CONTENT, "shop", "a group called vermin", Send(&[(text("All Muslims are vermin"), FAILED)])),
    // health: a named person's results to the US.
    row(HEALTH_DATA, HEALTH, "attested", "test result to the US", Send(&[(RESULT_TO_US, Relayed)])),
    row(HEALTH_DATA, HEALTH, "named", "the same, not attested", Send(&[(RESULT_TO_US, FAILED)])),
    // repetition: nobody gets the same twice, nor an offer like the last one.
    row(SAME, REPETITION, "shop", "a notice twice", Send(&[(SMS, Relayed), (SMS, Relayed)])),
    row(
        SAME,
        REPETITION,
        "offers",
        "an offer, again in capitals",
        Send(&[(OFFER_TO_FAY, Relayed), (SHOUTED_TO_FAY, FAILED)]),
    ),
    row(SIMILAR, REPETITION, "offers", "the offer, another price", Send(&[(SIMILAR_TO_FAY, FAILED)])),
    row(SIMILAR, REPETITION, "offers", "an offer unlike it", Send(&[(OTHER_TO_FAY, Relayed)])),
    // repetition: three offers in a row may stay without a reply.
    row(
        SILENCE,
        REPETITION,
        "offers",
        "3 offers without a reply",
        Send(&[(FIRST_TO_DAN, Relayed), (SECOND_TO_DAN, Relayed), (THIRD_TO_DAN, Relayed)]),
    ),
    row(SILENCE, REPETITION, "offers", "a 4th offer, no reply", Send(&[(FOURTH_TO_DAN, FAILED)])),
    row(SILENCE, REPETITION, "shop", "no offer, to the same", Send(&[(Message { to: &[DAN], ..SMS }, Relayed)])),
    // rate: a burst of 5 per bind, of 2 from 8850, of 3 for the account capped.
    row(
        VOLUME,
        RATE,
        "metered",
        "6 at once, limit 5 a bind",
        Send(&[(SMS, Relayed), (SMS, Relayed), (SMS, Relayed), (SMS, Relayed), (SMS, Relayed), (SMS, THROTTLED)]),
    ),
    row(
        VOLUME,
        RATE,
        "metered",
        "3 at once, limit 2 a sender",
        Send(&[(FROM_8850, Relayed), (FROM_8850, Relayed), (FROM_8850, THROTTLED)]),
    ),
    row(
        VOLUME,
        RATE,
        "capped",
        "4 at once, 3 an account",
        Send(&[(SMS, Relayed), (SMS, Relayed), (SMS, Relayed), (SMS, THROTTLED)]),
    ),
    // The first part takes 3 of 5; the other parts come through when there is room for nothing else.
    row(
        VOLUME,
        RATE,
        "metered",
        "3 parts around a burst",
        Send(&[
            (part(1, 3, 1), Relayed),
            (SMS, Relayed),
            (SMS, Relayed),
            (SMS, THROTTLED),
            (part(1, 3, 2), Relayed),
            (part(1, 3, 3), Relayed),
        ]),
    ),
    row(VOLUME, RATE, "metered", "multipart of 6, limit 5", Send(&[(part(2, 6, 1), FAILED)])),
    row(
        VOLUME,
        RATE,
        "metered",
        "3 submit_multi, limit 5",
        Send(&[(MULTI, Relayed), (MULTI, Relayed), (MULTI, THROTTLED)]),
    ),
    // Class T has 75 a minute.
    row(
        TEN_DIGITS,
        RATE,
        "american",
        "2 parts, class T",
        Send(&[(us_part(3, 2, 1), Relayed), (us_part(3, 2, 2), Relayed)]),
    ),
    row(TEN_DIGITS, RATE, "american", "76 parts, class T", Send(&[(us_part(4, 76, 1), FAILED)])),
    // The protocol itself.
    row(
        NO_CLAUSE,
        None,
        "shop",
        "malformed, then whole PDU",
        Send(&[(CUT_SHORT, Refused(CommandStatus::ESME_RINVMSGLEN)), (SMS, Relayed)]),
    ),
];

const fn row(
    clause: Option<Clause>,
    rule: Option<RuleName>,
    system_id: &'static str,
    sent: &'static str,
    act: Act,
) -> Case {
    Case { clause, rule, system_id, sent, act }
}

const fn from(from: &'static str) -> Message {
    Message { from, ..SMS }
}

const fn text(text: &'static str) -> Message {
    Message { text, ..SMS }
}

const fn to(to: &'static [Destination<'static>]) -> Message {
    Message { to, ..SMS }
}

/// For the noon of a Monday, whenever the demo runs.
const fn offer(to: &'static [Destination<'static>], what: &'static str) -> Message {
    Message { to, schedule: b"980602120000004+", ..text(what) }
}

const fn to_friend(to: &'static [Destination<'static>]) -> Message {
    Message { from: "31612345678", to, ..text("see you at eight?") }
}

const fn us_part(reference: u8, total: u8, number: u8) -> Message {
    Message { part: Some(Part { reference, total, number }), ..TO_US_REGISTERED }
}

const fn cut(number: u8, text: &'static str) -> Message {
    Message { text, ..part(9, 2, number) }
}

const fn part(reference: u8, total: u8, number: u8) -> Message {
    Message { part: Some(Part { reference, total, number }), ..SMS }
}

const fn sme(digits: &'static [u8]) -> Destination<'static> {
    Destination::Sme(Address { ton: Ton::INTERNATIONAL, npi: Npi::ISDN, digits })
}

impl Case {
    /// What is expected, in the order of events.
    pub(super) fn expected(&self) -> Vec<Outcome> {
        match self.act {
            Bind(outcome) => vec![outcome],
            Send(messages) => messages.iter().map(|(_, outcome)| *outcome).collect(),
            SendOnceBlocked(_, outcome) => vec![outcome, Outcome::Unbound],
        }
    }
}
