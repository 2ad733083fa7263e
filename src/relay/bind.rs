//! From a connection to a bound session: the ESME's bind, its account, the SMSC's bind and its answer.
//!
//! One absolute deadline covers all of it. Nothing goes to an SMSC before the account is found and may bind.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use arc_swap::Cache;
use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use secrecy::ExposeSecret;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::codec::{Framed, FramedParts};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::field::Empty;
use tracing::{Instrument, Span, error_span};

use super::bind_state::BindState;
use super::certificate::matches_certificate;
use super::dialogue::{Bounds, Dialogue, Records};
use super::peer::{LINGER, Peer};
use super::refused::{Closed, Refused};
use super::registry::{Holder, Identity, Order, PendingPlace, Slot};
use super::session::Session;
use super::upstream::Upstream;
use super::{Shared, Stream};
use crate::config::{AccountState, within};
use crate::metrics::Tally;
use crate::pdu::{Bind, CommandId, CommandStatus, Frame, FrameCodec, Password, SequenceNumber, header_only};
use crate::policy::{AccountFacts, Limiter, Snapshot, Standing};

/// The longest PDU before a bind. A stranger's length makes nothing larger be kept for it.
const MAX_FRAME_UNBOUND: usize = 4096;

/// PDUs that may come before a bind.
const MAX_PDUS_UNBOUND: usize = 100;

/// Octets that are read at a time before a bind is answered, unless a PDU is longer: several binds' worth.
const ROOM: usize = 512;

/// Octets that may come behind a bind before it is answered; more are not read until then.
const MAX_HELD: usize = 64 * 1024;

/// A connection that is ready for SMPP.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: Stream,
    /// The ESME's address, as the PROXY header says if there is one.
    pub(super) peer: SocketAddr,
    /// Octets that were read with the PROXY header.
    pub(super) early: BytesMut,
    /// When it must have bound.
    pub(super) deadline: Instant,
    pub(super) slot: Slot,
}

/// Either side while it is not relayed yet.
type Link = Framed<Stream, FrameCodec>;

/// A bind as it came.
#[derive(Debug)]
struct Request {
    bytes: Bytes,
    id: CommandId,
    sequence: SequenceNumber,
    state: BindState,
}

/// A connection whose bind has come.
struct Applicant {
    request: Request,
    esme: Link,
    /// What came behind the bind.
    held: BytesMut,
    address: IpAddr,
    deadline: Instant,
}

/// What an account's bind is to be shown the SMSC as, and its pending place.
struct Admitted {
    /// The facts that the account is of.
    facts: Arc<Snapshot>,
    account: Arc<AccountFacts>,
    /// The account's, by the same configuration.
    upstream: Option<Arc<Upstream>>,
    pending: PendingPlace,
    bytes: Bytes,
}

/// Why a bind is refused before an SMSC hears of it.
#[derive(Debug)]
struct NotAdmitted {
    status: CommandStatus,
    reason: Refused,
    /// Whether it counts towards a lockout: who asks may not be who they say.
    suspect: bool,
}

impl NotAdmitted {
    fn malformed(status: CommandStatus) -> Self {
        Self { status, reason: Refused::Malformed, suspect: false }
    }

    fn for_now(reason: Refused) -> Self {
        Self { status: CommandStatus::ESME_RBINDFAIL, reason, suspect: false }
    }

    fn suspect(status: CommandStatus, reason: Refused) -> Self {
        Self { status, reason, suspect: true }
    }
}

/// Serves a connection until it is bound and has a session of its own, or is closed.
pub(super) async fn serve(shared: Arc<Shared>, connection: Connection, stop: CancellationToken, tasks: TaskTracker) {
    let Connection { stream, peer, early, deadline, slot } = connection;
    let mut esme = link(stream, MAX_FRAME_UNBOUND, early);
    let waiting = timeout_at(deadline, await_bind(&mut esme));
    let request = match stop.run_until_cancelled(waiting).await {
        Some(Ok(Some(request))) => request,
        Some(_) => return shared.metrics.refused_connection(Closed::NoBind.name()),
        None => return,
    };
    esme.codec_mut().max_frame = shared.listen.max_frame;
    // Of the highest level, so that whatever is logged of the bind is logged with it.
    let span = error_span!("bind", id = Empty, account = Empty, %peer, kind = request.state.name());
    let applicant = Applicant { request, esme, held: BytesMut::new(), address: peer.ip(), deadline };
    answer(shared, applicant, slot, (stop, tasks)).instrument(span).await;
}

