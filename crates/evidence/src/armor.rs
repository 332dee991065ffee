//! The text form of what people pass on: base64 between two lines, with an explanation before it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Bytes per line in base64: 64 characters, as in PEM.
const LINE_CHARS: usize = 64;

fn lines(label: &str) -> (String, String) {
    (format!("-----BEGIN VERBALE {label}-----"), format!("-----END VERBALE {label}-----"))
}

/// Bytes as text.
pub(crate) fn to_text(label: &str, bytes: &[u8], explanation: &str) -> String {
    let (begin, end) = lines(label);
    let encoded = STANDARD.encode(bytes);
    let mut text = format!("{explanation}\n{begin}\n");
    for line in encoded.as_bytes().chunks(LINE_CHARS) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text + &end + "\n"
}

/// The bytes in a text, and what of the text comes after them; what is wrong with the text otherwise.
pub(crate) fn parse<'t>(label: &str, text: &'t str) -> Result<(Vec<u8>, &'t str), &'static str> {
    let (begin, end) = lines(label);
    let inside = text.split_once(&begin).and_then(|(_, after)| after.split_once(&end));
    let (inside, rest) = inside.ok_or("its first and last line are missing")?;
    let encoded: String = inside.split_ascii_whitespace().collect();
    Ok((STANDARD.decode(encoded).map_err(|_| "it is not base64")?, rest))
}
