//! Links in a text: with a scheme and without, in disguise, names of any script and addresses in place of names.
//!
//! | written | found as |
//! |---|---|
//! | `https://a.nl/b`, `hxxp://a.nl`, `klikhttps://a.nl` | [`Form::Scheme`] |
//! | `www.a.nl` | [`Form::Www`] |
//! | `a.nl/b`, `a.co.uk`, `a[.]nl`, `a (dot) nl` | [`Form::Bare`] |
//! | `someone@a.nl` | no link; [`Found::mail`] has it |
//!
//! People forget the space behind a full stop, and many top-level domains are words: "call me.to confirm", "klaar.de
//! volgende". So a bare name under such a domain counts only where it looks like one: with a path or port, with a
//! hyphen, digits or more labels, or standing where a link is announced or the sentence ends. What no public suffix list
//! knows the end of is no bare link at all, nor is a number with dots.
//!
//! Finds, and judges nothing. A text without links costs one pass of vector instructions; buffers are used again.

mod bare;
mod host;
mod punycode;
mod scan;
mod suffix;

#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use host::Names;

/// Links and addresses of mailboxes that are found in one text. No message has as many.
pub const MOST: usize = 256;

/// The buffers that links are found with.
#[derive(Debug, Default)]
pub struct Links {
    names: Names,
    entries: Vec<Entry>,
}

/// How a link is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// With a scheme before it.
    Scheme,
    /// As a name that begins with `www`.
    Www,
    /// As a name alone.
    Bare,
    /// Behind an at sign: an address of a mailbox, and no link.
    Mail,
}

/// Where a link leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host<'a> {
    /// To a name.
    Name(Name<'a>),
    /// To an address in place of a name.
    V4(Ipv4Addr),
    /// The same of the longer kind.
    V6(Ipv6Addr),
}

/// The name of a host: in lower case, Punycode decoded, its dots plain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name<'a> {
    name: &'a str,
    suffix: usize,
}

/// One link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link<'a> {
    /// Where it lies in the text.
    pub span: Range<usize>,
    /// How it is written.
    pub form: Form,
    /// Whether it is written so that phones do not make it a link, but people do: `hxxp`, `[.]`, `(dot)`.
    pub disguised: bool,
    /// Where it leads.
    pub host: Host<'a>,
    /// What stands before an at sign in front of the host, and leads nowhere.
    pub user: Option<&'a str>,
    /// What stands behind host and port, from its slash, question or number sign on.
    pub path: &'a str,
}

/// The links of one text.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    text: &'a str,
    names: &'a str,
    entries: &'a [Entry],
    is_all: bool,
}

#[derive(Clone, Debug)]
enum Place {
    /// Where the name lies in the buffer of names, and where its public suffix begins there.
    Name(Range<usize>, usize),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

#[derive(Clone, Debug)]
struct Entry {
    span: Range<usize>,
    form: Form,
    disguised: bool,
    place: Place,
    user: Option<Range<usize>>,
    path: Range<usize>,
}

impl Links {
    /// The links of a text, up to [`MOST`].
    pub fn find<'l>(&'l mut self, text: &'l str) -> Found<'l> {
        self.names.buffer.clear();
        self.entries.clear();
        let (mut floor, mut is_all) = (0, true);
        while let Some(at) = scan::suspect(text.as_bytes(), floor) {
            if self.entries.len() == MOST {
                is_all = false;
                break;
            }
            let end = if text.as_bytes().get(at) == Some(&b'/') {
                self.with_scheme(text, floor, at)
            } else {
                self.bare(text, floor, at)
            };
            // Whatever was looked at is not looked at again, so that time stays in proportion to the text.
            floor = end.max(at + 1);
        }
        Found { text, names: &self.names.buffer, entries: &self.entries, is_all }
    }

