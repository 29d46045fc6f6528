//! Heal rules: which failures are mended by which call, and how often at most.
//!
//! A rule is data, in the `heal:` list of a tool module. It says which failures it is for,
//! what is called, and the bounds; [`compile`] turns it into what a plan pins ([`plan`]).
//!
//! ```yaml
//! heal:
//!   - name: cluster_login
//!     match: {kind: auth, tool: "kubectl_*"}
//!     guess: {cluster: [{pattern: production, value: production}, {value: stage}]}
//!     do: {tool: kube_login, args: {cluster: "{{ guess.cluster }}"}}
//!     cool_down: 2m
//! ```

mod compile;
mod plan;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

pub use self::compile::{check, compile};
pub use self::plan::{Bounds, Failure, GuessPlan, HealPlan};
use crate::tool::ErrorKind;
use crate::yaml::{Kind, Node, Spanned};

/// A heal rule: when a step with `on_error: auto_heal` fails like this, make that call and try
/// the step again. A rule of a nearer folder replaces one of the same name.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealRule {
    /// Name of the rule.
    pub name: Spanned<String>,
    /// What it mends.
    #[serde(default)]
    pub description: Option<Spanned<String>>,
    /// `false` switches the rule off, e.g. a shipped one by one of the same name.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// Which failures it is for; all that is given must fit.
    pub r#match: HealMatch,
    /// Values that are guessed from the failure, for `guess.NAME` in the arguments: the first
    /// entry that fits decides.
    #[serde(default)]
    pub guess: BTreeMap<String, Vec<Guess>>,
    /// What is called.
    pub r#do: HealAction,
    /// How often it may be tried for one step or item (default 1, 5 at most).
    #[serde(default, deserialize_with = "crate::skill::at_least_one")]
    #[schemars(range(min = 1, max = 5))]
    pub per_step: Option<Spanned<u32>>,
    /// How often it may act in one run (default 3, 20 at most).
    #[serde(default, deserialize_with = "crate::skill::at_least_one")]
    #[schemars(range(min = 1, max = 20))]
    pub per_run: Option<Spanned<u32>>,
    /// How often it may act within an hour, all runs together (default 6, 60 at most).
    #[serde(default, deserialize_with = "crate::skill::at_least_one")]
    #[schemars(range(min = 1, max = 60))]
    pub per_hour: Option<Spanned<u32>>,
    /// How long the same call with the same arguments is not made again (default `1m`).
    #[serde(default, deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub cool_down: Option<Spanned<String>>,
    /// How long the call may take (default `2m`, `1h` at most).
    #[serde(default, deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub timeout: Option<Spanned<String>>,
    /// When the rule stops by itself.
    #[serde(default)]
    pub breaker: Breaker,
}

/// Which failures a rule is for.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HealMatch {
    /// The tool that failed, or several; `*` stands for any letters.
    pub tool: Several<String>,
    /// The kind of error, or several.
    pub kind: Several<ErrorKind>,
    /// Regular expressions, of which one is found in the error's text: its message and what the
    /// command printed. They match whole words, in any case.
    #[schemars(with = "Several<crate::schema::Pattern>")]
    pub pattern: Several<String>,
    /// Regular expressions like those of `pattern`, of which none may be found.
    #[schemars(with = "Several<crate::schema::Pattern>")]
    pub unless: Several<String>,
    /// The command's exit code, or several.
    pub exit_code: Several<i64>,
    /// The HTTP status, or several.
    pub status: Several<i64>,
}

/// One entry of a table that guesses a value.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Guess {
    /// Regular expression on the tool's name, its arguments as JSON and the error's text; it
    /// matches whole words, in any case. Without it the entry always fits.
    #[serde(default)]
    #[schemars(with = "Option<crate::schema::Pattern>")]
    pub pattern: Option<Spanned<String>>,
    /// The value.
    pub value: Node,
}

/// What a rule calls: a tool or a skill.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealAction {
    /// A tool.
    #[serde(default)]
    pub tool: Option<Spanned<String>>,
    /// A skill.
    #[serde(default)]
    pub skill: Option<Spanned<String>>,
    /// Its arguments; templates over `tool`, `args` and `error` of the failed call, and `guess`.
    #[serde(default)]
    pub args: Option<Node>,
}

/// When a rule stops by itself: until its time is over, or `aa heal reset`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Breaker {
    /// After it has not helped this often in a row (default 3).
    #[serde(deserialize_with = "crate::skill::at_least_one")]
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    pub failures: Option<Spanned<u32>>,
    /// For this long (default `1h`).
    #[serde(deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub rest: Option<Spanned<String>>,
}

/// One value, or a list of them.
#[derive(Clone, Debug)]
pub struct Several<T>(pub Vec<Spanned<T>>);

impl<T> Default for Several<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone> Several<T> {
    /// The values.
    pub fn values(&self) -> Vec<T> {
        self.0.iter().map(|item| item.value.clone()).collect()
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Several<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let node = Node::deserialize(deserializer)?;
        let items =
            if matches!(node.kind, Kind::List(_)) { node.items() } else { std::slice::from_ref(&node) };
        let read = |item: &Node| {
            let value = item.read().map_err(serde::de::Error::custom)?;
            Ok(Spanned { value, span: item.span })
        };
        items.iter().map(read).collect::<Result<_, _>>().map(Self)
    }
}

impl<T: JsonSchema> JsonSchema for Several<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Several_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = generator.subschema_for::<T>();
        schemars::json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
    }

    fn inline_schema() -> bool {
        true
    }
}
