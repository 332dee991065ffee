//! What passed between two logs, for comparing them. What grows with the log is in files.

use std::collections::BTreeMap;

use verbale_evidence::{Card, Cards};
use verbale_ledger::{Hash, LogSize};

use super::chronicle::{Chronicle, Direction};
use super::noticed::Notices;
use super::records::{HeadKey, HeldHead, Records, Sent, Taken, head_key, head_of};
use super::succession::Carrying;
use crate::export::Missing;

/// What passed between two logs, for comparing them.
pub(crate) struct Crossed {
    /// Statements sent, by their digests, in the order of the log.
    pub(crate) sent: Records<32, Sent>,
    /// Statements received or refused, likewise.
    pub(crate) taken: Records<32, Taken>,
    /// Second statements under used numbers, likewise.
    pub(crate) conflicts: Records<32, Taken>,
    /// Heads of counterparts.
    pub(crate) heads: Heads,
    /// Notices by message id.
    pub(crate) notices: Notices,
    /// Cards of the contact point itself, the last it had of logs before included.
    pub(crate) own: Vec<Card>,
    /// Cards of counterparts, and the entries that tell of them, in the order of the log.
    pub(crate) cards: Vec<(Card, u64)>,
    /// Counterpart and memorandum of each channel.
    pub(crate) channels: Vec<(String, String)>,
    /// Numbers that were given to statements of which nothing is held any more.
    pub(crate) lost: Vec<LostNumbers>,
    /// First day in force of each memorandum of which a notice says it.
    pub(crate) commenced: BTreeMap<String, String>,
    /// Times of entries: the last one.
    pub(crate) last_ms: i64,
    /// Whether the last entry is the export's own.
    pub(crate) ends_with_export: bool,
}

/// Heads of counterparts that a log holds.
pub(crate) struct Heads {
    held: Records<12, HeldHead>,
    /// The last of them.
    last: Option<(HeadKey, Hash)>,
    origins: Vec<String>,
}

impl Heads {
    /// Of a log with so many entries.
    ///
    /// # Errors
    /// [`Missing`], when no file can be made in the folder for temporary files.
    pub(super) fn new(size: LogSize) -> Result<Self, Missing> {
        Ok(Self { held: Records::new(size)?, last: None, origins: Vec::new() })
    }

    /// The place of a log in the list of those of which heads are held.
    pub(crate) fn log(&self, origin: &str) -> Option<u32> {
        let at = self.origins.iter().position(|known| known == origin)?;
        u32::try_from(at).ok()
    }

    /// The log of a place.
    pub(crate) fn origin(&self, log: u32) -> &str {
        self.origins.get(log as usize).map(String::as_str).unwrap_or_default()
    }

    /// Holds a head; false when there is another one of that log and size.
    pub(super) fn hold(&mut self, (origin, size): (&str, LogSize), head: HeldHead) -> bool {
        let log = self.log(origin).unwrap_or_else(|| {
            self.origins.push(origin.to_owned());
            u32::try_from(self.origins.len() - 1).unwrap_or(u32::MAX)
        });
        let key = head_key(log, size.0);
        // The receipts of a batch carry the same one.
        if self.last == Some((key, head.root)) {
            return true;
        }
        if let Some(known) = self.held.get(&key) {
            return known.root == head.root;
        }
        self.held.put(&key, &head);
        self.last = Some((key, head.root));
        true
    }

    pub(crate) fn get(&self, log: u32, size: u64) -> Option<HeldHead> {
        self.held.get(&head_key(log, size))
    }

    /// Takes all with the places of their logs and their sizes.
    ///
    /// # Errors
    /// [`Missing`], when they cannot be read.
    pub(crate) fn each(&self, mut take: impl FnMut((u32, u64), HeldHead)) -> Result<(), Missing> {
        self.held.each(|key: &HeadKey, head| take(head_of(key), head))
    }

    /// Whether everything could be read and written.
    ///
    /// # Errors
    /// [`Missing`].
    pub(crate) fn check(&self) -> Result<(), Missing> {
        self.held.check()
    }
}

/// What of it is taken down while the log is read.
pub(super) struct Crossing {
    /// Whether the log will be compared with another.
    pub(super) wanted: bool,
    pub(super) sent: Records<32, Sent>,
    pub(super) taken: Records<32, Taken>,
    pub(super) conflicts: Records<32, Taken>,
    pub(super) cards: Vec<(Card, u64)>,
    pub(super) lost: Vec<LostNumbers>,
    pub(super) ends_with_export: bool,
}

impl Crossing {
    /// # Errors
    /// [`Missing`], when no file can be made in the folder for temporary files.
    pub(super) fn new(size: LogSize, wanted: bool) -> Result<Self, Missing> {
        let size = if wanted { size } else { LogSize::default() };
        let (sent, taken, conflicts) = (Records::new(size)?, Records::new(size)?, Records::new(LogSize::default())?);
        Ok(Self { wanted, sent, taken, conflicts, cards: Vec::new(), lost: Vec::new(), ends_with_export: false })
    }
}

/// Numbers of a channel that a log, which took the place of another, does not know of.
pub(crate) struct LostNumbers {
    pub(crate) channel: u32,
    /// The last that is known.
    pub(crate) after: u64,
    /// The last that the counterpart held; `None`: it has not said that yet.
    pub(crate) up_to: Option<u64>,
    /// How many logs before this one it was that took the other's place.
    pub(crate) log: usize,
}

impl Chronicle<'_> {
    /// What is needed to compare the log with another.
    pub(crate) fn crossed(self) -> Crossed {
        let Crossing { sent, taken, conflicts, cards, mut lost, ends_with_export, .. } = self.crossing;
        // Of a channel that was not used since, nobody said yet where it goes on.
        let is_unsettled = |direction: &Direction| direction.resumed_in != Some(0);
        let channels = 0..u32::try_from(self.channels.len()).unwrap_or(u32::MAX);
        for channel in channels.filter(|_| !self.carrying.is_empty()) {
            let direction = self.outgoing.get(&channel);
            if direction.is_none_or(is_unsettled) {
                let after = direction.and_then(|direction| direction.last).map_or(0, |(number, _)| number);
                lost.push(LostNumbers { channel, after, up_to: None, log: 0 });
            }
        }
        let own = self.own.iter().flat_map(Cards::all).chain(self.carrying.iter().flat_map(Carrying::cards));
        Crossed {
            own: own.cloned().collect(),
            sent,
            taken,
            conflicts,
            heads: self.heads,
            notices: self.notices,
            cards,
            channels: self.channels,
            lost,
            commenced: self.commenced.into_iter().collect(),
            last_ms: self.last_ms,
            ends_with_export,
        }
    }
}
