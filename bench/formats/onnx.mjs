// Writes ONNX files. A graph consists of protobuf messages; this file implements the part of the format that the benchmarks need.
import { bytesOf, text } from "./bytes.mjs";

const OPSET = 17;
const MICROSOFT_OPSET = 1;
const IR_VERSION = 8;
const TYPES = { float: 1, uint8: 2, int8: 3, int32: 6, int64: 7 };

/** Encodes a protobuf number with seven bits per byte, the lowest first. Negative numbers are encoded as 64 bits. */
function varint(value) {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes = [];
  do {
    const low = Number(rest & 127n);
    rest >>= 7n;
    bytes.push(rest ? low | 128 : low);
  } while (rest);
  return Buffer.from(bytes);
}

const number = (field, value) => Buffer.concat([varint(field << 3), varint(value)]);
const message = (field, ...parts) => {
  const body = Buffer.concat(parts.map((part) => (typeof part === "string" ? text(part) : part)));
  return Buffer.concat([varint((field << 3) | 2), varint(body.length), body]);
};

function typed(array) {
  if (array instanceof Float32Array) return TYPES.float;
  if (array instanceof BigInt64Array) return TYPES.int64;
  if (array instanceof Int8Array) return TYPES.int8;
  if (array instanceof Uint8Array) return TYPES.uint8;
  throw new Error(`onnx: no type for ${array.constructor.name}`);
}

/** Encodes an attribute. Supports graphs, strings, lists of integers, integers, and other numbers as floats. */
function attribute(name, value) {
  const float = (x) => Buffer.concat([Buffer.from([0x15]), bytesOf(Float32Array.of(x))]);
  const [type, body] =
    value instanceof Graph
      ? [5, [message(6, value.bytes("body"))]]
      : typeof value === "string"
        ? [3, [message(4, value)]]
        : Array.isArray(value)
          ? [7, value.map((x) => number(8, x))]
          : Number.isInteger(value)
            ? [2, [number(3, value)]]
            : [1, [float(value)]];
  return message(5, message(1, name), ...body, number(20, type));
}

/** Encodes the description of a value. A dim is a size, or a name if it varies. */
function valueInfo(name, dims, type) {
  const shape = dims.map((dim) => message(1, typeof dim === "string" ? message(2, dim) : number(1, dim)));
  return Buffer.concat([message(1, name), message(2, message(1, number(1, TYPES[type]), message(2, ...shape)))]);
}

let names = 0;

/** A graph under construction. Values are named by strings. Every method returns the name of the value that it adds. */
export class Graph {
  nodes = [];
  initializers = [];
  inputs = [];
  outputs = [];

  input(name, dims, type = "float") {
    this.inputs.push(message(11, valueInfo(name, dims, type)));
    return name;
  }

  output(name, dims, type = "float") {
    this.outputs.push(message(12, valueInfo(name, dims, type)));
    return name;
  }

  constant(array, dims = [array.length], name = `c${names++}`) {
    const sizes = dims.map((dim) => number(1, dim));
    this.initializers.push(message(5, ...sizes, number(2, typed(array)), message(8, name), message(9, bytesOf(array))));
    return name;
  }

  floats(...values) {
    return this.constant(Float32Array.from(values));
  }

  integers(...values) {
    return this.constant(BigInt64Array.from(values, BigInt));
  }

  /** Adds a node with one result, which may be given a name. */
  node(type, inputs, { name = `v${names++}`, ...attributes } = {}) {
    this.nodes.push(nodeMessage(type, inputs, [name], attributes));
    return name;
  }

  /** Adds a node with several results. */
  split(type, inputs, count, attributes = {}) {
    const results = Array.from({ length: count }, () => `v${names++}`);
    this.nodes.push(nodeMessage(type, inputs, results, attributes));
    return results;
  }

  bytes(name) {
    return Buffer.concat([...this.nodes, message(2, name), ...this.initializers, ...this.inputs, ...this.outputs]);
  }

  /** Returns the bytes of the file. */
  model() {
    const opset = (domain, version) => message(8, message(1, domain), number(2, version));
    return Buffer.concat([
      number(1, IR_VERSION),
      opset("", OPSET),
      opset("com.microsoft", MICROSOFT_OPSET),
      message(7, this.bytes("bench")),
    ]);
  }
}

function nodeMessage(type, inputs, outputs, attributes) {
  const domain = type.includes(".") ? type.slice(0, type.lastIndexOf(".")) : "";
  return message(
    1,
    ...inputs.map((name) => message(1, name)),
    ...outputs.map((name) => message(2, name)),
    message(4, type.slice(domain ? domain.length + 1 : 0)),
    ...Object.entries(attributes).map(([key, value]) => attribute(key, value)),
    ...(domain ? [message(7, domain)] : []),
  );
}
