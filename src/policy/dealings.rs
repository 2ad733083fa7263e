//! What a message that goes up does to what is remembered of its recipients, and what the answer to it undoes: one maker
//! for the live path and for `replay`. Changes memory alone, and nothing that the ledger holds.

use std::num::NonZeroU64;

use super::{Acquaintance, Msisdn, Now, Passed, Recipients, Standing, TwoHours};
use crate::config::Purpose;
use crate::pdu::{CommandStatus, Frame, SubmitMultiResp};
use crate::reference::Ref;

/// What is kept of a message until its answer comes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Dealings {
    /// Its name; none of a request that is no message.
    reference: Option<Ref>,
    /// Its one recipient, if the answer says something of them, by [`Msisdn::value`]: there may be very many of these.
    recipient: Option<NonZeroU64>,
    /// Whether its recipients are in the memory of messages.
    is_remembered: bool,
    /// When it was counted as marketing, if it was.
    offered: Option<TwoHours>,
    /// Whether it invites them to say yes.
    invites: bool,
}

impl Dealings {
    /// Notes a message that goes up: whom it is an offer to, and whom it invites to say yes. Whom the SMSC refuses it to, by
    /// its answer, has not had it; an invitation to many is one whatever it answers.
    pub fn begin(standing: &Standing, table: &Acquaintance, passed: &Passed<'_>, now: Now) -> Self {
        let (account, facts) = (&*standing.account, standing.snapshot.facts());
        let (message, is_remembered) = (&passed.message, passed.is_remembered);
        let Now { unix_millis: now, steady_millis, .. } = now;
        // One message, however many parts it has.
        let is_first = message.part.is_none_or(|part| part.number == 1);
        let is_offer = passed.purpose == Some(Purpose::Marketing) && is_first;
        let offered = is_offer.then(|| TwoHours::of(steady_millis));
        let pending = account.pending();
        let mut noted = Self { reference: Some(passed.reference), ..Self::default() };
        if !is_offer && pending.is_empty() && !is_remembered {
            return noted;
        }
        for number in passed.numbers(account) {
            if is_offer {
                table.sent_marketing(account.system_id(), number, now);
                if standing.snapshot.policy().limits_offers(number) {
                    table.offered(account.system_id(), number, steady_millis);
                }
            }
            let invites = !pending.is_empty() && facts.has_consented(number, pending, now);
            noted = Self { is_remembered, offered, ..noted };
            if let Recipients::One(_) = message.recipients {
                noted = Self { recipient: NonZeroU64::new(number.value()), invites, ..noted };
            } else if invites {
                table.invited(account.system_id(), number, now);
            }
        }
        noted
    }

    /// The message's name; none of a request that is no message.
    pub fn reference(&self) -> Option<Ref> {
        self.reference
    }

    /// Whether the answer says something of recipients who are remembered.
    pub fn are_remembered(&self) -> bool {
        self.is_remembered || self.offered.is_some()
    }

    /// The SMSC has answered, or never will: what that says of the message's one recipient, if it has one, and of these
    /// several, each of which it has taken the message to or not.
    pub fn settle(
        &self,
        standing: &Standing,
        table: &Acquaintance,
        is_taken: bool,
        several: impl IntoIterator<Item = (Msisdn, bool)>,
    ) {
        let one = self.recipient().map(|number| (number, is_taken));
        for (number, is_taken) in one.into_iter().chain(several) {
            self.settle_one(standing, table, number, is_taken);
        }
    }

    /// The SMSC has answered with yes: whom the message invites has got the invitation.
    pub fn invite(&self, account: &str, table: &Acquaintance, now: i64) {
        if let Some(recipient) = self.recipient().filter(|_| self.invites) {
            table.invited(account, recipient, now);
        }
    }

    fn recipient(&self) -> Option<Msisdn> {
        Msisdn::from_value(self.recipient?.get())
    }

    fn settle_one(&self, standing: &Standing, table: &Acquaintance, number: Msisdn, is_taken: bool) {
        let (Some(reference), account) = (self.reference, &standing.account) else { return };
        if self.is_remembered {
            standing.snapshot.memory().settle(account.key(), number.value(), reference, is_taken);
        }
        if let Some(during) = self.offered.filter(|_| !is_taken) {
            table.not_sent(account.system_id(), number);
            table.not_offered(account.system_id(), number, during);
        }
    }
}

/// Each of a submit_multi's recipients, and whether the SMSC has taken the message to them; without an answer it has not.
pub fn taken(
    recipients: &[Msisdn],
    answer: Option<Frame<'_>>,
    home: Option<u64>,
) -> impl Iterator<Item = (Msisdn, bool)> {
    let answer = answer.filter(|frame| frame.command_status() == CommandStatus::ESME_ROK);
    let failed = answer.and_then(|frame| SubmitMultiResp::decode(frame).ok()).map(|answer| answer.unsuccess);
    let failed: Vec<Msisdn> = failed
        .into_iter()
        .flat_map(|unsuccess| unsuccess.iter())
        .flat_map(|unsuccess| Msisdn::possible(&unsuccess.address, home))
        .collect();
    recipients.iter().map(move |number| (*number, answer.is_some() && !failed.contains(number)))
}
