//! The tables that the build script makes out of `data/`.

use super::automaton::Automaton;
use super::short::{Emergency, Short};
use super::{Kind, Known, Place, State, Territory, Zones};

include!(concat!(env!("OUT_DIR"), "/numbers.rs"));
