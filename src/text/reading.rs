//! In which ways octets may be read, given their data_coding (SMPP 3.4, 5.2.19; 3GPP TS 23.038, section 4).
//!
//! | data_coding | readings |
//! |---|---|
//! | 0x00 | the account's default alphabet; see below for octets above 0x7F |
//! | 0x01 | ASCII, and GSM where the two differ: many SMSCs hand the octets on as they are |
//! | 0x02, 0x04 | binary |
//! | 0x03 | ISO-8859-1 |
//! | 0x05 | Shift_JIS, EUC-JP, ISO-2022-JP, bare JIS X 0208: "JIS" names a set, not an encoding |
//! | 0x06, 0x07 | ISO-8859-5, ISO-8859-8 |
//! | 0x08 | UTF-16, big-endian; if it opens with a little-endian mark, both ways |
//! | 0x0A | ISO-2022-JP |
//! | 0x0D | EUC-JP, Shift_JIS, bare JIS X 0212 |
//! | 0x0E | EUC-KR, bare KS C 5601 |
//! | 0x09, 0x0B, 0x0C, 0x0F, 0x80-0xBF | none: pictograms and reserved |
//! | 0x10-0x7F | by bits 3-2: GSM, binary, UTF-16, reserved; bit 5 is compression, which nothing here can read |
//! | 0xC0-0xDF, 0xE0-0xEF | message waiting: GSM, UTF-16 |
//! | 0xF0-0xFF | by bit 2: GSM, binary |
//! | replace_sm has none | the default alphabet, and UTF-16 |
//!
//! GSM octets above 0x7F are no septets. What they become depends on the SMSC: ISO-8859-1, UTF-8 (where they are valid
//! UTF-8), septets with the top bit ignored, packed septets; all are read, up to [`LONGEST_DOUBTFUL`] octets. Groups from 0x10 on are read packed as well
//! in any case, as these codings are often passed to the handset as they are. Where a header names shift tables the
//! default ones are read too, which is what a handset without those tables shows.

use super::gsm::is_invariant;
use super::{Packing, Shifts, Undecodable, UserData};
use crate::pdu::DataCoding;

/// Octets of the longest text in septets that may hold others, and so is read in every way: more than a message of 26
/// parts has. Each way costs as much as a text that says what it is.
const LONGEST_DOUBTFUL: usize = 4096;

/// The alphabet that an account's SMSC takes data_coding 0 for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DefaultAlphabet {
    /// GSM 03.38, one septet to an octet.
    #[default]
    Gsm,
    /// ISO-8859-1.
    Latin1,
    /// ASCII.
    Ascii,
}

/// One way of reading octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Charset {
    /// GSM 03.38.
    Gsm(Packing, Shifts),
    /// ASCII.
    Ascii,
    /// ISO-8859-1.
    Latin1,
    /// UTF-8.
    Utf8,
    /// ISO-8859-5.
    Cyrillic,
    /// ISO-8859-8.
    Hebrew,
    /// Shift_JIS.
    ShiftJis,
    /// EUC-JP.
    EucJp,
    /// ISO-2022-JP.
    Iso2022Jp,
    /// Bare rows and columns of JIS X 0208.
    Jis0208,
    /// Bare rows and columns of JIS X 0212.
    Jis0212,
    /// EUC-KR.
    EucKr,
    /// Bare rows and columns of KS C 5601.
    Ksc5601,
    /// UTF-16, big-endian.
    Utf16Be,
    /// UTF-16, little-endian.
    Utf16Le,
}

/// Octets of user data that one message of a network carries.
pub(crate) const USER_DATA: usize = 140;

impl Charset {
    /// Octets of a text that one message of a network carries, as a PDU has them.
    pub(crate) fn octets_of_a_message(self) -> usize {
        match self {
            // Septets come one to an octet, and eight of them go into seven.
            Self::Ascii | Self::Gsm(Packing::Unpacked | Packing::Masked, _) => USER_DATA * 8 / 7,
            _ => USER_DATA,
        }
    }
}

impl Default for Charset {
    fn default() -> Self {
        Self::Gsm(Packing::Unpacked, Shifts::default())
    }
}

/// In words.
impl std::fmt::Display for Charset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Gsm(Packing::Unpacked, _) => "GSM 03.38",
            Self::Gsm(Packing::Masked, _) => "GSM 03.38 without the top bits",
            Self::Gsm(Packing::Packed, _) => "packed GSM 03.38",
            Self::Ascii => "ASCII",
            Self::Latin1 => "ISO-8859-1",
            Self::Utf8 => "UTF-8",
            Self::Cyrillic => "ISO-8859-5",
            Self::Hebrew => "ISO-8859-8",
            Self::ShiftJis => "Shift_JIS",
            Self::EucJp => "EUC-JP",
            Self::Iso2022Jp => "ISO-2022-JP",
            Self::Jis0208 => "JIS X 0208",
            Self::Jis0212 => "JIS X 0212",
            Self::EucKr => "EUC-KR",
            Self::Ksc5601 => "KS C 5601",
            Self::Utf16Be => "UCS-2",
            Self::Utf16Le => "little-endian UCS-2",
        })
    }
}

/// What user data holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Text, to be judged under each reading that decodes.
    Text(Readings),
    /// Octets that are not text.
    Binary,
}

