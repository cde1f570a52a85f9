// Looking closer: wheel, pinch, drag, keys. The larger picture is loaded when it is first wanted.

const MOST = 8;

export class Zoom {
  constructor(stage, image, changed) {
    this.stage = stage;
    this.image = image;
    this.changed = changed;
    this.pointers = new Map();
    this.reset();
    stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.by(Math.exp(-event.deltaY / 300), event.clientX, event.clientY);
    }, { passive: false });
    stage.addEventListener("dblclick", (event) => event.target.closest("button") || this.toggle(event.clientX, event.clientY));
    stage.addEventListener("pointerdown", (event) => this.down(event));
    stage.addEventListener("pointermove", (event) => this.drag(event));
    for (const kind of ["pointerup", "pointercancel", "pointerleave"]) {
      stage.addEventListener(kind, (event) => this.pointers.delete(event.pointerId));
    }
    addEventListener("resize", () => this.reset());
  }

  reset() {
    Object.assign(this, { scale: 1, x: 0, y: 0 });
    this.apply();
  }

  toggle(x, y) {
    if (this.scale > 1) this.reset();
    else this.by(2.5, x, y);
  }

  // Enlarge around a point of the window, by default the middle of the picture.
  by(factor, clientX, clientY) {
    const box = this.stage.getBoundingClientRect();
    const px = (clientX ?? box.left + box.width / 2) - box.left - box.width / 2;
    const py = (clientY ?? box.top + box.height / 2) - box.top - box.height / 2;
    const scale = Math.min(MOST, Math.max(1, this.scale * factor));
    const ratio = scale / this.scale;
    this.x = px - (px - this.x) * ratio;
    this.y = py - (py - this.y) * ratio;
    this.scale = scale;
    this.apply();
  }

  pan(x, y) {
    this.x += x;
    this.y += y;
    this.apply();
  }

  down(event) {
    if (event.target.closest("button")) return;
    this.pointers.set(event.pointerId, event);
    if (this.scale > 1 || this.pointers.size > 1) this.stage.setPointerCapture(event.pointerId);
  }

  drag(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const other = [...this.pointers.values()].find((one) => one.pointerId !== event.pointerId);
    if (other) {
      const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
      this.by(apart(event) / Math.max(1, apart(before)), (event.clientX + other.clientX) / 2, (event.clientY + other.clientY) / 2);
    } else if (this.scale > 1) {
      this.pan(event.clientX - before.clientX, event.clientY - before.clientY);
    }
    this.pointers.set(event.pointerId, event);
  }

  apply() {
    const limit = (length) => (length * (this.scale - 1)) / 2;
    this.x = Math.min(limit(this.stage.clientWidth), Math.max(-limit(this.stage.clientWidth), this.x));
    this.y = Math.min(limit(this.stage.clientHeight), Math.max(-limit(this.stage.clientHeight), this.y));
    this.image.style.transform = this.scale > 1 ? `translate(${this.x}px, ${this.y}px) scale(${this.scale})` : "";
    this.stage.classList.toggle("closer", this.scale > 1);
    this.changed(this.scale);
  }
}
