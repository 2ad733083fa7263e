//! A trained score and its file.
//!
//! ```text
//! octets  what, numbers big-endian
//! 8       "smpscore"
//! 2       the format's version
//! 4       feature settings: bits of a bucket, shortest and longest character n-gram, longest word n-gram
//! 12      threshold, bias and scale, each a float of 32 bits
//! 4       length of the summary
//! …       the summary: what it was trained on, as JSON
//! 2^bits  the weights, each a signed octet to be multiplied by the scale
//! 32      SHA-256 of all octets before; its first eight name the model
//! ```
//!
//! Reads no file itself, and takes no file for a model that is not whole, or that these features do not fit.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::features::{BUCKET_BITS, BUCKETS, CHARACTERS, WORDS, each_bucket};

const MAGIC: &[u8; 8] = b"smpscore";
const FORMAT: u16 = 1;
const SETTINGS: [u8; 4] = [BUCKET_BITS as u8, CHARACTERS[0], CHARACTERS[1], WORDS];
/// The longest summary, in octets.
const MAX_SUMMARY: usize = 64 * 1024;
const CHECKSUM: usize = 32;

/// The weights of a linear model, as they are used.
#[derive(Clone)]
pub(super) struct Weights {
    pub(super) buckets: Box<[i8; BUCKETS]>,
    pub(super) scale: f32,
    pub(super) bias: f32,
}

/// A score for texts, with the threshold that was chosen for it.
#[derive(Clone, Debug)]
pub struct Model {
    weights: Weights,
    threshold: f32,
    trained_on: TrainedOn,
    checksum: [u8; CHECKSUM],
}

/// What a model was trained on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainedOn {
    /// Its data files.
    pub files: Vec<TrainedFile>,
    /// Honest texts.
    pub ham: u64,
    /// Unwanted texts.
    pub spam: u64,
}

/// One data file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainedFile {
    /// Its name, without its folder.
    pub name: String,
    /// Its lines.
    pub lines: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
}

/// Why octets are no model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: octet {offset}: {fault}")]
pub struct ModelFault {
    /// The file.
    pub file: String,
    /// Where in it.
    pub offset: usize,
    /// What is wrong there.
    pub fault: String,
}

impl Weights {
    /// From 0, like what was honest, to 1, like what was unwanted.
    #[inline]
    pub(super) fn score(&self, plain_view: &str) -> f32 {
        let mut sum = 0_i64;
        let count = each_bucket(plain_view, |bucket| sum += i64::from(self.buckets.get(bucket).copied().unwrap_or(0)));
        logistic(f64::from(self.bias) + f64::from(self.scale) * sum as f64 / (count as f64).sqrt()) as f32
    }
}

impl fmt::Debug for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Weights").field("scale", &self.scale).field("bias", &self.bias).finish_non_exhaustive()
    }
}

impl Model {
    /// The largest model file, in octets.
    pub const MAX_FILE: usize = MAGIC.len() + 2 + SETTINGS.len() + 12 + 4 + MAX_SUMMARY + BUCKETS + CHECKSUM;

    /// A model of these weights.
    ///
    /// # Errors
    /// The summary's length, if it is longer than a model file can have it.
    pub(super) fn new(weights: Weights, threshold: f32, trained_on: TrainedOn) -> Result<Self, usize> {
        let mut model = Self { weights, threshold, trained_on, checksum: [0; CHECKSUM] };
        let summary = model.summary();
        if summary.len() > MAX_SUMMARY {
            return Err(summary.len());
        }
        model.checksum = Sha256::digest(model.body()).into();
        Ok(model)
    }

    /// How much a text, as [`crate::text::Normal::plain`] has it, is like the unwanted ones of the training: 0 to 1.
    pub fn score(&self, plain_view: &str) -> f32 {
        self.weights.score(plain_view)
    }

    /// The score from which on a text counts as unwanted; above 1 if no score does.
    pub fn threshold(&self) -> f32 {
        self.threshold
    }

    /// The first eight octets of its checksum: its name, shown as 16 hexadecimal digits.
    pub fn version(&self) -> u64 {
        self.checksum.iter().take(8).fold(0, |version, octet| version << 8 | u64::from(*octet))
    }

    /// What it was trained on.
    pub fn trained_on(&self) -> &TrainedOn {
        &self.trained_on
    }

    /// The model as a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut octets = self.body();
        octets.extend(self.checksum);
        octets
    }

    /// The model in the octets of a file; a fault names it `file`.
    ///
    /// # Errors
    /// [`ModelFault`] when they are not a whole model of this format and these features.
    pub fn parse(octets: &[u8], file: &str) -> Result<Self, ModelFault> {
        let fault = |(offset, fault)| ModelFault { file: file.to_owned(), offset, fault };
        Reader { octets, offset: 0 }.model().map_err(fault)
    }

    fn summary(&self) -> String {
        // A structure of strings and numbers always has a JSON form.
        serde_json::to_string(&self.trained_on).unwrap_or_default()
    }

    /// All that the checksum is of.
    fn body(&self) -> Vec<u8> {
        let summary = self.summary();
        let mut octets = Vec::with_capacity(Self::MAX_FILE);
        octets.extend(MAGIC);
        octets.extend(FORMAT.to_be_bytes());
        octets.extend(SETTINGS);
        for number in [self.threshold, self.weights.bias, self.weights.scale] {
            octets.extend(number.to_be_bytes());
        }
        octets.extend((summary.len() as u32).to_be_bytes());
        octets.extend(summary.as_bytes());
        octets.extend(self.weights.buckets.iter().map(|weight| weight.to_be_bytes()[0]));
        octets
    }
}

