//! Sealing and opening of notices, and the archive keyring: the sole owner of age.
//!
//! In scope: age with exactly one X25519 recipient, the padded content, the check of commitments after opening, wrapping of
//! file keys, encryption of facts. Out of scope: signatures (crate `evidence`), whether a notice may travel (crate
//! `exchange`), where wrapped keys are kept (crate `journal`).
//!
//! Invariants:
//! * An [`OpenedNotice`] comes only from [`open`]: its envelope was verified, its sealed bytes are those that were signed,
//!   every commitment was recomputed.
//! * No plaintext leaves this crate before the end of the sealed file was authenticated.
//! * Secrets are zeroized when dropped; nothing with content or keys has `Debug`.
//!
//! Sealed bytes are bound to a verified envelope, then opened:
//! ```
//! # use verbale_envelope::{Identity, SealedNotice, open};
//! # use verbale_evidence::{UnverifiedEnvelope, sample_statement, sign_statement};
//! # let key = verbale_keys::SecretKey::from_seed([1; 32]);
//! # let signed = sign_statement(sample_statement(&key.public()), &key)?;
//! let verified = UnverifiedEnvelope::parse(signed.bytes())?.verify(&key.public())?;
//! assert!(SealedNotice::bind(verified, vec![7]).is_err(), "other bytes than those signed");
//! # Ok::<(), verbale_evidence::EnvelopeError>(())
//! ```
//! ```compile_fail
//! # use verbale_envelope::{Identity, SealedNotice, open};
//! # use verbale_evidence::{UnverifiedEnvelope, sample_statement, sign_statement};
//! # let key = verbale_keys::SecretKey::from_seed([1; 32]);
//! # let signed = sign_statement(sample_statement(&key.public()), &key)?;
//! let unverified = UnverifiedEnvelope::parse(signed.bytes())?;
//! assert!(SealedNotice::bind(unverified, vec![7]).is_err(), "other bytes than those signed");
//! # Ok::<(), verbale_evidence::EnvelopeError>(())
//! ```

mod age_file;
mod archive;
mod content;
mod facts;
mod header;
mod opened;
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test that reads vectors")]
mod testkit;
#[cfg(test)]
mod wycheproof;

pub use age_file::{BadIdentity, BadRecipient, Exercise, Identity, Recipient, SealError, seal_text};
pub use archive::{ArchiveKey, ArchiveKeyError, FileKey, Keyed, NoticeKeys, WRAPPED_BYTES, WrappedKeys};
pub use facts::{FactsError, FactsKey, SealedFacts};
pub use opened::{
    Bound, NotTheSignedBytes, OpenedNotice, Reopened, Sealed, SealedNotice, Unopened, open, reopen, seal,
};
