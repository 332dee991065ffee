//! The node under attack, the counterpart that attacks it, and one that is honest meanwhile.

use std::collections::HashMap;

use serde_json::json;
use verbale_evidence::Card;
use verbale_node::{Folder, connect};
use verbale_proto::v1::{StatusRequest, StatusResponse};

use super::attacker::{Attacker, Link, card};
use super::craft::{Craft, Target};
use crate::node::Node;

pub(crate) const MEMORANDUM: &str = "JP-KG-SSW-2023";
const OTHER_MEMORANDUM: &str = "JP-UZ-SSW-2019";

/// A node that takes 1 MiB notices and lets nobody stall it for more than a second stays far below this.
const MEMORY_MAX: u64 = 200 << 20;

pub(crate) struct Stage {
    pub(crate) node: Node,
    pub(crate) card: Card,
    pub(crate) attacker: Attacker,
    /// Enrolled, and never at fault.
    pub(crate) honest: Attacker,
    /// Enrolled nowhere.
    pub(crate) stranger: Attacker,
    honest_link: Option<Link>,
    pub(crate) notices: u64,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let mut node = Node::init("JP-MOJ-ISA-RMD");
        node.configure(|text| {
            text.replace("sealed_bytes_max = 16777216", "sealed_bytes_max = 1048576")
                .replace("stall_seconds = 30", "stall_seconds = 1")
                .replace("handshake_seconds = 10", "handshake_seconds = 1")
        });
        let counterparts = ["KG-MLSSM-CECA", "UZ-CONTACT-UNVERIFIED", "XX-STRANGER"].map(Node::init);
        node.start();
        for counterpart in &counterparts[..2] {
            node.enrol(counterpart).good();
        }
        let [attacker, honest, stranger] = counterparts.each_ref().map(Attacker::of);
        let card = card(&node);
        Self { node, card, attacker, honest, stranger, honest_link: None, notices: 0 }
    }

    pub(crate) fn target(&self) -> Target<'_> {
        Target { card: &self.card, memorandum: MEMORANDUM }
    }

    /// The JSON of the next notice of the attacking counterpart.
    pub(crate) fn next_json(&mut self) -> String {
        self.notices += 1;
        json("KG", &self.attacker.card.id, MEMORANDUM, self.notices)
    }

    /// An open channel of the attacker, and the next notice for it.
    pub(crate) async fn next(&mut self) -> (Link, Craft) {
        let link = self.attacker.open(&self.node.address, MEMORANDUM).await.unwrap();
        let json = self.next_json();
        let craft = Craft::honest(&self.attacker, &self.target(), &link, &json);
        (link, craft)
    }

    /// What the node counted so far.
    pub(crate) async fn counted(&self) -> HashMap<String, u64> {
        let StatusResponse { rejected, refused, denied, .. } = self.status().await;
        let named = |name: &'static str, counts: HashMap<String, u64>| {
            counts.into_iter().map(move |(code, count)| (format!("{name} {code}"), count))
        };
        named("rejected", rejected).chain(named("refused", refused)).chain(named("denied", denied)).collect()
    }

    async fn status(&self) -> StatusResponse {
        let mut client = connect(&Folder::new(&self.node.dir)).await.unwrap();
        client.status(StatusRequest {}).await.unwrap().into_inner()
    }

    /// Waits until the node has counted something.
    pub(crate) async fn until_counted(&self, counter: &str, before: u64) {
        let deadline = std::time::Instant::now() + super::attacker::PATIENCE;
        while self.counted().await.get(counter).copied().unwrap_or_default() <= before {
            assert!(std::time::Instant::now() < deadline, "{counter} was not counted: {:?}", self.counted().await);
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    /// The honest counterpart gets a receipt, over its open link and over a new connection, and memory is bounded.
    pub(crate) async fn still_serves(&mut self, row: &str) {
        let mut fresh = self.honest.open(&self.node.address, OTHER_MEMORANDUM).await.unwrap();
        self.notices += 1;
        let json = json("UZ", &self.honest.card.id, OTHER_MEMORANDUM, self.notices);
        let target = Target { card: &self.card, memorandum: OTHER_MEMORANDUM };
        let notice = Craft::honest(&self.honest, &target, &fresh, &json).make();
        // Sent over the link that was open before, if there is one: the other one only shows that connecting works.
        let link = self.honest_link.as_mut().unwrap_or(&mut fresh);
        link.batch(vec![notice]).await;
        assert_eq!(link.verdict().await, "RECEIVED", "{row}: the honest counterpart is not served");
        if self.honest_link.is_none() {
            self.honest_link = Some(fresh);
        }
        let peak = self.node.peak_memory();
        assert!(peak < MEMORY_MAX, "{row}: the node took {peak} bytes of memory");
    }

    /// After a restart.
    pub(crate) fn forget_links(&mut self) {
        self.honest_link = None;
    }

    /// Counts what a row must make the node count.
    pub(crate) async fn expect_counted(&self, row: &str, counter: &str, before: &HashMap<String, u64>) {
        let before = before.get(counter).copied().unwrap_or_default();
        let now = self.counted().await.get(counter).copied().unwrap_or_default();
        assert!(now > before, "{row}: {counter} was not counted");
    }
}

/// A general information to Japan.
fn json(side: &str, office: &str, memorandum: &str, number: u64) -> String {
    json!({
        "notice_id": format!("{side}-HOSTILE-{number}"), "memorandum": memorandum, "flow": "F14",
        "kind": "GENERAL_INFORMATION", "clause": "4(1)", "from": {"party": side, "office": office},
        "to": {"party": "JP", "office": "JP-MOJ-ISA-RMD"}, "issued_at": "2026-02-03T10:15:00+06:00",
        "classification": "CONFIDENTIAL", "receiver_obligation": "NONE", "languages": ["en"],
        "body": {"title": "A title", "text": "A text"},
    })
    .to_string()
}
