//! Names with holes: `*.log`, `src/**/*.rs`, `report-202?.{csv,txt}`.

use regex::Regex;

use crate::tool::ToolError;
use crate::tool::native::invalid;

/// A glob. Without a `/` it is held against names, with one against paths.
pub(in crate::tool) struct Glob {
    regex: Regex,
    whole_path: bool,
}

impl Glob {
    /// Reads a glob: `*` and `?` stand for anything but `/`, `**` for any folders,
    /// `[a-z]` for one of these characters, `{a,b}` for one of these texts.
    pub(in crate::tool) fn new(pattern: &str) -> Result<Self, ToolError> {
        let wrong =
            || invalid(format!("`{pattern}` is not a pattern; write it like `*.log` or `src/**/*.rs`"));
        let regex = translate(pattern).ok_or_else(wrong)?;
        let regex = Regex::new(&regex).map_err(|_| wrong())?;
        Ok(Self { regex, whole_path: pattern.contains('/') })
    }

    /// Whether it fits a file, given its name and its path below the folder that is searched.
    pub(in crate::tool) fn fits(&self, name: &str, path: &str) -> bool {
        self.regex.is_match(if self.whole_path { path } else { name })
    }
}

fn translate(pattern: &str) -> Option<String> {
    let mut regex = String::from("^(?s:");
    let mut chars = pattern.chars().peekable();
    let mut choices = 0;
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.next_if_eq(&'*').is_some() => match chars.next_if_eq(&'/') {
                Some(_) => regex.push_str("(?:[^/]+/)*"),
                None => regex.push_str(".*"),
            },
            '*' => regex.push_str("[^/]*"),
            '?' => regex.push_str("[^/]"),
            '[' => {
                let set: String = chars.by_ref().take_while(|c| *c != ']').collect();
                let (not, set) = match set.strip_prefix(['!', '^']) {
                    Some(set) => ("^/", set),
                    None => ("", set.as_str()),
                };
                if set.is_empty() {
                    return None;
                }
                regex.extend(["[", not]);
                regex.extend(set.chars().flat_map(|c| {
                    matches!(c, '\\' | '[' | '&' | '~').then_some('\\').into_iter().chain([c])
                }));
                regex.push(']');
            }
            '{' => {
                choices += 1;
                regex.push_str("(?:");
            }
            '}' if choices > 0 => {
                choices -= 1;
                regex.push(')');
            }
            ',' if choices > 0 => regex.push('|'),
            c => regex.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    regex.push_str(")$");
    (choices == 0).then_some(regex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_fit_names_or_paths() {
        let cases = [
            ("*.log", "a.log", true),
            ("*.log", "deep/a.log", true),
            ("*.log", "a.logs", false),
            ("src/*.rs", "src/a.rs", true),
            ("src/*.rs", "src/b/a.rs", false),
            ("src/**/*.rs", "src/a.rs", true),
            ("src/**/*.rs", "src/b/c/a.rs", true),
            ("**/a.rs", "x/y/a.rs", true),
            ("src/**", "src/b/c", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[!a-c]x", "dx", true),
            ("x.{csv,txt}", "x.txt", true),
            ("x.{csv,txt}", "x.rs", false),
            ("a+(b)", "a+(b)", true),
            ("", "", true),
        ];
        for (pattern, path, fits) in cases {
            let name = path.rsplit('/').next().unwrap();
            assert_eq!(Glob::new(pattern).unwrap().fits(name, path), fits, "{pattern} {path}");
        }
        for wrong in ["{a,b", "[]", "["] {
            assert!(Glob::new(wrong).is_err(), "{wrong}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_pattern_is_read_or_refused(pattern in ".{0,40}", path in ".{0,40}") {
            if let Ok(glob) = Glob::new(&pattern) {
                glob.fits(&path, &path);
            }
        }
    }
}
