//! What the command line says and with which exit code, as data.

use crate::node::{Node, pair, verbale};

#[test]
fn each_misuse_has_its_exit_code_and_says_what_to_do() {
    let mut node = Node::init("JP-MOJ-ISA-RMD");
    let stopped = Node::init("KG-MLSSM-CECA");
    node.start();
    let card = stopped.dir.join("card.txt");
    let (card, own) = (card.to_str().unwrap(), node.dir.join("card.txt"));
    let wrong = "0".repeat(64);
    let own = own.to_str().unwrap();
    let enrol = |file: &str, fingerprint: &str, address: &str| {
        ["card", "enrol", file, "--fingerprint", fingerprint, "--address", address].map(str::to_owned).to_vec()
    };
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let cases: Vec<(Vec<String>, i32, &str)> = vec![
        (words("fly"), 2, "unrecognized subcommand"),
        (words("list attic"), 2, "inbox"),
        (words("submit /nowhere"), 2, "/nowhere"),
        (words("status --connect 127.0.0.1:1"), 2, "--key"),
        (words("show KG-JP-2026-999999"), 1, "NO_SUCH_NOTICE"),
        (words("receipts KG-JP-2026-999999"), 1, "NO_SUCH_NOTICE"),
        (words("ack KG-JP-2026-999999"), 1, "NO_SUCH_NOTICE"),
        (vec!["open".into(), "KG-JP-2026-999999".into(), "--purpose".into(), " ".into()], 1, "PURPOSE_MISSING"),
        (enrol(card, &wrong, &stopped.address), 1, "compare again"),
        (enrol(card, "12", &stopped.address), 1, "BAD_FINGERPRINT"),
        (enrol(card, &stopped.fingerprint, "nowhere"), 1, "BAD_ADDRESS"),
        (enrol(own, &node.fingerprint, &node.address), 1, "own card"),
        (enrol("/etc/hostname", &wrong, &stopped.address), 1, "verbale card show"),
    ];
    for (args, code, part) in &cases {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let said = node.run(&args);
        assert_eq!(said.code, *code, "{args:?}: {}{}", said.out, said.err);
        assert!(said.err.contains(part), "{args:?}: {}", said.err);
    }
    let said = stopped.run(&["status"]);
    assert_eq!(said.code, 3);
    assert!(said.err.contains("verbale serve --dir"), "{}", said.err);
    let again = verbale(&["init", node.dir.to_str().unwrap(), "--id", "JP-MOJ-ISA-RMD"], None);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("not empty"), "{}", again.err);
    let second = node.run(&["serve"]);
    assert_eq!(second.code, 1);
    assert!(second.err.contains("in use by another verbale"), "{}", second.err);
    node.stop();
}

#[test]
fn a_damaged_journal_and_an_unknown_key_in_the_configuration_stop_the_start() {
    let (mut japan, partner) = pair();
    japan.submit(&crate::notices::general(true, "JP-1", "text")).good();
    japan.until_delivered();
    japan.stop();
    drop(partner);
    japan.configure(|text| text + "colour = \"blue\"\n");
    let said = japan.run(&["serve"]);
    assert_eq!(said.code, 1);
    assert!(
        said.err.contains("verbale.toml") && said.err.contains("line ") && said.err.contains("colour"),
        "{}",
        said.err
    );
    japan.configure(|text| text.replace("colour = \"blue\"\n", ""));
    let segment = japan.dir.join("journal/00000000.segment");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[200] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    let said = japan.run(&["serve"]);
    assert_eq!(said.code, 4, "{}", said.err);
    assert!(said.err.contains("nothing was changed"), "{}", said.err);
    // Nor is another card made, or another log begun: it is damage for them too.
    for command in [["keys", "rotate", "tls"].as_slice(), &["recover"]] {
        let said = japan.run(command);
        assert!(said.code == 4 && said.err.contains("cannot be read"), "{} {}", said.code, said.err);
    }
    assert_eq!(std::fs::read(&segment).unwrap(), bytes);
}

#[test]
fn an_unfinished_batch_at_the_end_of_the_journal_does_not_stop_the_start() {
    let (mut japan, partner) = pair();
    japan.submit(&crate::notices::general(true, "JP-1", "text")).good();
    japan.until_delivered();
    japan.kill();
    let segment = japan.dir.join("journal/00000000.segment");
    let mut bytes = std::fs::read(&segment).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    // The last frame may end with bytes that are zero.
    bytes[end + 9..end + 108].fill(0x5a);
    std::fs::write(&segment, &bytes).unwrap();
    japan.start();
    japan.submit(&crate::notices::general(true, "JP-2", "text")).good();
    japan.until_delivered();
    crate::audit::sound(&japan, &partner);
}

#[test]
fn a_full_disk_refuses_new_work_and_reading_goes_on() {
    let (mut japan, partner) = pair();
    let kept = japan.submit(&crate::notices::general(true, "JP-1", "text")).good();
    assert_eq!(kept.json().len(), 1);
    japan.until_delivered();
    japan.stop();
    japan.configure(|text| text.replace("reserve_bytes = 67108864", "reserve_bytes = 9000000000000000000"));
    japan.start();
    let full = japan.submit(&crate::notices::general(true, "JP-2", "text"));
    assert_eq!(full.code, 1);
    assert!(full.err.contains("NO_ROOM") && full.err.contains("free some space"), "{}", full.err);
    assert_eq!(japan.list("outbox").len(), 1);
    // The counterpart keeps what this node cannot take, and tries again.
    partner.submit(&crate::notices::general(false, "KG-1", "text")).good();
    crate::node::until("the rejection is shown", || {
        let status = partner.run(&["--json", "status"]).good().json().remove(0);
        status["channels"][0]["trouble"].as_str().is_some_and(|trouble| trouble.contains("NO_ROOM"))
    });
    japan.stop();
    japan.configure(|text| text.replace("reserve_bytes = 9000000000000000000", "reserve_bytes = 67108864"));
    japan.start();
    partner.until_delivered();
    crate::audit::sound(&japan, &partner);
}

#[test]
fn a_notice_with_more_fields_than_a_receiver_takes_is_refused_by_the_sender() {
    let (japan, partner) = pair();
    let entries = (0..70_000).map(|i| format!("\"place {i}\"")).collect::<Vec<_>>().join(",");
    let notice = crate::notices::from_office("JP-KG-SSW-2023", &partner.id).remove(0);
    let many = notice.replace("[\"nursing_care\", \"agriculture\"]", &format!("[{entries}]"));
    assert_ne!(notice, many);
    let said = partner.submit(&many);
    assert_eq!((said.code, &said.json()[0]["code"]), (1, &serde_json::Value::from("TOO_LARGE")));
    assert!(said.out.contains("more fields, the limit is 65536"), "{}", said.out);
    crate::audit::sound(&japan, &partner);
}

#[test]
fn without_a_card_of_the_counterpart_nothing_is_accepted() {
    let mut node = Node::init("JP-MOJ-ISA-RMD");
    node.start();
    let said = node.submit(&crate::notices::general(true, "JP-1", "text"));
    assert_eq!(said.code, 1);
    assert_eq!(said.json()[0]["code"], "COUNTERPART_NOT_ENROLLED");
    node.stop();
}
