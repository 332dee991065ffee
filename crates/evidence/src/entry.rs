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

/// What an entry tells: time and event, and whether it was carried over from the log before, which told it first.
///
/// # Errors
/// [`EntryError`], also of an entry that carries one that carries another.
pub fn read_entry(bytes: &[u8]) -> Result<EntryTold, EntryError> {
    let (logged_ms, event) = decode_entry(bytes)?;
    let Event::CarriedOver(carried) = event else {
        return Ok(EntryTold { logged_ms, time_ms: logged_ms, event, carried: false });
    };
    match decode_entry(&carried.entry)? {
        (_, Event::CarriedOver(_)) => Err(EntryError::Encoding),
        (time_ms, event) => Ok(EntryTold { logged_ms, time_ms, event, carried: true }),
    }
}

/// What an entry tells.
#[derive(Clone, Debug, PartialEq)]
pub struct EntryTold {
    /// When this log had it, in milliseconds since 1970-01-01 UTC.
    pub logged_ms: i64,
    /// When it happened: for what was carried over, by the log before.
    pub time_ms: i64,
    /// What happened.
    pub event: Event,
    /// Whether it was carried over from the log before.
    pub carried: bool,
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
