//! Streams that break the protocol: what comes first, how much, how slowly.

use verbale_evidence::MessageId;
use verbale_proto::v1::{
    AccountRequest, DeliverRequest, DeliverResponse, NoticeBatch, OpenChannel, SealedNotice, SealedPiece,
    deliver_request,
};
use verbale_rpc::Failure;
use verbale_rpc::peer_client::PeerClient;
use verbale_rpc::tonic::client::Grpc;
use verbale_rpc::tonic::codegen::http::uri::PathAndQuery;
use verbale_rpc::tonic::{Request, Status};

use super::attacker::{HONEST, Link, soon};
use super::craft::Craft;
use super::stage::{MEMORANDUM, Stage};

const DELIVER: &str = "/verbale.v1.Peer/Deliver";

/// Name, how the stream must end, what is counted, and what is sent after the channel was opened, made of its next notice.
type Row = (&'static str, &'static str, &'static str, fn(Craft) -> Vec<DeliverRequest>);

const ROWS: [Row; 11] = [
    ("an empty batch", "ENDED PROTOCOL", "rejected PROTOCOL", |_| vec![batch(vec![])]),
    ("a batch of 257 notices", "ENDED PROTOCOL", "rejected PROTOCOL", |c| vec![batch(vec![c.make(); 257])]),
    ("a channel opened twice", "ENDED PROTOCOL", "rejected PROTOCOL", |_| vec![open(MEMORANDUM, 1)]),
    ("a piece of no notice", "ENDED PROTOCOL", "rejected PROTOCOL", |_| vec![piece(100)]),
    ("a request with nothing in it", "ENDED PROTOCOL", "rejected PROTOCOL", |_| vec![DeliverRequest { part: None }]),
    ("pieces before the last notice of a batch", "ENDED PROTOCOL", "rejected PROTOCOL", |c| {
        let notice = c.make();
        vec![batch(vec![in_pieces(&notice), notice])]
    }),
    ("a message over its limit", "ENDED", "rejected MESSAGE_TOO_LARGE", |c| {
        vec![batch(vec![SealedNotice { sealed: vec![0; 4 << 20], ..c.make() }])]
    }),
    ("a batch over its limit", "ENDED", "rejected MESSAGE_TOO_LARGE", |c| {
        vec![batch(vec![SealedNotice { sealed: vec![0; 300_000], ..c.make() }; 5])]
    }),
    ("a piece of another size than 256 KiB", "ENDED PROTOCOL", "rejected PROTOCOL", |c| {
        vec![batch(vec![in_pieces(&large(c))]), piece(1000)]
    }),
    ("a notice whose pieces do not come", "ENDED STALLED", "rejected STALLED", |c| {
        vec![batch(vec![in_pieces(&large(c))]), piece(256 << 10)]
    }),
    ("pieces without end", "ENDED PROTOCOL", "rejected PROTOCOL", |c| {
        let notice = large(c);
        let pieces = notice.sealed.chunks(256 << 10).map(<[u8]>::to_vec);
        let pieces = pieces.map(|bytes| request(deliver_request::Part::Piece(SealedPiece { bytes })));
        let more = (0..40).map(|_| piece(256 << 10));
        [batch(vec![in_pieces(&notice)])].into_iter().chain(pieces).chain(more).collect()
    }),
];

#[tokio::test]
async fn each_break_of_the_protocol_has_its_end_and_its_counter() {
    let mut stage = Stage::new();
    for (row, expected, counter, requests) in ROWS {
        let before = stage.counted().await;
        let (mut link, craft) = stage.next().await;
        for request in requests(craft) {
            link.send(request).await;
        }
        // tonic ends a stream over its limits with words of its own.
        let verdict = last_verdict(&mut link).await;
        assert!(verdict == expected || expected == "ENDED", "{row}: {verdict}");
        stage.expect_counted(row, counter, &before).await;
        stage.still_serves(row).await;
    }
    first_messages(&mut stage).await;
    over_the_limit_before_it_is_gathered(&mut stage).await;
    too_many_channels(&mut stage).await;
    an_answer_that_nobody_takes(&mut stage).await;
    no_message_at_all(&mut stage).await;
    another_service(&mut stage).await;
    accounts_of_others(&mut stage).await;
    println!("{} rows", ROWS.len() + 12);
    stage.node.stop();
}

/// What the stream ends with, whatever was answered before.
async fn last_verdict(link: &mut Link) -> String {
    loop {
        let verdict = link.verdict().await;
        if verdict.starts_with("ENDED") {
            return verdict;
        }
    }
}

/// Only who sent a notice is told where it went.
async fn accounts_of_others(stage: &mut Stage) {
    let inbox = stage.node.list("inbox");
    let of = |notice: &serde_json::Value| notice["counterpart"] == stage.honest.card.id.as_str();
    let another = inbox.into_iter().find(of).unwrap()["message_id"].as_str().unwrap().to_owned();
    let another: MessageId = another.parse().unwrap();
    let channel = stage.attacker.http(&stage.node.address, HONEST, 1 << 20).await.unwrap();
    let mut client = PeerClient::new(channel);
    let rows = [
        ("the account of another's notice", another.as_bytes().to_vec()),
        ("the account of no notice", vec![7; 16]),
        ("the account of what is no id", vec![7; 3]),
    ];
    for (row, message_id) in rows {
        let before = stage.counted().await;
        let said = client.give_account(AccountRequest { message_id, from_index: u64::MAX }).await;
        let code = said.err().map(|status| Failure::of(&status).code);
        assert_eq!(code.as_deref(), Some("NO_SUCH_NOTICE"), "{row}");
        stage.expect_counted(row, "rejected NO_SUCH_NOTICE", &before).await;
    }
}

async fn first_messages(stage: &mut Stage) {
    let rows = [
        ("a batch before a channel", Some(batch(vec![])), "PROTOCOL", "rejected PROTOCOL"),
        (
            "another version of the protocol",
            Some(open(MEMORANDUM, 9)),
            "UNSUPPORTED_VERSION",
            "rejected UNSUPPORTED_VERSION",
        ),
        ("a memorandum that is no identifier", Some(open("no id", 1)), "PROTOCOL", "rejected PROTOCOL"),
        ("a stream that opens nothing", None, "STALLED", "rejected STALLED"),
    ];
    for (row, first, expected, counter) in rows {
        let before = stage.counted().await;
        let (requests, mut responses) = stage.attacker.stream(&stage.node.address).await.unwrap();
        if let Some(first) = first {
            requests.send(first).await.unwrap();
        }
        let status = soon(responses.message()).await.unwrap_err();
        assert_eq!(Failure::of(&status).code, expected, "{row}");
        stage.expect_counted(row, counter, &before).await;
        stage.still_serves(row).await;
    }
}

/// Signed as larger than the node takes: refused with a receipt, and its pieces are not waited for.
async fn over_the_limit_before_it_is_gathered(stage: &mut Stage) {
    let row = "a notice over the limit, in pieces";
    let before = stage.counted().await;
    let (mut link, mut craft) = stage.next().await;
    craft.change_sealed = |sealed| sealed.resize(5 << 20, 0);
    let notice = craft.make();
    link.batch(vec![in_pieces(&notice)]).await;
    assert_eq!(link.verdict().await, "REFUSED TOO_LARGE", "{row}");
    stage.expect_counted(row, "refused TOO_LARGE", &before).await;
    stage.still_serves(row).await;
}

async fn too_many_channels(stage: &mut Stage) {
    let row = "more channels than a counterpart may open";
    let before = stage.counted().await;
    let mut held = Vec::new();
    let refused = 'all: loop {
        // Nine channels over each connection: HTTP/2 itself allows more.
        let connection = stage.attacker.http(&stage.node.address, HONEST, 1 << 20).await.unwrap();
        for _ in 0..9 {
            let (requests, stream) = tokio::sync::mpsc::channel(1);
            requests.send(open(&format!("XX-{}", held.len()), 1)).await.unwrap();
            let mut client = verbale_rpc::peer_client::PeerClient::new(connection.clone());
            match soon(client.deliver(tokio_stream::wrappers::ReceiverStream::new(stream))).await {
                Ok(responses) => held.push((requests, responses)),
                Err(status) => break 'all status,
            }
            assert!(held.len() < 100, "{row}: no end");
        }
    };
    assert_eq!((held.len(), Failure::of(&refused).code.as_str()), (16, "CHANNEL_LIMIT"), "{row}");
    stage.expect_counted(row, "rejected CHANNEL_LIMIT", &before).await;
    stage.still_serves(row).await;
    drop(held);
    let deadline = std::time::Instant::now() + super::attacker::PATIENCE;
    while stage.attacker.open(&stage.node.address, MEMORANDUM).await.is_err() {
        assert!(std::time::Instant::now() < deadline, "{row}: its share was not given back");
    }
}

