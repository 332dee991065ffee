//! The local side: roles on every method, and input that no registry would send.

use std::collections::HashMap;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use verbale_node::{Folder, connect, connect_tls};
use verbale_proto::v1::{
    AcknowledgeRequest, ApproveRequest, AskAccountRequest, AskErasureRequest, AudiencesRequest, BreachesRequest,
    CommenceRequest, ConfirmAudienceRequest, ConfirmGroundRequest, ConsentsRequest, DisclosureQuery,
    DisclosuresRequest, DraftsRequest, DropDraftRequest, DutiesRequest, EndAudienceRequest, EndGroundRequest,
    EnrolCardRequest, EnterAudienceRequest, ErasuresRequest, ExportLogRequest, GroundsRequest, ListRequest,
    OpenRequest, OrganisationsRequest, PublishRequest, ReadLogRequest, ReceiptsRequest, RecordGroundRequest,
    RegisterRequest, ReportBreachRequest, SettleErasureRequest, ShowCardRequest, ShowRequest, StatusRequest,
    SubmitRequest, WriteRequest,
};
use verbale_rpc::Failure;
use verbale_rpc::node_client::NodeClient;
use verbale_rpc::tonic::Status;
use verbale_rpc::tonic::transport::Channel;

use super::attacker::soon;
use crate::node::{Node, verbale};
use crate::notices::general;

type Client = NodeClient<Channel>;

/// Every method of the local service, with the roles that may call it: the table that `local.proto` promises.
const METHODS: [(&str, &[&str]); 38] = [
    ("Submit", &["system", "operator", "approver"]),
    ("Drafts", &["system", "operator", "approver"]),
    ("Approve", &["approver"]),
    ("DropDraft", &["operator", "approver"]),
    ("List", ALL),
    ("Show", ALL),
    ("Open", &["system", "operator", "approver"]),
    ("Acknowledge", &["system", "operator"]),
    ("Receipts", ALL),
    ("Status", ALL),
    ("ShowCard", ALL),
    ("EnrolCard", &["operator"]),
    ("Duties", &["system", "operator", "approver"]),
    ("Organisations", &["system", "operator", "approver"]),
    ("Write", &["operator", "approver"]),
    ("Consents", &["operator", "approver"]),
    ("Audiences", &["operator", "approver"]),
    ("EnterAudience", &["operator", "approver"]),
    ("ConfirmAudience", &["operator", "approver"]),
    ("EndAudience", &["operator", "approver"]),
    ("RecordGround", &["operator", "approver"]),
    ("ConfirmGround", &["approver"]),
    ("EndGround", &["operator", "approver"]),
    ("Grounds", &["operator", "approver"]),
    ("AskErasure", &["operator", "approver"]),
    ("SettleErasure", &["operator", "approver"]),
    ("Erasures", &["operator", "approver"]),
    ("Judge", &["operator", "approver"]),
    ("Disclose", &["approver"]),
    ("Disclosures", &["operator", "approver"]),
    ("AskAccount", &["operator", "approver"]),
    ("Breaches", &["operator", "approver"]),
    ("ReportBreach", &["operator", "approver"]),
    ("Publish", &["operator", "approver"]),
    ("Register", &["system", "operator", "approver"]),
    ("Commence", &["approver"]),
    ("ReadLog", &["auditor", "operator"]),
    ("ExportLog", &["auditor", "operator"]),
];

const ALL: &[&str] = &["system", "operator", "approver", "auditor"];

