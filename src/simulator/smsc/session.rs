//! The requests of one connection and their answers. No sockets: octets in, octets out.

use std::{sync::Arc, time::SystemTime};

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::{
    Counts, Receiver, Shared,
    delivery::{self, Message},
    messages::MessageId,
};
use crate::{
    pdu::{
        Bind, BindResp, CancelSm, CommandId, CommandStatus, DataSm, DataSmResp, Destination, Frame, HEADER_LEN,
        Malformed, MessageState, Parsed, QuerySm, QuerySmResp, ReplaceSm, SequenceNumber, SubmitMulti, SubmitMultiResp,
        SubmitSm, SubmitSmResp, Tlv, TlvTag, Tlvs, header_only, next_frame,
    },
    simulator::{link::MAX_FRAME, random},
};

/// The version that the SMSC speaks, as `interface_version` and `SC_interface_version` have it.
const VERSION: u8 = 0x34;
/// Bursts of receipts and MO messages that may wait for a receiver bind.
const QUEUE: usize = 64;

/// Whether the connection goes on after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Continue,
    Close,
}

pub(super) struct Session {
    shared: Arc<Shared>,
    connection: u64,
    bound: Option<CommandId>,
    system_id: Vec<u8>,
    sequence: u32,
    counts: Counts,
    /// Receipts and MO messages for this bind, gathered over a burst.
    here: BytesMut,
    /// Receipts and MO messages for another bind of the same system_id, gathered over a burst.
    elsewhere: BytesMut,
    elsewhere_count: u64,
    queue: mpsc::Sender<Bytes>,
}

impl Session {
    /// A session, and the queue of what other connections have for it.
    pub(super) fn new(connection: u64, shared: Arc<Shared>) -> (Self, mpsc::Receiver<Bytes>) {
        let (queue, inbox) = mpsc::channel(QUEUE);
        let session = Self {
            shared,
            connection,
            bound: None,
            system_id: Vec::new(),
            sequence: 0,
            counts: Counts::default(),
            here: BytesMut::new(),
            elsewhere: BytesMut::new(),
            elsewhere_count: 0,
            queue,
        };
        (session, inbox)
    }

    /// Whether the answer to this goes out at once, whatever delay is set: what keeps a link up must not wait.
    pub(super) fn is_prompt(id: CommandId) -> bool {
        id.is_bind() || id.is_response() || id == CommandId::ENQUIRE_LINK
    }

    /// Puts the answer to `frame` behind `out`.
    pub(super) fn answer(&mut self, frame: Frame<'_>, out: &mut BytesMut) -> Flow {
        let id = frame.command_id();
        match id {
            CommandId::SUBMIT_SM | CommandId::DATA_SM | CommandId::SUBMIT_MULTI => self.message(frame, out),
            CommandId::ENQUIRE_LINK => bare(frame, CommandStatus::ESME_ROK, out),
            CommandId::DELIVER_SM_RESP | CommandId::DATA_SM_RESP => self.counts.acknowledged += 1,
            CommandId::QUERY_SM | CommandId::CANCEL_SM | CommandId::REPLACE_SM => self.ancillary(frame, out),
            CommandId::UNBIND => return self.unbind(frame, out),
            // Known, and only an SMSC's to send.
            CommandId::DELIVER_SM => bare(frame, CommandStatus::ESME_RINVBNDSTS, out),
            _ if id.is_bind() => self.bind(frame, out),
            _ if id.is_response() => {}
            _ => nack(CommandStatus::ESME_RINVCMDID, frame.sequence_number(), out),
        }
        Flow::Continue
    }

    /// Ends a burst: puts what it gathered for this bind behind `deliveries`, hands over the rest, and counts what it did.
    pub(super) fn end_burst(&mut self, outstanding: u64, deliveries: &mut BytesMut) {
        deliveries.extend_from_slice(&self.here);
        self.here.clear();
        if !self.elsewhere.is_empty() {
            let batch = self.elsewhere.split().freeze();
            let receivers = self.shared.receivers();
            let mut binds = receivers.get(&self.system_id).into_iter().flatten();
            if !binds.any(|bind| bind.queue.try_send(batch.clone()).is_ok()) {
                self.counts.undelivered += self.elsewhere_count;
            }
            self.elsewhere_count = 0;
        }
        self.counts.peak_outstanding = outstanding;
        let counts = std::mem::take(&mut self.counts);
        if counts != Counts::default() {
            self.shared.count(counts);
        }
    }

    /// Puts a burst of deliver_sm that another connection made behind `out`, under sequence numbers of this one.
    pub(super) fn forward(&mut self, batch: &[u8], out: &mut BytesMut) {
        let mut rest = batch;
        while let Ok(Parsed::Whole(frame)) = next_frame(rest, MAX_FRAME) {
            let header = header_only(frame.command_id(), frame.command_status(), self.next_sequence());
            out.extend_from_slice(frame.bytes().get(..4).unwrap_or_default());
            out.extend_from_slice(header.get(4..).unwrap_or_default());
            out.extend_from_slice(frame.body());
            rest = rest.get(frame.bytes().len()..).unwrap_or_default();
        }
    }

