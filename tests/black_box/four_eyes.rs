//! What binds a side takes two persons, on every way.

use serde_json::{Value, json};

use crate::node::{Node, pair};

fn change(number: &str) -> String {
    json!({
        "notice_id": number, "memorandum": "JP-KG-SSW-2023", "flow": "F36", "kind": "CONTACT_POINT_CHANGE", "clause": "2",
        "from": {"party": "JP", "office": "JP-MOJ-ISA-RMD"}, "to": {"party": "KG", "office": "KG-MLSSM-CECA"},
        "issued_at": "2026-02-03T10:15:00+09:00", "classification": "CONFIDENTIAL", "receiver_obligation": "ACKNOWLEDGE",
        "languages": ["en"], "body": {"new_contact": {"name_en": "Another Division", "key_fingerprint": "none"},
        "effective_at": "2026-12-01T00:00:00+09:00"},
    })
    .to_string()
}

fn drafts(node: &Node) -> Vec<Value> {
    node.run(&["--json", "drafts"]).good().json()
}

#[test]
fn one_person_with_two_connections_is_not_two_persons() {
    let (mut japan, partner) = pair();
    let said = japan.submit(&change("JP-36")).good();
    let answer = &said.json()[0];
    assert_eq!((&answer["outcome"], &answer["approvers"]), (&"awaiting-approval".into(), &json!(["person-2"])));
    assert!(japan.list("outbox").is_empty(), "it was sent");
    // The same once more is the same draft; another notice under its number is none.
    assert_eq!(japan.submit(&change("JP-36")).json()[0]["already_known"], true);
    let other = change("JP-36").replace("Another Division", "A Third Division");
    assert_eq!(japan.submit(&other).json()[0]["code"], "ID_REUSE");
    // Who drafted it is no approver here, and when he is one, he is the same person on whichever connection.
    let said = japan.run(&["approve", "JP-36"]);
    assert!(said.code == 1 && said.err.contains("NOT_ALLOWED"), "{}", said.err);
    japan.stop();
    japan.make_approver();
    japan.start();
    assert_eq!(drafts(&japan)[0]["notice_id"], "JP-36", "a draft did not survive a restart");
    let said = japan.run(&["approve", "JP-36"]);
    assert!(said.code == 1 && said.err.contains("FOUR_EYES"), "{}", said.err);
    // Nobody approves what was never read; the second person reads it, and sends it.
    let unread = japan.second(&["approve", "JP-36"]);
    assert!(unread.code == 1 && unread.err.contains("NOT_READ"), "{}", unread.err);
    let read = japan.second(&["open", "JP-36", "--purpose", "approval", "--json"]).good();
    assert_eq!(read.json()[0]["body"]["new_contact"]["name_en"], "Another Division");
    japan.second(&["approve", "JP-36"]).good();
    assert!(drafts(&japan).is_empty());
    japan.until_delivered();
    assert_eq!(partner.list("inbox")[0]["notice_id"], "JP-36");
    let gone = japan.second(&["approve", "JP-36"]);
    assert!(gone.code == 1 && gone.err.contains("NO_SUCH_DRAFT"), "{}", gone.err);
    // What the second person drafts the first one approves. What is given up is not sent.
    let key = japan.second_key();
    let address = japan.local_address();
    let as_second = ["--connect", &address, "--key", &key, "--json", "submit", "-"];
    let said = crate::node::verbale(&as_second, Some(&change("JP-37"))).good();
    assert_eq!(said.json()[0]["approvers"], json!(["person-1"]));
    let said = japan.second(&["approve", "JP-37"]);
    assert!(said.err.contains("FOUR_EYES"), "{}", said.err);
    japan.run(&["open", "JP-37", "--purpose", "approval"]).good();
    japan.run(&["approve", "JP-37"]).good();
    japan.submit(&change("JP-38")).good();
    japan.run(&["drop", "JP-38"]).good();
    assert!(drafts(&japan).is_empty());
    japan.until_delivered();
    japan.stop();
    japan.start();
    assert_eq!(japan.list("outbox").len(), 2);
    // Nor does one person, or a system, correct what took two.
    let mut correction: Value = serde_json::from_str(&change("JP-S03")).unwrap();
    (correction["flow"], correction["kind"]) = ("S03".into(), "CORRECTION".into());
    (correction["correlates_to"], correction["receiver_obligation"]) = ("JP-36".into(), "NONE".into());
    correction["body"] = json!({"about_notice": "JP-36", "corrected_notice": "JP-37", "reason": "a slip"});
    assert_eq!(japan.submit(&correction.to_string()).good().json()[0]["outcome"], "awaiting-approval");
    japan.approve_all();
    japan.until_delivered();
    crate::audit::sound(&japan, &partner);
    // A system alone does not even draft that.
    correction["notice_id"] = "JP-S04".into();
    japan.stop();
    japan.configure(|text| text.replace("roles = [\"system\", \"operator\", \"approver\"]", "roles = [\"system\"]"));
    japan.start();
    assert_eq!(japan.submit(&correction.to_string()).json()[0]["code"], "NOT_ALLOWED");
}

