//! The real binary: how it starts, reloads, ends, and what a kill leaves behind.

#![cfg(test)]

mod support;

use std::collections::HashSet;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use smppolicy::pdu::{CommandId, CommandStatus};
use support::process::{Process, configure, smppolicy};
use support::*;

const OK: CommandStatus = CommandStatus::ESME_ROK;

async fn bound_to(process: &Process, smsc: &Smsc) -> (Link, Link) {
    let mut esme = Link::connect(process.address).await;
    let ((), upstream) = tokio::join!(esme.bind("shop"), smsc.accept_bind());
    (esme, upstream)
}

#[tokio::test]
async fn sigterm_and_sigint_let_the_answers_through_and_unbind_both_sides() {
    for signal in ["TERM", "INT"] {
        let smsc = Smsc::listen().await;
        let mut process = Process::start(smsc.address(), "").await;
        let (mut esme, mut upstream) = bound_to(&process, &smsc).await;
        let (mut idle, mut its_upstream) = bound_to(&process, &smsc).await;
        let sent: Vec<Vec<u8>> = (1..=10).map(|sequence| submit(sequence, "SHOP", b"hello")).collect();
        esme.send(&sent.concat()).await;
        assert_eq!(upstream.from.receive_all(10).await, sent);

        process.signal(signal);
        // The one without outstanding answers is unbound at once, which shows that the drain has begun.
        for side in [&mut idle, &mut its_upstream] {
            let unbind = side.receive().await;
            assert_eq!(frame(&unbind).command_id(), CommandId::UNBIND);
            side.send(&accepted(&unbind)).await;
        }
        idle.ends().await;
        its_upstream.ends().await;
        upstream.from.is_quiet().await;
        let answers: Vec<Vec<u8>> = sent.iter().map(|sent| accepted(sent)).collect();
        upstream.send(&answers.concat()).await;
        assert_eq!(esme.from.receive_all(10).await, answers);
        for side in [&mut esme, &mut upstream] {
            let unbind = side.receive().await;
            assert_eq!(frame(&unbind).command_id(), CommandId::UNBIND);
            side.send(&accepted(&unbind)).await;
        }
        esme.ends().await;
        upstream.ends().await;
        drop((esme, upstream));
        assert_eq!(process.ended().await.code(), Some(0));
    }
}

#[tokio::test]
async fn a_drain_ends_in_time_whatever_the_peers_do() {
    let smsc = Smsc::listen().await;
    let mut process = Process::start(smsc.address(), "listen.drain_timeout = '1s'").await;
    let (mut esme, mut upstream) = bound_to(&process, &smsc).await;
    let sent = submit(1, "SHOP", b"hello");
    esme.send(&sent).await;
    assert_eq!(upstream.receive().await, sent);
    let stranger = Link::connect(process.address).await;
    let begin = Instant::now();
    process.signal("TERM");
    assert_eq!(process.ended().await.code(), Some(0));
    // The drain, the last words of the record, and a busy machine.
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    // No answer is invented.
    while let Some(last) = esme.from.next().await {
        assert_eq!(frame(&last).command_id(), CommandId::UNBIND);
    }
    drop(stranger);
}

#[tokio::test]
async fn sighup_changes_the_rules_for_the_next_message_and_keeps_the_binds() {
    const OTHER_SENDER: &str =
        "[[account]]\nsystem_id = 'shop'\ndefault_purpose = 'transactional'\nsender = [{ id = 'Shop2' }]";
    const BURST_OF_1: &str = "[[account]]\nsystem_id = 'shop'\ndefault_purpose = 'transactional'\nrate = { per_second = 1, burst = 1 }\nsender = [{ id = 'SHOP' }]";
    let serving = Smsc::listen().await.serve();
    let mut process = Process::start(serving.address, "").await;
    let mut esme = Link::connect(process.address).await;
    esme.bind("shop").await;
    let (old, new) = (submit(1, "SHOP", b"hello"), submit(2, "Shop2", b"hello"));
    assert_eq!([esme.status(&old).await, esme.status(&new).await], [OK, CommandStatus::ESME_RINVSRCADR]);
    process.reload(OTHER_SENDER, "reloaded").await;
    assert_eq!([esme.status(&old).await, esme.status(&new).await], [CommandStatus::ESME_RINVSRCADR, OK]);

    // A faulty file, whatever else it says, changes nothing, and the log says where the fault is.
    process
        .reload(
            "[listen]\nwindow = 0\n[[account]]\nsystem_id = 'bank'
    default_purpose = 'transactional'",
            "listen.window: is the integer 0",
        )
        .await;
    assert_eq!([esme.status(&old).await, esme.status(&new).await], [CommandStatus::ESME_RINVSRCADR, OK]);

    // A limit holds from the next message on.
    process.reload(BURST_OF_1, " reloaded").await;
    let two = submit_part(3, 1, 2, 1);
    assert_eq!(esme.status(&two).await, CommandStatus::ESME_RSUBMITFAIL);
    process.reload("", " reloaded").await;
    assert_eq!(esme.status(&two).await, OK);
}

