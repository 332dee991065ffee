//! The daemon from start to end.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use verbale_envelope::BadRecipient;
use verbale_evidence::{Card, MessageId, read_entry};
use verbale_exchange::{Exchange, Fault, Input, Own};
use verbale_journal::{Journal, JournalError, OnProgress, ReplayError, Replayed, Settings, Store};
use verbale_ledger::Checkpoint;
use verbale_proto::v1::Facts;
use verbale_proto::v1::log_entry::Event;
use verbale_rpc::node_server::NodeServer;
use verbale_rpc::peer_server::PeerServer;
use verbale_rpc::tonic::transport::{self, Server};
use verbale_rpc::{DELIVER_MESSAGE_BYTES_MAX, LOCAL_MESSAGE_BYTES_MAX, tonic_health, tonic_reflection};

use crate::accept::{Guest, Limits, Names, accept_tls, accept_unix};
use crate::client::key_fingerprint;
use crate::core::{self, Core, CoreError};
use crate::deliver::{PeerName, PeerService};
use crate::earlier::Earlier;
use crate::folder::{Folder, LoadError, disk, journal_settings};
use crate::heads::{Guard, HeadsError, HeadsFolder};
use crate::local::NodeService;
use crate::person::{Caller, Persons};
use crate::recover;
use crate::retired::Retired;
use crate::rotate::{self, RotateError};
use crate::secrets::{SecretError, Secrets};
use crate::share::{Memory, PEER_CONNECTIONS, Shares};
use crate::shared::{Counters, PeerDirectory, Shared};
use crate::stamp::{self, Stamps};
use crate::standing::{Standing, compare};
use crate::supervisor;
use crate::tls::{self, TlsError};
use crate::told;
use crate::visits;
use crate::witness::Witnesses;

/// Retries and expiries are looked at so often.
const TICK: Duration = Duration::from_millis(250);

/// Open streams are given so long to end.
const END_TIME: Duration = Duration::from_secs(10);

/// Silent connections are probed so often, and given up after so long.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(10));

/// Streams of one connection: one for each memorandum, and room.
const STREAMS_MAX: u32 = 16;

/// Submissions in memory, of all streams together: JSON, fields and sealed bytes of nearly three of the largest.
const LOCAL_MEMORY_BYTES: u64 = 128 << 20;

/// Headers of a request: gRPC's own are under 1 KiB.
const HEADERS_BYTES_MAX: u32 = 8 << 10;

/// A node could not start, or ended with a fault.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Configuration, card, memoranda.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Keys.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The age identity.
    #[error(transparent)]
    Recipient(#[from] BadRecipient),
    /// The keys are not those of the card.
    #[error("the {0} key in keys/ is not the one on card.txt; one of the two is another node's")]
    NotOfCard(&'static str),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The keyring lost what nobody erased.
    #[error(
        "the keys of notice {0} are missing from journal/keyring, and no entry says that it was erased; nothing was changed. Restore the \
         keyring from a copy of the same journal, or call for help"
    )]
    KeysMissing(MessageId),
    /// The heads kept apart.
    #[error(transparent)]
    Heads(#[from] HeadsError),
    /// The card is not the last one.
    #[error(
        "card.txt has serial {1}, and the log says that this node has another card, {0}: put that card and its keys back. If they are lost, make a \
         later one: run `verbale keys rotate envelope` until it says more than {0}, then have counterparts enrol it by hand"
    )]
    OlderCard(u64, u64),
    /// The next card was cut off.
    #[error("the next card was begun and not ended; run again: {0}")]
    CardUnfinished(String),
    /// Nor can it be said which.
    #[error(transparent)]
    Rotate(#[from] RotateError),
    /// A recovery was cut off.
    #[error("a recovery was begun and not ended; run again: verbale recover --confirm")]
    RecoveryUnfinished,
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A listener.
    #[error("cannot listen on {address}; is another program using it?")]
    Listen {
        /// The address.
        address: String,
        /// Why not.
        source: io::Error,
    },
    /// The core.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The operating system.
    #[error("the operating system refused to {action}")]
    System {
        /// What was attempted.
        action: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The core ended by itself.
    #[error("the core ended unexpectedly: a fault of this program; start the node again")]
    Core,
}

impl ServeError {
    /// Whether data on disk is damaged (exit code 4).
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Journal(error) => error.is_damage(),
            Self::KeysMissing(_) => true,
            _ => false,
        }
    }
}

