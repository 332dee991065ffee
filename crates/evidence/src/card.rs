//! Cards: the public keys of a contact point, signed by its offline card key.
//!
//! # Layout
//! A DSSE envelope of type `application/vnd.verbale.card.v1+protobuf`; as text, base64 between the lines
//! `-----BEGIN VERBALE CARD-----` and `-----END VERBALE CARD-----`, with explanation allowed before them (RFC 7468 §2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use verbale_keys::{
    Fingerprint, NoteAlgorithm, PublicKey, Role, SecretKey, SharedKey, Vkey, WeakKey, require_distinct,
};
use verbale_proto::v1;

use crate::dsse::{DsseError, Unverified, sign};
use crate::statement::is_identifier;

const PAYLOAD_TYPE: &str = "application/vnd.verbale.card.v1+protobuf";
const VERSION: u32 = 1;
const BEGIN: &str = "-----BEGIN VERBALE CARD-----";
const END: &str = "-----END VERBALE CARD-----";

/// A P-256 key in SubjectPublicKeyInfo is exactly this, then 64 bytes (RFC 5480 §2).
const P256_SPKI: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];
const P256_SPKI_BYTES: usize = P256_SPKI.len() + 64;

/// A card that must not be enrolled.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    /// Not the text form.
    #[error(
        "the text is no card: it must hold the lines {BEGIN} and {END}; ask the counterpart for `verbale card show`"
    )]
    Text,
    /// The envelope.
    #[error(transparent)]
    Dsse(#[from] DsseError),
    /// Of another version.
    #[error("the card has version {got}, this program knows {VERSION}; update the older of the two nodes")]
    Version {
        /// Its version.
        got: u32,
    },
    /// A field without its form.
    #[error("the card's {field} has not its form; ask the counterpart for a new card")]
    Field {
        /// The field.
        field: &'static str,
    },
    /// A key that must not be relied on.
    #[error("the card's {role} key is refused: {source}")]
    Weak {
        /// Role of the key.
        role: &'static str,
        /// Why.
        source: WeakKey,
    },
    /// One key in two roles.
    #[error(transparent)]
    Shared(#[from] SharedKey),
    /// Two card keys for one contact point.
    #[error(
        "two cards of {id} were signed by two card keys; compare the fingerprint of each with {id} by telephone, and leave the false one out"
    )]
    OtherOwner {
        /// The contact point.
        id: String,
    },
    /// Another fingerprint than the one compared.
    #[error(
        "the card has fingerprint {got}, not {expected}: compare again with the counterpart by telephone; if it persists, somebody changed the card on its way"
    )]
    Fingerprint {
        /// Of the card.
        got: Fingerprint,
        /// As given.
        expected: Fingerprint,
    },
}

/// The public keys of a contact point. `proto/verbale/v1/evidence.proto` says what each field means.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "documented field by field in the schema")]
pub struct Card {
    pub id: String,
    pub serial: u64,
    pub card_key: PublicKey,
    pub envelope_key: PublicKey,
    pub log_key: PublicKey,
    pub cosigner_key: PublicKey,
    pub tls_spki: Vec<u8>,
    pub age_recipient: String,
    pub log_origin: String,
    pub valid_from_ms: i64,
    pub valid_until_ms: i64,
    pub revoked: bool,
}

/// Signs a card; the result is the envelope's bytes.
///
/// # Errors
/// [`CardError`], when nobody would enrol it.
pub fn sign_card(card: &Card, key: &SecretKey) -> Result<Vec<u8>, CardError> {
    let bytes = sign(payload_of(card), PAYLOAD_TYPE, key);
    UnverifiedCard::parse(&bytes)?.verify(&key.public().fingerprint())?;
    Ok(bytes)
}

