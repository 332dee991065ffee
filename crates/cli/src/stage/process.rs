//! A staged node: made with `init`, run by this same program as `verbale serve`.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use verbale_node::{Folder, init};

use crate::failure::CliError;

pub(crate) struct RunningNode {
    folder: Folder,
    address: SocketAddr,
    process: Child,
}

impl RunningNode {
    /// Makes the node and waits until it serves.
    pub(crate) fn start(dir: &Path, id: &str) -> Result<Self, CliError> {
        let failed = |text: &str| {
            let text = format!("{id}: {text}");
            move |error: std::io::Error| CliError::failed(text, error)
        };
        let folder = Folder::new(dir);
        let made = init(&folder, id, SocketAddr::from(([127, 0, 0, 1], 0)));
        let made = made.map_err(|error| CliError::failed(format!("{id} could not be made"), error))?;
        give_every_role(dir).map_err(failed("its configuration cannot be changed"))?;
        let program = std::env::current_exe().map_err(failed("this program cannot be found"))?;
        let log = File::create(dir.join("serve.log")).map_err(failed("its log file cannot be made"))?;
        let mut command = Command::new(program);
        command.arg("serve").arg("--dir").arg(dir).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut process = command.spawn().map_err(failed("it cannot be started"))?;
        let mut line = String::new();
        if let Some(output) = process.stdout.take() {
            BufReader::new(output).read_line(&mut line).map_err(failed("it does not speak"))?;
        }
        let node = Self { folder, address: made.listen, process };
        if line.starts_with("serving ") {
            return Ok(node);
        }
        let said = std::fs::read_to_string(dir.join("serve.log")).unwrap_or_default();
        Err(CliError::Refused(format!("{id} did not start: {}", said.trim())))
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it as an administrator would, and requires that it ended in order.
    pub(crate) fn stop(mut self) -> Result<(), CliError> {
        self.terminate();
        let status = self.process.wait().map_err(|error| CliError::failed("a node did not end", error))?;
        if status.success() { Ok(()) } else { Err(CliError::Refused(format!("a node ended with {status}"))) }
    }

    fn terminate(&self) {
        if let Some(pid) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}

/// Whoever runs staged nodes plays every part on them; in life they are several persons.
fn give_every_role(dir: &Path) -> std::io::Result<()> {
    let path = dir.join("verbale.toml");
    let text = std::fs::read_to_string(&path)?;
    let own = "roles = [\"system\", \"operator\"]";
    std::fs::write(path, text.replace(own, "roles = [\"system\", \"operator\", \"approver\", \"auditor\"]"))
}

impl Drop for RunningNode {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}
