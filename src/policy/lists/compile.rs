//! From checked entries to the program that scanning follows.
//!
//! Each pattern gets an anchor: the element that must be there and is met least often, with a preference for words that
//! are not the anchor of many patterns yet. What stands before it is compiled from near to far, what stands behind it
//! too, so that matching goes outward from where the anchor was met. An anchor with several words (`{class}`, `(a|b c)`)
//! is one anchor for all its single words and one more for each way of several words.

mod finish;

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use super::LinkKind;
use super::common::frequency;
use super::format::{Entry, List};
use super::pattern::{self, Element, Word};
use super::program::{ACCEPT, Judgement, Node, NodeIndex, Pattern, Phrase, PhraseSet, Program, Step, Unless};

/// A spelling, as a whole word or as a prefix, by the order in which it was met.
type Form = u32;

/// Nearly every text has a word of that frequency.
const COMMON: u32 = 500;

/// An anchor whose word and needs are still sets of forms.
struct Draft {
    symbol: u32,
    /// Symbols; whether behind the anchor.
    needs: [Option<(u32, bool)>; 2],
    before: NodeIndex,
    behind: NodeIndex,
    pattern: u32,
    link: Option<LinkKind>,
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
    symbols: HashMap<Rc<[Form]>, u32>,
    /// By symbol: its forms, sorted.
    sets: Vec<Rc<[Form]>>,
    drafts: Vec<Draft>,
    /// What no gap of the patterns at hand steps over.
    walls: u32,
    program: Program,
}

/// A direction away from the anchor or the hit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Back,
    On,
}

/// An element whose words are known by number.
enum Piece {
    Ways(Rc<Ways>),
    Optional(Vec<Piece>),
    Step(Step),
}

/// What may stand in one place of a pattern.
struct Ways {
    /// The words that may stand there alone.
    single: Option<u32>,
    /// Words in a row, by their symbols, longest first; and the same as sets that are followed back and on.
    phrases: Vec<Vec<u32>>,
    sets: Option<[u32; 2]>,
    /// Anything else.
    longer: Vec<Vec<Piece>>,
    /// Forms of which one is there, whatever way it is.
    needed: Vec<Form>,
    /// Whether that is so, that is, whether the place may be an anchor.
    anchor: bool,
}

impl Compiler {
    pub(super) fn new() -> Self {
        let (forms, uses, symbols, sets, drafts) = Default::default();
        let mut new = Self { forms, uses, symbols, sets, drafts, walls: 0, program: Program::new() };
        new.walls = new.symbol(Vec::new());
        new
    }

    /// Compiles the entries of a list that `keep` wants.
    pub(super) fn list(&mut self, list: &List, keep: impl Fn(&super::EntryText) -> bool) {
        if !list.entries.iter().any(|entry| keep(&entry.text)) {
            return;
        }
        let as_elements = |items: &[Vec<Word>]| -> Vec<Vec<Element>> {
            items.iter().map(|words| words.iter().cloned().map(Element::Word).collect()).collect()
        };
        let classes: Vec<Rc<Ways>> =
            list.classes.iter().map(|class| Rc::new(self.either(&as_elements(&class.items), &[]))).collect();
        let context = |all: &[pattern::Unless]| {
            let longest = |elements: &Vec<Element>| pattern::longest(elements, &list.classes);
            let before = all.iter().map(|unless| longest(&unless.before)).max().unwrap_or(0);
            [before, all.iter().map(|unless| longest(&unless.behind)).max().unwrap_or(0)]
        };
        let walls = list.walls.iter().flat_map(|word| self.forms(word)).collect();
        let walls = self.symbol(walls);
        let (common, common_context) = (self.unless(&list.unless, &classes), context(&list.unless));
        for Entry { text, quoted, matches, unless } in &list.entries {
            if !keep(text) {
                continue;
            }
            let entry = self.program.entries.len() as u32;
            let own = self.unless(unless, &classes);
            let [before, behind] = if *quoted { [pattern::MAX_CONTEXT; 2] } else { context(unless) };
            let [common_before, common_behind] = common_context;
            self.program.entries.push(text.clone());
            self.program.judgements.push(Judgement {
                quoted: *quoted,
                unless: [common.clone(), own],
                before: before.max(common_before),
                behind: behind.max(common_behind),
            });
            let nothing = std::mem::replace(&mut self.walls, walls);
            for elements in matches {
                let pieces = self.pieces(elements, &classes);
                self.pattern(&pieces, entry);
            }
            self.walls = nothing;
        }
    }

