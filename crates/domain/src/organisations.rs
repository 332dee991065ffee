//! The sending organisations of a side as its notices list them: a full list replaces the last, a revocation marks what is listed.
//! Derived from the docket each time, as duties are.
//!
//! # Source
//! Clauses 6(1), 6(2), 7(2) and 7(4); DOMAIN section 2, F01 to F03, T01 and T02.

use std::collections::BTreeMap;

use time::Date;

use crate::civil;
use crate::docket::{Course, Docketed, NoticeKey};

/// An approval of one organisation.
pub(crate) const SENDING_ORG_APPROVED: &str = "F01";

/// Lists of organisations.
pub(crate) const LISTS: [&str; 2] = ["F02", "T01"];

/// Revocations of one organisation.
pub const REVOKED: [&str; 2] = ["F03", "T02"];

/// The status of an approved organisation, as lists write it.
pub(crate) const APPROVED: &str = "APPROVED";

/// An organisation as the last list or approval has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    /// The side whose organisation it is.
    pub side: String,
    /// Its registration number.
    pub number: String,
    /// Its status in the notice that lists it: APPROVED, SUSPENDED or REVOKED.
    pub status: String,
    /// The notice that lists it.
    pub listed_in: NoticeKey,
    /// Its flow.
    pub flow: String,
    /// The revocation that marks it, and the first day of its effect.
    pub revoked: Option<(NoticeKey, Date)>,
}

impl Organisation {
    /// Whether a revocation has effect on a day.
    pub fn is_revoked(&self, on: Date) -> bool {
        self.status == "REVOKED" || self.revoked.as_ref().is_some_and(|(_, from)| *from <= on)
    }
}

/// A revocation: of which organisation, by which notice, from which day on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The organisation's registration number.
    pub number: String,
    /// The notice; its side is the organisation's.
    pub by: NoticeKey,
    /// The first day of its effect.
    pub from: Date,
    since_ms: i64,
}

impl Revocation {
    /// Whether it shows on what another notice says of organisations: that one came before it, or describes a day before its effect.
    pub fn shows_on(&self, course: &Course, about: &NoticeKey) -> bool {
        let told =
            course.get(about).filter(|told| !REVOKED.contains(&told.flow.as_str()) && about.side == self.by.side);
        told.is_some_and(|told| {
            let described = civil::day(&told.particulars().as_of);
            told.since_ms <= self.since_ms || described.is_some_and(|day| day < self.from)
        })
    }
}

/// Every revocation under a memorandum that was delivered and not corrected.
pub fn revocations(course: &Course) -> Vec<Revocation> {
    let counts = |(key, notice): &(&NoticeKey, &Docketed)| {
        REVOKED.contains(&notice.flow.as_str()) && notice.delivered_ms.is_some() && !course.is_superseded(key)
    };
    let of = |(key, notice): (&NoticeKey, &Docketed)| {
        let (particulars, since_ms, by) = (notice.particulars().clone(), notice.since_ms, key.clone());
        let from = civil::day(&particulars.effective);
        let numbers = particulars.organisations.into_iter().map(|organisation| organisation.number);
        numbers.filter_map(move |number| Some(Revocation { number, by: by.clone(), from: from?, since_ms }))
    };
    course.notices().filter(counts).flat_map(of).collect()
}

/// Whether a notice is a list of everything there is.
pub(crate) fn is_full_list(notice: &Docketed) -> bool {
    LISTS.contains(&notice.flow.as_str()) && notice.particulars().complete == Some(true)
}

/// All organisations that are listed under a memorandum, by side and number. What was corrected or not delivered does not count.
pub fn organisations(course: &Course) -> Vec<Organisation> {
    organisations_without(course, None)
}

/// The same, as if one notice were not known.
pub(crate) fn organisations_without(course: &Course, without: Option<&NoticeKey>) -> Vec<Organisation> {
    let told = course.notices().filter(|(key, notice)| {
        // An empty list is legitimate: it says that there is none.
        (!notice.particulars().organisations.is_empty() || is_full_list(notice))
            && notice.delivered_ms.is_some()
            && !course.is_superseded(key)
            && Some(*key) != without
    });
    let mut told: Vec<_> = told.collect();
    // In the order in which they came; the number decides between those of one moment.
    told.sort_by(|(a, first), (b, second)| (first.since_ms, *a).cmp(&(second.since_ms, *b)));
    let mut listed: BTreeMap<(String, String), Organisation> = BTreeMap::new();
    let mut last_list: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    let mut marks: BTreeMap<(String, String), (NoticeKey, Date)> = BTreeMap::new();
    for (key, notice) in told {
        let particulars = notice.particulars();
        if is_full_list(notice) {
            let last = last_list.entry((&key.side, &notice.flow)).or_default();
            // A list of an earlier day that comes late replaces nothing.
            if particulars.as_of.as_str() < *last {
                continue;
            }
            *last = &particulars.as_of;
            listed.retain(|(side, _), _| *side != key.side);
        }
        for organisation in &particulars.organisations {
            let at = (key.side.clone(), organisation.number.clone());
            if !REVOKED.contains(&notice.flow.as_str()) {
                // A list that describes an earlier day says nothing about a revocation that comes after it.
                let in_force_then =
                    |(_, from): &&(NoticeKey, Date)| civil::day(&particulars.as_of).is_some_and(|day| day < *from);
                let revoked = marks.get(&at).filter(in_force_then).cloned();
                let entry = Organisation {
                    side: key.side.clone(),
                    number: organisation.number.clone(),
                    status: organisation.status.clone(),
                    listed_in: key.clone(),
                    flow: notice.flow.clone(),
                    revoked,
                };
                listed.insert(at, entry);
            } else if let Some(from) = civil::day(&particulars.effective) {
                if let Some(entry) = listed.get_mut(&at) {
                    entry.revoked = Some((key.clone(), from));
                }
                marks.insert(at, (key.clone(), from));
            }
        }
    }
    listed.into_values().collect()
}
