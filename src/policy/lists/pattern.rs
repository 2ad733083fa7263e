//! The pattern language: one string in, its elements out, or what is wrong with it.
//!
//! Knows the form of a pattern, not how it is found in a text.

use super::LinkKind;
use super::words::is_letter;
use crate::config::reader::{list, nearest};
use crate::config::value::{Read, Wrong};
use crate::text::{Normaliser, ViewKind};

/// Words that a hit spans at most.
pub(super) const MAX_WORDS: usize = 24;
/// Words that an `unless` looks at on either side of the hit.
pub(super) const MAX_CONTEXT: usize = 12;
/// Characters of a pattern.
const MAX_PATTERN: usize = 400;
/// Octets of a word.
const MAX_WORD: usize = 60;
/// Letters of a prefix.
const MIN_PREFIX: usize = 3;
/// A word of another script that looks like a Latin one of fewer letters is not looked for in that form: too many honest
/// words would be it.
const MIN_FOREIGN: usize = 5;

/// One word of a list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Word {
    /// As the plain view has it.
    pub(super) plain: String,
    /// As the skeleton has it, if that is another.
    pub(super) folded: Option<String>,
    /// Whether it stands for every word that begins so.
    pub(super) prefix: bool,
}

/// Words by a name: each item one word or several.
#[derive(Debug)]
pub(super) struct Class {
    pub(super) name: String,
    pub(super) items: Vec<Vec<Word>>,
}

/// A piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Element {
    Word(Word),
    /// By its place among the file's classes.
    Class(usize),
    Either(Vec<Vec<Element>>),
    Optional(Vec<Element>),
    /// Up to so many words of any kind; whether sentence ends may lie between.
    Gap {
        most: u8,
        across: bool,
    },
    /// A word of so many digits.
    Digits {
        least: u8,
        most: u8,
    },
    /// A link of that kind at least.
    Link(LinkKind),
    /// A sentence ends here and another begins.
    Boundary,
    /// Where an `unless` has the hit.
    Hit,
}

/// What cancels a hit, by what is before and behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unless {
    pub(super) before: Vec<Element>,
    pub(super) behind: Vec<Element>,
}

/// An item of a class: one word or several.
pub(super) fn item(text: &str) -> Read<Vec<Word>> {
    let mut parser = Parser::new(text, &[])?;
    let elements = parser.sequence(0)?;
    let words = elements.into_iter().map(|element| match element {
        Element::Word(word) => Ok(word),
        _ => Err(Wrong::because("is more than words", "expected a word, a prefix* or several words")),
    });
    let words: Vec<Word> = words.collect::<Read<_>>()?;
    if words.is_empty() {
        return Err(Wrong::because("has no word", "expected a word, a prefix* or several words"));
    }
    Ok(words)
}

/// One of `walls`.
pub(super) fn word(text: &str) -> Read<Word> {
    let mut words = item(text)?.into_iter();
    match (words.next(), words.next()) {
        (Some(word), None) => Ok(word),
        _ => Err(Wrong::because("is several words", "expected one word or prefix*: a gap steps over words one by one")),
    }
}

/// A pattern of `match`.
pub(super) fn matching(text: &str, classes: &[Class]) -> Read<Vec<Element>> {
    let elements = Parser::new(text, classes)?.sequence(0)?;
    if elements.contains(&Element::Hit) {
        return Err(Wrong::because("has a _", "the hit is _ in unless only"));
    }
    no_loose_end(elements.first())?;
    no_loose_end(elements.last())?;
    if !elements.iter().any(is_anchor) {
        let help = "write a word, prefix* or {class} that is not optional: by it the pattern is found";
        return Err(Wrong::because("has nothing that must be there", help));
    }
    short_enough(&elements, classes, MAX_WORDS, "a hit")?;
    Ok(elements)
}

/// A pattern of `unless`.
pub(super) fn unless(text: &str, classes: &[Class]) -> Read<Unless> {
    let elements = Parser::new(text, classes)?.sequence(0)?;
    let mut sides = elements.split(|element| *element == Element::Hit);
    let (Some(before), Some(behind), None) = (sides.next(), sides.next(), sides.next()) else {
        return Err(Wrong::because("must have _ exactly once", "write _ for the hit, as in \"not ~2 _\""));
    };
    no_loose_end(before.first())?;
    no_loose_end(behind.last())?;
    if !before.iter().chain(behind).any(is_demand) {
        return Err(Wrong::because("cancels every hit", "write what must be before or behind _"));
    }
    short_enough(before, classes, MAX_CONTEXT, "what is before _")?;
    short_enough(behind, classes, MAX_CONTEXT, "what is behind _")?;
    Ok(Unless { before: before.to_vec(), behind: behind.to_vec() })
}

fn no_loose_end(end: Option<&Element>) -> Read<()> {
    match end {
        Some(Element::Gap { .. }) => {
            Err(Wrong::because("begins or ends with a gap", "leave that ~ out: it asks nothing"))
        }
        _ => Ok(()),
    }
}

