//! The directory of audiences: entered by one person, confirmed by another.

use verbale_domain::disclosure::Audience;
use verbale_domain::{Code, Refusal};
use verbale_envelope::{SealedFacts, WrappedKeys};
use verbale_evidence::MessageId;
use verbale_ledger::LogIndex;
use verbale_proto::v1::Facts;

use crate::change::{self, Change, Record};
use crate::state::Exchange;
use crate::step::{Effect, Output, Ticket, Told};

/// Audiences of one node: each is entered and confirmed by people.
const AUDIENCES_MAX: usize = 10_000;

/// An audience of the directory.
#[derive(Clone)]
pub struct HeldAudience {
    /// Its id.
    pub id: MessageId,
    /// Class and name; `None` after erasure.
    pub audience: Option<Audience>,
    /// The age recipient to which presentations for it are sealed.
    pub recipient: Option<String>,
    /// Pseudonym of who entered it.
    pub entered_by: String,
    /// Pseudonym of who confirmed it; only then it can be disclosed to.
    pub confirmed_by: Option<String>,
    /// Whether a person ended it: nothing is disclosed to it any more.
    pub ended: bool,
    /// Its entry.
    pub index: LogIndex,
}

fn unknown() -> Told {
    let reason = "is not in the directory: `verbale audience list` shows the names that are, as they are written";
    Told::Refused(Refusal::new(Code::BadValue, "audience", reason))
}

impl HeldAudience {
    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.audience.as_ref().is_some_and(|audience| audience.name == name)
    }

    /// Whether it can be disclosed to.
    fn counts(&self) -> bool {
        self.confirmed_by.is_some() && !self.ended
    }

    pub(crate) fn new(id: MessageId, facts: Option<&Facts>, entered_by: String, index: LogIndex) -> Self {
        let audience = facts
            .and_then(|facts| facts.particulars.as_ref())
            .and_then(|of| Some(Audience { class: of.audience_class.parse().ok()?, name: of.audience_name.clone() }));
        let recipient = facts.map(|facts| facts.recipient.clone()).filter(|recipient| !recipient.is_empty());
        Self { id, audience, recipient, entered_by, confirmed_by: None, ended: false, index }
    }
}

impl Exchange {
    /// The directory, in the order of entry.
    pub fn audiences(&self) -> impl Iterator<Item = &HeldAudience> {
        self.audiences.values()
    }

    /// The age recipient of a confirmed audience.
    pub fn recipient_of(&self, audience: &Audience) -> Option<&str> {
        let mut confirmed = self.audiences.values().filter(|held| held.counts());
        confirmed.find(|held| held.audience.as_ref() == Some(audience))?.recipient.as_deref()
    }

    /// The confirmed audience of this name: of the directory, or a body that a held memorandum names as a party (whether it is one of the
    /// memorandum in question is for the decision), or a contact point by its enrolled id, where a memorandum names its node.
    pub fn audience(&self, name: &str) -> Option<Audience> {
        let confirmed = self.audiences.values().filter(|held| held.counts());
        let mut named = confirmed.filter_map(|held| held.audience.as_ref()).filter(|audience| audience.name == name);
        let body =
            || Audience { class: verbale_domain::disclosure::AudienceClass::GovernmentBody, name: name.to_owned() };
        named.next().cloned().or_else(|| self.is_named_by_memorandum(name).then(body))
    }

    /// Whether a memorandum that is held names a party, or an enrolled contact point's node. A card alone makes nobody an audience: one
    /// person enrols it.
    fn is_named_by_memorandum(&self, name: &str) -> bool {
        let mut memoranda = self.own.memoranda.iter();
        memoranda.any(|of| {
            of.parties().any(|party| party == name)
                || (self.peers.contains_key(name) && of.nodes().any(|node| node == name))
        })
    }

