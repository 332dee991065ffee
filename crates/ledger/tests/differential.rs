//! The tree, the proofs and the notes against independent crates.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{HashableLeaf, RootHash};
use sha2::{Sha256, digest};
use signed_note::{Note, StandardVerifier, VerifierList};
use verbale_keys::{NoteAlgorithm, SecretKey, Vkey};
use verbale_ledger::{
    Checkpoint, CheckpointError, Hash, LogIndex, LogSize, NoteError, ProofError, TlogProof, TlogProofError, Tree,
    leaf_hash, verify_consistency, verify_inclusion,
};

/// An entry, hashed by ct-merkle as RFC 6962 asks.
#[derive(Clone)]
struct Entry(Vec<u8>);

impl HashableLeaf for Entry {
    fn hash<D: digest::Update>(&self, hash: &mut D) {
        hash.update(&self.0);
    }
}

fn entry(i: u64) -> Vec<u8> {
    format!("entry {i}").into_bytes()
}

fn grown(size: u64) -> (Tree, MemoryBackedTree<Sha256, Entry>) {
    let (mut ours, mut theirs) = (Tree::default(), MemoryBackedTree::new());
    for i in 0..size {
        assert_eq!(ours.append(leaf_hash(&entry(i))), LogIndex(i));
        theirs.push(Entry(entry(i)));
    }
    (ours, theirs)
}

fn root_of(theirs: &RootHash<Sha256>) -> Hash {
    (*theirs.as_bytes()).into()
}

#[test]
fn every_root_and_inclusion_proof_up_to_seventy_leaves_agrees_with_ct_merkle() {
    for size in 0..70 {
        let (ours, theirs) = grown(size);
        assert_eq!(ours.root(), root_of(&theirs.root()), "root of {size}");
        for index in 0..size {
            let proof = ours.inclusion_proof(LogIndex(index), LogSize(size)).unwrap();
            let their_proof = theirs.prove_inclusion(usize::try_from(index).unwrap());
            assert_eq!(proof.concat(), their_proof.as_bytes(), "proof of {index} in {size}");
            let leaf = leaf_hash(&entry(index));
            assert_eq!(verify_inclusion(leaf, LogIndex(index), LogSize(size), &proof, ours.root()), Ok(()));
        }
    }
}

#[test]
fn every_consistency_proof_up_to_forty_leaves_agrees_with_ct_merkle() {
    for new in 1..40 {
        let (ours, theirs) = grown(new);
        for old in 1..=new {
            let proof = ours.consistency_proof(LogSize(old), LogSize(new)).unwrap();
            let old_root = ours.root_at(LogSize(old)).unwrap();
            assert_eq!(verify_consistency(LogSize(old), old_root, LogSize(new), ours.root(), &proof), Ok(()));
            if old < new {
                let their_proof = theirs.prove_consistency(usize::try_from(new - old).unwrap());
                assert_eq!(proof.concat(), their_proof.as_bytes(), "from {old} to {new}");
            }
        }
    }
}

#[test]
fn a_proof_with_a_hash_more_less_or_changed_is_refused() {
    let (tree, _) = grown(11);
    let (size, root) = (tree.size(), tree.root());
    for index in (0..11).map(LogIndex) {
        let proof = tree.inclusion_proof(index, size).unwrap();
        let leaf = leaf_hash(&entry(index.0));
        let verify = |proof: &[Hash]| verify_inclusion(leaf, index, size, proof, root);
        assert!(matches!(verify(&proof[1..]), Err(ProofError::Length { .. } | ProofError::Root)));
        assert!(matches!(verify(&[&proof[..], &[[0; 32]]].concat()), Err(ProofError::Length { .. })));
        let mut changed = proof.clone();
        changed[0][0] ^= 1;
        assert_eq!(verify(&changed), Err(ProofError::Root));
        assert_eq!(verify_inclusion(leaf_hash(b"other"), index, size, &proof, root), Err(ProofError::Root));
        assert!(matches!(verify_inclusion(leaf, size.index(), size, &proof, root), Err(ProofError::Range { .. })));
    }
    let proof = tree.consistency_proof(LogSize(6), size).unwrap();
    let old_root = tree.root_at(LogSize(6)).unwrap();
    assert_eq!(verify_consistency(LogSize(6), root, size, root, &proof), Err(ProofError::Root));
    assert!(verify_consistency(LogSize(6), old_root, size, root, &proof[1..]).is_err());
    assert!(verify_consistency(LogSize(0), old_root, size, root, &proof).is_err());
}

