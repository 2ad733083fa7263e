//! The dashboard and the alert rules ask for what a proxy has: every name and label in their PromQL is looked for in what
//! the admin interface of a proxy serves that has done everything once. So are the names that users rely on.

#![cfg(test)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;

use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{Expr, LabelModifier, VectorSelector};
use promql_parser::util::{ExprVisitor, walk_expr};
use serde_json::Value;
use smppolicy::admin::{self, Admin, Running, Tokens};
use smppolicy::ledger::workflow::{Actor, Complaint, ProofRequest, Via};
use smppolicy::pdu::{CommandId, CommandStatus};
use smppolicy::policy::Msisdn;
use support::scrape::{Scrape, counted};
use support::*;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// What Prometheus adds to every series of a target.
const OF_THE_TARGET: [&str; 2] = ["instance", "job"];

/// The metrics that users and checks rely on, with exactly these labels.
const CONTRACT: &[(&str, &[&str])] = &[
    ("smppolicy_binds", &["account", "type"]),
    ("smppolicy_messages_total", &["account", "verdict"]),
    ("smppolicy_rejections_total", &["account", "clause", "rule", "status"]),
    ("smppolicy_upstream_responses_total", &["account", "status"]),
    ("smppolicy_verdict_seconds_bucket", &["le"]),
    ("smppolicy_verdict_seconds_sum", &[]),
    ("smppolicy_verdict_seconds_count", &[]),
    ("smppolicy_upstream_seconds_bucket", &["le"]),
    ("smppolicy_upstream_seconds_sum", &[]),
    ("smppolicy_upstream_seconds_count", &[]),
    ("smppolicy_bytes_total", &["direction"]),
    ("smppolicy_audit_queue", &[]),
    ("smppolicy_ledger_entries", &["kind"]),
    ("smppolicy_config_reloads_total", &["result"]),
    ("process_cpu_seconds_total", &[]),
    ("process_resident_memory_bytes", &[]),
    ("process_open_fds", &[]),
    ("process_start_time_seconds", &[]),
];

const CONFIG: &str = "
[policy.content]
mode = 'shadow'
word = [{ id = 'own-1', clause = 30, category = 'own', language = 'any', match = ['buy a zorble'] }]
[upstream.spare]
address = 'smsc.example:2775'
tls = { ca = 'spare.pem', certificate = 'spare.pem', key = 'spare.key' }
[[account]]
system_id = 'shop'
default_purpose = 'transactional'
upstream = 'main'
sender = [{ id = 'SHOP' }]
";

