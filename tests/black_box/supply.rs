//! What enters the build is what `deny.toml` says: licences, sources, bans, and the advisories that were accepted by hand.

use std::collections::HashSet;
use std::process::Command;

use serde_json::Value;

const DENY: &str = include_str!("../../deny.toml");

/// A package of the build that is not the project's own.
struct Package {
    name: String,
    /// What stands behind its version: nothing for one of the registry, else an address or a folder.
    source: String,
    licence: String,
}

/// Everything that a build of the workspace takes, tests and build scripts included. Only `cargo tree` knows what is really
/// built; `cargo metadata` shows optional packages that nobody asked for.
fn build() -> Vec<Package> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--locked", "--offline", "--edges", "normal,build,dev", "--prefix", "none"])
        .args(["--target", "x86_64-unknown-linux-gnu", "--format", "{p}\t{l}", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let package = |line: &str| {
        let (package, licence) = line.split_once('\t').unwrap();
        let mut words = package.splitn(3, ' ');
        let name = words.next().unwrap().to_owned();
        let source = words.nth(1).unwrap_or_default().replace("(proc-macro)", "").trim().to_owned();
        // A package that was shown before is marked.
        let licence = licence.trim_end_matches(" (*)").to_owned();
        Package { name, source, licence }
    };
    tree.lines().filter(|line| !line.is_empty()).map(package).filter(|p| !p.name.starts_with("verbale-")).collect()
}

fn rules() -> Value {
    toml::from_str(DENY).unwrap()
}

fn texts<'a>(rules: &'a Value, pointer: &str) -> Vec<&'a str> {
    rules.pointer(pointer).unwrap().as_array().unwrap().iter().filter_map(Value::as_str).collect()
}

#[test]
fn every_package_has_an_allowed_licence_and_comes_from_the_registry() {
    let (build, rules) = (build(), rules());
    let allowed: HashSet<&str> = texts(&rules, "/licenses/allow").into_iter().collect();
    let mut used = HashSet::new();
    assert!(build.len() > 100, "{} packages are not the build", build.len());
    for Package { name: package, source, licence } in &build {
        assert_eq!(source, "", "{package} is not of the registry");
        let expression = spdx::Expression::parse_mode(licence, spdx::ParseMode::LAX)
            .unwrap_or_else(|error| panic!("{package}: {error}"));
        let holds = expression.evaluate(|requirement| {
            let name = requirement.to_string();
            let known = allowed.get(name.as_str());
            used.extend(known.copied());
            known.is_some()
        });
        assert!(holds, "{package} has the licence {licence}, which deny.toml does not allow");
    }
    let unused: Vec<&&str> = allowed.iter().filter(|licence| !used.contains(**licence)).collect();
    assert!(unused.is_empty(), "deny.toml allows what nothing has: {unused:?}");
}

#[test]
fn what_is_banned_is_not_there_and_what_is_accepted_by_hand_is() {
    let (build, rules) = (build(), rules());
    let names: HashSet<&str> = build.iter().map(|package| package.name.as_str()).collect();
    for banned in rules["bans"]["deny"].as_array().unwrap() {
        let name = banned["crate"].as_str().unwrap();
        assert!(!names.contains(name), "{name} is banned and in the build");
    }
    for advisory in rules["advisories"]["ignore"].as_array().unwrap() {
        let (id, reason) = (advisory["id"].as_str().unwrap(), advisory["reason"].as_str().unwrap());
        // «crate: why (YYYY-MM-DD)»
        let (name, why) = reason.split_once(": ").unwrap_or_else(|| panic!("{id} does not name its crate first"));
        let date = why.rsplit_once('(').and_then(|(_, date)| date.strip_suffix(')')).unwrap_or_default();
        assert!(date.len() == 10 && date.starts_with("20"), "{id} was accepted without a date");
        assert!(names.contains(name), "{id} is about {name}, which is not in the build any more: remove it");
    }
    assert!(names.contains("aws-lc-rs"), "the names are not those of the build");
}
