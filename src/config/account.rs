//! `[[account]]` and `[[account.sender]]`.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::num::NonZeroU32;

use super::reader::{Table, list, nearest};
use super::{Account, AccountState, Campaign, Purpose, RateLimit, Sender, SenderKind, Upstream, UsClass, value};
use crate::numbers::Territory;
use crate::text::DefaultAlphabet;

/// SMPP 3.4 section 4.1: 16 octets with the NUL.
const MAX_SYSTEM_ID: usize = 15;
/// SMPP 3.4 section 4.1: 9 octets with the NUL.
const MAX_PASSWORD: usize = 8;

impl Account {
    /// Its sender IDs and brands: the names that a consent to its messages, or an opt-out from them, can be for.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.senders.iter().map(|sender| &*sender.id).chain(self.brands.iter().map(String::as_str))
    }

    /// Whether what one person writes to another may be among its messages.
    pub fn has_persons(&self) -> bool {
        let purposes = self.campaigns.iter().map(|campaign| campaign.purpose).chain(self.default_purpose);
        purposes.into_iter().any(|purpose| purpose == Purpose::P2p)
    }
}

/// All accounts; `client_ca` says whether ESMEs show certificates.
pub(super) fn accounts(root: &mut Table<'_>, upstreams: &BTreeMap<String, Upstream>, client_ca: bool) -> Vec<Account> {
    let mut first = HashMap::new();
    let tables = root.tables("account");
    tables
        .into_iter()
        .map(|mut table| {
            let account = account(&mut table, upstreams, client_ca);
            unique(&table, "system_id", account.system_id.clone(), &mut first);
            account
        })
        .collect()
}

/// Reports `name` under `key` if an earlier table had it; an empty one has been reported already.
fn unique(table: &Table<'_>, key: &str, name: String, first: &mut HashMap<String, String>) {
    if name.is_empty() {
        return;
    }
    match first.get(&name) {
        Some(earlier) => table.fault(key, format!("is that of {earlier} too ({name:?})"), "expected each only once"),
        None => {
            first.insert(name, table.path().to_owned());
        }
    }
}

fn account(table: &mut Table<'_>, upstreams: &BTreeMap<String, Upstream>, client_ca: bool) -> Account {
    const ALPHABETS: &[(&str, DefaultAlphabet)] =
        &[("gsm", DefaultAlphabet::Gsm), ("latin1", DefaultAlphabet::Latin1), ("ascii", DefaultAlphabet::Ascii)];
    let no = |table: &mut Table<'_>, key| table.or(key, false, value::boolean);
    let name = value::octets(1..=MAX_SYSTEM_ID);
    let account = Account {
        system_id: table.required("system_id", "add what its binds call themselves", &name).unwrap_or_default(),
        state: table.or("state", AccountState::Active, value::choice(STATES)),
        upstream: upstream(table, upstreams),
        password_hash: table.optional("password_hash", value::password_hash),
        upstream_system_id: table.optional("upstream_system_id", &name),
        upstream_password: table.optional("upstream_password", value::secret(0..=MAX_PASSWORD)),
        country: table.optional("country", value::country),
        allow_from: table.list("allow_from", value::network),
        max_binds: table.or("max_binds", 4, value::count(1..=10_000)),
        client_certificate: table.optional("client_certificate", value::certificate_name),
        reason_tlv: no(table, "reason_tlv"),
        strict_multi: no(table, "strict_multi"),
        allow_replace: no(table, "allow_replace"),
        allow_binary: no(table, "allow_binary"),
        allow_empty_sender: no(table, "allow_empty_sender"),
        allow_default_message: no(table, "allow_default_message"),
        allow_receipt_types: no(table, "allow_receipt_types"),
        default_alphabet: table.or("default_alphabet", DefaultAlphabet::default(), value::choice(ALPHABETS)),
        brands: table.list("brands", value::string),
        licences: table.list("licences", value::category),
        health_attested: no(table, "health_attested"),
        double_opt_in: no(table, "double_opt_in"),
        countries: table.list("countries", value::country),
        allow_fixed: no(table, "allow_fixed"),
        allow_premium: no(table, "allow_premium"),
        country_rate: country_rates(table),
        rate: table.table("rate").map(rate_limit),
        bind_rate: table.table("bind_rate").map(rate_limit),
        senders: senders(table),
        campaigns: campaigns(table),
        default_purpose: table.optional("default_purpose", value::choice(Purpose::NAMES)),
    };
    for campaign in &account.campaigns {
        for name in &campaign.senders {
            let known = || account.senders.iter().map(|sender| sender.id.as_str());
            if !known().any(|known| known.eq_ignore_ascii_case(name)) {
                let help = match nearest(name, known()) {
                    Some(known) => format!("did you mean {known:?}?"),
                    None => "add it as [[account.sender]]".to_owned(),
                };
                let message = format!("has a campaign {:?} of a sender that is not declared ({name:?})", campaign.name);
                table.dangling("campaign", message, help);
            }
        }
    }
    if account.client_certificate.is_some() && !client_ca {
        let help = "add client_ca to [listen.tls], or remove it";
        table.fault("client_certificate", "is asked for, but no ESME is asked for a certificate", help);
    }
    if table.has("upstream_password") && !table.has("password_hash") && !table.has("client_certificate") {
        let message = "replaces the ESME's own password, which nobody checks then";
        table.fault("upstream_password", message, "add password_hash or client_certificate");
    }
    account
}

