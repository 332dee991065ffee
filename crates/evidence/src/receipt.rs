//! Receipts: the proof that a statement stands in the counterpart's log, and what the counterpart made of it.

use prost::Message as _;
use sha2::{Digest as _, Sha256};
use verbale_keys::Vkey;
use verbale_ledger::{Checkpoint, LogIndex, TlogProof, TlogProofError};
use verbale_proto::v1::Receipt;
use verbale_proto::v1::log_entry::Event;

use crate::entry::{EntryError, EntryTold, read_entry};
use crate::envelope::{VerifiedEnvelope, claimed_digest};
use crate::statement::StatementDigest;

/// What the counterpart made of the notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Sealed bytes durable, opened, commitments checked, rules passed.
    Received,
    /// Refused.
    Refused {
        /// Stable code of the rule: capital letters and `_`.
        code: String,
    },
}

impl Verdict {
    /// The refusal code; empty when received, as log entries have it.
    pub fn refusal_code(&self) -> &str {
        match self {
            Self::Received => "",
            Self::Refused { code } => code,
        }
    }

    /// `RECEIVED`, or the refusal code.
    pub fn code(&self) -> &str {
        match self {
            Self::Received => "RECEIVED",
            Self::Refused { code } => code,
        }
    }
}

/// A receipt that was verified under the counterpart's log key and is about the envelope asked for.
#[derive(Clone, Debug)]
pub struct VerifiedReceipt {
    bytes: Vec<u8>,
    about: StatementDigest,
    index: LogIndex,
    time_ms: i64,
    checkpoint: Checkpoint,
    verdict: Verdict,
}

/// A receipt that proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Not a receipt.
    #[error("the bytes are no receipt")]
    Form,
    /// The proof in it.
    #[error(transparent)]
    Proof(#[from] TlogProofError),
    /// The entry in it.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// A refusal without a code, or with something else in its place.
    #[error("the receipt refuses without a code")]
    Code,
    /// The entry is about something else.
    #[error("the receipt is for another notice")]
    AnotherNotice,
}

/// Verifies a receipt for exactly this envelope.
///
/// # Errors
/// [`ReceiptError`].
pub fn verify_receipt(
    receipt: &Receipt,
    log: &Vkey,
    envelope: &VerifiedEnvelope,
) -> Result<VerifiedReceipt, ReceiptError> {
    ReceiptVerifier::new(log).verify(receipt, envelope)
}

/// Verifies receipts of one log. Those of a batch share a checkpoint, whose signature is then verified once.
pub struct ReceiptVerifier<'a> {
    log: &'a Vkey,
    /// The note that was verified last, and the checkpoint in it.
    verified: Option<(String, Checkpoint)>,
}

impl<'a> ReceiptVerifier<'a> {
    /// For the log of this key.
    pub fn new(log: &'a Vkey) -> Self {
        Self { log, verified: None }
    }

    /// Verifies a receipt for exactly this envelope.
    ///
    /// # Errors
    /// [`ReceiptError`].
    pub fn verify(&mut self, receipt: &Receipt, envelope: &VerifiedEnvelope) -> Result<VerifiedReceipt, ReceiptError> {
        let (about, verified) = self.verify_alone(receipt)?;
        if about != envelope.bytes() {
            return Err(ReceiptError::AnotherNotice);
        }
        Ok(verified)
    }

    /// Verifies that a receipt stands in the log, and returns the envelope that it is about, whose signature is not looked at.
    ///
    /// # Errors
    /// [`ReceiptError`].
    pub fn verify_alone(&mut self, receipt: &Receipt) -> Result<(Vec<u8>, VerifiedReceipt), ReceiptError> {
        let proof = TlogProof::parse(&receipt.proof)?;
        let checkpoint = match &self.verified {
            Some((note, checkpoint)) if *note == proof.checkpoint => checkpoint.clone(),
            _ => {
                let checkpoint = Checkpoint::verify(&proof.checkpoint, self.log).map_err(TlogProofError::Checkpoint)?;
                self.verified = Some((proof.checkpoint.clone(), checkpoint.clone()));
                checkpoint
            }
        };
        proof.verify_under(&receipt.entry, &checkpoint)?;
        let EntryTold { time_ms, event, .. } = read_entry(&receipt.entry)?;
        let (about, verdict) = match event {
            Event::NoticeReceived(received) => (received.envelope, Verdict::Received),
            Event::NoticeRefused(refused) if is_code(&refused.code) => {
                (refused.envelope, Verdict::Refused { code: refused.code })
            }
            Event::NoticeRefused(_) => return Err(ReceiptError::Code),
            _ => return Err(ReceiptError::AnotherNotice),
        };
        let digest = claimed_digest(&about).map_err(|_| ReceiptError::Form)?;
        let bytes = receipt.encode_to_vec();
        Ok((about, VerifiedReceipt { bytes, about: digest, index: proof.index, time_ms, checkpoint, verdict }))
    }
}

