//! Duties over time, what a refused list leaves behind, and which organisations are listed, without a node.

#![expect(clippy::unwrap_used, reason = "a test")]

use verbale_domain::{Docket, Duty, DutyItem, Entered, Memoranda, NoticeKey, Told, civil, duties};
use verbale_proto::v1::{ListedOrganisation, Particulars};

const MEMORANDUM: &str = "JP-KG-SSW-2023";

fn key(side: &str, number: &str) -> NoticeKey {
    NoticeKey { side: side.to_owned(), number: number.to_owned() }
}

fn enter(docket: &mut Docket, key: NoticeKey, flow: &str, at: &str, (answers, particulars): (&str, Particulars)) {
    let entered = Entered {
        flow: flow.to_owned(),
        correlates_to: Some(answers.to_owned()).filter(|number| !number.is_empty()),
        particulars,
        since_ms: civil::moment_ms(at).unwrap(),
        known_to_both: true,
    };
    docket.enter(MEMORANDUM, key, entered);
}

fn the(duty: Duty, docket: &Docket, today: &str) -> DutyItem {
    let memoranda = Memoranda::parse(Memoranda::shipped().iter().copied()).unwrap();
    let course = docket.course(MEMORANDUM).unwrap();
    let all = duties(
        memoranda.get(MEMORANDUM).unwrap(),
        course,
        civil::start_ms(civil::day(today).unwrap(), time::UtcOffset::UTC),
    );
    all.into_iter().find(|item| item.duty == duty && item.owed_by == "JP").unwrap()
}

#[test]
fn a_duty_that_a_correction_reopens_is_reminded_of_from_then_on() {
    let mut docket = Docket::default();
    let none = Particulars::default;
    enter(&mut docket, key("KG", "1"), "F01", "2026-01-10T12:00:00+09:00", ("", none()));
    enter(&mut docket, key("JP", "J1"), "S02", "2026-01-11T12:00:00+09:00", ("1", none()));
    assert!(the(Duty::Publish, &docket, "2026-01-12").closed_ms.is_some());
    enter(&mut docket, key("KG", "2"), "S03", "2026-06-01T12:00:00+09:00", ("1", none()));
    let open = the(Duty::Publish, &docket, "2026-06-02");
    assert_eq!((open.closed_ms, open.since_ms), (None, civil::moment_ms("2026-06-01T12:00:00+09:00").unwrap()));
    assert_eq!(open.remind_on, civil::day("2026-06-15"), "14 days after the correction");
}

#[test]
fn the_conditions_of_a_grant_close_when_its_last_day_ends() {
    let mut docket = Docket::default();
    let asked = Particulars::default();
    enter(&mut docket, key("JP", "1"), "F20", "2026-01-10T12:00:00+09:00", ("", asked));
    let granted = Particulars {
        about: "K".to_owned(),
        fields: vec!["title".to_owned()],
        audience_class: "COURT".to_owned(),
        audience_name: "A Court".to_owned(),
        purpose: "a trial".to_owned(),
        conditions: vec!["keep".to_owned()],
        valid_from: "2026-01-01".to_owned(),
        valid_to: "2026-03-31".to_owned(),
        ..Particulars::default()
    };
    enter(&mut docket, key("KG", "1"), "F21", "2026-01-12T12:00:00+09:00", ("1", granted));
    let closed = |docket: &Docket, today: &str| the(Duty::Conditions, docket, today).closed_ms;
    assert_eq!(closed(&docket, "2026-03-31"), None);
    // Whole days at who granted it.
    assert_eq!(closed(&docket, "2026-04-01"), civil::moment_ms("2026-04-01T00:00:00+06:00"));
    // Whoever has it in the own system uses it still.
    docket.handed_over(MEMORANDUM, &key("KG", "1"), civil::moment_ms("2026-01-13T12:00:00+09:00").unwrap());
    assert_eq!(closed(&docket, "2026-02-01"), None);
    // A withdrawal closes them once it binds, and not when it is announced.
    let withdrawn = Particulars { effective: "2026-02-15T00:00:00+06:00".to_owned(), ..Particulars::default() };
    enter(&mut docket, key("KG", "2"), "F23", "2026-01-20T12:00:00+09:00", ("1", withdrawn));
    assert_eq!(closed(&docket, "2026-02-14"), None);
    assert_eq!(closed(&docket, "2026-02-15"), civil::moment_ms("2026-02-15T00:00:00+06:00"));
}

