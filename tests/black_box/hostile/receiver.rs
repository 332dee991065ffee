//! A counterpart that answers wrongly: forged receipts, receipts for something else, logs that were rolled back.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use verbale_evidence::encode_entry;
use verbale_ledger::{Checkpoint, Hash, LogIndex, LogSize, Tree, leaf_hash};
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{
    AccountRequest, AccountResponse, Answer, AnswerBatch, ChannelOpened, DeliverRequest, DeliverResponse, LoggedAnswer,
    NoticeReceived, NoticeRefused, WitnessRequest, WitnessResponse, answer, deliver_request, deliver_response,
};
use verbale_rpc::peer_server::{Peer, PeerServer};
use verbale_rpc::tonic::transport::Server;
use verbale_rpc::tonic::{self, Request, Response, Status, Streaming};

use super::attacker::{Attacker, provider};
use crate::node::{Node, until};
use crate::notices::general;

/// The receiver's log, and how it answers the next notice.
struct Receiver {
    attacker: Attacker,
    log: Mutex<Log>,
    lie: Mutex<Lie>,
}

#[derive(Default)]
struct Log {
    entries: Vec<Vec<u8>>,
    envelopes: Vec<Vec<u8>>,
    /// Answers since the channel was opened that were no true ones.
    lied: usize,
}

/// What an answer is wrong in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    Nothing,
    /// Signed by another key than the log's.
    Forged,
    /// The entry holds another envelope.
    AnotherNotice,
    /// The proof leads to another root.
    AnotherTree,
    /// The checkpoint is of another log.
    AnotherLog,
    /// The log lost its last entries, and the first notice was put in their place; those after it stand where they may.
    RolledBack,
    /// A refusal without a code.
    NoCode,
    /// An answer to a number that was never sent.
    AnotherNumber,
    /// No outcome at all.
    Empty,
}

const ROWS: [(Lie, &str); 8] = [
    (Lie::Forged, "BAD_RECEIPT"),
    (Lie::AnotherNotice, "BAD_RECEIPT"),
    (Lie::AnotherTree, "BAD_RECEIPT"),
    (Lie::AnotherLog, "BAD_RECEIPT"),
    (Lie::RolledBack, "RECEIPT_CONTRADICTS"),
    (Lie::NoCode, "BAD_RECEIPT"),
    (Lie::AnotherNumber, "BAD_ANSWER"),
    (Lie::Empty, "BAD_ANSWER"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn each_lie_of_a_receiver_is_counted_and_the_true_receipt_is_taken_after_it() {
    let mut sender = Node::init("KG-MLSSM-CECA");
    let mut japan = Node::init("JP-MOJ-ISA-RMD");
    let receiver =
        Arc::new(Receiver { attacker: Attacker::of(&japan), log: Mutex::default(), lie: Mutex::new(Lie::Nothing) });
    japan.address = serve(Arc::clone(&receiver)).await;
    sender.start();
    sender.enrol(&japan).good();
    for (row, (lie, counter)) in ROWS.into_iter().enumerate() {
        // Two true receipts first, so that there is something to contradict.
        for i in 0..2 {
            sender.submit(&general(false, &format!("KG-{row}-{i}"), "text")).good();
        }
        sender.until_delivered();
        *receiver.lie.lock().unwrap() = lie;
        // Three under way: what comes after the lie proves nothing either.
        let numbers = ["A", "B", "C"].map(|letter| format!("KG-{row}-LIE-{letter}"));
        sender.submit(&numbers.each_ref().map(|number| general(false, number, "text")).join("\n")).good();
        let status = || sender.run(&["--json", "status"]).good().json().remove(0);
        until(&format!("{lie:?} is counted as {counter}, and the operator is told"), || {
            let shown = status();
            let channel = &shown["channels"][0];
            assert_eq!(channel["waiting"], 3, "{lie:?} was taken for a receipt");
            shown["rejected"][counter].as_u64() > Some(0) && channel["trouble"].as_str() != Some("")
        });
        *receiver.lie.lock().unwrap() = Lie::Nothing;
        // The new address is tried at once: enrolling again forgets the pause.
        sender.enrol(&japan).good();
        sender.until_delivered();
        for number in &numbers {
            assert_eq!(sender.run(&["--json", "receipts", number]).good().json()[0]["verdict"], "RECEIVED");
        }
        // Counters of the next row begin anew.
        sender.stop();
        sender.start();
    }
    println!("{} rows", ROWS.len());
    sender.stop();
}

async fn serve(receiver: Arc<Receiver>) -> String {
    let (certificate, key) = receiver.attacker.certificate();
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (incoming, connections) = mpsc::channel(4);
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                // tonic takes a pipe; it does not know this TLS stream.
                let (near, mut far) = tokio::io::duplex(1 << 16);
                tokio::spawn(async move { tokio::io::copy_bidirectional(&mut stream, &mut far).await });
                let _ = incoming.send(Ok::<_, std::io::Error>(near)).await;
            }
        }
    });
    let service = PeerServer::new(Service(receiver));
    let server = Server::builder().add_service(service);
    tokio::spawn(server.serve_with_incoming(ReceiverStream::new(connections)));
    address
}

