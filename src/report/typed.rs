//! What somebody has typed into the form, and the report that it makes. Keeps what cannot be right as it was typed, for
//! the page that says so; never shows it in `Debug`.

use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::language::Language;
use crate::policy::Msisdn;

/// How far a clock may be ahead of UTC, and behind it, in milliseconds: people type the time where they are.
pub(super) const AHEAD: i64 = 14 * 3_600_000;
pub(super) const BEHIND: i64 = 12 * 3_600_000;

/// A field of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Number,
    When,
    Sender,
    Text,
}

/// What was typed.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Typed([String; 4]);

/// The fields in which something cannot be right.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Faults(Vec<Field>);

/// What can be a complaint.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Report {
    /// Who got the message.
    pub(super) msisdn: Msisdn,
    /// When, in milliseconds since 1970 if the clock that was looked at shows UTC.
    pub(super) at: i64,
    /// Which sender it showed, if that was said.
    pub(super) sender: Option<String>,
    /// What the case says.
    pub(super) text: String,
}

impl Field {
    pub(super) const ALL: [Self; 4] = [Self::Number, Self::When, Self::Sender, Self::Text];

    /// Its name in the form's body.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::When => "when",
            Self::Sender => "sender",
            Self::Text => "text",
        }
    }

    /// The type of its input.
    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::Number => "tel",
            Self::When => "datetime-local",
            Self::Sender | Self::Text => "text",
        }
    }

    pub(super) const fn autocomplete(self) -> &'static str {
        match self {
            Self::Number => "tel",
            Self::When | Self::Sender | Self::Text => "off",
        }
    }

    pub(super) const fn is_long(self) -> bool {
        matches!(self, Self::Text)
    }

    pub(super) const fn is_required(self) -> bool {
        !matches!(self, Self::Sender)
    }

    /// The most characters; with what is put before the text, a case keeps all of it.
    pub(super) const fn most(self) -> usize {
        match self {
            Self::Number | Self::When => 40,
            Self::Sender => 50,
            Self::Text => 800,
        }
    }

    pub(super) const fn label(self, words: &Language) -> &'static str {
        match self {
            Self::Number => words.number,
            Self::When => words.when,
            Self::Sender => words.sender,
            Self::Text => words.text,
        }
    }

    pub(super) const fn hint(self, words: &Language) -> &'static str {
        match self {
            Self::Number => words.number_hint,
            Self::When => words.when_hint,
            Self::Sender => words.sender_hint,
            Self::Text => words.text_hint,
        }
    }

    pub(super) const fn fault(self, words: &Language) -> &'static str {
        match self {
            Self::Number => words.number_fault,
            Self::When => words.when_fault,
            Self::Sender => words.sender_fault,
            Self::Text => words.text_fault,
        }
    }
}

impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Typed").finish_non_exhaustive()
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report").finish_non_exhaustive()
    }
}

