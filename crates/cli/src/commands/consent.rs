//! `verbale consent`: requests, grants, refusals and withdrawals (F20 to F23).

use std::process::ExitCode;

use serde_json::json;
use verbale_domain::flow::{CONSENT_GRANT, CONSENT_REFUSE, CONSENT_REQUEST, CONSENT_WITHDRAW, DISCLOSURE_NOTICE};
use verbale_proto::v1::{ConsentStatus, ConsentsRequest, DraftStatus, DraftsRequest, WriteRequest, submit_response};

use super::submit::{as_json, as_text};
use super::{Client, client, drafts};
use crate::args::{ConsentCommand, NodeArgs, ScopeArgs};
use crate::failure::CliError;
use crate::output::{moment, say, table};

/// Kinds that the commands here draft.
const CONSENT: [&str; 3] = [CONSENT_GRANT, CONSENT_WITHDRAW, DISCLOSURE_NOTICE];

pub(crate) async fn run(command: ConsentCommand, node: &NodeArgs) -> Result<ExitCode, CliError> {
    let request = match command {
        ConsentCommand::Request { id, scope, from, until } => {
            WriteRequest { valid_from: given(from), valid_to: given(until), ..about(CONSENT_REQUEST, id, scope) }
        }
        ConsentCommand::Grant { id, fields, from, until, condition, concurrence } => WriteRequest {
            fields,
            concurrence,
            valid_from: given(from),
            valid_to: given(until),
            conditions: condition,
            ..about(CONSENT_GRANT, id, ScopeArgs::default())
        },
        ConsentCommand::Refuse { id, reason } => {
            WriteRequest { reason, ..about(CONSENT_REFUSE, id, ScopeArgs::default()) }
        }
        ConsentCommand::Withdraw { id, reason, effective_at } => {
            let effective_at = given(effective_at);
            WriteRequest { reason, effective_at, ..about(CONSENT_WITHDRAW, id, ScopeArgs::default()) }
        }
        ConsentCommand::List { waiting } => return list(waiting, node).await,
    };
    write(request, node).await
}

/// A notice about another one.
pub(crate) fn about(flow: &str, id: String, scope: ScopeArgs) -> WriteRequest {
    let ScopeArgs { to, fields, purpose, .. } = scope;
    let (audience, purpose) = (given(to), given(purpose));
    WriteRequest { flow: flow.to_owned(), id, fields, audience, purpose, ..WriteRequest::default() }
}

pub(crate) fn given(text: Option<String>) -> String {
    text.unwrap_or_default()
}

/// Lets the node write the notice, and says what came of it.
pub(crate) async fn write(request: WriteRequest, node: &NodeArgs) -> Result<ExitCode, CliError> {
    let response = client(node).await?.write(request).await?.into_inner();
    say!("{}", if node.json { as_json(1, &response).to_string() } else { as_text(1, &response) });
    let refused = matches!(response.outcome, Some(submit_response::Outcome::Refused(_)));
    Ok(if refused { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

async fn list(waiting: bool, node: &NodeArgs) -> Result<ExitCode, CliError> {
    let mut client = client(node).await?;
    let mut consents = client.consents(ConsentsRequest {}).await?.into_inner().consents;
    consents.retain(|consent| !waiting || (!consent.ours && consent.state == "WAITING"));
    if node.json {
        for consent in &consents {
            say!("{}", consent_json(consent));
        }
    } else {
        let mut rows =
            table(&["request", "by", "about", "fields", "audience", "state", "answer", "with", "from", "until"]);
        for consent in &consents {
            rows.add_row(row(consent));
        }
        say!("{rows}");
    }
    if waiting {
        if let (false, Some(consent)) = (node.json, consents.first()) {
            let (draft, approve) = (consent.can_draft.join(" or "), consent.can_approve.join(" or "));
            say!(
                "\n{draft} can draft an answer (verbale consent grant or refuse); another person approves it: {approve}."
            );
        }
        let drafts = drafts_of_consent(&mut client).await?;
        if !node.json && !drafts.is_empty() {
            say!("\nDrafts that wait for a second person:");
        }
        drafts::print(&drafts, node.json)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn drafts_of_consent(client: &mut Client) -> Result<Vec<DraftStatus>, CliError> {
    let mut drafts = client.drafts(DraftsRequest {}).await?.into_inner().drafts;
    drafts.retain(|draft| CONSENT.contains(&draft.flow.as_str()));
    Ok(drafts)
}

fn row(consent: &ConsentStatus) -> [String; 10] {
    let audience = match consent.audience_name.as_str() {
        "" => consent.audience_class.clone(),
        name => format!("{name} ({})", consent.audience_class),
    };
    let state = match (consent.state.as_str(), consent.withdrawn_ms) {
        (state, 0) => state.to_owned(),
        ("WITHDRAWN", withdrawn) => format!("WITHDRAWN since {}", moment(withdrawn)),
        (state, withdrawn) => format!("{state}, withdrawn from {} on", moment(withdrawn)),
    };
    let conditions = match consent.conditions {
        0 => String::new(),
        1 => ", 1 condition".to_owned(),
        conditions => format!(", {conditions} conditions"),
    };
    let state = state + &conditions;
    [
        consent.request.clone(),
        if consent.ours { "us".to_owned() } else { consent.asked_by.clone() },
        format!("{} {}", consent.memorandum, consent.about),
        consent.fields.join(", "),
        audience,
        state,
        consent.answer.clone(),
        consent.concurrence.clone(),
        consent.valid_from.clone(),
        consent.valid_to.clone(),
    ]
}

fn consent_json(consent: &ConsentStatus) -> String {
    let some = |text: &String| (!text.is_empty()).then(|| text.clone());
    json!({
        "request": consent.request, "memorandum": consent.memorandum, "about": consent.about, "fields": consent.fields,
        "audience_class": consent.audience_class, "audience_name": some(&consent.audience_name),
        "purpose": some(&consent.purpose), "asked_by": consent.asked_by, "ours": consent.ours, "state": consent.state,
        "answer": some(&consent.answer), "valid_from": some(&consent.valid_from), "valid_to": some(&consent.valid_to),
        "can_draft": consent.can_draft, "can_approve": consent.can_approve,
        "withdrawn_from": (consent.withdrawn_ms != 0).then(|| moment(consent.withdrawn_ms)), "conditions": consent.conditions,
        "concurrence": some(&consent.concurrence),
    })
    .to_string()
}
