//! Fingerprints: what two people compare by telephone before a card is enrolled.

use std::fmt;
use std::str::FromStr;

/// SHA-256 of a subject public key info, 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

/// The text is no fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint has 64 hexadecimal digits (spaces and colons are ignored); this has {digits} of them")]
pub struct BadFingerprint {
    /// Number of hexadecimal digits found.
    pub digits: usize,
}

impl Fingerprint {
    /// Takes a digest as it is.
    pub fn from_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// In groups of four digits, for reading aloud.
    pub fn grouped(&self) -> String {
        let digits = self.to_string().into_bytes();
        let groups: Vec<String> = digits.chunks(4).map(|c| String::from_utf8_lossy(c).into_owned()).collect();
        groups.join(" ")
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = BadFingerprint;

    fn from_str(text: &str) -> Result<Self, BadFingerprint> {
        let digits: String = text.chars().filter(|c| !matches!(c, ' ' | ':' | '\n')).collect();
        let mut digest = [0; 32];
        match hex::decode_to_slice(&digits, &mut digest) {
            Ok(()) => Ok(Self(digest)),
            Err(_) => Err(BadFingerprint { digits: digits.chars().filter(char::is_ascii_hexdigit).count() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grouped_fingerprint_reads_back() {
        let print = Fingerprint::from_digest([0xab; 32]);
        assert_eq!(print.grouped().parse(), Ok(print));
        assert_eq!("ab:cd".parse::<Fingerprint>(), Err(BadFingerprint { digits: 4 }));
    }
}
