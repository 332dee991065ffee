//! What a node knows of itself and of its counterparts, and what it keeps of a notice.

use std::sync::Arc;

use verbale_domain::{Memoranda, Subject};
use verbale_envelope::{ArchiveKey, FileKey, Keyed, NoticeKeys, SealedFacts, WrappedKeys};
use verbale_evidence::{Card, Cards, MessageId};
use verbale_keys::{Fingerprint, SecretKey};
use verbale_proto::v1::{Configured, Facts};

use crate::outgoing::CarriedOn;

/// What the node is.
pub struct Own {
    /// Its card.
    pub card: Card,
    /// Key that signs statements.
    pub key: SecretKey,
    /// Fingerprints of the age recipients whose identities it holds: of its card, and of earlier cards while something may be under way.
    pub recipient_keys: Vec<Fingerprint>,
    /// The card's envelope.
    pub card_bytes: Vec<u8>,
    /// The memoranda it holds.
    pub memoranda: Arc<Memoranda>,
    /// How long a notice stays valid, in milliseconds.
    pub validity_ms: i64,
    /// The configuration, as the log tells it to auditors.
    pub configured: Configured,
}

/// An enrolled counterpart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its cards.
    pub cards: Cards,
    /// Where its node is reached, HOST:PORT.
    pub address: String,
}

impl Peer {
    /// Its present card.
    pub fn card(&self) -> &Card {
        self.cards.present()
    }

    /// Whether its owner took its keys back: nothing is taken from it or sent to it until another card is enrolled by hand.
    pub fn is_revoked(&self) -> bool {
        self.card().revoked
    }

    /// The TLS key of the card before, which it may show until it was seen with the present one.
    pub fn earlier_tls(&self) -> Option<&[u8]> {
        // Of a card that was revoked, and of those before it, nothing counts again.
        let before = self.cards.all().skip(1).take_while(|card| !card.revoked);
        before.map(|card| card.tls_spki.as_slice()).find(|key| *key != self.card().tls_spki)
    }
}

/// What a node keeps of a notice beside its sealed bytes, prepared before a step.
pub struct Kept {
    pub(crate) facts: Facts,
    pub(crate) sealed_facts: SealedFacts,
    pub(crate) keys: WrappedKeys,
    pub(crate) digest: Keyed,
}

impl Kept {
    /// Prepares facts and keys of a notice, and what it carries of third sides' information. `random` are fresh random bytes: a facts key and two nonces.
    pub fn prepare(
        archive: &ArchiveKey,
        message_id: MessageId,
        subject: &Subject,
        digest: Keyed,
        (file_key, carries): (&FileKey, &[CarriedOn]),
        random: &[u8; 80],
    ) -> Self {
        let (facts_key, nonces) = random.split_at(32);
        let nonce = |half: Option<&[u8]>| half.and_then(|n| n.first_chunk::<24>().copied()).unwrap_or_default();
        let facts_key = facts_key.first_chunk::<32>().copied().unwrap_or_default();
        let keys = NoticeKeys { file: file_key.clone(), facts: verbale_envelope::FactsKey::from_bytes(facts_key) };
        let header = &subject.header;
        let facts = Facts {
            notice_id: header.notice_id.clone(),
            correlates_to: header.correlates_to.clone().unwrap_or_default(),
            publishable_fields: header.publishable_fields.clone(),
            restricted_marks: header.restricted_marks.clone(),
            issued_at: header.issued_at.clone(),
            notice_digest: digest.to_vec(),
            particulars: Some(subject.particulars.clone()),
            from_side: header.from.party.clone(),
            carries: carries.iter().map(CarriedOn::facts).collect(),
            ..Facts::default()
        };
        let sealed_facts = keys.facts.seal(message_id, &facts, &nonce(nonces.get(..24)));
        Self { facts, sealed_facts, keys: archive.wrap(message_id, &keys, &nonce(nonces.get(24..))), digest }
    }
}
