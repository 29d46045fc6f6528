//! Spans as the protocol of `OpenTelemetry` has them in JSON: numbers of traces and spans in hex, times in nanoseconds as
//! texts, kinds and states as numbers.

use aa_run::event::Time;
use serde_json::{Value, json};

/// A piece of a trace that is over.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) trace: String,
    pub(super) id: String,
    pub(super) parent: Option<String>,
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) began: Time,
    pub(super) ended: Time,
    pub(super) about: Vec<(&'static str, Value)>,
    /// The kind of its failure.
    pub(super) error: Option<String>,
}

/// How a span relates to others.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// It stays inside.
    Internal = 1,
    /// Another system has asked for it.
    Server = 2,
    /// It asks something else.
    Client = 3,
}

impl Span {
    fn json(&self) -> Value {
        let mut about: Vec<Value> = self.about.iter().map(|(key, value)| attribute(key, value)).collect();
        if let Some(error) = &self.error {
            about.push(attribute("error.type", &json!(error)));
        }
        let mut span = json!({
            "traceId": self.trace,
            "spanId": self.id,
            "name": self.name,
            "kind": self.kind as u8,
            "startTimeUnixNano": nanoseconds(self.began),
            "endTimeUnixNano": nanoseconds(self.ended.max(self.began)),
            "attributes": about,
            "status": match &self.error {
                None => json!({"code": 1}),
                Some(error) => json!({"code": 2, "message": error}),
            },
        });
        if let Some(parent) = &self.parent {
            span["parentSpanId"] = json!(parent);
        }
        span
    }
}

/// A request to a collector.
pub(super) fn request(service: &str, instance: &str, spans: &[Span]) -> Value {
    let version = env!("CARGO_PKG_VERSION");
    let resource = [
        attribute("service.name", &json!(service)),
        attribute("service.version", &json!(version)),
        attribute("service.instance.id", &json!(instance)),
    ];
    let spans: Vec<Value> = spans.iter().map(Span::json).collect();
    json!({"resourceSpans": [{
        "resource": {"attributes": resource},
        "scopeSpans": [{"scope": {"name": "aa", "version": version}, "spans": spans}],
    }]})
}

fn attribute(key: &str, value: &Value) -> Value {
    let value = match value {
        Value::Bool(flag) => json!({"boolValue": flag}),
        // Whole numbers are texts here, as everywhere in this format.
        Value::Number(number) if number.is_i64() => json!({"intValue": number.to_string()}),
        Value::String(text) => json!({"stringValue": text}),
        other => json!({"stringValue": other.to_string()}),
    };
    json!({"key": key, "value": value})
}

fn nanoseconds(time: Time) -> String {
    time.timestamp_nanos_opt().unwrap_or(0).to_string()
}
