//! What a consent or a disclosure notice covers.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::is_bidi_control;
use crate::refusal::{Code, Refusal};

/// A purpose, a condition: at most so many bytes.
pub const PURPOSE_BYTES_MAX: usize = 4096;

/// The name of an audience, likewise.
pub const NAME_BYTES_MAX: usize = 512;

/// Paths of one list in a notice: the largest kind has some fifty fields.
pub(crate) const PATHS_MAX: usize = 256;

/// Conditions of one grant: people read each of them.
const CONDITIONS_MAX: usize = 64;

/// A text that is one line, and moves no cursor.
pub fn is_line(text: &str, bytes_max: usize) -> bool {
    text.len() <= bytes_max
        && !text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || is_bidi_control(c))
}

/// A purpose or a condition: a text of lines, which moves no cursor; it may be empty.
pub fn is_text(text: &str) -> bool {
    text.len() <= PURPOSE_BYTES_MAX && text.split(['\n', '\r', '\t']).all(|line| is_line(line, PURPOSE_BYTES_MAX))
}

/// The fields that a request, a grant or a disclosure notice covers: some, each once, under bounds that a release can be made of.
#[derive(PartialEq, Eq)]
pub(crate) struct Covered<'a>(BTreeSet<&'a str>);

impl<'a> TryFrom<&'a Map<String, Value>> for Covered<'a> {
    type Error = Refusal;

    fn try_from(body: &'a Map<String, Value>) -> Result<Self, Refusal> {
        let wrong = |at: &str, reason: String| Err(Refusal::new(Code::BadValue, at, reason));
        let texts = |name: &str| {
            let items = body.get(name).and_then(Value::as_array);
            items.into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>()
        };
        let within = |object: &str, name: &str| body.get(object)?.get(name)?.as_str();
        let purpose = body.get("purpose").and_then(Value::as_str).unwrap_or_default();
        if !is_text(purpose) {
            return wrong("body.purpose", format!("must be text of at most {PURPOSE_BYTES_MAX} bytes"));
        }
        let audience = within("audience", "name").unwrap_or_default();
        if audience.trim().is_empty() || !is_line(audience, NAME_BYTES_MAX) {
            return wrong("body.audience.name", format!("must be one line of at most {NAME_BYTES_MAX} bytes"));
        }
        let conditions = texts("conditions");
        if conditions.len() > CONDITIONS_MAX || !conditions.iter().all(|text| is_text(text)) {
            let reason = format!("must be at most {CONDITIONS_MAX} texts of at most {PURPOSE_BYTES_MAX} bytes each");
            return wrong("body.conditions", reason);
        }
        // Days in the form YYYY-MM-DD: their order is that of their text.
        for validity in ["validity", "requested_validity"] {
            let days = within(validity, "from").zip(within(validity, "to"));
            if days.is_some_and(|(from, to)| to < from) {
                return wrong(
                    &format!("body.{validity}"),
                    "ends before it begins, so it would never be valid".to_owned(),
                );
            }
        }
        let fields = texts("fields");
        if fields.is_empty() {
            let reason = "names no field: consent and notice are for named fields, or * for the whole";
            return wrong("body.fields", reason.to_owned());
        }
        let distinct: BTreeSet<&str> = fields.iter().copied().collect();
        if fields.len() > PATHS_MAX || distinct.len() != fields.len() {
            return wrong("body.fields", format!("must be at most {PATHS_MAX} fields, each once"));
        }
        Ok(Self(distinct))
    }
}
