"""Writes the golden file of the compiled example; look at the difference before you commit it."""

from __future__ import annotations

import json

from tests.compile.conftest import EXAMPLE, pinned
from tests.compile.test_compile_run import GOLDEN, as_document, compiled

if __name__ == "__main__":
    document = as_document(compiled(pinned(json.loads(EXAMPLE.read_text("utf-8")))))
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