/// Runs the node of a folder until SIGTERM or SIGINT. `progress` is told how far the start is; `ready` is called when all
/// listeners serve. A service manager that gave `NOTIFY_SOCKET` is told the same.
///
/// # Errors
/// [`ServeError`].
pub async fn serve(folder: &Folder, progress: OnProgress, ready: impl FnOnce(SocketAddr)) -> Result<(), ServeError> {
    let system = |action| move |source| ServeError::System { action, source };
    let mut terminate = signal(SignalKind::terminate()).map_err(system("watch for SIGTERM"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(system("watch for SIGINT"))?;
    let (shared, exchange, journal, guard) = open(folder, progress)?;
    let listeners = Listeners::bind(folder, &shared).await?;
    let (core, mut thread) = {
        let (core, thread) =
            core::start((exchange, journal, guard), Arc::clone(&shared)).map_err(system("start a thread"))?;
        (core, tokio::task::spawn_blocking(move || thread.join()))
    };
    let (stop, stopped) = watch::channel(false);
    let mut servers = listeners.serve(&shared, &core, &stopped)?;
    let ticking = tokio::spawn(tick(core.clone()));
    let witnessing = tokio::spawn(visits::run(Arc::clone(&shared), core.clone()));
    let stamping = tokio::spawn(stamp::run(Arc::clone(&shared), core.clone()));
    tracing::info!(node.id = shared.card.id, peer.address = %shared.config.peer.listen, "the node serves");
    supervisor::ready(&shared.card.id);
    ready(shared.config.peer.listen);
    let ended = tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        ended = &mut thread => Some(ended),
    };
    tracing::info!("the node stops");
    supervisor::stopping();
    let _ = stop.send(true);
    let finishing = async { while servers.join_next().await.is_some() {} };
    if tokio::time::timeout(END_TIME, finishing).await.is_err() {
        tracing::warn!("connections were still open after 10 s and are cut");
    }
    ticking.abort();
    witnessing.abort();
    stamping.abort();
    let ended = if let Some(ended) = ended {
        ended
    } else {
        core.stop().await;
        thread.await
    };
    let _ = std::fs::remove_file(folder.socket());
    match ended {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(CoreError::Journal(error)))) => Err(error.into()),
        Ok(Ok(Err(CoreError::Fault(fault)))) => Err(fault.into()),
        Ok(Ok(Err(CoreError::Heads(error)))) => Err(error.into()),
        _ => Err(ServeError::Core),
    }
}

