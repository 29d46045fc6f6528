//! Secrets: opened right before a call, hidden in everything that comes back.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use aa_spec::template::seal;
use aa_spec::tool::ErrorKind;
use async_trait::async_trait;
use serde_json::{Map, Value};

use super::Secrets;
use crate::event::StepError;
use crate::tool::Detect;

/// Shorter secrets cannot be hidden without making everything unreadable.
const SHORTEST: usize = 4;
/// Lines of a secret of several lines are hidden one by one from this length on.
const SHORTEST_LINE: usize = 8;

/// Knows every secret that this run has opened.
pub(crate) struct Veil {
    secrets: Arc<dyn Secrets>,
    known: Mutex<Arc<Vec<Known>>>,
}

/// Where no secret is opened.
struct Closed;

#[async_trait]
impl Secrets for Closed {
    async fn reveal(&self, _: &str) -> Result<String, String> {
        Err("no secret is opened here".to_owned())
    }
}

/// A text that must not be seen, and what is shown instead.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    text: String,
    shown: String,
}

impl Veil {
    pub(crate) fn new(secrets: Arc<dyn Secrets>) -> Self {
        Self { secrets, known: Mutex::default() }
    }

    /// One that opens none and hides what it is told.
    pub(crate) fn closed() -> Self {
        Self::new(Arc::new(Closed))
    }

    /// The arguments with their secrets in place, and the names of these.
    ///
    /// # Errors
    /// A secret that cannot be had, that is too short to be hidden later, or that a
    /// template has taken to pieces.
    pub(crate) async fn open(
        &self,
        args: Map<String, Value>,
    ) -> Result<(Map<String, Value>, BTreeSet<String>), StepError> {
        let mut args = Value::Object(args);
        let names = seal::names_in(&args);
        let mut values = Vec::new();
        for name in &names {
            let value = self.secrets.reveal(name).await;
            let value = value.map_err(|message| unusable(name, &message))?;
            self.conceal(name, &value).map_err(|message| unusable(name, &message))?;
            values.push((name, value));
        }
        let lookup =
            |wanted: &str| values.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.clone());
        seal::open(&mut args, &lookup)
            .map_err(|error| StepError::new(ErrorKind::Invalid, error.to_string()))?;
        match args {
            Value::Object(args) => Ok((args, names)),
            _ => Ok((Map::new(), names)),
        }
    }

    /// Tells which of these secrets a text holds, for what must not even be seen while a call runs.
    pub(crate) fn detector(self: &Arc<Self>, names: BTreeSet<String>) -> Detect {
        let veil = Arc::clone(self);
        Arc::new(move |text| names.iter().find(|name| veil.is_in(name, text)).cloned())
    }

    fn is_in(&self, name: &str, text: &str) -> bool {
        let shown = shown(name);
        self.known().iter().any(|known| known.shown == shown && text.contains(&known.text))
    }

    /// Hides the value of a secret from now on, in the forms in which it may come back.
    ///
    /// # Errors
    /// It is too short to be hidden.
    pub(crate) fn conceal(&self, name: &str, value: &str) -> Result<(), String> {
        if value.trim().chars().count() < SHORTEST {
            return Err(format!("it is shorter than {SHORTEST} characters and could not be hidden"));
        }
        let shown = shown(name);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::clone(&known);
        for text in forms(value) {
            let entry = Known { text, shown: shown.clone() };
            if !all.contains(&entry) {
                all.push(entry);
            }
        }
        // The longest first, so that no secret is hidden by halves because it begins with another.
        all.sort_by(|a, b| b.text.len().cmp(&a.text.len()).then_with(|| a.text.cmp(&b.text)));
        *known = Arc::new(all);
        Ok(())
    }

    /// A text from outside without secrets, and without the marks of sealed ones.
    pub(crate) fn hide(&self, text: &str) -> String {
        let mut value = Value::from(text);
        self.hide_value(&mut value);
        match value {
            Value::String(text) => text,
            other => other.to_string(),
        }
    }

    /// A value from outside without secrets, and without the marks of sealed ones.
    pub(crate) fn hide_value(&self, value: &mut Value) {
        seal::clean(value);
        let known = self.known();
        if !known.is_empty() {
            hide_value(value, &known);
        }
    }

    /// An error without secrets.
    pub(crate) fn hide_error(&self, error: &mut StepError) {
        error.message = self.hide(&error.message);
        self.hide_value(&mut error.details);
    }

    fn known(&self) -> Arc<Vec<Known>> {
        Arc::clone(&self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What stands in the place of a secret.
fn shown(name: &str) -> String {
    format!("‹secret:{name}›")
}

fn unusable(name: &str, message: &str) -> StepError {
    StepError::new(ErrorKind::Invalid, format!("secret `{name}` cannot be used: {message}"))
}

/// The forms in which a secret may be printed: whole, without white space around it, one
/// line of it, inside JSON, inside a URL.
fn forms(value: &str) -> Vec<String> {
    let whole = value.trim();
    let lines = whole.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE);
    let mut plain: Vec<String> = lines.map(str::to_owned).collect();
    plain.extend([value.to_owned(), whole.to_owned()]);
    let encoded: Vec<String> = plain.iter().flat_map(|text| [in_json(text), in_url(text)]).collect();
    plain.extend(encoded);
    plain.sort();
    plain.dedup();
    plain
}

fn in_json(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// A text as one piece of a URL.
pub(crate) fn in_url(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            for half in [byte >> 4, byte & 15] {
                encoded.push(char::from_digit(u32::from(half), 16).unwrap_or('0').to_ascii_uppercase());
            }
        }
    }
    encoded
}