impl Faults {
    pub(super) fn contains(&self, field: &Field) -> bool {
        self.0.contains(field)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Typed {
    /// The fields of a body of `application/x-www-form-urlencoded`; of a field that is there twice the first. What the
    /// form does not have is left out, and what is no UTF-8 replaced.
    pub(super) fn read(body: &[u8]) -> Self {
        let value = |field: Field| {
            let found = form_urlencoded::parse(body).find(|(name, _)| name == field.name());
            // Browsers end lines with both.
            found.map_or_else(String::new, |(_, value)| value.replace("\r\n", "\n"))
        };
        Self(Field::ALL.map(value))
    }

    pub(super) fn of(&self, field: &Field) -> &str {
        let value = Field::ALL.iter().zip(&self.0).find(|(other, _)| *other == field);
        value.map_or("", |(_, value)| value)
    }

    /// The report that it is, at this time in milliseconds since 1970.
    pub(super) fn report(&self, now: i64) -> Result<Report, Faults> {
        let value = |field: Field| {
            let value = self.of(&field).trim();
            (value.chars().count() <= field.most()).then_some(value)
        };
        let msisdn = value(Field::Number).and_then(|number| Msisdn::parse(number).ok());
        let when = value(Field::When).and_then(|when| clock(when, now));
        let (sender, text) = (value(Field::Sender), value(Field::Text).filter(|text| !text.is_empty()));
        if let (Some(msisdn), Some((clock, at)), Some(sender), Some(text)) = (msisdn, when, sender, text) {
            let sender = Some(sender).filter(|sender| !sender.is_empty());
            let from = sender.map(|sender| format!("from {sender}, ")).unwrap_or_default();
            let text = format!("({from}at {} by the recipient's clock)\n{text}", clock.strftime("%F %H:%M"));
            return Ok(Report { msisdn, at, sender: sender.map(str::to_owned), text });
        }
        let faulty = [msisdn.is_none(), when.is_none(), sender.is_none(), text.is_none()];
        Err(Faults(Field::ALL.into_iter().zip(faulty).filter(|(_, faulty)| *faulty).map(|(field, _)| field).collect()))
    }
}

/// A day and a time that have been somewhere, and what they are in milliseconds since 1970 if they are UTC.
fn clock(text: &str, now: i64) -> Option<(DateTime, i64)> {
    let clock: DateTime = text.parse().ok().filter(|_| text.contains(':'))?;
    let at = TimeZone::UTC.to_timestamp(clock).ok()?.as_millisecond();
    (0..=now.saturating_add(AHEAD)).contains(&at).then_some((clock, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-24T12:00:00Z
    const NOW: i64 = 1_795_521_600_000;

    fn typed(number: &str, when: &str, sender: &str, text: &str) -> Typed {
        Typed([number, when, sender, text].map(str::to_owned))
    }

    #[test]
    fn a_body_is_read_whatever_is_in_it() {
        let read = Typed::read(b"text=a%0D%0Ab+c&number=%2B32+470&x=1&number=2&when=%ff&%%%=&sender");
        assert_eq!(read, typed("+32 470", "\u{fffd}", "", "a\nb c"));
        assert_eq!(Typed::read(b""), Typed::default());
        assert_eq!(format!("{read:?}"), "Typed { .. }");
    }

    #[test]
    fn what_is_right_becomes_a_report_and_the_rest_is_named() {
        let report = typed(" +32 470 12 34 56", "2026-11-24T12:30", "SHOP", " no\nthanks ").report(NOW).unwrap();
        assert_eq!((report.msisdn.digits().as_str(), report.at), ("32470123456", NOW + 1_800_000));
        assert_eq!(report.sender.as_deref(), Some("SHOP"));
        assert_eq!(report.text, "(from SHOP, at 2026-11-24 12:30 by the recipient's clock)\nno\nthanks");
        let report = typed("32470123456", "2026-11-24 12:30", " ", "no").report(NOW).unwrap();
        assert_eq!((report.sender, report.text.lines().count()), (None, 2));
        assert!(!format!("{:?}", typed("1", "2", "3", "4").report(NOW)).contains('4'));
        use Field::{Number, Sender, Text, When};
        let (long, longest) = ("\u{e9}".repeat(801), "\u{e9}".repeat(800));
        for (number, when, sender, text, faults) in [
            ("", "", "", "", &[Number, When, Text][..]),
            ("0470123456", "2026-11-24T12:30", "", "x", &[Number]),
            ("32470123456", "2026-11-24", "", "x", &[When]),
            ("32470123456", "2026-11-25T02:01", "", "x", &[When]),
            ("32470123456", "1969-12-31T23:59", "", "x", &[When]),
            ("32470123456", "2026-11-24T12:30Z", "", "x", &[When]),
            ("32470123456", "2026-11-25T02:00", &long[..102], "x", &[Sender]),
            ("32470123456", "2026-11-25T02:00", "", &long, &[Text]),
            ("32470123456", "2026-11-25T02:00", &long[..100], &longest, &[]),
        ] {
            let read = typed(number, when, sender, text).report(NOW);
            assert_eq!(read.as_ref().map_or_else(|faults| &*faults.0, |_| &[]), faults, "{number} {when} {sender}");
            // The case keeps it whole.
            assert!(read.is_err() || read.unwrap().text.chars().count() <= 1000);
        }
    }
}
