import re as _re
def _re_sub(pattern, repl, string, count=0, flags=0):
    compiled = _re.compile(pattern, flags) if isinstance(pattern, str) else pattern
    if isinstance(repl, str):
        return compiled.sub(repl, string, count)
    parts = []
    end = 0
    done = 0
    for found in compiled.finditer(string):
        if count and done == count:
            break
        parts.append(string[end:found.start()])
        parts.append(repl(found))
        end = found.end()
        done += 1
    parts.append(string[end:])
    return "".join(parts)
