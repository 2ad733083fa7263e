//! The whole session over loopback: a burst of messages in at the ESME's side, judged, out at the SMSC's, and the burst
//! of answers back.
//!
//! Of a burst of one nearly all is system calls and waking threads; what a message itself costs is in the difference to
//! the longer burst.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what a bench cannot set up must stop it, as in a test")]

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use smppolicy::config::Config;
use smppolicy::metrics::{Metrics, Tally, Verdict};
use smppolicy::pdu::{
    Address, Bind, BindResp, CommandId, CommandStatus, Npi, SequenceNumber, SubmitSm, SubmitSmResp, Ton,
};
use smppolicy::relay::Relay;
use tokio::runtime::Runtime;

/// How long any octet may take.
const PATIENCE: Duration = Duration::from_secs(20);

const TEXT: [u8; 100] = [b'a'; 100];

/// The two peers of one bind, with the proxy between them.
struct Bound {
    esme: TcpStream,
    smsc: TcpStream,
}

fn config(smsc: SocketAddr, folder: &std::path::Path) -> Config {
    let text = format!(
        r#"
        [listen]
        address = "127.0.0.1:0"
        [upstream.main]
        address = "{smsc}"
        [audit]
        path = "audit"
        msisdn_key_file = "key"
        [ledger]
        path = "ledger"
        [[account]]
        system_id = "bench"
        default_purpose = "transactional"
        rate = {{ per_second = 100_000_000, burst = 100_000_000 }}
        bind_rate = {{ per_second = 100_000_000, burst = 100_000_000 }}
          [[account.sender]]
          id = "ACMEStore"
          rate = {{ per_second = 100_000_000, burst = 100_000_000 }}
        "#
    );
    Config::parse(&text, "the bench's configuration", folder).expect("a valid configuration")
}

impl Bound {
    fn new(proxy: SocketAddr, smsc: &TcpListener) -> Self {
        let mut esme = TcpStream::connect(proxy).unwrap();
        let (mut bind, mut answer) = (BytesMut::new(), BytesMut::new());
        let (id, sequence) = (CommandId::BIND_TRANSCEIVER, SequenceNumber(1));
        Bind { system_id: b"bench", ..Bind::default() }.encode(id, sequence, &mut bind).unwrap();
        BindResp::default().encode(id.response(), CommandStatus::ESME_ROK, sequence, &mut answer).unwrap();
        esme.write_all(&bind).unwrap();
        let (smsc, _) = smsc.accept().unwrap();
        for stream in [&esme, &smsc] {
            stream.set_nodelay(true).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
        }
        let mut bound = Self { esme, smsc };
        bound.smsc.read_exact(&mut vec![0; bind.len()]).unwrap();
        bound.smsc.write_all(&answer).unwrap();
        bound.esme.read_exact(&mut vec![0; answer.len()]).unwrap();
        bound
    }

    /// One burst there, and its answers back.
    fn exchange(&mut self, messages: &[u8], answers: &[u8], room: &mut [u8]) {
        self.esme.write_all(messages).unwrap();
        self.smsc.read_exact(room.get_mut(..messages.len()).unwrap_or_default()).unwrap();
        self.smsc.write_all(answers).unwrap();
        self.esme.read_exact(room.get_mut(..answers.len()).unwrap_or_default()).unwrap();
    }
}

/// So many messages, and their answers.
fn burst(length: u32) -> (BytesMut, BytesMut) {
    let (mut messages, mut answers) = (BytesMut::new(), BytesMut::new());
    let message = SubmitSm {
        source: Address { ton: Ton::ALPHANUMERIC, npi: Npi::UNKNOWN, digits: b"ACMEStore" },
        destination: Address { ton: Ton::INTERNATIONAL, npi: Npi::ISDN, digits: b"4915112345678" },
        short_message: &TEXT,
        ..SubmitSm::default()
    };
    for sequence in (1..=length).map(SequenceNumber) {
        let answer = SubmitSmResp { message_id: b"0123456789", ..SubmitSmResp::default() };
        message.encode(sequence, &mut messages).unwrap();
        answer.encode(CommandStatus::ESME_ROK, sequence, &mut answers).unwrap();
    }
    (messages, answers)
}

fn session(criterion: &mut Criterion) {
    let (folder, runtime) = (tempfile::tempdir().unwrap(), Runtime::new().unwrap());
    let smsc = TcpListener::bind("127.0.0.1:0").unwrap();
    let relay = runtime.block_on(Relay::start(config(smsc.local_addr().unwrap(), folder.path()))).unwrap();
    let mut bound = Bound::new(relay.address(), &smsc);
    let mut group = criterion.benchmark_group("session");
    for length in [1, 100] {
        let (messages, answers) = burst(length);
        let mut room = vec![0; messages.len()];
        bound.exchange(&messages, &answers, &mut room);
        assert_eq!(room.get(answers.len()..), messages.get(answers.len()..), "the messages come through");
        assert_eq!(room.get(..answers.len()), Some(&answers[..]), "so do the answers");
        group.throughput(Throughput::Elements(length.into()));
        group.bench_function(format!("{length} messages and their answers"), |bencher| {
            bencher.iter(|| bound.exchange(&messages, &answers, &mut room));
        });
    }
    group.finish();
    drop(bound);
    runtime.block_on(relay.drain());
}

/// What metrics add to a burst: two looks at the clock, its messages, and their answers.
fn counting(criterion: &mut Criterion) {
    let mut tally = Tally::new(Arc::new(Metrics::new()), "bench");
    let mut group = criterion.benchmark_group("counting");
    for length in [1, 100] {
        group.throughput(Throughput::Elements(length));
        group.bench_function(format!("{length} messages and their answers"), |bencher| {
            bencher.iter(|| {
                let began = Instant::now();
                for _ in 0..length {
                    tally.judged(black_box(Verdict::Relayed));
                }
                tally.took(began.elapsed());
                for _ in 0..length {
                    tally.answered(black_box(CommandStatus::ESME_ROK), black_box(Duration::from_millis(20)));
                }
                tally.end_burst(black_box(150 * length), black_box(26 * length));
            });
        });
    }
    group.finish();
}

criterion_group!(benches, session, counting);
criterion_main!(benches);
