//! One load run from the first connection to the report.

use std::{
    future::Future,
    ops::Range,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{
    sync::{Notify, Semaphore, mpsc},
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    Binds, EsmeError, EsmeOptions, LatencyFrom, Load, Report,
    bind::{Bound, Outcome},
    connect::{self, NoBind, Stream},
    message::Messages,
    report::{BindRate, Tally},
    schedule::Schedule,
};
use crate::{pdu::CommandId, simulator::link::Link};

/// Connections that are being made at the same time.
const CONNECTING: usize = 128;
/// File descriptors beside those of the binds.
const OTHER_FILES: u64 = 256;
/// How often the run looks at its own progress.
const LOOK: Duration = Duration::from_millis(50);
/// The longest that the schedule sleeps without looking whether the run is over.
const NAP: Duration = Duration::from_millis(50);

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Binds that are up.
    pub bound: u64,
    /// Messages sent.
    pub sent: u64,
    /// Messages answered.
    pub answered: u64,
    /// Messages to send, if that is known.
    pub total: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// Binds are being made, or held.
    Holding,
    Sending,
    Finishing,
}

/// What the binds of a run share.
pub(super) struct Run {
    pub(super) options: EsmeOptions,
    pub(super) messages: Messages,
    pub(super) schedule: Option<Schedule>,
    /// Messages due by the schedule.
    pub(super) due: AtomicU64,
    pub(super) bound: AtomicU64,
    pub(super) sent: AtomicU64,
    pub(super) answered: AtomicU64,
    pub(super) receipts: AtomicU64,
    pub(super) mobile_originated: AtomicU64,
    pub(super) unexpected: AtomicU64,
    /// When the last answer came, in nanoseconds after the start.
    pub(super) last_answer: AtomicU64,
    pub(super) tally: Mutex<Tally>,
    phase: AtomicU8,
    started: OnceLock<Instant>,
    /// Binds that are up and have something to send or to wait for.
    busy: AtomicU64,
    /// Whether any bind could connect.
    reached: AtomicBool,
    first_failure: OnceLock<String>,
    bells: Vec<Notify>,
    settled: Notify,
}

impl Run {
    fn new(options: EsmeOptions) -> Result<Self, EsmeError> {
        let schedule = match options.load {
            Load::Rate { per_second, count } => Some(Schedule::new(per_second, count)),
            _ => None,
        };
        Ok(Self {
            messages: Messages::new(&options)?,
            schedule,
            due: AtomicU64::new(0),
            bound: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            receipts: AtomicU64::new(0),
            mobile_originated: AtomicU64::new(0),
            unexpected: AtomicU64::new(0),
            last_answer: AtomicU64::new(0),
            tally: Mutex::new(Tally::new()?),
            phase: AtomicU8::new(Phase::Holding as u8),
            started: OnceLock::new(),
            busy: AtomicU64::new(0),
            reached: AtomicBool::new(false),
            first_failure: OnceLock::new(),
            bells: (0..options.binds).map(|_| Notify::new()).collect(),
            settled: Notify::new(),
            options,
        })
    }

    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Holding,
            1 => Phase::Sending,
            _ => Phase::Finishing,
        }
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
        self.bells.iter().for_each(Notify::notify_one);
    }

    /// Wakes the bind of that rank.
    pub(super) fn bell(&self, rank: u64) -> Option<&Notify> {
        self.bells.get(rank as usize)
    }

    /// Nanoseconds since the first message could be sent; 0 before.
    pub(super) fn now(&self) -> u64 {
        self.started.get().map_or(0, |started| started.elapsed().as_nanos() as u64)
    }

    /// Takes up to `most` of the messages of a closed loop; none when it is over.
    pub(super) fn claim(&self, most: u32, now: u64) -> Option<Range<u64>> {
        let (limit, deadline) = match self.options.load {
            Load::Count(count) => (count, u64::MAX),
            Load::For(time) => (u64::MAX, time.as_nanos() as u64),
            Load::Rate { .. } | Load::Nothing => return None,
        };
        if now >= deadline || self.sent.load(Ordering::Relaxed) >= limit {
            return None;
        }
        // Taken in one step, so that no two binds send the same message.
        let most = u64::from(most);
        let first = self.sent.try_update(Ordering::Relaxed, Ordering::Relaxed, |sent| {
            (sent < limit).then(|| limit.min(sent.saturating_add(most)))
        });
        first.ok().map(|first| first..limit.min(first.saturating_add(most)))
    }

    /// Tells that a bind has nothing more to send or to wait for.
    pub(super) fn settle(&self) {
        if self.busy.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.settled.notify_one();
        }
    }

    fn total(&self) -> Option<u64> {
        match self.options.load {
            Load::Count(count) | Load::Rate { count, .. } => Some(count),
            Load::For(_) => None,
            Load::Nothing => Some(0),
        }
    }

    fn progress(&self) -> Progress {
        Progress {
            bound: self.bound.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
            answered: self.answered.load(Ordering::Relaxed),
            total: self.total(),
        }
    }
}