    fn next_sequence(&mut self) -> SequenceNumber {
        self.sequence = if self.sequence >= 0x7FFF_FFFF { 1 } else { self.sequence + 1 };
        SequenceNumber(self.sequence)
    }

    fn receives(&self) -> bool {
        matches!(self.bound, Some(CommandId::BIND_RECEIVER | CommandId::BIND_TRANSCEIVER))
    }

    fn submits(&self) -> bool {
        matches!(self.bound, Some(CommandId::BIND_TRANSMITTER | CommandId::BIND_TRANSCEIVER))
    }

    fn bind(&mut self, frame: Frame<'_>, out: &mut BytesMut) {
        if self.bound.is_some() {
            return bare(frame, CommandStatus::ESME_RALYBND, out);
        }
        let bind = match Bind::decode(frame) {
            Ok(bind) => bind,
            Err(malformed) => return bare(frame, malformed.status(), out),
        };
        let mut list = BytesMut::new();
        let version = Tlv { tag: TlvTag::SC_INTERFACE_VERSION, value: &[VERSION] };
        // SMPP 3.3 and before know no optional parameters.
        let tlvs = (bind.interface_version >= VERSION).then_some(version);
        let tlvs = Tlvs::build(tlvs, &mut list).unwrap_or_default();
        let response = BindResp { system_id: self.shared.options.system_id.as_bytes(), tlvs };
        if response.encode(frame.command_id(), CommandStatus::ESME_ROK, frame.sequence_number(), out).is_err() {
            return bare(frame, CommandStatus::ESME_RSYSERR, out);
        }
        self.bound = Some(frame.command_id());
        self.system_id = bind.system_id.to_vec();
        self.counts.binds += 1;
        if self.receives() {
            let receiver = Receiver { connection: self.connection, queue: self.queue.clone() };
            self.shared.receivers().entry(self.system_id.clone()).or_default().push(receiver);
        }
    }

    fn unbind(&mut self, frame: Frame<'_>, out: &mut BytesMut) -> Flow {
        if self.bound.is_none() {
            bare(frame, CommandStatus::ESME_RINVBNDSTS, out);
            return Flow::Continue;
        }
        self.forget();
        self.bound = None;
        self.counts.unbinds += 1;
        bare(frame, CommandStatus::ESME_ROK, out);
        Flow::Close
    }

    fn forget(&self) {
        if !self.receives() {
            return;
        }
        let mut receivers = self.shared.receivers();
        if let Some(binds) = receivers.get_mut(&self.system_id) {
            binds.retain(|bind| bind.connection != self.connection);
            if binds.is_empty() {
                receivers.remove(&self.system_id);
            }
        }
    }

    fn message(&mut self, frame: Frame<'_>, out: &mut BytesMut) {
        if !self.submits() {
            return bare(frame, CommandStatus::ESME_RINVBNDSTS, out);
        }
        if let Some(tap) = &self.shared.options.tap {
            // A full queue is the listener's loss, as the option says.
            let _ = tap.try_send(Bytes::copy_from_slice(frame.bytes()));
        }
        if let Err(malformed) = self.judged_message(frame, out) {
            self.counts.malformed += 1;
            bare(frame, malformed.status(), out);
        }
    }

    fn judged_message(&mut self, frame: Frame<'_>, out: &mut BytesMut) -> Result<(), Malformed> {
        match frame.command_id() {
            CommandId::SUBMIT_SM => {
                let submit = SubmitSm::decode(frame)?;
                let Some(id) = self.admit(frame, out) else { return Ok(()) };
                let response = SubmitSmResp { message_id: &id.text(), ..SubmitSmResp::default() };
                response.encode(CommandStatus::ESME_ROK, frame.sequence_number(), out)?;
                self.take(id, Message::from(&submit));
            }
            CommandId::DATA_SM => {
                let data = DataSm::decode(frame)?;
                let Some(id) = self.admit(frame, out) else { return Ok(()) };
                let response = DataSmResp { message_id: &id.text(), ..DataSmResp::default() };
                response.encode(CommandStatus::ESME_ROK, frame.sequence_number(), out)?;
                let message = Message {
                    source: data.source,
                    destination: data.destination,
                    registered_delivery: data.registered_delivery,
                    data_coding: data.data_coding,
                    text: data.tlvs.get(TlvTag::MESSAGE_PAYLOAD).unwrap_or_default(),
                };
                self.take(id, message);
            }
            _ => self.multi(frame, out)?,
        }
        Ok(())
    }

    fn multi(&mut self, frame: Frame<'_>, out: &mut BytesMut) -> Result<(), Malformed> {
        let multi = SubmitMulti::decode(frame)?;
        let Some(id) = self.admit(frame, out) else { return Ok(()) };
        let response = SubmitMultiResp { message_id: &id.text(), ..SubmitMultiResp::default() };
        response.encode(CommandStatus::ESME_ROK, frame.sequence_number(), out)?;
        let payload = || multi.tlvs.get(TlvTag::MESSAGE_PAYLOAD).unwrap_or_default();
        let text = if multi.short_message.is_empty() { payload() } else { multi.short_message };
        for destination in multi.destinations.iter() {
            if let Destination::Sme(destination) = destination {
                let (source, data_coding) = (multi.source, multi.data_coding);
                let registered_delivery = multi.registered_delivery;
                self.take(id, Message { source, destination, registered_delivery, data_coding, text });
            }
        }
        Ok(())
    }

