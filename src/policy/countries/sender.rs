//! What a sender ID must be like where the recipient is: which kinds there are, how long, of what characters, registered
//! or not. Knows nothing of whose it is.

use toml::de::DeValue;

use super::facts::{Fact, Provenance};
use crate::config::reader::Table;
use crate::config::value::{self, Read, Wrong};
use crate::config::{Purpose, SenderKind};
use crate::numbers::Territory;

/// Which sender IDs a country lets through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderRules {
    /// Whether names may send.
    pub alphanumeric: Permission,
    /// What names may send; none: anything.
    pub alphanumeric_for: Vec<Purpose>,
    /// The fewest characters of a name.
    pub min_length: u8,
    /// The most.
    pub max_length: u8,
    /// What a name may have beside letters from A to Z and digits.
    pub characters: String,
    /// Whether a name may have digits.
    pub digits: bool,
    /// Whether a name must begin with a letter.
    pub letter_first: bool,
    /// Names, in lower case, that say nothing of who sends, and are refused alone.
    pub generic: Vec<String>,
    /// What a name that sends marketing begins with.
    pub marketing_prefix: Option<String>,
    /// Where senders are registered.
    pub register: Option<String>,
    /// Numbers that have none of `forms`.
    pub numeric: Permission,
    /// Numbers by what they look like; the first that fits counts.
    pub forms: Vec<Form>,
}

/// Whether a kind of sender ID gets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// It does.
    Allowed,
    /// If it is registered.
    Registered,
    /// Never.
    Refused,
}

/// Numbers that look alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// `+` before an international number, digits, `x` for any digit, and `*` at the end for any more.
    pub pattern: String,
    /// What they may send; none: anything.
    pub purposes: Vec<Purpose>,
    /// Whether they get through.
    pub permission: Permission,
}

/// Why a sender ID does not do in a country.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderFault<'c> {
    /// The country; none: it is what holds where nothing is known.
    pub territory: Option<Territory>,
    /// What is wrong with it, as in "sender is ...".
    pub why: &'static str,
    /// Where the rule comes from.
    pub provenance: &'c Provenance,
}

impl SenderFault<'_> {
    /// Whether it is more than advice.
    pub fn binds(&self) -> bool {
        self.provenance.binds()
    }
}

/// What is wrong with a sender ID by these rules. A message of no known purpose is not held against rules about purposes.
pub(super) fn fault(
    rules: &Fact<SenderRules>,
    sender: &str,
    kind: SenderKind,
    purpose: Option<Purpose>,
    registered: bool,
) -> Option<&'static str> {
    let rules = &rules.value;
    let (permission, purposes) = match kind {
        SenderKind::Alphanumeric => {
            if let Some(why) = rules.name_fault(sender, purpose) {
                return Some(why);
            }
            (rules.alphanumeric, &rules.alphanumeric_for[..])
        }
        SenderKind::ShortCode | SenderKind::International => {
            let international = kind == SenderKind::International;
            match rules.forms.iter().find(|form| form.fits(sender, international)) {
                Some(form) => (form.permission, &form.purposes[..]),
                None => (rules.numeric, &[][..]),
            }
        }
    };
    let may_send = |purpose: Purpose| purposes.is_empty() || purposes.contains(&purpose);
    match permission {
        Permission::Refused => Some("of a kind that the recipient's country does not let through"),
        Permission::Registered if !registered => Some("not registered in the recipient's country"),
        _ if !purpose.is_none_or(may_send) => Some("of a kind that is for other purposes in the recipient's country"),
        _ => None,
    }
}

impl SenderRules {
    fn name_fault(&self, name: &str, purpose: Option<Purpose>) -> Option<&'static str> {
        let length = name.chars().count();
        let fits =
            |c: char| c.is_ascii_alphabetic() || (self.digits && c.is_ascii_digit()) || self.characters.contains(c);
        if length < usize::from(self.min_length) || length > usize::from(self.max_length) {
            return Some("longer or shorter than the recipient's country allows");
        }
        if !name.chars().all(fits) {
            return Some("of characters that the recipient's country does not allow");
        }
        if self.letter_first && !name.starts_with(char::is_alphabetic) {
            return Some("not begun with a letter, as the recipient's country wants");
        }
        if self.generic.iter().any(|generic| generic.eq_ignore_ascii_case(name)) {
            return Some("a generic word, which the recipient's country refuses");
        }
        let prefixed = |prefix: &str| {
            name.get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(prefix)) && length > prefix.len()
        };
        let lacks =
            purpose == Some(Purpose::Marketing) && self.marketing_prefix.as_deref().is_some_and(|it| !prefixed(it));
        lacks.then_some("without the prefix that marketing has in the recipient's country")
    }
}

