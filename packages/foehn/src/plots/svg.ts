// A tiny SVG writer: elements as strings, numbers rounded, text escaped. Not a DOM: figures are written once, top to bottom.
// Shared by every figure so that fonts, colours and number formatting are decided in one place.

/** Ink colours of all figures; contrast on white is at least 4.5:1 for text. */
export const ink = {
  text: "#1f2430",
  muted: "#5b6270",
  frame: "#3a404c",
  grid: "#e3e6eb",
  missing: "#b9bdc4",
  background: "#ffffff",
} as const;

/** First family is the one shipped with the library; the others are what browsers have. A name that ends in a digit needs its quotes. */
export const fontFamily = "'Source Sans 3', 'Source Sans Pro', 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif";

export type Attributes = Readonly<Record<string, string | number | undefined>>;

/** Escapes text for element content and double-quoted attributes of XML and HTML. Control characters that XML 1.0 forbids are dropped. */
export function escapeXml(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these characters make an XML document invalid
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, "")
      .replaceAll("&", "&amp;")
      .replaceAll("<", "&lt;")
      .replaceAll(">", "&gt;")
      .replaceAll('"', "&quot;")
  );
}

/** Two decimals are a twentieth of a printed pixel: enough, and files stay small and comparable. */
export function round(value: number): string {
  const rounded = Math.round(value * 100) / 100;
  return String(Object.is(rounded, -0) ? 0 : rounded);
}

/** One element; `undefined` attributes are left out, numbers rounded to two decimals. */
export function el(name: string, attributes: Attributes, ...children: readonly string[]): string {
  let open = `<${name}`;
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined) open += ` ${key}="${typeof value === "number" ? round(value) : escapeXml(value)}"`;
  }
  return children.length === 0 ? `${open}/>` : `${open}>${children.join("")}</${name}>`;
}

/** A translated group. */
export function group(x: number, y: number, ...children: readonly string[]): string {
  return el("g", { transform: `translate(${round(x)},${round(y)})` }, ...children);
}

export interface TextStyle {
  readonly size?: number;
  readonly anchor?: "start" | "middle" | "end";
  readonly colour?: string;
  readonly bold?: boolean;
}

/** One line of text; `y` is the baseline. */
export function text(x: number, y: number, content: string, style: TextStyle = {}): string {
  return el(
    "text",
    {
      x,
      y,
      "font-size": style.size ?? 12,
      "text-anchor": style.anchor === undefined || style.anchor === "start" ? undefined : style.anchor,
      fill: style.colour ?? ink.text,
      "font-weight": style.bold ? 600 : undefined,
    },
    escapeXml(content),
  );
}

/** A complete SVG document on a white background. `label` is read aloud by screen readers. */
export function document(width: number, height: number, label: string, ...children: readonly string[]): string {
  return el(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      "xmlns:xlink": "http://www.w3.org/1999/xlink",
      width,
      height,
      viewBox: `0 0 ${round(width)} ${round(height)}`,
      "font-family": fontFamily,
      role: "img",
      "aria-label": label,
    },
    el("rect", { width, height, fill: ink.background }),
    ...children,
  );
}
