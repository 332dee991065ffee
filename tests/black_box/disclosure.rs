//! Disclosure as its users meet it: three contact points, consent and notice, and a stranger who checks what leaves.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::node::{Node, Said, until, verbale};

const TAJIK: &str = "JP-TJ-SSW-2024";

/// A node with its second person, and what of it a stranger holds: its card.
pub(crate) struct Side(pub(crate) Node);

impl Side {
    pub(crate) fn card(&self) -> String {
        self.0.dir.join("card.txt").to_str().unwrap().to_owned()
    }

    /// Asks as the second person, who is an approver; the presentation goes to a file.
    pub(crate) fn disclose(&self, name: &str, args: &[&str]) -> (Value, PathBuf) {
        let file = self.0.dir.parent().unwrap().join(name);
        let all = [&["--json", "disclose"], args, &["--out", file.to_str().unwrap()]].concat();
        let said = self.0.second(&all);
        assert!(said.code < 2, "{}{}", said.out, said.err);
        let judged = said.json().remove(0);
        let code_of = |decision: &str| judged["decision"] == decision;
        assert!(if said.code == 0 { !code_of("DENY") } else { !code_of("ALLOW") }, "{judged}");
        assert_eq!(said.code == 0, file.exists(), "{judged}");
        (judged, file)
    }

    /// The code of a refused disclosure.
    pub(crate) fn refused(&self, args: &[&str]) -> String {
        let (judged, _) = self.disclose("refused", args);
        assert_eq!(judged["decision"], "DENY", "{judged}");
        judged["code"].as_str().unwrap().to_owned()
    }

    pub(crate) fn code(&self, args: &[&str]) -> String {
        let said = self.0.run(&[&["--json", "disclosure", "check"], args].concat());
        said.json()[0]["code"].as_str().unwrap().to_owned()
    }

    pub(crate) fn consent(&self, args: &[&str]) -> String {
        let said = self.0.run(&[&["--json", "consent"], args].concat()).good();
        self.0.approve_all();
        self.0.until_delivered();
        said.json()[0]["notice_id"].as_str().unwrap().to_owned()
    }
}

/// What a stranger says of a presentation.
pub(crate) fn check(file: &std::path::Path, cards: &[&Side]) -> Said {
    let cards: Vec<String> = cards.iter().flat_map(|side| ["--card".to_owned(), side.card()]).collect();
    let mut args = vec!["audit", "presentation", file.to_str().unwrap(), "--json"];
    args.extend(cards.iter().map(String::as_str));
    verbale(&args, None)
}

fn alert(number: &str) -> String {
    json!({
        "notice_id": number, "memorandum": "JP-KG-SSW-2023", "flow": "F15", "kind": "EXAM_FRAUD_ALERT", "clause": "5",
        "from": {"party": "KG", "office": "KG-MLSSM-CECA"}, "to": {"party": "JP", "office": "JP-MOJ-ISA-RMD"},
        "issued_at": "2026-02-03T10:15:00+06:00", "classification": "CONFIDENTIAL", "receiver_obligation": "NONE",
        "languages": ["en"], "body": {
            "exam": {"name": "An Exam", "organiser": "An Organiser", "delivery": "CBT", "date": "2026-01-20", "venue": "Osh"},
            "wrongdoing": "impersonation", "detected_by": "a proctor",
            "examinees": [{"name_latin": "INVENTED PERSON", "date_of_birth": "2000-01-01", "result_status": "void"}],
        },
    })
    .to_string()
}

fn misconduct(number: &str) -> String {
    json!({
        "notice_id": number, "memorandum": TAJIK, "flow": "F13", "kind": "INTERMEDIARY_MISCONDUCT", "clause": "4(1)",
        "from": {"party": "JP", "office": "JP-MOJ-ISA-RMD"}, "to": {"party": "TJ", "office": "TJ-MLMEP-MS-DLPSA"},
        "issued_at": "2026-02-03T10:15:00+09:00", "classification": "CONFIDENTIAL", "receiver_obligation": "NONE",
        "languages": ["en"], "body": {
            "category": "a", "intermediary": {"type": "broker", "name": "Invented Broker", "country": "TJ"},
            "conduct": "took deposits", "period": {"from": "2026-01-01"},
        },
    })
    .to_string()
}