#[test]
fn what_took_the_place_of_a_notice_is_published_instead() {
    let mut docket = Docket::default();
    let none = Particulars::default;
    let closed = |docket: &Docket| the(Duty::Publish, docket, "2026-06-05").closed_ms;
    enter(&mut docket, key("KG", "1"), "F01", "2026-01-10T12:00:00+09:00", ("", none()));
    enter(&mut docket, key("JP", "J1"), "S02", "2026-01-11T12:00:00+09:00", ("1", none()));
    let correction = || Particulars { replaced_by: "2".to_owned(), ..none() };
    // The place of nothing is taken by what nobody knows.
    enter(&mut docket, key("KG", "2"), "F01", "2026-05-31T12:00:00+09:00", ("", none()));
    enter(&mut docket, key("KG", "3"), "S03", "2026-06-01T12:00:00+09:00", ("1", correction()));
    assert_eq!(closed(&docket), None);
    let memoranda = Memoranda::parse(Memoranda::shipped().iter().copied()).unwrap();
    let of = |docket: &Docket, number: &str| {
        let (course, today) = (docket.course(MEMORANDUM).unwrap(), civil::moment_ms("2026-06-05T00:00:00Z").unwrap());
        let all = duties(memoranda.get(MEMORANDUM).unwrap(), course, today);
        let is_it = |item: &DutyItem| item.about.number == number && item.owed_by == "JP";
        all.into_iter().find(is_it).unwrap()
    };
    assert!(of(&docket, "1").closes_by.contains("publish 2"), "{}", of(&docket, "1").closes_by);
    enter(&mut docket, key("JP", "J2"), "S02", "2026-06-02T12:00:00+09:00", ("2", none()));
    for number in ["1", "2"] {
        assert_eq!(of(&docket, number).closed_ms, civil::moment_ms("2026-06-02T12:00:00+09:00"), "{number}");
    }
}

#[test]
fn corrections_that_go_in_a_circle_or_are_many_give_an_answer() {
    let none = Particulars::default;
    let memoranda = Memoranda::parse(Memoranda::shipped().iter().copied()).unwrap();
    let replaced = |docket: &mut Docket, from: usize, to: usize| {
        let correction = Particulars { replaced_by: to.to_string(), ..none() };
        let (number, from) = (format!("S{from}"), from.to_string());
        enter(docket, key("KG", &number), "S03", "2026-02-01T12:00:00+06:00", (&from, correction));
    };
    // Logs may hold what the rules refuse by now. Of a long chain each is looked at once.
    for (length, is_circle) in [(2, true), (3, true), (20_000, false)] {
        let mut docket = Docket::default();
        for number in 0..length {
            enter(&mut docket, key("KG", &number.to_string()), "F01", "2026-01-10T12:00:00+06:00", ("", none()));
        }
        for number in 0..length - 1 {
            replaced(&mut docket, number, number + 1);
        }
        if is_circle {
            replaced(&mut docket, length - 1, 0);
        }
        let course = docket.course(MEMORANDUM).unwrap();
        let all = duties(memoranda.get(MEMORANDUM).unwrap(), course, civil::moment_ms("2026-06-05T00:00:00Z").unwrap());
        assert_eq!(all.len(), 2 * length);
        assert!(all.iter().all(|item| item.closed_ms.is_none()));
        let first = all.iter().find(|item| item.about.number == "0").unwrap();
        assert!(first.closes_by.contains(&format!("publish {},", length - 1)), "{}", first.closes_by);
    }
}

