//! The statement by which a node says, in each of its channels, that a later card of it counts from there on: earlier numbers verify under the
//! keys of the card before. It has a number and a receipt as a notice has, and no content.

use std::sync::Arc;

use verbale_domain::Memorandum;
use verbale_envelope::Recipient;
use verbale_evidence::{Card, CardStatement, MessageId, VerifiedEnvelope, sign_statement};
use verbale_ledger::LogIndex;

use crate::change::{self, Change, Record};
use crate::incoming::Rejection;
use crate::state::{ChannelId, Exchange, Outgoing, Waiting};
use crate::step::{Fault, Output, Told};

/// What the node knows of a card statement that it sent.
#[derive(Clone, Debug)]
pub(crate) struct Stated {
    pub(crate) channel: ChannelId,
    pub(crate) number: u64,
    pub(crate) envelope: Arc<VerifiedEnvelope>,
    pub(crate) index: LogIndex,
}

impl Stated {
    pub(crate) fn waiting(&self, message_id: MessageId) -> Waiting {
        Waiting { message_id, statement: self.envelope.digest(), envelope: Some(Arc::clone(&self.envelope)) }
    }
}

impl Exchange {
    /// Says in a channel that a later card counts, unless it was said, or nothing was sent in it before.
    pub(crate) fn state_card(&mut self, now_ms: i64, channel: &ChannelId, output: &mut Output) {
        let card = &self.own.card;
        let is_behind = |outgoing: &Outgoing| !outgoing.statements.is_empty() && outgoing.stated < card.serial;
        let outgoing = self.outgoing.get(channel).filter(|outgoing| is_behind(outgoing));
        let (Some(outgoing), Some(peer), Some(terms_digest)) = (
            outgoing,
            self.peers.get(&channel.peer).filter(|peer| !peer.is_revoked()),
            self.own.memoranda.get(&channel.memorandum).map(Memorandum::terms_digest),
        ) else {
            return;
        };
        if self.is_unsettled(channel) {
            return;
        }
        let recipient_key = peer.card().age_recipient.parse::<Recipient>().map(|recipient| recipient.fingerprint());
        let Ok(recipient_key) = recipient_key else { return };
        let place = CardStatement {
            recipient: (&channel.peer, recipient_key),
            memorandum: (&channel.memorandum, terms_digest),
            created_ms: now_ms,
            number: outgoing.next_number(),
            previous: outgoing.last(),
        };
        let statement = place.about(card);
        match sign_statement(statement, &self.own.key) {
            Ok(envelope) => {
                let envelope = Arc::new(envelope);
                let event = change::sent(&envelope, &[], ("", ""), None);
                let change = Change::Sent { envelope, facts: None, actor: String::new() };
                self.record(now_ms, event, change, Record::default(), output);
                self.wake(channel, &mut output.effects, now_ms);
            }
            // Each of its fields was in a statement before.
            Err(_) => output.fault = Some(Fault::Apply("no statement can be made of the own card")),
        }
    }

    /// Takes a counterpart's card statement under the next number. Before its card is known here, the statement waits.
    pub(crate) fn take_card_statement(&mut self, now_ms: i64, envelope: VerifiedEnvelope, output: &mut Output) -> Told {
        let statement = envelope.statement();
        let channel = ChannelId { peer: statement.sender.clone(), memorandum: statement.memorandum.clone() };
        let stated = self.peers.get(&statement.sender).and_then(|peer| peer.cards.stated(statement));
        // Each card once, in a channel that was used before, and under no notice's id.
        let before = self.incoming.get(&channel).map(|incoming| incoming.stated);
        let is_new = |card: &Card| before.is_some_and(|before| before < card.serial);
        if !stated.is_some_and(is_new) || self.notices.contains_key(&statement.message_id) {
            return Told::Rejected(Rejection::UnknownCard);
        }
        let index = LogIndex(self.size);
        let event = change::received(&envelope, &[], None);
        self.record(now_ms, event, Change::Received { envelope, facts: None }, Record::default(), output);
        Told::Logged { index, refused: None }
    }
}
