//! A module's tool, compiled: what its runner carries out.

mod doubt;
mod example;
mod http;
pub mod mcp;
mod reading;
mod reconcile;
mod run;
mod spliced;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use regex::Regex;
use serde_json::Value;

pub use self::doubt::doubts;
pub use self::http::{
    Auth, Body, Breaker, Failure, FilePiece, First, Http, Limits, Next, Pages, PathPart, Piece, Service,
    Target,
};
pub use self::reading::Reading;
pub use self::run::{Part, Run};
use super::ErrorKind;
use super::module::{self, KeyPlace, Module, ModuleTool, Setting};
use crate::diagnostic::Diagnostic;
use crate::name;
use crate::source::{Source, Span};
use crate::template::{Expression, IN_QUOTES, SyntaxError, Template, literal_template};
use crate::yaml::{Node, Spanned};

/// What templates of a tool may read besides its arguments.
///
/// `idempotency_key` is the same for every attempt at one step, and for no other.
pub const CONTEXT: [&str; 1] = ["idempotency_key"];

/// What `value` of a command may read besides: what `result` gave, and how the command ended.
pub const ENDING: [&str; 4] = ["result", "exit_code", "stdout", "stderr"];

/// What `value` of a request may read besides: what `result` gave, and what was answered.
pub const ANSWER: [&str; 4] = ["result", "body", "status", "headers"];

/// The name under which templates read the module's configuration.
const CONFIG: &str = "config";

/// The name under which templates of a tool with `asks` read what was found of the address.
pub const OUTWARD: &str = "outward";

pub(crate) const PYTHON: &str = "this is Python, which does not run in tools";

/// A tool, ready to be called.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// How it is carried out.
    pub way: Way,
    /// What is the same for all ways.
    pub common: Common,
}

/// How a tool is carried out.
#[derive(Clone, Debug)]
pub enum Way {
    /// By a command of this machine.
    Run(Box<Run>),
    /// By a request to an HTTP API.
    Http(Box<Http>),
}

/// What a tool has however it is carried out.
#[derive(Clone, Debug)]
pub struct Common {
    /// Values of the module's configuration that it reads, by name.
    pub config: Vec<(String, Setting)>,
    /// Time it may take (a command), or one attempt at it (a request), in milliseconds.
    pub timeout_ms: Option<u64>,
    /// How its output becomes a value, when the tool says so.
    pub result: Option<Reading>,
    /// Makes another list of it, item by item.
    pub each: Option<Template>,
    /// Makes the tool's value of it, over the arguments, [`CONTEXT`] and how it ended.
    pub value: Option<Template>,
    /// Tells errors apart by what the other side said; the first match decides.
    pub errors: Vec<Rule>,
    /// Where it takes the idempotency key.
    pub idempotency_key: Option<KeyPlace>,
    /// Whom it asks that its arguments name.
    pub asks: Option<Asked>,
}

/// Whom a tool asks that its arguments name.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The address, or nothing.
    pub address: Template,
    /// Whether it goes on to wherever the other side sends it.
    pub follows: bool,
}

/// Tells one error apart.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Found in what the command printed or the service answered.
    pub pattern: LazyPattern,
    /// What kind of error that is.
    pub kind: ErrorKind,
    /// What to do about it; may be empty.
    pub hint: String,
    /// Whether every success is held against it, too.
    pub always: bool,
}

/// A pattern that is made when it is first needed: most are for errors that never come, and
/// making them all would take longer than everything else.
#[derive(Clone, Debug)]
pub struct LazyPattern {
    text: String,
    made: Arc<OnceLock<Option<Regex>>>,
}

impl LazyPattern {
    fn new(text: &str) -> Self {
        Self { text: text.to_owned(), made: Arc::default() }
    }

    /// Whether it is found in a text. One that is none, which [`check`] has said, is nowhere.
    pub fn is_match(&self, text: &str) -> bool {
        let made = self.made.get_or_init(|| multi_line(&self.text).ok());
        made.as_ref().is_some_and(|pattern| pattern.is_match(text))
    }
}

