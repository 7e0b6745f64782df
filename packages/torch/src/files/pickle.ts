// A reader of Python pickles (protocols 0 to 5) that executes nothing: a class or function the caller does not know becomes
// an inert `PickledObject` that only says what it was. Opcodes: CPython, Lib/pickletools.py.
// It is not a general unpickler: no persistent ids unless the caller resolves them, no out-of-band buffers.

/** A global name in a pickle (a Python class or function), such as `torch.float32`, that was not called. */
export class PickledGlobal {
  constructor(readonly name: string) {}
}

/** What remains of a Python object whose class is unknown here: the class, its constructor arguments and its state. */
export class PickledObject {
  state: unknown = undefined;
  constructor(
    readonly className: string,
    readonly args: readonly unknown[],
  ) {}
}

/** How the caller gives meaning to names and persistent ids. */
export interface PickleHandlers {
  /** Value of `module.name(*args)`, or `undefined` to keep an inert `PickledObject`. */
  call?(name: string, args: readonly unknown[]): unknown;
  /** Value of a bare global, or `undefined` to keep an inert `PickledGlobal`. */
  global?(name: string): unknown;
  /** Value of a persistent id. */
  persistent?(id: unknown): unknown;
}

const MARK = Symbol("mark");

/**
 * Reads one pickle that starts at `offset`. Dictionaries become `Map`, lists and tuples arrays, sets `Set`, `None` null,
 * bytes `Uint8Array`, integers numbers (bigint beyond 2^53).
 * @returns the value and the offset behind the pickle (a stream can hold several)
 * @throws Error when the bytes are not a pickle
 */
export function readPickle(
  bytes: Uint8Array,
  handlers: PickleHandlers = {},
  offset = 0,
): { value: unknown; end: number } {
  const machine = new PickleMachine(bytes, handlers, offset);
  const value = machine.run();
  return { value, end: machine.position };
}

class PickleMachine {
  position: number;
  readonly #view: DataView;
  readonly #stack: unknown[] = [];
  readonly #memo = new Map<number, unknown>();

