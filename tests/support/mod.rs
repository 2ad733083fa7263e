//! Fakes around the real proxy, over loopback: an ESME, an SMSC, and the proxy between them in this process.
//!
//! They await events, and [look](look::Looks) only for what tells nobody that it has come; whatever does not come within
//! [`PATIENCE`] fails the test.

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod clock;
pub(crate) mod look;
pub(crate) mod process;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use smppolicy::config::Config;
use smppolicy::pdu::{
    Address, Bind, CommandId, CommandStatus, DataCoding, EsmClass, Frame, Npi, Parsed, Password, SequenceNumber,
    SubmitSm, Tlv, TlvTag, Tlvs, Ton, header_only, next_frame,
};
use smppolicy::relay::{Given, Relay};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, broadcast};
use tokio::time::timeout;

/// How long anything may take. Generous: the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How long something that must not happen is waited for.
pub(crate) const QUIET: Duration = Duration::from_millis(200);

const MAX_FRAME: usize = 1 << 20;

/// What `future` gives; the test fails if that takes too long.
#[track_caller]
pub(crate) fn soon<T>(future: impl Future<Output = T>) -> impl Future<Output = T> {
    let place = std::panic::Location::caller();
    async move { timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{place}: not within {PATIENCE:?}")) }
}

/// The proxy in this process, with a folder of its own.
pub(crate) struct Proxy {
    pub(crate) relay: Relay,
    upstream: SocketAddr,
    folder: TempDir,
}

impl Proxy {
    /// Starts it in front of `upstream`. Tables in `fragment` are merged into [`configuration`]'s; arrays replace.
    pub(crate) async fn start(upstream: SocketAddr, fragment: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), upstream, fragment).await
    }

    /// The same in a folder that holds what the fragment names.
    pub(crate) async fn start_in(folder: TempDir, upstream: SocketAddr, fragment: &str) -> Self {
        Self::start_given(folder, upstream, fragment, Given::default()).await
    }

    /// The same, with this in place of what it would find.
    pub(crate) async fn start_given(folder: TempDir, upstream: SocketAddr, fragment: &str, given: Given) -> Self {
        let relay = Relay::start_given(load(upstream, fragment, folder.path()), given).await.unwrap();
        Self { relay, upstream, folder }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.relay.address()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Puts another fragment in force.
    pub(crate) fn reload(&self, fragment: &str) {
        self.relay.reload(load(self.upstream, fragment, self.folder.path())).unwrap();
    }

    /// [`stop`](Self::stop), while these peers agree to end.
    pub(crate) async fn stop_with(self, peers: impl IntoIterator<Item = Link>) -> Vec<serde_json::Value> {
        for peer in peers {
            tokio::spawn(serve(peer, Arc::default()));
        }
        self.stop().await
    }

    /// Drains, and gives the audit's records in the order they were written.
    pub(crate) async fn stop(self) -> Vec<serde_json::Value> {
        records(self.drain().await.path())
    }

    /// Drains, and gives the folder.
    pub(crate) async fn drain(self) -> TempDir {
        let drained = soon(self.relay.drain()).await;
        assert_eq!((drained.cut_off, drained.unwritten), (0, 0));
        // The ledger's thread lets go of the folder a little later; until then no other proxy starts in it.
        let lock = std::fs::File::open(self.folder.path().join("ledger/lock")).unwrap();
        soon(tokio::task::spawn_blocking(move || lock.lock())).await.unwrap().unwrap();
        self.folder
    }
}

/// The audit's records in `folder`, in the order they were written.
pub(crate) fn records(folder: &Path) -> Vec<serde_json::Value> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder.join("audit")).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "ndjson"));
    files.sort();
    let text: String = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn load(upstream: SocketAddr, fragment: &str, folder: &Path) -> Config {
    Config::parse(&configuration(upstream, fragment), "test.toml", folder).unwrap_or_else(|faults| panic!("{faults}"))
}

