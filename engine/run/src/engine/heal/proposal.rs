//! Rules that could be made of what memory has learned, each with its evidence.

use aa_spec::name::fold;
use aa_spec::plan::digest;
use regex::Regex;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// How often something must have been seen to be worth a rule.
const SEEN: u64 = 3;

/// A rule that a person may accept.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Proposal {
    /// What the rule would be called.
    pub name: String,
    /// Where in memory it comes from.
    pub from: String,
    /// What an error's text must have in it.
    pub pattern: String,
    /// The tool that it was learned for; empty for any.
    pub tool: String,
    /// What it would call.
    pub calls: String,
    /// What is behind the error, in the words of who learned it.
    pub meaning: String,
    /// How often it was seen.
    pub seen: u64,
    /// How often it was mended.
    pub fixed: u64,
    /// The rule as it would be written.
    pub yaml: String,
}

/// `kube_login(cluster='stage')` and the like.
const CALL: &str = r"^\s*`?([A-Za-z_]\w*)\(([^()]*)\)`?\s*$";

/// Everything in memory that was seen often enough and names a call of a known tool.
pub(super) fn all(
    patterns: &Map<String, Value>,
    fixes: &Map<String, Value>,
    known: &dyn Fn(&str) -> bool,
) -> Vec<Proposal> {
    let lists = patterns.iter().filter(|(name, _)| name.ends_with("_patterns"));
    let entries = lists.flat_map(|(list, items)| {
        items.as_array().into_iter().flatten().map(move |item| (format!("learned/patterns {list}"), item))
    });
    let learned = fixes.get("tool_fixes").and_then(Value::as_array).into_iter().flatten();
    let entries = entries.chain(learned.map(|item| ("learned/tool_fixes".to_owned(), item)));
    let mut proposals: Vec<Proposal> =
        entries.filter_map(|(from, item)| proposal(from, item.as_object()?, known)).collect();
    proposals.sort_by(|a, b| b.seen.cmp(&a.seen).then_with(|| a.name.cmp(&b.name)));
    proposals.dedup_by(|a, b| a.name == b.name);
    proposals
}

fn proposal(from: String, item: &Map<String, Value>, known: &dyn Fn(&str) -> bool) -> Option<Proposal> {
    let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().trim().to_owned();
    let either = |one: &str, other: &str| {
        Some(text(one)).filter(|text| !text.is_empty()).unwrap_or_else(|| text(other))
    };
    let pattern = either("pattern", "error_pattern");
    let commands = item.get("commands").and_then(Value::as_array).into_iter().flatten();
    let applied = either("fix", "fix_applied");
    let calls = commands.filter_map(Value::as_str).chain([applied.as_str()]);
    let (tool, args) = calls.filter_map(read_call).find(|(tool, _)| known(tool))?;
    let stats = item.get("usage_stats").and_then(Value::as_object);
    let number = |of: Option<&Map<String, Value>>, name: &str| of?.get(name)?.as_u64();
    let seen = number(stats, "times_matched").or_else(|| number(Some(item), "occurrences")).unwrap_or(0);
    if pattern.is_empty() || seen < SEEN {
        return None;
    }
    let failing = text("tool_name");
    let name = name_of(&pattern, &failing, &tool);
    let fixed = number(stats, "times_fixed").unwrap_or(0);
    let meaning = either("meaning", "root_cause");
    let mut condition = json!({"pattern": regex::escape(&pattern)});
    if !failing.is_empty() {
        condition["tool"] = json!(failing);
    }
    let description = if meaning.is_empty() { format!("`{pattern}` in an error") } else { meaning.clone() };
    let yaml = format!(
        "- name: {name}\n  description: {}\n  match: {}\n  do: {}\n",
        json!(description),
        condition,
        json!({"tool": tool, "args": args}),
    );
    let calls = format!(
        "{tool}({})",
        args.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
    );
    Some(Proposal { name, from, pattern, tool: failing, calls, meaning, seen, fixed, yaml })
}

/// A name that the same finding always has.
fn name_of(pattern: &str, failing: &str, tool: &str) -> String {
    let mut hash = digest(format!("{pattern}\0{failing}"));
    hash.truncate(6);
    fold(&format!("learned_{tool}_{hash}"))
}

/// A tool call as people note it down; none when it is something else.
fn read_call(text: &str) -> Option<(String, Map<String, Value>)> {
    let pattern = Regex::new(CALL).ok()?;
    let call = pattern.captures(text)?;
    let mut args = Map::new();
    for part in call[2].split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=')?;
        let value = value.trim();
        let plain = value.trim_matches(['\'', '"']);
        let quoted = plain.len() < value.len();
        let value = serde_json::from_str(value).ok().filter(|_| !quoted).unwrap_or_else(|| json!(plain));
        args.insert(name.trim().to_owned(), value);
    }
    Some((call[1].to_owned(), args))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_as_people_note_them_down() {
        let read = |text| read_call(text).map(|(tool, args)| (tool, Value::Object(args)));
        assert_eq!(read("vpn_connect()"), Some(("vpn_connect".to_owned(), json!({}))));
        let login = json!({"cluster": "stage", "n": 3, "force": true});
        assert_eq!(
            read("`kube_login(cluster='stage', n=3, force=true)`"),
            Some(("kube_login".to_owned(), login))
        );
        assert_eq!(read("log in again"), None);
        assert_eq!(read("kube_login('stage')"), None, "which argument is not said");
    }

    #[test]
    fn only_what_was_seen_often_and_names_a_tool_is_proposed() {
        let patterns = json!({"auth_patterns": [
            {"pattern": "token (old)", "meaning": "the login is over", "commands": ["kube_login(cluster='stage')"],
             "usage_stats": {"times_matched": 4, "times_fixed": 1}},
            {"pattern": "rare", "commands": ["vpn_connect()"], "usage_stats": {"times_matched": 2}},
            {"pattern": "prose", "fix": "log in", "usage_stats": {"times_matched": 9}},
            {"pattern": "unknown", "commands": ["magic()"], "usage_stats": {"times_matched": 9}},
        ]});
        let fixes = json!({"tool_fixes": [{"tool_name": "oc_get", "error_pattern": "no route", "root_cause": "VPN is down",
            "fix_applied": "vpn_connect()", "occurrences": 5}]});
        let known = |tool: &str| matches!(tool, "kube_login" | "vpn_connect");
        let found = all(patterns.as_object().unwrap(), fixes.as_object().unwrap(), &known);
        let told: Vec<_> = found.iter().map(|of| (of.calls.as_str(), of.seen, of.tool.as_str())).collect();
        assert_eq!(told, [("vpn_connect()", 5, "oc_get"), ("kube_login(cluster=\"stage\")", 4, "")]);
        for proposal in found {
            let text = format!("module: heal\ndescription: x\nheal:\n{}", proposal.yaml);
            let source = aa_spec::source::Source::new("heal.yaml", text);
            assert_eq!(aa_spec::tool::recipe::check(&source).1, [], "{}", proposal.yaml);
        }
    }
}
