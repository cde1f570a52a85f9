// The page asks for what is shown and keeps nothing else: filters stand in the address, pages come from the server.
const $ = (query) => document.querySelector(query);
const form = $("#filters");
const SIGNS = { right: "●", close: "◆", wrong: "✕", unjudged: "○" };
let view = "gallery", number = 0, points = [], asked = 0, wait;

const element = (name, text = "", kind = "") => Object.assign(document.createElement(name), { textContent: text, className: kind });
const percent = (p) => (p > 0 && p < 0.005 ? "<1 %" : `${Math.round(100 * p)} %`);
const query = () => new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));

async function get(path, words) {
  const answer = await fetch(`${path}?${words}`);
  if (!answer.ok) throw new Error(`${answer.status}: ${(await answer.text()).slice(0, 200)}`);
  return answer.json();
}

function enlarge(image, words) {
  const box = $("#large");
  box.querySelector("img").src = `pictures/${image}?size=large`;
  box.querySelector("p").textContent = words;
  box.showModal();
}

function card(row) {
  const item = element("li"), picture = element("img");
  Object.assign(picture, { src: `pictures/${row.image}`, alt: row.file, loading: "lazy", tabIndex: 0 });
  const said = row.said.map((one) => `${one.run}: ${one.guesses.map((guess) => `${guess.noun} ${percent(guess.probability)}`).join(", ")}`);
  const open = () => enlarge(row.image, [row.file, row.gold && `label: ${row.gold}`, ...said].filter(Boolean).join("\n"));
  picture.addEventListener("click", open);
  picture.addEventListener("keydown", (event) => event.key === "Enter" && open());
  item.append(picture, element("p", row.file, "file"), element("p", row.gold ? `label: ${row.gold}` : "no label"));
  for (const one of row.said) {
    const block = element("section", "", "said");
    block.append(element("b", one.run));
    for (const guess of one.guesses.slice(0, 3)) {
      const line = element("div");
      line.append(element("span", `${SIGNS[guess.verdict]} ${guess.noun}`, guess.verdict), element("span", percent(guess.probability)));
      block.append(line);
    }
    item.append(block);
  }
  return item;
}

function pairRow(pair) {
  const line = element("tr"), cell = element("td"), link = element("button", pair.gold);
  link.addEventListener("click", () => { form.gold.value = pair.gold; form.noun.value = pair.noun; turn("gallery"); });
  cell.append(link);
  line.append(cell, element("td", pair.noun), element("td", pair.images.toLocaleString("en")));
  return line;
}

function draw() {
  const canvas = $("canvas"), pen = canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
  pen.clearRect(0, 0, canvas.width, canvas.height);
  Object.assign(pen, { font: "13px sans-serif", textAlign: "center", textBaseline: "middle" });
  for (const point of points) {
    [point.x, point.y] = [(point[0] * 0.48 + 0.5) * canvas.width, (0.5 - point[1] * 0.48) * canvas.height];
    pen.fillStyle = style.getPropertyValue(`--${point[2]}`);
    pen.fillText(SIGNS[point[2]], point.x, point.y);
  }
}

async function show() {
  const words = query(), mine = ++asked;
  history.replaceState(null, "", `?${words}`);
  for (const name of ["gallery", "confusions", "map"]) $(`#${name}`).hidden = name !== view;
  $("#pages").hidden = view !== "gallery";
  try {
    if (view === "gallery") words.append("number", number);
    const found = await get(`api/${view === "gallery" ? "page" : view}`, words);
    if (mine !== asked) return; // an older question
    if (view === "gallery") {
      const last = Math.max(1, Math.ceil(found.total / session.page));
      $("#gallery").replaceChildren(...found.rows.map(card));
      $("#total").textContent = `${found.total.toLocaleString("en")} images`;
      $("#place").textContent = `page ${(number + 1).toLocaleString("en")} of ${last.toLocaleString("en")}`;
      [$("#back").disabled, $("#on").disabled] = [number === 0, number + 1 >= last];
    } else if (view === "confusions") {
      $("#total").textContent = "labels and first nouns that are not right; a click shows the images";
      $("#confusions tbody").replaceChildren(...found.map(pairRow));
    } else {
      points = found;
      $("#total").textContent = `${points.length.toLocaleString("en")} images on the map`;
      draw();
    }
  } catch (problem) {
    if (mine === asked) $("#total").textContent = `No answer from the server (${problem.message})`;
  }
}

function turn(name) {
  [view, number] = [name, 0];
  for (const button of document.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", button.dataset.view === name);
  show();
}

const session = await get("api/session", "");
$("#what").textContent = `${session.image_set}: ${session.images.toLocaleString("en")} images, ${session.judge ? `judged by ${session.judge}` : "not judged"}`;
for (const run of session.runs) for (const select of [form.run, form.other]) select.append(new Option(run));
for (const kind of session.kinds) form.kind.append(new Option(kind));
$("[data-view=map]").hidden = !session.map;
for (const [name, value] of new URLSearchParams(location.search)) {
  const field = form.elements[name];
  if (field?.type === "checkbox") field.checked = true;
  else if (field) field.value = value;
}
form.addEventListener("input", () => { clearTimeout(wait); wait = setTimeout(() => { number = 0; show(); }, 150); });
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(() => { number = 0; show(); }));
for (const button of document.querySelectorAll("[data-view]")) button.addEventListener("click", () => turn(button.dataset.view));
$("#back").addEventListener("click", () => { number -= 1; show(); scrollTo(0, 0); });
$("#on").addEventListener("click", () => { number += 1; show(); scrollTo(0, 0); });
$("canvas").addEventListener("click", (event) => {
  const scale = event.target.width / event.target.clientWidth, [x, y] = [event.offsetX * scale, event.offsetY * scale];
  const near = [...points].sort((one, two) => Math.hypot(one.x - x, one.y - y) - Math.hypot(two.x - x, two.y - y))[0];
  if (near) enlarge(near[3], near[2]);
});
$("#large button").addEventListener("click", () => $("#large").close());
show();
