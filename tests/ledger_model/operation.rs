//! What is done to the ledger: each operation follows from the seed and its number alone, so that who does it and who
//! predicts it agree without a word.

use smppolicy::config::Purpose;
use smppolicy::ledger::permissions::{Consent, DoubleOptIn, Evidence};
use smppolicy::ledger::workflow::{Command, Moment, Sent};
use smppolicy::policy::Msisdn;

pub(crate) const START: i64 = 1_764_000_000_000;
/// Between one operation and the next, in milliseconds: ten thousand take 49 days, so that deadlines pass.
const STEP: i64 = 7 * 60_000;
pub(crate) const DAY: i64 = 86_400_000;
/// How long what documents a consent is kept after its end, in milliseconds.
pub(crate) const KEEP_CONSENTS: i64 = DAY;
/// How long opt-outs are that were ended.
pub(crate) const KEEP_OPT_OUTS: i64 = DAY;
/// How many people there are: so few that much happens to each, and so many that something has time to end.
pub(crate) const PEOPLE: u64 = 30;
pub(crate) const ACCOUNTS: [&str; 3] = ["shop", "bank", "club"];
pub(crate) const REGISTRIES: [&str; 2] = ["robinson", "dnc"];

/// What consents are for.
pub(crate) const CONSENTS: [(&str, &str, Purpose); 4] = [
    ("shop", "*", Purpose::Marketing),
    ("shop", "SHOP", Purpose::Marketing),
    ("shop", "SHOP", Purpose::Alert),
    ("bank", "BANK", Purpose::Marketing),
];

/// What people opt out of.
pub(crate) const OPT_OUTS: [(Option<&str>, Option<&str>); 4] =
    [(None, None), (Some("shop"), None), (Some("shop"), Some("SHOP")), (Some("bank"), None)];

pub(crate) fn number(person: u64) -> Msisdn {
    Msisdn::from_value(32_470_000_000 + person).unwrap()
}

/// The time of an operation; all of it is one start of the machine.
pub(crate) fn moment(at: u64) -> Moment {
    let passed = at as i64 * STEP;
    Moment { unix_millis: START + passed, uptime_millis: 1_000_000 + passed, boot: 1 }
}

/// A reference that nothing else has: to be found on the disk, or not.
pub(crate) fn reference(unique: u64) -> String {
    format!("{REFERENCE}{unique:010}")
}

pub(crate) const REFERENCE: &str = "reference-";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) person: u64,
    pub(crate) scope: usize,
    pub(crate) at: i64,
    pub(crate) expires: Option<i64>,
    pub(crate) variant: u64,
    pub(crate) unique: u64,
}

impl Grant {
    pub(crate) fn consent(&self) -> Consent {
        let (account, sender, purpose) = CONSENTS[self.scope];
        let is_odd = self.variant % 2 == 1;
        Consent {
            number: number(self.person),
            account: account.into(),
            sender: sender.into(),
            purpose,
            method: ["web form", "tick box", "keyword"][self.variant as usize % 3].into(),
            at: self.at,
            wording: format!("Yes, write to me, in wording {}", self.variant).into(),
            source: "shop.example".into(),
            evidence: Some(Evidence {
                reference: reference(self.unique).into(),
                sha256: is_odd.then_some([self.variant as u8; 32]),
            }),
            expires: self.expires,
            address: is_odd.then(|| "192.0.2.1".into()),
            double_opt_in: DoubleOptIn::NotAsked,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Operation {
    Grant(Grant),
    Revoke {
        person: u64,
        scope: usize,
    },
    Import(Vec<Grant>),
    Out {
        person: u64,
        scopes: Vec<usize>,
        from_list: bool,
    },
    In {
        person: u64,
        scopes: Vec<usize>,
    },
    Registry {
        which: usize,
        as_of: i64,
        people: Vec<u64>,
    },
    Erase(u64),
    Forget,
    Command(usize, Command),
    /// What follows names requests and cases by how many came after them.
    Request {
        account: usize,
        people: Vec<u64>,
    },
    Deliver(u64),
    Submit {
        back: u64,
        person: u64,
    },
    Decide {
        back: u64,
        accept: bool,
    },
    Complain {
        person: u64,
        account: usize,
    },
    Appeal(u64),
    Resolve {
        back: u64,
        upheld: bool,
    },
    EraseCases(u64),
    Due,
    Snapshot {
        awaited: bool,
    },
}

/// Numbers without end from a seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64, at: u64) -> Self {
        Self(seed ^ at.wrapping_mul(0xD6E8_FEB8_6659_FD93))
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ mixed >> 31) % end
    }

