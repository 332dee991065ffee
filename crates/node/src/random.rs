//! The system's randomness.

/// Fresh random bytes.
///
/// A system that has none cannot run a node: the process ends.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(clippy::expect_used, reason = "without randomness no key and no seal is safe")]
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}

/// From -20 to 20: spreads retries.
pub(crate) fn jitter() -> i8 {
    let [byte] = bytes::<1>();
    i8::try_from(byte % 41).unwrap_or_default() - 20
}
