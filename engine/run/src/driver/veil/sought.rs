//! Finding secrets in texts, in whatever form they come back.

use std::collections::BTreeSet;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::SHORTEST;
use super::layer::{Layer, Reading, layers, plain};
use super::packed::packed;

/// Lines of a secret of several lines are hidden one by one from this length on.
const SHORTEST_LINE: usize = 8;
/// Shorter pieces are not looked for across line breaks: two lines of a table could be one.
const SHORTEST_BROKEN: usize = 8;
/// What is in base64 or in digits is unpacked this many times; a secret in it may be in base64 once more.
const UNPACKED: usize = 1;

/// All forms of some secrets, looked for at once.
#[derive(Debug)]
pub(super) struct Sought {
    automaton: AhoCorasick,
    forms: Vec<Form>,
    /// Whether any of them has a quote.
    quotes: bool,
}

/// How a text is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    AsItIs,
    /// Without its line breaks.
    Unbroken,
    /// With one quote in the place of several.
    OneQuote,
}

/// One form of a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Form {
    text: Vec<u8>,
    /// Which of the secrets.
    secret: usize,
    /// Whether the character before it, and that behind it, has a part of the secret.
    edges: (bool, bool),
    /// Whether it may be broken into lines.
    breaks: bool,
    /// Whether it is what is left of the secret where one quote is in the place of several.
    one_quote: bool,
}

impl Form {
    fn is_for(&self, view: View) -> bool {
        match view {
            View::AsItIs => !self.one_quote,
            View::Unbroken => self.breaks,
            View::OneQuote => self.one_quote,
        }
    }
}

/// A place at which a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) range: Range<usize>,
    pub(super) secret: usize,
}

impl Sought {
    /// # Errors
    /// A message, when they are too much to be looked for.
    pub(super) fn new<'a>(secrets: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let forms: BTreeSet<Form> =
            secrets.enumerate().flat_map(|(secret, value)| forms(secret, value)).collect();
        let forms: Vec<Form> = forms.into_iter().collect();
        // Of the kinds, the one that costs the least to make: a short run looks at a few lines only.
        let automaton = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(forms.iter().map(|form| &form.text))
            .map_err(|error| format!("it cannot be hidden: {error}"))?;
        let quotes = forms.iter().any(|form| form.one_quote);
        Ok(Self { automaton, forms, quotes })
    }

    /// Where a text has secrets, in order; hits do not overlap.
    pub(super) fn find(&self, text: &str) -> Vec<Hit> {
        joined(self.find_all(text))
    }

    /// Every place at which any secret is in any form.
    pub(super) fn find_all(&self, text: &str) -> Vec<Hit> {
        let mut hits = self.in_text(text.as_bytes(), UNPACKED);
        for hit in &mut hits {
            hit.range = text.floor_char_boundary(hit.range.start)..text.ceil_char_boundary(hit.range.end);
        }
        hits
    }

    fn in_text(&self, text: &[u8], unpacked: usize) -> Vec<Hit> {
        let mut hits = self.in_bytes(text, View::AsItIs);
        let mut read = layers(text, Reading::Web);
        hits.extend(self.in_layers(text, &read));
        // A backslash may show only when other encodings are off.
        if innermost(text, &read).contains(&b'\\') {
            read = layers(text, Reading::All);
            hits.extend(self.in_layers(text, &read));
        }
        let inner = innermost(text, &read);
        let inside = [self.in_quotes(inner), self.in_packed(inner, unpacked)].concat();
        hits.extend(lifted(inside, &read));
        hits
    }

    /// Those that are seen when encodings are taken off.
    fn in_layers(&self, text: &[u8], layers: &[Layer]) -> Vec<Hit> {
        let mut hits = Vec::new();
        for (depth, layer) in layers.iter().enumerate() {
            hits.extend(lifted(self.in_bytes(&layer.bytes, View::AsItIs), &layers[..=depth]));
        }
        if let Some(unbroken) = Layer::unbroken(innermost(text, layers)) {
            let inside = lifted(self.in_bytes(&unbroken.bytes, View::Unbroken), &[unbroken]);
            hits.extend(lifted(inside, layers));
        }
        hits
    }

    /// Those with quotes that are put together of several.
    fn in_quotes(&self, text: &[u8]) -> Vec<Hit> {
        let layer = self.quotes.then(|| Layer::one_quote(text)).filter(Layer::is_changed);
        let found = layer.map(|layer| lifted(self.in_bytes(&layer.bytes, View::OneQuote), &[layer]));
        found.unwrap_or_default()
    }

    /// Those in what is itself in base64 or in digits.
    fn in_packed(&self, text: &[u8], unpacked: usize) -> Vec<Hit> {
        let mut hits = Vec::new();
        let Some(left) = unpacked.checked_sub(1) else { return hits };
        let unbroken = Layer::unbroken(text);
        for packed in packed(unbroken.as_ref().map_or(text, |layer| &layer.bytes)) {
            let found = self.in_text(&packed.bytes, left).into_iter();
            hits.extend(found.map(|hit| Hit { range: packed.source(&hit.range), ..hit }));
        }
        lifted(hits, unbroken.as_slice())
    }

    fn in_bytes(&self, bytes: &[u8], view: View) -> Vec<Hit> {
        let mut hits = Vec::new();
        for found in self.automaton.find_overlapping_iter(bytes) {
            let form = &self.forms[found.pattern().as_usize()];
            if !form.is_for(view) {
                continue;
            }
            let before = form.edges.0 && found.start() > 0 && is_base64(bytes[found.start() - 1]);
            let behind = form.edges.1 && bytes.get(found.end()).is_some_and(|byte| is_base64(*byte));
            let range = found.start() - usize::from(before)..found.end() + usize::from(behind);
            hits.push(Hit { range, secret: form.secret });
        }
        hits
    }
}

