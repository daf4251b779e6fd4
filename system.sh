#!/bin/sh
# Sees to what pip cannot install. Usage: system.sh PYTHON [tests]
# Installs Debian's packages where it may; otherwise says what is missing and what that means.
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

# A sound system without a sound card, for the tests of the live microphone.
has_sound() {
    command -v pulseaudio && command -v pactl && command -v paplay \
        && "$python" -c 'import sys, ctypes.util; sys.exit(not ctypes.util.find_library("portaudio"))' \
        && ls /usr/lib/*/alsa-lib/libasound_module_pcm_pulse.so
} >/dev/null 2>&1
has_sound && exit 0
packages="libportaudio2 pulseaudio pulseaudio-utils libasound2-plugins"
# shellcheck disable=SC2086  # they are several
if may_install; then
    install $packages >/dev/null
else
    echo "left out: tests/test_live.py, for want of $packages (Debian, Ubuntu); install them to run it" >&2
fi
