//! Reloads and panics under load: each message is judged by one configuration, and what breaks in one bind stays there.

#![cfg(test)]

mod support;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use smppolicy::admin::{NotReloaded, Proxy as _, Running};
use smppolicy::config::Purpose;
use smppolicy::pdu::CommandStatus;
use smppolicy::policy::{Confirmation, DurableFacts, Listing, LiveState, Msisdn, NoFacts, NoScope, Scope};
use smppolicy::relay::Given;
use support::process::configure;
use support::*;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

const OK: CommandStatus = CommandStatus::ESME_ROK;
const REFUSED: CommandStatus = CommandStatus::ESME_RINVSRCADR;

/// The sender that a configuration lets through; the other one is refused.
const SENDERS: [&str; 2] = ["One", "Two"];

const BINDS: u32 = 1000;
const RELOADS: usize = 100;

/// Sequence numbers of one bind begin at a multiple of this.
const MESSAGES: u32 = 100_000;

/// Only what this is about is judged, so that a reload takes little time without optimisation.
const RULES: &str = "[policy]\nbrand.mode = 'off'\nmedia.mode = 'off'\nfraud.mode = 'off'\ncontent.mode = 'off'\n\
                     health.mode = 'off'\nrepetition.mode = 'off'\nlists.languages = ['nl']\n";

/// Lets through [`SENDERS`]`[which]`, under a version that nobody had before.
fn fragment(which: usize, round: usize) -> String {
    format!(
        "listen.max_connections = 5000\nreport = {{ address = '127.0.0.1:0', provider = 'round {round}', contact = 'c' }}\n\
         [[account]]\nsystem_id = 'shop'\nmax_binds = 2000\ndefault_purpose = 'transactional'\nsender = [{{ id = '{}' }}]\n{RULES}",
        SENDERS[which]
    )
}

/// The same, faulty in one of the ways in which a configuration can be, of which each is found at another point.
fn faulty(which: usize, round: usize, folder: &Path) -> String {
    let good = fragment(which, round);
    match round / 2 % 4 {
        0 => good.replace("max_connections = 5000", "max_connections = 0"),
        1 => {
            let list = "rule = 'content'\nlanguage = 'en'\nclause = 30\ncategory = 'own'\n[[entry]]\nid = 'own-1'\nmatch = ['(']\n";
            std::fs::write(folder.join("faulty.toml"), list).unwrap();
            good.replace("lists.languages", "lists.files = ['faulty.toml']\nlists.languages")
        }
        2 => good.replace("[policy]", "[upstream.other]\naddress = 'simulator'\n[policy]"),
        _ => good.replace("system_id = 'shop'", "system_id = 'shop'\nsystem = 1"),
    }
}

/// What the test knows of the configuration in force.
struct InForce {
    /// Configurations that were put in force or are about to be: the parity is the sender's place in [`SENDERS`].
    begun: AtomicU64,
    /// Those that are.
    done: AtomicU64,
    over: AtomicBool,
    /// One permit for each answer.
    answered: Semaphore,
}

/// One message and its answer.
struct Sent {
    sequence: u32,
    sender: usize,
    status: CommandStatus,
    /// The configuration that was in force all the time, if it was one.
    by: Option<u64>,
}