/// Runs a load to its end.
///
/// # Errors
/// [`EsmeError`] when it could not begin; what went wrong later is in the report.
pub async fn run(options: EsmeOptions) -> Result<Report, EsmeError> {
    run_watched(options, |_| {}, std::future::pending()).await
}

/// Runs a load to its end, or until `stop` is ready: binds are ended properly then too. `watch` is told the progress
/// several times a second.
///
/// # Errors
/// [`EsmeError`] when it could not begin; what went wrong later is in the report.
pub async fn run_watched(
    options: EsmeOptions,
    mut watch: impl FnMut(Progress),
    stop: impl Future<Output = ()>,
) -> Result<Report, EsmeError> {
    check(&options)?;
    // Without the room some connections fail, and the report says why.
    let _ = rlimit::increase_nofile_limit(u64::from(options.binds) + OTHER_FILES);
    let run = Arc::new(Run::new(options)?);
    let mut tasks = JoinSet::new();
    let work = async {
        bind_all(&run, &mut tasks).await;
        if run.bound.load(Ordering::Acquire) > 0 {
            spend(&run, &mut watch).await?;
            sleep(run.options.hold).await;
        }
        Ok::<(), EsmeError>(())
    };
    tokio::select! {
        done = work => done?,
        () = stop => {}
    }
    run.enter(Phase::Finishing);
    let outcomes = tasks.join_all().await;
    watch(run.progress());
    match run.first_failure.get() {
        Some(reason) if !run.reached.load(Ordering::Acquire) => {
            Err(EsmeError::Connect { address: run.options.connect.clone(), reason: reason.clone() })
        }
        _ => Ok(report(&run, &outcomes)),
    }
}

fn check(options: &EsmeOptions) -> Result<(), EsmeError> {
    let fault = match options.load {
        Load::Rate { per_second, .. } if !per_second.is_finite() || per_second <= 0.0 => "the rate must be above 0",
        _ if options.binds == 0 => "there must be at least one bind",
        _ if options.system_ids.is_empty() => "there must be a system_id to bind as",
        _ if !options.bind_type.is_bind() => "the bind type must be that of one of the three binds",
        _ => return Ok(()),
    };
    Err(EsmeError::Options(fault))
}

/// Makes all binds, a bounded number at a time; ends when each is up or has failed.
async fn bind_all(run: &Arc<Run>, tasks: &mut JoinSet<Outcome>) {
    let connecting = Arc::new(Semaphore::new(CONNECTING));
    // Nothing is ever sent: each bind holds a sender until it is up or has failed.
    let (pending, mut all_made) = mpsc::channel::<()>(1);
    for number in 0..run.options.binds as usize {
        let Some(system_id) = run.options.system_ids.get(number % run.options.system_ids.len().max(1)) else { break };
        let (run, connecting, pending) = (Arc::clone(run), Arc::clone(&connecting), pending.clone());
        let system_id = system_id.clone();
        tasks.spawn(async move {
            let permit = connecting.acquire_owned().await;
            let link = match make(&run, &system_id).await {
                Ok(Some(link)) => link,
                Ok(None) => return Outcome::default(),
                Err(failure) => {
                    // Only the first is kept.
                    let _ = run.first_failure.set(failure.to_string());
                    return Outcome::default();
                }
            };
            run.busy.fetch_add(1, Ordering::AcqRel);
            let rank = run.bound.fetch_add(1, Ordering::AcqRel);
            drop((permit, pending));
            Bound::new(run, link, rank).drive().await
        });
    }
    drop(pending);
    let _ = all_made.recv().await;
}

/// One bind; none when the run is over already.
async fn make(run: &Run, system_id: &str) -> Result<Option<Link<Box<dyn Stream>>>, NoBind> {
    if run.phase() == Phase::Finishing {
        return Ok(None);
    }
    let mut link = connect::connect(&run.options).await?;
    run.reached.store(true, Ordering::Release);
    connect::bind(&mut link, &run.options, system_id).await?;
    Ok(Some(link))
}

