//! The operator of a node writes anew what its log says of decisions: on what ground something was released or opened, and by whom.

use verbale_evidence::encode_entry;
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{Dates, MemorandumAdopted, NoticeCarriedOn, NoticeHeldBack, NoticeOpened, NoticeReceived};

use super::Row;
use super::craft::{JAPAN, KYRGYZSTAN, Kept, Log, is_received, is_sent, signed_again};
use super::rewritten::{Anew, decode, found_by_each, message_id};
use crate::node::verbale;

fn disclosed(log: &Log) -> usize {
    log.find(|event| matches!(event, Event::Disclosed(of) if of.code == "CONSENT_OK"))
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn decisions_that_a_node_could_not_have_made_are_found() {
    let kept = Kept::of_demo();
    let is_grant = is_received("F21");
    let theirs = kept.secret(KYRGYZSTAN, "envelope.pem");
    let rows: Vec<Row<'_, Anew<'_>>> = vec![
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
            "a release whose signature is none",
            Box::new(|log| {
                let at = disclosed(log);
                log.change(at, |_, event| {
                    let Event::Disclosed(of) = event else { unreachable!() };
                    of.disclosure_signature.clear();
                });
            }),
            "RELEASE_FORM",
        ),
        (
            "a release by no version of the rules",
            Box::new(|log| {
                let at = disclosed(log);
                log.change(at, |_, event| {
                    let Event::Disclosed(of) = event else { unreachable!() };
                    of.rules_version = 0;
                });
            }),
            "RULES_VERSION",
        ),
        (
            "an own notice published by a duty that is the other side's",
            Box::new(|log| {
                let (at, sent) = (disclosed(log), log.find(is_sent("F05")));
                let id = message_id(log, sent);
                log.change(at, |_, event| {
                    let Event::Disclosed(of) = event else { unreachable!() };
                    (of.message_id, of.code, of.published) = (id, "PUBLICATION_DUTY".to_owned(), true);
                    of.grounds.clear();
                    (of.valid_from_ms, of.valid_until_ms, of.previous_release) = (0, 0, 0);
                });
            }),
            "GROUND",
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
    ];
    found_by_each(&kept, &rows);
    // A later program may have decided it by rules that this one does not know.
    let copy = kept.rewritten(JAPAN, |log: &mut Log| {
        let at = disclosed(log);
        log.change(at, |_, event| {
            let Event::Disclosed(of) = event else { unreachable!() };
            of.rules_version += 1;
        });
    });
    let said = copy.verify(JAPAN, &[]);
    let report = said.json().remove(0);
    assert_eq!((said.code, &report["sound"], &report["whole"]), (3, &true.into(), &false.into()), "{report}");
    assert_eq!(report["decided_by_later_rules"], 1);
    let text = verbale(&["audit", "verify", copy.export(JAPAN).to_str().unwrap()], None).out;
    assert!(text.starts_with("No fault found") && text.contains("by a later version of the rules"), "{text}");
}