    pub(crate) fn enter_audience(
        &mut self,
        now_ms: i64,
        ticket: Ticket,
        entering: (MessageId, String, Facts),
        (sealed, keys): (SealedFacts, WrappedKeys),
        output: &mut Output,
    ) {
        let (id, actor, facts) = entering;
        let held = HeldAudience::new(id, Some(&facts), actor.clone(), LogIndex(self.size));
        // Who differs only in case from another looks like that one.
        let is_alike = |held: &HeldAudience, name: &str| {
            held.audience.as_ref().is_some_and(|audience| audience.name.to_lowercase() == name.to_lowercase())
        };
        let confirmed = |name: &str| self.audiences.values().any(|held| held.counts() && is_alike(held, name));
        let refused = |reason: &str| Told::Refused(Refusal::new(Code::BadValue, "audience", reason));
        let told = match &held.audience {
            None => refused("has no class that is known"),
            Some(audience) if confirmed(&audience.name) => refused(
                "has a name that is in the directory already, or differs from one only in case; `verbale audience end` ends that entry",
            ),
            // Who they are is said elsewhere; an entry of another class would hide that.
            Some(audience) if self.is_named_by_memorandum(&audience.name) => {
                refused("is a party of a memorandum or an enrolled contact point, and needs no entry")
            }
            Some(_) if self.audiences.len() >= AUDIENCES_MAX => refused("would be one too many for the directory"),
            Some(_) => {
                let index = held.index;
                let event = change::audience_entered(id, &sealed.digest, &actor);
                let beside = Record { facts: Some(sealed.bytes), keys: Some((id, keys)), ..Record::default() };
                self.record(now_ms, event, Change::AudienceEntered(Box::new(held)), beside, output);
                Told::Done(index)
            }
        };
        output.effects.push(Effect::Tell { ticket, told });
    }

    pub(crate) fn confirm_audience(
        &mut self,
        now_ms: i64,
        ticket: Ticket,
        (audience, recipient): (&Audience, Option<&str>),
        actor: String,
        output: &mut Output,
    ) {
        let found = self.entered(&audience.name);
        let is_other = found
            .is_some_and(|held| held.audience.as_ref() != Some(audience) || held.recipient.as_deref() != recipient);
        let found = found.map(|held| (held.id, held.entered_by == actor, held.confirmed_by.is_some()));
        let told = match found {
            None => unknown(),
            Some(_) if is_other => {
                let reason =
                    "is entered with another class or key than those you give: look at `verbale audience list` again";
                Told::Refused(Refusal::new(Code::BadValue, "audience", reason))
            }
            Some((_, true, _)) => {
                let reason = "was entered by the same person; another one compares it and confirms it";
                Told::Refused(Refusal::new(Code::FourEyes, "audience", reason))
            }
            Some((_, _, true)) => Told::Refused(Refusal::new(Code::BadValue, "audience", "is confirmed already")),
            Some((id, ..)) => {
                let index = LogIndex(self.size);
                let event = change::audience_confirmed(id, &actor);
                self.record(now_ms, event, Change::AudienceConfirmed { id, actor }, Record::default(), output);
                Told::Done(index)
            }
        };
        output.effects.push(Effect::Tell { ticket, told });
    }

    /// The entry of this name that nobody ended.
    fn entered(&self, name: &str) -> Option<&HeldAudience> {
        self.audiences.values().find(|held| held.is_named(name) && !held.ended)
    }

    /// Ends an entry: one person suffices, since nothing gets out by it.
    pub(crate) fn end_audience(
        &mut self,
        now_ms: i64,
        ticket: Ticket,
        (name, actor): (&str, &str),
        output: &mut Output,
    ) {
        let told = match self.entered(name).map(|held| held.id) {
            None => unknown(),
            Some(id) => {
                let index = LogIndex(self.size);
                let event = change::audience_ended(id, actor);
                self.record(now_ms, event, Change::AudienceEnded { id }, Record::default(), output);
                Told::Done(index)
            }
        };
        output.effects.push(Effect::Tell { ticket, told });
    }
}
