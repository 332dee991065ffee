//! Every way in which a sealed notice may not be what its statement says.

#![expect(clippy::unwrap_used, reason = "a test")]

use prost::Message as _;
use sha2::{Digest as _, Sha256};
use verbale_domain::{Code, Notice};
use verbale_envelope::{Identity, NotTheSignedBytes, Sealed, SealedNotice, open, reopen, seal};
use verbale_evidence::{MessageId, Statement, VerifiedEnvelope, content_root, sample_statement, sign_statement};
use verbale_keys::SecretKey;
use verbale_proto::v1::{Chunk, Content};

const JSON: &str = r#"{"notice_id":"KG-JP-2026-000007","memorandum":"JP-KG-SSW-2023","flow":"F14","kind":"GENERAL_INFORMATION",
  "clause":"4(1)","from":{"party":"KG","office":"KG-MLSSM-CECA"},"to":{"party":"JP","office":"JP-MOJ-ISA-RMD"},
  "issued_at":"2026-02-03T10:15:00+06:00","classification":"CONFIDENTIAL","receiver_obligation":"NONE",
  "languages":["en"],"body":{"title":"A title","text":"Words"}}"#;

const SEED: [u8; 32] = [6; 32];

struct Case {
    key: SecretKey,
    identity: Identity,
    notice: Notice,
    statement: Statement,
}

fn case() -> Case {
    let key = SecretKey::from_seed([1; 32]);
    let statement = sample_statement(&key.public());
    Case { key, identity: Identity::generate(), notice: Notice::from_json(JSON.as_bytes()).unwrap(), statement }
}

impl Case {
    fn content(&self) -> Content {
        Content {
            sender: self.statement.sender.clone(),
            recipient: self.statement.recipient.clone(),
            message_id: self.statement.message_id.as_bytes().to_vec(),
            notice_id: "KG-JP-2026-000007".into(),
            seed: SEED.to_vec(),
            chunks: self.notice.chunks().to_vec(),
        }
    }

    fn root(&self, chunks: &[Chunk]) -> [u8; 32] {
        content_root(&self.statement.sender, self.statement.message_id, &SEED, chunks)
    }

    fn sealed(&self) -> Sealed {
        let recipient = self.identity.recipient().unwrap();
        let to = (self.statement.recipient.as_str(), &recipient);
        seal(&self.notice, &self.statement.sender, to, self.statement.message_id, SEED).unwrap()
    }

    fn signed(&self, bytes: &[u8], content_root: [u8; 32]) -> VerifiedEnvelope {
        let sealed_sha256 = Sha256::digest(bytes).into();
        let statement =
            Statement { sealed_sha256, sealed_bytes: bytes.len() as u64, content_root, ..self.statement.clone() };
        sign_statement(statement, &self.key).unwrap()
    }

    /// What the receiver says of bytes that were signed as they are.
    fn opened(&self, bytes: Vec<u8>, root: [u8; 32]) -> Result<(), (Code, String)> {
        let sealed = SealedNotice::bind(self.signed(&bytes, root), bytes).unwrap();
        open(sealed, &self.identity).map(drop).map_err(|unopened| (unopened.refusal.code, unopened.refusal.reason))
    }

    /// A content of any bytes, padded and sealed as it must be, by somebody who has no scruples.
    fn sealed_by_hand(&self, encoded: &[u8]) -> Vec<u8> {
        use std::io::Write as _;
        let mut plain = u32::try_from(encoded.len()).unwrap().to_be_bytes().to_vec();
        plain.extend_from_slice(encoded);
        // The next Padmé size, found by trying: the one the honest side would use has these zero low bits.
        let bits = plain.len().ilog2() - plain.len().ilog2().ilog2() - 1;
        plain.resize(plain.len().next_multiple_of(1 << bits), 0);
        let recipient: age::x25519::Recipient = self.identity.recipient().unwrap().to_string().parse().unwrap();
        let encryptor = age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient)).unwrap();
        let mut sealed = Vec::new();
        let mut writer = encryptor.wrap_output(&mut sealed).unwrap();
        writer.write_all(&plain).unwrap();
        writer.finish().unwrap();
        sealed
    }

    fn with_content(&self, change: impl FnOnce(&mut Content)) -> Result<(), (Code, String)> {
        let mut content = self.content();
        change(&mut content);
        let root = self.root(&content.chunks);
        self.opened(self.sealed_by_hand(&content.encode_to_vec()), root)
    }
}

fn mismatch(part: &str) -> impl Fn(&(Code, String)) -> bool {
    move |(code, reason)| *code == Code::ContentMismatch && reason.contains(part)
}

#[test]
fn a_notice_opens_for_its_recipient_and_again_from_the_archive() {
    let case = case();
    let sealed = case.sealed();
    let envelope = case.signed(&sealed.bytes, sealed.content_root);
    let bound = SealedNotice::bind(envelope.clone(), sealed.bytes.clone()).unwrap();
    let opened = open(bound, &case.identity).unwrap_or_else(|unopened| panic!("{}", unopened.refusal));
    assert_eq!(opened.notice().to_json(), case.notice.to_json());
    let again = reopen(&envelope.statement().into(), &sealed.bytes, &sealed.file_key).unwrap();
    assert_eq!(again.notice.to_json(), case.notice.to_json());
    let other = case.sealed();
    assert_eq!(
        reopen(&envelope.statement().into(), &sealed.bytes, &other.file_key).err().map(|r| r.code),
        Some(Code::Unopenable)
    );
    assert_eq!(case.with_content(|_| {}), Ok(()));
}

