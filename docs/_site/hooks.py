"""What the site adds to MkDocs: the repository's own pages, the notebook, and the files that pages link to.

A link is written as it works in the repository (``docs/data.md`` in the README, ``../examples/unet.py`` on a
page). Here it is turned into the site's: the pages of the repository's root become pages of the site, and a
file or folder outside ``docs`` becomes a page that shows it.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import nbconvert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
ROOT_PAGES = {
    "README.md": "readme.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing/index.md",
    "SECURITY.md": "security.md",
}
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")
LANGUAGES = {".py": "python", ".toml": "toml", ".yml": "yaml"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds pages: of the root, of notebooks, and of what lies outside ``docs`` and is linked to."""
    written = {page: (ROOT / name).read_text(encoding="utf-8") for name, page in ROOT_PAGES.items()}
    for page, text in written.items():
        files.append(File.generated(config, page, content=text))
    for file in [file for file in files if file.src_uri.endswith(".ipynb")]:
        _add_notebook(file, files, config)
    for file in [file for file in files if file.is_documentation_page()]:
        for target in _targets(file.src_uri, file.content_string):
            page = _page_of(target)
            if page.startswith("code/") and page not in files.src_uris:
                files.append(File.generated(config, page, content=_shown(target)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turns the repository's links into the site's; what leads nowhere is left for MkDocs to report."""
    here = page.file.src_uri

    def site(link: re.Match[str]) -> str:
        target = _target(here, link[1])
        if target is None:
            return link[1]
        return os.path.relpath(_page_of(target), PurePosixPath(here).parent).replace(os.sep, "/")

    return LINK.sub(site, markdown)


def _origin(page: str) -> PurePosixPath:
    """Where a page of the site lies in the repository."""
    roots = {page: name for name, page in ROOT_PAGES.items()}
    return PurePosixPath(roots.get(page, f"docs/{page}"))


def _target(page: str, link: str) -> str | None:
    """The path in the repository that a page's link leads to; ``None`` where nothing is."""
    target = os.path.normpath(_origin(page).parent / link).replace(os.sep, "/")
    return target if not target.startswith("..") and (ROOT / target).exists() else None


def _targets(page: str, text: str) -> Iterator[str]:
    for link in LINK.findall(text):
        target = _target(page, link)
        if target is not None:
            yield target


def _page_of(target: str) -> str:
    """The site's path of a path in the repository."""
    if target.endswith(".ipynb"):
        target = target.removesuffix(".ipynb") + ".md"
    of_docs = target.removeprefix("docs/") if target.startswith("docs/") else f"code/{target}.md"
    return ROOT_PAGES.get(target, of_docs)


def _shown(target: str) -> str:
    """A page that shows a file, or each file of a folder."""
    path = ROOT / target
    paths = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.suffix in LANGUAGES)
    blocks = [
        f"## {each.relative_to(path).as_posix()}\n\n" * path.is_dir()
        + f"~~~~{LANGUAGES.get(each.suffix, 'text')}\n{each.read_text(encoding='utf-8')}~~~~\n"
        for each in paths
    ]
    return f"# {target}\n\n" + "\n".join(blocks)


def _add_notebook(file: File, files: Files, config: MkDocsConfig) -> None:
    """Adds a notebook's page: its cells with the outputs that are stored in it."""
    place = PurePosixPath(file.src_uri)
    pictures = f"{place.stem}_files"
    exporter = nbconvert.MarkdownExporter()
    text, resources = exporter.from_filename(
        file.abs_src_path, resources={"output_files_dir": pictures, "unique_key": "output"}
    )
    title, _, rest = text.partition("\n")
    note = f"*This page is a notebook with its outputs: [{place.name}]({place.name}).*"
    files.append(File.generated(config, str(place.with_suffix(".md")), content=f"{title}\n\n{note}\n{rest}"))
    for name, content in resources["outputs"].items():
        files.append(File.generated(config, str(place.parent / name), content=content))
