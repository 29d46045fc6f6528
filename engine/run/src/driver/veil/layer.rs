//! A text as those read it who take the encodings off again, one layer after the other.
//!
//! Programs and services print what they were given inside JSON, URLs, forms, pages and quotes, each in its own
//! spelling: with upper-case or lower-case digits, with more or fewer characters spelled out. So it is not the
//! spellings of a secret that are listed, but the text that is read, whatever its spelling; each layer knows where
//! its bytes come from.

use std::ops::Range;

/// Encodings inside encodings are taken off this many times.
const DEPTH: usize = 5;
/// What quotes are put together of.
const QUOTING: &[u8] = b"'\"\\";
/// The longest entity of a page, with its `&` and `;`.
const ENTITY: usize = 12;

/// The names of pages for what is no letter or digit.
const NAMED: [(&str, u8); 41] = [
    ("amp", b'&'),
    ("lt", b'<'),
    ("gt", b'>'),
    ("quot", b'"'),
    ("apos", b'\''),
    ("nbsp", b' '),
    ("Tab", b'\t'),
    ("NewLine", b'\n'),
    ("excl", b'!'),
    ("num", b'#'),
    ("dollar", b'$'),
    ("percnt", b'%'),
    ("lpar", b'('),
    ("rpar", b')'),
    ("ast", b'*'),
    ("plus", b'+'),
    ("comma", b','),
    ("period", b'.'),
    ("sol", b'/'),
    ("colon", b':'),
    ("semi", b';'),
    ("equals", b'='),
    ("quest", b'?'),
    ("commat", b'@'),
    ("lsqb", b'['),
    ("lbrack", b'['),
    ("bsol", b'\\'),
    ("rsqb", b']'),
    ("rbrack", b']'),
    ("Hat", b'^'),
    ("lowbar", b'_'),
    ("UnderBar", b'_'),
    ("grave", b'`'),
    ("lcub", b'{'),
    ("lbrace", b'{'),
    ("verbar", b'|'),
    ("vert", b'|'),
    ("VerticalLine", b'|'),
    ("rcub", b'}'),
    ("rbrace", b'}'),
    ("hyphen", b'-'),
];

/// Which encodings are taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Those of URLs, forms and pages; a backslash is one.
    Web,
    /// Those of JSON, programming languages and shells, too.
    All,
}

/// A text with one layer of encodings taken off.
pub(super) struct Layer {
    pub(super) bytes: Vec<u8>,
    /// What was spelled otherwise, in its order; all between is as it was.
    pieces: Vec<Piece>,
}

/// Bytes of a layer that come from others.
struct Piece {
    at: usize,
    len: usize,
    source: Range<usize>,
}

/// The layers below a text, the outermost first: none when nothing in it is encoded.
pub(super) fn layers(text: &[u8], reading: Reading) -> Vec<Layer> {
    let mut layers: Vec<Layer> = Vec::new();
    while layers.len() < DEPTH {
        let above = layers.last().map_or(text, |layer| &layer.bytes);
        let Some(next) = Layer::below(above, reading) else { break };
        layers.push(next);
    }
    layers
}

/// A text with all encodings taken off: the same for every spelling of it.
pub(super) fn plain(text: &[u8], reading: Reading) -> Vec<u8> {
    layers(text, reading).pop().map_or_else(|| text.to_vec(), |layer| layer.bytes)
}

impl Layer {
    /// `None` when nothing is encoded. Forms spell a space as `+`, and others do not, so the two become one.
    fn below(text: &[u8], reading: Reading) -> Option<Self> {
        let is_mark = |byte: &u8| match byte {
            b'%' | b'&' | b'+' => true,
            b'\\' => reading == Reading::All,
            _ => false,
        };
        let mut mark = text.iter().position(is_mark)?;
        let mut layer = Self { bytes: Vec::with_capacity(text.len()), pieces: Vec::new() };
        let (mut from, mut changed) = (0, false);
        loop {
            let at = from + mark;
            layer.bytes.extend(&text[from..at]);
            from = at + layer.take(text, at);
            changed |= from - at > 1 || layer.bytes.last() != Some(&text[at]);
            let Some(next) = text[from..].iter().position(is_mark) else { break };
            mark = next;
        }
        layer.bytes.extend(&text[from..]);
        changed.then_some(layer)
    }

