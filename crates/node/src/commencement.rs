//! The notice with which an approver records the day on which a memorandum commenced.

use serde_json::json;
use time::Date;
use verbale_domain::civil;
use verbale_domain::flow::COMMENCEMENT_RECORD;
use verbale_rpc::Failure;

use crate::letter::{self, Letter, refused};
use crate::shared::Shared;

/// Its registry number and its JSON.
pub(crate) fn notice(
    shared: &Shared,
    (memorandum, known): (&str, Option<Date>),
    on: &str,
) -> Result<(String, Vec<u8>), Failure> {
    let held = letter::memorandum(shared, memorandum)?;
    if civil::day(on).is_none() {
        return Err(refused("IMPOSSIBLE_DATE", "give the day of receipt in the form YYYY-MM-DD".to_owned()));
    }
    if let Some(known) = known.filter(|known| civil::day(on) != Some(*known)) {
        let text = format!("{known} is recorded already as the day on which {memorandum} commenced, on both sides");
        return Err(refused("BAD_VALUE", text));
    }
    let side = held.side_of(&shared.card.id, civil::date_of(crate::clock::now_ms(), time::UtcOffset::UTC));
    let number = format!("{}-{memorandum}-COMMENCED", side.unwrap_or_default());
    let letter = Letter {
        memorandum,
        flow: COMMENCEMENT_RECORD,
        number: Some(number),
        correlates_to: None,
        obligation: "NONE",
        clause: Some(held.clause_of_commencement()),
        on_behalf_of: String::new(),
        body: json!({"commenced_on": on}),
    };
    letter::write(shared, letter)
}
