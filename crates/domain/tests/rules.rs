//! Every code of the rules, the years, and who is a party, without a node.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that changes JSON"
)]

use serde_json::{Value, json};
use verbale_domain::{Code, Memoranda, Notice, OfflineCheck, civil, clause_of_refusal};

const NOTICES: &str = include_str!("../../../tests/data/notices.jsonl");

fn memoranda() -> Memoranda {
    Memoranda::parse(Memoranda::shipped().iter().copied()).unwrap()
}

/// A notice of the data, to be changed.
fn notice(number: &str) -> Value {
    let of = |line: &&str| serde_json::from_str::<Value>(line).unwrap()["notice_id"] == number;
    serde_json::from_str(NOTICES.lines().find(of).unwrap()).unwrap()
}

/// A checker that knows all notices of the data.
fn knowing(memoranda: &Memoranda) -> OfflineCheck<'_> {
    let mut checker = OfflineCheck::new(memoranda);
    checker.commence("JP-TJ-SSW-2024", civil::day("2025-02-01").unwrap()).unwrap();
    for line in NOTICES.lines() {
        assert!(checker.check(line.as_bytes()).refusal.is_none());
    }
    checker
}

type Change = fn(&mut Value);

/// The notice that is changed under a new number, the code, and the change.
const ROWS: [(&str, Option<Code>, Change); 75] = [
    ("KG-JP-2026-000007", None, |_| ()),
    ("KG-JP-2026-000007", Some(Code::UnknownMemorandum), |n| n["memorandum"] = "JP-XX-2030".into()),
    ("TJ-JP-2026-000008", Some(Code::BeforeCommencement), |n| n["issued_at"] = "2025-01-31T23:59:59+05:00".into()),
    ("KG-JP-2026-000007", Some(Code::BeforeCommencement), |n| n["issued_at"] = "2023-07-05T10:00:00+06:00".into()),
    ("KG-JP-2026-000007", None, |n| n["issued_at"] = "2023-07-06T10:00:00+06:00".into()),
    // The day of issue is the one at the side that sends, whatever offset it writes.
    ("KG-JP-2026-000007", None, |n| n["issued_at"] = "2023-07-05T18:30:00Z".into()),
    ("KG-JP-2026-000007", Some(Code::BeforeCommencement), |n| n["issued_at"] = "2023-07-06T01:00:00+09:00".into()),
    ("KG-JP-2026-000007", Some(Code::BeforeCommencement), |n| n["issued_at"] = "2023-07-06T05:00:00+14:00".into()),
    ("KG-JP-2026-000007", Some(Code::NotAParty), |n| n["from"]["party"] = "TJ".into()),
    ("KG-JP-2026-000007", Some(Code::NotAParty), |n| n["to"]["office"] = "JP-NPA".into()),
    ("KG-JP-2026-000007", Some(Code::NotAParty), |n| n["from"]["office"] = "KG-MIA".into()),
    ("KG-JP-2026-000007", Some(Code::SenderNotContactPoint), |n| n["from"]["office"] = "KG-MLSSM".into()),
    // The police are a party under SSW, though no contact point, and no party under TITP.
    ("JP-KG-2026-000008", Some(Code::SenderNotContactPoint), |n| n["from"]["office"] = "JP-NPA".into()),
    ("JP-UZT-2026-000001", Some(Code::NotAParty), |n| n["from"]["office"] = "JP-NPA".into()),
    ("JP-KG-2026-000001", Some(Code::WrongDirection), swap),
    ("KG-JP-2026-000007", Some(Code::ClassTooLow), |n| n["classification"] = "PUBLIC".into()),
    ("KG-JP-2026-000003", None, |n| n["classification"] = "PUBLIC".into()),
    ("KG-JP-2026-000003", Some(Code::PublishSetLeaksRestricted), |n| {
        n["publishable_fields"] = json!(["org.name_en", "restricted.reason_detail"]);
    }),
    ("KG-JP-2026-000003", Some(Code::PublishSetLeaksRestricted), |n| n["publishable_fields"] = json!(["*"])),
    ("KG-JP-2026-000001", Some(Code::PublishSetLeaksRestricted), |n| {
        n["restricted"] = json!({"org": true});
    }),
    ("KG-JP-2026-000006", Some(Code::MissingCorrelation), |n| n["correlates_to"] = Value::Null),
    ("KG-JP-2026-000003", None, |n| n["correlates_to"] = "JP-KG-2026-000007".into()),
    ("KG-JP-2026-000003", Some(Code::BadCorrelation), |n| n["correlates_to"] = "JP-KG-2026-000001".into()),
    ("KG-JP-2026-000006", Some(Code::BadCorrelation), |n| n["correlates_to"] = "JP-KG-2026-999999".into()),
    // Of another memorandum.
    ("KG-JP-2026-000006", Some(Code::BadCorrelation), |n| n["correlates_to"] = "JP-UZT-2026-000001".into()),
    ("KG-JP-2026-000006", Some(Code::BadCorrelation), |n| n["correlates_to"] = "JP-KG-2026-000001".into()),
    ("JP-TJ-2026-000007", Some(Code::ReplyFromAsker), swap),
    ("JP-KG-2026-000012", Some(Code::SelfConsent), swap),
    ("JP-KG-2026-000013", Some(Code::SelfConsent), swap),
    ("JP-KG-2026-000012", Some(Code::NoSuchRequest), |n| n["correlates_to"] = "KG-JP-2026-777777".into()),
    ("JP-KG-2026-000012", Some(Code::BadCorrelation), |n| n["correlates_to"] = "KG-JP-2026-000004".into()),
    ("JP-KG-2026-000012", Some(Code::ConsentWiderThanRequest), |n| n["body"]["fields"] = json!(["evidence"])),
    ("JP-KG-2026-000012", Some(Code::ConsentWiderThanRequest), |n| n["body"]["audience"]["name"] = "Another".into()),
    ("JP-KG-2026-000012", Some(Code::ConsentWiderThanRequest), |n| n["body"]["validity"]["to"] = "2027-01-01".into()),
    ("JP-KG-2026-000012", Some(Code::ConsentWiderThanRequest), |n| n["body"]["purpose"] = "another".into()),
    ("TJ-JP-2026-000008", Some(Code::RetroactiveNotice), |n| {
        n["body"]["disclose_not_before"] = "2026-03-10T08:59:59+05:00".into();
    }),
    ("KG-JP-2026-000011", Some(Code::NotOthersInformation), |n| {
        n["correlates_to"] = "KG-JP-2026-000007".into();
        n["body"]["about_notice"] = "KG-JP-2026-000007".into();
    }),
    ("KG-JP-2026-000003", Some(Code::PublishSetLeaksRestricted), |n| {
        n["publishable_fields"] = json!(["restrictedfoo"]);
    }),
    ("KG-JP-2026-000001", Some(Code::UnknownField), |n| n["publishable_fields"] = json!(["no.such.path"])),
    ("KG-JP-2026-000001", Some(Code::UnknownField), |n| n["publishable_fields"] = json!(["org.name_en", ""])),
    ("JP-KG-2026-000004", Some(Code::UnknownField), |n| n["publishable_fields"] = json!(["entries[0].name_en"])),
    ("JP-KG-2026-000004", Some(Code::UnknownField), |n| n["publishable_fields"] = json!(["entries.name_en"])),
    // What nobody could disclose under is no consent.
    ("KG-JP-2026-000011", Some(Code::BadValue), |n| n["body"]["fields"] = json!([])),
    ("KG-JP-2026-000011", Some(Code::BadValue), |n| {
        n["body"]["requested_validity"] = json!({"from": "2028-01-01", "to": "2027-01-01"});
    }),
    // Texts are kept as they are, empty ones too, unless they move a cursor.
    ("KG-JP-2026-000011", None, |n| n["body"]["purpose"] = "two\nlines".into()),
    ("KG-JP-2026-000011", None, |n| n["body"]["purpose"] = "".into()),
    ("JP-KG-2026-000012", None, |n| n["body"]["conditions"] = json!([""])),
    ("KG-JP-2026-000011", Some(Code::BadValue), |n| n["body"]["purpose"] = "a\u{7}".into()),
    ("KG-JP-2026-000011", Some(Code::BadValue), |n| n["body"]["audience"]["name"] = "\u{3000}".into()),
    // Bodies of the side concur with a grant, by whichever of their names, and nobody else does.
    ("JP-KG-2026-000012", None, |n| n["from"]["on_behalf_of"] = "JP-MOJ, JP-NPA".into()),
    ("JP-KG-2026-000012", None, |n| n["from"]["on_behalf_of"] = "Ministry of Health, Labour and Welfare".into()),
    ("JP-KG-2026-000012", Some(Code::NotAParty), |n| n["from"]["on_behalf_of"] = "JP-MOJ, JP-MAFF".into()),
    // The form comes before the memorandum.
    ("KG-JP-2026-000011", Some(Code::BadValue), |n| {
        n["body"]["fields"] = json!([]);
        n["memorandum"] = "JP-XX-SSW-2026".into();
    }),
    ("KG-JP-2026-000001", Some(Code::BadValue), |n| {
        n["publishable_fields"] = vec!["approval_no"; 300].into();
        n["from"]["office"] = "KG-MVD".into();
    }),
    // What it continues comes before its names.
    ("JP-KG-2026-000004", Some(Code::BadCorrelation), |n| {
        delta(n, "2025-01-15");
        n["body"]["added"] = json!([{
            "registration_no": "26登-000001", "registered_on": "2026-04-20", "name_ja": "A\u{43b}a", "name_en": "A",
            "languages": ["en"],
        }]);
    }),
    ("JP-KG-2026-000013", Some(Code::NoSuchRequest), |n| n["correlates_to"] = "NOTHING".into()),
    ("KG-JP-2026-000011", Some(Code::BadValue), |n| n["body"]["purpose"] = "x".repeat(4097).into()),
    ("KG-JP-2026-000011", Some(Code::BadValue), |n| n["body"]["audience"]["name"] = "a\u{2028}b".into()),
    ("KG-JP-2026-000011", Some(Code::UnknownField), |n| n["body"]["fields"] = json!(["nothing.of.it"])),
    ("KG-JP-2026-000011", Some(Code::BadValue), |n| n["body"]["fields"] = json!(["*", "*"])),
    ("JP-KG-2026-000012", Some(Code::BadValue), |n| n["body"]["conditions"] = vec!["c"; 65].into()),
    ("JP-KG-2026-000012", Some(Code::BadValue), |n| n["body"]["conditions"] = json!(["a\u{1b}[2J"])),
    ("JP-KG-2026-000013", Some(Code::BadCorrelation), |n| n["body"]["consent"] = "JP-KG-2026-000011".into()),
    ("KG-JP-2026-000001", Some(Code::BadValue), |n| n["publishable_fields"] = vec!["approval_no"; 257].into()),
    ("KG-JP-2026-000015", Some(Code::TerminationTooEarly), |n| n["body"]["effective_on"] = "2027-06-29".into()),
    ("KG-JP-2026-000001", Some(Code::MixedScriptName), |n| n["body"]["org"]["name_en"] = "A\u{43b}a-Too".into()),
    ("JP-KG-2026-000004", Some(Code::BadCorrelation), |n| delta(n, "2026-04-14")),
    ("JP-KG-2026-000004", None, |n| delta(n, "2026-04-15")),
    ("JP-KG-2026-000004", Some(Code::MissingField), |n| {
        let number = n["body"]["entries"][0]["registration_no"].clone();
        delta(n, "2026-04-15");
        n["body"]["removed"] = json!([{"registration_no": number, "removed_on": "2026-04-20", "reason": "closed"}]);
        n["body"].as_object_mut().unwrap().remove("delta_from");
    }),
    ("JP-KG-2026-000004", Some(Code::BadValue), |n| {
        delta(n, "2026-04-15");
        n["body"]["as_of"] = "2026-04-15".into();
    }),
    ("JP-KG-2026-000004", Some(Code::DuplicateEntry), |n| {
        let row = n["body"]["entries"][0].clone();
        delta(n, "2026-04-15");
        let (number, removed_on, reason) = (row["registration_no"].clone(), "2026-04-20", "closed");
        n["body"]["removed"] = json!([{"registration_no": number, "removed_on": removed_on, "reason": reason}]);
        let keep = ["registration_no", "registered_on", "name_ja", "name_en", "languages"];
        let added: serde_json::Map<_, _> = row
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, _)| keep.contains(&name.as_str()))
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect();
        n["body"]["added"] = json!([added]);
    }),
    ("JP-KG-2026-000004", Some(Code::MissingField), |n| {
        n["body"] = json!({"as_of": "2026-05-01", "complete": true});
        n["publishable_fields"] = json!(["as_of"]);
    }),
    ("JP-KG-2026-000004", Some(Code::BadValue), |n| n["body"]["delta_from"] = "2026-01-01".into()),
    // No text has a disclosure notice where its basis is not known: it is treated as one that needs consent.
    ("UZ-JPT-2026-000004", Some(Code::WrongInstrument), |n| {
        let notify = notice("TJ-JP-2026-000008");
        for name in ["flow", "kind", "body", "classification"] {
            n[name] = notify[name].clone();
        }
        n["correlates_to"] = "JP-UZT-2026-000001".into();
    }),
    ("JP-KG-2026-000001", Some(Code::BadCorrelation), |n| {
        (n["flow"], n["kind"], n["classification"]) = ("S03".into(), "CORRECTION".into(), "CONFIDENTIAL".into());
        n["correlates_to"] = "JP-KG-2026-000001".into();
        n["body"] = json!({
            "about_notice": "JP-KG-2026-000001", "corrected_notice": "NO-SUCH-NOTICE", "reason": "a slip",
        });
        for name in ["publishable_fields", "restricted"] {
            n.as_object_mut().unwrap().remove(name);
        }
    }),
];