/// A folder with a certificate.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["spare.example".to_owned()]).unwrap();
    std::fs::write(folder.path().join("spare.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.path().join("spare.key"), made.signing_key.serialize_pem()).unwrap();
    folder
}

/// Asks and complains once, so that a clock runs.
fn workflows(proxy: &Proxy) {
    let (ledger, by) = (proxy.relay.ledger(), Actor::Recipient);
    let (workflow, terms, now) = (ledger.workflow(), ledger.terms(), ledger.now());
    let msisdn = Msisdn::of(&number(RECIPIENT)).unwrap();
    let request = ProofRequest {
        account: "shop".to_owned(),
        campaign: None,
        purpose: None,
        sample: None,
        recipients: vec![msisdn],
        messages: vec![],
    };
    let proof = workflow.request_proof(now, request, &by).unwrap();
    workflow.proof_delivered(now, proof.id, &by, &terms.proof).unwrap();
    let complaint = Complaint {
        msisdn,
        at: now.unix_millis,
        text: "I never asked for this".to_owned(),
        account: Some("shop".to_owned()),
        message: None,
        via: Via::Api,
        is_part: false,
    };
    workflow.open_case(now, complaint, &by, &terms.complaints).unwrap();
}

/// What a proxy serves that has relayed, refused and shadowed, and has met with everything else that is counted.
async fn served() -> Scrape {
    let serving = Smsc::listen().await.serve();
    let proxy = Proxy::start_in(folder(), serving.address, CONFIG).await;
    workflows(&proxy);
    let mut stranger = Link::connect(proxy.address()).await;
    let status = stranger.status(&bind(CommandId::BIND_RECEIVER, "nobody")).await;
    assert_eq!(status, CommandStatus::ESME_RINVSYSID);
    drop(Link::connect(proxy.address()).await);
    let mut esme = esme(&proxy, "shop").await;
    for request in [
        submit(2, "SHOP", b"hello"),
        submit(3, "BANK", b"hello"),
        submit(4, "SHOP", b"would you buy a zorble"),
        pdu(CommandId::SUBMIT_SM, CommandStatus::ESME_ROK, 5, b"\0"),
        bare(CommandId::UNBIND, 6),
    ] {
        esme.ask(&request).await;
    }
    let ended = "smppolicy_binds_ended_total{reason=\"unbound\"}";
    let refused = "smppolicy_connections_refused_total{reason=\"no_bind\"}";
    counted(&proxy, &[(ended, 1.0), (refused, 1.0), ("smppolicy_connections", 0.0)]).await;
    read(&proxy).await
}

/// Both formats, as anybody may read them.
async fn read(proxy: &Proxy) -> Scrape {
    let text = "[upstream.main]\naddress = 'simulator'\n[admin]\ntoken_file = 'token'";
    let settings = smppolicy::config::Config::parse(text, "test.toml", proxy.folder()).unwrap().admin.unwrap();
    let tokens = Tokens::load_or_create(&settings).unwrap();
    let listener = admin::open("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let relay = &proxy.relay;
    let running = Running::new(relay.control(), &proxy.folder().join("config.toml"));
    let interface = Admin::new(relay.ledger(), relay.audit(), relay.journal(), running);
    let served = tokio::spawn(interface.serve(listener, tokens, stop.clone()));
    let (media, open) = get(address, "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.3").await;
    assert_eq!(media, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(open.ends_with("\n# EOF\n"));
    let (media, text) = get(address, "*/*").await;
    assert_eq!(media, "text/plain; version=0.0.4; charset=utf-8");
    stop.cancel();
    soon(served).await.unwrap();
    Scrape::of(&text)
}

async fn get(address: SocketAddr, accept: &'static str) -> (String, String) {
    let asked = tokio::task::spawn_blocking(move || {
        let mut answer = ureq::get(format!("http://{address}/metrics")).header("accept", accept).call().unwrap();
        let media = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (media, answer.body_mut().read_to_string().unwrap())
    });
    soon(asked).await.unwrap()
}

/// A PromQL expression, and where labels of its result are named.
struct Query {
    place: String,
    expression: String,
    /// Names of labels in legends and annotations.
    shown: Vec<String>,
}

fn file(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(path)).unwrap()
}

/// What stands between `open` and `close`, everywhere.
fn between<'t>(text: &'t str, open: &'t str, close: &'t str) -> impl Iterator<Item = String> + 't {
    text.split(open).skip(1).filter_map(move |rest| rest.split_once(close)).map(|(name, _)| name.trim().to_owned())
}

fn alerts() -> Vec<Query> {
    let document: Value = serde_saphyr::from_str(&file("prometheus/alerts.yml")).unwrap();
    let mut queries = Vec::new();
    for rule in document["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap()) {
        let annotations = rule["annotations"].as_object().unwrap();
        assert!(annotations.contains_key("summary"), "{rule}");
        assert!(["page", "ticket"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{rule}");
        let shown = annotations.values().flat_map(|text| between(text.as_str().unwrap(), "$labels.", " }}")).collect();
        let (place, expression) = (rule["alert"].as_str().unwrap(), rule["expr"].as_str().unwrap());
        queries.push(Query { place: place.to_owned(), expression: expression.to_owned(), shown });
    }
    queries
}

/// Of every panel, and of annotations and variables.
fn dashboard() -> Vec<Query> {
    let document: Value = serde_json::from_str(&file("grafana/smppolicy.json")).unwrap();
    let mut queries = Vec::new();
    for panel in document["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().unwrap().to_owned();
            let shown = between(target["legendFormat"].as_str().unwrap(), "{{", "}}").collect();
            queries.push(Query { place: panel["title"].as_str().unwrap().to_owned(), expression, shown });
        }
    }
    for annotation in document["annotations"]["list"].as_array().unwrap() {
        let expression = annotation["expr"].as_str().unwrap().to_owned();
        queries.push(Query { place: annotation["name"].to_string(), expression, shown: vec![] });
    }
    for variable in document["templating"]["list"].as_array().unwrap() {
        let Some(query) = variable["definition"].as_str() else { continue };
        let asked = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).unwrap();
        let (expression, label) = asked.rsplit_once(", ").unwrap();
        let shown = vec![label.to_owned()];
        queries.push(Query { place: variable["name"].to_string(), expression: expression.to_owned(), shown });
    }
    queries
}

