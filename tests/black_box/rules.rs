//! The rules as their users meet them: `verbale check`, commencement, duties, ends.

use serde_json::{Value, json};

use crate::node::{Node, verbale};
use crate::notices::travel;

pub(crate) const NOTICES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/notices.jsonl");
const REFUSED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/notices-refused.jsonl");
const COMMENCED: &str = "JP-TJ-SSW-2024=2025-02-01";

#[test]
fn check_accepts_every_realistic_notice_and_refuses_each_other_one_with_its_code() {
    let said = verbale(&["check", "--commenced", COMMENCED, NOTICES, "--json"], None).good();
    let verdicts = said.json();
    assert_eq!(verdicts.len(), 43);
    assert!(verdicts.iter().all(|verdict| verdict["verdict"] == "ACCEPT"), "{}", said.out);
    let said = verbale(&["check", "--commenced", COMMENCED, "--history", NOTICES, REFUSED, "--json"], None);
    assert_eq!(said.code, 1);
    let cases = std::fs::read_to_string(REFUSED).unwrap();
    for (verdict, case) in said.json().iter().zip(cases.lines()) {
        let case: Value = serde_json::from_str(case).unwrap();
        assert_eq!((&verdict["code"], &verdict["stage"]), (&case["code"], &case["stage"]), "{verdict}");
        assert_eq!(verdict["verdict"], "REFUSE");
        assert!(!verdict["reason"].as_str().unwrap().is_empty());
    }
    assert_eq!(said.json().len(), cases.lines().count());
    // Without the day of commencement nothing travels under the Tajik text.
    let said = verbale(&["check", NOTICES, "--json"], None);
    let refused: Vec<Value> = said.json().into_iter().filter(|verdict| verdict["verdict"] == "REFUSE").collect();
    assert!(refused.iter().all(|verdict| verdict["notice_id"].as_str().unwrap().contains("TJ")), "{}", said.out);
    assert_eq!(refused[0]["code"], "NOT_COMMENCED");
    assert_eq!(refused[0]["clause"], "10");
    assert_eq!(verbale(&["check", "/nowhere"], None).code, 2);
    assert_eq!(verbale(&["check", "--commenced", "JP-KG-SSW-2023=2025-02-01", NOTICES], None).code, 2);
    let broken = verbale(&["check", "-", "--json"], Some("{\"notice_id\":\n")).json().remove(0);
    assert_eq!((&broken["code"], &broken["stage"]), (&"BAD_JSON".into(), &"schema".into()));
}

fn status(node: &Node, memorandum: &str) -> Value {
    let said = node.run(&["--json", "memorandum", "list"]).good();
    said.json().into_iter().find(|held| held["id"] == memorandum).unwrap()
}

#[test]
fn a_memorandum_commences_on_both_sides_when_an_approver_records_the_day() {
    let memorandum = "JP-TJ-SSW-2024";
    let (mut japan, mut partner) = (Node::init("JP-MOJ-ISA-RMD"), Node::init("TJ-MLMEP-MS-DLPSA"));
    japan.start();
    partner.start();
    japan.enrol(&partner).good();
    partner.enrol(&japan).good();
    let alert = json!({
        "notice_id": "JP-1", "memorandum": memorandum, "flow": "F14", "kind": "GENERAL_INFORMATION", "clause": "4(1)",
        "from": {"party": "JP", "office": "JP-MOJ-ISA-RMD"}, "to": {"party": "TJ", "office": "TJ-MLMEP-MS-DLPSA"},
        "issued_at": "2026-02-03T10:15:00+09:00", "classification": "CONFIDENTIAL", "receiver_obligation": "NONE",
        "languages": ["en"], "body": {"title": "A title", "text": "A text"},
    });
    assert_eq!(status(&japan, memorandum)["in_force_since"], "not commenced");
    let said = japan.submit(&alert.to_string());
    assert_eq!((said.code, &said.json()[0]["code"]), (1, &"NOT_COMMENCED".into()));
    let commence = ["memorandum", "commence", memorandum, "--on", "2025-02-01"];
    let said = japan.run(&commence);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("NOT_ALLOWED") && said.err.contains("approver"), "{}", said.err);
    japan.stop();
    japan.make_approver();
    japan.start();
    // A receipt is recorded when it was: neither before the text was signed nor ahead of its day.
    for day in ["2020-01-01", "2099-01-01"] {
        let said = japan.run(&["memorandum", "commence", memorandum, "--on", day]);
        assert!(said.code == 1 && said.err.contains("BAD_VALUE"), "{day}: {}", said.err);
    }
    japan.run(&commence).good();
    japan.until_delivered();
    for node in [&japan, &partner] {
        assert_eq!(status(node, memorandum)["in_force_since"], "2025-02-01");
    }
    japan.submit(&alert.to_string()).good();
    japan.until_delivered();
    // Another day is refused, and so is a notice from before the day.
    let said = japan.run(&["memorandum", "commence", memorandum, "--on", "2025-03-01"]);
    assert!(said.err.contains("ID_REUSE") || said.err.contains("BAD_VALUE"), "{}", said.err);
    let mut early = alert.clone();
    (early["notice_id"], early["issued_at"]) = ("JP-2".into(), "2025-01-31T23:00:00+09:00".into());
    assert_eq!(japan.submit(&early.to_string()).json()[0]["code"], "BEFORE_COMMENCEMENT");
    // After a restart it is the same.
    for node in [&mut japan, &mut partner] {
        node.stop();
        node.start();
        assert_eq!(status(node, memorandum)["in_force_since"], "2025-02-01");
    }
    crate::audit::sound(&japan, &partner);
}

