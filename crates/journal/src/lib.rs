//! The journal: one append-only sequence of segment files that is the truth of a node, and the index derived from it.
//!
//! In scope: frames, group commit, recovery, the keyring of wrapped keys, signed checkpoints, proofs of what is committed.
//! Out of scope: what entries say (crate `evidence`), what follows from them (crate `exchange`); bytes are opaque here.
//!
//! Invariants:
//! * [`Committed`] is made by [`Store::commit`] alone, after the sync; what waits for it can be reached only through it.
//! * A checkpoint is signed after the sync, never before: a torn tail that once carried a signed head would make an honest
//!   node equivocate.
//! * A bad frame that is followed by a valid commit is corruption: the journal is not opened and nothing is truncated.
//! * The index can be deleted at any time.
//!
//! # Layout
//! `journal/00000000.segment` and so on (see `frame` and `segment` for the bytes), `journal/keyring`, `journal/damaged/` for
//! tails that were set aside, `journal/clean` after an orderly stop, `index/` for sled, `lock`.
//!
//! An answer waits inside the batch and comes out committed:
//! ```
//! # use verbale_journal::{Committed, Disk, Journal, Record, Settings, Store};
//! # let dir = tempfile::tempdir()?;
//! # let key = || verbale_keys::SecretKey::from_seed([1; 32]);
//! # let settings = || Settings::new(dir.path(), "verbale/XX/1", key());
//! # Journal::create(&Disk, &settings(), &Record::entry(b"genesis".to_vec()))?;
//! # let mut journal = Journal::open(std::sync::Arc::new(Disk), settings(), &mut |_| Ok(()))?;
//! fn answer(answer: Committed<&str>) {
//!     assert_eq!(answer.into_inner(), "durable");
//! }
//! answer(journal.commit(vec![Record::entry(b"entry".to_vec())], "durable")?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//! ```compile_fail
//! # use verbale_journal::{Committed, Disk, Journal, Record, Settings, Store};
//! # let dir = tempfile::tempdir()?;
//! # let key = || verbale_keys::SecretKey::from_seed([1; 32]);
//! # let settings = || Settings::new(dir.path(), "verbale/XX/1", key());
//! # Journal::create(&Disk, &settings(), &Record::entry(b"genesis".to_vec()))?;
//! # let mut journal = Journal::open(std::sync::Arc::new(Disk), settings(), &mut |_| Ok(()))?;
//! fn answer(answer: Committed<&str>) {
//!     assert_eq!(answer.into_inner(), "durable");
//! }
//! answer(Committed { value: "durable" });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![expect(clippy::disallowed_methods, reason = "files are what this crate is for")]

mod commit;
mod error;
mod files;
mod frame;
mod index;
mod keyring;
mod recovery;
mod segment;
mod store;

pub use commit::Journal;
pub use error::{JournalError, ReplayError};
pub use files::{Disk, Files, StoredFile};
pub use keyring::{Keyring, SLOT_KEYS_BYTES};
pub use recovery::Replayed;
pub use store::{Committed, Keys, Logged, OnProgress, Phase, Progress, Record, Settings, Store};

/// A batch has at most so many records: their entries' proofs stay under 1 MiB in one answer.
pub const BATCH_RECORDS_MAX: usize = 256;

/// A batch has at most so many bytes before its last record, which may be one sealed notice more.
pub const BATCH_BYTES_MAX: usize = 4 << 20;
