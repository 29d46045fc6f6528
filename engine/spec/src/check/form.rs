//! Forms of `confirm`: whether every field can be asked, everywhere where questions are put.

use std::collections::BTreeSet;

use serde_json::{Number, Value};

use super::Checker;
use crate::form::{self, Choices, Field, FieldKind, Fields, Titled};
use crate::skill::Confirm;
use crate::source::Span;
use crate::yaml::{Node, Spanned};

impl Checker<'_, '_> {
    /// The schema of a form, when there is one.
    pub(super) fn form(&mut self, confirm: &Confirm) -> Option<Value> {
        let form = confirm.form.as_ref()?;
        let Fields(fields) = &form.value;
        if fields.is_empty() {
            self.bad_form(form.span, "a form without fields asks nothing".to_owned());
        }
        let option = confirm.options.first().map(|option| option.span);
        if let Some(span) = option.or_else(|| confirm.default.as_ref().map(|default| default.span)) {
            let problem = self.error("bad-form", span, "a form has neither `options` nor a `default`");
            self.report(problem.hint("give the fields an `enum` or a `default` of their own"));
        }
        for (name, field) in fields {
            self.field(name, field);
        }
        Some(form.value.schema())
    }

    fn field(&mut self, name: &Spanned<String>, field: &Field) {
        let schema = field.schema();
        if form::asks_secret(&name.value, &schema) {
            let message = format!("the field `{}` would hold a secret, and answers are kept", name.value);
            let problem = self.error("secret-in-form", name.span, message);
            self.report(problem.hint("configure it below `secrets:` and use `{{ secrets.NAME }}`"));
        }
        let problems = problems(name, field, &schema);
        let is_sound = problems.is_empty();
        for problem in problems {
            self.bad_form(name.span, format!("the field `{}` {problem}", name.value));
        }
        if let Some(default) = field.default.as_ref().filter(|_| is_sound)
            && let Err(problem) = form::fits(&schema, &default.to_json())
        {
            let message = format!("the default of `{}` {problem}", name.value);
            self.report(self.error("bad-default", default.span, message));
        }
    }

    fn bad_form(&mut self, span: Span, message: String) {
        self.report(self.error("bad-form", span, message));
    }
}

/// What is wrong with a field, after `the field …`.
fn problems(name: &Spanned<String>, field: &Field, schema: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    if !is_plain(&name.value) {
        problems.push("has a name with more in it than letters, digits, `_` and `-`".to_owned());
    }
    if schema.to_string().contains("{{") {
        problems.push("is shown as it is written; a template can only stand in `message`".to_owned());
    }
    let kind = field.kind();
    for (keyword, kinds) in field.keywords() {
        if !kinds.contains(&kind) {
            problems.push(format!("is of type `{}`, and `{keyword}` says nothing about that", kind.word()));
        }
    }
    let of_choice = ["enum", "enumNames", "oneOf"];
    if kind == FieldKind::String && field.is_choice() {
        let others = field.keywords().filter(|(keyword, _)| !of_choice.contains(keyword));
        problems.extend(others.map(|(keyword, _)| format!("is a choice, which needs no `{keyword}`")));
    }
    problems.extend(choice_problem(field));
    problems.extend(bound_problem(field));
    problems
}

/// A name that can stand before the `=` of `name=value`, in a template and in JSON.
fn is_plain(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|char| char.is_ascii_alphanumeric() || "_-".contains(char))
}

fn choice_problem(field: &Field) -> Option<String> {
    let (listed, titled) = match (&field.items, field.kind()) {
        (None, FieldKind::Array) => {
            return Some("is a list, and does not say of what: add `items`".to_owned());
        }
        (Some(Choices { r#type: Some(kind), .. }), _) if *kind != FieldKind::String => {
            return Some("can only be a list of texts".to_owned());
        }
        (Some(Choices { r#enum, any_of, .. }), _) if r#enum.is_none() && any_of.is_none() => {
            return Some("is a list, and does not say of what: add `enum` to its `items`".to_owned());
        }
        (Some(Choices { r#enum, any_of, .. }), _) => (r#enum, any_of),
        (None, _) => (&field.r#enum, &field.one_of),
    };
    let names = field.enum_names.as_ref();
    let values: Vec<&String> = match (listed, titled) {
        (Some(_), Some(_)) => return Some("lists its choices twice".to_owned()),
        (None, None) => return names.map(|_| "has `enumNames` without `enum`".to_owned()),
        (Some(listed), None) => listed.iter().collect(),
        (None, Some(titled)) => titled.iter().map(|Titled { r#const, .. }| r#const).collect(),
    };
    let distinct: BTreeSet<&String> = values.iter().copied().collect();
    match names {
        Some(names) if names.len() != values.len() => {
            Some("has more or fewer `enumNames` than texts".to_owned())
        }
        _ if values.is_empty() => Some("leaves nothing to choose".to_owned()),
        _ if distinct.len() < values.len() => Some("has the same choice twice".to_owned()),
        _ => None,
    }
}

fn bound_problem(field: &Field) -> Option<String> {
    let default = field.default.as_ref().map(Node::to_json);
    let bounds =
        [field.minimum.as_ref(), field.maximum.as_ref(), default.as_ref().and_then(Value::as_number)];
    if field.kind() == FieldKind::Integer && !bounds.into_iter().flatten().all(Number::is_i64) {
        return Some("is a whole number, and its bounds and default must be some, too".to_owned());
    }
    let float = |number: &Option<Number>| number.as_ref().and_then(Number::as_f64);
    let reversed = above(float(&field.minimum), float(&field.maximum))
        || above(field.min_length, field.max_length)
        || above(field.min_items, field.max_items);
    reversed.then(|| "has a least that is above its most".to_owned())
}

fn above<T: PartialOrd>(least: Option<T>, most: Option<T>) -> bool {
    least.zip(most).is_some_and(|(least, most)| least > most)
}
