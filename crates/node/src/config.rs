//! The configuration, `DIR/verbale.toml`: the types are the manual. What they do not name is refused by file and line.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use verbale_domain::civil;
use verbale_evidence::is_identifier;
use verbale_proto::v1::{AssignedDeputy, AssignedRoles, Configured};

const FORMAT: u32 = 1;

/// Persons, and deputies: an entry of the log names all of them, at about 110 bytes each.
const PERSONS_MAX: usize = 200;

/// A configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// 1.
    pub format: u32,
    /// Who this node is.
    pub node: NodeConfig,
    /// Where counterparts reach it.
    pub peer: PeerConfig,
    /// Where its own people and systems reach it, beside the Unix socket.
    #[serde(default)]
    pub local: LocalConfig,
    /// Who they are.
    #[serde(default)]
    pub persons: Vec<PersonConfig>,
    /// Who stands in for an approver, and when.
    #[serde(default)]
    pub deputies: Vec<DeputyConfig>,
    /// What originators are told about their notices.
    #[serde(default)]
    pub disclosures: DisclosuresConfig,
    /// Signed heads, kept apart from the journal and shown to counterparts.
    #[serde(default)]
    pub heads: HeadsConfig,
    /// Time stamps on signed heads.
    #[serde(default)]
    pub time_stamps: TimeStampsConfig,
    /// Limits.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// What it writes about itself.
    #[serde(default)]
    pub log: LogConfig,
}

/// Who the node is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// The contact point's id, as the memoranda name it.
    pub id: String,
}

/// Where counterparts reach the node.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerConfig {
    /// Address and port.
    pub listen: SocketAddr,
}

/// Where people and systems reach the node beside the Unix socket.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalConfig {
    /// Address and port, for mutual TLS with the keys of `persons`; absent: the socket only.
    pub listen: Option<SocketAddr>,
}

/// What originators are told about their notices.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisclosuresConfig {
    /// Whether an originator that asks where its notice went is told who opened it, where it was handed over, and what was denied,
    /// beside the releases, which it is always told. Default false.
    #[serde(default)]
    pub tell_openings: bool,
}

/// Signed heads.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeadsConfig {
    /// Folder of the heads that were told to others; best on another disk, and never in the same backup as the node's folder. Default: the
    /// node's folder with `-heads` behind its name.
    pub folder: Option<PathBuf>,
    /// Seconds after which a counterpart is shown the head when there was no traffic. Default 60.
    pub interval_seconds: u64,
}

impl Default for HeadsConfig {
    fn default() -> Self {
        Self { folder: None, interval_seconds: 60 }
    }
}

/// Time stamps (RFC 3161).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeStampsConfig {
    /// Address of the authority, `http://HOST[:PORT]/PATH`. Default: none, and nothing is stamped.
    pub authority: Option<String>,
    /// Seconds after which a head is stamped again when the log has grown. Default 86,400: a day.
    pub interval_seconds: u64,
}

impl Default for TimeStampsConfig {
    fn default() -> Self {
        Self { authority: None, interval_seconds: 86_400 }
    }
}

/// A person or a system.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonConfig {
    /// The pseudonym that stands in the log.
    pub name: String,
    /// What the person may do.
    pub roles: Vec<RoleName>,
    /// User ids, on the socket.
    #[serde(default)]
    pub uids: Vec<u32>,
    /// SHA-256 of public keys (SubjectPublicKeyInfo), hexadecimal, on the TLS listener.
    #[serde(default)]
    pub keys: Vec<String>,
}

/// A person who stands in for an approver.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeputyConfig {
    /// The person, by the name under `persons`.
    pub name: String,
    /// For whom: a person with the role approver.
    pub of: String,
    /// First day, YYYY-MM-DD, UTC.
    pub from: String,
    /// Last day.
    pub until: String,
}

/// What a person may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoleName {
    /// Submits, fetches, acknowledges.
    System,
    /// Checks deliveries, reads notices, enrols counterparts.
    Operator,
    /// Grants consent, authorises disclosure.
    Approver,
    /// Reads log and proofs, never content.
    Auditor,
}

