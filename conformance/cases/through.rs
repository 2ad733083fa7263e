//! The named ways in which a case's message may be sent again: other encodings, operations, fields, parts, disguises.
//! What a message says stays the same, and so must the verdict.

use serde::{Deserialize, Serialize};

use crate::encoding::Encoding;
use crate::message::{Field, Message, Operation, Parts, Scheme, Written};

/// A text that nothing is against.
const HARMLESS: &str = "Shop: your parcel has arrived";

/// A way, or a set of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Way {
    /// Every way.
    All,
    /// The sets: every encoding that has the text, every other operation, field, cut, disguise.
    Codings,
    Operations,
    Fields,
    Cuts,
    Disguises,

    Packed,
    TopBit,
    TurkishSingle,
    TurkishLocking,
    Portuguese,
    Ascii,
    Latin1,
    Ucs2,
    Utf16leBom,
    Utf16beBom,
    Utf8,
    /// data_coding groups of 3GPP TS 23.038: message class, general, message waiting.
    Class,
    ClassPacked,
    General,
    GeneralUcs2,
    Waiting,
    WaitingUcs2,

    #[serde(rename = "data_sm")]
    DataSm,
    #[serde(rename = "submit_multi")]
    SubmitMulti,
    #[serde(rename = "replace_sm")]
    ReplaceSm,

    Payload,
    /// A header before the text, in message_payload.
    UdhiPayload,
    /// Something harmless in the other field.
    BesidePayload,
    BesideShortMessage,

    TwoParts,
    #[serde(rename = "two-parts-16-bit")]
    TwoParts16Bit,
    TwoPartsSar,
    TwoPartsReversed,
    TwoPartsTwoBinds,
    TwoPartsUcs2,
    TwoPartsPayload,
    ThreePartsShuffled,

    Upper,
    Confusables,
    Leet,
    Spaced,
    ZeroWidth,
    SoftHyphen,
    Fullwidth,
}

use Way::{
    Ascii, BesidePayload, BesideShortMessage, Class, ClassPacked, Confusables, DataSm, Fullwidth, General, GeneralUcs2,
    Latin1, Leet, Packed, Payload, Portuguese, ReplaceSm, SoftHyphen, Spaced, SubmitMulti, ThreePartsShuffled, TopBit,
    TurkishLocking, TurkishSingle, TwoParts, TwoParts16Bit, TwoPartsPayload, TwoPartsReversed, TwoPartsSar,
    TwoPartsTwoBinds, TwoPartsUcs2, Ucs2, UdhiPayload, Upper, Utf8, Utf16beBom, Utf16leBom, Waiting, WaitingUcs2,
    ZeroWidth,
};

const CODINGS: &[Way] = &[
    Packed,
    TopBit,
    TurkishSingle,
    TurkishLocking,
    Portuguese,
    Ascii,
    Latin1,
    Ucs2,
    Utf16leBom,
    Utf16beBom,
    Utf8,
    Class,
    ClassPacked,
    General,
    GeneralUcs2,
    Waiting,
    WaitingUcs2,
];
const OPERATIONS: &[Way] = &[DataSm, SubmitMulti, ReplaceSm];
const FIELDS: &[Way] = &[Payload, UdhiPayload, BesidePayload, BesideShortMessage];
const CUTS: &[Way] = &[
    TwoParts,
    TwoParts16Bit,
    TwoPartsSar,
    TwoPartsReversed,
    TwoPartsTwoBinds,
    TwoPartsUcs2,
    TwoPartsPayload,
    ThreePartsShuffled,
];
const DISGUISES: &[Way] = &[Upper, Confusables, Leet, Spaced, ZeroWidth, SoftHyphen, Fullwidth];

impl Way {
    /// The single ways, and whether each was named as such: of a set those are left out that cannot carry the text.
    pub(crate) fn single(self) -> Vec<(Self, bool)> {
        let sets: &[&[Way]] = match self {
            Self::All => &[CODINGS, OPERATIONS, FIELDS, CUTS, DISGUISES],
            Self::Codings => &[CODINGS],
            Self::Operations => &[OPERATIONS],
            Self::Fields => &[FIELDS],
            Self::Cuts => &[CUTS],
            Self::Disguises => &[DISGUISES],
            single => return vec![(single, true)],
        };
        sets.iter().flat_map(|set| set.iter()).map(|way| (*way, false)).collect()
    }

