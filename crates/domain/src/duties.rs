//! What each side owes because of the notices that both know, since when, and what closes it. Derived from the docket each time: a
//! duty is never stored, so it cannot disagree with the notices.
//!
//! # Source
//! DOMAIN section 2, column "what the receiver must do"; 7(2) for what the originator must publish itself.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use time::{Date, Duration, UtcOffset};

use crate::civil;
use crate::disclosure::{Recorded, grant_ended};
use crate::docket::{Course, Docketed, NoticeKey};
use crate::flow::{
    CONSENT_WITHDRAW, CONSULTATION_REQUEST, CONTACT_POINT_CHANGE, CORRECTION, PUBLICATION_CONFIRMATION, TERMINATION,
};
use crate::memorandum::{CommencesOn, Duty, KindTerms, Memorandum};

/// One duty, open or closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DutyItem {
    /// What is owed.
    pub duty: Duty,
    /// Because of which notice.
    pub about: NoticeKey,
    /// Its flow.
    pub flow: String,
    /// The clause.
    pub clause: String,
    /// The side that owes it.
    pub owed_by: String,
    /// Since when, in milliseconds since 1970-01-01 UTC.
    pub since_ms: i64,
    /// What closes it, in words.
    pub closes_by: String,
    /// Whether only who owes it sees that it is closed: no notice tells the other side.
    pub unseen: bool,
    /// When it was closed, likewise.
    pub closed_ms: Option<i64>,
    /// The day after which it is shown as overdue: what the notice wants, else a reminder. Not a legal deadline.
    pub remind_on: Option<Date>,
}

impl DutyItem {
    /// Whether its day has passed while it was open; of a closed one, whether it was closed only after it.
    pub fn is_overdue(&self, today: Date) -> bool {
        let until = self.closed_ms.map_or(today, |closed_ms| civil::date_of(closed_ms, UtcOffset::UTC));
        self.remind_on.is_some_and(|day| until > day)
    }
}

/// All duties under a memorandum, oldest first.
pub fn duties(memorandum: &Memorandum, course: &Course, now_ms: i64) -> Vec<DutyItem> {
    let asked = Asked { memorandum, course, now_ms, replaced: RefCell::default() };
    let mut items: Vec<DutyItem> = course.notices().flat_map(|(key, notice)| asked.of_notice(key, notice)).collect();
    items.sort_by(|a, b| (a.since_ms, &a.about).cmp(&(b.since_ms, &b.about)));
    items
}

/// Whether a notice of this flow would close what a side still owes because of another one.
pub(crate) fn is_owed(
    (memorandum, course): (&Memorandum, &Course),
    (about, side): (&NoticeKey, &str),
    flow: &str,
    now_ms: i64,
) -> bool {
    let asked = Asked { memorandum, course, now_ms, replaced: RefCell::default() };
    let Some(notice) = course.get(about) else { return false };
    // An answer shows that what it answers arrived, even where the receipt never came.
    let mut arrived = notice.clone();
    arrived.delivered_ms.get_or_insert(notice.since_ms);
    let is_reply = memorandum.kind(flow).is_some_and(KindTerms::is_answer);
    let closes = |duty: Duty| match duty {
        Duty::Publish => flow == PUBLICATION_CONFIRMATION,
        Duty::Conditions | Duty::Acknowledge | Duty::RecordReceipt => false,
        Duty::Reply | Duty::Investigate | Duty::Comply | Duty::Consult | Duty::AnswerConsent | Duty::Assist => is_reply,
    };
    let mut items = asked.of_notice(about, &arrived).into_iter();
    items.any(|item| item.owed_by == side && item.closed_ms.is_none() && closes(item.duty))
}

/// What a document outside the log that carries releases asks for: its conditions, since the second person confirmed it, until its last
/// moment or until a person ended it.
pub fn conditions_of_document(
    memorandum: &Memorandum,
    (about, side): (NoticeKey, &str),
    document: &Recorded,
    (confirmed_ms, ended_ms, now_ms): (i64, Option<i64>, i64),
) -> Option<DutyItem> {
    let is_over = (document.until_ms < now_ms).then_some(document.until_ms.max(confirmed_ms));
    (!document.conditions.is_empty()).then(|| DutyItem {
        duty: Duty::Conditions,
        about,
        flow: document.kind.as_str().to_owned(),
        clause: memorandum.clause_of_disclosure().to_owned(),
        owed_by: side.to_owned(),
        since_ms: confirmed_ms,
        closes_by: "its last day, or `verbale ground end`: all conditions are met, or it was withdrawn".to_owned(),
        unseen: true,
        closed_ms: [ended_ms, is_over].into_iter().flatten().min(),
        remind_on: None,
    })
}

struct Asked<'a> {
    memorandum: &'a Memorandum,
    course: &'a Course,
    now_ms: i64,
    /// The last notice that took the place of each, as far as it was looked at.
    replaced: RefCell<HashMap<NoticeKey, NoticeKey>>,
}

