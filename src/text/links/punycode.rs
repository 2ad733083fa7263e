//! The labels of internationalised names as they travel: Punycode (RFC 3492), read only.

const BASE: u32 = 36;
const FIRST_CODE_POINT: u32 = 0x80;
const FIRST_BIAS: u32 = 72;

/// Appends what a label, without its `xn--`, stands for. Nothing is appended when it stands for nothing.
pub(super) fn decode(label: &str, into: &mut String, characters: &mut Vec<char>) -> Option<()> {
    characters.clear();
    let (basic, encoded) = label.rsplit_once('-').unwrap_or(("", label));
    if !label.is_ascii() || encoded.is_empty() {
        return None;
    }
    characters.extend(basic.chars());
    let (mut code_point, mut place, mut bias) = (FIRST_CODE_POINT, 0_u32, FIRST_BIAS);
    let mut digits = encoded.bytes().map(digit);
    while let Some(first) = digits.next() {
        let start = place;
        let (mut weight, mut threshold_at, mut value) = (1_u32, BASE, first?);
        loop {
            place = place.checked_add(value.checked_mul(weight)?)?;
            let threshold = threshold_at.saturating_sub(bias).clamp(1, 26);
            if value < threshold {
                break;
            }
            weight = weight.checked_mul(BASE - threshold)?;
            threshold_at += BASE;
            value = digits.next()??;
        }
        let count = u32::try_from(characters.len()).ok()?.checked_add(1)?;
        bias = adapt(place - start, count, start == 0);
        code_point = code_point.checked_add(place / count)?;
        place %= count;
        characters.insert(place as usize, char::from_u32(code_point)?);
        place += 1;
    }
    into.extend(characters.iter());
    Some(())
}

fn digit(octet: u8) -> Option<u32> {
    match octet {
        b'a'..=b'z' => Some(u32::from(octet - b'a')),
        b'A'..=b'Z' => Some(u32::from(octet - b'A')),
        b'0'..=b'9' => Some(u32::from(octet - b'0') + 26),
        _ => None,
    }
}

/// Section 6.1.
fn adapt(delta: u32, count: u32, first: bool) -> u32 {
    let mut delta = if first { delta / 700 } else { delta / 2 };
    delta += delta / count;
    let mut steps = 0;
    while delta > 455 {
        delta /= 35;
        steps += BASE;
    }
    steps + BASE * delta / (delta + 38)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoded(label: &str) -> Option<String> {
        let mut into = String::new();
        decode(label, &mut into, &mut Vec::new()).map(|()| into)
    }

    #[test]
    fn labels() {
        for (label, expected) in [
            ("bcher-kva", Some("bücher")),
            ("mnchen-3ya", Some("münchen")),
            ("80ak6aa92e", Some("аррӏе")),
            ("p1ai", Some("рф")),
            ("ihqwcrb4cv8a8dqg056pqjye", Some("他们为什么不说中文")),
            ("PorqunopuedensimplementehablarenEspaol-fmd56a", Some("PorquénopuedensimplementehablarenEspañol")),
            ("", None),
            ("abc-", None),
            ("a!", None),
            ("é-kva", None),
            ("bcher-kv", None),
            ("999999999999", None),
        ] {
            assert_eq!(decoded(label).as_deref(), expected, "{label:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(label in "[a-z0-9-]{0,80}|\\PC{0,20}") {
            let mut into = String::new();
            let found = decode(&label, &mut into, &mut Vec::new());
            prop_assert_eq!(found.is_none(), into.is_empty());
        }
    }
}
