//! A tool's own lines in its module.

use aa_spec::source::Source;
use aa_spec::tool::module::example::{Recorded, Written};
use aa_spec::tool::module::{self, Argument, ModuleTool};
use aa_spec::yaml::Spanned;

/// A tool of a YAML module, in the text it is written in.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    /// The module's text.
    pub(crate) source: Source,
    /// The tool.
    pub(crate) tool: ModuleTool,
}

impl Definition {
    /// The definition of a tool in a module's text, if it is there.
    pub(crate) fn find(source: &Source, name: &str) -> Option<Self> {
        let tool = module::read(source).0?.tool(name)?.clone();
        Some(Self { source: source.clone(), tool })
    }

    /// The lines of the tool, as they are written.
    pub(crate) fn lines(&self) -> String {
        let lines: Vec<&str> = self.source.text.lines().collect();
        let (first, last) = self.range(&lines);
        lines[first..last].join("\n") + "\n"
    }

    /// The first line of the tool and the one after its last.
    pub(crate) fn range(&self, lines: &[&str]) -> (usize, usize) {
        let at = self.source.place(self.tool.name.span.start).line.saturating_sub(1) as usize;
        let at = at.min(lines.len().saturating_sub(1));
        let indent = |line: &str| line.len() - line.trim_start().len();
        let starts = |line: &&str| line.trim_start().starts_with("- ");
        // The item that the name is in, whichever key of it comes first.
        let first = (0..=at)
            .rev()
            .find(|line| starts(&lines[*line]) && (*line == at || indent(lines[*line]) < indent(lines[at])))
            .unwrap_or(at);
        let own = indent(lines.get(first).copied().unwrap_or_default());
        let is_next = |line: &&str| !line.trim().is_empty() && indent(line) <= own;
        let rest = lines.iter().skip(first + 1).position(is_next);
        let mut last = rest.map_or(lines.len(), |rest| first + 1 + rest);
        while last > first + 1 && lines[last - 1].trim().is_empty() {
            last -= 1;
        }
        (first, last)
    }

    /// Every text among the arguments of its command.
    pub(crate) fn arguments(&self) -> Vec<&Spanned<String>> {
        let mut all = Vec::new();
        for argument in &self.tool.run {
            match argument {
                Argument::Always(text) => all.push(text),
                Argument::When(when) => all.extend(when.then.iter().chain(&when.r#else)),
                Argument::Options(options) => all.push(&options.options),
            }
        }
        all
    }

    /// The commands of its examples, as they were recorded.
    pub(crate) fn recorded(&self) -> impl Iterator<Item = &[Spanned<Written>]> {
        self.tool.examples.iter().filter_map(|example| match &example.recorded {
            Some(Recorded::Command(command)) => Some(command.run.as_slice()),
            _ => None,
        })
    }
}
