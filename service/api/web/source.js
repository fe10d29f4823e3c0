// A picture that can be drawn at any zoom with little memory: a small whole, and sharp parts of it on demand.

const OVERVIEW_SIDE = 2048;
const RESTING_SIDE = 512; // enough to begin with

/** A rectangle of a picture, decoded. `of` is the rectangle in the picture's pixels. */
const part = (bitmap, x, y, width, height) => ({ bitmap, of: { x, y, width, height } });

export class Source {
  #side = OVERVIEW_SIDE; // the overview that is wanted; 0 once closed

  /**
   * Decode a Blob. Where the browser cannot, `elsewhere(blob)` is asked for a small version: {blob, width, height}, the
   * sides of the whole; null if there is none either.
   */
  static async open(blob, elsewhere) {
    return (await Source.#decoded(blob)) ?? (await Source.small(blob, elsewhere));
  }

  /** What `elsewhere` makes of a Blob, or null. */
  static async small(blob, elsewhere) {
    try {
      const { blob: small, width, height } = await elsewhere(blob);
      const bitmap = await createImageBitmap(small);
      return Object.assign(new Source(small, width, height, part(bitmap, 0, 0, width, height)), { whole: false });
    } catch {
      return null;
    }
  }

  static async #decoded(blob) {
    try {
      const { width, height } = await size(blob);
      const bitmap = await createImageBitmap(blob, within(OVERVIEW_SIDE, width, height));
      return new Source(blob, width, height, part(bitmap, 0, 0, width, height));
    } catch {
      return null;
    }
  }

  constructor(blob, width, height, overview) {
    Object.assign(this, { blob, width, height, overview, detail: null, whole: true });
  }

  /** Make do with little memory while nobody looks. */
  async rest() {
    this.detail?.bitmap.close();
    this.detail = null;
    await this.#overlook(RESTING_SIDE);
  }

  /** Somebody looks again. */
  async wake() {
    await this.#overlook(OVERVIEW_SIDE);
  }

  /** Another overview in place of this one, unless it is yet another that is wanted by then. */
  async #overlook(side) {
    this.#side = side;
    const { bitmap } = this.overview;
    const options = within(side, this.width, this.height);
    const width = options.resizeWidth ?? this.width;
    if (width === bitmap.width) return;
    const pixels = width < bitmap.width ? bitmap : this.blob;
    const other = await createImageBitmap(pixels, options).catch(() => null); // the file is gone, or this is closed
    if (!other || this.#side !== side) return other?.close();
    this.overview.bitmap.close();
    this.overview = part(other, 0, 0, this.width, this.height);
  }

  /** Whether parts have more pixels than the overview at `scale`, drawn pixels per picture pixel. */
  isCoarseAt(scale) {
    return this.whole && this.overview.bitmap.width < this.width * Math.min(scale, 1) * 0.99;
  }

  /** Decode a rectangle, no finer than `scale`, and keep it as `detail` in place of the last one. */
  async sharpen({ x, y, width, height }, scale) {
    const left = Math.max(0, Math.floor(x)), top = Math.max(0, Math.floor(y));
    const right = Math.min(this.width, Math.ceil(x + width)), bottom = Math.min(this.height, Math.ceil(y + height));
    if (right <= left || bottom <= top) return;
    const sides = [right - left, bottom - top];
    const [resizeWidth, resizeHeight] = sides.map((side) => Math.max(1, Math.round(side * Math.min(scale, 1))));
    const options = scale < 1 ? { resizeWidth, resizeHeight, resizeQuality: "high" } : {};
    const bitmap = await createImageBitmap(this.blob, left, top, ...sides, options);
    if (this.#side !== OVERVIEW_SIDE) return bitmap.close(); // nobody looks any more
    this.detail?.bitmap.close();
    this.detail = part(bitmap, left, top, ...sides);
  }

  close() {
    this.#side = 0;
    this.overview.bitmap.close();
    this.detail?.bitmap.close();
  }
}

/** Options to decode a picture so that neither side is longer than `side`; it is never enlarged. */
function within(side, width, height) {
  const shrink = Math.min(1, side / Math.max(width, height));
  const [resizeWidth, resizeHeight] = [width, height].map((length) => Math.max(1, Math.round(length * shrink)));
  return shrink < 1 ? { resizeWidth, resizeHeight, resizeQuality: "high" } : {};
}

/** A picture's sides as they are shown, from its header: an image element decodes pixels only when it is painted. */
async function size(blob) {
  const image = new Image();
  image.src = URL.createObjectURL(blob);
  try {
    await new Promise((resolve, reject) => Object.assign(image, { onload: resolve, onerror: reject }));
    return { width: image.naturalWidth, height: image.naturalHeight };
  } finally {
    URL.revokeObjectURL(image.src);
  }
}
