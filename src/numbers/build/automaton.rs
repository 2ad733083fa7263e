//! From a language of digits to the smallest tables that read it one digit a step, as `Automaton` in the crate does.
//! Knows nothing of what an outcome stands for.

use std::collections::HashMap;
use std::fmt::Write;
use std::hash::Hash;

/// The most digits that are read.
pub(crate) const MOST: usize = 15;

/// What numbers lead to, told by one who reads them digit by digit.
pub(crate) trait Language {
    /// What is known after some digits.
    type State: Clone + Eq + Hash;

    /// After one more digit.
    fn next(&self, state: &Self::State, digit: u8) -> Self::State;

    /// The outcome of the number that ends here.
    fn end(&mut self, state: &Self::State) -> u16;
}

/// Everything that may follow some digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Node {
    /// The outcome depends on how many digits follow, and not on which. Beyond the most digits it stays what it is.
    Row([u16; MOST + 1]),
    /// The outcome if none follows, and the node of each digit that may.
    Fork { end: u16, next: [u32; 10] },
}

/// Nodes, each of them there once: what continues alike is the same node.
#[derive(Default)]
pub(crate) struct Nodes {
    all: Vec<Node>,
    ids: HashMap<Node, u32>,
}

impl Nodes {
    fn intern(&mut self, node: Node) -> u32 {
        let all = &mut self.all;
        *self.ids.entry(node).or_insert_with(|| {
            all.push(node);
            all.len() as u32 - 1
        })
    }

    fn get(&self, id: u32) -> Node {
        self.all.get(id as usize).copied().unwrap_or(Node::Row([0; MOST + 1]))
    }

    /// The node of a place where nothing but this outcome follows.
    pub(crate) fn always(&mut self, outcome: u16) -> u32 {
        self.intern(Node::Row([outcome; MOST + 1]))
    }

    /// The node of a place with this outcome if the number ends, and these nodes if it goes on.
    pub(crate) fn fork(&mut self, end: u16, next: [u32; 10]) -> u32 {
        let first = next[0];
        match self.get(first) {
            Node::Row(after) if next.iter().all(|node| *node == first) => {
                let mut row = [end; MOST + 1];
                row.iter_mut().skip(1).zip(after).for_each(|(here, there)| *here = there);
                self.intern(Node::Row(row))
            }
            _ => self.intern(Node::Fork { end, next }),
        }
    }

    /// The node after one more digit.
    pub(crate) fn next(&mut self, id: u32, digit: usize) -> u32 {
        match self.get(id) {
            Node::Fork { next, .. } => next.get(digit).copied().unwrap_or(id),
            Node::Row(row) => {
                let mut after = row;
                after.iter_mut().zip(row.iter().skip(1)).for_each(|(here, there)| *here = *there);
                self.intern(Node::Row(after))
            }
        }
    }

    /// The node of a language at a state, with at most so many digits to come.
    pub(crate) fn grow<L: Language>(&mut self, language: &mut L, state: &L::State, left: usize) -> u32 {
        self.grow_known(language, state, left, &mut HashMap::new())
    }

    fn grow_known<L: Language>(
        &mut self,
        language: &mut L,
        state: &L::State,
        left: usize,
        known: &mut HashMap<(L::State, usize), u32>,
    ) -> u32 {
        let key = (state.clone(), left);
        if let Some(id) = known.get(&key) {
            return *id;
        }
        let end = language.end(state);
        let id = if left == 0 {
            self.always(end)
        } else {
            let next = std::array::from_fn(|digit| {
                let state = language.next(state, digit as u8);
                self.grow_known(language, &state, left - 1, known)
            });
            self.fork(end, next)
        };
        known.insert(key, id);
        id
    }

    /// The source of a static `Automaton` named so, and the places of these nodes in it.
    ///
    /// # Errors
    /// There are more nodes than 16 bits can tell apart.
    pub(crate) fn write(
        &mut self,
        name: &str,
        starts: &[u32],
        out: &mut String,
    ) -> Result<Vec<u16>, Box<dyn std::error::Error>> {
        let (mut forks, mut rows, mut seen) = (Vec::new(), Vec::new(), HashMap::new());
        let mut queue: std::collections::VecDeque<u32> = starts.iter().copied().collect();
        // Nodes that are reached with few digits come first: they are read most, and lie together.
        while let Some(id) = queue.pop_front() {
            if seen.contains_key(&id) {
                continue;
            }
            match self.get(id) {
                Node::Row(row) => {
                    seen.insert(id, rows.len());
                    rows.push(row);
                }
                Node::Fork { end, next } => {
                    let end = self.always(end);
                    seen.insert(id, forks.len());
                    forks.push((next, end));
                    queue.extend(next);
                    queue.push_back(end);
                }
            }
        }
        let place = |id: &u32| -> Result<u16, Box<dyn std::error::Error>> {
            let place = seen.get(id).ok_or("a node was not reached")?;
            let after_forks = if matches!(self.get(*id), Node::Row(_)) { forks.len() } else { 0 };
            Ok(u16::try_from(place + after_forks)?)
        };
        writeln!(out, "pub(crate) static {name}: Automaton = Automaton {{\n    forks: &[")?;
        for (next, end) in &forks {
            let steps = next.iter().chain([end]).map(place).collect::<Result<Vec<u16>, _>>()?;
            writeln!(out, "        {steps:?},")?;
        }
        writeln!(out, "    ],\n    rows: &[")?;
        for row in &rows {
            writeln!(out, "        {row:?},")?;
        }
        writeln!(out, "    ],\n}};")?;
        starts.iter().map(place).collect()
    }
}
