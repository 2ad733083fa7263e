//! Reading a capture: whatever the file holds, it ends, and counts no more packets and PDUs than its octets allow. A first
//! octet of 0 stands for the header of a pcap of raw IP, so that what is behind it is looked into more often.

#![no_main]

use std::path::Path;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use smppolicy::config::Config;
use smppolicy::replay::{From, Judge, Options, Source, of_capture};

const CONFIG: &str = "
[upstream.main]
address = '127.0.0.1:2775'
[policy.brand]
mode = 'off'
[policy.media]
mode = 'off'
[policy.fraud]
mode = 'off'
[policy.content]
mode = 'off'
[policy.health]
mode = 'off'
[policy.repetition]
recipients = 1000
[journal]
acquaintances = 1024
[[account]]
system_id = 'fuzz'
default_purpose = 'marketing'
sender = [{ id = 'S' }]
";

/// The header of a pcap of raw IP, little-endian.
const HEADER: &[u8] = b"\xD4\xC3\xB2\xA1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\x04\0\x65\0\0\0";

fuzz_target!(|octets: &[u8]| {
    let file = match octets.split_first() {
        Some((0, rest)) => [HEADER, rest].concat(),
        _ => octets.to_vec(),
    };
    let config = Config::parse(CONFIG, "fuzz.toml", Path::new("/")).expect("a valid configuration");
    let judge = Judge::new(config, Source::Nothing, Vec::new()).expect("lists in order");
    let options = Options {
        port: None,
        accounts: vec![From { address: None, port: None, account: "fuzz".to_owned() }],
        examples: 1,
        show_text: true,
        max_frame: 80 * 1024,
        response_timeout: Duration::from_secs(120),
    };
    let length = file.len() as u64;
    let (captured, _broken) = of_capture(file.as_slice(), (judge, None), options, Box::new(|_| {}));
    assert!(captured.packets.packets <= length / 16);
    assert!(captured.connections.pdus <= length / 16 && captured.tally.messages <= captured.connections.pdus);
});
