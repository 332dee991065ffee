//! Persons: who asks on the local side, and what they may do.

use std::collections::HashMap;
use std::sync::Arc;

use time::{Date, UtcOffset};
use verbale_domain::civil;
use verbale_rpc::tonic::{Request, Status};
use verbale_rpc::{Failure, FailureKind};

use crate::clock::now_ms;
use crate::config::{DeputyConfig, PersonConfig, RoleName};

/// A person or a system of the configuration.
#[derive(Debug)]
pub(crate) struct Person {
    /// The pseudonym that stands in the log.
    pub(crate) name: String,
    roles: Vec<RoleName>,
    /// First and last days on which she stands in for an approver.
    deputy: Vec<(Date, Date)>,
}

/// What a person sees of a notice without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Registry numbers too.
    Numbers,
    /// What stands in the log: ids, codes, digests, times.
    LogOnly,
}

impl Person {
    /// Whether a role is hers today.
    pub(crate) fn has(&self, role: RoleName) -> bool {
        let today = || civil::date_of(now_ms(), UtcOffset::UTC);
        let stands_in = || self.deputy.iter().any(|(from, until)| (*from..=*until).contains(&today()));
        self.roles.contains(&role) || (role == RoleName::Approver && !self.deputy.is_empty() && stands_in())
    }

    /// Auditors see the log and nothing of the facts.
    pub(crate) fn sight(&self) -> Sight {
        let only_auditor = self.roles.iter().all(|role| *role == RoleName::Auditor);
        if only_auditor { Sight::LogOnly } else { Sight::Numbers }
    }
}

/// All of them, by how they prove who they are.
pub(crate) struct Persons {
    all: Vec<Arc<Person>>,
    by_uid: HashMap<u32, Arc<Person>>,
    by_key: HashMap<String, Arc<Person>>,
}

/// Who is at the other end of a local connection.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// Known.
    Person(Arc<Person>),
    /// A user id that the configuration does not name.
    UnknownUser(u32),
}

impl Persons {
    pub(crate) fn new(config: &[PersonConfig], deputies: &[DeputyConfig]) -> Self {
        let mut persons = Self { all: Vec::new(), by_uid: HashMap::new(), by_key: HashMap::new() };
        for entry in config {
            let own = deputies.iter().filter(|deputy| deputy.name == entry.name);
            let deputy = own.filter_map(|of| Some((civil::day(&of.from)?, civil::day(&of.until)?))).collect();
            let person = Arc::new(Person { name: entry.name.clone(), roles: entry.roles.clone(), deputy });
            persons.all.push(Arc::clone(&person));
            persons.by_uid.extend(entry.uids.iter().map(|uid| (*uid, Arc::clone(&person))));
            persons.by_key.extend(entry.keys.iter().map(|key| (key.to_ascii_lowercase(), Arc::clone(&person))));
        }
        persons
    }

    /// Who can approve today what a person drafted.
    pub(crate) fn approvers(&self, drafted_by: &str) -> Vec<String> {
        let can = |person: &&Arc<Person>| person.name != drafted_by && person.has(RoleName::Approver);
        self.all.iter().filter(can).map(|person| person.name.clone()).collect()
    }

    /// Who can draft today what needs approval.
    pub(crate) fn drafters(&self) -> Vec<String> {
        let can = |person: &&Arc<Person>| person.has(RoleName::Operator) || person.has(RoleName::Approver);
        self.all.iter().filter(can).map(|person| person.name.clone()).collect()
    }

    pub(crate) fn with_uid(&self, uid: u32) -> Caller {
        self.by_uid.get(&uid).map_or(Caller::UnknownUser(uid), |person| Caller::Person(Arc::clone(person)))
    }

    /// The person with this fingerprint of a public key, 64 hexadecimal digits.
    pub(crate) fn with_key(&self, fingerprint: &str) -> Option<Arc<Person>> {
        self.by_key.get(fingerprint).cloned()
    }
}

/// The person who asks, if one of the roles is hers.
pub(crate) fn require<T>(request: &Request<T>, roles: &[RoleName]) -> Result<Arc<Person>, Status> {
    let refuse = |text: String| Err(Failure::new(FailureKind::NotAllowed, "NOT_ALLOWED", text).status());
    match request.extensions().get::<Caller>() {
        Some(Caller::Person(person)) if roles.iter().any(|role| person.has(*role)) => Ok(Arc::clone(person)),
        Some(Caller::Person(person)) => {
            let needed: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
            refuse(format!(
                "{} has none of the roles {}; an administrator gives them in verbale.toml",
                person.name,
                needed.join(", ")
            ))
        }
        Some(Caller::UnknownUser(uid)) => {
            refuse(format!("user id {uid} is nobody in verbale.toml; an administrator adds it under [[persons]]"))
        }
        None => refuse("it is not known who asks".to_owned()),
    }
}
