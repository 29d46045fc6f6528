//! A module's tool, compiled: what its runner carries out.

mod doubt;
mod example;
pub mod mcp;

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::Value;

pub use self::doubt::doubts;
use super::ErrorKind;
use super::module::{self, Argument, FieldType, KeyPlace, Lines, Module, ModuleTool, Pick, ResultForm};
use crate::diagnostic::Diagnostic;
use crate::name;
use crate::source::{Source, Span};
use crate::template::{Expression, IN_QUOTES, SyntaxError, Template, literal_template};
use crate::yaml::{Node, Spanned};

/// What templates of a tool may read besides its arguments.
///
/// `idempotency_key` is the same for every attempt at one step, and for no other.
pub const CONTEXT: [&str; 1] = ["idempotency_key"];

/// What `value` may read besides: what `result` gave, and how the command ended.
pub const ENDING: [&str; 4] = ["result", "exit_code", "stdout", "stderr"];

pub(super) const PYTHON: &str = "this is Python, which does not run in tools";

/// How a tool is carried out.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The command and its arguments.
    pub run: Vec<Part>,
    /// Text for its standard input.
    pub stdin: Option<Template>,
    /// Folder to run in.
    pub cwd: Option<Template>,
    /// Environment variables to set.
    pub env: Vec<(String, Template)>,
    /// Environment variables to pass on.
    pub env_pass: Vec<String>,
    /// Time it may take, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// How its output becomes a value.
    pub result: Reading,
    /// Makes the tool's value of it, over the arguments, [`CONTEXT`] and [`ENDING`].
    pub value: Option<Template>,
    /// Exit codes that are a success.
    pub ok: BTreeSet<i32>,
    /// Error kinds of other exit codes.
    pub kinds: BTreeMap<i32, ErrorKind>,
    /// Tells errors apart by what the command printed; the first match decides.
    pub errors: Vec<Rule>,
    /// Where it takes the idempotency key.
    pub idempotency_key: Option<KeyPlace>,
}

/// One or more arguments of a command. A template that is one whole `{{ expression }}` is
/// left out when it is null, and stands for several arguments when it is a list.
#[derive(Clone, Debug)]
pub struct Part {
    /// There only when this is true.
    pub condition: Option<Expression>,
    /// The arguments.
    pub values: Vec<Template>,
    /// The arguments when it is not.
    pub otherwise: Vec<Template>,
    /// Whether values may be options.
    pub options: bool,
}

/// How the output of a command becomes a value.
#[derive(Clone, Debug)]
pub enum Reading {
    /// The text, without the line ends after it.
    Text,
    /// One JSON value.
    Json,
    /// One JSON value per line, as a list.
    JsonLines,
    /// One YAML document.
    Yaml,
    /// One item per line; empty lines are left out.
    Lines {
        /// What ends a line; `None` for a line break.
        end: Option<String>,
        /// What stands between fields; `None` for any white space.
        split: Option<String>,
        /// Names of the fields; none: the line itself is the item.
        fields: Vec<String>,
        /// Only lines that it matches, as what it captures.
        pattern: Option<Regex>,
        /// Types of the fields that are no text.
        types: BTreeMap<String, FieldType>,
    },
    /// What a regular expression finds.
    Regex {
        /// The expression, with `^` and `$` at the ends of lines.
        pattern: Regex,
        /// A list of all matches, not the first or null.
        all: bool,
        /// Types of the named groups that are no text.
        types: BTreeMap<String, FieldType>,
    },
    /// Several readings of the same output, by name.
    Object(Vec<(String, Reading)>),
}

/// Tells one error apart.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Found in what the command printed.
    pub pattern: Regex,
    /// What kind of error that is.
    pub kind: ErrorKind,
    /// What to do about it; may be empty.
    pub hint: String,
}

/// Reads a module and checks everything that can be known before a call.
pub fn check(source: &Source) -> (Option<Module>, Vec<Diagnostic>) {
    let (module, mut diagnostics) = module::read(source);
    if let Some(module) = &module {
        check_names(module, source, &mut diagnostics);
        check_content(module, source, &mut diagnostics);
        diagnostics.extend(crate::heal::check(&module.heal, source));
        for tool in &module.tools {
            for parameter in tool.input.0.iter().map(|(_, parameter)| parameter).chain(&tool.output) {
                crate::schema::idle::report(source, &parameter.node, &mut diagnostics);
            }
            if let Err(problems) = compile(module, tool, source) {
                diagnostics.extend(problems);
            }
            example::check(tool, source, &mut diagnostics);
        }
        diagnostics.extend(super::listener::compile(module, source).err().unwrap_or_default());
    }
    diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
    (module, diagnostics)
}

