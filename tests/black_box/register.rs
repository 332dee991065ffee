//! The public register: publication, correction, revocation, and the static site.

use serde_json::{Value, json};

use crate::node::{Node, pair, until, verbale};
use crate::notices::under;

fn submit(node: &Node, number: &str) {
    let line = under("JP-KG-SSW-2023").into_iter().find(|(_, line)| line.contains(&format!("\"{number}\"")));
    node.submit(&line.unwrap().1).good();
    node.until_delivered();
}

/// The Kyrgyz side says that a notice of it takes the place of another.
fn correct(partner: &Node, number: &str, by: &str) {
    let correction = json!({
        "notice_id": format!("{number}-S03"), "memorandum": "JP-KG-SSW-2023", "flow": "S03", "kind": "CORRECTION", "clause": "7(2)",
        "from": {"party": "KG", "office": "KG-MLSSM-CECA"}, "to": {"party": "JP", "office": "JP-MOJ-ISA-RMD"},
        "issued_at": "2026-02-11T10:00:00+06:00", "correlates_to": number, "classification": "CONFIDENTIAL",
        "receiver_obligation": "NONE", "languages": ["en"],
        "body": {"about_notice": number, "corrected_notice": by, "reason": "a slip"},
    });
    partner.submit(&correction.to_string()).good();
    partner.until_delivered();
}

fn publish(node: &Node, number: &str) -> Value {
    let said = node.run(&["--json", "publish", number]);
    node.until_delivered();
    let judged = said.json().remove(0);
    assert_eq!(said.code == 0, judged["decision"] == "ALLOW", "{judged}");
    judged
}