pub(crate) fn three() -> [Side; 3] {
    let mut nodes = ["JP-MOJ-ISA-RMD", "KG-MLSSM-CECA", "TJ-MLMEP-MS-DLPSA"].map(Node::init);
    nodes[0].make_approver();
    for node in &mut nodes {
        node.start();
    }
    let [japan, kyrgyz, tajik] = nodes;
    for partner in [&kyrgyz, &tajik] {
        japan.enrol(partner).good();
        partner.enrol(&japan).good();
    }
    japan.run(&["memorandum", "commence", TAJIK, "--on", "2025-02-01"]).good();
    kyrgyz.submit(&alert("KG-A")).good();
    japan.submit(&misconduct("JP-M")).good();
    japan.until_delivered();
    kyrgyz.until_delivered();
    [japan, kyrgyz, tajik].map(Side)
}

#[test]
fn what_the_kyrgyz_side_wrote_leaves_with_its_consent_or_to_a_party_and_a_stranger_can_check_it() {
    let [japan, kyrgyz, tajik] = three();
    // The National Police Agency is a party: at once, and the whole.
    let (judged, file) =
        japan.disclose("npa", &["KG-A", "--to", "JP-NPA", "--fields", "*", "--purpose", "investigation"]);
    assert_eq!(judged["code"], "NOT_THIRD_PARTY");
    let checked = check(&file, &[&kyrgyz, &japan]).good().json().remove(0);
    assert_eq!((&checked["withheld"], &checked["audience_name"]), (&0.into(), &"JP-NPA".into()));
    // Nobody discloses to whom no two persons entered.
    let unknown = japan.0.second(&["disclose", "KG-A", "--to", "A Test Operator", "--fields", "*", "--purpose", "p"]);
    assert!(unknown.code == 1 && unknown.out.contains("UNKNOWN_AUDIENCE"), "{}{}", unknown.out, unknown.err);
    japan.0.run(&["audience", "enter", "A Test Operator", "--class", "ORGANISATION"]).good();
    let same = japan.0.run(&["audience", "confirm", "A Test Operator", "--class", "ORGANISATION"]);
    assert!(same.code == 1 && same.err.contains("FOUR_EYES"), "{}", same.err);
    japan.0.second(&["audience", "confirm", "A Test Operator", "--class", "ORGANISATION"]).good();
    // The operator is a third party: refused, until consent is asked and given.
    let to_operator = |fields: &'static str| {
        ["KG-A", "--to", "A Test Operator", "--fields", fields, "--purpose", "cancellation of scores"]
    };
    assert_eq!(japan.code(&to_operator("examinees")), "CONSENT_MISSING");
    assert_eq!(japan.refused(&to_operator("examinees")), "CONSENT_MISSING");
    // The denial says what to send.
    let said = japan.0.second(&[&["disclose"], to_operator("examinees").as_slice()].concat());
    let next = "Next: verbale consent request KG-A --to 'A Test Operator' --fields examinees --purpose 'cancellation of scores'";
    assert!(said.code == 1 && said.out.contains(next), "{}", said.out);
    let request = japan
        .consent(&[&["request"], to_operator("examinees,exam.name").as_slice(), &["--until", "2099-12-31"]].concat());
    assert_eq!(japan.refused(&to_operator("examinees")), "CONSENT_MISSING", "silence is no consent");
    let waiting = kyrgyz.0.run(&["--json", "consent", "list", "--waiting"]).good().json();
    assert_eq!(
        (&waiting[0]["request"], &waiting[0]["fields"]),
        (&request.as_str().into(), &json!(["exam.name", "examinees"]))
    );
    let names = |member: &str| waiting[0][member].as_array().unwrap().contains(&"person-2".into());
    assert!(names("can_draft") && names("can_approve"), "{waiting:?}");
    let people = kyrgyz.0.run(&["consent", "list", "--waiting"]).good().out;
    assert!(people.contains("can draft an answer") && people.contains("person-2"), "{people}");
    let grant = kyrgyz.consent(&["grant", &request, "--fields", "examinees", "--condition", "no onward disclosure"]);
    assert_eq!(japan.0.run(&["--json", "consent", "list"]).good().json()[0]["state"], "GRANTED");
    // Under the grant: its fields, its audience, its purpose.
    // Whoever discloses acknowledges the conditions first; before that nothing leaves.
    let held_back = japan.0.second(&["--json", "disclose", "KG-A", "--under", &grant]);
    let said = held_back.json().remove(0);
    assert_eq!((held_back.code, &said["conditions"][0]), (1, &"no onward disclosure".into()));
    assert!(said.get("presentation").is_none() && said.get("log_index").is_none(), "{said}");
    let code = said["conditions_code"].as_str().unwrap();
    let other = japan.0.second(&["--json", "disclose", "KG-A", "--under", &grant, "--accept-conditions", "00000000"]);
    assert_eq!((other.code, &other.json()[0]["conditions_code"]), (1, &code.into()), "conditions that were not shown");
    let (judged, file) = japan.disclose("granted", &["KG-A", "--under", &grant, "--accept-conditions", code]);
    assert_eq!(judged["code"], "CONSENT_OK");
    let checked = check(&file, &[&kyrgyz, &japan]).good().json().remove(0);
    assert_eq!(checked["said"]["examinees"][0]["name_latin"], "INVENTED PERSON");
    assert_eq!(checked["said"]["exam"], Value::Null);
    assert_eq!(
        (&checked["audience_name"], &checked["conditions"][0]),
        (&"A Test Operator".into(), &"no onward disclosure".into())
    );
    assert!(checked["withheld"].as_u64().unwrap() > 5 && checked["logged"]["size"].is_u64());
    // Without the discloser's card nobody knows for whom it was; under another's card nothing holds.
    assert_eq!(check(&file, &[&kyrgyz]).code, 3);
    assert_eq!(check(&file, &[&tajik, &japan]).code, 4);
    // Another field, another purpose, another audience: refused.
    assert_eq!(japan.refused(&to_operator("exam.name")), "CONSENT_FIELDS");
    let mut elsewhere = to_operator("examinees");
    elsewhere[6] = "research";
    assert_eq!(japan.refused(&elsewhere), "CONSENT_PURPOSE");
    // Another partner is a third party without a consent that names it.
    let to_tajik =
        ["KG-A", "--to", "TJ-MLMEP-MS-DLPSA", "--fields", "examinees", "--purpose", "cancellation of scores"];
    assert_eq!(japan.refused(&to_tajik), "CONSENT_AUDIENCE");
    let instrument = &check(&file, &[&kyrgyz, &japan]).good().json()[0]["instrument"];
    assert_eq!((&instrument["flow"], &instrument["notice_id"]), (&"F21".into(), &grant.as_str().into()));
    assert_eq!((&instrument["to"], &instrument["on_behalf_of"]), (&"2099-12-31".into(), &"KG-MLSSM".into()));
    let text = verbale(
        &["audit", "presentation", file.to_str().unwrap(), "--card", &kyrgyz.card(), "--card", &japan.card()],
        None,
    );
    assert!(text.good().out.contains(&format!("F21 {grant} of KG-MLSSM-CECA, on behalf of KG-MLSSM, from ")));
    // A withdrawal stops the next, and what was disclosed before stays proven, as of its time.
    kyrgyz.consent(&["withdraw", &grant, "--reason", "safety of a witness"]);
    until("the withdrawal binds", || japan.code(&["KG-A", "--under", &grant]) == "CONSENT_WITHDRAWN");
    assert_eq!(japan.refused(&["KG-A", "--under", &grant]), "CONSENT_WITHDRAWN");
    check(&file, &[&kyrgyz, &japan]).good();
    // What the log says of it: each release and each denial, with the person.
    let shown = japan.0.run(&["--json", "show", "KG-A"]).good().json().remove(0);
    let count = |event: &str| shown["history"].as_array().unwrap().iter().filter(|item| item["event"] == event).count();
    assert_eq!((count("DISCLOSED"), count("DISCLOSURE_DENIED")), (2, 8));
    crate::audit::sound(&japan.0, &kyrgyz.0);
}

