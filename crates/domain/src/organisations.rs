//! The sending organisations of a side as its notices list them: a full list replaces the last, a revocation marks what is listed. The day that
//! a notice describes decides, then when it was said: what comes late, or again in a correction, is no newer for that. Derived from the docket
//! each time, as duties are.
//!
//! # Source
//! Clauses 6(1), 6(2), 7(2) and 7(4); DOMAIN section 2, F01 to F03, T01 and T02.

use std::collections::{BTreeMap, HashMap, HashSet};

use time::Date;

use crate::civil;
use crate::docket::{Course, Docketed, NoticeKey};
use crate::flow::CORRECTION;

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
    /// Where in the course it was said first.
    order: u64,
}

/// What a notice says of organisations: of which day, and where in the course that was said first, in this notice or in one that it corrects.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Said {
    day: Option<Date>,
    order: u64,
}

impl Said {
    /// Whether a revocation shows on it: it came before that, or describes a day before its effect.
    fn is_revoked_by(self, revocation: &Revocation) -> bool {
        self.order < revocation.order || self.day.is_some_and(|day| day < revocation.from)
    }
}

/// What a notice says, in the order of that, and its number, which decides where two correct the same.
type At<'k> = (Said, &'k NoticeKey);

/// What both sides know of the organisations under a memorandum.
pub struct Told<'c> {
    course: &'c Course,
    /// The notice that is taken as not known.
    without: Option<&'c NoticeKey>,
    /// Where in the course it was said first what each notice says that took the place of others.
    first: HashMap<NoticeKey, u64>,
    /// Revocations that were delivered, corrected ones too.
    revocations: Vec<Revocation>,
}

impl<'c> Told<'c> {
    /// Reads the course of a memorandum.
    pub fn new(course: &'c Course) -> Self {
        Self::without(course, None)
    }

    /// The same, as if one notice were not known.
    pub(crate) fn without(course: &'c Course, without: Option<&'c NoticeKey>) -> Self {
        let known = || course.notices().filter(|(key, notice)| Some(*key) != without && notice.delivered_ms.is_some());
        let mut corrects: HashMap<NoticeKey, Vec<&NoticeKey>> = HashMap::new();
        for (key, notice) in known().filter(|(_, notice)| notice.flow == CORRECTION) {
            if let Some(corrected) = notice.answers.as_ref().filter(|corrected| Some(*corrected) != without) {
                let number = notice.particulars().replaced_by.clone();
                corrects.entry(NoticeKey { side: key.side.clone(), number }).or_default().push(corrected);
            }
        }
        let mut told = Self { course, without, first: first(course, &corrects), revocations: Vec::new() };
        let revoking = known().filter(|(_, notice)| is_revocation(notice));
        told.revocations = revoking.flat_map(|(key, notice)| told.revoked(key, notice)).collect();
        // Those that were said at once, by the numbers of their notices.
        told.revocations.sort_by(|a, b| (a.order, &a.by).cmp(&(b.order, &b.by)));
        told
    }

    fn revoked(&self, key: &NoticeKey, notice: &Docketed) -> Vec<Revocation> {
        let Some(from) = civil::day(&notice.particulars().effective) else { return Vec::new() };
        let order = self.said(key, notice).order;
        let numbers = notice.particulars().organisations.iter().map(|organisation| organisation.number.clone());
        numbers.map(|number| Revocation { number, by: key.clone(), from, order }).collect()
    }

    fn said(&self, key: &NoticeKey, notice: &Docketed) -> Said {
        let particulars = notice.particulars();
        let day = civil::day(&particulars.as_of).or_else(|| civil::day(&particulars.effective));
        // Who corrects says the same once more, and no later than before.
        Said { day, order: self.first.get(key).copied().unwrap_or(notice.order) }
    }

    /// Every revocation that both sides know, corrected ones too, in the order in which they were said first.
    pub fn revocations(&self) -> &[Revocation] {
        &self.revocations
    }

