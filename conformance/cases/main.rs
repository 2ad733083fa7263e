//! The cases of the usage policy's clauses: each is sent over real sockets, and asked of `explain`. What is to become of
//! it is in the case files beside this one.

mod before;
mod case;
mod encoding;
mod foretold;
mod known;
mod message;
mod play;
mod report;
mod stage;
#[path = "../../tests/support/mod.rs"]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "what fails there fails the run")]
mod support;
mod through;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use play::Play;
use report::Line;
use stage::Stage;

/// Batches that are played at once.
const AT_ONCE: usize = 2;
/// Plays of one configuration that share a proxy. Each takes a reference of its own, of which the shortest have 8 bits.
const BATCH: usize = 200;

/// Plays the cases of the usage policy over real sockets and through `explain`.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only cases whose file, name or way contains this.
    filter: Option<String>,
    /// Say what is shown, clause by clause, and play nothing.
    #[arg(long)]
    list: bool,
    /// Taken for the sake of `cargo test`; output is never captured.
    #[arg(long, hide = true)]
    nocapture: bool,
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
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/conformance/cases"));
    let cases: Vec<_> = case::load(folder)?.into_iter().map(Arc::new).collect();
    let rows = report::rows(folder, &cases)?;
    let mut plays = Vec::new();
    for case in &cases {
        plays.extend(Play::all(case.clone())?);
    }
    if arguments.list {
        report::list(&cases, &plays, &rows);
        return Ok(true);
    }
    if let Some(filter) = &arguments.filter {
        plays.retain(|play| play.label().contains(filter.as_str()));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let lines = runtime.map_err(|error| error.to_string())?.block_on(play_all(plays))?;
    Ok(report::print(&lines))
}

/// Plays of one configuration in which the same is known, in batches that share a proxy.
fn batches(plays: Vec<Play>) -> Vec<Vec<Play>> {
    let mut groups: BTreeMap<String, Vec<Vec<Play>>> = BTreeMap::new();
    for play in plays {
        let groups = groups.entry(play.case.config.to_string()).or_default();
        // What went before is a case's own.
        let shares = |other: &Play| other.case.before.is_empty() && other.case.known == play.case.known;
        match groups.iter_mut().filter(|_| play.case.before.is_empty()).find(|group| group.iter().any(shares)) {
            Some(group) => group.push(play),
            None => groups.push(vec![play]),
        }
    }
    groups
        .into_values()
        .flatten()
        .flat_map(|group| group.chunks(BATCH).map(<[Play]>::to_vec).collect::<Vec<_>>())
        .collect()
}

async fn play_all(plays: Vec<Play>) -> Result<Vec<Line>, String> {
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut playing = JoinSet::new();
    for batch in batches(plays) {
        let permits = permits.clone();
        playing.spawn(async move {
            // Nobody closes it.
            let _permit = permits.acquire_owned().await.ok();
            play_batch(batch).await
        });
    }
    let mut lines = Vec::new();
    while let Some(played) = playing.join_next().await {
        lines.extend(played.map_err(|error| format!("a case panicked: {error}"))??);
    }
    Ok(lines)
}

async fn play_batch(batch: Vec<Play>) -> Result<Vec<Line>, String> {
    let Some(first) = batch.first().map(|play| play.case.clone()) else { return Ok(Vec::new()) };
    let mut stage = Stage::set(&first).await?;
    let mut table = foretold::Table::lay(&first, stage.own_facts()).await?;
    let mut lines = Vec::new();
    for (number, play) in batch.iter().enumerate() {
        let reference = number as u16;
        let mut faults = Vec::new();
        // Asked first: what is sent changes what is known.
        faults.extend(table.play(play, reference).err());
        faults.extend(stage.play(number, play, reference).await.err());
        let is_in_a_way = play.way.is_some();
        lines.push(Line { case: play.case.clone(), label: play.label(), is_in_a_way, faults });
    }
    for (number, fault) in stage.strike().await {
        if let Some(line) = lines.get_mut(number) {
            line.faults.push(fault);
        }
    }
    Ok(lines)
}
