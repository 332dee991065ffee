//! The keyring: the one rewritable part. A notice whose slot is gone is erased.
//!
//! # Layout
//! Slots of 128 bytes: CRC-32C of the rest (4), kind 1 (1), zero (3), log index (8), message id (16), wrapped keys (88), zero
//! (8). Numbers are big-endian. A free slot is all zero. A slot of kind 2 is erased, whatever else is in it: the one byte is
//! written first, so a crash before the rest is zero leaves no slot that could be taken for damage.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::error::JournalError;
use crate::files::{Files, StoredFile};
use crate::store::Keys;

/// Length of the wrapped keys of one notice.
pub const SLOT_KEYS_BYTES: usize = 88;

const SLOT_BYTES: usize = 128;
const USED: u8 = 1;
const ERASED: u8 = 2;

/// Where the kind stands in a slot.
const KIND_AT: u64 = 4;

/// Slots are added in so many bytes at once: 1,024 slots.
const STEP_BYTES: u64 = 1024 * SLOT_BYTES as u64;

/// The wrapped keys of all notices.
pub struct Keyring {
    path: PathBuf,
    file: Box<dyn StoredFile>,
    /// Slot of each notice.
    slots: HashMap<[u8; 16], u64>,
    /// Slots that were marked as erased, and may still hold the keys.
    erasing: HashMap<[u8; 16], u64>,
    /// The first slot after all used ones.
    next: u64,
    /// Bytes that are filled.
    filled: u64,
}

impl Keyring {
    pub(crate) fn create(files: &dyn Files, dir: &Path) -> Result<Self, JournalError> {
        let path = keyring_path(dir);
        let file = files.create(&path).map_err(JournalError::io("create", &path))?;
        let mut keyring = Self { path, file, slots: HashMap::new(), erasing: HashMap::new(), next: 0, filled: 0 };
        keyring.fill(STEP_BYTES)?;
        keyring.sync()?;
        Ok(keyring)
    }

    /// Opens the keyring of a log of `size` entries. Slots of entries that were never committed are freed.
    pub(crate) fn open(files: &dyn Files, dir: &Path) -> Result<Self, JournalError> {
        let path = keyring_path(dir);
        let file = files.open(&path).map_err(JournalError::io("open", &path))?;
        let filled = file.length().map_err(JournalError::io("measure", &path))?;
        Ok(Self { path, file, slots: HashMap::new(), erasing: HashMap::new(), next: 0, filled })
    }

    /// Reads all slots of a log of `size` entries; slots of entries that were never committed are freed.
    pub(crate) fn load(&mut self, size: u64) -> Result<(), JournalError> {
        let mut bytes = vec![0; usize::try_from(self.filled).unwrap_or_default()];
        self.file.read_at(0, &mut bytes).map_err(JournalError::io("read", &self.path))?;
        let mut damaged = Vec::new();
        let mut orphans = Vec::new();
        for (number, slot) in (0..).zip(bytes.chunks(SLOT_BYTES)) {
            match read_slot(slot) {
                Slot::Free => {}
                Slot::Bad => damaged.push(number),
                Slot::Erased { message_id } => drop(self.erasing.insert(message_id, number)),
                Slot::Used { index, .. } if index >= size => orphans.push(number),
                Slot::Used { keys, .. } => {
                    self.slots.insert(keys.message_id, number);
                    self.next = number + 1;
                }
            }
        }
        // Slots are given in order: before the last one that a commit covers, a bad slot is no torn write.
        if let Some(number) = damaged.iter().find(|number| **number < self.next) {
            let offset = number * SLOT_BYTES as u64;
            return Err(JournalError::Corrupt {
                path: self.path.clone(),
                offset,
                what: "a slot of the keyring has a wrong checksum",
            });
        }
        let freed: Vec<u64> = damaged.into_iter().chain(orphans).collect();
        for number in &freed {
            self.write(*number, &[0; SLOT_BYTES])?;
        }
        // Before entries without keys make the log so long that a freed slot would count as used.
        if freed.is_empty() { Ok(()) } else { self.sync() }
    }

    /// Writes new slots and makes them durable.
    pub(crate) fn add(&mut self, keys: &[(u64, Keys)]) -> Result<(), JournalError> {
        if keys.is_empty() {
            return Ok(());
        }
        self.fill((self.next + keys.len() as u64) * SLOT_BYTES as u64)?;
        let slots: Vec<u8> = keys.iter().flat_map(|(index, keys)| slot(*index, keys)).collect();
        self.write(self.next, &slots)?;
        for (_, keys) in keys {
            self.slots.insert(keys.message_id, self.next);
            self.next += 1;
        }
        self.sync()
    }

