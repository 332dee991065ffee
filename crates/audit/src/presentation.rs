//! One presentation: who said what, who may have it, on which ground.

use serde_json::{Value, json};
use time::UtcOffset;
use verbale_domain::disclosure::{
    Audience, Decision, Evidence, GivenNotice, Grant, Ground, Question, Recorded, Release, Scope, Verdict as Ruling,
    decide,
};
use verbale_domain::flow::{CONSENT_GRANT, CONSENT_REQUEST, DISCLOSURE_NOTICE};
use verbale_domain::{
    Course, Memoranda, Memorandum, NAME_BYTES_MAX, Notice, PURPOSE_BYTES_MAX, Partial, Refusal, civil, is_line, is_text,
};
use verbale_evidence::{
    Cards, MessageId, PresentationError, Statement, Verdict, VerifiedPart, VerifiedPresentation, covered_digest,
    is_identifier, parse_presentation, verify_presentation,
};

/// Why a presentation does not show that its reader may have it.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A signature, a commitment or a proof.
    #[error(transparent)]
    NotProven(#[from] PresentationError),
    /// The presented fields do not read as fields of the kind.
    #[error("the presented fields do not read as fields of their kind: {0}")]
    Unreadable(Refusal),
    /// A field that was not to be disclosed.
    #[error("the field {0} is presented, and the disclosure does not name it")]
    FieldTooMany(String),
    /// A field that was disclosed.
    #[error(
        "a part of what was disclosed is missing ({0}): somebody took it out since; ask for the presentation as it was made"
    )]
    FieldMissing(String),
    /// Without it no ground can be compared.
    #[error("the registry number of the notice is not presented")]
    NumberMissing,
    /// No such file.
    #[error("the memorandum {0} is not among the files; give its file with --memoranda")]
    UnknownMemorandum(String),
    /// Another file.
    #[error(
        "the notice was sent under other terms of {0} than those of the file at hand; get the file that both sides held"
    )]
    OtherTerms(String),
    /// A part of the ground is withheld.
    #[error("the ground has a part missing: {shown} of {of} fields are shown, and with fewer it would read wider")]
    GroundNotWhole {
        /// Fields shown.
        shown: usize,
        /// Fields of the whole.
        of: u32,
    },
    /// The ground is something else.
    #[error("the ground is not what it must be: {0}")]
    Ground(&'static str),
    /// The decision that the ground should carry.
    #[error("the disclosure names the ground {claimed}, and what is presented shows {} {}: {}", decision.verdict.decision(), decision.verdict.code(), decision.reason)]
    NotCovered {
        /// What the disclosure says.
        claimed: String,
        /// What follows from the presentation.
        decision: Decision,
    },
}

/// A presentation that holds.
pub struct Checked {
    verified: VerifiedPresentation,
    partial: Partial,
    audience: Audience,
    decision: Decision,
}

/// Verifies a presentation and asks again, with what it shows alone, whether the disclosure was allowed.
///
/// # Errors
/// [`Fault`].
pub fn check_presentation(
    text: &str,
    originator: &Cards,
    discloser: Option<&Cards>,
    memoranda: &Memoranda,
) -> Result<Checked, Fault> {
    let verified = verify_presentation(&parse_presentation(text)?, originator, discloser)?;
    let statement = verified.notice.envelope.statement();
    let partial = Partial::read(&statement.flow, verified.notice.chunks.iter().map(|(place, chunk)| (*place, chunk)));
    let partial = partial.map_err(Fault::Unreadable)?;
    let memorandum = memoranda.get(&statement.memorandum);
    let memorandum = memorandum.ok_or_else(|| Fault::UnknownMemorandum(statement.memorandum.clone()))?;
    if memorandum.terms_digest() != statement.terms_digest {
        return Err(Fault::OtherTerms(statement.memorandum.clone()));
    }
    let ground: Release = verified.disclosure.code.parse().map_err(|_| Fault::Ground("its code is not known"))?;
    let scope = scope(&verified)?;
    for (place, field) in partial.fields.iter().enumerate() {
        if !scope.covers_fields(std::slice::from_ref(field)) && !partial.is_shown_beside(ground, place) {
            return Err(Fault::FieldTooMany(field.clone()));
        }
    }
    // Earlier builds signed none: it is the discloser's to sign, and nobody else can leave it out.
    let is_bound = !verified.disclosure.covered.is_empty();
    if is_bound && shown_digest(&verified, &partial, &scope) != verified.disclosure.covered.as_slice() {
        return Err(Fault::FieldMissing(scope.fields.join(", ")));
    }
    let number = partial.header_text("notice_id").filter(|number| is_identifier(number));
    let number = number.ok_or(Fault::NumberMissing)?.to_owned();
    not_before_it_was_written(&verified)?;
    let mut evidence = evidence(&verified, memorandum, &number)?;
    let recorded = recorded(&verified)?;
    let at_ms = verified.disclosure.disclosed_ms;
    let are_own_words = recorded.as_ref().is_some_and(|recorded| recorded.states_own_words(&scope, at_ms));
    if quotes_other(&verified, memorandum, &scope) && !are_own_words {
        evidence.push(Evidence::Quotes(Vec::new()));
    }
    evidence.extend(recorded.iter().filter_map(|recorded| recorded.evidence(&scope, at_ms)));
    let decision = again(&verified, memorandum, &partial, &scope, &evidence);
    let is_released = match decision.verdict {
        Ruling::Allow(_) => true,
        Ruling::Deny(_) => false,
        // People decided, and their basis is there.
        Ruling::Escalate(escalation) => {
            recorded.as_ref().is_some_and(|recorded| recorded.carries(escalation, &scope, at_ms))
        }
    };
    if !is_released || decision.verdict.code() != verified.disclosure.code {
        return Err(Fault::NotCovered { claimed: verified.disclosure.code.clone(), decision });
    }
    Ok(Checked { verified, partial, audience: scope.audience, decision })
}

