//! A notice that passed the form check, as JSON and as chunks.

use serde_json::{Map, Value};
use verbale_proto::v1::Chunk;

use crate::cut::cut;
use crate::decode::{Field, malformed, merge, next_field};
use crate::flow::{CONSENT_GRANT, CONSENT_REQUEST, DISCLOSURE_NOTICE};
use crate::particulars::{Subject, mixed_script, particulars};
use crate::refusal::{Code, Refusal};
use crate::schema::{Flow, HEADER, ONWARD, Schema};
use crate::{CHUNKS_MAX, form, json};

/// A notice in due form: header, body, and what its originator keeps apart.
///
/// It has no `Debug`, so that its content does not reach a log line by accident.
#[derive(Clone)]
pub struct Notice {
    parts: Parts,
    /// The parts, cut; made once, since both sides commit to them and compare them.
    chunks: Vec<Chunk>,
}

#[derive(Clone)]
struct Parts {
    header: Map<String, Value>,
    body: Map<String, Value>,
    /// Content of the member `restricted`, beside its marks, which stand in the header. Empty when there is none.
    restricted: Map<String, Value>,
    /// The member `onward`, in the form of the schema.
    onward: Option<Map<String, Value>>,
    flow: &'static Flow,
}

/// The members that rules and facts need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The registry's own number.
    pub notice_id: String,
    /// The memorandum.
    pub memorandum: String,
    /// The flow.
    pub flow: String,
    /// The kind.
    pub kind: String,
    /// The clause on which the notice rests, in its originator's words.
    pub clause: String,
    /// Who sends.
    pub from: Party,
    /// Who receives.
    pub to: Party,
    /// When the registry issued it, as written.
    pub issued_at: String,
    /// The registry number of the notice it answers.
    pub correlates_to: Option<String>,
    /// How its originator labels it.
    pub classification: String,
    /// Body paths that may be made public, where the notice says.
    pub publishable_fields: Vec<String>,
    /// Body paths marked restricted.
    pub restricted_marks: Vec<String>,
}

/// A side and its office.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// The side.
    pub party: String,
    /// The office.
    pub office: String,
}

const MARKS: &str = "restricted_marks";

/// A third side's information, in the JSON and in the schema.
const ONWARD_MEMBER: &str = "onward";
const PRESENTATIONS: &str = "presentations";

/// Presentations that one notice carries: each is verified before anything else of it is looked at.
const ONWARD_MAX: usize = 16;

