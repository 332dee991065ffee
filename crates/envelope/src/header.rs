//! The strict reading of an age header, before the age crate sees it.
//!
//! The crate accepts a stanza without body and one without the short last line, which the specification rejects; and a
//! notice has one recipient only, which age does not ask for.
//!
//! # Source
//! C2SP age, «Header»: a body is wrapped at 64 columns and ends in a line shorter than that, which may be empty.

/// A header is at most so large: one X25519 stanza (113 bytes), one grease stanza (under 600) and the MAC line, with room.
const HEADER_BYTES_MAX: usize = 2 << 10;

const VERSION_LINE: &[u8] = b"age-encryption.org/v1";
const COLUMNS: usize = 64;

/// An X25519 share, and a wrapped file key of 32 bytes, in base64 without padding.
const SHARE_CHARS: usize = 43;

/// A header that this node does not accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeaderError {
    #[error("the sealed bytes are no age file of version 1")]
    Version,
    #[error("the age header is longer than {HEADER_BYTES_MAX} bytes, or ends too early")]
    Length,
    #[error("a stanza of the age header has not its form")]
    Stanza,
    #[error("a stanza of the age header has no body, or its body has no short last line")]
    Body,
    #[error("the age header has {0} X25519 recipients instead of one")]
    Recipients(usize),
    #[error("the age header has a recipient of another type than X25519")]
    OtherType,
}

pub(crate) fn check(sealed: &[u8]) -> Result<(), HeaderError> {
    let head = sealed.get(..sealed.len().min(HEADER_BYTES_MAX)).unwrap_or_default();
    let mut lines = head.split(|byte| *byte == b'\n').peekable();
    if lines.next() != Some(VERSION_LINE) {
        return Err(HeaderError::Version);
    }
    let mut recipients = 0;
    loop {
        let line = lines.next().ok_or(HeaderError::Length)?;
        if line.starts_with(b"---") {
            // The last piece of the split has no line feed behind it.
            lines.peek().ok_or(HeaderError::Length)?;
            return if recipients == 1 { Ok(()) } else { Err(HeaderError::Recipients(recipients)) };
        }
        let mut words = line.strip_prefix(b"-> ").ok_or(HeaderError::Stanza)?.split(|byte| *byte == b' ');
        let tag = words.next().unwrap_or_default();
        let arguments: Vec<&[u8]> = words.collect();
        if tag.is_empty() || arguments.iter().any(|argument| argument.is_empty()) {
            return Err(HeaderError::Stanza);
        }
        let body = body_chars(&mut lines)?;
        if tag == b"X25519" {
            let share = matches!(arguments.as_slice(), [share] if share.len() == SHARE_CHARS);
            if !share || body != SHARE_CHARS {
                return Err(HeaderError::Stanza);
            }
            recipients += 1;
        } else if !tag.ends_with(b"-grease") {
            return Err(HeaderError::OtherType);
        }
    }
}

/// Reads the lines of a body and returns its length.
fn body_chars<'a>(lines: &mut impl Iterator<Item = &'a [u8]>) -> Result<usize, HeaderError> {
    let mut chars = 0;
    loop {
        let line = lines.next().ok_or(HeaderError::Length)?;
        let base64 = line.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'));
        if !base64 || line.len() > COLUMNS {
            return Err(HeaderError::Body);
        }
        chars += line.len();
        if line.len() < COLUMNS {
            return Ok(chars);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn checked(stanzas: &str) -> Result<(), HeaderError> {
        check(format!("age-encryption.org/v1\n{stanzas}--- {SHARE}\npayload").as_bytes())
    }

    #[test]
    fn one_recipient_and_grease_pass_and_every_other_header_is_refused() {
        let one = format!("-> X25519 {SHARE}\n{SHARE}\n");
        let full = "A".repeat(COLUMNS);
        assert_eq!(checked(&one), Ok(()));
        assert_eq!(checked(&format!("{one}-> x-grease a b\n{full}\n\n")), Ok(()));
        assert_eq!(checked(&one.repeat(2)), Err(HeaderError::Recipients(2)));
        assert_eq!(checked("-> x-grease a\n\n"), Err(HeaderError::Recipients(0)));
        assert_eq!(checked(&format!("{one}-> scrypt {SHARE} 10\n{SHARE}\n")), Err(HeaderError::OtherType));
        // stanza_missing_body, stanza_missing_final_line
        assert_eq!(checked(&format!("{one}-> x-grease a\n")), Err(HeaderError::Body));
        assert_eq!(checked(&format!("{one}-> x-grease a\n{full}\n")), Err(HeaderError::Body));
        assert_eq!(checked(&format!("{one}-> x-grease  a\n\n")), Err(HeaderError::Stanza));
        assert_eq!(checked(&format!("-> X25519 {SHARE}A\n{SHARE}\n")), Err(HeaderError::Stanza));
        assert_eq!(
            checked(&format!("{one}-> x-grease a\n{}\n", format!("{full}\n").repeat(40))),
            Err(HeaderError::Length)
        );
        assert_eq!(check(b"age-encryption.org/v2\n"), Err(HeaderError::Version));
        assert_eq!(check(format!("age-encryption.org/v1\n{one}--- {SHARE}").as_bytes()), Err(HeaderError::Length));
    }
}
