//! The way back: text to septets, for who writes a message as an ESME would.

use super::tables::NONE;
use super::{ESCAPE, Shifts};

/// The septets for a text, one to an octet, if the tables have all of it.
pub fn encode(text: &str, shifts: Shifts) -> Option<Vec<u8>> {
    let mut septets = Vec::new();
    for character in text.chars().filter(|&character| character != NONE) {
        let find = |table: &super::Table| table.iter().position(|&entry| entry == character);
        match (find(shifts.locking.locking()), find(shifts.single.single())) {
            (Some(septet), _) => septets.push(septet as u8),
            (None, Some(septet)) => septets.extend([ESCAPE, septet as u8]),
            (None, None) => return None,
        }
    }
    Some(septets)
}

/// Septets in octets, behind a header of that many octets, which is put before them.
#[cfg(test)]
pub(crate) fn pack(septets: &[u8], header: &[u8]) -> Vec<u8> {
    let first = (header.len() * 8).div_ceil(7);
    let mut octets = header.to_vec();
    octets.resize(((first + septets.len()) * 7).div_ceil(8), 0);
    for (index, &septet) in septets.iter().enumerate() {
        let bit = (first + index) * 7;
        let wide = u16::from(septet) << (bit % 8);
        octets[bit / 8] |= wide as u8;
        if wide > 0xFF {
            octets[bit / 8 + 1] |= (wide >> 8) as u8;
        }
    }
    octets
}
