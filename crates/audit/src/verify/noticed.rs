//! The notices of a log, as far as later entries ask about them: kept in a file without a name, so that memory does not grow with the log.
//!
//! # Layout
//! A table of slots with open addressing. A slot is message id (16), flags, zero, flow (2), channel (4), digest of the statement (32), message id that
//! it answers (16), last release (8), integers little-endian; all zeros is empty. Slots follow from a keyed hash, so nobody can write a log whose
//! notices all want the same one.

use std::cell::RefCell;
use std::env;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::process;

use verbale_evidence::{MessageId, StatementDigest};

use crate::export::Missing;

const SLOT: usize = 80;

/// Slots of a new table.
const SLOTS_FIRST: u64 = 4096;

const USED: u8 = 1;
const SENT: u8 = 2;
const REFUSED: u8 = 4;
const ANSWERS: u8 = 8;

/// A notice of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Noticed {
    pub(super) sent: bool,
    /// Refused by this node.
    pub(super) refused: bool,
    pub(super) digest: StatementDigest,
    pub(super) channel: u32,
    pub(super) flow: u16,
    pub(super) answers: Option<MessageId>,
    /// Its last release, plus one; 0: none.
    pub(super) last_release: u64,
}

/// Notices by message id.
pub(super) struct Notices {
    table: File,
    slots: u64,
    held: u64,
    hasher: RandomState,
    /// The first read or write that failed: what was found since then says nothing.
    trouble: RefCell<Option<io::Error>>,
}

impl Notices {
    /// # Errors
    /// [`Missing`], when no file can be made in the folder for temporary files.
    pub(super) fn new() -> Result<Self, Missing> {
        let hasher = RandomState::new();
        let table = table(SLOTS_FIRST, &hasher).map_err(unusable)?;
        Ok(Self { table, slots: SLOTS_FIRST, held: 0, hasher, trouble: RefCell::new(None) })
    }

    /// Whether everything could be read and written.
    ///
    /// # Errors
    /// [`Missing`].
    pub(super) fn check(&self) -> Result<(), Missing> {
        self.trouble.take().map_or(Ok(()), |trouble| Err(unusable(trouble)))
    }

    pub(super) fn get(&self, id: &MessageId) -> Option<Noticed> {
        self.tried(self.find(id)).and_then(|(_, found)| found)
    }

    pub(super) fn contains(&self, id: &MessageId) -> bool {
        self.get(id).is_some()
    }

    /// Adds a notice; false when there is one of that id, which stays.
    pub(super) fn add(&mut self, id: &MessageId, noticed: &Noticed) -> bool {
        let done = self.try_add(id, noticed);
        self.tried(done).unwrap_or_default()
    }

    fn try_add(&mut self, id: &MessageId, noticed: &Noticed) -> io::Result<bool> {
        let (at, found) = self.find(id)?;
        if found.is_some() {
            return Ok(false);
        }
        self.table.write_all_at(&encode(id, noticed), offset(at))?;
        self.held += 1;
        // More than two thirds full it would be slow.
        if self.held * 3 > self.slots * 2 {
            self.grow()?;
        }
        Ok(true)
    }

    /// Notes the last release of a notice that is there.
    pub(super) fn released(&mut self, id: &MessageId, last_release: u64) {
        let done = self.find(id).and_then(|(at, found)| {
            let noticed = found.map(|found| Noticed { last_release, ..found });
            noticed.map_or(Ok(()), |noticed| self.table.write_all_at(&encode(id, &noticed), offset(at)))
        });
        self.tried(done);
    }

    fn grow(&mut self) -> io::Result<()> {
        let slots = self.slots * 2;
        let larger = Self {
            table: table(slots, &self.hasher)?,
            slots,
            held: self.held,
            hasher: self.hasher.clone(),
            trouble: RefCell::new(None),
        };
        for at in 0..self.slots {
            let slot = self.slot(at)?;
            if let Some((id, _)) = decode(&slot) {
                larger.table.write_all_at(&slot, offset(larger.find(&id)?.0))?;
            }
        }
        *self = larger;
        Ok(())
    }

    /// The slot of an id, or the empty one where it belongs.
    fn find(&self, id: &MessageId) -> io::Result<(u64, Option<Noticed>)> {
        let mut at = self.hasher.hash_one(id.as_bytes()) % self.slots;
        loop {
            match decode(&self.slot(at)?) {
                None => return Ok((at, None)),
                Some((of, noticed)) if of == *id => return Ok((at, Some(noticed))),
                Some(_) => at = (at + 1) % self.slots,
            }
        }
    }

    fn slot(&self, at: u64) -> io::Result<[u8; SLOT]> {
        let mut slot = [0; SLOT];
        self.table.read_exact_at(&mut slot, offset(at))?;
        Ok(slot)
    }

