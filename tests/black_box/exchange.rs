//! Delivery whatever the order of starts and stops, idempotency, refusals that are receipted.

use serde_json::Value;

use crate::node::{Node, pair};
use crate::notices::{general, travel, without_nulls};
use crate::{audit, node};

#[test]
fn notices_arrive_in_whichever_order_the_nodes_start_and_stop() {
    let (mut japan, mut partner) = pair();
    // The counterpart is down.
    partner.stop();
    let said = japan.submit(&general(true, "JP-1", "while the counterpart is down")).good();
    assert_eq!(said.json()[0]["outcome"], "accepted");
    node::until("the trouble is shown", || {
        let status = japan.run(&["--json", "status"]).good().json().remove(0);
        status["channels"][0]["trouble"].as_str().is_some_and(|trouble| trouble.contains("cannot be reached"))
    });
    // The sender stops too, and is the first to start again.
    japan.stop();
    japan.start();
    partner.start();
    japan.until_delivered();
    // The sender stops right after it accepted; the receiver stops and starts meanwhile.
    japan.submit(&general(true, "JP-2", "and the sender stops")).good();
    partner.submit(&general(false, "KG-1", "the other way")).good();
    japan.stop();
    partner.stop();
    partner.start();
    japan.start();
    japan.until_delivered();
    partner.until_delivered();
    let inbox = |node: &Node| {
        node.list("inbox").iter().map(|n| n["notice_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(inbox(&partner), ["JP-1", "JP-2"]);
    assert_eq!(inbox(&japan), ["KG-1"]);
    audit::sound(&japan, &partner);
}

#[test]
fn a_number_submitted_again_is_the_same_message_and_with_another_notice_is_refused() {
    let (mut japan, partner) = pair();
    let first = japan.submit(&general(true, "JP-1", "once")).good().json().remove(0);
    japan.until_delivered();
    japan.stop();
    japan.start();
    // Written in another order of members, and with a null.
    let mut again: Value = serde_json::from_str(&general(true, "JP-1", "once")).unwrap();
    again["correlates_to"] = Value::Null;
    let said = japan.submit(&again.to_string()).good().json().remove(0);
    assert_eq!((&said["message_id"], &said["already_known"]), (&first["message_id"], &Value::Bool(true)));
    let said = japan.submit(&general(true, "JP-1", "twice"));
    assert_eq!((said.code, &said.json()[0]["code"]), (1, &Value::from("ID_REUSE")));
    assert_eq!(partner.list("inbox").len(), 1);
    audit::sound(&japan, &partner);
}

#[test]
fn every_kind_travels_and_opens_as_the_json_that_went_in_on_both_sides() {
    let (japan, partner) = pair();
    for (_, line) in travel("JP-KG-SSW-2023", &[&japan, &partner]) {
        let notice: Value = serde_json::from_str(&line).unwrap();
        let id = notice["notice_id"].as_str().unwrap().to_owned();
        for node in [&japan, &partner] {
            let opened = node.run(&["--json", "open", &id, "--purpose", "a check"]).good().json().remove(0);
            assert_eq!(opened, without_nulls(notice.clone()));
        }
    }
    audit::sound(&japan, &partner);
}

#[test]
fn a_large_notice_travels_in_pieces_and_one_over_the_limit_is_refused_at_once() {
    let (mut japan, mut partner) = pair();
    japan.submit(&general(true, "JP-1", &"long ".repeat(400_000))).good();
    japan.submit(&general(true, "JP-2", "after it")).good();
    japan.until_delivered();
    assert_eq!(partner.list("inbox").len(), 2);
    let said = japan.submit(&general(true, "JP-3", &"x".repeat(16 << 20)));
    assert_eq!((said.code, &said.json()[0]["code"]), (1, &Value::from("TOO_LARGE")));
    // The receiver allows less than the sender: it refuses with a receipt, and the channel goes on.
    partner.stop();
    partner.configure(|text| text.replace("sealed_bytes_max = 16777216", "sealed_bytes_max = 100000"));
    partner.start();
    japan.submit(&general(true, "JP-4", &"long ".repeat(100_000))).good();
    japan.submit(&general(true, "JP-5", "after it")).good();
    japan.until_delivered();
    let states: Vec<(Value, Value)> =
        japan.list("outbox").iter().map(|notice| (notice["state"].clone(), notice["code"].clone())).collect();
    assert_eq!(states[2], ("REFUSED".into(), "TOO_LARGE".into()));
    assert_eq!(states[3], ("DELIVERED".into(), "".into()));
    // From a pipe under a file's name, which can be read only once.
    let line = general(true, "JP-6", "from a pipe");
    let dir = japan.dir.to_str().unwrap();
    let said = node::verbale(&["--dir", dir, "--json", "submit", "/dev/stdin"], Some(&line)).good();
    assert_eq!(said.json()[0]["outcome"], "accepted");
    japan.until_delivered();
    japan.stop();
    japan.start();
    audit::sound(&japan, &partner);
}

#[test]
fn a_counterpart_that_refuses_says_so_with_a_receipt_and_the_channel_goes_on() {
    let (japan, mut partner) = pair();
    // The two nodes hold different terms.
    partner.stop();
    let path = partner.dir.join("memoranda/JP-KG-SSW-2023.toml");
    let ours = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, ours.replace("basis = \"consent\"", "basis = \"notice\"")).unwrap();
    partner.start();
    japan.submit(&general(true, "JP-1", "under other terms")).good();
    japan.until_delivered();
    assert_eq!(japan.list("outbox")[0]["code"], "MEMORANDUM_MISMATCH");
    let shown = japan.run(&["show", "JP-1"]).good().out;
    assert!(
        shown.contains("different terms of the memorandum") && shown.contains("verbale memorandum list"),
        "{shown}"
    );
    assert_eq!(japan.run(&["--json", "receipts", "JP-1"]).good().json()[0]["verdict"], "MEMORANDUM_MISMATCH");
    partner.stop();
    std::fs::write(&path, ours).unwrap();
    partner.start();
    // A refused number is free again.
    let said = japan.submit(&general(true, "JP-1", "under the same terms")).good();
    assert_eq!(said.json()[0]["already_known"], Value::Bool(false));
    japan.until_delivered();
    let states: Vec<Value> = japan.list("outbox").iter().map(|notice| notice["state"].clone()).collect();
    assert_eq!(states, ["REFUSED", "DELIVERED"]);
    audit::sound(&japan, &partner);
}
