"""A real browser without a window, for tests of pages: Debian's chromium, driven by selenium.

Where there is none, a test that needs it is skipped, and says why.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

WIDE, PHONE = (1280, 1400), (360, 740)


def missing() -> str:
    """Why there is no browser; nothing if there is one."""
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "selenium is not installed (the extra dev)"
    if not shutil.which("chromium") or not shutil.which("chromedriver"):
        return "no chromium or no chromedriver (Debian: apt-get install chromium chromium-driver)"
    return ""


needed = pytest.mark.skipif(bool(missing()), reason=missing() or "there is a browser")


@contextmanager
def browser(width: str = "wide", dark: bool = False, calm: bool = True) -> Iterator[Any]:
    """A browser of that width, in the dark or the light, that wants no motion if calm."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for each in (
        "headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "hide-scrollbars",
        "disable-background-networking", "disable-component-update", f"window-size={WIDE[0]},{WIDE[1]}",
    ):  # fmt: skip
        options.add_argument(f"--{each}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        seen_by(driver, width, dark, calm)
        yield driver
    finally:
        driver.quit()


def seen_by(driver: Any, width: str = "wide", dark: bool = False, calm: bool = True) -> None:
    """From now on by somebody with such a screen and such wishes."""
    features = [
        {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
        {"name": "prefers-reduced-motion", "value": "reduce" if calm else "no-preference"},
    ]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    if width == "phone":
        metrics = {"width": PHONE[0], "height": PHONE[1], "deviceScaleFactor": 2, "mobile": True}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    else:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def opened(driver: Any, path: Path, address: str = "") -> None:
    """Load a page from disk; whatever the browser had to say before is forgotten."""
    driver.get_log("browser"), driver.get_log("performance")
    driver.get("about:blank")
    driver.get(path.as_uri() + address)


def complaints(driver: Any) -> list[str]:
    """Everything on the console."""
    return [str(entry["message"]) for entry in driver.get_log("browser")]


def requests(driver: Any) -> list[str]:
    """Every address that the page asked for, but for itself."""
    import json

    found = []
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            url = message["params"]["request"]["url"]
            if (
                not url.startswith(("file:", "about:", "data:"))
                or message["params"].get("type") != "Document"
            ):
                found.append(url)
    return found


def said(driver: Any) -> str:
    return str(driver.find_element("id", "say").text)


def press(driver: Any, *keys: str) -> None:
    """Keys as a person presses them, wherever the focus is."""
    from selenium.webdriver import ActionChains

    for key in keys:
        ActionChains(driver).send_keys(key).perform()


def focus(driver: Any, wanted: str, most: int = 60) -> None:
    """Press Tab until an element is focused that this selector names."""
    from selenium.webdriver.common.keys import Keys

    for _ in range(most):
        press(driver, Keys.TAB)
        if driver.execute_script("return document.activeElement.matches(arguments[0])", wanted):
            return
    raise AssertionError(f"Tab never comes to {wanted}")
