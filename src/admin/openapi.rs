//! The OpenAPI 3.1 document: made of the table that the router is made of.

use serde_json::{Map, Value, json};

use super::accounts::ACTS;
use super::asked::{Answer, LONGEST_NAME, OPERATOR, ok};
use super::idempotency::{KEY, LONGEST};
use super::import::{CSV, NDJSON};
use super::problem::MEDIA_TYPE;
use super::routes::{Kind, Route, Takes, all};
use crate::config::Purpose;

pub(super) async fn show() -> Answer {
    ok(document(&all()))
}

fn document(routes: &[Route]) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in routes {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(route.method.as_str().to_ascii_lowercase(), operation(route));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "smppolicy",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The operator's interface. `x-role` is the least role whose token opens an operation: viewer, \
                            operator, admin. Times are RFC 3339 in UTC, numbers digits without +. What changes \
                            something is on the disk when it is answered.",
        },
        "paths": paths,
        "security": [{"token": []}],
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "Problem": {
                    "type": "object",
                    "required": ["type", "title", "status", "detail"],
                    "properties": {
                        "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
                        "detail": {"type": "string"}, "hint": {"type": "string"},
                    },
                },
                "Page": {
                    "type": "object",
                    "required": ["items", "next"],
                    "properties": {
                        "items": {"type": "array", "items": {"type": "object"}}, "next": {"type": ["string", "null"]},
                    },
                },
            },
        },
    })
}

fn operation(route: &Route) -> Value {
    let is_list = route.query.iter().any(|(name, _)| *name == "cursor");
    let is_stream = route.path.ends_with("/stream");
    let media = if is_stream { "text/event-stream" } else { "application/json" };
    let schema = if is_list { json!({"$ref": "#/components/schemas/Page"}) } else { json!({"type": "object"}) };
    let problem = json!({MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}});
    let mut operation = json!({
        "summary": route.summary,
        "x-role": route.role.name(),
        "operationId": format!("{} {}", route.method, route.path),
        "parameters": parameters(route),
        "responses": {
            route.answers.as_str(): {"description": "Done", "content": {media: {"schema": schema}}},
            "default": {"description": "Not done", "content": problem},
        },
    });
    if let (Some(body), Some(operation)) = (body(&route.takes), operation.as_object_mut()) {
        operation.insert("requestBody".to_owned(), body);
    }
    operation
}

fn parameters(route: &Route) -> Vec<Value> {
    let in_path = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = in_path
        .map(|name| {
            let schema = if name == "act" { json!({"enum": ACTS}) } else { json!({"type": "string"}) };
            json!({"name": name, "in": "path", "required": true, "schema": schema})
        })
        .collect();
    parameters.extend(route.query.iter().map(
        |(name, meaning)| json!({"name": name, "in": "query", "description": meaning, "schema": {"type": "string"}}),
    ));
    if route.method != axum::http::Method::GET {
        let schema = json!({"type": "string", "minLength": 1, "maxLength": LONGEST_NAME});
        let meaning = "who asks, as it is kept with what is done; `api` if nobody says";
        parameters.push(json!({"name": OPERATOR, "in": "header", "description": meaning, "schema": schema}));
    }
    if route.method == axum::http::Method::POST {
        let schema = json!({"type": "string", "minLength": 1, "maxLength": LONGEST});
        let meaning = "a request that is sent again with its key gets its first answer, for a day, until a restart";
        parameters.push(json!({"name": KEY, "in": "header", "description": meaning, "schema": schema}));
    }
    parameters
}

fn body(takes: &Takes) -> Option<Value> {
    let file = json!({"schema": {"type": "string"}});
    Some(match takes {
        Takes::Nothing => return None,
        Takes::Fields(fields) => {
            let required: Vec<&str> =
                fields.iter().map(|(name, _)| *name).filter(|name| !name.ends_with('?')).collect();
            let properties: Map<String, Value> =
                fields.iter().map(|(name, kind)| (name.trim_end_matches('?').to_owned(), schema(*kind))).collect();
            let schema = json!({
                "type": "object", "required": required, "properties": properties, "additionalProperties": false,
            });
            json!({"required": !required.is_empty(), "content": {"application/json": {"schema": schema}}})
        }
        Takes::Import => json!({"required": true, "content": {CSV: file, NDJSON: file}}),
        Takes::Octets => json!({"required": true, "content": {"*/*": {}}}),
    })
}

fn schema(kind: Kind) -> Value {
    let number = json!({"type": "string", "pattern": "^[1-9][0-9]{6,14}$"});
    match kind {
        Kind::Text => json!({"type": "string"}),
        Kind::Number => number,
        Kind::Time => json!({"type": "string", "format": "date-time"}),
        Kind::Count => json!({"type": "integer", "minimum": 1, "maximum": 1000}),
        Kind::Yes => json!({"type": "boolean"}),
        Kind::Numbers => json!({"type": "array", "items": number, "maxItems": 1000}),
        Kind::Purpose => json!({"enum": Purpose::ALL.map(Purpose::name)}),
        Kind::Via => json!({"enum": ["message", "api", "form", "cli"]}),
    }
}
