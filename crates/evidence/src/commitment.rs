//! Field commitments: one salted leaf per chunk, one root for the whole.
//!
//! # Layout
//! salt = `HMAC-SHA256(seed, u32 index)[..16]`; leaf = `lp(salt) || lp(path, u32 each) || lp(chunk)`, hashed as an RFC 6962
//! leaf; `content_root = SHA-256("verbale/content/v1" || lp(sender) || lp(message id) || u32 leaf count || tree hash)`.
//! `lp` is a u32 length before the bytes; every number is big-endian.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use verbale_ledger::{Hash, LogIndex, LogSize, OutOfRange, Tree, leaf_hash, verify_inclusion};
use verbale_proto::v1::{Chunk, Part, PresentedChunk};

use crate::{MessageId, Statement};

const DOMAIN: &[u8] = b"verbale/content/v1";

/// Length of a salt in bytes: 128 bits, which cannot be guessed.
const SALT_BYTES: usize = 16;

/// The commitment to every chunk of a content, in order.
pub fn content_root(sender: &str, message_id: MessageId, seed: &[u8; 32], chunks: &[Chunk]) -> Hash {
    let tree = tree(&keyed(seed), chunks);
    bound_root(sender, message_id, length(chunks.len()), &tree.root())
}

fn tree(salts: &Hmac<Sha256>, chunks: &[Chunk]) -> Tree {
    let mut tree = Tree::default();
    for (index, chunk) in (0..).zip(chunks) {
        tree.append(leaf_hash(&leaf(&salt(salts, index), chunk)));
    }
    tree
}

/// The content root over a tree hash that was found or is claimed.
fn bound_root(sender: &str, message_id: MessageId, leaf_count: u32, tree_root: &Hash) -> Hash {
    let mut bytes = DOMAIN.to_vec();
    length_prefixed(&mut bytes, sender.as_bytes());
    length_prefixed(&mut bytes, message_id.as_bytes());
    bytes.extend_from_slice(&leaf_count.to_be_bytes());
    bytes.extend_from_slice(tree_root);
    Sha256::digest(bytes).into()
}

/// Cuts a part out of a notice: the chunks at some places, each with salt and proof. Nothing of the others can be found or guessed from
/// it, since each has a salt of its own.
///
/// # Errors
/// [`OutOfRange`] when a place is none of the notice.
pub fn part(envelope: &[u8], seed: &[u8; 32], chunks: &[Chunk], places: &[u32]) -> Result<Part, OutOfRange> {
    let salts = keyed(seed);
    let tree = tree(&salts, chunks);
    let presented = |index: &u32| {
        let hashes = tree.inclusion_proof(LogIndex(u64::from(*index)), tree.size())?;
        let proof = hashes.iter().map(|hash| hash.to_vec()).collect();
        let chunk = chunks.get(*index as usize).cloned();
        Ok(PresentedChunk { index: *index, chunk, salt: salt(&salts, *index).to_vec(), proof })
    };
    Ok(Part {
        envelope: envelope.to_vec(),
        leaf_count: length(chunks.len()),
        tree_root: tree.root().to_vec(),
        chunks: places.iter().map(presented).collect::<Result<_, _>>()?,
    })
}

/// Why a part proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartError {
    /// Not of its form.
    #[error("a part of the presentation has not its form")]
    Form,
    /// The tree is not the one that the statement commits to.
    #[error("the fields are not those that the originator signed: the tree is another one")]
    Root,
    /// A field is not in the tree.
    #[error("field {0} is not what the originator signed")]
    Chunk(u32),
}

