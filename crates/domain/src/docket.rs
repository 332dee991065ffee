//! The docket of each memorandum: which notices both sides know, what answers what, since when and until when it is in force.
//! Rules that need state ask it; it is made of accepted notices alone, so a replay makes the same one.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use time::Date;
use verbale_proto::v1::Particulars;

use crate::flow::{CONSENT_WITHDRAW, CORRECTION};
use crate::memorandum::{CommencesOn, Memorandum};
use crate::organisations::is_full_list;

/// What is about an earlier notice of its own sender.
pub(crate) const OF_ITS_SENDER: [&str; 2] = [CONSENT_WITHDRAW, CORRECTION];

/// Full lists of one side and kind whose rows are kept in memory.
const LISTS_KEPT: usize = 8;

/// A notice by the side that sent it and its registry number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NoticeKey {
    /// The side.
    pub side: String,
    /// The registry number.
    pub number: String,
}

/// What the docket keeps of an accepted notice.
#[derive(Clone)]
pub struct Docketed {
    /// Its flow.
    pub flow: String,
    /// What it answers.
    pub answers: Option<NoticeKey>,
    /// What its body says; most kinds say nothing here, and a docket holds many.
    particulars: Option<Box<Particulars>>,
    /// When it was accepted, in milliseconds since 1970-01-01 UTC.
    pub since_ms: i64,
    /// Its place among all notices of the course, in the order of the log: that of one side's notices is the same on both sides.
    pub(crate) order: u64,
    /// When both sides knew it, likewise; `None` while the receipt for a sent one is not held.
    pub delivered_ms: Option<i64>,
    /// When it was handed over to the own people or system, likewise.
    pub handed_over_ms: Option<i64>,
}

/// An accepted notice on its way into the docket.
pub struct Entered {
    /// Its flow.
    pub flow: String,
    /// The registry number of what it answers.
    pub correlates_to: Option<String>,
    /// What its body says.
    pub particulars: Particulars,
    /// When it was accepted, in milliseconds since 1970-01-01 UTC.
    pub since_ms: i64,
    /// Whether the other side knows it already.
    pub known_to_both: bool,
}

/// Of a body that says nothing that rules or duties ask for.
static NO_PARTICULARS: Particulars = Particulars {
    about: String::new(),
    fields: Vec::new(),
    audience_class: String::new(),
    audience_name: String::new(),
    purpose: String::new(),
    valid_from: String::new(),
    valid_to: String::new(),
    effective: String::new(),
    received_on: String::new(),
    not_before: String::new(),
    complete: None,
    outcome: String::new(),
    wanted_by: String::new(),
    as_of: String::new(),
    delta_from: String::new(),
    conditions: Vec::new(),
    organisations: Vec::new(),
    replaced_by: String::new(),
    concurrence: String::new(),
};

/// A day that a line of an offline check sets, or takes away.
#[derive(Clone, Copy, Default)]
pub(crate) enum Supposed {
    /// It says nothing of it.
    #[default]
    Nothing,
    /// There is none.
    NoDay,
    /// It is this one.
    Day(Date),
}

impl Supposed {
    /// What holds where this is what is known otherwise.
    pub(crate) fn or(self, known: Option<Date>) -> Option<Date> {
        match self {
            Self::Nothing => known,
            Self::NoDay => None,
            Self::Day(day) => Some(day),
        }
    }
}

/// The course of one memorandum.
#[derive(Clone, Default)]
pub struct Course {
    /// The recorded day of commencement, where it depends on a receipt.
    pub commenced: Option<Date>,
    /// The day, or that there is none, which a line of an offline check says for itself alone, whatever the text says.
    pub(crate) supposed: Supposed,
    /// When that day was recorded, in milliseconds since 1970-01-01 UTC.
    pub commenced_ms: Option<i64>,
    /// The last day in force.
    pub ends: Option<Date>,
    notices: HashMap<NoticeKey, Docketed>,
    /// How many notices were entered.
    entered: u64,
    /// Sides that ever sent a notice.
    sides: BTreeSet<String>,
    answers: HashMap<NoticeKey, Vec<NoticeKey>>,
    /// Days that full lists or deltas describe, by side and flow: what a delta may continue.
    lists: HashSet<(String, String, String)>,
}

/// The courses of all memoranda.
#[derive(Clone, Default)]
pub struct Docket(BTreeMap<String, Course>);

impl Docket {
    /// The course of a memorandum; an empty one when nothing happened under it.
    pub fn course(&self, memorandum: &str) -> Option<&Course> {
        self.0.get(memorandum)
    }

