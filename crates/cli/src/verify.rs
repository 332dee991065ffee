//! Verification of two logs and the receipts between them, from what the nodes gave and their cards.

use std::collections::HashSet;

use verbale_evidence::{Card, StatementDigest, UnverifiedEnvelope, VerifiedReceipt, decode_entry};
use verbale_ledger::{Checkpoint, Tree, leaf_hash};
use verbale_proto::v1::ReadLogRequest;
use verbale_proto::v1::log_entry::Event;

use crate::commands::Client;
use crate::failure::CliError;

/// A log that was read whole and verified.
pub(crate) struct VerifiedLog {
    tree: Tree,
    pub(crate) checkpoint: Checkpoint,
    /// Statements sent, in the order of the log, and to whom.
    pub(crate) sent: Vec<(String, StatementDigest)>,
    /// Statements received or refused.
    pub(crate) answered: HashSet<[u8; 32]>,
}

/// Reads a node's whole log and verifies it: the signed head over all entries, each entry's form, each own envelope and those of
/// its counterparts, the order of times.
pub(crate) async fn log(client: &mut Client, own: &Card, peers: &[&Card]) -> Result<VerifiedLog, CliError> {
    let mut responses = client.read_log(ReadLogRequest { from_index: 0 }).await?.into_inner();
    let (mut entries, mut note) = (Vec::new(), String::new());
    while let Some(part) = responses.message().await? {
        entries.extend(part.entries);
        note = part.checkpoint;
    }
    let wrong = |what: String| CliError::damaged(format!("the log of {}: {what}", own.id));
    let checkpoint = Checkpoint::verify(&note, &own.log_vkey()).map_err(|error| wrong(error.to_string()))?;
    let mut tree = Tree::default();
    let (mut last_ms, mut sent, mut answered) = (i64::MIN, Vec::new(), HashSet::new());
    for (index, entry) in entries.iter().enumerate() {
        tree.append(leaf_hash(entry));
        let (time_ms, event) = decode_entry(entry).map_err(|error| wrong(format!("entry {index}: {error}")))?;
        if time_ms < last_ms {
            return Err(wrong(format!("entry {index} is earlier than the one before it")));
        }
        last_ms = time_ms;
        let (bytes, signers): (_, &[&Card]) = match event {
            Event::NoticeSent(event) => (event.envelope, &[own]),
            Event::NoticeReceived(event) => (event.envelope, peers),
            Event::NoticeRefused(event) => (event.envelope, peers),
            _ => continue,
        };
        let unverified = || UnverifiedEnvelope::parse(&bytes);
        let verified = signers.iter().find_map(|card| unverified().and_then(|e| e.verify(&card.envelope_key)).ok());
        let envelope = verified.ok_or_else(|| wrong(format!("entry {index}: nobody known signed its envelope")))?;
        if envelope.statement().sender == own.id {
            sent.push((envelope.statement().recipient.clone(), envelope.digest()));
        } else {
            answered.insert(envelope.digest().0);
        }
    }
    if tree.size() != checkpoint.size || tree.root() != checkpoint.root {
        return Err(wrong("the signed head is not that of its entries".to_owned()));
    }
    Ok(VerifiedLog { tree, checkpoint, sent, answered })
}

/// Every notice that one side sent to the other stands in the other's log, and every receipt of the other names an entry that
/// is there.
pub(crate) fn agree(
    sender: &VerifiedLog,
    (to, receiver): (&Card, &VerifiedLog),
    receipts: &[VerifiedReceipt],
) -> Result<(), CliError> {
    let receiver_name = &receiver.checkpoint.origin;
    let sent: Vec<&StatementDigest> = sender.sent.iter().filter(|(id, _)| *id == to.id).map(|(_, sent)| sent).collect();
    for digest in &sent {
        if !receiver.answered.contains(&digest.0) {
            return Err(CliError::damaged(format!("a notice that was sent does not stand in {receiver_name}")));
        }
    }
    let of_receiver = |receipt: &&VerifiedReceipt| receipt.checkpoint().origin == *receiver_name;
    let receipts: Vec<&VerifiedReceipt> = receipts.iter().filter(of_receiver).collect();
    let about: HashSet<[u8; 32]> = receipts.iter().map(|receipt| receipt.about().0).collect();
    if about.len() != sent.len() {
        return Err(CliError::damaged("there are fewer receipts than notices sent"));
    }
    for receipt in receipts {
        let head = receipt.checkpoint();
        if receiver.tree.root_at(head.size) != Ok(head.root) {
            return Err(CliError::damaged(format!("a receipt's head is not a beginning of {receiver_name}")));
        }
    }
    Ok(())
}
