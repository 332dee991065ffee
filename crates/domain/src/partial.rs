//! Parts of a notice: which chunks a field has, and what a reader sees of chunks that do not make up the whole.

use serde_json::{Map, Value};
use verbale_proto::v1::Chunk;

use crate::cut::cut;
use crate::decode::{Field, malformed, merge, next_field};
use crate::disclosure::Marks;
use crate::notice::Notice;
use crate::refusal::Refusal;
use crate::rules::covers;
use crate::schema::{Flow, HEADER, Schema, Shape, Slot};
use crate::{CHUNKS_MAX, Header};

/// What the chunks of a header are named with.
const IN_HEADER: &str = "header";

/// The released field of a referral, and those who may have it (Kyrgyz 7(3), Tajik 7(3)).
const RELEASABLE: &str = "releasable_to_investigated_org";
const REFERRALS: [&str; 2] = ["F11", "T03"];

/// Members of the header that every presentation shows: without the number a ground could not be compared.
const SHOWN: [&str; 1] = ["header.notice_id"];

/// Also shown where the ground is that the originator lets the field be published.
const PUBLISHABLE: &str = "header.publishable_fields";

/// What a reader sees of some chunks of a notice.
pub struct Partial {
    /// Members of the header.
    pub header: Map<String, Value>,
    /// Members of the body; of a list, the elements that are there.
    pub body: Map<String, Value>,
    /// Content of `restricted`.
    pub restricted: Map<String, Value>,
    /// Each chunk's field, as dotted path; `restricted.` and `header.` before those that stand apart.
    pub fields: Vec<String>,
}

impl Partial {
    /// Reads chunks, each on its own: what is not one chunk of its own field is refused.
    ///
    /// # Errors
    /// A [`Refusal`] of stage `schema`.
    pub fn read<'c>(flow: &str, chunks: impl Iterator<Item = &'c Chunk>) -> Result<Self, Refusal> {
        let schema = Schema::get();
        let flow = schema.flows.get(flow).ok_or_else(malformed)?;
        let mut partial = Self { header: Map::new(), body: Map::new(), restricted: Map::new(), fields: Vec::new() };
        for chunk in chunks {
            let number = chunk.path.first().copied().ok_or_else(malformed)?;
            let shape = shape_of(flow, number).ok_or_else(malformed)?;
            let mut bytes = chunk.bytes.as_slice();
            let Some((found, Field::Bytes(inner))) = next_field(&mut bytes)? else { return Err(malformed()) };
            let mut alone = Map::new();
            merge(inner, shape, &mut alone, &mut CHUNKS_MAX.clone())?;
            let mut again = Vec::new();
            cut(number, &alone, shape, &mut again);
            let same = matches!(again.as_slice(), [one] if one.bytes == chunk.bytes && same_place(flow, &one.path, &chunk.path));
            if found != number || !bytes.is_empty() || !same {
                return Err(malformed());
            }
            partial.fields.push(field_of(flow, &chunk.path).ok_or_else(malformed)?);
            let into = match number {
                HEADER => &mut partial.header,
                number if number == flow.number => &mut partial.body,
                _ => &mut partial.restricted,
            };
            merge(inner, shape, into, &mut CHUNKS_MAX.clone())?;
        }
        Ok(partial)
    }

    /// A text of the header.
    pub fn header_text(&self, name: &str) -> Option<&str> {
        self.header.get(name)?.as_str()
    }

    /// What the presented part says about its own disclosure. Where the originator's list of what may be published is not among it, the
    /// memorandum's holds.
    pub fn marks(&self, flow: &str) -> Marks {
        let list = |name: &str| {
            let items = self.header.get(name)?.as_array()?;
            Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        };
        Marks {
            flow: flow.to_owned(),
            publishable: list("publishable_fields"),
            restricted: list("restricted_marks").unwrap_or_default(),
            releasable: releasable(flow, &self.body),
            ..Marks::default()
        }
    }

    /// Whether a field is one that stands in a presentation beside what was disclosed.
    pub fn is_shown_beside(field: &str) -> bool {
        SHOWN.contains(&field) || field == PUBLISHABLE
    }
}

impl Notice {
    /// The places of the chunks that make up fields, and of those that every presentation shows.
    pub fn places(&self, fields: &[String], published: bool) -> Vec<u32> {
        let flow = self.header().flow;
        let Some(flow) = Schema::get().flows.get(&flow) else { return Vec::new() };
        let wanted = |chunk: &Chunk| {
            field_of(flow, &chunk.path).is_some_and(|name| {
                let shown = SHOWN.contains(&name.as_str()) || (published && name == PUBLISHABLE);
                shown || fields.iter().any(|field| covers(field, &name))
            })
        };
        (0..).zip(self.chunks()).filter(|(_, chunk)| wanted(chunk)).map(|(place, _)| place).collect()
    }

