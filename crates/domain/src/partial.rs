//! Parts of a notice: which chunks a field has, and what a reader sees of chunks that do not make up the whole.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use verbale_proto::v1::Chunk;

use crate::cut::cut;
use crate::decode::{Field, malformed, merge, next_field};
use crate::disclosure::{Escalation, Ground, Marks, Release};
use crate::notice::Notice;
use crate::refusal::Refusal;
use crate::rules::covers;
use crate::schema::{Flow, HEADER, ONWARD, Schema, Shape, Slot};
use crate::{CHUNKS_MAX, Header};

/// What the chunks of a header are named with.
const IN_HEADER: &str = "header";

/// The released field of a referral, and those who may have it (Kyrgyz 7(3), Tajik 7(3)).
const RELEASABLE: &str = "releasable_to_investigated_org";
const REFERRALS: [&str; 2] = ["F11", "T03"];

/// What every presentation shows: without the number a ground could not be compared.
const NUMBER: &str = "header.notice_id";

/// What a publication shows beside: the originator's list of what may be published, or that there is none.
const PUBLICATION: [&str; 3] = ["header.languages", "header.publishable_fields", "header.restricted_marks"];

/// What shows that the originator labelled a notice as public, and marked nothing of it; beside it the first field of the body, which ends
/// the header.
const PUBLIC: [&str; 4] =
    ["header.classification", "header.languages", "header.publishable_fields", "header.restricted_marks"];

/// What shows that the audience is the organisation that a referral is about.
const INVESTIGATED: [&str; 2] = ["org.registration_no", "org.org_no"];

/// Number of the header's last member before the list of what may be published.
const LANGUAGES: u32 = 12;

/// Fields that a presentation on a ground shows beside those that are disclosed.
fn shown_beside(ground: Release) -> impl Iterator<Item = &'static str> {
    let more: &[&str] = match ground {
        Release::Allowed(Ground::PublicationDuty) | Release::Decided(Escalation::UnverifiedBasisStrict) => &PUBLICATION,
        Release::Allowed(Ground::AlreadyPublic) => &PUBLIC,
        Release::Allowed(Ground::PreauthorisedField) => &INVESTIGATED,
        Release::Allowed(_) | Release::Decided(_) => &[],
    };
    std::iter::once(NUMBER).chain(more.iter().copied())
}

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
    /// Where among the fields the body begins, when everything between it and the header's languages is here: then what is not there was
    /// never written.
    end_of_tail: Option<usize>,
}

