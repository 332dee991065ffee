//! The rules: what the memorandum and the node's state say of a notice in due form. The same rules are asked on the sending node,
//! on the receiving node, and by `verbale check`.
//!
//! # Source
//! DOMAIN section 5: the order of the codes is the order of the checks; the first failure wins.

mod correlation;
mod marks;

pub(crate) use marks::covers;

use serde_json::Value;
use time::Date;

use crate::civil;
use crate::docket::{Course, Docket, NoticeKey};
use crate::duties::is_owed;
use crate::flow::{
    COMMENCEMENT_NOTIFICATION, COMMENCEMENT_RECORD, CONSENT_GRANT, CONSENT_REFUSE, CONSENT_REQUEST, CONSENT_WITHDRAW,
    CONTACT_POINT_CHANGE, DISCLOSURE_NOTICE, TERMINATION,
};
use crate::memorandum::{Basis, Class, CommencesOn, KindTerms, Memoranda, Memorandum};
use crate::notice::{Header, Party};
use crate::particulars::Subject;
use crate::refusal::{Code, Refusal};

/// Kinds that bind a side: consent and its withdrawal, a disclosure notice, amendment, termination, a contact point's change. By every
/// way they need a second person.
const BINDING: [&str; 6] =
    [CONSENT_GRANT, CONSENT_WITHDRAW, DISCLOSURE_NOTICE, "F32", TERMINATION, CONTACT_POINT_CHANGE];

/// Whether a kind needs a second person, an approver who did not draft it.
pub fn needs_approval(flow: &str) -> bool {
    BINDING.contains(&flow)
}

/// What the memorandum files write where no text has a clause.
const NO_CLAUSE: &str = "design";

/// What may travel after the end beside outstanding replies: consent and notice (DOMAIN 1.6).
const AFTER_THE_END: [&str; 5] = [CONSENT_REQUEST, CONSENT_GRANT, CONSENT_REFUSE, CONSENT_WITHDRAW, DISCLOSURE_NOTICE];

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
    /// Without a node: whichever side sends it.
    Offline,
}

/// The way a permitted notice takes.
pub struct Route<'m> {
    /// The memorandum.
    pub memorandum: &'m Memorandum,
    /// The node that receives, by the id on its card.
    pub recipient: String,
}

/// What the rules are asked about.
pub(crate) struct Question<'a> {
    subject: &'a Subject,
    header: &'a Header,
    memorandum: &'a Memorandum,
    course: &'a Course,
    now_ms: i64,
}

/// Asks whether a notice may travel. `now_ms` is the asking node's clock, in milliseconds since 1970-01-01 UTC.
///
/// # Errors
/// The first rule that refuses, with the clause it rests on.
pub fn check_rules<'m>(
    subject: &Subject,
    memoranda: &'m Memoranda,
    docket: &Docket,
    place: Place<'_>,
    now_ms: i64,
) -> Result<Route<'m>, Refusal> {
    let header = &subject.header;
    let under = |refusal: Refusal| {
        let clause = clause_of_refusal(memoranda.get(&header.memorandum), &header.flow, refusal.code);
        refusal.under(clause)
    };
    check_all(subject, memoranda, docket, place, now_ms).map_err(under)
}

/// The clause on which a refusal of a notice of some flow rests; `design`, where no text has one for it.
pub fn clause_of_refusal<'m>(memorandum: Option<&'m Memorandum>, flow: &str, code: Code) -> &'m str {
    let clause = memorandum.and_then(|memorandum| match code {
        Code::NotCommenced | Code::BeforeCommencement => Some(memorandum.clause_of_commencement()),
        Code::AfterTermination | Code::TerminationTooEarly => Some(memorandum.clause_of_end()),
        Code::NotAParty | Code::SenderNotContactPoint => Some(memorandum.clause_of_contacts()),
        Code::SelfConsent | Code::NoSuchRequest | Code::WrongInstrument => Some(memorandum.clause_of_disclosure()),
        Code::BadJson | Code::UnknownMemorandum | Code::JapanNotParty | Code::IdReuse | Code::MemorandumMismatch => {
            None
        }
        _ => memorandum.clause_of(flow),
    });
    clause.filter(|clause| !clause.is_empty()).unwrap_or(NO_CLAUSE)
}

