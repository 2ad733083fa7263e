//! What a text asks for: keywords and what is said beside them, and wishes in plain words.
//!
//! Knows no language: all words are in the data file. Never looks at octets.

use super::words::{self, Meaning, Says, Weight, Word, words};
use super::{Reply, Scope};

/// Words of a text that are looked at.
const WORDS: usize = 64;
/// Words that a sender's name may be written in.
const NAME: usize = 4;
/// Words that a keyword may be torn into.
const TORN: usize = 11;

/// What a text asks for. `is_sender` says whether a name, in the form of [`name`](super::name), is one of the senders.
pub fn of_text(text: &str, is_sender: &dyn Fn(&str) -> bool) -> Reply {
    let all = words::split(text, WORDS);
    let clauses = all.split_inclusive(|word| word.ends_clause).map(without_courtesies);
    // Two clauses with a keyword each are two replies.
    let is_one = clauses.clone().filter(|said| head(said).is_some()).count() <= 1;
    let said = without_courtesies(&all);
    let whole = of_whole(said).or_else(|| if is_one { of_keyword(said, is_sender) } else { None });
    match whole {
        // Who asks whether to come in again has not come in.
        Some(Reply::OptIn { .. }) if all.len() > 1 && asks(text) => return Reply::Other,
        Some(reply) => return reply,
        None => {}
    }
    let certain = clauses.clone().filter_map(|said| match of_keyword(said, is_sender)? {
        Reply::OptOut(scope) => Some(scope),
        _ => None,
    });
    let mut scopes = certain.chain(clauses.filter_map(in_doubt));
    if let Some(first) = scopes.next() {
        let everything = scopes.any(|scope| scope == Scope::Everything);
        return Reply::OptOut(if everything { Scope::Everything } else { first });
    }
    let wishes = all.split_inclusive(|word| word.ends_sentence).any(|sentence| words().is_wish(sentence));
    if wishes { Reply::OptOut(Scope::ThisSender) } else { Reply::Other }
}

/// Whether a question mark stands at a word. One by itself is what some SMSCs make of a picture.
fn asks(text: &str) -> bool {
    text.split('?').rev().skip(1).any(|before| before.ends_with(char::is_alphanumeric))
}

/// The words between the courtesies at the beginning and those at the end; all, if there is nothing else.
fn without_courtesies(all: &[Word]) -> &[Word] {
    let is_said = |word: &Word| !words().lists.courtesy.has(word);
    match (all.iter().position(is_said), all.iter().rposition(is_said)) {
        (Some(first), Some(last)) => all.get(first..=last).unwrap_or_default(),
        _ => all,
    }
}

/// A keyword and nothing else, also when it is torn ("st op", "s.t.o.p", "opt-out"); or several that opt out.
fn of_whole(said: &[Word]) -> Option<Reply> {
    let torn = || words().keyword(&words::squeezed(&joined(said, |word| &word.said)));
    if said.len() <= TORN
        && let Some(meaning) = torn()
    {
        return Some(reply(meaning, Scope::ThisSender));
    }
    let all_opt_out = !said.is_empty() && said.iter().all(|word| keyword(word).is_some_and(Meaning::opts_out));
    all_opt_out.then_some(Reply::OptOut(Scope::ThisSender))
}

/// A keyword with nothing beside it that changes what it means.
fn of_keyword(said: &[Word], is_sender: &dyn Fn(&str) -> bool) -> Option<Reply> {
    if let Some((meaning, rest)) = head(said) {
        let is_idle = |word: &Word| is_idle(word, meaning);
        if let Some(name) = named(rest, &is_idle, is_sender) {
            return Some(reply(meaning, Scope::Sender(name)));
        }
        let everything = rest.iter().any(|word| words().lists.all.has(word));
        let scope = if everything { Scope::Everything } else { Scope::ThisSender };
        return rest.iter().all(is_idle).then(|| reply(meaning, scope));
    }
    let (last, before) = said.split_last()?;
    let meaning = keyword(last).filter(|meaning| meaning.weight != Weight::Alone)?;
    let name = named(before, &|word| is_idle(word, meaning), is_sender)?;
    Some(reply(meaning, Scope::Sender(name)))
}

