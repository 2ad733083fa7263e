use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::octets::Octets;
use super::*;

fn entry(subject: u64, scope: u32, record: u32) -> Entry {
    let key = Key::new(Subject::from_value(subject), Scope::from_value(scope));
    let value = if record == 0 { Value::GONE } else { Value { state: record as u16, record } };
    Entry { key, value }
}

/// Subjects that share their first bits, and all others.
fn subjects() -> impl Strategy<Value = u64> {
    prop_oneof![0..40_u64, (1_u64 << 49)..(1 << 49) + 40, any::<u64>().prop_map(|value| value & ((1 << 50) - 1))]
}

fn written_and_read(table: &Table) -> Table {
    let mut octets = vec![];
    table.write(&mut octets);
    assert!(Table::read(&mut Octets(&octets[..octets.len() - 1])).is_none());
    Table::read(&mut Octets(&octets)).unwrap()
}

#[test]
fn tables_of_every_shape_answer_exactly() {
    for bound in [0, 1, 5000, (1 << 20) + 1] {
        let step = (1_u64 << 50) / 3000;
        let all: Vec<Entry> =
            (0..if bound == 0 { 0 } else { 3000 }).map(|at| entry(at * step, at as u32 % 3, at as u32 + 1)).collect();
        let table = written_and_read(&Table::build(bound, all.iter().copied()));
        assert_eq!(table.from(Key(0)).collect::<Vec<_>>(), all);
        for Entry { key, value } in all {
            assert_eq!(table.find(key), Some(value));
            assert_eq!(table.find(Key(key.0 + 1)), None);
            assert_eq!(table.from(Key(key.0 + 1)).next(), table.from(key).nth(1));
        }
        assert_eq!(table.find(Key(u128::MAX >> (128 - Key::BITS))), None);
    }
}

proptest! {
    #[test]
    fn the_index_agrees_with_a_map(
        commits in prop::collection::vec(prop::collection::vec((subjects(), 0..3_u32, 0..5_u32), 1..40), 1..30),
        asked in prop::collection::vec(subjects(), 20),
    ) {
        let index = Index::default();
        let mut model = BTreeMap::new();
        for (turn, commit) in commits.iter().enumerate() {
            index.add(commit.iter().map(|(subject, scope, record)| entry(*subject, *scope, *record)).collect(), 0);
            for (subject, scope, record) in commit {
                let Entry { key, value } = entry(*subject, *scope, *record);
                if value == Value::GONE { model.remove(&key) } else { model.insert(key, value) };
            }
            if turn % 3 == 0 && let Some(merge) = index.due() {
                index.adopt(&merge, merge.run());
            }
        }
        for subject in commits.iter().flatten().map(|(subject, ..)| *subject).chain(asked) {
            let subject = Subject::from_value(subject);
            let of_subject = index.of_subject(subject);
            prop_assert_eq!(index.knows(subject), !of_subject.is_empty());
            for scope in 0..3 {
                let key = Key::new(subject, Scope::from_value(scope));
                prop_assert_eq!(index.find(key), model.get(&key).copied());
                let listed = of_subject.iter().find(|entry| entry.key == key).map(|entry| entry.value);
                prop_assert_eq!(listed, model.get(&key).copied());
            }
            let scopes = [2, 0, 9, 1].map(Scope::from_value);
            let value = |scope: &Scope| model.get(&Key::new(subject, *scope)).copied();
            let in_turn = scopes.iter().enumerate().filter_map(|(place, scope)| Some((place, value(scope)?)));
            for least in 1..4 {
                let expected = in_turn.clone().find(|(_, value)| value.state >= least);
                prop_assert_eq!(index.first(subject, &scopes, |state| state >= least), expected);
            }
        }
        let mut paged = vec![];
        while let Some(page) = Some(index.page(paged.last().map(|entry: &Entry| entry.key), 7)).filter(|page| !page.is_empty()) {
            paged.extend(page);
        }
        prop_assert_eq!(paged, model.into_iter().map(|(key, value)| Entry { key, value }).collect::<Vec<_>>());
    }
}

#[test]
fn there_are_few_tables_and_a_merge_elsewhere_hides_nothing() {
    let index = Index::default();
    let batch = |from: u64, count: u64, record| (from..from + count).map(|at| entry(at << 20, 0, record)).collect();
    for turn in 0..40 {
        index.add(batch(turn * 1000, 1000, 1), 0);
    }
    assert_eq!((index.len(), index.tables().len() <= 4), (40_000, true), "{}", index.tables().len());

    let index = Index::default();
    index.add(batch(0, 50_000, 1), 0);
    index.add(batch(50_000, 40_000, 1), 0);
    let merge = index.due().unwrap();
    let frozen = index.tables().len();
    index.add(batch(0, 1000, 2), frozen);
    index.add(batch(500, 1000, 3), frozen);
    assert_eq!(index.tables().len(), frozen + 1, "new tables are merged while old ones are being");
    index.adopt(&merge, merge.run());
    assert_eq!(index.tables().len(), 2);
    for (at, record) in [(0, 2), (499, 2), (500, 3), (1499, 3), (1500, 1), (89_999, 1)] {
        assert_eq!(index.find(entry(at << 20, 0, 0).key).map(|value| value.record), Some(record), "{at}");
    }
}