/// A slow reader: it offers no room for answers at all.
async fn an_answer_that_nobody_takes(stage: &mut Stage) {
    let row = "answers that nobody takes";
    let counter = "rejected STALLED";
    let channel = loop_until_connected(stage).await;
    // Received once, and answered as often as it comes.
    let (mut link, craft) = stage.next().await;
    let notice = craft.make();
    link.batch(vec![notice.clone()]).await;
    assert_eq!(link.verdict().await, "RECEIVED", "{row}");
    let before = stage.counted().await.get(counter).copied().unwrap_or_default();
    let (requests, stream) = tokio::sync::mpsc::channel(64);
    let mut client = verbale_rpc::peer_client::PeerClient::new(channel);
    requests.send(open(MEMORANDUM, 1)).await.unwrap();
    // Just so many that the answers fill what lies between; then it says nothing more.
    for _ in 0..6 {
        requests.send(batch(vec![notice.clone(); 20])).await.unwrap();
    }
    let responses = soon(client.deliver(tokio_stream::wrappers::ReceiverStream::new(stream))).await.unwrap();
    stage.still_serves(row).await;
    stage.until_counted(counter, before).await;
    drop(responses);
    stage.still_serves(row).await;
}

async fn loop_until_connected(stage: &Stage) -> verbale_rpc::tonic::transport::Channel {
    let deadline = std::time::Instant::now() + super::attacker::PATIENCE;
    loop {
        match stage.attacker.http(&stage.node.address, HONEST, 0).await {
            Ok(channel) => return channel,
            Err(error) => assert!(std::time::Instant::now() < deadline, "{error}"),
        }
    }
}

