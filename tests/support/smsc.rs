//! An SMSC, told what to do or left to accept everything.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use smppolicy::pdu::{CommandStatus, Parsed, next_frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{Notify, broadcast};

use super::link::{Link, MAX_FRAME, little_room};
use super::{accepted, refused, soon};

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

/// An SMSC that accepts everything but what it was told not to.
pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
    log: Arc<Log>,
}

/// The messages that came, in their order.
pub(super) struct Log {
    messages: Mutex<Vec<Bytes>>,
    more: Notify,
    /// What the next messages are answered with.
    errors: Mutex<VecDeque<CommandStatus>>,
    /// What goes down to all binds.
    down: broadcast::Sender<Bytes>,
}

impl Default for Log {
    fn default() -> Self {
        let (messages, errors) = (Mutex::default(), Mutex::default());
        Self { messages, errors, more: Notify::new(), down: broadcast::channel(16).0 }
    }
}

impl Serving {
    /// The messages (no binds, no enquire_link, no unbind) of all binds so far.
    pub(crate) fn messages(&self) -> Vec<Bytes> {
        self.log.messages.lock().unwrap().clone()
    }

    /// Answers the next message, of those that were not spoken for already, with this error.
    pub(crate) fn refuse_next(&self, status: CommandStatus) {
        self.log.errors.lock().unwrap().push_back(status);
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

pub(super) async fn serve(mut link: Link, log: Arc<Log>) {
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
                let error = id.is_judged().then(|| log.errors.lock().unwrap().pop_front()).flatten();
                answers.extend(error.map_or_else(|| accepted(&request), |status| refused(&request, status)));
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
