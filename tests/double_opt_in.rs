//! Consents that count once the recipient has said yes: an invitation, the answer by message, and what it changes.

#![cfg(test)]

mod support;

use bytes::BytesMut;
use smppolicy::config::Purpose;
use smppolicy::ledger::permissions::{Consent, DoubleOptIn};
use smppolicy::pdu::{CommandId, CommandStatus, DeliverSm, SequenceNumber, SubmitSm};
use smppolicy::policy::Msisdn;
use support::*;

const ACCOUNT: &str = "[policy.repetition]\nsame_within = '0s'\nsimilar_within = '0s'\n\
                       [[account]]\nsystem_id = 'shop'\ncountry = 'BE'\nbrands = ['Shop']\ndouble_opt_in = true\n\
                       default_purpose = 'transactional'\n\
                       sender = [{ id = 'SHOP' }, { id = '8850' }, { id = '8860' }, { id = 'Other' }]\n\
                       [[account.campaign]]\nname = 'offers'\npurpose = 'marketing'\nservice_type = 'OFFER'\n";
const NONE: CommandStatus = CommandStatus::ESME_RINVDSTADR;
const OK: CommandStatus = CommandStatus::ESME_ROK;

/// The proxy with one bind of `shop`, both sides of which are played here.
struct Play {
    proxy: Proxy,
    esme: Link,
    smsc: Link,
    sequence: u32,
}

impl Play {
    async fn begin(listener: &Smsc, fragment: &str) -> Self {
        let proxy = Proxy::start(listener.address(), fragment).await;
        let (esme, smsc) = bound(&proxy, listener, "shop").await;
        Self { proxy, esme, smsc, sequence: 0 }
    }

    /// The same after a restart.
    async fn again(self, listener: &Smsc, fragment: &str) -> Self {
        drop((self.esme, self.smsc));
        let proxy = Proxy::start_in(self.proxy.drain().await, listener.address(), fragment).await;
        let (esme, smsc) = bound(&proxy, listener, "shop").await;
        Self { proxy, esme, smsc, sequence: 0 }
    }

    async fn end(self) {
        self.proxy.stop_with([self.esme, self.smsc]).await;
    }

    /// Takes down a consent of this number to this sender, as of a minute ago.
    async fn grant(&self, msisdn: &str, to: &str) {
        let now = jiff::Timestamp::now().as_millisecond();
        let consent = Consent {
            number: Msisdn::parse(msisdn).unwrap(),
            account: "shop".into(),
            sender: to.into(),
            purpose: Purpose::Marketing,
            method: "web form".into(),
            at: now - 60_000,
            wording: "Yes, send me offers by SMS".into(),
            source: "shop.example/newsletter".into(),
            evidence: None,
            expires: None,
            address: None,
            double_opt_in: DoubleOptIn::NotAsked,
        };
        self.proxy.relay.ledger().permissions().consents().grant(consent, now).await.unwrap();
    }

    /// Sends a message, which the SMSC accepts if it gets it.
    async fn send(&mut self, from: &str, to: &str, service_type: &[u8]) -> CommandStatus {
        self.sequence += 1;
        let source = if from.starts_with('8') { number(from) } else { sender(from) };
        let message = SubmitSm { source, destination: number(to), service_type, ..submit_defaults() };
        let message = submit_with(self.sequence, message, &[]);
        self.esme.send(&message).await;
        let up = async {
            let up = self.smsc.receive().await;
            self.smsc.send(&accepted(&up)).await;
        };
        let answer = async { frame(&self.esme.receive().await).command_status() };
        tokio::pin!(up, answer);
        tokio::select! {
            status = &mut answer => status,
            () = &mut up => answer.await,
        }
    }

    /// The status of an offer.
    async fn offer(&mut self, from: &str, to: &str) -> CommandStatus {
        self.send(from, to, b"OFFER").await
    }

    /// Invites a number, which the SMSC accepts.
    async fn invite(&mut self, to: &str) {
        assert_eq!(self.send("8850", to, b"").await, OK);
    }

    /// Invites a number in vain.
    async fn invite_refused(&mut self, to: &str) {
        self.sequence += 1;
        let message = SubmitSm { source: number("8850"), destination: number(to), ..submit_defaults() };
        self.esme.send(&submit_with(self.sequence, message, &[])).await;
        self.smsc.receive().await;
        let refusal = pdu(CommandId::SUBMIT_SM.response(), CommandStatus::ESME_RTHROTTLED, self.sequence, b"");
        self.smsc.send(&refusal).await;
        assert_eq!(self.esme.receive().await, refusal);
    }

    /// The recipient writes this, which reaches the ESME as it is.
    async fn writes(&mut self, from: &str, to: &str, text: &str) {
        let mo = self.mo(from, to, text);
        self.smsc.send(&mo).await;
        assert_eq!(self.esme.receive().await, mo);
        let answer = pdu(CommandId::DELIVER_SM.response(), OK, self.sequence, b"\0");
        self.esme.send(&answer).await;
        assert_eq!(self.smsc.receive().await, answer);
    }

