//! Segment files: a head, frames, zeros up to the length that was filled ahead.
//!
//! # Layout
//! | bytes | what |
//! |---|---|
//! | 8 | `VERBALEJ` |
//! | 4 | format version, big-endian: 1 |
//! | 4 | number of the segment |
//! | 8 | log index of its first entry |
//! | 16 | salt |
//! | 4 | CRC-32C of the bytes before |
//! | 20 | zero |
//!
//! Frames begin at byte 64. A batch lies in one segment. Sealed frames begin and end at multiples of 4 KiB, so that one can
//! be overwritten without touching a block of another frame.

use std::path::{Path, PathBuf};

use crate::error::JournalError;
use crate::files::{Files, StoredFile};
use crate::frame::{HEADER_BYTES, Kind, Salt, write};

/// Where frames begin.
pub(crate) const HEAD_BYTES: usize = 64;

const MAGIC: &[u8; 8] = b"VERBALEJ";
const FORMAT: u32 = 1;

/// Zeros to fill ahead with: few enough to stay in the processor's cache, where 4 MiB of fresh ones would each cost a fault.
pub(crate) static ZEROS: [u8; 128 << 10] = [0; 128 << 10];

/// Sealed frames are aligned to blocks of so many bytes.
const BLOCK_BYTES: u64 = 4096;

/// A segment's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) number: u32,
    pub(crate) first: u64,
    pub(crate) salt: Salt,
}

/// What the first bytes of a file are.
pub(crate) enum HeadRead {
    Head(Head),
    /// Of another format.
    Version(u32),
    /// No head: its creation was cut short, or it is damaged.
    None,
}

impl Head {
    pub(crate) fn to_bytes(self) -> [u8; HEAD_BYTES] {
        let mut bytes = Vec::with_capacity(HEAD_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&FORMAT.to_be_bytes());
        bytes.extend_from_slice(&self.number.to_be_bytes());
        bytes.extend_from_slice(&self.first.to_be_bytes());
        bytes.extend_from_slice(&self.salt);
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_be_bytes());
        let mut head = [0; HEAD_BYTES];
        head.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        head
    }

    pub(crate) fn read(segment: &[u8]) -> HeadRead {
        let Some(head) = segment.first_chunk::<HEAD_BYTES>() else { return HeadRead::None };
        let number =
            |at: usize| head.get(at..).and_then(<[u8]>::first_chunk::<4>).map_or(0, |b| u32::from_be_bytes(*b));
        if !head.starts_with(MAGIC) {
            return HeadRead::None;
        }
        if number(8) != FORMAT {
            return HeadRead::Version(number(8));
        }
        let first = head.get(16..).and_then(<[u8]>::first_chunk::<8>).map_or(0, |b| u64::from_be_bytes(*b));
        let salt = head.get(24..).and_then(<[u8]>::first_chunk::<16>).copied().unwrap_or_default();
        let read = Self { number: number(12), first, salt };
        if read.to_bytes() == *head { HeadRead::Head(read) } else { HeadRead::None }
    }
}

/// The format that this program writes.
pub(crate) const KNOWN_FORMAT: u32 = FORMAT;

/// Path of a segment.
pub(crate) fn segment_path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:08}.segment"))
}

/// The segment that is written to.
pub(crate) struct Active {
    pub(crate) head: Head,
    pub(crate) path: PathBuf,
    file: Box<dyn StoredFile>,
    /// Where the next frame goes.
    pub(crate) end: u64,
    /// Length that is filled with zeros.
    filled: u64,
    /// How far ahead it is filled.
    ahead: u64,
}

