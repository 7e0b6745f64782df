// Writes src/generated/: the public operators of the built library as typed methods and functions. Run after a native build:
//   node scripts/generate-operators.mjs [folder]
// Only types, names and doc comments are generated; every call goes through invoke() in src/operators.ts.
// Convention: required arguments in schema order, everything with a default in one options object. A keyword-only argument
// without default is a required option. A `dim` without default, where another overload of the same name does without it
// (sum, mean, max …), is offered both ways.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { docs } from "./operator-docs.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const native = createRequire(import.meta.url)(
  process.env.FOEHN_TORCH_ADDON ?? `${root}/build/Release/foehn_torch.node`,
);
native.setup(new Float64Array(72), (_code, message) => new Error(message));

// Written by hand in src/tensor.ts, src/creation.ts and src/random.ts.
const METHODS_BY_HAND = new Set(
  "to size stride numel item storage_offset is_contiguous grad backward detach index cpu cuda float double half bfloat16 long int bool requires_grad_ retain_grad is_leaf data".split(
    " ",
  ),
);
const FUNCTIONS_BY_HAND = new Set(
  "zeros ones empty rand randn full arange linspace eye randperm randint normal tensor zeros_like ones_like empty_like full_like rand_like randn_like range".split(
    " ",
  ),
);
const RESERVED = new Set(
  "var in default function with new delete import export class enum return switch case".split(" "),
);

// Kernels behind other operators, other backends, named dimensions, quantised and sparse internals.
const SKIP = [
  /^_/,
  /backward/,
  /(?<!index)_copy$/,
  /_forward$/,
  /^(cudnn|mkldnn|miopen|mps|xnnpack|fbgemm|quantized|quantize|dequantize|thnn|slow|native|nested|sym|lift|unsafe|batch_norm_|sparse_|fake_quantize|fused_)/,
  /^(q_|qscheme|int_repr|choose_qparams|rrelu_with_noise|conv_depthwise3d|convolution_overrideable|conv_tbc|sspaddmm|smm|hspmm|spmm|ccol_indices|crow_indices|col_indices|row_indices|indices|values|coalesce|is_coalesced|dense_dim|sparse_mask|sparse_resize|copy_sparse|resize_as_sparse|rename|align_|refine_names|names|has_names|record_stream|set_data|output_nr|is_set_to|retains_grad|is_pinned|pin_memory|from_file|alias$|wait_tensor|segment_reduce|to_mkldnn|to_padded_tensor|max_pool1d_with_indices_|is_vulkan|is_distributed|is_inference|resolve_|stft$|data$|set_$|nuclear_norm|chalf|grid_sampler_2d$|grid_sampler_3d$|embedding_renorm_|glu_jvp|linalg_.*_ex$|linalg_ldl_factor_ex|upsample_.*\.vec$)/,
];

const camel = (name) => name.replace(/(?<=[^_])_+([a-z0-9])/gi, (_, letter) => letter.toUpperCase());

