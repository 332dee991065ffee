//! age with one X25519 recipient, through age's own traits, so that the file key can be kept and used again.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::str::FromStr;

use age::secrecy::ExposeSecret as _;
use age::x25519;
use age_core::format::{FileKey as AgeFileKey, Stanza};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use verbale_keys::Fingerprint;
use zeroize::Zeroizing;

use crate::archive::FileKey;
use crate::header::{self, HeaderError};

/// The public half: to whom a counterpart seals.
#[derive(Clone)]
pub struct Recipient {
    inner: x25519::Recipient,
    fingerprint: Fingerprint,
}

/// The text is no age recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text is no age X25519 recipient (age1…)")]
pub struct BadRecipient;

impl FromStr for Recipient {
    type Err = BadRecipient;

    fn from_str(text: &str) -> Result<Self, BadRecipient> {
        let inner: x25519::Recipient = text.parse().map_err(|_| BadRecipient)?;
        // Bech32 may be written in upper case; the fingerprint needs one form.
        if inner.to_string() != text {
            return Err(BadRecipient);
        }
        Ok(Self { inner, fingerprint: Fingerprint::from_digest(Sha256::digest(text).into()) })
    }
}

impl Recipient {
    /// SHA-256 of the recipient's text, `age1…`.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

impl std::fmt::Display for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.fmt(f)
    }
}

/// The secret half.
#[derive(Clone)]
pub struct Identity(x25519::Identity);

/// The text is no age identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text is no age identity file with one line AGE-SECRET-KEY-1…")]
pub struct BadIdentity;

impl Identity {
    /// Makes one from the system's randomness.
    pub fn generate() -> Self {
        Self(x25519::Identity::generate())
    }

    /// Reads an identity file: comments and one line.
    ///
    /// # Errors
    /// [`BadIdentity`]; the text is not repeated.
    pub fn from_text(text: &str) -> Result<Self, BadIdentity> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        match (lines.next(), lines.next()) {
            (Some(line), None) => line.parse().map(Self).map_err(|_| BadIdentity),
            _ => Err(BadIdentity),
        }
    }

    /// The identity file, as `age -d -i` reads it.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("# public key: {}\n{}\n", self.0.to_public(), self.0.to_string().expose_secret()))
    }

    /// The public half.
    ///
    /// # Errors
    /// None in practice: the text comes from age itself.
    pub fn recipient(&self) -> Result<Recipient, BadRecipient> {
        self.0.to_public().to_string().parse()
    }
}

/// A notice could not be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The content has a length that no seal carries.
    #[error("the content is {got} bytes, more than a sealed notice carries")]
    TooLarge {
        /// Its length.
        got: usize,
    },
    /// age failed, on memory: our fault.
    #[error("age could not seal the content")]
    Age,
}

/// Seals bytes to one recipient; returns the age file and its file key.
pub(crate) fn seal(plaintext: &[u8], recipient: &Recipient) -> Result<(Vec<u8>, FileKey), SealError> {
    let keeping = Keeping { recipient: &recipient.inner, file_key: RefCell::new(None) };
    let encryptor = age::Encryptor::with_recipients(std::iter::once(&keeping as &dyn age::Recipient))
        .map_err(|_| SealError::Age)?;
    let mut sealed = Vec::with_capacity(plaintext.len() + 1024);
    let mut writer = encryptor.wrap_output(&mut sealed).map_err(|_| SealError::Age)?;
    writer.write_all(plaintext).and_then(|()| writer.finish()).map_err(|_| SealError::Age)?;
    let file_key = keeping.file_key.take().ok_or(SealError::Age)?;
    Ok((sealed, file_key))
}

/// Characters of one line of the text form.
const ARMOR_LINE_CHARS: usize = 64;

/// Seals what leaves for an audience, as an age file in its text form.
///
/// # Errors
/// [`SealError::Age`].
///
/// # Source
/// age, "ASCII armor": RFC 7468 with the label AGE ENCRYPTED FILE.
pub fn seal_text(plaintext: &[u8], recipient: &Recipient) -> Result<String, SealError> {
    let (sealed, _) = seal(plaintext, recipient)?;
    let encoded = STANDARD.encode(sealed);
    let lines: Vec<_> = encoded.as_bytes().chunks(ARMOR_LINE_CHARS).map(String::from_utf8_lossy).collect();
    Ok(format!("-----BEGIN AGE ENCRYPTED FILE-----\n{}\n-----END AGE ENCRYPTED FILE-----\n", lines.join("\n")))
}

