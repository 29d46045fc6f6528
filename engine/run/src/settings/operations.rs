//! `audit:`, `log:` and `traces:`: what those are told who keep `aa` running.

use std::collections::BTreeMap;
use std::time::Duration;

use aa_spec::config::LogFormat;
use aa_spec::duration::parse_ms;
use serde_json::json;

use super::layer::{Layers, Origin};

/// What those are told who keep `aa` running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operations {
    /// How long entries of the audit are kept; for ever without it.
    pub audit_keep: Option<Duration>,
    /// How servers write what they log.
    pub log_format: LogFormat,
    /// Where traces go, if there are any.
    pub traces: Option<Traces>,
}

/// Where traces go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traces {
    /// The whole address.
    pub url: String,
    /// Headers that are sent along; a value is a text, or the name of a secret in a template.
    pub headers: BTreeMap<String, String>,
    /// What this server is called.
    pub service: String,
    /// Share of runs that are traced.
    pub percent: u32,
}

/// Audit and traces are what the user's file and variables say: a project that was cloned sends nothing anywhere, and
/// has no entry forgotten.
pub(super) fn resolve(layers: &mut Layers<'_>) -> Operations {
    Operations { audit_keep: audit_keep(layers), log_format: log_format(layers), traces: traces(layers) }
}

fn audit_keep(layers: &mut Layers<'_>) -> Option<Duration> {
    const KEY: &str = "audit.keep";
    let parse = |text: &str| parse_ms(text).map(|_| text.to_owned());
    let (text, origin) = layers.own(KEY, |c| &c.audit.keep, parse)?;
    layers.note(KEY, json!(text), origin);
    parse_ms(&text).ok().map(Duration::from_millis)
}

fn log_format(layers: &mut Layers<'_>) -> LogFormat {
    const KEY: &str = "log.format";
    let parse = |text: &str| match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("`{text}` is no format; write `text` or `json`")),
    };
    let found = layers.own(KEY, |c| &c.log.format, parse);
    let (format, origin) = found.unwrap_or((LogFormat::Text, Origin::Default));
    let shown = if format == LogFormat::Json { "json" } else { "text" };
    layers.note(KEY, json!(shown), origin);
    format
}

fn traces(layers: &mut Layers<'_>) -> Option<Traces> {
    let text = |text: &str| Ok(text.to_owned());
    let endpoint = layers.own("traces.endpoint", |c| &c.traces.endpoint, text);
    let service = layers.own("traces.service", |c| &c.traces.service, text);
    let percent = |text: &str| match text.parse::<u32>() {
        Ok(number @ 1..=100) => Ok(number),
        _ => Err(format!("`{text}` is not a number from 1 to 100")),
    };
    let percent = layers.own("traces.percent", |c| &c.traces.percent, percent);
    let headers = layers.own_texts("traces.headers", |c| &c.traces.headers);
    let (endpoint, origin) = endpoint?;
    layers.note("traces.endpoint", json!(endpoint), origin);
    let (service, origin) = service.unwrap_or_else(|| ("aa".to_owned(), Origin::Default));
    layers.note("traces.service", json!(service), origin);
    let (percent, origin) = percent.unwrap_or((100, Origin::Default));
    layers.note("traces.percent", json!(percent), origin);
    Some(Traces { url: whole(&endpoint), headers, service, percent })
}

/// An address without a path is that of a collector, whose traces go to a known place.
fn whole(endpoint: &str) -> String {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    if rest.trim_end_matches('/').contains('/') {
        endpoint.to_owned()
    } else {
        format!("{}/v1/traces", endpoint.trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::whole;

    #[test]
    fn a_collector_has_a_place_for_traces() {
        for (endpoint, url) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("https://c.example.org/", "https://c.example.org/v1/traces"),
            ("https://c.example.org/otlp/v1/traces", "https://c.example.org/otlp/v1/traces"),
        ] {
            assert_eq!(whole(endpoint), url);
        }
    }
}
