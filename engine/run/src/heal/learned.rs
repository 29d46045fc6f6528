//! What memory keeps of failures and of what helped: `learned/tool_failures` and the usage
//! counts of `learned/patterns`.

use chrono::{Datelike, SecondsFormat};
use serde_json::{Map, Value, json};

use crate::event::Time;
use crate::store::HealRecord;

/// Failures, days and weeks that are kept; the oldest go first.
const FAILURES: usize = 100;
const DAYS: usize = 30;
const WEEKS: usize = 12;

/// Adds a healing to `learned/tool_failures`.
pub(crate) fn record(mapping: &mut Map<String, Value>, record: &HealRecord, at: Time) {
    let helped = record.helped == Some(true);
    let failure = json!({
        "tool": record.tool,
        "error_type": record.kind,
        "error_snippet": record.error,
        "fix_applied": record.action,
        "rule": record.rule,
        "success": helped,
        "source": format!("run {} {}", record.run, record.step),
        "timestamp": at.to_rfc3339_opts(SecondsFormat::Secs, true),
    });
    if let Some(failures) = list(mapping, "failures") {
        failures.push(failure);
        failures.drain(..failures.len().saturating_sub(FAILURES));
    }
    let Some(stats) = object(mapping, "stats") else { return };
    count_up(stats, "total_failures");
    count_up(stats, if helped { "auto_fixed" } else { "manual_required" });
    let week = at.iso_week();
    let week = format!("{}-W{:02}", week.year(), week.week());
    for (kind, name, most) in [("daily", at.format("%Y-%m-%d").to_string(), DAYS), ("weekly", week, WEEKS)] {
        let Some(periods) = object(stats, kind) else { continue };
        if let Some(period) = object(periods, &name) {
            count_up(period, "total");
            if helped {
                count_up(period, "auto_fixed");
            }
        }
        while periods.len() > most
            && let Some(oldest) = periods.keys().min().cloned()
        {
            periods.remove(&oldest);
        }
    }
}

/// Counts that a failure with a known pattern was seen. True when there is one.
pub(crate) fn count_matched(mapping: &mut Map<String, Value>, tool: &str, error: &str, at: Time) -> bool {
    each_match(mapping, tool, error, |stats| {
        count_up(stats, "times_matched");
        let at = at.to_rfc3339_opts(SecondsFormat::Secs, true);
        stats.insert("last_matched".to_owned(), at.into());
    })
}

/// Counts that a failure with a known pattern was mended. True when there is one.
pub(crate) fn count_fixed(mapping: &mut Map<String, Value>, tool: &str, error: &str) -> bool {
    each_match(mapping, tool, error, |stats| {
        count_up(stats, "times_fixed");
    })
}

/// Changes the usage counts of every pattern that is a part of an error's text or of a tool's name.
fn each_match(
    mapping: &mut Map<String, Value>,
    tool: &str,
    error: &str,
    change: impl Fn(&mut Map<String, Value>),
) -> bool {
    // A name such as `bonfire_release` says something by its parts.
    let tool = format!("{tool} {}", tool.replace('_', " ")).to_lowercase();
    let error = error.to_lowercase();
    let lists = mapping.iter_mut().filter(|(name, _)| name.ends_with("_patterns"));
    let mut found = false;
    for entry in lists.filter_map(|(_, list)| list.as_array_mut()).flatten() {
        let Some(entry) = entry.as_object_mut() else { continue };
        let pattern = entry.get("pattern").and_then(Value::as_str).unwrap_or_default().to_lowercase();
        if pattern.is_empty() || !(has_words(&error, &pattern) || has_words(&tool, &pattern)) {
            continue;
        }
        if let Some(stats) = object(entry, "usage_stats") {
            change(stats);
            rate(stats);
            found = true;
        }
    }
    found
}

/// Whether a text has another one in it as whole words: `auth`, but not within `author`.
fn has_words(text: &str, words: &str) -> bool {
    let inner = |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    text.match_indices(words).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + words.len()..]);
        let cut_before = inner(before.chars().next_back()) && inner(words.chars().next());
        let cut_after = inner(after.chars().next()) && inner(words.chars().next_back());
        !cut_before && !cut_after
    })
}

fn rate(stats: &mut Map<String, Value>) {
    let number = |name: &str| stats.get(name).and_then(Value::as_u64).unwrap_or(0);
    let (fixed, matched) = (number("times_fixed"), number("times_matched"));
    let percent = (fixed * 100).checked_div(matched).unwrap_or(0).min(100);
    #[expect(clippy::cast_precision_loss, reason = "at most 100")]
    let rate = percent as f64 / 100.0;
    stats.insert("success_rate".to_owned(), rate.into());
}

fn count_up(mapping: &mut Map<String, Value>, name: &str) {
    let count = mapping.get(name).and_then(Value::as_u64).unwrap_or(0) + 1;
    mapping.insert(name.to_owned(), count.into());
}

/// The list of that name, made if need be; `None` when something else has the name.
fn list<'a>(mapping: &'a mut Map<String, Value>, name: &str) -> Option<&'a mut Vec<Value>> {
    mapping.entry(name).or_insert_with(|| json!([])).as_array_mut()
}

fn object<'a>(mapping: &'a mut Map<String, Value>, name: &str) -> Option<&'a mut Map<String, Value>> {
    mapping.entry(name).or_insert_with(|| json!({})).as_object_mut()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_counted_where_they_match() {
        let mut patterns =
            json!({"auth_patterns": [{"pattern": "Token Expired"}, {"pattern": "other"}], "note": 1});
        let patterns = patterns.as_object_mut().unwrap();
        assert!(count_matched(patterns, "oc_get", "the token expired", Time::UNIX_EPOCH));
        assert!(count_matched(patterns, "oc_get", "token expired", Time::UNIX_EPOCH));
        assert!(count_fixed(patterns, "oc_get", "token expired"));
        assert!(!count_fixed(patterns, "oc_get", "nothing known"));
        assert!(!count_fixed(patterns, "oc_get", "another token expiredness"), "only whole words count");
        let stats = &patterns["auth_patterns"][0]["usage_stats"];
        let expected = json!({"times_matched": 2, "times_fixed": 1, "success_rate": 0.5,
            "last_matched": "1970-01-01T00:00:00Z"});
        assert_eq!(*stats, expected);
        assert!(patterns["auth_patterns"][1].get("usage_stats").is_none());
    }
}
