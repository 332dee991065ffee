//! Decisions about releases, a line each: what was decided, by which version of the rules, and where its evidence stands; and who may do what.

use std::collections::HashMap;

use serde_json::json;
use verbale_domain::flow::{CONSENT_GRANT, CONSENT_REQUEST, DISCLOSURE_NOTICE};
use verbale_evidence::{MessageId, Statement, UnverifiedEnvelope};
use verbale_proto::v1::Configured;
use verbale_proto::v1::log_entry::Event;

use crate::presentation::moment;

/// The notices on which a release may rest.
const GROUNDS: [&str; 3] = [CONSENT_REQUEST, CONSENT_GRANT, DISCLOSURE_NOTICE];

/// Reads a log through, and writes a line for each decision, and for each configuration.
#[derive(Default)]
pub(crate) struct Decisions {
    /// Where such notices and recorded grounds stand, and the receipts and confirmations for them.
    places: HashMap<MessageId, (u64, Option<u64>)>,
}

impl Decisions {
    /// The line of an entry, with its newline; `None` when it is neither. `statement`: that in its envelope, where that was read already.
    pub(crate) fn line(
        &mut self,
        index: u64,
        (time_ms, event): (i64, &Event),
        statement: Option<&Statement>,
    ) -> Option<String> {
        let (about, outcome, code, rules, grounds): (&[u8], _, &str, u32, &[Vec<u8>]) = match event {
            Event::NoticeSent(of) => return self.notice(statement, &of.envelope, index),
            Event::NoticeReceived(of) => return self.notice(statement, &of.envelope, index),
            Event::Configured(of) => return Some(configured(index, time_ms, of)),
            Event::GroundRecorded(of) => return self.first(&of.ground_id, index),
            Event::ReceiptReceived(of) => return self.second(&of.message_id, index),
            Event::GroundConfirmed(of) => return self.second(&of.ground_id, index),
            Event::Disclosed(of) if of.published => {
                (&of.message_id, "published", &of.code, of.rules_version, &of.grounds)
            }
            Event::Disclosed(of) => (&of.message_id, "released", &of.code, of.rules_version, &of.grounds),
            Event::NoticeOpened(of) => (&of.message_id, "opened", &of.code, of.rules_version, &[]),
            Event::NoticeHandedOver(of) => (&of.message_id, "handed over", &of.code, of.rules_version, &[]),
            Event::DisclosureDenied(of) => (&of.message_id, "denied", &of.code, of.rules_version, &[]),
            _ => return None,
        };
        let id = |bytes: &[u8]| MessageId::try_from(bytes).ok();
        let of_ground = |ground: &Vec<u8>| self.places.get(&id(ground)?).copied();
        let places = grounds.iter().filter_map(of_ground);
        let evidence: Vec<u64> = places.flat_map(|(first, second)| [Some(first), second]).flatten().collect();
        let message_id = id(about).map(|id| id.to_string());
        let line = json!({
            "entry": index, "at": moment(time_ms), "message_id": message_id, "outcome": outcome, "code": code,
            "rules_version": rules, "evidence": evidence,
        });
        Some(format!("{line}\n"))
    }

    fn notice(&mut self, known: Option<&Statement>, envelope: &[u8], index: u64) -> Option<String> {
        let read;
        let statement = if let Some(known) = known {
            known
        } else {
            read = UnverifiedEnvelope::parse(envelope).and_then(|envelope| envelope.claimed()).ok()?;
            &read
        };
        if GROUNDS.contains(&statement.flow.as_str()) {
            self.first(statement.message_id.as_bytes(), index)
        } else {
            None
        }
    }

    fn first(&mut self, id: &[u8], index: u64) -> Option<String> {
        self.places.entry(MessageId::try_from(id).ok()?).or_insert((index, None));
        None
    }

    fn second(&mut self, id: &[u8], index: u64) -> Option<String> {
        let (_, second) = self.places.get_mut(&MessageId::try_from(id).ok()?)?;
        *second = Some(index);
        None
    }
}

/// Who may do what from then on, by pseudonym.
fn configured(index: u64, time_ms: i64, of: &Configured) -> String {
    let persons = of.persons.iter().map(|person| json!({"person": person.person, "roles": person.roles}));
    let deputies = of
        .deputies
        .iter()
        .map(|deputy| json!({"person": deputy.person, "of": deputy.of, "from": deputy.from, "until": deputy.until}));
    let line = json!({
        "entry": index, "at": moment(time_ms), "outcome": "configured", "file_sha256": hex::encode(&of.file_sha256),
        "persons": persons.collect::<Vec<_>>(), "deputies": deputies.collect::<Vec<_>>(),
    });
    format!("{line}\n")
}
