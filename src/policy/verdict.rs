//! The words of a verdict: rule, clause, mode, status, evidence.

use std::fmt;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::Octets;
use super::countries::Closed;
use crate::config::{Mode, RuleName};
use crate::numbers::Territory;
use crate::pdu::CommandStatus;
use crate::reference::Ref;
use crate::text::{Charset, Undecodable};

/// A numbered clause of the usage policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Clause(pub u16);

/// What a rule says of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing against it.
    Pass,
    /// It must not go up.
    Refuse(Refusal),
    /// It may, but it is put on record.
    Note(Refusal),
}

/// Why, and what the ESME is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The clause that decided; none where the ground is the proxy's own (a PDU that hides what it would send).
    pub clause: Option<Clause>,
    /// The rule's own status; the configuration may override it.
    pub status: CommandStatus,
    /// What the decision rests on.
    pub evidence: Evidence,
}

/// A refusal with the rule that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The rule.
    pub rule: RuleName,
    /// Enforced, or recorded only.
    pub mode: Mode,
    /// The clause that decided.
    pub clause: Option<Clause>,
    /// What the ESME is (or would be) told.
    pub status: CommandStatus,
    /// What the decision rests on.
    pub evidence: Evidence,
}

impl Rejection {
    /// Whether a multipart message of which a part is refused for this is refused from there on: it is about what the
    /// message says, and another part changes none of that.
    pub(super) fn condemns(&self) -> bool {
        self.rule.judges_text() || matches!(self.evidence, Evidence::Unlike { .. } | Evidence::Repeated { .. })
    }

    /// A submit_multi that cannot be written without its refused destinations.
    pub(super) fn unwritable() -> Self {
        Self::unreadable(Evidence::Hidden("destinations"))
    }

    /// A message that hides from every rule what it would send.
    pub(super) fn unreadable(evidence: Evidence) -> Self {
        let status = CommandStatus::ESME_RSUBMITFAIL;
        Self { rule: RuleName::Account, mode: Mode::Enforce, clause: None, status, evidence }
    }

    /// A part for which the memory for multipart messages has no room.
    pub(super) fn full(held: u32) -> Self {
        Self {
            rule: RuleName::Rate,
            mode: Mode::Enforce,
            clause: Some(Clause(23)),
            status: CommandStatus::ESME_RMSGQFUL,
            evidence: Evidence::References(held),
        }
    }
}

