//! An authored rule to the one that is pinned: every problem found, every bound filled in.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::{self, Bounds, GuessPlan, HealPlan};
use super::{Guess, HealRule};
use crate::diagnostic::Diagnostic;
use crate::name;
use crate::plan::Action;
use crate::source::{Source, Span};
use crate::template::Template;
use crate::tool::Effect;
use crate::yaml::{Kind, Node, Spanned};

/// What templates of a rule may read.
const CONTEXT: [&str; 4] = ["args", "error", "guess", "tool"];

/// What a rule may do at most, and does if it does not say: for a step, in a run, in an hour.
const MOST: [u32; 3] = [5, 20, 60];
const USUAL: [u32; 3] = [1, 3, 6];
/// It stops by itself after not having helped this often.
const FAILURES: u32 = 3;
const COOL_DOWN_MS: u64 = 60_000;
const REST_MS: u64 = 3_600_000;
const TIMEOUT_MS: u64 = 120_000;
const LONGEST_MS: u64 = 3_600_000;

/// Checks the rules of a module.
pub fn check(rules: &[HealRule], source: &Source) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    let mut seen = BTreeSet::new();
    for rule in rules {
        if !seen.insert(name::fold(&rule.name.value)) {
            let message = format!("there are two heal rules `{}`", rule.name.value);
            diagnostics.push(Diagnostic::error("duplicate-rule", source, rule.name.span, message));
        }
        if let Err(problems) = compile(rule, source) {
            diagnostics.extend(problems);
        }
    }
    diagnostics
}

/// Compiles one rule. What its call does to the world is not known yet.
///
/// # Errors
/// Everything that is wrong with it.
pub fn compile(rule: &HealRule, source: &Source) -> Result<HealPlan, Vec<Diagnostic>> {
    let mut compiler = Compiler { source, diagnostics: Vec::new() };
    let plan = compiler.rule(rule);
    if compiler.diagnostics.is_empty() { Ok(plan) } else { Err(compiler.diagnostics) }
}

struct Compiler<'a> {
    source: &'a Source,
    diagnostics: Vec<Diagnostic>,
}

