//! `verbale disclosure` and `verbale disclose`: whether information may be disclosed, and its release.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};
use verbale_domain::disclosure::rule;
use verbale_domain::flow::DISCLOSURE_NOTICE;
use verbale_proto::v1::{DisclosureQuery, JudgeResponse, WriteRequest};

use super::check::lines;
use super::client;
use super::consent::{about, given, write};
use crate::args::{DiscloseArgs, DisclosureCommand, NodeArgs, ScopeArgs};
use crate::failure::CliError;
use crate::output::{one_line, say};

/// What a line that is not understood is denied with.
const BAD_CASE: &str = "BAD_CASE";

pub(crate) async fn run(command: DisclosureCommand, node: &NodeArgs) -> Result<ExitCode, CliError> {
    match command {
        DisclosureCommand::Check { what, scope, memoranda } if scope.to.is_none() && scope.under.is_none() => {
            offline(Path::new(&what), memoranda.as_deref())
        }
        DisclosureCommand::Check { what, scope, .. } => {
            let asked = query(what.clone(), scope);
            let judged = client(node).await?.judge(asked.clone()).await?.into_inner();
            if node.json {
                say!("{}", with_next(judged_json(&what, &judged), &judged, &asked));
            } else {
                say!("{}{}", judged_text(&judged), next_text(&judged, &asked));
            }
            Ok(exit_code(&judged))
        }
        DisclosureCommand::Notify { id, scope, not_before } => {
            write(WriteRequest { effective_at: given(not_before), ..about(DISCLOSURE_NOTICE, id, scope) }, node).await
        }
    }
}

