//! Notices that are wrong in one part each, sent by an enrolled counterpart as the next of its channel.

use prost::Message as _;
use serde_json::{Value, json};
use verbale_domain::Notice;
use verbale_evidence::{CARD_STATEMENT, CardStatement, StatementDigest};
use verbale_keys::{Fingerprint, SecretKey};
use verbale_proto::v1::{Answers, Chunk, Content, EnvelopeSignature};

use super::craft::{Craft, now_ms, padded};
use super::stage::Stage;

/// Name, what the node must answer, and the change that makes an honest notice into this one.
type Row = (&'static str, &'static str, fn(&mut Craft, &Stage));

const DAY_MS: i64 = 24 * 3600 * 1000;

/// Makes the statement of the attacker's present card of it, as it would sign that.
fn stated(craft: &mut Craft, stage: &Stage) {
    let before = &craft.statement;
    let place = CardStatement {
        recipient: (&before.recipient, Fingerprint::from_digest(before.recipient_key.as_slice().try_into().unwrap())),
        memorandum: (&before.memorandum, before.terms_digest.as_slice().try_into().unwrap()),
        created_ms: before.created_ms,
        number: before.number,
        previous: StatementDigest(before.previous.as_slice().try_into().unwrap()),
    };
    let card = &stage.attacker.card;
    let statement = place.about(card);
    craft.statement.message_id = statement.message_id.as_bytes().to_vec();
    CARD_STATEMENT.clone_into(&mut craft.statement.flow);
    craft.statement.not_after_ms = statement.not_after_ms;
    craft.root = Some(card.digest());
    craft.change_sealed = Vec::clear;
    craft.change_sent = |sent| sent.statement_only = true;
}

