//! Exports of running nodes: repeated, cut off, gone on with; made at different times; and what counts as the log in a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::node::{Node, Said, files, pair, read, until, verbale};
use crate::notices::general;

/// Every file of a folder, by its name.
fn content(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files(dir).into_iter().map(|path| (path.strip_prefix(dir).unwrap().to_owned(), read(&path))).collect()
}

fn export(node: &Node, name: &str, more: &[&str]) -> (PathBuf, Said) {
    let dir = node.dir.join(name);
    let said = node.run(&[&["--json", "audit", "export", dir.to_str().unwrap()], more].concat());
    (dir, said)
}

fn size(said: Said) -> u64 {
    said.good().json()[0]["size"].as_u64().unwrap()
}

fn verify(dir: &Path) -> Value {
    verbale(&["audit", "verify", dir.to_str().unwrap(), "--json"], None).good().json().remove(0)
}

fn reconcile(one: &Path, other: &Path) -> Said {
    verbale(&["audit", "reconcile", one.to_str().unwrap(), other.to_str().unwrap(), "--json"], None)
}

/// Notices of general information, numbered.
fn send(node: &Node, from_japan: bool, numbers: std::ops::Range<u32>) {
    let side = if from_japan { "JP" } else { "KG" };
    let number = |i| format!("{side}-X-2026-{i:06}");
    let lines: Vec<String> = numbers.map(|i| general(from_japan, &number(i), "A text")).collect();
    node.submit(&lines.join("\n")).good();
    node.until_delivered();
}

#[test]
fn an_export_repeats_to_the_byte_and_goes_on_where_it_was_cut_off() {
    let (japan, partner) = pair();
    send(&partner, false, 1..300);
    // What stands beside the log is the same only once the counterpart has shown its last head.
    let status = |node: &Node| node.run(&["--json", "status"]).good().json().remove(0);
    until("the counterpart's head is held", || status(&japan)["heads"][0]["held_size"] == status(&partner)["log_size"]);
    let (dir, said) = export(&japan, "first", &["--for", "board-of-audit"]);
    let first = size(said);
    assert!(first > 256, "{first}");
    let whole = content(&dir);
    // The same again, there and elsewhere: nothing is logged anew, and each byte is the same.
    assert_eq!(size(export(&japan, "first", &["--for", "board-of-audit"]).1), first);
    assert_eq!(content(&dir), whole);
    let (elsewhere, said) = export(&japan, "second", &["--for", "board-of-audit"]);
    assert_eq!(size(said), first);
    assert_eq!(content(&elsewhere), whole);
    // Cut off: a folder without its checkpoint, and with a half-written file.
    for name in ["checkpoint", "tile/entries/000", "tile/0/001.p"] {
        let path = dir.join(name);
        if path.is_dir() { std::fs::remove_dir_all(path).unwrap() } else { std::fs::remove_file(path).unwrap() }
    }
    std::fs::write(dir.join("tile/entries/000.part"), "half").unwrap();
    let damaged = verbale(&["audit", "verify", dir.to_str().unwrap()], None);
    assert_eq!(damaged.code, 3, "{}{}", damaged.out, damaged.err);
    assert_eq!(size(export(&japan, "first", &["--for", "board-of-audit"]).1), first);
    assert_eq!(content(&dir), whole);
    assert_eq!(verify(&dir)["entries"]["exports"], 1);
    // Who gets it is logged; another recipient is another export.
    let (_, said) = export(&japan, "second", &[]);
    let second = size(said);
    assert_eq!(second, first + 1);
    // What an export of a shorter log left that was cut off goes.
    let left = elsewhere.join("tile/entries/000.p/7");
    std::fs::create_dir_all(left.parent().unwrap()).unwrap();
    std::fs::write(&left, "of before").unwrap();
    assert_eq!(size(export(&japan, "second", &[]).1), second);
    assert!(!left.exists());
    // While somebody else writes into it nothing is, and the log tells of no export.
    let held = std::fs::File::open(&elsewhere).unwrap();
    held.lock().unwrap();
    let before = content(&elsewhere);
    let refused = export(&japan, "second", &["--for", "board-of-audit"]).1;
    assert!(refused.code == 1 && refused.err.contains("another export is written into"), "{}", refused.err);
    assert_eq!(content(&elsewhere), before);
    drop(held);
    assert_eq!(size(export(&japan, "second", &[]).1), second);
    let refused = export(&japan, "third", &["--for", "Jane Doe"]).1;
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("BAD_PSEUDONYM"), "{}", refused.err);
    // What is new since an earlier export, copied over it, is the whole.
    send(&partner, false, 300..600);
    let since = export(&japan, "since", &["--since", &first.to_string()]);
    let (_, said) = export(&japan, "whole", &[]);
    assert_eq!(size(since.1), size(said));
    let alone = verbale(&["audit", "verify", since.0.to_str().unwrap()], None);
    assert_eq!(alone.code, 3, "{}", alone.out);
    assert!(alone.err.contains("--since"), "{}", alone.err);
    for (name, bytes) in content(&since.0) {
        std::fs::create_dir_all(dir.join(&name).parent().unwrap()).unwrap();
        std::fs::write(dir.join(name), bytes).unwrap();
    }
    let sound = verify(&dir);
    assert_eq!(sound["size"], verify(&japan.dir.join("whole"))["size"]);
    assert!(!since.0.join("tile/entries/000").exists(), "what the auditor has already was exported again");
    let too_far = export(&japan, "far", &["--since", "100000"]).1;
    assert_eq!(too_far.code, 2, "{}", too_far.err);
    // Another log does not go into the folder.
    let (others, said) = export(&partner, "first", &[]);
    said.good();
    let before = content(&dir);
    let mixed = partner.run(&["audit", "export", dir.to_str().unwrap()]);
    assert_eq!(mixed.code, 2, "{}", mixed.err);
    assert!(mixed.err.contains("give a folder of its own") && content(&dir) == before, "{}", mixed.err);
    assert_eq!(reconcile(&dir, &others).good().json()[0]["agreed"], 599);
    assert_eq!(reconcile(&others, &others).code, 3);
    // A file that has not its form is a fault beside the others: what is before it was checked, and a memorandum is not needed for the rest.
    let (cut, memorandum) = (dir.join("tile/entries/001"), dir.join("memoranda/JP-KG-SSW-2023.toml"));
    let (bundle, terms) = (std::fs::read(&cut).unwrap(), std::fs::read(&memorandum).unwrap());
    std::fs::write(&cut, &bundle[..bundle.len() - 9]).unwrap();
    let said = verbale(&["audit", "verify", dir.to_str().unwrap(), "--json"], None);
    let report = said.json().remove(0);
    assert_eq!((said.code, &report["cut_at"], &report["entries"]["exports"]), (4, &256.into(), &0.into()), "{report}");
    let findings = report["findings"].as_array().unwrap();
    assert!(findings.len() == 1 && findings[0]["code"] == "FILE" && findings[0]["entry"] == 256, "{report}");
    assert!(findings[0]["expected"].as_str().unwrap().starts_with("tile/entries/001 "), "{report}");
    let text = verbale(&["audit", "verify", dir.to_str().unwrap()], None).out;
    assert!(text.contains("NOT READ      what begins with entry 256,") && text.contains("entry 255 of"), "{text}");
    let pair = reconcile(&dir, &others);
    let report = pair.json().remove(0);
    assert_eq!((pair.code, &report["agreed"], &report["findings"]), (4, &0.into(), &Value::Array(vec![])), "{report}");
    std::fs::write(&cut, bundle).unwrap();
    std::fs::write(&memorandum, "no memorandum").unwrap();
    let said = verbale(&["audit", "verify", dir.to_str().unwrap(), "--json"], None);
    let report = said.json().remove(0);
    let codes: Vec<_> = report["findings"].as_array().unwrap().iter().map(|finding| finding["code"].clone()).collect();
    assert!(said.code == 4 && report["cut_at"].is_null() && codes.contains(&"FILE".into()), "{report}");
    assert_eq!(report["entries"]["sent"], sound["entries"]["sent"]);
    std::fs::write(&memorandum, terms).unwrap();
    assert_eq!(verify(&dir), sound);
}