fn swap(notice: &mut Value) {
    let from = notice["from"].take();
    notice["from"] = notice["to"].take();
    notice["to"] = from;
}

fn delta(notice: &mut Value, base: &str) {
    let body = notice["body"].as_object_mut().unwrap();
    body.retain(|name, _| name == "as_of");
    body.insert("as_of".into(), "2026-05-01".into());
    body.insert("complete".into(), false.into());
    body.insert("delta_from".into(), base.into());
    body.insert("removed".into(), json!([]));
    notice["publishable_fields"] = json!(["as_of"]);
}

#[test]
fn each_rule_refuses_with_its_code_and_the_clause_it_rests_on() {
    let memoranda = memoranda();
    for (row, (number, code, change)) in ROWS.into_iter().enumerate() {
        let mut checker = knowing(&memoranda);
        let mut notice = notice(number);
        change(&mut notice);
        notice["notice_id"] = format!("ROW-{row}").into();
        let verdict = checker.check(notice.to_string().as_bytes());
        assert_eq!(
            verdict.refusal.as_ref().map(|refusal| refusal.code),
            code,
            "row {row}, {number}: {:?}",
            verdict.refusal
        );
        if let Some(refusal) = verdict.refusal {
            assert!(!refusal.clause.is_empty(), "row {row}: {refusal} names no clause");
        }
    }
}