const SERVICE: &str = include_str!("../../../proto/verbale/v1/local.proto");

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn each_method_of_the_local_service_asks_for_its_role() {
    let mut node = Node::init("JP-MOJ-ISA-RMD");
    let person = Node::init("XX-PERSON");
    let key = person.key_for(&node);
    node.start();
    let address = node.local_address();
    // A key that the node does not know is turned away with its fingerprint.
    let said = verbale(&["--connect", &address, "--key", &key, "status"], None);
    let fingerprint = said.err.split("fingerprint ").nth(1).unwrap().get(..64).unwrap().to_owned();
    let mut rows = 0;
    let in_schema = SERVICE.lines().filter_map(|line| line.strip_prefix("  rpc ")?.split('(').next());
    assert!(in_schema.eq(METHODS.map(|(method, _)| method)), "a method is missing in the table");
    for role in ["", "system", "operator", "approver", "auditor"] {
        let roles = if role.is_empty() { String::new() } else { format!("\"{role}\"") };
        node.stop();
        node.configure(|text| {
            let text = text.split("[[persons]]\nname = \"row\"").next().unwrap().to_owned();
            format!("{text}[[persons]]\nname = \"row\"\nroles = [{roles}]\nkeys = [\"{fingerprint}\"]\n")
        });
        node.start();
        let address = node.local_address();
        let mut client = connect_tls(&address, key.as_ref()).await.unwrap();
        let mut own = connect(&Folder::new(&node.dir)).await.unwrap();
        for (method, allowed) in METHODS {
            let before = denied(&mut own).await;
            let code = call(&mut client, method).await.err().map(|status| Failure::of(&status).code);
            let refused = code.as_deref() == Some("NOT_ALLOWED");
            assert_eq!(refused, !allowed.contains(&role), "{method} as {role}: {code:?}");
            let after = denied(&mut own).await;
            assert_eq!(after - before, u64::from(refused), "{method} as {role}: NOT_ALLOWED is counted wrongly");
            rows += 1;
        }
    }
    println!("{rows} rows");
    node.stop();
}

async fn denied(client: &mut Client) -> u64 {
    counts(client).await.get("NOT_ALLOWED").copied().unwrap_or_default()
}

async fn counts(client: &mut Client) -> HashMap<String, u64> {
    client.status(StatusRequest {}).await.unwrap().into_inner().denied
}

/// Calls a method with what gets as far as its role; whatever else it says does not matter here.
async fn call(client: &mut Client, method: &str) -> Result<(), Status> {
    let id = "KG-NONE".to_owned();
    match method {
        "Submit" => {
            let notices = tokio_stream::iter([SubmitRequest { notice_json: b"{}".to_vec() }]);
            client.submit(notices).await?.into_inner().message().await.map(drop)
        }
        "Drafts" => client.drafts(DraftsRequest {}).await.map(drop),
        "Approve" => client.approve(ApproveRequest { id }).await.map(drop),
        "DropDraft" => client.drop_draft(DropDraftRequest { id }).await.map(drop),
        "Organisations" => client.organisations(OrganisationsRequest {}).await.map(drop),
        "List" => client.list(ListRequest::default()).await.map(drop),
        "Show" => client.show(ShowRequest { id }).await.map(drop),
        "Open" => client.open(OpenRequest { id, purpose: "a purpose".to_owned() }).await.map(drop),
        "Acknowledge" => client.acknowledge(AcknowledgeRequest { id }).await.map(drop),
        "Receipts" => client.receipts(ReceiptsRequest { id, ..ReceiptsRequest::default() }).await.map(drop),
        "Status" => client.status(StatusRequest {}).await.map(drop),
        "ShowCard" => client.show_card(ShowCardRequest {}).await.map(drop),
        "EnrolCard" => client.enrol_card(EnrolCardRequest::default()).await.map(drop),
        "ReadLog" => client.read_log(ReadLogRequest { from_index: 0 }).await?.into_inner().message().await.map(drop),
        "ExportLog" => client.export_log(ExportLogRequest::default()).await?.into_inner().message().await.map(drop),
        "Duties" => client.duties(DutiesRequest::default()).await.map(drop),
        "Write" => client.write(WriteRequest::default()).await.map(drop),
        "Consents" => client.consents(ConsentsRequest {}).await.map(drop),
        "Audiences" => client.audiences(AudiencesRequest {}).await.map(drop),
        "EnterAudience" => client.enter_audience(EnterAudienceRequest::default()).await.map(drop),
        "ConfirmAudience" => client.confirm_audience(ConfirmAudienceRequest::default()).await.map(drop),
        "RecordGround" => {
            client.record_ground(RecordGroundRequest { id, ..RecordGroundRequest::default() }).await.map(drop)
        }
        "ConfirmGround" => client.confirm_ground(ConfirmGroundRequest::default()).await.map(drop),
        "AskErasure" => client.ask_erasure(AskErasureRequest { id, ..AskErasureRequest::default() }).await.map(drop),
        "SettleErasure" => client.settle_erasure(SettleErasureRequest { id, confirm: false }).await.map(drop),
        "Erasures" => client.erasures(ErasuresRequest::default()).await.map(drop),
        "EndAudience" => client.end_audience(EndAudienceRequest::default()).await.map(drop),
        "EndGround" => client.end_ground(EndGroundRequest::default()).await.map(drop),
        "Grounds" => client.grounds(GroundsRequest {}).await.map(drop),
        "Judge" => client.judge(DisclosureQuery { id, ..DisclosureQuery::default() }).await.map(drop),
        "Disclose" => client.disclose(DisclosureQuery { id, ..DisclosureQuery::default() }).await.map(drop),
        "Disclosures" => {
            let all = DisclosuresRequest::default();
            client.disclosures(all).await?.into_inner().message().await.map(drop)
        }
        "AskAccount" => client.ask_account(AskAccountRequest { id }).await.map(drop),
        "Breaches" => client.breaches(BreachesRequest {}).await.map(drop),
        "ReportBreach" => client.report_breach(ReportBreachRequest { id }).await.map(drop),
        "Publish" => client.publish(PublishRequest { id, ..PublishRequest::default() }).await.map(drop),
        "Register" => client.register(RegisterRequest {}).await?.into_inner().message().await.map(drop),
        "Commence" => client.commence(CommenceRequest::default()).await.map(drop),
        other => panic!("no method {other}"),
    }
}

