//! The published vectors of transparency-dev/merkle for inclusion and consistency proofs, against our verifiers.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test that reads vectors"
)]

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use verbale_ledger::{Hash, LogIndex, LogSize, leaf_hash, verify_consistency, verify_inclusion};

/// Beside the project, when it is there; the project does not contain them.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors/transparency-dev-merkle/testdata");

/// Whether the proof of a vector verifies.
fn run(kind: &str, verifies: impl Fn(&Value) -> bool) {
    let folder = Path::new(FOLDER).join(kind);
    if !folder.is_dir() {
        println!("SKIPPED: the folder with the Merkle vectors is not beside the project");
        return;
    }
    let (mut good, mut bad) = (0, 0);
    for path in files(&folder) {
        let vector: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let fails = vector["wantErr"].as_bool().unwrap();
        assert_eq!(verifies(&vector), !fails, "{}: {}", path.display(), vector["desc"]);
        *if fails { &mut bad } else { &mut good } += 1;
    }
    println!("{kind}: {good} proofs verified, {bad} refused");
    assert!(good >= 6 && bad > 50, "the folder has fewer vectors than it should");
}

#[test]
fn inclusion_proofs_verify_exactly_where_the_vectors_say() {
    run("inclusion", |vector| {
        let (index, size) = (number(vector, "leafIdx"), number(vector, "treeSize"));
        let (Some(leaf), Some(root), Some(proof)) = (hash(&vector["leafHash"]), hash(&vector["root"]), proof(vector))
        else {
            return false;
        };
        verify_inclusion(leaf, LogIndex(index), LogSize(size), &proof, root).is_ok()
    });
}

#[test]
fn consistency_proofs_verify_exactly_where_the_vectors_say() {
    run("consistency", |vector| {
        let (old, new) = (number(vector, "size1"), number(vector, "size2"));
        let (Some(first), Some(second), Some(proof)) = (root(&vector["root1"]), root(&vector["root2"]), proof(vector))
        else {
            return false;
        };
        verify_consistency(LogSize(old), first, LogSize(new), second, &proof).is_ok()
    });
}

fn number(vector: &Value, name: &str) -> u64 {
    vector[name].as_u64().unwrap_or(0)
}

fn hash(value: &Value) -> Option<Hash> {
    STANDARD.decode(value.as_str()?).ok()?.try_into().ok()
}

/// Where the vectors do not care they have a text instead of a root: equal texts stay equal.
fn root(value: &Value) -> Option<Hash> {
    let bytes = STANDARD.decode(value.as_str()?).ok()?;
    Some(bytes.as_slice().try_into().unwrap_or_else(|_| leaf_hash(&bytes)))
}

fn proof(vector: &Value) -> Option<Vec<Hash>> {
    vector["proof"].as_array().into_iter().flatten().map(hash).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}
