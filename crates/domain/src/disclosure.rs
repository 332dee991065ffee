//! May information be disclosed? One pure function: memorandum, notice, scope, time and evidence in; a decision with its code, its
//! clause and a sentence out.
//!
//! # Source
//! DOMAIN section 4; clause 3 of the Kyrgyz and the Tajik text. The first ground that holds wins; where none holds, the nearest miss
//! names the refusal. An adverse finding never outranks a ground.

mod cases;
mod codes;
mod evidence;
mod grounds;
mod held;
mod nearest;
mod recorded;

use time::Date;

use crate::civil;
use crate::docket::Course;
use crate::memorandum::{KindTerms, Memorandum};
use crate::rules::covers;

pub use cases::{Ruling, rule};
pub use codes::{AudienceClass, Denial, Escalation, Ground, OutsideGround, Release};
pub use evidence::{Evidence, GivenNotice, Grant, conditions_code};
pub(crate) use held::grant_ended;
pub use held::{HeldEvidence, dates, held_evidence};
pub use recorded::Recorded;

/// Version of these rules, as each logged decision names it: another one decides something differently.
pub const RULES_VERSION: u32 = 2;

/// To whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience {
    /// What kind.
    pub class: AudienceClass,
    /// Its name, as the directory has it; never empty.
    pub name: String,
}

/// What is disclosed, to whom, for what. It has no `Debug`: it holds names and purposes.
#[derive(Clone, PartialEq, Eq)]
pub struct Scope {
    /// Body paths; `*` is the whole notice.
    pub fields: Vec<String>,
    /// To whom.
    pub audience: Audience,
    /// For what.
    pub purpose: String,
}

impl Scope {
    /// Whether every field of another scope is one of this.
    pub fn covers_fields(&self, asked: &[String]) -> bool {
        asked.iter().all(|field| self.fields.iter().any(|own| covers(own, field)))
    }
}

/// What the notice itself says about its disclosure.
#[derive(Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Marks {
    /// Its flow.
    pub flow: String,
    /// Body paths that its originator lets be published; `None`: as the memorandum says for the kind.
    pub publishable: Option<Vec<String>>,
    /// Body paths marked restricted.
    pub restricted: Vec<String>,
    /// Body paths released to the investigated organisation.
    pub releasable: Vec<String>,
    /// Number of the investigated organisation, where it is known.
    pub investigated: Option<String>,
    /// Whether a correction took its place.
    pub superseded: bool,
    /// Whether its originator labels it otherwise than CONFIDENTIAL, as far as that is seen.
    pub labelled_public: bool,
    /// Whether it has content apart from its body.
    pub has_restricted: bool,
    /// Whether it carries a third side's information, which its words may repeat.
    pub carries_onward: bool,
}

impl Marks {
    /// Whether a field, or a part of one, is marked restricted or stands apart.
    pub(crate) fn is_restricted(&self, field: &str) -> bool {
        let is_marked = |mark: &String| covers(field, mark) || covers(mark, field);
        let apart = field == "restricted" || field.starts_with("restricted.") || (field == "*" && self.has_restricted);
        apart || self.restricted.iter().any(is_marked)
    }
}

/// The question.
pub struct Question<'a> {
    /// The memorandum; `None` when this node holds none of that name.
    pub memorandum: Option<&'a Memorandum>,
    /// Its course.
    pub course: &'a Course,
    /// The side that the notice came from.
    pub originator: &'a str,
    /// The body that discloses.
    pub discloser: &'a str,
    /// What the notice says.
    pub marks: &'a Marks,
    /// What, to whom, for what.
    pub scope: &'a Scope,
    /// In which country the public is reached, where that is said.
    pub territory: Option<&'a str>,
    /// When, in milliseconds since 1970-01-01 UTC.
    pub at_ms: i64,
    /// What else is known.
    pub evidence: &'a [Evidence],
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Allowed, on this ground.
    Allow(Ground),
    /// Denied.
    Deny(Denial),
    /// People decide: a recorded legal basis, and a second person.
    Escalate(Escalation),
}

impl Verdict {
    /// ALLOW, DENY or ESCALATE.
    pub fn decision(self) -> &'static str {
        match self {
            Self::Allow(_) => "ALLOW",
            Self::Deny(_) => "DENY",
            Self::Escalate(_) => "ESCALATE",
        }
    }

    /// Its code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Allow(ground) => ground.as_str(),
            Self::Deny(denial) => denial.as_str(),
            Self::Escalate(escalation) => escalation.as_str(),
        }
    }
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The answer.
    pub verdict: Verdict,
    /// The clause that it rests on.
    pub clause: String,
    /// Why, and what would make it lawful.
    pub reason: String,
    /// The piece of evidence that it rests on, by its place.
    pub relies_on: Option<usize>,
}

/// Decides. Rules are asked in the order of DOMAIN section 4.
pub fn decide(question: &Question<'_>) -> Decision {
    let Some(memorandum) = question.memorandum else {
        return Decision {
            verdict: Verdict::Deny(Denial::UnknownMemorandum),
            clause: "none".to_owned(),
            reason: "this node holds no memorandum of that name; check the id".to_owned(),
            relies_on: None,
        };
    };
    Asked::new(question, memorandum).decide()
}