/// One account, `shop`, which owns `SHOP`, and one SMSC; `fragment` is merged into that.
pub(crate) fn configuration(upstream: SocketAddr, fragment: &str) -> String {
    let base = format!(
        "[listen]\naddress = '127.0.0.1:0'\n\
         [upstream.main]\naddress = '{upstream}'\n\
         [audit]\npath = 'audit'\nmsisdn_key_file = 'key'\n[ledger]\npath = 'ledger'\n\
         [[account]]\nsystem_id = 'shop'\nsender = [{{ id = 'SHOP' }}]\n"
    );
    let mut whole: toml::Table = base.parse().unwrap();
    merge(&mut whole, fragment.parse().unwrap());
    whole.to_string()
}

fn merge(into: &mut toml::Table, from: toml::Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(into)), toml::Value::Table(from)) => merge(into, from),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}

/// A connection's octets, plain or not.
pub(crate) trait Octets: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Octets for T {}

/// What comes in on a connection.
pub(crate) struct Incoming {
    half: tokio::io::ReadHalf<Box<dyn Octets>>,
    buffer: BytesMut,
}

/// What goes out on a connection.
pub(crate) struct Outgoing(tokio::io::WriteHalf<Box<dyn Octets>>);

/// One end of a connection: an ESME's, or the one that an SMSC accepted.
pub(crate) struct Link {
    pub(crate) from: Incoming,
    pub(crate) to: Outgoing,
}

impl Incoming {
    /// The next PDU; none at the end of the stream, which must not come within a PDU.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        let next = self.next_or_torn().await;
        assert!(next.is_some() || self.buffer.is_empty(), "the stream ends within a PDU: {:x?}", &self.buffer[..]);
        next
    }

    /// The next PDU; none at the end of the stream, be it within one.
    pub(crate) async fn next_or_torn(&mut self) -> Option<Bytes> {
        loop {
            match next_frame(&self.buffer, MAX_FRAME).unwrap() {
                Parsed::Whole(frame) => {
                    let length = frame.bytes().len();
                    return Some(self.buffer.split_to(length).freeze());
                }
                Parsed::Partial(needed) => self.buffer.reserve(needed),
            }
            let read = soon(self.half.read_buf(&mut self.buffer)).await;
            if matches!(read, Ok(0) | Err(_)) {
                return None;
            }
        }
    }

    /// The next PDU, which must come.
    #[track_caller]
    pub(crate) fn receive(&mut self) -> impl Future<Output = Bytes> + '_ {
        let place = std::panic::Location::caller();
        async move { self.next().await.unwrap_or_else(|| panic!("{place}: the connection ended")) }
    }

    /// All octets until the end.
    pub(crate) async fn rest(&mut self) -> BytesMut {
        while soon(self.half.read_buf(&mut self.buffer)).await.is_ok_and(|count| count > 0) {}
        self.buffer.split()
    }

    /// So many PDUs.
    pub(crate) async fn receive_all(&mut self, count: usize) -> Vec<Bytes> {
        let mut frames = Vec::with_capacity(count);
        while frames.len() < count {
            frames.push(self.receive().await);
        }
        frames
    }

    /// Asserts that no octet comes for a little while.
    pub(crate) async fn is_quiet(&mut self) {
        assert_eq!(self.buffer, b""[..]);
        let read = timeout(QUIET, self.half.read_buf(&mut self.buffer)).await;
        assert!(read.is_err(), "{read:?}: {:x?}", &self.buffer[..]);
    }
}

