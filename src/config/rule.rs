//! The names of the rules, and whether their refusals count.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::pdu::CommandStatus;

/// The rules, in the order they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RuleName {
    /// The account's state and permissions.
    Account,
    /// Ownership and form of the sender ID.
    Sender,
    /// Whether recipients are handsets in a country that the account may write to.
    Destination,
    /// Opt-outs and do-not-disturb registries.
    Suppression,
    /// Documented consent to offers.
    Consent,
    /// When offers may come.
    Hours,
    /// What the message belongs to, and whether it looks like that.
    Campaign,
    /// Whose brand the text names.
    Brand,
    /// Pictures, WAP push and other content that is not text.
    Media,
    /// Requests for confidential data, disguised links, swindles.
    Fraud,
    /// What must not be said: threats, hate, illegal offers, the operator's own words.
    Content,
    /// Identified health information.
    Health,
    /// The same, similar, or more offers than the recipient ever answered.
    Repetition,
    /// Messages a second.
    Rate,
}

impl RuleName {
    /// Every rule, in the order they run.
    pub const ORDER: [Self; 14] = [
        Self::Account,
        Self::Sender,
        Self::Destination,
        Self::Suppression,
        Self::Consent,
        Self::Hours,
        Self::Campaign,
        Self::Brand,
        Self::Media,
        Self::Fraud,
        Self::Content,
        Self::Health,
        Self::Repetition,
        Self::Rate,
    ];

    /// The name in the configuration, in records and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Sender => "sender",
            Self::Destination => "destination",
            Self::Suppression => "suppression",
            Self::Consent => "consent",
            Self::Hours => "hours",
            Self::Campaign => "campaign",
            Self::Brand => "brand",
            Self::Media => "media",
            Self::Fraud => "fraud",
            Self::Content => "content",
            Self::Health => "health",
            Self::Repetition => "repetition",
            Self::Rate => "rate",
        }
    }

    /// Whether it is about what a message says. A multipart message of which it has refused a part goes no further.
    pub const fn judges_text(self) -> bool {
        matches!(self, Self::Brand | Self::Media | Self::Fraud | Self::Content | Self::Health)
    }

    /// Whether it must know what a message says: also to tell whether it was said before, or is what was declared.
    pub const fn reads_text(self) -> bool {
        self.judges_text() || matches!(self, Self::Campaign | Self::Repetition)
    }

    /// How it is applied when the configuration does not say.
    pub const fn default_mode(self) -> Mode {
        match self {
            Self::Brand | Self::Health => Mode::Shadow,
            _ => Mode::Enforce,
        }
    }
}

/// Whether a rule's refusals count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They refuse the message.
    Enforce,
    /// They are recorded, and the message is relayed.
    Shadow,
    /// The rule does not run.
    Off,
}

impl Mode {
    /// The name in the configuration and in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Shadow => "shadow",
            Self::Off => "off",
        }
    }
}

/// `[policy.RULE]`, what all rules share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleSettings {
    /// Whether its refusals count.
    pub mode: Mode,
    /// A status to answer with in place of the rule's own.
    pub status: Option<CommandStatus>,
}

/// What is done about something that is no ground for a refusal everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// Nothing.
    Pass,
    /// It is recorded, and the message is relayed.
    Record,
    /// The message is refused.
    Refuse,
}

impl Treatment {
    /// Every one, by its name in the configuration and in the facts about countries.
    pub(crate) const NAMES: &[(&str, Self)] =
        &[("pass", Self::Pass), ("record", Self::Record), ("refuse", Self::Refuse)];
}

/// `[policy.destination]`, beside what all rules share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Destination {
    /// Recipients whose number is one of help, but not of the emergency services: helplines, traffic news and the like.
    pub helplines: Treatment,
}

/// `[policy.campaign]`, beside what all rules share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CampaignRule {
    /// How much like one of its samples, in thousandths, the text of a campaign must be.
    pub alike: u16,
    /// What is done about one that is not.
    pub unlike: Unlike,
    /// What a person may send in a minute, from one number (clause 24).
    pub person_per_minute: NonZeroU32,
    /// What a person may send in a day, from one number.
    pub person_per_day: u32,
    /// To how many a person may write in a day, from one number.
    pub person_recipients: u16,
}

