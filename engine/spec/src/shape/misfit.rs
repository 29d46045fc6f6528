//! Every place where a tree does not fit a schema.

use std::collections::BTreeSet;

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value;

use super::repair::{Path, Repair};
use super::words;
use crate::diagnostic::Diagnostic;
use crate::fix;
use crate::name;
use crate::schema::{self, choices, expected_types, segment};
use crate::source::{Source, Span};
use crate::yaml::Node;

/// One misfit, and how to go on without it.
pub(super) struct Problem {
    pub(super) diagnostic: Diagnostic,
    pub(super) repair: Repair,
    /// All that it is about. When something in there was reported before, this is what
    /// cutting that out has led to.
    pub(super) region: Span,
}

/// All of them.
pub(super) fn all(source: &Source, root: &Node, schema: &Value) -> Vec<Problem> {
    let Ok(validator) = jsonschema::options().should_validate_formats(true).build(schema) else {
        return Vec::new();
    };
    let json = root.to_json();
    let mut finder = Finder { source, root, schema, problems: Vec::new() };
    for error in validator.iter_errors(&json) {
        finder.explain(&error);
    }
    finder.without_renamed()
}

struct Finder<'a> {
    source: &'a Source,
    root: &'a Node,
    schema: &'a Value,
    problems: Vec<Problem>,
}

impl<'a> Finder<'a> {
    fn explain(&mut self, error: &ValidationError<'_>) {
        match error.kind() {
            Kind::AdditionalProperties { unexpected } => {
                let known = self.known_keys(error);
                for key in unexpected {
                    self.unknown_key(error, key, &known);
                }
            }
            Kind::Required { property } => self.missing_key(error, property.as_str().unwrap_or_default()),
            Kind::Type { .. } => self.wrong_type(error, &expected_types(error)),
            Kind::Enum { .. } | Kind::Constant { .. } => self.bad_choice(error, &choices(error)),
            Kind::AnyOf { context } | Kind::OneOfNotValid { context } => self.no_branch(error, context),
            Kind::Format { format } if format == "regex" => self.bad_pattern(error),
            Kind::Minimum { limit } => self.bad_value(error, &format!("must be at least {limit}")),
            Kind::Maximum { limit } => self.bad_value(error, &format!("must be at most {limit}")),
            Kind::MinItems { limit } => {
                self.bad_value(
                    error,
                    &format!("must have at least {}", schema::words::count(*limit, "item")),
                );
            }
            Kind::Pattern { pattern } => self.bad_value(error, &format!("must match `{pattern}`")),
            _ => self.bad_value(error, "does not fit"),
        }
    }

    fn unknown_key(&mut self, error: &ValidationError<'_>, key: &str, known: &[&str]) {
        let path = path(error);
        let container = self.node(&path);
        let span = container.entry(key).map_or(container.span, |(key, _)| key.span);
        let message = format!("unknown key `{key}` in {}", self.noun(error, &path));
        let problem = Diagnostic::error("unknown-key", self.source, span, message);
        let free = |name: &&str| container.get(name).is_none();
        let meant =
            words::meant(key, known).or_else(|| name::suggest(key, known.iter().copied().filter(free)));
        let problem = match meant {
            Some(meant) => {
                let clear = words::is_same(key, meant)
                    || name::slip(key, known.iter().copied().filter(free)) == Some(meant);
                let edit = clear.then(|| fix::word(self.source, span, key, meant)).flatten();
                problem.hint(format!("did you mean `{meant}`?")).fix(edit.into_iter().collect())
            }
            None if known.is_empty() => problem,
            None => problem.hint(format!("known keys: {}", name::list(known))),
        };
        let repair = match meant {
            Some(meant) if free(&meant) && self.is_required(error, meant) => {
                Repair::Rename { container: path, from: key.to_owned(), to: meant.to_owned() }
            }
            _ => Repair::Remove(joined(path, key)),
        };
        self.push(problem, repair, span);
    }

