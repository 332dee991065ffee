//! The realistic notices pass and come out as they went in; those to refuse are refused with their code.

#![expect(clippy::unwrap_used, reason = "a test")]

use serde_json::Value;
use verbale_domain::{Code, Memoranda, Notice, OfflineCheck, Stage, civil};

const NOTICES: &str = include_str!("../../../tests/data/notices.jsonl");
const REFUSED: &str = include_str!("../../../tests/data/notices-refused.jsonl");

fn memoranda() -> Memoranda {
    Memoranda::parse(Memoranda::shipped().iter().copied()).unwrap()
}

/// With the day on which the Tajik memorandum commenced, as `verbale check --commenced` is told.
fn checker(memoranda: &Memoranda) -> OfflineCheck<'_> {
    let mut checker = OfflineCheck::new(memoranda);
    checker.commence("JP-TJ-SSW-2024", civil::day("2025-02-01").unwrap()).unwrap();
    checker
}

/// Drops null members, as `open` does.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            members.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k, without_nulls(v))).collect()
        }
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

#[test]
fn every_notice_survives_json_chunks_json_and_the_rules() {
    let memoranda = memoranda();
    let mut checker = checker(&memoranda);
    let mut count = 0;
    for line in NOTICES.lines() {
        let notice = Notice::from_json(line.as_bytes()).unwrap_or_else(|refusal| panic!("{refusal}\n{line}"));
        let chunks = notice.chunks().to_vec();
        let back = Notice::from_chunks(&chunks).unwrap_or_else(|refusal| panic!("{refusal}\n{line}"));
        let (expected, got): (Value, Value) =
            (serde_json::from_str(line).unwrap(), serde_json::from_str(&back.to_json()).unwrap());
        assert_eq!(got, without_nulls(expected));
        let verdict = checker.check(line.as_bytes());
        assert!(verdict.refusal.is_none(), "{}\n{line}", verdict.refusal.unwrap());
        count += 1;
    }
    assert_eq!(count, 43);
}

#[test]
fn chunks_in_another_order_twice_or_with_an_unknown_field_are_refused() {
    let notice = Notice::from_json(NOTICES.lines().next().unwrap().as_bytes()).unwrap();
    let chunks = notice.chunks().to_vec();
    let code = |chunks: &[_]| Notice::from_chunks(chunks).err().map(|refusal| refusal.code);
    let mut swapped = chunks.clone();
    swapped.swap(1, 2);
    assert_eq!(code(&swapped), Some(Code::BadValue));
    let mut twice = chunks.clone();
    twice.insert(1, chunks[1].clone());
    assert_eq!(code(&twice), Some(Code::BadValue));
    let mut unknown = chunks.clone();
    // Field 2,000 of `Notice`, empty.
    unknown.last_mut().unwrap().bytes.extend_from_slice(&[0x82, 0x7d, 0x00]);
    assert_eq!(code(&unknown), Some(Code::UnknownField));
    let mut renamed = chunks.clone();
    renamed[1].path.push(7);
    assert_eq!(code(&renamed), Some(Code::BadValue));
}

#[test]
fn every_notice_to_refuse_is_refused_with_its_code_after_the_others() {
    let memoranda = memoranda();
    let mut checker = checker(&memoranda);
    for line in NOTICES.lines() {
        checker.check(line.as_bytes());
    }
    for line in REFUSED.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let code: Code = case["code"].as_str().unwrap().parse().unwrap();
        let refusal = checker.check(line.as_bytes()).refusal.unwrap_or_else(|| panic!("accepted: {line}"));
        assert_eq!(refusal.code, code, "{refusal}\n{line}");
        let stage = if case["stage"] == "schema" { Stage::Schema } else { Stage::Policy };
        assert_eq!(refusal.code.stage(), stage);
    }
    assert_eq!(REFUSED.lines().count(), 22);
}