    /// What the notice says about its own disclosure.
    pub fn marks(&self) -> Marks {
        let Header { flow, publishable_fields, restricted_marks, .. } = self.header();
        let (body, states_it) = (self.body(), self.has_header("publishable_fields"));
        let number = |org: &Value| {
            ["registration_no", "org_no"].iter().find_map(|name| org.get(*name)?.as_str()).map(str::to_owned)
        };
        Marks {
            publishable: states_it.then_some(publishable_fields),
            restricted: restricted_marks,
            releasable: releasable(&flow, body),
            investigated: REFERRALS.contains(&flow.as_str()).then(|| body.get("org").and_then(number)).flatten(),
            superseded: false,
            flow,
        }
    }
}

fn releasable(flow: &str, body: &Map<String, Value>) -> Vec<String> {
    let released = REFERRALS.contains(&flow) && body.get(RELEASABLE).is_some_and(Value::is_string);
    if released { vec![RELEASABLE.to_owned()] } else { Vec::new() }
}

fn shape_of(flow: &'static Flow, number: u32) -> Option<&'static Shape> {
    match &flow.restricted {
        _ if number == HEADER => Some(&Schema::get().header),
        _ if number == flow.number => Some(&flow.body),
        Some((apart, shape)) if number == *apart => Some(shape),
        _ => None,
    }
}

/// The dotted path of a chunk's field; of an element of a list, that of the list.
fn field_of(flow: &'static Flow, path: &[u32]) -> Option<String> {
    let (number, rest) = path.split_first()?;
    let mut shape = shape_of(flow, *number)?;
    let mut names = match *number {
        HEADER => vec![IN_HEADER],
        number if number == flow.number => Vec::new(),
        _ => vec!["restricted"],
    };
    for (depth, number) in rest.iter().enumerate() {
        let member = shape.numbered(*number)?;
        names.push(&member.name);
        match &member.slot {
            Slot::Object(inner) => shape = inner,
            // At most the index of an element follows.
            _ => return (rest.len() - depth <= 2).then(|| names.join(".")),
        }
    }
    Some(names.join("."))
}

/// Whether two paths name the same field: elements of a list differ in their index alone.
fn same_place(flow: &'static Flow, one: &[u32], other: &[u32]) -> bool {
    one.len() == other.len() && field_of(flow, one) == field_of(flow, other)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALERT: &str = r#"{"notice_id":"KG-1","memorandum":"JP-KG-SSW-2023","flow":"F15","kind":"EXAM_FRAUD_ALERT","clause":"5",
        "from":{"party":"KG","office":"KG-MLSSM-CECA"},"to":{"party":"JP","office":"JP-MOJ-ISA-RMD"},
        "issued_at":"2026-02-03T10:15:00+06:00","classification":"CONFIDENTIAL","receiver_obligation":"NONE","languages":["en"],
        "body":{"exam":{"name":"N","organiser":"O","delivery":"D","date":"2026-01-01","venue":"V"},"wrongdoing":"W",
        "detected_by":"B","examinees":[{"name_latin":"A","date_of_birth":"2000-01-01","result_status":"R"},
        {"name_latin":"B","date_of_birth":"2000-01-02","result_status":"R"}]},"restricted":{"examinees":true}}"#;

    fn part(fields: &[&str]) -> (Notice, Vec<Chunk>) {
        let notice = Notice::from_json(ALERT.as_bytes()).unwrap_or_else(|refusal| panic!("{refusal}"));
        let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
        let places = notice.places(&fields, false);
        let chunks = places.iter().map(|place| notice.chunks()[*place as usize].clone()).collect();
        (notice, chunks)
    }

    #[test]
    fn the_chunks_of_a_field_are_read_without_the_others() {
        let (_, chunks) = part(&["exam.venue", "examinees"]);
        let partial = Partial::read("F15", chunks.iter()).unwrap();
        assert_eq!(partial.fields, ["header.notice_id", "exam.venue", "examinees", "examinees"]);
        assert_eq!(partial.header_text("notice_id"), Some("KG-1"));
        assert_eq!(partial.body["exam"], serde_json::json!({"venue": "V"}));
        assert_eq!(partial.body["examinees"][1]["name_latin"], "B");
        // The last element alone.
        let last = Partial::read("F15", chunks.iter().skip(3)).unwrap();
        assert_eq!(last.body["examinees"].as_array().unwrap().len(), 1);
        let (notice, all) = part(&["*"]);
        assert!(all == notice.chunks(), "the whole is all of it");
    }

    #[test]
    fn a_chunk_that_is_not_its_own_field_alone_is_refused() {
        let (_, chunks) = part(&["exam.venue", "wrongdoing"]);
        let mut moved = chunks[1].clone();
        moved.path = chunks[2].path.clone();
        assert!(Partial::read("F15", [&moved].into_iter()).is_err());
        let mut both = chunks[1].clone();
        both.bytes.extend_from_slice(&chunks[2].bytes);
        assert!(Partial::read("F15", [&both].into_iter()).is_err());
        assert!(Partial::read("F14", chunks.iter()).is_err());
        assert!(Partial::read("F15", [&Chunk { path: vec![], bytes: vec![] }].into_iter()).is_err());
    }
}
