//! A module's MCP server, compiled: how to reach it, and what is known here of its tools.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::http::Auth;
use super::{bad_name, check_text, exposed};
use crate::diagnostic::Diagnostic;
use crate::name;
use crate::source::Source;
use crate::template::Template;
use crate::tool::module::{self, Mcp, McpText, McpTool, Module, Setting};
use crate::tool::{Effect, Tier};
use crate::yaml::{Kind, Node, Spanned};

/// Time for starting and for listing, in milliseconds.
const START_MS: u64 = 60_000;
/// Time for a call, in milliseconds.
const CALL_MS: u64 = 300_000;

/// An MCP server.
#[derive(Clone, Debug)]
pub struct Server {
    /// The module's name.
    pub module: String,
    /// Values of the module's configuration that are needed to reach it, by name.
    pub config: Vec<(String, Setting)>,
    /// How to reach it.
    pub reach: Reach,
    /// What the names of its tools begin with, with every `-` as `_`.
    pub prefix: String,
    /// Starting it and listing its tools may each take this long, in milliseconds.
    pub start_ms: u64,
    /// A call may take this long, in milliseconds.
    pub call_ms: u64,
    /// What is known here of its tools, by its own names for them.
    pub tools: BTreeMap<String, Known>,
    /// What a tool does to the world of which nothing is known.
    pub default_effect: Effect,
}

/// How to reach a server.
#[derive(Clone, Debug)]
pub enum Reach {
    /// Over the standard input and output of a command.
    Command {
        /// Program and arguments.
        argv: Vec<Template>,
        /// Environment variables to set.
        env: Vec<(String, Template)>,
        /// Environment variables to pass on.
        env_pass: Vec<String>,
        /// Folder to run it in; empty for the working folder.
        folder: String,
    },
    /// Over streamable HTTP.
    Http {
        /// The address.
        url: Template,
        /// Headers of every request.
        headers: Vec<(String, Template)>,
        /// Ways to prove who asks; the first whose values are not null is used.
        auth: Vec<Auth>,
    },
}

/// What is known here of a tool.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// What a call does to the world.
    pub effect: Option<Effect>,
    /// Whether calling it twice equals calling it once.
    pub idempotent: Option<bool>,
    /// Its name here, with every `-` as `_`.
    pub name: Option<String>,
    /// How prominently it is offered.
    pub tier: Tier,
    /// Whether it is left out.
    pub hidden: bool,
    /// What a text that it gives is.
    pub result: McpText,
}

/// Compiles the server of a module.
///
/// # Errors
/// Everything that is wrong with it.
pub fn compile(module: &Module, mcp: &Spanned<Mcp>, source: &Source) -> Result<Server, Vec<Diagnostic>> {
    let mut compiler = Compiler { module, mcp, source, config: BTreeSet::new(), diagnostics: Vec::new() };
    let server = compiler.server();
    if compiler.diagnostics.is_empty() { Ok(server) } else { Err(compiler.diagnostics) }
}

struct Compiler<'a> {
    module: &'a Module,
    mcp: &'a Spanned<Mcp>,
    source: &'a Source,
    /// Values of the configuration that were read so far.
    config: BTreeSet<String>,
    diagnostics: Vec<Diagnostic>,
}