#[test]
fn after_the_end_only_consent_notice_and_outstanding_replies_travel() {
    let memoranda = memoranda();
    let after = |number: &str, issued_at: &str| {
        let mut checker = knowing(&memoranda);
        let mut notice = notice(number);
        (notice["notice_id"], notice["issued_at"]) = ("LATER-1".into(), issued_at.into());
        checker.check(notice.to_string().as_bytes()).refusal.map(|refusal| refusal.code)
    };
    // The termination of the data was received on 2026-12-31: in force through 2027-06-30, by the receiver's date.
    let (last, over) = ("2027-06-30T23:59:59+09:00", "2027-07-01T00:00:00+09:00");
    assert_eq!(after("KG-JP-2026-000007", last), None);
    assert_eq!(after("KG-JP-2026-000007", over), Some(Code::AfterTermination));
    // The same moment is still the day before for a Kyrgyz receiver.
    assert_eq!(after("JP-KG-2026-000009", over), None);
    assert_eq!(after("JP-KG-2026-000009", "2027-07-01T03:00:00+09:00"), Some(Code::AfterTermination));
    let long_after = "2027-08-01T00:00:00+09:00";
    for number in ["KG-JP-2026-000011", "JP-KG-2026-000012", "JP-KG-2026-000013"] {
        assert_eq!(after(number, long_after), None, "{number}");
    }
    // A reply is outstanding until it is there: a second one is none, nor is what only may follow.
    for number in ["KG-JP-2026-000005", "KG-JP-2026-000006"] {
        assert_eq!(after(number, long_after), Some(Code::AfterTermination), "{number}");
        let mut checker = OfflineCheck::new(&memoranda);
        checker.commence("JP-TJ-SSW-2024", day("2025-02-01")).unwrap();
        for line in NOTICES.lines().filter(|line| !line.contains(&format!("\"notice_id\": \"{number}\""))) {
            let _ = checker.check(line.as_bytes());
        }
        let mut outstanding = notice(number);
        outstanding["issued_at"] = long_after.into();
        assert!(checker.check(outstanding.to_string().as_bytes()).refusal.is_none(), "{number}");
    }
    let mut checker = knowing(&memoranda);
    let mut revoked = notice("KG-JP-2026-000003");
    (revoked["notice_id"], revoked["issued_at"]) = ("LATER-2".into(), long_after.into());
    revoked["correlates_to"] = "JP-KG-2026-000007".into();
    let refusal = checker.check(revoked.to_string().as_bytes()).refusal.unwrap();
    assert_eq!(refusal.code, Code::AfterTermination);
}

