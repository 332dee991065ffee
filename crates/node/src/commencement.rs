//! The notice with which an approver records the day on which a memorandum commenced.

use serde_json::json;
use time::Date;
use verbale_domain::civil;
use verbale_domain::flow::COMMENCEMENT_RECORD;
use verbale_exchange::{Exchange, Held, NoticeState};
use verbale_rpc::Failure;

use crate::letter::{self, Letter, refused};
use crate::shared::Shared;

/// What is known of the day so far.
pub(crate) struct Known {
    on: Option<Date>,
    /// A record of it was refused, or never left: the counterpart may know its number from another one.
    taken_back: bool,
}

impl Known {
    pub(crate) fn read(exchange: &Exchange, memorandum: &str) -> Self {
        let is_taken_back = |held: &Held| {
            let is_record = held.flow == COMMENCEMENT_RECORD && held.channel.memorandum == memorandum;
            is_record && matches!(held.state, NoticeState::Refused(_) | NoticeState::Displaced)
        };
        let on = exchange.docket().course(memorandum).and_then(|course| course.commenced);
        Self { on, taken_back: on.is_none() && exchange.notices().any(is_taken_back) }
    }
}

/// Its registry number and its JSON.
pub(crate) fn notice(
    shared: &Shared,
    (memorandum, known): (&str, &Known),
    on: &str,
) -> Result<(String, Vec<u8>), Failure> {
    let held = letter::memorandum(shared, memorandum)?;
    if civil::day(on).is_none() {
        return Err(refused("IMPOSSIBLE_DATE", "give the day of receipt in the form YYYY-MM-DD".to_owned()));
    }
    if let Some(known) = known.on.filter(|known| civil::day(on) != Some(*known)) {
        let text = format!("{known} is recorded already as the day on which {memorandum} commenced, on both sides");
        return Err(refused("BAD_VALUE", text));
    }
    let side = held.side_of(&shared.card.id, civil::date_of(crate::clock::now_ms(), time::UtcOffset::UTC));
    let number = format!("{}-{memorandum}-COMMENCED", side.unwrap_or_default());
    let letter = Letter {
        memorandum,
        flow: COMMENCEMENT_RECORD,
        number: Some(number).filter(|_| !known.taken_back),
        correlates_to: None,
        obligation: "NONE",
        clause: Some(held.clause_of_commencement()),
        on_behalf_of: String::new(),
        body: json!({"commenced_on": on}),
    };
    letter::write(shared, letter)
}
