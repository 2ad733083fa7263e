//! From the short numbers of each territory to their automaton.

use std::collections::HashMap;
use std::error::Error;
use std::fmt::Write;

use regex_automata::util::primitives::StateID;

use crate::automaton::{Language, MOST, Nodes};
use crate::plans::list;
use crate::rules::{Matcher, Plan, plans};

/// The short numbers of one territory.
struct Short<'a> {
    matcher: Matcher,
    rules: Vec<&'a str>,
    outcomes: &'a mut Vec<String>,
    /// The digits of the longest emergency number so far.
    longest: &'a mut usize,
}

impl Language for Short<'_> {
    type State = (StateID, usize);

    fn next(&self, (state, length): &Self::State, digit: u8) -> Self::State {
        (self.matcher.next(*state, digit), length + 1)
    }

    fn end(&mut self, (state, length): &Self::State) -> u16 {
        let fits: Vec<&str> =
            self.matcher.fits(*state, *length).into_iter().filter_map(|rule| self.rules.get(rule).copied()).collect();
        let fits = |name: &str| fits.contains(&name);
        if fits("emergency") || fits("expanded") {
            *self.longest = (*self.longest).max(*length);
        }
        outcome(self.outcomes, fits("emergency"), fits("expanded"), fits("general") && fits("service"))
    }
}

fn outcome(outcomes: &mut Vec<String>, emergency: bool, expanded: bool, is_service: bool) -> u16 {
    let emergency = match (emergency, expanded) {
        (true, _) => "Some(Emergency::Emergency)",
        (false, true) => "Some(Emergency::Expanded)",
        (false, false) => "None",
    };
    let short = format!("Short {{ emergency: {emergency}, is_service: {is_service} }}");
    let id = outcomes.iter().position(|outcome| *outcome == short).unwrap_or_else(|| {
        outcomes.push(short);
        outcomes.len() - 1
    });
    id as u16
}

/// Writes the automaton of short numbers and where to begin in it for each of these territories.
///
/// # Errors
/// What is wrong with the rules.
pub(crate) fn write(text: &str, territories: &[String], out: &mut String) -> Result<(), Box<dyn Error>> {
    let plans = plans(text)?;
    let known: HashMap<&str, &Plan> = plans.iter().map(|plan| (plan.heading.as_str(), plan)).collect();
    if let Some(plan) = plans.iter().find(|plan| !territories.contains(&plan.heading)) {
        return Err(format!("`{}` is no territory of plans.txt", plan.heading).into());
    }
    let (mut nodes, mut outcomes, mut starts, mut longest) = (Nodes::default(), Vec::new(), Vec::new(), 0);
    for territory in territories {
        let rules = known.get(territory.as_str()).map_or(&[][..], |plan| &plan.rules);
        let matcher = Matcher::new(rules.iter())?;
        let start = (matcher.start(), 0);
        let names = rules.iter().map(|rule| rule.name.as_str()).collect();
        let mut short = Short { matcher, rules: names, outcomes: &mut outcomes, longest: &mut longest };
        starts.push(nodes.grow(&mut short, &start, MOST));
    }
    let starts = nodes.write("SHORT_NUMBERS", &starts, out)?;
    writeln!(out, "/// Where to begin, in the order of the territories.")?;
    writeln!(out, "pub(crate) static SHORT_STARTS: &[u16] = &{starts:?};")?;
    writeln!(out, "/// The digits of the longest emergency number.")?;
    writeln!(out, "pub(crate) const LONGEST_EMERGENCY: usize = {longest};")?;
    Ok(list(out, "SHORTS", "Short", &outcomes)?)
}