/// A keyword at the head, which may be torn, and what is behind it.
fn head(said: &[Word]) -> Option<(Meaning, &[Word])> {
    let mut torn = String::new();
    (1..=said.len().min(TORN)).find_map(|count| {
        let (head, rest) = said.split_at_checked(count)?;
        torn.push_str(&head.last()?.said);
        let meaning = match head {
            [word] => keyword(word),
            _ => words().keyword_as_written(&words::squeezed(&torn)),
        };
        meaning.filter(|meaning| meaning.weight != Weight::Alone).map(|meaning| (meaning, rest))
    })
}

fn keyword(word: &Word) -> Option<Meaning> {
    words().keyword(&word.said)
}

/// Whether a word beside a keyword leaves it its meaning.
fn is_idle(word: &Word, beside: Meaning) -> bool {
    let lists = &words().lists;
    let repeats = |meaning: Meaning| meaning.says == beside.says || (meaning.opts_out() && beside.opts_out());
    [&lists.courtesy, &lists.messages, &lists.fillers, &lists.all].iter().any(|list| list.has(word))
        || keyword(word).is_some_and(repeats)
}

/// The sender that is named, if all other words are idle; the longest such name.
fn named(said: &[Word], is_idle: &dyn Fn(&Word) -> bool, is_sender: &dyn Fn(&str) -> bool) -> Option<String> {
    // Where the words that are not idle begin and end: a name has them all.
    let first = said.iter().position(|word| !is_idle(word)).unwrap_or(said.len());
    let end = said.iter().rposition(|word| !is_idle(word)).map_or(0, |last| last + 1);
    (1..=NAME.min(said.len())).rev().find_map(|length| {
        let names = said.windows(length).enumerate();
        let has_all = |at: usize| at <= first && at + length >= end;
        let names = names.filter(|(at, _)| has_all(*at)).map(|(_, words)| joined(words, |word| &word.name));
        names.into_iter().find(|name| is_sender(name))
    })
}

fn joined<'a>(all: &'a [Word], part: impl Fn(&'a Word) -> &'a String) -> String {
    all.iter().map(part).map(String::as_str).collect()
}

/// Of whom a clause wants no more that has a keyword and other words: they decide.
fn in_doubt(said: &[Word]) -> Option<Scope> {
    let lists = &words().lists;
    let Some((meaning, rest)) = head(said) else { return is_cry(said).then_some(Scope::ThisSender) };
    let has = |list: &words::List| rest.iter().any(|word| list.has(word));
    let next = rest.first()?;
    let cried = said.first().is_some_and(|word| word.capitals);
    let wants_out = match meaning.weight {
        _ if !meaning.opts_out() => false,
        Weight::Clear => true,
        _ if lists.never_behind.has(next) => false,
        _ if has(&lists.messages) || (cried && has(&lists.complaints)) => true,
        _ if has(&lists.topics) => false,
        _ if rest.len() == 1 => !lists.asks.has(next),
        _ => cried || has(&lists.complaints),
    };
    let scope = if lists.all.has(next) { Scope::Everything } else { Scope::ThisSender };
    wants_out.then_some(scope)
}

/// Whether a clause ends in a keyword that alone is in capitals: "for the last time STOP".
fn is_cry(said: &[Word]) -> bool {
    let Some((last, before)) = said.split_last() else { return false };
    let is_keyword = |meaning: Meaning| meaning.opts_out() && meaning.weight != Weight::Alone;
    last.capitals
        && keyword(last).is_some_and(is_keyword)
        && before.iter().any(|word| !word.capitals)
        && !before.iter().any(|word| words().lists.topics.has(word))
        && !words().is_contrary(before)
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
