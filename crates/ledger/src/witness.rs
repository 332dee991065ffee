//! When a witness may sign: what it is offered continues what it signed before.
//!
//! # Source
//! C2SP tlog-witness, «add-checkpoint».

use crate::checkpoint::Checkpoint;
use crate::hash::Hash;
use crate::proof::{ProofError, verify_consistency};
use crate::tree::LogSize;

/// Why a checkpoint is not signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WitnessRefusal {
    /// The proof begins at another size than the one held, or the checkpoint is older than that: ask again from there.
    #[error("the witness holds a checkpoint of size {held}")]
    Size {
        /// The size held.
        held: u64,
    },
    /// The proof proves nothing.
    #[error("the checkpoint does not follow from the one held: {0}")]
    Proof(#[from] ProofError),
    /// One size, two roots, both signed by the log: it shows two histories.
    #[error("the log signed two roots for one size")]
    Fork,
}

/// Whether a checkpoint, whose log's signature was verified, continues the one held. The caller makes it durable before it signs.
///
/// # Errors
/// [`WitnessRefusal`].
pub fn continues(
    held: Option<&Checkpoint>,
    offered: &Checkpoint,
    old_size: LogSize,
    proof: &[Hash],
) -> Result<(), WitnessRefusal> {
    let size = held.map_or(0, |held| held.size.0);
    if let Some(held) = held.filter(|held| held.size == offered.size && held.root != offered.root) {
        debug_assert_eq!(held.origin, offered.origin);
        return Err(WitnessRefusal::Fork);
    }
    if old_size.0 != size || offered.size.0 < size {
        return Err(WitnessRefusal::Size { held: size });
    }
    match held {
        Some(held) if held.size.0 > 0 => {
            Ok(verify_consistency(held.size, held.root, offered.size, offered.root, proof)?)
        }
        _ if proof.is_empty() => Ok(()),
        _ => Err(WitnessRefusal::Proof(ProofError::Length { got: proof.len() })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::leaf_hash;
    use crate::tree::Tree;

    fn tree(entries: std::ops::Range<u32>) -> Tree {
        let mut tree = Tree::default();
        for i in entries {
            tree.append(leaf_hash(&i.to_be_bytes()));
        }
        tree
    }

    fn head(tree: &Tree, size: u64) -> Checkpoint {
        Checkpoint { origin: "log".into(), size: LogSize(size), root: tree.root_at(LogSize(size)).unwrap() }
    }

    #[test]
    fn only_what_continues_is_signed() {
        let (log, other) = (tree(0..20), tree(100..120));
        let (held, new) = (head(&log, 7), head(&log, 20));
        let proof = log.consistency_proof(LogSize(7), LogSize(20)).unwrap();
        assert_eq!(continues(Some(&held), &new, LogSize(7), &proof), Ok(()));
        assert_eq!(continues(None, &new, LogSize(0), &[]), Ok(()));
        assert_eq!(continues(Some(&held), &held, LogSize(7), &[]), Ok(()));
        assert_eq!(continues(Some(&held), &new, LogSize(6), &proof), Err(WitnessRefusal::Size { held: 7 }));
        assert_eq!(continues(None, &new, LogSize(7), &proof), Err(WitnessRefusal::Size { held: 0 }));
        assert_eq!(continues(Some(&new), &held, LogSize(20), &[]), Err(WitnessRefusal::Size { held: 20 }));
        assert_eq!(continues(Some(&held), &head(&other, 7), LogSize(7), &[]), Err(WitnessRefusal::Fork));
        let forked = continues(Some(&held), &head(&other, 20), LogSize(7), &proof);
        assert_eq!(forked, Err(WitnessRefusal::Proof(ProofError::Root)));
        let short = continues(Some(&held), &new, LogSize(7), &[]);
        assert!(matches!(short, Err(WitnessRefusal::Proof(ProofError::Length { .. }))), "{short:?}");
    }
}
