//! A score that an operator trains: how much a text is like the unwanted ones of the training data.
//!
//! ```text
//! Data::parse ── labelled texts ── study ── Model, and the Report of how it does on texts that it has not seen
//!                                              │
//!                         Model::to_bytes ── file ── Model::parse ── Model::score ── 0 to 1
//! ```
//!
//! A linear model over hashed features of the plain view. It is a signal: what it is good for depends on the data, and
//! figures from the data's own kind say little about other traffic. Does no I/O; scoring allocates nothing.

mod data;
mod features;
mod model;
mod report;
mod train;

#[cfg(test)]
mod tests;

use std::collections::HashSet;

pub use data::{BadRow, Data};
pub use model::{Model, ModelFault, TrainedFile, TrainedOn};
pub use report::{Counts, CrossCorpus, DataFile, Evaluation, Measure, Report, Share, Tested};
pub use train::{Example, FOLDS, Label, MIN_OF_EACH_LABEL};

use model::Weights;

/// Why there is no model of the data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untrainable {
    /// Too few texts of a label.
    #[error(
        "the data has {ham} texts labelled ham and {spam} labelled spam; expected at least {MIN_OF_EACH_LABEL} of each"
    )]
    TooFew {
        /// Honest texts.
        ham: usize,
        /// Unwanted texts.
        spam: usize,
    },
    /// The names of the data files do not fit into a model file.
    #[error("the names of the data files take {0} octets in the model; give fewer files")]
    TooManyFiles(usize),
}

/// Trains a model on all of `data`, and finds out how it does: on held-out parts, on each of `tests`, and, where there
/// are several data files, trained on each of them alone, on the others. Thresholds are chosen so that of the honest
/// texts that were held out, the share `max_false_positives` is flagged at most.
///
/// # Errors
/// [`Untrainable`] when no model can be made of the data.
pub fn study(data: &[Data], tests: &[Data], max_false_positives: f64) -> Result<(Model, Report), Untrainable> {
    let trained = Trained::new(data, max_false_positives)?;
    let sum = |label| data.iter().map(|data| data.count(label) as u64).sum();
    let files = data.iter().map(|data| data.file.clone()).collect();
    let trained_on = TrainedOn { files, ham: sum(Label::Ham), spam: sum(Label::Spam) };
    let tested = tests.iter().map(|data| trained.test(data)).collect();
    let held_out = trained.held_out;
    let model = Model::new(trained.weights, trained.threshold, trained_on).map_err(Untrainable::TooManyFiles)?;
    let report = Report {
        model: format!("{:016x}", model.version()),
        threshold: model.threshold(),
        max_false_positives,
        data: data.iter().map(described).collect(),
        held_out,
        tested,
        cross_corpus: cross_corpus(data, max_false_positives),
    };
    Ok((model, report))
}

/// Weights with their threshold, and what the held-out parts said.
struct Trained {
    weights: Weights,
    threshold: f32,
    held_out: Evaluation,
}

impl Trained {
    fn new(data: &[Data], max_false_positives: f64) -> Result<Self, Untrainable> {
        let examples: Vec<&Example> = data.iter().flat_map(|data| &data.examples).collect();
        let spam = examples.iter().filter(|example| example.label == Label::Spam).count();
        let ham = examples.len() - spam;
        if ham.min(spam) < MIN_OF_EACH_LABEL {
            return Err(Untrainable::TooFew { ham, spam });
        }
        let scores = train::held_out(&examples);
        let threshold = |without: Option<usize>| {
            let honest = examples
                .iter()
                .zip(&scores)
                .filter(|(example, (fold, _))| example.label == Label::Ham && Some(*fold) != without);
            train::threshold(honest.map(|(_, (_, score))| *score), max_false_positives)
        };
        // A fold is judged by a threshold that it had no part in.
        let thresholds: Vec<f32> = (0..FOLDS).map(|fold| threshold(Some(fold))).collect();
        let mut held_out = Evaluation::default();
        for (example, (fold, score)) in examples.iter().zip(&scores) {
            held_out.add(example, thresholds.get(*fold).is_some_and(|threshold| score >= threshold));
        }
        Ok(Self { threshold: threshold(None), held_out, weights: train::fit(examples) })
    }

    fn test(&self, data: &Data) -> Tested {
        let mut evaluation = Evaluation::default();
        for example in &data.examples {
            evaluation.add(example, self.weights.score(&example.plain_view) >= self.threshold);
        }
        Tested { file: data.file.name.clone(), evaluation }
    }
}

fn cross_corpus(data: &[Data], max_false_positives: f64) -> Vec<CrossCorpus> {
    let alone = |(index, one): (usize, &Data)| {
        // A file of too few texts is only tested on.
        let trained = Trained::new(std::slice::from_ref(one), max_false_positives).ok()?;
        let others = data.iter().enumerate().filter(|(other, _)| *other != index);
        let tested = others.map(|(_, other)| trained.test(other)).collect();
        let (threshold, held_out) = (trained.threshold, trained.held_out);
        Some(CrossCorpus { trained_on: one.file.name.clone(), threshold, held_out, tested })
    };
    if data.len() > 1 { data.iter().enumerate().filter_map(alone).collect() } else { Vec::new() }
}

fn described(data: &Data) -> DataFile {
    let distinct: HashSet<u64> = data.examples.iter().map(Example::hash).collect();
    DataFile {
        file: data.file.name.clone(),
        lines: data.file.lines,
        ham: data.count(Label::Ham) as u64,
        spam: data.count(Label::Spam) as u64,
        repeated: (data.examples.len() - distinct.len()) as u64,
        bad_rows: data.bad_rows.len() as u64,
    }
}