/// Sends the load, waits for the answers, and for the receipts if they were asked for.
async fn spend(run: &Arc<Run>, watch: &mut impl FnMut(Progress)) -> Result<(), EsmeError> {
    if run.options.load == Load::Nothing || run.options.bind_type == CommandId::BIND_RECEIVER {
        return Ok(());
    }
    let started = *run.started.get_or_init(Instant::now);
    run.enter(Phase::Sending);
    if let Some(schedule) = run.schedule {
        let run = Arc::clone(run);
        let pacer = thread::Builder::new().name("schedule".into());
        pacer.spawn(move || pace(&run, schedule, started)).map_err(EsmeError::Schedule)?;
    }
    until(run, watch, |run| run.busy.load(Ordering::Acquire) == 0).await;
    if run.options.registered && run.options.bind_type == CommandId::BIND_TRANSCEIVER {
        let accepted = run.tally.lock().unwrap_or_else(PoisonError::into_inner).accepted();
        until(run, watch, |run| run.receipts.load(Ordering::Relaxed) >= accepted).await;
    }
    run.enter(Phase::Holding);
    Ok(())
}

/// Waits until `done`, but no longer than patience lasts while messages wait and nothing comes.
async fn until(run: &Run, watch: &mut impl FnMut(Progress), done: impl Fn(&Run) -> bool) {
    let state = |run: &Run| (run.progress(), run.receipts.load(Ordering::Relaxed));
    let (mut last, mut since) = (state(run), Instant::now());
    while !done(run) {
        tokio::select! {
            () = run.settled.notified() => {}
            () = sleep(LOOK) => {}
        }
        let current = state(run);
        watch(current.0);
        let waits = current.0.sent > current.0.answered || run.busy.load(Ordering::Acquire) == 0;
        if current != last || !waits {
            (last, since) = (current, Instant::now());
        } else if since.elapsed() > run.options.patience {
            return;
        }
    }
}

/// Releases messages as they become due. On a thread of its own: the runtime's timers are too coarse for it.
fn pace(run: &Run, schedule: Schedule, started: Instant) {
    let binds = run.bound.load(Ordering::Acquire).max(1);
    let mut released = 0;
    while run.phase() == Phase::Sending && released < schedule.total() {
        let now = started.elapsed().as_nanos() as u64;
        let before = released;
        while released < schedule.total() && schedule.intended(released) <= now {
            released += 1;
        }
        run.due.store(released, Ordering::Release);
        for index in before..released.min(before + binds) {
            if let Some(bell) = run.bell(index % binds) {
                bell.notify_one();
            }
        }
        let next = Duration::from_nanos(schedule.intended(released).saturating_sub(now));
        thread::sleep(next.min(NAP));
    }
}

fn report(run: &Run, outcomes: &[Outcome]) -> Report {
    let tally = run.tally.lock().unwrap_or_else(PoisonError::into_inner);
    let bound = run.bound.load(Ordering::Relaxed);
    let count = |which: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| which(outcome)).count() as u64;
    let asked = u64::from(run.options.binds);
    let sent = run.sent.load(Ordering::Relaxed);
    let seconds = Duration::from_nanos(run.last_answer.load(Ordering::Relaxed)).as_secs_f64();
    let answered = run.answered.load(Ordering::Relaxed);
    let mut per_bind: Vec<u64> = outcomes.iter().map(|outcome| outcome.answered).collect();
    // Outcomes of binds that failed are empty, and say nothing of fairness.
    per_bind.sort_unstable_by(|a, b| b.cmp(a));
    per_bind.truncate(bound as usize);
    let sends = run.options.bind_type != CommandId::BIND_RECEIVER;
    Report {
        binds: Binds {
            asked,
            bound,
            failed: asked - bound,
            lost: count(|outcome| outcome.lost),
            unbound: count(|outcome| outcome.unbound),
        },
        sent,
        ok: tally.accepted(),
        statuses: tally.statuses(),
        unanswered: outcomes.iter().map(|outcome| outcome.unanswered).sum(),
        unsent: run.total().filter(|_| sends).map_or(0, |total| total.saturating_sub(sent)),
        receipts: run.receipts.load(Ordering::Relaxed),
        mobile_originated: run.mobile_originated.load(Ordering::Relaxed),
        unexpected: run.unexpected.load(Ordering::Relaxed),
        seconds,
        messages_per_second: if seconds > 0.0 { answered as f64 / seconds } else { 0.0 },
        latency_from: if run.schedule.is_some() { LatencyFrom::Intended } else { LatencyFrom::Sent },
        latency_us: tally.latency(),
        bind_rate: BindRate::of(&per_bind, seconds),
        first_failure: run.first_failure.get().cloned(),
    }
}
