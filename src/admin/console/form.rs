//! Forms for what the interface does: made of the table of its routes, so that each has the fields that the route takes
//! and is shown to those alone who may send it.

use axum::http::Method;

use super::super::auth::Role;
use super::super::routes::{self, Kind, Takes};
use crate::config::Purpose;

/// A form.
#[derive(Debug)]
pub(super) struct Form {
    /// What tells its fields from those of others on the page.
    pub(super) id: String,
    pub(super) legend: String,
    pub(super) method: &'static str,
    pub(super) action: String,
    pub(super) hidden: Vec<(String, String)>,
    pub(super) fields: Vec<Field>,
    pub(super) button: &'static str,
    /// It ends something for good.
    pub(super) is_grave: bool,
}

/// What is filled in.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) label: String,
    pub(super) value: String,
    pub(super) input: Input,
    pub(super) is_required: bool,
}

/// How it is filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Input {
    /// A line of this type.
    Line(&'static str),
    Area,
    Choice(Vec<&'static str>),
}

impl Field {
    pub(super) fn new(name: &str, label: &str, input: Input, value: &str) -> Self {
        Self { name: name.to_owned(), label: label.to_owned(), value: value.to_owned(), input, is_required: false }
    }

    /// Whether this is filled in.
    pub(super) fn is(&self, value: &str) -> bool {
        self.value == value
    }

    pub(super) fn required(mut self) -> Self {
        self.is_required = true;
        self
    }
}

impl Form {
    /// One that asks for a page.
    pub(super) fn asking(action: &str, legend: &str, button: &'static str, fields: Vec<Field>) -> Self {
        let id = id(action);
        let (legend, action) = (legend.to_owned(), action.to_owned());
        Self { id, legend, method: "get", action, hidden: Vec::new(), fields, button, is_grave: false }
    }

    /// One that sends to a page of the console.
    pub(super) fn sending(action: &str, legend: &str, button: &'static str, fields: Vec<Field>) -> Self {
        Self { method: "post", ..Self::asking(action, legend, button, fields) }
    }

    /// One that does what this route does, and then leads to the page `back`; with an empty one it leads to what came of
    /// it. None for who may not do it.
    pub(super) fn act(
        role: Role,
        method: &Method,
        path: &str,
        (legend, button): (&str, &'static str),
        back: &str,
    ) -> Option<Self> {
        let route = routes::find(method, path).filter(|route| role >= route.role)?;
        let mut fields = Vec::new();
        match &route.takes {
            Takes::Fields(takes) => fields.extend(takes.iter().map(|(name, kind)| field(name, *kind))),
            Takes::Nothing => {}
            Takes::Import | Takes::Octets => {
                let in_query = |(name, _): &(&str, &str)| field(&format!("{name}?"), kind_of(name));
                fields.extend(route.query.iter().map(in_query));
                fields.push(Field::new("file", "File", Input::Line("file"), "").required());
            }
        }
        let mut form = Self::sending(&format!("/console/act{path}"), legend, button, fields);
        form.is_grave = *method == Method::DELETE || route.role == Role::Admin;
        if *method != Method::POST {
            // Another form may send to the same path.
            form.id.push_str(method.as_str());
            form = form.hiding("method", method.as_str());
        }
        Some(form.hiding("back", back))
    }

    /// With this value, which is not to be filled in.
    pub(super) fn hiding(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|field| field.name != name);
        self.hidden.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this value filled in.
    pub(super) fn filled(mut self, name: &str, value: &str) -> Self {
        if let Some(field) = self.fields.iter_mut().find(|field| field.name == name) {
            value.clone_into(&mut field.value);
        }
        self
    }

    /// As what ends something for good.
    pub(super) fn grave(mut self) -> Self {
        self.is_grave = true;
        self
    }

    pub(super) fn is_upload(&self) -> bool {
        self.fields.iter().any(|field| field.input == Input::Line("file"))
    }
}

fn id(action: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    format!("form{}", action.chars().map(plain).collect::<String>())
}

/// The kind of a parameter behind the question mark.
fn kind_of(name: &str) -> Kind {
    match name {
        "msisdn" => Kind::Number,
        "purpose" => Kind::Purpose,
        "as_of" => Kind::Time,
        _ => Kind::Text,
    }
}

/// The field for one of a route; a `?` at the end of its name says that it may be left out.
fn field(name: &str, kind: Kind) -> Field {
    let bare = name.trim_end_matches('?');
    let is_required = bare == name;
    let input = match kind {
        Kind::Text if matches!(bare, "text" | "wording" | "pdu") => Input::Area,
        Kind::Text | Kind::Time => Input::Line("text"),
        Kind::Number => Input::Line("tel"),
        Kind::Count => Input::Line("number"),
        Kind::Numbers => Input::Area,
        Kind::Yes => Input::Choice(vec!["no", "yes"]),
        Kind::Purpose => choice(is_required, Purpose::ALL.map(Purpose::name)),
        Kind::Via => choice(is_required, ["message", "api", "form", "cli"]),
    };
    let is_choice = matches!(input, Input::Choice(_));
    let field = Field::new(bare, &label(bare, kind), input, "");
    if is_required && !is_choice { field.required() } else { Field { is_required: is_choice && is_required, ..field } }
}

fn choice<const N: usize>(is_required: bool, options: [&'static str; N]) -> Input {
    let none = (!is_required).then_some("");
    Input::Choice(none.into_iter().chain(options).collect())
}

/// What a field is called.
fn label(name: &str, kind: Kind) -> String {
    let words = match name {
        "msisdn" => "number",
        "from" => "from (sender ID)",
        "to" => "to (number)",
        "sha256" | "evidence_sha256" => "SHA-256 of the evidence",
        "as_of" => "day of the registry",
        "release" => "release the account",
        "pdu" => "instead: PDU in hexadecimal",
        "upheld" => "upheld",
        other => other,
    };
    let words = words.replace('_', " ");
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase()).into_iter();
    let label: String = first.chain(letters).collect();
    match kind {
        Kind::Time => format!("{label}, as 2026-11-24T12:00:00Z"),
        Kind::Numbers => format!("{label}: numbers, each in a line"),
        _ => label,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_has_what_its_route_takes_and_is_for_those_who_may() {
        let act = |role, method, path| Form::act(role, &method, path, ("x", "X"), "/console/");
        let block = act(Role::Operator, Method::POST, "/v1/accounts/shop/block").unwrap();
        assert_eq!((&*block.action, block.method), ("/console/act/v1/accounts/shop/block", "post"));
        assert_eq!(
            block.fields.iter().map(|field| (&*field.name, field.is_required)).collect::<Vec<_>>(),
            [("reason", true)]
        );
        assert!(act(Role::Viewer, Method::POST, "/v1/accounts/shop/block").is_none());
        assert!(act(Role::Operator, Method::DELETE, "/v1/binds/1").is_none());
        let unbind = act(Role::Admin, Method::DELETE, "/v1/binds/1").unwrap();
        assert!(unbind.is_grave && unbind.hidden.contains(&("method".to_owned(), "DELETE".to_owned())));
        let evidence = act(Role::Operator, Method::POST, "/v1/proof-requests/1/evidence").unwrap();
        assert!(evidence.is_upload());
        assert_eq!(evidence.fields.last().map(|field| &*field.name), Some("file"), "all else is read before it");
        assert!(act(Role::Admin, Method::POST, "/v1/nothing").is_none());
    }
}
