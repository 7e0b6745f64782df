// How wide a line of text will be, without a font engine: advance widths of Source Sans 3 Regular and SemiBold for ASCII (1/1000 em).
// Used to keep labels from touching each other; a browser with another font stays within a few per cent.

const regular = [
  200, 289, 426, 497, 497, 824, 609, 249, 303, 303, 418, 497, 249, 311, 249, 350, 497, 497, 497, 497, 497, 497, 497,
  497, 497, 497, 249, 249, 497, 497, 497, 425, 847, 543, 588, 571, 615, 527, 494, 617, 652, 263, 479, 579, 486, 727,
  647, 664, 566, 664, 569, 534, 536, 645, 515, 786, 513, 476, 539, 303, 350, 303, 497, 500, 542, 504, 553, 456, 555,
  496, 292, 504, 544, 246, 247, 495, 255, 829, 547, 542, 555, 555, 347, 419, 338, 544, 467, 719, 446, 467, 425, 303,
  241, 303, 497,
] as const;

const boldFactor = 1.035;
const superscripts = /[⁰¹²³⁴⁵⁶⁷⁸⁹⁻°]/u;

/** Width of one line of text in pixels at the given font size. */
export function textWidth(content: string, size: number, bold = false): number {
  let units = 0;
  for (const character of content) {
    const code = character.codePointAt(0) ?? 32;
    // Outside ASCII: superscripts are narrow, CJK is square, everything else is about as wide as a digit.
    units += regular[code - 32] ?? (superscripts.test(character) ? 367 : code > 0x2e80 ? 1000 : 540);
  }
  return (units * size * (bold ? boldFactor : 1)) / 1000;
}

/** Shortens a text with an ellipsis so that it fits; returns it unchanged when it does. */
export function fitText(content: string, size: number, maxWidth: number, bold = false): string {
  if (textWidth(content, size, bold) <= maxWidth) return content;
  const characters = [...content];
  while (characters.length > 1 && textWidth(`${characters.join("").trimEnd()}…`, size, bold) > maxWidth)
    characters.pop();
  return `${characters.join("").trimEnd()}…`;
}

/** Breaks a text at spaces into lines no wider than `maxWidth`; a single longer word keeps a line of its own. */
export function wrapText(content: string, size: number, maxWidth: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of content.split(/\s+/).filter((w) => w !== "")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && textWidth(longer, size) > maxWidth) {
      lines.push(line);
      line = word;
    } else {
      line = longer;
    }
  }
  if (line !== "") lines.push(line);
  return lines;
}
