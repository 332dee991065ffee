//! What keeps a notice's content, without a node.

#![expect(clippy::unwrap_used, reason = "a test")]

use verbale_domain::{Docket, Entered, Memoranda, NoticeKey, civil, needed};
use verbale_proto::v1::{ListedOrganisation, Particulars};

const MEMORANDUM: &str = "JP-KG-SSW-2023";

fn key(side: &str, number: &str) -> NoticeKey {
    NoticeKey { side: side.to_owned(), number: number.to_owned() }
}

fn ms(text: &str) -> i64 {
    civil::moment_ms(text).unwrap()
}

fn enter(docket: &mut Docket, (side, number): (&str, &str), flow: &str, answers: &str, particulars: Particulars) {
    let entered = Entered {
        flow: flow.to_owned(),
        correlates_to: Some(answers.to_owned()).filter(|number| !number.is_empty()),
        particulars,
        since_ms: ms("2026-01-10T12:00:00+09:00"),
        known_to_both: true,
    };
    docket.enter(MEMORANDUM, key(side, number), entered);
}

/// Why a notice is needed at noon of a day; empty: it is not.
fn why(docket: &Docket, side: &str, number: &str, day: &str) -> String {
    let memoranda = Memoranda::parse(Memoranda::shipped().iter().copied()).unwrap();
    let course = docket.course(MEMORANDUM).unwrap();
    let at_ms = ms(&format!("{day}T12:00:00+09:00"));
    needed(memoranda.get(MEMORANDUM).unwrap(), course, &key(side, number), ("KG", at_ms)).unwrap_or_default()
}

fn scope() -> Particulars {
    Particulars {
        about: "K1".to_owned(),
        fields: vec!["*".to_owned()],
        audience_class: "GOVERNMENT_BODY".to_owned(),
        audience_name: "a body".to_owned(),
        purpose: "a purpose".to_owned(),
        ..Particulars::default()
    }
}

#[test]
fn an_inquiry_is_needed_until_it_is_answered_and_its_answer_until_the_inquiry_is_gone() {
    let mut docket = Docket::default();
    enter(&mut docket, ("KG", "K1"), "F07", "", Particulars::default());
    assert!(why(&docket, "KG", "K1", "2026-02-01").contains("open duty because of K1"));
    let part = Particulars { complete: Some(false), ..Particulars::default() };
    enter(&mut docket, ("JP", "J1"), "F08", "K1", part);
    assert!(why(&docket, "KG", "K1", "2026-02-01").contains("open duty"), "the answer is not complete");
    enter(&mut docket, ("JP", "J2"), "F08", "K1", Particulars { complete: Some(true), ..Particulars::default() });
    assert_eq!(why(&docket, "KG", "K1", "2026-02-01"), "");
    assert!(why(&docket, "JP", "J2", "2026-02-01").contains("erase K1 first"));
    docket.erase(MEMORANDUM, &key("KG", "K1"));
    for number in ["J1", "J2"] {
        assert_eq!(why(&docket, "JP", number, "2026-02-01"), "");
        assert!(docket.course(MEMORANDUM).unwrap().get(&key("JP", number)).unwrap().answers.is_none());
    }
}

#[test]
fn what_a_grant_is_about_is_needed_while_the_grant_may_be_used() {
    let mut docket = Docket::default();
    enter(&mut docket, ("KG", "K1"), "F14", "", Particulars::default());
    assert_eq!(why(&docket, "KG", "K1", "2026-02-01"), "");
    enter(&mut docket, ("JP", "J1"), "F20", "K1", scope());
    assert!(why(&docket, "KG", "K1", "2026-02-01").contains("open duty because of J1"), "nobody answered");
    let granted = Particulars { valid_from: "2026-01-01".to_owned(), valid_to: "2026-03-31".to_owned(), ..scope() };
    enter(&mut docket, ("KG", "K2"), "F21", "J1", granted);
    assert!(why(&docket, "KG", "K1", "2026-03-31").contains("the grant K2"));
    assert!(why(&docket, "JP", "J1", "2026-03-31").contains("erase K1 first"));
    // Over, or withdrawn.
    assert_eq!(why(&docket, "KG", "K1", "2026-04-02"), "");
    let withdrawn = Particulars { effective: "2026-02-01T00:00:00+06:00".to_owned(), ..Particulars::default() };
    enter(&mut docket, ("KG", "K3"), "F23", "K2", withdrawn);
    assert_eq!(why(&docket, "KG", "K1", "2026-03-01"), "");
    assert!(why(&docket, "KG", "K1", "2026-01-15").contains("the grant K2"), "it does not bind yet");
}

