//! `verbale list`, `show`, `open` and `ack`.

use std::process::ExitCode;

use serde_json::{Value, json};
use verbale_domain::{Code, in_brackets};
use verbale_proto::v1::{
    AcknowledgeRequest, Box as WireBox, ListRequest, NoticeSummary, OpenRequest, ShowRequest, ShowResponse,
};

use super::{Client, client};
use crate::args::{ListArgs, Mailbox, NodeArgs};
use crate::failure::CliError;
use crate::output::{hex, moment, say, table};

pub(crate) async fn list(args: &ListArgs, node: &NodeArgs) -> Result<ExitCode, CliError> {
    let mut client = client(node).await?;
    let mailbox = match args.mailbox {
        Mailbox::Inbox => WireBox::Inbox,
        Mailbox::Outbox => WireBox::Outbox,
    };
    let notices = all(&mut client, mailbox).await?;
    if node.json {
        for notice in &notices {
            say!("{}", summary_json(notice));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = table(&["notice", "flow", "kind", "number", "state", "answers", "time", "message id"]);
    for notice in &notices {
        rows.add_row([
            or_dash(&notice.notice_id),
            notice.flow.clone(),
            notice.kind.clone(),
            notice.number.to_string(),
            state(notice),
            or_dash(&notice.correlates_to),
            moment(notice.time_ms),
            notice.message_id.clone(),
        ]);
    }
    say!("{rows}");
    Ok(ExitCode::SUCCESS)
}

/// All notices of a mailbox.
pub(crate) async fn all(client: &mut Client, mailbox: WireBox) -> Result<Vec<NoticeSummary>, CliError> {
    let mut notices: Vec<NoticeSummary> = Vec::new();
    loop {
        let after_index = notices.last().map(|notice| notice.log_index);
        let request = ListRequest { r#box: mailbox.into(), after_index, limit: 0 };
        let page = client.list(request).await?.into_inner().notices;
        if page.is_empty() {
            return Ok(notices);
        }
        notices.extend(page);
    }
}

pub(crate) async fn show(id: String, node: &NodeArgs) -> Result<ExitCode, CliError> {
    let shown = client(node).await?.show(ShowRequest { id }).await?.into_inner();
    let Some(notice) = &shown.notice else { return Err(CliError::damaged("the node answered without a notice")) };
    if node.json {
        say!("{}", shown_json(notice, &shown));
        return Ok(ExitCode::SUCCESS);
    }
    say!("{}  {} {}", or_dash(&notice.notice_id), notice.flow, notice.kind);
    say!("  message id   {}", notice.message_id);
    say!("  memorandum   {}, number {} of the channel with {}", notice.memorandum, notice.number, notice.counterpart);
    say!("  state        {}", state(notice));
    if let Some(meaning) = meaning(notice) {
        say!("  that is      {meaning}{}", in_brackets(&shown.clause));
    }
    say!("  answers      {}", or_dash(&notice.correlates_to));
    say!("  statement    {}", hex(&shown.statement_digest));
    say!("  sealed       {} bytes, valid until {}", shown.sealed_bytes, moment(shown.not_after_ms));
    let mut rows = table(&["log entry", "time", "event", "by"]);
    for item in &shown.history {
        rows.add_row([item.log_index.to_string(), moment(item.time_ms), item.event.clone(), or_dash(&item.detail)]);
    }
    say!("{rows}");
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn open(id: String, purpose: String, node: &NodeArgs) -> Result<ExitCode, CliError> {
    let opened = client(node).await?.open(OpenRequest { id, purpose }).await?.into_inner();
    if node.json {
        say!("{}", opened.notice_json);
        return Ok(ExitCode::SUCCESS);
    }
    let notice: Value = serde_json::from_str(&opened.notice_json)
        .map_err(|error| CliError::failed("the node gave something else than JSON", error))?;
    say!("{notice:#}");
    eprintln!("This reading is log entry {}.", opened.log_index);
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn acknowledge(id: String, node: &NodeArgs) -> Result<ExitCode, CliError> {
    let acknowledged = client(node).await?.acknowledge(AcknowledgeRequest { id: id.clone() }).await?.into_inner();
    if node.json {
        say!("{}", json!({"id": id, "log_index": acknowledged.log_index}));
    } else {
        say!("{id} is acknowledged (log entry {}).", acknowledged.log_index);
    }
    Ok(ExitCode::SUCCESS)
}

/// State and refusal code.
pub(crate) fn state(notice: &NoticeSummary) -> String {
    if notice.code.is_empty() { notice.state.clone() } else { format!("{} {}", notice.state, notice.code) }
}

/// What a state or a refusal's code says: the log has no more, since whoever reads it must not learn what the notice said.
fn meaning(notice: &NoticeSummary) -> Option<&'static str> {
    if notice.state == "DISPLACED" {
        return Some(
            "it never left: this folder was put back from a copy, and the counterpart holds another notice under its number; submit it again \
             (what the counterpart has of before the copy it refuses by its registry number)",
        );
    }
    notice.code.parse::<Code>().ok().map(Code::meaning)
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

fn summary_json(notice: &NoticeSummary) -> Value {
    json!({
        "message_id": notice.message_id, "notice_id": notice.notice_id, "flow": notice.flow, "kind": notice.kind,
        "memorandum": notice.memorandum, "counterpart": notice.counterpart, "state": notice.state, "code": notice.code,
        "number": notice.number, "log_index": notice.log_index, "time": moment(notice.time_ms),
        "correlates_to": notice.correlates_to,
    })
}

fn shown_json(notice: &NoticeSummary, shown: &ShowResponse) -> Value {
    let item = |item: &verbale_proto::v1::HistoryItem| json!({"log_index": item.log_index, "time": moment(item.time_ms), "event": item.event, "detail": item.detail});
    let history: Vec<Value> = shown.history.iter().map(item).collect();
    json!({
        "notice": summary_json(notice), "meaning": meaning(notice), "clause": shown.clause, "history": history, "statement_digest": hex(&shown.statement_digest),
        "sealed_bytes": shown.sealed_bytes, "not_after": moment(shown.not_after_ms),
    })
}
