//! The roots of a growing tree from at most 64 hashes: what is enough for whoever only reads a log through.
//!
//! # Source
//! RFC 6962 §2.1.

use crate::hash::{Hash, empty_root, node_hash};
use crate::tree::LogSize;

/// The complete subtrees of which a tree consists, from the largest: one for each bit of its size.
#[derive(Clone, Debug, Default)]
pub struct Frontier {
    size: u64,
    subtrees: Vec<Hash>,
}

impl Frontier {
    /// Appends a leaf hash.
    pub fn append(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.subtrees.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.subtrees.push(hash);
        self.size += 1;
    }

    /// Number of leaves.
    pub fn size(&self) -> LogSize {
        LogSize(self.size)
    }

    /// Root over all leaves.
    pub fn root(&self) -> Hash {
        let joined = self.subtrees.iter().rev().copied().reduce(|right, left| node_hash(&left, &right));
        joined.unwrap_or_else(empty_root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::leaf_hash;
    use crate::tree::Tree;

    #[test]
    fn its_roots_are_those_of_the_tree() {
        let (mut tree, mut frontier) = (Tree::default(), Frontier::default());
        for i in 0..1000_u32 {
            assert_eq!((frontier.size(), frontier.root()), (tree.size(), tree.root()), "{i}");
            let leaf = leaf_hash(&i.to_be_bytes());
            tree.append(leaf);
            frontier.append(leaf);
        }
    }
}
