//! The protocol checks: a scripted ESME and a scripted SMSC, and between them the proxy, or whatever stands at
//! `--target`. What is checked is in the case files beside this one; it judges nothing by the proxy's own parsers.

mod case;
#[path = "../../tests/support/look.rs"]
mod look;
mod pdu;
mod peer;
mod play;
mod report;
mod scenario;
mod world;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use case::{Base, Case, Rows};
use report::{Line, Outcome};
use scenario::Scenario;
use world::{Target, World};

/// Cases that are played at once.
const AT_ONCE: usize = 8;

/// Plays the SMPP protocol checks over real sockets and reports row by row.
///
/// Without --target the proxy runs in this process, configured for each case.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only rows or cases whose id is this, or whose title contains it.
    filter: Option<String>,
    /// Only this row or case; may be given several times.
    #[arg(long, value_name = "ROW")]
    only: Vec<String>,
    /// Say what is checked, and what is not and why; with --target, what can be played there.
    #[arg(long)]
    list: bool,
    /// Play against this SMSC, or against this proxy in front of one.
    #[arg(long, value_name = "HOST:PORT")]
    target: Option<String>,
    /// Be the SMSC of the proxy at the target, at this address.
    #[arg(long, value_name = "ADDRESS", requires = "target")]
    upstream_listen: Option<String>,
    /// The target's account is the ordinary one, with every rule enforced; without this, no rule runs there.
    #[arg(long, requires = "target")]
    rules: bool,
    /// Who binds at the target.
    #[arg(long, default_value = "shop")]
    system_id: String,
    /// Its password.
    #[arg(long, default_value = "secret")]
    password: String,
    /// Seconds that the target may take over what should happen at once.
    #[arg(long, value_name = "SECONDS", requires = "target", default_value_t = peer::PATIENCE.as_secs())]
    patience: u64,
    /// Taken for the sake of `cargo test`; output is never captured.
    #[arg(long, hide = true)]
    nocapture: bool,
}

/// Something to play.
enum Check {
    Case(Box<Case>),
    Scenario(Scenario),
}

impl Check {
    fn id(&self) -> &str {
        match self {
            Self::Case(case) => &case.id,
            Self::Scenario(scenario) => scenario.id,
        }
    }

    fn title(&self) -> &str {
        match self {
            Self::Case(case) => &case.title,
            Self::Scenario(scenario) => scenario.title,
        }
    }

    fn is_wanted(&self, arguments: &Arguments) -> bool {
        let named = |name: &String| self.id() == name || case::row(self.id()) == name;
        (arguments.only.is_empty() || arguments.only.iter().any(named))
            && arguments.filter.as_ref().is_none_or(|filter| named(filter) || self.title().contains(filter.as_str()))
    }

    async fn play(self, target: Option<Target>) -> Line {
        let (id, title) = (self.id().to_owned(), self.title().to_owned());
        if let Some(why) = target.as_ref().and_then(|target| self.not_applicable(target)) {
            return Line { id, title, outcome: Outcome::NotApplicable(why) };
        }
        let played = match (self, target) {
            (Self::Scenario(scenario), _) => (scenario.play)().await,
            (Self::Case(case), Some(target)) => play::play(&case, World::of(&target)).await,
            (Self::Case(case), None) => match World::start(&case).await {
                Ok(world) => play::play(&case, world).await,
                Err(fault) => Err(fault),
            },
        };
        Line { id, title, outcome: played.map_or_else(Outcome::Failed, |()| Outcome::Passed) }
    }

    fn not_applicable(&self, target: &Target) -> Option<&'static str> {
        match self {
            Self::Case(case) => not_applicable(case, target),
            Self::Scenario(_) => Some("it starts a proxy of its own"),
        }
    }
}

