//! A message in, a verdict out: synchronous, no I/O, no clock of its own. Facts and time are handed in, so the live
//! path, `explain`, `replay` and the tests give the same verdict.
//!
//! [`Policy::clear`] is the only maker of [`Cleared`] for an operation that carries text or a recipient, and the only
//! thing that the writer towards the SMSC accepts is `Cleared`: what was not judged cannot get there.

mod acquaintance;
mod allowances;
pub mod brands;
mod campaign;
pub mod clauses;
mod cleared;
mod concatenation;
mod confirmation;
mod context;
pub mod countries;
mod dealings;
mod explain;
mod expressions;
mod facts;
mod inspection;
mod limiter;
pub mod lists;
pub mod lures;
mod memory;
mod message;
mod msisdn;
mod octets;
mod person;
pub mod pictures;
mod quota;
mod recipient;
pub mod replies;
mod resemblance;
mod rules;
mod sample;
pub mod score;
mod sender;
mod sent;
pub mod shorteners;
mod snapshot;
mod verdict;
pub mod zone;

#[cfg(test)]
mod tests;

pub use acquaintance::{Acquaintance, TwoHours};
pub use allowances::Allowances;
pub use campaign::CampaignFacts;
pub use cleared::{Cleared, Rewritten};
pub use concatenation::Concatenation;
pub use confirmation::{Confirmation, Confirmations};
pub use dealings::{Dealings, taken};
pub use explain::{Explanation, Foretold, Opinion, Says};
pub use expressions::{TRIAL, Trial};
pub use facts::{DeclaredFacts, DurableFacts, Listing, LiveState, NoFacts, NoScope, Scope};
pub use limiter::Limiter;
pub use memory::Memory;
pub use message::{Part, Recipients, Submission};
pub use msisdn::{Msisdn, NoMsisdn};
pub use octets::Octets;
pub use quota::Quota;
pub(crate) use sample::Sample;
pub use sender::{Scopes, SenderFacts, SenderKey};
pub use snapshot::{AccountFacts, ListFaults, Snapshot, SnapshotFault};
pub use verdict::{Clause, Evidence, Field, Refusal, Rejection, Span, Spot, Verdict};

use std::sync::Arc;

use crate::config::{Config, Faults, Mode, Purpose, RuleName, Unlike};
use concatenation::{Assembly, Full};
use context::Context;
use countries::Countries;
use inspection::{Findings, Inspector, Sought};
use recipient::Recipient;
use rules::Repeats;

use crate::pdu::{Address, CommandStatus, Destination, Frame, Malformed};
use crate::reference::Ref;

/// The time of one read burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Nanoseconds on a clock that never steps back; only differences mean something.
    pub monotonic_nanos: u64,
    /// Milliseconds since 1970-01-01T00:00:00Z, as the wall's clock says.
    pub unix_millis: i64,
    /// The same, if nobody had set the wall's clock since the start.
    pub steady_millis: i64,
}

impl Now {
    /// The time by the wall's clock, and beside it the other if the clock has been set: what is closed at either is
    /// closed, so that no step of it opens anything.
    pub(crate) fn readings(self) -> impl Iterator<Item = i64> {
        let was_set = self.unix_millis.abs_diff(self.steady_millis) > Self::SLACK;
        std::iter::once(self.unix_millis).chain(was_set.then_some(self.steady_millis))
    }

    /// By so much, in milliseconds, the wall's clock may be put right by and by.
    pub(crate) const SLACK: u64 = 60_000;
}

/// What a bind has resolved once, so that judging a message looks nothing up in a shared map.
#[derive(Debug)]
pub struct Standing {
    /// The facts in force.
    pub snapshot: Arc<Snapshot>,
    /// The account that the bind belongs to.
    pub account: Arc<AccountFacts>,
    /// The bind's own limit.
    pub limiter: Option<Limiter>,
    /// Whether nothing may be relayed now, as nothing that is refused could be put on record.
    pub withholds: bool,
}

/// One rule: what it checks of a message and of each recipient.
trait Rule: std::fmt::Debug + Send + Sync {
    /// Judges the message as a whole. Changes nothing.
    fn check(&self, _context: &Context<'_>) -> Verdict {
        Verdict::Pass
    }

