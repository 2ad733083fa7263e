//! alert_notification (section 4.12).

use super::layout::AddressLayout;
use super::operation::operation;
use super::tlv::TlvsLayout;
use super::{Address, Tlvs};

/// The longest address of alert_notification, in octets.
const ADDRESS_MAX: usize = 64;

operation! {
    /// alert_notification (section 4.12.1): an SME that could not be reached is there again. It has no response.
    request AlertNotification = ALERT_NOTIFICATION {
        /// The SME that is there again.
        source: Address<'a> = AddressLayout::source(ADDRESS_MAX);
        /// The ESME that wanted to know.
        esme: Address<'a> = AddressLayout::esme(ADDRESS_MAX);
        /// Optional parameters: ms_availability_status.
        tlvs: Tlvs<'a> = TlvsLayout;
    }
}
