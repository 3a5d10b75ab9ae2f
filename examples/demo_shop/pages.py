"""The shop's pages: plain HTML, usable with and without the page that measures them."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from string import Template

from demo_shop.shop import Tea

RATES = {"EUR": 1.0, "USD": 1.15, "GBP": 0.88}

LAYOUT = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title · Tea shop</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/static/demo.css">
<main class="shop">
$content
</main>
</html>
""")
LIST = Template("""<h2>Teas, best sellers first</h2>
$currencies
<ol class="teas">
$rows
</ol>""")
ROW = Template("""<li><a href="$url">$name</a> <span class="about">$about</span>
<span class="sold">$sold sold</span> <span class="price">$price</span></li>""")
TEA = Template("""<p><a href="/teas?currency=$currency">All teas</a></p>
<h2>$name</h2>
<p>$about</p>
$currencies
<p class="price">$price</p>
<p>$sold sold, rated <strong>$stars</strong> of 5. $also</p>
<form method="post" action="$url">
<label for="cents">Change the price</label>
<input id="cents" name="cents" type="number" min="1" max="99999" value="$cents" required> euro cents
<button>Save</button>
</form>""")


def tea_list(teas: Iterable[Tea], currency: str) -> str:
    """Every product with its price."""
    rows = "\n".join(ROW.substitute(_words(tea, currency)) for tea in teas)
    content = LIST.substitute(rows=rows, currencies=_currencies("/teas", currency))
    return LAYOUT.substitute(title="All teas", content=content)


def tea_page(tea: Tea, also_bought: Iterable[tuple[int, str]], currency: str) -> str:
    """One product, what else its customers buy, and the form that changes its price."""
    links = ", ".join(f'<a href="{tea_url(other, currency)}">{escape(name)}</a>' for other, name in also_bought)
    words = _words(tea, currency) | {
        "also": f"Its customers also buy {links}." if links else "",
        "cents": tea.cents,
        "currencies": _currencies(f"/teas/{tea.id}", currency),
        "currency": currency,
        "stars": f"{tea.stars:.1f}",
    }
    return LAYOUT.substitute(title=escape(tea.name), content=TEA.substitute(words))


def tea_url(tea_id: int, currency: str) -> str:
    """Where a product is shown."""
    return f"/teas/{tea_id}?currency={currency}"


def _words(tea: Tea, currency: str) -> dict[str, object]:
    return {
        "about": escape(tea.about),
        "name": escape(tea.name),
        "price": f"{tea.cents / 100 * RATES[currency]:.2f} {currency}",
        "sold": f"{tea.sold:,}",
        "url": tea_url(tea.id, currency),
    }


def _currencies(path: str, current: str) -> str:
    links = (
        f'<a href="{path}?currency={code}"{" aria-current=true" if code == current else ""}>{code}</a>'
        for code in RATES
    )
    return f'<nav class="currencies" aria-label="Currency">{" ".join(links)}</nav>'
