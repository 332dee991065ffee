//! What a journal is to the node: the trait, so that another store can take the place of files later.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use verbale_keys::SecretKey;
use verbale_ledger::{Checkpoint, Hash, LogIndex, LogSize, TlogProof};

use crate::error::JournalError;
use crate::keyring::SLOT_KEYS_BYTES;

/// A journal. There is one writer.
pub trait Store {
    /// Makes a batch durable, with one sync for all of it, and only then gives back what waited for it.
    ///
    /// # Errors
    /// [`JournalError`]: whether the batch is durable is then unknown, and the process must end.
    ///
    /// # Durability
    /// On return the batch, its commit frame and its keys are on disk.
    fn commit<T>(&mut self, batch: Vec<Record>, waiting: T) -> Result<Committed<T>, JournalError>;

    /// The latest signed head.
    fn checkpoint(&self) -> Arc<str>;

    /// Number of entries.
    fn size(&self) -> LogSize;

    /// The root over the first `size` entries; `None` when the log is shorter.
    fn root_at(&self, size: LogSize) -> Option<Hash>;

    /// The signed head when the log had this size; `None` when it never had. The same bytes each time.
    fn head_at(&self, size: LogSize) -> Option<Arc<str>>;

    /// The hashes that show the log of size `old` to be the beginning of the present one; `None` when there is no such proof.
    fn consistency_proof(&self, old: LogSize) -> Option<Vec<Hash>>;

    /// An entry and its proof, at the size of the commit that held it: the same bytes each time.
    ///
    /// # Errors
    /// [`JournalError`].
    fn logged(&self, index: LogIndex) -> Result<Logged, JournalError>;

    /// The bytes of an entry.
    ///
    /// # Errors
    /// [`JournalError`].
    fn entry(&self, index: LogIndex) -> Result<Vec<u8>, JournalError>;

    /// The sealed bytes that stand beside an entry; `None` when there are none or they were erased.
    ///
    /// # Errors
    /// [`JournalError`].
    fn sealed(&self, index: LogIndex) -> Result<Option<Vec<u8>>, JournalError>;

    /// The encrypted facts that stand beside an entry; `None` when there are none.
    ///
    /// # Errors
    /// [`JournalError`].
    fn facts(&self, index: LogIndex) -> Result<Option<Vec<u8>>, JournalError>;

    /// The receipt that stands beside an entry.
    ///
    /// # Errors
    /// [`JournalError`].
    fn receipt(&self, index: LogIndex) -> Result<Option<Vec<u8>>, JournalError>;

    /// The wrapped keys of a notice; `None` when they were erased.
    ///
    /// # Errors
    /// [`JournalError`].
    fn keys(&self, message_id: &[u8; 16]) -> Result<Option<[u8; SLOT_KEYS_BYTES]>, JournalError>;

    /// Erases the keys of a notice, and overwrites the sealed bytes beside these entries. Entries, facts and receipts stay; the facts open
    /// under none of the keys that are left. Asked again, it goes on where it was cut off, or changes nothing.
    ///
    /// # Errors
    /// [`JournalError`]: how much is erased is then unknown, the process must end, and the next start asks again.
    ///
    /// # Durability
    /// On return the bytes are overwritten in the journal's files. A disk may keep what it moved elsewhere.
    fn erase(&mut self, message_id: &[u8; 16], sealed: &[LogIndex]) -> Result<(), JournalError>;

    /// Whether there is room for `bytes` more beside the reserve.
    ///
    /// # Errors
    /// [`JournalError::Full`], before anything is accepted.
    fn require_room(&self, bytes: u64) -> Result<(), JournalError>;
}

/// Where and as whom a journal is opened.
pub struct Settings {
    /// The node's folder.
    pub dir: PathBuf,
    /// Origin of the log.
    pub origin: String,
    /// The log key.
    pub key: SecretKey,
    /// A segment is closed when it has grown so large.
    pub segment_bytes: u64,
    /// Zeros are written so far ahead: an `fdatasync` inside a file's length costs half of one that grows it.
    pub ahead_bytes: u64,
    /// Free space that is left to reading, verifying and repairing.
    pub reserve_bytes: u64,
    /// Whether the sled index is kept; without it, places are held in memory.
    pub index: bool,
    /// Is told how far the opening of a journal is.
    pub progress: OnProgress,
}