#[test]
fn what_was_left_out_or_is_no_file_is_not_called_a_fault_and_takes_no_memory() {
    let (japan, partner) = pair();
    send(&japan, true, 1..4);
    let (whole, said) = export(&japan, "whole", &[]);
    let most = size(said) - 1;
    // One tile: what is left out is receipts.
    let (since, said) = export(&japan, "since", &["--since", &most.to_string()]);
    said.good();
    let verified = |dir: &Path| verbale(&["audit", "verify", dir.to_str().unwrap()], None);
    let alone = verified(&since);
    assert!(alone.code == 3 && alone.err.contains("--since"), "{}{}", alone.out, alone.err);
    for (name, bytes) in content(&since) {
        std::fs::create_dir_all(whole.join(&name).parent().unwrap()).unwrap();
        std::fs::write(whole.join(name), bytes).unwrap();
    }
    assert_eq!(verify(&whole)["sound"], true);
    // What somebody put there instead of a file, and one that is larger than the memory.
    let (dir, said) = export(&partner, "hostile", &[]);
    said.good();
    assert_eq!(verify(&dir)["sound"], true);
    std::fs::create_dir(dir.join("proofs")).unwrap();
    let proof = dir.join("proofs/XX-9.equivocation");
    std::os::unix::fs::symlink("/dev/zero", &proof).unwrap();
    let said = verified(&dir);
    assert!(said.code == 3 && said.err.contains("no file"), "{}", said.err);
    std::fs::remove_file(&proof).unwrap();
    std::fs::File::create(&proof).unwrap().set_len(100 << 30).unwrap();
    let said = verified(&dir);
    assert!(said.code == 3 && said.err.contains("larger than"), "{}", said.err);
    std::fs::remove_file(&proof).unwrap();
    assert_eq!(verify(&dir)["sound"], true);
    // Among receipts there are no links; a receipt may be longer than any is.
    let dir = whole;
    let receipts = dir.join("receipts");
    let receipt = std::fs::read_dir(&receipts).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read(&receipt).unwrap();
    for other in [Path::new("/dev/zero"), &receipts] {
        std::fs::remove_file(&receipt).unwrap();
        std::os::unix::fs::symlink(other, &receipt).unwrap();
        let said = verified(&dir);
        assert!(said.code == 3 && said.err.contains("no file") && said.err.contains("tlog-proof"), "{}", said.err);
    }
    std::fs::remove_file(&receipt).unwrap();
    std::fs::write(&receipt, [text.as_slice(), &[b'A'; 16 << 10]].concat()).unwrap();
    let said = verified(&dir);
    assert!(said.code == 4 && said.out.contains("RECEIPT"), "{}", said.out);
    std::fs::write(&receipt, text).unwrap();
    assert_eq!(verify(&dir)["sound"], true);
    // What is not there is no fault either.
    for command in ["card", "receipt", "checkpoint", "presentation", "account"] {
        assert_eq!(verbale(&["audit", command, "/nonexistent", "--json"], None).code, 3, "{command}");
    }
}

