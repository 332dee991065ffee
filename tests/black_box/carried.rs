//! A log that took the place of one that took the place of another: nothing that the first of them told is proved less.

use serde_json::Value;

use crate::disclosure::{Side, three};
use crate::heads::{copy, cut_off_while_it_took_its_place, held_back, send, status};
use crate::node::{until, verbale};
use crate::rotation::rotate;
use crate::tampering::carried::changes_are_found;
use crate::tampering::checks_by_outsiders;
use crate::tampering::craft::Kept;

/// Puts an older copy of the folder back, behind one notice to each side that the copy does not have and behind what else happens meanwhile,
/// and begins the next log.
fn lose_and_recover(
    japan: &mut Side,
    partner: &mut Side,
    number: u32,
    meanwhile: impl FnOnce(&mut Side, &mut Side),
) -> Value {
    japan.0.stop();
    let copied = japan.0.dir.with_file_name(format!("copy-{number}"));
    copy(&japan.0.dir, &copied);
    japan.0.start();
    send(&japan.0, number).good();
    send(&partner.0, number).good();
    japan.0.until_delivered();
    partner.0.until_delivered();
    meanwhile(japan, partner);
    let size = status(&japan.0)["log_size"].clone();
    let of_partner = |head: &&Value| head["counterpart"] == "KG-MLSSM-CECA";
    until("the head is cosigned", || {
        let heads = status(&japan.0)["heads"].clone();
        heads.as_array().unwrap().iter().find(of_partner).unwrap()["cosigned_size"] == size
    });
    japan.0.stop();
    std::fs::remove_dir_all(&japan.0.dir).unwrap();
    copy(&copied, &japan.0.dir);
    let done = japan.0.run(&["--json", "recover", "--confirm"]).good().json().remove(0);
    japan.0.start();
    goes_on(japan, number + 1);
    done
}

/// Whether a notice of the Kyrgyz side is here.
fn came(japan: &Side, number: u32) -> bool {
    let number = format!("KG-X-2026-{number:06}");
    japan.0.list("inbox").iter().any(|notice| notice["notice_id"] == number.as_str())
}

fn release(japan: &Side, name: &str) -> std::path::PathBuf {
    let args = ["KG-A", "--to", "JP-NPA", "--fields", "exam", "--purpose", "investigation"];
    let (judged, file) = japan.disclose(name, &args);
    assert_eq!(judged["code"], "NOT_THIRD_PARTY");
    file
}

fn exported(side: &Side, name: &str) -> String {
    let dir = side.0.dir.with_file_name(name).to_str().unwrap().to_owned();
    side.0.run(&["audit", "export", &dir]).good();
    dir
}

fn verified(side: &Side) -> (String, Value) {
    let dir = exported(side, "export");
    let said = verbale(&["audit", "verify", &dir, "--json"], None).good().json().remove(0);
    (dir, said)
}

