//! A third side's information: carried on with its consent that names the recipient, and in no other way.

use serde_json::{Value, json};

use crate::disclosure::{Side, between, check, enter, own_words, send, three};
use crate::node::until;
use crate::notices::general;

const TAJIK: &str = "JP-TJ-SSW-2024";

/// General information for the Tajik side that carries presentations.
fn carrying(number: &str, presentations: &[String]) -> Value {
    let mut notice =
        between(true, number, "F14", "GENERAL_INFORMATION", None, &json!({"title": "A title", "text": "see there"}));
    notice["memorandum"] = TAJIK.into();
    notice["to"] = json!({"party": "TJ", "office": "TJ-MLMEP-MS-DLPSA"});
    notice["onward"] = json!(presentations);
    notice
}

fn submitted(side: &Side, notice: &Value) -> (i32, Value) {
    let said = side.0.submit(&notice.to_string());
    (said.code, said.json().remove(0))
}

fn text(file: &std::path::Path) -> String {
    std::fs::read_to_string(file).unwrap()
}

#[test]
fn a_kyrgyz_notice_reaches_the_tajik_side_only_with_consent_that_names_it() {
    let [mut japan, kyrgyz, mut tajik] = three();
    // What was disclosed to the police is not for anybody else.
    let (_, police) =
        japan.disclose("police", &["KG-A", "--to", "JP-NPA", "--fields", "exam", "--purpose", "an investigation"]);
    let (code, said) = submitted(&japan, &carrying("JP-C1", &[text(&police)]));
    assert_eq!((code, &said["code"], &said["clause"]), (1, &"ONWARD_AUDIENCE".into(), &"3".into()), "{said}");
    let (code, said) = submitted(&japan, &carrying("JP-C2", &["no presentation".to_owned()]));
    assert_eq!((code, &said["code"]), (1, &"ONWARD_NOT_SOUND".into()));
    let scope = ["KG-A", "--to", "TJ-MLMEP", "--fields", "wrongdoing", "--purpose", "prevention"];
    assert_eq!(japan.refused(&scope), "CONSENT_MISSING");
    let request = japan.consent(&[&["request"], scope.as_slice(), &["--until", "2099-12-31"]].concat());
    let grant = kyrgyz.consent(&["grant", &request]);
    let (_, file) = japan.disclose("onward", &["KG-A", "--under", &grant]);
    // The Tajik side compared no Kyrgyz card: it cannot say whose words these are, refuses them, and offers a report for their originator.
    let (code, said) = submitted(&japan, &carrying("JP-C3", &[text(&file)]));
    assert_eq!(code, 0, "{said}");
    japan.0.until_delivered();
    let state = |japan: &Side, number: &str| {
        let sent = japan.0.list("outbox").into_iter().rev().find(|notice| notice["notice_id"] == number).unwrap();
        (sent["state"].clone(), sent["code"].clone())
    };
    assert_eq!(state(&japan, "JP-C3"), ("REFUSED".into(), "ONWARD_ORIGINATOR_NOT_ENROLLED".into()));
    tajik.0.stop();
    tajik.0.start();
    let breach = tajik.0.run(&["--json", "breach", "list"]).good().json().remove(0);
    assert_eq!(
        (&breach["sender"], &breach["originator"], &breach["notice_id"]),
        (&"JP-MOJ-ISA-RMD".into(), &"KG-MLSSM-CECA".into(), &"KG-A".into())
    );
    let report = tajik.0.dir.parent().unwrap().join("report.json");
    let id = breach["breach_id"].as_str().unwrap();
    tajik.0.run(&["breach", "report", id, "--out", report.to_str().unwrap()]).good();
    let report: Value = serde_json::from_str(&text(&report)).unwrap();
    let notice = &report["notice"];
    assert_eq!(
        (&notice["flow"], &notice["memorandum"], &notice["to"]["office"], &notice["body"]["about_notice"]),
        (&"S04".into(), &"JP-KG-SSW-2023".into(), &"KG-MLSSM-CECA".into(), &"KG-A".into())
    );
    assert!(!report.to_string().contains("impersonation") && report["refused"]["proof"].is_string());
    // With the card of the originator the same goes through, and its reader can check it.
    tajik.0.enrol(&kyrgyz.0).good();
    send(&japan, &carrying("JP-C4", &[text(&file)]));
    assert_eq!(state(&japan, "JP-C4").0, "DELIVERED");
    let opened = tajik.0.run(&["open", "JP-C4", "--purpose", "reading"]).good();
    let opened: Value = serde_json::from_str(&opened.out).unwrap();
    let carried = tajik.0.dir.parent().unwrap().join("carried");
    std::fs::write(&carried, opened["onward"][0].as_str().unwrap()).unwrap();
    let checked = check(&carried, &[&kyrgyz, &japan]).good().json().remove(0);
    assert_eq!(checked["said"], json!({"wrongdoing": "impersonation"}));
    // Its originator is told that it was carried on, to whom, and by whom.
    let told = kyrgyz.0.run(&["--json", "disclosures", "--of", "KG-A", "--ask"]).good().json().remove(0);
    let items: Vec<(&Value, &Value)> =
        told["items"].as_array().unwrap().iter().map(|item| (&item["event"], &item["audience_name"])).collect();
    let carried = (&Value::from("CARRIED_ON"), &Value::from("TJ-MLMEP-MS-DLPSA"));
    assert_eq!(items[2..], [carried, carried], "{told}");
    crate::audit::sound(&japan.0, &tajik.0);
    // What waits for the counterpart does not leave once its consent is withdrawn: its statement goes alone, so that the channel goes on.
    tajik.0.stop();
    japan.0.submit(&carrying("JP-C8", &[text(&file)]).to_string()).good();
    japan.0.stop();
    japan.0.start();
    // Consent that was withdrawn carries nothing on any more, though what was released before is as sound as it was.
    kyrgyz.consent(&["withdraw", &grant, "--reason", "a mistake"]);
    until("the withdrawal binds", || japan.code(&["KG-A", "--under", &grant]) == "CONSENT_WITHDRAWN");
    let (code, said) = submitted(&japan, &carrying("JP-C5", &[text(&file)]));
    assert_eq!((code, &said["code"], &said["clause"]), (1, &"ONWARD_NOT_SOUND".into(), &"3".into()), "{said}");
    assert!(said["reason"].as_str().unwrap().contains("CONSENT_WITHDRAWN"), "{said}");
    let mut behind = carrying("JP-C9", &[]);
    behind.as_object_mut().unwrap().remove("onward");
    japan.0.submit(&behind.to_string()).good();
    tajik.0.start();
    until("the channel went on", || state(&japan, "JP-C9").0 == "DELIVERED");
    assert_eq!(state(&japan, "JP-C8"), ("EXPIRED".into(), "EXPIRED".into()));
    // Both the operator and the originator are told why.
    let events = |history: &Value| -> Vec<Value> {
        history.as_array().unwrap().iter().map(|item| item["event"].clone()).collect()
    };
    let shown = japan.0.run(&["--json", "show", "JP-C8"]).good().json().remove(0);
    assert!(events(&shown["history"]).contains(&"HELD_BACK".into()), "{shown}");
    let told = kyrgyz.0.run(&["--json", "disclosures", "--of", "KG-A", "--ask"]).good().json().remove(0);
    assert_eq!(events(&told["items"]).last(), Some(&"HELD_BACK".into()), "{told}");
    assert!(!tajik.0.list("inbox").iter().any(|notice| notice["notice_id"] == "JP-C8"));
    check(&file, &[&kyrgyz, &japan]).good();
    // Japan's own notice may repeat what it carries: it leaves in own words only, and never with what it carries.
    enter(&japan, "A Newspaper", "MEDIA");
    let to_newspaper = ["JP-C4", "--to", "A Newspaper", "--fields", "*", "--purpose", "an answer to the press"];
    assert_eq!(japan.refused(&to_newspaper), "DERIVED_FROM_OTHER");
    own_words(&japan, &to_newspaper);
    let (_, own) = japan.disclose("own", &to_newspaper);
    let checked = check(&own, &[&japan]).good().json().remove(0);
    assert_eq!((&checked["withheld"], checked["said"].get("onward")), (&1.into(), None));
    // What was erased is carried on by nobody, whoever kept its presentation.
    send(&japan, &serde_json::from_str(&general(true, "JP-OWN", "a text")).unwrap());
    let to_tajik = ["JP-OWN", "--to", "TJ-MLMEP-MS-DLPSA", "--fields", "text", "--purpose", "information"];
    let (_, own) = japan.disclose("own-to-tajik", &to_tajik);
    send(&japan, &carrying("JP-C6", &[text(&own)]));
    assert_eq!(state(&japan, "JP-C6").0, "DELIVERED");
    japan.0.run(&["erase", "JP-OWN", "--reason", "its term is over"]).good();
    japan.0.second(&["erase", "JP-OWN", "--confirm"]).good();
    let (code, said) = submitted(&japan, &carrying("JP-C7", &[text(&own)]));
    assert!(code == 1 && said["reason"].as_str().unwrap().contains("erased"), "{said}");
    crate::audit::sound(&japan.0, &tajik.0);
}