/// What is done about a text that is unlike the samples of its campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlike {
    /// It is recorded, and the message is relayed.
    Record,
    /// It is recorded, and the message is judged as an offer, whatever its campaign is for.
    Marketing,
    /// The message is refused.
    Refuse,
}

/// `[policy.rate]`, beside what all rules share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateRule {
    /// One-time codes to one recipient.
    pub codes: Allowance,
    /// Recipients of one-time codes whose numbers are the same but for the last three digits.
    pub range: Allowance,
}

/// So many of something in some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// How many.
    pub most: u16,
    /// In how long.
    pub within: Duration,
}

/// `[policy.repetition]`, beside what all rules share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repetition {
    /// For how long a recipient must not get the same text again; zero: that is not judged.
    pub same_within: Duration,
    /// For how long a recipient must not get an offer like another one; zero: that is not judged.
    pub similar_within: Duration,
    /// Pairs of account and recipient of which the last messages, and how many one-time codes there were, are remembered.
    pub recipients: usize,
    /// Offers in a row that a recipient may leave without a reply and without a new consent; the next is refused.
    ///
    /// No law and no operator's rule gives a number. Twelve is a year of a monthly newsletter and a quarter of a weekly
    /// one: about as long as senders of newsletters keep who never reacts. Fewer would refuse honest offers, since most
    /// recipients never reply to one.
    pub unanswered: u16,
}

/// Facts and settings of the rules about what a message says.
#[derive(Debug)]
pub struct Texts {
    /// The operator's own lists.
    pub lists: Vec<ListFile>,
    /// Languages (ISO 639-1) of the shipped lists that are used; none: all.
    pub languages: Vec<String>,
    /// Entries and categories that do not count.
    pub except: Vec<String>,
    /// The operator's own words, given in the configuration.
    pub words: Vec<OwnWord>,
    /// The operator's own expressions.
    pub expressions: Vec<OwnExpression>,
    /// The trained score, if there is one.
    pub score: Option<Score>,
    /// Brands that nobody may imitate.
    pub brands: Vec<Brand>,
    /// Links through URL shorteners.
    pub shorteners: Treatment,
    /// Links to pictures and videos.
    pub picture_links: Treatment,
}

/// A list file as it was when the configuration was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListFile {
    /// Its path, as messages name it.
    pub file: String,
    /// What is in it.
    pub text: String,
}

/// `[policy.content.score]`
#[derive(Debug, Clone)]
pub struct Score {
    /// Whether it refuses; by default it is recorded only.
    pub mode: Mode,
    /// The model's path, as messages name it.
    pub file: String,
    /// The model as it was when the configuration was loaded.
    pub model: Vec<u8>,
    /// Scores from here on count, in thousandths; absent: the model's own threshold.
    pub threshold: Option<u16>,
}

/// What the operator's words and expressions have in common.
#[derive(Debug, Clone)]
pub struct OwnEntry {
    /// File, line and key, for faults that show later.
    pub place: String,
    /// Its name in records.
    pub id: String,
    /// The clause that it stands for.
    pub clause: u16,
    /// What it is about.
    pub category: String,
    /// ISO 639-1, or `any`.
    pub language: String,
}

/// `[[policy.content.word]]`
#[derive(Debug, Clone)]
pub struct OwnWord {
    /// Its name and clause.
    pub entry: OwnEntry,
    /// Patterns as in a list.
    pub patterns: Vec<String>,
}

/// `[[policy.content.expression]]`
#[derive(Debug, Clone)]
pub struct OwnExpression {
    /// Its name and clause.
    pub entry: OwnEntry,
    /// A regular expression over the text in lower case.
    pub expression: String,
}

/// `[[brand]]`
#[derive(Debug, Clone)]
pub struct Brand {
    /// What it is called.
    pub name: String,
    /// Other ways to write it.
    pub spellings: Vec<String>,
    /// The registered domains that are its own.
    pub domains: Vec<String>,
}
