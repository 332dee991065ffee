//! The own log, read back: every entry becomes the change that it was made of.

use std::collections::BTreeSet;
use std::sync::Arc;

use time::Date;
use verbale_domain::civil;
use verbale_evidence::{
    Card, CardError, EntryError, EnvelopeError, MessageId, UnverifiedCard, UnverifiedEnvelope, VerifiedEnvelope,
    read_entry,
};
use verbale_keys::Fingerprint;
use verbale_ledger::LogIndex;
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{ChannelResumed, Facts, Genesis, NoticeDrafted, OwnCardRotated, PreviousLog};

use crate::audience::HeldAudience;
use crate::breach::HeldBreach;
use crate::change::Change;
use crate::draft::HeldDraft;
use crate::erasure::HeldErasure;
use crate::ground::HeldGround;
use crate::state::{ChannelId, Exchange};
use crate::succession::GoesOn;

/// An entry of the own log that cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The entry.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The envelope in it.
    #[error("the entry's envelope does not verify: {0}")]
    Envelope(#[from] EnvelopeError),
    /// The card in it.
    #[error("the entry's card does not verify: {0}")]
    Card(#[from] CardError),
    /// It does not follow from the entries before it.
    #[error("the entry does not follow from those before it: {0}")]
    Order(&'static str),
}

/// A card in the log: its fingerprint was compared when it, or the one before it, was enrolled.
fn own_signed(bytes: &[u8]) -> Result<Card, ReplayError> {
    let unverified = UnverifiedCard::parse(bytes)?;
    let fingerprint = unverified.claimed_fingerprint()?;
    Ok(unverified.verify(&fingerprint)?)
}

/// The last card of before of which nothing else is held.
fn lost_card(previous: &PreviousLog) -> Result<Option<Card>, ReplayError> {
    let bytes = previous.lost_card.as_slice();
    if bytes.is_empty() { Ok(None) } else { own_signed(bytes).map(Some) }
}

fn message_id(bytes: &[u8]) -> Result<MessageId, ReplayError> {
    MessageId::try_from(bytes).map_err(|_| ReplayError::Order("it names no message"))
}

fn day(text: &str) -> Result<Date, ReplayError> {
    civil::day(text).ok_or(ReplayError::Order("it names no day"))
}

impl Exchange {
    /// Applies an entry of the own log. Envelopes and cards in it are verified again: what is read back is unverified.
    ///
    /// `facts` are those that stand beside the entry; absent after erasure.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub fn replay(&mut self, entry: &[u8], facts: Option<Facts>) -> Result<(), ReplayError> {
        let told = read_entry(entry)?;
        if told.logged_ms < self.last_time_ms {
            return Err(ReplayError::Order("its time is earlier than that of the entry before it"));
        }
        let change = match (told.event, told.carried) {
            // Cards of the log before: a later one stands in the first entry of this log.
            (Event::Genesis(Genesis { card, previous, .. }), 1..) => {
                let lost = previous.as_ref().map(lost_card).transpose()?.flatten();
                Change::OwnBefore { cards: lost.into_iter().chain([own_signed(&card)?]).collect() }
            }
            (Event::OwnCardRotated(OwnCardRotated { card }), 1..) => {
                Change::OwnBefore { cards: vec![own_signed(&card)?] }
            }
            // The counterpart said so to the log before; this one must ask again.
            (Event::ChannelResumed(resumed), 1..) => self.read_resumed(&resumed, true)?,
            (event, _) => self.read_change(event, facts)?,
        };
        self.apply(told.time_ms, change).map_err(ReplayError::Order)?;
        self.last_time_ms = told.logged_ms;
        Ok(())
    }

    fn read_change(&self, event: Event, facts: Option<Facts>) -> Result<Change, ReplayError> {
        Ok(match event {
            Event::Genesis(genesis) if genesis.id == self.own.card.id => {
                let card = Box::new(own_signed(&genesis.card)?);
                let lost = genesis.previous.as_ref().map(lost_card).transpose()?.flatten().map(Box::new);
                Change::Genesis { succeeds: genesis.previous.is_some(), card, lost }
            }
            Event::Genesis(_) => return Err(ReplayError::Order("the log is another contact point's")),
            Event::NoticeSent(sent) => {
                let envelope = self.own_envelope(&sent.envelope)?;
                Change::Sent { envelope: Arc::new(envelope), facts: facts.map(Box::new), actor: sent.actor }
            }
            Event::NoticeHeldBack(of) => {
                let is_it = |id: &&MessageId| {
                    self.notices.get(*id).is_some_and(|held| held.statement.0.as_slice() == of.statement_digest)
                };
                let carrier = self.carriers.keys().find(is_it).copied();
                Change::HeldBack { message_id: message_id(&of.message_id)?, recipient: of.recipient, carrier }
            }
            Event::NoticeCarriedOn(of) => {
                Change::CarriedOn { message_id: message_id(&of.message_id)?, recipient: of.recipient }
            }
            Event::NoticeReceived(received) => {
                Change::Received { envelope: self.peers_envelope(&received.envelope)?, facts: facts.map(Box::new) }
            }
            Event::NoticeRefused(refused) => {
                let envelope = self.peers_envelope(&refused.envelope)?;
                let breach = match refused.breach_id.as_slice() {
                    [] => None,
                    id => {
                        let (id, index) = (message_id(id)?, LogIndex(self.size));
                        Some(Box::new(HeldBreach::new(id, &envelope, &refused.code, facts.as_ref(), index)))
                    }
                };
                Change::Refused { envelope, code: refused.code, breach }
            }
            Event::ConflictKept(kept) => Change::Conflict { envelope: self.peers_envelope(&kept.envelope)? },
            Event::NoticeDrafted(drafted) => Change::Drafted(Box::new(self.read_draft(drafted, facts)?)),
            Event::Disclosed(disclosed) => Change::Disclosed {
                message_id: message_id(&disclosed.message_id)?,
                code: disclosed.code,
                actor: disclosed.actor,
                published: disclosed.published,
            },
            Event::DisclosureDenied(denied) => {
                Change::Denied { message_id: message_id(&denied.message_id)?, code: denied.code, actor: denied.actor }
            }
            Event::DraftDropped(dropped) => Change::DraftDropped { message_id: message_id(&dropped.message_id)? },
            Event::NoticeOpened(opened) => {
                Change::Opened { message_id: message_id(&opened.message_id)?, actor: opened.actor }
            }
            Event::NoticeHandedOver(handed) => {
                Change::HandedOver { message_id: message_id(&handed.message_id)?, actor: handed.actor }
            }
            Event::ReceiptReceived(receipt) => {
                let peer_index = LogIndex(receipt.peer_index);
                let message_id = message_id(&receipt.message_id)?;
                Change::Receipt { message_id, verdict: receipt.code, peer_index, peer_time_ms: receipt.peer_time_ms }
            }
            Event::NoticeExpired(expired) => Change::Expired { message_id: message_id(&expired.message_id)? },
            Event::MemorandumCommenced(commenced) => Change::Commenced {
                memorandum: commenced.memorandum,
                on: day(&commenced.on)?,
                by: message_id(&commenced.message_id)?,
            },
            Event::MemorandumEnds(ends) => Change::Ends { memorandum: ends.memorandum, on: day(&ends.on)? },
            Event::MemorandumAdopted(adopted) => {
                let digest = adopted.terms_digest.as_slice().try_into();
                let digest = digest.map_err(|_| ReplayError::Order("it names no terms"))?;
                Change::Adopted { memorandum: adopted.memorandum, digest }
            }
            other => self.read_beside(other, facts)?,
        })
    }

    /// What is not about a notice alone: audiences, grounds, erasures, counterparts' logs, oversight.
    fn read_beside(&self, event: Event, facts: Option<Facts>) -> Result<Change, ReplayError> {
        Ok(match event {
            Event::AudienceEntered(entered) => {
                let id = message_id(&entered.audience_id)?;
                let held = HeldAudience::new(id, facts.as_ref(), entered.actor, LogIndex(self.size));
                Change::AudienceEntered(Box::new(held))
            }
            Event::AudienceConfirmed(confirmed) => {
                Change::AudienceConfirmed { id: message_id(&confirmed.audience_id)?, actor: confirmed.actor }
            }
            Event::AudienceEnded(ended) => Change::AudienceEnded { id: message_id(&ended.audience_id)? },
            Event::GroundRecorded(recorded) => {
                let held = HeldGround::read(recorded, facts.as_ref(), LogIndex(self.size))?;
                Change::GroundRecorded(Box::new(held))
            }
            Event::GroundConfirmed(confirmed) => {
                Change::GroundConfirmed { id: message_id(&confirmed.ground_id)?, actor: confirmed.actor }
            }
            Event::GroundEnded(ended) => Change::GroundEnded { id: message_id(&ended.ground_id)? },
            Event::ErasureAsked(asked) => Change::ErasureAsked(Box::new(HeldErasure {
                id: message_id(&asked.erasure_id)?,
                about: message_id(&asked.message_id)?,
                reason: facts.map(|facts| facts.purpose),
                asked_by: asked.actor,
                asked_ms: self.last_time_ms,
                settled: None,
                done: false,
                index: LogIndex(self.size),
            })),
            Event::ErasureDropped(dropped) => {
                Change::ErasureDropped { id: message_id(&dropped.erasure_id)?, actor: dropped.actor }
            }
            Event::ContentErased(erased) => Change::Erased {
                id: message_id(&erased.erasure_id)?,
                about: message_id(&erased.message_id)?,
                actor: erased.actor,
            },
            Event::CounterpartRotated(rotated) => {
                Change::CounterpartRotated { card: Box::new(own_signed(&rotated.card)?) }
            }
            Event::OwnCardRotated(rotated) => {
                let card = own_signed(&rotated.card)?;
                let own = &self.own.card;
                if card.id != own.id || card.card_key != own.card_key {
                    return Err(ReplayError::Order("its card is another contact point's"));
                }
                Change::OwnRotated { card: Box::new(card) }
            }
            Event::ChannelResumed(resumed) => self.read_resumed(&resumed, false)?,
            Event::ChannelReopened(reopened) => {
                let channel = ChannelId { peer: reopened.counterpart, memorandum: reopened.memorandum };
                Change::Reopened { channel, from: reopened.from_number }
            }
            Event::Configured(configured) => Change::Configured { digest: configured.file_sha256 },
            Event::LogExported(exported) => Change::Exported { recipient: exported.recipient },
            Event::PeerEnrolled(enrolled) => {
                Change::Enrolled { card: Box::new(own_signed(&enrolled.card)?), address: enrolled.address }
            }
            _ => return Err(ReplayError::Order("it carries nothing")),
        })
    }

    fn read_resumed(&self, resumed: &ChannelResumed, before: bool) -> Result<Change, ReplayError> {
        let channel = ChannelId { peer: resumed.counterpart.clone(), memorandum: resumed.memorandum.clone() };
        let behind = match resumed.envelope.as_slice() {
            [] => None,
            bytes => Some(Arc::new(self.own_envelope(bytes)?)),
        };
        let displaced_from = Some(resumed.displaced_from).filter(|number| *number != 0);
        Ok(Change::Resumed { channel, goes_on: GoesOn { behind, displaced_from }, before })
    }

    fn read_draft(&self, drafted: NoticeDrafted, facts: Option<Facts>) -> Result<HeldDraft, ReplayError> {
        let wrong = |_| ReplayError::Order("it names no draft");
        let digest = |bytes: &[u8]| <[u8; 32]>::try_from(bytes).map_err(|_| ReplayError::Order("it names no digest"));
        Ok(HeldDraft {
            message_id: MessageId::try_from(drafted.message_id.as_slice()).map_err(wrong)?,
            memorandum: drafted.memorandum,
            flow: drafted.flow,
            recipient: drafted.recipient,
            recipient_key: Fingerprint::from_digest(digest(&drafted.recipient_key)?),
            sealed_sha256: digest(&drafted.sealed_sha256)?,
            sealed_bytes: drafted.sealed_bytes,
            content_root: digest(&drafted.content_root)?,
            facts_digest: drafted.facts_digest,
            actor: drafted.actor,
            notice_id: facts.as_ref().map(|facts| facts.notice_id.clone()),
            digest: facts.map(|facts| facts.notice_digest),
            opened_by: BTreeSet::new(),
            index: LogIndex(self.size),
            time_ms: self.last_time_ms,
        })
    }

    /// An envelope in the log that this node signed.
    fn own_envelope(&self, bytes: &[u8]) -> Result<VerifiedEnvelope, ReplayError> {
        Ok(self.own_cards.verify(UnverifiedEnvelope::parse(bytes)?)?)
    }

    /// An envelope in the log, of whichever enrolled counterpart signed it.
    fn peers_envelope(&self, bytes: &[u8]) -> Result<VerifiedEnvelope, ReplayError> {
        for peer in self.peers.values() {
            if let Ok(envelope) = peer.cards.verify(UnverifiedEnvelope::parse(bytes)?) {
                return Ok(envelope);
            }
        }
        Err(ReplayError::Order("no enrolled counterpart signed its envelope"))
    }
}
