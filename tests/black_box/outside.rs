//! What outsiders can check with tools that nobody here wrote.

use std::process::{Command, Stdio};

use crate::node::{Node, pair, verbale};
use crate::notices::from_office;

const CHECK_RECEIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/outside/check_receipt.py");

/// Set where tools must be there: a missing one is then a failure.
const REQUIRE: &str = "VERBALE_REQUIRE_TOOLS";

/// Whether all tools are there.
pub(crate) fn have(tools: &[&str]) -> bool {
    let missing = |tool: &&&str| {
        let found = Command::new("sh").args(["-c", &format!("command -v {tool}")]).stdout(Stdio::null()).status();
        !found.is_ok_and(|status| status.success())
    };
    let Some(tool) = tools.iter().find(missing) else { return true };
    assert!(std::env::var_os(REQUIRE).is_none(), "{tool} is missing and {REQUIRE} is set");
    println!("SKIPPED: {tool} is not on this machine");
    false
}

#[test]
fn a_receipt_is_checked_with_openssl_sha256sum_and_age() {
    if !have(&["python3", "openssl", "sha256sum", "age"]) {
        return;
    }
    let (japan, partner) = pair();
    partner.submit(&from_office("JP-KG-SSW-2023", &partner.id).join("\n")).good();
    partner.until_delivered();
    let folder = partner.dir.join("exported");
    let (id, export) = ("KG-JP-2026-000002", folder.to_str().unwrap());
    partner.run(&["receipts", id, "--export", export]).good();
    let identity = japan.dir.join("keys/age.txt");
    let check = || Command::new("python3").arg(CHECK_RECEIPT).arg(&folder).arg(&identity).output().unwrap();
    let checked = check();
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    print!("{said}");
    assert!(checked.status.success(), "{said}{}", String::from_utf8_lossy(&checked.stderr));
    assert_eq!(said.lines().filter(|line| line.starts_with("ok ")).count(), 14);
    // The script finds what is wrong.
    for name in ["entry.bin", "envelope.bin", "sealed.age"] {
        let path = folder.join(name);
        let sound = std::fs::read(&path).unwrap();
        let mut changed = sound.clone();
        *changed.last_mut().unwrap() ^= 1;
        std::fs::write(&path, changed).unwrap();
        assert!(!check().status.success(), "a changed {name} was not found");
        std::fs::write(&path, sound).unwrap();
    }
    assert!(check().status.success());
}

