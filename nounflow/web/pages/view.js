// Drawing. Everything that comes from files is set as text, never as markup.

import { ANSWERS, keyName, MOVES, number, OTHERS, saying, toneOf, visible } from "./words.js";
import { picture } from "./server.js";

export const $ = (id) => document.getElementById(id);

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") made.textContent = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// An element in the colour of a category of the project's own.
function toned(made, answer) {
  if (toneOf(answer)) made.dataset.own = answer;
  made.style.setProperty("--tone", toneOf(answer) ?? "");
  return made;
}

// The buttons and the guideline, once.
export function furnish(act) {
  for (const { answer, keys, title, detail, when, example, own } of ANSWERS) {
    const button = toned(element("button", { type: "button", "data-answer": answer, "aria-keyshortcuts": keys.join(" ").toUpperCase() },
      element("kbd", { "aria-hidden": "true", text: keyName(keys[0]) }),
      element("span", { class: "label" }, title, ...(detail ? [element("small", { text: detail })] : []))), answer);
    button.addEventListener("click", () => act(answer));
    document.querySelector(".answers").append(button);
    const keyed = keys.map((key) => element("kbd", { text: keyName(key) }));
    $("guideline").append(toned(element("tr", { "data-answer": answer },
      element("th", { scope: "row" }, element("span", { class: "dot" }), `${title}${detail ? ", " + detail : ""}`),
      element("td", { class: "keys" }, ...keyed), element("td", { text: when }), element("td", {}, element("i", { text: example }))), answer));
    for (const line of document.querySelectorAll(".usual")) line.hidden = own;
    if (own) $("example").textContent = "example";
  }
  for (const { action, keys, name } of OTHERS) {
    const button = element("button", { type: "button", class: "plain", "data-action": action, "aria-keyshortcuts": keys.join(" ").toUpperCase() },
      element("kbd", { "aria-hidden": "true", text: keyName(keys[0]) }), ` ${name}`);
    button.addEventListener("click", () => act(action));
    document.querySelector(".others").append(button);
  }
  for (const { keys, name } of [...OTHERS, ...MOVES]) {
    $("keys").append(element("dt", {}, ...keys.map((key) => element("kbd", { text: keyName(key) }))), element("dd", { text: name.toLowerCase() }));
  }
}

export function drawTask(work, pick) {
  const { task, current } = work;
  $("finished").hidden = Boolean(task);
  for (const id of ["entry", "actions", "stage"]) $(id).hidden = !task;
  if (!task) return;
  const { box, several } = task.asked;
  document.querySelector(".answers").hidden = Boolean(several);
  $("rest").hidden = !several;
  $("rest").firstChild.textContent = task.nouns.some((noun) => noun.open) ? "The rest does not apply" : "Next picture";
  $("question").hidden = !(box || several);
  $("question").textContent = box ? "What is in the frame?" : "Choose all that the picture shows.";
  drawPicture(task, work.session.images);
  const asked = visible(current.noun);
  if ($("noun").textContent !== asked) $("word").scrollTop = 0;
  $("noun").textContent = asked;
  document.title = `${asked} · nounflow annotate`;
  $("unknown").hidden = current.meanings.length > 0;
  $("meanings").replaceChildren(...current.meanings.map(drawMeaning));
  $("note").hidden = !current.note;
  $("note").textContent = current.note ? `Note: ${visible(current.note)}` : "";
  drawSaid(current.said ?? []);
  for (const button of document.querySelectorAll("[data-answer]")) {
    if (button.type === "button") button.setAttribute("aria-pressed", String(button.dataset.answer === current.category));
  }
  document.querySelector("[data-action=unsure]").setAttribute("aria-pressed", String(current.category === "unsure"));
  document.querySelector("[data-action=undo]").disabled = work.done.length === 0;
  document.querySelector("[data-action=redo]").disabled = work.undone.length === 0;
  $("back").disabled = work.at <= 0;
  $("nouns").replaceChildren(...task.nouns.map((noun, i) => drawNoun(noun, i === work.noun, () => pick(i), several && i + 1)));
  const row = $("nouns").querySelector("[aria-current]");
  $("nouns").scrollTop = row.offsetTop - ($("nouns").clientHeight - row.offsetHeight) / 2;
}

function drawMeaning({ gloss, synonyms, kinds }) {
  const item = element("li", {}, element("p", { class: "gloss", text: gloss }));
  if (synonyms.length) item.append(element("p", { class: "more" }, element("b", { text: "also" }), ` ${synonyms.join(", ")}`));
  if (kinds.length) item.append(element("p", { class: "more" }, element("b", { text: "a kind of" }), ` ${kinds.join(" › ")}`));
  return item;
}

