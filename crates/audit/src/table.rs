//! What is known by key while a log is read through: in files without names, so that memory does not grow with the log.
//!
//! # Layout
//! [`Table`]: slots with open addressing: one byte that is 1 where the slot is used, the key, the value. Slots follow from a keyed hash, so nobody
//! can write a log whose ids all want the same one. [`Rows`]: key and value, one after the other, and a table of their places.

use std::cell::RefCell;
use std::env;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::process;

/// A table begins with at least so many slots, and with at most so many, whatever a log claims to hold.
const SLOTS_FIRST: (u64, u64) = (4096, 1 << 26);

/// A slot is at most so large.
const SLOT_MAX: usize = 128;

/// Values that are in memory besides.
const RECENT: usize = 4096;

/// Rows that are read at once.
const ROWS_READ: u64 = 1024;

/// Values of `N` bytes by keys of `K`.
pub(crate) struct Table<const K: usize, const N: usize> {
    file: File,
    slots: u64,
    held: u64,
    hasher: RandomState,
    /// What was written last, at a place that follows from the key's hash. Most of what is asked for is of shortly before: a receipt's notice.
    recent: Vec<Option<([u8; K], [u8; N])>>,
    /// The first read or write that failed: nothing that was answered since counts.
    trouble: RefCell<Option<io::Error>>,
}

impl<const K: usize, const N: usize> Table<K, N> {
    /// Bytes of a slot.
    const SLOT: u64 = (1 + K + N) as u64;

    /// A table that need not grow for so many values; what is not used of its file takes no room.
    ///
    /// # Errors
    /// When no file can be made in the folder for temporary files.
    pub(crate) fn new(expected: u64) -> io::Result<Self> {
        let (least, most) = SLOTS_FIRST;
        Self::with_slots(expected.saturating_mul(3).div_ceil(2).clamp(least, most), RandomState::new())
    }

    fn with_slots(slots: u64, hasher: RandomState) -> io::Result<Self> {
        let file = nameless()?;
        file.set_len(slots * Self::SLOT)?;
        Ok(Self { file, slots, held: 0, hasher, recent: vec![None; RECENT], trouble: RefCell::new(None) })
    }

    /// Whether everything could be read and written.
    ///
    /// # Errors
    /// The first failure.
    pub(crate) fn check(&self) -> io::Result<()> {
        self.trouble.take().map_or(Ok(()), |error| Err(explained(&error)))
    }

    pub(crate) fn get(&self, key: &[u8; K]) -> Option<[u8; N]> {
        if let Some(Some((of, value))) = self.recent.get(self.place_among_recent(key))
            && of == key
        {
            return Some(*value);
        }
        self.tried(self.find(key)).and_then(|(_, found)| found)
    }

    /// Adds a value; false when there is one of that id, which stays.
    pub(crate) fn add(&mut self, key: &[u8; K], value: &[u8; N]) -> bool {
        let done = self.try_add(key, value);
        self.tried(done).unwrap_or_default()
    }

    fn try_add(&mut self, key: &[u8; K], value: &[u8; N]) -> io::Result<bool> {
        let (at, found) = self.find(key)?;
        if found.is_none() {
            self.place(at, key, true, value)?;
        }
        Ok(found.is_none())
    }

    fn place(&mut self, at: u64, key: &[u8; K], is_new: bool, value: &[u8; N]) -> io::Result<()> {
        self.put(at, key, value)?;
        let among_recent = self.place_among_recent(key);
        if let Some(place) = self.recent.get_mut(among_recent) {
            *place = Some((*key, *value));
        }
        self.held += u64::from(is_new);
        // More than two thirds full it would be slow.
        if self.held * 3 > self.slots * 2 { self.grow() } else { Ok(()) }
    }

    /// Changes the value of an id, or adds one.
    pub(crate) fn update(&mut self, key: &[u8; K], value: impl FnOnce(Option<[u8; N]>) -> [u8; N]) {
        let done = self.find(key).and_then(|(at, found)| self.place(at, key, found.is_none(), &value(found)));
        self.tried(done);
    }

    fn grow(&mut self) -> io::Result<()> {
        let mut larger = Self::with_slots(self.slots * 2, self.hasher.clone())?;
        for at in 0..self.slots {
            if let Some((key, value)) = self.slot(at)? {
                let (place, _) = larger.find(&key)?;
                larger.put(place, &key, &value)?;
            }
        }
        larger.held = self.held;
        larger.recent = std::mem::take(&mut self.recent);
        *self = larger;
        Ok(())
    }

    /// The slot of an id, or the empty one where it belongs.
    fn find(&self, key: &[u8; K]) -> io::Result<(u64, Option<[u8; N]>)> {
        let mut at = self.hash(key) % self.slots;
        loop {
            match self.slot(at)? {
                None => return Ok((at, None)),
                Some((of, value)) if of == *key => return Ok((at, Some(value))),
                Some(_) => at = (at + 1) % self.slots,
            }
        }
    }

    fn hash(&self, key: &[u8; K]) -> u64 {
        self.hasher.hash_one(key)
    }

    fn place_among_recent(&self, key: &[u8; K]) -> usize {
        usize::try_from(self.hash(key) % RECENT as u64).unwrap_or_default()
    }

