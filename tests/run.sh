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
$python -m pytest "$@"
if [ "$#" = 0 ]; then
    echo "Once more on PostgreSQL: what talks to the database"
    NORTH_TEST_POSTGRES=1 $python -m pytest tests/workspaces tests/documents tests/threads tests/usage tests/cards tests/api tests/administration \
        -m "not browser and not model and not whole" -q
fi