/// Loads the folder and replays its journal.
fn open(folder: &Folder, progress: OnProgress) -> Result<(Arc<Shared>, Exchange, Journal, Guard), ServeError> {
    if let Some(command) = rotate::unfinished(folder)? {
        return Err(ServeError::CardUnfinished(command));
    }
    if recover::is_unfinished(folder) {
        return Err(ServeError::RecoveryUnfinished);
    }
    let loaded = folder.load()?;
    let secrets = Secrets::load(&folder.keys())?;
    let recipient = secrets.age.recipient()?;
    let card = &loaded.card;
    let of_card = [
        ("envelope", secrets.envelope.public() == card.envelope_key),
        ("log", secrets.log.public() == card.log_key),
        ("cosigner", secrets.cosigner.public() == card.cosigner_key),
        ("TLS", crate::secrets::spki(&secrets.tls) == card.tls_spki),
        ("age", recipient.to_string() == card.age_recipient),
    ];
    if let Some((key, _)) = of_card.into_iter().find(|(_, same)| !same) {
        return Err(ServeError::NotOfCard(key));
    }
    let told = Arc::new(move |now| {
        supervisor::starting(now);
        progress(now);
    });
    let settings = Settings { progress: told, ..journal_settings(folder, &loaded, secrets.log) };
    let earlier = Earlier::load(&folder.keys())?;
    let memoranda = Arc::new(loaded.memoranda);
    let day_ms = 24 * 3600 * 1000;
    let mut exchange = Exchange::new(Own {
        card: loaded.card.clone(),
        key: secrets.envelope,
        recipient_keys: [recipient.fingerprint()].into_iter().chain(earlier.recipients()).collect(),
        card_bytes: loaded.card_bytes.clone(),
        memoranda: Arc::clone(&memoranda),
        validity_ms: i64::from(loaded.config.limits.notice_validity_days) * day_ms,
        configured: loaded.configured,
    });
    let archive = secrets.archive;
    let journal = Journal::open(disk(), settings, &mut |record| {
        let facts = facts_of(record, &archive)?;
        Ok(exchange.replay(record.entry, facts)?)
    })?;
    let is_told = |card: &&Card| card.serial >= loaded.card.serial && **card != loaded.card;
    if let Some(told) = exchange.own_cards().all().find(is_told) {
        return Err(ServeError::OlderCard(told.serial, loaded.card.serial));
    }
    if let Some(held) = exchange.without_facts() {
        return Err(ServeError::KeysMissing(held.message_id));
    }
    let heads = folder.heads(&loaded.config.heads);
    let (guard, released) = Guard::open(&heads, &loaded.card.log_vkey())?;
    let stamps = Stamps::load(HeadsFolder::new(&heads), &loaded.card)?;
    let cosigner_name = loaded.card.cosigner_vkey().name;
    let largest = loaded.config.limits.sealed_bytes_max;
    // Half of them: whoever takes all of its own leaves as many to others.
    let persons_connections = (loaded.config.limits.local_connections_max / 2).max(1);
    let retired = Retired::load(folder.dir());
    let retired =
        retired.map_err(|source| ServeError::System { action: "read the list of retired TLS keys", source })?;
    let card_until_ms = loaded.card.valid_until_ms;
    let shared = Shared {
        folder: folder.clone(),
        persons: Persons::new(&loaded.config.persons, &loaded.config.deputies),
        config: loaded.config,
        card: loaded.card,
        card_bytes: loaded.card_bytes,
        own_cards: exchange.own_cards().clone(),
        memoranda,
        identity: secrets.age,
        earlier,
        archive,
        tls: secrets.tls,
        standing: Standing::new(card_until_ms),
        witnesses: Witnesses::new(HeadsFolder::new(&heads), secrets.cosigner, cosigner_name),
        stamps,
        peers: PeerDirectory::new(retired),
        local_address: OnceLock::new(),
        rejected: Counters::default(),
        refused: Counters::default(),
        denied: Counters::default(),
        wire: Arc::default(),
        shares: Shares::new(PEER_CONNECTIONS, largest),
        persons_shares: Shares::new(persons_connections, largest),
        local_memory: Memory::new(LOCAL_MEMORY_BYTES),
    };
    shared.peers.replace(exchange.peers().clone());
    shared.witnesses.load(&shared.card, exchange.peers())?;
    compare_heads(&shared, (&heads, released), (&exchange, &journal))?;
    Ok((Arc::new(shared), exchange, journal, guard))
}

/// Compares the log with what is known of it on this machine: the head that was released last, and what counterparts told.
fn compare_heads(
    shared: &Shared,
    (heads, released): (&Path, Option<(Checkpoint, String)>),
    (exchange, journal): (&Exchange, &Journal),
) -> Result<(), HeadsError> {
    let (standing, guarded) = (&shared.standing, heads.display());
    match released.map(|(head, _)| compare(&head, journal.size(), |size| journal.root_at(size))) {
        Some(compared) => {
            if let Some(trouble) = compared.trouble(&format!("the folder of heads {guarded}")) {
                standing.hold_back(trouble);
            }
        }
        // Whoever has told nobody anything has nothing to be held to.
        None if !exchange.peers().is_empty() => standing.wait_for_counterpart(format!(
            "the folder of heads {guarded} holds none of this log; it goes on as soon as a counterpart answers that its head of this log is one"
        )),
        None => {}
    }
    if let Some(trouble) = told::at_start(&shared.witnesses.folder, &shared.card, (exchange, journal))? {
        standing.hold_back(trouble);
    }
    Ok(())
}

