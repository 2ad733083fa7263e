//! One TOML value in, one checked value out, or what was expected in its place. Never shows the value of a secret.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use ipnet::IpNet;
use rustls_pki_types::ServerName;
use secrecy::SecretString;
use toml::de::DeValue;

use super::UpstreamAddress;
use super::reader::nearest;
use crate::numbers::Territory;
use crate::pdu::CommandStatus;
use crate::policy::{Msisdn, Sample};

/// Characters of a value that a message shows.
const MAX_SHOWN: usize = 40;
/// The longest free text.
const MAX_STRING: usize = 1000;
/// No wait that the configuration names is longer.
const MAX_DURATION: Duration = Duration::from_secs(24 * 3600);
/// What people wait for, and what is kept, may take longer.
const MAX_LONG_DURATION: Duration = Duration::from_secs(3650 * 24 * 3600);
/// The most memory (KiB) that checking one password may take.
const MAX_ARGON2_MEMORY: u32 = 1024 * 1024;

/// The outcome of reading one value.
pub(crate) type Read<T> = Result<T, Wrong>;

/// Why a value cannot be used.
#[derive(Debug)]
pub(crate) struct Wrong {
    /// What it is.
    pub(crate) message: String,
    /// What was expected, or what to do.
    pub(crate) help: String,
}

impl Wrong {
    /// `value` is not `expected`.
    pub(crate) fn expected(value: &DeValue<'_>, expected: &str) -> Self {
        Self::because(format!("is {}", describe(value)), format!("expected {expected}"))
    }

