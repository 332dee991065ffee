//! The statement: what a sender signs about one notice, and what auditors see of it.

use std::fmt;
use std::str::FromStr;

use prost::Message as _;
use sha2::{Digest as _, Sha256};
use verbale_keys::{Fingerprint, PublicKey};
use verbale_proto::v1;

/// A statement is at most so large: its 17 fields are digests, numbers and four short identifiers, under 1 KiB in all.
pub const STATEMENT_BYTES_MAX: usize = 4 << 10;

const VERSION: u32 = 1;

/// UUIDv7 of a notice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId([u8; 16]);

impl MessageId {
    /// Takes 16 bytes as they are.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Makes a UUIDv7 of a time in milliseconds since 1970-01-01 UTC and ten random bytes (RFC 9562 §5.7).
    pub fn new(time_ms: u64, random: &[u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(time_ms, random).into_uuid().into_bytes())
    }

    /// The 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl TryFrom<&[u8]> for MessageId {
    type Error = std::array::TryFromSliceError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self)
    }
}

impl FromStr for MessageId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        uuid::Uuid::try_parse(text).map(|id| Self(id.into_bytes()))
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_bytes(self.0).hyphenated().fmt(f)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// SHA-256 of a statement's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatementDigest(pub [u8; 32]);

impl StatementDigest {
    /// What the first statement of a channel names as its predecessor.
    pub const NONE: Self = Self([0; 32]);

    pub(crate) fn of(statement: &[u8]) -> Self {
        Self(Sha256::digest(statement).into())
    }
}

impl fmt::Debug for StatementDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A reference to an earlier notice that both sides hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answers {
    /// Its id.
    pub message_id: MessageId,
    /// Its statement.
    pub statement: StatementDigest,
}

/// A statement whose every field has its form. `proto/verbale/v1/evidence.proto` says what each means.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "documented field by field in the schema")]
pub struct Statement {
    pub message_id: MessageId,
    pub memorandum: String,
    pub terms_digest: [u8; 32],
    pub flow: String,
    pub sender: String,
    pub sender_key: Fingerprint,
    pub recipient: String,
    pub recipient_key: Fingerprint,
    pub created_ms: i64,
    pub not_after_ms: i64,
    pub number: u64,
    pub previous: StatementDigest,
    pub answers: Option<Answers>,
    pub sealed_sha256: [u8; 32],
    pub sealed_bytes: u64,
    pub content_root: [u8; 32],
}

/// Bytes that are no statement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Over the limit.
    #[error("the statement is {got} bytes, limit {STATEMENT_BYTES_MAX}")]
    TooLarge {
        /// Its length.
        got: usize,
    },
    /// Of a version that this program does not know.
    #[error("the statement has version {got}, this program knows {VERSION}; update the older of the two nodes")]
    Version {
        /// Its version.
        got: u32,
    },
    /// Not a statement in its one encoding.
    #[error("the bytes are no statement in its one encoding")]
    Encoding,
    /// A field without its form.
    #[error("the statement's {field} has not its form")]
    Field {
        /// The field.
        field: &'static str,
    },
}

impl Statement {
    /// The bytes that are signed.
    ///
    /// # Errors
    /// [`StatementError`], when a field has not its form: nobody would accept it.
    pub fn encode(&self) -> Result<Vec<u8>, StatementError> {
        let bytes = v1::Statement {
            version: VERSION,
            message_id: self.message_id.as_bytes().to_vec(),
            memorandum: self.memorandum.clone(),
            terms_digest: self.terms_digest.to_vec(),
            flow: self.flow.clone(),
            sender: self.sender.clone(),
            sender_key: self.sender_key.as_bytes().to_vec(),
            recipient: self.recipient.clone(),
            recipient_key: self.recipient_key.as_bytes().to_vec(),
            created_ms: self.created_ms,
            not_after_ms: self.not_after_ms,
            number: self.number,
            previous: self.previous.0.to_vec(),
            answers: self.answers.map(|answers| v1::Answers {
                message_id: answers.message_id.as_bytes().to_vec(),
                statement_digest: answers.statement.0.to_vec(),
            }),
            sealed_sha256: self.sealed_sha256.to_vec(),
            sealed_bytes: self.sealed_bytes,
            content_root: self.content_root.to_vec(),
        }
        .encode_to_vec();
        Self::decode(&bytes)?;
        Ok(bytes)
    }

