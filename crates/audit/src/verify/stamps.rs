//! Time stamps beside an exported log: which heads were there by when, in an authority's own words.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use verbale_domain::civil::CLOCKS_APART_MS;
use verbale_ledger::{Checkpoint, Frontier, Hash};

use super::Chronicle;
use crate::export::{ExportFolder, Missing};
use crate::presentation::moment;
use crate::stamp::read_stamp;

/// What the stamps of a log bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamps {
    /// Size of each stamped head, and when it was stamped, in milliseconds since 1970-01-01 UTC.
    pub stamped: Vec<(u64, i64)>,
    /// Entries after the last of them.
    pub after_last: u64,
}

/// What the log was at a stamped size.
#[derive(Clone, Copy)]
struct At {
    root: Hash,
    last_ms: i64,
    /// Time of the next entry.
    next_ms: Option<i64>,
}

pub(super) struct KeptStamps {
    answers: BTreeMap<u64, (String, Vec<u8>)>,
    log: BTreeMap<u64, At>,
}

impl KeptStamps {
    pub(super) fn read(folder: &ExportFolder) -> Result<Self, Missing> {
        let sizes = folder.stamped()?;
        let answers = sizes.into_iter().map(|size| Ok((size, folder.stamp(size)?))).collect::<Result<_, _>>()?;
        Ok(Self { answers, log: BTreeMap::new() })
    }

    /// The log was read so far; its last entry is of this time.
    pub(super) fn passed(&mut self, frontier: &Frontier, last_ms: i64) {
        let size = frontier.size().0;
        if let Some(before) = size.checked_sub(1).and_then(|before| self.log.get_mut(&before)) {
            before.next_ms = Some(last_ms);
        }
        if self.answers.contains_key(&size) {
            self.log.insert(size, At { root: frontier.root(), last_ms, next_ms: None });
        }
    }

    /// Compares them with the log.
    pub(super) fn check(self, head: &Checkpoint, chronicle: &mut Chronicle<'_>) -> Stamps {
        let mut stamps = Stamps { stamped: Vec::new(), after_last: head.size.0 };
        let Some(own) = chronicle.own().cloned() else { return stamps };
        for (size, (note, answer)) in &self.answers {
            let size = *size;
            let of = format!("stamps/{size}.tsr");
            let verified = Checkpoint::verify(note, &own.log_vkey());
            let Some(stamped) = verified.ok().filter(|stamped| stamped.size.0 == size) else {
                let expected = format!("the signed head of {size} entries beside {of}");
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
            let Some(at) = self.log.get(&size).copied() else {
                let expected = format!("{size} entries, of which the head was stamped on {}", moment(time_ms));
                chronicle.find("TAIL_SUPPRESSED", None, expected, format!("{} entries", head.size.0));
                continue;
            };
            if at.root != stamped.root {
                let expected = format!("root {} at size {size}, which was stamped", hex::encode(stamped.root));
                chronicle.find("FORK", None, expected, "another root");
                continue;
            }
            if at.last_ms > time_ms.saturating_add(CLOCKS_APART_MS) {
                let expected = format!("a time up to {}, when the head with it was stamped", moment(time_ms));
                chronicle.find("TIME_STAMP", size.checked_sub(1), expected, moment(at.last_ms));
            }
            if let Some(next_ms) = at.next_ms.filter(|next| *next < time_ms.saturating_sub(CLOCKS_APART_MS)) {
                let expected = format!("a time from {} on, when the head before it was stamped", moment(time_ms));
                chronicle.find("TIME_STAMP", size, expected, moment(next_ms));
            }
            stamps.stamped.push((size, time_ms));
            stamps.after_last = head.size.0.saturating_sub(size);
        }
        stamps
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
        json!({
            "count": self.stamped.len(), "first": at(self.stamped.first()), "last": at(self.stamped.last()),
            "longest_between_s": self.longest_ms().map(|between| between / 1000), "entries_after_last": self.after_last,
        })
    }

    pub(super) fn to_text(&self) -> String {
        let (Some((_, first)), Some((size, last))) = (self.stamped.first(), self.stamped.last()) else {
            return "  no time stamps: the times of entries rest on the node's clock and on cosignatures\n".to_owned();
        };
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
}
