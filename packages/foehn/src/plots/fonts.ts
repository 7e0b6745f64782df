// Which font files draw the text of PNG figures. Source Sans 3 (SIL Open Font License 1.1) comes as an npm package, so that figures look
// the same on a bare machine; without it the system's fonts are used. SVG figures only name the family.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const fontPackage = "@expo-google-fonts/source-sans-3";
const faces = ["400Regular/SourceSans3_400Regular.ttf", "600SemiBold/SourceSans3_600SemiBold.ttf"];

let cached: readonly string[] | undefined;

/** Paths of the shipped TrueType files; empty when the font package is not installed. */
export function fontFiles(): readonly string[] {
  cached ??= findFontFiles();
  return cached;
}

function findFontFiles(): string[] {
  try {
    const folder = dirname(createRequire(import.meta.url).resolve(`${fontPackage}/package.json`));
    return faces.map((face) => join(folder, face)).filter((file) => existsSync(file));
  } catch {
    return [];
  }
}