#[test]
fn what_japan_wrote_leaves_the_tajik_side_after_notice_that_was_delivered() {
    let [japan, _kyrgyz, mut tajik] = three();
    tajik.0.run(&["audience", "enter", "TJ-MIA", "--class", "GOVERNMENT_BODY"]).good();
    tajik.0.second(&["audience", "confirm", "TJ-MIA", "--class", "GOVERNMENT_BODY"]).good();
    let asked = ["JP-M", "--to", "TJ-MIA", "--fields", "conduct", "--purpose", "criminal investigation"];
    assert_eq!(tajik.refused(&asked), "NOTICE_MISSING");
    let own = japan.0.second(&[
        "--json",
        "disclose",
        "JP-M",
        "--to",
        "KG-MLSSM-CECA",
        "--fields",
        "conduct",
        "--purpose",
        "p",
    ]);
    assert_eq!(own.good().json()[0]["code"], "OWN_INFORMATION");
    let said = tajik.0.run(&[&["--json", "disclosure", "notify"], asked.as_slice()].concat()).good();
    let number = said.json()[0]["notice_id"].as_str().unwrap().to_owned();
    assert_eq!(tajik.refused(&asked), "NOTICE_MISSING", "a draft is no notice");
    tajik.0.approve_all();
    tajik.0.until_delivered();
    until("its earliest moment has come", || tajik.code(&asked) == "NOTICE_OK");
    // It survives a restart.
    tajik.0.stop();
    tajik.0.start();
    let (judged, file) = tajik.disclose("notified", &["JP-M", "--under", &number]);
    assert_eq!((&judged["code"], &judged["clause"]), (&"NOTICE_OK".into(), &"JP-TJ-SSW-2024 3".into()));
    let checked = check(&file, &[&japan, &tajik]).good().json().remove(0);
    assert_eq!(checked["said"], json!({"conduct": "took deposits"}));
    // The discloser's notice is its own word: without its card it cannot be checked.
    assert_eq!(check(&file, &[&japan]).code, 3);
    assert_eq!(
        tajik.refused(&["JP-M", "--to", "TJ-MIA", "--fields", "category", "--purpose", "criminal investigation"]),
        "NOTICE_FIELDS"
    );
    // The other in Japan is four bodies: its grant says which of them concur, and a stranger reads that.
    let asked = ["JP-M", "--to", "TJ-MIA", "--fields", "category", "--purpose", "criminal investigation"];
    let request = tajik.consent(&[&["request"], asked.as_slice(), &["--until", "2099-12-31"]].concat());
    let none = japan.0.run(&["consent", "grant", &request, "--concurrence", "JP-MAFF"]);
    assert!(none.code == 1 && none.err.contains("JP-MOJ"), "{}", none.err);
    let grant = japan.consent(&["grant", &request, "--concurrence", "JP-MOJ,JP-NPA"]);
    for side in [&japan, &tajik] {
        let listed = side.0.run(&["--json", "consent", "list"]).good().json().remove(0);
        assert_eq!(listed["concurrence"], "JP-MOJ, JP-NPA");
    }
    let (_, file) = tajik.disclose("granted", &["JP-M", "--under", &grant]);
    let instrument = &check(&file, &[&japan, &tajik]).good().json()[0]["instrument"];
    assert_eq!(instrument["on_behalf_of"], "JP-MOJ, JP-NPA");
    crate::audit::sound(&tajik.0, &japan.0);
}

