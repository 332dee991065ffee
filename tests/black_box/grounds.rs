//! Grounds outside the log, and what people decide: a document, two persons, and what a stranger is told of it.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::disclosure::{Side, between, check, enter, send, three};
use crate::node::{Node, pair, until, verbale};
use crate::notices::{general, under};

fn document(side: &Side, name: &str, text: &str) -> PathBuf {
    let path = side.0.dir.parent().unwrap().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// Records a document as the first person; the ground's id.
fn record(side: &Side, document: &std::path::Path, args: &[&str]) -> String {
    let said = side.0.run(&[&["--json", "ground", "record", document.to_str().unwrap()], args].concat()).good();
    said.json()[0]["ground_id"].as_str().unwrap().to_owned()
}

fn listed(side: &Side) -> Vec<Value> {
    side.0.run(&["--json", "ground", "list"]).good().json()
}

#[test]
fn a_court_order_is_recorded_by_one_confirmed_by_another_and_obeyed_after_the_other_side_was_asked() {
    let [mut japan, kyrgyz, _tajik] = three();
    enter(&japan, "A Court", "COURT");
    let asked = ["KG-A", "--to", "A Court", "--fields", "exam.name", "--purpose", "criminal trial"];
    assert_eq!(japan.refused(&asked), "CONSENT_MISSING");
    let order = document(&japan, "order.pdf", "an order");
    let scope = ["--to", "A Court", "--fields", "exam.name,exam.date", "--purpose", "criminal trial"];
    let of = ["--of", "KG-A", "--kind", "legal-compulsion", "--basis", "order of an invented court, 2026-06-01"];
    // What spoke against it is part of it.
    let said = japan.0.run(&[&["ground", "record", order.to_str().unwrap()], of.as_slice(), &scope].concat());
    assert!(said.code == 1 && said.err.contains("--withhold"), "{}", said.err);
    let whole = [of.as_slice(), &scope, &["--withhold", "an examinee might be recognised"]].concat();
    let ground = record(&japan, &order, &whole);
    assert_eq!(japan.code(&asked), "CONSENT_MISSING", "one person alone records nothing that counts");
    let same = japan.0.run(&["ground", "confirm", &ground, order.to_str().unwrap()]);
    assert!(same.code == 1 && same.err.contains("FOUR_EYES"), "{}", same.err);
    let another = document(&japan, "another.pdf", "another order");
    let said = japan.0.second(&["ground", "confirm", &ground, another.to_str().unwrap()]);
    assert!(said.code == 1 && said.err.contains("another document"), "{}", said.err);
    japan.0.second(&["ground", "confirm", &ground, order.to_str().unwrap()]).good();
    let again = japan.0.second(&["ground", "confirm", &ground, order.to_str().unwrap()]);
    assert!(again.code == 1 && again.err.contains("confirmed already"), "{}", again.err);
    // The other side is asked first.
    let (judged, _) = japan.disclose("early", &asked);
    assert_eq!((&judged["decision"], &judged["code"]), (&"ESCALATE".into(), &"LEGAL_COMPULSION".into()));
    assert!(judged["reason"].as_str().unwrap().contains("verbale consent request"), "{judged}");
    // It was asked about something else, which tells it nothing of this.
    let elsewhere = ["KG-A", "--to", "A Court", "--fields", "exam.name", "--purpose", "another trial"];
    japan.consent(&[&["request"], elsewhere.as_slice()].concat());
    let (judged, _) = japan.disclose("still-early", &asked);
    assert!(judged["reason"].as_str().unwrap().contains("verbale consent request"), "{judged}");
    japan.consent(&[&["request"], asked.as_slice()].concat());
    // All of it survives a restart.
    japan.0.stop();
    japan.0.start();
    let (judged, file) = japan.disclose("ordered", &asked);
    assert_eq!((&judged["decision"], &judged["code"]), (&"ESCALATE".into(), &"LEGAL_COMPULSION".into()));
    let checked = check(&file, &[&kyrgyz, &japan]).good().json().remove(0);
    assert_eq!(checked["said"], json!({"exam": {"name": "An Exam"}}));
    let (outside, recorded) = (&checked["outside_log"], &listed(&japan)[0]);
    assert_eq!((&outside["kind"], &outside["document_sha256"]), (&recorded["kind"], &recorded["document_sha256"]));
    let text = crate::node::verbale(
        &["audit", "presentation", file.to_str().unwrap(), "--card", &kyrgyz.card(), "--card", &japan.card()],
        None,
    );
    assert!(text.good().out.starts_with("Sound as far as the discloser's word goes"));
    // Another field, audience or purpose is not what the court asked for.
    for (place, other) in [(4, "wrongdoing"), (2, "JP-MAFF"), (6, "research")] {
        let mut elsewhere = asked;
        elsewhere[place] = other;
        if place == 2 {
            enter(&japan, other, "GOVERNMENT_BODY");
        }
        assert_eq!(japan.refused(&elsewhere), "CONSENT_MISSING");
    }
    // It ends, and opens nothing more.
    japan.0.run(&["ground", "end", &ground]).good();
    assert_eq!(japan.refused(&asked), "CONSENT_MISSING");
    assert_eq!(listed(&japan)[0]["state"], "ENDED");
    check(&file, &[&kyrgyz, &japan]).good();
    crate::audit::sound(&japan.0, &kyrgyz.0);
}

#[test]
fn consent_on_paper_and_the_originators_own_publication_count_and_are_marked_as_unsigned() {
    let [japan, kyrgyz, _tajik] = three();
    enter(&japan, "An Operator", "ORGANISATION");
    let letter = document(&japan, "letter.pdf", "a letter");
    let scope = ["--to", "An Operator", "--fields", "exam", "--purpose", "cancellation"];
    let paper =
        [["--of", "KG-A", "--kind", "paper-consent", "--basis", "letter of 2026-05-01"].as_slice(), &scope].concat();
    let said = japan.0.run(&[&["ground", "record", letter.to_str().unwrap()], paper.as_slice()].concat());
    assert!(said.code == 1 && said.err.contains("--until"), "{}", said.err);
    let conditions =
        ["--until", "2099-12-31", "--condition", "no onward disclosure", "--condition", "return it by May"];
    let paper_ground = record(&japan, &letter, &[paper.as_slice(), &conditions].concat());
    let duties = |asked: &[&str]| {
        let duties = japan.0.run(&[&["--json", "duties"], asked].concat()).good().json();
        duties.into_iter().filter(|duty| duty["duty"] == "conditions").collect::<Vec<_>>()
    };
    assert!(duties(&[]).is_empty(), "one person alone records nothing that binds");
    japan.0.second(&["ground", "confirm", &paper_ground, letter.to_str().unwrap()]).good();
    let duty = duties(&[]).remove(0);
    assert_eq!((&duty["notice_id"], &duty["flow"]), (&"KG-A".into(), &"PAPER_CONSENT".into()));
    assert_eq!((&duty["clause"], &duty["ours"]), (&"3".into(), &true.into()), "{duty}");
    let asked = [["KG-A"].as_slice(), &scope].concat();
    // Its conditions are acknowledged before anything leaves.
    let held_back = japan.0.second(&[["--json", "disclose"].as_slice(), &asked].concat());
    assert_eq!((held_back.code, held_back.json()[0]["conditions"].as_array().unwrap().len()), (1, 2));
    let code = held_back.json()[0]["conditions_code"].as_str().unwrap().to_owned();
    let (judged, file) = japan.disclose("paper", &[asked.as_slice(), &["--accept-conditions", &code]].concat());
    assert_eq!((&judged["decision"], &judged["code"]), (&"ALLOW".into(), &"CONSENT_OK".into()));
    let checked = check(&file, &[&kyrgyz, &japan]).good().json().remove(0);
    assert_eq!(checked["outside_log"]["kind"], "PAPER_CONSENT");
    assert_eq!(checked["conditions"], json!(["no onward disclosure", "return it by May"]));
    // The originator is told that it rests on what it did not sign.
    let told = kyrgyz.0.run(&["--json", "disclosures", "--of", "KG-A", "--ask"]).good().json().remove(0);
    let outside = &told["items"][0]["outside_log"];
    assert_eq!((&outside["kind"], &outside["legal_basis"]), (&"PAPER_CONSENT".into(), &"letter of 2026-05-01".into()));
    let table = kyrgyz.0.run(&["disclosures", "--of", "KG-A", "--ask"]).good().out;
    assert!(table.contains("PAPER_CONSENT"), "{table}");
    // What the originator put on its own site is public; the rest stays as it is.
    let page = document(&japan, "page.html", "a page");
    let published =
        ["--of", "KG-A", "--kind", "originator-publication", "--basis", "its site", "--fields", "wrongdoing"];
    let ground = record(&japan, &page, &published);
    japan.0.second(&["ground", "confirm", &ground, page.to_str().unwrap()]).good();
    let to_operator =
        |fields: &'static str| ["KG-A", "--to", "An Operator", "--fields", fields, "--purpose", "information"];
    let (judged, file) = japan.disclose("site", &to_operator("wrongdoing"));
    assert_eq!(judged["code"], "ALREADY_PUBLIC_BY_ORIGINATOR");
    check(&file, &[&kyrgyz, &japan]).good();
    assert_eq!(japan.refused(&to_operator("detected_by")), "CONSENT_FIELDS");
    // Nobody sets conditions for what is public.
    let said = japan
        .0
        .run(&[&["ground", "record", page.to_str().unwrap(), "--condition", "c"], published.as_slice()].concat());
    assert!(said.code == 1 && said.err.contains("leave --condition out"), "{}", said.err);
    // The conditions are tracked until a person says that they are met, or that the consent was withdrawn.
    japan.0.run(&["ground", "end", &paper_ground]).good();
    assert!(duties(&[]).is_empty());
    assert_eq!(duties(&["--closed"])[0]["notice_id"], "KG-A");
    assert_eq!(japan.refused(&asked), "CONSENT_MISSING");
}

#[test]
fn a_relevant_ministry_has_the_answer_to_its_request_when_two_persons_decide() {
    let [japan, kyrgyz, _tajik] = three();
    let window = json!({"from": "2026-10-01", "to": "2026-10-10"});
    let request = json!({"exam": "An Exam", "requested": ["venue security"], "place": "Bishkek", "window": window});
    send(&japan, &between(true, "JP-16", "F16", "TEST_COOPERATION_REQUEST", None, &request));
    let response = json!({"outcome": "FULL", "detail": "in confidence"});
    send(&kyrgyz, &between(false, "KG-17", "F17", "TEST_COOPERATION_RESPONSE", Some("JP-16"), &response));
    until("it is there", || japan.0.list("inbox").iter().any(|notice| notice["notice_id"] == "KG-17"));
    enter(&japan, "JP-MAFF", "GOVERNMENT_BODY");
    let asked = ["KG-17", "--to", "JP-MAFF", "--fields", "outcome", "--purpose", "the exam"];
    let (judged, _) = japan.disclose("undecided", &asked);
    assert_eq!((&judged["decision"], &judged["code"]), (&"ESCALATE".into(), &"CLAUSE5_RELEVANT_MINISTRY".into()));
    assert!(judged["reason"].as_str().unwrap().contains("verbale ground record"), "{judged}");
    let letter = document(&japan, "request.pdf", "a request");
    let of = ["--of", "KG-17", "--kind", "ministry-request", "--basis", "letter of the ministry"];
    let ground = record(
        &japan,
        &letter,
        &[of.as_slice(), &["--to", "JP-MAFF", "--fields", "outcome", "--purpose", "the exam"]].concat(),
    );
    japan.0.second(&["ground", "confirm", &ground, letter.to_str().unwrap()]).good();
    let (judged, file) = japan.disclose("decided", &asked);
    assert_eq!(judged["code"], "CLAUSE5_RELEVANT_MINISTRY");
    check(&file, &[&kyrgyz, &japan]).good();
    let shown = japan.0.run(&["--json", "show", "KG-17"]).good().json().remove(0);
    let history = shown["history"].as_array().unwrap();
    let codes = |event: &str| history.iter().filter(|item| item["event"] == event).count();
    assert_eq!((codes("DISCLOSED"), codes("DISCLOSURE_DENIED")), (1, 1));
}

#[test]
fn what_a_text_that_was_not_seen_would_have_published_is_published_when_two_persons_decide() {
    let (mut japan, mut partner) = (Node::init("JP-MOJ-ISA-RMD"), Node::init("UZ-CONTACT-UNVERIFIED"));
    japan.make_approver();
    for node in [&mut japan, &mut partner] {
        node.start();
    }
    japan.enrol(&partner).good();
    partner.enrol(&japan).good();
    let line = under("JP-UZ-TITP-2019").into_iter().find(|(_, line)| line.contains("\"T01\"")).unwrap().1;
    let number = serde_json::from_str::<Value>(&line).unwrap()["notice_id"].as_str().unwrap().to_owned();
    partner.submit(&line).good();
    partner.until_delivered();
    let publish = || japan.run(&["--json", "publish", &number]);
    let undecided = publish();
    let judged = undecided.json().remove(0);
    assert_eq!((undecided.code, &judged["decision"]), (1, &"ESCALATE".into()), "{judged}");
    let side = Side(japan);
    let basis = document(&side, "basis.pdf", "an opinion");
    let of = ["--of", &number, "--kind", "publication-basis", "--basis", "opinion of the legal department"];
    // Fewer fields than are published carry nothing.
    let fewer = record(&side, &basis, &[of.as_slice(), &["--fields", "as_of"]].concat());
    side.0.second(&["ground", "confirm", &fewer, basis.to_str().unwrap()]).good();
    assert_eq!(side.0.run(&["--json", "publish", &number]).code, 1);
    let whole = record(&side, &basis, &[of.as_slice(), &["--fields", "as_of,complete,count,entries"]].concat());
    side.0.second(&["ground", "confirm", &whole, basis.to_str().unwrap()]).good();
    let published = side.0.run(&["--json", "publish", &number]).good().json().remove(0);
    assert_eq!(published["code"], "UNVERIFIED_BASIS_STRICT");
    // The register makes it again from the journal, and a stranger is told what it rests on.
    let dir = side.0.dir.parent().unwrap().join("register");
    side.0.run(&["register", "export", dir.to_str().unwrap()]).good();
    let line = std::fs::read_to_string(dir.join("register.jsonl")).unwrap();
    let entry: Value = serde_json::from_str(line.lines().next().unwrap()).unwrap();
    let file = dir.join(entry["presentation"].as_str().unwrap());
    let checked = check(&file, &[&Side(partner), &side]).good().json().remove(0);
    assert_eq!(checked["outside_log"]["kind"], "PUBLICATION_BASIS");
}

#[test]
fn what_belongs_to_a_memorandum_that_is_held_no_more_is_not_opened_and_the_denial_is_logged() {
    let (mut japan, partner) = pair();
    partner.submit(&general(false, "KG-1", "a text")).good();
    partner.until_delivered();
    japan.stop();
    let (file, away) = (japan.dir.join("memoranda/JP-KG-SSW-2023.toml"), japan.dir.with_file_name("away.toml"));
    std::fs::rename(&file, &away).unwrap();
    japan.start();
    for args in [["open", "KG-1", "--purpose", "to see it"].as_slice(), &["ack", "KG-1"]] {
        let said = japan.run(args);
        assert!(said.code == 1 && said.err.contains("UNKNOWN_MEMORANDUM"), "{} {}", said.code, said.err);
        assert!(!said.out.contains("a text"), "{}", said.out);
    }
    japan.stop();
    std::fs::rename(&away, &file).unwrap();
    japan.start();
    assert!(japan.run(&["open", "KG-1", "--purpose", "to see it"]).good().out.contains("a text"));
    japan.run(&["ack", "KG-1"]).good();
    let told = japan.run(&["--json", "disclosures", "--of", "KG-1"]).good().json();
    let told: Vec<String> = told.iter().map(|item| format!("{} {}", item["event"], item["code"])).collect();
    let denied = r#""DISCLOSURE_DENIED" "UNKNOWN_MEMORANDUM""#;
    assert_eq!(told, [denied, denied, r#""OPENED" "NOT_THIRD_PARTY""#, r#""HANDED_OVER" "NOT_THIRD_PARTY""#]);
    crate::audit::sound(&japan, &partner);
}

#[test]
fn a_release_under_terms_that_were_changed_since_is_judged_by_the_file_of_then() {
    let [mut japan, mut kyrgyz, _tajik] = three();
    japan.disclose("npa", &["KG-A", "--to", "JP-NPA", "--fields", "exam", "--purpose", "investigation"]);
    let before = japan.0.dir.with_file_name("terms-of-then");
    std::fs::create_dir(&before).unwrap();
    for side in [&mut japan, &mut kyrgyz] {
        side.0.stop();
        let file = side.0.dir.join("memoranda/JP-KG-SSW-2023.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(before.join("JP-KG-SSW-2023.toml"), &text).unwrap();
        let amended = text.replacen("\ntitle = \"", "\ntitle = \"Amended: ", 1);
        assert_ne!(text, amended);
        std::fs::write(&file, amended).unwrap();
        side.0.start();
    }
    let dir = japan.0.dir.with_file_name("export").to_str().unwrap().to_owned();
    japan.0.run(&["audit", "export", &dir]).good();
    let said = verbale(&["audit", "verify", &dir], None);
    assert_eq!(said.code, 3, "{}{}", said.out, said.err);
    assert!(
        said.out.contains("1 released under terms that the log had before") && said.out.contains("--memoranda"),
        "{}",
        said.out
    );
    let said = verbale(&["audit", "verify", &dir, "--memoranda", before.to_str().unwrap()], None).good();
    assert!(!said.out.contains("not compared: 1"), "{}", said.out);
}
