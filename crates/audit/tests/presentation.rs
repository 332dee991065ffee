//! Presentations that a discloser with all of its own keys could make: what holds, and each way in which one does not.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]
#![expect(clippy::struct_excessive_bools, clippy::needless_pass_by_value, reason = "a table of cases, written as JSON")]

use serde_json::{Value, json};
use verbale_audit::check_presentation;
use verbale_domain::disclosure::{Ground, Release};
use verbale_domain::{Memoranda, Notice, civil};
use verbale_evidence::{
    Answers, MessageId, Statement, StatementDigest, VerifiedEnvelope, content_root, encode_entry, part,
    presentation_text, sign_disclosure, sign_statement,
};
use verbale_keys::Role;
use verbale_ledger::{Checkpoint, TlogProof, Tree, leaf_hash};
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{
    Disclosed, Disclosure, NoticeReceived, NoticeRefused, Part, Presentation, Receipt, RecordedGround,
};
use verbale_testkit::ContactPoint;

const SEED: [u8; 32] = [9; 32];
const WRITTEN: &str = "2026-05-01T00:00:00Z";

/// A signed notice and what it is cut from.
struct Signed {
    notice: Notice,
    envelope: VerifiedEnvelope,
}

/// Everything that a presentation is made of, before it is signed and put together.
struct Case {
    originator: ContactPoint,
    discloser: ContactPoint,
    notice: Value,
    request: Value,
    /// F21, or F24 under the Tajik text.
    ground: Value,
    ground_by_originator: bool,
    /// Fields that are presented, whatever the disclosure says.
    presented: Vec<&'static str>,
    /// Places in the presented part that are left out after all.
    left_out: Vec<&'static str>,
    disclosure: Disclosure,
    at: &'static str,
    ground_written: &'static str,
    delivered_at: Option<&'static str>,
    ground_refused: bool,
    answers_another: bool,
    notice_answers: bool,
    own_words: bool,
    request_of_another: bool,
    change: fn(&mut Presentation),
}

fn body_of(flow: &str, kind: &str, from: (&str, &str), to: (&str, &str), memorandum: &str, body: Value) -> Value {
    json!({
        "notice_id": format!("{}-{flow}", from.0), "memorandum": memorandum, "flow": flow, "kind": kind, "clause": "3",
        "from": {"party": from.0, "office": from.1}, "to": {"party": to.0, "office": to.1},
        "issued_at": "2026-02-03T10:15:00+06:00", "classification": "CONFIDENTIAL", "receiver_obligation": "NONE",
        "languages": ["en"], "body": body,
    })
}

fn alert_body() -> Value {
    json!({
        "exam": {"name": "N", "organiser": "O", "delivery": "D", "date": "2026-01-01", "venue": "V"}, "wrongdoing": "W",
        "detected_by": "B", "examinees": [
            {"name_latin": "A", "date_of_birth": "2000-01-01", "result_status": "R"},
            {"name_latin": "C", "date_of_birth": "2000-01-02", "result_status": "R"},
        ],
    })
}

const JP: (&str, &str) = ("JP", "JP-MOJ-ISA-RMD");
const KG: (&str, &str) = ("KG", "KG-MLSSM-CECA");
const TJ: (&str, &str) = ("TJ", "TJ-MLMEP-MS-DLPSA");

fn disclosure(code: &str, class: &str, name: &str, purpose: &str, fields: &[&str]) -> Disclosure {
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
fn consented() -> Case {
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
        own_words: false,
        request_of_another: false,
        change: |_| (),
    }
}

