//! Optional parameters (section 3.2.4.1): the one table of tags, and the list that ends a PDU.
//!
//! The list is checked when its PDU is decoded: whole, to the last octet. Unknown, repeated and unordered parameters
//! are kept as they came.

use super::codes::codes;
use super::items::items;
use super::layout::{self, Layout, Parse, Writer};
use super::{Fault, Frame, Malformed};

codes! {
    /// The tag of an optional parameter (section 5.3.2, table 5-7).
    TlvTag: u16 {
        /// Destination subaddress unit: display, device, SIM, external unit.
        DEST_ADDR_SUBUNIT = 0x0005, "dest_addr_subunit";
        /// Destination network type.
        DEST_NETWORK_TYPE = 0x0006, "dest_network_type";
        /// Destination bearer type.
        DEST_BEARER_TYPE = 0x0007, "dest_bearer_type";
        /// Destination telematics id.
        DEST_TELEMATICS_ID = 0x0008, "dest_telematics_id";
        /// Source subaddress unit.
        SOURCE_ADDR_SUBUNIT = 0x000D, "source_addr_subunit";
        /// Source network type.
        SOURCE_NETWORK_TYPE = 0x000E, "source_network_type";
        /// Source bearer type.
        SOURCE_BEARER_TYPE = 0x000F, "source_bearer_type";
        /// Source telematics id.
        SOURCE_TELEMATICS_ID = 0x0010, "source_telematics_id";
        /// Time to live, in seconds.
        QOS_TIME_TO_LIVE = 0x0017, "qos_time_to_live";
        /// Type of the payload: WDP or WCMP.
        PAYLOAD_TYPE = 0x0019, "payload_type";
        /// Text that explains a status.
        ADDITIONAL_STATUS_INFO_TEXT = 0x001D, "additional_status_info_text";
        /// The message_id that a receipt speaks of.
        RECEIPTED_MESSAGE_ID = 0x001E, "receipted_message_id";
        /// Message waiting indication.
        MS_MSG_WAIT_FACILITIES = 0x0030, "ms_msg_wait_facilities";
        /// Privacy level.
        PRIVACY_INDICATOR = 0x0201, "privacy_indicator";
        /// Source subaddress.
        SOURCE_SUBADDRESS = 0x0202, "source_subaddress";
        /// Destination subaddress.
        DEST_SUBADDRESS = 0x0203, "dest_subaddress";
        /// A reference of the ESME's own.
        USER_MESSAGE_REFERENCE = 0x0204, "user_message_reference";
        /// A response code of the user's.
        USER_RESPONSE_CODE = 0x0205, "user_response_code";
        /// The application port that sends.
        SOURCE_PORT = 0x020A, "source_port";
        /// The application port that is addressed.
        DESTINATION_PORT = 0x020B, "destination_port";
        /// The reference that the segments of a message share.
        SAR_MSG_REF_NUM = 0x020C, "sar_msg_ref_num";
        /// Language of the text.
        LANGUAGE_INDICATOR = 0x020D, "language_indicator";
        /// How many segments a message has.
        SAR_TOTAL_SEGMENTS = 0x020E, "sar_total_segments";
        /// Which segment this is, from 1.
        SAR_SEGMENT_SEQNUM = 0x020F, "sar_segment_seqnum";
        /// The SMPP version of the SMSC.
        SC_INTERFACE_VERSION = 0x0210, "SC_interface_version";
        /// Presentation and screening of the callback number.
        CALLBACK_NUM_PRES_IND = 0x0302, "callback_num_pres_ind";
        /// Text shown with the callback number.
        CALLBACK_NUM_ATAG = 0x0303, "callback_num_atag";
        /// Messages in a mailbox.
        NUMBER_OF_MESSAGES = 0x0304, "number_of_messages";
        /// Callback number.
        CALLBACK_NUM = 0x0381, "callback_num";
        /// Whether the delivery pending flag was set.
        DPF_RESULT = 0x0420, "dpf_result";
        /// Asks to set the delivery pending flag.
        SET_DPF = 0x0421, "set_dpf";
        /// Availability of the mobile station.
        MS_AVAILABILITY_STATUS = 0x0422, "ms_availability_status";
        /// Error of the network.
        NETWORK_ERROR_CODE = 0x0423, "network_error_code";
        /// User data of up to 64 KiB in place of short_message.
        MESSAGE_PAYLOAD = 0x0424, "message_payload";
        /// Why a delivery failed.
        DELIVERY_FAILURE_REASON = 0x0425, "delivery_failure_reason";
        /// More messages follow for the same recipient.
        MORE_MESSAGES_TO_SEND = 0x0426, "more_messages_to_send";
        /// State of the message that a receipt speaks of.
        MESSAGE_STATE = 0x0427, "message_state";
        /// USSD operation.
        USSD_SERVICE_OP = 0x0501, "ussd_service_op";
        /// How long the text is shown.
        DISPLAY_TIME = 0x1201, "display_time";
        /// Alerting signal.
        SMS_SIGNAL = 0x1203, "sms_signal";
        /// Validity of the message on the mobile station.
        MS_VALIDITY = 0x1204, "ms_validity";
        /// Alert the user on delivery; has no value.
        ALERT_ON_MESSAGE_DELIVERY = 0x130C, "alert_on_message_delivery";
        /// How the user of an interactive teleservice replies.
        ITS_REPLY_TYPE = 0x1380, "its_reply_type";
        /// Session of an interactive teleservice.
        ITS_SESSION_INFO = 0x1383, "its_session_info";
    }
}

