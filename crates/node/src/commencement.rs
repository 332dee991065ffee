//! The notice with which an approver records the day on which a memorandum commenced.

use serde_json::json;
use verbale_domain::{COMMENCEMENT_RECORD, Notice, civil};
use verbale_rpc::{Failure, FailureKind};

use crate::clock::now_ms;
use crate::shared::Shared;

/// Its registry number and its JSON.
pub(crate) fn notice(shared: &Shared, memorandum: &str, on: &str) -> Result<(String, Vec<u8>), Failure> {
    let refused = |code: &str, text: String| Failure::new(FailureKind::Refused, code, text);
    let held = shared.memoranda.get(memorandum);
    let held =
        held.ok_or_else(|| refused("UNKNOWN_MEMORANDUM", format!("this node holds no memorandum {memorandum}")))?;
    if civil::day(on).is_none() {
        return Err(refused("IMPOSSIBLE_DATE", "give the day of receipt in the form YYYY-MM-DD".to_owned()));
    }
    let (now, own) = (now_ms(), shared.card.id.as_str());
    let side = held.side_of(own, civil::date_of(now, time::UtcOffset::UTC));
    let not_ours = || refused("NOT_A_PARTY", format!("{own} is no contact point of {memorandum}"));
    let side = side.ok_or_else(not_ours)?;
    let other = held.other_side(side).ok_or_else(not_ours)?;
    let office = |side: &str| held.contact_point(side, civil::date_of(now, held.utc_offset(side))).map(|c| c.office);
    let (from, to) = (office(side).ok_or_else(not_ours)?, office(other).ok_or_else(not_ours)?);
    let number = format!("{side}-{memorandum}-COMMENCED");
    let kind = Notice::kind_of(COMMENCEMENT_RECORD).unwrap_or_default();
    let clause = held.clause_of_commencement();
    let issued_at = civil::moment_text(now, held.utc_offset(side));
    let notice = json!({
        "notice_id": number, "memorandum": memorandum, "flow": COMMENCEMENT_RECORD, "kind": kind, "clause": clause,
        "from": {"party": side, "office": from}, "to": {"party": other, "office": to}, "issued_at": issued_at,
        "classification": "CONFIDENTIAL", "receiver_obligation": "NONE", "languages": ["en"], "body": {"commenced_on": on},
    });
    Ok((number, notice.to_string().into_bytes()))
}