fn upstream(table: &mut Table<'_>, upstreams: &BTreeMap<String, Upstream>) -> String {
    let names = || upstreams.keys().map(String::as_str);
    match table.optional("upstream", value::string) {
        Some(name) if upstreams.contains_key(&name) => name,
        Some(name) => {
            let help = match nearest(&name, names()) {
                Some(known) => format!("did you mean {known:?}?"),
                None => format!("expected one of {}", list(names())),
            };
            table.dangling("upstream", format!("names no upstream ({name:?})"), help);
            name
        }
        // A wrong value, or no upstream at all, has been reported already.
        None => {
            if upstreams.len() > 1 && !table.has("upstream") {
                table.missing("upstream", &format!("there are several: name one of {}", list(names())));
            }
            names().next().unwrap_or_default().to_owned()
        }
    }
}

/// By country.
fn country_rates(table: &mut Table<'_>) -> BTreeMap<String, RateLimit> {
    let named = table.section("country_rate").named_tables().into_iter();
    named.filter_map(|(name, table)| Some((territory(&name, &table)?, rate_limit(table)))).collect()
}

/// The country that a table is named after.
fn territory(name: &str, table: &Table<'_>) -> Option<String> {
    let is_country = Territory::parse(name).is_some();
    if !is_country {
        let help = r#"expected two upper-case letters (ISO 3166-1 alpha-2) such as "US""#;
        table.fault("", format!("is named after no country ({name:?})"), help);
    }
    is_country.then(|| name.to_owned())
}

fn rate_limit(mut table: Table<'_>) -> RateLimit {
    let per_second = table.required("per_second", "add messages a second", value::rate).unwrap_or(NonZeroU32::MIN);
    RateLimit { per_second, burst: table.or("burst", per_second, value::rate) }
}

fn senders(account: &mut Table<'_>) -> Vec<Sender> {
    let mut first = HashMap::new();
    let tables = account.tables("sender");
    tables
        .into_iter()
        .map(|mut table| {
            let sender = sender(&mut table);
            unique(&table, "id", sender.id.to_lowercase(), &mut first);
            sender
        })
        .collect()
}

fn sender(table: &mut Table<'_>) -> Sender {
    const KINDS: &[(&str, SenderKind)] = &[
        ("alphanumeric", SenderKind::Alphanumeric),
        ("short_code", SenderKind::ShortCode),
        ("international", SenderKind::International),
    ];
    let id = table.required("id", "add the sender ID", value::string).unwrap_or_default();
    let declared = table.optional("kind", value::choice(KINDS));
    let kind = declared.unwrap_or_else(|| SenderKind::of(&id));
    if let Some(why) = (!id.is_empty()).then(|| kind.misfit(&id)).flatten() {
        table.fault("id", format!("is no {kind} sender ID ({id:?})"), why);
    }
    let sender = Sender {
        id,
        kind,
        on_behalf_of: table.optional("on_behalf_of", value::string),
        authorisation: table.optional("authorisation", value::string),
        expires: table.optional("expires", value::date),
        rate: table.table("rate").map(rate_limit),
        countries: table.list("countries", value::country),
    };
    if table.has("on_behalf_of") && !table.has("authorisation") {
        let help = "add authorisation, the file or reference of the evidence";
        table.fault("on_behalf_of", "is given without authorisation", help);
    }
    sender
}

