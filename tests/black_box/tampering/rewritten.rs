//! The operator of a node writes its own log anew, with its own key.

use std::rc::Rc;

use verbale_evidence::encode_entry;
use verbale_keys::SecretKey;
use verbale_ledger::{Checkpoint, Note, cosign};
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{
    CarriedOver, ChannelResumed, CounterpartRotated, Dates, MemorandumAdopted, MemorandumCommenced, NoticeCarriedOn,
    NoticeHeldBack, NoticeOpened, NoticeReceived, PeerEnrolled,
};

use super::craft::{Impostor, JAPAN, KYRGYZSTAN, Kept, Log, is_received, receipt_bytes, signed_again};
use super::{Row, found};
use crate::node::verbale;

/// A log written anew.
pub(super) type Anew<'r> = Box<dyn Fn(&mut Log) + 'r>;

fn disclosed(log: &Log) -> usize {
    log.find(|event| matches!(event, Event::Disclosed(of) if of.code == "CONSENT_OK"))
}

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
                let (at, key) =
                    (log.find_last(|event| matches!(event, Event::NoticeSent(_))), Rc::clone(&log.envelope_key));
                log.change(at, |_, event| {
                    let Event::NoticeSent(sent) = event else { unreachable!() };
                    sent.envelope = signed_again(&sent.envelope, &key, |statement| statement.previous.0 = [1; 32]);
                });
            }),
            "CHAIN",
        ),
        (
            "other terms",
            Box::new(|log| {
                let (at, key) =
                    (log.find_last(|event| matches!(event, Event::NoticeSent(_))), Rc::clone(&log.envelope_key));
                log.change(at, |_, event| {
                    let Event::NoticeSent(sent) = event else { unreachable!() };
                    sent.envelope = signed_again(&sent.envelope, &key, |statement| statement.terms_digest = [1; 32]);
                });
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
            "the ground of a disclosure removed",
            Box::new(|log| {
                let at = log.find(&is_grant);
                log.entries.remove(at);
            }),
            "GROUND_MISSING",
        ),
        (
            "a grant that expired before the disclosure",
            Box::new(|log| {
                let at = disclosed(log);
                log.change(at, |time_ms, event| {
                    let Event::Disclosed(of) = event else { unreachable!() };
                    of.valid_until_ms = *time_ms - 1;
                });
            }),
            "GROUND_NOT_LIVE",
        ),
        (
            "a disclosure on another notice's grant",
            Box::new(|log| {
                let (at, opened) = (disclosed(log), log.find(is_received("F01")));
                let id = message_id(log, opened);
                log.change(at, |_, event| {
                    let Event::Disclosed(of) = event else { unreachable!() };
                    of.message_id = id;
                });
            }),
            "GROUND",
        ),
        (
            "the wrong instrument",
            Box::new(|log| {
                let at = disclosed(log);
                log.change(at, |_, event| {
                    let Event::Disclosed(of) = event else { unreachable!() };
                    of.code = "NOTICE_OK".to_owned();
                });
            }),
            "INSTRUMENT",
        ),
        (
            "the other side's information told as the own",
            Box::new(|log| {
                let at = disclosed(log);
                log.change(at, |_, event| {
                    let Event::Disclosed(of) = event else { unreachable!() };
                    (of.code, of.grounds) = ("OWN_INFORMATION".to_owned(), Vec::new());
                });
            }),
            "GROUND",
        ),
        (
            "a release before the memorandum was in force",
            Box::new(|log| {
                let at = disclosed(log);
                log.change(at, |time_ms, _| *time_ms = 1_600_000_000_000);
            }),
            "NOT_IN_FORCE",
        ),
        (
            "a release on a kind that is not public",
            Box::new(|log| {
                let at = disclosed(log);
                log.change(at, |_, event| {
                    let Event::Disclosed(of) = event else { unreachable!() };
                    (of.code, of.grounds) = ("ALREADY_PUBLIC_BY_ORIGINATOR".to_owned(), Vec::new());
                });
            }),
            "GROUND_MISSING",
        ),
        (
            "a release to an embassy outside return procedures",
            Box::new(|log| {
                let at = disclosed(log);
                log.change(at, |_, event| {
                    let Event::Disclosed(of) = event else { unreachable!() };
                    (of.code, of.grounds) = ("CLAUSE8_EMBASSY".to_owned(), Vec::new());
                });
            }),
            "GROUND",
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
            "a release that hides the one before",
            Box::new(|log| {
                let at = disclosed(log);
                let again = log.entries[at].clone();
                log.entries.insert(at + 1, again);
            }),
            "RELEASE_CHAIN",
        ),
        (
            "a decision by no rule under terms that nobody has",
            Box::new(|log| {
                let at = disclosed(log);
                let adopted = |terms_digest: Vec<u8>| {
                    let memorandum = "JP-KG-SSW-2023".to_owned();
                    Event::MemorandumAdopted(MemorandumAdopted { memorandum, terms_digest })
                };
                let real = log
                    .find(|event| matches!(event, Event::MemorandumAdopted(of) if of.memorandum == "JP-KG-SSW-2023"));
                let (real, (time_ms, _)) = (log.entries[real].clone(), decode(log, at));
                log.change(at, |_, event| {
                    let Event::Disclosed(of) = event else { unreachable!() };
                    of.code = "BECAUSE".to_owned();
                });
                let (_, Event::MemorandumAdopted(real)) = verbale_evidence::decode_entry(&real.0).unwrap() else {
                    unreachable!()
                };
                for (at, digest) in [(at + 1, real.terms_digest), (at, vec![9; 32])] {
                    log.entries.insert(at, (encode_entry(time_ms, adopted(digest)).unwrap(), None));
                }
            }),
            "DECISION_CODE",
        ),
        (
            "a ground that the log does not hold beside one that needs none",
            Box::new(|log| {
                let at = disclosed(log);
                log.change(at, |_, event| {
                    let Event::Disclosed(of) = event else { unreachable!() };
                    (of.code, of.grounds) = ("NOT_THIRD_PARTY".to_owned(), vec![vec![7; 16]]);
                });
            }),
            "GROUND",
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
            "a notice carried on that was released to nobody",
            Box::new(|log| {
                let id = message_id(log, log.find(is_received("F01")));
                log.append(Event::NoticeCarriedOn(NoticeCarriedOn {
                    message_id: id,
                    actor: "person-1".to_owned(),
                    ..NoticeCarriedOn::default()
                }));
            }),
            "GROUND_MISSING",
        ),
        (
            "a release carried on by no notice",
            Box::new(|log| {
                let at = disclosed(log);
                let (_, Event::Disclosed(of)) = decode(log, at) else { unreachable!() };
                let (message_id, actor) = (of.message_id, of.actor);
                let (recipient, statement_digest) = ("TJ-MLMEP-MS-DLPSA".to_owned(), vec![1; 32]);
                log.append(Event::NoticeCarriedOn(NoticeCarriedOn { message_id, recipient, statement_digest, actor }));
            }),
            "UNKNOWN_NOTICE",
        ),
        (
            "held back, and carried by nothing before",
            Box::new(|log| {
                let at = disclosed(log);
                let (_, Event::Disclosed(of)) = decode(log, at) else { unreachable!() };
                let (recipient, statement_digest) = ("TJ-MLMEP-MS-DLPSA".to_owned(), vec![1; 32]);
                let held_back = NoticeHeldBack { message_id: of.message_id, recipient, statement_digest };
                log.append(Event::NoticeHeldBack(held_back));
            }),
            "UNKNOWN_NOTICE",
        ),
        (
            "an opening on no ground",
            Box::new(|log| {
                let at = log.find(|event| matches!(event, Event::NoticeOpened(_)));
                log.change(at, |_, event| {
                    let Event::NoticeOpened(of) = event else { unreachable!() };
                    of.code = "OWN_INFORMATION".to_owned();
                });
            }),
            "DECISION_CODE",
        ),
        (
            "a decision by no rule",
            Box::new(|log| {
                let at = log.find(|event| matches!(event, Event::DisclosureDenied(_)));
                log.change(at, |_, event| {
                    let Event::DisclosureDenied(of) = event else { unreachable!() };
                    of.code = "BECAUSE".to_owned();
                });
            }),
            "DECISION_CODE",
        ),
        (
            "one person where two are needed",
            Box::new(|log| {
                let at = log.find(|event| matches!(event, Event::NoticeSent(of) if !of.drafted_by.is_empty()));
                log.change(at, |_, event| {
                    let Event::NoticeSent(of) = event else { unreachable!() };
                    of.actor.clone_from(&of.drafted_by);
                });
            }),
            "FOUR_EYES",
        ),
        (
            "somebody without a role",
            Box::new(|log| {
                let at = log.find(|event| matches!(event, Event::NoticeOpened(_)));
                log.change(at, |_, event| {
                    let Event::NoticeOpened(of) = event else { unreachable!() };
                    of.actor = "nobody".to_owned();
                });
            }),
            "ACTOR",
        ),
        (
            "a release that gives its grant other dates",
            Box::new(|log| {
                let at = disclosed(log);
                log.change(at, |_, event| {
                    let Event::Disclosed(of) = event else { unreachable!() };
                    (of.valid_from_ms, of.valid_until_ms) = (1, 0);
                });
            }),
            "GROUND_DATES",
        ),
        (
            "a release after the withdrawal of its grant",
            Box::new(|log| {
                // Of the demo's grants one is withdrawn: the withdrawal is put before the release.
                let at = disclosed(log);
                let (time_ms, Event::Disclosed(of)) = decode(log, at) else { unreachable!() };
                let grant = verbale_evidence::MessageId::try_from(of.grounds[0].as_slice()).unwrap();
                let received = log.find(&is_grant);
                let (_, Event::NoticeReceived(received)) = decode(log, received) else { unreachable!() };
                let envelope = signed_again(&received.envelope, &theirs, |statement| {
                    let answered = statement.message_id;
                    assert_eq!(answered, grant);
                    let digest = verbale_evidence::UnverifiedEnvelope::parse(&received.envelope).unwrap();
                    let digest = digest.verify(&theirs.public()).unwrap().digest();
                    statement.message_id = verbale_evidence::MessageId::new(8, &[8; 10]);
                    "F23".clone_into(&mut statement.flow);
                    statement.answers = Some(verbale_evidence::Answers { message_id: answered, statement: digest });
                });
                let dates = Some(Dates { from_ms: 1, until_ms: 0 });
                let withdrawal = Event::NoticeReceived(NoticeReceived { envelope, dates, ..NoticeReceived::default() });
                log.entries.insert(at, (encode_entry(time_ms, withdrawal).unwrap(), None));
            }),
            "GROUND_DATES",
        ),
        (
            "a grant without its dates",
            Box::new(|log| {
                let at = log.find(&is_grant);
                log.change(at, |_, event| {
                    let Event::NoticeReceived(of) = event else { unreachable!() };
                    of.dates = None;
                });
            }),
            "DATES",
        ),
        (
            "a release to somebody that is called a publication",
            Box::new(|log| {
                let at = disclosed(log);
                log.change(at, |_, event| {
                    let Event::Disclosed(of) = event else { unreachable!() };
                    of.published = true;
                });
            }),
            "GROUND",
        ),
        (
            "a notice that binds its side, of one person",
            Box::new(|log| {
                let at = log.find(|event| matches!(event, Event::NoticeSent(of) if !of.drafted_by.is_empty()));
                log.change(at, |_, event| {
                    let Event::NoticeSent(of) = event else { unreachable!() };
                    of.drafted_by.clear();
                });
            }),
            "FOUR_EYES",
        ),
        (
            "a release by nobody who may",
            Box::new(|log| {
                let at = log.find(|event| matches!(event, Event::Configured(_)));
                log.change(at, |_, event| {
                    let Event::Configured(of) = event else { unreachable!() };
                    of.persons.iter_mut().for_each(|person| person.roles = vec!["auditor".to_owned()]);
                });
            }),
            "ROLE",
        ),
        (
            "nobody says who may do what",
            Box::new(|log| {
                let at = log.find(|event| matches!(event, Event::Configured(_)));
                log.entries[at] = log.entries[at - 1].clone();
            }),
            "ACTOR",
        ),
        (
            "a name that would clear the screen",
            Box::new(|log| {
                let at = log.find(|event| matches!(event, Event::NoticeOpened(_)));
                log.change(at, |_, event| {
                    let Event::NoticeOpened(of) = event else { unreachable!() };
                    of.actor = "x\n\u{1b}[2J\u{1b}[HSound.".to_owned();
                });
            }),
            "ACTOR",
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
            "an opening of nothing",
            Box::new(|log| {
                log.append(Event::NoticeOpened(NoticeOpened {
                    message_id: vec![0x70; 16],
                    actor: "person-1".to_owned(),
                    ..NoticeOpened::default()
                }));
            }),
            "UNKNOWN_NOTICE",
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
    for (row, change, code) in &rows {
        let copy = kept.rewritten(JAPAN, change);
        found(row, &copy.verify(JAPAN, &[]), code);
        // Nothing of a log moves the cursor of whoever reads the report.
        let report = verbale(&["audit", "verify", copy.export(JAPAN).to_str().unwrap()], None);
        assert!(report.code == 4 && !report.out.contains('\u{1b}'), "{row}: {:?}", report.out);
    }
    // Entries of a time after that of the cosignature over them.
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

pub(super) fn decode(log: &Log, at: usize) -> (i64, Event) {
    verbale_evidence::decode_entry(&log.entries[at].0).unwrap()
}

pub(super) fn is_receipt(event: &Event) -> bool {
    matches!(event, Event::ReceiptReceived(_))
}

/// The message id of a received notice.
pub(super) fn message_id(log: &Log, index: usize) -> Vec<u8> {
    let (_, event) = verbale_evidence::decode_entry(&log.entries[index].0).unwrap();
    let Event::NoticeReceived(received) = event else { unreachable!() };
    let envelope = verbale_evidence::UnverifiedEnvelope::parse(&received.envelope).unwrap();
    envelope.claimed().unwrap().message_id.as_bytes().to_vec()
}
