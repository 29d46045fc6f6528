//! Arguments against what a tool or skill takes.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::reference::{Reads, Site};
use super::{Checker, fit};
use crate::diagnostic::Severity;
use crate::fix;
use crate::name::{fold, suggest};
use crate::plan::SkillPlan;
use crate::source::Span;
use crate::template::Template;
use crate::template::node::Node as Part;
use crate::tool::{ToolSpec, alias};
use crate::yaml::{Kind, Node, Spanned};

/// What takes arguments.
pub(super) struct Signature<'a> {
    name: &'a str,
    /// What it is called in messages: the word and the name.
    noun: String,
    /// `argument` or `input`.
    word: &'static str,
    /// The key that they stand under.
    under: &'static str,
    parameters: Vec<Parameter<'a>>,
    /// Of these sets of names one must be given.
    alternatives: Vec<Vec<&'a str>>,
    /// Whether there may be others.
    open: bool,
    /// Where it is named.
    span: Span,
}

pub(super) struct Parameter<'a> {
    name: &'a str,
    pub(super) schema: &'a Value,
    required: bool,
}

impl<'a> Signature<'a> {
    pub(super) fn of_tool(spec: &'a ToolSpec, span: Span) -> Self {
        let required = |name: &str| {
            let names = spec.input.get("required").and_then(Value::as_array);
            names.is_some_and(|names| names.iter().any(|required| required == name))
        };
        let properties = spec.input.get("properties").and_then(Value::as_object);
        let parameters = properties.into_iter().flatten().map(|(name, schema)| Parameter {
            name,
            schema,
            required: required(name),
        });
        Self {
            name: &spec.name,
            noun: format!("tool `{}`", spec.name),
            word: "argument",
            under: "args",
            parameters: parameters.collect(),
            alternatives: alternatives(&spec.input),
            open: spec.input.get("additionalProperties") != Some(&Value::Bool(false)),
            span,
        }
    }

    pub(super) fn of_skill(plan: &'a SkillPlan, span: Span) -> Self {
        let parameters = plan.inputs.iter().map(|input| Parameter {
            name: &input.name,
            schema: &input.schema,
            required: input.required,
        });
        Self {
            name: &plan.name,
            noun: format!("skill `{}`", plan.name),
            word: "input",
            under: "args",
            parameters: parameters.collect(),
            alternatives: Vec::new(),
            open: false,
            span,
        }
    }

    /// The same where arguments stand under another key.
    pub(super) fn under(self, under: &'static str) -> Self {
        Self { under, ..self }
    }

    /// Those of the arguments whose schema says that they may be null.
    pub(super) fn nullable(&self, args: &BTreeMap<String, Template>) -> BTreeSet<String> {
        let takes_null = |parameter: &&Parameter<'_>| {
            fit::types(parameter.schema).is_some_and(|types| types.contains(&"null"))
        };
        let names = self.parameters.iter().filter(takes_null).map(|parameter| parameter.name);
        names
            .filter(|name| args.get(*name).is_some_and(|arg| !arg.is_constant()))
            .map(str::to_owned)
            .collect()
    }

    /// The name that an argument is declared with.
    pub(super) fn declared(&self, name: &str) -> Option<&'a str> {
        self.parameter(name).map(|parameter| parameter.name)
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&Parameter<'a>> {
        let find = |is: &dyn Fn(&Parameter<'a>) -> bool| self.parameters.iter().find(|one| is(one));
        let folded = fold(name);
        find(&|parameter| parameter.name == name)
            .or_else(|| find(&|parameter| fold(parameter.name) == folded))
            .or_else(|| find(&|parameter| alias::of(parameter.schema).any(|alias| fold(alias) == folded)))
    }

    fn code(&self, tool: &'static str, skill: &'static str) -> &'static str {
        if self.word == "argument" { tool } else { skill }
    }
}

/// The `oneOf` of a schema, as far as it only says which names must be given.
fn alternatives(schema: &Value) -> Vec<Vec<&str>> {
    let sets = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let names = sets.filter_map(|set| set.get("required")?.as_array());
    names.filter_map(|names| names.iter().map(Value::as_str).collect()).collect()
}

