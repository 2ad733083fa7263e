//! Whatever is done to a record is found, and the line is named.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

use super::super::{Act, Audit};
use super::*;
use crate::config::WhenFailing;

/// Three days, and what each file has.
type Set = Vec<(String, Vec<Vec<u8>>)>;

fn settings(folder: &Path) -> crate::config::Audit {
    crate::config::Audit {
        path: folder.join("audit"),
        queue: 1000,
        sync_interval: Duration::from_secs(3600),
        msisdn_key_file: folder.join("msisdn-key"),
        checkpoint_interval: Duration::from_secs(3600),
        checkpoint_key_file: folder.join("audit-key"),
        keep: Duration::from_secs(86_400),
        when_failing: WhenFailing::Stop,
    }
}

/// As the writer makes it: days of five acts, each with the checkpoint that ends it.
fn written() -> &'static Set {
    static SET: OnceLock<Set> = OnceLock::new();
    SET.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let audit = Audit::open(&settings).unwrap();
            for count in 0..15 {
                let at: Timestamp = format!("2026-11-{}T12:00:00Z", 24 + count / 5).parse().unwrap();
                audit.note(at, Act::of_system("start", json!({"count": count, "text": "d\u{e9}j\u{e0} vu"}))).unwrap();
            }
            audit.close(Duration::from_secs(20)).await.unwrap();
        });
        let files = Files::at(&settings.path).unwrap();
        let mut set: Set = (0..files.count()).map(|file| (files.name(file), vec![])).collect();
        files
            .each(|line| {
                set[line.file].1.push([line.octets, b"\n"].concat());
                ControlFlow::<()>::Continue(())
            })
            .unwrap();
        assert_eq!(set.iter().map(|(_, lines)| lines.len()).collect::<Vec<_>>(), [6, 6, 6]);
        set
    })
}

fn laid_out(set: &Set) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, lines) in set {
        fs::write(folder.path().join(name), lines.concat()).unwrap();
    }
    folder
}

fn head_of(set: &Set) -> LineHash {
    let last = set.last().unwrap().1.last().unwrap();
    LineHash::of(&last[..last.len() - 1])
}

fn found_in(set: &Set, known: &Known) -> Option<(String, u64, Tampering)> {
    let found = verify(&Files::at(laid_out(set).path()).unwrap(), known).unwrap();
    found.err().map(|finding| (finding.file, finding.line, finding.what))
}

/// What is found while the last line is known from elsewhere.
fn found(set: &Set) -> Option<(String, u64, Tampering)> {
    found_in(set, &Known { head: Some(head_of(written())), keys: vec![] })
}

/// The place of the `index`th line of all.
fn place(set: &Set, mut index: usize) -> (usize, usize) {
    for (file, (_, lines)) in set.iter().enumerate() {
        if index < lines.len() {
            return (file, index);
        }
        index -= lines.len();
    }
    panic!("no such line");
}

const LINES: usize = 18;

fn at(set: &Set, index: usize, what: Tampering) -> Option<(String, u64, Tampering)> {
    let (file, line) = place(set, index);
    Some((set[file].0.clone(), line as u64 + 1, what))
}

#[test]
fn what_was_written_is_whole() {
    assert_eq!(found(written()), None);
}

#[test]
fn each_line_that_is_taken_away_doubled_or_put_elsewhere_is_named() {
    for index in 0..LINES {
        let (file, line) = place(written(), index);
        let mut set = written().clone();
        set[file].1.remove(line);
        let n = index as u64 + 1;
        let expected = if index + 1 == LINES {
            at(&set, index - 1, Tampering::CutOff(head_of(written())))
        } else {
            at(&set, index, Tampering::Dropped { first: n, last: n })
        };
        assert_eq!(found(&set), expected, "without {n}");

        for behind in index..LINES {
            let mut set = written().clone();
            let (to, place_there) = place(written(), behind);
            let copy = set[file].1[line].clone();
            set[to].1.insert(place_there + 1, copy);
            let expected = Some((set[to].0.clone(), place_there as u64 + 2, Tampering::Doubled));
            assert_eq!(found(&set), expected, "{n} again behind {behind}");
        }
        for other in index + 1..LINES {
            let mut set = written().clone();
            let (to, place_there) = place(written(), other);
            let line_there = std::mem::replace(&mut set[to].1[place_there], written()[file].1[line].clone());
            set[file].1[line] = line_there;
            assert_eq!(found(&set), at(&set, index, Tampering::Moved), "{n} in the place of {}", other + 1);
        }
    }
}