    /// The same, to be changed.
    pub fn course_mut(&mut self, memorandum: &str) -> &mut Course {
        self.0.entry(memorandum.to_owned()).or_default()
    }

    /// Takes an accepted notice. What it begins or ends is said apart: [`Course::commenced`], [`Course::end`].
    pub fn enter(&mut self, memorandum: &str, key: NoticeKey, entered: Entered) {
        let Entered { flow, correlates_to, particulars, since_ms, known_to_both } = entered;
        let course = self.course_mut(memorandum);
        let answers = correlates_to.and_then(|number| course.answered(&key.side, &flow, &number)).map(|(key, _)| key);
        if let Some(answered) = &answers {
            course.answers.entry(answered.clone()).or_default().push(key.clone());
        }
        course.sides.insert(key.side.clone());
        // What is neither whole nor continues a list is nothing that a delta could continue.
        if !particulars.as_of.is_empty() && (particulars.complete != Some(false) || !particulars.delta_from.is_empty())
        {
            course.lists.insert((key.side.clone(), flow.clone(), particulars.as_of.clone()));
        }
        let particulars = (particulars != NO_PARTICULARS).then(|| Box::new(particulars));
        let delivered_ms = known_to_both.then_some(since_ms);
        course.entered += 1;
        let order = course.entered;
        let docketed = Docketed { flow, answers, particulars, since_ms, order, delivered_ms, handed_over_ms: None };
        let list = (known_to_both && is_full_list(&docketed)).then(|| key.clone());
        course.notices.insert(key, docketed);
        if let Some(list) = list {
            course.forget_older_lists(&list);
        }
    }

    /// Notes that the counterpart has received a notice that this node sent.
    pub fn delivered(&mut self, memorandum: &str, key: &NoticeKey, at_ms: i64) {
        let Some(course) = self.0.get_mut(memorandum) else { return };
        if let Some(docketed) = course.notices.get_mut(key) {
            docketed.delivered_ms = Some(at_ms);
        }
        course.forget_older_lists(key);
    }

    /// Notes that a received notice was handed over to the own people or system.
    pub fn handed_over(&mut self, memorandum: &str, key: &NoticeKey, at_ms: i64) {
        if let Some(docketed) = self.0.get_mut(memorandum).and_then(|course| course.notices.get_mut(key)) {
            docketed.handed_over_ms = Some(at_ms);
        }
    }

    /// Takes a notice out whose content was erased: its answers stand for themselves from here on, as after a start without its facts.
    pub fn erase(&mut self, memorandum: &str, key: &NoticeKey) {
        self.strike(memorandum, key);
        let Some(course) = self.0.get_mut(memorandum) else { return };
        for answer in course.answers.remove(key).unwrap_or_default() {
            if let Some(docketed) = course.notices.get_mut(&answer) {
                docketed.answers = None;
            }
        }
    }

    /// Takes a notice out again: the counterpart refused it, so it does not know it.
    pub fn strike(&mut self, memorandum: &str, key: &NoticeKey) {
        let Some(course) = self.0.get_mut(memorandum) else { return };
        let Some(struck) = course.notices.remove(key) else { return };
        let as_of = &struck.particulars().as_of;
        let same_list = |(other, docketed): (&NoticeKey, &Docketed)| {
            (&other.side, &docketed.flow, &docketed.particulars().as_of) == (&key.side, &struck.flow, as_of)
        };
        if !as_of.is_empty() && !course.notices.iter().any(same_list) {
            course.lists.remove(&(key.side.clone(), struck.flow.clone(), as_of.clone()));
        }
        if let Some(answers) = struck.answers.and_then(|answered| course.answers.get_mut(&answered)) {
            answers.retain(|answer| answer != key);
        }
    }
}

impl Docketed {
    /// What its body says.
    pub fn particulars(&self) -> &Particulars {
        self.particulars.as_deref().unwrap_or(&NO_PARTICULARS)
    }
}

impl Course {
    /// A course of which only begin and end are known.
    pub fn between(commenced: Option<Date>, ends: Option<Date>) -> Self {
        Self { commenced, ends, ..Self::default() }
    }

