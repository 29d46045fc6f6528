//! A plan as a Mermaid flowchart, for Markdown.

use std::fmt::Write;

use super::{Look, action_words, looks, notes};
use crate::plan::{Action, SkillPlan};

/// The steps of a skill as a flowchart.
pub fn mermaid(skill: &SkillPlan) -> String {
    let mut text = String::from("flowchart TD\n");
    for (index, step) in skill.steps.iter().enumerate() {
        let look = Look::of(step);
        let mut lines = vec![format!("<b>{}</b>", escape(&step.name)), escape(&action_words(step))];
        lines.extend(notes(step).iter().map(|note| format!("<i>{}</i>", escape(note))));
        let (open, close) = match (&step.action, look) {
            (Action::Skill { .. }, _) => ("[[", "]]"),
            (_, Look::Read) => ("(", ")"),
            (_, Look::Write | Look::Unknown) => ("[", "]"),
            (_, Look::Destructive) => ("[/", "\\]"),
            (_, Look::Confirm) => ("{{", "}}"),
            (_, Look::Wait) => ("([", "])"),
            (_, Look::Return) => ("(((", ")))"),
        };
        // Writing into a `String` cannot fail.
        let _ = writeln!(text, "    s{index}{open}\"{}\"{close}:::{}", lines.join("<br/>"), class(look));
    }
    for (index, step) in skill.steps.iter().enumerate() {
        for need in &step.needs {
            let _ = writeln!(text, "    s{need} --> s{index}");
        }
    }
    for look in looks(skill) {
        let _ = writeln!(text, "    classDef {} {}", class(look), style(look));
    }
    text
}

/// Class names must not be words of the language, such as `return`.
fn class(look: Look) -> String {
    format!("is_{}", look.word())
}

fn style(look: Look) -> &'static str {
    match look {
        Look::Read => "fill:#e8f1fd,stroke:#2f6fdd,color:#10223f",
        Look::Write => "fill:#fff3d6,stroke:#b7791f,stroke-width:2px,color:#3a2a05",
        Look::Destructive => "fill:#fde4e1,stroke:#c53030,stroke-width:3px,color:#42100c",
        Look::Unknown => "fill:#f1f1f4,stroke:#6b7280,stroke-dasharray:5 4,color:#1f2430",
        Look::Confirm => "fill:#f2e8fd,stroke:#7e3af2,color:#2a0f54",
        Look::Wait => "fill:#f1f1f4,stroke:#6b7280,color:#1f2430",
        Look::Return => "fill:#e3f6ea,stroke:#2f855a,color:#0c3320",
    }
}

/// Text that Mermaid takes as text: everything it could take for syntax as a character code.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.' | ',' | ':' | '/' | '…') => {
                escaped.push(c);
            }
            c if c.is_control() => escaped.push(' '),
            c => {
                let _ = write!(escaped, "#{};", u32::from(c));
            }
        }
    }
    escaped
}
