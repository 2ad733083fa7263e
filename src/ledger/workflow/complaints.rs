//! Complaints of recipients (clauses 18, 27 and 28): each is a case, with what has come of it.
//!
//! Counts against an account: distinct recipients within a window, by keyed hash, whose complaints nobody has found
//! baseless. The recipient's number is kept in clear until the case is resolved.

use std::collections::HashSet;
use std::fmt;

use redb::{ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::accounts::{Actor, Command, Outcome};
use super::authorities::Authority;
use super::number;
use super::outbox::EventKind;
use super::proofs::Step;
use super::refusal::{MAX_NOTE, note};
use super::store::{CASES, CASES_BY_ACCOUNT, CASES_BY_NUMBER, COMPLAINT_LEVELS, Change, Stop, Workflow, record};
use super::thresholds::Level;
use super::time::{Moment, millis};
use super::{Refusal, WorkflowFault};
use crate::audit::NumberKey;
use crate::config;
use crate::policy::Msisdn;

/// How long a complaint that comes again is the same, in milliseconds.
const SAME: i64 = 24 * 3_600_000;
/// How long all parts of a message may take, likewise.
const PARTS: i64 = 600_000;
/// The most cases of a number that are looked at for it, the latest.
const LOOKED_AT: usize = 100;

/// Names a case, in the order in which they were opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CaseId(pub u64);

impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How a complaint came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// A message to the complaints' code.
    Message,
    /// The operator's interface.
    Api,
    /// The public form.
    Form,
    /// The command line.
    Cli,
}

/// A complaint as it comes in.
#[derive(Clone)]
pub struct Complaint {
    /// Who complains.
    pub msisdn: Msisdn,
    /// When the message came, or the complaint was written, in milliseconds since 1970.
    pub at: i64,
    /// What they say.
    pub text: String,
    /// About which account, if that is known.
    pub account: Option<String>,
    /// About which message: the reference of one that this number was sent, as the caller has made sure.
    pub message: Option<String>,
    /// How it came in.
    pub via: Via,
    /// Whether the text is but one part of a longer message.
    pub is_part: bool,
}

impl fmt::Debug for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Complaint").field("account", &self.account).field("via", &self.via).finish_non_exhaustive()
    }
}

impl Complaint {
    /// Whether it counts against the account as it comes in.
    fn counts(&self) -> bool {
        self.via.is_proven()
    }
}

impl Via {
    /// Anybody can write any number into the public form, also one that was sent a message: whoever knows enough
    /// numbers could end an account. What comes from there counts when somebody has looked at it and upheld it.
    fn is_proven(self) -> bool {
        self != Self::Form
    }
}

/// How far a case is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaseState {
    /// Somebody has to look at it.
    Open,
    /// The account does not agree; somebody has to look at it again.
    Appealed,
    /// Somebody has decided.
    Resolved,
}

impl CaseState {
    /// The name in records and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Appealed => "appealed",
            Self::Resolved => "resolved",
        }
    }
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resolution {
    /// The recipient is right.
    Upheld,
    /// There was no ground; the complaint no longer counts.
    Dismissed,
}

/// How somebody decides.
#[derive(Debug, Clone)]
pub struct Decision {
    /// What.
    pub resolution: Resolution,
    /// Whether the account's hold ends as well.
    pub release: bool,
    /// Why.
    pub reason: String,
}

