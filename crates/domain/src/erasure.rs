//! Whether a notice's content is still needed: what must be settled before it may be erased.
//!
//! # Source
//! Design: no text speaks of erasure. What clause 3 and the duties of DOMAIN section 2 rest on must stay readable while they last.

use std::collections::BTreeSet;

use crate::disclosure::grant_ended;
use crate::docket::{Course, Docketed, NoticeKey};
use crate::duties::{DutyItem, duties};
use crate::flow::{CONSENT_GRANT, DISPUTE_CONSULTATION};
use crate::memorandum::Memorandum;
use crate::organisations::{REVOKED, Told, is_full_list};

/// Why a notice's content is needed by a side at a moment, in words for the person who wants to erase it; `None`: it is not.
pub fn needed(memorandum: &Memorandum, course: &Course, key: &NoticeKey, (own, at_ms): (&str, i64)) -> Option<String> {
    let notice = course.get(key)?;
    if let Some(answered) = notice.answers.as_ref().filter(|answered| course.get(answered).is_some()) {
        let number = &answered.number;
        return Some(format!("it answers {number}, and shows what came of that; erase {number} first"));
    }
    let below = below(course, key);
    // What the other side closes without a notice is never seen here.
    let is_open = |duty: &DutyItem| duty.closed_ms.is_none() && (!duty.unseen || duty.owed_by == own);
    let open: Vec<DutyItem> = duties(memorandum, course, at_ms).into_iter().filter(is_open).collect();
    if let Some(duty) = open.iter().find(|duty| below.contains(&duty.about)) {
        let (number, owed_by, closes_by) = (&duty.about.number, &duty.owed_by, &duty.closes_by);
        return Some(format!("{owed_by} has an open duty because of {number}; what closes it: {closes_by}"));
    }
    let live = below.iter().find(|key| {
        let grant = course.get(key).filter(|notice| notice.flow == CONSENT_GRANT && notice.delivered_ms.is_some());
        grant.is_some() && grant_ended(memorandum, course, key).is_some_and(|ended| at_ms < ended)
    });
    if let Some(grant) = live {
        let number = &grant.number;
        return Some(format!("the grant {number} may still be used; it must be withdrawn or over"));
    }
    // A dispute about no notice in particular may turn on any.
    let at_large = |duty: &&DutyItem| {
        duty.flow == DISPUTE_CONSULTATION && course.get(&duty.about).is_some_and(|dispute| dispute.answers.is_none())
    };
    if let Some(dispute) = open.iter().find(at_large) {
        let (number, closes_by) = (&dispute.about.number, &dispute.closes_by);
        return Some(format!("the dispute {number} is open under this memorandum; what closes it: {closes_by}"));
    }
    carries(course, key, notice)
}

/// A notice, and all that answers it, and so on.
fn below<'c>(course: &'c Course, key: &NoticeKey) -> BTreeSet<NoticeKey> {
    let (mut found, mut next) = (BTreeSet::from([key.clone()]), vec![key.clone()]);
    while let Some(key) = next.pop() {
        let answers: Vec<&'c NoticeKey> = course.answers_to(&key).map(|(answer, _)| answer).collect();
        next.extend(answers.into_iter().filter(|answer| found.insert((*answer).clone())).cloned());
    }
    found
}

/// What is derived from notices and would change without this one.
fn carries(course: &Course, key: &NoticeKey, notice: &Docketed) -> Option<String> {
    let particulars = notice.particulars();
    let later = |is_later: &dyn Fn(&Docketed) -> bool| {
        let mut others = course.notices().filter(|(other, _)| *other != key && other.side == key.side);
        others.any(|(other, docketed)| {
            docketed.delivered_ms.is_some() && !course.is_superseded(other) && is_later(docketed)
        })
    };
    if !particulars.as_of.is_empty()
        && !later(&|other| {
            // What a full list put out of force stays so only by another full one.
            let is_as_full = is_full_list(other) || !is_full_list(notice);
            other.flow == notice.flow && is_as_full && other.particulars().as_of > particulars.as_of
        })
    {
        return Some("it is the last list of its kind, which a later one may go on from".to_owned());
    }
    let rests = "the sending organisations that the register shows rest on it, until a later list takes its place";
    if REVOKED.contains(&notice.flow.as_str())
        && !course.is_superseded(key)
        && !later(&|other| is_full_list(other) && other.particulars().as_of >= particulars.effective)
    {
        return Some(rests.to_owned());
    }
    let names_some = !particulars.organisations.is_empty();
    let shown = |told: Told<'_>| told.organisations();
    (names_some && shown(Told::new(course)) != shown(Told::without(course, Some(key)))).then(|| rests.to_owned())
}
