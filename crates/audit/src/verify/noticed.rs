//! The notices of a log, as far as later entries ask about them.

use verbale_evidence::{MessageId, StatementDigest};
use verbale_ledger::LogSize;

use crate::export::Missing;
use crate::table::Table;

/// Flags, flow, channel, digest, id that it answers, last release; integers little-endian.
const BYTES: usize = 1 + 2 + 4 + 32 + 16 + 8;

const SENT: u8 = 1;
const REFUSED: u8 = 2;
const ANSWERS: u8 = 4;

/// A notice of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Noticed {
    pub(crate) sent: bool,
    /// Refused by this node.
    pub(super) refused: bool,
    pub(crate) digest: StatementDigest,
    pub(crate) channel: u32,
    pub(super) flow: u16,
    pub(super) answers: Option<MessageId>,
    /// Its last release, plus one; 0: none.
    pub(super) last_release: u64,
}

/// Notices by message id.
pub(crate) struct Notices(Table<16, BYTES>);

impl Notices {
    /// Of a log with so many entries.
    ///
    /// # Errors
    /// [`Missing`], when no file can be made in the folder for temporary files.
    pub(super) fn new(size: LogSize) -> Result<Self, Missing> {
        Ok(Self(Table::new(size.0).map_err(Missing::temporary)?))
    }

    /// Whether everything could be read and written.
    ///
    /// # Errors
    /// [`Missing`].
    pub(super) fn check(&self) -> Result<(), Missing> {
        self.0.check().map_err(Missing::temporary)
    }

    pub(crate) fn get(&self, id: &MessageId) -> Option<Noticed> {
        self.0.get(id.as_bytes()).and_then(|bytes| decode(&bytes))
    }

    pub(super) fn contains(&self, id: &MessageId) -> bool {
        self.0.get(id.as_bytes()).is_some()
    }

    /// Adds a notice; false when there is one of that id, which stays.
    pub(super) fn add(&mut self, id: &MessageId, noticed: &Noticed) -> bool {
        self.0.add(id.as_bytes(), &encode(noticed))
    }

    /// Changes a notice that is there.
    pub(super) fn set(&mut self, id: &MessageId, noticed: &Noticed) {
        self.0.update(id.as_bytes(), |_| encode(noticed));
    }
}

fn encode(noticed: &Noticed) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    let flag = |is: bool, flag: u8| if is { flag } else { 0 };
    let flags = flag(noticed.sent, SENT) | flag(noticed.refused, REFUSED) | flag(noticed.answers.is_some(), ANSWERS);
    let answers = noticed.answers.map_or([0; 16], |answers| *answers.as_bytes());
    let members: [&[u8]; 6] = [
        &[flags],
        &noticed.flow.to_le_bytes(),
        &noticed.channel.to_le_bytes(),
        &noticed.digest.0,
        &answers,
        &noticed.last_release.to_le_bytes(),
    ];
    bytes.copy_from_slice(&members.concat());
    bytes
}

fn decode(bytes: &[u8; BYTES]) -> Option<Noticed> {
    let (&[flags], rest) = bytes.split_first_chunk::<1>()?;
    let (flow, rest) = rest.split_first_chunk::<2>()?;
    let (channel, rest) = rest.split_first_chunk::<4>()?;
    let (digest, rest) = rest.split_first_chunk::<32>()?;
    let (answers, last_release) = rest.split_first_chunk::<16>()?;
    Some(Noticed {
        sent: flags & SENT != 0,
        refused: flags & REFUSED != 0,
        digest: StatementDigest(*digest),
        channel: u32::from_le_bytes(*channel),
        flow: u16::from_le_bytes(*flow),
        answers: if flags & ANSWERS == 0 { None } else { Some(MessageId::try_from(answers.as_slice()).ok()?) },
        last_release: u64::from_le_bytes(last_release.try_into().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_read_as_it_was_written() {
        let (one, other) = (MessageId::new(7, &[1; 10]), MessageId::new(8, &[2; 10]));
        let noticed = Noticed {
            sent: true,
            refused: false,
            digest: StatementDigest([3; 32]),
            channel: 0x0102_0304,
            flow: 0x0506,
            answers: Some(other),
            last_release: 0x0708_090a_0b0c_0d0e,
        };
        let mut held = Notices::new(LogSize(2)).unwrap();
        assert!(held.add(&one, &noticed));
        assert_eq!((held.get(&one), held.contains(&other)), (Some(noticed), false));
        let changed = Noticed { sent: false, refused: true, answers: None, ..noticed };
        held.set(&one, &changed);
        assert_eq!(held.get(&one), Some(changed));
        held.check().unwrap();
    }
}
