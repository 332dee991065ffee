//! Tiles: a log as files of fixed names, each with the hashes of 256 nodes or with 256 entries.
//!
//! # Layout
//! `tile/<L>/<N>` holds the hashes of level `8·L`, 32 bytes each; `tile/entries/<N>` the entries, each behind a 16-bit big-endian length.
//! `<N>` is written in groups of three digits, all but the last with an `x` before them; a tile that is not full has `.p/<W>` behind it.
//!
//! # Source
//! C2SP tlog-tiles.

use crate::hash::Hash;
use crate::tree::{LogSize, Tree};

/// Hashes or entries of a full tile.
pub const TILE_WIDTH: u64 = 256;

/// Levels of the tree between two levels of tiles.
const TILE_HEIGHT: u32 = 8;

/// One tile of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Level of tiles, from zero.
    pub level: u32,
    /// Place on the level, from zero.
    pub number: u64,
    /// Hashes or entries in it, 1 to 256.
    pub width: u64,
}

/// An entry is longer than a bundle can say, or a bundle ends within an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no entry bundle")]
pub struct BadBundle;

impl Tile {
    /// Tiles of one level of a log; those that are not full included.
    pub fn of_level(level: u32, size: LogSize) -> impl Iterator<Item = Self> {
        let nodes = size.0.checked_shr(TILE_HEIGHT * level).unwrap_or_default();
        (0..nodes.div_ceil(TILE_WIDTH)).map(move |number| {
            let width = (nodes - number * TILE_WIDTH).min(TILE_WIDTH);
            Self { level, number, width }
        })
    }

    /// Levels of tiles that a log has.
    pub fn levels(size: LogSize) -> impl Iterator<Item = u32> {
        (0..).take_while(move |level| size.0.checked_shr(TILE_HEIGHT * level).is_some_and(|nodes| nodes > 0))
    }

    /// Its path.
    pub fn path(&self) -> String {
        format!("tile/{}/{}", self.level, self.place())
    }

    /// The path of the entries under it; only for level 0.
    pub fn entries_path(&self) -> String {
        format!("tile/entries/{}", self.place())
    }

    fn place(&self) -> String {
        let place = number_path(self.number);
        if self.width == TILE_WIDTH { place } else { format!("{place}.p/{}", self.width) }
    }

    /// The hashes in it, one after the other; `None` when the tree is smaller.
    pub fn bytes(&self, tree: &Tree) -> Option<Vec<u8>> {
        let first = self.number * TILE_WIDTH;
        let hashes = (first..first + self.width).map(|at| tree.node(TILE_HEIGHT * self.level, at));
        hashes.collect::<Option<Vec<Hash>>>().map(|hashes| hashes.concat())
    }
}

/// A number as paths have it: `x001/x234/067`.
pub fn number_path(number: u64) -> String {
    let mut path = format!("{:03}", number % 1000);
    let mut rest = number / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    path
}

/// Entries as a bundle.
///
/// # Errors
/// [`BadBundle`], when one has more than 65,535 bytes.
pub fn encode_bundle<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, BadBundle> {
    let mut bundle = Vec::new();
    for entry in entries {
        let length = u16::try_from(entry.len()).map_err(|_| BadBundle)?;
        bundle.extend_from_slice(&length.to_be_bytes());
        bundle.extend_from_slice(entry);
    }
    Ok(bundle)
}

/// The entries of a bundle.
///
/// # Errors
/// [`BadBundle`], when it ends within one.
pub fn decode_bundle(bundle: &[u8]) -> Result<Vec<&[u8]>, BadBundle> {
    let (mut entries, mut rest) = (Vec::new(), bundle);
    while !rest.is_empty() {
        let (length, behind) = rest.split_first_chunk::<2>().ok_or(BadBundle)?;
        let (entry, behind) = behind.split_at_checked(u16::from_be_bytes(*length).into()).ok_or(BadBundle)?;
        entries.push(entry);
        rest = behind;
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::leaf_hash;

    #[test]
    fn names_are_those_of_the_specification() {
        assert_eq!(number_path(0), "000");
        assert_eq!(number_path(67), "067");
        assert_eq!(number_path(1_234_067), "x001/x234/067");
        let tile = |level, number, width| Tile { level, number, width };
        assert_eq!(tile(0, 273, 112).path(), "tile/0/273.p/112");
        assert_eq!(tile(1, 1, 17).entries_path(), "tile/entries/001.p/17");
        // The example of C2SP tlog-tiles: a log of 70,000 entries.
        let of = |level| Tile::of_level(level, LogSize(70_000)).collect::<Vec<_>>();
        assert_eq!((of(0).len(), of(0).last()), (274, Some(&tile(0, 273, 112))));
        assert_eq!(of(1), [tile(1, 0, 256), tile(1, 1, 17)]);
        assert_eq!(of(2), [tile(2, 0, 1)]);
        assert_eq!(Tile::levels(LogSize(70_000)).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(Tile::levels(LogSize(0)).count(), 0);
        assert_eq!(Tile::levels(LogSize(u64::MAX)).count(), 8);
    }

    #[test]
    fn a_tile_holds_the_hashes_of_its_nodes() {
        let mut tree = Tree::default();
        let leaves: Vec<Hash> = (0..600_u64).map(|i| leaf_hash(&i.to_be_bytes())).collect();
        for leaf in &leaves {
            tree.append(*leaf);
        }
        let last = Tile::of_level(0, tree.size()).last().unwrap();
        assert_eq!((last.number, last.width), (2, 88));
        assert_eq!(last.bytes(&tree).unwrap(), leaves.get(512..).unwrap().concat());
        let upper: Vec<_> = Tile::of_level(1, tree.size()).collect();
        let root_of_256 = tree.root_at(LogSize(256)).unwrap();
        assert_eq!(upper.first().unwrap().bytes(&tree).unwrap().get(..32), Some(root_of_256.as_slice()));
        assert_eq!(Tile { level: 0, number: 2, width: 89 }.bytes(&tree), None);
    }

    #[test]
    fn a_bundle_reads_back_and_a_torn_one_is_refused() {
        let entries: [&[u8]; 3] = [b"a", b"", b"ccc"];
        let bundle = encode_bundle(entries).unwrap();
        assert_eq!(decode_bundle(&bundle), Ok(entries.to_vec()));
        for end in [1, 2, bundle.len() - 1] {
            assert_eq!(decode_bundle(bundle.get(..end).unwrap()), Err(BadBundle), "{end}");
        }
        assert_eq!(encode_bundle([vec![0; 65_536].as_slice()]), Err(BadBundle));
    }
}
