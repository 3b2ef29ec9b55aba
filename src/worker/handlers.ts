import { LightningError, SessionError } from "../base/errors.js";
import type { Session } from "../generate/session.js";
import { MiniMaxM1 } from "../minimax-m1.js";
import { Cache } from "../model/cache.js";
import type { Server } from "../serve/server.js";
import { type ModelEvent, type ModelFacts, PROTOCOL_VERSION, type SessionChange } from "./protocol.js";
import { receiveSource } from "./sent-source.js";
import type { Handlers } from "./serve-calls.js";

/** A session or a cache, or the error of its creation, which each use reports. */
type Entry = { readonly object: OpenSession | Cache } | { readonly error: unknown };

/** A session, and the number of its tokens that the page knows. */
class OpenSession {
  private reported = 0;

  constructor(readonly session: Session) {
    this.reported = session.length;
  }

  /** Returns what has changed since the last call. */
  change(): SessionChange {
    const { ids, minLength, seed } = this.session;
    const added = ids.slice(this.reported);
    this.reported = ids.length;
    return { ids: added, minLength, seed };
  }

  rewind(length: number): void {
    this.session.rewind(length);
    this.reported = length;
  }

  dispose(): void {
    this.session.dispose();
  }
}

/** Creates the handlers for one model. @param onEvent called with events that belong to no call */
export function createHandlers(onEvent: (event: ModelEvent) => void): Handlers {
  let loaded: MiniMaxM1 | undefined;
  let serveOptions: object = {};
  let server: Promise<Server> | undefined;
  const entries = new Map<number, Entry>();

  const model = (): MiniMaxM1 => {
    if (!loaded) throw new LightningError("worker: expected a loaded model, got a call before the model was loaded");
    return loaded;
  };
  const create = (handle: number, open: () => OpenSession | Cache): void => {
    try {
      entries.set(handle, { object: open() });
    } catch (error) {
      entries.set(handle, { error });
      throw error;
    }
  };
  const find = <T extends OpenSession | Cache>(handle: number, kind: abstract new (...args: never[]) => T): T => {
    const entry = entries.get(handle);
    if (entry && "error" in entry) throw entry.error;
    if (!(entry?.object instanceof kind)) throw new SessionError("session: used after dispose");
    return entry.object;
  };
  const session = (handle: number): OpenSession => find(handle, OpenSession);
  // The constructor of Cache is private.
  const cache = (handle: number): Cache => find(handle, Cache as unknown as new () => Cache);

  return {
    async load({ version, source, options, kernels, tokenizer, serve }) {
      if (version !== PROTOCOL_VERSION) {
        throw new LightningError(
          "worker: expected lightning-m1-worker.js of the same version of lightning-m1 as the page, got another version. Copy the file again.",
        );
      }
      serveOptions = serve;
      loaded = await MiniMaxM1.load(receiveSource(source), {
        ...options,
        onProgress: (progress) => onEvent({ progress }),
        onWarning: (warning) => onEvent({ warning }),
        ...(kernels && { onKernel: (kernel) => onEvent({ kernel }) }),
      });
      const { config, parameters, build, threads, textFiles } = loaded;
      const text = loaded.tokenizer && { eosId: loaded.tokenizer.eosId };
      const files = tokenizer ? new Map([...textFiles].map(([name, bytes]) => [name, bytes.slice()])) : undefined;
      return { config, parameters, build, threads, text, files } satisfies ModelFacts;
    },
    statistics() {
      const { threads, memory, streaming } = model();
      return { threads, memory, streaming };
    },
    formatChat: ({ messages, options }) => model().formatChat(messages, options),
    async *generate({ inputs, options }, { signal }) {
      const generation = model().generateBatch(inputs, { ...options, signal });
      for await (const token of generation) yield { token, usage: { ...generation.usage } };
    },
    async forward({ batch, options, caches: handles, layers }, { signal, emit }) {
      const caches = handles?.map(cache);
      const output = await model().forwardAsync(batch, {
        ...options,
        signal,
        ...(caches && { cache: caches }),
        ...(layers && {
          onLayer: ({ layer, input, output, routerLogits }) =>
            emit({ layer, input: input(), output: output(), routerLogits: routerLogits() }),
        }),
      });
      return { output, lengths: caches?.map(({ length }) => length) ?? [] };
    },
    async *fetch({ url, method, headers, body }, { signal }) {
      server ??= import("../serve/server.js").then(({ Server }) => new Server(model(), serveOptions));
      const request = new Request(url, { method, headers, signal, ...(body && { body }) });
      const response = await (await server).fetch(request);
      yield { status: response.status, statusText: response.statusText, headers: [...response.headers] };
      const reader = response.body?.getReader();
      try {
        for (;;) {
          const chunk = await reader?.read();
          if (!chunk || chunk.done) return;
          // A chunk may be a part of a buffer that others use.
          yield chunk.value.slice();
        }
      } finally {
        void reader?.cancel().catch(() => {});
      }
    },

    createSession: ({ handle, seed }) => create(handle, () => new OpenSession(model().session({ seed }))),
    restoreSession: ({ handle, bytes }) => create(handle, () => new OpenSession(model().restore(bytes))),
    forkSession({ handle, from }) {
      create(handle, () => new OpenSession(session(from).session.fork()));
      const { ids, minLength, seed } = session(handle).session;
      return { ids, minLength, seed };
    },
    async append({ handle, input, prefillChunk }, { signal, emit }) {
      const open = session(handle);
      try {
        await open.session.append(input, { signal, ...(prefillChunk !== undefined && { prefillChunk }) });
      } finally {
        emit(open.change());
      }
    },
    async *continue({ handle, input, options }, { signal, emit }) {
      const open = session(handle);
      const generation = open.session.generate(input, { ...options, signal });
      try {
        for await (const token of generation) yield { ...open.change(), token, usage: { ...generation.usage } };
      } finally {
        emit(open.change());
      }
    },
    rewind: ({ handle, length }) => session(handle).rewind(length),
    save: ({ handle }) => session(handle).session.save(),

    createCache: ({ handle }) => create(handle, () => model().newCache()),
    copyCache: ({ handle, from }) => create(handle, () => cache(from).copy()),
    free({ handle }) {
      const entry = entries.get(handle);
      entries.delete(handle);
      if (entry && "object" in entry) entry.object.dispose();
    },
  };
}
