//! What documents become, in small.

use serde_json::json;

use super::*;

fn imported(paths: &Value, more: &Value) -> Imported {
    let mut document =
        json!({"openapi": "3.0.0", "info": {"title": "The Small-Shop API", "version": "1"}, "paths": paths});
    document.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    import(&Source::new("shop.json", document.to_string()), &Wanted::default()).unwrap()
}

fn module(imported: &Imported) -> Value {
    let source = Source::new("m.yaml", imported.text.clone());
    let (module, problems) = recipe::check(&source);
    assert!(module.is_some() && problems.is_empty(), "{problems:?}\n{}", imported.text);
    yaml::parse(&source).unwrap().to_json()
}

#[test]
fn names_come_from_ids_or_from_method_and_path() {
    let answer = json!({"responses": {"200": {"description": "ok"}}});
    let with = |id: &str| {
        let mut operation = answer.clone();
        operation["operationId"] = id.into();
        operation
    };
    let imported = imported(
        &json!({
            "/a": {"get": with("getAThing"), "post": answer, "put": with("getAThing")},
            "/b/{id}/c-d": {"get": answer},
            "/c": {"get": with("the_small_shop_ping")},
        }),
        &json!({}),
    );
    let module = module(&imported);
    let names: Vec<_> =
        module["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(module["module"], "the_small_shop");
    assert_eq!(
        names,
        [
            "the_small_shop_get_a_thing",
            "the_small_shop_post_a",
            "the_small_shop_get_a_thing_2",
            "the_small_shop_get_b_id_c_d",
            "the_small_shop_ping",
        ]
    );
    assert!(imported.notes.iter().any(|note| note.contains("two operations are called")));
    assert!(imported.notes.iter().any(|note| note.contains("`id` of the path is not declared")));
}

#[test]
fn effects_follow_the_method() {
    let answer = json!({"responses": {"204": {"description": "ok"}}});
    let operations: Map<String, Value> = ["get", "head", "post", "put", "patch", "delete", "options"]
        .map(|method| (method.to_owned(), answer.clone()))
        .into_iter()
        .collect();
    let module = module(&imported(&json!({ "/a": operations }), &json!({})));
    let effects: Vec<_> = module["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| {
            format!(
                "{} {} {}",
                tool["http"]["method"].as_str().unwrap_or("GET"),
                tool["effect"].as_str().unwrap(),
                tool["idempotent"]
            )
        })
        .collect();
    assert_eq!(
        effects,
        [
            "GET read null",
            "HEAD read null",
            "POST unknown null",
            "PUT write true",
            "PATCH unknown null",
            "DELETE destructive true",
            "OPTIONS read null",
        ]
    );
}

#[test]
fn schemas_are_bounded_and_understood() {
    let components = json!({"components": {"schemas": {
        "Node": {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}, "size": {"type": "integer", "minimum": 0, "exclusiveMinimum": true, "format": "int64"}}},
        "Own": {"allOf": [{"$ref": "#/components/schemas/Own"}, {"$ref": "#/components/schemas/Own"}, {"properties": {"a": {"type": "string"}}}]},
        "A": {"$ref": "#/components/schemas/B"}, "B": {"$ref": "#/components/schemas/A"},
    }}});
    let parameter = |name: &str, schema: Value| json!({"name": name, "in": "query", "schema": schema});
    let operation = json!({
        "parameters": [
            parameter("circle", json!({"$ref": "#/components/schemas/A"})),
            parameter("odd", json!({"type": "string", "pattern": "(?!x)", "minimum": 3, "x-own": 1, "example": "e"})),
            parameter("choice", json!({"type": "string", "enum": ["a"], "nullable": true, "default": "a"})),
            parameter("if", json!({"type": "boolean"})),
        ],
        "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Node"}}}},
        "responses": {"200": {"description": "ok"}},
    });
    let own = json!({
        "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Own"}}}},
        "responses": {"200": {"description": "ok"}},
    });
    let imported = imported(&json!({"/a": {"post": operation}, "/own": {"post": own}}), &components);
    let module = module(&imported);
    let input = &module["tools"][0]["input"];
    assert_eq!(input["circle"], json!({"optional": true}));
    assert_eq!(input["odd"], json!({"type": "string", "optional": true}));
    // What is null is not sent.
    assert_eq!(
        input["choice"],
        json!({"enum": ["a"], "type": "string", "description": "(default \"a\")", "optional": true})
    );
    assert_eq!(input["if_"]["type"], "boolean");
    assert_eq!(input["size"], json!({"type": "integer", "exclusiveMinimum": 0, "optional": true}));
    assert_eq!(module["tools"][0]["http"]["json"], json!({"next": "{{ next }}", "size": "{{ size }}"}));
    for part in ["leads nowhere", "the pattern `(?!x)`", "refers to itself"] {
        assert!(imported.notes.iter().any(|note| note.contains(part)), "{part}: {:?}", imported.notes);
    }
}

#[test]
fn nothing_that_cannot_be_used_comes_out() {
    let answer = json!({"responses": {"200": {"description": "ok"}}});
    let paths = json!({
        "/well": {"get": answer},
        "/odd?x=1": {"get": answer},
        "no-slash": {"get": answer},
        "/{{ now() }}": {"get": answer},
    });
    let imported = imported(&paths, &json!({}));
    assert_eq!(imported.tools, 1, "{}", imported.text);
    assert_eq!(
        imported
            .notes
            .iter()
            .filter(|note| note.contains("left out, because the tool would have an error"))
            .count(),
        3
    );
    module(&imported);
    for text in ["", "[]", "{", "openapi: 3.0.0\n", "openapi: 3.0.0\npaths: 7\n"] {
        assert!(import(&Source::new("x.yaml", text), &Wanted::default()).is_err(), "{text}");
    }
}

#[test]
fn nothing_in_a_document_becomes_more_than_a_comment() {
    for end in ["\n", "\r", "\r\n", "\u{85}", "\u{2028}", "\u{2029}"] {
        let path = format!("/a/{{x}}/b{end}aliases: {{sly: the_small_shop_ping}}{end}# ");
        let answer = json!({"operationId": "ping", "responses": {"200": {"description": "ok"}}});
        let odd = json!({"operationId": "odd", "callbacks": {}, "responses": {}});
        let imported =
            imported(&json!({"/ping": {"get": answer}, path: {"get": odd, "trace": odd}}), &json!({}));
        assert!(imported.notes.iter().any(|note| note.contains("sly")), "{:?}", imported.notes);
        assert!(!imported.notes.iter().any(|note| note.contains(end)), "{:?}", imported.notes);
        assert_eq!(module(&imported).get("aliases"), None, "{}", imported.text);
    }
}
