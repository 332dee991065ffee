//! Changes of the state, as log entries and back.

use std::sync::Arc;

use time::Date;
use verbale_domain::Refusal;
use verbale_domain::disclosure::{Decision, RULES_VERSION};
use verbale_evidence::{Card, EntryError, MessageId, StatementDigest, VerifiedEnvelope, encode_entry};
use verbale_ledger::LogIndex;
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{
    AudienceConfirmed, AudienceEnded, AudienceEntered, ChannelReopened, ChannelResumed, Configured, ConflictKept,
    ContentErased, CounterpartRotated, Dates, DisclosureDenied, DraftDropped, ErasureAsked, ErasureDropped, Facts,
    Genesis, GroundConfirmed, GroundEnded, GroundRecorded, LogExported, MemorandumAdopted, MemorandumCommenced,
    MemorandumEnds, NoticeCarriedOn, NoticeDrafted, NoticeExpired, NoticeHandedOver, NoticeHeldBack, NoticeOpened,
    NoticeReceived, NoticeRefused, NoticeSent, OwnCardRotated, PeerEnrolled, PreviousLog, ReceiptReceived,
};

use crate::audience::HeldAudience;
use crate::breach::{BreachReport, HeldBreach};
use crate::draft::HeldDraft;
use crate::erasure::HeldErasure;
use crate::ground::HeldGround;
use crate::state::ChannelId;
use crate::succession::GoesOn;

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

