//! What a module is configured with.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::yaml::{Node, Spanned};

/// A value that whoever uses a module configures: under `modules.MODULE.NAME` of the configuration file,
/// else in an environment variable. Templates of the module read it as `config.NAME`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "ModuleSetting")]
pub struct Setting {
    /// What it is for.
    pub description: Option<String>,
    /// Environment variable that gives it when the configuration file does not.
    pub env: Option<Spanned<String>>,
    /// The value when nobody gives one.
    pub default: Option<Node>,
    /// Whether it may be left out; it is null then.
    pub optional: bool,
    /// Whether nobody may see it. It is hidden wherever it would be shown, and a configuration file
    /// may only refer to it: `"{{ secrets.NAME }}"`.
    pub secret: bool,
}
