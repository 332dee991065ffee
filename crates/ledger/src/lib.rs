//! The append-only tree and the texts that vouch for it; pure.
//!
//! In scope: RFC 6962 hashing and proofs, C2SP signed notes, checkpoints, cosignatures, tlog proofs, tiles and policies, the rules of a
//! witness. Out of scope: what an entry says
//! (crate `evidence`), where it is kept (crate `journal`).
//!
//! Invariants:
//! * A [`Tree`] only grows.
//! * A [`Checkpoint`] read from text was written exactly so: it re-encodes to its own bytes.
//!
//! ```
//! use verbale_keys::{NoteAlgorithm, SecretKey, Vkey};
//! use verbale_ledger::{Checkpoint, LogIndex, Tree, leaf_hash, verify_inclusion};
//!
//! let mut tree = Tree::default();
//! for entry in ["a", "b", "c"] {
//!     tree.append(leaf_hash(entry.as_bytes()));
//! }
//! let (key, origin) = (SecretKey::from_seed([1; 32]), "verbale/XX/1");
//! let note = Checkpoint { origin: origin.into(), size: tree.size(), root: tree.root() }.sign(&key);
//! let vkey = Vkey { name: origin.into(), algorithm: NoteAlgorithm::Ed25519, key: key.public() };
//! let checkpoint = Checkpoint::verify(&note, &vkey)?;
//! let proof = tree.inclusion_proof(LogIndex(1), checkpoint.size)?;
//! verify_inclusion(leaf_hash(b"b"), LogIndex(1), checkpoint.size, &proof, checkpoint.root)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod checkpoint;
mod cosignature;
mod equivocation;
mod frontier;
mod hash;
mod note;
mod policy;
mod proof;
mod tile;
mod tlog_proof;
mod tree;
mod witness;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use cosignature::{cosign, verify_cosignature};
pub use equivocation::{NoEquivocation, equivocation_text, parse_equivocation, verify_equivocation};
pub use frontier::Frontier;
pub use hash::{Hash, leaf_hash, node_hash};
pub use note::{Note, NoteError};
pub use policy::policy_text;
pub use proof::{ProofError, verify_consistency, verify_inclusion};
pub use tile::{BadBundle, TILE_WIDTH, Tile, decode_bundle, encode_bundle, number_path};
pub use tlog_proof::{TlogProof, TlogProofError, split_extra, with_extra};
pub use tree::{LogIndex, LogSize, OutOfRange, Tree};
pub use witness::{WitnessRefusal, continues};