fn payload_of(card: &Card) -> Vec<u8> {
    v1::Card {
        version: VERSION,
        id: card.id.clone(),
        serial: card.serial,
        card_key: card.card_key.as_bytes().to_vec(),
        envelope_key: card.envelope_key.as_bytes().to_vec(),
        log_key: card.log_key.as_bytes().to_vec(),
        cosigner_key: card.cosigner_key.as_bytes().to_vec(),
        tls_spki: card.tls_spki.clone(),
        age_recipient: card.age_recipient.clone(),
        log_origin: card.log_origin.clone(),
        valid_from_ms: card.valid_from_ms,
        valid_until_ms: card.valid_until_ms,
        revoked: card.revoked,
    }
    .encode_to_vec()
}

/// A card as it came in.
pub struct UnverifiedCard(Unverified);

impl UnverifiedCard {
    /// Reads the form only.
    ///
    /// # Errors
    /// [`CardError::Dsse`].
    pub fn parse(bytes: &[u8]) -> Result<Self, CardError> {
        Ok(Self(Unverified::parse(bytes, PAYLOAD_TYPE)?))
    }

    /// The fingerprint that the card itself claims: for one's own card, and for one that was compared before.
    ///
    /// # Errors
    /// [`CardError::Dsse`], [`CardError::Weak`].
    pub fn claimed_fingerprint(&self) -> Result<Fingerprint, CardError> {
        let read = v1::Card::decode(self.0.claimed()).map_err(|_| CardError::Dsse(DsseError::Form))?;
        let key = PublicKey::from_bytes(&read.card_key);
        Ok(key.map_err(|source| CardError::Weak { role: Role::Card.name(), source })?.fingerprint())
    }

    /// Verifies that the card key with this fingerprint signed it, and that every key can be relied on.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn verify(self, fingerprint: &Fingerprint) -> Result<Card, CardError> {
        let read = v1::Card::decode(self.0.claimed()).map_err(|_| CardError::Dsse(DsseError::Form))?;
        if read.version != VERSION {
            return Err(CardError::Version { got: read.version });
        }
        if read.encode_to_vec() != self.0.claimed() {
            return Err(CardError::Dsse(DsseError::Form));
        }
        let card = read_card(read)?;
        let got = card.card_key.fingerprint();
        if got != *fingerprint {
            return Err(CardError::Fingerprint { got, expected: *fingerprint });
        }
        self.0.verify(&card.card_key)?;
        require_distinct(card.named_keys())?;
        Ok(card)
    }
}

impl Card {
    /// Whether the card is valid at this moment.
    pub fn is_valid_at(&self, now_ms: i64) -> bool {
        (self.valid_from_ms..=self.valid_until_ms).contains(&now_ms)
    }

    /// SHA-256 of what the card key signed.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(payload_of(self)).into()
    }

    /// The verifier key of its log.
    pub fn log_vkey(&self) -> Vkey {
        Vkey { name: self.log_origin.clone(), algorithm: NoteAlgorithm::Ed25519, key: self.log_key }
    }

    /// The verifier key of its cosignatures.
    pub fn cosigner_vkey(&self) -> Vkey {
        let name = format!("verbale/{}/witness", self.id);
        Vkey { name, algorithm: NoteAlgorithm::CosignatureV1, key: self.cosigner_key }
    }

    /// Which of the logs of its contact point it names.
    pub fn log_number(&self) -> Option<u64> {
        log_number(&self.log_origin, &self.id)
    }

    /// Requires that two contact points share no key, in no role.
    ///
    /// # Errors
    /// [`CardError::Shared`], also for the TLS key and the age recipient.
    pub fn require_distinct_from(&self, other: &Self) -> Result<(), CardError> {
        require_distinct(self.named_keys().chain(other.named_keys()))?;
        let shared = |role: &str| {
            CardError::Shared(SharedKey {
                first: format!("{role} of {}", self.id),
                second: format!("{role} of {}", other.id),
            })
        };
        if self.tls_spki == other.tls_spki {
            return Err(shared("TLS"));
        }
        if self.age_recipient == other.age_recipient {
            return Err(shared("age"));
        }
        Ok(())
    }

    /// The role of a key that another card of the same contact point has too, besides the card key.
    pub fn key_shared_with(&self, other: &Self) -> Option<&'static str> {
        let of_role =
            self.keys().zip(other.keys()).filter(|((role, key), (_, other))| *role != Role::Card && key == other);
        let named = of_role.map(|((role, _), _)| role.name());
        let tls = (self.tls_spki == other.tls_spki).then_some("TLS");
        named.chain(tls).chain((self.age_recipient == other.age_recipient).then_some("age")).next()
    }

    fn named_keys(&self) -> impl Iterator<Item = (&str, &PublicKey)> {
        self.keys().map(|(role, key)| (role.name(), key))
    }

    fn keys(&self) -> impl Iterator<Item = (Role, &PublicKey)> {
        Role::ALL.into_iter().map(|role| {
            let key = match role {
                Role::Card => &self.card_key,
                Role::Envelope => &self.envelope_key,
                Role::Log => &self.log_key,
                Role::Cosigner => &self.cosigner_key,
            };
            (role, key)
        })
    }
}

