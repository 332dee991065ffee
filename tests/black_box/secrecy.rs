//! Nothing that a notice says is in a file or in a trace.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use memchr::memmem;
use serde_json::Value;

use crate::node::{Node, files, pair, read, until};
use crate::notices::{ALL, from_office, travel};

/// Shorter strings are in every file by chance.
const LENGTH_MIN: usize = 8;

const ENUMERATIONS: [&str; 20] = [
    "APPROVED",
    "SUSPENDED",
    "REVOKED",
    "SUBSTANTIATED",
    "PARTLY_SUBSTANTIATED",
    "NOT_SUBSTANTIATED",
    "FULL",
    "PARTIAL",
    "NONE",
    "GOVERNMENT_BODY",
    "PUBLIC",
    "ORGANISATION",
    "COURT",
    "PERSON",
    "INVESTIGATED_ORGANISATION",
    "EMBASSY",
    "THIRD_PARTY",
    "MEDIA",
    "CONFIDENTIAL",
    "PUBLISH_BY_BOTH",
];

const JAPAN: &str = "JP-MOJ-ISA-RMD";
const PARTNERS: [(&str, &str); 3] = [
    ("JP-KG-SSW-2023", "KG-MLSSM-CECA"),
    ("JP-TJ-SSW-2024", "TJ-MLMEP-MS-DLPSA"),
    ("JP-UZ-TITP-2019", "UZ-CONTACT-UNVERIFIED"),
];

#[test]
fn no_string_of_any_notice_is_in_any_file_or_trace_and_a_planted_one_is_found() {
    let mut japan = Node::init(JAPAN);
    japan.trace("trace");
    japan.make_approver();
    japan.start();
    let mut nodes = Vec::new();
    let (mut travelled, mut commenced) = (0, 0);
    for (memorandum, id) in PARTNERS {
        let mut partner = Node::init(id);
        partner.trace("trace");
        partner.start();
        japan.enrol(&partner).good();
        partner.enrol(&japan).good();
        if memorandum == "JP-TJ-SSW-2024" {
            japan.run(&["memorandum", "commence", memorandum, "--on", "2025-02-01"]).good();
            japan.until_delivered();
            commenced += 1;
        }
        travel(memorandum, &[&japan, &partner]);
        for (sender, receiver) in [(&partner, &japan), (&japan, &partner)] {
            for notice in sender.list("outbox").iter().filter(|notice| notice["counterpart"] == receiver.id.as_str()) {
                assert_eq!(notice["state"], "DELIVERED");
                let id = notice["message_id"].as_str().unwrap();
                // Content is in memory on both sides, once.
                for node in [sender, receiver] {
                    node.run(&["open", id, "--purpose", "Purpose of a reader, in words"]).good();
                    node.run(&["show", id]).good();
                }
                travelled += 1;
            }
            sender.run(&["receipts"]).good();
            sender.run(&["duties"]).good();
        }
        nodes.push(partner);
    }
    assert_eq!(travelled, ALL.lines().count() + commenced);
    disclose_something(&japan, &nodes[0]);
    disclose_to_others(&japan, &nodes[0], &nodes[1]);
    refuse_something(&mut japan, &mut nodes[0]);
    for node in nodes.iter().chain([&japan]) {
        node.run(&["audit", "export", node.dir.with_file_name("exported").to_str().unwrap()]).good();
    }
    japan.stop();
    nodes.iter_mut().for_each(Node::stop);
    nodes.push(japan);

    let mut strings = strings();
    strings.insert("Purpose of a reader, in words".to_owned());
    strings.insert("Words that only a refused notice has".to_owned());
    strings.extend(DISCLOSURE.map(str::to_owned));
    println!("{} strings are looked for", strings.len());
    assert!(strings.len() > 150);
    for node in &nodes {
        let found = search(node.dir.parent().unwrap(), &strings);
        assert!(found.is_empty(), "{} has content in clear: {found:?}", node.id);
        assert!(read(&node.log_file()).len() > 10_000, "the trace is not at trace level");
    }
    // The search finds what is there.
    let planted = strings.iter().find(|string| string.contains('"') || !string.is_ascii()).unwrap();
    let folder = nodes[0].dir.parent().unwrap();
    std::fs::write(nodes[0].dir.join("journal/planted"), format!("before{planted}after")).unwrap();
    assert_eq!(search(folder, &strings).len(), 1);
    std::fs::write(nodes[0].dir.join("journal/planted"), serde_json::to_string(planted).unwrap()).unwrap();
    assert_eq!(search(folder, &strings).len(), 1);
}

