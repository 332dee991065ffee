//! Notices for scenarios.

use serde_json::{Value, json};

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

/// The notices under a memorandum that an office sends, one on each line.
pub(crate) fn from_office(memorandum: &str, office: &str) -> Vec<String> {
    let of = |line: &&str| {
        let notice: Value = serde_json::from_str(line).unwrap();
        notice["memorandum"] == memorandum
            && (notice["from"]["office"] == office || is_copy_for_the_record(&notice, office))
    };
    ALL.lines().filter(of).map(str::to_owned).collect()
}

/// The commencement notification of a foreign ministry goes by the contact point's node.
fn is_copy_for_the_record(notice: &Value, office: &str) -> bool {
    notice["from"]["channel"] == "DIPLOMATIC" && office.starts_with("TJ-")
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
