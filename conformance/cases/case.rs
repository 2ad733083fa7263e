//! What the case files may say, and how they are read: every fault has its file and line.

use std::path::Path;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use smppolicy::config::{AccountState, Facts, RuleName};
use smppolicy::pdu::CommandStatus;
use toml::value::Datetime;
use toml::{Spanned, Table};

use crate::before::Step;
use crate::message::Message;
use crate::through::Way;

/// One file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    all: All,
    case: Vec<Spanned<Written>>,
}

/// What each case of a file has unless it says otherwise.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct All {
    clause: Option<u16>,
    /// The clause that the cases show, if another one is on record.
    shows: Option<u16>,
    rule: Option<String>,
    /// Under each case's own.
    config: Table,
}

/// A case as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    clause: Option<u16>,
    /// Rows of the protocol checks that it shows.
    #[serde(default)]
    rows: Vec<String>,
    /// Laid over the base.
    #[serde(default)]
    config: Table,
    /// What `explain --facts` takes, about the account `shop`.
    #[serde(default)]
    facts: Table,
    /// Rows of a file of consents that the ledger is to import, in place of `facts`.
    #[serde(default)]
    import: Vec<Table>,
    /// Of those that it does not take, in their order, the clause that its reason names.
    #[serde(default)]
    not_taken: Vec<u16>,
    /// What happens before anything is sent, with a ledger of its own and a clock that only this moves.
    #[serde(default)]
    before: Vec<Step>,
    /// What the account `shop` comes to be once it has bound.
    once_bound: Option<String>,
    /// When everything is sent; default: now.
    at: Option<Datetime>,
    send: OneOrMany<Message>,
    /// Also sent in each of these ways, each time in place of `send` as it stands.
    #[serde(default)]
    through: Vec<Way>,
    expect: OneOrMany<String>,
    /// The rule that refuses or records.
    rule: Option<String>,
    /// The list entry that it names.
    entry: Option<String>,
    /// What is relayed is on record.
    #[serde(default)]
    recorded: bool,
    /// It does not hold yet, and why. Once it holds this must go.
    known_gap: Option<String>,
    /// Everything is sent before any answer is awaited.
    #[serde(default)]
    pipelined: bool,
    /// `send` and `expect` over and over.
    #[serde(default = "once")]
    times: usize,
}

fn once() -> usize {
    1
}

/// A case, checked.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// `file:line`.
    pub(crate) place: String,
    pub(crate) name: String,
    pub(crate) rows: Vec<String>,
    pub(crate) config: Table,
    pub(crate) known: Known,
    pub(crate) before: Vec<Step>,
    /// The clause that it is counted under.
    pub(crate) shows: Option<u16>,
    pub(crate) send: Vec<Message>,
    pub(crate) through: Vec<Way>,
    pub(crate) expect: Vec<Expected>,
    pub(crate) ground: Ground,
    pub(crate) recorded: bool,
    pub(crate) known_gap: Option<String>,
    pub(crate) pipelined: bool,
}

/// What is known when the messages come, and when that is: plays of cases in which it is the same share a proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) facts: Facts,
    /// Lines of NDJSON for the ledger, whose own facts are in force then.
    pub(crate) import: Option<String>,
    pub(crate) not_taken: Vec<u16>,
    /// The state of `shop` once it has bound, with which it is unbound.
    pub(crate) once_bound: Option<AccountState>,
    /// In milliseconds since 1970.
    pub(crate) at: Option<i64>,
}

/// What a refusal or a record names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ground {
    pub(crate) clause: Option<u16>,
    pub(crate) rule: Option<RuleName>,
    pub(crate) entry: Option<String>,
}

/// What becomes of one PDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// The SMSC gets the very octets.
    Relay,
    /// The SMSC gets nothing, the ESME this status.
    Refuse(CommandStatus),
}

impl Case {
    /// Whether it shows a refusal.
    pub(crate) fn refuses(&self) -> bool {
        self.expect.iter().any(|expected| *expected != Expected::Relay)
    }
}

/// One value, or a list of them.
#[derive(Debug)]
pub(crate) struct OneOrMany<T>(pub(crate) Vec<T>);

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone> Clone for OneOrMany<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(OneOrManyVisitor(std::marker::PhantomData)).map(Self)
    }
}

struct OneOrManyVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrManyVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("one of it, or an array of it")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        T::deserialize(text.into_deserializer()).map(|one| vec![one])
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Self::Value, M::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|one| vec![one])
    }

    fn visit_seq<S: SeqAccess<'de>>(self, items: S) -> Result<Self::Value, S::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(items))
    }
}

/// Every case of the folder's files, in the order of their names.
pub(crate) fn load(folder: &Path) -> Result<Vec<Case>, String> {
    let listed = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<_> = listed.filter_map(|file| Some(file.ok()?.path())).collect();
    let is_ours = |name: &str| name.ends_with(".toml") && !["base.toml", "rows.toml"].contains(&name);
    paths.retain(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(is_ours));
    paths.sort();
    let (mut cases, mut faults) = (Vec::new(), Vec::new());
    for path in paths {
        match read(&path) {
            Ok(read) => cases.extend(read),
            Err(found) => faults.extend(found),
        }
    }
    if faults.is_empty() { Ok(cases) } else { Err(faults.join("\n")) }
}

