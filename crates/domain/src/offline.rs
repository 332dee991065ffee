//! The rules without a node: lines of JSON in order, with the state that both sides would have after each.

use std::collections::HashMap;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use time::Date;

use crate::docket::{Course, Docket, Entered, NoticeKey, Supposed};
use crate::flow::{COMMENCEMENT_RECORD, TERMINATION};
use crate::memorandum::{CommencesOn, Memoranda, Memorandum};
use crate::notice::{Header, Notice};
use crate::refusal::{Code, Refusal};
use crate::rules::{Place, check_rules, under_its_clause};
use crate::{civil, json};

/// Checks lines one after the other. An accepted one is known to those after it.
pub struct OfflineCheck<'m> {
    memoranda: &'m Memoranda,
    docket: Docket,
    /// Digest of each accepted notice, by memorandum, side and number.
    accepted: HashMap<(String, NoticeKey), [u8; 32]>,
}

/// What became of a line.
pub struct Verdict {
    /// The registry's own number, where it could be read.
    pub notice_id: String,
    /// The clause that the notice rests on, or the rule that refused it.
    pub clause: String,
    /// Why it is refused; `None` when it is accepted.
    pub refusal: Option<Refusal>,
}

/// What a line says of the memorandum's state, for itself alone.
#[derive(Default)]
struct Context {
    commenced: Supposed,
    ended: Supposed,
}

impl<'m> OfflineCheck<'m> {
    /// With nothing known.
    pub fn new(memoranda: &'m Memoranda) -> Self {
        Self { memoranda, docket: Docket::default(), accepted: HashMap::new() }
    }

    /// Records the day on which a memorandum commenced.
    ///
    /// # Errors
    /// A sentence, when there is no such memorandum or its own text says the day.
    pub fn commence(&mut self, memorandum: &str, on: Date) -> Result<(), String> {
        let held = self.memoranda.get(memorandum).ok_or_else(|| format!("there is no memorandum {memorandum}"))?;
        if let CommencesOn::Day(day) = held.commences() {
            return Err(format!("{memorandum} commenced on {day} by its own text"));
        }
        self.docket.course_mut(memorandum).commenced = Some(on);
        Ok(())
    }

    /// Checks a line: a bare notice, or an object with a member `notice`.
    pub fn check(&mut self, line: &[u8]) -> Verdict {
        let read = json::parse(line).map(unwrap);
        // What the clause of a refusal follows from, whatever else is wrong.
        let named = read.as_ref().ok().and_then(Value::as_object).map(|members| {
            let is_text = |name: &&str| members.get(*name).is_some_and(Value::is_string);
            let names = ["notice_id", "memorandum", "flow"].into_iter().filter(is_text);
            names.map(|name| (name.to_owned(), members.get(name).cloned().unwrap_or_default())).collect::<Value>()
        });
        let number = named.as_ref().and_then(|named| named.get("notice_id")?.as_str()).unwrap_or_default().to_owned();
        let checked = read.and_then(|mut value| {
            let context = context(&mut value)?;
            self.accept(&Notice::from_value(value)?, &context)
        });
        match checked {
            Ok(clause) => Verdict { notice_id: number, clause, refusal: None },
            Err(refusal) => {
                let refusal = under_its_clause(refusal, named.as_ref(), self.memoranda);
                Verdict { notice_id: number, clause: refusal.clause.clone(), refusal: Some(refusal) }
            }
        }
    }

