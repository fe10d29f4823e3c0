// The picture on its canvas: before and after with a divider, zoom and pan; while it is restored, its tiles.

import { drawTiles } from "./tiles.js";
import { fit, inside, moved, overflows, seen, zoomed } from "./viewport.js";

const STEP = 1.25; // zoom of one press
const PAN = 80; // CSS pixels of one arrow key
const SETTLE_MS = 90; // a view that rests this long is drawn sharp
const CRISP_FROM = 2; // device pixels per picture pixel from which pixels are drawn as squares

export class Viewer {
  #root;
  #canvas;
  #context;
  #divider;
  #before = null;
  #after = null;
  #tiles = null;
  #view = { scale: 1, x: 0, y: 0 };
  #fitted = true;
  #split = 0.5; // of the viewer's width
  #frame = 0;
  #settling = 0;
  #pointers = new Map();

  constructor(root) {
    this.#root = root;
    this.#canvas = root.querySelector("canvas");
    const colorSpace = matchMedia("(color-gamut: p3)").matches ? "display-p3" : "srgb";
    this.#context = this.#canvas.getContext("2d", { colorSpace, alpha: true });
    this.#divider = root.querySelector(".divider");
    const box = "devicePixelContentBoxSize" in ResizeObserverEntry.prototype ? "device-pixel-content-box" : "content-box";
    new ResizeObserver(([entry]) => this.#resize(entry)).observe(this.#canvas, { box });
    this.#listen();
  }

  /** Show sources; either may be null. Another picture starts fitted, the same one keeps its view. */
  show(before, after, { restart = false, tiles = null } = {}) {
    const sides = (source) => source && `${source.width} x ${source.height}`;
    const same = !restart && sides(after ?? before) === sides(this.#picture);
    [this.#before, this.#after, this.#tiles] = [before, after, tiles];
    this.#root.classList.toggle("comparing", Boolean(before && after));
    this.#root.classList.toggle("blank", !this.#picture);
    if (restart) this.#split = 0.5;
    if (!same) this.#fitted = true;
    this.#apply(this.#fitted ? this.#fit() : this.#view);
  }

  /** The picture whose pixels the view counts: the result, once there is one. */
  get #picture() {
    return this.#after ?? this.#before;
  }

  #fit() {
    return this.#picture ? fit(this.#canvas, this.#picture) : this.#view;
  }

  /** As many pixels as the canvas covers on the screen: one more or less, and the browser would blur them all. */
  #resize({ devicePixelContentBoxSize: exact, contentBoxSize: [content] }) {
    const ratio = devicePixelRatio;
    this.#canvas.width = Math.max(1, exact?.[0].inlineSize ?? Math.round(content.inlineSize * ratio));
    this.#canvas.height = Math.max(1, exact?.[0].blockSize ?? Math.round(content.blockSize * ratio));
    if (this.#picture) this.#apply(this.#fitted ? this.#fit() : inside(this.#view, this.#canvas, this.#picture));
  }

  #apply(view) {
    this.#view = view;
    const zoom = this.#root.querySelector(".zoom output");
    zoom.value = `${Math.round(view.scale * 100)} %`;
    this.#root.classList.toggle("zoomed", this.#pannable);
    this.#draw();
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.#sharpen(), SETTLE_MS);
  }

  get #pannable() {
    return Boolean(this.#picture) && overflows(this.#view, this.#canvas, this.#picture);
  }

  #zoom(scale, x = this.#canvas.width / 2, y = this.#canvas.height / 2) {
    if (!this.#picture) return;
    this.#fitted = false;
    this.#apply(zoomed(this.#view, scale, x, y, this.#canvas, this.#picture));
  }

