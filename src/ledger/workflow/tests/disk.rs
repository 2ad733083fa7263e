//! The store: bad disks, other processes and other versions.

use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::{Database, StorageBackend, backends::FileBackend};

use super::*;

static DISK_IS_FULL: AtomicBool = AtomicBool::new(false);

/// A disk without room while [`DISK_IS_FULL`] is set.
#[derive(Debug)]
struct FillableDisk(FileBackend);

impl FillableDisk {
    fn room() -> std::io::Result<()> {
        match DISK_IS_FULL.load(Ordering::SeqCst) {
            true => Err(std::io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }
}

impl StorageBackend for FillableDisk {
    fn len(&self) -> std::io::Result<u64> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.0.read(offset, out)
    }
    fn set_len(&self, len: u64) -> std::io::Result<()> {
        Self::room().and_then(|()| self.0.set_len(len))
    }
    fn sync_data(&self) -> std::io::Result<()> {
        Self::room().and_then(|()| self.0.sync_data())
    }
    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        Self::room().and_then(|()| self.0.write(offset, data))
    }
    fn close(&self) -> std::io::Result<()> {
        self.0.close()
    }
}

fn open_fillable(path: &Path) -> Result<Database, redb::Error> {
    let file = fs::OpenOptions::new().read(true).write(true).open(path)?;
    Ok(redb::Builder::new().create_with_backend(FillableDisk(FileBackend::new(file)?))?)
}

#[test]
fn on_a_full_disk_a_command_fails_nothing_changes_and_room_cures_it() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = Workflow::open_with(folder.path(), key(folder.path()), BOUNDS, open_fillable).unwrap();
    let act = |command| workflow.command(at(0), "shop", &command, &operator(), "because");
    act(Command::Hold).unwrap();
    assert_eq!(workflow.health(), None);
    DISK_IS_FULL.store(true, Ordering::SeqCst);
    let mut failing = None;
    for _ in 0..2 {
        let fault = act(Command::Block).unwrap_err();
        assert!(matches!(fault, WorkflowFault::Ledger(LedgerFault::File { .. })), "{fault}");
        assert_eq!(workflow.standings().of("shop"), AccountState::Held);
        let failure = workflow.health().unwrap();
        assert_eq!(failing.get_or_insert_with(|| failure.clone()), &failure, "the first one is told of");
    }
    DISK_IS_FULL.store(false, Ordering::SeqCst);
    assert_eq!(workflow.standing_change("shop").unwrap().unwrap().standing, AccountState::Held);
    assert_eq!(workflow.health(), None, "it was opened again");
    assert_eq!(events(&workflow), [EventKind::AccountHeld]);
    act(Command::Block).unwrap();
    assert_eq!(workflow.standings().of("shop"), AccountState::Blocked);
    assert_eq!(workflow.history("shop", None, 9).unwrap().len(), 2);
}

#[test]
fn a_second_process_a_later_format_and_a_damaged_file_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("workflow.redb");
    let workflow = open(folder.path());
    for account in 0..200 {
        workflow.command(at(0), &format!("shop-{account}"), &Command::Hold, &operator(), "because").unwrap();
    }
    let again = || Workflow::open(folder.path(), key(folder.path()), BOUNDS).map(drop);
    assert!(matches!(again(), Err(LedgerFault::InUse { .. })));
    drop(workflow);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let sound = fs::read(&path).unwrap();
    let mut refusals = 0;
    for at in (0..sound.len()).step_by(sound.len() / 61) {
        let mut bytes = sound.clone();
        bytes[at..(at + 64).min(sound.len())].iter_mut().for_each(|octet| *octet = !*octet);
        fs::write(&path, &bytes).unwrap();
        match again() {
            Ok(()) => {}
            Err(LedgerFault::Damaged { path: named, .. }) => {
                refusals += 1;
                assert_eq!(named, path);
            }
            Err(fault) => panic!("{at}: {fault}"),
        }
    }
    assert!(refusals > 0, "at least the header is looked at");
    fs::write(&path, "no database").unwrap();
    assert!(matches!(again(), Err(LedgerFault::Damaged { .. })));
    fs::write(&path, &sound).unwrap();
    again().unwrap();
    let database = Database::open(&path).unwrap();
    let change = database.begin_write().unwrap();
    let counters: redb::TableDefinition<'_, &str, u64> = redb::TableDefinition::new("counters");
    change.open_table(counters).unwrap().insert("schema", 4).unwrap();
    change.commit().unwrap();
    drop(database);
    assert!(matches!(again(), Err(LedgerFault::Later { found: 4, known: 3, .. })));
}

