//! Functions and filters of the template language that the engine does not bring
//! along, or that mean something else here.

use std::cmp::Ordering;
use std::sync::Arc;

use minijinja::value::{Kwargs, Object, ObjectRepr, Rest, ValueKind, from_args};
use minijinja::{Environment, Error, State, Value, filters};

use super::environment::is_strict;
use super::failure::{fail, missing};
use super::seal;
use super::value::{Budget, from_json, is_missing, to_json, to_text};

/// The filter that makes text of the operands of `~`.
pub(super) const TEXT_FILTER: &str = "_text";

/// The filter that makes one word of a value for a shell.
pub(super) const SHELL_QUOTE: &str = "shell_quote";

/// Adds all of them.
pub(super) fn add_to(environment: &mut Environment<'static>) {
    add_functions(environment);
    add_filters(environment);
    add_text_filters(environment);
    for kind in [Kind::Str, Kind::Int, Kind::Float, Kind::Bool, Kind::List, Kind::Dict] {
        environment.add_global(kind.name(), Value::from_object(kind));
    }
}

fn add_functions(environment: &mut Environment<'static>) {
    environment.add_function("len", length);
    environment.add_function("isinstance", is_instance);
    environment.add_function("dir", names);
    environment.add_function("now", || -> Result<Value, Error> { Err(fail("the time is not known here")) });
    environment.add_function("moment", super::moment::moment);
    environment.add_function("any", |items: Value| Ok::<_, Error>(list(&items)?.iter().any(Value::is_true)));
    environment.add_function("all", |items: Value| Ok::<_, Error>(list(&items)?.iter().all(Value::is_true)));
    environment.add_function("min", |items: Rest<Value>| extreme(&items, Ordering::Less));
    environment.add_function("max", |items: Rest<Value>| extreme(&items, Ordering::Greater));
    environment.add_function("sum", filters::sum);
    environment.add_function("abs", filters::abs);
    environment.add_function("round", filters::round);
    environment.add_function("sorted", |items: Value, options: Kwargs| {
        let reverse = options.get::<Option<bool>>("reverse")?.unwrap_or(false);
        options.assert_all_used()?;
        let mut items = list(&items)?;
        items.sort();
        if reverse {
            items.reverse();
        }
        Ok::<_, Error>(Value::from(items))
    });
}

fn add_filters(environment: &mut Environment<'static>) {
    environment.add_filter("length", length);
    environment.add_filter("count", length);
    environment.add_filter("default", default);
    environment.add_filter("d", default);
    environment.add_filter("string", |value: Value| to_text(&value, &mut Budget::new()));
    environment.add_filter(TEXT_FILTER, |state: &State, value: Value| {
        if is_missing(&value) && is_strict(state) {
            return Err(missing());
        }
        to_text(&value, &mut Budget::new())
    });
    environment.add_filter("tojson", |value: &Value, options: Kwargs| to_json_text(value, &options));
    environment.add_filter("fromjson", |text: &str| {
        let json = serde_json::from_str(text).map_err(|_| fail("that is not JSON"))?;
        Ok::<_, Error>(from_json(&json))
    });
    environment.add_filter("join", |items: &Value, between: Option<&str>, options: Kwargs| {
        join(items, between, &options)
    });
    environment.add_filter("basename", |path: &str| {
        path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned()
    });
    environment.add_filter("slug", slug);
    environment.add_filter(SHELL_QUOTE, shell_quote);
    environment.add_filter("jira_link", |state: &State, key: &Value| {
        let address = setting(state, "jira", "url").map(|url| format!("{url}/browse/"));
        link(state, key, "", address)
    });
    environment.add_filter("mr_link", |state: &State, number: &Value, project: Option<String>| {
        let project = project.or_else(|| setting(state, "gitlab", "project"));
        let address = setting(state, "gitlab", "url").zip(project);
        link(state, number, "!", address.map(|(url, project)| format!("{url}/{project}/-/merge_requests/")))
    });
    environment.add_filter("regex_replace", |text: &str, pattern: &str, with: &str| {
        let pattern = regex::Regex::new(pattern).map_err(|_| fail("that is not a regular expression"))?;
        Ok::<_, Error>(pattern.replace_all(text, with).into_owned())
    });
}