    /// Those of some revocations, each with something beside it, that show on what another notice says of organisations.
    pub fn showing_on<'r, T>(
        &self,
        about: &'r NoticeKey,
        revocations: &'r [(Revocation, T)],
    ) -> impl Iterator<Item = &'r (Revocation, T)> {
        let told = self.course.get(about).filter(|told| !is_revocation(told));
        let said = told.map(|told| self.said(about, told));
        let shows = move |of: &Revocation| of.by.side == about.side && said.is_some_and(|said| said.is_revoked_by(of));
        revocations.iter().filter(move |(of, _)| shows(of))
    }

    /// All organisations that are listed, by side and number. What was corrected or not delivered does not count.
    pub fn organisations(&self) -> Vec<Organisation> {
        let counts = |key: &NoticeKey, notice: &Docketed| {
            notice.delivered_ms.is_some() && !self.course.is_superseded(key) && Some(key) != self.without
        };
        // An empty list is legitimate: it says that there is none.
        let names = |notice: &Docketed| !notice.particulars().organisations.is_empty() || is_full_list(notice);
        let told = self
            .course
            .notices()
            .filter(|(key, notice)| names(notice) && !is_revocation(notice) && counts(key, notice));
        let told: Vec<_> = told.map(|(key, notice)| ((self.said(key, notice), key), notice)).collect();
        // A full list replaces the last: of an earlier day it says nothing of later ones, whenever it comes.
        let mut last: HashMap<&str, At<'_>> = HashMap::new();
        for (at, _) in told.iter().filter(|(_, notice)| is_full_list(notice)) {
            let known = last.entry(&at.1.side).or_insert(*at);
            *known = (*known).max(*at);
        }
        let is_left = |at: At<'_>, notice: &Docketed| {
            last.get(at.1.side.as_str()).is_none_or(|list| {
                // Who approves after the list was sent adds to it, whatever day he writes.
                let adds = notice.flow == SENDING_ORG_APPROVED && at.0.order > list.0.order;
                at >= *list || adds
            })
        };
        let mut listed: BTreeMap<(String, String), (At<'_>, Organisation)> = BTreeMap::new();
        for (at, notice) in told.into_iter().filter(|(at, notice)| is_left(*at, notice)) {
            for organisation in &notice.particulars().organisations {
                let place = (at.1.side.clone(), organisation.number.clone());
                if listed.get(&place).is_some_and(|(known, _)| *known > at) {
                    continue;
                }
                let entry = Organisation {
                    side: at.1.side.clone(),
                    number: organisation.number.clone(),
                    status: organisation.status.clone(),
                    listed_in: at.1.clone(),
                    flow: notice.flow.clone(),
                    revoked: None,
                };
                listed.insert(place, (at, entry));
            }
        }
        for revocation in &self.revocations {
            let place = (revocation.by.side.clone(), revocation.number.clone());
            if let Some(((said, _), entry)) = listed.get_mut(&place)
                && said.is_revoked_by(revocation)
                && self.course.get(&revocation.by).is_some_and(|notice| counts(&revocation.by, notice))
            {
                entry.revoked = Some((revocation.by.clone(), revocation.from));
            }
        }
        listed.into_values().map(|(_, entry)| entry).collect()
    }
}

/// The place at which what a notice says was said first, of each that took the place of others.
fn first(course: &Course, corrects: &HashMap<NoticeKey, Vec<&NoticeKey>>) -> HashMap<NoticeKey, u64> {
    let mut first: HashMap<NoticeKey, u64> = HashMap::new();
    for key in corrects.keys() {
        // Each before those that it waits for; where they go in a circle each is looked at once.
        let (mut open, mut seen) = (vec![(key, false)], HashSet::from([key]));
        while let Some((at, is_done)) = open.pop() {
            let before = corrects.get(at).map(Vec::as_slice).unwrap_or_default();
            if is_done {
                let own = course.get(at).map(|notice| notice.order);
                let earlier = before
                    .iter()
                    .filter_map(|key| first.get(*key).copied().or_else(|| course.get(key).map(|notice| notice.order)));
                let order = own.into_iter().chain(earlier).min().unwrap_or_default();
                first.insert(at.clone(), order);
            } else if !first.contains_key(at) {
                open.push((at, true));
                open.extend(before.iter().filter(|key| seen.insert(**key)).map(|key| (*key, false)));
            }
        }
    }
    first
}

fn is_revocation(notice: &Docketed) -> bool {
    REVOKED.contains(&notice.flow.as_str())
}

/// Whether a notice is a list of everything there is.
pub(crate) fn is_full_list(notice: &Docketed) -> bool {
    LISTS.contains(&notice.flow.as_str()) && notice.particulars().complete == Some(true)
}
