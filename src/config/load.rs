//! The file's sections, but for the accounts: TOML in, [`Config`] or every fault out.
//!
//! Reads the configuration file and the certificates that it names, and nothing else.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};
use toml::de::DeTable;

use super::fault::Faults;
use super::reader::{Document, Table, nearest};
use super::value::{Read as Outcome, Wrong};
use super::{
    Account, Admin, Audit, Brand, Concatenation, Config, Journal, Ledger, ListFile, Listen, ListenTls, Mode, OwnEntry,
    OwnExpression, OwnWord, Repetition, RuleName, RuleSettings, Score, Texts, Treatment, UnknownAccount, Upstream,
    UpstreamAddress, UpstreamTls, account, pem, report::report, value, workflow,
};
use crate::pdu::{CommandStatus, HEADER_LEN};
use crate::policy::Acquaintance;

/// The longest configuration file, in octets.
const MAX_FILE: u64 = 32 * 1024 * 1024;
/// The longest PDU that can be configured, in octets.
const MAX_FRAME: u64 = 1024 * 1024;
/// The most that all read buffers together can be allowed, in octets.
const MAX_READ_BUFFERS: u64 = 64 * 1024 * 1024 * 1024;
/// The most that can be allowed for parts of unfinished messages, in octets.
const MAX_CONCATENATION: u64 = 64 * 1024 * 1024 * 1024;
/// The longest model file, in octets; a model's own reader is stricter.
const MAX_MODEL: u64 = 16 * 1024 * 1024;
/// The most that can be allowed for relayed messages on their way to the journal, in octets.
const MAX_JOURNAL_QUEUE: u64 = 1024 * 1024 * 1024;
const MIB: usize = 1024 * 1024;
const MODES: &[(&str, Mode)] =
    &[(Mode::Enforce.name(), Mode::Enforce), (Mode::Shadow.name(), Mode::Shadow), (Mode::Off.name(), Mode::Off)];

impl Config {
    /// Reads and checks the file at `path`; relative paths in it start from its folder.
    ///
    /// # Errors
    /// Every fault of the file at once; or that it cannot be read, is no UTF-8 or is larger than 32 MiB.
    pub fn load(path: &Path) -> Result<Self, Faults> {
        let file = path.display().to_string();
        let text = read_text(path).map_err(|wrong| Faults::of_file(&file, wrong.message, &wrong.help))?;
        Self::parse(&text, &file, path.parent().unwrap_or(Path::new("")))
    }

    /// Checks `text`; faults name it `file_name`, relative paths start from `base_dir`.
    ///
    /// # Errors
    /// Every fault at once.
    pub fn parse(text: &str, file_name: &str, base_dir: &Path) -> Result<Self, Faults> {
        let (root, syntax) = DeTable::parse_recoverable(text);
        let document = Document::new(file_name, text, base_dir);
        let config = config(Table::root(&document, root.into_inner()), version(text));
        match Faults::collect(file_name, text, &syntax, document) {
            Some(faults) => Err(faults),
            None => Ok(config),
        }
    }
}

/// The text of a file.
pub(super) fn read_text(path: &Path) -> Outcome<String> {
    let contents = read_file(path, MAX_FILE)?;
    String::from_utf8(contents).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(valid).filter(|octet| **octet == b'\n').count() + 1;
        Wrong::because(format!("is no UTF-8 in line {line}"), "save it as UTF-8")
    })
}

/// The octets of a file that has no more than `most`.
fn read_file(path: &Path, most: u64) -> Outcome<Vec<u8>> {
    let mut contents = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(most + 1).read_to_end(&mut contents))
        .map_err(|error| Wrong::because(format!("cannot be read: {error}"), "name another file"))?;
    if contents.len() as u64 > most {
        return Err(Wrong::because(format!("is larger than {}", value::shown_size(most)), "name another file"));
    }
    Ok(contents)
}

/// The first eight octets of the file's SHA-256.
fn version(text: &str) -> u64 {
    let digest: [u8; 32] = Sha256::digest(text).into();
    digest.iter().take(8).fold(0, |version, octet| version << 8 | u64::from(*octet))
}

fn config(mut root: Table<'_>, version: u64) -> Config {
    let listen = listen(root.section("listen"));
    let upstreams = upstreams(&mut root);
    let client_ca = listen.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
    let accounts = account::accounts(&mut root, &upstreams, client_ca);
    let unknown = unknown(root.section("accounts"), &accounts);
    let brands = root.tables("brand").into_iter().map(brand).collect();
    let Policy { rules, concatenation, repetition, texts } = policy(root.section("policy"), brands);
    let admin = root.table("admin").map(|table| admin(table, &listen));
    let report = root.table("report").map(|table| report(table, &listen, admin.as_ref().map(|admin| admin.address)));
    let ledger = ledger(root.section("ledger"));
    let audit = audit(root.section("audit"));
    let journal = journal(root.section("journal"), &ledger);
    Config {
        version,
        listen,
        upstreams,
        admin,
        report,
        ledger,
        proof: workflow::proof(root.section("proof")),
        complaints: workflow::complaints(root.section("complaints")),
        retention: workflow::retention(root.section("retention")),
        audit,
        journal,
        unknown,
        rules,
        concatenation,
        repetition,
        texts,
        accounts,
    }
}

