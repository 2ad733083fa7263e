//! One way of playing one case: what is sent, and what is to become of each PDU.

use std::sync::Arc;

use smppolicy::pdu::CommandStatus;

use crate::case::{Case, Expected};
use crate::message::{Message, Sent};
use crate::through::Way;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Play {
    pub(crate) case: Arc<Case>,
    pub(crate) way: Option<Way>,
    pub(crate) messages: Vec<Message>,
}

/// What is to become of the PDUs of a play.
#[derive(Debug, Clone)]
pub(crate) enum Plan {
    /// Of each by itself.
    Each(Vec<Expected>),
    /// Parts: those that are clean go up, and from the one on that is not all are refused.
    RefuseFromSomePartOn(CommandStatus),
}

impl Play {
    /// The case as it stands, and in every way through which it is sent.
    pub(crate) fn all(case: Arc<Case>) -> Result<Vec<Self>, String> {
        let mut plays = vec![Self { case: case.clone(), way: None, messages: case.send.clone() }];
        for (way, named) in case.through.iter().flat_map(|way| way.single()) {
            let messages: Vec<Message> = case.send.iter().map(|message| way.of(message)).collect();
            let play = Self { case: case.clone(), way: Some(way), messages };
            match play.pdus(1) {
                Ok(_) => plays.push(play),
                Err(fault) if named => return Err(format!("{}: through {}: {fault}", case.place, way.name())),
                Err(_cannot_carry_it) => {}
            }
        }
        for play in &plays {
            let pdus = play.pdus(1).map_err(|fault| format!("{}: send: {fault}", play.case.place))?;
            play.plan(pdus.len())?;
        }
        Ok(plays)
    }

    /// How a report names it.
    pub(crate) fn label(&self) -> String {
        let way = self.way.map_or(String::new(), |way| format!(" [{}]", way.name()));
        format!("{}: {}{way}", self.case.place, self.case.name)
    }

    /// The PDUs, in the order in which they are sent; `reference` is one that is free.
    pub(crate) fn pdus(&self, reference: u16) -> Result<Vec<Sent>, String> {
        let each = self.messages.iter().map(|message| message.pdus(reference));
        Ok(each.collect::<Result<Vec<_>, _>>()?.concat())
    }

    /// What is expected of so many PDUs.
    pub(crate) fn plan(&self, pdus: usize) -> Result<Plan, String> {
        let has_parts = self.messages.iter().any(|message| message.0.parts.is_some());
        match (&self.case.expect[..], has_parts) {
            ([Expected::Refuse(status)], true) => Ok(Plan::RefuseFromSomePartOn(*status)),
            ([one], _) => Ok(Plan::Each(vec![*one; pdus])),
            (many, _) if many.len() == pdus => Ok(Plan::Each(many.to_vec())),
            (many, _) => Err(format!(
                "{}: expect: is {} outcomes for {pdus} PDUs; name one for each",
                self.case.place,
                many.len()
            )),
        }
    }
}

/// Holds the outcomes of a play's PDUs against its plan, one after the other.
pub(crate) struct Judge {
    plan: Plan,
    next: usize,
    refused: bool,
}

impl Judge {
    pub(crate) fn new(plan: Plan) -> Self {
        Self { plan, next: 0, refused: false }
    }

    /// Whether this may be the outcome of the next PDU.
    pub(crate) fn outcome(&mut self, outcome: Expected) -> Result<(), String> {
        self.next += 1;
        let number = self.next;
        let expected = match &self.plan {
            Plan::Each(each) => each.get(number - 1).copied().unwrap_or(Expected::Relay),
            Plan::RefuseFromSomePartOn(status) => {
                self.refused |= outcome != Expected::Relay;
                if self.refused { Expected::Refuse(*status) } else { Expected::Relay }
            }
        };
        if outcome == expected {
            return Ok(());
        }
        let show = |outcome| match outcome {
            Expected::Relay => "relayed".to_owned(),
            Expected::Refuse(status) => format!("refused with {status}"),
        };
        Err(format!("PDU {number} is {}, expected it {}", show(outcome), show(expected)))
    }

    /// That what had to be refused was.
    pub(crate) fn finish(self) -> Result<(), String> {
        match self.plan {
            Plan::RefuseFromSomePartOn(status) if !self.refused => {
                Err(format!("every part is relayed, expected the last one at least refused with {status}"))
            }
            _ => Ok(()),
        }
    }
}
