def _bound(**thunks):
    names = []
    for name, thunk in thunks.items():
        try:
            thunk()
            names.append(name)
        except NameError:
            pass
    return names
def _first(*thunks):
    for thunk in thunks:
        try:
            return thunk()
        except NameError:
            pass
    return None