fn listen(mut table: Table<'_>) -> Listen {
    let seconds = Duration::from_secs;
    let listen = Listen {
        address: table.or("address", SocketAddr::from(([127, 0, 0, 1], 2775)), value::socket_address),
        max_connections: table.or("max_connections", 10_000, value::count(1..=1_000_000)),
        max_frame: table.or("max_frame", 80 * 1024, value::size(HEADER_LEN as u64..=MAX_FRAME)),
        bind_timeout: table.or("bind_timeout", seconds(5), value::duration),
        frame_timeout: table.or("frame_timeout", seconds(10), value::duration),
        read_buffers_total: table.or("read_buffers_total", 256 * MIB, value::size(1..=MAX_READ_BUFFERS)),
        enquire_link_interval: table.or("enquire_link_interval", seconds(30), value::duration),
        write_timeout: table.or("write_timeout", seconds(10), value::duration),
        drain_timeout: table.or("drain_timeout", seconds(10), value::duration),
        response_timeout: table.or("response_timeout", seconds(120), value::duration),
        window: table.or("window", 1000, value::count(1..=1_000_000)),
        max_pending_binds: table.or("max_pending_binds", 256, value::count(1..=10_000)),
        lockout_failures: table.or("lockout_failures", 10, value::count(1..=1_000_000)),
        lockout_time: table.or("lockout_time", seconds(60), value::duration),
        proxy_protocol: table.or("proxy_protocol", false, value::boolean),
        trusted_proxies: table.list("trusted_proxies", value::network),
        tls: table.table("tls").map(listen_tls),
    };
    if listen.read_buffers_total < listen.max_frame {
        let message = format!("is less than max_frame ({})", value::shown_size(listen.max_frame as u64));
        table.fault("read_buffers_total", message, "expected room for at least one PDU");
    }
    if listen.proxy_protocol && listen.trusted_proxies.is_empty() {
        let help = "list in trusted_proxies the networks whose PROXY headers count";
        table.fault("proxy_protocol", "is on, but nobody may send a PROXY header", help);
    }
    listen
}

fn listen_tls(mut table: Table<'_>) -> ListenTls {
    let path = value::path(table.base());
    let certificate = table.required("certificate", "add the path of a PEM certificate chain", &path);
    let key = table.required("key", "add the path of the PEM private key", &path);
    let client_ca = table.optional("client_ca", &path);
    check_identity(&table, certificate.as_deref(), key.as_deref());
    check_roots(&table, "client_ca", client_ca.as_deref());
    ListenTls { certificate: certificate.unwrap_or_default(), key: key.unwrap_or_default(), client_ca }
}

fn check_identity(table: &Table<'_>, certificate: Option<&Path>, key: Option<&Path>) {
    let chain = certificate.and_then(|path| table.checked("certificate", pem::chain(path)));
    if let Some(path) = key {
        let tls = rustls::crypto::ring::default_provider();
        table.checked("key", pem::key(path, chain, &tls));
    }
}

fn check_roots(table: &Table<'_>, key: &str, path: Option<&Path>) {
    if let Some(path) = path {
        table.checked(key, pem::roots(path));
    }
}

fn upstreams(root: &mut Table<'_>) -> BTreeMap<String, Upstream> {
    let help = r#"add [upstream.NAME] with address = "HOST:PORT" or "simulator""#;
    let tables = root.section("upstream").named_tables();
    if tables.is_empty() {
        root.missing("upstream", help);
    }
    tables.into_iter().map(|(name, table)| (name, upstream(table, help))).collect()
}

fn upstream(mut table: Table<'_>, help: &str) -> Upstream {
    let address = table.required("address", help, value::upstream_address);
    let backup = table.list("backup", value::upstream_address);
    let connect_timeout = table.or("connect_timeout", Duration::from_secs(3), value::duration);
    let tls = table.table("tls").map(upstream_tls);
    if tls.is_some() && address.iter().chain(&backup).any(|address| *address == UpstreamAddress::Simulator) {
        table.fault("tls", "is given, but the simulator speaks no TLS", "remove the table or name an SMSC");
    }
    Upstream { address: address.unwrap_or(UpstreamAddress::Simulator), backup, connect_timeout, tls }
}

