//! Word lists: any text is a list or has faults, each with its place; and in any text lists of every construct have the
//! same hits however it is cut.

#![no_main]

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use smppolicy::policy::lists::{Edge, Edges, Hit, Link, LinkKind, Lists, Scratch, Source};

const EVERY_CONSTRUCT: &str = r##"
rule = "content"
language = "any"
clause = 34
category = "fuzz"
unless = ["(not|no) ~2 _", "_ $ x"]
[words]
c = ["a", "b a", "abc*", "é"]
[[entry]]
id = "one"
match = ["{c} ~3 (b|c a)? b", "^ a", "b $", "# ~~2 a @", "@ ~1 a", "b ~1 @!"]
[[entry]]
id = "two"
match = ["a b? c? {c}", "abc* (a ~2 b|c) b"]
unless = ["^ ~1 a _ b"]
quoted = "passes"
"##;

static LISTS: LazyLock<Lists> = LazyLock::new(|| build(EVERY_CONSTRUCT).expect("a list in order"));

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

fn build(text: &str) -> Option<Lists> {
    let faults = match Lists::build([Source { file: "fuzz.toml", text }], |_| true) {
        Ok(lists) => return Some(lists),
        Err(faults) => faults,
    };
    assert!(faults.iter().all(|faults| faults.iter().len() > 0));
    assert!(faults.iter().all(|faults| faults.to_string().lines().all(|line| line.starts_with("fuzz.toml"))));
    None
}

fn scan(lists: &Lists, view: &str, edges: Edges) -> Vec<Hit> {
    let mut hits = Vec::new();
    SCRATCH.with_borrow_mut(|scratch| {
        let link = view.find("http").map(|start| Link {
            span: start..view.len().min(start + 30),
            kind: if view[start..].starts_with("https") { LinkKind::Lure } else { LinkKind::Common },
        });
        lists.scan(view, link.as_slice(), edges, scratch, |hit| {
            assert!(view.get(hit.span.clone()).is_some() && view.get(hit.reach.clone()).is_some());
            assert!(hit.reach.start <= hit.span.start && hit.span.end <= hit.reach.end);
            hits.push(hit);
            if hits.len() < 1000 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
    });
    hits
}

fuzz_target!(|input: (&str, &str, u16, u16)| {
    let (list, text, from, length) = input;
    if let Some(lists) = build(list) {
        scan(&lists, text, Edges::WHOLE);
    }
    let whole = scan(&LISTS, text, Edges::WHOLE);
    let from = text.floor_char_boundary(usize::from(from).min(text.len()));
    let to = text.floor_char_boundary((from + usize::from(length)).min(text.len()));
    let edge = |end: bool| if end { Edge::End } else { Edge::Open };
    let part = scan(&LISTS, &text[from..to], Edges { left: edge(from == 0), right: edge(to == text.len()) });
    // What is a link is the caller's to say; here only texts without one can be compared.
    if !text.contains("http") && whole.len() < 1000 {
        let known = |hit: &Hit| {
            let span = hit.span.start + from..hit.span.end + from;
            whole.iter().any(|other| other.entry == hit.entry && other.span == span)
        };
        assert!(part.iter().filter(|hit| hit.settled).all(known));
    }
});
