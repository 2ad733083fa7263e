//! data_sm and data_sm_resp (section 4.7).

use super::layout::{AddressLayout, CString, Octet};
use super::operation::operation;
use super::tlv::TlvsLayout;
use super::{Address, DataCoding, EsmClass, Tlvs};

/// The longest address of data_sm, in octets: longer than everywhere else.
const ADDRESS_MAX: usize = 64;

operation! {
    /// data_sm (section 4.7.1). Its user data is the message_payload parameter.
    request DataSm = DATA_SM {
        /// The application service.
        service_type: &'a [u8] = CString::lenient("service_type");
        /// Who the message is from.
        source: Address<'a> = AddressLayout::source(ADDRESS_MAX);
        /// Who the message is for.
        destination: Address<'a> = AddressLayout::destination(ADDRESS_MAX);
        /// Mode, type and features.
        esm_class: EsmClass = Octet("esm_class");
        /// Which receipts are asked for.
        registered_delivery: u8 = Octet("registered_delivery");
        /// Encoding of the user data.
        data_coding: DataCoding = Octet("data_coding");
        /// Optional parameters, with the user data among them.
        tlvs: Tlvs<'a> = TlvsLayout;
    }
}

operation! {
    /// data_sm_resp (section 4.7.2).
    response DataSmResp = DATA_SM_RESP {
        /// The SMSC's name for the message: opaque text of any length.
        message_id: &'a [u8] = CString::lenient("message_id");
        /// Optional parameters: why a delivery failed.
        tlvs: Tlvs<'a> = TlvsLayout;
    }
}