fn upstream_tls(mut table: Table<'_>) -> UpstreamTls {
    let path = value::path(table.base());
    let ca = table.required("ca", "add the path of the PEM roots that the SMSC's certificate leads to", &path);
    let server_name = table.optional("server_name", value::server_name);
    let certificate = table.optional("certificate", &path);
    let key = table.optional("key", &path);
    for (given, other) in [("certificate", "key"), ("key", "certificate")] {
        if table.has(given) && !table.has(other) {
            table.fault(given, format!("is given without {other}"), format!("add {other}, or remove {given}"));
        }
    }
    check_roots(&table, "ca", ca.as_deref());
    check_identity(&table, certificate.as_deref(), key.as_deref());
    UpstreamTls { ca: ca.unwrap_or_default(), server_name, identity: certificate.zip(key) }
}

fn admin(mut table: Table<'_>, listen: &Listen) -> Admin {
    let address = table.or("address", SocketAddr::from(([127, 0, 0, 1], 2780)), value::socket_address);
    if address == listen.address && address.port() != 0 {
        table.fault("address", format!("is listen.address too ({address})"), "expected an address of its own");
    }
    let token_file = table.or("token_file", table.base().join("var/admin-token"), value::path(table.base()));
    Admin { address, token_file, webhook: workflow::webhook(&mut table) }
}

fn audit(mut table: Table<'_>) -> Audit {
    let base = table.base();
    // The record keeps no text so far, and does not pretend to.
    table.or("store_text", (), value::choice(&[("never", ())]));
    Audit {
        path: table.or("path", base.join("var/audit"), value::path(base)),
        queue: table.or("queue", 65_536, value::count(1..=1 << 24)),
        sync_interval: table.or("sync_interval", Duration::from_millis(50), value::duration),
        msisdn_key_file: table.or("msisdn_key_file", base.join("var/msisdn-key"), value::path(base)),
    }
}

fn ledger(mut table: Table<'_>) -> Ledger {
    let base = table.base();
    Ledger {
        path: table.or("path", base.join("var/ledger"), value::path(base)),
        registry_max_age: table.or("registry_max_age", value::days(31), value::age),
        write_timeout: table.or("write_timeout", Duration::from_secs(5), value::duration),
    }
}

/// Beside the ledger, if nothing else is said.
fn journal(mut table: Table<'_>, ledger: &Ledger) -> Journal {
    let base = table.base();
    Journal {
        path: table.or("path", ledger.path.with_file_name("journal"), value::path(base)),
        queue: table.or("queue", 16 * MIB, value::size(MIB as u64..=MAX_JOURNAL_QUEUE)),
        sync_interval: table.or("sync_interval", Duration::from_millis(50), value::duration),
        keep: table.or("keep", value::days(400), value::age),
        acquaintances: table.or("acquaintances", 2_000_000, value::count(1024..=1 << 32)),
    }
}

fn unknown(mut table: Table<'_>, accounts: &[Account]) -> UnknownAccount {
    let name = table.or("unknown", "reject".to_owned(), value::string);
    if name == "reject" {
        return UnknownAccount::Reject;
    }
    if !accounts.iter().any(|account| account.system_id == name) {
        let help = match nearest(&name, accounts.iter().map(|account| account.system_id.as_str())) {
            Some(known) => format!("did you mean {known:?}?"),
            None => r#"expected "reject" or the system_id of an account"#.to_owned(),
        };
        table.dangling("unknown", format!("names no account ({name:?})"), help);
    }
    UnknownAccount::TreatAs(name)
}

fn brand(mut table: Table<'_>) -> Brand {
    Brand {
        name: table.required("name", "add what it is called", value::string).unwrap_or_default(),
        spellings: table.list("spellings", value::string),
        domains: table.list("domains", value::domain),
    }
}

/// `[policy]`
struct Policy {
    rules: BTreeMap<RuleName, RuleSettings>,
    concatenation: Concatenation,
    repetition: Repetition,
    texts: Texts,
}

