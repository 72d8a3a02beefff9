"""Pages in a real browser, held against Python: 'N passed, N failed'; skips without one."""

import json
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from typing import Callable, Iterator

import numpy as np

from cmm_nb.core import l2norm, slider
from cmm_nb.data.images import load_dataset
from cmm_nb.gap.explore import Explorer, explore
from cmm_nb.use.classifier import CMMClassifier
from cmm_nb.use.serve import PictureServer
from cmm_nb.use.show import (
    Answered,
    class_table,
    labels_section,
    mistakes_section,
    reliability_section,
    write_page,
)

CLASSES = [
    "plain",
    "<script>document.title = 'run'</script>",
    '"><img src=x onerror="document.title = 1">',
    "Käfer 虫",
]


def example() -> Explorer:
    "Two hundred rows of four classes, an image shift and a rotation of the texts."
    rng = np.random.default_rng(0)
    label = np.arange(200) % 4
    text, aside = rng.normal(size=(4, 96)), 1.5 * rng.normal(size=96)
    image = l2norm(text[label] + aside + 1.5 * rng.normal(size=(200, 96)))
    text = l2norm(text)
    turn = np.linalg.qr(np.eye(96) + 0.1 * rng.normal(size=(96, 96)))[0]
    maps = {
        "images moved": (image - image.mean(0) + text.mean(0), text),
        "texts turned": (image, text @ turn),
    }
    given = {"first two numbers": (image[:, :2], text[:, :2])}
    files = [f"picture {i}.png" for i in range(200)]
    return explore(
        image, text, label, CLASSES, maps=maps, projections=given, files=files, title="<b>a test</b>"
    )


def started():
    "A headless browser, or None."
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    browser, driver = (shutil.which(name) for name in ("chromium", "chromedriver"))
    if not (browser and driver):
        return None
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    flags = "headless=new no-sandbox disable-gpu disable-background-networking disable-component-update disable-sync"
    for flag in (*flags.split(), "no-first-run", "window-size=1200,1600"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=Service(driver))


class Page:
    "An explorer in a browser."

    def __init__(self, driver, page: Explorer):
        self.driver, self.page = driver, page

    def js(self, code: str, *given):
        return self.driver.execute_script(code, *given)

    def shown(self) -> dict[str, float]:
        spots = ("distance", "accuracy", "own")
        return {
            spot: float(self.js("return document.getElementById(arguments[0]).dataset.value", spot))
            for spot in spots
        }

    def agrees(self, *asked, **how) -> bool:
        "Does the page show what Python computes, to 1e-3?"
        shown, computed = self.shown(), self.page.numbers(*asked, **how)
        return all(abs(shown[name] - computed[name]) < 1e-3 for name in computed)

    def slide(self, number: int, t: float) -> None:
        self.js(
            """const map = document.getElementById('map'), slider = document.getElementById('t');
            map.value = arguments[0]; map.dispatchEvent(new Event('change'));
            slider.value = arguments[1]; slider.dispatchEvent(new Event('input'));""",
            number,
            t,
        )

    def hover(self, i: int) -> str:
        "Rest the mouse on picture i; what the page then says."
        from selenium.webdriver.common.actions.action_builder import ActionBuilder

        self.js("document.getElementById('plot').scrollIntoView()")
        x, y = self.js("return window.explorer.place(arguments[0])", i)
        move = ActionBuilder(self.driver)
        move.pointer_action.move_to_location(int(round(x)), int(round(y)))
        move.perform()
        return self.js("return document.getElementById('about').innerText")

    def alone(self, i: int) -> bool:
        "Is no other dot nearer to the spot of picture i?"
        return self.js(
            """const [a, b] = window.explorer.place(arguments[0]); let near = 0;
            for (let k = 0; k < arguments[1]; k++) {
              const [x, y] = window.explorer.place(k); near += Math.hypot(x - a, y - b) < 2; }
            return near === 1""",
            i,
            len(self.page.image),
        )


def names_are_text(page: Page) -> bool:
    legend = page.js("return [...document.querySelectorAll('#legend button')].map(b => b.innerText)")
    title = page.js("return document.querySelector('h1').innerText")
    return legend == CLASSES and title == "<b>a test</b>" and page.driver.title == "<b>a test</b>"


def slider_moves_numbers(page: Page) -> bool:
    good = [page.agrees()]
    for number, name in enumerate(page.page.maps):
        for t in (0.25, 1.0):
            page.slide(number, t)
            good.append(page.agrees(name, t))
    page.slide(0, 0)
    return all(good) and page.agrees()