#[test]
fn what_another_meets_on_the_disk_stops_nobody_who_is_at_work() {
    use super::store::Stop;
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    workflow.command(at(0), "shop", &Command::Hold, &operator(), "because").unwrap();
    let fail = || workflow.view::<()>(|_| Err(Stop::Store(Box::new(redb::Error::PreviousIo))));
    workflow
        .view(|_| {
            let failed = std::thread::scope(|scope| scope.spawn(fail).join().unwrap());
            assert!(failed.is_err());
            assert!(workflow.standing_change("shop").is_err(), "the file is opened again when nobody has it");
            Ok(())
        })
        .unwrap();
    assert_eq!(workflow.standing_change("shop").unwrap().unwrap().standing, AccountState::Held);
    workflow
        .view(|_| {
            fail().unwrap_err();
            Ok(())
        })
        .unwrap();
    workflow.command(at(1), "shop", &Command::Block, &operator(), "because").unwrap();
    assert_eq!(workflow.standings().of("shop"), AccountState::Blocked);
}

#[test]
fn a_file_of_the_first_version_gets_its_index() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    let id = workflow.request_proof(at(0), request(), &operator()).unwrap().id;
    workflow.proof_delivered(at(0), id, &operator(), &terms()).unwrap();
    let case = workflow.open_case(at(0), complaint(1), &Actor::Recipient, &complaints()).unwrap();
    drop(workflow);
    let database = Database::open(folder.path().join("workflow.redb")).unwrap();
    let change = database.begin_write().unwrap();
    change.delete_table(super::store::DUE).unwrap();
    let open_proofs: redb::TableDefinition<'_, u64, ()> = redb::TableDefinition::new("open_proofs");
    change.open_table(open_proofs).unwrap().insert(id.0, ()).unwrap();
    let counters: redb::TableDefinition<'_, &str, u64> = redb::TableDefinition::new("counters");
    change.open_table(counters).unwrap().insert("schema", 1).unwrap();
    change.commit().unwrap();
    drop(database);
    let workflow = open(folder.path());
    let expiry = Due::Expiry { proof: id, account: "shop".to_owned() };
    assert_eq!(workflow.due(at(72 * HOUR)).unwrap(), [expiry, Due::Overdue(case.id)]);
}

#[test]
fn a_file_whose_hashes_are_of_another_kind_gets_them_anew() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    let case = workflow.open_case(at(0), complaint(1), &Actor::Recipient, &complaints()).unwrap();
    let number = case.msisdn.unwrap();
    drop(workflow);
    let elsewhere = tempfile::tempdir().unwrap();
    let other = || Workflow::open(folder.path(), key(elsewhere.path()), BOUNDS).unwrap();
    assert_eq!(other().holdings(number).unwrap().cases, [], "it is under the other hash");
    let database = Database::open(folder.path().join("workflow.redb")).unwrap();
    let change = database.begin_write().unwrap();
    let counters: redb::TableDefinition<'_, &str, u64> = redb::TableDefinition::new("counters");
    change.open_table(counters).unwrap().insert("schema", 2).unwrap();
    change.commit().unwrap();
    drop(database);
    for _start in 0..2 {
        let workflow = other();
        let [found] = &workflow.holdings(number).unwrap().cases[..] else { panic!("it is found") };
        assert_eq!((found.id, found.number_hash == case.number_hash), (case.id, false));
        // One recipient, not two.
        let again = workflow.open_case(at(1), complaint(1), &Actor::Recipient, &complaints()).unwrap();
        assert_eq!(again.id, case.id);
    }
}
