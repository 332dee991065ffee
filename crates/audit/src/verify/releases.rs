//! Each release against its ground, as far as the log shows it. What fields, audience and purpose a ground covers stands in the presentation.

use time::UtcOffset;
use verbale_domain::Basis;
use verbale_domain::civil;
use verbale_domain::disclosure::{Denial, Escalation, Ground, OutsideGround, RULES_VERSION, Release};
use verbale_domain::flow::{CONSENT_GRANT, CONSENT_REQUEST, CONSENT_WITHDRAW, DISCLOSURE_NOTICE, RETURN_ASSISTANCE};
use verbale_domain::{CommencesOn, Memorandum};
use verbale_evidence::{MessageId, VerifiedEnvelope};
use verbale_proto::v1::{Dates, Disclosed, DisclosureDenied, NoticeCarriedOn, NoticeHeldBack};

use super::chronicle::{Chronicle, message_id};
use super::noticed::Noticed;
use crate::presentation::moment;

/// A fault of a release: its code, what must be there, and what is there.
type Fault = (&'static str, String, String);

/// Where a day begins first: there, nothing is released before the memorandum commences anywhere.
const EAST: i8 = 14;

impl<'m> Chronicle<'m> {
    /// The dates in a grant, a withdrawal or a disclosure notice.
    pub(super) fn dated(
        &mut self,
        (index, time_ms): (u64, i64),
        envelope: Option<&Result<VerifiedEnvelope, String>>,
        dates: Option<Dates>,
    ) {
        let Some(Ok(envelope)) = envelope else { return };
        let statement = envelope.statement();
        let has_dates = [CONSENT_GRANT, CONSENT_WITHDRAW, DISCLOSURE_NOTICE].contains(&statement.flow.as_str());
        let (true, Some(Dates { from_ms, until_ms })) = (has_dates, dates) else {
            if has_dates || dates.is_some() {
                let expected = "the dates beside a grant, a withdrawal or a disclosure notice, and beside no other";
                self.find("DATES", index, expected, if has_dates { "none" } else { "dates" });
            }
            return;
        };
        self.dates.insert(statement.message_id, (from_ms, until_ms));
        if let (CONSENT_WITHDRAW, Some(grant)) = (statement.flow.as_str(), statement.answers) {
            // It binds from the later of its stated time and its receipt; the earliest one counts.
            let binds = self.withdrawn_from.entry(grant.message_id).or_insert(i64::MAX);
            *binds = from_ms.max(time_ms).min(*binds);
        }
    }

    /// The dates in a notice that the log tells; 0: none.
    pub(super) fn dates_of(&self, id: &MessageId) -> (i64, i64) {
        self.dates.get(id).copied().unwrap_or_default()
    }

    /// The dates that a release names are those of its ground.
    fn dates_fault(&self, ground: Option<&MessageId>, of: &Disclosed) -> Option<Fault> {
        let ground = ground?;
        let (from_ms, until_ms) = *self.dates.get(ground)?;
        let until_ms = match self.withdrawn_from.get(ground) {
            Some(binds) if until_ms != 0 => until_ms.min(binds.saturating_sub(1)),
            _ => until_ms,
        };
        let text = |from_ms, until_ms| {
            let until = if until_ms == 0 { String::new() } else { format!(" to {}", moment(until_ms)) };
            format!("from {}{until}", moment(from_ms))
        };
        ((of.valid_from_ms, of.valid_until_ms) != (from_ms, until_ms)).then(|| {
            let expected = format!("the dates of its ground, {}", text(from_ms, until_ms));
            ("GROUND_DATES", expected, text(of.valid_from_ms, of.valid_until_ms))
        })
    }

    pub(super) fn denied(&mut self, index: u64, of: &DisclosureDenied) {
        let is_there = |id: MessageId| self.drafts.contains_key(&id) || self.content_of(id).is_some();
        if !message_id(&of.message_id).is_some_and(is_there) {
            self.find("UNKNOWN_NOTICE", index, "a notice or draft that the log holds, not refused", "none of that id");
        }
        self.ruled(index, of.rules_version);
        let is_known = of.code.parse::<Denial>().is_ok() || of.code.parse::<Escalation>().is_ok();
        if !is_known && of.rules_version <= RULES_VERSION {
            self.find("DECISION_CODE", index, "the code of a denial", "another text");
        }
    }

    /// What a notice carries on was released before, and that notice is the last one that was sent.
    pub(super) fn carried_on(&mut self, index: u64, of: &NoticeCarriedOn) {
        let is_released = |id: MessageId| self.content_of(id).is_some_and(|notice| notice.last_release > 0);
        if !message_id(&of.message_id).is_some_and(is_released) {
            self.find("GROUND_MISSING", index, "a release before it of the notice that is carried on", "none");
        }
        let last = self.last_sent.clone();
        match last.filter(|(_, digest, to)| (digest.0.as_slice(), to) == (&of.statement_digest, &of.recipient)) {
            Some((id, ..)) => {
                self.carriers.insert(id);
                self.carried_by.extend(message_id(&of.message_id).map(|of_it| (of_it, of.statement_digest.clone())));
            }
            None => self.find("UNKNOWN_NOTICE", index, "the notice sent before it, to its recipient", "another one"),
        }
    }

    /// What is held back was to be carried on before.
    pub(super) fn held_back(&mut self, index: u64, of: &NoticeHeldBack) {
        let carried = message_id(&of.message_id).map(|id| (id, of.statement_digest.clone()));
        if !carried.is_some_and(|carried| self.carried_by.contains(&carried)) {
            self.find("UNKNOWN_NOTICE", index, "a notice that was sent to carry this release on", "none before it");
        }
    }

    /// By which version of the rules it was decided: a later program may have known later ones, and codes of theirs.
    fn ruled(&mut self, index: u64, version: u32) {
        if version == 0 {
            self.find("RULES_VERSION", index, "the version of the rules by which it was decided", "none");
        }
        self.later_rules += u64::from(version > RULES_VERSION);
    }

    /// What stays within the contact point has one ground.
    pub(super) fn within(&mut self, index: u64, (code, rules_version): (&str, u32)) {
        self.ruled(index, rules_version);
        if rules_version <= RULES_VERSION && code.parse() != Ok(Ground::NotThirdParty) {
            self.find("DECISION_CODE", index, Ground::NotThirdParty.as_str(), "another text");
        }
    }

    pub(super) fn released(&mut self, index: u64, time_ms: i64, of: &Disclosed) {
        let id = message_id(&of.message_id).filter(|id| self.content_of(*id).is_some());
        let Some(id) = id else {
            return self.find("UNKNOWN_NOTICE", index, "a notice that the log holds, not refused", "none of that id");
        };
        self.ruled(index, of.rules_version);
        let lengths = [of.disclosure_digest.len(), of.facts_digest.len(), of.disclosure_signature.len()];
        if lengths != [32, 32, 64] {
            let expected = "digests of 32 bytes of the disclosure and of its facts, and a signature of 64: a presentation is made with them";
            self.find("RELEASE_FORM", index, expected, format!("{lengths:?} bytes"));
        }
        if let Some(notice) = self.notices.get(&id) {
            let before = notice.last_release;
            self.notices.set(&id, &Noticed { last_release: index + 1, ..notice });
            let named_here =
                if of.previous_release == 0 { 0 } else { of.previous_release.saturating_add(self.shift as u64) };
            if before != named_here {
                let named = |place: u64| if place == 0 { "none".to_owned() } else { format!("entry {}", place - 1) };
                self.find(
                    "RELEASE_CHAIN",
                    index,
                    format!("the release before it: {}", named(before)),
                    named(of.previous_release),
                );
            }
        }
        if let Some(notice) = self.notices.get(&id) {
            self.judged(index, (id, &notice), time_ms, of);
        }
        let by_instrument = [Ground::ConsentOk, Ground::ConsentExceedsNotice, Ground::NoticeOk];
        self.by_instrument += u64::from(of.code.parse().is_ok_and(|ground| by_instrument.contains(&ground)));
    }

    fn judged(&mut self, index: u64, (id, notice): (MessageId, &Noticed), time_ms: i64, of: &Disclosed) {
        let (_, memorandum) = self.channel_of(notice);
        let terms = self.terms_of(memorandum);
        let is_shown = self.memoranda.get(memorandum).is_some();
        if let Some((code, expected, found)) = self.fault_of((id, notice), terms, time_ms, of) {
            return self.find(code, index, expected, found);
        }
        // That the export has no file of it at all is found where it was adopted.
        self.terms_missing += u64::from(terms.is_none() && is_shown);
        if self.is_unshown((id, notice), of) {
            *self.unshown.entry(of.code.clone()).or_default() += 1;
        }
    }

    /// The terms that the log had adopted last, where somebody gave their file.
    fn terms_of(&self, id: &str) -> Option<&'m Memorandum> {
        let adopted = self.adopted.get(id);
        let files = std::iter::once(self.memoranda).chain(self.earlier).filter_map(|files| files.get(id));
        files.into_iter().find(|of| adopted.is_none_or(|adopted| **adopted == of.terms_digest()))
    }

    /// Whether the log cannot show the ground: fields, audience and the content stand in the presentation.
    fn is_unshown(&self, (id, notice): (MessageId, &Noticed), of: &Disclosed) -> bool {
        use Ground::{
            AlreadyPublic, Clause8Embassy, NotThirdParty, OwnInformation, PreauthorisedField, PublicationDuty,
        };
        let answered = notice.answers.and_then(|id| self.notices.get(&id));
        match of.code.parse() {
            // Its words may be the other side's.
            Ok(OwnInformation) => {
                let may_repeat = self.carriers.contains(&id) || answered.is_some_and(|answered| !answered.sent);
                of.grounds.is_empty() && may_repeat
            }
            Ok(AlreadyPublic | Clause8Embassy | NotThirdParty | PreauthorisedField | PublicationDuty) => {
                of.grounds.is_empty()
            }
            _ => false,
        }
    }

    fn fault_of(
        &self,
        (id, notice): (MessageId, &Noticed),
        terms: Option<&Memorandum>,
        time_ms: i64,
        of: &Disclosed,
    ) -> Option<Fault> {
        let fault = |code, expected: &str, found: &str| Some((code, expected.to_owned(), found.to_owned()));
        let Ok(release) = of.code.parse::<Release>() else {
            if of.rules_version > RULES_VERSION {
                return None;
            }
            return fault("DECISION_CODE", "the code of a ground", "another text");
        };
        if release != Release::Allowed(Ground::OwnInformation)
            && let Some(fault) = terms.and_then(|terms| self.not_in_force(terms, time_ms))
        {
            return Some(fault);
        }
        let from_to = (of.valid_from_ms, if of.valid_until_ms == 0 { i64::MAX } else { of.valid_until_ms });
        if of.valid_from_ms > time_ms || from_to.1 < time_ms {
            let until = if of.valid_until_ms == 0 { "open".to_owned() } else { moment(of.valid_until_ms) };
            let expected = format!("a time within the validity of its ground: {} to {until}", moment(of.valid_from_ms));
            return Some(("GROUND_NOT_LIVE", expected, moment(time_ms)));
        }
        let for_somebody = matches!(
            release,
            Release::Allowed(
                Ground::ConsentOk
                    | Ground::ConsentExceedsNotice
                    | Ground::NoticeOk
                    | Ground::NotThirdParty
                    | Ground::PreauthorisedField
                    | Ground::Clause8Embassy
            )
        );
        if of.published && for_somebody {
            return fault("GROUND", "a ground on which something is published", &of.code);
        }
        let grounds: Vec<MessageId> = of.grounds.iter().filter_map(|ground| message_id(ground)).collect();
        if release == Release::Allowed(Ground::OwnInformation) && !notice.sent {
            return fault("GROUND", "a ground for the other side's information", "OWN_INFORMATION");
        }
        // A document that two persons recorded.
        if let Some(recorded) = grounds.first().filter(|ground| self.grounds.contains_key(ground)) {
            return self.recorded_fault(id, *recorded, release, time_ms);
        }
        let flow = self.flow_of(notice);
        // Of terms that nobody gave it is not known what they ask for.
        let basis = terms.map(Memorandum::basis);
        let is_other_than = |wanted: Basis| basis.is_some_and(|basis| basis != wanted);
        match release {
            Release::Allowed(Ground::ConsentOk) if basis == Some(Basis::Notice) => {
                fault("INSTRUMENT", "the instrument that clause 3 of the memorandum asks for", &of.code)
            }
            Release::Allowed(Ground::ConsentExceedsNotice) if is_other_than(Basis::Notice) => {
                fault("INSTRUMENT", "the instrument that clause 3 of the memorandum asks for", &of.code)
            }
            Release::Allowed(Ground::ConsentOk | Ground::ConsentExceedsNotice) => {
                self.granted(id, notice, &grounds).or_else(|| self.dates_fault(grounds.first(), of))
            }
            Release::Allowed(Ground::NoticeOk) if is_other_than(Basis::Notice) => {
                fault("INSTRUMENT", "the consent that clause 3 of the memorandum asks for", &of.code)
            }
            Release::Allowed(Ground::NoticeOk) => {
                self.given(id, &grounds, time_ms).or_else(|| self.dates_fault(grounds.first(), of))
            }
            Release::Allowed(Ground::IndependentSource) | Release::Decided(_) => {
                fault("GROUND_MISSING", "the entry of its ground", "none")
            }
            Release::Allowed(_) if !of.grounds.is_empty() => {
                fault("GROUND", "no entry beside a ground that needs none", "one")
            }
            Release::Allowed(Ground::PublicationDuty)
                if terms.is_some_and(|terms| !terms.must_publish(flow, notice.sent)) =>
            {
                fault("GROUND", "a kind that the memorandum has this side publish", flow)
            }
            Release::Allowed(Ground::PublicationDuty) if !of.published => {
                fault("GROUND", "a release to everybody", "one to somebody")
            }
            Release::Allowed(Ground::AlreadyPublic) if terms.is_some_and(|terms| !terms.is_public(flow)) => {
                fault("GROUND_MISSING", "a kind that is public, or the entry that says where it was published", "none")
            }
            Release::Allowed(Ground::Clause8Embassy) if !RETURN_ASSISTANCE.contains(&flow) => {
                fault("GROUND", "a request for assistance in return procedures, or its answer", flow)
            }
            Release::Allowed(
                Ground::OwnInformation
                | Ground::NotThirdParty
                | Ground::PublicationDuty
                | Ground::AlreadyPublic
                | Ground::PreauthorisedField
                | Ground::Clause8Embassy,
            ) => None,
        }
    }

    fn not_in_force(&self, memorandum: &Memorandum, time_ms: i64) -> Option<Fault> {
        let recorded = self.commenced.get(&memorandum.id).and_then(|on| civil::day(on));
        let since = match memorandum.commences() {
            CommencesOn::Day(day) => Some(recorded.unwrap_or(day)),
            CommencesOn::Receipt => recorded,
            CommencesOn::NotVerified => return None,
        };
        let today = civil::date_of(time_ms, UtcOffset::from_hms(EAST, 0, 0).unwrap_or(UtcOffset::UTC));
        if since.is_some_and(|since| today >= since) {
            return None;
        }
        let since = since.map_or("a day that is recorded first".to_owned(), |day| day.to_string());
        Some(("NOT_IN_FORCE", format!("a release under {} from {since} on", memorandum.id), moment(time_ms)))
    }

    /// A grant of the originator that answers a request about this very notice.
    fn granted(&self, id: MessageId, notice: &Noticed, grounds: &[MessageId]) -> Option<Fault> {
        let found = |of: Option<&MessageId>, flow: &str| {
            of.and_then(|id| Some((*id, self.content_of(*id)?))).filter(|(_, of)| self.flow_of(of) == flow)
        };
        let Some((_, grant)) = found(grounds.first(), CONSENT_GRANT) else {
            return Some(("GROUND_MISSING", "the entry of a consent grant".to_owned(), "none before it".to_owned()));
        };
        let Some((request_id, request)) = found(grounds.get(1), CONSENT_REQUEST) else {
            return Some((
                "GROUND_MISSING",
                "the entry of the request that was granted".to_owned(),
                "none before it".to_owned(),
            ));
        };
        let is_about = grant.channel == notice.channel
            && grant.answers == Some(request_id)
            && request.answers == Some(id)
            && grant.sent == notice.sent;
        (!is_about).then(|| {
            let expected = "a grant of its originator that answers a request about this notice".to_owned();
            ("GROUND", expected, "a grant about something else".to_owned())
        })
    }

    /// A disclosure notice about this very notice, which the originator had before.
    fn given(&self, id: MessageId, grounds: &[MessageId], time_ms: i64) -> Option<Fault> {
        let given = grounds.first().and_then(|id| Some((*id, self.content_of(*id)?)));
        let given = given.filter(|(_, given)| self.flow_of(given) == DISCLOSURE_NOTICE && given.sent);
        let Some((given_id, given)) = given else {
            return Some((
                "GROUND_MISSING",
                "the entry of a disclosure notice".to_owned(),
                "none before it".to_owned(),
            ));
        };
        if given.answers != Some(id) {
            let expected = "a disclosure notice about this notice".to_owned();
            return Some(("GROUND", expected, "one about another notice".to_owned()));
        }
        match self.delivered.get(&given_id) {
            Some(at_ms) if *at_ms <= time_ms.saturating_add(civil::CLOCKS_APART_MS) => None,
            Some(at_ms) => {
                Some(("GROUND_NOT_LIVE", "a release after the notice was delivered".to_owned(), moment(*at_ms)))
            }
            None => Some((
                "GROUND_MISSING",
                "the receipt for the disclosure notice".to_owned(),
                "none before it".to_owned(),
            )),
        }
    }

    fn recorded_fault(&self, id: MessageId, ground: MessageId, release: Release, time_ms: i64) -> Option<Fault> {
        let held = self.grounds.get(&ground)?;
        let fault = |code, expected: &str, found: &str| Some((code, expected.to_owned(), found.to_owned()));
        if !held.confirmed {
            return fault(
                "FOUR_EYES",
                "a recorded ground that a second person confirmed before",
                "one that nobody confirmed",
            );
        }
        if held.ended || !(held.from_ms..=held.until_ms).contains(&time_ms) {
            return fault(
                "GROUND_NOT_LIVE",
                "a recorded ground that counts at that time",
                "one that was ended, or is over",
            );
        }
        if held.about != id {
            return fault("GROUND", "a ground recorded for this notice", "one recorded for another");
        }
        let carries = match held.kind.parse::<OutsideGround>() {
            Ok(OutsideGround::PaperConsent) => {
                matches!(release, Release::Allowed(Ground::ConsentOk | Ground::ConsentExceedsNotice))
            }
            Ok(OutsideGround::OriginatorPublication) => release == Release::Allowed(Ground::AlreadyPublic),
            Ok(OutsideGround::LegalCompulsion) => release == Release::Decided(Escalation::LegalCompulsion),
            Ok(OutsideGround::MinistryRequest) => release == Release::Decided(Escalation::Clause5RelevantMinistry),
            Ok(OutsideGround::OwnWords) => release == Release::Allowed(Ground::OwnInformation),
            Ok(OutsideGround::PublicationBasis) => release == Release::Decided(Escalation::UnverifiedBasisStrict),
            Err(_) => false,
        };
        if carries {
            None
        } else {
            fault("INSTRUMENT", "a recorded ground of the kind that the release names", &held.kind)
        }
    }
}
