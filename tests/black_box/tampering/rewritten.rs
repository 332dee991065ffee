//! The operator of a node writes its own log anew, with its own key. What it says of decisions is in `released.rs`.

use verbale_evidence::decode_entry;
use verbale_keys::SecretKey;
use verbale_ledger::{Checkpoint, Note, cosign};
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{
    CarriedOver, ChannelReopened, ChannelResumed, CounterpartRotated, MemorandumCommenced, MemorandumEnds,
    NoticeReceived, NoticeSent, PeerEnrolled,
};

use super::craft::{Impostor, JAPAN, KYRGYZSTAN, Kept, Log, claimed, is_received, receipt_bytes, signed_again};
use super::{Row, found};
use crate::node::verbale;

/// A log written anew.
pub(super) type Anew<'r> = Box<dyn Fn(&mut Log) + 'r>;

/// What the log itself shows.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_log_that_its_own_operator_rewrote_is_found_by_what_it_says() {
    let kept = Kept::of_demo();
    let stranger = SecretKey::from_seed([7; 32]);
    let impostor = Impostor::of(KYRGYZSTAN);
    let their_card = std::fs::read_to_string(impostor.card()).unwrap();
    let their_card = verbale_evidence::parse_card_text(&their_card).unwrap();
    let is_grant = is_received("F21");
    let theirs = kept.secret(KYRGYZSTAN, "envelope.pem");
    let rows: Vec<Row<'_, Anew<'_>>> = vec![
        (
            "an entry dropped in the middle",
            Box::new(|log| {
                let at = log.find(|event| matches!(event, Event::NoticeReceived(_)));
                log.entries.remove(at);
            }),
            "NUMBER",
        ),
        (
            "two entries swapped",
            Box::new(|log| {
                let at = log.find_last(|event| matches!(event, Event::NoticeSent(_)));
                let receipt = at + log.entries[at..].iter().position(|(_, receipt)| receipt.is_some()).unwrap();
                log.entries.swap(at, receipt);
            }),
            "UNKNOWN_NOTICE",
        ),
        (
            "an entry back-dated",
            Box::new(|log| {
                let at = log.find(|event| matches!(event, Event::NoticeOpened(_)));
                log.change(at, |time_ms, _| *time_ms -= 3_600_000);
            }),
            "TIME_BACKWARDS",
        ),
        (
            "a notice twice",
            Box::new(|log| {
                let at = log.find(|event| matches!(event, Event::NoticeReceived(_)));
                let again = log.entries[at].clone();
                log.entries.insert(at + 1, again);
            }),
            "NUMBER",
        ),
        (
            "a statement that another key signed",
            Box::new(|log| {
                let at = log.find(|event| matches!(event, Event::NoticeSent(_)));
                log.change(at, |_, event| {
                    let Event::NoticeSent(sent) = event else { unreachable!() };
                    sent.envelope = signed_again(&sent.envelope, &stranger, |_| {});
                });
            }),
            "SIGNATURE",
        ),
        (
            "a statement with another predecessor",
            Box::new(|log| {
                log.sign_last_sent_again(|statement| statement.previous.0 = [1; 32]);
            }),
            "CHAIN",
        ),
        (
            "a statement of after its entry",
            Box::new(|log| {
                log.sign_last_sent_again(|statement| statement.created_ms += 60_000);
            }),
            "BACK_DATED",
        ),
        (
            "a flow that no memorandum has",
            Box::new(|log| {
                log.sign_last_sent_again(|statement| statement.flow = "F99".to_owned());
            }),
            "FLOW",
        ),
        (
            "a contact point that is no side of the memorandum",
            Box::new(|log| {
                log.sign_last_sent_again(|statement| statement.recipient = "XX-NOBODY".to_owned());
            }),
            "SIDES",
        ),
        (
            "a channel that was opened again with nobody",
            Box::new(|log| {
                let (counterpart, memorandum) = ("XX-NOBODY".to_owned(), "JP-KG-SSW-2023".to_owned());
                let reopened = ChannelReopened { counterpart, memorandum, ..ChannelReopened::default() };
                log.append(Event::ChannelReopened(reopened));
            }),
            "RECIPIENT",
        ),
        (
            "an entry of after the own card was over",
            Box::new(|log| {
                let last = log.entries.len() - 1;
                log.change(last, |time_ms, _| *time_ms += 6 * 365 * 86_400_000);
            }),
            "KEY_NOT_VALID",
        ),
        (
            "a memorandum that ends on no day",
            Box::new(|log| {
                let (memorandum, on) = ("JP-KG-SSW-2023".to_owned(), "never".to_owned());
                log.append(Event::MemorandumEnds(MemorandumEnds { memorandum, on, message_id: vec![1; 16] }));
            }),
            "DATE",
        ),
        (
            "another notice than was drafted and approved",
            Box::new(|log| {
                let at = log.find(|event| matches!(event, Event::NoticeDrafted(_)));
                log.change(at, |_, event| {
                    let Event::NoticeDrafted(of) = event else { unreachable!() };
                    of.content_root[0] ^= 1;
                });
            }),
            "NOT_AS_DRAFTED",
        ),
        (
            "a draft that its approver never read",
            Box::new(|log| {
                let at = log.find(|event| matches!(event, Event::NoticeDrafted(_)));
                let (_, Event::NoticeDrafted(drafted)) = decode_entry(&log.entries[at].0).unwrap() else {
                    unreachable!()
                };
                let is_of =
                    |event: &Event| matches!(event, Event::NoticeOpened(of) if of.message_id == drafted.message_id);
                let at = log.find(is_of);
                log.entries.remove(at);
            }),
            "UNREAD",
        ),
        (
            "other terms",
            Box::new(|log| {
                log.sign_last_sent_again(|statement| statement.terms_digest = [1; 32]);
            }),
            "TERMS",
        ),
        (
            "another receipt than the entry says",
            Box::new(|log| {
                let at = log.find(|event| matches!(event, Event::ReceiptReceived(_)));
                log.change(at, |_, event| {
                    let Event::ReceiptReceived(receipt) = event else { unreachable!() };
                    receipt.receipt_digest[0] ^= 1;
                });
            }),
            "RECEIPT",
        ),
        (
            "a refusal told as a success",
            Box::new(|log| {
                let at = log.find(|event| matches!(event, Event::ReceiptReceived(_)));
                log.change(at, |_, event| {
                    let Event::ReceiptReceived(receipt) = event else { unreachable!() };
                    receipt.code = "BAD_FORM".to_owned();
                });
            }),
            "RECEIPT",
        ),
        (
            "the receipt of another notice",
            Box::new(|log| {
                let (at, other) = (log.find(is_receipt), log.find_last(is_receipt));
                let theirs = log.entries[other].1.clone();
                log.entries[at].1.clone_from(&theirs);
                log.change(at, |_, event| {
                    use sha2::Digest as _;
                    let Event::ReceiptReceived(receipt) = event else { unreachable!() };
                    receipt.receipt_digest = sha2::Sha256::digest(receipt_bytes(theirs.as_ref().unwrap())).to_vec();
                });
            }),
            "RECEIPT",
        ),
        (
            "a receipt that nothing was sent for",
            Box::new(|log| {
                let at = log.find(is_receipt);
                let again = log.entries[at].clone();
                log.entries.insert(at + 1, again);
            }),
            "UNKNOWN_NOTICE",
        ),
        (
            "a memorandum begun by a notice about something else",
            Box::new(|log| {
                let message_id = message_id(log, log.find(&is_grant));
                log.append(Event::MemorandumCommenced(MemorandumCommenced {
                    memorandum: "JP-KG-SSW-2023".to_owned(),
                    on: "2020-01-01".to_owned(),
                    message_id,
                }));
            }),
            "UNKNOWN_NOTICE",
        ),
        (
            "a notice sent when the own card was over",
            Box::new(|log| {
                log.change(0, |_, event| {
                    let Event::Genesis(genesis) = event else { unreachable!() };
                    genesis.card =
                        kept.card_again(JAPAN, &genesis.card, |card| card.valid_until_ms = card.valid_from_ms);
                });
            }),
            "KEY_NOT_VALID",
        ),
        (
            "a notice of a counterpart whose card was over",
            Box::new(|log| {
                let is_theirs = |of: &PeerEnrolled| String::from_utf8_lossy(&of.card).contains(KYRGYZSTAN);
                let at = log.find(|event| matches!(event, Event::PeerEnrolled(of) if is_theirs(of)));
                log.change(at, |_, event| {
                    let Event::PeerEnrolled(of) = event else { unreachable!() };
                    of.card = kept.card_again(KYRGYZSTAN, &of.card, |card| {
                        // Clocks may be a day apart.
                        card.valid_from_ms -= 2 * 24 * 3600 * 1000;
                        card.valid_until_ms = card.valid_from_ms;
                    });
                });
            }),
            "KEY_NOT_VALID",
        ),
        (
            "a memorandum that begins on another day than before",
            Box::new(|log| {
                let at = log.find(|event| matches!(event, Event::MemorandumCommenced(_)));
                let before = log.entries[at].clone();
                log.entries.insert(at, before);
                log.change(at, |_, event| {
                    let Event::MemorandumCommenced(of) = event else { unreachable!() };
                    "2020-01-01".clone_into(&mut of.on);
                });
            }),
            "COMMENCEMENT",
        ),
        (
            "a notice received before it was made",
            Box::new(|log| {
                let at = log.find(|event| matches!(event, Event::NoticeReceived(_)));
                log.change(at, |_, event| {
                    let Event::NoticeReceived(of) = event else { unreachable!() };
                    of.envelope =
                        signed_again(&of.envelope, &theirs, |statement| statement.created_ms += 10 * 24 * 3_600_000);
                });
            }),
            "BACK_DATED",
        ),
        (
            "a notice received though its time was over",
            Box::new(|log| {
                let at = log.find(|event| matches!(event, Event::NoticeReceived(_)));
                log.change(at, |_, event| {
                    let Event::NoticeReceived(of) = event else { unreachable!() };
                    of.envelope = signed_again(&of.envelope, &theirs, |statement| {
                        statement.not_after_ms = statement.created_ms - 3 * 24 * 3_600_000;
                    });
                });
            }),
            "RECEIVED_LATE",
        ),
        (
            "a second card under a known id",
            Box::new(|log| {
                let at = log.find(|event| matches!(event, Event::PeerEnrolled(of) if of.card != their_card)) + 1;
                let enrolled = log.entries[at - 1].clone();
                log.entries.insert(at, enrolled);
                log.change(at, |_, event| {
                    let Event::PeerEnrolled(of) = event else { unreachable!() };
                    of.card.clone_from(&their_card);
                });
            }),
            "KEY",
        ),
        (
            "a later card that another card key signed",
            Box::new(|log| log.append(Event::CounterpartRotated(CounterpartRotated { card: their_card.clone() }))),
            "KEY",
        ),
        (
            "a channel resumed in a log that took nobody's place",
            Box::new(|log| log.append(Event::ChannelResumed(ChannelResumed::default()))),
            "RESUMED",
        ),
        (
            "an entry carried over from no log",
            Box::new(|log| {
                let entry = log.entries[1].0.clone();
                log.append(Event::CarriedOver(CarriedOver { entry }));
            }),
            "CARRIED",
        ),
        (
            "a log that begins twice",
            Box::new(|log| {
                let first = log.entries[0].clone();
                log.entries.insert(1, first);
            }),
            "GENESIS",
        ),
        (
            "the last entries left out, the cosignatures not",
            Box::new(|log| {
                log.entries.truncate(log.entries.len() - 8);
                log.with_cosignatures = true;
            }),
            "TAIL_SUPPRESSED",
        ),
        (
            "another history under old cosignatures",
            Box::new(|log| {
                let at = log.find(|event| matches!(event, Event::NoticeOpened(_)));
                log.change(at, |_, event| {
                    let Event::NoticeOpened(of) = event else { unreachable!() };
                    of.facts_digest = vec![1; 32];
                });
                log.with_cosignatures = true;
            }),
            "FORK",
        ),
    ];
    found_by_each(&kept, &rows);
}

