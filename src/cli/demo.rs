//! `demo`: what each clause that is enforced accepts and refuses, over real sockets. Needs no configuration file.

use std::io::Write;

use super::{Exit, Failure, sim};
use crate::demo;

/// Runs the demo and prints its table; the answer is no if a row is not as expected.
pub(super) fn demo() -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let report = runtime.block_on(async {
        let stop = sim::stop_signal()?;
        tokio::select! {
            report = demo::run() => report.map_err(|fault| Failure::Environment(fault.to_string())),
            () = stop => Err(Failure::Environment("the demo was interrupted".to_owned())),
        }
    })?;
    write!(std::io::stdout(), "{report}")?;
    Ok(if report.is_as_expected() { Exit::Done } else { Exit::No })
}
