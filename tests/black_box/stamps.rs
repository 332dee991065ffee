//! Trusted time: an authority that openssl plays stamps the head; one that is down, or lies, stops nothing and is seen.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;

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
}

fn status(node: &Node) -> Value {
    node.run(&["--json", "status"]).good().json().remove(0)
}

fn stamped(node: &Node) -> u64 {
    status(node)["time_stamps"]["last_size"].as_u64().unwrap()
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
    japan.stop();
    let (given, address) = ("# authority = \"http://tsa.example/tsr\"", authority.address);
    japan.configure(|text| {
        let text = text.replace(given, &format!("authority = \"http://{address}/tsr\""));
        text.replace("# interval_seconds = 86400", "interval_seconds = 1")
    });
    japan.start();
    let size = |node: &Node| status(node)["log_size"].as_u64().unwrap();
    until("the head is stamped", || stamped(&japan) == size(&japan));
    let first = stamped(&japan);

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
    until("it is stamped again", || stamped(&japan) == size(&japan));
    let second = stamped(&japan);
    japan.stop();
    japan.start();
    assert!(stamped(&japan) >= second);
    let dir = export(&japan, "export");
    let said = verify(&dir).good().json().remove(0);
    assert!(said["time_stamps"]["count"].as_u64().unwrap() >= 2, "{said}");
    let text = verbale(&["audit", "verify", dir.to_str().unwrap()], None).good().out;
    assert!(text.contains("openssl ts -verify"), "{text}");
    let roots = authority.dir.path().join("cert.pem");
    let check = |size: u64, data: u64| {
        let (data, answer) = (format!("stamps/{data}.checkpoint"), format!("stamps/{size}.tsr"));
        let args = ["ts", "-verify", "-data", &data, "-in", &answer, "-CAfile", roots.to_str().unwrap()];
        Command::new("openssl").args(args).current_dir(&dir).output().unwrap().status.success()
    };
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