/// The text with all encodings taken off.
fn innermost<'t>(text: &'t [u8], layers: &'t [Layer]) -> &'t [u8] {
    layers.last().map_or(text, |layer| &layer.bytes)
}

/// Hits of the last layer as hits of what the first one was read from.
fn lifted(mut hits: Vec<Hit>, layers: &[Layer]) -> Vec<Hit> {
    for layer in layers.iter().rev() {
        for hit in &mut hits {
            hit.range = layer.source(&hit.range);
        }
    }
    hits
}

/// Those that overlap as one, which has the name of the longest.
fn joined(mut hits: Vec<Hit>) -> Vec<Hit> {
    hits.sort_by_key(|hit| (hit.range.start, std::cmp::Reverse(hit.range.end)));
    let mut joined: Vec<Hit> = Vec::new();
    let mut longest = 0;
    for hit in hits {
        match joined.last_mut() {
            Some(last) if hit.range.start < last.range.end => {
                if hit.range.len() > longest {
                    (longest, last.secret) = (hit.range.len(), hit.secret);
                }
                last.range.end = last.range.end.max(hit.range.end);
            }
            _ => {
                longest = hit.range.len();
                joined.push(hit);
            }
        }
    }
    joined
}

/// The forms of a secret: whole, without white space around it and one line of it; each as it is, in base64 and in
/// hexadecimal digits. What takes its place in JSON, URLs and pages, and what is encoded twice, is found by reading these.
fn forms(secret: usize, value: &str) -> Vec<Form> {
    let whole = value.trim();
    let lines = whole.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE);
    let texts: BTreeSet<&str> = lines.chain([value, whole]).collect();
    let forms: Vec<Form> = texts.iter().flat_map(|text| forms_of(secret, text.as_bytes())).collect();
    let read = |reading| {
        let read = forms.iter().map(move |form| Form { text: plain(&form.text, reading), ..form.clone() });
        read.filter(|form| form.text.len() >= SHORTEST && !form.text.trim_ascii().is_empty())
            .collect::<Vec<Form>>()
    };
    let read = [read(Reading::Web), read(Reading::All)];
    let forms = [forms, read.concat()].concat();
    let quotes: Vec<Form> = forms.iter().filter_map(one_quote).collect();
    [forms, quotes].concat()
}

/// A form with quotes as it is looked for where they may be put together of several.
fn one_quote(form: &Form) -> Option<Form> {
    let has_quote = form.text.iter().any(|byte| b"'\"".contains(byte));
    let text = has_quote.then(|| Layer::one_quote(&form.text).bytes)?;
    (text.len() >= SHORTEST).then(|| Form { text, one_quote: true, ..form.clone() })
}

fn forms_of(secret: usize, text: &[u8]) -> Vec<Form> {
    let form = |text: Vec<u8>, edges, breaks| Form { text, secret, edges, breaks, one_quote: false };
    let mut forms = vec![form(text.to_vec(), (false, false), false)];
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
    let hex: String = text.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
    for hex in [hex.to_uppercase(), hex] {
        forms.push(form(hex.into_bytes(), (false, false), true));
    }
    for before in 0..3 {
        for url in [false, true] {
            let (inner, edges) = in_base64(text, before, url);
            let breaks = inner.len() >= SHORTEST_BROKEN;
            forms.push(form(inner, edges, breaks));
        }
    }
    forms
}

/// The characters that a text alone decides when so many bytes are before it, and whether those at its edges have a
/// part of it, too.
fn in_base64(text: &[u8], before: usize, url: bool) -> (Vec<u8>, (bool, bool)) {
    let bytes = [&[0; 2][..before], text].concat();
    let encoded = if url { URL_SAFE_NO_PAD.encode(&bytes) } else { STANDARD_NO_PAD.encode(&bytes) };
    let (from, until) = (before * 8, bytes.len() * 8);
    let inner = encoded.as_bytes()[from.div_ceil(6)..until / 6].to_vec();
    (inner, (from % 6 != 0, until % 6 != 0))
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte)
}