impl Form {
    fn fits(&self, number: &str, international: bool) -> bool {
        let pattern = match (self.pattern.strip_prefix('+'), international) {
            (Some(pattern), true) => pattern,
            (None, false) => &*self.pattern,
            _ => return false,
        };
        let (exact, longer) = match pattern.strip_suffix('*') {
            Some(exact) => (exact, true),
            None => (pattern, false),
        };
        let same = |(expected, digit): (u8, u8)| expected == b'x' || expected == digit;
        (number.len() == exact.len() || (longer && number.len() > exact.len()))
            && exact.bytes().zip(number.bytes()).all(same)
    }
}

/// Characters beside letters and digits that names have where no country says otherwise.
const OPEN: &str = " .&_-+'@!";

/// The keys of `[sender]`, over what is known already.
pub(super) fn rules(table: &mut Table<'_>, base: Option<&SenderRules>) -> SenderRules {
    const PERMISSIONS: &[(&str, Permission)] =
        &[("allowed", Permission::Allowed), ("registered", Permission::Registered), ("refused", Permission::Refused)];
    // What every network can carry, where nothing else is known: names of brands are not letters alone.
    let open = SenderRules {
        alphanumeric: Permission::Allowed,
        alphanumeric_for: Vec::new(),
        min_length: 1,
        max_length: 11,
        characters: OPEN.to_owned(),
        digits: true,
        letter_first: false,
        generic: Vec::new(),
        marketing_prefix: None,
        register: None,
        numeric: Permission::Allowed,
        forms: Vec::new(),
    };
    let base = base.unwrap_or(&open);
    let kept = |key: &'static str, table: &Table<'_>, read: Vec<Purpose>, before: &[Purpose]| {
        if table.has(key) { read } else { before.to_vec() }
    };
    let permission = value::choice(PERMISSIONS);
    let purposes = table.list("alphanumeric_for", value::choice(Purpose::NAMES));
    let generic = table.list("generic", |value| value::string(value).map(|word| word.to_ascii_lowercase()));
    let forms = table.tables("forms");
    let rules = SenderRules {
        alphanumeric: table.or("alphanumeric", base.alphanumeric, &permission),
        alphanumeric_for: kept("alphanumeric_for", table, purposes, &base.alphanumeric_for),
        min_length: table.or("min_length", base.min_length, value::count(1..=11)),
        max_length: table.or("max_length", base.max_length, value::count(1..=11)),
        characters: table.or("characters", base.characters.clone(), characters),
        digits: table.or("digits", base.digits, value::boolean),
        letter_first: table.or("letter_first", base.letter_first, value::boolean),
        generic: if table.has("generic") { generic } else { base.generic.clone() },
        marketing_prefix: table.optional("marketing_prefix", value::string).or_else(|| base.marketing_prefix.clone()),
        register: table.optional("register", value::string).or_else(|| base.register.clone()),
        numeric: table.or("numeric", base.numeric, &permission),
        forms: match table.has("forms") {
            true => forms.into_iter().map(|table| form(table, &permission)).collect(),
            false => base.forms.clone(),
        },
    };
    if rules.min_length > rules.max_length {
        let message = format!("is {}, which is more than max_length, {}", rules.min_length, rules.max_length);
        let key = if table.has("min_length") { "min_length" } else { "max_length" };
        table.fault(key, message, "expected at most as much");
    }
    let prefix = rules.marketing_prefix.as_deref().unwrap_or_default();
    if prefix.len() >= usize::from(rules.max_length) {
        let (key, message) = match table.has("marketing_prefix") {
            true => ("marketing_prefix", "leaves no room for a name within max_length"),
            false => ("max_length", "leaves no room behind marketing_prefix"),
        };
        table.fault(key, message, "expected room for a name");
    }
    rules
}

fn form(mut table: Table<'_>, permission: impl Fn(&DeValue<'_>) -> Read<Permission>) -> Form {
    Form {
        pattern: table.required("form", r#"add what they look like, as in "+3197*""#, pattern).unwrap_or_default(),
        purposes: table.list("for", value::choice(Purpose::NAMES)),
        permission: table.or("are", Permission::Allowed, permission),
    }
}

fn pattern(value: &DeValue<'_>) -> Read<String> {
    let expected =
        r#"digits such as "+3197*" or "36xxx": + before an international number, x for any digit, * for any more"#;
    value::parsed(value, expected, |text| {
        let digits = text.strip_prefix('+').unwrap_or(text);
        let digits = digits.strip_suffix('*').unwrap_or(digits);
        let fits =
            (1..=15).contains(&digits.len()) && digits.bytes().all(|octet| octet.is_ascii_digit() || octet == b'x');
        fits.then(|| text.to_owned())
    })
}

fn characters(value: &DeValue<'_>) -> Read<String> {
    let text = value.as_str().filter(|text| !text.contains(char::is_control) && text.chars().count() <= 100);
    text.map(str::to_owned).ok_or_else(|| Wrong::expected(value, r#"characters such as " .&_-""#))
}
