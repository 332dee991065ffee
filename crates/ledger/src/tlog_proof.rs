//! Proofs that stand in a text file: checkpoint, index and inclusion proof.
//!
//! # Source
//! C2SP tlog-proof.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use verbale_keys::Vkey;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::hash::{Hash, leaf_hash};
use crate::proof::{ProofError, verify_inclusion};
use crate::tree::LogIndex;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// A tree of 2^63 leaves needs 63 hashes (C2SP tlog-proof allows no more).
const HASHES_MAX: usize = 63;

/// A proof of one entry, not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// Index of the entry.
    pub index: LogIndex,
    /// Hashes from the leaf upwards.
    pub hashes: Vec<Hash>,
    /// The signed checkpoint.
    pub checkpoint: String,
}

/// A tlog proof that proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlogProofError {
    /// Not the text form.
    #[error("the text is no {FIRST_LINE}")]
    Form,
    /// Its checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Its inclusion proof.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl TlogProof {
    /// The text form.
    pub fn to_text(&self) -> String {
        let mut text = format!("{FIRST_LINE}\nindex {}\n", self.index.0);
        for hash in &self.hashes {
            let _ = writeln!(text, "{}", STANDARD.encode(hash));
        }
        text + "\n" + &self.checkpoint
    }

    /// The log in which it says that the entry stands; nothing of it is verified.
    pub fn origin(&self) -> &str {
        self.checkpoint.lines().next().unwrap_or_default()
    }

    /// Reads the text form. Extra data is not used here and refused; [`split_extra`] takes it out first.
    ///
    /// # Errors
    /// [`TlogProofError::Form`], also for another way of writing the same proof.
    pub fn parse(text: &str) -> Result<Self, TlogProofError> {
        let (head, checkpoint) = text.split_once("\n\n").ok_or(TlogProofError::Form)?;
        let mut lines = head.split('\n');
        let index = match (lines.next(), lines.next().and_then(|line| line.strip_prefix("index "))) {
            (Some(FIRST_LINE), Some(index)) => index.parse().map_err(|_| TlogProofError::Form)?,
            _ => return Err(TlogProofError::Form),
        };
        let hashes: Vec<Hash> = lines
            .take(HASHES_MAX + 1)
            .map(|line| STANDARD.decode(line).ok()?.try_into().ok())
            .collect::<Option<_>>()
            .ok_or(TlogProofError::Form)?;
        let proof = Self { index: LogIndex(index), hashes, checkpoint: checkpoint.to_owned() };
        if proof.hashes.len() <= HASHES_MAX && proof.to_text() == text { Ok(proof) } else { Err(TlogProofError::Form) }
    }

    /// Verifies that the entry stands in the log of `vkey`, and returns the checkpoint that says so.
    ///
    /// # Errors
    /// [`TlogProofError`].
    pub fn verify(&self, entry: &[u8], vkey: &Vkey) -> Result<Checkpoint, TlogProofError> {
        let checkpoint = Checkpoint::verify(&self.checkpoint, vkey)?;
        self.verify_under(entry, &checkpoint)?;
        Ok(checkpoint)
    }

    /// Verifies that the entry stands under a checkpoint that the caller verified already, from the same note.
    ///
    /// # Errors
    /// [`TlogProofError::Proof`].
    pub fn verify_under(&self, entry: &[u8], checkpoint: &Checkpoint) -> Result<(), TlogProofError> {
        Ok(verify_inclusion(leaf_hash(entry), self.index, checkpoint.size, &self.hashes, checkpoint.root)?)
    }
}

/// Puts extra data into the text form of a proof: what an application wants to find beside it. It is not proven by anything.
pub fn with_extra(proof: &str, extra: &[u8]) -> Option<String> {
    let rest = proof.strip_prefix(FIRST_LINE)?;
    Some(format!("{FIRST_LINE}\nextra {}{rest}", STANDARD.encode(extra)))
}

/// The text form without its extra data, and the data.
///
/// # Errors
/// [`TlogProofError::Form`], when there is none.
pub fn split_extra(text: &str) -> Result<(String, Vec<u8>), TlogProofError> {
    let rest = text.strip_prefix(FIRST_LINE).and_then(|rest| rest.strip_prefix("\nextra "));
    let (extra, rest) = rest.and_then(|rest| rest.split_once('\n')).ok_or(TlogProofError::Form)?;
    let extra = STANDARD.decode(extra).map_err(|_| TlogProofError::Form)?;
    Ok((format!("{FIRST_LINE}\n{rest}"), extra))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_data_goes_in_and_comes_out() {
        let proof = TlogProof { index: LogIndex(3), hashes: vec![[1; 32]], checkpoint: "note\n".to_owned() }.to_text();
        let text = with_extra(&proof, b"entry").unwrap();
        assert!(text.starts_with("c2sp.org/tlog-proof@v1\nextra ZW50cnk=\nindex 3\n"), "{text}");
        assert_eq!(split_extra(&text), Ok((proof.clone(), b"entry".to_vec())));
        assert_eq!(split_extra(&proof), Err(TlogProofError::Form));
        assert_eq!(TlogProof::parse(&text), Err(TlogProofError::Form));
    }
}
