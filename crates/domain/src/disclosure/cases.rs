//! Questions as lines of JSON, decided without a node: `{"id", "memorandum", "kind", "originator", "discloser", "audience",
//! "fields", "purpose", "at", "evidence", …}`.

use serde::Deserialize;
use serde_json::Value;

use super::{Audience, AudienceClass, Decision, Evidence, GivenNotice, Grant, Marks, Question, Scope, decide};
use crate::docket::Course;
use crate::memorandum::{Memoranda, Memorandum};
use crate::notice::Notice;
use crate::{civil, json};

/// A line as it is written. Members that explain the case to people are not looked at.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(rename = "id")]
    _id: String,
    memorandum: String,
    kind: String,
    flow: Option<String>,
    originator: String,
    discloser: String,
    audience: Option<CaseAudience>,
    fields: Vec<String>,
    purpose: String,
    at: String,
    #[serde(default)]
    evidence: Vec<CaseEvidence>,
    publishable_fields: Option<Vec<String>>,
    #[serde(default)]
    releasable_fields: Vec<String>,
    memorandum_state: Option<State>,
    #[serde(default, rename = "expect")]
    _expect: Value,
    #[serde(default, rename = "why")]
    _why: Value,
    #[serde(default, rename = "situation")]
    _situation: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseAudience {
    #[serde(default)]
    class: String,
    #[serde(default)]
    name: String,
    territory: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    commenced_on: Option<String>,
    ended_on: Option<String>,
}

/// One piece of evidence; which members it has depends on its type. What is not understood may speak against a disclosure, and is never
/// passed over; the last three describe it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseEvidence {
    #[serde(rename = "type")]
    kind: String,
    about: Option<String>,
    fields: Option<Vec<String>>,
    audience: Option<CaseAudience>,
    purpose: Option<String>,
    valid_from: Option<String>,
    valid_until: Option<String>,
    withdrawn_effective_at: Option<String>,
    not_before: Option<String>,
    delivered_at: Option<String>,
    basis: Option<String>,
    #[serde(default, rename = "sent_at")]
    _sent_at: Value,
    #[serde(default, rename = "received_at")]
    _received_at: Value,
    #[serde(default, rename = "smallest_count")]
    _smallest_count: Value,
}

/// What became of a line.
pub struct Ruling {
    /// The line's own id, where it could be read.
    pub id: String,
    /// The decision, or what is wrong with the line. A line that is wrong is denied.
    pub decision: Result<Decision, String>,
}

/// Decides one line.
pub fn rule(memoranda: &Memoranda, line: &[u8]) -> Ruling {
    let read = json::parse(line).map_err(|refusal| refusal.to_string());
    let id = read.as_ref().ok().and_then(|value| value.get("id")?.as_str().map(str::to_owned)).unwrap_or_default();
    let case = read.and_then(|value| serde_json::from_value::<Case>(value).map_err(|error| error.to_string()));
    Ruling { id, decision: case.and_then(|case| case.decide(memoranda)) }
}

impl Case {
    fn decide(self, memoranda: &Memoranda) -> Result<Decision, String> {
        let memorandum = memoranda.get(&self.memorandum);
        let course = self.course()?;
        let (audience, territory) = audience(self.audience)?;
        let at_ms = moment("at", Some(&self.at))?.unwrap_or_default();
        if self.fields.is_empty() {
            return Err("fields is empty: say what is to be disclosed; * is the whole notice".to_owned());
        }
        let of_kind = |memorandum: &Memorandum| {
            memorandum
                .flows_of(&self.originator)
                .find(|flow| Notice::kind_of(flow) == Some(&self.kind))
                .map(str::to_owned)
        };
        let flow = self.flow.or_else(|| memorandum.and_then(of_kind)).unwrap_or_default();
        let superseded = self.evidence.iter().any(|piece| piece.kind == "SUPERSEDED");
        let pieces = self.evidence.into_iter().filter(|piece| piece.kind != "SUPERSEDED");
        let evidence = pieces.map(CaseEvidence::read).collect::<Result<Vec<_>, _>>()?;
        // A count is no field of a notice.
        let is_of_kind = |field: &&String| Notice::has_field(&flow, field) || Notice::kind_of(&flow).is_none();
        let is_count = evidence.iter().any(|piece| matches!(piece, Evidence::Aggregate));
        if let Some(other) = self.fields.iter().find(|field| !is_count && !is_of_kind(field)) {
            return Err(format!("fields: {flow} has no field {other:?}; a field is a path such as org.name_en"));
        }
        let marks = Marks {
            has_restricted: Notice::has_field(&flow, "restricted"),
            flow,
            publishable: self.publishable_fields,
            releasable: self.releasable_fields,
            superseded,
            // A question has no label: it is about the kind.
            labelled_public: true,
            ..Marks::default()
        };
        Ok(decide(&Question {
            memorandum,
            course: &course,
            originator: &self.originator,
            discloser: &self.discloser,
            marks: &marks,
            scope: &Scope { fields: self.fields, audience, purpose: self.purpose },
            territory: territory.as_deref(),
            at_ms,
            evidence: &evidence,
        }))
    }

