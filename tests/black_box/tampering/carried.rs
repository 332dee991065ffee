//! The operator of a node writes anew what its log carries over from the logs that it took the place of.

use verbale_evidence::{UnverifiedEnvelope, carried_entry, decode_entry, encode_entry, read_entry};
use verbale_ledger::{Tree, leaf_hash};
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{CarriedOver, ConflictKept, Genesis};

use super::craft::{JAPAN, KYRGYZSTAN, Kept, Log, Logged};
use super::rewritten::{Anew, found_by_the_other};
use super::{Row, found};

/// Changes what was told first, in an entry that was carried over.
fn change_within(entry: &[u8], change: &dyn Fn(&mut i64, &mut Event)) -> Vec<u8> {
    let (mut time_ms, mut event) = decode_entry(entry).unwrap();
    match &mut event {
        Event::CarriedOver(CarriedOver { entry }) => *entry = change_within(entry, change),
        event => change(&mut time_ms, event),
    }
    encode_entry(time_ms, event).unwrap()
}

/// The first entry that was carried over so often and of which this holds.
fn carried(log: &Log, times: u64, is_it: impl Fn(&Event) -> bool) -> usize {
    let is = |entry: &[u8]| read_entry(entry).is_ok_and(|told| told.carried == times && is_it(&told.event));
    log.entries.iter().position(|(entry, _)| is(entry)).unwrap()
}

fn is_resumed(event: &Event, with: &str) -> bool {
    matches!(event, Event::ChannelResumed(of) if of.counterpart == with)
}

/// The envelope that an entry sends to a counterpart.
fn envelope_to(event: &Event, to: &str) -> Option<Vec<u8>> {
    let Event::NoticeSent(sent) = event else { return None };
    let statement = UnverifiedEnvelope::parse(&sent.envelope).unwrap().claimed().unwrap();
    (statement.recipient == to).then(|| sent.envelope.clone())
}

/// Makes each log quote what is carried over from the one before it, of which so many follow each other.
fn quote_again(log: &mut Log, logs: usize) {
    for before in (1..=logs).rev() {
        let mut tree = Tree::default();
        for (entry, _) in &log.entries {
            let told = (0..before).try_fold(entry.clone(), |entry, _| carried_entry(&entry));
            if let Some(entry) = told {
                tree.append(leaf_hash(&entry));
            }
        }
        let first = &mut log.entries[before - 1].0;
        *first = change_within(first, &|_, event| {
            let Event::Genesis(Genesis { previous: Some(previous), .. }) = event else { unreachable!() };
            (previous.held_size, previous.held_root) = (tree.size().0, tree.root().to_vec());
        });
    }
}

/// Whoever rewrites what was carried over is found: alone, or by the heads that the other side holds of the logs before.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn changes_are_found(kept: &Kept) {
    kept.copy().reconcile().good();
    let is_received = |event: &Event| matches!(event, Event::NoticeReceived(_));
    let resumed = |log: &Log| carried(log, 0, |event| is_resumed(event, KYRGYZSTAN));
    let alone: Vec<Row<'_, Anew<'_>>> = vec![
        (
            "an entry of the first log left out",
            Box::new(|log| drop(log.entries.remove(carried(log, 2, is_received)))),
            "CARRIED",
        ),
        (
            "an entry of the second log left out",
            Box::new(|log| drop(log.entries.remove(carried(log, 1, is_received)))),
            "CARRIED",
        ),
        (
            "an entry of the first log behind those of the second",
            Box::new(|log| {
                let entry = log.entries[carried(log, 2, is_received)].clone();
                log.entries.insert(carried(log, 1, is_received), entry);
            }),
            "CARRIED",
        ),
        (
            "a first log of another origin than the second quotes",
            Box::new(|log| {
                log.entries[1].0 = change_within(&log.entries[1].0, &|_, event| {
                    let Event::Genesis(Genesis { previous: Some(previous), .. }) = event else { unreachable!() };
                    "verbale/JP-MOJ-ISA-RMD/7".clone_into(&mut previous.origin);
                });
                quote_again(log, 2);
            }),
            "CARD",
        ),
        (
            "a known head of the first log that it did not sign",
            Box::new(|log| {
                let others = match decode_entry(&log.entries[0].0).unwrap().1 {
                    Event::Genesis(Genesis { previous: Some(previous), .. }) => previous.known_heads,
                    _ => unreachable!(),
                };
                log.entries[1].0 = change_within(&log.entries[1].0, &|_, event| {
                    let Event::Genesis(Genesis { previous: Some(previous), .. }) = event else { unreachable!() };
                    previous.known_heads.clone_from(&others);
                });
                quote_again(log, 2);
            }),
            "CARRIED",
        ),
        (
            "an entry of the first log back-dated",
            Box::new(|log| {
                let at = carried(log, 2, is_received);
                log.entries[at].0 = change_within(&log.entries[at].0, &|time_ms, _| *time_ms -= 3_600_000);
                quote_again(log, 2);
            }),
            "TIME_BACKWARDS",
        ),
        (
            "an entry of the second log dated before it began",
            Box::new(|log| {
                let at =
                    carried(log, 1, |event| matches!(event, Event::CounterpartRotated(_) | Event::NoticeReceived(_)));
                log.entries[at].0 = change_within(&log.entries[at].0, &|time_ms, _| *time_ms -= 3_600_000);
                quote_again(log, 2);
            }),
            "TIME_BACKWARDS",
        ),
        (
            "a channel resumed again",
            Box::new(|log| {
                let again = log.entries[resumed(log)].clone();
                log.entries.push(again);
            }),
            "RESUMED",
        ),
        ("a channel used that was not resumed", Box::new(|log| drop(log.entries.remove(resumed(log)))), "RESUMED"),
    ];
    for (row, change, code) in &alone {
        found(row, &kept.rewritten(JAPAN, change).verify(JAPAN, &[]), code);
    }
    let by_the_other: Vec<Row<'_, Anew<'_>>> = vec![
        (
            "a release of the first log dated a moment later",
            Box::new(|log| {
                let at = carried(log, 2, |event| matches!(event, Event::Disclosed(_)));
                log.entries[at].0 = change_within(&log.entries[at].0, &|time_ms, _| *time_ms += 1);
                quote_again(log, 2);
            }),
            "FORK",
        ),
        (
            "a release of the second log left out",
            Box::new(|log| {
                // The last of it: none that is here names it.
                let third = carried(log, 0, |event| matches!(event, Event::Disclosed(_)));
                drop(log.entries.remove(third));
                let second = carried(log, 1, |event| matches!(event, Event::Disclosed(_)));
                drop(log.entries.remove(second));
                quote_again(log, 2);
            }),
            "MOVED",
        ),
        (
            "what was sent behind the break told as lost before it",
            Box::new(|log| {
                let is_sent = |event: &Event| envelope_to(event, KYRGYZSTAN).is_some();
                let last = log.entries.iter().rposition(|(entry, _)| is_sent(&decode_entry(entry).unwrap().1)).unwrap();
                let envelope = envelope_to(&decode_entry(&log.entries[last].0).unwrap().1, KYRGYZSTAN).unwrap();
                let (resumed, all) = (resumed(log), std::mem::take(&mut log.entries));
                let is_left = |(at, (entry, _)): &(usize, Logged)| {
                    let event = decode_entry(entry).unwrap().1;
                    *at < resumed || !(is_sent(&event) || matches!(event, Event::ReceiptReceived(_)))
                };
                log.entries = all.into_iter().enumerate().filter(is_left).map(|(_, logged)| logged).collect();
                log.change(resumed, |_, event| {
                    let Event::ChannelResumed(of) = event else { unreachable!() };
                    of.envelope = envelope;
                });
            }),
            "RECEIVED_NOT_SENT",
        ),
    ];
    found_by_the_other(kept, &by_the_other);
}

