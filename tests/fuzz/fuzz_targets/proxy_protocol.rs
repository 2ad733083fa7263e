//! PROXY protocol headers: a whole one lies within what was read, a partial one wants more, and never too much.

#![no_main]

use libfuzzer_sys::fuzz_target;
use smppolicy::relay::proxy_protocol::{MAX_V2, Parsed, parse};

fuzz_target!(|octets: &[u8]| match parse(octets) {
    Ok(Parsed::Whole(header)) => assert!(header.length <= octets.len()),
    Ok(Parsed::Partial(needed)) => assert!(needed > octets.len() && needed <= MAX_V2),
    Err(_) => {}
});
