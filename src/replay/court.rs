//! Every message of the traffic before one configuration or two: what each makes of it, what became of it in truth, and what
//! follows from that for the messages behind it. Knows no file and no connection.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::judge::{Ground, Judge, Judged, Seat, Truth, Verdict};
use super::stream::Mark;
use super::tally::{ANSWER, About, Changed, Shown, Tally};
use crate::pdu::{CommandId, CommandStatus, Destination, Frame, SubmitMultiResp};
use crate::policy::{Now, Octets, Submission};
use crate::text::{Content, Decoder, DefaultAlphabet, Extent, Segment, UserData};

/// Messages of a connection whose bind was not captured.
pub(super) const NO_BIND: &str = "the bind was not captured: name the account with --account";
/// Messages on a bind that may not send them.
pub(super) const NOT_ALLOWED: &str = "the bind may not send this operation";
/// Messages whose answer was not captured, when nothing else says what became of them.
pub(super) const NO_ANSWER: &str = "the answer was not captured: name what was in force with --against";

/// Who binds from an address, where the bind was not captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct From {
    /// The address of the ESME; none: any.
    pub address: Option<IpAddr>,
    /// Its port; none: any.
    pub port: Option<u16>,
    /// The account's system_id.
    pub account: String,
}

/// An account as both configurations know it.
#[derive(Debug)]
pub(super) struct Seats {
    pub(super) name: Arc<str>,
    after: Seat,
    before: Seat,
}

/// A message whose answer is still to come.
#[derive(Debug)]
pub(super) struct Pending {
    about: About,
    after: (Verdict, Judged),
    /// None if only the answer says what became of it.
    before: Option<(Verdict, Judged)>,
}

/// See the module.
pub(super) struct Court {
    after: Judge,
    before: Option<Judge>,
    pub(super) tally: Tally,
    accounts: Vec<From>,
    show_text: bool,
    changed: Box<dyn FnMut(&Changed)>,
    decoder: Decoder,
    latest: u64,
}

impl Court {
    pub(super) fn new(
        (after, before): (Judge, Option<Judge>),
        (accounts, examples, show_text): (Vec<From>, usize, bool),
        changed: Box<dyn FnMut(&Changed)>,
    ) -> Self {
        let tally = Tally::new(examples);
        Self { after, before, tally, accounts, show_text, changed, decoder: Decoder::default(), latest: 0 }
    }

    /// Wishes of subscribers for which no room was left.
    pub(super) fn forgotten(&self) -> u64 {
        self.after.forgotten() + self.before.as_ref().map_or(0, Judge::forgotten)
    }

    /// The time of a packet, which never goes back.
    pub(super) fn now(&mut self, mark: Mark) -> Now {
        self.latest = self.latest.max(mark.nanos);
        let unix_millis = (self.latest / 1_000_000) as i64;
        Now { monotonic_nanos: self.latest, unix_millis, steady_millis: unix_millis }
    }

    /// The seats of a bind of this name.
    pub(super) fn seats(&self, system_id: &[u8]) -> Seats {
        Seats {
            name: String::from_utf8_lossy(system_id).into(),
            after: self.after.seat(system_id),
            before: self.before.as_ref().and_then(|before| before.seat(system_id)),
        }
    }

    /// The seats of who sends from this address, if that has been said.
    pub(super) fn seats_from(&self, esme: SocketAddr) -> Option<Seats> {
        let is_it = |from: &&From| {
            from.address.is_none_or(|address| address == esme.ip()) && from.port.is_none_or(|port| port == esme.port())
        };
        // What says most counts.
        let found = self.accounts.iter().filter(is_it).max_by_key(|it| (it.address.is_some(), it.port.is_some()))?;
        Some(self.seats(found.account.as_bytes()))
    }

    /// Judges a message.
    pub(super) fn message(&mut self, frame: Frame<'_>, seats: &Seats, mark: Mark) -> Pending {
        let now = self.now(mark);
        let about = self.about(frame, seats, mark, now);
        self.tally.messages += 1;
        let tally = &mut self.tally;
        self.after.at(now);
        let after = self.after.judge(frame, &seats.after, now, |ground| tally.row(&ground).noted_after += 1);
        let before = self.before.as_mut().map(|before| {
            before.at(now);
            before.judge(frame, &seats.before, now, |ground| tally.row(&ground).noted_before += 1)
        });
        if let Some((before, _)) = &before {
            self.tally.count(|| about.clone(), *before, after.0, &mut *self.changed);
        }
        Pending { about, after, before }
    }

    /// The answer to a message has come: from the SMSC, or from the proxy in its place.
    pub(super) fn answered(&mut self, pending: Pending, seats: &Seats, answer: Frame<'_>, mark: Mark) {
        let status = answer.command_status();
        let is_refusal = status != CommandStatus::ESME_ROK;
        let Pending { about, after, before } = pending;
        let by_proxy = is_refusal
            && match &before {
                Some((before, _)) => matches!(before, Verdict::Refused(_)),
                // What it refuses with this status now it most likely refused then.
                None => self.after.may_refuse_with(status) || after.0.is_refusal_with(status),
            };
        let truth = if by_proxy { Truth::NeverSent } else { Truth::Answered(answer) };
        let now = self.now(mark);
        self.after.settle(&seats.after, &after.1, truth, now);
        match (&self.before, &before) {
            (Some(judge), Some((_, judged))) => judge.settle(&seats.before, judged, truth, now),
            _ => {
                let was = if by_proxy { refused(status) } else { passed(answer) };
                self.tally.ambiguous += u64::from(by_proxy && may_be_an_smscs(status));
                self.tally.count(|| about, was, after.0, &mut *self.changed);
            }
        }
    }

