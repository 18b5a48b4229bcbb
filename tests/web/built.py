"""What of the pages stands in the repository: one built page, a picture of it, and README's diagram.

`python -m tests.web.built` writes the page and the diagram (`make docs`). A test compares them. With
`--picture` it takes a screenshot of the page (`make pictures`). No test compares that: fonts differ.
"""

from __future__ import annotations

import re
import sys
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import tcpsim
from tests.web.browser import browser, missing, opened

ROOT = Path(__file__).parent.parent.parent
PAGE, PICTURE, README = (
    ROOT / "docs" / "pages" / "one-rst.html",
    ROOT / "docs" / "pictures" / "page.png",
    ROOT / "README.md",
)
BEGIN, END = "<!-- ladder: make docs -->", "<!-- end of ladder -->"
_SEEN = "#server4@600090000"  # the RST is under way and will be lost
_SIZE = {"x": 0, "y": 0, "width": 1180, "height": 1060, "scale": 1}


def page() -> str:
    """The page that README links to; with four losses it is small enough to keep."""
    return tcpsim.page("one-rst-stack", losses=4).html()


def readme(text: str) -> str:
    """README with its ladder in mermaid as it is today."""
    drawn = tcpsim.run("one-rst-stack", from_="35ms").mermaid()
    block = f"{BEGIN}\n```mermaid\n{drawn}```\n{END}"
    return re.sub(f"{BEGIN}\\n.*?{END}", lambda _: block, text, flags=re.DOTALL)


def picture() -> bytes:
    """The built page in a window, in 200 colours."""
    from PIL import Image

    with browser("wide") as one:
        metrics = {
            "width": _SIZE["width"],
            "height": _SIZE["height"],
            "deviceScaleFactor": 1,
            "mobile": False,
        }
        one.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        opened(one, PAGE, _SEEN)
        taken = one.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "clip": _SIZE})
    small = BytesIO()
    Image.open(BytesIO(b64decode(taken["data"]))).convert("RGB").quantize(200).save(
        small, "png", optimize=True
    )
    return small.getvalue()


if __name__ == "__main__":
    if "--picture" in sys.argv:
        if missing():
            sys.exit(f"no picture of the page: {missing()}")
        PICTURE.write_bytes(picture())
    else:
        PAGE.write_text(page(), encoding="utf-8")
        README.write_text(readme(README.read_text(encoding="utf-8")), encoding="utf-8")
