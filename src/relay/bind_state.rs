//! What a bound ESME may ask for (section 2.3, table 2-1), and where deployed peers are allowed more.

use crate::pdu::CommandId;

/// The state of a bound session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BindState {
    /// Bound by bind_transmitter.
    Transmitter,
    /// Bound by bind_receiver.
    Receiver,
    /// Bound by bind_transceiver.
    Transceiver,
}

impl BindState {
    /// Every one.
    pub(super) const ALL: [Self; 3] = [Self::Transmitter, Self::Receiver, Self::Transceiver];

    /// The state that this bind leads to.
    pub(crate) fn from_bind(bind: CommandId) -> Option<Self> {
        match bind {
            CommandId::BIND_TRANSMITTER => Some(Self::Transmitter),
            CommandId::BIND_RECEIVER => Some(Self::Receiver),
            CommandId::BIND_TRANSCEIVER => Some(Self::Transceiver),
            _ => None,
        }
    }

    /// Whether the ESME may send this request in this state. Relaxation: the table has replace_sm for transmitters only;
    /// SMPP 5.0 and deployed SMSCs take it from transceivers too.
    pub(crate) fn allows(self, request: CommandId) -> bool {
        match request {
            CommandId::SUBMIT_SM
            | CommandId::SUBMIT_MULTI
            | CommandId::QUERY_SM
            | CommandId::CANCEL_SM
            | CommandId::REPLACE_SM => self != Self::Receiver,
            CommandId::DATA_SM | CommandId::UNBIND | CommandId::ENQUIRE_LINK => true,
            _ => false,
        }
    }

    /// The name in records.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Transmitter => "transmitter",
            Self::Receiver => "receiver",
            Self::Transceiver => "transceiver",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_2_1() {
        use BindState::{Receiver, Transceiver, Transmitter};
        for (request, transmitter, receiver, transceiver) in [
            (CommandId::SUBMIT_SM, true, false, true),
            (CommandId::SUBMIT_MULTI, true, false, true),
            (CommandId::DATA_SM, true, true, true),
            (CommandId::QUERY_SM, true, false, true),
            (CommandId::CANCEL_SM, true, false, true),
            (CommandId::REPLACE_SM, true, false, true),
            (CommandId::UNBIND, true, true, true),
            (CommandId::DELIVER_SM, false, false, false),
            (CommandId::BIND_RECEIVER, false, false, false),
        ] {
            let allowed = [Transmitter, Receiver, Transceiver].map(|state| state.allows(request));
            assert_eq!(allowed, [transmitter, receiver, transceiver], "{request}");
        }
    }
}
