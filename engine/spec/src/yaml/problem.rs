//! What is wrong, or doubtful, in a piece of YAML, in our words.

use serde_json::Value;
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{Error, Location};

use crate::diagnostic::Diagnostic;
use crate::fix::Edit;
use crate::source::{Source, Span};

/// Bytes that are not UTF-8, with the place of the first that is not.
pub(super) fn not_text(path: &str, error: &std::string::FromUtf8Error) -> Diagnostic {
    let valid = error.utf8_error().valid_up_to();
    let source = Source::new(path, String::from_utf8_lossy(error.as_bytes()));
    let span = visible(&source, Span { start: offset(valid), end: offset(valid) });
    let byte = error.as_bytes().get(valid).copied().unwrap_or_default();
    Diagnostic::error("not-utf8", &source, span, format!("the byte 0x{byte:02x} is not UTF-8 text"))
        .hint("save the file as UTF-8")
}

/// An error of the library as a diagnostic.
pub(super) fn explain(source: &Source, error: &Error) -> Diagnostic {
    let span = error.location().map_or_else(Span::default, |location| span(source, location));
    if let Some(diagnostic) = unquoted_template(source, span) {
        return diagnostic;
    }
    let (code, message, hint) = words(error);
    let diagnostic = Diagnostic::error(code, source, visible(source, span), message);
    if hint.is_empty() { diagnostic } else { diagnostic.hint(hint) }
}

/// Code, message and hint of a library error.
fn words(error: &Error) -> (&'static str, String, &'static str) {
    let own = |code, message: &str, hint| (code, message.to_owned(), hint);
    match error {
        Error::AliasError { error, .. } => words(error),
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or("?");
            ("duplicate-key", format!("`{key}` is written twice in the same mapping"), "keep one of them")
        }
        Error::MultipleDocuments { .. } => own(
            "yaml-documents",
            "a second document starts here; a file holds one",
            "move it to a file of its own",
        ),
        Error::UnknownAnchor { .. } => {
            own("yaml-alias", "the alias names an anchor that is not defined above", "")
        }
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            own("yaml-alias", "the alias refers to itself", "")
        }
        Error::MergeValueNotMapOrSeqOfMaps { .. } => {
            own("yaml-alias", "`<<` merges a mapping or a list of mappings, and this is neither", "")
        }
        Error::Unexpected { expected: "string scalar", .. } | Error::NullIntoString { .. } => {
            own("yaml-key", "a key must be text", "put it in quotes")
        }
        Error::NonFiniteFloat { value, .. } => {
            ("yaml-number", format!("`{value}` is not a finite number"), "put it in quotes if it is text")
        }
        Error::UnsupportedTag { tag, .. } => {
            ("yaml-tag", format!("the tag `{tag}` means nothing here"), "remove it; values are plain data")
        }
        Error::TaggedScalarCannotDeserializeIntoString { .. }
        | Error::InvalidBinaryBase64 { .. }
        | Error::BinaryNotUtf8 { .. }
        | Error::InvalidBooleanStrict { .. }
        | Error::InvalidScalar { .. } => {
            own("yaml-tag", "the tag does not go with this value", "remove it; values are plain data")
        }
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. } => {
            own("yaml-budget", "the aliases unfold to too much", "")
        }
        Error::Budget { breach, .. } => ("yaml-budget", breached(breach), ""),
        other => syntax(&bare(other)),
    }
}

fn breached(breach: &BudgetBreach) -> String {
    match breach {
        BudgetBreach::Depth { .. } => "the nesting is too deep",
        BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. } => "the file holds too many values",
        BudgetBreach::ScalarBytes { .. }
        | BudgetBreach::RecordedAnchorEvents { .. }
        | BudgetBreach::RecordedAnchorBytes { .. } => "the aliases unfold to too much",
        BudgetBreach::Aliases { .. }
        | BudgetBreach::Anchors { .. }
        | BudgetBreach::AliasAnchorRatio { .. } => "the file holds too many aliases",
        BudgetBreach::MergeKeys { .. } => "the file holds too many merges",
        BudgetBreach::Documents { .. } => "the file holds too many documents",
        _ => "the file is too large when unfolded",
    }
    .to_owned()
}

