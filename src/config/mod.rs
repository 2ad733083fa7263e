//! The configuration: TOML in, one checked [`Config`] out, or every fault at once with file, line, column and key.
//!
//! Nothing here opens a socket or starts anything; whatever reads these types may rely on every value being in range
//! and every reference (upstream, account, file) being resolved.

mod account;
mod diff;
mod facts;
mod fault;
mod load;
mod pem;
mod policy;
pub(crate) mod reader;
mod report;
mod rule;
mod telemetry;
pub(crate) mod value;
mod workflow;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;

use crate::policy::countries::Packs;
use crate::text::DefaultAlphabet;

pub use diff::{Change, Declared, Diff, Kind as ChangeKind};
pub use facts::{Facts, KnownConsent, KnownListing, KnownOptOut};
pub use fault::{Fault, Faults, Position};
pub use report::Report;
pub use rule::{
    Allowance, Brand, CampaignRule, Destination, ListFile, Mode, OwnEntry, OwnExpression, OwnWord, RateRule,
    Repetition, RuleName, RuleSettings, Score, Texts, Treatment, Unlike,
};
pub use workflow::{Complaints, OnExpiry, Proof, Retention, Webhook};

/// Everything that the configuration file says, checked.
#[derive(Debug)]
pub struct Config {
    /// Names this configuration in records: the first eight octets of the SHA-256 of the file, and of the lists and the
    /// model that it names.
    pub version: u64,
    /// What the file says, to be compared with another.
    pub declared: Arc<Declared>,
    /// What is told of it all.
    pub log: Log,
    /// Whether it is put in force anew when its file, or one that it names, has changed.
    pub watch: bool,
    /// The ESMEs' side.
    pub listen: Listen,
    /// The SMSCs by name.
    pub upstreams: BTreeMap<String, Upstream>,
    /// The operator's HTTP interface; absent: there is none.
    pub admin: Option<Admin>,
    /// The public form; absent: there is none.
    pub report: Option<Report>,
    /// The durable facts.
    pub ledger: Ledger,
    /// Requests for proof of consent.
    pub proof: Proof,
    /// Complaints of recipients.
    pub complaints: Complaints,
    /// How long records are kept.
    pub retention: Retention,
    /// The record of verdicts.
    pub audit: Audit,
    /// The record of relayed messages.
    pub journal: Journal,
    /// The URL of the collector that spans go to; absent: they go nowhere.
    #[cfg(feature = "otlp")]
    pub otlp_endpoint: Option<String>,
    /// What happens to a system_id of no account.
    pub unknown: UnknownAccount,
    /// How each rule is to be applied; a rule that the file does not name has its default here.
    pub rules: BTreeMap<RuleName, RuleSettings>,
    /// Bounds of the memory for multipart messages.
    pub concatenation: Concatenation,
    /// Who is no recipient.
    pub destination: Destination,
    /// What belongs to no campaign.
    pub campaign: CampaignRule,
    /// What is too much for one recipient.
    pub repetition: Repetition,
    /// What is too much in some time.
    pub rate: RateRule,
    /// What the rules about content rest on.
    pub texts: Texts,
    /// What is known of countries.
    pub countries: Packs,
    /// The customers.
    pub accounts: Vec<Account>,
}

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// A one-time code that the recipient has just asked for.
    Otp,
    /// What belongs to something that the recipient has bought, booked or asked for.
    Transactional,
    /// A warning.
    Alert,
    /// An offer.
    Marketing,
    /// What one person writes to another.
    P2p,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 5] = [Self::Otp, Self::Transactional, Self::Alert, Self::Marketing, Self::P2p];

    /// Every purpose by its name.
    pub(crate) const NAMES: &[(&str, Self)] = &[
        (Self::Otp.name(), Self::Otp),
        (Self::Transactional.name(), Self::Transactional),
        (Self::Alert.name(), Self::Alert),
        (Self::Marketing.name(), Self::Marketing),
        (Self::P2p.name(), Self::P2p),
    ];

    /// The name in the configuration, in consents and in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Otp => "otp",
            Self::Transactional => "transactional",
            Self::Alert => "alert",
            Self::Marketing => "marketing",
            Self::P2p => "p2p",
        }
    }
}