    /// Reads a statement.
    ///
    /// # Errors
    /// [`StatementError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, StatementError> {
        if bytes.len() > STATEMENT_BYTES_MAX {
            return Err(StatementError::TooLarge { got: bytes.len() });
        }
        let read = v1::Statement::decode(bytes).map_err(|_| StatementError::Encoding)?;
        if read.version != VERSION {
            return Err(StatementError::Version { got: read.version });
        }
        if read.encode_to_vec() != bytes {
            return Err(StatementError::Encoding);
        }
        if read.number == 0 {
            return Err(StatementError::Field { field: "number" });
        }
        let answers = match read.answers {
            None => None,
            Some(answers) => Some(Answers {
                message_id: MessageId(fixed(&answers.message_id, "answers")?),
                statement: StatementDigest(fixed(&answers.statement_digest, "answers")?),
            }),
        };
        Ok(Self {
            message_id: MessageId(fixed(&read.message_id, "message id")?),
            memorandum: identifier(read.memorandum, "memorandum")?,
            terms_digest: fixed(&read.terms_digest, "terms digest")?,
            flow: identifier(read.flow, "flow")?,
            sender: identifier(read.sender, "sender")?,
            sender_key: Fingerprint::from_digest(fixed(&read.sender_key, "sender key")?),
            recipient: identifier(read.recipient, "recipient")?,
            recipient_key: Fingerprint::from_digest(fixed(&read.recipient_key, "recipient key")?),
            created_ms: read.created_ms,
            not_after_ms: read.not_after_ms,
            number: read.number,
            previous: StatementDigest(fixed(&read.previous, "previous")?),
            answers,
            sealed_sha256: fixed(&read.sealed_sha256, "sealed digest")?,
            sealed_bytes: read.sealed_bytes,
            content_root: fixed(&read.content_root, "content root")?,
        })
    }
}

/// Whether a text is an identifier of a contact point, a memorandum or a flow: 1 to 64 of A-Z, 0-9 and `-`. Nothing a
/// statement shows to auditors can then be free text.
pub fn is_identifier(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| matches!(b, b'A'..=b'Z' | b'0'..=b'9' | b'-'))
}

fn identifier(text: String, field: &'static str) -> Result<String, StatementError> {
    if is_identifier(&text) { Ok(text) } else { Err(StatementError::Field { field }) }
}

fn fixed<const N: usize>(bytes: &[u8], field: &'static str) -> Result<[u8; N], StatementError> {
    bytes.try_into().map_err(|_| StatementError::Field { field })
}

/// A statement for doctests and tests.
#[doc(hidden)]
pub fn sample_statement(key: &PublicKey) -> Statement {
    Statement {
        message_id: MessageId::new(1_780_000_000_000, &[5; 10]),
        memorandum: "JP-KG-SSW-2023".to_owned(),
        terms_digest: [1; 32],
        flow: "F14".to_owned(),
        sender: "KG-MLSSM-CECA".to_owned(),
        sender_key: key.fingerprint(),
        recipient: "JP-MOJ-ISA-RMD".to_owned(),
        recipient_key: Fingerprint::from_digest([2; 32]),
        created_ms: 1_780_000_000_000,
        not_after_ms: 1_790_000_000_000,
        number: 1,
        previous: StatementDigest::NONE,
        answers: None,
        sealed_sha256: [3; 32],
        sealed_bytes: 1,
        content_root: [4; 32],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Statement {
        sample_statement(&verbale_keys::SecretKey::from_seed([1; 32]).public())
    }

    #[test]
    fn a_statement_reads_back_and_its_message_id_is_a_uuid_of_version_seven() {
        let bytes = sample().encode().unwrap();
        assert_eq!(Statement::decode(&bytes), Ok(sample()));
        let text = sample().message_id.to_string();
        assert_eq!((text.as_bytes()[14], text.parse().ok()), (b'7', Some(sample().message_id)));
    }

    #[test]
    fn each_fault_of_a_statement_has_its_error() {
        let bytes = sample().encode().unwrap();
        let mut later = v1::Statement::decode(bytes.as_slice()).unwrap();
        later.version = 2;
        assert_eq!(Statement::decode(&later.encode_to_vec()), Err(StatementError::Version { got: 2 }));
        let mut extra = bytes.clone();
        extra.extend_from_slice(&[0xf8, 0x07, 0x01]);
        assert_eq!(Statement::decode(&extra), Err(StatementError::Encoding));
        assert_eq!(Statement::decode(&vec![0; 4097]), Err(StatementError::TooLarge { got: 4097 }));
        let named = Statement { sender: "A person's name".into(), ..sample() };
        assert_eq!(named.encode(), Err(StatementError::Field { field: "sender" }));
        let zero = Statement { number: 0, ..sample() };
        assert_eq!(zero.encode(), Err(StatementError::Field { field: "number" }));
    }
}