def hover_says_who(page: Page) -> bool:
    picture = next(i for i in range(200) if page.alone(i))
    said = [line for line in page.hover(picture).splitlines() if line]
    cosines = page.page.image[picture] @ page.page.text.T
    first, second = np.argsort(-cosines)[:2]
    wanted = [CLASSES[page.page.label[picture]], f"picture {picture}.png"]
    near = [(float(line.split()[0]), line.split(maxsplit=1)[1]) for line in said[2:4]]
    right = [
        abs(near[k][0] - cosines[c]) < 1e-3 and near[k][1] == CLASSES[c]
        for k, c in enumerate((first, second))
    ]
    return said[:2] == wanted and all(right)


def filter_leaves_a_class(page: Page) -> bool:
    press = "document.querySelectorAll('#legend button')[arguments[0]].click()"
    page.js(press, 2)
    alone = page.agrees(classes=[2])
    page.js(press, 0)
    both = page.agrees(classes=[0, 2])
    page.js(press, 2)
    page.js(press, 0)
    return alone and both and page.agrees()


def keys_and_wheel(page: Page) -> bool:
    from selenium.webdriver.common.by import By

    plot = page.driver.find_element(By.ID, "plot")
    for keys in ("+", "+", "n", "n"):
        plot.send_keys(keys)
    zoom, picked = page.js("return [window.explorer.state.zoom, window.explorer.state.picked]")
    plot.send_keys("0")
    return abs(zoom - 1.5625) < 1e-9 and picked >= 1 and page.js("return window.explorer.state.zoom") == 1


def other_projections(page: Page) -> bool:
    page.js(
        """const p = document.getElementById('projection'); p.value = 'first two numbers';
        p.dispatchEvent(new Event('change'));"""
    )
    a, b, c = (np.array(page.js("return window.explorer.place(arguments[0])", i)) for i in (0, 1, 2))
    image = page.page.image[:, :2] * [1, -1]
    drawn, there = (
        (b - a) / np.linalg.norm(c - a),
        (image[1] - image[0]) / np.linalg.norm(image[2] - image[0]),
    )
    page.js("document.getElementById('follow').click()")
    good = page.agrees()
    page.js("document.getElementById('follow').click()")
    return bool(np.allclose(drawn, there, atol=1e-3)) and good


def quick(page: Page) -> bool:
    "Two thousand pictures of width 512 are on the screen within a second of reading the page."
    rng = np.random.default_rng(1)
    rows = l2norm(rng.normal(size=(2010, 512)) + 1)
    big = explore(rows[:2000], rows[2000:], np.arange(2000) % 10)
    with tempfile.TemporaryDirectory() as folder:
        page.driver.get(big.save(Path(folder) / "big.html").as_uri())
        took = page.js("return performance.getEntriesByType('paint').map(e => e.startTime)")
        found = Page(page.driver, big).agrees()
    print(f"  {len(big.html) / 1e6:.2f} MB, first paint after {max(took):.0f} ms")
    return found and len(big.html) < 3e6


def sliders_follow(page: Page) -> bool:
    "A figure with a slider shows the numbers of its place."
    panel = dict(x=[0, 1, 2], across="x", title="<i>", moving={"y": [[0, 1, 2], [2, 1, 0]]}, cursor=[0.5, 1])
    figure = slider("t", ["a", "<b>"], [panel], {"n": [1, 2]})
    with tempfile.TemporaryDirectory() as folder:
        page.driver.get(figure.save(Path(folder) / "slider.html").as_uri())
        said = "return ['value', 'numbers'].map(id => document.getElementById(id).innerText)"
        before = page.js(said)
        page.js("const t = document.getElementById('t'); t.value = 1; t.dispatchEvent(new Event('input'));")
        return before == ["a", "n 1"] and page.js(said) == ["<b>", "n 2"]


def pictures_page(folder: str) -> Path:
    "A page of 90 held-out pictures, 30 of them with a wrong answer, of classes with hostile names."
    from PIL import Image

    label = np.arange(90) % 3
    answer = np.where(np.arange(90) % 9 < 3, (label + 1) % 4, label)
    names = [f"{CLASSES[1].replace('/', '')} {i}.png" for i in range(90)]
    opened = [lambda: Image.new("RGB", (60, 40), "green")] * 90
    asked = Answered(
        names, opened, label, answer, np.full(90, 0.8), np.where(label == answer, 0.8, 0.1), CLASSES
    )
    parts = [
        mistakes_section(asked, first=10),
        labels_section(asked),
        class_table(asked),
        reliability_section(asked),
    ]
    return write_page(f"{folder}/pictures.html", CLASSES[2], parts)


