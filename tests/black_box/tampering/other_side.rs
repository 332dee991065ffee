//! The operator of a node writes its own log anew, sound in itself: the other side's log shows it.

use verbale_evidence::{MessageId, encode_entry};
use verbale_keys::SecretKey;
use verbale_ledger::{Tree, leaf_hash};
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{CarriedOver, ConflictKept, Genesis, PreviousLog};

use crate::disclosure::three;

use super::craft::{JAPAN, KYRGYZSTAN, Kept, is_received, signed_again};
use super::rewritten::{Anew, decode, found_by_the_other, is_receipt};
use super::{Row, found};

/// It is sound in itself: the other side's log shows it.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_log_that_is_sound_alone_is_found_by_the_other_sides() {
    let kept = Kept::of_demo();
    let theirs = kept.secret(KYRGYZSTAN, "envelope.pem");
    let log_2 = format!("verbale/{JAPAN}/2");
    let rows: Vec<Row<'_, Anew<'_>>> = vec![
        (
            "a fork shown to others",
            Box::new(|log| {
                let at = log.find(|event| matches!(event, Event::NoticeOpened(_)));
                log.change(at, |_, event| {
                    let Event::NoticeOpened(of) = event else { unreachable!() };
                    of.facts_digest = vec![1; 32];
                });
            }),
            "FORK",
        ),
        (
            "a denial left out",
            Box::new(|log| {
                let at = log.find(|event| matches!(event, Event::DisclosureDenied(_)));
                log.entries.remove(at);
            }),
            "FORK",
        ),
        (
            "another log than the one that the other side knows",
            Box::new(|log| {
                log.card.log_origin = format!("verbale/{JAPAN}/2");
                log.change(0, |_, event| {
                    let Event::Genesis(genesis) = event else { unreachable!() };
                    genesis.origin.clone_from(&log_2);
                    genesis.card = kept.card_again(JAPAN, &genesis.card, |card| card.log_origin.clone_from(&log_2));
                });
            }),
            "OTHER_CARD",
        ),
        (
            "the tail left out",
            Box::new(|log| {
                // Behind it stands what the counterpart has receipts for.
                let at = log.find_last(|event| matches!(event, Event::NoticeReceived(_)));
                log.entries.truncate(at);
            }),
            "TAIL_SUPPRESSED",
        ),
        (
            "an older copy put back, and gone on with",
            Box::new(|log| {
                let at = log.find_last(|event| matches!(event, Event::NoticeReceived(_)));
                let export = log.entries.pop().unwrap();
                log.entries.truncate(at);
                log.entries.extend(vec![export; 12]);
            }),
            "FORK",
        ),
        (
            "a sent notice and its receipt left out",
            Box::new(|log| {
                let at = log.find_last(|event| matches!(event, Event::NoticeSent(_)));
                let receipt = log.find_last(is_receipt);
                log.entries.remove(receipt);
                log.entries.remove(at);
            }),
            "RECEIVED_NOT_SENT",
        ),
        (
            "other words under a used message id",
            Box::new(|log| {
                let receipt = log.find_last(is_receipt);
                log.sign_last_sent_again(|statement| statement.content_root = [1; 32]);
                log.entries.remove(receipt);
            }),
            "DIFFERENT_BYTES",
        ),
        (
            "a second statement under a used number, which its sender's log does not tell",
            Box::new(|log| {
                let at = log.find(|event| matches!(event, Event::NoticeReceived(_)));
                let (_, Event::NoticeReceived(received)) = decode(log, at) else { unreachable!() };
                let envelope = signed_again(&received.envelope, &theirs, |statement| statement.content_root = [1; 32]);
                log.append(Event::ConflictKept(ConflictKept { envelope }));
            }),
            "SIGNED_TWICE",
        ),
        (
            "a grant to which both its receipt and its release give other dates",
            Box::new(|log| {
                let at = log.find(is_received("F21"));
                log.change(at, |_, event| {
                    let Event::NoticeReceived(of) = event else { unreachable!() };
                    of.dates.as_mut().unwrap().until_ms += 365 * 24 * 3_600_000;
                });
                let at = log.find(|event| matches!(event, Event::Disclosed(of) if of.code == "CONSENT_OK"));
                log.change(at, |_, event| {
                    let Event::Disclosed(of) = event else { unreachable!() };
                    of.valid_until_ms += 365 * 24 * 3_600_000;
                });
            }),
            "DATES",
        ),
        (
            "a notice that never came, and whose time is over in both logs",
            Box::new(|log| {
                let receipt = log.find_last(is_receipt);
                log.sign_last_sent_again(|statement| {
                    statement.message_id = MessageId::new(7, &[7; 10]);
                    statement.not_after_ms = statement.created_ms - 3 * 24 * 3_600_000;
                });
                log.entries.remove(receipt);
            }),
            "SENT_NOT_RECEIVED",
        ),
    ];
    found_by_the_other(&kept, &rows);
}

