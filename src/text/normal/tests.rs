//! What each view has undone, and where its parts came from.

use proptest::prelude::*;

use super::*;
use crate::text::buffer::Utf8;

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

#[test]
fn other_scripts_keep_their_letters() {
    // Letters that look like digits are in disguise only beside Latin ones.
    assert_eq!(views("зачем это"), ["зачем это", "3a4em 3to"]);
    shows("frзз", "free");
    shows("зачем s4le", "зачем sale");
    // The skeleton of other scripts may be nonsense, so the plain view is there.
    assert_eq!(views("שלום")[0], "שלום");
}

#[test]
fn the_plain_view_is_spared_where_the_skeleton_says_all() {
    let scanned = |text: &str| Normaliser::new().normalise(text).scan_views().map(|view| view.kind).collect::<Vec<_>>();
    use ViewKind::*;
    for text in ["Grátïs", "ÀÉÎÕÜ straße œuvre", "ｆｒｅｅ", "caf\u{e9} – «ok» …", "x é\u{301}"] {
        assert_eq!(scanned(text), [Skeleton], "{text}");
    }
    // Other scripts, a symbol that becomes a letter, a letter whose look-alike is not that of its lower case.
    for text in ["привет", "frее", "é привет", "Ж", "é €", "é ©", "Ðé", "é ²", "מé", "漢é", "\u{20000}é"]
    {
        assert_eq!(scanned(text).first(), Some(&Plain), "{text}");
    }
    assert_eq!(scanned("plain"), [Plain]);
    assert_eq!(scanned("grátï5"), [Skeleton, Unmasked, PlainUnmasked]);
}

/// What the pass over octets does, character by character and as slow as it may be.
fn unmask_slowly(text: &str) -> String {
    let unit = |character: &char| matches!(character, '@' | '$') || character.is_alphanumeric();
    let mark = |character: &char| matches!(character, '!' | '|' | '+');
    let (all, mut written, mut at) = (text.chars().collect::<Vec<_>>(), String::new(), 0);
    let at_unit = |index: usize| all.get(index).is_some_and(unit);
    let single = |index: usize| at_unit(index) && !at_unit(index + 1);
    let plainly = |character: &char| table::letter(*character).map_or(*character, |it| it.into());
    while at < all.len() {
        if !at_unit(at) {
            written.push(all[at]);
            at += 1;
            continue;
        }
        let gap = all[at + 1..].iter().position(unit).unwrap_or(all.len());
        let separator = all.get(at + 1..at + 1 + gap).unwrap_or_default();
        let octets: usize = separator.iter().map(|character| character.len_utf8()).sum();
        let mut run = vec![at];
        while single(at) && (1..=3).contains(&octets) {
            let next = run[run.len() - 1] + 1 + gap;
            if !single(next) || all[next - gap..next] != *separator {
                break;
            }
            run.push(next);
        }
        let letters = run.iter().filter(|&&index| all[index].is_alphabetic()).count();
        let (end, disguised) = if run.len() >= 3 && letters * 2 >= run.len() {
            (run[run.len() - 1] + 1, true)
        } else {
            let mut end = at + all[at..].iter().take_while(|it| unit(it) || mark(it)).count();
            while mark(&all[end - 1]) {
                end -= 1;
            }
            let signs = all[at..end].iter().filter(|it| table::letter(**it).is_some()).count();
            let letters = all[at..end].iter().filter(|it| it.is_alphabetic()).count();
            (end, signs > 0 && letters >= signs)
        };
        let word = all[at..end].iter();
        if disguised {
            written.extend(word.filter(|it| it.is_alphanumeric() || table::letter(**it).is_some()).map(plainly));
        } else {
            written.extend(word);
        }
        at = end;
    }
    written
}

/// What one pass writes, character by character.
fn fold_slowly(text: &str) -> (String, String) {
    let form = |utf8: Utf8| String::from_utf8(utf8.octets.to_le_bytes()[..utf8.length.into()].to_vec()).unwrap();
    let entries = text.chars().map(|it| table::table().head(it.encode_utf8(&mut [0; 4]).as_bytes()).unwrap().0);
    entries.map(|entry| (form(entry.plain()), form(entry.skeleton()))).unzip()
}

#[test]
fn hostile_texts_cost_what_their_length_costs() {
    // Read again at each of their places, these would take minutes.
    let start = std::time::Instant::now();
    for (head, pattern) in [("a1 ", "!"), ("a1 ", "1 "), ("a1 ", "a!b!c!!"), ("a1 ", "1 2 3 4 a.1.2 "), ("a1 ", "1 !")]
    {
        let views = views(&[head, &pattern.repeat(0x1_0000 / pattern.len())].concat());
        assert!(views.len() > 1, "{pattern:?}");
    }
    assert!(start.elapsed() < std::time::Duration::from_secs(5));
}

const TEXTS: &str =
    "\\PC{0,90}|[a-e0-5 .!@$é\u{435}\u{200b}\u{301}]{0,90}|([a1é!] ?[.,! ]{0,2}){0,40}|[a-zA-Z \r\n.]{0,200}";

#[test]
fn a_view_has_room() {
    // No text grows more than was reckoned with, whatever it is made of.
    for character in (0..=0x10_FFFF).filter_map(char::from_u32) {
        let mut octets = [0; 4];
        let octets = character.encode_utf8(&mut octets).as_bytes();
        let (entry, size) = table::table().head(octets).unwrap();
        assert_eq!(size, octets.len());
        assert!(entry.plain().length.max(entry.skeleton().length) <= 4);
        assert_eq!(table::table().traits(octets), Some((entry.traits, size)));
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
    fn one_pass_or_many_agree(text in TEXTS) {
        let (plain, skeleton) = fold_slowly(&text);
        let mut normaliser = Normaliser::new();
        let normal = normaliser.normalise(&text);
        prop_assert_eq!(normal.plain(), &plain);
        prop_assert_eq!(normal.skeleton, (skeleton != plain).then_some(skeleton.as_str()));
        for view in [&plain, &skeleton] {
            let mut buffer = Buffer::new();
            let found = buffer.write(view.len(), |sink| unmask(table::table(), view, sink));
            let slowly = unmask_slowly(view);
            prop_assert_eq!(buffer.as_str(), Some(slowly.as_str()));
            prop_assert_eq!(found.disguised, slowly != *view);
            prop_assert_eq!(found.ambiguous, slowly.contains(char::from(AMBIGUOUS)));
        }
    }

    #[test]
    fn a_disguise_is_always_suspect(
        text in "[a-d0-5 .!@$]{0,24}|([a-d0-2$][ .]){2,4}[a-d]?|[ab€½…㏂１ 1.!@é\u{301}]{0,90}|([aй] ?[. ]{0,2}){0,40}",
    ) {
        let mut views = fold::Views::default();
        let folded = views.fold(table::table(), &text);
        for view in [&views.plain, &views.skeleton] {
            if folded.differs || std::ptr::eq(view, &views.plain) {
                let text = view.as_str().unwrap();
                let found = Buffer::new().write(text.len(), |sink| unmask(table::table(), text, sink));
                prop_assert!(!found.disguised || folded.suspect, "{:?}", text);
            }
        }
    }
}
