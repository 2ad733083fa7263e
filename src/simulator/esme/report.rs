//! What a load run measured, as a table and as JSON.

use std::{collections::BTreeMap, fmt};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::pdu::CommandStatus;

/// The longest latency that is told apart, in nanoseconds: two minutes.
const LONGEST: u64 = 120_000_000_000;

/// Statuses and latencies of all binds together. Filled once per burst of answers, not per answer.
pub(super) struct Tally {
    latencies: Histogram<u64>,
    statuses: BTreeMap<CommandStatus, u64>,
}

impl Tally {
    pub(super) fn new() -> Result<Self, hdrhistogram::CreationError> {
        Ok(Self { latencies: Histogram::new_with_bounds(1, LONGEST, 3)?, statuses: BTreeMap::new() })
    }

    /// Takes a burst of answers: each one's status and latency in nanoseconds.
    pub(super) fn record(&mut self, answers: &[(CommandStatus, u64)]) {
        let mut accepted = 0;
        for (status, latency) in answers {
            self.latencies.saturating_record(*latency);
            if *status == CommandStatus::ESME_ROK {
                accepted += 1;
            } else {
                *self.statuses.entry(*status).or_default() += 1;
            }
        }
        if accepted > 0 {
            *self.statuses.entry(CommandStatus::ESME_ROK).or_default() += accepted;
        }
    }

    pub(super) fn latency(&self) -> Latency {
        let microseconds = |nanoseconds: u64| nanoseconds as f64 / 1000.0;
        let at = |quantile| microseconds(self.latencies.value_at_quantile(quantile));
        Latency {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: microseconds(self.latencies.max()),
            mean: self.latencies.mean() / 1000.0,
        }
    }

    /// How many were answered with ESME_ROK.
    pub(super) fn accepted(&self) -> u64 {
        self.statuses.get(&CommandStatus::ESME_ROK).copied().unwrap_or(0)
    }

    pub(super) fn statuses(&self) -> BTreeMap<String, u64> {
        self.statuses.iter().map(|(status, count)| (status.to_string(), *count)).collect()
    }
}

/// Latencies of the answers, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    /// Half of the answers came within this.
    pub p50: f64,
    /// Nine of ten.
    pub p90: f64,
    /// 99 of a hundred.
    pub p99: f64,
    /// 999 of a thousand.
    pub p999: f64,
    /// The slowest answer.
    pub max: f64,
    /// The arithmetic mean.
    pub mean: f64,
}

/// What a latency counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LatencyFrom {
    /// When the message was sent (closed loop).
    Sent,
    /// When the schedule meant it to be sent (open loop): a stall is not hidden by having sent less meanwhile.
    Intended,
}

/// What became of the binds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Binds {
    /// Asked for.
    pub asked: u64,
    /// Bound.
    pub bound: u64,
    /// Not connected, or refused.
    pub failed: u64,
    /// Bound, and closed by the other side before the end.
    pub lost: u64,
    /// Ended by unbind and unbind_resp.
    pub unbound: u64,
}

/// Answers a second of the single binds: far apart means that binds are served unfairly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct BindRate {
    /// The slowest bind.
    pub min: f64,
    /// All answers over all binds.
    pub mean: f64,
    /// The fastest bind.
    pub max: f64,
}

impl BindRate {
    pub(super) fn of(answered: &[u64], seconds: f64) -> Self {
        let (Some(min), Some(max)) = (answered.iter().min(), answered.iter().max()) else { return Self::default() };
        let total: u64 = answered.iter().sum();
        let rate = |count: f64| if seconds > 0.0 { count / seconds } else { 0.0 };
        Self { min: rate(*min as f64), mean: rate(total as f64 / answered.len() as f64), max: rate(*max as f64) }
    }
}

/// The outcome of a load run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The binds.
    pub binds: Binds,
    /// Messages sent.
    pub sent: u64,
    /// Messages answered with ESME_ROK.
    pub ok: u64,
    /// Answers by the name of their status.
    pub statuses: BTreeMap<String, u64>,
    /// Messages sent that no answer came for.
    pub unanswered: u64,
    /// Messages that were meant to be sent and were not.
    pub unsent: u64,
    /// Delivery receipts that came.
    pub receipts: u64,
    /// Mobile-originated messages that came.
    pub mobile_originated: u64,
    /// Responses to nothing that was asked.
    pub unexpected: u64,
    /// From the first message to the last answer, in seconds.
    pub seconds: f64,
    /// Answers a second.
    pub messages_per_second: f64,
    /// What the latencies count from.
    pub latency_from: LatencyFrom,
    /// Latencies in microseconds.
    pub latency_us: Latency,
    /// Answers a second of the single binds.
    pub bind_rate: BindRate,
    /// Why the first bind that failed did so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_failure: Option<String>,
}

