//! bind_transmitter, bind_receiver, bind_transceiver with their responses, and outbind (section 4.1).

use super::layout::{AddressLayout, CString, Layout, Octet, Parse, Writer};
use super::operation::operation;
use super::tlv::TlvsLayout;
use super::{Address, Malformed, Tlvs};

/// The longest `system_id`, in octets (section 5.2.1).
const SYSTEM_ID_MAX: usize = 15;

/// A password as sent. Never printed.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Password<'a>(pub &'a [u8]);

impl std::fmt::Debug for Password<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(..)")
    }
}

/// `password` (section 5.2.2), of any length: the SMSC judges it.
#[derive(Clone, Copy)]
struct PasswordLayout;

impl<'a> Layout<'a, Password<'a>> for PasswordLayout {
    fn read(self, input: &'a [u8]) -> Parse<'a, Password<'a>> {
        let (rest, octets) = CString::lenient("password").read(input)?;
        Ok((rest, Password(octets)))
    }

    fn write(self, value: Password<'a>, out: &mut Writer<'_>) -> Result<(), Malformed> {
        CString::lenient("password").write(value.0, out)
    }
}

operation! {
    /// The body of all three binds (sections 4.1.1, 4.1.3, 4.1.5).
    request Bind {
        /// Who binds.
        system_id: &'a [u8] = CString::up_to("system_id", SYSTEM_ID_MAX);
        /// What proves it.
        password: Password<'a> = PasswordLayout;
        /// The kind of system.
        system_type: &'a [u8] = CString::lenient("system_type");
        /// The SMPP version of the ESME: 0x34 for 3.4.
        interface_version: u8 = Octet("interface_version");
        /// The addresses that are served, as a pattern in `digits`.
        address_range: Address<'a> = AddressLayout::RANGE;
        /// Optional parameters, of which the specification has none here.
        tlvs: Tlvs<'a> = TlvsLayout;
    }
}

operation! {
    /// The body of all three bind responses (sections 4.1.2, 4.1.4, 4.1.6).
    response BindResp {
        /// Who the SMSC is.
        system_id: &'a [u8] = CString::lenient("system_id");
        /// Optional parameters: SC_interface_version.
        tlvs: Tlvs<'a> = TlvsLayout;
    }
}

operation! {
    /// outbind (section 4.1.7).
    request Outbind = OUTBIND {
        /// Who the SMSC is.
        system_id: &'a [u8] = CString::up_to("system_id", SYSTEM_ID_MAX);
        /// What proves it.
        password: Password<'a> = PasswordLayout;
        /// Optional parameters, of which the specification has none here.
        tlvs: Tlvs<'a> = TlvsLayout;
    }
}
