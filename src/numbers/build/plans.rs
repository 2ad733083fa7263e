//! From numbering plans, time zones and area codes to the automaton of international numbers and the lists beside it.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::fmt::Write;

use regex_automata::util::primitives::StateID;

use crate::automaton::{Language, MOST, Nodes};
use crate::rules::{Matcher, Plan, lines, plans};

/// The kinds with a rule of their own, by the rule's name, in the order in which they count.
const KINDS: [(&str, &str); 8] = [
    ("premium", "Premium"),
    ("toll-free", "TollFree"),
    ("shared-cost", "SharedCost"),
    ("voip", "Voip"),
    ("personal", "Personal"),
    ("pager", "Pager"),
    ("company", "Company"),
    ("voicemail", "Voicemail"),
];

/// Where numbers may be: the zones of territories, and zones and states by the digits that numbers begin with.
pub(crate) struct Places {
    /// Sets of zones; the first is the empty one.
    sets: Vec<Vec<String>>,
    territories: BTreeMap<String, usize>,
    /// Prefixes digit by digit; the first is the empty one.
    prefixes: Vec<Prefix>,
}

#[derive(Default)]
struct Prefix {
    next: [Option<usize>; 10],
    found: Found,
}

/// What the longest prefixes of a number tell.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct Found {
    zones: Option<usize>,
    state: Option<String>,
}

impl Places {
    /// # Errors
    /// What is wrong in which file.
    pub(crate) fn read(zones: &str, zone_prefixes: &str, area_codes: &str) -> Result<Self, String> {
        let mut places =
            Self { sets: vec![Vec::new()], territories: BTreeMap::new(), prefixes: vec![Prefix::default()] };
        for (number, line) in lines(zones) {
            let (territory, names) = line.split_once(' ').ok_or(format!("zones.txt line {number}: no zone"))?;
            let set = places.set(names);
            places.territories.insert(territory.to_owned(), set);
        }
        for (number, line) in lines(zone_prefixes) {
            let wrong = || format!("zone_prefixes.txt line {number}: write digits and the names of zones");
            let (digits, names) = line.split_once(' ').ok_or_else(wrong)?;
            let set = places.set(names);
            places.prefix(digits).ok_or_else(wrong)?.zones = Some(set);
        }
        for (number, line) in lines(area_codes) {
            let wrong = || format!("area_codes.txt line {number}: write an area code and a state");
            let (digits, state) = line.split_once(' ').ok_or_else(wrong)?;
            places.prefix(&format!("1{digits}")).ok_or_else(wrong)?.state = Some(state.to_owned());
        }
        Ok(places)
    }

    fn set(&mut self, names: &str) -> usize {
        let names: Vec<String> = names.split(' ').map(str::to_owned).collect();
        self.sets.iter().position(|set| *set == names).unwrap_or_else(|| {
            self.sets.push(names);
            self.sets.len() - 1
        })
    }

    fn prefix(&mut self, digits: &str) -> Option<&mut Found> {
        let mut at = 0;
        for digit in digits.bytes() {
            let count = self.prefixes.len();
            let next = self.prefixes.get_mut(at)?.next.get_mut(usize::from(digit.checked_sub(b'0')?))?;
            at = *next.get_or_insert(count);
            if at == count {
                self.prefixes.push(Prefix::default());
            }
        }
        self.prefixes.get_mut(at).map(|prefix| &mut prefix.found)
    }

    fn zones_of(&self, territory: &str) -> Result<usize, String> {
        self.territories.get(territory).copied().ok_or(format!("zones.txt has no zones of {territory}"))
    }

    fn is_within(&self, zones: usize, territory: usize) -> bool {
        let (zones, territory) = (self.sets.get(zones), self.sets.get(territory));
        zones.zip(territory).is_some_and(|(zones, territory)| zones.iter().all(|zone| territory.contains(zone)))
    }
}

/// A step on the way through the prefixes: the place if longer ones follow, and what was found so far.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct Way {
    at: Option<usize>,
    found: Found,
}

impl Way {
    fn start() -> Self {
        Self { at: Some(0), found: Found::default() }
    }

    fn next(&self, places: &Places, digit: u8) -> Self {
        let at = self.at.and_then(|at| places.prefixes.get(at)?.next.get(usize::from(digit)).copied()?);
        let Some(prefix) = at.and_then(|at| places.prefixes.get(at)) else {
            return Self { at: None, found: self.found.clone() };
        };
        let found = Found {
            zones: prefix.found.zones.or(self.found.zones),
            state: prefix.found.state.clone().or_else(|| self.found.state.clone()),
        };
        Self { at: at.filter(|_| prefix.next.iter().any(Option::is_some)), found }
    }
}

/// The outcomes of numbers as Rust expressions, each there once.
struct Outcomes(Vec<String>);