    pub(crate) fn because(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

/// A value as a message shows it.
pub(super) fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) if text.chars().count() > MAX_SHOWN => {
            format!("{:?}...", text.chars().take(MAX_SHOWN).collect::<String>())
        }
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => {
            format!("the integer {}", number.as_str().chars().take(MAX_SHOWN).collect::<String>())
        }
        DeValue::Float(_) => "a float".to_owned(),
        DeValue::Boolean(value) => format!("the boolean {value}"),
        DeValue::Datetime(_) => "a date or time".to_owned(),
        DeValue::Array(_) => "an array".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

fn text<'v>(value: &'v DeValue<'_>, expected: &str) -> Read<&'v str> {
    value.as_str().ok_or_else(|| Wrong::expected(value, expected))
}

/// Parses a string, or says what was expected.
pub(crate) fn parsed<T>(value: &DeValue<'_>, expected: &str, parse: impl Fn(&str) -> Option<T>) -> Read<T> {
    parse(text(value, expected)?).ok_or_else(|| Wrong::expected(value, expected))
}

pub(crate) fn boolean(value: &DeValue<'_>) -> Read<bool> {
    value.as_bool().ok_or_else(|| Wrong::expected(value, "true or false"))
}

/// Free text without control characters, trimmed.
pub(crate) fn string(value: &DeValue<'_>) -> Read<String> {
    let expected = format!("a string of 1 to {MAX_STRING} characters on one line");
    parsed(value, &expected, |text| {
        let text = text.trim();
        let fits = !text.is_empty() && text.chars().count() <= MAX_STRING && !text.contains(char::is_control);
        fits.then(|| text.to_owned())
    })
}

/// A C-octet string of the bind PDUs: so many octets of printable ASCII.
pub(super) fn octets(length: RangeInclusive<usize>) -> impl Fn(&DeValue<'_>) -> Read<String> {
    let expected = format!("{} to {} octets of printable ASCII", length.start(), length.end());
    move |value| {
        let text = text(value, &expected)?;
        if !length.contains(&text.len()) {
            return Err(Wrong::because(format!("has {} octets", text.len()), format!("expected {expected}")));
        }
        let printable = text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        printable.then(|| text.to_owned()).ok_or_else(|| Wrong::expected(value, &expected))
    }
}

/// As [`octets`], of which no message shows anything.
pub(super) fn secret(length: RangeInclusive<usize>) -> impl Fn(&DeValue<'_>) -> Read<SecretString> {
    let help = format!("expected {} to {} octets of printable ASCII", length.start(), length.end());
    let read = octets(length);
    move |value| {
        let read = read(value).map_err(|_| Wrong::because("is no password that a bind can carry", help.as_str()));
        Ok(SecretString::from(read?))
    }
}

/// An Argon2 hash as a PHC string.
pub(super) fn password_hash(value: &DeValue<'_>) -> Read<SecretString> {
    let wrong = |message: &str| {
        Wrong::because(message, "expected an Argon2 PHC string, $argon2id$v=19$m=...,t=...,p=...$SALT$HASH")
    };
    let text = value.as_str().ok_or_else(|| wrong("is no string"))?;
    let hash = PasswordHash::new(text).map_err(|_| wrong("is no PHC string"))?;
    argon2::Algorithm::try_from(hash.algorithm.as_str())
        .map_err(|_| wrong("is a PHC string of another function than Argon2"))?;
    if hash.salt.is_none() || hash.hash.is_none() {
        return Err(wrong("is a PHC string without salt or hash"));
    }
    let params = argon2::Params::try_from(&hash).map_err(|_| wrong("has parameters that Argon2 does not allow"))?;
    if params.m_cost() > MAX_ARGON2_MEMORY {
        let message = format!("would take {} KiB of memory at every bind", params.m_cost());
        return Err(Wrong::because(message, format!("expected m to be at most {MAX_ARGON2_MEMORY}")));
    }
    Ok(SecretString::from(text))
}

fn integer(value: &DeValue<'_>, range: &RangeInclusive<u64>) -> Read<u64> {
    let number = value.as_integer().and_then(|number| u64::from_str_radix(number.as_str(), number.radix()).ok());
    number
        .filter(|number| range.contains(number))
        .ok_or_else(|| Wrong::expected(value, &format!("an integer from {} to {}", range.start(), range.end())))
}

/// A number of things.
pub(crate) fn count<T: TryFrom<u64>>(range: RangeInclusive<u64>) -> impl Fn(&DeValue<'_>) -> Read<T> {
    move |value| T::try_from(integer(value, &range)?).map_err(|_| Wrong::expected(value, "a smaller integer"))
}

/// Messages a second, or at once.
pub(super) fn rate(value: &DeValue<'_>) -> Read<NonZeroU32> {
    let number = count::<u32>(1..=100_000_000)(value)?;
    NonZeroU32::new(number).ok_or_else(|| Wrong::expected(value, "an integer above 0"))
}

/// A number with its unit.
fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

const DURATION_UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// What people wait for, or how long a record is kept: a duration such as "24h", from 1s to 3650d.
pub(super) fn long_duration(value: &DeValue<'_>) -> Read<Duration> {
    parsed(value, r#"a duration from "1s" to "3650d" such as "90m", "24h" or "30d""#, |text| {
        let duration = Duration::from_millis(with_unit(text, &DURATION_UNITS)?);
        (Duration::from_secs(1)..=MAX_LONG_DURATION).contains(&duration).then_some(duration)
    })
}

/// A duration such as "5s", from 1ms to 24h.
pub(super) fn duration(value: &DeValue<'_>) -> Read<Duration> {
    parsed(value, r#"a duration from "1ms" to "24h" such as "5s", "250ms" or "1m""#, |text| {
        let duration = Duration::from_millis(with_unit(text, &DURATION_UNITS)?);
        (!duration.is_zero() && duration <= MAX_DURATION).then_some(duration)
    })
}

/// For how long something is remembered: a duration from 0s (not at all) to 72h.
pub(super) fn memory(value: &DeValue<'_>) -> Read<Duration> {
    parsed(value, r#"a duration from "0s" (not at all) to "72h" such as "24h""#, |text| {
        let duration = Duration::from_millis(with_unit(text, &DURATION_UNITS)?);
        (duration <= days(3)).then_some(duration)
    })
}

/// So many days.
pub(super) const fn days(count: u64) -> Duration {
    Duration::from_secs(count * 86_400)
}

