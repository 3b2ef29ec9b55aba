import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { availableBuilds, MiniMaxM1 } from "../../src/index.js";
import { Trainer } from "../../src/train/trainer.js";
import { readSafetensors } from "../support/safetensors.js";
import { GRADIENTS, normDistance } from "../support/tolerance.js";

const directory = fileURLToPath(new URL("../golden/grad-tiny", import.meta.url));
const expected = readSafetensors(readFileSync(join(directory, "expected.safetensors")));
const value = (name: string) => expected.get(name)!.data;

const { shape, data } = expected.get("input_ids")!;
const ids = Array.from({ length: shape[0]! }, (_, row) => [...data.subarray(row * shape[1]!, (row + 1) * shape[1]!)]);

const options = { lr: 1e-3, betas: [0.9, 0.95], eps: 1e-15, weightDecay: 0.01, clipNorm: 1, auxLossCoef: 0.01 } as const;

describe.each(await availableBuilds())("gradients of the published code, build %s", (build) => {
  describe.each([
    ["on one thread", { threads: 1 }, {}],
    ["on two threads", { threads: 2 }, {}],
    ["with checkpointing", { threads: 1 }, { checkpointing: true }],
  ] as const)("%s", (_, loading, more) => {
    const open = async () => new Trainer(await MiniMaxM1.load(directory, { build, ...loading }), { ...options, ...more });

    test("losses, and the gradient of every parameter", async () => {
      const { loss, auxLoss, gradients } = (await open()).gradients(ids);
      expect(Math.abs(loss - value("loss")[0]!)).toBeLessThanOrEqual(GRADIENTS.loss);
      expect(Math.abs(auxLoss - value("aux_loss")[0]!)).toBeLessThanOrEqual(GRADIENTS.loss);
      const names = [...expected.keys()].filter((key) => key.startsWith("grad.")).map((key) => key.slice("grad.".length));
      expect([...gradients.keys()].sort()).toEqual(names.sort());
      for (const name of names) {
        expect(normDistance(gradients.get(name)!, value(`grad.${name}`)), name).toBeLessThanOrEqual(GRADIENTS.relative);
      }
    });

    test("six steps of AdamW", async () => {
      const trainer = await open();
      const steps = value("adamw_losses");
      expect(steps.length).toBe(12);
      for (let i = 0; i < steps.length; i += 2) {
        const { loss, gradNorm } = trainer.step(ids);
        expect(Math.abs(loss - steps[i]!)).toBeLessThanOrEqual(GRADIENTS.steps);
        expect(Math.abs(gradNorm - steps[i + 1]!)).toBeLessThanOrEqual(GRADIENTS.steps);
      }
    });
  });
});