#[tokio::test]
async fn a_list_that_does_not_load_leaves_the_old_one_in_force() {
    const LISTS: &str = "policy.lists.files = ['own.toml']";
    const HEAD: &str = "rule = 'content'\nlanguage = 'en'\nclause = 30\ncategory = 'own'\n[[entry]]\nid = 'own-1'\n";
    let serving = Smsc::listen().await.serve();
    let mut process = Process::start(serving.address, "").await;
    let list = process.folder().join("own.toml");
    let mut esme = Link::connect(process.address).await;
    esme.bind("shop").await;
    let (old, new) = (submit(1, "SHOP", b"a zorble for you"), submit(2, "SHOP", b"a flummox for you"));
    std::fs::write(&list, format!("{HEAD}match = ['zorble']\n")).unwrap();
    process.reload(LISTS, " reloaded").await;
    assert_eq!([esme.status(&old).await, esme.status(&new).await], [CommandStatus::ESME_RSUBMITFAIL, OK]);
    // File, line and entry are named.
    std::fs::write(&list, format!("{HEAD}match = ['(flummox']\n")).unwrap();
    process.reload(LISTS, "own.toml:7:10: entry[own-1].match[0]: ").await;
    assert_eq!([esme.status(&old).await, esme.status(&new).await], [CommandStatus::ESME_RSUBMITFAIL, OK]);
}

#[tokio::test]
async fn while_it_runs_it_can_be_found_and_asked_and_afterwards_not() {
    let smsc = Smsc::listen().await;
    let admin = "[admin]\naddress = '127.0.0.1:0'\ntoken_file = 'admin-token'\n";
    let mut process = Process::start(smsc.address(), admin).await;
    let path = process.folder().join("ledger/running.json");
    let running: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(running["pid"], process.child.id());
    assert_eq!(running["listen"], process.address.to_string());
    let token = process.folder().join("admin-token");
    for file in [&path, &token] {
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let token = format!("Bearer {}", std::fs::read_to_string(&token).unwrap().trim());
    let address = format!("http://{}/v1", running["admin"].as_str().unwrap());
    let (folder, upstream) = (process.folder().to_owned(), process.upstream);
    let asked = tokio::task::spawn_blocking(move || {
        let mut accounts = ureq::get(format!("{address}/accounts")).header("authorization", &token).call().unwrap();
        assert!(accounts.body_mut().read_to_string().unwrap().contains("\"shop\""));
        let reload = || {
            configure(&folder, upstream, &format!("policy.rate.mode = 'shadow'\nlisten.window = 7\n{admin}"));
            let reload = ureq::post(format!("{address}/reload")).header("authorization", &token).send_empty();
            serde_json::from_str::<serde_json::Value>(&reload.unwrap().body_mut().read_to_string().unwrap()).unwrap()
        };
        let reloaded = reload();
        let added = |key: &str, new: &str| serde_json::json!({"key": key, "change": "added", "new": new});
        let changes = serde_json::json!([added("listen.window", "7"), added("policy.rate.mode", "\"shadow\"")]);
        assert_eq!((&reloaded["changes"], &reloaded["more"]), (&changes, &serde_json::json!(0)));
        assert_eq!(reloaded["at_next_start"], serde_json::json!(["listen.window"]));
        assert_ne!(reloaded["old_version"], reloaded["new_version"]);
        // What waits still does, though nothing has changed since.
        let again = reload();
        assert_eq!((&again["changes"], &again["at_next_start"]), (&serde_json::json!([]), &reloaded["at_next_start"]));
        assert_eq!(
            (&again["old_version"], &again["new_version"]),
            (&reloaded["new_version"], &reloaded["new_version"])
        );
    });
    soon(asked).await.unwrap();
    process.signal("TERM");
    assert!(process.ended().await.success());
    assert!(!path.exists());
}

#[tokio::test]
async fn a_taken_port_ends_it_and_is_named() {
    let taken = Smsc::listen().await.address().to_string();
    let holder = std::net::TcpListener::bind(&taken).unwrap();
    for key in ["listen", "admin"] {
        let folder = tempfile::tempdir().unwrap();
        configure(folder.path(), holder.local_addr().unwrap(), &format!("{key}.address = '{taken}'"));
        let output = smppolicy(folder.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(3));
        assert_eq!(output.stdout, b"");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(&taken) && stderr.contains(&format!("{key}.address")), "{stderr}");
    }
}