impl Notice {
    /// Reads a registry's JSON strictly and checks its form.
    ///
    /// # Errors
    /// A [`Refusal`] of stage `schema`, the first that was found.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Refusal> {
        Self::from_value(json::parse(bytes)?)
    }

    /// Checks the form of JSON that was read strictly.
    pub(crate) fn from_value(value: Value) -> Result<Self, Refusal> {
        let Value::Object(mut members) = value else {
            return Err(Refusal::new(Code::BadValue, "", "a notice is one JSON object"));
        };
        members.retain(|_, value| !value.is_null());
        if members.contains_key(MARKS) {
            return Err(form::unknown_member("", MARKS));
        }
        let body = members.swap_remove("body");
        let apart = members.swap_remove("restricted");
        let onward = members.swap_remove(ONWARD_MEMBER).map(|list| Map::from_iter([(PRESENTATIONS.to_owned(), list)]));
        let mut header = form::check(Value::Object(members), &Schema::get().header, "")?;
        let flow = flow_of(&header)?;
        let body = body.ok_or_else(|| Refusal::new(Code::MissingField, "body", "is required; add it"))?;
        let (marks, content) = split_restricted(apart)?;
        if let Some(mut marks) = marks {
            // One canonical order, so that one notice has one encoding.
            marks.sort();
            header.insert(MARKS.to_owned(), marks.into());
        }
        let restricted = check_restricted(content, flow)?;
        Parts {
            header,
            body: form::check(body, &flow.body, "body")?,
            restricted,
            onward: checked_onward(onward)?,
            flow,
        }
        .whole()
    }

    /// The JSON values that went in, null members dropped, as one line.
    pub fn to_json(&self) -> String {
        let mut members = self.parts.header.clone();
        let marks = members.swap_remove(MARKS);
        members.insert("body".to_owned(), Value::Object(self.parts.body.clone()));
        if let Some(marks) = marks {
            let marks = marks.as_array().into_iter().flatten().filter_map(Value::as_str);
            let mut apart: Map<String, Value> = marks.map(|mark| (mark.to_owned(), Value::Bool(true))).collect();
            apart.extend(self.parts.restricted.clone());
            members.insert("restricted".to_owned(), Value::Object(apart));
        }
        if let Some(list) = self.parts.onward.as_ref().and_then(|onward| onward.get(PRESENTATIONS)) {
            members.insert(ONWARD_MEMBER.to_owned(), list.clone());
        }
        Value::Object(members).to_string()
    }

    /// The notice in pieces: one chunk per leaf and per element of a list, in the order of the schema.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// Reads chunks back: decodes their concatenation, checks the form, and requires that the notice cuts into the very
    /// same chunks in the same order.
    ///
    /// # Errors
    /// A [`Refusal`] of stage `schema`; [`Code::BadValue`] when the chunks are not those of the notice they decode to.
    pub fn from_chunks(chunks: &[Chunk]) -> Result<Self, Refusal> {
        if chunks.len() > CHUNKS_MAX {
            let reason = format!("the notice has {} fields, the limit is {CHUNKS_MAX}", chunks.len());
            return Err(Refusal::new(Code::TooLarge, "", reason));
        }
        let schema = Schema::get();
        let (mut header, mut body, mut restricted) = (Map::new(), None, Map::new());
        let (mut onward, mut flow, mut items_left) = (None, None, CHUNKS_MAX);
        for chunk in chunks {
            let mut bytes = chunk.bytes.as_slice();
            while let Some((number, field)) = next_field(&mut bytes)? {
                let Field::Bytes(inner) = field else { return Err(malformed()) };
                if number == HEADER {
                    merge(inner, &schema.header, &mut header, &mut items_left)?;
                    continue;
                }
                if number == ONWARD {
                    merge(inner, &schema.onward, onward.get_or_insert_with(Map::new), &mut items_left)?;
                    continue;
                }
                let of = schema.flow_numbered(number).ok_or_else(|| unknown_number(number))?;
                let first: &Flow = flow.get_or_insert(of);
                match &of.restricted {
                    _ if first.number != of.number => return Err(malformed()),
                    _ if number == of.number => {
                        merge(inner, &of.body, body.get_or_insert_with(Map::new), &mut items_left)?;
                    }
                    Some((apart, shape)) if number == *apart => merge(inner, shape, &mut restricted, &mut items_left)?,
                    _ => return Err(unknown_number(number)),
                }
            }
        }
        let header = form::check(Value::Object(header), &schema.header, "")?;
        let (flow, body) = (flow_of(&header)?, body.ok_or_else(malformed)?);
        let body = form::check(Value::Object(body), &flow.body, "body")?;
        let (restricted, onward) = (check_restricted(restricted, flow)?, checked_onward(onward)?);
        let notice = Parts { header, body, restricted, onward, flow }.whole()?;
        if notice.chunks == chunks {
            Ok(notice)
        } else {
            Err(Refusal::new(Code::BadValue, "", "the content is not cut as its own fields demand"))
        }
    }

    /// The members that rules and facts need.
    pub fn header(&self) -> Header {
        let text = |name: &str| self.parts.header.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let list = |name: &str| self.header_list(name);
        let party = |name: &str| {
            let member = |inner: &str| self.parts.header.get(name).and_then(|p| p.get(inner)).and_then(Value::as_str);
            Party {
                party: member("party").unwrap_or_default().to_owned(),
                office: member("office").unwrap_or_default().to_owned(),
            }
        };
        Header {
            notice_id: text("notice_id"),
            memorandum: text("memorandum"),
            flow: text("flow"),
            kind: text("kind"),
            clause: text("clause"),
            from: party("from"),
            to: party("to"),
            issued_at: text("issued_at"),
            correlates_to: self.parts.header.get("correlates_to").and_then(Value::as_str).map(str::to_owned),
            classification: text("classification"),
            publishable_fields: list("publishable_fields"),
            restricted_marks: list(MARKS),
        }
    }

    pub(crate) fn header_list(&self, name: &str) -> Vec<String> {
        let items = self.parts.header.get(name).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// The presentations of a third side's information that it carries, as text.
    pub fn onward(&self) -> Vec<&str> {
        let carried = self.parts.onward.as_ref().and_then(|onward| onward.get(PRESENTATIONS)?.as_array());
        carried.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// Whether there is content apart, beside marks.
    pub(crate) fn has_restricted(&self) -> bool {
        !self.parts.restricted.is_empty()
    }

    pub(crate) fn body(&self) -> &Map<String, Value> {
        &self.parts.body
    }

    /// Whether the header has a member, if only an empty list.
    pub(crate) fn has_header(&self, name: &str) -> bool {
        self.parts.header.contains_key(name)
    }

    /// What rules and duties look at.
    pub fn subject(&self) -> Subject {
        Subject {
            header: self.header(),
            particulars: particulars(&self.parts.flow.name, &self.parts.header, &self.parts.body),
            has_restricted: self.has_restricted(),
            mixed_script_at: mixed_script(&self.parts.body),
        }
    }

    /// Whether a body of a flow has a field at a path, or content of `restricted` there; `*` is the whole.
    pub fn has_field(flow: &str, path: &str) -> bool {
        let Some(flow) = Schema::get().flows.get(flow) else { return false };
        let apart = || flow.restricted.as_ref().map(|(_, shape)| shape);
        match path.strip_prefix("restricted") {
            _ if path == "*" => true,
            Some("") => apart().is_some(),
            Some(rest) if rest.starts_with('.') => {
                apart().is_some_and(|shape| rest.strip_prefix('.').is_some_and(|path| shape.has_path(path)))
            }
            _ => flow.body.has_path(path),
        }
    }

    /// The kind that a flow carries.
    pub fn kind_of(flow: &str) -> Option<&'static str> {
        Schema::get().flows.get(flow).map(|flow| flow.kind.as_str())
    }
}

