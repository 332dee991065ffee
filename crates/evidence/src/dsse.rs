//! Dead Simple Signing Envelope v1 with exactly one Ed25519 signature.
//!
//! # Source
//! DSSE v1.0.2, protocol; `io.intoto.Envelope` for the wire form.

use prost::Message as _;
use verbale_keys::{BadSignature, Fingerprint, PublicKey, SecretKey};
use verbale_proto::v1::{Envelope, EnvelopeSignature};

/// Bytes that are no envelope of the expected type with exactly one good signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DsseError {
    /// Not an envelope, or one written in another way.
    #[error("the bytes are no DSSE envelope in its one encoding")]
    Form,
    /// Over the limit.
    #[error("the envelope is {got} bytes, limit {max}")]
    TooLarge {
        /// Its length.
        got: usize,
        /// The limit.
        max: usize,
    },
    /// Of another type.
    #[error("the envelope carries another type of payload")]
    PayloadType,
    /// More or fewer than one signature.
    #[error("the envelope has {0} signatures instead of one")]
    Signatures(usize),
    /// Of another key, or of none.
    #[error("the envelope names another key than the one that must have signed it")]
    KeyId,
    /// The signature does not verify.
    #[error(transparent)]
    Signature(#[from] BadSignature),
}

/// An envelope is at most so large: a statement or a card of 4 KiB, its type, and one signature.
pub(crate) const ENVELOPE_BYTES_MAX: usize = 5 << 10;

/// An envelope whose signature nobody looked at yet.
pub(crate) struct Unverified {
    payload: Vec<u8>,
    payload_type: &'static str,
    signature: Vec<u8>,
    keyid: String,
}

/// Signs a payload.
pub(crate) fn sign(payload: Vec<u8>, payload_type: &str, key: &SecretKey) -> Vec<u8> {
    let signature = key.sign(&pre_authentication_encoding(payload_type, &payload));
    signed(payload, payload_type, (&key.public().fingerprint(), &signature))
}

/// The envelope of a payload that was signed.
pub(crate) fn signed(payload: Vec<u8>, payload_type: &str, (key, signature): (&Fingerprint, &[u8])) -> Vec<u8> {
    let signatures = vec![EnvelopeSignature { sig: signature.to_vec(), keyid: key.to_string() }];
    Envelope { payload, payload_type: payload_type.to_owned(), signatures }.encode_to_vec()
}

impl Unverified {
    pub(crate) fn parse(bytes: &[u8], payload_type: &'static str) -> Result<Self, DsseError> {
        Self::parse_up_to(ENVELOPE_BYTES_MAX, bytes, payload_type)
    }

    pub(crate) fn parse_up_to(max: usize, bytes: &[u8], payload_type: &'static str) -> Result<Self, DsseError> {
        if bytes.len() > max {
            return Err(DsseError::TooLarge { got: bytes.len(), max });
        }
        let envelope = Envelope::decode(bytes).map_err(|_| DsseError::Form)?;
        if envelope.encode_to_vec() != bytes {
            return Err(DsseError::Form);
        }
        if envelope.payload_type != payload_type {
            return Err(DsseError::PayloadType);
        }
        match <[EnvelopeSignature; 1]>::try_from(envelope.signatures) {
            Ok([EnvelopeSignature { sig: signature, keyid }]) => {
                Ok(Self { payload: envelope.payload, payload_type, signature, keyid })
            }
            Err(other) => Err(DsseError::Signatures(other.len())),
        }
    }

    /// The payload, not yet to be believed: only for finding the key that must have signed it.
    pub(crate) fn claimed(&self) -> &[u8] {
        &self.payload
    }

    pub(crate) fn verify(&self, key: &PublicKey) -> Result<(), DsseError> {
        // Nobody signs the keyid, and the caller knows whose signature it must be: nothing else may hide in it.
        if self.keyid != key.fingerprint().to_string() {
            return Err(DsseError::KeyId);
        }
        Ok(key.verify(&pre_authentication_encoding(self.payload_type, &self.payload), &self.signature)?)
    }
}

/// `"DSSEv1" SP LEN(type) SP type SP LEN(body) SP body`, lengths in decimal.
pub(crate) fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "application/x";

    fn key(seed: u8) -> SecretKey {
        SecretKey::from_seed([seed; 32])
    }

    fn parse(envelope: &Envelope) -> Result<Unverified, DsseError> {
        Unverified::parse(&envelope.encode_to_vec(), TYPE)
    }

    #[test]
    fn the_encoding_is_that_of_the_specification() {
        let expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world";
        assert_eq!(pre_authentication_encoding("http://example.com/HelloWorld", b"hello world"), expected);
    }

    #[test]
    fn another_type_number_of_signatures_key_or_encoding_is_refused() {
        let bytes = sign(b"payload".to_vec(), TYPE, &key(1));
        let good = Unverified::parse(&bytes, TYPE).unwrap();
        assert_eq!(good.verify(&key(1).public()), Ok(()));
        assert_eq!(good.verify(&key(2).public()), Err(DsseError::KeyId));
        let envelope = Envelope::decode(bytes.as_slice()).unwrap();
        let none = Envelope { signatures: vec![], ..envelope.clone() };
        assert_eq!(parse(&none).err(), Some(DsseError::Signatures(0)));
        let mut two = envelope.clone();
        two.signatures.push(envelope.signatures[0].clone());
        assert_eq!(parse(&two).err(), Some(DsseError::Signatures(2)));
        let mut forged = envelope.clone();
        forged.payload.push(0);
        assert_eq!(parse(&forged).unwrap().verify(&key(1).public()), Err(DsseError::Signature(BadSignature)));
        for keyid in [String::new(), "0".repeat(64), key(1).public().fingerprint().to_string().to_uppercase()] {
            let mut hiding = envelope.clone();
            hiding.signatures[0].keyid = keyid;
            assert_eq!(parse(&hiding).unwrap().verify(&key(1).public()), Err(DsseError::KeyId));
        }
        let large = Envelope { payload: vec![0; ENVELOPE_BYTES_MAX], ..envelope.clone() };
        assert!(matches!(parse(&large).err(), Some(DsseError::TooLarge { .. })));
        let other = Envelope { payload_type: "application/y".into(), ..envelope };
        assert_eq!(parse(&other).err(), Some(DsseError::PayloadType));
        let mut extra = bytes.clone();
        extra.extend_from_slice(&[0x20, 0x01]);
        assert_eq!(Unverified::parse(&extra, TYPE).err(), Some(DsseError::Form));
        assert_eq!(Unverified::parse(&bytes[..bytes.len() - 1], TYPE).err(), Some(DsseError::Form));
    }
}
