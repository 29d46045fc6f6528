_TEXT_METHODS = ("lower", "upper", "strip", "split", "join", "replace", "startswith", "endswith", "encode", "format", "splitlines", "title")
_DICT_METHODS = ("get", "items", "keys", "values", "pop", "update", "setdefault", "copy", "clear")
_LIST_METHODS = ("append", "extend", "insert", "pop", "sort", "reverse", "index", "count", "copy", "clear", "remove")
def _has(value, name):
    if isinstance(value, dict):
        return name in value or name in _DICT_METHODS
    if isinstance(value, str):
        return name in _TEXT_METHODS
    if isinstance(value, list):
        return name in _LIST_METHODS
    return hasattr(value, name)
def _attr(value, name):
    if isinstance(value, dict) and name in value:
        return value[name]
    if name == "kind" and isinstance(value, RuntimeError):
        return str(value).split(":")[0]
    return getattr(value, name)
def _attr_or_none(value, name):
    if isinstance(value, dict):
        return value.get(name)
    return getattr(value, name, None)
def _getattr(value, name, *default):
    if isinstance(value, dict) and name in value:
        return value[name]
    return getattr(value, name, *default)
def _hasattr(value, name):
    return _has(value, name)
