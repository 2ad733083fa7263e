//! What a time on the wire means (section 7.1.1): 16 characters, `YYMMDDhhmmsstnnp`. Reads no clock: now is handed in.
//!
//! An absolute time ends in `+` or `-`: local time, and by how many quarters of an hour it is ahead of or behind UTC; a
//! year is one of this century. A relative one ends in `R`: years, months, days, hours, minutes and seconds from now, of
//! which each may be 0 to 99, since clients write 48 hours as such; tenths and quarters are ignored in it. So the furthest
//! that a relative time reaches is 107 years, 6 months and some days ahead.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::CommandStatus;

/// Sixteen characters that are no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no time: send YYMMDDhhmmsstnnp, with p one of +, - and R, as in 261224083000004+ or 000001000000000R")]
pub struct NoTime;

impl NoTime {
    /// The status that answers a schedule_delivery_time like this (section 5.1.3).
    pub const fn schedule_status(self) -> CommandStatus {
        CommandStatus::ESME_RINVSCHED
    }
}

/// What a quarter of an hour of the UTC offset takes, in milliseconds.
const QUARTER: i64 = 15 * 60_000;
/// The most quarters of an hour that local time may differ from UTC by: 12 hours.
const MAX_QUARTERS: i8 = 48;

/// When that is, in milliseconds since 1970-01-01T00:00:00Z, if it is asked at `now`; none if the field is empty.
///
/// # Errors
/// [`NoTime`]
pub fn time(field: &[u8], now: i64) -> Result<Option<i64>, NoTime> {
    let [fields @ .., tenths, high, low, orientation] = field else {
        return if field.is_empty() { Ok(None) } else { Err(NoTime) };
    };
    let [year, month, day, hour, minute, second] = pairs(fields).ok_or(NoTime)?;
    let tenths = digit(*tenths).ok_or(NoTime)?;
    let quarters = pair(*high, *low).ok_or(NoTime)?;
    let at = match orientation {
        b'R' => later(now, [year, month, day, hour, minute, second]),
        b'+' | b'-' if quarters <= MAX_QUARTERS => {
            let ahead = i64::from(quarters) * if *orientation == b'+' { QUARTER } else { -QUARTER };
            let date = Date::new(2000 + i16::from(year), month, day).ok();
            let local = date.and_then(|date| {
                let within_day = hour < 24 && minute < 60 && second < 60;
                within_day.then(|| date.at(hour, minute, second, i32::from(tenths) * 100_000_000))
            });
            local.and_then(|local| TimeZone::UTC.to_timestamp(local).ok()).map(|local| local.as_millisecond() - ahead)
        }
        _ => None,
    };
    at.map(Some).ok_or(NoTime)
}

/// So many years, months, days, hours, minutes and seconds after `now`.
fn later(now: i64, [years, months, days, hours, minutes, seconds]: [i8; 6]) -> Option<i64> {
    let dates = Span::new().try_years(years).ok()?.try_months(months).ok()?.try_days(days).ok()?;
    let clock = (i64::from(hours) * 60 + i64::from(minutes)) * 60 + i64::from(seconds);
    let from = Timestamp::from_millisecond(now).ok()?.to_zoned_datetime(TimeZone::UTC);
    Some(from.checked_add(dates).ok()?.timestamp().as_millisecond() + clock * 1000)
}

fn pairs(digits: &[u8]) -> Option<[i8; 6]> {
    let mut values = [0; 6];
    let (read, []) = digits.as_chunks::<2>() else { return None };
    if read.len() != values.len() {
        return None;
    }
    for (value, [high, low]) in values.iter_mut().zip(read) {
        *value = pair(*high, *low)?;
    }
    Some(values)
}

fn pair(high: u8, low: u8) -> Option<i8> {
    Some(digit(high)? * 10 + digit(low)?)
}

fn digit(octet: u8) -> Option<i8> {
    octet.is_ascii_digit().then(|| (octet - b'0') as i8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-24T09:05:30.250Z
    const NOW: &str = "2026-11-24T09:05:30.250Z";

    fn read(field: &[u8]) -> Option<String> {
        let now: Timestamp = NOW.parse().unwrap();
        let at = time(field, now.as_millisecond()).ok()?;
        Some(at.map_or_else(String::new, |at| Timestamp::from_millisecond(at).unwrap().to_string()))
    }

    #[test]
    fn absolute_times_have_their_offset() {
        for (field, expected) in [
            (&b""[..], Some("")),
            (b"261124032437000+", Some("2026-11-24T03:24:37Z")),
            (b"261124032437000-", Some("2026-11-24T03:24:37Z")),
            (b"261124032437904+", Some("2026-11-24T02:24:37.9Z")),
            (b"261124032437022+", Some("2026-11-23T21:54:37Z")),
            (b"261124032437048-", Some("2026-11-24T15:24:37Z")),
            (b"280229235959900+", Some("2028-02-29T23:59:59.9Z")),
            (b"990101000000000+", Some("2099-01-01T00:00:00Z")),
            (b"000101000000000+", Some("2000-01-01T00:00:00Z")),
            // No such day, hour, minute, second or offset.
            (b"260229000000000+", None),
            (b"261301000000000+", None),
            (b"260001000000000+", None),
            (b"260100000000000+", None),
            (b"260101240000000+", None),
            (b"260101006000000+", None),
            (b"260101000060000+", None),
            (b"260101000000049+", None),
        ] {
            assert_eq!(read(field).as_deref(), expected, "{}", field.escape_ascii());
        }
    }

    #[test]
    fn relative_times_count_from_now() {
        for (field, expected) in [
            (&b"000000000000000R"[..], "2026-11-24T09:05:30.25Z"),
            (b"000001000000000R", "2026-11-25T09:05:30.25Z"),
            (b"020610233429000R", "2029-06-04T08:39:59.25Z"),
            (b"000000480000000R", "2026-11-26T09:05:30.25Z"),
            (b"000300000000999R", "2027-02-24T09:05:30.25Z"),
            // Three months after the last of November there is no 30th of February.
            (b"000306000000000R", "2027-03-02T09:05:30.25Z"),
            (b"999999999999000R", "2134-06-07T13:46:09.25Z"),
        ] {
            assert_eq!(read(field).as_deref(), Some(expected), "{}", field.escape_ascii());
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for field in [
            &b"261124032437000"[..],
            b"261124032437",
            b"2611240324370000+",
            b"261124032437000 ",
            b"261124032437000Z",
            b"26112403243700\x00R",
            b"2611240324370-0+",
            b"R",
            b"+   261124032437",
            b"2611 4032437000+",
        ] {
            assert_eq!(read(field), None, "{}", field.escape_ascii());
        }
        assert_eq!(NoTime.schedule_status(), CommandStatus::ESME_RINVSCHED);
        assert_eq!(time(b"000001000000000R", i64::MAX), Err(NoTime), "no clock says so");
    }
}
