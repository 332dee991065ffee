//! Verifier keys of signed notes, as one line of text.
//!
//! # Source
//! C2SP signed-note, «Verifier keys»; C2SP tlog-cosignature for algorithm 0x04.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::PublicKey;

/// Signature algorithm of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteAlgorithm {
    /// 0x01: Ed25519 over the note's text.
    Ed25519,
    /// 0x04: Ed25519 over a time-stamped cosignature message.
    CosignatureV1,
}

impl NoteAlgorithm {
    fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 1,
            Self::CosignatureV1 => 4,
        }
    }
}

/// A named verifier key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vkey {
    /// Name of the key; for a log, its origin. No spaces, no `+`.
    pub name: String,
    /// Algorithm.
    pub algorithm: NoteAlgorithm,
    /// The key.
    pub key: PublicKey,
}

/// The line is no verifier key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadVkey {
    /// Not `name+hash+base64`.
    #[error("a verifier key has the form name+hash+key")]
    Form,
    /// The hash is not that of name and key.
    #[error("the hash in the verifier key does not fit its name and key")]
    Hash,
    /// The key itself is refused.
    #[error(transparent)]
    Weak(#[from] crate::WeakKey),
}

impl Vkey {
    /// The first four bytes of `SHA-256(name || 0x0A || algorithm || key)`.
    pub fn key_id(&self) -> [u8; 4] {
        let hash = Sha256::new_with_prefix(self.name.as_bytes())
            .chain_update([b'\n', self.algorithm.byte()])
            .chain_update(self.key.as_bytes())
            .finalize();
        let mut id = [0; 4];
        id.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        id
    }

    /// Reads a line.
    ///
    /// # Errors
    /// [`BadVkey`].
    pub fn parse(line: &str) -> Result<Self, BadVkey> {
        let mut parts = line.trim_end().splitn(3, '+');
        let (Some(name), Some(hash), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(BadVkey::Form);
        };
        if name.is_empty() || name.chars().any(char::is_whitespace) {
            return Err(BadVkey::Form);
        }
        let bytes = STANDARD.decode(key).map_err(|_| BadVkey::Form)?;
        let (algorithm, key) = match bytes.split_first() {
            Some((1, key)) => (NoteAlgorithm::Ed25519, key),
            Some((4, key)) => (NoteAlgorithm::CosignatureV1, key),
            _ => return Err(BadVkey::Form),
        };
        let vkey = Self { name: name.to_owned(), algorithm, key: PublicKey::from_bytes(key)? };
        if hex::encode(vkey.key_id()) == hash { Ok(vkey) } else { Err(BadVkey::Hash) }
    }
}

impl std::fmt::Display for Vkey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut bytes = vec![self.algorithm.byte()];
        bytes.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{}+{}", self.name, hex::encode(self.key_id()), STANDARD.encode(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SecretKey;

    #[test]
    fn a_vkey_reads_back_and_a_changed_name_is_found() {
        let key = SecretKey::from_seed([5; 32]).public();
        let vkey = Vkey { name: "verbale/XX/1".into(), algorithm: NoteAlgorithm::Ed25519, key };
        assert_eq!(Vkey::parse(&vkey.to_string()), Ok(vkey.clone()));
        assert_eq!(Vkey::parse(&vkey.to_string().replace("XX", "XY")), Err(BadVkey::Hash));
    }
}
