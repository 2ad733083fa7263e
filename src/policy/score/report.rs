//! How good a score is: counts, shares with their intervals, and the report of a training.
//!
//! Every interval is Wilson's at 95 %. It says what chance alone may do with so few texts, not what other texts will do.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

use super::train::{Example, FOLDS, Label};

/// A share of a number of cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The cases in which it is so.
    pub count: u64,
    /// All cases.
    pub of: u64,
}

/// The normal distribution's point for 95 %.
const Z: f64 = 1.959_963_984_540_054;

impl Share {
    /// The share itself; none of no cases.
    pub fn value(self) -> Option<f64> {
        (self.of > 0).then(|| self.count as f64 / self.of as f64)
    }

    /// Wilson's score interval at 95 %; all of 0 to 1 for no cases.
    pub fn interval(self) -> [f64; 2] {
        let (Some(share), cases) = (self.value(), self.of as f64) else { return [0.0, 1.0] };
        let (square, divisor) = (Z * Z / cases, 1.0 + Z * Z / cases);
        let middle = (share + square / 2.0) / divisor;
        let half = Z * (share * (1.0 - share) / cases + square / (4.0 * cases)).sqrt() / divisor;
        let lower = if self.count == 0 { 0.0 } else { middle - half };
        let upper = if self.count == self.of { 1.0 } else { middle + half };
        [lower, upper]
    }
}

/// What became of texts whose label is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Spam, found.
    pub true_positives: u64,
    /// Ham, taken for spam.
    pub false_positives: u64,
    /// Ham, let through.
    pub true_negatives: u64,
    /// Spam, let through.
    pub false_negatives: u64,
}

/// A measure with its interval; absent where there are no cases to measure it by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measure {
    /// The measure.
    pub value: f64,
    /// The lower end of its interval.
    pub lower: f64,
    /// The upper end.
    pub upper: f64,
}

impl Measure {
    fn of(share: Share, map: impl Fn(f64) -> f64) -> Option<Self> {
        let ([lower, upper], value) = (share.interval(), share.value()?);
        Some(Self { value: map(value), lower: map(lower), upper: map(upper) })
    }
}

impl Counts {
    fn add(&mut self, label: Label, flagged: bool) {
        match (label, flagged) {
            (Label::Spam, true) => self.true_positives += 1,
            (Label::Ham, true) => self.false_positives += 1,
            (Label::Ham, false) => self.true_negatives += 1,
            (Label::Spam, false) => self.false_negatives += 1,
        }
    }

    /// The share of spam in what was flagged.
    pub fn precision(&self) -> Option<Measure> {
        let of = self.true_positives + self.false_positives;
        Measure::of(Share { count: self.true_positives, of }, |share| share)
    }

    /// The share of spam that was flagged.
    pub fn recall(&self) -> Option<Measure> {
        let of = self.true_positives + self.false_negatives;
        Measure::of(Share { count: self.true_positives, of }, |share| share)
    }

    /// The harmonic mean of the two. It is no share of cases, but a function of one, whose interval is mapped: of all
    /// that is spam or was flagged, the share that is both.
    pub fn f1(&self) -> Option<Measure> {
        let of = self.true_positives + self.false_positives + self.false_negatives;
        Measure::of(Share { count: self.true_positives, of }, |share| 2.0 * share / (1.0 + share))
    }

    /// The share of ham that was flagged.
    pub fn false_positive_rate(&self) -> Option<Measure> {
        let of = self.false_positives + self.true_negatives;
        Measure::of(Share { count: self.false_positives, of }, |share| share)
    }
}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Full {
            true_positives: u64,
            false_positives: u64,
            true_negatives: u64,
            false_negatives: u64,
            precision: Option<Measure>,
            recall: Option<Measure>,
            f1: Option<Measure>,
            false_positive_rate: Option<Measure>,
        }
        Full {
            true_positives: self.true_positives,
            false_positives: self.false_positives,
            true_negatives: self.true_negatives,
            false_negatives: self.false_negatives,
            precision: self.precision(),
            recall: self.recall(),
            f1: self.f1(),
            false_positive_rate: self.false_positive_rate(),
        }
        .serialize(serializer)
    }
}

