//! Problems in YAML, drawn like a compiler's: code, place, snippet, label, hint.

use std::borrow::Cow;
use std::fmt;

use aa_spec::diagnostic::{Diagnostic, Severity, has_errors};
use aa_spec::source::Span;
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, ThemeCharacters, ThemeStyles};

use serde_json::{Value, json};

use crate::printer::Printer;
use crate::style::{Palette, Tone};
use crate::words;

/// Lines longer than this are named, not shown: nobody reads them on a terminal.
const LONGEST_LINE: usize = 400;

/// Draws them on stderr, in the order of the file, with an empty line after each.
pub(crate) fn draw_all(diagnostics: &[Diagnostic], printer: &Printer) {
    for diagnostic in diagnostics {
        if printer.quiet && diagnostic.severity == Severity::Warning {
            continue;
        }
        printer.tell(draw(diagnostic, printer.err));
    }
}

/// Says how many there are.
pub(crate) fn sum_up(diagnostics: &[Diagnostic], printer: &Printer) {
    if has_errors(diagnostics) {
        printer.error(summary(diagnostics));
    } else {
        printer.warning(summary(diagnostics));
    }
}

/// One diagnostic for programs.
pub(crate) fn object(diagnostic: &Diagnostic) -> Value {
    let place = diagnostic.place();
    let end = diagnostic.source.place(diagnostic.span.end);
    json!({
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "path": &*diagnostic.source.path,
        "line": place.line,
        "column": place.column,
        "end_line": end.line,
        "end_column": end.column,
        "label": diagnostic.label,
        "hint": diagnostic.hint,
    })
}

/// `2 errors, 1 warning in skills/deploy.yaml`.
pub(crate) fn summary(diagnostics: &[Diagnostic]) -> String {
    let number = |severity| diagnostics.iter().filter(|one| one.severity == severity).count();
    let mut parts = Vec::new();
    for (severity, noun) in [(Severity::Error, "error"), (Severity::Warning, "warning")] {
        if number(severity) > 0 {
            parts.push(words::count(number(severity), noun));
        }
    }
    let mut paths: Vec<&str> = diagnostics.iter().map(|one| &*one.source.path).collect();
    paths.sort_unstable();
    paths.dedup();
    match paths[..] {
        [] => "no problems".to_owned(),
        [path] => format!("{} in {path}", parts.join(", ")),
        _ => format!("{} in {}", parts.join(", "), words::count(paths.len(), "file")),
    }
}

/// One diagnostic as text of several lines.
pub(crate) fn draw(diagnostic: &Diagnostic, palette: Palette) -> String {
    let (word, tone) = match diagnostic.severity {
        Severity::Error => ("error", Tone::Bad),
        Severity::Warning => ("warning", Tone::Warn),
    };
    let head = palette.paint(tone, format!("{word}[{}]:", diagnostic.code));
    let message = words::harmless(&diagnostic.message);
    let head = format!("{head} {}\n", palette.paint(Tone::Strong, message));
    let hint = if diagnostic.hint.is_empty() {
        String::new()
    } else {
        format!("{} {}\n", palette.paint(Tone::Busy, "hint:"), words::harmless(&diagnostic.hint))
    };
    head + &snippet(diagnostic, palette) + &hint
}

/// The marked place with a line around it; only the place when there is nothing to show.
fn snippet(diagnostic: &Diagnostic, palette: Palette) -> String {
    let place = diagnostic.place();
    let span = first_line(diagnostic);
    let line = diagnostic.source.text.lines().nth(place.line as usize - 1).unwrap_or("");
    let path = words::harmless(&diagnostic.source.path);
    let plain = || format!("  --> {path}:{}:{}\n", place.line, place.column);
    if diagnostic.source.text.is_empty() || line.len() > LONGEST_LINE {
        return plain();
    }
    let shown = Shown { diagnostic, path: path.clone(), text: words::still(&diagnostic.source.text), span };
    let mut text = String::new();
    if handler(palette).render_report(&mut text, &shown).is_err() {
        return plain();
    }
    // The first line is miette's heading, which `draw` words itself.
    text.split_once('\n').map_or_else(plain, |(_, rest)| rest.to_owned())
}

fn handler(palette: Palette) -> GraphicalReportHandler {
    let characters = if palette.unicode { ThemeCharacters::unicode() } else { ThemeCharacters::ascii() };
    let styles = if palette.color { ThemeStyles::ansi() } else { ThemeStyles::none() };
    GraphicalReportHandler::new_themed(GraphicalTheme { characters, styles })
        .with_links(false)
        .with_width(100)
        .with_context_lines(1)
        .without_syntax_highlighting()
}

/// The part of the span on its first line: a mark over many lines says less.
fn first_line(diagnostic: &Diagnostic) -> Span {
    let length = u32::try_from(diagnostic.source.text.len()).unwrap_or(u32::MAX);
    let start = diagnostic.span.start.min(length);
    let end = diagnostic.span.end.clamp(start, length);
    let marked = diagnostic.source.slice(Span { start, end });
    let shown = marked.lines().next().unwrap_or("").trim_end().len();
    Span { start, end: start + u32::try_from(shown).unwrap_or(0) }
}

