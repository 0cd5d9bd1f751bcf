"""`python converting.py kreuzberg|markitdown SECONDS`: reads paths on standard input, one a line, and says for each, one a line of JSON,
the Markdown that the library makes of it, or how it failed. Each file in a process of its own, which a signal ends after so many seconds.
Imports nothing of North: it runs in the library's own environment.
"""

import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path


def kreuzberg():
    from kreuzberg import ExtractionConfig, extract_file_sync

    config = ExtractionConfig(use_cache=False, output_format="markdown")
    return lambda path: extract_file_sync(path, config=config).content


def markitdown():
    from markitdown import MarkItDown

    converter = MarkItDown(enable_plugins=False)
    return lambda path: converter.convert_local(path).markdown


def converted(convert, path: str, seconds: int) -> dict[str, object]:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "answer")
        child = os.fork()
        if not child:
            signal.alarm(seconds)
            try:
                answer.write_text(convert(path) or "", errors="replace")
            except BaseException as error:
                answer.with_suffix(".fault").write_text(type(error).__name__)
            os._exit(0)
        _, status, used = os.wait4(child, 0)
        text = answer.read_text() if answer.exists() and not status else ""
        fault = answer.with_suffix(".fault")
        failed = fault.read_text() if fault.exists() else f"signal {status}" if status else ""
    return {"text": text, "failed": failed, "seconds": time.monotonic() - began, "megabytes": used.ru_maxrss / 1024}


if __name__ == "__main__":
    convert = {"kreuzberg": kreuzberg, "markitdown": markitdown}[sys.argv[1]]()
    for line in sys.stdin:
        print(json.dumps(converted(convert, line.rstrip("\n"), int(sys.argv[2]))), flush=True)
