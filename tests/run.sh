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
if ! command -v tesseract >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing text recognition for the tests that read pictures ..."
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends tesseract-ocr tesseract-ocr-deu >/dev/null
fi
if ! command -v dovecot >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Dovecot for the tests of mailboxes ..."
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends dovecot-imapd >/dev/null
fi
$python manage.py models pull
$python manage.py models pull all-minilm-l6-v2-int8
if [ "$#" != 0 ]; then
    exec $python -m pytest "$@"
fi

upper="tests/workspaces tests/documents tests/threads tests/usage tests/cards tests/api tests/administration"
lower=$(ls -d tests/*/ tests/test_*.py | grep -vxF "$(printf '%s/\n' $upper tests/whole)")
doors() { $python -m pytest -o cache_dir=.pytest_cache/doors $upper "$@"; }
floors() { $python -m pytest -o cache_dir=.pytest_cache/floors $lower "$@"; }
whole() { $python -m pytest -o cache_dir=.pytest_cache/whole tests/whole "$@"; }
postgres() {
    NORTH_TEST_POSTGRES=1 NORTH_WORLDS=100 $python -m pytest -q -m "not browser and not model" \
        --ignore tests/api/test_clients.py --ignore tests/api/test_examples.py --ignore tests/api/test_fuzzing.py \
        --ignore-glob "tests/api/test_dialect_*.py" --ignore tests/api/test_wire.py "$@"
}
rows() { postgres -o cache_dir=.pytest_cache/rows tests/documents tests/workspaces "$@"; }
runs() { postgres -o cache_dir=.pytest_cache/runs tests/threads tests/usage tests/cards tests/api tests/administration "$@"; }

said=$(mktemp -d)
trap 'rm -rf "$said"' EXIT
tried() { for lane; do $lane || echo "$?" >"$said/$lane.failed"; done; }
echo "Three lanes at once: what talks to people and programs, told as it goes; the floors below; whole installations. Then some of it on PostgreSQL"
tried floors >"$said/floors" 2>&1 &
tried whole runs >"$said/whole" 2>&1 &
tried doors rows
wait
cat "$said/floors" "$said/whole"

# Three lanes crowd two cores. What failed may try once more by itself: what fails twice has failed, what passes then is named to be mended.
for lane in doors floors whole rows runs; do
    [ -e "$said/$lane.failed" ] || continue
    [ "$(cat "$said/$lane.failed")" = 1 ] || exit 1
    echo "FAILED ONCE in the lane '$lane', now by itself:"
    $lane --last-failed --last-failed-no-failures none --maxfail 1 || exit 1
    echo "PASSED ONLY THE SECOND TIME: each test named above is to be mended."
done
