//! YAML text to a tree with spans. The only module that knows the YAML library.
//!
//! YAML 1.2, one document, keys are text. What other readers take differently is
//! reported rather than guessed: an unquoted `yes` (a boolean elsewhere, text here), a
//! number with leading zeros. Text is bounded before and while it is read, so a file
//! that unfolds into gigabytes ends in a diagnostic.

mod form;
mod problem;
mod reader;
mod write;

use serde::Deserialize;
use serde::de::Deserializer;
use serde_json::Value;

use self::form::{AnyValue, Form};
pub use self::reader::Misfit;
pub use self::write::write;
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::{Source, Span};

/// A file of YAML may have this many bytes; whoever reads files refuses longer ones unread.
pub const MAX_BYTES: usize = 1 << 20;

/// A YAML value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value.
    pub kind: Kind,
    /// Where it stands; for a collection, from its first to its last element.
    pub span: Span,
}

/// What a [`Node`] is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Null, boolean, number or string.
    Scalar(Value),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the text; keys are unique strings.
    Map(Vec<(Spanned<String>, Node)>),
}

/// A value and where it stands in its text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

/// Takes the bytes of a file for text.
///
/// # Errors
/// `file-too-large`, or `not-utf8` with the place of the first byte that is not text.
pub fn decode(path: &str, bytes: Vec<u8>) -> Result<Source, Box<Diagnostic>> {
    if bytes.len() > MAX_BYTES {
        return Err(Box::new(too_large(path, bytes.len() as u64)));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(path, text)),
        Err(error) => Err(Box::new(problem::not_text(path, &error))),
    }
}

/// A file of so many bytes, too many to be read.
pub fn too_large(path: &str, bytes: u64) -> Diagnostic {
    let message = format!("the file has {bytes} bytes; at most {MAX_BYTES} are read");
    Diagnostic::error("file-too-large", &Source::new(path, ""), Span::default(), message)
        .hint("split it, or move large data to a file that a tool reads")
}

/// Parses one YAML document.
///
/// # Errors
/// One diagnostic: YAML that does not parse cannot be read further.
pub fn parse(source: &Source) -> Result<Node, Box<Diagnostic>> {
    converted(source, &mut Vec::new(), Digits::Number)
}

/// Parses one YAML document of values that somebody gives: what would not mean what is written, such as an integer
/// of too many digits, is no value.
///
/// # Errors
/// The first problem.
pub fn parse_values(source: &Source) -> Result<Node, Box<Diagnostic>> {
    let mut doubts = Vec::new();
    let node = converted(source, &mut doubts, Digits::Number)?;
    let wrong = doubts.into_iter().find(|doubt| doubt.severity == Severity::Error);
    wrong.map_or(Ok(node), |wrong| Err(Box::new(wrong)))
}

/// Parses one YAML document that others have written: digits that are no number for certain, such as those of a commit
/// that begins with a zero, or more than 64 bits hold, are kept as text. As a number they would silently be another one.
///
/// # Errors
/// One diagnostic.
pub fn parse_exactly(source: &Source) -> Result<Node, Box<Diagnostic>> {
    converted(source, &mut Vec::new(), Digits::Text)
}

/// Parses one YAML document; adds what is legal but doubtful to `diagnostics`. In place of digits that are an error stands
/// a number that fits more often than they do, so that they hide nothing else.
pub(crate) fn parse_with(
    source: &Source,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<Node, Box<Diagnostic>> {
    converted(source, diagnostics, Digits::StandIn)
}

fn converted(
    source: &Source,
    diagnostics: &mut Vec<Diagnostic>,
    digits: Digits,
) -> Result<Node, Box<Diagnostic>> {
    if source.text.len() > MAX_BYTES {
        return Err(Box::new(too_large(&source.path, source.text.len() as u64)));
    }
    let read = serde_saphyr::from_str_with_options::<Raw>(&source.text, options());
    let raw = read.map_err(|error| Box::new(problem::explain(source, &error)))?;
    Ok(Conversion { source, diagnostics, digits }.node(raw))
}

/// Limits that no honest file of [`MAX_BYTES`] comes near, and the strict reading of booleans.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_nodes: 100_000,
            // Reading goes down the stack; this fits a thread of 2 MiB even without optimisation.
            max_depth: 32,
            flow_nesting_limit: 33,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_total_scalar_bytes: 4 * MAX_BYTES,
            max_documents: 2,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 100_000 },
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

impl Node {
    /// The value without its spans.
    pub fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Scalar(value) => value.clone(),
            Kind::List(items) => items.iter().map(Self::to_json).collect(),
            Kind::Map(entries) => {
                Value::Object(entries.iter().map(|(key, node)| (key.value.clone(), node.to_json())).collect())
            }
        }
    }

    /// The node at a path of keys and indices, or the deepest one on the way.
    pub fn at<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> &Self {
        let mut node = self;
        for part in path {
            let next = match &node.kind {
                Kind::List(items) => part.parse::<usize>().ok().and_then(|index| items.get(index)),
                Kind::Map(_) => node.get(part),
                Kind::Scalar(_) => None,
            };
            match next {
                Some(next) => node = next,
                None => return node,
            }
        }
        node
    }

    /// The value of a key; `None` as well when this is no mapping.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|(_, node)| node)
    }

    /// A key of this mapping and its value.
    pub fn entry(&self, key: &str) -> Option<&(Spanned<String>, Self)> {
        self.entries().iter().find(|(known, _)| known.value == key)
    }

    /// The entries of a mapping, in the order of the text; none when it is something else.
    pub fn entries(&self) -> &[(Spanned<String>, Self)] {
        if let Kind::Map(entries) = &self.kind { entries } else { &[] }
    }

    /// The items of a list; none when it is something else.
    pub fn items(&self) -> &[Self] {
        if let Kind::List(items) = &self.kind { items } else { &[] }
    }

    /// The text of a string; `None` when it is something else.
    pub fn as_str(&self) -> Option<&str> {
        if let Kind::Scalar(Value::String(text)) = &self.kind { Some(text) } else { None }
    }

    /// Whether it is null, written or left empty.
    pub fn is_null(&self) -> bool {
        self.kind == Kind::Scalar(Value::Null)
    }

    /// Reads it as `T`.
    ///
    /// # Errors
    /// The first place that does not fit. [`crate::shape::read`] finds them all.
    pub fn read<'de, T: Deserialize<'de>>(&'de self) -> Result<T, Misfit> {
        T::deserialize(reader::Reader(self))
    }
}

