//! Training: logistic regression with L2, one text after the other, and the scores of texts that were held out.
//!
//! The same examples in the same order give the same model to the last bit, on every machine: nothing is drawn at
//! random, one thread does it all, and no function of a system's library is used. Which texts are held out together, and
//! the order of training, come from a hash of each text, so that a text that occurs twice is never on both sides.

use super::features::{BUCKETS, each_bucket};
use super::model::{Weights, logistic};

/// Into how many parts the data is split; each is held out once.
pub const FOLDS: usize = 5;
/// Fewer texts of a label than this give no model: a fold might have none.
pub const MIN_OF_EACH_LABEL: usize = 20;

const EPOCHS: u32 = 20;
/// How strongly weights are drawn to zero, per text.
const L2: f64 = 1e-5;
/// The first step; later ones shrink as texts go by.
const RATE: f64 = 4.0;

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// Honest: to be let through.
    Ham,
    /// Unwanted: to be refused.
    Spam,
}

/// One labelled text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The plain view of the text.
    pub plain_view: String,
    /// What it is.
    pub label: Label,
    /// Its language, where the data says so.
    pub language: Option<String>,
}

impl Example {
    /// The same for texts of the same features.
    pub(super) fn hash(&self) -> u64 {
        let mut hash = 0_u64;
        each_bucket(&self.plain_view, |bucket| {
            hash = (hash ^ bucket as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
        });
        hash
    }

    fn fold(&self) -> usize {
        (self.hash() % FOLDS as u64) as usize
    }
}

/// Fits weights to examples.
pub(super) fn fit<'a>(examples: impl IntoIterator<Item = &'a Example>) -> Weights {
    let mut order: Vec<(u64, &Example)> = examples.into_iter().map(|example| (example.hash(), example)).collect();
    order.sort_by_key(|(hash, _)| *hash);
    let mut learner = Learner { weights: vec![0.0; BUCKETS], shrunk: 1.0, bias: 0.0, seen: 0.0, buckets: Vec::new() };
    for _ in 0..EPOCHS {
        order.iter().for_each(|(_, example)| learner.learn(example));
    }
    learner.finish()
}

struct Learner {
    /// The weights, each to be multiplied by `shrunk`: shrinking all of them is one multiplication.
    weights: Vec<f64>,
    shrunk: f64,
    bias: f64,
    seen: f64,
    buckets: Vec<usize>,
}

impl Learner {
    fn learn(&mut self, example: &Example) {
        self.buckets.clear();
        let count = each_bucket(&example.plain_view, |bucket| self.buckets.push(bucket));
        let norm = 1.0 / (count as f64).sqrt();
        let sum: f64 = self.buckets.iter().filter_map(|bucket| self.weights.get(*bucket)).sum();
        let wanted = if example.label == Label::Spam { 1.0 } else { 0.0 };
        let error = wanted - logistic(self.bias + self.shrunk * sum * norm);
        let rate = RATE / (1.0 + RATE * L2 * self.seen);
        self.seen += 1.0;
        self.shrunk *= 1.0 - rate * L2;
        let step = rate * error * norm / self.shrunk;
        for bucket in &self.buckets {
            if let Some(weight) = self.weights.get_mut(*bucket) {
                *weight += step;
            }
        }
        self.bias += rate * error;
    }

    /// The weights as signed octets, the largest as 127 or -127.
    fn finish(self) -> Weights {
        let largest = self.weights.iter().fold(0.0_f64, |largest, weight| largest.max(weight.abs()));
        let mut buckets = Box::new([0; BUCKETS]);
        for (octet, weight) in buckets.iter_mut().zip(&self.weights) {
            *octet = (weight / largest.max(f64::MIN_POSITIVE) * 127.0).round() as i8;
        }
        Weights { buckets, scale: (largest * self.shrunk / 127.0) as f32, bias: self.bias as f32 }
    }
}

/// The score that each example gets from a model that has not seen its fold, with the fold.
pub(super) fn held_out(examples: &[&Example]) -> Vec<(usize, f32)> {
    let folds: Vec<usize> = examples.iter().map(|example| example.fold()).collect();
    let mut scores: Vec<(usize, f32)> = folds.iter().map(|fold| (*fold, 0.0)).collect();
    for fold in 0..FOLDS {
        let training = examples.iter().zip(&folds).filter(|(_, other)| **other != fold).map(|(example, _)| *example);
        let weights = fit(training);
        for ((own, score), example) in scores.iter_mut().zip(examples) {
            if *own == fold {
                *score = weights.score(&example.plain_view);
            }
        }
    }
    scores
}

