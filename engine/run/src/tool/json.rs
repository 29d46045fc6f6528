//! JSON that others have written, read without loss.

use std::borrow::Cow;

use serde_json::Value;

/// Digits that every integer of 64 bits can have.
const SHORT: usize = 18;

/// The value of a text. An integer that is too great for 64 bits is kept as text: as a number it would silently be
/// another one, and a number of an account that is nearly right is wrong.
///
/// # Errors
/// It is no JSON.
pub(super) fn read(text: &[u8]) -> serde_json::Result<Value> {
    // What is wrong is told by its place in the text as it was written.
    serde_json::from_slice(&kept(text)).or_else(|_| serde_json::from_slice(text))
}

/// The value with numbers, as near as they can be, for integers that are kept as text; nothing when there are none.
pub(super) fn numbers(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) if is_too_great(text.as_bytes()) => Some(text.parse::<f64>().ok()?.into()),
        Value::Array(items) => {
            let changed: Vec<_> = items.iter().map(numbers).collect();
            let is_changed = changed.iter().any(Option::is_some);
            let all = changed.into_iter().zip(items).map(|(new, old)| new.unwrap_or_else(|| old.clone()));
            is_changed.then(|| all.collect())
        }
        Value::Object(entries) => {
            let changed: Vec<_> = entries.values().map(numbers).collect();
            let is_changed = changed.iter().any(Option::is_some);
            let all = entries.iter().zip(changed);
            let all = all.map(|((name, old), new)| (name.clone(), new.unwrap_or_else(|| old.clone())));
            is_changed.then(|| Value::Object(all.collect()))
        }
        _ => None,
    }
}

/// The text with quotes around integers that are too great.
pub(super) fn kept(text: &[u8]) -> Cow<'_, [u8]> {
    let (mut kept, mut copied, mut at) = (Vec::new(), 0, 0);
    while at < text.len() {
        let len = match text[at] {
            b'"' => string(&text[at..]),
            b'-' | b'0'..=b'9' => number(&text[at..]),
            _ => 1,
        };
        if is_too_great(&text[at..at + len]) {
            kept.extend_from_slice(&text[copied..at]);
            kept.extend([b"\"", &text[at..at + len], b"\""].concat());
            copied = at + len;
        }
        at += len;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    kept.extend_from_slice(&text[copied..]);
    Cow::Owned(kept)
}

/// The length of the string that begins there.
fn string(text: &[u8]) -> usize {
    let mut at = 1;
    while at < text.len() {
        match text[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// The length of the number that begins there.
fn number(text: &[u8]) -> usize {
    let goes_on = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    text.iter().position(|byte| !goes_on(byte)).unwrap_or(text.len())
}

fn is_too_great(token: &[u8]) -> bool {
    let digits = token.strip_prefix(b"-").unwrap_or(token);
    if digits.len() <= SHORT || digits[0] == b'0' || !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let text = std::str::from_utf8(token).unwrap_or_default();
    text.parse::<i64>().is_err() && text.parse::<u64>().is_err()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn integers_of_any_size_are_kept() {
        let text = br#"{"a": 18446744073709551615, "b": 18446744073709551616, "c": [-9223372036854775808, -9223372036854775809]}"#;
        let expected = json!({
            "a": u64::MAX, "b": "18446744073709551616", "c": [i64::MIN, "-9223372036854775809"],
        });
        assert_eq!(read(text).unwrap(), expected);
        assert_eq!(read(b"123456789012345678901234567890").unwrap(), json!("123456789012345678901234567890"));
    }

    #[test]
    fn all_else_is_as_it_was() {
        for text in [
            r#"{"123456789012345678901": "a \" 123456789012345678901", "b\\": 1}"#,
            "[1234567890123456789012.5, 1e30, 123456789012345678901E2, 0]",
            "\"123456789012345678901",
        ] {
            assert!(matches!(kept(text.as_bytes()), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_told_by_its_place() {
        for text in ["[123456789012345678901, x]", "0123456789012345678901", "123456789012345678901x"] {
            let expected = serde_json::from_str::<Value>(text).unwrap_err().to_string();
            assert_eq!(read(text.as_bytes()).unwrap_err().to_string(), expected);
        }
    }
}
