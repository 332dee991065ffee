//! What is signed and committed to: field commitments, statements, envelopes, cards, receipts; build and verify.
//!
//! In scope: the bytes that outsiders verify (ARCHITECTURE §3 and §6). Out of scope: sealing and opening (crate `envelope`),
//! whether a notice may travel (crates `domain` and `exchange`).
//!
//! Invariants:
//! * Signed bytes are kept and forwarded verbatim; what does not re-encode to its own bytes is refused.
//! * A [`VerifiedEnvelope`] comes only from [`UnverifiedEnvelope::verify`] and from [`Cards::verify`], a [`Card`] only from its signer or from
//!   [`UnverifiedCard::verify`], a [`VerifiedReceipt`] only from [`verify_receipt`].
//!
//! A statement is readable only after its signature was verified:
//! ```
//! # use verbale_evidence::{sample_statement, sign_statement, UnverifiedEnvelope};
//! # let key = verbale_keys::SecretKey::from_seed([1; 32]);
//! # let signed = sign_statement(sample_statement(&key.public()), &key)?;
//! let unverified = UnverifiedEnvelope::parse(signed.bytes())?;
//! let verified = unverified.verify(&key.public())?;
//! assert_eq!(verified.statement().number, 1);
//! # Ok::<(), verbale_evidence::EnvelopeError>(())
//! ```
//! ```compile_fail
//! # use verbale_evidence::{sample_statement, sign_statement, UnverifiedEnvelope};
//! # let key = verbale_keys::SecretKey::from_seed([1; 32]);
//! # let signed = sign_statement(sample_statement(&key.public()), &key)?;
//! let unverified = UnverifiedEnvelope::parse(signed.bytes())?;
//! assert_eq!(unverified.statement().number, 1);
//! # Ok::<(), verbale_evidence::EnvelopeError>(())
//! ```

mod account;
mod armor;
mod card;
mod card_statement;
mod cards;
mod commitment;
mod dsse;
mod entry;
mod envelope;
mod presentation;
mod receipt;
mod statement;

pub use account::{
    ACCOUNT_BYTES_MAX, AccountError, AccountVerifier, Listed, Told, VerifiedAccount, account_text, parse_accounts,
    sign_account,
};
pub use card::{Card, CardError, UnverifiedCard, card_text, log_number, parse_card_text, sign_card};
pub use card_statement::{CARD_STATEMENT, CardStatement};
pub use cards::Cards;
pub use commitment::{PartError, content_root, part};
pub use dsse::DsseError;
pub use entry::{
    CARRIED_MAX, ENTRY_BYTES_MAX, EntryError, EntryTold, carried_entry, decode_entry, encode_entry, read_entry,
};
pub use envelope::{EnvelopeError, UnverifiedEnvelope, VerifiedEnvelope, sign_statement};
pub use presentation::{
    LoggedDisclosure, PresentationError, SignedDisclosure, VerifiedPart, VerifiedPresentation, covered_digest,
    originator_of, parse_presentation, presentation_text, sign_disclosure, signed_disclosure, verify_presentation,
};
pub use receipt::{ReceiptError, ReceiptVerifier, Verdict, VerifiedReceipt, verify_receipt};
pub use statement::{
    Answers, MessageId, STATEMENT_BYTES_MAX, Statement, StatementDigest, StatementError, is_identifier,
};

#[doc(hidden)]
pub use statement::sample_statement;
