//! No ground holds: the refusal that says what was nearest, and what would make the disclosure lawful.

use super::evidence::{GrantMiss, NoticeMiss};
use super::grounds::Publication;
use super::{Asked, Decision, Denial, Evidence};
use crate::civil;
use crate::memorandum::Basis;
use crate::rules::covers;

const ASK: &str = "ask for it with `verbale consent request`";
const NOTIFY: &str = "give notice with `verbale disclosure notify`, and disclose when its receipt is held";

impl Asked<'_> {
    /// Rule 9.
    pub(super) fn nearest_miss(&self) -> Decision {
        let clause = self.memorandum.clause_of_disclosure();
        if self.publication_duty() == Publication::Superseded {
            let reason = "a correction took its place; publish that one";
            return self.deny(Denial::Superseded, clause, reason);
        }
        if self.find(|evidence| matches!(evidence, Evidence::Quotes(_)).then_some(())).is_some() {
            let whose = if self.question.marks.carries_onward {
                "it carries a third side's information, which its words may repeat"
            } else {
                "it answers the other side, whose information it may repeat"
            };
            let reason = format!(
                "{whose}; what repeats nothing leaves when two persons recorded how they compared it (`verbale ground record DOCUMENT --kind \
                 own-words`); ask about the rest"
            );
            return self.deny(Denial::DerivedFromOther, clause, &reason);
        }
        let leaked = self.find(|evidence| match evidence {
            Evidence::Leaked(of) => self.leaked(of).then_some(()),
            _ => None,
        });
        if leaked.is_some() {
            let reason =
                format!("a leak does not end confidentiality, and to confirm it is a disclosure; {}", self.remedy());
            return self.deny(Denial::LeakNotRelease, clause, &reason);
        }
        match self.memorandum.basis() {
            Basis::Consent => self.consent_miss(clause),
            Basis::Notice => self.notice_miss(clause),
            Basis::Unknown => {
                let reason = format!("the text was not seen, so written consent of the other side is required; {ASK}");
                self.deny(Denial::UnverifiedBasisStrict, clause, &reason)
            }
        }
    }

    fn remedy(&self) -> &'static str {
        match self.memorandum.basis() {
            Basis::Notice => NOTIFY,
            Basis::Consent | Basis::Unknown => ASK,
        }
    }

    fn leaked(&self, of: &[String]) -> bool {
        let about = |field: &String| of.iter().any(|path| covers(path, field) || covers(field, path));
        of.is_empty() || self.question.scope.fields.iter().any(about)
    }

    fn consent_miss(&self, clause: &str) -> Decision {
        let (scope, at) = (self.question.scope, self.question.at_ms);
        let misses = self.question.evidence.iter().filter_map(|evidence| match evidence {
            Evidence::Grant(grant) if grant.about_this => Some((grant.misses(scope, at), grant.from_ms)),
            _ => None,
        });
        // The grant that lacks least; of those, the one whose first miss comes first.
        let nearest = misses
            .filter(|(misses, _)| !misses.is_empty())
            .min_by_key(|(misses, from_ms)| (misses.len(), misses.first().copied(), *from_ms));
        if let Some(([GrantMiss::NotYet], from_ms)) =
            nearest.as_ref().map(|(misses, from_ms)| (misses.as_slice(), *from_ms))
        {
            let reason = format!("the consent that is held begins on {}; disclose then", self.moment(from_ms));
            return self.deny(Denial::ConsentNotYet, clause, &reason);
        }
        let (denial, what) = match nearest.and_then(|(misses, _)| misses.first().copied()) {
            Some(GrantMiss::Audience) => (Denial::ConsentAudience, "the consent that is held names another audience"),
            Some(GrantMiss::Fields) => (Denial::ConsentFields, "the consent that is held does not cover every field"),
            Some(GrantMiss::Purpose) => (Denial::ConsentPurpose, "the consent that is held is for another purpose"),
            Some(GrantMiss::Expired) => (Denial::ConsentExpired, "the consent that is held has expired"),
            Some(GrantMiss::NotYet) => (Denial::ConsentNotYet, "the consent that is held has not begun"),
            Some(GrantMiss::Withdrawn) => (Denial::ConsentWithdrawn, "the consent was withdrawn"),
            None if self.has_notice() => {
                (Denial::WrongInstrument, "a notice was given, and this memorandum asks for written consent")
            }
            None if self.has_ended() => (
                Denial::SurvivesTermination,
                "the memorandum has ended, and what was obtained under it stays protected (interpretation)",
            ),
            None => (Denial::ConsentMissing, "there is no written consent of the other side; silence is none"),
        };
        self.deny(denial, clause, &format!("{what}; {ASK}"))
    }

    fn notice_miss(&self, clause: &str) -> Decision {
        let (scope, at) = (self.question.scope, self.question.at_ms);
        let misses = self.question.evidence.iter().filter_map(|evidence| match evidence {
            Evidence::Notice(given) if given.about_this => Some((given.misses(scope, at), given.not_before_ms)),
            _ => None,
        });
        let nearest = misses
            .filter(|(misses, _)| !misses.is_empty())
            .min_by_key(|(misses, not_before_ms)| (misses.len(), misses.first().copied(), *not_before_ms));
        // Where nothing else is missing, it comes by itself.
        let waiting = nearest.as_ref().map(|(misses, not_before_ms)| (misses.as_slice(), self.moment(*not_before_ms)));
        match waiting {
            Some(([NoticeMiss::NotDelivered] | [NoticeMiss::NotDelivered, NoticeMiss::TooEarly], from)) => {
                let reason = format!(
                    "the notice was sent, and no receipt for it is held: `verbale show` says where it is; disclose when it is there, from \
                     {from} on"
                );
                return self.deny(Denial::NoticeNotDelivered, clause, &reason);
            }
            Some(([NoticeMiss::TooEarly], from)) => {
                let reason = format!("the earliest moment that the notice names is {from}; disclose then");
                return self.deny(Denial::NoticeTooEarly, clause, &reason);
            }
            _ => {}
        }
        let (denial, what) = match nearest.and_then(|(misses, _)| misses.first().copied()) {
            Some(NoticeMiss::NotDelivered) => (Denial::NoticeNotDelivered, "no receipt for the notice is held"),
            Some(NoticeMiss::Retroactive) => (
                Denial::NoticeRetroactive,
                "the notice came only after the disclosure, by the clock of its receipt, which may be ahead of this one",
            ),
            Some(NoticeMiss::Audience) => (Denial::NoticeAudience, "the notice that was given names another audience"),
            Some(NoticeMiss::Fields) => (Denial::NoticeFields, "the notice that was given does not cover every field"),
            Some(NoticeMiss::TooEarly) => {
                (Denial::NoticeTooEarly, "the earliest moment that the notice names has not come")
            }
            Some(NoticeMiss::Purpose) => (Denial::NoticeMissing, "the notice that was given is for another purpose"),
            None => (Denial::NoticeMissing, "there was no written notice to the other side"),
        };
        self.deny(denial, clause, &format!("{what}; {NOTIFY}"))
    }

    /// A moment as it is at the discloser's.
    fn moment(&self, at_ms: i64) -> String {
        civil::moment_text(at_ms, self.side.map_or(time::UtcOffset::UTC, |side| self.memorandum.utc_offset(side)))
    }

    fn has_notice(&self) -> bool {
        let is_notice = |evidence: &Evidence| matches!(evidence, Evidence::Notice(given) if given.about_this);
        self.question.evidence.iter().any(is_notice)
    }
}
