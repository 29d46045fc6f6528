//! What tells whether a tool is still the one that it was: a hash of the text that defines it.

use std::collections::BTreeMap;

use aa_spec::plan::{Plan, digest};
use aa_spec::source::Source;
use aa_spec::tool::ToolSpec;
use aa_spec::tool::module::Module;
use serde_json::Value;

use super::Toolbox;

impl Toolbox {
    /// What each tool is that a plan may call, by name.
    pub(crate) fn digests(&self, plan: &Plan) -> BTreeMap<String, String> {
        let tools = plan.tools().into_iter();
        tools.filter_map(|name| Some((name.to_owned(), self.digest(name)?))).collect()
    }

    /// A hash of what defines a tool: its text and what its module says to all of its tools. Of what is no text
    /// here it is what is announced of it, and by which version.
    fn digest(&self, name: &str) -> Option<String> {
        let tool = self.tool(name)?;
        let spec = tool.spec();
        let own = self.shelf.modules.iter().find_map(|entry| {
            let source = &entry.text.source;
            spec.source.strip_prefix(&*source.path).filter(|rest| rest.starts_with(':'))?;
            Some(of_text(entry.parsed().module.as_ref()?, spec, source))
        });
        let own = own.unwrap_or_else(|| announced(spec));
        // Secrets are names there.
        Some(match self.shelf.configuration.written(&spec.module) {
            Some(settings) => digest(format!("{own}\0{}", Value::Object(settings.clone()))),
            None => own,
        })
    }
}

/// The lines of the tool, and those before the first and after the last tool of its module.
fn of_text(module: &Module, spec: &ToolSpec, source: &Source) -> String {
    let starts: Vec<usize> =
        module.tools.iter().map(|tool| line_start(source, tool.name.span.start)).collect();
    let named = |tool: &&aa_spec::tool::module::ModuleTool| tool.name.value == spec.name;
    let start = module.tools.iter().find(named).map(|tool| line_start(source, tool.name.span.start));
    let start = start.unwrap_or_default();
    let next = starts.iter().copied().filter(|other| *other > start).min();
    let head = starts.iter().copied().min().unwrap_or_default();
    let tail = tail_start(&source.text, starts.iter().copied().max().unwrap_or_default());
    let (head, own, tail) =
        (&source.text[..head], &source.text[start..next.unwrap_or(tail)], &source.text[tail..]);
    let tail = if tail.is_empty() { String::new() } else { format!("\0{tail}") };
    digest(format!("{head}\0{own}{tail}"))
}

/// Where the keys of the module begin that follow on its tools: lines that are neither indented nor of a list.
fn tail_start(text: &str, from: usize) -> usize {
    let mut at = from;
    for line in text[from..].split_inclusive('\n') {
        if at > from && !line.starts_with([' ', '\t', '-', '#', '\n', '\r', '}', ']']) {
            return at;
        }
        at += line.len();
    }
    text.len()
}

/// Where the line begins that holds a place.
fn line_start(source: &Source, place: u32) -> usize {
    source.text[..place as usize].rfind('\n').map_or(0, |newline| newline + 1)
}

fn announced(spec: &ToolSpec) -> String {
    let announced = ToolSpec { source: String::new(), ..spec.clone() };
    let by = if spec.source == "built in" { env!("CARGO_PKG_VERSION") } else { "" };
    digest(format!("{by}\0{}", serde_json::to_string(&announced).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(text: &str) -> [String; 2] {
        let source = Source::new("box.yaml", text);
        let (module, problems) = aa_spec::tool::recipe::check(&source);
        assert!(problems.is_empty(), "{problems:?}");
        let module = module.unwrap();
        ["box_a", "box_b"]
            .map(|name| of_text(&module, &module.tool(name).unwrap().spec(&module, &source), &source))
    }

    #[test]
    fn a_tool_is_another_when_its_text_or_that_of_its_module_is() {
        let tool = |name: &str, does: &str| {
            format!(
                "  - name: {name}\n    description: Does\n    effect: read\n    input: {{}}\n    run: [{does}]\n"
            )
        };
        let text = |about: &str, a: &str, b: &str| {
            format!("module: box\ndescription: {about}\ntools:\n{}{}", tool("box_a", a), tool("box_b", b))
        };
        let before = digests(&text("Things", "date", "id"));
        assert_ne!(before[0], before[1]);
        assert_eq!(digests(&text("Things", "date", "id")), before);
        let after = digests(&text("Things", "date", "whoami"));
        assert!(after[0] == before[0] && after[1] != before[1]);
        let after = digests(&text("Other things", "date", "id"));
        assert!(after[0] != before[0] && after[1] != before[1]);
    }

    #[test]
    fn what_follows_on_the_tools_is_of_all_of_them() {
        let text = "module: box\ndescription: Things\ntools:\n  - {name: box_a, description: A, effect: read, input: {}, run: [a]}\n  - {name: box_b, description: B, effect: read, input: {}, run: [b]}\naliases: {old: box_a}\n";
        let before = digests(text);
        let after = digests(&text.replace("old", "older"));
        assert!(after[0] != before[0] && after[1] != before[1]);
    }
}
