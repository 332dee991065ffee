//! Signed notes.
//!
//! # Layout
//! Text ending in a newline, an empty line, then one line a signature: `— name base64(key id || signature)`.
//!
//! # Source
//! C2SP signed-note.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use verbale_keys::{SecretKey, Vkey};

/// A note has at most so many signature lines: a log, and a few witnesses.
const SIGNATURES_MAX: usize = 16;

/// A note is at most so long: a checkpoint of under 1 KiB and 16 signatures of under 400 bytes.
const NOTE_BYTES_MAX: usize = 8 << 10;

/// A note, its signatures not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note<'a> {
    /// The signed text, with its last newline.
    pub text: &'a str,
    signatures: Vec<SignatureLine<'a>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct SignatureLine<'a> {
    name: &'a str,
    key_id: [u8; 4],
    signature: Vec<u8>,
}

/// The note is malformed, or not signed by the key asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// No empty line between text and signatures, or no newline at the end.
    #[error("the note has no signatures behind an empty line")]
    Form,
    /// A signature line is malformed.
    #[error("a signature line of the note is malformed")]
    Line,
    /// More signature lines than any log needs.
    #[error("the note has more than {SIGNATURES_MAX} signatures")]
    TooMany,
    /// Over the limit.
    #[error("the note is longer than {NOTE_BYTES_MAX} bytes")]
    TooLarge,
    /// A control character in the text.
    #[error("the note holds a control character")]
    Control,
    /// No line of the key, or more than one.
    #[error("the note carries no signature of the expected key, or more than one")]
    Unsigned,
    /// The line of the key does not verify.
    #[error("the note's signature does not verify")]
    BadSignature,
}

impl<'a> Note<'a> {
    /// Takes a note apart.
    ///
    /// # Errors
    /// [`NoteError`], when it is malformed.
    pub fn parse(note: &'a str) -> Result<Self, NoteError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLarge);
        }
        if note.chars().any(|c| c.is_control() && c != '\n') {
            return Err(NoteError::Control);
        }
        let at = note.rfind("\n\n").ok_or(NoteError::Form)?;
        let (text, rest) = note.split_at_checked(at + 1).ok_or(NoteError::Form)?;
        let lines = rest.strip_prefix('\n').and_then(|lines| lines.strip_suffix('\n')).ok_or(NoteError::Form)?;
        if lines.split('\n').count() > SIGNATURES_MAX {
            return Err(NoteError::TooMany);
        }
        let signatures = lines.split('\n').map(SignatureLine::parse).collect::<Result<_, _>>()?;
        Ok(Self { text, signatures })
    }

    /// Verifies the one signature of `vkey` over the text.
    ///
    /// # Errors
    /// [`NoteError::Unsigned`], [`NoteError::BadSignature`].
    pub fn verify(&self, vkey: &Vkey) -> Result<(), NoteError> {
        let signature = self.signature_of(vkey)?;
        vkey.key.verify(self.text.as_bytes(), signature).map_err(|_| NoteError::BadSignature)
    }

    /// The same text with the signatures of both notes; `None` when the texts differ.
    pub fn joined(first: &str, second: &str) -> Option<String> {
        let (text, signatures) = second.split_at_checked(second.rfind("\n\n")? + 2)?;
        if !first.starts_with(text) {
            return None;
        }
        let new = signatures.split_inclusive('\n').filter(|line| !first.contains(line));
        Some(new.fold(first.to_owned(), |note, line| note + line))
    }

    /// What stands behind the key id in the one line of `vkey`.
    pub(crate) fn signature_of(&self, vkey: &Vkey) -> Result<&[u8], NoteError> {
        let id = vkey.key_id();
        let mut own = self.signatures.iter().filter(|line| line.name == vkey.name && line.key_id == id);
        let (Some(line), None) = (own.next(), own.next()) else {
            return Err(NoteError::Unsigned);
        };
        Ok(&line.signature)
    }
}

impl<'a> SignatureLine<'a> {
    fn parse(line: &'a str) -> Result<Self, NoteError> {
        let rest = line.strip_prefix("— ").ok_or(NoteError::Line)?;
        let (name, code) = rest.split_once(' ').ok_or(NoteError::Line)?;
        let bytes = STANDARD.decode(code).map_err(|_| NoteError::Line)?;
        let (key_id, signature) = bytes.split_first_chunk::<4>().ok_or(NoteError::Line)?;
        if name.is_empty() || name.contains('+') {
            return Err(NoteError::Line);
        }
        Ok(Self { name, key_id: *key_id, signature: signature.to_vec() })
    }
}

/// Signs a text and returns the whole note.
pub(crate) fn sign_note(text: &str, vkey: &Vkey, key: &SecretKey) -> String {
    let line = signature_line(vkey, &key.sign(text.as_bytes()));
    format!("{text}\n{line}")
}

pub(crate) fn signature_line(vkey: &Vkey, signature: &[u8]) -> String {
    let mut bytes = vkey.key_id().to_vec();
    bytes.extend_from_slice(signature);
    format!("— {} {}\n", vkey.name, STANDARD.encode(bytes))
}
