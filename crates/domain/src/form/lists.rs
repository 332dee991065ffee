//! Rules about lists as a whole.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::refusal::{Code, Refusal};

/// Lists of organisations, and the member that identifies an element. Of several elements with one number the list
/// does not say which holds.
const REGISTERS: [(&str, &[&str]); 3] =
    [("entries", &["registration_no", "org_no"]), ("added", &["registration_no"]), ("removed", &["registration_no"])];

/// The numbers in a body's lists of organisations: each once in its list, and as many as a complete list says.
#[derive(PartialEq, Eq)]
pub(crate) struct Registers<'a>(Vec<HashSet<&'a str>>);

impl<'a> TryFrom<&'a Map<String, Value>> for Registers<'a> {
    type Error = Refusal;

    fn try_from(body: &'a Map<String, Value>) -> Result<Self, Refusal> {
        let entries = body.get("entries").and_then(Value::as_array);
        let count = body.get("count").and_then(Value::as_i64);
        let complete = body.get("complete").and_then(Value::as_bool);
        if let (Some(true), Some(count)) = (complete, count) {
            let found = entries.map_or(0, Vec::len);
            if i64::try_from(found) != Ok(count) {
                let reason = "is not the number of entries of the complete list; correct one of the two";
                return Err(Refusal::new(Code::CountMismatch, "body.count", reason));
            }
        }
        REGISTERS.iter().map(|(list, keys)| numbers(body, list, keys)).collect::<Result<_, _>>().map(Self)
    }
}

fn numbers<'a>(body: &'a Map<String, Value>, list: &str, keys: &[&str]) -> Result<HashSet<&'a str>, Refusal> {
    let mut seen = HashSet::new();
    for (i, element) in body.get(list).and_then(Value::as_array).into_iter().flatten().enumerate() {
        let number = keys.iter().find_map(|key| element.get(key)).and_then(Value::as_str);
        if number.is_some_and(|number| !seen.insert(number)) {
            let reason = "has the number of an earlier element of this list; keep one of them";
            return Err(Refusal::new(Code::DuplicateEntry, format!("body.{list}[{i}]"), reason));
        }
    }
    Ok(seen)
}