const ROWS: [Row; 62] = [
    ("an honest notice", "RECEIVED", |_, _| ()),
    // The envelope.
    ("an unknown field in the envelope", "REJECTED NOT_AUTHENTIC", |c, _| c.behind_envelope = vec![0x20, 1]),
    ("an envelope of another type", "REJECTED NOT_AUTHENTIC", |c, _| {
        "application/vnd.in-toto+json".clone_into(&mut c.payload_type);
    }),
    ("a card's type around a statement", "REJECTED NOT_AUTHENTIC", |c, _| {
        "application/vnd.verbale.card.v1+protobuf".clone_into(&mut c.payload_type);
    }),
    ("no signature", "REJECTED NOT_AUTHENTIC", |c, _| c.change_envelope = |e| e.signatures.clear()),
    ("two signatures, one of them good", "REJECTED NOT_AUTHENTIC", |c, _| {
        c.change_envelope = |e| e.signatures.push(EnvelopeSignature { sig: vec![1; 64], keyid: String::new() });
    }),
    ("a signature of 63 bytes", "REJECTED NOT_AUTHENTIC", |c, _| {
        c.change_envelope = |e| e.signatures[0].sig.truncate(63);
    }),
    ("a changed signature", "REJECTED NOT_AUTHENTIC", |c, _| c.change_envelope = |e| e.signatures[0].sig[5] ^= 1),
    ("a changed statement", "REJECTED NOT_AUTHENTIC", |c, _| c.change_envelope = |e| e.payload[40] ^= 1),
    ("a key id that names another key", "REJECTED NOT_AUTHENTIC", |c, _| {
        c.change_envelope = |e| e.signatures[0].keyid = "0".repeat(64);
    }),
    ("a key id that smuggles text", "REJECTED NOT_AUTHENTIC", |c, _| {
        c.change_envelope = |e| e.signatures[0].keyid = "x".repeat(65);
    }),
    ("signed with the key of the log", "REJECTED NOT_AUTHENTIC", |c, s| c.key = again(&s.attacker.log)),
    ("signed and named with the key of the log", "REJECTED NOT_AUTHENTIC", |c, s| {
        c.key = again(&s.attacker.log);
        c.statement.sender_key = c.key.public().fingerprint().as_bytes().to_vec();
    }),
    ("signed by another enrolled counterpart", "REJECTED NOT_AUTHENTIC", |c, s| c.key = again(&s.honest.envelope)),
    // The statement.
    ("an unknown field in the statement", "REJECTED NOT_AUTHENTIC", |c, _| c.behind_statement = vec![0xf8, 7, 1]),
    ("a statement of version 2", "REJECTED NOT_AUTHENTIC", |c, _| c.statement.version = 2),
    // Its own fields have limits: only with something unknown does a statement grow. Which of the two rules speaks first is
    // for the unit tests of `evidence`.
    ("a statement over 4 KiB", "REJECTED NOT_AUTHENTIC", |c, _| {
        c.behind_statement = [vec![0xfa, 7, 0x80, 0x20], vec![0; 4096]].concat();
    }),
    ("a message id of 15 bytes", "REJECTED NOT_AUTHENTIC", |c, _| {
        c.change_envelope = |_| ();
        c.root = Some([1; 32]);
        c.statement.message_id.truncate(15);
    }),
    ("a name where an identifier must be", "REJECTED NOT_AUTHENTIC", |c, _| {
        "A person".clone_into(&mut c.statement.flow);
    }),
    ("the number zero", "REJECTED NOT_AUTHENTIC", |c, _| c.statement.number = 0),
    ("a number used before", "REJECTED CONFLICT", |c, _| c.statement.number = 1),
    ("a number skipped", "REJECTED NOT_NEXT", |c, _| c.statement.number += 1),
    ("the last number there is", "REJECTED NOT_NEXT", |c, _| c.statement.number = u64::MAX),
    ("a statement that follows another one", "REJECTED BROKEN_CHAIN", |c, _| c.statement.previous = vec![7; 32]),
    ("another recipient", "REJECTED WRONG_CHANNEL", |c, s| s.honest.card.id.clone_into(&mut c.statement.recipient)),
    ("another sender", "REJECTED WRONG_CHANNEL", |c, s| s.honest.card.id.clone_into(&mut c.statement.sender)),
    ("another memorandum than the channel's", "REJECTED WRONG_CHANNEL", |c, _| {
        "JP-TJ-SSW-2024".clone_into(&mut c.statement.memorandum);
    }),
    ("a key of the recipient that it never had", "REFUSED UNOPENABLE", |c, _| c.statement.recipient_key = vec![9; 32]),
    ("other terms of the memorandum", "REFUSED MEMORANDUM_MISMATCH", |c, _| c.statement.terms_digest = vec![9; 32]),
    ("out of time", "REFUSED EXPIRED", |c, _| c.statement.not_after_ms = now_ms() - 1),
    ("out of time since long before it was made", "REFUSED EXPIRED", |c, _| c.statement.not_after_ms = i64::MIN),
    ("made far in the future", "REFUSED CREATED_IN_FUTURE", |c, _| {
        c.statement.created_ms = now_ms() + 2 * DAY_MS;
        c.statement.not_after_ms = c.statement.created_ms + DAY_MS;
    }),
    ("made at the end of time", "REFUSED CREATED_IN_FUTURE", |c, _| {
        (c.statement.created_ms, c.statement.not_after_ms) = (i64::MAX, i64::MAX);
    }),
    ("a statement that answers a notice which the content does not name", "REFUSED BAD_CORRELATION", |c, _| {
        c.statement.answers = Some(Answers { message_id: vec![7; 16], statement_digest: vec![7; 32] });
    }),
    ("the statement alone, still in time", "REFUSED EXPIRED", |c, _| {
        c.change_sent = |sent| {
            sent.sealed.clear();
            sent.statement_only = true;
        };
    }),
    // The statement of a card.
    ("the statement of the present card, under an id of its own", "REJECTED UNKNOWN_CARD", |c, s| {
        stated(c, s);
        c.statement.message_id[15] ^= 1;
    }),
    ("the statement of a card that was never shown", "REJECTED UNKNOWN_CARD", |c, s| {
        stated(c, s);
        c.root = Some([7; 32]);
    }),
    ("the statement of a card that answers a notice", "REJECTED UNKNOWN_CARD", |c, s| {
        stated(c, s);
        c.statement.answers = Some(Answers { message_id: vec![7; 16], statement_digest: vec![7; 32] });
    }),
    // The sealed bytes.
    ("other sealed bytes than those signed", "REJECTED NOT_THE_SIGNED_BYTES", |c, _| {
        c.change_sent = |sent| *sent.sealed.last_mut().unwrap() ^= 1;
    }),
    ("sealed bytes that go on", "REJECTED NOT_THE_SIGNED_BYTES", |c, _| c.change_sent = |sent| sent.sealed.push(0)),
    ("an age header of another version", "REFUSED UNOPENABLE", |c, _| c.change_sealed = |s| s[20] = b'2'),
    ("an age header without its MAC", "REFUSED UNOPENABLE", |c, _| {
        c.change_sealed = |s| {
            let at = s.windows(4).position(|four| four == b"\n---").unwrap();
            s.truncate(at);
        };
    }),
    ("an age file cut short", "REFUSED UNOPENABLE", |c, _| c.change_sealed = |s| s.truncate(s.len() - 1)),
    ("an age file with a changed byte", "REFUSED UNOPENABLE", |c, _| c.change_sealed = |s| *s.last_mut().unwrap() ^= 1),
    // The node could open it: its own key is one of the two.
    ("an extra stanza, for a second recipient", "REFUSED UNOPENABLE", |c, s| {
        c.also_to = Some(s.stranger.card.age_recipient.clone());
    }),
    ("sealed to a stranger", "REFUSED UNOPENABLE", |c, s| s.stranger.card.age_recipient.clone_into(&mut c.recipient)),
    ("sealed bytes that are no age file", "REFUSED UNOPENABLE", |c, _| {
        c.change_sealed = |s| *s = b"-----BEGIN AGE ENCRYPTED FILE-----\n".to_vec();
    }),
    // The content.
    ("content that a third party once sealed to somebody else", "REFUSED CONTENT_MISMATCH", |c, s| {
        s.honest.card.id.clone_into(&mut c.content.sender);
    }),
    ("content for another recipient", "REFUSED CONTENT_MISMATCH", |c, s| {
        s.honest.card.id.clone_into(&mut c.content.recipient);
    }),
    ("content of another message", "REFUSED CONTENT_MISMATCH", |c, _| c.content.message_id = vec![1; 16]),
    ("another registry number outside than inside", "REFUSED CONTENT_MISMATCH", |c, _| {
        "KG-OTHER".clone_into(&mut c.content.notice_id);
    }),
    ("padding that is not zero", "REFUSED CONTENT_MISMATCH", |c, _| {
        c.plain = padded(&c.content.encode_to_vec());
        *c.plain.last_mut().unwrap() = 1;
    }),
    ("padding that is too long", "REFUSED CONTENT_MISMATCH", |c, _| {
        c.plain = padded(&c.content.encode_to_vec());
        c.plain.push(0);
    }),
    ("an unknown field in the content", "REFUSED CONTENT_MISMATCH", |c, _| {
        c.plain = padded(&[c.content.encode_to_vec(), vec![0x9a, 6, 1, 7]].concat());
    }),
    ("chunks in another order", "REFUSED BAD_VALUE", |c, _| c.content.chunks.swap(1, 2)),
    ("a chunk twice", "REFUSED BAD_VALUE", |c, _| {
        let twice = c.content.chunks[2].clone();
        c.content.chunks.insert(2, twice);
    }),
    ("a path that is not the chunk's", "REFUSED BAD_VALUE", |c, _| c.content.chunks[2].path.push(1)),
    ("a seed of 31 bytes", "REFUSED CONTENT_MISMATCH", |c, _| c.content.seed.truncate(31)),
    ("a leaf fewer than was signed", "REFUSED CONTENT_MISMATCH", |c, _| {
        c.root = Some(root_of(&c.content));
        c.content.chunks.pop();
    }),
    ("more leaves than a notice may have", "REFUSED CONTENT_MISMATCH", |c, _| {
        c.content.chunks = vec![Chunk::default(); 70_000];
    }),
    ("messages nested a thousand deep", "REFUSED BAD_VALUE", |c, _| {
        let deep = (0..1000).fold(Vec::new(), |inner: Vec<u8>, _| wrapped(&inner));
        c.content.chunks[2].bytes = deep;
    }),
    ("a text that is not UTF-8", "REFUSED BAD_VALUE", |c, _| {
        let bytes = &mut c.content.chunks[2].bytes;
        *bytes.last_mut().unwrap() = 0xff;
    }),
];

