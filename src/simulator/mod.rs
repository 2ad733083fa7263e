//! An SMSC and an ESME, for the demo and for load tests: as commands (`smppolicy sim smsc`, `smppolicy sim esme`) and in
//! process.
//!
//! They speak SMPP 3.4 well enough to measure with: fast, bounded, and the same again with the same seed. They decide
//! nothing by a policy, keep nothing on disk, and are no model of a mobile network.

pub mod esme;
mod link;
mod random;
pub mod smsc;
