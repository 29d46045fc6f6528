//! A server's question to a person, as a choice between answers.
//!
//! Only what can be chosen is asked: yes or no, one of several values. Free text is not, so
//! that no server can ask for a secret.

use std::collections::BTreeSet;

use aa_spec::tool::ErrorKind;
use rmcp::model::{ElicitRequestParams, ElicitResult, ElicitationAction};
use serde_json::{Map, Value};

use super::definition::harmless;
use crate::tool::native::invalid;
use crate::tool::{Person, Question, ToolError};

/// Most choices of one question.
const CHOICES: usize = 20;
/// Most questions of one form.
const QUESTIONS: usize = 5;
/// Characters of a question.
const LONGEST: usize = 1000;

/// The answer that is always there.
const DECLINE: &str = "decline";

/// Asks a person what the server of a module wants to know.
///
/// # Errors
/// Nobody is there, or it wants more than choices.
pub(super) async fn answer(
    module: &str,
    request: &ElicitRequestParams,
    person: &dyn Person,
) -> Result<ElicitResult, ToolError> {
    match request {
        ElicitRequestParams::FormElicitationParams { message, requested_schema, .. } => {
            let schema = serde_json::to_value(requested_schema).unwrap_or_default();
            let form = Form::read(module, message, &schema)?;
            let content = form.fill(person).await?;
            Ok(content.map_or_else(declined, |content| {
                ElicitResult::new(ElicitationAction::Accept).with_content(Value::Object(content))
            }))
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

fn declined() -> ElicitResult {
    ElicitResult::new(ElicitationAction::Decline)
}

fn said(module: &str, message: &str) -> String {
    format!("`{module}` asks: {}", harmless(message, LONGEST))
}

/// What is to be filled in.
struct Form {
    message: String,
    choices: Vec<Choice>,
    /// What is given without asking: a default where only text would do.
    given: Map<String, Value>,
    /// The same, for the person to see.
    with: String,
}

struct Choice {
    name: String,
    message: String,
    options: Vec<(String, Value)>,
}

impl Form {
    fn read(module: &str, message: &str, schema: &Value) -> Result<Self, ToolError> {
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut form = Self {
            message: said(module, message),
            choices: Vec::new(),
            given: Map::new(),
            with: String::new(),
        };
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let options = options(property);
            if !options.is_empty() {
                let what = ["description", "title"].into_iter().find_map(|key| property[key].as_str());
                let what = harmless(what.unwrap_or(name), LONGEST);
                let message = format!("{} ({what})", form.message);
                form.choices.push(Choice { name: name.clone(), message, options });
            } else if let Some(default) = property.get("default") {
                form.given.insert(name.clone(), default.clone());
            } else if required.contains(&name.as_str()) {
                let name = harmless(name, 100);
                let message = format!(
                    "{}; it wants `{name}`, which is no choice, and free text is not asked for",
                    form.message
                );
                return Err(ToolError::new(ErrorKind::Permanent, message));
            }
        }
        if form.choices.len() > QUESTIONS {
            return Err(ToolError::new(
                ErrorKind::Permanent,
                format!("{}; that are too many questions", form.message),
            ));
        }
        form.with = with(&form.given).ok_or_else(|| {
            let message = format!("{}; it wants more along with the answer than can be shown", form.message);
            ToolError::new(ErrorKind::Permanent, message)
        })?;
        Ok(form)
    }

    /// The values that the person chose; `None` when one was declined.
    async fn fill(self, person: &dyn Person) -> Result<Option<Map<String, Value>>, ToolError> {
        let mut content = self.given;
        if self.choices.is_empty() {
            let options = vec!["accept".to_owned(), DECLINE.to_owned()];
            let answer = person.ask(Question::choice(self.message + &self.with, options)).await?;
            return Ok((answer == "accept").then_some(content));
        }
        for choice in self.choices {
            let mut options: Vec<String> = choice.options.iter().map(|(label, _)| label.clone()).collect();
            options.push(DECLINE.to_owned());
            let message = choice.message + &self.with;
            let answer = person.ask(Question::choice(message, options)).await?;
            if answer == DECLINE {
                return Ok(None);
            }
            let Some((_, value)) = choice.options.into_iter().find(|(label, _)| *label == answer) else {
                return Ok(None);
            };
            content.insert(choice.name, value);
        }
        Ok(Some(content))
    }
}

/// What is sent along with the answer; `None` when that is too much to be shown.
fn with(given: &Map<String, Value>) -> Option<String> {
    let given: Vec<String> = given.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    let text = given.join(", ");
    match text.chars().count() {
        0 => Some(String::new()),
        count => (count <= LONGEST).then(|| format!(" (with {})", harmless(&text, LONGEST))),
    }
}

/// The values that a property may have, with what they are called; none when it is no choice.
fn options(property: &Value) -> Vec<(String, Value)> {
    if property["type"] == "boolean" {
        return vec![("yes".to_owned(), true.into()), ("no".to_owned(), false.into())];
    }
    let named = ["oneOf", "anyOf"].into_iter().find_map(|key| property[key].as_array());
    let listed = property["enum"].as_array();
    let values: Vec<&Value> = match (named, listed) {
        (Some(named), _) => named.iter().map(|one| &one["const"]).collect(),
        (None, Some(listed)) => listed.iter().collect(),
        (None, None) => return Vec::new(),
    };
    let texts: Vec<&str> = values.iter().filter_map(|value| value.as_str()).collect();
    if texts.len() != values.len() || texts.len() > CHOICES {
        return Vec::new();
    }
    // What counts is what people see: no two answers may look the same, and none like a refusal.
    let labels: Vec<String> = texts.iter().map(|text| harmless(text, 100)).collect();
    let mut seen: BTreeSet<String> = [DECLINE.to_owned()].into();
    if !labels.iter().all(|label| seen.insert(label.trim().to_lowercase())) {
        return Vec::new();
    }
    labels.into_iter().zip(texts.into_iter().map(Value::from)).collect()
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
    async fn a_form_of_choices_is_asked_one_by_one() {
        let properties = json!({
            "sure": {"type": "boolean", "description": "Are you sure?"},
            "size": {"type": "string", "enum": ["small", "large"]},
            "note": {"type": "string"},
            "count": {"type": "integer", "default": 3},
        });
        let (result, questions) = ask(&form(properties, &["sure"]), &["yes", "large"]).await;
        assert_eq!(
            result,
            json!({"action": "accept", "content": {"count": 3, "size": "large", "sure": true}})
        );
        assert_eq!(questions[1].options, ["small", "large", "decline"]);
        assert_eq!(questions[0].message, "`shop` asks: Really? (Are you sure?) (with count = 3)");
    }

    #[tokio::test]
    async fn a_form_without_choices_is_accepted_or_declined() {
        let properties = json!({"count": {"type": "integer", "default": 3}});
        let (result, questions) = ask(&form(properties, &["count"]), &["accept"]).await;
        assert_eq!(result, json!({"action": "accept", "content": {"count": 3}}));
        assert_eq!(questions[0].message, "`shop` asks: Really? (with count = 3)");
        let (result, _) = ask(&form(json!({}), &[]), &["decline"]).await;
        assert_eq!(result, json!({"action": "decline"}));
    }

    #[tokio::test]
    async fn free_text_is_not_asked_for() {
        let request = form(json!({"password": {"type": "string"}}), &["password"]);
        let error = answer("shop", &request, &crate::tool::Nobody).await.unwrap_err();
        assert!(error.message.contains("it wants `password`, which is no choice"), "{error}");
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
            assert!(error.message.contains("it wants `sure`, which is no choice"), "{error}");
        }
    }
}
