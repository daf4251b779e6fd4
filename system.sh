#!/bin/sh
# Checks and installs what pip cannot. Usage: system.sh PYTHON [tests]
# Installs Debian's packages where it may; otherwise prints what is missing and what that means.
set -eu
python=$1

may_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }
install() { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; }

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
    echo "$python is older than Python 3.10: name a newer one with make PYTHON=…" >&2
    exit 2
}
"$python" -c 'import ensurepip, venv' 2>/dev/null || {
    may_install || {
        echo "$python can't make virtual environments: install python3-venv (Debian, Ubuntu) and try again" >&2
        exit 2
    }
    install python3-venv
}
[ "${2:-}" = tests ] || exit 0

has_sound() { # a sound system without a sound card, for the live microphone
    command -v pulseaudio && command -v pactl && command -v paplay \
        && "$python" -c 'import sys, ctypes.util; sys.exit(not ctypes.util.find_library("portaudio"))' \
        && ls /usr/lib/*/alsa-lib/libasound_module_pcm_pulse.so
} >/dev/null 2>&1
has_strace() { command -v strace >/dev/null; }
has_browser() { command -v chromium >/dev/null; }
has_minisign() { command -v minisign >/dev/null; }

need() { # TESTS PACKAGES: install them, or print which tests are skipped without them
    if may_install; then
        # shellcheck disable=SC2086  # they are several
        install $2 >/dev/null
    else
        echo "skipped: $1, because $2 (Debian, Ubuntu) is missing; install it to run them" >&2
    fi
}
has_sound || need tests/test_live.py "libportaudio2 pulseaudio pulseaudio-utils libasound2-plugins"
has_strace || need tests/test_privacy.py strace
has_browser || need "tests/test_page.py and the browser's test in tests/test_report.py" chromium
has_minisign || need "the tests with minisign in tests/test_signature.py" minisign
