//! The first thing that anybody runs.

use crate::node::verbale;

#[test]
fn the_demo_ends_well_and_keeps_its_folders_when_asked() {
    let dir = tempfile::Builder::new().prefix("vb").tempdir().unwrap();
    let kept = dir.path().join("demo");
    let said = verbale(&["demo", "--keep", kept.to_str().unwrap()], None).good();
    assert!(said.out.contains("60 receipts held by the senders, each verified"), "{}", said.out);
    for id in ["JP-MOJ-ISA-RMD", "KG-MLSSM-CECA", "TJ-MLMEP-MS-DLPSA", "UZ-CONTACT-UNVERIFIED"] {
        assert!(kept.join(id).join("journal").is_dir(), "{id}");
    }
    let again = verbale(&["demo", "--keep", kept.to_str().unwrap()], None);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("not empty"), "{}", again.err);
    let json = verbale(&["demo", "--json"], None).good().json();
    let outcome = json.last().unwrap();
    assert_eq!(outcome["receipts"], 60);
    // One refusal, one consent, one disclosure, one publication.
    let code = |event: &str| json.iter().find(|line| line["event"] == event).map(|line| line["code"].clone()).unwrap();
    let codes = ["refused", "disclosed", "published"].map(code);
    assert_eq!(codes, ["CONSENT_MISSING", "CONSENT_OK", "PUBLICATION_DUTY"]);
    assert!(json.iter().any(|line| line["event"] == "consent"));
    // Every kind of the two memoranda was there: their files name them. So was every one that only the training programme has.
    let of_training: Vec<String> = [1, 2, 3, 4, 5, 6, 7, 8, 10].map(|number| format!("T{number:02}")).into();
    let sent: std::collections::BTreeSet<&str> = json.iter().filter_map(|line| line["flow"].as_str()).collect();
    for file in ["JP-KG-SSW-2023.toml", "JP-TJ-SSW-2024.toml"] {
        let text = std::fs::read_to_string(kept.join("JP-MOJ-ISA-RMD/memoranda").join(file)).unwrap();
        let flows = text.lines().filter_map(|line| line.split_once(" = { from").map(|(flow, _)| flow));
        // The day of commencement is recorded by a command.
        for flow in flows.filter(|flow| *flow != "S05") {
            assert!(sent.contains(flow), "{flow} of {file} was not sent");
        }
    }
    assert!(of_training.iter().all(|flow| sent.contains(flow.as_str())), "{sent:?}");
    for duty in ["reply", "investigate", "comply", "answer-consent", "assist"] {
        assert_eq!(outcome["duties"][duty]["open"], 0, "{duty}");
        assert!(outcome["duties"][duty]["closed"].as_u64() > Some(0), "{duty}");
    }
}
