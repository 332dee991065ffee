//! What rules, duties and decisions look at in a notice, by meaning rather than by the field of each kind.

use serde_json::{Map, Value};
use verbale_proto::v1::{ListedOrganisation, Particulars};

use crate::notice::Header;
use crate::organisations::{APPROVED, LISTS, REVOKED, SENDING_ORG_APPROVED};

/// What the rules look at. It has no `Debug`: it holds names and purposes.
#[derive(Clone)]
pub struct Subject {
    /// The header.
    pub header: Header,
    /// What the body says.
    pub particulars: Particulars,
    /// Whether there is content apart, beside marks.
    pub has_restricted: bool,
    /// Where a word of an organisation's name mixes Latin and Cyrillic.
    pub mixed_script_at: Option<String>,
}

/// Members that say the same in different kinds.
pub(crate) fn particulars(flow: &str, body: &Map<String, Value>) -> Particulars {
    let at = |path: &str| path.split('/').try_fold(body, |at, name| at.get(name)?.as_object());
    let text = |names: &[&str]| {
        let found = names.iter().find_map(|name| match name.rsplit_once('/') {
            Some((path, last)) => at(path)?.get(last)?.as_str(),
            None => body.get(*name)?.as_str(),
        });
        found.unwrap_or_default().to_owned()
    };
    let list = |name: &str| {
        let items = body.get(name).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    Particulars {
        about: text(&["about_notice", "request", "consent"]),
        fields: list("fields"),
        audience_class: text(&["audience/class"]),
        audience_name: text(&["audience/name"]),
        purpose: text(&["purpose"]),
        valid_from: text(&["validity/from", "requested_validity/from"]),
        valid_to: text(&["validity/to", "requested_validity/to"]),
        effective: text(&["effective_at", "effective_on", "commenced_on", "revoked_on"]),
        received_on: text(&["received_on"]),
        not_before: text(&["disclose_not_before"]),
        complete: body.get("complete").and_then(Value::as_bool),
        outcome: text(&["outcome"]),
        wanted_by: text(&["reply_wanted_by"]),
        as_of: text(&["as_of"]),
        delta_from: text(&["delta_from"]),
        conditions: list("conditions"),
        organisations: organisations(flow, body),
        replaced_by: text(&["corrected_notice"]),
    }
}

/// The sending organisations that a list, an approval or a revocation names.
fn organisations(flow: &str, body: &Map<String, Value>) -> Vec<ListedOrganisation> {
    let text = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    // TITP writes org_no, SSW registration_no.
    let number = |of: &Value| Some(text(of, "registration_no")).filter(|n| !n.is_empty()).unwrap_or(text(of, "org_no"));
    if LISTS.contains(&flow) {
        let entries = body.get("entries").and_then(Value::as_array).into_iter().flatten();
        return entries.map(|of| ListedOrganisation { number: number(of), status: text(of, "status") }).collect();
    }
    let status = match flow {
        SENDING_ORG_APPROVED => APPROVED,
        flow if REVOKED.contains(&flow) => "REVOKED",
        _ => return Vec::new(),
    };
    let org = body.get("org").into_iter();
    org.map(|org| ListedOrganisation { number: number(org), status: status.to_owned() }).collect()
}

/// Members that hold a name of an organisation. `name` is one only in an intermediary.
const NAMES: [&str; 4] = ["name_en", "name_local", "name_ja", "name_kana"];

/// The first member with a name of an organisation in which one word mixes Latin and Cyrillic letters.
pub(crate) fn mixed_script(body: &Map<String, Value>) -> Option<String> {
    search(body, "body")
}

fn search(object: &Map<String, Value>, at: &str) -> Option<String> {
    object.iter().find_map(|(name, value)| {
        let here = format!("{at}.{name}");
        match value {
            Value::String(text) => {
                let is_name = NAMES.contains(&name.as_str()) || (name == "name" && at.ends_with(".intermediary"));
                // Few names have both scripts at all, and what a letter is takes a look into large tables.
                let mixed = is_name && is_mixed(text) && text.split(|c: char| !c.is_alphanumeric()).any(is_mixed);
                mixed.then_some(here)
            }
            Value::Object(inner) => search(inner, &here),
            Value::Array(items) => {
                (0..).zip(items).find_map(|(i, item)| search(item.as_object()?, &format!("{here}[{i}]")))
            }
            _ => None,
        }
    })
}

fn is_mixed(word: &str) -> bool {
    let latin = |c: char| matches!(c, 'A'..='z' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}') && c.is_alphabetic();
    let cyrillic = |c: char| matches!(c, '\u{400}'..='\u{52f}' | '\u{1c80}'..='\u{1c8f}' | '\u{2de0}'..='\u{2dff}' | '\u{a640}'..='\u{a69f}');
    word.chars().any(latin) && word.chars().any(cyrillic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_may_differ_from_word_to_word_and_not_inside_one() {
        let at = |name: &str| {
            let body = serde_json::json!({"org": {"name_en": name}});
            mixed_script(body.as_object().unwrap())
        };
        // The second letter is a Cyrillic one.
        assert_eq!(at("A\u{43b}a-Too LLC").as_deref(), Some("body.org.name_en"));
        assert_eq!(at("Tien-Shan “Ак Жол” & Partners"), None);
        assert_eq!(at("Express-\u{412}иза"), None);
        assert_eq!(at("ÜMÜT"), None);
    }
}
