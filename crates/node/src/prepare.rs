//! The work before a step: form, seal, verify, open. It runs in workers, beside the core.

use verbale_domain::flow::COMMENCEMENT_RECORD;
use verbale_domain::{Code, Notice, Refusal, Subject, needs_approval, recipient};
use verbale_envelope::{Recipient, SealedNotice, Unopened, open, seal};
use verbale_evidence::{MessageId, UnverifiedEnvelope, VerifiedEnvelope, is_identifier};
use verbale_exchange::{Arrival, Draft, Kept, Rejection, Submission};

use crate::clock::now_ms;
use crate::config::RoleName;
use crate::onward;
use crate::person::Person;
use crate::random;
use crate::shared::Shared;

/// Checks the form of a notice and seals it.
pub(crate) fn submission(shared: &Shared, person: &Person, json: &[u8]) -> Result<Submission, Refusal> {
    let notice = Notice::from_json(json)?;
    let digest = shared.archive.notice_digest(&notice);
    let subject = notice.subject();
    require_role(person, &subject.header.flow)?;
    let draft = draft(shared, &notice, &subject, digest).map(Box::new);
    let may_bind = BINDERS.iter().any(|role| person.has(*role));
    Ok(Submission { actor: person.name.clone(), may_bind, subject, digest, draft })
}

/// Who drafts what binds a side.
const BINDERS: [RoleName; 2] = [RoleName::Operator, RoleName::Approver];

/// What records a fact needs an approver; what binds a side is drafted by a person, never by a system.
fn require_role(person: &Person, flow: &str) -> Result<(), Refusal> {
    let needed: &[RoleName] = match flow {
        COMMENCEMENT_RECORD => &[RoleName::Approver],
        flow if needs_approval(flow) => &BINDERS,
        _ => return Ok(()),
    };
    if needed.iter().any(|role| person.has(*role)) {
        return Ok(());
    }
    let names: Vec<String> = needed.iter().map(|role| format!("{role:?}").to_lowercase()).collect();
    let reason = format!("{flow} needs the role {}; an administrator gives it in verbale.toml", names.join(" or "));
    Err(Refusal::new(Code::NotAllowed, "flow", reason))
}

/// The registry number of a notice that has no form, where it can be read.
pub(crate) fn number_of(notice: Option<&serde_json::Value>) -> String {
    let number = notice.and_then(|notice| notice.get("notice_id")).and_then(serde_json::Value::as_str);
    number.filter(|number| is_identifier(number)).unwrap_or_default().to_owned()
}

fn draft(shared: &Shared, notice: &Notice, subject: &Subject, digest: [u8; 32]) -> Result<Draft, Refusal> {
    let own = shared.card.id.as_str();
    // Whether it may travel is for the core to say; here it is only asked to whom it would be sealed.
    let to = recipient(&subject.header, &shared.memoranda, now_ms())?;
    let peers = shared.peers.now();
    let not_enrolled = |reason: &str| Refusal::new(Code::NotEnrolled, "to.office", reason);
    let peer = peers.by_id.get(&to);
    let peer =
        peer.ok_or_else(|| not_enrolled("has no card on this node; run `verbale card enrol`, then submit again"))?;
    if peer.is_revoked() {
        return Err(not_enrolled("has a card that its owner revoked; enrol its next one by hand, then submit again"));
    }
    let recipient: Recipient =
        peer.card().age_recipient.parse().map_err(|_| not_enrolled("has a card whose age recipient cannot be used"))?;
    let carries = onward::check(shared, notice, (own, &to)).map_err(|refused| refused.0)?;
    let message_id = MessageId::new(now_ms().unsigned_abs(), &random::bytes());
    let sealed = seal(notice, own, (&to, &recipient), message_id, random::bytes())
        .map_err(|error| Refusal::new(Code::TooLarge, "", error.to_string()))?;
    let limit = shared.config.limits.sealed_bytes_max;
    if sealed.bytes.len() as u64 > limit {
        let reason = format!(
            "the sealed notice is {} bytes, the limit is {limit}; send attachments by another way",
            sealed.bytes.len()
        );
        return Err(Refusal::new(Code::TooLarge, "", reason));
    }
    let kept =
        Kept::prepare(&shared.archive, message_id, subject, digest, (&sealed.file_key, &carries), &random::bytes());
    Ok(Draft { message_id, recipient: to, recipient_key: recipient.fingerprint(), sealed, kept, carries })
}

/// Verifies an envelope under a card of the counterpart that is connected. Whether an earlier one still counts is for the core to say.
pub(crate) fn verified(shared: &Shared, peer: &str, envelope: &[u8]) -> Result<VerifiedEnvelope, Rejection> {
    let peers = shared.peers.now();
    let live = peers.by_id.get(peer).filter(|peer| !peer.is_revoked());
    let cards = live.map(|peer| &peer.cards).ok_or(Rejection::NotAuthentic)?;
    let unverified = UnverifiedEnvelope::parse(envelope).map_err(|_| Rejection::NotAuthentic)?;
    let verified = cards.verify(unverified).map_err(|_| Rejection::NotAuthentic)?;
    let (statement, now) = (verified.statement(), now_ms());
    // One that only its sender's clock puts there is refused, with a receipt.
    let over = cards
        .over_since_ms(statement.created_ms.min(now), |card| card.envelope_key.fingerprint() == statement.sender_key);
    if over.is_some() { Err(Rejection::CardOver) } else { Ok(verified) }
}

/// Opens a notice of a counterpart as far as it can be opened. `sealed` is `None` for a statement alone.
pub(crate) fn arrival(
    shared: &Shared,
    envelope: VerifiedEnvelope,
    sealed: Option<Vec<u8>>,
) -> Result<Arrival, Rejection> {
    let Some(sealed) = sealed else { return Ok(Arrival::StatementOnly(Box::new(envelope))) };
    let (bytes, limit) = (envelope.statement().sealed_bytes, shared.config.limits.sealed_bytes_max);
    if bytes > limit {
        let reason = format!("the sealed notice is {bytes} bytes, the limit of this node is {limit}");
        let refusal = Refusal::new(Code::TooLarge, "", reason);
        return Ok(Arrival::Unopened(Box::new(Unopened { envelope, refusal })));
    }
    let recipient_key = envelope.statement().recipient_key;
    let bound = SealedNotice::bind(envelope, sealed).map_err(|_| Rejection::NotTheSignedBytes)?;
    // What was under way when the card changed is sealed to the key of the one before.
    let earlier = shared.earlier.identity(&recipient_key);
    let identity = earlier.as_ref().map_or(&shared.identity, |earlier| &earlier.identity);
    Ok(match open(bound, identity) {
        Err(unopened) => Arrival::Unopened(unopened),
        Ok(opened) => {
            let sender = &opened.envelope().statement().sender;
            if let Err(breach) = onward::check(shared, opened.notice(), (sender, &shared.card.id)) {
                let (refusal, carried) = *breach;
                let unopened = Unopened { envelope: opened.into_parts().0, refusal };
                return Ok(Arrival::Breach(Box::new((unopened, onward::report(shared, carried)))));
            }
            let digest = shared.archive.notice_digest(opened.notice());
            let (id, subject) = (opened.envelope().statement().message_id, opened.notice().subject());
            let kept = Kept::prepare(&shared.archive, id, &subject, digest, (opened.file_key(), &[]), &random::bytes());
            Arrival::Opened(Box::new((opened, kept)))
        }
    })
}
