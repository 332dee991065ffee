//! `verbale card`.

use std::process::ExitCode;

use serde_json::json;
use verbale_evidence::{Card, CardError, UnverifiedCard, card_text, parse_card_text};
use verbale_proto::v1::{EnrolCardRequest, ShowCardRequest};

use super::{Client, client};
use crate::args::{CardCommand, NodeArgs};
use crate::failure::CliError;
use crate::output::{moment, say};

pub(crate) async fn run(command: CardCommand, node: &NodeArgs) -> Result<ExitCode, CliError> {
    let mut client = client(node).await?;
    match command {
        CardCommand::Show => {
            let (bytes, card) = own(&mut client).await?;
            if node.json {
                say!(
                    "{}",
                    json!({
                        "id": card.id, "serial": card.serial, "fingerprint": card.card_key.fingerprint().to_string(),
                        "log_vkey": card.log_vkey().to_string(), "age_recipient": card.age_recipient,
                        "valid_until": moment(card.valid_until_ms), "card": card_text(&bytes, &card),
                    })
                );
            } else {
                say!("{}", card_text(&bytes, &card).trim_end());
            }
        }
        CardCommand::Enrol { file, fingerprint, address } => {
            let text = std::fs::read_to_string(&file)
                .map_err(|error| CliError::Usage(format!("{} cannot be read: {error}", file.display())))?;
            let card = parse_card_text(&text).map_err(|error| CliError::Refused(error.to_string()))?;
            // The node, which takes it now, compares the fingerprint with the one that a person gave.
            let revokes = verified(&card).is_ok_and(|card| card.revoked);
            let request = EnrolCardRequest { card, fingerprint, address: address.clone() };
            let enrolled = client.enrol_card(request).await?.into_inner();
            if node.json {
                say!(
                    "{}",
                    json!({"id": enrolled.id, "address": address, "log_index": enrolled.log_index, "revoked": revokes})
                );
            } else if revokes {
                say!(
                    "REVOKED: this card of {} takes all its keys back (log entry {}). Nothing is taken from it or sent to it from now on, until its \
                     next card is enrolled here by hand.",
                    enrolled.id,
                    enrolled.log_index
                );
            } else {
                say!("Enrolled {} at {address} (log entry {}); effective at once.", enrolled.id, enrolled.log_index);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The node's own card.
pub(crate) async fn own(client: &mut Client) -> Result<(Vec<u8>, Card), CliError> {
    let bytes = client.show_card(ShowCardRequest {}).await?.into_inner().card;
    // Its fingerprint is read from it: this is the node that was asked, whatever it says.
    let card = verified(&bytes).map_err(|error| CliError::damaged(format!("the node's own card: {error}")))?;
    Ok((bytes, card))
}

/// A card, signed by the card key that it names itself.
fn verified(bytes: &[u8]) -> Result<Card, CardError> {
    let card = UnverifiedCard::parse(bytes)?;
    let fingerprint = card.claimed_fingerprint()?;
    card.verify(&fingerprint)
}
