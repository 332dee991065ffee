//! A real folder: damage, locks, versions, the index.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that damages files")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use verbale_journal::{Disk, Journal, JournalError, Keys, Logged, Record, Settings, Store};
use verbale_keys::SecretKey;
use verbale_ledger::LogIndex;

fn settings(dir: &Path) -> Settings {
    Settings::new(dir, "verbale/XX/1", SecretKey::from_seed([1; 32]))
}

fn open(dir: &Path) -> Result<Journal, JournalError> {
    Journal::open(Arc::new(Disk), settings(dir), &mut |_| Ok(()))
}

/// A journal of 20 entries in three batches.
fn begun() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    Journal::create(&Disk, &settings(dir.path()), &Record::entry(b"genesis".to_vec())).unwrap();
    let mut journal = open(dir.path()).unwrap();
    for batch in [0..5u8, 5..6, 6..19] {
        let records = batch.map(|number| Record {
            sealed: Some(vec![number; 5000]),
            keys: Some(Keys { message_id: [number; 16], wrapped: [number; 88] }),
            ..Record::entry(format!("entry {number}").into_bytes())
        });
        journal.commit(records.collect(), ()).unwrap();
    }
    dir
}

fn segment(dir: &Path) -> PathBuf {
    dir.join("journal/00000000.segment")
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

/// Where the last commit frame ends: behind it are only zeros.
fn written(path: &Path) -> usize {
    std::fs::read(path).unwrap().iter().rposition(|byte| *byte != 0).unwrap() + 1
}

fn all(journal: &Journal) -> Vec<Logged> {
    (0..journal.size().0).map(|index| journal.logged(LogIndex(index)).unwrap()).collect()
}

#[test]
fn proofs_are_the_same_bytes_after_a_restart_and_after_the_index_is_deleted_or_damaged() {
    let dir = begun();
    let first = all(&open(dir.path()).unwrap());
    assert_eq!(first.len(), 20);
    open(dir.path()).unwrap().close().unwrap();
    assert_eq!(all(&open(dir.path()).unwrap()), first);
    std::fs::remove_dir_all(dir.path().join("index")).unwrap();
    let journal = open(dir.path()).unwrap();
    assert_eq!(all(&journal), first);
    assert_eq!(journal.sealed(LogIndex(7)).unwrap(), Some(vec![6; 5000]));
    drop(journal);
    for entry in std::fs::read_dir(dir.path().join("index")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::write(path, b"damaged").unwrap();
        }
    }
    assert_eq!(all(&open(dir.path()).unwrap()), first);
}

/// The index of a journal that was closed: threads of sled's hold its lock for a moment longer.
fn free(path: &Path) -> sled::Db {
    let since = std::time::Instant::now();
    loop {
        match sled::open(path) {
            Err(sled::Error::Io(error))
                if error.to_string().contains("acquire lock") && since.elapsed().as_secs() < 60 =>
            {
                std::thread::yield_now();
            }
            opened => return opened.unwrap(),
        }
    }
}

#[test]
fn an_index_that_points_elsewhere_is_built_anew() {
    let dir = begun();
    let first = all(&open(dir.path()).unwrap());
    {
        let db = free(&dir.path().join("index"));
        // The longest block; its second place becomes a copy of its first, 52 bytes each.
        let blocks = db.iter().map(Result::unwrap).filter(|(key, _)| key.len() == 8);
        let (key, block) = blocks.max_by_key(|(_, block)| block.len()).unwrap();
        let mut block = block.to_vec();
        block.copy_within(..52, 52);
        db.insert(key, block).unwrap();
        db.flush().unwrap();
    }
    assert_eq!(all(&open(dir.path()).unwrap()), first);
}

#[test]
fn a_torn_tail_is_set_aside_and_the_rest_goes_on() {
    let dir = begun();
    let path = segment(dir.path());
    let end = written(&path);
    change(&path, |bytes| bytes[end..end + 700].fill(0xa5));
    let mut journal = open(dir.path()).unwrap();
    assert_eq!(journal.size().0, 20);
    journal.commit(vec![Record::entry(b"next".to_vec())], ()).unwrap();
    let aside: Vec<_> = std::fs::read_dir(dir.path().join("journal/damaged")).unwrap().collect();
    assert_eq!(aside.len(), 1);
    assert_eq!(std::fs::read(aside[0].as_ref().unwrap().path()).unwrap(), vec![0xa5; 700]);
    drop(journal);
    assert_eq!(open(dir.path()).unwrap().size().0, 21);
}