impl Parts {
    /// What may be published are fields of the body, or all of it; what begins with `restricted` the rules refuse by a code of its own.
    fn publishable(&self) -> Result<(), Refusal> {
        let paths = self.header.get("publishable_fields").and_then(Value::as_array).into_iter().flatten();
        let unknown = |path: &str| path != "*" && !path.starts_with("restricted") && !self.flow.body.has_path(path);
        let paths: Vec<&str> = paths.filter_map(Value::as_str).collect();
        if paths.len() > form::PATHS_MAX {
            let reason = format!("has more than {} paths, which no kind has", form::PATHS_MAX);
            return Err(Refusal::new(Code::BadValue, "publishable_fields", reason));
        }
        let mut named = (0..).zip(paths);
        match named.find(|(_, path)| unknown(path)) {
            None => Ok(()),
            Some((i, _)) => {
                let reason = format!("names no field of {}: a path such as org.name_en, or * for all", self.flow.kind);
                Err(Refusal::new(Code::UnknownField, format!("publishable_fields[{i}]"), reason))
            }
        }
    }

    /// What holds between the parts.
    fn whole(self) -> Result<Notice, Refusal> {
        form::Registers::try_from(&self.body)?;
        if [CONSENT_REQUEST, CONSENT_GRANT, DISCLOSURE_NOTICE].contains(&self.flow.name.as_str()) {
            form::Covered::try_from(&self.body)?;
        }
        self.publishable()?;
        let marks: Vec<&str> = match self.header.get(MARKS).and_then(Value::as_array) {
            Some(marks) => marks.iter().filter_map(Value::as_str).collect(),
            None if self.restricted.is_empty() => Vec::new(),
            None => return Err(malformed()),
        };
        if !marks.is_sorted_by(|a, b| a < b) {
            return Err(malformed());
        }
        let clash = |mark: &&str| !self.flow.body.has_path(mark) || self.restricted.contains_key(*mark);
        if marks.iter().any(clash) {
            // A mark may have come from the counterpart: it is not repeated.
            let reason = "marks a path that the body of this kind does not have, or that has content of its own";
            return Err(Refusal::new(Code::UnknownField, "restricted", reason));
        }
        let carried = self.onward.as_ref().and_then(|onward| onward.get(PRESENTATIONS)?.as_array());
        if carried.is_some_and(|carried| carried.len() > ONWARD_MAX) {
            let reason = format!("carries more than {ONWARD_MAX} presentations; send them with several notices");
            return Err(Refusal::new(Code::TooLarge, ONWARD_MEMBER, reason));
        }
        let chunks = self.cut();
        if chunks.len() > CHUNKS_MAX {
            let reason =
                format!("the notice has more fields, the limit is {CHUNKS_MAX}; send a part of the list, or a delta");
            return Err(Refusal::new(Code::TooLarge, "", reason));
        }
        Ok(Notice { chunks, parts: self })
    }

