// Where a picture lies in the viewer: pure arithmetic, in device pixels.

const MOST = 16; // device pixels per picture pixel
const LARGEST_FIT = 3;
const MARGIN = 0.04; // of the viewer, around a picture that fits

/**
 * @typedef {{width: number, height: number}} Size
 * @typedef {{scale: number, x: number, y: number}} View  `scale` is device pixels per picture pixel; x and y are where
 *     the picture's top left corner lies.
 */

/** The whole picture, centred. @returns {View} */
export function fit(view, picture) {
  const room = 1 - 2 * MARGIN;
  const scale = Math.min((view.width * room) / picture.width, (view.height * room) / picture.height, LARGEST_FIT);
  return inside({ scale, x: 0, y: 0 }, view, picture);
}

/** The picture at a scale with the point (px, py) of the viewer staying where it is. @returns {View} */
export function zoomed(now, scale, px, py, view, picture) {
  const least = Math.min(fit(view, picture).scale, 1);
  const to = Math.min(Math.max(scale, least), MOST);
  const ratio = to / now.scale;
  return inside({ scale: to, x: px - (px - now.x) * ratio, y: py - (py - now.y) * ratio }, view, picture);
}

/** Moved by so many device pixels. @returns {View} */
export function moved(now, dx, dy, view, picture) {
  return inside({ ...now, x: now.x + dx, y: now.y + dy }, view, picture);
}

/** Whether there is more of the picture than the viewer shows. */
export function overflows(now, view, picture) {
  return picture.width * now.scale > view.width + 1 || picture.height * now.scale > view.height + 1;
}

/** The part of the picture that is seen, in its own pixels. */
export function seen(now, view, picture) {
  const x = Math.max(0, -now.x / now.scale), y = Math.max(0, -now.y / now.scale);
  return {
    x,
    y,
    width: Math.min(picture.width, (view.width - now.x) / now.scale) - x,
    height: Math.min(picture.height, (view.height - now.y) / now.scale) - y,
  };
}

/** Kept from leaving: a side that fits is centred, one that does not shows no gap. */
export function inside(now, view, picture) {
  const along = (at, length, room) => (length <= room ? (room - length) / 2 : Math.min(0, Math.max(room - length, at)));
  return {
    scale: now.scale,
    x: Math.round(along(now.x, picture.width * now.scale, view.width)),
    y: Math.round(along(now.y, picture.height * now.scale, view.height)),
  };
}