#[test]
fn entries_after_the_cosignature_over_them_are_found() {
    let kept = Kept::of_demo();
    let copy =
        kept.rewritten(JAPAN, |log| log.change(log.entries.len() - 1, |time_ms, _| *time_ms += 300 * 24 * 3_600_000));
    copy.verify(JAPAN, &[]).good();
    let checkpoint = copy.file(JAPAN, "checkpoint");
    let note = std::fs::read_to_string(&checkpoint).unwrap();
    let head = Checkpoint::parse(Note::parse(&note).unwrap().text).unwrap();
    let time_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let cosigned = |id: &str| cosign(&head, time_s, &format!("verbale/{id}/witness"), &kept.secret(id, "cosigner.pem"));
    // One witness's clock against the log's own says nothing of either; two do.
    std::fs::write(&checkpoint, note.clone() + &cosigned(KYRGYZSTAN)).unwrap();
    let said = copy.verify(JAPAN, &[]).good().json().remove(0);
    assert!(said["clocks_apart"][0].as_str().unwrap().contains("one of two clocks was wrong"), "{said}");
    std::fs::write(&checkpoint, note.clone() + &cosigned(KYRGYZSTAN) + &cosigned("TJ-MLMEP-MS-DLPSA")).unwrap();
    found("entries after their cosignature", &copy.verify(JAPAN, &[]), "COSIGNED_BEFORE");
}

