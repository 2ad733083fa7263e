//! What each view has undone, and where its parts came from.

use proptest::prelude::*;

use super::*;

fn views(text: &str) -> Vec<String> {
    Normaliser::new().normalise(text).views().map(|view| view.text.to_owned()).collect()
}

fn shows(text: &str, expected: &str) {
    let views = views(text);
    assert!(views.iter().any(|view| view == expected), "{text:?} gives {views:?}");
}

#[test]
fn plain_text_has_one_view() {
    assert_eq!(views("Hello World,\r\nSEE you at 10."), ["hello world,  see you at 10."]);
    assert_eq!(views(""), [""]);
    assert_eq!(views("привет мир")[0], "привет мир");
    assert_eq!(views("I have a dog. Is it 5 or 6?").len(), 1);
}

#[test]
fn what_is_not_seen_goes() {
    for text in
        ["f\u{200B}r\u{AD}e\u{2060}e", "f\u{301}re\u{20DD}e\u{FE0F}", "fr\0ee\u{7F}\u{E0041}", "FR\u{34F}E\u{202E}E"]
    {
        assert_eq!(views(text)[0], "free");
    }
    assert_eq!(views("a\u{A0}b\u{3000}c\u{2800}d")[0], "a b c d");
}

#[test]
fn look_alikes() {
    shows("frее", "free");
    shows("ＦＲＥＥ", "free");
    shows("𝓯𝓻𝓮𝓮", "free");
    shows("ⓕⓡⓔⓔ", "free");
    shows("Grátïs", "gratis");
    assert_eq!(views("Grátïs")[0], "grátïs");
    assert_eq!(views("ПРИВЕТ")[0], "привет");
}

#[test]
fn disguises() {
    for (text, expected) in [
        ("fr33 m0ney", "free money"),
        ("V1agra", "viagra"),
        ("paypa1.com", "paypal.com"),
        ("pa$$word", "password"),
        ("fr!end!", "friend!"),
        ("c@sh now", "cash now"),
        ("f r e e", "free"),
        ("F.R.E.E", "free"),
        ("get f-r-e-e stuff", "get free stuff"),
        ("f  r  e  e", "free"),
        ("so f r 3 e!", "so free!"),
        ("f r e e  m o n e y", "free  money"),
        ("f_r_е_е", "free"),
        ("w i n", "win"),
        ("\u{5d0} \u{5d1} \u{5d2}", "\u{5d0}\u{5d1}\u{5d2}"),
        ("г р а т и с!", "гратис!"),
    ] {
        shows(text, expected);
    }
    for honest in ["at 10:30", "call 0800 123", "a 5", "2024", "wow! yes", "$5 off", "x a", "55a5", "1 2 3 4"] {
        assert_eq!(views(honest).len(), 1, "{honest:?} gives {:?}", views(honest));
    }
}

#[test]
fn spans_point_back() {
    let text = "Get  f.r.\u{435}.3 m\u{200B}0ney!";
    let mut normaliser = Normaliser::new();
    let normal = normaliser.normalise(text);
    let view = normal.views().find(|view| view.kind == ViewKind::Unmasked).unwrap();
    let at = view.text.find("free").unwrap();
    assert_eq!(&text[normal.origin(view.kind, at..at + 4)], "f.r.\u{435}.3");
    let at = view.text.find("money").unwrap();
    assert_eq!(&text[normal.origin(view.kind, at..at + 5)], "m\u{200B}0ney");
    assert_eq!(normal.origin(view.kind, 0..view.text.len()), 0..text.len());
    assert_eq!(normal.origin(view.kind, 900..1000), text.len()..text.len());
}

#[test]
fn both_paths_agree_on_ascii() {
    for octet in 0..0x80_u8 {
        let character = char::from(octet);
        let fast = views(&character.to_string())[0].clone();
        let slow = views(&format!("{character}\u{200B}"))[0].clone();
        assert_eq!(fast, slow, "{octet:#04x}");
    }
}

proptest! {
    #[test]
    fn spans_are_boundaries_and_monotone(text in "\\PC{0,40}|[a-e0-5 .!@$\u{e9}\u{435}\u{200b}\u{301}]{0,40}") {
        let mut normaliser = Normaliser::new();
        let normal = normaliser.normalise(&text);
        for view in normal.views() {
            let mut before = 0;
            for (at, character) in view.text.char_indices() {
                let span = normal.origin(view.kind, at..at + character.len_utf8());
                prop_assert!(span.start >= before && span.start <= span.end && span.end <= text.len());
                prop_assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end));
                prop_assert!(!text[span.clone()].is_empty());
                before = span.start;
            }
        }
    }

    #[test]
    fn a_disguise_is_always_suspect(text in "[a-d0-5 .!@$]{0,24}|([a-d0-2$][ .]){2,4}[a-d]?") {
        let lower = text.to_ascii_lowercase();
        let found = unmask(&lower, One::I, &mut Nowhere);
        prop_assert!(!found.disguised || suspect(&lower), "{:?}", lower);
    }
}
