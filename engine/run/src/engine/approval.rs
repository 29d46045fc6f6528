//! The question whether a run may begin: everything that it would change, so that nobody approves
//! of what they were not shown.

use std::cmp::Reverse;
use std::fmt::Write as _;

use aa_spec::plan::resolve::ResolvedStep;
use aa_spec::plan::{Action, Plan, digest};
use aa_spec::tool::Effect;
use serde_json::Value;

use crate::tool::mcp::is_invisible;

/// Steps that a question lists.
const LISTED: usize = 20;
/// Characters of a step's arguments that it shows whole.
const WHOLE: usize = 400;
/// Characters of longer arguments that it shows in all.
const MOST: usize = 2000;
/// Characters of a long text among them, at its beginning and at its end.
const HEAD: usize = 200;
const TAIL: usize = 100;

/// The question about a run of this plan; what destroys something comes first. Where nothing is changed, it is about
/// what is read.
pub(super) fn question(plan: &Plan, steps: &[ResolvedStep]) -> String {
    let mut text = format!("May `{}` run?", plan.skill.name);
    let runs = |step: &&ResolvedStep| step.condition != Some(Value::Bool(false));
    let steps = steps.iter().filter(runs).filter(|step| !step.action.starts_with("skill "));
    let (mut shown, reads): (Vec<_>, Vec<_>) = steps.partition(|step| step.effect != Effect::Read);
    let mut what = "that change something";
    if shown.is_empty() {
        (shown, what) = (reads, "that read something");
    }
    shown.sort_by_key(|step| Reverse(step.effect));
    for step in shown.iter().take(LISTED) {
        let args = arguments(&step.args);
        let line = format!("\n- {} ({}): {} {args}", step.name, word(step.effect), step.action);
        text.push_str(&line);
    }
    if shown.len() > LISTED {
        let _ = write!(text, "\n- and {} more steps {what}", shown.len() - LISTED);
    }
    by_itself(plan, &mut text);
    visible(&text)
}

/// What happens without a step of its own: heal rules, and what takes steps back.
fn by_itself(plan: &Plan, text: &mut String) {
    for rule in plan.heals().filter(|rule| rule.effect != Effect::Read) {
        let action = match &rule.action {
            Action::Tool { tool, .. } => format!("tool {tool}"),
            Action::Skill { skill, .. } => format!("skill {skill}"),
            _ => continue,
        };
        let _ = write!(text, "\n- if a step fails, `{}` ({}): {action}", rule.name, word(rule.effect));
    }
    for (step, undo) in plan.undos().filter(|(_, undo)| undo.effect != Effect::Read) {
        let _ = write!(
            text,
            "\n- if the run fails, undo `{}` ({}): tool {}",
            step.name,
            word(undo.effect),
            undo.tool
        );
    }
}

/// An effect in a word.
pub(super) fn word(effect: Effect) -> &'static str {
    match effect {
        Effect::Read => "read",
        Effect::Write => "write",
        Effect::Destructive => "destructive",
        Effect::Unknown => "unknown",
    }
}

/// Arguments as they are shown: whole, or with a mark wherever something is left out.
fn arguments(args: &Value) -> String {
    let whole = args.to_string();
    if whole.chars().count() <= WHOLE {
        return whole;
    }
    let short = shortened(args).to_string();
    if short.chars().count() <= MOST { short } else { cut(&short, MOST - TAIL, TAIL, &whole) }
}

/// The same value, of whose long texts the middle is left out.
fn shortened(value: &Value) -> Value {
    match value {
        Value::String(text) if text.chars().count() > HEAD + TAIL => cut(text, HEAD, TAIL, text).into(),
        Value::Array(items) => items.iter().map(shortened).collect(),
        Value::Object(entries) => {
            entries.iter().map(|(name, value)| (name.clone(), shortened(value))).collect()
        }
        other => other.clone(),
    }
}

/// Head and tail of a text, and how much stood between them; `whole` is what the hash is of.
fn cut(text: &str, head: usize, tail: usize, whole: &str) -> String {
    let count = text.chars().count();
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(count - tail).collect();
    let hash = digest(whole);
    format!("{start} … [{} characters left out, sha256 {}] … {end}", count - head - tail, &hash[..16])
}

/// What cannot be seen is written as its number: nothing hides, and nothing turns the text around.
fn visible(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_invisible(letter) {
            clean.extend(letter.escape_unicode());
        } else {
            clean.push(letter);
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whatever_is_left_out_is_marked_and_the_end_is_shown() {
        let short = json!({"text": "rm"});
        assert_eq!(arguments(&short), r#"{"text":"rm"}"#);
        let text = format!("{}; rm -rf /", "A".repeat(420));
        let shown = arguments(&json!({ "text": text }));
        assert!(shown.contains("rm -rf /"), "{shown}");
        assert!(shown.contains("[130 characters left out, sha256 "), "{shown}");
        let many: Value = (0..500).map(|number| (format!("key{number:03}"), json!("some text"))).collect();
        let shown = arguments(&many);
        assert!(shown.chars().count() < MOST + 100 && shown.contains("characters left out"), "{shown}");
        assert!(shown.contains("key499"), "{shown}");
    }

    #[test]
    fn nothing_hides() {
        assert_eq!(visible("a\u{202e}b\nc"), "a\\u{202e}b\nc");
    }
}
