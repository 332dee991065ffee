//! The local service over mutual TLS: keys are persons, persons have roles.

use crate::node::{Node, verbale};
use crate::notices::general;

#[test]
fn a_key_of_the_configuration_has_its_roles_and_any_other_key_is_turned_away() {
    let mut node = Node::init("JP-MOJ-ISA-RMD");
    node.start();
    let address = node.local_address();
    let (person, stranger) = (Node::init("XX-PERSON"), Node::init("XX-STRANGER"));
    let (key, wrong_card) = (person.key_for(&node), person.key_for(&stranger));
    let ask = |key: &str, args: &[&str]| verbale(&[&["--connect", &address, "--key", key], args].concat(), None);

    let unknown = ask(&key, &["status"]);
    assert_eq!(unknown.code, 3, "{}", unknown.err);
    let fingerprint = unknown.err.split("fingerprint ").nth(1).and_then(|rest| rest.get(..64)).unwrap().to_owned();

    node.stop();
    let entry = |roles: &str| {
        format!("[[persons]]\nname = \"reader\"\nroles = [{roles}]\nkeys = [\"{fingerprint}\"]\n\n[limits]")
    };
    node.configure(|text| text.replace("[limits]", &entry("\"auditor\"")));
    node.start();
    let address = node.local_address();
    let ask = |key: &str, args: &[&str]| verbale(&[&["--connect", &address, "--key", key], args].concat(), None);
    ask(&key, &["status"]).good();
    let not_allowed =
        verbale(&["--connect", &address, "--key", &key, "submit", "-"], Some(&general(true, "JP-1", "text")));
    assert_eq!(not_allowed.code, 1, "{}", not_allowed.err);
    assert!(not_allowed.err.contains("NOT_ALLOWED") && not_allowed.err.contains("reader"), "{}", not_allowed.err);
    let other_node = ask(&wrong_card, &["status"]);
    assert_eq!(other_node.code, 3);
    assert!(other_node.err.contains("not the node of the card"), "{}", other_node.err);
    assert_eq!(ask(&stranger.key_for(&node), &["status"]).code, 3);
    node.stop();
}
