//! A contact point whose keys are in an attacker's hands, and the connections it makes. Nothing here goes through the node's
//! own client: what is sent is what a row of the table wants to be sent.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Mutex, mpsc};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use verbale_evidence::{Card, UnverifiedCard, decode_entry, parse_card_text};
use verbale_keys::SecretKey;
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{
    AnswerBatch, DeliverRequest, DeliverResponse, NoticeBatch, OpenChannel, SealedNotice, answer, deliver_request,
    deliver_response,
};
use verbale_rpc::Failure;
use verbale_rpc::peer_client::PeerClient;
use verbale_rpc::tonic::transport::{Channel, Endpoint, Uri};
use verbale_rpc::tonic::{Status, Streaming};

use crate::node::Node;

/// An answer that does not come in this time does not come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Where strangers come from: another address of this machine than the honest side's.
pub(crate) const STRANGERS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

pub(crate) const HONEST: Ipv4Addr = Ipv4Addr::LOCALHOST;

pub(crate) struct Attacker {
    pub(crate) card: Card,
    pub(crate) envelope: SecretKey,
    pub(crate) log: SecretKey,
    pub(crate) tls: rcgen::KeyPair,
}

/// An open channel, and where it stands.
pub(crate) struct Link {
    requests: mpsc::Sender<DeliverRequest>,
    responses: Streaming<DeliverResponse>,
    pub(crate) next: u64,
    /// The last envelope that was accepted.
    pub(crate) last_envelope: Vec<u8>,
}

impl Attacker {
    /// Takes the keys from a node's folder.
    pub(crate) fn of(node: &Node) -> Self {
        let read = |name: &str| std::fs::read_to_string(node.dir.join(name)).unwrap();
        let key = |name: &str| SecretKey::from_pem(&read(name)).unwrap();
        Self {
            card: card(node),
            envelope: key("keys/envelope.pem"),
            log: key("keys/log.pem"),
            tls: rcgen::KeyPair::from_pem(&read("keys/tls.pem")).unwrap(),
        }
    }

    /// TLS with this contact point's key, whatever the server shows.
    pub(crate) async fn tls(&self, address: &str, from: Ipv4Addr) -> io::Result<TlsStream<TcpStream>> {
        let (certificate, key) = self.certificate();
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyServer))
            .with_client_auth_cert(vec![certificate], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = ServerName::IpAddress(std::net::IpAddr::from([127, 0, 0, 1]).into());
        TlsConnector::from(Arc::new(config)).connect(name, tcp(address, from).await?).await
    }

    pub(crate) fn certificate(&self) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let certificate = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&self.tls).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.tls.serialize_der()));
        (certificate.der().clone(), key)
    }

    /// HTTP/2 over TLS; `window` is the room for answers that this side offers.
    pub(crate) async fn http(&self, address: &str, from: Ipv4Addr, window: u32) -> io::Result<Channel> {
        let stream = Arc::new(Mutex::new(Some(self.tls(address, from).await?)));
        let connector = tower::service_fn(move |_: Uri| {
            let stream = Arc::clone(&stream);
            async move { stream.lock().await.take().map(TokioIo::new).ok_or(io::Error::from(io::ErrorKind::NotConnected)) }
        });
        let endpoint = Endpoint::from_static("http://verbale.invalid").initial_stream_window_size(window);
        endpoint.connect_with_connector(connector).await.map_err(io::Error::other)
    }

    /// Begins a `Deliver` stream without opening anything.
    pub(crate) async fn stream(
        &self,
        address: &str,
    ) -> Result<(mpsc::Sender<DeliverRequest>, Streaming<DeliverResponse>), Status> {
        let channel = self.http(address, HONEST, 1 << 20).await.map_err(|e| Status::unavailable(e.to_string()))?;
        let (requests, stream) = mpsc::channel(8);
        // Large messages are the row's own business.
        let mut client = PeerClient::new(channel).max_encoding_message_size(64 << 20);
        let responses = client.deliver(ReceiverStream::new(stream)).await?.into_inner();
        Ok((requests, responses))
    }

    pub(crate) async fn open(&self, address: &str, memorandum: &str) -> Result<Link, Status> {
        let (requests, mut responses) = self.stream(address).await?;
        let open = OpenChannel { memorandum: memorandum.to_owned(), version: 1, behind_number: None };
        let _ = requests.send(DeliverRequest { part: Some(deliver_request::Part::Open(open)) }).await;
        match soon(responses.message()).await?.and_then(|response| response.part) {
            Some(deliver_response::Part::Opened(opened)) => {
                Ok(Link { requests, responses, next: opened.next_number, last_envelope: opened.last_envelope })
            }
            other => panic!("no opening: {other:?}"),
        }
    }
}

impl Link {
    pub(crate) async fn send(&self, request: DeliverRequest) {
        // A node that turned the stream away takes nothing more: its answer is what counts.
        let _ = self.requests.send(request).await;
    }

    /// Sends notices as one batch.
    pub(crate) async fn batch(&self, notices: Vec<SealedNotice>) {
        self.send(DeliverRequest { part: Some(deliver_request::Part::Batch(NoticeBatch { notices })) }).await;
    }

    /// The next answers.
    pub(crate) async fn answers(&mut self) -> Result<Option<AnswerBatch>, Status> {
        match soon(self.responses.message()).await?.and_then(|response| response.part) {
            Some(deliver_response::Part::Answers(answers)) => Ok(Some(answers)),
            None => Ok(None),
            other => panic!("no answers: {other:?}"),
        }
    }

    /// What became of the one notice that was sent: RECEIVED, or REFUSED or REJECTED with the code; or the stream's own end.
    pub(crate) async fn verdict(&mut self) -> String {
        match self.answers().await {
            Err(status) => format!("ENDED {}", Failure::of(&status).code),
            Ok(None) => "ENDED".to_owned(),
            Ok(Some(answers)) => match answers.answers.into_iter().next().and_then(|answer| answer.outcome) {
                Some(answer::Outcome::Rejected(rejected)) => format!("REJECTED {}", rejected.code),
                Some(answer::Outcome::Logged(logged)) => match decode_entry(&logged.entry).unwrap().1 {
                    Event::NoticeReceived(_) => "RECEIVED".to_owned(),
                    Event::NoticeRefused(refused) => format!("REFUSED {}", refused.code),
                    _ => panic!("an answer about something else"),
                },
                None => "EMPTY".to_owned(),
            },
        }
    }
}

/// A node's own card.
pub(crate) fn card(node: &Node) -> Card {
    let text = std::fs::read_to_string(node.dir.join("card.txt")).unwrap();
    let bytes = parse_card_text(&text).unwrap();
    UnverifiedCard::parse(&bytes).unwrap().verify(&node.fingerprint.parse().unwrap()).unwrap()
}

/// A connection from an address of this machine.
pub(crate) async fn tcp(address: &str, from: Ipv4Addr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((from, 0)))?;
    socket.connect(address.parse().unwrap()).await
}

/// What must happen within the patience of a test.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("it did not happen in {PATIENCE:?}"))
}

pub(crate) fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Attackers do not look at certificates.
#[derive(Debug)]
struct AnyServer;

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