/// Counts over all texts and by language.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Evaluation {
    /// All texts.
    pub all: Counts,
    /// Those whose language the data names.
    pub languages: BTreeMap<String, Counts>,
}

impl Evaluation {
    pub(super) fn add(&mut self, example: &Example, flagged: bool) {
        self.all.add(example.label, flagged);
        if let Some(language) = &example.language {
            self.languages.entry(language.clone()).or_default().add(example.label, flagged);
        }
    }
}

/// A threshold's figures on texts of one file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tested {
    /// The file that the texts are from.
    pub file: String,
    /// What came of them.
    pub evaluation: Evaluation,
}

/// What training on one data file alone gives on the others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CrossCorpus {
    /// The file that was trained on.
    pub trained_on: String,
    /// The threshold from its held-out folds.
    pub threshold: f32,
    /// Those folds' own figures.
    pub held_out: Evaluation,
    /// The figures on each other file.
    pub tested: Vec<Tested>,
}

/// A data file as it went in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DataFile {
    /// Its name.
    pub file: String,
    /// Its lines.
    pub lines: u64,
    /// Honest texts in it.
    pub ham: u64,
    /// Unwanted texts in it.
    pub spam: u64,
    /// Texts that an earlier one has the same features as.
    pub repeated: u64,
    /// Rows that were left out.
    pub bad_rows: u64,
}

/// All that a training has to say.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The model's version, in hexadecimal digits.
    pub model: String,
    /// Where its threshold is.
    pub threshold: f32,
    /// The share of honest held-out texts that the threshold was chosen for.
    pub max_false_positives: f64,
    /// What it was trained on.
    pub data: Vec<DataFile>,
    /// Held-out folds of all data, each with the threshold that the other folds give.
    pub held_out: Evaluation,
    /// The model on the files to test it on.
    pub tested: Vec<Tested>,
    /// Each data file alone, on the others.
    pub cross_corpus: Vec<CrossCorpus>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "model {}, threshold {}", self.model, shown(self.threshold))?;
        for data in &self.data {
            let DataFile { file, lines, ham, spam, repeated, bad_rows } = data;
            writeln!(f, "  {file}: {lines} lines, {ham} ham, {spam} spam, {repeated} repeated, {bad_rows} bad")?;
        }
        let share = self.max_false_positives * 100.0;
        writeln!(
            f,
            "thresholds are for false positives of at most {share} % on held-out texts; intervals are of 95 %"
        )?;
        table(f, &format!("held out, {FOLDS} folds"), &self.held_out)?;
        for tested in &self.tested {
            table(f, &format!("tested on {}", tested.file), &tested.evaluation)?;
        }
        for cross in &self.cross_corpus {
            let threshold = shown(cross.threshold);
            table(f, &format!("{} alone, held out, threshold {threshold}", cross.trained_on), &cross.held_out)?;
            for tested in &cross.tested {
                table(f, &format!("{} alone, tested on {}", cross.trained_on, tested.file), &tested.evaluation)?;
            }
        }
        Ok(())
    }
}

/// A threshold above 1 is one that no score reaches.
fn shown(threshold: f32) -> String {
    if threshold > 1.0 {
        "none: no score is reached by few enough honest texts".to_owned()
    } else {
        threshold.to_string()
    }
}