    fn accept(&mut self, notice: &Notice, context: &Context) -> Result<String, Refusal> {
        let subject = notice.subject();
        let header = &subject.header;
        // The line's own moment is the clock: a future one is no fault.
        let now_ms = civil::moment_ms(&header.issued_at).unwrap_or_default();
        let key = NoticeKey { side: header.from.party.clone(), number: header.notice_id.clone() };
        let digest: [u8; 32] = Sha256::digest(notice.to_json()).into();
        let (memorandum, known) = (header.memorandum.clone(), (header.memorandum.clone(), key.clone()));
        match self.accepted.get(&known) {
            Some(earlier) if *earlier == digest => return Ok(self.clause_of(header)),
            Some(_) => {
                let reason =
                    "was used for another notice under this memorandum; give a changed notice a number of its own";
                return Err(Refusal::new(Code::IdReuse, "notice_id", reason));
            }
            None => {}
        }
        let before = self.docket.course(&memorandum).map(|course: &Course| course.ends).unwrap_or_default();
        let course = self.docket.course_mut(&memorandum);
        course.supposed = context.commenced;
        course.ends = context.ended.or(course.ends);
        let checked = check_rules(&subject, self.memoranda, &self.docket, Place::Offline, now_ms).map(drop);
        let course = self.docket.course_mut(&memorandum);
        (course.supposed, course.ends) = (Supposed::Nothing, before);
        checked?;
        let entered = Entered {
            flow: header.flow.clone(),
            correlates_to: header.correlates_to.clone(),
            particulars: subject.particulars.clone(),
            since_ms: now_ms,
            known_to_both: true,
        };
        self.docket.enter(&memorandum, key, entered);
        if header.flow == COMMENCEMENT_RECORD {
            let course = self.docket.course_mut(&memorandum);
            (course.commenced, course.commenced_ms) = (civil::day(&subject.particulars.effective), Some(now_ms));
        }
        let months = self.memoranda.get(&memorandum).and_then(Memorandum::months_to_end);
        if let (TERMINATION, Some(received), Some(months)) =
            (header.flow.as_str(), civil::day(&subject.particulars.received_on), months)
        {
            self.docket.course_mut(&memorandum).end(civil::months_after(received, months));
        }
        self.accepted.insert(known, digest);
        Ok(self.clause_of(header))
    }

    /// The clause on which its memorandum has such a notice travel; what the notice itself says of that is only a word.
    fn clause_of(&self, header: &Header) -> String {
        let memorandum = self.memoranda.get(&header.memorandum);
        memorandum.and_then(|memorandum| memorandum.clause_of(&header.flow)).unwrap_or_default().to_owned()
    }
}

/// The notice in a line that wraps one. What the line says of the memorandum's state may stand in it or beside it.
fn unwrap(value: Value) -> Value {
    let Value::Object(mut members) = value else { return value };
    // No notice has a member of that name.
    let Some(Value::Object(mut notice)) = members.get_mut("notice").map(Value::take) else {
        return Value::Object(members);
    };
    if let Some(context) = members.shift_remove("_context") {
        notice.entry("_context").or_insert(context);
    }
    Value::Object(notice)
}

/// Takes the member `_context` out of a notice.
fn context(value: &mut Value) -> Result<Context, Refusal> {
    let Some(context) = value.as_object_mut().and_then(|members| members.shift_remove("_context")) else {
        return Ok(Context::default());
    };
    let wrong = |what: &str| Refusal::new(Code::BadValue, "_context", what);
    let Value::Object(members) = context else { return Err(wrong("must be an object")) };
    let unknown =
        members.keys().any(|name| !["memorandum_commenced_on", "memorandum_ended_on"].contains(&name.as_str()));
    if unknown {
        return Err(wrong("may say memorandum_commenced_on and memorandum_ended_on"));
    }
    let day = |members: &Map<String, Value>, name: &str| match members.get(name) {
        None => Ok(Supposed::Nothing),
        Some(Value::Null) => Ok(Supposed::NoDay),
        Some(Value::String(text)) => {
            civil::day(text).map(Supposed::Day).ok_or_else(|| wrong("must give days in the form YYYY-MM-DD"))
        }
        Some(_) => Err(wrong("must give days in the form YYYY-MM-DD, or null")),
    };
    Ok(Context { commenced: day(&members, "memorandum_commenced_on")?, ended: day(&members, "memorandum_ended_on")? })
}
