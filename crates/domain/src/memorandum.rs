//! Memoranda as files: who the sides are, which kinds travel in which direction, on which clause.
//!
//! # Layout
//! TOML: `format = 1`, `id`, `[terms]` (what was agreed) and `[contacts]` (who receives mail today). The digest that every
//! notice pins covers `id` and `[terms]` only, so that a moved office does not change it: SHA-256 of their JSON with
//! members in the order of their names and without white space.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// The format of memorandum files that this version reads.
const FORMAT: u32 = 1;

/// The files that ship with the program: name and text.
const SHIPPED: [(&str, &str); 4] = [
    ("JP-KG-SSW-2023.toml", include_str!("../../../config/memoranda/JP-KG-SSW-2023.toml")),
    ("JP-TJ-SSW-2024.toml", include_str!("../../../config/memoranda/JP-TJ-SSW-2024.toml")),
    ("JP-UZ-TITP-2019.toml", include_str!("../../../config/memoranda/JP-UZ-TITP-2019.toml")),
    ("TR-UZ-MOU.toml", include_str!("../../../config/memoranda/TR-UZ-MOU.toml")),
];

/// A memorandum file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MemorandumError {
    /// Not TOML, or not of this form; the text names line and column.
    #[error("{file} is no memorandum file: {text}")]
    Form {
        /// The file.
        file: String,
        /// What and where.
        text: String,
    },
    /// A later format.
    #[error("{file} has format {got}; this version reads format {FORMAT}: install a newer verbale")]
    Format {
        /// The file.
        file: String,
        /// Its format.
        got: u32,
    },
    /// Two files with one id.
    #[error("{file} is a second file for memorandum {id}; remove one of them")]
    Twice {
        /// The second file.
        file: String,
        /// The id.
        id: String,
    },
    /// Something named that is nowhere defined.
    #[error("{file} says {what}, which is not a side of {id}")]
    UnknownSide {
        /// The file.
        file: String,
        /// The memorandum.
        id: String,
        /// Where it is named.
        what: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    id: String,
    terms: Terms,
    contacts: BTreeMap<String, Contact>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Terms {
    title: String,
    signed: Vec<String>,
    in_force: InForce,
    ends: Ends,
    disclosure: Disclosure,
    sides: BTreeMap<String, Side>,
    kinds: BTreeMap<String, Kind>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct InForce {
    rule: Commencement,
    on: Option<String>,
    clause: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Commencement {
    LatterSignature,
    ReceiptOfNotification,
    Unknown,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Ends {
    rule: Termination,
    months: Option<u32>,
    clause: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Termination {
    MonthsAfterReceipt,
    Unknown,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Disclosure {
    basis: Basis,
    clause: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Basis {
    Consent,
    Notice,
    Unknown,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Side {
    parties: BTreeMap<String, String>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Kind {
    from: Vec<String>,
    clause: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Contact {
    office: String,
    #[expect(dead_code, reason = "for the people who read the file")]
    name: String,
}

/// One memorandum.
pub struct Memorandum {
    /// Its id.
    pub id: String,
    terms: Terms,
    contacts: BTreeMap<String, Contact>,
    digest: [u8; 32],
}

impl Memorandum {
    /// Reads one file.
    ///
    /// # Errors
    /// [`MemorandumError`], also for a member that this version does not know.
    pub fn parse(file: &str, text: &str) -> Result<Self, MemorandumError> {
        let form = |error: toml::de::Error| MemorandumError::Form { file: file.to_owned(), text: error.to_string() };
        let read: File = toml::from_str(text).map_err(form)?;
        if read.format != FORMAT {
            return Err(MemorandumError::Format { file: file.to_owned(), got: read.format });
        }
        let kinds =
            read.terms.kinds.iter().flat_map(|(flow, kind)| kind.from.iter().map(move |side| (side, flow.as_str())));
        let contacts = read.contacts.keys().map(|side| (side, "[contacts]"));
        for (side, place) in kinds.chain(contacts) {
            if !read.terms.sides.contains_key(side) {
                let what = format!("{side} at {place}");
                return Err(MemorandumError::UnknownSide { file: file.to_owned(), id: read.id, what });
            }
        }
        let digest = digest(&read.id, &read.terms)
            .map_err(|error| MemorandumError::Form { file: file.to_owned(), text: error.to_string() })?;
        Ok(Self { id: read.id, terms: read.terms, contacts: read.contacts, digest })
    }

    /// SHA-256 of the canonical encoding of the legal terms.
    pub fn terms_digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Its title.
    pub fn title(&self) -> &str {
        &self.terms.title
    }

    /// Whether this is a side.
    pub(crate) fn has_side(&self, side: &str) -> bool {
        self.terms.sides.contains_key(side)
    }

    /// The office that is the contact point of a side, where the file names one.
    pub(crate) fn contact_point(&self, side: &str) -> Option<&str> {
        self.contacts.get(side).map(|contact| contact.office.as_str())
    }

    /// The sides that may send a flow, and the clause that says so.
    pub(crate) fn kind(&self, flow: &str) -> Option<(&[String], &str)> {
        self.terms.kinds.get(flow).map(|kind| (kind.from.as_slice(), kind.clause.as_str()))
    }
}

/// The memoranda that a node holds, by id.
#[derive(Default)]
pub struct Memoranda(BTreeMap<String, Memorandum>);

impl Memoranda {
    /// Reads files, each given by name and text.
    ///
    /// # Errors
    /// [`MemorandumError`] of the first file that cannot be used.
    pub fn parse<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, MemorandumError> {
        let mut memoranda = BTreeMap::new();
        for (file, text) in files {
            let memorandum = Memorandum::parse(file, text)?;
            let id = memorandum.id.clone();
            if memoranda.insert(id.clone(), memorandum).is_some() {
                return Err(MemorandumError::Twice { file: file.to_owned(), id });
            }
        }
        Ok(Self(memoranda))
    }

    /// The files that ship with the program: name and text.
    pub fn shipped() -> &'static [(&'static str, &'static str)] {
        &SHIPPED
    }

    /// The memorandum with this id.
    pub fn get(&self, id: &str) -> Option<&Memorandum> {
        self.0.get(id)
    }

    /// All, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Memorandum> {
        self.0.values()
    }
}

fn digest(id: &str, terms: &Terms) -> Result<[u8; 32], serde_json::Error> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_files_are_sound_and_a_moved_office_keeps_the_digest() {
        let shipped = Memoranda::parse(Memoranda::shipped().iter().copied()).unwrap();
        assert_eq!(shipped.iter().count(), SHIPPED.len());
        let (file, text) = SHIPPED[0];
        let before = Memorandum::parse(file, text).unwrap();
        let moved = Memorandum::parse(file, &text.replace("KG-MLSSM-CECA", "KG-OTHER")).unwrap();
        assert_eq!(before.terms_digest(), moved.terms_digest());
        let other = Memorandum::parse(file, &text.replace("basis = \"consent\"", "basis = \"notice\"")).unwrap();
        assert_ne!(before.terms_digest(), other.terms_digest());
    }

    #[test]
    fn what_the_file_should_not_say_is_refused_with_its_place() {
        let (file, text) = SHIPPED[0];
        let error = |text: &str| Memorandum::parse(file, text).err().unwrap().to_string();
        assert!(error(&text.replace("[terms]", "[terms]\ncolour = 1")).contains("line"));
        assert!(error(&text.replace("format = 1", "format = 2")).contains("format 2"));
        assert!(error(&text.replace("F01 = { from = [\"KG\"]", "F01 = { from = [\"XX\"]")).contains("XX at F01"));
        let twice = Memoranda::parse([SHIPPED[0], SHIPPED[0]]);
        assert!(matches!(twice, Err(MemorandumError::Twice { .. })));
    }
}