// In review: what others said of the noun at hand, without their names until they are asked for.
export function drawSaid(said) {
  $("review").hidden = !said.length;
  $("said-before").replaceChildren(...said.map(({ who, category, note }) => toned(element("li", { "data-state": category },
    element("span", { class: "dot", "aria-hidden": "true" }), element("b", { text: visible(who) }),
    ` ${saying(category)}${note ? `: ${visible(note)}` : ""}`), category)));
}

function drawNoun({ noun, category, note }, current, pick, key) {
  const applies = key ? { "aria-pressed": String(category === "correct_primary"), "aria-keyshortcuts": String(key) } : {};
  const button = toned(element("button", { type: "button", ...applies, ...(category ? { "data-state": category } : {}) },
    element("span", { class: "dot", "aria-hidden": "true" }), ...(key <= 9 ? [element("kbd", { "aria-hidden": "true", text: key })] : []),
    element("span", { class: "word", text: visible(noun) }),
    element("span", { class: "state", text: `${saying(category, key) || "open"}${note ? " ✎" : ""}` })), category);
  if (current) button.setAttribute("aria-current", "true");
  button.addEventListener("click", pick);
  return element("li", {}, button);
}

function drawPicture(task, images) {
  const image = $("picture");
  if (image.dataset.image === task.image) return;
  image.dataset.image = task.image;
  image.hidden = false;
  $("no-picture").hidden = true;
  image.alt = `Picture ${task.number} of ${images}`;
  image.src = picture(task.image, "screen");
  $("place").textContent = `${number(task.number)} of ${number(images)}`;
  $("file").textContent = visible(task.file);
}

// A file's name often says what is to be seen; who judges is not to be led by it.
export function showName(shown) {
  $("file").hidden = !shown;
  $("place").setAttribute("aria-pressed", String(shown));
}

export async function drawNoPicture() {
  const image = $("picture");
  const response = await fetch(image.src).catch(() => null);
  const why = response && !response.ok ? (await response.json().catch(() => ({}))).detail : null;
  image.hidden = true;
  $("no-picture").hidden = false;
  $("no-picture").textContent = `This picture cannot be shown: ${visible(why ?? "the server does not answer")}`;
}

export function drawProgress({ pairs, judged, mine }, session) {
  $("bar").max = Math.max(1, pairs);
  $("bar").value = judged;
  $("progress").textContent = `${number(judged)} of ${number(pairs)} judged · ${number(mine)} by you · ${number(session)} this session`;
}

const STATES = {
  saved: () => "all saved",
  sending: (n) => `${number(n)} unsent`,
  unreachable: (n) => `${number(n)} unsent, server away`,
  locked: (n) => `${number(n)} unsent, server restarted`,
  refused: (n) => `${number(n)} unsent, refused`,
};

export function drawUnsent({ waiting, state }) {
  $("unsent").textContent = STATES[state](waiting);
  $("unsent").dataset.state = state;
  $("unsent").dataset.waiting = waiting;
}

export function alertWith(words) {
  $("alert").hidden = !words;
  if ($("alert").textContent !== words) $("alert").textContent = words;
}

export function announce(words) {
  $("said").textContent = words;
}

const figure = (value) => (value === null ? "–" : value.toFixed(2));

export function drawAgreement({ pairs, alpha, alpha_coarse, twos, differing, differ }, visit) {
  $("agreement-words").textContent = pairs
    ? `${number(pairs)} nouns were judged by two or more. Krippendorff's alpha is ${figure(alpha)} on five categories, ${figure(alpha_coarse)} on correct, close and incorrect.`
    : "Nobody has judged a noun yet that another one judged too.";
  $("twos").hidden = !twos.length;
  $("twos").querySelector("tbody").replaceChildren(...twos.map((two) => element("tr", {},
    element("th", { scope: "row", text: `${visible(two.first)}, ${visible(two.second)}` }), element("td", { text: number(two.pairs) }),
    element("td", { text: `${(100 * two.share).toFixed(0)} %` }), element("td", { text: figure(two.kappa) }), element("td", { text: figure(two.kappa_coarse) }))));
  $("differing").hidden = !differ;
  $("differing").querySelector("ul").replaceChildren(...differing.map(({ image, noun, said }) => {
    const words = Object.entries(said).map(([who, category]) => `${visible(who)}: ${saying(category)}`).join("; ");
    const button = element("button", { type: "button", class: "plain", text: visible(noun) });
    button.addEventListener("click", () => visit(image, noun));
    return element("li", {}, button, ` ${words}`);
  }));
}