/// A case.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Its name.
    pub id: CaseId,
    /// The keyed hash of the recipient's number, as in the audit's records.
    pub number_hash: String,
    /// The number, until the case is resolved or the recipient has it erased.
    #[serde(with = "number::optional")]
    pub msisdn: Option<Msisdn>,
    /// What the recipient says, unless they had it erased.
    pub text: Option<String>,
    /// About which account.
    pub account: Option<String>,
    /// About which message: its reference.
    pub message: Option<String>,
    /// How it came in.
    pub via: Via,
    /// Whether it came in parts; each is a line of the text.
    #[serde(default)]
    pub(super) in_parts: bool,
    /// When the recipient says that it was, in milliseconds since 1970.
    pub at: i64,
    /// When it came in, likewise.
    pub opened: i64,
    /// The country (ISO 3166-1 alpha-2) whose authority is named to the recipient, if it is known.
    pub country: Option<String>,
    /// How far it is.
    pub state: CaseState,
    /// What was decided last.
    pub resolution: Option<Resolution>,
    /// Whether it took longer than the level of service allows.
    pub overdue: bool,
    /// When it is overdue by the wall's clock as it was when the case was opened, in milliseconds since 1970; none of a
    /// case of before this was kept. What counts is the ledger's own time.
    #[serde(default)]
    pub deadline: Option<i64>,
    /// When it is overdue, in the ledger's time.
    pub(super) due: i64,
    /// Who did what and when; the first entry is the complaint.
    pub timeline: Vec<Step<CaseState>>,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut case = f.debug_struct("Case");
        case.field("id", &self.id).field("account", &self.account).field("state", &self.state).finish_non_exhaustive()
    }
}

impl Case {
    /// Who takes complaints about unwanted messages where the recipient is; information, not legal advice.
    pub fn authority(&self) -> Option<&'static Authority> {
        Authority::of_country(self.country.as_deref()?)
    }

    /// Whether it counted against the account as it came in.
    fn counts(&self) -> bool {
        self.via.is_proven()
    }

    fn step(&mut self, now: Moment, by: &Actor, state: CaseState, note: Option<String>) {
        self.state = state;
        self.timeline.push(Step { at: now.unix_millis, by: by.clone(), state, note });
    }
}

impl Workflow {
    /// Opens a case, with the event `complaint.opened` and what the thresholds of `terms` ask for. Of the text 1000
    /// characters are kept. Who says the same about the same account again within a day, or whose message comes again,
    /// gets the case that there is; so does the next part of a message, whose text goes into it.
    ///
    /// # Errors
    /// [`WorkflowFault::Ledger`]
    pub fn open_case(
        &self,
        now: Moment,
        complaint: Complaint,
        by: &Actor,
        terms: &config::Complaints,
    ) -> Result<Case, WorkflowFault> {
        let text = cleaned(&complaint.text);
        let hash = self.numbers.hash(complaint.msisdn.digits().as_bytes()).to_string();
        self.change(now, |change| {
            if let Some(case) = change.same_case(&hash, &complaint, &text)? {
                return Ok(case);
            }
            let (id, state) = (CaseId(change.next("case")?), CaseState::Open);
            let Complaint { msisdn, at, account, message, via, is_part, .. } = complaint;
            let service_level = millis(terms.service_level);
            let case = Case {
                id,
                number_hash: hash,
                msisdn: Some(msisdn),
                text: Some(text),
                account,
                message,
                via,
                in_parts: is_part,
                at,
                opened: now.unix_millis,
                country: Authority::of_number(msisdn).map(|authority| authority.country.clone()),
                state,
                resolution: None,
                overdue: false,
                deadline: Some(now.unix_millis.saturating_add(service_level)),
                due: change.steady.saturating_add(service_level),
                timeline: vec![Step { at: now.unix_millis, by: by.clone(), state, note: None }],
            };
            change.put_case(&case)?;
            change.mark(CASES_BY_NUMBER, (&case.number_hash, id.0), true)?;
            let account = case.account.as_deref();
            change.emit(
                account,
                EventKind::ComplaintOpened,
                json!({"case": id, "via": via, "message": case.message}),
            )?;
            if let Some(account) = account.filter(|_| case.counts()) {
                change.count(account, &case, true, terms)?;
            }
            Ok(case)
        })
    }

    /// Records that the account does not agree, whether or not somebody has decided.
    ///
    /// # Errors
    /// [`Refusal::Unknown`], [`Refusal::Invalid`] if `reason` is none, [`Refusal::Conflict`] if no account is known.
    pub fn appeal_case(&self, now: Moment, id: CaseId, by: &Actor, reason: &str) -> Result<Outcome, WorkflowFault> {
        let reason = note("the reason", reason)?;
        self.change(now, |change| {
            let mut case = change.case(id)?;
            let Some(account) = case.account.clone() else {
                return Err(Refusal::Conflict(format!("the case {id} is about no account that could appeal")).into());
            };
            if case.state == CaseState::Appealed {
                return Ok(Outcome::Unchanged);
            }
            case.step(now, by, CaseState::Appealed, Some(reason));
            change.put_case(&case)?;
            change.emit(Some(&account), EventKind::ComplaintAppealed, json!({"case": id}))?;
            Ok(Outcome::Done)
        })
    }

