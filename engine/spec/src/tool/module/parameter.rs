//! Arguments of a tool: a JSON Schema by name.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::{Map, Value, json};

use crate::schema::ValueSchema;
use crate::tool::alias;
use crate::yaml::{Kind, Misfit, Node, Spanned};

/// The arguments of a tool, in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Parameters(pub Vec<(Spanned<String>, Parameter)>);

/// One argument: JSON Schema of its value.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Whether a call must give it: it has no `default` and does not say `optional: true`.
    pub required: bool,
    /// What others call it; accepted, with a warning.
    pub aliases: Vec<Spanned<String>>,
    /// JSON Schema of its value, `default`, `description` and the aliases included.
    pub schema: Value,
    /// The schema as it is written.
    pub node: Node,
}

impl Parameters {
    /// The schema of all arguments together; none but these may be given.
    pub fn schema(&self) -> Value {
        let properties: Map<String, Value> =
            self.0.iter().map(|(name, parameter)| (name.value.clone(), parameter.schema.clone())).collect();
        let required =
            self.0.iter().filter(|(_, parameter)| parameter.required).map(|(name, _)| name.value.as_str());
        json!({
            "type": "object",
            "properties": properties,
            "required": required.collect::<Vec<_>>(),
            "additionalProperties": false,
        })
    }

    /// The argument of that name.
    pub fn get(&self, name: &str) -> Option<&Parameter> {
        self.0.iter().find(|(known, _)| known.value == name).map(|(_, parameter)| parameter)
    }

    /// The names, in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.value.as_str())
    }
}

impl Parameter {
    fn from_node(mut node: Node) -> Result<Self, Misfit> {
        let optional = take(&mut node, "optional").map(|node| node.read::<bool>()).transpose()?;
        let aliases = take(&mut node, "aliases").map(|node| node.read()).transpose()?;
        let aliases: Vec<Spanned<String>> = aliases.unwrap_or_default();
        node.read::<ValueSchema>()?;
        let required = node.get("default").is_none() && optional != Some(true);
        let mut schema =
            crate::schema::whole(node.to_json()).map_err(|message| Misfit::new(message, node.span))?;
        if !aliases.is_empty() {
            schema[alias::KEYWORD] = aliases.iter().map(|alias| alias.value.as_str()).collect();
        }
        Ok(Self { required, aliases, schema, node })
    }
}

/// Takes out what is ours and no JSON Schema.
fn take(node: &mut Node, key: &str) -> Option<Node> {
    let Kind::Map(entries) = &mut node.kind else { return None };
    let at = entries.iter().position(|(known, _)| known.value == key)?;
    Some(entries.remove(at).1)
}

impl<'de> Deserialize<'de> for Parameters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let node = Node::deserialize(deserializer)?;
        let Kind::Map(entries) = node.kind else {
            return Err(D::Error::custom("the arguments are a mapping of names to schemas"));
        };
        let read = |(name, node)| Parameter::from_node(node).map(|parameter| (name, parameter));
        entries.into_iter().map(read).collect::<Result<_, _>>().map(Self).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Parameter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_node(Node::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl JsonSchema for Parameters {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Parameters".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let parameter = generator.subschema_for::<Parameter>();
        schemars::json_schema!({ "type": "object", "additionalProperties": parameter })
    }

    fn inline_schema() -> bool {
        true
    }
}

impl JsonSchema for Parameter {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Parameter".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut schema = ValueSchema::json_schema(generator);
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            properties.insert(
                "optional".to_owned(),
                json!({ "type": "boolean", "description": "Whether a call may leave it out; it is null then." }),
            );
            properties.insert(
                "aliases".to_owned(),
                json!({
                    "type": "array",
                    "items": { "type": "string" },
                    "description": "Other names that calls may use by mistake; accepted, with a warning.",
                }),
            );
        }
        schema.insert(
            "description".to_owned(),
            "One argument. Any JSON Schema keyword may stand here; it is required unless it has a `default` or says `optional: true`.".into(),
        );
        schema
    }
}
