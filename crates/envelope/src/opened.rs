//! A notice from its fields to its sealed bytes and back, every commitment checked on the way.

use sha2::{Digest as _, Sha256};
use verbale_domain::{Code, Notice, Refusal};
use verbale_evidence::{MessageId, Statement, VerifiedEnvelope, content_root};
use verbale_proto::v1::Content;
use zeroize::Zeroizing;

use crate::age_file::{self, Identity, Recipient, SealError};
use crate::archive::FileKey;
use crate::content::{pad, unpad};

/// A sealed notice, as its sender made it: what the statement will commit to.
pub struct Sealed {
    /// The age file.
    pub bytes: Vec<u8>,
    /// SHA-256 of it.
    pub sha256: [u8; 32],
    /// Commitment to every field.
    pub content_root: [u8; 32],
    /// Its key, for the archive.
    pub file_key: FileKey,
}

/// Seals a notice to one recipient.
///
/// `seed` is 32 fresh random bytes, from which the salts of the commitments come.
///
/// # Errors
/// [`SealError`].
pub fn seal(
    notice: &Notice,
    sender: &str,
    recipient: (&str, &Recipient),
    message_id: MessageId,
    seed: [u8; 32],
) -> Result<Sealed, SealError> {
    let root = content_root(sender, message_id, &seed, notice.chunks());
    let content = Content {
        sender: sender.to_owned(),
        recipient: recipient.0.to_owned(),
        message_id: message_id.as_bytes().to_vec(),
        notice_id: notice.header().notice_id,
        seed: seed.to_vec(),
        chunks: notice.chunks().to_vec(),
    };
    let padded = pad(&content).ok_or(SealError::TooLarge { got: u32::MAX as usize })?;
    let (bytes, file_key) = age_file::seal(&padded, recipient.1)?;
    Ok(Sealed { sha256: Sha256::digest(&bytes).into(), bytes, content_root: root, file_key })
}

/// Sealed bytes that are those which the verified statement names.
pub struct SealedNotice {
    envelope: VerifiedEnvelope,
    bytes: Vec<u8>,
}

/// The bytes are not those that were signed: somebody between changed or mixed them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sealed bytes are not those that the statement names")]
pub struct NotTheSignedBytes;

impl SealedNotice {
    /// Compares length and digest with the statement.
    ///
    /// # Errors
    /// [`NotTheSignedBytes`].
    pub fn bind(envelope: VerifiedEnvelope, bytes: Vec<u8>) -> Result<Self, NotTheSignedBytes> {
        let statement = envelope.statement();
        let digest: [u8; 32] = Sha256::digest(&bytes).into();
        if statement.sealed_bytes != bytes.len() as u64 || statement.sealed_sha256 != digest {
            return Err(NotTheSignedBytes);
        }
        Ok(Self { envelope, bytes })
    }
}

/// A notice that was opened and is what its statement commits to.
pub struct OpenedNotice {
    envelope: VerifiedEnvelope,
    sealed: Vec<u8>,
    notice: Notice,
    file_key: FileKey,
}

/// An authentic notice that could not be opened, or whose content is not what it must be: to be refused.
pub struct Unopened {
    /// Its envelope.
    pub envelope: VerifiedEnvelope,
    /// Why.
    pub refusal: Refusal,
}

impl OpenedNotice {
    /// The envelope.
    pub fn envelope(&self) -> &VerifiedEnvelope {
        &self.envelope
    }

    /// The notice.
    pub fn notice(&self) -> &Notice {
        &self.notice
    }

    /// The key of its sealed bytes, for the archive.
    pub fn file_key(&self) -> &FileKey {
        &self.file_key
    }

    /// Envelope and sealed bytes, to be kept.
    pub fn into_parts(self) -> (VerifiedEnvelope, Vec<u8>) {
        (self.envelope, self.sealed)
    }
}

/// Opens a notice and checks everything that the statement commits to.
///
/// # Errors
/// [`Unopened`] with UNOPENABLE, CONTENT_MISMATCH, or the code of the form check.
pub fn open(sealed: SealedNotice, identity: &Identity) -> Result<OpenedNotice, Box<Unopened>> {
    let SealedNotice { envelope, bytes } = sealed;
    match age_file::open(&bytes, identity) {
        Err(error) => {
            let refusal = Refusal::new(Code::Unopenable, "", error.to_string());
            Err(Box::new(Unopened { envelope, refusal }))
        }
        Ok((plaintext, file_key)) => match read_content(&plaintext, &envelope.statement().into()) {
            Ok(Reopened { notice, .. }) => Ok(OpenedNotice { envelope, sealed: bytes, notice, file_key }),
            Err(refusal) => Err(Box::new(Unopened { envelope, refusal })),
        },
    }
}

/// What sealed bytes must turn out to be, by a statement or by a draft that will become one.
#[derive(Clone, Copy)]
#[expect(missing_docs, reason = "the fields of a statement")]
pub struct Bound<'a> {
    pub message_id: MessageId,
    pub sender: &'a str,
    pub recipient: &'a str,
    pub flow: &'a str,
    pub memorandum: &'a str,
    pub content_root: [u8; 32],
}

impl<'a> From<&'a Statement> for Bound<'a> {
    fn from(statement: &'a Statement) -> Self {
        Self {
            message_id: statement.message_id,
            sender: &statement.sender,
            recipient: &statement.recipient,
            flow: &statement.flow,
            memorandum: &statement.memorandum,
            content_root: statement.content_root,
        }
    }
}

/// A kept notice, opened again: what a presentation is cut from.
pub struct Reopened {
    /// The notice.
    pub notice: Notice,
    /// The seed of its commitments.
    pub seed: Zeroizing<[u8; 32]>,
}

/// Opens a kept notice again, with the key from the archive.
///
/// # Errors
/// As [`open`]; here it means that the journal or the keyring was changed.
pub fn reopen(bound: &Bound<'_>, sealed: &[u8], file_key: &FileKey) -> Result<Reopened, Refusal> {
    let plaintext = age_file::open_with_file_key(sealed, file_key)
        .map_err(|error| Refusal::new(Code::Unopenable, "", error.to_string()))?;
    read_content(&plaintext, bound)
}

fn read_content(plaintext: &[u8], statement: &Bound<'_>) -> Result<Reopened, Refusal> {
    let mismatch = |reason: &str| Refusal::new(Code::ContentMismatch, "", reason);
    let content = unpad(plaintext).map_err(|error| mismatch(&error.to_string()))?;
    if content.sender != statement.sender {
        return Err(mismatch("the content names another sender than the statement"));
    }
    if content.recipient != statement.recipient {
        return Err(mismatch("the content names another recipient than the statement"));
    }
    if content.message_id != statement.message_id.as_bytes() {
        return Err(mismatch("the content names another message id than the statement"));
    }
    let seed: [u8; 32] = content.seed.as_slice().try_into().map_err(|_| mismatch("the seed has not 32 bytes"))?;
    let seed = Zeroizing::new(seed);
    if content_root(&content.sender, statement.message_id, &seed, &content.chunks) != statement.content_root {
        return Err(mismatch("the fields are not those that the statement commits to"));
    }
    let notice = Notice::from_chunks(&content.chunks)?;
    let header = notice.header();
    if header.notice_id != content.notice_id {
        return Err(mismatch("the content names another registry number than the notice in it"));
    }
    if header.flow != statement.flow || header.memorandum != statement.memorandum {
        return Err(mismatch("the notice has another flow or memorandum than the statement"));
    }
    Ok(Reopened { notice, seed })
}
