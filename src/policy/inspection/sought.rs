//! What the whole of a text tells beside what it shows: what is remembered of it, and how much it is like its campaign's
//! samples. Nothing here decides.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;

use super::super::Field;
use super::super::resemblance::{Mark, Marker, Shingles};
use super::super::sample::Sample;
use super::Findings;
use crate::text::Normal;
use crate::text::links::Link;

/// What is to be found out of a text.
#[derive(Debug, Clone, Copy, Default)]
pub(in super::super) struct Sought<'a> {
    /// Makes what is remembered of it.
    pub(in super::super) marker: Option<&'a Marker>,
    /// What it should be like.
    pub(in super::super) samples: &'a [Sample],
}

/// What a field tells, read in one way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    mark: Option<Mark>,
    alike: Option<u16>,
    /// How much of it is words, in thousandths.
    legible: usize,
}

impl Sought<'_> {
    pub(super) fn is_anything(&self) -> bool {
        self.marker.is_some() || !self.samples.is_empty()
    }

    /// Finds it in the whole of a field's text, read in one way; `links` are those of its folded view. Of several ways the one in which it is
    /// most like words counts: octets that are packed are a text read as if they were not, too, but no sensible one.
    pub(super) fn listen<'l>(
        &self,
        (field, normal): (Field, &Normal<'_>),
        links: impl Iterator<Item = Link<'l>>,
        Ears { shingles, lately }: &mut Ears,
        findings: &mut Findings,
    ) {
        if !self.is_anything() || findings.heard & bit(field) != 0 {
            return;
        }
        let (text, legible) = (normal.folded().text, legible(normal.text()));
        if findings.told.is_some_and(|told| told.legible >= legible) {
            return;
        }
        // White space around a text is nothing that anybody reads.
        let text_behind = text.trim_start_matches(' ');
        let before = text.len() - text_behind.len();
        let text = text_behind.trim_end_matches(' ');
        let within = |place: usize| place.saturating_sub(before);
        let (mark, alike) = lately.heard(text, self, || {
            shingles.read(text, links.map(|link| within(link.span.start)..within(link.span.end)));
            let mark = self.marker.map(|marker| marker.mark(text, shingles));
            (mark, self.samples.iter().map(|sample| sample.resembles(shingles)).max())
        });
        findings.told = Some(Told { mark, alike, legible });
    }
}

/// What listening takes.
#[derive(Debug, Default)]
pub(super) struct Ears {
    shingles: Shingles,
    lately: Lately,
}

/// Texts that are kept.
const TEXTS: usize = 8;
/// Octets of the longest of them: ten parts of a message.
const LONGEST: usize = 1600;

/// What a text was found to be: its mark, and how much it is like the samples.
type Said = (Option<Mark>, Option<u16>);

/// The last texts, and what they were found to be: many a text goes to one recipient after the other. A text that only
/// hashes like one of them takes its place.
#[derive(Debug)]
struct Lately {
    texts: [Heard; TEXTS],
    hasher: FixedState,
}

#[derive(Debug)]
struct Heard {
    text: String,
    /// By which marker, and held against which samples.
    by: (Option<u64>, u64),
    said: Said,
}

impl Default for Lately {
    fn default() -> Self {
        let heard = || Heard { text: String::with_capacity(LONGEST), by: (None, 0), said: (None, None) };
        Self { texts: std::array::from_fn(|_| heard()), hasher: FixedState::default() }
    }
}

impl Lately {
    /// What the text says, as `listen` finds out unless it was heard lately. Its links, and all else, follow from it.
    fn heard(&mut self, text: &str, sought: &Sought<'_>, listen: impl FnOnce() -> Said) -> Said {
        let by = (sought.marker.map(Marker::seed), Sample::told_apart(sought.samples));
        let place = self.hasher.hash_one(text) as usize % TEXTS;
        let Some(heard) = self.texts.get_mut(place).filter(|_| text.len() <= LONGEST) else { return listen() };
        if heard.text != text || heard.by != by {
            heard.text.clear();
            heard.text.push_str(text);
            (heard.by, heard.said) = (by, listen());
        }
        heard.said
    }
}

