//! How output becomes a value, compiled.

use std::collections::BTreeMap;

use regex::Regex;

use super::Compiler;
use crate::diagnostic::Diagnostic;
use crate::tool::module::{FieldType, Lines, Pick, ResultForm};
use crate::yaml::Spanned;

/// How the output of a command becomes a value.
#[derive(Clone, Debug)]
pub enum Reading {
    /// The text, without the line ends after it.
    Text,
    /// One JSON value.
    Json,
    /// One JSON value per line, as a list.
    JsonLines,
    /// One YAML document.
    Yaml,
    /// One item per line; empty lines are left out.
    Lines {
        /// What ends a line; `None` for a line break.
        end: Option<String>,
        /// What stands between fields; `None` for any white space.
        split: Option<String>,
        /// Names of the fields; none: the line itself is the item.
        fields: Vec<String>,
        /// Only lines that it matches, as what it captures.
        pattern: Option<Regex>,
        /// Types of the fields that are no text.
        types: BTreeMap<String, FieldType>,
    },
    /// What a regular expression finds.
    Regex {
        /// The expression, with `^` and `$` at the ends of lines.
        pattern: Regex,
        /// A list of all matches, not the first or null.
        all: bool,
        /// Types of the named groups that are no text.
        types: BTreeMap<String, FieldType>,
    },
    /// Several readings of the same output, by name.
    Object(Vec<(String, Reading)>),
}

impl Compiler<'_> {
    pub(super) fn reading(&mut self, form: &ResultForm) -> Reading {
        match form {
            ResultForm::Text => Reading::Text,
            ResultForm::Json => Reading::Json,
            ResultForm::JsonLines => Reading::JsonLines,
            ResultForm::Yaml => Reading::Yaml,
            ResultForm::Lines(lines) => self.lines(lines),
            ResultForm::Regex(pick) => self.pick(pick),
            ResultForm::Object(forms) => {
                let readings = forms.iter().map(|(name, form)| (name.value.clone(), self.reading(form)));
                Reading::Object(readings.collect())
            }
        }
    }

    fn lines(&mut self, lines: &Lines) -> Reading {
        let pattern = lines.r#match.as_ref().and_then(|pattern| self.pattern(pattern));
        let names: Vec<String> = match &pattern {
            Some(pattern) => pattern.capture_names().flatten().map(str::to_owned).collect(),
            None => lines.fields.iter().map(|field| field.value.clone()).collect(),
        };
        if let Some(text) = &lines.r#match
            && (lines.split.is_some() || !lines.fields.is_empty())
        {
            self.error("bad-value", text.span, "`match` stands in place of `split` and `fields`");
        }
        self.check_types(&lines.types, &names);
        let own = |text: &Option<Spanned<String>>| text.as_ref().map(|text| text.value.clone());
        let fields = if pattern.is_some() { Vec::new() } else { names };
        Reading::Lines {
            end: own(&lines.end),
            split: own(&lines.split),
            fields,
            pattern,
            types: lines.types.clone(),
        }
    }

    fn pick(&mut self, pick: &Pick) -> Reading {
        let Some(pattern) = self.pattern(&pick.pattern) else { return Reading::Text };
        let names: Vec<String> = pattern.capture_names().flatten().map(str::to_owned).collect();
        self.check_types(&pick.types, &names);
        Reading::Regex { pattern, all: pick.all, types: pick.types.clone() }
    }

    fn check_types(&mut self, types: &BTreeMap<String, FieldType>, names: &[String]) {
        for name in types.keys().filter(|name| !names.contains(name)) {
            let message = format!("`types` names `{name}`, which is no field of the result");
            let problem = Diagnostic::error("unknown-reference", self.source, self.tool.name.span, message);
            self.diagnostics.push(problem.suggest(name, names.iter().map(String::as_str)));
        }
    }
}