fn not_applicable(case: &Case, target: &Target) -> Option<&'static str> {
    if case.has_overrides() {
        Some("it needs a configuration of its own")
    } else if case.needs_smsc() && target.upstream.is_none() {
        Some("it needs the scripted SMSC")
    } else if case.promise && target.upstream.is_none() {
        Some("the proxy promises it, not SMPP 3.4")
    } else if case.base == (if target.rules { Base::Everything } else { Base::Ordinary }) {
        Some("it needs the other account: see --rules")
    } else {
        None
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool, String> {
    let (cases, rows) = case::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/conformance/protocol")))?;
    let cases = cases.into_iter().map(|case| Check::Case(Box::new(case)));
    let checks: Vec<_> = cases.chain(scenario::ALL.into_iter().map(Check::Scenario)).collect();
    let complete = every_row_is_there(&checks, &rows);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let target = runtime.block_on(target(arguments))?;
    let mut wanted: Vec<_> = checks.into_iter().filter(|check| check.is_wanted(arguments)).collect();
    if arguments.list {
        wanted.retain(|check| target.as_ref().is_none_or(|target| check.not_applicable(target).is_none()));
        list(&wanted, &rows);
        return Ok(true);
    }
    let mut lines = runtime.block_on(play_all(wanted, target))?;
    if arguments.only.is_empty() && arguments.filter.is_none() {
        let (id, title) = ("rows".to_owned(), "every row is in a case, or listed with its reason".to_owned());
        lines.push(Line { id, title, outcome: complete.map_or_else(Outcome::Failed, |()| Outcome::Passed) });
    }
    Ok(report::print(lines))
}

async fn target(arguments: &Arguments) -> Result<Option<Target>, String> {
    let Some(address) = &arguments.target else { return Ok(None) };
    Ok(Some(Target {
        address: address.clone(),
        upstream: listen(arguments.upstream_listen.as_deref()).await?,
        rules: arguments.rules,
        system_id: arguments.system_id.clone(),
        password: arguments.password.clone(),
        patience: Duration::from_secs(arguments.patience),
    }))
}

async fn play_all(checks: Vec<Check>, target: Option<Target>) -> Result<Vec<Line>, String> {
    // One target has one upstream: connections to it must be of one case.
    let permits = Arc::new(Semaphore::new(if target.is_some() { 1 } else { AT_ONCE }));
    let mut playing = JoinSet::new();
    for check in checks {
        let (permits, target) = (permits.clone(), target.clone());
        playing.spawn(async move {
            // Nobody closes it.
            let _permit = permits.acquire_owned().await.ok();
            check.play(target).await
        });
    }
    let mut lines = Vec::new();
    while let Some(line) = playing.join_next().await {
        lines.push(line.map_err(|error| format!("a case panicked: {error}"))?);
    }
    Ok(lines)
}

async fn listen(address: Option<&str>) -> Result<Option<Arc<TcpListener>>, String> {
    let Some(address) = address else { return Ok(None) };
    let listener = TcpListener::bind(address).await;
    listener.map(|listener| Some(Arc::new(listener))).map_err(|error| format!("cannot listen on {address}: {error}"))
}

/// Every row is played, or listed as not followed; and nothing is that is no row.
fn every_row_is_there(checks: &[Check], rows: &Rows) -> Result<(), String> {
    let all = rows.groups.iter().flat_map(|(group, rows)| rows.rows.iter().map(move |row| format!("{group}{row}")));
    let all: Vec<String> = all.collect();
    let listed = || rows.not_followed.iter().map(|listed| listed.row.as_str());
    let played = || checks.iter().map(|check| case::row(check.id()));
    let mut faults = Vec::new();
    faults.extend(
        all.iter()
            .filter(|row| !played().chain(listed()).any(|there| there == *row))
            .map(|row| format!("the row {row} is in no case and not in not-followed.toml")),
    );
    faults.extend(
        played()
            .chain(listed())
            .filter(|row| !all.iter().any(|known| known == row))
            .map(|row| format!("{row} is no row")),
    );
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

fn list(checks: &[Check], rows: &Rows) {
    let mut checks: Vec<_> = checks.iter().collect();
    checks.sort_by_key(|check| report::key(check.id()));
    for (group, about) in &rows.groups {
        println!("{group}. {}", about.title);
        for check in checks.iter().filter(|check| check.id().starts_with(group)) {
            println!("  {:<5} {}", check.id(), check.title());
        }
        for listed in rows.not_followed.iter().filter(|listed| listed.row.starts_with(group)) {
            println!("  {:<5} not as written: {}\n        {}", listed.row, listed.asks, listed.because);
        }
    }
}