impl Outcomes {
    fn id(&mut self, place: &str, kind: &str, zones: usize, state: Option<&str>) -> u16 {
        let state = state.map_or("None".to_owned(), |state| format!("Some(State(*b\"{state}\"))"));
        let known = format!("Known {{ place: {place}, kind: Kind::{kind}, zones: Zones({zones}), state: {state} }}");
        let id = self.0.iter().position(|outcome| *outcome == known).unwrap_or_else(|| {
            self.0.push(known);
            self.0.len() - 1
        });
        id as u16
    }

    fn nowhere(&mut self) -> u16 {
        self.id("Place::Nowhere", "Unassigned", 0, None)
    }
}

/// One territory (or network) of a calling code.
struct Member {
    place: String,
    zones: usize,
}

/// The numbers of one calling code, after that code.
struct Code<'a> {
    members: Vec<Member>,
    matcher: Matcher,
    /// Of each rule of the matcher, whose it is and its name.
    rules: Vec<(usize, String)>,
    places: &'a Places,
    outcomes: &'a mut Outcomes,
}

impl<'a> Code<'a> {
    fn new(plans: &[(String, Plan)], places: &'a Places, outcomes: &'a mut Outcomes) -> Result<Self, Box<dyn Error>> {
        let mut members = Vec::new();
        let mut rules = Vec::new();
        for (name, plan) in plans {
            rules.extend(plan.rules.iter().map(|rule| (members.len(), rule.name.clone())));
            members.push(match name.as_str() {
                "-" => Member { place: "Place::International".to_owned(), zones: 0 },
                _ => Member {
                    place: format!("Place::Territory(Territory(*b\"{name}\"))"),
                    zones: places.zones_of(name)?,
                },
            });
        }
        let matcher = Matcher::new(plans.iter().flat_map(|(_, plan)| &plan.rules))?;
        Ok(Self { members, matcher, rules, places, outcomes })
    }
}

/// The kind of a number that fits these rules of one plan, if it is a number at all.
fn kind(fits: &[&str]) -> Option<&'static str> {
    let fits = |name: &str| fits.contains(&name);
    if !fits("general") {
        return None;
    }
    let special = KINDS.iter().find(|(name, _)| fits(name)).map(|(_, kind)| *kind);
    special.or(match (fits("fixed"), fits("mobile")) {
        (true, true) => Some("FixedOrMobile"),
        (true, false) => Some("Fixed"),
        (false, true) => Some("Mobile"),
        (false, false) => None,
    })
}

impl Language for Code<'_> {
    type State = (StateID, usize, Way);

    fn next(&self, (state, length, way): &Self::State, digit: u8) -> Self::State {
        (self.matcher.next(*state, digit), length + 1, way.next(self.places, digit))
    }

    fn end(&mut self, (state, length, way): &Self::State) -> u16 {
        let fits: Vec<&(usize, String)> =
            self.matcher.fits(*state, *length).into_iter().filter_map(|rule| self.rules.get(rule)).collect();
        for (index, member) in self.members.iter().enumerate() {
            let own: Vec<&str> =
                fits.iter().filter(|(whose, _)| *whose == index).map(|(_, name)| name.as_str()).collect();
            let kind = kind(&own);
            // The only one that has the code has its unassigned numbers too.
            if kind.is_none() && !own.contains(&"leading") && self.members.len() > 1 {
                continue;
            }
            // Where the plan does not tell a fixed line from a mobile number, both have a place.
            let has_place = matches!(kind, Some("Fixed" | "FixedOrMobile"));
            let zones = way.found.zones.filter(|zones| has_place && self.places.is_within(*zones, member.zones));
            let state = way.found.state.as_deref().filter(|_| has_place);
            let zones = zones.unwrap_or(member.zones);
            return self.outcomes.id(&member.place, kind.unwrap_or("Unassigned"), zones, state);
        }
        self.outcomes.nowhere()
    }
}

/// The node of all numbers that begin with these digits.
fn grow(
    nodes: &mut Nodes,
    codes: &HashMap<String, Vec<(String, Plan)>>,
    digits: &str,
    way: Way,
    (places, outcomes): (&Places, &mut Outcomes),
) -> Result<u32, Box<dyn Error>> {
    if let Some(plans) = codes.get(digits) {
        let mut code = Code::new(plans, places, outcomes)?;
        let start = (code.matcher.start(), 0, way);
        return Ok(nodes.grow(&mut code, &start, MOST - digits.len()));
    }
    let nowhere = outcomes.nowhere();
    if !codes.keys().any(|code| code.starts_with(digits)) {
        return Ok(nodes.always(nowhere));
    }
    let mut next = [0; 10];
    for (digit, node) in (0..).zip(&mut next) {
        *node = grow(nodes, codes, &format!("{digits}{digit}"), way.next(places, digit), (places, outcomes))?;
    }
    Ok(nodes.fork(nowhere, next))
}

