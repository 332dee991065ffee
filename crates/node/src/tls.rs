//! TLS 1.3 with pinned keys: no certificate authority, no session resumption, post-quantum key agreement preferred.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DnType, KeyPair, SanType};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, NoServerSessionStorage, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
};

use crate::earlier::EarlierTls;
use crate::secrets::spki;

const ALPN_HTTP2: &[u8] = b"h2";

/// How a node's card stands in its certificate: a name that is a `data:` URL (RFC 2397, RFC 5280 §4.2.1.6).
const CARD: &str = "data:application/octet-stream;base64,";

/// Decides whether a key may connect; the certificate may say more of it.
pub(crate) type Allowed = Arc<dyn Fn(&[u8], &CertificateDer<'_>) -> bool + Send + Sync>;

/// A TLS configuration could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate.
    #[error("no certificate can be made of the TLS key: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The configuration.
    #[error("the TLS key cannot be used: {0}")]
    Config(#[from] Error),
}

/// The server side: whoever connects must show a key that `allowed` knows. Whoever is to learn the server's card from it finds it in its certificate.
pub(crate) fn server(
    key: &KeyPair,
    earlier: EarlierKeys,
    (name, card): (&str, Option<&[u8]>),
    allowed: Allowed,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = provider();
    let present = certified(key, (name, card), &provider)?;
    let shown = Shown { present, earlier, name: name.to_owned(), provider: Arc::clone(&provider) };
    let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::new(Pinned { allowed, provider }))
        .with_cert_resolver(Arc::new(shown));
    // A resumed session would not show the client's key again.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols = vec![ALPN_HTTP2.to_vec()];
    Ok(Arc::new(config))
}

/// The client side: the server must show a key that `allowed` knows.
pub(crate) fn client(key: &KeyPair, name: &str, allowed: Allowed) -> Result<Arc<ClientConfig>, TlsError> {
    let (certificate, secret) = certificate(key, (name, None))?;
    let provider = provider();
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned { allowed, provider }))
        .with_client_auth_cert(vec![certificate], secret)?;
    config.resumption = rustls::client::Resumption::disabled();
    config.alpn_protocols = vec![ALPN_HTTP2.to_vec()];
    Ok(Arc::new(config))
}

/// The key in a certificate, as SubjectPublicKeyInfo.
pub(crate) fn spki_of(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    Some(parsed.subject_public_key_info().as_ref().to_vec())
}

/// The card that a certificate carries; nothing of it is verified.
pub(crate) fn card_in(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let parsed = webpki::EndEntityCert::try_from(certificate).ok()?;
    parsed.valid_uri_names().find_map(|name| STANDARD.decode(name.strip_prefix(CARD)?).ok())
}

/// The name under which the server is asked for the key that is pinned: it may have a later one.
pub(crate) fn server_name(pin: &[u8]) -> ServerName<'static> {
    let anything = || ServerName::IpAddress(std::net::IpAddr::from([127, 0, 0, 1]).into());
    ServerName::try_from(name_of(pin)).unwrap_or_else(|_| anything())
}

/// A name for a key: the beginning of its SHA-256, in a domain that does not exist (RFC 6761 §6.4).
fn name_of(spki: &[u8]) -> String {
    use sha2::Digest as _;
    let digest = hex::encode(sha2::Sha256::digest(spki));
    format!("{}.invalid", digest.get(..40).unwrap_or(&digest))
}

/// Earlier keys that whoever pins them may be shown, as of now.
pub(crate) type EarlierKeys = Arc<dyn Fn() -> Vec<Arc<EarlierTls>> + Send + Sync>;

/// Shows the key that is asked for by name, else the present one.
struct Shown {
    present: Arc<CertifiedKey>,
    earlier: EarlierKeys,
    name: String,
    provider: Arc<CryptoProvider>,
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shown")
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name();
        let earlier = (self.earlier)().into_iter().find(|earlier| Some(name_of(&spki(&earlier.key)).as_str()) == asked);
        let earlier = earlier.and_then(|earlier| certified(&earlier.key, (&self.name, None), &self.provider).ok());
        Some(earlier.unwrap_or_else(|| Arc::clone(&self.present)))
    }
}

fn certified(
    key: &KeyPair,
    named: (&str, Option<&[u8]>),
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, TlsError> {
    let (certificate, secret) = certificate(key, named)?;
    let secret = provider.key_provider.load_private_key(secret)?;
    Ok(Arc::new(CertifiedKey::new(vec![certificate], secret)))
}

fn certificate(
    key: &KeyPair,
    (name, card): (&str, Option<&[u8]>),
) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), TlsError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    if let Some(card) = card {
        params.subject_alt_names.push(SanType::URI((CARD.to_owned() + &STANDARD.encode(card)).try_into()?));
    }
    let certificate = params.self_signed(key)?;
    let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Ok((certificate.der().clone(), secret))
}

fn provider() -> Arc<CryptoProvider> {
    let kx_groups = vec![aws_lc_rs::kx_group::X25519MLKEM768, aws_lc_rs::kx_group::X25519];
    Arc::new(CryptoProvider { kx_groups, ..aws_lc_rs::default_provider() })
}

/// Looks at the key in the certificate, and lets others look at what else is in it.
struct Pinned {
    allowed: Allowed,
    provider: Arc<CryptoProvider>,
}

impl std::fmt::Debug for Pinned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pinned")
    }
}

impl Pinned {
    fn check(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        match spki_of(certificate) {
            Some(spki) if (self.allowed)(&spki, certificate) => Ok(()),
            Some(_) => Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)),
            None => Err(Error::InvalidCertificate(CertificateError::BadEncoding)),
        }
    }

    fn signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end_entity).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.3 only".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Pinned {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end_entity).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.3 only".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
