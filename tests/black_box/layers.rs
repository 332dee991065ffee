//! The shape of the workspace: dependencies point down, and each owned package has one owner.

use std::collections::HashMap;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Tier of each crate; `testkit` is for tests and may be used by the tests of any.
const TIERS: [(&str, u8); 13] = [
    ("verbale-proto", 0),
    ("verbale-keys", 0),
    ("verbale-ledger", 1),
    ("verbale-domain", 1),
    ("verbale-evidence", 2),
    ("verbale-envelope", 2),
    ("verbale-exchange", 3),
    ("verbale-audit", 3),
    ("verbale-journal", 4),
    ("verbale-rpc", 4),
    ("verbale-node", 5),
    ("verbale-cli", 6),
    ("verbale-testkit", 7),
];

/// The one crate that may depend on a package.
const OWNERS: [(&str, &str); 12] = [
    ("ed25519-dalek", "verbale-keys"),
    ("age", "verbale-envelope"),
    ("age-core", "verbale-envelope"),
    ("sled", "verbale-journal"),
    ("tonic", "verbale-rpc"),
    ("tonic-health", "verbale-rpc"),
    ("tonic-reflection", "verbale-rpc"),
    ("rustls", "verbale-node"),
    ("tokio-rustls", "verbale-node"),
    ("clap", "verbale-cli"),
    ("lexopt", "verbale-audit"),
    ("prost-build", "verbale-proto"),
];

#[test]
fn dependencies_point_down_and_every_owned_package_has_one_owner() {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
        .no_deps()
        .exec()
        .unwrap();
    let (tiers, owners) = (HashMap::from(TIERS), HashMap::from(OWNERS));
    assert_eq!(metadata.packages.len(), TIERS.len(), "a crate is missing in the table of this test");
    for package in &metadata.packages {
        let name = package.name.as_str();
        let tier = tiers.get(name).unwrap_or_else(|| panic!("{name} is not in the table"));
        for dependency in &package.dependencies {
            if dependency.kind == DependencyKind::Development {
                continue;
            }
            let to = dependency.name.as_str();
            if let Some(below) = tiers.get(to) {
                let within = (name, to) == ("verbale-envelope", "verbale-evidence");
                assert!(below < tier || within, "{name} (tier {tier}) depends on {to} (tier {below})");
            }
            if let Some(owner) = owners.get(to) {
                assert_eq!(name, *owner, "{to} belongs to {owner}");
            }
        }
    }
}
