//! How fast an auditor reads a log, beside the floor of the same run.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::floor;
use super::measure::peak_rss_bytes;
use crate::failure::CliError;

/// How often it is looked how much memory the auditor's process took so far.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What was measured of `verify`, of `reconcile`.
pub(crate) struct Readings(pub(crate) Reading, pub(crate) Reading);

/// What was measured.
pub(crate) struct Reading {
    /// Of all logs that were read.
    pub(crate) entries: u64,
    pub(crate) entries_per_second: f64,
    /// The floor's time for the same notices, by the time that it took.
    pub(crate) ratio: f64,
    /// Memory of its process, at most.
    pub(crate) peak_rss_bytes: u64,
}

/// Verifies an exported log, and then compares it with the other side's, each in a process of its own, as an auditor does; the files are in the
/// page cache.
pub(crate) fn read(export: &Path, other: &Path) -> Result<Readings, CliError> {
    Ok(Readings(one("verify", &[export], &[""])?, one("reconcile", &[export, other], &["/logs/0", "/logs/1"])?))
}

/// `logs`: where the answer speaks of each log that was read.
fn one(command: &str, exports: &[&Path], logs: &[&str]) -> Result<Reading, CliError> {
    let failed = |error| CliError::failed("the auditor's process cannot be run", error);
    let program = std::env::current_exe().map_err(failed)?;
    let started = Instant::now();
    let mut auditor = Command::new(program)
        .args(["audit", command, "--json"])
        .args(exports)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let (status, mut bytes) = (format!("/proc/{}/status", auditor.id()), 0);
    while auditor.try_wait().map_err(failed)?.is_none() {
        bytes = std::fs::read_to_string(&status).ok().and_then(|status| peak_rss_bytes(&status)).unwrap_or(bytes);
        std::thread::sleep(LOOK_EVERY);
    }
    let taken = started.elapsed().as_secs_f64();
    let said = auditor.wait_with_output().map_err(failed)?.stdout;
    let report: Value = serde_json::from_slice(&said).unwrap_or_default();
    let count = |of: &str| -> u64 {
        logs.iter().filter_map(|log| report.pointer(&format!("{log}{of}")).and_then(Value::as_u64)).sum()
    };
    // What one side sent the other received: both logs have it.
    let (entries, notices) = (count("/size"), count("/entries/sent") + count("/entries/received"));
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let (entries_per_second, floor_time) = (entries as f64 / taken, notices as f64 / floor::read_per_second()?);
    Ok(Reading { entries, entries_per_second, ratio: floor_time / taken, peak_rss_bytes: bytes })
}
