//! The one table of command ids and the one table of statuses.

use super::codes::codes;

codes! {
    /// `command_id` (section 5.1.2.1).
    CommandId: u32 {
        /// generic_nack
        GENERIC_NACK = 0x8000_0000, "generic_nack";
        /// bind_receiver
        BIND_RECEIVER = 0x0000_0001, "bind_receiver";
        /// bind_receiver_resp
        BIND_RECEIVER_RESP = 0x8000_0001, "bind_receiver_resp";
        /// bind_transmitter
        BIND_TRANSMITTER = 0x0000_0002, "bind_transmitter";
        /// bind_transmitter_resp
        BIND_TRANSMITTER_RESP = 0x8000_0002, "bind_transmitter_resp";
        /// query_sm
        QUERY_SM = 0x0000_0003, "query_sm";
        /// query_sm_resp
        QUERY_SM_RESP = 0x8000_0003, "query_sm_resp";
        /// submit_sm
        SUBMIT_SM = 0x0000_0004, "submit_sm";
        /// submit_sm_resp
        SUBMIT_SM_RESP = 0x8000_0004, "submit_sm_resp";
        /// deliver_sm
        DELIVER_SM = 0x0000_0005, "deliver_sm";
        /// deliver_sm_resp
        DELIVER_SM_RESP = 0x8000_0005, "deliver_sm_resp";
        /// unbind
        UNBIND = 0x0000_0006, "unbind";
        /// unbind_resp
        UNBIND_RESP = 0x8000_0006, "unbind_resp";
        /// replace_sm
        REPLACE_SM = 0x0000_0007, "replace_sm";
        /// replace_sm_resp
        REPLACE_SM_RESP = 0x8000_0007, "replace_sm_resp";
        /// cancel_sm
        CANCEL_SM = 0x0000_0008, "cancel_sm";
        /// cancel_sm_resp
        CANCEL_SM_RESP = 0x8000_0008, "cancel_sm_resp";
        /// bind_transceiver
        BIND_TRANSCEIVER = 0x0000_0009, "bind_transceiver";
        /// bind_transceiver_resp
        BIND_TRANSCEIVER_RESP = 0x8000_0009, "bind_transceiver_resp";
        /// outbind
        OUTBIND = 0x0000_000B, "outbind";
        /// enquire_link
        ENQUIRE_LINK = 0x0000_0015, "enquire_link";
        /// enquire_link_resp
        ENQUIRE_LINK_RESP = 0x8000_0015, "enquire_link_resp";
        /// submit_multi
        SUBMIT_MULTI = 0x0000_0021, "submit_multi";
        /// submit_multi_resp
        SUBMIT_MULTI_RESP = 0x8000_0021, "submit_multi_resp";
        /// alert_notification
        ALERT_NOTIFICATION = 0x0000_0102, "alert_notification";
        /// data_sm
        DATA_SM = 0x0000_0103, "data_sm";
        /// data_sm_resp
        DATA_SM_RESP = 0x8000_0103, "data_sm_resp";
    }
}

impl CommandId {
    const RESPONSE_BIT: u32 = 0x8000_0000;

    /// Whether this is a response: bit 31 is set (section 5.1.2).
    pub fn is_response(self) -> bool {
        self.0 & Self::RESPONSE_BIT != 0
    }

    /// The response that answers this request (section 5.1.2).
    pub fn response(self) -> Self {
        Self(self.0 | Self::RESPONSE_BIT)
    }

    /// The request that this response answers (section 5.1.2).
    pub fn request(self) -> Self {
        Self(self.0 & !Self::RESPONSE_BIT)
    }

    /// Whether this is one of the three binds.
    pub fn is_bind(self) -> bool {
        matches!(self, Self::BIND_RECEIVER | Self::BIND_TRANSMITTER | Self::BIND_TRANSCEIVER)
    }

    /// Whether a request of this kind carries text or a recipient towards a handset, so that it may go to the SMSC
    /// only when the policy has cleared it.
    pub fn is_judged(self) -> bool {
        matches!(self, Self::SUBMIT_SM | Self::SUBMIT_MULTI | Self::DATA_SM | Self::REPLACE_SM)
    }
}

