//! `verbale publish` and `verbale register`.

mod page;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};
use verbale_proto::v1::{OrganisationsRequest, PublishRequest, RegisterEntry, RegisterRequest, submit_response};

use super::client;
use super::consent::given;
use super::disclosure::{judged_json, judged_text};
use super::submit::as_text;
use crate::args::{NodeArgs, RegisterCommand};
use crate::failure::CliError;
use crate::output::{moment, say, table};

pub(crate) async fn run(command: RegisterCommand, node: &NodeArgs) -> Result<ExitCode, CliError> {
    match command {
        RegisterCommand::Organisations => organisations(node).await,
        RegisterCommand::Export { folder } => export(&folder, node).await,
    }
}

pub(crate) async fn publish(id: String, place: Option<String>, node: &NodeArgs) -> Result<ExitCode, CliError> {
    let request = PublishRequest { id: id.clone(), place: given(place) };
    let published = client(node).await?.publish(request).await?.into_inner();
    let judged = published.judged.unwrap_or_default();
    let confirmation = published.confirmation.unwrap_or_default();
    if node.json {
        let mut said = judged_json(&id, &judged);
        if let (false, Some(members)) = (published.presentation.is_empty(), said.as_object_mut()) {
            members.insert("log_index".to_owned(), published.log_index.into());
            members.insert("confirmation".to_owned(), confirmation.notice_id.clone().into());
        }
        say!("{said}");
    } else {
        say!("{}", judged_text(&judged));
        if !published.presentation.is_empty() {
            say!("Published as log entry {}; `verbale register export` writes the register.", published.log_index);
            say!("Confirmation to the other side: {}", as_text(1, &confirmation));
        }
    }
    let unconfirmed = matches!(confirmation.outcome, Some(submit_response::Outcome::Refused(_)));
    let released = !published.presentation.is_empty();
    Ok(if released && !unconfirmed { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Writes the register as a static site. The page comes last: what it names is there.
async fn export(dir: &Path, node: &NodeArgs) -> Result<ExitCode, CliError> {
    let write = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::write(&path, text).map_err(|error| CliError::failed(format!("cannot write {}", path.display()), error))
    };
    let made = std::fs::create_dir_all(dir.join("presentations"));
    made.map_err(|error| CliError::failed(format!("cannot make {}", dir.display()), error))?;
    let mut entries = client(node).await?.register(RegisterRequest {}).await?.into_inner();
    let (mut lines, mut articles, mut written) = (String::new(), String::new(), HashSet::new());
    while let Some(entry) = entries.message().await? {
        let published: Value = serde_json::from_str(&entry.published_json)
            .map_err(|error| CliError::failed("the node gave something else than JSON", error))?;
        let file = format!("presentations/{}-{}.txt", entry.message_id, entry.log_index);
        write(&file, &entry.presentation)?;
        lines += &entry_json(&entry, &file, &published).to_string();
        lines.push('\n');
        page::article(&mut articles, &entry, &file, &published);
        written.insert(dir.join(file));
    }
    write("register.jsonl", &lines)?;
    write("index.html", &page::whole(&articles))?;
    remove_others(&dir.join("presentations"), &written)?;
    let count = written.len();
    if node.json {
        say!("{}", json!({"entries": count, "dir": dir}));
    } else {
        say!("{count} entries in {}: index.html, register.jsonl, presentations/.", dir.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Removes presentations that an earlier register had and this one has not: what was erased meanwhile is shown no more.
fn remove_others(dir: &Path, written: &HashSet<PathBuf>) -> Result<(), CliError> {
    let failed = |path: &Path| {
        let text = format!("cannot remove what the register has no more from {}", path.display());
        move |error| CliError::failed(text, error)
    };
    for there in std::fs::read_dir(dir).map_err(failed(dir))? {
        let path = there.map_err(failed(dir))?.path();
        // Named as this command names them; whatever else is there is somebody's.
        let stem = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.rsplit_once('-'));
        let is_ours = stem.is_some_and(|(id, index)| id.len() == 36 && index.parse::<u64>().is_ok());
        if is_ours && path.extension().is_some_and(|ending| ending == "txt") && !written.contains(&path) {
            std::fs::remove_file(&path).map_err(failed(&path))?;
        }
    }
    Ok(())
}

fn entry_json(entry: &RegisterEntry, file: &str, published: &Value) -> Value {
    let marks: Vec<Value> =
        entry.marks.iter().map(|mark| json!({"number": mark.number, "from": mark.from, "by": mark.by})).collect();
    json!({
        "notice_id": entry.notice_id, "message_id": entry.message_id, "memorandum": entry.memorandum, "flow": entry.flow,
        "kind": entry.kind, "side": entry.side, "languages": entry.languages, "published_at": moment(entry.published_ms),
        "published": published, "presentation": file, "log_index": entry.log_index,
        "replaced_by": (!entry.replaced_by.is_empty()).then_some(&entry.replaced_by), "revoked": marks,
    })
}

async fn organisations(node: &NodeArgs) -> Result<ExitCode, CliError> {
    let organisations = client(node).await?.organisations(OrganisationsRequest {}).await?.into_inner().organisations;
    let mut rows = table(&["memorandum", "side", "number", "status", "listed in", "revoked"]);
    for of in &organisations {
        if node.json {
            say!(
                "{}",
                json!({
                    "memorandum": of.memorandum, "side": of.side, "number": of.number, "status": of.status,
                    "listed_in": of.listed_in, "revoked": of.revoked,
                    "revoked_by": (!of.revoked_by.is_empty()).then_some(&of.revoked_by),
                    "revoked_from": (!of.revoked_from.is_empty()).then_some(&of.revoked_from),
                })
            );
        }
        let revoked = match (of.revoked, of.revoked_from.as_str()) {
            (true, "") => "yes".to_owned(),
            (true, from) => format!("since {from}, by {}", of.revoked_by),
            (false, "") => "-".to_owned(),
            (false, from) => format!("from {from}, by {}", of.revoked_by),
        };
        let columns = [&of.memorandum, &of.side, &of.number, &of.status, &of.listed_in, &revoked];
        rows.add_row(columns.map(String::as_str));
    }
    if !node.json {
        say!("{rows}");
    }
    Ok(ExitCode::SUCCESS)
}
