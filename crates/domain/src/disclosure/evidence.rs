//! What a decision may rest on beside the notice itself.

use sha2::{Digest as _, Sha256};

use super::{Audience, Scope};

/// A piece of evidence. A daemon takes it from its own journal, never from the caller's word.
#[derive(Clone)]
pub enum Evidence {
    /// Consent of the originator (F21).
    Grant(Grant),
    /// Notice to the originator (F24).
    Notice(GivenNotice),
    /// Consent was asked for (F20). Silence is none.
    Request,
    /// The originator objects to a notice. It is no veto.
    Objection,
    /// The originator published these fields itself.
    PublishedByOriginator(Vec<String>),
    /// The discloser has a record of its own, with its own provenance.
    IndependentSource,
    /// These fields of the own notice quote the other side; none named: all.
    Quotes(Vec<String>),
    /// These fields leaked.
    Leaked(Vec<String>),
    /// A court or a law compels; the basis in words.
    LegalCompulsion(String),
    /// Only counts are disclosed.
    Aggregate,
}

/// A grant of consent.
#[derive(Clone)]
pub struct Grant {
    /// Whether it is about the notice in question.
    pub about_this: bool,
    /// What it covers.
    pub scope: Scope,
    /// First moment, in milliseconds since 1970-01-01 UTC.
    pub from_ms: i64,
    /// Last moment, likewise.
    pub until_ms: i64,
    /// The moment from which a withdrawal binds, likewise.
    pub withdrawn_ms: Option<i64>,
}

/// A disclosure notice.
#[derive(Clone)]
pub struct GivenNotice {
    /// Whether it is about the notice in question.
    pub about_this: bool,
    /// What it announces.
    pub scope: Scope,
    /// Earliest moment of disclosure, in milliseconds since 1970-01-01 UTC.
    pub not_before_ms: i64,
    /// When its receipt was held, likewise; `None`: not delivered.
    pub delivered_ms: Option<i64>,
}

/// Why a grant does not cover a disclosure, in the order in which refusals are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum GrantMiss {
    Audience,
    Fields,
    Purpose,
    Expired,
    NotYet,
    Withdrawn,
}

/// Why a disclosure notice does not cover a disclosure, likewise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NoticeMiss {
    NotDelivered,
    Retroactive,
    Audience,
    Fields,
    TooEarly,
    Purpose,
}

impl Grant {
    /// What is missing at a moment; nothing: it is live and covers the scope.
    pub(super) fn misses(&self, asked: &Scope, at_ms: i64) -> Vec<GrantMiss> {
        let checks = [
            (self.scope.audience == asked.audience, GrantMiss::Audience),
            (self.scope.covers_fields(&asked.fields), GrantMiss::Fields),
            (self.scope.purpose == asked.purpose, GrantMiss::Purpose),
            (at_ms <= self.until_ms, GrantMiss::Expired),
            (at_ms >= self.from_ms, GrantMiss::NotYet),
            (self.withdrawn_ms.is_none_or(|withdrawn| at_ms < withdrawn), GrantMiss::Withdrawn),
        ];
        failed(&checks)
    }
}

impl GivenNotice {
    /// What is missing at a moment; nothing: it was delivered before and covers the scope.
    pub(super) fn misses(&self, asked: &Scope, at_ms: i64) -> Vec<NoticeMiss> {
        let checks = [
            (self.delivered_ms.is_some(), NoticeMiss::NotDelivered),
            (self.delivered_ms.is_none_or(|delivered| delivered < at_ms), NoticeMiss::Retroactive),
            (self.scope.audience == asked.audience, NoticeMiss::Audience),
            (self.scope.covers_fields(&asked.fields), NoticeMiss::Fields),
            (at_ms >= self.not_before_ms, NoticeMiss::TooEarly),
            (self.scope.purpose == asked.purpose, NoticeMiss::Purpose),
        ];
        failed(&checks)
    }
}

fn failed<M: Copy>(checks: &[(bool, M)]) -> Vec<M> {
    checks.iter().filter(|(holds, _)| !holds).map(|(_, miss)| *miss).collect()
}

impl Audience {
    /// Whether it is a body of government of this name.
    pub(super) fn is_body(&self) -> bool {
        self.class == super::AudienceClass::GovernmentBody
    }
}

/// The code of conditions: whoever acknowledges them has seen these. Empty where there are none.
pub fn conditions_code(conditions: &[String]) -> String {
    let mut digest = Sha256::new_with_prefix("verbale/conditions/v1");
    for condition in conditions {
        digest.update((condition.len() as u64).to_be_bytes());
        digest.update(condition);
    }
    // Half of it: who grants chooses the words, and must not find two sets of them with one code.
    let digest: [u8; 32] = digest.finalize().into();
    let half = digest.first_chunk().copied().unwrap_or_default();
    if conditions.is_empty() { String::new() } else { format!("{:032x}", u128::from_be_bytes(half)) }
}
