def _merge(left, right):
    if isinstance(left, dict) and isinstance(right, dict):
        return {**left, **right}
    return left | right
def _merge_into(left, right):
    if isinstance(left, dict):
        left.update(right)
        return left
    left |= right
    return left
