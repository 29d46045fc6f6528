use std::sync::{Arc, Mutex};

use super::*;
use crate::tool::{Person, native};

/// A client that answers everything with one text.
struct Client {
    answer: &'static str,
    asked: Mutex<Vec<Question>>,
}

#[async_trait]
impl Person for Client {
    async fn ask(&self, question: Question) -> Result<String, ToolError> {
        self.asked.lock().unwrap().push(question);
        Ok(self.answer.to_owned())
    }
}

async fn call(
    native: impl Native,
    args: Value,
    answer: &'static str,
) -> (Result<Value, ToolError>, Vec<Question>) {
    let Value::Object(args) = args else { panic!("arguments are an object") };
    let client = Arc::new(Client { answer, asked: Mutex::default() });
    let context = CallContext { person: client.clone(), ..CallContext::detached("/") };
    let result = native::tool(native).call(&context, args).await;
    let asked = std::mem::take(&mut *client.asked.lock().unwrap());
    (result, asked)
}

#[tokio::test]
async fn a_model_answers_in_words() {
    let said = r#"{"role": "assistant", "model": "m", "content": {"type": "text", "text": "Paris"}}"#;
    let (result, asked) = call(ClientSample, json!({"prompt": "Capital?", "max_tokens": 9}), said).await;
    assert_eq!(result.unwrap(), json!({"text": "Paris", "model": "m"}));
    let message = json!({"role": "user", "content": {"type": "text", "text": "Capital?"}});
    assert_eq!(asked[0].want, Some(Want::Model(json!({"messages": [message], "maxTokens": 9}))));
    let (result, _) = call(ClientSample, json!({"prompt": "Capital?"}), DECLINE).await;
    assert_eq!(result.unwrap_err().message, "the client does not let its model be asked");
}

#[tokio::test]
async fn folders_come_as_a_list() {
    let (result, asked) =
        call(ClientRoots, json!({}), r#"{"roots": [{"uri": "file:///a", "name": "a"}]}"#).await;
    assert_eq!(result.unwrap(), json!([{"uri": "file:///a", "name": "a"}]));
    assert_eq!(asked[0].want, Some(Want::Folders));
}

#[tokio::test]
async fn without_a_client_nobody_is_asked() {
    let tool = native::tool(ClientRoots);
    let error = tool.call(&CallContext::detached("/"), serde_json::Map::new()).await.unwrap_err();
    assert_eq!(error.message, "nobody is there to answer: Which folders do you work in?");
}
