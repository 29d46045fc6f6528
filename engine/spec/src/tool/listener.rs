//! A module that listens: where what is new comes from, and what is kept of it.
//!
//! ```yaml
//! listener:
//!   key: "item.channel ~ ':' ~ item.ts"
//!   if: "not item.bot_id"
//!   value: {text: "{{ item.text }}", user: "{{ item.user }}"}
//!   poll:
//!     every: 10s
//!     tool: chat_messages
//!     args: {after: "{{ since }}"}
//!     items: result.messages
//!     since: item.ts
//!     start: "{{ now().timestamp() }}"
//! ```
//!
//! A listener keeps each item once, by its key, in a queue that outlives the process. What
//! a socket pushes and what a poll finds go into the same queue, so a poll closes the gap
//! that a lost socket leaves.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Effect;
use super::module::Module;
use crate::diagnostic::Diagnostic;
use crate::source::{Source, Span};
use crate::template::{Expression, SyntaxError, Template};
use crate::yaml::{Node, Spanned};

/// How a module listens, as its author wrote it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Listener")]
pub struct Authored {
    /// Expression over `item` that tells items apart: an item whose key is known is not new.
    pub key: Spanned<String>,
    /// Expression over `item`: which ones to keep (default: all).
    #[serde(default)]
    pub r#if: Option<Spanned<String>>,
    /// What to keep of an item; templates over `item` and `source` (default: the item).
    #[serde(default)]
    pub value: Option<Node>,
    /// Whom an item comes from; remembered for a day.
    #[serde(default)]
    pub person: Option<AuthoredPerson>,
    /// Asks for what is new, again and again.
    pub poll: AuthoredPoll,
    /// Is told what is new. Polls close the gaps, and stand in while there is no connection.
    #[serde(default)]
    pub socket: Option<AuthoredSocket>,
}

/// How to find out who somebody is.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ListenerPerson")]
pub struct AuthoredPerson {
    /// Expression over `item`: the id; nobody when it is null.
    pub id: Spanned<String>,
    /// Tool of effect `read` to ask.
    pub tool: Spanned<String>,
    /// Its arguments; templates over `id`.
    #[serde(default)]
    pub args: Option<Node>,
}

/// How to ask for what is new.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ListenerPoll")]
pub struct AuthoredPoll {
    /// How long to wait between two times, e.g. `10s`.
    #[serde(default, deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub every: Option<Spanned<String>>,
    /// Where to look, each place with a position of its own (default: one place).
    #[serde(default)]
    pub sources: Option<AuthoredSources>,
    /// Tool of effect `read` that gives the items after a position.
    pub tool: Spanned<String>,
    /// Its arguments; templates over `source` and `since`.
    #[serde(default)]
    pub args: Option<Node>,
    /// Expression over `result`: the items (default: `result`).
    #[serde(default)]
    pub items: Option<Spanned<String>>,
    /// Expression over `item`: its position. The greatest one seen is where the next look begins.
    pub since: Spanned<String>,
    /// The position of the first look, e.g. `{{ now().timestamp() }}`; a template.
    pub start: Spanned<String>,
    /// Items below other items, which `tool` does not give.
    #[serde(default)]
    pub threads: Option<AuthoredThreads>,
}

/// Where what is said below other items is found. Of one source, twenty threads at most are asked for
/// in one look.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ListenerThreads")]
pub struct AuthoredThreads {
    /// Tool of effect `read` that gives the items that something may be below; read by the poll's `items`.
    pub tool: Spanned<String>,
    /// Its arguments; templates over `source`.
    #[serde(default)]
    pub args: Option<Node>,
    /// Expression over `item`: what its thread is called.
    pub id: Spanned<String>,
    /// Expression over `item`: the position of the newest one below it; null when nothing is.
    pub since: Spanned<String>,
    /// How to ask for what is below it, read by the poll's `items`; templates over `source`, `thread` and `since`.
    pub replies: AuthoredReplies,
}

/// How to ask for what is below an item.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ListenerReplies")]
pub struct AuthoredReplies {
    /// Tool of effect `read` to ask.
    pub tool: Spanned<String>,
    /// Its arguments.
    #[serde(default)]
    pub args: Option<Node>,
}

/// Where to look.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ListenerSources")]
pub struct AuthoredSources {
    /// Tool of effect `read` to ask.
    pub tool: Spanned<String>,
    /// Its arguments.
    #[serde(default)]
    pub args: Option<Node>,
    /// Expression over `result`: a list of texts.
    pub items: Spanned<String>,
}

