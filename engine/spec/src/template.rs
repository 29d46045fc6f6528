//! The expression and template language: minijinja behind one door.
//!
//! Jinja with JSON values. A string that is one whole `{{ expression }}` gives the
//! expression's value with its type; any other string with holes gives text. There is
//! no escaping, no I/O, and no way to loop for ever. All words a template uses are
//! checked when it is parsed; what it reads is known exactly, see
//! [`Expression::references`].
//!
//! A value that is missing reads as null or fails, as [`Missing`] says. Messages never
//! hold a value of the scope.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

mod analysis;
mod environment;
mod failure;
mod functions;
mod mixed;
mod moment;
pub(crate) mod node;
mod program;
mod quoted;
mod scope;
pub mod seal;
mod value;
pub(crate) mod vocabulary;

pub(crate) use quoted::{IN_QUOTES, literal_template};
pub use scope::Scope;

use crate::tool::ErrorKind;

use node::{Hole, Node, trimmed, unwrapped};
use value::{Budget, to_json};

/// An expression such as `inputs.mr > 3`; serialised as its source. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Expression {
    source: String,
    hole: Hole,
}

/// A value with holes: scalars, lists and mappings whose strings may hold `{{ … }}`.
/// Serialised as the JSON it was written as.
#[derive(Clone, Debug)]
pub struct Template {
    json: Value,
    root: Node,
}

/// Why a text is not an expression or template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// What is wrong.
    pub message: String,
    /// Byte offset in the text given.
    pub offset: usize,
    /// Which string of the template, as a path of keys and indices.
    pub path: Vec<String>,
    /// What to do; may be empty.
    pub hint: String,
}

/// Why an expression or template could not be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EvalError {
    /// What is at fault: nearly always what was to be evaluated.
    pub kind: ErrorKind,
    /// What is wrong, without any value of the scope in it.
    pub message: String,
}

impl EvalError {
    /// The expression or template is at fault.
    pub(crate) fn invalid(message: String) -> Self {
        Self { kind: ErrorKind::Invalid, message }
    }
}

/// How a missing value reads: one that is not there, or that is null as after a
/// skipped step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// As null, and as nothing in text: conditions, outputs, messages.
    Null,
    /// As an error, except that a whole-string `{{ x }}` is left out: tool arguments.
    Fail,
    /// As null, except that it is an error inside a text: tool arguments of a skill that is read leniently. A
    /// text with a hole would be another text, and nobody would be told.
    Lenient,
}

impl Missing {
    /// How it reads where it is all of a value.
    fn whole(self) -> Self {
        if self == Self::Lenient { Self::Null } else { self }
    }

    /// How it reads inside a text.
    fn in_text(self) -> Self {
        if self == Self::Lenient { Self::Fail } else { self }
    }
}

/// One mention of an outside name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact about a mention, and most mixes occur")]
pub(crate) struct Reference {
    /// The name and what is taken out of it.
    pub(crate) path: Vec<Segment>,
    /// Where it stands in its string.
    pub(crate) span: Range<usize>,
    /// Whether what surrounds it copes with a missing value, as `default` does.
    pub(crate) guarded: bool,
    /// Whether more is done with it than to pass it on or to put it into a text.
    pub(crate) worked_on: bool,
    /// Whether the value can have it, or a part of it, in it: what is only looked at to decide something is not.
    pub(crate) carried: bool,
    /// Whether it is quoted for a shell.
    pub(crate) quoted: bool,
}

/// A field that is taken out of an item of a list, or of something else that has no path of its own in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// The way to it, from an outside name.
    pub(crate) path: Vec<Segment>,
    /// How many of its last parts are taken here.
    pub(crate) depth: usize,
    /// The name that stands for what it is taken out of; empty when it has none.
    pub(crate) of: String,
    /// Where it stands in its string.
    pub(crate) span: Range<usize>,
    /// Whether what surrounds it copes with a missing value.
    pub(crate) guarded: bool,
}