/// A notice between Japan and the Kyrgyz side.
pub(crate) fn between(
    from_japan: bool,
    number: &str,
    flow: &str,
    kind: &str,
    answers: Option<&str>,
    body: &Value,
) -> Value {
    let (japan, partner) =
        (json!({"party": "JP", "office": "JP-MOJ-ISA-RMD"}), json!({"party": "KG", "office": "KG-MLSSM-CECA"}));
    let (from, to) = if from_japan { (japan, partner) } else { (partner, japan) };
    json!({
        "notice_id": number, "memorandum": "JP-KG-SSW-2023", "flow": flow, "kind": kind, "clause": "7", "from": from, "to": to,
        "issued_at": "2026-02-03T10:15:00+06:00", "correlates_to": answers, "classification": "CONFIDENTIAL",
        "receiver_obligation": "NONE", "languages": ["en"], "body": body,
    })
}

pub(crate) fn send(side: &Side, notice: &Value) {
    side.0.submit(&notice.to_string()).good();
    side.0.approve_all();
    side.0.until_delivered();
}

pub(crate) fn enter(side: &Side, name: &str, class: &str) {
    side.0.run(&["audience", "enter", name, "--class", class]).good();
    side.0.second(&["audience", "confirm", name, "--class", class]).good();
}

/// Two persons record how they compared what is asked for: it repeats nothing of the other side's.
pub(crate) fn own_words(side: &Side, asked: &[&str]) {
    let document = side.0.dir.parent().unwrap().join("comparison.txt");
    std::fs::write(&document, "a comparison").unwrap();
    let (document, (id, scope)) = (document.to_str().unwrap(), asked.split_first().unwrap());
    let kind = ["--json", "ground", "record", document, "--kind", "own-words", "--basis", "a comparison", "--of", id];
    let recorded = side.0.run(&[kind.as_slice(), scope].concat()).good().json().remove(0);
    assert_eq!(side.refused(asked), "DERIVED_FROM_OTHER");
    side.0.second(&["ground", "confirm", recorded["ground_id"].as_str().unwrap(), document]).good();
}