/// Verifies that each chunk of a part is one of the notice that the statement commits to, at its place.
///
/// # Errors
/// [`PartError`].
pub(crate) fn verify_part<'p>(part: &'p Part, statement: &Statement) -> Result<Vec<(u32, &'p Chunk)>, PartError> {
    let tree_root: Hash = part.tree_root.as_slice().try_into().map_err(|_| PartError::Form)?;
    let root = bound_root(&statement.sender, statement.message_id, part.leaf_count, &tree_root);
    if root != statement.content_root {
        return Err(PartError::Root);
    }
    let mut chunks: Vec<(u32, &Chunk)> = Vec::new();
    for presented in &part.chunks {
        let index = presented.index;
        let in_order = chunks.last().is_none_or(|(last, _)| *last < index);
        let chunk = presented.chunk.as_ref().filter(|_| in_order && presented.salt.len() == SALT_BYTES);
        let chunk = chunk.ok_or(PartError::Form)?;
        let hashes: Option<Vec<Hash>> = presented.proof.iter().map(|hash| hash.as_slice().try_into().ok()).collect();
        let hashes = hashes.ok_or(PartError::Form)?;
        let leaf = leaf_hash(&leaf(&presented.salt, chunk));
        let (at, size) = (LogIndex(u64::from(index)), LogSize(u64::from(part.leaf_count)));
        verify_inclusion(leaf, at, size, &hashes, tree_root).map_err(|_| PartError::Chunk(index))?;
        chunks.push((index, chunk));
    }
    Ok(chunks)
}

fn leaf(salt: &[u8], chunk: &Chunk) -> Vec<u8> {
    let path: Vec<u8> = chunk.path.iter().flat_map(|step| step.to_be_bytes()).collect();
    let mut bytes = Vec::with_capacity(12 + SALT_BYTES + path.len() + chunk.bytes.len());
    length_prefixed(&mut bytes, salt);
    length_prefixed(&mut bytes, &path);
    length_prefixed(&mut bytes, &chunk.bytes);
    bytes
}

/// HMAC under the seed, once for all salts.
fn keyed(seed: &[u8; 32]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    Hmac::<Sha256>::new_from_slice(seed).expect("any length")
}

fn salt(keyed: &Hmac<Sha256>, index: u32) -> [u8; SALT_BYTES] {
    let mut mac = keyed.clone();
    mac.update(&index.to_be_bytes());
    let mut salt = [0; SALT_BYTES];
    salt.iter_mut().zip(mac.finalize().into_bytes()).for_each(|(to, from)| *to = from);
    salt
}

fn length_prefixed(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&length(part.len()).to_be_bytes());
    bytes.extend_from_slice(part);
}

/// Lengths here are at most the 16 MiB of a sealed notice.
fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(path: &[u32], bytes: &[u8]) -> Chunk {
        Chunk { path: path.to_vec(), bytes: bytes.to_vec() }
    }

    #[test]
    fn the_root_depends_on_everything_it_covers() {
        let chunks = [chunk(&[1, 2], b"a"), chunk(&[1, 3], b"b")];
        let root = |sender, id, seed, chunks: &[Chunk]| {
            content_root(sender, MessageId::from_bytes([id; 16]), &[seed; 32], chunks)
        };
        let base = root("A", 1, 1, &chunks);
        let mut reordered = chunks.clone();
        reordered.swap(0, 1);
        // The same bytes, cut between path and chunk at another place.
        let moved = [chunk(&[1], b"a"), chunk(&[1, 3], b"b")];
        let others = [
            root("B", 1, 1, &chunks),
            root("A", 2, 1, &chunks),
            root("A", 1, 2, &chunks),
            root("A", 1, 1, &chunks[..1]),
            root("A", 1, 1, &reordered),
            root("A", 1, 1, &moved),
        ];
        assert!(others.iter().all(|other| *other != base));
    }

    #[test]
    fn the_root_is_what_the_layout_says() {
        // Rebuilt by hand, as an outsider would.
        let chunks = [chunk(&[1, 2], b"a")];
        let mut mac = Hmac::<Sha256>::new_from_slice(&[3; 32]).unwrap();
        mac.update(&[0, 0, 0, 0]);
        let salt = mac.finalize().into_bytes();
        let mut leaf = vec![0, 0, 0, 0, 16];
        leaf.extend_from_slice(&salt[..16]);
        leaf.extend_from_slice(&[0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, b'a']);
        let mut whole = b"verbale/content/v1\0\0\0\x01A\0\0\0\x10".to_vec();
        whole.extend_from_slice(&[7; 16]);
        whole.extend_from_slice(&[0, 0, 0, 1]);
        whole.extend_from_slice(&Sha256::digest(leaf));
        let expected: Hash = Sha256::digest(whole).into();
        assert_eq!(content_root("A", MessageId::from_bytes([7; 16]), &[3; 32], &chunks), expected);
    }
}
