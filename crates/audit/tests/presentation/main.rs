//! Presentations that a discloser with all of its own keys could make: what holds, and each way in which one does not.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]
#![expect(clippy::struct_excessive_bools, clippy::needless_pass_by_value, reason = "a table of cases, written as JSON")]

mod case;
mod craft;

use serde_json::{Value, json};
use verbale_audit::check_presentation;
use verbale_domain::{Memoranda, Notice};
use verbale_evidence::presentation_text;
use verbale_ledger::leaf_hash;
use verbale_testkit::ContactPoint;

use crate::case::{
    Case, JP, KG, alert_body, body_of, consented, disclosure, notified, ordered, ordered_with, own_answer, published,
    referral, suspension, to_party,
};

fn consented_with(change: impl FnOnce(&mut Case)) -> Case {
    with(consented(), change)
}

#[test]
fn what_was_disclosed_lawfully_holds() {
    let consented = consented().check().unwrap();
    assert_eq!(consented["said"]["examinees"].as_array().unwrap().len(), 2);
    assert_eq!((&consented["conditions"], &consented["logged"]["index"]), (&json!(["a condition"]), &1.into()));
    assert_eq!(notified().check().unwrap()["code"], "NOTICE_OK");
    // The originator's clock may be ahead of the discloser's, by minutes at most.
    let ahead = with(notified(), |case| case.delivered_at = Some("2026-06-15T12:09:59Z"));
    assert_eq!(ahead.check().unwrap()["code"], "NOTICE_OK");
    assert_eq!(to_party().check().unwrap()["withheld"], 0);
    assert_eq!(published().check().unwrap()["said"], json!({"org": {"name_en": "N"}, "revoked_on": "2026-04-15"}));
    assert_eq!(referral().check().unwrap()["code"], "PREAUTHORISED_FIELD");
    assert_eq!(suspension().check().unwrap()["said"], json!({"field": "F", "action": "A"}));
    assert_eq!(own_answer().check().unwrap()["outside_log"]["kind"], "OWN_WORDS");
    let ordered = ordered().check().unwrap();
    assert_eq!(ordered["outside_log"]["document_sha256"], "06".repeat(32));
}

#[test]
fn a_purpose_of_several_lines_writes_one_of_the_report() {
    let purpose = "trial\n  withheld      nothing";
    let mut case = ordered_with(|ground| ground.purpose = purpose.into());
    case.disclosure.purpose = purpose.into();
    assert_eq!(case.check().unwrap()["purpose"], purpose);
    let report = case.report().unwrap();
    let of_purpose = |line: &&str| line.contains("trial") && line.contains(r"\n  withheld      nothing");
    assert_eq!(report.lines().filter(of_purpose).count(), 1, "{report}");
    assert!(!report.lines().any(|line| line.starts_with("  withheld      nothing")), "{report}");
}

/// A row: what is wrong, the case, and what the refusal must say.
type Row = (&'static str, Case, &'static str);

