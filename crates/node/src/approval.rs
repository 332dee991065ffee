//! Four eyes: what one person drafted, another one with the role approver sends.

use std::sync::Arc;

use verbale_domain::Notice;
use verbale_exchange::{Approval, Exchange, HeldDraft, Input, Told};
use verbale_journal::{Journal, Store};
use verbale_proto::v1::{Accepted, DraftStatus};
use verbale_rpc::tonic::Status;
use verbale_rpc::{Failure, FailureKind};

use crate::core::{Answer, Core, Needs, Stopped};
use crate::local::stopping;
use crate::local_reads::{self, SealedHeld, failed, reveal, sealed};
use crate::onward;
use crate::person::{Person, Persons};
use crate::shared::Shared;
use crate::submit::refused_status;

/// Drafts, and who can approve each.
pub(crate) fn drafts(exchange: &Exchange, persons: &Persons) -> Vec<DraftStatus> {
    let status = |draft: &HeldDraft| DraftStatus {
        message_id: draft.message_id.to_string(),
        notice_id: draft.notice_id.clone().unwrap_or_default(),
        flow: draft.flow.clone(),
        kind: Notice::kind_of(&draft.flow).unwrap_or_default().to_owned(),
        memorandum: draft.memorandum.clone(),
        counterpart: draft.recipient.clone(),
        drafted_by: draft.actor.clone(),
        time_ms: draft.time_ms,
        approvers: persons.approvers(&draft.actor),
    };
    exchange.drafts().map(status).collect()
}

/// Approves a draft for a person.
pub(crate) async fn approve(
    shared: &Arc<Shared>,
    core: &Core,
    person: &Arc<Person>,
    id: String,
) -> Result<Accepted, Status> {
    let held = core.read(move |exchange, journal| draft(exchange, journal, &id)).await.map_err(stopping)??;
    let (opening, actor) = (Arc::clone(shared), person.name.clone());
    let approval = tokio::task::spawn_blocking(move || approval(&opening, held, actor));
    let approval = approval.await.map_err(|_| stopping(Stopped))??;
    let asked = core.ask(Needs::Room, move |ticket| Input::Approve(ticket, Box::new(approval))).await;
    match asked.map_err(stopping)?.await {
        Ok(Answer::Told { told: Told::Accepted { message_id, number, already_known }, .. }) => {
            Ok(Accepted { message_id: message_id.to_string(), number, already_known })
        }
        Ok(Answer::Told { told: Told::Refused(refusal), .. }) => Err(refused_status(shared, &refusal)),
        Ok(Answer::Told { told: Told::NoSuchNotice, .. }) => Err(no_such_draft().status()),
        Ok(Answer::NotNow(failure)) => Err(failure.status()),
        _ => Err(stopping(Stopped)),
    }
}

/// A draft as the journal holds it, and its facts.
fn draft(exchange: &Exchange, journal: &Journal, id: &str) -> Result<(SealedHeld, HeldDraft, Vec<u8>), Failure> {
    let draft = local_reads::draft(exchange, id)?.ok_or_else(no_such_draft)?.clone();
    let facts = journal.facts(draft.index).map_err(|error| failed(&error))?;
    let facts = facts.ok_or_else(no_such_draft)?;
    Ok((sealed(exchange, journal, &draft.message_id.to_string())?, draft, facts))
}

fn approval(
    shared: &Shared,
    (held, draft, sealed_facts): (SealedHeld, HeldDraft, Vec<u8>),
    actor: String,
) -> Result<Approval, Failure> {
    let (opened, keys) = reveal(shared, &held)?;
    let facts = keys.facts.open(draft.message_id, &sealed_facts, &draft.facts_digest);
    let facts = facts.map_err(|error| Failure::new(FailureKind::Damaged, "DAMAGED", error.to_string()))?;
    let (message_id, subject) = (draft.message_id, opened.notice.subject());
    let carries = onward::check(shared, &opened.notice, (&shared.card.id, &draft.recipient));
    let carries = carries.map_err(|refused| {
        let refusal = refused.0;
        Failure::new(FailureKind::Refused, refusal.code.as_str(), refusal.to_string())
    })?;
    Ok(Approval { message_id, actor, subject, sealed: held.sealed, facts, sealed_facts, carries })
}

pub(crate) fn no_such_draft() -> Failure {
    let text = "no draft of that message id or registry number waits; `verbale drafts` shows those that do";
    Failure::new(FailureKind::NotFound, "NO_SUCH_DRAFT", text)
}
