//! Another key for statements and for cosignatures: what was signed before stays signed, each channel tells from which number on the later key
//! counts, and whoever holds the earlier one speaks for nobody.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::disclosure::{Side, three};
use crate::hostile::{Attacker, Craft, MEMORANDUM, Target, card};
use crate::node::{Node, pair, until, verbale};
use crate::notices::general;
use crate::rotation::{rotate, serial, status, talk, verified};

/// The number that the next notice of the one channel gets.
fn next_number(node: &Node) -> Value {
    status(node)["channels"][0]["next_number"].clone()
}

/// The cards that an export of a node's log has.
fn cards_of(node: &Node, name: &str) -> Vec<String> {
    let dir = node.dir.parent().unwrap().join(name);
    node.run(&["audit", "export", dir.to_str().unwrap()]).good();
    let keys = fs::read_dir(dir.join("keys")).unwrap().flatten().map(|entry| entry.path().to_str().unwrap().to_owned());
    keys.filter(|path| Path::new(path).extension().is_some_and(|ending| ending == "card")).collect()
}

/// What a stranger says of a file, with these cards.
fn check(what: &str, file: &Path, cards: &[String]) -> crate::node::Said {
    let mut args = vec!["audit", what, file.to_str().unwrap(), "--json"];
    args.extend(cards.iter().flat_map(|card| ["--card", card.as_str()]));
    verbale(&args, None)
}

#[test]
fn a_later_key_signs_from_a_number_on_and_the_earlier_one_speaks_for_nobody() {
    let (mut japan, mut partner) = pair();
    talk(&japan, &partner, 1);
    // Somebody copied the partner's keys.
    let thief = Attacker::of(&partner);
    let envelope_key = fs::read(partner.dir.join("keys/envelope.pem")).unwrap();
    // Signed with the key before, and under way; the receiver is away.
    japan.stop();
    partner.submit(&general(false, "KG-2", "under way")).good();
    partner.stop();
    partner.run(&["keys", "rotate", "envelope"]).good();
    let left = fs::read_dir(partner.dir.join("keys")).unwrap().flatten();
    let left: Vec<Vec<u8>> = left.map(|entry| fs::read(entry.path()).unwrap()).collect();
    assert!(!left.contains(&envelope_key), "the key before was not destroyed");
    partner.start();
    japan.start();
    partner.until_delivered();
    until("the counterpart takes the card", || serial(&japan) == 2);
    // Two notices, and the statement of the card.
    assert_eq!(next_number(&partner), 4);
    // The channel is told, though nothing else was sent in it: the key that was copied is worth nothing.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(speaks_for_nobody(&thief, &japan));
    assert_eq!(status(&japan)["rejected"]["EARLIER_KEY"], 2);
    talk(&japan, &partner, 3);
    for number in ["KG-1", "KG-2", "KG-3"] {
        japan.run(&["open", number, "--purpose", "to see it"]).good();
    }
    // Receipts of both times are checked by whoever holds both cards.
    for number in ["KG-1", "KG-3"] {
        partner.run(&["receipts", number]).good();
    }
    // Both, at once, and the cosigners too.
    for role in ["envelope", "cosigner"] {
        japan.stop();
        rotate(&mut partner, role).good();
        japan.run(&["keys", "rotate", role]).good();
        japan.start();
        until("both take the cards", || serial(&japan) == serial(&partner) + 1);
    }
    talk(&japan, &partner, 4);
    until("the head is cosigned", || status(&japan)["heads"][0]["cosigned_size"].as_u64() > Some(0));
    let said = verified(&japan, &partner, "export");
    assert_eq!((&said["sound"], &said["entries"]["refused"]), (&true.into(), &0.into()), "{said}");
    crate::audit::sound(&japan, &partner);
    // A restart reads all of it again.
    japan.stop();
    japan.start();
    talk(&japan, &partner, 5);
    japan.run(&["open", "KG-1", "--purpose", "to see it"]).good();
}