/// The library's words without the place, which the diagnostic shows itself.
fn bare(error: &Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

/// Syntax errors come as sentences; the common ones get the words of this project.
fn syntax(text: &str) -> (&'static str, String, &'static str) {
    const KNOWN: &[(&str, &str, &str)] = &[
        (
            "mapping values are not allowed",
            "a `:` is not expected here",
            "put the text before it in quotes, or check the indentation",
        ),
        ("did not find expected key", "a key is expected here", "check the indentation of this line"),
        (
            "did not find expected '-'",
            "an item of the list is expected here",
            "check the indentation of this line",
        ),
        (
            "block sequence entries are not allowed",
            "a `-` is not expected here",
            "put the list on lines of its own",
        ),
        ("unclosed quote", "the quote is never closed", ""),
        (
            "invalid indentation in multiline quoted scalar",
            "the quoted text is not indented, or its quote is never closed",
            "",
        ),
        ("unclosed bracket", "the bracket is never closed", ""),
        ("misplaced bracket", "this bracket closes nothing", ""),
        (
            "unknown escape character",
            "this escape is not known in double quotes",
            "use single quotes, or write `\\\\` for a backslash",
        ),
        ("tabs disallowed", "a tab cannot indent", "indent with spaces"),
        ("recursion limit exceeded", "the nesting is too deep", ""),
    ];
    if let Some((_, message, hint)) = KNOWN.iter().find(|(pattern, ..)| text.contains(pattern)) {
        let code = if text.contains("recursion limit") { "yaml-budget" } else { "yaml-syntax" };
        return (code, (*message).to_owned(), hint);
    }
    match text.strip_prefix("unexpected character: `").and_then(|rest| rest.strip_suffix('\'')) {
        Some("`") => ("yaml-syntax", "a value cannot start with a back-tick".to_owned(), "put it in quotes"),
        Some(control) if control.starts_with('\\') => {
            let message = format!("the control character {control} cannot stand in YAML");
            ("yaml-syntax", message, "remove it, or write it as an escape in double quotes")
        }
        Some(found) => ("yaml-syntax", format!("a value cannot start with `{found}`"), "put it in quotes"),
        None => ("yaml-syntax", format!("this is not YAML: {text}"), ""),
    }
}

/// `key: {{ x }}` is a mapping in a mapping to YAML; its author meant a template.
fn unquoted_template(source: &Source, at: Span) -> Option<Diagnostic> {
    let line_start = source.text.get(..at.start as usize)?.rfind('\n').map_or(0, |newline| newline + 1);
    let line = source.text[line_start..].lines().next()?;
    let open = line.find("{{")?;
    let before = line[..open].trim_end();
    if !(before.is_empty() || before.ends_with([':', '-', '[', ','])) {
        return None;
    }
    let in_brackets = before.contains(['[', '{']);
    let close = line[open..].find("}}").map_or(line.len(), |close| open + close + 2);
    let end = if in_brackets { close } else { line.trim_end().len() };
    let span = Span { start: offset(line_start + open), end: offset(line_start + end) };
    let message = "a template must be in quotes";
    Some(
        Diagnostic::error("unquoted-template", source, span, message)
            .hint(format!("write `\"{}\"`", source.slice(span)))
            .fix(quotes(source, span)),
    )
}

/// Quotes around a text, of the kind that is not in it.
fn quotes(source: &Source, span: Span) -> Vec<Edit> {
    let text = source.slice(span);
    // A comment after it is none of it.
    let mark = ['"', '\''].into_iter().find(|mark| !text.contains([*mark, '\\', '#']));
    mark.map(|mark| [span.start, span.end].map(|at| Edit::insert(at, mark)).to_vec()).unwrap_or_default()
}

/// Reports scalars that other readers of YAML take differently.
pub(super) fn doubt(source: &Source, span: Span, value: &Value, diagnostics: &mut Vec<Diagnostic>) {
    match value {
        Value::String(text) if is_old_boolean(text) && source.slice(span) == text => {
            let boolean = matches!(text.to_ascii_lowercase().as_str(), "yes" | "on" | "y");
            diagnostics.push(
                Diagnostic::warning(
                    "ambiguous-boolean",
                    source,
                    span,
                    format!("`{text}` is text here, not a boolean"),
                )
                .hint(format!("write `{boolean}` for the boolean, or put `{text}` in quotes")),
            );
        }
        Value::Null => {
            let text = source.slice(span);
            if !matches!(text, "" | "~" | "null" | "Null" | "NULL") && !text.starts_with('*') {
                let problem =
                    Diagnostic::error("yaml-tag", source, span, format!("`{text}` is tagged as null"));
                diagnostics.push(problem.hint("remove the tag; values are plain data"));
            }
        }
        Value::Number(_) => {
            if let Some(text) = doubtful_digits(source, span, value) {
                diagnostics.push(doubtful_integer(source, span, text));
            }
        }
        _ => {}
    }
}

/// An integer as it is written, where the library reads a float: that loses digits, or a leading zero that meant
/// something.
pub(super) fn doubtful_digits<'s>(source: &'s Source, span: Span, value: &Value) -> Option<&'s str> {
    let text = source.slice(span).trim_end();
    let digits = text.trim_start_matches(['+', '-']);
    let is_integer = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    (value.is_f64() && is_integer).then_some(text)
}

