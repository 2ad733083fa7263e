//! A relay as one would write it with the `rusmpp` crate: every PDU is decoded into its owned form and encoded again.
//!
//! `rusmpp-relay SMSC` listens on a port of loopback that the system chooses, says so in the line `ready listen=...`,
//! and opens one connection to the SMSC for each that it accepts. It judges nothing and keeps no account of anything:
//! what it costs is the price of decoding and encoding alone. One thread, one task a direction; what one read brought
//! leaves in as few writes as the buffers allow, so that it is no easy opponent.

use std::error::Error;
use std::io;

use futures_util::{FutureExt, SinkExt, StreamExt};
use rusmpp::Command;
use rusmpp::tokio_codec::CommandCodec;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::codec::{FramedRead, FramedWrite};

/// Octets read at a time, and octets beyond which a write does not wait for more: what smppolicy reads at a time.
const BUFFER: usize = 32 * 1024;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let smsc = std::env::args().nth(1).ok_or("usage: rusmpp-relay HOST:PORT")?;
    let mut terminate = signal(SignalKind::terminate())?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("ready listen={}", listener.local_addr()?);
    loop {
        let (esme, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            _ = terminate.recv() => return Ok(()),
        };
        let smsc = smsc.clone();
        tokio::spawn(async move {
            if let Err(error) = relay(esme, &smsc).await {
                eprintln!("{error}");
            }
        });
    }
}

async fn relay(esme: TcpStream, smsc: &str) -> io::Result<()> {
    let smsc = TcpStream::connect(smsc).await?;
    esme.set_nodelay(true)?;
    smsc.set_nodelay(true)?;
    let ((esme_reader, esme_writer), (smsc_reader, smsc_writer)) = (esme.into_split(), smsc.into_split());
    tokio::spawn(direction(esme_reader, smsc_writer));
    tokio::spawn(direction(smsc_reader, esme_writer));
    Ok(())
}

/// Relays until one side ends or fails; dropping the writer says so to the other.
async fn direction(reader: OwnedReadHalf, writer: OwnedWriteHalf) {
    let mut source = FramedRead::with_capacity(reader, CommandCodec::new(), BUFFER);
    let mut sink = FramedWrite::new(writer, CommandCodec::new());
    sink.set_backpressure_boundary(BUFFER);
    while let Some(Ok(first)) = source.next().await {
        if sink.feed(first).await.is_err() {
            return;
        }
        // What has come with it leaves with it.
        while let Some(Some(Ok(next))) = source.next().now_or_never() {
            if sink.feed(next).await.is_err() {
                return;
            }
        }
        if SinkExt::<Command>::flush(&mut sink).await.is_err() {
            return;
        }
    }
}