impl Checker<'_, '_> {
    /// Compiles arguments and holds them against a signature, if that is known.
    pub(super) fn arguments(
        &mut self,
        args: Option<&Node>,
        signature: Option<&Signature<'_>>,
        site: &Site,
        reads: &mut Reads,
    ) -> BTreeMap<String, Template> {
        let mut templates = BTreeMap::new();
        if let Some(args) = args.filter(|args| !matches!(args.kind, Kind::Map(_)) && !args.is_null()) {
            let problem =
                self.error("bad-arguments", args.span, "`args` must be a mapping of names to values");
            self.report(problem);
            return templates;
        }
        for (name, node) in args.map(Node::entries).unwrap_or_default() {
            let parameter = signature.and_then(|signature| signature.parameter(&name.value));
            if let (Some(signature), None) = (signature, parameter) {
                self.unknown_argument(name, signature);
            }
            if let (Some(signature), Some(parameter)) = (signature, parameter) {
                self.aliased(name, parameter, signature, &templates);
            }
            if signature.is_some_and(|signature| !signature.open)
                && parameter.is_none()
                && self.library.strictness.lenient
            {
                // Left out, but what it reads is looked at like the rest.
                self.template(node, site, reads);
                continue;
            }
            let spliced = parameter.is_some_and(|parameter| self.spliced(parameter, node));
            let meant =
                parameter.map_or(Cow::Borrowed(node), |known| self.as_meant(&name.value, node, known.schema));
            let node = &*meant;
            let Some(template) = self.template(node, site, reads).filter(|_| !spliced) else {
                // It is there, even if it is wrong: do not also call it missing.
                templates.insert(parameter.map_or(&*name.value, |known| known.name).to_owned(), null());
                continue;
            };
            if let Some(parameter) = parameter {
                self.fits("bad-argument", &name.value, node, template.root(), parameter.schema);
                self.exposed(parameter, node, &template, signature);
            }
            templates.insert(parameter.map_or(&*name.value, |known| known.name).to_owned(), template);
        }
        if let Some(signature) = signature {
            self.missing_arguments(signature, &templates);
            self.script(args.map(Node::entries).unwrap_or_default(), signature);
        }
        templates
    }

    /// Holds arguments against a signature whose templates somebody else looks at.
    pub(super) fn given(&mut self, given: &[(Spanned<String>, Node)], signature: &Signature<'_>) {
        let mut names = BTreeMap::new();
        for (name, node) in given {
            let Some(parameter) = signature.parameter(&name.value) else {
                self.unknown_argument(name, signature);
                names.insert(name.value.clone(), null());
                continue;
            };
            self.aliased(name, parameter, signature, &names);
            if let Some(template) =
                Template::parse(&node.to_json()).ok().filter(|_| !self.spliced(parameter, node))
            {
                self.fits("bad-argument", &name.value, node, template.root(), parameter.schema);
            }
            names.insert(parameter.name.to_owned(), null());
        }
        self.missing_arguments(signature, &names);
        self.script(given, signature);
    }

    /// Holds arguments that code gives against a signature: their names, and the values
    /// that are written out.
    #[cfg(feature = "compute")]
    pub(super) fn named_arguments(
        &mut self,
        given: &[(Spanned<String>, Option<Node>)],
        complete: bool,
        signature: &Signature<'_>,
    ) {
        let mut names = BTreeMap::new();
        for (name, node) in given {
            let parameter = signature.parameter(&name.value);
            match parameter {
                None => self.unknown_argument(name, signature),
                Some(parameter) => {
                    self.aliased(name, parameter, signature, &names);
                    // What is worked out is there, whatever it comes to.
                    if let Some(node) = node {
                        let part = Part::Constant(node.to_json());
                        self.fits("bad-argument", &name.value, node, &part, parameter.schema);
                    }
                }
            }
            names.insert(parameter.map_or(&*name.value, |known| known.name).to_owned(), null());
        }
        if complete {
            self.missing_arguments(signature, &names);
        }
    }