/// The same under the Tajik text, with a notice that was delivered.
fn notified() -> Case {
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
fn published() -> Case {
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

fn to_party() -> Case {
    Case {
        ground: Value::Null,
        presented: vec!["*"],
        disclosure: disclosure("NOT_THIRD_PARTY", "GOVERNMENT_BODY", "JP-NPA", "investigation", &["*"]),
        ..consented()
    }
}

fn referral() -> Case {
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
fn suspension() -> Case {
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
fn ordered() -> Case {
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
        confirmed_ms: civil::moment_ms("2026-06-02T00:00:00Z").unwrap(),
    });
    case
}

/// An own answer to the other side, in words that are stated to be its own.
fn own_answer() -> Case {
    let body = json!({"answer": "A", "complete": true, "attachments": []});
    let mut notice = body_of("F10", "INQUIRY_REPLY", KG, JP, "JP-KG-SSW-2023", body);
    notice["correlates_to"] = "JP-F09".into();
    Case {
        discloser: ContactPoint::new(KG.1, 1),
        notice,
        ground: Value::Null,
        presented: vec!["answer"],
        disclosure: disclosure("OWN_INFORMATION", "MEDIA", "A Newspaper", "news", &["answer"]),
        notice_answers: true,
        own_words: true,
        ..consented()
    }
}

/// The same with one thing changed in what was recorded.
fn ordered_with(change: impl FnOnce(&mut RecordedGround)) -> Case {
    let mut case = ordered();
    change(case.disclosure.recorded.as_mut().unwrap());
    case
}

fn sign(
    by: &ContactPoint,
    to: &ContactPoint,
    value: &Value,
    (id, written): (u8, &str),
    answers: Option<(MessageId, StatementDigest)>,
) -> Signed {
    let notice = Notice::from_json(value.to_string().as_bytes()).unwrap_or_else(|refusal| panic!("{refusal}"));
    let header = notice.header();
    let message_id = MessageId::from_bytes([id; 16]);
    let memoranda = Memoranda::parse(Memoranda::shipped().iter().copied()).unwrap();
    let statement = Statement {
        message_id,
        terms_digest: memoranda.get(&header.memorandum).unwrap().terms_digest(),
        memorandum: header.memorandum,
        flow: header.flow,
        sender: by.card.id.clone(),
        sender_key: by.card.envelope_key.fingerprint(),
        recipient: to.card.id.clone(),
        recipient_key: to.recipient.fingerprint(),
        created_ms: civil::moment_ms(written).unwrap(),
        not_after_ms: civil::moment_ms(written).unwrap() + 1,
        number: 1,
        previous: StatementDigest::NONE,
        answers: answers.map(|(message_id, statement)| Answers { message_id, statement }),
        sealed_sha256: [0; 32],
        sealed_bytes: 100,
        content_root: content_root(&by.card.id, message_id, &SEED, notice.chunks()),
    };
    Signed { envelope: sign_statement(statement, &by.secret(Role::Envelope)).unwrap(), notice }
}

fn cut(signed: &Signed, places: &[u32]) -> Part {
    part(signed.envelope.bytes(), &SEED, signed.notice.chunks(), places).unwrap()
}

fn logged(by: &ContactPoint, entry: Vec<u8>) -> (Vec<u8>, String) {
    let mut tree = Tree::default();
    tree.append(leaf_hash(b"genesis"));
    let index = tree.append(leaf_hash(&entry));
    let head = Checkpoint { origin: by.card.log_origin.clone(), size: tree.size(), root: tree.root() };
    let hashes = tree.inclusion_proof(index, tree.size()).unwrap();
    (entry, TlogProof { index, hashes, checkpoint: head.sign(&by.secret(Role::Log)) }.to_text())
}

impl Case {
    fn make(&self) -> Presentation {
        let answered = self.notice_answers.then(|| (MessageId::from_bytes([8; 16]), StatementDigest([8; 32])));
        let recipient = if self.originator.card.id == self.discloser.card.id {
            &ContactPoint::new(JP.1, 2)
        } else {
            &self.discloser
        };
        let notice = sign(&self.originator, recipient, &self.notice, (1, WRITTEN), answered);
        let id = |signed: &Signed| (signed.envelope.statement().message_id, signed.envelope.digest());
        let about =
            if self.answers_another { (MessageId::from_bytes([7; 16]), StatementDigest([7; 32])) } else { id(&notice) };
        let (mut grounds, mut links, mut receipt) = (Vec::new(), Vec::new(), None);
        if self.ground_by_originator && !self.ground.is_null() {
            let stranger = ContactPoint::new("XX-STRANGER", 5);
            let asker = if self.request_of_another { &stranger } else { &self.discloser };
            let request = sign(asker, &self.originator, &self.request, (2, WRITTEN), Some(about));
            grounds.push(sign(
                &self.originator,
                &self.discloser,
                &self.ground,
                (3, self.ground_written),
                Some(id(&request)),
            ));
            links.push(request.envelope.bytes().to_vec());
        } else if !self.ground.is_null() {
            let ground = sign(&self.discloser, &self.originator, &self.ground, (3, self.ground_written), Some(about));
            let envelope = ground.envelope.bytes().to_vec();
            receipt = self.delivered_at.map(|at| {
                let event = if self.ground_refused {
                    Event::NoticeRefused(NoticeRefused {
                        envelope,
                        code: "WRONG_DIRECTION".into(),
                        ..NoticeRefused::default()
                    })
                } else {
                    Event::NoticeReceived(NoticeReceived { envelope, facts_digest: vec![] })
                };
                let entry = encode_entry(civil::moment_ms(at).unwrap(), event).unwrap();
                let (entry, proof) = logged(&self.originator, entry);
                Receipt { entry, proof }
            });
            grounds.push(ground);
        }
        let disclosed_ms = civil::moment_ms(self.at).unwrap();
        let disclosure = Disclosure {
            message_id: notice.envelope.statement().message_id.as_bytes().to_vec(),
            statement_digest: notice.envelope.digest().0.to_vec(),
            discloser: self.discloser.card.id.clone(),
            disclosed_ms,
            grounds: grounds.iter().map(|ground| ground.envelope.digest().0.to_vec()).collect(),
            ..self.disclosure.clone()
        };
        let signed = sign_disclosure(&disclosure, &self.discloser.secret(Role::Envelope));
        let entry = Disclosed {
            message_id: disclosure.message_id.clone(),
            code: disclosure.code.clone(),
            disclosure_digest: signed.digest.to_vec(),
            own_words: self.own_words,
            ..Disclosed::default()
        };
        let (entry, proof) = logged(&self.discloser, encode_entry(disclosed_ms, Event::Disclosed(entry)).unwrap());
        let fields: Vec<String> = self.presented.iter().map(|field| (*field).to_owned()).collect();
        let ground: Release = disclosure.code.parse().unwrap();
        let mut places = notice.notice.places(&fields, ground);
        for field in &self.left_out {
            let left: Vec<u32> = notice.notice.places(&[(*field).to_owned()], Release::Allowed(Ground::ConsentOk));
            let kept = notice.notice.places(&[], Release::Allowed(Ground::ConsentOk));
            places.retain(|place| !left.contains(place) || (kept.contains(place) && *field != "header.notice_id"));
        }
        let whole = |signed: &Signed| (0..u32::try_from(signed.notice.chunks().len()).unwrap()).collect::<Vec<u32>>();
        let mut presentation = Presentation {
            version: 1,
            notice: Some(cut(&notice, &places)),
            disclosure: signed.bytes,
            grounds: grounds.iter().map(|ground| cut(ground, &whole(ground))).collect(),
            links,
            receipt,
            entry,
            proof,
        };
        (self.change)(&mut presentation);
        presentation
    }

    fn check(&self) -> Result<Value, String> {
        let memoranda = Memoranda::parse(Memoranda::shipped().iter().copied()).unwrap();
        let text = presentation_text(&self.make(), "A presentation.");
        let checked = check_presentation(&text, &self.originator.card, Some(&self.discloser.card), &memoranda);
        checked.map(|checked| checked.to_json()).map_err(|fault| fault.to_string())
    }
}

#[test]
fn what_was_disclosed_lawfully_holds() {
    let consented = consented().check().unwrap();
    assert_eq!(consented["said"]["examinees"].as_array().unwrap().len(), 2);
    assert_eq!((&consented["conditions"], &consented["logged"]["index"]), (&json!(["a condition"]), &1.into()));
    assert_eq!(notified().check().unwrap()["code"], "NOTICE_OK");
    assert_eq!(to_party().check().unwrap()["withheld"], 0);
    assert_eq!(published().check().unwrap()["said"], json!({"org": {"name_en": "N"}, "revoked_on": "2026-04-15"}));
    assert_eq!(referral().check().unwrap()["code"], "PREAUTHORISED_FIELD");
    assert_eq!(suspension().check().unwrap()["said"], json!({"field": "F", "action": "A"}));
    assert_eq!(own_answer().check().unwrap()["own_words"], true);
    let ordered = ordered().check().unwrap();
    assert_eq!(ordered["outside_log"]["document_sha256"], "06".repeat(32));
    // Less than what was allowed.
    let mut less = consented_with(|case| case.disclosure.fields.push("examinees".into()));
    less.presented = vec![];
    assert_eq!(less.check().unwrap()["said"], json!({}));
}

fn consented_with(change: impl FnOnce(&mut Case)) -> Case {
    let mut case = consented();
    change(&mut case);
    case
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
        ("an answer that may quote", with(own_answer(), |c| c.own_words = false), "DERIVED_FROM_OTHER"),
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
        ("a field too many", consented_with(|c| c.presented.push("wrongdoing")), "FieldTooMany:wrongdoing"),
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
        ("a grant to somebody else", consented_with(|c| c.request_of_another = true), "request of the discloser"),
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
            "another notice",
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
            "a purpose that writes lines of the report",
            consented_with(|c| c.disclosure.purpose = "x\n  ground        CONSENT_OK".into()),
            "no line of text",
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
            with(notified(), |c| c.delivered_at = Some("2026-06-16T00:00:00Z")),
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
    let alone = check_presentation(&text, &case.originator.card, None, &memoranda).err().unwrap();
    assert!(alone.to_string().contains("second --card"), "{alone}");
    // What is the originator's own needs its card alone.
    let own = || ContactPoint::new(JP.1, 2);
    let mut case = Case { originator: own(), discloser: own(), ..referral() };
    case.disclosure = disclosure("OWN_INFORMATION", "MEDIA", "A newspaper", "a warning", &["facts"]);
    case.presented = vec!["facts"];
    let text = presentation_text(&case.make(), "");
    assert!(check_presentation(&text, &case.originator.card, None, &memoranda).is_ok());
    case.change = |p| p.disclosure[20] ^= 1;
    let text = presentation_text(&case.make(), "");
    assert!(check_presentation(&text, &case.originator.card, None, &memoranda).is_err());
}

#[test]
fn withheld_fields_cannot_be_found_or_guessed() {
    let text = presentation_text(&consented().make(), "");
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