#[test]
fn an_older_export_is_not_called_a_fault_and_a_newer_one_is_asked_for() {
    let (japan, partner) = pair();
    send(&japan, true, 1..3);
    let (old, said) = export(&partner, "old", &[]);
    said.good();
    send(&japan, true, 3..6);
    let (newer, said) = export(&japan, "new", &[]);
    said.good();
    let said = reconcile(&newer, &old);
    assert_eq!(said.code, 3, "{}", said.out);
    assert!(said.out.contains("ask KG-MLSSM-CECA for an export made now"), "{}", said.out);
    let (now, said) = export(&partner, "now", &[]);
    said.good();
    assert_eq!(reconcile(&newer, &now).good().json()[0]["agreed"], 5);
    // The older export is a beginning of the newer one.
    verify(&old);
    let status = japan.run(&["--json", "status"]).good().json().remove(0);
    assert_eq!(status["heads"][0]["counterpart"], "KG-MLSSM-CECA");
    assert!(status["heads"][0]["cosigned_size"].as_u64() > Some(0), "{}", status["heads"]);
    let receipts = japan.run(&["receipts"]).good().out;
    assert!(receipts.contains("cosigned by us"), "{receipts}");
}

#[test]
fn dates_that_one_side_refused_to_take_are_no_difference() {
    let [mut japan, kyrgyz, tajik] = crate::disclosure::three();
    // The two hold different terms for a while: the disclosure notice is refused, and its dates stand in the sender's log alone.
    crate::disclosure::enter(&tajik, "TJ-MIA", "GOVERNMENT_BODY");
    let file = japan.0.dir.join("memoranda/JP-TJ-SSW-2024.toml");
    let terms = std::fs::read_to_string(&file).unwrap();
    japan.0.stop();
    std::fs::write(&file, terms.replace("Ministry of Justice", "Another Ministry")).unwrap();
    japan.0.start();
    let notify =
        ["disclosure", "notify", "JP-M", "--to", "TJ-MIA", "--fields", "conduct", "--purpose", "investigation"];
    tajik.0.run(&notify).good();
    tajik.0.approve_all();
    tajik.0.until_delivered();
    let sent = tajik.0.list("outbox").pop().unwrap();
    assert_eq!((&sent["flow"], &sent["code"]), (&"F24".into(), &"MEMORANDUM_MISMATCH".into()), "{sent}");
    japan.0.stop();
    std::fs::write(&file, terms).unwrap();
    japan.0.start();
    // A grant that is withdrawn has its dates in both logs.
    let scope = ["KG-A", "--to", "JP-MAFF", "--fields", "examinees", "--purpose", "cancellation"];
    crate::disclosure::enter(&japan, "JP-MAFF", "GOVERNMENT_BODY");
    let request = japan.consent(&[&["request"], scope.as_slice(), &["--until", "2099-12-31"]].concat());
    let grant = kyrgyz.consent(&["grant", &request]);
    japan.disclose("granted", &["KG-A", "--under", &grant]);
    kyrgyz.consent(&["withdraw", &grant, "--reason", "an end"]);
    until("the withdrawal binds", || japan.code(&["KG-A", "--under", &grant]) == "CONSENT_WITHDRAWN");
    let [ours, theirs, others] = [&japan, &tajik, &kyrgyz].map(|side| {
        let (dir, said) = export(&side.0, "export", &[]);
        said.good();
        dir
    });
    let verified = verify(&ours);
    assert_eq!(verified["released_on_consent_or_notice"], 1);
    reconcile(&ours, &theirs).good();
    reconcile(&ours, &others).good();
}