/// Filters that would read null as the word `None`.
fn add_text_filters(environment: &mut Environment<'static>) {
    let known = [
        ("capitalize", Value::from_function(filters::capitalize)),
        ("indent", Value::from_function(filters::indent)),
        ("lower", Value::from_function(filters::lower)),
        (
            "replace",
            Value::from_function(|text: &Value, from: &str, to: &str, count: Option<i64>| {
                replace(text, from, to, count)
            }),
        ),
        ("title", Value::from_function(filters::title)),
        ("trim", Value::from_function(filters::trim)),
        ("upper", Value::from_function(filters::upper)),
    ];
    for (name, filter) in known {
        environment.add_filter(name, move |state: &mut State, args: Rest<Value>| {
            if !args.first().is_some_and(is_missing) {
                filter.call(state, &args)
            } else if is_strict(state) {
                Err(missing())
            } else {
                Ok(Value::UNDEFINED)
            }
        });
    }
}

/// The names that have a value; what a skipped step leaves is not there.
fn names(state: &State) -> Value {
    let names = state.known_variables().into_iter();
    let there = names.filter(|name| state.lookup(name).is_some_and(|value| !is_missing(&value)));
    there.map(|name| Value::from(name.to_string())).collect()
}

/// A text under `config:`, without a slash at its end.
fn setting(state: &State, group: &str, name: &str) -> Option<String> {
    let value = state.lookup("config")?.get_attr(group).ok()?.get_attr(name).ok()?;
    value.as_str().map(|text| text.trim_end_matches('/').to_owned())
}

/// A link to something with a name, in the markup that the skill's input `slack_format`
/// asks for; the name alone when nobody has said where such things are.
fn link(state: &State, name: &Value, mark: &str, address: Option<String>) -> Result<Value, Error> {
    if is_missing(name) {
        return if is_strict(state) { Err(missing()) } else { Ok(Value::UNDEFINED) };
    }
    let text = to_text(name, &mut Budget::new())?;
    let name = text.trim_start_matches(mark);
    let Some(address) = address.filter(|_| !name.is_empty()) else { return Ok(Value::from(text)) };
    let inputs = state.lookup("inputs").unwrap_or_default();
    let slack = inputs.get_attr("slack_format").is_ok_and(|wanted| wanted.is_true());
    Ok(Value::from(if slack {
        format!("<{address}{name}|{mark}{name}>")
    } else {
        format!("[{mark}{name}]({address}{name})")
    }))
}

fn length(value: &Value) -> Result<usize, Error> {
    if is_missing(value) {
        return Ok(0);
    }
    value.len().ok_or_else(|| fail(format!("a {} has no length", value.kind())))
}

/// Unlike Jinja's, it also replaces null: that is what a skipped step leaves.
fn default(value: &Value, other: Option<Value>, also_false: Option<bool>) -> Value {
    if is_missing(value) || also_false == Some(true) && !value.is_true() {
        other.unwrap_or_else(|| Value::from(""))
    } else {
        value.clone()
    }
}

fn to_json_text(value: &Value, options: &Kwargs) -> Result<String, Error> {
    let indent = options.get::<Option<usize>>("indent")?;
    options.assert_all_used()?;
    let mut budget = Budget::new();
    let json = to_json(value, &mut budget)?;
    let text = match indent {
        Some(indent) if indent > 0 => indented(&json, indent.min(16)),
        _ => json.to_string(),
    };
    budget.spend(text.len())?;
    Ok(text)
}

