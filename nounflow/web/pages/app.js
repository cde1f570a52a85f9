// The page: who judges, keys and buttons to actions, records to the outbox.

import * as server from "./server.js";
import { Outbox } from "./outbox.js";
import { $, alertWith, announce, drawAgreement, drawNoPicture, drawProgress, drawTask, drawUnsent, furnish, showName } from "./view.js";
import { ANSWERS, MOVES, OTHERS, number, saying, takeScheme, visible } from "./words.js";
import { Work } from "./work.js";
import { Zoom } from "./zoom.js";

const KEYS = new Map([...OTHERS, ...MOVES].flatMap(({ action, keys }) => keys.map((key) => [key, action])));
const PAN = 80; // pixels a key press

let work = null;
let decided = 0; // since the page was opened
const zoom = new Zoom($("stage"), $("picture"), (scale) => {
  $("zoom").setAttribute("aria-pressed", String(scale > 1));
  const { image } = $("picture").dataset;
  const full = image && server.picture(image, "full");
  if (scale > 1 && full && !$("picture").src.endsWith(full)) $("picture").src = full;
});
const outbox = new Outbox(noteSending, ({ progress }) => work && drawProgress(progress, decided));

const sentence = (words) => `${words[0].toUpperCase()}${visible(words.slice(1))}.`;

function noteSending(status) {
  drawUnsent(status);
  const { waiting, state, reason, refused } = status;
  const wait = `${number(waiting)} ${waiting === 1 ? "judgement waits" : "judgements wait"} in this browser`;
  if (refused.length) alertWith(`${refused.length} refused by the server: ${refused[0].reason}`);
  else if (state === "unreachable") alertWith(`${sentence(reason || "the server does not answer")} ${wait} and will be sent as soon as it works again.`);
  else if (state === "locked") alertWith(`The server was started anew: open the address that it printed. ${wait} and will be sent then.`);
  else if (state === "refused") alertWith(`The server refuses: ${reason}. ${wait}.`);
  else alertWith("");
}

function draw() {
  drawTask(work, (i) => (work.task.asked.several ? act(String(i + 1)) : (work.noun = i, draw())));
  if (work.task) history.replaceState(null, "", `#${work.task.image}`);
}

function shown() {
  zoom.reset();
  draw();
}

const ahead = () => {
  const open = work.task.nouns.filter((noun) => noun.open).length;
  return `${visible(work.current.noun)}. ${open} to judge on this picture.`;
};

async function decide(category) {
  if (!work.task) return;
  const { noun, note } = work.current;
  const more = work.decide(category, draft.take(work.task.image, noun) ?? note);
  decided += 1;
  draw();
  if (more) announce(`${visible(noun)}: ${saying(category)}. Next: ${ahead()}`);
  else if (await forward()) announce(`${visible(noun)}: ${saying(category)}. Next picture: ${ahead()}`);
}

// Several nouns: one applies, or does not.
function toggle(at) {
  if (at >= work.task.nouns.length) return;
  work.toggle(at);
  decided += 1;
  draw();
  announce(`${visible(work.current.noun)}: ${saying(work.current.category, true)}.`);
}

async function rest() {
  decided += work.rest();
  if (await forward()) announce(`Next picture: ${ahead()}`);
}

async function forward() {
  const more = await patiently(() => work.forward());
  if (more) shown();
  else finish();
  if (more) patiently(() => work.fill());
  return more;
}

function finish() {
  const skipped = work.trail.flatMap((task) => task.nouns).filter((noun) => noun.category === "skipped").length;
  work.at = work.trail.length;
  $("finished-words").textContent = "Nothing is left that you are asked about." + (skipped ? ` You skipped ${number(skipped)}.` : "");
  draw();
  announce("All done.");
}

// Repeat a request until the server answers it.
async function patiently(request) {
  for (let wait = 250; ; wait = Math.min(2 * wait, 4000)) {
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof server.Unreachable || error instanceof server.Locked)) throw error;
      outbox.report(error instanceof server.Locked ? "locked" : "unreachable", error.message);
      await new Promise((resolve) => setTimeout(resolve, wait));
      if (!outbox.waiting.size) outbox.report("saved");
    }
  }
}

async function takeBack(kind) {
  const before = work.done.length;
  const decision = await patiently(() => work[kind]());
  if (!decision) return announce(`Nothing to ${kind}.`);
  decided = Math.max(0, decided + work.done.length - before);
  shown();
  announce(`${kind === "undo" ? "Taken back" : "Again"}: ${visible(decision.noun)}, ${saying(decision.category, work.task.asked.several)}.`);
}

const ACTIONS = {
  unsure: () => decide("unsure"),
  skip: () => decide("skipped"),
  undo: () => takeBack("undo"),
  redo: () => takeBack("redo"),
  note: () => work.task && note.open(),
  up: () => { work.move(-1); draw(); if (work.task) announce(ahead()); },
  down: () => { work.move(1); draw(); if (work.task) announce(ahead()); },
  forward: async () => { if (await forward()) announce(`Next picture: ${ahead()}`); },
  back: () => { if (work.back()) { shown(); announce(`Previous picture: ${ahead()}`); } },
  zoom: () => zoom.toggle(),
  closer: () => zoom.by(1.5),
  farther: () => zoom.by(1 / 1.5),
  name: () => {
    showName($("file").hidden);
    announce($("file").hidden ? "File name hidden." : $("file").textContent);
  },
  names: async () => {
    const { current, task } = work;
    if (!current?.said) return;
    ({ said: current.said } = await patiently(() => server.names(task.image, current.noun)));
    draw();
    announce(current.said.map(({ who, category }) => `${visible(who)}: ${saying(category)}`).join(". "));
  },
  help: () => $("help").showModal(),
  agreement: showAgreement,
  Enter: rest,
};
for (let i = 1; i <= 9; i++) ACTIONS[i] = () => toggle(i - 1);