/// Whoever holds a key of an earlier card.
async fn speaks_for_nobody(thief: &Attacker, japan: &Node) {
    let japans = card(japan);
    let target = Target { card: &japans, memorandum: MEMORANDUM };
    let forged = |link: &_, number: &str| Craft::honest(thief, &target, link, &general(false, number, "forged"));
    let mut link = thief.open(&japan.address, MEMORANDUM).await.unwrap();
    let craft = forged(&link, "KG-F1");
    link.batch(vec![craft.make()]).await;
    assert_eq!(link.verdict().await, "REJECTED EARLIER_KEY");
    // Not even as a second statement under a used number, which would convict the partner.
    let mut link = thief.open(&japan.address, MEMORANDUM).await.unwrap();
    let mut craft = forged(&link, "KG-F2");
    craft.statement.number = 1;
    craft.statement.previous = vec![0; 32];
    link.batch(vec![craft.make()]).await;
    assert_eq!(link.verdict().await, "REJECTED EARLIER_KEY");
}

#[test]
fn what_was_released_before_is_checked_and_made_again_with_both_cards() {
    let [mut japan, mut kyrgyz, _tajik] = three();
    let to = ["KG-A", "--to", "JP-NPA", "--fields", "exam", "--purpose", "investigation"];
    let (_, before) = japan.disclose("before", &to);
    rotate(&mut japan.0, "envelope").good();
    rotate(&mut kyrgyz.0, "envelope").good();
    until("both take the cards", || serial(&japan.0) == 2 && serial(&kyrgyz.0) == 2);
    let (_, after) = japan.disclose("after", &to);
    let of = |cards: &[String], id: &str| -> Vec<String> {
        cards.iter().filter(|path| path.contains(id)).cloned().collect()
    };
    let all = cards_of(&japan.0, "cards");
    let both = [of(&all, "KG-MLSSM-CECA"), of(&all, "JP-MOJ-ISA-RMD")].concat();
    assert_eq!(both.len(), 4);
    for file in [&before, &after] {
        let checked = check("presentation", file, &both).good().json().remove(0);
        assert_eq!(checked["said"]["exam"]["name"], "An Exam");
    }
    // With the present cards alone neither is proven, and the answer says what is missing.
    let present = [kyrgyz.card(), japan.card()];
    for file in [&before, &after] {
        let said = check("presentation", file, &present);
        assert!(said.code == 4 && said.err.contains("card"), "{} {}", said.code, said.err);
    }
    // The account names both releases; the one before with the signature of its time.
    let file = kyrgyz.0.dir.parent().unwrap().join("account");
    kyrgyz.0.run(&["disclosures", "--of", "KG-A", "--ask", "--out", file.to_str().unwrap()]).good();
    let checked = check("account", &file, &of(&all, "JP-MOJ-ISA-RMD")).good().json().remove(0);
    let audiences: Vec<&Value> =
        checked["items"].as_array().unwrap().iter().map(|item| &item["audience_name"]).collect();
    assert_eq!(audiences, [&json!("JP-NPA"), &json!("JP-NPA")]);
    assert_eq!(check("account", &file, &[japan.card()]).code, 4);
    // Consent of the later key opens what the earlier one signed.
    consented(&japan, &kyrgyz, &both);
    crate::audit::sound(&japan.0, &kyrgyz.0);
}

fn consented(japan: &Side, kyrgyz: &Side, cards: &[String]) {
    crate::disclosure::enter(japan, "A Test Operator", "ORGANISATION");
    let request = japan.consent(&[
        "request",
        "KG-A",
        "--to",
        "A Test Operator",
        "--fields",
        "exam",
        "--purpose",
        "a check",
        "--until",
        "2099-12-31",
    ]);
    let grant = kyrgyz.consent(&["grant", &request, "--fields", "exam"]);
    let (judged, file) = japan.disclose("granted", &["KG-A", "--under", &grant]);
    assert_eq!(judged["code"], "CONSENT_OK");
    assert_eq!(check("presentation", &file, cards).good().json()[0]["audience_name"], "A Test Operator");
}
