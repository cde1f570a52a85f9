// Names of things on the page, and text made safe to look at.

// The categories that people judge by, as the server names them. One of a project's own scheme has a colour of its own.
export const ANSWERS = [];

export function takeScheme(scheme) {
  ANSWERS.push(...scheme);
  for (const { answer, title, detail } of scheme) SAYING[answer] = title.toLowerCase() + (detail ? ", " + detail.toLowerCase() : "");
}

export const toneOf = (answer) => ANSWERS.find((one) => one.own && one.answer === answer)?.colour;

export const OTHERS = [
  { action: "unsure", keys: ["e"], name: "Unsure" },
  { action: "skip", keys: ["r"], name: "Skip" },
  { action: "undo", keys: ["z"], name: "Undo" },
  { action: "redo", keys: ["x"], name: "Redo" },
  { action: "note", keys: ["c"], name: "Note" },
];

export const MOVES = [
  { action: "up", keys: ["ArrowUp"], name: "noun above" },
  { action: "down", keys: ["ArrowDown"], name: "noun below" },
  { action: "forward", keys: ["f", "ArrowRight"], name: "next picture" },
  { action: "back", keys: ["b", "ArrowLeft"], name: "previous picture" },
  { action: "zoom", keys: ["v"], name: "zoom in and out" },
  { action: "closer", keys: ["+", "="], name: "closer" },
  { action: "farther", keys: ["-"], name: "farther" },
  { action: "name", keys: ["n"], name: "show or hide the file's name" },
  { action: "names", keys: ["m"], name: "in review: who said it" },
  { action: "agreement", keys: ["g"], name: "agreement of annotators" },
  { action: "help", keys: ["?", "h"], name: "this guideline" },
];

const OF_SET = { correct_primary: "applies", incorrect: "does not apply" };
const SAYING = { unsure: "unsure", skipped: "skipped" };

// "correct, main subject"; what was judged by another scheme by its own name
export const saying = (category, several) => several ? OF_SET[category] ?? saying(category) : SAYING[category] ?? visible((category ?? "").replaceAll("_", " "), "");

// Control characters, and those that turn the writing direction or have no width, as visible signs.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/gu;

export function visible(text, empty = "(empty)") {
  const shown = text.replace(UNSEEN, (c) => `⟨U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
  return shown.trim() === "" ? empty : shown;
}

const NUMBER = new Intl.NumberFormat("en");
export const number = (n) => NUMBER.format(n);

export const keyName = (key) => ({ ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→" })[key] ?? key.toUpperCase();
