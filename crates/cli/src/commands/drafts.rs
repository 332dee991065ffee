//! `verbale drafts`, `approve` and `drop`: what binds a side takes two persons.

use std::process::ExitCode;

use serde_json::json;
use verbale_proto::v1::{ApproveRequest, DraftStatus, DraftsRequest, DropDraftRequest};

use super::client;
use super::submit::who_can_act;
use crate::args::NodeArgs;
use crate::failure::CliError;
use crate::output::{moment, say, table};

pub(crate) async fn list(node: &NodeArgs) -> Result<ExitCode, CliError> {
    let drafts = client(node).await?.drafts(DraftsRequest {}).await?.into_inner().drafts;
    print(&drafts, node.json)?;
    Ok(ExitCode::SUCCESS)
}

/// Drafts, with who can act.
pub(crate) fn print(drafts: &[DraftStatus], as_json: bool) -> Result<(), CliError> {
    let mut rows = table(&["notice", "flow", "kind", "to", "drafted by", "since", "who can act", "message id"]);
    for draft in drafts {
        if as_json {
            say!(
                "{}",
                json!({
                    "message_id": draft.message_id, "notice_id": draft.notice_id, "flow": draft.flow, "kind": draft.kind,
                    "memorandum": draft.memorandum, "counterpart": draft.counterpart, "drafted_by": draft.drafted_by,
                    "time": moment(draft.time_ms), "approvers": draft.approvers,
                })
            );
        }
        rows.add_row([
            draft.notice_id.clone(),
            draft.flow.clone(),
            draft.kind.clone(),
            draft.counterpart.clone(),
            draft.drafted_by.clone(),
            moment(draft.time_ms),
            who_can_act(&draft.approvers),
            draft.message_id.clone(),
        ]);
    }
    if !as_json {
        say!("{rows}");
    }
    Ok(())
}

pub(crate) async fn approve(id: String, node: &NodeArgs) -> Result<ExitCode, CliError> {
    let approved = client(node).await?.approve(ApproveRequest { id: id.clone() }).await?.into_inner();
    let accepted = approved.accepted.unwrap_or_default();
    if node.json {
        say!("{}", json!({"id": id, "message_id": accepted.message_id, "number": accepted.number}));
    } else {
        say!("{id} is approved and on its way: number {} of its channel, {}.", accepted.number, accepted.message_id);
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn drop(id: String, node: &NodeArgs) -> Result<ExitCode, CliError> {
    let dropped = client(node).await?.drop_draft(DropDraftRequest { id: id.clone() }).await?.into_inner();
    if node.json {
        say!("{}", json!({"id": id, "log_index": dropped.log_index}));
    } else {
        say!("The draft {id} is given up (log entry {}), and what it said is erased.", dropped.log_index);
    }
    Ok(ExitCode::SUCCESS)
}