    /// Decides a case, and does what the thresholds of `terms` ask for if it counts again. The number is no longer kept in clear.
    ///
    /// # Errors
    /// [`Refusal::Unknown`], [`Refusal::Invalid`] if `reason` is none, [`Refusal::Conflict`] if it was decided
    /// otherwise before and nobody has appealed.
    pub fn resolve_case(
        &self,
        now: Moment,
        id: CaseId,
        decision: &Decision,
        by: &Actor,
        terms: &config::Complaints,
    ) -> Result<Outcome, WorkflowFault> {
        let Decision { resolution, release, reason } = decision;
        let reason = note("the reason", reason)?;
        self.change(now, |change| {
            let mut case = change.case(id)?;
            if case.state == CaseState::Resolved {
                return match case.resolution == Some(*resolution) {
                    true => Ok(Outcome::Unchanged),
                    false => {
                        let message = format!("the case {id} has been resolved otherwise: record an appeal first");
                        Err(Refusal::Conflict(message).into())
                    }
                };
            }
            (case.resolution, case.msisdn) = (Some(*resolution), None);
            case.step(now, by, CaseState::Resolved, Some(reason.clone()));
            change.put_case(&case)?;
            let data = json!({"case": id, "resolution": resolution});
            change.emit(case.account.as_deref(), EventKind::ComplaintResolved, data)?;
            if let Some(account) = &case.account {
                let counts = *resolution == Resolution::Upheld;
                change.count(account, &case, counts, terms)?;
                if *release {
                    change.command_if_allowed(account, &Command::Release, by, &reason)?;
                }
            }
            Ok(Outcome::Done)
        })
    }

    /// One case.
    ///
    /// # Errors
    /// [`Refusal::Unknown`]
    pub fn case(&self, id: CaseId) -> Result<Case, WorkflowFault> {
        self.view(|view| {
            let case = record(&view.table(CASES)?, id.0)?;
            case.ok_or_else(|| Refusal::Unknown { what: "case", id: id.0 }.into())
        })
    }

    /// The case with the number nearest to `id`; none if there is no case.
    ///
    /// # Errors
    /// [`WorkflowFault::Ledger`]
    pub fn nearest_case(&self, id: CaseId) -> Result<Option<CaseId>, WorkflowFault> {
        self.view(|view| Ok(view.nearest(CASES, id.0)?.map(CaseId)))
    }

    /// Up to `most` cases opened after `after` (none: from the first), in order.
    ///
    /// # Errors
    /// [`WorkflowFault::Ledger`]
    pub fn cases(&self, after: Option<CaseId>, most: usize) -> Result<Vec<Case>, WorkflowFault> {
        self.view(|view| {
            let cases = view.table(CASES)?;
            let range = cases.range(after.map_or(0, |after| after.0.saturating_add(1))..)?;
            range.take(most).map(|entry| Ok(serde_json::from_slice(entry?.1.value())?)).collect()
        })
    }
}

impl Change {
    pub(super) fn case(&self, id: CaseId) -> Result<Case, Stop> {
        self.get(CASES, id.0)?.ok_or_else(|| Refusal::Unknown { what: "case", id: id.0 }.into())
    }

    /// The case that the number with this hash has opened about the same account within the last day with the same words,
    /// or a moment ago with another part of the same message: then this part is added to it.
    fn same_case(&mut self, hash: &str, complaint: &Complaint, text: &str) -> Result<Option<Case>, Stop> {
        let now = self.now.unix_millis;
        for id in self.latest_cases(hash)? {
            let mut case = self.case(id)?;
            if case.opened < now.saturating_sub(SAME) {
                break;
            }
            let may_be = case.account == complaint.account && (case.counts() || !complaint.counts());
            let Some(said) = case.text.as_deref().filter(|_| may_be) else { continue };
            let goes_on = complaint.is_part && case.in_parts && case.opened >= now.saturating_sub(PARTS);
            if said == text || goes_on && said.lines().any(|line| line == text) {
                return Ok(Some(case));
            }
            if goes_on && case.state == CaseState::Open {
                case.text = Some(format!("{said}\n{text}").chars().take(MAX_NOTE).collect());
                self.put_case(&case)?;
                return Ok(Some(case));
            }
        }
        Ok(None)
    }

