//! What presentations are made of, before anything is signed.

use serde_json::{Value, json};
use verbale_domain::civil;
use verbale_proto::v1::{Disclosure, Presentation, RecordedGround};
use verbale_testkit::ContactPoint;

pub(crate) const WRITTEN: &str = "2026-05-01T00:00:00Z";

/// Everything that a presentation is made of, before it is signed and put together.
pub(crate) struct Case {
    pub(crate) originator: ContactPoint,
    pub(crate) discloser: ContactPoint,
    pub(crate) notice: Value,
    pub(crate) request: Value,
    /// F21, or F24 under the Tajik text.
    pub(crate) ground: Value,
    pub(crate) ground_by_originator: bool,
    /// Fields that are presented, whatever the disclosure says.
    pub(crate) presented: Vec<&'static str>,
    /// Places in the presented part that are left out after all.
    pub(crate) left_out: Vec<&'static str>,
    pub(crate) disclosure: Disclosure,
    pub(crate) at: &'static str,
    pub(crate) ground_written: &'static str,
    pub(crate) delivered_at: Option<&'static str>,
    pub(crate) ground_refused: bool,
    pub(crate) answers_another: bool,
    pub(crate) notice_answers: bool,
    pub(crate) request_of_another: bool,
    pub(crate) change: fn(&mut Presentation),
}

pub(crate) fn body_of(
    flow: &str,
    kind: &str,
    from: (&str, &str),
    to: (&str, &str),
    memorandum: &str,
    body: Value,
) -> Value {
    json!({
        "notice_id": format!("{}-{flow}", from.0), "memorandum": memorandum, "flow": flow, "kind": kind, "clause": "3",
        "from": {"party": from.0, "office": from.1}, "to": {"party": to.0, "office": to.1},
        "issued_at": "2026-02-03T10:15:00+06:00", "classification": "CONFIDENTIAL", "receiver_obligation": "NONE",
        "languages": ["en"], "body": body,
    })
}

pub(crate) fn alert_body() -> Value {
    json!({
        "exam": {"name": "N", "organiser": "O", "delivery": "D", "date": "2026-01-01", "venue": "V"}, "wrongdoing": "W",
        "detected_by": "B", "examinees": [
            {"name_latin": "A", "date_of_birth": "2000-01-01", "result_status": "R"},
            {"name_latin": "C", "date_of_birth": "2000-01-02", "result_status": "R"},
        ],
    })
}

pub(crate) const JP: (&str, &str) = ("JP", "JP-MOJ-ISA-RMD");
pub(crate) const KG: (&str, &str) = ("KG", "KG-MLSSM-CECA");
pub(crate) const TJ: (&str, &str) = ("TJ", "TJ-MLMEP-MS-DLPSA");

pub(crate) fn disclosure(code: &str, class: &str, name: &str, purpose: &str, fields: &[&str]) -> Disclosure {
    Disclosure {
        audience_class: class.into(),
        audience_name: name.into(),
        purpose: purpose.into(),
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        code: code.into(),
        nonce: vec![1; 16],
        ..Disclosure::default()
    }
}

/// A Kyrgyz alert of which the Japanese side discloses the examinees to a test operator, with consent.
pub(crate) fn consented() -> Case {
    let memorandum = "JP-KG-SSW-2023";
    let scope = |validity: (&str, Value)| {
        let audience = json!({"class": "ORGANISATION", "name": "An Operator"});
        let mut body =
            json!({"about_notice": "KG-F15", "fields": ["examinees"], "audience": audience, "purpose": "cancellation"});
        body[validity.0] = validity.1;
        body
    };
    let mut granted = scope(("validity", json!({"from": "2026-06-01", "to": "2026-06-30"})));
    granted["conditions"] = json!(["a condition"]);
    Case {
        originator: ContactPoint::new(KG.1, 1),
        discloser: ContactPoint::new(JP.1, 2),
        notice: body_of("F15", "EXAM_FRAUD_ALERT", KG, JP, memorandum, alert_body()),
        request: body_of(
            "F20",
            "CONSENT_REQUEST",
            JP,
            KG,
            memorandum,
            scope(("requested_validity", json!({"from": "2026-01-01"}))),
        ),
        ground: body_of("F21", "CONSENT_GRANT", KG, JP, memorandum, granted),
        ground_by_originator: true,
        presented: vec!["examinees"],
        left_out: vec![],
        disclosure: disclosure("CONSENT_OK", "ORGANISATION", "An Operator", "cancellation", &["examinees"]),
        at: "2026-06-15T12:00:00Z",
        ground_written: WRITTEN,
        delivered_at: None,
        ground_refused: false,
        answers_another: false,
        notice_answers: false,
        request_of_another: false,
        change: |_| (),
    }
}

/// The same under the Tajik text, with a notice that was delivered.
pub(crate) fn notified() -> Case {
    let memorandum = "JP-TJ-SSW-2024";
    let mut notice = body_of("F15", "EXAM_FRAUD_ALERT", TJ, JP, memorandum, alert_body());
    notice["notice_id"] = "TJ-F15".into();
    let body = json!({
        "about_notice": "TJ-F15", "fields": ["examinees"], "audience": {"class": "ORGANISATION", "name": "An Operator"},
        "purpose": "cancellation", "disclose_not_before": "2026-06-10T00:00:00+09:00",
    });
    Case {
        originator: ContactPoint::new(TJ.1, 1),
        notice,
        ground: body_of("F24", "DISCLOSURE_NOTICE", JP, TJ, memorandum, body),
        ground_by_originator: false,
        disclosure: disclosure("NOTICE_OK", "ORGANISATION", "An Operator", "cancellation", &["examinees"]),
        delivered_at: Some("2026-06-11T00:00:00Z"),
        ..consented()
    }
}