/// Whoever wants to know how far the opening of a journal is.
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// How far the opening of a journal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is done.
    pub phase: Phase,
    /// So many are done.
    pub done: u64,
    /// Of so many.
    pub total: u64,
}

/// What is done while a journal is opened, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Segments are read and their checksums and roots compared.
    Reading,
    /// Entries are replayed.
    Replaying,
    /// Entries are put into the index, where it is built anew.
    Indexing,
}

impl Settings {
    /// The settings of a node: segments of 64 MiB, filled 4 MiB ahead, a reserve of 64 MiB.
    pub fn new(dir: &Path, origin: &str, key: SecretKey) -> Self {
        Self {
            dir: dir.to_owned(),
            origin: origin.to_owned(),
            key,
            segment_bytes: 64 << 20,
            ahead_bytes: 4 << 20,
            reserve_bytes: 64 << 20,
            index: true,
            progress: Arc::new(|_| ()),
        }
    }
}

/// One entry and what stands beside it.
#[derive(Clone, Default)]
pub struct Record {
    /// The entry's bytes.
    pub entry: Vec<u8>,
    /// Sealed notice.
    pub sealed: Option<Vec<u8>>,
    /// Encrypted facts.
    pub facts: Option<Vec<u8>>,
    /// Receipt of the counterpart.
    pub receipt: Option<Vec<u8>>,
    /// Wrapped keys.
    pub keys: Option<Keys>,
}

/// The wrapped keys of a notice.
#[derive(Clone)]
pub struct Keys {
    /// The notice.
    pub message_id: [u8; 16],
    /// Its keys under the archive key.
    pub wrapped: [u8; SLOT_KEYS_BYTES],
}

impl Record {
    /// An entry with nothing beside it.
    pub fn entry(entry: Vec<u8>) -> Self {
        Self { entry, ..Self::default() }
    }

    /// About what it takes on disk.
    pub fn bytes(&self) -> usize {
        let beside = [&self.sealed, &self.facts, &self.receipt];
        self.entry.len() + beside.into_iter().flatten().map(Vec::len).sum::<usize>()
    }
}

/// Something that waited until its batch was durable.
#[derive(Debug)]
pub struct Committed<T> {
    value: T,
    first: LogIndex,
    checkpoint: Arc<str>,
}

impl<T> Committed<T> {
    pub(crate) fn new(value: T, first: LogIndex, checkpoint: Arc<str>) -> Self {
        Self { value, first, checkpoint }
    }

    /// What waited.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// Index of the batch's first entry.
    pub fn first(&self) -> LogIndex {
        self.first
    }

    /// The signed head that covers the batch.
    pub fn checkpoint(&self) -> &Arc<str> {
        &self.checkpoint
    }
}

/// A committed entry with its proof: what a receipt is made of. Made by the journal alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    entry: Vec<u8>,
    index: LogIndex,
    hashes: Vec<Hash>,
    checkpoint: Arc<str>,
}

impl Logged {
    pub(crate) fn new(entry: Vec<u8>, index: LogIndex, hashes: Vec<Hash>, checkpoint: Arc<str>) -> Self {
        Self { entry, index, hashes, checkpoint }
    }

    /// The entry's bytes.
    pub fn entry(&self) -> &[u8] {
        &self.entry
    }

    /// Its place.
    pub fn index(&self) -> LogIndex {
        self.index
    }

    /// The proof that stands in receipts and presentations.
    pub fn proof(&self) -> TlogProof {
        TlogProof { index: self.index, hashes: self.hashes.clone(), checkpoint: self.checkpoint.to_string() }
    }

    /// The hashes from the leaf to the root of [`Self::checkpoint`].
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// The signed head of the commit that held the entry.
    pub fn checkpoint(&self) -> &Arc<str> {
        &self.checkpoint
    }
}

/// The head of a log, signed. The same head always gives the same text.
pub(crate) fn sign_head(settings: &Settings, size: LogSize, root: Hash) -> Arc<str> {
    Checkpoint { origin: settings.origin.clone(), size, root }.sign(&settings.key).into()
}
