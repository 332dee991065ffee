//! What a check found: where, what must be there, and what is there.

use serde_json::{Value, json};

use crate::presentation::visible;

/// Findings that are kept; more are counted.
pub(crate) const FINDINGS_MAX: usize = 1000;

/// One thing that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Stable code.
    pub code: &'static str,
    /// The log that it is about, by the contact point's id.
    pub log: String,
    /// The entry, from zero; `None`: it is about no single one.
    pub entry: Option<u64>,
    /// What must be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl Finding {
    /// For machines.
    pub fn to_json(&self) -> Value {
        json!({
            "code": self.code, "log": self.log, "entry": self.entry, "expected": self.expected, "found": self.found,
        })
    }

    /// For people.
    pub fn to_text(&self) -> String {
        let place = self.entry.map(|entry| format!(", entry {entry}")).unwrap_or_default();
        // Whoever wrote the log writes no lines of this report.
        let [log, expected, found] =
            [&self.log, &self.expected, &self.found].map(|text| visible(text).replace('\n', "\\n"));
        format!("{} ({log}{place})\n    expected  {expected}\n    found     {found}", self.code)
    }
}
