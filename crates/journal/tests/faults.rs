//! Every write of a journal's life fails once, in four ways, and the journal recovers each time.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

#[path = "support/memory.rs"]
mod memory;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use memory::{MemoryDisk, Persists};
use verbale_journal::{Journal, JournalError, Keys, Record, Settings, Store};
use verbale_keys::{NoteAlgorithm, SecretKey, Vkey};
use verbale_ledger::{Checkpoint, LogIndex, leaf_hash, verify_inclusion};

const ORIGIN: &str = "verbale/XX/1";

fn settings() -> Settings {
    let key = SecretKey::from_seed([1; 32]);
    Settings {
        segment_bytes: 40 << 10,
        ahead_bytes: 16 << 10,
        index: false,
        ..Settings::new(Path::new("/memory"), ORIGIN, key)
    }
}

fn vkey() -> Vkey {
    Vkey { name: ORIGIN.into(), algorithm: NoteAlgorithm::Ed25519, key: SecretKey::from_seed([1; 32]).public() }
}

fn record(number: u8) -> Record {
    let entry = format!("entry {number}").into_bytes();
    match number % 3 {
        0 => Record::entry(entry),
        1 => Record {
            sealed: Some(vec![number; 3000]),
            facts: Some(vec![number; 50]),
            keys: Some(Keys { message_id: [number; 16], wrapped: [number; 88] }),
            ..Record::entry(entry)
        },
        _ => Record { receipt: Some(vec![number; 700]), ..Record::entry(entry) },
    }
}

/// What a run was told is durable: entries, and the head given for each batch.
#[derive(Default)]
struct Told {
    entries: u8,
    heads: Vec<(u64, String)>,
    /// Entries that the batch under way would add.
    under_way: u8,
    /// What is erased, and what perhaps is.
    erased: Vec<u8>,
    erasing: Option<u8>,
}

fn open(disk: &MemoryDisk) -> Result<(Journal, Vec<Vec<u8>>), JournalError> {
    let mut seen = Vec::new();
    let journal = Journal::open(Arc::new(disk.clone()), settings(), &mut |record| {
        assert_eq!(record.index.0, seen.len() as u64);
        seen.push(record.entry.to_vec());
        Ok(())
    })?;
    Ok((journal, seen))
}

fn commit(journal: &mut Journal, told: &mut Told, count: u8) -> Result<(), JournalError> {
    told.under_way = count;
    let batch = (told.entries..told.entries + count).map(record).collect();
    let committed = journal.commit(batch, ())?;
    told.entries += count;
    told.under_way = 0;
    told.heads.push((u64::from(told.entries), committed.checkpoint().to_string()));
    Ok(())
}

fn erase(journal: &mut Journal, told: &mut Told, number: u8) -> Result<(), JournalError> {
    told.erasing = Some(number);
    journal.erase(&[number; 16], &[LogIndex(number.into())])?;
    told.erasing = None;
    told.erased.push(number);
    Ok(())
}

/// A journal's life: begun, written, rolled to new segments, erased in part, stopped in order, killed, opened again.
fn life(disk: &MemoryDisk, told: &mut Told) -> Result<(), JournalError> {
    told.under_way = 1;
    Journal::create(disk, &settings(), &record(0))?;
    (told.entries, told.under_way) = (1, 0);
    let (mut journal, _) = open(disk)?;
    for count in [1, 3, 7, 2] {
        commit(&mut journal, told, count)?;
    }
    journal.close()?;
    let (mut journal, _) = open(disk)?;
    // In a segment that is full, and in the one that is written to; one that is the last in the keyring.
    for number in [1, 13] {
        erase(&mut journal, told, number)?;
    }
    for count in [5, 1] {
        commit(&mut journal, told, count)?;
    }
    erase(&mut journal, told, 19)?;
    // Killed: the next opening writes the last segment anew.
    drop(journal);
    let (mut journal, _) = open(disk)?;
    commit(&mut journal, told, 4)?;
    journal.close()
}

