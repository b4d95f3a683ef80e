"""Links between pages lead somewhere, in the repository as in the site; every page is in the site's navigation."""

import re
import unicodedata
from pathlib import Path

import pytest
import yaml
from pages import PAGES, ROOT, prose

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
# where pages lead to; a new host is looked at before it is added
HOSTS = ["doi.org", "figshare.com", "github.com", "semver.org", "www.mi.t.u-tokyo.ac.jp"]


def links(page):
    return LINK.findall(re.sub(r"\n```.*?\n```", "", PAGES[page], flags=re.DOTALL))


def anchors(text):
    """The anchors of a page's headings as repository hosts make them: words, with a hyphen for each space."""
    found: dict[str, int] = {}
    for heading in re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE), re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
        kept = "".join(c for c in plain if c in " -_" or unicodedata.category(c)[0] in "LNM")
        slug = kept.replace(" ", "-")
        found[slug] = found.get(slug, -1) + 1
        yield f"{slug}-{found[slug]}" if found[slug] else slug


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        assert target.exists(), f"{page}: {link}"
        name = target.relative_to(ROOT).as_posix()
        if anchor and not name.startswith("docs/api/"):
            assert anchor in set(anchors(PAGES[name])), f"{page}: {link}"


def test_hosts_are_known():
    found = {host for text in PAGES.values() for host in re.findall(r"https?://([^/\s)>\"']+)", text)}
    assert found <= set(HOSTS), "new hosts, to be looked at"


def navigation(part):
    if isinstance(part, str):
        yield part
    for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from navigation(each)


def test_every_page_is_in_the_navigation_once():
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    found = list(navigation(yaml.safe_load(text[text.index("\nnav:") :])["nav"]))
    written = {page.removeprefix("docs/") for page in PAGES if page.startswith("docs/")}
    of_the_root = {"readme.md", "changelog.md", "security.md", "contributing/index.md"}
    notebooks = {str(Path(path).relative_to(ROOT / "docs").with_suffix(".md")) for path in ROOT.glob("docs/**/*.ipynb")}
    assert sorted(found) == sorted(written | of_the_root | notebooks)


@pytest.mark.parametrize("page", PAGES)
def test_pictures_say_what_they_show(page):
    assert all(alt for alt in re.findall(r"!\[([^\]]*)\]", prose(PAGES[page])))