/// How to be told what is new, over a WebSocket.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ListenerSocket")]
pub struct AuthoredSocket {
    /// Tool that gives the address of the socket.
    pub open: Spanned<String>,
    /// Expression over `result`: the address.
    pub url: Spanned<String>,
    /// Expression over `message`: the connection is ready (default: as soon as there is one).
    #[serde(default)]
    pub ready: Option<Spanned<String>>,
    /// Expression over `message`: the other side wants a new connection.
    #[serde(default)]
    pub close: Option<Spanned<String>>,
    /// What to answer to a message once what it brought is on disk; templates over `message`.
    #[serde(default)]
    pub ack: Option<AuthoredAck>,
    /// Expression over `message`: the item, or null.
    pub item: Spanned<String>,
    /// Expression over `item`: which of the poll's sources it belongs to.
    #[serde(default)]
    pub source: Option<Spanned<String>>,
}

/// What to answer to a message.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ListenerAck")]
pub struct AuthoredAck {
    /// Expression over `message`: whether to answer it.
    pub r#if: Spanned<String>,
    /// The answer, sent as JSON; templates over `message`.
    pub json: Node,
}

/// How a module listens, compiled.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each is what the authored field of that name says")]
pub struct Listener {
    pub key: Expression,
    pub condition: Option<Expression>,
    pub value: Option<Template>,
    pub person: Option<Person>,
    pub poll: Poll,
    pub socket: Option<Socket>,
}

/// How to find out who somebody is.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each is what the authored field of that name says")]
pub struct Person {
    pub id: Expression,
    pub ask: Ask,
}

/// A tool with its arguments.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each is what the authored field of that name says")]
pub struct Ask {
    pub tool: String,
    pub args: Template,
}

/// How to ask for what is new.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each is what the authored field of that name says")]
pub struct Poll {
    pub every_ms: u64,
    pub sources: Option<(Ask, Expression)>,
    pub ask: Ask,
    pub items: Expression,
    pub since: Expression,
    pub start: Template,
    pub threads: Option<Threads>,
}

/// How to ask for what is below other items.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each is what the authored field of that name says")]
pub struct Threads {
    pub ask: Ask,
    pub id: Expression,
    pub since: Expression,
    pub replies: Ask,
}

/// How to be told what is new.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each is what the authored field of that name says")]
pub struct Socket {
    pub open: String,
    pub url: Expression,
    pub ready: Option<Expression>,
    pub close: Option<Expression>,
    pub ack: Option<(Expression, Template)>,
    pub item: Expression,
    pub source: Option<Expression>,
}

/// How long to wait between two polls when nothing is said.
const EVERY: &str = "10s";

/// The tool that gives what a module's listener has heard: `NAME_get_pending`.
pub fn pending_tool(module: &str) -> String {
    format!("{module}_get_pending")
}

/// The tool that gives the same to one caller at a time: `NAME_claim_pending`.
pub fn claim_tool(module: &str) -> String {
    format!("{module}_claim_pending")
}

/// The tool that marks what has been dealt with: `NAME_respond_mark`.
pub fn mark_tool(module: &str) -> String {
    format!("{module}_respond_mark")
}

/// Compiles how a module listens; `None` when it does not.
///
/// # Errors
/// Everything that is wrong with it.
pub fn compile(module: &Module, source: &Source) -> Result<Option<Listener>, Vec<Diagnostic>> {
    let Some(authored) = &module.listener else { return Ok(None) };
    let mut compiler = Compiler { module, source, diagnostics: Vec::new() };
    let listener = compiler.listener(authored);
    match listener {
        Some(listener) if compiler.diagnostics.is_empty() => Ok(Some(listener)),
        _ => Err(compiler.diagnostics),
    }
}

struct Compiler<'a> {
    module: &'a Module,
    source: &'a Source,
    diagnostics: Vec<Diagnostic>,
}

