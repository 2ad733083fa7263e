//! Counts over a day as bars: numbers in, shapes out. Reads no clock.

use serde_json::Value;

use super::page::Look;

/// Bins that are one bar.
const TOGETHER: usize = 3;
/// The height of a plot and the place and the breadth of a bar, in its own units.
const HEIGHT: u64 = 100;
const STEP: usize = 4;
const BAR: usize = 3;

/// A plot of one series.
#[derive(Debug)]
pub(super) struct Plot {
    pub(super) name: String,
    /// The same in words.
    pub(super) says: String,
    pub(super) bars: Vec<Bar>,
    count: usize,
}

/// A bar, or the part of one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) class: &'static str,
    pub(super) x: usize,
    pub(super) y: u64,
    pub(super) height: u64,
}

impl Plot {
    /// One of a series as the interface gives it.
    pub(super) fn new(series: &Value) -> Self {
        let bars = |key: &str| -> Vec<u64> {
            let counts: Vec<u64> = series.items(key).iter().filter_map(Value::as_u64).collect();
            counts.chunks(TOGETHER).map(|bins| bins.iter().sum()).collect()
        };
        let (rejected, shadow) = (bars("rejected"), bars("shadow"));
        let most = rejected.iter().zip(&shadow).map(|(one, other)| one + other).max().unwrap_or_default();
        let mut shapes = Vec::new();
        for (index, (rejected, shadow)) in rejected.iter().zip(&shadow).enumerate() {
            let mut below = 0;
            for (class, count) in [("rejected", *rejected), ("shadow", *shadow)] {
                if count > 0 {
                    // However few, they are seen.
                    let height = (count * HEIGHT / most.max(1)).max(2);
                    let y = HEIGHT.saturating_sub(below + height);
                    shapes.push(Bar { class, x: index * STEP, y, height });
                    below += height;
                }
            }
        }
        let [all_rejected, all_shadow] = [rejected.iter().sum::<u64>(), shadow.iter().sum()];
        let says = format!("{all_rejected} rejected, {all_shadow} shadowed; at most {most} in 15 minutes");
        Self { name: series.text("name").to_owned(), says, bars: shapes, count: rejected.len() }
    }

    pub(super) fn width(&self) -> usize {
        self.count * STEP
    }

    pub(super) fn height(&self) -> u64 {
        HEIGHT
    }

    pub(super) fn bar(&self) -> usize {
        BAR
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bars_stand_on_each_other_and_the_tallest_fills_the_plot() {
        let series = json!({"name": "content", "rejected": [0, 1, 0, 6, 0, 0], "shadow": [0, 0, 0, 0, 0, 2]});
        let plot = Plot::new(&series);
        let bar = |class, x, y, height| Bar { class, x, y, height };
        assert_eq!(plot.bars, [bar("rejected", 0, 88, 12), bar("rejected", 4, 25, 75), bar("shadow", 4, 0, 25)]);
        assert_eq!((plot.width(), &*plot.says), (8, "7 rejected, 2 shadowed; at most 8 in 15 minutes"));
    }
}
