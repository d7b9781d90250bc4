/** Draws one icon of the sprite; every name written as icon("x") gets into the sprite by build.mjs. */

const SVG = "http://www.w3.org/2000/svg";

export function icon(name: string, size = 16): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `icon icon-${size}`);
  svg.setAttribute("width", String(size));
  svg.setAttribute("height", String(size));
  svg.setAttribute("stroke-width", "1.75");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${ICONS_URL}#${name}`);
  svg.append(use);
  return svg;
}