    /// One chunk per leaf and per element of a list; no more than one over the limit.
    fn cut(&self) -> Vec<Chunk> {
        let mut chunks = Vec::new();
        cut(HEADER, &self.header, &Schema::get().header, &mut chunks);
        cut(self.flow.number, &self.body, &self.flow.body, &mut chunks);
        if let (false, Some((number, shape))) = (self.restricted.is_empty(), &self.flow.restricted) {
            cut(*number, &self.restricted, shape, &mut chunks);
        }
        if let Some(onward) = &self.onward {
            cut(ONWARD, onward, &Schema::get().onward, &mut chunks);
        }
        chunks
    }
}

/// The flow that a header names, whose kind must be the one it says.
fn flow_of(header: &Map<String, Value>) -> Result<&'static Flow, Refusal> {
    let text = |name: &str| header.get(name).and_then(Value::as_str).unwrap_or_default();
    let Some(flow) = Schema::get().flows.get(text("flow")) else {
        return Err(Refusal::new(Code::BadEnum, "flow", "is no flow of the memoranda, such as F05"));
    };
    if text("kind") != flow.kind {
        return Err(Refusal::new(Code::BadEnum, "kind", format!("must be {} for flow {}", flow.kind, flow.name)));
    }
    Ok(flow)
}

fn checked_onward(onward: Option<Map<String, Value>>) -> Result<Option<Map<String, Value>>, Refusal> {
    onward.map(|members| form::check(Value::Object(members), &Schema::get().onward, ONWARD_MEMBER)).transpose()
}

/// Marks (members with the value true), if the member is there at all, and content of its own.
type Apart = (Option<Vec<String>>, Map<String, Value>);

fn split_restricted(apart: Option<Value>) -> Result<Apart, Refusal> {
    let mut members = match apart {
        None => return Ok((None, Map::new())),
        Some(Value::Object(members)) => members,
        Some(_) => return Err(Refusal::new(Code::BadValue, "restricted", "must be an object")),
    };
    members.retain(|_, value| !value.is_null());
    let (marks, content): (Vec<_>, Map<_, _>) = {
        let (marks, content): (Vec<_>, Vec<_>) =
            members.into_iter().partition(|(_, value)| *value == Value::Bool(true));
        (marks.into_iter().map(|(name, _)| name).collect(), content.into_iter().collect())
    };
    Ok((Some(marks), content))
}

fn check_restricted(content: Map<String, Value>, flow: &Flow) -> Result<Map<String, Value>, Refusal> {
    match (content.keys().next(), &flow.restricted) {
        (None, _) => Ok(content),
        (Some(unknown), None) => Err(form::unknown_member("restricted", unknown)),
        (Some(_), Some((_, shape))) => form::check(Value::Object(content), shape, "restricted"),
    }
}

fn unknown_number(number: u32) -> Refusal {
    Refusal::new(Code::UnknownField, "", format!("field {number} is not of this kind"))
}
