//! The answer for a person: what becomes of the message, its text with the evidence marked, and a line for each rule.

use std::fmt::Write;
use std::ops::Range;

use crate::explain::{Answer, HIDDEN, Shown, label, quote, visible, word};
use crate::pdu::{Address, Destination};

use crate::policy::{Clause, Evidence, Explanation, Foretold, Opinion, Recipients, Rejection, Says, Span, Submission};

/// Characters in a line of the text.
const LINE: usize = 96;
/// What stands before each line of the text.
const INDENT: &str = "  ";
/// Recipients that are named before it is said how many more there are.
const MAX_RECIPIENTS: usize = 10;

/// The whole report.
pub(super) fn print(answer: &Answer<'_>) -> String {
    let mut out = headline(answer);
    let Ok(explanation) = &answer.explanation else { return out };
    out.push('\n');
    let facts = [
        ("account", answer.account.system_id().to_owned()),
        ("at", format!("{:.0}", answer.at)),
        ("from", address(&explanation.message.source)),
        ("to", recipients(&explanation.message)),
        ("sent as", answer.frame.command_id().to_string()),
    ];
    for (name, value) in facts {
        line(&mut out, format_args!("{name:<8} {value}"));
    }
    texts(&mut out, answer, explanation);
    out.push('\n');
    table(&mut out, explanation);
    out
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // A String takes whatever it is given.
    let _ = writeln!(out, "{text}");
}

fn headline(answer: &Answer<'_>) -> String {
    let mut out = String::new();
    match &answer.explanation {
        Err(malformed) => {
            line(&mut out, format_args!("rejected with {}, before any rule: {malformed}", malformed.status()));
        }
        Ok(Explanation { outcome: Foretold::Rejected(rejection), .. }) => {
            let Rejection { status, rule, clause, .. } = rejection;
            let ground = clause.map_or(String::new(), |clause| format!(", clause {}", named(clause, ("(", ")"))));
            line(&mut out, format_args!("rejected with {status} by {}{ground}", rule.name()));
            if let Some(text) = clause.and_then(Clause::text) {
                line(&mut out, format_args!("{INDENT}{}", text.summary));
            }
        }
        Ok(Explanation { outcome: Foretold::Reduced(refused), message, .. }) => {
            let all = message.recipients.len();
            line(&mut out, format_args!("relayed without {} of its {all} destinations", refused.len()));
        }
        Ok(Explanation { outcome: Foretold::Relayed, opinions, .. }) => {
            let against = |opinion: &&Opinion| {
                let recipients = opinion.recipients.iter().map(|(_, says)| says);
                recipients.chain([&opinion.says]).any(|says| says.rejection().is_some())
            };
            match opinions.iter().filter(against).count() {
                0 => line(&mut out, format_args!("relayed: no rule has anything against it")),
                1 => line(&mut out, format_args!("relayed, and recorded by a rule")),
                count => line(&mut out, format_args!("relayed, and recorded by {count} rules")),
            }
        }
    }
    out
}

/// `34 Discrimination`, with what goes around the title.
fn named(Clause(number): Clause, (before, behind): (&str, &str)) -> String {
    match Clause(number).text() {
        Some(text) => format!("{number} {before}{}{behind}", text.title),
        None => number.to_string(),
    }
}

fn address(address: &Address<'_>) -> String {
    if address.digits.is_empty() {
        return "nobody".to_owned();
    }
    String::from_utf8_lossy(address.digits).chars().map(visible).collect()
}

fn recipient(destination: &Destination<'_>) -> String {
    match destination {
        Destination::Sme(sme) => address(sme),
        Destination::List(name) => format!("the distribution list {}", String::from_utf8_lossy(name)),
    }
}

fn recipients(message: &Submission<'_>) -> String {
    match message.recipients {
        Recipients::None => "the recipient of the message that is replaced".to_owned(),
        Recipients::One(one) => address(&one),
        Recipients::Many(many) => {
            let mut named: Vec<String> = many.iter().take(MAX_RECIPIENTS).map(|it| recipient(&it)).collect();
            if let Some(more @ 1..) = many.len().checked_sub(MAX_RECIPIENTS) {
                named.push(format!("and {more} more"));
            }
            named.join(", ")
        }
    }
}

/// Everything that a rule says against the message, and where in the text it lies if it does.
fn evidence(explanation: &Explanation<'_>) -> Vec<(Evidence, Span)> {
    let mut all: Vec<(Evidence, Span)> = Vec::new();
    for Opinion { says, recipients, .. } in &explanation.opinions {
        for says in [says].into_iter().chain(recipients.iter().map(|(_, says)| says)) {
            let Some(evidence) = says.rejection().map(|rejection| rejection.evidence) else { continue };
            let Some(span) = evidence.span() else { continue };
            if !all.iter().any(|(known, _)| *known == evidence) {
                all.push((evidence, span));
            }
        }
    }
    all
}

