//! The connections and binds that there are, how many each account has, and who is locked out.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use atomic_waker::AtomicWaker;
use dashmap::DashMap;
use foldhash::quality::RandomState;

use super::bind_state::BindState;
use super::control::LiveBind;

/// Pairs of system_id and address whose failures are remembered. Above that new failures are not counted until old ones
/// have lapsed: forgetting one in force would be a way around it.
const LOCKOUT_ENTRIES: usize = 100_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Registry {
    connections: AtomicUsize,
    next_id: AtomicU64,
    binds: DashMap<u64, Arc<BindHandle>, RandomState>,
    accounts: DashMap<String, Arc<Places>, RandomState>,
    failures: DashMap<(Box<[u8]>, IpAddr), Failures, RandomState>,
}

/// Who has bound.
#[derive(Debug)]
pub(super) struct Identity {
    /// As the ESME gave it.
    pub(super) system_id: Box<str>,
    /// The kind of bind.
    pub(super) state: BindState,
    /// Whether optional parameters may be sent to it: it has bound as SMPP 3.4 or later.
    pub(super) takes_tlvs: bool,
    /// Its place among the account's binds.
    pub(super) place: Place,
    /// Its place among all connections.
    pub(super) _slot: Slot,
    /// What its events belong to.
    pub(super) span: tracing::Span,
}

/// How the rest of the process reaches a bind.
#[derive(Debug)]
pub(super) struct BindHandle {
    id: u64,
    holder: Holder,
    up: AtomicU64,
    down: AtomicU64,
    order: AtomicU8,
    waker: AtomicWaker,
}

/// Whose a bind is, and since when.
#[derive(Debug)]
pub(super) struct Holder {
    /// The account's system_id.
    pub(super) account: Box<str>,
    /// The kind of bind.
    pub(super) state: BindState,
    /// Milliseconds since 1970.
    pub(super) since: i64,
}

/// What the process asks of a bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Order {
    /// To go on.
    Stay,
    /// To let outstanding answers through, unbind and end.
    Leave,
    /// To end at once.
    CutOff,
}

impl BindHandle {
    /// The bind's number in this process's life.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// What is asked of it now.
    #[inline]
    pub(super) fn order(&self) -> Order {
        match self.order.load(Ordering::Acquire) {
            0 => Order::Stay,
            1 => Order::Leave,
            _ => Order::CutOff,
        }
    }

    /// Takes note of how many PDUs it has relayed so far, towards the SMSC and towards the ESME.
    #[inline]
    pub(super) fn has_relayed(&self, up: u64, down: u64) {
        self.up.store(up, Ordering::Relaxed);
        self.down.store(down, Ordering::Relaxed);
    }

    /// Asks something of it.
    pub(super) fn ask(&self, order: Order) {
        self.order.store(order as u8, Ordering::Release);
        self.waker.wake();
    }

    /// Has it look at what it waits for.
    pub(super) fn wake(&self) {
        self.waker.wake();
    }

    /// Wakes this task when the bind is asked for something.
    pub(super) fn register(&self, waker: &std::task::Waker) {
        self.waker.register(waker);
    }
}

/// One of the connections that there may be at once, until it is dropped.
#[derive(Debug)]
pub(super) struct Slot(Arc<Registry>);

/// The binds of one account.
#[derive(Debug, Default)]
struct Places {
    pending: AtomicUsize,
    bound: AtomicUsize,
}

/// A bind in progress holds one of the account's pending places until it is dropped.
#[derive(Debug)]
pub(super) struct PendingPlace(Arc<Places>);

/// A bind holds one of the account's places, and is listed, until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    registry: Arc<Registry>,
    places: Arc<Places>,
    handle: Arc<BindHandle>,
    vacated: bool,
}

#[derive(Debug)]
struct Failures {
    count: u32,
    since_nanos: u64,
}

impl Registry {
    /// A slot for a connection; none while `max` are taken.
    pub(super) fn connect(self: &Arc<Self>, max: usize) -> Option<Slot> {
        take(&self.connections, max).then(|| Slot(self.clone()))
    }

    /// A pending place for a bind of this account, if it has one free and the SMSC's consent could still give it a place.
    pub(super) fn pend(&self, system_id: &str, max_binds: usize, max_pending: usize) -> Option<PendingPlace> {
        let places = match self.accounts.get(system_id) {
            Some(places) => places.clone(),
            None => self.accounts.entry(system_id.to_owned()).or_default().clone(),
        };
        if places.bound.load(Ordering::Acquire) >= max_binds || !take(&places.pending, max_pending) {
            return None;
        }
        Some(PendingPlace(places))
    }

    /// Turns a pending place into a place, now that the SMSC has said yes; none if others were quicker.
    pub(super) fn bind(self: &Arc<Self>, pending: PendingPlace, max_binds: usize, holder: Holder) -> Option<Place> {
        let places = pending.0.clone();
        if !take(&places.bound, max_binds) {
            return None;
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed) + 1;
        let (order, waker) = (AtomicU8::new(Order::Stay as u8), AtomicWaker::new());
        let handle = BindHandle { id, holder, up: AtomicU64::new(0), down: AtomicU64::new(0), order, waker };
        let handle = Arc::new(handle);
        self.binds.insert(id, handle.clone());
        Some(Place { registry: self.clone(), places, handle, vacated: false })
    }

