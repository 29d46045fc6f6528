//! Keywords that have no effect on values of the type that a schema names.
//!
//! JSON Schema lets `minimum` stand beside `type: string` and ignores it; its author
//! meant something by it.

use crate::diagnostic::Diagnostic;
use crate::schema::words;
use crate::source::Source;
use crate::yaml::Node;

/// The types of values that a keyword speaks of; none: every type.
fn subjects(keyword: &str) -> &'static [&'static str] {
    match keyword {
        "format" | "pattern" | "minLength" | "maxLength" => &["string"],
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => {
            &["number", "integer"]
        }
        "items" | "prefixItems" | "contains" | "minItems" | "maxItems" | "uniqueItems" | "minContains"
        | "maxContains" | "unevaluatedItems" => &["array"],
        "properties"
        | "patternProperties"
        | "additionalProperties"
        | "propertyNames"
        | "minProperties"
        | "maxProperties"
        | "dependentRequired"
        | "dependentSchemas"
        | "unevaluatedProperties" => &["object"],
        _ => &[],
    }
}

/// Reports the idle keywords of a schema as it is written, and of the schemas in it.
pub(crate) fn report(source: &Source, schema: &Node, diagnostics: &mut Vec<Diagnostic>) {
    let kind = schema.get("type").and_then(Node::as_str);
    for (keyword, value) in schema.entries() {
        let subjects = subjects(&keyword.value);
        if let Some(kind) = kind
            && !subjects.is_empty()
            && !subjects.contains(&kind)
        {
            let message = format!("`{}` says nothing about {}", keyword.value, words::types(&[kind]));
            let problem = Diagnostic::warning("idle-keyword", source, keyword.span, message);
            diagnostics.push(problem.hint(format!("it is about {}", words::types(&subjects[..1]))));
        }
        match keyword.value.as_str() {
            "items"
            | "contains"
            | "additionalProperties"
            | "propertyNames"
            | "not"
            | "if"
            | "then"
            | "else"
            | "unevaluatedItems"
            | "unevaluatedProperties" => {
                report(source, value, diagnostics);
            }
            "properties" | "patternProperties" | "dependentSchemas" | "$defs" => {
                value.entries().iter().for_each(|(_, inner)| report(source, inner, diagnostics));
            }
            "prefixItems" | "allOf" | "anyOf" | "oneOf" => {
                value.items().iter().for_each(|inner| report(source, inner, diagnostics));
            }
            _ => {}
        }
    }
}
