//! The template engine set up for skills: what it knows, what it forbids, its limits.

use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Rest, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior, Value};

use super::Missing;
use super::failure::missing;
use super::functions;
use super::value::{Budget, is_missing, to_text};

/// Instructions that one evaluation may take; a loop body takes about ten a turn.
const FUEL: u64 = 1_000_000;

/// The engines for both readings of a missing value.
///
/// They are constants that cannot be written as such: built once, from nothing that
/// could differ between two processes, and never changed.
static ENGINES: LazyLock<Engines> = LazyLock::new(Engines::new);

struct Engines {
    null: Environment<'static>,
    fail: Environment<'static>,
    syntax: SyntaxConfig,
}

/// The engine that reads a missing value in the given way.
pub(super) fn engine(missing: Missing) -> &'static Environment<'static> {
    match missing {
        Missing::Null => &ENGINES.null,
        Missing::Fail | Missing::Lenient => &ENGINES.fail,
    }
}

/// The delimiters and white-space rules of templates.
pub(super) fn syntax() -> SyntaxConfig {
    ENGINES.syntax.clone()
}

impl Engines {
    fn new() -> Self {
        let mut builder = SyntaxConfig::builder();
        builder.keep_trailing_newline(true);
        // Only delimiters can make this fail, and they are the default ones.
        let syntax = builder.build().unwrap_or_default();
        let build = |behavior| {
            let mut environment = Environment::new();
            environment.set_syntax(syntax.clone());
            environment.set_auto_escape_callback(|_| AutoEscape::None);
            environment.set_undefined_behavior(behavior);
            environment.set_unknown_method_callback(call_method);
            environment.set_fuel(Some(FUEL));
            environment.set_debug(false);
            environment.set_formatter(|out, state, value| {
                if is_missing(value) && is_strict(state) {
                    return Err(missing());
                }
                Ok(out.write_str(&to_text(value, &mut Budget::new())?)?)
            });
            // `debug()` prints the whole scope, and a namespace can hold itself.
            environment.remove_global("debug");
            environment.remove_global("namespace");
            functions::add_to(&mut environment);
            environment
        };
        let (null, fail) = (build(UndefinedBehavior::Chainable), build(UndefinedBehavior::SemiStrict));
        Self { null, fail, syntax }
    }
}

/// Whether a missing value is an error in this evaluation.
pub(super) fn is_strict(state: &State<'_, '_>) -> bool {
    state.undefined_behavior() != UndefinedBehavior::Chainable
}

/// Python's methods, which also work on what is missing when that reads as null.
fn call_method(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    if !is_missing(value) {
        let args: Rest<Value> = Rest(args.to_vec());
        return minijinja_contrib::pycompat::unknown_method_callback(state, value, method, &args);
    }
    if is_strict(state) {
        return Err(missing());
    }
    match method {
        "get" => Ok(args.get(1).cloned().unwrap_or_default()),
        "items" | "keys" | "values" | "split" | "splitlines" => Ok(Value::from(Vec::<Value>::new())),
        "count" => Ok(Value::from(0)),
        "startswith" | "endswith" => Ok(Value::from(false)),
        _ if value.kind() == ValueKind::None || value.is_undefined() => Ok(Value::UNDEFINED),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}