/// `[listen]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Where ESMEs connect; port 0 is chosen by the system.
    pub address: SocketAddr,
    /// Connections at once, bound or not; more are closed at once.
    pub max_connections: usize,
    /// The longest PDU, in octets.
    pub max_frame: usize,
    /// From the first octet that we wait for to the SMSC's bind response, backups included; absolute.
    pub bind_timeout: Duration,
    /// From the first octet of a PDU to its last.
    pub frame_timeout: Duration,
    /// Octets that all read buffers together may hold.
    pub read_buffers_total: usize,
    /// Silence after which a side is asked for a sign of life; after two without an answer it is gone.
    pub enquire_link_interval: Duration,
    /// How long a peer may take nothing of what is ready for it.
    pub write_timeout: Duration,
    /// How long the end of a bind, and of the process, may take; half of it goes to outstanding answers.
    pub drain_timeout: Duration,
    /// After so long without an answer a request no longer counts as outstanding (its answer is still relayed).
    pub response_timeout: Duration,
    /// Outstanding requests per bind before reading stops.
    pub window: usize,
    /// Binds in progress per account that do not count against `max_binds` yet.
    pub max_pending_binds: usize,
    /// Failed binds of one system_id from one address before that pair is locked out.
    pub lockout_failures: u32,
    /// How long a lockout lasts, and how long a failure counts.
    pub lockout_time: Duration,
    /// Whether every connection opens with a PROXY protocol header (v1 or v2).
    pub proxy_protocol: bool,
    /// Who may send one.
    pub trusted_proxies: Vec<IpNet>,
    /// TLS instead of plain TCP.
    pub tls: Option<ListenTls>,
}

/// `[listen.tls]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenTls {
    /// PEM chain, leaf first.
    pub certificate: PathBuf,
    /// PEM private key.
    pub key: PathBuf,
    /// PEM roots; if given, every ESME must show a certificate that one of them signed.
    pub client_ca: Option<PathBuf>,
}

/// `[upstream.NAME]`
#[derive(Debug, Clone)]
pub struct Upstream {
    /// The SMSC.
    pub address: UpstreamAddress,
    /// Tried in order at bind time when the first cannot be reached.
    pub backup: Vec<UpstreamAddress>,
    /// Per address, within the bind's deadline.
    pub connect_timeout: Duration,
    /// TLS towards the SMSC.
    pub tls: Option<UpstreamTls>,
}

/// Where an SMSC is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpstreamAddress {
    /// `host:port`, resolved at bind time.
    Host(String),
    /// The SMSC simulator within this process.
    Simulator,
}

/// `[upstream.NAME.tls]`
#[derive(Debug, Clone)]
pub struct UpstreamTls {
    /// PEM roots that the SMSC's certificate must lead to.
    pub ca: PathBuf,
    /// The name that its certificate must bear; default: the host part of the address.
    pub server_name: Option<String>,
    /// Our own certificate and key (PEM), if the SMSC asks for one.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// `[admin]`
#[derive(Debug, Clone)]
pub struct Admin {
    /// Where operators connect; port 0 is chosen by the system.
    pub address: SocketAddr,
    /// The bearer token of the role `admin`; made at first start, mode 0600.
    pub token_file: PathBuf,
    /// That of the role `operator`; absent: nobody has it.
    pub operator_token_file: Option<PathBuf>,
    /// That of the role `viewer`; absent: nobody has it.
    pub viewer_token_file: Option<PathBuf>,
    /// Where events go; absent: nowhere.
    pub webhook: Option<Webhook>,
}

/// `[ledger]`
#[derive(Debug, Clone)]
pub struct Ledger {
    /// Folder of the durable facts.
    pub path: PathBuf,
    /// When a do-not-disturb registry is too old to be asked, and offers wait.
    pub registry_max_age: Duration,
    /// How long a subscriber's opt-out may wait for the disk before the SMSC is told to send it again.
    pub write_timeout: Duration,
}

/// `[audit]`
#[derive(Debug, Clone)]
pub struct Audit {
    /// Folder of the daily files.
    pub path: PathBuf,
    /// Records that may wait for the writer; when they are so many, reading slows.
    pub queue: usize,
    /// The longest that a written record waits for its fsync.
    pub sync_interval: Duration,
    /// The key of the keyed hash that stands for a subscriber's number; made at first start, mode 0600.
    pub msisdn_key_file: PathBuf,
    /// How often checkpoints are signed while something is written.
    pub checkpoint_interval: Duration,
    /// The Ed25519 key that they are signed with; made at first start, mode 0600, the public key beside it in `.pub`.
    pub checkpoint_key_file: PathBuf,
    /// After so long a day's file is deleted.
    pub keep: Duration,
    /// What goes on while nothing can be written.
    pub when_failing: WhenFailing,
}

/// `audit.when_failing`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFailing {
    /// Evidence over service: nothing is relayed and nothing changed.
    Stop,
    /// Service over evidence.
    Serve,
}

