//! The whole way from data to a model and its report.

use super::*;

const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const PLACES: [&str; 6] = ["the station", "the office", "our house", "the harbour", "the school", "the market"];

/// Honest and unwanted texts that are easily told apart.
fn easy(name: &str) -> Data {
    let mut text = String::new();
    for day in DAYS {
        for place in PLACES {
            text.push_str(&format!("ham\tShall we meet at {place} on {day}?\ten\n"));
            text.push_str(&format!("spam\tYou have WON! Claim your prize at {place} by {day}\ten\n"));
        }
    }
    Data::parse(text.as_bytes(), name)
}

/// Honest texts that are worded like the unwanted ones of [`easy`].
fn alike() -> Data {
    let rows = DAYS.map(|day| format!("ham\tYou have won your appeal. Claim your refund by {day}\ten\n"));
    Data::parse(rows.concat().as_bytes(), "alike")
}

#[test]
fn a_model_tells_apart_what_it_was_trained_to() {
    let (model, report) = study(&[easy("easy")], &[easy("again"), alike()], 0.005).unwrap();
    assert_eq!(report.model, format!("{:016x}", model.version()));
    assert_eq!((model.trained_on().ham, model.trained_on().spam), (42, 42));
    assert_eq!(model.trained_on().files[0], easy("easy").file);
    let measure = |counts: Counts| [counts.recall(), counts.false_positive_rate()].map(|of| of.map(|of| of.value));
    let [recall, false_positives] = measure(report.held_out.all).map(Option::unwrap);
    // The threshold is just above the highest honest score of the other folds, which one of this fold may pass.
    assert!(recall == 1.0 && false_positives < 0.05, "{recall} {false_positives}");
    let [again, alike] = [0, 1].map(|index| &report.tested[index]);
    assert_eq!((again.file.as_str(), measure(again.evaluation.languages["en"])), ("again", [Some(1.0), Some(0.0)]));
    // The model's own data says nothing about other texts, and the report shows it.
    assert_eq!((alike.file.as_str(), measure(alike.evaluation.all)), ("alike", [None, Some(1.0)]));
    assert!(report.cross_corpus.is_empty());
}

#[test]
fn the_same_data_gives_the_same_octets() {
    let run = || study(&[easy("a"), alike()], &[], 0.01).unwrap();
    let ((one, report), (other, same)) = (run(), std::thread::spawn(run).join().unwrap());
    assert_eq!(one.to_bytes(), other.to_bytes());
    assert_eq!(report, same);
    let (renamed, _) = study(&[easy("b"), alike()], &[], 0.01).unwrap();
    assert_ne!(one.version(), renamed.version());
}

#[test]
fn each_file_that_can_be_trained_on_is_tested_on_the_others() {
    let (_, report) = study(&[easy("a"), alike(), easy("c")], &[], 0.005).unwrap();
    let names: Vec<(&str, Vec<&str>)> = report
        .cross_corpus
        .iter()
        .map(|cross| (cross.trained_on.as_str(), cross.tested.iter().map(|tested| tested.file.as_str()).collect()))
        .collect();
    assert_eq!(names, [("a", vec!["alike", "c"]), ("c", vec!["a", "alike"])]);
    assert_eq!(report.cross_corpus[0].tested[0].evaluation.all.false_positives, 7);
    assert_eq!((report.data[0].repeated, report.data[1].repeated), (0, 0));
    let twice = Data::parse(b"ham\tcode 1\nham\tcode 2\nspam\tcall\nx\n", "twice");
    let DataFile { lines, ham, spam, repeated, bad_rows, .. } = described(&twice);
    assert_eq!([lines, ham, spam, repeated, bad_rows], [4, 2, 1, 1, 1]);
}

#[test]
fn too_little_data_gives_no_model() {
    let few = Data::parse("ham\tx\n".repeat(30).as_bytes(), "few");
    assert_eq!(study(&[few], &[], 0.005).unwrap_err(), Untrainable::TooFew { ham: 30, spam: 0 });
    let mut long = easy("a");
    long.file.name = "n".repeat(70_000);
    assert!(matches!(study(&[long], &[], 0.005), Err(Untrainable::TooManyFiles(octets)) if octets > 70_000));
}
