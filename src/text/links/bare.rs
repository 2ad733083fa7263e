//! Links without a scheme, of which most full stops between two letters are none.

use super::host::{self, Run};
use super::{Entry, Form, Links, Place, goes_on, path, port_end, suffix};

/// Words that announce a link.
const ANNOUNCING: [&str; 32] = [
    "at", "auf", "bei", "besuche", "besuchen", "bezoek", "click", "cliquez", "here", "hier", "ici", "klick", "klik",
    "link", "naar", "on", "op", "open", "see", "siehe", "site", "sur", "surf", "to", "unter", "vers", "via", "visit",
    "visitez", "voir", "website", "zie",
];

impl Links {
    /// Reads around a dot, or what may be one in disguise, and gives the place that was reached.
    pub(super) fn bare(&mut self, text: &str, floor: usize, at: usize) -> usize {
        let octets = text.as_bytes();
        // Of a full stop of another script it was the second octet that was found.
        let mut dot = if octets.get(at).is_some_and(|octet| octet.is_ascii()) { at } else { at - 1 };
        if octets.get(dot) != Some(&b'.') && dot > floor && octets.get(dot - 1) == Some(&b' ') {
            dot -= 1;
        }
        let follows = |length| host::label_character(text, dot + length).is_some();
        if dot < floor || !host::separator(text, dot).is_some_and(follows) {
            return at;
        }
        let start = host::label_start(text, floor, dot);
        if start >= dot {
            return at;
        }
        let mut run = self.names.read(text, start, false);
        match self.form(text, floor, &mut run) {
            Some(form) => self.keep(text, form, run),
            None => {
                self.names.forget(&run);
                let written = text.get(run.span.clone()).unwrap_or_default();
                // The last label may be the scheme of a link that is glued to the sentence.
                let is_scheme = text.get(run.span.end..).is_some_and(|behind| behind.starts_with("://"));
                written.rfind('.').filter(|_| is_scheme).map_or(run.span.end, |dot| start + dot + 1)
            }
        }
    }

    fn keep(&mut self, text: &str, form: Form, run: Run) -> usize {
        let end = run.span.end;
        let path = if form == Form::Mail { end..end } else { path(text, port_end(text, end)) };
        let place = match host::ipv4(self.names.name(&run)) {
            Some(address) => Place::V4(address),
            None => Place::Name(run.name, run.suffix),
        };
        let span = run.span.start..path.end;
        self.entries.push(Entry { span, form, disguised: run.disguised, place, user: None, path: path.clone() });
        path.end
    }

    /// What a run of labels is; none for prose.
    fn form(&mut self, text: &str, floor: usize, run: &mut Run) -> Option<Form> {
        let name = self.names.name(run);
        if name.is_empty() || begins_address(text, run.span.end) {
            return None;
        }
        let goes_on = goes_on(text, run.span.end);
        if name.ends_with(|last: char| last.is_ascii_digit()) && host::ipv4(name).is_some() {
            return (goes_on && is_addressed(name, text, run.span.end)).then_some(Form::Bare);
        }
        let is_www =
            name.strip_prefix("www").is_some_and(|rest| rest.trim_start_matches(char::is_numeric).starts_with('.'));
        if !run.known && !goes_on {
            self.names.cut_sentence(text, run);
        }
        let name = self.names.name(run);
        if is_www && name.matches('.').count() > 1 {
            return Some(Form::Www);
        }
        if !run.known || run.suffix == run.name.start {
            return None;
        }
        let before = text.get(..run.span.start).and_then(|before| before.strip_suffix('@')).unwrap_or_default();
        if before.ends_with(|last: char| last.is_alphanumeric() || "._-+".contains(last)) {
            return Some(Form::Mail);
        }
        let before = text.get(floor..run.span.start).unwrap_or_default();
        let written = text.get(run.span.clone()).unwrap_or_default();
        let is_host = goes_on
            || run.disguised
            || !suffix::is_word(name)
            || looks_like_a_host(name, run.suffix - run.name.start, written)
            || (is_announced(before) || ends_sentence(text, run.span.end)) && stands_alone(name, written);
        is_host.then_some(Form::Bare)
    }
}

/// Whether what follows makes the name before it the beginning of a mailbox's address.
fn begins_address(text: &str, end: usize) -> bool {
    let rest = text.as_bytes().get(end..).unwrap_or_default();
    let local = |octet: &&u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'_' | b'%' | b'+' | b'-');
    let length = rest.iter().take(64).take_while(local).count();
    rest.get(length) == Some(&b'@')
}

/// Whether an address of four numbers that goes on leads somewhere, and is no range of addresses.
fn is_addressed(name: &str, text: &str, end: usize) -> bool {
    let behind = text.get(end..).unwrap_or_default();
    let size =
        behind.strip_prefix('/').map_or("", |behind| behind.trim_start_matches(|one: char| one.is_ascii_digit()));
    let is_range = behind.len() > size.len() + 1 && !size.starts_with(|one: char| one.is_alphanumeric() || one == '/');
    name.matches('.').count() == 3 && !(behind.starts_with('/') && is_range)
}

/// Whether a name under a domain that is a word has what words do not have.
fn looks_like_a_host(name: &str, suffix: usize, written: &str) -> bool {
    let before = name.get(..suffix.saturating_sub(1)).unwrap_or_default();
    let mut labels = before.rsplit('.');
    let (label, subdomain) = (labels.next().unwrap_or_default(), labels.next());
    let is_letters = |part: &str| part.len() > 1 && part.chars().all(char::is_alphabetic);
    let hyphenated = label.split('-').filter(|part| is_letters(part)).count() > 1;
    let inner = label.trim_matches(|one: char| one.is_ascii_digit());
    let has_digits = label.len() > 4 && inner.contains(|one: char| one.is_ascii_digit());
    let has_more = label.len() > 2 && subdomain.is_some_and(|subdomain| subdomain.len() > 1);
    (hyphenated || has_digits || has_more) && stands_alone(name, written)
}

/// Whether the last label is not the first word of a sentence, nor the ending of a file's name.
fn stands_alone(name: &str, written: &str) -> bool {
    let (before, top) = written.rsplit_once('.').unwrap_or((written, ""));
    let mut letters = top.chars();
    let capital = letters.next().is_some_and(char::is_uppercase) && letters.next().is_some_and(char::is_lowercase);
    let label = before.rsplit('.').next().unwrap_or(before);
    let is_name = label.len() > 3 && label.contains(char::is_alphabetic);
    !capital && is_name && !suffix::is_file_ending(name)
}

/// Whether what stands before a name says that a link follows.
fn is_announced(before: &str) -> bool {
    let trimmed = before.trim_end();
    if trimmed.len() == before.len() {
        return trimmed.ends_with([':', '(', '"', '<', '\'', '“', '«', '>']);
    }
    let word = trimmed.get(trimmed.rfind(|one: char| !one.is_ascii_alphabetic()).map_or(0, |at| at + 1)..);
    let is_word = |word: &str| ANNOUNCING.iter().any(|announcing| word.eq_ignore_ascii_case(announcing));
    trimmed.ends_with([':', '>', '→', '👉']) || word.is_some_and(is_word)
}

/// Whether the sentence, or the text, ends behind a name.
fn ends_sentence(text: &str, end: usize) -> bool {
    let rest = text.get(end..).unwrap_or_default();
    let behind = rest.trim_start_matches(['.', ',', ';', ':', '!', '?', ')', ']', '"', '”', '»']);
    behind.is_empty() || behind.starts_with(['\n', '\r']) || behind.len() < rest.len() && behind.starts_with(' ')
}
