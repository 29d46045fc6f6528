//! Calls of the tools that are part of the binary, module by module, in a project of their own: what one leaves, the next
//! one finds (`tests/fixtures/stories`).

use std::collections::BTreeMap;
use std::net::TcpListener;

use aa_spec::source::Source;
use aa_spec::test::fit;
use aa_spec::tool::module::{Example, Fails};
use aa_spec::yaml::{self, Node};
use serde::Deserialize;
use serde_json::Value;

use super::root;
use crate::support::server::{Reply, Server};
use crate::support::{Aa, Ran};

/// The calls of one module.
pub(super) struct Story {
    config: String,
    files: BTreeMap<String, String>,
    pub(super) examples: Vec<Told>,
}

/// A call of it.
pub(super) struct Told {
    pub(super) tool: String,
    pub(super) example: Example,
    /// Entries of the result that later calls name as `$NAME`.
    keep: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenStory {
    #[serde(default)]
    config: String,
    #[serde(default)]
    files: BTreeMap<String, String>,
    examples: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    tool: String,
    #[serde(default)]
    description: Option<String>,
    args: Node,
    #[serde(default)]
    expect: Option<Node>,
    #[serde(default)]
    fails: Option<Fails>,
    #[serde(default)]
    keep: BTreeMap<String, String>,
}

/// All of them.
pub(super) fn all() -> Vec<Story> {
    let folder = root().join("tests/fixtures/stories");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files
        .iter()
        .map(|file| Story::read(&file.display().to_string(), &std::fs::read_to_string(file).unwrap()))
        .collect()
}

impl Story {
    fn read(path: &str, text: &str) -> Self {
        let source = Source::new(path, text);
        let node = yaml::parse(&source).unwrap_or_else(|problem| panic!("{path}: {problem:?}"));
        let written: WrittenStory = node.read().unwrap_or_else(|problem| panic!("{path}: {problem:?}"));
        let told = |one: Written| {
            let Written { tool, description, args, expect, fails, keep } = one;
            let config = BTreeMap::new();
            Told { tool, keep, example: Example { description, args, config, recorded: None, expect, fails } }
        };
        let WrittenStory { config, files, examples } = written;
        Self { config, files, examples: examples.into_iter().map(told).collect() }
    }

    /// Makes all calls, and looks at what comes of each.
    pub(super) fn play(&self) {
        let project = self.files.iter().fold(Aa::new(), |aa, (path, text)| aa.file(path, text));
        let aa = if self.config.is_empty() { project } else { project.own_config(&self.config) };
        let web = Server::new(|_| Reply::text("{\"hello\": \"you\"}"));
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut known = BTreeMap::from([
            ("URL".to_owned(), web.url.clone()),
            ("PORT".to_owned(), web.url.rsplit(':').next().unwrap().to_owned()),
            ("CLOSED".to_owned(), closed.to_string()),
        ]);
        for told in &self.examples {
            told.play(&aa, &mut known);
        }
    }
}

impl Told {
    fn play(&self, aa: &Aa, known: &mut BTreeMap<String, String>) {
        let args = known.iter().fold(self.example.args.to_json().to_string(), |args, (name, value)| {
            // A number is none in quotes.
            let quoted = if value.parse::<u16>().is_ok() { format!("\"${name}\"") } else { String::new() };
            let args = if quoted.is_empty() { args } else { args.replace(&quoted, value) };
            args.replace(&format!("${name}"), value)
        });
        let ran = aa.args(["-q", "tool", "call", &self.tool, "--args", &args]).run();
        match &self.example.fails {
            Some(fails) => self.failed(fails, ran),
            None => self.given(&args, ran, known),
        }
    }

    fn failed(&self, fails: &Fails, ran: Ran) {
        let kind = serde_json::to_value(fails.kind.value).unwrap();
        let said = ran.code(1).err();
        let wanted = format!("`{}` failed ({})", self.tool, kind.as_str().unwrap());
        assert!(said.contains(&wanted), "{}: {said}", self.tool);
        if let Some(message) = &fails.message {
            assert!(said.contains(&message.value), "{}: {said}", self.tool);
        }
    }

    fn given(&self, args: &str, ran: Ran, known: &mut BTreeMap<String, String>) {
        let text = ran.code(0).out();
        // A text is printed as it is.
        let value = serde_json::from_str(&text).unwrap_or_else(|_| Value::from(text.trim_end_matches('\n')));
        if let Some(expect) = &self.example.expect {
            let wrong = fit(expect, Some(&value));
            assert!(wrong.is_empty(), "{} {args} gives {value:#}\n{wrong:#?}", self.tool);
        }
        for (name, entry) in &self.keep {
            known.insert(name.clone(), value[entry].as_str().unwrap().to_owned());
        }
    }
}
