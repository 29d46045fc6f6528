//! A template taken apart: constants, whole expressions, texts with holes, and the
//! lists and mappings around them.

use minijinja::machinery::ast::{Expr, Stmt};
use minijinja::machinery::{parse, parse_expr};
use serde_json::{Map, Value};

use super::analysis::{self, Analysis};
use super::environment;
use super::mixed::{self, Mixed};
use super::program::{self, Program};
use super::value::{Budget, is_missing, to_json, to_text};
use super::{EvalError, Field, Missing, Reference, Scope, Segment, SyntaxError};
use each::Each;

mod each;

/// A template's value, piece by piece.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    /// Nothing to fill in, all the way down.
    Constant(Value),
    /// One whole expression.
    Hole(Hole),
    /// Text with holes.
    Text(Vec<Piece>),
    /// Text with statements.
    Program(Block),
    /// A list with something to fill in.
    List(Vec<Node>),
    /// A mapping with something to fill in.
    Map(Vec<(String, Node)>),
    /// One value for each item of a list.
    Each(Box<Each>),
}

/// One `{{ … }}`.
#[derive(Clone, Debug)]
pub(crate) struct Hole {
    pub(super) program: Program,
    /// The path, when the expression is nothing but one.
    pub(crate) path: Option<Vec<Segment>>,
    /// Offset of the expression in its string.
    start: usize,
}

/// Text between holes, or a hole.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Raw(String),
    Hole(Hole),
}

/// A text with `{% … %}` in it.
#[derive(Clone, Debug)]
pub(crate) struct Block(Program);

impl Node {
    pub(super) fn parse(json: &Value) -> Result<Self, SyntaxError> {
        Self::parse_with(json, 0, false)
    }

    /// With `lists`, a mapping of `each` and `value` makes a list of a list.
    pub(super) fn parse_with(json: &Value, depth: usize, lists: bool) -> Result<Self, SyntaxError> {
        if depth > 64 {
            return Err(SyntaxError::at(0, "the value is nested too deeply"));
        }
        match json {
            Value::String(text) => Self::parse_text(text),
            Value::Array(items) => {
                let parse = |(index, item)| {
                    Self::parse_with(item, depth + 1, lists)
                        .map_err(|error| error.inside(usize::to_string(&index)))
                };
                let nodes = items.iter().enumerate().map(parse).collect::<Result<Vec<_>, _>>()?;
                let constant = nodes.iter().all(|node| matches!(node, Self::Constant(_)));
                Ok(if constant { Self::Constant(json.clone()) } else { Self::List(nodes) })
            }
            Value::Object(entries) if lists && Each::is_meant(entries) => {
                Each::parse(entries, depth).map(|each| Self::Each(Box::new(each)))
            }
            Value::Object(entries) => {
                let parse = |(key, item): (&String, &Value)| {
                    if key.contains("{{") {
                        return Err(SyntaxError::at(0, "a key cannot be a template").inside(key.clone()));
                    }
                    let node = Self::parse_with(item, depth + 1, lists)
                        .map_err(|error| error.inside(key.clone()))?;
                    Ok((key.clone(), node))
                };
                let nodes = entries.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
                let constant = nodes.iter().all(|(_, node)| matches!(node, Self::Constant(_)));
                Ok(if constant { Self::Constant(json.clone()) } else { Self::Map(nodes) })
            }
            scalar => Ok(Self::Constant(scalar.clone())),
        }
    }

    fn parse_text(text: &str) -> Result<Self, SyntaxError> {
        // Shell text has `${#name}`; without its end that is no comment.
        let comment = text.find("{#").is_some_and(|start| text[start..].contains("#}"));
        if !comment && !["{{", "{%"].iter().any(|mark| text.contains(mark)) {
            return Ok(Self::Constant(Value::String(text.to_owned())));
        }
        if let Some((inner, start)) = unwrapped(text) {
            match Hole::parse(inner, start) {
                Ok(hole) => return Ok(Self::Hole(hole)),
                // Two holes with text between them also begin and end with braces.
                Err(error) if !inner.contains("}}") => return Err(error),
                Err(_) => {}
            }
        }
        program::guard(text, false)?;
        Self::parse_pieces(text).or_else(|refused| match Mixed::read(text)? {
            Some(mixed) => Self::parse_mixed(text, mixed),
            None => Err(refused),
        })
    }