    /// Judges one recipient. Changes nothing.
    fn check_recipient(&self, _context: &Context<'_>, _recipient: &Recipient<'_>) -> Verdict {
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
    /// Whether texts are held against the samples of their campaigns.
    compares: bool,
    /// What of a text is to be remembered, if any is.
    repeats: Option<Repeats>,
    /// Messages that are less like their campaign's samples than this, in thousandths, are judged as offers.
    offers_unless_alike: Option<u16>,
    inspector: Inspector,
    countries: Arc<Countries>,
}

/// A message that goes up, as it was judged.
#[derive(Debug, Clone, Copy)]
pub struct Passed<'b> {
    /// The message.
    pub message: Submission<'b>,
    /// What it was judged as.
    pub purpose: Option<Purpose>,
    /// Its name.
    pub reference: Ref,
    /// Whether its recipients are in the memory of messages, pending the SMSC's answer.
    pub is_remembered: bool,
    /// The place of its campaign among [`AccountFacts::campaigns`], if it belongs to one.
    pub campaign: Option<usize>,
}

impl<'b> Passed<'b> {
    /// The numbers of its recipients, each as it was judged.
    pub fn numbers(&self, account: &AccountFacts) -> impl Iterator<Item = Msisdn> + use<'b> {
        let (all, home) = (self.message.recipients.iter(), account.home());
        all.filter_map(move |destination| Recipient::of(&destination, home).meant().map(|(number, _)| number))
    }
}

/// What became of one frame.
#[derive(Debug)]
pub enum Outcome<'b> {
    /// It may go up as it is.
    Cleared(Cleared<'b>, Passed<'b>),
    /// A submit_multi may go up without some of its destinations.
    Reduced {
        /// The PDU without them, never longer than the original.
        rewritten: Rewritten,
        /// The destinations that were taken out, each with its refusal.
        refused: Vec<(Address<'b>, Rejection)>,
        /// What it was judged as, with all its destinations.
        passed: Passed<'b>,
    },
    /// It is refused; and the place of its campaign among [`AccountFacts::campaigns`], if it belongs to one.
    Rejected(Rejection, Option<usize>),
    /// No rule refuses it, but now nothing may be relayed. It has taken nothing, and may come again.
    Withheld,
    /// Its body cannot be read, so it cannot be judged, so it is not relayed.
    Malformed(Malformed),
}