/// What a decision rests on, as the record shows it. Holds no text and no subscriber's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// The account's state, by its name in the configuration.
    State(&'static str),
    /// The account lacks this permission (its key in the configuration).
    Permission(&'static str),
    /// What the PDU hides from judgement.
    Hidden(&'static str),
    /// What is wrong with the sender ID.
    Sender(&'static str),
    /// What is wrong with the sender ID in the recipient's country.
    SenderIn {
        /// What.
        fault: &'static str,
        /// Where.
        country: Territory,
        /// What the country's rule rests on.
        basis: &'static str,
        /// How sure it is.
        confidence: &'static str,
    },
    /// The authorisation ended on this day (days since 1970-01-01).
    AuthorisationExpired(i32),
    /// Which limit, how many messages were asked for, and how many may come at once.
    Rate {
        /// `bind`, `sender`, `account`, `country` or `message class`.
        limit: &'static str,
        /// Messages asked for: parts times recipients.
        messages: u32,
        /// What may come at once.
        burst: u32,
    },
    /// So many unfinished multipart messages are remembered for the account, and no more fit.
    References(u32),
    /// The text cannot be decoded, and the account may not send what is not judged.
    Undecodable(Undecodable),
    /// Content that is not text.
    Element(&'static str),
    /// An entry of a list matches.
    Entry {
        /// The entry's id.
        entry: Octets<40>,
        /// Its category.
        category: Octets<24>,
        /// Its language.
        language: Octets<4>,
        /// Where it matches.
        span: Span,
    },
    /// A link is not what it seems, or leads where links may not lead.
    Link {
        /// What is wrong with it.
        fault: &'static str,
        /// Its host.
        host: Octets<40>,
        /// The brand that it imitates.
        brand: Octets<24>,
        /// Where it stands.
        span: Span,
    },
    /// A protected brand that is not the account's is named.
    Brand {
        /// Its name.
        brand: Octets<24>,
        /// Where it stands.
        span: Span,
    },
    /// Neither text nor sender names the account's brand.
    Unnamed,
    /// What is wrong with what the message belongs to.
    Campaign(&'static str),
    /// The text is this much like a sample of its campaign, in thousandths, and should be at least so much.
    Unlike {
        /// How much it is.
        alike: u16,
        /// How much it should be.
        least: u16,
    },
    /// What is wrong with where it goes, and the country (ISO 3166-1 alpha-2) in which that is so.
    Destination {
        /// What the number is.
        fault: &'static str,
        /// Where; none if it is nowhere's.
        country: Option<Territory>,
    },
    /// What is wrong with the number that it comes from or wants to be called back at, and the country in which that is so.
    Origin {
        /// What the number is.
        fault: &'static str,
        /// Where.
        country: Territory,
    },
    /// So many of something have gone out in its time, and there may be no more.
    Quota {
        /// Of what.
        of: &'static str,
        /// How many went out.
        taken: u32,
        /// How many may.
        most: u32,
    },
    /// The recipient has opted out: from `sender`, `brand`, `account` or `everybody`.
    OptedOut(&'static str),
    /// A do-not-disturb registry has the recipient.
    Registry {
        /// Its name.
        registry: Octets<24>,
        /// Of which day it is (days since 1970-01-01).
        day: i32,
    },
    /// There is no valid consent for this purpose.
    NoConsent(&'static str),
    /// Offers in a row that the recipient left without a reply, and how many they may be.
    Unanswered {
        /// How many went out.
        offers: u16,
        /// How many may.
        most: u16,
    },
    /// The recipient has been sent the same, or one like it.
    Repeated {
        /// How much they are alike, in thousandths; 1000: the same.
        alike: u16,
        /// The name of the earlier message; none if so many went since that nobody remembers.
        earlier: Option<Ref>,
        /// When it went, in milliseconds since 1970.
        at: i64,
    },
    /// Marketing may not be delivered then.
    Closed(Closed),
    /// Facts that the decision needs cannot be had now.
    Unavailable(&'static str),
    /// A trained model gives the text this score.
    Score {
        /// The model's version.
        model: u64,
        /// From 0 to 1000.
        thousandths: u16,
    },
}

impl Evidence {
    /// Where in the message it lies, if it lies anywhere.
    pub fn span(&self) -> Option<Span> {
        match self {
            Self::Entry { span, .. } | Self::Link { span, .. } | Self::Brand { span, .. } => Some(*span),
            _ => None,
        }
    }
}

/// Where in a message's user data something lies, in octets, those of the header included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Where it begins.
    pub from: Spot,
    /// Where it ends: the octet behind its last one.
    pub to: Spot,
    /// How the octets were read. No part of the record.
    pub reading: Charset,
}

/// One octet of a message's user data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spot {
    /// Which field has it.
    pub field: Field,
    /// The part, from 1; 0 when the message has no parts.
    pub part: u8,
    /// Its offset.
    pub octet: u32,
}

/// A field that carries text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Field {
    /// short_message (section 5.2.22).
    #[default]
    ShortMessage,
    /// message_payload (section 5.3.2.32).
    MessagePayload,
    /// What callback_num_atag (section 5.3.2.37) has behind the octet of its coding.
    CallbackNumAtag,
}

impl Field {
    /// Its name in SMPP 3.4.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ShortMessage => "short_message",
            Self::MessagePayload => "message_payload",
            Self::CallbackNumAtag => "callback_num_atag",
        }
    }
}

/// The object that a record shows.
impl Serialize for Evidence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        match self {
            Self::State(state) => object.serialize_entry("state", state)?,
            Self::Permission(permission) => object.serialize_entry("permission", permission)?,
            Self::Hidden(what) => object.serialize_entry("hidden", what)?,
            Self::Sender(fault) => object.serialize_entry("sender", fault)?,
            Self::SenderIn { fault, country, basis, confidence } => {
                object.serialize_entry("sender", fault)?;
                object.serialize_entry("country", country.as_str())?;
                object.serialize_entry("basis", basis)?;
                object.serialize_entry("confidence", confidence)?;
            }
            Self::AuthorisationExpired(day) => object.serialize_entry("authorised_until", &Day(*day))?,
            Self::Rate { limit, messages, burst } => {
                object.serialize_entry("limit", limit)?;
                object.serialize_entry("messages", messages)?;
                object.serialize_entry("burst", burst)?;
            }
            Self::References(held) => object.serialize_entry("references", held)?,
            Self::Undecodable(why) => object.serialize_entry("undecodable", &why.to_string())?,
            Self::Element(element) => object.serialize_entry("element", element)?,
            Self::Entry { entry, category, language, span } => {
                object.serialize_entry("entry", entry)?;
                object.serialize_entry("category", category)?;
                object.serialize_entry("language", language)?;
                span.serialize_into(&mut object)?;
            }
            Self::Link { fault, host, brand, span } => {
                object.serialize_entry("link", fault)?;
                object.serialize_entry("host", host)?;
                if !brand.as_slice().is_empty() {
                    object.serialize_entry("brand", brand)?;
                }
                span.serialize_into(&mut object)?;
            }
            Self::Brand { brand, span } => {
                object.serialize_entry("brand", brand)?;
                span.serialize_into(&mut object)?;
            }
            Self::OptedOut(from) => object.serialize_entry("opted_out_from", from)?,
            Self::Registry { registry, day } => {
                object.serialize_entry("registry", registry)?;
                object.serialize_entry("as_of", &Day(*day))?;
            }
            Self::NoConsent(purpose) => object.serialize_entry("no_consent_for", purpose)?,
            Self::Unanswered { offers, most } => {
                object.serialize_entry("unanswered", offers)?;
                object.serialize_entry("most", most)?;
            }
            Self::Repeated { alike, earlier, at } => {
                object.serialize_entry("alike", &share(*alike))?;
                if let Some(earlier) = earlier {
                    object.serialize_entry("earlier", &earlier.to_string())?;
                }
                object.serialize_entry("earlier_at", &Utc(*at).to_string())?;
            }
            Self::Closed(closed) => closed.serialize_into(&mut object)?,
            Self::Unavailable(what) => object.serialize_entry("unavailable", what)?,
            Self::Unnamed => object.serialize_entry("brand", "not named")?,
            Self::Campaign(fault) => object.serialize_entry("campaign", fault)?,
            Self::Unlike { alike, least } => {
                object.serialize_entry("alike", &share(*alike))?;
                object.serialize_entry("least", &share(*least))?;
            }
            Self::Destination { fault, country } => {
                object.serialize_entry("destination", fault)?;
                if let Some(country) = country {
                    object.serialize_entry("country", country.as_str())?;
                }
            }
            Self::Origin { fault, country } => {
                object.serialize_entry("origin", fault)?;
                object.serialize_entry("country", country.as_str())?;
            }
            Self::Quota { of, taken, most } => {
                object.serialize_entry("quota", of)?;
                object.serialize_entry("taken", taken)?;
                object.serialize_entry("most", most)?;
            }
            Self::Score { model, thousandths } => {
                object.serialize_entry("model", &format_args!("{model:016x}"))?;
                object.serialize_entry("score", &share(*thousandths))?;
            }
        }
        object.end()
    }
}

/// In words, for an ESME that asked for reasons.
impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(state) => write!(f, "account is {state}"),
            Self::Permission(permission) => write!(f, "account lacks {permission}"),
            Self::Hidden(what) => write!(f, "{what} cannot be judged"),
            Self::Sender(fault) => write!(f, "sender is {fault}"),
            Self::SenderIn { fault, country, basis, .. } => write!(f, "sender is {fault} ({country}, by {basis})"),
            Self::AuthorisationExpired(day) => write!(f, "sender was authorised until {}", Day(*day)),
            Self::Rate { limit, messages, burst } => {
                write!(f, "{messages} messages are more than the {limit} limit allows now (burst {burst})")
            }
            Self::References(held) => write!(f, "{held} multipart messages are unfinished, and no more fit"),
            Self::Undecodable(why) => write!(f, "{why}"),
            Self::Element(element) => write!(f, "{element} is no text"),
            Self::Entry { entry, span, .. } => write!(f, "list entry {entry} matches {span}"),
            Self::Link { fault, host, brand, span } if brand.as_slice().is_empty() => {
                write!(f, "link to {host} at {span} is {fault}")
            }
            Self::Link { fault, host, brand, span } => write!(f, "link to {host} at {span} is {fault} {brand}"),
            Self::Brand { brand, span } => write!(f, "names {brand} at {span}, which is another's brand"),
            Self::OptedOut("everybody") => f.write_str("recipient has opted out from everybody"),
            Self::OptedOut(from) => write!(f, "recipient has opted out from this {from}"),
            Self::Registry { registry, day } => write!(f, "recipient is in registry {registry} of {}", Day(*day)),
            Self::NoConsent(purpose) => write!(f, "recipient has no valid consent for {purpose}"),
            Self::Unanswered { offers, most } => {
                write!(f, "recipient has left {offers} offers in a row without a reply, of {most} that may be")
            }
            Self::Repeated { alike: 1000, at, .. } => write!(f, "recipient got the same at {}", Utc(*at)),
            Self::Repeated { alike, at, .. } => {
                write!(f, "recipient got one that is {} like it at {}", share(*alike), Utc(*at))
            }
            Self::Closed(closed) => closed.fmt(f),
            Self::Unavailable(what) => write!(f, "{what} cannot be asked now"),
            Self::Unnamed => write!(f, "neither text nor sender names the brand"),
            Self::Campaign(fault) => write!(f, "message is {fault}"),
            Self::Unlike { alike, least } => {
                let (alike, least) = (share(*alike), share(*least));
                write!(f, "text is {alike} like its campaign's samples, which is less than {least}")
            }
            Self::Destination { fault, country: Some(country) } => write!(f, "recipient is {fault} ({country})"),
            Self::Destination { fault, country: None } => write!(f, "recipient is {fault}"),
            Self::Origin { fault, country } => write!(f, "sender or callback is {fault} ({country})"),
            Self::Quota { of, taken, most } => write!(f, "{taken} {of} went out, of {most} that may"),
            Self::Score { model, thousandths } => write!(f, "model {model:016x} scores it 0.{thousandths:03}"),
        }
    }
}