/// The bare seal, without any rule of this crate: for measuring what no design that seals with age can go below. It opens
/// nothing but what was sealed to its own key.
pub struct Exercise {
    recipient: Recipient,
    identity: Identity,
}

impl Exercise {
    /// With a key that nobody else uses.
    pub fn generate() -> Option<Self> {
        let identity = Identity::generate();
        Some(Self { recipient: identity.recipient().ok()?, identity })
    }

    /// Seals.
    pub fn seal(&self, plaintext: &[u8]) -> Option<Vec<u8>> {
        seal(plaintext, &self.recipient).ok().map(|(sealed, _)| sealed)
    }

    /// Opens, and tells the length of what was in it.
    pub fn open(&self, sealed: &[u8]) -> Option<usize> {
        open(sealed, &self.identity).ok().map(|(plaintext, _)| plaintext.len())
    }
}

/// A sealed file that could not be opened. Says nothing of its content.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error(transparent)]
    Header(#[from] HeaderError),
    #[error("it is sealed to another key than this node's")]
    NotForUs,
    #[error("the sealed bytes are damaged or cut short")]
    Damaged,
}

/// Opens a sealed file; returns the plaintext, authenticated to its end, and the file key.
pub(crate) fn open(sealed: &[u8], identity: &Identity) -> Result<(Zeroizing<Vec<u8>>, FileKey), OpenError> {
    let keeping = KeepingOpened { identity: &identity.0, file_key: RefCell::new(None) };
    let plaintext = decrypt(sealed, &keeping)?;
    let file_key = keeping.file_key.take().ok_or(OpenError::NotForUs)?;
    Ok((plaintext, file_key))
}

/// Opens a sealed file with the file key that was kept.
pub(crate) fn open_with_file_key(sealed: &[u8], file_key: &FileKey) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    decrypt(sealed, &Kept(file_key))
}

fn decrypt(sealed: &[u8], identity: &dyn age::Identity) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    header::check(sealed)?;
    // `new` reads byte by byte and parses anew for each; this one line by line.
    let decryptor = age::Decryptor::new_buffered(sealed).map_err(|_| OpenError::Damaged)?;
    let mut reader = decryptor.decrypt(std::iter::once(identity)).map_err(|error| match error {
        age::DecryptError::NoMatchingKeys => OpenError::NotForUs,
        _ => OpenError::Damaged,
    })?;
    let mut plaintext = Zeroizing::new(Vec::with_capacity(sealed.len()));
    reader.read_to_end(&mut plaintext).map_err(|_| OpenError::Damaged)?;
    Ok(plaintext)
}

/// A recipient that keeps the file key.
struct Keeping<'a> {
    recipient: &'a x25519::Recipient,
    file_key: RefCell<Option<FileKey>>,
}

impl age::Recipient for Keeping<'_> {
    fn wrap_file_key(&self, file_key: &AgeFileKey) -> Result<(Vec<Stanza>, HashSet<String>), age::EncryptError> {
        self.file_key.replace(Some(FileKey::from_bytes(*file_key.expose_secret())));
        self.recipient.wrap_file_key(file_key)
    }
}

/// An identity that keeps the file key.
struct KeepingOpened<'a> {
    identity: &'a x25519::Identity,
    file_key: RefCell<Option<FileKey>>,
}

impl age::Identity for KeepingOpened<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<AgeFileKey, age::DecryptError>> {
        let unwrapped = self.identity.unwrap_stanza(stanza)?;
        if let Ok(file_key) = &unwrapped {
            self.file_key.replace(Some(FileKey::from_bytes(*file_key.expose_secret())));
        }
        Some(unwrapped)
    }
}

/// An identity that has the file key already; the header's MAC tells whether it is the right one.
struct Kept<'a>(&'a FileKey);

impl age::Identity for Kept<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<AgeFileKey, age::DecryptError>> {
        (stanza.tag == "X25519").then(|| Ok(AgeFileKey::new(Box::new(*self.0.as_bytes()))))
    }
}
