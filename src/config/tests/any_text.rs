//! No text whatever makes reading panic, and no fault is out of its place.

use proptest::prelude::*;

use super::*;

/// Every fault lies within the text, and its line can be found by grep.
fn assert_sane(text: &str) {
    if let Err(faults) = parse(text) {
        assert!(faults.iter().len() > 0);
        for fault in faults.iter() {
            let position = fault.position.unwrap();
            assert!(position.line <= text.split('\n').count() && position.column > 0, "{fault:?}");
        }
        assert_eq!(faults.to_string().lines().count(), faults.iter().len(), "{faults}");
        assert!(!faults.snippets().is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_text_panics(text in any::<String>()) {
        assert_sane(&text);
    }

    #[test]
    fn no_toml_like_text_panics(text in "([a-z_.]{1,9} ?= ?|\\[\\[?[a-z.]{1,9}\\]\\]?|['\"]{1,3}|[0-9.:TZ-]{1,12}|[{},\n# \\\\éa-z0-9]){0,40}") {
        assert_sane(&text);
    }

    #[test]
    fn no_edit_of_a_good_file_panics(at in 0..SHIPPED.len(), cut in 0..40usize, with in "[\\PC\n]{0,6}") {
        let mut text = SHIPPED.to_owned();
        text.replace_range(at..(at + cut).min(SHIPPED.len()), &with);
        assert_sane(&text);
    }
}