fn with(mut case: Case, change: impl FnOnce(&mut Case)) -> Case {
    change(&mut case);
    case
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_way_of_disclosing_more_than_the_ground_carries_is_found() {
    let rows: Vec<Row> = vec![
        ("an answer that may quote", with(own_answer(), |c| c.disclosure.recorded = None), "DERIVED_FROM_OTHER"),
        ("people decided without a document", with(ordered(), |c| c.disclosure.recorded = None), "CONSENT_MISSING"),
        ("a document for another audience", ordered_with(|g| g.audience_name = "Another".into()), "CONSENT_MISSING"),
        ("a document for another field", ordered_with(|g| g.fields = vec!["exam".into()]), "CONSENT_MISSING"),
        ("a document for another purpose", ordered_with(|g| g.purpose = "research".into()), "CONSENT_MISSING"),
        ("a document that was over", ordered_with(|g| g.valid_until_ms = g.confirmed_ms), "CONSENT_MISSING"),
        ("a document of another kind", ordered_with(|g| g.kind = "PUBLICATION_BASIS".into()), "CONSENT_MISSING"),
        ("a document of no kind", ordered_with(|g| g.kind = "RUMOUR".into()), "not understood"),
        ("a document without digest", ordered_with(|g| g.document_sha256.clear()), "not understood"),
        ("a basis that writes lines", ordered_with(|g| g.legal_basis.push('\n')), "not understood"),
        ("no basis in words", ordered_with(|g| g.legal_basis.clear()), "CONSENT_MISSING"),
        ("confirmed after the disclosure", ordered_with(|g| g.confirmed_ms = i64::MAX), "only after the disclosure"),
        ("never confirmed", ordered_with(|g| g.confirmed_ms = 0), "only after the disclosure"),
        (
            "a paper beside a grant",
            consented_with(|c| c.disclosure.recorded = ordered().disclosure.recorded),
            "at once",
        ),
        ("what was disclosed taken out again", consented_with(|c| c.presented = vec![]), "is missing (examinees)"),
        (
            "one row of it taken out again",
            consented_with(|c| c.change = |presentation| drop(presentation.notice.as_mut().unwrap().chunks.pop())),
            "is missing (examinees)",
        ),
        (
            "a statement beside those that the ground answers",
            consented_with(|c| c.change = |presentation| presentation.links.push(b"signed by nobody".to_vec())),
            "no ground answers",
        ),
        ("a field too many", consented_with(|c| c.presented.push("wrongdoing")), "the field wrongdoing is presented"),
        ("a member of the header too many", consented_with(|c| c.presented.push("header.from")), "header.from"),
        (
            "the disclosure names a field that the grant has not",
            consented_with(|c| {
                c.presented.push("wrongdoing");
                c.disclosure.fields.push("wrongdoing".into());
            }),
            "CONSENT_FIELDS",
        ),
        (
            "the whole under a grant for a part",
            consented_with(|c| {
                c.presented = vec!["*"];
                c.disclosure.fields = vec!["*".into()];
            }),
            "CONSENT_FIELDS",
        ),
        (
            "another audience",
            consented_with(|c| c.disclosure.audience_name = "Another Operator".into()),
            "CONSENT_AUDIENCE",
        ),
        (
            "another class of audience",
            consented_with(|c| c.disclosure.audience_class = "PERSON".into()),
            "CONSENT_AUDIENCE",
        ),
        ("no audience", consented_with(|c| c.disclosure.audience_name = String::new()), "no audience"),
        ("another purpose", consented_with(|c| c.disclosure.purpose = "research".into()), "CONSENT_PURPOSE"),
        (
            "after the last day at the originator's",
            consented_with(|c| c.at = "2026-06-30T18:00:00Z"),
            "CONSENT_EXPIRED",
        ),
        (
            "before the first day at the originator's",
            consented_with(|c| c.at = "2026-05-31T17:59:59Z"),
            "CONSENT_NOT_YET",
        ),
        (
            "another ground than the one that is there",
            consented_with(|c| c.disclosure.code = "NOTICE_OK".into()),
            "names the ground NOTICE_OK",
        ),
        ("no ground at all", consented_with(|c| c.ground = Value::Null), "CONSENT_MISSING"),
        (
            "a grant about another notice",
            consented_with(|c| c.ground["body"]["about_notice"] = "KG-OTHER".into()),
            "CONSENT_MISSING",
        ),
        (
            "a request that asked about another notice",
            consented_with(|c| c.answers_another = true),
            "about another notice",
        ),
        ("a grant to somebody else", consented_with(|c| c.request_of_another = true), "stands on no card"),
        (
            "a grant that the discloser wrote itself",
            consented_with(|c| c.ground_by_originator = false),
            "the originator",
        ),
        (
            "a grant without its validity",
            consented_with(|c| {
                c.change = |p| {
                    // The body's fifth member, in two leaves.
                    p.grounds[0].chunks.retain(|chunk| chunk.chunk.as_ref().unwrap().path.get(1) != Some(&5));
                }
            }),
            "has a part missing",
        ),
        (
            "a grant of which a condition is withheld",
            consented_with(|c| {
                c.change = |p| {
                    p.grounds[0].chunks.pop();
                }
            }),
            "has a part missing",
        ),
        (
            "the request is left out",
            consented_with(|c| c.change = |p| p.links.clear()),
            "request that the grant answers is missing",
        ),
        (
            "another request",
            consented_with(|c| c.change = |p| p.links[0] = p.grounds[0].envelope.clone()),
            "not the one that its answer names",
        ),
        (
            "a changed byte of the request's signature",
            consented_with(|c| c.change = |p| *p.links[0].last_mut().unwrap() ^= 1),
            "what the ground answers does not hold",
        ),
        (
            "a changed byte of a field",
            consented_with(|c| {
                c.change = |p| {
                    *p.notice.as_mut().unwrap().chunks[1].chunk.as_mut().unwrap().bytes.last_mut().unwrap() ^= 1;
                }
            }),
            "not what the originator signed",
        ),
        (
            "a field at another place",
            consented_with(|c| {
                c.change = |p| {
                    p.notice.as_mut().unwrap().chunks[1].index += 1;
                }
            }),
            "not",
        ),
        (
            "a field twice",
            consented_with(|c| {
                c.change = |p| {
                    let chunks = &mut p.notice.as_mut().unwrap().chunks;
                    chunks.push(chunks.last().unwrap().clone());
                }
            }),
            "has not its form",
        ),
        (
            "fewer leaves than there are",
            consented_with(|c| c.change = |p| p.notice.as_mut().unwrap().leaf_count -= 1),
            "another one",
        ),
        (
            "a changed byte of the notice's envelope",
            consented_with(|c| {
                c.change = |p| {
                    p.notice.as_mut().unwrap().envelope[20] ^= 1;
                }
            }),
            "originator's card does not vouch",
        ),
        ("a changed byte of the disclosure", consented_with(|c| c.change = |p| p.disclosure[20] ^= 1), ""),
        (
            "a changed byte of the log entry",
            consented_with(|c| c.change = |p| *p.entry.last_mut().unwrap() ^= 1),
            "log does not vouch",
        ),
        (
            "a grant that was written after the disclosure",
            consented_with(|c| c.ground_written = "2026-06-17T00:00:00Z"),
            "after the disclosure",
        ),
        (
            "a purpose of several lines that was not granted",
            consented_with(|c| c.disclosure.purpose = "cancellation\n  ground        CONSENT_OK".into()),
            "CONSENT_PURPOSE",
        ),
        ("no disclosure", consented_with(|c| c.change = |p| p.disclosure.clear()), "does not vouch"),
        ("the registry number is withheld", consented_with(|c| c.left_out.push("header.notice_id")), "registry number"),
        (
            "a notice where consent is needed",
            with(notified(), |c| {
                *c = Case { originator: ContactPoint::new(KG.1, 1), ..with(notified(), |_| ()) };
                c.notice = body_of("F15", "EXAM_FRAUD_ALERT", KG, JP, "JP-KG-SSW-2023", alert_body());
                c.ground["memorandum"] = "JP-KG-SSW-2023".into();
                c.ground["to"] = json!({"party": "KG", "office": KG.1});
                c.ground["body"]["about_notice"] = "KG-F15".into();
            }),
            "WRONG_INSTRUMENT",
        ),
        (
            "a notice without a receipt",
            with(notified(), |c| c.delivered_at = None),
            "receipt for the disclosure notice is missing",
        ),
        (
            "a notice that the originator refused",
            with(notified(), |c| c.ground_refused = true),
            "refused the disclosure notice",
        ),
        (
            "a notice that was delivered afterwards",
            with(notified(), |c| c.delivered_at = Some("2026-06-15T12:10:00Z")),
            "NOTICE_RETROACTIVE",
        ),
        (
            "before the earliest moment",
            with(notified(), |c| {
                c.delivered_at = Some("2026-06-01T00:00:00Z");
                c.at = "2026-06-09T00:00:00Z";
            }),
            "NOTICE_TOO_EARLY",
        ),
        ("a notice about another notice", with(notified(), |c| c.answers_another = true), "about another notice"),
        ("not a party", with(to_party(), |c| c.disclosure.audience_name = "JP-MAFF".into()), "CONSENT_MISSING"),
        (
            "more than the originator lets be published",
            with(published(), |c| {
                c.presented.push("effective_on");
                c.disclosure.fields.push("effective_on".into());
            }),
            "CONSENT_MISSING",
        ),
        (
            "the originator's list of what may be published is withheld",
            with(published(), |c| {
                c.presented = vec!["org.name_en", "effective_on"];
                c.disclosure.fields = vec!["org.name_en".into(), "effective_on".into()];
                c.left_out = vec!["header.publishable_fields"];
            }),
            "CONSENT_MISSING",
        ),
        (
            "published to somebody",
            with(published(), |c| c.disclosure.audience_class = "MEDIA".into()),
            "CONSENT_MISSING",
        ),
        (
            "a public notice whose label is withheld",
            with(suspension(), |c| c.left_out = vec!["header.classification"]),
            "CONSENT_MISSING",
        ),
        (
            "a public kind that its originator labels confidential",
            with(suspension(), |c| c.notice["classification"] = "CONFIDENTIAL".into()),
            "CONSENT_MISSING",
        ),
        (
            "a marked field of a public notice",
            with(suspension(), |c| {
                c.presented = vec!["legal_ground"];
                c.disclosure.fields = vec!["legal_ground".into()];
            }),
            "CONSENT_MISSING",
        ),
        (
            "a marked field of a public notice, and the mark is withheld",
            with(suspension(), |c| {
                c.presented = vec!["legal_ground"];
                c.disclosure.fields = vec!["legal_ground".into()];
                c.left_out = vec!["header.restricted_marks", "field"];
            }),
            "CONSENT_MISSING",
        ),
        (
            "a referral's field to another organisation",
            with(referral(), |c| c.disclosure.audience_name = "KGSO-F-0018".into()),
            "CONSENT_MISSING",
        ),
        (
            "the organisation that a referral is about is withheld",
            with(referral(), |c| c.left_out = vec!["org.registration_no"]),
            "CONSENT_MISSING",
        ),
        (
            "a field of a referral that was not released",
            with(referral(), |c| {
                c.presented.push("facts");
                c.disclosure.fields.push("facts".into());
            }),
            "CONSENT_MISSING",
        ),
    ];
    for (what, case, expected) in &rows {
        let said = case.check().err().unwrap_or_else(|| panic!("{what}: it was found sound"));
        let expected = expected.rsplit(':').next().unwrap();
        assert!(said.contains(expected), "{what}: {said}");
    }
    assert!(rows.len() >= 40, "{}", rows.len());
}

#[test]
fn nobody_is_sound_whose_word_was_not_checked() {
    let memoranda = Memoranda::parse(Memoranda::shipped().iter().copied()).unwrap();
    // Whoever got a presentation puts a disclosure of his own in the place of the first.
    let case = with(to_party(), |_| ());
    let text = presentation_text(&case.make(), "");
    let alone = check_presentation(&text, &case.originator.card.clone().into(), None, &memoranda).err().unwrap();
    assert!(alone.to_string().contains("second --card"), "{alone}");
    // What is the originator's own needs its card alone.
    let own = || ContactPoint::new(JP.1, 2);
    let mut case = Case { originator: own(), discloser: own(), ..referral() };
    case.disclosure = disclosure("OWN_INFORMATION", "MEDIA", "A newspaper", "a warning", &["facts"]);
    case.presented = vec!["facts"];
    let text = presentation_text(&case.make(), "");
    assert!(check_presentation(&text, &case.originator.card.clone().into(), None, &memoranda).is_ok());
    case.change = |p| p.disclosure[20] ^= 1;
    let text = presentation_text(&case.make(), "");
    assert!(check_presentation(&text, &case.originator.card.clone().into(), None, &memoranda).is_err());
}

#[test]
fn withheld_fields_cannot_be_found_or_guessed() {
    let text = presentation_text(&consented().make(), "");
    // Two in one file would pass for both.
    let behind = verbale_evidence::parse_presentation(&format!("{text}{text}")).err().unwrap();
    assert!(behind.to_string().contains("behind its last line"), "{behind}");
    let presentation = verbale_evidence::parse_presentation(&text).unwrap();
    let part = presentation.notice.unwrap();
    // Every withheld value is one that a stranger could think of; with the salts that are shown none gives a leaf of the tree.
    let salts: Vec<&[u8]> = part.chunks.iter().map(|chunk| chunk.salt.as_slice()).collect();
    assert!(salts.iter().enumerate().all(|(i, salt)| !salts[..i].contains(salt)), "a salt is used twice");
    let case = consented();
    let notice = Notice::from_json(case.notice.to_string().as_bytes()).unwrap_or_else(|refusal| panic!("{refusal}"));
    let siblings: Vec<&Vec<u8>> = part.chunks.iter().flat_map(|chunk| &chunk.proof).collect();
    for chunk in notice.chunks() {
        for salt in &salts {
            let lp = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
            let path: Vec<u8> = chunk.path.iter().flat_map(|step| step.to_be_bytes()).collect();
            let leaf = leaf_hash(&[lp(salt), lp(&path), lp(&chunk.bytes)].concat());
            let shown = part.chunks.iter().any(|shown| shown.salt == *salt && shown.chunk.as_ref() == Some(chunk));
            assert!(shown || !siblings.iter().any(|hash| hash.as_slice() == leaf), "a withheld field was guessed");
        }
    }
}
