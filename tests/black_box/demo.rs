//! The first thing that anybody runs.

use crate::node::verbale;

#[test]
fn the_demo_ends_well_and_keeps_its_folders_when_asked() {
    let dir = tempfile::Builder::new().prefix("vb").tempdir().unwrap();
    let kept = dir.path().join("demo");
    let said = verbale(&["demo", "--keep", kept.to_str().unwrap()], None).good();
    assert!(said.out.contains("30 receipts held by the senders, each verified"), "{}", said.out);
    assert!(kept.join("JP-MOJ-ISA-RMD/journal").is_dir() && kept.join("KG-MLSSM-CECA/journal").is_dir());
    let again = verbale(&["demo", "--keep", kept.to_str().unwrap()], None);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("not empty"), "{}", again.err);
    let json = verbale(&["demo", "--json"], None).good().json();
    assert_eq!(json.last().unwrap()["receipts"], 30);
}
