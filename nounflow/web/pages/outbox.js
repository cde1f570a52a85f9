// Records on their way: kept in this browser, flushed to its disk, until the server says that it has them.
// Their ids are made here, so sending one twice is harmless; two tabs may share the box.

import { Locked, Refused, send, Unreachable } from "./server.js";

const MOST = 100; // records a request
const WAITS = [500, 1000, 2000, 4000]; // ms between attempts

export class Outbox {
  // `changed({waiting, state, refused})` is called whenever something of it changes; `sent(answer)` after each answer.
  constructor(changed, sent) {
    this.changed = changed;
    this.sent = sent;
    this.waiting = new Map(); // order number -> record
    this.refused = [];
    this.state = "saved";
    this.flushing = null;
    this.failures = 0;
    this.order = Date.now() * 1000;
  }

  async open() {
    this.store = await openStore();
    for (const { order, record } of await all(this.store)) this.waiting.set(order, record);
    addEventListener("online", () => this.flush());
  }

  // Keep a record and send it; resolves when it is on this browser's disk.
  async add(record) {
    const order = ++this.order;
    this.waiting.set(order, record);
    this.report(this.failures ? this.state : "sending");
    const kept = write(this.store, (records) => records.put({ order, record }));
    this.flush();
    await kept;
  }

  // Send all that waits, oldest first. Resolves with whether nothing waits any more.
  flush() {
    this.flushing ??= this.run();
    return this.flushing;
  }

  // Resolves when nothing waits any more; rejects when the server cannot be reached now.
  async settled() {
    while (this.waiting.size) {
      if (!(await this.flush())) throw this.state === "locked" ? new Locked(this.reason) : new Unreachable(this.reason);
    }
  }

  async run() {
    await null; // never done before `flushing` is set
    clearTimeout(this.timer);
    try {
      while (this.waiting.size) await this.sendSome();
      this.report("saved");
    } catch (error) {
      if (!(error instanceof Unreachable || error instanceof Locked || error instanceof Refused)) throw error;
      this.report(error instanceof Locked ? "locked" : error instanceof Refused ? "refused" : "unreachable", error.message);
      this.timer = setTimeout(() => this.flush(), WAITS[Math.min(this.failures++, WAITS.length - 1)]);
    } finally {
      this.flushing = null;
    }
    return this.waiting.size === 0;
  }

  async sendSome() {
    const batch = [...this.waiting].slice(0, MOST);
    const answer = await send(batch.map(([, record]) => record));
    this.failures = 0;
    const accepted = new Set(answer.accepted);
    const done = batch.filter(([, { id }]) => accepted.has(id) || id in answer.refused);
    for (const [order, record] of done) {
      if (record.id in answer.refused) this.refused.push({ record, reason: answer.refused[record.id] });
      this.waiting.delete(order);
    }
    await write(this.store, (records) => done.forEach(([order]) => records.delete(order)));
    this.sent(answer);
  }

  report(state, reason = "") {
    Object.assign(this, { state, reason });
    this.changed({ waiting: this.waiting.size, state, reason, refused: this.refused });
  }
}

function openStore() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("nounflow", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("waiting", { keyPath: "order" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function all(store) {
  return new Promise((resolve, reject) => {
    const request = store.transaction("waiting").objectStore("waiting").getAll();
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

// `strict`: the browser says done only after it has flushed to the disk.
function write(store, change) {
  return new Promise((resolve, reject) => {
    const transaction = store.transaction("waiting", "readwrite", { durability: "strict" });
    transaction.oncomplete = () => resolve();
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
    change(transaction.objectStore("waiting"));
  });
}