  constructor(
    readonly bytes: Uint8Array,
    readonly handlers: PickleHandlers,
    offset: number,
  ) {
    this.position = offset;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  run(): unknown {
    for (;;) {
      const opcode = this.#take(1).getUint8(0);
      if (opcode === 0x2e) return this.#pop(); // STOP
      this.#step(opcode);
    }
  }

  /** Executes one opcode; the comment names it as pickletools does. */
  #step(opcode: number): void {
    const push = (value: unknown) => this.#stack.push(value);
    switch (String.fromCharCode(opcode)) {
      case "\x80": // PROTO
        this.#take(1);
        return;
      case "\x95": // FRAME
        this.#take(8);
        return;
      case "(": // MARK
        return void push(MARK);
      case "0": // POP
        return void this.#pop();
      case "1": // POP_MARK
        return void this.#popToMark();
      case "2": // DUP
        return void push(this.#top());
      case "N": // NONE
        return void push(null);
      case "\x88": // NEWTRUE
        return void push(true);
      case "\x89": // NEWFALSE
        return void push(false);
      case "J": // BININT
        return void push(this.#take(4).getInt32(0, true));
      case "K": // BININT1
        return void push(this.#take(1).getUint8(0));
      case "M": // BININT2
        return void push(this.#take(2).getUint16(0, true));
      case "\x8a": // LONG1
        return void push(toInteger(this.#bytes(this.#take(1).getUint8(0))));
      case "\x8b": // LONG4
        return void push(toInteger(this.#bytes(this.#take(4).getInt32(0, true))));
      case "I": {
        // INT, which protocol 0 also uses for booleans
        const text = this.#line();
        return void push(text === "00" ? false : text === "01" ? true : parseInteger(text));
      }
      case "L": // LONG
        return void push(parseInteger(this.#line().replace(/L$/, "")));
      case "F": // FLOAT
        return void push(parseFloatText(this.#line()));
      case "G": // BINFLOAT
        return void push(this.#take(8).getFloat64(0, false));
      case "S": // STRING
        return void push(this.#line().slice(1, -1));
      case "T": // BINSTRING
        return void push(latin1(this.#bytes(this.#take(4).getInt32(0, true))));
      case "U": // SHORT_BINSTRING
        return void push(latin1(this.#bytes(this.#take(1).getUint8(0))));
      case "V": // UNICODE, in Python's raw-unicode-escape
        return void push(rawUnicode(this.#line("latin1")));
      case "X": // BINUNICODE
        return void push(utf8(this.#bytes(this.#take(4).getUint32(0, true))));
      case "\x8c": // SHORT_BINUNICODE
        return void push(utf8(this.#bytes(this.#take(1).getUint8(0))));
      case "\x8d": // BINUNICODE8
        return void push(utf8(this.#bytes(this.#size8())));
      case "B": // BINBYTES
        return void push(this.#bytes(this.#take(4).getUint32(0, true)));
      case "C": // SHORT_BINBYTES
        return void push(this.#bytes(this.#take(1).getUint8(0)));
      case "\x8e": // BINBYTES8
      case "\x96": // BYTEARRAY8
        return void push(this.#bytes(this.#size8()));
      case "]": // EMPTY_LIST
      case ")": // EMPTY_TUPLE
        return void push([]);
      case "l": // LIST
      case "t": // TUPLE
        return void push(this.#popToMark());
      case "\x85": // TUPLE1
        return void push(this.#popMany(1));
      case "\x86": // TUPLE2
        return void push(this.#popMany(2));
      case "\x87": // TUPLE3
        return void push(this.#popMany(3));
      case "a": // APPEND
        this.#extend(this.#popMany(1));
        return;
      case "e": // APPENDS
        this.#extend(this.#popToMark());
        return;
      case "}": // EMPTY_DICT
        return void push(new Map());
      case "d": {
        // DICT
        const items = this.#popToMark();
        push(new Map());
        this.#setItems(items);
        return;
      }
      case "s": // SETITEM
        this.#setItems(this.#popMany(2));
        return;
      case "u": // SETITEMS
        this.#setItems(this.#popToMark());
        return;
      case "\x8f": // EMPTY_SET
        return void push(new Set());
      case "\x90": {
        // ADDITEMS
        const items = this.#popToMark();
        const set = this.#top();
        if (!(set instanceof Set)) throw this.#damaged("items are added to something that is not a set");
        for (const item of items) set.add(item);
        return;
      }
      case "\x91": // FROZENSET
        return void push(new Set(this.#popToMark()));
      case "c": {
        // GLOBAL
        const module = this.#line();
        return void push(this.#global(`${module}.${this.#line()}`));
      }
      case "\x93": {
        // STACK_GLOBAL
        const [module, name] = this.#popMany(2);
        return void push(this.#global(`${module}.${name}`));
      }
      case "R": // REDUCE
      case "\x81": {
        // NEWOBJ
        const [target, args] = this.#popMany(2);
        return void push(this.#call(target, args));
      }
      case "\x92": {
        // NEWOBJ_EX: keyword arguments are kept as a last argument
        const [target, args, keywords] = this.#popMany(3);
        return void push(this.#call(target, [...(args as unknown[]), keywords]));
      }
      case "i": {
        // INST
        const module = this.#line();
        return void push(this.#call(this.#global(`${module}.${this.#line()}`), this.#popToMark()));
      }
      case "o": {
        // OBJ
        const [target, ...args] = this.#popToMark();
        return void push(this.#call(target, args));
      }
      case "b": {
        // BUILD: sets the attributes of an object. Attributes of a dictionary (such as `_metadata` of a state dict) are dropped.
        const state = this.#pop();
        const target = this.#top();
        if (target instanceof PickledObject) target.state = state;
        return;
      }
      case "p": // PUT
        return void this.#memo.set(Number(this.#line()), this.#top());
      case "q": // BINPUT
        return void this.#memo.set(this.#take(1).getUint8(0), this.#top());
      case "r": // LONG_BINPUT
        return void this.#memo.set(this.#take(4).getUint32(0, true), this.#top());
      case "\x94": // MEMOIZE
        return void this.#memo.set(this.#memo.size, this.#top());
      case "g": // GET
        return void push(this.#recall(Number(this.#line())));
      case "h": // BINGET
        return void push(this.#recall(this.#take(1).getUint8(0)));
      case "j": // LONG_BINGET
        return void push(this.#recall(this.#take(4).getUint32(0, true)));
      case "P": // PERSID
        return void push(this.#persistent(this.#line()));
      case "Q": // BINPERSID
        return void push(this.#persistent(this.#pop()));
      default:
        throw this.#damaged(`unknown opcode 0x${opcode.toString(16)}`);
    }
  }

  #damaged(problem: string): Error {
    return new Error(`not a readable pickle: ${problem} at byte ${this.position}`);
  }

  #take(length: number): DataView {
    if (length < 0 || this.position + length > this.bytes.byteLength) throw this.#damaged("it ends too early");
    const view = new DataView(this.#view.buffer, this.#view.byteOffset + this.position, length);
    this.position += length;
    return view;
  }

  #bytes(length: number): Uint8Array {
    const view = this.#take(length);
    return new Uint8Array(view.buffer, view.byteOffset, length);
  }

  #size8(): number {
    return Number(this.#take(8).getBigUint64(0, true));
  }

  #line(encoding: "utf8" | "latin1" = "utf8"): string {
    const end = this.bytes.indexOf(0x0a, this.position);
    if (end < 0) throw this.#damaged("it ends too early");
    const text = (encoding === "utf8" ? utf8 : latin1)(this.bytes.subarray(this.position, end));
    this.position = end + 1;
    return text;
  }

  #pop(): unknown {
    if (this.#stack.length === 0) throw this.#damaged("its stack is empty");
    return this.#stack.pop();
  }

  #top(): unknown {
    if (this.#stack.length === 0) throw this.#damaged("its stack is empty");
    return this.#stack.at(-1);
  }

  #popMany(count: number): unknown[] {
    if (this.#stack.length < count) throw this.#damaged("its stack is empty");
    return this.#stack.splice(this.#stack.length - count);
  }

  #popToMark(): unknown[] {
    const mark = this.#stack.lastIndexOf(MARK);
    if (mark < 0) throw this.#damaged("a mark is missing");
    const items = this.#stack.splice(mark + 1);
    this.#stack.pop();
    return items;
  }

  #extend(items: readonly unknown[]): void {
    const list = this.#top();
    if (list instanceof PickledObject) return; // a list of an unknown class: its items are of no use here
    if (!Array.isArray(list)) throw this.#damaged("items are appended to something that is not a list");
    for (const item of items) list.push(item);
  }

  #setItems(items: readonly unknown[]): void {
    const map = this.#top();
    if (map instanceof PickledObject) return; // likewise
    if (!(map instanceof Map)) throw this.#damaged("items are set on something that is not a dictionary");
    for (let i = 0; i + 1 < items.length; i += 2) map.set(items[i], items[i + 1]);
  }

  #recall(index: number): unknown {
    if (!this.#memo.has(index)) throw this.#damaged(`it refers to value ${index}, which it never stored`);
    return this.#memo.get(index);
  }

  #global(name: string): unknown {
    return this.handlers.global?.(name) ?? new PickledGlobal(name);
  }

  #call(target: unknown, args: unknown): unknown {
    if (!Array.isArray(args)) throw this.#damaged("a call has no argument tuple");
    if (!(target instanceof PickledGlobal)) return new PickledObject("(computed)", args);
    const { name } = target;
    return this.handlers.call?.(name, args) ?? PLAIN_CLASSES[name]?.(args) ?? new PickledObject(name, args);
  }

  #persistent(id: unknown): unknown {
    if (this.handlers.persistent === undefined) throw this.#damaged("it refers to data outside itself");
    return this.handlers.persistent(id);
  }
}

/** Builtin classes that older protocols make by a call; the names of Python 2 included. */
const PLAIN_CLASSES: Readonly<Record<string, (args: readonly unknown[]) => unknown>> = Object.assign(
  Object.create(null),
  {
    "collections.OrderedDict": toMap,
    "collections.defaultdict": () => new Map(),
    "builtins.set": toSet,
    "builtins.frozenset": toSet,
    "builtins.bytearray": toBytes,
    "builtins.bytes": toBytes,
    "__builtin__.set": toSet,
    "__builtin__.frozenset": toSet,
    "__builtin__.bytearray": toBytes,
    "__builtin__.bytes": toBytes,
    "_codecs.encode": toBytes,
  },
);

function toMap([pairs]: readonly unknown[]): Map<unknown, unknown> {
  return new Map(Array.isArray(pairs) ? pairs.filter(Array.isArray).map(([key, value]) => [key, value]) : []);
}

function toSet([items]: readonly unknown[]): Set<unknown> {
  return new Set(Array.isArray(items) ? items : []);
}

/** Protocols below 3 have no bytes and write them as text, one character per byte. */
function toBytes([text]: readonly unknown[]): Uint8Array {
  if (text instanceof Uint8Array) return text;
  return new Uint8Array(Buffer.from(typeof text === "string" ? text : "", "latin1"));
}

function rawUnicode(text: string): string {
  return text.replace(/\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})/g, (_, short, long) =>
    String.fromCodePoint(Number.parseInt(short ?? long, 16)),
  );
}

const utf8 = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");

/** Two's complement, little-endian, any length. */
function toInteger(bytes: Uint8Array): number | bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  return narrow(BigInt.asIntN(bytes.length * 8, value));
}

const parseInteger = (text: string) => narrow(BigInt(text));

function narrow(value: bigint): number | bigint {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

function parseFloatText(text: string): number {
  if (text === "inf") return Number.POSITIVE_INFINITY;
  return text === "-inf" ? Number.NEGATIVE_INFINITY : Number(text);
}