impl Outgoing {
    /// Sends octets, whatever they are.
    pub(crate) async fn send(&mut self, octets: &[u8]) {
        soon(self.0.write_all(octets)).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// Sends octets until none is taken for a while, or all are sent: how many were.
    pub(crate) async fn send_until_blocked(&mut self, octets: &[u8]) -> usize {
        let mut sent = 0;
        while sent < octets.len() {
            match timeout(QUIET, self.0.write(&octets[sent..])).await {
                Ok(count) => sent += count.unwrap(),
                Err(_) => break,
            }
        }
        sent
    }

    /// Sends octets for as long as the peer takes them; false if the connection ended before they were all sent.
    pub(crate) async fn send_while_open(&mut self, octets: &[u8]) -> bool {
        soon(self.0.write_all(octets)).await.is_ok()
    }

    /// Ends this direction.
    pub(crate) async fn end(&mut self) {
        soon(self.0.shutdown()).await.unwrap();
    }
}

impl Link {
    pub(crate) fn new(stream: impl Octets + 'static) -> Self {
        let (from, to) = tokio::io::split(Box::new(stream) as Box<dyn Octets>);
        Self { from: Incoming { half: from, buffer: BytesMut::new() }, to: Outgoing(to) }
    }

    /// Connects as an ESME does.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = soon(TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::new(stream)
    }

    /// The same, with buffers of its own that hold little.
    pub(crate) async fn connect_with_little_room(address: SocketAddr) -> Self {
        let stream = soon(little_room().connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::new(stream)
    }

    pub(crate) async fn send(&mut self, octets: &[u8]) {
        self.to.send(octets).await;
    }

    #[track_caller]
    pub(crate) fn receive(&mut self) -> impl Future<Output = Bytes> + '_ {
        self.from.receive()
    }

    /// The answer to a request.
    #[track_caller]
    pub(crate) fn ask<'a>(&'a mut self, request: &'a [u8]) -> impl Future<Output = Bytes> + 'a {
        let place = std::panic::Location::caller();
        async move {
            self.send(request).await;
            self.from.next().await.unwrap_or_else(|| panic!("{place}: the connection ended"))
        }
    }

    /// The status that a request is answered with, by its own kind of response and under its own sequence number.
    #[track_caller]
    pub(crate) fn status<'a>(&'a mut self, request: &'a [u8]) -> impl Future<Output = CommandStatus> + 'a {
        let place = std::panic::Location::caller();
        async move {
            let answer = self.ask(request).await;
            let (request, answer) = (frame(request), frame(&answer));
            assert_eq!(answer.command_id(), request.command_id().response(), "{place}");
            assert_eq!(answer.sequence_number(), request.sequence_number(), "{place}");
            answer.command_status()
        }
    }

    /// Asserts that the connection ends, and that nothing comes before that.
    #[track_caller]
    pub(crate) fn ends(&mut self) -> impl Future<Output = ()> + '_ {
        let place = std::panic::Location::caller();
        async move {
            let next = self.from.next().await;
            assert!(next.is_none(), "{place}: {next:x?}");
        }
    }

    /// Binds as a transceiver, and asserts that the answer is yes.
    pub(crate) async fn bind(&mut self, system_id: &str) {
        let status = self.status(&bind(CommandId::BIND_TRANSCEIVER, system_id)).await;
        assert_eq!(status, CommandStatus::ESME_ROK);
    }

    /// Answers the bind that comes with yes, and gives it.
    pub(crate) async fn accept_bind(&mut self) -> Bytes {
        let request = self.receive().await;
        assert!(frame(&request).command_id().is_bind(), "{request:x?}");
        self.send(&accepted(&request)).await;
        request
    }
}

/// An ESME's transceiver bind, and the SMSC's end of it.
pub(crate) async fn bound(proxy: &Proxy, smsc: &Smsc, system_id: &str) -> (Link, Link) {
    let bind = async {
        let mut esme = Link::connect(proxy.address()).await;
        esme.bind(system_id).await;
        esme
    };
    tokio::join!(bind, smsc.accept_bind())
}

/// A bound ESME of a proxy whose SMSC [serves](Smsc::serve) by itself.
pub(crate) async fn esme(proxy: &Proxy, system_id: &str) -> Link {
    let mut esme = Link::connect(proxy.address()).await;
    esme.bind(system_id).await;
    esme
}

fn little_room() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    // Not less: below the loopback's segments of 64 KiB, TCP goes forward by its timers.
    socket.set_recv_buffer_size(256 * 1024).unwrap();
    socket
}

