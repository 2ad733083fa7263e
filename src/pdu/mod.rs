//! SMPP 3.4 on the wire: frames, commands, statuses, and borrowed views of every operation's body.
//!
//! A frame is a slice of the read buffer; a view borrows from the frame. There is no owned twin of any PDU.
//! Every view has `decode`, which takes the whole body or refuses it as [`Malformed`], and `encode`, which writes what
//! `decode` would give back: a view with some fields replaced is how a PDU is rewritten. What passes in any case is read
//! by [`observed`]. unbind, enquire_link, their responses, cancel_sm_resp, replace_sm_resp and generic_nack have no body:
//! see [`header_only`].
//! Nothing here does I/O, knows a policy, or imports another module of this crate. No input can make it panic.
//! Section numbers are those of the SMPP Protocol Specification v3.4, Issue 1.2.

mod alert;
mod ancillary;
mod bind;
mod codec;
mod codes;
mod command;
mod data_sm;
mod deliver_sm;
mod frame;
mod items;
mod layout;
mod malformed;
mod operation;
mod submit_multi;
mod submit_sm;
pub mod time;
mod tlv;
pub mod udh;
mod values;

#[cfg(test)]
mod tests;

pub use alert::AlertNotification;
pub use ancillary::{CancelSm, QuerySm, QuerySmResp, ReplaceSm};
pub use bind::{Bind, BindResp, Outbind, Password};
pub use codec::{FrameCodec, FrameError};
pub use command::{CommandId, CommandStatus};
pub use data_sm::{DataSm, DataSmResp};
pub use deliver_sm::{DeliverSm, DeliverSmResp};
pub use frame::{BadLength, Frame, HEADER_LEN, Header, Parsed, SequenceNumber, header_only, next_frame};
pub use malformed::{Fault, Malformed};
pub use submit_multi::{Destination, Destinations, SubmitMulti, SubmitMultiResp, Unsuccess, Unsuccesses};
pub use submit_sm::{SubmitSm, SubmitSmResp};
pub use tlv::{Tlv, TlvTag, Tlvs, observed};
pub use values::{Address, DataCoding, EsmClass, MessageState, Npi, Ton};
