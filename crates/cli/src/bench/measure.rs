//! What a node used so far: processor, memory, disk, wire.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use verbale_proto::v1::StatusRequest;

use crate::failure::CliError;
use crate::stage::Side;

/// Unit of `st_blocks` (POSIX `sys/stat.h`, as Linux has it).
const BLOCK_BYTES: u64 = 512;

/// Totals of one node's process and folder.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) cpu_us: u64,
    pub(crate) peak_rss_bytes: u64,
    pub(crate) disk_bytes: u64,
    /// To and from counterparts, TLS included, TCP and below not.
    pub(crate) wire_bytes: u64,
}

impl Usage {
    pub(crate) async fn of(side: &mut Side) -> Result<Self, CliError> {
        let status = side.client.status(StatusRequest {}).await?.into_inner();
        let wire_bytes = status.peer_bytes_sent + status.peer_bytes_received;
        let failed = |error| CliError::failed("the figures of a node's process cannot be read", error);
        let process = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", side.node.pid()));
        let (stat, memory) = (process("stat").map_err(failed)?, process("status").map_err(failed)?);
        Ok(Self {
            cpu_us: cpu_us(&stat).unwrap_or_default(),
            peak_rss_bytes: peak_rss_bytes(&memory).unwrap_or_default(),
            disk_bytes: disk_bytes(side.node.folder().dir()).map_err(failed)?,
            wire_bytes,
        })
    }
}

/// User and system time in microseconds (proc(5): fields 14 and 15, in clock ticks).
fn cpu_us(stat: &str) -> Option<u64> {
    // The second field is the program's name in brackets, which may hold anything.
    let after_name = stat.rsplit_once(") ")?.1;
    let mut fields = after_name.split(' ').skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(ticks * 1_000_000 / rustix::param::clock_ticks_per_second())
}

pub(crate) fn peak_rss_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

/// Blocks that a folder takes.
fn disk_bytes(dir: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { disk_bytes(&entry.path())? } else { metadata.blocks() * BLOCK_BYTES };
    }
    Ok(bytes)
}

/// The duration that so many of a hundred do not pass; nearest rank.
pub(crate) fn percentile(durations: &mut [Duration], percent: usize) -> Duration {
    durations.sort_unstable();
    let rank = (durations.len() * percent).div_ceil(100).max(1);
    durations.get(rank - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_process_are_found_behind_any_name() {
        let ticks = rustix::param::clock_ticks_per_second();
        let stat = format!("12 (a) b) S 1 12 12 0 -1 4194560 1 0 0 0 {} {ticks} 0 0 20 0", 2 * ticks);
        assert_eq!(cpu_us(&stat), Some(3_000_000));
        assert_eq!(peak_rss_bytes("VmPeak:\t 9 kB\nVmHWM:\t    1024 kB\n"), Some(1 << 20));
    }

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let mut durations: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&mut durations, 50), Duration::from_millis(50));
        assert_eq!(percentile(&mut durations, 99), Duration::from_millis(99));
        assert_eq!(percentile(&mut [], 50), Duration::ZERO);
    }
}