/// Name, what the node must answer, and what makes an honest notice into this one.
type PolicyRow = (&'static str, &'static str, fn(&mut Value));

/// What the rules refuse on arrival too, when the sender's node did not look: its checks are ours to play with.
const POLICY_ROWS: [PolicyRow; 16] = [
    ("a kind that the other side sends", "REFUSED WRONG_DIRECTION", |n| {
        of_kind(n, "F26", "ACCEPTANCE_SUSPENSION");
        n["body"] =
            json!({"field": "a", "action": "b", "legal_ground": "c", "effective_on": "2026-03-01", "not_affected": []});
    }),
    ("a memorandum that nobody holds", "REFUSED UNKNOWN_MEMORANDUM", |n| n["memorandum"] = "JP-XX-2030".into()),
    ("a memorandum without Japan", "REFUSED JAPAN_NOT_PARTY", |n| n["memorandum"] = "TR-UZ-MOU".into()),
    ("a memorandum that has not commenced", "REFUSED NOT_COMMENCED", |n| n["memorandum"] = "JP-TJ-SSW-2024".into()),
    ("issued before commencement", "REFUSED BEFORE_COMMENCEMENT", |n| {
        n["issued_at"] = "2020-02-03T10:15:00+06:00".into();
    }),
    ("an office that is no contact point", "REFUSED NOT_A_PARTY", |n| n["to"]["office"] = "JP-NPA".into()),
    ("a body that is no party", "REFUSED NOT_A_PARTY", |n| n["from"]["office"] = "KG-MIA".into()),
    ("a ministry past its contact point", "REFUSED SENDER_NOT_CONTACT_POINT", |n| {
        n["from"]["office"] = "KG-MLSSM".into();
    }),
    ("a confidential kind labelled public", "REFUSED CLASS_TOO_LOW", |n| n["classification"] = "PUBLIC".into()),
    ("a restricted field to be published", "REFUSED PUBLISH_SET_LEAKS_RESTRICTED", |n| {
        n["restricted"] = json!({"text": true});
        n["publishable_fields"] = json!(["text"]);
    }),
    ("a disclosure notice where consent is needed", "REFUSED WRONG_INSTRUMENT", |n| {
        of_kind(n, "F24", "DISCLOSURE_NOTICE");
        n["body"] = json!({
            "about_notice": "JP-1", "fields": ["text"], "audience": {"class": "PUBLIC", "name": "all"}, "purpose": "p",
            "disclose_not_before": "2026-03-01T00:00:00+06:00",
        });
    }),
    ("a reply to nothing", "REFUSED MISSING_CORRELATION", |n| {
        of_kind(n, "F12", "INVESTIGATION_RESULT");
        n["body"] = json!({
            "org": {"registration_no": "1", "name_en": "A"}, "finding": "SUBSTANTIATED", "guidance_given": "", "measures": [],
            "investigated": {"from": "2026-01-01", "to": "2026-01-02"},
        });
    }),
    ("a reply to what nobody knows", "REFUSED BAD_CORRELATION", |n| n["correlates_to"] = "JP-404".into()),
    ("a third side's words that prove nothing", "REFUSED ONWARD_NOT_SOUND", |n| {
        n["onward"] = json!(["no presentation"]);
    }),
    ("a third side's words in two bytes of base64", "REFUSED ONWARD_NOT_SOUND", |n| {
        n["onward"] = json!(["-----BEGIN VERBALE PRESENTATION-----\nCAE=\n-----END VERBALE PRESENTATION-----\n"]);
    }),
    ("consent to what nobody asked", "REFUSED NO_SUCH_REQUEST", |n| {
        of_kind(n, "F22", "CONSENT_REFUSE");
        n["correlates_to"] = "JP-404".into();
        n["body"] = json!({"request": "JP-404", "reason": ""});
    }),
];

