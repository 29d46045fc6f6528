//! Addresses of resources: `aa://runs/12/events?from=40`, and the older names for some of them.

use std::collections::BTreeMap;
use std::fmt;

use aa_run::event::{RunId, StepPath};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What stays as it is in a part of an address.
const PLAIN: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Something that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// The skills.
    Skills,
    /// A skill's text and plan.
    Skill(String),
    /// A skill's plan.
    Plan(String),
    /// The caller's runs.
    Runs,
    /// One of them, in short.
    Run(RunId),
    /// What happened in it.
    Events(RunId),
    /// What came of it.
    Outputs(RunId),
    /// What happened in it, in words.
    Logs(RunId),
    /// Everything about one of its steps.
    Step(RunId, StepPath),
    /// A result that was too large for its answer.
    Result(String),
    /// The keys of the memory.
    Memory,
    /// What is remembered under a key.
    Document(String),
    /// The personas.
    Personas,
    /// One of them.
    Persona(String),
    /// The settings.
    Config,
    /// One of the values of the configuration.
    Value(String),
}

/// An address, and where in it to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) address: Address,
    /// The first event, byte or, counted downwards, run that is wanted.
    pub(crate) from: Option<u64>,
}

impl Asked {
    /// What an address means; none when it is no address of ours.
    pub(crate) fn parse(uri: &str) -> Option<Self> {
        let (scheme, rest) = uri.split_once("://")?;
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        let from = match query {
            None => None,
            Some(query) => Some(query.strip_prefix("from=")?.parse().ok()?),
        };
        let parts: Vec<String> = path.split('/').map(part).collect::<Option<_>>()?;
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        Some(Self { address: Address::of(scheme, &parts)?, from })
    }
}

/// A part of a path, decoded once. What could mean another place is no part.
fn part(text: &str) -> Option<String> {
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    let harmless = !matches!(&*decoded, "" | "." | "..") && !decoded.contains(['/', '\\']);
    (harmless && !decoded.chars().any(char::is_control)).then(|| decoded.into_owned())
}

/// What stands in the holes of an address, decoded once; none when it could mean another place.
pub(super) fn decoded(holes: BTreeMap<String, String>) -> Option<BTreeMap<String, String>> {
    holes.into_iter().map(|(hole, text)| Some((hole, part(&text)?))).collect()
}

impl Address {
    fn of(scheme: &str, parts: &[&str]) -> Option<Self> {
        Some(match (scheme, parts) {
            ("aa" | "config", ["skills"]) => Self::Skills,
            ("aa", ["skills", name]) => Self::Skill((*name).to_owned()),
            ("aa", ["skills", name, "plan"]) => Self::Plan((*name).to_owned()),
            ("aa", ["runs"]) => Self::Runs,
            ("aa", ["runs", run, rest @ ..]) => Self::of_run(RunId(run.parse().ok()?), rest)?,
            ("aa", ["results", id]) => Self::Result((*id).to_owned()),
            ("aa", ["memory"]) => Self::Memory,
            ("aa", ["memory", key @ ..]) | ("memory", key) => Self::Document(key.join("/")),
            ("aa" | "config", ["personas"]) => Self::Personas,
            ("aa", ["personas", name]) => Self::Persona((*name).to_owned()),
            ("aa", ["config"]) => Self::Config,
            ("config", [name]) => Self::Value((*name).to_owned()),
            _ => return None,
        })
    }

    fn of_run(run: RunId, parts: &[&str]) -> Option<Self> {
        Some(match parts {
            [] => Self::Run(run),
            ["events"] => Self::Events(run),
            ["outputs"] => Self::Outputs(run),
            ["logs"] => Self::Logs(run),
            ["steps", path @ ..] if !path.is_empty() => Self::Step(run, StepPath(path.join("/"))),
            _ => return None,
        })
    }

