//! A declared input of a skill.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::{Map, Value, json};

use crate::schema::{OneOrMore, ValueSchema, ValueType};
use crate::yaml::{Kind, Misfit, Node, Spanned};

/// One declared input. Besides the fields below any JSON Schema keyword may stand
/// here (`enum`, `minimum`, `pattern`, `items` …) and is enforced.
#[derive(Clone, Debug)]
pub struct Input {
    /// Name by which steps refer to it: `inputs.NAME`.
    pub name: Spanned<String>,
    /// `string`, `integer`, `number`, `boolean`, `array` or `object`.
    pub kind: Spanned<String>,
    /// Whether a run must be given it.
    pub required: bool,
    /// What it is for.
    pub description: Option<Spanned<String>>,
    /// Value when it is not given; may be a template over `today`, `now()`, `config` and earlier inputs.
    pub default: Option<Node>,
    /// JSON Schema of the value: `type` and every further keyword.
    pub schema: Value,
    /// The whole entry.
    pub node: Node,
}

/// The keys of an input that are not keywords of its schema.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    name: Spanned<String>,
    #[serde(default)]
    required: bool,
    #[serde(default)]
    description: Option<Spanned<String>>,
    #[serde(default)]
    default: Option<Node>,
}

const HEAD: [&str; 4] = ["name", "required", "description", "default"];

impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let node = Node::deserialize(deserializer)?;
        Self::from_node(node).map_err(D::Error::custom)
    }
}

impl Input {
    fn from_node(node: Node) -> Result<Self, Misfit> {
        let (head, keywords) = split(&node);
        let head: Head = head.read()?;
        let schema: ValueSchema = keywords.read()?;
        let kind = match (schema.r#type, keywords.get("type")) {
            (Some(OneOrMore::One(kind)), Some(written)) if kind != ValueType::Null => {
                Spanned { value: written.as_str().unwrap_or_default().to_owned(), span: written.span }
            }
            _ => return Err(Misfit::new("`type` must be the name of one type", node.span)),
        };
        let schema = crate::schema::whole(keywords.to_json())
            .map_err(|message| Misfit::new(message, keywords.get("$ref").unwrap_or(&node).span))?;
        Ok(Self {
            name: head.name,
            kind,
            required: head.required,
            description: head.description,
            default: head.default,
            schema,
            node,
        })
    }
}

/// The entry's own keys, and its schema.
fn split(node: &Node) -> (Node, Node) {
    let Kind::Map(entries) = &node.kind else { return (node.clone(), node.clone()) };
    // A list of required keys is a keyword; `true` and `false` are about the input itself.
    let is_head =
        |key: &str, value: &Node| HEAD.contains(&key) && (key != "required" || value.items().is_empty());
    let (head, keywords) = entries.iter().cloned().partition(|(key, value)| is_head(&key.value, value));
    let part = |entries| Node { kind: Kind::Map(entries), span: node.span };
    (part(head), part(keywords))
}

impl JsonSchema for Input {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Input".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut schema = ValueSchema::json_schema(generator);
        let mut properties = own_properties();
        if let Some(Value::Object(keywords)) = schema.remove("properties") {
            for (keyword, meaning) in keywords {
                properties.entry(keyword).or_insert(meaning);
            }
        }
        schema.insert("properties".to_owned(), properties.into());
        schema.insert("required".to_owned(), json!(["name", "type"]));
        schema.insert(
            "description".to_owned(),
            "One declared input. Any JSON Schema keyword may stand here and is enforced.".into(),
        );
        schema
    }
}

fn own_properties() -> Map<String, Value> {
    let properties = json!({
        "name": {
            "type": "string",
            "description": "Name by which steps refer to it: `inputs.NAME`."
        },
        "type": {
            "enum": ["string", "integer", "number", "boolean", "array", "object"],
            "description": "Type of the value."
        },
        "required": {
            "anyOf": [{ "type": "boolean" }, { "type": "array", "items": { "type": "string" } }],
            "description": "Whether a run must be given it; or, of an object, a list of the keys that it must have."
        },
        "description": {
            "type": "string",
            "description": "What it is for."
        },
        "default": {
            "description": "Value when it is not given; may be a template over `today`, `now()`, `config` and earlier inputs."
        }
    });
    if let Value::Object(properties) = properties { properties } else { Map::new() }
}
