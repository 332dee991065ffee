//! The invariants, checked on every committed entry and every released answer.

use std::collections::{HashMap, HashSet};

use verbale_evidence::{MessageId, StatementDigest, UnverifiedEnvelope, VerifiedEnvelope, decode_entry};
use verbale_keys::PublicKey;
use verbale_ledger::{Hash, LogSize, Tree};
use verbale_proto::v1::log_entry::Event;

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(pub String);

/// What the durable log of one node says so far.
#[derive(Default)]
pub(crate) struct Watched {
    sent: Vec<StatementDigest>,
    sent_ids: HashSet<MessageId>,
    /// Envelope of each statement that was accepted, by log index.
    answered: HashMap<u64, Vec<u8>>,
    accepted: Vec<StatementDigest>,
    received_ids: HashSet<MessageId>,
    /// The last head that anybody was shown.
    shown: Option<(u64, Hash)>,
}

macro_rules! require {
    ($holds:expr, $($text:tt)+) => {
        if !$holds {
            return Err(Violation(format!($($text)+)));
        }
    };
}
pub(crate) use require;

impl Watched {
    /// A new durable entry at `index`.
    pub(crate) fn committed(
        &mut self,
        index: u64,
        entry: &[u8],
        keys: (&PublicKey, &PublicKey),
        other: &Self,
    ) -> Result<(), Violation> {
        let (own, peer) = keys;
        let envelope = |bytes: &[u8], key: &PublicKey| UnverifiedEnvelope::parse(bytes).unwrap().verify(key).unwrap();
        match decode_entry(entry).unwrap().1 {
            Event::NoticeSent(sent) => {
                let envelope = envelope(&sent.envelope, own);
                follows(&self.sent, &envelope, "sent")?;
                self.sent.push(envelope.digest());
                require!(self.sent_ids.insert(envelope.statement().message_id), "a message was sent twice");
            }
            Event::NoticeReceived(received) => {
                let envelope = envelope(&received.envelope, peer);
                let message_id = envelope.statement().message_id;
                self.accept(index, &envelope, other)?;
                require!(self.received_ids.insert(message_id), "a message was received twice");
            }
            Event::NoticeRefused(refused) => self.accept(index, &envelope(&refused.envelope, peer), other)?,
            Event::ReceiptReceived(receipt) => {
                let answered = other.answered.get(&receipt.peer_index);
                require!(
                    answered.is_some(),
                    "a receipt names entry {} that the other log does not hold",
                    receipt.peer_index
                );
            }
            Event::ConflictKept(_) => return Err(Violation("two statements were signed under one number".into())),
            _ => {}
        }
        Ok(())
    }

    fn accept(&mut self, index: u64, envelope: &VerifiedEnvelope, other: &Self) -> Result<(), Violation> {
        follows(&self.accepted, envelope, "accepted")?;
        let number = self.accepted.len();
        require!(
            other.sent.get(number) == Some(&envelope.digest()),
            "number {} is not in the sender's durable log",
            number + 1
        );
        self.accepted.push(envelope.digest());
        self.answered.insert(index, envelope.bytes().to_vec());
        Ok(())
    }

    /// Somebody is told that a message was accepted for sending.
    pub(crate) fn told_accepted(&self, message_id: &MessageId) -> Result<(), Violation> {
        require!(self.sent_ids.contains(message_id), "an answer was given for a message that is not durable");
        Ok(())
    }

    /// A receipt was verified for an envelope.
    pub(crate) fn receipt_shown(&self, index: u64, envelope: &[u8]) -> Result<(), Violation> {
        let held = self.answered.get(&index).map(Vec::as_slice) == Some(envelope);
        require!(held, "a receipt was given for entry {index}, which is not durable");
        Ok(())
    }

    /// A head is shown to somebody.
    pub(crate) fn head_shown(&mut self, size: u64, root: Hash) {
        if self.shown.is_none_or(|(shown, _)| shown < size) {
            self.shown = Some((size, root));
        }
    }

    /// The durable log must begin with everything that was ever shown of it.
    pub(crate) fn grows(&self, tree: &Tree) -> Result<(), Violation> {
        if let Some((size, root)) = self.shown {
            require!(
                tree.root_at(LogSize(size)) == Ok(root),
                "the log lost or changed what a signed head of size {size} covered"
            );
        }
        Ok(())
    }

    /// Numbers sent and accepted.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.sent.len(), self.accepted.len())
    }
}

fn follows(chain: &[StatementDigest], envelope: &VerifiedEnvelope, what: &str) -> Result<(), Violation> {
    let statement = envelope.statement();
    let expected = chain.len() as u64 + 1;
    require!(statement.number == expected, "number {} was {what} where {expected} is next: a gap", statement.number);
    let last = chain.last().copied().unwrap_or(StatementDigest::NONE);
    require!(statement.previous == last, "number {expected} was {what} without following the last one");
    Ok(())
}
