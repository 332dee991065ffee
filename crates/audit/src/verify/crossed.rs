//! What passed between two logs, for comparing them.

use std::collections::{BTreeMap, HashMap};

use verbale_evidence::{MessageId, StatementDigest};
use verbale_ledger::Hash;

/// What passed between two logs, for comparing them.
#[derive(Default)]
pub(crate) struct Crossed {
    /// Statements sent: to whom, message id, entry, whether a receipt is held.
    pub(crate) sent: HashMap<StatementDigest, Sent>,
    /// Statements received or refused.
    pub(crate) taken: HashMap<StatementDigest, Taken>,
    /// Heads of counterparts that are held here.
    pub(crate) heads: BTreeMap<(String, u64), HeldHead>,
    /// Times of entries: the last one.
    pub(crate) last_ms: i64,
    /// Whether the last entry is the export's own.
    pub(crate) ends_with_export: bool,
}

/// A head of a counterpart's log that is held here: its root, the entry of the receipt that carries it (none: it was cosigned), and a moment
/// at or before which the counterpart signed it.
pub(crate) type HeldHead = (Hash, Option<u64>, i64);

/// A notice that was received or refused.
pub(crate) struct Taken {
    pub(crate) from: String,
    pub(crate) message_id: MessageId,
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