#[test]
fn a_ground_that_ended_carries_nothing_whoever_prepared_the_notice_before() {
    let [japan, kyrgyz, tajik] = three();
    tajik.0.enrol(&kyrgyz.0).good();
    let scope = ["KG-A", "--to", "TJ-MLMEP", "--fields", "wrongdoing", "--purpose", "prevention"];
    let request = japan.consent(&[&["request"], scope.as_slice(), &["--until", "2099-12-31"]].concat());
    let grant = kyrgyz.consent(&["grant", &request]);
    let (_, file) = japan.disclose("onward", &["KG-A", "--under", &grant]);
    // A kind that needs two persons: drafted while the consent is live, and approved after it was withdrawn.
    let mut binding = carrying("JP-36", &[text(&file)]);
    (binding["flow"], binding["kind"]) = ("F36".into(), "CONTACT_POINT_CHANGE".into());
    binding["body"] = json!({
        "new_contact": {"name_en": "Another Division", "key_fingerprint": "none"}, "effective_at": "2026-12-01T00:00:00+09:00",
    });
    let (code, said) = submitted(&japan, &binding);
    assert_eq!((code, &said["outcome"]), (0, &"awaiting-approval".into()), "{said}");
    kyrgyz.consent(&["withdraw", &grant, "--reason", "a mistake"]);
    until("the withdrawal binds", || japan.code(&["KG-A", "--under", &grant]) == "CONSENT_WITHDRAWN");
    japan.0.second(&["open", "JP-36", "--purpose", "approval"]).good();
    let approved = japan.0.second(&["approve", "JP-36"]);
    assert!(approved.code == 1 && approved.err.contains("ONWARD_NOT_SOUND"), "{}{}", approved.out, approved.err);
    japan.0.run(&["drop", "JP-36"]).good();
    // An own answer to the Kyrgyz side, in words that two persons compared, until one of them says that they did so in error.
    let question = json!({"subject": "a question", "question": "in confidence", "reply_wanted_by": null});
    send(&kyrgyz, &between(false, "KG-7", "F07", "INQUIRY", None, &question));
    let answer = json!({"answer": "in own words", "complete": true, "attachments": []});
    send(&japan, &between(true, "JP-8", "F08", "INQUIRY_REPLY", Some("KG-7"), &answer));
    let to_tajik = ["JP-8", "--to", "TJ-MLMEP-MS-DLPSA", "--fields", "answer", "--purpose", "information"];
    own_words(&japan, &to_tajik);
    let (_, own) = japan.disclose("own", &to_tajik);
    let (code, said) = submitted(&japan, &carrying("JP-C1", &[text(&own)]));
    assert_eq!(code, 0, "{said}");
    let grounds = japan.0.run(&["--json", "ground", "list"]).good().json();
    japan.0.run(&["ground", "end", grounds.last().unwrap()["ground_id"].as_str().unwrap()]).good();
    let (code, said) = submitted(&japan, &carrying("JP-C2", &[text(&own)]));
    assert_eq!((code, &said["code"]), (1, &"ONWARD_NOT_SOUND".into()), "{said}");
    assert!(said["reason"].as_str().unwrap().contains("about its words was ended"), "{said}");
}

