//! The stage: SMSC and proxy, and one ESME after the other. It plays rows and says what came of them; whether that is
//! as expected is not its business.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use super::DemoFault;
use super::cases::{Act, Case, DANS_NUMBER, EVES_NUMBER, FAYS_NUMBER, Outcome};
use super::esme::Esme;
use super::message::Message;
use super::record::Records;
use crate::config::{AccountState, Config, Faults, Purpose, UpstreamAddress};
use crate::ledger::permissions::{Consent, DoubleOptIn, Origin};
use crate::pdu::{CommandId, CommandStatus, Frame, SequenceNumber, SubmitMultiResp, SubmitSmResp};
use crate::policy::Msisdn;
use crate::relay::{Relay, StartFault};
use crate::simulator::smsc::{Smsc, SmscOptions};

/// Messages of one row that the SMSC's tap has room for.
const TAP: usize = 64;

/// Everything that runs during the demo.
pub(super) struct Stage<'a> {
    folder: &'a Path,
    smsc: Smsc,
    tapped: mpsc::Receiver<Bytes>,
    proxy: Relay,
    last_sequence: u32,
}

/// What came of a bind or a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event {
    /// The message's number, which no other message of the demo has.
    pub(super) sequence: Option<SequenceNumber>,
    pub(super) outcome: Outcome,
}

/// A message that was sent.
struct Sent {
    message: Message,
    sequence: SequenceNumber,
    octets: BytesMut,
}

/// PDUs by their sequence numbers.
type BySequence = HashMap<SequenceNumber, Bytes>;

/// The demo's configuration, with its files in `folder` and this SMSC.
fn configuration(folder: &Path, smsc: SocketAddr) -> Result<Config, Faults> {
    let mut config = Config::parse(include_str!("config.toml"), "src/demo/config.toml", folder)?;
    for upstream in config.upstreams.values_mut() {
        upstream.address = UpstreamAddress::Host(smsc.to_string());
    }
    Ok(config)
}

/// What recipients of the account `offers` have agreed to and opted out of, as the ledger takes it.
async fn wishes(proxy: &Relay) -> Result<(), DemoFault> {
    let (ledger, now) = (proxy.ledger(), jiff::Timestamp::now().as_millisecond());
    let consent = |number| Consent {
        number,
        account: "offers".into(),
        sender: "*".into(),
        purpose: Purpose::Marketing,
        method: "web form".into(),
        at: now,
        wording: "Yes, send me offers of the shop by SMS".into(),
        source: "shop.example/newsletter".into(),
        evidence: None,
        expires: None,
        address: None,
        double_opt_in: DoubleOptIn::NotAsked,
    };
    let fault = |fault: &dyn std::fmt::Display| DemoFault::Ledger(fault.to_string());
    for number in [EVES_NUMBER, DANS_NUMBER, FAYS_NUMBER].into_iter().filter_map(Msisdn::from_digits) {
        ledger.grant(consent(number), now).await.map_err(|error| fault(&error))?;
    }
    let Some(eve) = Msisdn::from_digits(EVES_NUMBER) else { return Ok(()) };
    let suppressions = ledger.permissions().suppressions();
    let scope = suppressions.make_scope(Some("offers"), Some("8850")).map_err(|error| fault(&error))?;
    suppressions.add(eve, scope, now, Origin::Mo, "").await.map(drop).map_err(|error| fault(&error))
}

impl<'a> Stage<'a> {
    /// Starts SMSC and proxy; `folder` is for the proxy's files.
    pub(super) async fn set(folder: &'a Path) -> Result<Self, DemoFault> {
        let (tap, tapped) = mpsc::channel(TAP);
        let smsc = Smsc::start(SmscOptions { tap: Some(tap), ..SmscOptions::default() }).map_err(DemoFault::Smsc)?;
        let proxy = Relay::start(configuration(folder, smsc.address())?).await?;
        wishes(&proxy).await?;
        Ok(Self { folder, smsc, tapped, proxy, last_sequence: 0 })
    }

    /// Ends both, and gives what the proxy has recorded.
    pub(super) async fn strike(self) -> Result<Records, DemoFault> {
        let path = configuration(self.folder, self.smsc.address())?.audit.path;
        self.proxy.drain().await;
        self.smsc.stop().await;
        Records::read(&path).map_err(DemoFault::Folder)
    }