#[test]
fn what_answers_the_other_side_is_own_information_only_in_own_words() {
    let [japan, kyrgyz, _tajik] = three();
    send(
        &japan,
        &between(
            true,
            "JP-11",
            "F11",
            "IMPROPER_ACTIVITY_REFERRAL",
            None,
            &json!({
                "org": {"registration_no": "KGSO-F-0017", "name_en": "Invented LLC"}, "suspected": ["deposits"], "facts": "in confidence",
                "observed_period": {"from": "2026-01-01", "to": "2026-01-02"}, "evidence": [],
            }),
        ),
    );
    let result = |number: &str| {
        let body = json!({
            "org": {"registration_no": "KGSO-F-0017", "name_en": "Invented LLC"}, "finding": "SUBSTANTIATED",
            "guidance_given": "repeats the facts", "measures": [], "investigated": {"from": "2026-01-03", "to": "2026-01-04"},
        });
        between(false, number, "F12", "INVESTIGATION_RESULT", Some("JP-11"), &body)
    };
    send(&kyrgyz, &result("KG-12"));
    // Its own list of what may be published says nothing about whose words they are.
    let mut listed = result("KG-13");
    listed["publishable_fields"] = json!(["guidance_given"]);
    send(&kyrgyz, &listed);
    let published = kyrgyz.0.run(&["--json", "publish", "KG-13"]);
    assert_eq!((published.code, &published.json()[0]["code"]), (1, &"DERIVED_FROM_OTHER".into()));
    enter(&kyrgyz, "A Newspaper", "MEDIA");
    let to_newspaper = ["KG-12", "--to", "A Newspaper", "--fields", "finding", "--purpose", "an answer to the press"];
    assert_eq!(kyrgyz.refused(&to_newspaper), "DERIVED_FROM_OTHER");
    // Not one person's word, and not for another field.
    own_words(&kyrgyz, &to_newspaper);
    let (judged, file) = kyrgyz.disclose("own", &to_newspaper);
    assert_eq!(judged["code"], "OWN_INFORMATION");
    let checked = check(&file, &[&kyrgyz]).good().json().remove(0);
    assert_eq!(checked["outside_log"]["kind"], "OWN_WORDS");
    let mut another = to_newspaper;
    another[4] = "guidance_given";
    assert_eq!(kyrgyz.refused(&another), "DERIVED_FROM_OTHER");
    // What answers nobody is its own, and what the other side wrote does not become it by any words.
    enter(&japan, "A Newspaper", "MEDIA");
    let own = ["JP-11", "--to", "A Newspaper", "--fields", "suspected", "--purpose", "an answer to the press"];
    assert_eq!(japan.disclose("referral", &own).0["code"], "OWN_INFORMATION");
    let refused = japan.0.run(&[
        "ground",
        "record",
        japan.card().as_str(),
        "--kind",
        "own-words",
        "--basis",
        "a comparison",
        "--of",
        "KG-12",
        "--to",
        "A Newspaper",
        "--fields",
        "finding",
        "--purpose",
        "an answer to the press",
    ]);
    assert!(refused.code == 1 && refused.err.contains("own notice"), "{}", refused.err);
    assert_eq!(japan.refused(&to_newspaper), "CONSENT_MISSING");
    // A purpose is a line, and a field is one of the kind.
    for (changed, code) in [("x".repeat(5000), "PURPOSE_MISSING"), ("two\nlines".to_owned(), "PURPOSE_MISSING")] {
        let said =
            japan.0.second(&["disclose", "JP-11", "--to", "A Newspaper", "--fields", "facts", "--purpose", &changed]);
        assert!(said.code == 1 && said.err.contains(code), "{}", said.err);
    }
    let said = japan.0.second(&["disclose", "JP-11", "--to", "A Newspaper", "--fields", "colour", "--purpose", "p"]);
    assert!(said.code == 1 && said.err.contains("UNKNOWN_FIELD"), "{}", said.err);
}

