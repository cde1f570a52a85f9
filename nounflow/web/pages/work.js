// What the annotator has before them: pictures behind and ahead, the noun at hand, what undo and redo would do.

import * as server from "./server.js";

const AHEAD = 2; // pictures loaded before they are wanted

export class Work {
  // Every record goes into the outbox; it is the only way anything is decided.
  constructor(annotator, session, outbox) {
    this.annotator = annotator;
    this.session = session;
    this.outbox = outbox;
    this.done = session.done; // decisions, the latest last
    this.undone = session.undone;
    this.trail = [];
    this.skippedUpTo = 0; // skipped nouns are asked again once, when nothing else is left
    this.at = -1;
    this.noun = 0; // index of the noun at hand
  }

  get task() {
    return this.trail[this.at];
  }

  get current() {
    return this.task?.nouns[this.noun];
  }

  // Begin with a picture that was on the page before, or with the first of the queue.
  async begin(image) {
    if (/^[0-9a-f]{64}(-|$)/.test(image)) {
      const task = await server.task(this.annotator, image).catch((error) => {
        if (error instanceof server.Refused) return null; // of another image set
        throw error;
      });
      if (task?.nouns.length) this.insert(task);
    }
    await this.fill();
    if (this.at < 0 && this.trail.length) this.show(0);
  }

  // Have some pictures ahead; says whether there is one.
  async fill() {
    this.filling ??= this.fetchTasks().finally(() => (this.filling = null));
    await this.filling;
    return this.at + 1 < this.trail.length;
  }

  async fetchTasks() {
    const missing = AHEAD - (this.trail.length - 1 - this.at);
    if (missing <= 0) return;
    await this.outbox.settled(); // else the server would ask again what is on its way
    const held = this.trail.slice(Math.max(0, this.at)).map((task) => task.image);
    let { tasks } = await server.tasks(this.annotator, this.trail.at(-1)?.number ?? 0, held, missing, false);
    if (!tasks.length) {
      ({ tasks } = await server.tasks(this.annotator, this.skippedUpTo, held, missing, true));
      this.skippedUpTo = tasks.at(-1)?.number ?? this.skippedUpTo;
    }
    for (const task of tasks) {
      this.trail.push(task);
      new Image().src = server.picture(task.image, "screen");
    }
  }

  insert(task) {
    this.trail.splice(this.at + 1, 0, task);
    this.show(this.at + 1);
  }

  show(at) {
    this.at = at;
    const again = !this.task.nouns.some((noun) => noun.category === null);
    for (const noun of this.task.nouns) noun.open = noun.category === null || (again && noun.category === "skipped");
    this.noun = Math.max(0, this.task.nouns.findIndex((noun) => noun.open));
  }

  // One of several nouns applies, or does not; the noun stays at hand.
  toggle(at) {
    this.noun = at;
    this.decide(this.current.category?.startsWith("correct") ? "incorrect" : "correct_primary");
    this.noun = at;
  }

  // Those of several nouns that are still open do not apply: one step for undo. Says how many they were.
  rest() {
    const open = this.task.nouns.filter((noun) => noun.open);
    for (const noun of open) {
      this.noun = this.task.nouns.indexOf(noun);
      this.decide("incorrect");
      this.done.at(-1).together = noun !== open[0];
    }
    return open.length;
  }

  // The noun at hand gets a category. Says whether the picture still has nouns to judge.
  decide(category, note = this.current.note) {
    const { noun } = this.current;
    const { scheme, review, tool, image_set } = this.session;
    const own = scheme.find((one) => one.own && one.answer === category); // else one of the usual, or an abstention
    const record = {
      kind: "decision", id: newId(), annotator: this.annotator, tool,
      ...this.task.asked, noun, category: own?.counts_as ?? category, evidence: note,
      image_set, file: this.task.file, ...(own && { label: category }), ...(review && { review }),
    };
    this.done.push({ id: record.id, image: this.task.image, noun, category, note });
    this.undone.length = 0;
    Object.assign(this.current, { category, note, open: false });
    const next = [...this.task.nouns.keys()].map((i) => (this.noun + 1 + i) % this.task.nouns.length);
    const open = next.find((i) => this.task.nouns[i].open);
    if (open !== undefined) this.noun = open;
    this.outbox.add(record);
    return open !== undefined;
  }

  async undo() {
    const taken = this.done.pop();
    if (!taken) return null;
    this.undone.push(taken);
    if (taken.together) await this.undo();
    const before = this.done.findLast(({ image, noun }) => image === taken.image && noun === taken.noun);
    return this.mark("undo", taken, before?.category ?? null, before?.note ?? "");
  }

  async redo() {
    const taken = this.undone.pop();
    if (!taken) return null;
    this.done.push(taken);
    await this.mark("redo", taken, taken.category, taken.note);
    return this.undone.at(-1)?.together ? this.redo() : taken;
  }

  async mark(kind, decision, category, note) {
    this.outbox.add({ kind, id: newId(), annotator: this.annotator, tool: this.session.tool, target: decision.id });
    await this.visit(decision.image, decision.noun, (noun) => Object.assign(noun, { category, note }));
    return decision;
  }

  // Go to a noun of a picture, wherever it is; `change` is applied to it.
  async visit(image, noun, change = () => {}) {
    const known = this.trail.findIndex((task) => task.image === image);
    if (known >= 0) {
      this.at = known;
    } else {
      const task = await server.task(this.annotator, image);
      this.trail.splice(Math.max(0, this.at), 0, task);
      this.at = Math.max(0, this.at);
    }
    if (!this.task.nouns.some((one) => one.noun === noun)) {
      this.task.nouns.push({ noun, category: null, note: "", meanings: [] });
    }
    change(this.task.nouns.find((one) => one.noun === noun));
    this.show(this.at);
    this.noun = this.task.nouns.findIndex((one) => one.noun === noun);
  }

  async forward() {
    const more = this.at + 1 < this.trail.length || (await this.fill());
    if (more) this.show(this.at + 1);
    return more;
  }

  back() {
    if (this.at > 0) this.show(this.at - 1);
    return this.at >= 0;
  }

  move(step) {
    const n = this.task?.nouns.length ?? 0;
    if (n) this.noun = (this.noun + step + n) % n;
  }
}

// 32 random hexadecimal digits (`crypto.randomUUID` is missing where the address is not this machine's).
function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