    /// Says the right name of an argument that is given under another one, or twice.
    fn aliased(
        &mut self,
        name: &Spanned<String>,
        parameter: &Parameter<'_>,
        signature: &Signature<'_>,
        given: &BTreeMap<String, Template>,
    ) {
        let (wrong, right) = (&name.value, parameter.name);
        if given.contains_key(right) {
            let message = format!("{} `{right}` of {} is given twice", signature.word, signature.noun);
            let problem = self.error("duplicate-argument", name.span, message);
            self.report(if wrong == right { problem } else { problem.hint(format!("leave `{wrong}` out")) });
        } else if fold(wrong) != fold(right) {
            let message = format!("{} `{wrong}` of {} is called `{right}`", signature.word, signature.noun);
            let edit = fix::word(self.source, name.span, wrong, right);
            let problem = self.warning("aliased-argument", name.span, message);
            let problem = problem.about(format!("{}.{wrong}", signature.name));
            self.report(problem.hint(format!("write `{right}`")).fix(edit.into_iter().collect()));
        }
    }

    /// Whether a value would become part of text that is taken literally, such as a script.
    fn spliced(&mut self, parameter: &Parameter<'_>, node: &Node) -> bool {
        let literal = parameter.schema.get("x-aa-literal") == Some(&Value::Bool(true));
        let has_template = |text: &str| ["{{", "{%"].iter().any(|mark| text.contains(mark));
        let spliced = literal && node.as_str().is_some_and(has_template);
        if spliced {
            let message = format!("a value in `{}` could change what it does", parameter.name);
            let problem = self.error("spliced-shell", node.span, message);
            self.report(problem.hint("give the value in `vars: {name: …}` and write `$name` here"));
        }
        spliced
    }

    /// A secret that everybody on the machine could read: the call would be refused when its turn comes.
    fn exposed(
        &mut self,
        parameter: &Parameter<'_>,
        node: &Node,
        template: &Template,
        signature: Option<&Signature<'_>>,
    ) {
        let Some(signature) = signature.filter(|signature| signature.word == "argument") else { return };
        let known = |path: &String| {
            let name = path.strip_prefix("secrets.").and_then(|path| path.split('.').next());
            name.is_some_and(|name| self.library.secrets.iter().any(|one| one == name))
        };
        let secret = template.carried().into_iter().find(known);
        let Some(secret) = secret else { return };
        if self.library.catalog.is_on_command_line(signature.name, parameter.name) {
            let message = format!(
                "{} puts `{}` on a command line, which everybody on the machine can read, and `{secret}` is secret",
                signature.noun, parameter.name
            );
            let problem = self.error("secret-in-command", node.span, message);
            self.report(
                problem.hint("pass it by an argument that goes to `env`, `stdin`, a header or a file"),
            );
        }
    }

    fn unknown_argument(&mut self, name: &Spanned<String>, signature: &Signature<'_>) {
        if signature.open {
            return;
        }
        let message = format!("{} has no {} `{}`", signature.noun, signature.word, name.value);
        let code = signature.code("unknown-argument", "unknown-input");
        let problem =
            self.unknown(code, name.span, message).about(format!("{}.{}", signature.name, name.value));
        let known = signature.parameters.iter().map(|parameter| parameter.name);
        self.report(match known.clone().next() {
            None => problem.hint(format!("it takes no {}s", signature.word)),
            Some(_) => problem.suggest(&name.value, known),
        });
    }

    fn missing_arguments(&mut self, signature: &Signature<'_>, given: &BTreeMap<String, Template>) {
        let met = |names: &Vec<&str>| names.iter().all(|name| given.contains_key(*name));
        if let Some(first) = signature.alternatives.first()
            && !signature.alternatives.iter().any(met)
        {
            let message = format!("{} needs the argument `{}`", signature.noun, first.join("`, `"));
            let subject = format!("{}.{}", signature.name, first.join(","));
            let problem = self.unknown("missing-argument", signature.span, message).about(subject);
            self.report(problem);
        }
        for parameter in signature.parameters.iter().filter(|parameter| parameter.required) {
            if given.contains_key(parameter.name) {
                continue;
            }
            let message = format!("{} needs the {} `{}`", signature.noun, signature.word, parameter.name);
            let problem = match signature.code("missing-argument", "missing-input") {
                // The call fails when its turn comes.
                code @ "missing-argument" => self.unknown(code, signature.span, message),
                code => self.error(code, signature.span, message),
            };
            let problem = problem.about(format!("{}.{}", signature.name, parameter.name));
            // A misspelt one is already reported, with the right name.
            let misspelt = given.keys().any(|name| suggest(name, [parameter.name]).is_some());
            if !misspelt || signature.open {
                self.report(problem.hint(describe(parameter, signature.under)));
            }
        }
    }