/// Finds out whether the bind is allowed, by us and by the SMSC, and answers it.
async fn answer(
    shared: Arc<Shared>,
    mut applicant: Applicant,
    slot: Slot,
    (stop, tasks): (CancellationToken, TaskTracker),
) {
    let system_id = applicant.system_id();
    let admitting = timeout_at(applicant.deadline, applicant.admit(&shared)).await;
    let admitted = match admitting.unwrap_or(Err(NotAdmitted::for_now(Refused::Busy))) {
        Ok(admitted) => admitted,
        Err(NotAdmitted { status, reason, suspect }) => {
            if suspect {
                let now = shared.clock.now().monotonic_nanos;
                shared.registry.failed(&system_id, applicant.address, shared.lockout(), now);
            }
            tracing::info!(system_id = %system_id.escape_ascii(), %status, %reason, "bind refused");
            shared.metrics.refused_bind(reason.name(), Some(status));
            return applicant.refuse(status).await;
        }
    };
    Span::current().record("account", admitted.account.system_id());
    match applicant.bind_upstream(&shared, &admitted).await {
        Ok(bound) => conclude(shared, applicant, admitted, bound, slot, (stop, tasks)).await,
        Err(reason @ Refused::EsmeGone) => {
            tracing::debug!(%reason, "not bound");
            shared.metrics.refused_bind(reason.name(), None);
        }
        Err(reason) => {
            let status = CommandStatus::ESME_RBINDFAIL;
            tracing::warn!(%status, %reason, "bind refused");
            shared.metrics.refused_bind(reason.name(), Some(status));
            applicant.refuse(status).await;
        }
    }
}

fn link(stream: Stream, max_frame: usize, early: BytesMut) -> Link {
    let mut read = BytesMut::with_capacity(ROOM.max(early.len()));
    read.extend_from_slice(&early);
    let mut parts = FramedParts::new::<Bytes>(stream, FrameCodec { max_frame });
    parts.read_buf = early;
    let mut link = Framed::from_parts(parts);
    // In place of 8 KiB each way, which would be most of what a connection costs before its bind.
    *link.read_buffer_mut() = read;
    *link.write_buffer_mut() = BytesMut::new();
    link
}

/// Answers what may come before a bind, until that comes. None if the connection is to be closed without a word: it
/// speaks something else, goes on for too long, or has gone.
async fn await_bind(esme: &mut Link) -> Option<Request> {
    for _ in 0..MAX_PDUS_UNBOUND {
        let bytes: Bytes = esme.next().await?.ok()?;
        let frame = Frame::from_bytes(&bytes)?;
        let (id, sequence) = (frame.command_id(), frame.sequence_number());
        if let Some(state) = BindState::from_bind(id) {
            return Some(Request { id, sequence, state, bytes });
        }
        let answer = match id {
            _ if id.is_response() => continue,
            CommandId::OUTBIND | CommandId::ALERT_NOTIFICATION => continue,
            CommandId::ENQUIRE_LINK => header_only(id.response(), CommandStatus::ESME_ROK, sequence),
            _ if id.name().is_some() => header_only(id.response(), CommandStatus::ESME_RINVBNDSTS, sequence),
            _ => header_only(CommandId::GENERIC_NACK, CommandStatus::ESME_RINVCMDID, sequence),
        };
        esme.send(&answer[..]).await.ok()?;
    }
    None
}