/// Whether a text is a refusal code: what a counterpart wrote stands in our log and on our screens.
fn is_code(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
}

impl VerifiedReceipt {
    /// The receipt, as it is kept.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of [`Self::bytes`].
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.bytes).into()
    }

    /// The statement that it is about.
    pub fn about(&self) -> StatementDigest {
        self.about
    }

    /// Where the entry stands in the counterpart's log.
    pub fn index(&self) -> LogIndex {
        self.index
    }

    /// When the counterpart made the entry, by its clock, in milliseconds since 1970-01-01 UTC.
    pub fn time_ms(&self) -> i64 {
        self.time_ms
    }

    /// The counterpart's head that vouches for it.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// What the counterpart made of the notice.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::encode_entry;
    use crate::envelope::sign_statement;
    use crate::statement::{Statement, sample_statement};
    use verbale_keys::{NoteAlgorithm, SecretKey};
    use verbale_ledger::{Tree, leaf_hash};
    use verbale_proto::v1::{NoticeHandedOver, NoticeReceived, NoticeRefused};

    fn receipt_of(event: Event, key: &SecretKey) -> Receipt {
        let entry = encode_entry(1, event).unwrap();
        let mut tree = Tree::default();
        tree.append(leaf_hash(b"genesis"));
        let index = tree.append(leaf_hash(&entry));
        let checkpoint = Checkpoint { origin: "verbale/XX/1".into(), size: tree.size(), root: tree.root() }.sign(key);
        let hashes = tree.inclusion_proof(index, tree.size()).unwrap();
        Receipt { entry, proof: TlogProof { index, hashes, checkpoint }.to_text() }
    }

    #[test]
    fn a_receipt_holds_for_its_own_notice_under_its_own_log_only() {
        let (key, other) = (SecretKey::from_seed([1; 32]), SecretKey::from_seed([2; 32]));
        let vkey = |key: &SecretKey| Vkey {
            name: "verbale/XX/1".into(),
            algorithm: NoteAlgorithm::Ed25519,
            key: key.public(),
        };
        let envelope = |number| sign_statement(Statement { number, ..sample_statement(&key.public()) }, &key).unwrap();
        let (mine, others) = (envelope(1), envelope(2));
        let received =
            Event::NoticeReceived(NoticeReceived { envelope: mine.bytes().to_vec(), ..NoticeReceived::default() });
        let receipt = receipt_of(received, &key);
        let good = verify_receipt(&receipt, &vkey(&key), &mine).unwrap();
        assert_eq!((good.verdict(), good.index()), (&Verdict::Received, LogIndex(1)));
        assert_eq!(verify_receipt(&receipt, &vkey(&key), &others).err(), Some(ReceiptError::AnotherNotice));
        assert!(matches!(verify_receipt(&receipt, &vkey(&other), &mine), Err(ReceiptError::Proof(_))));
        let mut changed = receipt.clone();
        *changed.entry.last_mut().unwrap() ^= 1;
        assert!(matches!(verify_receipt(&changed, &vkey(&key), &mine), Err(ReceiptError::Proof(_))));
        for code in ["", "Not a code", "\u{1b}[2J"] {
            let refused =
                NoticeRefused { envelope: mine.bytes().to_vec(), code: code.into(), ..NoticeRefused::default() };
            let receipt = receipt_of(Event::NoticeRefused(refused), &key);
            assert_eq!(verify_receipt(&receipt, &vkey(&key), &mine).err(), Some(ReceiptError::Code), "{code:?}");
        }
        let handed = Event::NoticeHandedOver(NoticeHandedOver {
            message_id: mine.bytes().to_vec(),
            ..NoticeHandedOver::default()
        });
        assert_eq!(
            verify_receipt(&receipt_of(handed, &key), &vkey(&key), &mine).err(),
            Some(ReceiptError::AnotherNotice)
        );
    }
}