fn policy(mut table: Table<'_>, brands: Vec<Brand>) -> Policy {
    const TREATMENTS: &[(&str, Treatment)] =
        &[("pass", Treatment::Pass), ("record", Treatment::Record), ("refuse", Treatment::Refuse)];
    let concatenation = concatenation(table.section("concatenation"));
    let mut lists = table.section("lists");
    let (mut rules, mut shorteners, mut picture_links) = (BTreeMap::new(), Treatment::Record, Treatment::Record);
    let (mut words, mut expressions, mut score) = (Vec::new(), Vec::new(), None);
    let mut repetition = Repetition { unanswered: 12 };
    for name in RuleName::ORDER {
        let mut section = table.section(name.name());
        rules.insert(name, rule(&mut section, name));
        match name {
            RuleName::Fraud => shorteners = section.or("shorteners", shorteners, value::choice(TREATMENTS)),
            RuleName::Content => {
                words = section.tables("word").into_iter().map(own_word).collect();
                expressions = section.tables("expression").into_iter().map(own_expression).collect();
                score = section.table("score").and_then(trained_score);
            }
            RuleName::Repetition => {
                let most = value::count(1..=u64::from(Acquaintance::MOST));
                repetition.unanswered = section.or("unanswered", repetition.unanswered, most);
            }
            RuleName::Media => picture_links = section.or("picture_links", picture_links, value::choice(TREATMENTS)),
            _ => {}
        }
    }
    let texts = Texts {
        lists: list_files(&mut lists),
        languages: lists.list("languages", value::language),
        except: lists.list("except", value::category),
        words,
        expressions,
        score,
        brands,
        shorteners,
        picture_links,
    };
    Policy { rules, concatenation, repetition, texts }
}

fn own_entry(table: &mut Table<'_>) -> OwnEntry {
    OwnEntry {
        place: table.place(),
        id: table.required("id", "add a name that no other entry has", value::category).unwrap_or_default(),
        clause: table.or("clause", 30, value::count(1..=u64::from(u16::MAX))),
        category: table.or("category", "own".to_owned(), value::category),
        language: table.or("language", "any".to_owned(), value::category),
    }
}

fn own_word(mut table: Table<'_>) -> OwnWord {
    let entry = own_entry(&mut table);
    OwnWord { entry, patterns: table.list("match", value::string) }
}

fn own_expression(mut table: Table<'_>) -> OwnExpression {
    let entry = own_entry(&mut table);
    let expression = table.required("expression", "add a regular expression", value::string).unwrap_or_default();
    OwnExpression { entry, expression }
}

fn trained_score(mut table: Table<'_>) -> Option<Score> {
    let mode = table.or("mode", Mode::Shadow, value::choice(MODES));
    let path =
        table.required("model", "add the path of a model that `smppolicy train` made", value::path(table.base()));
    let threshold = table.optional("threshold", value::count(1..=1000));
    let path = path?;
    let model = table.checked("model", read_file(&path, MAX_MODEL))?;
    Some(Score { mode, file: path.display().to_string(), model, threshold })
}

/// Reads the operator's lists.
fn list_files(table: &mut Table<'_>) -> Vec<ListFile> {
    let base = table.base();
    let paths = table.list("files", value::path(base));
    let read = |path: &std::path::PathBuf| {
        let file = path.display().to_string();
        let outcome = read_text(path)
            .map_err(|wrong| Wrong { message: format!("names {file}, which {}", wrong.message), ..wrong });
        table.checked("files", outcome).map(|text| ListFile { file, text })
    };
    paths.iter().filter_map(read).collect()
}

fn rule(table: &mut Table<'_>, name: RuleName) -> RuleSettings {
    let mode = table.or("mode", name.default_mode(), value::choice(MODES));
    let status = table.optional("status", value::status);
    match status {
        Some(CommandStatus::ESME_ROK) => {
            let message = "is ESME_ROK, which tells the ESME that a refused message was accepted";
            table.fault("status", message, r#"expected an error such as "ESME_RSUBMITFAIL""#);
        }
        // Only a rate is another one a moment later.
        Some(status) if status.is_retryable() && name != RuleName::Rate => {
            let message = format!("is {status}, which clients answer by sending the same message again");
            let help = r#"no retry cures what this rule refuses: expected a final error such as "ESME_RSUBMITFAIL""#;
            table.fault("status", message, help);
        }
        _ => {}
    }
    RuleSettings { mode, status }
}

fn concatenation(mut table: Table<'_>) -> Concatenation {
    let references = table.or("references", 1_000_000, value::count(1..=100_000_000));
    let per_account = table.optional("references_per_account", value::count(1..=100_000_000));
    let size = value::size(1..=MAX_CONCATENATION);
    let memory = table.or("memory", 256 * MIB, &size);
    let memory_per_account = table.optional("memory_per_account", &size);
    for (key, above, all) in [
        ("references_per_account", per_account.is_some_and(|per_account| per_account > references), "references"),
        ("memory_per_account", memory_per_account.is_some_and(|per_account| per_account > memory), "memory"),
    ] {
        if above {
            table.fault(key, format!("is more than {all}"), "expected at most as much as all accounts together");
        }
    }
    Concatenation {
        references,
        references_per_account: per_account.unwrap_or(references.min(100_000)),
        memory,
        memory_per_account: memory_per_account.unwrap_or(memory.min(32 * MIB)),
        window: table.or("window", Duration::from_secs(3600), value::duration),
    }
}
