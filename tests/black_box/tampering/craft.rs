//! Exported logs changed as somebody would who holds the files, or who holds the keys of the log too.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use prost::Message as _;
use tempfile::TempDir;
use verbale_audit::ExportReady;
use verbale_evidence::{
    Card, Statement, UnverifiedCard, UnverifiedEnvelope, decode_entry, encode_entry, parse_card_text,
};
use verbale_keys::{SecretKey, read_secret_text};
use verbale_ledger::{Checkpoint, Tile, Tree, decode_bundle, leaf_hash, number_path, split_extra};
use verbale_proto::v1::log_entry::Event;

use crate::node::{Node, Said, verbale};

pub(crate) const JAPAN: &str = "JP-MOJ-ISA-RMD";
pub(crate) const KYRGYZSTAN: &str = "KG-MLSSM-CECA";

/// The nodes of the demo, stopped, and the exports of their logs.
pub(crate) struct Kept {
    folder: TempDir,
    ids: [String; 2],
}

/// A copy of the exports, to be changed.
pub(crate) struct Copy {
    folder: TempDir,
    ids: [String; 2],
}

/// An entry, and the receipt that stands beside it: the counterpart's entry, and its proof.
pub(crate) type Logged = (Vec<u8>, Option<(Vec<u8>, String)>);

/// A log that somebody writes anew, who holds its key.
pub(crate) struct Log {
    pub(crate) entries: Vec<Logged>,
    pub(crate) key: SecretKey,
    pub(crate) envelope_key: Rc<SecretKey>,
    pub(crate) card: Card,
    /// Whether the cosignatures of counterparts are left in the folder.
    pub(crate) with_cosignatures: bool,
}

/// Another node under the id of a contact point.
pub(crate) struct Impostor(TempDir);

impl Impostor {
    pub(crate) fn of(id: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("vb").tempdir().unwrap();
        let dir = folder.path().join("n");
        verbale(&["init", dir.to_str().unwrap(), "--id", id, "--listen", "127.0.0.1:0"], None).good();
        Self(folder)
    }

    pub(crate) fn card(&self) -> PathBuf {
        self.0.path().join("n/card.txt")
    }
}

impl Kept {
    pub(crate) fn of_demo() -> Self {
        let folder = tempfile::Builder::new().prefix("vb").tempdir().unwrap();
        verbale(&["demo", "--keep", folder.path().join("d").to_str().unwrap()], None).good();
        Self { folder, ids: [JAPAN, KYRGYZSTAN].map(str::to_owned) }
    }

    /// The logs of two nodes as they are.
    pub(crate) fn of_nodes(nodes: [&Node; 2]) -> Self {
        let folder = tempfile::Builder::new().prefix("vb").tempdir().unwrap();
        for node in nodes {
            let (kept, export) =
                (folder.path().join("d").join(&node.id), folder.path().join("d/export").join(&node.id));
            node.run(&["audit", "export", export.to_str().unwrap()]).good();
            copy(&node.dir.join("keys"), &kept.join("keys"));
            std::fs::copy(node.dir.join("card.txt"), kept.join("card.txt")).unwrap();
        }
        Self { folder, ids: nodes.map(|node| node.id.clone()) }
    }

    fn node(&self, id: &str) -> PathBuf {
        self.folder.path().join("d").join(id)
    }

    pub(crate) fn secret(&self, id: &str, role: &str) -> SecretKey {
        SecretKey::from_pem(&read_secret_text(&self.node(id).join("keys").join(role)).unwrap()).unwrap()
    }

    pub(crate) fn card(&self, id: &str) -> PathBuf {
        self.node(id).join("card.txt")
    }

    /// A card, changed and signed again by its card key.
    pub(crate) fn card_again(&self, id: &str, card: &[u8], change: impl FnOnce(&mut Card)) -> Vec<u8> {
        let key = self.secret(id, "card.pem");
        let mut card = UnverifiedCard::parse(card).unwrap().verify(&key.public().fingerprint()).unwrap();
        change(&mut card);
        verbale_evidence::sign_card(&card, &key).unwrap()
    }