/// A diagnostic as miette wants to see it: only what is marked.
#[derive(Debug)]
struct Shown<'a> {
    diagnostic: &'a Diagnostic,
    path: String,
    /// The source, byte for byte as long as it is.
    text: Cow<'a, str>,
    span: Span,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

impl std::error::Error for Shown<'_> {}

impl miette::Diagnostic for Shown<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(self)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = Some(words::harmless(&self.diagnostic.label)).filter(|label| !label.is_empty());
        let (start, end) = (self.span.start as usize, self.span.end as usize);
        Some(Box::new(std::iter::once(LabeledSpan::new(label, start, end - start))))
    }
}

impl miette::SourceCode for Shown<'_> {
    fn read_span<'a>(
        &'a self,
        span: &miette::SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn miette::SpanContents<'a> + 'a>, miette::MietteError> {
        let contents = self.text.as_bytes().read_span(span, before, after)?;
        Ok(Box::new(miette::MietteSpanContents::new_named(
            self.path.clone(),
            contents.data(),
            *contents.span(),
            contents.line(),
            contents.column(),
            contents.line_count(),
        )))
    }
}

#[cfg(test)]
mod tests {
    use aa_spec::source::Source;
    use proptest::prelude::*;

    use super::*;

    const PLAIN: Palette = Palette { color: false, unicode: true };

    fn sample() -> Diagnostic {
        let text = "name: x\nsteps:\n  - name: a\n    tool: git_lgo\n";
        let source = Source::new("skills/x.yaml", text);
        let start = u32::try_from(text.find("git_lgo").unwrap()).unwrap();
        Diagnostic::error(
            "unknown-tool",
            &source,
            Span { start, end: start + 7 },
            "there is no tool `git_lgo`",
        )
        .label("not a tool")
        .hint("did you mean `git_log`?")
    }

    #[test]
    fn a_diagnostic_looks_like_a_compilers() {
        insta::assert_snapshot!(draw(&sample(), PLAIN), @"
        error[unknown-tool]: there is no tool `git_lgo`
           ╭─[skills/x.yaml:4:11]
         3 │   - name: a
         4 │     tool: git_lgo
           ·           ───┬───
           ·              ╰── not a tool
           ╰────
        hint: did you mean `git_log`?
        ");
    }

    #[test]
    fn a_file_does_nothing_to_the_terminal() {
        let text = "name: a\u{1b}]0;mine\u{7}\u{0}b\u{202e}c\r\nsteps: \u{9b}2J\rx\n";
        let path = Source::new("skills/\u{1b}[2Jx.yaml", text);
        let start = u32::try_from(text.find("steps").unwrap()).unwrap();
        let drawn = draw(&Diagnostic::error("a", &path, Span { start, end: start + 5 }, "no"), PLAIN);
        assert!(drawn.lines().all(|line| !line.contains(char::is_control) && !line.contains('\u{202e}')));
        insta::assert_snapshot!(drawn, @"
        error[a]: no
           ╭─[skills/x.yaml:2:1]
         1 │ name: a?]0;mine??b�c
         2 │ steps: ·2J?x
           · ─────
           ╰────
        ");
    }

    #[test]
    fn ascii_is_enough() {
        insta::assert_snapshot!(draw(&sample(), Palette { unicode: false, ..PLAIN }), @"
        error[unknown-tool]: there is no tool `git_lgo`
           ,-[skills/x.yaml:4:11]
         3 |   - name: a
         4 |     tool: git_lgo
           :           ^^^|^^^
           :              `-- not a tool
           `----
        hint: did you mean `git_log`?
        ");
    }

    #[test]
    fn a_summary_counts_and_names() {
        let error = sample();
        let warning = Diagnostic { severity: Severity::Warning, ..sample() };
        assert_eq!(summary(&[error.clone(), error.clone(), warning]), "2 errors, 1 warning in skills/x.yaml");
        let other = Diagnostic { source: Source::new("y.yaml", ""), ..sample() };
        assert_eq!(summary(&[error, other]), "2 errors in 2 files");
        assert_eq!(summary(&[]), "no problems");
    }

    #[test]
    fn an_endless_line_is_named_not_shown() {
        let source = Source::new("x.yaml", "a".repeat(10_000));
        let diagnostic = Diagnostic::error("yaml", &source, Span { start: 9, end: 12 }, "odd");
        insta::assert_snapshot!(draw(&diagnostic, PLAIN), @"
        error[yaml]: odd
          --> x.yaml:1:10
        ");
    }

    proptest! {
        #[test]
        fn any_span_in_any_text_can_be_drawn(text in any::<String>(), start in 0..300u32, length in 0..300u32) {
            let source = Source::new("x.yaml", text);
            let span = Span { start, end: start + length };
            let drawn = draw(&Diagnostic::error("odd", &source, span, "odd").label("here"), PLAIN);
            prop_assert!(drawn.starts_with("error[odd]: odd\n"));
            prop_assert!(drawn.contains("x.yaml"));
        }
    }
}
