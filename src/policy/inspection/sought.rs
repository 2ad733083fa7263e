//! What the whole of a text tells beside what it shows: what is remembered of it, and how much it is like its campaign's
//! samples. Nothing here decides.

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
        shingles: &mut Shingles,
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
        shingles.read(text, links.map(|link| within(link.span.start)..within(link.span.end)));
        let mark = self.marker.map(|marker| marker.mark(text, shingles));
        let alike = self.samples.iter().map(|sample| sample.resembles(shingles)).max();
        findings.told = Some(Told { mark, alike, legible });
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
    let words = text.bytes().filter(|octet| octet.is_ascii_alphanumeric() || *octet == b' ').count();
    words * 1000 / text.len().max(1)
}