fn table(f: &mut fmt::Formatter<'_>, title: &str, evaluation: &Evaluation) -> fmt::Result {
    writeln!(f, "\n{title}")?;
    let heads = ["ham", "spam", "precision", "recall", "F1", "false positives"];
    let [ham, spam, precision, recall, f1, false_positives] = heads;
    writeln!(f, "  {:<8}{ham:>8}{spam:>8}  {precision:<24}{recall:<24}{f1:<24}{false_positives}", "")?;
    row(f, "all", &evaluation.all)?;
    evaluation.languages.iter().try_for_each(|(language, counts)| row(f, language, counts))
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, counts: &Counts) -> fmt::Result {
    let ham = counts.false_positives + counts.true_negatives;
    let spam = counts.true_positives + counts.false_negatives;
    let measures = [counts.precision(), counts.recall(), counts.f1(), counts.false_positive_rate()];
    let [precision, recall, f1, false_positives] = measures.map(|measure| match measure {
        Some(Measure { value, lower, upper }) => {
            format!("{:.2} % ({:.2}-{:.2})", value * 100.0, lower * 100.0, upper * 100.0)
        }
        None => "-".to_owned(),
    });
    writeln!(f, "  {name:<8}{ham:>8}{spam:>8}  {precision:<24}{recall:<24}{f1:<24}{false_positives}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_wilsons() {
        // The last four: Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        for (count, of, lower, upper) in [
            (0, 0, 0.0, 1.0),
            (0, 10, 0.0, 0.2775),
            (5, 10, 0.2366, 0.7634),
            (10, 10, 0.7225, 1.0),
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let found = Share { count, of }.interval();
            assert!(found.iter().zip([lower, upper]).all(|(f, e)| (f - e).abs() < 5e-5), "{count}/{of}: {found:?}");
        }
    }

    #[test]
    fn measures_are_of_the_right_cases() {
        let counts = Counts { true_positives: 6, false_positives: 2, true_negatives: 38, false_negatives: 4 };
        let close = |found: Option<Measure>, value: f64| {
            let Measure { value: found, lower, upper } = found.unwrap();
            assert!((found - value).abs() < 1e-12 && lower < found && found < upper, "{found} {value}");
        };
        close(counts.precision(), 0.75);
        close(counts.recall(), 0.6);
        close(counts.f1(), 2.0 / 3.0);
        close(counts.false_positive_rate(), 0.05);
        let jaccard = Share { count: 6, of: 12 }.interval();
        assert_eq!(counts.f1().unwrap().lower, 2.0 * jaccard[0] / (1.0 + jaccard[0]));
        let none = Counts::default();
        assert_eq!([none.precision(), none.recall(), none.f1(), none.false_positive_rate()], [None; 4]);
    }

    #[test]
    fn a_report_names_each_measure_and_what_it_is_of() {
        let example = |label, language: Option<&str>| Example {
            plain_view: String::new(),
            label,
            language: language.map(str::to_owned),
        };
        let mut evaluation = Evaluation::default();
        for (label, flagged, language) in [
            (Label::Ham, true, Some("nl")),
            (Label::Ham, false, None),
            (Label::Spam, true, None),
            (Label::Spam, false, None),
        ] {
            evaluation.add(&example(label, language), flagged);
        }
        let tested = vec![Tested { file: "b.tsv".to_owned(), evaluation: evaluation.clone() }];
        let cross = CrossCorpus {
            trained_on: "a.tsv".to_owned(),
            threshold: 1.0_f32.next_up(),
            held_out: Evaluation::default(),
            tested: tested.clone(),
        };
        let report = Report {
            model: "0123456789abcdef".to_owned(),
            threshold: 0.75,
            max_false_positives: 0.005,
            data: vec![DataFile { file: "a.tsv".to_owned(), lines: 9, ham: 4, spam: 3, repeated: 2, bad_rows: 1 }],
            held_out: evaluation,
            tested,
            cross_corpus: vec![cross],
        };
        let shown = report.to_string();
        for expected in [
            "model 0123456789abcdef, threshold 0.75\n",
            "  a.tsv: 9 lines, 4 ham, 3 spam, 2 repeated, 1 bad\n",
            "false positives of at most 0.5 % on held-out texts",
            "\nheld out, 5 folds\n",
            "\ntested on b.tsv\n",
            "\na.tsv alone, tested on b.tsv\n",
            "a.tsv alone, held out, threshold none",
            "  all            2       2  50.00 % (9.45-90.55)    50.00 % (9.45-90.55)    50.00 %",
            "  nl             1       0  0.00 %",
            "100.00 % (20.65-100.00)\n",
        ] {
            assert!(shown.contains(expected), "{expected} is not in\n{shown}");
        }
        assert!(shown.lines().all(|line| line.len() == line.trim_end().len()), "{shown}");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["held_out"]["all"]["recall"]["value"], 0.5);
        assert_eq!(json["held_out"]["languages"]["nl"]["recall"], serde_json::Value::Null);
        assert_eq!(json["cross_corpus"][0]["tested"][0]["file"], "b.tsv");
    }
}
