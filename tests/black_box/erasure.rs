//! Erasure: two persons, nothing that is still needed, nothing left in the folder, and a log that verifies as before.

use serde_json::{Value, json};

use crate::node::{Node, files, pair, read, verbale};
use crate::notices::general;

/// The sealed bytes of a delivered notice, as its sender gives them out.
fn sealed(sender: &Node, id: &str) -> Vec<u8> {
    let dir = sender.dir.join(format!("receipt-{id}"));
    sender.run(&["receipts", id, "--export", dir.to_str().unwrap()]).good();
    let sealed = files(&dir).into_iter().find(|path| path.extension().is_some_and(|ext| ext == "age")).unwrap();
    read(&sealed)
}

/// The beginning of the last sealed bytes in a node's journal.
fn last_sealed(node: &Node) -> Vec<u8> {
    let journal = files(&node.dir.join("journal")).into_iter().map(|path| read(&path));
    let begins = |bytes: &[u8]| memchr::memmem::rfind(bytes, b"age-encryption.org/v1");
    let last =
        journal.filter_map(|bytes| Some(bytes[begins(&bytes)?..].iter().take(512).copied().collect())).next_back();
    last.unwrap()
}

fn exported(node: &Node) -> std::path::PathBuf {
    let dir = node.dir.join("export");
    node.run(&["audit", "export", dir.to_str().unwrap()]).good();
    dir
}

fn holds(node: &Node, bytes: &[u8]) -> bool {
    let piece = &bytes[bytes.len() / 2..bytes.len() / 2 + 64];
    let journal = files(&node.dir.join("journal"));
    journal.into_iter().any(|path| read(&path).windows(64).any(|window| window == piece))
}

fn refused(said: &crate::node::Said, code: &str) {
    assert!(said.code == 1 && said.err.contains(code), "{code} expected: {} {}", said.code, said.err);
}

fn erasure(node: &Node, id: &str) -> Value {
    node.run(&["--json", "erase", id]).good().json().remove(0)
}

#[test]
fn content_goes_with_two_persons_when_nobody_needs_it_and_the_log_stays_sound() {
    let (mut japan, mut partner) = pair();
    partner.submit(&general(false, "KG-1", "what is to be forgotten")).good();
    partner.submit(&general(false, "KG-2", "what stays")).good();
    partner.until_delivered();
    let bytes = sealed(&partner, "KG-1");
    assert!(holds(&japan, &bytes) && holds(&partner, &bytes), "the test looks for the wrong bytes");
    japan.run(&["open", "KG-1", "--purpose", "to see it"]).good();
    // Nobody was given it yet; nobody said why; one person alone; and only who may.
    refused(&japan.run(&["erase", "KG-1", "--reason", "a request"]), "STILL_NEEDED");
    japan.run(&["ack", "KG-1"]).good();
    refused(&japan.run(&["erase", "KG-1", "--reason", " "]), "BAD_VALUE");
    refused(&japan.second(&["erase", "KG-1", "--confirm"]), "BAD_VALUE");
    let asked = japan.run(&["--json", "erase", "KG-1", "--reason", "a request under the law"]).good().json().remove(0);
    assert_eq!(asked["approvers"], json!(["person-2"]));
    refused(&japan.run(&["erase", "KG-1", "--confirm"]), "NOT_ALLOWED");
    refused(&japan.second(&["erase", "KG-1", "--reason", "once more"]), "BAD_VALUE");
    let id = asked["message_id"].as_str().unwrap();
    assert_eq!(
        (&erasure(&japan, "KG-1")["state"], &erasure(&japan, id)["notice_id"]),
        (&"WAITING".into(), &"KG-1".into())
    );
    // Given up, asked for anew by the second person, who then is the first.
    japan.second(&["erase", "KG-1", "--drop"]).good();
    japan.second(&["erase", "KG-1", "--reason", "again"]).good();
    refused(&japan.second(&["erase", "KG-1", "--confirm"]), "FOUR_EYES");
    assert!(holds(&japan, &bytes), "erased by one person");
    japan.run(&["erase", "KG-1", "--drop"]).good();
    japan.run(&["erase", "KG-1", "--reason", "a request under the law"]).good();
    let done = japan.second(&["--json", "erase", "KG-1", "--confirm"]).good().json().remove(0);
    assert_eq!((&done["state"], &done["still_in"]), (&"ERASED".into(), &json!([])));

    let gone = |japan: &Node| {
        assert!(!holds(japan, &bytes), "the sealed bytes are left in the journal");
        for command in [&["open", id, "--purpose", "x"][..], &["ack", id], &["erase", id, "--reason", "x"]] {
            let said = japan.run(command);
            assert_eq!(said.code, 1, "{command:?}: {} {}", said.out, said.err);
        }
        assert_eq!(japan.run(&["show", "KG-1"]).code, 1, "its registry number is known");
        let shown = japan.run(&["--json", "show", id]).good().json().remove(0);
        let last = shown["history"].as_array().unwrap().last().unwrap().clone();
        assert_eq!((&last["event"], &last["detail"]), (&"ERASED".into(), &"person-2".into()));
        let told = japan.run(&["--json", "erase", id]).good().json();
        assert_eq!(told.iter().filter(|told| told["state"] == "ERASED").count(), 1);
        assert!(told.iter().any(|told| told["reason"] == "a request under the law"), "the reason is gone");
        japan.run(&["open", "KG-2", "--purpose", "to see it"]).good();
    };
    gone(&japan);
    assert!(holds(&partner, &bytes), "the other side's copy is its own");
    // A start reads no facts of it, and is in the same state; so after a kill.
    japan.stop();
    japan.start();
    gone(&japan);
    japan.kill();
    japan.start();
    gone(&japan);
    // The number is free again, and the channel goes on.
    partner.submit(&general(false, "KG-3", "more")).good();
    partner.until_delivered();
    let (one, other) = (exported(&japan), exported(&partner));
    let said = verbale(&["audit", "verify", one.to_str().unwrap(), "--json"], None).good().json().remove(0);
    assert_eq!((&said["entries"]["erased"], &said["entries"]["received"]), (&1.into(), &3.into()));
    verbale(&["audit", "reconcile", one.to_str().unwrap(), other.to_str().unwrap()], None).good();
    crate::audit::sound(&japan, &partner);

    // Keys that are gone though nobody erased them are damage, and stop the start.
    partner.stop();
    let keyring = partner.dir.join("journal/keyring");
    std::fs::write(&keyring, vec![0; read(&keyring).len()]).unwrap();
    let said = partner.run(&["serve"]);
    assert!(said.code == 4 && said.err.contains("keyring"), "{} {}", said.code, said.err);
}