    /// A text in the template language alone.
    fn parse_pieces(text: &str) -> Result<Self, SyntaxError> {
        let tree = parse(text, "", environment::syntax()).map_err(|error| explain_text(&error, text))?;
        let analysis = checked(analysis::of_text(&tree, &[]))?;
        Ok(match pieces(&tree, text, &Hole::parse)? {
            Some(pieces) => Self::of_pieces(pieces),
            None => Self::Program(Block(Program::text(text, analysis))),
        })
    }

    /// A text with Python in it.
    fn parse_mixed(text: &str, mixed: Mixed) -> Result<Self, SyntaxError> {
        let written = |error: SyntaxError| SyntaxError { offset: mixed.written(error.offset), ..error };
        let tree = parse(&mixed.text, "", environment::syntax());
        let tree = tree.map_err(|error| written(explain_text(&error, &mixed.text)))?;
        let analysis = checked(analysis::of_text(&tree, &[mixed::CALL])).map_err(written)?;
        let hole = |source: &str, start: usize| match mixed.hole_at(start) {
            Some(hole) => Ok(hole.clone()),
            None => Hole::parse(source, mixed.written(start)),
        };
        if let Some(pieces) = pieces(&tree, &mixed.text, &hole)? {
            return Ok(Self::of_pieces(pieces));
        }
        let analysis = mixed.analysis(analysis);
        Ok(Self::Program(Block(Program::mixed(text, analysis, mixed))))
    }

    fn of_pieces(pieces: Vec<Piece>) -> Self {
        match pieces.as_slice() {
            [] => Self::Constant(Value::String(String::new())),
            [Piece::Raw(raw)] => Self::Constant(Value::String(raw.clone())),
            _ => Self::Text(pieces),
        }
    }

