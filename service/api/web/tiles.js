// Progress in tiles, drawn over the picture that is being restored.

/** Columns and rows of `total` tiles: the two factors whose shape is nearest to the picture's. */
export function grid(total, width, height) {
  let best = [total, 1];
  const miss = ([columns, rows]) => Math.abs(Math.log(columns / rows / (width / height)));
  for (let columns = 1; columns <= total; columns++) {
    if (total % columns === 0 && miss([columns, total / columns]) < miss(best)) best = [columns, total / columns];
  }
  return { columns: best[0], rows: best[1] };
}

/**
 * Dim the tiles that are still to do; they are done row by row.
 * @param {CanvasRenderingContext2D} context
 * @param {{x: number, y: number, width: number, height: number}} frame where the picture lies, device pixels
 */
export function drawTiles(context, frame, { done, total }) {
  const { columns, rows } = grid(Math.max(total, 1), frame.width, frame.height);
  const x = (column) => frame.x + Math.round((frame.width * column) / columns);
  const y = (row) => frame.y + Math.round((frame.height * row) / rows);
  const line = Math.max(1, Math.round(devicePixelRatio));
  for (let tile = done; tile < columns * rows; tile++) {
    const column = tile % columns, row = Math.floor(tile / columns);
    const [left, top] = [x(column), y(row)];
    context.fillStyle = "rgb(12 12 12 / 58%)";
    context.fillRect(left, top, x(column + 1) - left, y(row + 1) - top);
    context.fillStyle = "rgb(255 255 255 / 16%)";
    if (column) context.fillRect(left, top, line, y(row + 1) - top);
    if (row) context.fillRect(left, top, x(column + 1) - left, line);
  }
}
