//! The realistic notices pass and come out as they went in; those to refuse are refused with their code.

use serde_json::Value;
use verbale_domain::{Code, Memoranda, Notice, Place, Stage, check_rules};

const NOTICES: &str = include_str!("../../../tests/data/notices.jsonl");
const REFUSED: &str = include_str!("../../../tests/data/notices-refused.jsonl");

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
    let memoranda = Memoranda::parse(Memoranda::shipped().iter().copied()).unwrap();
    let mut count = 0;
    for line in NOTICES.lines() {
        let notice = Notice::from_json(line.as_bytes()).unwrap_or_else(|refusal| panic!("{refusal}\n{line}"));
        let chunks = notice.chunks().to_vec();
        let back = Notice::from_chunks(&chunks).unwrap_or_else(|refusal| panic!("{refusal}\n{line}"));
        let (expected, got): (Value, Value) =
            (serde_json::from_str(line).unwrap(), serde_json::from_str(&back.to_json()).unwrap());
        assert_eq!(got, without_nulls(expected));
        let header = back.header();
        let memorandum = memoranda.get(&header.memorandum).unwrap();
        // The commencement notification comes from a foreign ministry, by the contact point's node.
        let own = if header.flow == "F33" { "TJ-MLMEP-MS-DLPSA" } else { header.from.office.as_str() };
        let route =
            check_rules(&header, &memoranda, Place::Submission { own }).unwrap_or_else(|r| panic!("{r}\n{line}"));
        assert_eq!(route.memorandum.id, memorandum.id);
        let arrival = Place::Arrival { sender: own, own: &route.recipient };
        check_rules(&header, &memoranda, arrival).unwrap_or_else(|r| panic!("{r}\n{line}"));
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
fn notices_to_refuse_are_refused_with_their_code_where_form_or_these_rules_say_so() {
    let memoranda = Memoranda::parse(Memoranda::shipped().iter().copied()).unwrap();
    let of_these_rules = [Code::UnknownMemorandum, Code::JapanNotParty, Code::WrongDirection];
    let (mut form, mut rules) = (0, 0);
    for line in REFUSED.lines() {
        let mut case: Value = serde_json::from_str(line).unwrap();
        let code = case["code"].as_str().unwrap().parse::<Code>();
        let mut notice = case["notice"].take();
        // The state a node is in: for `check`, no part of a notice.
        notice.as_object_mut().unwrap().remove("_context");
        let read = Notice::from_json(notice.to_string().as_bytes());
        match code {
            Ok(code) if code.stage() == Stage::Schema => {
                assert_eq!(read.err().map(|r| r.code), Some(code), "{line}");
                form += 1;
            }
            Ok(code) if of_these_rules.contains(&code) => {
                let header = read.unwrap_or_else(|refusal| panic!("{refusal}\n{line}")).header();
                let own = Place::Submission { own: &header.from.office };
                assert_eq!(check_rules(&header, &memoranda, own).err().map(|r| r.code), Some(code), "{line}");
                rules += 1;
            }
            _ => assert!(read.is_ok(), "{line}"),
        }
    }
    assert_eq!((form, rules), (9, 3));
}
