//! The cards that one contact point had, one after the other: what was signed under an earlier one stays signed.

use verbale_keys::{Fingerprint, Vkey};
use verbale_ledger::{NoteError, verify_cosignature};

use crate::card::{Card, CardError};
use crate::envelope::{EnvelopeError, UnverifiedEnvelope, VerifiedEnvelope};

/// The present card of a contact point, and those that it took the place of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cards {
    present: Card,
    /// The oldest first.
    earlier: Vec<Card>,
}

impl From<Card> for Cards {
    fn from(present: Card) -> Self {
        Self { present, earlier: Vec::new() }
    }
}

impl Cards {
    /// Sorts cards by contact point, in the order in which those appear, and each one's by serial.
    ///
    /// # Errors
    /// [`CardError::OtherOwner`], when two of one contact point are not of one card key: only one of the two was compared.
    pub fn gather(cards: impl IntoIterator<Item = Card>) -> Result<Vec<Self>, CardError> {
        let mut gathered: Vec<Vec<Card>> = Vec::new();
        for card in cards {
            let of_id = gathered.iter_mut().find(|of| of.first().is_some_and(|first| first.id == card.id));
            match of_id {
                Some(of_id) if of_id.iter().any(|known| known.card_key != card.card_key) => {
                    return Err(CardError::OtherOwner { id: card.id });
                }
                Some(of_id) => of_id.push(card),
                None => gathered.push(vec![card]),
            }
        }
        let by_serial = |mut of_id: Vec<Card>| {
            of_id.sort_by_key(|card| card.serial);
            let present = of_id.pop()?;
            Some(Self { present, earlier: of_id })
        };
        Ok(gathered.into_iter().filter_map(by_serial).collect())
    }

    /// The contact point.
    pub fn id(&self) -> &str {
        &self.present.id
    }

    /// The card that counts now.
    pub fn present(&self) -> &Card {
        &self.present
    }

    /// All of them, the newest first.
    pub fn all(&self) -> impl Iterator<Item = &Card> {
        std::iter::once(&self.present).chain(self.earlier.iter().rev())
    }

    /// A card takes the place of the present one.
    pub fn succeed(&mut self, card: Card) {
        self.earlier.push(std::mem::replace(&mut self.present, card));
    }

    /// Takes note of one that counted before the present one.
    pub fn remember(&mut self, card: Card) {
        if self.all().all(|known| *known != card) {
            self.earlier.push(card);
            self.earlier.sort_by_key(|card| card.serial);
        }
    }

    /// The last card with this key for statements.
    pub fn of_envelope_key(&self, key: &Fingerprint) -> Option<&Card> {
        self.all().find(|card| card.envelope_key.fingerprint() == *key)
    }

    /// Whether every card of which this holds was over at a moment, in milliseconds since 1970-01-01 UTC; when the last of them was.
    pub fn over_since_ms(&self, time_ms: i64, is_it: impl Fn(&Card) -> bool) -> Option<i64> {
        let until = self.all().filter(|card| is_it(card)).map(|card| card.valid_until_ms).max();
        until.filter(|until| *until < time_ms)
    }

    /// The same of the key that cosigned a head at a moment, in seconds since 1970-01-01 UTC.
    pub fn cosigner_over_since_ms(&self, note: &str, time_s: u64) -> Option<i64> {
        let cosigned_ms = i64::try_from(time_s).unwrap_or(i64::MAX).saturating_mul(1000);
        self.over_since_ms(cosigned_ms, |card| verify_cosignature(note, &card.cosigner_vkey()).is_ok())
    }

    /// Whether a key for statements came after another, or is the same.
    pub fn is_not_before(&self, key: &Fingerprint, other: &Fingerprint) -> bool {
        let place = |key: &Fingerprint| self.all().position(|card| card.envelope_key.fingerprint() == *key);
        match (place(key), place(other)) {
            (Some(key), Some(other)) => key <= other,
            (known, _) => known.is_some(),
        }
    }

    /// The key of a log, by its origin; that of the present one, where no card names the origin.
    pub fn log_vkey(&self, origin: &str) -> Vkey {
        self.all().find(|card| card.log_origin == origin).unwrap_or(&self.present).log_vkey()
    }