    /// How many connections there are.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Acquire)
    }

    /// How many binds there are.
    pub(super) fn binds(&self) -> usize {
        self.binds.len()
    }

    /// All binds, in the order in which they were bound.
    pub(super) fn list(&self) -> Vec<LiveBind> {
        let live = |handle: &BindHandle| LiveBind {
            id: handle.id,
            account: handle.holder.account.clone(),
            state: handle.holder.state.name(),
            since: handle.holder.since,
            up: handle.up.load(Ordering::Relaxed),
            down: handle.down.load(Ordering::Relaxed),
        };
        let mut binds: Vec<LiveBind> = self.binds.iter().map(|handle| live(&handle)).collect();
        binds.sort_unstable_by_key(|bind| bind.id);
        binds
    }

    /// Asks this of the bind with this number; false if there is none.
    pub(super) fn ask(&self, id: u64, order: Order) -> bool {
        self.binds.get(&id).map(|bind| bind.ask(order)).is_some()
    }

    /// Asks this of every bind.
    pub(super) fn ask_all(&self, order: Order) {
        self.binds.iter().for_each(|bind| bind.ask(order));
    }

    /// Has every bind look at the facts, which have changed.
    pub(super) fn wake_all(&self) {
        self.binds.iter().for_each(|bind| bind.waker.wake());
    }

    /// Whether this system_id from this address has failed so often that it must wait.
    pub(super) fn is_locked_out(&self, system_id: &[u8], address: IpAddr, limits: Lockout, now_nanos: u64) -> bool {
        let Some(failures) = self.failures.get(&(Box::from(system_id), address)) else { return false };
        failures.count >= limits.failures && !limits.has_lapsed(&failures, now_nanos)
    }

    /// Counts a failed bind.
    pub(super) fn failed(&self, system_id: &[u8], address: IpAddr, limits: Lockout, now_nanos: u64) {
        let key = (Box::from(system_id), address);
        if let Some(mut failures) = self.failures.get_mut(&key) {
            if limits.has_lapsed(&failures, now_nanos) {
                failures.count = 0;
            }
            failures.count += 1;
            failures.since_nanos = now_nanos;
        } else if self.failures.len() < LOCKOUT_ENTRIES {
            self.failures.insert(key, Failures { count: 1, since_nanos: now_nanos });
        }
    }

    /// Forgets the failures of one that has bound.
    pub(super) fn succeeded(&self, system_id: &[u8], address: IpAddr) {
        self.failures.remove(&(Box::from(system_id), address));
    }

    /// Forgets failures that no longer count.
    pub(super) fn prune(&self, limits: Lockout, now_nanos: u64) {
        self.failures.retain(|_, failures| !limits.has_lapsed(failures, now_nanos));
    }
}

/// When failed binds lock out, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lockout {
    /// So many in a row.
    pub(super) failures: u32,
    /// Counted from the last one.
    pub(super) time: Duration,
}

impl Lockout {
    fn has_lapsed(self, failures: &Failures, now_nanos: u64) -> bool {
        now_nanos.saturating_sub(failures.since_nanos) >= self.time.as_nanos() as u64
    }
}

impl Place {
    /// Lets another bind of the account have it; this one stays listed.
    pub(super) fn vacate(&mut self) {
        if !std::mem::replace(&mut self.vacated, true) {
            self.places.bound.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// The bind's handle.
    pub(super) fn handle(&self) -> &Arc<BindHandle> {
        &self.handle
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for PendingPlace {
    fn drop(&mut self) {
        self.0.pending.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.vacate();
        self.registry.binds.remove(&self.handle.id);
    }
}

fn take(places: &AtomicUsize, max: usize) -> bool {
    places.fetch_update(Ordering::AcqRel, Ordering::Acquire, |taken| (taken < max).then_some(taken + 1)).is_ok()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const LIMITS: Lockout = Lockout { failures: 3, time: Duration::from_secs(60) };
    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn lockout_is_by_system_id_and_address_and_lapses() {
        let registry = Registry::default();
        for second in 0..3 {
            assert!(!registry.is_locked_out(b"shop", HERE, LIMITS, second * SECOND));
            registry.failed(b"shop", HERE, LIMITS, second * SECOND);
        }
        assert!(registry.is_locked_out(b"shop", HERE, LIMITS, 3 * SECOND));
        assert!(!registry.is_locked_out(b"bank", HERE, LIMITS, 3 * SECOND));
        assert!(!registry.is_locked_out(b"shop", IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), LIMITS, 3 * SECOND));
        assert!(!registry.is_locked_out(b"shop", HERE, LIMITS, 62 * SECOND));
        registry.prune(LIMITS, 62 * SECOND);
        assert!(registry.failures.is_empty());
    }

    #[test]
    fn places_are_given_once_and_come_back() {
        let registry = Arc::new(Registry::default());
        let first = registry.pend("shop", 1, 2).unwrap();
        let second = registry.pend("shop", 1, 2).unwrap();
        assert!(registry.pend("shop", 1, 2).is_none(), "two are pending");
        let holder = || Holder { account: "shop".into(), state: BindState::Receiver, since: 7 };
        let place = registry.bind(first, 1, holder()).unwrap();
        assert!(registry.bind(second, 1, holder()).is_none(), "one is bound");
        assert!(registry.pend("shop", 1, 2).is_none(), "one is bound");
        place.handle().has_relayed(3, 4);
        let [bind] = &registry.list()[..] else { panic!("one is bound") };
        assert_eq!((&*bind.account, bind.state, bind.since, bind.up, bind.down), ("shop", "receiver", 7, 3, 4));
        assert!(registry.ask(bind.id, Order::Leave) && !registry.ask(bind.id + 1, Order::Leave));
        assert_eq!(place.handle().order(), Order::Leave);
        drop(place);
        assert_eq!(registry.binds(), 0);
        assert!(registry.pend("shop", 1, 2).is_some());
    }
}
