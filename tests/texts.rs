//! The whole policy against sets of texts: fraud that it must catch, and honest texts that it must let pass.
//!
//! `conformance/text` was written before any rule was, by somebody who wrote none. The public corpora are read from a
//! folder beside the repository when they are there.

#![cfg(test)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::BytesMut;
use smppolicy::config::Config;
use smppolicy::pdu::{Address, DataCoding, Frame, SequenceNumber, SubmitSm, Tlv, TlvTag, Tlvs};
use smppolicy::policy::{Now, Outcome, Rejection, Snapshot, Standing};

/// The policy as it is by default, with the brands of `conformance/text/brands.tsv`.
struct Judge {
    standing: Standing,
}

impl Judge {
    fn new() -> Self {
        let mut text = "[upstream.main]\naddress = 'simulator'\n[[account]]\nsystem_id = 'shop'\ndefault_purpose = 'transactional'\n\
                        sender = [{ id = 'SHOP' }]\n"
            .to_owned();
        for row in rows("brands.tsv") {
            let [name, domains, note] = &row[..] else { panic!("{row:?}") };
            let domains: Vec<_> = domains.split(' ').map(|domain| format!("'{domain}'")).collect();
            // "also written A, B"
            let spellings = note.strip_prefix("also written ").unwrap_or_default().split(", ");
            let spellings: Vec<_> = spellings.filter(|one| !one.is_empty()).map(|one| format!("'{one}'")).collect();
            text.push_str(&format!(
                "[[brand]]\nname = '{name}'\nspellings = [{}]\ndomains = [{}]\n",
                spellings.join(", "),
                domains.join(", ")
            ));
        }
        let config = Config::parse(&text, "texts.toml", Path::new("/")).unwrap_or_else(|faults| panic!("{faults}"));
        let snapshot = Arc::new(Snapshot::new(config).unwrap_or_else(|faults| panic!("{faults}")));
        let account = snapshot.account(b"shop").unwrap().clone();
        Self { standing: Standing { snapshot, account, limiter: None, withholds: false } }
    }

    /// Why a text is refused, if it is.
    fn refusal(&self, text: &str) -> Option<Rejection> {
        let (mut list, mut pdu) = (BytesMut::new(), BytesMut::new());
        let octets: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let tlvs = Tlvs::build([Tlv { tag: TlvTag::MESSAGE_PAYLOAD, value: &octets }], &mut list).unwrap();
        let (source, destination) = (address(b"SHOP"), address(b"32470123456"));
        let message = SubmitSm { source, destination, data_coding: DataCoding::UCS2, tlvs, ..SubmitSm::default() };
        message.encode(SequenceNumber(1), &mut pdu).unwrap();
        let now =
            Now { monotonic_nanos: 5_000_000_000, unix_millis: 1_795_478_400_000, steady_millis: 1_795_478_400_000 };
        let policy = self.standing.snapshot.policy();
        match policy.clear(Frame::from_bytes(&pdu).unwrap(), &self.standing, now, &mut Vec::new()) {
            Outcome::Cleared(..) => None,
            Outcome::Rejected(rejection, _) => Some(rejection),
            outcome => panic!("{outcome:?}"),
        }
    }
}

fn address(digits: &[u8]) -> Address<'_> {
    Address { digits, ..Address::default() }
}

/// The rows of a set, without its header.
fn rows(file: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/text").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// How many lines of a set of frauds are caught, of how many.
fn caught(file: &str) -> (usize, usize) {
    let judge = Judge::new();
    let (mut by_language, mut by_kind) = (BTreeMap::<String, (usize, usize)>::new(), BTreeMap::new());
    for row in rows(file) {
        let [id, language, _, kind, text] = &row[..] else { panic!("{row:?}") };
        let refusal = judge.refusal(text);
        let caught = refusal.is_some_and(|rejection| rejection.clause.is_some_and(|it| matches!(it.0, 6 | 26 | 33)));
        for (count, key) in [(&mut by_language, language), (&mut by_kind, kind)] {
            let (hits, all) = count.entry(key.clone()).or_insert((0, 0));
            *hits += usize::from(caught);
            *all += 1;
        }
        if !caught && std::env::var_os("SHOW_MISSES").is_some() {
            println!("{id} {kind}: {text}");
        }
    }
    for (key, (hits, all)) in by_language.iter().chain(&by_kind) {
        println!("{key:<20} {hits:>3} of {all:>3}");
    }
    let (hits, all) = by_language.values().fold((0, 0), |(hits, all), one| (hits + one.0, all + one.1));
    println!("{file}: {hits} of {all} caught");
    (hits, all)
}

/// Which lines of a set of honest texts are refused, and why.
fn refused(file: &str) -> Vec<String> {
    let judge = Judge::new();
    let refusal = |row: Vec<String>| Some(format!("{} {}: {}", row[0], judge.refusal(&row[4])?, row[4]));
    rows(file).into_iter().filter_map(refusal).collect()
}

#[test]
fn four_of_five_frauds_are_caught() {
    let (hits, all) = caught("fraud.tsv");
    assert!(all >= 200 && hits * 10 >= all * 8, "{hits} of {all}");
}

#[test]
fn honest_texts_pass() {
    let refused = refused("honest.tsv");
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn two_of_three_frauds_are_caught_that_nobody_has_read_who_writes_lists() {
    let (hits, all) = caught("unread_fraud.tsv");
    assert!(all >= 200 && hits * 3 >= all * 2, "{hits} of {all}");
}

#[test]
fn nearly_all_honest_texts_pass_that_nobody_has_read_who_writes_lists() {
    let refused = refused("unread_honest.tsv");
    assert!(refused.len() * 50 <= rows("unread_honest.tsv").len(), "{}", refused.join("\n"));
}

#[test]
fn ordinary_messages_pass() {
    let Some(folder) = Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(|parent| parent.join("shared/data/text"))
    else {
        return;
    };
    let judge = Judge::new();
    let (mut all, mut refused) = (0, Vec::new());
    for file in ["uci_sms_spam.tsv", "india_sms.tsv"] {
        let Ok(text) = std::fs::read_to_string(folder.join(file)) else {
            println!("{file} is not there: skipped");
            continue;
        };
        for text in text.lines().filter_map(|line| line.strip_prefix("ham\t")) {
            all += 1;
            if let Some(rejection) = judge.refusal(text) {
                refused.push(rejection.to_string());
            }
        }
    }
    println!("{} of {all} ordinary messages refused: {refused:?}", refused.len());
    assert!(refused.len() * 1000 <= all, "{refused:?}");
}
