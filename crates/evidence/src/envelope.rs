//! The signed statement, before and after its signature was verified.

use verbale_keys::{PublicKey, SecretKey};

use crate::dsse::{DsseError, Unverified, sign};
use crate::statement::{Statement, StatementDigest, StatementError};

const PAYLOAD_TYPE: &str = "application/vnd.verbale.notice.v1+protobuf";

/// An envelope of a notice that proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The DSSE envelope.
    #[error(transparent)]
    Dsse(#[from] DsseError),
    /// The statement in it.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// Signed by a key that it does not name, though the signature verifies.
    #[error("the statement names another signing key than the one that signed it")]
    NamesAnotherKey,
    /// Signed by nobody who is known here.
    #[error(
        "the statement names a signing key that stands on no card of its sender here; give the card that it had then"
    )]
    UnknownKey,
    /// Another statement than the one that was named.
    #[error("the statement is not the one that its answer names")]
    AnotherStatement,
}

/// Signs a statement. The same statement always gives the same bytes.
///
/// # Errors
/// [`EnvelopeError::Statement`] when a field has not its form; [`EnvelopeError::NamesAnotherKey`].
pub fn sign_statement(statement: Statement, key: &SecretKey) -> Result<VerifiedEnvelope, EnvelopeError> {
    if statement.sender_key != key.public().fingerprint() {
        return Err(EnvelopeError::NamesAnotherKey);
    }
    let payload = statement.encode()?;
    let digest = StatementDigest::of(&payload);
    Ok(VerifiedEnvelope { bytes: sign(payload, PAYLOAD_TYPE, key), statement, digest })
}

/// An envelope as it came in.
pub struct UnverifiedEnvelope {
    bytes: Vec<u8>,
    dsse: Unverified,
}

impl UnverifiedEnvelope {
    /// Reads the form only.
    ///
    /// # Errors
    /// [`EnvelopeError::Dsse`].
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        Ok(Self { bytes: bytes.to_vec(), dsse: Unverified::parse(bytes, PAYLOAD_TYPE)? })
    }

    /// What it says, not yet to be believed: only for finding the card that is needed.
    ///
    /// # Errors
    /// [`EnvelopeError::Statement`].
    pub fn claimed(&self) -> Result<Statement, EnvelopeError> {
        Ok(Statement::decode(self.dsse.claimed())?)
    }

    /// Reads the statement and verifies its signature.
    ///
    /// # Errors
    /// [`EnvelopeError`].
    pub fn verify(self, key: &PublicKey) -> Result<VerifiedEnvelope, EnvelopeError> {
        self.verify_under(|_| Some(*key))
    }

    /// Verifies the signature under the key that the statement leads to.
    ///
    /// # Errors
    /// [`EnvelopeError`]; [`EnvelopeError::UnknownKey`] when it leads to none.
    pub fn verify_under(
        self,
        key_of: impl FnOnce(&Statement) -> Option<PublicKey>,
    ) -> Result<VerifiedEnvelope, EnvelopeError> {
        let statement = self.claimed()?;
        let key = key_of(&statement).ok_or(EnvelopeError::UnknownKey)?;
        self.dsse.verify(&key)?;
        if statement.sender_key != key.fingerprint() {
            return Err(EnvelopeError::NamesAnotherKey);
        }
        let digest = StatementDigest::of(self.dsse.claimed());
        Ok(VerifiedEnvelope { bytes: self.bytes, statement, digest })
    }
}

/// Digest of the statement in an envelope, whoever signed it.
pub(crate) fn claimed_digest(bytes: &[u8]) -> Result<StatementDigest, EnvelopeError> {
    Ok(StatementDigest::of(Unverified::parse(bytes, PAYLOAD_TYPE)?.claimed()))
}

/// An envelope whose signature was verified strictly under the sender's enrolled key, or was made under our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedEnvelope {
    bytes: Vec<u8>,
    statement: Statement,
    digest: StatementDigest,
}

impl VerifiedEnvelope {
    /// The statement.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// SHA-256 of the statement's bytes.
    pub fn digest(&self) -> StatementDigest {
        self.digest
    }

    /// The envelope, verbatim.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same, when nothing else of it is needed.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::sample_statement;

    #[test]
    fn a_statement_is_bound_to_the_key_that_it_names() {
        let (key, other) = (SecretKey::from_seed([1; 32]), SecretKey::from_seed([2; 32]));
        let statement = sample_statement(&key.public());
        let good = sign_statement(statement.clone(), &key).unwrap();
        let verified = UnverifiedEnvelope::parse(good.bytes()).unwrap().verify(&key.public()).unwrap();
        assert_eq!(verified, good);
        let wrong = UnverifiedEnvelope::parse(good.bytes()).unwrap().verify(&other.public());
        assert_eq!(wrong.err(), Some(EnvelopeError::Dsse(DsseError::KeyId)));
        // Another key of the same sender signs the statement that names the first.
        assert_eq!(sign_statement(statement.clone(), &other), Err(EnvelopeError::NamesAnotherKey));
        let resigned = sign(statement.encode().unwrap(), PAYLOAD_TYPE, &other);
        let claimed = UnverifiedEnvelope::parse(&resigned).unwrap().verify(&other.public());
        assert_eq!(claimed.err(), Some(EnvelopeError::NamesAnotherKey));
    }
}