/// Compiles one tool of a module.
///
/// # Errors
/// Everything that is wrong with it.
pub fn compile(module: &Module, tool: &ModuleTool, source: &Source) -> Result<Recipe, Vec<Diagnostic>> {
    let mut compiler = Compiler { module, tool, source, diagnostics: Vec::new() };
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

/// A module without anything in it is a mistake, most likely a misspelled key.
fn check_content(module: &Module, source: &Source, diagnostics: &mut Vec<Diagnostic>) {
    if let Some(server) = &module.mcp {
        diagnostics.extend(mcp::compile(module, server, source).err().unwrap_or_default());
    } else if module.tools.is_empty() && module.heal.is_empty() {
        let message = format!("the module `{}` has neither `tools` nor `heal` rules", module.module.value);
        diagnostics.push(Diagnostic::error("missing-key", source, module.module.span, message));
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
    diagnostics: Vec<Diagnostic>,
}

impl Compiler<'_> {
    fn recipe(&mut self) -> Recipe {
        let (module, tool) = (self.module, self.tool);
        if tool.run.is_empty() {
            self.error(
                "missing-key",
                tool.name.span,
                format!("`run` of `{}` names no command", tool.name.value),
            );
        }
        self.check_parameters();
        self.check_key_place();
        Recipe {
            run: tool.run.iter().map(|argument| self.part(argument)).collect(),
            stdin: tool.stdin.as_ref().and_then(|node| self.template(node)),
            cwd: tool.cwd.as_ref().and_then(|text| self.text(text)),
            env: self.env(),
            env_pass: module.env_pass.iter().chain(&tool.env_pass).map(|name| name.value.clone()).collect(),
            timeout_ms: tool.timeout.as_ref().and_then(|text| self.duration(text)),
            result: self.reading(&tool.result),
            value: tool.value.as_ref().and_then(|node| self.ending(node)),
            ok: tool.exit.ok.iter().copied().collect(),
            kinds: tool.exit.kinds.clone(),
            errors: tool.errors.iter().chain(&module.errors).filter_map(|rule| self.rule(rule)).collect(),
            idempotency_key: tool.idempotency_key.clone(),
        }
    }

    fn env(&mut self) -> Vec<(String, Template)> {
        let (module, tool) = (self.module, self.tool);
        let mut env = Vec::new();
        for (name, node) in &module.env {
            env.extend(self.module_template(node).map(|value| (name.clone(), value)));
        }
        for (name, node) in &tool.env {
            env.extend(self.template(node).map(|value| (name.clone(), value)));
        }
        env
    }

    fn part(&mut self, argument: &Argument) -> Part {
        let part = |values| Part { condition: None, values, otherwise: Vec::new(), options: false };
        match argument {
            Argument::Always(text) => part(self.text(text).into_iter().collect()),
            Argument::Options(options) => {
                Part { options: true, ..part(self.text(&options.options).into_iter().collect()) }
            }
            Argument::When(when) => Part {
                condition: self.expression(&when.r#if),
                otherwise: when.r#else.iter().filter_map(|text| self.text(text)).collect(),
                ..part(when.then.iter().filter_map(|text| self.text(text)).collect())
            },
        }
    }

    fn text(&mut self, text: &Spanned<String>) -> Option<Template> {
        self.parse(&Value::String(text.value.clone()), text.span, &[])
    }

    fn template(&mut self, node: &Node) -> Option<Template> {
        self.parse(&node.to_json(), node.span, &[])
    }

    /// A template that reads how the command ended, and may make lists of lists.
    fn ending(&mut self, node: &Node) -> Option<Template> {
        let json = node.to_json();
        self.parsed(Template::parse_lists(&json), &json, node.span, &ENDING)
    }

    /// A template of the whole module, which knows no arguments.
    fn module_template(&mut self, node: &Node) -> Option<Template> {
        let template = self.parse(&node.to_json(), node.span, &[])?;
        for path in template.references().iter().filter(|path| !CONTEXT.contains(&path.as_str())) {
            self.error("unknown-reference", node.span, format!("`{path}` is not known to the whole module"));
        }
        Some(template)
    }

    fn parse(&mut self, json: &Value, span: Span, more: &[&str]) -> Option<Template> {
        self.parsed(Template::parse(json), json, span, more)
    }

    fn parsed(
        &mut self,
        template: Result<Template, SyntaxError>,
        json: &Value,
        span: Span,
        more: &[&str],
    ) -> Option<Template> {
        match template {
            Ok(template) if template.has_python() => {
                self.error("bad-template", span, PYTHON);
                None
            }
            Ok(template) => {
                self.check_references(&template.references(), span, more);
                Some(template)
            }
            Err(error) => {
                self.syntax("bad-template", &error, json.as_str().unwrap_or_default(), span);
                None
            }
        }
    }

    fn expression(&mut self, text: &Spanned<String>) -> Option<Expression> {
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
                self.check_references(&expression.references(), text.span, &[]);
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

    /// Templates of a tool read its arguments, [`CONTEXT`] and `more`, nothing else.
    fn check_references(&mut self, paths: &BTreeSet<String>, span: Span, more: &[&str]) {
        for path in paths {
            let name = path.split(['.', '[']).next().unwrap_or(path);
            if self.tool.input.get(name).is_none() && !CONTEXT.contains(&name) && !more.contains(&name) {
                let message = format!("`{name}` is no argument of `{}`", self.tool.name.value);
                let problem = Diagnostic::error("unknown-reference", self.source, span, message);
                self.diagnostics.push(
                    problem.suggest(name, self.tool.input.names().chain(CONTEXT).chain(more.iter().copied())),
                );
            }
        }
    }

    /// Names and other names of arguments can be names, and none means two arguments.
    fn check_parameters(&mut self) {
        let own = self.tool.input.0.iter().map(|(name, _)| name);
        let others = self.tool.input.0.iter().flat_map(|(_, parameter)| &parameter.aliases);
        let mut seen = BTreeSet::new();
        for name in own.chain(others) {
            if !name::is_valid(&name.value) {
                self.diagnostics.push(bad_name(self.source, name));
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

    fn duration(&mut self, text: &Spanned<String>) -> Option<u64> {
        match crate::duration::parse_ms(&text.value) {
            Ok(milliseconds) => Some(milliseconds),
            Err(message) => {
                self.error("bad-duration", text.span, message);
                None
            }
        }
    }

    fn reading(&mut self, form: &ResultForm) -> Reading {
        match form {
            ResultForm::Text => Reading::Text,
            ResultForm::Json => Reading::Json,
            ResultForm::JsonLines => Reading::JsonLines,
            ResultForm::Yaml => Reading::Yaml,
            ResultForm::Lines(lines) => self.lines(lines),
            ResultForm::Regex(pick) => self.pick(pick),
            ResultForm::Object(forms) => {
                let readings = forms.iter().map(|(name, form)| (name.value.clone(), self.reading(form)));
                Reading::Object(readings.collect())
            }
        }
    }

    fn lines(&mut self, lines: &Lines) -> Reading {
        let pattern = lines.r#match.as_ref().and_then(|pattern| self.pattern(pattern));
        let names: Vec<String> = match &pattern {
            Some(pattern) => pattern.capture_names().flatten().map(str::to_owned).collect(),
            None => lines.fields.iter().map(|field| field.value.clone()).collect(),
        };
        if let Some(text) = &lines.r#match
            && (lines.split.is_some() || !lines.fields.is_empty())
        {
            self.error("bad-value", text.span, "`match` stands in place of `split` and `fields`");
        }
        self.check_types(&lines.types, &names);
        let own = |text: &Option<Spanned<String>>| text.as_ref().map(|text| text.value.clone());
        let fields = if pattern.is_some() { Vec::new() } else { names };
        Reading::Lines {
            end: own(&lines.end),
            split: own(&lines.split),
            fields,
            pattern,
            types: lines.types.clone(),
        }
    }

    fn pick(&mut self, pick: &Pick) -> Reading {
        let Some(pattern) = self.pattern(&pick.pattern) else { return Reading::Text };
        let names: Vec<String> = pattern.capture_names().flatten().map(str::to_owned).collect();
        self.check_types(&pick.types, &names);
        Reading::Regex { pattern, all: pick.all, types: pick.types.clone() }
    }

    fn check_types(&mut self, types: &BTreeMap<String, FieldType>, names: &[String]) {
        for name in types.keys().filter(|name| !names.contains(name)) {
            let message = format!("`types` names `{name}`, which is no field of the result");
            let problem = Diagnostic::error("unknown-reference", self.source, self.tool.name.span, message);
            self.diagnostics.push(problem.suggest(name, names.iter().map(String::as_str)));
        }
    }

    fn rule(&mut self, rule: &module::ErrorRule) -> Option<Rule> {
        let pattern = self.pattern(&rule.r#match)?;
        Some(Rule { pattern, kind: rule.kind, hint: rule.hint.clone().unwrap_or_default() })
    }

    fn pattern(&mut self, text: &Spanned<String>) -> Option<Regex> {
        match regex::RegexBuilder::new(&text.value).multi_line(true).build() {
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
mod tests {
    use super::*;

    const GIT: &str = r#"
module: git
description: Local git repositories
requires: {commands: [git]}
tools:
  - name: git_log
    description: Commits of a repository, newest first
    effect: read
    input:
      repo: {type: string, default: "."}
      limit: {type: integer, default: 10, minimum: 1}
      author: {type: string, optional: true}
      all: {type: boolean}
    run:
      - git
      - -C
      - "{{ repo }}"
      - log
      - "--max-count={{ limit }}"
      - 3
      - {if: all, then: [--all]}
    env: {GIT_PAGER: cat}
    result: {lines: {split: "\t", fields: [sha, subject]}}
    exit: {ok: [0, 1], kinds: {128: not_found}}
    errors: [{match: "not a git repository", kind: not_found, hint: "give `repo`"}]
    timeout: 30
    examples: [{args: {all: true, limit: 3}}]
aliases: {log: git_log}
"#;

    #[test]
    fn a_module_becomes_specs_and_recipes() {
        let source = Source::new("tools/git.yaml", GIT);
        let (module, diagnostics) = check(&source);
        assert_eq!(diagnostics, []);
        let module = module.unwrap();
        let spec = &module.specs(&source)[0];
        assert_eq!(spec.source, "tools/git.yaml:6");
        assert_eq!(spec.input["required"], serde_json::json!(["all"]));
        assert_eq!(spec.input["properties"]["author"], serde_json::json!({"type": "string"}));
        assert!(spec.idempotent);
        let recipe = compile(&module, module.tool("log").unwrap(), &source).unwrap();
        assert_eq!(recipe.run.len(), 7);
        assert_eq!(recipe.timeout_ms, Some(30_000));
        assert_eq!(recipe.kinds[&128], ErrorKind::NotFound);
        assert!(matches!(recipe.result, Reading::Lines { fields, .. } if fields == ["sha", "subject"]));
    }

    #[test]
    fn what_does_not_fit_together_is_found() {
        let text = r#"
module: x
description: A module
env: {A: "{{ repo }}"}
tools:
  - name: x_y
    description: A tool
    effect: read
    input: {repo: {type: string}}
    run: [x, {if: repo, then: ["{{ rep }}"], else: [y]}, {options: "{{ repo }}"}]
    result:
      object:
        one: {lines: {match: '(?P<size>\d+)', fields: [size], types: {size: integer, sise: integer}}}
        two: {regex: {pattern: "(?P<n>.)", types: {m: flag}}}
    value: {a: "{{ result.one }}", b: "{{ exit_code }}", c: "{{ resolt }}"}
"#;
        let source = Source::new("x.yaml", text);
        let (module, problems) = check(&source);
        assert!(module.is_some());
        let messages: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
        let expected = [
            "`repo` is not known to the whole module",
            "`types` names `sise`, which is no field of the result",
            "`types` names `m`, which is no field of the result",
            "`rep` is no argument of `x_y`",
            "`match` stands in place of `split` and `fields`",
            "`resolt` is no argument of `x_y`",
        ];
        assert_eq!(messages, expected);
    }
}
