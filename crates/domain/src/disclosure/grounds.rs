//! The grounds, in the order of DOMAIN section 4, rules 2 to 8.

use super::{Asked, AudienceClass, Decision, Escalation, Evidence, Ground};
use crate::flow::RETURN_ASSISTANCE;
use crate::memorandum::{Basis, Class, Duty, KindTerms};
use crate::notice::Notice;
use crate::rules::covers;

const TEST_COOPERATION_RESPONSE: &str = "F17";

const RETURN_PROCEDURES: &str = "return procedures";

/// Whether a publication duty covers a disclosure.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Publication {
    Holds,
    Superseded,
    /// The text that would have the duty was not seen.
    Unverified,
    No,
}

impl Asked<'_> {
    fn fields(&self) -> &[String] {
        &self.question.scope.fields
    }

    /// Before all others: a body that reads what it holds discloses nothing, whatever the day; what was sent to it is its own to read.
    pub(super) fn within(&self) -> Option<Decision> {
        let audience = &self.question.scope.audience;
        if !audience.is_body() || audience.name.is_empty() || audience.name != self.question.discloser {
            return None;
        }
        let reason = "the audience is the very body that holds it, and no third party";
        Some(self.allow(Ground::NotThirdParty, self.memorandum.clause_of_disclosure(), reason, None))
    }

    /// Rule 2: clause 3 protects the other side's information.
    pub(super) fn own_information(&self) -> Option<Decision> {
        let clause = self.memorandum.clause_of_disclosure();
        let is_asked = |of: &Vec<String>| {
            let overlaps = |field: &String| of.iter().any(|quoted| covers(quoted, field) || covers(field, quoted));
            of.is_empty() || self.fields().iter().any(overlaps)
        };
        let quoted = self.find(|evidence| match evidence {
            Evidence::Quotes(of) => is_asked(of).then_some(()),
            _ => None,
        });
        if self.side == Some(self.question.originator) && quoted.is_none() {
            let reason = "it is the discloser's own information, and clause 3 protects that of the other side";
            return Some(self.allow(Ground::OwnInformation, clause, reason, None));
        }
        let (i, ()) = self.find(|evidence| matches!(evidence, Evidence::IndependentSource).then_some(()))?;
        let reason = "the discloser has it from a source of its own, recorded with its provenance";
        Some(self.allow(Ground::IndependentSource, clause, reason, Some(i)))
    }

    /// Rule 3.
    pub(super) fn not_third_party(&self) -> Option<Decision> {
        let audience = &self.question.scope.audience;
        let is_party = |side: &str| self.memorandum.is_party(side, &audience.name, self.today);
        if !audience.is_body() || !self.memorandum.sides().any(is_party) {
            return None;
        }
        let reason = "the audience is a party of this memorandum, and no third party";
        Some(self.allow(Ground::NotThirdParty, self.memorandum.clause_of_disclosure(), reason, None))
    }

    /// Rule 4.
    pub(super) fn publication(&self) -> Option<Decision> {
        let clause = self.kind.map_or("", KindTerms::duty_clause);
        let reason = "the memorandum says that these fields are made public by the side that received them";
        (self.publication_duty() == Publication::Holds)
            .then(|| self.allow(Ground::PublicationDuty, clause, reason, None))
    }

    pub(super) fn publication_duty(&self) -> Publication {
        let (marks, Some(side), Some(kind)) = (self.question.marks, self.side, self.kind) else {
            return Publication::No;
        };
        let own_country = self.question.territory.is_none_or(|territory| territory == side);
        if self.question.scope.audience.class != AudienceClass::Public || !own_country || self.fields().is_empty() {
            return Publication::No;
        }
        let publishable = marks.publishable.as_deref().unwrap_or(kind.publishable());
        let may_be_public =
            |field: &String| !marks.is_restricted(field) && publishable.iter().any(|path| covers(path, field));
        if !self.fields().iter().all(may_be_public) {
            return Publication::No;
        }
        // The side bound: who received it, or its originator where the text binds that one too.
        let duty = if side == self.question.originator { kind.own_duty() } else { kind.duty() };
        match (duty, self.memorandum.basis()) {
            (Some(Duty::Publish), _) if marks.superseded => Publication::Superseded,
            (Some(Duty::Publish), _) => Publication::Holds,
            (_, Basis::Unknown) if kind.class() == Class::Publish => Publication::Unverified,
            _ => Publication::No,
        }
    }

    /// Rule 5.
    pub(super) fn already_public(&self) -> Option<Decision> {
        let clause = self.memorandum.clause_of_disclosure();
        let marks = self.question.marks;
        let is_public = self.kind.is_some_and(|kind| kind.class() == Class::Public) && marks.labelled_public;
        let is_narrowed = marks
            .publishable
            .as_ref()
            .is_some_and(|list| !self.fields().iter().all(|field| list.iter().any(|path| covers(path, field))));
        if is_public && !is_narrowed && !self.fields().iter().any(|field| marks.is_restricted(field)) {
            let reason = "its originator labelled it as public (interpretation: what is public is not confidential)";
            return Some(self.allow(Ground::AlreadyPublic, clause, reason, None));
        }
        let all_in = |of: &Vec<String>| self.fields().iter().all(|field| of.iter().any(|path| covers(path, field)));
        let (i, ()) = self.find(|evidence| match evidence {
            Evidence::PublishedByOriginator(of) => all_in(of).then_some(()),
            _ => None,
        })?;
        let reason = "its originator published these fields itself";
        Some(self.allow(Ground::AlreadyPublic, clause, reason, Some(i)))
    }

    /// Rule 6: whom the text or the originator names.
    pub(super) fn named_in_the_text(&self) -> Option<Decision> {
        let (marks, audience, flow) =
            (self.question.marks, &self.question.scope.audience, self.question.marks.flow.as_str());
        let released = |field: &String| marks.releasable.iter().any(|path| covers(path, field));
        let is_investigated = marks.investigated.as_ref().is_none_or(|number| *number == audience.name);
        if audience.class == AudienceClass::InvestigatedOrganisation
            && is_investigated
            && !self.fields().is_empty()
            && self.fields().iter().all(released)
        {
            let clause = self.kind.map_or("", KindTerms::clause);
            let reason = "the originator released these fields to the investigated organisation, in writing, in the notice itself";
            return Some(self.allow(Ground::PreauthorisedField, clause, reason, None));
        }
        let partner = self.memorandum.sides().find(|side| *side != "JP")?;
        let is_embassy = audience.class == AudienceClass::Embassy
            && audience
                .name
                .strip_prefix(partner)
                .and_then(|rest| rest.strip_prefix("-EMBASSY"))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
        if is_embassy && RETURN_ASSISTANCE.contains(&flow) && self.question.scope.purpose == RETURN_PROCEDURES {
            let reason = "clause 8 has return procedures carried out together with the partner's Embassy";
            return Some(self.allow(Ground::Clause8Embassy, "8", reason, None));
        }
        let relevant = |side: &str| audience.name.strip_prefix(side).is_some_and(|rest| rest.starts_with('-'));
        if flow == TEST_COOPERATION_RESPONSE && audience.is_body() && self.side.is_some_and(relevant) {
            let reason = "clause 5 lets a relevant ministry ask for cooperation in tests; whether the answer may go to it is for people to \
                          decide: record that it asked, and let a second person agree";
            return Some(self.escalate(Escalation::Clause5RelevantMinistry, "5", reason, None));
        }
        None
    }

    /// Rule 7: what clause 3 asks for.
    pub(super) fn instrument(&self) -> Option<Decision> {
        let (clause, scope, at) = (self.memorandum.clause_of_disclosure(), self.question.scope, self.question.at_ms);
        // Who is of neither side holds nobody's consent.
        self.side?;
        let notice = self.find(|evidence| match evidence {
            Evidence::Notice(given) if given.about_this => given.misses(scope, at).is_empty().then_some(()),
            _ => None,
        });
        let grant = self.find(|evidence| match evidence {
            Evidence::Grant(grant) if grant.about_this => grant.misses(scope, at).is_empty().then_some(()),
            _ => None,
        });
        let granted = "the other side consented in writing: these fields, this audience, this purpose, this time";
        match (self.memorandum.basis(), notice, grant) {
            (Basis::Notice, Some((i, ())), _) => {
                let reason = "the other side had written notice before: these fields, this audience, this purpose. It has no veto; an \
                              objection opens a consultation";
                Some(self.allow(Ground::NoticeOk, clause, reason, Some(i)))
            }
            (Basis::Notice, None, Some((i, ()))) => {
                Some(self.allow(Ground::ConsentExceedsNotice, clause, granted, Some(i)))
            }
            (Basis::Consent | Basis::Unknown, _, Some((i, ()))) => {
                Some(self.allow(Ground::ConsentOk, clause, granted, Some(i)))
            }
            (_, _, None) => None,
        }
    }

    /// Rule 8: what people decide.
    pub(super) fn escalated(&self) -> Option<Decision> {
        let clause = self.memorandum.clause_of_disclosure();
        let compelled = self.find(|evidence| match evidence {
            Evidence::LegalCompulsion(basis) => (!basis.trim().is_empty()).then_some(()),
            _ => None,
        });
        if let Some((i, ())) = compelled {
            let reason = "a court or a law asks for it: ask consent or give notice, record the legal basis and the grounds to withhold, and \
                          let a second person agree";
            return Some(self.escalate(Escalation::LegalCompulsion, clause, reason, Some(i)));
        }
        // Whoever asks for a field of the notice does not ask for a count.
        let is_field = |field: &String| field == "*" || Notice::has_field(&self.question.marks.flow, field);
        let aggregate = self.find(|evidence| matches!(evidence, Evidence::Aggregate).then_some(()));
        if let Some((i, ())) = aggregate.filter(|_| !self.fields().iter().any(is_field)) {
            let reason = "the text says nothing about counts: a person decides whether anybody can be recognised, and a second one agrees";
            return Some(self.escalate(Escalation::Aggregate, clause, reason, Some(i)));
        }
        let reason =
            "the text that would have it published was not seen: record why it may be, and let a second person agree";
        (self.publication_duty() == Publication::Unverified)
            .then(|| self.escalate(Escalation::UnverifiedBasisStrict, clause, reason, None))
    }
}
