//! The node's secrets, as files in `DIR/keys`, each with mode 0600.

use std::path::{Path, PathBuf};

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use verbale_envelope::{ArchiveKey, Identity};
use verbale_keys::{FileError, Fingerprint, Role, SecretKey, read_secret_text, write_secret_text};

use zeroize::Zeroizing;

use crate::random;

pub(crate) const TLS_FILE: &str = "tls.pem";
pub(crate) const AGE_FILE: &str = "age.txt";
const ARCHIVE_FILE: &str = "archive.key";

/// What a running node holds. The card key is not among it: it is used offline.
pub(crate) struct Secrets {
    pub(crate) envelope: SecretKey,
    pub(crate) log: SecretKey,
    pub(crate) cosigner: SecretKey,
    pub(crate) tls: KeyPair,
    pub(crate) age: Identity,
    pub(crate) archive: ArchiveKey,
}

/// A secret could not be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
    /// What is in it.
    #[error("{} cannot be used: {text}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Why not.
        text: String,
    },
}

/// What `init` makes.
pub(crate) struct NewSecrets {
    pub(crate) roles: [SecretKey; 4],
    pub(crate) tls_spki: Vec<u8>,
    pub(crate) age_recipient: String,
}

impl NewSecrets {
    /// Makes all secrets and writes them.
    pub(crate) fn write(dir: &Path) -> Result<Self, SecretError> {
        let roles = Role::ALL.map(|_| SecretKey::from_seed(random::bytes()));
        for (role, key) in Role::ALL.iter().zip(&roles) {
            write_secret_text(&dir.join(role.file_name()), &key.to_pem())?;
        }
        let tls_path = dir.join(TLS_FILE);
        let tls = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| content(&tls_path, &error))?;
        write_secret_text(&tls_path, &Zeroizing::new(tls.serialize_pem()))?;
        let age = Identity::generate();
        write_secret_text(&dir.join(AGE_FILE), &age.to_text())?;
        write_secret_text(&dir.join(ARCHIVE_FILE), &ArchiveKey::text_of(&Zeroizing::new(random::bytes())))?;
        let age_recipient = age.recipient().map_err(|error| content(&dir.join(AGE_FILE), &error))?.to_string();
        Ok(Self { roles, tls_spki: spki(&tls), age_recipient })
    }
}

impl Secrets {
    pub(crate) fn load(dir: &Path) -> Result<Self, SecretError> {
        Ok(Self {
            envelope: role(dir, Role::Envelope)?,
            log: role(dir, Role::Log)?,
            cosigner: role(dir, Role::Cosigner)?,
            tls: load_tls(&dir.join(TLS_FILE))?,
            age: load_age(&dir.join(AGE_FILE))?.0,
            archive: {
                let path = dir.join(ARCHIVE_FILE);
                ArchiveKey::from_text(&read_secret_text(&path)?).map_err(|error| content(&path, &error))?
            },
        })
    }
}

/// Reads an age identity, and gives the fingerprint of its recipient.
pub(crate) fn load_age(path: &Path) -> Result<(Identity, Fingerprint), SecretError> {
    let identity = Identity::from_text(&read_secret_text(path)?).map_err(|error| content(path, &error))?;
    let fingerprint = identity.recipient().map_err(|error| content(path, &error))?.fingerprint();
    Ok((identity, fingerprint))
}

/// Reads an ECDSA P-256 key in PKCS#8 PEM.
pub(crate) fn load_tls(path: &Path) -> Result<KeyPair, SecretError> {
    let text = read_secret_text(path)?;
    KeyPair::from_pem(&text).map_err(|error| content(path, &error))
}

/// The subject public key info of a TLS key, DER.
pub(crate) fn spki(key: &KeyPair) -> Vec<u8> {
    use rcgen::PublicKeyData as _;
    key.subject_public_key_info()
}

pub(crate) fn role(dir: &Path, role: Role) -> Result<SecretKey, SecretError> {
    let path = dir.join(role.file_name());
    SecretKey::from_pem(&read_secret_text(&path)?).map_err(|error| content(&path, &error))
}

fn content(path: &Path, error: &dyn std::fmt::Display) -> SecretError {
    SecretError::Content { path: path.to_owned(), text: error.to_string() }
}