/// Sends both senders' messages until it is over, each once the one before is answered.
async fn talk(bind: u32, mut link: Link, in_force: Arc<InForce>) -> (Link, Vec<Sent>) {
    let (mut all, first) = (Vec::new(), bind * MESSAGES + 2);
    for sequence in first..first + MESSAGES - 2 {
        // Everybody comes to see the last configuration.
        let last = in_force.over.load(Ordering::SeqCst);
        let sender = (sequence % 2) as usize;
        let before = in_force.done.load(Ordering::SeqCst);
        let message = submit(sequence, SENDERS[sender], format!("message {sequence}").as_bytes());
        let status = link.status(&message).await;
        let by = (in_force.begun.load(Ordering::SeqCst) == before).then_some(before);
        all.push(Sent { sequence, sender, status, by });
        in_force.answered.add_permits(1);
        if last {
            break;
        }
        // So that a thousand binds on two cores wait for their turns and not for their answers.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    (link, all)
}

/// Puts a hundred configurations in force, of which every other one is faulty: which version lets which sender through.
fn reload_a_hundred_times(
    proxy: &Running,
    folder: &Path,
    upstream: std::net::SocketAddr,
    in_force: &InForce,
) -> HashMap<String, usize> {
    let mut versions = HashMap::new();
    for round in 0..RELOADS {
        // Each configuration is in force while some messages come and go.
        Handle::current().block_on(soon(in_force.answered.acquire_many(BINDS / 4))).unwrap().forget();
        let now = in_force.done.load(Ordering::SeqCst);
        let next = (now as usize + 1) % 2;
        if round % 2 == 0 {
            configure(folder, upstream, &faulty(next, round, folder));
            let fault = proxy.reload().unwrap_err();
            assert!(matches!(&fault, NotReloaded::Faulty(_)), "{fault:?}");
        } else {
            configure(folder, upstream, &fragment(next, round));
            in_force.begun.store(now + 1, Ordering::SeqCst);
            let reloaded = proxy.reload().unwrap();
            in_force.done.store(now + 1, Ordering::SeqCst);
            let keys: Vec<&str> = reloaded.diff.changes.iter().map(|change| change.key.as_str()).collect();
            let [old, new] = [1 - next, next].map(|which| format!("account[shop].sender[{}].id", SENDERS[which]));
            assert!(keys.contains(&old.as_str()) && keys.contains(&new.as_str()), "{keys:?}");
            assert_eq!(reloaded.at_next_start, ["report.provider"]);
            let version = format!("{:016x}", reloaded.new_version);
            assert!(versions.insert(version, next).is_none());
        }
    }
    versions
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_binds_live_through_a_hundred_reloads_and_each_verdict_is_of_one_configuration() {
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let serving = Smsc::listen().await.serve();
    let proxy = Proxy::start(serving.address, &fragment(0, RELOADS)).await;
    let (folder, control) = (proxy.folder().to_owned(), proxy.relay.control());
    let mut links = Vec::new();
    for _ in 0..BINDS {
        links.push(esme(&proxy, "shop").await);
    }
    let ids = |control: &smppolicy::relay::Control| control.binds().iter().map(|bind| bind.id).collect::<Vec<_>>();
    let bound = ids(&control);
    assert_eq!(bound.len(), BINDS as usize);

    let (begun, done, over) = Default::default();
    let in_force = Arc::new(InForce { begun, done, over, answered: Semaphore::new(0) });
    let talks: Vec<_> = (0..).zip(links).map(|(bind, link)| tokio::spawn(talk(bind, link, in_force.clone()))).collect();
    let first = control.version();
    let (running, kept) = (Running::new(control.clone(), &folder.join("config.toml")), in_force.clone());
    let (upstream, place) = (serving.address, folder.clone());
    let reloads = tokio::task::spawn_blocking(move || reload_a_hundred_times(&running, &place, upstream, &kept));
    let mut versions = reloads.await.unwrap();
    versions.insert(format!("{first:016x}"), 0);
    in_force.over.store(true, Ordering::SeqCst);
    let (mut sent, mut links) = (Vec::new(), Vec::new());
    for talk in talks {
        // Each message was answered, or this would have panicked.
        let (link, some) = talk.await.unwrap();
        links.push(link);
        sent.extend(some);
    }
    assert_eq!(ids(&control), bound, "a bind was lost");
    drop(control);
    let records = proxy.stop_with(links).await;

    let taken: std::collections::HashSet<u32> =
        serving.messages().iter().map(|message| frame(message).sequence_number().0).collect();
    assert_eq!(taken.len(), serving.messages().len(), "something went up twice");
    let records: HashMap<u64, &serde_json::Value> =
        records.iter().map(|record| (record["sequence"].as_u64().unwrap(), record)).collect();
    let mut decided = 0;
    for Sent { sequence, sender, status, by } in &sent {
        assert_eq!(taken.contains(sequence), *status == OK, "{sequence}");
        let record = records.get(&u64::from(*sequence));
        match *status {
            OK => assert!(record.is_none(), "{record:?}"),
            REFUSED => {
                let record = record.unwrap();
                let lets_through = versions[record["policy_version"].as_str().unwrap()];
                assert_eq!((record["rule"].as_str(), lets_through), (Some("sender"), 1 - sender), "{record}");
            }
            other => panic!("{sequence} was answered with {other}"),
        }
        if let Some(by) = by {
            decided += 1;
            assert_eq!(*status == OK, by % 2 == *sender as u64, "{sequence}, under configuration {by}");
        }
    }
    assert_eq!(records.len(), sent.iter().filter(|sent| sent.status == REFUSED).count());
    // If little was sent between two reloads this has shown little.
    assert!(decided > 10 * RELOADS, "{decided} of {}", sent.len());
    println!("{BINDS} binds, {RELOADS} reloads, {} messages, of which {decided} under one configuration", sent.len());
}

#[tokio::test]
async fn a_bind_that_was_under_way_is_judged_by_what_came_meanwhile() {
    let smsc = Smsc::listen().await;
    let proxy = Proxy::start(smsc.address(), &fragment(0, 1)).await;
    let mut esme = Link::connect(proxy.address()).await;
    esme.send(&bind(smppolicy::pdu::CommandId::BIND_TRANSCEIVER, "shop")).await;
    let mut upstream = smsc.accept().await;
    let request = upstream.receive().await;
    // The account is admitted, and the SMSC thinks.
    proxy.reload(&fragment(1, 2));
    upstream.send(&accepted(&request)).await;
    assert_eq!(frame(&esme.receive().await).command_status(), OK);
    assert_eq!(esme.status(&submit(2, "One", b"hello")).await, REFUSED);
    let allowed = submit(3, "Two", b"hello");
    esme.send(&allowed).await;
    assert_eq!(upstream.receive().await, allowed);
    upstream.send(&accepted(&allowed)).await;
    assert_eq!(esme.receive().await, accepted(&allowed));
    let version = format!("{:016x}", proxy.relay.control().version());
    let records = proxy.stop_with([esme, upstream]).await;
    assert_eq!((records.len(), records[0]["policy_version"].as_str()), (1, Some(version.as_str())));
}

/// Facts that break when they are asked for one recipient.
#[derive(Debug)]
struct Breaking(Msisdn);

impl DurableFacts for Breaking {
    fn opted_out(&self, recipient: Msisdn, scopes: &[Scope]) -> Option<usize> {
        assert!(recipient != self.0, "such as a slip in a rule");
        NoFacts.opted_out(recipient, scopes)
    }

    fn state(&self, account: &str) -> LiveState {
        NoFacts.state(account)
    }

    fn consent_scope(&self, account: &str, sender: Option<&str>, purpose: Purpose) -> Result<Option<Scope>, NoScope> {
        NoFacts.consent_scope(account, sender, purpose)
    }

    fn opt_out_scope(&self, account: Option<&str>, sender: Option<&str>) -> Result<Option<Scope>, NoScope> {
        NoFacts.opt_out_scope(account, sender)
    }

    fn has_consented(&self, recipient: Msisdn, scopes: &[Scope], now: i64) -> bool {
        NoFacts.has_consented(recipient, scopes, now)
    }

    fn confirmation(&self, account: &str, recipient: Msisdn, now: i64) -> Option<Arc<Confirmation>> {
        NoFacts.confirmation(account, recipient, now)
    }

    fn registry(&self, recipient: Msisdn, now: i64) -> Listing {
        NoFacts.registry(recipient, now)
    }

    fn has_written(&self, recipient: Msisdn, account: &str, now: i64) -> bool {
        NoFacts.has_written(recipient, account, now)
    }

    fn unanswered(&self, recipient: Msisdn, account: &str) -> u16 {
        NoFacts.unanswered(recipient, account)
    }

    fn are_complete(&self) -> bool {
        NoFacts.are_complete()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_ends_the_bind_that_it_happens_in_and_no_other() {
    let smsc = Smsc::listen().await;
    let facts: Arc<dyn DurableFacts> = Arc::new(Breaking(Msisdn::parse("32470999999").unwrap()));
    let given = Given { facts: Some(facts), ..Given::default() };
    let one_bind =
        "[[account]]\nsystem_id = 'shop'\nmax_binds = 2\ndefault_purpose = 'transactional'\nsender = [{ id = 'SHOP' }]";
    let proxy = Proxy::start_given(tempfile::tempdir().unwrap(), smsc.address(), one_bind, given).await;
    let (mut broken, mut its_smsc) = bound(&proxy, &smsc, "shop").await;
    let (mut other, mut others_smsc) = bound(&proxy, &smsc, "shop").await;

    let message = smppolicy::pdu::SubmitSm { destination: number("32470999999"), ..submit_defaults() };
    let before = submit(2, "SHOP", b"hello");
    broken.send(&[before.clone(), submit_with(3, message, &[])].concat()).await;
    // What was cleared before may have gone up; what was not has not, and no answer is made up.
    while let Some(relayed) = its_smsc.from.next_or_torn().await {
        assert_eq!(relayed, before);
    }
    assert_eq!(broken.from.next_or_torn().await, None);

    for sequence in 2..5 {
        let message = submit(sequence, "SHOP", format!("hello {sequence}").as_bytes());
        other.send(&message).await;
        assert_eq!(others_smsc.receive().await, message);
        others_smsc.send(&accepted(&message)).await;
        assert_eq!(other.receive().await, accepted(&message));
    }
    // Its place is free again, of the two that there are.
    let (again, its_smsc) = bound(&proxy, &smsc, "shop").await;
    assert_eq!(proxy.relay.binds(), 2);
    let records = proxy.stop_with([other, others_smsc, again, its_smsc]).await;
    assert_eq!(records.len(), 0);
}