pub(crate) async fn disclose(args: DiscloseArgs, node: &NodeArgs) -> Result<ExitCode, CliError> {
    // Before anything is released: what could not be written would be released for nothing.
    let mut file = args.out.as_deref().map(new_file).transpose()?;
    let asked =
        DisclosureQuery { conditions_code: given(args.accept_conditions), ..query(args.id.clone(), args.scope) };
    let disclosed = match client(node).await {
        Ok(mut client) => client.disclose(asked.clone()).await.map_err(CliError::from),
        Err(error) => Err(error),
    };
    let disclosed = disclosed.map(verbale_rpc::tonic::Response::into_inner);
    let released = disclosed.as_ref().is_ok_and(|disclosed| !disclosed.presentation.is_empty());
    if let (false, Some(path)) = (released, &args.out) {
        let _ = std::fs::remove_file(path);
    }
    let disclosed = disclosed?;
    let judged = disclosed.judged.unwrap_or_default();
    if let (true, Some(file)) = (released, &mut file) {
        let written = file.write_all(disclosed.presentation.as_bytes()).and_then(|()| file.sync_all());
        written.map_err(|error| {
            CliError::failed("the presentation cannot be written, though its release is logged", error)
        })?;
    }
    if node.json {
        let mut said = with_next(judged_json(&args.id, &judged), &judged, &asked);
        if let (false, Some(said)) = (disclosed.conditions.is_empty(), said.as_object_mut()) {
            said.insert("conditions".to_owned(), disclosed.conditions.into());
            said.insert("conditions_code".to_owned(), disclosed.conditions_code.into());
        }
        if let (true, Some(said)) = (released, said.as_object_mut()) {
            said.insert("log_index".to_owned(), disclosed.log_index.into());
            said.insert("sealed".to_owned(), disclosed.sealed.into());
            said.insert("presentation".to_owned(), file.is_none().then_some(&disclosed.presentation).cloned().into());
        }
        say!("{said}");
    } else {
        let mut text = judged_text(&judged) + &next_text(&judged, &asked);
        for condition in &disclosed.conditions {
            let _ = write!(text, "\n  condition: {}", one_line(condition));
        }
        if !released && !disclosed.conditions.is_empty() {
            let _ = write!(
                text,
                "\nNothing was released: the conditions bind you and the reader. Acknowledge them with --accept-conditions {}.",
                disclosed.conditions_code
            );
        }
        if disclosed.sealed {
            text.push_str("\nThe presentation is sealed to the audience's key: age -d opens it.");
        }
        match (released, &args.out) {
            (true, None) => {
                eprintln!("{text}\nThis release is log entry {}.", disclosed.log_index);
                say!("{}", disclosed.presentation.trim_end());
            }
            (true, Some(path)) => {
                say!(
                    "{text}\nThis release is log entry {}; the presentation is {}.",
                    disclosed.log_index,
                    path.display()
                );
            }
            (false, _) => say!("{text}"),
        }
    }
    // People may have decided where the rules do not.
    Ok(if released { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

pub(crate) fn new_file(path: &Path) -> Result<std::fs::File, CliError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    opened.map_err(|error| CliError::Usage(format!("{} cannot be made: {error}", path.display())))
}

fn query(id: String, scope: ScopeArgs) -> DisclosureQuery {
    let ScopeArgs { to, fields, purpose, under } = scope;
    DisclosureQuery {
        id,
        under: given(under),
        fields,
        audience: given(to),
        purpose: given(purpose),
        ..DisclosureQuery::default()
    }
}

/// What would make a denied release lawful, as a command to run.
fn next(judged: &JudgeResponse, asked: &DisclosureQuery) -> Option<String> {
    let command = ["verbale consent request", "verbale disclosure notify"];
    let command = command.into_iter().find(|command| judged.decision == "DENY" && judged.reason.contains(command))?;
    // Of what is named with --under the scope is another's.
    if asked.audience.is_empty() {
        return None;
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.,/".contains(c);
    let word = |text: &str| {
        if !text.is_empty() && text.chars().all(is_plain) {
            text.to_owned()
        } else {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
    };
    let fields = word(&asked.fields.join(","));
    let (id, to, purpose) = (word(&asked.id), word(&asked.audience), word(&asked.purpose));
    Some(format!("{command} {id} --to {to} --fields {fields} --purpose {purpose}"))
}

fn next_text(judged: &JudgeResponse, asked: &DisclosureQuery) -> String {
    next(judged, asked).map_or_else(String::new, |command| format!("\nNext: {command}"))
}

fn with_next(mut said: Value, judged: &JudgeResponse, asked: &DisclosureQuery) -> Value {
    if let (Some(command), Some(members)) = (next(judged, asked), said.as_object_mut()) {
        members.insert("next".to_owned(), command.into());
    }
    said
}

/// Shown for a decision.
fn exit_code(judged: &JudgeResponse) -> ExitCode {
    if judged.decision == "ALLOW" { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

/// Shown for a decision.
pub(crate) fn judged_text(judged: &JudgeResponse) -> String {
    format!("{}  {}  (clause {})\n{}", judged.decision, judged.code, judged.clause, judged.reason)
}

/// Shown for a decision.
pub(crate) fn judged_json(id: &str, judged: &JudgeResponse) -> Value {
    json!({"id": id, "decision": judged.decision, "code": judged.code, "clause": judged.clause, "reason": judged.reason})
}

/// Decides the lines of a file. Exit code 2 when one of them is no question.
fn offline(file: &Path, dir: Option<&Path>) -> Result<ExitCode, CliError> {
    let memoranda = verbale_audit::memoranda(dir).map_err(CliError::Usage)?;
    let mut understood = true;
    for line in lines(file)? {
        let ruling = rule(&memoranda, &line);
        understood &= ruling.decision.is_ok();
        say!(
            "{}",
            match ruling.decision {
                Ok(decision) => json!({
                    "id": ruling.id, "decision": decision.verdict.decision(), "code": decision.verdict.code(),
                    "clause": decision.clause, "reason": decision.reason,
                }),
                Err(wrong) => {
                    json!({"id": ruling.id, "decision": "DENY", "code": BAD_CASE, "clause": "none", "reason": wrong})
                }
            }
        );
    }
    Ok(if understood { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