/// Whether a text that has the element has one of a few words, by which it can be found.
pub(super) fn is_anchor(element: &Element) -> bool {
    match element {
        Element::Word(_) | Element::Class(_) => true,
        Element::Either(branches) => branches.iter().all(|branch| branch.iter().any(is_anchor)),
        _ => false,
    }
}

/// Whether an element must be there for the pattern to match.
fn is_demand(element: &Element) -> bool {
    match element {
        Element::Optional(_) | Element::Gap { .. } | Element::Hit => false,
        Element::Either(branches) => branches.iter().all(|branch| branch.iter().any(is_demand)),
        _ => true,
    }
}

fn short_enough(elements: &[Element], classes: &[Class], most: usize, what: &str) -> Read<()> {
    let words = longest(elements, classes);
    if words > most {
        let message = format!("can be {words} words long");
        return Err(Wrong::because(message, format!("{what} is at most {most} words, those of ~ and (...)? included")));
    }
    Ok(())
}

/// Words that elements may take; a boundary counts as one, because it looks beyond a word.
pub(super) fn longest(elements: &[Element], classes: &[Class]) -> usize {
    let length = |element: &Element| match element {
        Element::Word(_) | Element::Digits { .. } | Element::Link(_) | Element::Boundary => 1,
        Element::Class(class) => {
            classes.get(*class).and_then(|class| class.items.iter().map(Vec::len).max()).unwrap_or(1)
        }
        Element::Either(branches) => branches.iter().map(|branch| longest(branch, classes)).max().unwrap_or(0),
        Element::Optional(elements) => longest(elements, classes),
        Element::Gap { most, .. } => usize::from(*most),
        Element::Hit => 0,
    };
    elements.iter().map(length).sum()
}

