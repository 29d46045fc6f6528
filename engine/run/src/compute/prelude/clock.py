from datetime import datetime as _datetime, timedelta as _timedelta, timezone as _timezone
def _utcnow():
    return _datetime.now(_timezone.utc).replace(tzinfo=None)
def _fromtimestamp(seconds, tz=None):
    at = _datetime(1970, 1, 1) + _timedelta(seconds=int(seconds // 1), microseconds=round(seconds % 1 * 1000000))
    if tz is None:
        return at
    return (at + tz.utcoffset(None)).replace(tzinfo=tz)