#[test]
fn what_a_counterpart_lost_does_not_come_again_once_its_ground_is_gone() {
    let [japan, kyrgyz, mut tajik] = three();
    tajik.0.enrol(&kyrgyz.0).good();
    let scope = ["KG-A", "--to", "TJ-MLMEP", "--fields", "wrongdoing", "--purpose", "prevention"];
    let request = japan.consent(&[&["request"], scope.as_slice(), &["--until", "2099-12-31"]].concat());
    let grant = kyrgyz.consent(&["grant", &request]);
    let (_, file) = japan.disclose("onward", &["KG-A", "--under", &grant]);
    tajik.0.stop();
    let kept = tajik.0.dir.with_file_name("yesterday");
    crate::heads::copy(&tajik.0.dir, &kept);
    tajik.0.start();
    // Delivered as it may be, with one behind it that carries nothing.
    send(&japan, &carrying("JP-C1", &[text(&file)]));
    let mut behind = carrying("JP-C2", &[]);
    behind.as_object_mut().unwrap().remove("onward");
    send(&japan, &behind);
    let has = |tajik: &Side, number: &str| tajik.0.list("inbox").iter().any(|notice| notice["notice_id"] == number);
    assert!(has(&tajik, "JP-C1") && has(&tajik, "JP-C2"));
    kyrgyz.consent(&["withdraw", &grant, "--reason", "a mistake"]);
    until("the withdrawal binds", || japan.code(&["KG-A", "--under", &grant]) == "CONSENT_WITHDRAWN");
    // The Tajik side puts back an older copy, and begins its next log: what it lost comes again, and this does not.
    tajik.0.stop();
    std::fs::remove_dir_all(&tajik.0.dir).unwrap();
    crate::heads::copy(&kept, &tajik.0.dir);
    tajik.0.run(&["recover", "--confirm"]).good();
    tajik.0.start();
    until("what was lost came again", || has(&tajik, "JP-C2"));
    assert!(!has(&tajik, "JP-C1"), "{:?}", tajik.0.list("inbox"));
    let shown = japan.0.run(&["--json", "show", "JP-C1"]).good().json().remove(0);
    let events: Vec<&Value> = shown["history"].as_array().unwrap().iter().map(|item| &item["event"]).collect();
    assert!(events.contains(&&"HELD_BACK".into()), "{shown}");
}