    /// Compiles what cancels hits.
    fn unless(&mut self, all: &[pattern::Unless], classes: &[Rc<Ways>]) -> Range<u32> {
        let start = self.program.unless.len() as u32;
        for pattern::Unless { before, behind } in all {
            let (before, behind) = (self.pieces(before, classes), self.pieces(behind, classes));
            let first = self.program.nodes.len() as u32;
            let before = self.emit(&before, Way::Back, ACCEPT);
            let behind = self.emit(&behind, Way::On, ACCEPT);
            let nodes = first..self.program.nodes.len() as u32;
            self.program.unless.push(Unless { before, behind, nodes });
        }
        start..self.program.unless.len() as u32
    }

    fn pattern(&mut self, pieces: &[Piece], entry: u32) {
        let pattern = self.program.patterns.len() as u32;
        let (first, drafts) = (self.program.nodes.len() as u32, self.drafts.len());
        let mut others: Vec<(u64, usize)> =
            pieces.iter().enumerate().filter_map(|(index, piece)| Some((self.cost(piece)?, index))).collect();
        others.sort_unstable();
        let found = self.anchors(pieces, ACCEPT, ACCEPT);
        let mut others = others.into_iter().filter(|(_, index)| Some(*index) != found);
        let mut need = || {
            others.find_map(|(_, index)| match pieces.get(index) {
                Some(Piece::Ways(ways)) if self.tells(&ways.needed) => {
                    Some((self.symbol(ways.needed.clone()), Some(index) > found))
                }
                _ => None,
            })
        };
        let needs = [need(), need()];
        let link = pieces.iter().filter_map(link_of).max();
        for draft in self.drafts.iter_mut().skip(drafts) {
            (draft.needs, draft.pattern, draft.link) = (needs, pattern, link);
        }
        self.program.patterns.push(Pattern { entry, nodes: first..self.program.nodes.len() as u32 });
    }

    /// Drafts the anchors of pieces between which and the pattern's ends `before` and `behind` must match; returns the
    /// piece that they are in.
    fn anchors(&mut self, pieces: &[Piece], before: NodeIndex, behind: NodeIndex) -> Option<usize> {
        let costs = pieces.iter().enumerate().filter_map(|(index, piece)| Some((self.cost(piece)?, index)));
        let (_, index) = costs.min()?;
        let (left, right) = pieces.split_at_checked(index)?;
        let (Piece::Ways(ways), right) = right.split_first()? else { return None };
        let before = self.emit(left, Way::Back, before);
        let behind = self.emit(right, Way::On, behind);
        if let Some(symbol) = ways.single {
            self.draft(symbol, before, behind);
        }
        for phrase in &ways.phrases {
            let rarest = phrase.iter().enumerate().min_by_key(|(_, symbol)| self.cost_of_symbol(**symbol));
            let Some((rarest, symbol)) = rarest else { continue };
            let (left, right) =
                (phrase.get(..rarest).unwrap_or_default(), phrase.get(rarest + 1..).unwrap_or_default());
            let before = left.iter().fold(before, |next, symbol| self.node(Step::Symbol(*symbol), next));
            let behind = right.iter().rfold(behind, |next, symbol| self.node(Step::Symbol(*symbol), next));
            self.draft(*symbol, before, behind);
        }
        for way in &ways.longer {
            self.anchors(way, before, behind);
        }
        Some(index)
    }

    fn draft(&mut self, symbol: u32, before: NodeIndex, behind: NodeIndex) {
        for form in self.sets.get(symbol as usize).into_iter().flat_map(|set| set.iter()) {
            if let Some(form) = self.uses.get_mut(*form as usize) {
                form.anchors += 1;
            }
        }
        self.drafts.push(Draft { symbol, needs: [None; 2], before, behind, pattern: 0, link: None });
    }