    /// The run that it is about, if it is about one.
    pub(crate) fn run(&self) -> Option<RunId> {
        match self {
            Self::Run(run)
            | Self::Events(run)
            | Self::Outputs(run)
            | Self::Logs(run)
            | Self::Step(run, _) => Some(*run),
            _ => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = |text: &str| text.split('/').map(encoded).collect::<Vec<_>>().join("/");
        match self {
            Self::Skills => f.write_str("aa://skills"),
            Self::Skill(name) => write!(f, "aa://skills/{}", encoded(name)),
            Self::Plan(name) => write!(f, "aa://skills/{}/plan", encoded(name)),
            Self::Runs => f.write_str("aa://runs"),
            Self::Run(run) => write!(f, "aa://runs/{run}"),
            Self::Events(run) => write!(f, "aa://runs/{run}/events"),
            Self::Outputs(run) => write!(f, "aa://runs/{run}/outputs"),
            Self::Logs(run) => write!(f, "aa://runs/{run}/logs"),
            Self::Step(run, step) => write!(f, "aa://runs/{run}/steps/{}", path(&step.0)),
            Self::Result(id) => write!(f, "aa://results/{}", encoded(id)),
            Self::Memory => f.write_str("aa://memory"),
            Self::Document(key) => write!(f, "aa://memory/{}", path(key)),
            Self::Personas => f.write_str("aa://personas"),
            Self::Persona(name) => write!(f, "aa://personas/{}", encoded(name)),
            Self::Config => f.write_str("aa://config"),
            Self::Value(name) => write!(f, "config://{}", encoded(name)),
        }
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, &PLAIN).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let step = |path: &str| Address::Step(RunId(7), StepPath(path.to_owned()));
        let all = [
            Address::Skills,
            Address::Skill("deploy_ephemeral".to_owned()),
            Address::Plan("ä b".to_owned()),
            Address::Runs,
            Address::Run(RunId(7)),
            Address::Events(RunId(7)),
            Address::Outputs(RunId(7)),
            Address::Logs(RunId(7)),
            step("build"),
            step("fan[3]"),
            step("release/build#heal/1_kube_login"),
            step("100%"),
            Address::Result("0f1e".to_owned()),
            Address::Memory,
            Address::Document("state/current_work".to_owned()),
            Address::Personas,
            Address::Persona("dev ops".to_owned()),
            Address::Config,
            Address::Value("repositories".to_owned()),
        ];
        for address in all {
            let uri = address.to_string();
            assert_eq!(Asked::parse(&uri), Some(Asked { address, from: None }), "{uri}");
        }
        let from = Asked::parse("aa://runs/7/events?from=40").unwrap();
        assert_eq!(from, Asked { address: Address::Events(RunId(7)), from: Some(40) });
    }

    #[test]
    fn older_names_mean_the_same() {
        let cases = [
            ("memory://state/current_work", "aa://memory/state/current_work"),
            ("memory://learned/patterns", "aa://memory/learned/patterns"),
            ("config://personas", "aa://personas"),
            ("config://skills", "aa://skills"),
        ];
        for (old, new) in cases {
            assert_eq!(Asked::parse(old), Asked::parse(new), "{old}");
        }
    }

    #[test]
    fn what_leads_elsewhere_is_no_address() {
        let none = [
            "",
            "aa://",
            "aa:/runs",
            "aa://runs/",
            "aa://runs/x",
            "aa://runs/1/secrets",
            "aa://runs/1/steps",
            "aa://runs/1/events?to=3",
            "aa://runs/1/events?from=-3",
            "aa://skills/../config",
            "aa://skills/%2e%2e",
            "aa://skills/a%2Fb",
            "aa://skills/a%5Cb",
            "aa://memory/state/../../etc",
            "aa://memory/%2e%2e/x",
            "aa://memory/a%00b",
            "memory://",
            "file:///etc/passwd",
            "aa://skills/%ff",
        ];
        for uri in none {
            assert_eq!(Asked::parse(uri), None, "{uri}");
        }
        // Decoded once: what is left of a double encoding is a plain name.
        let twice = Asked::parse("aa://skills/%252e%252e").unwrap();
        assert_eq!(twice.address, Address::Skill("%2e%2e".to_owned()));
    }
}
