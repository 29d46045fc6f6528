//! A server's question to a person, with the module named that asks.
//!
//! A single choice is asked as one: yes or no, one of several values. Everything else is a form to
//! fill in. What looks like a secret is never asked for.

mod fields;

use std::collections::BTreeSet;

use aa_spec::form;
use aa_spec::tool::ErrorKind;
use rmcp::model::{ElicitRequestParams, ElicitResult, ElicitationAction};
use serde_json::{Map, Value};

use super::definition::harmless;
use crate::tool::native::invalid;
use crate::tool::{DECLINE, Person, Question, ToolError};

/// Most choices of one question.
const CHOICES: usize = 20;
/// Characters of the name of a choice.
const LABEL: usize = 100;
/// Characters of a question.
const LONGEST: usize = 1000;

/// The answer to a form without fields.
const ACCEPT: &str = "accept";

/// Asks a person what the server of a module wants to know.
///
/// # Errors
/// Nobody is there, or it wants what cannot be asked or shown.
pub(super) async fn answer(
    module: &str,
    request: &ElicitRequestParams,
    person: &dyn Person,
) -> Result<ElicitResult, ToolError> {
    match request {
        ElicitRequestParams::FormElicitationParams { message, requested_schema, .. } => {
            let schema = serde_json::to_value(requested_schema).unwrap_or_default();
            refuse_secrets(module, message, &schema)?;
            if form::properties(&schema).next().is_none() {
                return consent(said(module, message), person).await;
            }
            if let Some(choice) = Choice::read(module, message, &schema) {
                return choice.ask(person).await;
            }
            let form = fields::shown(&schema).map_err(|why| refused(module, message, &why))?;
            fill_in(said(module, message), form, person).await
        }
        ElicitRequestParams::UrlElicitationParams { message, url, .. } => {
            let safe = reqwest::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
            if !safe {
                return Err(invalid(format!(
                    "`{module}` asks to open `{}`, which is no web page",
                    harmless(url, LONGEST)
                )));
            }
            if harmless(url, LONGEST) != *url {
                return Err(invalid(format!(
                    "`{module}` asks to open a page whose address cannot be shown whole"
                )));
            }
            // Only the message is cut: nobody is to open what they have not seen.
            let message = format!("{}\nopen this page yourself: {url}", said(module, message));
            let options = vec!["done".to_owned(), DECLINE.to_owned()];
            let answer = person.ask(Question::choice(message, options)).await?;
            Ok(if answer == "done" { ElicitResult::new(ElicitationAction::Accept) } else { declined() })
        }
        _ => Err(invalid(format!("`{module}` asks in a form that is not known here"))),
    }
}

/// No server is to be told a secret by a person who takes it for a harmless question.
fn refuse_secrets(module: &str, message: &str, schema: &Value) -> Result<(), ToolError> {
    let secret = form::properties(schema).find(|(name, field)| form::asks_secret(name, field));
    secret.map_or(Ok(()), |(name, _)| {
        let name = harmless(name, 100);
        let why = format!("it wants `{name}`, which looks like a secret, and those are not asked for");
        Err(refused(module, message, &why))
    })
}

fn refused(module: &str, message: &str, why: &str) -> ToolError {
    ToolError::new(ErrorKind::Permanent, format!("{}; {why}", said(module, message)))
}

/// Asks for a form to be filled in.
async fn fill_in(message: String, form: Value, person: &dyn Person) -> Result<ElicitResult, ToolError> {
    let question = Question { form: Some(form), ..Question::choice(message, vec![DECLINE.to_owned()]) };
    let answer = person.ask(question).await?;
    Ok(match serde_json::from_str(&answer) {
        Ok(Value::Object(values)) => accepted(values),
        _ => declined(),
    })
}

fn accepted(values: Map<String, Value>) -> ElicitResult {
    ElicitResult::new(ElicitationAction::Accept).with_content(Value::Object(values))
}

fn declined() -> ElicitResult {
    ElicitResult::new(ElicitationAction::Decline)
}

fn said(module: &str, message: &str) -> String {
    format!("`{module}` asks: {}", harmless(message, LONGEST))
}