/// A value, or the offset of a fault and what it is.
type Read<T> = Result<T, (usize, String)>;

struct Reader<'a> {
    octets: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// The whole file. What an honest writer never writes is looked for last, as the checksum accounts for damage.
    fn model(mut self) -> Read<Model> {
        self.expect(*MAGIC, |_| "is not a score model; make one with smppolicy train".to_owned())?;
        let other = |what, found: String| format!("{what} {found} of another version; train the model anew");
        self.expect(FORMAT.to_be_bytes(), |found| other("has format", u16::from_be_bytes(found).to_string()))?;
        self.expect(SETTINGS, |found| other("has the feature settings", format!("{found:?}")))?;
        let numbers_at = self.offset;
        let [threshold, bias, scale] = [self.array()?, self.array()?, self.array()?].map(f32::from_be_bytes);
        let (length_at, length) = (self.offset, u32::from_be_bytes(self.array()?) as usize);
        if length > MAX_SUMMARY {
            return Err((length_at, format!("has a summary of {length} octets; expected at most {MAX_SUMMARY}")));
        }
        let (summary_at, summary) = (self.offset, self.take(length)?);
        let mut buckets = Box::new([0; BUCKETS]);
        buckets.iter_mut().zip(self.take(BUCKETS)?).for_each(|(weight, octet)| *weight = i8::from_be_bytes([*octet]));
        let checksum = self.checksum()?;
        if !(threshold.is_finite() && threshold >= 0.0 && bias.is_finite() && scale.is_finite() && scale >= 0.0) {
            let found = format!("has threshold {threshold}, bias {bias} and scale {scale}");
            return Err((numbers_at, format!("{found}; expected numbers, the first and the last not negative")));
        }
        let trained_on = serde_json::from_slice(summary)
            .map_err(|error| (summary_at, format!("has a summary that cannot be read: {error}")))?;
        Ok(Model { weights: Weights { buckets, scale, bias }, threshold, trained_on, checksum })
    }

    fn checksum(&mut self) -> Read<[u8; CHECKSUM]> {
        let (at, body) = (self.offset, self.octets.get(..self.offset).unwrap_or_default());
        let checksum = self.array()?;
        match self.octets.len() - self.offset {
            0 if Sha256::digest(body)[..] == checksum => Ok(checksum),
            0 => Err((at, "has a checksum that does not fit: the file is damaged; copy it again".to_owned())),
            more => Err((self.offset, format!("goes on for {more} octets after the model's end; copy the file again"))),
        }
    }

    fn expect<const N: usize>(&mut self, wanted: [u8; N], fault: impl FnOnce([u8; N]) -> String) -> Read<()> {
        let at = self.offset;
        let found = self.array()?;
        if found == wanted { Ok(()) } else { Err((at, fault(found))) }
    }

    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn take(&mut self, length: usize) -> Read<&'a [u8]> {
        let end = self.offset + length;
        let taken = self.octets.get(self.offset..end).ok_or_else(|| {
            let size = self.octets.len();
            (size, format!("ends within what octets {} to {end} should hold; copy the file again", self.offset))
        })?;
        self.offset = end;
        Ok(taken)
    }
}

/// The logistic function, from multiplications and additions alone: the exponential function of the system's library
/// differs from machine to machine, and the same data must give the same model on all.
#[inline]
pub(super) fn logistic(margin: f64) -> f64 {
    1.0 / (1.0 + exponential(-margin.clamp(-700.0, 700.0)))
}