impl Applicant {
    fn frame(&self) -> Option<Frame<'_>> {
        Frame::from_bytes(&self.request.bytes)
    }

    /// Who wants to bind; empty if that cannot be read.
    fn system_id(&self) -> Box<[u8]> {
        let bind = self.frame().and_then(|frame| Bind::decode(frame).ok());
        bind.map_or_else(Box::default, |bind| Box::from(bind.system_id))
    }

    /// Whether its interface_version is 3.4 or later (section 5.2.4): older ESMEs know no optional parameters.
    fn takes_tlvs(&self) -> bool {
        let bind = self.frame().and_then(|frame| Bind::decode(frame).ok());
        bind.is_some_and(|bind| bind.interface_version >= 0x34)
    }

    /// Finds the account and whether it may bind from here, with this proof of who it is, and now.
    async fn admit(&self, shared: &Shared) -> Result<Admitted, NotAdmitted> {
        let frame = self.frame().ok_or(NotAdmitted::malformed(CommandStatus::ESME_RINVCMDLEN))?;
        let bind = Bind::decode(frame).map_err(|malformed| NotAdmitted::malformed(malformed.status()))?;
        let now = shared.clock.now().monotonic_nanos;
        if shared.registry.is_locked_out(bind.system_id, self.address, shared.lockout(), now) {
            return Err(NotAdmitted::for_now(Refused::LockedOut));
        }
        let (facts, upstreams) = shared.in_force();
        let unknown = NotAdmitted::suspect(CommandStatus::ESME_RINVSYSID, Refused::UnknownAccount);
        let account = facts.account(bind.system_id).ok_or(unknown)?.clone();
        let declared = account.declared();
        if let Some(reason) = barred(account.state()) {
            return Err(NotAdmitted::for_now(reason));
        }
        if !declared.allow_from.is_empty() && !within(&declared.allow_from, self.address) {
            return Err(NotAdmitted::suspect(CommandStatus::ESME_RBINDFAIL, Refused::Address));
        }
        if !declared.client_certificate.as_ref().is_none_or(|expected| self.shows_certificate(expected)) {
            return Err(NotAdmitted::suspect(CommandStatus::ESME_RBINDFAIL, Refused::Certificate));
        }
        let max_pending = shared.listen.max_pending_binds;
        let pending = shared.registry.pend(&declared.system_id, declared.max_binds, max_pending);
        let pending = pending.ok_or(NotAdmitted::for_now(Refused::Limit))?;
        if let Some(hash) = &declared.password_hash
            && let Some(not_admitted) = self.check_password(shared, &bind, hash.expose_secret()).await
        {
            return Err(not_admitted);
        }
        let bytes = self.upstream_bind(frame, bind, &account).map_err(NotAdmitted::malformed)?;
        let upstream = upstreams.get(&declared.upstream).cloned();
        Ok(Admitted { facts, account, upstream, pending, bytes })
    }

    /// Off the runtime, and as many at once as there are cores: by design each check takes tens of milliseconds of one,
    /// and tens of mebibytes.
    async fn check_password(&self, shared: &Shared, bind: &Bind<'_>, hash: &str) -> Option<NotAdmitted> {
        // Never closed, so there is always a permit to come; the bind's deadline bounds the wait.
        let permit = shared.password_checks.clone().acquire_owned().await;
        // Others may have failed while this one waited.
        let now = shared.clock.now().monotonic_nanos;
        if shared.registry.is_locked_out(bind.system_id, self.address, shared.lockout(), now) {
            return Some(NotAdmitted::for_now(Refused::LockedOut));
        }
        let (password, hash) = (bind.password.0.to_vec(), hash.to_owned());
        let verified = tokio::task::spawn_blocking(move || {
            let _held_to_the_end_of_the_work = permit;
            PasswordHash::new(&hash).is_ok_and(|hash| Argon2::default().verify_password(&password, &hash).is_ok())
        });
        let wrong = NotAdmitted::suspect(CommandStatus::ESME_RINVPASWD, Refused::Password);
        (!verified.await.unwrap_or(false)).then_some(wrong)
    }

    fn shows_certificate(&self, expected: &str) -> bool {
        self.esme.get_ref().peer_certificate().is_some_and(|leaf| matches_certificate(expected, leaf))
    }

    /// The bind for the SMSC: as it came, or with the account's credentials there in place of its own.
    fn upstream_bind(&self, frame: Frame<'_>, bind: Bind<'_>, account: &AccountFacts) -> Result<Bytes, CommandStatus> {
        let declared = account.declared();
        if declared.upstream_system_id.is_none() && declared.upstream_password.is_none() {
            return Ok(self.request.bytes.clone());
        }
        let system_id = declared.upstream_system_id.as_deref().map_or(bind.system_id, str::as_bytes);
        let password =
            declared.upstream_password.as_ref().map(|password| Password(password.expose_secret().as_bytes()));
        let mapped = Bind { system_id, password: password.unwrap_or(bind.password), ..bind };
        let mut bytes = BytesMut::new();
        mapped.encode(self.request.id, frame.sequence_number(), &mut bytes).map_err(|fault| fault.status())?;
        Ok(bytes.freeze())
    }

    /// Binds to the account's SMSC, and gives its answer.
    async fn bind_upstream(&mut self, shared: &Shared, admitted: &Admitted) -> Result<(Link, Bytes), Refused> {
        let upstream = admitted.upstream.as_ref().ok_or(Refused::NoUpstream)?;
        let deadline = self.deadline;
        let stream = tokio::select! {
            stream = upstream.connect(deadline) => stream,
            gone = watch(&mut self.esme, &mut self.held) => return Err(gone),
        };
        let Ok(stream) = stream else {
            shared.metrics.unreachable(&admitted.account.declared().upstream);
            return Err(Refused::Unreachable);
        };
        let mut smsc = link(stream, shared.listen.max_frame, BytesMut::new());
        let answer = tokio::select! {
            answer = timeout_at(deadline, ask(&mut smsc, &admitted.bytes)) => answer,
            gone = watch(&mut self.esme, &mut self.held) => {
                abandon(smsc).await;
                return Err(gone);
            }
        };
        match answer {
            Ok(Some(bytes)) => Ok((smsc, bytes)),
            Ok(None) => Err(Refused::ClosedBySmsc),
            Err(_) => {
                abandon(smsc).await;
                Err(Refused::SilentSmsc)
            }
        }
    }

    /// Answers the bind with a bare header, and closes.
    async fn refuse(self, status: CommandStatus) {
        let answer = header_only(self.request.id.response(), status, self.request.sequence);
        self.dismiss(&answer).await;
    }

    /// Sends a last PDU, and closes.
    async fn dismiss(mut self, answer: &[u8]) {
        let sent = timeout(LINGER, self.esme.send(answer)).await;
        if matches!(sent, Ok(Ok(()))) {
            Peer::new(self.esme.into_inner()).part().await;
        }
    }
}