#[test]
fn what_its_originator_labels_confidential_or_marks_is_not_public() {
    let [japan, kyrgyz, _tajik] = three();
    let suspension = |number: &str, label: &str, marked: bool| {
        let body = json!({
            "field": "nursing care", "action": "suspended", "legal_ground": "a law", "effective_on": "2026-03-01",
            "not_affected": ["those who are here"],
        });
        let mut notice = between(true, number, "F26", "ACCEPTANCE_SUSPENSION", None, &body);
        notice["classification"] = label.into();
        if marked {
            notice["restricted"] = json!({"legal_ground": true});
        }
        send(&japan, &notice);
    };
    suspension("JP-OPEN", "PUBLIC", false);
    suspension("JP-MARKED", "PUBLIC", true);
    suspension("JP-CLOSED", "CONFIDENTIAL", false);
    // The field that would end the header is marked: nothing of it can be shown without that.
    let body = json!({
        "field": "nursing care", "action": "suspended", "legal_ground": "a law", "effective_on": "2026-03-01", "not_affected": [],
    });
    let mut first_marked = between(true, "JP-FIRST", "F26", "ACCEPTANCE_SUSPENSION", None, &body);
    first_marked["classification"] = "PUBLIC".into();
    first_marked["restricted"] = json!({"field": true});
    send(&japan, &first_marked);
    let mut narrow = between(true, "JP-NARROW", "F26", "ACCEPTANCE_SUSPENSION", None, &body);
    narrow["classification"] = "PUBLIC".into();
    narrow["publishable_fields"] = json!(["field", "action"]);
    send(&japan, &narrow);
    enter(&kyrgyz, "A Newspaper", "MEDIA");
    let ask = |number: &'static str, fields: &'static str| {
        [number, "--to", "A Newspaper", "--fields", fields, "--purpose", "an answer to the press"]
    };
    for (number, fields) in
        [("JP-OPEN", "*"), ("JP-OPEN", "action,not_affected"), ("JP-MARKED", "action"), ("JP-NARROW", "action")]
    {
        let (judged, file) = kyrgyz.disclose(&format!("{number}{}", fields.len()), &ask(number, fields));
        assert_eq!(judged["code"], "ALREADY_PUBLIC_BY_ORIGINATOR");
        check(&file, &[&japan, &kyrgyz]).good();
    }
    for (number, fields) in [
        ("JP-MARKED", "*"),
        ("JP-MARKED", "legal_ground"),
        ("JP-CLOSED", "action"),
        ("JP-FIRST", "action"),
        ("JP-NARROW", "legal_ground"),
    ] {
        assert_eq!(kyrgyz.refused(&ask(number, fields)), "CONSENT_MISSING", "{number} {fields}");
    }
}

