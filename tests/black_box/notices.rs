//! Notices for scenarios.

use serde_json::{Value, json};
use verbale_domain::civil;

use crate::node::Node;

pub(crate) const ALL: &str = include_str!("../data/notices.jsonl");

/// A general information from Japan, or to it.
pub(crate) fn general(from_japan: bool, number: &str, text: &str) -> String {
    let (japan, partner) =
        (json!({"party": "JP", "office": "JP-MOJ-ISA-RMD"}), json!({"party": "KG", "office": "KG-MLSSM-CECA"}));
    let (from, to) = if from_japan { (japan, partner) } else { (partner, japan) };
    json!({
        "notice_id": number, "memorandum": "JP-KG-SSW-2023", "flow": "F14", "kind": "GENERAL_INFORMATION", "clause": "4(1)",
        "from": from, "to": to, "issued_at": "2026-02-03T10:15:00+06:00", "classification": "CONFIDENTIAL",
        "receiver_obligation": "NONE", "languages": ["en"], "body": {"title": "A title", "text": text},
    })
    .to_string()
}

/// The notices under a memorandum in their order, each with the office that sends it. A termination is dated from today: the
/// rules compare it with the clock.
pub(crate) fn under(memorandum: &str) -> Vec<(String, String)> {
    let of = |line: &str| {
        let mut notice: Value = serde_json::from_str(line).unwrap();
        let mut line = line.to_owned();
        if notice["flow"] == "F34" {
            let today = time::OffsetDateTime::now_utc().date();
            notice["body"]["received_on"] = today.to_string().into();
            notice["body"]["effective_on"] = civil::months_after(today, 7).to_string().into();
            line = notice.to_string();
        }
        let office = match notice["from"]["channel"].as_str() {
            // The commencement notification of a foreign ministry goes by the contact point's node.
            Some("DIPLOMATIC") => "TJ-MLMEP-MS-DLPSA".to_owned(),
            _ => notice["from"]["office"].as_str().unwrap().to_owned(),
        };
        (notice["memorandum"] == memorandum).then_some((office, line))
    };
    ALL.lines().filter_map(of).collect()
}

/// Lets all notices under a memorandum travel, an answer after what it answers has arrived; returns who sent which.
pub(crate) fn travel(memorandum: &str, nodes: &[&Node]) -> Vec<(String, String)> {
    let lines = under(memorandum);
    for (office, line) in &lines {
        let notice: Value = serde_json::from_str(line).unwrap();
        if !notice["correlates_to"].is_null() {
            all_delivered(nodes);
        }
        let sender = nodes.iter().find(|node| node.id == *office).unwrap();
        let said = sender.submit(line);
        assert_eq!(said.code, 0, "{}", said.out);
        if said.json()[0]["outcome"] == "awaiting-approval" {
            sender.approve_all();
        }
    }
    all_delivered(nodes);
    lines
}

fn all_delivered(nodes: &[&Node]) {
    for node in nodes {
        node.until_delivered();
    }
}

/// The notices under a memorandum that an office sends and that answer nothing, one on each line.
pub(crate) fn from_office(memorandum: &str, office: &str) -> Vec<String> {
    let answers = |line: &str| !serde_json::from_str::<Value>(line).unwrap()["correlates_to"].is_null();
    let of = |(from, line): (String, String)| (from == office && !answers(&line)).then_some(line);
    under(memorandum).into_iter().filter_map(of).collect()
}

/// A notice as `open` gives it: without null members.
pub(crate) fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            members.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k, without_nulls(v))).collect()
        }
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}
