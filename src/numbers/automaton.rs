//! Reads digits one a step in tables, and stops as soon as the rest decides nothing but by its count.
//! Knows nothing of what an outcome stands for.

/// The most digits of an international number.
const MOST: usize = 15;

/// The number of different steps: ten digits, and the end of the number.
const STEPS: usize = 11;

/// The step at the end of the number.
const END: usize = 10;

/// Tables that lead from digits to an outcome. A place below the number of forks is a fork; the others are rows.
#[derive(Debug)]
pub(super) struct Automaton {
    /// Where each step leads.
    pub(super) forks: &'static [[u16; STEPS]],
    /// The outcome by the number of digits that follow.
    pub(super) rows: &'static [[u16; MOST + 1]],
}

impl Automaton {
    /// The outcome of these digits, read from a place on.
    #[inline]
    pub(super) fn outcome(&self, start: u16, mut digits: impl ExactSizeIterator<Item = usize>) -> u16 {
        let mut place = usize::from(start);
        while let Some(fork) = self.forks.get(place) {
            // The end leads to a row, so this ends.
            let step = digits.next().unwrap_or(END);
            place = fork.get(step).copied().map_or(usize::MAX, usize::from);
        }
        let row = self.rows.get(place.wrapping_sub(self.forks.len()));
        row.and_then(|row| row.get(digits.len())).copied().unwrap_or_default()
    }
}

/// The digits of a number, the first one first.
#[derive(Debug, Clone)]
pub(super) struct Digits {
    /// They as a fraction of one, in units of 2^-60.
    fraction: u64,
    left: usize,
}

impl Digits {
    /// The first three digits of a number with 7 to 15, and the others.
    #[inline]
    pub(super) fn after_three(number: u64) -> Option<(usize, Self)> {
        /// 10^12 as a reciprocal: 2^102 / 10^12, rounded up.
        const RECIPROCAL: u128 = (1_u128 << 102) / 1_000_000_000_000 + 1;
        const LEAST: u64 = 1_000_000;
        const END: u64 = 1_000_000_000_000_000;
        if !(LEAST..END).contains(&number) {
            return None;
        }
        let length = number.ilog10() as usize + 1;
        let aligned = number * 10_u64.pow((MOST - length) as u32);
        let (lead, others) = (aligned / 1_000_000_000_000, aligned % 1_000_000_000_000);
        // Rounded up, by less than a millionth of the last digit: each product has the next digit before its point.
        let fraction = ((u128::from(others) * RECIPROCAL) >> 42) as u64 + 1;
        Some((lead as usize, Self { fraction, left: length - 3 }))
    }
}

impl Iterator for Digits {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let product = self.fraction * 10;
        self.fraction = product & ((1 << 60) - 1);
        Some((product >> 60) as usize)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Digits {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_its_digits() {
        let edges = (6..15).flat_map(|zeros| {
            let power = 10_u64.pow(zeros);
            [power, power + 1, power * 2 - 1, power * 9, power * 10 - 1, power * 10 - 2]
        });
        let mut seed = 7_u64;
        let random = std::iter::repeat_with(move || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let number = seed >> 14;
            (number % 1_000_000_000_000_000) / 10_u64.pow((number % 9) as u32)
        });
        let numbers =
            edges.chain([1_000_000, 999_999_999_999_999]).chain(random.filter(|it| *it >= 1_000_000).take(100_000));
        for number in numbers {
            let (lead, digits) = Digits::after_three(number).unwrap();
            assert_eq!(digits.len() + 3, number.to_string().len());
            let read: String = digits.map(|digit| digit.to_string()).collect();
            assert_eq!(format!("{lead}{read}"), number.to_string());
        }
        for number in [0, 1, 999_999, 1_000_000_000_000_000, u64::MAX] {
            assert!(Digits::after_three(number).is_none(), "{number}");
        }
    }

    #[test]
    fn what_decides_is_the_digits_and_their_count() {
        // 0: after a 1 the row, after anything else or the end the other row.
        static TABLES: Automaton = Automaton {
            forks: &[[2, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2]],
            rows: &[[7, 8, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9], [0; 16]],
        };
        for (digits, outcome) in [(&[][..], 0), (&[1], 7), (&[1, 1], 8), (&[1, 5], 8), (&[1, 5, 5], 9), (&[2, 1], 0)] {
            assert_eq!(TABLES.outcome(0, digits.iter().copied()), outcome, "{digits:?}");
        }
        assert_eq!(TABLES.outcome(1, [3, 3].into_iter()), 9, "a row is a place to start as well");
        assert_eq!(TABLES.outcome(9, [3, 3].into_iter()), 0, "a place that is not there leads nowhere");
    }
}
