//! The proxy between an ESME and an SMSC that accepts everything, over real sockets: plays are sent, and what the ESME
//! gets, what the SMSC gets and what is on record are held against what was expected.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use bytes::Bytes;
use serde_json::Value;
use smppolicy::admin::{Admin, Running};
use smppolicy::config::{AccountState, Config};
use smppolicy::ledger::workflow::{Clock, MachineClock};
use smppolicy::pdu::{CommandId, CommandStatus, Destination, Frame, SubmitMulti, SubmitMultiResp};
use smppolicy::policy::{DurableFacts, LiveState};
use smppolicy::relay::{Given, Relay};
use tempfile::TempDir;
use toml::Table;

use crate::case::{Case, Expected, Ground, merge};
use crate::message::Sent;
use crate::play::{Judge, Play};
use crate::support::clock::HandClock;
use crate::support::{Link, Serving, Smsc, accepted, bare, bind, frame, records, refused};

/// The configuration of a case, with its files in `folder`.
pub(crate) fn configure(case: &Case, upstream: &str, folder: &Path) -> Result<Config, String> {
    let mut whole: Table = toml::from_str(include_str!("base.toml")).map_err(|error| error.to_string())?;
    merge(&mut whole, case.config.clone());
    let files = Table::from_iter([
        ("path".to_owned(), folder.join("audit").display().to_string().into()),
        ("msisdn_key_file".to_owned(), folder.join("key").display().to_string().into()),
    ]);
    let ledger = Table::from_iter([("path".to_owned(), folder.join("ledger").display().to_string().into())]);
    whole.insert("ledger".to_owned(), ledger.into());
    let main = Table::from_iter([("address".to_owned(), upstream.into())]);
    whole.insert("audit".to_owned(), files.into());
    whole.insert("upstream".to_owned(), Table::from_iter([("main".to_owned(), main.into())]).into());
    let base = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/conformance/cases"));
    let config = Config::parse(&whole.to_string(), "the configuration", base);
    config.map_err(|faults| format!("{}: config: {faults}", case.place))
}

/// See the module.
pub(crate) struct Stage {
    pub(crate) relay: Relay,
    pub(crate) serving: Serving,
    /// The operator's interface.
    pub(crate) operator: Router,
    /// What it goes by if the case tells of what went before.
    pub(crate) clock: Arc<HandClock>,
    has_past: bool,
    folder: TempDir,
    /// The state of the account `shop`.
    shop: LiveState,
    pub(crate) links: HashMap<(String, u8), Link>,
    pub(crate) sequence: u32,
    pub(crate) arrived: usize,
    /// What each PDU must have on record, by sequence number.
    remembered: Vec<Remembered>,
}

struct Remembered {
    play: usize,
    sequence: u32,
    outcome: Expected,
    /// Refusals that count.
    refusals: usize,
    ground: Ground,
    recorded: bool,
}