#[test]
fn openssl_sees_tls_1_3_and_the_pinned_key_and_another_client_key_is_turned_away() {
    if !have(&["openssl"]) {
        return;
    }
    let (japan, partner) = pair();
    let keys = |node: &crate::node::Node| {
        let certificate = node.dir.join("client.pem");
        let key = node.dir.join("keys/tls.pem");
        let made = Command::new("openssl")
            .args(["req", "-new", "-x509", "-subj", "/CN=x", "-days", "2", "-key"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .unwrap();
        assert!(made.status.success());
        (key, certificate)
    };
    let connect = |(key, certificate): &(std::path::PathBuf, std::path::PathBuf), until_closed: bool| {
        let said = Command::new("openssl")
            .args(["s_client", "-connect", &japan.address, "-alpn", "h2", "-key"])
            .arg(key)
            .arg("-cert")
            .arg(certificate)
            // The server turns a key away only after the client's handshake: wait for that, else end at once.
            .args(until_closed.then_some("-ign_eof"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned()
    };
    let accepted = connect(&keys(&partner), false);
    assert!(accepted.contains("TLSv1.3"), "{accepted}");
    let public =
        Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(japan.dir.join("keys/tls.pem")).output().unwrap();
    let pinned = String::from_utf8(public.stdout).unwrap();
    let shown = certificate_key(&accepted);
    assert_eq!(shown, pinned, "the key that the server shows is not the one on its card");
    assert!(!accepted.contains("alert"), "{accepted}");
    let stranger = crate::node::Node::init("XX-STRANGER");
    let refused = connect(&keys(&stranger), true);
    assert!(refused.contains("alert"), "{refused}");
}

/// The public key in the certificate that `s_client` printed.
fn certificate_key(said: &str) -> String {
    use std::io::Write as _;
    let start = said.find("-----BEGIN CERTIFICATE-----").unwrap();
    let end = said.find("-----END CERTIFICATE-----").unwrap() + "-----END CERTIFICATE-----\n".len();
    let mut openssl = Command::new("openssl")
        .args(["x509", "-noout", "-pubkey"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    openssl.stdin.take().unwrap().write_all(&said.as_bytes()[start..end]).unwrap();
    String::from_utf8(openssl.wait_with_output().unwrap().stdout).unwrap()
}

const GRPC_CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/outside/grpc_client.py");
const PROTO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto");

/// A Python with grpcio, where `.ci/run` made one; `None` when there is none and there need not be one.
fn python_with_grpc() -> Option<String> {
    let python = std::env::var("VERBALE_GRPC_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let import = Command::new(&python).args(["-c", "import grpc, grpc_tools"]).stderr(Stdio::null()).status();
    if import.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    assert!(std::env::var_os(REQUIRE).is_none(), "grpcio is missing and {REQUIRE} is set");
    println!("SKIPPED: python3 with grpcio is not on this machine");
    None
}

/// Runs the client and requires what it must say.
fn grpc_client(python: &str, args: &[&str], parts: &[&str]) {
    let said = Command::new(python).args([GRPC_CLIENT, PROTO]).args(args).output().unwrap();
    let out = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.status.success(), "{out}{}", String::from_utf8_lossy(&said.stderr));
    for part in parts {
        assert!(out.contains(part), "{part}: {out}");
    }
}

#[test]
fn a_stock_grpc_client_submits_lists_acknowledges_and_fetches_the_receipt_over_the_socket() {
    let Some(python) = python_with_grpc() else { return };
    let (japan, partner) = pair();
    japan.submit(&crate::notices::general(true, "JP-GRPC-1", "text")).good();
    japan.until_delivered();
    let (socket, notice) = (partner.dir.join("verbale.sock"), partner.dir.join("notice.json"));
    std::fs::write(&notice, crate::notices::general(false, "KG-GRPC-1", "text")).unwrap();
    let args = ["socket", socket.to_str().unwrap(), notice.to_str().unwrap(), "JP-GRPC-1"];
    let parts = [
        "submitted KG-GRPC-1",
        "listed 1",
        "receipt RECEIVED",
        "acknowledged JP-GRPC-1 HANDED_OVER once",
        "refused NOT_FOUND NO_SUCH_NOTICE",
    ];
    grpc_client(&python, &args, &parts);
    crate::audit::sound(&japan, &partner);
}

#[test]
fn a_stock_grpc_client_speaks_to_the_local_listener_over_mutual_tls() {
    let Some(python) = python_with_grpc() else { return };
    if !have(&["openssl"]) {
        return;
    }
    let mut node = crate::node::Node::init("JP-MOJ-ISA-RMD");
    let person = crate::node::Node::init("XX-PERSON");
    node.start();
    let address = node.local_address();
    let key = person.key_for(&node);
    let said = crate::node::verbale(&["--connect", &address, "--key", &key, "status"], None);
    let fingerprint = said.err.split("fingerprint ").nth(1).unwrap().get(..64).unwrap().to_owned();
    node.stop();
    node.configure(|text| {
        text + &format!("[[persons]]\nname = \"x\"\nroles = [\"auditor\"]\nkeys = [\"{fingerprint}\"]\n")
    });
    node.start();
    let address = node.local_address();
    let card = node.dir.join("card.txt");
    let args = ["tls", &address, card.to_str().unwrap(), &key];
    let parts =
        ["pinned JP-MOJ-ISA-RMD", "status JP-MOJ-ISA-RMD log of entries", "refused PERMISSION_DENIED NOT_ALLOWED"];
    grpc_client(&python, &args, &parts);
    // Another key is turned away, and another node's card is noticed.
    let stranger = crate::node::Node::init("XX-STRANGER");
    for (card, key) in [(&node, stranger.key_for(&node)), (&stranger, key.clone())] {
        let card = card.dir.join("card.txt");
        let refused = Command::new(&python)
            .args([GRPC_CLIENT, PROTO, "tls", &address, card.to_str().unwrap(), &key])
            .output()
            .unwrap();
        assert!(!refused.status.success(), "{}", String::from_utf8_lossy(&refused.stdout));
    }
    node.stop();
}

#[test]
fn what_is_disclosed_to_an_audience_with_a_key_is_opened_with_age_and_by_nobody_else() {
    if !have(&["age", "age-keygen"]) {
        return;
    }
    let (mut japan, partner) = pair();
    partner.submit(&from_office("JP-KG-SSW-2023", &partner.id).join("\n")).good();
    partner.until_delivered();
    let folder = japan.dir.parent().unwrap().to_owned();
    let key = |name: &str| {
        let file = folder.join(name);
        let made = Command::new("age-keygen").arg("-o").arg(&file).output().unwrap();
        let said = String::from_utf8_lossy(&made.stderr).into_owned();
        (file, said.split_whitespace().find(|word| word.starts_with("age1")).unwrap().to_owned())
    };
    let ((own, recipient), (another, other_recipient)) = (key("own"), key("another"));
    let (name, class) = ("JP-OTIT", "GOVERNMENT_BODY");
    let wrong = japan.run(&["audience", "enter", name, "--class", class, "--age", "age1nonsense"]);
    assert!(wrong.code == 1 && wrong.err.contains("age-keygen"), "{}", wrong.err);
    japan.run(&["audience", "enter", name, "--class", class, "--age", &recipient]).good();
    // The second person has the key from the audience itself, and finds another one.
    for given in [vec![], vec!["--age", &other_recipient]] {
        let said = japan.second(&[&["audience", "confirm", name, "--class", class], given.as_slice()].concat());
        assert!(said.code == 1 && said.err.contains("another class or key"), "{}", said.err);
    }
    japan.second(&["audience", "confirm", name, "--class", class, "--age", &recipient]).good();
    let scope = ["KG-JP-2026-000007", "--to", name, "--fields", "conduct", "--purpose", "supervision"];
    let asked = [&["--json", "consent", "request"], scope.as_slice(), &["--until", "2099-12-31"]].concat();
    let request = japan.run(&asked).good().json()[0]["notice_id"].as_str().unwrap().to_owned();
    japan.until_delivered();
    let granted = partner.run(&["--json", "consent", "grant", &request]).good();
    let grant = granted.json()[0]["notice_id"].as_str().unwrap().to_owned();
    partner.approve_all();
    partner.until_delivered();
    let file = folder.join("presentation.age");
    let out = file.to_str().unwrap();
    let said = japan.second(&["--json", "disclose", "KG-JP-2026-000007", "--under", &grant, "--out", out]).good();
    assert_eq!(said.json()[0]["sealed"], true);
    let open =
        |identity: &std::path::Path| Command::new("age").arg("-d").arg("-i").arg(identity).arg(&file).output().unwrap();
    assert!(!open(&another).status.success());
    let opened = open(&own);
    assert!(opened.status.success(), "{}", String::from_utf8_lossy(&opened.stderr));
    let presentation = folder.join("presentation");
    std::fs::write(&presentation, opened.stdout).unwrap();
    let cards = [&partner, &japan].map(|node| node.dir.join("card.txt").to_str().unwrap().to_owned());
    let [originator, discloser] = &cards;
    let args = ["audit", "presentation", presentation.to_str().unwrap(), "--card", originator, "--card", discloser];
    verbale(&args, None).good();
    // A name that looks like it is another one's.
    for alike in ["jp-otit", "JP-OTIT ", "JP-\u{41e}TIT"] {
        let said = japan.run(&["audience", "enter", alike, "--class", class, "--age", &other_recipient]);
        assert_eq!(said.code, 1, "{alike}: {}", said.out);
    }
    // The audience lost its key. One person ends the entry: nothing goes to that key any more, under the same grant neither.
    let nobody = japan.run(&["audience", "end", "JP-OTTI"]);
    assert!(nobody.code == 1 && nobody.err.contains("verbale audience list"), "{}", nobody.err);
    japan.run(&["audience", "end", name]).good();
    let refused = |japan: &Node| {
        let again = folder.join("again.age");
        let said =
            japan.second(&["disclose", "KG-JP-2026-000007", "--under", &grant, "--out", again.to_str().unwrap()]);
        assert!(said.code == 1 && said.out.contains("UNKNOWN_AUDIENCE") && !again.exists(), "{}{}", said.out, said.err);
    };
    refused(&japan);
    japan.stop();
    japan.start();
    refused(&japan);
    // It is entered anew, by two persons as before, and has what the grant names.
    japan.run(&["audience", "enter", name, "--class", class, "--age", &other_recipient]).good();
    refused(&japan);
    japan.second(&["audience", "confirm", name, "--class", class, "--age", &other_recipient]).good();
    std::fs::remove_file(&file).unwrap();
    japan.second(&["disclose", "KG-JP-2026-000007", "--under", &grant, "--out", out]).good();
    assert!(open(&another).status.success() && !open(&own).status.success());
    let listed = japan.run(&["--json", "audience", "list"]).good().json();
    let ended: Vec<&serde_json::Value> = listed.iter().map(|of| &of["ended"]).collect();
    assert_eq!(ended, [true, false]);
    crate::audit::sound(&japan, &partner);
}
