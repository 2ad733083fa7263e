//! The operator's regular expressions: which of them match a view, each where.
//!
//! A text in which none of their literals occurs costs one pass, however many there are. So every expression must have
//! a literal of four octets or more in each of its matches, and no match may be longer than [`LONGEST`]: then an expression
//! is run only around its literals, and sees as much of a message's parts as lists do. All runs over one view together
//! take a bounded number of steps; a text that is built to exceed it is not relayed.

use std::ops::Range;

use aho_corasick::AhoCorasick;
use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind};

use crate::config::{Faults, OwnEntry, OwnExpression};

/// Octets of the longest match.
const LONGEST: usize = 200;
/// Octets of the shortest literal.
const SHORTEST_LITERAL: usize = 4;
/// Memory that one compiled expression may take, in octets.
const SIZE_LIMIT: usize = 1 << 20;
/// Octets that all runs over one view may read, beside [`STEPS_PER_OCTET`].
const STEPS: usize = 8 * 1024;
/// Octets that all runs may read for each octet of the view.
const STEPS_PER_OCTET: usize = 4;
/// The most literals that an expression may begin its search from.
const MAX_LITERALS: usize = 64;

/// Compiled expressions.
#[derive(Debug, Default)]
pub(super) struct Expressions {
    all: Vec<Expression>,
    literals: Option<AhoCorasick>,
    /// By literal: whose it is.
    owners: Vec<usize>,
}

#[derive(Debug)]
struct Expression {
    entry: OwnEntry,
    regex: Regex,
    longest: usize,
}

/// One expression alone, and a text that has it run as often as one of its size can: its own literals, over and over.
#[derive(Debug)]
pub struct Trial {
    alone: Expressions,
    text: String,
}

impl Trial {
    /// The trial of an expression.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn new(own: &OwnExpression) -> Result<Self, Vec<Faults>> {
        let alone = Expressions::new(std::slice::from_ref(own))?;
        let literals = compile(own).map(|(_, literals)| literals).unwrap_or_default();
        let spaced =
            literals.iter().flat_map(|literal| [String::from_utf8_lossy(literal).into_owned(), " ".to_owned()]);
        let text = spaced.collect::<String>().chars().cycle().take(TRIAL).collect();
        Ok(Self { alone, text })
    }

    /// Looks for it as in a message, within the same bounds, and says how many matches there are.
    pub fn run(&self) -> usize {
        let mut matches = 0;
        // A text that is read no further than that costs no more either.
        let _read = self.alone.scan(&self.text, &mut Scratch::default(), |_, _| matches += 1);
        matches
    }
}

/// Characters of the text of a [`Trial`]: those of a long message.
pub const TRIAL: usize = 1600;

/// How far each expression has read, and how much all may still read.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    read_to: Vec<usize>,
}

/// The runs over this view would read too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exhausted;