#[test]
fn a_batch_without_its_commit_is_a_torn_tail() {
    let dir = begun();
    let path = segment(dir.path());
    let end = written(&path);
    // The last commit frame loses a byte: 13 entries were never committed.
    change(&path, |bytes| bytes[end - 1] ^= 1);
    assert_eq!(open(dir.path()).unwrap().size().0, 7);
}

#[test]
fn a_bad_frame_before_a_valid_commit_stops_the_start_and_changes_nothing() {
    let dir = begun();
    let path = segment(dir.path());
    let sound = std::fs::read(&path).unwrap();
    // In the second batch of entries, before the third.
    for at in [sound.len() / 200, 5000, 30_000] {
        change(&path, |bytes| bytes[at] ^= 1);
        let before = std::fs::read(&path).unwrap();
        let error = open(dir.path()).err().unwrap();
        assert!(matches!(error, JournalError::Corrupt { .. }) && error.is_damage(), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
        change(&path, |bytes| bytes[at] ^= 1);
    }
    assert_eq!(open(dir.path()).unwrap().size().0, 20);
}

#[test]
fn zeros_where_a_page_was_lost_are_corruption_too() {
    let dir = begun();
    let path = segment(dir.path());
    change(&path, |bytes| bytes[8192..12_288].fill(0));
    assert!(matches!(open(dir.path()), Err(JournalError::Corrupt { .. })));
}

#[test]
fn a_damaged_slot_of_a_committed_notice_stops_the_start_and_a_torn_new_one_does_not() {
    let dir = begun();
    let keyring = dir.path().join("journal/keyring");
    change(&keyring, |bytes| bytes[19 * 128 + 7] = 9);
    assert_eq!(open(dir.path()).unwrap().size().0, 20);
    change(&keyring, |bytes| bytes[3 * 128 + 40] ^= 1);
    assert!(matches!(open(dir.path()), Err(JournalError::Corrupt { .. })));
}

#[test]
fn a_newer_format_a_second_process_a_second_log_and_no_log_are_said_plainly() {
    let dir = begun();
    let journal = open(dir.path()).unwrap();
    assert!(matches!(open(dir.path()), Err(JournalError::Locked { .. })));
    drop(journal);
    let again = Journal::create(&Disk, &settings(dir.path()), &Record::entry(vec![1]));
    assert!(matches!(again, Err(JournalError::LogExists { .. })));
    change(&segment(dir.path()), |bytes| bytes[11] = 2);
    let error = open(dir.path()).err().unwrap();
    assert!(error.to_string().starts_with("UNSUPPORTED_VERSION"), "{error}");
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(open(empty.path()), Err(JournalError::NoLog { .. })));
}

#[test]
fn segments_roll_and_a_missing_one_is_corruption() {
    let dir = tempfile::tempdir().unwrap();
    let small = || Settings { segment_bytes: 100_000, ..settings(dir.path()) };
    let open = || Journal::open(Arc::new(Disk), small(), &mut |_| Ok(()));
    Journal::create(&Disk, &small(), &Record::entry(b"genesis".to_vec())).unwrap();
    let mut journal = open().unwrap();
    for number in 0..20u8 {
        let record = Record { sealed: Some(vec![number; 20_000]), ..Record::entry(vec![number]) };
        journal.commit(vec![record], ()).unwrap();
    }
    let first = all(&journal);
    drop(journal);
    let journal = open().unwrap();
    assert_eq!(all(&journal), first);
    assert_eq!(journal.sealed(LogIndex(3)).unwrap(), Some(vec![2; 20_000]));
    drop(journal);
    assert!(dir.path().join("journal/00000002.segment").exists());
    std::fs::remove_file(dir.path().join("journal/00000001.segment")).unwrap();
    assert!(matches!(open(), Err(JournalError::Corrupt { .. })));
}