    /// The message sent in this way.
    pub(crate) fn of(self, message: &Message) -> Message {
        let it = message.0.clone();
        let coded = |encoding| Written { encoding: Some(encoding), ..it.clone() };
        let grouped = |encoding, data_coding| Written { data_coding: Some(data_coding), ..coded(encoding) };
        let cut = |parts: Parts| Written { parts: Some(parts), ..it.clone() };
        let disguised = |disguise: fn(&str) -> String| Written { text: disguise(&it.text), ..it.clone() };
        let length = it.text.chars().count();
        let halves = || Parts { at: vec![length / 2], ..Parts::default() };
        Message(match self {
            Packed => coded(Encoding::Packed),
            TopBit => coded(Encoding::TopBit),
            TurkishSingle => coded(Encoding::TurkishSingle),
            TurkishLocking => coded(Encoding::TurkishLocking),
            Portuguese => coded(Encoding::Portuguese),
            Ascii => coded(Encoding::Ascii),
            Latin1 => coded(Encoding::Latin1),
            Ucs2 => coded(Encoding::Ucs2),
            Utf16leBom => coded(Encoding::Utf16leBom),
            Utf16beBom => coded(Encoding::Utf16beBom),
            Utf8 => coded(Encoding::Utf8),
            Class => grouped(Encoding::Gsm, 0xF0),
            ClassPacked => grouped(Encoding::Packed, 0xF1),
            General => grouped(Encoding::Gsm, 0x10),
            GeneralUcs2 => grouped(Encoding::Ucs2, 0x18),
            Waiting => grouped(Encoding::Gsm, 0xC0),
            WaitingUcs2 => grouped(Encoding::Ucs2, 0xE0),
            DataSm => Written { operation: Operation::DataSm, ..it },
            SubmitMulti => Written { operation: Operation::SubmitMulti, ..it },
            ReplaceSm => Written { operation: Operation::ReplaceSm, ..it },
            Payload => Written { field: Field::MessagePayload, ..it },
            UdhiPayload => {
                Written { field: Field::MessagePayload, udh: crate::message::Hex(vec![3, 0x70, 1, 0]), ..it }
            }
            BesidePayload => Written { other: Some(HARMLESS.to_owned()), ..it },
            BesideShortMessage => Written { field: Field::MessagePayload, other: Some(HARMLESS.to_owned()), ..it },
            TwoParts => cut(halves()),
            TwoParts16Bit => cut(Parts { by: Scheme::Reference16, ..halves() }),
            TwoPartsSar => cut(Parts { by: Scheme::Sar, ..halves() }),
            TwoPartsReversed => cut(Parts { order: vec![2, 1], ..halves() }),
            TwoPartsTwoBinds => cut(Parts { binds: vec![1, 2], ..halves() }),
            TwoPartsUcs2 => Written { encoding: Some(Encoding::Ucs2), ..cut(halves()) },
            TwoPartsPayload => Written { field: Field::MessagePayload, ..cut(halves()) },
            ThreePartsShuffled => {
                cut(Parts { at: vec![length / 3, length * 2 / 3], order: vec![3, 1, 2], ..Parts::default() })
            }
            Upper => disguised(str::to_uppercase),
            Confusables => disguised(|text| text.chars().map(look_alike).collect()),
            Leet => disguised(|text| by_word(text, leet)),
            Spaced => disguised(|text| by_word(text, |word| joined(word, '.'))),
            ZeroWidth => disguised(|text| by_word(text, |word| joined(word, '\u{200B}'))),
            SoftHyphen => disguised(|text| by_word(text, |word| joined(word, '\u{AD}'))),
            Fullwidth => disguised(|text| text.chars().map(fullwidth).collect()),
            Way::All | Way::Codings | Way::Operations | Way::Fields | Way::Cuts | Way::Disguises => it,
        })
    }

    /// As the case files write it.
    pub(crate) fn name(self) -> String {
        let written = toml::Value::try_from(self).ok();
        written.and_then(|name| Some(name.as_str()?.to_owned())).unwrap_or_default()
    }
}

/// Whether a disguise changes this word: short ones stay, as in the field.
fn by_word(text: &str, change: impl Fn(&str) -> String) -> String {
    let disguised = |word: &str| {
        let plain = word.chars().count() >= 4 && word.chars().all(char::is_alphabetic);
        if plain { change(word) } else { word.to_owned() }
    };
    text.split_inclusive(|character: char| !character.is_alphanumeric())
        .map(|piece| {
            let word = piece.trim_end_matches(|character: char| !character.is_alphanumeric());
            disguised(word) + piece.get(word.len()..).unwrap_or_default()
        })
        .collect()
}

fn joined(word: &str, with: char) -> String {
    word.chars().flat_map(|letter| [letter, with]).take(word.chars().count() * 2 - 1).collect()
}

/// One vowel of the word becomes a digit.
fn leet(word: &str) -> String {
    let digits = [('e', "3"), ('o', "0"), ('a', "4"), ('i', "1")];
    let found = digits.iter().find(|(vowel, _)| word.chars().skip(1).any(|letter| letter == *vowel));
    let Some((vowel, digit)) = found else { return word.to_owned() };
    let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
    format!("{first}{}", rest.replacen(*vowel, digit, 1))
}

/// The Cyrillic letter that looks the same.
fn look_alike(letter: char) -> char {
    const PAIRS: [(char, char); 16] = [
        ('a', 'а'),
        ('c', 'с'),
        ('e', 'е'),
        ('i', 'і'),
        ('j', 'ј'),
        ('o', 'о'),
        ('p', 'р'),
        ('s', 'ѕ'),
        ('x', 'х'),
        ('y', 'у'),
        ('A', 'А'),
        ('E', 'Е'),
        ('H', 'Н'),
        ('K', 'К'),
        ('O', 'О'),
        ('T', 'Т'),
    ];
    PAIRS.iter().find(|(latin, _)| *latin == letter).map_or(letter, |(_, other)| *other)
}

fn fullwidth(character: char) -> char {
    match character {
        '!'..='~' => char::from_u32(u32::from(character) + 0xFEE0).unwrap_or(character),
        other => other,
    }
}
