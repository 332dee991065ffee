//! The signed heads of one log that the other side holds: it leads to each of them, or says what was lost.

use verbale_domain::civil;
use verbale_ledger::{Frontier, LogSize};

use super::side::Side;
use super::{Reconciled, older};
use crate::export::Missing;
use crate::finding::FINDINGS_MAX;
use crate::verify::{Break, HeldHead, trees};

/// Heads to which a log does not lead.
#[derive(Default)]
struct Parted {
    /// Size of the first, and how many.
    first: u64,
    all: u64,
    /// Expected and found, of those that are listed.
    listed: Vec<(String, String)>,
}

impl Reconciled {
    /// The heads of one log that the other side holds.
    pub(super) fn heads(
        &mut self,
        holder: &Side<'_>,
        of: &Side<'_>,
        (origin, size): (&str, LogSize),
    ) -> Result<(), Missing> {
        let heads = &holder.crossed.heads;
        let Some(log) = heads.log(origin) else { return Ok(()) };
        let before = of.before(origin).unwrap_or_default();
        let closed = before.checked_sub(1).and_then(|at| of.breaks.get(at));
        let ends_at = closed.map_or(size.0, |broke| broke.held);
        // The last within; of those beyond how many, since when one was held by the clock of their log, and the last.
        let mut within: Option<u64> = None;
        let mut beyond: u64 = 0;
        let mut held_ms = i64::MAX;
        let mut last: Option<(u64, HeldHead)> = None;
        heads.each(|(of_log, size), head| {
            if of_log == log && size <= ends_at {
                within = within.max(Some(size));
            } else if of_log == log {
                beyond += 1;
                // Without a receipt the moment is the holder's, and clocks differ.
                let apart_ms = if head.entry.is_some() { 0 } else { civil::CLOCKS_APART_MS };
                held_ms = held_ms.min(head.by_ms.saturating_add(apart_ms));
                last = last.filter(|(most, _)| *most > size).or(Some((size, head)));
            }
        })?;
        let mut parted = Parted::default();
        if let Some(within) = within {
            let compare = |tree: &Frontier| {
                let at = tree.size().0;
                let Some(theirs) = heads.get(log, at).filter(|_| at <= within) else { return };
                let root = tree.root();
                if theirs.root == root {
                    self.heads += 1;
                    return;
                }
                if parted.all == 0 {
                    parted.first = at;
                }
                parted.all += 1;
                if parted.listed.len() < FINDINGS_MAX {
                    let expected =
                        format!("root {} at size {at}, which {} holds signed", hex::encode(theirs.root), holder.id);
                    let found = format!("root {}; see {}'s {}", hex::encode(root), holder.id, place(theirs.entry));
                    parted.listed.push((expected, found));
                }
            };
            trees(of.folder, (size, before), within, compare)?;
            heads.check()?;
        }
        self.parted(parted, (holder, of), (before, closed))?;
        if let Some(broke) = closed {
            self.lost += beyond;
            // What it says of its loss is what others hold of the log that it closed.
            if let Some((last, HeldHead { entry, .. })) = last.filter(|(last, _)| *last > broke.known) {
                let text = format!(
                    "{} tells that others know {} entries of {origin}, which it closed, and {} holds a signed head of {last} ({}): more was lost \
                     than it tells",
                    of.id,
                    broke.known,
                    holder.id,
                    place(entry)
                );
                self.not_compared.push(text);
            }
            return Ok(());
        }
        if let Some((last, HeldHead { entry, .. })) = last {
            if of.ended_before(held_ms) {
                let shown_by = format!("{}'s {}", holder.id, place(entry));
                self.not_compared.push(older(&of.id, of.crossed.last_ms, &shown_by));
            } else {
                let expected = format!("{last} entries, of which {} holds a signed head ({})", holder.id, place(entry));
                self.find("TAIL_SUPPRESSED", &of.id, None, (expected, format!("{} entries", size.0)));
            }
        }
        Ok(())
    }

    /// Heads to which a log does not lead. A copy that was put back parts from the log that others know, and its successor says so; it never
    /// met the other side, which would have told it. Whoever wrote the log anew leaves what passed between the two in it.
    fn parted(
        &mut self,
        parted: Parted,
        (holder, of): (&Side<'_>, &Side<'_>),
        (before, closed): (usize, Option<&Break>),
    ) -> Result<(), Missing> {
        if parted.all == 0 {
            return Ok(());
        }
        let is_told = closed.is_some_and(Break::tells_a_loss);
        if is_told && !of.met(holder, before, parted.first.saturating_sub(1))? {
            self.lost += parted.all;
            return Ok(());
        }
        self.more_findings += parted.all - parted.listed.len() as u64;
        for (expected, found) in parted.listed {
            self.find("FORK", &of.id, None, (expected, found));
        }
        Ok(())
    }
}

/// Where a head is held.
fn place(entry: Option<u64>) -> String {
    entry.map_or("cosigned head".to_owned(), |entry| format!("entry {entry}"))
}
