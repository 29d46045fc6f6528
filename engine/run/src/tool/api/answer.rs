//! What an answer means: a value, or why there is none.

use aa_spec::template::{Expression, Scope};
use aa_spec::tool::ErrorKind;
use aa_spec::tool::recipe::{Reading, Rule};
use serde_json::{Map, Value, json};

use super::Api;
use crate::tool::ToolError;
use crate::tool::command::reading;
use crate::tool::declared::{eval, unfit};
use crate::tool::diagnosis;
use crate::tool::http::client::Answer;
use crate::tool::http::failure::{self, SHOWN_BODY};

/// More of a service's message than this does not go into an error, in characters.
const LONGEST_MESSAGE: usize = 300;

/// An answer as expressions see it.
pub(super) struct Said {
    status: u16,
    headers: Value,
    pub(super) body: Value,
}

impl Said {
    /// What was not even asked.
    pub(super) fn nothing() -> Self {
        Self { status: 0, headers: Value::Null, body: Value::Null }
    }

    /// Gives it to a scope.
    pub(super) fn enter(&self, scope: &mut Scope) {
        scope.set("status", &self.status.into());
        scope.set("headers", &self.headers);
        scope.set("body", &self.body);
    }
}

/// What was said, or the error that it means.
pub(super) fn judge(api: &Api, answer: &Answer, scope: &Scope) -> Result<Said, ToolError> {
    let ok = &api.http.ok;
    let success =
        if ok.is_empty() { (200..300).contains(&answer.status) } else { ok.contains(&answer.status) };
    let expected = success && (200..300).contains(&answer.status);
    let rule = if success { objection(api, answer) } else { None };
    let success = success && rule.is_none();
    let body = if success && api.declared.common.result.is_none() { answer.body()? } else { lenient(answer) };
    let headers = answer.headers.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
    let said = Said { status: answer.status, headers: Value::Object(headers.collect()), body };
    let mut scope = scope.child();
    said.enter(&mut scope);
    let when = &api.http.failure.when;
    if success && !when.as_ref().map_or(Ok(false), |when| when.is_true(&scope)).map_err(unfit)? {
        return Ok(said);
    }
    let error = error(api, answer, &said, &scope, rule.or_else(|| fitting(api, answer)));
    // A success that is none: the service itself says that it has not done it, unless it is broken. A success that was
    // not expected says nothing.
    if expected && diagnosis::has_refused(error.kind, &String::from_utf8_lossy(&answer.content)) {
        answer.sending.refused();
    }
    Err(error)
}

/// The rule by which an answer is a failure although its status is a success. With a usual success it is
/// data, which may speak of errors, unless the rule is meant for that.
fn objection<'a>(api: &'a Api, answer: &Answer) -> Option<&'a Rule> {
    let usual = (200..300).contains(&answer.status);
    let rules = &api.declared.common.errors;
    if usual && !rules.iter().any(|rule| rule.always) {
        return None;
    }
    let text = String::from_utf8_lossy(&answer.content);
    rules.iter().find(|rule| (rule.always || !usual) && rule.pattern.is_match(&text))
}

/// The rule that fits an answer that is a failure.
fn fitting<'a>(api: &'a Api, answer: &Answer) -> Option<&'a Rule> {
    let text = String::from_utf8_lossy(&answer.content);
    api.declared.common.errors.iter().find(|rule| rule.pattern.is_match(&text))
}

/// The result of a request that is not made of pages.
pub(super) fn result(answer: &Answer, said: &Said, form: Option<&Reading>) -> Result<Value, ToolError> {
    let Some(form) = form else { return Ok(said.body.clone()) };
    let failed = |why: &str| {
        let message = format!("cannot read the answer of `{}`: {why}", answer.url);
        ToolError::new(ErrorKind::Permanent, message)
    };
    let text = std::str::from_utf8(&answer.content).map_err(|_| failed("it is not UTF-8 text"))?;
    reading::read(form, text).map_err(|why| failed(&why))
}

/// The body for people who look for what went wrong: whatever it is.
fn lenient(answer: &Answer) -> Value {
    answer.body().unwrap_or_else(|_| String::from_utf8_lossy(&answer.content).into_owned().into())
}

fn error(api: &Api, answer: &Answer, said: &Said, scope: &Scope, rule: Option<&Rule>) -> ToolError {
    let failure = &api.http.failure;
    let asked = |expression: &Option<Expression>| {
        let value = expression.as_ref().and_then(|expression| eval(expression, scope).ok());
        value.and_then(|value| readable(&value))
    };
    let message = asked(&failure.message).or_else(|| usual_message(&said.body));
    let code = asked(&failure.code).or_else(|| message.clone());
    let kind = rule
        .map(|rule| rule.kind)
        .or_else(|| code.as_ref().and_then(|code| failure.kinds.get(code).copied()))
        .or_else(|| api.http.kinds.get(&answer.status).copied())
        .unwrap_or_else(|| failure::kind(answer.status));
    let how = if (200..300).contains(&answer.status) {
        format!("{} `{}` failed", answer.method, answer.url)
    } else {
        format!("{} `{}` gave status {}", answer.method, answer.url, answer.status)
    };
    let message = match message {
        Some(message) => format!("{how}: {}", shortened(&message)),
        None => how,
    };
    ToolError::new(kind, message).details(details(answer, rule))
}

fn details(answer: &Answer, rule: Option<&Rule>) -> Value {
    let shown = &answer.content[..answer.content.len().min(SHOWN_BODY)];
    // A session that was set up is nobody's business.
    let headers = answer.headers.iter().filter(|(name, _)| *name != "set-cookie");
    let headers: Map<String, Value> =
        headers.map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    let mut details = json!({
        "status": answer.status,
        "method": answer.method.as_str(),
        "url": answer.url,
        "headers": headers,
        "body": String::from_utf8_lossy(shown),
    });
    if shown.len() < answer.content.len() {
        details["body_bytes"] = answer.content.len().into();
    }
    if let Some(rule) = rule.filter(|rule| !rule.hint.is_empty()) {
        details["hint"] = rule.hint.clone().into();
    }
    details
}

/// Where services put what they have to say about a failure.
fn usual_message(body: &Value) -> Option<String> {
    const KEYS: [&str; 9] = [
        "message",
        "error_message",
        "error_description",
        "errorMessages",
        "detail",
        "error",
        "errors",
        "reason",
        "title",
    ];
    match body {
        Value::Object(entries) => KEYS.iter().filter_map(|key| entries.get(*key)).find_map(said_in),
        Value::String(text) if !text.trim_start().starts_with('<') => {
            text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
        }
        _ => None,
    }
}

fn said_in(value: &Value) -> Option<String> {
    match value {
        Value::Object(_) => usual_message(value).or_else(|| readable(value)),
        Value::Array(items) => {
            let said: Vec<String> = items.iter().filter_map(said_in).collect();
            Some(said.join("; ")).filter(|said| !said.is_empty())
        }
        other => readable(other),
    }
}

/// A value as one line; nothing for what says nothing.
fn readable(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        Value::Object(entries) if !entries.is_empty() => value.to_string(),
        Value::Array(items) if !items.is_empty() => value.to_string(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