/// Names the clause of a refusal of a notice that was read as JSON, where it names none.
pub fn under_its_clause(refusal: Refusal, notice: Option<&Value>, memoranda: &Memoranda) -> Refusal {
    let text = |name: &str| notice.and_then(|notice| notice.get(name)?.as_str()).unwrap_or_default();
    if !refusal.clause.is_empty() {
        return refusal;
    }
    let clause = clause_of_refusal(memoranda.get(text("memorandum")), text("flow"), refusal.code);
    refusal.under(clause)
}

/// The clause that a refusal rests on, as it stands behind its reason; nothing where no text has one.
pub fn in_brackets(clause: &str) -> String {
    if clause.is_empty() || clause == NO_CLAUSE { String::new() } else { format!(" (clause {clause})") }
}

fn check_all<'m>(
    subject: &Subject,
    memoranda: &'m Memoranda,
    docket: &Docket,
    place: Place<'_>,
    now_ms: i64,
) -> Result<Route<'m>, Refusal> {
    let header = &subject.header;
    let Some(memorandum) = memoranda.get(&header.memorandum) else {
        let reason = "is not held by this node; check the id, or add the file and restart";
        return Err(Refusal::new(Code::UnknownMemorandum, "memorandum", reason));
    };
    if !memorandum.has_side("JP") {
        let reason = "has no Japanese party, so nothing travels under it here";
        return Err(Refusal::new(Code::JapanNotParty, "memorandum", reason));
    }
    let none = Course::default();
    let course = docket.course(&memorandum.id).unwrap_or(&none);
    let asked = Question { subject, header, memorandum, course, now_ms };
    if !asked.is_exempt() && header.flow != COMMENCEMENT_RECORD {
        asked.commenced()?;
    }
    asked.not_ended()?;
    let recipient = asked.parties(place)?;
    asked.consent_answer()?;
    let kind = asked.direction()?;
    asked.instrument()?;
    asked.label(kind)?;
    asked.publish_set()?;
    asked.correlation(kind)?;
    asked.delta()?;
    asked.consent()?;
    asked.disclosure_notice()?;
    asked.fields()?;
    asked.commencement(place)?;
    asked.termination(place)?;
    asked.names()?;
    Ok(Route { memorandum, recipient })
}

/// The node to which a notice is sealed, before any rule is asked.
///
/// # Errors
/// UNKNOWN_MEMORANDUM or NOT_A_PARTY, where there is none.
pub fn recipient(header: &Header, memoranda: &Memoranda, now_ms: i64) -> Result<String, Refusal> {
    let none = |code, at: &str| Refusal::new(code, at, "has no contact point to which the notice could be sealed");
    let memorandum = memoranda.get(&header.memorandum).ok_or_else(|| none(Code::UnknownMemorandum, "memorandum"))?;
    let today = civil::date_of(now_ms, memorandum.utc_offset(&header.to.party));
    let contact = memorandum.contact_point(&header.to.party, today).ok_or_else(|| none(Code::NotAParty, "to.party"))?;
    Ok(contact.node.to_owned())
}

