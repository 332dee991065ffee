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

/// An own statement that the log lacks, for the operator.
fn statement_trouble(holder: &str, number: u64) -> String {
    format!(
        "{holder} holds number {number} of a channel, which this node signed since this log began, and this log does not hold it: the folder was \
         put back from an older copy, or another copy of this node runs"
    )
}

/// Holds back, since a counterpart showed an own statement that the log lacks, and keeps it.
pub(crate) fn statement(shared: &Shared, holder: &str, shown: &VerifiedEnvelope) -> Result<(), HeadsError> {
    shared.standing.hold_back(statement_trouble(holder, shown.statement().number));
    shared.witnesses.folder.keep_told(holder, "statement", shown.bytes())
}

/// The own card in bytes that somebody showed, where this folder lacks it, and its own is not a later one, or is of another log of the same name.
fn lacking(own: &Card, bytes: &[u8]) -> Option<Card> {
    let card = UnverifiedCard::parse(bytes).and_then(|card| card.verify(&own.card_key.fingerprint())).ok()?;
    let is_later = card.serial >= own.serial || card.log_number() > own.log_number();
    let is_other_log = card.log_origin == own.log_origin && card.log_key != own.log_key;
    (card.id == own.id && card != *own && (is_later || is_other_log)).then_some(card)
}

fn card_trouble(folder: &HeadsFolder, holder: &str, (own, card): (&Card, &Card)) -> String {
    let (serial, path) = (card.serial, folder.told_path(holder, "card"));
    let is_other_log = card.log_number() > own.log_number() || card.log_key != own.log_key;
    let with = if is_other_log { format!(" with another log, {},", card.log_origin) } else { String::new() };
    format!(
        "{holder} knows card {serial} of this contact point{with} which its card key signed and this folder has not: the folder was put back from an \
         older copy, or another copy of this node runs. If no newer copy is left, stop this node; `verbale recover --known-card {}` goes on from here",
        path.display()
    )
}

/// Looks at the own card that a counterpart knows; holds back, and says why, where it is one that this folder lacks.
pub(crate) fn card(shared: &Shared, holder: &str, bytes: &[u8]) -> Result<Option<String>, HeadsError> {
    let Some(card) = lacking(&shared.card, bytes) else { return Ok(None) };
    let folder = &shared.witnesses.folder;
    let trouble = card_trouble(folder, holder, (&shared.card, &card));
    // First, since a disk may be full.
    shared.standing.hold_back(trouble.clone());
    folder.keep_told(holder, "card", card_text(bytes, &card).as_bytes())?;
    Ok(Some(trouble))
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

/// The same for a log of which no state is made: a statement that was shown, of after its first entry, is one that it lacks, unless it is among
/// those that it `holds`.
pub(crate) fn statement_since<E: From<HeadsError>>(
    folder: &HeadsFolder,
    own: &Card,
    began_ms: i64,
    mut holds: impl FnMut(&[u8]) -> Result<bool, E>,
) -> Result<Option<String>, E> {
    for (holder, bytes) in folder.told("statement")? {
        let Ok(claimed) = UnverifiedEnvelope::parse(&bytes).and_then(|envelope| envelope.claimed()) else { continue };
        if claimed.sender == own.id && claimed.created_ms > began_ms && !holds(&bytes)? {
            return Ok(Some(statement_trouble(&holder, claimed.number)));
        }
    }
    Ok(None)
}