fn export(node: &Node) -> Vec<Value> {
    let dir = node.dir.parent().unwrap().join("register");
    node.run(&["register", "export", dir.to_str().unwrap()]).good();
    let lines = std::fs::read_to_string(dir.join("register.jsonl")).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What a stranger says of an entry's presentation.
fn check(node: &Node, entry: &Value, cards: &[&Node]) -> Value {
    let file = node.dir.parent().unwrap().join("register").join(entry["presentation"].as_str().unwrap());
    let cards: Vec<String> = cards.iter().map(|of| of.dir.join("card.txt").to_str().unwrap().to_owned()).collect();
    let mut args = vec!["audit", "presentation", file.to_str().unwrap(), "--json"];
    args.extend(cards.iter().flat_map(|card| ["--card", card.as_str()]));
    verbale(&args, None).good().json().remove(0)
}

/// A publication for which a notice has nothing is denied: with clause, remedy and entry.
fn nothing_to_publish(japan: &Node, number: &str) {
    let refused = japan.run(&["publish", number]);
    assert!(refused.code == 1 && refused.out.contains("NOTHING_PUBLISHABLE"), "{}{}", refused.out, refused.err);
    assert!(
        refused.out.contains("JP-KG-SSW-2023") && refused.out.contains("verbale consent request"),
        "{}",
        refused.out
    );
    let denied = japan.run(&["--json", "disclosures", "--of", number]).good().json();
    assert!(denied.iter().any(|item| item["code"] == "NOTHING_PUBLISHABLE"), "{denied:?}");
}

#[test]
fn what_must_be_public_is_published_confirmed_corrected_and_marked() {
    let (mut japan, partner) = pair();
    for number in ["KG-JP-2026-000001", "KG-JP-2026-000002", "KG-JP-2026-000003", "KG-JP-2026-000007"] {
        submit(&partner, number);
    }
    // What is confidential is not published, and what is not there is not found.
    nothing_to_publish(&japan, "KG-JP-2026-000007");
    assert_eq!(publish(&japan, "KG-JP-2026-000002")["code"], "PUBLICATION_DUTY");
    let entries = export(&japan);
    assert_eq!((entries.len(), &entries[0]["revoked"]), (1, &json!([])), "an unpublished revocation shows");
    // A revocation shows on the entry that lists its organisation, once it is published itself.
    let revoked = publish(&japan, "KG-JP-2026-000003");
    assert_eq!(revoked["clause"], "JP-KG-SSW-2023 6(2)");
    let entries = export(&japan);
    let mark = json!([{"number": "KGSO-F-0017", "from": "2026-04-20", "by": "KG-JP-2026-000003"}]);
    assert_eq!(entries[0]["revoked"], mark);
    // It still does when a later list has it no more.
    let line = under("JP-KG-SSW-2023").into_iter().find(|(_, line)| line.contains("\"KG-JP-2026-000002\"")).unwrap().1;
    let mut later: Value = serde_json::from_str(&line).unwrap();
    (later["notice_id"], later["issued_at"]) = ("KG-LATER".into(), "2026-05-01T09:00:00+06:00".into());
    later["body"]["as_of"] = "2026-05-01".into();
    let listed = later["body"]["entries"].as_array_mut().unwrap();
    listed.retain(|entry| entry["registration_no"] != "KGSO-F-0017");
    let count = listed.len();
    later["body"]["count"] = count.into();
    partner.submit(&later.to_string()).good();
    partner.until_delivered();
    assert_eq!(export(&japan)[0]["revoked"], mark);
    // Only what may be public is there, and a stranger can check that the ministry wrote it.
    let checked = check(&japan, &entries[1], &[&partner, &japan]);
    assert_eq!((&checked["code"], &checked["audience_class"]), (&"PUBLICATION_DUTY".into(), &"PUBLIC".into()));
    assert_eq!(checked["said"], entries[1]["published"]);
    let said = checked["said"].as_object().unwrap();
    assert!(
        said.contains_key("revoked_on") && !said.contains_key("reason_summary") && !said.contains_key("restricted")
    );
    // The confirmation reached the other side, and the duty is closed on both.
    let open = |node: &Node| {
        let duties = node.run(&["--json", "duties"]).good().json();
        duties
            .into_iter()
            .any(|d| d["duty"] == "publish" && d["owed_by"] == "JP" && d["notice_id"] == "KG-JP-2026-000003")
    };
    assert!(!open(&japan) && !open(&partner));
    assert!(
        partner
            .list("inbox")
            .iter()
            .any(|notice| notice["flow"] == "S02" && notice["correlates_to"] == "KG-JP-2026-000003")
    );
    // The originator publishes its own list too.
    assert_eq!(publish(&partner, "KG-JP-2026-000002")["code"], "OWN_INFORMATION");
    let own = export(&partner).remove(0);
    check(&partner, &own, &[&partner, &partner]);
    // A corrected notice takes the place of the first; that one is not published any more, and its history stays.
    publish(&japan, "KG-JP-2026-000001");
    let line = under("JP-KG-SSW-2023").into_iter().find(|(_, line)| line.contains("\"KG-JP-2026-000001\"")).unwrap().1;
    partner.submit(&line.replace("KG-JP-2026-000001", "KG-CORRECTED").replace("12/3", "12/4")).good();
    correct(&partner, "KG-JP-2026-000001", "KG-CORRECTED");
    for side in [&japan, &partner] {
        let denied = publish(side, "KG-JP-2026-000001");
        assert_eq!(denied["code"], "SUPERSEDED");
        assert!(denied["reason"].as_str().unwrap().contains("verbale publish KG-CORRECTED"), "{denied}");
    }
    // Once that is published on both sides, nobody owes the publication of the one before.
    let owed = |side: &Node| {
        let open = side.run(&["--json", "duties"]).good().json();
        open.iter().filter(|duty| duty["notice_id"] == "KG-JP-2026-000001").count()
    };
    assert_eq!((owed(&japan), owed(&partner)), (2, 2));
    publish(&japan, "KG-CORRECTED");
    publish(&partner, "KG-CORRECTED");
    until("both know it", || (owed(&japan), owed(&partner)) == (0, 0));
    japan.stop();
    japan.start();
    let entries = export(&japan);
    let of = |number: &str| entries.iter().find(|entry| entry["notice_id"] == number).unwrap();
    assert_eq!((entries.len(), &of("KG-JP-2026-000001")["replaced_by"]), (4, &"KG-CORRECTED".into()));
    assert_eq!(of("KG-CORRECTED")["replaced_by"], Value::Null);
    // The page loads nothing, and the site is the same bytes each time, after a restart too.
    let page = japan.dir.parent().unwrap().join("register/index.html");
    let before = std::fs::read_to_string(&page).unwrap();
    assert!(before.contains("12/4") && !before.contains("http://") && !before.contains("https://"));
    let presentation = page.with_file_name(entries[0]["presentation"].as_str().unwrap());
    let bytes = std::fs::read(&presentation).unwrap();
    export(&japan);
    assert_eq!((std::fs::read_to_string(&page).unwrap(), std::fs::read(&presentation).unwrap()), (before, bytes));
    crate::audit::sound(&japan, &partner);
}

#[test]
fn what_is_marked_stays_out_of_a_publication_and_a_release_to_everybody_by_consent_is_none() {
    let (japan, partner) = pair();
    let line = under("JP-KG-SSW-2023").into_iter().find(|(_, line)| line.contains("\"KG-JP-2026-000001\"")).unwrap().1;
    // Without a list of its own the memorandum's holds, apart from what is marked.
    let mut notice: Value = serde_json::from_str(&line).unwrap();
    notice.as_object_mut().unwrap().remove("publishable_fields");
    notice["restricted"] = json!({"org.address": true});
    partner.submit(&notice.to_string()).good();
    partner.until_delivered();
    assert_eq!(publish(&japan, "KG-JP-2026-000001")["code"], "PUBLICATION_DUTY");
    let entry = export(&japan).remove(0);
    let said = check(&japan, &entry, &[&partner, &japan])["said"].clone();
    assert!(said["org"]["name_en"].is_string() && said["org"]["address"].is_null(), "{said}");
    // What nobody could check is not published: the first field is marked, and there is no list.
    let mut unprovable = notice.clone();
    unprovable["notice_id"] = "KG-UNPROVABLE".into();
    unprovable["restricted"] = json!({"org.name_en": true});
    partner.submit(&unprovable.to_string()).good();
    partner.until_delivered();
    let said = japan.run(&["publish", "KG-UNPROVABLE"]);
    assert!(said.code == 1 && said.out.contains("correction (S03)"), "{}", said.out);
    // A list that leaves out the first field of the body is a list too.
    notice["notice_id"] = "KG-NARROW".into();
    notice["publishable_fields"] = json!(["approval_no"]);
    partner.submit(&notice.to_string()).good();
    partner.until_delivered();
    publish(&japan, "KG-NARROW");
    let entry = export(&japan).remove(1);
    assert_eq!(check(&japan, &entry, &[&partner, &japan])["said"].as_object().unwrap().len(), 1);
    // What a revocation did not publish shows on no other entry.
    submit(&partner, "KG-JP-2026-000002");
    let line = under("JP-KG-SSW-2023").into_iter().find(|(_, line)| line.contains("\"KG-JP-2026-000003\"")).unwrap().1;
    let mut revocation: Value = serde_json::from_str(&line).unwrap();
    for (number, fields, from) in
        [("KG-R1", json!(["org.name_en", "revoked_on"]), None), ("KG-R2", json!(["org.registration_no"]), Some(""))]
    {
        revocation["notice_id"] = number.into();
        revocation["publishable_fields"] = fields;
        partner.submit(&revocation.to_string()).good();
        partner.until_delivered();
        for published in ["KG-JP-2026-000002", number] {
            publish(&japan, published);
        }
        let entries = export(&japan);
        let list = entries.iter().rfind(|entry| entry["notice_id"] == "KG-JP-2026-000002").unwrap();
        let marks = from.map(|from| json!({"number": "KGSO-F-0017", "from": from, "by": number}));
        assert_eq!(list["revoked"], json!(marks.into_iter().collect::<Vec<_>>()), "{number}");
    }
    // Consent to tell everybody is for an approver to use; publishing rests on none.
    submit(&partner, "KG-JP-2026-000007");
    let scope = json!({
        "about_notice": "KG-JP-2026-000007", "fields": ["conduct"], "audience": {"class": "PUBLIC", "name": "public"},
        "purpose": "publication",
    });
    let notice = |from_japan: bool, number: &str, flow: &str, kind: &str, answers: &str, body: Value| {
        let mut notice: Value = serde_json::from_str(&crate::notices::general(from_japan, number, "text")).unwrap();
        (notice["flow"], notice["kind"], notice["correlates_to"]) = (flow.into(), kind.into(), answers.into());
        notice["body"] = body;
        notice.to_string()
    };
    let with = |name: &str, value: Value| {
        let mut body = scope.clone();
        body[name] = value;
        body
    };
    let asked = with("requested_validity", json!({"from": "2026-01-01"}));
    japan.submit(&notice(true, "JP-20", "F20", "CONSENT_REQUEST", "KG-JP-2026-000007", asked)).good();
    japan.until_delivered();
    let mut granted = with("validity", json!({"from": "2026-01-01", "to": "2099-12-31"}));
    granted["conditions"] = json!([]);
    partner.submit(&notice(false, "KG-21", "F21", "CONSENT_GRANT", "JP-20", granted)).good();
    partner.approve_all();
    partner.until_delivered();
    nothing_to_publish(&japan, "KG-JP-2026-000007");
    let file = japan.dir.with_file_name("released.txt").to_str().unwrap().to_owned();
    let under = japan.second(&["--json", "disclose", "KG-JP-2026-000007", "--under", "KG-21", "--out", &file]).good();
    assert_eq!(under.json()[0]["code"], "CONSENT_OK");
    // It was released, to whoever gets the presentation; the register has what the texts have published, and that alone.
    assert!(export(&japan).iter().all(|entry| entry["notice_id"] != "KG-JP-2026-000007"));
    let cards = [&partner, &japan].map(|of| of.dir.join("card.txt").to_str().unwrap().to_owned());
    let checked = ["audit", "presentation", &file, "--card", &cards[0], "--card", &cards[1], "--json"];
    assert_eq!(verbale(&checked, None).good().json()[0]["code"], "CONSENT_OK");
}

#[test]
fn an_erased_notice_leaves_the_register_and_the_others_stay() {
    let (japan, partner) = pair();
    let of_flow = |flow: &str| {
        let lines = under("JP-KG-SSW-2023").into_iter();
        let line =
            lines.map(|(_, line)| line).find(|line| serde_json::from_str::<Value>(line).unwrap()["flow"] == flow);
        serde_json::from_str::<Value>(&line.unwrap()).unwrap()["notice_id"].as_str().unwrap().to_owned()
    };
    let (order, list) = (of_flow("F05"), of_flow("F06"));
    for number in [&order, &list] {
        submit(&japan, number);
        publish(&partner, number);
        partner.run(&["ack", number]).good();
    }
    assert_eq!(export(&partner).len(), 2);
    partner.run(&["erase", &order, "--reason", "its time is over"]).good();
    partner.second(&["erase", &order, "--confirm"]).good();
    let left = export(&partner);
    assert_eq!((left.len(), left[0]["notice_id"].as_str()), (1, Some(list.as_str())));
    let told = partner.run(&["--json", "disclosures"]).good().json();
    assert_eq!(told.iter().filter(|told| told["event"] == "PUBLISHED").count(), 2, "the log forgot a publication");
    // What a later list may go on from stays.
    let kept = partner.run(&["erase", &list, "--reason", "its time is over"]);
    assert!(kept.code == 1 && kept.err.contains("STILL_NEEDED"), "{} {}", kept.code, kept.err);
}

#[test]
fn a_revocation_shows_on_the_approval_that_it_takes_back() {
    let (japan, partner) = pair();
    submit(&partner, "KG-JP-2026-000001");
    let line = under("JP-KG-SSW-2023").into_iter().find(|(_, line)| line.contains("\"KG-JP-2026-000003\"")).unwrap().1;
    let mut revocation: Value = serde_json::from_str(&line).unwrap();
    revocation["notice_id"] = "KG-R41".into();
    revocation["correlates_to"] = Value::Null;
    revocation["body"]["org"]["registration_no"] = "KGSO-F-0041".into();
    partner.submit(&revocation.to_string()).good();
    partner.until_delivered();
    publish(&japan, "KG-JP-2026-000001");
    publish(&japan, "KG-R41");
    let entries = export(&japan);
    assert_eq!(entries[0]["revoked"], json!([{"number": "KGSO-F-0041", "from": "2026-04-20", "by": "KG-R41"}]));
    assert_eq!(entries[1]["revoked"], json!([]), "it shows on itself");
    // What takes the place of the approval is as old as that: it is published with the mark.
    let approval =
        under("JP-KG-SSW-2023").into_iter().find(|(_, line)| line.contains("\"KG-JP-2026-000001\"")).unwrap().1;
    partner.submit(&approval.replace("KG-JP-2026-000001", "KG-A41")).good();
    correct(&partner, "KG-JP-2026-000001", "KG-A41");
    publish(&japan, "KG-A41");
    let marks = |number: &str| {
        let entries = export(&japan);
        entries.iter().find(|entry| entry["notice_id"] == number).unwrap()["revoked"].clone()
    };
    let by = |number: &str, from: &str| json!([{"number": "KGSO-F-0041", "from": from, "by": number}]);
    assert_eq!(marks("KG-A41"), by("KG-R41", "2026-04-20"));
    // What takes the place of a published revocation marks once it is published, and until then that one does.
    (revocation["notice_id"], revocation["body"]["effective_on"]) = ("KG-R42".into(), "2026-04-22".into());
    partner.submit(&revocation.to_string()).good();
    correct(&partner, "KG-R41", "KG-R42");
    assert_eq!(marks("KG-A41"), by("KG-R41", "2026-04-20"));
    publish(&japan, "KG-R42");
    assert_eq!(marks("KG-A41"), by("KG-R42", "2026-04-22"));
}