fn multi_line(text: &str) -> Result<Regex, regex::Error> {
    regex::RegexBuilder::new(text).multi_line(true).build()
}

/// Reads a module and checks everything that can be known before a call.
pub fn check(source: &Source) -> (Option<Module>, Vec<Diagnostic>) {
    let (module, mut diagnostics) = module::read(source);
    if let Some(module) = &module {
        check_names(module, source, &mut diagnostics);
        check_error_rules(module, source, &mut diagnostics);
        diagnostics.extend(crate::heal::check(&module.heal, source));
        for tool in &module.tools {
            for parameter in tool.input.0.iter().map(|(_, parameter)| parameter).chain(&tool.output) {
                crate::schema::idle::report(source, &parameter.node, &mut diagnostics);
            }
            if let Err(problems) = compile(module, tool, source) {
                diagnostics.extend(problems);
            }
            example::check(module, tool, source, &mut diagnostics);
        }
        diagnostics.extend(super::listener::compile(module, source).err().unwrap_or_default());
        if let Some(server) = &module.mcp {
            diagnostics.extend(mcp::compile(module, server, source).err().unwrap_or_default());
        }
    }
    diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
    // What is said once of the module is compiled with every tool.
    diagnostics.dedup();
    (module, diagnostics)
}

/// Compiles one tool of a module.
///
/// # Errors
/// Everything that is wrong with it.
pub fn compile(module: &Module, tool: &ModuleTool, source: &Source) -> Result<Recipe, Vec<Diagnostic>> {
    let mut compiler = Compiler {
        module,
        tool,
        source,
        config: BTreeSet::new(),
        found: Vec::new(),
        diagnostics: Vec::new(),
    };
    let recipe = compiler.recipe();
    if compiler.diagnostics.is_empty() { Ok(recipe) } else { Err(compiler.diagnostics) }
}

/// A text as a template that anything may be read in.
fn check_text(
    source: &Source,
    text: &Spanned<String>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Template> {
    let problem = match Template::parse(&Value::String(text.value.clone())) {
        Ok(template) if !template.has_python() => return Some(template),
        Ok(_) => Diagnostic::error("bad-template", source, text.span, PYTHON),
        Err(error) => {
            Diagnostic::error("bad-template", source, text.span, error.message.clone()).hint(&error.hint)
        }
    };
    diagnostics.push(problem);
    None
}

/// Patterns of errors must be patterns: they are made when an error comes, which is too late to say so.
fn check_error_rules(module: &Module, source: &Source, diagnostics: &mut Vec<Diagnostic>) {
    for rule in module.errors.iter().chain(module.tools.iter().flat_map(|tool| &tool.errors)) {
        let text = &rule.r#match;
        if let Err(error) = multi_line(&text.value) {
            diagnostics.push(crate::shape::bad_pattern(source, text.span, &text.value, &error));
        }
    }
}

fn rule(rule: &module::ErrorRule) -> Rule {
    let pattern = LazyPattern::new(&rule.r#match.value);
    let hint = rule.hint.clone().unwrap_or_default();
    Rule { pattern, kind: rule.kind, hint, always: rule.always }
}

fn check_names(module: &Module, source: &Source, diagnostics: &mut Vec<Diagnostic>) {
    let mut seen = BTreeSet::new();
    let names = module.tools.iter().map(|tool| &tool.name);
    for name in [&module.module].into_iter().chain(names.clone()) {
        if !name::is_valid(&name.value) {
            diagnostics.push(bad_name(source, name));
        }
    }
    for name in names {
        if !seen.insert(name::fold(&name.value)) {
            let message = format!("there are two tools `{}`", name.value);
            diagnostics.push(Diagnostic::error("duplicate-tool", source, name.span, message));
        }
    }
    for (alias, target) in &module.aliases {
        if module.tool(&target.value).is_none() {
            let message = format!("`{alias}` stands for `{}`, which is no tool of this module", target.value);
            let problem = Diagnostic::error("unknown-tool", source, target.span, message);
            let known = module.tools.iter().map(|tool| tool.name.value.as_str());
            diagnostics.push(problem.suggest(&target.value, known));
        }
        if seen.contains(&name::fold(alias)) {
            let message = format!("`{alias}` is the name of a tool already");
            diagnostics.push(Diagnostic::error("duplicate-tool", source, target.span, message));
        }
    }
}

fn bad_name(source: &Source, name: &Spanned<String>) -> Diagnostic {
    Diagnostic::error("bad-name", source, name.span, format!("`{}` cannot be a name", name.value))
        .hint("use a letter or `_`, then letters, digits, `_` and `-`")
}

/// Compiles one tool and collects what is wrong with it.
struct Compiler<'a> {
    module: &'a Module,
    tool: &'a ModuleTool,
    source: &'a Source,
    /// Values of the configuration that were read so far.
    config: BTreeSet<String>,
    /// What has been found out before the request, by name.
    found: Vec<&'a str>,
    diagnostics: Vec<Diagnostic>,
}

/// Which names a template or expression may read besides [`CONTEXT`] and the configuration.
#[derive(Clone, Copy)]
struct Known<'a> {
    /// The arguments of the tool, or none of them: then it belongs to the whole module.
    args: bool,
    /// What was found of whom the tool asks.
    looked: bool,
    more: &'a [&'a str],
}

