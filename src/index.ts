/**
 * MiniMax-M1: load a checkpoint, compute, generate. See {@link MiniMaxM1} and {@link graph}.
 *
 * @module lightning-m1
 */

export * from "./base/errors.js";
export { estimateMemory, type MemoryEstimate, type MemoryOptions } from "./checkpoint/estimate-memory.js";
export type { CreateOptions } from "./checkpoint/initialise.js";
export { type CheckpointInspection, type InspectedFile, inspectCheckpoint } from "./checkpoint/inspect.js";
export type { LoadOptions, Progress } from "./checkpoint/load-options.js";
export { readTensors, type StoredArray } from "./checkpoint/read-tensors.js";
export type { ExportOptions, GgufDType, SaveOptions, SaveProgress } from "./checkpoint/save-options.js";
export type { FormulaOptions } from "./checkpoint/synthetic.js";
export { Conversation, type ConversationOptions } from "./conversation.js";
export { exportGguf } from "./export-gguf.js";
export type {
  GenerateOptions,
  Generation,
  PrefillOptions,
  Session,
  SessionInput,
  StopReason,
  Token,
} from "./generate/index.js";
export type { OpenOptions } from "./io/byte-source.js";
export { deleteDownload, listDownloads, measureDownloads } from "./io/downloads/index.js";
export type { Download, DownloadedFile } from "./io/downloads/manage.js";
export type { CacheOptions, DownloadStore } from "./io/downloads/store.js";
export { maskUrls } from "./io/mask-secrets.js";
export type { CheckpointSource } from "./io/open-byte-source.js";
export type { LanguageModel, LanguageSession, Prompt, PromptOptions, Usage } from "./language-model.js";
export { MiniMaxM1 } from "./minimax-m1.js";
export type { LightningSettings, SoftmaxSettings } from "./model/attention-settings.js";
export { type Cache, cacheBytes, type KVType } from "./model/cache.js";
export { type Config, type Dialect, parseConfig, type ResidualScale } from "./model/config.js";
export { decaySlopes } from "./model/decay-slopes.js";
export type { ForwardOptions, ForwardOutput, LayerView } from "./model/forward.js";
export { type Block, type Graph, type GraphTensor, graph, type Model } from "./model/graph.js";
export { hypeNet2B, minimaxM1, presets, tinyM1 } from "./model/presets.js";
export type { TokenIds } from "./model/token-ids.js";
export type { KernelCall } from "./runtime/runtime.js";
export { availableBuilds, type Build } from "./runtime/wasm.js";
export { type ChatMessage, type ChatOptions, type ContentPart, formatChat, type Tool, type ToolCall } from "./text/format-chat.js";
export {
  type AssistantAnswer,
  type AssistantDelta,
  parseAssistant,
  type ReasoningOptions,
  ReasoningSplitter,
} from "./text/parse-assistant.js";
export { type DecodeOptions, type EncodeAsyncOptions, type TextStream, Tokenizer, type TokenizerFiles } from "./text/tokenizer.js";
export type { StreamingStatistics } from "./weights/streamed.js";
export type { ResidentDType, StoredDType } from "./weights/weights.js";
