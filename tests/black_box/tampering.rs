//! The tampering table: what somebody changes in an exported log, and by what code an auditor finds it. Rows of the first part change
//! files; in the others (`rewritten.rs`, `released.rs`, `other_side.rs`) the operator of the node itself writes its log anew.

pub(crate) mod carried;
pub(crate) mod craft;
mod erased;
mod other_side;
mod released;
mod rewritten;
mod rotated;

use std::path::Path;

use serde_json::Value;
use verbale_keys::SecretKey;
use verbale_ledger::{Checkpoint, LogSize, equivocation_text};
use verbale_proto::v1::log_entry::Event;

use crate::node::{Said, verbale};
use crate::outside::have;
use craft::{Copy, Impostor, JAPAN, KYRGYZSTAN, Kept, edit, flip};

const CHECK_EXPORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/outside/check_export.py");

/// What is changed, and the code by which it is found.
type Row<'r, C> = (&'r str, C, &'r str);

/// A change of files.
type Files<'r> = Box<dyn Fn(&Copy) + 'r>;

fn codes(said: &Said) -> Vec<String> {
    let report: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{}{}", said.out, said.err));
    let logs = report["logs"].as_array().into_iter().flatten().chain([&report]);
    let findings = logs.flat_map(|log| log["findings"].as_array().unwrap().clone());
    findings.map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

/// It is found by this code, and the exit code says that a fault was found.
fn found(row: &str, said: &Said, code: &str) {
    assert_eq!(said.code, 4, "{row}: {}{}", said.out, said.err);
    assert!(codes(said).iter().any(|found| found == code), "{row}: {code} is not among {:?}", codes(said));
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn changed_files_are_found() {
    let kept = Kept::of_demo();
    let untouched = kept.copy();
    let cards = [JAPAN, KYRGYZSTAN, "TJ-MLMEP-MS-DLPSA", "UZ-CONTACT-UNVERIFIED"].map(|id| kept.card(id));
    let cards: Vec<&Path> = cards.iter().map(AsRef::as_ref).collect();
    let sound = untouched.verify(JAPAN, &cards).good().json().remove(0);
    assert_eq!((&sound["sound"], &sound["cards_compared"]), (&Value::from(true), &Value::from(true)));
    assert_eq!(sound["cosigned"].as_array().unwrap().len(), 3, "{sound}");
    untouched.verify(KYRGYZSTAN, &[]).good();
    let pair = untouched.reconcile().good().json().remove(0);
    assert_eq!((&pair["sound"], pair["not_compared"].as_array().unwrap().len()), (&Value::from(true), 0), "{pair}");
    assert_eq!((&pair["agreed"], &pair["under_way"]), (&Value::from(42), &Value::from(0)));

    let receipted = kept.log(&untouched, JAPAN).find(|event| matches!(event, Event::ReceiptReceived(_)));
    let other = kept.log(&untouched, JAPAN).find_last(|event| matches!(event, Event::ReceiptReceived(_)));
    let stranger = SecretKey::from_seed([7; 32]);
    let impostor = Impostor::of(KYRGYZSTAN);
    let impostors_card = impostor.card();
    let log_key = kept.secret(JAPAN, "log.pem");
    let fork = |root| Checkpoint { origin: format!("verbale/{KYRGYZSTAN}/1"), size: LogSize(9), root: [root; 32] };
    let their_key = kept.secret(KYRGYZSTAN, "log.pem");
    let rows: Vec<Row<'_, Files<'_>>> = vec![
        ("a byte of an entry", Box::new(|copy| flip(&copy.only(JAPAN, "tile/entries"))), "TILE"),
        ("a byte of a tile", Box::new(|copy| flip(&copy.only(JAPAN, "tile/0"))), "TILE"),
        (
            "the root in the checkpoint",
            Box::new(|copy| {
                let path = copy.file(JAPAN, "checkpoint");
                edit(&path, |text| {
                    let root = text.lines().nth(2).unwrap().to_owned();
                    text.replace(&root, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
                });
            }),
            "CHECKPOINT",
        ),
        (
            "the checkpoint signed with another key",
            Box::new(|copy| {
                edit(&copy.file(JAPAN, "checkpoint"), |text| {
                    let note = verbale_ledger::Note::parse(&text).unwrap();
                    Checkpoint::parse(note.text).unwrap().sign(&stranger)
                });
            }),
            "CHECKPOINT",
        ),
        (
            "a cosignature",
            Box::new(|copy| {
                edit(&copy.file(JAPAN, "checkpoint"), |text| {
                    let line = text.lines().find(|line| line.contains(KYRGYZSTAN)).unwrap().to_owned();
                    let (head, tail) = line.split_at(line.len() - 20);
                    let (letter, rest) = tail.split_at(1);
                    text.replace(&line, &format!("{head}{}{rest}", if letter == "A" { "B" } else { "A" }))
                });
            }),
            "COSIGNATURE",
        ),
        (
            "a cosigned head, forged with the log's key alone",
            Box::new(|copy| {
                edit(&copy.file(JAPAN, &format!("cosigned/{KYRGYZSTAN}.checkpoint")), |text| {
                    let head = Checkpoint { size: LogSize(1), ..Checkpoint::parse(text_of(&text)).unwrap() };
                    let line = text.lines().find(|line| line.contains(KYRGYZSTAN)).unwrap();
                    head.sign(&log_key) + line + "\n"
                });
            }),
            "COSIGNATURE",
        ),
        (
            "a byte of a receipt's entry",
            Box::new(|copy| {
                edit(&copy.receipt(JAPAN, receipted), |text| text.replacen("extra C", "extra D", 1));
            }),
            "RECEIPT",
        ),
        (
            "a hash of a receipt's proof",
            Box::new(|copy| {
                edit(&copy.receipt(JAPAN, receipted), |text| {
                    let hash = text.lines().nth(3).unwrap().to_owned();
                    text.replacen(&hash, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 1)
                });
            }),
            "RECEIPT",
        ),
        (
            "a receipt removed",
            Box::new(|copy| {
                std::fs::remove_file(copy.receipt(JAPAN, receipted)).unwrap();
            }),
            "RECEIPT_MISSING",
        ),
        (
            "a receipt beside an entry that has none",
            Box::new(|copy| {
                std::fs::copy(copy.receipt(JAPAN, other), copy.receipt(JAPAN, 0)).unwrap();
            }),
            "RECEIPT_FILE",
        ),
        (
            "a receipt in another's place",
            Box::new(|copy| {
                std::fs::copy(copy.receipt(JAPAN, other), copy.receipt(JAPAN, receipted)).unwrap();
            }),
            "RECEIPT",
        ),
        (
            "a decision removed",
            Box::new(|copy| {
                edit(&copy.file(JAPAN, "decisions.jsonl"), |text| {
                    text.lines().skip(1).fold(String::new(), |all, l| all + l + "\n")
                });
            }),
            "DECISIONS",
        ),
        (
            "a witness removed from the policy",
            Box::new(|copy| {
                edit(&copy.file(JAPAN, "policy"), |text| {
                    text.lines().filter(|l| !l.contains("TJ-")).fold(String::new(), |all, l| all + l + "\n")
                });
            }),
            "POLICY",
        ),
        (
            "a counterpart's card replaced",
            Box::new(|copy| {
                std::fs::copy(&impostors_card, copy.file(JAPAN, &format!("keys/{KYRGYZSTAN}.1.card"))).unwrap();
            }),
            "SIGNATURE",
        ),
        (
            "a counterpart's head replaced",
            Box::new(|copy| {
                std::fs::write(
                    copy.file(JAPAN, &format!("counterparts/{KYRGYZSTAN}.checkpoint")),
                    fork(1).sign(&stranger),
                )
                .unwrap();
            }),
            "COUNTERPART_HEAD",
        ),
        (
            "two histories of a counterpart's log",
            Box::new(|copy| {
                std::fs::create_dir(copy.file(JAPAN, "proofs")).unwrap();
                let text = equivocation_text(&fork(1).sign(&their_key), &fork(2).sign(&their_key));
                let file = copy.file(JAPAN, &format!("proofs/{KYRGYZSTAN}-9.equivocation"));
                std::fs::write(&file, text).unwrap();
                let card = kept.card(KYRGYZSTAN);
                let said =
                    verbale(&["audit", "equivocation", file.to_str().unwrap(), "--card", card.to_str().unwrap()], None)
                        .good();
                assert!(said.out.contains(&format!("convicts {KYRGYZSTAN}")), "{}", said.out);
            }),
            "EQUIVOCATION",
        ),
        (
            "a memorandum's file removed",
            Box::new(|copy| {
                std::fs::remove_file(copy.file(JAPAN, "memoranda/JP-KG-SSW-2023.toml")).unwrap();
            }),
            "MEMORANDUM",
        ),
        (
            "a memorandum's file with other terms",
            Box::new(|copy| {
                edit(&copy.file(JAPAN, "memoranda/JP-KG-SSW-2023.toml"), |text| {
                    text.replacen("basis = \"consent\"", "basis = \"notice\"", 1)
                });
            }),
            "MEMORANDUM",
        ),
        (
            "a key's file with another key",
            Box::new(|copy| {
                let [theirs, ours] = [KYRGYZSTAN, JAPAN].map(|id| copy.file(JAPAN, &format!("keys/{id}.1.log.pem")));
                std::fs::copy(ours, theirs).unwrap();
            }),
            "KEY_FILE",
        ),
        (
            "a key of which the log does not tell",
            Box::new(|copy| {
                let [other, known] =
                    [2, 1].map(|serial| copy.file(JAPAN, &format!("keys/{KYRGYZSTAN}.{serial}.log.vkey")));
                std::fs::copy(known, other).unwrap();
            }),
            "KEY_FILE",
        ),
    ];
    for (row, change, code) in &rows {
        let copy = kept.copy();
        change(&copy);
        found(row, &copy.verify(JAPAN, &[]), code);
    }
    found("another card than the auditor has", &untouched.verify(JAPAN, &[&impostors_card]), "CARD");
    // What is not there cannot be checked, and is not called sound.
    let copy = kept.copy();
    std::fs::remove_file(copy.only(JAPAN, "tile/0")).unwrap();
    let said = copy.verify(JAPAN, &[]);
    assert_eq!(said.code, 3, "{}", said.err);
    assert!(said.err.contains("tile/0/000.p/") && said.err.contains("Export again"), "{}", said.err);
    // As many hashes again behind those of the tile.
    let copy = kept.copy();
    let tile = copy.only(JAPAN, "tile/0");
    let hashes = std::fs::read(&tile).unwrap();
    std::fs::write(&tile, hashes.repeat(2)).unwrap();
    let said = copy.verify(JAPAN, &[]);
    assert!(
        said.code == 4 && said.out.contains("\"sound\":false") && said.err.contains("hashes of 32 belong there"),
        "{}{}",
        said.out,
        said.err
    );
    outsiders_agree(&kept);
}

/// Who has none of our programs finds whole exports sound.
pub(crate) fn checks_by_outsiders(dirs: &[impl AsRef<std::ffi::OsStr>]) {
    if !have(&["python3", "openssl"]) {
        return;
    }
    for dir in dirs {
        let checked = std::process::Command::new("python3").arg(CHECK_EXPORT).arg(dir).output().unwrap();
        let said = String::from_utf8_lossy(&checked.stdout).into_owned();
        assert!(checked.status.success(), "{said}{}", String::from_utf8_lossy(&checked.stderr));
    }
}

/// The script in Python finds the same of the log, and of a changed one.
fn outsiders_agree(kept: &Kept) {
    if !have(&["python3", "openssl"]) {
        return;
    }
    let copy = kept.copy();
    let check = || std::process::Command::new("python3").arg(CHECK_EXPORT).arg(copy.export(JAPAN)).output().unwrap();
    let checked = check();
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success(), "{said}{}", String::from_utf8_lossy(&checked.stderr));
    for what in ["entries lead to the signed root", "signed it", "cosigned it", ".tlog-proof: entry"] {
        assert!(said.contains(what), "{said}");
    }
    print!("{said}");
    for path in [copy.only(JAPAN, "tile/entries"), copy.file(JAPAN, "checkpoint")] {
        let before = std::fs::read(&path).unwrap();
        flip(&path);
        assert!(!check().status.success(), "a change of {} was not found", path.display());
        std::fs::write(&path, before).unwrap();
    }
    assert!(check().status.success());
    // Of the head of the checkpoint too: what is forged in one of the files is not believed for the other.
    let path = copy.export(JAPAN).join("cosigned/KG-MLSSM-CECA.checkpoint");
    let mut cosigned = std::fs::read(&path).unwrap();
    let at = cosigned.len() - 10;
    cosigned[at] = if cosigned[at] == b'A' { b'B' } else { b'A' };
    std::fs::write(&path, cosigned).unwrap();
    assert!(!check().status.success(), "a forged cosignature was not found");
}

fn text_of(note: &str) -> &str {
    verbale_ledger::Note::parse(note).unwrap().text
}