// One action at a time: a key that comes while a picture is fetched waits for it.
let busy = Promise.resolve();
function act(name) {
  busy = busy.then(() => (name in ACTIONS ? ACTIONS[name]() : decide(name))).catch(complain);
}

function complain(error) {
  console.error(error);
  alertWith(`Something went wrong: ${visible(String(error?.message ?? error))}. What is judged stays; load the page again.`);
}

function pressed(event) {
  if (!work || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]") || event.target.closest("input, textarea")) return;
  const pan = { ArrowLeft: [PAN, 0], ArrowRight: [-PAN, 0], ArrowUp: [0, PAN], ArrowDown: [0, -PAN] }[event.key];
  if (event.shiftKey && pan) return void (event.preventDefault(), zoom.pan(...pan));
  const ofSet = work.task?.asked.several && (/^[1-9]$/.test(event.key) || (event.key === "Enter" && !event.target.closest("button")));
  const name = ofSet ? event.key : KEYS.get(event.key.length === 1 ? event.key.toLowerCase() : event.key);
  if (!name || event.repeat || (event.key.length === 1 && event.key !== "?" && !$("single-keys").checked)) return;
  event.preventDefault();
  act(name);
}

// Notes that are written but not yet part of a judgement outlive a reload.
const draft = {
  key: (image, noun) => `note ${image} ${noun}`,
  keep(image, noun, text) { localStorage.setItem(this.key(image, noun), text); },
  read(image, noun) { return localStorage.getItem(this.key(image, noun)); },
  take(image, noun) {
    const text = this.read(image, noun);
    localStorage.removeItem(this.key(image, noun));
    return text;
  },
};

const note = {
  open() {
    const { noun, note: stored } = work.current;
    $("note-text").value = draft.read(work.task.image, noun) ?? stored;
    $("note-form").hidden = false;
    $("note-text").focus();
  },
  close(keep) {
    const { noun, category } = work.current;
    const text = $("note-text").value.trim();
    $("note-form").hidden = true;
    $("noun").focus();
    if (!keep) return void draft.take(work.task.image, noun);
    if (category) {
      draft.take(work.task.image, noun);
      const at = work.noun;
      work.decide(category, text);
      work.noun = at;
    } else {
      work.current.note = text;
    }
    draw();
    announce("Note kept.");
  },
};

async function showAgreement() {
  if (!$("agreement-words").textContent) $("agreement-words").textContent = "Counting …";
  $("agreement").showModal();
  const refresh = async () => {
    if (!$("agreement").open) return;
    drawAgreement(await patiently(() => server.agreement(work.annotator)), (image, noun) => {
      $("agreement").close();
      busy = busy.then(() => patiently(() => work.visit(image, noun))).then(shown).catch(complain);
    });
    setTimeout(refresh, 5000);
  };
  refresh();
}

async function annotatorName() {
  const query = new URLSearchParams(location.search);
  const given = query.get("annotator") ?? localStorage.getItem("annotator");
  return given && !query.has("ask") ? given : askName(given ?? "");
}

function askName(before) {
  $("name-text").value = before;
  $("name").showModal();
  return new Promise((resolve) => {
    $("name").addEventListener("cancel", (event) => event.preventDefault());
    $("name-form").addEventListener("submit", () => resolve($("name-text").value.trim() || "someone"), { once: true });
  });
}

function addListeners() {
  addEventListener("unhandledrejection", (event) => complain(event.reason));
  document.addEventListener("keydown", pressed);
  for (const [id, name] of [["back", "back"], ["forward", "forward"], ["zoom", "zoom"], ["place", "name"], ["show-help", "help"], ["show-agreement", "agreement"], ["names", "names"], ["rest", "Enter"]]) {
    $(id).addEventListener("click", () => act(name));
  }
  $("picture").addEventListener("error", drawNoPicture);
  $("again").addEventListener("click", () => location.reload());
  $("who").addEventListener("click", () => location.assign("/?ask"));
  $("note-text").addEventListener("input", () => draft.keep(work.task.image, work.current.noun, $("note-text").value));
  $("note-text").addEventListener("keydown", (event) => {
    if (event.key === "Escape" || (event.key === "Enter" && !event.shiftKey)) {
      event.preventDefault();
      note.close(event.key === "Enter");
    }
  });
  $("single-keys").checked = localStorage.getItem("single-keys") !== "off";
  $("single-keys").addEventListener("change", () => localStorage.setItem("single-keys", $("single-keys").checked ? "on" : "off"));
}

async function main() {
  addListeners();
  await outbox.open();
  const annotator = await annotatorName();
  localStorage.setItem("annotator", annotator);
  const image = location.hash.slice(1);
  history.replaceState(null, "", `?${new URLSearchParams({ annotator })}${location.hash}`);
  $("who").textContent = visible(annotator);
  await outbox.flush(); // what waited from before comes first, so that the session knows it
  const session = await patiently(() => server.session(annotator));
  $("set").textContent = session.image_set + (session.review ? ", review" : "");
  takeScheme(session.scheme);
  for (const { answer, keys } of ANSWERS) keys.forEach((key) => KEYS.set(key, answer));
  furnish(act);
  work = new Work(annotator, session, outbox);
  drawProgress(session.progress, decided);
  document.querySelector("main").hidden = false;
  await patiently(() => work.begin(image));
  if (work.task) shown();
  else finish();
  announce(work.task ? ahead() : "All done.");
  patiently(() => work.fill());
}

main();
