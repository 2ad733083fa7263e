//! rusmpp as SMSC: prints `ready PORT`, then one JSON line per submit_sm; each JSON line on stdin is a message of a
//! handset to deliver.
//! What each SMSC here does is told in `../../../README.md`.

use std::{
    collections::HashSet,
    env,
    error::Error,
    str::FromStr,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures::{SinkExt, StreamExt};
use rusmpp::{
    Command, CommandId, CommandStatus, Pdu,
    pdus::{BindReceiverResp, BindTransceiverResp, BindTransmitterResp, DeliverSm, SubmitSm, SubmitSmResp},
    tlvs::MessageDeliveryRequestTlvValue,
    tokio_codec::CommandCodec,
    types::{COctetString, OctetString},
    values::{EsmClass, MessageState, Npi, Ton},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_util::codec::Framed;

#[derive(Clone)]
struct Session {
    system_id: String,
    mode: CommandId,
    outgoing: mpsc::Sender<DeliverSm>,
}

/// What all connections share.
#[derive(Default)]
struct Smsc {
    sessions: Mutex<Vec<Session>>,
    throttled: Mutex<HashSet<String>>,
    messages: AtomicU32,
}

impl Smsc {
    /// A receipt or message goes out on any session of that system_id that may receive.
    fn receiver(&self, session: &Session) -> Option<Session> {
        if session.mode != CommandId::BindTransmitter {
            return Some(session.clone());
        }
        let sessions = self.sessions.lock().expect("no thread panicked");
        let fits = |other: &&Session| {
            other.system_id == session.system_id
                && other.mode != CommandId::BindTransmitter
                && !other.outgoing.is_closed()
        };
        sessions.iter().find(fits).cloned()
    }

    /// What a handset writes goes out on any session that may receive.
    async fn handset_wrote(&self, said: &Value) -> Result<(), Box<dyn Error + Send + Sync>> {
        let field = |name: &str| said[name].as_str().unwrap_or_default();
        let pdu = DeliverSm::builder()
            .source_addr_ton(Ton::International)
            .source_addr_npi(Npi::Isdn)
            .source_addr(COctetString::from_str(field("source"))?)
            .dest_addr_ton(Ton::Alphanumeric)
            .dest_addr_npi(Npi::Unknown)
            .destination_addr(COctetString::from_str(field("destination"))?)
            // rusmpp's default is 0x08, a delivery acknowledgement.
            .esm_class(EsmClass::from(0))
            .short_message(OctetString::from_str(field("text"))?)
            .build();
        let receives = |session: &&Session| session.mode != CommandId::BindTransmitter && !session.outgoing.is_closed();
        let receiver = self.sessions.lock().expect("no thread panicked").iter().find(receives).cloned();
        Ok(receiver.ok_or("nobody receives")?.outgoing.send(pdu).await?)
    }

    fn status(&self, pdu: &SubmitSm, text: &str) -> CommandStatus {
        if pdu.source_addr.as_str() == peer("STRANGER") {
            return CommandStatus::EsmeRinvsrcadr;
        }
        let number = text.strip_prefix("burst ").and_then(|number| number.parse::<u32>().ok());
        let over = number.is_some_and(|number| number > 5);
        if over && self.throttled.lock().expect("no thread panicked").insert(text.to_owned()) {
            return CommandStatus::EsmeRthrottled;
        }
        CommandStatus::EsmeRok
    }

    /// The answer to a submit_sm, and what goes back to the sender for it.
    fn submitted(
        &self,
        pdu: &SubmitSm,
    ) -> Result<(CommandStatus, SubmitSmResp, Vec<DeliverSm>), Box<dyn Error + Send + Sync>> {
        // rusmpp gives the octets; header and alphabet are the application's.
        let octets = pdu.short_message().as_ref();
        let length = octets.first().filter(|_| u8::from(pdu.esm_class) & 0x40 != 0);
        let header = length.map_or(0, |length| 1 + usize::from(*length)).min(octets.len());
        let (udh, body) = octets.split_at(header);
        let text = match u8::from(pdu.data_coding) {
            8 => String::from_utf16_lossy(
                &body.chunks_exact(2).map(|unit| u16::from_be_bytes([unit[0], unit[1]])).collect::<Vec<_>>(),
            ),
            _ => String::from_utf8_lossy(body).into_owned(),
        };
        let status = self.status(pdu, &text);
        let hex: String = udh.iter().map(|octet| format!("{octet:02x}")).collect();
        println!(
            "{}",
            json!({
                "event": "submit", "source": pdu.source_addr.as_str(), "destination": pdu.destination_addr.as_str(),
                "data_coding": u8::from(pdu.data_coding), "udh": (!hex.is_empty()).then_some(hex),
                "text": text, "status": u32::from(status),
            })
        );
        if status != CommandStatus::EsmeRok {
            return Ok((status, SubmitSmResp::default(), Vec::new()));
        }
        let id = format!("r-{:06x}", self.messages.fetch_add(1, Ordering::Relaxed) + 1);
        let back = || {
            DeliverSm::builder()
                .source_addr_ton(pdu.dest_addr_ton)
                .source_addr_npi(pdu.dest_addr_npi)
                .source_addr(pdu.destination_addr.clone())
                .dest_addr_ton(pdu.source_addr_ton)
                .dest_addr_npi(pdu.source_addr_npi)
                .destination_addr(pdu.source_addr.clone())
                // rusmpp's default is 0x08, a delivery acknowledgement.
                .esm_class(EsmClass::from(0))
        };
        let mut delivered = Vec::new();
        if u8::from(pdu.registered_delivery) & 1 == 1 {
            let receipt = format!(
                "id:{id} sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:DELIVRD err:000 text:"
            );
            delivered.push(
                back()
                    .esm_class(EsmClass::from(0x04))
                    .short_message(OctetString::from_str(&receipt)?)
                    .push_tlv(MessageDeliveryRequestTlvValue::ReceiptedMessageId(COctetString::from_str(&id)?))
                    .push_tlv(MessageDeliveryRequestTlvValue::MessageState(MessageState::Delivered))
                    .build(),
            );
        }
        if text == peer("CALL") {
            delivered.push(back().short_message(OctetString::from_str(&peer("MO"))?).build());
        }
        Ok((status, SubmitSmResp::builder().message_id(COctetString::from_str(&id)?).build(), delivered))
    }
}

fn peer(name: &str) -> String {
    env::var(format!("PEER_{name}")).unwrap_or_else(|_| panic!("PEER_{name} is not set"))
}

fn bound(command: &Command) -> Option<(String, Pdu)> {
    let own = || COctetString::from_str("rusmpp-smsc").expect("15 octets at most");
    Some(match command.pdu()? {
        Pdu::BindTransmitter(bind) => {
            (bind.system_id.as_str().to_owned(), BindTransmitterResp::builder().system_id(own()).build().into())
        }
        Pdu::BindReceiver(bind) => {
            (bind.system_id.as_str().to_owned(), BindReceiverResp::builder().system_id(own()).build().into())
        }
        Pdu::BindTransceiver(bind) => {
            (bind.system_id.as_str().to_owned(), BindTransceiverResp::builder().system_id(own()).build().into())
        }
        _ => return None,
    })
}

async fn serve(smsc: &Smsc, stream: TcpStream) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut framed = Framed::new(stream, CommandCodec::new());
    let (outgoing, mut deliveries) = mpsc::channel(64);
    let mut session = Session { system_id: String::new(), mode: CommandId::BindTransceiver, outgoing };
    let mut sequence = 0;
    loop {
        let command = tokio::select! {
            Some(pdu) = deliveries.recv() => {
                sequence += 1;
                framed.send(Command::new(CommandStatus::EsmeRok, sequence, pdu)).await?;
                continue;
            }
            next = framed.next() => match next {
                Some(command) => command?,
                None => return Ok(()),
            },
        };
        let number = command.sequence_number();
        if let Some((system_id, answer)) = bound(&command) {
            session = Session { system_id, mode: command.id(), ..session };
            smsc.sessions.lock().expect("no thread panicked").push(session.clone());
            framed.send(Command::new(CommandStatus::EsmeRok, number, answer)).await?;
            continue;
        }
        match command.pdu() {
            Some(Pdu::SubmitSm(pdu)) => {
                let (status, answer, delivered) = smsc.submitted(pdu)?;
                framed.send(Command::new(status, number, answer)).await?;
                if let Some(receiver) = smsc.receiver(&session) {
                    for pdu in delivered {
                        // Not before the answer is dealt with: on another bind it could overtake it.
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        receiver.outgoing.send(pdu).await?;
                    }
                }
            }
            Some(Pdu::EnquireLink) => {
                framed.send(Command::new(CommandStatus::EsmeRok, number, Pdu::EnquireLinkResp)).await?
            }
            Some(Pdu::Unbind) => {
                framed.send(Command::new(CommandStatus::EsmeRok, number, Pdu::UnbindResp)).await?;
                return Ok(());
            }
            _ => {}
        }
    }
}

async fn listen_to_handset(smsc: &Smsc) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        smsc.handset_wrote(&serde_json::from_str(&line)?).await?;
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("ready {}", listener.local_addr()?.port());
    let smsc: &'static Smsc = Box::leak(Box::default());
    tokio::spawn(async {
        if let Err(error) = listen_to_handset(smsc).await {
            eprintln!("{error}");
        }
    });
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            if let Err(error) = serve(smsc, stream).await {
                eprintln!("{error}");
            }
        });
    }
}
