//! Texts with expressions in them that only Python grammar accepts.
//!
//! The engine reads such a text with a call in place of each of them. The call is given the values
//! of the names that the expression reads, so that it sees what the text binds, such as the item of a loop,
//! and is made only where the text gets to it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::machinery::{Token, parse_expr};
use minijinja::{Environment, Error, Value};

use super::analysis::Analysis;
use super::failure::fail;
use super::node::{Hole, looks_like_python, trimmed};
use super::program::{Program, tokenizer};
use super::{EvalError, Missing, Reference, Scope, SyntaxError};

/// What the engine calls. No text may do so by itself.
pub(super) const CALL: &str = "__python__";
/// Most evaluations of Python in one text, which can have them in loops.
const MOST: usize = 1000;

/// A text as the engine reads it.
#[derive(Debug)]
pub(super) struct Mixed {
    pub(super) text: String,
    parts: Vec<Part>,
}

/// An expression in Python.
#[derive(Debug)]
struct Part {
    hole: Hole,
    /// Where it stands.
    written: Range<usize>,
    /// Where the call is that stands for it.
    call: Range<usize>,
}

impl Mixed {
    /// A text with calls in place of its Python; `None` when there is none in it.
    ///
    /// # Errors
    /// An expression is Python, and means nothing here.
    pub(super) fn read(text: &str) -> Result<Option<Self>, SyntaxError> {
        if text.contains(CALL) {
            return Ok(None);
        }
        let mut mixed = Self { text: String::with_capacity(text.len()), parts: Vec::new() };
        let mut from = 0;
        for place in expressions(text) {
            let (source, blank) = trimmed(&text[place.clone()]);
            let start = place.start + blank;
            let Some(hole) = python(source, start)? else { continue };
            mixed.text.push_str(&text[from..start]);
            from = start + source.len();
            mixed.put(hole, start..from);
        }
        mixed.text.push_str(&text[from..]);
        Ok((!mixed.parts.is_empty()).then_some(mixed))
    }

    fn put(&mut self, hole: Hole, written: Range<usize>) {
        let names: BTreeSet<String> = hole.references().filter_map(|reference| root(&reference)).collect();
        let names: Vec<String> = names.iter().map(|name| format!("\"{name}\": {name}")).collect();
        let start = self.text.len();
        let _ = write!(self.text, "{CALL}({}, {{{}}})", self.parts.len(), names.join(", "));
        self.parts.push(Part { hole, written, call: start..self.text.len() });
    }

    /// The Python that the call at a place stands for.
    pub(super) fn hole_at(&self, start: usize) -> Option<&Hole> {
        self.parts.iter().find(|part| part.call.start == start).map(|part| &part.hole)
    }

    /// Where what the engine reads at a place was written.
    pub(super) fn written(&self, place: usize) -> usize {
        match self.parts.iter().rev().find(|part| part.call.start <= place) {
            Some(part) if place < part.call.end => part.written.start,
            Some(part) => part.written.end + (place - part.call.end),
            None => place,
        }
    }

    /// The analysis of the engine's text as one of what was written: what a call is given is what its Python reads.
    pub(super) fn analysis(&self, engine: Analysis) -> Analysis {
        let mut references = Vec::new();
        for reference in engine.references {
            if let Some(part) = self.parts.iter().find(|part| part.call.contains(&reference.span.start)) {
                references.extend(part.behind(&reference));
            } else {
                let span = self.written(reference.span.start)..self.written(reference.span.end);
                references.push(Reference { span, ..reference });
            }
        }
        let clock = engine.clock || self.parts.iter().any(|part| part.hole.program.reads_clock());
        // Where fields stand in what was written is not known.
        Analysis { references, fields: Vec::new(), clock, ..engine }
    }

    /// What stands behind the calls, in their order.
    pub(super) fn into_calls(self) -> (String, Vec<Program>) {
        (self.text, self.parts.into_iter().map(|part| part.hole.program).collect())
    }
}

impl Part {
    /// What the Python reads of a name that its call is given.
    fn behind(&self, given: &Reference) -> impl Iterator<Item = Reference> {
        let (name, guarded, quoted) = (root(given), given.guarded, given.quoted);
        let own = self.hole.references().filter(move |reference| root(reference) == name);
        own.map(move |reference| Reference { guarded: reference.guarded || guarded, quoted, ..reference })
    }
}

fn root(reference: &Reference) -> Option<String> {
    reference.path.first()?.key().map(str::to_owned)
}

