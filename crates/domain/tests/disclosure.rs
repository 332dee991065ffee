//! The worked cases of disclosure, and what must hold for all of them and for mixtures of what they are made of.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;

use serde_json::{Value, json};
use verbale_domain::Memoranda;
use verbale_domain::disclosure::{
    Denial, Escalation, Ground, OutsideGround, Recorded, Scope, Verdict, nothing_publishable, rule, unknown_audience,
};
use verbale_testkit::Random;

const CASES: [&str; 2] = [
    include_str!("../../../tests/data/disclosure-cases.jsonl"),
    include_str!("../../../tests/data/disclosure-more.jsonl"),
];

/// Evidence that speaks for a disclosure.
const FAVOURABLE: [&str; 6] = [
    "CONSENT_GRANT",
    "DISCLOSURE_NOTICE",
    "PUBLISHED_BY_ORIGINATOR",
    "INDEPENDENT_SOURCE",
    "LEGAL_COMPULSION",
    "AGGREGATE",
];

fn memoranda() -> Memoranda {
    Memoranda::parse(Memoranda::shipped().iter().copied()).unwrap()
}

fn verdict(memoranda: &Memoranda, case: &Value) -> Verdict {
    let ruling = rule(memoranda, case.to_string().as_bytes());
    // A line that is wrong is denied: fields of one kind are asked about a notice of another here.
    ruling.decision.map_or(Verdict::Deny(Denial::NothingPublishable), |decision| decision.verdict)
}