/// The facts beside an entry; `None` after erasure.
fn facts_of(record: &Replayed<'_>, archive: &verbale_envelope::ArchiveKey) -> Result<Option<Facts>, ReplayError> {
    let Some(sealed) = record.facts else { return Ok(None) };
    let Some((message_id, digest)) = keyed_facts(record.entry)? else { return Ok(None) };
    let Some(wrapped) = record.keyring.get(message_id.as_bytes())? else { return Ok(None) };
    Ok(Some(archive.unwrap(message_id, &wrapped)?.facts.open(message_id, sealed, &digest)?))
}

/// Under which message's key the facts of an entry stand of which state is made, and their digest.
pub(crate) fn keyed_facts(entry: &[u8]) -> Result<Option<(MessageId, Vec<u8>)>, ReplayError> {
    Ok(Some(match read_entry(entry)?.event {
        Event::NoticeSent(sent) => (message_id_in(&sent.envelope)?, sent.facts_digest),
        Event::NoticeReceived(received) => (message_id_in(&received.envelope)?, received.facts_digest),
        Event::AudienceEntered(of) => (MessageId::try_from(of.audience_id.as_slice())?, of.facts_digest),
        Event::NoticeDrafted(draft) => (MessageId::try_from(draft.message_id.as_slice())?, draft.facts_digest),
        Event::NoticeRefused(refused) if refused.breach_id.is_empty() => return Ok(None),
        Event::NoticeRefused(refused) => (MessageId::try_from(refused.breach_id.as_slice())?, refused.facts_digest),
        Event::ErasureAsked(of) => (MessageId::try_from(of.erasure_id.as_slice())?, of.facts_digest),
        Event::GroundRecorded(ground) => (MessageId::try_from(ground.message_id.as_slice())?, ground.facts_digest),
        // Facts of a release without an id of its own stand under the key of the notice, and are read when they are asked for.
        Event::Disclosed(of) if of.release_id.is_empty() => return Ok(None),
        Event::Disclosed(of) => (MessageId::try_from(of.release_id.as_slice())?, of.facts_digest),
        // Of the first three the facts are read when they are asked for: no state is made of them. The others have none.
        Event::NoticeCarriedOn(_)
        | Event::NoticeHeldBack(_)
        | Event::NoticeOpened(_)
        | Event::DisclosureDenied(_)
        | Event::Genesis(_)
        | Event::NoticeHandedOver(_)
        | Event::ReceiptReceived(_)
        | Event::PeerEnrolled(_)
        | Event::MemorandumAdopted(_)
        | Event::ConflictKept(_)
        | Event::NoticeExpired(_)
        | Event::MemorandumCommenced(_)
        | Event::MemorandumEnds(_)
        | Event::DraftDropped(_)
        | Event::AudienceConfirmed(_)
        | Event::AudienceEnded(_)
        | Event::GroundConfirmed(_)
        | Event::GroundEnded(_)
        | Event::ErasureDropped(_)
        | Event::ContentErased(_)
        | Event::Configured(_)
        | Event::LogExported(_)
        | Event::CarriedOver(_)
        | Event::CounterpartRotated(_)
        | Event::OwnCardRotated(_)
        | Event::ChannelResumed(_)
        | Event::ChannelReopened(_) => return Ok(None),
    }))
}

