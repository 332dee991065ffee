//! The age testkit (C2SP CCTV) against our header check and our way of opening.
//!
//! We open less than age does, on purpose: one X25519 recipient, grease beside it, nothing else. What the testkit calls a
//! failure must fail here too; what it calls a success must open here with the same payload, unless our profile excludes it.

use std::path::Path;

use age::secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};

use crate::age_file::{Identity, OpenError, open};
use crate::header::HeaderError;

/// Beside the project, when it is there; the project does not contain it.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors/cctv-age/age/testdata");

/// One vector.
struct Vector {
    expect: String,
    payload: Option<String>,
    identities: Vec<String>,
    outside_profile: bool,
    file: Vec<u8>,
}

#[test]
fn the_age_testkit_is_refused_wherever_it_must_be_and_opens_where_our_profile_reaches() {
    let folder = Path::new(FOLDER);
    if !folder.is_dir() {
        println!("SKIPPED: the folder with the age testkit is not beside the project");
        return;
    }
    let (mut opened, mut refused, mut excluded) = (0, 0, Vec::new());
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let vector = parse(&std::fs::read(&path).unwrap());
        // A vector for a passphrase or another kind of key has no identity of ours: ours must not open it.
        let any = age::x25519::Identity::generate().to_string().expose_secret().to_owned();
        let identity = vector.identities.first().and_then(|text| Identity::from_text(text).ok());
        let identity = identity.unwrap_or_else(|| Identity::from_text(&any).unwrap());
        let result = open(&vector.file, &identity);
        if vector.expect != "success" {
            assert!(result.is_err(), "{name}: expected {}, and it opened", vector.expect);
            refused += 1;
            continue;
        }
        match result {
            Ok((payload, _)) => {
                assert_eq!(Some(hex::encode(Sha256::digest(&*payload))), vector.payload, "{name}");
                opened += 1;
            }
            Err(OpenError::Header(HeaderError::Recipients(_) | HeaderError::OtherType | HeaderError::Version)) => {
                excluded.push(name);
            }
            Err(_) if vector.outside_profile => {
                excluded.push(name);
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }
    excluded.sort();
    println!(
        "{opened} opened, {refused} refused as they must be, {} outside our profile: {excluded:?}",
        excluded.len()
    );
    // Most successes of the testkit are for recipients and stanzas that our profile does not have.
    assert!(opened >= 2 && refused > 60);
    // The two that the age crate itself accepts.
    for name in ["stanza_missing_body", "stanza_missing_final_line"] {
        let vector = parse(&std::fs::read(folder.join(name)).unwrap());
        assert_eq!(crate::header::check(&vector.file), Err(HeaderError::Body), "{name}");
    }
}

fn parse(bytes: &[u8]) -> Vector {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n").unwrap();
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let all = |name: &str| -> Vec<String> {
        head.lines().filter_map(|line| line.strip_prefix(&format!("{name}: "))).map(str::to_owned).collect()
    };
    let outside_profile = ["passphrase", "armored", "compressed"].iter().any(|name| !all(name).is_empty());
    Vector {
        expect: all("expect").remove(0),
        payload: all("payload").into_iter().next(),
        identities: all("identity"),
        outside_profile,
        file: bytes[end + 2..].to_vec(),
    }
}
