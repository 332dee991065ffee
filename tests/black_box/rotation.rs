//! Another TLS key and another age identity: counterparts take the next card by themselves, nothing under way is lost, and the keys before are
//! destroyed when nobody needs them.

use std::fs;

use serde_json::{Value, json};

use crate::hostile::{Attacker, MEMORANDUM};
use crate::node::{Node, Said, pair, until, verbale};
use crate::notices::general;

pub(crate) fn status(node: &Node) -> Value {
    node.run(&["--json", "status"]).good().json().remove(0)
}

/// The serial of the other side's card.
pub(crate) fn serial(node: &Node) -> u64 {
    status(node)["peers"][0]["serial"].as_u64().unwrap()
}

pub(crate) fn rotate(node: &mut Node, role: &str) -> Said {
    node.stop();
    let said = node.run(&["--json", "keys", "rotate", role]);
    node.start();
    said
}

/// Both send, and both get it.
pub(crate) fn talk(japan: &Node, partner: &Node, number: u32) {
    japan.submit(&general(true, &format!("JP-{number}"), "a text")).good();
    partner.submit(&general(false, &format!("KG-{number}"), "a text")).good();
    japan.until_delivered();
    partner.until_delivered();
}

pub(crate) fn settles(node: &Node) {
    until("no earlier key is needed", || status(node)["earlier_keys"] == json!([]));
    let left = fs::read_dir(node.dir.join("keys")).unwrap().flatten().map(|entry| entry.file_name());
    let left: Vec<String> = left.map(|name| name.to_string_lossy().into_owned()).collect();
    let numbered = |name: &String| name.starts_with("tls-") || name.starts_with("age-");
    assert!(!left.iter().any(numbered), "an earlier key was not destroyed: {left:?}");
}

pub(crate) fn verified(japan: &Node, partner: &Node, name: &str) -> Value {
    let dirs = [japan, partner].map(|node| {
        let dir = node.dir.join(name);
        node.run(&["audit", "export", dir.to_str().unwrap()]).good();
        dir.to_str().unwrap().to_owned()
    });
    let said = dirs.iter().map(|dir| verbale(&["audit", "verify", dir, "--json"], None).good().json().remove(0));
    let said: Vec<Value> = said.collect();
    verbale(&["audit", "reconcile", &dirs[0], &dirs[1]], None).good();
    said[0].clone()
}

#[test]
fn a_tls_key_is_replaced_and_both_sides_may_do_so_at_once() {
    let (mut japan, mut partner) = pair();
    talk(&japan, &partner, 1);
    let refused = japan.run(&["keys", "rotate", "tls"]);
    assert!(refused.code == 1 && refused.err.contains("running"), "{} {}", refused.code, refused.err);
    japan.stop();
    let (card_key, aside) = (japan.dir.join("keys/card.pem"), japan.dir.join("card.pem.aside"));
    fs::rename(&card_key, &aside).unwrap();
    let refused = japan.run(&["keys", "rotate", "tls"]);
    assert!(refused.code == 1 && refused.err.contains("card.pem"), "{} {}", refused.code, refused.err);
    fs::rename(&aside, &card_key).unwrap();
    let old = ["card.txt", "keys/tls.pem"].map(|name| (name, fs::read(japan.dir.join(name)).unwrap()));
    let before = Attacker::of(&japan);
    japan.start();
    assert_eq!(rotate(&mut japan, "tls").good().json()[0]["serial"], 2);
    until("the counterpart takes the card", || serial(&partner) == 2);
    settles(&japan);
    talk(&japan, &partner, 2);
    // Whoever copied the key before is not let in any more, nor after a restart.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let is_let_in = |partner: &Node| runtime.block_on(before.open(&partner.address, MEMORANDUM)).is_ok();
    assert!(!is_let_in(&partner));
    japan.stop();
    partner.stop();
    partner.start();
    assert!(!is_let_in(&partner));
    japan.start();
    // Both, before either knows of the other's.
    japan.stop();
    partner.stop();
    for node in [&japan, &partner] {
        node.run(&["keys", "rotate", "tls"]).good();
    }
    japan.start();
    partner.start();
    until("both take the cards", || (serial(&japan), serial(&partner)) == (2, 3));
    settles(&japan);
    settles(&partner);
    talk(&japan, &partner, 3);
    // Cut off before everything is made: nothing has changed.
    japan.stop();
    let making = japan.dir.join("rotate");
    fs::create_dir(&making).unwrap();
    fs::write(making.join("ready.new"), "tls").unwrap();
    japan.start();
    // Cut off between the key and the card: it is gone on with, and nothing starts before.
    japan.stop();
    japan.run(&["keys", "rotate", "tls"]).good();
    fs::create_dir(&making).unwrap();
    fs::rename(japan.dir.join("card.txt"), making.join("card.txt")).unwrap();
    fs::rename(japan.dir.join("card.3.txt"), japan.dir.join("card.txt")).unwrap();
    fs::write(making.join("ready"), "tls.pem 4").unwrap();
    let said = japan.run(&["serve"]);
    assert!(said.code != 0 && said.err.contains("keys rotate"), "{} {}", said.code, said.err);
    assert_eq!(japan.run(&["--json", "keys", "rotate", "tls"]).good().json()[0]["serial"], 4);
    japan.start();
    until("the counterpart takes the card", || serial(&partner) == 4);
    talk(&japan, &partner, 4);
    settles(&japan);
    let said = verified(&japan, &partner, "export");
    assert_eq!(said["sound"], true, "{said}");
    crate::audit::sound(&japan, &partner);
    // The card before is not put back by mistake.
    japan.stop();
    for (name, bytes) in old {
        fs::write(japan.dir.join(name), bytes).unwrap();
    }
    let said = japan.run(&["serve"]);
    assert!(said.code != 0 && said.err.contains("another card, 4"), "{} {}", said.code, said.err);
}

