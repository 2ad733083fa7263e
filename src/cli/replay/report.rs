//! What changes, for a person and for a program.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::rate;
use crate::explain::visible;
use crate::pdu::CommandStatus;
use crate::policy::Clause;
use crate::replay::{Captured, Changed, Clauses, Ground, Kind, Recorded, Tally, Under, Verdict};

/// What was found.
pub(super) struct Report {
    tally: Tally,
    notes: Vec<String>,
    /// What the input holds, by name.
    input: Map<String, Value>,
    took: Duration,
}

impl Report {
    pub(super) fn of_capture(captured: Captured, mut notes: Vec<String>, is_against: bool, took: Duration) -> Self {
        let Captured { packets, other, unknown_link, cut, connections, tally, forgotten } = captured;
        notes.push(
            "what is remembered of earlier messages (repetition, limits, unanswered offers, prior contact) begins with the \
             capture"
                .to_owned(),
        );
        if connections.ports.len() > 1 {
            let ports: Vec<String> = connections.ports.keys().map(u16::to_string).collect();
            let ports = ports.join(", ");
            notes.push(format!(
                "messages go to ports {ports}: if one is the message centre's, each counts twice; choose with --port"
            ));
        }
        if !is_against && tally.ambiguous > 0 {
            let count = tally.ambiguous;
            notes.push(format!(
                "{count} refusals have a status that message centres give as well, and count as the proxy's: name what was in \
                 force with --against to tell them apart"
            ));
        }
        if forgotten > 0 {
            notes.push(format!("{forgotten} opt-outs of the capture itself found no room and count for nothing"));
        }
        let counts = [
            ("packets", packets.packets),
            ("packets_without_time", packets.untold),
            ("packets_not_tcp", other),
            ("packets_on_unknown_links", unknown_link),
            ("packets_cut", cut),
            ("connections", connections.smpp),
            ("connections_begun_before", connections.begun_before),
            ("connections_not_smpp", connections.foreign),
            ("pdus", connections.pdus),
            ("gaps", connections.gaps),
            ("octets_lost", connections.lost),
            ("octets_skipped", connections.skipped),
        ];
        Self {
            tally,
            notes,
            input: counts.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect(),
            took,
        }
    }

    pub(super) fn of_records(recorded: Recorded, mut notes: Vec<String>, took: Duration) -> Self {
        let Recorded { lines, other, unread, tally, .. } = recorded;
        notes.push(
            "records are of what was refused, or would have been by a rule in shadow: what else went up is not among them"
                .to_owned(),
        );
        notes.push(
            "that a ground is lifted does not say that the message would pass: later rules may refuse it".to_owned(),
        );
        let counts = [("lines", lines), ("lines_about_else", other), ("lines_unread", unread)];
        Self {
            tally,
            notes,
            input: counts.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect(),
            took,
        }
    }