impl Stage {
    pub(crate) async fn set(case: &Case) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let serving = Smsc::listen().await.serve();
        let config = configure(case, &serving.address.to_string(), folder.path())?;
        let declared = case.known.declared(AccountState::Active);
        let shop = declared.state("shop");
        let has_past = !case.before.is_empty();
        let of_ledger = has_past || case.known.import.is_some();
        let facts = (!of_ledger).then_some(declared as Arc<dyn DurableFacts>);
        let by_hand = HandClock::at(case.known.now());
        let clock = match has_past {
            true => Some(by_hand.clone() as Arc<dyn Clock>),
            false => case.known.at.map(|at| Arc::new(MachineClock::set_to(at)) as Arc<dyn Clock>),
        };
        let given = Given { facts, clock, ..Given::default() };
        let relay = Relay::start_given(config, given).await.map_err(|fault| fault.to_string())?;
        let control = relay.control();
        let imported = case.known.import_into(&relay.ledger(), move |account| control.names(account)).await;
        imported.map_err(|fault| format!("{}: import: {fault}", case.place))?;
        let running = Running::new(relay.control(), &folder.path().join("config.toml"));
        let operator = Admin::new(relay.ledger(), relay.audit(), relay.journal(), running).router();
        let (links, remembered) = (HashMap::new(), Vec::new());
        let clock = by_hand;
        let (sequence, arrived) = (1, 0);
        let mut stage =
            Self { relay, serving, operator, clock, has_past, folder, shop, links, sequence, arrived, remembered };
        stage.tell(&case.before).await.map_err(|fault| format!("{}: {fault}", case.place))?;
        Ok(stage)
    }

    /// The ledger's facts, where a case's past is in it.
    pub(crate) fn own_facts(&self) -> Option<Arc<dyn DurableFacts>> {
        self.has_past.then(|| self.relay.ledger() as Arc<dyn DurableFacts>)
    }

    /// Whether an account may bind, as far as the ledger knows.
    pub(crate) fn may_send(&self, account: &str) -> bool {
        matches!(self.relay.ledger().state(account).get(), AccountState::Active | AccountState::Held)
    }

    /// A bind of the account, or the status that it is refused with.
    pub(crate) async fn link(&mut self, account: &str, number: u8) -> Result<&mut Link, CommandStatus> {
        match self.links.entry((account.to_owned(), number)) {
            Entry::Occupied(bound) => Ok(bound.into_mut()),
            Entry::Vacant(place) => {
                let mut link = Link::connect(self.relay.address()).await;
                match link.status(&bind(CommandId::BIND_TRANSCEIVER, account)).await {
                    CommandStatus::ESME_ROK => Ok(place.insert(link)),
                    status => Err(status),
                }
            }
        }
    }

    /// Sends everything that a play sends; `number` is the play's in its batch.
    pub(crate) async fn play(&mut self, number: usize, play: &Play, reference: u16) -> Result<(), String> {
        let pdus = play.pdus(reference)?;
        let mut judge = Judge::new(play.plan(pdus.len())?);
        if play.case.pipelined {
            self.pipeline(number, play, &pdus, &mut judge).await?;
        } else {
            for sent in &pdus {
                let octets = self.numbered(sent);
                let answer = match play.case.known.once_bound {
                    Some(state) if sent.account == "shop" => self.ask_once_bound(state, &octets).await?,
                    _ => match self.link(&sent.account, sent.bind).await {
                        Ok(link) => link.ask(&octets).await.to_vec(),
                        Err(status) => {
                            judge.outcome(Expected::Refuse(status))?;
                            continue;
                        }
                    },
                };
                let outcome = self.outcome(sent, &octets, &answer)?;
                self.remember(number, play, sent, (&octets, outcome));
                judge.outcome(outcome)?;
            }
        }
        judge.finish()
    }

    /// The answer to what `shop` sends over a bind of its own that has come into this state: then it is unbound, and
    /// cannot bind again until that is over.
    async fn ask_once_bound(&mut self, state: AccountState, octets: &[u8]) -> Result<Vec<u8>, String> {
        let mut link = Link::connect(self.relay.address()).await;
        link.bind("shop").await;
        self.shop.set(state);
        let answer = link.ask(octets).await;
        let unbind = link.receive().await;
        if frame(&unbind).command_id() != CommandId::UNBIND {
            return Err(format!("the account is {}, and its bind is not ended: {unbind:02x?}", state.name()));
        }
        link.send(&accepted(&unbind)).await;
        link.ends().await;
        let next = bind(CommandId::BIND_TRANSCEIVER, "shop");
        let status = Link::connect(self.relay.address()).await.status(&next).await;
        self.shop.set(AccountState::Active);
        match status {
            CommandStatus::ESME_RBINDFAIL => Ok(answer.to_vec()),
            other => Err(format!("the account is {}, and its bind is answered with {other}", state.name())),
        }
    }

    /// Sends all in one write; answers may come in any order, what goes up stays in its own.
    async fn pipeline(&mut self, number: usize, play: &Play, pdus: &[Sent], judge: &mut Judge) -> Result<(), String> {
        let Some(first) = pdus.first() else { return Ok(()) };
        let octets: Vec<Vec<u8>> = pdus.iter().map(|sent| self.numbered(sent)).collect();
        let link = self.link(&first.account, first.bind).await.map_err(|status| format!("no bind: {status}"))?;
        link.send(&octets.concat()).await;
        let answers = link.from.receive_all(octets.len()).await;
        let mut by_sequence: HashMap<u32, _> =
            answers.into_iter().map(|answer| (frame(&answer).sequence_number().0, answer)).collect();
        for (sent, octets) in pdus.iter().zip(&octets) {
            let sequence = frame(octets).sequence_number().0;
            let answer =
                by_sequence.remove(&sequence).ok_or(format!("sequence number {sequence} is not answered once"))?;
            let outcome = self.outcome(sent, octets, &answer)?;
            self.remember(number, play, sent, (octets, outcome));
            judge.outcome(outcome)?;
        }
        Ok(())
    }

    pub(crate) fn numbered(&mut self, sent: &Sent) -> Vec<u8> {
        self.sequence += 1;
        sent.numbered(self.sequence)
    }

    /// What has become of a PDU, both sides seen: it went up as it was and was answered by the SMSC, or it did not and
    /// was answered with the bare header of an error.
    pub(crate) fn outcome(&mut self, sent: &Sent, octets: &[u8], answer: &[u8]) -> Result<Expected, String> {
        let status = frame(answer).command_status();
        if status != CommandStatus::ESME_ROK {
            if answer != refused(octets, status) {
                return Err(format!("the refusal is not a bare header: {answer:02x?}"));
            }
            let sequence = frame(octets).sequence_number();
            let arrived = self.serving.messages();
            return match arrived.iter().any(|message| frame(message).sequence_number() == sequence) {
                true => Err("it is refused, and the SMSC has it all the same".to_owned()),
                false => Ok(Expected::Refuse(status)),
            };
        }
        let arrived = self.next_arrived()?;
        match sent.without.is_empty() {
            true if arrived != octets => Err("the SMSC got other octets than were sent".to_owned()),
            true if answer != accepted(octets) => Err("the ESME got another answer than the SMSC gave".to_owned()),
            true => Ok(Expected::Relay),
            false => reduced(sent, octets, &arrived, answer).map(|()| Expected::Relay),
        }
    }

    /// That the SMSC has got these very octets.
    pub(crate) fn see_arrive(&mut self, octets: &[u8]) -> Result<(), String> {
        if self.next_arrived()? == octets { Ok(()) } else { Err("the SMSC got other octets than were sent".to_owned()) }
    }

    /// What the SMSC got next.
    fn next_arrived(&mut self) -> Result<Bytes, String> {
        let messages = self.serving.messages();
        let next = messages.get(self.arrived).cloned().ok_or("it is accepted, but not by the SMSC")?;
        self.arrived += 1;
        Ok(next)
    }

    fn remember(&mut self, play: usize, of: &Play, sent: &Sent, (octets, outcome): (&[u8], Expected)) {
        let sequence = frame(octets).sequence_number().0;
        let refusals = if outcome == Expected::Relay { sent.without.len() } else { 1 };
        let Case { ground, recorded, .. } = &*of.case;
        let (ground, recorded) = (ground.clone(), *recorded);
        self.remembered.push(Remembered { play, sequence, outcome, refusals, ground, recorded });
    }

    /// Ends all binds and the proxy, and reads the record: what is wrong with it, by play.
    pub(crate) async fn strike(mut self) -> Vec<(usize, String)> {
        for link in self.links.values_mut() {
            self.sequence += 1;
            link.ask(&bare(CommandId::UNBIND, self.sequence)).await;
        }
        drop(self.links);
        let drained = self.relay.drain().await;
        let mut faults = Vec::new();
        if (drained.cut_off, drained.unwritten) != (0, 0) {
            faults.push((0, format!("the proxy ends with {drained:?}")));
        }
        if self.serving.messages().len() != self.arrived {
            faults.push((0, "the SMSC got more than was accepted".to_owned()));
        }
        let records = records(self.folder.path());
        for remembered in &self.remembered {
            let of = |record: &&Value| record["sequence"] == remembered.sequence;
            let records: Vec<&Value> = records.iter().filter(of).collect();
            if let Err(fault) = on_record(remembered, &records) {
                faults.push((remembered.play, fault));
            }
        }
        faults
    }
}