    fn tried<T>(&self, done: io::Result<T>) -> Option<T> {
        done.map_err(|error| self.trouble.borrow_mut().get_or_insert(error).kind()).ok()
    }
}

fn offset(at: u64) -> u64 {
    at * SLOT as u64
}

/// An empty table in a file that has no name any more.
fn table(slots: u64, hasher: &RandomState) -> io::Result<File> {
    let name = format!("verbale-audit-{}-{:016x}", process::id(), hasher.hash_one(slots));
    let path = env::temp_dir().join(name);
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    fs::remove_file(&path)?;
    file.set_len(offset(slots))?;
    Ok(file)
}

fn unusable(error: io::Error) -> Missing {
    let hint = "A log is checked with the help of a file there; set TMPDIR to a folder with room";
    Missing::File { path: env::temp_dir(), source: error, hint }
}

fn encode(id: &MessageId, noticed: &Noticed) -> [u8; SLOT] {
    let mut slot = [0; SLOT];
    let flag = |is: bool, flag: u8| if is { flag } else { 0 };
    let flags =
        USED | flag(noticed.sent, SENT) | flag(noticed.refused, REFUSED) | flag(noticed.answers.is_some(), ANSWERS);
    let answers = noticed.answers.map_or([0; 16], |answers| *answers.as_bytes());
    let members: [&[u8]; 7] = [
        id.as_bytes(),
        &[flags, 0],
        &noticed.flow.to_le_bytes(),
        &noticed.channel.to_le_bytes(),
        &noticed.digest.0,
        &answers,
        &noticed.last_release.to_le_bytes(),
    ];
    slot.iter_mut().zip(members.concat()).for_each(|(to, from)| *to = from);
    slot
}

fn decode(slot: &[u8; SLOT]) -> Option<(MessageId, Noticed)> {
    let (id, rest) = slot.split_first_chunk::<16>()?;
    let (&[flags, _], rest) = rest.split_first_chunk::<2>()?;
    let (flow, rest) = rest.split_first_chunk::<2>()?;
    let (channel, rest) = rest.split_first_chunk::<4>()?;
    let (digest, rest) = rest.split_first_chunk::<32>()?;
    let (answers, last_release) = rest.split_first_chunk::<16>()?;
    if flags & USED == 0 {
        return None;
    }
    let noticed = Noticed {
        sent: flags & SENT != 0,
        refused: flags & REFUSED != 0,
        digest: StatementDigest(*digest),
        channel: u32::from_le_bytes(*channel),
        flow: u16::from_le_bytes(*flow),
        answers: if flags & ANSWERS == 0 { None } else { MessageId::try_from(answers.as_slice()).ok() },
        last_release: u64::from_le_bytes(last_release.try_into().ok()?),
    };
    Some((MessageId::try_from(id.as_slice()).ok()?, noticed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noticed(number: u32) -> (MessageId, Noticed) {
        let mut random = [0; 10];
        random[..4].copy_from_slice(&number.to_le_bytes());
        let answers = number.is_multiple_of(3).then(|| MessageId::new(7, &[1; 10]));
        let noticed = Noticed {
            sent: number.is_multiple_of(2),
            refused: number.is_multiple_of(5),
            digest: StatementDigest([u8::try_from(number % 251).unwrap(); 32]),
            channel: number,
            flow: u16::try_from(number % 40).unwrap(),
            answers,
            last_release: u64::from(number) << 30,
        };
        (MessageId::new(u64::from(number), &random), noticed)
    }

    #[test]
    fn what_was_put_is_there_whatever_the_size_of_the_table_and_nothing_else() {
        let mut notices = Notices::new().unwrap();
        for number in 0..10_000 {
            let (id, noticed) = noticed(number);
            assert_eq!(notices.get(&id), None);
            assert!(notices.add(&id, &noticed));
        }
        assert!(notices.slots > SLOTS_FIRST, "it did not grow");
        let (changed, before) = noticed(77);
        assert!(!notices.add(&changed, &Noticed { channel: 0, ..before }));
        notices.released(&changed, 1);
        for number in 0..10_000 {
            let (id, noticed) = noticed(number);
            let expected = if id == changed { Noticed { last_release: 1, ..noticed } } else { noticed };
            assert_eq!(notices.get(&id), Some(expected));
        }
        assert_eq!((notices.held, notices.get(&noticed(10_000).0)), (10_000, None));
        notices.check().unwrap();
    }

    #[test]
    fn what_cannot_be_read_is_no_answer() {
        let mut notices = Notices::new().unwrap();
        let (id, noticed) = noticed(1);
        notices.add(&id, &noticed);
        notices.table.set_len(0).unwrap();
        assert_eq!(notices.get(&id), None);
        assert!(notices.check().is_err());
    }
}