    /// For a person.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        let present = self.input.iter().filter(|(_, count)| **count != json!(0));
        let input: Vec<String> = present.map(|(name, count)| format!("{count} {}", name.replace('_', " "))).collect();
        line(&mut out, format_args!("{}", input.join(", ")));
        let tally = &self.tally;
        line(
            &mut out,
            format_args!(
                "{} messages in {:.1} s ({:.0} a second)\n",
                tally.messages,
                self.took.as_secs_f64(),
                rate(tally, self.took)
            ),
        );
        self.table(&mut out);
        for (why, count) in &tally.not_judged {
            line(&mut out, format_args!("not judgeable: {count}, as {why}"));
        }
        self.examples(&mut out);
        out.push('\n');
        self.notes.iter().for_each(|note| line(&mut out, format_args!("note: {note}")));
        out
    }

    fn table(&self, out: &mut String) {
        let heading =
            ["clause", "rule", "newly refused", "newly passed", "other ground", "ground lifted", "still refused"];
        let heading = heading.into_iter().chain(["not judgeable", "in shadow before", "in shadow after"]);
        let mut rows: Vec<Vec<String>> = vec![heading.map(str::to_owned).collect()];
        let count = |count: u64| if count == 0 { "-".to_owned() } else { count.to_string() };
        for (under, row) in &self.tally.rows {
            let kinds = Kind::ALL.map(|kind| count(row.changed.get(&kind).copied().unwrap_or(0)));
            let not_judged = row.not_judged.values().sum();
            let rest = [row.still_refused, not_judged, row.noted_before, row.noted_after].map(count);
            rows.push([clause(under), rule(under)].into_iter().chain(kinds).chain(rest).collect());
        }
        let sums = Kind::ALL.map(|kind| count(self.tally.changed(kind)));
        let rest = [self.tally.still_refused(), self.tally.not_judged()].map(count);
        rows.push(["all".to_owned(), String::new()].into_iter().chain(sums).chain(rest).collect());
        let widths: Vec<usize> = (0..rows.first().map_or(0, Vec::len))
            .map(|column| {
                rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        for row in &rows {
            let cells =
                row.iter().zip(&widths).enumerate().map(|(at, (cell, width))| {
                    if at < 2 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
                });
            line(out, format_args!("{}", cells.collect::<Vec<_>>().join("  ").trim_end()));
        }
        line(out, format_args!("passed, and would again: {}", self.tally.still_passed));
        for (under, row) in &self.tally.rows {
            for (why, count) in &row.not_judged {
                let rule = rule(under);
                line(out, format_args!("not judgeable: {count} of {rule}, as {why}"));
            }
        }
    }

    fn examples(&self, out: &mut String) {
        for (under, row) in &self.tally.rows {
            for kind in Kind::ALL {
                let mut examples = row.examples.iter().filter(|example| example.kind == kind).peekable();
                if examples.peek().is_some() {
                    let behind = number(under).map_or_else(String::new, |_| format!(", clause {}", clause(under)));
                    line(out, format_args!("\n{}: {}{behind}", kind.name(), rule(under)));
                }
                examples.for_each(|example| one(out, example));
            }
        }
    }

    /// For a program.
    pub(super) fn json(&self) -> String {
        let rows = self.tally.rows.iter().map(|(under, row)| {
            let mut object = Map::new();
            object.insert("rule".to_owned(), under.rule.into());
            object.insert("clause".to_owned(), number(under).into());
            object.insert("status".to_owned(), under.status.map(|status| CommandStatus(status).to_string()).into());
            for kind in Kind::ALL {
                let count = row.changed.get(&kind).copied().unwrap_or(0);
                object.insert(kind.name().replace(' ', "_"), count.into());
            }
            object.insert("still_refused".to_owned(), row.still_refused.into());
            object.insert("not_judgeable".to_owned(), json!(row.not_judged));
            object.insert("shadow_before".to_owned(), row.noted_before.into());
            object.insert("shadow_after".to_owned(), row.noted_after.into());
            object.insert("examples".to_owned(), row.examples.iter().map(message).collect());
            Value::Object(object)
        });
        let kinds = Kind::ALL.map(|kind| (kind.name().replace(' ', "_"), json!(self.tally.changed(kind))));
        let summary = json!({
            "messages": self.tally.messages,
            "unchanged": self.tally.is_unchanged(),
            "changed": Value::Object(kinds.into_iter().collect()),
            "still_passed": self.tally.still_passed,
            "still_refused": self.tally.still_refused(),
            "not_judgeable": self.tally.not_judged(),
            "not_judgeable_because": self.tally.not_judged,
            "rules": rows.collect::<Vec<_>>(),
            "input": self.input,
            "notes": self.notes,
            "seconds": self.took.as_secs_f64(),
            "messages_per_second": rate(&self.tally, self.took),
        });
        format!("{summary}\n")
    }
}

/// A message that changes, as one object.
pub(super) fn message(changed: &Changed) -> Value {
    let Changed { about, kind, before, after } = changed;
    let mut object = Map::new();
    match &about.reference {
        Some(reference) => object.insert("ref".to_owned(), (**reference).into()),
        None => object.insert("packet".to_owned(), about.place.into()),
    };
    let after = if *kind == Kind::Lifted { json!({"verdict": "unknown"}) } else { verdict(after, None) };
    let rest = [
        ("at", time(about.at).into()),
        ("account", (*about.account).into()),
        ("operation", about.operation.to_string().into()),
        ("sequence", about.sequence.into()),
        ("source", about.sender.to_string().into()),
        ("change", kind.name().into()),
        ("before", verdict(before, about.evidence.as_deref())),
        ("after", after),
    ];
    rest.into_iter().for_each(|(name, value)| drop(object.insert(name.to_owned(), value)));
    if let Some(shown) = &about.shown {
        object.insert("destination".to_owned(), shown.recipients.as_str().into());
        object.insert("text".to_owned(), shown.text.as_str().into());
    }
    Value::Object(object)
}

fn verdict(verdict: &Verdict, recorded: Option<&Value>) -> Value {
    let ground = |name: &str, Ground { rule, clause, status, evidence }: &Ground| {
        let evidence = recorded.cloned().or_else(|| evidence.and_then(|evidence| serde_json::to_value(evidence).ok()));
        json!({"verdict": name, "rule": rule, "clause": clause, "status": status.to_string(), "evidence": evidence})
    };
    match verdict {
        Verdict::Passed => json!({"verdict": "passed"}),
        Verdict::Refused(why) => ground("refused", why),
        Verdict::Reduced(count, why) => {
            let mut object = ground("reduced", why);
            if let Some(object) = object.as_object_mut() {
                object.insert("refused_destinations".to_owned(), json!(count));
            }
            object
        }
    }
}

/// An example in a line, and what it says in others if that is to be shown.
fn one(out: &mut String, example: &Changed) {
    let Changed { about, kind, before, after } = example;
    let place = match &about.reference {
        Some(reference) => (**reference).to_owned(),
        None => format!("packet {}", about.place),
    };
    let recorded = about.evidence.as_ref().map(|evidence| format!(" {evidence}")).unwrap_or_default();
    let after = if *kind == Kind::Lifted { "not for that".to_owned() } else { words(after) };
    line(
        out,
        format_args!(
            "  {place}  {}  {} {} {} from {}: {}{recorded} -> {after}",
            time(about.at),
            about.account.chars().map(visible).collect::<String>(),
            about.operation,
            about.sequence,
            about.sender,
            words(before),
        ),
    );
    if let Some(shown) = &about.shown {
        let text = |text: &str| text.chars().map(visible).collect::<String>().replace('\n', "\n    ");
        line(out, format_args!("    to {}\n    {}", text(&shown.recipients), text(&shown.text)));
    }
}

fn words(verdict: &Verdict) -> String {
    let because = |ground: &Ground| ground.evidence.map_or(String::new(), |evidence| format!(" ({evidence})"));
    let by = |ground: &Ground| match ground.clause {
        Some(clause) => format!("{} clause {clause}", ground.rule),
        None => ground.rule.to_owned(),
    };
    match verdict {
        Verdict::Passed => "passed".to_owned(),
        Verdict::Refused(ground) => format!("{} by {}{}", ground.status, by(ground), because(ground)),
        Verdict::Reduced(count, ground) => {
            format!("without {count} destinations, {} by {}{}", ground.status, by(ground), because(ground))
        }
    }
}

fn number(under: &Under) -> Option<u16> {
    match under.clause {
        Clauses::Clause(number) => Some(number),
        Clauses::None => None,
    }
}

fn clause(under: &Under) -> String {
    let Some(number) = number(under) else { return "-".to_owned() };
    Clause(number).text().map_or_else(|| number.to_string(), |text| format!("{number} {}", text.title))
}

fn rule(under: &Under) -> String {
    match under.status {
        Some(status) => format!("{} {}", under.rule, CommandStatus(status)),
        None => under.rule.to_owned(),
    }
}

fn time(at: i64) -> String {
    format!("{:.3}", jiff::Timestamp::from_millisecond(at).unwrap_or_default())
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // A String takes whatever it is given.
    let _ = writeln!(out, "{text}");
}
