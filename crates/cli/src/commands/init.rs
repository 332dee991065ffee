//! `verbale init`.

use std::process::ExitCode;

use serde_json::json;
use verbale_node::{Folder, InitError, init};

use crate::args::{InitArgs, NodeArgs};
use crate::failure::CliError;
use crate::output::say;

pub(crate) fn run(args: &InitArgs, node: &NodeArgs) -> Result<ExitCode, CliError> {
    let folder = Folder::new(&args.folder);
    let made = init(&folder, &args.id, args.listen).map_err(|error| match error {
        InitError::NotEmpty(_) => CliError::Refused(error.to_string()),
        InitError::BadId(_) => CliError::Usage(error.to_string()),
        other => CliError::failed("the node could not be made", other),
    })?;
    let (dir, listen) = (args.folder.display(), made.listen);
    if node.json {
        say!(
            "{}",
            json!({"id": args.id, "dir": dir.to_string(), "listen": listen.to_string(), "fingerprint": made.fingerprint.to_string()})
        );
        return Ok(ExitCode::SUCCESS);
    }
    say!("Made the node of {} in {dir}.", args.id);
    say!("Counterparts reach it at {listen}; you may submit, read and enrol (person-1 in {dir}/verbale.toml).");
    say!("Fingerprint of its card, to be read out to counterparts:\n  {}", made.fingerprint.grouped());
    say!("Move {dir}/keys/card.pem to a place off this machine: it is needed only for the next card.");
    say!("\nNext: verbale serve --dir {dir}");
    Ok(ExitCode::SUCCESS)
}