/// With what Grafana puts in place of its variables.
fn parsed(query: &Query) -> Expr {
    let expression = ["$__rate_interval", "$__range"]
        .iter()
        .fold(query.expression.clone(), |expression, variable| expression.replace(variable, "5m"));
    promql_parser::parser::parse(&expression).unwrap_or_else(|fault| panic!("{}: {fault}: {expression}", query.place))
}

/// What is wrong with the queries of a file.
#[derive(Default)]
struct Faults<'s> {
    names: BTreeMap<String, BTreeSet<String>>,
    samples: Vec<&'s str>,
    place: String,
    faults: Vec<String>,
    used: BTreeSet<String>,
}

impl Faults<'_> {
    fn fault(&mut self, what: String) {
        self.faults.push(format!("{}: {what}", self.place));
    }

    /// The labels of a metric, or none if there is no such metric.
    fn labels(&self, name: &str) -> Option<BTreeSet<String>> {
        let known = if name == "up" { Some(BTreeSet::new()) } else { self.names.get(name).cloned() };
        known.map(|labels| labels.into_iter().chain(OF_THE_TARGET.map(str::to_owned)).collect())
    }

    fn selector(&mut self, selector: &VectorSelector) {
        let name = selector.name.clone().unwrap_or_default();
        self.used.insert(name.clone());
        let Some(labels) = self.labels(&name) else { return self.fault(format!("there is no metric {name:?}")) };
        for Matcher { op, name: label, value } in &selector.matchers.matchers {
            if !labels.contains(label) {
                self.fault(format!("{name} has no label {label}"));
            }
            let is_known = || {
                let pair = format!("{label}=\"{value}\"");
                self.samples.iter().any(|sample| sample.starts_with(&name) && sample.contains(&pair))
            };
            if *op == MatchOp::Equal && !OF_THE_TARGET.contains(&&**label) && !is_known() {
                self.fault(format!("{name} has no {label}={value:?}"));
            }
        }
    }

    /// Labels by which something is grouped or matched must be of what is within.
    fn grouping(&mut self, grouping: &LabelModifier, within: &Expr) {
        let labels = labels_within(self, within);
        for label in grouping.labels().labels.iter().filter(|label| !labels.contains(*label)) {
            self.fault(format!("nothing within has a label {label}: {within}"));
        }
    }
}

/// The labels of all metrics within an expression.
fn labels_within(faults: &Faults<'_>, within: &Expr) -> BTreeSet<String> {
    struct Names(Vec<String>);
    impl ExprVisitor for Names {
        type Error = std::convert::Infallible;

        fn pre_visit(&mut self, expression: &Expr) -> Result<bool, Self::Error> {
            match expression {
                Expr::VectorSelector(selector) => self.0.extend(selector.name.clone()),
                Expr::MatrixSelector(selector) => self.0.extend(selector.vs.name.clone()),
                _ => {}
            }
            Ok(true)
        }
    }
    let mut names = Names(Vec::new());
    let Ok(_) = walk_expr(&mut names, within);
    names.0.iter().filter_map(|name| faults.labels(name)).flatten().collect()
}

impl ExprVisitor for Faults<'_> {
    type Error = std::convert::Infallible;

    fn pre_visit(&mut self, expression: &Expr) -> Result<bool, Self::Error> {
        match expression {
            Expr::VectorSelector(selector) => self.selector(selector),
            Expr::MatrixSelector(selector) => self.selector(&selector.vs),
            Expr::Aggregate(aggregate) => {
                if let Some(grouping) = &aggregate.modifier {
                    self.grouping(grouping, &aggregate.expr);
                }
            }
            Expr::Binary(binary) => {
                if let Some(matching) = binary.modifier.as_ref().and_then(|modifier| modifier.matching.as_ref()) {
                    self.grouping(matching, &binary.lhs);
                    self.grouping(matching, &binary.rhs);
                }
            }
            _ => {}
        }
        Ok(true)
    }
}

