//! One compiled piece of source: an expression, or a text with statements.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use minijinja::machinery::{Token, Tokenizer};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Value};

use super::analysis::Analysis;
use super::environment::{engine, syntax};
use super::failure::reason;
use super::functions::TEXT_FILTER;
use super::mixed::{self, Mixed};
use super::value::{from_json, is_missing};
use super::{EvalError, Field, Missing, Reference, Scope, Segment, SyntaxError, dotted, seal};

/// Source that has been checked; compiled when it is first evaluated. Cheap to clone.
#[derive(Clone)]
pub(super) struct Program {
    parts: Arc<Parts>,
}

struct Parts {
    source: String,
    analysis: Analysis,
    form: Form,
}

enum Form {
    Expression {
        null: OnceLock<Compiled>,
        fail: OnceLock<Compiled>,
    },
    Text {
        null: OnceLock<CompiledText>,
        fail: OnceLock<CompiledText>,
    },
    /// The text as the engine reads it, and what it calls.
    Mixed {
        text: String,
        calls: Vec<Program>,
        null: OnceLock<CompiledText>,
        fail: OnceLock<CompiledText>,
    },
    /// What only Python grammar accepts: the code, and the names that it is given.
    #[cfg_attr(not(feature = "compute"), expect(dead_code, reason = "there is no parser for it"))]
    Python {
        code: String,
        names: BTreeSet<String>,
    },
}

type Compiled = Result<Box<minijinja::Expression<'static, 'static>>, EvalError>;
/// An engine that owns the one text; cloning an engine copies a few references.
type CompiledText = Result<Box<Environment<'static>>, EvalError>;

impl Program {
    pub(super) fn expression(source: &str, analysis: Analysis) -> Self {
        Self::new(source, analysis, Form::Expression { null: OnceLock::new(), fail: OnceLock::new() })
    }

    pub(super) fn text(source: &str, analysis: Analysis) -> Self {
        Self::new(source, analysis, Form::Text { null: OnceLock::new(), fail: OnceLock::new() })
    }

    /// A text with Python in it.
    pub(super) fn mixed(source: &str, analysis: Analysis, mixed: Mixed) -> Self {
        let (text, calls) = mixed.into_calls();
        Self::new(source, analysis, Form::Mixed { text, calls, null: OnceLock::new(), fail: OnceLock::new() })
    }

    #[cfg(feature = "compute")]
    pub(super) fn python(source: &str, rewritten: crate::compute::expression::Rewritten) -> Self {
        let crate::compute::expression::Rewritten { code, references, fields, kinds, names, clock } =
            rewritten;
        let analysis = Analysis { references, fields, kinds, clock, ..Analysis::default() };
        Self::new(source, analysis, Form::Python { code, names })
    }

    fn new(source: &str, analysis: Analysis, form: Form) -> Self {
        Self { parts: Arc::new(Parts { source: source.to_owned(), analysis, form }) }
    }

    /// Whether it asks what time it is.
    pub(super) fn reads_clock(&self) -> bool {
        self.parts.analysis.clock
    }

    /// Whether an interpreter has to evaluate it, or something in it.
    pub(super) fn is_python(&self) -> bool {
        matches!(self.parts.form, Form::Python { .. } | Form::Mixed { .. })
    }

    pub(super) fn references(&self) -> &[Reference] {
        &self.parts.analysis.references
    }

    pub(super) fn fields(&self) -> &[Field] {
        &self.parts.analysis.fields
    }

    /// The way from an outside name to the value, also through lists.
    pub(super) fn source(&self) -> Option<&[Segment]> {
        self.parts.analysis.source.as_deref()
    }