    /// Plays one row: its events, in order.
    pub(super) async fn play(&mut self, case: &Case) -> Result<Vec<Event>, DemoFault> {
        let lost = |error| DemoFault::Link { sent: case.sent, error };
        let bound = Esme::bind(self.proxy.address(), case.system_id, self.next_sequence()).await;
        let (mut esme, status) = bound.map_err(lost)?;
        if status != CommandStatus::ESME_ROK {
            return Ok(vec![Event { sequence: None, outcome: Outcome::Refused(status) }]);
        }
        match &case.act {
            Act::Bind(_) => {
                esme.unbind(self.next_sequence()).await.map_err(lost)?;
                Ok(vec![Event { sequence: None, outcome: Outcome::Bound }])
            }
            Act::Send(messages) => {
                let messages = messages.iter().map(|(message, _)| *message);
                let (sent, answers) = self.exchange(case.sent, &mut esme, messages).await?;
                esme.unbind(self.next_sequence()).await.map_err(lost)?;
                Ok(self.events(&sent, &answers))
            }
            Act::SendOnceBlocked(message, _) => {
                self.block(case.system_id)?;
                let (sent, answers) = self.exchange(case.sent, &mut esme, [*message].into_iter()).await?;
                let unbound = esme.unbound().await.map_err(lost)?;
                let mut events = self.events(&sent, &answers);
                events.extend(unbound.then_some(Event { sequence: None, outcome: Outcome::Unbound }));
                Ok(events)
            }
        }
    }

    /// Blocks an account while the proxy runs.
    fn block(&self, system_id: &str) -> Result<(), DemoFault> {
        let mut config = configuration(self.folder, self.smsc.address())?;
        for account in config.accounts.iter_mut().filter(|account| account.system_id == system_id) {
            account.state = AccountState::Blocked;
        }
        self.proxy.reload(config).map_err(StartFault::from)?;
        Ok(())
    }

    /// Sends messages in as few writes as can be, so that no limit recovers in between, and awaits their answers.
    async fn exchange(
        &mut self,
        row: &'static str,
        esme: &mut Esme,
        messages: impl Iterator<Item = Message>,
    ) -> Result<(Vec<Sent>, BySequence), DemoFault> {
        let lost = |error| DemoFault::Link { sent: row, error };
        let (mut sent, mut answers) = (Vec::<Sent>::new(), HashMap::new());
        let mut unsent = BytesMut::new();
        for message in messages {
            // What a replace_sm replaces has its name from the answer.
            if message.operation == CommandId::REPLACE_SM {
                deliver(esme, &mut unsent, sent.len(), &mut answers).await.map_err(lost)?;
            }
            let replaced = sent.last().and_then(|before| message_id(answers.get(&before.sequence)?));
            let sequence = self.next_sequence();
            let octets = message
                .encode(sequence, &replaced.unwrap_or_default())
                .map_err(|malformed| DemoFault::Message { sent: row, malformed })?;
            unsent.extend_from_slice(&octets);
            sent.push(Sent { message, sequence, octets });
        }
        deliver(esme, &mut unsent, sent.len(), &mut answers).await.map_err(lost)?;
        Ok((sent, answers))
    }

    fn events(&mut self, sent: &[Sent], answers: &BySequence) -> Vec<Event> {
        let mut arrived = HashMap::new();
        while let Ok(pdu) = self.tapped.try_recv() {
            keep(pdu, &mut arrived);
        }
        let event = |sent: &Sent| Event {
            sequence: Some(sent.sequence),
            outcome: sent.outcome(answers.get(&sent.sequence), arrived.get(&sent.sequence)),
        };
        sent.iter().map(event).collect()
    }

    fn next_sequence(&mut self) -> SequenceNumber {
        self.last_sequence += 1;
        SequenceNumber(self.last_sequence)
    }
}

/// Sends what is unsent, and keeps answers until there are as many as messages, or the proxy closes.
async fn deliver(esme: &mut Esme, unsent: &mut BytesMut, messages: usize, answers: &mut BySequence) -> io::Result<()> {
    esme.send(&unsent.split()).await?;
    while answers.len() < messages {
        let Some(pdu) = esme.receive().await? else { break };
        if Frame::from_bytes(&pdu).is_some_and(|frame| frame.command_id().is_response()) {
            keep(pdu, answers);
        }
    }
    Ok(())
}

