//! Secret keys: zeroized when dropped, never printed, kept as PKCS#8 version 1.

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, KeypairBytes};
use ed25519_dalek::{Signer as _, SigningKey};
use zeroize::Zeroizing;

use crate::{PublicKey, Signature};

/// An Ed25519 secret key.
pub struct SecretKey(SigningKey);

/// The text is no Ed25519 secret key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text is no Ed25519 secret key in PKCS#8 PEM")]
pub struct BadSecret;

impl SecretKey {
    /// Makes the key of a 32-byte seed (RFC 8032 §5.1.5); the caller draws the seed.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&Zeroizing::new(seed)))
    }

    /// Reads PKCS#8 PEM, version 1 or 2.
    ///
    /// # Errors
    /// [`BadSecret`]; the text is not repeated.
    pub fn from_pem(pem: &str) -> Result<Self, BadSecret> {
        SigningKey::from_pkcs8_pem(pem).map(Self).map_err(|_| BadSecret)
    }

    /// PKCS#8 version 1, without the public key: OpenSSL 3.0 cannot read version 2.
    pub fn to_pem(&self) -> Zeroizing<String> {
        let bytes = KeypairBytes { secret_key: self.0.to_bytes(), public_key: None };
        bytes.to_pkcs8_pem(LineEnding::LF).unwrap_or_default()
    }

    /// The public key.
    pub fn public(&self) -> PublicKey {
        PublicKey::of(self.0.verifying_key())
    }

    /// Signs; the same message always gives the same signature (RFC 8032 §5.1.6).
    pub fn sign(&self, message: &[u8]) -> Signature {
        self.0.sign(message).to_bytes()
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey(of {})", self.public().fingerprint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_file_form() {
        let key = SecretKey::from_seed([9; 32]);
        let pem = key.to_pem();
        assert_eq!(SecretKey::from_pem(&pem).unwrap().public(), key.public());
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, body).unwrap();
        // PKCS#8 v1: 48 bytes with INTEGER 0, no public key behind it.
        assert_eq!((der.len(), &der[2..5]), (48, &[2, 1, 0][..]));
    }

    #[test]
    fn the_secret_is_not_in_its_debug_form() {
        let key = SecretKey::from_seed([9; 32]);
        assert!(!format!("{key:?}").contains("09090909"));
        assert_eq!(SecretKey::from_pem("-----BEGIN PRIVATE KEY-----\nAAAA\n").unwrap_err(), BadSecret);
    }
}