/// Words of disclosures: an audience, a purpose, reasons, conditions.
const DISCLOSURE: [&str; 7] = [
    "A Distinct Audience of this Test",
    "A distinct purpose of a disclosure",
    "A distinct condition of a grant",
    "A distinct reason of a withdrawal",
    "A distinct reason of a refusal",
    "A distinct legal basis",
    "A distinct reason to withhold",
];

/// Every command about consent, disclosure and publication, by those who may and those who may not.
fn disclose_something(japan: &Node, partner: &Node) {
    let [audience, purpose, condition, withdrawal, refusal, basis, withhold] = DISCLOSURE;
    let scope = ["KG-JP-2026-000007", "--to", audience, "--fields", "conduct", "--purpose", purpose];
    let number = |said: crate::node::Said| said.good().json()[0]["notice_id"].as_str().unwrap().to_owned();
    let settle = || {
        for node in [japan, partner] {
            node.approve_all();
            node.until_delivered();
        }
    };
    japan.run(&["audience", "enter", audience, "--class", "MEDIA"]).good();
    japan.second(&["audience", "confirm", audience, "--class", "MEDIA"]).good();
    japan.run(&["audience", "list"]).good();
    assert_eq!(japan.run(&[&["disclosure", "check"], scope.as_slice()].concat()).code, 1);
    assert_eq!(japan.run(&[&["disclose"], scope.as_slice()].concat()).code, 1);
    assert_eq!(partner.run(&[&["disclose"], scope.as_slice()].concat()).code, 1);
    assert_eq!(japan.run(&[&["disclosure", "notify"], scope.as_slice()].concat()).code, 1, "a wrong instrument");
    let asked = [&["--json", "consent", "request"], scope.as_slice()].concat();
    let (first, second) = (number(japan.run(&asked)), number(japan.run(&asked)));
    settle();
    partner.run(&["consent", "refuse", &second, "--reason", refusal]).good();
    let grant = ["--json", "consent", "grant", &first, "--until", "2099-12-31", "--condition", condition];
    let grant = number(partner.run(&grant));
    partner.run(&["drafts"]).good();
    partner.second(&["open", &grant, "--purpose", purpose]).good();
    settle();
    let under = ["disclose", "KG-JP-2026-000007", "--under", &grant];
    let shown = japan.run(&[&["--json"], under.as_slice()].concat());
    let code = shown.json()[0]["conditions_code"].as_str().unwrap().to_owned();
    let disclosed = japan.run(&[under.as_slice(), &["--accept-conditions", &code]].concat()).good();
    assert!(disclosed.out.contains("BEGIN VERBALE PRESENTATION"));
    partner.run(&["consent", "withdraw", &grant, "--reason", withdrawal]).good();
    settle();
    japan.run(&["consent", "list", "--waiting"]).good();
    // A document, which stays where it is.
    let folder = tempfile::tempdir().unwrap();
    let document = folder.path().join("order");
    std::fs::write(&document, "an order").unwrap();
    let document = document.to_str().unwrap();
    let record = ["ground", "record", document, "--of", scope[0], "--kind", "legal-compulsion", "--basis", basis];
    let recorded = japan.run(&[&["--json"], record.as_slice(), &scope[1..], &["--withhold", withhold]].concat()).good();
    let ground = recorded.json()[0]["ground_id"].as_str().unwrap().to_owned();
    japan.run(&["ground", "confirm", &ground, document]);
    japan.second(&["ground", "confirm", &ground, document]).good();
    japan.run(&["ground", "list"]).good();
    // The withdrawal binds from its moment on: before that on the grant, after it on the order.
    japan.run(&[&["disclose"], scope.as_slice(), &["--accept-conditions", &code]].concat()).good();
    japan.run(&["ground", "end", &ground]).good();
    japan.run(&["disclosures"]).good();
    // Carried on to whom it does not name: refused, and what is refused is kept nowhere.
    let mut onward: Value = serde_json::from_str(&crate::notices::general(true, "JP-ONWARD", "text")).unwrap();
    onward["onward"] = serde_json::json!([disclosed.out]);
    assert_eq!(japan.submit(&onward.to_string()).json()[0]["code"], "ONWARD_AUDIENCE");
    japan.run(&["breach", "list"]).good();
    partner.run(&["disclosures", "--of", scope[0], "--ask"]).good();
    // What is public goes to a folder of its own.
    japan.run(&["publish", "KG-JP-2026-000003"]).good();
    let register = tempfile::tempdir().unwrap();
    japan.run(&["register", "export", register.path().to_str().unwrap()]).good();
    japan.run(&["register", "organisations"]).good();
    settle();
}