function parseType(code) {
  const m = /^(\?)?(?:\[(\d*):)?(\?)?(\w)$/.exec(code);
  return { optional: !!m[1], list: m[2] !== undefined, fixed: !!m[2], elementOptional: !!m[3], kind: m[4] };
}

const TYPES = {
  T: "Tensor",
  i: "number",
  f: "number",
  s: "Scalar",
  b: "boolean",
  S: "string",
  d: "DType",
  L: "Layout",
  m: "MemoryFormat",
  D: "Device",
  G: "Generator",
  c: "Complex",
};

function tsType(code) {
  const t = parseType(code);
  let text = TYPES[t.kind];
  if (t.list) {
    const element = t.elementOptional ? `(${text} | null)` : text;
    text = t.fixed ? `${text} | readonly ${element}[]` : `readonly ${element}[]`;
  }
  return t.optional ? `${text} | null` : text;
}

function resultType(op, self) {
  const names =
    /-> \((.*)\)$/
      .exec(op.schema)?.[1]
      .split(",")
      .map((part) => / (\w+)$/.exec(part.trim())?.[1] ?? "") ?? [];
  const one = (r) => {
    if (r.aliasOf === 0) return self;
    if (r.aliasOf > 0) return "Tensor";
    const t = parseType(r.type);
    const base = t.kind === "s" ? "number" : TYPES[t.kind];
    return `${base}${t.list ? "[]" : ""}${t.optional ? " | null" : ""}`;
  };
  if (op.returns.length === 0) return "void";
  if (op.returns.length === 1) return one(op.returns[0]);
  const all = names.length === op.returns.length && names.every(Boolean);
  return `[${op.returns.map((r, i) => (all ? `${camel(names[i])}: ` : "") + one(r)).join(", ")}]`;
}

const safe = (name) => (RESERVED.has(name) ? `${name}_` : name);
const isRequired = (a) => !a.hasDefault;

/** The parameter lists an overload is offered with: [positional arguments, option arguments][] */
function forms(op, siblings) {
  const positional = op.arguments.filter((a) => isRequired(a) && !a.keywordOnly);
  const options = op.arguments.filter((a) => !isRequired(a) || a.keywordOnly);
  const out = [[positional, options]];
  const rest = positional.slice(1);
  const reducing =
    rest.length > 0 &&
    rest.every((a) => ["dim", "dims", "p"].includes(a.name)) &&
    rest.some((a) => a.name.startsWith("dim"));
  const whole = siblings.some((s) => s !== op && s.arguments.filter(isRequired).length === 1);
  if (reducing && whole) out.push([positional.slice(0, 1), [...rest, ...options]]);
  return out;
}

function signature(op, siblings, method) {
  return forms(op, siblings).map(([positional, options]) => {
    const named = (method ? positional.slice(1) : positional).map((a) => `${safe(camel(a.name))}: ${tsType(a.type)}`);
    if (options.length > 0) {
      const must = options.some(isRequired) ? "" : "?";
      const fields = options.map(
        (a) => `${camel(a.name)}${isRequired(a) && !a.type.startsWith("?") ? "" : "?"}: ${tsType(a.type)}`,
      );
      const anyRequired = options.some((a) => isRequired(a) && !a.type.startsWith("?"));
      named.push(`options${anyRequired ? "" : must || "?"}: { ${fields.join("; ")} }`);
    }
    return `(${named.join(", ")}): ${resultType(op, method ? "this" : "Tensor")}`;
  });
}

function comment(op, sentence, indent) {
  const schema = `\`${op.schema.replace(/\*\//g, "* /")}\``;
  return sentence
    ? `${indent}/**\n${indent} * ${sentence}\n${indent} *\n${indent} * ${schema}\n${indent} */`
    : `${indent}/** ${schema} */`;
}

const names = [...new Set(native.operatorNames().map((n) => n.split(".")[0]))]
  .filter((n) => n.startsWith("aten::"))
  .map((n) => n.slice(6))
  .filter((n) => /^[a-z]/.test(n) && !SKIP.some((pattern) => pattern.test(n)))
  .sort();

const methods = [];
const functions = [];
for (const name of names) {
  const overloads = native
    .overloads(`aten::${name}`)
    .filter(
      (op) =>
        !op.arguments.some((a) => a.out || a.type.endsWith("X")) &&
        !op.returns.some((r) => r.type.endsWith("X") || r.type.endsWith("G")) &&
        !/Dimname/.test(op.schema) &&
        !/\.(.*_)?(names|out|grad_input)(_out)?\(/.test(op.schema),
    );
  if (overloads.length === 0) continue;
  const onTensor = overloads.filter(
    (op) => ["self", "input"].includes(op.arguments[0]?.name) && op.arguments[0].type === "T",
  );
  const sentence =
    docs[name] ??
    (name.endsWith("_") && docs[name.slice(0, -1)]
      ? `${docs[name.slice(0, -1)].replace(/\.$/, "")}, in place.`
      : undefined);
  if (onTensor.length > 0 && !METHODS_BY_HAND.has(name)) {
    const lines = [];
    onTensor.forEach((op, i) => {
      const doc = comment(op, i === 0 ? sentence : undefined, "  ");
      for (const form of new Set(signature(op, onTensor, true))) lines.push(`${doc}\n  ${camel(name)}${form};`);
    });
    methods.push({ name, text: lines.join("\n") });
  }
  if (!FUNCTIONS_BY_HAND.has(name) && !RESERVED.has(name)) {
    const seen = new Set();
    const lines = [];
    for (const op of overloads) {
      for (const form of signature(op, overloads, false)) {
        if (!seen.has(form)) lines.push(`${comment(op, undefined, "  ")}\n  ${form};`);
        seen.add(form);
      }
    }
    functions.push({
      name,
      text: `${sentence ? `/** ${sentence} */\n` : ""}export const ${camel(name)} = operatorFunction("${name}") as {\n${lines.join("\n")}\n};`,
    });
  }
}

const HEAD = `// Generated by scripts/generate-operators.mjs from libtorch ${native.versions().libtorch}: do not edit.\n`;
const IMPORTS = {
  DType: "../dtype.js",
  Device: "../dtype.js",
  Layout: "../dtype.js",
  MemoryFormat: "../dtype.js",
  Generator: "../random.js",
  Complex: "../schema.js",
  Scalar: "../schema.js",
  Tensor: "../tensor.js",
};
function imports(text) {
  const code = text.replace(/\/\*\*[\s\S]*?\*\//g, "");
  const byFile = new Map();
  for (const [name, file] of Object.entries(IMPORTS)) {
    if (new RegExp(`\\b${name}\\b`).test(code)) byFile.set(file, [...(byFile.get(file) ?? []), name]);
  }
  return [...byFile].map(([file, list]) => `import type { ${list.join(", ")} } from "${file}";`).join("\n");
}

const folder = process.argv[2] ?? `${root}/src/generated`;
mkdirSync(folder, { recursive: true });
for (const file of readdirSync(folder)) rmSync(`${folder}/${file}`);

/** Files of at most about a thousand lines, cut between first letters. */
function split(items) {
  const parts = [];
  for (const letter of new Set(items.map((i) => i.name[0]))) {
    const group = items.filter((i) => i.name[0] === letter);
    const lines = (list) => list.reduce((n, i) => n + i.text.split("\n").length, 0);
    const last = parts.at(-1);
    if (last && lines(last.items) + lines(group) < 1100) {
      last.items.push(...group);
      last.to = letter;
    } else parts.push({ from: letter, to: letter, items: group });
  }
  return parts.map((p) => ({ tag: p.from === p.to ? p.from : `${p.from}-${p.to}`, items: p.items }));
}

const methodParts = split(methods);
for (const { tag, items } of methodParts) {
  const text = items.map((i) => i.text).join("\n");
  writeFileSync(
    `${folder}/methods-${tag}.ts`,
    `${HEAD}${imports(text)}\n\nexport interface TensorMethods${tag.replace("-", "").toUpperCase()} {\n${text}\n}\n`,
  );
}
const table = methods.map((m) => `  ${camel(m.name)}: "${m.name}",`).join("\n");
writeFileSync(
  `${folder}/methods.ts`,
  `${HEAD}${methodParts.map((p) => `import type { TensorMethods${p.tag.replace("-", "").toUpperCase()} } from "./methods-${p.tag}.js";`).join("\n")}

/** The operators whose first argument is a tensor, as its methods. */
export interface TensorMethods extends ${methodParts.map((p) => `TensorMethods${p.tag.replace("-", "").toUpperCase()}`).join(", ")} {}

/** Method names and the operators they call. */
export const tensorMethodNames: Readonly<Record<string, string>> = {
${table}
};
`,
);
const functionParts = split(functions);
for (const { tag, items } of functionParts) {
  const text = items.map((i) => i.text).join("\n\n");
  writeFileSync(
    `${folder}/functions-${tag}.ts`,
    `${HEAD}import { operatorFunction } from "../operators.js";\n${imports(text)}\n\n${text}\n`,
  );
}
writeFileSync(
  `${folder}/functions.ts`,
  `${HEAD}${functionParts.map((p) => `export * from "./functions-${p.tag}.js";`).join("\n")}\n`,
);
const unused = Object.keys(docs).filter((name) => !names.includes(name));
for (const name of unused) console.log(`no operator ${name}`);
console.log(`${methods.length} methods, ${functions.length} functions, ${unused.length} doc lines without an operator`);