/// Which of the logs of a contact point an origin names; `None`: none of them.
pub fn log_number(origin: &str, id: &str) -> Option<u64> {
    origin.strip_prefix("verbale/")?.strip_prefix(id)?.strip_prefix('/')?.parse().ok()
}

/// The text form, with an explanation for people before it.
pub fn card_text(bytes: &[u8], card: &Card) -> String {
    let encoded = STANDARD.encode(bytes);
    let mut text = format!(
        "Card of {}, serial {}{}.\nFingerprint, to be compared by telephone: {}\n{BEGIN}\n",
        card.id,
        card.serial,
        if card.revoked { ", REVOKED: its owner takes its keys back" } else { "" },
        card.card_key.fingerprint().grouped()
    );
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text + END + "\n"
}

/// The envelope's bytes in a text.
///
/// # Errors
/// [`CardError::Text`].
pub fn parse_card_text(text: &str) -> Result<Vec<u8>, CardError> {
    let inside = text.split_once(BEGIN).and_then(|(_, after)| after.split_once(END)).ok_or(CardError::Text)?.0;
    let encoded: String = inside.split_ascii_whitespace().collect();
    STANDARD.decode(encoded).map_err(|_| CardError::Text)
}

fn read_card(read: v1::Card) -> Result<Card, CardError> {
    let field = |field| CardError::Field { field };
    let key = |bytes: &[u8], role: Role| {
        PublicKey::from_bytes(bytes).map_err(|source| CardError::Weak { role: role.name(), source })
    };
    if !is_identifier(&read.id) {
        return Err(field("id"));
    }
    if read.serial == 0 {
        return Err(field("serial"));
    }
    let origin = read.log_origin.strip_prefix("verbale/").and_then(|rest| rest.strip_prefix(read.id.as_str()));
    let instance = origin.and_then(|rest| rest.strip_prefix('/'));
    if instance
        .is_none_or(|digits| digits.is_empty() || digits.len() > 9 || !digits.bytes().all(|b| b.is_ascii_digit()))
    {
        return Err(field("log origin"));
    }
    if read.tls_spki.len() != P256_SPKI_BYTES || !read.tls_spki.starts_with(&P256_SPKI) {
        return Err(field("TLS key"));
    }
    if !read.age_recipient.starts_with("age1") || read.age_recipient.len() != 62 {
        return Err(field("age recipient"));
    }
    if read.valid_from_ms > read.valid_until_ms {
        return Err(field("validity"));
    }
    Ok(Card {
        card_key: key(&read.card_key, Role::Card)?,
        envelope_key: key(&read.envelope_key, Role::Envelope)?,
        log_key: key(&read.log_key, Role::Log)?,
        cosigner_key: key(&read.cosigner_key, Role::Cosigner)?,
        id: read.id,
        serial: read.serial,
        tls_spki: read.tls_spki,
        age_recipient: read.age_recipient,
        log_origin: read.log_origin,
        valid_from_ms: read.valid_from_ms,
        valid_until_ms: read.valid_until_ms,
        revoked: read.revoked,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(seed: u8) -> SecretKey {
        SecretKey::from_seed([seed; 32])
    }

    fn card(seeds: [u8; 4]) -> Card {
        let [card_key, envelope_key, log_key, cosigner_key] = seeds.map(|seed| secret(seed).public());
        let mut tls_spki = P256_SPKI.to_vec();
        tls_spki.extend_from_slice(&[seeds[0]; 64]);
        Card {
            id: "XX-ONE".into(),
            serial: 1,
            card_key,
            envelope_key,
            log_key,
            cosigner_key,
            tls_spki,
            age_recipient: format!("age1{}", seeds[0].to_string().repeat(58)),
            log_origin: "verbale/XX-ONE/1".into(),
            valid_from_ms: 0,
            valid_until_ms: 10,
            revoked: false,
        }
    }

    #[test]
    fn a_card_survives_its_text_and_only_its_fingerprint_opens_it() {
        let card = card([1, 2, 3, 4]);
        let bytes = sign_card(&card, &secret(1)).unwrap();
        let text = card_text(&bytes, &card);
        let read = UnverifiedCard::parse(&parse_card_text(&text).unwrap()).unwrap();
        assert_eq!(read.verify(&card.card_key.fingerprint()).as_ref(), Ok(&card));
        let (got, expected) = (card.card_key.fingerprint(), card.log_key.fingerprint());
        let wrong = UnverifiedCard::parse(&bytes).unwrap().verify(&expected);
        assert_eq!(wrong, Err(CardError::Fingerprint { got, expected }));
        assert_eq!(parse_card_text("no card"), Err(CardError::Text));
        assert!(card.is_valid_at(10) && !card.is_valid_at(11));
    }

    #[test]
    fn shared_keys_and_another_signer_are_refused() {
        let shared = SharedKey { first: "envelope".into(), second: "cosigner".into() };
        assert_eq!(sign_card(&card([1, 2, 3, 2]), &secret(1)), Err(CardError::Shared(shared)));
        let signer = sign_card(&card([1, 2, 3, 4]), &secret(5));
        assert!(matches!(signer, Err(CardError::Fingerprint { .. })));
        let (one, other) = (card([1, 2, 3, 4]), card([5, 6, 2, 8]));
        assert!(matches!(one.require_distinct_from(&other), Err(CardError::Shared(_))));
        let mut same_age = card([5, 6, 7, 8]);
        same_age.age_recipient = one.age_recipient.clone();
        assert!(matches!(one.require_distinct_from(&same_age), Err(CardError::Shared(_))));
    }

    #[test]
    fn a_weak_key_and_a_malformed_field_are_named() {
        let good = card([1, 2, 3, 4]);
        let bytes = sign_card(&good, &secret(1)).unwrap();
        let envelope = v1::Envelope::decode(bytes.as_slice()).unwrap();
        let mut read = v1::Card::decode(envelope.payload.as_slice()).unwrap();
        // The identity point: anyone signs under it.
        read.log_key = vec![0; 32];
        read.log_key[0] = 1;
        let forged = sign(read.encode_to_vec(), PAYLOAD_TYPE, &secret(1));
        let weak = UnverifiedCard::parse(&forged).unwrap().verify(&good.card_key.fingerprint());
        assert_eq!(weak, Err(CardError::Weak { role: "log", source: WeakKey::SmallOrder }));
        let other_origin = Card { log_origin: "verbale/XX-TWO/1".into(), ..good };
        assert_eq!(sign_card(&other_origin, &secret(1)), Err(CardError::Field { field: "log origin" }));
    }
}