/// What is wrong, and the names that are used.
fn check(scrape: &Scrape, queries: &[Query]) -> (Vec<String>, BTreeSet<String>) {
    let samples = scrape.samples.keys().map(String::as_str).collect();
    let mut faults = Faults { names: scrape.names(), samples, ..Faults::default() };
    for query in queries {
        let expression = parsed(query);
        faults.place.clone_from(&query.place);
        let Ok(_) = walk_expr(&mut faults, &expression);
        let labels = labels_within(&faults, &expression);
        for label in query.shown.iter().filter(|label| !labels.contains(*label)) {
            faults.fault(format!("shows a label {label} that nothing has"));
        }
    }
    (faults.faults, faults.used)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dashboard_and_alerts_ask_for_what_there_is() {
    let scrape = served().await;
    let names = scrape.names();
    for (name, labels) in CONTRACT {
        let expected: BTreeSet<String> = labels.iter().map(|label| (*label).to_owned()).collect();
        assert_eq!(names.get(*name), Some(&expected), "{name}");
    }
    for verdict in ["relayed", "rejected", "shadow"] {
        let sample = format!("smppolicy_messages_total{{account=\"shop\",verdict=\"{verdict}\"}}");
        assert_eq!(scrape.samples.get(&sample), Some(&1.0), "{sample}");
    }

    let (alerts, dashboard) = (alerts(), dashboard());
    assert!(alerts.len() >= 15 && dashboard.len() >= 40, "{} {}", alerts.len(), dashboard.len());
    let (faults, mut used) = check(&scrape, &alerts);
    assert_eq!(faults, [""; 0], "in deploy/prometheus/alerts.yml");
    let (faults, shown) = check(&scrape, &dashboard);
    assert_eq!(faults, [""; 0], "in deploy/grafana/smppolicy.json");
    // The other way round: nothing is measured that nobody sees.
    used.extend(shown);
    let is_seen = |name: &String| {
        let stem = name.strip_suffix("_bucket").or(name.strip_suffix("_sum")).or(name.strip_suffix("_count"));
        used.contains(name) || stem.is_some_and(|stem| used.iter().any(|used| used.starts_with(stem)))
    };
    let unseen: Vec<&String> = names.keys().filter(|name| name.starts_with("smppolicy_") && !is_seen(name)).collect();
    assert_eq!(unseen, [""; 0], "in neither");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_and_helps_follow_the_rules_of_prometheus() {
    let scrape = served().await;
    assert!(scrape.types.len() > 40, "{:?}", scrape.types);
    for (name, kind) in &scrape.types {
        let help = scrape.helps.get(name).unwrap_or_else(|| panic!("{name} has no help"));
        assert!(help.len() > 5, "{name}: {help:?}");
        assert!(name.starts_with("smppolicy_") || name.starts_with("process_"), "{name}");
        assert!(name.bytes().all(|octet| octet.is_ascii_lowercase() || octet == b'_'), "{name}");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
        for of_others in ["_count", "_sum", "_bucket", "_info_total", "_milliseconds", "_kilobytes"] {
            assert!(!name.ends_with(of_others), "{name}");
        }
    }
}

#[test]
fn what_is_not_there_is_found() {
    let scrape = Scrape::of("smppolicy_binds{account=\"shop\",type=\"receiver\"} 1\nsmppolicy_audit_queue 0\n");
    for (expression, shown, fault) in [
        ("smppolicy_bind", "instance", "there is no metric \"smppolicy_bind\""),
        ("smppolicy_binds{acount=\"shop\"}", "account", "smppolicy_binds has no label acount"),
        ("sum(smppolicy_binds{type=\"sender\"})", "type", "smppolicy_binds has no type=\"sender\""),
        ("sum by (kind) (rate(smppolicy_binds[5m]))", "type", "nothing within has a label kind"),
        ("smppolicy_binds and on (account) smppolicy_audit_queue", "type", "nothing within has a label account"),
        ("smppolicy_binds", "kind", "shows a label kind that nothing has"),
    ] {
        let query = Query { place: "it".into(), expression: expression.into(), shown: vec![shown.into()] };
        let (faults, _) = check(&scrape, &[query]);
        assert!(faults.iter().any(|found| found.starts_with(&format!("it: {fault}"))), "{expression}: {faults:?}");
    }
}
