def _percent(left, right):
    if not isinstance(left, str):
        return left % right
    named = isinstance(right, dict)
    values = list(right) if isinstance(right, tuple) else [right]
    used = 0
    parts = []
    at = 0
    while True:
        found = left.find("%", at)
        if found < 0:
            parts.append(left[at:])
            break
        parts.append(left[at:found])
        at = found + 1
        value = None
        keyed = False
        if at < len(left) and left[at] == "(":
            close = left.find(")", at)
            if close < 0:
                raise ValueError("incomplete format key")
            if not named:
                raise TypeError("format requires a mapping")
            value = right[left[at + 1:close]]
            keyed = True
            at = close + 1
        flags = ""
        while at < len(left) and left[at] in "-+ #0":
            flags += left[at]
            at += 1
        width = ""
        while at < len(left) and left[at] in "0123456789*":
            if left[at] == "*":
                width += str(values[used])
                used += 1
            else:
                width += left[at]
            at += 1
        precision = ""
        if at < len(left) and left[at] == ".":
            at += 1
            precision = "."
            while at < len(left) and left[at] in "0123456789*":
                if left[at] == "*":
                    precision += str(values[used])
                    used += 1
                else:
                    precision += left[at]
                at += 1
            if precision == ".":
                precision = ".0"
        if at >= len(left):
            raise ValueError("incomplete format")
        kind = left[at]
        at += 1
        if kind == "%":
            parts.append("%")
            continue
        if not keyed:
            if used >= len(values):
                raise TypeError("not enough arguments for format string")
            value = values[used]
            used += 1
        parts.append(_percent_one(kind, flags, width, precision, value))
    if used < len(values) and not named:
        raise TypeError("not all arguments converted during string formatting")
    return "".join(parts)
def _percent_one(kind, flags, width, precision, value):
    align = "<" if "-" in flags else ">"
    if kind in "sra":
        text = str(value) if kind == "s" else repr(value)
        if precision:
            text = text[:int(precision[1:])]
        return f"{text:{align}{width}}" if width else text
    if kind == "c":
        text = value if isinstance(value, str) else chr(value)
        return f"{text:{align}{width}}" if width else text
    if isinstance(value, str) or value is None or isinstance(value, (list, dict)):
        raise TypeError(f"%{kind} format: a real number is required, not {type(value).__name__}")
    sign = "+" if "+" in flags else " " if " " in flags else ""
    fill = "0" if "0" in flags and "-" not in flags else ""
    if kind in "diu":
        number = int(value)
        digits = str(abs(number)).rjust(int(precision[1:]) if precision else 0, "0")
    elif kind in "xXo":
        number = value
        digits = f"{abs(value):{kind}}"
        if "#" in flags:
            digits = "0" + kind + digits
    elif kind in "eEfFgG":
        number = float(value)
        digits = f"{abs(number):{precision}{kind}}"
        if str(number)[0] == "-":
            number = -1
    else:
        raise ValueError(f"unsupported format character '{kind}'")
    sign = "-" if number < 0 else sign
    size = int(width) if width else 0
    if fill:
        return sign + digits.rjust(size - len(sign), "0")
    text = sign + digits
    return text.ljust(size) if align == "<" else text.rjust(size)
