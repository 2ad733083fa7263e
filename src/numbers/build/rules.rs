//! The rules of numbering plans as they are written in the data files, and what a number fits of them.
//! Knows nothing of what a rule stands for.

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::{start, syntax};
use regex_automata::{Anchored, MatchKind};

/// A pattern of whole numbers, and the lengths that it is for; any if there are none.
pub(crate) struct Rule {
    pub(crate) name: String,
    lengths: Vec<usize>,
    pattern: String,
}

/// What the rules below a heading are about, and these rules.
pub(crate) struct Plan {
    pub(crate) heading: String,
    pub(crate) rules: Vec<Rule>,
}

/// The lines of a data file without its comments, each with its number.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines()).filter(|(_, line)| !line.starts_with('#'))
}

/// The plans of a data file.
///
/// # Errors
/// What is wrong with which line.
pub(crate) fn plans(text: &str) -> Result<Vec<Plan>, String> {
    let mut plans: Vec<Plan> = Vec::new();
    for (number, line) in lines(text) {
        match (line.strip_prefix(' '), plans.last_mut()) {
            (None, _) => plans.push(Plan { heading: line.to_owned(), rules: Vec::new() }),
            (Some(rule), Some(plan)) => plan.rules.push(Rule::read(rule).ok_or_else(|| {
                format!("line {number}: `{line}` is no rule; write a name, lengths or *, and a pattern")
            })?),
            (Some(_), None) => return Err(format!("line {number}: a rule needs a heading above it")),
        }
    }
    Ok(plans)
}

impl Rule {
    fn read(line: &str) -> Option<Self> {
        let mut words = line.splitn(3, ' ');
        let (name, lengths, pattern) = (words.next()?, words.next()?, words.next()?);
        let lengths = match lengths {
            "*" => Vec::new(),
            some => some.split(',').map(|length| length.parse().ok()).collect::<Option<_>>()?,
        };
        Some(Self { name: name.to_owned(), lengths, pattern: pattern.to_owned() })
    }
}

/// Reads a number digit by digit and tells which of many rules it fits.
pub(crate) struct Matcher {
    dfa: dense::DFA<Vec<u32>>,
    lengths: Vec<Vec<usize>>,
    start: StateID,
}

impl Matcher {
    /// # Errors
    /// A pattern that cannot be read.
    pub(crate) fn new<'a>(rules: impl Iterator<Item = &'a Rule> + Clone) -> Result<Self, Box<dyn std::error::Error>> {
        let patterns: Vec<&str> = rules.clone().map(|rule| rule.pattern.as_str()).collect();
        let dfa = dense::Builder::new()
            .configure(dense::Config::new().match_kind(MatchKind::All).start_kind(StartKind::Anchored))
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .thompson(thompson::Config::new().utf8(false))
            .build_many(&patterns)?;
        let start = dfa.start_state(&start::Config::new().anchored(Anchored::Yes))?;
        Ok(Self { dfa, lengths: rules.map(|rule| rule.lengths.clone()).collect(), start })
    }

    /// Before the first digit.
    pub(crate) fn start(&self) -> StateID {
        self.start
    }

    /// After one more digit.
    pub(crate) fn next(&self, state: StateID, digit: u8) -> StateID {
        self.dfa.next_state(state, b'0' + digit)
    }

    /// The places of the rules that a number of so many digits fits, if it ends here.
    pub(crate) fn fits(&self, state: StateID, length: usize) -> Vec<usize> {
        let end = self.dfa.next_eoi_state(state);
        let count = if self.dfa.is_match_state(end) { self.dfa.match_len(end) } else { 0 };
        let of_length = |rule: &usize| {
            self.lengths.get(*rule).is_some_and(|lengths| lengths.is_empty() || lengths.contains(&length))
        };
        (0..count).map(|index| self.dfa.match_pattern(end, index).as_usize()).filter(of_length).collect()
    }
}