#[test]
fn a_duty_to_answer_is_closed_by_the_answer_that_it_asks_for_and_by_nothing_else() {
    let mut docket = Docket::default();
    let none = Particulars::default;
    let acknowledged = civil::moment_ms("2026-01-11T12:00:00+09:00").unwrap();
    let memoranda = Memoranda::parse(Memoranda::shipped().iter().copied()).unwrap();
    let closed = |docket: &Docket, number: &str| {
        let (course, today) = (docket.course(MEMORANDUM).unwrap(), civil::moment_ms("2026-06-05T00:00:00Z").unwrap());
        let all = duties(memoranda.get(MEMORANDUM).unwrap(), course, today);
        all.into_iter().find(|item| item.about.number == number).unwrap().closed_ms
    };
    // A consultation that was asked for ends in a record, one about a review where people say that they held it.
    for (number, flow) in [("C", "F18"), ("R", "F31")] {
        enter(&mut docket, key("KG", number), flow, "2026-01-10T12:00:00+09:00", ("", none()));
        docket.handed_over(MEMORANDUM, &key("KG", number), acknowledged);
    }
    assert_eq!((closed(&docket, "C"), closed(&docket, "R")), (None, Some(acknowledged)));
    enter(&mut docket, key("JP", "J1"), "F19", "2026-01-12T12:00:00+09:00", ("C", none()));
    assert_eq!(closed(&docket, "C"), civil::moment_ms("2026-01-12T12:00:00+09:00"));
    // A revocation may follow an order to investigate, and is no report of it.
    enter(&mut docket, key("JP", "J2"), "F11", "2026-02-01T12:00:00+09:00", ("", none()));
    enter(&mut docket, key("KG", "V"), "F03", "2026-02-02T12:00:00+09:00", ("J2", none()));
    assert_eq!(closed(&docket, "J2"), None);
    enter(&mut docket, key("KG", "W"), "F12", "2026-02-03T12:00:00+09:00", ("J2", none()));
    assert_eq!(closed(&docket, "J2"), civil::moment_ms("2026-02-03T12:00:00+09:00"));
}

#[test]
fn a_list_that_the_counterpart_refused_is_none_that_a_delta_continues() {
    let mut docket = Docket::default();
    let list = || Particulars { as_of: "2026-01-31".to_owned(), ..Particulars::default() };
    let knows = |docket: &Docket| docket.course(MEMORANDUM).unwrap().knows_list("KG", "F02", "2026-01-31");
    enter(&mut docket, key("KG", "1"), "F02", "2026-02-01T12:00:00+06:00", ("", list()));
    enter(&mut docket, key("KG", "2"), "F02", "2026-02-02T12:00:00+06:00", ("", list()));
    docket.strike(MEMORANDUM, &key("KG", "1"));
    assert!(knows(&docket), "another notice with the list is there");
    docket.strike(MEMORANDUM, &key("KG", "2"));
    assert!(!knows(&docket));
}

fn listing(numbers: &[&str], status: &str, as_of: &str, effective: &str) -> Particulars {
    let of = |number: &&str| ListedOrganisation { number: (*number).to_owned(), status: status.to_owned() };
    let (as_of, effective) = (as_of.to_owned(), effective.to_owned());
    let complete = (!as_of.is_empty()).then_some(true);
    Particulars {
        organisations: numbers.iter().map(of).collect(),
        as_of,
        effective,
        complete,
        ..Particulars::default()
    }
}