    /// An untouched copy.
    pub(crate) fn copy(&self) -> Copy {
        let folder = tempfile::Builder::new().prefix("vb").tempdir().unwrap();
        for id in &self.ids {
            copy(&self.folder.path().join("d/export").join(id), &folder.path().join(id));
        }
        Copy { folder, ids: self.ids.clone() }
    }

    /// A copy in which the log of a contact point is another one, signed by its own key.
    pub(crate) fn rewritten(&self, id: &str, change: impl FnOnce(&mut Log)) -> Copy {
        let copied = self.copy();
        let mut log = self.log(&copied, id);
        change(&mut log);
        copied.write(id, &log);
        copied
    }

    pub(crate) fn log(&self, copied: &Copy, id: &str) -> Log {
        let card = std::fs::read_to_string(self.card(id)).unwrap();
        let unverified = UnverifiedCard::parse(&parse_card_text(&card).unwrap()).unwrap();
        let fingerprint = unverified.claimed_fingerprint().unwrap();
        Log {
            entries: copied.entries(id),
            key: self.secret(id, "log.pem"),
            envelope_key: Rc::new(self.secret(id, "envelope.pem")),
            card: unverified.verify(&fingerprint).unwrap(),
            with_cosignatures: false,
        }
    }
}

impl Copy {
    pub(crate) fn export(&self, id: &str) -> PathBuf {
        self.folder.path().join(id)
    }

    /// A file of an export that is not a tile.
    pub(crate) fn file(&self, id: &str, name: &str) -> PathBuf {
        self.export(id).join(name)
    }

    /// The one bundle of entries, or the one tile of their hashes: the demo's logs are short.
    pub(crate) fn only(&self, id: &str, folder: &str) -> PathBuf {
        let dir = self.export(id).join(folder).join("000.p");
        std::fs::read_dir(dir).unwrap().next().unwrap().unwrap().path()
    }

    /// The receipt beside an entry.
    pub(crate) fn receipt(&self, id: &str, index: usize) -> PathBuf {
        self.export(id).join(format!("receipts/{}.tlog-proof", number_path(index as u64)))
    }

    fn entries(&self, id: &str) -> Vec<Logged> {
        let bundle = std::fs::read(self.only(id, "tile/entries")).unwrap();
        let entries = decode_bundle(&bundle).unwrap().into_iter().enumerate();
        let receipt = |index| {
            let (proof, entry) = split_extra(&std::fs::read_to_string(self.receipt(id, index)).ok()?).unwrap();
            Some((entry, proof))
        };
        entries.map(|(index, entry)| (entry.to_vec(), receipt(index))).collect()
    }

    fn write(&self, id: &str, log: &Log) {
        let (dir, before) = (self.export(id), self.folder.path().join("before"));
        std::fs::rename(&dir, &before).unwrap();
        let mut tree = Tree::default();
        for (entry, _) in &log.entries {
            tree.append(leaf_hash(entry));
        }
        let head = Checkpoint { origin: log.card.log_origin.clone(), size: tree.size(), root: tree.root() };
        assert!(Tile::of_level(0, head.size).count() == 1, "the demo's logs are short");
        let head = head.sign(&log.key);
        let mut writer = ExportReady::new(&dir, 0, &head).unwrap().begin(&head).unwrap();
        for (entry, receipt) in &log.entries {
            let receipt = receipt.as_ref().map(|(entry, proof)| (entry.as_slice(), proof.as_str()));
            writer.entry(entry.clone(), receipt).unwrap();
        }
        for folder in ["memoranda", "counterparts", "cosigned"] {
            // Of a counterpart that showed no head yet there is none.
            if before.join(folder).exists() && (folder != "cosigned" || log.with_cosignatures) {
                copy(&before.join(folder), &dir.join(folder));
            }
        }
        writer.finish().unwrap();
        std::fs::remove_dir_all(before).unwrap();
    }

    pub(crate) fn verify(&self, id: &str, cards: &[&Path]) -> Said {
        let dir = self.export(id);
        let mut args = vec!["audit", "verify", dir.to_str().unwrap(), "--json"];
        args.extend(cards.iter().flat_map(|card| ["--card", card.to_str().unwrap()]));
        verbale(&args, None)
    }

