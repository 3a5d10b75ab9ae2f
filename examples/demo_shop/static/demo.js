// Loads the shop's pages into this one, and shows how long each answer took and where it came from.
const element = (id) => document.getElementById(id);
const shop = element("shop");
const answers = []; // newest first
const asked = new Set();
const VERDICTS = ["MISS", "WAITED", "HIT", "OFF"];
let current = "/teas?currency=EUR";

async function ask(url, options = {}) {
  asked.add(url);
  const headers = element("cache").checked ? {} : { "X-Demo-Cache": "off" };
  const started = performance.now();
  const response = await fetch(url, { cache: "no-store", headers, ...options }); // not the browser's own cache
  const text = await response.text();
  return {
    label: `${options.method ? `${options.method}, then GET` : "GET"} ${url}`,
    milliseconds: performance.now() - started,
    verdict: verdictOf(response),
    response,
    text,
  };
}

function verdictOf(response) {
  const status = response.headers.get("Cache-Status") ?? "";
  if (/;\s*collapsed/.test(status)) return "WAITED";
  if (/;\s*hit/.test(status)) return "HIT";
  return /;\s*stored/.test(status) ? "MISS" : "OFF";
}

async function show(url, options) {
  shop.setAttribute("aria-busy", "true");
  try {
    const answer = await ask(url, options);
    place(answer);
    report([answer]);
  } catch (error) {
    complain(error);
  }
  shop.removeAttribute("aria-busy");
}

function place(answer) {
  const page = new DOMParser().parseFromString(answer.text, "text/html").querySelector("main");
  shop.replaceChildren(...(page ? page.childNodes : [answer.text]));
  if (answer.response.ok) current = localPart(answer.response.url);
  element("address").textContent = `${location.host}${current}`;
}

// Six, since a browser holds no more connections to one server: a seventh would wait here, not there.
// They come to a page that was not asked for yet: one of them asks the database, the others wait.
async function sixAtOnce() {
  const links = [...shop.querySelectorAll("a")].map((link) => localPart(link.href));
  const url = links.find((link) => !asked.has(link)) ?? current;
  try {
    const six = await Promise.all(Array.from({ length: 6 }, () => ask(url)));
    place(six[0]);
    report(six);
  } catch (error) {
    complain(error);
  }
}

function complain(error) {
  element("latest").className = "latest failed";
  element("latest").textContent = `The shop does not answer. Does it still run? (${error.message})`;
}

function report(fresh) {
  fresh.sort((one, other) => other.milliseconds - one.milliseconds);
  answers.unshift(...fresh);
  answers.splice(60);
  const parts = VERDICTS.flatMap((verdict) => {
    const count = fresh.filter((answer) => answer.verdict === verdict).length;
    return count ? [make("span", fresh.length > 1 ? `${count} ${verdict}` : verdict, verdict)] : [];
  });
  element("latest").className = "latest";
  element("latest").replaceChildren(...parts, make("span", time(fresh[0].milliseconds)));
  const top = Math.max(...answers.slice(0, 14).map((answer) => answer.milliseconds));
  element("log").replaceChildren(...answers.slice(0, 14).map((answer) => row(answer, top)));
  summarize();
}

function row(answer, top) {
  const bar = make("span", "", `bar ${answer.verdict}`);
  bar.style.width = `${(100 * answer.milliseconds) / top}%`;
  const cells = [make("td", answer.label), make("td"), make("td", time(answer.milliseconds), "number"), make("td")];
  cells[0].title = answer.label;
  cells[1].append(make("b", answer.verdict, answer.verdict));
  cells[3].append(bar);
  const made = make("tr");
  made.append(...cells);
  return made;
}

function summarize() {
  const database = median(answers.filter((answer) => ["MISS", "OFF"].includes(answer.verdict) && isPage(answer)));
  const cached = median(answers.filter((answer) => answer.verdict === "HIT"));
  element("database").textContent = database === undefined ? "–" : time(database);
  element("cached").textContent = cached === undefined ? "–" : time(cached);
  element("factor").textContent = database && cached ? `${(database / cached).toFixed(0)} ×` : "–";
}

const isPage = (answer) => answer.response.ok && answer.label.startsWith("GET");
const localPart = (url) => new URL(url).pathname + new URL(url).search;
const time = (milliseconds) => `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`;

function median(some) {
  const sorted = some.map((answer) => answer.milliseconds).sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)];
}

function make(tag, text = "", className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
  return made;
}

shop.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  show(localPart(link.href));
});
shop.addEventListener("submit", (event) => {
  event.preventDefault();
  show(localPart(event.target.action), { method: "POST", body: new URLSearchParams(new FormData(event.target)) });
});
element("again").addEventListener("click", () => show(current));
element("cache").addEventListener("change", () => show(current));
element("six").addEventListener("click", sixAtOnce);

fetch("/visits", { method: "POST" })
  .then((response) => response.json())
  .then(({ visits, backend }) => { element("visits").textContent = `Visit ${visits}, counted in ${backend}`; })
  .catch(() => { element("visits").textContent = "The visit could not be counted"; });
show(current);
