// Names of things on the page, and text made safe to look at.

export const ANSWERS = [
  { answer: "correct_primary", keys: ["q", "1"], name: "Correct", which: "main subject",
    when: "rightly names the main subject", example: "dog, puppy, animal" },
  { answer: "correct_secondary", keys: ["w", "2"], name: "Correct", which: "something else",
    when: "rightly names something else in the picture", example: "sofa, couch, furniture" },
  { answer: "close_primary", keys: ["a", "3"], name: "Close", which: "main subject",
    when: "is nearly right for the main subject", example: "wolf, cat, paw" },
  { answer: "close_secondary", keys: ["s", "4"], name: "Close", which: "something else",
    when: "is nearly right for something else", example: "armchair, bed" },
  { answer: "incorrect", keys: ["d", "5"], name: "Incorrect", which: "",
    when: "names nothing that is there", example: "car, sleeping, red" },
];

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
  { action: "agreement", keys: ["g"], name: "agreement of annotators" },
  { action: "help", keys: ["?", "h"], name: "this guideline" },
];

const SAYING = { unsure: "unsure", skipped: "skipped" };
for (const { answer, name, which } of ANSWERS) SAYING[answer] = name.toLowerCase() + (which ? ", " + which : "");

// "correct, main subject"
export function saying(category) {
  return SAYING[category] ?? "";
}

// Control characters, and those that turn the writing direction or have no width, as visible signs.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/gu;

export function visible(text) {
  const shown = text.replace(UNSEEN, (c) => `⟨U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
  return shown.trim() === "" ? "(empty)" : shown;
}

const NUMBER = new Intl.NumberFormat("en");
export const number = (n) => NUMBER.format(n);

export const keyName = (key) => ({ ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→" })[key] ?? key.toUpperCase();
