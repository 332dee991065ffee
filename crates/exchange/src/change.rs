//! Changes of the state, as log entries and back.

use std::collections::BTreeSet;
use std::sync::Arc;

use time::Date;
use verbale_domain::disclosure::RULES_VERSION;
use verbale_domain::{Refusal, civil};
use verbale_evidence::{
    Card, CardError, EntryError, EnvelopeError, MessageId, UnverifiedCard, UnverifiedEnvelope, VerifiedEnvelope,
    encode_entry, read_entry,
};
use verbale_keys::Fingerprint;
use verbale_ledger::LogIndex;
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{
    AudienceConfirmed, AudienceEntered, ChannelReopened, ChannelResumed, Configured, ConflictKept, ContentErased,
    CounterpartRotated, DisclosureDenied, DraftDropped, ErasureAsked, ErasureDropped, Facts, Genesis, GroundConfirmed,
    GroundEnded, GroundRecorded, LogExported, MemorandumAdopted, MemorandumCommenced, MemorandumEnds, NoticeDrafted,
    NoticeExpired, NoticeHandedOver, NoticeOpened, NoticeReceived, NoticeRefused, NoticeSent, PeerEnrolled,
    PreviousLog, ReceiptReceived,
};

use crate::audience::HeldAudience;
use crate::breach::{BreachReport, HeldBreach};
use crate::draft::HeldDraft;
use crate::erasure::HeldErasure;
use crate::ground::HeldGround;
use crate::state::{ChannelId, Exchange};

/// An entry to be committed, with what stands beside it.
#[derive(Clone, Default)]
pub struct Record {
    /// The entry's bytes.
    pub entry: Vec<u8>,
    /// Sealed notice.
    pub sealed: Option<Vec<u8>>,
    /// Encrypted facts.
    pub facts: Option<Vec<u8>>,
    /// The counterpart's receipt.
    pub receipt: Option<Vec<u8>>,
    /// The notice whose keys these are, and the keys under the archive key.
    pub keys: Option<(MessageId, verbale_envelope::WrappedKeys)>,
}

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

/// A change of the state. Whatever is made of it passed its checks.
pub(crate) enum Change {
    Genesis { succeeds: bool },
    Sent { envelope: Arc<VerifiedEnvelope>, facts: Option<Box<Facts>>, actor: String },
    Received { envelope: VerifiedEnvelope, facts: Option<Box<Facts>> },
    Refused { envelope: VerifiedEnvelope, code: String, breach: Option<Box<HeldBreach>> },
    Drafted(Box<HeldDraft>),
    DraftDropped { message_id: MessageId },
    Disclosed { message_id: MessageId, code: String, actor: String, published: bool },
    Denied { message_id: MessageId, code: String, actor: String },
    AudienceEntered(Box<HeldAudience>),
    AudienceConfirmed { id: MessageId, actor: String },
    GroundRecorded(Box<HeldGround>),
    GroundConfirmed { id: MessageId, actor: String },
    GroundEnded { id: MessageId },
    ErasureAsked(Box<HeldErasure>),
    ErasureDropped { id: MessageId, actor: String },
    Erased { id: MessageId, about: MessageId, actor: String },
    Opened { message_id: MessageId, actor: String },
    HandedOver { message_id: MessageId, actor: String },
    Receipt { message_id: MessageId, verdict: String, peer_index: LogIndex, peer_time_ms: i64 },
    Enrolled { card: Box<Card>, address: String },
    Adopted { memorandum: String, digest: [u8; 32] },
    Commenced { memorandum: String, on: Date },
    Ends { memorandum: String, on: Date },
    Conflict { envelope: VerifiedEnvelope },
    Expired { message_id: MessageId },
    CounterpartRotated { card: Box<Card> },
    Resumed { channel: ChannelId, last: Option<Arc<VerifiedEnvelope>> },
    Reopened { channel: ChannelId, from: u64 },
    Configured { digest: Vec<u8> },
    Exported { recipient: String },
}

/// The first entry of a log.
///
/// # Errors
/// [`EntryError`].
pub fn genesis(time_ms: i64, card: &Card, card_bytes: &[u8]) -> Result<Record, EntryError> {
    succeeding(time_ms, card, card_bytes, None)
}

