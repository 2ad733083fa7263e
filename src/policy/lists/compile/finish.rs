//! The end of compiling, when all forms and anchors are known: each word gets its number, and with it what it begins.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::rc::Rc;

use super::super::program::{Anchor, Meets, NOBODYS, Need, Program, Step, Symbol, bit};
use super::super::vocabulary::{NONE, Vocabulary, WordIndex};
use super::{Compiler, Draft, Form};

impl Compiler {
    /// Puts words, sets and anchors in their final places.
    pub(in super::super) fn finish(self) -> Program {
        let Self { forms, sets, drafts, mut program, .. } = self;
        let mut spellings: Vec<(&(String, bool), Form)> =
            forms.iter().map(|(spelling, form)| (spelling, *form)).collect();
        spellings.sort_unstable();
        let mut places: Vec<usize> = vec![0; forms.len()];
        for (place, (_, form)) in spellings.iter().enumerate() {
            if let Some(known) = places.get_mut(*form as usize) {
                *known = place;
            }
        }
        // By symbol: places among the sorted spellings.
        let covered = |set: &Rc<[Form]>| -> BTreeSet<usize> {
            let places = set.iter().filter_map(|form| places.get(*form as usize));
            places.flat_map(|place| covered(&spellings, *place)).collect()
        };
        let sets: Vec<BTreeSet<usize>> = sets.iter().map(covered).collect();
        let mut by_place: Vec<Vec<usize>> = vec![Vec::new(); spellings.len()];
        for (index, draft) in drafts.iter().enumerate() {
            for place in sets.get(draft.symbol as usize).into_iter().flatten() {
                if let Some(drafts) = by_place.get_mut(*place) {
                    drafts.push(index);
                }
            }
        }
        let mut needed = vec![false; by_place.len()];
        for (symbol, _) in drafts.iter().flat_map(|draft| draft.needs).flatten() {
            for place in sets.get(symbol as usize).into_iter().flatten() {
                if let Some(needed) = needed.get_mut(*place) {
                    *needed = true;
                }
            }
        }
        let (words, of_use) = words_by_place(&by_place, &needed);
        for set in &sets {
            let start = program.members.len();
            program.members.extend(set.iter().filter_map(|place| words.get(*place)));
            let members = program.members.get_mut(start..).unwrap_or_default();
            members.sort_unstable();
            let mask = members.iter().fold(0, |mask, word| mask | bit(*word));
            program.symbols.push(Symbol { mask, start: start as u32, end: program.members.len() as u32 });
        }
        for phrase in &mut program.phrases {
            let near = program.phrase_words.get(phrase.words.start as usize);
            let near = near.and_then(|near| program.symbols.get(*near as usize));
            phrase.near = near.map_or(0, |symbol| symbol.mask);
        }
        let needs = place_needs(&mut program, &drafts, of_use);
        place_anchors(&mut program, &drafts, &by_place, &needs);
        for node in &mut program.nodes {
            if let Step::Symbol(symbol) = node.step
                && let Some(Symbol { start, end, .. }) = program.symbols.get(symbol as usize)
                && let Some([word]) = program.members.get(*start as usize..*end as usize)
            {
                node.step = Step::Word(*word);
            }
        }
        let entries = spellings.iter().zip(&words);
        program.vocabulary =
            Vocabulary::new(entries.map(|(((spelling, prefix), _), word)| (spelling.as_str(), *word, *prefix)));
        program
    }
}

/// The places of the spellings that a form stands for: itself, and all that begin so if it is a prefix.
fn covered(spellings: &[(&(String, bool), Form)], place: usize) -> Range<usize> {
    let Some(((prefix, true), _)) = spellings.get(place) else { return place..place + 1 };
    // The whole word of the same spelling sorts right before its prefix.
    let start = spellings.partition_point(|((spelling, _), _)| spelling.as_str() < prefix.as_str());
    let behind = spellings.get(start..).unwrap_or_default();
    start..start + behind.partition_point(|((spelling, _), _)| spelling.starts_with(prefix.as_str()))
}

/// A word for each place: those with anchors come first, then those that others need; and how many these are.
fn words_by_place(by_place: &[Vec<usize>], needed: &[bool]) -> (Vec<WordIndex>, usize) {
    let rank = |place: usize, drafts: &Vec<usize>| match (drafts.is_empty(), needed.get(place)) {
        (false, _) => 0,
        (true, Some(true)) => 1,
        (true, _) => 2,
    };
    let ranks: Vec<usize> = by_place.iter().enumerate().map(|(place, drafts)| rank(place, drafts)).collect();
    let count = |rank: usize| ranks.iter().filter(|other| **other == rank).count();
    let (anchored, of_use) = (count(0), count(0) + count(1));
    let mut next = [0, anchored, of_use];
    let words = ranks.iter().map(|rank| {
        let next = next.get_mut(*rank).map(|next| std::mem::replace(next, *next + 1));
        next.map_or(NONE, |word| word as WordIndex)
    });
    (words.collect(), of_use)
}

/// Numbers the symbols that anchors need, and tells each word which of them it is one of.
fn place_needs(program: &mut Program, drafts: &[Draft], of_use: usize) -> HashMap<u32, u32> {
    let mut needs = HashMap::new();
    let mut by_word: Vec<Vec<u32>> = vec![Vec::new(); of_use];
    for (symbol, _) in drafts.iter().flat_map(|draft| draft.needs).flatten() {
        let next = needs.len() as u32 + NOBODYS + 1;
        if *needs.entry(symbol).or_insert(next) != next {
            continue;
        }
        let Some(Symbol { start, end, .. }) = program.symbols.get(symbol as usize) else { continue };
        for word in program.members.get(*start as usize..*end as usize).unwrap_or_default() {
            if let Some(needs) = by_word.get_mut(*word as usize) {
                needs.push(next);
            }
        }
    }
    program.needs = needs.len() + 1;
    for needs in by_word {
        let start = program.more_needs.len() as u32;
        let mut needs = needs.into_iter();
        let first = [(); 2].map(|()| needs.next().unwrap_or(NOBODYS));
        program.more_needs.extend(needs);
        program.needed_as.push(Meets { first, start, end: program.more_needs.len() as u32 });
    }
    needs
}

fn place_anchors(program: &mut Program, drafts: &[Draft], by_place: &[Vec<usize>], needs: &HashMap<u32, u32>) {
    for indexes in by_place.iter().filter(|indexes| !indexes.is_empty()) {
        let start = program.anchors.len() as u32;
        let need = |need: Option<(u32, bool)>| match need.and_then(|(need, behind)| Some((*needs.get(&need)?, behind)))
        {
            None => Need::Nothing,
            Some((need, true)) => Need::Behind(need),
            Some((need, false)) => Need::Before(need),
        };
        for draft in indexes.iter().filter_map(|index| drafts.get(*index)) {
            program.anchors.push(Anchor {
                needs: draft.needs.map(need),
                before: draft.before,
                behind: draft.behind,
                pattern: draft.pattern,
                link: draft.link,
            });
        }
        program.anchored.push(start..program.anchors.len() as u32);
    }
}
