//! PDUs out of a run of octets that may have gaps, or may be no SMPP at all. After a gap, and where a capture begins in the
//! midst of a connection, the next place that looks like a PDU's header is looked for; what is passed over is counted.

use crate::pdu::{CommandId, CommandStatus, Frame, HEADER_LEN, Parsed, next_frame};

/// Octets without a PDU after which a connection speaks something else.
const FOREIGN: u64 = 256 * 1024;
/// Octets in front of the buffer that are done with, from which on it is moved.
const DONE: usize = 64 * 1024;

/// How it stands with the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Nothing has come: what comes first must be a PDU.
    First,
    /// A PDU ends where the next begins.
    In,
    /// Out of step.
    Out,
    /// It is no SMPP.
    Foreign,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Cutter {
    buffer: Vec<u8>,
    begin: usize,
    step: Step,
    /// The longest PDU, in octets.
    most: usize,
    has_cut: bool,
    /// Octets that were no part of a PDU, up to the last one that was found.
    skipped: u64,
    /// The same since then.
    passing: u64,
}

impl Cutter {
    /// Of a stream of which nothing is known yet.
    pub(super) fn new(most: usize) -> Self {
        Self { buffer: Vec::new(), begin: 0, step: Step::Out, most, has_cut: false, skipped: 0, passing: 0 }
    }

    /// What comes first is the first that was ever sent.
    pub(super) fn begins(&mut self) {
        self.step = Step::First;
    }

    /// Whether a PDU was found.
    pub(super) fn has_cut(&self) -> bool {
        self.has_cut
    }

    /// Octets that were no part of a PDU.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped + self.passing
    }

    /// Takes octets that follow on those before.
    pub(super) fn feed(&mut self, octets: &[u8]) {
        if self.step == Step::Foreign {
            self.passing += octets.len() as u64;
            return;
        }
        if self.begin == self.buffer.len() {
            self.buffer.clear();
            self.begin = 0;
        } else if self.begin > DONE {
            self.buffer.drain(..self.begin);
            self.begin = 0;
        }
        self.buffer.extend_from_slice(octets);
    }

    /// Octets are lost here: a PDU that has not come whole never will.
    pub(super) fn gap(&mut self) {
        self.passing += (self.buffer.len() - self.begin) as u64;
        self.begin = self.buffer.len();
        if self.step != Step::Foreign {
            self.step = Step::Out;
        }
    }

    /// The next whole PDU.
    pub(super) fn next(&mut self) -> Option<Frame<'_>> {
        let length = self.find()?;
        let begin = self.begin;
        self.begin += length;
        self.step = Step::In;
        self.has_cut = true;
        self.skipped += std::mem::take(&mut self.passing);
        Frame::from_bytes(self.buffer.get(begin..begin + length)?)
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.begin..).unwrap_or_default()
    }

    /// How long the PDU is that is whole at the front of the buffer, which is moved on to it.
    fn find(&mut self) -> Option<usize> {
        loop {
            let rest = self.rest();
            match self.step {
                Step::Foreign => return None,
                Step::In => match next_frame(rest, self.most) {
                    Ok(Parsed::Whole(frame)) => return Some(frame.bytes().len()),
                    Ok(Parsed::Partial(_)) => return None,
                    Err(_out_of_step) => self.step = Step::Out,
                },
                Step::First if rest.len() < HEADER_LEN => return None,
                Step::First if is_header(rest, self.most) => self.step = Step::In,
                Step::First => self.give_up(),
                Step::Out => return self.search(),
            }
        }
    }

    /// It is no SMPP: nothing of it is kept, nor of what follows.
    fn give_up(&mut self) {
        self.gap();
        self.step = Step::Foreign;
        (self.buffer, self.begin) = (Vec::new(), 0);
    }

    /// Goes on to the next place that looks like a PDU which is whole.
    fn search(&mut self) -> Option<usize> {
        while self.rest().len() >= HEADER_LEN {
            let rest = self.rest();
            let found = if is_header(rest, self.most) { next_frame(rest, self.most).ok() } else { None };
            match found {
                Some(Parsed::Partial(_)) => return None,
                Some(Parsed::Whole(frame)) => {
                    let length = frame.bytes().len();
                    let behind = rest.get(length..).unwrap_or_default();
                    if behind.len() < HEADER_LEN || is_header(behind, self.most) {
                        return Some(length);
                    }
                }
                None => {}
            }
            self.begin += 1;
            self.passing += 1;
            if !self.has_cut && self.passing > FOREIGN {
                self.give_up();
                return None;
            }
        }
        None
    }
}