/// One optional parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// What it is.
    pub tag: TlvTag,
    /// Its octets, of whatever length was sent.
    pub value: &'a [u8],
}

impl<'a> Tlv<'a> {
    const FIELD: &'static str = "tlv";

    /// The value as an integer, if it is one octet long.
    pub fn octet(&self) -> Option<u8> {
        self.value.try_into().ok().map(u8::from_be_bytes)
    }

    /// The value as an integer, if it is two octets long.
    pub fn short(&self) -> Option<u16> {
        self.value.try_into().ok().map(u16::from_be_bytes)
    }

    #[inline]
    pub(super) fn read(input: &'a [u8]) -> Parse<'a, Self> {
        let cut = |_| layout::Wrong::at(input, Self::FIELD, Fault::Truncated);
        let (rest, tag) = layout::short(Self::FIELD, input).map_err(cut)?;
        let (rest, length) = layout::short(Self::FIELD, rest).map_err(cut)?;
        let (rest, value) = layout::octets(Self::FIELD, length.into(), rest).map_err(cut)?;
        Ok((rest, Self { tag: TlvTag(tag), value }))
    }

    pub(super) fn write(&self, out: &mut Writer<'_>) -> Result<(), Malformed> {
        let Ok(length) = u16::try_from(self.value.len()) else {
            return Err(out.refuse(Self::FIELD, Fault::TooLong { max: u16::MAX.into() }));
        };
        out.short(self.tag.0);
        out.short(length);
        out.octets(self.value);
        Ok(())
    }
}

items! {
    /// The optional parameters of a PDU, in the order they were sent.
    Tlvs of Tlv
}

impl<'a> Tlvs<'a> {
    /// The value of the first parameter with this tag.
    pub fn get(&self, tag: TlvTag) -> Option<&'a [u8]> {
        self.all(tag).next()
    }

    /// The value of every parameter with this tag: a peer may read any of them.
    pub fn all(&self, tag: TlvTag) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        self.iter().filter(move |tlv| tlv.tag == tag).map(|tlv| tlv.value)
    }
}

/// Decodes a PDU that is only looked at on its way: where an optional parameter cannot be read it is left out with all
/// that is behind it, because what the others read must not hide from us behind it.
///
/// # Errors
/// [`Malformed`] for anything else that does not follow the layout.
pub fn observed<'a, V>(frame: Frame<'a>, decode: fn(Frame<'a>) -> Result<V, Malformed>) -> Result<V, Malformed> {
    decode(frame).or_else(|malformed| match malformed.field {
        Tlv::FIELD => decode(frame.head(malformed.offset)),
        _ => Err(malformed),
    })
}

/// The optional parameters at the end of a PDU.
#[derive(Clone, Copy)]
pub(super) struct TlvsLayout;

impl<'a> Layout<'a, Tlvs<'a>> for TlvsLayout {
    #[inline]
    fn read(self, input: &'a [u8]) -> Parse<'a, Tlvs<'a>> {
        let (mut rest, mut count) = (input, 0);
        while !rest.is_empty() {
            (rest, _) = Tlv::read(rest)?;
            count += 1;
        }
        Ok((rest, Tlvs { octets: input, count }))
    }

    fn write(self, value: Tlvs<'a>, out: &mut Writer<'_>) -> Result<(), Malformed> {
        out.octets(value.octets);
        Ok(())
    }
}
