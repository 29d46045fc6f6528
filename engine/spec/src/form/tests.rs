use super::*;

fn form() -> Value {
    json!({
        "type": "object",
        "properties": {
            "region": {"type": "string", "oneOf": [
                {"const": "eu", "title": "Europe"}, {"const": "us", "title": "America"},
            ]},
            "replicas": {"type": "integer", "minimum": 1, "default": 2},
            "note": {"type": "string"},
            "days": {"type": "array", "items": {"type": "string", "enum": ["mon", "tue"]}, "minItems": 1},
            "mail": {"type": "string", "format": "email"},
            "loud": {"type": "boolean"},
        },
        "required": ["region"],
    })
}

#[test]
fn what_was_left_alone_gets_its_default_and_all_problems_are_said() {
    let filled = fill(&form(), &json!({"region": "eu", "note": null})).unwrap();
    assert_eq!(json!(filled), json!({"region": "eu", "replicas": 2}));
    let wrong =
        json!({"regions": "eu", "replicas": 0, "days": ["mon", "mon"], "mail": "ann", "loud": "very"});
    let error = fill(&form(), &wrong).unwrap_err();
    let said = [
        "there is no field `regions`",
        "`region` is missing",
        "`replicas` ",
        "`days` ",
        "`mail` ",
        "`loud` ",
    ];
    assert!(said.iter().all(|part| error.contains(part)), "{error}");
    assert!(fill(&form(), &json!("eu")).is_err());
    let error = fill(&form(), &json!({"region": "Europe", "days": ["sun"]})).unwrap_err();
    assert!(error.contains("eu") && error.contains("tue"), "it says what can be chosen: {error}");
}

#[test]
fn pairs_are_read_as_what_the_fields_hold() {
    let pairs = ["region=america", "replicas=3", "note=a=b", "days=tue, mon", "loud=Yes"].map(str::to_owned);
    let values = read(&form(), &pairs).unwrap();
    let expected =
        json!({"region": "us", "replicas": 3, "note": "a=b", "days": ["tue", "mon"], "loud": true});
    assert_eq!(json!(values), expected);
    assert_eq!(value(&form()["properties"]["days"], r#"["mon"]"#), json!(["mon"]));
    for wrong in [&["eu"][..], &["note=a", "note=b"]] {
        let pairs: Vec<String> = wrong.iter().map(|pair| (*pair).to_owned()).collect();
        assert!(read(&form(), &pairs).is_err(), "{pairs:?}");
    }
    // What cannot be read is told along with everything else.
    let values = read(&form(), &["region=eu".to_owned(), "replicas=many".to_owned()]).unwrap();
    assert!(fill(&form(), &Value::Object(values)).unwrap_err().starts_with("`replicas` "));
}

#[test]
fn a_form_is_flat_and_asks_for_no_secret() {
    assert_eq!(check(&form()), Ok(()));
    for name in ["password", "API-Key", "github_token", "clientSecret", "card_pin", "Your OTP"] {
        assert!(is_secret(name), "{name}");
    }
    for name in ["key", "region", "author", "shipping", "passenger"] {
        assert!(!is_secret(name), "{name}");
    }
    let one = |field: Value| json!({"type": "object", "properties": {"a": field}});
    assert!(check(&one(json!({"type": "string", "title": "Your password"}))).is_err());
    assert!(check(&json!({"properties": {"rotate_password": {"type": "boolean"}}})).is_ok());
    for nested in [json!({"type": "object"}), json!({"type": "array", "items": {"type": "string"}})] {
        assert!(check(&one(nested.clone())).is_err(), "{nested}");
    }
}

#[test]
fn an_example_fits() {
    let form = json!({
        "type": "object",
        "properties": {
            "date": {"type": "string", "format": "date"},
            "time": {"type": "string", "format": "date-time"},
            "page": {"type": "string", "format": "uri"},
            "mail": {"type": "string", "format": "email"},
            "name": {"type": "string", "minLength": 3},
            "old": {"type": "string", "enum": ["a", "b"], "enumNames": ["A", "B"]},
            "days": {"type": "array", "items": {"anyOf": [{"const": "m", "title": "Monday"}]}, "minItems": 1},
            "most": {"type": "number", "maximum": -1.5},
            "sure": {"type": "boolean"},
        },
        "required": ["date", "time", "page", "mail", "name", "old", "days", "most", "sure"],
    });
    let example = example(&form);
    assert_eq!(fill(&form, &Value::Object(example.clone())), Ok(example));
}
