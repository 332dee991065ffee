//! The register as one page: plain HTML that loads nothing, with a search that works without a server.

use std::fmt::Write as _;

use serde_json::{Map, Value};
use verbale_proto::v1::RegisterEntry;

use crate::output::moment;

const HEAD: &str = "\
<!DOCTYPE html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">
<title>Public register</title>
<style>
body { font-family: system-ui, sans-serif; line-height: 1.5; max-width: 60rem; margin: 0 auto; padding: 1rem; color: #111; background: #fff }
label { font-weight: bold } input { font: inherit; padding: .4rem; width: 100%; box-sizing: border-box }
article { border-top: 1px solid #666; padding: .5rem 0 } h2 { font-size: 1.1rem; margin: .5rem 0 }
dl { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .2rem 1rem } dt { font-weight: bold } dd { margin: 0; min-width: 0; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% } th, td { border: 1px solid #666; padding: .2rem .4rem; text-align: start; vertical-align: top; overflow-wrap: normal; min-width: 5em }
.wide { overflow-x: auto } @media (max-width: 40rem) { dl { grid-template-columns: 1fr } dd { padding-inline-start: 1rem } }
.mark { border-inline-start: .3rem solid #b00020; padding-inline-start: .5rem } .old { color: #444 }
</style>
</head>
<body>
<header><h1>Public register</h1>
<p>What the memoranda of cooperation say is made public. Each entry can be checked: its presentation carries the signature of the
ministry that wrote it.</p></header>
<search hidden><label for=\"search\">Search the entries</label>
<input id=\"search\" type=\"search\" autocomplete=\"off\">
<p id=\"count\" role=\"status\" aria-live=\"polite\"></p></search>
<main>
";

const TAIL: &str = "\
</main>
<script>
const box = document.getElementById('search'), count = document.getElementById('count');
const entries = [...document.querySelectorAll('article')].map(e => [e, e.textContent.normalize('NFKC').toLowerCase()]);
function look() {
  const words = box.value.normalize('NFKC').toLowerCase().split(/\\s+/).filter(w => w);
  let shown = 0;
  for (const [entry, text] of entries) { entry.hidden = !words.every(w => text.includes(w)); shown += !entry.hidden; }
  count.textContent = shown + ' of ' + entries.length + ' entries';
}
document.querySelector('search').hidden = false;
box.addEventListener('input', look); look();
</script>
</body>
</html>
";

/// The whole page.
pub(super) fn whole(articles: &str) -> String {
    format!("{HEAD}{articles}{TAIL}")
}

/// One entry. The words of the notice are in its first language, where the member's name does not say another; those around them in that of
/// the page.
pub(super) fn article(page: &mut String, entry: &RegisterEntry, file: &str, published: &Value) {
    let lang = entry.languages.first().map_or("und", String::as_str);
    let old = if entry.replaced_by.is_empty() { "" } else { " class=\"old\"" };
    let number = escape(&entry.notice_id);
    let _ = writeln!(page, "<article id=\"e{}\"{old}>\n<h2>{} {number}</h2>", entry.log_index, label(&entry.kind));
    if entry.replaced_by == entry.notice_id {
        page.push_str("<p><strong>Published again later.</strong></p>\n");
    } else if !entry.replaced_by.is_empty() {
        let _ = writeln!(page, "<p><strong>Replaced by {}.</strong></p>", escape(&entry.replaced_by));
    }
    for mark in &entry.marks {
        let (number, from, by) = (escape(&mark.number), escape(&mark.from), escape(&mark.by));
        let from = if from.is_empty() { from } else { format!(" from {from}") };
        let _ = writeln!(page, "<p class=\"mark\"><strong>{number} is revoked{from}</strong> ({by}).</p>");
    }
    let _ = writeln!(
        page,
        "<p>{} · {} · published <time>{}</time> · <a href=\"{file}\">presentation</a></p>\n<div lang=\"{}\">",
        escape(&entry.memorandum),
        escape(&entry.side),
        moment(entry.published_ms),
        escape(lang)
    );
    if let Some(members) = published.as_object() {
        object(page, members, &entry.languages);
    }
    page.push_str("</div>\n</article>\n");
}

fn object(page: &mut String, members: &Map<String, Value>, languages: &[String]) {
    page.push_str("<dl>\n");
    for (name, value) in members {
        let _ = write!(page, "<dt lang=\"en\">{}</dt><dd{}>", label(name), lang(name, languages));
        any(page, value, languages);
        page.push_str("</dd>\n");
    }
    page.push_str("</dl>\n");
}

fn any(page: &mut String, value: &Value, languages: &[String]) {
    match value {
        Value::Object(members) => object(page, members, languages),
        Value::Array(items) if items.iter().any(Value::is_object) => rows(page, items, languages),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(scalar).collect();
            page.push_str(&items.join(", "));
        }
        other => page.push_str(&scalar(other)),
    }
}

/// A list of objects as a table, with a column for every member that any of them has.
fn rows(page: &mut String, items: &[Value], languages: &[String]) {
    let mut names: Vec<&str> = Vec::new();
    for name in items.iter().filter_map(Value::as_object).flat_map(Map::keys) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    page.push_str("<div class=\"wide\" tabindex=\"0\">\n<table>\n<thead><tr>");
    for name in &names {
        let _ = write!(page, "<th scope=\"col\" lang=\"en\">{}</th>", label(name));
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for item in items {
        page.push_str("<tr>");
        for name in &names {
            let _ = write!(page, "<td{}>", lang(name, languages));
            any(page, item.get(name).unwrap_or(&Value::String(String::new())), languages);
            page.push_str("</td>");
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></div>\n");
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => escape(text),
        other => escape(&other.to_string()),
    }
}

/// `registration_no` as `Registration number`, `name_en` as `Name (English)`.
fn label(name: &str) -> String {
    let name = name.to_lowercase();
    let word = |word: &str| match word {
        "org" => "organisation".to_owned(),
        "no" => "number".to_owned(),
        "en" => "(English)".to_owned(),
        "ja" => "(Japanese)".to_owned(),
        "local" => "(local language)".to_owned(),
        other => other.to_owned(),
    };
    let words: Vec<String> = name.split('_').map(word).collect();
    let words = words.join(" ");
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    escape(&(first + letters.as_str()))
}

/// The attribute for a text whose member's name says its language: for `name_local` it is the notice's that is neither English nor Japanese.
fn lang(name: &str, languages: &[String]) -> String {
    let of = match name.rsplit('_').next() {
        Some("en") => Some("en"),
        Some("ja") => Some("ja"),
        Some("local") => languages.iter().map(String::as_str).find(|language| !["en", "ja"].contains(language)),
        _ => None,
    };
    of.map(|language| format!(" lang=\"{}\"", escape(language))).unwrap_or_default()
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_notice_says_is_text_and_never_markup() {
        let entry = RegisterEntry {
            notice_id: "KG-1".into(),
            kind: "SENDING_ORG_LIST".into(),
            languages: vec!["ky\" onload=\"x".into()],
            ..RegisterEntry::default()
        };
        let published = json!({"name": "<script>alert('x')</script> & \"Co\"", "entries": [{"a": 1}, {"b": "<b>"}]});
        let mut page = String::new();
        article(&mut page, &entry, "presentations/x.txt", &published);
        assert!(!page.contains("<script") && !page.contains("<b>") && !page.contains("onload=\"x"), "{page}");
        assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;Co&quot;"));
        assert!(page.contains("<td>1</td><td></td>") && page.contains("<td></td><td>&lt;b&gt;</td>"));
    }

    #[test]
    fn each_text_is_marked_with_its_language() {
        let entry = RegisterEntry { languages: vec!["en".into(), "ky".into()], ..RegisterEntry::default() };
        let org = json!({"org": {"name_en": "A Bridge", "name_local": "Көпүрө", "address_ja": "東京", "registration_no": "1"}});
        let mut page = String::new();
        article(&mut page, &entry, "presentations/x.txt", &org);
        for shown in [
            "<div lang=\"en\">",
            ">Organisation</dt>",
            ">Name (English)</dt><dd lang=\"en\">A Bridge<",
            ">Name (local language)</dt><dd lang=\"ky\">Көпүрө<",
            "<dd lang=\"ja\">東京<",
            ">Registration number</dt><dd>1<",
        ] {
            assert!(page.contains(shown), "{shown}: {page}");
        }
    }
}
