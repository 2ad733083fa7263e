//! Facts for one question, as a file: what `explain` takes as known beside the configuration.

use std::path::Path;

use toml::de::DeTable;

use super::account::STATES;
use super::fault::Faults;
use super::load::read_text;
use super::reader::{Document, Table};
use super::{AccountState, Purpose, value};
use crate::policy::{Acquaintance, Msisdn};

/// Facts about one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its state, if worse than what the configuration declares.
    pub state: AccountState,
    /// Whether new opt-outs cannot be kept.
    pub incomplete: bool,
    /// Numbers that have written to the account.
    pub contacts: Vec<Msisdn>,
    /// Consents to its messages.
    pub consents: Vec<KnownConsent>,
    /// Opt-outs from its messages, or from everybody's.
    pub opt_outs: Vec<KnownOptOut>,
    /// Numbers in do-not-disturb registries.
    pub listed: Vec<KnownListing>,
    /// Offers that went unanswered.
    pub unanswered: Vec<KnownUnanswered>,
}

/// `[[consent]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownConsent {
    /// Whose.
    pub msisdn: Msisdn,
    /// The sender ID or brand; none: all the account's senders.
    pub sender: Option<String>,
    /// What messages may be for.
    pub purpose: Purpose,
    /// When it ends, in milliseconds since 1970.
    pub expires: Option<i64>,
}

/// `[[opt_out]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownOptOut {
    /// Whose.
    pub msisdn: Msisdn,
    /// The sender ID or brand; none: all the account's senders.
    pub sender: Option<String>,
    /// Whether it is from all accounts.
    pub everybody: bool,
    /// Whether it has just come by message, and is not confirmed yet.
    pub just_now: bool,
}

/// `[[listed]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownListing {
    /// Who is in the registry.
    pub msisdn: Msisdn,
    /// Its name.
    pub registry: String,
    /// Of which day it is, in days since 1970-01-01.
    pub as_of: i32,
    /// Whether it is too old to be asked.
    pub stale: bool,
}

/// `[[unanswered]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownUnanswered {
    /// By whom.
    pub msisdn: Msisdn,
    /// How many in a row.
    pub count: u16,
}

impl Default for Facts {
    fn default() -> Self {
        let (contacts, consents, opt_outs, listed, unanswered) = Default::default();
        Self { state: AccountState::Active, incomplete: false, contacts, consents, opt_outs, listed, unanswered }
    }
}

impl Facts {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// Every fault of the file at once; or that it cannot be read, is no UTF-8 or is larger than 32 MiB.
    pub fn load(path: &Path) -> Result<Self, Faults> {
        let file = path.display().to_string();
        let text = read_text(path).map_err(|wrong| Faults::of_file(&file, wrong.message, &wrong.help))?;
        Self::parse(&text, &file)
    }

    /// Checks `text`; faults name it `file_name`.
    ///
    /// # Errors
    /// Every fault at once.
    pub fn parse(text: &str, file_name: &str) -> Result<Self, Faults> {
        let (root, syntax) = DeTable::parse_recoverable(text);
        let document = Document::new(file_name, text, Path::new(""));
        let facts = facts(Table::root(&document, root.into_inner()));
        match Faults::collect(file_name, text, &syntax, document) {
            Some(faults) => Err(faults),
            None => Ok(facts),
        }
    }
}

fn facts(mut root: Table<'_>) -> Facts {
    let whose = |table: &mut Table<'_>| table.required("msisdn", "add the recipient's number", value::msisdn);
    let day = |date: jiff::civil::Date| {
        let epoch = jiff::civil::date(1970, 1, 1);
        date.since((jiff::Unit::Day, epoch)).map_or(0, |span| span.get_days())
    };
    let consent = |mut table: Table<'_>| {
        let msisdn = whose(&mut table);
        let sender = table.optional("sender", value::string);
        let purpose = table.or("purpose", Purpose::Marketing, value::choice(Purpose::NAMES));
        let expires = table.optional("expires", value::date).map(|date| i64::from(day(date)) * 86_400_000);
        Some(KnownConsent { msisdn: msisdn?, sender, purpose, expires })
    };
    let opt_out = |mut table: Table<'_>| {
        let msisdn = whose(&mut table);
        let sender = table.optional("sender", value::string);
        let everybody = table.or("everybody", false, value::boolean);
        let just_now = table.or("just_now", false, value::boolean);
        Some(KnownOptOut { msisdn: msisdn?, sender, everybody, just_now })
    };
    let listed = |mut table: Table<'_>| {
        let msisdn = whose(&mut table);
        let registry = table.required("registry", "add the registry's name", value::string);
        let as_of = table.optional("as_of", value::date).map_or(0, day);
        let stale = table.or("stale", false, value::boolean);
        Some(KnownListing { msisdn: msisdn?, registry: registry?, as_of, stale })
    };
    let unanswered = |mut table: Table<'_>| {
        let msisdn = whose(&mut table);
        let most = value::count(0..=u64::from(Acquaintance::MOST));
        let count = table.required("count", "add how many offers went unanswered", most);
        Some(KnownUnanswered { msisdn: msisdn?, count: count? })
    };
    Facts {
        state: root.or("state", AccountState::Active, value::choice(STATES)),
        incomplete: root.or("incomplete", false, value::boolean),
        contacts: root.tables("contact").into_iter().filter_map(|mut table| whose(&mut table)).collect(),
        consents: root.tables("consent").into_iter().filter_map(consent).collect(),
        opt_outs: root.tables("opt_out").into_iter().filter_map(opt_out).collect(),
        listed: root.tables("listed").into_iter().filter_map(listed).collect(),
        unanswered: root.tables("unanswered").into_iter().filter_map(unanswered).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_are_numbers_in_one_form() {
        let text = "[[contact]]\nmsisdn = '32470123456'\n[[contact]]\nmsisdn = '+32 470 65 43 21'";
        let contacts = [32_470_123_456, 32_470_654_321].map(|number| Msisdn::from_value(number).unwrap()).to_vec();
        assert_eq!(Facts::parse(text, "facts.toml").unwrap(), Facts { contacts, ..Facts::default() });
        assert_eq!(Facts::parse("", "facts.toml").unwrap(), Facts::default());
    }

    #[test]
    fn each_fault_has_its_place() {
        let text = "[[contact]]\nmsisdn = '0470123456'\n[[contact]]\nmsidsn = '32470123456'\n[[optout]]";
        let expected = "facts.toml:2:10: contact[0].msisdn: is \"0470123456\"; expected an international number such as \
                        \"32470123456\"\n\
                        facts.toml:3:1: contact[1].msisdn: is missing; add the recipient's number\n\
                        facts.toml:4:1: contact[1].msidsn: unknown key; did you mean \"msisdn\"?\n\
                        facts.toml:5:3: optout: unknown key; did you mean \"opt_out\"?";
        assert_eq!(Facts::parse(text, "facts.toml").unwrap_err().to_string(), expected);
    }
}
