//! What the targets share: a body becomes a PDU, is read, and must be written back.

/// A PDU with that body and no meaningful header.
pub fn pdu(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).expect("fuzzed bodies are short");
    [&length.to_be_bytes(), &[0; 12][..], body].concat()
}

/// Each request that can be read is written back octet for octet.
#[macro_export]
macro_rules! requests {
    ($body:expr, $($view:ident),+) => {{
        let bytes = $crate::pdu($body);
        let frame = smppolicy::pdu::Frame::from_bytes(&bytes).expect("one frame");
        $(if let Ok(view) = smppolicy::pdu::$view::decode(frame) {
            let mut out = bytes::BytesMut::new();
            view.encode(frame.sequence_number(), &mut out).expect("what was read can be written");
            assert_eq!(&out[16..], frame.body());
        })+
    }};
}

/// Each response that can be read is written so that it reads the same; what it left out may have been filled in.
#[macro_export]
macro_rules! responses {
    ($body:expr, $($view:ident),+) => {{
        let bytes = $crate::pdu($body);
        let frame = smppolicy::pdu::Frame::from_bytes(&bytes).expect("one frame");
        $(if let Ok(view) = smppolicy::pdu::$view::decode(frame) {
            let mut out = bytes::BytesMut::new();
            let status = smppolicy::pdu::CommandStatus::ESME_ROK;
            view.encode(status, frame.sequence_number(), &mut out).expect("what was read can be written");
            let again = smppolicy::pdu::Frame::from_bytes(&out).expect("one frame");
            assert_eq!(smppolicy::pdu::$view::decode(again), Ok(view));
        })+
    }};
}
