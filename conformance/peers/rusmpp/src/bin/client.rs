//! rusmppc as ESME: `client HOST PORT SCENARIO`; reports as `clients/report.py` tells.

use std::{collections::VecDeque, env, error::Error, future::Future, str::FromStr, time::Duration};

use futures::{Stream, StreamExt, future::join_all};
use rusmpp::{
    Pdu,
    pdus::{BindReceiver, BindTransceiver, BindTransmitter, DeliverSm, DeliverSmResp, SubmitSm},
    types::{COctetString, OctetString},
    values::{DataCoding, EsmClass, Npi, RegisteredDelivery, Ton},
};
use rusmppc::{Client, ConnectionBuilder, Event, error::Error as ClientError};
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::timeout};

type Seen = Result<Value, Box<dyn Error>>;

fn peer(name: &str) -> String {
    env::var(format!("PEER_{name}")).unwrap_or_else(|_| panic!("PEER_{name} is not set"))
}

fn wait() -> Duration {
    Duration::from_secs_f64(peer("WAIT").parse().expect("a number of seconds"))
}

async fn step(name: &str, work: impl Future<Output = Seen>) {
    let mut seen = work.await.unwrap_or_else(|error| json!({ "error": error.to_string() }));
    seen["step"] = name.into();
    println!("{seen}");
}

/// What the SMSC answered: rusmppc makes an error of every status but ESME_ROK.
fn status<T>(answer: &Result<T, ClientError>) -> Result<u32, Box<dyn Error>> {
    match answer {
        Ok(_) => Ok(0),
        Err(ClientError::UnexpectedResponse { response }) => Ok(response.status().into()),
        Err(error) => Err(error.to_string().into()),
    }
}

struct Esme {
    client: Client,
    incoming: mpsc::Receiver<DeliverSm>,
    passed_over: VecDeque<DeliverSm>,
}

impl Esme {
    async fn connect(host: &str, port: &str) -> Result<Self, Box<dyn Error>> {
        let (client, events) = ConnectionBuilder::new()
            .response_timeout(wait())
            // The SMSCs here speak 3.4, rusmppc says 5.0 in its bind and would insist on it.
            .disable_interface_version_check()
            .connect(format!("smpp://{host}:{port}"))
            .await?;
        let (delivered, incoming) = mpsc::channel(64);
        tokio::spawn(take_in(client.clone(), events, delivered));
        Ok(Self { client, incoming, passed_over: VecDeque::new() })
    }

    fn message(
        sender: &str,
        to: &str,
        octets: &[u8],
        esm_class: u8,
        data_coding: u8,
        registered: u8,
    ) -> Result<SubmitSm, Box<dyn Error>> {
        Ok(SubmitSm::builder()
            .source_addr_ton(Ton::Alphanumeric)
            .source_addr_npi(Npi::Unknown)
            .source_addr(COctetString::from_str(sender)?)
            .dest_addr_ton(Ton::International)
            .dest_addr_npi(Npi::Isdn)
            .destination_addr(COctetString::from_str(to)?)
            .esm_class(EsmClass::from(esm_class))
            .data_coding(DataCoding::from(data_coding))
            .registered_delivery(RegisteredDelivery::from(registered))
            .short_message(OctetString::from_slice(octets)?)
            .build())
    }

    async fn submit(&self, sender: &str, octets: &[u8], data_coding: u8, registered: u8) -> Seen {
        let answer =
            self.client.submit_sm(Self::message(sender, &peer("TO"), octets, 0, data_coding, registered)?).await;
        let message_id = answer.as_ref().ok().map(|answer| answer.message_id().as_str().to_owned());
        Ok(json!({ "status": status(&answer)?, "message_id": message_id }))
    }

    async fn offer(&self, to: &str) -> Seen {
        let offer = Self::message(&peer("OFFERER"), to, peer("OFFER").as_bytes(), 0, 0, 0)?;
        Ok(json!({ "status": status(&self.client.submit_sm(offer).await)? }))
    }

    async fn submit_all(&self, messages: Vec<SubmitSm>) -> Seen {
        let answers = join_all(messages.into_iter().map(|message| self.client.submit_sm(message))).await;
        let statuses = answers.iter().map(status).collect::<Result<Vec<_>, _>>()?;
        Ok(json!({ "statuses": statuses }))
    }

    /// The next deliver_sm that is a receipt, or the next that is a message.
    async fn deliver(&mut self, receipt: bool) -> Seen {
        let is_wanted = |pdu: &DeliverSm| (u8::from(pdu.esm_class) & 0x3C != 0) == receipt;
        let pdu = match self.passed_over.iter().position(is_wanted) {
            Some(at) => self.passed_over.remove(at),
            None => loop {
                let next = timeout(wait(), self.incoming.recv()).await?.ok_or("the link was closed")?;
                if is_wanted(&next) {
                    break Some(next);
                }
                self.passed_over.push_back(next);
            },
        };
        let pdu = pdu.ok_or("nothing delivered")?;
        let text = String::from_utf8_lossy(pdu.short_message().as_ref()).into_owned();
        Ok(json!({ "esm_class": u8::from(pdu.esm_class), "text": text }))
    }

    async fn bind(&self, mode: &str) -> Seen {
        let (id, password) = (COctetString::from_str(&peer("SYSTEM_ID"))?, COctetString::from_str(&peer("PASSWORD"))?);
        let status = match mode {
            "transmitter" => status(
                &self
                    .client
                    .bind_transmitter(BindTransmitter::builder().system_id(id).password(password).build())
                    .await,
            ),
            "receiver" => status(
                &self.client.bind_receiver(BindReceiver::builder().system_id(id).password(password).build()).await,
            ),
            _ => status(
                &self
                    .client
                    .bind_transceiver(BindTransceiver::builder().system_id(id).password(password).build())
                    .await,
            ),
        };
        Ok(json!({ "status": status? }))
    }

