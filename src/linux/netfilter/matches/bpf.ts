/** `-m bpf --bytecode`: a classic BPF program over the packet from its IPv4 header on (xt_bpf; S. McCanne, V. Jacobson, 1993). */
import { getU16, getU32 } from "../../../wire/bytes.ts";
import { type MatchExtension, option, RuleError } from "../extension.ts";
import type { Packet } from "../packet.ts";
import type { Match } from "../rule-parts.ts";
import { ancillary, isAncillary, isKnownAncillary } from "./bpf-ancillary.ts";

const MAXIMUM_INSTRUCTIONS = 64;
const MEMORY_WORDS = 16;

/** Instruction classes, sizes, modes and operations (linux/bpf_common.h). */
const LD = 0;
const LDX = 1;
const ST = 2;
const STX = 3;
const ALU = 4;
const JMP = 5;
const RET = 6;
const SIZE_WORD = 0x00;
const SIZE_HALF = 0x08;
const MODE_IMMEDIATE = 0x00;
const MODE_ABSOLUTE = 0x20;
const MODE_INDIRECT = 0x40;
const MODE_MEMORY = 0x60;
const MODE_LENGTH = 0x80;
const MODE_HEADER = 0xa0;
const SOURCE_X = 0x08;
const TAX = 0x00;

interface Instruction {
  readonly code: number;
  readonly whenTrue: number;
  readonly whenFalse: number;
  readonly operand: number;
}

class BpfMatch implements Match {
  readonly name = "bpf";
  readonly #program: readonly Instruction[];
  readonly #memory = new Int32Array(MEMORY_WORDS);

  constructor(program: readonly Instruction[]) {
    this.#program = program;
  }

  matches(packet: Packet): boolean {
    return run(this.#program, packet.bytes, packet.at, packet.end, this.#memory.fill(0)) !== 0;
  }
  save(): string {
    return `--bytecode "${this.#program.length},${this.#format()}"`;
  }
  list(): string {
    return `match bpf ${this.#format()} `;
  }
  #format(): string {
    return this.#program
      .map(({ code, whenTrue, whenFalse, operand }) => `${code} ${whenTrue} ${whenFalse} ${operand}`)
      .join(",");
  }
}

/** What the program returns; 0 too when it reads outside the packet. Jumps go forward only, so it ends. */
function run(program: readonly Instruction[], bytes: Uint8Array, at: number, end: number, memory: Int32Array): number {
  let a = 0;
  let x = 0;
  for (let pc = 0; pc < program.length; pc++) {
    const { code, whenTrue, whenFalse, operand } = program[pc]!;
    const kind = code & 7;
    if (kind === RET) return (code & 0x18) === 0x10 ? a : operand;
    if (kind === ST) memory[operand] = a;
    else if (kind === STX) memory[operand] = x;
    else if (kind === ALU) {
      const result = compute(code & 0xf0, a, (code & SOURCE_X) !== 0 ? x : operand);
      if (result === undefined) return 0; // division by zero
      a = result;
    } else if (kind === JMP) {
      const other = (code & SOURCE_X) !== 0 ? x : operand;
      if ((code & 0xf0) === 0) pc += operand;
      else pc += jumps(code & 0xf0, a, other) ? whenTrue : whenFalse;
    } else if (kind === LD || kind === LDX) {
      const mode = code & 0xe0;
      let value: number;
      if (mode === MODE_IMMEDIATE) value = operand;
      else if (mode === MODE_LENGTH) value = end - at;
      else if (mode === MODE_MEMORY) value = memory[operand]! >>> 0;
      else if (mode === MODE_ABSOLUTE && isAncillary(operand)) value = ancillary(bytes, at, end, operand);
      else {
        const where = at + operand + (mode === MODE_INDIRECT ? x : 0);
        const size = mode === MODE_HEADER ? 1 : (code & 0x18) === SIZE_WORD ? 4 : (code & 0x18) === SIZE_HALF ? 2 : 1;
        if (where < at || where + size > end) return 0;
        value = size === 4 ? getU32(bytes, where) : size === 2 ? getU16(bytes, where) : bytes[where]!;
        if (mode === MODE_HEADER) value = (value & 15) * 4;
      }
      if (kind === LD) a = value;
      else x = value;
    } else if ((code & 0xf8) === TAX) x = a;
    else a = x;
  }
  return 0;
}

