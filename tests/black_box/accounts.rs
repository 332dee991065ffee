//! Where did my notice go? The list at the holder, and the signed account for the originator.

use serde_json::Value;

use crate::disclosure::{Side, enter, three};
use crate::node::{Said, until, verbale};

fn disclosures(side: &Side, args: &[&str]) -> Vec<Value> {
    side.0.run(&[&["--json", "disclosures"], args].concat()).good().json()
}

fn events(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["event"].as_str().unwrap()).collect()
}

fn check(file: &std::path::Path, card: &str) -> Said {
    verbale(&["audit", "account", file.to_str().unwrap(), "--card", card, "--json"], None)
}

/// The account as its holder would sign it that hides its last release.
fn without_the_last(holder: &Side, text: &str) -> String {
    use prost::Message as _;
    let envelope = verbale_evidence::parse_accounts(text).unwrap().remove(0);
    let payload = verbale_proto::v1::Envelope::decode(envelope.as_slice()).unwrap().payload;
    let mut account = verbale_proto::v1::Account::decode(payload.as_slice()).unwrap();
    account.items.pop().unwrap();
    let key = verbale_keys::read_secret_text(&holder.0.dir.join("keys/envelope.pem")).unwrap();
    let key = verbale_keys::SecretKey::from_pem(&key).unwrap();
    verbale_evidence::account_text(&verbale_evidence::sign_account(&account, &key), "Forged.")
}

#[test]
fn the_originator_has_a_signed_account_of_every_release_and_of_openings_where_the_holder_says_so() {
    let [mut japan, kyrgyz, tajik] = three();
    let asked = |fields: &'static str| ["KG-A", "--to", "JP-NPA", "--fields", fields, "--purpose", "investigation"];
    // Nothing yet, and that is signed too.
    let file = kyrgyz.0.dir.parent().unwrap().join("none");
    kyrgyz.0.run(&["disclosures", "--of", "KG-A", "--ask", "--out", file.to_str().unwrap()]).good();
    let checked = check(&file, &japan.card()).good().json().remove(0);
    assert_eq!((&checked["items"], &checked["holder"]), (&Value::Array(vec![]), &"JP-MOJ-ISA-RMD".into()));
    japan.0.run(&["open", "KG-A", "--purpose", "a check"]).good();
    enter(&japan, "A Newspaper", "MEDIA");
    let to_newspaper = ["KG-A", "--to", "A Newspaper", "--fields", "exam", "--purpose", "an answer to the press"];
    assert_eq!(japan.refused(&to_newspaper), "CONSENT_MISSING");
    for (name, fields) in [("one", "exam"), ("two", "wrongdoing")] {
        japan.disclose(name, &asked(fields));
    }
    // The holder sees all of it, with words; the originator the releases, with the holder's signature.
    let own = disclosures(&japan, &["--of", "KG-A"]);
    assert_eq!(events(&own), ["OPENED", "DISCLOSURE_DENIED", "DISCLOSED", "DISCLOSED"]);
    assert_eq!((&own[0]["purpose"], &own[1]["audience_name"]), (&"a check".into(), &"A Newspaper".into()));
    assert_eq!(disclosures(&japan, &[]).len(), 4);
    let told = disclosures(&kyrgyz, &["--of", "KG-A", "--ask"]).remove(0);
    let items = told["items"].as_array().unwrap();
    assert_eq!((events(items), &told["with_openings"]), (vec!["DISCLOSED", "DISCLOSED"], &false.into()));
    assert_eq!((&items[0]["audience_name"], &items[1]["fields"][0]), (&"JP-NPA".into(), &"wrongdoing".into()));
    // Only who sent the notice asks, and only of what arrived.
    let said = japan.0.run(&["disclosures", "--of", "KG-A", "--ask"]);
    assert!(said.code == 1 && said.err.contains("NOT_DELIVERED"), "{}", said.err);
    let before = japan.0.dir.with_file_name("before").to_str().unwrap().to_owned();
    japan.0.run(&["audit", "export", &before]).good();
    // Where it is configured, openings and denials too; and nothing is lost in a restart.
    japan.0.stop();
    japan.0.configure(|text| text.replace("tell_openings = false", "tell_openings = true"));
    japan.0.start();
    let file = kyrgyz.0.dir.parent().unwrap().join("account");
    kyrgyz.0.run(&["disclosures", "--of", "KG-A", "--ask", "--out", file.to_str().unwrap()]).good();
    let checked = check(&file, &japan.card()).good().json().remove(0);
    assert_eq!(events(checked["items"].as_array().unwrap()), events(&own));
    let text = verbale(&["audit", "account", file.to_str().unwrap(), "--card", &japan.card()], None).good().out;
    assert!(text.starts_with("Sound.") && text.contains("wrongdoing to JP-NPA (GOVERNMENT_BODY)"), "{text}");
    // The whole log shows that nothing is left out at the end either; of an account that does it finds the entry.
    let export = japan.0.dir.with_file_name("export").to_str().unwrap().to_owned();
    japan.0.run(&["audit", "export", &export]).good();
    let with_log = |file: &std::path::Path| {
        verbale(&["audit", "account", file.to_str().unwrap(), "--card", &japan.card(), "--log", &export], None)
    };
    assert!(with_log(&file).good().out.contains("nothing else up to there"));
    // An export from before it does not go so far, and that is no fault.
    let said = verbale(&["audit", "account", file.to_str().unwrap(), "--card", &japan.card(), "--log", &before], None);
    assert!(said.code == 3 && said.err.contains("ask for one made now"), "{} {}", said.code, said.err);
    let shorter = file.with_file_name("shorter");
    std::fs::write(&shorter, without_the_last(&japan, &std::fs::read_to_string(&file).unwrap())).unwrap();
    check(&shorter, &japan.card()).good();
    let said = with_log(&shorter);
    let last = own[3]["log_index"].to_string();
    assert!(said.code == 4 && said.err.contains(&format!("entry {last} of the log")), "{} {}", said.code, said.err);
    assert_eq!(
        verbale(&["audit", "account", file.to_str().unwrap(), "--card", &japan.card(), "--log", "none"], None).code,
        3
    );
    // Another's card, another byte: it proves nothing.
    assert_eq!(check(&file, &tajik.card()).code, 4);
    let mut changed = std::fs::read_to_string(&file).unwrap();
    let at = changed.find("-----BEGIN").unwrap() + 200;
    let other = if changed.as_bytes()[at] == b'A' { "B" } else { "A" };
    changed.replace_range(at..=at, other);
    std::fs::write(&file, changed).unwrap();
    assert_eq!(check(&file, &japan.card()).code, 4);
    // A holder that is away says nothing, and that is told.
    japan.0.stop();
    let said = kyrgyz.0.run(&["disclosures", "--of", "KG-A", "--ask"]);
    assert!(said.code == 3 && said.err.contains("COUNTERPART_UNREACHABLE"), "{} {}", said.code, said.err);
}

