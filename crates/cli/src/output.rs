//! Tables for people, JSON for machines.

use std::fmt::{Arguments, Write as _};
use std::io::{ErrorKind, IsTerminal as _, Write as _};

use comfy_table::presets::{NOTHING, UTF8_FULL_CONDENSED};
use comfy_table::{ContentArrangement, Table};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use verbale_domain::is_line;

use crate::failure::CliError;

/// Writes a line to standard output, and leaves the function when nobody reads it any more.
macro_rules! say {
    ($($text:tt)*) => { $crate::output::line(format_args!($($text)*))? };
}
pub(crate) use say;

/// Writes a line to standard output.
///
/// # Errors
/// [`CliError::OutputClosed`] when its reader is gone (`verbale list inbox | head`), another one when it cannot be written.
pub(crate) fn line(text: Arguments<'_>) -> Result<(), CliError> {
    writeln!(std::io::stdout().lock(), "{}", harmless(text.to_string())).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => CliError::OutputClosed,
        _ => CliError::failed("standard output cannot be written; what was asked may be done in part", error),
    })
}

/// A text in which others' words move no cursor: control characters are written as JSON escapes them, so that JSON stays what it is.
fn harmless(text: String) -> String {
    let is_harmful = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(is_harmful) {
        return text;
    }
    let mut written = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) {
            let _ = write!(written, "\\u{:04x}", u32::from(c));
        } else {
            written.push(c);
        }
    }
    written
}

/// A table: ruled on a terminal, plain elsewhere.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    if std::io::stdout().is_terminal() {
        table.load_preset(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    } else {
        table.load_preset(NOTHING);
    }
    table.set_header(header.to_vec());
    table
}

/// A moment in milliseconds since 1970-01-01 UTC, as RFC 3339 to the second.
pub(crate) fn moment(time_ms: i64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(time_ms.div_euclid(1000)).ok();
    moment.and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_else(|| time_ms.to_string())
}

/// The same of seconds.
pub(crate) fn second(time_s: u64) -> String {
    moment(i64::try_from(time_s).unwrap_or(i64::MAX / 1000).saturating_mul(1000))
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    hex::encode(bytes)
}

/// A text of others in one line: what would begin another, or move the cursor, is written out.
pub(crate) fn one_line(text: &str) -> String {
    let shown =
        |c: char| if is_line(c.encode_utf8(&mut [0; 4]), 4) { c.to_string() } else { c.escape_default().to_string() };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_others_move_no_cursor_and_json_stays_the_same() {
        let words = "a\u{1b}[2J\u{9b}2J\r\u{7f}b\nc";
        assert_eq!(harmless(words.to_owned()), "a\\u001b[2J\\u009b2J\\u000d\\u007fb\nc");
        let json = serde_json::json!({ "text": words });
        let read: serde_json::Value = serde_json::from_str(&harmless(json.to_string())).unwrap();
        assert_eq!(read, json);
    }
}
