//! Keys that are taken back: the counterpart refuses everything, until another card is enrolled by hand.

use std::fs;

use crate::hostile::{Attacker, Craft, MEMORANDUM, Target, card};
use crate::node::{Node, Said, pair, until, verbale};
use crate::notices::general;
use crate::rotation::{serial, status, talk};

fn keys_of(node: &Node) -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(node.dir.join("keys")).unwrap().flatten();
    files.map(|file| (file.file_name().to_string_lossy().into_owned(), fs::read(file.path()).unwrap())).collect()
}

/// Enrols the present card of a node by hand.
fn enrol(at: &Node, of: &Node) -> Said {
    let file = of.dir.join("card.txt");
    let args = ["card", "enrol", file.to_str().unwrap(), "--fingerprint", &of.fingerprint, "--address", &of.address];
    at.run(&args).good()
}

#[test]
fn a_revoked_node_is_refused_until_its_next_card_is_enrolled_by_hand() {
    let (mut japan, partner) = pair();
    talk(&japan, &partner, 1);
    let stolen = keys_of(&japan);
    let thief = Attacker::of(&japan);
    let refused = japan.run(&["keys", "revoke"]);
    assert!(refused.code == 1 && refused.err.contains("running"), "{} {}", refused.code, refused.err);
    japan.stop();
    // Under way to the identity that is revoked.
    partner.submit(&general(false, "KG-2", "under way")).good();
    assert_eq!(japan.run(&["--json", "keys", "revoke"]).good().json()[0]["serial"], 2);
    assert_eq!(japan.run(&["--json", "keys", "revoke"]).good().json()[0]["serial"], 2);
    let refused = japan.run(&["keys", "rotate", "tls"]);
    assert!(refused.code == 1 && refused.err.contains("recover"), "{} {}", refused.code, refused.err);
    let shown = verbale(&["audit", "card", japan.dir.join("card.txt").to_str().unwrap()], None).good().out;
    assert!(shown.contains("REVOKED"), "{shown}");
    japan.start();
    until("the counterpart takes the revocation", || status(&partner)["peers"][0]["revoked"] == true);
    // It says so on both sides, and does nothing more.
    until("the revoked node knows that it was taken", || {
        status(&japan)["heads"][0]["trouble"].as_str().unwrap().contains("CARD_REVOKED")
    });
    let said = status(&japan);
    assert!(said["held_back"].as_str().unwrap().contains("revoked"), "{said}");
    let refused = japan.submit(&general(true, "JP-2", "a text"));
    assert!(refused.code != 0 && refused.err.contains("revoked"), "{} {}", refused.code, refused.err);
    let refused = partner.submit(&general(false, "KG-3", "a text"));
    assert!(refused.code == 1 && refused.out.contains("revoked"), "{} {}", refused.code, refused.out);
    japan.stop();
    // Whoever has the keys is not even let in.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let opened = runtime.block_on(thief.open(&partner.address, MEMORANDUM));
    assert!(opened.is_err(), "a revoked key opened a channel");
    // Nor does a restart forget it, nor a later card that comes by itself.
    let mut partner = partner;
    partner.stop();
    partner.start();
    assert_eq!(status(&partner)["peers"][0]["revoked"], true);
    assert!(runtime.block_on(thief.open(&partner.address, MEMORANDUM)).is_err());
    // New keys of every role, with the next log.
    let seen = japan.run(&["recover"]);
    assert!(seen.code == 1 && seen.out.contains("new keys of every role"), "{} {}", seen.code, seen.out);
    japan.run(&["recover", "--confirm"]).good();
    let left = keys_of(&japan);
    let kept = |name: &str| {
        ["card.pem", "archive.key"].contains(&name) || name.starts_with("log-") || name.starts_with("age-")
    };
    for (name, key) in &left {
        let is_old = stolen.iter().any(|(_, stolen)| stolen == key);
        assert_eq!(is_old, kept(name), "{name}");
    }
    assert_eq!((serial(&partner), status(&partner)["peers"][0]["revoked"].clone()), (2, true.into()));
    enrol(&partner, &japan);
    assert_eq!(serial(&partner), 3);
    // Not even before the new key was seen.
    assert!(runtime.block_on(thief.open(&partner.address, MEMORANDUM)).is_err());
    japan.start();
    partner.until_delivered();
    until("the channel is resumed", || japan.submit(&general(true, "JP-4", "a text")).code == 0);
    talk(&japan, &partner, 5);
    for number in ["KG-1", "KG-2", "KG-5"] {
        japan.run(&["open", number, "--purpose", "to see it"]).good();
    }
    // The keys of before are worth nothing.
    assert!(runtime.block_on(thief.open(&partner.address, MEMORANDUM)).is_err());
    assert!(runtime.block_on(refused_under_new_tls(&thief, &japan, &partner)).starts_with("REJECTED"));
    let dirs = [&japan, &partner].map(|node| {
        let dir = node.dir.join("export");
        node.run(&["audit", "export", dir.to_str().unwrap()]).good();
        dir.to_str().unwrap().to_owned()
    });
    for dir in &dirs {
        verbale(&["audit", "verify", dir], None).good();
    }
    verbale(&["audit", "reconcile", &dirs[0], &dirs[1]], None).good();
}

