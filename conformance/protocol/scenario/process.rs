//! The real program as a process of its own, killed and told to stop.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Mutex;

use smppolicy::pdu::CommandId;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::case::{Base, Case};
use crate::look::Looks;
use crate::pdu::{Pdu, header, show};
use crate::peer::{Event, PATIENCE, Peer};
use crate::{play, world};

/// Rounds of [`killed`].
const ROUNDS: usize = 10;
/// Submits in a round: more than are answered before the kill.
const SUBMITS: u32 = 20_000;
/// How many may be outstanding.
const WINDOW: u32 = 500;

/// A running program, killed when it is dropped.
struct Program {
    child: Child,
    /// Its standard output, which ends when it does.
    output: Option<BufReader<ChildStdout>>,
    address: String,
    _folder: TempDir,
}

impl Program {
    async fn start(smsc: &TcpListener) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(text)?;
        let case = Case::by_hand(Base::Ordinary, "window = 1000")?;
        let config = world::config(&case, smsc.local_addr().map_err(text)?)?.to_string();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, config).map_err(text)?;
        let started = tokio::task::spawn_blocking(move || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_smppolicy"));
            let command = command.args(["run", "--config"]).arg(path).current_dir(folder.path());
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(text)?;
            let mut line = String::new();
            let mut output = child.stdout.take().map(BufReader::new);
            output.as_mut().map_or(Ok(0), |output| output.read_line(&mut line)).map_err(text)?;
            let address = line.split_whitespace().find_map(|word| word.strip_prefix("listen="));
            match address.map(str::to_owned) {
                Some(address) => Ok(Self { child, output, address, _folder: folder }),
                None => Err(format!("the program says `{line}` instead of that it is ready")),
            }
        });
        started.await.map_err(text)?
    }

    /// Sends SIGTERM.
    fn terminate(&self) -> Result<(), String> {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().map_err(text)?;
        if sent.success() { Ok(()) } else { Err("kill -TERM failed".to_owned()) }
    }

    async fn exit(&mut self) -> Result<ExitStatus, String> {
        let output = self.output.take();
        let end = tokio::task::spawn_blocking(move || output.map(|mut output| output.read_to_end(&mut Vec::new())));
        let Ok(end) = timeout(PATIENCE, end).await else { return Err("the program does not end".to_owned()) };
        end.map_err(text)?.transpose().map_err(text)?;
        self.child.wait().map_err(text)
    }

    /// A transceiver bound through it.
    async fn bind(&self, smsc: &TcpListener) -> Result<(Peer, Peer), String> {
        let socket = TcpStream::connect(&self.address).await.map_err(text)?;
        let mut esme = Peer::new("D1".to_owned(), socket);
        let bind = Pdu::of(CommandId::BIND_TRANSCEIVER).write(1);
        esme.send(&bind, &[]).await?;
        let mut smsc = Peer::new("U1".to_owned(), smsc.accept().await.map_err(text)?.0);
        smsc.sees(&bind).await?;
        let answer = Pdu::of(CommandId::BIND_TRANSCEIVER_RESP).write(1);
        smsc.send(&answer, &[]).await?;
        esme.sees(&answer).await?;
        Ok((esme, smsc))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

/// What one round has seen.
#[derive(Default)]
struct Account {
    /// Answers that the SMSC is about to send, whole.
    answered: BTreeSet<Vec<u8>>,
    submitted: BTreeSet<u32>,
}

/// SIGKILL in the middle of the traffic, after a different number of answers in each round.
pub(super) async fn killed() -> Result<(), String> {
    for round in 0..ROUNDS {
        let smsc = TcpListener::bind("127.0.0.1:0").await.map_err(text)?;
        let mut program = Program::start(&smsc).await?;
        let (mut esme, mut upstream) = program.bind(&smsc).await?;
        let account = Mutex::new(Account::default());
        let after = 37 + round * 211;
        let (seen, ()) = tokio::try_join!(sends(&mut esme, after, &mut program), answers(&mut upstream, &account))?;
        let account = account.into_inner().map_err(text)?;
        if let Some(invented) = seen.iter().find(|answer| !account.answered.contains(*answer)) {
            return Err(format!("round {round}: the ESME got {}, which the SMSC did not send", show(invented)));
        }
        if seen.len() < after {
            return Err(format!("round {round}: only {} answers before the kill", seen.len()));
        }
    }
    Ok(())
}

/// Keeps the window full, kills the program after so many answers, and says what came until the end.
async fn sends(esme: &mut Peer, after: usize, program: &mut Program) -> Result<Vec<Vec<u8>>, String> {
    let (mut next, mut seen) = (2, Vec::new());
    loop {
        while next < SUBMITS && next < WINDOW + seen.len() as u32 {
            // Once it is killed, sending may fail; reading then says that it is over.
            let _sent = esme.send(&Pdu::of(CommandId::SUBMIT_SM).write(next), &[]).await;
            next += 1;
        }
        match esme.next().await {
            Ok(Event::Pdu(answer)) => seen.push(answer),
            // The end, be it within a PDU.
            Ok(Event::End) => return Ok(seen),
            Err(_) if seen.len() >= after => return Ok(seen),
            Err(fault) => return Err(fault),
        }
        if seen.len() == after {
            program.child.kill().map_err(text)?;
        }
    }
}

/// Answers every submit, and notes it first, until the connection ends.
async fn answers(upstream: &mut Peer, account: &Mutex<Account>) -> Result<(), String> {
    while let Ok(Event::Pdu(submit)) = upstream.next().await {
        let [_, id, _, sequence] = header(&submit);
        if CommandId(id) != CommandId::SUBMIT_SM {
            return Err(format!("the SMSC got {}", show(&submit)));
        }
        let answer = play::answer_to(&submit, None, 0);
        {
            let mut account = account.lock().map_err(text)?;
            if !account.submitted.insert(sequence) {
                return Err(format!("the SMSC got {} twice", show(&submit)));
            }
            account.answered.insert(answer.clone());
        }
        let _sent = upstream.send(&answer, &[]).await;
    }
    Ok(())
}

/// 50 outstanding, SIGTERM, 50 answers: they arrive, then both sides are unbound.
pub(super) async fn terminated() -> Result<(), String> {
    let smsc = TcpListener::bind("127.0.0.1:0").await.map_err(text)?;
    let mut program = Program::start(&smsc).await?;
    let (mut esme, mut upstream) = program.bind(&smsc).await?;
    let submits: Vec<_> = (2..52).map(|sequence| Pdu::of(CommandId::SUBMIT_SM).write(sequence)).collect();
    esme.send(&submits.concat(), &[]).await?;
    for submit in &submits {
        upstream.sees(submit).await?;
    }
    program.terminate()?;
    // From when nobody can connect any more, it is draining.
    let looks = Looks::within(PATIENCE);
    while TcpStream::connect(&program.address).await.is_ok() {
        looks.again().await.map_err(|_| "the program still listens after SIGTERM")?;
    }
    // What comes now is neither answered nor passed on.
    esme.send(&Pdu::of(CommandId::SUBMIT_SM).write(99), &[]).await?;
    let answers: Vec<_> = submits.iter().map(|submit| play::answer_to(submit, None, 0)).collect();
    upstream.send(&answers.concat(), &[]).await?;
    for answer in &answers {
        esme.sees(answer).await?;
    }
    for peer in [&mut esme, &mut upstream] {
        let unbind = peer.pdu().await?;
        let [_, id, _, sequence] = header(&unbind);
        if CommandId(id) != CommandId::UNBIND {
            return Err(format!("got {}, expected unbind", show(&unbind)));
        }
        peer.send(&Pdu::of(CommandId::UNBIND_RESP).write(sequence), &[]).await?;
    }
    upstream.closed().await?;
    esme.closed().await?;
    match program.exit().await?.code() {
        Some(0) => Ok(()),
        code => Err(format!("exit status {code:?}, expected 0")),
    }
}
