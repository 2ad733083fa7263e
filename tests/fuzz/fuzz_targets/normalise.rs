//! Normalisation of any text: no panic, and spans that are character boundaries of the text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use smppolicy::text::Normaliser;

fuzz_target!(|text: &str| {
    let mut normaliser = Normaliser::new();
    let normal = normaliser.normalise(text);
    for view in normal.views() {
        let middle = view.text.char_indices().nth(view.text.chars().count() / 2).map_or(0, |(at, _)| at);
        for range in [0..middle, middle..view.text.len(), middle..usize::MAX] {
            let span = normal.origin(view.kind, range);
            assert!(text.get(span).is_some());
        }
    }
});