/// Name, code, and the bytes that are submitted as a notice.
fn submissions() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let good = general(true, "JP-1", "text");
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replace(from, to).into_bytes()
    };
    vec![
        ("nothing", "BAD_JSON", Vec::new()),
        (
            "bytes that are not UTF-8",
            "BAD_JSON",
            with("text", "te\u{1}t").iter().map(|b| if *b == 1 { 0xff } else { *b }).collect(),
        ),
        ("JSON that ends too early", "BAD_JSON", good.as_bytes()[..40].to_vec()),
        ("something behind the notice", "BAD_JSON", format!("{good} {{}}").into_bytes()),
        ("a list", "BAD_VALUE", b"[1]".to_vec()),
        ("lists a hundred thousand deep", "BAD_JSON", vec![b'['; 100_000]),
        ("objects a hundred thousand deep", "BAD_JSON", b"{\"a\":".repeat(100_000)),
        ("a member twice", "DUPLICATE_MEMBER", with("\"flow\":", "\"flow\":\"F14\",\"flow\":")),
        ("half of a surrogate pair", "LONE_SURROGATE", with("\"text\":\"text\"", "\"text\":\"\\ud800\"")),
        ("a NUL character", "NUL_CHAR", with("\"text\":\"text\"", "\"text\":\"\\u0000\"")),
        ("a character that turns text around", "BIDI_CONTROL", with("\"text\":\"text\"", "\"text\":\"\u{202e}\"")),
        ("an unknown member", "UNKNOWN_FIELD", with("\"flow\":", "\"colour\":1,\"flow\":")),
        ("a number of 400 digits", "BAD_JSON", with("\"text\":\"text\"", &format!("\"text\":1{}", "0".repeat(400)))),
        ("a registry number with a line end", "BAD_VALUE", with("\"JP-1\"", "\"JP-1\\n\"")),
        (
            "more fields than a notice may have",
            "TOO_LARGE",
            with("[\"en\"]", &format!("[{}\"en\"]", "\"en\",".repeat(70_000))),
        ),
        ("a notice of nobody who is enrolled", "COUNTERPART_NOT_ENROLLED", good.clone().into_bytes()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn each_wrong_submission_has_its_code_and_its_counter_and_the_next_is_taken() {
    let mut node = Node::init("JP-MOJ-ISA-RMD");
    node.configure(|text| text.replace("stall_seconds = 30", "stall_seconds = 1"));
    node.start();
    let mut client = connect(&Folder::new(&node.dir)).await.unwrap();
    let rows = submissions();
    for (row, code, notice_json) in &rows {
        let before = counts(&mut client).await.get(*code).copied().unwrap_or_default();
        let notices = tokio_stream::iter([SubmitRequest { notice_json: notice_json.clone() }]);
        let answer = client.submit(notices).await.unwrap().into_inner().message().await.unwrap().unwrap();
        match answer.outcome {
            Some(verbale_proto::v1::submit_response::Outcome::Refused(refused)) => {
                assert_eq!(refused.code, *code, "{row}");
            }
            other => panic!("{row}: {other:?}"),
        }
        assert_eq!(counts(&mut client).await.get(*code).copied(), Some(before + 1), "{row}: {code} was not counted");
    }
    over_the_limit_of_a_message(&mut client).await;
    garbage_on_the_socket(&node).await;
    a_crowd_on_the_socket(&node).await;
    answers_that_nobody_takes(&node).await;
    submissions_without_end(&node).await;
    // It still answers, and took no memory for all that.
    client.status(StatusRequest {}).await.unwrap();
    assert!(node.peak_memory() < 300 << 20, "{} bytes", node.peak_memory());
    println!("{} rows", rows.len() + 5);
    node.stop();
}

async fn over_the_limit_of_a_message(client: &mut Client) {
    let notices = tokio_stream::iter([SubmitRequest { notice_json: vec![b' '; 18 << 20] }]);
    let mut unlimited = client.clone().max_encoding_message_size(64 << 20);
    let ended: Result<_, Status> = async { unlimited.submit(notices).await?.into_inner().message().await }.await;
    assert!(ended.is_err(), "a message over the limit was taken");
    assert_eq!(counts(client).await.get("MESSAGE_TOO_LARGE").copied(), Some(1));
}

async fn garbage_on_the_socket(node: &Node) {
    let mut stream = UnixStream::connect(node.dir.join("verbale.sock")).await.unwrap();
    let _ = stream.write_all(&vec![0x5a; 100_000]).await;
    let mut answer = Vec::new();
    let _ = soon(stream.read_to_end(&mut answer)).await;
}

/// One person opens more connections than are hers; they are counted, and places are left to others.
async fn a_crowd_on_the_socket(node: &Node) {
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(UnixStream::connect(node.dir.join("verbale.sock")).await.unwrap());
    }
    // Those turned away are closed at once.
    let mut closed = 0;
    let mut byte = [0];
    for stream in &mut crowd {
        if let Ok(Ok(0)) = tokio::time::timeout(std::time::Duration::from_millis(20), stream.read(&mut byte)).await {
            closed += 1;
        }
    }
    drop(crowd);
    assert!((60..=100).contains(&closed), "{closed} of 100 were turned away");
    let counted = until_connected(node).await.get("PERSON_CONNECTION_LIMIT").copied();
    assert!(counted >= Some(60), "{counted:?}");
}

/// What the node denied, asked as soon as it takes connections again.
async fn until_connected(node: &Node) -> HashMap<String, u64> {
    let deadline = std::time::Instant::now() + super::attacker::PATIENCE;
    loop {
        if let Ok(mut client) = connect(&Folder::new(&node.dir)).await
            && let Ok(status) = client.status(StatusRequest {}).await
        {
            return status.into_inner().denied;
        }
        assert!(std::time::Instant::now() < deadline, "the node does not take connections again");
    }
}

/// A slow reader: it submits and never takes an answer. It is ended, and others submit meanwhile.
async fn answers_that_nobody_takes(node: &Node) {
    let mut client = connect(&Folder::new(&node.dir)).await.unwrap();
    let (requests, stream) = tokio::sync::mpsc::channel(64);
    let responses = client.submit(tokio_stream::wrappers::ReceiverStream::new(stream)).await.unwrap();
    // Each is refused with a sentence; the answers fill the queue and the window of 4 MiB.
    let sending =
        tokio::spawn(
            async move { while requests.send(SubmitRequest { notice_json: b"{}".to_vec() }).await.is_ok() {} },
        );
    let deadline = std::time::Instant::now() + super::attacker::PATIENCE;
    while !until_connected(node).await.contains_key("STALLED") {
        assert!(std::time::Instant::now() < deadline, "it was not ended");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    sending.abort();
    drop(responses);
}

/// A stream of submissions that never ends is answered as it comes, and others are served beside it.
async fn submissions_without_end(node: &Node) {
    let mut client = connect(&Folder::new(&node.dir)).await.unwrap();
    let (requests, stream) = tokio::sync::mpsc::channel(4);
    let mut responses = client.submit(tokio_stream::wrappers::ReceiverStream::new(stream)).await.unwrap().into_inner();
    for _ in 0..200 {
        requests.send(SubmitRequest { notice_json: b"{}".to_vec() }).await.unwrap();
        assert!(soon(responses.message()).await.unwrap().is_some());
    }
    let mut other = connect(&Folder::new(&node.dir)).await.unwrap();
    other.status(StatusRequest {}).await.unwrap();
}