    /// Holds a value against a schema, as far as the value is known.
    pub(super) fn fits(&mut self, code: &'static str, name: &str, node: &Node, part: &Part, schema: &Value) {
        match part {
            Part::Constant(value) if fit::fits_at_a_glance(schema, value) == Some(true) => {}
            Part::Constant(_) => self.constant_fits(code, name, node, schema),
            Part::Hole(hole) => {
                let given = hole.path.as_ref().and_then(|path| self.schema_of(path)).and_then(fit::types);
                // A null that is written out means that there is no such argument.
                let written = hole.kinds().filter(|kinds| *kinds != ["null"] || code == "bad-foreach");
                let given = given.or_else(|| written.map(<[_]>::to_vec));
                let given = given.map(|types| types.into_iter().map(str::to_owned).collect::<Vec<_>>());
                if let Some(given) = given {
                    let given: Vec<&str> = given.iter().map(String::as_str).collect();
                    self.type_fits(code, name, node.span, &given, schema);
                }
            }
            Part::Text(_) | Part::Program(_) => self.type_fits(code, name, node.span, &["string"], schema),
            // Only tools make lists like this, not the arguments of a step.
            Part::Each(_) => self.type_fits(code, name, node.span, &["array"], schema),
            Part::List(parts) => {
                self.type_fits(code, name, node.span, &["array"], schema);
                if let Some(items) = schema.get("items") {
                    for (index, (item, part)) in node.items().iter().zip(parts).enumerate() {
                        self.fits(code, &format!("{name}[{index}]"), item, part, items);
                    }
                }
            }
            Part::Map(parts) => {
                self.type_fits(code, name, node.span, &["object"], schema);
                for ((key, entry), (_, part)) in node.entries().iter().zip(parts) {
                    if let Some(property) = schema.get("properties").and_then(|known| known.get(&key.value)) {
                        self.fits(code, &key.value, entry, part, property);
                    }
                }
            }
        }
    }

    fn type_fits(&mut self, code: &'static str, name: &str, span: Span, given: &[&str], schema: &Value) {
        let Some(wanted) = fit::types(schema) else { return };
        if !fit::can_be(given, &wanted) {
            let message =
                format!("`{name}` must be {}, but this is {}", fit::words(&wanted), fit::words(given));
            let problem = self.error(code, span, message);
            let to_text = wanted.contains(&"string") && !given.contains(&"object");
            self.report(if to_text { problem.hint("make it text: `{{ … | string }}`") } else { problem });
        }
    }

    /// A constant is held against the schema like a file against its own.
    fn constant_fits(&mut self, code: &'static str, name: &str, node: &Node, schema: &Value) {
        let name = Spanned { value: name.to_owned(), span: node.span };
        let holder = Node { kind: Kind::Map(vec![(name.clone(), node.clone())]), span: node.span };
        let schema = serde_json::json!({ "properties": { name.value: schema } });
        for mut problem in crate::shape::misfits(self.source, &holder, &schema) {
            if problem.severity == Severity::Error {
                problem.code = code;
            }
            self.report(problem);
        }
    }
}

/// Stands for a template that could not be compiled.
fn null() -> Template {
    Template::default()
}

/// What a parameter is for, as advice.
fn describe(parameter: &Parameter<'_>, under: &str) -> String {
    match parameter.schema.get("description").and_then(Value::as_str) {
        Some(text) => format!("`{}`: {}", parameter.name, text.lines().next().unwrap_or_default()),
        None => format!("add `{}` to `{under}`", parameter.name),
    }
}