/// A submit_multi without some destinations: the SMSC got the others, and the answer names those.
fn reduced(sent: &Sent, octets: &[u8], arrived: &[u8], answer: &[u8]) -> Result<(), String> {
    let numbers = |octets| {
        let pdu = SubmitMulti::decode(frame(octets)).map_err(|malformed| malformed.to_string())?;
        let smes = pdu.destinations.iter().filter_map(|destination| match destination {
            Destination::Sme(address) => Some(String::from_utf8_lossy(address.digits).into_owned()),
            Destination::List(_) => None,
        });
        Ok::<Vec<String>, String>(smes.collect())
    };
    let mut expected = numbers(octets)?;
    expected.retain(|number| !sent.without.contains(number));
    if numbers(arrived)? != expected {
        return Err(format!("the SMSC got the destinations {:?}, expected {expected:?}", numbers(arrived)?));
    }
    let answer: Frame<'_> = frame(answer);
    let answer = SubmitMultiResp::decode(answer).map_err(|malformed| malformed.to_string())?;
    let named: Vec<String> =
        answer.unsuccess.iter().map(|it| String::from_utf8_lossy(it.address.digits).into_owned()).collect();
    if named == sent.without { Ok(()) } else { Err(format!("the answer names {named:?} as refused")) }
}

fn on_record(remembered: &Remembered, records: &[&Value]) -> Result<(), String> {
    let Remembered { outcome, ground, refusals, recorded, .. } = remembered;
    let rejected: Vec<&&Value> = records.iter().filter(|record| record["verdict"] == "rejected").collect();
    if rejected.len() != *refusals {
        return Err(format!("{} refusals are on record, expected {refusals}", rejected.len()));
    }
    for record in rejected {
        names_ground(ground, record)?;
        if let Expected::Refuse(status) = outcome
            && record["status"] != status.to_string()
        {
            return Err(format!("the record has the status {}, expected {status}", record["status"]));
        }
    }
    if *recorded {
        let shadows = records.iter().filter(|record| record["verdict"] == "shadow");
        if !shadows.map(|record| names_ground(ground, record)).any(|names| names.is_ok()) {
            return Err(format!("no record of {ground:?}"));
        }
    }
    Ok(())
}

fn names_ground(ground: &Ground, record: &Value) -> Result<(), String> {
    let rule = ground.rule.map(|rule| rule.name());
    for (field, got, expected) in [
        ("rule", record["rule"].clone(), Value::from(rule)),
        ("clause", record["clause"].clone(), Value::from(ground.clause)),
    ] {
        if got != expected {
            return Err(format!(
                "the record has the {field} {got}, expected {expected}; evidence {}",
                record["evidence"]
            ));
        }
    }
    match &ground.entry {
        Some(entry) if record.pointer("/evidence/entry") != Some(&Value::from(entry.as_str())) => {
            Err(format!("the record has the evidence {}, expected the entry {entry}", record["evidence"]))
        }
        _ => Ok(()),
    }
}