    /// An id for a message that is accepted; one that is not is answered.
    fn admit(&mut self, frame: Frame<'_>, out: &mut BytesMut) -> Option<MessageId> {
        if self.shared.limiter.as_ref().is_some_and(|limiter| limiter.check().is_err()) {
            self.counts.throttled += 1;
            bare(frame, CommandStatus::ESME_RTHROTTLED, out);
            return None;
        }
        let id = self.shared.messages.next();
        let options = &self.shared.options;
        if random::in_share(options.seed, id.0, options.reject_rate) {
            self.counts.rejected += 1;
            bare(frame, CommandStatus::ESME_RSUBMITFAIL, out);
            return None;
        }
        self.counts.accepted += 1;
        Some(id)
    }

    /// Remembers an accepted message, and sends what it asks for.
    fn take(&mut self, id: MessageId, message: Message<'_>) {
        let receipt = self.shared.options.receipts && message.wants_receipt();
        self.shared.messages.remember(id, message.source, if receipt { now() } else { 0 });
        if receipt {
            self.counts.receipts += 1;
            self.deliver(|sequence, out| delivery::receipt(id, &message, Timestamp::now(), sequence, out));
        }
        if let Some(text) = message.echo() {
            self.counts.mobile_originated += 1;
            self.deliver(|sequence, out| delivery::mobile_originated(text, &message, sequence, out));
        }
    }

    /// Gathers a deliver_sm for this bind if it receives, else on another of the same system_id.
    fn deliver(&mut self, write: impl FnOnce(SequenceNumber, &mut BytesMut) -> bool) {
        let written = if self.receives() {
            write(self.next_sequence(), &mut self.here)
        } else {
            self.elsewhere_count += 1;
            write(SequenceNumber(0), &mut self.elsewhere)
        };
        if !written {
            self.counts.undelivered += 1;
        }
    }

    fn ancillary(&mut self, frame: Frame<'_>, out: &mut BytesMut) {
        // replace_sm and its kin belong to transmitters, and in the field to transceivers too.
        if !self.submits() {
            return bare(frame, CommandStatus::ESME_RINVBNDSTS, out);
        }
        let answered = match frame.command_id() {
            CommandId::QUERY_SM => QuerySm::decode(frame).and_then(|query| self.query(&query, frame, out)),
            CommandId::CANCEL_SM => CancelSm::decode(frame).map(|cancel| {
                let deleted = self.shared.messages.delete(cancel.message_id, cancel.source, now());
                bare(frame, if deleted { CommandStatus::ESME_ROK } else { CommandStatus::ESME_RCANCELFAIL }, out);
            }),
            _ => ReplaceSm::decode(frame).map(|replace| {
                let known = self.shared.messages.find(replace.message_id, replace.source);
                let enroute = known.is_some_and(|known| known.state == MessageState::ENROUTE);
                bare(frame, if enroute { CommandStatus::ESME_ROK } else { CommandStatus::ESME_RREPLACEFAIL }, out);
            }),
        };
        if let Err(malformed) = answered {
            self.counts.malformed += 1;
            bare(frame, malformed.status(), out);
        }
    }

    fn query(&self, query: &QuerySm<'_>, frame: Frame<'_>, out: &mut BytesMut) -> Result<(), Malformed> {
        let Some(known) = self.shared.messages.find(query.message_id, query.source) else {
            bare(frame, CommandStatus::ESME_RQUERYFAIL, out);
            return Ok(());
        };
        let finished = i64::try_from(known.finished).ok().filter(|seconds| *seconds > 0);
        let date = finished.and_then(|seconds| Timestamp::from_second(seconds).ok());
        // Absolute time in UTC, tenths of a second and quarter hours of difference zero (section 7.1.1).
        let date = date.map(|date| date.strftime("%y%m%d%H%M%S000+").to_string()).unwrap_or_default();
        let response = QuerySmResp {
            message_id: query.message_id,
            final_date: date.as_bytes(),
            message_state: known.state,
            ..QuerySmResp::default()
        };
        response.encode(CommandStatus::ESME_ROK, frame.sequence_number(), out)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.forget();
    }
}

fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map(|since| since.as_secs()).unwrap_or_default()
}

fn bare(frame: Frame<'_>, status: CommandStatus, out: &mut BytesMut) {
    let pdu: [u8; HEADER_LEN] = header_only(frame.command_id().response(), status, frame.sequence_number());
    out.extend_from_slice(&pdu);
}

/// Puts a generic_nack behind `out`.
pub(super) fn nack(status: CommandStatus, sequence: SequenceNumber, out: &mut BytesMut) {
    out.extend_from_slice(&header_only(CommandId::GENERIC_NACK, status, sequence));
}