#[test]
fn duties_open_with_what_arrives_and_close_with_what_answers_it() {
    let (mut japan, mut partner) = crate::node::pair();
    travel("JP-KG-SSW-2023", &[&japan, &partner]);
    let duties = |node: &Node, args: &[&str]| node.run(&[&["--json", "duties"], args].concat()).good().json();
    let of = |duties: &[Value], number: &str, duty: &str| -> Vec<Value> {
        duties.iter().filter(|item| item["notice_id"] == number && item["duty"] == duty).cloned().collect()
    };
    for node in [&mut japan, &mut partner] {
        node.stop();
        node.start();
        let (open, closed) = (duties(node, &[]), duties(node, &["--closed"]));
        // Nobody published yet; both sides owe it for what was approved (7(2)), the receiver alone for an order.
        assert_eq!(of(&open, "KG-JP-2026-000001", "publish").len(), 2);
        assert_eq!(of(&open, "JP-KG-2026-000001", "publish").len(), 1);
        // Answered: an inquiry, a referral, both consent requests, a request for assistance.
        for (number, duty) in [
            ("KG-JP-2026-000004", "reply"),
            ("JP-KG-2026-000007", "investigate"),
            ("KG-JP-2026-000011", "answer-consent"),
            ("JP-KG-2026-000014", "answer-consent"),
            ("JP-KG-2026-000016", "assist"),
        ] {
            assert!(of(&open, number, duty).is_empty(), "{number} {duty} is open");
            let item = &of(&closed, number, duty)[0];
            assert!(item["open_ms"].as_i64().is_some_and(|open| open >= 0), "{item}");
        }
        // A response with outcome PARTIAL leaves it open.
        assert_eq!(of(&open, "JP-KG-2026-000011", "comply").len(), 1);
        // A reply was wanted by a day that has passed, but it came.
        assert!(of(&duties(node, &["--overdue"]), "KG-JP-2026-000004", "reply").is_empty());
        assert!(open.iter().all(|item| item["legal_deadline"] == false && item["clause"] != ""));
        // The list replaced the approval before it, and the revocation marks its organisation, on both sides.
        let organisations = node.run(&["--json", "register", "organisations"]).good().json();
        assert_eq!(organisations.len(), 3);
        assert!(organisations.iter().all(|of| of["listed_in"] == "KG-JP-2026-000002"), "{organisations:?}");
        let revoked: Vec<&Value> = organisations.iter().filter(|of| of["revoked"] == true).collect();
        assert_eq!((revoked.len(), &revoked[0]["number"]), (1, &"KGSO-F-0017".into()));
        let mark = (&revoked[0]["revoked_by"], &revoked[0]["revoked_from"]);
        assert_eq!(mark, (&"KG-JP-2026-000003".into(), &"2026-04-20".into()));
    }
    // The confirmation of a publication closes the receiver's duty, and a correction reopens it.
    let confirm = |number: &str| {
        json!({
            "notice_id": number, "memorandum": "JP-KG-SSW-2023", "flow": "S02", "kind": "PUBLICATION_CONFIRMATION",
            "clause": "6(1)", "from": {"party": "JP", "office": "JP-MOJ-ISA-RMD"},
            "to": {"party": "KG", "office": "KG-MLSSM-CECA"}, "issued_at": "2026-02-10T10:00:00+09:00",
            "correlates_to": "KG-JP-2026-000001", "classification": "CONFIDENTIAL", "receiver_obligation": "NONE",
            "languages": ["en"],
            "body": {"about_notice": "KG-JP-2026-000001", "published_on": "2026-02-10", "where": "a register"},
        })
        .to_string()
    };
    let ours = |node: &Node| {
        of(&duties(node, &[]), "KG-JP-2026-000001", "publish").iter().filter(|d| d["owed_by"] == "JP").count()
    };
    japan.submit(&confirm("JP-S02-1")).good();
    japan.until_delivered();
    assert_eq!((ours(&japan), ours(&partner)), (0, 0));
    let correction = json!({
        "notice_id": "KG-S03-1", "memorandum": "JP-KG-SSW-2023", "flow": "S03", "kind": "CORRECTION", "clause": "7(2)",
        "from": {"party": "KG", "office": "KG-MLSSM-CECA"}, "to": {"party": "JP", "office": "JP-MOJ-ISA-RMD"},
        "issued_at": "2026-02-11T10:00:00+06:00", "correlates_to": "KG-JP-2026-000001", "classification": "CONFIDENTIAL",
        "receiver_obligation": "NONE", "languages": ["en"],
        "body": {"about_notice": "KG-JP-2026-000001", "corrected_notice": "KG-JP-2026-000001", "reason": "a slip"},
    });
    partner.submit(&correction.to_string()).good();
    partner.until_delivered();
    assert_eq!((ours(&japan), ours(&partner)), (1, 1));
    japan.submit(&confirm("JP-S02-2")).good();
    japan.until_delivered();
    assert_eq!((ours(&japan), ours(&partner)), (0, 0));
    // A termination was among the notices: both sides compute the same end from its receipt.
    let ends = status(&japan, "JP-KG-SSW-2023")["ends_on"].clone();
    assert!(ends.is_string(), "{ends}");
    assert_eq!(status(&partner, "JP-KG-SSW-2023")["ends_on"], ends);
    crate::audit::sound(&japan, &partner);
}

