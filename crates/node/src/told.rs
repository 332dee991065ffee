//! What counterparts showed that speaks against the own log, kept beside the heads: an own head to which the log does not lead, an own statement
//! that it lacks, an own card that this folder has not. Each was signed with keys of this contact point, so no counterpart can make it up; and a
//! node that starts while nobody is there holds back all the same.

use verbale_evidence::{Card, UnverifiedCard, UnverifiedEnvelope, VerifiedEnvelope, card_text, parse_card_text};
use verbale_exchange::Exchange;
use verbale_journal::{Journal, Store as _};
use verbale_ledger::Checkpoint;

use crate::clock::now_ms;
use crate::heads::{HeadsError, HeadsFolder};
use crate::shared::Shared;
use crate::standing::compare;
use crate::witness::log_number;

/// An own statement that the log lacks, for the operator.
fn statement_trouble(holder: &str, number: u64) -> String {
    format!(
        "{holder} holds number {number} of a channel, which this node signed since this log began, and this log does not hold it: the folder was \
         put back from an older copy, or another copy of this node runs"
    )
}

/// Keeps an own statement that a counterpart showed and the log lacks; gives the sentence for the operator.
pub(crate) fn keep_statement(
    folder: &HeadsFolder,
    holder: &str,
    shown: &VerifiedEnvelope,
) -> Result<String, HeadsError> {
    folder.keep_told(holder, "statement", shown.bytes())?;
    Ok(statement_trouble(holder, shown.statement().number))
}

/// The own card in bytes that somebody showed, where this folder lacks it, and its own is not a later one.
fn lacking(own: &Card, bytes: &[u8]) -> Option<Card> {
    let card = UnverifiedCard::parse(bytes).and_then(|card| card.verify(&own.card_key.fingerprint())).ok()?;
    let number = |card: &Card| log_number(&card.log_origin, &card.id);
    let is_later = card.serial >= own.serial || number(&card) > number(own);
    (card.id == own.id && card != *own && is_later).then_some(card)
}

fn card_trouble(folder: &HeadsFolder, holder: &str, (own, card): (&Card, &Card)) -> String {
    let is_later_log = log_number(&card.log_origin, &card.id) > log_number(&own.log_origin, &own.id);
    let (serial, path) = (card.serial, folder.told_path(holder, "card"));
    let (with, otherwise) = if is_later_log {
        (format!(" with a later log, {},", card.log_origin), String::new())
    } else {
        let later =
            format!(". If it is no copy, make a later card (`verbale keys rotate`) until its serial is over {serial}");
        (String::new(), later)
    };
    format!(
        "{holder} knows card {serial} of this contact point{with} which its card key signed and this folder has not: the folder was put back from an \
         older copy, or another copy of this node runs. If no newer copy is left, stop this node; `verbale recover --known-card {}` goes on from \
         here{otherwise}",
        path.display()
    )
}

/// Looks at the own card that a counterpart knows; why the node must hold back, where it is one that this folder lacks.
pub(crate) fn card(shared: &Shared, holder: &str, bytes: &[u8]) -> Result<Option<String>, HeadsError> {
    let Some(card) = lacking(&shared.card, bytes) else { return Ok(None) };
    let folder = &shared.witnesses.folder;
    folder.keep_told(holder, "card", card_text(bytes, &card).as_bytes())?;
    Ok(Some(card_trouble(folder, holder, (&shared.card, &card))))
}

/// What of it still speaks against the log of a node that starts.
pub(crate) fn at_start(
    folder: &HeadsFolder,
    own: &Card,
    (exchange, journal): (&Exchange, &Journal),
) -> Result<Option<String>, HeadsError> {
    for note in folder.all_known()? {
        let Ok(head) = Checkpoint::verify(&note, &own.log_vkey()) else { continue };
        let compared = compare(&head, journal.size(), |size| journal.root_at(size));
        if let Some(trouble) = compared.trouble("a counterpart") {
            return Ok(Some(trouble));
        }
    }
    for (holder, bytes) in folder.told("statement")? {
        let shown = UnverifiedEnvelope::parse(&bytes).and_then(|envelope| exchange.own_cards().verify(envelope));
        if let Some(shown) = shown.ok().filter(|shown| exchange.lacks(now_ms(), shown)) {
            return Ok(Some(statement_trouble(&holder, shown.statement().number)));
        }
    }
    card_at_start(folder, own)
}

/// An own card that was shown and that this folder still lacks.
pub(crate) fn card_at_start(folder: &HeadsFolder, own: &Card) -> Result<Option<String>, HeadsError> {
    for (holder, bytes) in folder.told("card")? {
        let bytes = std::str::from_utf8(&bytes).ok().and_then(|text| parse_card_text(text).ok());
        if let Some(card) = bytes.and_then(|bytes| lacking(own, &bytes)) {
            return Ok(Some(card_trouble(folder, &holder, (own, &card))));
        }
    }
    Ok(None)
}

/// The same for a log of which no state is made: a statement that was shown, of after its first entry, is one that it lacks.
pub(crate) fn statement_since(folder: &HeadsFolder, own: &Card, began_ms: i64) -> Result<Option<String>, HeadsError> {
    for (holder, bytes) in folder.told("statement")? {
        let Ok(claimed) = UnverifiedEnvelope::parse(&bytes).and_then(|envelope| envelope.claimed()) else { continue };
        if claimed.sender == own.id && claimed.created_ms > began_ms {
            return Ok(Some(statement_trouble(&holder, claimed.number)));
        }
    }
    Ok(None)
}