fn of_kind(notice: &mut Value, flow: &str, kind: &str) {
    (notice["flow"], notice["kind"]) = (flow.into(), kind.into());
}

#[tokio::test]
async fn each_wrong_part_of_a_notice_has_its_code_and_its_counter() {
    let mut stage = Stage::new();
    for (name, expected, change) in ROWS {
        let (mut link, mut craft) = stage.next().await;
        let before = stage.counted().await;
        change(&mut craft, &stage);
        link.batch(vec![craft.make()]).await;
        assert_eq!(link.verdict().await, expected, "{name}");
        expect(&stage, name, expected, &before).await;
        stage.still_serves(name).await;
    }
    for (name, expected, change) in POLICY_ROWS {
        policy_row(&mut stage, (name, expected), change).await;
    }
    a_used_registry_number(&mut stage).await;
    a_replay_after_a_restart(&mut stage).await;
    println!("{} rows", ROWS.len() + POLICY_ROWS.len() + 2);
    stage.node.stop();
}

async fn expect(stage: &Stage, name: &str, verdict: &str, before: &std::collections::HashMap<String, u64>) {
    if let Some(counter) = verdict.split_once(' ').map(|(what, code)| format!("{} {code}", what.to_lowercase())) {
        stage.expect_counted(name, &counter, before).await;
    }
}