/// The digest of the leaves of what is disclosed that are shown.
fn shown_digest(verified: &VerifiedPresentation, partial: &Partial, scope: &Scope) -> [u8; 32] {
    let shown = partial.covered(&scope.fields).filter_map(|at| verified.notice.chunks.get(at));
    covered_digest(shown.map(|(place, _)| *place))
}

/// The ground outside the log that the discloser names. The originator did not sign it.
fn recorded(verified: &VerifiedPresentation) -> Result<Option<Recorded>, Fault> {
    let Some(ground) = &verified.disclosure.recorded else { return Ok(None) };
    if !verified.grounds.is_empty() {
        return Err(Fault::Ground("it rests on a notice and on a recorded document at once"));
    }
    let wrong = Fault::Ground("the recorded ground is not understood");
    let scope = Scope::of(&ground.fields, (&ground.audience_class, &ground.audience_name), &ground.purpose);
    let (Ok(kind), Some(scope)) = (ground.kind.parse(), scope) else { return Err(wrong) };
    if ground.document_sha256.len() != 32 || !is_line(&ground.legal_basis, PURPOSE_BYTES_MAX) {
        return Err(wrong);
    }
    if !(1..=verified.disclosure.disclosed_ms).contains(&ground.confirmed_ms) {
        return Err(Fault::Ground("the recorded ground was confirmed only after the disclosure"));
    }
    let (from_ms, until_ms, basis) = (ground.valid_from_ms, ground.valid_until_ms, ground.legal_basis.clone());
    let conditions = ground.conditions.clone();
    Ok(Some(Recorded { kind, scope, from_ms, until_ms, basis, conditions }))
}

/// What the discloser says that it disclosed.
fn scope(verified: &VerifiedPresentation) -> Result<Scope, Fault> {
    let disclosure = &verified.disclosure;
    let class =
        disclosure.audience_class.parse().map_err(|_| Fault::Ground("the class of the audience is not known"))?;
    if disclosure.audience_name.trim().is_empty() || disclosure.fields.is_empty() {
        return Err(Fault::Ground("the disclosure names no audience or no field"));
    }
    // Nobody writes lines of this report.
    if !is_line(&disclosure.audience_name, NAME_BYTES_MAX) || !is_text(&disclosure.purpose) {
        return Err(Fault::Ground("the audience is no line, or the purpose no text"));
    }
    let audience = Audience { class, name: disclosure.audience_name.clone() };
    Ok(Scope { fields: disclosure.fields.clone(), audience, purpose: disclosure.purpose.clone() })
}

/// What is disclosed, and what allows it, was written before. The time of the disclosure itself is its discloser's word.
fn not_before_it_was_written(verified: &VerifiedPresentation) -> Result<(), Fault> {
    let written = verified.grounds.iter().map(|ground| &ground.envelope).chain([&verified.notice.envelope]);
    let latest = written.map(|envelope| envelope.statement().created_ms).max().unwrap_or(i64::MIN);
    if verified.disclosure.disclosed_ms.saturating_add(civil::CLOCKS_APART_MS) < latest {
        return Err(Fault::Ground("the notice or its ground was written after the disclosure"));
    }
    Ok(())
}