    fn is(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn grant(&mut self, at: u64, row: u64) -> Grant {
        // No two rows of a file are of one time: so the file can come again, and changes nothing.
        let given = moment(at).unix_millis - self.below(3) as i64 * self.below(DAY as u64) as i64 - row as i64;
        Grant {
            person: self.below(PEOPLE),
            scope: self.below(CONSENTS.len() as u64) as usize,
            at: given,
            expires: self.is(50).then(|| given + 1 + self.below(2 * DAY as u64) as i64),
            variant: self.below(6),
            unique: at * 100 + row,
        }
    }

    fn scopes(&mut self) -> Vec<usize> {
        match self.is(30) {
            true => (0..OPT_OUTS.len()).filter(|_| self.is(60)).collect(),
            false => vec![self.below(OPT_OUTS.len() as u64) as usize],
        }
    }

    fn people(&mut self) -> Vec<u64> {
        (0..PEOPLE).filter(|_| self.is(30)).collect()
    }

    fn command(&mut self) -> Command {
        match self.below(6) {
            0 => Command::Block,
            1 => Command::Unblock,
            2 => Command::Deactivate(Sent::default()),
            3 => Command::Reactivate,
            4 => Command::Hold,
            _ => Command::Release,
        }
    }
}

impl Operation {
    /// The operation of this number.
    pub(crate) fn of(seed: u64, at: u64) -> Self {
        let day = |at| moment(at).unix_millis.div_euclid(DAY);
        if at > 0 && day(at) > day(at - 1) {
            return Self::Forget; // the first of each day, since that is done once
        }
        let random = &mut Random::new(seed, at);
        let account = random.below(ACCOUNTS.len() as u64) as usize;
        let person = random.below(PEOPLE);
        match random.below(100) {
            0..20 => Self::Grant(random.grant(at, 0)),
            20..29 => Self::Revoke { person, scope: random.below(CONSENTS.len() as u64) as usize },
            29..33 => Self::Import((0..1 + random.below(6)).map(|row| random.grant(at, row)).collect()),
            33..44 => Self::Out { person, scopes: random.scopes(), from_list: random.is(20) },
            44..53 => Self::In { person, scopes: random.scopes() },
            53..55 => Self::Registry {
                which: random.below(REGISTRIES.len() as u64) as usize,
                as_of: moment(at).unix_millis - random.below(3 * DAY as u64) as i64,
                people: random.people(),
            },
            55..60 => Self::Erase(person),
            60..67 => Self::Command(account, random.command()),
            67..71 => Self::Request { account, people: [random.people(), vec![person]].concat() },
            71..75 => Self::Deliver(random.below(8)),
            75..79 => Self::Submit { back: random.below(12), person },
            79..82 => Self::Decide { back: random.below(12), accept: random.is(50) },
            82..86 => Self::Complain { person, account },
            86..88 => Self::Appeal(random.below(12)),
            88..92 => Self::Resolve { back: random.below(12), upheld: random.is(50) },
            92..94 => Self::EraseCases(person),
            94..97 => Self::Due,
            _ => Self::Snapshot { awaited: random.is(50) },
        }
    }
}
