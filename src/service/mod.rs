//! The process as what runs it sees it: sockets that it is handed, signs of life, the log, files that change.
//!
//! Works the same by hand, where nobody hands over sockets or listens to signs. Knows nothing of SMPP and decides nothing.

pub mod log;
pub mod notify;
pub mod sockets;
pub mod watch;
