//! Enrolment of counterparts.

use verbale_evidence::{Card, CardError};

use crate::change::{self, Change, Record};
use crate::own::Peer;
use crate::state::{ChannelId, Exchange};
use crate::step::{Effect, Output, Ticket, Told};
use crate::succession::is_later;

/// Why a card is not enrolled.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnrolError {
    /// The card is this node's own.
    #[error("this is the node's own card; enrol the counterpart's")]
    OwnCard,
    /// It shares a key with this node or with another counterpart.
    #[error(transparent)]
    Shared(#[from] CardError),
    /// It is not valid now.
    #[error("the card is not valid at this time; ask the counterpart for a new one, or set the clock of this machine")]
    NotValid,
    /// Another card than the one enrolled, and no later one of its owner.
    #[error(
        "{0} is enrolled with another card, and this one is no later one of the same card key; ask it for its present card"
    )]
    AnotherCard(String),
    /// Its owner took its keys back.
    #[error("the card of {0} was revoked by its owner; a later one counts only when a person enrols it by hand")]
    Revoked(String),
    /// A key in it was taken back.
    #[error(
        "this card of {id} has the {role} key of a card that its owner revoked. Its owner makes one with new keys: `verbale recover`, with the revoked card \
         given as --known-card where its folder lacks it"
    )]
    RevokedKey {
        /// Whose card.
        id: String,
        /// The role of the key.
        role: &'static str,
    },
}

/// Refuses a card with a key that its owner took back.
fn require_no_revoked_key(card: &Card, peer: &Peer) -> Result<(), EnrolError> {
    let mut revoked = peer.cards.all().filter(|known| known.revoked && *known != card);
    let role = revoked.find_map(|revoked| card.key_shared_with(revoked));
    role.map_or(Ok(()), |role| Err(EnrolError::RevokedKey { id: card.id.clone(), role }))
}

impl Exchange {
    pub(crate) fn enrol(
        &mut self,
        now_ms: i64,
        ticket: Ticket,
        (card, bytes): (Box<Card>, &[u8]),
        (actor, address): (&str, String),
        output: &mut Output,
    ) {
        let told = if let Err(error) = self.check_card(now_ms, &card) {
            Told::NotEnrolled(error)
        } else {
            let index = verbale_ledger::LogIndex(self.size);
            let peer = card.id.clone();
            let event = change::enrolled(bytes, actor, &address);
            self.record(now_ms, event, Change::Enrolled { card, address }, Record::default(), output);
            self.speak_to(now_ms, &peer, output);
            Told::Done(index)
        };
        output.effects.push(Effect::Tell { ticket, told });
    }

    /// A counterpart's card or address changed: it is tried at once, unless its card was revoked.
    pub(crate) fn speak_to(&mut self, now_ms: i64, peer: &str, output: &mut Output) {
        self.give_up_revoked(peer, &mut output.effects);
        for channel in self.channels().into_iter().filter(|channel| channel.peer == peer) {
            self.forget_failures(&channel);
            self.go_on(now_ms, &channel, output);
            self.ask_first(now_ms, channel);
        }
    }

    /// Ends every link to a counterpart that took its keys back.
    fn give_up_revoked(&mut self, peer: &str, effects: &mut Vec<Effect>) {
        if !self.peers.get(peer).is_some_and(Peer::is_revoked) {
            return;
        }
        let channels: Vec<ChannelId> = self.links.keys().filter(|channel| channel.peer == peer).cloned().collect();
        for channel in channels {
            self.links.remove(&channel);
            effects.push(Effect::Disconnect(channel));
        }
    }

    /// Whether a card that a counterpart shows is a later one, which takes the place of the one enrolled.
    pub(crate) fn check_later_card(&self, now_ms: i64, card: &Card) -> Result<(), EnrolError> {
        let known = self.peers.get(&card.id).ok_or_else(|| EnrolError::AnotherCard(card.id.clone()))?;
        if !is_later(card, known.card()) {
            return Err(EnrolError::AnotherCard(card.id.clone()));
        }
        if known.is_revoked() {
            return Err(EnrolError::Revoked(card.id.clone()));
        }
        require_no_revoked_key(card, known)?;
        if !card.is_valid_at(now_ms) {
            return Err(EnrolError::NotValid);
        }
        let others = self.peers.iter().filter(|(id, _)| **id != card.id).flat_map(|(_, peer)| peer.cards.all());
        Ok(others.chain([&self.own.card]).try_for_each(|other| card.require_distinct_from(other))?)
    }

    fn check_card(&self, now_ms: i64, card: &Card) -> Result<(), EnrolError> {
        if card.id == self.own.card.id {
            return Err(EnrolError::OwnCard);
        }
        card.require_distinct_from(&self.own.card)?;
        if !card.is_valid_at(now_ms) {
            return Err(EnrolError::NotValid);
        }
        for (id, peer) in &self.peers {
            if *id != card.id {
                peer.cards.all().try_for_each(|other| card.require_distinct_from(other))?;
            } else if peer.card() != card && !is_later(card, peer.card()) {
                return Err(EnrolError::AnotherCard(id.clone()));
            } else {
                require_no_revoked_key(card, peer)?;
            }
        }
        Ok(())
    }
}