/// Notice instead of consent, and what goes on to another country: refused, reported, and accepted.
fn disclose_to_others(japan: &Node, kyrgyz: &Node, tajik: &Node) {
    let [audience, purpose, ..] = DISCLOSURE;
    let outside = tempfile::tempdir().unwrap();
    let file = |name: &str| outside.path().join(name).to_str().unwrap().to_owned();
    let settle = || {
        for node in [japan, kyrgyz, tajik] {
            node.approve_all();
            node.until_delivered();
        }
    };
    let number = |said: crate::node::Said| said.good().json()[0]["notice_id"].as_str().unwrap().to_owned();
    tajik.run(&["audience", "enter", audience, "--class", "MEDIA"]).good();
    tajik.second(&["audience", "confirm", audience, "--class", "MEDIA"]).good();
    let scope = ["JP-TJ-2026-000005", "--to", audience, "--fields", "conduct", "--purpose", purpose];
    let given = number(tajik.run(&[&["--json", "disclosure", "notify"], scope.as_slice()].concat()));
    settle();
    let notified = file("notified");
    until("its moment has come", || {
        tajik.second(&["disclose", scope[0], "--under", &given, "--out", &notified]).code == 0
    });
    let cards = [japan, tajik, kyrgyz].map(|node| node.dir.join("card.txt").to_str().unwrap().to_owned());
    let audit = |what: &str, name: &str, cards: [&str; 2]| {
        japan.run(&["audit", what, name, "--card", cards[0], "--card", cards[1]]).good();
    };
    audit("presentation", &notified, [&cards[0], &cards[1]]);
    tajik.run(&["audience", "end", audience]).good();
    assert_eq!(tajik.second(&["disclose", scope[0], "--under", &given]).code, 1);
    let account = file("account");
    japan.run(&["disclosures", "--of", scope[0], "--ask", "--out", &account]).good();
    japan.run(&["audit", "account", &account, "--card", &cards[1]]).good();
    // A Kyrgyz notice goes on to the Tajik node, which has not enrolled its originator, and then has.
    let scope = ["KG-JP-2026-000007", "--to", "TJ-MLMEP", "--fields", "conduct", "--purpose", purpose];
    let ask = [&["--json", "consent", "request"], scope.as_slice(), &["--until", "2099-12-31"]].concat();
    let asked = number(japan.run(&ask));
    settle();
    let grant = number(kyrgyz.run(&["--json", "consent", "grant", &asked]));
    settle();
    let onward = file("onward");
    japan.run(&["disclose", scope[0], "--under", &grant, "--out", &onward]).good();
    let mut carrying: Value = serde_json::from_str(&crate::notices::general(true, "JP-C1", "text")).unwrap();
    (carrying["memorandum"], carrying["to"]) =
        ("JP-TJ-SSW-2024".into(), serde_json::json!({"party": "TJ", "office": tajik.id}));
    carrying["onward"] = serde_json::json!([std::fs::read_to_string(&onward).unwrap()]);
    japan.submit(&carrying.to_string()).good();
    settle();
    let breach = tajik.run(&["--json", "breach", "list"]).good().json().remove(0);
    tajik.run(&["breach", "report", breach["breach_id"].as_str().unwrap(), "--out", &file("report")]).good();
    tajik.enrol(kyrgyz).good();
    carrying["notice_id"] = "JP-C2".into();
    japan.submit(&carrying.to_string()).good();
    settle();
    assert_eq!(japan.list("outbox").last().unwrap()["state"], "DELIVERED");
    tajik.run(&["open", "JP-C2", "--purpose", purpose]).good();
}

