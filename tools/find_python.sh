#!/bin/sh
# Print the interpreter to make .venv with. Usage: find_python.sh [PYTHON]
# Order: PYTHON if given, the one that an existing .venv was made with, python3.11 (the one with a
# wheel for everything), python3.12, python3. On failure: one sentence per candidate, exit status 1.

usable='
import os, sys, sysconfig
version = "%d.%d" % sys.version_info[:2]
if not (3, 11) <= sys.version_info[:2] <= (3, 12):
    sys.exit("is Python %s; 3.11 or 3.12 is needed (sudo apt-get install python3.11)" % version)
try:
    import ensurepip, venv
except ImportError:
    sys.exit("has no venv module; install it (sudo apt-get install python%s-venv)" % version)
if not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")):
    sys.exit("has no C headers; install them (sudo apt-get install python%s-dev)" % version)
'

root=$(cd "$(dirname "$0")/.." && pwd)
candidates=${1:-python3.11 python3.12 python3}
if [ -z "$1" ] && [ -x "$root/.venv/bin/python" ]; then
    # -S: without the packages of the environment, which may be half installed.
    made_with=$("$root/.venv/bin/python" -S -c 'import sys; print(sys._base_executable)' 2>/dev/null)
    candidates="$made_with $candidates"
fi

reasons=
for candidate in $candidates; do
    if ! command -v "$candidate" >/dev/null 2>&1; then
        reason="is not installed (sudo apt-get install python3.11 python3.11-venv python3.11-dev)"
    elif reason=$("$candidate" -c "$usable" 2>&1); then
        command -v "$candidate"
        exit 0
    fi
    reasons="$reasons
  $candidate $(printf '%s' "$reason" | tail -n 1)"
done
echo "setup: no usable Python found:$reasons" >&2
exit 1