impl Expressions {
    /// Compiles `expressions`.
    ///
    /// # Errors
    /// Every expression that cannot be used, with its place and why.
    pub(super) fn new(expressions: &[OwnExpression]) -> Result<Self, Vec<Faults>> {
        let (mut all, mut literals, mut owners, mut faults) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for own in expressions {
            match compile(own) {
                Ok((expression, own_literals)) => {
                    owners.extend(std::iter::repeat_n(all.len(), own_literals.len()));
                    literals.extend(own_literals);
                    all.push(expression);
                }
                Err(Unfit { message, help }) => faults.push(Faults::of_file(&own.entry.place, message, help)),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        // Only sizes far beyond those of a configuration file make it fail.
        let literals = if all.is_empty() { None } else { AhoCorasick::new(&literals).ok() };
        Ok(Self { all, literals, owners })
    }

    /// Shows `found` each match in `view`: the entry and the range.
    pub(super) fn scan(
        &self,
        view: &str,
        scratch: &mut Scratch,
        mut found: impl FnMut(&OwnEntry, Range<usize>),
    ) -> Result<(), Exhausted> {
        let Some(literals) = &self.literals else { return Ok(()) };
        scratch.read_to.clear();
        let mut steps = STEPS + STEPS_PER_OCTET * view.len();
        for literal in literals.find_overlapping_iter(view) {
            let Some(&owner) = self.owners.get(literal.pattern().as_usize()) else { continue };
            let Some(expression) = self.all.get(owner) else { continue };
            scratch.read_to.resize(self.all.len(), 0);
            let Some(read_to) = scratch.read_to.get_mut(owner) else { continue };
            let end = view.ceil_char_boundary((literal.start() + expression.longest).min(view.len()));
            if end <= *read_to {
                continue;
            }
            let start = view.floor_char_boundary(literal.end().saturating_sub(expression.longest));
            steps = steps.checked_sub(end - start).ok_or(Exhausted)?;
            *read_to = end;
            let input = Input::new(view).span(start..end);
            expression.regex.find_iter(input).for_each(|matched| found(&expression.entry, matched.range()));
        }
        Ok(())
    }
}

/// Why an expression cannot be used.
struct Unfit {
    message: String,
    help: &'static str,
}

fn unfit(message: impl Into<String>, help: &'static str) -> Unfit {
    Unfit { message: message.into(), help }
}

fn compile(own: &OwnExpression) -> Result<(Expression, Vec<Vec<u8>>), Unfit> {
    let hir = ParserBuilder::new().build().parse(&own.expression).map_err(|error| {
        let error = error.to_string();
        let last = error.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        unfit(format!("is no regular expression: {last}"), "expected the syntax of the Rust regex crate")
    })?;
    let longest = hir.properties().maximum_len().filter(|longest| *longest <= LONGEST).ok_or_else(|| {
        unfit(format!("may match more than {LONGEST} octets"), "bound its repetitions, such as .{0,40} in place of .*")
    })?;
    let literals = required(&hir).filter(|all| all.iter().all(|literal| literal.len() >= SHORTEST_LITERAL));
    let literals = literals.filter(|all| all.len() <= MAX_LITERALS).ok_or_else(|| {
        unfit("has no literal of 4 octets in each of its matches", "add one, or use [[policy.content.word]]")
    })?;
    if literals.iter().any(|literal| String::from_utf8_lossy(literal).chars().any(char::is_uppercase)) {
        return Err(unfit("has capital letters, which never match", "write it in lower case: texts are"));
    }
    let regex = Regex::builder()
        .configure(Regex::config().match_kind(MatchKind::LeftmostFirst).nfa_size_limit(Some(SIZE_LIMIT)))
        .syntax(syntax::Config::new())
        .build(&own.expression)
        .map_err(|error| unfit(format!("cannot be compiled: {error}"), "make it smaller"))?;
    Ok((Expression { entry: own.entry.clone(), regex, longest }, literals))
}

/// Literals of which every match has one; none if there are no such.
fn required(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    match hir.kind() {
        HirKind::Literal(literal) => Some(vec![literal.0.to_vec()]),
        HirKind::Capture(capture) => required(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => required(&repetition.sub),
        HirKind::Concat(all) => all
            .iter()
            .rev()
            .filter_map(required)
            .max_by_key(|literals| literals.iter().map(Vec::len).min().unwrap_or(0)),
        HirKind::Alternation(all) => {
            all.iter().map(required).collect::<Option<Vec<_>>>().map(|all| all.into_iter().flatten().collect())
        }
        HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) | HirKind::Repetition(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(expression: &str) -> OwnExpression {
        let entry = OwnEntry {
            place: "c.toml:3: policy.content.expression[0]".to_owned(),
            id: "own-1".to_owned(),
            clause: 30,
            category: "own".to_owned(),
            language: "any".to_owned(),
        };
        OwnExpression { entry, expression: expression.to_owned() }
    }

    fn found(expression: &str, view: &str) -> Vec<Range<usize>> {
        let expressions = Expressions::new(&[own(expression)]).unwrap();
        let mut all = Vec::new();
        expressions.scan(view, &mut Scratch::default(), |_, range| all.push(range)).unwrap();
        all.dedup();
        all
    }

    #[test]
    #[expect(clippy::single_range_in_vec_init, reason = "the ranges themselves are compared")]
    fn matches_are_found_around_their_literals() {
        for (expression, view, expected) in [
            ("cheap (meds|pills)", "buy cheap pills, cheap meds", &[4..15, 17..27][..]),
            (r"\bcode\b.{0,10}\d{4}", "barcode 1234 code is 1234", &[13..25]),
            (r"(viagra|cialis)\d?", "viagra1 cialis", &[0..7, 8..14]),
            ("^free$", "free", &[0..4]),
            ("^free$", "free!", &[]),
            ("赌博", "在线赌博!", &[6..12]),
            ("(?:spam){2,3}", "spamspamspamspam", &[0..12]),
        ] {
            assert_eq!(found(expression, view), expected, "{expression} in {view}");
        }
    }

    #[test]
    fn what_cannot_be_bounded_is_refused() {
        for (expression, message) in [
            ("(abc", "is no regular expression: unclosed group"),
            ("free.*money", "may match more than 200 octets"),
            ("a.{0,300}bcde", "may match more than 200 octets"),
            ("[a-z]{4,8}", "has no literal of 4 octets in each of its matches"),
            ("free|win", "has no literal of 4 octets in each of its matches"),
            ("(free)?[0-9]", "has no literal of 4 octets in each of its matches"),
            ("(?i)free", "has no literal of 4 octets in each of its matches"),
            ("Free money", "has capital letters, which never match"),
            (r"free\w{50}\pL{30}", "may match more than 200 octets"),
        ] {
            let faults = Expressions::new(&[own(expression)]).unwrap_err();
            let text = faults[0].to_string();
            assert!(text.starts_with(&format!("c.toml:3: policy.content.expression[0]: {message}; ")), "{text}");
        }
    }

    #[test]
    fn a_text_built_to_exhaust_them_is_told() {
        let all: Vec<_> = (0..60).map(|number| own(&format!("abcd.{{0,30}}{number:03}x"))).collect();
        let expressions = Expressions::new(&all).unwrap();
        let scan = |view: &str| expressions.scan(view, &mut Scratch::default(), |_, _| {});
        assert_eq!(scan("one abcd and no more"), Ok(()));
        assert_eq!(scan(&"abcd".repeat(1000)), Err(Exhausted));
    }
}