/// The lowest threshold that so large a share of honest scores, at most, reaches.
pub(super) fn threshold(honest: impl Iterator<Item = f32>, max_false_positives: f64) -> f32 {
    let mut scores: Vec<f32> = honest.collect();
    scores.sort_by(|one, other| other.total_cmp(one));
    let allowed = (scores.len() as f64 * max_false_positives) as usize;
    // Just above the first score that must not be reached.
    scores.get(allowed).map_or(0.0, |score| score.next_up())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(plain_view: &str, label: Label) -> Example {
        Example { plain_view: plain_view.to_owned(), label, language: None }
    }

    #[test]
    fn the_threshold_lets_so_many_reach_it_and_no_more() {
        let scores = [0.1, 0.9, 0.3, 0.8, 0.2, 0.3, 0.0, 0.0, 0.0, 0.0];
        for (share, reached) in [(0.0, 0), (0.05, 0), (0.1, 1), (0.2, 2), (0.25, 2), (0.3, 2), (0.4, 4), (1.0, 10)] {
            let threshold = threshold(scores.into_iter(), share);
            let found = scores.iter().filter(|score| **score >= threshold).count();
            assert_eq!(found, reached, "{share}: {threshold}");
        }
        assert!(threshold([1.0, 0.5].into_iter(), 0.0) > 1.0);
    }

    #[test]
    fn texts_that_differ_in_digits_are_held_out_together() {
        let folds = |texts: [&str; 2]| texts.map(|text| example(text, Label::Ham).fold());
        let [one, other] = folds(["your code is 123456", "your code is 654321"]);
        assert_eq!(one, other);
        let used: std::collections::BTreeSet<usize> =
            ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t"]
                .map(|text| example(text, Label::Ham).fold())
                .into();
        assert_eq!(used, (0..FOLDS).collect());
    }

    #[test]
    fn what_is_learnt_is_the_label_and_carries_over() {
        let days = ["monday", "tuesday", "wednesday", "thursday", "friday"];
        let ham = days.map(|day| example(&format!("shall we have lunch on {day}?"), Label::Ham));
        let spam = days.map(|day| example(&format!("you have won a prize, claim it by {day}!"), Label::Spam));
        let weights = fit(ham.iter().chain(&spam));
        let [honest, unwanted, empty] =
            ["lunch on sunday?", "claim a prize on sunday!", ""].map(|text| weights.score(text));
        assert!(honest < 0.2 && unwanted > 0.8, "{honest} {unwanted}");
        assert!((0.0..=1.0).contains(&empty));
        let weights = fit([]);
        assert_eq!(weights.score("anything"), 0.5);
    }

    #[test]
    fn the_order_of_the_data_does_not_matter() {
        let examples: Vec<Example> = (0..50_u8)
            .map(|n| {
                let letter = char::from(b'a' + n % 26);
                let label = if n % 2 == 0 { Label::Ham } else { Label::Spam };
                example(&format!("{letter}{letter} is text {}", "x".repeat(usize::from(n))), label)
            })
            .collect();
        let (forth, back) = (fit(&examples), fit(examples.iter().rev()));
        assert_eq!((forth.buckets, forth.scale, forth.bias), (back.buckets, back.scale, back.bias));
    }

    #[test]
    fn held_out_scores_come_from_models_without_the_text() {
        // Labels without a pattern: whoever has seen a text knows its label, whoever has not can only guess.
        let examples: Vec<Example> = (0..60_u32)
            .map(|n| {
                let word = |seed: u32| char::from(b'a' + (n.wrapping_mul(seed) >> 3) as u8 % 26).to_string().repeat(4);
                let label = if n.wrapping_mul(2_654_435_761) >> 31 == 0 { Label::Ham } else { Label::Spam };
                example(&format!("{} {} {}", word(977), word(7919), word(104_729)), label)
            })
            .collect();
        let right = |scores: Vec<f32>| {
            scores.iter().zip(&examples).filter(|(score, e)| (**score >= 0.5) == (e.label == Label::Spam)).count()
        };
        let weights = fit(&examples);
        let seen = right(examples.iter().map(|example| weights.score(&example.plain_view)).collect());
        let held_out = right(held_out(&examples.iter().collect::<Vec<_>>()).iter().map(|(_, score)| *score).collect());
        assert!(seen >= 57, "{seen}");
        assert!(held_out <= 45, "{held_out}");
    }
}
