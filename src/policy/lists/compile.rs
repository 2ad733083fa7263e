//! From checked entries to the program that scanning follows.
//!
//! Each pattern gets an anchor: the element that must be there and is met least often, with a preference for words that
//! are not the anchor of many patterns yet. What stands before it is compiled from near to far, what stands behind it
//! too, so that matching goes outward from where the anchor was met. An anchor with several words (`{class}`, `(a|b c)`)
//! is one anchor for all its single words and one more for each way of several words.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use super::common::frequency;
use super::format::{Entry, List};
use super::pattern::{self, Class, Element, Word};
use super::program::{ACCEPT, Anchor, Judgement, Node, NodeIndex, Pattern, Program, Step, Symbol, Unless, bit};
use super::vocabulary::{Vocabulary, WordIndex};

/// A spelling, as a whole word or as a prefix, by the order in which it was met.
type Form = u32;

/// An anchor whose word and needs are still sets of forms.
struct Draft {
    symbol: u32,
    needs: [Option<u32>; 2],
    before: NodeIndex,
    behind: NodeIndex,
    pattern: u32,
}

/// How common a form is in texts, and how many anchors it has.
struct Use {
    frequency: u32,
    anchors: u32,
}

/// What is gathered while entries are compiled one by one.
pub(super) struct Compiler {
    forms: HashMap<(String, bool), Form>,
    uses: Vec<Use>,
    symbols: HashMap<Vec<Form>, u32>,
    drafts: Vec<Draft>,
    program: Program,
}

/// A direction away from the anchor or the hit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Back,
    On,
}

/// An element taken apart: the words that may stand for it alone, and the ways that take more than one element.
#[derive(Default)]
struct Ways {
    single: Vec<Word>,
    longer: Vec<Vec<Element>>,
}

impl Compiler {
    pub(super) fn new() -> Self {
        let program = Program {
            entries: Vec::new(),
            judgements: Vec::new(),
            vocabulary: Vocabulary::new(std::iter::empty()),
            anchored: Vec::new(),
            anchors: Vec::new(),
            patterns: Vec::new(),
            unless: Vec::new(),
            nodes: vec![Node { step: Step::Accept, next: ACCEPT }],
            symbols: Vec::new(),
            members: Vec::new(),
        };
        Self { forms: HashMap::new(), uses: Vec::new(), symbols: HashMap::new(), drafts: Vec::new(), program }
    }

    /// Compiles the entries of a list that `keep` wants.
    pub(super) fn list(&mut self, list: List, keep: impl Fn(&super::EntryText) -> bool) {
        let classes = &list.classes;
        let (common, common_context) = self.unless(&list.unless, classes);
        for Entry { text, quoted, matches, unless } in list.entries {
            if !keep(&text) {
                continue;
            }
            let entry = self.program.entries.len() as u32;
            let (own, own_context) = self.unless(&unless, classes);
            let mut sides = [common_context[0].max(own_context[0]), common_context[1].max(own_context[1])];
            if quoted {
                sides = [pattern::MAX_CONTEXT; 2];
            }
            let [before, behind] = sides;
            self.program.entries.push(text);
            self.program.judgements.push(Judgement { quoted, unless: [common.clone(), own], before, behind });
            for elements in &matches {
                self.pattern(elements, entry, classes);
            }
        }
    }

    /// Compiles what cancels hits: where it lies, and how many words it looks at before and behind.
    fn unless(&mut self, all: &[pattern::Unless], classes: &[Class]) -> (Range<u32>, [usize; 2]) {
        let start = self.program.unless.len() as u32;
        let mut context = [0; 2];
        for pattern::Unless { before, behind } in all {
            context[0] = pattern::longest(before, classes).max(context[0]);
            context[1] = pattern::longest(behind, classes).max(context[1]);
            let first = self.program.nodes.len() as u32;
            let before = self.emit(before, Way::Back, ACCEPT, classes);
            let behind = self.emit(behind, Way::On, ACCEPT, classes);
            let nodes = first..self.program.nodes.len() as u32;
            self.program.unless.push(Unless { before, behind, nodes });
        }
        (start..self.program.unless.len() as u32, context)
    }

    fn pattern(&mut self, elements: &[Element], entry: u32, classes: &[Class]) {
        let pattern = self.program.patterns.len() as u32;
        let (first, drafts) = (self.program.nodes.len() as u32, self.drafts.len());
        let mut needs: Vec<(u64, usize, Vec<Form>)> = Vec::new();
        for (index, element) in elements.iter().enumerate().filter(|(_, element)| pattern::is_anchor(element)) {
            let mut forms = Vec::new();
            self.needed(element, classes, &mut forms);
            needs.push((self.cost(&forms), index, forms));
        }
        needs.sort_by_key(|(cost, index, _)| (*cost, *index));
        let found = self.anchors(elements, ACCEPT, ACCEPT, classes);
        let mut others = needs.into_iter().filter(|(_, index, _)| Some(*index) != found).map(|(_, _, forms)| forms);
        let needs = [others.next(), others.next()].map(|forms| forms.map(|forms| self.symbol(forms)));
        for draft in self.drafts.iter_mut().skip(drafts) {
            (draft.needs, draft.pattern) = (needs, pattern);
        }
        self.program.patterns.push(Pattern { entry, nodes: first..self.program.nodes.len() as u32 });
    }