fn indented(json: &serde_json::Value, indent: usize) -> String {
    use serde::Serialize;
    let spaces = " ".repeat(indent);
    let formatter = serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes());
    let mut bytes = Vec::new();
    let mut writer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    // Writing a JSON value into memory cannot fail.
    let _ = json.serialize(&mut writer);
    String::from_utf8(bytes).unwrap_or_default()
}

fn join(items: &Value, between: Option<&str>, options: &Kwargs) -> Result<String, Error> {
    let between = between.or(options.get("d")?).unwrap_or_default();
    let attribute = options.get::<Option<&str>>("attribute")?;
    options.assert_all_used()?;
    let mut budget = Budget::new();
    let mut text = String::new();
    for (index, item) in list(items)?.iter().enumerate() {
        if index > 0 {
            text.push_str(between);
            budget.spend(between.len())?;
        }
        let item = attribute.map_or_else(|| Ok(item.clone()), |path| at(item, path))?;
        text.push_str(&to_text(&item, &mut budget)?);
    }
    Ok(text)
}

/// What a path of keys leads to.
fn at(value: &Value, path: &str) -> Result<Value, Error> {
    path.split('.').try_fold(value.clone(), |value, key| match key.parse::<usize>() {
        Ok(index) => value.get_item_by_index(index),
        Err(_) => value.get_attr(key),
    })
}

/// The first `count` of them, or all.
fn replace(text: &Value, from: &str, to: &str, count: Option<i64>) -> Result<String, Error> {
    let mut budget = Budget::new();
    let text = to_text(text, &mut budget)?;
    let count = count.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
    let hits = text.matches(from).take(count).count();
    // So large may the result be at most.
    budget.spend(text.len().saturating_add(hits.saturating_mul(to.len())))?;
    Ok(text.replacen(from, to, hits))
}

/// One word for any shell of POSIX, or one for each item of a list.
fn shell_quote(value: &Value) -> Result<String, Error> {
    let budget = &mut Budget::new();
    if value.kind() != ValueKind::Seq {
        return shell_word(value, budget);
    }
    let words = list(value)?.iter().map(|item| shell_word(item, budget)).collect::<Result<Vec<_>, _>>()?;
    Ok(words.join(" "))
}

fn shell_word(value: &Value, budget: &mut Budget) -> Result<String, Error> {
    if value.is_none() || is_missing(value) {
        return Err(missing());
    }
    let text = to_text(value, budget)?;
    // As much more as it may become.
    budget.spend(text.len().saturating_mul(3).saturating_add(3))?;
    if seal::contains(&text) {
        return Err(fail("a secret cannot be quoted, as it is not known yet: give it in the environment"));
    }
    if text.contains('\0') {
        return Err(fail("a word of a shell cannot hold a zero byte"));
    }
    Ok(format!("'{}'", text.replace('\'', r"'\''")))
}

/// Lower case letters, digits and single hyphens: fit for a DNS label or a file name.
fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

/// The items of a list, the characters of a text, the keys of a mapping; none when missing.
fn list(value: &Value) -> Result<Vec<Value>, Error> {
    if is_missing(value) {
        return Ok(Vec::new());
    }
    match value.kind() {
        ValueKind::Bool | ValueKind::Number | ValueKind::Plain => {
            Err(fail(format!("a {} has no items", value.kind())))
        }
        _ => Ok(value.try_iter()?.collect()),
    }
}

/// Of one list, or of several arguments.
fn extreme(values: &[Value], wanted: Ordering) -> Result<Value, Error> {
    let items = match values {
        [only] => list(only)?,
        several => several.to_vec(),
    };
    let better = |best: Value, item: Value| if item.cmp(&best) == wanted { item } else { best };
    items.into_iter().reduce(better).ok_or_else(|| fail("there is nothing to choose from"))
}

