//! The rules that need the memorandum and no state: who may send what to whom.

use crate::memorandum::{Memoranda, Memorandum};
use crate::notice::{Header, Party};
use crate::refusal::{Code, Refusal};

/// The copy for the record of what went through diplomatic channels: its sides are foreign ministries (DOMAIN 1.5).
const COMMENCEMENT_NOTIFICATION: &str = "F33";

/// Where the rules are asked.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// On the sending node.
    Submission {
        /// The contact point that this node is.
        own: &'a str,
    },
    /// On the receiving node.
    Arrival {
        /// The contact point that the channel comes from.
        sender: &'a str,
        /// The contact point that this node is.
        own: &'a str,
    },
}

/// The way a permitted notice takes.
pub struct Route<'m> {
    /// The memorandum.
    pub memorandum: &'m Memorandum,
    /// The contact point that receives.
    pub recipient: String,
}

/// Asks the memorandum whether a notice may travel.
///
/// # Errors
/// The first of UNKNOWN_MEMORANDUM, JAPAN_NOT_PARTY, NOT_A_PARTY, SENDER_NOT_CONTACT_POINT, WRONG_DIRECTION.
///
/// # Source
/// Clause 2 (contact points), clauses 4 to 10 (directions), as the memorandum's file has them.
pub fn check_rules<'m>(header: &Header, memoranda: &'m Memoranda, place: Place<'_>) -> Result<Route<'m>, Refusal> {
    let Some(memorandum) = memoranda.get(&header.memorandum) else {
        let reason = "is not held by this node; check the id, or add the file and restart";
        return Err(Refusal::new(Code::UnknownMemorandum, "memorandum", reason));
    };
    if !memorandum.has_side("JP") {
        let reason = "has no Japanese party, so nothing travels under it here";
        return Err(Refusal::new(Code::JapanNotParty, "memorandum", reason));
    }
    let exempt = header.flow == COMMENCEMENT_NOTIFICATION;
    let sender = contact_point(memorandum, &header.from, "from.party")?;
    let recipient = contact_point(memorandum, &header.to, "to.party")?;
    if !exempt && header.to.office != recipient {
        let reason = format!("is not the contact point of its side under {} (clause 2)", memorandum.id);
        return Err(Refusal::new(Code::NotAParty, "to.office", reason));
    }
    let (from_here, to_here) = match place {
        Place::Submission { own } => (own, recipient),
        Place::Arrival { sender, own } => (sender, own),
    };
    if recipient != to_here {
        let reason = "is the contact point of another node; it was sent to the wrong one";
        return Err(Refusal::new(Code::NotAParty, "to.party", reason));
    }
    if sender != from_here || (!exempt && header.from.office != sender) {
        let reason = format!("only {sender} writes for its side under {} (clause 2)", memorandum.id);
        return Err(Refusal::new(Code::SenderNotContactPoint, "from.office", reason));
    }
    check_direction(header, memorandum)?;
    Ok(Route { memorandum, recipient: recipient.to_owned() })
}

fn contact_point<'m>(memorandum: &'m Memorandum, party: &Party, at: &str) -> Result<&'m str, Refusal> {
    memorandum.contact_point(&party.party).ok_or_else(|| {
        let reason = format!("is not a side of {} with a contact point", memorandum.id);
        Refusal::new(Code::NotAParty, at, reason)
    })
}

fn check_direction(header: &Header, memorandum: &Memorandum) -> Result<(), Refusal> {
    let Some((from, clause)) = memorandum.kind(&header.flow) else {
        let reason = format!("{} has no such flow", memorandum.id);
        return Err(Refusal::new(Code::WrongDirection, "flow", reason));
    };
    if header.from.party == header.to.party || !from.contains(&header.from.party) {
        let reason = format!("{} travels only from {} under clause {clause}", header.flow, from.join(" or "));
        return Err(Refusal::new(Code::WrongDirection, "flow", reason));
    }
    Ok(())
}