#[test]
fn an_age_identity_is_replaced_and_what_was_under_way_opens() {
    let (mut japan, partner) = pair();
    talk(&japan, &partner, 1);
    let identity = fs::read_to_string(japan.dir.join("keys/age.txt")).unwrap();
    // Sealed to the key before, one of them a draft; the receiver is away.
    japan.stop();
    partner.submit(&general(false, "KG-2", "under way")).good();
    let change = json!({
        "notice_id": "KG-36", "memorandum": "JP-KG-SSW-2023", "flow": "F36", "kind": "CONTACT_POINT_CHANGE", "clause": "2",
        "from": {"party": "KG", "office": "KG-MLSSM-CECA"}, "to": {"party": "JP", "office": "JP-MOJ-ISA-RMD"},
        "issued_at": "2026-02-03T10:15:00+09:00", "classification": "CONFIDENTIAL", "receiver_obligation": "ACKNOWLEDGE",
        "languages": ["en"], "body": {"new_contact": {"name_en": "Another Division", "key_fingerprint": "none"},
        "effective_at": "2026-12-01T00:00:00+09:00"},
    });
    partner.submit(&change.to_string()).good();
    japan.run(&["keys", "rotate", "age"]).good();
    assert_eq!(fs::read_to_string(japan.dir.join("keys/age-1.txt")).unwrap(), identity);
    japan.start();
    partner.until_delivered();
    until("the counterpart takes the card", || serial(&partner) == 2);
    settles(&japan);
    // Opened when it came, and again by the keyring, with the identity gone.
    for number in ["KG-1", "KG-2"] {
        japan.run(&["open", number, "--purpose", "to see it"]).good();
    }
    // A draft that was sealed to the key before does not leave; submitted again it does.
    partner.second(&["open", "KG-36", "--purpose", "approval"]).good();
    let said = partner.second(&["approve", "KG-36"]);
    assert!(said.code == 1 && said.err.contains("COUNTERPART_NOT_ENROLLED"), "{} {}", said.code, said.err);
    partner.run(&["drop", "KG-36"]).good();
    partner.submit(&change.to_string()).good();
    partner.second(&["open", "KG-36", "--purpose", "approval"]).good();
    partner.second(&["approve", "KG-36"]).good();
    talk(&japan, &partner, 3);
    japan.run(&["open", "KG-36", "--purpose", "to see it"]).good();
    let said = verified(&japan, &partner, "export");
    assert_eq!((&said["sound"], &said["entries"]["refused"]), (&true.into(), &0.into()), "{said}");
    crate::audit::sound(&japan, &partner);
}