/// Takes a pattern apart from left to right.
struct Parser<'a> {
    rest: &'a str,
    classes: &'a [Class],
    normaliser: Normaliser,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, classes: &'a [Class]) -> Read<Self> {
        let length = text.chars().count();
        if length > MAX_PATTERN {
            let help = format!("expected at most {MAX_PATTERN}: make it several patterns, or name a class");
            return Err(Wrong::because(format!("has {length} characters"), help));
        }
        Ok(Self { rest: text, classes, normaliser: Normaliser::new() })
    }

    fn wrong<T>(&self, message: &str, help: &str) -> Read<T> {
        let place = match self.rest.trim_start() {
            "" => "at its end".to_owned(),
            rest => format!("at {:?}", rest.chars().take(20).collect::<String>()),
        };
        Err(Wrong::because(format!("{message} {place}"), help))
    }

    fn take(&mut self, sign: char) -> bool {
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Elements up to the end, or within parentheses up to `|` or `)`.
    fn sequence(&mut self, depth: usize) -> Read<Vec<Element>> {
        let mut elements = Vec::new();
        loop {
            let before = elements.len();
            match self.rest.chars().next() {
                None => return Ok(elements),
                Some(')' | '|') if depth > 0 => return Ok(elements),
                Some(')') => return self.wrong("closes what is not open", "write ( before it, or leave it out"),
                Some('|') => return self.wrong("has | outside of ( )", "write (a|b)"),
                Some('(') => elements.push(self.either(depth)?),
                Some('{') => elements.push(self.class()?),
                Some('~') => elements.push(self.gap()?),
                Some('#') => elements.push(self.digits()?),
                Some('@') => elements.push(self.link()),
                Some('^' | '$') => elements.push(self.single(Element::Boundary)),
                Some('_') if depth > 0 => return self.wrong("has _ within ( )", "write _ outside of them"),
                Some('_') => elements.push(self.single(Element::Hit)),
                Some('?' | '*' | '}') => {
                    return self.wrong("has a sign out of place", "? and * stand right behind what they belong to");
                }
                Some(character) if is_letter(character) => self.words(&mut elements)?,
                Some(other) => {
                    self.take(other);
                }
            }
            self.optional(&mut elements, before)?;
        }
    }

    fn single(&mut self, element: Element) -> Element {
        let mut characters = self.rest.chars();
        characters.next();
        self.rest = characters.as_str();
        element
    }

    fn link(&mut self) -> Element {
        self.take('@');
        Element::Link(if self.take('!') { LinkKind::Lure } else { LinkKind::Common })
    }

    /// A `?` behind the elements from `from` on.
    fn optional(&mut self, elements: &mut Vec<Element>, from: usize) -> Read<()> {
        if elements.len() == from || !self.rest.starts_with('?') {
            return Ok(());
        }
        let body = elements.split_off(from);
        match body.first() {
            Some(Element::Gap { .. } | Element::Boundary | Element::Hit) => {
                self.wrong("has a ? that means nothing", "leave it out")
            }
            _ => {
                self.take('?');
                elements.push(Element::Optional(body));
                Ok(())
            }
        }
    }

    fn either(&mut self, depth: usize) -> Read<Element> {
        const MAX_DEPTH: usize = 8;
        if depth >= MAX_DEPTH {
            return self.wrong("has too many ( within each other", "make it several patterns");
        }
        self.take('(');
        let mut branches = Vec::new();
        loop {
            let branch = self.sequence(depth + 1)?;
            if branch.is_empty() {
                return self.wrong("has an empty alternative", "write (a|b)? for what may be absent");
            }
            branches.push(branch);
            if self.take(')') {
                return Ok(Element::Either(branches));
            }
            if !self.take('|') {
                return self.wrong("has ( without )", "close it");
            }
        }
    }

    fn class(&mut self) -> Read<Element> {
        let Some((name, rest)) = self.rest.get(1..).and_then(|rest| rest.split_once('}')) else {
            return self.wrong("has { without }", "write {name}");
        };
        match self.classes.iter().position(|class| class.name == name) {
            Some(class) => {
                self.rest = rest;
                Ok(Element::Class(class))
            }
            None => {
                let names = || self.classes.iter().map(|class| class.name.as_str());
                let help = match nearest(name, names()) {
                    Some(known) => format!("did you mean {{{known}}}?"),
                    None if self.classes.is_empty() => "name classes under [words]".to_owned(),
                    None => format!("expected one of {}", list(names())),
                };
                self.wrong("names a class that [words] does not have", &help)
            }
        }
    }

    /// The number at the head, if there is one.
    fn number(&mut self) -> Option<u8> {
        let length = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        number.parse().ok()
    }

    fn gap(&mut self) -> Read<Element> {
        let start = self.rest;
        self.take('~');
        let across = self.take('~');
        match self.number() {
            Some(most) if (1..=12).contains(&most) => Ok(Element::Gap { most, across }),
            _ => {
                self.rest = start;
                self.wrong("has a gap of no length", "write ~1 to ~12, or ~~1 to ~~12")
            }
        }
    }

    fn digits(&mut self) -> Read<Element> {
        const MOST: u8 = 40;
        let start = self.rest;
        self.take('#');
        let bounds = match self.rest.chars().next() {
            Some('0'..='9') => {
                let least = self.number();
                let most = if self.take('-') { self.number() } else { least };
                least.zip(most)
            }
            _ => Some((1, u8::MAX)),
        };
        match bounds {
            Some((least, most)) if least > 0 && least <= most && (most <= MOST || most == u8::MAX) => {
                Ok(Element::Digits { least, most })
            }
            _ => {
                self.rest = start;
                self.wrong("has a wrong number of digits", "write #, #6 or #4-8, of at most 40 digits")
            }
        }
    }

    /// What stands together: a word, or several with signs between (`don't`), the last perhaps a prefix.
    fn words(&mut self, elements: &mut Vec<Element>) -> Read<()> {
        let start = self.rest;
        let end = start.find(is_sign).unwrap_or(start.len());
        let (together, rest) = start.split_at_checked(end).unwrap_or((start, ""));
        let prefix = rest.starts_with('*') && together.ends_with(is_letter);
        let plain = self.normaliser.normalise(together).plain().to_owned();
        let words: Vec<&str> = plain.split(|character| !is_letter(character)).filter(|word| !word.is_empty()).collect();
        let last = words.len().saturating_sub(1);
        for (index, word) in words.into_iter().enumerate() {
            let prefix = prefix && index == last;
            if prefix && word.chars().count() < MIN_PREFIX {
                return self.wrong("has a prefix of fewer than three letters", "write more of the word");
            }
            if word.len() > MAX_WORD {
                return self.wrong("has a word of more than 60 octets", "write less of it, as a prefix*");
            }
            let folded = self.folded(word);
            elements.push(Element::Word(Word { plain: word.to_owned(), folded, prefix }));
        }
        self.rest = rest;
        if prefix {
            self.take('*');
            if self.rest.starts_with(is_letter) {
                return self.wrong("has a * within a word", "a prefix* ends with it");
            }
        }
        Ok(())
    }

    fn folded(&mut self, word: &str) -> Option<String> {
        let normal = self.normaliser.normalise(word);
        let folded = normal.views().find(|view| view.kind == ViewKind::Skeleton)?.text;
        let latin = word.contains(|character: char| character.is_ascii_alphabetic());
        let trusted = latin || !folded.is_ascii() || folded.len() >= MIN_FOREIGN;
        let one = !folded.is_empty() && folded.len() <= MAX_WORD && folded.chars().all(is_letter);
        (trusted && one && folded != word).then(|| folded.to_owned())
    }
}

/// What ends a run of words that stand together.
fn is_sign(character: char) -> bool {
    character.is_whitespace()
        || matches!(character, '(' | ')' | '|' | '{' | '}' | '?' | '*' | '~' | '#' | '@' | '^' | '$' | '_')
}