    fn mo(&mut self, from: &str, to: &str, text: &str) -> Vec<u8> {
        self.sequence += 1;
        let (source, destination) = (number(from), number(to));
        let message = DeliverSm { source, destination, short_message: text.as_bytes(), ..DeliverSm::default() };
        let mut pdu = BytesMut::new();
        message.encode(SequenceNumber(self.sequence), &mut pdu).unwrap();
        pdu.to_vec()
    }
}

#[tokio::test]
async fn a_yes_after_an_invitation_makes_a_consent_count() {
    let listener = Smsc::listen().await;
    let mut play = Play::begin(&listener, ACCOUNT).await;
    let ann = "32470123456";
    // An earlier message is no invitation.
    play.invite(ann).await;
    play.grant(ann, "Shop").await;
    assert_eq!(play.offer("8850", ann).await, NONE, "it is pending");
    play.writes(ann, "8850", "YES").await;
    assert_eq!(play.offer("8850", ann).await, NONE, "nobody has invited them");
    play.invite_refused(ann).await;
    play.writes(ann, "8850", "YES").await;
    assert_eq!(play.offer("8850", ann).await, NONE, "the SMSC has taken no invitation");
    play.invite(ann).await;
    for (to, text) in [("8860", "NO"), ("8850", "yes to what?"), ("8850", "START"), ("8850", "what is this?")] {
        play.writes(ann, to, text).await;
        assert_eq!(play.offer("8850", ann).await, NONE, "{text}");
    }
    // What was relayed and what is pending is still known after a restart.
    let mut play = play.again(&listener, ACCOUNT).await;
    play.writes("32470123457", "8850", "Yes").await;
    assert_eq!(play.offer("8850", ann).await, NONE, "another's yes");
    play.writes(ann, "8850", "Yes!").await;
    assert_eq!(play.offer("8850", ann).await, OK);
    assert_eq!(play.offer("SHOP", ann).await, OK, "it is to the brand");
    assert_eq!(play.offer("Other", ann).await, NONE);
    // It is durable, and a consent as any other.
    let mut play = play.again(&listener, ACCOUNT).await;
    assert_eq!(play.offer("8850", ann).await, OK);
    play.writes(ann, "8850", "STOP").await;
    assert_eq!(play.offer("8850", ann).await, NONE);
    play.writes(ann, "8850", "YES").await;
    assert_eq!(play.offer("8850", ann).await, NONE, "a yes ends no opt-out");
    play.writes(ann, "8850", "START").await;
    assert_eq!(play.offer("8850", ann).await, OK);
    play.end().await;
}

#[tokio::test]
async fn a_yes_is_to_the_senders_that_its_address_stands_for() {
    let listener = Smsc::listen().await;
    let mut play = Play::begin(&listener, ACCOUNT).await;
    for (count, (to, address, text, expected)) in [
        ("Other", "8850", "YES", NONE),
        ("*", "8850", "YES", OK),
        ("*", "7700", "YES", OK),
        ("Other", "7700", "YES", NONE),
    ]
    .into_iter()
    .enumerate()
    {
        let recipient = format!("3247000000{count}");
        play.grant(&recipient, to).await;
        play.invite(&recipient).await;
        play.writes(&recipient, address, text).await;
        assert_eq!(play.offer("Other", &recipient).await, expected, "{text} to {address}, of {to}");
    }
    play.end().await;
}

#[tokio::test]
async fn an_account_that_does_not_ask_twice_needs_no_yes() {
    let listener = Smsc::listen().await;
    let once = ACCOUNT.replace("double_opt_in = true", "double_opt_in = false");
    let mut play = Play::begin(&listener, &once).await;
    play.grant("32470000001", "*").await;
    assert_eq!(play.offer("8850", "32470000001").await, OK);
    // A reload changes it for what is taken down from then on.
    play.proxy.reload(ACCOUNT);
    play.grant("32470000002", "*").await;
    assert_eq!(play.offer("8850", "32470000001").await, OK);
    assert_eq!(play.offer("8850", "32470000002").await, NONE);
    play.end().await;
}

#[tokio::test]
async fn a_yes_that_cannot_be_kept_is_to_be_sent_again() {
    let listener = Smsc::listen().await;
    let mut play = Play::begin(&listener, ACCOUNT).await;
    play.grant("32470000001", "*").await;
    play.invite("32470000001").await;
    let ledger = play.proxy.relay.ledger();
    tokio::task::spawn_blocking(move || ledger.permissions().close()).await.unwrap();
    let yes = play.mo("32470000001", "8850", "YES");
    let refused = play.sequence;
    // With nothing pending there is nothing to keep.
    let other = play.mo("32470000002", "8850", "YES");
    play.smsc.send(&[yes, other.clone()].concat()).await;
    let refusal = pdu(CommandId::DELIVER_SM.response(), CommandStatus::ESME_RX_T_APPN, refused, b"");
    assert_eq!(play.smsc.receive().await, refusal);
    assert_eq!(play.esme.receive().await, other, "the one that was refused is not seen");
    play.end().await;
}
