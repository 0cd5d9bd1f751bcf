#!/bin/sh
# The whole suite on a bare machine: what it needs is installed here, each thing said.
set -eu
cd "$(dirname "$0")/.."
python=.venv/bin/python
if ! command -v chromium >/dev/null && ! command -v google-chrome >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing Chromium for the browser tests ..."
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
    else
        echo "The browser tests need Chromium: apt-get install chromium (as root)"; exit 1
    fi
fi
$python manage.py models pull
if [ "$#" != 0 ]; then
    exec $python -m pytest "$@"
fi
said=$(mktemp)
trap 'rm -f "$said"' EXIT
echo "Beside the rest, and told after it: whole installations, then once more on PostgreSQL what talks to the database"
{
    whole=0
    $python -m pytest -m whole || whole=$?
    NORTH_TEST_POSTGRES=1 NORTH_WORLDS=100 $python -m pytest -q -m "not browser and not model and not whole" \
        tests/workspaces tests/documents tests/threads tests/usage tests/cards tests/api tests/administration
    [ "$whole" = 0 ]
} >"$said" 2>&1 &
beside=$!
failed=0
$python -m pytest -m "not whole" || failed=1
wait "$beside" || failed=1
cat "$said"
exit "$failed"
