//! Why a body cannot be read, and the status that answers it. Never a policy's opinion: only what breaks the layout.

use super::CommandStatus;

/// A body that does not follow its operation's layout, or a view that cannot be written as one. The session lives:
/// the operation is answered with [`status`](Malformed::status) and goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} at octet {offset} {fault}")]
pub struct Malformed {
    /// The specification's name of the field.
    pub field: &'static str,
    /// What is wrong with it.
    pub fault: Fault,
    /// Where the field begins, in octets from the start of the PDU (of the user data, for a UDH).
    pub offset: usize,
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The PDU ends before or inside the field.
    #[error("is cut off: send the whole field, or a command_length that fits")]
    Truncated,
    /// A C-octet string without its NUL.
    #[error("has no closing NUL: end it with one")]
    Unterminated,
    /// More octets than the field may hold, the NUL not counted.
    #[error("is too long: send at most {max} octets")]
    TooLong {
        /// The most octets that are accepted.
        max: usize,
    },
    /// A time that is neither empty nor the fixed length.
    #[error("has {found} octets: send none, or the 16 of YYMMDDhhmmsstnnp")]
    TimeLength {
        /// The octets before the NUL.
        found: usize,
    },
    /// A number that the layout does not allow.
    #[error("is {found}: send a value that the specification allows")]
    Value {
        /// The number as sent.
        found: usize,
    },
    /// A NUL inside what is to be written as a C-octet string.
    #[error("holds a NUL: leave it out")]
    EmbeddedNul,
}

impl Malformed {
    /// The status that answers a request with this fault (section 5.1.3).
    pub fn status(&self) -> CommandStatus {
        match (self.field, self.fault) {
            ("sm_length" | "user_data_header", _) => CommandStatus::ESME_RINVMSGLEN,
            ("tlv", _) => CommandStatus::ESME_RINVOPTPARSTREAM,
            ("number_of_dests", Fault::Value { .. }) => CommandStatus::ESME_RINVNUMDESTS,
            ("dest_flag", Fault::Value { .. }) => CommandStatus::ESME_RINVDESTFLAG,
            ("schedule_delivery_time", Fault::TimeLength { .. }) => CommandStatus::ESME_RINVSCHED,
            ("source_addr", Fault::TooLong { .. }) => CommandStatus::ESME_RINVSRCADR,
            ("destination_addr", Fault::TooLong { .. }) => CommandStatus::ESME_RINVDSTADR,
            ("system_id", Fault::TooLong { .. }) => CommandStatus::ESME_RINVSYSID,
            ("dl_name", Fault::TooLong { .. }) => CommandStatus::ESME_RINVDLNAME,
            (_, Fault::TooLong { .. }) => CommandStatus::ESME_RINVPARLEN,
            _ => CommandStatus::ESME_RINVCMDLEN,
        }
    }
}
