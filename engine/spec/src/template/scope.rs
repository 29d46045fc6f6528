//! What an expression sees: names and their values, converted once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object};
use minijinja::{Error, Value};
use serde_json::{Map, Value as Json};

use super::EvalError;
use super::failure::reason;
use super::moment::{Clock, day, moment_at};
use super::seal::seal;
use super::value::{Budget, from_json, is_missing, to_json};
use crate::compute::Interpreter;

/// The values that an expression sees. Cheap to clone; children share their parent.
///
/// A value is converted when it is set and shared afterwards, whatever its size.
/// Setting a name while a clone or child lives copies the table of names (not the
/// values), so let children go before their parent changes.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    frame: Arc<Frame>,
    python: Option<Python>,
    lenient: bool,
}

/// Evaluates what is Python.
#[derive(Clone)]
struct Python(Arc<dyn Interpreter>);

/// One level of names; also the engine's view of the whole scope.
#[derive(Clone, Default)]
pub(super) struct Frame {
    parent: Option<Arc<Frame>>,
    slots: BTreeMap<Box<str>, Slot>,
}

#[derive(Clone)]
enum Slot {
    Value(Value),
    /// A mapping that grows entry by entry, such as `steps`.
    Group(Arc<Frame>),
}

impl Scope {
    /// Sets a top-level name.
    pub fn set(&mut self, name: &str, value: &Json) {
        self.put(name, from_json(value));
    }

    /// Sets one entry of a top-level mapping, without touching its other entries:
    /// `set_in("steps", "build", …)`.
    pub fn set_in(&mut self, group: &str, name: &str, value: &Json) {
        let slots = &mut Arc::make_mut(&mut self.frame).slots;
        let slot = slots.entry(group.into()).or_insert_with(|| Slot::Group(Arc::default()));
        if matches!(slot, Slot::Value(_)) {
            *slot = Slot::Group(Arc::default());
        }
        if let Slot::Group(entries) = slot {
            Arc::make_mut(entries).slots.insert(name.into(), Slot::Value(from_json(value)));
        }
    }

    /// The time that `now()` and `today` give, in milliseconds since 1970.
    pub fn set_now(&mut self, unix_ms: i64) {
        let moment = moment_at(unix_ms);
        self.put("now", Value::from_object(Clock(moment)));
        self.put("today", Value::from(day(moment)));
    }

    /// Names of the configured secrets; `secrets.NAME` gives a sealed reference.
    pub fn set_secrets(&mut self, names: &[String]) {
        let sealed = Value::from_pairs(names.iter().map(|name| (name.clone(), seal(name))));
        self.put("secrets", sealed);
    }

    /// A scope that sees all of this one, and more names of its own.
    #[must_use]
    pub fn child(&self) -> Self {
        let frame = Frame { parent: Some(Arc::clone(&self.frame)), slots: BTreeMap::new() };
        Self { frame: Arc::new(frame), python: self.python.clone(), lenient: self.lenient }
    }

    /// Who evaluates expressions that only Python grammar accepts. Without one they fail.
    pub fn set_interpreter(&mut self, interpreter: Arc<dyn Interpreter>) {
        self.python = Some(Python(interpreter));
    }

    /// Whether a missing value is null even where it would fail, as in a skill that is read leniently. Inside a text
    /// it still fails.
    pub fn set_lenient(&mut self, lenient: bool) {
        self.lenient = lenient;
    }

    pub(super) fn is_lenient(&self) -> bool {
        self.lenient
    }

    /// The value of a top-level name as JSON, if it has one.
    ///
    /// # Errors
    /// JSON cannot hold it, or not within the limits of an evaluation.
    pub fn json(&self, name: &str) -> Option<Result<Json, EvalError>> {
        let value = to_json(&self.frame.get(name)?, &mut Budget::new());
        Some(value.map_err(|error| EvalError::invalid(reason(&error))))
    }

    /// Every top-level name whose value is not null, in alphabetical order.
    pub fn known(&self) -> Vec<String> {
        let mut names = BTreeMap::new();
        let mut frame = Some(&self.frame);
        while let Some(level) = frame {
            for (name, slot) in &level.slots {
                names.entry(name).or_insert_with(|| !slot.is_null());
            }
            frame = level.parent.as_ref();
        }
        names.into_iter().filter(|(_, has_value)| *has_value).map(|(name, _)| name.to_string()).collect()
    }

    /// Whether a top-level name is set.
    pub fn has(&self, name: &str) -> bool {
        self.frame.get(name).is_some()
    }

    pub(super) fn interpreter(&self) -> Option<&dyn Interpreter> {
        Some(&*self.python.as_ref()?.0)
    }

    /// The time that `now()` gives, if that is known.
    pub(super) fn now_ms(&self) -> Option<i64> {
        let now = self.frame.get("now")?;
        Some(now.downcast_object_ref::<Clock>()?.0.timestamp_millis())
    }

    /// The values of names; null where there is none.
    pub(super) fn values(&self, names: &BTreeSet<String>) -> Result<Map<String, Json>, Error> {
        let mut budget = Budget::new();
        let value = |name: &String| {
            let value = self.frame.get(name).unwrap_or_default();
            Ok((name.clone(), to_json(&value, &mut budget)?))
        };
        names.iter().map(value).collect()
    }

    /// The value at a path of keys, if everything on the way is there.
    pub(super) fn at<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Option<Value> {
        let mut keys = path.into_iter();
        let mut value = self.frame.get(keys.next()?)?;
        for key in keys {
            value = value.get_attr(key).ok().filter(|inner| !inner.is_undefined())?;
        }
        Some(value)
    }

    /// The engine's view.
    pub(super) fn root(&self) -> Value {
        Value::from_dyn_object(Arc::clone(&self.frame))
    }

    pub(super) fn put(&mut self, name: &str, value: Value) {
        Arc::make_mut(&mut self.frame).slots.insert(name.into(), Slot::Value(value));
    }
}

impl Slot {
    fn is_null(&self) -> bool {
        matches!(self, Self::Value(value) if is_missing(value))
    }
}

impl Frame {
    fn get(&self, name: &str) -> Option<Value> {
        match self.slots.get(name) {
            Some(Slot::Value(value)) => Some(value.clone()),
            Some(Slot::Group(entries)) => Some(Value::from_dyn_object(Arc::clone(entries))),
            None => self.parent.as_ref()?.get(name),
        }
    }
}

impl Object for Frame {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.get(key)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let mut names = BTreeSet::new();
        let mut level = Some(self);
        while let Some(frame) = level {
            names.extend(frame.slots.keys().map(|name| &**name));
            level = frame.parent.as_ref();
        }
        Enumerator::Values(names.into_iter().map(Value::from).collect())
    }
}

impl fmt::Debug for Python {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Python")
    }
}

/// Names only: a scope that is printed by mistake must not give its values away.
impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.slots.keys()).finish()
    }
}