#[test]
fn a_tail_or_a_beginning_that_is_cut_off_is_told() {
    for kept in 1..LINES {
        let mut set = written().clone();
        for index in (kept..LINES).rev() {
            let (file, _) = place(written(), index);
            set[file].1.pop();
        }
        set.retain(|(_, lines)| !lines.is_empty());
        assert_eq!(found(&set), at(&set, kept - 1, Tampering::CutOff(head_of(written()))));
        assert_eq!(found_in(&set, &Known::default()), None, "nothing says that there were more");
    }
    let mut set = written().clone();
    set.remove(1);
    assert_eq!(found(&set), at(&set, 6, Tampering::Dropped { first: 7, last: 12 }));
    set.remove(0);
    assert_eq!(found(&set), at(&set, 0, Tampering::Dropped { first: 1, last: 12 }));
    let folder = laid_out(&set);
    let file = Files::at(&folder.path().join(&set[0].0)).unwrap();
    assert_eq!(verify(&file, &Known::default()).unwrap().unwrap().first, 13, "a file alone may begin anywhere");
}

#[test]
fn lines_that_were_made_by_another_hand_are_named() {
    // Put in, with all that a line needs; then made up from there to the end, which has another key or none.
    let (set, folder) = (written(), tempfile::tempdir().unwrap());
    let forger = super::super::checkpoint::Signer::load_or_create(&folder.path().join("key")).unwrap();
    for index in 0..LINES - 1 {
        let (file, line) = place(set, index);
        let octets = &set[file].1[line];
        let mut head = Head { n: index as u64 + 1, hash: LineHash::of(&octets[..octets.len() - 1]) };
        let mut forged = b"{\"ref\":\"00000000000000000000000000\"}".to_vec();
        head.append(&mut forged, 0, None);
        let mut with = set.clone();
        with[file].1.insert(line + 1, forged);
        let expected = Some((set[file].0.clone(), line as u64 + 2, Tampering::Inserted));
        assert_eq!(found(&with), expected, "behind {}", index + 1);
    }
    let mut head = Head::START;
    let mut remade = set.clone();
    for line in remade.iter_mut().flat_map(|(_, lines)| lines) {
        let is_signed = Link::of(&line[..line.len() - 1]).unwrap().signed.is_some();
        let end = line.windows(5).rposition(|window| window == b",\"n\":").unwrap();
        let mut own = line[..end].to_vec();
        if is_signed {
            let key = own.windows(8).rposition(|window| window == b",\"key\":\"").unwrap();
            own.truncate(key + 8);
            own.extend(format!("{}\"", forger.public()).bytes());
        }
        own.push(b'}');
        head.append(&mut own, 0, is_signed.then_some(&forger));
        *line = own;
    }
    assert_eq!(found_in(&remade, &Known::default()), None, "a chain of its own");
    let whole = verify(&Files::at(laid_out(set).path()).unwrap(), &Known::default()).unwrap().unwrap();
    let known = Known { keys: whole.keys, head: None };
    assert_eq!(found_in(&remade, &known), at(set, 5, Tampering::ForeignKey(forger.public())));
}

#[test]
fn a_line_that_is_being_written_is_no_fault_and_a_torn_one_elsewhere_is() {
    let set = written();
    let last = set[2].1.last().unwrap();
    for length in 1..last.len() - 1 {
        let mut cut = set.clone();
        *cut[2].1.last_mut().unwrap() = last[..length].to_vec();
        let folder = laid_out(&cut);
        let whole = verify(&Files::at(folder.path()).unwrap(), &Known::default()).unwrap().unwrap();
        assert_eq!((whole.lines, whole.unfinished), (17, length));
    }
    let mut cut = set.clone();
    cut[0].1.last_mut().unwrap().truncate(40);
    assert_eq!(found(&cut), at(&cut, 5, Tampering::Edited));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_octet_that_is_changed_put_in_or_taken_away_is_found_in_its_line(
        index in 0..LINES, octet in any::<prop::sample::Index>(), value in any::<u8>(), how in 0..3,
    ) {
        let mut set = written().clone();
        let (file, line) = place(&set, index);
        let text = &mut set[file].1[line];
        let octet = octet.index(text.len());
        // A line feed behind a line feed is an empty line, which is another one's place.
        prop_assume!(how != 1 || value != b'\n' || octet + 1 < text.len());
        match how {
            0 => text[octet] = value,
            1 => text.insert(octet, value),
            _ => drop(text.remove(octet)),
        }
        let is_as_written = set == *written();
        let only_lacks_its_end = how == 2 && octet == written()[file].1[line].len() - 1 && line == 5;
        if is_as_written || only_lacks_its_end {
            prop_assert_eq!(found(&set), None);
        } else {
            let (in_file, at_line, what) = found(&set).unwrap();
            prop_assert_eq!((in_file, at_line), (set[file].0.clone(), line as u64 + 1), "{:?}", what);
            let is_an_edit = matches!(what, Tampering::Edited | Tampering::Signature);
            // Octets put before a line may become one of their own.
            prop_assert!(is_an_edit || (how == 1 && value == b'\n' && octet == 0 && what == Tampering::Inserted), "{:?}", what);
        }
    }
}