#[tokio::test]
async fn after_a_kill_nothing_was_promised_that_the_smsc_does_not_have() {
    for round in 0..5 {
        let serving = Smsc::listen().await.serve();
        let mut process = Process::start(serving.address, "").await;
        let mut esme = Link::connect(process.address).await;
        esme.bind("shop").await;
        // Every text is its own, so that a message that went up twice shows.
        let flood: Vec<u8> =
            (0..50_000_u32).flat_map(|n| submit(n, "SHOP", format!("message {n}").as_bytes())).collect();
        let Link { from, to } = &mut esme;
        let listen = async {
            let mut promised = HashSet::new();
            while let Some(answer) = from.next_or_torn().await {
                // The SMSC's own, message_id and all.
                let request = submit(frame(&answer).sequence_number().0, "SHOP", b"");
                assert_eq!(answer, accepted(&request));
                let answer = frame(&answer);
                assert!(promised.insert(answer.sequence_number()), "answered twice");
                if promised.len() == 100 + 250 * round {
                    process.child.kill().unwrap();
                }
            }
            promised
        };
        let (_, promised) = tokio::join!(to.send_while_open(&flood), listen);
        assert!(promised.len() < 50_000, "it was over before the kill");
        // The SMSC has counted what came before it answered.
        let messages = serving.messages();
        let taken: HashSet<_> = messages.iter().map(|message| frame(message).sequence_number()).collect();
        assert_eq!(taken.len(), messages.len(), "something was submitted twice");
        assert!(promised.is_subset(&taken), "{:?}", promised.difference(&taken));
        assert!(messages.iter().all(|message| {
            let n = frame(message).sequence_number().0;
            *message == submit(n, "SHOP", format!("message {n}").as_bytes())
        }));
    }
}

#[tokio::test]
async fn at_a_limit_of_file_sizes_a_write_fails_and_the_process_goes_on() {
    let (folder, smsc) = (tempfile::tempdir().unwrap(), Smsc::listen().await.serve());
    let binary = smppolicy(folder.path());
    let mut command = Command::new("sh");
    // So many blocks of 512 or 1024 octets: the database begins with fewer.
    command.args(["-c", "ulimit -f 8192 && exec \"$0\""]).arg(binary.get_program());
    command.current_dir(folder.path()).env("RUST_LOG", "info").env("NO_COLOR", "1");
    let mut process = Process::start_by(command, folder, smsc.address, "journal.acquaintances = 1024").await;
    let mut esme = Link::connect(process.address).await;
    esme.bind("shop").await;
    let refused: Vec<u8> = (1..=100).flat_map(|sequence| submit(sequence, "Bank", b"hello")).collect();
    // Until their records are more than fits, which is some hundreds of octets each.
    for burst in 0.. {
        assert!(burst < 1000, "the record has no limit");
        esme.send(&refused).await;
        esme.from.receive_all(100).await;
        if process.log.try_recv().is_ok_and(|line| line.contains("the audit record cannot be written")) {
            break;
        }
    }
    // Evidence goes before service.
    assert_eq!(esme.status(&submit(101, "SHOP", b"hello")).await, CommandStatus::ESME_RMSGQFUL);
    assert!(process.child.try_wait().unwrap().is_none(), "it goes on");
}