/// `rule, clause: evidence`
impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.clause {
            Some(Clause(clause)) => write!(f, "{}, clause {clause}: {}", self.rule.name(), self.evidence),
            None => write!(f, "{}: {}", self.rule.name(), self.evidence),
        }
    }
}

impl Span {
    fn serialize_into<M: SerializeMap>(&self, object: &mut M) -> Result<(), M::Error> {
        object.serialize_entry("field", self.from.field.name())?;
        object.serialize_entry("span", &[self.from.octet, self.to.octet])?;
        if self.from.part != 0 {
            object.serialize_entry("parts", &[self.from.part, self.to.part])?;
        }
        Ok(())
    }
}

/// `octets 4..9 of short_message`, with the parts where there are any.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, .. } = self;
        match (from.part, to.part) {
            (0, _) => write!(f, "octets {}..{} of {}", from.octet, to.octet, from.field.name()),
            (first, last) if first == last => {
                write!(f, "octets {}..{} of part {first}'s {}", from.octet, to.octet, from.field.name())
            }
            (first, last) => write!(f, "octet {} of part {first} to {} of part {last}", from.octet, to.octet),
        }
    }
}

/// Thousandths as a number from 0 to 1.
fn share(thousandths: u16) -> f64 {
    f64::from(thousandths) / 1000.0
}

/// A day as `2026-12-31`, from days since 1970-01-01.
struct Day(i32);

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(self.0));
        date.unwrap_or(jiff::civil::Date::MAX).fmt(f)
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z as `2026-12-31T23:59:59.999Z`.
pub(super) struct Utc(pub(super) i64);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::MAX).fmt(f)
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
