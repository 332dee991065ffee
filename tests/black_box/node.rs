//! A node in a temporary folder, run by the real program.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const VERBALE: &str = env!("CARGO_BIN_EXE_verbale");

/// What does not happen in this time does not happen: machines that run tests are slow.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) dir: PathBuf,
    pub(crate) address: String,
    pub(crate) fingerprint: String,
    process: Option<Child>,
    environment: Vec<(&'static str, String)>,
    folder: TempDir,
}

/// What a command said.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// The lines of standard output, as JSON.
    pub(crate) fn json(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
    }

    /// Requires success.
    pub(crate) fn good(self) -> Self {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self
    }
}

/// Runs the program.
pub(crate) fn verbale(args: &[&str], input: Option<&str>) -> Said {
    let mut command = Command::new(VERBALE);
    command.args(args).env_remove("VERBALE_DIR").stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = command.spawn().unwrap();
    let writing = child
        .stdin
        .take()
        .zip(input.map(str::to_owned))
        .map(|(mut stdin, input)| std::thread::spawn(move || drop(stdin.write_all(input.as_bytes()))));
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    if let Some(writing) = writing {
        writing.join().unwrap();
    }
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
}

/// Where a node listens. While it is stopped its port is free, and the system may give it to a connection that somebody opens from
/// 127.0.0.1; so nodes have loopback addresses from which nobody connects, where the system has them.
fn own_address() -> String {
    static NODES: AtomicU8 = AtomicU8::new(0);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let last = NODES.fetch_add(1, Ordering::Relaxed) % 250 + 1;
    if cfg!(target_os = "linux") {
        format!("127.{}.{low}.{last}:0", 100 + high % 100)
    } else {
        "127.0.0.1:0".to_owned()
    }
}

impl Node {
    /// Makes a node; it does not run yet.
    pub(crate) fn init(id: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("vb").tempdir().unwrap();
        let dir = folder.path().join("n");
        let listen = own_address();
        let said = verbale(&["init", dir.to_str().unwrap(), "--id", id, "--listen", &listen, "--json"], None).good();
        let made = said.json().remove(0);
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        let (address, fingerprint) = (text("listen"), text("fingerprint"));
        let card = std::fs::read_to_string(dir.join("card.txt")).unwrap();
        let second = verbale_node::write_person_key(&folder.path().join("person-2.pem"), &card).unwrap();
        let node =
            Self { id: id.to_owned(), dir, address, fingerprint, process: None, environment: Vec::new(), folder };
        // What binds a side takes two persons: the second one has a key.
        let person = format!(
            "[[persons]]\nname = \"person-2\"\nroles = [\"operator\", \"approver\"]\nkeys = [\"{second}\"]\n\n[limits]"
        );
        let listen = ("# listen = \"127.0.0.1:7402\"", "listen = \"127.0.0.1:0\"");
        node.configure(|text| text.replace(listen.0, listen.1).replace("[limits]", &person));
        node
    }

    /// Traces with this filter from the next start on.
    pub(crate) fn trace(&mut self, filter: &'static str) {
        self.environment("VERBALE_LOG", filter);
    }

    /// Sets a variable of its environment, from the next start on.
    pub(crate) fn environment(&mut self, name: &'static str, value: &str) {
        self.environment.push((name, value.to_owned()));
    }

    /// Starts the node and waits until it serves.
    pub(crate) fn start(&mut self) {
        let log = OpenOptions::new().create(true).append(true).open(self.log_file()).unwrap();
        let mut command = Command::new(VERBALE);
        command.arg("serve").arg("--dir").arg(&self.dir).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        command.envs(self.environment.iter().cloned());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        self.process = Some(process);
        assert!(line.starts_with("serving "), "{} did not start: {}", self.id, self.log());
    }