/// The states of an account, by name.
pub(super) const STATES: &[(&str, AccountState)] = &[
    ("active", AccountState::Active),
    ("held", AccountState::Held),
    ("blocked", AccountState::Blocked),
    ("deactivated", AccountState::Deactivated),
];

/// What messages may be for, by name.
/// SMPP 3.4 section 5.2.11: 6 octets with the NUL.
const MAX_SERVICE_TYPE: usize = 5;

fn campaigns(account: &mut Table<'_>) -> Vec<Campaign> {
    let mut first = HashMap::new();
    let tables = account.tables("campaign");
    tables
        .into_iter()
        .map(|mut table| {
            let campaign = Campaign {
                name: table.required("name", "add what records call it", value::string).unwrap_or_default(),
                purpose: table
                    .required("purpose", "add what its messages are for", value::choice(Purpose::NAMES))
                    .unwrap_or(Purpose::Marketing),
                senders: table.list("senders", value::string),
                service_type: table.optional("service_type", value::octets(1..=MAX_SERVICE_TYPE)),
                samples: table.list("samples", value::sample),
                registrations: registrations(&mut table),
                us_class: table.optional("us_class", value::choice(US_CLASSES)),
                per_day: table.optional("per_day", value::count(1..=1_000_000_000)),
            };
            if campaign.senders.is_empty() && campaign.service_type.is_none() {
                table.missing("senders", "a campaign is known by its senders or its service_type");
            }
            unique(&table, "name", campaign.name.clone(), &mut first);
            campaign
        })
        .collect()
}

/// Message classes of ten-digit numbers in the US: AT&T's messages a minute for each, and the cap a day that T-Mobile has
/// for brands of the same standing. From tables that Convey (support.goconvey.com, article 45221643638291) and Clickatell
/// (faqs, answer 11) publish; confidence: medium, as carriers change them and T-Mobile counts by brand.
const US_CLASSES: &[(&str, UsClass)] = &[
    ("A", UsClass { name: "A", per_minute: 4500, per_day: 200_000 }),
    ("B", UsClass { name: "B", per_minute: 4500, per_day: 200_000 }),
    ("C", UsClass { name: "C", per_minute: 2400, per_day: 40_000 }),
    ("D", UsClass { name: "D", per_minute: 2400, per_day: 40_000 }),
    ("E", UsClass { name: "E", per_minute: 240, per_day: 10_000 }),
    ("F", UsClass { name: "F", per_minute: 240, per_day: 10_000 }),
    ("T", UsClass { name: "T", per_minute: 75, per_day: 2000 }),
];

/// What a campaign is registered as, by country.
fn registrations(campaign: &mut Table<'_>) -> BTreeMap<String, String> {
    let mut table = campaign.section("registrations");
    let named = table.named_values(value::string);
    named.into_iter().filter(|(name, _)| territory(name, &table).is_some()).collect()
}

/// Characters of the GSM 03.38 basic table beyond ASCII letters and digits, without its line breaks and escape.
const GSM_BASIC: &str = " @£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ!\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà";

impl SenderKind {
    /// The kind of a sender ID that declares none.
    pub fn of(id: &str) -> Self {
        match (id.bytes().all(|b| b.is_ascii_digit()), id.len()) {
            (true, ..=6) => Self::ShortCode,
            (true, _) => Self::International,
            (false, _) => Self::Alphanumeric,
        }
    }

    /// What `id` would have to be to be of this kind, if it is not.
    fn misfit(self, id: &str) -> Option<&'static str> {
        let digits = id.bytes().all(|b| b.is_ascii_digit());
        let basic = |c: char| c.is_ascii_alphanumeric() || GSM_BASIC.contains(c);
        let (fits, expected) = match self {
            Self::Alphanumeric if id.strip_prefix('+').is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit())) => {
                (false, "write an international number without the +")
            }
            Self::Alphanumeric => (
                id.chars().count() <= 11 && id.chars().all(basic) && id.contains(char::is_alphabetic),
                "expected 1 to 11 characters of the GSM 03.38 basic table, a letter among them",
            ),
            Self::ShortCode => (digits && (3..=8).contains(&id.len()), "expected 3 to 8 digits"),
            Self::International => (
                digits && (7..=15).contains(&id.len()) && !id.starts_with('0'),
                "expected 7 to 15 digits with the country code, without + and leading 0",
            ),
        };
        (!fits).then_some(expected)
    }
}

impl fmt::Display for SenderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alphanumeric => "alphanumeric",
            Self::ShortCode => "short code",
            Self::International => "international",
        })
    }
}
