//! Score models: octets as they come, and a whole file around a header of the fuzzer's making, with a checksum that fits.
//! What is a model is written back octet for octet or as an equal one, and scores within 0 and 1.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};
use smppolicy::policy::score::Model;

const WEIGHTS: usize = 1 << 17;

fuzz_target!(|input: (&[u8], [u8; 12], &str)| {
    let (octets, numbers, summary) = input;
    let _ = judge(octets);
    let length = u32::try_from(summary.len()).expect("fuzzed texts are short").to_be_bytes();
    let start = [b"smpscore\0\x01\x11\x03\x05\x02", &numbers[..], &length, summary.as_bytes()].concat();
    let weights = octets.iter().chain(&[7]).copied().cycle().take(WEIGHTS);
    let mut whole: Vec<u8> = start.into_iter().chain(weights).collect();
    let checksum = Sha256::digest(&whole);
    whole.extend(checksum);
    if let Some(model) = judge(&whole) {
        let again = Model::parse(&model.to_bytes(), "again").expect("what was written can be read");
        assert_eq!(again.to_bytes(), model.to_bytes());
        assert!((0.0..=1.0).contains(&model.score(summary)));
    }
});

fn judge(octets: &[u8]) -> Option<Model> {
    match Model::parse(octets, "fuzz.model") {
        Ok(model) => Some(model),
        Err(fault) => {
            assert!(fault.offset <= octets.len() && fault.to_string().starts_with("fuzz.model: octet "));
            None
        }
    }
}