/// The decision function, with what the presentation shows.
fn again(
    verified: &VerifiedPresentation,
    memorandum: &Memorandum,
    partial: &Partial,
    scope: &Scope,
    evidence: &[Evidence],
) -> Decision {
    let (statement, disclosure) = (verified.notice.envelope.statement(), &verified.disclosure);
    let day = civil::date_of(disclosure.disclosed_ms, UtcOffset::UTC);
    let office = |node: &str| {
        let side = memorandum.side_of(node, day);
        side.and_then(|side| memorandum.contact_point(side, day)).map(|contact| contact.office).unwrap_or_default()
    };
    // Both sides' nodes let the notice travel: its memorandum was in force, and its sender served a side that day.
    let sent = civil::date_of(statement.created_ms, UtcOffset::UTC);
    let course = Course::between(Some(sent.previous_day().unwrap_or(sent)), None);
    decide(&Question {
        memorandum: Some(memorandum),
        course: &course,
        originator: memorandum.side_of(&statement.sender, sent).unwrap_or_default(),
        discloser: office(&disclosure.discloser),
        marks: &partial.marks(&statement.flow),
        scope,
        territory: None,
        at_ms: disclosure.disclosed_ms,
        evidence,
    })
}

/// Whether an own notice answers the other side, whose words it may repeat.
fn quotes_other(verified: &VerifiedPresentation, memorandum: &Memorandum, scope: &Scope) -> bool {
    let statement = verified.notice.envelope.statement();
    let is_own = statement.sender == verified.disclosure.discloser;
    let answers = statement.answers.is_some() && memorandum.answers_other(&statement.flow);
    let publishable = Scope { fields: memorandum.publishable(&statement.flow).to_vec(), ..scope.clone() };
    is_own && answers && !publishable.covers_fields(&scope.fields)
}

/// The evidence that the presentation carries.
fn evidence(verified: &VerifiedPresentation, memorandum: &Memorandum, number: &str) -> Result<Vec<Evidence>, Fault> {
    let Some(ground) = verified.grounds.first() else { return Ok(Vec::new()) };
    let notice = whole(ground)?;
    let (of, about) = (ground.envelope.statement(), verified.notice.envelope.statement());
    if of.memorandum != about.memorandum || notice.header().flow != of.flow {
        return Err(Fault::Ground("it is of another memorandum, or of another kind than its statement says"));
    }
    let particulars = notice.subject().particulars;
    let day = civil::date_of(of.created_ms, UtcOffset::UTC);
    let offset = memorandum.utc_offset(memorandum.side_of(&of.sender, day).unwrap_or_default());
    match of.flow.as_str() {
        CONSENT_GRANT => {
            granted_by_originator(verified, of)?;
            let grant = Grant::read(&particulars, offset, number);
            Ok(vec![Evidence::Grant(grant.ok_or(Fault::Ground("the grant lacks a field"))?)])
        }
        DISCLOSURE_NOTICE => {
            let delivered_ms = delivered(verified, of)?;
            // That clock may be ahead of the one by which it was disclosed.
            let delivered_ms = delivered_ms.saturating_sub(civil::CLOCK_SKEW_MS);
            let given = GivenNotice::read(&particulars, Some(delivered_ms), number);
            Ok(vec![Evidence::Notice(given.ok_or(Fault::Ground("the disclosure notice lacks a field"))?)])
        }
        _ => Err(Fault::Ground("it is neither a consent grant (F21) nor a disclosure notice (F24)")),
    }
}

/// A grant or a notice with a missing field would read wider.
fn whole(ground: &VerifiedPart) -> Result<Notice, Fault> {
    if !ground.is_whole() {
        return Err(Fault::GroundNotWhole { shown: ground.chunks.len(), of: ground.leaf_count });
    }
    let chunks: Vec<_> = ground.chunks.iter().map(|(_, chunk)| chunk.clone()).collect();
    Notice::from_chunks(&chunks).map_err(Fault::Unreadable)
}

