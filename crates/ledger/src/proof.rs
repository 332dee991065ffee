//! Verification of proofs, from the hashes alone.
//!
//! # Source
//! RFC 9162 §2.1.3.2 (inclusion) and §2.1.4.2 (consistency).

use crate::hash::{Hash, node_hash};
use crate::tree::{LogIndex, LogSize};

/// A proof that proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Index and size do not fit each other.
    #[error("the proof names entry or size {asked} of a tree of {size}")]
    Range {
        /// Index or old size.
        asked: u64,
        /// Size of the tree.
        size: u64,
    },
    /// It has more or fewer hashes than such a tree needs.
    #[error("the proof has {got} hashes, too many or too few for its place in the tree")]
    Length {
        /// Number of hashes.
        got: usize,
    },
    /// It leads to another root.
    #[error("the proof leads to another root than the checkpoint's")]
    Root,
}

/// Verifies that `leaf` stands at `index` of the tree with `size` leaves and `root`.
///
/// # Errors
/// [`ProofError`].
pub fn verify_inclusion(
    leaf: Hash,
    index: LogIndex,
    size: LogSize,
    proof: &[Hash],
    root: Hash,
) -> Result<(), ProofError> {
    if index.0 >= size.0 {
        return Err(ProofError::Range { asked: index.0, size: size.0 });
    }
    let too_long_or_short = ProofError::Length { got: proof.len() };
    let (mut at, mut last, mut hash) = (index.0, size.0 - 1, leaf);
    for sibling in proof {
        if last == 0 {
            return Err(too_long_or_short);
        }
        if at % 2 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            while at % 2 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(too_long_or_short);
    }
    if hash == root { Ok(()) } else { Err(ProofError::Root) }
}

/// Verifies that the tree `(old, old_root)` is the beginning of the tree `(new, new_root)`.
///
/// # Errors
/// [`ProofError`]. The empty tree is the beginning of every tree and needs no proof; a proof about it is refused.
pub fn verify_consistency(
    old: LogSize,
    old_root: Hash,
    new: LogSize,
    new_root: Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    let length = ProofError::Length { got: proof.len() };
    if old.0 == 0 || old > new {
        return Err(ProofError::Range { asked: old.0, size: new.0 });
    }
    if old == new {
        if !proof.is_empty() {
            return Err(length);
        }
        return if old_root == new_root { Ok(()) } else { Err(ProofError::Root) };
    }
    let mut hashes = proof.iter();
    let (mut at, mut last) = (old.0 - 1, new.0 - 1);
    while at % 2 == 1 {
        at >>= 1;
        last >>= 1;
    }
    // When the old tree is complete, its root itself is the first hash.
    let first = if old.0.is_power_of_two() { &old_root } else { hashes.next().ok_or(length)? };
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in hashes {
        if last == 0 {
            return Err(length);
        }
        if at % 2 == 1 || at == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            while at % 2 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(length);
    }
    if old_hash == old_root && new_hash == new_root { Ok(()) } else { Err(ProofError::Root) }
}