#[test]
fn a_system_drafts_nothing_that_binds_and_a_deputy_acts_on_his_days_only() {
    let mut japan = Node::init("JP-MOJ-ISA-RMD");
    let role = |text: String| text.replace("roles = [\"system\", \"operator\"]", "roles = [\"system\"]");
    japan.configure(role);
    japan.start();
    let said = japan.submit(&change("JP-36"));
    assert_eq!((said.code, &said.json()[0]["code"]), (1, &"NOT_ALLOWED".into()));
    japan.stop();
    let deputy = |from: &str, until: &str| {
        format!("[[deputies]]\nname = \"person-1\"\nof = \"person-2\"\nfrom = \"{from}\"\nuntil = \"{until}\"\n")
    };
    // No system stands in for a person.
    japan.configure(|text| text.replace("roles = [\"system\"]", "roles = [\"operator\"]"));
    japan.configure(|text| text + &deputy("2020-01-01", "2020-12-31"));
    japan.start();
    let refused = japan.run(&["approve", "JP-36"]);
    assert!(refused.err.contains("NOT_ALLOWED"), "{}", refused.err);
    japan.stop();
    japan.configure(|text| text.replace("2020-12-31", "2099-12-31"));
    japan.start();
    let none = japan.run(&["approve", "JP-36"]);
    assert!(none.err.contains("NO_SUCH_DRAFT"), "{}", none.err);
}

#[test]
fn a_draft_that_was_read_is_not_swapped_for_another_under_its_number() {
    let (mut japan, partner) = pair();
    japan.submit(&change("JP-36")).good();
    japan.second(&["open", "JP-36", "--purpose", "approval"]).good();
    // What was read is dropped, and something else waits under its number.
    japan.run(&["drop", "JP-36"]).good();
    japan.submit(&change("JP-36").replace("Another Division", "A Third Division")).good();
    let swapped = japan.second(&["approve", "JP-36"]);
    assert!(swapped.code == 1 && swapped.err.contains("NOT_READ"), "{}", swapped.err);
    assert!(japan.list("outbox").is_empty(), "what nobody read was sent");
    // Who read it is known after a restart too.
    japan.second(&["open", "JP-36", "--purpose", "approval"]).good();
    japan.stop();
    japan.start();
    japan.second(&["approve", "JP-36"]).good();
    japan.until_delivered();
    // A number that a notice of the other side has too names neither.
    partner.submit(&crate::notices::general(false, "SAME-1", "text")).good();
    partner.until_delivered();
    japan.submit(&change("SAME-1")).good();
    let both = japan.run(&["open", "SAME-1", "--purpose", "p"]);
    assert!(both.code == 1 && both.err.contains("more than one"), "{}", both.err);
}
