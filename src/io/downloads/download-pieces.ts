import { TransferError } from "../retry.js";
import { MAX_PIECE_BYTES, type StoredFile } from "./stored-file.js";

/**
 * Stores bytes `begin` to `end` (exclusive) of a file piece by piece, as they arrive. If the download fails or is cancelled, the bytes that
 * have arrived are stored too, unless the server violates HTTP or sends another version. Then all pieces of the file are deleted.
 *
 * @param chunks the bytes of the range @param onBytes called with the number of bytes of each chunk; may throw to cancel
 */
export async function downloadPieces(
  chunks: AsyncIterable<Uint8Array>,
  stored: StoredFile,
  begin: number,
  end: number,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const buffer = new Uint8Array(Math.min(MAX_PIECE_BYTES, end - begin));
  let [at, held] = [begin, 0];
  const store = async () => {
    const bytes = buffer.subarray(0, held);
    held = 0;
    if (bytes.byteLength > 0) await stored.add(at, bytes);
    at += bytes.byteLength;
  };
  try {
    for await (const chunk of chunks) {
      for (let from = 0; from < chunk.byteLength; ) {
        const part = chunk.subarray(from, from + buffer.byteLength - held);
        buffer.set(part, held);
        from += part.byteLength;
        held += part.byteLength;
        if (held === buffer.byteLength) await store();
      }
      onBytes(chunk.byteLength);
    }
  } catch (error) {
    const isFaulty = error instanceof TransferError && !error.details.transient && error.status === undefined;
    await (isFaulty ? stored.discard() : store()).catch(() => {});
    throw error;
  }
  await store();
}
