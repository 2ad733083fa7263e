//! A histogram that is added to without a lock: the crate's own takes one for each observation.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// The most bounds.
const MOST: usize = 20;

/// See the module. Clones count together.
#[derive(Debug, Clone)]
pub(super) struct Histogram(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// The upper bounds of the buckets in ticks, in order, at most [`MOST`].
    bounds: &'static [u64],
    ticks_per_second: f64,
    /// As many as bounds, and one for what is above all of them.
    counts: [AtomicU64; MOST + 1],
    sum: AtomicU64,
}

impl Histogram {
    /// One with these bounds in ticks, of which a second has so many.
    pub(super) fn new(bounds: &'static [u64], ticks_per_second: f64) -> Self {
        debug_assert!(bounds.len() <= MOST && bounds.is_sorted());
        let counts = [const { AtomicU64::new(0) }; MOST + 1];
        Self(Arc::new(Shared { bounds, ticks_per_second, counts, sum: AtomicU64::new(0) }))
    }

    /// The bucket of a value in ticks.
    #[inline]
    pub(super) fn bucket(&self, ticks: u64) -> usize {
        self.0.bounds.partition_point(|bound| *bound < ticks)
    }

    /// Adds `count` values of one bucket, whose sum is `sum` ticks.
    #[inline]
    pub(super) fn add(&self, bucket: usize, count: u64, sum: u64) {
        if let Some(counted) = self.0.counts.get(bucket) {
            counted.fetch_add(count, Ordering::Relaxed);
            self.0.sum.fetch_add(sum, Ordering::Relaxed);
        }
    }
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> std::fmt::Result {
        let Shared { bounds, ticks_per_second, counts, sum } = &*self.0;
        let bounds = bounds.iter().map(|bound| *bound as f64 / ticks_per_second).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> =
            bounds.zip(counts).map(|(bound, count)| (bound, count.load(Ordering::Relaxed))).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = sum.load(Ordering::Relaxed) as f64 / ticks_per_second;
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn values_are_in_the_first_bucket_whose_bound_they_do_not_exceed() {
        let histogram = Histogram::new(&[10, 20, 50], 10.0);
        for (ticks, bucket) in [(0, 0), (10, 0), (11, 1), (20, 1), (21, 2), (50, 2), (51, 3), (u64::MAX, 3)] {
            assert_eq!(histogram.bucket(ticks), bucket, "{ticks}");
        }
    }

    #[test]
    fn it_is_written_in_seconds_and_cumulated() {
        let histogram = Histogram::new(&[10, 20], 10.0);
        histogram.add(histogram.bucket(5), 3, 15);
        histogram.add(histogram.bucket(15), 1, 15);
        histogram.add(histogram.bucket(500), 2, 1000);
        histogram.add(MOST + 1, 1, 1);
        let (mut registry, mut text) = (Registry::default(), String::new());
        registry.register("it", "It", histogram.clone());
        encode(&mut text, &registry).unwrap();
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("it_")).collect();
        let expected = [
            "it_sum 103.0",
            "it_count 6",
            r#"it_bucket{le="1.0"} 3"#,
            r#"it_bucket{le="2.0"} 4"#,
            r#"it_bucket{le="+Inf"} 6"#,
        ];
        assert_eq!(lines, expected);
    }
}