    /// Drafts the anchors of elements between which and the pattern's ends `before` and `behind` must match; returns the
    /// element that they are in.
    fn anchors(
        &mut self,
        elements: &[Element],
        before: NodeIndex,
        behind: NodeIndex,
        classes: &[Class],
    ) -> Option<usize> {
        let candidates = elements.iter().enumerate().filter(|(_, element)| pattern::is_anchor(element));
        let costs: Vec<(u64, usize)> = candidates
            .map(|(index, element)| {
                let mut forms = Vec::new();
                self.needed(element, classes, &mut forms);
                (self.cost(&forms), index)
            })
            .collect();
        let (_, index) = costs.into_iter().min()?;
        let (left, right) = elements.split_at_checked(index)?;
        let (element, right) = right.split_first()?;
        let before = self.emit(left, Way::Back, before, classes);
        let behind = self.emit(right, Way::On, behind, classes);
        let ways = ways(element, classes);
        if !ways.single.is_empty() {
            let forms = self.forms(&ways.single);
            for form in &forms {
                if let Some(form) = self.uses.get_mut(*form as usize) {
                    form.anchors += 1;
                }
            }
            let symbol = self.symbol(forms);
            self.drafts.push(Draft { symbol, needs: [None; 2], before, behind, pattern: 0 });
        }
        for way in &ways.longer {
            self.anchors(way, before, behind, classes);
        }
        Some(index)
    }

    /// Forms of which a text that has the element has at least one.
    fn needed(&mut self, element: &Element, classes: &[Class], forms: &mut Vec<Form>) {
        let ways = ways(element, classes);
        forms.extend(self.forms(&ways.single));
        for way in &ways.longer {
            let mut best: Option<(u64, Vec<Form>)> = None;
            for element in way.iter().filter(|element| pattern::is_anchor(element)) {
                let mut forms = Vec::new();
                self.needed(element, classes, &mut forms);
                let cost = self.cost(&forms);
                if best.as_ref().is_none_or(|(known, _)| cost < *known) {
                    best = Some((cost, forms));
                }
            }
            forms.extend(best.into_iter().flat_map(|(_, forms)| forms));
        }
    }

    /// What it costs to begin at each of these.
    fn cost(&self, forms: &[Form]) -> u64 {
        let uses = forms.iter().filter_map(|form| self.uses.get(*form as usize));
        uses.map(|form| u64::from(form.frequency) * (16 + u64::from(form.anchors))).sum()
    }

    fn forms(&mut self, words: &[Word]) -> Vec<Form> {
        let spellings = words.iter().flat_map(|word| {
            std::iter::once(&word.plain).chain(&word.folded).map(|spelling| (spelling.as_str(), word.prefix))
        });
        let spellings: BTreeSet<(&str, bool)> = spellings.collect();
        let mut forms = Vec::with_capacity(spellings.len());
        for (spelling, prefix) in spellings {
            let next = self.forms.len() as Form;
            let form = *self.forms.entry((spelling.to_owned(), prefix)).or_insert(next);
            if form == next {
                self.uses.push(Use { frequency: frequency(spelling, prefix), anchors: 0 });
            }
            forms.push(form);
        }
        forms
    }

    fn symbol(&mut self, mut forms: Vec<Form>) -> u32 {
        forms.sort_unstable();
        forms.dedup();
        let next = self.symbols.len() as u32;
        *self.symbols.entry(forms).or_insert(next)
    }

    fn node(&mut self, step: Step, next: NodeIndex) -> NodeIndex {
        self.program.nodes.push(Node { step, next });
        self.program.nodes.len() as NodeIndex - 1
    }

    /// Nodes that match `elements` and go on at `next`; the first of them.
    fn emit(&mut self, elements: &[Element], way: Way, next: NodeIndex, classes: &[Class]) -> NodeIndex {
        match way {
            Way::Back => elements.iter().fold(next, |next, element| self.element(element, way, next, classes)),
            Way::On => elements.iter().rfold(next, |next, element| self.element(element, way, next, classes)),
        }
    }

    fn element(&mut self, element: &Element, way: Way, next: NodeIndex, classes: &[Class]) -> NodeIndex {
        match element {
            Element::Word(_) | Element::Class(_) | Element::Either(_) => {
                let ways = ways(element, classes);
                self.ways(ways, way, next, classes)
            }
            Element::Optional(body) => {
                let body = self.emit(body, way, next, classes);
                self.node(Step::Split(body), next)
            }
            Element::Gap { most, across } => self.node(Step::Gap { most: *most, across: *across }, next),
            Element::Digits { least, most } => self.node(Step::Digits { least: *least, most: *most }, next),
            Element::Link => self.node(Step::Link, next),
            Element::Boundary => self.node(Step::Boundary, next),
            Element::Hit => next,
        }
    }