fn contact_change(number: &str) -> String {
    let change = json!({
        "notice_id": number, "memorandum": "JP-KG-SSW-2023", "flow": "F36", "kind": "CONTACT_POINT_CHANGE", "clause": "2",
        "from": {"party": "KG", "office": "KG-MLSSM-CECA"}, "to": {"party": "JP", "office": "JP-MOJ-ISA-RMD"},
        "issued_at": "2026-02-03T10:15:00+09:00", "classification": "CONFIDENTIAL", "receiver_obligation": "ACKNOWLEDGE",
        "languages": ["en"], "body": {"new_contact": {"name_en": "Another Division", "key_fingerprint": "none"},
        "effective_at": "2026-12-01T00:00:00+09:00"},
    });
    change.to_string()
}

#[test]
fn a_draft_that_is_given_up_leaves_its_entry_and_nothing_of_what_it_says() {
    let (japan, mut partner) = pair();
    partner.submit(&contact_change("KG-36")).good();
    partner.second(&["open", "KG-36", "--purpose", "approval"]).good();
    let id = partner.run(&["--json", "drafts"]).good().json()[0]["message_id"].as_str().unwrap().to_owned();
    let bytes = last_sealed(&partner);
    assert!(holds(&partner, &bytes));
    let said = partner.run(&["drop", "KG-36"]).good();
    assert!(said.out.contains("erased"), "{}", said.out);
    assert!(!holds(&partner, &bytes), "what was given up is left");
    // It is no damage to the next start, and its number is free.
    partner.kill();
    partner.start();
    assert_eq!(partner.run(&["--json", "drafts"]).good().out, "");
    assert_eq!(partner.run(&["open", &id, "--purpose", "x"]).code, 1);
    partner.submit(&contact_change("KG-36")).good();
    partner.second(&["open", "KG-36", "--purpose", "approval"]).good();
    partner.second(&["approve", "KG-36"]).good();
    partner.until_delivered();
    let dir = exported(&partner);
    verbale(&["audit", "verify", dir.to_str().unwrap()], None).good();
    crate::audit::sound(&japan, &partner);
}

#[test]
fn a_notice_that_was_a_draft_goes_from_both_its_places() {
    let (mut japan, partner) = pair();
    partner.submit(&contact_change("KG-36")).good();
    partner.second(&["open", "KG-36", "--purpose", "approval"]).good();
    partner.second(&["approve", "KG-36"]).good();
    partner.until_delivered();
    let bytes = sealed(&partner, "KG-36");
    partner.run(&["erase", "KG-36", "--reason", "no longer needed"]).good();
    assert!(holds(&partner, &bytes));
    partner.second(&["erase", "KG-36", "--confirm"]).good();
    assert!(!holds(&partner, &bytes), "the draft's bytes are left");
    refused(&japan.run(&["erase", "KG-36", "--reason", "x"]), "STILL_NEEDED");
    // What it was needed for is done: it goes from all that is derived of it, and a start ends in the same state.
    japan.run(&["ack", "KG-36"]).good();
    assert!(japan.run(&["--json", "duties", "--closed"]).good().out.contains("KG-36"));
    japan.run(&["erase", "KG-36", "--reason", "no longer needed"]).good();
    japan.second(&["erase", "KG-36", "--confirm"]).good();
    let after = derived(&japan);
    assert!(!format!("{after:?}").contains("KG-36"), "{after:?}");
    japan.stop();
    japan.start();
    assert_eq!(derived(&japan), after);
    crate::audit::sound(&japan, &partner);
}

