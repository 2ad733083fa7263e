//! The file's sections, but for the accounts: TOML in, [`Config`] or every fault out.
//!
//! Reads the configuration file and the certificates that it names, and nothing else.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use toml::de::DeTable;

use super::fault::Faults;
use super::policy::{Policy, policy};
use super::reader::{Document, Table, nearest};
use super::value::{Read as Outcome, Wrong};
use super::{
    Account, Admin, Audit, Brand, Config, Declared, Journal, Ledger, Listen, ListenTls, Log, LogFormat, LogLevel,
    Texts, UnknownAccount, Upstream, UpstreamAddress, UpstreamTls, WhenFailing, account, diff, pem, report::report,
    telemetry, value, workflow,
};
use crate::pdu::HEADER_LEN;
use crate::policy::countries::Packs;

/// The longest configuration file, in octets.
const MAX_FILE: u64 = 32 * 1024 * 1024;
/// The longest PDU that can be configured, in octets.
const MAX_FRAME: u64 = 1024 * 1024;
/// The most that all read buffers together can be allowed, in octets.
const MAX_READ_BUFFERS: u64 = 64 * 1024 * 1024 * 1024;
/// The most that can be allowed for relayed messages on their way to the journal, in octets.
const MAX_JOURNAL_QUEUE: u64 = 1024 * 1024 * 1024;
const MIB: usize = 1024 * 1024;

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
        let (document, root) = (Document::new(file_name, text, base_dir), root.into_inner());
        let leaves = diff::leaves(&root);
        let mut config = config(Table::root(&document, root));
        match Faults::collect(file_name, text, &syntax, document) {
            Some(faults) => Err(faults),
            None => {
                config.version = version(text, &config.texts);
                config.declared = Arc::new(Declared::new(leaves, base_dir, &config.texts));
                Ok(config)
            }
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
pub(super) fn read_file(path: &Path, most: u64) -> Outcome<Vec<u8>> {
    let mut contents = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(most + 1).read_to_end(&mut contents))
        .map_err(|error| Wrong::because(format!("cannot be read: {error}"), "name another file"))?;
    if contents.len() as u64 > most {
        return Err(Wrong::because(format!("is larger than {}", value::shown_size(most)), "name another file"));
    }
    Ok(contents)
}

/// The first eight octets of the SHA-256 of the file, and of the hashes of the lists and the model that it names behind
/// it: what a verdict rests on. Of a file that names none it is what `sha256sum` says.
fn version(text: &str, texts: &Texts) -> u64 {
    let mut hasher = Sha256::new_with_prefix(text);
    let lists = texts.lists.iter().map(|list| list.text.as_bytes());
    for file in lists.chain(texts.score.iter().map(|score| score.model.as_slice())) {
        hasher.update(Sha256::digest(file));
    }
    let digest: [u8; 32] = hasher.finalize().into();
    digest.iter().take(8).fold(0, |version, octet| version << 8 | u64::from(*octet))
}

fn config(mut root: Table<'_>) -> Config {
    let listen = listen(root.section("listen"));
    let upstreams = upstreams(&mut root);
    let client_ca = listen.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
    let accounts = account::accounts(&mut root, &upstreams, client_ca);
    let unknown = unknown(root.section("accounts"), &accounts);
    let brands = root.tables("brand").into_iter().map(brand).collect();
    let Policy { rules, concatenation, destination, campaign, repetition, rate, texts } =
        policy(root.section("policy"), brands);
    let countries = countries(root.section("country"));
    let admin = root.table("admin").map(|table| admin(table, &listen));
    let report = root.table("report").map(|table| report(table, &listen, admin.as_ref().map(|admin| admin.address)));
    let ledger = ledger(root.section("ledger"));
    let audit = audit(root.section("audit"));
    let journal = journal(root.section("journal"), &ledger);
    #[cfg(not(feature = "otlp"))]
    telemetry::refuse(&mut root);
    Config {
        version: 0,
        declared: Arc::default(),
        log: log(root.section("log")),
        watch: root.section("reload").or("watch", false, value::boolean),
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
        #[cfg(feature = "otlp")]
        otlp_endpoint: telemetry::otlp_endpoint(&mut root),
        unknown,
        rules,
        concatenation,
        destination,
        campaign,
        repetition,
        rate,
        texts,
        countries,
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
    let operator_token_file = table.optional("operator_token_file", value::path(table.base()));
    let viewer_token_file = table.optional("viewer_token_file", value::path(table.base()));
    let files = [("operator_token_file", &operator_token_file), ("viewer_token_file", &viewer_token_file)];
    for (key, file) in files {
        let is_shared = files.iter().any(|(other, it)| *other != key && it.is_some() && *it == file);
        if is_shared || file.as_ref() == Some(&token_file) {
            table.fault(key, "is another role's file too", "expected a file of its own");
        }
    }
    Admin { address, token_file, operator_token_file, viewer_token_file, webhook: workflow::webhook(&mut table) }
}

const WHEN_FAILING: [(&str, WhenFailing); 2] = [("stop", WhenFailing::Stop), ("serve", WhenFailing::Serve)];

fn audit(mut table: Table<'_>) -> Audit {
    let base = table.base();
    // The record keeps no text so far, and does not pretend to.
    table.or("store_text", (), value::choice(&[("never", ())]));
    let msisdn_key_file = table.or("msisdn_key_file", base.join("var/msisdn-key"), value::path(base));
    // Beside the other key, if nothing else is said.
    let checkpoint_key_file = msisdn_key_file.with_file_name("audit-key");
    Audit {
        path: table.or("path", base.join("var/audit"), value::path(base)),
        queue: table.or("queue", 65_536, value::count(1..=1 << 24)),
        sync_interval: table.or("sync_interval", Duration::from_millis(50), value::duration),
        checkpoint_interval: table.or("checkpoint_interval", Duration::from_secs(3600), value::duration),
        checkpoint_key_file: table.or("checkpoint_key_file", checkpoint_key_file, value::path(base)),
        msisdn_key_file,
        keep: table.or("keep", value::days(400), value::age),
        when_failing: table.or("when_failing", WhenFailing::Stop, value::choice(&WHEN_FAILING)),
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

fn log(mut table: Table<'_>) -> Log {
    const FORMATS: &[(&str, LogFormat)] = &[("text", LogFormat::Text), ("json", LogFormat::Json)];
    const LEVELS: &[(&str, LogLevel)] =
        &[("error", LogLevel::Error), ("warn", LogLevel::Warn), ("info", LogLevel::Info), ("debug", LogLevel::Debug)];
    Log {
        format: table.or("format", LogFormat::Text, value::choice(FORMATS)),
        level: table.or("level", LogLevel::Info, value::choice(LEVELS)),
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

/// What comes with the program, under what the file says.
fn countries(table: Table<'_>) -> Packs {
    let mut packs = Packs::shipped();
    packs.read(table);
    packs
}

fn brand(mut table: Table<'_>) -> Brand {
    Brand {
        name: table.required("name", "add what it is called", value::string).unwrap_or_default(),
        spellings: table.list("spellings", value::string),
        domains: table.list("domains", value::domain),
    }
}