/// A log that a copy wrote in part, which numbered notices before it met the other side: nothing else is excused by that.
pub(crate) fn changes_of_a_copy_are_found(kept: &Kept) {
    kept.copy().reconcile().good();
    let resumed = |log: &Log| carried(log, 0, |event| is_resumed(event, KYRGYZSTAN));
    let displaced_from = |log: &mut Log, change: &dyn Fn(u64) -> u64| {
        let at = resumed(log);
        log.change(at, |_, event| {
            let Event::ChannelResumed(of) = event else { unreachable!() };
            of.displaced_from = change(of.displaced_from);
        });
    };
    let alone: Vec<Row<'_, Anew<'_>>> = vec![
        (
            "a notice that has a receipt told as one that never left",
            Box::new(|log| displaced_from(log, &|_| 1)),
            "RESUMED",
        ),
        ("all of them told as lost", Box::new(|log| displaced_from(log, &|_| 0)), "RESUMED"),
        (
            "notices that never left, and nothing that took their numbers",
            Box::new(|log| {
                let at = resumed(log);
                log.change(at, |_, event| {
                    let Event::ChannelResumed(of) = event else { unreachable!() };
                    of.envelope.clear();
                });
            }),
            "RESUMED",
        ),
    ];
    for (row, change, code) in &alone {
        found(row, &kept.rewritten(JAPAN, change).verify(JAPAN, &[]), code);
    }
    let by_the_other: Vec<Row<'_, Anew<'_>>> = vec![
        (
            "what the other side took told as one that never left",
            Box::new(|log| {
                displaced_from(log, &|from| from - 1);
                // The receipt of that one came to the log that goes on.
                drop(log.entries.remove(carried(log, 0, |event| matches!(event, Event::ReceiptReceived(_)))));
            }),
            "NOT_DISPLACED",
        ),
        (
            "one that never left told as one that did",
            Box::new(|log| displaced_from(log, &|from| from + 1)),
            "SENT_NOT_RECEIVED",
        ),
        (
            "an entry from before a copy was made dated a moment later",
            Box::new(|log| {
                let at = carried(log, 1, |event| matches!(event, Event::NoticeSent(_)));
                log.entries[at].0 = change_within(&log.entries[at].0, &|time_ms, _| *time_ms += 1);
                quote_again(log, 1);
            }),
            "FORK",
        ),
    ];
    found_by_the_other(kept, &by_the_other);
    // What the other side has a second statement of did leave.
    let mut displaced = Vec::new();
    kept.rewritten(JAPAN, |log| {
        let is_last = |entry: &[u8]| {
            let told = read_entry(entry).unwrap();
            envelope_to(&told.event, KYRGYZSTAN).filter(|_| told.carried == 1)
        };
        displaced = log.entries.iter().rev().find_map(|(entry, _)| is_last(entry)).unwrap();
    });
    let conflict = Event::ConflictKept(ConflictKept { envelope: displaced });
    let copy = kept.rewritten(KYRGYZSTAN, |log| log.append(conflict));
    copy.verify(KYRGYZSTAN, &[]).good();
    found("a statement that never left is held as a second one", &copy.reconcile(), "NOT_DISPLACED");
}