    /// What it costs to begin at each of these.
    fn cost_of(&self, forms: &[Form]) -> u64 {
        let uses = forms.iter().filter_map(|form| self.uses.get(*form as usize));
        uses.map(|form| u64::from(form.frequency) * (16 + u64::from(form.anchors))).sum()
    }

    /// Whether it says something of a text that it has one of these.
    fn tells(&self, forms: &[Form]) -> bool {
        let mut uses = forms.iter().filter_map(|form| self.uses.get(*form as usize));
        uses.all(|form| form.frequency < COMMON)
    }

    fn cost_of_symbol(&self, symbol: u32) -> u64 {
        self.sets.get(symbol as usize).map_or(u64::MAX, |set| self.cost_of(set))
    }

    /// What it costs to have a piece as the anchor, if it can be.
    fn cost(&self, piece: &Piece) -> Option<u64> {
        match piece {
            Piece::Ways(ways) if ways.anchor => Some(self.cost_of(&ways.needed)),
            _ => None,
        }
    }

    fn forms(&mut self, word: &Word) -> Vec<Form> {
        let mut forms = Vec::with_capacity(2);
        for spelling in std::iter::once(&word.plain).chain(&word.folded) {
            let next = self.forms.len() as Form;
            let form = *self.forms.entry((spelling.clone(), word.prefix)).or_insert(next);
            if form == next {
                self.uses.push(Use { frequency: frequency(spelling, word.prefix), anchors: 0 });
            }
            forms.push(form);
        }
        forms
    }

    fn symbol(&mut self, mut forms: Vec<Form>) -> u32 {
        forms.sort_unstable();
        forms.dedup();
        let next = self.sets.len() as u32;
        let forms: Rc<[Form]> = forms.into();
        let symbol = *self.symbols.entry(Rc::clone(&forms)).or_insert(next);
        if symbol == next {
            self.sets.push(forms);
        }
        symbol
    }

    fn pieces(&mut self, elements: &[Element], classes: &[Rc<Ways>]) -> Vec<Piece> {
        elements.iter().filter_map(|element| self.piece(element, classes)).collect()
    }

    fn piece(&mut self, element: &Element, classes: &[Rc<Ways>]) -> Option<Piece> {
        Some(match element {
            Element::Word(_) => Piece::Ways(Rc::new(self.either(&[vec![element.clone()]], classes))),
            Element::Class(class) => Piece::Ways(Rc::clone(classes.get(*class)?)),
            Element::Either(branches) => Piece::Ways(Rc::new(self.either(branches, classes))),
            Element::Optional(body) => Piece::Optional(self.pieces(body, classes)),
            Element::Gap { most, across } => Piece::Step(Step::Gap { most: *most, across: *across, walls: self.walls }),
            Element::Digits { least, most } => Piece::Step(Step::Digits { least: *least, most: *most }),
            Element::Link(kind) => Piece::Step(Step::Link(*kind)),
            Element::Boundary => Piece::Step(Step::Boundary),
            Element::Hit => return None,
        })
    }

