//! A node's folder: what stands where, and how it is made.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use verbale_domain::{Memoranda, MemorandumError};
use verbale_evidence::{Card, CardError, card_text, is_identifier, parse_card_text, sign_card};
use verbale_exchange::genesis;
use verbale_journal::{Disk, Journal, JournalError, Record, Settings};
use verbale_keys::{FileError, Fingerprint, SecretKey, write_public_text};
use verbale_ledger::{Checkpoint, LogSize, leaf_hash};
use verbale_proto::v1::Configured;

use crate::clock::now_ms;
use crate::config::{Config, ConfigError, HeadsConfig};
use crate::heads::{self, Guard, HeadsError};
use crate::secrets::{NewSecrets, SecretError};

/// A card made by `init` is valid for five years; a rotation makes the next.
pub(crate) const CARD_VALIDITY_MS: i64 = 5 * 365 * 24 * 3600 * 1000;

/// The folder of a node.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

/// A node's folder could not be made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// There is something already.
    #[error("{} is not empty; give a new folder, an existing node is never overwritten", .0.display())]
    NotEmpty(PathBuf),
    /// Not an id.
    #[error("{0} is no contact point's id: 1 to 64 characters A-Z, 0-9 and -, as the memoranda name it")]
    BadId(String),
    /// No port.
    #[error("{listen} cannot be listened on")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The disk.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Keys.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Files.
    #[error(transparent)]
    File(#[from] FileError),
    /// The card.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The log.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The folder of heads.
    #[error(transparent)]
    Heads(#[from] HeadsError),
    /// A program fault.
    #[error("the first entry of the log could not be made")]
    Genesis,
}

/// What `init` made.
#[derive(Debug)]
pub struct Initialised {
    /// Fingerprint of the card key.
    pub fingerprint: Fingerprint,
    /// Where counterparts reach the node.
    pub listen: SocketAddr,
}

/// What a folder holds beside its journal.
pub(crate) struct Loaded {
    pub(crate) config: Config,
    pub(crate) configured: Configured,
    pub(crate) card: Card,
    pub(crate) card_bytes: Vec<u8>,
    pub(crate) memoranda: Memoranda,
}

/// A folder's files could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The disk.
    #[error("cannot read {}; is this the folder of a node? `verbale init` makes one", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A memorandum.
    #[error(transparent)]
    Memorandum(#[from] MemorandumError),
    /// The own card.
    #[error(transparent)]
    Card(#[from] CardError),
    /// Card and configuration name two contact points.
    #[error("card.txt is of {card}, verbale.toml of {config}; one of the two is another node's")]
    OtherCard {
        /// In the card.
        card: String,
        /// In the configuration.
        config: String,
    },
}

impl Folder {
    /// A folder, whether it exists or not.
    pub fn new(dir: &Path) -> Self {
        Self(dir.to_owned())
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.0
    }

    /// The Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.0.join("verbale.sock")
    }

    /// The folder of heads: as configured, or beside this one.
    pub(crate) fn heads(&self, config: &HeadsConfig) -> PathBuf {
        let beside = || {
            let dir = self.0.canonicalize().unwrap_or_else(|_| self.0.clone());
            let mut name = dir.file_name().unwrap_or_default().to_owned();
            name.push("-heads");
            dir.with_file_name(name)
        };
        config.folder.clone().unwrap_or_else(beside)
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }

    fn config(&self) -> PathBuf {
        self.0.join("verbale.toml")
    }

    pub(crate) fn card(&self) -> PathBuf {
        self.0.join("card.txt")
    }

    fn memoranda(&self) -> PathBuf {
        self.0.join("memoranda")
    }

    /// Reads the configuration.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn read_config(&self) -> Result<Config, LoadError> {
        let path = self.config();
        Ok(Config::parse(&path.display().to_string(), &read(&path)?)?)
    }

    pub(crate) fn load(&self) -> Result<Loaded, LoadError> {
        let path = self.config();
        let text = read(&path)?;
        let config = Config::parse(&path.display().to_string(), &text)?;
        let configured = config.configured(&text);
        let card_bytes = parse_card_text(&read(&self.card())?)?;
        let card = own_card(&card_bytes)?;
        if card.id != config.node.id {
            return Err(LoadError::OtherCard { card: card.id, config: config.node.id });
        }
        let dir = self.memoranda();
        let entries = fs::read_dir(&dir).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = entries.map_err(|source| LoadError::Io { path: dir, source })?;
        let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
        paths.sort();
        let files: Vec<(String, String)> =
            paths.iter().map(|path| Ok((path.display().to_string(), read(path)?))).collect::<Result<_, LoadError>>()?;
        let memoranda = Memoranda::parse(files.iter().map(|(file, text)| (file.as_str(), text.as_str())))?;
        Ok(Loaded { config, configured, card, card_bytes, memoranda })
    }
}

