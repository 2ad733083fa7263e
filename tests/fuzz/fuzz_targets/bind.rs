//! Binds and outbind.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use smppolicy::pdu::{Bind, BindResp, CommandId, CommandStatus, Frame, HEADER_LEN};

fuzz_target!(|body: &[u8]| {
    smppolicy_fuzz::requests!(body, Outbind);
    let bytes = smppolicy_fuzz::pdu(body);
    let frame = Frame::from_bytes(&bytes).expect("one frame");
    let (command, sequence, mut out) = (CommandId::BIND_TRANSCEIVER, frame.sequence_number(), BytesMut::new());
    if let Ok(bind) = Bind::decode(frame) {
        bind.encode(command, sequence, &mut out).expect("what was read can be written");
        assert_eq!(out[HEADER_LEN..], *body);
        out.clear();
    }
    if let Ok(resp) = BindResp::decode(frame) {
        resp.encode(command, CommandStatus::ESME_ROK, sequence, &mut out).expect("what was read can be written");
        assert_eq!(BindResp::decode(Frame::from_bytes(&out).expect("one frame")), Ok(resp));
    }
});
