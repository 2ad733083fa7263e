//! smppolicy: a transparent SMPP 3.4 proxy that enforces a messaging provider's acceptable use policy.
//!
//! It stands between SMPP clients (ESMEs) and a message centre (SMSC). Each ESME connection has one SMSC connection of
//! its own. Every PDU that carries text or a recipient towards a handset is judged; what passes goes up byte for byte,
//! what does not is answered with the SMPP status that fits, and the clause that decided is on record.
//!
//! # The rooms, in the order of their dependencies
//!
//! Each uses only those above it; only `config` and `policy` know types of each other.
//!
//! | module | what it is | what it never does |
//! |---|---|---|
//! | `hex` | octets as digits | know what they stand for |
//! | `disk` | files for their owner alone, whole and durable | know a format |
//! | [`pdu`] | SMPP on the wire: frames, borrowed views, statuses | I/O, policy |
//! | [`text`] | what a message says: character sets, headers, normalisation, links | judge, I/O |
//! | [`numbers`] | what a telephone number's digits tell | judge, know where a subscriber is |
//! | [`mod@reference`] | names of records and of relayed messages | tell anything about them |
//! | [`config`] | TOML to a checked value, or every fault with its place | start anything |
//! | [`policy`] | a message in, a verdict out: rules, limits, declared facts | I/O, read a clock |
//! | `explain` | what every rule says of a message that somebody describes | send it |
//! | [`audit`] | the record of refusals and acts, chained and signed, in a thread of its own | block or drop |
//! | [`ledger`] | the durable facts, on the disk and in indexes | judge a message |
//! | [`metrics`] | what can be counted, by name, and what it stands at | lock or allocate for a message that passes |
//! | `otlp` | spans on their way to a collector, with the feature of that name | make anything wait |
//! | [`simulator`] | an SMSC and an ESME for the demo and for load | judge |
//! | [`service`] | the process as what runs it sees it: handed sockets, signs of life, log, files that change | know SMPP |
//! | [`relay`] | sockets: listener, TLS, bind, session | decide about a message |
//! | [`replay`] | traffic of before, judged by other rules | I/O but for reading, a change of any file |
//! | [`admin`] | the operator's HTTP interface and console | judge, hold rules of the workflows |
//! | [`report`] | the public form of recipients | tell anybody what it knows |
//! | [`demo`] | what each clause accepts and refuses, shown over real sockets | leave anything behind |
//! | [`cli`] | one file per command | hold logic of its own |
//!
//! # The way of one submit_sm
//!
//! 1. `relay::listener` accepts the connection under the cap, reads a PROXY header, does TLS.
//! 2. `relay::bind` reads the bind, finds the account, binds to its SMSC, hands both connections to a session.
//! 3. `relay::session` reads what the socket has into one buffer, in which `relay::cut` finds frames where they lie.
//! 4. `relay::dialogue` asks [`policy::Policy::clear`] for each frame that carries text or a recipient. Its texts are read
//!    once, by `policy::inspection`, for all rules that are about them. All rules check; then what the message consumes
//!    is taken.
//! 5. A [`policy::Cleared`] frame stays where it is; neighbours leave in one write of the bytes they came in.
//! 6. A refused one is answered with a bare header; its record is in the audit's queue before the answer goes out. While
//!    the record cannot be written nothing is relayed, unless the operator has chosen so.
//! 7. What comes back from the SMSC passes byte for byte, but for the answer to a submit_multi that has lost destinations.
//!    What a subscriber asks for waits until the ledger has it on the disk.
//!
//! # Invariants
//!
//! 1. Nothing with text or a recipient reaches the SMSC that `Policy::clear` has not cleared: the buffer towards the
//!    SMSC advances by [`policy::Cleared`] only, which has no other maker for those operations.
//! 2. What is cleared leaves unchanged and in order. Two PDUs are ever rewritten on their way up: a bind with mapped
//!    credentials, and a submit_multi without its refused destinations. One is on its way down: the answer to the latter,
//!    which names them.
//! 3. No outcome is invented: an unanswered submit stays unanswered, a lost SMSC is shown as a lost link.
//! 4. Every buffer, table, queue and wait has a bound, and all that depend on load are in the configuration.
//! 5. Rules are pure: facts and time are handed in.
//! 6. What cannot be decoded cannot be judged, and is not relayed.
//! 7. No text and no subscriber's number in a log.
//! 8. No `unsafe`; no input from the network panics.
//!
//! Rules ask the ledger through [`policy::DurableFacts`]: indexes in memory that never wait. What is relayed is handed to
//! the journal once for each read burst.
//!
//! The path of a message that passes takes no lock, asks no shared map, and allocates nothing. Four kinds of messages do:
//! parts of multipart messages, of which a map remembers what has come; confirmations of an opt-out; what one person
//! writes to another, which may have to be taken back; and a submit_multi, whose answer is put together. What must not
//! come twice takes its turn, some dozens of instructions long, in one of the thousands of groups of the memory of what
//! was sent.

pub mod admin;
pub mod audit;
pub mod cli;
pub mod config;
pub mod demo;
mod disk;
mod explain;
mod hex;
pub mod ledger;
pub mod metrics;
pub mod numbers;
#[cfg(feature = "otlp")]
pub mod otlp;
pub mod pdu;
pub mod policy;
pub mod reference;
pub mod relay;
pub mod replay;
pub mod report;
pub mod service;
pub mod simulator;
pub mod text;
