//! What can go wrong with a journal, and what the operator does about it.

use std::io;
use std::path::PathBuf;

use verbale_ledger::LogIndex;

/// Why a replayed record was not accepted.
pub type ReplayError = Box<dyn std::error::Error + Send + Sync>;

/// A journal could not be opened, written or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk failed.
    #[error("the disk failed to {action} {}; nothing unconfirmed was answered: check the disk, then start again", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another process has the folder.
    #[error("{} is in use by another verbale; stop that one first", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// There is no log.
    #[error("{} holds no log; run `verbale init` for a new one, or give the folder of an existing one with --dir", path.display())]
    NoLog {
        /// The folder.
        path: PathBuf,
    },
    /// There is one already.
    #[error("{} holds a log already; a new one is never begun beside it", path.display())]
    LogExists {
        /// The folder.
        path: PathBuf,
    },
    /// Committed bytes are damaged.
    #[error("{} is damaged at byte {offset}: {what}; nothing was changed. Restore the folder from a copy, or call for help", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What was found.
        what: &'static str,
    },
    /// Written by a newer version.
    #[error("UNSUPPORTED_VERSION: {} has format {got}, this program knows {known}; use a newer verbale", path.display())]
    UnsupportedVersion {
        /// The file.
        path: PathBuf,
        /// Its format.
        got: u32,
        /// Ours.
        known: u32,
    },
    /// A record contradicts what came before it.
    #[error("entry {} of the log cannot be replayed", index.0)]
    Replay {
        /// The entry.
        index: LogIndex,
        /// Why.
        source: ReplayError,
    },
    /// No room for new work.
    #[error("the disk of {} has {free} bytes left and {reserve} are kept in reserve; free some space. Reading goes on", path.display())]
    Full {
        /// The folder.
        path: PathBuf,
        /// Bytes free.
        free: u64,
        /// Bytes kept.
        reserve: u64,
    },
    /// The index failed; it is derived and can be deleted.
    #[error("the index in {} failed; stop the node, delete that folder, and start again: it is rebuilt from the journal", path.display())]
    Index {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: Box<sled::Error>,
    },
    /// An entry that does not exist was asked for: our fault.
    #[error("entry {} was asked for and the log has {size}", index.0)]
    OutOfRange {
        /// The entry.
        index: LogIndex,
        /// Number of entries.
        size: u64,
    },
    /// A record over a limit: our fault.
    #[error("a record of {got} bytes does not fit a segment")]
    RecordTooLarge {
        /// Its length.
        got: usize,
    },
    /// An earlier write failed: what is on disk is unknown until the journal is opened anew.
    #[error("an earlier write to the journal failed; start the node again")]
    Failed,
}

impl JournalError {
    /// Wraps an error of the disk.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    /// Whether data on disk is damaged (exit code 4).
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Corrupt { .. } | Self::Replay { .. })
    }
}