/// After the fault: what was told is there, whole batches only, every proof holds, every head is the one that was given.
fn audit(disk: &MemoryDisk, told: &Told, row: &str) {
    disk.crash();
    let (mut journal, seen) = match open(disk) {
        Ok(opened) => opened,
        Err(JournalError::NoLog { .. }) if told.entries == 0 => {
            Journal::create(disk, &settings(), &record(0)).unwrap_or_else(|e| panic!("{row}: {e}"));
            open(disk).unwrap_or_else(|e| panic!("{row}: {e}"))
        }
        Err(error) => panic!("{row}: {error}"),
    };
    let size = u8::try_from(seen.len()).unwrap();
    let whole = [told.entries, told.entries + told.under_way];
    assert!(whole.contains(&size), "{row}: {size} entries, told of {}", told.entries);
    for (index, entry) in (0..size).zip(&seen) {
        let expected = record(index);
        assert_eq!(*entry, expected.entry, "{row}");
        let logged = journal.logged(LogIndex(index.into())).unwrap();
        let head = Checkpoint::verify(logged.checkpoint(), &vkey()).unwrap();
        verify_inclusion(leaf_hash(entry), logged.index(), head.size, logged.hashes(), head.root).unwrap();
        if let Some((_, given)) = told.heads.iter().find(|(size, _)| *size == head.size.0) {
            assert_eq!(*logged.checkpoint().as_ref(), **given, "{row}: another head than the one given");
        }
        let is_erased = told.erased.contains(&index);
        if told.erasing == Some(index) {
            // What is asked again ends as what was not cut off.
            journal.erase(&[index; 16], &[LogIndex(index.into())]).unwrap_or_else(|e| panic!("{row}: {e}"));
        }
        let is_erased = is_erased || told.erasing == Some(index);
        let sealed = expected.sealed.filter(|_| !is_erased);
        assert_eq!(journal.sealed(LogIndex(index.into())).unwrap(), sealed, "{row}");
        assert_eq!(journal.receipt(LogIndex(index.into())).unwrap(), expected.receipt, "{row}");
        if let Some(keys) = expected.keys {
            let wrapped = (!is_erased).then_some(keys.wrapped);
            assert_eq!(journal.keys(&keys.message_id).unwrap(), wrapped, "{row}");
        }
        if is_erased {
            // Facts are 50 bytes of it, and stay.
            let left = disk.holds(index, 60);
            assert!(!left, "{row}: bytes of what was erased are left");
        }
    }
    let mut after = Told { entries: size, ..Told::default() };
    commit(&mut journal, &mut after, 2).unwrap_or_else(|e| panic!("{row}: {e}"));
    drop(journal);
    let (_, again) = open(disk).unwrap_or_else(|e| panic!("{row}: {e}"));
    assert_eq!(again.len(), usize::from(size) + 2, "{row}");
}

#[test]
fn each_write_fails_once_in_each_way_and_the_journal_recovers() {
    let unharmed = MemoryDisk::default();
    let mut told = Told::default();
    life(&unharmed, &mut told).unwrap();
    let points = unharmed.operations();
    audit(&unharmed, &told, "no fault");
    let kinds: BTreeSet<&str> = points.iter().copied().collect();
    println!("{} write points of {} kinds: {kinds:?}", points.len(), kinds.len());
    assert!(points.len() >= 12 && kinds.len() >= 6, "{points:?}");
    for (point, kind) in points.iter().enumerate() {
        for persists in [Persists::Nothing, Persists::Half, Persists::NamesOnly, Persists::All] {
            let disk = MemoryDisk::failing_at(point, persists);
            let mut told = Told::default();
            assert!(life(&disk, &mut told).is_err(), "write {point} ({kind}) did not fail");
            audit(&disk, &told, &format!("write {point} ({kind}), of which {persists:?} persisted"));
        }
    }
}

