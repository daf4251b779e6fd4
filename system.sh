#!/bin/sh
# Sees to what pip cannot install. Usage: system.sh PYTHON
# Installs Debian's package where it may; otherwise says what is missing and what that means.
set -eu
python=$1

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
    echo "$python is older than Python 3.10: name a newer one with make PYTHON=…" >&2
    exit 2
}
"$python" -c 'import ensurepip, venv' 2>/dev/null && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -y -qq python3-venv
else
    echo "$python can't make virtual environments: install python3-venv (Debian, Ubuntu) and try again" >&2
    exit 2
fi