/// How long something is kept: whole days, at most ten years.
pub(super) fn age(value: &DeValue<'_>) -> Read<Duration> {
    parsed(value, r#"an age in days from "1d" to "3650d" such as "400d""#, |text| {
        let count = with_unit(text, &[("d", 1)])?;
        (1..=3650).contains(&count).then(|| days(count))
    })
}

const KIB: u64 = 1024;
const SIZE_UNITS: [(&str, u64); 4] = [("B", 1), ("KiB", KIB), ("MiB", KIB * KIB), ("GiB", KIB * KIB * KIB)];

/// A size in octets such as "64KiB"; a bare integer counts octets.
pub(super) fn size(range: RangeInclusive<u64>) -> impl Fn(&DeValue<'_>) -> Read<usize> {
    let expected = format!(
        r#"a size from "{}" to "{}" such as "64KiB" or "1MiB""#,
        shown_size(*range.start()),
        shown_size(*range.end())
    );
    move |value| {
        let octets = match value {
            DeValue::Integer(_) => integer(value, &range).ok(),
            _ => value.as_str().and_then(|text| with_unit(text, &SIZE_UNITS)),
        };
        let octets = octets.filter(|octets| range.contains(octets)).and_then(|octets| usize::try_from(octets).ok());
        octets.ok_or_else(|| Wrong::expected(value, &expected))
    }
}

/// A size with the largest unit that it is a multiple of.
pub(super) fn shown_size(octets: u64) -> String {
    let unit = SIZE_UNITS.iter().rev().find(|(_, factor)| octets >= *factor && octets.is_multiple_of(*factor));
    unit.map_or_else(|| format!("{octets}B"), |(name, factor)| format!("{}{name}", octets / factor))
}

/// Where to listen; port 0 leaves the choice to the system.
pub(super) fn socket_address(value: &DeValue<'_>) -> Read<SocketAddr> {
    parsed(value, r#"an IP address and a port such as "127.0.0.1:2775" or "[::1]:2775""#, |text| text.parse().ok())
}

/// Where an SMSC is.
pub(super) fn upstream_address(value: &DeValue<'_>) -> Read<UpstreamAddress> {
    parsed(value, r#"a host and a port such as "smsc.example.net:2775" or "[::1]:2775", or "simulator""#, |text| {
        if text == "simulator" {
            return Some(UpstreamAddress::Simulator);
        }
        let (host, port) = text.rsplit_once(':')?;
        let port_fits = port.parse::<u16>().is_ok_and(|port| port != 0) && port.bytes().all(|b| b.is_ascii_digit());
        (port_fits && is_host(host)).then(|| UpstreamAddress::Host(text.to_owned()))
    })
}

fn is_host(host: &str) -> bool {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok()),
        None => !host.contains(':') && ServerName::try_from(host).is_ok(),
    }
}

/// A name or address that a certificate can bear.
pub(super) fn server_name(value: &DeValue<'_>) -> Read<String> {
    parsed(value, r#"a host name or IP address such as "smsc.example.net""#, |text| {
        ServerName::try_from(text).is_ok().then(|| text.to_owned())
    })
}

/// A network, or one address.
pub(super) fn network(value: &DeValue<'_>) -> Read<IpNet> {
    parsed(value, r#"a network such as "10.0.0.0/8" or "2001:db8::/32", or one IP address"#, |text| {
        text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
    })
}

/// The subject or SHA-256 fingerprint of a certificate; a fingerprint becomes 64 lower-case hex digits.
pub(super) fn certificate_name(value: &DeValue<'_>) -> Read<String> {
    let expected = r#"a subject such as "CN=shop,O=Shop Ltd" or the 64 hex digits of a SHA-256 fingerprint"#;
    parsed(value, expected, |text| {
        let digits: String = text.chars().filter(|c| *c != ':').collect();
        if digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Some(digits.to_ascii_lowercase());
        }
        (text.contains('=') && !text.contains(char::is_control)).then(|| text.trim().to_owned())
    })
}