#[test]
fn a_revocation_marks_what_is_listed_and_a_full_list_replaces_the_last() {
    let mut docket = Docket::default();
    let marked = |docket: &Docket, today: &str| -> Vec<(String, bool)> {
        let all = Told::new(docket.course(MEMORANDUM).unwrap()).organisations();
        all.iter().map(|of| (of.number.clone(), of.is_revoked(civil::day(today).unwrap()))).collect()
    };
    let of = |number: &str, revoked| (number.to_owned(), revoked);
    let list = |numbers: &[&str], as_of| listing(numbers, "APPROVED", as_of, "");
    enter(&mut docket, key("KG", "1"), "F02", "2026-02-01T12:00:00+06:00", ("", list(&["A", "B"], "2026-01-31")));
    enter(&mut docket, key("KG", "2"), "F01", "2026-02-02T12:00:00+06:00", ("", listing(&["C"], "APPROVED", "", "")));
    let revoked = listing(&["B"], "REVOKED", "", "2026-03-01");
    enter(&mut docket, key("KG", "3"), "F03", "2026-02-03T12:00:00+06:00", ("", revoked));
    // Marked from the day on which it has effect, and not before.
    assert_eq!(marked(&docket, "2026-02-28"), [of("A", false), of("B", false), of("C", false)]);
    assert_eq!(marked(&docket, "2026-03-01"), [of("A", false), of("B", true), of("C", false)]);
    // A list of a day before that does not lift the mark; one of a later day says itself what is approved.
    enter(&mut docket, key("KG", "4"), "F02", "2026-03-02T12:00:00+06:00", ("", list(&["B", "C"], "2026-02-28")));
    assert_eq!(marked(&docket, "2026-03-02"), [of("B", true), of("C", false)]);
    enter(&mut docket, key("KG", "5"), "F02", "2026-04-02T12:00:00+06:00", ("", list(&["B"], "2026-04-01")));
    assert_eq!(marked(&docket, "2026-04-02"), [of("B", false)]);
    // A list of an earlier day that comes late replaces nothing; one that was replaced does not count, one that stays does.
    let corrected = |by: &str| Particulars { replaced_by: by.to_owned(), ..Particulars::default() };
    enter(&mut docket, key("KG", "C"), "S03", "2026-04-02T12:00:01+06:00", ("5", corrected("5")));
    enter(&mut docket, key("KG", "6"), "F02", "2026-04-03T12:00:00+06:00", ("", list(&["A"], "2026-03-15")));
    assert_eq!(marked(&docket, "2026-04-03"), [of("B", false)]);
    enter(&mut docket, key("KG", "7"), "F02", "2026-04-04T12:00:00+06:00", ("", list(&["D"], "2026-04-01")));
    enter(&mut docket, key("KG", "8"), "S03", "2026-04-04T12:00:01+06:00", ("7", corrected("9")));
    assert_eq!(marked(&docket, "2026-04-05"), [of("B", false)]);
}

/// One notice after the other, all of one millisecond: what comes in one batch has one.
#[derive(Default)]
struct Registry {
    docket: Docket,
}

impl Registry {
    const AT: &str = "2026-07-01T12:00:00+06:00";

    fn enter(&mut self, number: &str, flow: &str, said: Particulars) {
        enter(&mut self.docket, key("KG", number), flow, Self::AT, ("", said));
    }

    fn correct(&mut self, number: &str, by: &str) {
        let said = Particulars { replaced_by: by.to_owned(), ..Particulars::default() };
        enter(&mut self.docket, key("KG", &format!("{number}-S")), "S03", Self::AT, (number, said));
    }

    /// Number, the notice that lists it, and the one that revokes it.
    fn shown(&self) -> Vec<(String, String, Option<String>)> {
        let all = Told::new(self.docket.course(MEMORANDUM).unwrap()).organisations();
        all.into_iter().map(|of| (of.number, of.listed_in.number, of.revoked.map(|(by, _)| by.number))).collect()
    }
}

#[test]
fn the_day_that_a_notice_describes_decides_and_a_correction_is_no_newer_than_what_it_corrects() {
    let shown =
        |number: &str, by: &str, revoked: Option<&str>| (number.to_owned(), by.to_owned(), revoked.map(str::to_owned));
    let list = |numbers: &[&str], as_of: &str| listing(numbers, "APPROVED", as_of, "");
    let approved = |number: &str, on| listing(&[number], "APPROVED", "", on);
    let revoked = |number: &str, from| listing(&[number], "REVOKED", "", from);
    let mut of = Registry::default();
    of.enter("A", "F01", approved("1", "2026-01-05"));
    of.enter("R", "F03", revoked("1", "2026-02-02"));
    // The same approval once more, in a correction or late, does not lift what came after it.
    of.enter("B", "F01", approved("1", "2026-01-05"));
    of.correct("A", "B");
    assert_eq!(of.shown(), [shown("1", "B", Some("R"))]);
    of.enter("C", "F01", approved("1", "2026-02-01"));
    assert_eq!(of.shown(), [shown("1", "C", Some("R"))]);
    // One of a later day does, and a correction of the revocation changes nothing about that.
    of.enter("D", "F01", approved("1", "2026-02-03"));
    of.correct("C", "D");
    of.enter("R2", "F03", revoked("1", "2026-02-02"));
    of.correct("R", "R2");
    assert_eq!(of.shown(), [shown("1", "D", None)], "approved anew, after the revocation had effect");
    // A list of an earlier day takes away nothing that was approved after it, and drops what it does not have.
    of.enter("E", "F01", approved("2", "2026-06-20"));
    of.enter("L1", "F02", list(&["3"], "2026-06-18"));
    assert_eq!(of.shown(), [shown("2", "E", None), shown("3", "L1", None)]);
    // An approval that comes after the list adds to it, and one that the list dropped does not come back by a correction.
    of.enter("F", "F01", approved("4", "2026-06-01"));
    of.enter("G", "F01", approved("1", "2026-02-03"));
    of.correct("D", "G");
    assert_eq!(of.shown(), [shown("2", "E", None), shown("3", "L1", None), shown("4", "F", None)]);
    // A later list that is corrected by the one before it leaves that one, with its rows.
    of.enter("L2", "F02", list(&["9"], "2026-06-25"));
    assert_eq!(of.shown(), [shown("9", "L2", None)]);
    of.correct("L2", "L1");
    assert_eq!(of.shown(), [shown("2", "E", None), shown("3", "L1", None), shown("4", "F", None)]);
    // The rows of older lists are there as far back as a correction may lead.
    for day in 1..8 {
        let as_of = format!("2026-06-2{day}");
        of.enter(&format!("M{day}"), "F02", list(&["9"], &as_of));
    }
    for day in (1..8).rev() {
        of.correct(&format!("M{day}"), "L1");
    }
    assert_eq!(of.shown(), [shown("2", "E", None), shown("3", "L1", None), shown("4", "F", None)]);
}

