//! What the local service reads from state and journal together.

use verbale_envelope::{NoticeKeys, Reopened, reopen};
use verbale_evidence::{MessageId, UnverifiedEnvelope, VerifiedEnvelope, read_entry};
use verbale_exchange::{Exchange, Held, HeldDraft, Mailbox};
use verbale_journal::{Journal, JournalError, Store};
use verbale_ledger::{Checkpoint, LogIndex, Note, TlogProof};
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{HeldReceipt, Receipt, ReceiptsRequest};
use verbale_rpc::{Failure, FailureKind};

use crate::person::Sight;
use crate::shared::Shared;

/// Receipts of one answer: about 2 KiB each, and the core reads them while everybody waits.
const RECEIPTS_MAX: usize = 256;

/// A notice or a draft as the journal holds it, still sealed.
pub(crate) struct SealedHeld {
    pub(crate) what: What,
    pub(crate) sealed: Vec<u8>,
    wrapped: [u8; verbale_envelope::WRAPPED_BYTES],
}

/// Which of the two.
pub(crate) enum What {
    Notice(Box<VerifiedEnvelope>),
    Draft(Box<HeldDraft>),
}

impl SealedHeld {
    /// Its keys, wrapped.
    pub(crate) fn wrapped(&self) -> &[u8; verbale_envelope::WRAPPED_BYTES] {
        &self.wrapped
    }

    /// The envelope; a draft has none.
    pub(crate) fn envelope(&self) -> Option<&VerifiedEnvelope> {
        match &self.what {
            What::Notice(envelope) => Some(envelope),
            What::Draft(_) => None,
        }
    }

    pub(crate) fn message_id(&self) -> MessageId {
        match &self.what {
            What::Notice(envelope) => envelope.statement().message_id,
            What::Draft(draft) => draft.message_id,
        }
    }
}

/// The one notice that an id names.
pub(crate) fn find(exchange: &Exchange, id: &str, sight: Sight) -> Result<Held, Failure> {
    let by_number = id.parse::<MessageId>().is_err();
    let found = if by_number && sight == Sight::LogOnly { Vec::new() } else { exchange.find(id) };
    match found.as_slice() {
        [held] => Ok((*held).clone()),
        [] => {
            let text = "is neither a message id nor a registry number that this node holds";
            Err(Failure::new(FailureKind::NotFound, "NO_SUCH_NOTICE", format!("{id} {text}")))
        }
        _ => Err(ambiguous(id)),
    }
}

fn ambiguous(id: &str) -> Failure {
    let text = "is the number of more than one notice or draft; give the message id, which `verbale list` and `verbale drafts` show";
    Failure::new(FailureKind::NotFound, "NO_SUCH_NOTICE", format!("{id} {text}"))
}

/// The one draft that an id names, if any does.
pub(crate) fn draft<'e>(exchange: &'e Exchange, id: &str) -> Result<Option<&'e HeldDraft>, Failure> {
    match exchange.drafts_named(id).as_slice() {
        [] => Ok(None),
        [draft] => Ok(Some(draft)),
        _ => Err(ambiguous(id)),
    }
}

/// The envelope of a notice, verified again.
pub(crate) fn envelope(exchange: &Exchange, journal: &Journal, held: &Held) -> Result<VerifiedEnvelope, Failure> {
    let entry = journal.entry(held.index).map_err(|error| failed(&error))?;
    let bytes = match read_entry(&entry).map(|told| told.event) {
        Ok(Event::NoticeSent(sent)) => sent.envelope,
        Ok(Event::NoticeReceived(received)) => received.envelope,
        Ok(Event::NoticeRefused(refused)) => refused.envelope,
        _ => return Err(damaged("its log entry is not about a notice")),
    };
    let cards = match held.mailbox {
        Mailbox::Outbox => Some(exchange.own_cards()),
        Mailbox::Inbox => exchange.peers().get(&held.channel.peer).map(|peer| &peer.cards),
    };
    let cards = cards.ok_or_else(|| damaged("its sender is not enrolled"))?;
    let verified = UnverifiedEnvelope::parse(&bytes).and_then(|envelope| cards.verify(envelope));
    verified.map_err(|error| damaged(&error.to_string()))
}