  #zoomTo(what) {
    if (what === "fit") {
      this.#fitted = true;
      this.#apply(this.#fit());
    } else if (what === "one") this.#zoom(1);
    else this.#zoom(this.#view.scale * (what === "in" ? STEP : 1 / STEP));
  }

  #pan(dx, dy) {
    if (!this.#pannable) return;
    this.#fitted = false;
    this.#apply(moved(this.#view, dx * devicePixelRatio, dy * devicePixelRatio, this.#canvas, this.#picture));
  }

  #divide(share) {
    this.#split = Math.min(1, Math.max(0, share));
    this.#draw();
  }

  // Drawing

  #draw() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#paint();
    });
  }

  #paint() {
    const { width, height } = this.#canvas;
    const context = this.#context;
    context.clearRect(0, 0, width, height);
    if (!this.#picture) return;
    const cut = Math.round(width * this.#split);
    const both = this.#before && this.#after;
    if (both) this.#clipped(cut, width - cut, () => this.#paintSource(this.#after));
    if (both) this.#clipped(0, cut, () => this.#paintSource(this.#before));
    if (!both) this.#paintSource(this.#picture);
    if (this.#tiles) drawTiles(context, this.#outline(), this.#tiles);
    this.#place(cut / devicePixelRatio);
  }

  #outline() {
    const { scale, x, y } = this.#view;
    return { x, y, width: this.#picture.width * scale, height: this.#picture.height * scale };
  }

  #clipped(x, width, paint) {
    const context = this.#context;
    context.save();
    context.beginPath();
    context.rect(x, 0, width, this.#canvas.height);
    context.clip();
    paint();
    context.restore();
  }

  #paintSource(source) {
    const scale = this.#scaleOf(source);
    const context = this.#context;
    context.imageSmoothingEnabled = scale < CRISP_FROM;
    context.imageSmoothingQuality = "high";
    const parts = source.isCoarseAt(scale) && source.detail ? [source.overview, source.detail] : [source.overview];
    for (const { bitmap, of } of parts) {
      const left = this.#view.x + of.x * scale, top = this.#view.y + of.y * scale;
      const right = left + of.width * scale, bottom = top + of.height * scale;
      const x = Math.ceil(left), y = Math.ceil(top);
      context.clearRect(x, y, Math.floor(right) - x, Math.floor(bottom) - y); // else it shines through transparency
      context.drawImage(bitmap, left, top, right - left, bottom - top);
    }
  }

  /** Device pixels per pixel of this source: the picture before enlarging has fewer than the result. */
  #scaleOf(source) {
    return (this.#view.scale * this.#picture.width) / source.width;
  }

  async #sharpen() {
    for (const source of [this.#before, this.#after]) {
      if (!source?.isCoarseAt(this.#scaleOf(source))) continue;
      const { x, y, width, height } = seen(this.#view, this.#canvas, this.#picture);
      const ratio = source.width / this.#picture.width;
      const rectangle = { x: x * ratio, y: y * ratio, width: width * ratio, height: height * ratio };
      await source.sharpen(rectangle, this.#scaleOf(source)).catch(() => {}); // closed meanwhile: nothing to draw
      this.#draw();
    }
  }

  #place(x) {
    const percent = Math.round(this.#split * 100);
    this.#divider.style.translate = `${x}px`;
    this.#divider.setAttribute("aria-valuenow", percent);
    this.#divider.setAttribute("aria-valuetext", `${percent} % before, ${100 - percent} % after`);
    this.#root.querySelector(".side.before").classList.toggle("away", percent < 12);
    this.#root.querySelector(".side.after").classList.toggle("away", percent > 88);
  }

  // Hands

  #listen() {
    const root = this.#root;
    root.addEventListener("pointerdown", (event) => this.#press(event));
    root.addEventListener("pointermove", (event) => this.#drag(event));
    for (const end of ["pointerup", "pointercancel"]) root.addEventListener(end, (event) => this.#release(event));
    root.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    root.addEventListener("dblclick", (event) => this.#doubleClick(event));
    root.addEventListener("keydown", (event) => this.#key(event));
    for (const button of root.querySelectorAll("[data-zoom]")) {
      button.addEventListener("click", () => this.#zoomTo(button.dataset.zoom));
    }
  }

  #press(event) {
    if (event.button || event.target.closest(".zoom") || !this.#picture) return;
    const divides = event.target.closest(".divider") || (this.#comparing && !this.#pannable);
    this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY, divides });
    this.#root.setPointerCapture(event.pointerId);
    this.#root.classList.add("held");
    if (divides && !event.target.closest(".divider")) this.#divide(this.#share(event));
  }

  #drag(event) {
    const from = this.#pointers.get(event.pointerId);
    if (!from) return;
    const to = { x: event.clientX, y: event.clientY, divides: from.divides };
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.#pointers.set(event.pointerId, to);
    if (other) this.#pinch(other, from, to);
    else if (from.divides) this.#divide(this.#share(event));
    else this.#pan(to.x - from.x, to.y - from.y);
  }

  #pinch(other, from, to) {
    const distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);
    const [x, y] = this.#at({ clientX: (other.x + to.x) / 2, clientY: (other.y + to.y) / 2 });
    this.#zoom((this.#view.scale * distance(other, to)) / Math.max(1, distance(other, from)), x, y);
    this.#pan((to.x - from.x) / 2, (to.y - from.y) / 2);
  }

  #release(event) {
    this.#pointers.delete(event.pointerId);
    if (!this.#pointers.size) this.#root.classList.remove("held");
  }

  #wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode ? 16 : 1;
    this.#zoom(this.#view.scale * Math.exp(-event.deltaY * lines * 0.0022), ...this.#at(event));
  }

  #doubleClick(event) {
    if (event.target.closest(".zoom, .divider")) return;
    if (this.#fitted) this.#zoom(1, ...this.#at(event));
    else this.#zoomTo("fit");
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const [across, down] = ARROWS[event.key] ?? [0, 0];
    if (event.target === this.#divider && DIVIDER_KEYS[event.key]) {
      this.#divide(DIVIDER_KEYS[event.key](this.#split));
    } else if (ZOOM_KEYS[event.key]) this.#zoomTo(ZOOM_KEYS[event.key]);
    else if ((across || down) && event.target === this.#root) this.#pan(-across * PAN, -down * PAN);
    else return;
    event.preventDefault();
  }

  get #comparing() {
    return Boolean(this.#before && this.#after);
  }

  /** Where an event is, in device pixels of the canvas. */
  #at({ clientX, clientY }) {
    const box = this.#root.getBoundingClientRect();
    return [(clientX - box.left) * devicePixelRatio, (clientY - box.top) * devicePixelRatio];
  }

  #share({ clientX }) {
    const box = this.#root.getBoundingClientRect();
    return (clientX - box.left) / box.width;
  }
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const ZOOM_KEYS = { "+": "in", "=": "in", "-": "out", 0: "fit", 1: "one" };
const DIVIDER_KEYS = {
  ArrowLeft: (split) => split - 0.02,
  ArrowDown: (split) => split - 0.02,
  ArrowRight: (split) => split + 0.02,
  ArrowUp: (split) => split + 0.02,
  PageDown: (split) => split - 0.2,
  PageUp: (split) => split + 0.2,
  Home: () => 0,
  End: () => 1,
};
