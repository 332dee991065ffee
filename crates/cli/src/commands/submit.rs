//! `verbale submit`.

use std::io::{BufRead, BufReader, Seek as _};
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use verbale_domain::{Code, JSON_BYTES_MAX, in_brackets};
use verbale_proto::v1::{Refused, SubmitRequest, SubmitResponse, submit_response};

use super::client;
use crate::args::{NodeArgs, SubmitArgs};
use crate::failure::CliError;
use crate::progress::Progress;

/// Lines that are read ahead of the node's answers.
const LINES_UNDER_WAY: usize = 64;

pub(crate) async fn run(args: &SubmitArgs, node: &NodeArgs) -> Result<ExitCode, CliError> {
    let mut client = client(node).await?;
    let unreadable = |error| CliError::Usage(format!("{} cannot be read: {error}", args.file.display()));
    let (input, lines) = open(&args.file).map_err(unreadable)?;
    let (requests, stream) = mpsc::channel(LINES_UNDER_WAY);
    let (order, mut answers_to) = mpsc::channel(LINES_UNDER_WAY);
    let reading = tokio::task::spawn_blocking(move || read(input, &requests, &order));
    let mut responses = client.submit(ReceiverStream::new(stream)).await?.into_inner();
    let (mut refused, progress) = (false, Progress::new());
    while let Some((line, too_large)) = answers_to.recv().await {
        let response = match too_large {
            Some(response) => response,
            None => match responses.message().await? {
                Some(response) => response,
                None => return Err(CliError::Gone(format!("the node ended before it answered line {line}"))),
            },
        };
        refused |= matches!(response.outcome, Some(submit_response::Outcome::Refused(_)));
        progress.print(&if node.json { as_json(line, &response).to_string() } else { as_text(line, &response) })?;
        if let Some(lines) = lines {
            progress.set("submitting notices", line, lines);
        }
    }
    progress.end();
    reading.await.map_err(|error| CliError::failed("reading was cut off", error))?.map_err(unreadable)?;
    Ok(if refused { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// What is read, and its number of lines. Only of a file can they be counted: what a pipe gives is read once.
fn open(path: &Path) -> std::io::Result<(Box<dyn BufRead + Send>, Option<u64>)> {
    if path.as_os_str() == "-" {
        return Ok((Box::new(BufReader::new(std::io::stdin())), None));
    }
    let mut file = std::fs::File::open(path)?;
    let mut lines = None;
    if file.metadata()?.is_file() {
        lines = Some(BufReader::new(&file).split(b'\n').try_fold(0, |count, line| line.map(|_| count + 1))?);
        file.rewind()?;
    }
    Ok((Box::new(BufReader::new(file)), lines))
}

/// Sends each line that is not blank; says in which order answers belong to lines.
fn read(
    mut input: Box<dyn BufRead + Send>,
    requests: &mpsc::Sender<SubmitRequest>,
    order: &mpsc::Sender<(u64, Option<SubmitResponse>)>,
) -> std::io::Result<()> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let notice = line.trim_ascii();
        if notice.is_empty() {
            continue;
        }
        let too_large = (notice.len() > JSON_BYTES_MAX).then(|| too_large(notice.len()));
        let sent =
            too_large.is_some() || requests.blocking_send(SubmitRequest { notice_json: notice.to_vec() }).is_ok();
        if !sent || order.blocking_send((number, too_large)).is_err() {
            break;
        }
    }
    Ok(())
}

/// The node would not even take it.
fn too_large(bytes: usize) -> SubmitResponse {
    let reason = format!("the notice is {bytes} bytes, the limit is {JSON_BYTES_MAX}; send attachments by another way");
    let refused = Refused { code: Code::TooLarge.to_string(), reason, clause: String::new() };
    SubmitResponse { notice_id: String::new(), outcome: Some(submit_response::Outcome::Refused(refused)) }
}

/// What came of a submission, for people.
pub(crate) fn as_text(line: u64, response: &SubmitResponse) -> String {
    let name = if response.notice_id.is_empty() { format!("line {line}") } else { response.notice_id.clone() };
    match &response.outcome {
        Some(submit_response::Outcome::Accepted(accepted)) => {
            let again = if accepted.already_known { " (accepted before)" } else { "" };
            format!("{name}  accepted  {}{again}", accepted.message_id)
        }
        Some(submit_response::Outcome::Awaiting(awaiting)) => {
            let again = if awaiting.already_known { " (drafted before)" } else { "" };
            format!("{name}  drafted   {}{again}: {}", awaiting.message_id, who_can_act(&awaiting.approvers))
        }
        Some(submit_response::Outcome::Refused(refused)) => {
            format!("{name}  refused   {}  {}{}", refused.code, refused.reason, in_brackets(&refused.clause))
        }
        None => format!("{name}  no answer"),
    }
}

/// The same for machines.
pub(crate) fn as_json(line: u64, response: &SubmitResponse) -> Value {
    match &response.outcome {
        Some(submit_response::Outcome::Accepted(accepted)) => json!({
            "line": line, "notice_id": response.notice_id, "outcome": "accepted", "message_id": accepted.message_id,
            "number": accepted.number, "already_known": accepted.already_known,
        }),
        Some(submit_response::Outcome::Awaiting(awaiting)) => json!({
            "line": line, "notice_id": response.notice_id, "outcome": "awaiting-approval", "message_id": awaiting.message_id,
            "already_known": awaiting.already_known, "approvers": awaiting.approvers,
        }),
        Some(submit_response::Outcome::Refused(refused)) => json!({
            "line": line, "notice_id": response.notice_id, "outcome": "refused", "code": refused.code, "reason": refused.reason,
            "clause": refused.clause,
        }),
        None => json!({"line": line, "notice_id": response.notice_id, "outcome": "unknown"}),
    }
}

/// Who can approve what waits.
pub(crate) fn who_can_act(approvers: &[String]) -> String {
    if approvers.is_empty() {
        "nobody else here is an approver; an administrator names one in verbale.toml".to_owned()
    } else {
        format!("waits for approval by {}", approvers.join(" or "))
    }
}
