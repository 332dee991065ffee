//! `verbale duties` and `verbale memorandum`.

use std::process::ExitCode;

use serde_json::json;
use verbale_proto::v1::{CommenceRequest, DutiesRequest, DutyStatus, StatusRequest};

use super::client;
use crate::args::{DutiesArgs, MemorandumCommand, NodeArgs};
use crate::failure::CliError;
use crate::output::{moment, say, table};

pub(crate) async fn run(args: &DutiesArgs, node: &NodeArgs) -> Result<ExitCode, CliError> {
    let request = DutiesRequest { overdue: args.overdue, closed: args.closed };
    let duties = client(node).await?.duties(request).await?.into_inner().duties;
    if node.json {
        for duty in &duties {
            say!("{}", as_json(duty));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let last = if args.closed { "closed" } else { "what closes it" };
    let mut rows = table(&["owed by", "duty", "notice", "flow", "clause", "since", "reminder", last]);
    for duty in &duties {
        rows.add_row([
            if duty.ours { "us".to_owned() } else { duty.owed_by.clone() },
            duty.duty.clone(),
            duty.notice_id.clone(),
            duty.flow.clone(),
            format!("{} {}", duty.memorandum, duty.clause),
            moment(duty.since_ms),
            if duty.overdue { format!("{} (overdue)", duty.remind_on) } else { duty.remind_on.clone() },
            if args.closed { closed(duty) } else { duty.closes_by.clone() },
        ]);
    }
    say!("{rows}");
    say!(
        "A reminder is what the notice asks for, or what this node was told to remind of. It is not a legal deadline."
    );
    Ok(ExitCode::SUCCESS)
}

/// When it was closed, and how long it was open.
fn closed(duty: &DutyStatus) -> String {
    let minutes = (duty.closed_ms - duty.since_ms).max(0) / 60_000;
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    format!("{}, after {days} d {hours} h {minutes} min", moment(duty.closed_ms))
}

fn as_json(duty: &DutyStatus) -> String {
    let closed_ms = (duty.closed_ms != 0).then_some(duty.closed_ms);
    json!({
        "duty": duty.duty, "memorandum": duty.memorandum, "notice_id": duty.notice_id, "flow": duty.flow,
        "clause": duty.clause, "owed_by": duty.owed_by, "ours": duty.ours, "since_ms": duty.since_ms,
        "closes_by": duty.closes_by, "closed_ms": closed_ms, "open_ms": closed_ms.map(|closed| closed - duty.since_ms),
        "remind_on": duty.remind_on, "overdue": duty.overdue, "legal_deadline": false,
    })
    .to_string()
}

pub(crate) async fn memorandum(command: MemorandumCommand, node: &NodeArgs) -> Result<ExitCode, CliError> {
    let mut client = client(node).await?;
    match command {
        MemorandumCommand::List => {
            let memoranda = client.status(StatusRequest {}).await?.into_inner().memoranda;
            let mut rows = table(&["memorandum", "in force since", "ends", "disclosure needs", "digest of its terms"]);
            for m in &memoranda {
                if node.json {
                    say!("{}", super::status::memorandum_json(m));
                }
                let digest = m.terms_digest.get(..16).unwrap_or_default().to_owned();
                rows.add_row([m.id.clone(), m.in_force_since.clone(), super::status::ends(m), m.basis.clone(), digest]);
            }
            if !node.json {
                say!("{rows}");
            }
        }
        MemorandumCommand::Commence { id, on } => {
            let request = CommenceRequest { memorandum: id.clone(), on: on.clone() };
            let commenced = client.commence(request).await?.into_inner();
            if node.json {
                say!(
                    "{}",
                    json!({"memorandum": id, "on": on, "notice_id": commenced.notice_id, "message_id": commenced.message_id})
                );
            } else {
                say!("{id} commenced on {on}; notice {} tells the counterpart.", commenced.notice_id);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
