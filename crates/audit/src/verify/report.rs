//! What was established about a log, for people and for machines.

use std::fmt::Write as _;

use serde_json::{Value, json};
use verbale_domain::disclosure::RULES_VERSION;

use super::{Break, Verified};
use crate::finding::Finding;
use crate::presentation::moment;

impl Verified {
    /// Whether everything holds.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    /// Whether everything could be compared, and nothing is left that the auditor must look at elsewhere.
    pub fn is_whole(&self) -> bool {
        let is_told = self.breaks.iter().all(|broke| broke.known > 0) && self.stamps.beyond.is_empty();
        self.terms_missing == 0 && self.later_rules == 0 && is_told
    }

    /// For machines.
    pub fn to_json(&self) -> Value {
        let cosigned: Vec<Value> = (self.cosigned.iter())
            .map(|(by, size, time_s)| json!({"by": by, "size": size, "at": second(*time_s)}))
            .collect();
        json!({
            "sound": self.is_sound(), "whole": self.is_whole(), "log": self.id, "origin": self.head.origin, "size": self.head.size.0, "cut_at": self.cut_at,
            "root": hex::encode(self.head.root), "last_entry_at": moment(self.last_ms), "fingerprint": self.fingerprint,
            "cards_compared": self.is_compared, "counterparts": self.peers.iter().map(|(id, _)| id).collect::<Vec<_>>(),
            "entries": self.tally.to_json(), "waiting_for_receipt": self.waiting, "unanswered": self.unanswered, "displaced": self.displaced, "clocks_apart": self.clocks,
            "released_on_consent_or_notice": self.by_instrument, "released_on_ground_not_shown": self.unshown, "released_under_terms_not_given": self.terms_missing, "decided_by_later_rules": self.later_rules,
            "breaks": self.breaks.iter().map(Break::to_json).collect::<Vec<_>>(), "cosigned": cosigned, "time_stamps": self.stamps.to_json(), "findings": self.findings.iter().map(Finding::to_json).collect::<Vec<_>>(),
            "more_findings": self.more_findings,
        })
    }

    /// For people.
    pub fn to_text(&self) -> String {
        let mut text = format!("{}\n", headline(self.is_sound(), self.is_whole()));
        let _ = writeln!(
            text,
            "  log           {}\n  up to         entry {} of {}, root {}\n  holds         {}\n  card key      {}",
            self.head.origin,
            self.cut_at.unwrap_or(self.head.size.0).saturating_sub(1),
            moment(self.last_ms),
            hex::encode(self.head.root),
            self.tally.to_text(),
            self.fingerprint
        );
        for broke in &self.breaks {
            let _ = writeln!(text, "  BREAK         {}", broke.to_text());
        }
        for (id, fingerprint) in &self.peers {
            let _ = writeln!(text, "  counterpart   {id}, card key {fingerprint}");
        }
        match self.cut_at {
            None => self.end_to_text(&mut text),
            Some(at) => {
                let _ = writeln!(
                    text,
                    "  NOT READ      what begins with entry {at}, of {} by its head, and what stands beside the log: ask for the export once more",
                    self.head.size.0
                );
            }
        }
        if self.displaced > 0 {
            let _ = writeln!(
                text,
                "  never left    {} numbered by a copy of the log, while the counterpart held others under their numbers (reconcile)",
                self.displaced
            );
        }
        if self.tally.conflicts > 0 {
            let _ = writeln!(
                text,
                "  to look at    {} second statements under a number that was used, each signed by its sender (reconcile)",
                self.tally.conflicts
            );
        }
        if self.by_instrument > 0 {
            let _ = writeln!(
                text,
                "  not shown     {} released on consent or notice: whether fields, audience and purpose are such is seen in the presentation; whether \
                 its dates are those of the other side's log, by reconcile",
                self.by_instrument
            );
        }
        for (code, count) in &self.unshown {
            let _ = writeln!(
                text,
                "  not shown     {count} released on {code}: whether fields and audience are such is seen in the presentation, not in the log"
            );
        }
        if self.terms_missing > 0 {
            let _ = writeln!(
                text,
                "  not compared: {} released under terms that the log had before; give their files with --memoranda DIR",
                self.terms_missing
            );
        }
        if self.later_rules > 0 {
            let _ = writeln!(
                text,
                "  not compared: {} decided by a later version of the rules than {RULES_VERSION}, by which they were checked; a newer program knows it",
                self.later_rules
            );
        }
        for finding in &self.findings {
            let _ = writeln!(text, "\n  {}", finding.to_text());
        }
        if self.more_findings > 0 {
            let _ = writeln!(text, "\n  and {} more", self.more_findings);
        }
        text.trim_end().to_owned()
    }

    /// What the end of the log shows.
    fn end_to_text(&self, text: &mut String) {
        for (by, size, time_s) in &self.cosigned {
            let _ = writeln!(text, "  cosigned      by {by} at size {size} on {}", second(*time_s));
        }
        text.push_str(&self.stamps.to_text());
        if !self.is_compared {
            text.push_str("  not compared: the cards of all contact points were not given; compare the fingerprints above with their owners\n");
        }
        if self.cosigned.is_empty() {
            text.push_str("  not cosigned: nobody else vouches for this head; compare it with the counterpart's export (reconcile)\n");
        }
        if self.waiting > 0 {
            let _ = writeln!(text, "  waiting       {} sent without receipt yet", self.waiting);
        }
        for clocks in &self.clocks {
            let _ = writeln!(text, "  to look at    {clocks}");
        }
        if self.unanswered > 0 {
            let _ = writeln!(
                text,
                "  unanswered    {} sent without receipt, and their time is over: whether they came is seen in the counterpart's log",
                self.unanswered
            );
        }
    }
}

/// What was established, in a sentence.
pub(crate) fn headline(sound: bool, whole: bool) -> &'static str {
    match (sound, whole) {
        (true, true) => "Sound.",
        (true, false) => "No fault found, and not everything could be compared.",
        (false, _) => "FAULT FOUND.",
    }
}

pub(crate) fn second(time_s: u64) -> String {
    moment(i64::try_from(time_s).unwrap_or(i64::MAX / 1000).saturating_mul(1000))
}