    /// The types of JSON that the value can have, where its words tell.
    pub(super) fn kinds(&self) -> Option<&'static [&'static str]> {
        self.parts.analysis.kinds
    }

    /// The value; of a text, the text.
    pub(super) fn eval(&self, scope: &Scope, missing: Missing) -> Result<Value, EvalError> {
        // The engine is not ours: should it panic, only this template fails. All it works
        // on is immutable, so nothing is left half done.
        let evaluated = catch_unwind(AssertUnwindSafe(|| self.run(scope, missing)));
        evaluated.unwrap_or_else(|_| {
            let message = format!("cannot evaluate `{}`: the template engine has failed", self.shown());
            Err(EvalError::invalid(message))
        })
    }

    fn run(&self, scope: &Scope, missing: Missing) -> Result<Value, EvalError> {
        let result = match &self.parts.form {
            Form::Expression { null, fail } => {
                let cell = if missing == Missing::Null { null } else { fail };
                let compiled = cell.get_or_init(|| self.compiled_expression(missing));
                compiled.as_ref().map_err(Clone::clone)?.eval(scope.root())
            }
            Form::Text { null, fail } => {
                let cell = if missing == Missing::Null { null } else { fail };
                let compiled = cell.get_or_init(|| self.compiled_text(missing));
                let environment = compiled.as_ref().map_err(Clone::clone)?;
                environment.get_template("text").and_then(|text| text.render(scope.root())).map(Value::from)
            }
            Form::Mixed { calls, null, fail, .. } => {
                let cell = if missing == Missing::Null { null } else { fail };
                let compiled = cell.get_or_init(|| self.compiled_text(missing));
                let mut environment = (**compiled.as_ref().map_err(Clone::clone)?).clone();
                let failed = mixed::add_calls(&mut environment, calls.clone(), scope, missing);
                let rendered = environment
                    .get_template("text")
                    .and_then(|text| text.render(scope.root()))
                    .map(Value::from);
                if let Some(error) = failed.take() {
                    return Err(error);
                }
                rendered
            }
            Form::Python { code, names } => return self.interpret(code, names, scope, missing),
        };
        result.map_err(|error| self.explain(&error, Some(scope)))
    }

    fn interpret(
        &self,
        code: &str,
        names: &BTreeSet<String>,
        scope: &Scope,
        missing: Missing,
    ) -> Result<Value, EvalError> {
        let lacks = |reference: &Reference| !reference.guarded && !is_there(reference, scope);
        if missing == Missing::Fail && self.parts.analysis.references.iter().any(lacks) {
            return Err(self.missing(scope));
        }
        let told = |reason: &str| format!("cannot evaluate `{}`: {reason}", self.shown());
        let failed = |reason: &str| EvalError::invalid(told(reason));
        let interpreter = scope.interpreter().ok_or_else(|| failed("Python does not run here"))?;
        let now = match scope.now_ms() {
            None if self.parts.analysis.clock => return Err(failed("the time is not known here")),
            now => now.unwrap_or_default(),
        };
        let values = scope.values(names).map_err(|error| failed(&reason(&error)))?;
        if !values.values().all(seal::is_clean) {
            return Err(failed("a secret cannot be read in Python"));
        }
        let value = interpreter.evaluate(code, values, now);
        let mut value =
            value.map_err(|failure| EvalError { kind: failure.kind, message: told(&failure.message) })?;
        // It must not make a secret's reference up.
        seal::clean(&mut value);
        Ok(from_json(&value))
    }

    fn compiled_expression(&self, missing: Missing) -> Compiled {
        let compiled = engine(missing).compile_expression_owned(self.runnable_source(true));
        compiled.map(Box::new).map_err(|error| self.explain(&error, None))
    }

    fn compiled_text(&self, missing: Missing) -> CompiledText {
        let mut environment = Box::new(engine(missing).clone());
        let added = environment.add_template_owned("text", self.runnable_source(false));
        added.map(|()| environment).map_err(|error| self.explain(&error, None))
    }

    /// An error for a value that is missing although it is needed.
    pub(super) fn missing(&self, scope: &Scope) -> EvalError {
        let names = self.missing_names(scope);
        let message = match names.as_slice() {
            [] => format!("`{}` has no value", self.shown()),
            [name] => format!("{name} has no value; its step was skipped, or gave none"),
            several => format!("{} have no value", several.join(", ")),
        };
        EvalError::invalid(message)
    }

    pub(super) fn explain(&self, error: &minijinja::Error, scope: Option<&Scope>) -> EvalError {
        if let (minijinja::ErrorKind::UndefinedError, Some(scope)) = (error.kind(), scope) {
            return self.missing(scope);
        }
        EvalError::invalid(format!("cannot evaluate `{}`: {}", self.shown(), reason(error)))
    }

    /// Paths that this reads and that lead nowhere, in back-ticks.
    fn missing_names(&self, scope: &Scope) -> Vec<String> {
        let mut names = Vec::new();
        for reference in &self.parts.analysis.references {
            let name = format!("`{}`", dotted(&reference.path).join("."));
            if !is_there(reference, scope) && !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The source, on one line and not too long.
    fn shown(&self) -> String {
        let line = self.parts.source.split_whitespace().collect::<Vec<_>>().join(" ");
        match line.char_indices().nth(80) {
            Some((end, _)) => format!("{}…", &line[..end]),
            None => line,
        }
    }

    /// The source with both sides of every `~` made text by our rules: by itself, the
    /// engine writes `True` and `None`.
    fn runnable_source(&self, in_expression: bool) -> String {
        let source = match &self.parts.form {
            Form::Mixed { text, .. } => text,
            _ => &self.parts.source,
        };
        let mut inserts: Vec<(usize, String)> = Vec::new();
        for span in &self.parts.analysis.concatenations {
            for operand in operands(source, span, in_expression) {
                inserts.push((operand.start, "(".to_owned()));
                inserts.push((operand.end, format!(")|{TEXT_FILTER}")));
            }
        }
        inserts.sort_by_key(|(at, _)| *at);
        let mut result = String::with_capacity(source.len() + inserts.len() * 8);
        let mut from = 0;
        for (at, text) in inserts {
            result.push_str(&source[from..at]);
            result.push_str(&text);
            from = at;
        }
        result.push_str(&source[from..]);
        result
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Program").field(&self.parts.source).finish()
    }
}

/// Whether what a reference names has a value.
fn is_there(reference: &Reference, scope: &Scope) -> bool {
    scope.at(dotted(&reference.path)).is_some_and(|value| !is_missing(&value))
}

/// What stands between the `~` of one chain of them, without white space around it.
fn operands(source: &str, span: &Range<usize>, in_expression: bool) -> Vec<Range<usize>> {
    let mut tokenizer = tokenizer(source, in_expression);
    let (mut depth, mut operands) = (0_i32, Vec::new());
    let (mut start, mut end) = (None, span.start);
    while let Ok(Some((token, at))) = tokenizer.next_token() {
        let at = at.start_offset as usize..at.end_offset as usize;
        if at.start < span.start {
            continue;
        }
        if at.start >= span.end {
            break;
        }
        match token {
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => depth += 1,
            Token::ParenClose | Token::BracketClose | Token::BraceClose => depth -= 1,
            Token::Tilde if depth == 0 => {
                operands.extend(start.take().map(|start| start..end));
                continue;
            }
            _ => {}
        }
        start.get_or_insert(at.start);
        end = at.end;
    }
    operands.extend(start.map(|start| start..end));
    operands
}

pub(super) fn tokenizer(source: &str, in_expression: bool) -> Tokenizer<'_> {
    let syntax = if in_expression { SyntaxConfig::default() } else { syntax() };
    Tokenizer::new(source, "", in_expression, syntax)
}

