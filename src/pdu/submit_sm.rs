//! submit_sm and submit_sm_resp (section 4.4).

use super::layout::{AddressLayout, CString, Octet, ShortMessage, Time};
use super::operation::operation;
use super::tlv::TlvsLayout;
use super::{Address, DataCoding, EsmClass, Tlvs};

/// The longest address of submit_sm and its kin, in octets (sections 5.2.8 and 5.2.9).
pub(super) const ADDRESS_MAX: usize = 20;
/// The longest short message that may be submitted, in octets (section 5.2.21).
pub(super) const SHORT_MESSAGE_MAX: u8 = 254;

operation! {
    /// submit_sm (section 4.4.1).
    request SubmitSm = SUBMIT_SM {
        /// The application service.
        service_type: &'a [u8] = CString::lenient("service_type");
        /// Who the message is from.
        source: Address<'a> = AddressLayout::source(ADDRESS_MAX);
        /// Who the message is for.
        destination: Address<'a> = AddressLayout::destination(ADDRESS_MAX);
        /// Mode, type and features.
        esm_class: EsmClass = Octet("esm_class");
        /// Protocol identifier of the network.
        protocol_id: u8 = Octet("protocol_id");
        /// Priority.
        priority_flag: u8 = Octet("priority_flag");
        /// When to send: empty for at once, else 16 characters.
        schedule_delivery_time: &'a [u8] = Time("schedule_delivery_time");
        /// How long to try: empty for the SMSC's default.
        validity_period: &'a [u8] = CString::lenient("validity_period");
        /// Which receipts are asked for.
        registered_delivery: u8 = Octet("registered_delivery");
        /// Whether to replace an earlier message.
        replace_if_present_flag: u8 = Octet("replace_if_present_flag");
        /// Encoding of the user data.
        data_coding: DataCoding = Octet("data_coding");
        /// A message that the SMSC holds: 0 for none.
        sm_default_msg_id: u8 = Octet("sm_default_msg_id");
        /// The user data, header included.
        short_message: &'a [u8] = ShortMessage { max: SHORT_MESSAGE_MAX };
        /// Optional parameters.
        tlvs: Tlvs<'a> = TlvsLayout;
    }
}

operation! {
    /// submit_sm_resp (section 4.4.2).
    response SubmitSmResp = SUBMIT_SM_RESP {
        /// The SMSC's name for the message: opaque text of any length.
        message_id: &'a [u8] = CString::lenient("message_id");
        /// Optional parameters, of which the specification has none here.
        tlvs: Tlvs<'a> = TlvsLayout;
    }
}