#[test]
fn a_memorandum_is_added_with_a_file_and_no_code() {
    let (mut japan, mut partner) = (Node::init("JP-MOJ-ISA-RMD"), Node::init("ZZ-CONTACT"));
    let shipped = std::fs::read_to_string(japan.dir.join("memoranda/JP-KG-SSW-2023.toml")).unwrap();
    // An invented partner with another offset, a rule of its own for the end, and fewer kinds.
    let invented = shipped
        .replace("KG-MLSSM-CECA", "ZZ-CONTACT")
        .replace("KG-MLSSM", "ZZ-LABOUR")
        .replace("\"KG\"", "\"ZZ\"")
        .replace("sides.KG", "sides.ZZ")
        .replace("JP-KG-SSW-2023", "JP-ZZ-2030")
        .replace("months = 6", "months = 3")
        .lines()
        .filter(|line| !line.starts_with("F05"))
        .collect::<Vec<_>>()
        .join("\n");
    for node in [&mut japan, &mut partner] {
        std::fs::write(node.dir.join("memoranda/JP-ZZ-2030.toml"), &invented).unwrap();
        node.start();
    }
    japan.enrol(&partner).good();
    partner.enrol(&japan).good();
    let under = |line: String| {
        let line = line.replace("JP-KG-SSW-2023", "JP-ZZ-2030").replace("KG-MLSSM-CECA", "ZZ-CONTACT");
        line.replace("\"party\":\"KG\"", "\"party\":\"ZZ\"")
    };
    japan.submit(&under(crate::notices::general(true, "JP-1", "text"))).good();
    partner.submit(&under(crate::notices::general(false, "ZZ-1", "text"))).good();
    japan.until_delivered();
    partner.until_delivered();
    assert_eq!(japan.list("inbox")[0]["memorandum"], "JP-ZZ-2030");
    assert_eq!(japan.list("outbox")[0]["state"], "DELIVERED");
    // What its file does not have does not travel.
    let order = crate::notices::from_office("JP-KG-SSW-2023", "JP-MOJ-ISA-RMD").remove(0);
    let mut order: Value = serde_json::from_str(&order).unwrap();
    order["memorandum"] = "JP-ZZ-2030".into();
    order["to"] = json!({"party": "ZZ", "office": "ZZ-CONTACT"});
    let refused = japan.submit(&order.to_string());
    assert_eq!((&refused.json()[0]["code"], refused.code), (&"WRONG_DIRECTION".into(), 1));
    crate::audit::sound(&japan, &partner);
}

