//! A text in the octets of a named encoding. Written for the cases: the proxy decodes by code of its own.

use encoding_rs::{EUC_KR, ISO_8859_5, ISO_8859_8, SHIFT_JIS};
use serde::Deserialize;
use smppolicy::text::{Language, Shifts, encode_gsm};

/// How a text becomes octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Encoding {
    /// GSM 03.38, one septet to an octet.
    Gsm,
    /// The same, eight septets in seven octets.
    Packed,
    /// The same, one septet to an octet, the top bit of the first one set.
    TopBit,
    /// With the header and the characters of the Turkish single shift table.
    TurkishSingle,
    /// With the header and in the Turkish locking shift table.
    TurkishLocking,
    /// With the header and in the Portuguese locking and single shift tables.
    Portuguese,
    Ascii,
    Latin1,
    Ucs2,
    /// Little-endian behind its mark.
    Utf16leBom,
    /// Big-endian behind its mark.
    Utf16beBom,
    /// Under the default data_coding.
    Utf8,
    Cyrillic,
    Hebrew,
    ShiftJis,
    EucKr,
}

impl Encoding {
    /// What an ESME takes for this text.
    pub(crate) fn narrowest(text: &str) -> Self {
        if encode_gsm(text, Shifts::default()).is_some() { Self::Gsm } else { Self::Ucs2 }
    }

    /// The data_coding that goes with it.
    pub(crate) fn data_coding(self) -> u8 {
        match self {
            Self::Gsm | Self::Packed | Self::TopBit | Self::Utf8 => 0,
            Self::TurkishSingle | Self::TurkishLocking | Self::Portuguese => 0,
            Self::Ascii => 1,
            Self::Latin1 => 3,
            Self::ShiftJis => 5,
            Self::Cyrillic => 6,
            Self::Hebrew => 7,
            Self::Ucs2 | Self::Utf16leBom | Self::Utf16beBom => 8,
            Self::EucKr => 14,
        }
    }

    /// The header that an encoding needs; empty if none.
    pub(crate) fn header_of(encoding: Option<Self>) -> &'static [u8] {
        match encoding {
            Some(Self::TurkishSingle) => &[3, 0x24, 1, 1],
            Some(Self::TurkishLocking) => &[3, 0x25, 1, 1],
            Some(Self::Portuguese) => &[6, 0x24, 1, 3, 0x25, 1, 3],
            _ => &[],
        }
    }

    /// The octets behind a header, which is put before them; the encoding's own header if none is given.
    pub(crate) fn encode(self, text: &str, header: &[u8]) -> Result<Vec<u8>, String> {
        let header = if header.is_empty() { Self::header_of(Some(self)) } else { header };
        if self == Self::Packed {
            return Ok(pack(&self.septets(text, Shifts::default())?, header));
        }
        Ok([header, &self.encode_bare(text)?].concat())
    }

    /// The octets without any header.
    pub(crate) fn encode_bare(self, text: &str) -> Result<Vec<u8>, String> {
        let shifts = |locking, single| Shifts { locking, single };
        let units = |text: &str| text.encode_utf16().collect::<Vec<u16>>();
        let whatwg = |encoding: &'static encoding_rs::Encoding| match encoding.encode(text) {
            (octets, _, false) => Ok(octets.into_owned()),
            _ => Err(self.lacks(text)),
        };
        match self {
            Self::Gsm => self.septets(text, Shifts::default()),
            Self::Packed => Ok(pack(&self.septets(text, Shifts::default())?, &[])),
            Self::TopBit => {
                let mut septets = self.septets(text, Shifts::default())?;
                septets.iter_mut().take(1).for_each(|septet| *septet |= 0x80);
                Ok(septets)
            }
            Self::TurkishSingle => self.septets(text, shifts(Language::Default, Language::Turkish)),
            Self::TurkishLocking => self.septets(text, shifts(Language::Turkish, Language::Default)),
            Self::Portuguese => self.septets(text, shifts(Language::Portuguese, Language::Portuguese)),
            Self::Ascii if text.is_ascii() => Ok(text.as_bytes().to_vec()),
            Self::Ascii => Err(self.lacks(text)),
            Self::Latin1 => {
                let octets: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
                octets.ok_or_else(|| self.lacks(text))
            }
            Self::Ucs2 => Ok(units(text).into_iter().flat_map(u16::to_be_bytes).collect()),
            Self::Utf16leBom => Ok(units(&format!("\u{FEFF}{text}")).into_iter().flat_map(u16::to_le_bytes).collect()),
            Self::Utf16beBom => Ok(units(&format!("\u{FEFF}{text}")).into_iter().flat_map(u16::to_be_bytes).collect()),
            Self::Utf8 => Ok(text.as_bytes().to_vec()),
            Self::Cyrillic => whatwg(ISO_8859_5),
            Self::Hebrew => whatwg(ISO_8859_8),
            Self::ShiftJis => whatwg(SHIFT_JIS),
            Self::EucKr => whatwg(EUC_KR),
        }
    }

    fn septets(self, text: &str, shifts: Shifts) -> Result<Vec<u8>, String> {
        encode_gsm(text, shifts).ok_or_else(|| self.lacks(text))
    }

    fn lacks(self, text: &str) -> String {
        format!("{self:?} does not have every character of {text:?}")
    }
}

/// Eight septets in seven octets, from the first septet boundary behind the header.
fn pack(septets: &[u8], header: &[u8]) -> Vec<u8> {
    let first = (header.len() * 8).div_ceil(7);
    let mut octets = header.to_vec();
    octets.resize(((first + septets.len()) * 7).div_ceil(8), 0);
    for (index, septet) in septets.iter().enumerate() {
        let bit = (first + index) * 7;
        for (place, octet) in octets.iter_mut().enumerate().skip(bit / 8).take(2) {
            let wide = u16::from(*septet) << (bit % 8);
            *octet |= if place == bit / 8 { wide as u8 } else { (wide >> 8) as u8 };
        }
    }
    octets
}
