//! How many refusals there were in the last day, in bins of five minutes: in memory, filled from the audit's files at the
//! start. What is counted is bounded: of an attack's endless names only so many have a count of their own.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde_json::{Value, json};

use super::super::asked::shown;
use super::filter::at;

/// The length of a bin, in milliseconds.
const BIN: i64 = 5 * 60_000;
/// Bins of a day.
const BINS: i64 = 24 * 60 / 5;
/// Different things that are counted in a bin; what comes beyond is counted as [`OTHERS`].
const MOST: usize = 1024;
/// Series of an answer; the rest is added up as [`OTHERS`].
const SERIES: usize = 12;
/// What is none of the others.
const OTHERS: &str = "others";

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Rule,
    Clause,
    Account,
}

impl By {
    pub(super) const ALL: [(&str, Self); 3] =
        [("rule", Self::Rule), ("clause", Self::Clause), ("account", Self::Account)];
}

/// Of what there may be many in a bin.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    rule: Box<str>,
    clause: Option<u64>,
    account: Box<str>,
    is_shadow: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// By the number of the bin since 1970, the oldest first.
    bins: VecDeque<(i64, HashMap<Key, u64>)>,
    /// From when on everything is counted, in milliseconds since 1970; none: nothing is counted yet.
    pub(super) since: Option<i64>,
    /// Records that came too fast to be counted.
    pub(super) missed: u64,
}

impl Counts {
    pub(super) fn add(&mut self, record: &Value, now: i64) {
        let Some(bin) = at(record).map(|at| at.div_euclid(BIN)) else { return };
        let first = now.div_euclid(BIN) - BINS + 1;
        while self.bins.front().is_some_and(|(bin, _)| *bin < first) {
            self.bins.pop_front();
        }
        // Neither what is too old nor, if a clock was set, what is of another day.
        if !(first..first + BINS + 1).contains(&bin) {
            return;
        }
        let place = self.bins.partition_point(|(other, _)| *other < bin);
        if self.bins.get(place).is_none_or(|(other, _)| *other != bin) {
            self.bins.insert(place, (bin, HashMap::new()));
        }
        let Some((_, counts)) = self.bins.get_mut(place) else { return };
        let text = |key: &str| record.get(key).and_then(Value::as_str).unwrap_or_default();
        let clause = record.get("clause").and_then(Value::as_u64);
        let is_shadow = text("verdict") == "shadow";
        let mut key = Key { rule: text("rule").into(), clause, account: text("account").into(), is_shadow };
        if counts.len() >= MOST && !counts.contains_key(&key) {
            key = Key { account: OTHERS.into(), ..key };
        }
        *counts.entry(key).or_default() += 1;
    }

    /// A series for each rule, clause or account, those with the most first: how many were rejected and how many were
    /// shadowed in each bin.
    pub(super) fn show(&self, by: By, now: i64) -> Value {
        let last = now.div_euclid(BIN);
        let first = last - BINS + 1;
        let mut series: BTreeMap<String, [Vec<u64>; 2]> = BTreeMap::new();
        let empty = || [vec![0; BINS as usize], vec![0; BINS as usize]];
        for (bin, counts) in &self.bins {
            let Ok(place) = usize::try_from(bin - first) else { continue };
            for (key, count) in counts {
                let name = match by {
                    By::Rule => key.rule.to_string(),
                    By::Clause => key.clause.map_or("none".to_owned(), |clause| clause.to_string()),
                    By::Account => key.account.to_string(),
                };
                let [rejected, shadow] = series.entry(name).or_insert_with(empty);
                let counts = if key.is_shadow { shadow } else { rejected };
                if let Some(total) = counts.get_mut(place) {
                    *total += count;
                }
            }
        }
        let total = |[rejected, shadow]: &[Vec<u64>; 2]| rejected.iter().chain(shadow).sum::<u64>();
        let mut series: Vec<(String, [Vec<u64>; 2])> = series.into_iter().collect();
        series.sort_by_key(|(_, counts)| std::cmp::Reverse(total(counts)));
        let rest = series.split_off(series.len().min(SERIES));
        if !rest.is_empty() {
            let add = |mut all: [Vec<u64>; 2], (_, counts): &(String, [Vec<u64>; 2])| {
                for (all, counts) in all.iter_mut().zip(counts) {
                    all.iter_mut().zip(counts).for_each(|(all, count)| *all += count);
                }
                all
            };
            series.push((OTHERS.to_owned(), rest.iter().fold(empty(), add)));
        }
        let shown_series = |(name, counts): (String, [Vec<u64>; 2])| {
            let total = total(&counts);
            let [rejected, shadow] = counts;
            json!({"name": name, "total": total, "rejected": rejected, "shadow": shadow})
        };
        json!({
            "from": shown(first * BIN), "bin_seconds": BIN / 1000, "bins": BINS, "counted_since": self.since.and_then(shown),
            "missed": self.missed, "series": series.into_iter().map(shown_series).collect::<Vec<Value>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_608_000_000;

    fn record(at: i64, account: &str, verdict: &str) -> Value {
        json!({"at": shown(at), "account": account, "rule": "content", "clause": 34, "verdict": verdict})
    }

    #[test]
    fn what_is_older_than_a_day_is_not_counted_and_goes() {
        let mut counts = Counts::default();
        counts.add(&record(NOW - 24 * 3_600_000, "shop", "rejected"), NOW);
        counts.add(&record(NOW - 3_600_000, "shop", "rejected"), NOW);
        counts.add(&record(NOW, "bank", "shadow"), NOW);
        counts.add(&record(NOW, "shop", "rejected"), NOW);
        let shown = counts.show(By::Account, NOW);
        assert_eq!((&shown["series"][0]["name"], &shown["series"][0]["total"]), (&json!("shop"), &json!(2)));
        let bins = shown["series"][0]["rejected"].as_array().unwrap();
        assert_eq!((&bins[287], &bins[287 - 12], bins.len()), (&json!(1), &json!(1), 288));
        assert_eq!(shown["series"][1]["shadow"][287], 1);
        assert_eq!(counts.show(By::Clause, NOW)["series"][0]["name"], "34");
        counts.add(&record(NOW + 24 * 3_600_000, "shop", "rejected"), NOW + 24 * 3_600_000);
        assert_eq!(counts.bins.len(), 1);
    }

    #[test]
    fn endless_names_take_bounded_room() {
        let mut counts = Counts::default();
        (0..5000).for_each(|account| counts.add(&record(NOW, &account.to_string(), "rejected"), NOW));
        assert!(counts.bins[0].1.len() <= MOST + 1);
        let shown = counts.show(By::Account, NOW);
        let series = shown["series"].as_array().unwrap();
        assert!(series.len() <= SERIES + 1);
        assert_eq!(series.iter().map(|series| series["total"].as_u64().unwrap()).sum::<u64>(), 5000);
    }
}
