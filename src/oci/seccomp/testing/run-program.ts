import { BPF, type Instruction } from '../bpf.ts';

/** What the kernel shows a filter of one system call (`struct seccomp_data`). */
export interface SyscallData {
  number: number;
  architecture: number;
  args: readonly bigint[];
}

/** Runs a filter as the kernel would; returns its verdict and how many instructions that took. */
export function runProgram(
  program: readonly Instruction[],
  data: SyscallData,
): { value: number; steps: number } {
  const words = new DataView(encodeData(data).buffer);
  let accumulator = 0;
  let counter = 0;
  for (let steps = 1; ; steps++) {
    const instruction = program[counter++];
    if (instruction === undefined) throw new Error(`ran off the program at ${counter - 1}`);
    const { code, operand, jumpTrue, jumpFalse } = instruction;
    if (Math.max(jumpTrue, jumpFalse) > 255) throw new Error(`a jump too far at ${counter - 1}`);
    if (code === BPF.RETURN) return { value: operand, steps };
    if (code === BPF.LOAD_WORD) accumulator = words.getUint32(operand, true);
    else if (code === BPF.AND) accumulator = (accumulator & operand) >>> 0;
    else if (code === BPF.JUMP_ALWAYS) counter += operand;
    else counter += compare(code, accumulator, operand) ? jumpTrue : jumpFalse;
  }
}

function compare(code: number, accumulator: number, operand: number): boolean {
  switch (code) {
    case BPF.JUMP_EQUAL:
      return accumulator === operand;
    case BPF.JUMP_GREATER:
      return accumulator > operand;
    case BPF.JUMP_GREATER_OR_EQUAL:
      return accumulator >= operand;
    default:
      throw new Error(`no such instruction: ${code}`);
  }
}

function encodeData({ number, architecture, args }: SyscallData): Uint8Array {
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, number >>> 0, true);
  view.setUint32(4, architecture, true);
  for (let index = 0; index < 6; index++) {
    view.setBigUint64(16 + 8 * index, args[index] ?? 0n, true);
  }
  return bytes;
}
