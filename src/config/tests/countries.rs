//! `[country.XX]`: what it overrides, and the faults that it may have.

use super::*;
use crate::numbers::Territory;
use crate::policy::countries::{Basis, Pack, Window};

fn pack(text: &str, code: &str) -> Pack {
    let packs = with_upstream(text).unwrap_or_else(|faults| panic!("{faults}")).countries;
    packs.countries[&Territory::parse(code).unwrap()].clone()
}

#[test]
fn each_key_is_laid_over_what_is_known() {
    let shipped = pack("", "BE");
    let own = pack(
        "[country.BE.hours]\nsat = ['10:00-12:00', '13:00-18:00']\nsun = 'none'\n[country.BE.sender]\nmin_length = 3\n\
         [country.BE.limits]\nmarketing_per_day = 2",
        "BE",
    );
    let (before, hours) = (shipped.hours.unwrap(), own.hours.unwrap());
    assert_eq!(hours.value.weekdays, before.value.weekdays);
    assert_eq!(hours.value.holiday, Some(vec![]), "as it was");
    let windows = [Window { open: 600, close: 720 }, Window { open: 780, close: 1080 }];
    assert_eq!((&hours.value.saturday[..], &hours.value.sunday[..]), (&windows[..], &[Window::ALWAYS][..]));
    assert_eq!((hours.provenance.basis, hours.provenance.source.as_str()), (Basis::Operator, "the configuration"));
    assert_eq!(own.limits.unwrap().value.marketing_per_day, 2);
    let (before, sender) = (shipped.sender.unwrap().value, own.sender.unwrap().value);
    assert_eq!((sender.min_length, sender.max_length, &sender.forms), (3, 11, &before.forms));
    assert_eq!(own.holidays, shipped.holidays);
}

#[test]
fn what_a_country_lacks_is_laid_over_what_stands_in_for_it() {
    // Poland has nothing of its own, Puerto Rico what the United States have.
    let poland = pack("[country.default.hours]\nmon-fri = ['10:00-11:00']\n[country.PL.hours]\nsun = 'none'", "PL");
    assert_eq!(poland.hours.unwrap().value.weekdays, [Window { open: 600, close: 660 }]);
    let rico = pack("[country.PR.hours]\nsun = 'closed'", "PR").hours.unwrap().value;
    assert_eq!((rico.weekdays, rico.holiday), (vec![Window { open: 480, close: 1260 }], None));
    let texas = pack("[country.US.state.TX.hours]\nsat = 'closed'", "US").states.remove("TX").unwrap().hours.unwrap();
    assert_eq!(texas.value.sunday, [Window { open: 720, close: 1260 }]);
    let utah = pack("[country.US.state.UT.hours]\nsun = 'closed'", "US").states.remove("UT").unwrap().hours.unwrap();
    assert_eq!(utah.value.weekdays, [Window { open: 480, close: 1260 }]);
    assert_eq!(pack("[country.BE]\nzones = ['Europe/Paris']", "BE").zones[0].name(), "Europe/Paris");
}