/// Refusals, on both sides: a used number with other words, a notice without form, terms that differ.
fn refuse_something(japan: &mut Node, partner: &mut Node) {
    let line = from_office("JP-KG-SSW-2023", JAPAN).remove(0);
    let mut notice: Value = serde_json::from_str(&line).unwrap();
    notice["body"]["required_measures"] = serde_json::json!(["Words that only a refused notice has"]);
    let said = japan.submit(&notice.to_string());
    assert_eq!(said.json()[0]["code"], "ID_REUSE", "{}", said.out);
    notice["notice_id"] = "JP-KG-2026-777777".into();
    notice["body"]["ordered_on"] = "2026-02-30".into();
    let said = japan.submit(&notice.to_string());
    assert_eq!(said.json()[0]["code"], "IMPOSSIBLE_DATE", "{}", said.out);
    partner.stop();
    let path = partner.dir.join("memoranda/JP-KG-SSW-2023.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("basis = \"consent\"", "basis = \"notice\"")).unwrap();
    partner.start();
    notice["body"]["ordered_on"] = "2026-02-20".into();
    let said = japan.submit(&notice.to_string()).good();
    let id = said.json()[0]["message_id"].as_str().unwrap().to_owned();
    japan.until_delivered();
    let shown = japan.run(&["--json", "show", &id]).good().json().remove(0);
    assert_eq!(shown["notice"]["code"], "MEMORANDUM_MISMATCH");
}

/// Every string of 8 characters and more in `body` and `restricted`, without dates, times, enumeration values, field paths.
fn strings() -> BTreeSet<String> {
    let mut strings = BTreeSet::new();
    for line in ALL.lines() {
        let notice: Value = serde_json::from_str(line).unwrap();
        let mut paths = BTreeSet::new();
        let publishable = notice["publishable_fields"].as_array().into_iter().flatten();
        paths.extend(publishable.filter_map(Value::as_str).map(str::to_owned));
        paths.extend(
            notice["body"]["fields"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned),
        );
        for part in ["body", "restricted"] {
            gather(&notice[part], &paths, &mut strings);
        }
    }
    strings
}

fn gather(value: &Value, paths: &BTreeSet<String>, strings: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            let date = text.len() >= 10
                && text.as_bytes()[..10]
                    .iter()
                    .enumerate()
                    .all(|(i, b)| if matches!(i, 4 | 7) { *b == b'-' } else { b.is_ascii_digit() });
            let left_out = date || ENUMERATIONS.contains(&text.as_str()) || paths.contains(text);
            if text.chars().count() >= LENGTH_MIN && !left_out {
                strings.insert(text.clone());
            }
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, paths, strings)),
        Value::Object(members) => members.values().for_each(|member| gather(member, paths, strings)),
        _ => {}
    }
}

/// Files that hold one of the strings, raw or as JSON writes it.
fn search(dir: &Path, strings: &BTreeSet<String>) -> BTreeSet<(String, String)> {
    let ascii = |text: &str| -> String {
        let unit = |unit: u16| match u8::try_from(unit) {
            Ok(byte @ 32..127) => char::from(byte).to_string(),
            _ => format!("\\u{unit:04x}"),
        };
        text.encode_utf16().map(unit).collect()
    };
    let forms: Vec<(Vec<String>, &String)> = strings
        .iter()
        .map(|text| {
            let escaped = serde_json::to_string(text).unwrap();
            (vec![text.clone(), escaped[1..escaped.len() - 1].to_owned(), ascii(text)], text)
        })
        .collect();
    let mut found = BTreeSet::new();
    for path in files(dir) {
        let bytes = read(&path);
        for (forms, text) in &forms {
            if forms.iter().any(|form| memmem::find(&bytes, form.as_bytes()).is_some()) {
                found.insert((path.display().to_string(), (*text).clone()));
            }
        }
    }
    found
}

#[test]
fn no_process_that_holds_content_leaves_a_core_dump() {
    let (japan, _partner) = pair();
    // It waits for more of its input, with what it has sent in memory.
    let mut command = Command::new(crate::node::VERBALE);
    command.arg("--dir").arg(&japan.dir).args(["--json", "submit", "-"]);
    let mut submitting = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = submitting.stdin.take().unwrap();
    writeln!(input, "{}", crate::notices::general(true, "JP-1", "text").replace('\n', " ")).unwrap();
    let mut answer = String::new();
    BufReader::new(submitting.stdout.take().unwrap()).read_line(&mut answer).unwrap();
    assert!(answer.contains("JP-1"), "{answer}");
    for (pid, what) in [(japan.pid(), "the daemon"), (submitting.id(), "a command")] {
        let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let of_core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        let hard = of_core.split_whitespace().nth(5);
        assert_eq!((of_core.split_whitespace().nth(4), hard), (Some("0"), Some("0")), "{what}: {of_core}");
    }
    submitting.kill().unwrap();
    submitting.wait().unwrap();
}
