//! What a recipient's message to an account asks for: no more messages, messages again, help, or nothing of the kind.
//!
//! A keyword counts when it is the whole message, or stands with a sender's name, a word for "all", words for the
//! messages or a courtesy. One that opts out counts at the head of any clause: with more words behind it, those decide.
//! Whoever cries it in capitals or complains means us; whoever names a bus or an order does not. A wish in plain words
//! counts anywhere, unless it is denied, or says that messages fail to come. Refusing what somebody asked for is worse
//! than to stop what they might have wanted, so in doubt it is an opt-out, and never an opt-in.
//!
//! Every reading of the octets is looked at, and one that asks for no more messages wins. Receipts are never looked at,
//! neither those that say so nor those in the form of a text. Of a message in several parts the first is judged as if it
//! were all, and the others are not: a keyword is short. Pure: no I/O, no clock, no knowledge of who has sent what.

mod asks;
mod mo;
mod words;

use std::ops::ControlFlow;

use crate::pdu::Frame;
use crate::text::{Content, Decoder, DefaultAlphabet, Extent, Undecodable, UserData, fold_look_alikes};
pub use asks::of_text;
use mo::Mo;
pub use mo::{Written, written};

/// Characters of a text that are handed out.
pub const TEXT: usize = 1000;
/// Octets of a field that are looked at: a header, and that many characters of UCS-2.
const OCTETS: usize = 256 + 2 * TEXT;

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

impl Replies {
    /// What a deliver_sm or data_sm from the SMSC asks of an account, whose SMSC takes data_coding 0 for `alphabet`.
    /// `is_sender` says whether a name, in the form of [`name`], is one of its senders. Anything else asks for nothing.
    pub fn of_frame(&mut self, frame: Frame<'_>, alphabet: DefaultAlphabet, is_sender: &dyn Fn(&str) -> bool) -> Reply {
        let Some(mo) = Mo::of(frame).filter(|mo| !mo.is_continued()) else { return Reply::Other };
        let mut first = Reply::Other;
        let opt_out = self.each_text(&mo, alphabet, |text| {
            match of_text(text, is_sender) {
                reply @ Reply::OptOut(_) => return ControlFlow::Break(reply),
                reply if first == Reply::Other => first = reply,
                _ => {}
            }
            ControlFlow::Continue(())
        });
        opt_out.unwrap_or(first)
    }

    /// The text of a deliver_sm or data_sm in its likeliest reading, up to [`TEXT`] characters; none if there is none.
    pub fn text(&mut self, frame: Frame<'_>, alphabet: DefaultAlphabet) -> Option<String> {
        self.each_text(&Mo::of(frame)?, alphabet, |text| {
            if text.trim().is_empty() {
                return ControlFlow::Continue(());
            }
            ControlFlow::Break(text.chars().take(TEXT).collect())
        })
    }

    /// Shows `judge` each reading of each field until it breaks. What cannot be read is left out.
    fn each_text<B>(
        &mut self,
        mo: &Mo<'_>,
        alphabet: DefaultAlphabet,
        mut judge: impl FnMut(&str) -> ControlFlow<B>,
    ) -> Option<B> {
        for octets in mo.fields() {
            let octets = octets.get(..octets.len().min(OCTETS)).unwrap_or_default();
            // A header that does not fit is no header.
            let split = UserData::split(octets, mo.esm_class.udhi()).or_else(|_| UserData::split(octets, false));
            let Ok(mut user_data) = split else { continue };
            let Ok(Content::Text(readings)) = Content::of(Some(mo.coding), &user_data, alphabet) else { continue };
            let mut read = self.decoder.each_reading(&user_data, &readings, Extent::Part, |_, text| judge(text));
            if let (Err(Undecodable::OddOctets), Some((_stray, whole))) = (&read, octets.split_last()) {
                user_data.octets = whole;
                read = self.decoder.each_reading(&user_data, &readings, Extent::Part, |_, text| judge(text));
            }
            if let Ok(ControlFlow::Break(found)) = read {
                return Some(found);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
