//! Everything that a rule may see of one message: the message, who sends it, what is known. Nothing here judges.

use std::cell::{Cell, OnceCell, RefCell};
use std::ops::ControlFlow;

use super::concatenation::Assembly;
use super::confirmation::Confirming;
use super::inspection::Findings;
use super::person::Written;
use super::recipient::Recipient;
use super::sender::{Scopes, SenderFacts};
use super::sent;
use super::{
    AccountFacts, CampaignFacts, DurableFacts, Limiter, Memory, Msisdn, Now, Recipients, Rejection, Standing,
    Submission,
};
use crate::config::Purpose;
use crate::pdu::Destination;
use crate::reference::Ref;

/// See the module.
pub(super) struct Context<'a> {
    /// The message.
    pub(super) message: &'a Submission<'a>,
    /// Who sends it.
    pub(super) account: &'a AccountFacts,
    /// The declared sender ID that its source address is, if the account has it.
    pub(super) sender: Option<&'a SenderFacts>,
    /// The bind's own limit.
    pub(super) bind_limiter: Option<&'a Limiter>,
    /// What is known of the multipart message that this is a part of.
    pub(super) assembly: Option<&'a Assembly<'a>>,
    /// What its texts show, once they have been read.
    pub(super) findings: Findings,
    /// The campaign that it belongs to, if it is a declared one.
    pub(super) campaign: Option<&'a CampaignFacts>,
    /// Where consents to it and opt-outs from it are found.
    pub(super) scopes: &'a Scopes,
    /// Who has consented, opted out, written.
    pub(super) facts: &'a dyn DurableFacts,
    /// What it confirms, if that is all that lets it through an opt-out.
    pub(super) confirming: OnceCell<Confirming>,
    /// The recipient, if there is but one.
    pub(super) one: Option<Recipient<'a>>,
    /// Where that recipient's last messages are remembered, if that matters: fetched from memory while the text is read.
    pub(super) sent_to_one: Option<sent::Key>,
    /// Recipients that a rule has refused while others pass, by their place in the message.
    pub(super) refused: Vec<(usize, Rejection)>,
    /// Whether it is judged as an offer for what it says.
    pub(super) is_taken_for_offer: bool,
    /// The message's name, if it goes up.
    pub(super) reference: Ref,
    /// Whether its recipients are in the memory of messages.
    pub(super) is_remembered: Cell<bool>,
    /// What it took of a person's limits.
    pub(super) written: RefCell<Vec<Written>>,
    /// What is kept for all messages.
    pub(super) memory: &'a Memory,
    /// When.
    pub(super) now: Now,
}

impl<'a> Context<'a> {
    /// A message of a bind in this standing, nothing of which has been read or refused.
    pub(super) fn new(
        message: &'a Submission<'a>,
        standing: &'a Standing,
        assembly: Option<&'a Assembly<'a>>,
        reference: Ref,
        now: Now,
    ) -> Self {
        let account = &*standing.account;
        let sender = account.sender(&message.source);
        Self {
            message,
            account,
            sender,
            campaign: account.campaign(message.service_type, &message.source),
            scopes: sender.map_or(account.scopes(), SenderFacts::scopes),
            bind_limiter: standing.limiter.as_ref(),
            assembly,
            findings: Findings::default(),
            facts: standing.snapshot.facts(),
            confirming: OnceCell::new(),
            one: match message.recipients {
                Recipients::One(address) => Some(Recipient::of(&Destination::Sme(address), account.home())),
                Recipients::None | Recipients::Many(_) => None,
            },
            sent_to_one: None,
            refused: Vec::new(),
            is_taken_for_offer: false,
            reference,
            is_remembered: Cell::new(false),
            written: RefCell::default(),
            memory: standing.snapshot.memory(),
            now,
        }
    }

    /// Where a recipient's last messages are remembered.
    pub(super) fn sent_to(&self, recipient: &Recipient<'_>) -> Option<sent::Key> {
        self.sent_to_one.or_else(|| {
            let (number, _) = recipient.meant()?;
            Some(self.memory.sent.key(self.account.key(), number.value()))
        })
    }

    /// Every recipient, in their order.
    pub(super) fn all(&self) -> impl Iterator<Item = Recipient<'a>> + use<'a> {
        Recipient::all(self.message.recipients, self.account.home())
    }

    /// Whether a submit_multi goes up for none of its destinations when these are refused.
    pub(super) fn refuses_whole(&self, refused: &[(usize, Rejection)]) -> bool {
        !refused.is_empty() && (self.account.strict_multi() || refused.len() == self.message.recipients.len() as usize)
    }

    /// Recipients that no rule has refused. Without a recipient the message counts as one all the same.
    pub(super) fn recipients(&self) -> u32 {
        self.message.recipients.len() - self.refused.len() as u32
    }

    /// Every recipient that no rule has refused, in their order, until `each` has had enough.
    pub(super) fn each_kept(&self, mut each: impl FnMut(&Recipient<'a>) -> ControlFlow<()>) -> ControlFlow<()> {
        if let Some(one) = &self.one {
            return each(one);
        }
        let Recipients::Many(destinations) = self.message.recipients else { return ControlFlow::Continue(()) };
        let is_kept = |index: &usize| self.refused.binary_search_by_key(index, |(refused, _)| *refused).is_err();
        let kept = destinations.iter().enumerate().filter(|(index, _)| is_kept(index));
        kept.map(|(_, destination)| Recipient::of(&destination, self.account.home())).try_for_each(|kept| each(&kept))
    }

    /// How many recipients that no rule has refused are so.
    pub(super) fn count_kept(&self, is_so: impl Fn(&Recipient<'_>) -> bool) -> u32 {
        let mut count = 0;
        let _all = self.each_kept(|recipient| {
            count += u32::from(is_so(recipient));
            ControlFlow::Continue(())
        });
        count
    }

    /// What the message was declared to be for; none if neither a campaign nor the account says so.
    #[inline]
    pub(super) fn declared_purpose(&self) -> Option<Purpose> {
        self.campaign.map(CampaignFacts::purpose).or(self.account.declared().default_purpose)
    }

    /// What the message is judged as: an offer also if it is unlike what its campaign was declared to be.
    #[inline]
    pub(super) fn purpose(&self) -> Option<Purpose> {
        if self.is_taken_for_offer { Some(Purpose::Marketing) } else { self.declared_purpose() }
    }

    /// Whether a recipient has written to the account.
    pub(super) fn has_written(&self, recipient: Msisdn) -> bool {
        self.facts.has_written(recipient, self.account.system_id(), self.now.unix_millis)
    }

    #[inline]
    pub(super) fn is_marketing(&self) -> bool {
        self.purpose() == Some(Purpose::Marketing)
    }
}