    /// `None` when it is a whole expression that is missing.
    pub(super) fn render(
        &self,
        scope: &Scope,
        missing: Missing,
        budget: &mut Budget,
    ) -> Result<Option<Value>, EvalError> {
        match self {
            Self::Constant(value) => Ok(Some(value.clone())),
            Self::Hole(hole) => hole.value(scope, missing, budget),
            Self::Text(pieces) => {
                let mut text = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Raw(raw) => text.push_str(raw),
                        Piece::Hole(hole) => text.push_str(&hole.text(scope, missing, budget)?),
                    }
                }
                Ok(Some(Value::String(text)))
            }
            Self::Program(Block(program)) => {
                let text = program.eval(scope, missing.in_text())?;
                Ok(Some(Value::String(text.as_str().unwrap_or_default().to_owned())))
            }
            Self::List(nodes) => {
                let mut items = Vec::with_capacity(nodes.len());
                for node in nodes {
                    match (node.render(scope, missing, budget)?, node) {
                        (Some(item), _) => items.push(item),
                        (None, Self::Hole(hole)) => return Err(hole.program.missing(scope)),
                        (None, _) => items.push(Value::Null),
                    }
                }
                Ok(Some(Value::Array(items)))
            }
            Self::Map(nodes) => {
                let mut entries = Map::new();
                for (key, node) in nodes {
                    if let Some(item) = node.render(scope, missing, budget)? {
                        entries.insert(key.clone(), item);
                    }
                }
                Ok(Some(Value::Object(entries)))
            }
            Self::Each(each) => each.render(scope, missing, budget).map(Some),
        }
    }

    /// Takes members out of what it was rendered to: those that are one whole expression and null.
    pub(super) fn prune(&self, value: &mut Value) {
        match (self, value) {
            (Self::Map(nodes), Value::Object(entries)) => {
                for (key, node) in nodes {
                    match entries.get_mut(key) {
                        Some(Value::Null) if matches!(node, Self::Hole(_)) => {
                            entries.shift_remove(key);
                        }
                        Some(item) => node.prune(item),
                        None => {}
                    }
                }
            }
            (Self::List(nodes), Value::Array(items)) => {
                nodes.iter().zip(items).for_each(|(node, item)| node.prune(item));
            }
            (Self::Each(each), Value::Array(items)) => {
                for item in items {
                    each.value().prune(item);
                }
            }
            _ => {}
        }
    }

    /// Whether it asks what time it is.
    pub(super) fn reads_clock(&self) -> bool {
        match self {
            Self::Constant(_) => false,
            Self::Hole(hole) => hole.program.reads_clock(),
            Self::Text(pieces) => {
                pieces.iter().any(|piece| matches!(piece, Piece::Hole(hole) if hole.program.reads_clock()))
            }
            Self::Program(Block(program)) => program.reads_clock(),
            Self::List(nodes) => nodes.iter().any(Self::reads_clock),
            Self::Map(nodes) => nodes.iter().any(|(_, node)| node.reads_clock()),
            Self::Each(each) => {
                each.any_hole(&|hole| hole.program.reads_clock()) || each.value().reads_clock()
            }
        }
    }

    /// Whether an expression in it needs an interpreter.
    pub(super) fn has_python(&self) -> bool {
        match self {
            Self::Hole(hole) => hole.program.is_python(),
            Self::Constant(_) => false,
            Self::Text(pieces) => {
                pieces.iter().any(|piece| matches!(piece, Piece::Hole(hole) if hole.program.is_python()))
            }
            Self::Program(Block(program)) => program.is_python(),
            Self::List(nodes) => nodes.iter().any(Self::has_python),
            Self::Map(nodes) => nodes.iter().any(|(_, node)| node.has_python()),
            Self::Each(each) => each.any_hole(&|hole| hole.program.is_python()) || each.value().has_python(),
        }
    }

    /// Every mention of an outside name, with the path of its string and its span there.
    pub(crate) fn each_reference(&self, at: &mut Vec<String>, each: &mut dyn FnMut(&[String], Reference)) {
        match self {
            Self::Constant(_) => {}
            Self::Hole(hole) => hole.references().for_each(|reference| each(at, reference)),
            Self::Text(pieces) => {
                for piece in pieces {
                    if let Piece::Hole(hole) = piece {
                        hole.references().for_each(|reference| each(at, reference));
                    }
                }
            }
            Self::Program(Block(program)) => {
                program.references().iter().for_each(|reference| each(at, reference.clone()));
            }
            Self::List(nodes) => {
                for (index, node) in nodes.iter().enumerate() {
                    at.push(index.to_string());
                    node.each_reference(at, each);
                    at.pop();
                }
            }
            Self::Map(nodes) => {
                for (key, node) in nodes {
                    at.push(key.clone());
                    node.each_reference(at, each);
                    at.pop();
                }
            }
            Self::Each(list) => list.each_reference(at, each),
        }
    }
}

impl Node {
    /// Every field of an item that is looked at, with the path of its string and its span there.
    pub(crate) fn each_field(&self, at: &mut Vec<String>, each: &mut dyn FnMut(&[String], Field)) {
        match self {
            Self::Constant(_) | Self::Each(_) => {}
            Self::Hole(hole) => hole.fields().for_each(|field| each(at, field)),
            Self::Text(pieces) => {
                for piece in pieces {
                    if let Piece::Hole(hole) = piece {
                        hole.fields().for_each(|field| each(at, field));
                    }
                }
            }
            Self::Program(Block(program)) => {
                program.fields().iter().for_each(|field| each(at, field.clone()));
            }
            Self::List(nodes) => {
                for (index, node) in nodes.iter().enumerate() {
                    node.fields_below(index.to_string(), at, each);
                }
            }
            Self::Map(nodes) => {
                for (key, node) in nodes {
                    node.fields_below(key.clone(), at, each);
                }
            }
        }
    }

    fn fields_below(&self, key: String, at: &mut Vec<String>, each: &mut dyn FnMut(&[String], Field)) {
        at.push(key);
        self.each_field(at, each);
        at.pop();
    }
}

