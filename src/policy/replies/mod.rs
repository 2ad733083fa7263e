//! What a recipient's message to an account asks for: no more messages, messages again, help, or nothing of the kind.
//!
//! A keyword counts when it is the whole message, or stands with a sender's name, a word for "all" or a courtesy; a wish
//! in plain words counts anywhere. Refusing what somebody asked for is worse than to stop what they might have wanted,
//! but texts that only have such a word in them ("when does the bus stop") ask for nothing.
//!
//! Every reading of the octets is looked at, and one that asks for no more messages wins. Receipts are never looked at,
//! neither those that say so nor those in the form of a text. Of a message in several parts the first is judged as if it
//! were all, and the others are not: a keyword is short. Pure: no I/O, no clock, no knowledge of who has sent what.

mod words;

use std::ops::ControlFlow;

use super::message::part;
use crate::pdu::{CommandId, DataCoding, DataSm, DeliverSm, EsmClass, Frame, TlvTag, Tlvs};
use crate::text::{Content, Decoder, DefaultAlphabet, Extent, UserData, fold_look_alikes};
use words::{Meaning, Says, words};

/// Words of a text that are looked at.
const WORDS: usize = 64;
/// Octets of a field that are looked at: a header, and that many words of UCS-2.
const OCTETS: usize = 1024;
/// Words that a sender's name may be written in.
const NAME: usize = 4;
/// Words that a keyword may be torn into.
const TORN: usize = 11;

/// What a message asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// No more messages.
    OptOut(Scope),
    /// Messages again, or at last.
    OptIn {
        /// From whom.
        scope: Scope,
        /// Whether it only agrees ("yes"), which means something to whom an invitation was sent.
        agrees: bool,
    },
    /// Help.
    Help,
    /// Nothing of the kind.
    Other,
}

/// Whose messages are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// The account's, whoever sends them.
    Everything,
    /// Those of this sender of the account, in the form of [`name`].
    Sender(String),
    /// Those of the sender that the message is addressed to.
    ThisSender,
}

/// A sender ID in the form in which names in replies are compared: folded, without spaces and signs.
pub fn name(sender: &str) -> String {
    let mut folded = String::with_capacity(sender.len());
    fold_look_alikes(sender, &mut folded);
    folded.retain(char::is_alphanumeric);
    folded
}

/// Reads deliver_sm and data_sm, in buffers that are used again.
#[derive(Debug, Default)]
pub struct Replies {
    decoder: Decoder,
}

/// Whether a deliver_sm or data_sm is one part of a longer message.
pub fn is_part(frame: Frame<'_>) -> bool {
    fields(frame).is_some_and(|(esm_class, _, short_message, tlvs)| part(esm_class, short_message, tlvs).is_some())
}

impl Replies {
    /// What a deliver_sm or data_sm from the SMSC asks of an account, whose SMSC takes data_coding 0 for `alphabet`.
    /// `is_sender` says whether a name, in the form of [`name`], is one of its senders. Anything else asks for nothing.
    pub fn of_frame(&mut self, frame: Frame<'_>, alphabet: DefaultAlphabet, is_sender: &dyn Fn(&str) -> bool) -> Reply {
        let Some((esm_class, coding, short_message, tlvs)) = fields(frame) else { return Reply::Other };
        // An acknowledgement by the user may carry their answer; all other types are made by machines.
        let by_hand = matches!(esm_class.message_type(), EsmClass::TYPE_DEFAULT | EsmClass::TYPE_USER_ACK);
        let is_receipt = !by_hand || tlvs.get(TlvTag::RECEIPTED_MESSAGE_ID).is_some();
        if is_receipt || part(esm_class, short_message, tlvs).is_some_and(|part| part.number > 1) {
            return Reply::Other;
        }
        self.of_fields(esm_class, coding, (short_message, tlvs), alphabet, is_sender)
    }

    /// The text of a deliver_sm or data_sm in its likeliest reading, up to 1000 characters; none if there is none.
    pub fn text(&mut self, frame: Frame<'_>, alphabet: DefaultAlphabet) -> Option<String> {
        let (esm_class, coding, short_message, tlvs) = fields(frame)?;
        let octets = if short_message.is_empty() { tlvs.get(TlvTag::MESSAGE_PAYLOAD)? } else { short_message };
        let user_data = UserData::split(octets, esm_class.udhi()).or_else(|_| UserData::split(octets, false)).ok()?;
        let Ok(Content::Text(readings)) = Content::of(Some(coding), &user_data, alphabet) else { return None };
        let read = self.decoder.each_reading(&user_data, &readings, Extent::Part, |_, text| {
            ControlFlow::Break(text.chars().take(1000).collect::<String>())
        });
        match read {
            Ok(ControlFlow::Break(text)) => Some(text).filter(|text| !text.trim().is_empty()),
            _ => None,
        }
    }

