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
    let (mut entries, mut floor_time) = (0, 0.0);
    for log in logs {
        let count = |of: &str| report.pointer(&format!("{log}{of}")).and_then(Value::as_u64).unwrap_or_default();
        let (sent, received) = (count("/entries/sent"), count("/entries/received"));
        entries += count("/size");
        // The counterpart's log has an entry for each notice that was sent to it, and its proofs as many nodes.
        if let Some(proof) = sent.checked_ilog2() {
            floor_time += figure(sent) / floor::read_per_second(Some(proof))?;
        }
        if received > 0 {
            floor_time += figure(received) / floor::read_per_second(None)?;
        }
    }
    Ok(Reading {
        entries,
        entries_per_second: figure(entries) / taken,
        ratio: floor_time / taken,
        peak_rss_bytes: bytes,
    })
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn figure(count: u64) -> f64 {
    count as f64
}
