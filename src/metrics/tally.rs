//! What one bind counts. It adds to plain numbers while a read burst lasts, and to the metrics at its end: a burst costs a
//! few relaxed additions, however many messages it has. Handles are looked up when the bind begins, and those of a ground
//! or an answer when the bind meets it first; only that takes a lock and allocates.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;

use super::labels::{Ground, OfAccount, OfAnswer, OfVerdict, status};
use super::{Metrics, Verdict};
use crate::config::Mode;
use crate::pdu::CommandStatus;
use crate::policy::Rejection;

/// See the module. What is not added yet is when it is dropped.
#[derive(Debug)]
pub struct Tally {
    metrics: Arc<Metrics>,
    account: String,
    messages: [Counter; Verdict::ALL.len()],
    malformed: Counter,
    withheld: Counter,
    /// Of what is refused, and of what would be in another mode.
    grounds: Vec<((Ground, Mode), Counter)>,
    /// By status; those without a name are one.
    answers: Vec<(Option<CommandStatus>, Counter)>,
    burst: Burst,
}

/// What is not added yet.
#[derive(Debug, Default)]
struct Burst {
    messages: [u64; Verdict::ALL.len()],
    malformed: u64,
    withheld: u64,
    /// Messages that were judged since their time was taken last.
    judged: u64,
    answers: Run<Option<CommandStatus>>,
    /// By bucket, in microseconds.
    waits: Run<usize>,
}

/// Neighbours of one key, counted together.
#[derive(Debug)]
struct Run<K> {
    key: Option<K>,
    count: u64,
    sum: u64,
}

impl<K> Default for Run<K> {
    fn default() -> Self {
        Self { key: None, count: 0, sum: 0 }
    }
}

impl<K: PartialEq> Run<K> {
    /// Adds one of this key and value; gives the run before, if it was of another key.
    #[inline]
    fn add(&mut self, key: K, value: u64) -> Option<(K, u64, u64)> {
        let before = if self.key.as_ref().is_some_and(|known| *known != key) { self.take() } else { None };
        self.key = Some(key);
        self.count += 1;
        self.sum += value;
        before
    }

    #[inline]
    fn take(&mut self) -> Option<(K, u64, u64)> {
        let Self { key, count, sum } = std::mem::take(self);
        Some((key?, count, sum))
    }
}

impl Tally {
    /// Of a bind of this account.
    pub fn new(metrics: Arc<Metrics>, account: &str) -> Self {
        let of = |verdict: Verdict| {
            let labels = OfVerdict { account: account.to_owned(), verdict: verdict.name() };
            metrics.messages.get_or_create_owned(&labels)
        };
        let messages = Verdict::ALL.map(of);
        let malformed = metrics.malformed.get_or_create_owned(&OfAccount { account: account.to_owned() });
        let withheld = metrics.withheld.get_or_create_owned(&OfAccount { account: account.to_owned() });
        let (grounds, answers, burst) = (Vec::new(), Vec::new(), Burst::default());
        Self { account: account.to_owned(), messages, malformed, withheld, grounds, answers, burst, metrics }
    }

    /// From now on it is of this account.
    pub fn turn_to(&mut self, account: &str) {
        if *account != *self.account {
            *self = Self::new(self.metrics.clone(), account);
        }
    }

    /// A message was judged.
    #[inline]
    pub fn judged(&mut self, verdict: Verdict) {
        if let Some(count) = self.burst.messages.get_mut(verdict as usize) {
            *count += 1;
            self.burst.judged += 1;
        }
    }

    /// A request was answered with an error of the protocol.
    pub fn malformed(&mut self) {
        self.burst.malformed += 1;
    }

    /// A message that no rule refuses was answered that it may come again.
    pub fn withheld(&mut self) {
        self.burst.withheld += 1;
    }

    /// A rule refuses a message or one of its destinations, or would in another mode.
    pub fn refused(&mut self, rejection: &Rejection) {
        let key = (Ground::of(rejection), rejection.mode);
        if let Some((_, counter)) = self.grounds.iter().find(|(known, _)| *known == key) {
            counter.inc();
            return;
        }
        let family = match rejection.mode {
            Mode::Enforce => &self.metrics.rejections,
            Mode::Shadow | Mode::Off => &self.metrics.shadowed,
        };
        let counter = family.get_or_create_owned(&key.0.labels(&self.account));
        counter.inc();
        self.grounds.push((key, counter));
    }

    /// The SMSC answered a message after this time.
    #[inline]
    pub fn answered(&mut self, status: CommandStatus, after: Duration) {
        let micros = after.as_micros() as u64;
        let known = status.name().map(|_| status);
        if let Some((known, count, _)) = self.burst.answers.add(known, 0) {
            self.add_answers(known, count);
        }
        let times = &self.metrics.upstream_time;
        if let Some((bucket, count, sum)) = self.burst.waits.add(times.bucket(micros), micros) {
            times.add(bucket, count, sum);
        }
    }

    /// So long it took to judge the messages of one read: each counts as having taken the mean of them.
    #[inline]
    pub fn took(&mut self, elapsed: Duration) {
        let count = std::mem::take(&mut self.burst.judged);
        let nanos = elapsed.as_nanos() as u64;
        if let Some(mean) = nanos.checked_div(count) {
            let times = &self.metrics.verdict_time;
            times.add(times.bucket(mean), count, nanos);
        }
    }

    /// The end of a burst, in which so many octets left to the SMSC and to the ESME.
    #[inline]
    pub fn end_burst(&mut self, up: u64, down: u64) {
        let [upwards, downwards] = &self.metrics.bytes;
        for (counter, octets) in [(upwards, up), (downwards, down)] {
            if octets > 0 {
                counter.inc_by(octets);
            }
        }
        self.add();
    }

    fn add(&mut self) {
        let burst = std::mem::take(&mut self.burst);
        self.burst.judged = burst.judged;
        let counted = self
            .messages
            .iter()
            .zip(burst.messages)
            .chain([(&self.malformed, burst.malformed), (&self.withheld, burst.withheld)]);
        for (counter, count) in counted.filter(|(_, count)| *count > 0) {
            counter.inc_by(count);
        }
        let Burst { mut answers, mut waits, .. } = burst;
        if let Some((known, count, _)) = answers.take() {
            self.add_answers(known, count);
        }
        if let Some((bucket, count, sum)) = waits.take() {
            self.metrics.upstream_time.add(bucket, count, sum);
        }
    }

    fn add_answers(&mut self, known: Option<CommandStatus>, count: u64) {
        if let Some((_, counter)) = self.answers.iter().find(|(status, _)| *status == known) {
            counter.inc_by(count);
            return;
        }
        let labels = OfAnswer { account: self.account.clone(), status: status(known) };
        let counter = self.metrics.responses.get_or_create_owned(&labels);
        counter.inc_by(count);
        self.answers.push((known, counter));
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.add();
    }
}
