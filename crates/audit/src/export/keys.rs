//! The cards of which a log tells, and the files beside it that follow from them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;
use verbale_evidence::{Card, UnverifiedCard, card_text};
use verbale_ledger::policy_text;
use verbale_proto::v1::log_entry::Event;

use super::{CARDS, KEYS, POLICY};
use crate::presentation::moment;

/// A card, its envelope, and the first entry that has it.
type Told = (Card, Vec<u8>, u64);

/// The cards of which a log tells.
#[derive(Default)]
pub(crate) struct KnownCards {
    /// By contact point and serial. Of one serial there are several where a copy that was put back and the log that was lost made one each.
    cards: BTreeMap<(String, u64), Vec<Told>>,
    /// The contact point whose log it is.
    own: Option<String>,
}

impl KnownCards {
    /// Takes the next entry.
    pub(crate) fn told(&mut self, index: u64, event: &Event) {
        match event {
            Event::Genesis(genesis) => {
                self.own = Some(genesis.id.clone());
                self.card(&genesis.card, index);
                if let Some(previous) = &genesis.previous {
                    self.card(&previous.lost_card, index);
                }
            }
            Event::PeerEnrolled(enrolled) => self.card(&enrolled.card, index),
            Event::CounterpartRotated(rotated) => self.card(&rotated.card, index),
            Event::OwnCardRotated(rotated) => self.card(&rotated.card, index),
            _ => {}
        }
    }

    fn card(&mut self, bytes: &[u8], index: u64) {
        let card = UnverifiedCard::parse(bytes).and_then(|card| {
            let fingerprint = card.claimed_fingerprint()?;
            card.verify(&fingerprint)
        });
        // A card that proves nothing is no card: verification finds it in its entry.
        if let Ok(card) = card {
            let of_serial = self.cards.entry((card.id.clone(), card.serial)).or_default();
            if of_serial.iter().all(|(known, ..)| *known != card) {
                of_serial.push((card, bytes.to_vec(), index));
            }
        }
    }

    /// Name and text of each file that follows from them.
    pub(crate) fn files(&self) -> Vec<(String, String)> {
        let (mut files, mut lines, mut latest) = (Vec::new(), String::new(), BTreeMap::<&str, &Card>::new());
        let each = self.cards.iter().flat_map(|(of, cards)| (1..).zip(cards).map(move |(at, card)| (of, at, card)));
        for ((id, serial), at, (card, bytes, index)) in each {
            let another = if at == 1 { String::new() } else { format!("-{at}") };
            let name = |what: &str| format!("{KEYS}/{id}.{serial}{another}.{what}");
            files.push((name("card"), card_text(bytes, card)));
            files.push((name("envelope.pem"), card.envelope_key.to_pem()));
            files.push((name("log.pem"), card.log_key.to_pem()));
            files.push((name("log.vkey"), format!("{}\n", card.log_vkey())));
            files.push((name("cosigner.pem"), card.cosigner_key.to_pem()));
            files.push((name("cosigner.vkey"), format!("{}\n", card.cosigner_vkey())));
            let line = json!({
                "id": id, "serial": serial, "fingerprint": card.card_key.fingerprint().to_string(), "known_since_entry": index,
                "valid_from": moment(card.valid_from_ms), "valid_until": moment(card.valid_until_ms),
            });
            let _ = writeln!(lines, "{line}");
            latest.insert(id, card);
        }
        files.push((CARDS.to_owned(), lines));
        let own = self.own.as_deref().unwrap_or_default();
        if let Some(log) = latest.get(own).map(|card| card.log_vkey()) {
            let others = latest.values().filter(|card| card.id != own);
            let witnesses: Vec<_> = others.map(|card| card.cosigner_vkey()).collect();
            files.push((POLICY.to_owned(), policy_text(&log, &witnesses)));
        }
        files
    }
}