/// The message id that an envelope names; it is verified when the entry is applied.
fn message_id_in(envelope: &[u8]) -> Result<MessageId, ReplayError> {
    use prost::Message as _;
    let envelope = verbale_proto::v1::Envelope::decode(envelope)?;
    let statement = verbale_proto::v1::Statement::decode(envelope.payload.as_slice())?;
    Ok(MessageId::try_from(statement.message_id.as_slice())?)
}

struct Listeners {
    peer: TcpListener,
    local: Option<TcpListener>,
    socket: UnixListener,
}

impl Listeners {
    async fn bind(folder: &Folder, shared: &Shared) -> Result<Self, ServeError> {
        let peer = listen(shared.config.peer.listen).await?;
        let local = match shared.config.local.listen {
            Some(address) => {
                let listener = listen(address).await?;
                // Port 0 is a free one.
                let bound = listener
                    .local_addr()
                    .map_err(|source| ServeError::System { action: "say where it listens", source })?;
                tracing::info!(local.address = %bound, "people and systems of other machines are let in");
                shared.local_address.get_or_init(|| bound);
                Some(listener)
            }
            None => None,
        };
        let path = folder.socket();
        // The folder is locked for this process: whoever left the socket behind is gone.
        let _ = std::fs::remove_file(&path);
        let socket =
            bind_socket(&path).map_err(|source| ServeError::Listen { address: path.display().to_string(), source })?;
        Ok(Self { peer, local, socket })
    }

    fn serve(
        self,
        shared: &Arc<Shared>,
        core: &Core,
        stopped: &watch::Receiver<bool>,
    ) -> Result<JoinSet<()>, ServeError> {
        let mut servers = JoinSet::new();
        let limits = &shared.config.limits;
        let handshake_time = Duration::from_secs(limits.handshake_seconds);
        let tls_limits = |connections| Limits { connections, handshakes: limits.handshakes_max, handshake_time };

        let directory = Arc::clone(shared);
        let allowed: tls::Allowed = Arc::new(move |spki, _| {
            directory.peers.with_spki(spki).or_else(|| directory.peers.with_former_spki(spki)).is_some()
        });
        let keys = Arc::clone(shared);
        let earlier: tls::EarlierKeys = Arc::new(move || keys.earlier.tls());
        let config =
            tls::server(&shared.tls, Arc::clone(&earlier), (&shared.card.id, Some(&shared.card_bytes)), allowed)?;
        let incoming =
            accept_tls(self.peer, config, tls_limits(limits.peer_connections_max), peers(shared), &shared.wire, shared);
        let service = PeerService { shared: Arc::clone(shared), core: core.clone(), stop: stopped.clone() };
        let service = PeerServer::new(service).max_decoding_message_size(DELIVER_MESSAGE_BYTES_MAX);
        let router = server().add_service(health::<PeerServer<PeerService>>()).add_service(service);
        servers.spawn(run(router, incoming, stopped.clone()));

        if let Some(listener) = self.local {
            let persons = Arc::clone(shared);
            let person = move |spki: &[u8]| persons.persons.with_key(&key_fingerprint(spki).to_string());
            let known = person.clone();
            let known: tls::Allowed = Arc::new(move |spki, _| known(spki).is_some());
            let config = tls::server(&shared.tls, earlier, (&shared.card.id, None), known)?;
            let sharing = Arc::clone(shared);
            let names: Names<Caller> =
                Arc::new(move |spki| local_guest(&sharing, Caller::Person(person(spki).ok_or("UNKNOWN_KEY")?)));
            let incoming =
                accept_tls(listener, config, tls_limits(limits.local_connections_max), names, &Arc::default(), shared);
            servers.spawn(run(local_router(shared, core, stopped), incoming, stopped.clone()));
        }

        let persons = Arc::clone(shared);
        let names = move |uid| local_guest(&persons, persons.persons.with_uid(uid));
        let incoming = accept_unix(self.socket, limits.local_connections_max, names, Arc::clone(shared));
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(verbale_proto::SCHEMA)
            .build_v1()
            .map_err(|error| ServeError::System { action: "offer reflection", source: io::Error::other(error) })?;
        let router = local_router(shared, core, stopped).add_service(reflection);
        servers.spawn(run(router, incoming, stopped.clone()));
        Ok(servers)
    }
}