/// One part of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// `.key` or `["key"]`.
    Key(String),
    /// `[0]`.
    Index(i64),
    /// Any item of a list.
    Each,
}

/// The expression in a text that may have `{{ }}` around it.
pub(crate) fn bare(source: &str) -> &str {
    unwrapped(source).unwrap_or_else(|| trimmed(source)).0
}

impl Expression {
    /// Compiles an expression, with or without `{{ }}` around it.
    ///
    /// # Errors
    /// When it is not one expression or uses an unknown function, filter, test or method.
    pub fn parse(source: &str) -> Result<Self, SyntaxError> {
        let (inner, start) = unwrapped(source).unwrap_or_else(|| trimmed(source));
        let hole = match Hole::parse(inner, start) {
            Ok(hole) => hole,
            // The text as a whole may still be one expression, e.g. a mapping. (Not in
            // Python, to which `{{ a }}` is a set of sets.)
            Err(error) => match Hole::parse_template(trimmed(source).0, trimmed(source).1) {
                Ok(hole) => hole,
                Err(_) => return Err(error),
            },
        };
        Ok(Self { source: source.to_owned(), hole })
    }

    /// The text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Dotted paths that it reads, e.g. `inputs.mr`, `build.ok`, `item`; functions excluded.
    pub fn references(&self) -> BTreeSet<String> {
        self.mentions().iter().map(|reference| dotted(&reference.path).join(".")).collect()
    }

    /// Whether it calls `now()`. (`today` is a name like others, and among the references.)
    pub fn reads_clock(&self) -> bool {
        self.hole.program.reads_clock()
    }

    /// Whether only Python grammar accepts it, so that a [`crate::compute::Interpreter`]
    /// has to evaluate it.
    pub fn is_python(&self) -> bool {
        self.hole.program.is_python()
    }

    /// The value.
    pub fn eval(&self, scope: &Scope) -> Result<Value, EvalError> {
        let value = self.hole.program.eval(scope, Missing::Null)?;
        to_json(&value, &mut Budget::new()).map_err(|error| self.hole.failed(&error))
    }

    /// Whether the value is true; `null`, `false`, `0`, `""`, `[]` and `{}` are not.
    pub fn is_true(&self, scope: &Scope) -> Result<bool, EvalError> {
        Ok(self.hole.program.eval(scope, Missing::Null)?.is_true())
    }

    /// Every mention of an outside name, with spans in [`Self::source`].
    pub(crate) fn mentions(&self) -> Vec<Reference> {
        self.hole.references().collect()
    }

    /// Every field of an item that is looked at, with spans in [`Self::source`].
    pub(crate) fn fields(&self) -> Vec<Field> {
        self.hole.fields().collect()
    }
}

impl Template {
    /// Compiles every string in the value.
    ///
    /// # Errors
    /// The first string that is no template, by path and offset.
    pub fn parse(json: &Value) -> Result<Self, SyntaxError> {
        Ok(Self { json: json.clone(), root: Node::parse(json)? })
    }

    /// The same, where a mapping may also make a list of a list, item by item:
    /// `{each: result, as: job, if: job.ok, value: …}`. `as` is `item` when it is left out.
    ///
    /// # Errors
    /// Those of [`Self::parse`].
    pub fn parse_lists(json: &Value) -> Result<Self, SyntaxError> {
        Ok(Self { json: json.clone(), root: Node::parse_with(json, 0, true)? })
    }

    /// A value without strings that could be templates.
    pub(crate) fn constant(json: Value) -> Self {
        Self { root: Node::Constant(json.clone()), json }
    }

    /// The value as written.
    pub fn source(&self) -> &Value {
        &self.json
    }

    /// Dotted paths that it reads.
    pub fn references(&self) -> BTreeSet<String> {
        let mut paths = BTreeSet::new();
        self.root().each_reference(&mut Vec::new(), &mut |_, reference| {
            paths.insert(dotted(&reference.path).join("."));
        });
        paths
    }

