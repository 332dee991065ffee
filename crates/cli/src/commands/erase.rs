//! `verbale erase`: a notice's content goes, with two persons; its log entries stay.

use std::process::ExitCode;

use serde_json::json;
use verbale_proto::v1::{AskErasureRequest, ErasureStatus, ErasuresRequest, SettleErasureRequest};

use super::client;
use super::submit::who_can_act;
use crate::args::NodeArgs;
use crate::failure::CliError;
use crate::output::{moment, say};

/// Asks, confirms, gives up, or shows what there is.
pub(crate) async fn run(
    id: Option<String>,
    (reason, confirm, drop): (Option<String>, bool, bool),
    node: &NodeArgs,
) -> Result<ExitCode, CliError> {
    match (id, reason) {
        (Some(id), Some(reason)) => ask(id, reason, node).await?,
        (Some(id), None) if confirm || drop => settle(id, confirm, node).await?,
        (id, _) => show(id.unwrap_or_default(), node).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn ask(id: String, reason: String, node: &NodeArgs) -> Result<(), CliError> {
    let asked = client(node).await?.ask_erasure(AskErasureRequest { id, reason }).await?.into_inner();
    if node.json {
        say!(
            "{}",
            json!({
                "erasure_id": asked.erasure_id, "message_id": asked.message_id, "log_index": asked.log_index,
                "approvers": asked.approvers,
            })
        );
    } else {
        say!(
            "Nothing is erased yet (log entry {}). Who can confirm it: {}, with\n  verbale erase {} --confirm",
            asked.log_index,
            who_can_act(&asked.approvers),
            asked.message_id
        );
    }
    Ok(())
}

async fn settle(id: String, confirm: bool, node: &NodeArgs) -> Result<(), CliError> {
    let settled = client(node).await?.settle_erasure(SettleErasureRequest { id, confirm }).await?.into_inner();
    let (message_id, index) = (&settled.message_id, settled.log_index);
    if node.json {
        let state = if confirm { "ERASED" } else { "DROPPED" };
        say!("{}", json!({"message_id": message_id, "state": state, "log_index": index, "still_in": settled.still_in}));
    } else if confirm {
        say!(
            "The content of {message_id} is erased (log entry {index}); its entries and receipts stay. Backups of the folder, and the \
             other side, still have it."
        );
        if !settled.still_in.is_empty() {
            say!(
                "Of what this node set aside earlier, {} may hold it too: remove it when nobody needs it any more.",
                settled.still_in.join(" and ")
            );
        }
    } else {
        say!("The erasure of {message_id} is given up (log entry {index}); nothing was erased.");
    }
    Ok(())
}

async fn show(id: String, node: &NodeArgs) -> Result<(), CliError> {
    let erasures = client(node).await?.erasures(ErasuresRequest { id }).await?.into_inner().erasures;
    if erasures.is_empty() && !node.json {
        say!("No erasure was asked for; `verbale erase ID --reason TEXT` does that.");
    }
    for of in &erasures {
        if node.json { say!("{}", as_json(of)) } else { say!("{}", as_text(of)) }
    }
    Ok(())
}

fn as_json(of: &ErasureStatus) -> serde_json::Value {
    let given = |text: &String| (!text.is_empty()).then(|| text.clone());
    json!({
        "erasure_id": of.erasure_id, "message_id": of.message_id, "notice_id": given(&of.notice_id), "state": of.state,
        "reason": of.reason, "asked_by": of.asked_by, "asked_at": moment(of.asked_ms), "settled_by": given(&of.settled_by),
        "settled_at": (of.settled_ms != 0).then(|| moment(of.settled_ms)), "log_index": of.log_index,
    })
}

fn as_text(of: &ErasureStatus) -> String {
    let name = if of.notice_id.is_empty() { &of.message_id } else { &of.notice_id };
    let settled = if of.settled_by.is_empty() {
        "nobody yet; an approver who agrees confirms it with --confirm".to_owned()
    } else {
        format!("{} at {}", of.settled_by, moment(of.settled_ms))
    };
    format!(
        "{name} {}\n  message id    {}\n  reason        {}\n  asked by      {} at {}\n  settled by    {settled}",
        of.state,
        of.message_id,
        of.reason,
        of.asked_by,
        moment(of.asked_ms),
    )
}
