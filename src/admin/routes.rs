//! The table of routes: what the router is built of, and what the OpenAPI document says. There is no other list.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, delete, get, post};

use super::acts::recorded;
use super::asked::MAX_BODY;
use super::auth::{Role, allow};
use super::idempotency::idempotent;
use super::problem::Problem;
use super::{Admin, accounts, binds, complaints, consents, explain, openapi, proofs, subjects, suppressions, verdicts};

/// One method of one path.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    /// Parameters behind the question mark: each a name and what it means.
    pub(super) query: &'static [(&'static str, &'static str)],
    pub(super) takes: Takes,
    /// Who may ask for it, and all above that.
    pub(super) role: Role,
    /// The status of success.
    pub(super) answers: StatusCode,
    handler: fn() -> MethodRouter<Admin>,
}

/// What the body of a request holds.
pub(super) enum Takes {
    /// Nothing.
    Nothing,
    /// A JSON object with these fields, of which those with a `?` at the end of their name may be left out.
    Fields(&'static [(&'static str, Kind)]),
    /// A file to be imported.
    Import,
    /// Octets of any type.
    Octets,
}

/// What a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Time,
    Count,
    Yes,
    Numbers,
    Purpose,
    Via,
}

const PAGE_CURSOR: (&str, &str) = ("cursor", "the `next` of the page before");
const PAGE_LIMIT: (&str, &str) = ("limit", "items of a page, 1 to 1000");
const PAGE: &[(&str, &str)] = &[PAGE_CURSOR, PAGE_LIMIT];
const OF_A_NUMBER: &[(&str, &str)] =
    &[("msisdn", "all that is known of this number, in one page"), PAGE_CURSOR, PAGE_LIMIT];
const REASON: Takes = Takes::Fields(&[("reason", Kind::Text)]);
const CONSENT: Takes = Takes::Fields(&[
    ("msisdn", Kind::Number),
    ("account", Kind::Text),
    ("sender", Kind::Text),
    ("purpose", Kind::Purpose),
    ("method", Kind::Text),
    ("at", Kind::Time),
    ("wording", Kind::Text),
    ("source", Kind::Text),
    ("evidence?", Kind::Text),
    ("evidence_sha256?", Kind::Text),
    ("expires?", Kind::Time),
    ("address?", Kind::Text),
]);
const CONSENT_SCOPE: Takes = Takes::Fields(&[
    ("msisdn", Kind::Number),
    ("account", Kind::Text),
    ("sender", Kind::Text),
    ("purpose", Kind::Purpose),
]);
const OPT_OUT: Takes = Takes::Fields(&[
    ("msisdn", Kind::Number),
    ("account?", Kind::Text),
    ("sender?", Kind::Text),
    ("reference?", Kind::Text),
]);
const COMPLAINT: Takes = Takes::Fields(&[
    ("msisdn", Kind::Number),
    ("at", Kind::Time),
    ("text", Kind::Text),
    ("account?", Kind::Text),
    ("via?", Kind::Via),
]);
const RESOLUTION: Takes = Takes::Fields(&[("upheld", Kind::Yes), ("release?", Kind::Yes), ("reason", Kind::Text)]);
const PROOF: Takes = Takes::Fields(&[
    ("account", Kind::Text),
    ("sample?", Kind::Count),
    ("recipients?", Kind::Numbers),
    ("campaign?", Kind::Text),
    ("purpose?", Kind::Purpose),
]);
const REGISTRY: &[(&str, &str)] = &[
    ("registry", "the do-not-disturb registry that the file replaces; without it the file is of opt-outs"),
    ("as_of", "the day that the registry is of"),
    ("countries", "the countries that it is for, as in BE,NL; without them it is for all"),
];
const FILTER: [(&str, &str); 6] = [
    ("since", "a time, or a day, before which nothing is wanted"),
    ("rule", "the rule that refused"),
    ("account", "the account whose message it was"),
    ("clause", "the clause's number"),
    ("mode", "enforce or shadow"),
    ("verdict", "rejected or shadow"),
];
const VERDICTS: &[(&str, &str)] = {
    let [since, rule, account, clause, mode, verdict] = FILTER;
    let [cursor, limit] = [PAGE_CURSOR, PAGE_LIMIT];
    &[since, rule, account, clause, mode, verdict, cursor, limit]
};
const EXPLAIN: Takes = Takes::Fields(&[
    ("account", Kind::Text),
    ("from?", Kind::Text),
    ("to?", Kind::Text),
    ("text?", Kind::Text),
    ("service_type?", Kind::Text),
    ("at?", Kind::Time),
    ("pdu?", Kind::Text),
]);
const EVIDENCE: &[(&str, &str)] = &[
    ("msisdn", "whom it is about"),
    ("note", "what the account says about it"),
    ("purpose", "what the account says that its messages are for"),
];

