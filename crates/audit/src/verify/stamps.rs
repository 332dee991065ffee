//! Time stamps beside an exported log: which heads were there by when, in an authority's own words.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};
use verbale_domain::civil::CLOCKS_APART_MS;
use verbale_evidence::Card;
use verbale_keys::Vkey;
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
    /// Entries that no stamp covers.
    pub after_last: u64,
    /// The same of logs that it took the place of, by their origin.
    pub closed: BTreeMap<String, Vec<(u64, i64)>>,
    /// How many are of what was lost of such a log, by its origin: there is nothing to compare them with.
    pub lost: BTreeMap<String, u64>,
    /// Those that say of more than a log does.
    pub beyond: Vec<String>,
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
    /// By number of the log, 0 being this one.
    logs: BTreeMap<u64, Log>,
}

/// How a stamped head stands to its log.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    /// The log leads to it.
    Held,
    /// Its log says that what led to it was lost.
    Lost,
    /// It is of more than its log says that there was.
    Beyond(String),
    Faulty,
}

impl KeptStamps {
    pub(super) fn read(folder: &ExportFolder) -> Result<Self, Missing> {
        let mut logs = BTreeMap::new();
        for (number, size) in folder.stamped()? {
            let log = logs.entry(number).or_insert_with(|| Log { last_ms: i64::MIN, sizes: BTreeMap::new() });
            log.sizes.insert(size, None);
        }
        Ok(Self { logs })
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
    pub(super) fn check(
        self,
        folder: &ExportFolder,
        head: &Checkpoint,
        chronicle: &mut Chronicle<'_>,
    ) -> Result<Stamps, Missing> {
        let mut stamps = Stamps { after_last: head.size.0, ..Stamps::default() };
        let Some(own) = chronicle.own().map(Card::log_vkey) else { return Ok(stamps) };
        for (number, log) in self.logs {
            let logs = match number {
                0 => vec![(own.clone(), Some(Break { held: head.size.0, ..Break::default() }))],
                closed => chronicle.logs_before(closed),
            };
            for (size, at) in log.sizes {
                let of = (number, size);
                let (note, answer) = folder.stamp(of)?;
                let Some(((stamped, time_ms), ended)) = read(of, (&note, &answer), &logs, chronicle) else { continue };
                let origin = stamped.origin.clone();
                // Of a log that was lost whole there is nothing to compare it with.
                match ended.map_or(Standing::Lost, |ended| stands((&stamped, time_ms), at, ended, chronicle)) {
                    Standing::Faulty => {}
                    Standing::Lost => *stamps.lost.entry(origin).or_default() += 1,
                    Standing::Beyond(text) => stamps.beyond.push(text),
                    Standing::Held => {
                        stamps.after_last = stamps.after_last.min(head.size.0.saturating_sub(size));
                        match number {
                            0 => stamps.stamped.push((size, time_ms)),
                            _ => stamps.closed.entry(origin).or_default().push((size, time_ms)),
                        }
                    }
                }
            }
        }
        Ok(stamps)
    }
}

/// A stamp, and how the log ended of which its head is: one of `logs`, each with its key.
fn read<'b>(
    of: (u64, u64),
    (note, answer): (&str, &[u8]),
    logs: &'b [(Vkey, Option<Break>)],
    chronicle: &mut Chronicle<'_>,
) -> Option<((Checkpoint, i64), Option<&'b Break>)> {
    let (file, size) = (format!("{}.tsr", stamp_path(of)), of.1);
    let verified = |(key, _): &&(Vkey, Option<Break>)| Checkpoint::verify(note, key).is_ok_and(|of| of.size.0 == size);
    let Some((key, ended)) = logs.iter().find(verified) else {
        let expected = match logs.first() {
            Some((key, _)) => format!("the signed head of {size} entries of {} beside {file}", key.name),
            None => format!("{file} of this log, or of one that it took the place of"),
        };
        chronicle.find("TIME_STAMP", None, expected, "another text");
        return None;
    };
    let stamped = Checkpoint::verify(note, key).ok()?;
    match read_stamp(answer, note.as_bytes()) {
        Ok(read) => Some(((stamped, read.time_ms), ended.as_ref())),
        Err(error) => {
            chronicle.find("TIME_STAMP", None, format!("a time stamp of its head in {file}"), error.to_string());
            None
        }
    }
}

