//! The description of all routes, as `OpenAPI` 3.1, made of the types that they are read and answered with.

use schemars::JsonSchema;
use schemars::generate::{Contract, SchemaGenerator, SchemaSettings};
use schemars::transform::RecursiveTransform;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::problem::{KINDS, Told};
use super::route::{Part, Route};

/// Schemas that routes have in common.
pub(crate) struct Schemas {
    /// What is sent to us.
    read: SchemaGenerator,
    /// What we send.
    sent: SchemaGenerator,
}

/// What is told of a route.
pub(crate) struct Description {
    parameters: Vec<Value>,
    body: Option<Value>,
    success: Success,
}

/// What is told of an answer when all is well.
pub(crate) struct Success {
    pub(super) status: u16,
    pub(super) media: &'static str,
    pub(super) schema: Value,
    /// It has a tag, and may be answered with 304.
    pub(super) is_tagged: bool,
    /// It names an address.
    pub(super) is_made: bool,
}

impl Success {
    /// A text with a tag.
    pub(super) fn text(media: &'static str) -> Self {
        Self { status: 200, media, schema: json!({"type": "string"}), is_tagged: true, is_made: false }
    }
}

impl Schemas {
    fn new() -> Self {
        let settings = |contract| {
            SchemaSettings::draft2020_12()
                .with(|settings| {
                    settings.definitions_path = "/components/schemas".into();
                    settings.contract = contract;
                    settings.meta_schema = None;
                })
                .into_generator()
        };
        Self { read: settings(Contract::Deserialize), sent: settings(Contract::Serialize) }
    }

    /// The schema of something that we send.
    pub(super) fn sent<T: JsonSchema>(&mut self) -> Value {
        self.sent.subschema_for::<T>().to_value()
    }

    /// All that were made. What is both read and sent must be the same in both directions, or have two names.
    fn all(mut self) -> Map<String, Value> {
        let mut all: Map<String, Value> = self.sent.take_definitions(true).into_iter().collect();
        all.extend(self.read.take_definitions(true));
        all.sort_keys();
        all
    }
}

/// The schema of a type by itself; an optional key may be left out, and is then not null.
pub(super) fn plain<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .with_transform(RecursiveTransform(aa_spec::schema::without_null))
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

/// What is told of a route of these types.
pub(super) fn describe<P: Part, Q: Part, B: Part, A: Answer>(schemas: &mut Schemas) -> Description {
    let mut parameters = parameters(&plain::<P>(), "path");
    parameters.extend(self::parameters(&plain::<Q>(), "query"));
    let body = plain::<B>();
    let has_body = body["properties"].as_object().is_some_and(|keys| !keys.is_empty());
    let needed = body["required"].as_array().is_some_and(|keys| !keys.is_empty());
    let body = has_body.then(|| {
        let schema = schemas.read.subschema_for::<B>().to_value();
        json!({"required": needed, "content": {"application/json": {"schema": schema}}})
    });
    Description { parameters, body, success: A::described(schemas) }
}

fn parameters(schema: &Value, place: &str) -> Vec<Value> {
    let required = |name: &str| {
        place == "path"
            || schema["required"].as_array().is_some_and(|names| names.iter().any(|one| one == name))
    };
    let parameter = |(name, schema): (&String, &Value)| {
        let mut schema = schema.clone();
        let description = schema.as_object_mut().and_then(|schema| schema.shift_remove("description"));
        let mut parameter = json!({"name": name, "in": place, "required": required(name)});
        if let Some(description) = description {
            parameter["description"] = description;
        }
        if schema["type"] == "array" {
            // `a,b`.
            parameter["explode"] = false.into();
        }
        parameter["schema"] = schema;
        parameter
    };
    schema["properties"].as_object().into_iter().flatten().map(parameter).collect()
}

