//! Bytes that are written in base64 or in hexadecimal digits, unpacked.
//!
//! How a secret itself comes out in base64 is one of its forms. What is here is for a secret that was encoded once
//! more before that, or whose digits stand apart: `68:75:6e`, `68 75 6e`, `0x68, 0x75`, `6875 6e74`.

use std::ops::Range;

use super::SHORTEST;

/// Shorter texts cannot have a secret in base64: it takes six characters that are not shared with what is beside it.
const SHORTEST_TEXT: usize = 6;
/// So many characters of base64 are so many bytes.
const GROUP: (usize, usize) = (4, 3);
/// No more than this is between two bytes of one dump.
const WIDEST_GAP: usize = 16;
/// What is no character of base64, among its values.
const NONE: u8 = u8::MAX;
/// The six bits of each character of base64.
const SEXTETS: [u8; 256] = sextets();

/// What was unpacked.
pub(super) struct Packed {
    pub(super) bytes: Vec<u8>,
    from: Origin,
}

/// Where bytes come from. In both encodings each has a part in two characters.
enum Origin {
    /// One group of base64 after the other: where the first one is, and how many bytes of it are left out.
    Groups(usize, usize),
    /// The first digits of each.
    Digits(Vec<usize>),
}

/// All that a text may have packed.
pub(super) fn packed(text: &[u8]) -> impl Iterator<Item = Packed> {
    in_base64(text).chain(in_digits(text))
}

impl Packed {
    /// Where these bytes come from.
    pub(super) fn source(&self, range: &Range<usize>) -> Range<usize> {
        self.at(range.start)..self.at(range.end - 1) + 2
    }

    fn at(&self, index: usize) -> usize {
        match &self.from {
            Origin::Groups(start, skipped) => {
                let index = index + skipped;
                start + index / GROUP.1 * GROUP.0 + index % GROUP.1
            }
            Origin::Digits(digits) => digits[index],
        }
    }
}

/// The texts in what may be base64.
fn in_base64(text: &[u8]) -> impl Iterator<Item = Packed> {
    let is_base64 = |byte: u8| SEXTETS[usize::from(byte)] != NONE;
    let runs = runs(text, is_base64, SHORTEST_TEXT * GROUP.0 / GROUP.1);
    // What is before it may look like a part of it, so it may begin at each place of a group. Read from a wrong
    // place it gives bytes that are no text for long.
    let starts = runs.flat_map(|run| (0..GROUP.0).map(move |skipped| run.start + skipped..run.end));
    starts.flat_map(|run| texts(&decoded(&text[run.clone()]), run.start))
}

/// The longest stretches of a text with bytes of a kind, if they are long enough.
fn runs(text: &[u8], is_kind: impl Fn(u8) -> bool, shortest: usize) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    let next = move || {
        let start = from + text[from..].iter().position(|byte| is_kind(*byte))?;
        let len = text[start..].iter().position(|byte| !is_kind(*byte));
        from = len.map_or(text.len(), |len| start + len);
        Some(start..from)
    };
    std::iter::from_fn(next).filter(move |run| run.len() >= shortest)
}

fn decoded(encoded: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(encoded.len() / GROUP.0 * GROUP.1 + GROUP.1);
    let sextet = |byte: &u8| u32::from(SEXTETS[usize::from(*byte)]);
    let groups = encoded.chunks_exact(GROUP.0);
    let last = groups.remainder();
    for group in groups {
        let [_, first, second, third] =
            group.iter().fold(0, |bits, byte| bits << 6 | sextet(byte)).to_be_bytes();
        bytes.extend([first, second, third]);
    }
    if last.len() > 1 {
        let bits = last.iter().fold(0, |bits, byte| bits << 6 | sextet(byte)) << (6 * (GROUP.0 - last.len()));
        bytes.extend(&bits.to_be_bytes()[1..last.len()]);
    }
    bytes
}

/// What of decoded bytes is text; its first character is there.
fn texts(bytes: &[u8], at: usize) -> Vec<Packed> {
    let is_text = |byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~');
    let stretches = runs(bytes, is_text, SHORTEST_TEXT);
    stretches.map(|run| Packed { from: Origin::Groups(at, run.start), bytes: bytes[run].to_vec() }).collect()
}

const fn sextets() -> [u8; 256] {
    let mut sextets = [NONE; 256];
    let alphabets = [
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
    ];
    let mut value = 0;
    while value < 64 {
        sextets[alphabets[0][value as usize] as usize] = value;
        sextets[alphabets[1][value as usize] as usize] = value;
        value += 1;
    }
    sextets
}

/// The bytes of words that are only digits, as long as there is little between the words.
fn in_digits(text: &[u8]) -> impl Iterator<Item = Packed> {
    let words = runs(text, |byte| byte.is_ascii_alphanumeric(), 2);
    let mut words = words.filter_map(|word| digits_of(text, word)).peekable();
    let next = move || {
        let mut word = words.next()?;
        let mut digits: Vec<usize> = word.clone().step_by(2).collect();
        while let Some(next) = words.next_if(|next| is_gap(&text[word.end..next.start])) {
            word = next;
            digits.extend(word.clone().step_by(2));
        }
        let bytes = digits.iter().filter_map(|at| byte(&text[*at..at + 2])).collect();
        Some(Packed { bytes, from: Origin::Digits(digits) })
    };
    std::iter::from_fn(next).filter(|packed| packed.bytes.len() >= SHORTEST)
}

/// The digits of a word that is nothing but whole bytes, with or without `0x`.
fn digits_of(text: &[u8], word: Range<usize>) -> Option<Range<usize>> {
    let marked = matches!(text[word.clone()], [b'0', b'x' | b'X', ..]);
    let digits = if marked { word.start + 2..word.end } else { word };
    let is_bytes = digits.len() >= 2 && digits.len() % 2 == 0;
    (is_bytes && text[digits.clone()].iter().all(u8::is_ascii_hexdigit)).then_some(digits)
}

/// Whether this only sets bytes apart.
fn is_gap(between: &[u8]) -> bool {
    let between = between.strip_suffix(b"0x").or_else(|| between.strip_suffix(b"0X")).unwrap_or(between);
    between.len() <= WIDEST_GAP && between.iter().all(|byte| b" \t\r\n:;,.-_".contains(byte))
}

fn byte(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
