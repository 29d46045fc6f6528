//! Where the service of a document is, and how it wants to know who asks.

use serde_json::{Map, Value, json};

use super::document::Document;

/// What all tools share.
pub(super) struct Service {
    pub(super) config: Value,
    pub(super) http: Value,
    pub(super) notes: Vec<String>,
}

pub(super) fn of(document: &Document, module: &str) -> Service {
    let mut maker = Maker {
        document,
        variable: crate::name::fold(module).to_ascii_uppercase(),
        config: Map::new(),
        notes: Vec::new(),
    };
    let base = maker.base();
    let auth = maker.auth();
    let mut http = Map::new();
    http.insert("base".to_owned(), base.into());
    match auth.len() {
        0 => {}
        1 => {
            http.extend(auth.into_iter().next().map(|auth| ("auth".to_owned(), auth)));
        }
        _ => {
            http.insert("auth".to_owned(), Value::Array(auth));
        }
    }
    Service { config: Value::Object(maker.config), http: Value::Object(http), notes: maker.notes }
}

struct Maker<'a> {
    document: &'a Document,
    /// What the names of environment variables begin with.
    variable: String,
    config: Map<String, Value>,
    notes: Vec<String>,
}

impl Maker<'_> {
    fn base(&mut self) -> String {
        let servers = self.document.root["servers"].as_array().cloned().unwrap_or_default();
        if servers.len() > 1 {
            let others: Vec<&str> = servers[1..].iter().filter_map(|server| server["url"].as_str()).collect();
            self.notes.push(format!("the document names other servers, too: {}", others.join(", ")));
        }
        let url = servers.first().map(filled).unwrap_or_default();
        let url = url.trim_end_matches('/');
        let mut setting = json!({
            "description": "Where the service is",
            "env": format!("{}_URL", self.variable),
        });
        // A relative address is below wherever the document came from, which only people know.
        let below = if url.contains("://") {
            setting["default"] = url.into();
            ""
        } else {
            url
        };
        self.config.insert("url".to_owned(), setting);
        let lead = if below.is_empty() || below.starts_with('/') { "" } else { "/" };
        format!("{{{{ config.url }}}}{lead}{below}")
    }

    fn auth(&mut self) -> Vec<Value> {
        let schemes =
            self.document.root["components"]["securitySchemes"].as_object().cloned().unwrap_or_default();
        let required = self.document.root["security"].as_array().cloned().unwrap_or_default();
        let mut names: Vec<String> = Vec::new();
        for alternative in &required {
            let both: Vec<&String> = alternative.as_object().into_iter().flat_map(|all| all.keys()).collect();
            if both.len() > 1 {
                let both: Vec<_> = both.iter().map(|name| format!("`{name}`")).collect();
                self.notes
                    .push(format!("{} are wanted together; only the first is sent", both.join(" and ")));
            }
            names.extend(both.first().map(|name| (*name).clone()));
        }
        names.extend(schemes.keys().cloned());
        let mut auth = Vec::new();
        let mut seen = Vec::new();
        for name in names {
            if !seen.contains(&name)
                && let Some(scheme) = schemes.get(&name)
            {
                auth.extend(self.scheme(&name, self.document.resolved(scheme)));
            }
            seen.push(name);
        }
        auth
    }

    fn scheme(&mut self, name: &str, scheme: &Value) -> Option<Value> {
        let text = |key: &str| scheme[key].as_str().unwrap_or_default().to_ascii_lowercase();
        match (text("type").as_str(), text("scheme").as_str(), text("in").as_str()) {
            ("http", "bearer", _) => Some(json!({"bearer": self.secret("token")})),
            ("http", "basic", _) => {
                let user = self.setting("user", &json!({"optional": true}));
                Some(json!({"basic": {"user": user, "password": self.secret("password")}}))
            }
            ("apikey", _, place @ ("header" | "query")) => {
                let value = self.secret("key");
                Some(json!({place: {"name": scheme["name"], "value": value}}))
            }
            ("oauth2" | "openidconnect", ..) => {
                self.notes
                    .push(format!("`{name}` is a login with a browser; get a token and set it as `token`"));
                Some(json!({"bearer": self.secret("token")}))
            }
            (kind, detail, place) => {
                let what: Vec<&str> =
                    [kind, detail, place].into_iter().filter(|part| !part.is_empty()).collect();
                self.notes.push(format!("the login `{name}` ({}) is not known here", what.join(", ")));
                None
            }
        }
    }

    fn secret(&mut self, name: &str) -> String {
        self.setting(name, &json!({"secret": true, "optional": true}))
    }

    fn setting(&mut self, name: &str, more: &Value) -> String {
        let mut setting = Map::new();
        setting.insert("env".to_owned(), format!("{}_{}", self.variable, name.to_ascii_uppercase()).into());
        setting.extend(more.as_object().cloned().unwrap_or_default());
        self.config.insert(name.to_owned(), Value::Object(setting));
        format!("{{{{ config.{name} }}}}")
    }
}

/// The URL of a server with the defaults of its variables.
fn filled(server: &Value) -> String {
    let mut url = server["url"].as_str().unwrap_or_default().to_owned();
    for (name, variable) in server["variables"].as_object().into_iter().flatten() {
        url = url.replace(&format!("{{{name}}}"), variable["default"].as_str().unwrap_or_default());
    }
    url
}