/// Limits; each is refused before it costs memory.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Sealed bytes of one notice. Default 16 MiB; at most 32 MiB, half of a segment.
    pub sealed_bytes_max: u64,
    /// Connections of counterparts. Default 256: each counterpart has at most 20 of them.
    pub peer_connections_max: usize,
    /// Connections of people and systems. Default 64; one person has at most half of them.
    pub local_connections_max: usize,
    /// TLS handshakes under way. Default 32: each costs about a millisecond of computing. One address has a quarter of them.
    pub handshakes_max: usize,
    /// Seconds that a TLS handshake may take. Default 10.
    pub handshake_seconds: u64,
    /// Seconds that a counterpart may keep this node waiting for the next part of what it began. Default 30.
    pub stall_seconds: u64,
    /// Days for which a notice stays valid. Default 30.
    pub notice_validity_days: u32,
    /// Free space that is kept for reading and repairing. Default 64 MiB.
    pub reserve_bytes: u64,
}

/// What the node writes about itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// `text` or `json`, on standard error.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: LogLevel,
}

/// Form of the log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// How much is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Faults.
    Error,
    /// And what an operator should look at.
    Warn,
    /// And what the node does.
    #[default]
    Info,
    /// And each connection.
    Debug,
    /// Everything, still without content.
    Trace,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not TOML, or not of this form; the text names line and column.
    #[error("{file} cannot be used: {text}")]
    Form {
        /// The file.
        file: String,
        /// What and where.
        text: String,
    },
    /// A value outside its range.
    #[error("{file}: {what}")]
    Value {
        /// The file.
        file: String,
        /// Which, and what it must be.
        what: String,
    },
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            sealed_bytes_max: 16 << 20,
            peer_connections_max: 256,
            local_connections_max: 64,
            handshakes_max: 32,
            handshake_seconds: 10,
            stall_seconds: 30,
            notice_validity_days: 30,
            reserve_bytes: 64 << 20,
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: LogLevel::Info }
    }
}

impl LogLevel {
    /// As the filter of `tracing` names it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl RoleName {
    /// As the configuration names it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Auditor => "auditor",
        }
    }
}

impl Config {
    /// As the log tells it to auditors; `text` is the file.
    pub(crate) fn configured(&self, text: &str) -> Configured {
        let roles = |person: &PersonConfig| person.roles.iter().map(|role| role.as_str().to_owned()).collect();
        Configured {
            file_sha256: Sha256::digest(text).to_vec(),
            persons: self
                .persons
                .iter()
                .map(|of| AssignedRoles { person: of.name.clone(), roles: roles(of) })
                .collect(),
            deputies: (self.deputies.iter())
                .map(|of| AssignedDeputy {
                    person: of.name.clone(),
                    of: of.of.clone(),
                    from: of.from.clone(),
                    until: of.until.clone(),
                })
                .collect(),
        }
    }

