//! The card that a counterpart shows, and the one of it that counts here.

use std::sync::Arc;

use verbale_evidence::{UnverifiedCard, read_entry};
use verbale_exchange::{Input, Told, is_later};
use verbale_journal::Store as _;
use verbale_proto::v1::log_entry::Event;
use verbale_rpc::{Failure, FailureKind};

use crate::core::{Answer, Core, Needs};
use crate::shared::Shared;
use crate::standing::told_others;

/// What a counterpart's card is that it shows.
#[derive(PartialEq, Eq)]
pub(crate) enum Shown {
    /// The one that counts here, from now on at least, or none that can be read.
    Known,
    /// One of a log that is closed.
    Closed,
    /// Neither a later one nor the same.
    Another,
}

/// Takes a later card of a counterpart, which the card key signed that was compared when it was enrolled.
pub(crate) async fn later_card(shared: &Arc<Shared>, core: &Core, name: &str, bytes: &[u8]) -> Result<Shown, Failure> {
    let Some(known) = shared.peers.now().by_id.get(name).map(|peer| peer.card().clone()) else {
        return Ok(Shown::Known);
    };
    let verified = UnverifiedCard::parse(bytes).and_then(|card| card.verify(&known.card_key.fingerprint()));
    let Some(card) = verified.ok().filter(|card| card.id == known.id && *card != known) else {
        return Ok(Shown::Known);
    };
    if card.log_number() < known.log_number() {
        return Ok(Shown::Closed);
    }
    if !is_later(&card, &known) {
        return Ok(Shown::Another);
    }
    let (bytes, serial, is_revoked) = (bytes.to_vec(), card.serial, card.revoked);
    let asked = core.ask(Needs::Nothing, move |ticket| Input::CounterpartCard { ticket, card: Box::new(card), bytes });
    let stopping = |text: String| Failure::new(FailureKind::Unreachable, "STOPPING", text);
    let answer = asked.await.map_err(|stopped| stopping(stopped.to_string()))?;
    match answer.await {
        Ok(Answer::Told { told: Told::Done(_), .. }) => {
            if is_revoked {
                tracing::error!(
                    peer.id = name,
                    serial,
                    "a counterpart revoked its keys: nothing is taken from it or sent to it"
                );
                return Ok(Shown::Known);
            }
            tracing::warn!(
                peer.id = name,
                serial,
                "a counterpart shows a later card, which its card key signed: it counts from now on"
            );
            Ok(Shown::Known)
        }
        Ok(Answer::Told { told: Told::NotEnrolled(error), .. }) => {
            Err(Failure::new(FailureKind::Refused, "CARD_REFUSED", error.to_string()))
        }
        // It is the counterpart that is told.
        Ok(Answer::NotNow(failure)) => Err(told_others(failure)),
        _ => Err(stopping("the node is stopping".to_owned())),
    }
}

/// The card of a counterpart that counts here, as its log entry holds it; empty: it cannot be read.
pub(crate) async fn known_card(core: &Core, id: &str) -> Vec<u8> {
    let id = id.to_owned();
    let read = core.read(move |exchange, journal| {
        let entry = journal.entry(exchange.card_entry(&id)?).ok()?;
        match read_entry(&entry).ok()?.event {
            Event::PeerEnrolled(enrolled) => Some(enrolled.card),
            Event::CounterpartRotated(rotated) => Some(rotated.card),
            _ => None,
        }
    });
    read.await.ok().flatten().unwrap_or_default()
}
