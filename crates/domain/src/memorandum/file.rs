//! The form of a memorandum file: what serde reads, and what the digest of the terms covers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) format: u32,
    pub(super) id: String,
    pub(super) terms: Terms,
    #[serde(default)]
    pub(super) contacts: Vec<Contact>,
    #[serde(default)]
    pub(super) succession: Vec<Succession>,
    #[serde(default)]
    pub(super) organs: Vec<Organ>,
    #[serde(default)]
    pub(super) reminders: BTreeMap<Duty, u16>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Terms {
    pub(super) title: String,
    pub(super) signed: Vec<String>,
    pub(super) in_force: InForce,
    pub(super) ends: Ends,
    pub(super) disclosure: Disclosure,
    pub(super) sides: BTreeMap<String, Side>,
    pub(super) kinds: BTreeMap<String, Kind>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InForce {
    pub(super) rule: Commencement,
    pub(super) on: Option<String>,
    pub(super) clause: Option<String>,
}

/// When a memorandum commences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Commencement {
    LatterSignature,
    ReceiptOfNotification,
    Unknown,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ends {
    pub(super) rule: Termination,
    pub(super) months: Option<u8>,
    pub(super) clause: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Termination {
    MonthsAfterReceipt,
    Unknown,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Disclosure {
    pub(super) basis: Basis,
    pub(super) clause: Option<String>,
}

/// What clause 3 asks for before confidential information of the other side goes to a third party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Written consent of the other (Kyrgyz 3).
    Consent,
    /// Written notice to the other (Tajik 3).
    Notice,
    /// The text was not seen: treated as consent.
    Unknown,
}

impl Basis {
    /// As files and answers write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Consent => "consent",
            Self::Notice => "notice",
            Self::Unknown => "unknown",
        }
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Side {
    pub(super) utc_offset: String,
    pub(super) parties: BTreeMap<String, String>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kind {
    pub(super) from: Vec<String>,
    pub(super) clause: String,
    pub(super) class: Class,
    pub(super) duty: Option<Duty>,
    /// The clause that the duty rests on, where it is another one.
    pub(super) duty_clause: Option<String>,
    pub(super) own_duty: Option<Duty>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) answers: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) answers_optional: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) publishable: Vec<String>,
}

/// How a kind must be labelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Confidential under clause 3: any other label is too low.
    Confidential,
    /// To be published, apart from what is marked.
    Publish,
    /// Public.
    Public,
}

/// What the receiver of a notice owes, or, for publication, its originator too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Duty {
    /// To make public.
    Publish,
    /// To reply.
    Reply,
    /// To investigate, supervise and report.
    Investigate,
    /// To comply to the extent possible.
    Comply,
    /// To consult.
    Consult,
    /// To answer a consent request.
    AnswerConsent,
    /// To acknowledge.
    Acknowledge,
    /// To assist, together with the Embassy.
    Assist,
    /// To record the date of receipt.
    RecordReceipt,
    /// To keep to the conditions of a grant.
    Conditions,
}

impl Duty {
    /// As files and answers write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Reply => "reply",
            Self::Investigate => "investigate",
            Self::Comply => "comply",
            Self::Consult => "consult",
            Self::AnswerConsent => "answer-consent",
            Self::Acknowledge => "acknowledge",
            Self::Assist => "assist",
            Self::RecordReceipt => "record-receipt",
            Self::Conditions => "conditions",
        }
    }
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contact {
    pub(super) side: String,
    pub(super) office: String,
    #[expect(dead_code, reason = "for the people who read the file")]
    name: String,
    /// First day; absent: from the beginning.
    pub(super) since: Option<String>,
    /// The node that serves it, by the id on its card; absent: the office's own. An office that takes over from another keeps the
    /// node, and with it channels and log.
    pub(super) node: Option<String>,
}

impl Contact {
    /// The id of the node that serves it.
    pub(super) fn node(&self) -> &str {
        self.node.as_deref().unwrap_or(&self.office)
    }
}

/// An internal organ of a body that the text names as a party (interpretation: DOMAIN 1.3). None is taken from its name alone: embassies and
/// prefectural police carry the name of a body, and are third parties.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Organ {
    /// The body.
    pub(super) of: String,
    pub(super) office: String,
    #[expect(dead_code, reason = "for the people who read the file")]
    name: String,
}

/// A body of a side that another one succeeded.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Succession {
    pub(super) side: String,
    pub(super) from: String,
    pub(super) to: String,
    #[expect(dead_code, reason = "for the people who read the file")]
    name: String,
    /// First day; absent: not verified, and taken as done. The old name is accepted after it too: mail may be under way.
    pub(super) since: Option<String>,
}

/// SHA-256 of id and terms as JSON, with members in the order of their names and without white space.
pub(super) fn digest(id: &str, terms: &Terms) -> Result<[u8; 32], serde_json::Error> {
    let mut whole = Map::new();
    whole.insert("id".to_owned(), id.into());
    whole.insert("terms".to_owned(), serde_json::to_value(terms)?);
    Ok(Sha256::digest(in_order(Value::Object(whole)).to_string()).into())
}

/// Members in the order of their names, absent ones left out.
fn in_order(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let sorted: BTreeMap<String, Value> = members.into_iter().filter(|(_, value)| !value.is_null()).collect();
            sorted.into_iter().map(|(name, value)| (name, in_order(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.into_iter().map(in_order).collect::<Vec<_>>().into(),
        other => other,
    }
}
