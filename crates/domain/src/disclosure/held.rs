//! The evidence that both sides' notices give: consent and its withdrawal, disclosure notices and their delivery.

use verbale_proto::v1::Particulars;

use super::{Audience, Evidence, GivenNotice, Grant, Scope};
use crate::civil;
use crate::docket::{Course, Docketed, NoticeKey};
use crate::flow::{CONSENT_GRANT, CONSENT_REQUEST, CONSENT_WITHDRAW, CORRECTION, DISCLOSURE_NOTICE};
use crate::memorandum::Memorandum;

/// A piece of evidence and the notices that it stands in: the grant and the request that it answers, or the disclosure notice.
pub struct HeldEvidence {
    /// The piece.
    pub evidence: Evidence,
    /// Its notices.
    pub notices: Vec<NoticeKey>,
}

/// What is known about the disclosure of a notice by a side that received it.
pub fn held_evidence(memorandum: &Memorandum, course: &Course, about: &NoticeKey, holder: &str) -> Vec<HeldEvidence> {
    let mut held = Vec::new();
    // A corrected notice speaks for nobody any more.
    let stands = |key: &NoticeKey| !course.is_superseded(key);
    for (asked_in, asked) in course.answers_to(about).filter(|(key, _)| key.side == holder && stands(key)) {
        let alone = |evidence| HeldEvidence { evidence, notices: vec![asked_in.clone()] };
        match asked.flow.as_str() {
            CONSENT_REQUEST => {
                held.push(alone(Evidence::Request));
                let granted = course.answers_to(asked_in).filter(|(key, grant)| {
                    key.side == about.side && grant.flow == CONSENT_GRANT && grant.delivered_ms.is_some() && stands(key)
                });
                held.extend(granted.filter_map(|(key, grant)| {
                    let evidence = Evidence::Grant(granted_by(memorandum, course, (key, grant), &about.number)?);
                    Some(HeldEvidence { evidence, notices: vec![key.clone(), asked_in.clone()] })
                }));
            }
            DISCLOSURE_NOTICE => held.extend(given_by(asked, &about.number).map(Evidence::Notice).map(alone)),
            _ => {}
        }
    }
    held
}

/// The dates in a grant, a withdrawal or a disclosure notice, in milliseconds since 1970-01-01 UTC: the first moment and, of a grant, the last. Days
/// are whole days at `offset`, its sender's.
pub fn dates(flow: &str, particulars: &Particulars, offset: time::UtcOffset) -> Option<(i64, i64)> {
    match flow {
        CONSENT_GRANT => Grant::read(particulars, offset, &particulars.about).map(|of| (of.from_ms, of.until_ms)),
        CONSENT_WITHDRAW => civil::moment_ms(&particulars.effective).map(|from_ms| (from_ms, 0)),
        DISCLOSURE_NOTICE => civil::moment_ms(&particulars.not_before).map(|from_ms| (from_ms, 0)),
        _ => None,
    }
}

/// From which moment on a grant may not be used any more: its last day is over, or a withdrawal binds.
pub(crate) fn grant_ended(memorandum: &Memorandum, course: &Course, grant: &NoticeKey) -> Option<i64> {
    let docketed = course.get(grant)?;
    let read = granted_by(memorandum, course, (grant, docketed), &docketed.particulars().about)?;
    // Nobody uses what a correction took the place of.
    let corrected =
        course.answers_to(grant).filter(|(_, answer)| answer.flow == CORRECTION && course.is_superseded(grant));
    let replaced_ms = corrected.filter_map(|(_, answer)| answer.delivered_ms).max();
    let ended = [Some(read.until_ms.saturating_add(1)), read.withdrawn_ms, replaced_ms];
    ended.into_iter().flatten().min()
}

/// A grant as its originator wrote it, with whole days at the originator's, and its withdrawal, which binds from the later of its stated
/// time and its receipt.
fn granted_by(
    memorandum: &Memorandum,
    course: &Course,
    (key, grant): (&NoticeKey, &Docketed),
    about: &str,
) -> Option<Grant> {
    let withdrawals = course.answers_to(key).filter(|(_, answer)| answer.flow == CONSENT_WITHDRAW);
    let binds = withdrawals.filter_map(|(_, answer)| {
        let stated = civil::moment_ms(&answer.particulars().effective).unwrap_or(i64::MIN);
        answer.delivered_ms.map(|delivered| delivered.max(stated))
    });
    let withdrawn_ms = binds.min();
    let grant = Grant::read(grant.particulars(), memorandum.utc_offset(&key.side), about)?;
    Some(Grant { withdrawn_ms, ..grant })
}

fn given_by(notice: &Docketed, about: &str) -> Option<GivenNotice> {
    GivenNotice::read(notice.particulars(), notice.delivered_ms, about)
}

impl Grant {
    /// What a consent grant says; `None` when it lacks a part. Days are whole days at `offset`.
    pub fn read(particulars: &Particulars, offset: time::UtcOffset, about: &str) -> Option<Self> {
        let (from, to) = (civil::day(&particulars.valid_from)?, civil::day(&particulars.valid_to)?);
        Some(Self {
            about_this: particulars.about == about,
            scope: Scope::read(particulars)?,
            from_ms: civil::start_ms(from, offset),
            until_ms: civil::end_ms(to, offset) - 1,
            withdrawn_ms: None,
        })
    }
}

impl GivenNotice {
    /// What a disclosure notice says; `None` when it lacks a part.
    pub fn read(particulars: &Particulars, delivered_ms: Option<i64>, about: &str) -> Option<Self> {
        let not_before_ms = civil::moment_ms(&particulars.not_before)?;
        let about_this = particulars.about == about;
        Some(Self { about_this, scope: Scope::read(particulars)?, not_before_ms, delivered_ms })
    }
}

impl Scope {
    /// Fields, audience and purpose as a request, a grant or a disclosure notice has them; `None` when one is missing.
    pub fn read(particulars: &Particulars) -> Option<Self> {
        let audience = (particulars.audience_class.as_str(), particulars.audience_name.as_str());
        Self::of(&particulars.fields, audience, &particulars.purpose)
    }

    /// As facts keep it: what [`Self::read`] reads.
    pub fn particulars(&self) -> Particulars {
        Particulars {
            fields: self.fields.clone(),
            audience_class: self.audience.class.as_str().to_owned(),
            audience_name: self.audience.name.clone(),
            purpose: self.purpose.clone(),
            ..Particulars::default()
        }
    }

    /// The same of its parts; class and name of the audience.
    pub fn of(fields: &[String], (class, name): (&str, &str), purpose: &str) -> Option<Self> {
        let audience = Audience { class: class.parse().ok()?, name: name.to_owned() };
        let is_whole = !fields.is_empty() && !name.trim().is_empty();
        is_whole.then(|| Self { fields: fields.to_vec(), audience, purpose: purpose.to_owned() })
    }
}