#[test]
fn an_open_dispute_keeps_what_it_is_about_and_one_about_nothing_in_particular_keeps_all() {
    let mut docket = Docket::default();
    enter(&mut docket, ("KG", "K1"), "F14", "", Particulars::default());
    enter(&mut docket, ("KG", "K2"), "F14", "", Particulars::default());
    enter(&mut docket, ("JP", "J1"), "F35", "K1", Particulars::default());
    assert!(why(&docket, "KG", "K1", "2026-02-01").contains("because of J1"));
    assert_eq!(why(&docket, "KG", "K2", "2026-02-01"), "");
    enter(&mut docket, ("JP", "J2"), "F35", "", Particulars::default());
    assert!(why(&docket, "KG", "K2", "2026-02-01").contains("the dispute J2"));
    for number in ["J1", "J2"] {
        docket.handed_over(MEMORANDUM, &key("JP", number), ms("2026-02-01T00:00:00+09:00"));
    }
    assert_eq!(why(&docket, "KG", "K1", "2026-02-02"), "");
    assert_eq!(why(&docket, "KG", "K2", "2026-02-02"), "");
}

#[test]
fn what_the_other_side_closes_without_a_notice_keeps_nothing_here() {
    let mut docket = Docket::default();
    enter(&mut docket, ("KG", "K1"), "F36", "", Particulars::default());
    assert_eq!(why(&docket, "KG", "K1", "2026-02-01"), "", "Japan acknowledges, and nobody here sees it");
    enter(&mut docket, ("JP", "J1"), "F36", "", Particulars::default());
    assert!(why(&docket, "JP", "J1", "2026-02-01").contains("KG has an open duty"));
    // A dispute of the own side is one until this side says that it consulted.
    enter(&mut docket, ("KG", "K2"), "F35", "", Particulars::default());
    assert!(why(&docket, "KG", "K1", "2026-02-01").contains("the dispute K2"));
    docket.handed_over(MEMORANDUM, &key("KG", "K2"), ms("2026-02-01T00:00:00+09:00"));
    assert_eq!(why(&docket, "KG", "K1", "2026-02-01"), "");
}

#[test]
fn what_the_register_shows_is_needed_until_a_later_list() {
    let mut docket = Docket::default();
    let listing = |numbers: &[&str], status: &str, as_of: &str, effective: &str| {
        let of = |number: &&str| ListedOrganisation { number: (*number).to_owned(), status: status.to_owned() };
        Particulars {
            organisations: numbers.iter().map(of).collect(),
            as_of: as_of.to_owned(),
            effective: effective.to_owned(),
            complete: (!as_of.is_empty()).then_some(true),
            ..Particulars::default()
        }
    };
    // Published by both, and so without an open duty.
    let published = |docket: &mut Docket, number: &str| {
        for side in ["JP", "KG"] {
            enter(docket, (side, &format!("{side}{number}")), "S02", number, Particulars::default());
        }
    };
    enter(&mut docket, ("KG", "K1"), "F02", "", listing(&["A", "B"], "APPROVED", "2026-01-31", ""));
    enter(&mut docket, ("KG", "K2"), "F03", "", listing(&["B"], "REVOKED", "", "2026-02-10"));
    enter(&mut docket, ("KG", "K3"), "F03", "", listing(&["Z"], "REVOKED", "", "2026-02-10"));
    for number in ["K1", "K2", "K3"] {
        published(&mut docket, number);
    }
    assert!(why(&docket, "KG", "K1", "2026-03-01").contains("the last list"));
    assert!(why(&docket, "KG", "K2", "2026-03-01").contains("the register shows"));
    assert!(
        why(&docket, "KG", "K3", "2026-03-01").contains("the register shows"),
        "a list of that time may still come"
    );
    enter(&mut docket, ("KG", "K4"), "F02", "", listing(&["A"], "APPROVED", "2026-02-28", ""));
    published(&mut docket, "K4");
    for number in ["K1", "K2", "K3"] {
        assert_eq!(why(&docket, "KG", number, "2026-03-01"), "", "{number}");
    }
    assert!(why(&docket, "KG", "K4", "2026-03-01").contains("the last list"));
}

#[test]
fn a_full_list_is_needed_until_a_later_full_one_since_it_puts_the_one_before_out_of_force() {
    let mut docket = Docket::default();
    let list = |numbers: &[&str], as_of: &str, complete: bool| {
        let of = |number: &&str| ListedOrganisation { number: (*number).to_owned(), status: "APPROVED".to_owned() };
        let organisations = numbers.iter().map(of).collect();
        Particulars { organisations, as_of: as_of.to_owned(), complete: Some(complete), ..Particulars::default() }
    };
    let listed = |docket: &mut Docket, number: &str, particulars: Particulars| {
        enter(docket, ("KG", number), "F02", "", particulars);
        for side in ["JP", "KG"] {
            enter(docket, (side, &format!("{side}{number}")), "S02", number, Particulars::default());
        }
    };
    listed(&mut docket, "K1", list(&["A", "B"], "2026-01-31", true));
    listed(&mut docket, "K2", list(&["A"], "2026-02-28", true));
    listed(&mut docket, "K3", list(&["A"], "2026-03-31", false));
    // Without it the first list would say again that B is approved.
    assert!(why(&docket, "KG", "K2", "2026-05-01").contains("last list"));
    listed(&mut docket, "K4", list(&["A"], "2026-04-30", true));
    assert_eq!(why(&docket, "KG", "K2", "2026-05-01"), "");
}