/// A revocation that is published.
pub(crate) fn published() -> Case {
    let body = json!({
        "org": {"name_en": "N", "name_local": "L", "registration_no": "KGSO-F-0017"}, "approval_no": "A", "revoked_on": "2026-04-15",
        "effective_on": "2026-04-20", "legal_ground": "G", "reason_summary": "S", "transitional": "T",
    });
    let mut notice = body_of("F03", "SENDING_ORG_APPROVAL_REVOKED", KG, JP, "JP-KG-SSW-2023", body);
    notice["classification"] = "PUBLISH_BY_BOTH".into();
    notice["publishable_fields"] = json!(["org.name_en", "revoked_on"]);
    let fields = ["org.name_en", "revoked_on"];
    Case {
        notice,
        ground: Value::Null,
        presented: fields.to_vec(),
        disclosure: disclosure("PUBLICATION_DUTY", "PUBLIC", "public", "publication", &fields),
        ..consented()
    }
}

pub(crate) fn to_party() -> Case {
    Case {
        ground: Value::Null,
        presented: vec!["*"],
        disclosure: disclosure("NOT_THIRD_PARTY", "GOVERNMENT_BODY", "JP-NPA", "investigation", &["*"]),
        ..consented()
    }
}

pub(crate) fn referral() -> Case {
    let body = json!({
        "org": {"registration_no": "KGSO-F-0017", "name_en": "N"}, "suspected": ["S"], "facts": "F",
        "observed_period": {"from": "2026-01-01", "to": "2026-01-02"}, "evidence": [], "releasable_to_investigated_org": "R",
    });
    let released = "releasable_to_investigated_org";
    Case {
        originator: ContactPoint::new(JP.1, 2),
        discloser: ContactPoint::new(KG.1, 1),
        notice: body_of("F11", "IMPROPER_ACTIVITY_REFERRAL", JP, KG, "JP-KG-SSW-2023", body),
        ground: Value::Null,
        presented: vec![released],
        disclosure: disclosure(
            "PREAUTHORISED_FIELD",
            "INVESTIGATED_ORGANISATION",
            "KGSO-F-0017",
            "investigation",
            &[released],
        ),
        ..consented()
    }
}

/// A suspension that its originator labels public, and of which the legal ground is marked.
pub(crate) fn suspension() -> Case {
    let body = json!({
        "field": "F", "action": "A", "legal_ground": "G", "effective_on": "2026-03-01", "not_affected": ["N"],
    });
    let mut notice = body_of("F26", "ACCEPTANCE_SUSPENSION", JP, KG, "JP-KG-SSW-2023", body);
    notice["classification"] = "PUBLIC".into();
    notice["restricted"] = json!({"legal_ground": true});
    Case {
        notice,
        presented: vec!["action"],
        disclosure: disclosure("ALREADY_PUBLIC_BY_ORIGINATOR", "MEDIA", "A Newspaper", "news", &["action"]),
        ..referral()
    }
}

/// A part that a court asked for, on a document that two persons recorded.
pub(crate) fn ordered() -> Case {
    let mut case = Case {
        ground: Value::Null,
        presented: vec!["wrongdoing"],
        disclosure: disclosure("LEGAL_COMPULSION", "COURT", "A Court", "trial", &["wrongdoing"]),
        ..consented()
    };
    case.disclosure.recorded = Some(RecordedGround {
        ground_id: vec![5; 16],
        kind: "LEGAL_COMPULSION".into(),
        document_sha256: vec![6; 32],
        legal_basis: "an order".into(),
        fields: vec!["wrongdoing".into()],
        audience_class: "COURT".into(),
        audience_name: "A Court".into(),
        purpose: "trial".into(),
        valid_from_ms: civil::moment_ms("2026-06-01T00:00:00Z").unwrap(),
        valid_until_ms: i64::MAX,
        conditions: Vec::new(),
        confirmed_ms: civil::moment_ms("2026-06-02T00:00:00Z").unwrap(),
    });
    case
}

/// An own answer to the other side, in words that two persons compared.
pub(crate) fn own_answer() -> Case {
    let body = json!({"answer": "A", "complete": true, "attachments": []});
    let mut notice = body_of("F10", "INQUIRY_REPLY", KG, JP, "JP-KG-SSW-2023", body);
    notice["correlates_to"] = "JP-F09".into();
    let mut case = Case {
        discloser: ContactPoint::new(KG.1, 1),
        notice,
        ground: Value::Null,
        presented: vec!["answer"],
        disclosure: disclosure("OWN_INFORMATION", "MEDIA", "A Newspaper", "news", &["answer"]),
        notice_answers: true,
        ..consented()
    };
    let compared = RecordedGround {
        kind: "OWN_WORDS".into(),
        legal_basis: "a comparison".into(),
        fields: vec!["answer".into()],
        audience_class: "MEDIA".into(),
        audience_name: "A Newspaper".into(),
        purpose: "news".into(),
        ..ordered().disclosure.recorded.unwrap()
    };
    case.disclosure.recorded = Some(compared);
    case
}

/// The same with one thing changed in what was recorded.
pub(crate) fn ordered_with(change: impl FnOnce(&mut RecordedGround)) -> Case {
    let mut case = ordered();
    change(case.disclosure.recorded.as_mut().unwrap());
    case
}