    /// SIGTERM, and an orderly end.
    pub(crate) fn stop(&mut self) {
        let mut process = self.process.take().unwrap();
        kill_process(Pid::from_raw(process.id().try_into().unwrap()).unwrap(), Signal::TERM).unwrap();
        let status = process.wait().unwrap();
        assert!(status.success(), "{} ended with {status}: {}", self.id, self.log());
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Runs a command against this node.
    pub(crate) fn run(&self, args: &[&str]) -> Said {
        verbale(&[&["--dir", self.dir.to_str().unwrap()], args].concat(), None)
    }

    /// Submits lines; one answer for each.
    pub(crate) fn submit(&self, lines: &str) -> Said {
        verbale(&["--dir", self.dir.to_str().unwrap(), "--json", "submit", "-"], Some(lines))
    }

    /// Starts submitting, and gives the running program with its answers to read.
    pub(crate) fn submitting(&self, lines: String) -> (Child, BufReader<std::process::ChildStdout>) {
        let mut command = Command::new(VERBALE);
        command.arg("--dir").arg(&self.dir).args(["--json", "submit", "-"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::thread::spawn(move || drop(stdin.write_all(lines.as_bytes())));
        let answers = BufReader::new(child.stdout.take().unwrap());
        (child, answers)
    }

    /// Enrols another node's card, with the fingerprint it shows.
    pub(crate) fn enrol(&self, other: &Self) -> Said {
        let card = other.dir.join("card.txt");
        let args =
            ["card", "enrol", card.to_str().unwrap(), "--fingerprint", &other.fingerprint, "--address", &other.address];
        self.run(&args)
    }

    /// The notices of a mailbox.
    pub(crate) fn list(&self, mailbox: &str) -> Vec<Value> {
        self.run(&["--json", "list", mailbox]).good().json()
    }

    /// Waits until nothing is without receipt.
    pub(crate) fn until_delivered(&self) {
        until(&format!("everything of {} is delivered", self.id), || {
            let said = self.run(&["--json", "status"]);
            said.code == 0
                && said.json()[0]["channels"].as_array().unwrap().iter().all(|channel| channel["waiting"] == 0)
        });
    }

    /// Gives the caller the role approver too, from the next start on.
    pub(crate) fn make_approver(&self) {
        self.configure(|text| {
            text.replace("roles = [\"system\", \"operator\"]", "roles = [\"system\", \"operator\", \"approver\"]")
        });
    }

    /// Where people and systems of other machines reach the running node.
    pub(crate) fn local_address(&self) -> String {
        let status = self.run(&["--json", "status"]).good().json().remove(0);
        status["local_address"].as_str().unwrap().to_owned()
    }

    /// Runs a command against this node as the second person, who is an approver.
    pub(crate) fn second(&self, args: &[&str]) -> Said {
        let (address, key) = (self.local_address(), self.second_key());
        verbale(&[&["--connect", &address, "--key", &key], args].concat(), None)
    }

    /// The key file of the second person.
    pub(crate) fn second_key(&self) -> String {
        self.folder.path().join("person-2.pem").to_str().unwrap().to_owned()
    }

    /// Lets the second person approve everything that waits.
    pub(crate) fn approve_all(&self) {
        for draft in self.run(&["--json", "drafts"]).good().json() {
            let id = draft["message_id"].as_str().unwrap();
            self.second(&["open", id, "--purpose", "approval"]).good();
            self.second(&["approve", id]).good();
        }
    }

    /// A person's key file for another node: any EC P-256 key will do, this node's own, and the card whose TLS key it pins.
    pub(crate) fn key_for(&self, other: &Self) -> String {
        let path = self.dir.join(format!("key-for-{}.pem", other.id));
        let [key, card] = [self.dir.join("keys/tls.pem"), other.dir.join("card.txt")]
            .map(|path| std::fs::read_to_string(path).unwrap());
        std::fs::write(&path, key + &card).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    /// The most memory the process ever took, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let pid = self.pid();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
    }

    pub(crate) fn log_file(&self) -> PathBuf {
        self.dir.parent().unwrap().join("serve.log")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Changes the configuration; takes effect at the next start.
    pub(crate) fn configure(&self, change: impl FnOnce(String) -> String) {
        let path = self.dir.join("verbale.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, change(text)).unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        if std::thread::panicking() {
            println!("log of {}:\n{}", self.id, self.log());
        }
    }
}

/// Two running nodes that enrolled each other.
pub(crate) fn pair() -> (Node, Node) {
    let (mut japan, mut partner) = (Node::init("JP-MOJ-ISA-RMD"), Node::init("KG-MLSSM-CECA"));
    japan.start();
    partner.start();
    japan.enrol(&partner).good();
    partner.enrol(&japan).good();
    (japan, partner)
}

/// Waits for a condition.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "it did not happen that {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Every file below a folder.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let kind = path.symlink_metadata().unwrap().file_type();
        if kind.is_dir() {
            found.extend(files(&path));
        } else if kind.is_file() {
            found.push(path);
        }
    }
    found
}

/// Reads a file that exists.
pub(crate) fn read(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut File::open(path).unwrap(), &mut bytes).unwrap();
    bytes
}
