//! One entry: a message to one recipient, or the SMSC's answer; as octets and as a value.

use crate::audit::{NumberHash, NumberKey, TextHash};
use crate::pdu::{CommandId, CommandStatus};
use crate::reference::Ref;

/// A message that was relayed, to one of its recipients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relayed {
    /// Its name, and when it was relayed. The messages of one PDU with several recipients share it.
    pub reference: Ref,
    /// The account's system_id.
    pub account: String,
    /// The campaign that it belongs to, if it is known.
    pub campaign: Option<String>,
    /// The sender ID as sent.
    pub sender: Vec<u8>,
    /// The operation.
    pub operation: CommandId,
    /// The recipient; none if the PDU names none, as replace_sm, or a distribution list.
    pub recipient: Option<NumberHash>,
    /// What it says; none if it has no text.
    pub text: Option<TextHash>,
    /// Messages of the network that it takes.
    pub segments: u16,
    /// What the SMSC answered, as far as is known.
    pub answer: Option<Answer>,
}

/// What the SMSC answered to a PDU. A submit_multi's failed destinations are in its body, which is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Accepted, or why not.
    pub status: CommandStatus,
    /// The SMSC's name for the message; empty if it gave none.
    pub message_id: Vec<u8>,
}

/// An entry where it lies in its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry<'a> {
    Message(Message<'a>),
    Answer { reference: Ref, account: &'a [u8], status: CommandStatus, message_id: &'a [u8] },
}

/// See [`Relayed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) reference: Ref,
    pub(super) account: &'a [u8],
    /// Empty: none.
    pub(super) campaign: &'a [u8],
    pub(super) sender: &'a [u8],
    pub(super) operation: CommandId,
    pub(super) recipient: Option<NumberHash>,
    pub(super) text: Option<TextHash>,
    pub(super) segments: u16,
}

const MESSAGE: u8 = 1;
const ANSWER: u8 = 2;
const RECIPIENT: u8 = 1;
const TEXT: u8 = 2;

impl Entry<'_> {
    /// Appends its octets.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Message(message) => {
                let flags = if message.recipient.is_some() { RECIPIENT } else { 0 }
                    | if message.text.is_some() { TEXT } else { 0 };
                out.extend_from_slice(&[MESSAGE, flags]);
                out.extend_from_slice(&message.reference.to_octets());
                out.extend_from_slice(&(message.operation.0 as u16).to_be_bytes());
                out.extend_from_slice(&message.segments.to_be_bytes());
                [message.account, message.campaign, message.sender].into_iter().for_each(|text| write_short(text, out));
                message.recipient.iter().for_each(|hash| out.extend_from_slice(&hash.to_octets()));
                message.text.iter().for_each(|hash| out.extend_from_slice(&hash.to_octets()));
            }
            Self::Answer { reference, account, status, message_id } => {
                out.push(ANSWER);
                out.extend_from_slice(&reference.to_octets());
                out.extend_from_slice(&status.0.to_be_bytes());
                [account, message_id].into_iter().for_each(|text| write_short(text, out));
            }
        }
    }
}

impl<'a> Entry<'a> {
    /// Takes the first entry off the octets; none if they are no entry.
    pub(super) fn read(from: &mut &'a [u8]) -> Option<Self> {
        let [kind] = take(from)?;
        match kind {
            MESSAGE => {
                let [flags] = take(from)?;
                let reference = Ref::from_octets(take(from)?);
                let operation = CommandId(u16::from_be_bytes(take(from)?).into());
                let segments = u16::from_be_bytes(take(from)?);
                let (account, campaign, sender) = (read_short(from)?, read_short(from)?, read_short(from)?);
                let recipient = if flags & RECIPIENT != 0 { Some(NumberHash::from_octets(take(from)?)) } else { None };
                let text = if flags & TEXT != 0 { Some(TextHash::from_octets(take(from)?)) } else { None };
                let message = Message { reference, account, campaign, sender, operation, recipient, text, segments };
                Some(Self::Message(message))
            }
            ANSWER => {
                let reference = Ref::from_octets(take(from)?);
                let status = CommandStatus(u32::from_be_bytes(take(from)?));
                let (account, message_id) = (read_short(from)?, read_short(from)?);
                Some(Self::Answer { reference, account, status, message_id })
            }
            _ => None,
        }
    }
}

impl Message<'_> {
    /// The value, without its answer.
    pub(super) fn to_owned(self) -> Relayed {
        let text = |octets| String::from_utf8_lossy(octets).into_owned();
        Relayed {
            reference: self.reference,
            account: text(self.account),
            campaign: (!self.campaign.is_empty()).then(|| text(self.campaign)),
            sender: self.sender.to_vec(),
            operation: self.operation,
            recipient: self.recipient,
            text: self.text,
            segments: self.segments,
            answer: None,
        }
    }
}

/// The hash of a recipient as PDUs name it; none of an empty one.
pub(super) fn recipient(key: &NumberKey, number: &[u8]) -> Option<NumberHash> {
    (!number.is_empty()).then(|| key.hash(number))
}

/// Appends a length and so many octets: no more than 255, which is more than any field that is kept has.
pub(super) fn write_short(octets: &[u8], out: &mut Vec<u8>) {
    let kept = octets.get(..octets.len().min(255)).unwrap_or_default();
    out.push(kept.len() as u8);
    out.extend_from_slice(kept);
}

/// Takes such octets off.
pub(super) fn read_short<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let [length] = take(from)?;
    let (octets, rest) = from.split_at_checked(length.into())?;
    *from = rest;
    Some(octets)
}

/// Takes so many octets off.
pub(super) fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (octets, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(*octets)
}