    /// Reads what begins there, and gives its length.
    fn take(&mut self, text: &[u8], at: usize) -> usize {
        let (meant, len) = spelled(&text[at..]).unwrap_or_else(|| (Meant::byte(text[at]), 1));
        let (meant, quote) = (meant.bytes(), self.quote(at));
        if meant.len() != len || quote.is_some() {
            let source = quote.unwrap_or(at)..at + len;
            self.pieces.push(Piece { at: self.bytes.len(), len: meant.len(), source });
        }
        self.bytes.extend_from_slice(meant);
        len
    }

    /// Where a backslash is that quotes what begins there: it is a part of it.
    fn quote(&mut self, at: usize) -> Option<usize> {
        let quote = self.pieces.pop_if(|piece| piece.len == 0 && piece.source.end == at)?;
        Some(quote.source.start)
    }

    /// The text without line breaks and the indentation behind them: long encoded values are broken into lines.
    pub(super) fn unbroken(text: &[u8]) -> Option<Self> {
        let mut layer = Self { bytes: Vec::new(), pieces: Vec::new() };
        let mut from = 0;
        while let Some(next) = text[from..].iter().position(|byte| b"\r\n".contains(byte)) {
            let at = from + next;
            let blank = text[at..].iter().take_while(|byte| b"\r\n\t ".contains(byte)).count();
            layer.bytes.extend(&text[from..at]);
            layer.pieces.push(Piece { at: layer.bytes.len(), len: 0, source: at..at + blank });
            from = at + blank;
        }
        layer.bytes.extend(&text[from..]);
        layer.is_changed().then_some(layer)
    }

    /// The text with one quote wherever several are, since a shell, SQL and CSV put a quote together of some: `'\''`,
    /// `'"'"'`, `''`, `""`. Backslashes among them are theirs.
    pub(super) fn one_quote(text: &[u8]) -> Self {
        let mut layer = Self { bytes: Vec::with_capacity(text.len()), pieces: Vec::new() };
        let mut from = 0;
        while let Some(next) = text[from..].iter().position(|byte| QUOTING.contains(byte)) {
            let at = from + next;
            let len = text[at..].iter().take_while(|byte| QUOTING.contains(byte)).count();
            layer.bytes.extend(&text[from..at]);
            from = at + len;
            layer.one_quote_of(&text[at..from], at);
        }
        layer.bytes.extend(&text[from..]);
        layer
    }

    fn one_quote_of(&mut self, run: &[u8], at: usize) {
        if run.iter().all(|byte| *byte == b'\\') {
            self.bytes.extend(run);
            return;
        }
        if run.len() > 1 {
            self.pieces.push(Piece { at: self.bytes.len(), len: 1, source: at..at + run.len() });
        }
        self.bytes.push(b'\'');
    }

    /// Whether anything is somewhere else than in the text that this was read from.
    pub(super) fn is_changed(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// Where these bytes come from; of a spelled character all of it.
    pub(super) fn source(&self, range: &Range<usize>) -> Range<usize> {
        let start = match self.last_piece(range.start) {
            Some(piece) if range.start < piece.at + piece.len => piece.source.start,
            piece => behind(piece, range.start),
        };
        let last = range.end.saturating_sub(1);
        let end = match self.last_piece(last) {
            Some(piece) if last < piece.at + piece.len => piece.source.end,
            piece => behind(piece, last) + 1,
        };
        start..end
    }

    fn last_piece(&self, at: usize) -> Option<&Piece> {
        self.pieces[..self.pieces.partition_point(|piece| piece.at <= at)].last()
    }
}

/// Where a byte comes from that is as it was.
fn behind(piece: Option<&Piece>, at: usize) -> usize {
    piece.map_or(at, |piece| piece.source.end + (at - piece.at - piece.len))
}

/// What an escape stands for: a character or a byte, or nothing.
#[derive(Clone, Copy, Default)]
struct Meant {
    bytes: [u8; 4],
    len: usize,
}

impl Meant {
    fn byte(byte: u8) -> Self {
        Self { bytes: [byte, 0, 0, 0], len: 1 }
    }