impl Hole {
    /// Compiles one expression, of the template language or of Python.
    pub(super) fn parse(source: &str, start: usize) -> Result<Self, SyntaxError> {
        program::guard(source, true).map_err(|error| error.shifted(start))?;
        let (refused, grammatical) = match parse_expr(source) {
            Ok(tree) => {
                let analysis = analysis::of_expression(&tree);
                let python = analysis.python;
                match Self::of_template(source, start, &tree, analysis) {
                    Err(refused) if python => (refused, true),
                    result => return result,
                }
            }
            Err(error) => (explain(&error, source).shifted(start), false),
        };
        Self::of_python(source, start).map_err(|python| python.filter(|_| !grammatical).unwrap_or(refused))
    }

    /// Compiles one expression of the template language.
    pub(super) fn parse_template(source: &str, start: usize) -> Result<Self, SyntaxError> {
        program::guard(source, true).map_err(|error| error.shifted(start))?;
        let tree = parse_expr(source).map_err(|error| explain(&error, source).shifted(start))?;
        Self::of_template(source, start, &tree, analysis::of_expression(&tree))
    }

    fn of_template(
        source: &str,
        start: usize,
        tree: &Expr<'_>,
        analysis: Analysis,
    ) -> Result<Self, SyntaxError> {
        let path = analysis::path_of(tree);
        let analysis = checked(analysis).map_err(|error| error.shifted(start))?;
        Ok(Self { program: Program::expression(source, analysis), path, start })
    }

    /// Compiles one expression of Python; without an error of its own where it was hardly
    /// meant to be one.
    #[cfg(feature = "compute")]
    fn of_python(source: &str, start: usize) -> Result<Self, Option<SyntaxError>> {
        use crate::compute::expression::{Refusal, rewrite};
        let rewritten = rewrite(source).map_err(|refusal| match refusal {
            Refusal::Meaning(refused) => Some(refused.shifted(start)),
            Refusal::Grammar(python) if looks_like_python(source) => {
                let template = parse_expr(source).err();
                let template = template.as_ref().map_or("unknown words", detail);
                let message = format!("this is neither an expression ({template}) nor Python ({python})");
                Some(SyntaxError::at(python.offset.min(source.len()), message).shifted(start))
            }
            Refusal::Grammar(_) => None,
        })?;
        Ok(Self { program: Program::python(source, rewritten), path: None, start })
    }

    #[cfg(not(feature = "compute"))]
    fn of_python(_: &str, _: usize) -> Result<Self, Option<SyntaxError>> {
        Err(None)
    }

    pub(super) fn references(&self) -> impl Iterator<Item = Reference> {
        self.program.references().iter().map(|reference| Reference {
            span: reference.span.start + self.start..reference.span.end + self.start,
            ..reference.clone()
        })
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = Field> {
        self.program.fields().iter().map(|field| Field {
            span: field.span.start + self.start..field.span.end + self.start,
            ..field.clone()
        })
    }

    /// The way from an outside name to its value, also through lists.
    pub(crate) fn source(&self) -> Option<&[Segment]> {
        self.program.source()
    }

    /// The types of JSON that its value can have, where its words tell.
    pub(crate) fn kinds(&self) -> Option<&'static [&'static str]> {
        self.program.kinds()
    }

    fn value(
        &self,
        scope: &Scope,
        missing: Missing,
        budget: &mut Budget,
    ) -> Result<Option<Value>, EvalError> {
        let missing = missing.whole();
        // A path may lead through what is missing; a calculation must not.
        let reading = if self.path.is_some() { Missing::Null } else { missing };
        let value = self.program.eval(scope, reading)?;
        if missing == Missing::Fail && value.is_undefined() {
            return Ok(None);
        }
        to_json(&value, budget).map(Some).map_err(|error| self.failed(&error))
    }

    fn text(&self, scope: &Scope, missing: Missing, budget: &mut Budget) -> Result<String, EvalError> {
        let missing = missing.in_text();
        let value = self.program.eval(scope, missing)?;
        if missing == Missing::Fail && is_missing(&value) {
            return Err(self.program.missing(scope));
        }
        to_text(&value, budget).map_err(|error| self.failed(&error))
    }

    pub(super) fn failed(&self, error: &minijinja::Error) -> EvalError {
        self.program.explain(error, None)
    }
}

