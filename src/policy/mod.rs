//! A message in, a verdict out: synchronous, no I/O, no clock of its own. Facts and time are handed in, so the live
//! path, `explain`, `replay` and the tests give the same verdict.
//!
//! [`Policy::clear`] is the only maker of [`Cleared`] for an operation that carries text or a recipient, and the only
//! thing that the writer towards the SMSC accepts is `Cleared`: what was not judged cannot get there.

mod acquaintance;
pub mod brands;
pub mod calling_codes;
pub mod clauses;
mod cleared;
mod concatenation;
mod confirmation;
mod explain;
mod expressions;
mod facts;
mod inspection;
mod limiter;
pub mod lists;
pub mod lures;
mod message;
mod msisdn;
mod octets;
pub mod pictures;
pub mod replies;
mod rules;
pub mod score;
pub mod shorteners;
mod snapshot;
mod verdict;

#[cfg(test)]
mod tests;

pub use acquaintance::Acquaintance;
pub use cleared::{Cleared, Rewritten};
pub use concatenation::Concatenation;
pub use confirmation::{Confirmation, Confirmations};
pub use explain::{Explanation, Foretold, Opinion, Says};
pub use expressions::{TRIAL, Trial};
pub use facts::{DeclaredFacts, DurableFacts, Listing, LiveState, NoFacts, NoScope, Scope};
pub use limiter::Limiter;
pub use message::{Part, Recipients, Submission};
pub use msisdn::{Msisdn, NoMsisdn};
pub use octets::Octets;
pub use snapshot::{AccountFacts, CampaignFacts, ListFaults, Scopes, SenderFacts, SenderKey, Snapshot, SnapshotFault};
pub use verdict::{Clause, Evidence, Field, Refusal, Rejection, Span, Spot, Verdict};

use std::cell::OnceCell;

use crate::config::{self, Faults, Mode, Purpose, RuleName};
use concatenation::{Assembly, Full};
use confirmation::Confirming;
use inspection::{Findings, Inspector};

use crate::pdu::{Address, CommandStatus, Destination, Frame, Malformed};

/// The time of one read burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Nanoseconds on a clock that never steps back; only differences mean something.
    pub monotonic_nanos: u64,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub unix_millis: i64,
}

/// What a bind has resolved once, so that judging a message looks nothing up in a shared map.
#[derive(Debug)]
pub struct Standing {
    /// The facts in force.
    pub snapshot: std::sync::Arc<Snapshot>,
    /// The account that the bind belongs to.
    pub account: std::sync::Arc<AccountFacts>,
    /// The bind's own limit.
    pub limiter: Option<Limiter>,
}

/// Everything that a rule may see of one message.
struct Context<'a> {
    /// The message.
    message: &'a Submission<'a>,
    /// Who sends it.
    account: &'a AccountFacts,
    /// The declared sender ID that its source address is, if the account has it.
    sender: Option<&'a SenderFacts>,
    /// The bind's own limit.
    bind_limiter: Option<&'a Limiter>,
    /// What is known of the multipart message that this is a part of.
    assembly: Option<&'a Assembly<'a>>,
    /// What its texts show, once they have been read.
    findings: Findings,
    /// The campaign that it belongs to, if it is a declared one.
    campaign: Option<&'a CampaignFacts>,
    /// Where consents to it and opt-outs from it are found.
    scopes: &'a Scopes,
    /// Who has consented, opted out, written.
    facts: &'a dyn DurableFacts,
    /// What it confirms, if that is all that lets it through an opt-out.
    confirming: OnceCell<Confirming>,
    /// Recipients that no rule has refused.
    recipients: u32,
    /// When.
    now: Now,
}

impl<'a> Context<'a> {
    /// A message of a bind in this standing, nothing of which has been read or refused.
    fn new(message: &'a Submission<'a>, standing: &'a Standing, assembly: Option<&'a Assembly<'a>>, now: Now) -> Self {
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
            recipients: message.recipients.len(),
            now,
        }
    }

    /// What the message is for; none if neither a campaign nor the account says so.
    #[inline]
    fn purpose(&self) -> Option<Purpose> {
        self.campaign.map(CampaignFacts::purpose).or(self.account.declared().default_purpose)
    }

    #[inline]
    fn is_marketing(&self) -> bool {
        self.purpose() == Some(Purpose::Marketing)
    }
}

/// One rule: what it checks of a message and of each recipient.
trait Rule: std::fmt::Debug + Send + Sync {
    /// Judges the message as a whole. Changes nothing.
    fn check(&self, _context: &Context<'_>) -> Verdict {
        Verdict::Pass
    }

    /// Judges one recipient. Changes nothing.
    fn check_recipient(&self, _context: &Context<'_>, _recipient: &Destination<'_>) -> Verdict {
        Verdict::Pass
    }

    /// What of it is consumed by a message that passes; most rules consume nothing.
    fn consuming(&self) -> Option<&dyn Consuming> {
        None
    }
}