#[test]
fn a_consultation_is_over_for_each_side_when_that_says_so() {
    let (japan, mut partner) = pair();
    let mut asked: Value = serde_json::from_str(&general(false, "KG-35", "text")).unwrap();
    (asked["flow"], asked["kind"]) = ("F35".into(), "DISPUTE_CONSULTATION".into());
    asked["body"] = json!({"subjects": ["a"], "proposed_dates": ["2026-03-01"], "format": "online", "agenda": "one"});
    partner.submit(&asked.to_string()).good();
    partner.until_delivered();
    let open = |node: &Node| node.run(&["--json", "duties"]).good().json().len();
    assert_eq!((open(&japan), open(&partner)), (1, 1));
    refused(&partner.run(&["erase", "KG-35", "--reason", "x"]), "STILL_NEEDED");
    let first = partner.run(&["--json", "ack", "KG-35"]).good().json().remove(0);
    assert_eq!(partner.run(&["--json", "ack", "KG-35"]).good().json()[0], first, "it was logged twice");
    partner.stop();
    partner.start();
    assert_eq!((open(&japan), open(&partner)), (1, 0));
    assert_eq!(partner.list("outbox")[0]["state"], "DELIVERED");
    partner.run(&["erase", "KG-35", "--reason", "the dispute is over"]).good();
    // Nothing else that was sent is acknowledged by who sent it.
    partner.submit(&general(false, "KG-1", "text")).good();
    partner.until_delivered();
    refused(&partner.run(&["ack", "KG-1"]), "NO_SUCH_NOTICE");
    japan.run(&["ack", "KG-35"]).good();
    assert_eq!(open(&japan), 0);
    crate::audit::sound(&japan, &partner);
}

/// What a node derives from its notices.
fn derived(node: &Node) -> Vec<Vec<Value>> {
    let asked: [&[&str]; 7] = [
        &["list", "inbox"],
        &["list", "outbox"],
        &["duties"],
        &["duties", "--closed"],
        &["consent", "list"],
        &["disclosures"],
        &["memorandum", "list"],
    ];
    asked.iter().map(|command| node.run(&[&["--json"], *command].concat()).good().json()).collect()
}

#[test]
fn the_number_of_a_refused_notice_is_anothers_and_that_one_stays() {
    let (mut japan, mut partner) = pair();
    // The two hold different terms for a while: the first is refused, and its number free again.
    let file = partner.dir.join("memoranda/JP-KG-SSW-2023.toml");
    let terms = std::fs::read_to_string(&file).unwrap();
    partner.stop();
    std::fs::write(&file, terms.replace("Ministry of Justice", "Another Ministry")).unwrap();
    partner.start();
    // A report that asks for an investigation, and answers nothing.
    let all = crate::notices::under("JP-KG-SSW-2023")
        .into_iter()
        .map(|(_, line)| serde_json::from_str::<Value>(&line).unwrap());
    let notice = all.into_iter().find(|notice| notice["flow"] == "F11" && notice["correlates_to"].is_null()).unwrap();
    let number = notice["notice_id"].as_str().unwrap().to_owned();
    let first = japan.submit(&notice.to_string()).good().json().remove(0)["message_id"].as_str().unwrap().to_owned();
    japan.until_delivered();
    let shown = japan.run(&["--json", "show", &first]).good().json().remove(0);
    assert_eq!(shown["notice"]["code"], "MEMORANDUM_MISMATCH", "{shown}");
    partner.stop();
    std::fs::write(&file, terms).unwrap();
    partner.start();
    japan.submit(&notice.to_string()).good();
    japan.until_delivered();
    japan.run(&["erase", &first, "--reason", "refused"]).good();
    japan.second(&["erase", &first, "--confirm"]).good();
    // The second one is there, with what it asks for, and so it is after a start.
    let before = derived(&japan);
    assert!(before[2].iter().any(|duty| duty.to_string().contains(&number)), "{:?}", before[2]);
    refused(&japan.run(&["erase", &number, "--reason", "x"]), "STILL_NEEDED");
    japan.stop();
    japan.start();
    assert_eq!(derived(&japan), before);
}

#[test]
fn what_an_end_cut_off_is_erased_at_the_next_start() {
    let (mut japan, partner) = pair();
    for number in ["KG-1", "KG-2"] {
        partner.submit(&general(false, number, "a text")).good();
    }
    partner.until_delivered();
    japan.run(&["ack", "KG-1"]).good();
    japan.run(&["erase", "KG-1", "--reason", "a request"]).good();
    let keyring = japan.dir.join("journal/keyring");
    let before = read(&keyring);
    japan.second(&["erase", "KG-1", "--confirm"]).good();
    japan.stop();
    let erased = read(&keyring);
    assert_ne!(before, erased);
    // As if the node had ended between the entry and the keys.
    std::fs::write(&keyring, &before).unwrap();
    japan.start();
    let state = derived(&japan);
    japan.stop();
    assert_eq!(read(&keyring), erased, "the keys are there");
    japan.start();
    assert_eq!(derived(&japan), state);
    japan.run(&["open", "KG-2", "--purpose", "to see it"]).good();
}
