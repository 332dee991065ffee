//! The statement by which a contact point says, in each of its channels, that a later card of it counts from there on.
//!
//! # Layout
//! A statement as that of a notice (`proto/verbale/v1/evidence.proto`), signed with the envelope key of the card that it tells of: `flow` is
//! [`CARD_STATEMENT`], `content_root` is [`Card::digest`], and nothing is sealed.

use sha2::{Digest as _, Sha256};
use verbale_keys::Fingerprint;

use crate::card::Card;
use crate::cards::Cards;
use crate::statement::{MessageId, Statement, StatementDigest};

/// The flow of a card statement.
pub const CARD_STATEMENT: &str = "CARD";

/// The place of a card statement.
pub struct CardStatement<'a> {
    /// The contact point at the other end, and its present key for sealing.
    pub recipient: (&'a str, Fingerprint),
    /// The memorandum, and the digest of its terms.
    pub memorandum: (&'a str, [u8; 32]),
    /// When, in milliseconds since 1970-01-01 UTC.
    pub created_ms: i64,
    /// Its number in the channel.
    pub number: u64,
    /// The statement before it.
    pub previous: StatementDigest,
}

impl CardStatement<'_> {
    /// The statement about a card.
    pub fn about(&self, card: &Card) -> Statement {
        let (recipient, recipient_key) = (self.recipient.0.to_owned(), self.recipient.1);
        Statement {
            message_id: self.id(card),
            memorandum: self.memorandum.0.to_owned(),
            terms_digest: self.memorandum.1,
            flow: CARD_STATEMENT.to_owned(),
            sender: card.id.clone(),
            sender_key: card.envelope_key.fingerprint(),
            recipient,
            recipient_key,
            created_ms: self.created_ms,
            not_after_ms: card.valid_until_ms,
            number: self.number,
            previous: self.previous,
            answers: None,
            sealed_sha256: Sha256::digest([]).into(),
            sealed_bytes: 0,
            content_root: card.digest(),
        }
    }

    /// One for each card and channel, and of no notice.
    fn id(&self, card: &Card) -> MessageId {
        let mut hash = Sha256::new_with_prefix(card.digest());
        hash.update(self.recipient.0);
        hash.update([0]);
        hash.update(self.memorandum.0);
        MessageId::new(self.created_ms.unsigned_abs(), hash.finalize().first_chunk().unwrap_or(&[0; 10]))
    }
}

impl Cards {
    /// The card that a card statement tells of; `None` when it is another's, or in any part not what its owner would sign.
    pub fn stated(&self, statement: &Statement) -> Option<&Card> {
        let place = CardStatement {
            recipient: (&statement.recipient, statement.recipient_key),
            memorandum: (&statement.memorandum, statement.terms_digest),
            created_ms: statement.created_ms,
            number: statement.number,
            previous: statement.previous,
        };
        self.all().find(|card| place.about(card) == *statement)
    }
}
