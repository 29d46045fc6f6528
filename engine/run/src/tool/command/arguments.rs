//! Templates to the arguments of a command.

use aa_spec::template::{Missing, Scope, Template};
use aa_spec::tool::recipe::Part;
use serde_json::Value;

use super::super::declared::render as render_template;
use crate::tool::ToolError;
use crate::tool::native::invalid;

/// After one of these nothing is an option.
const ENDS_OF_OPTIONS: [&str; 2] = ["--", "--end-of-options"];

/// The command and its arguments.
pub(super) fn render(parts: &[Part], scope: &Scope) -> Result<Vec<String>, ToolError> {
    let mut arguments = Arguments { argv: Vec::new(), options_ended: false };
    for part in parts {
        let there = match &part.condition {
            Some(condition) => condition.is_true(scope).map_err(|error| invalid(error.message))?,
            None => true,
        };
        for template in if there { &part.values } else { &part.otherwise } {
            arguments.add(template, scope, part.options)?;
        }
    }
    match arguments.argv.first() {
        Some(program) if !program.is_empty() => Ok(arguments.argv),
        _ => Err(invalid("there is no command to run")),
    }
}

struct Arguments {
    argv: Vec<String>,
    options_ended: bool,
}

impl Arguments {
    fn add(&mut self, template: &Template, scope: &Scope, options: bool) -> Result<(), ToolError> {
        let values = match render_template(template, scope, Missing::Fail)? {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(values)) => values,
            Some(value) => vec![value],
        };
        let written = template.source().as_str().unwrap_or_default();
        let begins_with_value = written.starts_with("{{") || written.starts_with("{%");
        for value in values {
            let guarded = begins_with_value && !options && !self.options_ended && !value.is_number();
            let text = argument(value, written)?;
            if guarded && text.starts_with('-') {
                let program = self.argv.first().map_or("the command", String::as_str);
                return Err(invalid(format!(
                    "`{written}` begins with `-`, which `{program}` would take for an option"
                )));
            }
            self.argv.push(text);
        }
        self.options_ended |= ENDS_OF_OPTIONS.contains(&written);
        Ok(())
    }
}

fn argument(value: Value, written: &str) -> Result<String, ToolError> {
    match value {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(boolean) => Ok(boolean.to_string()),
        Value::Null => Err(invalid(format!("`{written}` is a list with nothing in one place"))),
        Value::Array(_) | Value::Object(_) => {
            Err(invalid(format!("`{written}` gives a list or mapping where an argument must be one text")))
        }
    }
}