/// What is needed for opening a notice or a draft.
pub(crate) fn sealed(exchange: &Exchange, journal: &Journal, id: &str) -> Result<SealedHeld, Failure> {
    let (what, index, message_id) = if let Some(draft) = draft(exchange, id)? {
        // Nobody passes a draft off as a notice that came under the same number.
        if id.parse::<MessageId>().is_err() && !exchange.find(id).is_empty() {
            return Err(ambiguous(id));
        }
        (What::Draft(Box::new(draft.clone())), draft.index, draft.message_id)
    } else {
        let held = find(exchange, id, Sight::Numbers)?;
        let envelope = envelope(exchange, journal, &held)?;
        (What::Notice(Box::new(envelope)), held.index, held.message_id)
    };
    let sealed = journal.sealed(index).map_err(|error| failed(&error))?;
    let wrapped = journal.keys(message_id.as_bytes()).map_err(|error| failed(&error))?;
    if let (Some(sealed), Some(wrapped)) = (sealed, wrapped) {
        Ok(SealedHeld { what, sealed, wrapped })
    } else {
        let text = "it was refused or erased: its content is not held here";
        Err(Failure::new(FailureKind::NotFound, "NO_CONTENT", text))
    }
}

/// Opens it, in a worker.
pub(crate) fn reveal(shared: &Shared, held: &SealedHeld) -> Result<(Reopened, NoticeKeys), Failure> {
    let keys = shared.archive.unwrap(held.message_id(), &held.wrapped).map_err(|error| damaged(&error.to_string()))?;
    let bound = match &held.what {
        What::Notice(envelope) => envelope.statement().into(),
        What::Draft(draft) => draft.bound(&shared.card.id),
    };
    let reopened = reopen(&bound, &held.sealed, &keys.file);
    Ok((reopened.map_err(|refusal| damaged(&refusal.to_string()))?, keys))
}

/// The receipts held, of one notice or of all.
pub(crate) fn receipts(
    shared: &Shared,
    (exchange, journal): (&Exchange, &Journal),
    request: &ReceiptsRequest,
    sight: Sight,
) -> Result<Vec<HeldReceipt>, Failure> {
    if !request.id.is_empty() {
        let held = find(exchange, &request.id, sight)?;
        let Some(index) = held.receipt else { return Ok(Vec::new()) };
        let mut held_receipt = receipt(shared, (exchange, journal), (&held, index), sight)?;
        if request.sealed {
            held_receipt.sealed = journal.sealed(held.index).map_err(|error| failed(&error))?.unwrap_or_default();
        }
        return Ok(vec![held_receipt]);
    }
    let after = exchange.notices_after(request.after_index.map(LogIndex));
    let with_receipt = after.filter_map(|held| Some((held, held.receipt?)));
    with_receipt
        .take(RECEIPTS_MAX)
        .map(|(held, index)| receipt(shared, (exchange, journal), (held, index), sight))
        .collect()
}

fn receipt(
    shared: &Shared,
    (exchange, journal): (&Exchange, &Journal),
    (held, index): (&Held, LogIndex),
    sight: Sight,
) -> Result<HeldReceipt, Failure> {
    use prost::Message as _;
    let envelope = envelope(exchange, journal, held)?;
    let signed_under = exchange.own_cards().of_envelope_key(&envelope.statement().sender_key);
    let signed_under = signed_under.ok_or_else(|| damaged("a receipt for another's notice"))?;
    let bytes = journal.receipt(index).map_err(|error| failed(&error))?.unwrap_or_default();
    let receipt = Receipt::decode(bytes.as_slice()).map_err(|_| damaged("its receipt cannot be read"))?;
    let peer = exchange.peers().get(&held.channel.peer).ok_or_else(|| damaged("its counterpart is not enrolled"))?;
    let summary = crate::view::summary(held, sight);
    let proof = TlogProof::parse(&receipt.proof).map_err(|error| damaged(&error.to_string()))?;
    let checkpoint = Note::parse(&proof.checkpoint).ok().and_then(|note| Checkpoint::parse(note.text).ok());
    Ok(HeldReceipt {
        message_id: summary.message_id,
        notice_id: summary.notice_id,
        envelope: envelope.bytes().to_vec(),
        envelope_key: signed_under.envelope_key.as_bytes().to_vec(),
        entry: receipt.entry,
        proof: receipt.proof,
        log_vkey: peer.cards.log_vkey(proof.origin()).to_string(),
        verdict: if summary.code.is_empty() { "RECEIVED".to_owned() } else { summary.code },
        counterpart: summary.counterpart,
        log_index: summary.log_index,
        sealed: Vec::new(),
        covered: checkpoint.is_some_and(|head| head.size.0 <= shared.witnesses.held_size(&held.channel.peer)),
    })
}

/// A failed journal, as the caller sees it.
pub(crate) fn failed(error: &JournalError) -> Failure {
    let kind = if error.is_damage() { FailureKind::Damaged } else { FailureKind::Fault };
    Failure::new(kind, "JOURNAL", error.to_string())
}

pub(crate) fn damaged(text: &str) -> Failure {
    Failure::new(FailureKind::Damaged, "DAMAGED", format!("the journal holds something that it should not: {text}"))
}