function compute(operation: number, a: number, b: number): number | undefined {
  switch (operation) {
    case 0x00:
      return (a + b) >>> 0;
    case 0x10:
      return (a - b) >>> 0;
    case 0x20:
      return Math.imul(a, b) >>> 0;
    case 0x30:
      return b === 0 ? undefined : Math.floor(a / b);
    case 0x40:
      return (a | b) >>> 0;
    case 0x50:
      return (a & b) >>> 0;
    case 0x60:
      return b > 31 ? 0 : (a << b) >>> 0;
    case 0x70:
      return b > 31 ? 0 : a >>> b;
    case 0x80:
      return -a >>> 0;
    case 0x90:
      return b === 0 ? undefined : a % b;
    default:
      return (a ^ b) >>> 0;
  }
}

function jumps(operation: number, a: number, b: number): boolean {
  switch (operation) {
    case 0x10:
      return a === b;
    case 0x20:
      return a > b;
    case 0x30:
      return a >= b;
    default:
      return (a & b) !== 0;
  }
}

/** `4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0`: the number of instructions, then each. */
function parse(text: string): Instruction[] {
  const [countText, ...words] = text.split(",");
  const count = Number(countText);
  if (!/^\d+$/.test(countText ?? "") || count < 1 || count > MAXIMUM_INSTRUCTIONS || count !== words.length)
    throw new RuleError("bpf: error parsing program length");
  const program = words.map((word) => {
    const numbers = word.trim().split(/\s+/).map(Number);
    const [code, whenTrue, whenFalse, operand] = numbers;
    if (numbers.length !== 4 || numbers.some((number) => !Number.isInteger(number) || number < 0))
      throw new RuleError("bpf: error at instr 0");
    return { code: code!, whenTrue: whenTrue!, whenFalse: whenFalse!, operand: operand! };
  });
  program.forEach((instruction, index) => {
    if (!isValid(instruction, index, program.length)) throw new RuleError(`bpf: error at instr ${index}`);
  });
  if ((program[program.length - 1]!.code & 7) !== RET) throw new RuleError("bpf: program does not return");
  return program;
}

/** What the kernel's checker asks (bpf_check_classic): jumps stay inside, memory words exist, loads have a known mode. */
function isValid(instruction: Instruction, index: number, length: number): boolean {
  const { code, whenTrue, whenFalse, operand } = instruction;
  if (code > 0xff || operand > 0xffff_ffff) return false;
  const kind = code & 7;
  const mode = code & 0xe0;
  if (kind === ST || kind === STX) return operand < MEMORY_WORDS;
  if (kind === LD || kind === LDX) {
    if (mode === MODE_MEMORY) return operand < MEMORY_WORDS;
    if (mode === MODE_ABSOLUTE && isAncillary(operand)) return isKnownAncillary(operand);
    return (
      mode === MODE_IMMEDIATE ||
      mode === MODE_ABSOLUTE ||
      mode === MODE_INDIRECT ||
      mode === MODE_LENGTH ||
      mode === MODE_HEADER
    );
  }
  if (kind === JMP) {
    if ((code & 0xf0) === 0) return index + 1 + operand < length;
    return (code & 0xf0) <= 0x40 && index + 1 + Math.max(whenTrue, whenFalse) < length;
  }
  if (kind === ALU) return (code & 0xf0) <= 0xa0;
  return true;
}

export const BPF_MATCH: MatchExtension = {
  name: "bpf",
  options: [option("bytecode")],
  build: (uses) => new BpfMatch(parse(uses.required("bytecode"))),
};
