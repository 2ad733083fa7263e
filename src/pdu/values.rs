//! The small values that operations share. None of them is judged here: every octet is kept as it came.

use super::codes::codes;

codes! {
    /// Type of number (section 5.2.5).
    #[derive(Default)]
    Ton: u8 {
        /// Unknown.
        UNKNOWN = 0, "unknown";
        /// International: country code first, no prefix.
        INTERNATIONAL = 1, "international";
        /// National.
        NATIONAL = 2, "national";
        /// Network specific.
        NETWORK_SPECIFIC = 3, "network_specific";
        /// Subscriber number.
        SUBSCRIBER = 4, "subscriber";
        /// Alphanumeric: text in place of digits.
        ALPHANUMERIC = 5, "alphanumeric";
        /// Abbreviated.
        ABBREVIATED = 6, "abbreviated";
    }
}

codes! {
    /// Numbering plan indicator (section 5.2.6).
    #[derive(Default)]
    Npi: u8 {
        /// Unknown.
        UNKNOWN = 0, "unknown";
        /// ISDN: E.163 and E.164.
        ISDN = 1, "isdn";
        /// Data: X.121.
        DATA = 3, "data";
        /// Telex: F.69.
        TELEX = 4, "telex";
        /// Land mobile: E.212.
        LAND_MOBILE = 6, "land_mobile";
        /// National.
        NATIONAL = 8, "national";
        /// Private.
        PRIVATE = 9, "private";
        /// ERMES.
        ERMES = 10, "ermes";
        /// Internet: IP.
        INTERNET = 14, "internet";
        /// WAP client id.
        WAP_CLIENT_ID = 18, "wap_client_id";
    }
}

codes! {
    /// Encoding of the user data (section 5.2.19). Groups from 0xC0 on follow the GSM data coding scheme and have no
    /// names here.
    #[derive(Default)]
    DataCoding: u8 {
        /// The SMSC's default alphabet.
        DEFAULT = 0, "default";
        /// IA5 (CCITT T.50), ASCII.
        ASCII = 1, "ascii";
        /// Octets without a declared meaning.
        OCTETS_2 = 2, "octets_2";
        /// ISO-8859-1.
        LATIN_1 = 3, "latin_1";
        /// Octets without a declared meaning.
        OCTETS_4 = 4, "octets_4";
        /// JIS (X 0208-1990).
        JIS = 5, "jis";
        /// ISO-8859-5.
        CYRILLIC = 6, "cyrillic";
        /// ISO-8859-8.
        HEBREW = 7, "hebrew";
        /// ISO/IEC-10646: UCS-2, in practice UTF-16.
        UCS2 = 8, "ucs2";
        /// Pictogram encoding.
        PICTOGRAM = 9, "pictogram";
        /// ISO-2022-JP, music codes.
        ISO_2022_JP = 10, "iso_2022_jp";
        /// Extended Kanji JIS (X 0212-1990).
        EXTENDED_KANJI = 13, "extended_kanji";
        /// KS C 5601.
        KS_C_5601 = 14, "ks_c_5601";
    }
}

codes! {
    /// State of a message (section 5.2.28).
    #[derive(Default)]
    MessageState: u8 {
        /// On its way.
        ENROUTE = 1, "ENROUTE";
        /// Delivered.
        DELIVERED = 2, "DELIVERED";
        /// Its validity period ran out.
        EXPIRED = 3, "EXPIRED";
        /// Deleted.
        DELETED = 4, "DELETED";
        /// Cannot be delivered.
        UNDELIVERABLE = 5, "UNDELIVERABLE";
        /// Accepted: read by customer service on the subscriber's behalf.
        ACCEPTED = 6, "ACCEPTED";
        /// In an invalid state.
        UNKNOWN = 7, "UNKNOWN";
        /// Rejected.
        REJECTED = 8, "REJECTED";
    }
}

/// Mode, type and features of a message (section 5.2.12).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct EsmClass(pub u8);

impl EsmClass {
    /// The messaging mode bits: 0 the SMSC's default.
    pub const MODE_DEFAULT: u8 = 0x00;
    /// The messaging mode bits: datagram.
    pub const MODE_DATAGRAM: u8 = 0x01;
    /// The messaging mode bits: forward (transaction).
    pub const MODE_FORWARD: u8 = 0x02;
    /// The messaging mode bits: store and forward.
    pub const MODE_STORE_AND_FORWARD: u8 = 0x03;
    /// The message type bits: none, an ordinary message.
    pub const TYPE_DEFAULT: u8 = 0x00;
    /// The message type bits: SMSC delivery receipt.
    pub const TYPE_RECEIPT: u8 = 0x04;
    /// The message type bits: delivery acknowledgement by the SME.
    pub const TYPE_DELIVERY_ACK: u8 = 0x08;
    /// The message type bits: acknowledgement by the user.
    pub const TYPE_USER_ACK: u8 = 0x10;
    /// The message type bits: abort of a conversation.
    pub const TYPE_CONVERSATION_ABORT: u8 = 0x18;
    /// The message type bits: intermediate notification.
    pub const TYPE_INTERMEDIATE: u8 = 0x20;
    /// The feature bit that says the user data begins with a header.
    pub const UDHI: u8 = 0x40;
    /// The feature bit that asks for a reply path.
    pub const REPLY_PATH: u8 = 0x80;

    /// Bits 1-0, the messaging mode.
    pub fn mode(self) -> u8 {
        self.0 & 0x03
    }

    /// Bits 5-2, the message type, in place: one of the `TYPE_` values.
    pub fn message_type(self) -> u8 {
        self.0 & 0x3C
    }

    /// Whether the user data begins with a user data header.
    pub fn udhi(self) -> bool {
        self.0 & Self::UDHI != 0
    }

    /// Whether a reply path is asked for.
    pub fn reply_path(self) -> bool {
        self.0 & Self::REPLY_PATH != 0
    }
}

impl From<u8> for EsmClass {
    fn from(value: u8) -> Self {
        Self(value)
    }
}

impl From<EsmClass> for u8 {
    fn from(value: EsmClass) -> Self {
        value.0
    }
}

/// An address of an SME, as sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Address<'a> {
    /// How the digits are to be read.
    pub ton: Ton,
    /// The plan they belong to.
    pub npi: Npi,
    /// The octets before the NUL: digits, or text when alphanumeric.
    pub digits: &'a [u8],
}

impl<'a> Address<'a> {
    /// The digits without the `+` or `00` of an international number, so that one number is written in one way.
    #[inline]
    pub fn without_prefix(&self) -> &'a [u8] {
        self.digits.strip_prefix(b"+").or_else(|| self.digits.strip_prefix(b"00")).unwrap_or(self.digits)
    }
}
