//! `now()`: a moment in UTC that templates can take apart and print.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike, Utc};
use minijinja::value::{Object, ObjectRepr, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::failure::fail;

/// The function `now`, which always gives the same moment.
#[derive(Debug)]
pub(super) struct Clock(pub(super) DateTime<Utc>);

/// What `now()` gives.
#[derive(Debug)]
pub(super) struct Moment(DateTime<Utc>);

/// The moment that many milliseconds after 1970, or the nearest there is.
pub(super) fn moment_at(unix_ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(unix_ms).unwrap_or(if unix_ms < 0 {
        DateTime::<Utc>::MIN_UTC
    } else {
        DateTime::<Utc>::MAX_UTC
    })
}

/// The day of a moment, as `2026-01-31`.
pub(super) fn day(moment: DateTime<Utc>) -> String {
    moment.date_naive().to_string()
}

/// The moment that a text means; without an offset, in UTC.
pub(super) fn moment(text: &str) -> Result<Value, Error> {
    let zoned = DateTime::parse_from_rfc3339(text).map(|moment| moment.with_timezone(&Utc)).ok();
    let plain = || {
        let forms = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
        let moments = forms.iter().filter_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
        let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|day| day.and_time(NaiveTime::MIN));
        moments.into_iter().next().or_else(day).map(|moment| moment.and_utc())
    };
    let known = zoned.or_else(plain).map(|moment| Value::from_object(Moment(moment)));
    known.ok_or_else(|| fail("that is not a moment; write it like `2026-01-31T09:00:00Z`"))
}

impl Moment {
    fn iso(&self) -> String {
        // Like Python: all digits of a fraction, or none.
        let pattern = if self.0.timestamp_subsec_micros() == 0 { "" } else { "%.6f" };
        self.0.format(&format!("%Y-%m-%dT%H:%M:%S{pattern}+00:00")).to_string()
    }

    /// A duration later, or earlier: text such as `1h 30m`, or a number of seconds.
    fn shifted(&self, duration: &Value, back: bool) -> Result<Self, Error> {
        let milliseconds = crate::duration::parse_ms(&duration.to_string()).map_err(fail)?;
        let delta = i64::try_from(milliseconds).ok().and_then(TimeDelta::try_milliseconds);
        let shift =
            |delta| if back { self.0.checked_sub_signed(delta) } else { self.0.checked_add_signed(delta) };
        delta.and_then(shift).map(Self).ok_or_else(|| fail("that is no time that can be told"))
    }

    /// A format from a template may hold directives that chrono refuses.
    fn strftime(&self, pattern: &str) -> Result<String, Error> {
        let mut text = String::new();
        fmt::write(&mut text, format_args!("{}", self.0.format(pattern)))
            .map_err(|_| fail("that is not a date format; write it like `%Y-%m-%d %H:%M`"))?;
        Ok(text)
    }
}

impl Object for Clock {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let () = from_args(args)?;
        Ok(Value::from_object(Moment(self.0)))
    }
}

impl Object for Moment {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let part = match key.as_str()? {
            "year" => i64::from(self.0.year()),
            "month" => i64::from(self.0.month()),
            "day" => i64::from(self.0.day()),
            "hour" => i64::from(self.0.hour()),
            "minute" => i64::from(self.0.minute()),
            "second" => i64::from(self.0.second()),
            _ => return None,
        };
        Some(Value::from(part))
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        if let "plus" | "minus" = method {
            let (duration,): (Value,) = from_args(args)?;
            return self.shifted(&duration, method == "minus").map(Value::from_object);
        }
        if method == "strftime" {
            let (pattern,): (&str,) = from_args(args)?;
            return self.strftime(pattern).map(Value::from);
        }
        let () = from_args(args)?;
        match method {
            "isoformat" => Ok(Value::from(self.iso())),
            "date" => Ok(Value::from(day(self.0))),
            "timestamp" => Ok(Value::from(self.0.timestamp())),
            // Like Python: Monday is 0.
            "weekday" => Ok(Value::from(self.0.weekday().num_days_from_monday())),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iso())
    }
}
