//! Durations as people write them: `500ms`, `10s`, `1h 30m`, or a number of seconds.

/// Milliseconds of a duration text.
///
/// # Errors
/// A message that names what is wrong and shows the right form.
pub fn parse_ms(text: &str) -> Result<u64, String> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return seconds.checked_mul(1000).ok_or_else(|| "the duration is too long".to_owned());
    }
    let duration = humantime::parse_duration(text)
        .map_err(|_| format!("`{text}` is not a duration; write it like `30s`, `5m` or `1h 30m`"))?;
    u64::try_from(duration.as_millis()).map_err(|_| "the duration is too long".to_owned())
}
