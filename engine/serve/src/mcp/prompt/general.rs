//! The prompts of the server itself.

use std::fmt::Write;

use rmcp::model::{ErrorData, JsonObject, Prompt, PromptArgument};
use serde_json::Value;

/// A prompt of the server: its name, title, description, arguments and text.
struct General {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    /// Name and description of each, none of them needed.
    arguments: &'static [(&'static str, &'static str)],
    text: &'static str,
}

const ALL: &[General] = &[
    General {
        name: "debug_guide",
        title: "Find out why something failed",
        description: "How to get from a failed run or tool to its cause, and to a mended definition",
        arguments: &[("run", "Number of the run that failed"), ("tool", "Name of the tool that failed")],
        text: "\
Find out why it failed, and mend the cause, not the symptom.

1. `run_explain` says which step failed, what it was called with, where each argument came from and what was
   different when the skill last succeeded. Read its `changes` first: what has changed is the likeliest cause.
2. If the step called a tool, `debug_tool` shows the tool's definition, its last failure, a diagnosis and, where a
   rule knows one, a patch. Show a patch to the person before anything is changed.
3. If the inputs were wrong, say which, and run the skill again with better ones. If a login or a network was
   missing, say what the person has to do. If the skill's text is wrong, propose the change as a diff.
4. Do not run a step that writes again before it is clear whether it took place: `run_status` tells, and a step
   whose outcome is unknown is for the person to resolve.
5. When the cause was found, keep it with `learn_tool_fix`, so that it is known the next time.",
    },
    General {
        name: "review_guide",
        title: "Review a change",
        description: "How to review a merge request or a local change with the tools that are here",
        arguments: &[("change", "Number of the merge request, or a branch")],
        text: "\
Review the change as somebody who will have to live with it.

1. Look for a skill that reviews (`skill_search` with `review`); if one fits, `skill_plan` it and run it. Otherwise
   read the change and its discussion with the tools that are here.
2. Understand what it is for before you look at how: read the issue that it names.
3. Look for what breaks: wrong results, lost data, races, missing checks of what comes from outside, secrets in
   text, changes of an interface that others use. Then for what is missing: tests that fail without the change.
4. Run the tests and linters, if there are tools for that, and say what you ran.
5. Report findings by weight, each with file and line, what goes wrong and when, and what would mend it. Say
   plainly when there is nothing to find. Do not approve, merge or comment in public unless you were asked to.",
    },
    General {
        name: "session_init",
        title: "Begin a session",
        description: "Takes up the work where it was left: session, current work, skills at hand",
        arguments: &[("work", "What is to be worked on, such as an issue key")],
        text: "\
Begin a working session.

1. Call `session_start`; it tells the workspace, the project and what was going on.
2. Read `aa://memory/state/current_work`, and sum up in three lines what is open.
3. `skill_list` shows what can be run here; prefer a skill to doing its steps by hand, and look at `skill_plan`
   before you run one that writes. If the tools for the work are missing, `persona_list` shows other sets.
4. Then ask what to work on, unless that is clear already.",
    },
];

/// All of them, by name.
pub(super) fn all() -> Vec<Prompt> {
    let prompt = |general: &General| {
        let argument = |(name, what): &(&str, &str)| {
            PromptArgument::new(*name).with_description(*what).with_required(false)
        };
        let arguments = general.arguments.iter().map(argument).collect();
        Prompt::new(general.name, Some(general.description), Some(arguments)).with_title(general.title)
    };
    ALL.iter().map(prompt).collect()
}

/// The text of one of them, with what it was given; none when it is not one of these.
pub(super) fn text(name: &str, arguments: &JsonObject) -> Result<Option<String>, ErrorData> {
    let Some(general) = ALL.iter().find(|general| general.name == name) else { return Ok(None) };
    let mut text = general.text.to_owned();
    for (name, value) in arguments {
        if !general.arguments.iter().any(|(known, _)| known == name) {
            let message = format!("the prompt `{}` has no argument `{name}`", general.name);
            return Err(ErrorData::invalid_params(message, None));
        }
        let value = value.as_str().map_or_else(|| Value::to_string(value), str::to_owned);
        if !value.trim().is_empty() {
            let _ = write!(text, "\n\nThe {name}: {}", value.trim());
        }
    }
    Ok(Some(text))
}

/// Names of the arguments of one of them.
pub(super) fn has_argument(prompt: &str, argument: &str) -> bool {
    let general = ALL.iter().find(|general| general.name == prompt);
    general.is_some_and(|general| general.arguments.iter().any(|(known, _)| *known == argument))
}