/// Why an account in this state may not bind, if it may not.
fn barred(state: AccountState) -> Option<Refused> {
    match state {
        AccountState::Active | AccountState::Held => None,
        AccountState::Blocked => Some(Refused::Blocked),
        AccountState::Deactivated => Some(Refused::Deactivated),
    }
}

/// Keeps what comes behind the bind, answers enquire_link, and ends when the ESME has gone.
async fn watch(esme: &mut Link, held: &mut BytesMut) -> Refused {
    loop {
        if held.len() >= MAX_HELD {
            return std::future::pending().await;
        }
        let Some(Ok(bytes)) = esme.next().await else { return Refused::EsmeGone };
        match Frame::from_bytes(&bytes) {
            Some(frame) if frame.command_id() == CommandId::ENQUIRE_LINK => {
                let answer =
                    header_only(CommandId::ENQUIRE_LINK_RESP, CommandStatus::ESME_ROK, frame.sequence_number());
                if esme.send(&answer[..]).await.is_err() {
                    return Refused::EsmeGone;
                }
            }
            _ => held.extend_from_slice(&bytes),
        }
    }
}

/// Sends the bind and awaits its answer: a bind response, or a nack.
async fn ask(smsc: &mut Link, bind: &Bytes) -> Option<Bytes> {
    smsc.send(bind).await.ok()?;
    for _ in 0..MAX_PDUS_UNBOUND {
        let bytes = smsc.next().await?.ok()?;
        let frame = Frame::from_bytes(&bytes)?;
        match frame.command_id() {
            CommandId::GENERIC_NACK => return Some(bytes),
            CommandId::ENQUIRE_LINK => {
                let id = CommandId::ENQUIRE_LINK_RESP;
                smsc.send(&header_only(id, CommandStatus::ESME_ROK, frame.sequence_number())[..]).await.ok()?;
            }
            id if id.is_response() && CommandId(id.0 & 0x7FFF_FFFF).is_bind() => return Some(bytes),
            _ => {}
        }
    }
    None
}

/// Leaves no bind behind that nobody has.
async fn abandon(mut smsc: Link) {
    let unbind = header_only(CommandId::UNBIND, CommandStatus::ESME_ROK, SequenceNumber(1));
    if let Ok(Ok(())) = timeout(LINGER, smsc.send(&unbind[..])).await {
        Peer::new(smsc.into_inner()).part().await;
    }
}

