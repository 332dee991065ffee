//! Public keys that passed the checks of enrolment, and strict verification.

use ed25519_dalek::VerifyingKey;
use ed25519_dalek::pkcs8::EncodePublicKey as _;
use sha2::{Digest as _, Sha256};

use crate::Fingerprint;

/// An Ed25519 signature, 64 bytes (RFC 8032 §5.1.6).
pub type Signature = [u8; 64];

/// An Ed25519 public key that is canonical, not weak and torsion-free.
///
/// Strict verification alone still accepts a key with a torsion component (a mixed-order key), under which two verifiers
/// may disagree; so such a key is refused before it is ever used.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey(VerifyingKey);

/// A key that must not be relied upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakKey {
    /// It has not 32 bytes.
    #[error("an Ed25519 key has 32 bytes, this one has {0}")]
    Length(usize),
    /// It is no point of the curve.
    #[error("the key is no point of the curve")]
    NotAPoint,
    /// Another encoding of the same point exists.
    #[error("the key is not in canonical encoding")]
    NotCanonical,
    /// Its order is small: signatures under it prove nothing.
    #[error("the key has small order: anyone can sign under it")]
    SmallOrder,
    /// It has a torsion component.
    #[error("the key has mixed order: verifiers could disagree about its signatures")]
    MixedOrder,
}

/// The signature does not verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify under this key")]
pub struct BadSignature;

impl PublicKey {
    /// Reads 32 bytes and applies the checks of enrolment.
    ///
    /// # Errors
    /// [`WeakKey`] names the check that failed.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WeakKey> {
        let array: &[u8; 32] = bytes.try_into().map_err(|_| WeakKey::Length(bytes.len()))?;
        let key = VerifyingKey::from_bytes(array).map_err(|_| WeakKey::NotAPoint)?;
        let point = key.to_edwards();
        if point.compress().as_bytes() != array {
            return Err(WeakKey::NotCanonical);
        }
        if key.is_weak() {
            return Err(WeakKey::SmallOrder);
        }
        if !point.is_torsion_free() {
            return Err(WeakKey::MixedOrder);
        }
        Ok(Self(key))
    }

    pub(crate) fn of(key: VerifyingKey) -> Self {
        Self(key)
    }

    /// Verifies strictly: canonical `s`, no small-order `R`.
    ///
    /// # Errors
    /// [`BadSignature`], also when the signature has not 64 bytes.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        let signature = ed25519_dalek::Signature::from_slice(signature).map_err(|_| BadSignature)?;
        self.0.verify_strict(message, &signature).map_err(|_| BadSignature)
    }

    /// The 32 bytes of the key.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Subject public key info, DER (RFC 8410), 44 bytes.
    pub fn spki_der(&self) -> [u8; 44] {
        let mut der = [0; 44];
        let (head, key) = der.split_at_mut(12);
        head.copy_from_slice(&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00]);
        key.copy_from_slice(self.as_bytes());
        der
    }

    /// Subject public key info, PEM, as `openssl pkey -pubin` reads it.
    pub fn to_pem(&self) -> String {
        self.0.to_public_key_pem(ed25519_dalek::pkcs8::spki::der::pem::LineEnding::LF).unwrap_or_default()
    }

    /// SHA-256 of [`Self::spki_der`], as `openssl pkey -pubin -outform DER | sha256sum` prints it.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::from_digest(Sha256::digest(self.spki_der()).into())
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({})", self.fingerprint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SecretKey;

    #[test]
    fn weak_non_canonical_and_foreign_encodings_are_refused() {
        let identity = {
            let mut b = [0; 32];
            b[0] = 1;
            b
        };
        assert_eq!(PublicKey::from_bytes(&identity), Err(WeakKey::SmallOrder));
        // y = p + 1, the identity in another encoding.
        let mut high = [0xff; 32];
        (high[0], high[31]) = (0xee, 0x7f);
        assert_eq!(PublicKey::from_bytes(&high), Err(WeakKey::NotCanonical));
        assert_eq!(PublicKey::from_bytes(&[2; 31]), Err(WeakKey::Length(31)));
        let mut no_point = [0; 32];
        no_point[0] = 2;
        assert_eq!(PublicKey::from_bytes(&no_point), Err(WeakKey::NotAPoint));
    }

    #[test]
    fn a_mixed_order_key_is_refused() {
        let good = SecretKey::from_seed([3; 32]).public();
        // The point of order two: (0, -1).
        let mut order_two = [0xff; 32];
        (order_two[0], order_two[31]) = (0xec, 0x7f);
        let torsion = VerifyingKey::from_bytes(&order_two).unwrap().to_edwards();
        let mixed = (good.0.to_edwards() + torsion).compress();
        assert_eq!(PublicKey::from_bytes(mixed.as_bytes()), Err(WeakKey::MixedOrder));
    }

    #[test]
    fn the_fingerprint_is_over_the_same_bytes_that_the_pem_carries() {
        let key = SecretKey::from_seed([4; 32]).public();
        let pem = key.to_pem();
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, body).unwrap();
        assert_eq!(der, key.spki_der());
    }
}