struct Service(Arc<Receiver>);

#[tonic::async_trait]
impl Peer for Service {
    type DeliverStream = Pin<Box<dyn tokio_stream::Stream<Item = Result<DeliverResponse, Status>> + Send>>;

    async fn deliver(
        &self,
        request: Request<Streaming<DeliverRequest>>,
    ) -> Result<Response<Self::DeliverStream>, Status> {
        let (responses, stream) = mpsc::channel(16);
        let (receiver, mut requests) = (Arc::clone(&self.0), request.into_inner());
        tokio::spawn(async move {
            while let Ok(Some(request)) = requests.message().await {
                let part = match request.part {
                    Some(deliver_request::Part::Open(_)) => deliver_response::Part::Opened(receiver.opened()),
                    Some(deliver_request::Part::Batch(batch)) => {
                        for notice in batch.notices {
                            let part = deliver_response::Part::Answers(receiver.answer(&notice.envelope));
                            let _ = responses.send(Ok(DeliverResponse { part: Some(part) })).await;
                        }
                        continue;
                    }
                    _ => return,
                };
                let _ = responses.send(Ok(DeliverResponse { part: Some(part) })).await;
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }

    async fn witness(&self, _: Request<WitnessRequest>) -> Result<Response<WitnessResponse>, Status> {
        Ok(Response::new(WitnessResponse::default()))
    }

    async fn give_account(&self, _: Request<AccountRequest>) -> Result<Response<AccountResponse>, Status> {
        Err(Status::unimplemented("it keeps no log"))
    }
}

impl Receiver {
    fn opened(&self) -> ChannelOpened {
        let mut log = self.log.lock().unwrap();
        log.lied = 0;
        let last_envelope = log.envelopes.last().cloned().unwrap_or_default();
        ChannelOpened { next_number: log.envelopes.len() as u64 + 1, last_envelope, ..ChannelOpened::default() }
    }

    fn answer(&self, envelope: &[u8]) -> AnswerBatch {
        let lie = *self.lie.lock().unwrap();
        let mut log = self.log.lock().unwrap();
        let number = (log.envelopes.len() + log.lied) as u64 + 1;
        let received = |envelope: &[u8]| {
            let event =
                NoticeReceived { envelope: envelope.to_vec(), facts_digest: vec![0; 32], ..NoticeReceived::default() };
            encode_entry(1, Event::NoticeReceived(event)).unwrap()
        };
        let mut entries = log.entries.clone();
        match lie {
            Lie::AnotherNotice => entries.push(received(log.envelopes.last().unwrap())),
            Lie::NoCode => {
                let event = NoticeRefused { envelope: envelope.to_vec(), ..NoticeRefused::default() };
                entries.push(encode_entry(1, Event::NoticeRefused(event)).unwrap());
            }
            Lie::RolledBack if log.lied == 0 => {
                entries.truncate(entries.len() - 2);
                entries.push(received(envelope));
            }
            Lie::RolledBack => {
                entries.extend((0..log.lied).map(|_| b"something else".to_vec()));
                entries.push(received(envelope));
            }
            _ => entries.push(received(envelope)),
        }
        let index = entries.len() - 1;
        let tree = tree(&entries);
        let mut root = tree.root();
        if lie == Lie::AnotherTree {
            root[0] ^= 1;
        }
        let card = &self.attacker.card;
        let origin = if lie == Lie::AnotherLog { "verbale/XX/1".to_owned() } else { card.log_origin.clone() };
        let key = if lie == Lie::Forged { &self.attacker.envelope } else { &self.attacker.log };
        let checkpoint = Checkpoint { origin, size: tree.size(), root }.sign(key);
        let proof = tree.inclusion_proof(LogIndex(index as u64), LogSize(entries.len() as u64)).unwrap();
        let logged = LoggedAnswer {
            entry: entries[index].clone(),
            index: index as u64,
            proof: proof.iter().map(|hash: &Hash| hash.to_vec()).collect(),
        };
        let outcome = (lie != Lie::Empty).then_some(answer::Outcome::Logged(logged));
        let number_said = if lie == Lie::AnotherNumber { number + 1000 } else { number };
        if lie == Lie::Nothing {
            log.envelopes.push(envelope.to_vec());
            log.entries = entries;
        } else {
            log.lied += 1;
        }
        AnswerBatch { checkpoint, answers: vec![Answer { number: number_said, outcome }] }
    }
}

fn tree(entries: &[Vec<u8>]) -> Tree {
    let mut tree = Tree::default();
    for entry in entries {
        tree.append(leaf_hash(entry));
    }
    tree
}