fn is_old_boolean(text: &str) -> bool {
    text.len() <= 3 && ["yes", "no", "on", "off"].iter().any(|word| word.eq_ignore_ascii_case(text))
}

fn doubtful_integer(source: &Source, span: Span, text: &str) -> Diagnostic {
    let digits = text.trim_start_matches(['+', '-']);
    if digits.starts_with('0') {
        let message = format!("`{text}` has leading zeros, which readers of YAML disagree about");
        let octal = digits.trim_start_matches('0');
        let hint = if octal.bytes().all(|byte| (b'0'..=b'7').contains(&byte)) && !octal.is_empty() {
            format!("write `0o{octal}` for the octal number, or put it in quotes")
        } else {
            "put it in quotes, or drop the zeros".to_owned()
        };
        Diagnostic::error("yaml-number", source, span, message).hint(hint)
    } else {
        Diagnostic::error(
            "yaml-number",
            source,
            span,
            format!("`{text}` has more digits than a number can hold"),
        )
        .hint("put it in quotes")
    }
}

/// Our span of a library location.
pub(super) fn span(source: &Source, location: Location) -> Span {
    let span = location.span();
    match (span.byte_offset(), span.byte_len()) {
        (Some(start), Some(length)) => {
            let start = usize::try_from(start).unwrap_or(usize::MAX).min(source.text.len());
            let end = start.saturating_add(usize::try_from(length).unwrap_or(0)).min(source.text.len());
            Span { start: offset(start), end: offset(end) }
        }
        _ => from_characters(source, &span),
    }
}

/// Errors of the library's scanner know characters only.
fn from_characters(source: &Source, span: &serde_saphyr::Span) -> Span {
    let start = usize::try_from(span.offset()).unwrap_or(usize::MAX);
    let length = usize::try_from(span.len()).unwrap_or(0);
    let mut bytes = source.text.char_indices().map(|(at, _)| at).chain([source.text.len()]).skip(start);
    let first = bytes.next().unwrap_or(source.text.len());
    let last = if length == 0 { Some(first) } else { bytes.nth(length - 1) };
    Span { start: offset(first), end: offset(last.unwrap_or(source.text.len())) }
}

/// Widens an empty span to one character, so that there is something to mark.
fn visible(source: &Source, span: Span) -> Span {
    if span.start < span.end {
        return span;
    }
    let next = source.text.get(span.start as usize..).and_then(|rest| rest.chars().next());
    let width = next.filter(|c| *c != '\n').map_or(0, char::len_utf8);
    Span { end: span.start + offset(width), ..span }
}

/// Text is at most [`super::MAX_BYTES`] long, so every offset fits.
fn offset(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