    pub(crate) fn reconcile(&self) -> Said {
        let [one, other] = [&self.ids[0], &self.ids[1]].map(|id| self.export(id));
        verbale(&["audit", "reconcile", one.to_str().unwrap(), other.to_str().unwrap(), "--json"], None)
    }
}

impl Log {
    /// The first entry of a kind.
    pub(crate) fn find(&self, is_it: impl Fn(&Event) -> bool) -> usize {
        self.entries.iter().position(|(entry, _)| is_it(&decode_entry(entry).unwrap().1)).unwrap()
    }

    /// The last one.
    pub(crate) fn find_last(&self, is_it: impl Fn(&Event) -> bool) -> usize {
        self.entries.iter().rposition(|(entry, _)| is_it(&decode_entry(entry).unwrap().1)).unwrap()
    }

    /// Changes time or event of an entry.
    pub(crate) fn change(&mut self, index: usize, change: impl FnOnce(&mut i64, &mut Event)) {
        let (mut time_ms, mut event) = decode_entry(&self.entries[index].0).unwrap();
        change(&mut time_ms, &mut event);
        self.entries[index].0 = encode_entry(time_ms, event).unwrap();
    }

    /// Signs the last sent statement again, changed, with the node's own key.
    pub(crate) fn sign_last_sent_again(&mut self, change: impl FnOnce(&mut verbale_evidence::Statement)) {
        let at = self.find_last(|event| matches!(event, Event::NoticeSent(_)));
        let key = Rc::clone(&self.envelope_key);
        self.change(at, |_, event| {
            let Event::NoticeSent(sent) = event else { unreachable!() };
            sent.envelope = signed_again(&sent.envelope, &key, change);
        });
    }

    /// Adds an entry behind the last one, at its time.
    pub(crate) fn append(&mut self, event: Event) {
        let (time_ms, _) = decode_entry(&self.entries.last().unwrap().0).unwrap();
        self.entries.push((encode_entry(time_ms, event).unwrap(), None));
    }
}

/// Whether an entry is about a notice of this flow that was received.
pub(crate) fn is_received(flow: &str) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::NoticeReceived(of) if claimed(&of.envelope).flow == flow)
}

/// The same of one that was sent.
pub(crate) fn is_sent(flow: &str) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::NoticeSent(of) if claimed(&of.envelope).flow == flow)
}

pub(crate) fn claimed(envelope: &[u8]) -> Statement {
    UnverifiedEnvelope::parse(envelope).unwrap().claimed().unwrap()
}

/// Changes one bit in the middle of a file.
pub(crate) fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    // Base64 stays base64.
    bytes[middle] = match bytes[middle] {
        b'A' => b'B',
        b'a' => b'b',
        b'0'..=b'9' => b'Z',
        b'A'..=b'Z' | b'a'..=b'z' => b'A',
        other => other ^ 1,
    };
    std::fs::write(path, bytes).unwrap();
}

/// Changes a text in a file.
pub(crate) fn edit(path: &Path, change: impl FnOnce(String) -> String) {
    let before = std::fs::read_to_string(path).unwrap();
    let after = change(before.clone());
    assert_ne!(before, after, "nothing was changed in {}", path.display());
    std::fs::write(path, after).unwrap();
}

/// The statement of an envelope, changed and signed again.
pub(crate) fn signed_again(
    envelope: &[u8],
    key: &SecretKey,
    change: impl FnOnce(&mut verbale_evidence::Statement),
) -> Vec<u8> {
    let mut statement = claimed(envelope);
    change(&mut statement);
    statement.sender_key = key.public().fingerprint();
    verbale_evidence::sign_statement(statement, key).unwrap().bytes().to_vec()
}

/// A receipt as its entry has the digest.
pub(crate) fn receipt_bytes((entry, proof): &(Vec<u8>, String)) -> Vec<u8> {
    verbale_proto::v1::Receipt { entry: entry.clone(), proof: proof.clone() }.encode_to_vec()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            std::fs::copy(&path, to.join(name)).unwrap();
        }
    }
}