impl Route {
    fn get(path: &'static str, summary: &'static str, handler: fn() -> MethodRouter<Admin>) -> Self {
        let (query, takes, answers): (&[_], _, _) = (&[], Takes::Nothing, StatusCode::OK);
        Self { method: Method::GET, path, summary, query, takes, role: Role::Viewer, answers, handler }
    }

    fn post(path: &'static str, summary: &'static str, takes: Takes, handler: fn() -> MethodRouter<Admin>) -> Self {
        Self { method: Method::POST, takes, role: Role::Operator, ..Self::get(path, summary, handler) }
    }

    fn delete(path: &'static str, summary: &'static str, takes: Takes, handler: fn() -> MethodRouter<Admin>) -> Self {
        Self { method: Method::DELETE, takes, role: Role::Operator, ..Self::get(path, summary, handler) }
    }

    /// With these parameters behind the question mark.
    fn asking(mut self, query: &'static [(&'static str, &'static str)]) -> Self {
        self.query = query;
        self
    }

    /// Who has this role may ask for it, and all above.
    fn by(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    /// It makes something.
    fn making(mut self) -> Self {
        self.answers = StatusCode::CREATED;
        self
    }
}

/// Every route that asks for the token.
pub(super) fn all() -> Vec<Route> {
    let nothing = || Takes::Fields(&[]);
    vec![
        Route::get("/v1/openapi.json", "This document", || get(openapi::show)),
        Route::get("/v1/accounts", "All accounts with their states", || get(accounts::list)).asking(PAGE),
        Route::get("/v1/accounts/{id}", "An account with its history and usage", || get(accounts::show)),
        Route::post(
            "/v1/accounts/{id}/{act}",
            "Changes the state of an account; to deactivate and to reactivate takes the role admin",
            REASON,
            || post(accounts::act),
        ),
        Route::get("/v1/consents", "Consents with their documentation", || get(consents::list)).asking(OF_A_NUMBER),
        Route::post("/v1/consents", "Takes a consent", CONSENT, || post(consents::grant)).making(),
        Route::delete("/v1/consents", "Revokes a consent", CONSENT_SCOPE, || delete(consents::revoke)),
        Route::post("/v1/consents/import", "Imports consents", Takes::Import, || post(consents::import_file)),
        Route::get("/v1/suppressions", "Opt-outs", || get(suppressions::list)).asking(OF_A_NUMBER),
        Route::post("/v1/suppressions", "Takes an opt-out", OPT_OUT, || post(suppressions::add)).making(),
        Route::delete("/v1/suppressions", "Ends an opt-out", OPT_OUT, || delete(suppressions::remove)),
        Route::post("/v1/suppressions/import", "Imports opt-outs, or a do-not-disturb registry", Takes::Import, || {
            post(suppressions::import_file)
        })
        .asking(REGISTRY),
        Route::get("/v1/complaints", "All complaints", || get(complaints::list)).asking(PAGE),
        Route::post("/v1/complaints", "Takes a complaint", COMPLAINT, || post(complaints::open)).making(),
        Route::get("/v1/complaints/{id}", "A complaint with what has come of it", || get(complaints::show)),
        Route::post("/v1/complaints/{id}/appeal", "The account does not agree", REASON, || post(complaints::appeal)),
        Route::post("/v1/complaints/{id}/resolve", "Decides a complaint", RESOLUTION, || post(complaints::resolve)),
        Route::get("/v1/proof-requests", "All requests for proof of consent", || get(proofs::list)).asking(PAGE),
        Route::post("/v1/proof-requests", "Asks for proof", PROOF, || post(proofs::request)).making(),
        Route::get("/v1/proof-requests/{id}", "A request for proof with what was handed in", || get(proofs::show)),
        Route::post(
            "/v1/proof-requests/{id}/delivered",
            "The account has been told: its clock runs",
            nothing(),
            || post(proofs::delivered),
        ),
        Route::post("/v1/proof-requests/{id}/evidence", "Hands evidence in", Takes::Octets, || post(proofs::evidence))
            .asking(EVIDENCE)
            .making(),
        Route::post("/v1/proof-requests/{id}/accept", "Accepts what was handed in", nothing(), || post(proofs::accept)),
        Route::post("/v1/proof-requests/{id}/reject", "Rejects what was handed in", REASON, || post(proofs::reject)),
        Route::get("/v1/subjects/{msisdn}", "What is held about a person", || get(subjects::show)),
        Route::delete("/v1/subjects/{msisdn}", "Erases it, but for what honours opt-outs", Takes::Nothing, || {
            delete(subjects::erase)
        })
        .by(Role::Admin),
        Route::get("/v1/binds", "All binds", || get(binds::list)).asking(PAGE),
        Route::delete("/v1/binds/{id}", "Unbinds a bind", Takes::Nothing, || delete(binds::unbind)).by(Role::Admin),
        Route::post("/v1/reload", "Puts the configuration's file in force", nothing(), || post(binds::reload))
            .by(Role::Admin),
        Route::get("/v1/verdicts", "Refusals, and what shadowed rules would have refused: the newest first", || {
            get(verdicts::list)
        })
        .asking(VERDICTS),
        Route::get("/v1/verdicts/counts", "How many there were in the last day, in bins of five minutes", || {
            get(verdicts::counted)
        })
        .asking(&[("by", "what is counted: rule, clause or account")]),
        Route::get("/v1/verdicts/stream", "What is recorded from now on, as server-sent events", || {
            get(verdicts::stream)
        })
        .asking(&FILTER),
        Route::get("/v1/verdicts/{ref}", "A refusal with the clause in words", || get(verdicts::show)),
        Route::post("/v1/explain", "What every rule says of a message, as the command says it", EXPLAIN, || {
            post(explain::explain)
        })
        .by(Role::Viewer),
    ]
}

/// The route of the table that this path is one of.
pub(super) fn find(method: &Method, path: &str) -> Option<Route> {
    let is_one = |pattern: &str| {
        let (mut parts, mut wanted) = (path.split('/'), pattern.split('/'));
        loop {
            match (parts.next(), wanted.next()) {
                (None, None) => return true,
                (Some(part), Some(wanted)) if part == wanted || (wanted.starts_with('{') && !part.is_empty()) => {}
                _ => return false,
            }
        }
    };
    // What is named before what is not, as the router has it.
    let found = all().into_iter().filter(|route| route.method == *method && is_one(route.path));
    found.min_by_key(|route| route.path.matches('{').count())
}

/// Whether bodies for this path are streamed, and not read into memory.
pub(super) fn is_streamed(path: &str) -> bool {
    path.ends_with("/import") || path.ends_with("/evidence")
}

/// The routes of the table.
pub(super) fn router(admin: &Admin) -> Router {
    let routes = all().into_iter().fold(Router::new(), |router, route| {
        router.route(route.path, (route.handler)().route_layer(from_fn_with_state(route.role, allow)))
    });
    let nowhere =
        || async { Problem::unknown("there is nothing here").hint("GET /v1/openapi.json says what there is") };
    let no_method = || async { Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this cannot be done here") };
    routes
        .fallback(nowhere)
        .method_not_allowed_fallback(no_method)
        // Nearer to the handlers: a request that is sent again with its key is not done again.
        .layer(from_fn_with_state(admin.clone(), recorded))
        .layer(from_fn_with_state(admin.kept(), idempotent))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(admin.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_that_are_streamed_are_told_by_their_path() {
        for route in all() {
            let streamed = matches!(route.takes, Takes::Import | Takes::Octets);
            assert_eq!(is_streamed(route.path), streamed, "{}", route.path);
        }
    }
}
