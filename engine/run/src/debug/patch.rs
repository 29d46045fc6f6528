//! Changes to a tool's definition that a plain rule can make.

use aa_spec::diagnostic::has_errors;
use aa_spec::fix::Edit;
use aa_spec::source::{Source, Span};
use aa_spec::tool::module::ResultForm;
use aa_spec::tool::recipe;

use super::{Cause, Definition, Finding, Patch, diagnosis, unified};
use crate::event::StepError;

/// What is changed, and where.
type Change = (String, Vec<Edit>);

/// The change that the first finding with one calls for; none that would not be a sound module.
pub(super) fn propose(definition: &Definition, error: &StepError, findings: &[Finding]) -> Option<Patch> {
    let text = diagnosis::text(error);
    let changes = findings.iter().filter_map(|finding| match finding.cause {
        Cause::UnknownFlag => renamed_flag(definition, &text),
        Cause::AsksPerson => unasked(definition, &text),
        Cause::OutputShape => as_text(definition, &text),
        Cause::ExitCode => accepted_code(definition, error),
        Cause::Timeout => longer(definition),
        _ => None,
    });
    changes.into_iter().find_map(|change| made(definition, change))
}

fn made(definition: &Definition, (what, edits): Change) -> Option<Patch> {
    let before = &definition.source;
    let mut after = before.text.to_string();
    let mut edits = edits;
    // What stands in the text once may be a part of several commands.
    edits.sort_by_key(|edit| edit.span.start);
    edits.dedup_by_key(|edit| edit.span.start);
    for edit in edits.iter().rev() {
        after.replace_range(edit.span.start as usize..edit.span.end as usize, &edit.text);
    }
    let (_, problems) = recipe::check(&Source::new(before.path.clone(), after.clone()));
    let diff = unified(&before.path, &before.text, &after);
    let sound = !has_errors(&problems) && !diff.is_empty();
    sound.then(|| Patch { what, path: before.path.to_string(), diff, after })
}

/// `--wrong` as `--right`, where the command names the right one.
fn renamed_flag(definition: &Definition, text: &str) -> Option<Change> {
    let (wrong, right) = diagnosis::flags(text)?;
    let right = right?;
    let is_wrong = |text: &str| text == wrong || text.starts_with(&format!("{wrong}="));
    let own = definition.arguments().into_iter().filter(|argument| is_wrong(&argument.value));
    let own: Vec<Span> = own.map(|argument| argument.span).collect();
    if own.is_empty() {
        return None;
    }
    // The examples were recorded with the old name, and hold for the new one.
    let recorded = definition.recorded().flatten().filter(|argument| is_wrong(&argument.value.0));
    let spans = own.into_iter().chain(recorded.map(|argument| argument.span));
    let edits: Vec<Edit> =
        spans.filter_map(|span| within(&definition.source, span, &wrong, &right)).collect();
    (!edits.is_empty()).then(|| (format!("calls the option `{wrong}` by its name `{right}`"), edits))
}

/// The option with which the command does not ask, at the end of its arguments or before `--`.
fn unasked(definition: &Definition, text: &str) -> Option<Change> {
    let flag = diagnosis::instead_of_asking(text)?;
    let arguments = definition.arguments();
    if arguments.iter().any(|argument| argument.value == flag) {
        return None;
    }
    let last = arguments.iter().take_while(|argument| argument.value != "--").last()?;
    let source = &definition.source;
    let recorded = definition.recorded().filter_map(|command| {
        let last = command.iter().take_while(|argument| argument.value.0 != "--").last()?;
        item_after(source, last.span, &flag)
    });
    let edits = std::iter::once(item_after(source, last.span, &flag)?).chain(recorded).collect();
    Some((format!("passes `{flag}`, so that the command asks nobody"), edits))
}

/// One more item of a list behind another one. Only a plain list in one line has a place that is sure to be right.
fn item_after(source: &Source, span: Span, item: &str) -> Option<Edit> {
    let rest = source.text.get(span.end as usize..)?;
    let quoted = source.text[..span.end as usize].ends_with(['"', '\'']);
    let in_list = rest.trim_start_matches(['"', '\'']).starts_with([']', ',']);
    if !in_list {
        return None;
    }
    let shift = if quoted {
        0
    } else {
        u32::try_from(rest.len() - rest.trim_start_matches(['"', '\'']).len()).ok()?
    };
    Some(Edit::insert(span.end + shift, format!(", \"{item}\"")))
}

/// `result: json` of a command that prints no JSON.
fn as_text(definition: &Definition, text: &str) -> Option<Change> {
    let no_json = text.contains("it is no JSON") && matches!(definition.tool.result, Some(ResultForm::Json));
    let own = lines_of(definition)?;
    let line = own.1.lines().find(|line| uncommented(line) == "result: json").filter(|_| no_json)?;
    let at = own.0 + own.1.find(line)?;
    let start = u32::try_from(at + line.find("json")?).ok()?;
    let edit = Edit::replace(Span { start, end: start + 4 }, "text");
    Some(("takes what the command prints as text".to_owned(), vec![edit]))
}

/// What a line says, without the comment after it.
fn uncommented(line: &str) -> &str {
    line.split(" #").next().unwrap_or(line).trim()
}

/// One more exit code that is a success.
fn accepted_code(definition: &Definition, error: &StepError) -> Option<Change> {
    let code = i32::try_from(diagnosis::doubtful_code(error)?).ok()?;
    let mut ok = definition.tool.exit.ok.clone();
    if ok.contains(&code) {
        return None;
    }
    ok.push(code);
    let list = ok.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let what = format!("takes exit code {code} for a success");
    let (start, own) = lines_of(definition)?;
    if let Some(at) = own.find("ok: [") {
        let close = own[at..].find(']')?;
        let span =
            Span { start: u32::try_from(start + at).ok()?, end: u32::try_from(start + at + close + 1).ok()? };
        return Some((what, vec![Edit::replace(span, format!("ok: [{list}]"))]));
    }
    if own.contains("exit:") {
        return None;
    }
    Some((what, vec![line_after(definition, &format!("exit: {{ok: [{list}]}}"))?]))
}

/// Twice the time.
fn longer(definition: &Definition) -> Option<Change> {
    let timeout = definition.tool.timeout.as_ref()?;
    let ms = aa_spec::duration::parse_ms(&timeout.value).ok()?.checked_mul(2)?;
    let text = format!("{}s", ms.div_ceil(1000));
    let edit = within(&definition.source, timeout.span, &timeout.value, &text)?;
    Some((format!("lets the command take {text}"), vec![edit]))
}

/// The offset and text of the tool's lines.
fn lines_of(definition: &Definition) -> Option<(usize, String)> {
    let text = definition.lines();
    Some((definition.source.text.find(&text)?, text))
}

/// A line for one more key after the last line of the tool.
fn line_after(definition: &Definition, key: &str) -> Option<Edit> {
    let (start, own) = lines_of(definition)?;
    let first = own.lines().next()?;
    // An item all in one line has no line to put it after.
    if first.trim_start().starts_with("- {") {
        return None;
    }
    let indent = first.len() - first.trim_start().len() + 2;
    let at = u32::try_from(start + own.len()).ok()?;
    Some(Edit::insert(at, format!("{}{key}\n", " ".repeat(indent))))
}

/// A part of a marked text replaced.
fn within(source: &Source, span: Span, wrong: &str, right: &str) -> Option<Edit> {
    let at = source.slice(span).find(wrong)?;
    let start = span.start + u32::try_from(at).ok()?;
    let end = start + u32::try_from(wrong.len()).ok()?;
    Some(Edit::replace(Span { start, end }, right))
}
