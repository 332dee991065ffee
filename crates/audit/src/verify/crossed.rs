//! What passed between two logs, for comparing them.

use std::collections::{BTreeMap, HashMap};

use verbale_evidence::{Card, Cards, MessageId, StatementDigest};
use verbale_ledger::Hash;

use super::chronicle::{Chronicle, Direction};
use super::succession::Carrying;

/// What passed between two logs, for comparing them.
#[derive(Default)]
pub(crate) struct Crossed {
    /// Statements sent.
    pub(crate) sent: HashMap<StatementDigest, Sent>,
    /// Statements received or refused.
    pub(crate) taken: HashMap<StatementDigest, Taken>,
    /// Heads of counterparts that are held here.
    pub(crate) heads: BTreeMap<(String, u64), HeldHead>,
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

/// A head of a counterpart's log that is held here: its root, the entry of the receipt that carries it (none: it was cosigned), and a moment
/// at or before which the counterpart signed it.
pub(crate) type HeldHead = (Hash, Option<u64>, i64);

/// A notice that was received or refused.
pub(crate) struct Taken {
    pub(crate) from: String,
    pub(crate) message_id: MessageId,
    pub(crate) channel: u32,
    pub(crate) number: u64,
    pub(crate) entry: u64,
    /// How many logs before this one told it, each at an index that is less by one; 0: none.
    pub(crate) shift: usize,
    pub(crate) created_ms: i64,
}

/// A notice that was sent.
pub(crate) struct Sent {
    pub(crate) to: String,
    pub(crate) message_id: MessageId,
    pub(crate) entry: u64,
    pub(crate) channel: u32,
    pub(crate) number: u64,
    /// The log and the entry that the last receipt names.
    pub(crate) receipt: Option<(String, u64)>,
}

impl Chronicle<'_> {
    /// What is needed to compare the log with another.
    pub(crate) fn crossed(&mut self) -> Option<Crossed> {
        let mut crossed = self.crossed.take()?;
        crossed.own.extend(self.own.iter().flat_map(Cards::all).cloned());
        crossed.own.extend(self.carrying.iter().flat_map(Carrying::cards).cloned());
        crossed.channels = std::mem::take(&mut self.channels);
        crossed.commenced = std::mem::take(&mut self.commenced).into_iter().collect();
        // Of a channel that was not used since, nobody said yet where it goes on.
        let is_unsettled = |direction: &Direction| direction.resumed_in != Some(0);
        let channels = 0..u32::try_from(crossed.channels.len()).unwrap_or(u32::MAX);
        for channel in channels.filter(|_| !self.carrying.is_empty()) {
            let direction = self.outgoing.get(&channel);
            if direction.is_none_or(is_unsettled) {
                let after = direction.and_then(|direction| direction.last).map_or(0, |(number, _)| number);
                crossed.lost.push(LostNumbers { channel, after, up_to: None, log: 0 });
            }
        }
        Some(crossed)
    }
}
