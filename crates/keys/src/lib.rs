//! Key roles, key files, strict verification and fingerprints: the sole owner of Ed25519.
//!
//! In scope: making, reading and writing Ed25519 keys (PKCS#8 v1 PEM, mode 0600; C2SP vkey lines), strict signatures, and
//! the checks a key must pass before a node relies on it. Out of scope: TLS keys (crate `node`), age identities (crate
//! `envelope`), what is signed (crates `ledger` and `evidence`).
//!
//! Invariants:
//! * A [`PublicKey`] is canonically encoded, not weak and torsion-free; there is no other way to make one.
//! * Verification is `verify_strict`, never the lax or the batch form.
//! * A secret is zeroized when dropped and never printed.
//!
//! ```
//! use verbale_keys::SecretKey;
//! let key = SecretKey::from_seed([7; 32]);
//! let signature = key.sign(b"note verbale");
//! assert!(key.public().verify(b"note verbale", &signature).is_ok());
//! assert!(key.public().verify(b"note verbalf", &signature).is_err());
//! ```

mod file;
mod fingerprint;
mod public;
mod role;
mod secret;
mod vkey;

pub use file::{FileError, read_secret_text, write_public_text, write_secret_text};
pub use fingerprint::{BadFingerprint, Fingerprint};
pub use public::{BadSignature, PublicKey, Signature, WeakKey};
pub use role::{Role, SharedKey, require_distinct};
pub use secret::{BadSecret, SecretKey};
pub use vkey::{BadVkey, NoteAlgorithm, Vkey};