/// The expression, if only Python grammar accepts it.
fn python(source: &str, start: usize) -> Result<Option<Hole>, SyntaxError> {
    match Hole::parse(source, start) {
        Ok(hole) => Ok(hole.program.is_python().then_some(hole)),
        Err(error) if looks_like_python(source) && parse_expr(source).is_err() => Err(error),
        // What the engine says of the whole text is better.
        Err(_) => Ok(None),
    }
}

/// Where the expressions of a text are: those of `{{ … }}` and of the statements that take one.
fn expressions(text: &str) -> Vec<Range<usize>> {
    let mut tokenizer = tokenizer(text, false);
    let (mut found, mut inside) = (Vec::new(), Vec::new());
    while let Ok(Some((token, span))) = tokenizer.next_token() {
        let at = span.start_offset as usize..span.end_offset as usize;
        match token {
            Token::VariableStart | Token::BlockStart => inside = vec![(token, at)],
            Token::VariableEnd | Token::BlockEnd => {
                let end = before_end(text, at.start);
                found.extend(of_tag(&inside, end).filter(|place| text.get(place.clone()).is_some()));
                inside.clear();
            }
            token => inside.push((token, at)),
        }
    }
    found
}

/// Where a tag ends, without the sign that takes white space away.
fn before_end(text: &str, end: usize) -> usize {
    end - usize::from(text[..end].ends_with(['-', '+']))
}

/// The places of the expressions of one tag.
fn of_tag(tokens: &[(Token<'_>, Range<usize>)], end: usize) -> impl Iterator<Item = Range<usize>> {
    let after = |index: usize| tokens.get(index).map(|(_, at)| at.end);
    let (start, stop) = match tokens {
        [(Token::VariableStart, start), ..] => (Some(start.end), None),
        [_, (Token::Ident("if" | "elif"), _), ..] => (after(1), None),
        [_, (Token::Ident("set"), _), ..] => {
            (position(tokens, 1, |token| matches!(token, Token::Assign)).and_then(after), None)
        }
        [_, (Token::Ident("for"), _), ..] => {
            let iter = position(tokens, 1, |token| matches!(token, Token::Ident("in")));
            (
                iter.and_then(after),
                iter.and_then(|iter| position(tokens, iter, |token| matches!(token, Token::Ident("if")))),
            )
        }
        _ => (None, None),
    };
    let first = start.map(|start| start..stop.map_or(end, |stop| tokens[stop].1.start));
    let second = stop.and_then(after).map(|start| start..end);
    [first, second].into_iter().flatten().filter(|place| place.start < place.end)
}

/// Where a word stands outside of all brackets.
fn position(
    tokens: &[(Token<'_>, Range<usize>)],
    from: usize,
    is_wanted: fn(&Token<'_>) -> bool,
) -> Option<usize> {
    let mut depth = 0_i32;
    for (index, (token, _)) in tokens.iter().enumerate().skip(from) {
        match token {
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => depth += 1,
            Token::ParenClose | Token::BracketClose | Token::BraceClose => depth -= 1,
            token if depth == 0 && is_wanted(token) => return Some(index),
            _ => {}
        }
    }
    None
}

/// Why a call has failed, in our words.
#[derive(Clone, Debug, Default)]
pub(super) struct Failed(Arc<Mutex<Option<EvalError>>>);

impl Failed {
    pub(super) fn take(&self) -> Option<EvalError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn note(&self, error: EvalError) -> Error {
        let told = fail(error.message.clone());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        told
    }
}

/// Gives an engine the calls of one evaluation.
pub(super) fn add_calls(
    environment: &mut Environment<'static>,
    programs: Vec<Program>,
    scope: &Scope,
    missing: Missing,
) -> Failed {
    let (failed, scope, made) = (Failed::default(), scope.clone(), Mutex::new(0_usize));
    let noted = failed.clone();
    environment.add_function(CALL, move |index: usize, names: Value| -> Result<Value, Error> {
        let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
        *made += 1;
        let program = programs.get(index).filter(|_| *made <= MOST);
        let program =
            program.ok_or_else(|| fail(format!("Python runs more than {MOST} times in one text")))?;
        let mut inner = scope.child();
        for name in names.try_iter()? {
            if let Some(key) = name.as_str() {
                inner.put(key, names.get_item(&name)?);
            }
        }
        program.eval(&inner, missing).map_err(|error| noted.note(error))
    });
    failed
}