    /// Reads on from the first slash of `://`, and gives the place that was reached.
    fn with_scheme(&mut self, text: &str, floor: usize, slash: usize) -> usize {
        let before = text.get(floor..slash - 1).unwrap_or_default();
        let scheme = Scheme::before(before);
        let rest = text.get(slash..).unwrap_or_default();
        let authority = slash + rest.len() - rest.trim_start_matches(['/', '\\']).len();
        let rest = text.get(authority..).unwrap_or_default();
        let authority_end = authority + rest.find(ends_authority).unwrap_or(rest.len());
        let at_sign = text.get(authority..authority_end).and_then(|authority| authority.rfind('@'));
        let start = at_sign.map_or(authority, |at_sign| authority + at_sign + 1);
        let (place, host_end, disguised) = match host::ipv6(text, start) {
            Some((address, end)) => (Place::V6(address), end, false),
            None => {
                let mut run = self.names.read(text, start, true);
                if !run.known && host::ipv4(self.names.name(&run)).is_none() && !goes_on(text, run.span.end) {
                    self.names.cut_sentence(text, &mut run);
                }
                let name = self.names.name(&run);
                if name.is_empty() || !(run.known || scheme.is_web) {
                    self.names.forget(&run);
                    return run.span.end;
                }
                match host::ipv4(name) {
                    Some(address) => (Place::V4(address), run.span.end, run.disguised),
                    None => (Place::Name(run.name, run.suffix), run.span.end, run.disguised),
                }
            }
        };
        let path = path(text, port_end(text, host_end));
        self.entries.push(Entry {
            span: slash - 1 - scheme.length..path.end,
            form: Form::Scheme,
            disguised: disguised || scheme.disguised,
            place,
            user: at_sign.map(|at_sign| authority..authority + at_sign),
            path: path.clone(),
        });
        path.end
    }
}

/// What stands before `://`.
struct Scheme {
    length: usize,
    /// Whether browsers open it: such a link may lead to a name under no known suffix.
    is_web: bool,
    disguised: bool,
}

impl Scheme {
    fn before(text: &str) -> Self {
        // A known one may be glued to a word before it.
        for (name, disguised) in
            [("https", false), ("http", false), ("hxxps", true), ("hxxp", true), ("ftps", false), ("ftp", false)]
        {
            let end = text.len().checked_sub(name.len()).and_then(|start| text.as_bytes().get(start..));
            if end.is_some_and(|end| end.eq_ignore_ascii_case(name.as_bytes())) {
                return Self { length: name.len(), is_web: true, disguised };
            }
        }
        let length = text.bytes().rev().take(16).take_while(u8::is_ascii_alphanumeric).count();
        Self { length, is_web: false, disguised: false }
    }
}

/// What may stand around a link.
const BRACKETS: [(char, char); 3] = [('(', ')'), ('[', ']'), ('{', '}')];

fn ends_authority(character: char) -> bool {
    matches!(character, '/' | '?' | '#' | '\\' | '<' | '>' | '"') || character.is_whitespace()
}

/// Whether something belongs to the link behind its host: one look, as what is refused by it is read again.
fn goes_on(text: &str, host_end: usize) -> bool {
    let port_end = port_end(text, host_end);
    let mut behind = text.get(port_end..).unwrap_or_default().chars();
    let starts_path = behind.next().is_some_and(|first| matches!(first, '/' | '?' | '#' | '\\'));
    port_end > host_end || starts_path && behind.next().is_some_and(|second| second.is_alphanumeric() || second == '/')
}

/// Where a port ends that follows the host, or the host itself.
fn port_end(text: &str, host_end: usize) -> usize {
    let Some(rest) = text.as_bytes().get(host_end..).and_then(|rest| rest.strip_prefix(b":")) else { return host_end };
    let digits = rest.iter().take_while(|octet| octet.is_ascii_digit()).count();
    let follows = rest.get(digits).is_none_or(|octet| !octet.is_ascii_alphanumeric());
    if (1..=5).contains(&digits) && follows { host_end + 1 + digits } else { host_end }
}

/// What follows a host: to the next space, without the punctuation of the sentence around it.
fn path(text: &str, from: usize) -> Range<usize> {
    let rest = text.get(from..).unwrap_or_default();
    if !rest.starts_with(['/', '?', '#', '\\']) {
        return from..from;
    }
    let ends = |character: char| {
        character.is_whitespace()
            || character.is_control()
            || matches!(character, '<' | '>' | '"' | '“'..='‟' | '«' | '»' | '、' | '。' | '」' | '】' | '）' | '，')
    };
    let mut path = rest.get(..rest.find(ends).unwrap_or(rest.len())).unwrap_or_default();
    // Closing brackets that nothing in the path opened are the sentence's.
    let mut surplus = [0; 3];
    if path.ends_with(|last: char| last.is_ascii_punctuation()) {
        surplus = BRACKETS.map(|(open, close)| path.matches(close).count().saturating_sub(path.matches(open).count()));
    }
    loop {
        path = path.trim_end_matches(['.', ',', ';', ':', '!', '?', '\'', '*', '…', '’', '‘']);
        let closed =
            BRACKETS.iter().zip(&mut surplus).find(|((_, close), surplus)| **surplus > 0 && path.ends_with(*close));
        let Some((_, surplus)) = closed else { return from..from + path.len() };
        *surplus -= 1;
        path = path.get(..path.len() - 1).unwrap_or_default();
    }
}

impl<'a> Found<'a> {
    /// Whether the text was read to its end; if not, there may be more than [`MOST`].
    pub fn is_all(&self) -> bool {
        self.is_all
    }

