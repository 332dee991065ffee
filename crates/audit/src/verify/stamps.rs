//! Time stamps beside an exported log: which heads were there by when, in an authority's own words.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};
use verbale_domain::civil::CLOCKS_APART_MS;
use verbale_evidence::Card;
use verbale_ledger::{Checkpoint, Frontier, Hash};

use super::{Break, Chronicle};
use crate::export::{ExportFolder, Missing, stamp_path};
use crate::presentation::moment;
use crate::stamp::read_stamp;

/// What the stamps of a log bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamps {
    /// Size of each stamped head, and when it was stamped, in milliseconds since 1970-01-01 UTC.
    pub stamped: Vec<(u64, i64)>,
    /// Entries after the last of them.
    pub after_last: u64,
    /// The same of logs that it took the place of, by their origin.
    pub closed: BTreeMap<String, Vec<(u64, i64)>>,
}

/// What a log was at a stamped size.
#[derive(Clone, Copy)]
struct At {
    root: Hash,
    last_ms: i64,
    /// Time of the next entry.
    next_ms: Option<i64>,
}

/// A log with stamps, while it is read.
struct Log {
    /// Time of its last entry.
    last_ms: i64,
    sizes: BTreeMap<u64, Option<At>>,
}

pub(super) struct KeptStamps {
    /// By number of the log, 0 being this one, and size: the head, and the authority's answer.
    answers: BTreeMap<(u64, u64), (String, Vec<u8>)>,
    logs: BTreeMap<u64, Log>,
}

impl KeptStamps {
    pub(super) fn read(folder: &ExportFolder) -> Result<Self, Missing> {
        let (mut answers, mut logs) = (BTreeMap::new(), BTreeMap::new());
        for (number, size) in folder.stamped()? {
            answers.insert((number, size), folder.stamp((number, size))?);
            let log = logs.entry(number).or_insert_with(|| Log { last_ms: i64::MIN, sizes: BTreeMap::new() });
            log.sizes.insert(size, None);
        }
        Ok(Self { answers, logs })
    }

    /// The log was read so far, and with it those of which it took the place.
    pub(super) fn passed(&mut self, frontier: &Frontier, chronicle: &Chronicle<'_>) {
        if let Some(log) = self.logs.get_mut(&0) {
            log.passed(frontier, chronicle.last_ms());
        }
        for (number, frontier, told_ms) in chronicle.carried_here() {
            if let Some(log) = self.logs.get_mut(&number) {
                log.passed(frontier, told_ms);
            }
        }
    }

    /// Compares them with the logs.
    pub(super) fn check(self, head: &Checkpoint, chronicle: &mut Chronicle<'_>) -> Stamps {
        let mut stamps = Stamps { after_last: head.size.0, ..Stamps::default() };
        let Some(own) = chronicle.own().map(Card::log_vkey) else { return stamps };
        for ((number, size), (note, answer)) in &self.answers {
            let (number, size) = (*number, *size);
            let of = format!("{}.tsr", stamp_path((number, size)));
            let is_own = || (own.clone(), Some(Break { held: head.size.0, ..Break::default() }));
            let before = || chronicle.log_before(number).map(|(key, broke)| (key, broke.cloned()));
            let Some((key, ended)) = (if number == 0 { Some(is_own()) } else { before() }) else {
                let expected = "heads of this log, and of those that it took the place of";
                chronicle.find("TIME_STAMP", None, expected, format!("{of} besides"));
                continue;
            };
            let verified = Checkpoint::verify(note, &key);
            let Some(stamped) = verified.ok().filter(|stamped| stamped.size.0 == size) else {
                let expected = format!("the signed head of {size} entries of {} beside {of}", key.name);
                chronicle.find("TIME_STAMP", None, expected, "another text");
                continue;
            };
            let time_ms = match read_stamp(answer, note.as_bytes()) {
                Ok(read) => read.time_ms,
                Err(error) => {
                    chronicle.find("TIME_STAMP", None, format!("a time stamp of its head in {of}"), error.to_string());
                    continue;
                }
            };
            let at = self.logs.get(&number).and_then(|log| log.sizes.get(&size).copied().flatten());
            // Of a log that was lost whole there is nothing to compare it with.
            if let Some(ended) = ended
                && !agrees((&stamped, time_ms), at, &ended, chronicle)
            {
                continue;
            }
            if number == 0 {
                stamps.stamped.push((size, time_ms));
                stamps.after_last = head.size.0.saturating_sub(size);
            } else {
                stamps.closed.entry(key.name).or_default().push((size, time_ms));
            }
        }
        stamps
    }
}

