// The protocol between the computing thread and the reader thread: requests, and the layout of the control block in shared memory.
//
//     int32    states[MAX_PENDING_READS]      one of ReadState for each slot
//     int32    up, progress                   whether the reader runs; a counter that it increments as bytes arrive
//     int32    messageLengths[MAX_PENDING_READS]
//     bytes    messages[MAX_PENDING_READS][MESSAGE_BYTES]     why a read failed, in UTF-8
//     float64  milliseconds                   total time of all finished reads

import type { SharedMemory } from "../runtime/heap.js";
import type { SourceLocation } from "./byte-source.js";

/** A request for bytes `begin` to `end` (exclusive) of a file. */
export interface ReadRequest {
  readonly slot: number;
  readonly file: string;
  readonly begin: number;
  readonly end: number;
  /** Address in the shared memory to which the bytes are written. */
  readonly ptr: number;
  /** The expected version of the file. Empty if it is unknown. */
  readonly version: string;
}

/** The data with which the reader thread is started. */
export interface ReaderData {
  readonly memory: SharedMemory;
  readonly control: SharedArrayBuffer;
  readonly location: SourceLocation;
}

/**
 * Maximum number of simultaneous requests. It suffices for two parts of a vocabulary with one request per row, and for the matrices that
 * are read ahead.
 */
export const MAX_PENDING_READS = 96;

/** Indices of int32 words in the control block. The state of slot i is word i; the length of its message is word `messages + i`. */
export const ControlWord = { up: MAX_PENDING_READS, progress: MAX_PENDING_READS + 1, messages: MAX_PENDING_READS + 2 } as const;

export const ReadState = { pending: 0, done: 1, failed: 2 } as const;

/** Byte offset of the messages, and the size of each message in bytes. */
export const MESSAGES_OFFSET = 8 * (MAX_PENDING_READS + 1);
export const MESSAGE_BYTES = 512;

/** Byte offset of the total time of all finished reads. */
export const READ_TIME_OFFSET = MESSAGES_OFFSET + MAX_PENDING_READS * MESSAGE_BYTES;

export const CONTROL_BYTES = READ_TIME_OFFSET + 8;