/// The source between `{{` and `}}` and its offset, if the text begins and ends with them.
pub(super) fn unwrapped(text: &str) -> Option<(&str, usize)> {
    let (outer, start) = trimmed(text);
    let inner = outer.strip_prefix("{{")?.strip_suffix("}}")?;
    let open = inner.strip_prefix(['-', '+']).unwrap_or(inner);
    let start = start + 2 + (inner.len() - open.len());
    let closed = open.strip_suffix(['-', '+']).unwrap_or(open);
    let (expression, blank) = trimmed(closed);
    Some((expression, start + blank))
}

pub(super) fn trimmed(text: &str) -> (&str, usize) {
    (text.trim(), text.len() - text.trim_start().len())
}

/// The pieces of a text without statements; of each expression, its hole.
fn pieces(
    tree: &Stmt<'_>,
    text: &str,
    hole: &dyn Fn(&str, usize) -> Result<Hole, SyntaxError>,
) -> Result<Option<Vec<Piece>>, SyntaxError> {
    let Stmt::Template(template) = tree else { return Ok(None) };
    let mut pieces = Vec::new();
    for child in &template.children {
        match child {
            Stmt::EmitRaw(raw) => pieces.push(Piece::Raw(raw.raw.to_owned())),
            Stmt::EmitExpr(emit) => {
                let span = emit.span();
                let from = span.start_offset as usize + 2;
                let Some(source) = text.get(from..span.end_offset as usize) else { return Ok(None) };
                let open = source.strip_prefix(['-', '+']).unwrap_or(source);
                let start = from + (source.len() - open.len());
                let (expression, blank) = trimmed(open);
                pieces.push(Piece::Hole(hole(expression, start + blank)?));
            }
            _ => return Ok(None),
        }
    }
    Ok(Some(pieces))
}

fn checked(mut analysis: Analysis) -> Result<Analysis, SyntaxError> {
    match analysis.unknown.take() {
        Some(error) => Err(error),
        None => Ok(analysis),
    }
}

/// The engine's syntax error in our words, for an expression.
fn explain(error: &minijinja::Error, source: &str) -> SyntaxError {
    if cfg!(not(feature = "compute")) && looks_like_python(source) {
        return reword(
            error,
            source,
            "this would be Python, and this `aa` was built without `compute`",
            "use filters, e.g. `list | selectattr(\"key\", \"equalto\", value) | list`",
        );
    }
    if source.contains("{{") && source.contains("}}") {
        let (message, hint) =
            ("this is text with holes, not one expression", "write the whole expression without `{{ }}`");
        return reword(error, source, message, hint);
    }
    reword(error, source, detail(error), "")
}

/// The same, for a text with holes.
fn explain_text(error: &minijinja::Error, text: &str) -> SyntaxError {
    let detail = detail(error);
    let literal = "to write braces as they are, put `{% raw %}` and `{% endraw %}` around them";
    match detail {
        _ if detail.ends_with("expected end of variable block") && detail.contains("end of input") => {
            reword(error, text, "a `{{` is not closed", "close it with `}}`")
        }
        _ if detail.contains("end of input") => reword(
            error,
            text,
            "a `{% … %}` is not closed",
            "close it, e.g. with `{% endif %}` or `{% endfor %}`",
        ),
        _ if detail.contains("comment") => {
            reword(error, text, "a `{#` begins a comment that does not end", literal)
        }
        _ => reword(error, text, detail, literal),
    }
}

fn reword(error: &minijinja::Error, source: &str, message: &str, hint: &str) -> SyntaxError {
    let offset = error.range().map_or(0, |range| range.start).min(source.len());
    SyntaxError { hint: hint.to_owned(), ..SyntaxError::at(offset, message) }
}

fn detail(error: &minijinja::Error) -> &str {
    error.detail().unwrap_or("this cannot be read")
}

/// Whether its author was likely to think of Python.
pub(super) fn looks_like_python(source: &str) -> bool {
    source.split_once(" for ").is_some_and(|(_, after)| after.contains(" in "))
        || ["lambda", "f'", "f\"", "**", ":="].iter().any(|mark| source.contains(mark))
}
