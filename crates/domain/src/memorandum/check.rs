//! What must hold between the values of a memorandum file.

use super::file::{Commencement, File, Organ, Succession, Termination};
use super::{MemorandumError, NO_ORGANS};
use crate::civil;
use crate::notice::Notice;

/// That every side and body that is named is one.
pub(super) fn check_sides(file: &str, read: &File) -> Result<(), MemorandumError> {
    let kinds =
        read.terms.kinds.iter().flat_map(|(flow, kind)| kind.from.iter().map(move |side| (side, flow.as_str())));
    let contacts = read.contacts.iter().map(|contact| (&contact.side, "[[contacts]]"));
    let succession = read.succession.iter().map(|succession| (&succession.side, "[[succession]]"));
    for (side, place) in kinds.chain(contacts).chain(succession) {
        if !read.terms.sides.contains_key(side) {
            let what = format!("{side} at {place}");
            return Err(MemorandumError::UnknownSide { file: file.to_owned(), id: read.id.clone(), what });
        }
    }
    let is_body = |of: &String| read.terms.sides.values().any(|side| side.parties.contains_key(of));
    let successors = || read.succession.iter().flat_map(|succession| [&succession.from, &succession.to]);
    let wrong = |what| Err(MemorandumError::Value { file: file.to_owned(), what });
    for Organ { of, office, .. } in &read.organs {
        if !is_body(of) && !successors().any(|body| body == of) {
            return wrong(format!("{of} at [[organs]], where a body that the text names as a party must be"));
        }
        let rest = office.strip_prefix(of.as_str()).and_then(|rest| rest.strip_prefix('-'));
        let is_organ = |rest: &str| !rest.is_empty() && !rest.split(['-', '_']).any(|part| NO_ORGANS.contains(&part));
        if !rest.is_some_and(is_organ) {
            return wrong(format!(
                "{office} as an organ of {of}: its name begins with that, and embassies and prefectural police are none"
            ));
        }
    }
    Ok(())
}

/// What the schema of a file cannot say: a node lives by these values, and must not find out later that they mean nothing.
pub(super) fn check_terms(file: &str, read: &File) -> Result<(), MemorandumError> {
    let wrong = |what: String| Err(MemorandumError::Value { file: file.to_owned(), what });
    let terms = &read.terms;
    if read.id.trim().is_empty() {
        return wrong("an empty id".to_owned());
    }
    if terms.sides.len() != 2 {
        return wrong(format!("{} sides, where two must be", terms.sides.len()));
    }
    let mut bodies: Vec<&String> = terms.sides.values().flat_map(|side| side.parties.keys()).collect();
    bodies.sort();
    if let Some(twice) = bodies.windows(2).find_map(|two| two.first().filter(|first| two.get(1) == Some(first))) {
        return wrong(format!("{twice} on both sides"));
    }
    if let Some(day) = terms.signed.iter().find(|day| civil::day(day).is_none()) {
        return wrong(format!("signed on {day}, where a day YYYY-MM-DD must be"));
    }
    let (rule, on) = (terms.in_force.rule, &terms.in_force.on);
    if rule == Commencement::LatterSignature && terms.signed.iter().max() != on.as_ref() {
        return wrong(
            "a day of the latter signature that is not the last of the days on which it was signed".to_owned(),
        );
    }
    if terms.ends.rule == Termination::MonthsAfterReceipt && terms.ends.months.is_none_or(|months| months == 0) {
        return wrong("that it ends months after receipt, and not after how many (`months`, at least 1)".to_owned());
    }
    for (flow, kind) in &terms.kinds {
        let unknown = |flow: &String| flow != "*" && Notice::kind_of(flow).is_none();
        if let Some(unknown) = [flow].into_iter().chain(&kind.answers).find(|flow| unknown(flow)) {
            return wrong(format!("{unknown} at {flow}, which is no flow of this version"));
        }
        if kind.from.is_empty() {
            return wrong(format!("that {flow} travels from nobody; leave it out, or name a side in `from`"));
        }
        let is_no_field =
            |path: &&String| *path == "*" || path.starts_with("restricted") || !Notice::has_field(flow, path);
        if let Some(path) = kind.publishable.iter().find(is_no_field) {
            return wrong(format!("{path:?} as publishable at {flow}, which is no field of it that may be published"));
        }
    }
    // Whoever succeeds takes the place of a body of the same side: nothing else makes a party of anybody.
    for successor in &read.succession {
        let of_text = |body: &String| {
            let mut sides = terms.sides.iter().filter(|(_, side)| side.parties.contains_key(body)).map(|(id, _)| id);
            sides.next()
        };
        let Succession { side, from, to, .. } = successor;
        let mut others = read.succession.iter().filter(|other| !std::ptr::eq(*other, successor));
        if of_text(from) != Some(side) && !others.any(|other| other.side == *side && other.to == *from) {
            return wrong(format!(
                "{from} at [[succession]], where a body of {side} must be, or one that succeeded it"
            ));
        }
        let mut all = read.succession.iter();
        let is_others =
            of_text(to).is_some_and(|of| of != side) || all.any(|other| other.to == *to && other.side != *side);
        if from == to || is_others {
            return wrong(format!(
                "{to} as what succeeded {from} at [[succession]], and that is itself, or a body of the other side"
            ));
        }
    }
    Ok(())
}