    /// Reads a configuration; `file` is its name, for messages.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        let read: Self = toml::from_str(text)
            .map_err(|error| ConfigError::Form { file: file.to_owned(), text: error.to_string() })?;
        let wrong = |what: String| Err(ConfigError::Value { file: file.to_owned(), what });
        if read.format != FORMAT {
            return wrong(format!("format is {}, this program reads {FORMAT}", read.format));
        }
        if !is_identifier(&read.node.id) {
            return wrong("node.id must be 1 to 64 characters A-Z, 0-9 and -".to_owned());
        }
        if !(1024..=32 << 20).contains(&read.limits.sealed_bytes_max) {
            return wrong("limits.sealed_bytes_max must be from 1024 to 33554432".to_owned());
        }
        if read.limits.handshake_seconds == 0 || read.limits.stall_seconds == 0 {
            return wrong("limits.handshake_seconds and limits.stall_seconds must be at least 1".to_owned());
        }
        if read.heads.interval_seconds == 0 {
            return wrong("heads.interval_seconds must be at least 1".to_owned());
        }
        if read.time_stamps.interval_seconds == 0 {
            return wrong("time_stamps.interval_seconds must be at least 1".to_owned());
        }
        if let Some(authority) = &read.time_stamps.authority
            && crate::stamp::Authority::parse(authority).is_none()
        {
            return wrong(
                "time_stamps.authority has the form http://HOST[:PORT]/PATH; a token is signed, so plain HTTP loses nothing".to_owned(),
            );
        }
        if read.limits.notice_validity_days == 0 {
            return wrong("limits.notice_validity_days must be at least 1".to_owned());
        }
        for deputy in &read.deputies {
            let known = |name: &str| read.persons.iter().find(|person| person.name == name);
            let Some(person) = known(&deputy.name) else {
                return wrong(format!("deputies: {} is nobody under persons", deputy.name));
            };
            // A deputy decides about what may leave: no system does, and no auditor reads content.
            if !person.roles.iter().any(|role| matches!(role, RoleName::Operator | RoleName::Approver)) {
                return wrong(format!("deputies: {} is neither operator nor approver under persons", deputy.name));
            }
            if !known(&deputy.of).is_some_and(|person| person.roles.contains(&RoleName::Approver)) {
                return wrong(format!("deputies: {} is no approver under persons", deputy.of));
            }
            if civil::day(&deputy.from).is_none() || civil::day(&deputy.until).is_none() || deputy.from > deputy.until {
                return wrong("deputies: from and until must be days YYYY-MM-DD, in this order".to_owned());
            }
        }
        if read.persons.len() > PERSONS_MAX || read.deputies.len() > PERSONS_MAX {
            return wrong(format!("persons and deputies: at most {PERSONS_MAX} of each"));
        }
        for person in &read.persons {
            if !is_pseudonym(&person.name) {
                return wrong(format!(
                    "persons: a name is 1 to 64 characters a-z, 0-9 and -; `{}` is not",
                    person.name
                ));
            }
        }
        Ok(read)
    }
}

pub(crate) fn is_pseudonym(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "format = 1\n[node]\nid = \"XX-ONE\"\n[peer]\nlisten = \"127.0.0.1:7001\"\n";

    #[test]
    fn each_fault_of_a_configuration_names_its_place() {
        assert!(Config::parse("f", GOOD).is_ok());
        let error = |text: &str| Config::parse("verbale.toml", text).unwrap_err().to_string();
        let unknown = error(&format!("{GOOD}port = 1\n"));
        assert!(
            unknown.contains("verbale.toml") && unknown.contains("line 6") && unknown.contains("port"),
            "{unknown}"
        );
        assert!(error(&GOOD.replace("XX-ONE", "A name")).contains("node.id"));
        assert!(error(&GOOD.replace("format = 1", "format = 2")).contains("format is 2"));
        assert!(error(&format!("{GOOD}[[persons]]\nname = \"Jane Doe\"\nroles = []\n")).contains("Jane Doe"));
        assert!(error(&format!("{GOOD}[[persons]]\nname = \"a\"\nroles = [\"king\"]\n")).contains("line 8"));
        let persons =
            "[[persons]]\nname = \"a\"\nroles = [\"approver\"]\n[[persons]]\nname = \"b\"\nroles = [\"operator\"]\n";
        let deputy = |name: &str, of: &str, until: &str| {
            format!(
                "{GOOD}{persons}[[deputies]]\nname = \"{name}\"\nof = \"{of}\"\nfrom = \"2026-08-01\"\nuntil = \"{until}\"\n"
            )
        };
        assert!(Config::parse("f", &deputy("b", "a", "2026-08-14")).is_ok());
        assert!(error(&deputy("c", "a", "2026-08-14")).contains("c is nobody"));
        assert!(error(&deputy("a", "b", "2026-08-14")).contains("b is no approver"));
        assert!(error(&deputy("b", "a", "2026-07-14")).contains("in this order"));
    }

    #[test]
    fn the_commented_example_is_a_configuration() {
        assert!(Config::parse("verbale.toml", include_str!("../../../config/verbale.toml")).is_ok());
    }
}