impl Asked<'_> {
    fn of_notice(&self, key: &NoticeKey, notice: &Docketed) -> Vec<DutyItem> {
        // What the other side does not know yet binds nobody.
        let (Some(kind), Some(since_ms)) = (self.memorandum.kind(&notice.flow), notice.delivered_ms) else {
            return Vec::new();
        };
        let Some(receiver) = self.memorandum.other_side(&key.side) else { return Vec::new() };
        let conditions = (!notice.particulars().conditions.is_empty()).then_some(Duty::Conditions);
        let of_receiver = kind.duty().into_iter().chain(conditions).map(|duty| (duty, receiver, kind.duty_clause()));
        let of_sender = kind.own_duty().map(|duty| (duty, key.side.as_str(), kind.clause()));
        let item = |(duty, side, clause): (Duty, &str, &str)| {
            let since_ms = self.reopened(duty, key).unwrap_or(since_ms);
            let closes_by = match self.replacement(duty, key) {
                Some(by) => {
                    format!(
                        "publish {}, which took its place, then confirm with S02 PUBLICATION_CONFIRMATION",
                        by.number
                    )
                }
                None => closes_by(self.memorandum, duty, &notice.flow),
            };
            DutyItem {
                duty,
                about: key.clone(),
                flow: notice.flow.clone(),
                clause: clause.to_owned(),
                owed_by: side.to_owned(),
                since_ms,
                closes_by,
                unseen: self.is_unseen(duty, &notice.flow),
                closed_ms: self.closed(duty, side, (key, notice)),
                remind_on: self.remind_on(duty, notice, since_ms, side),
            }
        };
        of_receiver.chain(of_sender).map(item).collect()
    }

    /// Whether a person closes it by hand, and no notice tells the other side.
    fn is_unseen(&self, duty: Duty, flow: &str) -> bool {
        match duty {
            Duty::Acknowledge => true,
            Duty::RecordReceipt if flow == TERMINATION => self.memorandum.months_to_end().is_none(),
            Duty::RecordReceipt => matches!(self.memorandum.commences(), CommencesOn::Day(_)),
            Duty::Publish
            | Duty::Conditions
            | Duty::Consult
            | Duty::Reply
            | Duty::Investigate
            | Duty::Comply
            | Duty::AnswerConsent
            | Duty::Assist => false,
        }
    }

    /// Since when another notice stands in the place of one: what was asked or ordered by that is owed because of the other.
    fn replaced(&self, key: &NoticeKey) -> Option<i64> {
        let is_it = |answer: &Docketed| answer.flow == CORRECTION && answer.particulars().replaced_by != key.number;
        let corrections = self.course.answers_to(key).filter(|(_, answer)| is_it(answer));
        corrections.filter_map(|(_, correction)| correction.delivered_ms).min()
    }

    /// A correction reopens what was published.
    fn reopened(&self, duty: Duty, key: &NoticeKey) -> Option<i64> {
        let corrections = self.course.answers_to(key).filter(|(_, answer)| answer.flow == CORRECTION);
        corrections.filter(|_| duty == Duty::Publish).filter_map(|(_, correction)| correction.delivered_ms).max()
    }

    /// The notice that took the place of one that was to be published, the last of several: it is published instead. Where they go in a circle,
    /// one of them stands for all.
    fn replacement(&self, duty: Duty, key: &NoticeKey) -> Option<NoticeKey> {
        if duty != Duty::Publish {
            return None;
        }
        let (mut way, mut seen, mut last) = (Vec::new(), HashSet::new(), key.clone());
        let mut known = self.replaced.borrow_mut();
        loop {
            way.push(last.clone());
            seen.insert(last.clone());
            if let Some(end) = known.get(&last) {
                last = end.clone();
                break;
            }
            let number = self.course.replaced_by(&last);
            let next = number.map(|number| NoticeKey { side: last.side.clone(), number });
            match next.filter(|next| self.course.get(next).is_some()) {
                Some(next) if !seen.contains(&next) => last = next,
                Some(next) => {
                    // One of the circle stands for all of it.
                    let circle = way.iter().skip_while(|step| **step != next);
                    last = circle.max().cloned().unwrap_or(last);
                    break;
                }
                None => break,
            }
        }
        known.extend(way.into_iter().map(|step| (step, last.clone())));
        (last != *key).then_some(last)
    }

    fn closed(&self, duty: Duty, side: &str, (key, notice): (&NoticeKey, &Docketed)) -> Option<i64> {
        let answered_to = |key: &NoticeKey, closes: &dyn Fn(&Docketed) -> bool| {
            let answers = self.course.answers_to(key).filter(|(answer, _)| answer.side == side);
            answers.filter(|(_, answer)| closes(answer)).filter_map(|(_, answer)| answer.delivered_ms).min()
        };
        let answered = |closes: &dyn Fn(&Docketed) -> bool| answered_to(key, closes);
        let replaced = self.replaced(key);
        let earlier = |closed: Option<i64>| [closed, replaced].into_iter().flatten().min();
        match duty {
            Duty::Publish => {
                let published = |key: &NoticeKey| {
                    let reopened = self.reopened(duty, key).unwrap_or(i64::MIN);
                    answered_to(key, &|answer| answer.flow == PUBLICATION_CONFIRMATION && answer.since_ms >= reopened)
                };
                let instead = || self.replacement(duty, key).and_then(|by| published(&by));
                // It may have been published before the correction came.
                let reopened = self.reopened(duty, key).unwrap_or(i64::MIN);
                published(key).or_else(|| instead().map(|at_ms| at_ms.max(reopened)))
            }
            // An answer that is not complete leaves it open.
            Duty::Reply | Duty::Investigate | Duty::Comply | Duty::Assist | Duty::AnswerConsent => {
                earlier(answered(&|answer| {
                    let kind = self.memorandum.kind(&answer.flow);
                    let complete =
                        answer.particulars().complete != Some(false) && answer.particulars().outcome != "PARTIAL";
                    // What may follow an order to investigate is no report of it.
                    let is_reply = kind.is_some_and(|kind| kind.is_answer() && kind.must_answer());
                    complete && is_reply && answer.flow != CONSENT_WITHDRAW
                }))
            }
            Duty::Consult => {
                let by_answer =
                    answered(&|answer| self.memorandum.kind(&answer.flow).is_some_and(KindTerms::is_answer));
                // Of a consultation that was asked for there is a record.
                earlier(by_answer.or(notice.handed_over_ms.filter(|_| self.memorandum.is_consultation(&notice.flow))))
            }
            Duty::Acknowledge => earlier(notice.handed_over_ms),
            // The receipt of a termination is recorded by itself, where the text says what follows from it.
            Duty::RecordReceipt if notice.flow == TERMINATION => match self.memorandum.months_to_end() {
                Some(_) => self.course.ends.and(notice.delivered_ms),
                None => notice.handed_over_ms,
            },
            // That of the last notification by an approver.
            Duty::RecordReceipt => match self.memorandum.commences() {
                CommencesOn::Day(_) => notice.handed_over_ms,
                CommencesOn::Receipt | CommencesOn::NotVerified => self
                    .course
                    .commenced_ms
                    .zip(notice.delivered_ms)
                    .map(|(recorded, delivered)| recorded.max(delivered)),
            },
            // They bind as long as the grant is used.
            Duty::Conditions => grant_ended(self.memorandum, self.course, key)
                .map(|ended| ended.max(notice.since_ms))
                .filter(|ended| *ended <= self.now_ms),
        }
    }

    fn remind_on(&self, duty: Duty, notice: &Docketed, since_ms: i64, side: &str) -> Option<Date> {
        let wanted = civil::day(&notice.particulars().wanted_by).filter(|_| duty == Duty::Reply);
        let reminder = || {
            let days = self.memorandum.reminder_days(duty)?;
            civil::date_of(since_ms, self.memorandum.utc_offset(side)).checked_add(Duration::days(days.into()))
        };
        wanted.or_else(reminder)
    }
}

