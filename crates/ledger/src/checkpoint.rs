//! Checkpoints: signed heads of a log.
//!
//! # Layout
//! Origin, size in decimal, base64 of the root, each on a line of its own; no extension lines.
//!
//! # Source
//! C2SP tlog-checkpoint.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use verbale_keys::{NoteAlgorithm, SecretKey, Vkey};

use crate::hash::Hash;
use crate::note::{Note, NoteError, sign_note};
use crate::tree::LogSize;

/// The head of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Identity of the log.
    pub origin: String,
    /// Number of entries.
    pub size: LogSize,
    /// Root over them.
    pub root: Hash,
}

/// A checkpoint that vouches for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note around it.
    #[error("the checkpoint is no signed note of this log")]
    Note(#[from] NoteError),
    /// The text.
    #[error("the checkpoint's text is not origin, size and root")]
    Form,
    /// Of another log.
    #[error("the checkpoint is of log {got}, not of {expected}")]
    Origin {
        /// The origin found.
        got: String,
        /// The origin of the key.
        expected: String,
    },
}

impl Checkpoint {
    /// The signed text.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size.0, STANDARD.encode(self.root))
    }

    /// Signs it with the log's key, whose name is the origin. The same head always gives the same note.
    pub fn sign(&self, key: &SecretKey) -> String {
        let vkey = Vkey { name: self.origin.clone(), algorithm: NoteAlgorithm::Ed25519, key: key.public() };
        sign_note(&self.text(), &vkey, key)
    }

    /// Verifies a note as a checkpoint of the log of `vkey`.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn verify(note: &str, vkey: &Vkey) -> Result<Self, CheckpointError> {
        let note = Note::parse(note)?;
        note.verify(vkey)?;
        let checkpoint = Self::parse(note.text)?;
        if checkpoint.origin != vkey.name {
            return Err(CheckpointError::Origin { got: checkpoint.origin, expected: vkey.name.clone() });
        }
        Ok(checkpoint)
    }

    /// Reads the text; says nothing about who signed it.
    ///
    /// # Errors
    /// [`CheckpointError::Form`], also for another way of writing the same head.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(CheckpointError::Form);
        };
        let size = size.parse().map_err(|_| CheckpointError::Form)?;
        let root = STANDARD.decode(root).ok().and_then(|root| root.try_into().ok()).ok_or(CheckpointError::Form)?;
        let checkpoint = Self { origin: origin.to_owned(), size: LogSize(size), root };
        if !origin.is_empty() && checkpoint.text() == text { Ok(checkpoint) } else { Err(CheckpointError::Form) }
    }
}
