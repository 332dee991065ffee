//! Notices that the node itself writes for a person: the frame of sides, offices, clause and number around a body.

use serde_json::{Value, json};
use verbale_domain::{Memorandum, Notice, civil};
use verbale_rpc::{Failure, FailureKind};

use crate::clock::now_ms;
use crate::shared::Shared;

/// A notice to be written.
pub(crate) struct Letter<'a> {
    pub(crate) memorandum: &'a str,
    pub(crate) flow: &'a str,
    /// Its registry number; `None`: one is made.
    pub(crate) number: Option<String>,
    pub(crate) correlates_to: Option<&'a str>,
    pub(crate) obligation: &'a str,
    /// The clause; `None`: that of the flow.
    pub(crate) clause: Option<&'a str>,
    /// The bodies on whose behalf it is written; empty: nobody is named.
    pub(crate) on_behalf_of: String,
    pub(crate) body: Value,
}

/// The memorandum of this name.
pub(crate) fn memorandum<'s>(shared: &'s Shared, id: &str) -> Result<&'s Memorandum, Failure> {
    let none = || refused("UNKNOWN_MEMORANDUM", format!("this node holds no memorandum {id}"));
    shared.memoranda.get(id).ok_or_else(none)
}

/// Its registry number and its JSON.
pub(crate) fn write(shared: &Shared, letter: Letter<'_>) -> Result<(String, Vec<u8>), Failure> {
    let held = memorandum(shared, letter.memorandum)?;
    let (now, own) = (now_ms(), shared.card.id.as_str());
    let not_ours = || refused("NOT_A_PARTY", format!("{own} is no contact point of {}", held.id));
    let side = held.side_of(own, civil::date_of(now, time::UtcOffset::UTC)).ok_or_else(not_ours)?;
    let other = held.other_side(side).ok_or_else(not_ours)?;
    let office = |side: &str| held.contact_point(side, civil::date_of(now, held.utc_offset(side))).map(|c| c.office);
    let (from, to) = (office(side).ok_or_else(not_ours)?, office(other).ok_or_else(not_ours)?);
    let issued_at = civil::moment_text(now, held.utc_offset(side));
    // Milliseconds of one node's clock: a number that is used already is refused, never mistaken.
    let number = letter.number.unwrap_or_else(|| format!("{side}-{}-{now}", letter.flow));
    let clause = letter.clause.or_else(|| held.clause_of(letter.flow)).unwrap_or_default();
    let mut notice = json!({
        "notice_id": number, "memorandum": held.id, "flow": letter.flow,
        "kind": Notice::kind_of(letter.flow).unwrap_or_default(), "clause": clause,
        "from": {"party": side, "office": from}, "to": {"party": other, "office": to}, "issued_at": issued_at,
        "classification": "CONFIDENTIAL", "receiver_obligation": letter.obligation, "languages": ["en"], "body": letter.body,
    });
    if let (Some(answered), Some(members)) = (letter.correlates_to, notice.as_object_mut()) {
        members.insert("correlates_to".to_owned(), answered.into());
    }
    let on_behalf_of = letter.on_behalf_of;
    if let Some(from) = notice.get_mut("from").and_then(Value::as_object_mut).filter(|_| !on_behalf_of.is_empty()) {
        from.insert("on_behalf_of".to_owned(), on_behalf_of.into());
    }
    Ok((number, notice.to_string().into_bytes()))
}

pub(crate) fn refused(code: &str, text: String) -> Failure {
    Failure::new(FailureKind::Refused, code, text)
}
