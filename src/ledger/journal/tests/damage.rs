//! Files that are not as they were written: what a crash left, and what somebody did.

use std::path::Path;

use super::*;

/// The file of a journal in which one message was relayed, and what is in it.
async fn one_message(folder: &TempDir) -> (PathBuf, Vec<u8>) {
    let journal = open(folder, NOON).unwrap();
    relay(&mut journal.pen(), NOON, shop(), "32470123456", b"hello");
    close(journal).await;
    let path = file(folder, "2026-11-24");
    let whole = fs::read(&path).unwrap();
    (path, whole)
}

#[tokio::test]
async fn the_first_block_that_is_not_as_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut ends = Vec::new();
    for day in [0, 0, 0, 1, 1] {
        let journal = open(&folder, NOON + day * DAY).unwrap();
        relay(&mut journal.pen(), NOON + day * DAY, shop(), "32470123456", b"hello");
        close(journal).await;
        ends.push(fs::metadata(file(&folder, &format!("2026-11-{}", 24 + day))).unwrap().len());
    }
    let archive = archive(&folder);
    assert_eq!(archive.verify().unwrap(), Verified { files: 2, blocks: 5, entries: 10, is_torn: false });
    let (one, two) = (file(&folder, "2026-11-24"), file(&folder, "2026-11-25"));
    let (first, second) = (fs::read(&one).unwrap(), fs::read(&two).unwrap());
    let damaged = |path: &Path, at: u64| match archive.verify() {
        Err(LedgerFault::Damaged { path: found, offset, .. }) => assert_eq!((&*found, offset), (path, at)),
        other => panic!("{other:?}"),
    };
    // Edited.
    let mut edited = first.clone();
    edited[ends[0] as usize + 60] ^= 1;
    fs::write(&one, &edited).unwrap();
    damaged(&one, ends[0]);
    // What is counted is not read again.
    close(open(&folder, NOON + DAY).unwrap()).await;
    fs::remove_file(folder.path().join("journal/counts.json")).unwrap();
    assert!(matches!(open(&folder, NOON + DAY), Err(LedgerFault::Damaged { offset, .. }) if offset == ends[0]));
    // Edited, with a checksum that fits: the next does not follow it.
    let end = ends[1] as usize - 4;
    let crc = crc32fast::hash(&edited[ends[0] as usize..end]);
    edited[end..end + 4].copy_from_slice(&crc.to_be_bytes());
    fs::write(&one, &edited).unwrap();
    damaged(&one, ends[1]);
    // One dropped, and the last one of a day dropped.
    fs::write(&one, [&first[..ends[0] as usize], &first[ends[1] as usize..]].concat()).unwrap();
    damaged(&one, ends[0]);
    fs::write(&one, &first[..ends[1] as usize]).unwrap();
    damaged(&two, 0);
    // Exchanged.
    fs::write(&one, &first).unwrap();
    fs::write(&two, [&second[ends[3] as usize..], &second[..ends[3] as usize]].concat()).unwrap();
    damaged(&two, 0);
    fs::write(&two, &second).unwrap();
    // Written by somebody who does not have the key: the same entries, and a chain of its own.
    let mut forged = Vec::new();
    let mut chain = block::Chain::new(NumberKey::new([8; 32]), None);
    let mut at = 0;
    for end in &ends[..3] {
        chain.seal(&first[at + 40..*end as usize - 4], &mut forged);
        at = *end as usize;
    }
    assert_eq!(forged.len(), first.len());
    fs::write(&one, &forged).unwrap();
    damaged(&one, ends[0]);
    // A start sees it too.
    assert!(matches!(open(&folder, NOON + DAY), Err(LedgerFault::Damaged { offset, .. }) if offset == ends[0]));
    fs::write(&one, &first).unwrap();
    // Of a later version.
    let mut later = second.clone();
    later[3] = 2;
    fs::write(&two, later).unwrap();
    assert!(matches!(archive.verify(), Err(LedgerFault::Later { found: 2, known: 1, .. })));
}

