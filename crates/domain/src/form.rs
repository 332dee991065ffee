//! The form check: every member known, present where it must be, and of the shape its option in `proto/` asks for.

mod lists;
mod scope;
mod text;

use serde_json::{Map, Value};

use crate::refusal::{Code, Refusal};
use crate::schema::{Member, Shape, Slot};

pub(crate) use lists::Registers;
pub(crate) use scope::{Covered, PATHS_MAX};
pub use scope::{NAME_BYTES_MAX, PURPOSE_BYTES_MAX, is_line, is_text};
pub(crate) use text::is_bidi_control;

/// Checks an object and returns it without null members, in the order of its schema.
pub(crate) fn check(value: Value, shape: &Shape, at: &str) -> Result<Map<String, Value>, Refusal> {
    let Value::Object(mut given) = value else {
        return Err(Refusal::new(Code::BadValue, at, "must be an object"));
    };
    given.retain(|_, value| !value.is_null());
    let mut members = Map::new();
    for member in &shape.members {
        let place = join(at, &member.name);
        match given.swap_remove(&member.name) {
            Some(value) => {
                members.insert(member.name.clone(), check_slot(value, member, &place)?);
            }
            None if member.required => {
                return Err(Refusal::new(Code::MissingField, place, "is required for this kind; fill it in"));
            }
            None => {}
        }
    }
    match given.keys().next() {
        None => Ok(members),
        Some(unknown) => Err(unknown_member(at, unknown)),
    }
}

/// A member that the schema does not name. Its name comes from the caller's own JSON; it is cut, and shown to nobody else:
/// what arrives from a counterpart has numbers, not names.
pub(crate) fn unknown_member(at: &str, name: &str) -> Refusal {
    let name: String = name.chars().take(64).filter(|c| !c.is_control()).collect();
    Refusal::new(Code::UnknownField, at, format!("has a member `{name}` that this kind does not have; remove it"))
}

/// A dotted place.
pub(crate) fn join(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

fn check_slot(value: Value, member: &Member, at: &str) -> Result<Value, Refusal> {
    let bad = |must: &str| Err(Refusal::new(Code::BadValue, at, format!("must be {must}")));
    match (&member.slot, value) {
        (Slot::Text(class), Value::String(text)) => {
            text::check(&text, *class, at)?;
            Ok(Value::String(text))
        }
        (Slot::Int, Value::Number(number)) if number.as_i64().is_some_and(|number| number >= 0) => {
            Ok(Value::Number(number))
        }
        (Slot::Bool, Value::Bool(truth)) => Ok(Value::Bool(truth)),
        (Slot::Object(shape), value @ Value::Object(_)) => check(value, shape, at).map(Value::Object),
        (Slot::Texts(class), Value::Array(items)) => {
            for (i, item) in items.iter().enumerate() {
                let place = format!("{at}[{i}]");
                let Value::String(item) = item else {
                    return Err(Refusal::new(Code::BadValue, place, "must be a text"));
                };
                text::check(item, *class, &place)?;
            }
            Ok(Value::Array(items))
        }
        (Slot::Objects(shape), Value::Array(items)) => {
            let items = items.into_iter().enumerate();
            let checked = items.map(|(i, item)| check(item, shape, &format!("{at}[{i}]")).map(Value::Object));
            checked.collect::<Result<_, _>>().map(Value::Array)
        }
        (Slot::Text(_), _) => bad("a text"),
        (Slot::Int, _) => bad("a whole number from 0 to 2^63 - 1, without sign, point or exponent"),
        (Slot::Bool, _) => bad("true or false"),
        (Slot::Object(_), _) => bad("an object"),
        (Slot::Texts(_) | Slot::Objects(_), _) => bad("a list"),
    }
}
