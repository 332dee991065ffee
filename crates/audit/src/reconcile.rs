//! Two exported logs against each other: whether both tell the same of what passed between them.
//!
//! A log cannot show what it left out; the other side's log can: it holds what it sent, what it got, and the other's signed heads.

mod heads;
mod side;

use std::collections::HashMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::export::{ExportFolder, Missing};
use crate::finding::{FINDINGS_MAX, Finding};
use crate::presentation::moment;
use crate::verify::{Given, Sent, Taken, Verified, check, headline, is_over};
use side::{Place, Side, Told};

/// What was established about two logs.
pub struct Reconciled {
    /// The first log.
    pub first: Verified,
    /// The second.
    pub second: Verified,
    /// Notices that both hold, sent by one and received or refused by the other.
    pub agreed: u64,
    /// Heads of one log that the other holds, and that are beginnings of it.
    pub heads: u64,
    /// What is under way: sent, and not there yet; taken, and its receipt not back yet.
    pub under_way: u64,
    /// What one side lost when its log was closed, and the other holds: notices and heads.
    pub lost: u64,
    /// What does not fit.
    pub findings: Vec<Finding>,
    /// How much more does not fit than is listed.
    pub more_findings: u64,
    /// Sent without receipt, and their time is over; the two were not in touch since.
    pub unanswered: u64,
    /// Why something could not be compared, and what to ask for.
    pub not_compared: Vec<String>,
}

/// Verifies two exported logs, and compares them.
///
/// # Errors
/// [`Missing`].
pub fn reconcile(
    (first, second): (&ExportFolder, &ExportFolder),
    given: &Given,
    on_progress: &dyn Fn(u64, u64),
) -> Result<Reconciled, Missing> {
    let (one, from_one) = check(first, given, true, on_progress)?;
    let (other, from_other) = check(second, given, true, on_progress)?;
    let cut = [&one, &other].iter().find(|log| log.cut_at.is_some()).map(|log| log.id.clone());
    let mut reconciled = Reconciled {
        first: one,
        second: other,
        agreed: 0,
        heads: 0,
        under_way: 0,
        lost: 0,
        findings: Vec::new(),
        more_findings: 0,
        unanswered: 0,
        not_compared: Vec::new(),
    };
    let one = Side::new(first, &reconciled.first, &from_one);
    let other = Side::new(second, &reconciled.second, &from_other);
    if let Some(cut) = cut {
        let text = format!("the export of {cut} cannot be read to its end, and nothing was compared with the other");
        reconciled.not_compared.push(text);
        return Ok(reconciled);
    }
    let sizes = (reconciled.first.head.clone(), reconciled.second.head.clone());
    if one.id == other.id {
        let text = "both exports are of one log: give those of two contact points";
        reconciled.not_compared.push(text.to_owned());
        return Ok(reconciled);
    }
    for (from, to, head) in [(&one, &other, &sizes.1), (&other, &one, &sizes.0)] {
        reconciled.cards(from, to);
        reconciled.commenced(from, to);
        reconciled.notices(from, to)?;
        reconciled.heads(from, to, (&head.origin, head.size))?;
        for broke in &to.breaks {
            reconciled.heads(from, to, (&broke.closed, head.size))?;
            let lost = broke.lost.as_ref().and_then(|origin| from.crossed.heads.log(origin));
            let mut of_lost = 0;
            from.crossed.heads.each(|(log, _), _| of_lost += u64::from(Some(log) == lost))?;
            reconciled.lost += of_lost;
        }
    }
    Ok(reconciled)
}