impl Active {
    /// Makes a segment durable under its name, holding `frames` after its head.
    ///
    /// It is written aside and renamed: a crash leaves either no segment or a whole one.
    pub(crate) fn create(
        files: &dyn Files,
        dir: &Path,
        head: Head,
        frames: &[u8],
        ahead: u64,
    ) -> Result<Self, JournalError> {
        let path = segment_path(dir, head.number);
        let aside = path.with_extension("new");
        let file = files.create(&aside).map_err(JournalError::io("create", &aside))?;
        let end = (HEAD_BYTES + frames.len()) as u64;
        let mut active = Self { head, path, file, end, filled: 0, ahead };
        active.write(&[&active.head.to_bytes(), frames].concat(), 0)?;
        active.fill_ahead(end)?;
        active.sync()?;
        files.rename(&aside, &active.path).map_err(JournalError::io("rename", &aside))?;
        files.sync_folder(dir).map_err(JournalError::io("sync", dir))?;
        Ok(active)
    }

    /// Goes on with a segment that was stopped in order.
    pub(crate) fn resume(
        files: &dyn Files,
        dir: &Path,
        head: Head,
        end: u64,
        ahead: u64,
    ) -> Result<Self, JournalError> {
        let path = segment_path(dir, head.number);
        let file = files.open(&path).map_err(JournalError::io("open", &path))?;
        let filled = file.length().map_err(JournalError::io("measure", &path))?;
        Ok(Self { head, path, file, end, filled, ahead })
    }

    /// Appends a whole batch and makes it durable.
    pub(crate) fn append(&mut self, batch: &[u8]) -> Result<(), JournalError> {
        let end = self.end + batch.len() as u64;
        self.fill_ahead(end)?;
        self.write(batch, self.end)?;
        self.sync()?;
        self.end = end;
        Ok(())
    }

    fn fill_ahead(&mut self, needed: u64) -> Result<(), JournalError> {
        if needed <= self.filled {
            return Ok(());
        }
        let mut from = self.filled.max(self.end);
        let to = needed.next_multiple_of(self.ahead);
        while from < to {
            let length = usize::try_from(to - from).unwrap_or(usize::MAX).min(ZEROS.len());
            self.write(ZEROS.get(..length).unwrap_or_default(), from)?;
            from += length as u64;
        }
        self.filled = to;
        Ok(())
    }

    fn write(&self, bytes: &[u8], offset: u64) -> Result<(), JournalError> {
        self.file.write_at(offset, bytes).map_err(JournalError::io("write", &self.path))
    }

    fn sync(&self) -> Result<(), JournalError> {
        self.file.sync().map_err(JournalError::io("sync", &self.path))
    }
}

/// Frames that will be appended together.
pub(crate) struct Draft {
    salt: Salt,
    start: u64,
    pub(crate) bytes: Vec<u8>,
}

impl Draft {
    /// Frames of at most about `bytes`, to be appended to a segment.
    pub(crate) fn new(active: &Active, bytes: usize) -> Self {
        Self { salt: active.head.salt, start: active.end, bytes: Vec::with_capacity(bytes) }
    }

    /// Frames of a segment that does not exist yet.
    pub(crate) fn at_start(head: Head) -> Self {
        Self { salt: head.salt, start: HEAD_BYTES as u64, bytes: Vec::new() }
    }

    /// Adds a frame and returns the offset of its body.
    pub(crate) fn frame(&mut self, kind: Kind, parts: &[&[u8]]) -> u64 {
        let offset = self.offset();
        write(&mut self.bytes, offset, &self.salt, kind, parts);
        offset + HEADER_BYTES as u64
    }

    /// Adds a frame in blocks of its own and returns the offset of its body.
    pub(crate) fn aligned_frame(&mut self, kind: Kind, parts: &[&[u8]]) -> u64 {
        self.align();
        let body = self.frame(kind, parts);
        self.align();
        body
    }

    fn align(&mut self) {
        let gap = self.offset().next_multiple_of(BLOCK_BYTES) - self.offset();
        if gap == 0 {
            return;
        }
        let header = HEADER_BYTES as u64;
        let gap = if gap < header { gap + BLOCK_BYTES } else { gap };
        let zeros = vec![0; usize::try_from(gap - header).unwrap_or_default()];
        self.frame(Kind::Pad, &[&zeros]);
    }

    fn offset(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}