fn keep(pdu: Bytes, pdus: &mut BySequence) {
    if let Some(sequence) = Frame::from_bytes(&pdu).map(|frame| frame.sequence_number()) {
        pdus.insert(sequence, pdu);
    }
}

/// The name that the SMSC gave a message.
fn message_id(answer: &[u8]) -> Option<Vec<u8>> {
    SubmitSmResp::decode(Frame::from_bytes(answer)?).ok().map(|response| response.message_id.to_vec())
}

impl Sent {
    /// What came of it, from its answer and from what the SMSC got under its number.
    fn outcome(&self, answer: Option<&Bytes>, arrived: Option<&Bytes>) -> Outcome {
        let is_answer = |frame: &Frame<'_>| frame.command_id() == self.message.operation.response();
        let Some(answer) = answer.and_then(|answer| Frame::from_bytes(answer)).filter(is_answer) else {
            return Outcome::Odd("unanswered");
        };
        match (answer.command_status(), arrived) {
            (CommandStatus::ESME_ROK, Some(octets)) if *octets == self.octets => Outcome::Relayed,
            (CommandStatus::ESME_ROK, Some(octets)) if self.is_without_lists(octets, answer) => {
                Outcome::RelayedWithoutLists
            }
            (CommandStatus::ESME_ROK, Some(_)) => Outcome::Odd("altered on its way"),
            // The tap shows no replace_sm; but who says yes knows the message, and only the SMSC does.
            (CommandStatus::ESME_ROK, None) if self.message.operation == CommandId::REPLACE_SM => Outcome::Relayed,
            (CommandStatus::ESME_ROK, None) => Outcome::Odd("ESME_ROK, but not relayed"),
            (status, None) => Outcome::Refused(status),
            (_, Some(_)) => Outcome::Odd("relayed, though refused"),
        }
    }

    /// Whether the SMSC got everything but the distribution lists, and the answer names those and no other.
    fn is_without_lists(&self, arrived: &[u8], answer: Frame<'_>) -> bool {
        let expected = self.message.encode_without_lists(self.sequence);
        let named = SubmitMultiResp::decode(answer).is_ok_and(|response| {
            response.unsuccess.iter().map(|refused| refused.address.digits).eq(self.message.lists())
        });
        named && expected.is_ok_and(|expected| expected == arrived)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::cases::CASES;
    use crate::pdu::header_only;

    #[test]
    fn the_configuration_has_no_fault_and_every_customer() {
        let smsc = SocketAddr::from(([127, 0, 0, 1], 1));
        let config = configuration(Path::new("."), smsc).unwrap();
        let unknown: Vec<_> = CASES
            .iter()
            .filter(|case| config.accounts.iter().all(|account| account.system_id != case.system_id))
            .map(|case| case.sent)
            .collect();
        assert_eq!(unknown, ["bind, system_id unknown"]);
    }

    #[test]
    fn what_the_four_sides_show_decides_the_outcome() {
        let Some(Act::Send([(message, Outcome::Relayed)])) =
            CASES.iter().find(|case| case.sent == "own name, SHOP").map(|case| &case.act)
        else {
            panic!("a row with one relayed message");
        };
        let sequence = SequenceNumber(9);
        let octets = message.encode(sequence, b"").unwrap();
        let whole = octets.clone().freeze();
        let mut other = octets.clone();
        other[20] ^= 1;
        let other = other.freeze();
        let sent = Sent { message: *message, sequence, octets };
        let answer = |status| Bytes::copy_from_slice(&header_only(CommandId::SUBMIT_SM_RESP, status, sequence));
        let (yes, no) = (answer(CommandStatus::ESME_ROK), answer(CommandStatus::ESME_RTHROTTLED));
        assert_eq!(sent.outcome(Some(&yes), Some(&whole)), Outcome::Relayed);
        assert_eq!(sent.outcome(Some(&no), None), Outcome::Refused(CommandStatus::ESME_RTHROTTLED));
        for (answer, arrived) in [
            (Some(&yes), Some(&other)),
            (Some(&yes), None),
            (Some(&no), Some(&whole)),
            (None, Some(&whole)),
            (Some(&whole), Some(&whole)),
        ] {
            assert!(matches!(sent.outcome(answer, arrived), Outcome::Odd(_)), "{answer:?} {arrived:?}");
        }
    }
}