/// It began its next log with a card of the other side whose key is gone: the certificate shows the later one.
#[test]
fn a_copy_that_pins_a_key_that_is_gone_takes_the_later_card() {
    let (mut japan, mut partner) = pair();
    talk(&japan, &partner, 1);
    partner.stop();
    let kept = partner.dir.with_file_name("kept");
    crate::heads::copy(&partner.dir, &kept);
    partner.start();
    rotate(&mut japan, "tls").good();
    until("the counterpart takes the card", || serial(&partner) == 2);
    settles(&japan);
    talk(&japan, &partner, 2);
    partner.stop();
    fs::remove_dir_all(&partner.dir).unwrap();
    fs::rename(&kept, &partner.dir).unwrap();
    partner.start();
    partner.stop();
    partner.run(&["recover", "--confirm"]).good();
    partner.start();
    until("the channel is resumed", || {
        partner.submit(&general(false, "KG-3", "a text")).json()[0]["outcome"] == "accepted"
    });
    partner.until_delivered();
    japan.submit(&general(true, "JP-3", "a text")).good();
    japan.until_delivered();
    verified(&japan, &partner, "export");
}

/// Puts back a copy from before a node got a notice and made other cards, which the counterpart took.
fn put_back(japan: &mut Node, partner: &Node, cards: u64) -> std::path::PathBuf {
    talk(japan, partner, 1);
    japan.stop();
    let (kept, last) = (japan.dir.with_file_name("kept"), japan.dir.with_file_name("last-card.txt"));
    crate::heads::copy(&japan.dir, &kept);
    japan.start();
    partner.submit(&general(false, "KG-LOST", "a text")).good();
    partner.until_delivered();
    for made in 0..cards {
        rotate(japan, "age").good();
        until("the counterpart takes the card", || serial(partner) == made + 2);
    }
    japan.stop();
    fs::copy(japan.dir.join("card.txt"), &last).unwrap();
    fs::remove_dir_all(&japan.dir).unwrap();
    fs::rename(&kept, &japan.dir).unwrap();
    last
}

fn goes_on(japan: &Node, partner: &Node) {
    until("the channel is resumed", || {
        japan.submit(&general(true, "JP-2", "a text")).json()[0]["outcome"] == "accepted"
    });
    japan.until_delivered();
    partner.submit(&general(false, "KG-2", "a text")).good();
    partner.until_delivered();
    // What was lost came again, sealed to a key that was kept for it.
    japan.run(&["open", "KG-LOST", "--purpose", "to see it"]).good();
    settles(japan);
    // Of the cards that were lost nobody is accused.
    let said = verified(japan, partner, "export");
    let breaks = said["breaks"].as_array().unwrap();
    assert!(breaks.iter().any(|at| at["closed"] == "verbale/JP-MOJ-ISA-RMD/1"), "{said}");
}

#[test]
fn cards_that_were_lost_with_a_log_accuse_nobody() {
    let (mut japan, partner) = pair();
    let last = put_back(&mut japan, &partner, 2);
    japan.run(&["recover", "--confirm", "--known-card", last.to_str().unwrap()]).good();
    japan.start();
    goes_on(&japan, &partner);
}

#[test]
fn a_card_made_without_knowing_of_one_that_was_lost_is_told_so_and_the_next_one_counts() {
    let (mut japan, partner) = pair();
    put_back(&mut japan, &partner, 1);
    japan.run(&["recover", "--confirm"]).good();
    japan.start();
    let trouble = || status(&japan)["heads"][0]["trouble"].as_str().unwrap_or_default().to_owned();
    until("the counterpart says so", || {
        trouble().contains("knows card 2") && trouble().contains("recover --known-card")
    });
    japan.stop();
    let card = crate::heads::heads(&japan).join("told/KG-MLSSM-CECA.card");
    japan.run(&["recover", "--known-card", card.to_str().unwrap(), "--confirm"]).good();
    japan.start();
    until("the counterpart takes the card", || serial(&partner) == 3);
    goes_on(&japan, &partner);
}
