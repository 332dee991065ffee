//! A Merkle tree in memory, 64 bytes a leaf, that proves inclusion and consistency for every size it ever had.
//!
//! # Source
//! RFC 6962 §2.1.

use crate::hash::{Hash, empty_root, node_hash};

/// Position of an entry, from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogIndex(pub u64);

/// A count of entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogSize(pub u64);

/// A proof was asked for that the tree cannot give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tree has {have} entries; a proof about entry or size {asked} was asked for")]
pub struct OutOfRange {
    /// What was asked for.
    pub asked: u64,
    /// What the tree, or the size named, holds.
    pub have: u64,
}

/// The tree. `levels[k][i]` is the hash over the complete subtree of leaves `[i·2^k, (i+1)·2^k)`.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// Appends a leaf hash and returns its index.
    pub fn append(&mut self, leaf: Hash) -> LogIndex {
        let index = LogIndex(self.size().0);
        let mut carry = Some(leaf);
        let mut level = 0;
        while let Some(hash) = carry.take() {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            if let Some(row) = self.levels.get_mut(level) {
                row.push(hash);
                // A row of even length has just completed a pair: its parent is complete too.
                if let (0, [.., left, right]) = (row.len() % 2, row.as_slice()) {
                    carry = Some(node_hash(left, right));
                }
            }
            level += 1;
        }
        index
    }

    /// Number of leaves.
    pub fn size(&self) -> LogSize {
        LogSize(self.levels.first().map_or(0, |row| row.len() as u64))
    }

    /// Root over all leaves.
    pub fn root(&self) -> Hash {
        self.subtree(0, self.size().0)
    }

    /// Root over the first `size` leaves.
    ///
    /// # Errors
    /// [`OutOfRange`] when the tree is smaller.
    pub fn root_at(&self, size: LogSize) -> Result<Hash, OutOfRange> {
        self.require(size)?;
        Ok(self.subtree(0, size.0))
    }

    /// The hashes that lead from the leaf at `index` to the root at `size`, from the leaf upwards.
    ///
    /// # Errors
    /// [`OutOfRange`] when the index is not below the size, or the tree is smaller.
    pub fn inclusion_proof(&self, index: LogIndex, size: LogSize) -> Result<Vec<Hash>, OutOfRange> {
        self.require(size)?;
        if index.0 >= size.0 {
            return Err(OutOfRange { asked: index.0, have: size.0 });
        }
        let (mut start, mut end) = (0, size.0);
        let mut path = Vec::new();
        while end - start > 1 {
            let middle = start + split(end - start);
            if index.0 < middle {
                path.push(self.subtree(middle, end));
                end = middle;
            } else {
                path.push(self.subtree(start, middle));
                start = middle;
            }
        }
        path.reverse();
        Ok(path)
    }

    /// The hashes that show the tree of size `old` to be the beginning of the tree of size `new`.
    ///
    /// # Errors
    /// [`OutOfRange`] when `old` is zero or above `new`, or the tree is smaller.
    pub fn consistency_proof(&self, old: LogSize, new: LogSize) -> Result<Vec<Hash>, OutOfRange> {
        self.require(new)?;
        if old.0 == 0 || old > new {
            return Err(OutOfRange { asked: old.0, have: new.0 });
        }
        let (mut start, mut end) = (0, new.0);
        let mut path = Vec::new();
        // RFC 6962 §2.1.2: `whole` holds while the old tree is a subtree that the verifier has as the old root.
        let mut whole = true;
        while old.0 != end {
            let middle = start + split(end - start);
            if old.0 <= middle {
                path.push(self.subtree(middle, end));
                end = middle;
            } else {
                path.push(self.subtree(start, middle));
                start = middle;
                whole = false;
            }
        }
        if !whole {
            path.push(self.subtree(start, end));
        }
        path.reverse();
        Ok(path)
    }

    /// Hash over the complete subtree of leaves `[at·2^level, (at+1)·2^level)`, where the tree has it.
    pub(crate) fn node(&self, level: u32, at: u64) -> Option<Hash> {
        self.levels.get(usize::try_from(level).ok()?)?.get(usize::try_from(at).ok()?).copied()
    }

    fn require(&self, size: LogSize) -> Result<(), OutOfRange> {
        let have = self.size();
        if size > have { Err(OutOfRange { asked: size.0, have: have.0 }) } else { Ok(()) }
    }

    /// Hash over the leaves `[start, end)`, where `start` is a multiple of the largest power of two in the range.
    fn subtree(&self, start: u64, end: u64) -> Hash {
        let count = end - start;
        if count == 0 {
            return empty_root();
        }
        if count.is_power_of_two() {
            let level = count.trailing_zeros();
            if let Some(hash) = self.node(level, start >> level) {
                return hash;
            }
        }
        let middle = start + split(count);
        node_hash(&self.subtree(start, middle), &self.subtree(middle, end))
    }
}

/// The largest power of two below `count`, for `count` of at least two.
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}
