//! query_sm, cancel_sm and replace_sm (sections 4.8 to 4.10): what names a message that was submitted before.
//!
//! cancel_sm_resp and replace_sm_resp are bare headers.

use super::layout::{AddressLayout, CString, Octet, ShortMessage, Time};
use super::operation::operation;
use super::submit_sm::{ADDRESS_MAX, SHORT_MESSAGE_MAX};
use super::tlv::TlvsLayout;
use super::{Address, MessageState, Tlvs};

operation! {
    /// query_sm (section 4.8.1).
    request QuerySm = QUERY_SM {
        /// The message, as the SMSC named it.
        message_id: &'a [u8] = CString::lenient("message_id");
        /// Who the message was from.
        source: Address<'a> = AddressLayout::source(ADDRESS_MAX);
        /// Optional parameters, of which the specification has none here.
        tlvs: Tlvs<'a> = TlvsLayout;
    }
}

operation! {
    /// query_sm_resp (section 4.8.2).
    response QuerySmResp = QUERY_SM_RESP {
        /// The message, as the SMSC named it.
        message_id: &'a [u8] = CString::lenient("message_id");
        /// When the message reached its final state: empty if it has not.
        final_date: &'a [u8] = CString::lenient("final_date");
        /// The state of the message.
        message_state: MessageState = Octet("message_state");
        /// The network's error, or 0.
        error_code: u8 = Octet("error_code");
        /// Optional parameters, of which the specification has none here.
        tlvs: Tlvs<'a> = TlvsLayout;
    }
}

operation! {
    /// cancel_sm (section 4.9.1).
    request CancelSm = CANCEL_SM {
        /// The application service.
        service_type: &'a [u8] = CString::lenient("service_type");
        /// The message, as the SMSC named it: empty to cancel all between two addresses.
        message_id: &'a [u8] = CString::lenient("message_id");
        /// Who the message was from.
        source: Address<'a> = AddressLayout::source(ADDRESS_MAX);
        /// Who the message was for.
        destination: Address<'a> = AddressLayout::destination(ADDRESS_MAX);
        /// Optional parameters, of which the specification has none here.
        tlvs: Tlvs<'a> = TlvsLayout;
    }
}

operation! {
    /// replace_sm (section 4.10.1).
    request ReplaceSm = REPLACE_SM {
        /// The message, as the SMSC named it.
        message_id: &'a [u8] = CString::lenient("message_id");
        /// Who the message was from.
        source: Address<'a> = AddressLayout::source(ADDRESS_MAX);
        /// When to send: empty for no change, else 16 characters.
        schedule_delivery_time: &'a [u8] = Time("schedule_delivery_time");
        /// How long to try: empty for no change.
        validity_period: &'a [u8] = CString::lenient("validity_period");
        /// Which receipts are asked for.
        registered_delivery: u8 = Octet("registered_delivery");
        /// A message that the SMSC holds: 0 for none.
        sm_default_msg_id: u8 = Octet("sm_default_msg_id");
        /// The new user data.
        short_message: &'a [u8] = ShortMessage { max: SHORT_MESSAGE_MAX };
        /// Optional parameters. The specification has none here, but an SMSC may read a message_payload.
        tlvs: Tlvs<'a> = TlvsLayout;
    }
}