    /// Those of its [`Self::references`] that can be in the value, as a whole or in part. What only decides
    /// which value it is, as in `'a' if x else 'b'`, is none of them.
    pub fn carried(&self) -> BTreeSet<String> {
        let mut paths = BTreeSet::new();
        self.root().each_reference(&mut Vec::new(), &mut |_, reference| {
            if reference.carried {
                paths.insert(dotted(&reference.path).join("."));
            }
        });
        paths
    }

    /// Whether all of its [`Self::carried`] references are quoted for a shell.
    pub(crate) fn is_shell_quoted(&self) -> bool {
        let mut quoted = true;
        self.root().each_reference(&mut Vec::new(), &mut |_, reference| {
            quoted &= reference.quoted || !reference.carried;
        });
        quoted
    }

    /// Whether it calls `now()`. (`today` is a name like others, and among the references.)
    pub fn reads_clock(&self) -> bool {
        self.root.reads_clock()
    }

    /// Whether an expression in it needs a [`crate::compute::Interpreter`].
    pub fn has_python(&self) -> bool {
        self.root.has_python()
    }

    /// Whether it reads nothing, so that its value is known before a run.
    pub fn is_constant(&self) -> bool {
        matches!(self.root, Node::Constant(_))
    }

    /// The value with its holes filled; `None` when it is one whole expression that is
    /// missing (only with [`Missing::Fail`]). Further inside, an entry of a mapping that
    /// is missing is left out in the same way.
    pub fn render(&self, scope: &Scope, missing: Missing) -> Result<Option<Value>, EvalError> {
        let is_lenient = missing == Missing::Fail && scope.is_lenient();
        let reading = if is_lenient { Missing::Lenient } else { missing };
        let value = self.root.render(scope, reading, &mut Budget::new())?;
        // What a skipped step leaves is null, and means that there is no such argument.
        let left_out = missing == Missing::Fail && matches!(self.root, Node::Hole(_));
        Ok(value.filter(|value| !(left_out && value.is_null())))
    }

    /// The value with its holes filled, as [`Missing::Fail`] has it, without those members of mappings
    /// that are one whole expression and null: an argument that was not given is no member.
    pub fn render_lean(&self, scope: &Scope) -> Result<Option<Value>, EvalError> {
        let mut value = self.render(scope, Missing::Fail)?;
        if let Some(value) = &mut value {
            self.root.prune(value);
        }
        Ok(value)
    }

    /// The pieces.
    pub(crate) fn root(&self) -> &Node {
        &self.root
    }
}

impl Segment {
    /// The key, unless it is an index.
    pub(crate) fn key(&self) -> Option<&str> {
        match self {
            Self::Key(key) => Some(key),
            Self::Index(_) | Self::Each => None,
        }
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => f.write_str(key),
            Self::Index(index) => index.fmt(f),
            Self::Each => f.write_str("…"),
        }
    }
}

impl SyntaxError {
    pub(crate) fn at(offset: usize, message: impl Into<String>) -> Self {
        Self { message: message.into(), offset, path: Vec::new(), hint: String::new() }
    }

    fn shifted(mut self, by: usize) -> Self {
        self.offset += by;
        self
    }

    fn inside(mut self, key: String) -> Self {
        self.path.insert(0, key);
        self
    }
}

/// The keys of a path up to its first index.
fn dotted(path: &[Segment]) -> Vec<&str> {
    path.iter().map_while(Segment::key).collect()
}

/// Null.
impl Default for Template {
    fn default() -> Self {
        Self::constant(Value::Null)
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Expression {}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.json == other.json
    }
}

impl Serialize for Expression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.source)
    }
}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let source = String::deserialize(deserializer)?;
        Self::parse(&source).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Value::deserialize(deserializer)?;
        Self::parse(&json).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
