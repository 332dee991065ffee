//! What two logs are compared by, as rows of a file: numbers are little-endian, and 0 stands for what is not there.

use std::io;
use std::marker::PhantomData;

use verbale_evidence::MessageId;
use verbale_ledger::{Hash, LogSize};

use crate::export::Missing;
use crate::table::Rows;

/// Bytes of a record; each kind fills them.
const BYTES: usize = 73;

/// Records by keys of `K` bytes, in the order in which they came.
pub(crate) struct Records<const K: usize, T>(Rows<K, BYTES>, PhantomData<T>);

/// Log and size of a head.
pub(crate) type HeadKey = [u8; 12];

/// A notice that was received or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) channel: u32,
    pub(crate) message_id: MessageId,
    pub(crate) number: u64,
    pub(crate) entry: u64,
    /// How many logs before this one told it, each at an index that is less by one; 0: none.
    pub(crate) shift: u32,
    pub(crate) created_ms: i64,
    pub(crate) refused: bool,
    /// The dates in it; 0: none.
    pub(crate) dates: (i64, i64),
}

/// A notice that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) channel: u32,
    pub(crate) message_id: MessageId,
    pub(crate) number: u64,
    pub(crate) entry: u64,
    pub(crate) not_after_ms: i64,
    /// The log, by its place in the list of origins, and the entry that the last receipt names.
    pub(crate) receipt: Option<(u32, u64)>,
    /// The dates in it; 0: none.
    pub(crate) dates: (i64, i64),
    /// Its log tells that it never left.
    pub(crate) displaced: bool,
}

/// A head of a counterpart's log that is held here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeldHead {
    pub(crate) root: Hash,
    /// The entry of the receipt that carries it; none: it was cosigned.
    pub(crate) entry: Option<u64>,
    /// A moment at or before which the counterpart signed it.
    pub(crate) by_ms: i64,
}

/// What a row holds.
pub(crate) trait Record: Sized {
    fn encode(&self) -> [u8; BYTES];
    fn decode(bytes: [u8; BYTES]) -> Option<Self>;
}

impl<const K: usize, T: Record> Records<K, T> {
    /// Of a log with so many entries.
    ///
    /// # Errors
    /// [`Missing`], when no file can be made in the folder for temporary files.
    pub(super) fn new(size: LogSize) -> Result<Self, Missing> {
        Ok(Self(Rows::new(size.0).map_err(Missing::temporary)?, PhantomData))
    }

    pub(crate) fn get(&self, key: &[u8; K]) -> Option<T> {
        self.0.get(key).and_then(T::decode)
    }

    /// Adds a record, or changes that of a key which is there.
    pub(super) fn put(&mut self, key: &[u8; K], record: &T) {
        self.0.put(key, &record.encode());
    }

    /// Takes all, in their order.
    ///
    /// # Errors
    /// [`Missing`], when they cannot be read, or could not be written.
    pub(crate) fn each(&self, mut take: impl FnMut(&[u8; K], T)) -> Result<(), Missing> {
        let mut taken = || -> io::Result<()> {
            self.0.check()?;
            self.0.each(|key, bytes| {
                if let Some(record) = T::decode(bytes) {
                    take(&key, record);
                }
            })
        };
        taken().map_err(Missing::temporary)
    }

    /// Whether everything could be read and written.
    ///
    /// # Errors
    /// [`Missing`].
    pub(crate) fn check(&self) -> Result<(), Missing> {
        self.0.check().map_err(Missing::temporary)
    }
}

/// The key of a head.
pub(crate) fn head_key(log: u32, size: u64) -> HeadKey {
    let mut key = HeadKey::default();
    let (of_log, of_size) = key.split_at_mut(4);
    of_log.copy_from_slice(&log.to_le_bytes());
    of_size.copy_from_slice(&size.to_le_bytes());
    key
}

/// Log and size of the head of a key.
pub(crate) fn head_of(key: &HeadKey) -> (u32, u64) {
    let [a, b, c, d, size @ ..] = *key;
    (u32::from_le_bytes([a, b, c, d]), u64::from_le_bytes(size))
}

impl Record for Taken {
    fn encode(&self) -> [u8; BYTES] {
        joined(&[
            &self.channel.to_le_bytes(),
            self.message_id.as_bytes(),
            &self.number.to_le_bytes(),
            &self.entry.to_le_bytes(),
            &self.shift.to_le_bytes(),
            &self.created_ms.to_le_bytes(),
            &[u8::from(self.refused)],
            &self.dates.0.to_le_bytes(),
            &self.dates.1.to_le_bytes(),
        ])
    }

