// Compiles one target of asconfig.json in a thread of build-wasm.mjs. Posts the errors, or undefined.
import { parentPort, workerData } from "node:worker_threads";
import asc from "assemblyscript/asc";
import { errorsOf } from "./compiler-errors.mjs";

const { target, root } = workerData;
const { error, stderr } = await asc.main(["--target", target, "--baseDir", root]);
parentPort.postMessage(error ? `${target}: ${error.message}\n${errorsOf(stderr.toString())}` : undefined);
