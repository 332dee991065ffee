//! A log that took the place of one that took the place of another: nothing that the first of them told is proved less.

use serde_json::Value;

use crate::disclosure::{Side, three};
use crate::heads::{copy, held_back, send, status};
use crate::node::{until, verbale};
use crate::tampering::carried::changes_are_found;
use crate::tampering::craft::Kept;

/// Puts an older copy of the folder back, behind one notice to each side that the copy does not have, and begins the next log.
fn lose_and_recover(japan: &mut Side, partner: &Side, number: u32) -> Value {
    japan.0.stop();
    let copied = japan.0.dir.with_file_name(format!("copy-{number}"));
    copy(&japan.0.dir, &copied);
    japan.0.start();
    send(&japan.0, number).good();
    send(&partner.0, number).good();
    japan.0.until_delivered();
    partner.0.until_delivered();
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
    until("the channel is resumed", || {
        held_back(&japan.0).is_empty() && send(&japan.0, number + 1).json()[0]["outcome"] == "accepted"
    });
    japan.0.until_delivered();
    until("what was lost came again", || {
        let number = format!("KG-X-2026-{number:06}");
        japan.0.list("inbox").iter().any(|notice| notice["notice_id"] == number.as_str())
    });
    done
}

fn release(japan: &Side, name: &str) -> std::path::PathBuf {
    let args = ["KG-A", "--to", "JP-NPA", "--fields", "exam", "--purpose", "investigation"];
    let (judged, file) = japan.disclose(name, &args);
    assert_eq!(judged["code"], "NOT_THIRD_PARTY");
    file
}

fn verified(side: &Side) -> (String, Value) {
    let dir = side.0.dir.with_file_name("export").to_str().unwrap().to_owned();
    side.0.run(&["audit", "export", &dir]).good();
    let said = verbale(&["audit", "verify", &dir, "--json"], None).good().json().remove(0);
    (dir, said)
}

#[test]
fn a_log_is_carried_over_twice_and_places_in_each_of_the_three_are_told_apart() {
    let [mut japan, kyrgyz, tajik] = three();
    let first = release(&japan, "first");
    let first_card = std::fs::read_to_string(japan.card()).unwrap();
    let once = lose_and_recover(&mut japan, &kyrgyz, 10);
    release(&japan, "second");
    let twice = lose_and_recover(&mut japan, &kyrgyz, 20);
    assert_eq!(
        (&once["next"], &twice["next"]),
        (&"verbale/JP-MOJ-ISA-RMD/2".into(), &"verbale/JP-MOJ-ISA-RMD/3".into())
    );
    release(&japan, "third");
    // Both start from what they hold, and go on.
    let mut kyrgyz = kyrgyz;
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
    // What left under the first log is checked with the card of then.
    let of_then = japan.0.dir.with_file_name("card-of-then");
    std::fs::write(&of_then, first_card).unwrap();
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
    changes_are_found(&Kept::of_nodes([&japan.0, &kyrgyz.0]));
}