#[test]
fn other_bytes_than_those_signed_are_not_even_opened() {
    let case = case();
    let sealed = case.sealed();
    let mut changed = sealed.bytes.clone();
    *changed.last_mut().unwrap() ^= 1;
    let envelope = case.signed(&sealed.bytes, sealed.content_root);
    assert_eq!(SealedNotice::bind(envelope, changed).err(), Some(NotTheSignedBytes));
}

#[test]
fn a_truncated_file_another_recipient_and_a_second_recipient_are_unopenable() {
    let case = case();
    let sealed = case.sealed();
    let code = |bytes: Vec<u8>| case.opened(bytes, sealed.content_root).map_err(|(code, _)| code);
    for cut in [1, 16, sealed.bytes.len() / 2, sealed.bytes.len() - 10] {
        assert_eq!(code(sealed.bytes[..sealed.bytes.len() - cut].to_vec()), Err(Code::Unopenable), "cut by {cut}");
    }
    let other = Case { identity: Identity::generate(), ..case_of(&case) };
    assert_eq!(code(other.sealed().bytes), Err(Code::Unopenable));
    let both: Vec<age::x25519::Recipient> =
        [&case, &other].iter().map(|c| c.identity.recipient().unwrap().to_string().parse().unwrap()).collect();
    let encryptor = age::Encryptor::with_recipients(both.iter().map(|r| r as &dyn age::Recipient)).unwrap();
    let mut twice = Vec::new();
    encryptor.wrap_output(&mut twice).unwrap().finish().unwrap();
    let refused = case.opened(twice, sealed.content_root).unwrap_err();
    assert_eq!(refused.0, Code::Unopenable);
    assert!(refused.1.contains("2 X25519 recipients"), "{}", refused.1);
}

fn case_of(other: &Case) -> Case {
    Case { statement: other.statement.clone(), ..case() }
}

#[test]
fn a_content_that_names_another_sender_recipient_message_or_number_is_refused() {
    let case = case();
    let refused = |change: fn(&mut Content)| case.with_content(change).unwrap_err();
    assert!(mismatch("another sender")(&refused(|content| content.sender = "XX-OTHER".into())));
    assert!(mismatch("another recipient")(&refused(|content| content.recipient = "XX-OTHER".into())));
    assert!(mismatch("another message id")(&refused(|content| content.message_id = vec![0; 16])));
    assert!(mismatch("another registry number")(&refused(|content| content.notice_id = "X".into())));
    assert!(mismatch("32 bytes")(&refused(|content| content.seed = vec![1; 31])));
    assert!(mismatch("commits to")(&refused(|content| content.seed = vec![1; 32])));
}

#[test]
fn chunks_reordered_twice_missing_or_cut_otherwise_are_refused() {
    let case = case();
    let refused = |change: fn(&mut Content)| case.with_content(change).unwrap_err().0;
    assert_eq!(refused(|content| content.chunks.swap(1, 2)), Code::BadValue);
    let twice = refused(|content| {
        let again = content.chunks.last().unwrap().clone();
        content.chunks.push(again);
    });
    assert_eq!(twice, Code::BadValue);
    assert_eq!(refused(|content| drop(content.chunks.pop())), Code::MissingField);
    let unknown = refused(|content| content.chunks.last_mut().unwrap().bytes.extend_from_slice(&[0x82, 0x7d, 0x00]));
    assert_eq!(unknown, Code::UnknownField);
    // The statement commits to one leaf more than the content has.
    let mut more = case.content().chunks;
    more.push(Chunk { path: vec![114, 3], bytes: vec![] });
    let fewer = case.opened(case.sealed_by_hand(&case.content().encode_to_vec()), case.root(&more)).unwrap_err();
    assert!(mismatch("commits to")(&fewer));
}

#[test]
fn a_content_that_does_not_re_encode_or_is_of_another_flow_is_refused() {
    let case = case();
    let mut encoded = case.content().encode_to_vec();
    encoded.extend_from_slice(&[0x9a, 0x06, 0x01, 0x07]);
    let root = case.root(case.notice.chunks());
    assert!(mismatch("re-encode")(&case.opened(case.sealed_by_hand(&encoded), root).unwrap_err()));
    let other = Case { statement: Statement { flow: "F13".into(), ..case.statement.clone() }, ..case_of(&case) };
    let sealed = other.sealed();
    assert!(mismatch("another flow")(&other.opened(sealed.bytes, sealed.content_root).unwrap_err()));
    let id = MessageId::from_bytes([9; 16]);
    let moved = Case { statement: Statement { message_id: id, ..case.statement.clone() }, ..case_of(&case) };
    let sealed = case.sealed();
    // Sealed to the right key for another message, then claimed under a new statement.
    let bound = SealedNotice::bind(moved.signed(&sealed.bytes, sealed.content_root), sealed.bytes).unwrap();
    assert_eq!(open(bound, &case.identity).err().map(|u| u.refusal.code), Some(Code::ContentMismatch));
}
