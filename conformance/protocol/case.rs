//! What the case files may say.
//!
//! `D` is the scripted ESME and `U` the scripted SMSC; `on` numbers their connections, the SMSC's by the order in which
//! the proxy opened them. A connection that no step says anything of is 1.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use toml::Value;

use crate::pdu::{self, Pdu};

/// One file: a group of rows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Case>,
}

/// One case, played by itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// The row's number, and a letter if the row has several cases.
    pub(crate) id: String,
    pub(crate) title: String,
    #[serde(default)]
    pub(crate) base: Base,
    /// The proxy promises it; SMPP 3.4 does not ask it of an SMSC.
    #[serde(default)]
    pub(crate) promise: bool,
    /// Keys of `[listen]` over the base's.
    #[serde(default)]
    pub(crate) listen: toml::Table,
    /// Keys of the first account over the base's.
    #[serde(default)]
    pub(crate) account: toml::Table,
    /// Whether there is an SMSC at all.
    #[serde(default)]
    pub(crate) smsc: Smsc,
    pub(crate) steps: Vec<Step>,
}

/// The configuration that a case runs under.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Base {
    /// It does not matter; `Ordinary` is taken.
    #[default]
    Any,
    /// An account with one sender and no permission; every rule enforced.
    Ordinary,
    /// No rule runs: whatever can be read goes to the SMSC.
    Everything,
}

/// What the proxy finds at its upstream's address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Smsc {
    /// The scripted SMSC.
    #[default]
    Scripted,
    /// Nobody: connections are refused.
    Absent,
}

/// One thing done or seen. Whatever arrives must be seen by a step: a PDU too many fails the case.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Step {
    /// The ESME connects and binds, and the SMSC says yes.
    Bind(Bind),
    /// The ESME connects.
    Connect(On),
    /// The SMSC accepts a connection of the proxy's.
    Accept(On),
    /// Octets go out.
    EsmeSends(Send),
    /// The same from the SMSC.
    SmscSends(Send),
    /// These are the next PDUs that the ESME gets.
    EsmeSees(See),
    /// The same at the SMSC.
    SmscSees(See),
    /// The ESME answers the requests that it has seen and not answered.
    EsmeAnswers(Answer),
    /// The SMSC answers the requests that it has seen and not answered.
    SmscAnswers(Answer),
    /// The ESME sends each; the SMSC sees it identical and answers it; the ESME sees the answer identical.
    Relays(Exchange),
    /// The SMSC sends each; the ESME sees it identical and answers it; the SMSC sees the answer identical.
    Delivers(Exchange),
    /// The ESME sends each and gets its own response with this status and nothing else, 16 octets long.
    Refuses(Refuse),
    /// A marker goes down and its answer up: both directions work, and nothing else was on its way in either.
    Lives(On),
    /// Another bind is the next that the SMSC hears: nothing of what came before has made the proxy connect.
    SmscUntouched(Empty),
    /// Ends its connection.
    EsmeEnds(End),
    /// The same for the SMSC.
    SmscEnds(End),
    /// Sees the end of its connection, with nothing before it.
    EsmeClosed(Close),
    /// The same at the SMSC.
    SmscClosed(Close),
    /// Plays steps several times.
    Repeat(Repeat),
}

/// Nothing more to say.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Empty {}

/// Which connection.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct On {
    pub(crate) on: Number,
}

/// The number of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct Number(pub u8);

impl Default for Number {
    fn default() -> Self {
        Self(1)
    }
}

/// See [`Step::Bind`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Bind {
    pub(crate) on: Number,
    /// The bind; default: bind_transceiver of the first account.
    pub(crate) pdu: Option<Pdu>,
    /// The answer; default: the fitting response.
    pub(crate) answer: Option<Pdu>,
}

/// See [`Step::EsmeSends`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Send {
    #[serde(default)]
    pub(crate) on: Number,
    pub(crate) pdus: Vec<Pdu>,
    /// Lengths of the segments, the last one for all the rest; default: everything in one.
    #[serde(default)]
    pub(crate) segments: Vec<usize>,
    /// The connection is ended from the other side before everything is sent.
    #[serde(default)]
    pub(crate) cut_off: bool,
}

/// See [`Step::EsmeSees`]. Of a PDU what is written counts: its id, and status, sequence, length, the whole body if any
/// field of it is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct See {
    pub(crate) on: Number,
    pub(crate) pdus: Vec<Pdu>,
    /// Instead: identical to these (from 1) of what the other side sent with its last step.
    pub(crate) same: Option<Same>,
    /// In whatever order they come.
    pub(crate) any_order: bool,
    /// enquire_link is answered while they are awaited, instead of being one of them.
    pub(crate) keeps_alive: bool,
}

/// Which of the other side's PDUs.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Same {
    All(True),
    These(Vec<usize>),
}

/// `true`
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "bool")]
pub(crate) struct True;

impl TryFrom<bool> for True {
    type Error = String;

    fn try_from(value: bool) -> Result<Self, String> {
        if value { Ok(Self) } else { Err("expected true".to_owned()) }
    }
}

/// See [`Step::SmscAnswers`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Answer {
    pub(crate) on: Number,
    /// What to answer with; default: the fitting response, with a message_id that its sequence number makes.
    pub(crate) pdu: Option<Pdu>,
    pub(crate) order: Order,
    /// Only the first so many.
    pub(crate) only: Option<usize>,
}