impl Findings {
    /// A field has been read in every way: what it tells counts for the message.
    pub(super) fn settle(&mut self, field: Field) {
        let Some(Told { mark, alike, .. }) = self.told.take() else { return };
        self.heard |= bit(field);
        // Which of two texts a handset shows nobody knows, so a message is the same only if both are.
        self.mark = match (self.mark, mark) {
            (Some(before), Some(mark)) => Some(before.and(mark)),
            (before, mark) => before.or(mark),
        };
        self.alike = alike.min(self.alike.or(alike));
    }
}

fn bit(field: Field) -> u8 {
    1 << field as u8
}

/// How much of a text is Latin letters, digits and spaces, in thousandths. What is read in the wrong way is full of signs.
fn legible(text: &str) -> usize {
    let is_word = |octet: &u8| u8::from(octet.is_ascii_alphanumeric() | (*octet == b' '));
    // As many as an octet counts.
    let few = text.as_bytes().chunks(usize::from(u8::MAX));
    let words: usize = few.map(|few| usize::from(few.iter().map(is_word).sum::<u8>())).sum();
    words * 1000 / text.len().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_text_says_is_found_out_once_for_each_marker_and_samples() {
        let mut lately = Lately::default();
        let sample = |text: &str| Sample::of(text).unwrap_or_else(|fault| panic!("{fault}"));
        let (one, other) = (
            [sample("your parcel comes on {day}, in the morning")],
            [sample("all coats at half the price until {day}")],
        );
        let (marker, second) = (Marker::new(7), Marker::new(8));
        let long = "a".repeat(LONGEST + 1);
        let mut listened = 0;
        for (text, marker, samples, anew) in [
            ("hello", Some(&marker), &one[..], true),
            ("hello", Some(&marker), &one, false),
            ("hello", Some(&second), &one, true),
            ("hello", None, &one, true),
            ("hello", None, &other, true),
            ("hello", None, &[], true),
            ("hello", None, &[], false),
            ("hullo", None, &[], true),
            (&long, None, &[], true),
            (&long, None, &[], true),
        ] {
            let before = listened;
            let said = lately.heard(text, &Sought { marker, samples }, || {
                listened += 1;
                (None, Some(listened))
            });
            assert_eq!((said, listened), ((None, Some(listened)), before + u16::from(anew)), "{text:.9} {marker:?}");
        }
        // More texts than are kept: each is found out, or was by itself.
        let numbered: Vec<String> = (0..100).map(|count| format!("text {count}")).collect();
        for text in numbered.iter().chain(&numbered) {
            let said = lately.heard(text, &Sought::default(), || (None, text[5..].parse().ok()));
            assert_eq!(said, (None, text[5..].parse().ok()));
        }
    }

    #[test]
    fn samples_are_told_apart() {
        let sample = |text: &str| Sample::of(text).unwrap_or_else(|fault| panic!("{fault}"));
        let one = || sample("your parcel comes on {day}, in the morning");
        let (more, other) =
            (|| sample("your parcel comes on {day}, in the morning{rest}"), || sample("all coats at half the price"));
        let all = [vec![], vec![one()], vec![more()], vec![other()], vec![one(), other()], vec![other(), one()]];
        let mut told: Vec<u64> = all.iter().map(|samples| Sample::told_apart(samples)).collect();
        assert_eq!(Sample::told_apart(&[one()]), told[1]);
        told.sort_unstable();
        told.dedup();
        assert_eq!(told.len(), all.len());
    }

    #[test]
    fn legible_is_the_share_of_letters_digits_and_spaces() {
        for (text, expected) in [("", 0), ("ab 1", 1000), ("a!b?", 500), ("é", 0)] {
            assert_eq!(legible(text), expected, "{text}");
        }
        assert_eq!(legible(&"ab!c".repeat(1000)), 750);
    }
}
