//! Any order of commands, against a plain model.

use proptest::prelude::*;

use super::*;

/// One step of the property test; accounts, requests and cases are named by small numbers.
#[derive(Debug, Clone)]
enum Operation {
    Command(u8, Command),
    Request(u8),
    Deliver(u64),
    Submit(u64),
    Decide(u64, bool),
    Pass(i64),
    Kill,
}

fn operation() -> impl Strategy<Value = Operation> {
    let command = prop::sample::select(vec![
        Command::Block,
        Command::Unblock,
        Command::Deactivate(Sent::default()),
        Command::Reactivate,
        Command::Hold,
        Command::Release,
    ]);
    prop_oneof![
        4 => (0..3_u8, command).prop_map(|(account, command)| Operation::Command(account, command)),
        2 => (0..3_u8).prop_map(Operation::Request),
        2 => (1..6_u64).prop_map(Operation::Deliver),
        2 => (1..6_u64).prop_map(Operation::Submit),
        2 => (1..6_u64, any::<bool>()).prop_map(|(proof, accept)| Operation::Decide(proof, accept)),
        2 => (1..20 * HOUR).prop_map(Operation::Pass),
        1 => Just(Operation::Kill),
    ]
}

/// What the ledger should hold, in the plainest form.
#[derive(Debug, Default)]
struct Model {
    standings: [AccountState; 3],
    refunds: usize,
    proofs: Vec<(u8, ProofState, Option<i64>)>,
}

impl Model {
    fn command(&mut self, account: u8, command: &Command) {
        let standing = &mut self.standings[usize::from(account)];
        if command.allowed_from(*standing) {
            *standing = command.leads_to();
            self.refunds += usize::from(*standing == AccountState::Deactivated);
        }
    }

    fn apply(&mut self, operation: &Operation, now: i64) {
        use ProofState::{Accepted, Created, Delivered, Expired, Rejected, Submitted};
        match operation {
            Operation::Command(account, command) => self.command(*account, command),
            Operation::Request(account) => self.proofs.push((*account, Created, None)),
            Operation::Deliver(id) => {
                if let Some((_, state @ Created, delivered)) = self.proofs.get_mut(*id as usize - 1) {
                    (*state, *delivered) = (Delivered, Some(now));
                }
            }
            Operation::Submit(id) => {
                if let Some((_, state @ (Delivered | Rejected), Some(delivered))) =
                    self.proofs.get_mut(*id as usize - 1)
                    && now < *delivered + DAY
                {
                    *state = Submitted;
                }
            }
            Operation::Decide(id, accept) => {
                if let Some((_, state @ Submitted, _)) = self.proofs.get_mut(*id as usize - 1) {
                    *state = if *accept { Accepted } else { Rejected };
                }
            }
            Operation::Pass(_) => {
                for index in 0..self.proofs.len() {
                    if let (account, state @ (Delivered | Rejected), Some(delivered)) = &mut self.proofs[index]
                        && now >= *delivered + DAY
                    {
                        *state = Expired;
                        let account = *account;
                        self.command(account, &Command::Deactivate(Sent::default()));
                    }
                }
            }
            Operation::Kill => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_workflows_agree_with_a_model(operations in prop::collection::vec(operation(), 1..40)) {
        let mut folder = tempfile::tempdir().unwrap();
        let mut workflow = open(folder.path());
        let (mut model, mut now) = (Model::default(), 0);
        for operation in operations {
            let account = |account: &u8| format!("account-{account}");
            match &operation {
                Operation::Command(of, command) => {
                    let _may_be_refused = workflow.command(at(now), &account(of), command, &operator(), "because");
                }
                Operation::Request(of) => {
                    let request = ProofRequest { account: account(of), ..request() };
                    workflow.request_proof(at(now), request, &operator()).unwrap();
                }
                Operation::Deliver(id) => {
                    let _may_be_unknown = workflow.proof_delivered(at(now), ProofId(*id), &operator(), &terms());
                }
                Operation::Submit(id) => {
                    let items = vec![Item { note: Some("see the file".to_owned()), ..Item::default() }];
                    let _may_be_refused = workflow.submit_proof(at(now), ProofId(*id), items, &Actor::Customer);
                }
                Operation::Decide(id, true) => {
                    let _may_be_refused = workflow.accept_proof(at(now), ProofId(*id), &operator());
                }
                Operation::Decide(id, false) => {
                    let _may_be_refused = workflow.reject_proof(at(now), ProofId(*id), &operator(), "no");
                }
                Operation::Pass(time) => {
                    now += time;
                    workflow.do_due(at(now), OnExpiry::Deactivate, sent).unwrap();
                }
                Operation::Kill => (folder, workflow) = after_kill(&folder),
            }
            model.apply(&operation, now);
            for (of, standing) in (0..).zip(model.standings) {
                prop_assert_eq!(workflow.standings().of(&account(&of)), standing);
            }
            let found: Vec<(String, ProofState)> =
                workflow.proofs(None, 100).unwrap().into_iter().map(|proof| (proof.account, proof.state)).collect();
            let expected: Vec<(String, ProofState)> =
                model.proofs.iter().map(|(of, state, _)| (account(of), *state)).collect();
            prop_assert_eq!(found, expected);
            let refunds = events(&workflow).iter().filter(|kind| **kind == EventKind::CreditRefundDue).count();
            prop_assert_eq!(refunds, model.refunds);
        }
    }
}