/// Whether octets look like the header of a PDU: an operation that there is, of a possible length, and a request without a
/// status.
fn is_header(octets: &[u8], most: usize) -> bool {
    let word = |at: usize| octets.get(at..at + 4).and_then(|word| word.try_into().ok()).map(u32::from_be_bytes);
    let (Some(length), Some(id), Some(status)) = (word(0), word(4), word(8)) else { return false };
    let id = CommandId(id);
    let may_have_status = id.is_response() || status == CommandStatus::ESME_ROK.0;
    (HEADER_LEN..=most).contains(&(length as usize)) && id.name().is_some() && may_have_status
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdu::{SequenceNumber, header_only};

    const MOST: usize = 80 * 1024;

    fn enquire(sequence: u32) -> Vec<u8> {
        header_only(CommandId::ENQUIRE_LINK, CommandStatus::ESME_ROK, SequenceNumber(sequence)).to_vec()
    }

    fn all(cutter: &mut Cutter) -> Vec<u32> {
        let mut found = Vec::new();
        while let Some(frame) = cutter.next() {
            found.push(frame.sequence_number().0);
        }
        found
    }

    #[test]
    fn pdus_are_cut_wherever_the_octets_are() {
        let octets: Vec<u8> = (1..=5).flat_map(enquire).collect();
        for cut in 1..octets.len() {
            let mut cutter = Cutter::new(MOST);
            cutter.begins();
            let mut found = Vec::new();
            for part in octets.chunks(cut) {
                cutter.feed(part);
                found.extend(all(&mut cutter));
            }
            assert_eq!((found, cutter.skipped()), (vec![1, 2, 3, 4, 5], 0), "{cut}");
        }
    }

    #[test]
    fn out_of_step_the_next_place_that_looks_like_a_pdu_is_found() {
        let mut cutter = Cutter::new(MOST);
        cutter.begins();
        cutter.feed(&[&enquire(1)[..], &enquire(2)[..9]].concat());
        assert_eq!(all(&mut cutter), [1]);
        cutter.gap();
        // The end of a text, in which something begins like a header but is none.
        let decoy = [0, 0, 0, 20, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 9, b'a', b'b', b'c', b'd', b'e'];
        cutter.feed(&[b"tail of one", &decoy[..], &enquire(3), &enquire(4)].concat());
        assert_eq!(all(&mut cutter), [3, 4]);
        assert_eq!(cutter.skipped(), 9 + 11 + 21);
        // A length that no PDU has, without a gap.
        cutter.feed(&[&[0xFF; 7][..], &enquire(5), &enquire(6)].concat());
        assert_eq!((all(&mut cutter), cutter.skipped()), (vec![5, 6], 41 + 7));
    }

    #[test]
    fn what_does_not_begin_as_smpp_is_none() {
        let mut cutter = Cutter::new(MOST);
        cutter.begins();
        cutter.feed(b"GET / HTTP/1.1\r\n");
        cutter.feed(&enquire(1));
        assert_eq!((all(&mut cutter), cutter.has_cut()), (vec![], false));
        let mut begun_before = Cutter::new(MOST);
        for _ in 0..FOREIGN / 1000 + 2 {
            begun_before.feed(&[0x55; 1000]);
            assert!(all(&mut begun_before).is_empty());
        }
        begun_before.feed(&enquire(1));
        assert!(all(&mut begun_before).is_empty(), "for so long, it is none");
        assert_eq!(begun_before.buffer.capacity(), 0);
    }
}
