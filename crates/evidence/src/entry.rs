//! The bytes of a log entry.

use prost::Message as _;
use verbale_proto::v1::LogEntry;
use verbale_proto::v1::log_entry::Event;

/// An entry is at most so large: tile bundles prefix each entry with a u16 length (C2SP tlog-tiles).
pub const ENTRY_BYTES_MAX: usize = 65_535;

/// An entry is carried over at most so often: from each log to the one that takes its place.
pub const CARRIED_MAX: u64 = 64;

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
    /// Carried over more often than a reader follows.
    #[error("the log entry was carried over more than {CARRIED_MAX} times")]
    Carried,
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

/// What an entry tells: time and event, and how often it was carried over since a log told it first.
///
/// # Errors
/// [`EntryError`].
pub fn read_entry(bytes: &[u8]) -> Result<EntryTold, EntryError> {
    let (logged_ms, mut event) = decode_entry(bytes)?;
    let (mut time_ms, mut carried) = (logged_ms, 0);
    while let Event::CarriedOver(before) = event {
        if carried == CARRIED_MAX {
            return Err(EntryError::Carried);
        }
        carried += 1;
        (time_ms, event) = decode_entry(&before.entry)?;
    }
    Ok(EntryTold { logged_ms, time_ms, event, carried })
}

/// The entry of the log before that an entry carries over; `None` when it carries none.
pub fn carried_entry(bytes: &[u8]) -> Option<Vec<u8>> {
    match decode_entry(bytes) {
        Ok((_, Event::CarriedOver(carried))) => Some(carried.entry),
        _ => None,
    }
}

/// What an entry tells.
#[derive(Clone, Debug, PartialEq)]
pub struct EntryTold {
    /// When this log had it, in milliseconds since 1970-01-01 UTC.
    pub logged_ms: i64,
    /// When it happened: for what was carried over, by the log that told it first.
    pub time_ms: i64,
    /// What happened.
    pub event: Event,
    /// How many logs told it before this one; 0: none. Its index in the log that told it first is less by this number.
    pub carried: u64,
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