    fn character(character: char) -> Self {
        let mut bytes = [0; 4];
        let len = character.encode_utf8(&mut bytes).len();
        Self { bytes, len }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// What the beginning of a text spells, and how long it is.
fn spelled(text: &[u8]) -> Option<(Meant, usize)> {
    let (meant, len) = match text.first()? {
        b'+' => (Meant::byte(b' '), 1),
        b'%' => (byte(text.get(1..3)?, 16)?, 3),
        b'\\' => escaped(text).unwrap_or_else(|| quoted(text)),
        b'&' => entity(text)?,
        _ => return None,
    };
    // Whatever spells a plus is a space in one reading or the other.
    Some((if meant.bytes() == b"+" { Meant::byte(b' ') } else { meant }, len))
}

/// An escape of JSON, of a programming language or of a shell.
fn escaped(text: &[u8]) -> Option<(Meant, usize)> {
    let mark = *text.get(1)?;
    let control = |byte: u8| Some((Meant::byte(byte), 2));
    match mark {
        b'n' => control(b'\n'),
        b'r' => control(b'\r'),
        b't' => control(b'\t'),
        b'b' => control(8),
        b'f' => control(12),
        b'v' => control(11),
        b'a' => control(7),
        b'e' => control(27),
        b'x' => Some((byte(text.get(2..4)?, 16)?, 4)),
        b'u' => unicode(text),
        b'U' => Some((utf8(digits(text.get(2..10)?, 16)?)?, 10)),
        b'0'..=b'7' => Some((byte(text.get(1..4)?, 8)?, 4)),
        b'\\' => control(mark),
        _ => None,
    }
}

/// What a backslash quotes that begins no escape; nothing, where that may be spelled itself.
fn quoted(text: &[u8]) -> (Meant, usize) {
    match text.get(1) {
        Some(b'%' | b'&') | None => (Meant::default(), 1),
        Some(next) => (Meant::byte(*next), 2),
    }
}

/// `\u0026`, `\ud83d\ude00` or `\u{26}`.
fn unicode(text: &[u8]) -> Option<(Meant, usize)> {
    if text.get(2) == Some(&b'{') {
        let len = text.iter().take(ENTITY).position(|byte| *byte == b'}')?;
        return Some((utf8(digits(text.get(3..len)?, 16)?)?, len + 1));
    }
    let first = digits(text.get(2..6)?, 16)?;
    if let Some(meant) = utf8(first) {
        return Some((meant, 6));
    }
    let second = text.get(6..8).filter(|mark| mark == b"\\u").and_then(|_| digits(text.get(8..12)?, 16))?;
    let pair = [u16::try_from(first).ok()?, u16::try_from(second).ok()?];
    let meant = char::decode_utf16(pair).next()?.ok()?;
    Some((Meant::character(meant), 12))
}

/// `&amp;`, `&#38;` or `&#x26;`.
fn entity(text: &[u8]) -> Option<(Meant, usize)> {
    let end = text.iter().take(ENTITY).position(|byte| *byte == b';')?;
    let meant = match text.get(1..end)? {
        [b'#', b'x' | b'X', number @ ..] => utf8(digits(number, 16)?)?,
        [b'#', number @ ..] => utf8(digits(number, 10)?)?,
        name => Meant::byte(NAMED.iter().find(|(known, _)| known.as_bytes() == name)?.1),
    };
    Some((meant, end + 1))
}

fn digits(text: &[u8], radix: u32) -> Option<u32> {
    let text = std::str::from_utf8(text).ok()?;
    let all_digits = text.chars().all(|digit| digit.is_digit(radix));
    all_digits.then(|| u32::from_str_radix(text, radix).ok()).flatten()
}

fn byte(text: &[u8], radix: u32) -> Option<Meant> {
    Some(Meant::byte(u8::try_from(digits(text, radix)?).ok()?))
}

fn utf8(number: u32) -> Option<Meant> {
    char::from_u32(number).map(Meant::character)
}