/// The denial of a publication for which a notice has nothing.
pub fn nothing_publishable(memorandum: Option<&Memorandum>, flow: &str, reason: &str) -> Decision {
    let clause = memorandum.map(|of| {
        let duty = of.kind(flow).map(KindTerms::duty_clause).filter(|clause| !clause.is_empty());
        format!("{} {}", of.id, duty.unwrap_or_else(|| of.clause_of_disclosure()))
    });
    Decision {
        verdict: Verdict::Deny(Denial::NothingPublishable),
        clause: clause.unwrap_or_else(|| "none".to_owned()),
        reason: reason.to_owned(),
        relies_on: None,
    }
}

/// The denial of a release to whom no two persons entered into the directory, or entered as something else: `known`.
pub fn unknown_audience(memorandum: Option<&Memorandum>, known: Option<&Audience>) -> Decision {
    let reason = known.map_or_else(
        || {
            "the audience is none of the directory: one person enters it with `verbale audience enter`, another confirms it with `verbale \
             audience confirm`"
                .to_owned()
        },
        |known| {
            format!("the audience is {} in the directory: ask for what names it as that", known.class.as_str())
        },
    );
    Decision {
        verdict: Verdict::Deny(Denial::UnknownAudience),
        clause: memorandum.map_or_else(|| "none".to_owned(), |of| format!("{} {}", of.id, of.clause_of_disclosure())),
        reason,
        relies_on: None,
    }
}

/// The denial of a publication of what a correction took the place of, whoever wrote it.
pub fn superseded(memorandum: Option<&Memorandum>, flow: &str) -> Decision {
    let reason = "a correction took its place; publish that one";
    Decision { verdict: Verdict::Deny(Denial::Superseded), ..nothing_publishable(memorandum, flow, reason) }
}

/// A question about a memorandum that is held, with what all rules look at.
struct Asked<'a> {
    question: &'a Question<'a>,
    memorandum: &'a Memorandum,
    kind: Option<KindTerms<'a>>,
    /// The side that discloses; `None` when the body is of neither.
    side: Option<&'a str>,
    /// The day it is at the discloser's.
    today: Date,
}

impl<'a> Asked<'a> {
    fn new(question: &'a Question<'a>, memorandum: &'a Memorandum) -> Self {
        let utc = civil::date_of(question.at_ms, time::UtcOffset::UTC);
        let side = memorandum.sides().find(|side| memorandum.is_of_party(side, question.discloser, utc));
        let today = side.map_or(utc, |side| civil::date_of(question.at_ms, memorandum.utc_offset(side)));
        Self { question, memorandum, kind: memorandum.kind(&question.marks.flow), side, today }
    }

    fn decide(&self) -> Decision {
        if !self.memorandum.has_side("JP") {
            let reason = "Japan is no party of it, so no information was obtained under it here";
            return self.deny(Denial::JapanNotParty, "none", reason);
        }
        if let Some(within) = self.within() {
            return within;
        }
        if let Some(own) = self.own_information() {
            return own;
        }
        let clause = self.memorandum.clause_of_commencement();
        match self.question.course.in_force_since(self.memorandum) {
            None => {
                let reason = "it commences on receipt of the last notification, and no day of that is recorded; an approver on the \
                              Japanese side records it";
                return self.deny(Denial::NotCommenced, clause, reason);
            }
            Some(Some(since)) if self.today < since => {
                return self.deny(Denial::NotCommenced, clause, &format!("it is in force only since {since}"));
            }
            Some(_) => {}
        }
        self.not_third_party()
            .or_else(|| self.publication())
            .or_else(|| self.already_public())
            .or_else(|| self.named_in_the_text())
            .or_else(|| self.instrument())
            .or_else(|| self.escalated())
            .unwrap_or_else(|| self.nearest_miss())
    }

    fn answer(&self, verdict: Verdict, clause: &str, reason: &str, relies_on: Option<usize>) -> Decision {
        let clause = format!("{} {clause}", self.memorandum.id);
        Decision { verdict, clause, reason: reason.to_owned(), relies_on }
    }

    fn allow(&self, ground: Ground, clause: &str, reason: &str, relies_on: Option<usize>) -> Decision {
        self.answer(Verdict::Allow(ground), clause, reason, relies_on)
    }

    fn deny(&self, denial: Denial, clause: &str, reason: &str) -> Decision {
        self.answer(Verdict::Deny(denial), clause, reason, None)
    }

    fn escalate(&self, escalation: Escalation, clause: &str, reason: &str, relies_on: Option<usize>) -> Decision {
        self.answer(Verdict::Escalate(escalation), clause, reason, relies_on)
    }

    /// The first piece of evidence of a kind, and its place.
    fn find<T>(&self, of: impl Fn(&'a Evidence) -> Option<T>) -> Option<(usize, T)> {
        self.question.evidence.iter().enumerate().find_map(|(i, evidence)| Some((i, of(evidence)?)))
    }

    fn has_ended(&self) -> bool {
        self.question.course.ends.is_some_and(|last| self.today > last)
    }
}
