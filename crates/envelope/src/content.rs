//! The content: behind a u32 big-endian length, then zero bytes up to a Padmé size, so that the sealed length tells little.
//!
//! # Source
//! Nikitin et al., «Reducing Metadata Leakage from Encrypted Files and Communication with PURBs», PETS 2019, §4 (Padmé).

use prost::Message as _;
use prost::encoding::{WireType, decode_key, decode_varint};
use verbale_domain::CHUNKS_MAX;
use verbale_proto::v1::Content;
use zeroize::Zeroizing;

const LENGTH_BYTES: usize = 4;

/// Encodes and pads; `None` when the length does not fit its field.
pub(crate) fn pad(content: &Content) -> Option<Zeroizing<Vec<u8>>> {
    let length = content.encoded_len();
    let mut bytes = Zeroizing::new(Vec::with_capacity(padme(LENGTH_BYTES + length)));
    bytes.extend_from_slice(&u32::try_from(length).ok()?.to_be_bytes());
    content.encode(&mut *bytes).ok()?;
    let padded = padme(bytes.len());
    bytes.resize(padded, 0);
    Some(bytes)
}

/// What padded bytes may be wrong in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ContentError {
    #[error("the content's length or padding is not as it must be")]
    Padding,
    #[error("the content has more than {CHUNKS_MAX} fields, or is no content")]
    Fields,
    #[error("the content does not re-encode to its own bytes")]
    Encoding,
}

/// Reads padded bytes strictly: one length, one padding, one encoding.
pub(crate) fn unpad(bytes: &[u8]) -> Result<Content, ContentError> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>().ok_or(ContentError::Padding)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| ContentError::Padding)?;
    let (encoded, padding) = rest.split_at_checked(length).ok_or(ContentError::Padding)?;
    if bytes.len() != padme(LENGTH_BYTES + length) || padding.iter().any(|byte| *byte != 0) {
        return Err(ContentError::Padding);
    }
    // Before any of them costs memory.
    if chunk_count(encoded).is_none_or(|count| count > CHUNKS_MAX) {
        return Err(ContentError::Fields);
    }
    let content = Content::decode(encoded).map_err(|_| ContentError::Encoding)?;
    if *Zeroizing::new(content.encode_to_vec()) == encoded { Ok(content) } else { Err(ContentError::Encoding) }
}

/// Field number of the chunks in `Content`.
const CHUNKS: u32 = 6;

/// The number of chunks, counted without decoding them.
fn chunk_count(mut encoded: &[u8]) -> Option<usize> {
    let mut count = 0;
    while !encoded.is_empty() {
        let (number, wire) = decode_key(&mut encoded).ok()?;
        if wire != WireType::LengthDelimited {
            return None;
        }
        let length = usize::try_from(decode_varint(&mut encoded).ok()?).ok()?;
        encoded = encoded.get(length..)?;
        count += usize::from(number == CHUNKS);
    }
    Some(count)
}

/// The next Padmé size: at most 12 % more, O(log log n) bits of the length remain visible.
fn padme(length: usize) -> usize {
    let exponent = length.max(2).ilog2();
    let kept = exponent.ilog2() + 1;
    let mask = (1 << (exponent - kept.min(exponent))) - 1;
    (length + mask) & !mask
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content() -> Content {
        Content { sender: "A".repeat(300), ..Content::default() }
    }

    #[test]
    fn sizes_are_those_of_the_paper() {
        let sizes = [(1, 1), (2, 2), (9, 10), (100, 104), (1000, 1024), (1500, 1536), (1_000_001, 1_015_808)];
        assert_eq!(sizes.map(|(length, _)| padme(length)), sizes.map(|(_, padded)| padded));
    }

    #[test]
    fn padding_that_is_not_zero_not_there_or_too_long_is_refused() {
        let good = pad(&content()).unwrap();
        assert!(unpad(&good).is_ok_and(|read| read == content()));
        let mut dirty = good.clone();
        *dirty.last_mut().unwrap() = 1;
        assert_eq!(unpad(&dirty).err(), Some(ContentError::Padding));
        assert_eq!(unpad(&good[..good.len() - 1]).err(), Some(ContentError::Padding));
        let mut long = good.clone();
        long.push(0);
        assert_eq!(unpad(&long).err(), Some(ContentError::Padding));
        assert_eq!(unpad(&[0, 0]).err(), Some(ContentError::Padding));
    }

    #[test]
    fn more_chunks_than_a_notice_may_have_are_refused_before_they_are_decoded() {
        let encoded = [0x32, 0x00].repeat(CHUNKS_MAX + 1);
        let mut bytes = u32::try_from(encoded.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend_from_slice(&encoded);
        bytes.resize(padme(bytes.len()), 0);
        assert_eq!(unpad(&bytes).err(), Some(ContentError::Fields));
    }

    #[test]
    fn a_content_with_an_unknown_field_does_not_re_encode_and_is_refused() {
        let mut encoded = content().encode_to_vec();
        encoded.extend_from_slice(&[0x9a, 0x06, 0x01, 0x07]);
        let mut bytes = u32::try_from(encoded.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend_from_slice(&encoded);
        bytes.resize(padme(bytes.len()), 0);
        assert_eq!(unpad(&bytes).err(), Some(ContentError::Encoding));
    }
}
