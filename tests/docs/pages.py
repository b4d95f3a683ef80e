"""The pages: the repository's own and the site's, and the code in them."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
}
_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)


def blocks(text, *languages):
    """The code blocks of a page in these languages, in order, each as its language and its text."""
    return [(found[2], found[3]) for found in _BLOCK.finditer(text) if found[2] in languages]


def prose(text):
    """A page without its code."""
    return re.sub(r"`[^`\n]*`", "", _BLOCK.sub("", text))


def lines(block):
    """The commands of a shell block, each as its words; variables that are set before one are left out."""
    for line in block.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
            words = words[1:]
        if words:
            yield words


def commands():
    """All commands of all pages: the page and the words."""
    of_shells = [(page, block) for page, text in PAGES.items() for _, block in blocks(text, "bash")]
    return [(page, words) for page, block in of_shells for words in lines(block)]
