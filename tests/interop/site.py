"""The page of `earthcatalog serve`, and the file of `earthcatalog map`, in Chromium without a window.

    python3 site.py ADDRESS MAP.html [FOLDER FOR SCREENSHOTS]

ADDRESS is that of a service, MAP.html what `earthcatalog map --out MAP.html` wrote of the same warehouse. Standard library
and Chromium (Debian: apt-get install chromium). Whatever goes to the console as an error, and is not of an asset's
picture that its server does not have, is a failure.
"""

import json
import sys
import urllib.parse
import urllib.request
from pathlib import Path

from browser import Browser

ADDRESS, MAP = sys.argv[1], Path(sys.argv[2]).absolute()
SHOTS = Path(sys.argv[3]) if len(sys.argv) > 3 else None

# Cells that are seen at some of the points of a grid; asked for all of a globe, MapLibre says that there are none.
DRAWN = """(({map, clientWidth: width, clientHeight: height}) => {
    const points = Array.from({length: 256}, (_, i) => [width * (i % 16) / 16, height * Math.floor(i / 16) / 16]);
    const at = (point) => map.queryRenderedFeatures(point, {layers: ['cells']})[0]?.properties.cell;
    return map?.loaded() && new Set(points.map(at).filter(Boolean)).size;
})(document.querySelector('#map'))"""
IDS = "[...document.querySelectorAll('.result-id')].map((each) => each.textContent)"
IS_DONE = "!document.querySelector('#results').hasAttribute('aria-busy') && document.querySelector('#count').textContent"
NARROW = "document.documentElement.scrollWidth <= innerWidth"


def api(parameters, body=None):
    """The ids that the API finds."""
    if body is not None:
        request = urllib.request.Request(ADDRESS + "search", json.dumps(body).encode(), {"content-type": "application/json"})
    else:
        request = ADDRESS + "search?" + urllib.parse.urlencode(parameters)
    with urllib.request.urlopen(request) as answer:
        return [item["id"] for item in json.load(answer)["features"]]


def shot(browser, name):
    if SHOTS:
        SHOTS.mkdir(exist_ok=True)
        browser.picture(SHOTS / f"{name}.png")


def clean(browser):
    """No errors, but for pictures that are missing on purpose."""
    errors = [error for error in browser.errors if "missing" not in error]
    assert not errors, errors


def view(browser, name):
    browser.run(f"document.querySelector('#views input[value={name}]').click()")
    browser.until(DRAWN)


def answered(browser, ids):
    """Waits for an answer, which has these Items."""
    browser.until(f"({IDS}).join() === {json.dumps(','.join(ids))} && {IS_DONE}")


def fill(browser, name, text):
    browser.run(f"(() => {{ const at = document.querySelector('#{name}'); at.focus(); at.select() }})()")
    browser.type(text)


def views():
    with Browser() as browser:
        browser.open(ADDRESS)
        assert browser.until(DRAWN) > 0
        assert browser.run("document.querySelector('#summary').textContent").count("·") >= 3
        assert browser.run("document.querySelectorAll('#legend li').length") > 0
        for name in ["globe", "flat", "arctic", "antarctic"]:
            view(browser, name)
            shot(browser, name)
        clean(browser)
        foreign = [url for url in browser.requests if not url.startswith((ADDRESS, "blob:", "data:"))]
        assert not foreign, foreign


