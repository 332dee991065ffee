//! A node whose log is not the one that others know: put back from an older copy, run twice, or without its heads.

use std::path::Path;

use serde_json::Value;

use crate::node::{Node, pair, until};
use crate::notices::general;
use crate::tampering::carried::changes_of_a_copy_are_found;
use crate::tampering::craft::Kept;

pub(crate) fn copy(from: &Path, to: &Path) {
    let done = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(done.success());
}

pub(crate) fn heads(node: &Node) -> std::path::PathBuf {
    node.dir.with_file_name("n-heads")
}

pub(crate) fn status(node: &Node) -> Value {
    node.run(&["--json", "status"]).good().json().remove(0)
}

pub(crate) fn held_back(node: &Node) -> String {
    status(node)["held_back"].as_str().unwrap().to_owned()
}

pub(crate) fn send(node: &Node, number: u32) -> crate::node::Said {
    node.submit(&general(node.id.starts_with("JP"), &format!("{}-X-2026-{number:06}", &node.id[..2]), "A text"))
}

/// Nothing that the node is asked for gets a number, an entry or a signature.
fn refuses_everything(node: &Node) {
    let size = status(node)["log_size"].clone();
    let said = send(node, 900);
    assert_ne!(said.code, 0, "{}", said.out);
    let text = format!("{}{}", said.out, said.err);
    assert!(text.contains("LOG_HELD_BACK"), "{text}");
    let exported = node.run(&["audit", "export", node.dir.join("x").to_str().unwrap()]);
    assert_eq!(exported.code, 4, "{}", exported.err);
    assert!(exported.err.contains("LOG_HELD_BACK"), "{}", exported.err);
    assert_eq!(status(node)["log_size"], size);
    assert!(node.run(&["list", "outbox"]).code == 0, "what is held can be read all the same");
}

/// An older copy of Japan's folder is put back, and both nodes exchanged notices meanwhile.
fn restored(without_heads: bool) -> (Node, Node) {
    let (mut japan, partner) = pair();
    send(&japan, 1).good();
    japan.until_delivered();
    japan.stop();
    let kept = japan.dir.with_file_name("yesterday");
    copy(&japan.dir, &kept);
    japan.start();
    for number in 2..5 {
        send(&japan, number).good();
        send(&partner, number).good();
    }
    japan.until_delivered();
    partner.until_delivered();
    // The counterpart holds a head that has all of it.
    let whole = status(&japan)["log_size"].clone();
    until("the head is cosigned", || status(&japan)["heads"][0]["cosigned_size"] == whole);
    japan.stop();
    std::fs::remove_dir_all(&japan.dir).unwrap();
    copy(&kept, &japan.dir);
    if without_heads {
        std::fs::remove_dir_all(heads(&japan)).unwrap();
    }
    japan.start();
    (japan, partner)
}

#[test]
fn a_folder_put_back_from_an_older_copy_is_seen_at_the_start() {
    let (japan, partner) = restored(false);
    let why = held_back(&japan);
    assert!(why.contains("put back from an older copy") && why.contains("n-heads"), "{why}");
    refuses_everything(&japan);
    // The counterpart's notices wait; it is told why.
    send(&partner, 6).good();
    until("the counterpart knows why", || {
        let channels = status(&partner)["channels"].clone();
        channels
            .as_array()
            .unwrap()
            .iter()
            .any(|channel| channel["trouble"].as_str().unwrap().contains("LOG_HELD_BACK"))
    });
    assert_eq!(held_back(&partner), "");
    let people = japan.run(&["status"]).good().out;
    assert!(people.contains("HELD BACK"), "{people}");
}

#[test]
fn without_its_heads_it_learns_it_from_the_counterpart() {
    let (japan, _partner) = restored(true);
    until("the counterpart told", || held_back(&japan).contains("KG-MLSSM-CECA holds its signed head"));
    refuses_everything(&japan);
}

