//! The answer for a program: one JSON object.

use serde::Serialize;

use super::Answer;
use super::shown::{Shown, label, quote};
use super::word;
use crate::config::RuleName;
use crate::pdu::Destination;
use crate::policy::{Clause, Evidence, Explanation, Foretold, Opinion, Recipients, Rejection, Says, Span, Submission};

#[derive(Serialize)]
struct Report<'a> {
    verdict: &'static str,
    #[serde(flatten)]
    decider: Option<Ground<'a>>,
    /// What the ESME is answered by the proxy itself.
    status: Option<String>,
    /// Why the body cannot be read.
    malformed: Option<String>,
    account: &'a str,
    at: String,
    operation: String,
    source: Option<String>,
    destinations: Vec<String>,
    texts: Vec<Text>,
    rules: Vec<Rule<'a>>,
    policy_version: String,
}

#[derive(Serialize)]
struct Text {
    field: &'static str,
    coding: String,
    octets: usize,
    text: String,
    marks: Vec<Mark>,
}

/// Where in the text evidence lies, in octets of UTF-8, and what it is called.
#[derive(Serialize)]
struct Mark {
    from: usize,
    to: usize,
    rule: &'static str,
    label: String,
}

#[derive(Serialize)]
struct Rule<'a> {
    rule: &'static str,
    mode: &'static str,
    #[serde(flatten)]
    opinion: Word<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    destinations: Vec<Single<'a>>,
}

/// What a rule says of one destination.
#[derive(Serialize)]
struct Single<'a> {
    destination: String,
    #[serde(flatten)]
    opinion: Word<'a>,
}

#[derive(Serialize)]
struct Word<'a> {
    /// Null if the rule is off.
    says: Option<&'static str>,
    #[serde(flatten)]
    ground: Option<Grounds<'a>>,
}

/// Why, with the status.
#[derive(Serialize)]
struct Grounds<'a> {
    status: String,
    #[serde(flatten)]
    ground: Ground<'a>,
}

/// Why.
#[derive(Serialize)]
struct Ground<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'static str>,
    clause: Option<u16>,
    title: Option<&'a str>,
    evidence: Evidence,
    #[serde(skip_serializing_if = "Option::is_none")]
    quoted: Option<String>,
}

/// The answer as an object.
pub(super) fn object<'a>(answer: &'a Answer<'_>) -> impl Serialize + use<'a> {
    let explanation = answer.explanation.as_ref().ok();
    let message = explanation.map(|explanation| &explanation.message);
    let destinations = message.map(destinations).unwrap_or_default();
    Report {
        verdict: match explanation.map(|explanation| &explanation.outcome) {
            Some(Foretold::Relayed) => "relayed",
            Some(Foretold::Reduced(_)) => "reduced",
            Some(Foretold::Rejected(_)) | None => "rejected",
        },
        decider: answer.decider().zip(message).map(|(rejection, message)| ground(message, rejection, true)),
        status: answer.status().map(|status| status.to_string()),
        malformed: answer.explanation.as_ref().err().map(ToString::to_string),
        account: answer.account.system_id(),
        at: answer.at.to_string(),
        operation: answer.frame.command_id().to_string(),
        source: message.map(|message| lossy(message.source.digits)),
        texts: explanation.map(|explanation| texts(answer, explanation)).unwrap_or_default(),
        rules: explanation.map(|explanation| rules(explanation, &destinations)).unwrap_or_default(),
        destinations,
        policy_version: format!("{:016x}", answer.policy_version),
    }
}

fn lossy(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

fn destinations(message: &Submission<'_>) -> Vec<String> {
    match message.recipients {
        Recipients::None => Vec::new(),
        Recipients::One(address) => vec![lossy(address.digits)],
        Recipients::Many(many) => many
            .iter()
            .map(|destination| match destination {
                Destination::Sme(address) => lossy(address.digits),
                Destination::List(name) => lossy(name),
            })
            .collect(),
    }
}

fn texts(answer: &Answer<'_>, explanation: &Explanation<'_>) -> Vec<Text> {
    let evidence: Vec<(RuleName, Evidence, Span)> = explanation
        .opinions
        .iter()
        .flat_map(|opinion| {
            let says = opinion.recipients.iter().map(|(_, says)| says).chain([&opinion.says]);
            let evidence = says.filter_map(Says::rejection).map(|rejection| rejection.evidence);
            evidence.filter_map(|evidence| Some((opinion.rule, evidence, evidence.span()?)))
        })
        .collect();
    let spans: Vec<Span> = evidence.iter().map(|(.., span)| *span).collect();
    let text = |shown: Shown<'_>| {
        let read_so = evidence.iter().filter(|(.., span)| span.reading == shown.charset);
        let marks = read_so.filter_map(|(rule, evidence, span)| {
            let range = shown.range(span)?;
            Some(Mark { from: range.start, to: range.end, rule: rule.name(), label: label(evidence) })
        });
        let marks = marks.collect();
        let Shown { field, charset, octets, text, .. } = shown;
        Text { field: field.name(), coding: charset.to_string(), octets, text, marks }
    };
    let shown = Shown::all(&explanation.message, answer.account.declared().default_alphabet, &spans);
    shown.into_iter().map(text).collect()
}

fn rules<'a>(explanation: &'a Explanation<'_>, destinations: &[String]) -> Vec<Rule<'a>> {
    let rule = |opinion: &'a Opinion| {
        let single = |(index, says): &'a (usize, Says)| Single {
            destination: destinations.get(*index).cloned().unwrap_or_default(),
            opinion: opinion_of(&explanation.message, says),
        };
        Rule {
            rule: opinion.rule.name(),
            mode: opinion.mode.name(),
            opinion: opinion_of(&explanation.message, &opinion.says),
            destinations: opinion.recipients.iter().map(single).collect(),
        }
    };
    explanation.opinions.iter().map(rule).collect()
}

fn opinion_of<'a>(message: &Submission<'_>, says: &'a Says) -> Word<'a> {
    let ground = |rejection: &'a Rejection| Grounds {
        status: rejection.status.to_string(),
        ground: ground(message, rejection, false),
    };
    Word { says: Some(word(says)).filter(|word| !word.is_empty()), ground: says.rejection().map(ground) }
}

fn ground<'a>(message: &Submission<'_>, rejection: &'a Rejection, with_rule: bool) -> Ground<'a> {
    Ground {
        rule: with_rule.then(|| rejection.rule.name()),
        clause: rejection.clause.map(|Clause(number)| number),
        title: rejection.clause.and_then(Clause::text).map(|text| text.title.as_str()),
        evidence: rejection.evidence,
        quoted: rejection.evidence.span().and_then(|span| quote(message, &span)),
    }
}