    /// A full list that both sides know replaces the last: the rows of those that were corrected, or are older than [`LISTS_KEPT`] others, are not
    /// kept in memory. An older one counts again when a later one is corrected by one of a day before it.
    fn forget_older_lists(&mut self, key: &NoticeKey) {
        let Some(list) = self.notices.get(key).filter(|list| is_full_list(list)) else { return };
        let is_like = |(other, docketed): &(&NoticeKey, &Docketed)| {
            other.side == key.side
                && docketed.flow == list.flow
                && is_full_list(docketed)
                && docketed.delivered_ms.is_some()
        };
        let lists: Vec<(NoticeKey, Option<String>)> = (self.notices.iter().filter(is_like))
            .map(|(other, docketed)| {
                let counts = !self.is_superseded(other);
                (other.clone(), counts.then(|| docketed.particulars().as_of.clone()))
            })
            .collect();
        let mut days: Vec<&String> = lists.iter().filter_map(|(_, day)| day.as_ref()).collect();
        days.sort();
        let first = days.iter().rev().nth(LISTS_KEPT - 1).map(|day| (*day).clone()).unwrap_or_default();
        for (other, _) in lists.iter().filter(|(_, day)| day.as_ref().is_none_or(|day| *day < first)) {
            if let Some(particulars) = self.notices.get_mut(other).and_then(|docketed| docketed.particulars.as_mut()) {
                particulars.organisations = Vec::new();
            }
        }
    }

    /// Whether another notice took the place of one, by a correction that both sides know.
    pub fn is_superseded(&self, key: &NoticeKey) -> bool {
        self.replaced_by(key).is_some()
    }

    /// The number of the notice that took the place of one, by the last correction that both sides know.
    pub fn replaced_by(&self, key: &NoticeKey) -> Option<String> {
        let corrections =
            self.answers_to(key).filter(|(_, answer)| answer.flow == CORRECTION && answer.delivered_ms.is_some());
        let numbers = corrections.map(|(_, answer)| answer.particulars().replaced_by.clone());
        numbers.filter(|number| *number != key.number).last()
    }

    /// Whether corrections lead from one notice to another.
    pub(crate) fn leads_to(&self, from: &NoticeKey, to: &NoticeKey) -> bool {
        let (mut seen, mut at) = (HashSet::new(), from.clone());
        while seen.insert(at.clone()) {
            let Some(number) = self.replaced_by(&at) else { return false };
            at = NoticeKey { side: at.side, number };
            if at == *to {
                return true;
            }
        }
        false
    }

    /// The notice that a number means in a notice of a flow that a side sends: the other side's, else its own. What is about a notice of
    /// its sender, a withdrawal or a correction, means its own first: nobody takes it from him by using the number too.
    pub fn answered(&self, side: &str, flow: &str, number: &str) -> Option<(NoticeKey, &Docketed)> {
        let of = |side: &str| {
            let key = NoticeKey { side: side.to_owned(), number: number.to_owned() };
            self.notices.get(&key).map(|docketed| (key, docketed))
        };
        let own = || of(side);
        let others = || self.sides.iter().filter(|other| *other != side).find_map(|other| of(other));
        if OF_ITS_SENDER.contains(&flow) { own().or_else(others) } else { others().or_else(own) }
    }

    /// The answers to a notice, in the order in which they were accepted.
    pub fn answers_to(&self, key: &NoticeKey) -> impl Iterator<Item = (&NoticeKey, &Docketed)> {
        let answers = self.answers.get(key).into_iter().flatten();
        answers.filter_map(|answer| self.notices.get_key_value(answer))
    }

    /// Whether a list of this day is known.
    pub fn knows_list(&self, side: &str, flow: &str, as_of: &str) -> bool {
        self.lists.contains(&(side.to_owned(), flow.to_owned(), as_of.to_owned()))
    }

    /// One notice.
    pub fn get(&self, key: &NoticeKey) -> Option<&Docketed> {
        self.notices.get(key)
    }

    /// All notices.
    pub fn notices(&self) -> impl Iterator<Item = (&NoticeKey, &Docketed)> {
        self.notices.iter()
    }

    /// Since when the memorandum is in force; `None` when no day is recorded though one must be.
    pub fn in_force_since(&self, memorandum: &Memorandum) -> Option<Option<Date>> {
        match self.supposed {
            Supposed::Nothing => {}
            Supposed::NoDay => return None,
            Supposed::Day(day) => return Some(Some(day)),
        }
        match memorandum.commences() {
            CommencesOn::Day(day) => Some(Some(day)),
            CommencesOn::Receipt => self.commenced.map(Some),
            CommencesOn::NotVerified => Some(self.commenced),
        }
    }

    /// Notes the last day in force. The earliest end holds.
    pub fn end(&mut self, on: Date) {
        self.ends = Some(self.ends.map_or(on, |earlier| earlier.min(on)));
    }
}