#[test]
fn a_lost_folder_of_heads_costs_nothing_when_the_counterpart_knows_the_log() {
    let (mut japan, partner) = pair();
    send(&japan, 1).good();
    japan.until_delivered();
    japan.stop();
    std::fs::remove_dir_all(heads(&japan)).unwrap();
    japan.start();
    until("the counterpart confirmed", || held_back(&japan).is_empty());
    send(&japan, 2).good();
    japan.until_delivered();
    crate::audit::sound(&japan, &partner);
}

#[test]
fn the_second_of_two_copies_is_held_back() {
    let (mut japan, partner) = pair();
    send(&japan, 1).good();
    japan.until_delivered();
    japan.stop();
    let (kept, kept_heads) = kept(&japan);
    japan.start();
    send(&japan, 2).good();
    japan.until_delivered();
    let whole = status(&japan)["log_size"].clone();
    until("the head is cosigned", || status(&japan)["heads"][0]["cosigned_size"] == whole);
    // The clone takes its place, with heads of its own time.
    put_back(&mut japan, &kept, &kept_heads);
    japan.start();
    until("the counterpart told", || !held_back(&japan).is_empty());
    refuses_everything(&japan);
    assert_eq!(partner.list("inbox").len(), 2);
    // What the counterpart told is known when the log is closed, though nothing on this machine shows it but that.
    japan.stop();
    let asked = japan.run(&["--json", "recover"]);
    assert_eq!((asked.code, &asked.json()[0]["known"]), (1, &whole), "{}", asked.out);
    japan.run(&["recover", "--confirm"]).good();
    japan.start();
    until("the channel is resumed", || {
        held_back(&japan).is_empty() && send(&japan, 3).json()[0]["outcome"] == "accepted"
    });
    japan.until_delivered();
    let (_, said) = verified(&japan, "export");
    assert_eq!(said["breaks"][0]["known"], whole, "{said}");
}

