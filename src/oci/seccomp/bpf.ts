import { unsupported } from '../translate/unsupported.ts';

/** linux/bpf_common.h: the few instructions of classic BPF that a seccomp filter needs. */
export const BPF = {
  LOAD_WORD: 0x20, // BPF_LD | BPF_W | BPF_ABS
  JUMP_ALWAYS: 0x05,
  JUMP_EQUAL: 0x15,
  JUMP_GREATER: 0x25,
  JUMP_GREATER_OR_EQUAL: 0x35,
  AND: 0x54,
  RETURN: 0x06,
} as const;

export type Comparison =
  | typeof BPF.JUMP_EQUAL
  | typeof BPF.JUMP_GREATER
  | typeof BPF.JUMP_GREATER_OR_EQUAL;

/** `struct sock_filter`. */
export interface Instruction {
  code: number;
  jumpTrue: number;
  jumpFalse: number;
  operand: number;
}

/** A place in a program under construction. */
export type Label = number;

/** Conditional jumps reach 255 instructions ahead; one less leaves room for a detour beside them. */
const LONGEST_JUMP = 254;
const INSTRUCTION_BYTES = 8;
/** BPF_MAXINSNS: the kernel takes no longer program. */
const MAXIMUM_INSTRUCTIONS = 4096;

/**
 * Writes a program from its end to its beginning, so that every jump, which in classic BPF can only
 * go forward, has its target already. Targets out of reach are reached by an unconditional jump, whose offset
 * has 32 bits. Each method returns the label of what it wrote, and
 * fails with SPEC_UNSUPPORTED when the program becomes too long.
 */
export class BackwardAssembler {
  /** Last instruction first; a label is an index here. */
  readonly #reversed: Instruction[] = [];
  readonly #returns = new Map<number, Label>();

  return(value: number): Label {
    const known = this.#returns.get(value);
    // Another return costs no more than the detour to one out of reach.
    if (known !== undefined && this.#distance(known) < LONGEST_JUMP) return known;
    const label = this.#write(BPF.RETURN, value);
    this.#returns.set(value, label);
    return label;
  }

  load(offset: number, next: Label): Label {
    this.#continueAt(next);
    return this.#write(BPF.LOAD_WORD, offset);
  }

  and(mask: number, next: Label): Label {
    this.#continueAt(next);
    return this.#write(BPF.AND, mask);
  }

  jump(comparison: Comparison, operand: number, whenTrue: Label, whenFalse: Label): Label {
    if (whenTrue === whenFalse) return whenTrue;
    const nearTrue = this.#bringNear(whenTrue);
    const nearFalse = this.#bringNear(whenFalse);
    const jumps = [this.#distance(nearTrue), this.#distance(nearFalse)] as const;
    return this.#write(comparison, operand, ...jumps);
  }

  /** The program that begins at `start`. */
  finish(start: Label): Instruction[] {
    this.#continueAt(start);
    return this.#reversed.toReversed();
  }

  /** What is written next must fall through to `next`. */
  #continueAt(next: Label): void {
    const distance = this.#distance(next);
    if (distance > 0) this.#write(BPF.JUMP_ALWAYS, distance);
  }

  #bringNear(target: Label): Label {
    const distance = this.#distance(target);
    return distance < LONGEST_JUMP ? target : this.#write(BPF.JUMP_ALWAYS, distance);
  }

  #distance(target: Label): number {
    return this.#reversed.length - 1 - target;
  }

  #write(code: number, operand: number, jumpTrue = 0, jumpFalse = 0): Label {
    if (this.#reversed.length === MAXIMUM_INSTRUCTIONS) {
      const limit = `${MAXIMUM_INSTRUCTIONS} instructions, the most that the kernel takes`;
      throw unsupported('linux.seccomp', `the filter needs more than ${limit}`);
    }
    return this.#reversed.push({ code, jumpTrue, jumpFalse, operand }) - 1;
  }
}

/** The bytes of an array of `struct sock_filter` on a little-endian machine. */
export function encodeProgram(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * INSTRUCTION_BYTES);
  const view = new DataView(bytes.buffer);
  program.forEach(({ code, jumpTrue, jumpFalse, operand }, index) => {
    const offset = index * INSTRUCTION_BYTES;
    view.setUint16(offset, code, true);
    view.setUint8(offset + 2, jumpTrue);
    view.setUint8(offset + 3, jumpFalse);
    view.setUint32(offset + 4, operand, true);
  });
  return bytes;
}