/// The whole description.
pub(super) fn of(nouns: &[(&'static str, Vec<Route>)]) -> Value {
    let mut schemas = Schemas::new();
    let mut paths = Map::new();
    for (noun, routes) in nouns {
        for route in routes {
            let description = (route.describe)(&mut schemas);
            let operation = operation(noun, route, description);
            let path = paths.entry(format!("/api{}", route.path)).or_insert_with(|| json!({}));
            path[route.method.as_str().to_ascii_lowercase()] = operation;
        }
    }
    let problem = schemas.sent::<Told>();
    let kinds: Vec<String> =
        KINDS.iter().map(|kind| format!("* `{}` ({}): {}", kind.name, kind.status, kind.title)).collect();
    let about = format!(
        "Everything that can be asked of a running `aa` over HTTP.\n\nWhoever asks shows a key: `Authorization: Bearer KEY`, or `X-API-Key: KEY`. \
         An answer that is no success is a problem as RFC 9457 has it; its `type` ends with one of these:\n\n{}",
        kinds.join("\n")
    );
    json!({
        "openapi": "3.1.0",
        "info": {"title": "aa", "version": env!("CARGO_PKG_VERSION"), "description": about, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "security": [{"key": []}, {"api_key": []}],
        "tags": nouns.iter().map(|(noun, _)| json!({"name": noun})).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer"},
                "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
            "responses": {"problem": {
                "description": "What went wrong",
                "content": {"application/problem+json": {"schema": problem}},
            }},
            "schemas": schemas.all(),
        },
    })
}

fn operation(noun: &str, route: &Route, description: Description) -> Value {
    let Description { mut parameters, body, success } = description;
    if route.is_known_by_key {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "A request that comes again with the same key is done once.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        }));
    }
    let mut answer =
        json!({"description": "All is well", "content": {success.media: {"schema": success.schema}}});
    if success.is_made {
        answer["headers"]["Location"] = json!({"description": "Where it is", "schema": {"type": "string"}});
    }
    if success.is_tagged {
        answer["headers"]["ETag"] =
            json!({"description": "Names this version", "schema": {"type": "string"}});
    }
    let mut operation = json!({
        "operationId": name(route),
        "tags": [noun],
        "summary": route.says,
        "parameters": parameters,
        "responses": {success.status.to_string(): answer, "default": {"$ref": "#/components/responses/problem"}},
    });
    if success.is_tagged {
        operation["responses"]["304"] = json!({"description": "It is still what `If-None-Match` names"});
    }
    if let Some(body) = body {
        operation["requestBody"] = body;
    }
    operation
}

/// `get_runs_run_events` and the like.
fn name(route: &Route) -> String {
    let words = route.path.split(['/', '{', '}', '.', '*']).filter(|word| !word.is_empty());
    let all: Vec<&str> = words.collect();
    format!("{}_{}", route.method.as_str().to_ascii_lowercase(), all.join("_"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_is_referred_to_is_there_and_names_are_used_once() {
        let document = crate::api::document();
        let text = document.to_string();
        let names: BTreeSet<&str> = text
            .split("\"$ref\":\"#/components/schemas/")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        assert!(names.len() > 20, "{names:?}");
        for name in names {
            assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
        }
        let mut ids = BTreeSet::new();
        for operation in document["paths"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|path| path.as_object().unwrap().values())
        {
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{operation}");
        }
    }

    #[test]
    fn nothing_that_is_sent_has_the_name_of_something_else_that_is_read() {
        let mut schemas = Schemas::new();
        for route in crate::api::nouns().into_iter().flat_map(|(_, routes)| routes) {
            (route.describe)(&mut schemas);
        }
        for (name, schema) in schemas.read.definitions() {
            let sent = schemas.sent.definitions().get(name);
            assert!(sent.is_none_or(|sent| sent == schema), "{name}");
        }
        let names = schemas.sent.definitions().keys().chain(schemas.read.definitions().keys());
        let numbered: Vec<_> =
            names.filter(|name| name.ends_with(|last: char| last.is_ascii_digit())).collect();
        assert!(numbered.is_empty(), "two types have one name: {numbered:?}");
    }

    #[test]
    fn a_key_for_repeated_requests_is_described_where_it_counts() {
        let document = crate::api::document();
        let mut known = Vec::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            let text = operations.to_string();
            if text.contains("Idempotency-Key") {
                known.push(path.as_str());
            }
        }
        let expected = [
            "/api/runs/{run}/retry",
            "/api/schedules/{schedule}/run",
            "/api/skills/{skill}/run",
            "/api/tools/{tool}/call",
        ];
        known.sort_unstable();
        assert_eq!(known, expected);
    }

    #[test]
    fn no_body_takes_keys_that_are_not_known() {
        let document = crate::api::document();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for operation in operations.as_object().unwrap().values() {
                let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
                let Some(name) = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next()) else {
                    continue;
                };
                let named = &document["components"]["schemas"][name];
                let one = |schema: &Value| schema["additionalProperties"] == false;
                let closed = one(named) || named["oneOf"].as_array().is_some_and(|all| all.iter().all(one));
                assert!(closed, "{path}: {named}");
            }
        }
    }
}