fn day(text: &str) -> time::Date {
    verbale_domain::civil::day(text).unwrap()
}

#[test]
fn the_police_are_a_party_under_one_memorandum_and_none_under_another() {
    let memoranda = memoranda();
    let is_party = |id: &str, office: &str| memoranda.get(id).unwrap().is_of_party("JP", office, day("2026-07-01"));
    assert!(is_party("JP-KG-SSW-2023", "JP-NPA") && is_party("JP-VN-SSW-2019", "JP-NPA"));
    assert!(!is_party("JP-UZ-TITP-2019", "JP-NPA"));
    assert!(is_party("JP-UZ-TITP-2019", "JP-MOJ-ISA-RMD") && !is_party("JP-UZ-TITP-2019", "JP-MOJX"));
    // Embassies and prefectural police are third parties, whatever body stands before them in their names.
    assert!(is_party("JP-KG-SSW-2023", "JP-NPA-BUREAU"));
    assert!(!is_party("JP-KG-SSW-2023", "JP-MOFA-EMBASSY-KG") && !is_party("JP-KG-SSW-2023", "JP-NPA-PREF-TOKYO"));
    // Who is no third party is a body of the text, a contact point, or an organ that the file lists: no name makes itself one.
    let no_third_party =
        |office: &str| memoranda.get("JP-KG-SSW-2023").unwrap().is_party("JP", office, day("2026-07-01"));
    assert!(["JP-NPA", "JP-MOJ-ISA", "JP-MOJ-ISA-RMD"].into_iter().all(no_third_party));
    let third =
        ["JP-NPA-BUREAU", "JP-MHLW-OTIT", "JP-NPA-OSAKA-POLICE", "JP-MOFA-EMBASSY_BISHKEK", "JP-NPA-", "JP-MOJ-ISA-X"];
    assert!(!third.into_iter().any(no_third_party));
    let (file, text) = Memoranda::shipped()[0];
    for office in ["KG-MFA-EMBASSY-TOKYO", "JP-MOJ-EMBASSY_X", "JP-NPA", "JP-MOJ-"] {
        let organ = format!("\n[[organs]]\nof = \"JP-MOJ\"\noffice = \"{office}\"\nname = \"N\"\n");
        assert!(
            Memoranda::parse([(file, format!("{text}{organ}").as_str())]).is_err(),
            "{office} is listed as an organ"
        );
    }
    // A renamed ministry is a party under both of its names.
    let uzbek = memoranda.get("JP-UZ-TITP-2019").unwrap();
    let uzbek_party = |office: &str| uzbek.is_of_party("UZ", office, day("2026-07-01"));
    assert!(uzbek_party("UZ-MELR") && uzbek_party("UZ-MPRE"));
    // Where the day of the succession is known, the new name counts from that day, and the old one still.
    let (file, text) = Memoranda::shipped()[0];
    let renamed = "\n[[succession]]\nside = \"KG\"\nfrom = \"KG-MLSSM\"\nto = \"KG-NEW\"\nname = \"New\"\nsince = \"2026-07-01\"\n";
    let kyrgyz = Memoranda::parse([(file, format!("{text}{renamed}").as_str())]).unwrap();
    let on = |office: &str, date: &str| kyrgyz.iter().next().unwrap().is_of_party("KG", office, day(date));
    assert!(!on("KG-NEW", "2026-06-30") && on("KG-NEW", "2026-07-01") && on("KG-MLSSM", "2026-07-02"));
}

