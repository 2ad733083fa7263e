//! Standings of accounts.

use super::*;

#[test]
fn an_account_goes_where_its_standing_allows() {
    use crate::config::AccountState::{Active, Blocked, Deactivated, Held};
    let commands = [
        (Command::Block, [Some(Blocked), Some(Blocked), Some(Blocked), None]),
        (Command::Unblock, [Some(Active), None, Some(Active), None]),
        (Command::Deactivate(sent("")), [Some(Deactivated); 4]),
        (Command::Reactivate, [Some(Active), None, None, Some(Active)]),
        (Command::Hold, [Some(Held), Some(Held), None, None]),
        (Command::Release, [Some(Active), Some(Active), None, None]),
    ];
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    let mut now = 0;
    let mut act = |account: &str, command: &Command| {
        now += 1000;
        workflow.command(at(now), account, command, &operator(), "because")
    };
    for (command, expected) in &commands {
        for (from, expected) in [Active, Held, Blocked, Deactivated].into_iter().zip(expected) {
            let account = format!("{command:?}-{from:?}");
            let prepare = [Command::Hold, Command::Block, Command::Deactivate(sent(""))];
            if let Some(prepare) = prepare.iter().find(|command| command.leads_to() == from) {
                assert_eq!(act(&account, prepare).unwrap(), Outcome::Done);
            }
            let before = events(&workflow).len();
            let outcome = act(&account, command);
            let after = workflow.standings().of(&account);
            let Some(expected) = *expected else {
                assert!(matches!(refused(outcome.unwrap_err()), Refusal::Conflict(_)), "{account}");
                assert_eq!((after, events(&workflow).len()), (from, before), "{account}");
                continue;
            };
            assert_eq!(after, expected, "{account}");
            let changed = outcome.unwrap() == Outcome::Done;
            assert_eq!(changed, from != expected, "{account}");
            let added = usize::from(changed) * (1 + usize::from(expected == Deactivated));
            assert_eq!(events(&workflow).len() - before, added, "{account}");
        }
    }
    let (_copy, found) = after_kill(&folder);
    assert_eq!(*found.standings(), *workflow.standings());
}

#[test]
fn a_change_says_who_why_and_when() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = open(folder.path());
    workflow.command(at(1), "shop", &Command::Hold, &Actor::Complaints, "three complaints").unwrap();
    workflow.command(at(2), "shop", &Command::Block, &operator(), "  it goes on\n").unwrap();
    workflow.command(at(3), "shop-2", &Command::Block, &operator(), "another").unwrap();
    let last = workflow.standing_change("shop").unwrap().unwrap();
    assert_eq!((last.standing, last.before, last.at), (AccountState::Blocked, AccountState::Held, START + 2));
    assert_eq!((last.by.clone(), last.reason.as_str()), (operator(), "it goes on"));
    let history = workflow.history("shop", None, 10).unwrap();
    assert_eq!(history.iter().map(|change| change.at - START).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(history[0], last);
    assert_eq!(workflow.history("shop", Some(last.number), 10).unwrap(), history[1..]);
    assert_eq!(workflow.standing_change("nobody").unwrap(), None);
    for reason in ["", "  ", "bell \u{7}", &"x".repeat(1001)] {
        let fault = workflow.command(at(4), "shop", &Command::Unblock, &operator(), reason).unwrap_err();
        assert!(matches!(refused(fault), Refusal::Invalid(_)));
    }
}

#[test]
fn standings_of_before_are_read_while_nobody_has_the_database_and_nothing_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(past_standings(folder.path()).unwrap(), []);
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none(), "nothing is made");
    let workflow = open(folder.path());
    for (millis, command) in [(1, Command::Hold), (2, Command::Block), (5, Command::Unblock)] {
        workflow.command(at(millis), "shop", &command, &operator(), "because").unwrap();
    }
    assert!(matches!(past_standings(folder.path()), Err(LedgerFault::InUse { .. })));
    drop(workflow);
    let before = fs::read(folder.path().join("workflow.redb")).unwrap();
    let known = past_standings(folder.path()).unwrap();
    let known: Vec<_> = known.iter().map(|(id, change)| (&**id, change.at - START, change.standing)).collect();
    let expected = [(1, AccountState::Held), (2, AccountState::Blocked), (5, AccountState::Active)];
    assert_eq!(known, expected.map(|(millis, state)| ("shop", millis, state)));
    assert_eq!(fs::read(folder.path().join("workflow.redb")).unwrap(), before);
}