/// Writes the automaton of international numbers and the lists of outcomes, zones, territories and calling codes; hands
/// back the names of the territories in the order of their list.
///
/// # Errors
/// What is wrong with the plans.
pub(crate) fn write(text: &str, places: Places, out: &mut String) -> Result<Vec<String>, Box<dyn Error>> {
    let mut codes: HashMap<String, Vec<(String, Plan)>> = HashMap::new();
    for plan in plans(text)? {
        let heading = plan.heading.split_once(' ').ok_or(format!("`{}`: no territory", plan.heading))?;
        let (code, territory) = (heading.0.to_owned(), heading.1.to_owned());
        codes.entry(code).or_default().push((territory, plan));
    }
    let mut outcomes = Outcomes(Vec::new());
    let mut nodes = Nodes::default();
    let root = grow(&mut nodes, &codes, "", Way::start(), (&places, &mut outcomes))?;
    u16::try_from(outcomes.0.len())?;
    let mut starts = Vec::new();
    for lead in 0..1000 {
        let after =
            [lead / 100, lead / 10 % 10, lead % 10].into_iter().fold(root, |node, digit| nodes.next(node, digit));
        starts.push(after);
    }
    let starts = nodes.write("NUMBERS", &starts, out)?;
    writeln!(
        out,
        "/// Where to begin, by the first three digits.\npub(crate) static STARTS: [u16; 1000] = {starts:?};"
    )?;
    list(out, "KNOWN", "Known", &outcomes.0)?;
    let sets: Vec<String> = places.sets.iter().map(|set| format!("&{set:?}")).collect();
    list(out, "ZONES", "&[&str]", &sets)?;
    write_codes(&codes, &places, out)
}

fn write_codes(
    codes: &HashMap<String, Vec<(String, Plan)>>,
    places: &Places,
    out: &mut String,
) -> Result<Vec<String>, Box<dyn Error>> {
    let mut sorted: Vec<(u16, Vec<&str>)> = Vec::new();
    for (code, plans) in codes {
        let names = plans.iter().map(|(name, _)| name.as_str()).filter(|name| *name != "-");
        sorted.push((code.parse()?, names.collect()));
    }
    sorted.sort_unstable();
    let territory = |name: &&str| format!("Territory(*b\"{name}\")");
    let shared = |(code, names): &(u16, Vec<&str>)| {
        let names: Vec<String> = names.iter().map(territory).collect();
        format!("({code}, &[{}])", names.join(", "))
    };
    list(out, "CODES", "(u16, &[Territory])", &sorted.iter().map(shared).collect::<Vec<_>>())?;
    // The first three digits of a number begin with one code at most, and 255 is no place in these lists.
    let code_of = |lead: u16| {
        let lead = format!("{lead:03}");
        sorted.iter().position(|(code, _)| lead.starts_with(&code.to_string()))
    };
    let leads = (0..1000).map(|lead| code_of(lead).map_or(Ok(u8::MAX), u8::try_from)).collect::<Result<Vec<_>, _>>()?;
    writeln!(out, "/// The place in the list of codes by the first three digits.")?;
    writeln!(out, "pub(crate) static LEADS: [u8; 1000] = {leads:?};")?;
    let mut territories: Vec<(&str, u16)> =
        sorted.iter().flat_map(|(code, names)| names.iter().map(|name| (*name, *code))).collect();
    territories.sort_unstable();
    let mut rows = Vec::new();
    let mut by_letters = [u8::MAX; 26 * 26];
    for (place, (name, code)) in territories.iter().enumerate() {
        rows.push(format!("({}, {code}, Zones({}))", territory(name), places.zones_of(name)?));
        let letters = name.bytes().try_fold(0, |sum, letter| Some(sum * 26 + usize::from(letter.checked_sub(b'A')?)));
        let entry = letters.and_then(|letters| by_letters.get_mut(letters));
        *entry.ok_or(format!("`{name}` is no territory of two letters"))? = u8::try_from(place)?;
    }
    list(out, "TERRITORIES", "(Territory, u16, Zones)", &rows)?;
    writeln!(out, "/// The place in the list of territories by their two letters.")?;
    writeln!(out, "pub(crate) static TERRITORY_PLACES: [u8; 26 * 26] = {by_letters:?};")?;
    Ok(territories.into_iter().map(|(name, _)| name.to_owned()).collect())
}

/// Writes a static slice.
///
/// # Errors
/// None that a string has.
pub(crate) fn list(out: &mut String, name: &str, kind: &str, items: &[String]) -> std::fmt::Result {
    writeln!(out, "pub(crate) static {name}: &[{kind}] = &[")?;
    items.iter().try_for_each(|item| writeln!(out, "    {item},"))?;
    writeln!(out, "];")
}
