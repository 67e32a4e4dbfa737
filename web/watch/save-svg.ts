/** Turns a drawing in the page into a file that needs nothing else. */

/** The style properties that are copied, with their present values. */
const LOOKS = [
  ...['fill', 'stroke', 'stroke-width', 'stroke-dasharray', 'stroke-linecap', 'stroke-linejoin'],
  ...['font-family', 'font-size', 'font-weight', 'text-anchor', 'dominant-baseline', 'opacity'],
];

/**
 * The drawing as an SVG file.
 * @param title said above it
 */
export function svgFile(svg: SVGSVGElement, title: string): string {
  const copy = svg.cloneNode(true);
  if (!(copy instanceof SVGSVGElement)) throw new Error('a copy of something else');
  const originals = [svg, ...svg.querySelectorAll('*')];
  const paint = painter();
  for (const [at, element] of [copy, ...copy.querySelectorAll('*')].entries()) {
    for (const name of element.getAttributeNames())
      if (/^(?:class|style|data-|role|aria-)/.test(name)) element.removeAttribute(name);
    const original = originals[at];
    if (original === undefined || element.tagName === 'title') continue;
    const style = getComputedStyle(original);
    for (const look of LOOKS) {
      const value = style.getPropertyValue(look);
      element.setAttribute(look, look === 'fill' || look === 'stroke' ? paint(value) : value);
    }
  }
  frame(copy, svg, title, paint);
  return `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(copy)}`;
}

/** Room for the title, on the page's background colour. */
function frame(
  copy: SVGSVGElement,
  { viewBox: { baseVal } }: SVGSVGElement,
  title: string,
  paint: (colour: string) => string,
): void {
  const above = 34;
  const { width } = baseVal;
  const height = baseVal.height + above;
  const { color, backgroundColor, fontFamily } = getComputedStyle(document.documentElement);
  const make = (name: string, attributes: Readonly<Record<string, string | number>>) => {
    const element = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
    return element;
  };
  const words = make('text', {
    ...{ x: 10, y: 12 - above, 'font-size': 16, 'font-weight': 700, 'dominant-baseline': 'middle' },
    ...{ fill: paint(color), 'font-family': fontFamily },
  });
  words.textContent = title;
  copy.prepend(
    make('rect', { x: 0, y: -above, width, height, fill: paint(backgroundColor) }),
    words,
  );
  const whole = { viewBox: `0 ${-above} ${width} ${height}`, width, height };
  for (const [key, value] of Object.entries(whole)) copy.setAttribute(key, String(value));
}

/** Colours in a form that every program knows: some do not know newer forms that browsers return. */
function painter(): (colour: string) => string {
  const known = new Map<string, string>();
  const canvas = document.createElement('canvas');
  canvas.width = 1;
  canvas.height = 1;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  return (colour) => {
    if (context === null || colour === 'none') return colour;
    const before = known.get(colour);
    if (before !== undefined) return before;
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    const [red = 0, green = 0, blue = 0, alpha = 0] = context.getImageData(0, 0, 1, 1).data;
    const digits = [red, green, blue].map((part) => part.toString(16).padStart(2, '0'));
    const plain = alpha === 0 ? 'none' : `#${digits.join('')}`;
    known.set(colour, plain);
    return plain;
  };
}