impl Policy {
    /// The table that `config` declares.
    ///
    /// # Errors
    /// Every fault of the operator's lists.
    pub fn new(config: &Config) -> Result<Self, Vec<Faults>> {
        let texts = &config.texts;
        let inspector = Inspector::new(texts, &config.accounts)?;
        let countries = Arc::new(Countries::new(&config.countries));
        let mut entries = Vec::new();
        for name in RuleName::ORDER {
            let Some(settings) = config.rules.get(&name) else { continue };
            if settings.mode == Mode::Off {
                continue;
            }
            let (rule, enforce) = (rules::build(name, config, &countries), settings.mode == Mode::Enforce);
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
        let is_on = |name| entries.iter().any(|entry: &Entry| entry.name == name);
        let compares = is_on(RuleName::Campaign);
        let repeats = is_on(RuleName::Repetition).then(|| Repeats::new(config.repetition));
        let enforces = |name| entries.iter().any(|entry: &Entry| entry.name == name && entry.enforce);
        let takes_for_offers = enforces(RuleName::Campaign) && config.campaign.unlike == Unlike::Marketing;
        let offers_unless_alike = takes_for_offers.then_some(config.campaign.alike);
        Ok(Self { entries, consuming, compares, repeats, offers_unless_alike, inspector, countries })
    }

    /// Whether a law says how many offers a day this recipient may get.
    pub fn limits_offers(&self, recipient: Msisdn) -> bool {
        Recipient::known(recipient).whereabouts(|place| self.countries.marketing_per_day(place)).is_some()
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
        let concatenation = &standing.snapshot.memory().concatenation;
        let assembly = message.part.map(|part| concatenation.enter(account, &message, part, now));
        let reference = standing.snapshot.memory().refs.at(now.unix_millis);
        let mut context = Context::new(&message, standing, assembly.as_ref(), reference, now);
        let checked = self.judge(&mut context, shadowed);
        if checked.is_ok() && standing.withholds {
            return Outcome::Withheld;
        }
        let judged = checked.and_then(|()| self.take(&context, shadowed));
        let campaign = context.campaign.map(CampaignFacts::index);
        let (purpose, reference, is_remembered) = (context.purpose(), context.reference, context.is_remembered.get());
        let passed = Passed { message, purpose, reference, is_remembered, campaign };
        let (Findings { plain, named, .. }, refused) = (context.findings, context.refused);
        match judged {
            Err(rejection) => {
                if let Some(assembly) = assembly.filter(|_| rejection.condemns()) {
                    assembly.condemn(&rejection);
                }
                Outcome::Rejected(rejection, campaign)
            }
            Ok(()) => {
                if let Some(assembly) = assembly {
                    assembly.accept(&message, plain.unwrap_or(0), named);
                }
                if refused.is_empty() {
                    Outcome::Cleared(Cleared::judged(frame), passed)
                } else {
                    reduce(frame, passed, refused)
                }
            }
        }
    }

    /// The checks. The recipients that are refused while others pass are in the context then.
    fn judge(&self, context: &mut Context<'_>, shadowed: &mut Vec<Rejection>) -> Result<(), Rejection> {
        let mut read = self.may_turn_out_an_offer(context);
        if read {
            self.read_texts(context)?;
        }
        for entry in &self.entries {
            if entry.name.reads_text() && !read {
                self.read_texts(context)?;
                read = true;
            }
            entry.settle(entry.rule.check(context), shadowed)?;
        }
        if let Some(one) = &context.one {
            self.check_recipient(context, one, shadowed)?;
        } else {
            let mut refused = Vec::new();
            for (index, recipient) in context.all().enumerate() {
                if let Err(rejection) = self.check_recipient(context, &recipient, shadowed) {
                    refused.push((index, rejection));
                }
            }
            if context.refuses_whole(&refused) {
                return Err(refused.swap_remove(0).1);
            }
            context.refused = refused;
        }
        if let Some(assembly) = context.assembly {
            let octets = context.message.texts().map(|(_, octets)| octets.len()).sum();
            assembly.room(octets).map_err(|Full(held)| Rejection::full(held))?;
        }
        Ok(())
    }

    /// Reads what the message says. What cannot be read cannot be judged, and is not relayed, unless the account may
    /// send what is no text.
    fn read_texts(&self, context: &mut Context<'_>) -> Result<(), Rejection> {
        if let Some(rejection) = context.assembly.and_then(Assembly::condemned) {
            return Err(rejection.clone());
        }
        let read = self.inspect(context);
        match read {
            Err(evidence) if !context.account.may_send_unread(&evidence) => Err(Rejection::unreadable(evidence)),
            _ => Ok(()),
        }
    }

    /// Finds out what the message says, and what it is to be judged as for that.
    fn inspect(&self, context: &mut Context<'_>) -> Result<(), Evidence> {
        let sought = self.sought(context);
        if sought.marker.is_some() {
            context.sent_to_one = context.one.as_ref().and_then(|one| context.sent_to(one));
        }
        let read =
            self.inspector.inspect(context.message, context.account, context.assembly, sought, &mut context.findings);
        if let Some(place) = &context.sent_to_one {
            context.memory.sent.approach(place);
        }
        let least = self.offers_unless_alike;
        context.is_taken_for_offer = context.findings.alike.zip(least).is_some_and(|(alike, least)| alike < least);
        read
    }

    /// Whether what a message says may make it an offer: then it is read before any rule asks whether it is one.
    fn may_turn_out_an_offer(&self, context: &Context<'_>) -> bool {
        self.offers_unless_alike.is_some() && context.campaign.is_some_and(|campaign| !campaign.samples().is_empty())
    }

    /// What is to be found out of a text beside what it shows.
    fn sought<'a>(&self, context: &Context<'a>) -> Sought<'a> {
        let samples = context.campaign.filter(|_| self.compares).map(CampaignFacts::samples).unwrap_or_default();
        let purpose =
            if self.may_turn_out_an_offer(context) { Some(Purpose::Marketing) } else { context.declared_purpose() };
        let is_kept = self.repeats.is_some_and(|repeats| repeats.concern(purpose));
        Sought { marker: is_kept.then_some(&context.memory.marker), samples }
    }

    fn check_recipient(
        &self,
        context: &Context<'_>,
        recipient: &Recipient<'_>,
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
fn reduce<'b>(frame: Frame<'b>, passed: Passed<'b>, refused: Vec<(usize, Rejection)>) -> Outcome<'b> {
    let is_refused = |index| refused.binary_search_by_key(&index, |(refused, _)| *refused);
    let rewritten = Rewritten::submit_multi(frame, |index, _| is_refused(index).is_err());
    match (rewritten, passed.message.recipients) {
        (Some(rewritten), Recipients::Many(destinations)) => {
            let addresses = destinations.iter().enumerate().filter(|(index, _)| is_refused(*index).is_ok());
            let addresses: Vec<_> = addresses.map(|(_, destination)| address(&destination)).collect();
            let refused = addresses.into_iter().zip(refused.into_iter().map(|(_, rejection)| rejection)).collect();
            Outcome::Reduced { rewritten, refused, passed }
        }
        _ => {
            let first = refused.into_iter().next().map_or_else(Rejection::unwritable, |(_, first)| first);
            Outcome::Rejected(first, passed.campaign)
        }
    }
}

/// A destination as unsuccess_sme can name it: a distribution list's name takes the address's place.
fn address<'a>(destination: &Destination<'a>) -> Address<'a> {
    match destination {
        Destination::Sme(address) => *address,
        Destination::List(name) => Address { digits: name, ..Address::default() },
    }
}
