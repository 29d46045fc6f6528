//! A resource's text in pages: the first is what fits, each says where the next one is.

use rmcp::model::{MetaObject, ResourceContents};
use serde_json::{Value, json};

/// Most of a text that is given at once, in bytes: clients cut or refuse what is much longer.
pub(super) const PAGE: usize = 24 << 10;

/// Contents as JSON.
pub(super) fn json(uri: &str, value: &Value, from: u64) -> ResourceContents {
    text(uri, "application/json", &format!("{value:#}"), from)
}

/// Contents that are a text. What does not fit is cut, and the address of the rest is its last line.
pub(super) fn text(uri: &str, mime_type: &str, text: &str, from: u64) -> ResourceContents {
    let start = floor(text, usize::try_from(from).unwrap_or(usize::MAX));
    let end = end_of(text, start);
    if start == 0 && end == text.len() {
        return contents(uri, mime_type, text.to_owned(), None);
    }
    let joint = if uri.contains('?') { '&' } else { '?' };
    let next = (end < text.len()).then(|| format!("{uri}{joint}from={end}"));
    let rest = next.as_ref().map_or_else(String::new, |next| format!("; the rest: {next}"));
    let page = format!("{}\n[bytes {start} to {end} of {}{rest}]\n", &text[start..end], text.len());
    contents(uri, "text/plain", page, next)
}

/// What pages of a text of so many bytes are: only one that is the whole is of its own type.
pub(crate) fn kind(bytes: usize, mime_type: &'static str) -> &'static str {
    if bytes > PAGE { "text/plain" } else { mime_type }
}

/// An address without the place to begin at that pages add to it, and that place.
pub(super) fn place(uri: &str) -> Option<(&str, u64)> {
    let (plain, from) = uri.rsplit_once("from=")?;
    let plain = plain.strip_suffix(['?', '&'])?;
    Some((plain, from.parse().ok()?))
}

/// Contents as they are; the address of the next page, if there is one, is told to programs, too.
pub(super) fn contents(uri: &str, mime_type: &str, text: String, next: Option<String>) -> ResourceContents {
    let meta = next.map(|next| {
        let mut meta = MetaObject::new();
        meta.insert("aa/next".to_owned(), json!(next));
        meta
    });
    ResourceContents::TextResourceContents {
        uri: uri.to_owned(),
        mime_type: Some(mime_type.to_owned()),
        text,
        meta,
    }
}

/// Where a page that starts there ends: after a whole line, if a line ends in the second half of it.
fn end_of(text: &str, start: usize) -> usize {
    let end = floor(text, start.saturating_add(PAGE));
    if end == text.len() {
        return end;
    }
    match text[start..end].rfind('\n') {
        Some(newline) if newline > PAGE / 2 => start + newline + 1,
        _ => end,
    }
}

/// The nearest place before an offset where a character begins.
fn floor(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(contents: &ResourceContents) -> (String, Option<String>) {
        match contents {
            ResourceContents::TextResourceContents { text, meta, .. } => {
                let next = meta.as_ref().and_then(|meta| meta.get("aa/next")?.as_str().map(str::to_owned));
                (text.clone(), next)
            }
            other => panic!("a text was given: {other:?}"),
        }
    }

    #[test]
    fn what_fits_is_given_as_it_is() {
        let (whole, next) = parts(&text("aa://x", "text/plain", "short", 0));
        assert_eq!((whole.as_str(), next), ("short", None));
        // Beyond its end there is nothing, and that is said.
        let (past, next) = parts(&text("aa://x", "text/plain", "short", 99));
        assert_eq!((past.as_str(), next), ("\n[bytes 5 to 5 of 5]\n", None));
    }

    #[test]
    fn the_place_is_the_last_part_of_an_address() {
        assert_eq!(place("team://rules?from=12"), Some(("team://rules", 12)));
        assert_eq!(place("team://rules?of=a&from=12"), Some(("team://rules?of=a", 12)));
        for none in [
            "team://rules",
            "team://from=12",
            "team://rules?from=x",
            "team://rules?from=",
            "team://rules?xfrom=1",
        ] {
            assert_eq!(place(none), None, "{none}");
        }
        let long = "x".repeat(2 * PAGE);
        let (_, next) = parts(&text("team://rules?of=a", "text/plain", &long, 0));
        assert_eq!(next.unwrap(), format!("team://rules?of=a&from={PAGE}"));
    }

    #[test]
    fn pages_put_together_are_the_text() {
        let line = format!("{}\n", "ä€x".repeat(30));
        for long in [line.repeat(900), "€".repeat(30_000)] {
            let (mut all, mut from) = (String::new(), 0);
            loop {
                let (page, next) = parts(&text("aa://x", "text/plain", &long, from));
                assert!(page.len() < PAGE + 100);
                all.push_str(&page[..page.rfind("\n[bytes ").unwrap()]);
                let Some(next) = next else { break };
                assert!(page.contains(&next), "{next}");
                from = next.strip_prefix("aa://x?from=").unwrap().parse().unwrap();
            }
            assert_eq!(all, long);
        }
    }
}
