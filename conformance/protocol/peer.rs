//! One end of a connection, scripted: it sends what it is told, and reads PDU by PDU.

use std::io;
use std::time::Duration;

use smppolicy::pdu::CommandId;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::case::How;
use crate::pdu::{Pdu, header, show};

/// How long anything may take that should happen at once. Generous: only a failure waits for so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Between two segments, so that they are read as two.
const SEGMENT_PAUSE: Duration = Duration::from_millis(1);

/// The longest PDU that is believed in.
const MAX_FRAME: usize = 1 << 20;

/// A connection of any kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {
    /// Ends it as told.
    fn end(&mut self, how: How) -> impl Future<Output = io::Result<()>> + Send;
}

impl Stream for TcpStream {
    async fn end(&mut self, how: How) -> io::Result<()> {
        match how {
            How::Reset => self.set_zero_linger(),
            How::Close | How::HalfClose => self.shutdown().await,
        }
    }
}

impl Stream for smppolicy::relay::Stream {
    async fn end(&mut self, _: How) -> io::Result<()> {
        self.shutdown().await
    }
}

/// See the module.
pub(crate) struct Peer<S = TcpStream> {
    name: String,
    stream: Option<S>,
    input: Vec<u8>,
    began: Instant,
    /// Whether it answers enquire_link by itself, instead of showing it to a step.
    pub(crate) keeps_alive: bool,
    /// Whether it does so, with deliver_sm too, in every step: a target's own SMSC sends either when it likes.
    pub(crate) polite: bool,
    /// How long it waits for what should happen at once.
    pub(crate) patience: Duration,
    /// The next sequence number of its own.
    pub(crate) sequence: u32,
    /// The PDUs of its last step that sent some.
    pub(crate) sent: Vec<Vec<u8>>,
    /// Requests that it has seen and not answered.
    pub(crate) seen: Vec<Vec<u8>>,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Pdu(Vec<u8>),
    End,
}

impl<S: Stream> Peer<S> {
    pub(crate) fn new(name: String, stream: S) -> Self {
        let (sent, seen) = (Vec::new(), Vec::new());
        Self {
            name,
            stream: Some(stream),
            input: Vec::new(),
            began: Instant::now(),
            keeps_alive: false,
            polite: false,
            patience: PATIENCE,
            sequence: 1,
            sent,
            seen,
        }
    }

    /// When the connection began.
    pub(crate) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Sends these octets in segments of these lengths.
    pub(crate) async fn send(&mut self, octets: &[u8], segments: &[usize]) -> Result<(), String> {
        let Some(stream) = &mut self.stream else { return Err(format!("{} has ended its connection", self.name)) };
        let write = async {
            let (mut rest, mut lengths) = (octets, segments.iter());
            let mut length = octets.len();
            while !rest.is_empty() {
                length = lengths.next().copied().unwrap_or(length).clamp(1, rest.len());
                let (segment, behind) = rest.split_at(length);
                stream.write_all(segment).await?;
                stream.flush().await?;
                rest = behind;
                if !rest.is_empty() {
                    sleep(SEGMENT_PAUSE).await;
                }
            }
            io::Result::Ok(())
        };
        match timeout(self.patience, write).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(format!("{} cannot send: {error}", self.name)),
            Err(_) => Err(format!("{} cannot send: nothing is taken from it", self.name)),
        }
    }

    /// The next PDU, or the end.
    pub(crate) async fn next(&mut self) -> Result<Event, String> {
        loop {
            let Ok(event) = timeout(self.patience, self.read()).await else {
                return Err(format!("{} gets nothing", self.name));
            };
            match event? {
                Event::Pdu(pdu) if self.is_unasked(&pdu) => {
                    let [_, id, _, sequence] = header(&pdu);
                    self.send(&Pdu::of(CommandId(id).response()).write(sequence), &[]).await?;
                }
                event => return Ok(event),
            }
        }
    }

    fn is_unasked(&self, pdu: &[u8]) -> bool {
        match CommandId(header(pdu)[1]) {
            CommandId::ENQUIRE_LINK => self.keeps_alive || self.polite,
            CommandId::DELIVER_SM => self.polite,
            _ => false,
        }
    }

    async fn read(&mut self) -> Result<Event, String> {
        loop {
            if self.input.len() >= 16 {
                let length = header(&self.input)[0] as usize;
                if !(16..=MAX_FRAME).contains(&length) {
                    return Err(format!("{} gets what is no PDU: {}", self.name, show(&self.input)));
                }
                if self.input.len() >= length {
                    let behind = self.input.split_off(length);
                    return Ok(Event::Pdu(std::mem::replace(&mut self.input, behind)));
                }
            }
            let Some(stream) = &mut self.stream else { return Ok(Event::End) };
            match stream.read_buf(&mut self.input).await {
                Ok(0) | Err(_) if self.input.is_empty() => return Ok(Event::End),
                Ok(0) | Err(_) => return Err(format!("{} gets a part of a PDU, then the end", self.name)),
                Ok(_) => {}
            }
        }
    }

    /// The next PDU.
    pub(crate) async fn pdu(&mut self) -> Result<Vec<u8>, String> {
        match self.next().await? {
            Event::Pdu(pdu) => Ok(pdu),
            Event::End => Err(format!("{} gets the end of its connection, not a PDU", self.name)),
        }
    }

    /// The next PDU, which must be this one.
    pub(crate) async fn sees(&mut self, expected: &[u8]) -> Result<(), String> {
        let got = self.pdu().await.map_err(|fault| format!("{fault}; expected {}", show(expected)))?;
        if got == expected {
            return Ok(());
        }
        Err(format!("{} got {}, expected exactly {}", self.name, show(&got), show(expected)))
    }

    /// The end of the connection, with nothing before it.
    pub(crate) async fn closed(&mut self) -> Result<(), String> {
        match self.next().await? {
            Event::End => Ok(()),
            Event::Pdu(pdu) => Err(format!("{} got {}, expected the end", self.name, show(&pdu))),
        }
    }

    /// Ends the connection.
    pub(crate) async fn end(&mut self, how: How) -> Result<(), String> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        stream.end(how).await.map_err(|error| format!("{} cannot end: {error}", self.name))?;
        if how != How::HalfClose {
            self.stream = None;
        }
        Ok(())
    }

    /// What has come and no step has looked at.
    pub(crate) fn unseen(&self) -> Result<(), String> {
        if self.input.is_empty() {
            return Ok(());
        }
        Err(format!("{} got what no step expects: {}", self.name, show(&self.input)))
    }
}
