//! A notice made by hand, so that every part of it can be wrong.

use prost::Message as _;
use sha2::{Digest as _, Sha256};
use verbale_domain::{Memoranda, Notice};
use verbale_evidence::{Card, MessageId, content_root};
use verbale_keys::SecretKey;
use verbale_proto::v1::{Content, Envelope, EnvelopeSignature, SealedNotice, Statement};

use super::attacker::{Attacker, Link};

pub(crate) const NOTICE_TYPE: &str = "application/vnd.verbale.notice.v1+protobuf";

/// Where a notice goes.
pub(crate) struct Target<'a> {
    pub(crate) card: &'a Card,
    pub(crate) memorandum: &'a str,
}

/// The parts of a notice, each to be changed before the next is made of it.
pub(crate) struct Craft {
    pub(crate) content: Content,
    /// What the content is sealed as; made of it when empty.
    pub(crate) plain: Vec<u8>,
    /// To whom it is sealed.
    pub(crate) recipient: String,
    /// A second recipient beside it.
    pub(crate) also_to: Option<String>,
    /// A change of the sealed bytes before they are signed.
    pub(crate) change_sealed: fn(&mut Vec<u8>),
    /// The root that is signed; that of the content when absent.
    pub(crate) root: Option<[u8; 32]>,
    pub(crate) statement: Statement,
    /// Bytes behind the statement's own.
    pub(crate) behind_statement: Vec<u8>,
    pub(crate) payload_type: String,
    pub(crate) key: SecretKey,
    /// A change of the envelope after it was signed.
    pub(crate) change_envelope: fn(&mut Envelope),
    /// Bytes behind the envelope's own.
    pub(crate) behind_envelope: Vec<u8>,
    /// A change of what is sent after all is signed.
    pub(crate) change_sent: fn(&mut SealedNotice),
}

impl Craft {
    /// A notice that an honest node would send as the next of the channel.
    pub(crate) fn honest(from: &Attacker, to: &Target<'_>, link: &Link, json: &str) -> Self {
        let notice = Notice::from_json(json.as_bytes()).unwrap();
        let now_ms = now_ms();
        let message_id = MessageId::new(now_ms.unsigned_abs(), &random());
        let previous = match link.last_envelope.as_slice() {
            [] => vec![0; 32],
            bytes => Sha256::digest(Envelope::decode(bytes).unwrap().payload).to_vec(),
        };
        let terms = Memoranda::parse(Memoranda::shipped().iter().copied()).unwrap();
        let recipient_key = Sha256::digest(&to.card.age_recipient).to_vec();
        Self {
            content: Content {
                sender: from.card.id.clone(),
                recipient: to.card.id.clone(),
                message_id: message_id.as_bytes().to_vec(),
                notice_id: notice.header().notice_id,
                seed: random::<32>().to_vec(),
                chunks: notice.chunks().to_vec(),
            },
            plain: Vec::new(),
            recipient: to.card.age_recipient.clone(),
            also_to: None,
            change_sealed: |_| (),
            root: None,
            statement: Statement {
                version: 1,
                message_id: message_id.as_bytes().to_vec(),
                memorandum: to.memorandum.to_owned(),
                terms_digest: terms.get(to.memorandum).map_or(vec![0; 32], |m| m.terms_digest().to_vec()),
                flow: notice.header().flow,
                sender: from.card.id.clone(),
                sender_key: from.envelope.public().fingerprint().as_bytes().to_vec(),
                recipient: to.card.id.clone(),
                recipient_key,
                created_ms: now_ms,
                not_after_ms: now_ms + 3_600_000,
                number: link.next,
                previous,
                ..Statement::default()
            },
            behind_statement: Vec::new(),
            payload_type: NOTICE_TYPE.to_owned(),
            key: SecretKey::from_pem(&from.envelope.to_pem()).unwrap(),
            change_envelope: |_| (),
            behind_envelope: Vec::new(),
            change_sent: |_| (),
        }
    }

    /// Seals, signs and packs.
    pub(crate) fn make(mut self) -> SealedNotice {
        let root = self.root.unwrap_or_else(|| self.own_root());
        let plain = if self.plain.is_empty() { padded(&self.content.encode_to_vec()) } else { self.plain };
        let recipients: Vec<&str> =
            [Some(&self.recipient), self.also_to.as_ref()].into_iter().flatten().map(String::as_str).collect();
        let mut sealed = age_sealed(&plain, &recipients);
        (self.change_sealed)(&mut sealed);
        self.statement.sealed_sha256 = Sha256::digest(&sealed).to_vec();
        self.statement.sealed_bytes = sealed.len() as u64;
        self.statement.content_root = root.to_vec();
        let mut payload = self.statement.encode_to_vec();
        payload.extend(self.behind_statement);
        let mut envelope = signed(payload, &self.payload_type, &self.key);
        (self.change_envelope)(&mut envelope);
        let mut bytes = envelope.encode_to_vec();
        bytes.extend(self.behind_envelope);
        let mut sent = SealedNotice { envelope: bytes, sealed, statement_only: false };
        (self.change_sent)(&mut sent);
        sent
    }

    fn own_root(&self) -> [u8; 32] {
        let id = MessageId::try_from(self.statement.message_id.as_slice()).unwrap();
        let seed: [u8; 32] = self.content.seed.as_slice().try_into().unwrap_or([0; 32]);
        content_root(&self.content.sender, id, &seed, &self.content.chunks)
    }
}

/// DSSE over a payload of any type (DSSE v1.0.2, PAE).
pub(crate) fn signed(payload: Vec<u8>, payload_type: &str, key: &SecretKey) -> Envelope {
    let mut encoded = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    encoded.extend_from_slice(&payload);
    let signature =
        EnvelopeSignature { sig: key.sign(&encoded).to_vec(), keyid: key.public().fingerprint().to_string() };
    Envelope { payload, payload_type: payload_type.to_owned(), signatures: vec![signature] }
}

/// A length, the bytes, and zeros up to a Padmé size.
pub(crate) fn padded(encoded: &[u8]) -> Vec<u8> {
    let mut plain = u32::try_from(encoded.len()).unwrap().to_be_bytes().to_vec();
    plain.extend_from_slice(encoded);
    let exponent = plain.len().ilog2();
    plain.resize(plain.len().next_multiple_of(1 << (exponent - exponent.ilog2() - 1)), 0);
    plain
}

/// Stock age, to as many recipients as the row wants.
pub(crate) fn age_sealed(plain: &[u8], recipients: &[&str]) -> Vec<u8> {
    use std::io::Write as _;
    let recipients: Vec<age::x25519::Recipient> = recipients.iter().map(|text| text.parse().unwrap()).collect();
    let recipients = recipients.iter().map(|recipient| recipient as &dyn age::Recipient);
    let mut sealed = Vec::new();
    let mut writer = age::Encryptor::with_recipients(recipients).unwrap().wrap_output(&mut sealed).unwrap();
    writer.write_all(plain).unwrap();
    writer.finish().unwrap();
    sealed
}

pub(crate) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}
