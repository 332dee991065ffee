//! A third side's information in a notice: whether what is carried may be in the recipient's hands.

use time::Date;
use verbale_domain::disclosure::AudienceClass;
use verbale_domain::{Memoranda, Memorandum};
use verbale_evidence::{Cards, PresentationError, originator_of, parse_presentation};

use crate::presentation::{Fault, ReleaseShown, check_presentation};

/// Who carries something to whom.
pub struct Carrying<'a> {
    /// The cards of the node that sends the notice: it must be the discloser.
    pub sender: &'a Cards,
    /// The node that receives it.
    pub recipient: &'a str,
    /// The memorandum of the notice, for the recipient's own bodies.
    pub memorandum: &'a Memorandum,
    /// The day.
    pub today: Date,
}

/// Why something may not be carried.
#[derive(Debug, thiserror::Error)]
pub enum OnwardFault {
    /// Nobody here compared the originator's card.
    #[error("the card of {0} is not enrolled, so nobody here can say whether it wrote this")]
    OriginatorNotEnrolled(String),
    /// It names somebody else.
    #[error("it was disclosed to another audience than the recipient of this notice")]
    Audience,
    /// It proves nothing, or its ground does not hold.
    #[error(transparent)]
    NotSound(#[from] Fault),
}

/// Whose information was carried.
pub struct Carried {
    /// The node that wrote it.
    pub originator: String,
    /// The memorandum under which it was obtained.
    pub memorandum: String,
    /// Its registry number, where it is shown.
    pub number: String,
}

/// Whose information a presentation claims to be, for a report when it is refused.
pub fn carried(text: &str) -> Option<Carried> {
    let (originator, memorandum, number) = originator_of(&parse_presentation(text).ok()?).ok()?;
    Some(Carried { originator, memorandum, number })
}

/// Verifies a presentation that a notice carries.
///
/// # Errors
/// [`OnwardFault`].
pub fn check_onward(
    text: &str,
    carrying: &Carrying<'_>,
    card_of: impl Fn(&str) -> Option<Cards>,
    memoranda: &Memoranda,
) -> Result<ReleaseShown, OnwardFault> {
    let unverified = parse_presentation(text).map_err(Fault::from)?;
    let (originator, ..) = originator_of(&unverified).map_err(|error: PresentationError| Fault::from(error))?;
    let card = card_of(&originator).ok_or(OnwardFault::OriginatorNotEnrolled(originator))?;
    let checked = check_presentation(text, &card, Some(carrying.sender), memoranda)?;
    let audience = checked.audience();
    let side = carrying.memorandum.side_of(carrying.recipient, carrying.today);
    let is_own_body = side.is_some_and(|side| carrying.memorandum.is_party(side, &audience.name, carrying.today));
    let is_recipient = audience.name == carrying.recipient || is_own_body;
    if audience.class != AudienceClass::GovernmentBody || !is_recipient {
        return Err(OnwardFault::Audience);
    }
    Ok(checked.release()?)
}