impl Compiler<'_> {
    fn server(&mut self) -> Server {
        let (module, mcp) = (self.module, &self.mcp.value);
        if let Some(tool) = module.tools.first() {
            let message = "a module over an MCP server has no `tools` of its own; the server has them";
            self.diagnostics.push(Diagnostic::error("bad-value", self.source, tool.name.span, message));
        }
        self.check_tools();
        let reach = self.reach();
        let used = |(name, _): &(&String, &Setting)| self.config.contains(*name);
        let config = module.config.iter().filter(used).map(|(name, setting)| (name.clone(), setting.clone()));
        Server {
            config: config.collect(),
            module: module.module.value.clone(),
            reach,
            prefix: self.prefix(),
            start_ms: self.duration(mcp.start_timeout.as_ref(), START_MS),
            call_ms: self.duration(mcp.timeout.as_ref(), CALL_MS),
            tools: mcp.tools.iter().map(|(name, tool)| (name.clone(), known(tool))).collect(),
            default_effect: mcp.default_effect,
        }
    }

    fn reach(&mut self) -> Reach {
        let mcp = &self.mcp.value;
        match (&mcp.url, mcp.command.is_empty()) {
            (Some(url), true) => {
                self.refuse_process_keys();
                let headers = self.templates(&mcp.headers);
                let auth = mcp.auth.iter().flat_map(|auth| &auth.0).filter_map(|auth| self.auth(auth));
                let auth = auth.collect();
                self.template(url).map_or_else(nowhere, |url| Reach::Http { url, headers, auth })
            }
            (None, false) => {
                self.refuse_web_keys();
                self.diagnostics.extend(super::spliced::in_command(self.source, &mcp.command));
                Reach::Command {
                    argv: mcp.command.iter().filter_map(|text| self.argument(text)).collect(),
                    env: self.templates(&mcp.env),
                    env_pass: mcp.env_pass.iter().map(|name| name.value.clone()).collect(),
                    folder: mcp.cwd.as_ref().map(|folder| folder.value.clone()).unwrap_or_default(),
                }
            }
            (url, _) => {
                let (code, message) = match url {
                    Some(_) => ("bad-value", "`mcp` has a `command` or a `url`, not both"),
                    None => ("missing-key", "`mcp` needs a `command` or a `url`"),
                };
                self.diagnostics.push(Diagnostic::error(code, self.source, self.mcp.span, message));
                nowhere()
            }
        }
    }

    /// A template of the command line, which everybody on the machine can read.
    fn argument(&mut self, text: &Spanned<String>) -> Option<Template> {
        let template = self.template(text)?;
        if let Some(path) = exposed(&template, self.module) {
            let message = format!("everybody on the machine can read a command line, and `{path}` is secret");
            let problem = Diagnostic::error("secret-in-command", self.source, text.span, message);
            self.diagnostics.push(problem.hint("hand it over in `env`"));
        }
        Some(template)
    }

    /// What only an address can have.
    fn refuse_web_keys(&mut self) {
        let mcp = &self.mcp.value;
        if let Some(header) = mcp.headers.values().next() {
            let message = "a command has no `headers`; they belong to `url`";
            self.diagnostics.push(Diagnostic::error("bad-value", self.source, header.span, message));
        }
        if mcp.auth.is_some() {
            let message = "a command has no `auth`; it belongs to `url`";
            let problem = Diagnostic::error("bad-value", self.source, self.mcp.span, message);
            self.diagnostics.push(problem.hint("hand secrets over in `env`"));
        }
    }

    fn auth(&mut self, auth: &module::Auth) -> Option<Auth> {
        Some(match auth {
            module::Auth::Bearer(token) => Auth::Bearer(self.value(token)?),
            module::Auth::Basic(basic) => Auth::Basic(self.value(&basic.user)?, self.value(&basic.password)?),
            module::Auth::Header(named) => Auth::Header(named.name.value.clone(), self.value(&named.value)?),
            module::Auth::Query(named) => Auth::Query(named.name.value.clone(), self.value(&named.value)?),
        })
    }

    /// A template of a value that is one text.
    fn value(&mut self, node: &Node) -> Option<Template> {
        if let Kind::Scalar(Value::String(text)) = &node.kind {
            return self.template(&Spanned { value: text.clone(), span: node.span });
        }
        let message = "this is a text, e.g. `\"{{ config.token }}\"`";
        self.diagnostics.push(Diagnostic::error("bad-value", self.source, node.span, message));
        None
    }

    /// What only a command can have.
    fn refuse_process_keys(&mut self) {
        let mcp = &self.mcp.value;
        let first = mcp.env.values().chain(&mcp.env_pass).chain(&mcp.cwd).next();
        if let Some(text) = first {
            let message = "a `url` has no environment and no folder; they belong to `command`";
            self.diagnostics.push(Diagnostic::error("bad-value", self.source, text.span, message));
        }
    }

    fn prefix(&mut self) -> String {
        let module = &self.module.module.value;
        let Some(prefix) = &self.mcp.value.prefix else { return format!("{}_", name::fold(module)) };
        if !name::is_valid(&prefix.value) {
            // Without one, every name that nobody knows could be a tool of this server.
            self.diagnostics.push(bad_name(self.source, prefix));
        }
        name::fold(&prefix.value)
    }

    fn check_tools(&mut self) {
        let mut seen = BTreeSet::new();
        for name in self.mcp.value.tools.values().filter_map(|tool| tool.name.as_ref()) {
            if !name::is_valid(&name.value) {
                self.diagnostics.push(bad_name(self.source, name));
            } else if !seen.insert(name::fold(&name.value)) {
                let message = format!("there are two tools `{}`", name.value);
                self.diagnostics.push(Diagnostic::error("duplicate-tool", self.source, name.span, message));
            }
        }
    }

    fn duration(&mut self, text: Option<&Spanned<String>>, otherwise: u64) -> u64 {
        let Some(text) = text else { return otherwise };
        match crate::duration::parse_ms(&text.value) {
            Ok(milliseconds) => milliseconds,
            Err(message) => {
                self.diagnostics.push(Diagnostic::error("bad-duration", self.source, text.span, message));
                otherwise
            }
        }
    }

    fn templates(&mut self, texts: &BTreeMap<String, Spanned<String>>) -> Vec<(String, Template)> {
        let compiled = texts.iter().map(|(name, text)| Some((name.clone(), self.template(text)?)));
        compiled.flatten().collect()
    }

    fn template(&mut self, text: &Spanned<String>) -> Option<Template> {
        let template = check_text(self.source, text, &mut self.diagnostics)?;
        for path in template.references() {
            let name = path.strip_prefix("config.").filter(|name| self.module.config.contains_key(*name));
            if let Some(name) = name {
                self.config.insert(name.to_owned());
                continue;
            }
            let message = format!("`{path}` is not among the `config` of the module");
            let problem = Diagnostic::error("unknown-reference", self.source, text.span, message);
            self.diagnostics.push(problem);
        }
        Some(template)
    }
}