    fn decode(bytes: [u8; BYTES]) -> Option<Self> {
        let rest = &mut bytes.as_slice();
        Some(Self {
            channel: u32::from_le_bytes(next(rest)?),
            message_id: MessageId::try_from(next::<16>(rest)?.as_slice()).ok()?,
            number: u64::from_le_bytes(next(rest)?),
            entry: u64::from_le_bytes(next(rest)?),
            shift: u32::from_le_bytes(next(rest)?),
            created_ms: i64::from_le_bytes(next(rest)?),
            refused: next::<1>(rest)? == [1],
            dates: (i64::from_le_bytes(next(rest)?), i64::from_le_bytes(next(rest)?)),
        })
    }
}

impl Record for Sent {
    fn encode(&self) -> [u8; BYTES] {
        let (log, index) = self.receipt.map_or((0, 0), |(log, index)| (log.saturating_add(1), index));
        joined(&[
            &self.channel.to_le_bytes(),
            self.message_id.as_bytes(),
            &self.number.to_le_bytes(),
            &self.entry.to_le_bytes(),
            &self.not_after_ms.to_le_bytes(),
            &log.to_le_bytes(),
            &index.to_le_bytes(),
            &self.dates.0.to_le_bytes(),
            &self.dates.1.to_le_bytes(),
            &[u8::from(self.displaced)],
        ])
    }

    fn decode(bytes: [u8; BYTES]) -> Option<Self> {
        let rest = &mut bytes.as_slice();
        Some(Self {
            channel: u32::from_le_bytes(next(rest)?),
            message_id: MessageId::try_from(next::<16>(rest)?.as_slice()).ok()?,
            number: u64::from_le_bytes(next(rest)?),
            entry: u64::from_le_bytes(next(rest)?),
            not_after_ms: i64::from_le_bytes(next(rest)?),
            receipt: u32::from_le_bytes(next(rest)?).checked_sub(1).zip(next(rest).map(u64::from_le_bytes)),
            dates: (i64::from_le_bytes(next(rest)?), i64::from_le_bytes(next(rest)?)),
            displaced: next::<1>(rest)? == [1],
        })
    }
}

impl Record for HeldHead {
    fn encode(&self) -> [u8; BYTES] {
        let entry = self.entry.map_or(0, |entry| entry.saturating_add(1));
        joined(&[&self.root, &entry.to_le_bytes(), &self.by_ms.to_le_bytes()])
    }

    fn decode(bytes: [u8; BYTES]) -> Option<Self> {
        let rest = &mut bytes.as_slice();
        Some(Self {
            root: next(rest)?,
            entry: u64::from_le_bytes(next(rest)?).checked_sub(1),
            by_ms: i64::from_le_bytes(next(rest)?),
        })
    }
}

fn joined(members: &[&[u8]]) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    bytes.iter_mut().zip(members.concat()).for_each(|(byte, member)| *byte = member);
    bytes
}

fn next<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, behind) = rest.split_first_chunk::<N>()?;
    *rest = behind;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let (message_id, number, entry) = (MessageId::new(7, &[1; 10]), 0x0102_0304_0506_0708, 0x1112_1314_1516_1718);
        let taken = Taken {
            channel: 0x2122_2324,
            message_id,
            number,
            entry,
            shift: 0x3132_3334,
            created_ms: -5,
            refused: true,
            dates: (8, -9),
        };
        assert_eq!(Taken::decode(taken.encode()), Some(taken));
        for receipt in [None, Some((0, 0)), Some((0x4142_4344, 0x5152_5354_5556_5758))] {
            let (channel, dates, displaced) = (0x2122_2324, (8, -9), receipt.is_none());
            let sent = Sent { channel, message_id, number, entry, not_after_ms: -7, receipt, dates, displaced };
            assert_eq!(Sent::decode(sent.encode()), Some(sent));
        }
        for entry in [None, Some(0), Some(entry)] {
            let head = HeldHead { root: [9; 32], entry, by_ms: i64::MIN };
            assert_eq!(HeldHead::decode(head.encode()), Some(head));
        }
        assert_eq!(head_of(&head_key(3, u64::MAX - 1)), (3, u64::MAX - 1));
    }
}
