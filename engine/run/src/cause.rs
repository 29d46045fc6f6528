//! Why the system could not do something, in our words: lower case, without its number for it.

use std::fmt;

/// The system's message, to stand after a colon.
pub fn cause(error: &dyn fmt::Display) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::cause;

    #[test]
    fn a_system_error_loses_its_number() {
        let error = std::io::Error::from_raw_os_error(2);
        assert_eq!(cause(&error), "no such file or directory");
        assert_eq!(cause(&"already plain"), "already plain");
        assert_eq!(cause(&""), "");
    }
}