/// An SMSC that does what the test tells it.
pub(crate) struct Smsc {
    listener: TcpListener,
    address: SocketAddr,
}

impl Smsc {
    pub(crate) async fn listen() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// The same, with connections whose buffers hold little.
    pub(crate) async fn listen_with_little_room() -> Self {
        let socket = little_room();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        Self::on(socket.listen(16).unwrap())
    }

    fn on(listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection.
    pub(crate) async fn accept(&self) -> Link {
        let (stream, _) = soon(self.listener.accept()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Link::new(stream)
    }

    /// The next connection, its bind answered with yes.
    pub(crate) async fn accept_bind(&self) -> Link {
        let mut link = self.accept().await;
        link.accept_bind().await;
        link
    }

    /// From now on it accepts whatever comes, and keeps it.
    pub(crate) fn serve(self) -> Serving {
        let log = Arc::new(Log::default());
        let (address, kept) = (self.address, log.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = self.listener.accept().await {
                tokio::spawn(serve(Link::new(stream), kept.clone()));
            }
        });
        Serving { address, log }
    }
}

/// An SMSC that accepts everything.
pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
    log: Arc<Log>,
}

/// The messages that came, in their order.
struct Log {
    messages: Mutex<Vec<Bytes>>,
    more: Notify,
    /// What goes down to all binds.
    down: broadcast::Sender<Bytes>,
}

impl Default for Log {
    fn default() -> Self {
        Self { messages: Mutex::default(), more: Notify::new(), down: broadcast::channel(16).0 }
    }
}

impl Serving {
    /// The messages (no binds, no enquire_link, no unbind) of all binds so far.
    pub(crate) fn messages(&self) -> Vec<Bytes> {
        self.log.messages.lock().unwrap().clone()
    }

    /// Sends this to whoever is bound.
    pub(crate) fn deliver(&self, octets: &[u8]) {
        // Nobody may be.
        let _bound = self.log.down.send(Bytes::copy_from_slice(octets));
    }

    /// Waits until there are so many.
    pub(crate) async fn received(&self, count: usize) -> Vec<Bytes> {
        soon(async {
            loop {
                let more = self.log.more.notified();
                let messages = self.messages();
                if messages.len() >= count {
                    return messages;
                }
                more.await;
            }
        })
        .await
    }
}

async fn serve(mut link: Link, log: Arc<Log>) {
    // A test may leave a bind idle for longer than a single answer may take.
    let (mut buffer, mut down) = (BytesMut::new(), log.down.subscribe());
    loop {
        tokio::select! {
            read = link.from.half.read_buf(&mut buffer) => match read {
                Ok(1..) => {}
                _ => return,
            },
            Ok(octets) = down.recv() => {
                if link.to.0.write_all(&octets).await.is_err() {
                    return;
                }
                continue;
            }
        }
        let mut answers = Vec::new();
        while let Ok(Parsed::Whole(request)) = next_frame(&buffer, MAX_FRAME) {
            let (id, length) = (request.command_id(), request.bytes().len());
            let request = buffer.split_to(length).freeze();
            if !id.is_response() {
                answers.extend(accepted(&request));
                if id.is_judged() {
                    log.messages.lock().unwrap().push(request);
                }
            }
        }
        log.more.notify_waiters();
        if link.to.0.write_all(&answers).await.is_err() {
            return;
        }
    }
}

/// The one PDU that these octets are.
#[track_caller]
pub(crate) fn frame(octets: &[u8]) -> Frame<'_> {
    Frame::from_bytes(octets).unwrap_or_else(|| panic!("not one PDU: {octets:x?}"))
}

/// A PDU of any kind.
pub(crate) fn pdu(id: CommandId, status: CommandStatus, sequence: u32, body: &[u8]) -> Vec<u8> {
    let mut pdu = header_only(id, status, SequenceNumber(sequence)).to_vec();
    pdu.extend_from_slice(body);
    let length = pdu.len() as u32;
    pdu[..4].copy_from_slice(&length.to_be_bytes());
    pdu
}