/// Bytes where a message of the protocol must be.
#[derive(Clone, PartialEq, prost::Message)]
struct Odd {
    #[prost(uint64, tag = "1")]
    number: u64,
}

async fn no_message_at_all(stage: &mut Stage) {
    let row = "bytes that are no message";
    let before = stage.counted().await;
    let channel = stage.attacker.http(&stage.node.address, HONEST, 1 << 20).await.unwrap();
    let mut grpc = Grpc::new(channel);
    grpc.ready().await.unwrap();
    let requests = tokio_stream::iter([Odd { number: 7 }]);
    let codec = tonic_prost::ProstCodec::<Odd, DeliverResponse>::default();
    let called = grpc.streaming(Request::new(requests), PathAndQuery::from_static(DELIVER), codec).await;
    let ended: Result<_, Status> = async { called?.into_inner().message().await }.await;
    assert!(ended.is_err(), "{row}");
    stage.expect_counted(row, "rejected BAD_MESSAGE", &before).await;
    stage.still_serves(row).await;
}

/// The service for own people is not on the port for counterparts.
async fn another_service(stage: &mut Stage) {
    let row = "the local service on the port of counterparts";
    let channel = stage.attacker.http(&stage.node.address, HONEST, 1 << 20).await.unwrap();
    let mut node = verbale_rpc::node_client::NodeClient::new(channel);
    let status = node.status(verbale_proto::v1::StatusRequest {}).await.unwrap_err();
    assert_eq!(status.code(), verbale_rpc::tonic::Code::Unimplemented, "{row}");
    stage.still_serves(row).await;
}

/// A notice of 512 KiB, which travels in two pieces.
fn large(mut craft: Craft) -> SealedNotice {
    craft.change_sealed = |sealed| sealed.resize(512 << 10, 0);
    craft.make()
}

fn in_pieces(notice: &SealedNotice) -> SealedNotice {
    SealedNotice { sealed: Vec::new(), ..notice.clone() }
}

fn request(part: deliver_request::Part) -> DeliverRequest {
    DeliverRequest { part: Some(part) }
}

fn batch(notices: Vec<SealedNotice>) -> DeliverRequest {
    request(deliver_request::Part::Batch(NoticeBatch { notices }))
}

fn piece(length: usize) -> DeliverRequest {
    request(deliver_request::Part::Piece(SealedPiece { bytes: vec![0; length] }))
}

fn open(memorandum: &str, version: u32) -> DeliverRequest {
    request(deliver_request::Part::Open(OpenChannel {
        memorandum: memorandum.to_owned(),
        version,
        behind_number: None,
    }))
}