    /// The answer to a message never came; `is_over`: nor can it, since the connection has ended.
    pub(super) fn unanswered(&mut self, pending: &Pending, seats: &Seats, is_over: bool) {
        if is_over {
            let now = self.now(Mark::default());
            self.after.settle(&seats.after, &pending.after.1, Truth::Lost, now);
            if let (Some(judge), Some((_, judged))) = (&self.before, &pending.before) {
                judge.settle(&seats.before, judged, Truth::Lost, now);
            }
        }
        if pending.before.is_none() {
            self.tally.not_judgeable(NO_ANSWER);
        }
    }

    /// A message that nobody can be asked about.
    pub(super) fn not_judgeable(&mut self, why: &'static str) {
        self.tally.messages += 1;
        self.tally.not_judgeable(why);
    }

    /// A subscriber has written.
    pub(super) fn heard(&mut self, frame: Frame<'_>, seats: &Seats, mark: Mark) {
        let now = self.now(mark);
        self.after.at(now);
        self.after.heard(&seats.after, frame, now);
        if let Some(before) = &mut self.before {
            before.at(now);
            before.heard(&seats.before, frame, now);
        }
    }

    fn about(&mut self, frame: Frame<'_>, seats: &Seats, mark: Mark, now: Now) -> About {
        let message = Submission::decode(frame).ok();
        let alphabet = seats.after.as_ref().or(seats.before.as_ref());
        let alphabet = alphabet.map_or(DefaultAlphabet::Gsm, |it| it.account.declared().default_alphabet);
        let shown = message.filter(|_| self.show_text).map(|message| Box::new(self.shown(&message, alphabet)));
        About {
            place: mark.packet,
            reference: None,
            at: now.unix_millis,
            account: seats.name.clone(),
            operation: frame.command_id(),
            sequence: frame.sequence_number().0,
            sender: Octets::new(message.map_or(&[], |message| message.source.digits)),
            evidence: None,
            shown,
        }
    }

    fn shown(&mut self, message: &Submission<'_>, alphabet: DefaultAlphabet) -> Shown {
        let recipients = message.recipients.iter().map(|recipient| match recipient {
            Destination::Sme(address) => String::from_utf8_lossy(address.digits).into_owned(),
            Destination::List(name) => String::from_utf8_lossy(name).into_owned(),
        });
        let recipients = recipients.collect::<Vec<_>>().join(", ");
        let texts: Vec<String> = message.texts().map(|(_, octets)| self.text(message, octets, alphabet)).collect();
        Shown { recipients, text: texts.join("\n") }
    }

    fn text(&mut self, message: &Submission<'_>, octets: &[u8], alphabet: DefaultAlphabet) -> String {
        let unread = || octets.escape_ascii().to_string();
        let Ok(user_data) = UserData::split(octets, message.esm_class.udhi()) else { return unread() };
        let charset = match Content::of(message.data_coding, &user_data, alphabet) {
            Ok(Content::Text(readings)) => readings.iter().next(),
            _ => None,
        };
        let Some(charset) = charset else { return unread() };
        let extent = if message.part.is_some() { Extent::Part } else { Extent::Whole };
        let read = self.decoder.decode(&[Segment::new(&user_data, charset)], extent);
        read.map_or_else(|_| unread(), str::to_owned)
    }
}

/// What an answer with this status says became of the message.
fn refused(status: CommandStatus) -> Verdict {
    Verdict::Refused(Ground { rule: ANSWER, clause: None, status, evidence: None })
}

/// What an answer of the SMSC says became of the message here: it went up, be it without some of its destinations.
fn passed(answer: Frame<'_>) -> Verdict {
    if answer.command_id() != CommandId::SUBMIT_MULTI_RESP || answer.command_status() != CommandStatus::ESME_ROK {
        return Verdict::Passed;
    }
    let unsuccess = SubmitMultiResp::decode(answer).ok().map(|answer| answer.unsuccess);
    let mut refused = unsuccess.into_iter().flat_map(|unsuccess| unsuccess.iter());
    match refused.next() {
        Some(first) => {
            let ground = Ground { rule: ANSWER, clause: None, status: first.status, evidence: None };
            Verdict::Reduced(1 + refused.count() as u32, ground)
        }
        None => Verdict::Passed,
    }
}

/// Whether SMSCs give this status too, when they have no time, no room or no way.
fn may_be_an_smscs(status: CommandStatus) -> bool {
    status.is_retryable() || status == CommandStatus::ESME_RSUBMITFAIL || status == CommandStatus::ESME_RINVDSTADR
}