impl Log {
    /// It was read so far; its next entry is of this time.
    fn passed(&mut self, frontier: &Frontier, time_ms: i64) {
        let size = frontier.size().0;
        // What it carried over itself was told before it began.
        self.last_ms = self.last_ms.max(time_ms);
        if let Some(Some(before)) = size.checked_sub(1).and_then(|before| self.sizes.get_mut(&before)) {
            before.next_ms.get_or_insert(self.last_ms);
        }
        if let Some(at) = self.sizes.get_mut(&size) {
            at.get_or_insert(At { root: frontier.root(), last_ms: self.last_ms, next_ms: None });
        }
    }
}

/// Whether a log leads to a head that was stamped, or says that what led to it was lost. `ended`: how much of it is held.
fn agrees(
    (stamped, time_ms): (&Checkpoint, i64),
    at: Option<At>,
    ended: &Break,
    chronicle: &mut Chronicle<'_>,
) -> bool {
    let (origin, size) = (&stamped.origin, stamped.size.0);
    let Some(at) = at else {
        if size <= ended.known {
            return true;
        }
        let expected = format!("{size} entries of {origin}, of which the head was stamped on {}", moment(time_ms));
        let found = match ended.known {
            0 => format!("{} entries", ended.held),
            known => format!("{} entries, and word of {known}", ended.held),
        };
        chronicle.find("TAIL_SUPPRESSED", None, expected, found);
        return false;
    };
    if at.root != stamped.root {
        // A copy that was put back went on by itself.
        if ended.tells_a_loss() {
            return true;
        }
        let expected = format!("root {} of {origin} at size {size}, which was stamped", hex::encode(stamped.root));
        chronicle.find("FORK", None, expected, "another root");
        return false;
    }
    let entry = |index: Option<u64>| index.filter(|_| ended.closed.is_empty());
    if at.last_ms > time_ms.saturating_add(CLOCKS_APART_MS) {
        let expected = format!("a time up to {}, when the head of {origin} with it was stamped", moment(time_ms));
        chronicle.find("TIME_STAMP", entry(size.checked_sub(1)), expected, moment(at.last_ms));
    }
    if let Some(next_ms) = at.next_ms.filter(|next| *next < time_ms.saturating_sub(CLOCKS_APART_MS)) {
        let expected = format!("a time from {} on, when the head of {origin} before it was stamped", moment(time_ms));
        chronicle.find("TIME_STAMP", entry(Some(size)), expected, moment(next_ms));
    }
    true
}

impl Stamps {
    /// The longest time between two stamps, in milliseconds; `None` with fewer than two.
    fn longest_ms(&self) -> Option<i64> {
        let later = self.stamped.iter().skip(1);
        self.stamped.iter().zip(later).map(|((_, one), (_, next))| next.saturating_sub(*one)).max()
    }

    pub(super) fn to_json(&self) -> Value {
        let at = |stamp: Option<&(u64, i64)>| stamp.map(|(_, at_ms)| moment(*at_ms));
        let closed = |(origin, of): (&String, &Vec<(u64, i64)>)| json!({ "log": origin, "count": of.len(), "first": at(of.first()), "last": at(of.last()) });
        json!({
            "closed": self.closed.iter().map(closed).collect::<Vec<_>>(),
            "count": self.stamped.len(), "first": at(self.stamped.first()), "last": at(self.stamped.last()),
            "longest_between_s": self.longest_ms().map(|between| between / 1000), "entries_after_last": self.after_last,
        })
    }

    pub(super) fn to_text(&self) -> String {
        let mut text = match (self.stamped.first(), self.stamped.last()) {
            (Some((_, first)), Some((size, last))) => {
                let between =
                    self.longest_ms().map(|between| format!(", up to {} s apart", between / 1000)).unwrap_or_default();
                format!(
                    "  time stamps   {}, from {} to {}{between}; {} entries after the last. Each names its head; who signed it says\n                             openssl ts -verify -data stamps/{size}.checkpoint -in stamps/{size}.tsr -CAfile ROOTS\n",
                    self.stamped.len(),
                    moment(*first),
                    moment(*last),
                    self.after_last,
                )
            }
            _ => "  no time stamps: the times of entries rest on the node's clock and on cosignatures\n".to_owned(),
        };
        for (origin, of) in &self.closed {
            if let (Some((_, first)), Some((_, last))) = (of.first(), of.last()) {
                let (count, first, last) = (of.len(), moment(*first), moment(*last));
                let _ = writeln!(text, "                {count} of {origin}, which was closed, from {first} to {last}");
            }
        }
        text
    }
}
