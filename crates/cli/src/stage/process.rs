//! A staged node: made with `init`, run by this same program as `verbale serve`.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use verbale_node::{Folder, init, write_person_key};

use crate::failure::CliError;

/// Key of the second person, in the node's folder.
const SECOND_KEY: &str = "person-2.pem";

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
        give_roles(dir)?;
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

    /// The key file of the second person.
    pub(crate) fn second_key(&self) -> PathBuf {
        self.folder.dir().join(SECOND_KEY)
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

/// Two persons: the one at this machine's socket, who plays most parts, and a second one with a key, since what binds a side
/// takes two.
fn give_roles(dir: &Path) -> Result<(), CliError> {
    let failed = |error| CliError::failed(format!("the configuration in {} cannot be changed", dir.display()), error);
    let card = std::fs::read_to_string(dir.join("card.txt")).map_err(failed)?;
    let key = write_person_key(&dir.join(SECOND_KEY), &card);
    let fingerprint = key.map_err(|error| CliError::failed("no key can be made for a second person", error))?;
    let path = dir.join("verbale.toml");
    let text = std::fs::read_to_string(&path).map_err(failed)?;
    let second = format!(
        "[[persons]]\nname = \"person-2\"\nroles = [\"operator\", \"approver\"]\nkeys = [\"{fingerprint}\"]\n\n[limits]"
    );
    let text = text
        .replace("roles = [\"system\", \"operator\"]", "roles = [\"system\", \"operator\", \"approver\", \"auditor\"]")
        .replace("# listen = \"127.0.0.1:7402\"", "listen = \"127.0.0.1:0\"")
        .replace("[limits]", &second);
    std::fs::write(path, text).map_err(failed)
}

impl Drop for RunningNode {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}