    fn latest_cases(&self, hash: &str) -> Result<Vec<CaseId>, Stop> {
        let by_number = self.table(CASES_BY_NUMBER)?;
        let latest = by_number.range((hash, 0)..=(hash, u64::MAX))?.rev().take(LOOKED_AT);
        latest.map(|entry| Ok(CaseId(entry?.0.value().1))).collect()
    }

    /// Does what the threshold asks for that complaints about an account reach now.
    fn judge_complaints(&mut self, account: &str, terms: &config::Complaints) -> Result<(), Stop> {
        let since = self.now.unix_millis.saturating_sub(millis(terms.window));
        let mut recipients = HashSet::new();
        for entry in self.table(CASES_BY_ACCOUNT)?.range((account, since, 0)..(account, i64::MAX, u64::MAX))? {
            recipients.insert(entry?.1.value().to_owned());
            // No count beyond the last threshold matters.
            if recipients.len() >= terms.block as usize {
                break;
            }
        }
        let count = u32::try_from(recipients.len()).unwrap_or(u32::MAX);
        let level = match count {
            count if count >= terms.block => Level::Block,
            count if count >= terms.hold => Level::Hold,
            count if count >= terms.warn => Level::Warn,
            _ => Level::Below,
        };
        let reason = format!("{count} recipients have complained");
        self.reach(COMPLAINT_LEVELS, account, level, &Actor::Complaints, &reason).map(drop)
    }

    /// Counts a case against an account from now on, or no longer, and judges. What has lapsed since it was judged last
    /// is seen first: it must be reached anew.
    fn count(&mut self, account: &str, case: &Case, counts: bool, terms: &config::Complaints) -> Result<(), Stop> {
        self.judge_complaints(account, terms)?;
        let key = (account, case.opened, case.id.0);
        match counts {
            true => drop(self.table(CASES_BY_ACCOUNT)?.insert(key, case.number_hash.as_str())?),
            false => self.remove(CASES_BY_ACCOUNT, key)?,
        }
        self.judge_complaints(account, terms)
    }
}

/// Makes the hashes of numbers anew for a file of a version in which they were of another kind, where the number is known:
/// that of a case which has lost it stays as it is.
pub(super) fn rehash(transaction: &WriteTransaction, numbers: &NumberKey) -> Result<(), Stop> {
    let mut cases = transaction.open_table(CASES)?;
    let mut by_number = transaction.open_table(CASES_BY_NUMBER)?;
    let mut by_account = transaction.open_table(CASES_BY_ACCOUNT)?;
    let all: Vec<Case> =
        cases.iter()?.map(|case| Ok(serde_json::from_slice(case?.1.value())?)).collect::<Result<_, Stop>>()?;
    for mut case in all {
        let Some(msisdn) = case.msisdn else { continue };
        let hash = numbers.hash(msisdn.digits().as_bytes()).to_string();
        by_number.remove((case.number_hash.as_str(), case.id.0))?;
        by_number.insert((hash.as_str(), case.id.0), ())?;
        let key = (case.account.as_deref().unwrap_or_default(), case.opened, case.id.0);
        let counts = by_account.remove(key)?.is_some();
        if counts {
            by_account.insert(key, hash.as_str())?;
        }
        case.number_hash = hash;
        cases.insert(case.id.0, serde_json::to_vec(&case)?.as_slice())?;
    }
    Ok(())
}

/// What a recipient says, as it is kept: whatever came, it is a complaint.
fn cleaned(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect();
    let text: String = plain.trim().chars().take(MAX_NOTE).collect();
    if text.is_empty() { "(no text)".to_owned() } else { text }
}
