//! Configurations: any text is one, or has faults, each with its place.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use smppolicy::config::Config;

fuzz_target!(|text: &str| {
    if let Err(faults) = Config::parse(text, "fuzz.toml", Path::new("/nonexistent")) {
        assert!(faults.iter().len() > 0);
        assert!(faults.to_string().lines().all(|line| line.starts_with("fuzz.toml")));
    }
});