    /// The links, in the order of the text.
    pub fn iter(&self) -> impl Iterator<Item = Link<'a>> + use<'a> {
        self.all(|form| form != Form::Mail)
    }

    /// The addresses of mailboxes, in the order of the text; the part before the at sign is not looked at.
    pub fn mail(&self) -> impl Iterator<Item = Link<'a>> + use<'a> {
        self.all(|form| form == Form::Mail)
    }

    fn all(&self, wanted: fn(Form) -> bool) -> impl Iterator<Item = Link<'a>> + use<'a> {
        let Self { text, names, entries, .. } = *self;
        entries.iter().filter(move |entry| wanted(entry.form)).map(move |entry| entry.link(text, names))
    }
}

impl Entry {
    fn link<'a>(&self, text: &'a str, names: &'a str) -> Link<'a> {
        let host = match &self.place {
            Place::Name(range, suffix) => Host::Name(Name {
                name: names.get(range.clone()).unwrap_or_default(),
                suffix: suffix.saturating_sub(range.start),
            }),
            Place::V4(address) => Host::V4(*address),
            Place::V6(address) => Host::V6(*address),
        };
        Link {
            span: self.span.clone(),
            form: self.form,
            disguised: self.disguised,
            host,
            user: self.user.clone().and_then(|range| text.get(range)),
            path: text.get(self.path.clone()).unwrap_or_default(),
        }
    }
}

impl<'a> Host<'a> {
    /// The name, if it is one.
    pub fn name(self) -> Option<Name<'a>> {
        match self {
            Self::Name(name) => Some(name),
            Self::V4(_) | Self::V6(_) => None,
        }
    }
}

impl<'a> Name<'a> {
    /// A name as it is declared; none for what is not the name of a host.
    pub fn new(name: &'a str) -> Option<Self> {
        let is_label = |label: &str| !label.is_empty() && label.chars().all(|one| one.is_alphanumeric() || one == '-');
        let is_name = name.split('.').all(is_label) && !name.contains(char::is_uppercase);
        is_name.then(|| Self { name, suffix: name.len() - suffix::of(name).length })
    }

    /// All of it.
    pub fn as_str(self) -> &'a str {
        self.name
    }

    /// The public suffix: what a registry gives out names under.
    pub fn suffix(self) -> &'a str {
        self.name.get(self.suffix..).unwrap_or_default()
    }

    /// The label that was registered; empty for a name that is a public suffix.
    pub fn label(self) -> &'a str {
        let before = self.before_suffix();
        before.get(before.rfind('.').map_or(0, |dot| dot + 1)..).unwrap_or_default()
    }

    /// The registered domain, which is the registered label and the public suffix.
    pub fn registered(self) -> &'a str {
        let start = self.before_suffix().rfind('.').map_or(0, |dot| dot + 1);
        self.name.get(start..).unwrap_or_default()
    }

    /// What stands before the registered domain, without the dot between.
    pub fn subdomain(self) -> &'a str {
        self.before_suffix().rsplit_once('.').map_or("", |(subdomain, _)| subdomain)
    }

    fn before_suffix(self) -> &'a str {
        self.name.get(..self.suffix).and_then(|before| before.strip_suffix('.')).unwrap_or_default()
    }
}
