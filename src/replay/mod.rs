//! Traffic of before, judged by other rules: what would change, by clause.
//!
//! A capture is read packet by packet (`capture`, `packet`), its connections are put together (`flows`, `stream`), PDUs are
//! cut out (`cutter`), answers find their messages (`talk`), and each message comes before the configuration that is asked
//! about, and before that which was in force if it is given (`court`, `judge`), with the facts as of its time (`facts`). Of
//! the audit's records, which have neither text nor number, what they hold is judged (`records`). What changes is counted
//! (`tally`).
//!
//! Memory does not grow with the input: every table has a bound. Reads the ledger beside a proxy that runs, sends nothing,
//! and changes no file. What cannot be judged is counted with the reason, and never guessed.

pub mod capture;
mod court;
mod cutter;
mod facts;
mod flows;
mod judge;
mod packet;
mod records;
mod stream;
mod talk;
mod tally;

use std::io::Read;

pub use capture::Broken;
pub use court::From;
pub use facts::{Source, StateChange};
pub use flows::Connections;
pub use judge::{Ground, Judge, Verdict};
pub use records::{LineFault, Recorded, of_records};
pub use tally::{About, Changed, Clauses, Kind, Row, Shown, Tally, Under};

use court::Court;
use flows::Flows;
use packet::{NoSegment, Segment};
use stream::Mark;

/// What is asked of a capture.
#[derive(Debug, Clone)]
pub struct Options {
    /// The port that ESMEs bind at; none: any.
    pub port: Option<u16>,
    /// Who binds from where, if the capture does not have the bind.
    pub accounts: Vec<From>,
    /// Examples of each kind of change under each ground.
    pub examples: usize,
    /// Whether recipients and texts are shown with what changes.
    pub show_text: bool,
    /// The longest PDU, in octets.
    pub max_frame: usize,
    /// The longest that an answer may take.
    pub response_timeout: std::time::Duration,
}

/// What a capture holds.
#[derive(Debug, Default)]
pub struct Captured {
    /// The file.
    pub packets: capture::Count,
    /// Packets that are no TCP.
    pub other: u64,
    /// Packets on links that are not known here.
    pub unknown_link: u64,
    /// Packets that are fragments, or were cut within their headers.
    pub cut: u64,
    /// Its connections.
    pub connections: Connections,
    /// What changes.
    pub tally: Tally,
    /// Opt-outs of the capture that no room was left for.
    pub forgotten: u64,
}

/// Judges the traffic of a capture by one configuration, or by another one and by that which was in force; each message of
/// which something changes is handed to `changed`.
///
/// # Errors
/// [`Broken`]: what the file has before that place is judged.
pub fn of_capture(
    from: impl Read + Send,
    judges: (Judge, Option<Judge>),
    options: Options,
    changed: Box<dyn FnMut(&Changed)>,
) -> (Captured, Result<(), Broken>) {
    let Options { port, accounts, examples, show_text, max_frame, response_timeout } = options;
    let patience = u32::try_from(response_timeout.as_millis() / 100).unwrap_or(u32::MAX);
    let mut court = Court::new(judges, (accounts, examples, show_text), changed);
    let mut flows = Flows::new(port, max_frame, patience);
    let mut captured = Captured::default();
    let (packets, ended) = capture::read(from, |packet| match Segment::of(&packet) {
        Ok(segment) => {
            let mark = Mark { packet: packet.number, nanos: packet.nanos };
            flows.take(&segment, mark, &mut court);
        }
        Err(NoSegment::Link) => captured.unknown_link += 1,
        Err(NoSegment::Other) => captured.other += 1,
        Err(NoSegment::Cut) => captured.cut += 1,
    });
    flows.end(&mut court);
    captured.packets = packets;
    captured.connections = flows.found;
    captured.forgotten = court.forgotten();
    captured.tally = court.tally;
    (captured, ended)
}