#[tokio::test]
async fn a_torn_end_is_cut_away_and_the_chain_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (path, whole) = one_message(&folder).await;
    for length in [1, 7, 41, whole.len() - 1] {
        let tails = [whole[..length].to_vec(), vec![0; length]];
        for tail in tails {
            fs::write(&path, [&whole[..], &tail].concat()).unwrap();
            let archive = archive(&folder);
            assert!(archive.verify().unwrap().is_torn);
            assert_eq!(archive.find(&everything(), 9).unwrap().len(), 1);
            let journal = open(&folder, NOON).unwrap();
            assert_eq!(fs::read(&path).unwrap(), whole);
            assert_eq!(journal.usage("shop", None, day(NOON)).messages, 1);
            close(journal).await;
        }
    }
    let journal = open(&folder, NOON).unwrap();
    relay(&mut journal.pen(), NOON, shop(), "32470123456", b"hello");
    close(journal).await;
    let verified = archive(&folder).verify().unwrap();
    assert_eq!((verified.blocks, verified.is_torn), (2, false));
}

#[tokio::test]
async fn damage_before_a_whole_block_is_named_and_nothing_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let mut ends = vec![0];
    for _ in 0..3 {
        let journal = open(&folder, NOON).unwrap();
        relay(&mut journal.pen(), NOON, shop(), "32470123456", b"hello");
        close(journal).await;
        ends.push(fs::metadata(file(&folder, "2026-11-24")).unwrap().len() as usize);
    }
    let counts = folder.path().join("journal/counts.json");
    fs::remove_file(&counts).unwrap();
    let path = file(&folder, "2026-11-24");
    let whole = fs::read(&path).unwrap();
    // The mark, the length, made longer than any, longer than the file, and shorter; the code, an entry, the checksum.
    for (at, bit) in [(0, 1), (2, 0x80), (4, 0x80), (5, 4), (5, 1), (6, 1), (7, 1), (20, 1), (60, 1)] {
        for block in [0, 1] {
            let mut octets = whole.clone();
            octets[ends[block] + at] ^= bit;
            fs::write(&path, &octets).unwrap();
            let is_named = |fault: Option<LedgerFault>| match fault {
                Some(LedgerFault::Damaged { path: found, offset, .. }) => {
                    assert_eq!((found, offset), (path.clone(), ends[block] as u64), "octet {at}");
                }
                other => panic!("octet {at} of block {block}: {other:?}"),
            };
            is_named(archive(&folder).verify().err());
            is_named(archive(&folder).find(&everything(), 9).err());
            is_named(open(&folder, NOON).err());
            assert_eq!(fs::read(&path).unwrap(), octets);
        }
    }
    // A torn end that holds what a peer sent, which looks like a block.
    let mut torn = whole.clone();
    torn.extend_from_slice(b"BLK\x01\0\0\x01\0");
    torn.extend_from_slice(&[0; 40]);
    let crc = crc32fast::hash(b"BLK\x01\0\0\0\0................................");
    torn.extend_from_slice(b"BLK\x01\0\0\0\0................................");
    torn.extend_from_slice(&crc.to_be_bytes());
    fs::write(&path, &torn).unwrap();
    close(open(&folder, NOON).unwrap()).await;
    assert_eq!(fs::read(&path).unwrap(), whole);

    // What is far behind is found too, and only the last file may be torn.
    let far = [&whole[..ends[1] - 1], &vec![b'B'; 3 << 20], &whole[ends[1]..ends[2]]].concat();
    fs::write(&path, &far).unwrap();
    assert!(matches!(archive(&folder).verify(), Err(LedgerFault::Damaged { offset: 0, .. })));
    fs::write(&path, &far[..2 << 20]).unwrap();
    assert!(archive(&folder).verify().unwrap().is_torn);
    fs::write(path.with_file_name("journal-2026-11-25-000002.blocks"), "").unwrap();
    assert!(matches!(archive(&folder).verify(), Err(LedgerFault::Damaged { offset: 0, .. })));
    assert!(matches!(archive(&folder).find(&everything(), 9), Err(LedgerFault::Damaged { offset: 0, .. })));
    assert!(matches!(open(&folder, NOON), Err(LedgerFault::Damaged { .. })));
}

#[tokio::test]
async fn a_file_that_lost_what_was_counted_is_not_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let (path, whole) = one_message(&folder).await;
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let short = whole.len() as u64 - 1;
    assert!(matches!(open(&folder, NOON), Err(LedgerFault::Damaged { offset, .. }) if offset == short));
    assert_eq!(fs::read(&path).unwrap().len() as u64, short);
    // Somebody who has no key goes on behind what was counted.
    let mut chain = block::Chain::new(NumberKey::new([8; 32]), None);
    let mut octets = whole.clone();
    chain.seal(&whole[40..whole.len() - 4], &mut octets);
    fs::write(&path, &octets).unwrap();
    assert!(matches!(open(&folder, NOON), Err(LedgerFault::Damaged { offset, .. }) if offset == whole.len() as u64));
}
