//! Words in disguise: digits and signs in place of letters ("fr33", "pa$$"), and words spaced out ("f r e e").
//!
//! No octet is looked at more than a few times, whatever the text: what a hostile text costs is what its length costs.

use super::table::{AMBIGUOUS, Table, letter, traits};
use crate::text::Sink;

/// A word spaced out has at least this many letters.
const SPACED_LETTERS: usize = 3;
/// Between two letters of a word spaced out stand at most so many octets.
const SEPARATOR_MAX: usize = 3;

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Something was in disguise. If not, nothing was written but what the text has.
    pub(super) disguised: bool,
    /// And one of its signs could be an i or an l; [`AMBIGUOUS`] was written for it.
    pub(super) ambiguous: bool,
}

/// Single units with the same separator between them.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    end: usize,
    units: usize,
    letters: usize,
    /// 1 if the first unit is a letter.
    first: usize,
}

impl Run {
    fn is_word(&self) -> bool {
        self.units >= SPACED_LETTERS && self.letters * 2 >= self.units
    }
}

struct Reader<'a> {
    table: &'a Table,
    text: &'a str,
}

/// Writes the text without its disguises.
pub(super) fn unmask(table: &Table, text: &str, sink: &mut impl Sink) -> Found {
    let reader = Reader { table, text };
    let (mut found, mut run) = (Found::default(), Run::default());
    let (mut at, mut written) = (0, 0);
    while let Some((own, size)) = reader.traits(at) {
        if own & traits::UNIT == 0 {
            at += size;
            continue;
        }
        let single = reader.is_gap(at + size);
        if single {
            run = reader.run_from(at, size, own, run);
        }
        let (end, disguised) = if single && run.is_word() { (run.end, true) } else { reader.word(at + size, own) };
        if disguised {
            sink.put_run(text.get(written..at).unwrap_or_default(), written);
            found.disguised = true;
            found.ambiguous |= reader.write(at, end, sink);
            written = end;
        }
        at = end;
    }
    sink.put_run(text.get(written..).unwrap_or_default(), written);
    found
}

impl Reader<'_> {
    /// The run that the single unit at `at` begins, which may be what is left of the one before: that is not read again.
    fn run_from(&self, at: usize, size: usize, own: u8, before: Run) -> Run {
        let first = usize::from(own & traits::LETTER != 0);
        // The last of a run may begin another one.
        if at + size < before.end {
            let (units, letters) = (before.units.saturating_sub(1), before.letters.saturating_sub(before.first));
            return Run { end: before.end, units, letters, first };
        }
        let mut run = Run { end: at + size, units: 1, letters: first, first };
        let Some(separator) = self.separator(run.end) else { return run };
        while let Some(next) = self.rest(run.end).strip_prefix(separator)
            && let Some((own, size)) = self.table.traits(next)
            && own & traits::UNIT != 0
            && self.is_gap(run.end + separator.len() + size)
        {
            run.end += separator.len() + size;
            run.units += 1;
            run.letters += usize::from(own & traits::LETTER != 0);
        }
        run
    }

    /// What stands between the unit that ends at `at` and the next one, if it is short.
    fn separator(&self, at: usize) -> Option<&[u8]> {
        let mut end = at;
        while let Some((own, size)) = self.traits(end)
            && own & traits::UNIT == 0
        {
            end += size;
            if end - at > SEPARATOR_MAX {
                return None;
            }
        }
        self.text.as_bytes().get(at..end).filter(|separator| !separator.is_empty())
    }

    /// Where the word ends whose first unit, with these traits, ends at `at`; and whether it mixes letters with no more
    /// signs than letters. Marks that end it are not of it.
    #[inline]
    fn word(&self, at: usize, first: u8) -> (usize, bool) {
        let stands = |own: u8| usize::from(own & traits::STANDS != 0);
        let letter = |own: u8| usize::from(own & traits::LETTER != 0);
        let (mut signs, mut letters, mut marks) = (stands(first), letter(first), 0);
        let (mut end, mut next) = (at, at);
        while let Some((own, size)) = self.traits(next)
            && own & (traits::UNIT | traits::MARK) != 0
        {
            next += size;
            if own & traits::MARK != 0 {
                marks += 1;
                continue;
            }
            signs += marks + stands(own);
            letters += letter(own);
            marks = 0;
            end = next;
        }
        (end, signs > 0 && letters >= signs)
    }

    /// Writes the letters of what is in disguise; whether one of them is ambiguous.
    fn write(&self, from: usize, to: usize, sink: &mut impl Sink) -> bool {
        let mut ambiguous = false;
        for (index, character) in self.text.get(from..to).unwrap_or_default().char_indices() {
            if let Some(letter) = letter(character) {
                ambiguous |= letter == AMBIGUOUS;
                sink.put(letter.into(), from + index);
            } else if character.is_alphanumeric() {
                sink.put(character, from + index);
            }
        }
        ambiguous
    }

    #[inline]
    fn is_gap(&self, at: usize) -> bool {
        self.traits(at).is_none_or(|(own, _)| own & traits::UNIT == 0)
    }

    #[inline]
    fn traits(&self, at: usize) -> Option<(u8, usize)> {
        self.table.traits(self.rest(at))
    }

    #[inline]
    fn rest(&self, at: usize) -> &[u8] {
        self.text.as_bytes().get(at..).unwrap_or_default()
    }
}
