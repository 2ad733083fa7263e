//! Makes the tables of `numbers` out of its data files: the same files give the same tables.

mod automaton;
mod plans;
mod rules;
mod short;

use std::error::Error;
use std::path::Path;
use std::{env, fs};

/// Where the data files are, seen from the manifest.
const DATA: &str = "src/numbers/data";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=src/numbers/build");
    println!("cargo::rerun-if-changed={DATA}");
    let read = |name: &str| {
        let path = Path::new(DATA).join(name);
        fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let of = |name: &'static str| move |error: Box<dyn Error>| format!("{DATA}/{name}: {error}");
    let mut out = String::new();
    let places = plans::Places::read(&read("zones.txt")?, &read("zone_prefixes.txt")?, &read("area_codes.txt")?)?;
    let territories = plans::write(&read("plans.txt")?, places, &mut out).map_err(of("plans.txt"))?;
    short::write(&read("short_numbers.txt")?, &territories, &mut out).map_err(of("short_numbers.txt"))?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("numbers.rs"), out)?;
    Ok(())
}
