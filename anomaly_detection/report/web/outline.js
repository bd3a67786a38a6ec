// Outlines on pictures.

/** A box in frame pixels: light on dark, so that it is seen on any picture. */
function strokeBox(context, box, scale, dash) {
  const [x0, y0, x1, y1] = box.map((edge) => edge * scale);
  context.setLineDash(dash);
  for (const [colour, width] of [
    ["rgb(0 0 0 / .6)", 4.5],
    ["#7fe7ff", 2],
  ]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.strokeRect(x0 + 1.5, y0 + 1.5, x1 - x0 - 3, y1 - y0 - 3);
  }
  context.setLineDash([]);
}