impl Question<'_> {
    fn is_exempt(&self) -> bool {
        self.header.flow == COMMENCEMENT_NOTIFICATION
    }

    /// The day is recorded once, for a memorandum whose text does not say it.
    fn commencement(&self, place: Place<'_>) -> Result<(), Refusal> {
        if self.header.flow != COMMENCEMENT_RECORD {
            return Ok(());
        }
        let on = civil::day(&self.subject.particulars.effective);
        let refuse = |reason: String| Err(Refusal::new(Code::BadValue, "body.commenced_on", reason));
        let offset = self.memorandum.utc_offset(&self.header.from.party);
        // The clock of who recorded it may be ahead of the receiver's.
        let apart = if matches!(place, Place::Arrival { .. }) { civil::CLOCKS_APART_MS } else { 0 };
        let today = civil::date_of(self.now_ms.saturating_add(apart), offset);
        if let Some(later) = on.filter(|on| *on > today) {
            return refuse(format!("is {later}, and today is {today}: a receipt is recorded when it was"));
        }
        if let (Some(on), Some(signed)) = (on, self.memorandum.signed_last())
            && on < signed
        {
            return refuse(format!("is {on}, before {signed}, when {} was signed", self.memorandum.id));
        }
        match (self.memorandum.commences(), self.course.commenced) {
            (CommencesOn::Day(day), _) => {
                refuse(format!("is not to be recorded: {} commenced on {day}", self.memorandum.id))
            }
            (_, Some(known)) if Some(known) != on => refuse(format!("differs from the day that is recorded, {known}")),
            _ => Ok(()),
        }
    }

    /// The day it is for the side that receives.
    fn today(&self) -> Date {
        civil::date_of(self.now_ms, self.memorandum.utc_offset(&self.header.to.party))
    }

    fn commenced(&self) -> Result<(), Refusal> {
        let Some(since) = self.course.in_force_since(self.memorandum) else {
            let reason = "commences on receipt of the last notification, and no day of that is recorded; an approver on the \
                          Japanese side records it";
            return Err(Refusal::new(Code::NotCommenced, "memorandum", reason));
        };
        let issued = self.issued_on();
        if let (Some(since), Some(issued)) = (since, issued)
            && issued < since
        {
            let reason = format!("is before {since}, on which {} commenced", self.memorandum.id);
            return Err(Refusal::new(Code::BeforeCommencement, "issued_at", reason));
        }
        Ok(())
    }

    fn not_ended(&self) -> Result<(), Refusal> {
        if let Some(ends) = self.course.ends
            && self.today() > ends
            && !self.may_follow_the_end()
        {
            let reason = format!("ended on {ends}; only consent, notice and outstanding replies still travel");
            return Err(Refusal::new(Code::AfterTermination, "memorandum", reason));
        }
        Ok(())
    }

    /// The day of issue, at its originator's, whatever offset it was written with.
    fn issued_on(&self) -> Option<Date> {
        let offset = self.memorandum.utc_offset(&self.header.from.party);
        civil::moment_ms(&self.header.issued_at).map(|at_ms| civil::date_of(at_ms, offset))
    }

    /// Consent and notice, and a reply that is still owed.
    fn may_follow_the_end(&self) -> bool {
        let (flow, side) = (self.header.flow.as_str(), self.header.from.party.as_str());
        let must_answer = self.memorandum.kind(flow).is_some_and(KindTerms::must_answer);
        let would_close =
            |(about, _): (NoticeKey, _)| is_owed((self.memorandum, self.course), (&about, side), flow, self.now_ms);
        AFTER_THE_END.contains(&flow) || (must_answer && self.answered().is_some_and(would_close))
    }

    /// The node that receives, if both sides are parties and their contact points write to each other.
    fn parties(&self, place: Place<'_>) -> Result<String, Refusal> {
        let (memorandum, header) = (self.memorandum, self.header);
        let (exempt, today) = (self.is_exempt(), self.today());
        let contact = |party: &Party, at: &str| {
            memorandum.contact_point(&party.party, today).ok_or_else(|| {
                let reason = format!("is not a side of {} with a contact point", memorandum.id);
                Refusal::new(Code::NotAParty, at, reason)
            })
        };
        let (sender, recipient) = (contact(&header.from, "from.party")?, contact(&header.to, "to.party")?);
        let may_write = |party: &Party| exempt || memorandum.may_write(&party.party, &party.office, today);
        if !may_write(&header.to) {
            let (id, office) = (&memorandum.id, recipient.office);
            let reason = format!("is not the contact point of its side under {id}; write to {office}");
            return Err(Refusal::new(Code::NotAParty, "to.office", reason));
        }
        if !exempt && !memorandum.is_of_party(&header.from.party, &header.from.office, today) {
            let reason = format!("is no party of {} and no organ of one", memorandum.id);
            return Err(Refusal::new(Code::NotAParty, "from.office", reason));
        }
        let (from_here, to_here) = match place {
            Place::Submission { own } => (own, recipient.node),
            Place::Arrival { sender, own } => (sender, own),
            Place::Offline => (sender.node, recipient.node),
        };
        if recipient.node != to_here {
            let reason = "is the contact point of another node; it was sent to the wrong one";
            return Err(Refusal::new(Code::NotAParty, "to.party", reason));
        }
        if sender.node != from_here || !may_write(&header.from) {
            let reason = format!("only {} writes for its side under {}", sender.office, memorandum.id);
            return Err(Refusal::new(Code::SenderNotContactPoint, "from.office", reason));
        }
        Ok(recipient.node.to_owned())
    }

    fn direction(&self) -> Result<KindTerms<'_>, Refusal> {
        let Some(kind) = self.memorandum.kind(&self.header.flow) else {
            if self.header.flow == DISCLOSURE_NOTICE && self.memorandum.basis() != Basis::Notice {
                return Err(self.wrong_instrument());
            }
            let reason = format!("{} has no such flow", self.memorandum.id);
            return Err(Refusal::new(Code::WrongDirection, "flow", reason));
        };
        let (from, to) = (&self.header.from.party, &self.header.to.party);
        if from == to || !kind.from().contains(from) {
            let reason = format!("{} travels only from {}", self.header.flow, kind.from().join(" or "));
            return Err(Refusal::new(Code::WrongDirection, "flow", reason));
        }
        Ok(kind)
    }

    fn instrument(&self) -> Result<(), Refusal> {
        if self.header.flow == DISCLOSURE_NOTICE && self.memorandum.basis() != Basis::Notice {
            return Err(self.wrong_instrument());
        }
        Ok(())
    }

    fn wrong_instrument(&self) -> Refusal {
        let reason = if self.memorandum.basis() == Basis::Unknown {
            "a disclosure is treated as one that needs consent here, since the text was not seen; ask the other side for it"
        } else {
            "a disclosure needs the consent of the other side here; send a consent request (F20)"
        };
        Refusal::new(Code::WrongInstrument, "flow", reason)
    }

    fn label(&self, kind: KindTerms<'_>) -> Result<(), Refusal> {
        if kind.class() == Class::Confidential && self.header.classification != "CONFIDENTIAL" {
            let reason = format!("must be CONFIDENTIAL for {}: no text says that it is published", self.header.flow);
            return Err(Refusal::new(Code::ClassTooLow, "classification", reason));
        }
        Ok(())
    }

    fn termination(&self, place: Place<'_>) -> Result<(), Refusal> {
        // On arrival it is never refused for its dates: both nodes compute the end from the receipt.
        if self.header.flow != TERMINATION || matches!(place, Place::Arrival { .. }) {
            return Ok(());
        }
        let particulars = &self.subject.particulars;
        let received = match place {
            Place::Offline => civil::day(&particulars.received_on),
            _ => Some(self.today()),
        };
        let (Some(received), Some(effective), Some(months)) =
            (received, civil::day(&particulars.effective), self.memorandum.months_to_end())
        else {
            return Ok(());
        };
        let earliest = civil::months_after(received, months);
        if effective < earliest {
            let reason = format!("is before {earliest}, {months} months after receipt on {received}");
            return Err(Refusal::new(Code::TerminationTooEarly, "body.effective_on", reason));
        }
        Ok(())
    }

    fn names(&self) -> Result<(), Refusal> {
        let Some(at) = &self.subject.mixed_script_at else { return Ok(()) };
        let reason =
            "has a word with Latin and Cyrillic letters, which nobody can search for; write each word in one script";
        Err(Refusal::new(Code::MixedScriptName, at.clone(), reason))
    }
}