impl Compiler<'_> {
    fn rule(&mut self, rule: &HealRule) -> HealPlan {
        if !name::is_valid(&rule.name.value) {
            let message = format!("`{}` cannot be the name of a rule", rule.name.value);
            self.error(
                "bad-name",
                rule.name.span,
                message,
                "use a letter, then letters, digits, `_` and `-`",
            );
        }
        let wanted = &rule.r#match;
        let conditions =
            [wanted.kind.0.len(), wanted.pattern.0.len(), wanted.exit_code.0.len(), wanted.status.0.len()];
        if conditions.iter().sum::<usize>() == 0 {
            let message = format!("the rule `{}` is for every failure", rule.name.value);
            let hint = "say in `match` which `kind`, `pattern`, `exit_code` or `status` it is for";
            self.error("heal-match", rule.name.span, message, hint);
        }
        HealPlan {
            name: name::fold(&rule.name.value),
            tools: wanted.tool.values(),
            kinds: wanted.kind.values(),
            patterns: wanted.pattern.0.iter().filter_map(|pattern| self.pattern(pattern)).collect(),
            unless: wanted.unless.0.iter().filter_map(|pattern| self.pattern(pattern)).collect(),
            exit_codes: wanted.exit_code.values(),
            statuses: wanted.status.values(),
            guess: rule.guess.iter().map(|(name, table)| (name.clone(), self.table(table))).collect(),
            action: self.action(rule),
            effect: Effect::Unknown,
            idempotent: false,
            timeout_ms: self.timeout(rule),
            bounds: self.bounds(rule),
        }
    }

    fn table(&mut self, table: &[Guess]) -> Vec<GuessPlan> {
        let entry = |guess: &Guess| GuessPlan {
            pattern: guess.pattern.as_ref().and_then(|pattern| self.pattern(pattern)),
            value: guess.value.to_json(),
        };
        table.iter().map(entry).collect()
    }

    fn action(&mut self, rule: &HealRule) -> Action {
        let action = &rule.r#do;
        let args = self.args(rule);
        match (&action.tool, &action.skill) {
            (Some(tool), None) => Action::Tool {
                tool: name::fold(&tool.value),
                args,
                nullable: BTreeSet::new(),
                reconcile: None,
            },
            (None, Some(skill)) => Action::Skill { skill: name::fold(&skill.value), args },
            _ => {
                let message = format!("the rule `{}` must call one tool or one skill", rule.name.value);
                self.error("heal-action", rule.name.span, message, "write `do: {tool: …, args: {…}}`");
                Action::Skill { skill: String::new(), args }
            }
        }
    }

    fn args(&mut self, rule: &HealRule) -> BTreeMap<String, Template> {
        let Some(node) = &rule.r#do.args else { return BTreeMap::new() };
        if !matches!(node.kind, Kind::Map(_)) {
            self.error("bad-arguments", node.span, "`args` is a mapping of names to values".to_owned(), "");
        }
        let args = node.entries().iter();
        args.filter_map(|(name, node)| Some((name.value.clone(), self.template(node, rule)?))).collect()
    }

    fn template(&mut self, node: &Node, rule: &HealRule) -> Option<Template> {
        let template = match Template::parse(&node.to_json()) {
            Ok(template) if template.has_python() => {
                let message = "this is Python, which does not run in heal rules".to_owned();
                self.error("bad-template", node.span, message, "");
                return None;
            }
            Ok(template) => template,
            Err(error) => {
                self.error("bad-template", node.span, error.message, &error.hint);
                return None;
            }
        };
        for path in template.references() {
            self.reference(&path, node.span, rule);
        }
        Some(template)
    }

    fn reference(&mut self, path: &str, span: Span, rule: &HealRule) {
        let mut parts = path.split(['.', '[']);
        let (root, field) = (parts.next().unwrap_or(path), parts.next());
        let guessed = root != "guess" || field.is_none_or(|field| rule.guess.contains_key(field));
        if CONTEXT.contains(&root) && guessed {
            return;
        }
        let known =
            if guessed { CONTEXT.map(str::to_owned).to_vec() } else { rule.guess.keys().cloned().collect() };
        let problem = Diagnostic::error(
            "unknown-reference",
            self.source,
            span,
            format!("a heal rule knows no `{path}`"),
        );
        let wrong = if guessed { root } else { field.unwrap_or_default() };
        self.diagnostics.push(problem.suggest(wrong, known.iter().map(String::as_str)));
    }

    fn pattern(&mut self, text: &Spanned<String>) -> Option<String> {
        match plan::pattern(&text.value) {
            Ok(_) => Some(text.value.clone()),
            Err(error) => {
                self.diagnostics.push(crate::shape::bad_pattern(self.source, text.span, &text.value, &error));
                None
            }
        }
    }

    fn bounds(&mut self, rule: &HealRule) -> Bounds {
        let given = [&rule.per_step, &rule.per_run, &rule.per_hour];
        let names = ["per_step", "per_run", "per_hour"];
        let mut counts = USUAL;
        for (index, count) in given.iter().enumerate() {
            let Some(count) = count else { continue };
            counts[index] = count.value;
            if count.value > MOST[index] {
                let message = format!("`{}` is {} at most", names[index], MOST[index]);
                let hint = "a rule that has to act more often does not help";
                self.error("heal-bound", count.span, message, hint);
            }
        }
        let [per_step, per_run, per_hour] = counts;
        Bounds {
            per_step,
            per_run,
            per_hour,
            cool_down_ms: self.duration(rule.cool_down.as_ref(), COOL_DOWN_MS),
            failures: rule.breaker.failures.as_ref().map_or(FAILURES, |failures| failures.value),
            rest_ms: self.duration(rule.breaker.rest.as_ref(), REST_MS),
        }
    }

    fn timeout(&mut self, rule: &HealRule) -> u64 {
        let timeout = self.duration(rule.timeout.as_ref(), TIMEOUT_MS);
        if let Some(text) = rule.timeout.as_ref().filter(|_| timeout > LONGEST_MS) {
            self.error("heal-bound", text.span, "`timeout` is an hour at most".to_owned(), "");
        }
        timeout
    }

    fn duration(&mut self, text: Option<&Spanned<String>>, usual: u64) -> u64 {
        let Some(text) = text else { return usual };
        crate::duration::parse_ms(&text.value).unwrap_or_else(|message| {
            self.error("bad-duration", text.span, message, "");
            usual
        })
    }

    fn error(&mut self, code: &'static str, span: Span, message: String, hint: &str) {
        self.diagnostics.push(Diagnostic::error(code, self.source, span, message).hint(hint));
    }
}
