//! How many messages a second `replay` judges, in one thread: a million messages and their answers in a capture that is made
//! while it is read, by one configuration and by two. Not by criterion: once is long enough.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what a bench cannot set up must stop it, as in a test")]
#![allow(missing_docs, reason = "a bench has no users")]

#[path = "../support/capture.rs"]
#[allow(dead_code, clippy::indexing_slicing, clippy::panic, reason = "it is a test's, of which the bench uses a part")]
mod capture;

use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use capture::{Capture, Conversation, End};
use smppolicy::config::Config;
use smppolicy::pdu::{
    Address, Bind, BindResp, CommandId, CommandStatus, Npi, SequenceNumber, SubmitSm, SubmitSmResp, Ton,
};
use smppolicy::replay::{Judge, Options, Source, of_capture};

const MESSAGES: u32 = 1_000_000;
/// Connections that they come on.
const BINDS: u32 = 8;
/// 2026-11-24T12:00:00Z in nanoseconds.
const NOON: u64 = 1_795_521_600_000_000_000;

const CONFIG: &str = "
[upstream.main]
address = 'simulator'
[[account]]
system_id = 'shop'
country = 'BE'
brands = ['Shop']
default_purpose = 'transactional'
rate = { per_second = 1_000_000, burst = 1_000_000 }
sender = [{ id = 'SHOP' }]
";

/// The capture, as it is made.
struct Made {
    capture: Capture,
    talks: Vec<Conversation>,
    next: u32,
    given: usize,
}

impl Made {
    fn new() -> Self {
        let mut capture = Capture::plain();
        let mut talks: Vec<_> =
            (0..BINDS).map(|bind| Conversation::new(&format!("10.0.0.{}:40000", bind + 1), "10.0.1.1:2775")).collect();
        let (mut ask, mut answer) = (BytesMut::new(), BytesMut::new());
        let bind = Bind { system_id: b"shop", interface_version: 0x34, ..Bind::default() };
        bind.encode(CommandId::BIND_TRANSCEIVER, SequenceNumber(1), &mut ask).unwrap();
        let accepted = BindResp { system_id: b"smsc", ..BindResp::default() };
        let id = CommandId::BIND_TRANSCEIVER_RESP;
        accepted.encode(id, CommandStatus::ESME_ROK, SequenceNumber(1), &mut answer).unwrap();
        for talk in &mut talks {
            talk.open().iter().for_each(|segment| capture.segment(NOON, segment));
            capture.segment(NOON, &talk.say(End::Esme, &ask));
            capture.segment(NOON, &talk.say(End::Smsc, &answer));
        }
        Self { capture, talks, next: 0, given: 0 }
    }

    /// Some more messages.
    fn go_on(&mut self) {
        self.capture.octets.clear();
        self.given = 0;
        while self.next < MESSAGES && self.capture.octets.len() < 1 << 16 {
            self.next += 1;
            let (n, at) = (self.next, NOON + u64::from(self.next) * 10_000);
            let (mut ask, mut answer) = (BytesMut::new(), BytesMut::new());
            let text =
                format!("Shop: your order {n} has left our store and comes to you tomorrow between nine and noon.");
            let to = format!("324{}", 70_000_000 + n % 900_000);
            let number = |digits| Address { ton: Ton::INTERNATIONAL, npi: Npi::ISDN, digits };
            let source = Address { ton: Ton::ALPHANUMERIC, npi: Npi::UNKNOWN, digits: b"SHOP" };
            let (destination, short_message) = (number(to.as_bytes()), text.as_bytes());
            let message = SubmitSm { source, destination, short_message, ..SubmitSm::default() };
            message.encode(SequenceNumber(n), &mut ask).unwrap();
            let accepted = SubmitSmResp { message_id: b"0123456789", ..SubmitSmResp::default() };
            accepted.encode(CommandStatus::ESME_ROK, SequenceNumber(n), &mut answer).unwrap();
            let talk = self.talks.get_mut((n % BINDS) as usize).unwrap();
            self.capture.segment(at, &talk.say(End::Esme, &ask));
            self.capture.segment(at + 5_000, &talk.say(End::Smsc, &answer));
        }
    }
}

impl Read for Made {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        if self.given == self.capture.octets.len() {
            self.go_on();
        }
        let ready = self.capture.octets.get(self.given..).unwrap_or_default();
        let count = ready.len().min(room.len());
        room.iter_mut().zip(ready).for_each(|(slot, octet)| *slot = *octet);
        self.given += count;
        Ok(count)
    }
}

fn judge() -> Judge {
    let config = Config::parse(CONFIG, "the bench's configuration", Path::new("/")).expect("a valid configuration");
    Judge::new(config, Source::Nothing, Vec::new()).expect("lists in order")
}

/// The most memory that this process has had, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn main() {
    // What it takes to make the capture is no part of what is measured.
    let began = Instant::now();
    let octets = std::io::copy(&mut Made::new(), &mut std::io::sink()).unwrap();
    let making = began.elapsed();
    println!("a capture of {MESSAGES} messages, {octets} octets, made in {making:.1?}");
    for (what, is_against) in [("one configuration", false), ("two configurations", true)] {
        let options = Options {
            port: None,
            accounts: Vec::new(),
            examples: 3,
            show_text: false,
            max_frame: 80 * 1024,
            response_timeout: Duration::from_secs(120),
        };
        let judges = (judge(), is_against.then(judge));
        let began = Instant::now();
        let (captured, ended) = of_capture(Made::new(), judges, options, Box::new(|_| {}));
        let took = began.elapsed().saturating_sub(making);
        ended.unwrap();
        assert_eq!(captured.tally.messages, u64::from(MESSAGES));
        assert_eq!(captured.tally.still_passed, u64::from(MESSAGES), "{:?}", captured.tally);
        let rate = f64::from(MESSAGES) / took.as_secs_f64();
        println!("{what}: {took:.2?}, {rate:.0} messages a second, at most {} MiB so far", peak());
    }
}