/// Hands the SMSC's answer to the ESME as it came, and if it is yes, both connections to a session.
async fn conclude(
    shared: Arc<Shared>,
    mut applicant: Applicant,
    admitted: Admitted,
    (smsc, answer): (Link, Bytes),
    slot: Slot,
    (stop, tasks): (CancellationToken, TaskTracker),
) {
    let system_id = applicant.system_id();
    let status = Frame::from_bytes(&answer).map_or(CommandStatus::ESME_RSYSERR, |frame| match frame.command_id() {
        CommandId::GENERIC_NACK => CommandStatus::ESME_RBINDFAIL,
        _ => frame.command_status(),
    });
    if status != CommandStatus::ESME_ROK {
        // Under mapped credentials the fault is not the ESME's.
        let suspect = matches!(status, CommandStatus::ESME_RINVPASWD | CommandStatus::ESME_RINVSYSID);
        if suspect && admitted.bytes == applicant.request.bytes {
            let now = shared.clock.now().monotonic_nanos;
            shared.registry.failed(&system_id, applicant.address, shared.lockout(), now);
        }
        tracing::info!(%status, reason = %Refused::BySmsc, "bind refused");
        shared.metrics.refused_bind(Refused::BySmsc.name(), Some(status));
        return applicant.dismiss(&answer).await;
    }
    let declared = admitted.account.declared();
    let (state, since) = (applicant.request.state, shared.clock.now().unix_millis);
    let live = Holder { account: declared.system_id.as_str().into(), state, since };
    let Some(place) = shared.registry.bind(admitted.pending, declared.max_binds, live) else {
        shared.metrics.refused_bind(Refused::Limit.name(), Some(CommandStatus::ESME_RBINDFAIL));
        abandon(smsc).await;
        return applicant.refuse(CommandStatus::ESME_RBINDFAIL).await;
    };
    shared.registry.succeeded(&system_id, applicant.address);
    if !matches!(timeout_at(applicant.deadline, applicant.esme.send(&answer)).await, Ok(Ok(()))) {
        shared.metrics.refused_bind(Refused::EsmeGone.name(), None);
        return abandon(smsc).await;
    }
    let tally = Tally::new(shared.metrics.clone(), admitted.account.system_id());
    let limiter = admitted.account.declared().bind_rate.map(Limiter::new);
    // The facts that the account is of. If others have come since, the bind takes them with its first look at them.
    let standing = Standing { snapshot: admitted.facts, account: admitted.account, limiter, withholds: false };
    let system_id = String::from_utf8_lossy(&system_id).into_owned().into_boxed_str();
    let span = Span::current();
    span.record("id", place.handle().id());
    tracing::info!(%system_id, "bound");
    if stop.is_cancelled() {
        // The drain began while this bind was under way, and has not seen it.
        place.handle().ask(Order::Leave);
    }
    let identity = Identity { system_id, state, takes_tlvs: applicant.takes_tlvs(), place, _slot: slot, span };
    let bounds = Bounds {
        window: shared.listen.window,
        drain_timeout: shared.listen.drain_timeout,
        response_timeout: shared.listen.response_timeout,
    };
    let now = Instant::now();
    let (audit, ledger) = (shared.audit.clone(), shared.ledger.clone());
    let records = Records { audit, pen: shared.journal.pen(), ledger, tally };
    let dialogue = Dialogue::new(identity, standing, Cache::new(shared.facts.clone()), records, bounds, now);
    let (esme, smsc) = (applicant.esme.into_parts(), smsc.into_parts());
    let mut from_esme = applicant.held;
    from_esme.extend_from_slice(&esme.read_buf);
    let sides = ((Peer::new(esme.io), &from_esme[..]), (Peer::new(smsc.io), &smsc.read_buf[..]));
    if let Some(session) = Session::new(shared, dialogue, sides.0, sides.1, now) {
        // A task of its own: what binding took is not kept for the life of the bind.
        tasks.spawn(session);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_bind_is_told_apart_in_the_log() {
        let reasons = AccountState::ALL.map(barred);
        assert_eq!(reasons, [None, None, Some(Refused::Blocked), Some(Refused::Deactivated)]);
    }
}