/// A copy is put back with its heads, and numbers so many notices before it meets the counterpart: it holds fewer entries than the counterpart
/// knows, or more.
fn numbered_by_a_copy(also: std::ops::Range<u32>) -> (Node, Node) {
    let (mut japan, mut partner) = pair();
    send(&japan, 1).good();
    japan.until_delivered();
    // Taken by the counterpart, and the copy has no receipt of it.
    partner.stop();
    send(&japan, 2).good();
    japan.stop();
    let (kept, kept_heads) = kept(&japan);
    partner.start();
    japan.start();
    japan.until_delivered();
    for number in 3..6 {
        // Receipts of the log that is lost carry its heads of sizes that the copy reaches too.
        send(&partner, number).good();
        partner.until_delivered();
        send(&japan, number).good();
        japan.until_delivered();
    }
    let whole = status(&japan)["log_size"].clone();
    until("the head is cosigned", || status(&japan)["heads"][0]["cosigned_size"] == whole);
    partner.stop();
    // The copy takes its place with heads of its own time, and nobody is there who could tell it: it numbers.
    put_back(&mut japan, &kept, &kept_heads);
    japan.start();
    // One that the log before sent too, and others.
    let copied = u64::from(1 + also.end - also.start);
    for number in std::iter::once(5).chain(also.clone()) {
        assert_eq!(send(&japan, number).good().json()[0]["outcome"], "accepted");
    }
    partner.start();
    until("the counterpart told", || !held_back(&japan).is_empty());
    japan.stop();
    let recovered = japan.run(&["--json", "recover", "--confirm"]).good().json().remove(0);
    japan.start();
    until("the channel is resumed", || {
        held_back(&japan).is_empty() && send(&japan, 50).json()[0]["outcome"] == "accepted"
    });
    japan.until_delivered();
    let states = |number: u32| {
        let id = format!("JP-X-2026-{number:06}");
        let mut notices = japan.list("outbox");
        notices.retain(|notice| notice["notice_id"] == id.as_str());
        notices.iter().map(|notice| notice["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!([1, 2, 50].map(states).concat(), ["DELIVERED", "DELIVERED", "DELIVERED"]);
    assert!(also.clone().chain([5]).all(|number| states(number) == ["DISPLACED"]));
    let shown = japan.run(&["show", "JP-X-2026-000007"]).good().out;
    assert!(shown.contains("submit it again"), "{shown}");
    // Its number is free: it goes out now. One that the counterpart has is refused there by its number.
    send(&japan, 7).good();
    send(&japan, 5).good();
    until("all are answered", || japan.list("outbox").iter().all(|notice| notice["state"] != "QUEUED"));
    assert_eq!([states(7), states(5)].concat(), ["DISPLACED", "DELIVERED", "DISPLACED", "REFUSED"]);
    // Both start again from what they hold.
    for node in [&mut japan, &mut partner] {
        node.stop();
        node.start();
    }
    send(&japan, 51).good();
    japan.until_delivered();
    send(&partner, 51).good();
    partner.until_delivered();
    let ((ours, said), (theirs, _)) = (verified(&japan, "export"), verified(&partner, "export"));
    assert_eq!((&said["displaced"], &said["waiting_for_receipt"]), (&copied.into(), &0.into()), "{said}");
    let is_longer = recovered["held"].as_u64() >= recovered["known"].as_u64();
    assert_eq!((is_longer, said["breaks"][0]["parted_at"].is_u64()), (also.len() > 5, is_longer), "{said}");
    let pair =
        crate::node::verbale(&["audit", "reconcile", ours.to_str().unwrap(), theirs.to_str().unwrap(), "--json"], None);
    let pair = pair.good().json().remove(0);
    // Its own five, those of the log that is lost, and the heads of that.
    assert!(pair["lost"].as_u64() > Some(copied + 3), "{}", pair["lost"]);
    assert_eq!((&pair["under_way"], &pair["unanswered"]), (&0.into(), &0.into()), "{pair}");
    (japan, partner)
}

#[test]
fn what_a_copy_numbered_before_it_met_the_counterpart_never_left() {
    let (japan, partner) = numbered_by_a_copy(7..9);
    changes_of_a_copy_are_found(&Kept::of_nodes([&japan, &partner]));
}

#[test]
fn nor_did_it_when_the_copy_is_longer_than_the_log_that_others_know() {
    numbered_by_a_copy(7..27);
}

/// Stops a node, and puts a copy of its folder and of its heads in their place.
pub(crate) fn put_back(node: &mut Node, kept: &Path, kept_heads: &Path) {
    node.stop();
    replace(node, kept, kept_heads);
}

/// The same of a node that does not run.
pub(crate) fn replace(node: &Node, kept: &Path, kept_heads: &Path) {
    std::fs::remove_dir_all(&node.dir).unwrap();
    std::fs::remove_dir_all(heads(node)).unwrap();
    copy(kept, &node.dir);
    copy(kept_heads, &heads(node));
}

/// A copy of a stopped node's folder and of its heads.
pub(crate) fn kept(node: &Node) -> (std::path::PathBuf, std::path::PathBuf) {
    let kept = (node.dir.with_file_name("clone"), node.dir.with_file_name("clone-heads"));
    copy(&node.dir, &kept.0);
    copy(&heads(node), &kept.1);
    kept
}

/// The copy met its counterpart; the next log begins, and the channel goes on.
fn recovers(node: &mut Node, again: &str) {
    until("the counterpart told", || !held_back(node).is_empty());
    node.stop();
    node.run(&["recover", "--confirm"]).good();
    node.start();
    until("the channel is resumed", || held_back(node).is_empty() && node.submit(again).code == 0);
}

#[test]
fn a_day_of_commencement_that_never_left_begins_nothing() {
    let (mut japan, mut tajik) = (Node::init("JP-MOJ-ISA-RMD"), Node::init("TJ-MLMEP-MS-DLPSA"));
    japan.make_approver();
    for node in [&mut japan, &mut tajik] {
        node.start();
    }
    japan.enrol(&tajik).good();
    tajik.enrol(&japan).good();
    let commence = |node: &Node, on: &str| node.run(&["memorandum", "commence", "JP-TJ-SSW-2024", "--on", on]);
    let day = |node: &Node| {
        let all = node.run(&["--json", "memorandum", "list"]).good().json();
        all.iter().find(|of| of["id"] == "JP-TJ-SSW-2024").unwrap()["in_force_since"].clone()
    };
    let to_tajik = |number: &str| {
        let mut notice: Value = serde_json::from_str(&general(true, number, "a text")).unwrap();
        notice["memorandum"] = "JP-TJ-SSW-2024".into();
        notice["to"] = serde_json::json!({"party": "TJ", "office": "TJ-MLMEP-MS-DLPSA"});
        notice.to_string()
    };
    japan.stop();
    let (kept, kept_heads) = kept(&japan);
    japan.start();
    commence(&japan, "2025-02-01").good();
    japan.until_delivered();
    let whole = status(&japan)["log_size"].clone();
    until("the head is cosigned", || status(&japan)["heads"][0]["cosigned_size"] == whole);
    tajik.stop();
    put_back(&mut japan, &kept, &kept_heads);
    japan.start();
    commence(&japan, "2025-03-01").good();
    assert_eq!(day(&japan), "2025-03-01");
    tajik.start();
    until("the counterpart told", || !held_back(&japan).is_empty());
    japan.stop();
    japan.run(&["recover", "--confirm"]).good();
    japan.start();
    until("the day is taken back", || day(&japan) != "2025-03-01");
    // The other side knows the first one, and takes no other.
    until("it is recorded again", || commence(&japan, "2025-02-01").code == 0);
    japan.until_delivered();
    assert_eq!([day(&japan), day(&tajik)], ["2025-02-01"; 2]);
    japan.submit(&to_tajik("JP-1")).good();
    japan.until_delivered();
    japan.stop();
    japan.start();
    assert_eq!(day(&japan), "2025-02-01");
    agree(&japan, &tajik);
}

#[test]
fn a_draft_that_both_a_copy_and_the_log_before_it_sent_accuses_nobody() {
    let (mut japan, mut partner) = pair();
    send(&japan, 1).good();
    japan.until_delivered();
    let mut change: Value = serde_json::from_str(&general(true, "JP-36", "text")).unwrap();
    (change["flow"], change["kind"], change["clause"]) = ("F36".into(), "CONTACT_POINT_CHANGE".into(), "2".into());
    change["body"] = serde_json::json!({
        "new_contact": {"name_en": "Another Division", "key_fingerprint": "none"}, "effective_at": "2026-12-01T00:00:00+09:00",
    });
    japan.submit(&change.to_string()).good();
    japan.stop();
    let (kept, kept_heads) = kept(&japan);
    japan.start();
    japan.approve_all();
    japan.until_delivered();
    let whole = status(&japan)["log_size"].clone();
    until("the head is cosigned", || status(&japan)["heads"][0]["cosigned_size"] == whole);
    partner.stop();
    put_back(&mut japan, &kept, &kept_heads);
    japan.start();
    send(&japan, 2).good();
    japan.approve_all();
    partner.start();
    recovers(&mut japan, &general(true, "JP-X-2026-000003", "a text"));
    japan.until_delivered();
    agree(&japan, &partner);
}

#[test]
fn a_card_that_the_copy_lacks_is_given_late_too() {
    let (mut japan, partner) = pair();
    send(&japan, 1).good();
    japan.until_delivered();
    japan.stop();
    let (kept, kept_heads) = kept(&japan);
    // The log that is lost has another key for statements, and another card of that serial is made by the copy.
    japan.run(&["keys", "rotate", "envelope"]).good();
    japan.start();
    send(&japan, 2).good();
    japan.until_delivered();
    let whole = status(&japan)["log_size"].clone();
    until("the head is cosigned", || status(&japan)["heads"][0]["cosigned_size"] == whole);
    let known = japan.dir.with_file_name("known.txt");
    std::fs::copy(japan.dir.join("card.txt"), &known).unwrap();
    put_back(&mut japan, &kept, &kept_heads);
    japan.start();
    until("the counterpart told", || {
        !held_back(&japan).is_empty() || status(&japan)["heads"][0]["trouble"].as_str().unwrap().contains("OLDER_CARD")
    });
    // Without that card the next log has one that the counterpart does not take: it is refused where it was shown, and else said what is missing.
    japan.stop();
    let refused = japan.run(&["recover", "--confirm"]);
    assert!(refused.code == 1 && refused.err.contains("recover --known-card"), "{}", refused.err);
    let told = heads(&japan).join("told/KG-MLSSM-CECA.card");
    std::fs::remove_file(&told).unwrap();
    japan.run(&["recover", "--confirm"]).good();
    japan.start();
    until("it is said what is missing", || {
        status(&japan)["heads"][0]["trouble"].as_str().unwrap().contains("recover --known-card")
    });
    // An operator removes that too and makes a later card all the same: the counterpart takes it, and still knows a statement by a key that is held nowhere here.
    japan.stop();
    std::fs::remove_file(&told).unwrap();
    japan.run(&["keys", "rotate", "tls"]).good();
    japan.start();
    until("the counterpart took the card", || status(&partner)["peers"][0]["serial"] == 3);
    japan.stop();
    let own = japan.dir.join("card.txt");
    let refused = japan.run(&["recover", "--confirm", "--known-card", own.to_str().unwrap()]);
    assert!(refused.code == 1 && refused.err.contains("this folder has card 3 itself"), "{}", refused.err);
    japan.run(&["recover", "--confirm", "--known-card", known.to_str().unwrap()]).good();
    japan.start();
    until("the channel is resumed", || held_back(&japan).is_empty() && send(&japan, 3).code == 0);
    japan.until_delivered();
    send(&partner, 3).good();
    partner.until_delivered();
    let (ours, theirs) = (verified(&japan, "export").0, verified(&partner, "export").0);
    // The copy was never told how far the log goes that was lost: that is said, and nothing else is wrong.
    let pair = crate::node::verbale(&["audit", "reconcile", ours.to_str().unwrap(), theirs.to_str().unwrap()], None);
    assert!(pair.code == 3 && pair.out.contains("more was lost than it tells"), "{} {}", pair.code, pair.out);
}

/// Killed right after there was traffic, before a head of it travelled; then a copy of a moment before is put back.
fn put_back_before_its_head_travelled(traffic: impl Fn(&Node, &Node)) -> (Node, Node) {
    let (mut japan, mut partner) = pair();
    send(&japan, 1).good();
    japan.until_delivered();
    japan.stop();
    let (copied, copied_heads) = kept(&japan);
    partner.stop();
    let partners_heads = partner.dir.with_file_name("clone-heads");
    copy(&heads(&partner), &partners_heads);
    for node in [&mut japan, &mut partner] {
        node.start();
    }
    traffic(&japan, &partner);
    partner.stop();
    std::fs::remove_dir_all(heads(&partner)).unwrap();
    copy(&partners_heads, &heads(&partner));
    put_back(&mut japan, &copied, &copied_heads);
    // The copy meets one that is there.
    partner.start();
    signal(&partner, "STOP");
    japan.start();
    // What comes while it is not known whether the log may go on waits for that, and reading does not.
    let size = status(&japan)["log_size"].clone();
    let said = std::thread::scope(|scope| {
        let sending = scope.spawn(|| send(&japan, 4));
        for _ in 0..20 {
            assert_eq!(status(&japan)["log_size"], size);
        }
        signal(&partner, "CONT");
        sending.join().unwrap()
    });
    assert!(said.code != 0 && said.err.contains("LOG_HELD_BACK"), "{} {}", said.out, said.err);
    assert_eq!((japan.list("outbox").len(), &status(&japan)["log_size"]), (1, &size));
    (japan, partner)
}

fn signal(node: &Node, name: &str) {
    let done = std::process::Command::new("kill").args([format!("-{name}"), node.pid().to_string()]).status().unwrap();
    assert!(done.success());
}

fn goes_on_and_is_sound(mut japan: Node, partner: &Node) {
    refuses_everything(&japan);
    recovers(&mut japan, &general(true, "JP-X-2026-000003", "a text"));
    japan.until_delivered();
    agree(&japan, partner);
}

#[test]
fn a_receipt_tells_how_far_the_log_went_when_no_head_did() {
    let (japan, partner) = put_back_before_its_head_travelled(|japan, partner| {
        send(japan, 2).good();
        send(partner, 2).good();
        for node in [japan, partner] {
            node.until_delivered();
        }
    });
    until("the counterpart told", || held_back(&japan).contains("KG-MLSSM-CECA holds its signed head"));
    goes_on_and_is_sound(japan, &partner);
}

#[test]
fn a_later_number_tells_that_the_log_is_an_older_copy() {
    let (japan, partner) = put_back_before_its_head_travelled(|japan, _| {
        send(japan, 2).good();
        japan.until_delivered();
    });
    // Nothing that it did not send itself is known of the log that is lost, until the channel is opened: that is done before anything is numbered.
    until("the counterpart told", || held_back(&japan).contains("KG-MLSSM-CECA holds number 2 of a channel"));
    goes_on_and_is_sound(japan, &partner);
}

/// As a crash leaves it between setting the closed journal aside and putting the next one in place; the same command goes on.
pub(crate) fn cut_off_while_it_took_its_place(node: &Node, next: &str, again: &[&str]) {
    let making = node.dir.join("recover");
    let files = [("journal", "journal-1"), ("keys/log.pem", "keys/log-1.pem"), ("card.txt", "card-1.txt")];
    // After so many moves, the last of them only half: what was there is set aside.
    for done in 0..files.len() {
        std::fs::create_dir(&making).unwrap();
        for (at, (place, old)) in files.into_iter().enumerate().skip(done) {
            std::fs::rename(node.dir.join(place), making.join(Path::new(place).file_name().unwrap())).unwrap();
            if at > done {
                std::fs::rename(node.dir.join(old), node.dir.join(place)).unwrap();
            }
        }
        std::fs::write(making.join("ready"), "verbale/JP-MOJ-ISA-RMD/1 1 9 12 true").unwrap();
        finishes(node, next, again);
    }
}

fn finishes(node: &Node, next: &str, again: &[&str]) {
    let making = node.dir.join("recover");
    let asked = node.run(&["recover"]);
    assert!(asked.code == 1 && asked.err.contains("verbale recover --confirm"), "{} {}", asked.code, asked.err);
    let serving = node.run(&["serve"]);
    assert!(serving.code != 0 && serving.err.contains("begun and not ended"), "{}", serving.err);
    // Another card would take the place of the one that is made.
    for other in [["keys", "revoke"].as_slice(), &["keys", "rotate", "tls"]] {
        let refused = node.run(other);
        assert!(refused.code == 1 && refused.err.contains("verbale recover --confirm"), "{}", refused.err);
    }
    let done = node.run(&[&["--json", "recover", "--confirm"], again].concat()).good().json().remove(0);
    assert_eq!((&done["next"], &done["held"], &done["known"]), (&next.into(), &9.into(), &12.into()));
    assert_eq!(done["by_hand"], true);
    assert!(!making.exists() && node.dir.join("journal").is_dir() && node.dir.join("journal-1").is_dir());
}

/// Both logs are exported, sound, and agree.
fn agree(japan: &Node, partner: &Node) {
    let (ours, theirs) = (verified(japan, "export").0, verified(partner, "export").0);
    crate::node::verbale(&["audit", "reconcile", ours.to_str().unwrap(), theirs.to_str().unwrap()], None).good();
}

fn verified(node: &Node, name: &str) -> (std::path::PathBuf, Value) {
    let dir = node.dir.with_file_name(name);
    node.run(&["audit", "export", dir.to_str().unwrap()]).good();
    let said = crate::node::verbale(&["audit", "verify", dir.to_str().unwrap(), "--json"], None).good();
    (dir, said.json().remove(0))
}

#[test]
fn a_recovered_node_goes_on_and_an_auditor_sees_both_logs_and_the_break() {
    let (mut japan, mut partner) = restored(false);
    // What was lost of the partner's, and what it sends meanwhile.
    send(&partner, 6).good();
    let running = japan.run(&["recover"]);
    assert_ne!(running.code, 0, "a running node is not recovered: {}", running.out);
    japan.stop();
    let asked = japan.run(&["recover"]);
    assert_eq!(asked.code, 1, "{}", asked.err);
    assert!(asked.out.contains("put back from an older copy") && asked.out.contains("--confirm"), "{}", asked.out);
    // Without the card key nothing changes.
    let (key, away) = (japan.dir.join("keys/card.pem"), japan.dir.with_file_name("card.pem"));
    std::fs::rename(&key, &away).unwrap();
    let refused = japan.run(&["recover", "--confirm"]);
    assert!(refused.code == 1 && refused.err.contains("card.pem"), "{}", refused.err);
    std::fs::rename(&away, &key).unwrap();
    let done = japan.run(&["--json", "recover", "--confirm"]).good().json().remove(0);
    assert_eq!((&done["next"], &done["serial"]), (&Value::from("verbale/JP-MOJ-ISA-RMD/2"), &Value::from(2)));
    assert!(done["known"].as_u64() > done["held"].as_u64(), "{done}");
    cut_off_while_it_took_its_place(&japan, "verbale/JP-MOJ-ISA-RMD/2", &[]);
    // Run once more it closes no log with which nothing is wrong.
    let again = japan.run(&["recover", "--confirm"]);
    assert!(again.code == 1 && again.err.contains("begun a moment ago"), "{} {}", again.code, again.err);
    japan.start();
    until("it is resumed", || held_back(&japan).is_empty() && send(&japan, 7).json()[0]["outcome"] == "accepted");
    japan.until_delivered();
    partner.until_delivered();
    // What the counterpart had delivered to the log that is closed is here again: three that were lost, and the one after.
    until("what was lost came again", || japan.list("inbox").len() == 4);
    send(&partner, 8).good();
    partner.until_delivered();
    assert_eq!(japan.list("inbox").len(), 5);
    // One before the copy, three lost, one after.
    assert_eq!((partner.list("inbox").len(), japan.list("outbox").len()), (5, 2));
    // Both start again from what they hold.
    for node in [&mut japan, &mut partner] {
        node.stop();
        node.start();
    }
    send(&japan, 9).good();
    japan.until_delivered();
    let ((ours, broken), (theirs, whole)) = (verified(&japan, "export"), verified(&partner, "export"));
    assert_eq!(broken["breaks"][0]["closed"], "verbale/JP-MOJ-ISA-RMD/1");
    assert_eq!(broken["breaks"][0]["known"], done["known"]);
    assert_eq!(whole["breaks"], Value::Array(vec![]));
    // The counterpart's evidence of the closed log is not written over by the next one.
    assert!(theirs.join("counterparts/JP-MOJ-ISA-RMD.closed-1.checkpoint").exists());
    let pair =
        crate::node::verbale(&["audit", "reconcile", ours.to_str().unwrap(), theirs.to_str().unwrap(), "--json"], None);
    let pair = pair.good().json().remove(0);
    assert_eq!((&pair["agreed"], &pair["under_way"]), (&Value::from(8), &Value::from(0)), "{pair}");
    assert!(pair["lost"].as_u64() >= Some(3), "{}", pair["lost"]);
    japan.stop();
    // The copy that was put back, started once more: the counterpart knows a later log, and does not confirm this one.
    let (recovered, heads_of_it) = (japan.dir.with_file_name("recovered"), japan.dir.with_file_name("recovered-heads"));
    std::fs::rename(&japan.dir, &recovered).unwrap();
    std::fs::rename(heads(&japan), &heads_of_it).unwrap();
    copy(&japan.dir.with_file_name("yesterday"), &japan.dir);
    japan.start();
    until("it is told of the later log", || held_back(&japan).contains("with another log"));
    refuses_everything(&japan);
    japan.stop();
    // A closed log of an earlier recovery is not written over, and nothing was begun.
    let (other, card) = (japan.dir.join("journal-1"), recovered.join("card.txt"));
    let recover = ["recover", "--confirm", "--known-card", card.to_str().unwrap()];
    std::fs::create_dir(&other).unwrap();
    let refused = japan.run(&recover);
    assert!(
        refused.code == 1 && refused.err.contains("journal-1 is there already"),
        "{} {}",
        refused.code,
        refused.err
    );
    std::fs::remove_dir(&other).unwrap();
    japan.run(&recover).good();
}