/// `[journal]`
#[derive(Debug, Clone)]
pub struct Journal {
    /// Folder of the daily files.
    pub path: PathBuf,
    /// Octets of messages that may wait for the writer; when they are so many, reading slows.
    pub queue: usize,
    /// The longest that what is written waits for its fsync.
    pub sync_interval: Duration,
    /// After so long a day's file is deleted.
    pub keep: Duration,
    /// Pairs of account and recipient whose dealings are remembered, at 8 octets each.
    pub acquaintances: usize,
}

/// `[log]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// The least that is told.
    pub level: LogLevel,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people; for the journal with its level in front, if that is what standard error is.
    Text,
    /// One object a line.
    Json,
}

/// How grave what is told must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is called as in `RUST_LOG`")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

/// `accounts.unknown`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnknownAccount {
    /// The bind gets ESME_RINVSYSID.
    Reject,
    /// It is treated as the account of this system_id.
    TreatAs(String),
}

/// `[policy.concatenation]`: bounds of the memory for multipart messages.
#[derive(Debug, Clone, Copy)]
pub struct Concatenation {
    /// References remembered over all accounts.
    pub references: usize,
    /// References remembered per account; a new one above that is answered with ESME_RMSGQFUL.
    pub references_per_account: usize,
    /// Octets remembered over all accounts, texts included.
    pub memory: usize,
    /// Octets remembered per account; a part above that is answered with ESME_RMSGQFUL.
    pub memory_per_account: usize,
    /// How long one is remembered after its last part.
    pub window: Duration,
}

/// `[[account]]`
#[derive(Debug)]
pub struct Account {
    /// What its binds call themselves: 1..=15 octets.
    pub system_id: String,
    /// Whether it may bind and send.
    pub state: AccountState,
    /// Key into [`Config::upstreams`].
    pub upstream: String,
    /// A PHC string; absent: the SMSC decides.
    pub password_hash: Option<SecretString>,
    /// The system_id to show the SMSC instead.
    pub upstream_system_id: Option<String>,
    /// The password to show the SMSC instead.
    pub upstream_password: Option<SecretString>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// Where its binds may come from; empty: anywhere.
    pub allow_from: Vec<IpNet>,
    /// Binds at once.
    pub max_binds: usize,
    /// The subject (RFC 4514 string) or SHA-256 fingerprint (64 hex digits) that its binds' certificate must have.
    pub client_certificate: Option<String>,
    /// Whether refusals carry additional_status_info_text; breaks some clients.
    pub reason_tlv: bool,
    /// May replace accepted messages.
    pub allow_replace: bool,
    /// May send binary content.
    pub allow_binary: bool,
    /// May send without a source address.
    pub allow_empty_sender: bool,
    /// May name a canned message of the SMSC, whose text cannot be seen here.
    pub allow_default_message: bool,
    /// Refuse a submit_multi whole when one of its destinations is refused.
    pub strict_multi: bool,
    /// May submit receipts and acknowledgements.
    pub allow_receipt_types: bool,
    /// What the SMSC takes data_coding 0 for.
    pub default_alphabet: DefaultAlphabet,
    /// Names by which its recipients know it.
    pub brands: Vec<String>,
    /// Categories of list entries that do not count for it: what it holds a licence for.
    pub licences: Vec<String>,
    /// Has attested that it may send identified health information to the US.
    pub health_attested: bool,
    /// Whether its consents count only once the recipient has confirmed them by message.
    pub double_opt_in: bool,
    /// Where its recipients may be (ISO 3166-1 alpha-2); empty: anywhere.
    pub countries: Vec<String>,
    /// May write to numbers that are no handset's: of fixed lines, of pagers, of companies.
    pub allow_fixed: bool,
    /// May write to numbers that cost whoever reads or answers: premium, shared cost.
    pub allow_premium: bool,
    /// To recipients in one country, all binds together.
    pub country_rate: BTreeMap<String, RateLimit>,
    /// All binds together; absent: unlimited.
    pub rate: Option<RateLimit>,
    /// Each bind; absent: unlimited.
    pub bind_rate: Option<RateLimit>,
    /// Sender IDs it may use.
    pub senders: Vec<Sender>,
    /// What it sends, and for what.
    pub campaigns: Vec<Campaign>,
    /// What messages of no campaign are for.
    pub default_purpose: Option<Purpose>,
}