def tiles_seen(page: Page) -> list[int]:
    "How many wrong and right pictures the page shows."
    seen = (
        "return ['wrong', 'right'].map(id => document.querySelectorAll(`#${id} .tile:not([hidden])`).length)"
    )
    return page.js(seen)


def confusions_by_keyboard(page: Page) -> bool:
    "Enter on a number shows its pictures alone, Escape all again, with the focus where it was."
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    with tempfile.TemporaryDirectory() as folder:
        page.driver.get(pictures_page(folder).as_uri())
        found = [tiles_seen(page)]
        for kind in ("0-1", "0-0"):
            number = page.driver.find_element(By.CSS_SELECTOR, f'button.filter[data-kind="{kind}"]')
            number.send_keys(Keys.ENTER)
            found.append([int(number.text), tiles_seen(page), number.get_attribute("aria-pressed")])
            page.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
            found.append([page.driver.switch_to.active_element == number, tiles_seen(page)])
        page.driver.find_element(By.CSS_SELECTOR, "button.more").send_keys(Keys.ENTER)
        found.append(tiles_seen(page))
        named = page.driver.title == CLASSES[2]  # no name was executed
    pressed = [[10, [10, 0], "true"], [True, [10, 0]], [20, [0, 20], "true"], [True, [10, 0]]]
    return found == [[10, 0], *pressed, [30, 0]] and named


def fits_a_telephone(page: Page) -> bool:
    "At 400 pixels nothing makes the page of pictures scroll sideways."
    size = dict(width=400, height=800, deviceScaleFactor=1, mobile=True)
    with tempfile.TemporaryDirectory() as folder:
        page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        page.driver.get(pictures_page(folder).as_uri())
        wide, room = page.js("return [document.documentElement.scrollWidth, innerWidth]")
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    return wide <= room == 400


def server_answers(page: Page) -> bool:
    "The page of a server shows what the classifier says of a picture, or why there is no answer; names are text."
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    digits = load_dataset("digits")
    of_four = [i for i in range(200) if digits.label[i] < 4]
    asked, *learned = (digits.images[i] for i in of_four[:41])
    clf = CMMClassifier(calibrate=False).fit(learned, [CLASSES[digits.label[i]] for i in of_four[1:41]])
    with tempfile.TemporaryDirectory() as folder, PictureServer(clf, 0) as server:
        files = [Path(folder, "<i>asked.png"), Path(folder, "none.png")]
        asked.save(files[0])
        files[1].write_text("no picture")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        page.driver.get(server.address)
        page.driver.find_element(By.ID, "file").send_keys("\n".join(map(str, files)))
        done = "return document.querySelectorAll('article h2').length"
        WebDriverWait(page.driver, 30).until(lambda driver: driver.execute_script(done) == 2)
        said = page.js("return [...document.querySelectorAll('article')].map(a => a.innerText.split('\\n'))")
        server.shutdown()
        thread.join()
    answer, (none, picture) = clf.predict_one(asked), said
    names = [line for line in picture if line in CLASSES]
    right = names == [answer.label, *(label for label, _ in answer.top), *names[4:]] and len(names) == 5
    return right and "<i>asked.png" in picture and none[0] == "No answer" and "run" != page.driver.title


CHECKS = (
    names_are_text,
    slider_moves_numbers,
    hover_says_who,
    filter_leaves_a_class,
    keys_and_wheel,
    other_projections,
    quick,
    sliders_follow,
    confusions_by_keyboard,
    fits_a_telephone,
    server_answers,
)


def checked(driver) -> Iterator[tuple[Callable, bool]]:
    "Each check and whether it held; the last is that the browser had nothing to complain of."
    page = Page(driver, example())
    with tempfile.TemporaryDirectory() as folder:
        driver.get(page.page.save(Path(folder) / "ein Blatt.html").as_uri())
        for check in CHECKS:
            yield check, check(page)

    def silent(_):
        told = [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
        return [entry for entry in told if "400 (Bad Request)" not in entry["message"]]  # one is no picture

    complaints = silent(page)
    print(json.dumps(complaints)[:600] if complaints else "", end="")
    yield silent, not complaints


def main() -> int:
    try:
        driver = started()
    except ImportError:
        driver = None
    if driver is None:
        print(
            "Skipped: no chromium and chromedriver on the PATH (Debian: apt-get install chromium chromium-driver)."
        )
        return 0
    results = []
    try:
        for check, good in checked(driver):
            print(f"{'ok  ' if good else 'FAIL'} {check.__name__}", flush=True)
            results.append(good)
    finally:
        driver.quit()
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