codes! {
    /// `command_status` (section 5.1.3, table 5-2).
    CommandStatus: u32 {
        /// No error.
        ESME_ROK = 0x00, "ESME_ROK";
        /// Message length is invalid.
        ESME_RINVMSGLEN = 0x01, "ESME_RINVMSGLEN";
        /// Command length is invalid.
        ESME_RINVCMDLEN = 0x02, "ESME_RINVCMDLEN";
        /// Invalid command id.
        ESME_RINVCMDID = 0x03, "ESME_RINVCMDID";
        /// Incorrect bind status for this command.
        ESME_RINVBNDSTS = 0x04, "ESME_RINVBNDSTS";
        /// ESME already in bound state.
        ESME_RALYBND = 0x05, "ESME_RALYBND";
        /// Invalid priority flag.
        ESME_RINVPRTFLG = 0x06, "ESME_RINVPRTFLG";
        /// Invalid registered delivery flag.
        ESME_RINVREGDLVFLG = 0x07, "ESME_RINVREGDLVFLG";
        /// System error.
        ESME_RSYSERR = 0x08, "ESME_RSYSERR";
        /// Invalid source address.
        ESME_RINVSRCADR = 0x0A, "ESME_RINVSRCADR";
        /// Invalid destination address.
        ESME_RINVDSTADR = 0x0B, "ESME_RINVDSTADR";
        /// Message id is invalid.
        ESME_RINVMSGID = 0x0C, "ESME_RINVMSGID";
        /// Bind failed.
        ESME_RBINDFAIL = 0x0D, "ESME_RBINDFAIL";
        /// Invalid password.
        ESME_RINVPASWD = 0x0E, "ESME_RINVPASWD";
        /// Invalid system id.
        ESME_RINVSYSID = 0x0F, "ESME_RINVSYSID";
        /// cancel_sm failed.
        ESME_RCANCELFAIL = 0x11, "ESME_RCANCELFAIL";
        /// replace_sm failed.
        ESME_RREPLACEFAIL = 0x13, "ESME_RREPLACEFAIL";
        /// Message queue full.
        ESME_RMSGQFUL = 0x14, "ESME_RMSGQFUL";
        /// Invalid service type.
        ESME_RINVSERTYP = 0x15, "ESME_RINVSERTYP";
        /// Invalid number of destinations.
        ESME_RINVNUMDESTS = 0x33, "ESME_RINVNUMDESTS";
        /// Invalid distribution list name.
        ESME_RINVDLNAME = 0x34, "ESME_RINVDLNAME";
        /// Destination flag is invalid (submit_multi).
        ESME_RINVDESTFLAG = 0x40, "ESME_RINVDESTFLAG";
        /// submit_sm with replace_if_present is not supported or not appropriate.
        ESME_RINVSUBREP = 0x42, "ESME_RINVSUBREP";
        /// Invalid esm_class.
        ESME_RINVESMCLASS = 0x43, "ESME_RINVESMCLASS";
        /// Cannot submit to distribution list.
        ESME_RCNTSUBDL = 0x44, "ESME_RCNTSUBDL";
        /// submit_sm or submit_multi failed.
        ESME_RSUBMITFAIL = 0x45, "ESME_RSUBMITFAIL";
        /// Invalid source address TON.
        ESME_RINVSRCTON = 0x48, "ESME_RINVSRCTON";
        /// Invalid source address NPI.
        ESME_RINVSRCNPI = 0x49, "ESME_RINVSRCNPI";
        /// Invalid destination address TON.
        ESME_RINVDSTTON = 0x50, "ESME_RINVDSTTON";
        /// Invalid destination address NPI.
        ESME_RINVDSTNPI = 0x51, "ESME_RINVDSTNPI";
        /// Invalid system_type.
        ESME_RINVSYSTYP = 0x53, "ESME_RINVSYSTYP";
        /// Invalid replace_if_present flag.
        ESME_RINVREPFLAG = 0x54, "ESME_RINVREPFLAG";
        /// Invalid number of messages.
        ESME_RINVNUMMSGS = 0x55, "ESME_RINVNUMMSGS";
        /// Throttling error: the ESME has exceeded its allowed rate.
        ESME_RTHROTTLED = 0x58, "ESME_RTHROTTLED";
        /// Invalid scheduled delivery time.
        ESME_RINVSCHED = 0x61, "ESME_RINVSCHED";
        /// Invalid validity period.
        ESME_RINVEXPIRY = 0x62, "ESME_RINVEXPIRY";
        /// Predefined message is invalid or not found.
        ESME_RINVDFTMSGID = 0x63, "ESME_RINVDFTMSGID";
        /// ESME receiver temporary application error.
        ESME_RX_T_APPN = 0x64, "ESME_RX_T_APPN";
        /// ESME receiver permanent application error.
        ESME_RX_P_APPN = 0x65, "ESME_RX_P_APPN";
        /// ESME receiver reject message error.
        ESME_RX_R_APPN = 0x66, "ESME_RX_R_APPN";
        /// query_sm failed.
        ESME_RQUERYFAIL = 0x67, "ESME_RQUERYFAIL";
        /// Error in the optional part of the PDU body.
        ESME_RINVOPTPARSTREAM = 0xC0, "ESME_RINVOPTPARSTREAM";
        /// Optional parameter not allowed.
        ESME_ROPTPARNOTALLWD = 0xC1, "ESME_ROPTPARNOTALLWD";
        /// Invalid parameter length.
        ESME_RINVPARLEN = 0xC2, "ESME_RINVPARLEN";
        /// Expected optional parameter missing.
        ESME_RMISSINGOPTPARAM = 0xC3, "ESME_RMISSINGOPTPARAM";
        /// Invalid optional parameter value.
        ESME_RINVOPTPARAMVAL = 0xC4, "ESME_RINVOPTPARAMVAL";
        /// Delivery failure (data_sm_resp).
        ESME_RDELIVERYFAILURE = 0xFE, "ESME_RDELIVERYFAILURE";
        /// Unknown error.
        ESME_RUNKNOWNERR = 0xFF, "ESME_RUNKNOWNERR";
    }
}

impl CommandStatus {
    /// Whether deployed clients send the same message again when they get this status. Such a status must not answer
    /// what no retry cures: Kannel, for one, would come back for ever.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::ESME_RSYSERR | Self::ESME_RMSGQFUL | Self::ESME_RTHROTTLED | Self::ESME_RX_T_APPN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_agree() {
        for id in CommandId::ALL {
            assert_eq!(id.name().and_then(CommandId::from_name), Some(*id));
        }
        for status in CommandStatus::ALL {
            assert_eq!(status.name().and_then(CommandStatus::from_name), Some(*status));
        }
        assert_eq!(CommandId(0x0102_00FF).to_string(), "0x010200FF");
        assert_eq!(CommandStatus(0x58).to_string(), "ESME_RTHROTTLED");
        assert_eq!(CommandId::SUBMIT_SM.response(), CommandId::SUBMIT_SM_RESP);
        assert_eq!(CommandId::SUBMIT_SM_RESP.request(), CommandId::SUBMIT_SM);
    }
}