fn cases() -> Vec<Value> {
    CASES.iter().flat_map(|file| file.lines()).map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_worked_case_is_decided_as_its_author_expects_and_every_code_has_one() {
    let (memoranda, mut seen) = (memoranda(), BTreeSet::new());
    for case in cases() {
        let ruling = rule(&memoranda, case.to_string().as_bytes());
        let decision = ruling.decision.unwrap_or_else(|wrong| panic!("{wrong}: {case}"));
        let got = (decision.verdict.decision(), decision.verdict.code());
        assert_eq!(json!([got.0, got.1]), json!([case["expect"]["decision"], case["expect"]["code"]]), "{case}");
        assert!(!decision.clause.is_empty() && !decision.reason.is_empty(), "{case}");
        seen.insert(got);
    }
    // What a case cannot ask: a publication for which a notice has nothing.
    let nothing = nothing_publishable(memoranda.get("JP-KG-SSW-2023"), "F13", "a reason");
    assert!(nothing.clause.starts_with("JP-KG-SSW-2023 ") && !nothing.reason.is_empty());
    // Nor has one a directory of audiences.
    let stranger = unknown_audience(memoranda.get("JP-KG-SSW-2023"), None);
    assert_eq!(stranger.clause, "JP-KG-SSW-2023 3");
    seen.extend([&nothing, &stranger].map(|denied| (denied.verdict.decision(), denied.verdict.code())));
    let allowed = Ground::ALL.iter().map(|ground| Verdict::Allow(*ground));
    let denied = Denial::ALL.iter().map(|denial| Verdict::Deny(*denial));
    let escalated = Escalation::ALL.iter().map(|escalation| Verdict::Escalate(*escalation));
    let missing: Vec<_> =
        allowed.chain(denied).chain(escalated).filter(|v| !seen.contains(&(v.decision(), v.code()))).collect();
    assert!(missing.is_empty(), "no case has {missing:?}");
}

#[test]
fn a_line_that_is_not_understood_is_denied_and_says_why() {
    let good = cases().remove(0);
    let wrong = |change: &dyn Fn(&mut Value)| {
        let mut case = good.clone();
        change(&mut case);
        rule(&memoranda(), case.to_string().as_bytes()).decision.unwrap_err()
    };
    assert!(wrong(&|case| case["audience"] = json!({})).contains("audience"));
    assert!(wrong(&|case| case["audience"] = Value::Null).contains("not everybody"));
    assert!(wrong(&|case| case["audience"]["name"] = " ".into()).contains("not everybody"));
    assert!(wrong(&|case| case["fields"] = json!([])).contains("fields is empty"));
    assert!(wrong(&|case| case["evidence"] = json!([{"type": "WITHDRAWAL"}])).contains("WITHDRAWAL"));
    assert!(wrong(&|case| case["evidense"] = json!([])).contains("evidense"));
    assert!(wrong(&|case| case["evidence"] = json!([{"type": "LEAKED", "revoked": true}])).contains("revoked"));
    assert!(wrong(&|case| case["fields"] = json!(["nosuch"])).contains("nosuch"));
    assert!(wrong(&|case| case["at"] = "2026-07-01T00:00:00".into()).contains("offset"));
    assert!(rule(&memoranda(), b"{").decision.is_err());
}

#[test]
fn without_favourable_evidence_nothing_that_was_denied_becomes_allowed() {
    let (memoranda, all) = (memoranda(), cases());
    let pieces: Vec<&Value> = all.iter().flat_map(|case| case["evidence"].as_array().unwrap()).collect();
    let seed = 20_261_125;
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let mut pick = |below: usize| usize::try_from(random.below(below as u64)).unwrap();
    let (mut denied, mut allowed) = (0, 0);
    for _ in 0..3_000 {
        // The question of one case, with evidence of others, asked under the scope of a third.
        let mut case = all[pick(all.len())].clone();
        let other = &all[pick(all.len())];
        if pick(2) == 0 {
            for member in ["audience", "fields", "purpose"] {
                case[member] = other[member].clone();
            }
        }
        let evidence: Vec<Value> = (0..pick(4)).map(|_| pieces[pick(pieces.len())].clone()).collect();
        case["evidence"] = evidence.clone().into();
        let whole = verdict(&memoranda, &case);
        for without in 0..evidence.len() {
            let favourable = FAVOURABLE.contains(&evidence[without]["type"].as_str().unwrap());
            let mut rest = evidence.clone();
            rest.remove(without);
            case["evidence"] = rest.into();
            let less = verdict(&memoranda, &case);
            if favourable && whole.decision() == "DENY" {
                assert_eq!(less.decision(), "DENY", "{case}");
                denied += 1;
            }
            if whole.decision() == "ALLOW" {
                allowed += 1;
            }
        }
    }
    assert!(denied > 500 && allowed > 500, "{denied} {allowed}: the mixtures test nothing");
}

/// A way in which a question differs from one that is allowed.
type Way<'a> = (&'a str, &'a dyn Fn(&mut Value));

#[test]
fn another_audience_field_purpose_or_time_never_inherits_a_grant_or_a_notice() {
    let memoranda = memoranda();
    let mut tried = 0;
    for case in cases() {
        let by_instrument =
            ["CONSENT_OK", "NOTICE_OK", "CONSENT_EXCEEDS_NOTICE"].contains(&case["expect"]["code"].as_str().unwrap());
        if !by_instrument {
            continue;
        }
        tried += 1;
        let other_ways: [Way<'_>; 8] = [
            ("name", &|case| case["audience"]["name"] = "Somebody Else".into()),
            ("name with a blank", &|case| {
                case["audience"]["name"] = format!("{} ", case["audience"]["name"].as_str().unwrap()).into();
            }),
            ("class", &|case| case["audience"]["class"] = "THIRD_PARTY".into()),
            ("field", &|case| {
                // Every instrument of the cases names its fields, or the whole: then nothing more can be asked for.
                case["fields"].as_array_mut().unwrap().push("*".into());
                for piece in case["evidence"].as_array_mut().unwrap() {
                    if piece["fields"] == json!(["*"]) {
                        piece["fields"] = json!(["category"]);
                    }
                }
            }),
            ("purpose", &|case| case["purpose"] = "another purpose".into()),
            ("later", &|case| {
                case["at"] = "2030-01-01T00:00:00Z".into();
                case["evidence"].as_array_mut().unwrap().retain(|piece| piece["type"] != "DISCLOSURE_NOTICE");
            }),
            ("earlier", &|case| case["at"] = "2026-05-01T00:00:00Z".into()),
            ("another notice", &|case| {
                for piece in case["evidence"].as_array_mut().unwrap() {
                    piece["about"] = "another".into();
                }
            }),
        ];
        for (what, change) in other_ways {
            let mut changed = case.clone();
            change(&mut changed);
            assert_eq!(verdict(&memoranda, &changed).decision(), "DENY", "{what}: {changed}");
        }
    }
    assert!(tried >= 10, "{tried}");
}

#[test]
fn a_recorded_ground_carries_what_it_names_and_nothing_else() {
    let scope = |fields: &[&str], name: &str, purpose: &str| {
        let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
        Scope::of(&fields, ("GOVERNMENT_BODY", name), purpose).unwrap()
    };
    let asked = scope(&["outcome"], "JP-MAFF", "the exam");
    let recorded = |kind| Recorded {
        kind,
        scope: asked.clone(),
        from_ms: 10,
        until_ms: 20,
        basis: "a letter".into(),
        conditions: Vec::new(),
    };
    let pairs = [
        (Escalation::LegalCompulsion, Some(OutsideGround::LegalCompulsion)),
        (Escalation::Clause5RelevantMinistry, Some(OutsideGround::MinistryRequest)),
        (Escalation::UnverifiedBasisStrict, Some(OutsideGround::PublicationBasis)),
        (Escalation::Aggregate, None),
    ];
    for (escalation, needed) in pairs {
        for kind in OutsideGround::ALL {
            assert_eq!(
                recorded(*kind).carries(escalation, &asked, 15),
                Some(*kind) == needed,
                "{escalation:?} {kind:?}"
            );
        }
    }
    let letter = recorded(OutsideGround::MinistryRequest);
    let carries = |of: &Recorded, asked: &Scope, at| of.carries(Escalation::Clause5RelevantMinistry, asked, at);
    for (other, at) in [
        (scope(&["outcome", "detail"], "JP-MAFF", "the exam"), 15),
        (scope(&["outcome"], "JP-MLIT", "the exam"), 15),
        (scope(&["outcome"], "JP-MAFF", "research"), 15),
        (asked.clone(), 9),
        (asked.clone(), 21),
    ] {
        assert!(!carries(&letter, &other, at));
    }
    assert!(!carries(&Recorded { basis: " ".into(), ..letter }, &asked, 15), "no basis in words");
    // A publication of the originator counts in its time, for anybody.
    let published = recorded(OutsideGround::OriginatorPublication);
    let anybody = scope(&["outcome"], "JP-MLIT", "research");
    for (at, counts) in [(9, false), (10, true), (20, true), (21, false)] {
        assert_eq!(published.evidence(&anybody, at).is_some(), counts, "{at}");
    }
}