    fn missing_key(&mut self, error: &ValidationError<'_>, key: &str) {
        let path = path(error);
        let container = self.node(&path);
        let span = container.entries().first().map_or(container.span, |(first, _)| first.span);
        let message = format!("{} needs the key `{key}`", self.noun(error, &path));
        let problem = Diagnostic::error("missing-key", self.source, span, message);
        self.push(problem, Repair::Fill { container: path, key: key.to_owned() }, container.span);
    }

    fn wrong_type(&mut self, error: &ValidationError<'_>, expected: &[&str]) {
        let path = path(error);
        let node = self.node(&path);
        let wanted = schema::words::types(expected);
        let message = if node.is_null() {
            format!("{} must be {wanted}, but it is empty", self.subject(&path))
        } else {
            format!("{} must be {wanted}, not {}", self.subject(&path), words::found(node))
        };
        let problem = Diagnostic::error("wrong-type", self.source, node.span, message);
        let hint = words::conversion(node, expected);
        self.push_value(if hint.is_empty() { problem } else { problem.hint(hint) }, path);
    }

    fn bad_choice(&mut self, error: &ValidationError<'_>, choices: &[String]) {
        let path = path(error);
        let node = self.node(&path);
        let found = node.as_str().map_or_else(|| node.to_json().to_string(), str::to_owned);
        let message = format!("{} cannot be `{}`", self.subject(&path), schema::words::short(&found));
        let choices: Vec<&str> = choices.iter().map(String::as_str).collect();
        let problem = Diagnostic::error("bad-value", self.source, node.span, message);
        let hint = match name::suggest(&found, choices.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`? it is one of {}", name::list(&choices)),
            None => format!("it is one of {}", name::list(&choices)),
        };
        self.push_value(problem.hint(hint), path);
    }

    /// None of several forms fits: says what is wrong with the one that was likely meant.
    fn no_branch(&mut self, error: &ValidationError<'_>, branches: &[Vec<ValidationError<'static>>]) {
        let choices = choices(error);
        if error.instance().is_string() && !choices.is_empty() {
            return self.bad_choice(error, &choices);
        }
        let own = |branch: &[ValidationError<'_>]| branch.iter().filter(|e| path(e) == path(error)).count();
        // One that has these keys was meant, whatever is wrong with what they say.
        let mut fitting = branches.iter().filter(|branch| own(branch) == 0);
        if let (Some(meant), None) = (fitting.next(), fitting.next()) {
            return meant.iter().for_each(|error| self.explain(error));
        }
        let mut likely: Vec<_> =
            branches.iter().filter(|branch| !branch.iter().any(is_type_mismatch)).collect();
        likely.sort_by_key(|branch| own(branch));
        match likely.as_slice() {
            [] => self.wrong_type(error, &expected_types(error)),
            [first, second, ..] if own(first) > 0 && own(first) == own(second) => {
                self.no_variant(error, &likely);
            }
            [first, ..] => first.iter().for_each(|error| self.explain(error)),
        }
    }

    /// A mapping of one key, which none of the forms has.
    fn no_variant(&mut self, error: &ValidationError<'_>, branches: &[&Vec<ValidationError<'static>>]) {
        let mut known = BTreeSet::new();
        let mut unexpected: Option<BTreeSet<&str>> = None;
        for problem in branches.iter().copied().flatten() {
            if let Kind::AdditionalProperties { unexpected: keys } = problem.kind() {
                known.extend(self.known_keys(problem));
                let keys: BTreeSet<&str> = keys.iter().map(String::as_str).collect();
                unexpected = Some(unexpected.map_or_else(|| keys.clone(), |all| &all & &keys));
            }
        }
        let known: Vec<&str> = known.into_iter().collect();
        let unexpected = unexpected.unwrap_or_default();
        if unexpected.is_empty() {
            return self.bad_value(error, &format!("must have exactly one of {}", name::list(&known)));
        }
        for key in unexpected {
            self.unknown_key(error, key, &known);
        }
    }

    fn bad_pattern(&mut self, error: &ValidationError<'_>) {
        let path = path(error);
        let node = self.node(&path);
        let text = node.as_str().unwrap_or_default();
        if let Err(reason) = regex::Regex::new(text) {
            self.push_value(super::bad_pattern(self.source, node.span, text, &reason), path);
        }
    }

    fn bad_value(&mut self, error: &ValidationError<'_>, rule: &str) {
        let path = path(error);
        let span = self.node(&path).span;
        let message = format!("{} {rule}", self.subject(&path));
        self.push_value(Diagnostic::error("bad-value", self.source, span, message), path);
    }

    /// A problem with a whole value, which is cut out.
    fn push_value(&mut self, diagnostic: Diagnostic, path: Path) {
        let region = diagnostic.span;
        self.push(diagnostic, Repair::Remove(path), region);
    }

    fn push(&mut self, diagnostic: Diagnostic, repair: Repair, region: Span) {
        self.problems.push(Problem { diagnostic, repair, region });
    }

    /// A misspelt key is not missing as well.
    fn without_renamed(self) -> Vec<Problem> {
        let renames: Vec<Repair> =
            self.problems.iter().filter_map(|problem| problem.repair.filled_by_rename()).collect();
        self.problems.into_iter().filter(|problem| !renames.contains(&problem.repair)).collect()
    }

    fn node(&self, path: &[String]) -> &'a Node {
        self.root.at(path.iter().map(String::as_str))
    }

    /// The schema of the mapping that an error is about.
    fn mapping(&self, error: &ValidationError<'_>) -> Option<&'a Value> {
        let (parent, _) = error.schema_path().as_str().rsplit_once('/')?;
        self.schema.pointer(parent)
    }

    fn known_keys(&self, error: &ValidationError<'_>) -> Vec<&'a str> {
        let properties = self.mapping(error).and_then(|schema| schema.get("properties")?.as_object());
        properties.map(|properties| properties.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    fn is_required(&self, error: &ValidationError<'_>, key: &str) -> bool {
        let required = self.mapping(error).and_then(|schema| schema.get("required")?.as_array());
        required.is_some_and(|required| required.iter().any(|name| name == key))
    }

    /// What a mapping is called: by its key, or what kind of item it is, or what the file is.
    fn noun(&self, error: &ValidationError<'_>, path: &[String]) -> String {
        let is_item = path.split_last().is_some_and(|(_, list)| !self.node(list).items().is_empty());
        let parts: Vec<&str> = error.schema_path().as_str().split('/').skip(1).collect();
        match parts[..] {
            _ if !is_item && !path.is_empty() => return self.subject(path),
            ["$defs", definition, _] => return words::with_article(&words::spaced(definition)),
            _ if is_item => return self.subject(path),
            _ => {}
        }
        let title = self.schema.get("title").and_then(Value::as_str).unwrap_or("mapping");
        words::with_article(title.trim_start_matches("aa "))
    }

    /// What a path is called: the key, or the item of a list.
    fn subject(&self, path: &[String]) -> String {
        let Some((last, container)) = path.split_last() else { return "the file".to_owned() };
        match (last.parse::<usize>(), container.last(), self.node(container).items().is_empty()) {
            (Ok(index), Some(name), false) => format!("item {} of `{name}`", index + 1),
            (Ok(index), None, false) => format!("item {}", index + 1),
            _ => format!("`{last}`"),
        }
    }
}

fn path(error: &ValidationError<'_>) -> Path {
    error.instance_path().iter().map(segment).collect()
}

fn joined(mut path: Path, key: &str) -> Path {
    path.push(key.to_owned());
    path
}

/// Whether a branch was not meant at all: the value is of another type.
fn is_type_mismatch(error: &ValidationError<'_>) -> bool {
    match error.kind() {
        Kind::Type { .. } => true,
        Kind::Enum { options } => {
            options.as_array().is_some_and(|options| options.iter().all(|o| differs(o, error)))
        }
        Kind::Constant { expected_value } => differs(expected_value, error),
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            context.iter().all(|branch| branch.iter().any(is_type_mismatch))
        }
        _ => false,
    }
}

/// Whether a possible value is of another type than the one found.
fn differs(possible: &Value, error: &ValidationError<'_>) -> bool {
    std::mem::discriminant(possible) != std::mem::discriminant(error.instance().as_ref())
}
