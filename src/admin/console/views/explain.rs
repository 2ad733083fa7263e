//! What every rule says of a message, with what they see marked in its text.

use axum::extract::Request;
use axum::response::Response;
use serde_json::{Map, Value};

use super::super::act::Filled;
use super::super::desk::{Asked, Desk, Trouble};
use super::super::form::{Field, Form, Input};
use super::super::page::{Block, Cell, Look, Page};

const PATH: &str = "/console/explain";
/// What is asked for, each with its label.
const FIELDS: [(&str, &str); 7] = [
    ("account", "Account"),
    ("from", "From (sender ID)"),
    ("to", "To (number)"),
    ("text", "Text"),
    ("service_type", "service_type"),
    ("at", "Time, as 2026-11-24T12:00:00Z"),
    ("pdu", "Instead of from, to and text: a PDU in hexadecimal"),
];

pub(in super::super) async fn ask(_desk: Desk, asked: Asked) -> Result<Page, Trouble> {
    Ok(form(|name| asked.query(name).to_owned()))
}

/// The answer stands over the form, with what was asked.
pub(in super::super) async fn answer(desk: Desk, request: Request) -> Response {
    let made = async {
        let filled = Filled::of(&desk, request).await?;
        let given = FIELDS.map(|(name, _)| (name, filled.get(name)));
        let question: Map<String, Value> = given
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        let said = desk.post("/v1/explain", &question.into()).await?;
        let mut page = form(|name| filled.get(name).to_owned());
        let asked = std::mem::take(&mut page.blocks);
        shown(&mut page, &said);
        page.blocks.extend(asked);
        Ok(page)
    };
    let made = made.await;
    desk.show(made)
}

fn form(value: impl Fn(&str) -> String) -> Page {
    let mut page = Page::new(PATH, "Explain a message");
    page.note(
        "Nothing is sent, and nothing is taken from a limit: the rules in force are asked with the facts of now.",
    );
    let field = |(name, label): (&str, &str)| {
        let input = if matches!(name, "text" | "pdu") { Input::Area } else { Input::Line("text") };
        let field = Field::new(name, label, input, &value(name));
        if name == "account" { field.required() } else { field }
    };
    page.add(Block::Form(Form::sending(PATH, "The message", "Explain", FIELDS.map(field).into())));
    page
}

fn shown(page: &mut Page, said: &Value) {
    let clause = match said.text("title") {
        "" => said.shown("clause"),
        title => format!("{} – {title}", said.shown("clause")),
    };
    let malformed = said.get("malformed").and_then(Value::as_str);
    if let Some(malformed) = malformed {
        page.add(Block::Alert(format!("The message cannot be read: {malformed}")));
    }
    page.add(Block::Facts(vec![
        ("Verdict", Cell::state(said.text("verdict"))),
        ("By rule", Cell::text(said.shown("rule"))),
        ("Clause", Cell::text(clause)),
        ("Status", Cell::Code(said.shown("status"))),
    ]));
    for text in said.items("texts") {
        page.note(format!("{} octets of {} in {}:", text.shown("octets"), text.shown("coding"), text.shown("field")));
        page.add(Block::Marked(pieces(text)));
    }
    let is_single = said.items("destinations").len() == 1;
    let mut rows = Vec::new();
    for rule in said.items("rules") {
        let (name, mode, each) = (rule.text("rule"), rule.text("mode"), rule.items("destinations"));
        match (rule.text("says"), each) {
            // What it says of the one recipient it says of the message.
            ("pass", [single]) if is_single => rows.push(row(single, name.to_owned(), mode)),
            _ => {
                rows.push(row(rule, name.to_owned(), mode));
                let single = |single: &Value| row(single, format!("{name} for {}", single.text("destination")), mode);
                rows.extend(each.iter().map(single));
            }
        }
    }
    page.table("Every rule", &["Rule", "Mode", "Says", "Clause", "Status", "Because"], rows);
}

fn row(opinion: &Value, name: String, mode: &str) -> Vec<Cell> {
    let or_nothing = |key: &str| {
        Cell::text(opinion.get(key).filter(|it| !it.is_null()).map(|_| opinion.shown(key)).unwrap_or_default())
    };
    let evidence = opinion.get("evidence").and_then(Value::as_object);
    let facts = evidence
        .into_iter()
        .flatten()
        .map(|(name, value)| format!("{name}: {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
    let mut because: Vec<String> = facts.collect();
    because.extend(opinion.get("quoted").and_then(Value::as_str).map(|quoted| format!("«{quoted}»")));
    vec![
        Cell::text(name),
        Cell::text(mode),
        Cell::state(opinion.text("says")),
        or_nothing("clause"),
        or_nothing("status"),
        Cell::text(because.join(", ")),
    ]
}

/// The text in pieces; where marks overlap, the piece has all their labels.
fn pieces(text: &Value) -> Vec<(String, Option<String>)> {
    let whole = text.text("text");
    let octet = |mark: &Value, key: &str| {
        mark.get(key).and_then(Value::as_u64).and_then(|at| usize::try_from(at).ok()).unwrap_or_default()
    };
    let mark = |mark: &Value| {
        (octet(mark, "from"), octet(mark, "to"), format!("{}: {}", mark.text("rule"), mark.text("label")))
    };
    let marks: Vec<(usize, usize, String)> = text.items("marks").iter().map(mark).collect();
    let mut edges: Vec<usize> = marks.iter().flat_map(|(from, to, _)| [*from, *to]).chain([0, whole.len()]).collect();
    edges.sort_unstable();
    edges.dedup();
    let inside = |from: usize| {
        let mut labels: Vec<&str> = marks
            .iter()
            .filter(|(start, end, _)| (*start..*end).contains(&from))
            .map(|(.., label)| label.as_str())
            .collect();
        labels.dedup();
        (!labels.is_empty()).then(|| labels.join(", "))
    };
    let piece = |edges: &[usize]| {
        let [from, to] = edges else { return None };
        let shown = whole.get(*from..*to)?.chars().map(crate::explain::visible).collect();
        Some((shown, inside(*from)))
    };
    edges.windows(2).filter_map(piece).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn marks_cut_a_text_where_they_begin_and_end() {
        let mark = |from, to, label| json!({"from": from, "to": to, "rule": "content", "label": label});
        let text = json!({"text": "é say zorble now", "marks": [mark(7, 13, "own-1"), mark(7, 17, "own-2")]});
        let expected =
            [("é say ", None), ("zorble", Some("content: own-1, content: own-2")), (" now", Some("content: own-2"))];
        let pieces = pieces(&text);
        let pieces: Vec<(&str, Option<&str>)> =
            pieces.iter().map(|(text, label)| (&**text, label.as_deref())).collect();
        assert_eq!(pieces, expected);
        assert_eq!(super::pieces(&json!({"text": "x", "marks": []})), [("x".to_owned(), None)]);
    }
}
