//! What a notice answers, who may answer it, and what consent and disclosure notices may say.

use super::Question;
use super::marks::covers;
use crate::civil;
use crate::disclosure::grant_ended;
use crate::docket::{Docketed, NoticeKey};
use crate::flow::{CONSENT_GRANT, CONSENT_REFUSE, CONSENT_REQUEST, CONSENT_WITHDRAW, CORRECTION, DISCLOSURE_NOTICE};
use crate::memorandum::{Duty, KindTerms};
use crate::notice::Notice;
use crate::refusal::{Code, Refusal};

/// Answers to a consent request, and the withdrawal of a grant.
const CONSENT_ANSWERS: [&str; 3] = [CONSENT_GRANT, CONSENT_REFUSE, CONSENT_WITHDRAW];

const AT: &str = "correlates_to";

impl Question<'_> {
    /// The notice that it names, where both sides know it.
    pub(super) fn answered(&self) -> Option<(NoticeKey, &Docketed)> {
        self.course.answered(&self.header.from.party, &self.header.flow, self.header.correlates_to.as_deref()?)
    }

    /// Consent is of the other: who asked cannot answer (Kyrgyz 3, Tajik 3).
    pub(super) fn consent_answer(&self) -> Result<(), Refusal> {
        if !CONSENT_ANSWERS.contains(&self.header.flow.as_str()) || self.header.correlates_to.is_none() {
            return Ok(());
        }
        let Some((key, answered)) = self.answered() else {
            let reason = "names a consent request or a grant that is not known under this memorandum";
            return Err(Refusal::new(Code::NoSuchRequest, AT, reason));
        };
        // The grant that is withdrawn came from the other side of the request.
        let granted_by_us = self.header.flow == CONSENT_WITHDRAW && answered.flow == CONSENT_GRANT;
        let by_asker =
            if granted_by_us { key.side != self.header.from.party } else { key.side == self.header.from.party };
        if by_asker && [CONSENT_REQUEST, CONSENT_GRANT].contains(&answered.flow.as_str()) {
            let reason =
                "was asked for by the same side: consent is of the other, nobody gives or withdraws it to itself";
            return Err(Refusal::new(Code::SelfConsent, "from.party", reason));
        }
        Ok(())
    }

    pub(super) fn correlation(&self, kind: KindTerms<'_>) -> Result<(), Refusal> {
        let Some(number) = &self.header.correlates_to else {
            if kind.must_answer() {
                let reason = format!("is missing: {} answers {}", self.header.flow, kind.answered());
                return Err(Refusal::new(Code::MissingCorrelation, AT, reason));
            }
            return Ok(());
        };
        let bad = |reason: String| Err(Refusal::new(Code::BadCorrelation, AT, reason));
        let Some((key, answered)) = self.answered() else {
            return bad("names a notice that is not known under this memorandum".to_owned());
        };
        if *number == self.header.notice_id && key.side == self.header.from.party {
            return bad("names the notice itself".to_owned());
        }
        if !kind.may_answer(&answered.flow) {
            return bad(format!(
                "names a notice of kind {}; {} answers {}",
                answered.flow,
                self.header.flow,
                kind.answered()
            ));
        }
        // A grant names the notice whose fields it opens, and answers the request.
        let about = &self.subject.particulars.about;
        if !about.is_empty() && self.header.flow != CONSENT_GRANT && about != number {
            return bad("names another notice than the body is about".to_owned());
        }
        if self.header.flow == CORRECTION && key.side != self.header.from.party {
            return bad("names a notice of the other side; only who sent a notice corrects it".to_owned());
        }
        if self.header.flow == CORRECTION {
            let number = &self.subject.particulars.replaced_by;
            let by = NoticeKey { side: key.side.clone(), number: number.clone() };
            let Some(replacing) = self.course.get(&by) else {
                return bad(
                    "is corrected by a notice that is not known; send that first, then the correction".to_owned()
                );
            };
            // What was published, or opens something, goes on as what it was.
            let terms = self.memorandum.kind(&answered.flow);
            let is_public = terms.is_some_and(|terms| terms.duty().or(terms.own_duty()) == Some(Duty::Publish));
            if (is_public || answered.flow == CONSENT_GRANT) && replacing.flow != answered.flow {
                return bad(format!(
                    "is corrected by a notice of another kind; {} is corrected by one of its own",
                    answered.flow
                ));
            }
            // What is granted stays what was asked for.
            if answered.flow == CONSENT_GRANT && replacing.answers != answered.answers {
                return bad("is corrected by a grant that answers another request".to_owned());
            }
            if by != key && self.course.leads_to(&by, &key) {
                return bad("is corrected by one of which it took the place itself; send what counts as a new notice"
                    .to_owned());
            }
        }
        if self.header.flow == CONSENT_REFUSE {
            let may_be_used = |(grant, docketed): &(&NoticeKey, &Docketed)| {
                docketed.flow == CONSENT_GRANT
                    && !self.course.is_superseded(grant)
                    && grant_ended(self.memorandum, self.course, grant).is_some_and(|ended| self.now_ms < ended)
            };
            if let Some((grant, _)) = self.course.answers_to(&key).find(may_be_used) {
                let reason = format!("is granted already, by {}; withdraw that with a withdrawal (F23)", grant.number);
                return bad(reason);
            }
        }
        let is_reply = kind.is_answer() && !CONSENT_ANSWERS.contains(&self.header.flow.as_str());
        if is_reply && key.side == self.header.from.party {
            let reason = "was sent by the same side: who asked does not answer";
            return Err(Refusal::new(Code::ReplyFromAsker, "from.party", reason));
        }
        Ok(())
    }

    /// What is asked for or announced are fields of the notice in question. A grant answers the request, whose fields were looked at.
    pub(super) fn fields(&self) -> Result<(), Refusal> {
        if ![CONSENT_REQUEST, DISCLOSURE_NOTICE].contains(&self.header.flow.as_str()) {
            return Ok(());
        }
        let Some((_, answered)) = self.answered() else { return Ok(()) };
        if self.subject.particulars.fields.iter().all(|field| Notice::has_field(&answered.flow, field)) {
            return Ok(());
        }
        let reason = format!("has a path that {} does not have; name its fields, or * for the whole", answered.flow);
        Err(Refusal::new(Code::UnknownField, "body.fields", reason))
    }

    /// A grant covers no more than was asked for.
    pub(super) fn consent(&self) -> Result<(), Refusal> {
        if self.header.flow != CONSENT_GRANT {
            return Ok(());
        }
        // The other in Japan is several bodies: who else would concur is no body of the side.
        let side = &self.header.from.party;
        let today = civil::date_of(self.now_ms, self.memorandum.utc_offset(side));
        let named = self.subject.particulars.concurrence.split(',').map(str::trim).filter(|body| !body.is_empty());
        let concurrence = self.subject.particulars.concurrence.as_str();
        let is_one = self.memorandum.names_body(side, concurrence, today);
        if !is_one && named.into_iter().any(|name| !self.memorandum.names_body(side, name, today)) {
            let reason = "names who is no body of this side under the memorandum: nobody else concurs for it";
            return Err(Refusal::new(Code::NotAParty, "from.on_behalf_of", reason));
        }
        let Some((_, request)) = self.answered() else { return Ok(()) };
        let (granted, asked) = (&self.subject.particulars, request.particulars());
        let wider = |at: &str, reason: &str| Err(Refusal::new(Code::ConsentWiderThanRequest, at, reason));
        if granted.about != asked.about {
            return wider("body.about_notice", "is another notice than the one that was asked about");
        }
        if granted.fields.iter().any(|field| !asked.fields.iter().any(|asked| covers(asked, field))) {
            return wider("body.fields", "has a field that was not asked for");
        }
        if (&granted.audience_class, &granted.audience_name) != (&asked.audience_class, &asked.audience_name) {
            return wider("body.audience", "is another audience than the one that was asked for");
        }
        if granted.purpose != asked.purpose {
            return wider("body.purpose", "is another purpose than the one that was asked for");
        }
        // Days in the form YYYY-MM-DD: their order is that of their text.
        let begins_earlier = granted.valid_from < asked.valid_from;
        let ends_later =
            !asked.valid_to.is_empty() && (granted.valid_to.is_empty() || granted.valid_to > asked.valid_to);
        if begins_earlier || ends_later {
            return wider("body.validity", "reaches beyond the time that was asked for");
        }
        Ok(())
    }

    /// Consent is asked, and notice given, about information of the other side, and notice before the disclosure.
    pub(super) fn disclosure_notice(&self) -> Result<(), Refusal> {
        let is_notice = self.header.flow == DISCLOSURE_NOTICE;
        if !is_notice && self.header.flow != CONSENT_REQUEST {
            return Ok(());
        }
        let not_before = civil::moment_ms(&self.subject.particulars.not_before);
        let issued = civil::moment_ms(&self.header.issued_at);
        if is_notice && not_before.zip(issued).is_some_and(|(not_before, issued)| not_before < issued) {
            let reason = "is before the notice was issued: a notice that comes after the disclosure opens nothing";
            return Err(Refusal::new(Code::RetroactiveNotice, "body.disclose_not_before", reason));
        }
        if self.answered().is_some_and(|(key, _)| key.side == self.header.from.party) {
            let reason = "is a notice of the side that sends this one: clause 3 is about information of the other";
            return Err(Refusal::new(Code::NotOthersInformation, AT, reason));
        }
        Ok(())
    }

    /// A delta continues a list that is known.
    pub(super) fn delta(&self) -> Result<(), Refusal> {
        let base = &self.subject.particulars.delta_from;
        if base.is_empty() || self.course.knows_list(&self.header.from.party, &self.header.flow, base) {
            return Ok(());
        }
        let reason = "is the day of a list that is not known; send the whole list";
        Err(Refusal::new(Code::BadCorrelation, "body.delta_from", reason))
    }
}