def search():
    with Browser() as browser:
        browser.open(ADDRESS)
        browser.until(DRAWN)
        # By keyboard alone: the place, then Enter.
        fill(browser, "place", "0, 60, 60, 85")
        browser.key("Enter")
        found = api({"bbox": "0,60,60,85", "limit": 50})
        assert found
        answered(browser, found)
        assert browser.until("document.querySelector('#map').map.querySourceFeatures('footprint-edges').length")
        assert "place=" in browser.run("location.hash")
        browser.until("document.querySelector('#legend .legend-title').textContent === 'Items found by cell'")
        shot(browser, "found")

        # The address alone asks the same.
        address = browser.run("location.href")
        browser.open("about:blank")
        browser.open(address)
        answered(browser, found)

        # Tab and Enter open an Item; its texts are texts.
        browser.run("document.querySelector('.result').focus()")
        browser.key("Tab")
        browser.key("Enter")
        assert browser.until("document.querySelector('#item:not([hidden]) .item-id')?.textContent") == found[1]
        assert browser.run("document.activeElement.className") == "item-id"
        shot(browser, "item")
        browser.run("document.querySelector('#back').focus()")
        browser.key("Enter")
        browser.until("document.querySelector('#item').hidden && document.activeElement.className === 'result'")

        # The timeline: a year, by keyboard.
        browser.run("document.querySelector('.year[tabindex=\"0\"]').focus()")
        year = int(browser.run("document.activeElement.getAttribute('aria-label')")[:4])
        browser.key("Enter")
        found = api({"bbox": "0,60,60,85", "datetime": f"{year}-01-01T00:00:00Z/{year}-12-31T23:59:59.999999Z", "limit": 50})
        answered(browser, found)

        # What the API refuses is said at its field.
        browser.run("document.querySelector('#filter-part').open = true")
        fill(browser, "filter", "platform <")
        browser.run("document.querySelector('#question').requestSubmit()")
        assert browser.until("document.querySelector('#problem:not([hidden])')?.textContent").startswith("filter: ")
        assert browser.run("document.activeElement.id") == "filter"
        errors = [error for error in browser.errors if "status of 400" not in error]
        browser.errors = errors
        fill(browser, "place", "north pole")
        browser.key("Enter")
        browser.until("document.querySelector('#problem').textContent.startsWith('Write the place as west')")
        browser.run("document.querySelector('#clear').click()")
        browser.until("document.querySelector('#answer').hidden && location.hash === ''")
        clean(browser)


def polar():
    """A box that is drawn over the pole is a polygon round it."""
    with Browser() as browser:
        browser.open(f"{ADDRESS}#view=arctic")
        browser.until(DRAWN)
        browser.run("document.querySelector('#draw').click()")
        left, top, width, height = browser.run(
            "(({left, top, width, height}) => [left, top, width, height])(document.querySelector('#map').getBoundingClientRect())")
        x, y = left + width / 2, top + height / 2
        browser.drag((x - 150, y - 150), (x + 150, y + 150))
        place = json.loads(browser.until("document.querySelector('#place').value"))
        found = api(None, {"intersects": place, "limit": 50})
        assert found
        answered(browser, found)
        shot(browser, "polar")
        clean(browser)