#[test]
fn the_directory_keeps_no_name_that_was_never_confirmed_and_a_corrected_grant_opens_nothing() {
    let [japan, kyrgyz, _tajik] = three();
    // A name that was entered with the wrong class, and never confirmed, is entered again by somebody else.
    japan.0.run(&["audience", "enter", "An Operator", "--class", "PERSON"]).good();
    japan.0.second(&["audience", "enter", "An Operator", "--class", "ORGANISATION"]).good();
    let seen_before = japan.0.run(&["audience", "confirm", "An Operator", "--class", "PERSON"]);
    assert!(seen_before.code == 1 && seen_before.err.contains("another class"), "{}", seen_before.err);
    japan.0.run(&["audience", "confirm", "An Operator", "--class", "ORGANISATION"]).good();
    let listed = japan.0.run(&["--json", "audience", "list"]).good().json();
    assert_eq!((listed.len(), &listed[0]["class"]), (1, &"ORGANISATION".into()));
    for party in ["JP-NPA", "KG-MLSSM-CECA"] {
        let said = japan.0.run(&["audience", "enter", party, "--class", "ORGANISATION"]);
        assert!(said.code == 1 && said.err.contains("needs no entry"), "{}", said.err);
    }
    // A party of another memorandum is a third party of this one, and can be asked consent for; a card alone makes nobody a party.
    let whole = |to: &'static str| ["KG-A", "--to", to, "--fields", "*", "--purpose", "investigation"];
    assert_eq!(japan.code(&whole("TJ-MLMEP")), "CONSENT_MISSING");
    let invented = Node::init("JP-NPA-X");
    japan.0.enrol(&invented).good();
    let said = japan.0.second(&[&["disclose"], whole("JP-NPA-X").as_slice()].concat());
    assert!(said.code == 1 && said.out.contains("UNKNOWN_AUDIENCE"), "{}{}", said.out, said.err);
    let scope = ["KG-A", "--to", "An Operator", "--fields", "examinees,exam.name", "--purpose", "cancellation"];
    let request = japan.consent(&[&["request"], scope.as_slice(), &["--until", "2099-12-31"]].concat());
    let grant = kyrgyz.consent(&["grant", &request, "--fields", "examinees"]);
    assert_eq!(japan.code(&["KG-A", "--under", &grant]), "CONSENT_OK");
    // Who is something else in the directory now gets nothing, and that is denied and logged as any other.
    let directory = |class: &str| {
        japan.0.run(&["audience", "end", "An Operator"]).good();
        enter(&japan, "An Operator", class);
    };
    directory("MEDIA");
    let denied = japan.disclose("media", &["KG-A", "--under", &grant]).0;
    assert_eq!((&denied["code"], &denied["clause"]), (&"UNKNOWN_AUDIENCE".into(), &"JP-KG-SSW-2023 3".into()));
    assert!(denied["reason"].as_str().unwrap().contains("is MEDIA in the directory"), "{denied}");
    let told = japan.0.run(&["--json", "disclosures", "--of", "KG-A"]).good().json();
    assert_eq!(told.last().unwrap()["code"], "UNKNOWN_AUDIENCE");
    directory("ORGANISATION");
    let listed = || {
        let all = japan.0.run(&["--json", "consent", "list"]).good().json();
        all.iter().map(|of| (of["answer"].clone(), of["state"].clone())).collect::<Vec<_>>()
    };
    // What is granted is not refused beside that: the holder would go on, and the list would say no.
    let refusal = json!({"request": request, "reason": "on second thoughts"});
    let said = kyrgyz.0.submit(&between(false, "KG-22", "F22", "CONSENT_REFUSE", Some(&request), &refusal).to_string());
    assert_eq!((said.code, &said.json()[0]["code"]), (1, &"BAD_CORRELATION".into()), "{}", said.out);
    assert!(said.out.contains("withdrawal (F23)"), "{}", said.out);
    // Another grant for the same request stands beside the first, until a correction puts it in its place.
    let narrower = kyrgyz.consent(&["grant", &request, "--fields", "exam.name", "--condition", "c"]);
    let state = |number: &String, state: &str| (Value::from(number.as_str()), Value::from(state));
    assert_eq!(listed(), [state(&grant, "GRANTED"), state(&narrower, "GRANTED")]);
    let nothing = json!({"about_notice": grant, "corrected_notice": "KG-21-NEW", "reason": "it was too wide"});
    let said = kyrgyz.0.submit(&between(false, "KG-S02", "S03", "CORRECTION", Some(&grant), &nothing).to_string());
    assert_eq!(said.json()[0]["code"], "BAD_CORRELATION", "{}", said.out);
    let correction = json!({"about_notice": grant, "corrected_notice": narrower, "reason": "it was too wide"});
    send(&kyrgyz, &between(false, "KG-S03", "S03", "CORRECTION", Some(&grant), &correction));
    assert_eq!(japan.code(&["KG-A", "--under", &grant]), "CONSENT_FIELDS");
    assert_eq!(listed(), [state(&grant, "REPLACED"), state(&narrower, "GRANTED")]);
    // A withdrawal that is yet to bind says so, and the grant goes on until then.
    kyrgyz.consent(&["withdraw", &narrower, "--effective-at", "2099-01-01T00:00:00+06:00", "--reason", "an end"]);
    let table = japan.0.run(&["consent", "list"]).good().out;
    assert!(table.contains("GRANTED, withdrawn from 2098-12-31T18:00:00Z on, 1 condition"), "{table}");
}