    /// The wrapped keys of a notice; `None` when they were erased or never kept.
    ///
    /// # Errors
    /// [`JournalError::Io`], [`JournalError::Corrupt`].
    pub fn get(&self, message_id: &[u8; 16]) -> Result<Option<[u8; SLOT_KEYS_BYTES]>, JournalError> {
        let Some(number) = self.slots.get(message_id) else { return Ok(None) };
        let (mut bytes, offset) = ([0; SLOT_BYTES], number * SLOT_BYTES as u64);
        self.file.read_at(offset, &mut bytes).map_err(JournalError::io("read", &self.path))?;
        match read_slot(&bytes) {
            Slot::Used { keys, .. } if keys.message_id == *message_id => Ok(Some(keys.wrapped)),
            _ => Err(JournalError::Corrupt {
                path: self.path.clone(),
                offset,
                what: "a slot of the keyring changed while in use",
            }),
        }
    }

    /// Erases the wrapped keys of a notice. Again, it changes nothing.
    ///
    /// # Durability
    /// On return the keys are overwritten on disk.
    pub(crate) fn erase(&mut self, message_id: &[u8; 16]) -> Result<(), JournalError> {
        if let Some(number) = self.slots.remove(message_id) {
            // A crash after this: the slot is erased, and what is left in it is overwritten when this is asked again.
            self.write_bytes(number * SLOT_BYTES as u64 + KIND_AT, &[ERASED])?;
            self.sync()?;
            self.erasing.insert(*message_id, number);
        }
        if let Some(number) = self.erasing.get(message_id).copied() {
            let (start, rest) = (number * SLOT_BYTES as u64, [0; SLOT_BYTES]);
            let (before, after) = rest.split_at(usize::try_from(KIND_AT).unwrap_or_default());
            self.write_bytes(start, before)?;
            self.write_bytes(start + KIND_AT + 1, after.get(1..).unwrap_or_default())?;
            self.sync()?;
            self.erasing.remove(message_id);
        }
        Ok(())
    }

    fn fill(&mut self, needed: u64) -> Result<(), JournalError> {
        if needed > self.filled {
            let to = needed.next_multiple_of(STEP_BYTES);
            let zeros = vec![0; usize::try_from(to - self.filled).unwrap_or_default()];
            self.file.write_at(self.filled, &zeros).map_err(JournalError::io("write", &self.path))?;
            self.filled = to;
        }
        Ok(())
    }

    /// Writes whole slots, the first under this number.
    fn write(&self, number: u64, slots: &[u8]) -> Result<(), JournalError> {
        self.write_bytes(number * SLOT_BYTES as u64, slots)
    }

    fn write_bytes(&self, offset: u64, bytes: &[u8]) -> Result<(), JournalError> {
        self.file.write_at(offset, bytes).map_err(JournalError::io("write", &self.path))
    }

    pub(crate) fn sync(&self) -> Result<(), JournalError> {
        self.file.sync().map_err(JournalError::io("sync", &self.path))
    }
}

enum Slot {
    Free,
    Used { index: u64, keys: Keys },
    Erased { message_id: [u8; 16] },
    Bad,
}

fn slot(index: u64, keys: &Keys) -> [u8; SLOT_BYTES] {
    let mut rest = vec![USED, 0, 0, 0];
    rest.extend_from_slice(&index.to_be_bytes());
    rest.extend_from_slice(&keys.message_id);
    rest.extend_from_slice(&keys.wrapped);
    rest.resize(SLOT_BYTES - 4, 0);
    let mut slot = [0; SLOT_BYTES];
    let crc = crc32c::crc32c(&rest).to_be_bytes();
    slot.iter_mut().zip(crc.into_iter().chain(rest)).for_each(|(to, from)| *to = from);
    slot
}

fn read_slot(bytes: &[u8]) -> Slot {
    if bytes.iter().all(|byte| *byte == 0) {
        return Slot::Free;
    }
    let parts = bytes.split_first_chunk::<4>().and_then(|(crc, rest)| {
        let (index, after) = rest.get(4..)?.split_first_chunk::<8>()?;
        let (message_id, after) = after.split_first_chunk::<16>()?;
        Some((crc, rest, index, message_id, after.first_chunk::<SLOT_KEYS_BYTES>()?))
    });
    match parts {
        Some((_, [ERASED, ..], _, message_id, _)) => Slot::Erased { message_id: *message_id },
        Some((crc, rest, index, message_id, wrapped)) if crc32c::crc32c(rest).to_be_bytes() == *crc => {
            let keys = Keys { message_id: *message_id, wrapped: *wrapped };
            Slot::Used { index: u64::from_be_bytes(*index), keys }
        }
        _ => Slot::Bad,
    }
}

fn keyring_path(dir: &Path) -> PathBuf {
    dir.join("keyring")
}