#[test]
fn each_fault_has_its_place() {
    assert_table(&[
        ("[country.BE.hours]\nmon-fri = ['20:00-09:00']", "2:11: country.BE.hours.mon-fri", "closes before it opens"),
        ("[country.BE.hours]\nmon-fri = ['9-20']", "2:11: country.BE.hours.mon-fri", "expected hours such as"),
        ("[country.BE.hours]\nmon-fri = ['09:00-24:01']", "2:11: country.BE.hours.mon-fri", "expected hours such as"),
        ("[country.BE.hours]\nmon-fri = []", "2:11: country.BE.hours.mon-fri", "expected hours such as"),
        ("[country.BE.hours]\nsat = 'never'", "2:7: country.BE.hours.sat", "or \"none\" for no limit"),
        ("[country.BE.hours]\nholiday = 'never'", "2:11: country.BE.hours.holiday", "or \"usual\""),
        ("[country.BE.hours]\nsun = ['09:00-12:00', '11:00-13:00']", "2:7: country.BE.hours.sun", "overlap"),
        (
            "[country.BE.hours]\nmon = 'none'",
            "2:1: country.BE.hours.mon",
            "unknown key; expected one of basis, confidence",
        ),
        (
            "[country.BE.hours]\nmon-fri = 'closed'\nsat = 'closed'",
            "2:11: country.BE.hours.mon-fri",
            "never opens, on no day",
        ),
        (
            "[country.US.hours]\nmon-fri = ['08:00-09:30']\nsat = 'closed'\nsun = 'closed'",
            "1:1: country.US.hours",
            "is never open while the other of country and state KY is",
        ),
        (
            "[country.US.state.UT.hours]\nmon-fri = ['06:00-08:00']\nsat = 'closed'\nsun = 'closed'",
            "1:13: country.US.state",
            "is never open while the other of country and state UT is",
        ),
        ("[country.BE.hours]\nbasis = 'rumour'", "2:9: country.BE.hours.basis", "expected \"law\" or"),
        ("[country.XX.hours]\nsat = 'none'", "1:10: country.XX", "names no country"),
        ("[country.be.hours]\nsat = 'none'", "1:10: country.be", "two upper-case letters"),
        ("[country.defalt.hours]\nsat = 'none'", "1:10: country.defalt", "did you mean \"default\"?"),
        ("[country.US.state.XX.hours]\nsat = 'none'", "1:19: country.US.state.XX", "expected one of AK, AL, AR"),
        ("[country.BE.state.VL.hours]\nsat = 'none'", "1:19: country.BE.state.VL", "no states of this country"),
        ("[country.BE]\nzones = ['Europe/Bruxelles']", "2:10: country.BE.zones[0]", "expected a zone of the IANA"),
        ("[country.BE]\nas = 'XX'", "2:6: country.BE.as", "expected a country as two upper-case letters"),
        ("[country.BE]\nas = 'BE'", "2:6: country.BE.as", "expected another country with facts of its own"),
        ("[country.BE]\nas = 'PR'", "2:6: country.BE.as", "expected another country with facts of its own"),
        ("[country.BE]\nas = 'PL'", "2:6: country.BE.as", "expected another country with facts of its own"),
        ("[country.BE]\nhour = 1", "2:1: country.BE.hour", "did you mean \"hours\"?"),
        ("[country.BE.holidays]\ndays = []", "2:8: country.BE.holidays.days", "is empty"),
        (
            "[country.BE.holidays]\ndays = [{ name = 'x', on = '02-30' }]",
            "2:28: country.BE.holidays.days[0].on",
            "expected a day such as",
        ),
        (
            "[country.BE.holidays]\ndays = [{ name = 'x', on = '6 mon of 01' }]",
            "2:28: country.BE.holidays.days[0].on",
            "expected a day such as",
        ),
        (
            "[country.BE.holidays]\ndays = [{ name = 'x', on = 'easter', when = 'monday' }]",
            "2:45: country.BE.holidays.days[0].when",
            "expected a weekday",
        ),
        (
            "[country.BE.sender]\nmin_length = 12",
            "2:14: country.BE.sender.min_length",
            "expected an integer from 1 to 11",
        ),
        (
            "[country.BE.sender]\nmin_length = 6\nmax_length = 5",
            "2:14: country.BE.sender.min_length",
            "is 6, which is more than max_length, 5",
        ),
        (
            "[country.AE.sender]\nmax_length = 3",
            "2:14: country.AE.sender.max_length",
            "leaves no room behind marketing_prefix",
        ),
        (
            "[country.BE.sender]\nforms = [{ form = '+32y' }]",
            "2:19: country.BE.sender.forms[0].form",
            "expected digits such as",
        ),
        (
            "[country.BE.sender]\nalphanumeric_for = ['spam']",
            "2:21: country.BE.sender.alphanumeric_for[0]",
            "expected \"otp\" or \"transactional\" or \"alert\" or \"marketing\" or \"p2p\"",
        ),
        ("[country.BE.limits]\nmarketing_per_day = 0", "2:21: country.BE.limits.marketing_per_day", "integer from 1"),
        ("[country.BE.links]\nshorteners = 'no'", "2:14: country.BE.links.shorteners", "expected \"pass\""),
        ("[[country.BE.register]]\nname = 'x'", "1:1: country.BE.register[0].covers_sms", "is missing"),
    ]);
}
