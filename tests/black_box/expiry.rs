//! Cards end: a node says so in time, signs nothing afterwards, and takes nothing that a counterpart signed after its card was over.

use verbale_evidence::{Card, card_text, sign_card};
use verbale_keys::{SecretKey, read_secret_text};

use crate::heads::{held_back, send, status};
use crate::hostile::{Attacker, Craft, MEMORANDUM, Target, card, now_ms};
use crate::node::{Node, pair, until};
use crate::notices::general;
use crate::rotation::talk;

/// Puts a card with other days in the place of a node's; its card key signs it.
fn ends(node: &Node, change: impl FnOnce(&mut Card)) {
    let key = SecretKey::from_pem(&read_secret_text(&node.dir.join("keys/card.pem")).unwrap()).unwrap();
    let mut card = card(node);
    change(&mut card);
    let text = card_text(&sign_card(&card, &key).unwrap(), &card);
    std::fs::write(node.dir.join("card.txt"), text).unwrap();
}

const DAY_MS: i64 = 24 * 3600 * 1000;

#[test]
fn a_node_says_that_its_card_ends_and_signs_nothing_afterwards() {
    let (mut japan, partner) = pair();
    talk(&japan, &partner, 1);
    let people = japan.run(&["status"]).good().out;
    assert!(!people.contains("CARD"), "{people}");
    japan.stop();
    ends(&japan, |card| (card.serial, card.valid_until_ms) = (2, now_ms() + 30 * DAY_MS));
    japan.start();
    until("the counterpart takes the card", || status(&partner)["peers"][0]["serial"] == 2);
    let (own, theirs) = (japan.run(&["status"]).good().out, partner.run(&["status"]).good().out);
    assert!(own.contains("THE OWN CARD is over on") && own.contains("verbale keys rotate"), "{own}");
    assert!(theirs.contains("the card of JP-MOJ-ISA-RMD is over on"), "{theirs}");
    talk(&japan, &partner, 2);
    japan.stop();
    ends(&japan, |card| (card.serial, card.valid_until_ms) = (3, now_ms() - 1));
    japan.start();
    assert!(held_back(&japan).contains("its card is over"), "{}", held_back(&japan));
    let (size, said) = (status(&japan)["log_size"].clone(), send(&japan, 9));
    let text = format!("{}{}", said.out, said.err);
    assert!(said.code != 0 && text.contains("CARD_OVER") && text.contains("verbale keys rotate"), "{text}");
    assert_eq!(status(&japan)["log_size"], size);
    assert!(japan.run(&["status"]).good().out.contains("THE OWN CARD WAS OVER on"));
    // What is held can be read; what the counterpart sends waits.
    assert_eq!(japan.list("outbox").len(), 2);
    send(&partner, 9).good();
    japan.stop();
    japan.run(&["keys", "rotate", "cosigner"]).good();
    japan.start();
    partner.until_delivered();
    talk(&japan, &partner, 3);
    crate::audit::sound(&japan, &partner);
}

#[test]
fn what_a_counterpart_signs_after_its_card_was_over_is_not_taken() {
    let (mut japan, partner) = (Node::init("JP-MOJ-ISA-RMD"), Node::init("KG-MLSSM-CECA"));
    japan.start();
    ends(&partner, |card| card.valid_until_ms = now_ms() + 3000);
    japan.enrol(&partner).good();
    let (thief, japans) = (Attacker::of(&partner), card(&japan));
    until("the card is over", || thief.card.valid_until_ms < now_ms());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let target = Target { card: &japans, memorandum: MEMORANDUM };
        let mut link = thief.open(&japan.address, MEMORANDUM).await.unwrap();
        let craft = Craft::honest(&thief, &target, &link, &general(false, "KG-1", "too late"));
        link.batch(vec![craft.make()]).await;
        assert_eq!(link.verdict().await, "REJECTED CARD_OVER");
    });
    assert_eq!(status(&japan)["rejected"]["CARD_OVER"], 1);
    let people = japan.run(&["status"]).good().out;
    assert!(people.contains("the card of KG-MLSSM-CECA WAS OVER on"), "{people}");
}
