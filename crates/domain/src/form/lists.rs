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
        let read: Vec<HashSet<&str>> =
            REGISTERS.iter().map(|(list, keys)| numbers(body, list, keys)).collect::<Result<_, _>>()?;
        delta(body, complete, &read)?;
        Ok(Self(read))
    }
}

/// A list is whole, or says which earlier one it continues and how.
fn delta(body: &Map<String, Value>, complete: Option<bool>, read: &[HashSet<&str>]) -> Result<(), Refusal> {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let is_change = |name: &&str| body.get(*name).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    let changes = ["added", "removed"].into_iter().find(is_change);
    let wrong = |code, at: &str, reason: &str| Err(Refusal::new(code, at, reason));
    // A reply may be complete too, and is no list.
    if complete == Some(true) && body.contains_key("as_of") {
        if !body.contains_key("entries") {
            return wrong(Code::MissingField, "body.entries", "is required of a complete list; an empty one is []");
        }
        return match changes.or(text("delta_from").map(|_| "delta_from")) {
            None => Ok(()),
            Some(name) => wrong(Code::BadValue, &format!("body.{name}"), "does not belong into a complete list"),
        };
    }
    let Some(base) = text("delta_from") else {
        return match changes {
            None => Ok(()),
            Some(_) => wrong(
                Code::MissingField,
                "body.delta_from",
                "is required: the day of the list to which the changes are made",
            ),
        };
    };
    // Days in the form YYYY-MM-DD: their order is that of their text.
    if text("as_of").is_some_and(|as_of| as_of <= base) {
        return wrong(Code::BadValue, "body.as_of", "is not after the day of the list that it continues, delta_from");
    }
    let [_, added, removed] = read else { return Ok(()) };
    if added.is_disjoint(removed) {
        return Ok(());
    }
    wrong(
        Code::DuplicateEntry,
        "body.removed",
        "has a number that is in `added` too; the list does not say which holds",
    )
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