/// The first entry of a log that takes the place of another.
///
/// # Errors
/// [`EntryError`].
pub fn succeeding(
    time_ms: i64,
    card: &Card,
    card_bytes: &[u8],
    previous: Option<PreviousLog>,
) -> Result<Record, EntryError> {
    let event = Genesis { id: card.id.clone(), origin: card.log_origin.clone(), card: card_bytes.to_vec(), previous };
    Ok(Record { entry: encode_entry(time_ms, Event::Genesis(event))?, ..Record::default() })
}

pub(crate) fn sent(envelope: &VerifiedEnvelope, facts_digest: &[u8], actor: &str, drafted_by: &str) -> Event {
    Event::NoticeSent(NoticeSent {
        envelope: envelope.bytes().to_vec(),
        facts_digest: facts_digest.to_vec(),
        actor: actor.to_owned(),
        drafted_by: drafted_by.to_owned(),
    })
}

pub(crate) fn drafted(draft: &HeldDraft) -> Event {
    Event::NoticeDrafted(NoticeDrafted {
        message_id: draft.message_id.as_bytes().to_vec(),
        memorandum: draft.memorandum.clone(),
        flow: draft.flow.clone(),
        recipient: draft.recipient.clone(),
        recipient_key: draft.recipient_key.as_bytes().to_vec(),
        sealed_sha256: draft.sealed_sha256.to_vec(),
        sealed_bytes: draft.sealed_bytes,
        content_root: draft.content_root.to_vec(),
        facts_digest: draft.facts_digest.clone(),
        actor: draft.actor.clone(),
    })
}

pub(crate) fn draft_dropped(message_id: MessageId, actor: &str) -> Event {
    Event::DraftDropped(DraftDropped { message_id: message_id.as_bytes().to_vec(), actor: actor.to_owned() })
}

pub(crate) fn received(envelope: &VerifiedEnvelope, facts_digest: &[u8]) -> Event {
    Event::NoticeReceived(NoticeReceived { envelope: envelope.bytes().to_vec(), facts_digest: facts_digest.to_vec() })
}

pub(crate) fn refused(envelope: &VerifiedEnvelope, refusal: &Refusal, report: Option<&BreachReport>) -> Event {
    Event::NoticeRefused(NoticeRefused {
        envelope: envelope.bytes().to_vec(),
        code: refusal.code.to_string(),
        breach_id: report.map(|report| report.id.as_bytes().to_vec()).unwrap_or_default(),
        facts_digest: report.map(|report| report.sealed.digest.to_vec()).unwrap_or_default(),
    })
}

pub(crate) fn opened(message_id: MessageId, actor: &str, facts_digest: &[u8]) -> Event {
    let (message_id, facts_digest) = (message_id.as_bytes().to_vec(), facts_digest.to_vec());
    Event::NoticeOpened(NoticeOpened { message_id, actor: actor.to_owned(), facts_digest })
}

pub(crate) fn handed_over(message_id: MessageId, actor: &str) -> Event {
    Event::NoticeHandedOver(NoticeHandedOver { message_id: message_id.as_bytes().to_vec(), actor: actor.to_owned() })
}

pub(crate) fn receipt(message_id: MessageId, receipt: &verbale_evidence::VerifiedReceipt) -> Event {
    Event::ReceiptReceived(ReceiptReceived {
        message_id: message_id.as_bytes().to_vec(),
        peer_index: receipt.index().0,
        receipt_digest: receipt.digest().to_vec(),
        code: receipt.verdict().refusal_code().to_owned(),
        peer_time_ms: receipt.time_ms(),
    })
}

pub(crate) fn enrolled(card: &[u8], actor: &str, address: &str) -> Event {
    Event::PeerEnrolled(PeerEnrolled { card: card.to_vec(), actor: actor.to_owned(), address: address.to_owned() })
}

pub(crate) fn adopted(memorandum: &str, digest: [u8; 32]) -> Event {
    Event::MemorandumAdopted(MemorandumAdopted { memorandum: memorandum.to_owned(), terms_digest: digest.to_vec() })
}

pub(crate) fn commenced(memorandum: &str, on: Date, message_id: MessageId) -> Event {
    let (memorandum, on) = (memorandum.to_owned(), on.to_string());
    Event::MemorandumCommenced(MemorandumCommenced { memorandum, on, message_id: message_id.as_bytes().to_vec() })
}

pub(crate) fn ends(memorandum: &str, on: Date, message_id: MessageId) -> Event {
    let (memorandum, on) = (memorandum.to_owned(), on.to_string());
    Event::MemorandumEnds(MemorandumEnds { memorandum, on, message_id: message_id.as_bytes().to_vec() })
}