#[test]
fn where_a_notice_went_is_told_after_its_content_was_erased_too() {
    let [mut japan, kyrgyz, _] = three();
    japan.disclose("one", &["KG-A", "--to", "JP-NPA", "--fields", "exam", "--purpose", "investigation"]);
    japan.0.run(&["open", "KG-A", "--purpose", "a check"]).good();
    japan.0.run(&["ack", "KG-A"]).good();
    let id = kyrgyz.0.list("outbox")[0]["message_id"].as_str().unwrap().to_owned();
    japan.0.run(&["erase", &id, "--reason", "its time is over"]).good();
    japan.0.second(&["erase", &id, "--confirm"]).good();
    let file = kyrgyz.0.dir.parent().unwrap().join("account");
    let told = |when: &str| {
        let asked = disclosures(&kyrgyz, &["--of", "KG-A", "--ask", "--out", file.to_str().unwrap()]).remove(0);
        let item = asked["items"][0].clone();
        let said = ["audience_name", "purpose", "code"].map(|name| item[name].as_str().unwrap_or_default().to_owned());
        assert_eq!(said, ["JP-NPA", "investigation", "NOT_THIRD_PARTY"], "{when}");
        assert_eq!((&item["fields"][0], &item["erased"]), (&"exam".into(), &false.into()), "{when}");
        std::fs::remove_file(&file).unwrap();
    };
    told("after the erasure");
    // What was read of it, and why, went with it.
    let own = disclosures(&japan, &["--of", &id]);
    assert_eq!(events(&own), ["DISCLOSED", "OPENED", "HANDED_OVER"]);
    assert_eq!((&own[0]["purpose"], &own[1]["purpose"]), (&"investigation".into(), &Value::Null));
    japan.0.stop();
    japan.0.start();
    told("after a restart");
    japan.0.stop();
    japan.0.run(&["recover", "--confirm"]).good();
    japan.0.start();
    until("the counterpart took the next log", || {
        kyrgyz.0.run(&["disclosures", "--of", "KG-A", "--ask", "--out", file.to_str().unwrap()]).code == 0
    });
    std::fs::remove_file(&file).unwrap();
    told("after a recovery");
}
