//! Trusted time: an authority that openssl plays stamps the head; one that is down, or lies, stops nothing and is seen.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use verbale_keys::SecretKey;
use verbale_ledger::{Checkpoint, LogSize};

use crate::heads::{copy, send};
use crate::node::{Node, pair, read, until, verbale};
use crate::notices::general;
use crate::outside::have;

const HONEST: u8 = 0;
const DOWN: u8 = 1;
/// It gives each time the same answer, about an earlier head.
const REPEATS: u8 = 2;
const BROKEN: u8 = 3;

/// A time stamping authority on a port of its own.
struct Authority {
    dir: tempfile::TempDir,
    address: SocketAddr,
    mood: Arc<AtomicU8>,
}

const CONFIG: &str = "
[tsa]
default_tsa = here
[here]
dir = DIR
serial = DIR/serial
crypto_device = builtin
signer_cert = DIR/cert.pem
certs = DIR/cert.pem
signer_key = DIR/key.pem
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ordering = no
tsa_name = yes
ess_cert_id_chain = no
";

fn openssl(dir: &Path, args: &[&str]) -> std::process::Output {
    let done = Command::new("openssl").args(args).current_dir(dir).stdin(Stdio::null()).output().unwrap();
    assert!(done.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    done
}

impl Authority {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        let key = "ec_paramgen_curve:P-256";
        openssl(&path, &["genpkey", "-algorithm", "EC", "-pkeyopt", key, "-out", "key.pem"]);
        let usage = "extendedKeyUsage=critical,timeStamping";
        let subject = ["-subj", "/CN=An authority", "-days", "2", "-out", "cert.pem"];
        openssl(&path, &[&["req", "-x509", "-new", "-key", "key.pem", "-addext", usage], &subject[..]].concat());
        std::fs::write(path.join("tsa.cnf"), CONFIG.replace("DIR", path.to_str().unwrap())).unwrap();
        std::fs::write(path.join("serial"), "01\n").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, mood) = (listener.local_addr().unwrap(), Arc::new(AtomicU8::new(HONEST)));
        let (theirs, first) = (Arc::clone(&mood), Mutex::new(None::<Vec<u8>>));
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mood = theirs.load(Ordering::Relaxed);
                if mood == DOWN {
                    continue;
                }
                let mut reading = BufReader::new(&stream);
                let (mut length, mut line) = (0, String::new());
                while reading.read_line(&mut line).is_ok_and(|read| read > 2) {
                    let header = line.to_ascii_lowercase();
                    if let Some(value) = header.strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    line.clear();
                }
                let mut query = vec![0; length];
                if reading.read_exact(&mut query).is_err() {
                    continue;
                }
                std::fs::write(path.join("query"), query).unwrap();
                openssl(&path, &["ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "reply"]);
                let mut reply = std::fs::read(path.join("reply")).unwrap();
                let mut first = first.lock().unwrap();
                match mood {
                    REPEATS => reply.clone_from(first.as_ref().unwrap()),
                    BROKEN => reply.truncate(reply.len() / 2),
                    _ => drop(first.get_or_insert_with(|| reply.clone())),
                }
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\nContent-Length: {}\r\n\r\n",
                    reply.len()
                );
                let _ = (&stream).write_all(&[head.as_bytes(), &reply].concat());
            }
        });
        Self { dir, address, mood }
    }

    fn is(&self, mood: u8) {
        self.mood.store(mood, Ordering::Relaxed);
    }

    /// Its answer about a text; while no node asks it.
    fn stamp(&self, note: &str) -> Vec<u8> {
        let dir = self.dir.path();
        std::fs::write(dir.join("note"), note).unwrap();
        openssl(dir, &["ts", "-query", "-data", "note", "-sha256", "-out", "query"]);
        openssl(dir, &["ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "reply"]);
        read(&dir.join("reply"))
    }

    /// Whether openssl verifies an answer in an export, by the head in it.
    fn has_stamped(&self, export: &Path, answer: &str, head: &str) -> bool {
        let (data, answer) = (format!("stamps/{head}.checkpoint"), format!("stamps/{answer}.tsr"));
        let roots = self.dir.path().join("cert.pem");
        let args = ["ts", "-verify", "-data", &data, "-in", &answer, "-CAfile", roots.to_str().unwrap()];
        Command::new("openssl").args(args).current_dir(export).output().unwrap().status.success()
    }

    /// Has a node ask it each second.
    fn serves(&self, node: &mut Node) {
        node.stop();
        let address = self.address;
        node.configure(|text| {
            let (given, own) =
                ("# authority = \"http://tsa.example/tsr\"", format!("authority = \"http://{address}/tsr\""));
            text.replace(given, &own).replace("# interval_seconds = 86400", "interval_seconds = 1")
        });
        node.start();
    }
}

fn status(node: &Node) -> Value {
    node.run(&["--json", "status"]).good().json().remove(0)
}

fn stamped(node: &Node) -> u64 {
    status(node)["time_stamps"]["last_size"].as_u64().unwrap()
}

fn text_of(path: &Path) -> String {
    String::from_utf8(read(path)).unwrap()
}

/// The size of the log, once its head is stamped.
fn whole(node: &Node) -> u64 {
    until("the head is stamped", || {
        let shown = status(node);
        shown["time_stamps"]["last_size"] == shown["log_size"]
    });
    stamped(node)
}

fn export(node: &Node, name: &str) -> PathBuf {
    let dir = node.dir.join(name);
    node.run(&["audit", "export", dir.to_str().unwrap()]).good();
    dir
}

fn verify(dir: &Path) -> crate::node::Said {
    verbale(&["audit", "verify", dir.to_str().unwrap(), "--json"], None)
}

#[test]
fn an_authority_stamps_the_head_and_openssl_verifies_it() {
    if !have(&["openssl"]) {
        return;
    }
    let authority = Authority::start();
    let (mut japan, partner) = pair();
    assert!(status(&japan)["time_stamps"].is_null(), "none was configured");
    authority.serves(&mut japan);
    let first = whole(&japan);

    // Down, then with answers that prove nothing: traffic goes on, and the gap is seen.
    for (mood, said) in [(DOWN, ""), (REPEATS, "other bytes"), (BROKEN, "no time stamp")] {
        authority.is(mood);
        partner.submit(&general(false, &format!("KG-{mood}"), "a text")).good();
        partner.until_delivered();
        until("the trouble is shown", || {
            let shown = &status(&japan)["time_stamps"];
            let trouble = shown["trouble"].as_str().unwrap();
            !trouble.is_empty() && trouble.contains(said) && shown["is_late"] == true
        });
        assert_eq!(stamped(&japan), first);
    }
    let text = japan.run(&["status"]).good().out;
    assert!(text.contains("LATE"), "{text}");
    let dir = export(&japan, "late");
    let said = verify(&dir).good().json().remove(0);
    let after = &said["time_stamps"]["entries_after_last"];
    assert_eq!(
        (&said["time_stamps"]["count"], after.as_u64()),
        (&1.into(), said["size"].as_u64().map(|of| of - first))
    );

    // It is there again; a restart knows what was stamped.
    authority.is(HONEST);
    let second = whole(&japan);
    japan.stop();
    japan.start();
    assert!(stamped(&japan) >= second);
    let dir = export(&japan, "export");
    let said = verify(&dir).good().json().remove(0);
    assert!(said["time_stamps"]["count"].as_u64().unwrap() >= 2, "{said}");
    let text = verbale(&["audit", "verify", dir.to_str().unwrap()], None).good().out;
    assert!(text.contains("openssl ts -verify"), "{text}");
    let check = |answer: u64, data: u64| authority.has_stamped(&dir, &answer.to_string(), &data.to_string());
    assert!(check(first, first) && check(second, second));
    assert!(!check(second, first), "openssl verifies anything");

    // What is changed is found.
    let (one, other) = (dir.join(format!("stamps/{first}.tsr")), dir.join(format!("stamps/{second}.tsr")));
    let (answer, theirs) = (read(&one), read(&other));
    std::fs::write(&one, &theirs).unwrap();
    let said = verify(&dir);
    assert!(said.code == 4 && said.out.contains("TIME_STAMP") && said.out.contains("other bytes"), "{}", said.out);
    std::fs::write(&one, &answer[..100]).unwrap();
    let said = verify(&dir);
    assert!(said.code == 4 && said.out.contains("TIME_STAMP"), "{}", said.out);
    std::fs::write(&one, &answer).unwrap();
    std::fs::copy(dir.join(format!("stamps/{second}.checkpoint")), dir.join(format!("stamps/{first}.checkpoint")))
        .unwrap();
    let said = verify(&dir);
    assert!(said.code == 4 && said.out.contains("TIME_STAMP"), "{}", said.out);
}

#[test]
fn stamps_of_a_log_that_was_closed_are_checked_against_what_was_carried_over() {
    if !have(&["openssl"]) {
        return;
    }
    let authority = Authority::start();
    let (mut japan, partner) = pair();
    authority.serves(&mut japan);
    send(&japan, 1).good();
    japan.until_delivered();
    let held = whole(&japan);
    japan.stop();
    let copied = japan.dir.with_file_name("copied");
    copy(&japan.dir, &copied);
    japan.start();
    send(&japan, 2).good();
    japan.until_delivered();
    let lost = whole(&japan);
    japan.stop();
    // The folder of heads, and with it what was stamped, is apart from it.
    std::fs::remove_dir_all(&japan.dir).unwrap();
    copy(&copied, &japan.dir);
    let done = japan.run(&["--json", "recover", "--confirm"]).good().json().remove(0);
    assert!(done["known"].as_u64() >= Some(lost) && done["held"].as_u64() < Some(lost), "{done}");
    japan.start();
    until("the channel is resumed", || send(&japan, 3).json()[0]["outcome"] == "accepted");
    japan.until_delivered();
    partner.until_delivered();
    whole(&japan);
    let dir = export(&japan, "export");
    let again = export(&japan, "again");
    let said = verify(&dir).good().json().remove(0);
    let of_closed = &said["time_stamps"]["closed"][0];
    assert_eq!(of_closed["log"], "verbale/JP-MOJ-ISA-RMD/1");
    assert!(of_closed["count"].as_u64() >= Some(2) && said["time_stamps"]["count"].as_u64() >= Some(1), "{said}");
    let text = verbale(&["audit", "verify", dir.to_str().unwrap()], None).good().out;
    assert!(text.contains("of verbale/JP-MOJ-ISA-RMD/1, which was closed, from"), "{text}");
    let name = |size: u64| format!("closed-1-{size}");
    assert!(
        authority.has_stamped(&dir, &name(held), &name(held)) && authority.has_stamped(&dir, &name(lost), &name(lost))
    );
    for file in [format!("stamps/{}.tsr", name(held)), format!("stamps/{}.checkpoint", name(lost))] {
        assert_eq!(read(&dir.join(&file)), read(&again.join(&file)), "{file}");
    }

    // What is changed is found; the key of the log that was closed is still there.
    let path = |name: &str, ending: &str| dir.join(format!("stamps/{name}.{ending}"));
    let put = |name: &str, (note, answer): (&str, &[u8])| {
        std::fs::write(path(name, "checkpoint"), note).unwrap();
        std::fs::write(path(name, "tsr"), answer).unwrap();
    };
    let key = SecretKey::from_pem(&text_of(&japan.dir.join("keys/log-1.pem"))).unwrap();
    let (note, answer) = (text_of(&path(&name(held), "checkpoint")), read(&path(&name(held), "tsr")));
    let signed = |size: u64| {
        Checkpoint { origin: "verbale/JP-MOJ-ISA-RMD/1".into(), size: LogSize(size), root: [7; 32] }.sign(&key)
    };
    let found = |code: &str, what: &str| {
        let said = verify(&dir);
        let findings = said.json().remove(0)["findings"].as_array().unwrap().clone();
        let is_it = |finding: &Value| finding["code"] == code && finding.to_string().contains(what);
        assert!(said.code == 4 && findings.len() == 1 && findings.iter().any(is_it), "{}", said.out);
    };
    japan.stop();
    put(&name(held), (&note, &read(&path(&name(lost), "tsr"))));
    found("TIME_STAMP", "other bytes");
    put(&name(held), (&note, &answer));
    verify(&dir).good();
    // Of another log than the name says; of one that it never took the place of.
    put("closed-2-1", (&note, &answer));
    found("TIME_STAMP", "closed-2-1.tsr of this log, or of one");
    std::fs::remove_file(path("closed-2-1", "tsr")).unwrap();
    put("1", (&note, &answer));
    found("TIME_STAMP", "the signed head of 1 entries of verbale/JP-MOJ-ISA-RMD/2 beside");
    std::fs::remove_file(path("1", "tsr")).unwrap();
    // More than the beginning says that others know is said, and convicts nobody.
    let beyond = done["known"].as_u64().unwrap() + 1;
    let note = signed(beyond);
    put(&name(beyond), (&note, &authority.stamp(&note)));
    let said = verify(&dir);
    let report = said.json().remove(0);
    assert_eq!((said.code, &report["sound"], &report["whole"]), (3, &true.into(), &false.into()), "{report}");
    assert!(report["time_stamps"]["beyond"][0].as_str().unwrap().contains("more was lost than it tells"), "{report}");
    std::fs::remove_file(path(&name(beyond), "tsr")).unwrap();
    verify(&dir).good();
}

#[test]
fn of_a_log_that_was_lost_whole_stamps_are_named_and_of_one_that_nobody_knows_there_are_none() {
    if !have(&["openssl"]) {
        return;
    }
    let authority = Authority::start();
    let (mut japan, mut partner) = pair();
    authority.serves(&mut japan);
    send(&japan, 1).good();
    japan.until_delivered();
    whole(&japan);
    japan.stop();
    partner.stop();
    let copied = japan.dir.with_file_name("copied");
    copy(&japan.dir, &copied);
    let put_back = |japan: &Node| {
        std::fs::remove_dir_all(&japan.dir).unwrap();
        copy(&copied, &japan.dir);
    };
    let recover = |japan: &Node, more: &[&str]| {
        japan.run(&[&["--json", "recover", "--confirm"], more].concat()).good().json().remove(0)
    };
    // A log of which only the authority saw a head: another one does not take its name.
    assert_eq!(recover(&japan, &[])["next"], "verbale/JP-MOJ-ISA-RMD/2");
    japan.start();
    whole(&japan);
    japan.stop();
    put_back(&japan);
    assert_eq!(recover(&japan, &[])["next"], "verbale/JP-MOJ-ISA-RMD/3");
    partner.start();
    japan.start();
    until("the channel is resumed", || send(&japan, 2).json()[0]["outcome"] == "accepted");
    japan.until_delivered();
    whole(&japan);
    let dir = export(&japan, "export");
    let said = verify(&dir).good().json().remove(0);
    assert_eq!(said["time_stamps"]["closed"][0]["log"], "verbale/JP-MOJ-ISA-RMD/1");
    assert_eq!(said["time_stamps"]["of_what_was_lost"], serde_json::json!({}), "{said}");
    // What is lost whole others know: stamps of it are named, and there is nothing to compare them with.
    japan.stop();
    let card = japan.dir.with_file_name("card-3.txt");
    std::fs::copy(japan.dir.join("card.txt"), &card).unwrap();
    put_back(&japan);
    let done = recover(&japan, &["--known-card", card.to_str().unwrap()]);
    assert_eq!(
        (&done["next"], &done["lost"]),
        (&"verbale/JP-MOJ-ISA-RMD/4".into(), &"verbale/JP-MOJ-ISA-RMD/3".into())
    );
    japan.start();
    until("the channel is resumed", || send(&japan, 3).json()[0]["outcome"] == "accepted");
    japan.until_delivered();
    whole(&japan);
    let dir = export(&japan, "export");
    let said = verify(&dir);
    let report = said.json().remove(0);
    assert!([0, 3].contains(&said.code), "{report}");
    assert!(report["time_stamps"]["of_what_was_lost"]["verbale/JP-MOJ-ISA-RMD/3"].as_u64() >= Some(1), "{report}");
    assert_eq!(report["time_stamps"]["closed"].as_array().unwrap().len(), 1, "{report}");
    let text = verbale(&["audit", "verify", dir.to_str().unwrap()], None).out;
    assert!(text.contains("of what was lost of verbale/JP-MOJ-ISA-RMD/3: there is nothing to compare"), "{text}");
}
