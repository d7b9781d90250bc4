"""Strings that people with bad or no intentions type: one list for every door, so that no place forgets one."""

from __future__ import annotations

HOSTILE = {
    "command": "$(id) `id` ${HOME} $HOME; rm -rf / && echo",
    "commas": 'a,b,"c",ro,src=/etc,dst=/',
    "quotes": 'it\'s "quoted" \\" \\\' \\\\',
    "lines": "one\ntwo\r\n\tthree\r\r\n\r",
    "colon": ":",
    "percent": "%j %t %% %n",
    "braces": "{0} {x} {{",
    "korean": "설계 최적화 가나다 🙂",
    "right to left": "שלום عالم 12",
    "turned around": "\u202egpj.exe\u202c",
    "path": "../../etc/passwd",
    "terminal": "\x1b[31m\x9b31m\x1b]0;title\x07",
    "empty": "",
    "spaces": "  two  spaces  ",
    "options": "--het-group=1",
    "end of text": "'''\"\"\")\nJOB = 1\n#",
    "long": "가$(" * 6500,
    "controls": "".join(chr(code) for code in range(1, 32)) + "\x7f\u2028",
}
"""Name -> text. All of it may stand in a value of a spec and arrives as it was typed."""

NUL = "a\0b"
TOO_LONG = "x" * (64 * 1024)
LONE_SURROGATE = "\ud800"
"""Text that no value of a spec may have: refused with its place."""

NOT_IDS = ["../x", "a/b", "/etc", "..", ".", "", "-x", "a b", "a\nb", "한국어", "$(id)", ":", "\u202ex", "x" * 65, NUL]
"""Text that is no id of an App, Task or component."""

NOT_NAMES = ["", " ", "two\nlines", "\x1b[31m", "\x9b31m", "\u202egpj.exe", "a\u2066b", "a\u2028b", "x" * 129, NUL]
"""Text that no name may have: it would write over other text where it is shown."""
