//! An audit of two running nodes, from their logs and cards alone.

use std::collections::{HashMap, HashSet};

use verbale_evidence::{Card, UnverifiedCard, UnverifiedEnvelope, decode_entry, parse_card_text};
use verbale_ledger::{Checkpoint, Tree, leaf_hash};
use verbale_node::{Folder, connect};
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{NoticeReceived, NoticeRefused, ReadLogRequest};

use crate::node::Node;

/// What a log says of each statement.
#[derive(Default)]
struct Log {
    sent: Vec<[u8; 32]>,
    /// Times that a statement was received or refused.
    answered: HashMap<[u8; 32], usize>,
    receipts: usize,
}

/// Both logs are what their signed heads say, and each notice that one side sent stands exactly once in the other's log and
/// has a receipt.
pub(crate) fn sound(one: &Node, other: &Node) {
    let (a, b) = (read(one, other), read(other, one));
    for (sender, receiver) in [(&a, &b), (&b, &a)] {
        for digest in &sender.sent {
            assert_eq!(
                receiver.answered.get(digest),
                Some(&1),
                "a notice does not stand exactly once in the receiver's log"
            );
        }
        assert_eq!(sender.sent.len(), receiver.answered.len(), "the receiver's log holds what the sender's does not");
        assert_eq!(sender.sent.len(), sender.receipts, "a notice has no receipt, or two");
    }
}

fn card(node: &Node) -> Card {
    let text = std::fs::read_to_string(node.dir.join("card.txt")).unwrap();
    let bytes = parse_card_text(&text).unwrap();
    UnverifiedCard::parse(&bytes).unwrap().verify(&node.fingerprint.parse().unwrap()).unwrap()
}

fn read(node: &Node, peer: &Node) -> Log {
    let (own, peer) = (card(node), card(peer));
    let (entries, head) = whole_log(node);
    let (own_cards, peer_cards) = (cards_in(&entries, &own.id), cards_in(&entries, &peer.id));
    let (mut tree, mut log) = (Tree::default(), Log::default());
    let (mut numbers, mut sent_ids) = (HashMap::<String, u64>::new(), HashSet::new());
    for entry in &entries {
        tree.append(leaf_hash(entry));
        // What was exchanged with a third node is audited with that node.
        let verified = |bytes: &[u8], cards: &[Card]| {
            let under = |card: &Card| UnverifiedEnvelope::parse(bytes).unwrap().verify(&card.envelope_key).ok();
            let envelope = cards.iter().find_map(under)?;
            let statement = envelope.statement();
            [&statement.sender, &statement.recipient]
                .iter()
                .all(|id| **id == own.id || **id == peer.id)
                .then_some(envelope)
        };
        match decode_entry(entry).unwrap().1 {
            Event::NoticeSent(sent) => {
                let Some(envelope) = verified(&sent.envelope, &own_cards) else { continue };
                log.sent.push(envelope.digest().0);
                sent_ids.insert(envelope.statement().message_id.as_bytes().to_vec());
                let number = numbers.entry(envelope.statement().memorandum.clone()).or_default();
                *number += 1;
                assert_eq!(envelope.statement().number, *number, "a gap in the numbers");
            }
            Event::NoticeReceived(NoticeReceived { envelope, .. })
            | Event::NoticeRefused(NoticeRefused { envelope, .. }) => {
                if let Some(envelope) = verified(&envelope, &peer_cards) {
                    *log.answered.entry(envelope.digest().0).or_default() += 1;
                }
            }
            Event::ReceiptReceived(receipt) => log.receipts += usize::from(sent_ids.contains(&receipt.message_id)),
            _ => {}
        }
    }
    let head = Checkpoint::verify(&head, &own.log_vkey()).unwrap();
    assert_eq!((head.size, head.root), (tree.size(), tree.root()), "the signed head is not that of the entries");
    log
}

/// The cards of a contact point that a log tells.
fn cards_in(entries: &[Vec<u8>], id: &str) -> Vec<Card> {
    let card = |entry: &Vec<u8>| {
        let bytes = match decode_entry(entry).unwrap().1 {
            Event::Genesis(of) => of.card,
            Event::OwnCardRotated(of) => of.card,
            Event::PeerEnrolled(of) => of.card,
            Event::CounterpartRotated(of) => of.card,
            _ => return None,
        };
        let card = UnverifiedCard::parse(&bytes).unwrap();
        let fingerprint = card.claimed_fingerprint().unwrap();
        Some(card.verify(&fingerprint).unwrap()).filter(|card| card.id == id)
    };
    entries.iter().filter_map(card).collect()
}

fn whole_log(node: &Node) -> (Vec<Vec<u8>>, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut client = connect(&Folder::new(&node.dir)).await.unwrap();
        let mut answer = client.read_log(ReadLogRequest { from_index: 0 }).await.unwrap().into_inner();
        let (mut entries, mut head) = (Vec::new(), String::new());
        while let Some(part) = answer.message().await.unwrap() {
            entries.extend(part.entries);
            head = part.checkpoint;
        }
        (entries, head)
    })
}