    /// When one of the cards' keys cosigned a head, in seconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// [`NoteError::Unsigned`], when none did; that of a signature which does not hold.
    pub fn cosigned_s(&self, note: &str) -> Result<u64, NoteError> {
        let mut trouble = NoteError::Unsigned;
        for card in self.all() {
            match verify_cosignature(note, &card.cosigner_vkey()) {
                Err(NoteError::Unsigned) => {}
                Err(error) => trouble = error,
                signed => return signed,
            }
        }
        Err(trouble)
    }

    /// Verifies a statement under the key that it names, if one of the cards has it.
    ///
    /// # Errors
    /// [`EnvelopeError`].
    pub fn verify(&self, envelope: UnverifiedEnvelope) -> Result<VerifiedEnvelope, EnvelopeError> {
        envelope.verify_under(|statement| self.of_envelope_key(&statement.sender_key).map(|card| card.envelope_key))
    }
}

#[cfg(test)]
mod tests {
    use verbale_keys::SecretKey;

    use super::*;
    use crate::envelope::sign_statement;
    use crate::statement::sample_statement;

    fn key(seed: u8) -> SecretKey {
        SecretKey::from_seed([seed; 32])
    }

    fn card(serial: u64, envelope: u8) -> Card {
        Card {
            id: "XX-ONE".into(),
            serial,
            card_key: key(1).public(),
            envelope_key: key(envelope).public(),
            log_key: key(3).public(),
            cosigner_key: key(4).public(),
            tls_spki: Vec::new(),
            age_recipient: String::new(),
            log_origin: format!("verbale/XX-ONE/{serial}"),
            valid_from_ms: 0,
            valid_until_ms: 1,
            revoked: false,
        }
    }

    #[test]
    fn a_statement_verifies_under_the_card_that_has_its_key_and_under_no_other() {
        let mut cards = Cards::from(card(1, 10));
        cards.succeed(card(2, 10));
        cards.succeed(card(3, 20));
        let signed = |seed| sign_statement(sample_statement(&key(seed).public()), &key(seed)).unwrap();
        for seed in [10, 20] {
            let unverified = UnverifiedEnvelope::parse(signed(seed).bytes()).unwrap();
            assert_eq!(cards.verify(unverified), Ok(signed(seed)));
        }
        let unverified = UnverifiedEnvelope::parse(signed(30).bytes()).unwrap();
        assert_eq!(cards.verify(unverified), Err(EnvelopeError::UnknownKey));
        let [first, last, other] = [10, 20, 30].map(|seed| key(seed).public().fingerprint());
        assert_eq!(cards.of_envelope_key(&first).map(|card| card.serial), Some(2));
        cards.present.valid_until_ms = 9;
        let over = |key, at_ms| cards.over_since_ms(at_ms, |card| card.envelope_key.fingerprint() == key);
        let at = [(first, 1), (first, 2), (last, 2), (last, 10), (other, 2)];
        assert_eq!(at.map(|(key, at_ms)| over(key, at_ms)), [None, Some(1), None, Some(9), None]);
        let order = [(first, first), (last, first), (first, last), (other, first)];
        assert_eq!(order.map(|(key, before)| cards.is_not_before(&key, &before)), [true, true, false, false]);
    }

    #[test]
    fn cards_are_gathered_by_contact_point_and_sorted_by_serial() {
        let of = |id: &str, serial| Card { id: id.into(), ..card(serial, 10) };
        let gathered = Cards::gather([of("XX-TWO", 2), of("XX-ONE", 1), of("XX-TWO", 1)]).unwrap();
        let told: Vec<_> =
            gathered.iter().map(|cards| (cards.id(), cards.all().map(|card| card.serial).collect())).collect();
        assert_eq!(told, [("XX-TWO", vec![2, 1]), ("XX-ONE", vec![1])]);
        let foreign = Card { card_key: key(9).public(), ..of("XX-ONE", 2) };
        let mixed = Cards::gather([of("XX-ONE", 1), foreign]);
        assert_eq!(mixed, Err(CardError::OtherOwner { id: "XX-ONE".into() }));
        assert_eq!(
            gathered.first().map(|cards| cards.log_vkey("verbale/XX-ONE/1").name),
            Some("verbale/XX-ONE/1".into())
        );
    }
}