pub(crate) fn conflict(envelope: &VerifiedEnvelope) -> Event {
    Event::ConflictKept(ConflictKept { envelope: envelope.bytes().to_vec() })
}

pub(crate) fn counterpart_rotated(card: &[u8]) -> Event {
    Event::CounterpartRotated(CounterpartRotated { card: card.to_vec() })
}

pub(crate) fn channel_resumed(channel: &ChannelId, last: Option<&Arc<VerifiedEnvelope>>) -> Event {
    Event::ChannelResumed(ChannelResumed {
        counterpart: channel.peer.clone(),
        memorandum: channel.memorandum.clone(),
        envelope: last.map(|last| last.bytes().to_vec()).unwrap_or_default(),
    })
}

pub(crate) fn channel_reopened(channel: &ChannelId, from_number: u64) -> Event {
    let (counterpart, memorandum) = (channel.peer.clone(), channel.memorandum.clone());
    Event::ChannelReopened(ChannelReopened { counterpart, memorandum, from_number })
}

pub(crate) fn configured(configured: &Configured) -> Event {
    Event::Configured(configured.clone())
}

pub(crate) fn exported(recipient: &str, actor: &str) -> Event {
    Event::LogExported(LogExported { recipient: recipient.to_owned(), actor: actor.to_owned() })
}

pub(crate) fn expired(message_id: MessageId) -> Event {
    Event::NoticeExpired(NoticeExpired { message_id: message_id.as_bytes().to_vec() })
}

pub(crate) fn disclosure_denied(message_id: MessageId, code: &str, facts_digest: &[u8], actor: &str) -> Event {
    let (message_id, facts_digest) = (message_id.as_bytes().to_vec(), facts_digest.to_vec());
    Event::DisclosureDenied(DisclosureDenied {
        message_id,
        code: code.to_owned(),
        facts_digest,
        actor: actor.to_owned(),
        rules_version: RULES_VERSION,
    })
}

pub(crate) fn audience_entered(id: MessageId, facts_digest: &[u8], actor: &str) -> Event {
    let (audience_id, facts_digest) = (id.as_bytes().to_vec(), facts_digest.to_vec());
    Event::AudienceEntered(AudienceEntered { audience_id, facts_digest, actor: actor.to_owned() })
}

pub(crate) fn audience_confirmed(id: MessageId, actor: &str) -> Event {
    Event::AudienceConfirmed(AudienceConfirmed { audience_id: id.as_bytes().to_vec(), actor: actor.to_owned() })
}

pub(crate) fn ground_recorded(held: &HeldGround, facts_digest: &[u8]) -> Event {
    let recorded = held.recorded.as_ref();
    Event::GroundRecorded(GroundRecorded {
        ground_id: held.id.as_bytes().to_vec(),
        message_id: held.about.as_bytes().to_vec(),
        kind: recorded.map(|recorded| recorded.kind.as_str().to_owned()).unwrap_or_default(),
        document_sha256: held.document.to_vec(),
        valid_from_ms: recorded.map(|recorded| recorded.from_ms).unwrap_or_default(),
        valid_until_ms: recorded.map(|recorded| recorded.until_ms).unwrap_or_default(),
        facts_digest: facts_digest.to_vec(),
        actor: held.recorded_by.clone(),
    })
}

pub(crate) fn ground_confirmed(id: MessageId, actor: &str) -> Event {
    Event::GroundConfirmed(GroundConfirmed { ground_id: id.as_bytes().to_vec(), actor: actor.to_owned() })
}

pub(crate) fn ground_ended(id: MessageId, actor: &str) -> Event {
    Event::GroundEnded(GroundEnded { ground_id: id.as_bytes().to_vec(), actor: actor.to_owned() })
}

pub(crate) fn erasure_asked((id, about): (MessageId, MessageId), facts_digest: &[u8], actor: &str) -> Event {
    Event::ErasureAsked(ErasureAsked {
        erasure_id: id.as_bytes().to_vec(),
        message_id: about.as_bytes().to_vec(),
        facts_digest: facts_digest.to_vec(),
        actor: actor.to_owned(),
    })
}

pub(crate) fn erasure_dropped(id: MessageId, actor: &str) -> Event {
    Event::ErasureDropped(ErasureDropped { erasure_id: id.as_bytes().to_vec(), actor: actor.to_owned() })
}

pub(crate) fn content_erased((id, about): (MessageId, MessageId), actor: &str) -> Event {
    let (erasure_id, message_id) = (id.as_bytes().to_vec(), about.as_bytes().to_vec());
    Event::ContentErased(ContentErased { erasure_id, message_id, actor: actor.to_owned() })
}