/// Stands where a way should be that has errors.
fn nowhere() -> Reach {
    Reach::Command { argv: Vec::new(), env: Vec::new(), env_pass: Vec::new(), folder: String::new() }
}

fn known(tool: &McpTool) -> Known {
    Known {
        effect: tool.effect,
        idempotent: tool.idempotent,
        name: tool.name.as_ref().map(|name| name::fold(&name.value)),
        tier: tool.tier,
        hidden: tool.hidden,
        result: tool.result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(mcp: &str) -> Vec<String> {
        let text = format!("module: x\ndescription: A module\nmcp: {mcp}\n");
        let (_, diagnostics) = super::super::check(&Source::new("x.yaml", text));
        diagnostics.into_iter().map(|problem| format!("{}: {}", problem.code, problem.message)).collect()
    }

    fn server(mcp: &str) -> Server {
        let source = Source::new("x.yaml", format!("module: my-x\ndescription: A module\nmcp: {mcp}\n"));
        let (module, diagnostics) = super::super::check(&source);
        assert_eq!(diagnostics, []);
        let module = module.unwrap();
        compile(&module, module.mcp.as_ref().unwrap(), &source).unwrap()
    }

    #[test]
    fn a_server_has_its_usual_values() {
        let plain = server("{command: [serve, --fast]}");
        assert_eq!((plain.prefix.as_str(), plain.start_ms, plain.call_ms), ("my_x_", START_MS, CALL_MS));
        assert_eq!(plain.default_effect, Effect::Unknown);
        assert!(matches!(plain.reach, Reach::Command { argv, .. } if argv.len() == 2));
        let tools = "{read.file: {effect: read, name: look-at}, drop: {hidden: true, result: json}}";
        let full = server(&format!("{{url: 'http://x', prefix: a-, timeout: 2s, tools: {tools}}}"));
        assert_eq!((full.prefix.as_str(), full.call_ms), ("a_", 2000));
        assert_eq!(full.tools["read.file"].name.as_deref(), Some("look_at"));
        assert!(full.tools["drop"].hidden && full.tools["drop"].result == McpText::Json);
    }

    #[test]
    fn secrets_go_into_the_environment_and_not_into_the_command() {
        let config = "config: {token: {env: TOKEN, secret: true}}";
        let found = problems(&format!("{{command: [a], env: {{T: '{{{{ config.token }}}}'}}}}\n{config}"));
        assert_eq!(found, [] as [String; 0]);
        let found = problems(&format!("{{command: [a, '{{{{ config.token }}}}']}}\n{config}"));
        assert!(found[0].starts_with("secret-in-command: "), "{found:?}");
        let found = problems(&format!("{{command: [a, '{{{{ config.token[0] }}}}']}}\n{config}"));
        assert!(found[0].starts_with("secret-in-command: "), "a part of it: {found:?}");
        let asked = "{{ '--login' if config.token else '--guest' }}";
        assert_eq!(problems(&format!("{{command: [a, \"{asked}\"]}}\n{config}")), [] as [String; 0]);
    }

    #[test]
    fn what_does_not_fit_together_is_found() {
        let cases = [
            ("{}", "missing-key: `mcp` needs a `command` or a `url`"),
            ("{command: [a], url: 'http://x'}", "bad-value: `mcp` has a `command` or a `url`, not both"),
            (
                "{command: [a], headers: {A: b}}",
                "bad-value: a command has no `headers`; they belong to `url`",
            ),
            ("{command: [a], auth: {bearer: b}}", "bad-value: a command has no `auth`; it belongs to `url`"),
            (
                "{url: 'http://x', auth: {bearer: '{{ b }}'}}",
                "unknown-reference: `b` is not among the `config` of the module",
            ),
            (
                "{url: 'http://x', auth: {header: {name: A, value: [b]}}}",
                "bad-value: this is a text, e.g. `\"{{ config.token }}\"`",
            ),
            (
                "{url: 'http://x', env: {A: b}}",
                "bad-value: a `url` has no environment and no folder; they belong to `command`",
            ),
            ("{command: [a], prefix: ''}", "bad-name: `` cannot be a name"),
            (
                "{command: [a], env: {A: '{{ b }}'}}",
                "unknown-reference: `b` is not among the `config` of the module",
            ),
            (
                "{command: [a], tools: {a: {name: x}, b: {name: x}}}",
                "duplicate-tool: there are two tools `x`",
            ),
        ];
        for (mcp, expected) in cases {
            assert_eq!(problems(mcp), [expected], "{mcp}");
        }
    }
}