/// Reads a size as the index one past the last entry.
trait PastTheEnd {
    fn index(self) -> LogIndex;
}

impl PastTheEnd for LogSize {
    fn index(self) -> LogIndex {
        LogIndex(self.0)
    }
}

fn log() -> (SecretKey, Vkey) {
    let key = SecretKey::from_seed([8; 32]);
    let vkey = Vkey { name: "verbale/XX/1".into(), algorithm: NoteAlgorithm::Ed25519, key: key.public() };
    (key, vkey)
}

#[test]
fn our_checkpoints_verify_with_an_independent_note_verifier() {
    let (key, vkey) = log();
    let note = Checkpoint { origin: vkey.name.clone(), size: LogSize(7), root: [9; 32] }.sign(&key);
    let verifier = StandardVerifier::new(&vkey.to_string()).expect("our vkey is read");
    let theirs = Note::from_bytes(note.as_bytes()).expect("our note is read");
    let (good, _) = theirs.verify(&VerifierList::new(vec![Box::new(verifier)])).expect("our note verifies");
    assert_eq!(good.len(), 1);
    assert_eq!(Checkpoint::verify(&note, &vkey).unwrap().size, LogSize(7));
}

#[test]
fn a_changed_or_foreign_checkpoint_is_refused() {
    let (key, vkey) = log();
    let head = Checkpoint { origin: vkey.name.clone(), size: LogSize(7), root: [9; 32] };
    let note = head.sign(&key);
    let refused = |note: &str| Checkpoint::verify(note, &vkey).unwrap_err();
    assert_eq!(refused(&note.replace("\n7\n", "\n8\n")), CheckpointError::Note(NoteError::BadSignature));
    assert_eq!(refused(&note.replace("XX/1 ", "XX/2 ")), CheckpointError::Note(NoteError::Unsigned));
    assert_eq!(refused(&head.text()), CheckpointError::Note(NoteError::Form));
    assert_eq!(refused(&note.replace('7', "7\r")), CheckpointError::Note(NoteError::Control));
    let other = Checkpoint { size: LogSize(8), ..head }.sign(&SecretKey::from_seed([7; 32]));
    assert_eq!(refused(&other), CheckpointError::Note(NoteError::Unsigned));
    assert_eq!(Checkpoint::parse("verbale/XX/1\n07\nAAAA\n"), Err(CheckpointError::Form));
}

#[test]
fn a_tlog_proof_reads_back_and_proves_its_entry_only() {
    let (key, vkey) = log();
    let (tree, _) = grown(9);
    let checkpoint = Checkpoint { origin: vkey.name.clone(), size: tree.size(), root: tree.root() }.sign(&key);
    let hashes = tree.inclusion_proof(LogIndex(4), tree.size()).unwrap();
    let proof = TlogProof { index: LogIndex(4), hashes, checkpoint };
    let text = proof.to_text();
    assert_eq!(TlogProof::parse(&text).as_ref(), Ok(&proof));
    assert_eq!(proof.verify(&entry(4), &vkey).unwrap().size, LogSize(9));
    assert_eq!(proof.verify(&entry(5), &vkey), Err(TlogProofError::Proof(ProofError::Root)));
    assert_eq!(TlogProof::parse(&text.replace("index 4", "index 04")), Err(TlogProofError::Form));
}
