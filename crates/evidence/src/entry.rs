//! The bytes of a log entry.

use prost::Message as _;
use verbale_proto::v1::LogEntry;
use verbale_proto::v1::log_entry::Event;

/// An entry is at most so large: tile bundles prefix each entry with a u16 length (C2SP tlog-tiles).
pub const ENTRY_BYTES_MAX: usize = 65_535;

const VERSION: u32 = 1;

/// Bytes that are no log entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Over the limit.
    #[error("the log entry is {got} bytes, limit {ENTRY_BYTES_MAX}")]
    TooLarge {
        /// Its length.
        got: usize,
    },
    /// Of another version.
    #[error("the log entry has version {got}, this program knows {VERSION}; use a newer program")]
    Version {
        /// Its version.
        got: u32,
    },
    /// Not an entry in its one encoding, or one without event.
    #[error("the bytes are no log entry in its one encoding")]
    Encoding,
}

/// The bytes of an entry.
///
/// # Errors
/// [`EntryError::TooLarge`].
pub fn encode_entry(time_ms: i64, event: Event) -> Result<Vec<u8>, EntryError> {
    let bytes = LogEntry { version: VERSION, time_ms, event: Some(event) }.encode_to_vec();
    if bytes.len() > ENTRY_BYTES_MAX { Err(EntryError::TooLarge { got: bytes.len() }) } else { Ok(bytes) }
}

/// Time and event of an entry.
///
/// # Errors
/// [`EntryError`].
pub fn decode_entry(bytes: &[u8]) -> Result<(i64, Event), EntryError> {
    if bytes.len() > ENTRY_BYTES_MAX {
        return Err(EntryError::TooLarge { got: bytes.len() });
    }
    let entry = LogEntry::decode(bytes).map_err(|_| EntryError::Encoding)?;
    if entry.version != VERSION {
        return Err(EntryError::Version { got: entry.version });
    }
    if entry.encode_to_vec() != bytes {
        return Err(EntryError::Encoding);
    }
    entry.event.map(|event| (entry.time_ms, event)).ok_or(EntryError::Encoding)
}