#[test]
fn a_second_fault_during_the_recovery_from_the_first_changes_nothing() {
    let points = {
        let disk = MemoryDisk::default();
        life(&disk, &mut Told::default()).unwrap();
        disk.operations().len()
    };
    let mut rows = 0;
    for point in (3..points).step_by(3) {
        for second in 0..8 {
            for persists in [Persists::Nothing, Persists::Half] {
                let disk = MemoryDisk::failing_at(point, persists);
                let mut told = Told::default();
                assert!(life(&disk, &mut told).is_err());
                disk.crash();
                disk.fail_after(second, persists);
                drop(open(&disk));
                // Entries without keys are committed after it, then the power goes again.
                disk.crash();
                if let Ok((mut journal, seen)) = open(&disk) {
                    let next = u8::try_from(seen.len()).unwrap();
                    // The next three numbers, of which one has keys.
                    let mut after = Told { entries: next, ..Told::default() };
                    commit(&mut journal, &mut after, 3).unwrap();
                    drop(journal);
                    let under_way = 0;
                    let heads = after.heads;
                    audit(
                        &disk,
                        &Told { entries: next + 3, under_way, heads, erased: told.erased, erasing: told.erasing },
                        &format!("write {point}, then {second}"),
                    );
                } else {
                    audit(&disk, &told, &format!("write {point}, then {second}"));
                }
                rows += 1;
            }
        }
    }
    assert!(rows > 100);
}

#[test]
fn keys_of_a_batch_that_was_never_committed_do_not_come_back_after_a_second_power_cut() {
    let disk = MemoryDisk::default();
    Journal::create(&disk, &settings(), &record(0)).unwrap();
    let (mut journal, _) = open(&disk).unwrap();
    let keyed = |number: u8| Record {
        keys: Some(Keys { message_id: [number; 16], wrapped: [number; 88] }),
        ..Record::entry(vec![number])
    };
    // The three slots and their sync succeed, the segment's write does not.
    disk.fail_after(2, Persists::Nothing);
    assert!(journal.commit(vec![keyed(1), keyed(2), keyed(3)], ()).is_err());
    drop(journal);
    disk.crash();
    let (mut journal, seen) = open(&disk).unwrap();
    assert_eq!(seen.len(), 1);
    // Entries without keys make the log longer than the indexes in the freed slots.
    journal.commit((1..6).map(|number| Record::entry(vec![number])).collect(), ()).unwrap();
    drop(journal);
    disk.crash();
    let (journal, seen) = open(&disk).unwrap();
    assert_eq!(seen.len(), 6);
    for number in 1..4 {
        assert_eq!(journal.keys(&[number; 16]).unwrap(), None, "keys of a notice that never was");
    }
}

#[test]
fn after_a_failed_write_nothing_more_is_committed() {
    let disk = MemoryDisk::default();
    Journal::create(&disk, &settings(), &record(0)).unwrap();
    let (mut journal, _) = open(&disk).unwrap();
    disk.fail_next(Persists::Nothing);
    assert!(matches!(journal.commit(vec![record(1)], ()), Err(JournalError::Io { .. })));
    disk.crash();
    assert!(matches!(journal.commit(vec![record(1)], ()), Err(JournalError::Failed)));
    assert!(matches!(journal.close(), Err(JournalError::Failed)));
}

#[test]
fn a_full_disk_is_said_before_anything_is_accepted() {
    let disk = MemoryDisk::default();
    Journal::create(&disk, &settings(), &record(0)).unwrap();
    let (journal, _) = open(&disk).unwrap();
    assert!(journal.require_room(1000).is_ok());
    disk.set_free((64 << 20) + 999);
    assert!(matches!(journal.require_room(1000), Err(JournalError::Full { .. })));
    assert_eq!(journal.entry(LogIndex(0)).unwrap(), b"entry 0");
}
