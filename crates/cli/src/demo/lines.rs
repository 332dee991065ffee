//! The notices of the demo: those of the memoranda of which it has both sides, in their order.

use serde_json::Value;
use verbale_domain::civil;
use verbale_domain::flow::TERMINATION;

use crate::args::DemoArgs;
use crate::failure::CliError;

/// Invented notices, in the form in which the ministries' registries hand them over, and more, so that every kind is there.
const BUNDLED: [&str; 2] =
    [include_str!("../../../../tests/data/notices.jsonl"), include_str!("../../../../tests/data/notices-more.jsonl")];

/// One notice of the file.
pub(crate) struct Line {
    pub(crate) json: String,
    pub(crate) memorandum: String,
    pub(crate) notice_id: String,
    pub(crate) flow: String,
    pub(crate) kind: String,
    /// The side that sends it.
    pub(crate) from: String,
    /// The side that receives it.
    pub(crate) to: String,
    pub(crate) correlates_to: Option<String>,
}

/// Reads the notices under these memoranda; terminations come last.
pub(crate) fn read(args: &DemoArgs, memoranda: &[&str]) -> Result<Vec<Line>, CliError> {
    let text = match &args.notices {
        None => BUNDLED.concat(),
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| CliError::Usage(format!("{} cannot be read: {error}", file.display())))?,
    };
    let mut lines = Vec::new();
    for (number, json) in (1..).zip(text.lines()).filter(|(_, json)| !json.trim().is_empty()) {
        let mut value: Value = serde_json::from_str(json)
            .map_err(|error| CliError::Usage(format!("line {number} is no JSON: {error}")))?;
        let json = date_from_today(&mut value).unwrap_or_else(|| json.to_owned());
        let member = |path: &str| value.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        lines.push(Line {
            json,
            memorandum: member("/memorandum"),
            notice_id: member("/notice_id"),
            flow: member("/flow"),
            kind: member("/kind"),
            from: member("/from/party"),
            to: member("/to/party"),
            correlates_to: Some(member("/correlates_to")).filter(|number| !number.is_empty()),
        });
    }
    lines.retain(|line| memoranda.contains(&line.memorandum.as_str()));
    lines.sort_by_key(|line| line.flow == TERMINATION);
    if lines.is_empty() {
        return Err(CliError::Usage(format!("there is no notice under {} among them", memoranda.join(" or "))));
    }
    Ok(lines)
}

/// A termination is dated from today: the rules compare it with the clock.
fn date_from_today(notice: &mut Value) -> Option<String> {
    if notice.get("flow").and_then(Value::as_str) != Some(TERMINATION) {
        return None;
    }
    let today = time::OffsetDateTime::now_utc().date();
    let body = notice.get_mut("body")?.as_object_mut()?;
    body.insert("received_on".to_owned(), today.to_string().into());
    body.insert("effective_on".to_owned(), civil::months_after(today, 7).to_string().into());
    Some(notice.to_string())
}
