//! Replies in any text and in any deliver_sm or data_sm: no panic, and a name is one of the senders.

#![no_main]

use libfuzzer_sys::fuzz_target;
use smppolicy::pdu::{CommandId, CommandStatus, Frame, SequenceNumber, header_only};
use smppolicy::policy::replies::{Replies, Reply, Scope, name, of_text};
use smppolicy::text::DefaultAlphabet;

fuzz_target!(|input: (bool, &str, &[u8])| {
    let (data_sm, text, body) = input;
    let is_sender = |sender: &str| sender.len() < 4;
    match of_text(text, &is_sender) {
        Reply::OptOut(Scope::Sender(sender)) | Reply::OptIn { scope: Scope::Sender(sender), .. } => {
            assert!(is_sender(&sender) && name(&sender) == sender);
        }
        _ => {}
    }
    let id = if data_sm { CommandId::DATA_SM } else { CommandId::DELIVER_SM };
    let mut pdu = header_only(id, CommandStatus::ESME_ROK, SequenceNumber(1)).to_vec();
    pdu.extend_from_slice(body);
    let length = u32::try_from(pdu.len()).expect("fuzzed bodies are short").to_be_bytes();
    pdu[..4].copy_from_slice(&length);
    let frame = Frame::from_bytes(&pdu).expect("one frame");
    let _ = Replies::default().of_frame(frame, DefaultAlphabet::Gsm, &is_sender);
});