#[test]
fn a_list_of_twelve_thousand_rows_is_accepted_and_one_with_a_number_twice_is_not() {
    let memoranda = memoranda();
    let mut list = notice("JP-KG-2026-000004");
    let row = list["body"]["entries"][0].clone();
    let entries: Vec<Value> = (0..12_000)
        .map(|i| {
            let mut row = row.clone();
            row["registration_no"] = format!("{:02}登-{:06}", 19 + i / 1_000_000, i).into();
            row
        })
        .collect();
    list["body"]["count"] = entries.len().into();
    list["body"]["entries"] = entries.into();
    let text = list.to_string();
    let started = std::time::Instant::now();
    let refusal = OfflineCheck::new(&memoranda).check(text.as_bytes()).refusal;
    println!("12,000 rows, {} bytes, in {:?}", text.len(), started.elapsed());
    assert!(refusal.is_none(), "{refusal:?}");
    list["body"]["entries"][11_999]["registration_no"] = list["body"]["entries"][0]["registration_no"].clone();
    let refusal = OfflineCheck::new(&memoranda).check(list.to_string().as_bytes()).refusal;
    assert_eq!(refusal.map(|refusal| refusal.code), Some(Code::DuplicateEntry));
}

#[test]
fn nobody_takes_a_grant_or_a_correction_from_its_sender_by_using_the_number_too() {
    let memoranda = memoranda();
    let mut checker = knowing(&memoranda);
    let mut refusal = |value: Value| checker.check(value.to_string().as_bytes()).refusal;
    // The holder of a grant, and the receiver of an order, send something under the same numbers.
    for (i, taken) in ["JP-KG-2026-000012", "JP-KG-2026-000001"].into_iter().enumerate() {
        let mut same = notice("KG-JP-2026-000007");
        same["notice_id"] = taken.into();
        assert!(refusal(same).is_none(), "{i}");
    }
    let mut withdrawal = notice("JP-KG-2026-000013");
    withdrawal["notice_id"] = "JP-KG-AGAIN".into();
    assert_eq!(refusal(withdrawal).map(|refusal| refusal.to_string()), None);
    let mut correction = notice("JP-KG-2026-000001");
    correction["notice_id"] = "JP-KG-S03".into();
    correction["flow"] = "S03".into();
    correction["kind"] = "CORRECTION".into();
    correction["classification"] = "CONFIDENTIAL".into();
    correction["correlates_to"] = "JP-KG-2026-000001".into();
    correction["body"] = json!({
        "about_notice": "JP-KG-2026-000001", "corrected_notice": "JP-KG-2026-000001", "reason": "a slip",
    });
    correction.as_object_mut().unwrap().remove("publishable_fields");
    correction.as_object_mut().unwrap().remove("restricted");
    assert_eq!(refusal(correction).map(|refusal| refusal.to_string()), None);
}