async fn policy_row(stage: &mut Stage, (name, expected): (&str, &str), change: fn(&mut Value)) {
    let mut notice: Value = serde_json::from_str(&stage.next_json()).unwrap();
    change(&mut notice);
    let json = notice.to_string();
    let memorandum = Notice::from_json(json.as_bytes()).unwrap().header().memorandum;
    let mut link = stage.attacker.open(&stage.node.address, &memorandum).await.unwrap();
    let before = stage.counted().await;
    let target = super::craft::Target { memorandum: &memorandum, ..stage.target() };
    let notice = Craft::honest(&stage.attacker, &target, &link, &json).make();
    link.batch(vec![notice]).await;
    assert_eq!(link.verdict().await, expected, "{name}");
    expect(stage, name, expected, &before).await;
    stage.still_serves(name).await;
}

async fn a_used_registry_number(stage: &mut Stage) {
    let name = "a registry number used for another notice";
    policy_row(stage, (name, "REFUSED ID_REUSE"), |notice| {
        notice["notice_id"] = "KG-HOSTILE-1".into();
        notice["body"]["text"] = "Another text".into();
    })
    .await;
}

async fn a_replay_after_a_restart(stage: &mut Stage) {
    let (mut link, craft) = stage.next().await;
    let notice = craft.make();
    link.batch(vec![notice.clone()]).await;
    let first = link.answers().await.unwrap().unwrap();
    let size = |stage: &Stage| stage.node.run(&["--json", "status"]).good().json()[0]["log_size"].as_u64().unwrap();
    let before = size(stage);
    stage.node.stop();
    stage.node.start();
    stage.forget_links();
    let mut link = stage.attacker.open(&stage.node.address, super::stage::MEMORANDUM).await.unwrap();
    link.batch(vec![notice]).await;
    let again = link.answers().await.unwrap().unwrap();
    assert_eq!(again, first, "the receipt of a replay is not the first one");
    assert_eq!(size(stage), before, "a replay made an entry");
    stage.still_serves("a replay after a restart").await;
}

fn again(key: &SecretKey) -> SecretKey {
    SecretKey::from_pem(&key.to_pem()).unwrap()
}

fn root_of(content: &Content) -> [u8; 32] {
    let id = verbale_evidence::MessageId::try_from(content.message_id.as_slice()).unwrap();
    verbale_evidence::content_root(&content.sender, id, content.seed.as_slice().try_into().unwrap(), &content.chunks)
}

/// A message whose only field, of number 1, is another message.
fn wrapped(inner: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x0a];
    prost::encoding::encode_varint(inner.len() as u64, &mut bytes);
    bytes.extend_from_slice(inner);
    bytes
}
