//! Accounts that a holder with all of its own keys could make: what holds, and each way in which one does not.

#![expect(clippy::unwrap_used, reason = "a test")]

use verbale_audit::check_account;
use verbale_evidence::{account_text, encode_entry, sign_account, sign_disclosure};
use verbale_keys::Role;
use verbale_ledger::{Checkpoint, LogIndex, TlogProof, Tree, leaf_hash};
use verbale_proto::v1::log_entry::Event;
use verbale_proto::v1::{Account, AccountItem, Disclosed, Disclosure, NoticeOpened};
use verbale_testkit::ContactPoint;

const NOTICE: [u8; 16] = [3; 16];

/// A holder's log of three releases with an opening before the last, and the account that tells all of them.
fn made() -> (ContactPoint, Account) {
    let holder = ContactPoint::new("JP-MOJ-ISA-RMD", 1);
    let (mut tree, mut entries, mut previous_release) = (Tree::default(), Vec::new(), 0);
    tree.append(leaf_hash(b"genesis"));
    for place in 0..4_i64 {
        let disclosure = Disclosure {
            message_id: NOTICE.to_vec(),
            statement_digest: vec![4; 32],
            discloser: holder.card.id.clone(),
            code: "NOT_THIRD_PARTY".into(),
            purpose: format!("purpose {place}"),
            ..Disclosure::default()
        };
        let signed = sign_disclosure(&disclosure, &holder.secret(Role::Envelope));
        let event = if place == 2 {
            Event::NoticeOpened(NoticeOpened { message_id: NOTICE.to_vec(), ..NoticeOpened::default() })
        } else {
            Event::Disclosed(Disclosed {
                message_id: NOTICE.to_vec(),
                code: disclosure.code.clone(),
                disclosure_digest: signed.digest.to_vec(),
                disclosure_signature: signed.signature.clone(),
                previous_release,
                ..Disclosed::default()
            })
        };
        let entry = encode_entry(1000 + place, event).unwrap();
        let index = tree.append(leaf_hash(&entry));
        if place != 2 {
            previous_release = index.0 + 1;
        }
        entries.push((index, entry, if place == 2 { Vec::new() } else { signed.bytes }));
    }
    let head = Checkpoint { origin: holder.card.log_origin.clone(), size: tree.size(), root: tree.root() };
    let checkpoint = head.sign(&holder.secret(Role::Log));
    let proof = |index: LogIndex| {
        let hashes = tree.inclusion_proof(index, tree.size()).unwrap();
        TlogProof { index, hashes, checkpoint: checkpoint.clone() }.to_text()
    };
    let item = |(index, entry, disclosure): (LogIndex, Vec<u8>, Vec<u8>)| AccountItem {
        proof: proof(index),
        entry,
        disclosure,
    };
    let account = Account {
        message_id: NOTICE.to_vec(),
        statement_digest: vec![4; 32],
        holder: holder.card.id.clone(),
        answered_ms: 2000,
        covers_to: tree.size().0,
        with_openings: true,
        items: entries.into_iter().map(item).collect(),
        checkpoint,
        ..Account::default()
    };
    (holder, account)
}

fn check(holder: &ContactPoint, accounts: &[Account]) -> Result<usize, String> {
    let key = holder.secret(Role::Envelope);
    let text: String =
        accounts.iter().map(|account| account_text(&sign_account(account, &key), "An account.")).collect();
    let checked = check_account(&text, &holder.card.clone().into()).map_err(|error| error.to_string())?;
    Ok(checked.iter().map(|account| account.items.len()).sum())
}

/// What is wrong, and what the refusal says.
type Row = (&'static str, fn(&mut Account), &'static str);

#[test]
fn what_an_account_leaves_out_or_makes_up_is_found() {
    let (holder, whole) = made();
    assert_eq!(check(&holder, std::slice::from_ref(&whole)), Ok(4));
    let rows: [Row; 11] = [
        ("the first release is left out", |a| drop(a.items.remove(0)), "entry 2 names a release before it"),
        ("one in the middle is left out", |a| drop(a.items.remove(1)), "entry 4 names a release before it"),
        ("two are told in another order", |a| a.items.swap(0, 1), "names a release before it"),
        ("one is told twice", |a| a.items.push(a.items[3].clone()), "not in the order of the log"),
        ("it is about another notice", |a| a.message_id = vec![9; 16], "about another notice"),
        ("another statement of that number", |a| a.statement_digest = vec![9; 32], "about another one"),
        ("another audience is told", |a| a.items[0].disclosure = a.items[1].disclosure.clone(), "about another one"),
        ("a disclosure beside an opening", |a| a.items[2].disclosure = a.items[1].disclosure.clone(), "beside another"),
        ("a changed entry", |a| *a.items[0].entry.last_mut().unwrap() ^= 1, "is not in the holder's log"),
        ("another holder", |a| a.holder = "KG-MLSSM-CECA".into(), "another holder than the card"),
        ("more than the head covers", |a| a.covers_to += 1, "covers more than the checkpoint"),
    ];
    for (row, change, expected) in rows {
        let mut account = whole.clone();
        change(&mut account);
        let said = check(&holder, &[account]).unwrap_err();
        assert!(said.contains(expected), "{row}: {said}");
    }
    // One that comes in parts: all of them, in order, of one notice.
    let (mut first, mut second) = (whole.clone(), whole.clone());
    first.covers_to = 3;
    first.items.truncate(2);
    second.covers_from = 3;
    second.items.drain(..2);
    assert_eq!(check(&holder, &[first.clone(), second.clone()]), Ok(4));
    for (parts, expected) in [
        (vec![first.clone()], "last part is missing"),
        (vec![second.clone()], "names a release before it"),
        (vec![first.clone(), first], "names a release before it"),
    ] {
        let said = check(&holder, &parts).unwrap_err();
        assert!(said.contains(expected), "{said}");
    }
    // What is left out at the end shows in the whole log alone, and the report says so.
    let mut shorter = whole;
    shorter.items.pop();
    assert_eq!(check(&holder, &[shorter]), Ok(3));
}
