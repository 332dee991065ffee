//! The local service over mutual TLS: keys are persons, persons have roles.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use crate::node::{Node, verbale};
use crate::notices::general;

#[test]
fn a_key_of_the_configuration_has_its_roles_and_any_other_key_is_turned_away() {
    let mut node = Node::init("JP-MOJ-ISA-RMD");
    let address = {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().to_string()
    };
    node.configure(|text| text.replace("# listen = \"127.0.0.1:7402\"", &format!("listen = \"{address}\"")));
    node.start();
    // The key of a person, and the card of the node whose TLS key it pins. Any EC P-256 key will do.
    let (person, stranger) = (Node::init("XX-PERSON"), Node::init("XX-STRANGER"));
    let key_file = |owner: &Node, card: &Node| {
        let path = owner.dir.join(format!("key-for-{}.pem", card.id));
        let [key, card] = [owner.dir.join("keys/tls.pem"), card.dir.join("card.txt")]
            .map(|path| std::fs::read_to_string(path).unwrap());
        std::fs::write(&path, key + &card).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (key, wrong_card) = (key_file(&person, &node), key_file(&person, &stranger));
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
    ask(&key, &["status"]).good();
    let not_allowed =
        verbale(&["--connect", &address, "--key", &key, "submit", "-"], Some(&general(true, "JP-1", "text")));
    assert_eq!(not_allowed.code, 1, "{}", not_allowed.err);
    assert!(not_allowed.err.contains("NOT_ALLOWED") && not_allowed.err.contains("reader"), "{}", not_allowed.err);
    let other_node = ask(&wrong_card, &["status"]);
    assert_eq!(other_node.code, 3);
    assert!(other_node.err.contains("not the node of the card"), "{}", other_node.err);
    assert_eq!(ask(&key_file(&stranger, &node), &["status"]).code, 3);
    node.stop();
}