/// Longest source of one template, in bytes.
const LONGEST: usize = 60_000;
/// Most words and signs in a row, counted through all open brackets. The engine's
/// parser recurses over them without a limit of its own.
const DEEPEST: usize = 400;
/// Most brackets in brackets.
const BRACKETS: usize = 40;
/// Most branches of statements.
const BRANCHES: usize = 100;

/// Refuses what the engine could not read without running out of stack.
pub(super) fn guard(source: &str, in_expression: bool) -> Result<(), SyntaxError> {
    let refuse = |offset: usize, message: &str| Err(SyntaxError::at(offset, message));
    if source.len() > LONGEST {
        return refuse(LONGEST, "the template is too long");
    }
    if source.len() < BRACKETS {
        return Ok(());
    }
    let mut tokenizer = tokenizer(source, in_expression);
    // Words and signs since the last comma, for every open bracket.
    let mut open = vec![0_usize];
    let (mut total, mut branches) = (0_usize, 0_usize);
    while let Ok(Some((token, span))) = tokenizer.next_token() {
        let offset = span.start_offset as usize;
        match token {
            Token::TemplateData(_) | Token::VariableStart | Token::BlockStart => {
                open = vec![0];
                total = 0;
                continue;
            }
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => open.push(0),
            Token::ParenClose | Token::BracketClose | Token::BraceClose if open.len() > 1 => {
                total -= open.pop().unwrap_or_default();
            }
            Token::Comma => total -= open.last_mut().map(std::mem::take).unwrap_or_default(),
            Token::Ident("elif" | "if" | "for") => branches += 1,
            _ => {}
        }
        if let Some(level) = open.last_mut() {
            *level += 1;
            total += 1;
        }
        if total > DEEPEST || open.len() > BRACKETS {
            return refuse(offset, "the expression is too deep; split it up");
        }
        if branches > BRANCHES {
            return refuse(offset, "the template has too many branches; split it up");
        }
    }
    Ok(())
}