/// What the library reads: the tree with the library's own locations.
struct Raw(serde_saphyr::Spanned<RawKind>);

enum RawKind {
    Scalar(Value),
    List(Vec<Raw>),
    Map(Vec<(serde_saphyr::Spanned<String>, Raw)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde_saphyr::Spanned::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for RawKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue::default())
    }
}

/// What becomes of digits that are no number for certain.
#[derive(Clone, Copy)]
enum Digits {
    /// The number that the library reads.
    Number,
    /// The text that is written.
    Text,
    /// Another number, as they are an error.
    StandIn,
}

/// Turns the library's tree into ours.
struct Conversion<'a> {
    source: &'a Source,
    diagnostics: &'a mut Vec<Diagnostic>,
    digits: Digits,
}

impl Conversion<'_> {
    fn node(&mut self, Raw(raw): Raw) -> Node {
        let span = self.span(&raw.referenced);
        match raw.value {
            RawKind::Scalar(value) => {
                problem::doubt(self.source, span, &value, self.diagnostics);
                let value = match (problem::doubtful_digits(self.source, span, &value), self.digits) {
                    (Some(text), Digits::Text) => text.into(),
                    (Some(_), Digits::StandIn) => 1.into(),
                    _ => value,
                };
                Node { kind: Kind::Scalar(value), span: self.trim(span) }
            }
            RawKind::List(items) => {
                let items: Vec<Node> = items.into_iter().map(|item| self.node(item)).collect();
                let whole = items.iter().fold(span, |whole, item| whole.to(item.span));
                Node { span: self.close(span, whole), kind: Kind::List(items) }
            }
            RawKind::Map(entries) => self.map(span, entries),
        }
    }

    fn map(&mut self, span: Span, entries: Vec<(serde_saphyr::Spanned<String>, Raw)>) -> Node {
        let mut whole = span;
        let mut read = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let key = Spanned { span: self.span(&key.referenced), value: key.value };
            let mut value = self.node(value);
            if value.span.start == value.span.end {
                // Nothing is written there, so the key is what can be shown.
                value.span = key.span;
            }
            whole = whole.to(key.span).to(value.span);
            read.push((key, value));
        }
        Node { span: self.close(span, whole), kind: Kind::Map(read) }
    }

    /// Takes in the bracket that closes a collection written with brackets.
    fn close(&self, open: Span, whole: Span) -> Span {
        let bracket = match self.source.slice(open) {
            "[" => ']',
            "{" => '}',
            _ => return whole,
        };
        let rest = self.source.text.get(whole.end as usize..).unwrap_or_default();
        let between = rest.len() - rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',').len();
        let width = u32::try_from(between + 1).unwrap_or(0);
        if rest[between..].starts_with(bracket) { Span { end: whole.end + width, ..whole } } else { whole }
    }

    fn span(&self, location: &serde_saphyr::Location) -> Span {
        problem::span(self.source, *location)
    }

    /// The span of a block scalar reaches to the next key; what is shown ends with its text.
    fn trim(&self, span: Span) -> Span {
        let kept = self.source.slice(span).trim_end().len();
        Span { end: span.start + u32::try_from(kept).unwrap_or(0), ..span }
    }
}

impl Form<'_> for RawKind {
    type Item = Raw;
    type Key = serde_saphyr::Spanned<String>;

    fn scalar(value: Value) -> Self {
        Self::Scalar(value)
    }

    fn list(items: Vec<Raw>) -> Self {
        Self::List(items)
    }

    fn map(entries: Vec<(Self::Key, Raw)>) -> Self {
        Self::Map(entries)
    }
}

impl Form<'_> for Kind {
    type Item = Node;
    type Key = Spanned<String>;

    fn scalar(value: Value) -> Self {
        Self::Scalar(value)
    }

    fn list(items: Vec<Node>) -> Self {
        Self::List(items)
    }

    fn map(entries: Vec<(Spanned<String>, Node)>) -> Self {
        Self::Map(entries)
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue::default())
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value: kind, span } = Spanned::deserialize(deserializer)?;
        Ok(Self { kind, span })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(reader::SPANNED, reader::AnySpanned::default())
    }
}

impl schemars::JsonSchema for Node {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Value".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        true.into()
    }

    fn inline_schema() -> bool {
        true
    }
}

impl<T: schemars::JsonSchema> schemars::JsonSchema for Spanned<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }

    fn inline_schema() -> bool {
        T::inline_schema()
    }
}

#[cfg(test)]
mod tests;
