# Installing what tests need, each once: for `source`, with $here set to a folder below tests/.
root="$(cd "$here/../.." && pwd)"
into="${CARGO_TARGET_DIR:-$root/target}/tools"

# Runs a command unless it has run before with the same input.
once() {
    local name="$1" input="$2" stamp="$into/$1.stamp"
    shift 2
    if [ -f "$stamp" ] && cmp -s "$input" "$stamp"; then
        return
    fi
    rm -rf "$stamp" "${into:?}/$name"
    mkdir -p "$into/$name"
    "$@" "$into/$name" "$input"
    cp "$input" "$stamp"
}

from_npm() {
    cp "$2" "$1/package.json"
    npm install --prefix "$1" --no-audit --no-fund --no-update-notifier --loglevel=error
}

from_pypi() {
    python3 -m venv "$1"
    "$1/bin/pip" install --quiet --disable-pip-version-check --requirement "$2"
}

mkdir -p "$into"