#[test]
fn a_number_of_something_is_not_negative() {
    let mut alert = notice("KG-JP-2026-000007");
    for (count, expected) in [(json!(0), None), (json!(-1), Some(Code::BadValue))] {
        alert["body"]["affected_persons"] = count;
        let read = Notice::from_json(alert.to_string().as_bytes());
        assert_eq!(read.err().map(|refusal| refusal.code), expected);
    }
}

#[test]
fn a_line_may_wrap_a_notice_with_what_it_says_of_the_memorandum_inside_or_beside_it() {
    let memoranda = memoranda();
    let notice = notice("KG-JP-2026-000007");
    let ended = json!({"memorandum_ended_on": "2024-01-01"});
    let check = |line: Value| OfflineCheck::new(&memoranda).check(line.to_string().as_bytes());
    // The line's own number is that of the line.
    let wrapped = check(json!({"notice_id": "L1", "notice": notice}));
    assert!(wrapped.refusal.is_none() && wrapped.notice_id == "KG-JP-2026-000007", "{:?}", wrapped.refusal);
    // The clause is the memorandum's, whatever the notice says.
    let mut other = notice.clone();
    other["clause"] = "99(9)".into();
    assert_eq!(check(other).clause, wrapped.clause);
    let mut inside = notice.clone();
    inside["_context"] = ended.clone();
    for line in [json!({"notice": inside}), json!({"notice": notice, "_context": ended})] {
        assert_eq!(check(line).refusal.map(|refusal| refusal.code), Some(Code::AfterTermination));
    }
    // What a line says of the day counts for it, where the text says the day too.
    for (day, code) in [(Value::Null, Code::NotCommenced), ("2027-01-01".into(), Code::BeforeCommencement)] {
        let refusal = check(json!({"notice": notice, "_context": {"memorandum_commenced_on": day}})).refusal.unwrap();
        assert_eq!((refusal.code, refusal.clause.as_str()), (code, "10"));
    }
    assert!(check(notice.clone()).refusal.is_none(), "it was for those lines alone");
    let unknown = check(json!({"notice": notice, "_context": {"weather": "fine"}}));
    assert_eq!((unknown.notice_id.as_str(), unknown.clause.as_str()), ("KG-JP-2026-000007", "4(1)"));
}