/// e to a power from -700 to 700: 2 to the nearest power, times a Taylor series for what remains, within 1e-13.
#[inline]
fn exponential(power: f64) -> f64 {
    let twos = (power * std::f64::consts::LOG2_E).round();
    let rest = power - twos * std::f64::consts::LN_2;
    let series = (1..=11).rev().fold(1.0, |series, n| 1.0 + series * rest / f64::from(n));
    series * f64::from_bits(((1023 + twos as i64) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where in the file of [`model`] is what.
    const SUMMARY: usize = 30;

    fn model() -> Model {
        let mut buckets = Box::new([0; BUCKETS]);
        buckets.iter_mut().zip((i8::MIN..=i8::MAX).cycle()).for_each(|(bucket, weight)| *bucket = weight);
        let file = TrainedFile { name: "a.tsv".to_owned(), lines: 3, sha256: "00".repeat(32) };
        let trained_on = TrainedOn { files: vec![file], ham: 2, spam: 1 };
        Model::new(Weights { buckets, scale: 0.01, bias: -0.5 }, 0.75, trained_on).unwrap()
    }

    /// The octets with a checksum that fits.
    fn sealed(mut octets: Vec<u8>) -> Vec<u8> {
        octets.truncate(octets.len() - CHECKSUM);
        let checksum = Sha256::digest(&octets);
        octets.extend(checksum);
        octets
    }

    #[test]
    fn what_is_written_is_read() {
        let (model, octets) = (model(), model().to_bytes());
        assert!(octets.len() <= Model::MAX_FILE);
        let read = Model::parse(&octets, "a.model").unwrap();
        assert_eq!(read.to_bytes(), octets);
        assert_eq!((read.threshold(), read.version()), (0.75, model.version()));
        assert_eq!(read.trained_on(), model.trained_on());
        for text in ["", "a", "win a prize", "код 193477"] {
            assert_eq!(read.score(text), model.score(text));
        }
        let checksum = Sha256::digest(&octets[..octets.len() - CHECKSUM]);
        assert_eq!(read.version().to_be_bytes(), checksum[..8]);
    }

    #[test]
    fn faults_say_what_and_where() {
        let whole = model().to_bytes();
        let with = |at: usize, octets: &[u8]| {
            let mut damaged = whole.clone();
            damaged[at..at + octets.len()].copy_from_slice(octets);
            damaged
        };
        let end = whole.len() - CHECKSUM;
        for (octets, offset, fault) in [
            (vec![], 0, "ends within what octets 0 to 8 should hold"),
            (b"PK\x03\x04 something else".to_vec(), 0, "is not a score model"),
            (with(8, &[0, 2]), 8, "has format 2 of another version"),
            (with(10, &[18]), 10, "has the feature settings [18, 3, 5, 2]"),
            (with(26, &[0, 1, 0, 1]), 26, "has a summary of 65537 octets; expected at most 65536"),
            (with(26, &[0, 0, 0xFF, 0xFF]), whole.len(), "ends within"),
            (whole[..20].to_vec(), 20, "ends within what octets 18 to 22"),
            (whole[..whole.len() - 1].to_vec(), whole.len() - 1, "ends within"),
            ([&whole[..], b"\n"].concat(), whole.len(), "goes on for 1 octets"),
            (with(14, &[9]), end, "has a checksum that does not fit"),
            (with(SUMMARY + 3, b"?"), end, "has a checksum that does not fit"),
            (with(end - 1, &[1]), end, "has a checksum that does not fit"),
            (with(end, &[0, 0]), end, "has a checksum that does not fit"),
            (sealed(with(14, &f32::NAN.to_be_bytes())), 14, "has threshold NaN"),
            (sealed(with(14, &(-0.1_f32).to_be_bytes())), 14, "has threshold -0.1"),
            (sealed(with(18, &f32::INFINITY.to_be_bytes())), 14, "bias inf"),
            (sealed(with(22, &(-1.0_f32).to_be_bytes())), 14, "scale -1"),
            (sealed(with(SUMMARY, b"[")), SUMMARY, "has a summary that cannot be read"),
            (sealed(with(SUMMARY + 3, b"\xFF")), SUMMARY, "has a summary that cannot be read"),
        ] {
            let found = Model::parse(&octets, "a.model").unwrap_err();
            assert_eq!((found.file.as_str(), found.offset), ("a.model", offset), "{found}");
            assert!(found.fault.starts_with(fault) || found.fault.contains(fault), "{found}; {fault}");
            assert_eq!(found.to_string(), format!("a.model: octet {offset}: {}", found.fault));
        }
    }

    #[test]
    fn a_summary_is_bounded() {
        let mut trained_on = model().trained_on;
        trained_on.files[0].name = "x".repeat(MAX_SUMMARY);
        assert!(Model::new(model().weights, 0.5, trained_on).unwrap_err() > MAX_SUMMARY);
    }

    #[test]
    fn scores_are_within_0_and_1_under_any_weights() {
        for (scale, bias) in [(0.0, 0.0), (f32::MAX, f32::MIN), (f32::MAX, f32::MAX), (1.0, f32::MIN)] {
            for weight in [i8::MIN, 0, i8::MAX] {
                let score = Weights { buckets: Box::new([weight; BUCKETS]), scale, bias }.score("some text");
                assert!((0.0..=1.0).contains(&score), "{scale} {bias} {weight}: {score}");
            }
        }
    }

    #[test]
    fn the_logistic_function_is_that_of_the_library() {
        for margin in (-7000..=7000).map(|tenth| f64::from(tenth) / 100.0) {
            let expected = 1.0 / (1.0 + (-margin).exp());
            assert!((logistic(margin) / expected - 1.0).abs() < 1e-12, "{margin}");
        }
        assert_eq!([f64::NEG_INFINITY, 0.0, f64::INFINITY].map(|margin| logistic(margin) as f32), [0.0, 0.5, 1.0]);
    }
}