/// Makes a node: keys, card, configuration, memoranda, and an empty log. The caller becomes `person-1`, with the roles
/// system and operator.
///
/// # Errors
/// [`InitError`]; a folder that is not empty is left as it is.
///
/// # Durability
/// On return everything is on disk.
pub fn init(folder: &Folder, id: &str, listen: SocketAddr) -> Result<Initialised, InitError> {
    let dir = folder.dir();
    if !is_identifier(id) {
        return Err(InitError::BadId(id.to_owned()));
    }
    if fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(InitError::NotEmpty(dir.to_owned()));
    }
    let listen = pick_port(listen)?;
    for made in [dir, &folder.keys(), &folder.memoranda()] {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(made).map_err(io_error("create", made))?;
    }
    let heads_dir = folder.heads(&HeadsConfig::default());
    heads::begin(&heads_dir)?;
    let secrets = NewSecrets::write(&folder.keys())?;
    let (card, card_bytes) = first_card(id, &secrets)?;
    write_public_text(&folder.card(), &card_text(&card_bytes, &card))?;
    for (name, text) in Memoranda::shipped() {
        write_public_text(&folder.memoranda().join(name), text)?;
    }
    write_public_text(&folder.config(), &config_text(id, listen))?;
    let log_vkey = card.log_vkey();
    let [_, _, log, _] = secrets.roles;
    let (mut guard, _) = Guard::open(&heads_dir, &log_vkey)?;
    let settings = Settings::new(dir, &card.log_origin, log);
    let first = genesis(now_ms(), &card, &card_bytes).map_err(|_| InitError::Genesis)?;
    let root = leaf_hash(&first.entry);
    let head = Checkpoint { origin: card.log_origin.clone(), size: LogSize(1), root };
    let note = head.sign(&settings.key);
    Journal::create(&Disk, &settings, &Record::entry(first.entry))?;
    guard.release(&note)?;
    guard.sync()?;
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for made in [&folder.keys(), &folder.memoranda(), dir, &heads_dir, parent] {
        fs::File::open(made).and_then(|made| made.sync_all()).map_err(io_error("sync", made))?;
    }
    Ok(Initialised { fingerprint: card.card_key.fingerprint(), listen })
}

/// The own card, whose fingerprint nobody has to compare.
pub(crate) fn own_card(bytes: &[u8]) -> Result<Card, CardError> {
    let unverified = verbale_evidence::UnverifiedCard::parse(bytes)?;
    let fingerprint = unverified.claimed_fingerprint()?;
    unverified.verify(&fingerprint)
}

fn first_card(id: &str, secrets: &NewSecrets) -> Result<(Card, Vec<u8>), CardError> {
    let [card_key, envelope, log, cosigner] = &secrets.roles;
    let now = now_ms();
    let card = Card {
        id: id.to_owned(),
        serial: 1,
        card_key: card_key.public(),
        envelope_key: envelope.public(),
        log_key: log.public(),
        cosigner_key: cosigner.public(),
        tls_spki: secrets.tls_spki.clone(),
        age_recipient: secrets.age_recipient.clone(),
        log_origin: format!("verbale/{id}/1"),
        valid_from_ms: now,
        valid_until_ms: now + CARD_VALIDITY_MS,
        revoked: false,
    };
    let bytes = sign_card(&card, card_key)?;
    Ok((card, bytes))
}

/// Port 0 becomes a free one, once and for all.
fn pick_port(listen: SocketAddr) -> Result<SocketAddr, InitError> {
    if listen.port() != 0 {
        return Ok(listen);
    }
    let picked = TcpListener::bind(listen).and_then(|listener| listener.local_addr());
    picked.map_err(|source| InitError::Listen { listen, source })
}

fn config_text(id: &str, listen: SocketAddr) -> String {
    let uid = rustix::process::getuid().as_raw();
    include_str!("../../../config/verbale.toml")
        .replace("JP-MOJ-ISA-RMD", id)
        .replace("127.0.0.1:7401", &listen.to_string())
        .replace("uids = [1000]", &format!("uids = [{uid}]"))
}

fn read(path: &Path) -> Result<String, LoadError> {
    fs::read_to_string(path).map_err(|source| LoadError::Io { path: path.to_owned(), source })
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> InitError {
    let path = path.to_owned();
    move |source| InitError::Io { action, path, source }
}

/// Settings of the journal of a loaded node.
pub(crate) fn journal_settings(folder: &Folder, loaded: &Loaded, log: SecretKey) -> Settings {
    Settings {
        reserve_bytes: loaded.config.limits.reserve_bytes,
        ..Settings::new(folder.dir(), &loaded.card.log_origin, log)
    }
}

/// The real disk.
pub(crate) fn disk() -> Arc<Disk> {
    Arc::new(Disk)
}