def geometry():
    """Polar views: there and back again, a ring round the pole, and one over the antimeridian."""
    with Browser() as browser:
        browser.open(ADDRESS)
        browser.until("document.readyState === 'complete'")
        module = "import('./site/geography.js')"
        away = browser.run(f"""{module}.then(({{VIEWS, toPlane, fromPlane}}) => ['arctic', 'antarctic'].map((name) => {{
            const view = VIEWS[name];
            const all = [[0, 75], [179, 60.5], [-179, 88], [-45, 30], [90, 89.9]].map(([x, y]) => [x, y * view.pole]);
            const back = all.map((at) => fromPlane(view, toPlane(view, at)));
            return Math.max(...all.flatMap(([x, y], i) => [Math.abs(x - back[i][0]), Math.abs(y - back[i][1])]));
        }}))""")
        assert max(away) < 1e-6, away
        # EPSG:3413 has 45°W down and 45°E right; EPSG:3031 has 0° up and 90°E right.
        turned = browser.run(f"""{module}.then(({{VIEWS: {{arctic, antarctic}}, toPlane}}) =>
            [toPlane(arctic, [-45, 70]), toPlane(arctic, [45, 70]), toPlane(antarctic, [0, -70]), toPlane(antarctic, [90, -70])])""")
        signs = [[round(x, 6) and x / abs(x), round(y, 6) and y / abs(y)] for x, y in turned]
        assert signs == [[0, -1], [1, 0], [0, 1], [1, 0]], turned
        ring = "{type: 'Polygon', coordinates: [[[-150, 86], [-30, 86], [90, 86], [-150, 86]]]}"
        ends = browser.run(f"""{module}.then(({{VIEWS, area, outline}}) => [
            area({ring}, VIEWS.flat).coordinates[0][0].filter(([, y]) => y === 90).length,
            outline({ring}, VIEWS.arctic).coordinates.length])""")
        assert ends == [2, 1], ends
        west = "{type: 'Polygon', coordinates: [[[179, 70], [-179, 70], [-179, 71], [179, 71], [179, 70]]]}"
        span = browser.run(f"{module}.then(({{VIEWS, area}}) => area({west}, VIEWS.flat).coordinates[0][0].map(([x]) => x))")
        assert max(span) - min(span) == 2, span
        # Items are shown as they came, whatever their members are.
        bare = "{id: 7, geometry: {type: 'Polygon', coordinates: [[], null]}, bbox: 1, properties: null, assets: {a: null, b: {href: 7}}, links: {}}"
        shown = browser.run(f"""import('./site/item.js').then(({{readable, listed, whole}}) =>
            [listed(readable({bare}), () => {{}}).textContent, whole(readable({bare})).length > 0])""")
        assert shown == ["7no time", True], shown
        clean(browser)


def odd():
    """Texts of Items stay texts, and only addresses of the web are links."""
    with Browser() as browser:
        browser.open(f"{ADDRESS}#collection=odd")
        browser.until("document.querySelectorAll('.result').length")
        names = browser.run(IDS)
        at = next(i for i, name in enumerate(names) if "<img" in name)
        browser.run(f"document.querySelectorAll('.result')[{at}].click()")
        browser.until("document.querySelector('#item:not([hidden]) table')")
        shot(browser, "odd")
        assert browser.run("typeof window.alerted") == "undefined"
        hrefs = browser.run("[...document.querySelectorAll('#item a')].map((a) => a.protocol)")
        assert set(hrefs) <= {"http:", "https:"}, hrefs
        assert "s3://bucket/" in browser.run("document.querySelector('#item').textContent")
        browser.until("[...document.querySelectorAll('#item img')].every((image) => image.complete && image.naturalWidth > 0)")
        clean(browser)


def phone():
    for dark in [False, True]:
        with Browser(360, 740, dark=dark) as browser:
            browser.open(f"{ADDRESS}#all=1")
            browser.until(DRAWN)
            browser.until("document.querySelectorAll('.result').length")
            assert browser.run(NARROW)
            shot(browser, "phone-dark" if dark else "phone")
            browser.run("document.querySelector('#elsewhere').open = true; document.querySelector('.result').click()")
            browser.until("document.querySelector('#item:not([hidden])')")
            assert browser.run(NARROW)
            browser.run("document.querySelector('#item').scrollIntoView()")
            shot(browser, "phone-item-dark" if dark else "phone-item")
            clean(browser)
    with Browser(dark=True) as browser:
        browser.open(ADDRESS)
        browser.until(DRAWN)
        shot(browser, "dark")
        clean(browser)


def one_file():
    with Browser() as browser:
        browser.open(MAP.as_uri())
        assert browser.until(DRAWN) > 0
        for name in ["globe", "flat", "arctic", "antarctic"]:
            view(browser, name)
        shot(browser, "map")
        browser.run("document.querySelector('#overview ol button').click()")
        browser.until("document.querySelector('#hover').textContent.includes('row')")
        clean(browser)
        foreign = [url for url in browser.requests if not url.startswith((MAP.as_uri(), "blob:", "data:"))]
        assert not foreign, foreign


TESTS = [views, geometry, search, polar, odd, phone, one_file]
for test in TESTS:
    test()
    print(f"{test.__name__}: ok")