impl Report {
    /// Whether every bind stood and every message was sent and answered, whatever the answer.
    pub fn is_complete(&self) -> bool {
        self.unanswered == 0 && self.unsent == 0 && self.binds.failed == 0 && self.binds.lost == 0
    }

    /// How many messages were answered.
    pub fn answered(&self) -> u64 {
        self.statuses.values().sum()
    }

    /// How many messages were answered with this status.
    pub fn count(&self, status: CommandStatus) -> u64 {
        self.statuses.get(&status.to_string()).copied().unwrap_or(0)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Binds { asked, bound, failed, lost, unbound } = self.binds;
        writeln!(f, "{:<20} {bound} of {asked}, failed {failed}, lost {lost}, unbound {unbound}", "binds")?;
        if let Some(failure) = &self.first_failure {
            writeln!(f, "{:<20} {failure}", "first failure")?;
        }
        writeln!(f, "{:<20} {}", "sent", self.sent)?;
        writeln!(f, "{:<20} {}", "ok", self.ok)?;
        for (status, count) in &self.statuses {
            writeln!(f, "{status:<20} {count}")?;
        }
        for (name, count) in [
            ("unanswered", self.unanswered),
            ("unsent", self.unsent),
            ("receipts", self.receipts),
            ("mobile originated", self.mobile_originated),
            ("unexpected", self.unexpected),
        ] {
            writeln!(f, "{name:<20} {count}")?;
        }
        writeln!(f, "{:<20} {:.3}", "seconds", self.seconds)?;
        writeln!(f, "{:<20} {:.0}", "msg/s", self.messages_per_second)?;
        let BindRate { min, mean, max } = self.bind_rate;
        writeln!(f, "{:<20} min {min:.1}, mean {mean:.1}, max {max:.1}", "msg/s of a bind")?;
        let Latency { p50, p90, p99, p999, max, mean } = self.latency_us;
        let from = match self.latency_from {
            LatencyFrom::Sent => "latency us",
            LatencyFrom::Intended => "latency us (intended)",
        };
        write!(f, "{from:<20} p50 {p50:.0}, p90 {p90:.0}, p99 {p99:.0}, p999 {p999:.0}, max {max:.0}, mean {mean:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_counts_statuses_and_places_quantiles() {
        let mut tally = Tally::new().unwrap();
        let answers: Vec<_> = (1..=1000u64)
            .map(|n| {
                let status = if n % 10 == 0 { CommandStatus::ESME_RTHROTTLED } else { CommandStatus::ESME_ROK };
                (status, n * 1000)
            })
            .collect();
        tally.record(&answers[..500]);
        tally.record(&answers[500..]);
        tally.record(&[]);
        let statuses = tally.statuses();
        assert_eq!(statuses.get("ESME_ROK"), Some(&900));
        assert_eq!(statuses.get("ESME_RTHROTTLED"), Some(&100));
        let latency = tally.latency();
        for (measured, expected) in
            [(latency.p50, 500.0), (latency.p90, 900.0), (latency.p99, 990.0), (latency.max, 1000.0)]
        {
            assert!((measured - expected).abs() <= expected / 500.0, "{measured} {expected}");
        }
    }

    #[test]
    fn longer_than_the_longest_is_the_longest() {
        let mut tally = Tally::new().unwrap();
        tally.record(&[(CommandStatus::ESME_ROK, u64::MAX)]);
        assert!(tally.latency().max >= 119_000_000.0);
    }

    #[test]
    fn bind_rates() {
        assert_eq!(BindRate::of(&[10, 20, 60], 2.0), BindRate { min: 5.0, mean: 15.0, max: 30.0 });
        assert_eq!(BindRate::of(&[], 2.0), BindRate::default());
        assert_eq!(BindRate::of(&[5], 0.0).max, 0.0);
    }
}