/// A card in the log: its fingerprint was compared when it, or the one before it, was enrolled.
fn own_signed(bytes: &[u8]) -> Result<Card, ReplayError> {
    let unverified = UnverifiedCard::parse(bytes)?;
    let fingerprint = unverified.claimed_fingerprint()?;
    Ok(unverified.verify(&fingerprint)?)
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
        if matches!((&told.event, told.carried), (Event::Genesis(_), true)) {
            // The beginning of the log before: that it was so stands in the first entry of this one.
            self.size += 1;
            return Ok(());
        }
        let change = self.read_change(told.event, facts)?;
        self.apply(told.time_ms, change).map_err(ReplayError::Order)?;
        self.last_time_ms = told.logged_ms;
        Ok(())
    }

    fn read_change(&self, event: Event, facts: Option<Facts>) -> Result<Change, ReplayError> {
        let message_id =
            |bytes: &[u8]| MessageId::try_from(bytes).map_err(|_| ReplayError::Order("it names no message"));
        Ok(match event {
            Event::Genesis(genesis) if genesis.id == self.own.card.id => {
                Change::Genesis { succeeds: genesis.previous.is_some() }
            }
            Event::Genesis(_) => return Err(ReplayError::Order("the log is another contact point's")),
            Event::NoticeSent(sent) => {
                let envelope = self.own_envelope(&sent.envelope)?;
                Change::Sent { envelope: Arc::new(envelope), facts: facts.map(Box::new), actor: sent.actor }
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
            Event::AudienceEntered(entered) => {
                let id = message_id(&entered.audience_id)?;
                let held = HeldAudience::new(id, facts.as_ref(), entered.actor, LogIndex(self.size));
                Change::AudienceEntered(Box::new(held))
            }
            Event::AudienceConfirmed(confirmed) => {
                Change::AudienceConfirmed { id: message_id(&confirmed.audience_id)?, actor: confirmed.actor }
            }
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
            Event::CarriedOver(_) => return Err(ReplayError::Order("it carries nothing")),
            Event::CounterpartRotated(rotated) => {
                Change::CounterpartRotated { card: Box::new(own_signed(&rotated.card)?) }
            }
            Event::ChannelResumed(resumed) => {
                let channel = ChannelId { peer: resumed.counterpart, memorandum: resumed.memorandum };
                let last = match resumed.envelope.as_slice() {
                    [] => None,
                    bytes => Some(Arc::new(self.own_envelope(bytes)?)),
                };
                Change::Resumed { channel, last }
            }
            Event::ChannelReopened(reopened) => {
                let channel = ChannelId { peer: reopened.counterpart, memorandum: reopened.memorandum };
                Change::Reopened { channel, from: reopened.from_number }
            }
            Event::Configured(configured) => Change::Configured { digest: configured.file_sha256 },
            Event::LogExported(exported) => Change::Exported { recipient: exported.recipient },
            Event::NoticeExpired(expired) => Change::Expired { message_id: message_id(&expired.message_id)? },
            Event::PeerEnrolled(enrolled) => {
                Change::Enrolled { card: Box::new(own_signed(&enrolled.card)?), address: enrolled.address }
            }
            Event::MemorandumCommenced(commenced) => {
                Change::Commenced { memorandum: commenced.memorandum, on: day(&commenced.on)? }
            }
            Event::MemorandumEnds(ends) => Change::Ends { memorandum: ends.memorandum, on: day(&ends.on)? },
            Event::MemorandumAdopted(adopted) => {
                let digest = adopted.terms_digest.as_slice().try_into();
                let digest = digest.map_err(|_| ReplayError::Order("it names no terms"))?;
                Change::Adopted { memorandum: adopted.memorandum, digest }
            }
        })
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
        Ok(UnverifiedEnvelope::parse(bytes)?.verify(&self.own.card.envelope_key)?)
    }

    /// An envelope in the log, of whichever enrolled counterpart signed it.
    fn peers_envelope(&self, bytes: &[u8]) -> Result<VerifiedEnvelope, ReplayError> {
        for peer in self.peers.values() {
            if let Ok(envelope) = UnverifiedEnvelope::parse(bytes)?.verify(&peer.card.envelope_key) {
                return Ok(envelope);
            }
        }
        Err(ReplayError::Order("no enrolled counterpart signed its envelope"))
    }
}