/// The grant is of the originator, and answers a request that answers this very notice.
fn granted_by_originator(verified: &VerifiedPresentation, grant: &Statement) -> Result<(), Fault> {
    let notice = &verified.notice.envelope;
    if grant.sender != notice.statement().sender {
        return Err(Fault::Ground("consent is of the originator, and this grant is another's"));
    }
    let request = verified.links.first().ok_or(Fault::Ground("the request that the grant answers is missing"))?;
    let asked_about = request.answers.map(|answers| answers.statement);
    if request.flow != CONSENT_REQUEST || request.sender != verified.disclosure.discloser {
        return Err(Fault::Ground("the grant answers something else than a request of the discloser"));
    }
    if asked_about != Some(notice.digest()) {
        return Err(Fault::Ground("the consent is about another notice"));
    }
    Ok(())
}

/// When the originator had the discloser's notice of this disclosure.
fn delivered(verified: &VerifiedPresentation, given: &Statement) -> Result<i64, Fault> {
    let notice = &verified.notice.envelope;
    if given.sender != verified.disclosure.discloser || given.recipient != notice.statement().sender {
        return Err(Fault::Ground("the notice is not the discloser's to the originator"));
    }
    if given.answers.map(|answers| answers.statement) != Some(notice.digest()) {
        return Err(Fault::Ground("the disclosure notice is about another notice"));
    }
    match &verified.receipt {
        Some(receipt) if *receipt.verdict() == Verdict::Received => Ok(receipt.time_ms()),
        Some(_) => Err(Fault::Ground("the originator refused the disclosure notice")),
        None => Err(Fault::Ground("the originator's receipt for the disclosure notice is missing")),
    }
}

/// The release that a presentation shows.
pub struct ReleaseShown {
    /// The notice.
    pub message_id: MessageId,
    /// What, to whom, for what.
    pub scope: Scope,
    /// What it rests on.
    pub rests_on: Release,
    /// Whether that is a document that two persons recorded.
    pub has_document: bool,
}

impl Checked {
    /// The release.
    pub(crate) fn release(&self) -> Result<ReleaseShown, Fault> {
        let unknown = |_| Fault::Ground("its code is not known");
        let rests_on = self.verified.disclosure.code.parse().map_err(unknown)?;
        let message_id = self.verified.notice.envelope.statement().message_id;
        let has_document = self.verified.disclosure.recorded.is_some();
        Ok(ReleaseShown { message_id, scope: scope(&self.verified)?, rests_on, has_document })
    }

    /// To whom it was disclosed.
    pub(crate) fn audience(&self) -> &Audience {
        &self.audience
    }

    /// What was said, with the fields that are presented.
    fn said(&self) -> Value {
        let mut said = Value::Object(self.partial.body.clone());
        if let (false, Some(members)) = (self.partial.restricted.is_empty(), said.as_object_mut()) {
            members.insert("restricted".to_owned(), Value::Object(self.partial.restricted.clone()));
        }
        said
    }

    fn withheld(&self) -> usize {
        (self.verified.notice.leaf_count as usize).saturating_sub(self.verified.notice.chunks.len())
    }

    /// For machines.
    pub fn to_json(&self) -> Value {
        let (statement, disclosure) = (self.verified.notice.envelope.statement(), &self.verified.disclosure);
        let logged = &self.verified.logged;
        let logged =
            json!({"origin": logged.checkpoint.origin, "index": logged.index.0, "size": logged.checkpoint.size.0});
        json!({
            "message_id": statement.message_id.to_string(), "notice_id": self.partial.header_text("notice_id"),
            "memorandum": statement.memorandum, "flow": statement.flow, "kind": Notice::kind_of(&statement.flow),
            "originator": statement.sender, "signed": moment(statement.created_ms), "said": self.said(),
            "withheld": self.withheld(), "discloser": disclosure.discloser, "disclosed": moment(disclosure.disclosed_ms),
            "audience_class": disclosure.audience_class, "audience_name": disclosure.audience_name,
            "purpose": disclosure.purpose, "fields": disclosure.fields, "code": disclosure.code, "clause": self.decision.clause,
            "logged": logged, "conditions": self.conditions(),
            "instrument": self.instrument().map(|(by, [flow, number, from, to, concurrence])| json!({
                "by": by, "on_behalf_of": (!concurrence.is_empty()).then_some(concurrence), "flow": flow, "notice_id": number, "from": from, "to": (!to.is_empty()).then_some(to),
            })),
            "outside_log": disclosure.recorded.as_ref().map(|ground| json!({
                "kind": ground.kind, "document_sha256": hex::encode(&ground.document_sha256), "basis": ground.legal_basis,
                "confirmed": moment(ground.confirmed_ms),
            })),
        })
    }