/// A rule of which a message that passes takes something.
trait Consuming {
    /// Takes what the message consumes, or refuses and takes nothing. Runs when every rule's checks have passed.
    fn take(&self, context: &Context<'_>) -> Verdict;

    /// What [`take`](Self::take) would say. Changes nothing.
    fn preview(&self, context: &Context<'_>) -> Verdict;

    /// Undoes [`take`](Self::take): a later rule has refused the message. The last rule is never asked to.
    fn give_back(&self, _context: &Context<'_>) {}
}

/// A rule as the configuration has it.
#[derive(Debug)]
struct Entry {
    name: RuleName,
    rule: Box<dyn Rule>,
    enforce: bool,
    status: Option<CommandStatus>,
}

impl Entry {
    fn rejection(&self, refusal: Refusal) -> Rejection {
        Rejection {
            rule: self.name,
            mode: if self.enforce { Mode::Enforce } else { Mode::Shadow },
            clause: refusal.clause,
            // An override never makes a client come back for ever with what no retry cures.
            status: self
                .status
                .filter(|status| refusal.status.is_retryable() || !status.is_retryable())
                .unwrap_or(refusal.status),
            evidence: refusal.evidence,
        }
    }
}

/// The ordered table of the rules that run. Rules that are off are not in it and cost nothing.
#[derive(Debug)]
pub struct Policy {
    entries: Vec<Entry>,
    /// Which of them consume something.
    consuming: Vec<usize>,
    inspector: Inspector,
}

/// What became of one frame.
#[derive(Debug)]
pub enum Outcome<'b> {
    /// It may go up as it is.
    Cleared(Cleared<'b>),
    /// A submit_multi may go up without some of its destinations.
    Reduced {
        /// The PDU without them, never longer than the original.
        rewritten: Rewritten,
        /// The destinations that were taken out, each with its refusal.
        refused: Vec<(Address<'b>, Rejection)>,
    },
    /// It is refused.
    Rejected(Rejection),
    /// Its body cannot be read, so it cannot be judged, so it is not relayed.
    Malformed(Malformed),
}

impl Policy {
    /// The table for these settings.
    ///
    /// # Errors
    /// Every fault of the operator's lists.
    pub fn new(
        settings: &std::collections::BTreeMap<RuleName, config::RuleSettings>,
        repetition: config::Repetition,
        texts: &config::Texts,
        accounts: &[config::Account],
    ) -> Result<Self, Vec<Faults>> {
        let inspector = Inspector::new(texts, accounts)?;
        let mut entries = Vec::new();
        for name in RuleName::ORDER {
            let Some(settings) = settings.get(&name) else { continue };
            if settings.mode == Mode::Off {
                continue;
            }
            let (rule, enforce) = (rules::build(name, repetition, texts), settings.mode == Mode::Enforce);
            entries.push(Entry { name, rule, enforce, status: settings.status });
            // The score is a signal of the rule `content` that has a mode of its own.
            if let (RuleName::Content, Some(score), Some(threshold)) = (name, &texts.score, inspector.threshold()) {
                let rule =
                    rules::score(score.threshold.map_or(threshold, |thousandths| f32::from(thousandths) / 1000.0));
                entries.push(Entry { name, rule, enforce: score.mode == Mode::Enforce, status: settings.status });
            }
        }
        let consumes = |(index, entry): (usize, &Entry)| entry.rule.consuming().map(|_| index);
        let consuming = entries.iter().enumerate().filter_map(consumes).collect();
        Ok(Self { entries, consuming, inspector })
    }

    /// How many entries the lists in force have.
    pub fn entries_in_lists(&self) -> usize {
        self.inspector.entries_in_lists()
    }

    /// Judges one frame of a bind. What shadow rules would have refused is appended to `shadowed`.
    ///
    /// All rules check; only then is what the message consumes taken, so a refused message leaves no trace, but for one:
    /// a multipart message of which a part was refused for what it says is refused from there on.
    pub fn clear<'b>(
        &self,
        frame: Frame<'b>,
        standing: &Standing,
        now: Now,
        shadowed: &mut Vec<Rejection>,
    ) -> Outcome<'b> {
        let message = match Submission::decode(frame) {
            Ok(message) => message,
            Err(malformed) => return Outcome::Malformed(malformed),
        };
        let account = &*standing.account;
        let concatenation = standing.snapshot.concatenation();
        let assembly = message.part.map(|part| concatenation.enter(account, &message, part, now));
        let mut context = Context::new(&message, standing, assembly.as_ref(), now);
        let judged = self.judge(&mut context, shadowed);
        let Findings { plain, named, .. } = context.findings;
        match judged {
            Err(rejection) => {
                if let Some(assembly) = assembly.filter(|_| rejection.rule.reads_text()) {
                    assembly.condemn(&rejection);
                }
                Outcome::Rejected(rejection)
            }
            Ok(refused) => {
                if let Some(assembly) = assembly {
                    assembly.accept(&message, plain.unwrap_or(0), named);
                }
                if refused.is_empty() {
                    Outcome::Cleared(Cleared::judged(frame))
                } else {
                    reduce(frame, &message, refused)
                }
            }
        }
    }

    /// The checks, then the takes. The recipients that are refused while others pass come back with their index.
    fn judge(
        &self,
        context: &mut Context<'_>,
        shadowed: &mut Vec<Rejection>,
    ) -> Result<Vec<(usize, Rejection)>, Rejection> {
        let mut read = false;
        for entry in &self.entries {
            if entry.name.reads_text() && !read {
                self.read_texts(context)?;
                read = true;
            }
            entry.settle(entry.rule.check(context), shadowed)?;
        }
        let mut refused = Vec::new();
        match context.message.recipients {
            Recipients::None => {}
            Recipients::One(address) => self.check_recipient(context, &Destination::Sme(address), shadowed)?,
            Recipients::Many(destinations) => {
                for (index, destination) in destinations.iter().enumerate() {
                    if let Err(rejection) = self.check_recipient(context, &destination, shadowed) {
                        refused.push((index, rejection));
                    }
                }
                if refused.len() == destinations.len() || (context.account.strict_multi() && !refused.is_empty()) {
                    return Err(refused.swap_remove(0).1);
                }
                context.recipients = (destinations.len() - refused.len()) as u32;
            }
        }
        if let Some(assembly) = context.assembly {
            let octets = context.message.texts().map(|(_, octets)| octets.len()).sum();
            assembly.room(octets).map_err(|Full(held)| Rejection::full(held))?;
        }
        self.take(context, shadowed)?;
        Ok(refused)
    }

    /// Reads what the message says. What cannot be read cannot be judged, and is not relayed, unless the account may
    /// send what is no text.
    fn read_texts(&self, context: &mut Context<'_>) -> Result<(), Rejection> {
        if let Some(rejection) = context.assembly.and_then(Assembly::condemned) {
            return Err(rejection.clone());
        }
        match self.inspector.inspect(context.message, context.account, context.assembly, &mut context.findings) {
            Err(evidence) if !context.account.may_send_unread(&evidence) => Err(Rejection::unreadable(evidence)),
            _ => Ok(()),
        }
    }

    fn check_recipient(
        &self,
        context: &Context<'_>,
        recipient: &Destination<'_>,
        shadowed: &mut Vec<Rejection>,
    ) -> Result<(), Rejection> {
        self.entries.iter().try_for_each(|entry| entry.settle(entry.rule.check_recipient(context, recipient), shadowed))
    }

    fn take(&self, context: &Context<'_>, shadowed: &mut Vec<Rejection>) -> Result<(), Rejection> {
        for (taken, (entry, rule)) in self.consuming().enumerate() {
            if let Err(rejection) = entry.settle(rule.take(context), shadowed) {
                self.consuming().take(taken).for_each(|(_, earlier)| earlier.give_back(context));
                return Err(rejection);
            }
        }
        Ok(())
    }

    /// The rules of which messages take something, in their order.
    fn consuming(&self) -> impl Iterator<Item = (&Entry, &dyn Consuming)> {
        let entries = self.consuming.iter().filter_map(|index| self.entries.get(*index));
        entries.filter_map(|entry| Some((entry, entry.rule.consuming()?)))
    }
}

impl Entry {
    #[inline]
    fn settle(&self, verdict: Verdict, shadowed: &mut Vec<Rejection>) -> Result<(), Rejection> {
        match verdict {
            Verdict::Pass => Ok(()),
            Verdict::Refuse(refusal) if self.enforce => Err(self.rejection(refusal)),
            Verdict::Refuse(refusal) => {
                shadowed.push(self.rejection(refusal));
                Ok(())
            }
            Verdict::Note(refusal) => {
                shadowed.push(Rejection { mode: Mode::Shadow, ..self.rejection(refusal) });
                Ok(())
            }
        }
    }
}

/// The submit_multi without its refused destinations. One that cannot be written without them is refused whole.
fn reduce<'b>(frame: Frame<'b>, message: &Submission<'b>, refused: Vec<(usize, Rejection)>) -> Outcome<'b> {
    let is_refused = |index| refused.binary_search_by_key(&index, |(refused, _)| *refused);
    let rewritten = Rewritten::submit_multi(frame, |index, _| is_refused(index).is_err());
    match (rewritten, message.recipients) {
        (Some(rewritten), Recipients::Many(destinations)) => {
            let addresses = destinations.iter().enumerate().filter(|(index, _)| is_refused(*index).is_ok());
            let addresses: Vec<_> = addresses.map(|(_, destination)| address(&destination)).collect();
            let refused = addresses.into_iter().zip(refused.into_iter().map(|(_, rejection)| rejection)).collect();
            Outcome::Reduced { rewritten, refused }
        }
        _ => Outcome::Rejected(refused.into_iter().next().map_or_else(Rejection::unwritable, |(_, first)| first)),
    }
}

/// A destination as unsuccess_sme can name it: a distribution list's name takes the address's place.
fn address<'a>(destination: &Destination<'a>) -> Address<'a> {
    match destination {
        Destination::Sme(address) => *address,
        Destination::List(name) => Address { digits: name, ..Address::default() },
    }
}
