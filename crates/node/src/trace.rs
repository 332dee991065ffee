//! What the node writes about itself: fixed messages and ids, on standard error, never content.

use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

/// Overrides the level of the configuration, with the filters of `tracing-subscriber`.
const VARIABLE: &str = "VERBALE_LOG";

/// Starts tracing for this process. Called once, before anything is traced; a second call does nothing.
pub fn start_tracing(config: &LogConfig) {
    // Libraries below speak only of trouble.
    let ours =
        ["verbale_node", "verbale_journal"].map(|target| format!("{target}={}", config.level.as_str())).join(",");
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(format!("warn,{ours}")));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let _ = match config.format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}
