//! Contact points with fixed keys, and notices.

use std::sync::Arc;

use verbale_domain::{Memoranda, Notice};
use verbale_envelope::{ArchiveKey, Identity, Recipient};
use verbale_evidence::{Card, sign_card};
use verbale_exchange::Own;
use verbale_keys::{Role, SecretKey};
use verbale_proto::v1::Configured;

/// A contact point with all its keys. The age identity is random, everything else fixed by the seed.
pub struct ContactPoint {
    /// Its card.
    pub card: Card,
    /// The card's envelope.
    pub card_bytes: Vec<u8>,
    /// Its seed.
    seed: u8,
    /// Opens what is sealed to it.
    pub identity: Identity,
    /// To whom others seal.
    pub recipient: Recipient,
}

/// What a counterpart knows of a contact point.
pub struct Known {
    /// Its card.
    pub card: Card,
    /// The card's envelope.
    pub card_bytes: Vec<u8>,
    /// To whom its counterpart seals.
    pub recipient: Recipient,
}

impl ContactPoint {
    /// Makes the contact point with this id.
    pub fn new(id: &str, seed: u8) -> Self {
        let identity = Identity::generate();
        let recipient = identity.recipient().unwrap();
        let key = |role: Role| secret(seed, role).public();
        let card = Card {
            id: id.to_owned(),
            serial: 1,
            card_key: key(Role::Card),
            envelope_key: key(Role::Envelope),
            log_key: key(Role::Log),
            cosigner_key: key(Role::Cosigner),
            tls_spki: tls_spki(seed),
            age_recipient: recipient.to_string(),
            revoked: false,
            log_origin: format!("verbale/{id}/1"),
            valid_from_ms: 0,
            valid_until_ms: i64::MAX,
        };
        let card_bytes = sign_card(&card, &secret(seed, Role::Card)).unwrap();
        Self { card, card_bytes, seed, identity, recipient }
    }

    /// A card of the next log takes the place of its card, with the same keys.
    pub fn begin_log(&mut self, valid_from_ms: i64) {
        let serial = self.card.serial + 1;
        let log_origin = format!("verbale/{}/{serial}", self.card.id);
        self.card = Card { serial, log_origin, valid_from_ms, ..self.card.clone() };
        self.card_bytes = sign_card(&self.card, &self.secret(Role::Card)).unwrap();
    }

    /// What its counterpart knows of it.
    pub fn known(&self) -> Known {
        Known { card: self.card.clone(), card_bytes: self.card_bytes.clone(), recipient: self.recipient.clone() }
    }

    /// The secret key of a role.
    pub fn secret(&self, role: Role) -> SecretKey {
        secret(self.seed, role)
    }

    /// Its archive key.
    pub fn archive(&self) -> ArchiveKey {
        ArchiveKey::from_bytes(&[self.seed; 32])
    }

    /// What its node is.
    pub fn own(&self, validity_ms: i64) -> Own {
        Own {
            card: self.card.clone(),
            key: self.secret(Role::Envelope),
            recipient_keys: vec![self.recipient.fingerprint()],
            card_bytes: self.card_bytes.clone(),
            memoranda: Arc::new(Memoranda::parse(Memoranda::shipped().iter().copied()).unwrap()),
            validity_ms,
            configured: Configured::default(),
        }
    }
}

/// A notice F14 between the Kyrgyz and the Japanese contact point.
pub fn general_information(from_japan: bool, notice_id: &str, text: &str) -> Notice {
    let japan = r#"{"party":"JP","office":"JP-MOJ-ISA-RMD"}"#;
    let partner = r#"{"party":"KG","office":"KG-MLSSM-CECA"}"#;
    let (from, to) = if from_japan { (japan, partner) } else { (partner, japan) };
    let json = format!(
        r#"{{"notice_id":"{notice_id}","memorandum":"JP-KG-SSW-2023","flow":"F14","kind":"GENERAL_INFORMATION","clause":"4(1)",
        "from":{from},"to":{to},"issued_at":"2026-02-03T10:15:00+06:00","classification":"CONFIDENTIAL",
        "receiver_obligation":"NONE","languages":["en"],"body":{{"title":"A title","text":"{text}"}}}}"#
    );
    Notice::from_json(json.as_bytes()).unwrap_or_else(|refusal| panic!("{refusal}"))
}

fn secret(seed: u8, role: Role) -> SecretKey {
    SecretKey::from_seed([seed * 4 + role as u8; 32])
}

/// A P-256 key's form; nobody connects to it.
fn tls_spki(seed: u8) -> Vec<u8> {
    let mut spki =
        vec![0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86];
    spki.extend_from_slice(&[0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04]);
    spki.extend_from_slice(&[seed; 64]);
    spki
}
