//! The operator of a node writes its own log anew around an erasure.

use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{ContentErased, ErasureAsked, NoticeOpened};

use super::craft::{JAPAN, Kept, Log};
use super::rewritten::message_id;
use super::{Row, found};

type Anew<'r> = Box<dyn Fn(&mut Log) + 'r>;

fn received(event: &Event) -> bool {
    matches!(event, Event::NoticeReceived(_))
}

/// Erases the content of the last notice that was received, as two persons do.
fn erase(log: &mut Log, asked_by: &str, erased_by: &str) -> Vec<u8> {
    let message_id = message_id(log, log.find_last(received));
    let erasure_id = vec![9; 16];
    log.append(Event::ErasureAsked(ErasureAsked {
        erasure_id: erasure_id.clone(),
        message_id: message_id.clone(),
        facts_digest: vec![1; 32],
        actor: asked_by.to_owned(),
    }));
    let erased = ContentErased { erasure_id, message_id: message_id.clone(), actor: erased_by.to_owned() };
    log.append(Event::ContentErased(erased));
    message_id
}

#[test]
fn an_erasure_leaves_a_sound_log_and_hides_nothing() {
    let kept = Kept::of_demo();
    let copy = kept.rewritten(JAPAN, |log| drop(erase(log, "person-1", "person-2")));
    let said = copy.verify(JAPAN, &[]).good().json().remove(0);
    assert_eq!((&said["sound"], &said["entries"]["erased"]), (&true.into(), &1.into()));
    let rows: Vec<Row<'_, Anew<'_>>> = vec![
        (
            "an erased notice's entry removed",
            Box::new(|log| {
                let at = log.find_last(received);
                erase(log, "person-1", "person-2");
                log.entries.remove(at);
            }),
            "UNKNOWN_NOTICE",
        ),
        ("an erasure by one person", Box::new(|log| drop(erase(log, "person-1", "person-1"))), "FOUR_EYES"),
        ("an erasure by nobody who may", Box::new(|log| drop(erase(log, "person-1", "stranger"))), "ACTOR"),
        (
            "an erasure that nobody asked for",
            Box::new(|log| {
                erase(log, "person-1", "person-2");
                let at = log.find_last(|event| matches!(event, Event::ErasureAsked(_)));
                log.entries.remove(at);
            }),
            "UNKNOWN_ERASURE",
        ),
        (
            "another notice erased than was asked for",
            Box::new(|log| {
                erase(log, "person-1", "person-2");
                let other = message_id(log, log.find(received));
                let at = log.find_last(|event| matches!(event, Event::ContentErased(_)));
                log.change(at, |_, event| {
                    let Event::ContentErased(erased) = event else { unreachable!() };
                    erased.message_id = other;
                });
            }),
            "ERASURE",
        ),
        (
            "an erased notice read",
            Box::new(|log| {
                let message_id = erase(log, "person-1", "person-2");
                let (actor, facts_digest) = ("person-1".to_owned(), vec![1; 32]);
                log.append(Event::NoticeOpened(NoticeOpened {
                    message_id,
                    actor,
                    facts_digest,
                    ..NoticeOpened::default()
                }));
            }),
            "UNKNOWN_NOTICE",
        ),
    ];
    for (row, change, code) in &rows {
        let copy = kept.rewritten(JAPAN, change);
        found(row, &copy.verify(JAPAN, &[]), code);
    }
    // In the other side's log it stands as sent and received.
    let copy = kept.rewritten(JAPAN, |log| {
        let at = log.find_last(received);
        erase(log, "person-1", "person-2");
        log.entries.truncate(at);
    });
    found("an erased notice's entry and all behind it removed", &copy.reconcile(), "TAIL_SUPPRESSED");
}