fn hide_value(value: &mut Value, known: &[Known]) {
    match value {
        Value::String(text) if contains(text, known) => *text = hide_text(text, known),
        Value::Number(number) => {
            let text = number.to_string();
            if contains(&text, known) {
                *value = Value::String(hide_text(&text, known));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide_value(item, known)),
        Value::Object(entries) => {
            if entries.keys().any(|key| contains(key, known)) {
                let old = std::mem::take(entries);
                entries.extend(old.into_iter().map(|(key, item)| (hide_text(&key, known), item)));
            }
            entries.values_mut().for_each(|item| hide_value(item, known));
        }
        _ => {}
    }
}

fn contains(text: &str, known: &[Known]) -> bool {
    known.iter().any(|known| text.contains(&known.text))
}

/// Replaces the first of the known texts, and the others in what is left between.
fn hide_text(text: &str, known: &[Known]) -> String {
    let Some((first, others)) = known.split_first() else { return text.to_owned() };
    let parts: Vec<String> = text.split(&first.text).map(|part| hide_text(part, others)).collect();
    parts.join(&first.shown)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    struct Fixed(BTreeMap<&'static str, &'static str>);

    #[async_trait]
    impl Secrets for Fixed {
        async fn reveal(&self, name: &str) -> Result<String, String> {
            self.0.get(name).map(|value| (*value).to_owned()).ok_or_else(|| "it is not configured".to_owned())
        }
    }

    async fn veil(secrets: &[(&'static str, &'static str)]) -> Veil {
        let veil = Veil::new(Arc::new(Fixed(secrets.iter().copied().collect())));
        for (name, _) in secrets {
            veil.open(Map::from_iter([("a".to_owned(), Value::from(seal::seal(name)))])).await.unwrap();
        }
        veil
    }

    #[tokio::test]
    async fn opens_arguments_and_hides_results() {
        let veil = Veil::new(Arc::new(Fixed(BTreeMap::from([("TOKEN", "hunter22")]))));
        let args = json!({"header": format!("Bearer {}", seal::seal("TOKEN")), "n": 1});
        let (opened, names) = veil.open(args.as_object().unwrap().clone()).await.unwrap();
        assert_eq!(Value::Object(opened), json!({"header": "Bearer hunter22", "n": 1}));
        let veil = Arc::new(veil);
        let detect = veil.detector(names);
        assert_eq!(detect("--header=Bearer hunter22"), Some("TOKEN".to_owned()));
        assert_eq!(detect("hunter2"), None);
        assert_eq!(veil.detector(BTreeSet::new())("hunter22"), None, "this call was not given it");

        let mut result = json!({"said": "it is hunter22!", "hunter22": [{"deep": "hunter22"}], "other": 1});
        veil.hide_value(&mut result);
        assert_eq!(
            result,
            json!({"said": "it is ‹secret:TOKEN›!", "‹secret:TOKEN›": [{"deep": "‹secret:TOKEN›"}], "other": 1})
        );
    }

    #[tokio::test]
    async fn the_longest_secret_is_hidden_first() {
        let veil = veil(&[("SHORT", "abcd"), ("LONG", "abcdefgh"), ("NAME", "secret:LONG")]).await;
        assert_eq!(veil.hide("abcdefgh abcd abcdef"), "‹secret:LONG› ‹secret:SHORT› ‹secret:SHORT›ef");
    }

    #[tokio::test]
    async fn secrets_are_hidden_in_every_form() {
        let veil = veil(&[("KEY", "-----BEGIN-----\nline/two+\"x\n"), ("PIN", "12345678")]).await;
        assert_eq!(veil.hide("echo line/two+\"x"), "echo ‹secret:KEY›");
        assert_eq!(veil.hide(r#"{"k":"-----BEGIN-----\nline/two+\"x\n"}"#), r#"{"k":"‹secret:KEY›"}"#);
        assert_eq!(veil.hide("?key=line%2Ftwo%2B%22x"), "?key=‹secret:KEY›");
        let mut number = json!([12_345_678]);
        veil.hide_value(&mut number);
        assert_eq!(number, json!(["‹secret:PIN›"]));
    }

    #[tokio::test]
    async fn errors_are_hidden_too() {
        let veil = veil(&[("TOKEN", "hunter22")]).await;
        let mut error = StepError::new(ErrorKind::Auth, "bad token hunter22");
        error.details = json!({"stderr": ["hunter22"]});
        veil.hide_error(&mut error);
        assert_eq!(error.message, "bad token ‹secret:TOKEN›");
        assert_eq!(error.details, json!({"stderr": ["‹secret:TOKEN›"]}));
    }

    #[tokio::test]
    async fn unusable_secrets_are_refused() {
        let veil = Veil::new(Arc::new(Fixed(BTreeMap::from([("PIN", "123\n")]))));
        for (text, expected) in [
            (
                seal::seal("PIN"),
                "secret `PIN` cannot be used: it is shorter than 4 characters and could not be hidden",
            ),
            (seal::seal("NONE"), "secret `NONE` cannot be used: it is not configured"),
            (
                seal::seal("PIN")[3..].to_owned(),
                "a secret was changed on its way to the tool; use `secrets.NAME` as it is",
            ),
        ] {
            let args = Map::from_iter([("a".to_owned(), Value::from(text))]);
            let error = veil.open(args).await.unwrap_err();
            assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Invalid, expected));
        }
    }

    #[tokio::test]
    async fn marks_from_outside_are_removed_without_any_secret() {
        let veil = veil(&[]).await;
        let mut value = Value::from(seal::seal("TOKEN"));
        veil.hide_value(&mut value);
        assert_eq!(value, json!("\u{FFFD}secret:TOKEN\u{FFFD}"));
    }
}
