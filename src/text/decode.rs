//! Octets to text, under one reading, into a buffer that is used again.

use std::ops::{ControlFlow, Range};

use super::buffer::Buffer;
use super::gsm::{Gsm, is_invariant};
use super::utf16::{Order, Utf16};
use super::{Charset, Finder, Locator, Readings, Sink, UserData, foreign};

/// An octet becomes at most three of text, of the basic plane, and half of one more in packed septets.
const EXPANSION_MAX: usize = 4;

/// Why octets cannot be read as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    /// The coding says that the text is compressed.
    #[error("data_coding {0:#04x} is compressed text, which cannot be read: send it uncompressed")]
    Compressed(u8),
    /// The coding has no characters that are known here.
    #[error("data_coding {0:#04x} is reserved or a pictogram set, whose text cannot be read: use another coding")]
    Reserved(u8),
    /// An octet above 0x7F.
    #[error("an octet above 0x7f in septets: declare the coding that the text has")]
    NotASeptet,
    /// UCS-2 with half a character at the end.
    #[error("ucs-2 text with an odd number of octets: send two octets for each code unit")]
    OddOctets,
    /// Half a surrogate pair.
    #[error("half a surrogate pair in utf-16 text: send both halves")]
    LoneSurrogate,
    /// Octets that the character set does not have.
    #[error("octets that are no characters of {0:?}: declare the coding that the text has")]
    Invalid(Charset),
}

/// Octets and how to read them: a whole text, or the part of one that a PDU carries.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// The user data, its header included.
    pub octets: &'a [u8],
    /// How many octets the header takes.
    pub header_size: usize,
    /// The reading.
    pub charset: Charset,
}

impl<'a> Segment<'a> {
    /// User data under one reading.
    pub fn new(user_data: &UserData<'a>, charset: Charset) -> Self {
        Self { octets: user_data.octets, header_size: user_data.header_size(), charset }
    }

    fn text(&self) -> &'a [u8] {
        self.octets.get(self.header_size..).unwrap_or_default()
    }

    /// The octets themselves, where every one is the ASCII character of that number in this character set.
    fn as_text(&self) -> Option<&'a str> {
        use super::Packing::{Masked, Unpacked};
        let text = self.text();
        let plain = match self.charset {
            // The tables of other languages differ in what the default alphabet shares with ASCII.
            Charset::Gsm(Unpacked | Masked, shifts) => {
                shifts.locking == super::Language::Default && all_invariant(text)
            }
            Charset::Ascii | Charset::Latin1 | Charset::Utf8 => text.is_ascii(),
            _ => false,
        };
        if plain { std::str::from_utf8(text).ok() } else { None }
    }
}

/// Without an early exit inside a step, so that many octets are looked at at once.
#[inline]
fn all_invariant(text: &[u8]) -> bool {
    let invariant = |octets: &[u8]| octets.iter().fold(true, |all, &octet| all & is_invariant(octet));
    let (steps, rest) = text.as_chunks::<32>();
    steps.iter().all(|step| invariant(step)) && invariant(rest)
}

/// Whether a text is all there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Half a character is an error.
    Whole,
    /// Other parts may hold the other half of a character, which is left out.
    Part,
}

/// A place in the octets of several segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which segment, from 0.
    pub segment: usize,
    /// The offset in its octets, header included.
    pub octet: usize,
}

/// The buffer that texts are decoded into.
#[derive(Debug, Default)]
pub struct Decoder {
    text: Buffer,
}