/// Both sides hold the notice that says since when a memorandum is in force.
#[test]
fn a_memorandum_begins_on_one_day_on_both_sides() {
    let [japan, _, tajik] = three();
    japan.0.until_delivered();
    let kept = Kept::of_nodes([&japan.0, &tajik.0]);
    kept.copy().reconcile().good();
    let copy = kept.rewritten(JAPAN, |log| {
        let at = log.find(|event| matches!(event, Event::MemorandumCommenced(_)));
        log.change(at, |_, event| {
            let Event::MemorandumCommenced(of) = event else { unreachable!() };
            "2024-02-01".clone_into(&mut of.on);
        });
    });
    copy.verify(JAPAN, &[]).good();
    found("another day", &copy.reconcile(), "COMMENCEMENT");
}

/// A log that took the place of the one that the other side knows, and that nobody was shown, explains nothing.
#[test]
fn a_later_log_that_nobody_was_shown_is_not_called_sound() {
    let kept = Kept::of_demo();
    let head = std::fs::read_to_string(kept.copy().file(JAPAN, "checkpoint")).unwrap();
    let copy = began_anew(&kept, vec![head]);
    copy.verify(JAPAN, &[]).good();
    let said = copy.reconcile();
    assert_eq!(said.code, 3, "{}", said.out);
    assert!(said.out.contains("was never shown it") && !said.out.contains("more was lost"), "{}", said.out);
    // One that tells less of its loss than others know, or nothing, is not called sound by what they hold.
    let copy = began_anew(&kept, Vec::new());
    assert_eq!(copy.verify(JAPAN, &[]).code, 3);
    let said = copy.reconcile();
    assert_eq!(said.code, 3, "{}", said.out);
    assert!(said.out.contains("more was lost than it tells"), "{}", said.out);
}

/// A log that took the place of the one of the demo, of which it carries over thirteen entries; it tells that others know these heads.
fn began_anew(kept: &Kept, known_heads: Vec<String>) -> super::craft::Copy {
    let stranger = SecretKey::from_seed([7; 32]);
    kept.rewritten(JAPAN, |log| {
        let (time_ms, first) = decode(log, 0);
        let Event::Genesis(first) = first else { unreachable!() };
        let origin = format!("verbale/{JAPAN}/2");
        let card = kept.card_again(JAPAN, &first.card, |card| {
            (card.serial, card.log_key) = (2, stranger.public());
            card.log_origin.clone_from(&origin);
            log.card = card.clone();
        });
        let (held, export) = (log.entries[..13].to_vec(), log.entries.pop().unwrap());
        let mut tree = Tree::default();
        for (entry, _) in &held {
            tree.append(leaf_hash(entry));
        }
        let previous = PreviousLog {
            origin: first.origin.clone(),
            held_size: tree.size().0,
            held_root: tree.root().to_vec(),
            known_heads,
            ..PreviousLog::default()
        };
        let now_ms = time_ms + 3_600_000;
        let genesis = Event::Genesis(Genesis { origin, card, previous: Some(previous), ..first });
        let carried = held.into_iter().map(|(entry, receipt)| {
            (encode_entry(now_ms, Event::CarriedOver(CarriedOver { entry })).unwrap(), receipt)
        });
        log.entries = std::iter::once((encode_entry(now_ms, genesis).unwrap(), None)).chain(carried).collect();
        log.entries.push((encode_entry(now_ms, verbale_evidence::decode_entry(&export.0).unwrap().1).unwrap(), None));
        log.key = SecretKey::from_seed([7; 32]);
    })
}
