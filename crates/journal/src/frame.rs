//! Frames: the unit of a segment.
//!
//! # Layout
//! | bytes | what |
//! |---|---|
//! | 4 | length of the body, big-endian |
//! | 1 | kind |
//! | 3 | zero |
//! | 4 | CRC-32C over the segment's salt, the frame's offset (u64), length, kind and body, big-endian |
//! | length | body |
//!
//! The salt is random for each segment: bytes of an older file at the same place are no frames. Bodies of sealed, facts,
//! receipt and erased frames begin with the log index (u64) of the entry they stand beside.
//!
//! A sealed frame that is erased becomes `Erasing` by one byte; its checksum counts no more, so a crash while its body is
//! overwritten leaves a frame that can be read. The checksum of the emptied body follows, and with one more byte it is `Erased`.

use std::ops::Range;

/// Length of a frame before its body.
pub(crate) const HEADER_BYTES: usize = 12;

/// Length of a commit frame's body: size and root.
pub(crate) const COMMIT_BYTES: usize = 8 + 32;

/// A segment's salt.
pub(crate) type Salt = [u8; 16];

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Entry = 1,
    Sealed = 2,
    Facts = 3,
    Receipt = 4,
    Commit = 5,
    Pad = 6,
    /// A sealed frame whose body was overwritten.
    Erased = 7,
    /// A sealed frame whose body is being overwritten: its checksum says nothing.
    Erasing = 8,
}

impl Kind {
    pub(crate) fn of(byte: u8) -> Option<Self> {
        const KINDS: [Kind; 8] = [
            Kind::Entry,
            Kind::Sealed,
            Kind::Facts,
            Kind::Receipt,
            Kind::Commit,
            Kind::Pad,
            Kind::Erased,
            Kind::Erasing,
        ];
        KINDS.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// What stands at an offset.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// Nothing was written here, or the segment ends.
    End,
    /// A frame; the range is its body's.
    Frame(Kind, Range<usize>),
    /// Bytes that are no frame.
    Bad,
}

/// Appends a frame that will stand at `offset` of its segment.
pub(crate) fn write(out: &mut Vec<u8>, offset: u64, salt: &Salt, kind: Kind, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    out.extend_from_slice(&length);
    out.extend_from_slice(&[kind as u8, 0, 0, 0]);
    let mut crc = seed(salt, offset, length, kind as u8);
    for part in parts {
        crc = crc32c::crc32c_append(crc, part);
    }
    out.extend_from_slice(&crc.to_be_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// Where a frame's kind and checksum stand in its header.
pub(crate) const KIND_AT: u64 = 4;
pub(crate) const CRC_AT: u64 = 8;

/// The checksum of an erased frame at `offset`: of the log index, and zeros in place of `sealed_bytes` sealed bytes.
pub(crate) fn erased_crc(offset: u64, salt: &Salt, index: u64, sealed_bytes: u32) -> [u8; 4] {
    let length = sealed_bytes.saturating_add(8).to_be_bytes();
    let mut crc = seed(salt, offset, length, Kind::Erased as u8);
    crc = crc32c::crc32c_append(crc, &index.to_be_bytes());
    let (mut left, zeros) = (sealed_bytes as usize, [0; 4096]);
    while left > 0 {
        let part = left.min(zeros.len());
        crc = crc32c::crc32c_append(crc, zeros.get(..part).unwrap_or_default());
        left -= part;
    }
    crc.to_be_bytes()
}

/// Reads the frame at `at` of a whole segment.
pub(crate) fn read(segment: &[u8], at: usize, salt: &Salt) -> Read {
    let Some((header, rest)) = segment.get(at..).and_then(<[u8]>::split_first_chunk::<HEADER_BYTES>) else {
        let rest = segment.get(at..).unwrap_or_default();
        return if rest.iter().all(|byte| *byte == 0) { Read::End } else { Read::Bad };
    };
    if *header == [0; HEADER_BYTES] {
        return Read::End;
    }
    let [l0, l1, l2, l3, kind, 0, 0, 0, c0, c1, c2, c3] = *header else { return Read::Bad };
    let length_bytes = [l0, l1, l2, l3];
    let length = u32::from_be_bytes(length_bytes) as usize;
    let (Some(known), Some(body)) = (Kind::of(kind), rest.get(..length)) else { return Read::Bad };
    let crc = crc32c::crc32c_append(seed(salt, at as u64, length_bytes, kind), body);
    if crc.to_be_bytes() != [c0, c1, c2, c3] && known != Kind::Erasing {
        return Read::Bad;
    }
    Read::Frame(known, at + HEADER_BYTES..at + HEADER_BYTES + length)
}

/// Whether a valid commit frame stands anywhere from `from` on.
pub(crate) fn has_commit_after(segment: &[u8], from: usize, salt: &Salt) -> bool {
    let mut pattern = [0; 8];
    pattern[..4].copy_from_slice(&40u32.to_be_bytes());
    pattern[4] = Kind::Commit as u8;
    let tail = segment.get(from..).unwrap_or_default();
    let written = tail.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    let tail = tail.get(..written).unwrap_or_default();
    let candidates = tail.windows(pattern.len()).enumerate().filter(|(_, window)| *window == pattern);
    candidates.into_iter().any(|(at, _)| matches!(read(segment, from + at, salt), Read::Frame(Kind::Commit, _)))
}

fn seed(salt: &Salt, offset: u64, length: [u8; 4], kind: u8) -> u32 {
    let crc = crc32c::crc32c_append(crc32c::crc32c(salt), &offset.to_be_bytes());
    crc32c::crc32c_append(crc32c::crc32c_append(crc, &length), &[kind])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_reads_back_at_its_own_offset_under_its_own_salt_only() {
        let mut segment = vec![0; 10];
        write(&mut segment, 10, &[1; 16], Kind::Entry, &[b"en", b"try"]);
        segment.extend_from_slice(&[0; 20]);
        assert_eq!(read(&segment, 10, &[1; 16]), Read::Frame(Kind::Entry, 22..27));
        assert_eq!(read(&segment, 27, &[1; 16]), Read::End);
        assert_eq!(read(&segment, 10, &[2; 16]), Read::Bad);
        assert_eq!(read(&segment[1..], 9, &[1; 16]), Read::Bad);
        assert_eq!(read(&segment[..25], 10, &[1; 16]), Read::Bad);
        segment[24] ^= 1;
        assert_eq!(read(&segment, 10, &[1; 16]), Read::Bad);
    }

    #[test]
    fn a_commit_is_found_behind_damage() {
        let mut segment = vec![7; 33];
        write(&mut segment, 33, &[1; 16], Kind::Commit, &[&[0; COMMIT_BYTES]]);
        assert!(has_commit_after(&segment, 0, &[1; 16]));
        assert!(!has_commit_after(&segment, 34, &[1; 16]));
        assert!(!has_commit_after(&segment, 0, &[2; 16]));
    }
}