impl Decoder {
    /// The text of the segments, one after the other. Characters may straddle segments of one character set.
    /// Octets that are plain ASCII in their character set are borrowed as they are.
    ///
    /// # Errors
    /// [`Undecodable`] when the octets are not text under that reading.
    #[inline]
    pub fn decode<'t>(&'t mut self, segments: &[Segment<'t>], extent: Extent) -> Result<&'t str, Undecodable> {
        if let [segment] = segments
            && let Some(text) = segment.as_text()
        {
            return Ok(text);
        }
        let octets: usize = segments.iter().map(|segment| segment.octets.len()).sum();
        self.text.write(EXPANSION_MAX * (octets + 1), |sink| match all_as_text(segments) {
            Some(texts) => {
                texts.for_each(|text| sink.put_run(text, 0));
                Ok(())
            }
            None => read(segments, extent, sink),
        })?;
        // What was written is text: if it were not, it would not be judged.
        let charset = segments.first().map_or(Charset::Utf8, |segment| segment.charset);
        self.text.as_str().ok_or(Undecodable::Invalid(charset))
    }

    /// Shows `judge` the text under each reading until it breaks. A reading that fails is no plausible one, unless all do.
    ///
    /// # Errors
    /// [`Undecodable`] of the first reading, when none decodes.
    pub fn each_reading<B>(
        &mut self,
        user_data: &UserData<'_>,
        readings: &Readings,
        extent: Extent,
        mut judge: impl FnMut(Charset, &str) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, Undecodable> {
        let (mut failed, mut read) = (None, false);
        for charset in readings.iter() {
            match self.decode(&[Segment::new(user_data, charset)], extent) {
                Ok(text) => {
                    read = true;
                    if let ControlFlow::Break(value) = judge(charset, text) {
                        return Ok(ControlFlow::Break(value));
                    }
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        match failed {
            Some(error) if !read => Err(error),
            _ => Ok(ControlFlow::Continue(())),
        }
    }
}

/// Where a range of the text, in octets of UTF-8, lies in the segments that it was decoded from.
/// The same segments must decode; a range beyond the text is cut to it.
pub fn origin(segments: &[Segment<'_>], extent: Extent, range: Range<usize>) -> Range<Place> {
    let mut locator = Locator::new(range);
    // What decoded once decodes again.
    let _ = read(segments, extent, &mut locator);
    let found = locator.found(segments.iter().map(|segment| segment.octets.len()).sum());
    let start = place(segments, found.start, false);
    start..place(segments, found.end, true).max(start)
}

/// The texts of segments each of which is one as it lies there.
fn all_as_text<'t>(segments: &[Segment<'t>]) -> Option<impl Iterator<Item = &'t str>> {
    let texts = segments.iter().map_while(Segment::as_text);
    (texts.clone().count() == segments.len()).then_some(texts)
}

/// Which range of the text, in octets of UTF-8, segment `index` contributes. A character that straddles two segments is
/// the first one's. The same segments must decode.
pub fn share(segments: &[Segment<'_>], extent: Extent, index: usize) -> Range<usize> {
    if let Some(mut texts) = all_as_text(segments) {
        let start: usize = texts.by_ref().take(index).map(str::len).sum();
        return start..start + texts.next().map_or(0, str::len);
    }
    let before: usize = segments.iter().take(index).map(|segment| segment.octets.len()).sum();
    let own = segments.get(index).map_or(0, |segment| segment.octets.len());
    let mut finder = Finder::new(before..before + own);
    // What decoded once decodes again.
    let _ = read(segments, extent, &mut finder);
    finder.found()
}

/// The place at an offset over all segments; an end that is the first octet of a text belongs to the segment before.
fn place(segments: &[Segment<'_>], offset: usize, end: bool) -> Place {
    let (mut octet, mut last) = (offset, Place { segment: 0, octet: 0 });
    for (index, segment) in segments.iter().enumerate() {
        let first = if end { segment.header_size + 1 } else { 0 };
        if index > 0 && octet < first {
            return last;
        }
        last = Place { segment: index, octet: octet.min(segment.octets.len()) };
        if octet < segment.octets.len() {
            return last;
        }
        octet -= segment.octets.len();
    }
    last
}

fn read(segments: &[Segment<'_>], extent: Extent, sink: &mut impl Sink) -> Result<(), Undecodable> {
    let (mut gsm, mut utf16, mut base) = (Gsm::default(), Utf16::default(), 0);
    for segment in segments {
        let (text, at) = (segment.text(), base + segment.header_size);
        if !matches!(segment.charset, Charset::Utf16Be | Charset::Utf16Le) {
            utf16.finish(extent)?;
        }
        if !matches!(segment.charset, Charset::Gsm(..)) {
            gsm.finish();
        }
        match segment.charset {
            Charset::Gsm(packing, shifts) => {
                gsm.feed((packing, shifts), segment.octets, segment.header_size, base, sink)?;
            }
            Charset::Utf16Be => utf16.feed(Order::BigEndian, text, at, extent, sink)?,
            Charset::Utf16Le => utf16.feed(Order::LittleEndian, text, at, extent, sink)?,
            Charset::Ascii if !text.is_ascii() => return Err(Undecodable::Invalid(Charset::Ascii)),
            Charset::Ascii | Charset::Latin1 => {
                text.iter().enumerate().for_each(|(index, &octet)| sink.put(octet.into(), at + index));
            }
            Charset::Utf8 => {
                let text = std::str::from_utf8(text).map_err(|_| Undecodable::Invalid(Charset::Utf8))?;
                text.char_indices().for_each(|(index, character)| sink.put(character, at + index));
            }
            other => foreign::feed(other, text, at, sink)?,
        }
        base += segment.octets.len();
    }
    gsm.finish();
    utf16.finish(extent)
}
