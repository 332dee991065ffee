//! Facts: what later decisions need from a notice, encrypted under a key of the notice's own and bound to its log entry by a
//! keyed digest.

use prost::Message as _;
use verbale_evidence::MessageId;
use verbale_proto::v1::Facts;
use zeroize::Zeroizing;

use crate::archive::{Keyed, decrypt, encrypt, hmac};

/// The key of one notice's facts.
pub struct FactsKey(Zeroizing<[u8; 32]>);

/// Facts as they are kept, and the digest that the log entry carries.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedFacts {
    /// Nonce and ciphertext.
    pub bytes: Vec<u8>,
    /// HMAC-SHA256 of the facts.
    pub digest: Keyed,
}

/// Facts that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    /// They do not open under the notice's key.
    #[error("the facts of notice {0} do not open: the journal is damaged")]
    Damaged(MessageId),
    /// They are not those that the entry names.
    #[error("the facts of notice {0} are not those that its log entry names: the journal was changed")]
    AnotherEntry(MessageId),
}

impl FactsKey {
    /// Takes 32 random bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Encrypts facts. A nonce is used once.
    pub fn seal(&self, message_id: MessageId, facts: &Facts, nonce: &[u8; 24]) -> SealedFacts {
        let plain = Zeroizing::new(facts.encode_to_vec());
        SealedFacts { bytes: encrypt(&self.encrypting(), message_id, nonce, &plain), digest: self.digest(&plain) }
    }

    /// Decrypts facts and compares them with the digest in their entry.
    ///
    /// # Errors
    /// [`FactsError`].
    pub fn open(&self, message_id: MessageId, sealed: &[u8], digest: &[u8]) -> Result<Facts, FactsError> {
        let damaged = FactsError::Damaged(message_id);
        let plain = decrypt(&self.encrypting(), message_id, sealed).ok_or(damaged)?;
        if self.digest(&plain) != digest {
            return Err(FactsError::AnotherEntry(message_id));
        }
        Facts::decode(plain.as_slice()).map_err(|_| damaged)
    }

    fn encrypting(&self) -> Zeroizing<Keyed> {
        Zeroizing::new(hmac(self.0.as_slice(), &[b"verbale/facts/encrypt/v1"]))
    }

    fn digest(&self, plain: &[u8]) -> Keyed {
        hmac(self.0.as_slice(), &[b"verbale/facts/digest/v1", plain])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_open_for_their_own_notice_and_entry_only() {
        let (key, id) = (FactsKey::from_bytes([1; 32]), MessageId::from_bytes([2; 16]));
        let facts = Facts { notice_id: "KG-JP-2026-000001".into(), ..Facts::default() };
        let sealed = key.seal(id, &facts, &[3; 24]);
        assert!(key.open(id, &sealed.bytes, &sealed.digest).is_ok_and(|read| read == facts));
        let other = MessageId::from_bytes([4; 16]);
        assert_eq!(key.open(other, &sealed.bytes, &sealed.digest).err(), Some(FactsError::Damaged(other)));
        assert_eq!(key.open(id, &sealed.bytes, &[0; 32]).err(), Some(FactsError::AnotherEntry(id)));
        assert!(!sealed.bytes.windows(5).any(|window| window == b"KG-JP"));
    }
}