/// How a log stands to a head that was stamped. `ended`: how much of it is held.
fn stands(
    (stamped, time_ms): (&Checkpoint, i64),
    at: Option<At>,
    ended: &Break,
    chronicle: &mut Chronicle<'_>,
) -> Standing {
    let (origin, size, is_closed) = (&stamped.origin, stamped.size.0, !ended.closed.is_empty());
    // Its successor says that others know other entries, or not what they know.
    let is_told = is_closed && (ended.tells_a_loss() || ended.known == 0);
    let Some(at) = at else {
        return match ended.known {
            _ if !is_closed => {
                let expected =
                    format!("{size} entries of {origin}, of which the head was stamped on {}", moment(time_ms));
                chronicle.find("TAIL_SUPPRESSED", None, expected, format!("{} entries", ended.held));
                Standing::Faulty
            }
            known if size <= known => Standing::Lost,
            // Its folder may have been lost, too, and been found since: as with heads of counterparts, that convicts nobody.
            known => Standing::Beyond(format!(
                "an authority stamped the head of {size} entries of {origin}, and the log that took its place tells that others know {known}: more \
                 was lost than it tells"
            )),
        };
    };
    if at.root != stamped.root {
        // A copy that was put back went on by itself.
        if is_told {
            return Standing::Lost;
        }
        let expected = format!("root {} of {origin} at size {size}, which was stamped", hex::encode(stamped.root));
        chronicle.find("FORK", None, expected, "another root");
        return Standing::Faulty;
    }
    let entry = |index: Option<u64>| index.filter(|_| !is_closed);
    if at.last_ms > time_ms.saturating_add(CLOCKS_APART_MS) {
        let expected = format!("a time up to {}, when the head of {origin} with it was stamped", moment(time_ms));
        chronicle.find("TIME_STAMP", entry(size.checked_sub(1)), expected, moment(at.last_ms));
    }
    // Where a copy went on by itself the next entry is not that behind the stamped head.
    if let Some(next_ms) = at.next_ms.filter(|next| !is_told && *next < time_ms.saturating_sub(CLOCKS_APART_MS)) {
        let expected = format!("a time from {} on, when the head of {origin} before it was stamped", moment(time_ms));
        chronicle.find("TIME_STAMP", entry(Some(size)), expected, moment(next_ms));
    }
    Standing::Held
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
            "closed": self.closed.iter().map(closed).collect::<Vec<_>>(), "of_what_was_lost": self.lost, "beyond": self.beyond,
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
            _ if self.closed.is_empty() => {
                "  no time stamps: the times of entries rest on the node's clock and on cosignatures\n".to_owned()
            }
            _ => format!("  time stamps   none of this log; {} entries after the last of before\n", self.after_last),
        };
        for (origin, of) in &self.closed {
            if let (Some((_, first)), Some((_, last))) = (of.first(), of.last()) {
                let (count, first, last) = (of.len(), moment(*first), moment(*last));
                let _ = writeln!(text, "                {count} of {origin}, which was closed, from {first} to {last}");
            }
        }
        for (origin, count) in &self.lost {
            let _ = writeln!(
                text,
                "                {count} of what was lost of {origin}: there is nothing to compare them with"
            );
        }
        for beyond in &self.beyond {
            let _ = writeln!(text, "  not compared  {beyond}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use verbale_domain::Memoranda;
    use verbale_ledger::LogSize;

    const DAY_MS: i64 = 86_400_000;

    /// How a head of 10 entries stands to a log that was closed, and what was found. `at`: whether its root is that of the head, the time of its
    /// last entry, and of the next.
    fn stands_to(ended: &Break, at: Option<(bool, i64, i64)>) -> (Standing, Vec<Option<u64>>) {
        let memoranda = Memoranda::default();
        let mut chronicle = Chronicle::new((&memoranda, &[]), LogSize(20), false).unwrap();
        let stamped = Checkpoint { origin: "verbale/XX/1".into(), size: LogSize(10), root: [7; 32] };
        let at = at.map(|(is_it, last_ms, next_ms)| {
            let root = if is_it { [7; 32] } else { [8; 32] };
            At { root, last_ms, next_ms: Some(next_ms) }
        });
        let standing = stands((&stamped, 10 * DAY_MS), at, ended, &mut chronicle);
        (standing, chronicle.findings.iter().map(|finding| finding.entry).collect())
    }

    #[test]
    fn a_stamped_head_convicts_a_log_that_says_nothing_of_a_loss() {
        let closed = |held, known| Break { closed: "verbale/XX/1".into(), held, known, ..Break::default() };
        let parted = Break { parted_at: Some(12), ..closed(15, 12) };
        let own = Break { held: 20, ..Break::default() };
        let (now, then) = (10 * DAY_MS, 8 * DAY_MS);
        let sound = Some((true, now, now));
        for ended in [&closed(15, 15), &closed(15, 0), &parted, &own] {
            assert_eq!(stands_to(ended, sound), (Standing::Held, vec![]));
        }
        // Another root.
        let other = Some((false, now, now));
        assert_eq!(stands_to(&own, other), (Standing::Faulty, vec![None]));
        assert_eq!(stands_to(&closed(15, 15), other), (Standing::Faulty, vec![None]));
        for ended in [&closed(15, 18), &parted, &closed(15, 0)] {
            assert_eq!(stands_to(ended, other), (Standing::Lost, vec![]));
        }
        // More than is there.
        assert_eq!(stands_to(&own, None), (Standing::Faulty, vec![None]));
        assert_eq!(stands_to(&closed(5, 10), None), (Standing::Lost, vec![]));
        for known in [0, 5, 9] {
            assert!(matches!(stands_to(&closed(5, known), None), (Standing::Beyond(_), found) if found.is_empty()));
        }
        // Of later than it was stamped, and behind it of before.
        let late = Some((true, 12 * DAY_MS, 12 * DAY_MS));
        assert_eq!(stands_to(&own, late), (Standing::Held, vec![Some(9)]));
        assert_eq!(stands_to(&closed(15, 15), late), (Standing::Held, vec![None]));
        let early = Some((true, then, then));
        assert_eq!(stands_to(&own, early), (Standing::Held, vec![Some(10)]));
        assert_eq!(stands_to(&closed(15, 15), early), (Standing::Held, vec![None]));
        assert_eq!(stands_to(&parted, early), (Standing::Held, vec![]));
    }
}