    fn slot(&self, at: u64) -> io::Result<Option<([u8; K], [u8; N])>> {
        let mut bytes = [0; SLOT_MAX];
        let (slot, _) = bytes.split_at_mut(const { 1 + K + N });
        self.file.read_exact_at(slot, at * Self::SLOT)?;
        Ok(slot.split_first().filter(|(used, _)| **used == 1).and_then(|(_, row)| split(row)))
    }

    fn put(&self, at: u64, key: &[u8; K], value: &[u8; N]) -> io::Result<()> {
        self.file.write_all_at(&[[1].as_slice(), key, value].concat(), at * Self::SLOT)
    }

    fn tried<T>(&self, done: io::Result<T>) -> Option<T> {
        done.map_err(|error| self.trouble.borrow_mut().get_or_insert(error).kind()).ok()
    }
}

/// Values of `N` bytes in the order in which they came, each found by its key of `K`.
pub(crate) struct Rows<const K: usize, const N: usize> {
    places: Table<K, 8>,
    file: File,
    held: u64,
}

impl<const K: usize, const N: usize> Rows<K, N> {
    /// Bytes of a row.
    const ROW: u64 = (K + N) as u64;

    /// Of so many, or more.
    ///
    /// # Errors
    /// When no file can be made in the folder for temporary files.
    pub(crate) fn new(expected: u64) -> io::Result<Self> {
        Ok(Self { places: Table::new(expected)?, file: nameless()?, held: 0 })
    }

    /// Whether everything could be read and written.
    ///
    /// # Errors
    /// The first failure.
    pub(crate) fn check(&self) -> io::Result<()> {
        self.places.check()
    }

    pub(crate) fn get(&self, key: &[u8; K]) -> Option<[u8; N]> {
        let place = u64::from_le_bytes(self.places.get(key)?);
        let mut value = [0; N];
        let read = self.file.read_exact_at(&mut value, place * Self::ROW + K as u64);
        self.places.tried(read).map(|()| value)
    }

    /// Adds a value, or changes that of a key which is there.
    pub(crate) fn put(&mut self, key: &[u8; K], value: &[u8; N]) {
        let place = self.places.get(key).map_or(self.held, u64::from_le_bytes);
        let written = self.file.write_all_at(&[key.as_slice(), value].concat(), place * Self::ROW);
        self.places.tried(written);
        if place == self.held {
            self.places.add(key, &place.to_le_bytes());
            self.held += 1;
        }
    }

    /// Takes all, in their order.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) fn each(&self, mut take: impl FnMut([u8; K], [u8; N])) -> io::Result<()> {
        let mut at = 0;
        while at < self.held {
            let some = (self.held - at).min(ROWS_READ);
            let mut bytes = vec![0; usize::try_from(some * Self::ROW).unwrap_or_default()];
            self.file.read_exact_at(&mut bytes, at * Self::ROW).map_err(|error| explained(&error))?;
            for (key, value) in bytes.chunks_exact(K + N).filter_map(split) {
                take(key, value);
            }
            at += some;
        }
        Ok(())
    }
}

/// A new file that only this process has.
fn nameless() -> io::Result<File> {
    let name = format!("verbale-audit-{}-{:016x}", process::id(), RandomState::new().hash_one(0));
    let path = env::temp_dir().join(name);
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

fn split<const K: usize, const N: usize>(row: &[u8]) -> Option<([u8; K], [u8; N])> {
    let (key, value) = row.split_first_chunk::<K>()?;
    Some((*key, value.try_into().ok()?))
}

fn explained(error: &io::Error) -> io::Error {
    let text = format!("{}: {error}; set TMPDIR to a folder with room", env::temp_dir().display());
    io::Error::new(error.kind(), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> [u8; 4] {
        number.to_le_bytes()
    }

    #[test]
    fn what_was_added_is_there_whatever_the_size_of_the_table_and_nothing_else() {
        let mut table = Table::<4, 4>::new(0).unwrap();
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
        let mut table = Table::<4, 1>::new(u64::MAX).unwrap();
        table.add(&id(1), &[1]);
        table.file.set_len(0).unwrap();
        assert_eq!(table.get(&id(2)), None);
        assert!(table.check().is_err());
    }

    #[test]
    fn rows_come_back_in_their_order_whatever_was_changed_meanwhile() {
        let mut rows = Rows::<4, 2>::new(0).unwrap();
        for number in 0..10_000_u32 {
            rows.put(&id(number), &[1, 2]);
        }
        rows.put(&id(3), &[9, 9]);
        let mut seen = Vec::new();
        rows.each(|key, value| seen.push((u32::from_le_bytes(key), value))).unwrap();
        let expected = (0..10_000).map(|number| (number, if number == 3 { [9, 9] } else { [1, 2] }));
        assert!(seen.into_iter().eq(expected));
        assert_eq!((rows.get(&id(3)), rows.get(&id(4)), rows.get(&id(10_000))), (Some([9, 9]), Some([1, 2]), None));
        rows.check().unwrap();
        rows.file.set_len(0).unwrap();
        assert!(rows.each(|_, _| panic!("nothing can be read")).is_err());
        assert_eq!((rows.get(&id(4)), rows.check().is_err()), (None, true));
    }
}
