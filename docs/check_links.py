"""Follow every internal link of a built site: `python docs/check_links.py docs/_build/html`."""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """Links that a page has, and places in it that links may name."""

    def __init__(self, text):
        super().__init__()
        self.links, self.places = [], {""}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "id" or (tag == "a" and name == "name"):
                self.places.add(value)
            elif name in ("href", "src") and value:
                self.links.append(value)


def dead_links(root):
    """(page, link) of every link to a file or a place that is not there."""
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in sorted(root.rglob("*.html"))}
    pages = {path: page for path, page in pages.items() if "_static" not in path.parts}
    dead = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            place = unquote(parts.fragment)
            if not target.exists() or (target in pages and place and place not in pages[target].places):
                dead.append((str(path.relative_to(root.resolve())), link))
    return dead, len(pages)


if __name__ == "__main__":
    dead, n_pages = dead_links(Path(sys.argv[1]))
    print(*(f"{page}: {link}" for page, link in dead), sep="\n")
    print(f"{n_pages} pages, {len(dead)} dead links")
    sys.exit(1 if dead or not n_pages else 0)
