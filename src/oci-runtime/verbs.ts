import type { VerbName } from './arguments/verb-flags.ts';
import type { Verb } from './runtime-context.ts';

/** Where each verb is; loaded when it is called for. */
export const VERBS: Readonly<Record<VerbName, () => Promise<Verb>>> = {
  create: async () => (await import('./verbs/create.ts')).create,
  start: async () => (await import('./verbs/start.ts')).start,
  state: async () => (await import('./verbs/state.ts')).state,
  kill: async () => (await import('./verbs/kill.ts')).kill,
  delete: async () => (await import('./verbs/delete.ts')).delete_,
  run: async () => (await import('./verbs/run.ts')).run,
  features: async () => (await import('./verbs/features.ts')).features,
  spec: async () => (await import('./verbs/spec.ts')).spec,
  exec: async () => (await import('./verbs/exec.ts')).exec,
  ps: async () => (await import('./verbs/ps.ts')).ps,
  list: async () => (await import('./verbs/list.ts')).list,
  pause: async () => (await import('./verbs/pause.ts')).pause,
  resume: async () => (await import('./verbs/pause.ts')).resume,
  update: async () => (await import('./verbs/update.ts')).update,
  events: async () => (await import('./verbs/events.ts')).events,
};
