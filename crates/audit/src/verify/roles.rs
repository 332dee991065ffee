//! Who did something, and which roles may: what `local.proto` promises of each method, seen from the entry that it leaves.

use time::UtcOffset;
use verbale_domain::civil;
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{AssignedRoles, Configured};

/// Whoever may submit.
const ANY: &[&str] = &["system", "operator", "approver"];

/// People.
const PEOPLE: &[&str] = &["operator", "approver"];

/// Who decides.
pub(super) const APPROVER: &[&str] = &["approver"];

/// Who did it, by pseudonym, and the roles of which one is needed.
pub(super) fn actor_of(event: &Event) -> Option<(&str, &'static [&'static str])> {
    Some(match event {
        // A card statement is the node's own; that nothing else is, is seen with its envelope.
        Event::NoticeSent(of) if of.actor.is_empty() => return None,
        Event::NoticeSent(of) if of.drafted_by.is_empty() => (&of.actor, ANY),
        Event::NoticeSent(of) => (&of.actor, APPROVER),
        Event::NoticeCarriedOn(of) => (&of.actor, ANY),
        Event::NoticeOpened(of) => (&of.actor, ANY),
        Event::NoticeHandedOver(of) => (&of.actor, &["system", "operator"]),
        Event::PeerEnrolled(of) => (&of.actor, &["operator"]),
        Event::NoticeDrafted(of) => (&of.actor, PEOPLE),
        Event::DraftDropped(of) => (&of.actor, PEOPLE),
        Event::Disclosed(of) if of.published => (&of.actor, PEOPLE),
        Event::Disclosed(of) => (&of.actor, APPROVER),
        Event::DisclosureDenied(of) => (&of.actor, PEOPLE),
        Event::AudienceEntered(of) => (&of.actor, PEOPLE),
        Event::AudienceConfirmed(of) => (&of.actor, PEOPLE),
        Event::AudienceEnded(of) => (&of.actor, PEOPLE),
        Event::GroundRecorded(of) => (&of.actor, PEOPLE),
        Event::GroundConfirmed(of) => (&of.actor, APPROVER),
        Event::GroundEnded(of) => (&of.actor, PEOPLE),
        Event::ErasureAsked(of) => (&of.actor, PEOPLE),
        Event::ErasureDropped(of) => (&of.actor, PEOPLE),
        Event::ContentErased(of) => (&of.actor, APPROVER),
        Event::LogExported(of) => (&of.actor, &["auditor", "operator"]),
        _ => return None,
    })
}

/// Whether a person has one of the roles, or stands in for an approver on the day.
pub(super) fn may_act(configured: &Configured, person: &AssignedRoles, roles: &[&str], time_ms: i64) -> bool {
    // The entry's time may be later than the clock by which it was decided.
    let [first, last] = [-civil::CLOCKS_APART_MS, civil::CLOCKS_APART_MS]
        .map(|apart| civil::date_of(time_ms.saturating_add(apart), UtcOffset::UTC).to_string());
    let stands_in = || {
        // Days in the form YYYY-MM-DD: their order is that of their text.
        let deputies = configured.deputies.iter().filter(|deputy| deputy.person == person.person);
        roles.contains(&"approver") && deputies.into_iter().any(|deputy| deputy.from <= last && first <= deputy.until)
    };
    person.roles.iter().any(|role| roles.contains(&role.as_str())) || stands_in()
}