    fn of_fields(
        &mut self,
        esm_class: EsmClass,
        coding: DataCoding,
        (short_message, tlvs): (&[u8], Tlvs<'_>),
        alphabet: DefaultAlphabet,
        is_sender: &dyn Fn(&str) -> bool,
    ) -> Reply {
        let mut first = Reply::Other;
        for octets in std::iter::once(short_message).chain(tlvs.all(TlvTag::MESSAGE_PAYLOAD)) {
            let looked_at = octets.get(..octets.len().min(OCTETS)).unwrap_or_default();
            // A header that does not fit is no header.
            let split = UserData::split(looked_at, esm_class.udhi()).or_else(|_| UserData::split(looked_at, false));
            let Ok(user_data) = split else { continue };
            let Ok(Content::Text(readings)) = Content::of(Some(coding), &user_data, alphabet) else { continue };
            let read = self.decoder.each_reading(&user_data, &readings, Extent::Part, |_, text| {
                match of_text(text, is_sender) {
                    reply @ Reply::OptOut(_) => return ControlFlow::Break(reply),
                    reply if first == Reply::Other => first = reply,
                    _ => {}
                }
                ControlFlow::Continue(())
            });
            if let Ok(ControlFlow::Break(opt_out)) = read {
                return opt_out;
            }
        }
        first
    }
}

/// What a text is read from.
fn fields(frame: Frame<'_>) -> Option<(EsmClass, DataCoding, &[u8], Tlvs<'_>)> {
    match frame.command_id() {
        CommandId::DELIVER_SM => {
            let pdu = DeliverSm::decode(frame).ok()?;
            Some((pdu.esm_class, pdu.data_coding, pdu.short_message, pdu.tlvs))
        }
        CommandId::DATA_SM => {
            let pdu = DataSm::decode(frame).ok()?;
            Some((pdu.esm_class, pdu.data_coding, b"", pdu.tlvs))
        }
        _ => None,
    }
}

/// What a text asks for.
pub fn of_text(text: &str, is_sender: &dyn Fn(&str) -> bool) -> Reply {
    let text = text.trim_start();
    let is_receipt = text.get(..3).is_some_and(|head| head.eq_ignore_ascii_case("id:")) && text.contains("stat:");
    if is_receipt {
        return Reply::Other;
    }
    let split = words::split(text, WORDS);
    let said = without_courtesies(&split);
    // A question that begins with a keyword is about something else, if it is more than the keyword.
    let asks = text.contains('?') && said.len() > 1;
    let keyword = if asks { None } else { of_keyword(said, text, is_sender) };
    match keyword {
        Some(reply) => reply,
        None if words().is_wish(&split) => Reply::OptOut(Scope::ThisSender),
        None => Reply::Other,
    }
}

/// The words between the courtesies at the beginning and those at the end; all, if there is nothing else.
fn without_courtesies(all: &[String]) -> &[String] {
    let is_said = |word: &String| !words().is_courtesy(word);
    match (all.iter().position(is_said), all.iter().rposition(is_said)) {
        (Some(first), Some(last)) => all.get(first..=last).unwrap_or_default(),
        _ => all,
    }
}

fn of_keyword(said: &[String], text: &str, is_sender: &dyn Fn(&str) -> bool) -> Option<Reply> {
    let (first, behind) = said.split_first()?;
    // The whole, also when it is torn: "st op", "s.t.o.p", "opt-out".
    let whole = if said.len() <= TORN { words().keyword(&said.concat()) } else { None };
    if let Some(meaning) = whole {
        return Some(reply(meaning, Scope::ThisSender));
    }
    if let Some(meaning) = words().keyword(first).filter(|meaning| !meaning.alone) {
        return with_rest(meaning, behind, &rest(text, true), is_sender);
    }
    let (last, before) = said.split_last()?;
    let meaning = words().keyword(last).filter(|meaning| !meaning.alone)?;
    let name = rest(text, false);
    (before.len() <= NAME && is_sender(&name)).then(|| reply(meaning, Scope::Sender(name)))
}

/// A keyword, and what is said behind it.
fn with_rest(meaning: Meaning, behind: &[String], written: &str, is_sender: &dyn Fn(&str) -> bool) -> Option<Reply> {
    if behind.len() <= NAME && is_sender(written) {
        return Some(reply(meaning, Scope::Sender(written.to_owned())));
    }
    let words = words();
    let mut others = behind.iter().filter(|word| !words.is_courtesy(word) && !words.is_messages(word)).peekable();
    if others.peek().is_none() {
        return Some(reply(meaning, Scope::ThisSender));
    }
    if others.all(|word| words.is_all(word)) {
        return Some(reply(meaning, Scope::Everything));
    }
    // A name that is not known, or any other word: who says so wants no more.
    let stops = meaning.says == Says::OptOut && !behind.iter().any(|word| words.spoils(word));
    (stops && behind.len() == 1).then(|| reply(meaning, Scope::ThisSender))
}

/// What is written beside the keyword, as a name: behind it, or before it. Courtesies at the ends are left out.
fn rest(text: &str, behind: bool) -> String {
    let all: Vec<String> =
        text.split(|c: char| !c.is_alphanumeric()).map(name).filter(|word| !word.is_empty()).take(WORDS).collect();
    let said = without_courtesies(&all);
    let beside = if behind { said.get(1..) } else { said.get(..said.len().saturating_sub(1)) };
    beside.unwrap_or_default().concat()
}

fn reply(meaning: Meaning, scope: Scope) -> Reply {
    match meaning.says {
        Says::OptOut => Reply::OptOut(scope),
        Says::OptOutAll => Reply::OptOut(Scope::Everything),
        Says::OptIn => Reply::OptIn { scope, agrees: false },
        Says::Yes => Reply::OptIn { scope, agrees: true },
        Says::Help => Reply::Help,
    }
}

#[cfg(test)]
mod tests;