    fn course(&self) -> Result<Course, String> {
        let day = |text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => civil::day(text).map(Some).ok_or_else(|| format!("memorandum_state: {text} is no day")),
        };
        let Some(state) = &self.memorandum_state else { return Ok(Course::default()) };
        Ok(Course::between(day(&state.commenced_on)?, day(&state.ended_on)?))
    }
}

/// An empty audience is an error, never everybody.
fn audience(given: Option<CaseAudience>) -> Result<(Audience, Option<String>), String> {
    let given = given.ok_or("audience is missing: say to whom; an empty one is not everybody")?;
    let class: AudienceClass = given.class.parse().map_err(|_| {
        format!(
            "audience.class is not one of {}",
            AudienceClass::ALL.iter().map(|class| class.as_str()).collect::<Vec<_>>().join(", ")
        )
    })?;
    if given.name.trim().is_empty() {
        return Err("audience.name is empty: say to whom; an empty one is not everybody".to_owned());
    }
    Ok((Audience { class, name: given.name }, given.territory))
}

fn moment(name: &str, text: Option<&String>) -> Result<Option<i64>, String> {
    let wrong = |text: &String| format!("{name}: {text} is no moment with UTC offset (RFC 3339)");
    text.map(|text| civil::moment_ms(text).ok_or_else(|| wrong(text))).transpose()
}

impl CaseEvidence {
    fn read(self) -> Result<Evidence, String> {
        Ok(match self.kind.as_str() {
            "CONSENT_GRANT" => Evidence::Grant(Grant {
                from_ms: moment("valid_from", self.valid_from.as_ref())?.ok_or("a grant without valid_from")?,
                until_ms: moment("valid_until", self.valid_until.as_ref())?.ok_or("a grant without valid_until")?,
                withdrawn_ms: moment("withdrawn_effective_at", self.withdrawn_effective_at.as_ref())?,
                about_this: self.about.as_deref() == Some("this"),
                scope: self.scope()?,
            }),
            "DISCLOSURE_NOTICE" => Evidence::Notice(GivenNotice {
                not_before_ms: moment("not_before", self.not_before.as_ref())?.ok_or("a notice without not_before")?,
                delivered_ms: moment("delivered_at", self.delivered_at.as_ref())?,
                about_this: self.about.as_deref() == Some("this"),
                scope: self.scope()?,
            }),
            "CONSENT_REQUEST" => Evidence::Request,
            "OBJECTION" => Evidence::Objection,
            "PUBLISHED_BY_ORIGINATOR" | "ALREADY_PUBLIC_BY_ORIGINATOR" => {
                Evidence::PublishedByOriginator(self.fields.ok_or("a publication without fields")?)
            }
            "INDEPENDENT_SOURCE" => Evidence::IndependentSource,
            "QUOTES_OTHER" | "DERIVED_FROM_OTHER" => Evidence::Quotes(self.fields.unwrap_or_default()),
            "LEAKED" => Evidence::Leaked(self.fields.unwrap_or_default()),
            "LEGAL_COMPULSION" => Evidence::LegalCompulsion(self.basis.unwrap_or_default()),
            "AGGREGATE" => Evidence::Aggregate,
            // What is not understood may speak against a disclosure: it is never passed over.
            other => return Err(format!("evidence of type {other} is not known")),
        })
    }

    fn scope(self) -> Result<Scope, String> {
        let (audience, _) = audience(self.audience)?;
        let fields = self.fields.ok_or("evidence without fields")?;
        Ok(Scope { fields, audience, purpose: self.purpose.ok_or("evidence without purpose")? })
    }
}
