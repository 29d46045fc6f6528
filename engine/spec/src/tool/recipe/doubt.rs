//! What works and is likely not what was meant, or leaves people in the dark.

use crate::diagnostic::Diagnostic;
use crate::name::fold;
use crate::source::{Source, Span};
use crate::tool::module::{Argument, Module, ModuleTool};

/// Everything doubtful about a module that can be seen in its text.
pub fn doubts(module: &Module, source: &Source) -> Vec<Diagnostic> {
    let mut doubts = Doubts { source, found: Vec::new() };
    doubts.module(module);
    module.tools.iter().for_each(|tool| doubts.tool(module, tool));
    doubts.found.sort_by_key(|doubt| doubt.span.start);
    doubts.found
}

struct Doubts<'a> {
    source: &'a Source,
    found: Vec<Diagnostic>,
}

impl Doubts<'_> {
    fn add(&mut self, code: &'static str, span: Span, message: String, hint: &str) {
        self.found.push(Diagnostic::warning(code, self.source, span, message).hint(hint));
    }

    fn module(&mut self, module: &Module) {
        let name = &module.module;
        let file = self.source.path.rsplit(['/', '\\']).next().unwrap_or_default();
        let stem = file.strip_suffix(".yaml").or_else(|| file.strip_suffix(".yml"));
        if let Some(stem) = stem.filter(|stem| fold(stem) != fold(&name.value)) {
            let message = format!("the module is called `{}`, but its file `{stem}`", name.value);
            self.add("name-mismatch", name.span, message, "give both the same name");
        }
        if module.description.value.trim().is_empty() {
            let message = format!("nobody is told what the module `{}` is for", name.value);
            self.add("missing-description", module.description.span, message, "say it in a sentence");
        }
    }

    fn tool(&mut self, module: &Module, tool: &ModuleTool) {
        let (name, at) = (&tool.name.value, tool.name.span);
        if tool.description.value.trim().is_empty() {
            let message = format!("nobody is told what `{name}` does");
            self.add("missing-description", tool.description.span, message, "say it in a sentence");
        }
        for (argument, parameter) in &tool.input.0 {
            if parameter.schema.get("description").is_none() {
                let message = format!("nobody is told what the argument `{}` is", argument.value);
                self.add("missing-description", argument.span, message, "add a `description`");
            }
        }
        if tool.output.is_none() {
            let message = format!("nobody can tell what `{name}` gives");
            let hint = "add `output:`, so that skills which use it are checked";
            self.add("missing-output", at, message, hint);
        }
        if tool.examples.is_empty() {
            let message = format!("there is no example of `{name}`");
            self.add("missing-example", at, message, "`aa tool test` tries examples");
        }
        self.command(module, tool);
    }

    /// A command that people are not told to install.
    fn command(&mut self, module: &Module, tool: &ModuleTool) {
        let Some(Argument::Always(command)) = tool.run.first() else { return };
        let declared = module.requires.commands.iter().any(|known| known.value == command.value);
        if !declared && !command.value.contains('{') {
            let message = format!("`requires` does not say that `{}` must be there", command.value);
            let hint = format!("add `requires: {{commands: [{}]}}`", command.value);
            self.add("undeclared-command", command.span, message, &hint);
        }
    }
}
