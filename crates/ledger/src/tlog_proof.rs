//! Proofs that stand in a text file: checkpoint, index and inclusion proof.
//!
//! # Source
//! C2SP tlog-proof.

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

/// A hash in base64, and its newline.
const LINE_BYTES: usize = 45;

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
        text.reserve(self.hashes.len() * LINE_BYTES + 1 + self.checkpoint.len());
        for hash in &self.hashes {
            STANDARD.encode_string(hash, &mut text);
            text.push('\n');
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
            (Some(FIRST_LINE), Some(text)) => {
                let index = text.parse::<u64>().map_err(|_| TlogProofError::Form)?;
                if index.to_string() == text { index } else { return Err(TlogProofError::Form) }
            }
            _ => return Err(TlogProofError::Form),
        };
        let hashes: Vec<Hash> =
            lines.take(HASHES_MAX + 1).map(hash).collect::<Option<_>>().ok_or(TlogProofError::Form)?;
        if hashes.len() > HASHES_MAX {
            return Err(TlogProofError::Form);
        }
        Ok(Self { index: LogIndex(index), hashes, checkpoint: checkpoint.to_owned() })
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

/// The hash of a line, which is written in one way only. Receipts come by the million and have some twenty each, so none takes memory of its own.
fn hash(line: &str) -> Option<Hash> {
    // What is decoded is said to be of up to three bytes more.
    let mut bytes = [0; 36];
    match STANDARD.decode_slice(line, &mut bytes) {
        Ok(32) => bytes.first_chunk().copied(),
        _ => None,
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

    #[test]
    fn a_proof_is_written_in_one_way_only() {
        let proof = TlogProof { index: LogIndex(3), hashes: vec![[1; 32], [2; 32]], checkpoint: "note\n".to_owned() };
        let text = proof.to_text();
        assert_eq!(TlogProof::parse(&text), Ok(proof));
        let hash = STANDARD.encode([1; 32]);
        let others = [
            ("index 3", "index 03"),
            ("index 3", "index +3"),
            ("index 3", "index 3 "),
            ("index 3", "Index 3"),
            ("index 3\n", "index 3\n\n"),
            ("index 3\n", "index 3\r\n"),
            ("@v1", "@v2"),
            (&hash, hash.trim_end_matches('=')),
            (&hash, &hash.replace("E=", "F=")),
            (&hash, &format!("{hash} ")),
            (&hash, &STANDARD.encode([1; 31])),
            (&hash, &STANDARD.encode([1; 33])),
        ];
        for (from, to) in others {
            let other = text.replacen(from, to, 1);
            assert!(other != text, "{from} does not stand there");
            // An empty line ends the proof: what follows is then said to be the checkpoint, and is none.
            match TlogProof::parse(&other) {
                Ok(read) => assert_eq!((read.to_text(), to), (other, "index 3\n\n")),
                Err(error) => assert_eq!(error, TlogProofError::Form),
            }
        }
        let longest = TlogProof { index: LogIndex(3), hashes: vec![[1; 32]; 64], checkpoint: "note\n".to_owned() };
        assert_eq!(TlogProof::parse(&longest.to_text()), Err(TlogProofError::Form));
    }
}
