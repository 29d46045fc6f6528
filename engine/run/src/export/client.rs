//! Slash commands, in the files of the clients that know them.

use std::fmt::Write;

use aa_spec::plan::{InputPlan, Plan};
use serde_json::{Map, Value, json};

use super::sheet::{description, inputs_text, rules};
use super::{MARK, shown_name};

/// A client with slash commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// Claude Code.
    Claude,
    /// Cursor.
    Cursor,
    /// Codex.
    Codex,
    /// Visual Studio Code.
    Vscode,
}

impl Client {
    /// The folder of its commands.
    pub fn commands(self) -> &'static str {
        match self {
            Self::Claude => ".claude/commands",
            Self::Cursor => ".cursor/commands",
            Self::Codex => ".codex/prompts",
            Self::Vscode => ".github/prompts",
        }
    }

    /// The folder of its skills.
    pub fn skills(self) -> &'static str {
        match self {
            Self::Claude => ".claude/skills",
            Self::Cursor => ".cursor/skills",
            Self::Codex => ".codex/skills",
            Self::Vscode => ".github/skills",
        }
    }

    /// The file of a skill's command, relative to the project, and what is in it.
    pub fn command(self, plan: &Plan) -> (String, String) {
        let name = shown_name(&plan.skill.name);
        let ending = if self == Self::Vscode { "prompt.md" } else { "md" };
        (format!("{}/{name}.{ending}", self.commands()), self.text(plan))
    }

    fn text(self, plan: &Plan) -> String {
        let mut text = self.head(plan);
        let name = &plan.skill.name;
        let _ = writeln!(text, "<!-- {MARK} from the skill {name}; changes to this file are lost. -->\n");
        let _ = writeln!(text, "# {}\n\n{}\n", shown_name(name), description(plan));
        let call = json!({"skill_name": name, "inputs": self.inputs(plan)});
        let _ = writeln!(text, "Run the skill `{name}`: call `skill_run` with\n\n```json\n{call:#}\n```");
        text.push_str(self.given(plan));
        text + &inputs_text(plan) + &rules(plan)
    }

    /// What stands above the text for the client to read.
    fn head(self, plan: &Plan) -> String {
        let description = Value::from(description(plan));
        let hint = Value::from(plan.skill.inputs.iter().map(hint).collect::<Vec<_>>().join(" "));
        match self {
            Self::Cursor => String::new(),
            Self::Vscode => format!("---\nmode: agent\ndescription: {description}\n---\n\n"),
            Self::Claude | Self::Codex if plan.skill.inputs.is_empty() => {
                format!("---\ndescription: {description}\n---\n\n")
            }
            Self::Claude | Self::Codex => {
                format!("---\ndescription: {description}\nargument-hint: {hint}\n---\n\n")
            }
        }
    }

    /// The inputs of the call: where the client asks for them, holes that it fills.
    fn inputs(self, plan: &Plan) -> Map<String, Value> {
        let hole = |input: &InputPlan| match self {
            Self::Vscode => format!("${{input:{}}}", input.name),
            _ => "…".to_owned(),
        };
        let wanted = plan.skill.inputs.iter().filter(|input| input.required);
        wanted.map(|input| (input.name.clone(), Value::from(hole(input)))).collect()
    }

    /// Where the inputs are taken from.
    fn given(self, plan: &Plan) -> &'static str {
        match self {
            _ if plan.skill.inputs.is_empty() => "",
            Self::Claude | Self::Codex => {
                "\nTake the inputs from what was typed behind the command, and ask for what is missing: $ARGUMENTS\n"
            }
            Self::Cursor => {
                "\nTake the inputs from what was typed behind the command, and ask for what is missing.\n"
            }
            Self::Vscode => "\nLeave out inputs that nothing was given for.\n",
        }
    }
}

fn hint(input: &InputPlan) -> String {
    if input.required { format!("{}=…", input.name) } else { format!("[{}=…]", input.name) }
}