#[test]
fn a_log_is_carried_over_twice_and_places_in_each_of_the_three_are_told_apart() {
    let [mut japan, mut kyrgyz, tajik] = three();
    let first = release(&japan, "first");
    let first_card = std::fs::read_to_string(japan.card()).unwrap();
    let of_then = japan.0.dir.with_file_name("card-of-then");
    std::fs::write(&of_then, first_card).unwrap();
    let of_first = kyrgyz.0.dir.with_file_name("account-of-first").to_str().unwrap().to_owned();
    kyrgyz.0.run(&["disclosures", "--of", "KG-A", "--ask", "--out", &of_first]).good();
    let mut before = Vec::new();
    let once = lose_and_recover(&mut japan, &mut kyrgyz, 10, |japan, kyrgyz| {
        before = vec![exported(japan, "before"), exported(kyrgyz, "before")];
    });
    until("what was lost came again", || came(&japan, 10));
    release(&japan, "second");
    let twice = lose_and_recover(&mut japan, &mut kyrgyz, 20, |_, _| {});
    until("what was lost came again", || came(&japan, 20));
    assert_eq!(
        (&once["next"], &twice["next"]),
        (&"verbale/JP-MOJ-ISA-RMD/2".into(), &"verbale/JP-MOJ-ISA-RMD/3".into())
    );
    release(&japan, "third");
    // Both start from what they hold, and go on.
    for side in [&mut japan, &mut kyrgyz] {
        side.0.stop();
        side.0.start();
    }
    send(&japan.0, 30).good();
    send(&kyrgyz.0, 30).good();
    japan.0.until_delivered();
    kyrgyz.0.until_delivered();
    // The originator is told of all three releases, each by the log that told it first.
    let file = kyrgyz.0.dir.with_file_name("account").to_str().unwrap().to_owned();
    kyrgyz.0.run(&["disclosures", "--of", "KG-A", "--ask", "--out", &file]).good();
    let account = ["audit", "account", &file, "--card", &japan.card(), "--json"];
    let account = verbale(&account, None).good().json().remove(0);
    assert_eq!(account["items"].as_array().unwrap().len(), 3, "{account}");
    let whole = exported(&japan, "whole");
    for file in [&file, &of_first] {
        let cards = ["--card", &japan.card(), "--card", of_then.to_str().unwrap()];
        let said = verbale(&[["audit", "account", file, "--log", &whole].as_slice(), &cards].concat(), None).good();
        assert!(said.out.contains("nothing else up to there"), "{}", said.out);
    }
    // What left under the first log is checked with the card of then.
    let cards = ["--card", &kyrgyz.card(), "--card", of_then.to_str().unwrap()];
    verbale(&[&["audit", "presentation", first.to_str().unwrap()], cards.as_slice()].concat(), None).good();
    // Auditors see both breaks, and where each receipt has its notice.
    let ((ours, broken), (theirs, whole), (others, _)) = (verified(&japan), verified(&kyrgyz), verified(&tajik));
    let closed: Vec<&Value> = broken["breaks"].as_array().unwrap().iter().map(|broke| &broke["closed"]).collect();
    assert_eq!(closed, ["verbale/JP-MOJ-ISA-RMD/2", "verbale/JP-MOJ-ISA-RMD/1"]);
    assert_eq!(broken["breaks"][0]["known"], twice["known"]);
    assert_eq!((&broken["breaks"][1]["known"], &whole["breaks"]), (&once["known"], &Value::Array(vec![])));
    for (other, agreed) in [(&theirs, 7), (&others, 2)] {
        let pair = verbale(&["audit", "reconcile", &ours, other, "--json"], None).good().json().remove(0);
        assert_eq!((&pair["agreed"], &pair["under_way"]), (&agreed.into(), &0.into()), "{pair}");
    }
    // Of exports from before and after, what the older one does not show is said, and no fault is found.
    for (one, other) in [(&before[0], &theirs), (&ours, &before[1]), (&before[0], &before[1])] {
        let said = verbale(&["audit", "reconcile", one, other, "--json"], None);
        let pair = &said.json()[0];
        let is_whole = (one, other) == (&before[0], &before[1]);
        assert_eq!((said.code, &pair["sound"]), (if is_whole { 0 } else { 3 }, &true.into()), "{pair}");
        assert_eq!(pair["not_compared"].as_array().unwrap().is_empty(), is_whole, "{pair}");
    }
    // Who has none of our programs sees that they follow from their entries too.
    checks_by_outsiders(&[&ours, &theirs]);
    changes_are_found(&Kept::of_nodes([&japan.0, &kyrgyz.0]));
}

