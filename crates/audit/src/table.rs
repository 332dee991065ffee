//! What is known by message id while a log is read through: in a file without a name, so that memory does not grow with the log.
//!
//! # Layout
//! Slots with open addressing: one byte that is 1 where the slot is used, the message id, the value. Slots follow from a keyed hash, so nobody can
//! write a log whose ids all want the same one.

use std::cell::RefCell;
use std::env;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::process;

use verbale_evidence::MessageId;

/// A table begins with at least so many slots, and with at most so many, whatever a log claims to hold.
const SLOTS_FIRST: (u64, u64) = (4096, 1 << 26);

/// A slot is at most so large.
const SLOT_MAX: usize = 128;

/// A used slot before its value.
const HEAD: usize = 17;

/// Values of `N` bytes by message id.
pub(crate) struct Table<const N: usize> {
    file: File,
    slots: u64,
    held: u64,
    hasher: RandomState,
    /// The first read or write that failed: nothing that was answered since counts.
    trouble: RefCell<Option<io::Error>>,
}

impl<const N: usize> Table<N> {
    /// A table that need not grow for so many values; what is not used of its file takes no room.
    ///
    /// # Errors
    /// When no file can be made in the folder for temporary files.
    pub(crate) fn new(expected: u64) -> io::Result<Self> {
        let (least, most) = SLOTS_FIRST;
        Self::with_slots(expected.saturating_mul(3).div_ceil(2).clamp(least, most), RandomState::new())
    }

    fn with_slots(slots: u64, hasher: RandomState) -> io::Result<Self> {
        let name = format!("verbale-audit-{}-{:016x}", process::id(), RandomState::new().hash_one(slots));
        let path = env::temp_dir().join(name);
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        fs::remove_file(&path)?;
        file.set_len(offset::<N>(slots))?;
        Ok(Self { file, slots, held: 0, hasher, trouble: RefCell::new(None) })
    }

    /// Whether everything could be read and written.
    ///
    /// # Errors
    /// The first failure.
    pub(crate) fn check(&self) -> io::Result<()> {
        let explained = |error: io::Error| {
            let text = format!("{}: {error}; set TMPDIR to a folder with room", env::temp_dir().display());
            io::Error::new(error.kind(), text)
        };
        self.trouble.take().map_or(Ok(()), |error| Err(explained(error)))
    }

    pub(crate) fn get(&self, id: &MessageId) -> Option<[u8; N]> {
        self.tried(self.find(id)).and_then(|(_, found)| found)
    }

    /// Adds a value; false when there is one of that id, which stays.
    pub(crate) fn add(&mut self, id: &MessageId, value: &[u8; N]) -> bool {
        let done = self.try_add(id, value);
        self.tried(done).unwrap_or_default()
    }

    fn try_add(&mut self, id: &MessageId, value: &[u8; N]) -> io::Result<bool> {
        let (at, found) = self.find(id)?;
        if found.is_none() {
            self.place(at, id, true, value)?;
        }
        Ok(found.is_none())
    }

    fn place(&mut self, at: u64, id: &MessageId, is_new: bool, value: &[u8; N]) -> io::Result<()> {
        self.put(at, id, value)?;
        self.held += u64::from(is_new);
        // More than two thirds full it would be slow.
        if self.held * 3 > self.slots * 2 { self.grow() } else { Ok(()) }
    }

    /// Changes the value of an id, or adds one.
    pub(crate) fn update(&mut self, id: &MessageId, value: impl FnOnce(Option<[u8; N]>) -> [u8; N]) {
        let done = self.find(id).and_then(|(at, found)| self.place(at, id, found.is_none(), &value(found)));
        self.tried(done);
    }

    fn grow(&mut self) -> io::Result<()> {
        let mut larger = Self::with_slots(self.slots * 2, self.hasher.clone())?;
        for at in 0..self.slots {
            if let Some((id, value)) = self.slot(at)? {
                let (place, _) = larger.find(&id)?;
                larger.put(place, &id, &value)?;
            }
        }
        larger.held = self.held;
        *self = larger;
        Ok(())
    }

    /// The slot of an id, or the empty one where it belongs.
    fn find(&self, id: &MessageId) -> io::Result<(u64, Option<[u8; N]>)> {
        let mut at = self.hasher.hash_one(id.as_bytes()) % self.slots;
        loop {
            match self.slot(at)? {
                None => return Ok((at, None)),
                Some((of, value)) if of == *id => return Ok((at, Some(value))),
                Some(_) => at = (at + 1) % self.slots,
            }
        }
    }

    fn slot(&self, at: u64) -> io::Result<Option<(MessageId, [u8; N])>> {
        let mut bytes = [0; SLOT_MAX];
        let (slot, _) = bytes.split_at_mut(const { HEAD + N });
        self.file.read_exact_at(slot, offset::<N>(at))?;
        let used = slot.split_first_chunk::<HEAD>().filter(|([used, ..], _)| *used == 1);
        Ok(used
            .and_then(|([_, id @ ..], value)| Some((MessageId::try_from(id.as_slice()).ok()?, value.try_into().ok()?))))
    }

    fn put(&self, at: u64, id: &MessageId, value: &[u8; N]) -> io::Result<()> {
        self.file.write_all_at(&[&[1], id.as_bytes().as_slice(), value].concat(), offset::<N>(at))
    }

    fn tried<T>(&self, done: io::Result<T>) -> Option<T> {
        done.map_err(|error| self.trouble.borrow_mut().get_or_insert(error).kind()).ok()
    }
}

const fn offset<const N: usize>(at: u64) -> u64 {
    at * (HEAD + N) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> MessageId {
        let mut random = [0; 10];
        random[..4].copy_from_slice(&number.to_le_bytes());
        MessageId::new(u64::from(number), &random)
    }

    #[test]
    fn what_was_added_is_there_whatever_the_size_of_the_table_and_nothing_else() {
        let mut table = Table::<4>::new(0).unwrap();
        for number in 0..10_000_u32 {
            assert_eq!(table.get(&id(number)), None);
            assert!(table.add(&id(number), &number.to_le_bytes()));
        }
        assert!(table.slots > SLOTS_FIRST.0, "it did not grow");
        assert!(!table.add(&id(77), &[9; 4]));
        table.update(&id(78), |found| {
            assert_eq!(found, Some(78_u32.to_le_bytes()));
            [9; 4]
        });
        for number in 0..10_000_u32 {
            let expected = if number == 78 { [9; 4] } else { number.to_le_bytes() };
            assert_eq!(table.get(&id(number)), Some(expected));
        }
        assert_eq!((table.held, table.get(&id(10_000))), (10_000, None));
        table.update(&id(10_000), |found| found.unwrap_or([8; 4]));
        assert_eq!((table.held, table.get(&id(10_000))), (10_001, Some([8; 4])));
        table.check().unwrap();
    }

    #[test]
    fn what_cannot_be_read_is_no_answer() {
        let mut table = Table::<1>::new(u64::MAX).unwrap();
        table.add(&id(1), &[1]);
        table.file.set_len(0).unwrap();
        assert_eq!(table.get(&id(1)), None);
        assert!(table.check().is_err());
    }
}