#[test]
fn a_grant_passes_to_the_offices_that_take_over_on_both_sides() {
    let [mut japan, mut kyrgyz, _tajik] = three();
    enter(&japan, "An Operator", "ORGANISATION");
    let scope = ["KG-A", "--to", "An Operator", "--fields", "examinees", "--purpose", "cancellation"];
    let request = japan.consent(&[&["request"], scope.as_slice(), &["--until", "2099-12-31"]].concat());
    let grant = kyrgyz.consent(&["grant", &request]);
    for side in [&mut japan, &mut kyrgyz] {
        side.0.stop();
        let path = side.0.dir.join("memoranda/JP-KG-SSW-2023.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let moved = |side: &str, office: &str, node: &str| {
            format!(
                "\n[[contacts]]\nside = \"{side}\"\noffice = \"{office}\"\nname = \"N\"\nsince = \"2026-01-01\"\nnode = \"{node}\"\n"
            )
        };
        let both = moved("JP", "JP-MOJ-ISA-NEW", "JP-MOJ-ISA-RMD") + &moved("KG", "KG-MLSSM-NEW", "KG-MLSSM-CECA");
        std::fs::write(&path, text.replace("\n[reminders]", &format!("{both}\n[reminders]"))).unwrap();
        side.0.start();
    }
    let (judged, file) = japan.disclose("moved", &["KG-A", "--under", &grant]);
    assert_eq!(judged["code"], "CONSENT_OK");
    check(&file, &[&kyrgyz, &japan]).good();
    kyrgyz.consent(&["withdraw", &grant, "--reason", "it is over"]);
    until("the withdrawal binds", || japan.code(&["KG-A", "--under", &grant]) == "CONSENT_WITHDRAWN");
}

#[test]
fn a_grant_opens_nothing_before_its_first_and_after_its_last_day() {
    let [japan, kyrgyz, _tajik] = three();
    enter(&japan, "An Operator", "ORGANISATION");
    for (purpose, from, until, code) in [
        ("what is over", "2020-01-01", "2020-12-31", "CONSENT_EXPIRED"),
        ("what has not begun", "2098-01-01", "2098-12-31", "CONSENT_NOT_YET"),
    ] {
        let scope = ["KG-A", "--to", "An Operator", "--fields", "examinees", "--purpose", purpose];
        let request = japan.consent(&[&["request"], scope.as_slice(), &["--from", from, "--until", until]].concat());
        let grant = kyrgyz.consent(&["grant", &request]);
        assert_eq!(japan.refused(&["KG-A", "--under", &grant]), code);
    }
    let states = japan.0.run(&["--json", "consent", "list"]).good().json();
    let states: Vec<&Value> = states.iter().map(|consent| &consent["state"]).collect();
    assert_eq!(states, ["EXPIRED", "NOT_YET"]);
}

#[test]
fn a_purpose_of_several_lines_or_none_is_released_as_it_was_granted() {
    let [japan, kyrgyz, _] = three();
    enter(&japan, "An Operator", "ORGANISATION");
    for (at, purpose) in ["cancellation\nof scores", ""].into_iter().enumerate() {
        let scope = json!({
            "about_notice": "KG-A", "fields": ["wrongdoing"], "purpose": purpose,
            "audience": {"class": "ORGANISATION", "name": "An Operator"},
        });
        let with = |name: &str, value: Value| {
            let mut body = scope.clone();
            body[name] = value;
            body
        };
        let (request, grant) = (format!("JP-Q{at}"), format!("KG-G{at}"));
        let asked = with("requested_validity", json!({"from": "2026-01-01", "to": "2099-12-31"}));
        send(&japan, &between(true, &request, "F20", "CONSENT_REQUEST", Some("KG-A"), &asked));
        let mut granted = with("validity", json!({"from": "2026-01-01", "to": "2099-12-31"}));
        granted["conditions"] = json!([]);
        send(&kyrgyz, &between(false, &grant, "F21", "CONSENT_GRANT", Some(&request), &granted));
        let (judged, file) = japan.disclose(&format!("purpose{at}"), &["KG-A", "--under", &grant]);
        assert_eq!(judged["code"], "CONSENT_OK");
        let checked = check(&file, &[&kyrgyz, &japan]).good().json().remove(0);
        assert_eq!(checked["purpose"], purpose);
        let text = ["audit", "presentation", file.to_str().unwrap(), "--card", &kyrgyz.card(), "--card", &japan.card()];
        let text = verbale(&text, None).good().out;
        assert!(!text.contains("\nof scores"), "a purpose wrote a line of the report: {text}");
    }
    // What a person types is a line that says something.
    let typed = ["disclose", "KG-A", "--to", "An Operator", "--fields", "wrongdoing", "--purpose", " "];
    let said = japan.0.second(&typed);
    assert!(said.code == 1 && said.err.contains("PURPOSE_MISSING"), "{} {}", said.out, said.err);
}