    async fn unbind(&self) -> Seen {
        let answer = status(&self.client.unbind().await)?;
        self.client.close().await.ok();
        Ok(json!({ "status": answer }))
    }
}

/// Acknowledges what the SMSC delivers and passes it on; ends with the connection.
async fn take_in(client: Client, mut events: impl Stream<Item = Event> + Unpin, delivered: mpsc::Sender<DeliverSm>) {
    while let Some(event) = events.next().await {
        match event {
            Event::Incoming(command) => {
                if let Some(Pdu::DeliverSm(pdu)) = command.pdu() {
                    client.deliver_sm_resp(command.sequence_number(), DeliverSmResp::default()).await.ok();
                    delivered.send(pdu.clone()).await.ok();
                }
            }
            event => eprintln!("{event:?}"),
        }
    }
}

/// `receiving` is None where one bind does both.
async fn receipt_and_mo(sending: &mut Esme, mut receiving: Option<&mut Esme>) {
    let (sender, text, call) = (peer("SENDER"), peer("TEXT"), peer("CALL"));
    step("submit", sending.submit(&sender, text.as_bytes(), 0, 1)).await;
    step("receipt", receiving.as_deref_mut().unwrap_or(sending).deliver(true)).await;
    step("mo", async {
        sending.submit(&sender, call.as_bytes(), 0, 0).await?;
        receiving.unwrap_or(sending).deliver(false).await
    })
    .await;
}

async fn long(esme: &Esme) -> Seen {
    let text = peer("LONG");
    let chunks: Vec<_> = text.as_bytes().chunks(153).collect();
    let part = |(at, chunk): (usize, &&[u8])| {
        let octets = [&[5, 0, 3, 7, chunks.len() as u8, at as u8 + 1], *chunk].concat();
        Esme::message(&peer("SENDER"), &peer("TO"), &octets, 0x40, 0, 0)
    };
    esme.submit_all(chunks.iter().enumerate().map(part).collect::<Result<_, _>>()?).await
}

async fn burst(esme: &Esme) -> Seen {
    let count: usize = peer("BURST").parse()?;
    let one = |number| Esme::message(&peer("BURSTER"), &peer("TO"), format!("burst {number:02}").as_bytes(), 0, 0, 0);
    esme.submit_all((1..=count).map(one).collect::<Result<_, _>>()?).await
}

async fn transceiver(mut esme: Esme) {
    let ucs2: Vec<u8> = peer("UCS2").encode_utf16().flat_map(u16::to_be_bytes).collect();
    step("bind", esme.bind("transceiver")).await;
    receipt_and_mo(&mut esme, None).await;
    step("long", long(&esme)).await;
    step("ucs2", esme.submit(&peer("SENDER"), &ucs2, 8, 0)).await;
    step("enquire_link", async { Ok(json!({ "status": status(&esme.client.enquire_link().await)? })) }).await;
    step("refused", esme.submit(&peer("STRANGER"), peer("TEXT").as_bytes(), 0, 0)).await;
    step("throttled", burst(&esme)).await;
    tokio::time::sleep(Duration::from_secs_f64(peer("PAUSE").parse().expect("a number of seconds"))).await;
    step("later", esme.submit(&peer("BURSTER"), b"burst late", 0, 0)).await;
    step("unbind", esme.unbind()).await;
}

async fn two_binds(mut sending: Esme, mut receiving: Esme) {
    step("bind_transmitter", sending.bind("transmitter")).await;
    step("bind_receiver", receiving.bind("receiver")).await;
    receipt_and_mo(&mut sending, Some(&mut receiving)).await;
    step("unbind_transmitter", sending.unbind()).await;
    step("unbind_receiver", receiving.unbind()).await;
}

async fn loss(esme: Esme) {
    step("bind", esme.bind("transceiver")).await;
    step("submit", esme.submit(&peer("SENDER"), peer("TEXT").as_bytes(), 0, 0)).await;
    lost(&esme).await;
}

async fn stop(mut esme: Esme) {
    step("bind", esme.bind("transceiver")).await;
    step("offer", esme.offer(&peer("TO"))).await;
    println!("{}", json!({ "step": "listening" }));
    step("heard_stop", esme.deliver(false)).await;
    step("opted_out", esme.offer(&peer("TO"))).await;
    step("other", esme.offer(&peer("OTHER"))).await;
    lost(&esme).await;
}

async fn start(mut esme: Esme) {
    step("bind_again", esme.bind("transceiver")).await;
    step("still_out", esme.offer(&peer("TO"))).await;
    println!("{}", json!({ "step": "listening" }));
    step("heard_start", esme.deliver(false)).await;
    step("opted_in", esme.offer(&peer("TO"))).await;
    step("unbind", esme.unbind()).await;
}

async fn lost(esme: &Esme) {
    println!("{}", json!({ "step": "up" }));
    step("lost", async {
        timeout(wait(), esme.client.closed()).await?;
        Ok(json!({ "closed": true }))
    })
    .await;
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [host, port, scenario] = arguments.as_slice() else {
        return Err("usage: client HOST PORT SCENARIO".into());
    };
    let connect = || Esme::connect(host, port);
    match scenario.as_str() {
        "transceiver" => transceiver(connect().await?).await,
        "two_binds" => two_binds(connect().await?, connect().await?).await,
        "loss" => loss(connect().await?).await,
        "stop" => stop(connect().await?).await,
        "start" => start(connect().await?).await,
        _ => return Err(format!("no scenario {scenario}").into()),
    }
    Ok(())
}
