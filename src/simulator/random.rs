//! A small deterministic generator: the same seed gives the same run. Not for secrets.

/// The `index`-th number of the sequence that `seed` names (SplitMix64, which needs no state between its numbers).
pub(super) fn nth(seed: u64, index: u64) -> u64 {
    let mut z = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Whether the `index`-th of many falls into a share of 0.0 to 1.0 of them.
pub(super) fn in_share(seed: u64, index: u64, share: f64) -> bool {
    // 53 bits are what a double holds exactly: the result lies in 0.0..1.0, so a share of 1.0 takes all.
    ((nth(seed, index) >> 11) as f64) / ((1u64 << 53) as f64) < share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_kept_and_repeats() {
        let count = |seed, share| (0..100_000).filter(|n| in_share(seed, *n, share)).count();
        assert_eq!(count(1, 0.0), 0);
        assert_eq!(count(1, 1.0), 100_000);
        assert!((24_000..26_000).contains(&count(1, 0.25)));
        assert_eq!(count(1, 0.25), count(1, 0.25));
        assert_ne!((0..8).map(|n| nth(1, n)).collect::<Vec<_>>(), (0..8).map(|n| nth(2, n)).collect::<Vec<_>>());
    }
}
