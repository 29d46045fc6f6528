//! JSON that others have written, read without loss.

mod once;

use std::borrow::Cow;
use std::ops::Range;

use serde::de::{DeserializeOwned, Error as _};
use serde_json::Value;

use self::once::Once;

/// Digits that every integer of 64 bits can have.
const SHORT: usize = 18;

/// The value of a text. An integer that is too great for 64 bits is kept as text: as a number it would silently be
/// another one, and a number of an account that is nearly right is wrong.
///
/// # Errors
/// It is no JSON.
pub fn read(text: &[u8]) -> serde_json::Result<Value> {
    // What is wrong is told by its place in the text as it was written.
    serde_json::from_slice(&kept(text)).or_else(|_| serde_json::from_slice(text))
}

/// The value of a text that somebody gives, who can be asked to write it otherwise.
///
/// # Errors
/// It is no JSON, does not fit the type, has a key twice in one mapping, or an integer that is too great for 64 bits;
/// with its place.
pub fn exact<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    // First, because a type that does not look into a mapping finds nothing in it.
    refuse_twice(text)?;
    let value = serde_json::from_slice(text)?;
    refuse_great(text)?;
    Ok(value)
}

/// Refuses the first key that is given twice.
///
/// # Errors
/// There is one, or it is no JSON; with its place.
fn refuse_twice(text: &[u8]) -> serde_json::Result<()> {
    serde_json::from_slice::<Once>(text).map(drop)
}

/// Refuses the first integer in a text that is too great for 64 bits.
///
/// # Errors
/// There is one; with its place.
pub fn refuse_great(text: &[u8]) -> serde_json::Result<()> {
    let Some(token) = tokens(text).find(|token| is_too_great(&text[token.clone()])) else { return Ok(()) };
    let before = &text[..token.start];
    let line = 1 + before.split(|byte| *byte == b'\n').skip(1).count();
    let column = 1 + before.iter().rev().take_while(|byte| **byte != b'\n').count();
    let digits = String::from_utf8_lossy(&text[token]);
    // The library reads line and column out of this, as of its own messages.
    Err(serde_json::Error::custom(format!(
        "the integer `{digits}` has more than 64 bits and would lose digits; put it in quotes at line {line} column {column}"
    )))
}

/// The value with numbers, as near as they can be, for integers that are kept as text; nothing when there are none.
pub fn numbers(value: &Value) -> Option<Value> {
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
pub fn kept(text: &[u8]) -> Cow<'_, [u8]> {
    let (mut kept, mut copied) = (Vec::new(), 0);
    for token in tokens(text).filter(|token| is_too_great(&text[token.clone()])) {
        kept.extend_from_slice(&text[copied..token.start]);
        kept.extend([b"\"", &text[token.clone()], b"\""].concat());
        copied = token.end;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    kept.extend_from_slice(&text[copied..]);
    Cow::Owned(kept)
}

/// Strings and numbers as wholes, and each other byte.
fn tokens(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at;
        at += match text.get(start)? {
            b'"' => string(&text[start..]),
            b'-' | b'0'..=b'9' => number(&text[start..]),
            _ => 1,
        };
        Some(start..at)
    })
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
    fn integers_that_are_too_great_are_refused_with_their_place() {
        let error = exact::<Value>(b"{\"a\": 1,\n \"b\": [18446744073709551616]}").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the integer `18446744073709551616` has more than 64 bits and would lose digits; put it in quotes at line 2 column 8"
        );
        assert_eq!((error.line(), error.column()), (2, 8));
        let text = br#"{"a": [18446744073709551615, -9223372036854775808, 1e30, "18446744073709551616"]}"#;
        assert_eq!(exact::<Value>(text).unwrap(), serde_json::from_slice::<Value>(text).unwrap());
        let no_json = exact::<Value>(b"[18446744073709551616, x]").unwrap_err().to_string();
        assert_eq!(no_json, "expected value at line 1 column 24");
    }

    #[test]
    fn keys_that_come_twice_are_refused_with_their_place() {
        for (text, place) in
            [("{\"a\": 1,\n \"a\": 2}", (2, 8)), ("[{\"b\": {\"c\": 1, \"c\": 1}}]", (1, 23))]
        {
            let error = exact::<Value>(text.as_bytes()).unwrap_err();
            assert!(error.is_data() && error.to_string().contains("` is given twice at line "), "{error}");
            assert_eq!((error.line(), error.column()), place, "{error}");
            assert!(exact::<serde::de::IgnoredAny>(text.as_bytes()).is_err());
        }
        assert_eq!(exact::<Value>(br#"{"a": {"a": 1}, "b": [{"a": 1}, {"a": 2}]}"#).unwrap()["a"]["a"], 1);
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
