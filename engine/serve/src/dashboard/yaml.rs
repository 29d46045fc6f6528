//! A skill's text in colours, line by line, each problem below the line where it is.

use maud::{Markup, PreEscaped, html};

use super::show;
use crate::api::problem::Finding;

/// The text with its problems.
pub(super) fn source(text: &str, problems: &[Finding]) -> Markup {
    html! {
        div.source tabindex="0" role="region" aria-label="Source" {
            @for (at, line) in text.lines().enumerate() {
                @let number = u32::try_from(at + 1).unwrap_or(0);
                div.line #{ "L" (number) } { a.at href={ "#L" (number) } aria-label={ "Line " (number) } { (number) } code { (coloured(line)) } }
                @for found in problems.iter().filter(|found| found.line == number) { (problem(found)) }
            }
        }
    }
}

fn problem(found: &Finding) -> Markup {
    html! {
        div class={ "found is-" (found.severity) } {
            strong { (found.severity) } " " (show::prose(&found.message)) " " code { (found.code) }
            @if !found.hint.is_empty() { " " span.quiet { (show::prose(&found.hint)) } }
        }
    }
}

/// A line of YAML: its comment, key, texts and templates.
fn coloured(line: &str) -> Markup {
    let (code, comment) = line.split_at(comment_start(line));
    let mut markup = String::with_capacity(line.len() * 2);
    match key_end(code) {
        Some((start, end)) => {
            show::push(&mut markup, &code[..start]);
            wrapped(&mut markup, "k", &code[start..end]);
            rest(&mut markup, &code[end..]);
        }
        None => rest(&mut markup, code),
    }
    if !comment.is_empty() {
        wrapped(&mut markup, "c", comment);
    }
    PreEscaped(markup)
}

fn wrapped(markup: &mut String, class: &str, text: &str) {
    markup.push_str("<i class=\"");
    markup.push_str(class);
    markup.push_str("\">");
    show::push(markup, text);
    markup.push_str("</i>");
}

/// Where a comment begins: a `#` after a space, outside of quotes.
fn comment_start(line: &str) -> usize {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '#') if before.is_whitespace() => return at,
            (None, '"' | '\'') if !before.is_alphanumeric() => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
        before = c;
    }
    line.len()
}

/// Where the key of a line begins and ends, if it has one.
fn key_end(code: &str) -> Option<(usize, usize)> {
    let trimmed = code.trim_start_matches([' ', '-']);
    let start = code.len() - trimmed.len();
    let end = trimmed.find(':')?;
    let is_key = end > 0 && trimmed[..end].chars().all(|c| c.is_alphanumeric() || "_-. ".contains(c));
    let is_end = trimmed[end + 1..].is_empty() || trimmed[end + 1..].starts_with(' ');
    (is_key && is_end).then_some((start, start + end))
}

/// Templates of what follows.
fn rest(markup: &mut String, text: &str) {
    let mut left = text;
    while let Some(at) = left.find("{{") {
        show::push(markup, &left[..at]);
        let end = left[at..].find("}}").map_or(left.len(), |end| at + end + 2);
        wrapped(markup, "t", &left[at..end]);
        left = &left[end..];
    }
    show::push(markup, left);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_line_are_told_apart() {
        let line = |text: &str| coloured(text).into_string();
        assert_eq!(line("- name: x # why"), "- <i class=\"k\">name</i>: x <i class=\"c\"># why</i>");
        assert_eq!(line("a: '#{{ b }}'"), "<i class=\"k\">a</i>: '#<i class=\"t\">{{ b }}</i>'");
        assert_eq!(line("http://x"), "http://x");
        assert_eq!(line("ü: {{"), "<i class=\"k\">ü</i>: <i class=\"t\">{{</i>");
    }

    #[test]
    fn no_line_is_markup() {
        for text in ["<script>: <b>", "# <script>", "{{ <script> }}", "a: '<script>'"] {
            assert!(!coloured(text).into_string().contains("<script"), "{text}");
        }
    }
}
