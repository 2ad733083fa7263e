//! Metrics as Prometheus reads them.

use std::collections::{BTreeMap, BTreeSet};

use smppolicy::metrics::Format;

use super::look::Looks;
use super::{PATIENCE, Proxy};

/// Everything that one reading gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Scrape {
    /// By name and labels, as written.
    pub(crate) samples: BTreeMap<String, f64>,
    /// The type of each metric.
    pub(crate) types: BTreeMap<String, String>,
    /// What each metric is said to mean.
    pub(crate) helps: BTreeMap<String, String>,
}

impl Scrape {
    /// Of the text format of Prometheus.
    #[track_caller]
    pub(crate) fn of(text: &str) -> Self {
        let mut scrape = Self::default();
        for line in text.lines() {
            let (into, rest) = match (line.strip_prefix("# TYPE "), line.strip_prefix("# HELP ")) {
                (Some(rest), _) => (&mut scrape.types, rest),
                (_, Some(rest)) => (&mut scrape.helps, rest),
                _ => {
                    let (sample, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line:?}"));
                    let before = scrape.samples.insert(sample.to_owned(), value.parse().unwrap());
                    assert_eq!(before, None, "twice: {sample}");
                    continue;
                }
            };
            let (name, rest) = rest.split_once(' ').unwrap();
            assert_eq!(into.insert(name.to_owned(), rest.to_owned()), None, "twice: {line}");
        }
        scrape
    }

    /// Of a proxy, now.
    pub(crate) async fn now(proxy: &Proxy) -> Self {
        let control = proxy.relay.control();
        // It reads a database.
        Self::of(&tokio::task::spawn_blocking(move || control.metrics(Format::Prometheus)).await.unwrap())
    }

    /// What a sample is at; zero if there is none.
    pub(crate) fn at(&self, sample: &str) -> f64 {
        self.samples.get(sample).copied().unwrap_or_default()
    }

    /// The samples of this name, without those of zero.
    pub(crate) fn of_name(&self, name: &str) -> Vec<(&str, f64)> {
        let is_of = |sample: &str| sample.split('{').next() == Some(name);
        self.samples
            .iter()
            .filter(|(sample, at)| is_of(sample) && **at != 0.0)
            .map(|(sample, at)| (&**sample, *at))
            .collect()
    }

    /// The names of the samples, each with the names of its labels.
    pub(crate) fn names(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for sample in self.samples.keys() {
            let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
            // Values hold no comma, no quote and no brace here.
            let labels = labels.trim_end_matches('}').split(',').filter_map(|label| label.split('=').next());
            let labels = labels.filter(|label| !label.is_empty()).map(str::to_owned);
            names.entry(name.to_owned()).or_default().extend(labels);
        }
        names
    }
}

/// Waits until these samples, and no others of their names, are what there is. A burst is counted when its octets have
/// left, so the peer that has them may be earlier.
pub(crate) async fn counted(proxy: &Proxy, expected: &[(&str, f64)]) {
    let looks = Looks::within(PATIENCE);
    let names: BTreeSet<&str> = expected.iter().filter_map(|(sample, _)| sample.split('{').next()).collect();
    let mut expected: Vec<(&str, f64)> = expected.iter().filter(|(_, at)| *at != 0.0).copied().collect();
    expected.sort_by_key(|(sample, _)| *sample);
    loop {
        let scrape = Scrape::now(proxy).await;
        let mut found: Vec<(&str, f64)> = names.iter().flat_map(|name| scrape.of_name(name)).collect();
        found.sort_by_key(|(sample, _)| *sample);
        if found == expected {
            return;
        }
        looks.again().await.unwrap_or_else(|late| panic!("{late}: {expected:#?}, but {found:#?}"));
    }
}