/// A path, taken from the folder `base` if it is relative.
pub(super) fn path(base: &Path) -> impl Fn(&DeValue<'_>) -> Read<PathBuf> {
    move |value| {
        parsed(value, "a path", |text| (!text.trim().is_empty() && !text.contains('\0')).then(|| base.join(text)))
    }
}

/// A category of list entries, or an entry's id.
pub(super) fn category(value: &DeValue<'_>) -> Read<String> {
    parsed(value, r#"lower-case letters, digits and hyphens such as "gambling""#, |text| {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        ((1..=40).contains(&text.len()) && text.bytes().all(fits)).then(|| text.to_owned())
    })
}

/// A language code.
pub(super) fn language(value: &DeValue<'_>) -> Read<String> {
    parsed(value, r#"a language as two lower-case letters (ISO 639-1) such as "nl""#, |text| {
        (text.len() == 2 && text.bytes().all(|b| b.is_ascii_lowercase())).then(|| text.to_owned())
    })
}

/// A subscriber's number; spaces in it and a `+` before it are left out.
pub(super) fn msisdn(value: &DeValue<'_>) -> Read<Msisdn> {
    parsed(value, r#"an international number such as "32470123456""#, |text| Msisdn::parse(text).ok())
}

/// What a message looks like.
pub(super) fn sample(value: &DeValue<'_>) -> Read<String> {
    let text = string(value)?;
    match Sample::of(&text) {
        Ok(_) => Ok(text),
        Err(why) => Err(Wrong::because(why.to_string(), r#"such as "Shop: {percent} off until {date}. STOP to end""#)),
    }
}

/// A registered domain.
pub(super) fn domain(value: &DeValue<'_>) -> Read<String> {
    parsed(value, r#"a domain name such as "example.com""#, |text| {
        (text.contains('.') && ServerName::try_from(text).is_ok()).then(|| text.to_ascii_lowercase())
    })
}

/// A country code.
pub(crate) fn country(value: &DeValue<'_>) -> Read<String> {
    parsed(value, r#"a country as two upper-case letters (ISO 3166-1 alpha-2) such as "BE""#, |text| {
        Territory::parse(text).map(|territory| territory.to_string())
    })
}

/// A day.
pub(super) fn date(value: &DeValue<'_>) -> Read<jiff::civil::Date> {
    let day = value.as_datetime().filter(|at| at.time.is_none() && at.offset.is_none()).and_then(|at| at.date);
    day.and_then(|day| {
        let (year, month, day) = (i16::try_from(day.year), i8::try_from(day.month), i8::try_from(day.day));
        jiff::civil::Date::new(year.ok()?, month.ok()?, day.ok()?).ok()
    })
    .ok_or_else(|| Wrong::expected(value, "a date without quotes and time such as 2027-01-01"))
}

/// One of a few words.
pub(crate) fn choice<T: Copy>(words: &'static [(&'static str, T)]) -> impl Fn(&DeValue<'_>) -> Read<T> {
    move |value| {
        let chosen = value.as_str().and_then(|text| words.iter().find(|(word, _)| *word == text));
        chosen.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let words: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
            Wrong::expected(value, &words.join(" or "))
        })
    }
}

/// A `command_status` (SMPP 3.4 section 5.1.3) by its name.
pub(super) fn status(value: &DeValue<'_>) -> Read<CommandStatus> {
    let text = text(value, r#"the name of a command_status such as "ESME_RSUBMITFAIL""#)?;
    CommandStatus::from_name(text).ok_or_else(|| {
        let help = match nearest(text, CommandStatus::ALL.iter().filter_map(|status| status.name())) {
            Some(name) => format!("did you mean {name:?}?"),
            None => r#"expected a name of SMPP 3.4 section 5.1.3 such as "ESME_RSUBMITFAIL""#.to_owned(),
        };
        Wrong::because(format!("{} is no command_status", describe(value)), help)
    })
}