#[test]
fn a_moved_contact_point_and_a_renamed_ministry_keep_channels_and_duties() {
    let (mut japan, mut partner) = crate::node::pair();
    travel("JP-KG-SSW-2023", &[&japan, &partner]);
    let open = |node: &Node| -> Vec<(Value, Value)> {
        let duties = node.run(&["--json", "duties"]).good().json();
        duties.iter().map(|duty| (duty["duty"].clone(), duty["notice_id"].clone())).collect()
    };
    let digest = |node: &Node| status(node, "JP-KG-SSW-2023")["terms_digest"].clone();
    let before = (open(&japan), open(&partner), digest(&japan));
    let numbers = partner.list("outbox").len() as u64;
    // The ministry has another name, and another office of it took over node and mail.
    for node in [&mut japan, &mut partner] {
        node.stop();
        let path = node.dir.join("memoranda/JP-KG-SSW-2023.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let moved = "\n[[contacts]]\nside = \"KG\"\noffice = \"KG-MLE-MIGRATION\"\nname = \"Department of Migration\"\n\
                     since = \"2026-01-01\"\nnode = \"KG-MLSSM-CECA\"\n\n[[succession]]\nside = \"KG\"\nfrom = \"KG-MLSSM\"\n\
                     to = \"KG-MLE\"\nname = \"Ministry of Labour and Employment\"\nsince = \"2026-01-01\"\n\n[reminders]";
        std::fs::write(&path, text.replace("\n[reminders]", moved)).unwrap();
        node.start();
    }
    assert_eq!((open(&japan), open(&partner), digest(&japan)), before, "a duty or the terms changed with the office");
    let line = crate::notices::general(false, "KG-NEW-1", "text").replace("KG-MLSSM-CECA", "KG-MLE-MIGRATION");
    let said = partner.submit(&line).good();
    assert_eq!(said.json()[0]["number"], numbers + 1, "the channel began anew");
    // The answer to what the old office asked comes from the new one, and closes the duty.
    let answer = json!({
        "notice_id": "KG-NEW-2", "memorandum": "JP-KG-SSW-2023", "flow": "F17", "kind": "TEST_COOPERATION_RESPONSE",
        "clause": "5", "from": {"party": "KG", "office": "KG-MLE-MIGRATION"},
        "to": {"party": "JP", "office": "JP-MOJ-ISA-RMD"}, "issued_at": "2026-07-20T12:00:00+06:00",
        "correlates_to": "JP-KG-2026-000011", "classification": "CONFIDENTIAL", "receiver_obligation": "NONE",
        "languages": ["en"], "body": {"outcome": "FULL", "detail": "all of it"},
    });
    partner.submit(&answer.to_string()).good();
    // Mail to the old office still arrives, and so does mail to the new one.
    japan.submit(&crate::notices::general(true, "JP-OLD-1", "text")).good();
    let to_new = crate::notices::general(true, "JP-NEW-1", "text").replace("KG-MLSSM-CECA", "KG-MLE-MIGRATION");
    japan.submit(&to_new).good();
    partner.until_delivered();
    japan.until_delivered();
    for node in [&japan, &partner] {
        assert!(!open(node).contains(&("comply".into(), "JP-KG-2026-000011".into())));
    }
    assert!(japan.list("outbox").iter().all(|notice| notice["state"] == "DELIVERED"));
    crate::audit::sound(&japan, &partner);
}