#[test]
fn what_took_the_place_of_a_question_is_answered_instead_of_it() {
    let mut docket = Docket::default();
    let none = Particulars::default;
    enter(&mut docket, key("KG", "1"), "F07", "2026-02-01T12:00:00+06:00", ("", none()));
    enter(&mut docket, key("KG", "2"), "F07", "2026-02-02T12:00:00+06:00", ("", none()));
    let open = |docket: &Docket| {
        let memoranda = Memoranda::parse(Memoranda::shipped().iter().copied()).unwrap();
        let course = docket.course(MEMORANDUM).unwrap();
        let all = duties(memoranda.get(MEMORANDUM).unwrap(), course, i64::MAX);
        all.into_iter().filter(|item| item.closed_ms.is_none()).map(|item| item.about.number).collect::<Vec<_>>()
    };
    assert_eq!(open(&docket), ["1", "2"]);
    let correction = Particulars { replaced_by: "2".to_owned(), ..none() };
    enter(&mut docket, key("KG", "S"), "S03", "2026-02-03T12:00:00+06:00", ("1", correction));
    assert_eq!(open(&docket), ["2"]);
    enter(&mut docket, key("JP", "A"), "F08", "2026-02-04T12:00:00+09:00", ("2", none()));
    assert!(open(&docket).is_empty());
}

#[test]
fn one_that_takes_the_place_of_two_is_as_old_as_the_older() {
    // Many times: what goes by the order of a table differs from one to the next.
    for _ in 0..20 {
        let mut of = Registry::default();
        let approved = |on| listing(&["1"], "APPROVED", "", on);
        of.enter("A", "F01", approved("2026-01-05"));
        of.enter("R", "F03", listing(&["1"], "REVOKED", "", "2026-02-02"));
        of.enter("C", "F01", approved("2026-03-01"));
        of.enter("B", "F01", approved("2026-03-01"));
        of.correct("A", "B");
        of.correct("C", "B");
        assert_eq!(of.shown(), [("1".to_owned(), "B".to_owned(), Some("R".to_owned()))]);
    }
}

#[test]
fn a_long_chain_of_corrections_is_read_once() {
    let mut of = Registry::default();
    of.enter("0", "F03", listing(&["1"], "REVOKED", "", "2026-02-02"));
    for number in 1..20_000 {
        of.enter(&number.to_string(), "F03", listing(&["1"], "REVOKED", "", "2026-02-02"));
        of.correct(&(number - 1).to_string(), &number.to_string());
    }
    of.enter("A", "F01", listing(&["1"], "APPROVED", "", "2026-01-05"));
    assert_eq!(of.shown(), [("1".to_owned(), "A".to_owned(), Some("19999".to_owned()))]);
}
