//! What rules, duties and decisions look at in a notice, by meaning rather than by the field of each kind.

use serde_json::{Map, Value};
use unicode_script::{Script, UnicodeScript as _};
use verbale_proto::v1::{ListedOrganisation, Particulars};

use crate::flow::CONSENT_GRANT;
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
pub(crate) fn particulars(flow: &str, header: &Map<String, Value>, body: &Map<String, Value>) -> Particulars {
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
        effective: text(&["effective_at", "effective_on", "commenced_on", "revoked_on", "approved_on"]),
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
        concurrence: concurrence(flow, header),
    }
}

/// On behalf of whom a grant is written: the other in Japan is several bodies (DOMAIN 1.8).
fn concurrence(flow: &str, header: &Map<String, Value>) -> String {
    let from = header.get("from").and_then(|from| from.get("on_behalf_of")).and_then(Value::as_str);
    from.filter(|_| flow == CONSENT_GRANT).unwrap_or_default().to_owned()
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

/// Members that hold a name of an organisation.
const NAMES: [&str; 6] = ["name_en", "name_local", "name_ja", "name_kana", "office_name", "organiser"];

/// Objects in which `name` is one.
const NAMED: [&str; 2] = [".intermediary", ".audience"];

/// The first member with a name of an organisation in which one word mixes Latin and Cyrillic letters.
pub(crate) fn mixed_script(body: &Map<String, Value>) -> Option<String> {
    search(body, "body")
}

fn search(object: &Map<String, Value>, at: &str) -> Option<String> {
    object.iter().find_map(|(name, value)| {
        let here = format!("{at}.{name}");
        match value {
            Value::String(text) => {
                let is_name = NAMES.contains(&name.as_str())
                    || (name == "name" && NAMED.iter().any(|object| at.ends_with(object)));
                (is_name && mixes_scripts(text)).then_some(here)
            }
            Value::Object(inner) => search(inner, &here),
            Value::Array(items) => {
                (0..).zip(items).find_map(|(i, item)| search(item.as_object()?, &format!("{here}[{i}]")))
            }
            _ => None,
        }
    })
}

/// Whether one word of a name has Latin and Cyrillic letters.
pub fn mixes_scripts(name: &str) -> bool {
    // Few names have both scripts at all, and what a letter is takes a look into large tables.
    if name.is_ascii() || !is_mixed(name) {
        return false;
    }
    // What stands on a letter, and what nobody sees, ends no word.
    let seen: String = name.chars().filter(|c| !is_transparent(*c)).collect();
    seen.split(|c: char| !c.is_alphanumeric()).any(is_mixed)
}

fn is_mixed(word: &str) -> bool {
    let has = |script: Script| word.chars().any(|c| c.script() == script);
    has(Script::Latin) && has(Script::Cyrillic)
}

/// Marks on letters, and characters without a shape: soft hyphen, joiners, marks of direction, selectors of variants.
fn is_transparent(c: char) -> bool {
    c.script() == Script::Inherited
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || matches!(c, '\u{483}'..='\u{489}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}')
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
        // Nothing that nobody sees makes two words of one; a letter of another block is a letter.
        for hidden in ['\u{200b}', '\u{200d}', '\u{2060}', '\u{ad}', '\u{301}', '\u{feff}'] {
            assert!(at(&format!("Al{hidden}\u{430}")).is_some(), "{hidden:?}");
        }
        assert!(at("\u{ff21}\u{43b}а").is_some() && at("\u{261}\u{430}").is_some());
        let audience = serde_json::json!({"audience": {"name": "\u{422}est Operator", "class": "ORGANISATION"}});
        assert_eq!(mixed_script(audience.as_object().unwrap()).as_deref(), Some("body.audience.name"));
    }
}
