//! The proof that a log shows two histories: two checkpoints of one size with two roots, both signed by it. It needs nothing else.
//!
//! # Layout
//! `verbale/equivocation/v1`, an empty line, the first note, a line `--- and ---`, the second note.

use verbale_keys::Vkey;

use crate::checkpoint::{Checkpoint, CheckpointError};

const FIRST_LINE: &str = "verbale/equivocation/v1\n\n";
const BETWEEN: &str = "--- and ---\n";

/// A text that convicts nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoEquivocation {
    /// Not the text form.
    #[error("the text is no {}", FIRST_LINE.trim_end())]
    Form,
    /// A checkpoint in it.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// They fit each other.
    #[error("the two checkpoints do not contradict each other: one size and two roots are needed")]
    Consistent,
}

/// Two notes as one text.
pub fn equivocation_text(first: &str, second: &str) -> String {
    format!("{FIRST_LINE}{first}{BETWEEN}{second}")
}

/// The two notes of a text, not verified.
///
/// # Errors
/// [`NoEquivocation::Form`].
pub fn parse_equivocation(text: &str) -> Result<(&str, &str), NoEquivocation> {
    text.strip_prefix(FIRST_LINE).and_then(|rest| rest.split_once(BETWEEN)).ok_or(NoEquivocation::Form)
}

/// Verifies that a log signed two roots for one size, and returns both heads.
///
/// # Errors
/// [`NoEquivocation`].
pub fn verify_equivocation(text: &str, log: &Vkey) -> Result<(Checkpoint, Checkpoint), NoEquivocation> {
    let (first, second) = parse_equivocation(text)?;
    let (first, second) = (Checkpoint::verify(first, log)?, Checkpoint::verify(second, log)?);
    if first.size == second.size && first.root != second.root {
        Ok((first, second))
    } else {
        Err(NoEquivocation::Consistent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::LogSize;
    use verbale_keys::{NoteAlgorithm, SecretKey};

    #[test]
    fn only_two_roots_of_one_size_convict() {
        let key = SecretKey::from_seed([1; 32]);
        let vkey = Vkey { name: "log".into(), algorithm: NoteAlgorithm::Ed25519, key: key.public() };
        let head = |size, root| Checkpoint { origin: "log".into(), size: LogSize(size), root: [root; 32] }.sign(&key);
        let text = equivocation_text(&head(7, 1), &head(7, 2));
        assert!(verify_equivocation(&text, &vkey).is_ok());
        for (first, second) in [(head(7, 1), head(7, 1)), (head(7, 1), head(8, 2))] {
            let text = equivocation_text(&first, &second);
            assert_eq!(verify_equivocation(&text, &vkey), Err(NoEquivocation::Consistent));
        }
        let other = SecretKey::from_seed([2; 32]);
        let forged = Checkpoint { origin: "log".into(), size: LogSize(7), root: [2; 32] }.sign(&other);
        let forged = verify_equivocation(&equivocation_text(&head(7, 1), &forged), &vkey);
        assert!(matches!(forged, Err(NoEquivocation::Checkpoint(_))));
        assert_eq!(verify_equivocation("a text", &vkey), Err(NoEquivocation::Form));
    }
}
