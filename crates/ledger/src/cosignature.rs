//! Cosignatures: what a witness says about another log's checkpoint, and when it says so.
//!
//! # Layout
//! The signed message is `cosignature/v1`, a line `time <seconds since 1970-01-01 UTC>`, and the checkpoint's text. The signature line of
//! the note carries the key id, the time as 64-bit big-endian, and the signature.
//!
//! # Source
//! C2SP tlog-cosignature.

use verbale_keys::{NoteAlgorithm, SecretKey, Vkey};

use crate::checkpoint::Checkpoint;
use crate::note::{Note, NoteError, signature_line};

/// Signs a checkpoint as the witness of this name; the result is a signature line.
///
/// The caller verified the log's signature and that the checkpoint follows from the one it signed before, and holds it durably.
pub fn cosign(checkpoint: &Checkpoint, time_s: u64, name: &str, key: &SecretKey) -> String {
    let vkey = Vkey { name: name.to_owned(), algorithm: NoteAlgorithm::CosignatureV1, key: key.public() };
    let mut signed = time_s.to_be_bytes().to_vec();
    signed.extend_from_slice(&key.sign(&message(&checkpoint.text(), time_s)));
    signature_line(&vkey, &signed)
}

/// Verifies the cosignature of a witness on a note, and returns its time, in seconds since 1970-01-01 UTC.
///
/// # Errors
/// [`NoteError`].
pub fn verify_cosignature(note: &str, witness: &Vkey) -> Result<u64, NoteError> {
    let note = Note::parse(note)?;
    let line = note.signature_of(witness)?;
    let (time, signature) = line.split_first_chunk::<8>().ok_or(NoteError::BadSignature)?;
    let time_s = u64::from_be_bytes(*time);
    witness.key.verify(&message(note.text, time_s), signature).map_err(|_| NoteError::BadSignature)?;
    Ok(time_s)
}

fn message(text: &str, time_s: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {time_s}\n{text}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::LogSize;

    #[test]
    fn a_cosignature_holds_for_its_checkpoint_time_and_key_only() {
        let (log, witness) = (SecretKey::from_seed([1; 32]), SecretKey::from_seed([2; 32]));
        let vkey = |key: &SecretKey, algorithm| Vkey { name: "witness.example".into(), algorithm, key: key.public() };
        let head = Checkpoint { origin: "verbale/XX/1".into(), size: LogSize(7), root: [3; 32] };
        let line = cosign(&head, 1_700_000_000, "witness.example", &witness);
        let note = head.sign(&log) + &line;
        let known = vkey(&witness, NoteAlgorithm::CosignatureV1);
        assert_eq!(verify_cosignature(&note, &known), Ok(1_700_000_000));
        // The log's own signature stands beside it.
        let log_vkey = Vkey { name: head.origin.clone(), algorithm: NoteAlgorithm::Ed25519, key: log.public() };
        assert_eq!(Checkpoint::verify(&note, &log_vkey), Ok(head.clone()));
        let other = Checkpoint { size: LogSize(8), ..head.clone() }.sign(&log) + &line;
        assert_eq!(verify_cosignature(&other, &known), Err(NoteError::BadSignature));
        let later = head.sign(&log) + &cosign(&head, 1_700_000_001, "witness.example", &log);
        assert_eq!(verify_cosignature(&later, &known), Err(NoteError::Unsigned));
        // A signature over the text alone is none.
        assert_eq!(verify_cosignature(&note, &vkey(&witness, NoteAlgorithm::Ed25519)), Err(NoteError::Unsigned));
    }
}