fn read(path: &Path) -> Result<Vec<Case>, Vec<String>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(path).map_err(|error| vec![format!("{name}: cannot be read: {error}")])?;
    let line = |at: usize| text.get(..at).unwrap_or_default().bytes().filter(|octet| *octet == b'\n').count() + 1;
    let file: File = toml::from_str(&text).map_err(|error| {
        let place = error.span().map_or(String::new(), |span| format!(":{}", line(span.start)));
        let near = error.span().and_then(|span| text.get(span)).and_then(|it| it.lines().next()).unwrap_or_default();
        vec![format!("{name}{place}: {}: {near}", error.message())]
    })?;
    let (mut cases, mut faults) = (Vec::new(), Vec::new());
    for case in file.case {
        let place = format!("{name}:{}", line(case.span().start));
        match check(&file.all, case.into_inner(), place.clone()) {
            Ok(case) => cases.push(case),
            Err(fault) => faults.push(format!("{place}: {fault}")),
        }
    }
    let names = |refuse| cases.iter().filter(|case: &&Case| case.refuses() == refuse).count();
    if faults.is_empty() && file.all.clause.is_some() && (names(true) == 0 || names(false) == 0) {
        faults.push(format!("{name}: shows only one side of its clause; add what it accepts and what it refuses"));
    }
    if faults.is_empty() { Ok(cases) } else { Err(faults) }
}

fn check(all: &All, case: Written, place: String) -> Result<Case, String> {
    let rule = case.rule.as_ref().or(all.rule.as_ref()).map(|name| rule(name)).transpose()?;
    let mut config = all.config.clone();
    merge(&mut config, case.config.clone());
    let known = known(&case)?;
    case.before.iter().try_for_each(Step::check)?;
    if !case.before.is_empty() && (known.facts != Facts::default() || known.once_bound.is_some()) {
        return Err("before: is given beside facts or once_bound; what is known must come of its steps".to_owned());
    }
    let expect = case.expect.0.iter().map(|name| expected(name)).collect::<Result<Vec<_>, _>>()?;
    if case.recorded && rule.is_none() {
        return Err("recorded: needs rule, the rule that records".to_owned());
    }
    let repeated = |count: usize| count * case.times;
    let send: Vec<Message> = case.send.0.iter().cycle().take(repeated(case.send.0.len())).cloned().collect();
    let expect: Vec<Expected> = match &expect[..] {
        [one] => vec![*one],
        many => many.iter().copied().cycle().take(repeated(many.len())).collect(),
    };
    let ground = Ground { clause: case.clause.or(all.clause), rule, entry: case.entry.clone() };
    let shows = all.shows.or(ground.clause);
    let Written { name, rows, before, through, recorded, known_gap, pipelined, .. } = case;
    // What does not hold as it stands is not sent in other ways.
    let through = if known_gap.is_some() { Vec::new() } else { through };
    let case = Case {
        place,
        name,
        rows,
        config,
        known,
        before,
        shows,
        send,
        through,
        expect,
        ground,
        recorded,
        known_gap,
        pipelined,
    };
    if case.refuses() && case.ground.rule.is_none() {
        return Err("rule: is missing; name the rule that refuses".to_owned());
    }
    Ok(case)
}

fn known(case: &Written) -> Result<Known, String> {
    let facts = Facts::parse(&case.facts.to_string(), "facts").map_err(|faults| faults.to_string())?;
    if !case.import.is_empty() && facts != Facts::default() {
        return Err("import: is given beside facts; give one of the two".to_owned());
    }
    // Most rows are about offers by all senders of `shop`.
    let mut usual = Table::new();
    for (key, value) in [("account", "shop"), ("sender", "*"), ("purpose", "marketing")] {
        usual.insert(key.to_owned(), value.into());
    }
    let rows = case.import.iter().map(|row| {
        let mut whole = usual.clone();
        merge(&mut whole, row.clone());
        serde_json::to_string(&whole).map_err(|error| format!("import: {error}"))
    });
    let rows: Vec<String> = rows.collect::<Result<_, _>>()?;
    let import = (!rows.is_empty()).then(|| rows.join("\n"));
    let once_bound = case.once_bound.as_deref().map(ending_state).transpose()?;
    let at = |at: Datetime| at.to_string().parse::<jiff::Timestamp>().map_err(|error| format!("at: {error}"));
    let at = case.at.map(at).transpose()?.map(jiff::Timestamp::as_millisecond);
    Ok(Known { facts, import, not_taken: case.not_taken.clone(), once_bound, at })
}

/// A state in which an account has no binds.
fn ending_state(name: &str) -> Result<AccountState, String> {
    let ending = [AccountState::Blocked, AccountState::Deactivated];
    let known = ending.into_iter().find(|state| state.name() == name);
    known.ok_or_else(|| format!(r#"once_bound: is {name:?}; expected "blocked" or "deactivated""#))
}

fn rule(name: &str) -> Result<RuleName, String> {
    let known = RuleName::ORDER.into_iter().find(|rule| rule.name() == name);
    known.ok_or_else(|| {
        format!("rule: names no rule ({name:?}); expected one of {}", RuleName::ORDER.map(RuleName::name).join(", "))
    })
}

fn expected(name: &str) -> Result<Expected, String> {
    if name == "relay" {
        return Ok(Expected::Relay);
    }
    let status = CommandStatus::from_name(name).filter(|status| *status != CommandStatus::ESME_ROK);
    status.map(Expected::Refuse).ok_or_else(|| {
        format!(r#"expect: is {name:?}; expected "relay" or the name of an error such as "ESME_RSUBMITFAIL""#)
    })
}

/// Lays tables over tables; whatever is no table replaces.
pub(crate) fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(into)), toml::Value::Table(from)) => merge(into, from),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}
