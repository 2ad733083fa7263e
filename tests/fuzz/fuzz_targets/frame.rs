//! Frames: a stream is cut into whole PDUs within the limit, or refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use smppolicy::pdu::{HEADER_LEN, Parsed, next_frame};

const MAX: usize = 4096;

fuzz_target!(|stream: &[u8]| {
    let mut rest = stream;
    while let Ok(parsed) = next_frame(rest, MAX) {
        match parsed {
            Parsed::Whole(frame) => {
                let length = frame.bytes().len();
                assert!((HEADER_LEN..=MAX).contains(&length));
                assert_eq!(frame.body().len(), length - HEADER_LEN);
                rest = &rest[length..];
            }
            Parsed::Partial(needed) => {
                assert!(needed > rest.len() && needed <= MAX);
                break;
            }
        }
    }
});