#[test]
fn no_clause_is_written_that_no_text_confirms() {
    let memoranda = memoranda();
    let mut inquiry = notice("UZ-JPT-2026-000004");
    (inquiry["from"]["office"], inquiry["notice_id"]) = ("UZ-ELSEWHERE".into(), "ANOTHER".into());
    let refusal = knowing(&memoranda).check(inquiry.to_string().as_bytes()).refusal.unwrap();
    assert_eq!((refusal.code, refusal.clause.as_str()), (Code::NotAParty, "not verified"));
    let of = |code| clause_of_refusal(memoranda.get("JP-KG-SSW-2023"), "F13", code);
    assert_eq!([Code::BadCategory, Code::NotAParty, Code::IdReuse].map(of), ["4(1)", "2", "design"]);
}

#[test]
fn a_correction_leads_to_a_notice_of_its_sender_and_never_back() {
    let memoranda = memoranda();
    let mut checker = knowing(&memoranda);
    let mut code = |value: &Value| checker.check(value.to_string().as_bytes()).refusal.map(|refusal| refusal.code);
    let order = |number: &str| {
        let mut order = notice("JP-KG-2026-000001");
        order["notice_id"] = number.into();
        order
    };
    let correction = |number: &str, from: &str, to: &str| {
        let mut correction = notice("JP-KG-2026-000009");
        let members = ["notice_id", "flow", "kind", "correlates_to"];
        for (name, value) in members.into_iter().zip([number, "S03", "CORRECTION", from]) {
            correction[name] = value.into();
        }
        correction["body"] = json!({"about_notice": from, "corrected_notice": to, "reason": "a slip"});
        correction["issued_at"] = "2026-07-01T10:00:00+09:00".into();
        correction
    };
    for number in ["A", "B", "C"] {
        assert_eq!(code(&order(number)), None);
    }
    assert_eq!(code(&correction("S1", "A", "B")), None);
    assert_eq!(code(&correction("S2", "B", "A")), Some(Code::BadCorrelation));
    assert_eq!(code(&correction("S3", "B", "C")), None);
    assert_eq!(code(&correction("S4", "C", "A")), Some(Code::BadCorrelation));
    // It may stay under its number; what is published goes on as what it was, what is not may have been filed as another kind.
    assert_eq!(code(&correction("S5", "C", "C")), None);
    assert_eq!(code(&correction("S6", "C", "JP-KG-2026-000009")), Some(Code::BadCorrelation));
    let mut other = notice("JP-KG-2026-000009");
    (other["notice_id"], other["issued_at"]) = ("D".into(), "2026-07-01T10:00:00+09:00".into());
    assert_eq!(code(&other), None);
    assert_eq!(code(&correction("S7", "D", "C")), None);
}
