//! The strict reading of JSON: no member twice, no half characters, nothing behind the end.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::JSON_BYTES_MAX;
use crate::refusal::{Code, Refusal};

/// What the visitor says when a member stands twice; told apart from other errors by this text, which no input can
/// produce, since serde_json's own messages do not quote the input.
const DUPLICATE: &str = "duplicate member";

/// Reads one JSON value.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, Refusal> {
    if bytes.len() > JSON_BYTES_MAX {
        let reason = format!(
            "the notice is {} bytes, the limit is {JSON_BYTES_MAX}; send attachments by another way",
            bytes.len()
        );
        return Err(Refusal::new(Code::TooLarge, "", reason));
    }
    let bad = |reason: String| Refusal::new(Code::BadJson, "", reason);
    let text = std::str::from_utf8(bytes).map_err(|e| bad(format!("not UTF-8 from byte {} on", e.valid_up_to())))?;
    if has_lone_surrogate(text) {
        let reason = "a \\u escape names half of a surrogate pair; write the character itself";
        return Err(Refusal::new(Code::LoneSurrogate, "", reason));
    }
    serde_json::from_str::<Strict>(text).map(|strict| strict.0).map_err(|error| {
        let place = format!("line {} column {}", error.line(), error.column());
        if error.to_string().starts_with(DUPLICATE) {
            return Refusal::new(Code::DuplicateMember, "", format!("a member stands twice in one object, at {place}"));
        }
        let what = match error.classify() {
            serde_json::error::Category::Eof => "the JSON ends too early",
            _ => "not valid JSON",
        };
        bad(format!("{what}, at {place}"))
    })
}

/// A value without duplicate members.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(Value::String(v.to_owned()))
    }

    fn visit_string<E>(self, v: String) -> Result<Value, E> {
        Ok(Value::String(v))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, Strict(value))) = access.next_entry::<String, Strict>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom(DUPLICATE));
            }
        }
        Ok(Value::Object(members))
    }
}

/// Whether a `\u` escape stands for a surrogate without its other half. An escape outside a string is an error anyway.
fn has_lone_surrogate(text: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let escape = rest.get(at..).unwrap_or_default();
        let skip = match surrogate(escape) {
            Some(high) if high < 0xdc00 => match escape.get(6..).and_then(surrogate) {
                Some(low) if low >= 0xdc00 => 12,
                _ => return true,
            },
            Some(_) => return true,
            // Two bytes, so that an escaped backslash does not escape what follows it.
            None => 2,
        };
        rest = escape.get(skip..).unwrap_or_default();
    }
    false
}

/// The surrogate that an escape at the start of the text names.
fn surrogate(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u32::from_str_radix(digits, 16).ok().filter(|unit| (0xd800..0xe000).contains(unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Option<Code> {
        parse(text.as_bytes()).err().map(|refusal| refusal.code)
    }

    #[test]
    fn what_another_reader_could_read_otherwise_is_refused() {
        assert_eq!(code(r#"{"a":1,"b":{"c":1,"c":2}}"#), Some(Code::DuplicateMember));
        assert_eq!(code(r#"{"a":1,"\u0061":2}"#), Some(Code::DuplicateMember));
        assert_eq!(code(r#"{"a":"\ud800"}"#), Some(Code::LoneSurrogate));
        assert_eq!(code(r#"{"a":"\ud800\ud800"}"#), Some(Code::LoneSurrogate));
        assert_eq!(code(r#"{"a":"\udc00 x"}"#), Some(Code::LoneSurrogate));
        assert_eq!(code(r#"{"a":"\\ud800 \ud83d\ude00"}"#), None);
        assert_eq!(code(r#"{"a":1} {"#), Some(Code::BadJson));
        assert_eq!(code(r#"{"a":"#), Some(Code::BadJson));
        assert_eq!(code(&"[".repeat(100_000)), Some(Code::BadJson));
        assert_eq!(parse(b"\"\xff\"").map_err(|r| r.code), Err(Code::BadJson));
        assert_eq!(parse(&vec![b' '; JSON_BYTES_MAX + 1]).map_err(|r| r.code), Err(Code::TooLarge));
    }
}
