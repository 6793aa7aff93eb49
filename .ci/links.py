"""Check that every link within a built site leads to a page and an anchor of it, and every image to a file."""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What leads to the top of any page, by the HTML standard.
TOP = {"", "top"}


class Page(HTMLParser):
    """Links and anchors of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set(TOP)
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Collect what a tag refers to and what it can be referred to by."""
        for name, value in attributes:
            if name == "id" and value:
                self.anchors.add(value)
            elif name in ("href", "src") and value:
                self.links.append(value)


def main(site: Path) -> int:
    """Print every dead link; 1 if there is one, else 0."""
    pages = {path.resolve(): Page(path) for path in site.rglob("*.html")}
    dead, n_links = [], 0
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            n_links += 1
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            if not target.exists() or (target in pages and anchor not in pages[target].anchors):
                dead.append(f"{path.relative_to(site.resolve())}: {link}")
    print("\n".join(sorted(set(dead))) if dead else f"{n_links} links within {len(pages)} pages lead somewhere")
    return int(bool(dead) or not n_links)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