impl Reconciled {
    /// Whether everything fits.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty() && self.first.is_sound() && self.second.is_sound()
    }

    /// Whether all could be compared.
    pub fn is_whole(&self) -> bool {
        self.not_compared.is_empty() && self.first.is_whole() && self.second.is_whole()
    }

    fn find(
        &mut self,
        code: &'static str,
        log: &str,
        entry: impl Into<Option<u64>>,
        (expected, found): (impl Into<String>, impl Into<String>),
    ) {
        if self.findings.len() >= FINDINGS_MAX {
            self.more_findings += 1;
            return;
        }
        let (expected, found) = (expected.into(), found.into());
        self.findings.push(Finding { code, log: log.to_owned(), entry: entry.into(), expected, found });
    }

    /// The cards of one side that the other knows are those of which its own log tells: whoever has a second log, or other keys, shows them by
    /// another card.
    fn cards(&mut self, of: &Side<'_>, holder: &Side<'_>) {
        let known: Vec<_> = holder.crossed.cards.iter().filter(|(card, _)| card.id == of.id).collect();
        let is_shown = known.iter().any(|(card, _)| card.log_origin == of.origin);
        if !of.breaks.is_empty() && !known.is_empty() && !is_shown {
            let text = format!(
                "{} began {}, and {} was never shown it: whether it took the place of what was lost is not seen yet; ask {} for an export made \
                 after it took the card of that log",
                of.id, of.origin, holder.id, holder.id
            );
            self.not_compared.push(text);
        }
        if known.is_empty() {
            let text =
                format!("{} has not enrolled {}: nothing passed between them that its log tells of", holder.id, of.id);
            self.not_compared.push(text);
        }
        for (card, entry) in known {
            let shown_by =
                format!("card {} of {}, log {}, at {}'s entry {entry}", card.serial, of.id, card.log_origin, holder.id);
            match of.tells_of(card) {
                Told::Known => {}
                Told::Later => self.not_compared.push(older(&of.id, of.crossed.last_ms, &shown_by)),
                Told::Not => {
                    let expected = format!("a log of {} that tells of every card that {} knows", of.id, holder.id);
                    self.find(
                        "OTHER_CARD",
                        &holder.id,
                        *entry,
                        (expected, format!("{shown_by}, of which it does not tell")),
                    );
                }
            }
        }
    }

    /// Both begin a memorandum on the day that the notice says.
    fn commenced(&mut self, one: &Side<'_>, other: &Side<'_>) {
        let known = |side: &Side<'_>, memorandum: &String| side.crossed.commenced.get(memorandum).cloned();
        for (memorandum, on) in &one.crossed.commenced {
            let theirs = known(other, memorandum).filter(|theirs| theirs != on && one.id < other.id);
            if let Some(theirs) = theirs {
                let expected = format!("{memorandum} in force since the day that {} has: {on}", one.id);
                self.find("COMMENCEMENT", &other.id, None, (expected, theirs));
            }
        }
    }

    /// What one side sent to the other.
    fn notices(&mut self, from: &Side<'_>, to: &Side<'_>) -> Result<(), Missing> {
        // Receipts come back in the order of a channel: behind one that came, none is under way.
        let mut receipted: HashMap<u32, u64> = HashMap::new();
        from.crossed.sent.each(|_, sent| {
            if sent.receipt.is_some() {
                let last = receipted.entry(sent.channel).or_default();
                *last = sent.number.max(*last);
            }
        })?;
        // The last receipt of the other side: whoever was in touch after the time of a notice was over has answered it.
        let mut in_touch_ms = i64::MIN;
        from.crossed.heads.each(|(log, _), head| {
            if head.entry.is_some() && to.before(from.crossed.heads.origin(log)).is_some() {
                in_touch_ms = in_touch_ms.max(head.by_ms);
            }
        })?;
        from.crossed.sent.each(|digest, sent| {
            if from.is_with(sent.channel, to) {
                let is_past = receipted.get(&sent.channel).is_some_and(|last| sent.number < *last);
                self.sent((from, to), (digest, sent), (is_past, in_touch_ms));
            }
        })?;
        // What was made after the export: the first entry that takes it, and how many.
        let mut later: Option<(u64, u64)> = None;
        to.crossed.taken.each(|digest, taken| {
            let is_sent = || from.crossed.sent.get(digest).is_some() || from.has_sent(&taken.message_id);
            if !to.is_with(taken.channel, from) || is_sent() {
                return;
            }
            let Taken { message_id: id, entry, created_ms, .. } = taken;
            if from.has_lost(&taken, to) {
                self.lost += 1;
            } else if from.ended_before(created_ms) {
                later.get_or_insert((entry, 0)).1 += 1;
            } else {
                // It carries the sender's signature.
                let expected = format!("an entry in the log of {} that sends message {id}", from.id);
                self.find("RECEIVED_NOT_SENT", &to.id, entry, (expected, "none; its sender signed it all the same"));
            }
        })?;
        // What a sender signed and its log does not tell convicts it, whatever it says now.
        to.crossed.conflicts.each(|digest, kept| {
            if !to.is_with(kept.channel, from) || from.crossed.sent.get(digest).is_some() {
                return;
            }
            if from.has_lost(&kept, to) {
                self.lost += 1;
            } else if from.ended_before(kept.created_ms) {
                later.get_or_insert((kept.entry, 0)).1 += 1;
            } else {
                let expected = format!("one statement of {} under number {} of this channel", from.id, kept.number);
                let found = format!(
                    "another one too, as message {}, which it signed and its log does not tell",
                    kept.message_id
                );
                self.find("SIGNED_TWICE", &to.id, kept.entry, (expected, found));
            }
        })?;
        if let Some((first, all)) = later {
            let rest = if all == 1 { String::new() } else { format!(" and {} more", all - 1) };
            let shown_by = format!("{}'s entry {first}{rest}", to.id);
            self.not_compared.push(older(&from.id, from.crossed.last_ms, &shown_by));
        }
        Ok(())
    }

    /// A statement that one side sent to the other; `is_past`: receipts of later ones came back. The last of any is of `in_touch_ms`.
    fn sent(
        &mut self,
        (from, to): (&Side<'_>, &Side<'_>),
        (digest, sent): (&[u8; 32], Sent),
        (is_past, in_touch_ms): (bool, i64),
    ) {
        if sent.displaced {
            return self.displaced((from, to), digest, &sent);
        }
        let receipt = sent.receipt.map(|(log, index)| (from.crossed.heads.origin(log), index));
        let place = receipt.map(|(origin, index)| to.place(origin, index));
        let ends_ms = from.crossed.last_ms.min(to.crossed.last_ms);
        let is_unanswered = is_over(sent.not_after_ms, ends_ms);
        let is_over = is_over(sent.not_after_ms, ends_ms.min(in_touch_ms));
        match (to.crossed.taken.get(digest), place) {
            (Some(Taken { entry, shift, refused, dates, .. }), Some(Place::Shown(shown, before)))
                if shown == entry && before <= shift as usize =>
            {
                self.agreed += 1;
                if !refused && dates != sent.dates {
                    let said = |(from_ms, until_ms): (i64, i64)| match (from_ms, until_ms) {
                        (from_ms, 0) => format!("from {}", moment(from_ms)),
                        (from_ms, until_ms) => format!("from {} to {}", moment(from_ms), moment(until_ms)),
                    };
                    let expected = format!("the dates of {}'s entry {}: {}", from.id, sent.entry, said(sent.dates));
                    self.find("DATES", &to.id, entry, (expected, said(dates)));
                }
            }
            // It came again, and that receipt is not back yet.
            (Some(_), Some(Place::Lost)) => self.under_way += 1,
            // What that log is to this one, its card says.
            (_, Some(Place::Elsewhere)) => {}
            (Some(Taken { entry, .. }), Some(_)) => {
                let (log, index) = receipt.unwrap_or_default();
                let expected = format!("the statement at entry {index} of {log}, where the receipt has it");
                self.find("MOVED", &to.id, entry, (expected, format!("it stands at entry {entry}")));
            }
            (Some(Taken { entry, .. }), None) if is_past || is_over => {
                let expected = format!("a receipt in the log of {} for entry {}", from.id, sent.entry);
                let why = if is_past {
                    "none, though later ones came back"
                } else {
                    "none, and both were in touch after its time was over"
                };
                self.find("RECEIPT_NOT_HELD", &to.id, entry, (expected, why));
            }
            (None, _) if to.has_taken(&sent.message_id, from) => {
                let expected = format!("the statement that {} sent as message {}", from.id, sent.message_id);
                self.find("DIFFERENT_BYTES", &from.id, sent.entry, (expected, "another one under the same message id"));
            }
            // What the log before held of it was lost, and it was not sent again.
            (None, Some(Place::Lost)) => self.lost += 1,
            // Its head, which is beyond the export too, says that.
            (None, Some(Place::Beyond)) => {}
            (None, Some(Place::Shown(entry, _))) => {
                let expected =
                    format!("the statement of {}'s entry {}, which its receipt shows here", from.id, sent.entry);
                self.find("NOT_THERE", &to.id, entry, (expected, "another entry"));
            }
            (None, None) if is_past || is_over => {
                let expected = format!("an entry in the log of {} for this notice", to.id);
                let why = if is_past {
                    "none, though later ones are there"
                } else {
                    "none, and both were in touch after its time was over"
                };
                self.find("SENT_NOT_RECEIVED", &from.id, sent.entry, (expected, why));
            }
            (_, None) if is_unanswered => self.unanswered += 1,
            // What is behind them is under way too.
            (_, None) => self.under_way += 1,
        }
    }

    /// A statement of which its log tells that it never left.
    fn displaced(&mut self, (from, to): (&Side<'_>, &Side<'_>), digest: &[u8; 32], sent: &Sent) {
        // A draft goes into a copy too: what that log lost may be there under its message id.
        let is_there = to.taken_as(&sent.message_id, from).is_some_and(|taken| !from.has_lost(&taken, to));
        let came = to.crossed.taken.get(digest).or_else(|| to.crossed.conflicts.get(digest));
        if came.is_none() && !is_there {
            self.lost += 1;
            return;
        }
        let expected = format!(
            "no entry for message {}, of which the log of {} tells that it never left",
            sent.message_id, from.id
        );
        let entry = came.map(|came| came.entry);
        self.find("NOT_DISPLACED", &to.id, entry, (expected, "one that has it, with its sender's signature"));
    }

    /// For machines.
    pub fn to_json(&self) -> Value {
        json!({
            "sound": self.is_sound(), "whole": self.is_whole(), "agreed": self.agreed, "heads": self.heads, "under_way": self.under_way, "unanswered": self.unanswered, "lost": self.lost,
            "findings": self.findings.iter().map(Finding::to_json).collect::<Vec<_>>(), "not_compared": self.not_compared,
            "more_findings": self.more_findings,
            "logs": [self.first.to_json(), self.second.to_json()],
        })
    }

    /// For people.
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "{}\n  both logs tell of {} notices alike; {} signed heads of one that the other holds are beginnings of it\n",
            headline(self.is_sound(), self.is_whole()),
            self.agreed,
            self.heads
        );
        if self.under_way > 0 {
            let _ = writeln!(
                text,
                "  under way     {}: sent and not there yet, or its receipt not back yet",
                self.under_way
            );
        }
        if self.unanswered > 0 {
            let _ = writeln!(
                text,
                "  unanswered    {}: sent, and their time is over; the two were not in touch since",
                self.unanswered
            );
        }
        if self.lost > 0 {
            let _ = writeln!(
                text,
                "  lost          {} notices and heads of a log that was closed; the other side holds them",
                self.lost
            );
        }
        for reason in &self.not_compared {
            let _ = writeln!(text, "  not compared  {reason}");
        }
        for finding in &self.findings {
            let _ = writeln!(text, "\n  {}", finding.to_text());
        }
        if self.more_findings > 0 {
            let _ = writeln!(text, "\n  and {} more", self.more_findings);
        }
        format!("{text}\n{}\n\n{}", self.first.to_text(), self.second.to_text())
    }
}

fn older(id: &str, last_ms: i64, shown_by: &str) -> String {
    format!(
        "the export of {id} ends on {}, before {shown_by}: it is older, or its tail was left out; ask {id} for an export made now",
        moment(last_ms)
    )
}