/// A notice under the key of before, over the present connection.
async fn refused_under_new_tls(thief: &Attacker, japan: &Node, partner: &Node) -> String {
    let present = Attacker::of(japan);
    let mut link = present.open(&partner.address, MEMORANDUM).await.unwrap();
    let theirs = card(partner);
    let target = Target { card: &theirs, memorandum: MEMORANDUM };
    let notice = Craft::honest(thief, &target, &link, &general(true, "JP-F", "forged")).make();
    link.batch(vec![notice]).await;
    link.verdict().await
}

#[test]
fn a_revocation_that_was_cut_off_at_any_step_is_gone_on_with() {
    let (mut japan, partner) = pair();
    talk(&japan, &partner, 1);
    japan.stop();
    // Before everything is made nothing has changed.
    let (making, card) = (japan.dir.join("rotate"), japan.dir.join("card.txt"));
    fs::create_dir(&making).unwrap();
    fs::write(making.join("card.txt"), "half a card").unwrap();
    fs::write(making.join("ready.new"), "revo").unwrap();
    japan.start();
    talk(&japan, &partner, 2);
    japan.stop();
    assert_eq!(japan.run(&["--json", "keys", "revoke"]).good().json()[0]["serial"], 2);
    let before = japan.dir.join("card.1.txt");
    let revoked = fs::read(&card).unwrap();
    let steps: [(&str, &dyn Fn()); 3] = [
        ("made, and nothing is in its place", &|| {
            fs::rename(&card, making.join("card.txt")).unwrap();
            fs::rename(&before, &card).unwrap();
        }),
        ("the card before is set aside", &|| fs::rename(&card, making.join("card.txt")).unwrap()),
        ("all is in its place, and the mark is left", &|| ()),
    ];
    for (step, cut_off) in steps {
        fs::create_dir(&making).unwrap();
        cut_off();
        fs::write(making.join("ready"), "revoked 2").unwrap();
        let said = japan.run(&["serve"]);
        assert!(said.code != 0 && said.err.contains("verbale keys revoke"), "{step}: {} {}", said.code, said.err);
        // Another command names it, and does nothing.
        for other in [["keys", "rotate", "tls"].as_slice(), &["recover"]] {
            let said = japan.run(other);
            assert!(said.code != 0 && said.err.contains("verbale keys revoke"), "{step}: {} {}", said.code, said.err);
        }
        assert!(making.exists(), "{step}");
        assert_eq!(japan.run(&["--json", "keys", "revoke"]).good().json()[0]["serial"], 2, "{step}");
        assert_eq!(
            (fs::read(&card).unwrap(), making.exists(), before.exists()),
            (revoked.clone(), false, true),
            "{step}"
        );
    }
    japan.start();
    until("the counterpart takes the revocation", || status(&partner)["peers"][0]["revoked"] == true);
}

/// The network is away: a person enters it, and is told what it is.
#[test]
fn a_revocation_that_is_entered_by_hand_is_called_one() {
    let (mut japan, partner) = pair();
    japan.stop();
    japan.run(&["keys", "revoke"]).good();
    let said = enrol(&partner, &japan).out;
    assert!(said.starts_with("REVOKED") && !said.contains("Enrolled"), "{said}");
    assert_eq!(status(&partner)["peers"][0]["revoked"], true);
}