    /// For people.
    pub fn to_text(&self) -> String {
        let (statement, disclosure) = (self.verified.notice.envelope.statement(), &self.verified.disclosure);
        let kind = Notice::kind_of(&statement.flow).unwrap_or_default();
        let logged = &self.verified.logged;
        let logged = format!(
            "entry {} of {}, as of its checkpoint of {} entries; a later withdrawal is not visible in it, and its time is the \
             discloser's word",
            logged.index.0, logged.checkpoint.origin, logged.checkpoint.size.0
        );
        let instrument = self.instrument().map_or_else(String::new, |(by, [flow, number, from, to, concurrence])| {
            let until = if to.is_empty() { String::new() } else { format!(" to {to}") };
            let with = if concurrence.is_empty() { String::new() } else { format!(", on behalf of {concurrence}") };
            let said = visible(&format!("{flow} {number} of {by}{with}, from {from}{until}")).replace('\n', "\\n");
            format!("\n  rests on      {said}")
        });
        let conditions = self.conditions();
        let conditions = if conditions.is_empty() {
            String::new()
        } else {
            format!("\n  conditions    {}", visible(&conditions.join("; ")).replace('\n', "\\n"))
        };
        let (verdict, outside) = match &disclosure.recorded {
            None => ("Sound.", String::new()),
            Some(ground) => (
                "Sound as far as the discloser's word goes: it rests on a document that the originator did not sign here.",
                format!(
                    "\n  document      {}: {}; SHA-256 {}, which sha256sum shows of the document itself; two persons of {} recorded it, \
                     the second on {}",
                    ground.kind,
                    ground.legal_basis,
                    hex::encode(&ground.document_sha256),
                    disclosure.discloser,
                    moment(ground.confirmed_ms)
                ),
            ),
        };
        format!(
            "{verdict}\n  notice        {} {} {kind}, {}\n  said by       {}, signed {}\n  withheld      {} of {} fields\n  \
             disclosed     {}\n  disclosed by  {}, {}\n  to            {} ({})\n  for           {}\n  ground        {} (clause {}): {}{instrument}{outside}{conditions}\n  \
             log           {logged}\n\nWhat was said:\n{}",
            self.partial.header_text("notice_id").unwrap_or_default(),
            statement.flow,
            statement.memorandum,
            statement.sender,
            moment(statement.created_ms),
            self.withheld(),
            self.verified.notice.leaf_count,
            visible(&disclosure.fields.join(", ")).replace('\n', "\\n"),
            disclosure.discloser,
            moment(disclosure.disclosed_ms),
            disclosure.audience_name,
            disclosure.audience_class,
            visible(&disclosure.purpose).replace('\n', "\\n"),
            disclosure.code,
            self.decision.clause,
            self.decision.reason,
            visible(&format!("{:#}", self.said()))
        )
    }

    /// The notice that the ground is: who sent it, its flow and number, its days, and on behalf of whom it was granted.
    fn instrument(&self) -> Option<(String, [String; 5])> {
        let ground = self.verified.grounds.first()?;
        let notice = whole(ground).ok()?;
        let particulars = notice.subject().particulars;
        let header = notice.header();
        let from = if particulars.not_before.is_empty() { particulars.valid_from } else { particulars.not_before };
        let sender = ground.envelope.statement().sender.clone();
        let (flow, number) = (header.flow.clone(), header.notice_id.clone());
        Some((sender, [flow, number, from, particulars.valid_to, particulars.concurrence]))
    }

    /// The conditions of the grant or the document, which bind the reader.
    fn conditions(&self) -> Vec<String> {
        if let Some(document) = &self.verified.disclosure.recorded {
            return document.conditions.clone();
        }
        let by_consent = [Ground::ConsentOk.as_str(), Ground::ConsentExceedsNotice.as_str()];
        let grant =
            self.verified.grounds.first().filter(|_| by_consent.contains(&self.verified.disclosure.code.as_str()));
        let notice = grant.and_then(|grant| whole(grant).ok());
        notice.map(|notice| notice.subject().particulars.conditions).unwrap_or_default()
    }
}

/// A text of others, with what would move the cursor written out.
pub(crate) fn visible(text: &str) -> String {
    let shown = |c: char| {
        if c == '\n' || is_line(c.encode_utf8(&mut [0; 4]), 4) { c.to_string() } else { c.escape_default().to_string() }
    };
    text.chars().map(shown).collect()
}

pub(crate) fn moment(ms: i64) -> String {
    civil::moment_text(ms, UtcOffset::UTC)
}