/// The plausible readings of one message: at least one, at most [`Readings::MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readings {
    all: [Charset; Self::MAX],
    /// How many of them count; the others are the default.
    count: u8,
}

impl Readings {
    /// The most readings that octets may have.
    pub const MAX: usize = 7;

    /// The readings, the likeliest first.
    pub fn iter(&self) -> impl Iterator<Item = Charset> + Clone + use<> {
        self.all.into_iter().take(self.count())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        usize::from(self.count)
    }

    fn of(charsets: impl IntoIterator<Item = Charset>) -> Self {
        let mut readings = Self::default();
        charsets.into_iter().for_each(|charset| readings.add(charset));
        readings
    }

    fn add(&mut self, charset: Charset) {
        if self.iter().any(|known| known == charset) {
            return;
        }
        if let Some(free) = self.all.get_mut(usize::from(self.count)) {
            *free = charset;
            self.count += 1;
        }
    }

    fn default_alphabet(&mut self, alphabet: DefaultAlphabet, user_data: &UserData<'_>) -> Result<(), Undecodable> {
        let text = user_data.text();
        match alphabet {
            DefaultAlphabet::Gsm => return self.gsm(user_data, false),
            DefaultAlphabet::Ascii if text.is_ascii() => self.add(Charset::Ascii),
            DefaultAlphabet::Ascii | DefaultAlphabet::Latin1 => self.eight_bit(text),
        }
        Ok(())
    }

    /// Octets above 0x7F where an SMSC may take them for characters.
    fn eight_bit(&mut self, text: &[u8]) {
        self.add(Charset::Latin1);
        if !text.is_ascii() && std::str::from_utf8(text).is_ok() {
            self.add(Charset::Utf8);
        }
    }

    fn gsm(&mut self, user_data: &UserData<'_>, packed: bool) -> Result<(), Undecodable> {
        let septets = user_data.text().is_ascii();
        if !septets && user_data.text().len() > LONGEST_DOUBTFUL {
            return Err(Undecodable::NotASeptet);
        }
        let packing = if septets { Packing::Unpacked } else { Packing::Masked };
        for shifts in [user_data.shifts(), Shifts::default()] {
            self.add(Charset::Gsm(packing, shifts));
            if packed || !septets {
                self.add(Charset::Gsm(Packing::Packed, shifts));
            }
        }
        if !septets {
            self.eight_bit(user_data.text());
        }
        Ok(())
    }

    fn ascii(&mut self, user_data: &UserData<'_>) -> Result<(), Undecodable> {
        let text = user_data.text();
        if text.is_ascii() {
            self.add(Charset::Ascii);
        }
        if text.iter().all(|&octet| is_invariant(octet)) { Ok(()) } else { self.gsm(user_data, false) }
    }

    fn ucs2(&mut self, text: &[u8]) {
        if text.starts_with(b"\xFF\xFE") {
            self.add(Charset::Utf16Le);
        }
        self.add(Charset::Utf16Be);
    }
}

impl Content {
    /// What the octets of `user_data` may be, by the coding that the PDU declares; replace_sm declares none.
    ///
    /// # Errors
    /// [`Undecodable`] when nothing here can read that coding.
    pub fn of(
        data_coding: Option<DataCoding>,
        user_data: &UserData<'_>,
        alphabet: DefaultAlphabet,
    ) -> Result<Self, Undecodable> {
        let text = user_data.text();
        let mut readings = Readings::default();
        let Some(DataCoding(coding)) = data_coding else {
            readings.default_alphabet(alphabet, user_data)?;
            readings.ucs2(text);
            return Ok(Self::Text(readings));
        };
        match coding {
            0x00 => readings.default_alphabet(alphabet, user_data)?,
            0x01 => readings.ascii(user_data)?,
            0x02 | 0x04 => return Ok(Self::Binary),
            0x03 => readings.add(Charset::Latin1),
            0x05 => {
                readings = Readings::of([Charset::ShiftJis, Charset::EucJp, Charset::Iso2022Jp, Charset::Jis0208]);
            }
            0x06 => readings.add(Charset::Cyrillic),
            0x07 => readings.add(Charset::Hebrew),
            0x08 => readings.ucs2(text),
            0x0A => readings.add(Charset::Iso2022Jp),
            0x0D => readings = Readings::of([Charset::EucJp, Charset::ShiftJis, Charset::Jis0212]),
            0x0E => readings = Readings::of([Charset::EucKr, Charset::Ksc5601]),
            0x10..=0x7F if coding & 0x20 != 0 => return Err(Undecodable::Compressed(coding)),
            0x10..=0x7F => match coding & 0x0C {
                0x00 => readings.gsm(user_data, true)?,
                0x04 => return Ok(Self::Binary),
                0x08 => readings.ucs2(text),
                _ => return Err(Undecodable::Reserved(coding)),
            },
            0xC0..=0xDF => readings.gsm(user_data, true)?,
            0xE0..=0xEF => readings.ucs2(text),
            0xF0..=0xFF if coding & 0x04 != 0 => return Ok(Self::Binary),
            0xF0..=0xFF => readings.gsm(user_data, true)?,
            0x09 | 0x0B | 0x0C | 0x0F | 0x80..=0xBF => return Err(Undecodable::Reserved(coding)),
        }
        Ok(Self::Text(readings))
    }
}