    /// Sorts branches by what it takes to follow them.
    fn either(&mut self, branches: &[Vec<Element>], classes: &[Rc<Ways>]) -> Ways {
        let (mut single, mut needed) = (Vec::new(), Vec::new());
        let mut ways = Ways {
            single: None,
            phrases: Vec::new(),
            sets: None,
            longer: Vec::new(),
            needed: Vec::new(),
            anchor: true,
        };
        for branch in branches {
            match branch.as_slice() {
                [Element::Word(word)] => single.extend(self.forms(word)),
                words if words.iter().all(|element| matches!(element, Element::Word(_))) => {
                    let mut phrase = Vec::with_capacity(words.len());
                    for element in words {
                        if let Element::Word(word) = element {
                            let forms = self.forms(word);
                            phrase.push(self.symbol(forms));
                        }
                    }
                    let rarest = phrase.iter().min_by_key(|symbol| self.cost_of_symbol(**symbol));
                    needed.extend(
                        rarest
                            .and_then(|rarest| self.sets.get(*rarest as usize))
                            .into_iter()
                            .flat_map(|set| set.iter()),
                    );
                    ways.phrases.push(phrase);
                }
                elements => {
                    let pieces = self.pieces(elements, classes);
                    let costs = pieces.iter().filter_map(|piece| Some((self.cost(piece)?, piece)));
                    match costs.min_by_key(|(cost, _)| *cost) {
                        Some((_, Piece::Ways(best))) => needed.extend(&best.needed),
                        _ => ways.anchor = false,
                    }
                    ways.longer.push(pieces);
                }
            }
        }
        needed.extend(&single);
        ways.needed = needed;
        ways.single = (!single.is_empty()).then(|| self.symbol(single));
        ways.phrases.sort_by_key(|phrase| std::cmp::Reverse(phrase.len()));
        if !ways.phrases.is_empty() {
            ways.sets = Some([self.phrase_set(&ways.phrases, Way::Back), self.phrase_set(&ways.phrases, Way::On)]);
        }
        ways
    }

    /// The phrases, each from near to far.
    fn phrase_set(&mut self, phrases: &[Vec<u32>], way: Way) -> u32 {
        let mut nearest = Vec::new();
        let start = self.program.phrases.len() as u32;
        for phrase in phrases {
            let first = self.program.phrase_words.len() as u32;
            match way {
                Way::Back => self.program.phrase_words.extend(phrase.iter().rev()),
                Way::On => self.program.phrase_words.extend(phrase),
            }
            let near = self.program.phrase_words.get(first as usize).copied();
            nearest.extend(near.and_then(|near| self.sets.get(near as usize)).into_iter().flat_map(|set| set.iter()));
            let words = first..self.program.phrase_words.len() as u32;
            self.program.phrases.push(Phrase { near: 0, words });
        }
        let near = self.symbol(nearest);
        self.program.phrase_sets.push(PhraseSet { near, phrases: start..self.program.phrases.len() as u32 });
        self.program.phrase_sets.len() as u32 - 1
    }

    fn node(&mut self, step: Step, next: NodeIndex) -> NodeIndex {
        self.program.nodes.push(Node { step, next });
        self.program.nodes.len() as NodeIndex - 1
    }

    /// Nodes that match `pieces` and go on at `next`; the first of them.
    fn emit(&mut self, pieces: &[Piece], way: Way, next: NodeIndex) -> NodeIndex {
        match way {
            Way::Back => pieces.iter().fold(next, |next, piece| self.emit_one(piece, way, next)),
            Way::On => pieces.iter().rfold(next, |next, piece| self.emit_one(piece, way, next)),
        }
    }

    fn emit_one(&mut self, piece: &Piece, way: Way, next: NodeIndex) -> NodeIndex {
        match piece {
            Piece::Ways(ways) => self.emit_ways(ways, way, next),
            Piece::Optional(body) => {
                let body = self.emit(body, way, next);
                self.node(Step::Split(body), next)
            }
            Piece::Step(step) => self.node(*step, next),
        }
    }

    /// What is long is tried first.
    fn emit_ways(&mut self, ways: &Ways, way: Way, next: NodeIndex) -> NodeIndex {
        let mut chain = ways.single.map(|symbol| self.node(Step::Symbol(symbol), next));
        let sets = ways.sets.map(|[back, on]| if way == Way::Back { back } else { on });
        let sets = sets.map(|set| self.node(Step::Phrases(set), next));
        let longer = ways.longer.iter().map(|way_of_it| self.emit(way_of_it, way, next)).collect::<Vec<_>>();
        for first in sets.into_iter().chain(longer) {
            chain = Some(chain.map_or(first, |rest| self.node(Step::Split(first), rest)));
        }
        chain.unwrap_or(next)
    }
}

/// The link that a text must have so that it has the piece.
fn link_of(piece: &Piece) -> Option<LinkKind> {
    match piece {
        Piece::Step(Step::Link(kind)) => Some(*kind),
        _ => None,
    }
}
