//! Time stamps on signed heads: what an authority is asked, and what its answer says.
//!
//! In scope: the form of request and answer, and that an answer is about the bytes that were asked about. Out of scope: the authority's own
//! signature and certificates, which `openssl ts -verify` checks under roots that the auditor chose.
//!
//! # Source
//! RFC 3161 §2.4, RFC 5652 §5.

use cms::cert::x509::spki::AlgorithmIdentifier;
use cms::signed_data::EncapsulatedContentInfo;
use der::asn1::{Any, Int, ObjectIdentifier, OctetString};
use der::{Decode as _, Encode as _, Reader as _, SliceReader};
use sha2::{Digest as _, Sha256};
use x509_tsp::{MessageImprint, TimeStampReq, TimeStampResp, TspVersion, TstInfo};

/// SHA-256 (RFC 5754 §2.2).
const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");

/// Signed data (RFC 5652 §5.1).
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");

/// The content of a time stamp token (RFC 3161 §2.4.2).
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");

/// An answer is at most so large: a token with a chain of certificates has under 16 KiB.
pub const STAMP_BYTES_MAX: usize = 64 << 10;

/// What an answer says, by its own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// When the bytes were shown, in milliseconds since 1970-01-01 UTC.
    pub time_ms: i64,
    /// The request's random number; `None`: it names none of that length.
    nonce: Option<[u8; NONCE_BYTES]>,
}

/// Bytes of a request's random number.
pub const NONCE_BYTES: usize = 8;

/// An answer that is no time stamp of the bytes.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum StampError {
    /// Not the form.
    #[error("it is no time stamp of RFC 3161 ({0})")]
    Form(&'static str),
    /// The authority refused.
    #[error("the authority refused, with status {0}")]
    Refused(u8),
    /// About other bytes.
    #[error("it is about other bytes")]
    OtherBytes,
    /// An answer to another request.
    #[error("it answers another request")]
    OtherRequest,
}

/// A request for a time stamp on bytes, with the authority's certificate in the answer. `nonce` is random.
///
/// # Errors
/// [`StampError::Form`], never in practice.
pub fn stamp_request(bytes: &[u8], nonce: [u8; NONCE_BYTES]) -> Result<Vec<u8>, StampError> {
    let form = |_| StampError::Form("request");
    let request = TimeStampReq {
        version: TspVersion::V1,
        message_imprint: MessageImprint {
            // Without parameters (RFC 5754 §2).
            hash_algorithm: AlgorithmIdentifier { oid: SHA_256, parameters: None },
            hashed_message: OctetString::new(Sha256::digest(bytes).as_slice()).map_err(form)?,
        },
        req_policy: None,
        nonce: Some(Int::new(&number(nonce)).map_err(form)?),
        cert_req: true,
        extensions: None,
    };
    request.to_der().map_err(form)
}

/// Reads an answer about bytes, as it came from the authority.
///
/// # Errors
/// [`StampError`].
pub fn read_stamp(answer: &[u8], bytes: &[u8]) -> Result<Stamped, StampError> {
    let form = |what| move |_| StampError::Form(what);
    let answer = TimeStampResp::from_der(answer).map_err(form("answer"))?;
    let status = answer.status.status as u8;
    // Granted, or granted with changes (RFC 3161 §2.4.2).
    if status > 1 {
        return Err(StampError::Refused(status));
    }
    let token = answer.time_stamp_token.ok_or(StampError::Form("token"))?;
    if token.content_type != SIGNED_DATA {
        return Err(StampError::Form("signed data"));
    }
    let signed = signed_content(token.content.value()).map_err(form("signed data"))?;
    if signed.econtent_type != TST_INFO {
        return Err(StampError::Form("kind of content"));
    }
    let content = signed.econtent.ok_or(StampError::Form("content"))?;
    let content: OctetString = content.decode_as().map_err(form("content"))?;
    let info = TstInfo::from_der(content.as_bytes()).map_err(form("content"))?;
    let of = &info.message_imprint;
    if of.hash_algorithm.oid != SHA_256 || of.hashed_message.as_bytes() != Sha256::digest(bytes).as_slice() {
        return Err(StampError::OtherBytes);
    }
    let time = info.gen_time.to_unix_duration();
    let nonce = info.nonce.and_then(|nonce| nonce.as_bytes().try_into().ok());
    Ok(Stamped { time_ms: i64::try_from(time.as_millis()).unwrap_or(i64::MAX), nonce })
}

impl Stamped {
    /// Requires that it answers the request with this random number.
    ///
    /// # Errors
    /// [`StampError::OtherRequest`].
    pub fn require_nonce(self, nonce: [u8; NONCE_BYTES]) -> Result<Self, StampError> {
        if self.nonce == Some(number(nonce)) { Ok(self) } else { Err(StampError::OtherRequest) }
    }
}

/// What is signed (RFC 5652 §5.1). Certificates and signatures behind it are not read: authorities put certificates there twice, and in any
/// order.
fn signed_content(value: &[u8]) -> der::Result<EncapsulatedContentInfo> {
    let mut reader = SliceReader::new(value)?;
    let (_version, _digests): (Any, Any) = (reader.decode()?, reader.decode()?);
    reader.decode()
}

/// A positive number of that many bytes: the first bit is none, the second one.
fn number(random: [u8; NONCE_BYTES]) -> [u8; NONCE_BYTES] {
    let [first, rest @ ..] = random;
    let mut number = [(first & 0x3f) | 0x40; NONCE_BYTES];
    number.iter_mut().skip(1).zip(rest).for_each(|(to, from)| *to = from);
    number
}
