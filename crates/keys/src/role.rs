//! What a key is for. A key has one role: a signature made in one role must mean nothing in another.

use crate::PublicKey;

/// The role of an Ed25519 key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Signs cards; kept offline between rotations.
    Card,
    /// Signs statements of notices.
    Envelope,
    /// Signs checkpoints of the node's own log.
    Log,
    /// Cosigns checkpoints of the counterpart's log.
    Cosigner,
}

impl Role {
    /// Every role, in the order of a card's fields.
    pub const ALL: [Self; 4] = [Self::Card, Self::Envelope, Self::Log, Self::Cosigner];

    /// The role's name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Envelope => "envelope",
            Self::Log => "log",
            Self::Cosigner => "cosigner",
        }
    }

    /// The name of its key file.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Card => "card.pem",
            Self::Envelope => "envelope.pem",
            Self::Log => "log.pem",
            Self::Cosigner => "cosigner.pem",
        }
    }
}

/// Two roles, or two contact points, share one key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {first} key and the {second} key are the same key; every role needs a key of its own")]
pub struct SharedKey {
    /// Role of the first.
    pub first: String,
    /// Role of the second.
    pub second: String,
}

/// Requires that no two of the named keys are equal.
///
/// # Errors
/// [`SharedKey`] names the first two that are.
pub fn require_distinct<'a>(keys: impl IntoIterator<Item = (&'a str, &'a PublicKey)>) -> Result<(), SharedKey> {
    let mut seen: Vec<(&str, &PublicKey)> = Vec::new();
    for (name, key) in keys {
        if let Some((first, _)) = seen.iter().find(|(_, other)| *other == key) {
            return Err(SharedKey { first: (*first).to_owned(), second: name.to_owned() });
        }
        seen.push((name, key));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SecretKey;

    #[test]
    fn a_key_shared_between_roles_is_found() {
        let (a, b) = (SecretKey::from_seed([1; 32]).public(), SecretKey::from_seed([2; 32]).public());
        assert_eq!(require_distinct([("log", &a), ("envelope", &b)]), Ok(()));
        let shared = require_distinct([("log", &a), ("envelope", &b), ("cosigner", &a)]);
        assert_eq!(shared, Err(SharedKey { first: "log".into(), second: "cosigner".into() }));
    }
}