#[test]
fn what_was_erased_or_stated_meanwhile_comes_again_as_far_as_it_is_there() {
    let [mut japan, mut kyrgyz, _tajik] = three();
    lose_and_recover(&mut japan, &mut kyrgyz, 10, |japan, kyrgyz| {
        // The counterpart erases what was delivered, and signs with another key from then on.
        kyrgyz.0.run(&["erase", "KG-X-2026-000010", "--reason", "its term is over"]).good();
        kyrgyz.0.second(&["erase", "KG-X-2026-000010", "--confirm"]).good();
        rotate(&mut kyrgyz.0, "envelope").good();
        send(&kyrgyz.0, 12).good();
        kyrgyz.0.until_delivered();
        assert!(came(japan, 12));
    });
    until("what was lost came again", || came(&japan, 12));
    kyrgyz.0.until_delivered();
    send(&kyrgyz.0, 13).good();
    kyrgyz.0.until_delivered();
    assert!(came(&japan, 13) && !came(&japan, 10));
    // Of the erased one the statement came, which is no more than there is; the card came between, or 12 and 13 were refused.
    let inbox = japan.0.list("inbox");
    let states: Vec<String> = inbox.iter().map(|notice| format!("{} {}", notice["number"], notice["state"])).collect();
    assert_eq!(states, [r#"1 "RECEIVED""#, r#"2 "REFUSED_BY_US""#, r#"4 "RECEIVED""#, r#"5 "RECEIVED""#]);
    let [(ours, _), (theirs, _)] = [&japan, &kyrgyz].map(verified);
    let pair = verbale(&["audit", "reconcile", &ours, &theirs, "--json"], None).good().json().remove(0);
    assert_eq!((&pair["agreed"], &pair["under_way"]), (&6.into(), &0.into()), "{pair}");
}

/// Waits until the channel to the Kyrgyz side goes on.
fn goes_on(japan: &Side, number: u32) {
    until("the channel is resumed", || {
        held_back(&japan.0).is_empty() && send(&japan.0, number).json()[0]["outcome"] == "accepted"
    });
    japan.0.until_delivered();
}

#[test]
fn a_copy_from_before_another_log_was_begun_goes_on_with_the_last_card_that_is_known() {
    let [mut japan, mut kyrgyz, _tajik] = three();
    japan.0.stop();
    let oldest = japan.0.dir.with_file_name("oldest");
    copy(&japan.0.dir, &oldest);
    japan.0.start();
    lose_and_recover(&mut japan, &mut kyrgyz, 10, |_, _| {});
    rotate(&mut japan.0, "envelope").good();
    send(&japan.0, 12).good();
    send(&kyrgyz.0, 12).good();
    japan.0.until_delivered();
    kyrgyz.0.until_delivered();
    japan.0.stop();
    let (card, first_card) = (japan.0.dir.with_file_name("last-card"), oldest.join("card.txt"));
    std::fs::copy(japan.0.dir.join("card.txt"), &card).unwrap();
    std::fs::remove_dir_all(&japan.0.dir).unwrap();
    copy(&oldest, &japan.0.dir);
    japan.0.start();
    until("it is told of the later log", || {
        let trouble = status(&japan.0)["heads"][0]["trouble"].as_str().unwrap().to_owned();
        // Told when it asked, or when the counterpart did.
        let is_told = trouble.contains("with another log") || trouble.contains("names a later log");
        is_told && trouble.contains("--known-card")
    });
    japan.0.stop();
    // Its place is not taken a second time, and only by a card that follows its own.
    let refused = |args: &[&str], says: &str| {
        let said = japan.0.run(&[&["recover", "--confirm"], args].concat());
        assert!(said.code == 1 && said.err.contains(says), "{args:?}: {} {}", said.code, said.err);
    };
    refused(&[], "--known-card");
    refused(&["--known-card", &kyrgyz.card()], "that this folder lacks");
    refused(&["--known-card", first_card.to_str().unwrap()], "that this folder lacks");
    let known = ["--known-card", card.to_str().unwrap()];
    let asked = japan.0.run(&[&["recover"], known.as_slice()].concat());
    assert!(asked.out.contains("JP-MOJ-ISA-RMD/2") && asked.out.contains("log, envelope"), "{}", asked.out);
    let done = japan.0.run(&[&["--json", "recover", "--confirm"], known.as_slice()].concat()).good().json().remove(0);
    assert_eq!((&done["next"], &done["serial"]), (&"verbale/JP-MOJ-ISA-RMD/3".into(), &4.into()));
    assert_eq!((&done["lost"], &done["by_hand"]), (&"verbale/JP-MOJ-ISA-RMD/2".into(), &false.into()));
    // Cut off when its new key was in its place and the card was not: the same command goes on, with the card or without.
    for again in [&known[..], &[]] {
        cut_off_while_it_took_its_place(&japan.0, "verbale/JP-MOJ-ISA-RMD/3", again);
    }
    japan.0.start();
    goes_on(&japan, 13);
    until("what was lost came again", || came(&japan, 10) && came(&japan, 12));
    send(&kyrgyz.0, 13).good();
    kyrgyz.0.until_delivered();
    // From what it holds, with a statement in the log whose key this folder never had.
    japan.0.stop();
    japan.0.start();
    send(&japan.0, 14).good();
    japan.0.until_delivered();
    // Nobody said how much of the first log others know: sound as it is, how much was lost cannot be seen.
    let ours = exported(&japan, "export");
    let (theirs, _) = verified(&kyrgyz);
    let said = verbale(&["audit", "verify", &ours, "--json"], None);
    let broken = said.json().remove(0);
    assert_eq!((said.code, &broken["sound"]), (3, &true.into()), "{broken}");
    let broke = &broken["breaks"][0];
    assert_eq!((&broke["closed"], &broke["lost"]), (&"verbale/JP-MOJ-ISA-RMD/1".into(), &done["lost"]));
    let said = verbale(&["audit", "reconcile", &ours, &theirs, "--json"], None);
    let pair = said.json().remove(0);
    assert_eq!((said.code, &pair["sound"]), (3, &true.into()), "{pair}");
    assert_eq!((&pair["agreed"], &pair["under_way"]), (&6.into(), &0.into()), "{pair}");
}