/// A request without a body.
pub(crate) fn bare(id: CommandId, sequence: u32) -> Vec<u8> {
    pdu(id, CommandStatus::ESME_ROK, sequence, b"")
}

/// The bare header that refuses `request`.
pub(crate) fn refused(request: &[u8], status: CommandStatus) -> Vec<u8> {
    let request = frame(request);
    header_only(request.command_id().response(), status, request.sequence_number()).to_vec()
}

/// What an SMSC answers to a request that it accepts; the message_id is the sequence number.
pub(crate) fn accepted(request: &[u8]) -> Vec<u8> {
    let request = frame(request);
    let sequence = request.sequence_number().0;
    let body = match request.command_id() {
        id if id.is_bind() => b"smsc\0".to_vec(),
        CommandId::SUBMIT_SM | CommandId::DATA_SM => format!("{sequence}\0").into_bytes(),
        CommandId::SUBMIT_MULTI => format!("{sequence}\0\0").into_bytes(),
        _ => Vec::new(),
    };
    pdu(request.command_id().response(), CommandStatus::ESME_ROK, sequence, &body)
}

/// A bind of this kind, with sequence number 1.
pub(crate) fn bind(kind: CommandId, system_id: &str) -> Vec<u8> {
    let bind = Bind {
        system_id: system_id.as_bytes(),
        password: Password(b"secret"),
        interface_version: 0x34,
        ..Bind::default()
    };
    let mut out = BytesMut::new();
    bind.encode(kind, SequenceNumber(1), &mut out).unwrap();
    out.to_vec()
}

/// A number as an address.
pub(crate) fn number(digits: &str) -> Address<'_> {
    Address { ton: Ton::INTERNATIONAL, npi: Npi::ISDN, digits: digits.as_bytes() }
}

/// A sender ID as an address.
pub(crate) fn sender(id: &str) -> Address<'_> {
    Address { ton: Ton::ALPHANUMERIC, npi: Npi::UNKNOWN, digits: id.as_bytes() }
}

/// The recipient of most messages.
pub(crate) const RECIPIENT: &str = "32470123456";

/// A submit_sm of `from` to [`RECIPIENT`].
pub(crate) fn submit(sequence: u32, from: &str, text: &[u8]) -> Vec<u8> {
    submit_with(sequence, SubmitSm { source: sender(from), short_message: text, ..submit_defaults() }, &[])
}

/// What [`submit`] is made of.
pub(crate) fn submit_defaults() -> SubmitSm<'static> {
    SubmitSm { source: sender("SHOP"), destination: number(RECIPIENT), short_message: b"hello", ..SubmitSm::default() }
}

/// A submit_sm with these parameters.
pub(crate) fn submit_with(sequence: u32, message: SubmitSm<'_>, tlvs: &[(u16, &[u8])]) -> Vec<u8> {
    let (mut list, mut out) = (BytesMut::new(), BytesMut::new());
    let tlvs = tlvs.iter().map(|(tag, value)| Tlv { tag: TlvTag(*tag), value });
    let tlvs = Tlvs::build(tlvs, &mut list).unwrap();
    SubmitSm { tlvs, ..message }.encode(SequenceNumber(sequence), &mut out).unwrap();
    out.to_vec()
}

/// A submit_sm of `SHOP` that is part `number` of `total` under a reference of 8 bits.
pub(crate) fn submit_part(sequence: u32, reference: u8, total: u8, number: u8) -> Vec<u8> {
    let text = [&[5, 0, 3, reference, total, number][..], format!("part {number}").as_bytes()].concat();
    let message = SubmitSm { esm_class: EsmClass(EsmClass::UDHI), short_message: &text, ..submit_defaults() };
    submit_with(sequence, message, &[])
}

/// A submit_sm of `SHOP` under this coding.
pub(crate) fn submit_coded(sequence: u32, data_coding: u8) -> Vec<u8> {
    submit_with(sequence, SubmitSm { data_coding: DataCoding(data_coding), ..submit_defaults() }, &[])
}