/// What closes a duty, in words for the one who owes it.
fn closes_by(memorandum: &Memorandum, duty: Duty, flow: &str) -> String {
    let text = match duty {
        Duty::Publish => "publish it, then confirm with S02 PUBLICATION_CONFIRMATION",
        Duty::Reply => "a complete reply, delivered",
        Duty::Investigate => "the report of the investigation, delivered",
        Duty::Comply => "a response with outcome FULL or NONE, delivered",
        Duty::Consult if flow == CONSULTATION_REQUEST => "the record of the consultation (F19), delivered",
        Duty::Consult => "consult, then `verbale ack`, each side for itself",
        Duty::AnswerConsent => "a grant (F21) or a refusal (F22), delivered",
        Duty::Acknowledge if flow == CONTACT_POINT_CHANGE => {
            "enter the new contact under [[contacts]] of the memorandum's file, restart, then `verbale ack`"
        }
        Duty::Acknowledge => "`verbale ack`, when those concerned were told",
        Duty::Assist => "the status of the assistance (F29), delivered",
        Duty::RecordReceipt if flow == TERMINATION => match memorandum.months_to_end() {
            Some(_) => "the day of the end, which follows from the receipt",
            None => {
                "`verbale ack`, when its receipt is recorded on paper: what follows from it stands in a text that was not seen"
            }
        },
        Duty::RecordReceipt if matches!(memorandum.commences(), CommencesOn::Day(_)) => {
            "`verbale ack`, when it was filed"
        }
        Duty::RecordReceipt => {
            "the date of receipt of the last one, recorded by an approver (`verbale memorandum commence`)"
        }
        Duty::Conditions => "the end of the grant, or its withdrawal once it binds",
    };
    text.to_owned()
}
