//! Imports that go on, begin anew, or meet each other.

use super::*;

/// A file of 40 good rows, three bad ones and a good one, and how far it has come before the last.
fn unfinished() -> (String, Checkpoint) {
    let good: String = (0..40).map(|at| row(32_470_000_000 + at)).collect();
    let head = [HEADER, &good, &row(12).repeat(3)].concat();
    let text = format!("{head}{}", row(32_470_000_099));
    let digest = digest(&mut Cursor::new(text.as_bytes()), Kind::Consents, Format::Csv).unwrap();
    let offset = head.len() as u64;
    let known = Checkpoint { digest, offset, line: 88, rows: 43, ..Checkpoint::default() };
    (text, of_rejected(&[82, 84, 86], known))
}

/// The checkpoint as it is when the rows on these lines were bad.
fn of_rejected(lines: &[u64], checkpoint: Checkpoint) -> Checkpoint {
    let mut report = Report::default();
    lines.iter().for_each(|line| report.reject(*line, Rejection::Number));
    Checkpoint { rejected: report.rejected, rejected_lines: report.rejected_lines, ..checkpoint }
}

/// The lines of the rows in a reject file.
fn lines_of(rejects: &str) -> Vec<u64> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(rejects.as_bytes());
    reader.deserialize::<(u64, String, String)>().map(|row| row.unwrap().0).collect()
}

#[test]
fn a_file_goes_on_where_its_checkpoint_says_and_tells_bad_rows_before_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    let (text, checkpoint) = unfinished();
    permissions.change(vec![Act::Checkpoint(checkpoint)]).wait().unwrap();
    permissions.snapshot().wait().unwrap();
    permissions.close();
    let permissions = Permissions::open(folder.path()).unwrap();
    let (report, rejects) = import(&permissions, Format::Csv, &text);
    let report = report.unwrap();
    assert_eq!(counts(&report), [44, 1, 0, 0, 3]);
    assert_eq!((report.invalid_numbers(), permissions.figures().consents), (3, 1), "no row before it is taken again");
    assert_eq!(lines_of(&rejects), [82, 84, 86]);
    let report = import(&permissions, Format::Csv, &text).0.unwrap();
    assert_eq!(counts(&report), [44, 40, 1, 0, 3], "a finished file begins at its beginning");
    permissions.close();
}

#[test]
fn a_row_that_has_become_good_since_is_taken_when_the_file_comes_again() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    let (text, checkpoint) = unfinished();
    // One more was bad, or another one.
    for (lines, changed, unchanged) in [(&[2, 82, 84, 86][..], 41, 0), (&[2, 82, 84], 0, 41)] {
        let checkpoint = Act::Checkpoint(of_rejected(lines, checkpoint.clone()));
        permissions.change(vec![checkpoint]).wait().unwrap();
        let (report, rejects) = import(&permissions, Format::Csv, &text);
        assert_eq!(counts(&report.unwrap()), [44, changed, unchanged, 0, 3]);
        assert_eq!(lines_of(&rejects), [82, 84, 86], "each is told once");
        assert_eq!(permissions.checkpoint(&unfinished().1.digest), None);
    }
    permissions.close();
}

#[test]
fn what_came_of_a_finished_import_is_not_counted_again() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    let (subject, scope) = (permissions.subject(Msisdn::from_value(32_470_000_000).unwrap()), Scope::FIRST);
    let after = |finished| {
        let checkpoint = Checkpoint { since: Some(5), finished, ..unfinished().1 };
        permissions.change(vec![Act::Revoke { subject, scope, at: 0 }, Act::Checkpoint(checkpoint)]).wait().unwrap();
        permissions.checkpoint(&unfinished().1.digest).unwrap().unchanged
    };
    assert_eq!([false, false, true, false, false].map(after), [1, 2, 3, 1, 2]);
    permissions.close();
}

/// A file that does something once it is read to its end.
struct Meanwhile<'a> {
    file: Cursor<&'a str>,
    then: &'a dyn Fn(),
}

impl Read for Meanwhile<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        if read == 0 {
            (self.then)();
        }
        Ok(read)
    }
}

impl Seek for Meanwhile<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

#[test]
fn a_registry_that_comes_while_an_older_one_is_read_stays() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    let newer = || {
        let number = Msisdn::from_value(32_470_000_002).unwrap();
        permissions.registries().replace("dnc", 9, &[], [number]).unwrap();
    };
    let file = Meanwhile { file: Cursor::new("msisdn\n32470000001\n"), then: &newer };
    let mut rejects = vec![];
    let import =
        Import { format: Format::Csv, now: NOW, names: &shop, rejects: &mut rejects, progress: &mut |_, _| {} };
    let older = permissions.import_registry("dnc", 8, &[], file, import);
    assert!(matches!(older, Err(ImportFault::NotReplaced(NotReplaced::Older))));
    assert_eq!(permissions.registries().all()[0].as_of, 9);
    permissions.close();
}

#[test]
fn a_file_is_not_imported_twice_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = Permissions::open(folder.path()).unwrap();
    let text = "msisdn\n32470000001\n";
    let begin = |text: &'static str, progress: &mut dyn FnMut(u64, u64)| {
        let mut rejects = vec![];
        let import = Import { format: Format::Csv, now: NOW, names: &shop, rejects: &mut rejects, progress };
        permissions.import_suppressions(Cursor::new(text), import)
    };
    let mut meanwhile = vec![];
    let first = begin(text, &mut |_, _| {
        let again = matches!(begin(text, &mut |_, _| {}), Err(ImportFault::Underway));
        let other = begin("msisdn\n32470000002\n", &mut |_, _| {}).is_ok();
        meanwhile.push((again, other));
    });
    assert_eq!(counts(&first.unwrap()), [1, 1, 0, 0, 0]);
    assert!(!meanwhile.is_empty() && meanwhile.iter().all(|both| *both == (true, true)), "{meanwhile:?}");
    assert_eq!(counts(&begin(text, &mut |_, _| {}).unwrap()), [1, 0, 1, 0, 0]);
    permissions.close();
}
