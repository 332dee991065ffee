//! The archive key: wraps each notice's keys, and keys the digests of what could be guessed.
//!
//! # Layout
//! Wrapped keys: nonce (24 bytes), then XChaCha20-Poly1305 of file key (16) and facts key (32), with the message id as
//! associated data: 88 bytes. Subkeys are HMAC-SHA256 of the archive key over a label.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use verbale_domain::Notice;
use verbale_evidence::MessageId;
use zeroize::Zeroizing;

use crate::facts::FactsKey;

const NONCE_BYTES: usize = 24;

/// Length of wrapped keys: 24 + 16 + 32 + 16.
pub const WRAPPED_BYTES: usize = 88;

/// A notice's keys under the archive key.
pub type WrappedKeys = [u8; WRAPPED_BYTES];

/// An HMAC-SHA256.
pub type Keyed = [u8; 32];

/// age's file key of one notice.
#[derive(Clone)]
pub struct FileKey(Zeroizing<[u8; 16]>);

impl FileKey {
    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// What opens one notice and its facts for ever, until it is erased.
pub struct NoticeKeys {
    /// Opens the sealed bytes.
    pub file: FileKey,
    /// Opens the facts.
    pub facts: FactsKey,
}

impl NoticeKeys {
    /// For facts that stand alone, of something that is no notice.
    pub fn of_facts(facts: FactsKey) -> Self {
        Self { file: FileKey::from_bytes([0; 16]), facts }
    }
}

/// The node's archive key.
pub struct ArchiveKey {
    wrapping: Zeroizing<Keyed>,
    digesting: Zeroizing<Keyed>,
}

/// The archive key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveKeyError {
    /// Not the text form.
    #[error("the text is no archive key of 64 hexadecimal digits")]
    Text,
    /// The wrapped keys are not of this archive key and message id.
    #[error(
        "the keys of notice {0} do not open under this archive key: archive.key belongs to another node, or the keyring is damaged"
    )]
    Unwrap(MessageId),
}

impl ArchiveKey {
    /// Derives the subkeys of 32 random bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let subkey = |label: &[u8]| Zeroizing::new(hmac(bytes, &[label]));
        Self { wrapping: subkey(b"verbale/archive/wrap/v1"), digesting: subkey(b"verbale/archive/digest/v1") }
    }

    /// Reads the file form.
    ///
    /// # Errors
    /// [`ArchiveKeyError::Text`]; the text is not repeated.
    pub fn from_text(text: &str) -> Result<Self, ArchiveKeyError> {
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim_end(), bytes.as_mut()).map_err(|_| ArchiveKeyError::Text)?;
        Ok(Self::from_bytes(&bytes))
    }

    /// The file form of 32 random bytes.
    pub fn text_of(bytes: &[u8; 32]) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(bytes) + "\n")
    }

    /// Wraps the keys of a notice. A nonce is used once.
    pub fn wrap(&self, message_id: MessageId, keys: &NoticeKeys, nonce: &[u8; NONCE_BYTES]) -> WrappedKeys {
        let mut plain = Zeroizing::new([0; 48]);
        let both = keys.file.as_bytes().iter().chain(keys.facts.as_bytes());
        plain.iter_mut().zip(both).for_each(|(to, from)| *to = *from);
        let sealed = encrypt(&self.wrapping, message_id, nonce, plain.as_slice());
        let mut wrapped = [0; WRAPPED_BYTES];
        wrapped.iter_mut().zip(sealed).for_each(|(to, from)| *to = from);
        wrapped
    }

    /// Unwraps them.
    ///
    /// # Errors
    /// [`ArchiveKeyError::Unwrap`].
    pub fn unwrap(&self, message_id: MessageId, wrapped: &WrappedKeys) -> Result<NoticeKeys, ArchiveKeyError> {
        let wrong = ArchiveKeyError::Unwrap(message_id);
        let plain = decrypt(&self.wrapping, message_id, wrapped).ok_or(wrong)?;
        let (file, rest) = plain.split_first_chunk::<16>().ok_or(wrong)?;
        let facts = rest.first_chunk::<32>().ok_or(wrong)?;
        Ok(NoticeKeys { file: FileKey::from_bytes(*file), facts: FactsKey::from_bytes(*facts) })
    }

    /// Digest of a notice's values: equal for the same notice however its JSON was written, and not to be guessed by who
    /// has not the archive key.
    pub fn notice_digest(&self, notice: &Notice) -> Keyed {
        let mut parts: Vec<u8> = Vec::new();
        for chunk in notice.chunks() {
            parts.extend_from_slice(&(chunk.path.len() as u64).to_be_bytes());
            parts.extend(chunk.path.iter().flat_map(|step| step.to_be_bytes()));
            parts.extend_from_slice(&(chunk.bytes.len() as u64).to_be_bytes());
            parts.extend_from_slice(&chunk.bytes);
        }
        let parts = Zeroizing::new(parts);
        hmac(self.digesting.as_slice(), &[&parts])
    }
}

pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> Keyed {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).expect("any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Nonce and ciphertext.
pub(crate) fn encrypt(key: &Keyed, message_id: MessageId, nonce: &[u8; NONCE_BYTES], plain: &[u8]) -> Vec<u8> {
    let payload = Payload { msg: plain, aad: message_id.as_bytes() };
    #[expect(clippy::expect_used, reason = "fails only over 256 GiB")]
    let ciphertext = XChaCha20Poly1305::new(key.into()).encrypt(XNonce::from_slice(nonce), payload).expect("short");
    [nonce.as_slice(), &ciphertext].concat()
}

/// The plaintext, when nonce, ciphertext, key and message id belong together.
pub(crate) fn decrypt(key: &Keyed, message_id: MessageId, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_BYTES>()?;
    let payload = Payload { msg: ciphertext, aad: message_id.as_bytes() };
    XChaCha20Poly1305::new(key.into()).decrypt(XNonce::from_slice(nonce), payload).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_unwrap_for_their_own_notice_under_their_own_archive_key_only() {
        let (archive, other) = (ArchiveKey::from_bytes(&[1; 32]), ArchiveKey::from_bytes(&[2; 32]));
        let keys = NoticeKeys { file: FileKey::from_bytes([3; 16]), facts: FactsKey::from_bytes([4; 32]) };
        let (id, another) = (MessageId::from_bytes([5; 16]), MessageId::from_bytes([6; 16]));
        let wrapped = archive.wrap(id, &keys, &[7; 24]);
        let back = archive.unwrap(id, &wrapped).unwrap();
        assert_eq!((back.file.as_bytes(), back.facts.as_bytes()), (&[3; 16], &[4; 32]));
        assert_eq!(archive.unwrap(another, &wrapped).err(), Some(ArchiveKeyError::Unwrap(another)));
        assert_eq!(other.unwrap(id, &wrapped).err(), Some(ArchiveKeyError::Unwrap(id)));
    }

    #[test]
    fn the_file_form_reads_back() {
        let text = ArchiveKey::text_of(&[9; 32]);
        assert_eq!(*ArchiveKey::from_text(&text).unwrap().wrapping, *ArchiveKey::from_bytes(&[9; 32]).wrapping);
        assert_eq!(ArchiveKey::from_text("abc").err(), Some(ArchiveKeyError::Text));
    }
}