    /// The longest way is tried first.
    fn ways(&mut self, ways: Ways, way: Way, next: NodeIndex, classes: &[Class]) -> NodeIndex {
        let Ways { single, mut longer } = ways;
        longer.sort_by_key(|elements| pattern::longest(elements, classes));
        let near = |elements: &Vec<Element>| match if way == Way::On { elements.first() } else { elements.last() } {
            Some(Element::Word(word)) => Some(word.clone()),
            _ => None,
        };
        let near: Option<Vec<Word>> = longer.iter().map(near).collect();
        let mut chain: Option<NodeIndex> = None;
        for elements in &longer {
            let first = self.emit(elements, way, next, classes);
            chain = Some(chain.map_or(first, |rest| self.node(Step::Split(first), rest)));
        }
        // One look at the next word spares a try of every way of several words.
        if let (Some(first), Some(near)) = (chain, near.filter(|near| near.len() > 1)) {
            let forms = self.forms(&near);
            let symbol = self.symbol(forms);
            chain = Some(self.node(Step::Peek(symbol), first));
        }
        if single.is_empty() {
            return chain.unwrap_or(next);
        }
        let forms = self.forms(&single);
        let symbol = self.symbol(forms);
        let one = self.node(Step::Symbol(symbol), next);
        chain.map_or(one, |chain| self.node(Step::Split(chain), one))
    }

    /// Puts words, sets and anchors in their final places.
    pub(super) fn finish(self) -> Program {
        let Self { forms, symbols, drafts, mut program, .. } = self;
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
        let mut sets: Vec<Vec<usize>> = vec![Vec::new(); symbols.len()];
        for (forms, symbol) in &symbols {
            let covered = forms
                .iter()
                .filter_map(|form| places.get(*form as usize))
                .flat_map(|place| covered(&spellings, *place));
            let covered: BTreeSet<usize> = covered.collect();
            if let Some(set) = sets.get_mut(*symbol as usize) {
                set.extend(covered);
            }
        }
        let mut by_place: Vec<Vec<usize>> = vec![Vec::new(); spellings.len()];
        for (index, draft) in drafts.iter().enumerate() {
            for place in sets.get(draft.symbol as usize).into_iter().flatten() {
                if let Some(drafts) = by_place.get_mut(*place) {
                    drafts.push(index);
                }
            }
        }
        let words = words_by_place(&by_place);
        for set in &sets {
            let start = program.members.len();
            program.members.extend(set.iter().filter_map(|place| words.get(*place)));
            let members = program.members.get_mut(start..).unwrap_or_default();
            members.sort_unstable();
            let mask = members.iter().fold(0, |mask, word| mask | bit(*word));
            program.symbols.push(Symbol { mask, start: start as u32, end: program.members.len() as u32 });
        }
        place_anchors(&mut program, &drafts, &by_place);
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

/// A word for each place: those with anchors come first.
fn words_by_place(by_place: &[Vec<usize>]) -> Vec<WordIndex> {
    let (mut with, mut without) = (0, by_place.iter().filter(|drafts| !drafts.is_empty()).count() as WordIndex);
    let word = |drafts: &Vec<usize>| {
        let next = if drafts.is_empty() { &mut without } else { &mut with };
        *next += 1;
        *next - 1
    };
    by_place.iter().map(word).collect()
}

fn place_anchors(program: &mut Program, drafts: &[Draft], by_place: &[Vec<usize>]) {
    for indexes in by_place.iter().filter(|indexes| !indexes.is_empty()) {
        let start = program.anchors.len() as u32;
        for draft in indexes.iter().filter_map(|index| drafts.get(*index)) {
            let mask = |need: Option<u32>| {
                let symbol = need.and_then(|symbol| program.symbols.get(symbol as usize));
                symbol.map_or(u64::MAX, |symbol| symbol.mask)
            };
            program.anchors.push(Anchor {
                needs: draft.needs.map(mask),
                before: draft.before,
                behind: draft.behind,
                pattern: draft.pattern,
            });
        }
        program.anchored.push(start..program.anchors.len() as u32);
    }
}

/// An element's ways of one word and of more.
fn ways(element: &Element, classes: &[Class]) -> Ways {
    let mut ways = Ways::default();
    gather(element, classes, &mut ways);
    ways
}

fn gather(element: &Element, classes: &[Class], ways: &mut Ways) {
    match element {
        Element::Word(word) => ways.single.push(word.clone()),
        Element::Class(class) => {
            for item in classes.get(*class).into_iter().flat_map(|class| &class.items) {
                match item.as_slice() {
                    [word] => ways.single.push(word.clone()),
                    words => ways.longer.push(words.iter().cloned().map(Element::Word).collect()),
                }
            }
        }
        Element::Either(branches) => {
            for branch in branches {
                match branch.as_slice() {
                    [element @ (Element::Word(_) | Element::Class(_) | Element::Either(_))] => {
                        gather(element, classes, ways);
                    }
                    elements => ways.longer.push(elements.to_vec()),
                }
            }
        }
        other => ways.longer.push(vec![other.clone()]),
    }
}