impl Compiler<'_> {
    fn listener(&mut self, authored: &Authored) -> Option<Listener> {
        let key = self.expression(&authored.key, &["item"]);
        let condition = self.optional(authored.r#if.as_ref(), &["item"]);
        let value = authored.value.as_ref().map(|node| self.template(node, &["item", "source"]));
        let person = authored.person.as_ref().map(|person| self.person(person));
        let poll = self.poll(&authored.poll);
        let socket = authored.socket.as_ref().map(|socket| self.socket(socket));
        Some(Listener {
            key: key?,
            condition: condition?,
            value: whole(value)?,
            person: whole(person)?,
            poll: poll?,
            socket: whole(socket)?,
        })
    }

    fn person(&mut self, authored: &AuthoredPerson) -> Option<Person> {
        let id = self.expression(&authored.id, &["item"]);
        let ask = self.ask(&authored.tool, authored.args.as_ref(), &["id"]);
        Some(Person { id: id?, ask: ask? })
    }

    fn poll(&mut self, authored: &AuthoredPoll) -> Option<Poll> {
        let every = authored.every.as_ref().map_or_else(|| EVERY.to_owned(), |text| text.value.clone());
        let every_ms = crate::duration::parse_ms(&every);
        if let (Err(message), Some(text)) = (&every_ms, &authored.every) {
            self.report("bad-duration", text.span, message);
        }
        let sources = authored.sources.as_ref().map(|sources| {
            let ask = self.ask(&sources.tool, sources.args.as_ref(), &[]);
            let items = self.expression(&sources.items, &["result"]);
            Some((ask?, items?))
        });
        let ask = self.ask(&authored.tool, authored.args.as_ref(), &["source", "since"]);
        let items = match &authored.items {
            Some(text) => self.expression(text, &["result"]),
            None => Expression::parse("result").ok(),
        };
        let since = self.expression(&authored.since, &["item"]);
        let start = self.text(&authored.start, &[]);
        let threads = authored.threads.as_ref().map(|threads| self.threads(threads));
        Some(Poll {
            every_ms: every_ms.ok()?,
            sources: whole(sources)?,
            ask: ask?,
            items: items?,
            since: since?,
            start: start?,
            threads: whole(threads)?,
        })
    }

    fn threads(&mut self, authored: &AuthoredThreads) -> Option<Threads> {
        let ask = self.ask(&authored.tool, authored.args.as_ref(), &["source"]);
        let id = self.expression(&authored.id, &["item"]);
        let since = self.expression(&authored.since, &["item"]);
        let replies = &authored.replies;
        let replies = self.ask(&replies.tool, replies.args.as_ref(), &["source", "thread", "since"]);
        Some(Threads { ask: ask?, id: id?, since: since?, replies: replies? })
    }

    fn socket(&mut self, authored: &AuthoredSocket) -> Option<Socket> {
        self.known_tool(&authored.open);
        let url = self.expression(&authored.url, &["result"]);
        let ready = self.optional(authored.ready.as_ref(), &["message"]);
        let close = self.optional(authored.close.as_ref(), &["message"]);
        let ack = authored.ack.as_ref().map(|ack| {
            let condition = self.expression(&ack.r#if, &["message"]);
            let json = self.template(&ack.json, &["message"]);
            Some((condition?, json?))
        });
        let item = self.expression(&authored.item, &["message"]);
        let source = self.optional(authored.source.as_ref(), &["item"]);
        Some(Socket {
            open: authored.open.value.clone(),
            url: url?,
            ready: ready?,
            close: close?,
            ack: whole(ack)?,
            item: item?,
            source: source?,
        })
    }

    fn ask(&mut self, tool: &Spanned<String>, args: Option<&Node>, names: &[&str]) -> Option<Ask> {
        self.reading_tool(tool);
        let args = match args {
            Some(node) => self.template(node, names)?,
            None => Template::constant(serde_json::json!({})),
        };
        Some(Ask { tool: tool.value.clone(), args })
    }

    /// What is asked again and again, by nobody's wish, must change nothing.
    fn reading_tool(&mut self, tool: &Spanned<String>) {
        self.known_tool(tool);
        let effect = self.module.tool(&tool.value).map(|found| found.effect.value);
        if let Some(effect) = effect.filter(|effect| *effect != Effect::Read) {
            let name = serde_json::to_value(effect).unwrap_or_default();
            let name = name.as_str().unwrap_or_default();
            let message =
                format!("`{}` has effect `{name}`, and a listener asks only tools that read", tool.value);
            let problem = Diagnostic::error("listener-effect", self.source, tool.span, message);
            self.diagnostics.push(problem.hint("name a tool of effect `read`"));
        }
    }

    /// A listener asks tools of its own module: one that it does not have is a mistake.
    fn known_tool(&mut self, tool: &Spanned<String>) {
        if self.module.tool(&tool.value).is_none() {
            let message = format!("`{}` is no tool of this module", tool.value);
            let problem = Diagnostic::error("unknown-tool", self.source, tool.span, message);
            let known = self.module.tools.iter().map(|tool| tool.name.value.as_str());
            self.diagnostics.push(problem.suggest(&tool.value, known));
        }
    }

    #[expect(clippy::option_option, reason = "outside whether it could be read, inside whether it is there")]
    fn optional(&mut self, text: Option<&Spanned<String>>, names: &[&str]) -> Option<Option<Expression>> {
        match text {
            Some(text) => self.expression(text, names).map(Some),
            None => Some(None),
        }
    }

    fn expression(&mut self, text: &Spanned<String>, names: &[&str]) -> Option<Expression> {
        match Expression::parse(&text.value) {
            Ok(expression) if expression.is_python() => {
                self.report("bad-expression", text.span, super::recipe::PYTHON);
                None
            }
            Ok(expression) => {
                self.check_references(&expression.references(), text.span, names);
                Some(expression)
            }
            Err(error) => self.syntax("bad-expression", &error, text.span),
        }
    }

    fn text(&mut self, text: &Spanned<String>, names: &[&str]) -> Option<Template> {
        self.parse(&serde_json::Value::String(text.value.clone()), text.span, names)
    }

    fn template(&mut self, node: &Node, names: &[&str]) -> Option<Template> {
        self.parse(&node.to_json(), node.span, names)
    }

    fn parse(&mut self, json: &serde_json::Value, span: Span, names: &[&str]) -> Option<Template> {
        match Template::parse_lists(json) {
            Ok(template) if template.has_python() => {
                self.report("bad-template", span, super::recipe::PYTHON);
                None
            }
            Ok(template) => {
                self.check_references(&template.references(), span, names);
                Some(template)
            }
            Err(error) => self.syntax("bad-template", &error, span),
        }
    }

    fn syntax<T>(&mut self, code: &'static str, error: &SyntaxError, span: Span) -> Option<T> {
        let problem = Diagnostic::error(code, self.source, span, error.message.clone());
        self.diagnostics.push(problem.hint(&error.hint));
        None
    }

    fn check_references(&mut self, paths: &BTreeSet<String>, span: Span, names: &[&str]) {
        for path in paths {
            let name = path.split(['.', '[']).next().unwrap_or(path);
            if !names.contains(&name) {
                let message = format!("`{name}` is not known here");
                let problem = Diagnostic::error("unknown-reference", self.source, span, message);
                self.diagnostics.push(problem.suggest(name, names.iter().copied()));
            }
        }
    }

    fn report(&mut self, code: &'static str, span: Span, message: &str) {
        self.diagnostics.push(Diagnostic::error(code, self.source, span, message));
    }
}

/// What may be absent: `None` only when it is there and could not be read.
#[expect(clippy::option_option, reason = "outside whether it could be read, inside whether it is there")]
fn whole<T>(part: Option<Option<T>>) -> Option<Option<T>> {
    match part {
        None => Some(None),
        Some(read) => read.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::recipe;

    const CHAT: &str = r#"
module: chat
description: A chat
tools:
  - {name: chat_messages, description: Messages, effect: read, input: {after: {type: string}}, run: [x]}
  - {name: chat_open, description: Opens a socket, effect: write, run: [x]}
listener:
  key: item.id
  if: item.text
  value: {text: "{{ item.text }}", where: "{{ source }}"}
  person: {id: item.user, tool: chat_messages, args: {after: "{{ id }}"}}
  poll:
    every: 5s
    tool: chat_messages
    args: {after: "{{ since }}"}
    items: result.messages
    since: item.id
    start: "{{ now().timestamp() }}"
  socket:
    open: chat_open
    url: result.url
    ready: message.type == 'hello'
    ack: {if: message.id, json: {id: "{{ message.id }}"}}
    item: message.event
"#;

    #[test]
    fn a_listener_is_compiled() {
        let source = Source::new("chat.yaml", CHAT);
        let (module, problems) = recipe::check(&source);
        assert_eq!(problems, []);
        let listener = compile(&module.unwrap(), &source).unwrap().unwrap();
        assert_eq!(listener.poll.every_ms, 5000);
        assert_eq!(listener.socket.unwrap().open, "chat_open");
        let without = "module: x\ndescription: X\ntools: []\n";
        let source = Source::new("x.yaml", without);
        assert!(compile(&recipe::check(&source).0.unwrap(), &source).unwrap().is_none());
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let changes = [
            ("key: item.id", "key: itm.id", "`itm` is not known here"),
            ("every: 5s", "every: soon", "is not a duration"),
            ("open: chat_open", "open: chat_opn", "`chat_opn` is no tool of this module"),
            ("url: result.url", "url: 'result.'", "unexpected"),
            ("args: {after: \"{{ since }}\"}", "args: {after: \"{{ until }}\"}", "`until` is not known here"),
            ("item: message.event", "item: item.event", "`item` is not known here"),
        ];
        for (right, wrong, message) in changes {
            let source = Source::new("chat.yaml", CHAT.replacen(right, wrong, 1));
            let (_, problems) = recipe::check(&source);
            assert!(
                problems.iter().any(|problem| problem.message.contains(message)),
                "{wrong}: {problems:?}"
            );
        }
    }
}