/// A change of the state. Whatever is made of it passed its checks.
pub(crate) enum Change {
    Genesis {
        succeeds: bool,
        card: Box<Card>,
        /// The last card of before, of which nothing else is held.
        lost: Option<Box<Card>>,
    },
    OwnRotated {
        card: Box<Card>,
    },
    /// Cards of the logs before this one.
    OwnBefore {
        cards: Vec<Card>,
    },
    Sent {
        envelope: Arc<VerifiedEnvelope>,
        facts: Option<Box<Facts>>,
        actor: String,
    },
    /// A release of a notice was to be carried on, and has its ground no more.
    HeldBack {
        message_id: MessageId,
        recipient: String,
        /// The notice that was to carry it, where it is known.
        carrier: Option<MessageId>,
    },
    /// A release of a notice was carried on.
    CarriedOn {
        /// The notice.
        message_id: MessageId,
        /// To which contact point.
        recipient: String,
    },
    Received {
        envelope: VerifiedEnvelope,
        facts: Option<Box<Facts>>,
    },
    Refused {
        envelope: VerifiedEnvelope,
        code: String,
        breach: Option<Box<HeldBreach>>,
    },
    Drafted(Box<HeldDraft>),
    DraftDropped {
        message_id: MessageId,
    },
    Disclosed {
        message_id: MessageId,
        code: String,
        actor: String,
        published: bool,
    },
    Denied {
        message_id: MessageId,
        code: String,
        actor: String,
    },
    AudienceEntered(Box<HeldAudience>),
    AudienceConfirmed {
        id: MessageId,
        actor: String,
    },
    AudienceEnded {
        id: MessageId,
    },
    GroundRecorded(Box<HeldGround>),
    GroundConfirmed {
        id: MessageId,
        actor: String,
    },
    GroundEnded {
        id: MessageId,
    },
    ErasureAsked(Box<HeldErasure>),
    ErasureDropped {
        id: MessageId,
        actor: String,
    },
    Erased {
        id: MessageId,
        about: MessageId,
        actor: String,
    },
    Opened {
        message_id: MessageId,
        actor: String,
    },
    HandedOver {
        message_id: MessageId,
        actor: String,
    },
    Receipt {
        message_id: MessageId,
        verdict: String,
        peer_index: LogIndex,
        peer_time_ms: i64,
    },
    Enrolled {
        card: Box<Card>,
        address: String,
    },
    Adopted {
        memorandum: String,
        digest: [u8; 32],
    },
    Commenced {
        memorandum: String,
        on: Date,
        by: MessageId,
    },
    Ends {
        memorandum: String,
        on: Date,
    },
    Conflict {
        envelope: VerifiedEnvelope,
    },
    Expired {
        message_id: MessageId,
    },
    CounterpartRotated {
        card: Box<Card>,
    },
    Resumed {
        channel: ChannelId,
        goes_on: GoesOn,
        /// It was so in a log before this one.
        before: bool,
    },
    Reopened {
        channel: ChannelId,
        from: u64,
    },
    Configured {
        digest: Vec<u8>,
    },
    Exported {
        recipient: String,
    },
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

/// What a notice was to carry on has its ground no more.
pub(crate) fn held_back(message_id: MessageId, recipient: &str, carrier: StatementDigest) -> Event {
    Event::NoticeHeldBack(NoticeHeldBack {
        message_id: message_id.as_bytes().to_vec(),
        recipient: recipient.to_owned(),
        statement_digest: carrier.0.to_vec(),
    })
}

/// A release of a notice is carried on by a notice that was sent.
pub(crate) fn carried_on(message_id: MessageId, by: &VerifiedEnvelope, actor: &str) -> Event {
    Event::NoticeCarriedOn(NoticeCarriedOn {
        message_id: message_id.as_bytes().to_vec(),
        recipient: by.statement().recipient.clone(),
        statement_digest: by.digest().0.to_vec(),
        actor: actor.to_owned(),
    })
}

pub(crate) fn sent(
    envelope: &VerifiedEnvelope,
    facts_digest: &[u8],
    (actor, drafted_by): (&str, &str),
    dates: Option<Dates>,
) -> Event {
    Event::NoticeSent(NoticeSent {
        envelope: envelope.bytes().to_vec(),
        facts_digest: facts_digest.to_vec(),
        actor: actor.to_owned(),
        drafted_by: drafted_by.to_owned(),
        dates,
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

pub(crate) fn received(envelope: &VerifiedEnvelope, facts_digest: &[u8], dates: Option<Dates>) -> Event {
    let (envelope, facts_digest) = (envelope.bytes().to_vec(), facts_digest.to_vec());
    Event::NoticeReceived(NoticeReceived { envelope, facts_digest, dates })
}

pub(crate) fn refused(envelope: &VerifiedEnvelope, refusal: &Refusal, report: Option<&BreachReport>) -> Event {
    Event::NoticeRefused(NoticeRefused {
        envelope: envelope.bytes().to_vec(),
        code: refusal.code.to_string(),
        breach_id: report.map(|report| report.id.as_bytes().to_vec()).unwrap_or_default(),
        facts_digest: report.map(|report| report.sealed.digest.to_vec()).unwrap_or_default(),
    })
}

pub(crate) fn opened(message_id: MessageId, actor: &str, (decision, facts_digest): (&Decision, &[u8])) -> Event {
    Event::NoticeOpened(NoticeOpened {
        message_id: message_id.as_bytes().to_vec(),
        actor: actor.to_owned(),
        facts_digest: facts_digest.to_vec(),
        code: decision.verdict.code().to_owned(),
        rules_version: RULES_VERSION,
    })
}

pub(crate) fn handed_over(message_id: MessageId, actor: &str, decision: &Decision) -> Event {
    Event::NoticeHandedOver(NoticeHandedOver {
        message_id: message_id.as_bytes().to_vec(),
        actor: actor.to_owned(),
        code: decision.verdict.code().to_owned(),
        rules_version: RULES_VERSION,
    })
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

pub(crate) fn own_card_rotated(card: &[u8]) -> Event {
    Event::OwnCardRotated(OwnCardRotated { card: card.to_vec() })
}

pub(crate) fn channel_resumed(channel: &ChannelId, goes_on: &GoesOn) -> Event {
    Event::ChannelResumed(ChannelResumed {
        counterpart: channel.peer.clone(),
        memorandum: channel.memorandum.clone(),
        envelope: goes_on.behind.as_ref().map(|last| last.bytes().to_vec()).unwrap_or_default(),
        displaced_from: goes_on.displaced_from.unwrap_or_default(),
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

pub(crate) fn audience_ended(id: MessageId, actor: &str) -> Event {
    Event::AudienceEnded(AudienceEnded { audience_id: id.as_bytes().to_vec(), actor: actor.to_owned() })
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