#[test]
fn a_statement_of_long_before_its_entry_is_said() {
    let kept = Kept::of_demo();
    let copy =
        kept.rewritten(JAPAN, |log| log.sign_last_sent_again(|statement| statement.created_ms -= 3 * 86_400_000));
    let said = copy.verify(JAPAN, &[]).json().remove(0);
    assert!(said["clocks_apart"][0].as_str().unwrap().starts_with("1 own statements, the first at entry"), "{said}");
}

/// Each row is found in Japan's log alone by its code, and nothing of a log moves the cursor of whoever reads the report.
pub(super) fn found_by_each(kept: &Kept, rows: &[Row<'_, Anew<'_>>]) {
    for (row, change, code) in rows {
        let copy = kept.rewritten(JAPAN, change);
        found(row, &copy.verify(JAPAN, &[]), code);
        let report = verbale(&["audit", "verify", copy.export(JAPAN).to_str().unwrap()], None);
        assert!(report.code == 4 && !report.out.contains('\u{1b}'), "{row}: {:?}", report.out);
    }
}

/// Changes that the log alone does not show, and the other side's does.
pub(super) fn found_by_the_other(kept: &Kept, rows: &[Row<'_, Anew<'_>>]) {
    for (row, change, code) in rows {
        let copy = kept.rewritten(JAPAN, change);
        let alone = copy.verify(JAPAN, &[]);
        assert_eq!(alone.code, 0, "{row}: {}", alone.out);
        found(row, &copy.reconcile(), code);
    }
}

pub(super) fn decode(log: &Log, at: usize) -> (i64, Event) {
    verbale_evidence::decode_entry(&log.entries[at].0).unwrap()
}

pub(super) fn is_receipt(event: &Event) -> bool {
    matches!(event, Event::ReceiptReceived(_))
}

/// The message id of a notice.
pub(super) fn message_id(log: &Log, index: usize) -> Vec<u8> {
    let (_, event) = verbale_evidence::decode_entry(&log.entries[index].0).unwrap();
    let (Event::NoticeReceived(NoticeReceived { envelope, .. }) | Event::NoticeSent(NoticeSent { envelope, .. })) =
        event
    else {
        unreachable!()
    };
    claimed(&envelope).message_id.as_bytes().to_vec()
}
