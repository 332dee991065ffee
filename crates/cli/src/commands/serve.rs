//! `verbale serve`.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use verbale_node::{Phase, ServeError, serve, start_tracing};

use super::folder;
use crate::args::NodeArgs;
use crate::failure::CliError;
use crate::output::line;
use crate::progress::Progress;

pub(crate) async fn run(node: &NodeArgs) -> Result<ExitCode, CliError> {
    let folder = folder(node);
    let config = folder.read_config().map_err(|error| failed(error.into()))?;
    start_tracing(&config.log);
    let bar = Progress::new();
    let progress = {
        let bar = bar.clone();
        move |now: verbale_node::Progress| {
            let name = match now.phase {
                Phase::Reading => "reading segments",
                Phase::Replaying => "replaying entries",
                Phase::Indexing => "building the index",
            };
            bar.set(name, now.done, now.total);
        }
    };
    let ready = |listen| {
        bar.end();
        // For whoever started the node and waits for it; that nobody reads it is no reason to stop.
        let _ = line(format_args!("serving {} on {listen}", config.node.id));
        let _ = std::io::stdout().flush();
    };
    serve(&folder, Arc::new(progress), ready).await.map_err(failed)?;
    Ok(ExitCode::SUCCESS)
}

fn failed(error: ServeError) -> CliError {
    let text = "the node cannot serve".to_owned();
    if error.is_damage() {
        CliError::Damaged { text, source: Some(Box::new(error)) }
    } else {
        CliError::failed(text, error)
    }
}