fn texts(out: &mut String, answer: &Answer<'_>, explanation: &Explanation<'_>) {
    let evidence = evidence(explanation);
    let spans: Vec<Span> = evidence.iter().map(|(_, span)| *span).collect();
    let alphabet = answer.account.declared().default_alphabet;
    let mut hidden = false;
    for shown in Shown::all(&explanation.message, alphabet, &spans) {
        let Shown { field, charset, octets, text, .. } = &shown;
        line(out, format_args!("text     {octets} octets of {charset} in {}", field.name()));
        out.push('\n');
        let marks = evidence.iter().filter(|(_, span)| span.reading == *charset);
        let marks = marks.filter_map(|(evidence, span)| Some((shown.range(span)?, label(evidence)))).collect();
        marked(out, text, marks);
        hidden |= text.chars().any(|character| character != HIDDEN && visible(character) == HIDDEN);
    }
    if hidden {
        line(out, format_args!("\n{INDENT}{HIDDEN} stands for a character that is not seen"));
    }
}

/// The text, with a line under it for each range.
fn marked(out: &mut String, text: &str, marks: Vec<(Range<usize>, String)>) {
    for row in rows(text) {
        let shown: String = text.get(row.clone()).unwrap_or_default().chars().map(visible).collect();
        line(out, format_args!("{INDENT}{}", shown.trim_end_matches('\n')));
        for (range, label) in &marks {
            let (from, to) = (range.start.max(row.start), range.end.min(row.end));
            let Some(under) = text.get(from..to).filter(|under| !under.is_empty()) else { continue };
            let before = text.get(row.start..from).unwrap_or_default().chars().count();
            let label = if range.end <= row.end { label } else { "" };
            let mark =
                format!("{INDENT}{}{} {label}", " ".repeat(before), "^".repeat(under.trim_end().chars().count()));
            line(out, format_args!("{}", mark.trim_end()));
        }
    }
}

/// The text in lines, broken where it breaks, else at a space, else anywhere.
fn rows(text: &str) -> Vec<Range<usize>> {
    let (mut rows, mut start) = (Vec::new(), 0);
    while let Some(rest) = text.get(start..).filter(|rest| !rest.is_empty()) {
        let full = rest.char_indices().nth(LINE).map_or(rest.len(), |(at, _)| at);
        let head = rest.get(..full).unwrap_or(rest);
        let end = match (head.find('\n'), head.rfind(' ')) {
            (Some(at), _) => at + 1,
            (None, Some(at)) if full < rest.len() => at + 1,
            _ => full,
        };
        rows.push(start..start + end);
        start += end;
    }
    rows
}

/// A line for each rule, and for each recipient of whom it says something else.
fn table(out: &mut String, explanation: &Explanation<'_>) {
    let heading = ["rule", "mode", "says", "clause", "status", "because"].map(str::to_owned);
    let mut rows = vec![heading];
    for opinion in &explanation.opinions {
        rows.push(row(explanation, (opinion.rule.name(), opinion.mode.name()), &opinion.says, None));
        let single = matches!(explanation.message.recipients, Recipients::One(_));
        for (index, says) in &opinion.recipients {
            if single && opinion.says == Says::Pass {
                // What it says of the one recipient it says of the message.
                rows.pop();
                rows.push(row(explanation, (opinion.rule.name(), opinion.mode.name()), says, None));
                continue;
            }
            let to = match explanation.message.recipients {
                Recipients::Many(many) => many.iter().nth(*index).map(|it| recipient(&it)),
                _ => None,
            };
            rows.push(row(explanation, ("", ""), says, to));
        }
    }
    for rejection in &explanation.own {
        let says = Says::Refuse(rejection.clone());
        rows.push(row(explanation, ("itself", "always"), &says, None));
    }
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        line(out, format_args!("{}", cells.collect::<Vec<_>>().join("  ").trim_end()));
    }
}

fn row(explanation: &Explanation<'_>, (rule, mode): (&str, &str), says: &Says, to: Option<String>) -> [String; 6] {
    let rejection = says.rejection();
    let clause = rejection.and_then(|rejection| rejection.clause);
    let because = match (rejection, says) {
        (Some(rejection), _) => because(&explanation.message, &rejection.evidence),
        (None, Says::Unread) => "the text cannot be read".to_owned(),
        _ => String::new(),
    };
    [
        rule.to_owned(),
        mode.to_owned(),
        word(says).to_owned(),
        clause.map_or(String::new(), |clause| named(clause, ("", ""))),
        rejection.map_or(String::new(), |rejection| rejection.status.to_string()),
        match to {
            Some(to) => format!("for {to}: {because}"),
            None => because,
        },
    ]
}

fn because(message: &Submission<'_>, evidence: &Evidence) -> String {
    match evidence.span().and_then(|span| quote(message, &span)) {
        Some(quoted) => {
            let quoted: String = quoted.chars().map(|c| if c == '\n' { ' ' } else { visible(c) }).collect();
            format!("{evidence}: «{quoted}»")
        }
        None => evidence.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_broken_at_spaces_and_marked_over_the_break() {
        let text = format!("first\n{} zorble now, or else", "word ".repeat(18).trim_end());
        let at = text.find("zorble").unwrap();
        let mut out = String::new();
        marked(&mut out, &text, vec![(at - 5..at + 10, "own-1".to_owned()), (0..5, "own-2".to_owned())]);
        let words = "word ".repeat(18);
        let (words, before) = (words.trim_end(), " ".repeat(words.len() - 5));
        let expected =
            format!("  first\n  ^^^^^ own-2\n  {words}\n  {before}^^^^\n  zorble now, or else\n  ^^^^^^^^^^ own-1\n");
        assert_eq!(out.lines().map(str::trim_end).collect::<Vec<_>>(), expected.lines().collect::<Vec<_>>());
    }
}
