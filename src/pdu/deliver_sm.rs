//! deliver_sm and deliver_sm_resp (section 4.6).
//!
//! Laid out as submit_sm, read with fewer limits: it is observed on its way to the ESME, and a field that is too long
//! must not hide an opt-out. Nor must octets behind what can be read: see [`observed`](super::observed).

use super::layout::{AddressLayout, CString, Octet, ShortMessage};
use super::operation::operation;
use super::tlv::TlvsLayout;
use super::{Address, DataCoding, EsmClass, Tlvs};

operation! {
    /// deliver_sm (section 4.6.1).
    request DeliverSm = DELIVER_SM {
        /// The application service.
        service_type: &'a [u8] = CString::lenient("service_type");
        /// Who the message is from.
        source: Address<'a> = AddressLayout::source(usize::MAX);
        /// Who the message is for.
        destination: Address<'a> = AddressLayout::destination(usize::MAX);
        /// Mode, type and features.
        esm_class: EsmClass = Octet("esm_class");
        /// Protocol identifier of the network.
        protocol_id: u8 = Octet("protocol_id");
        /// Priority.
        priority_flag: u8 = Octet("priority_flag");
        /// Empty in this operation.
        schedule_delivery_time: &'a [u8] = CString::lenient("schedule_delivery_time");
        /// Empty in this operation.
        validity_period: &'a [u8] = CString::lenient("validity_period");
        /// Which acknowledgements are asked for.
        registered_delivery: u8 = Octet("registered_delivery");
        /// 0 in this operation.
        replace_if_present_flag: u8 = Octet("replace_if_present_flag");
        /// Encoding of the user data.
        data_coding: DataCoding = Octet("data_coding");
        /// 0 in this operation.
        sm_default_msg_id: u8 = Octet("sm_default_msg_id");
        /// The user data, header included.
        short_message: &'a [u8] = ShortMessage { max: u8::MAX };
        /// Optional parameters.
        tlvs: Tlvs<'a> = TlvsLayout;
    }
}

operation! {
    /// deliver_sm_resp (section 4.6.2).
    response DeliverSmResp = DELIVER_SM_RESP {
        /// Unused, but not always empty.
        message_id: &'a [u8] = CString::lenient("message_id");
        /// Optional parameters, of which the specification has none here.
        tlvs: Tlvs<'a> = TlvsLayout;
    }
}
