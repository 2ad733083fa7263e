//! The tables of the file, by name and key. Knows nothing of what is in a record.

use redb::TableDefinition;

pub(in super::super) type Records<K> = TableDefinition<'static, K, &'static [u8]>;
pub(in super::super) type Marks<K> = TableDefinition<'static, K, ()>;

/// Counters, and the schema's number.
pub(super) const COUNTERS: TableDefinition<'static, &str, u64> = TableDefinition::new("counters");
/// The ledger's time.
pub(super) const TIME: Records<&str> = Records::new("time");
/// By system_id.
pub(in super::super) const ACCOUNTS: Records<&str> = Records::new("accounts");
/// By system_id and number of the change.
pub(in super::super) const HISTORY: Records<(&str, u64)> = Records::new("history");
/// By system_id: up to where it has been refunded.
pub(in super::super) const REFUNDS: Records<&str> = Records::new("refunds");
/// By account and UTC day since 1970: how many recipients opted out by message.
pub(in super::super) const OPT_OUTS: TableDefinition<'static, (&str, i64), u64> =
    TableDefinition::new("opt_outs_by_day");
/// By system_id: how far the share of opt-outs has gone.
pub(in super::super) const OPT_OUT_LEVELS: Records<&str> = Records::new("opt_outs");
/// By system_id: how far complaints have gone.
pub(in super::super) const COMPLAINT_LEVELS: Records<&str> = Records::new("complaints");
pub(in super::super) const PROOFS: Records<u64> = Records::new("proofs");
pub(in super::super) const CASES: Records<u64> = Records::new("cases");
/// By the ledger's time at which something is due, kind of record and number.
pub(in super::super) const DUE: Marks<(i64, u8, u64)> = Marks::new("due");
/// By keyed hash of the number, and case.
pub(in super::super) const CASES_BY_NUMBER: Marks<(&str, u64)> = Marks::new("cases_by_number");
/// By account, time of opening and case: the keyed hash of the number, for cases that count against the account.
pub(in super::super) const CASES_BY_ACCOUNT: TableDefinition<'static, (&str, i64, u64), &str> =
    TableDefinition::new("cases_by_account");
/// By account and number of the event.
pub(in super::super) const OUTBOX: Records<(&str, u64)> = Records::new("outbox");
