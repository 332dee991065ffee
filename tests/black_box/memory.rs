//! What people and counterparts wrote is in a node's memory while it is asked for, and not after.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use memchr::memmem;

use crate::node::{Node, pair, until};
use crate::notices::general;

/// A sentence that is nowhere else: neither in the program nor in a schema.
const SENTENCE: &str = "A sentence that only this one notice says, and nobody else: quince, plover, marl";

/// How often a text stands in the memory that a node's process writes to; `None` where the system does not let anybody look.
fn in_memory(node: &Node, text: &str) -> Option<usize> {
    let pid = node.pid();
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut times = 0;
    for line in maps.lines() {
        let mut words = line.split(' ');
        let (range, access) = (words.next()?, words.next()?);
        let (from, to) = range.split_once('-')?;
        let (from, to) = (u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?);
        // Guard pages and what is mapped without being there cannot be read.
        let mut bytes = vec![0; usize::try_from(to - from).ok()?];
        if access.starts_with("rw") && memory.read_exact_at(&mut bytes, from).is_ok() {
            times += memmem::find_iter(&bytes, text).count();
        }
    }
    Some(times)
}

#[test]
fn what_a_notice_says_is_overwritten_in_memory_once_nobody_asks_for_it() {
    let (mut japan, partner) = pair();
    // What is looked for is found where it is: the fingerprint of a counterpart's card key is kept in memory.
    let Some(kept) = in_memory(&japan, &partner.id) else {
        println!("the memory of another process cannot be read here, so nothing is shown");
        assert!(std::env::var_os("VERBALE_REQUIRE_TOOLS").is_none(), "run as root, or with CAP_SYS_PTRACE");
        return;
    };
    assert!(kept > 0);
    partner.submit(&general(false, "KG-1", SENTENCE)).good();
    partner.until_delivered();
    let gone = |nodes: [&Node; 2]| nodes.iter().all(|node| in_memory(node, SENTENCE) == Some(0));
    until("it is gone after it was sent and received", || gone([&japan, &partner]));
    for node in [&japan, &partner] {
        let said = node.run(&["open", "KG-1", "--purpose", "to see it"]).good();
        assert!(said.out.contains(SENTENCE), "{}", said.out);
    }
    until("it is gone after it was opened", || gone([&japan, &partner]));
    japan.stop();
    japan.start();
    assert!(gone([&japan, &partner]), "a start brings it back");
}
