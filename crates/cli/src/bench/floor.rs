//! The floor: what every design of this kind must do for a notice, and nothing else, on all cores.

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use verbale_envelope::Exercise;
use verbale_keys::{PublicKey, SecretKey};
use verbale_ledger::{leaf_hash, node_hash};

use crate::failure::CliError;

/// What it is, in words.
pub(crate) const WHAT: &str = "for each notice one signature, one seal, one strict verification, one opening, four hashes;\n  \
     for each 256 of them one write and one sync; on both cores, without network, encoding, journal or index";

/// Notices of one batch: the largest that the journal commits at once.
const BATCH: usize = 256;

/// A measurement takes about so long: hundreds of batches, and short beside the exchange.
const TIME: Duration = Duration::from_secs(2);

/// A statement in its signed form, and a log entry with it.
const STATEMENT_BYTES: usize = 560;
const ENTRY_BYTES: usize = 720;

/// A log entry that tells of a receipt.
const RECEIPT_ENTRY_BYTES: usize = 80;

/// What stands in a receipt beside the entry and its proof: a signed head, index and type.
const RECEIPT_HEAD_BYTES: usize = 260;

/// A node of a proof, in base64 and with its newline.
const NODE_TEXT_BYTES: usize = 45;

/// Threads: one for each core of the machine that the project measures on.
const THREADS: usize = 2;

/// Notices a second, all threads together.
pub(crate) fn per_second(dir: &Path, content_bytes: usize) -> Result<f64, CliError> {
    measured(|thread, until| batches(&dir.join(format!("floor-{thread}")), content_bytes, until))
}

/// What every auditor must do for a notice in a log, in words: what the log's form asks for, and nothing else.
pub(crate) const WHAT_OF_READING: &str = "for each notice one strict verification, and one hash of its statement, its entry, and a node above that; of one\n  \
     that was sent also of its receipt, of both entries that tell of that, and of each node that proves it; on both cores";

/// Notices a second of it, all threads together: of those that were sent and have a receipt with a proof of so many nodes, or of those received.
pub(crate) fn read_per_second(proof: Option<u32>) -> Result<f64, CliError> {
    let statement = [4; STATEMENT_BYTES];
    let (entry, receipt_entry) = ([3; ENTRY_BYTES], [3; RECEIPT_ENTRY_BYTES]);
    let receipt = vec![5; ENTRY_BYTES + RECEIPT_HEAD_BYTES + proof.unwrap_or_default() as usize * NODE_TEXT_BYTES];
    let key = SecretKey::from_seed([7; 32]);
    let (signature, public) = (key.sign(&statement), key.public());
    measured(|_, until| {
        let mut done = 0;
        while Instant::now() < until {
            for _ in 0..BATCH {
                public.verify(&statement, &signature).map_err(|_| fault())?;
                for bytes in [statement.as_slice(), &entry] {
                    black_box(leaf_hash(black_box(bytes)));
                }
                let mut node = black_box(node_hash(&[1; 32], &[2; 32]));
                if let Some(proof) = proof {
                    for bytes in [receipt.as_slice(), &receipt_entry, &entry] {
                        black_box(leaf_hash(black_box(bytes)));
                    }
                    // The nodes of the proof, and that above the receipt's entry.
                    for _ in 0..=proof {
                        node = black_box(node_hash(&node, &[2; 32]));
                    }
                }
                done += 1;
            }
        }
        Ok(done)
    })
}

/// How much all threads together do in a second.
fn measured(work: impl Fn(usize, Instant) -> std::io::Result<u64> + Sync) -> Result<f64, CliError> {
    let started = Instant::now();
    let counts: Vec<std::io::Result<u64>> = std::thread::scope(|scope| {
        let work = &work;
        let running: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || work(thread, started + TIME))).collect();
        running.into_iter().map(|thread| thread.join().unwrap_or(Ok(0))).collect()
    });
    let elapsed = started.elapsed();
    let failed = |error| CliError::failed("the floor could not be measured", error);
    let count = counts.into_iter().sum::<std::io::Result<u64>>().map_err(failed)?;
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    Ok(count as f64 / elapsed.as_secs_f64())
}

/// Does batches until the time is up and returns the number of notices.
fn batches(path: &Path, content_bytes: usize, until: Instant) -> std::io::Result<u64> {
    let key = SecretKey::from_seed([7; 32]);
    let public = key.public();
    let exercise = Exercise::generate().ok_or_else(fault)?;
    let file = File::create(path)?;
    // Zero-filled ahead, as the journal's segments are: a sync is then cheapest.
    let mut batch = vec![0; BATCH * (content_bytes + ENTRY_BYTES)];
    file.write_all_at(&batch, 0)?;
    file.sync_all()?;
    let mut done = 0;
    while Instant::now() < until {
        batch.clear();
        for _ in 0..BATCH {
            let sealed = notice(&key, &public, &exercise, content_bytes, done)?;
            batch.extend_from_slice(&sealed);
            batch.resize(batch.len() + ENTRY_BYTES, 1);
            done += 1;
        }
        file.write_all_at(&batch, 0)?;
        file.sync_data()?;
    }
    drop(file);
    std::fs::remove_file(path)?;
    Ok(done)
}

/// One notice: sign, seal, verify, open, and a hash of sealed bytes and entry on each side.
fn notice(
    key: &SecretKey,
    public: &PublicKey,
    exercise: &Exercise,
    content_bytes: usize,
    number: u64,
) -> std::io::Result<Vec<u8>> {
    let mut statement = vec![0; STATEMENT_BYTES];
    statement.splice(..8, number.to_be_bytes());
    let sealed = exercise.seal(&vec![2; content_bytes]).ok_or_else(fault)?;
    let signature = key.sign(&statement);
    public.verify(&statement, &signature).map_err(|_| fault())?;
    if exercise.open(&sealed) != Some(content_bytes) {
        return Err(fault());
    }
    for _side in 0..2 {
        black_box(leaf_hash(&sealed));
        black_box(leaf_hash(&vec![3; ENTRY_BYTES]));
    }
    Ok(sealed)
}

fn fault() -> std::io::Error {
    std::io::Error::other("a notice of the floor could not be made")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_of_the_floor_is_sealed_and_opened() {
        let key = SecretKey::from_seed([7; 32]);
        let sealed = notice(&key, &key.public(), &Exercise::generate().unwrap(), 1024, 1).unwrap();
        assert!(sealed.len() > 1024);
    }
}