/// The order of answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    #[default]
    Same,
    Reversed,
    /// Some order that is neither, the same in every run.
    Shuffled,
}

/// See [`Step::Relays`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exchange {
    #[serde(default)]
    pub(crate) on: Number,
    pub(crate) pdus: Vec<Pdu>,
    /// What it is answered with; default: the fitting response.
    pub(crate) answer: Option<Pdu>,
    #[serde(default)]
    pub(crate) segments: Vec<usize>,
}

/// See [`Step::Refuses`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refuse {
    #[serde(default)]
    pub(crate) on: Number,
    pub(crate) pdus: Vec<Pdu>,
    #[serde(deserialize_with = "statuses")]
    pub(crate) status: Vec<u32>,
    /// A generic_nack instead of the response.
    #[serde(default)]
    pub(crate) nack: bool,
}

/// See [`Step::EsmeEnds`].
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct End {
    pub(crate) on: Number,
    pub(crate) by: How,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum How {
    /// FIN, and nothing is read any more.
    #[default]
    Close,
    /// FIN, but reading goes on.
    HalfClose,
    /// RST.
    Reset,
}

/// See [`Step::EsmeClosed`].
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Close {
    pub(crate) on: Number,
    /// Not sooner than so many milliseconds after the connection began.
    pub(crate) not_before_ms: u64,
    /// enquire_link is answered while the end is awaited.
    pub(crate) keeps_alive: bool,
}

/// See [`Step::Repeat`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Repeat {
    pub(crate) times: usize,
    pub(crate) steps: Vec<Step>,
}

impl Close {
    pub(crate) fn not_before(&self) -> Duration {
        Duration::from_millis(self.not_before_ms)
    }
}

fn statuses<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<u32>, D::Error> {
    let values = match Value::deserialize(from)? {
        Value::Array(values) => values,
        single => vec![single],
    };
    values.iter().map(pdu::status).collect::<Result<_, _>>().map_err(serde::de::Error::custom)
}

impl Case {
    /// One without steps, for what is played by hand.
    pub(crate) fn by_hand(base: Base, listen: &str) -> Result<Self, String> {
        let listen = toml::from_str(listen).map_err(|error| error.to_string())?;
        let (id, title, account) = (String::new(), String::new(), toml::Table::new());
        Ok(Self { id, title, base, promise: false, listen, account, smsc: Smsc::Scripted, steps: Vec::new() })
    }

    /// Whether a step says anything of the SMSC's side that only the scripted SMSC can do or see.
    pub(crate) fn needs_smsc(&self) -> bool {
        self.smsc == Smsc::Absent || needs_smsc(&self.steps)
    }

    /// Whether its configuration is not simply its base.
    pub(crate) fn has_overrides(&self) -> bool {
        self.smsc == Smsc::Absent || !self.listen.is_empty() || !self.account.is_empty()
    }
}

/// The row of a case's id: without the letter that tells its cases apart.
pub(crate) fn row(id: &str) -> &str {
    id.trim_end_matches(|letter: char| letter.is_ascii_lowercase())
}

fn needs_smsc(steps: &[Step]) -> bool {
    steps.iter().any(|step| match step {
        Step::Accept(_)
        | Step::SmscSends(_)
        | Step::SmscSees(_)
        | Step::SmscAnswers(_)
        | Step::SmscEnds(_)
        | Step::SmscClosed(_)
        | Step::Delivers(_) => true,
        Step::Bind(bind) => bind.answer.is_some(),
        Step::EsmeSees(see) => see.same.is_some(),
        Step::Relays(exchange) => exchange.answer.is_some(),
        Step::Repeat(repeat) => needs_smsc(&repeat.steps),
        _ => false,
    })
}

/// The rows there are, and those that are not followed or followed differently.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) not_followed: Vec<NotFollowed>,
}

/// One group of rows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Group {
    pub(crate) title: String,
    pub(crate) rows: Vec<u8>,
}

/// A row that is not followed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NotFollowed {
    pub(crate) row: String,
    /// What the row asks for and the proxy does not do, or what cannot be shown here.
    pub(crate) asks: String,
    /// What it does instead, and why.
    pub(crate) because: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NotFollowedFile {
    row: Vec<NotFollowed>,
}

/// Every case of the folder, and the rows.
pub(crate) fn load(folder: &Path) -> Result<(Vec<Case>, Rows), String> {
    let rows = Rows {
        groups: parse(&folder.join("rows.toml"))?,
        not_followed: parse::<NotFollowedFile>(&folder.join("not-followed.toml"))?.row,
    };
    let mut cases = Vec::new();
    for group in rows.groups.keys() {
        let path = folder.join(format!("{}.toml", group.to_lowercase()));
        if path.exists() {
            cases.extend(parse::<File>(&path)?.case);
        }
    }
    let mut ids = BTreeSet::new();
    match cases.iter().find(|case| !ids.insert(case.id.clone())) {
        Some(twice) => Err(format!("the case {} is there twice", twice.id)),
        None => Ok((cases, rows)),
    }
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: cannot be read: {error}", path.display()))?;
    toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}