/// A form without fields: whether the server may go on.
async fn consent(message: String, person: &dyn Person) -> Result<ElicitResult, ToolError> {
    let options = vec![ACCEPT.to_owned(), DECLINE.to_owned()];
    let answer = person.ask(Question::choice(message, options)).await?;
    Ok(if answer == ACCEPT { accepted(Map::new()) } else { declined() })
}

/// A form of one field that is a choice: which of its values.
struct Choice {
    name: String,
    message: String,
    options: Vec<(String, Value)>,
}

impl Choice {
    fn read(module: &str, message: &str, schema: &Value) -> Option<Self> {
        let mut fields = form::properties(schema);
        let (Some((name, field)), None) = (fields.next(), fields.next()) else { return None };
        let options = options(field);
        let what = ["description", "title"].into_iter().find_map(|key| field[key].as_str());
        let message = format!("{} ({})", said(module, message), harmless(what.unwrap_or(name), LONGEST));
        (!options.is_empty()).then(|| Self { name: name.clone(), message, options })
    }

    async fn ask(self, person: &dyn Person) -> Result<ElicitResult, ToolError> {
        let mut options: Vec<String> = self.options.iter().map(|(label, _)| label.clone()).collect();
        options.push(DECLINE.to_owned());
        let answer = person.ask(Question::choice(self.message, options)).await?;
        let chosen = self.options.into_iter().find(|(label, _)| *label == answer);
        Ok(chosen.map_or_else(declined, |(_, value)| accepted(Map::from_iter([(self.name, value)]))))
    }
}

/// The values that a property may have, with what they are called; none when it is no choice.
fn options(property: &Value) -> Vec<(String, Value)> {
    if property["type"] == "boolean" {
        return vec![("yes".to_owned(), true.into()), ("no".to_owned(), false.into())];
    }
    if property["type"] != "string" {
        return Vec::new();
    }
    let choices = form::choices(property);
    if choices.len() > CHOICES || !are_distinct(&choices) {
        return Vec::new();
    }
    choices.iter().map(|choice| (harmless(choice.title, LABEL), choice.value.into())).collect()
}