/// Names the counterpart behind a TLS key, and gives it one of its connections.
fn peers(shared: &Arc<Shared>) -> Names<PeerName> {
    let shared = Arc::clone(shared);
    Arc::new(move |spki| {
        let present = shared.peers.with_spki(spki);
        let former = || Some((shared.peers.with_former_spki(spki)?, true));
        let (name, is_former) = present.map(|name| (name, false)).or_else(former).ok_or("UNKNOWN_KEY")?;
        shared.peers.seen(spki);
        // Whoever has an earlier key may be somebody else, and takes nothing from the share of its owner.
        let share = if is_former { format!("{name}, earlier key") } else { name.clone() };
        let permit = shared.shares.of(&share).connection().ok_or("COUNTERPART_CONNECTION_LIMIT")?;
        let (asked, counting) = (Arc::new(AtomicBool::new(false)), Arc::clone(&shared));
        let at_end = {
            let asked = Arc::clone(&asked);
            move || {
                if !asked.load(Ordering::Relaxed) {
                    counting.rejected.count("NO_CHANNEL");
                }
            }
        };
        Ok(Guest::new(PeerName { name, share, spki: spki.into(), asked }).with_permit(permit).at_end(at_end))
    })
}

/// Gives a person one of its connections; all whom nobody knows are one.
fn local_guest(shared: &Shared, caller: Caller) -> Result<Guest<Caller>, &'static str> {
    let name = match &caller {
        Caller::Person(person) => person.name.as_str(),
        Caller::UnknownUser(_) => "",
    };
    let permit = shared.persons_shares.of(name).connection().ok_or("PERSON_CONNECTION_LIMIT")?;
    Ok(Guest::new(caller).with_permit(permit))
}

fn local_router(shared: &Arc<Shared>, core: &Core, stopped: &watch::Receiver<bool>) -> transport::server::Router {
    let service = NodeService { shared: Arc::clone(shared), core: core.clone(), stop: stopped.clone() };
    let service = NodeServer::new(service)
        .max_decoding_message_size(LOCAL_MESSAGE_BYTES_MAX)
        .max_encoding_message_size(LOCAL_MESSAGE_BYTES_MAX);
    server().add_service(health::<NodeServer<NodeService>>()).add_service(service)
}

fn server() -> Server {
    Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE.0))
        .http2_keepalive_timeout(Some(KEEPALIVE.1))
        .max_concurrent_streams(STREAMS_MAX)
        .http2_max_header_list_size(HEADERS_BYTES_MAX)
        .initial_stream_window_size(4 << 20)
        .initial_connection_window_size(8 << 20)
}

/// The health service of a listener: it serves as long as it answers.
fn health<S: verbale_rpc::tonic::server::NamedService>()
-> tonic_health::pb::health_server::HealthServer<impl tonic_health::pb::health_server::Health> {
    let (reporter, service) = tonic_health::server::health_reporter();
    tokio::spawn(async move { reporter.set_serving::<S>().await });
    service
}

async fn run<S, W>(
    router: transport::server::Router,
    incoming: crate::accept::Incoming<S, W>,
    mut stopped: watch::Receiver<bool>,
) where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    W: Clone + Send + Sync + Unpin + 'static,
{
    let end = async move {
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    if let Err(error) = router.serve_with_incoming_shutdown(ReceiverStream::new(incoming), end).await {
        tracing::error!(error = %error, "a listener ended");
    }
}

async fn tick(core: Core) {
    let mut interval = tokio::time::interval(TICK);
    loop {
        interval.tick().await;
        if core.note(Input::Tick).await.is_err() {
            return;
        }
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address: address.to_string(), source })
}

fn bind_socket(path: &PathBuf) -> io::Result<UnixListener> {
    let listener = UnixListener::bind(path)?;
    // Who may do what is decided by user id, not by the mode; the folder's own mode keeps strangers out.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
    Ok(listener)
}
