import type { StepResult } from "../../environments/open-env/protocol.js";
import { OpenEnvError, stopping } from "./open-env-error.js";
import type { OpenEnvSettings } from "./open-env-options.js";
import type { ResetRequest } from "./reset-request.js";
import { ServedEpisode } from "./served-episode.js";

/** Number of episodes that are over and still known, relative to the maximum number of running ones. */
const KNOWN_PER_RUNNING = 8;

interface Entry {
  readonly episode: ServedEpisode;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** A WebSocket connection, as the table sees it. */
export interface Connection {
  /** Whether an episode of it runs. */
  readonly isActive: boolean;
  close(): void;
}

/** All episodes of a server: those of WebSocket connections, and those of plain HTTP clients, which name them by id. */
export class EpisodeTable {
  private readonly entries = new Map<string, Entry>();
  private readonly connections = new Set<Connection>();
  private isStopping = false;
  private onIdle: (() => void) | undefined;

  constructor(private readonly settings: OpenEnvSettings) {}

  /** Number of connections, and of running episodes of plain HTTP clients. */
  get active(): number {
    return this.connections.size + [...this.entries.values()].filter(({ episode }) => !episode.isOver).length;
  }

  /** @throws {OpenEnvError} the server is about to stop */
  expectAccepting(): void {
    if (this.isStopping) throw stopping();
  }

  /** Adds a connection. @throws {OpenEnvError} no capacity, or the server is about to stop */
  connect(connection: Connection): void {
    this.expectCapacity();
    this.connections.add(connection);
  }

  disconnect(connection: Connection): void {
    this.connections.delete(connection);
    this.checkIdle();
  }

  /**
   * Creates an episode, which its owner starts.
   *
   * @throws {OpenEnvError} the server is about to stop
   */
  create({ id, ...request }: ResetRequest): ServedEpisode {
    this.expectAccepting();
    const { maxTurns, stepTimeoutMs: timeoutMs, onError } = this.settings;
    return new ServedEpisode({ ...request, id: id ?? crypto.randomUUID(), maxTurns, timeoutMs, onError });
  }

  /**
   * Starts an episode of a plain HTTP client. If one with the same id runs, it is replaced.
   *
   * @param client separates the ids of clients with different keys
   */
  async reset(client: string, request: ResetRequest): Promise<StepResult> {
    const previous = request.id === undefined ? undefined : this.entries.get(keyOf(client, request.id));
    if (!previous || previous.episode.isOver) this.expectCapacity();
    const episode = this.create(request);
    const key = keyOf(client, episode.id);
    if (previous) this.remove(key, previous);
    const entry: Entry = { episode, timer: undefined };
    this.entries.set(key, entry);
    this.forgetOldest();
    try {
      const result = await episode.start();
      this.touch(key, entry);
      return result;
    } catch (error) {
      this.remove(key, entry);
      throw error;
    }
  }

  /** Calls `body` with an episode of a plain HTTP client. @throws {OpenEnvError} an unknown id */
  async use<T>(client: string, id: string, body: (episode: ServedEpisode) => T | Promise<T>): Promise<T> {
    const key = keyOf(client, id);
    const entry = this.entries.get(key);
    if (!entry) {
      const { idleMs } = this.settings;
      const limit = Number.isFinite(idleMs) ? `, or had no request for ${idleMs / 1000} s` : "";
      throw new OpenEnvError("SESSION_ERROR", 404, `episode_id: no episode ${JSON.stringify(id)} is running (it was never reset${limit})`);
    }
    try {
      return await body(entry.episode);
    } finally {
      if (this.entries.get(key) === entry) this.touch(key, entry);
      this.checkIdle();
    }
  }

  /** Throws an episode of a plain HTTP client away. */
  async close(client: string, id: string): Promise<void> {
    const key = keyOf(client, id);
    await this.use(client, id, () => this.remove(key, this.entries.get(key)!));
  }

  /** Refuses new episodes, waits up to `graceMs` for the running ones, and closes the rest. */
  async drain(graceMs: number): Promise<void> {
    this.isStopping = true;
    for (const connection of this.connections) if (!connection.isActive) connection.close();
    if (this.active > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, graceMs);
        this.onIdle = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    for (const connection of this.connections) connection.close();
    await Promise.all([...this.entries].map(([key, entry]) => this.remove(key, entry)));
  }

  /** To be called when an episode is over. */
  checkIdle(): void {
    if (!this.isStopping) return;
    for (const connection of this.connections) if (!connection.isActive) connection.close();
    if (this.active === 0) this.onIdle?.();
  }

  private expectCapacity(): void {
    this.expectAccepting();
    const { active } = this;
    const { maxEpisodes } = this.settings;
    if (active < maxEpisodes) return;
    throw new OpenEnvError("CAPACITY_REACHED", 503, `this server runs at most ${maxEpisodes} episodes at a time; retry later`, {
      active_sessions: active,
      max_sessions: maxEpisodes,
    });
  }

  /** Restarts the time after which the episode is thrown away. */
  private touch(key: string, entry: Entry): void {
    clearTimeout(entry.timer);
    entry.timer = setTimeout(() => {
      if (entry.episode.isRunning) this.touch(key, entry);
      else void this.remove(key, entry);
    }, this.settings.idleMs);
  }

  private async remove(key: string, entry: Entry): Promise<void> {
    clearTimeout(entry.timer);
    if (this.entries.get(key) === entry) this.entries.delete(key);
    await entry.episode.close();
    this.checkIdle();
  }

  /** Bounds the number of known episodes that are over. */
  private forgetOldest(): void {
    for (const [key, entry] of this.entries) {
      if (this.entries.size <= KNOWN_PER_RUNNING * this.settings.maxEpisodes) return;
      if (entry.episode.isOver) void this.remove(key, entry);
    }
  }
}

const keyOf = (client: string, id: string): string => JSON.stringify([client, id]);