fn is_instance(value: &Value, kinds: &Value) -> Result<bool, Error> {
    if let Some(kind) = kinds.downcast_object_ref::<Kind>() {
        return Ok(kind.holds(value));
    }
    let kinds = list(kinds)?;
    let known = |kind: &Value| kind.downcast_object_ref::<Kind>().copied();
    let kinds: Option<Vec<Kind>> = kinds.iter().map(known).collect();
    match kinds {
        Some(kinds) if !kinds.is_empty() => Ok(kinds.iter().any(|kind| kind.holds(value))),
        _ => Err(fail(
            "the second argument of `isinstance` must be `str`, `int`, `float`, `bool`, `list` or `dict`",
        )),
    }
}

/// Python's types: to be asked for by `isinstance`, and to convert by a call.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Str,
    Int,
    Float,
    Bool,
    List,
    Dict,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Str => "str",
            Self::Int => "int",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::List => "list",
            Self::Dict => "dict",
        }
    }

    fn holds(self, value: &Value) -> bool {
        match self {
            Self::Str => value.kind() == ValueKind::String,
            Self::Int => value.is_integer() || value.kind() == ValueKind::Bool,
            Self::Float => value.kind() == ValueKind::Number && !value.is_integer(),
            Self::Bool => value.kind() == ValueKind::Bool,
            Self::List => matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable),
            Self::Dict => value.kind() == ValueKind::Map,
        }
    }

    fn convert(self, value: &Value) -> Result<Value, Error> {
        match self {
            Self::Str => to_text(value, &mut Budget::new()).map(Value::from),
            Self::Int => int(value),
            Self::Float => float(value).map(Value::from),
            Self::Bool => Ok(Value::from(value.is_true())),
            Self::List => list(value).map(Value::from),
            Self::Dict if is_missing(value) => Ok(Value::from_pairs::<_, String, Value>([])),
            Self::Dict if value.kind() == ValueKind::Map => Ok(value.clone()),
            Self::Dict => Err(fail(format!("a {} is not a mapping", value.kind()))),
        }
    }
}

impl Object for Kind {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        if matches!(**self, Self::Dict) {
            let (value, more): (Option<Value>, Kwargs) = from_args(args)?;
            let mut pairs: Vec<(String, Value)> = Vec::new();
            if let Some(value) = value {
                let value = self.convert(&value)?;
                for key in value.try_iter()? {
                    pairs.push((key.to_string(), value.get_item(&key)?));
                }
            }
            for name in more.args() {
                pairs.push((name.to_owned(), more.get(name)?));
            }
            return Ok(Value::from_pairs(pairs));
        }
        let (value,): (Value,) = from_args(args)?;
        self.convert(&value)
    }
}

fn int(value: &Value) -> Result<Value, Error> {
    let not_whole = || fail("that is not a whole number");
    match value.kind() {
        ValueKind::Bool => Ok(Value::from(i64::from(value.is_true()))),
        ValueKind::Number if value.is_integer() => Ok(value.clone()),
        ValueKind::Number => {
            let float = float(value)?.trunc();
            // The text of a whole float is exact, a cast of a large one is not.
            format!("{float:.0}").parse::<i64>().map(Value::from).map_err(|_| not_whole())
        }
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default().trim();
            text.parse::<i64>().map(Value::from).map_err(|_| not_whole())
        }
        ValueKind::None | ValueKind::Undefined => Err(fail("a missing value is not a number")),
        kind => Err(fail(format!("a {kind} is not a number"))),
    }
}

fn float(value: &Value) -> Result<f64, Error> {
    match value.kind() {
        ValueKind::Bool => Ok(f64::from(u8::from(value.is_true()))),
        ValueKind::Number => f64::try_from(value.clone()).map_err(|_| fail("a number is too large")),
        ValueKind::String => {
            value.as_str().unwrap_or_default().trim().parse().map_err(|_| fail("that is not a number"))
        }
        ValueKind::None | ValueKind::Undefined => Err(fail("a missing value is not a number")),
        kind => Err(fail(format!("a {kind} is not a number"))),
    }
}