/// Whether people can tell choices from each other, and from a refusal: what counts is what they see.
fn are_distinct(choices: &[form::Choice<'_>]) -> bool {
    let mut seen: BTreeSet<String> = [DECLINE.to_owned()].into();
    choices.iter().all(|choice| seen.insert(harmless(choice.title, LABEL).trim().to_lowercase()))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use serde_json::json;

    use super::*;

    /// Gives these answers, and keeps the questions.
    struct Script(Mutex<(Vec<&'static str>, Vec<Question>)>);

    #[async_trait]
    impl Person for Script {
        async fn ask(&self, question: Question) -> Result<String, ToolError> {
            let mut script = self.0.lock().unwrap();
            script.1.push(question);
            Ok(script.0.remove(0).to_owned())
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "it reads better where it is called")]
    fn form(properties: Value, required: &[&str]) -> ElicitRequestParams {
        let schema = json!({"type": "object", "properties": properties, "required": required});
        let request = json!({"mode": "form", "message": "Really?\u{200b}\u{7}", "requestedSchema": schema});
        serde_json::from_value(request).unwrap()
    }

    async fn ask(request: &ElicitRequestParams, answers: &[&'static str]) -> (Value, Vec<Question>) {
        let script = Script(Mutex::new((answers.to_vec(), Vec::new())));
        let result = answer("shop", request, &script).await.unwrap();
        (serde_json::to_value(result).unwrap(), script.0.into_inner().unwrap().1)
    }

    #[tokio::test]
    async fn a_single_choice_is_asked_as_one() {
        let sure = json!({"sure": {"type": "boolean", "description": "Are you sure?"}});
        let (result, questions) = ask(&form(sure, &["sure"]), &["yes"]).await;
        assert_eq!(result, json!({"action": "accept", "content": {"sure": true}}));
        assert_eq!(questions[0].message, "`shop` asks: Really? (Are you sure?)");
        let size = json!({"size": {"type": "string", "oneOf": [{"const": "s", "title": "small"}]}});
        let (result, questions) = ask(&form(size.clone(), &[]), &["small"]).await;
        assert_eq!(result, json!({"action": "accept", "content": {"size": "s"}}));
        assert_eq!(questions[0].options, ["small", "decline"]);
        assert_eq!(ask(&form(size, &[]), &["decline"]).await.0, json!({"action": "decline"}));
    }

    #[tokio::test]
    async fn a_form_without_fields_is_accepted_or_declined() {
        let (result, questions) = ask(&form(json!({}), &[]), &["accept"]).await;
        assert_eq!(result, json!({"action": "accept", "content": {}}));
        assert_eq!(questions[0].message, "`shop` asks: Really?");
        assert_eq!(ask(&form(json!({}), &[]), &["decline"]).await.0, json!({"action": "decline"}));
    }

    #[tokio::test]
    async fn secrets_are_not_asked_for() {
        let titled = json!({"type": "string", "title": "Your password"});
        for (name, field) in [("password", json!({"type": "string"})), ("word", titled)] {
            let request = form(json!({name: field, "user": {"type": "string"}}), &["user"]);
            let error = answer("shop", &request, &crate::tool::Nobody).await.unwrap_err();
            let why = format!("it wants `{name}`, which looks like a secret");
            assert!(error.message.contains(&why), "{error}");
        }
    }

    #[tokio::test]
    async fn everything_else_is_a_form() {
        let properties = json!({
            "name": {"type": "string", "title": "Your\u{7} name", "minLength": 2},
            "size": {"type": "string", "oneOf": [{"const": "s", "title": "sm\u{200b}all"}, {"const": "l", "title": "large"}]},
            "days": {"type": "array", "items": {"type": "string", "enum": ["mon", "tue"]}, "maxItems": 1},
            "count": {"type": "integer", "default": 3},
        });
        let request = form(properties, &["name"]);
        let (result, questions) = ask(&request, &[r#"{"name":"ann","size":"s"}"#]).await;
        assert_eq!(result, json!({"action": "accept", "content": {"name": "ann", "size": "s"}}));
        assert_eq!((&questions[0].options[..], questions.len()), (&["decline".to_owned()][..], 1));
        assert_eq!(questions[0].message, "`shop` asks: Really?");
        let shown = json!({
            "type": "object",
            "properties": {
                "name": {"type": "string", "title": "Your name", "minLength": 2},
                "size": {"type": "string", "oneOf": [{"const": "s", "title": "small"}, {"const": "l", "title": "large"}]},
                "days": {"type": "array", "items": {"type": "string", "enum": ["mon", "tue"]}, "maxItems": 1},
                "count": {"type": "integer", "default": 3},
            },
            "required": ["name"],
        });
        assert_eq!(questions[0].form, Some(shown));
        assert_eq!(ask(&request, &["decline"]).await.0, json!({"action": "decline"}));
    }

    #[tokio::test]
    async fn a_page_is_shown_whole_and_only_from_the_web() {
        let page = |url: &str| -> ElicitRequestParams {
            let request = json!({"mode": "url", "message": "Log in", "url": url, "elicitationId": "1"});
            serde_json::from_value(request).unwrap()
        };
        let (result, questions) = ask(&page("https://example.org/in?a=b"), &["done"]).await;
        assert_eq!(result, json!({"action": "accept"}));
        assert!(questions[0].message.ends_with("https://example.org/in?a=b"), "{questions:?}");
        assert!(answer("shop", &page("file:///etc/passwd"), &crate::tool::Nobody).await.is_err());
        let endless = page(&format!("https://example.org/{}", "x".repeat(LONGEST)));
        let error = answer("shop", &endless, &crate::tool::Nobody).await.unwrap_err();
        assert!(error.message.ends_with("whose address cannot be shown whole"), "{error}");
        let request = json!({
            "mode": "url", "message": "x".repeat(2 * LONGEST), "url": "https://example.org/", "elicitationId": "1",
        });
        let (_, questions) = ask(&serde_json::from_value(request).unwrap(), &["decline"]).await;
        assert!(questions[0].message.ends_with("https://example.org/"), "a long message hides no address");
    }

    #[tokio::test]
    async fn no_answer_looks_like_another_or_like_a_refusal() {
        for values in [json!(["decl\u{200b}ine", "x"]), json!(["yes", "y\u{200b}es"]), json!(["Decline "])] {
            let request = form(json!({"sure": {"type": "string", "enum": values}}), &["sure"]);
            let error = answer("shop", &request, &crate::tool::Nobody).await.unwrap_err();
            assert!(error.message.contains("the choices of `sure` cannot be told apart"), "{error}");
        }
    }
}