/// Whether an account may bind and send; each state is worse for it than the one before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountState {
    /// It may.
    #[default]
    Active,
    /// Its offers are refused (clause 18).
    Held,
    /// Binds are refused, live ones too and then unbound (clause 18).
    Blocked,
    /// The same, for good: what it has paid for is refunded (clauses 16, 17).
    Deactivated,
}

impl AccountState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Active, Self::Held, Self::Blocked, Self::Deactivated];

    /// The name in the configuration and in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Held => "held",
            Self::Blocked => "blocked",
            Self::Deactivated => "deactivated",
        }
    }
}

/// `[[account.campaign]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Campaign {
    /// What records call it.
    pub name: String,
    /// What its messages are for.
    pub purpose: Purpose,
    /// The sender IDs that it uses; none: any of the account's, with its service_type.
    pub senders: Vec<String>,
    /// The service_type by which its messages are known.
    pub service_type: Option<String>,
    /// What its messages look like.
    pub samples: Vec<String>,
    /// What it is registered as, by country (ISO 3166-1 alpha-2).
    pub registrations: BTreeMap<String, String>,
    /// The message class that its registration in the US put it in, if its limits are to be kept here.
    pub us_class: Option<UsClass>,
    /// Messages a day (UTC) that it was approved for; absent: as many as it likes.
    pub per_day: Option<u32>,
}

/// What US carriers let a campaign send from ten-digit numbers, by its message class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsClass {
    /// What it is called.
    pub name: &'static str,
    /// Messages in a minute.
    pub per_minute: u32,
    /// Messages in a day.
    pub per_day: u32,
}

/// Messages (parts and destinations counted singly) a second, with what may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Sustained messages a second.
    pub per_second: NonZeroU32,
    /// Messages at once after a pause; default: `per_second`.
    pub burst: NonZeroU32,
}

/// `[[account.sender]]`
#[derive(Debug, Clone)]
pub struct Sender {
    /// As written in the file, trimmed.
    pub id: String,
    /// Declared or derived; always the kind that `id` has.
    pub kind: SenderKind,
    /// Whose it is, if not the account's own; then `authorisation` is there.
    pub on_behalf_of: Option<String>,
    /// File or reference of the evidence.
    pub authorisation: Option<String>,
    /// The last day (UTC) on which it may be used.
    pub expires: Option<jiff::civil::Date>,
    /// Over all binds of the account; absent: unlimited.
    pub rate: Option<RateLimit>,
    /// Where it is registered (ISO 3166-1 alpha-2).
    pub countries: Vec<String>,
}

/// What a sender ID is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SenderKind {
    /// 1..=11 characters of the GSM 03.38 basic table, a letter among them.
    Alphanumeric,
    /// 3..=8 digits as a network assigns them; has a meaning in one country only.
    ShortCode,
    /// 7..=15 digits with a country code, no leading 0.
    International,
}

/// Whether `address`, an IPv4-mapped one taken as IPv4, is within any of `nets`.
pub fn within(nets: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    nets.iter().any(|net| net.contains(&address))
}