impl Known<'static> {
    const MODULE: Self = Self { args: false, looked: false, more: &[] };
    const TOOL: Self = Self { args: true, looked: true, more: &[] };
}

impl<'a> Known<'a> {
    const fn and(more: &'a [&'a str]) -> Self {
        Self { args: true, looked: true, more }
    }
}

/// The secret value of a module's configuration that a template would put where everybody can read it.
fn exposed(template: &Template, module: &Module) -> Option<String> {
    let is_secret = |path: &String| {
        let name = path.strip_prefix("config.").and_then(|path| path.split('.').next()).unwrap_or_default();
        module.config.get(name).is_some_and(|setting| setting.secret)
    };
    template.carried().into_iter().find(is_secret)
}

impl Compiler<'_> {
    fn recipe(&mut self) -> Recipe {
        self.check_parameters();
        self.check_key_place();
        self.check_reconcile();
        self.check_cache();
        let way = match &self.tool.http {
            Some(request) => Way::Http(Box::new(self.http(request))),
            None => Way::Run(Box::new(self.run())),
        };
        let common = self.common();
        Recipe { way, common }
    }

    fn common(&mut self) -> Common {
        let (module, tool) = (self.module, self.tool);
        let ending = if tool.http.is_some() { ANSWER } else { ENDING };
        let errors = tool.errors.iter().chain(&module.errors).map(rule).collect();
        let service = module.http.as_ref().filter(|_| tool.http.is_some());
        let timeout = tool.timeout.as_ref().or_else(|| service.and_then(|http| http.timeout.as_ref()));
        let timeout_ms = timeout.and_then(|text| self.duration(text));
        let result = tool.result.as_ref().map(|form| self.reading(form));
        let each = tool.each.as_ref().and_then(|each| self.each(each, Known::and(&ending)));
        let value = tool.value.as_ref().and_then(|node| self.template(node, Known::and(&ending)));
        let asks = tool.asks.as_ref().and_then(|asks| self.asked(asks));
        // Last, because what is compiled before says what is read.
        let used = |(name, _): &(&String, &Setting)| self.config.contains(*name);
        let config = module.config.iter().filter(used).map(|(name, setting)| (name.clone(), setting.clone()));
        let config = config.collect();
        let idempotency_key = tool.idempotency_key.clone();
        Common { config, timeout_ms, result, each, value, errors, idempotency_key, asks }
    }

    fn asked(&mut self, asks: &module::Asks) -> Option<Asked> {
        // What is found of the address cannot be part of it.
        let address = self.text(&asks.address, Known { looked: false, ..Known::TOOL })?;
        Some(Asked { address, follows: asks.follows })
    }

    /// The same as a mapping of `each` in a value.
    fn each(&mut self, each: &module::Each, known: Known<'_>) -> Option<Template> {
        let of = each.of.as_ref().map_or("result", |of| of.value.as_str());
        let mut json = serde_json::json!({"each": of, "value": each.value.to_json()});
        if let Some(when) = &each.when {
            json["if"] = when.value.as_str().into();
        }
        self.parsed(Template::parse_lists(&json), &json, each.value.span, known)
    }

    fn text(&mut self, text: &Spanned<String>, known: Known<'_>) -> Option<Template> {
        self.parse(&Value::String(text.value.clone()), text.span, known)
    }

    /// A template that may make lists of lists.
    fn template(&mut self, node: &Node, known: Known<'_>) -> Option<Template> {
        let json = node.to_json();
        self.parsed(Template::parse_lists(&json), &json, node.span, known)
    }

    fn parse(&mut self, json: &Value, span: Span, known: Known<'_>) -> Option<Template> {
        self.parsed(Template::parse(json), json, span, known)
    }

    fn parsed(
        &mut self,
        template: Result<Template, SyntaxError>,
        json: &Value,
        span: Span,
        known: Known<'_>,
    ) -> Option<Template> {
        match template {
            Ok(template) if template.has_python() => {
                self.error("bad-template", span, PYTHON);
                None
            }
            Ok(template) => {
                self.check_references(&template.references(), span, known);
                Some(template)
            }
            Err(error) => {
                self.syntax("bad-template", &error, json.as_str().unwrap_or_default(), span);
                None
            }
        }
    }

    fn expression(&mut self, text: &Spanned<String>, known: Known<'_>) -> Option<Expression> {
        if literal_template(&text.value).is_some() {
            self.error("templated-condition", text.span, IN_QUOTES);
            return None;
        }
        match Expression::parse(&text.value) {
            Ok(expression) if expression.is_python() => {
                self.error("bad-expression", text.span, PYTHON);
                None
            }
            Ok(expression) => {
                self.check_references(&expression.references(), text.span, known);
                Some(expression)
            }
            Err(error) => {
                self.syntax("bad-expression", &error, &text.value, text.span);
                None
            }
        }
    }

    fn syntax(&mut self, code: &'static str, error: &SyntaxError, text: &str, span: Span) {
        let rest = text.get(error.offset..).unwrap_or_default();
        let width = rest.chars().next().map_or(0, char::len_utf8);
        let at = self.source.part(span, text, &(error.offset..error.offset + width));
        let at = if width == 0 { span } else { at };
        self.diagnostics
            .push(Diagnostic::error(code, self.source, at, error.message.clone()).hint(&error.hint));
    }

    /// Templates read what is known where they stand, nothing else.
    fn check_references(&mut self, paths: &BTreeSet<String>, span: Span, known: Known<'_>) {
        for path in paths {
            let name = path.split(['.', '[']).next().unwrap_or(path);
            let is_argument = known.args && self.tool.input.get(name).is_some();
            let is_outward = known.looked && self.is_outward(name);
            let is_found = known.args && (self.found.contains(&name) || is_outward);
            if is_argument || is_found || CONTEXT.contains(&name) || known.more.contains(&name) {
                continue;
            }
            if name == CONFIG && !self.module.config.is_empty() {
                self.check_setting(path, span);
            } else if known.args {
                let message = format!("`{name}` is no argument of `{}`", self.tool.name.value);
                let problem = Diagnostic::error("unknown-reference", self.source, span, message);
                let names = self.tool.input.names().chain(CONTEXT).chain(known.more.iter().copied());
                let names = names.chain(self.found.iter().copied());
                self.diagnostics.push(problem.suggest(name, names));
            } else {
                let message = format!("`{path}` is not known to the whole module");
                self.error("unknown-reference", span, message);
            }
        }
    }

    fn is_outward(&self, name: &str) -> bool {
        name == OUTWARD && self.tool.asks.is_some()
    }

    /// `config.NAME` reads one declared value, which is remembered.
    fn check_setting(&mut self, path: &str, span: Span) {
        let name = path.split('.').nth(1).unwrap_or_default();
        if self.module.config.contains_key(name) {
            self.config.insert(name.to_owned());
            return;
        }
        let message = match name {
            "" => "`config` is read value by value: `config.NAME`".to_owned(),
            name => format!("`{name}` is not among the `config` of the module"),
        };
        let problem = Diagnostic::error("unknown-reference", self.source, span, message);
        self.diagnostics.push(problem.suggest(name, self.module.config.keys().map(String::as_str)));
    }

    /// Names and other names of arguments can be names, and none means two arguments.
    fn check_parameters(&mut self) {
        let own = self.tool.input.0.iter().map(|(name, _)| name);
        let others = self.tool.input.0.iter().flat_map(|(_, parameter)| &parameter.aliases);
        let mut seen = BTreeSet::new();
        for name in own.chain(others) {
            if !name::is_valid(&name.value) {
                self.diagnostics.push(bad_name(self.source, name));
            } else if name.value == CONFIG && !self.module.config.is_empty() {
                let message = "`config` is what templates of this module call its configuration";
                self.error("reserved-name", name.span, message);
            } else if self.is_outward(&name.value) {
                let message =
                    "`outward` is what templates of this tool call what was found of whom it `asks`";
                self.error("reserved-name", name.span, message);
            } else if !seen.insert(name::fold(&name.value)) {
                let message = format!("`{}` has two arguments `{}`", self.tool.name.value, name.value);
                self.diagnostics.push(
                    Diagnostic::error("duplicate-argument", self.source, name.span, message)
                        .hint("a name and an alias stand for one argument each"),
                );
            }
        }
    }

    fn check_key_place(&mut self) {
        if let Some(KeyPlace::Arg(name)) = &self.tool.idempotency_key
            && self.tool.input.get(&name.value).is_none()
        {
            let message = format!("`{}` is no argument of `{}`", name.value, self.tool.name.value);
            let problem = Diagnostic::error("unknown-argument", self.source, name.span, message);
            self.diagnostics.push(problem.suggest(&name.value, self.tool.input.names()));
        }
    }

    /// A code is a success or an error of a kind.
    fn check_codes<C: Ord + std::fmt::Display>(
        &mut self,
        what: &str,
        ok: &[C],
        kinds: &BTreeMap<C, ErrorKind>,
    ) {
        for code in ok.iter().filter(|code| kinds.contains_key(*code)) {
            let message =
                format!("the {what} {code} of `{}` is among `ok` and among `kinds`", self.tool.name.value);
            let problem = Diagnostic::error("bad-value", self.source, self.tool.name.span, message);
            let hint = "when what was said decides, keep it in `ok` and add a rule to `errors`";
            self.diagnostics.push(problem.hint(hint));
        }
    }

    fn duration(&mut self, text: &Spanned<String>) -> Option<u64> {
        match crate::duration::parse_ms(&text.value) {
            Ok(milliseconds) => Some(milliseconds),
            Err(message) => {
                self.error("bad-duration", text.span, message);
                None
            }
        }
    }

    fn pattern(&mut self, text: &Spanned<String>) -> Option<Regex> {
        match multi_line(&text.value) {
            Ok(pattern) => Some(pattern),
            Err(error) => {
                self.diagnostics.push(crate::shape::bad_pattern(self.source, text.span, &text.value, &error));
                None
            }
        }
    }

    fn error(&mut self, code: &'static str, span: Span, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(code, self.source, span, message));
    }
}

#[cfg(test)]
mod tests;