impl Partial {
    /// Reads chunks, each on its own: what is not one chunk of its own field is refused.
    ///
    /// # Errors
    /// A [`Refusal`] of stage `schema`.
    pub fn read<'c>(flow: &str, chunks: impl Iterator<Item = (u32, &'c Chunk)>) -> Result<Self, Refusal> {
        let schema = Schema::get();
        let flow = schema.flows.get(flow).ok_or_else(malformed)?;
        let mut partial = Self {
            header: Map::new(),
            body: Map::new(),
            restricted: Map::new(),
            fields: Vec::new(),
            end_of_tail: None,
        };
        // Chunks stand in the order of the schema: the one after the languages, then the next, until the body begins.
        let mut next_of_tail = None;
        for (place, chunk) in chunks {
            let number = chunk.path.first().copied().ok_or_else(malformed)?;
            match (number, chunk.path.get(1)) {
                (HEADER, Some(member)) if *member < LANGUAGES => {}
                (HEADER, Some(member)) if *member == LANGUAGES => next_of_tail = place.checked_add(1),
                (HEADER, _) => {
                    next_of_tail = next_of_tail.filter(|next| *next == place).and_then(|next| next.checked_add(1));
                }
                _ if next_of_tail.take() == Some(place) => partial.end_of_tail = Some(partial.fields.len()),
                _ => {}
            }
            // A third side's information is presented on its own ground, never as a part of the notice that carried it.
            let shape = shape_of(flow, number).filter(|_| number != ONWARD).ok_or_else(malformed)?;
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

    /// Where among the chunks those stand that make up fields.
    pub fn covered(&self, fields: &[String]) -> impl Iterator<Item = usize> {
        let is_covered = |name: &String| fields.iter().any(|field| covers(field, name));
        (0..).zip(&self.fields).filter(move |(_, name)| is_covered(name)).map(|(place, _)| place)
    }

    /// A text of the header.
    pub fn header_text(&self, name: &str) -> Option<&str> {
        self.header.get(name)?.as_str()
    }

    /// What the presented part says about its own disclosure. The memorandum's list of what may be published holds only where it is seen
    /// that the originator wrote none. Nodes refuse a list that overlaps marks.
    pub fn marks(&self, flow: &str) -> Marks {
        let list = |name: &str| {
            let items = self.header.get(name)?.as_array()?;
            Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        };
        let restricted = list("restricted_marks").unwrap_or_default();
        Marks {
            flow: flow.to_owned(),
            // A part of the list only narrows it.
            publishable: match list("publishable_fields") {
                None if self.end_of_tail.is_none() => Some(Vec::new()),
                list => list,
            },
            releasable: releasable(flow, &self.body),
            // An organisation that is not seen is nobody.
            investigated: Some(investigated(&self.body).unwrap_or_default()),
            superseded: false,
            labelled_public: self.end_of_tail.and_then(|place| self.fields.get(place)).is_some_and(|first| {
                // The field that ends the header is shown with every release on the label.
                self.header_text("classification").is_some_and(is_public) && !is_marked(&restricted, first)
            }),
            has_restricted: !self.restricted.is_empty(),
            carries_onward: false,
            restricted,
        }
    }

    /// Whether a field, by its place among [`Self::fields`], is one that a presentation on a ground shows beside those that are disclosed.
    pub fn is_shown_beside(&self, ground: Release, place: usize) -> bool {
        let ends_header = ground == Release::Allowed(Ground::AlreadyPublic) && self.end_of_tail == Some(place);
        ends_header || self.fields.get(place).is_some_and(|field| shown_beside(ground).any(|shown| shown == field))
    }
}

impl Notice {
    /// The places of the chunks that make up fields, and of those that a presentation on a ground shows beside.
    pub fn places(&self, fields: &[String], ground: Release) -> Vec<u32> {
        let flow = self.header().flow;
        let Some(flow) = Schema::get().flows.get(&flow) else { return Vec::new() };
        let wanted = |chunk: &Chunk| {
            chunk.path.first() != Some(&ONWARD)
                && field_of(flow, &chunk.path).is_some_and(|name| {
                    shown_beside(ground).any(|shown| shown == name) || fields.iter().any(|field| covers(field, &name))
                })
        };
        let in_header = self.chunks().iter().take_while(|chunk| chunk.path.first() == Some(&HEADER)).count();
        let ends_header = |place: usize| ground == Release::Allowed(Ground::AlreadyPublic) && place == in_header;
        let places = self.chunks().iter().enumerate().filter(|(place, chunk)| wanted(chunk) || ends_header(*place));
        // At most CHUNKS_MAX.
        places.filter_map(|(place, _)| u32::try_from(place).ok()).collect()
    }

    /// The places of the chunks that make up fields.
    pub fn covered(&self, fields: &[String]) -> Vec<u32> {
        let flow = self.header().flow;
        let Some(flow) = Schema::get().flows.get(&flow) else { return Vec::new() };
        let wanted = |chunk: &Chunk| {
            let name = field_of(flow, &chunk.path).filter(|_| chunk.path.first() != Some(&ONWARD));
            name.is_some_and(|name| fields.iter().any(|field| covers(field, &name)))
        };
        let places = self.chunks().iter().enumerate().filter(|(_, chunk)| wanted(chunk));
        // At most CHUNKS_MAX.
        places.filter_map(|(place, _)| u32::try_from(place).ok()).collect()
    }

    /// The body paths that may be published and at which the notice has something: its originator's list, else the given one, without
    /// what is marked restricted.
    pub fn publishable(&self, default: &[String]) -> Vec<String> {
        let marks = self.marks();
        let at = |path: &str| path.split('.').try_fold(self.body(), |at, name| at.get(name)?.as_object());
        let has = |path: &String| match path.rsplit_once('.') {
            Some((parent, last)) => at(parent).is_some_and(|at| at.contains_key(last)),
            None => path == "*" || self.body().contains_key(path),
        };
        let paths = marks.publishable.as_deref().unwrap_or(default);
        let paths: BTreeSet<&String> = paths.iter().filter(|path| has(path) && !marks.is_restricted(path)).collect();
        paths.into_iter().cloned().collect()
    }

    /// The field with which the body begins.
    fn first_field(&self) -> Option<String> {
        let flow = Schema::get().flows.get(&self.header().flow)?;
        let first = self.chunks().iter().find(|chunk| chunk.path.first() != Some(&HEADER))?;
        field_of(flow, &first.path)
    }

    /// Whether a publication of these fields can show what list its originator wrote: the list, or, where there is none, what ends the
    /// header.
    pub fn can_prove_its_list(&self, fields: &[String]) -> bool {
        self.has_header("publishable_fields")
            || self.first_field().is_some_and(|first| fields.iter().any(|field| covers(field, &first)))
    }

    /// The languages of its text.
    pub fn languages(&self) -> Vec<String> {
        self.header_list("languages")
    }

    /// What the notice says about its own disclosure.
    pub fn marks(&self) -> Marks {
        let Header { flow, classification, publishable_fields, restricted_marks, .. } = self.header();
        let (body, states_it) = (self.body(), self.has_header("publishable_fields"));
        Marks {
            publishable: states_it.then_some(publishable_fields),
            releasable: releasable(&flow, body),
            investigated: investigated(body).filter(|_| REFERRALS.contains(&flow.as_str())),
            superseded: false,
            labelled_public: is_public(&classification)
                && self.first_field().is_some_and(|first| !is_marked(&restricted_marks, &first)),
            has_restricted: self.has_restricted(),
            carries_onward: !self.onward().is_empty(),
            restricted: restricted_marks,
            flow,
        }
    }
}

fn is_marked(marks: &[String], field: &str) -> bool {
    marks.iter().any(|mark| covers(field, mark) || covers(mark, field))
}

fn is_public(classification: &str) -> bool {
    classification != "CONFIDENTIAL"
}

fn investigated(body: &Map<String, Value>) -> Option<String> {
    let org = body.get("org")?;
    ["registration_no", "org_no"].iter().find_map(|name| org.get(*name)?.as_str()).map(str::to_owned)
}

fn releasable(flow: &str, body: &Map<String, Value>) -> Vec<String> {
    let released = REFERRALS.contains(&flow) && body.get(RELEASABLE).is_some_and(Value::is_string);
    if released { vec![RELEASABLE.to_owned()] } else { Vec::new() }
}

fn shape_of(flow: &'static Flow, number: u32) -> Option<&'static Shape> {
    match &flow.restricted {
        _ if number == HEADER => Some(&Schema::get().header),
        _ if number == ONWARD => Some(&Schema::get().onward),
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
        ONWARD => vec!["onward"],
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

    fn read(chunks: &[(u32, Chunk)]) -> Result<Partial, Refusal> {
        Partial::read("F15", chunks.iter().map(|(place, chunk)| (*place, chunk)))
    }

    fn part(fields: &[&str]) -> (Notice, Vec<(u32, Chunk)>) {
        let notice = Notice::from_json(ALERT.as_bytes()).unwrap_or_else(|refusal| panic!("{refusal}"));
        let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
        let places = notice.places(&fields, Release::Allowed(Ground::ConsentOk));
        let chunks = places.iter().map(|place| (*place, notice.chunks()[*place as usize].clone())).collect();
        (notice, chunks)
    }

    #[test]
    fn the_chunks_of_a_field_are_read_without_the_others() {
        let (_, chunks) = part(&["exam.venue", "examinees"]);
        let partial = read(&chunks).unwrap();
        assert_eq!(partial.fields, ["header.notice_id", "exam.venue", "examinees", "examinees"]);
        assert_eq!(partial.header_text("notice_id"), Some("KG-1"));
        assert_eq!(partial.body["exam"], serde_json::json!({"venue": "V"}));
        assert_eq!(partial.body["examinees"][1]["name_latin"], "B");
        // The last element alone.
        let last = read(&chunks[3..]).unwrap();
        assert_eq!(last.body["examinees"].as_array().unwrap().len(), 1);
        let (notice, all) = part(&["*"]);
        let all: Vec<Chunk> = all.into_iter().map(|(_, chunk)| chunk).collect();
        assert!(all == notice.chunks(), "the whole is all of it");
    }

    #[test]
    fn a_chunk_that_is_not_its_own_field_alone_is_refused() {
        let (_, chunks) = part(&["exam.venue", "wrongdoing"]);
        let alone = |chunk: &Chunk| read(&[(0, chunk.clone())]);
        let mut moved = chunks[1].1.clone();
        moved.path = chunks[2].1.path.clone();
        assert!(alone(&moved).is_err());
        let mut both = chunks[1].1.clone();
        both.bytes.extend_from_slice(&chunks[2].1.bytes);
        assert!(alone(&both).is_err());
        assert!(Partial::read("F14", chunks.iter().map(|(place, chunk)| (*place, chunk))).is_err());
        assert!(alone(&Chunk { path: vec![], bytes: vec![] }).is_err());
    }

    #[test]
    fn what_may_be_published_is_what_the_originator_wrote_or_what_is_seen_not_to_be_there() {
        let with = |list: &str| ALERT.replace("\"languages\"", &format!("{list}\"languages\""));
        let marks = |json: &str, without: &[&str]| {
            let notice = Notice::from_json(json.as_bytes()).unwrap_or_else(|refusal| panic!("{refusal}"));
            let places = notice.places(&["exam".to_owned()], Release::Allowed(Ground::PublicationDuty));
            let all: Vec<(u32, &Chunk)> =
                places.iter().map(|place| (*place, &notice.chunks()[*place as usize])).collect();
            let fields = Partial::read("F15", all.iter().copied()).unwrap().fields;
            let kept = all.into_iter().zip(fields).filter(|(_, field)| !without.contains(&field.as_str()));
            Partial::read("F15", kept.map(|(chunk, _)| chunk)).unwrap().marks("F15").publishable
        };
        let listed = with("\"publishable_fields\":[\"exam.name\"],");
        assert_eq!(marks(&listed, &[]), Some(vec!["exam.name".to_owned()]));
        assert_eq!(marks(ALERT, &[]), None, "it is seen that there is no list");
        assert_eq!(marks(&listed, &["exam.name"]), Some(vec!["exam.name".to_owned()]), "the list alone is enough");
        // Whoever leaves something out does not widen what may be published.
        assert_eq!(marks(&listed, &["header.publishable_fields"]), Some(vec![]));
        assert_eq!(marks(&listed, &["header.publishable_fields", "header.languages"]), Some(vec![]));
        assert_eq!(marks(ALERT, &["header.restricted_marks"]), Some(vec![]));
        assert_eq!(marks(ALERT, &["exam.name"]), Some(vec![]));
    }
}
