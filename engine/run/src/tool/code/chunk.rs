//! A file in pieces that can be found: some lines that belong together.

/// A piece is cut here at the latest, in lines.
const MOST: usize = 50;
/// A definition begins a new piece when the one before it is this long.
const LEAST: usize = 12;
/// Longest part of a line that is indexed, in characters.
const WIDTH: usize = 1000;

/// Words that define something that is called, and something that is made.
const FUNCTIONS: [&str; 5] = ["fn", "def", "func", "function", "sub"];
const TYPES: [&str; 8] = ["class", "struct", "enum", "trait", "interface", "type", "union", "impl"];
/// Words that may stand before them.
const BEFORE: [&str; 14] = [
    "pub",
    "async",
    "unsafe",
    "const",
    "static",
    "export",
    "default",
    "public",
    "private",
    "protected",
    "abstract",
    "final",
    "extern",
    "declare",
];

/// Languages by the ending of a file's name.
const LANGUAGES: &[(&str, &str)] = &[
    ("c", "c"),
    ("h", "c"),
    ("cc", "cpp"),
    ("cpp", "cpp"),
    ("hpp", "cpp"),
    ("cs", "csharp"),
    ("css", "css"),
    ("go", "go"),
    ("html", "html"),
    ("java", "java"),
    ("js", "javascript"),
    ("mjs", "javascript"),
    ("jsx", "javascript"),
    ("json", "json"),
    ("kt", "kotlin"),
    ("lua", "lua"),
    ("md", "markdown"),
    ("php", "php"),
    ("pl", "perl"),
    ("py", "python"),
    ("rb", "ruby"),
    ("rs", "rust"),
    ("rst", "rst"),
    ("sh", "shell"),
    ("bash", "shell"),
    ("sql", "sql"),
    ("swift", "swift"),
    ("tf", "terraform"),
    ("toml", "toml"),
    ("ts", "typescript"),
    ("tsx", "typescript"),
    ("xml", "xml"),
    ("yaml", "yaml"),
    ("yml", "yaml"),
];

/// Some lines of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Number of its first line, from 1.
    pub(super) first: usize,
    /// Number of its last line.
    pub(super) last: usize,
    /// Whether a function is defined in it.
    pub(super) function: bool,
    /// Whether a type is defined in it.
    pub(super) class: bool,
    /// What is indexed.
    pub(super) text: String,
}

/// Cuts a text into pieces.
pub(super) fn chunks(text: &str) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    let mut open: Option<Chunk> = None;
    for (index, line) in text.lines().enumerate() {
        let (function, class) = (defines(line, &FUNCTIONS), defines(line, &TYPES));
        let lines = open.as_ref().map_or(0, |chunk| chunk.last + 1 - chunk.first);
        if lines >= MOST || (lines >= LEAST && (function || class)) {
            chunks.extend(open.take());
        }
        let first = index + 1;
        let text = String::new();
        let chunk = open.get_or_insert(Chunk { first, last: first, function: false, class: false, text });
        chunk.last = first;
        chunk.function |= function;
        chunk.class |= class;
        push(line, &mut chunk.text);
    }
    chunks.extend(open);
    chunks.retain(|chunk| !chunk.text.trim().is_empty());
    chunks
}

/// What language a path is in; the ending of its name when that is not known.
pub(super) fn language(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending).to_lowercase();
    let known = LANGUAGES.iter().find(|(known, _)| *known == ending);
    known.map_or(ending, |(_, language)| (*language).to_owned())
}

fn defines(line: &str, by: &[&str]) -> bool {
    let words = line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    let mut words = words.skip_while(|word| BEFORE.contains(word) || *word == "crate");
    words.next().is_some_and(|word| by.contains(&word)) && words.next().is_some()
}

/// Adds a line, and the words of names such as `getUserName` once more by themselves.
fn push(line: &str, text: &mut String) {
    let line = line.char_indices().nth(WIDTH).map_or(line, |(end, _)| &line[..end]);
    text.push_str(line);
    let names = line.split(|c: char| !c.is_alphanumeric());
    for name in names.filter(|name| has_humps(name)) {
        text.push(' ');
        let mut before = ' ';
        for c in name.chars() {
            if c.is_uppercase() && before.is_lowercase() {
                text.push(' ');
            }
            text.push(c);
            before = c;
        }
    }
    text.push('\n');
}

fn has_humps(name: &str) -> bool {
    let mut pairs = name.chars().zip(name.chars().skip(1));
    pairs.any(|(one, next)| one.is_lowercase() && next.is_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_ends_at_a_definition_or_when_it_is_long() {
        let mut text = "use a;\n".repeat(12);
        text.push_str("pub(crate) async fn getUserName() {\n");
        text.push_str(&"  x\n".repeat(60));
        text.push_str("\n\n");
        let pieces = chunks(&text);
        let lines: Vec<_> = pieces.iter().map(|chunk| (chunk.first, chunk.last, chunk.function)).collect();
        assert_eq!(lines, [(1, 12, false), (13, 62, true), (63, 75, false)]);
        assert!(pieces[1].text.starts_with("pub(crate) async fn getUserName() { get User Name\n"));
        assert!(chunks("\n \n").is_empty());
    }

    #[test]
    fn definitions_are_known_by_their_first_word() {
        for (line, function, class) in [
            ("def run(self):", true, false),
            ("    pub const unsafe fn x()", true, false),
            ("export default class Shop {", false, true),
            ("type A = B;", false, true),
            ("let function = 1;", false, false),
            ("// fn", false, false),
            ("a_fn(x)", false, false),
        ] {
            assert_eq!((defines(line, &FUNCTIONS), defines(line, &TYPES)), (function, class), "{line}");
        }
    }

    #[test]
    fn languages_are_known_by_the_name() {
        for (path, expected) in
            [("a/b.rs", "rust"), ("x.YML", "yaml"), ("Makefile", ""), ("a.b/c", ""), ("x.zig", "zig")]
        {
            assert_eq!(language(path), expected, "{path}");
        }
    }
}
