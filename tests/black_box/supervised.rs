//! What a service manager and a shell are told.

use std::fs::File;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::node::{Node, VERBALE, verbale};
use crate::rules::NOTICES;

#[test]
fn a_service_manager_is_told_when_the_node_serves_and_when_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let told = || {
        let mut bytes = [0; 4096];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let until = |what: &str| {
        let mut all = String::new();
        while !all.lines().any(|line| line == what) {
            all += &told();
        }
        all
    };
    let mut node = Node::init("JP-MOJ-ISA-RMD");
    node.environment("NOTIFY_SOCKET", path.to_str().unwrap());
    node.start();
    let said = until("READY=1");
    assert!(said.contains("STATUS=serving JP-MOJ-ISA-RMD"), "{said}");
    // A long start is given time for as long as it goes on.
    assert!(said.contains("STATUS=replaying entries: 0 of ") && said.contains("EXTEND_TIMEOUT_USEC="), "{said}");
    node.stop();
    until("STOPPING=1");
}

#[test]
fn every_command_says_its_exit_codes_and_every_shell_gets_its_completions() {
    for command in ["init", "serve", "submit", "bench", "card enrol", "receipts", "status"] {
        let args: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let said = verbale(&args, None).good();
        for code in ["0    done", "1    refused", "2    usage", "3    the node is not", "4    data is", "141  whoever"]
        {
            assert!(said.out.contains(code), "{command}: {}", said.out);
        }
    }
    for shell in ["bash", "zsh", "fish"] {
        let said = verbale(&["completions", shell], None).good();
        assert!(said.out.contains("receipts") && said.out.contains("purpose"), "{shell}: {}", said.out);
    }
    assert_eq!(verbale(&["completions", "none"], None).code, 2);
}

#[test]
fn a_reader_that_leaves_is_no_error_and_a_full_disk_is_one() {
    let checked = |stdout: Stdio| {
        let mut command = Command::new(VERBALE);
        command.args(["check", "--commenced", "JP-TJ-SSW-2024=2025-02-01", NOTICES]).stdout(stdout);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(checked(writer.into()), (Some(141), String::new()), "`verbale check FILE | head -1` complained");
    let full = File::options().write(true).open("/dev/full").unwrap();
    let (code, said) = checked(full.into());
    assert!(code == Some(1) && said.contains("standard output cannot be written"), "{code:?} {said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}
