import { hypeNet2B } from "lightning-m1";
import { expect, inject, test } from "vitest";
import { useBrowser } from "../support/browser.ts";

const open = useBrowser();
const address = (query = "") => `${inject("site")}real-model/${query}`;

const TRANSFORMERS_CONFIG = {
  model_type: "minimax",
  vocab_size: 1000,
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  num_local_experts: 4,
  head_dim: 16,
};

test("the tree can be searched, walked with the keyboard, and linked to", async () => {
  const { page, problems } = await open();
  await page.goto(address(), { waitUntil: "networkidle" });
  const tree = page.getByRole("treegrid");
  await tree.getByRole("row", { selected: true }).waitFor();
  await expect.poll(() => page.locator(".tree-details").textContent()).toContain("456,089,655,296");
  const selected = () => tree.locator("tr[aria-selected=true]").getAttribute("data-node");
  await tree.locator("tr[aria-selected=true]").focus();
  for (const key of [
    "ArrowRight",
    "ArrowDown",
    "ArrowRight",
    "ArrowRight",
    "ArrowRight",
    "ArrowDown",
    "ArrowDown",
    "ArrowRight",
    "ArrowRight",
  ]) {
    await page.keyboard.press(key);
  }
  expect(await selected()).toBe("model.layers.0.self_attn.qkv_proj.weight");
  await page.waitForURL(/node=model\.layers\.0/);
  await page.reload();
  await expect.poll(selected).toBe("model.layers.0.self_attn.qkv_proj.weight");
  await page.getByLabel("Search tensors").fill("layer 7 q_proj");
  await expect.poll(() => page.locator(".tree-found").textContent()).toContain("1 of 8,243 tensors match");
  await tree.getByText("self_attn.q_proj").click();
  await expect.poll(() => page.locator(".tree-details").textContent()).toContain("8,192 × 6,144");
  expect(problems).toEqual([]);
  await page.context().close();
});

test("memory and GPUs are those of the guides, and the address holds the question", async () => {
  const { page, problems } = await open();
  await page.goto(address("?context=1048576"));
  const cells = (name: string) => page.getByRole("row", { name, exact: false }).first().locator("td").allTextContents();
  await expect.poll(() => cells("Keys and values 40 GiB")).toEqual(["40 GiB", "320 GiB", "8 ×"]);
  expect(await cells("Lightning states")).toEqual(["280 MiB", "0 B", "–"]);
  expect((await cells("GPUs: H100, H800, A100"))[0]).toBe("8");
  await page.getByLabel("Tokens per user").fill("lots");
  await expect.poll(() => page.getByLabel("Tokens per user").getAttribute("aria-invalid")).toBe("true");
  const view = page.locator("m1-requirements");
  expect(await view.locator(".view-reading").textContent()).toBe("Correct “Tokens per user” to see what MiniMax-M1 needs.");
  expect(await view.locator("table, m1-figure").filter({ visible: true }).count()).toBe(0);
  expect(await page.locator(".plan").textContent()).toBe("Correct “Tokens per user” to see a plan.");
  await page.getByLabel("Tokens per user").fill("200k");
  await page.getByLabel("Users at the same time").fill("100");
  await expect
    .poll(() => page.locator(".plan").textContent())
    .toContain("8 H800 have too little memory for 100 users with 200,000 tokens each.");
  const changes = await page.locator(".plan li").allTextContents();
  const servers = changes.map((change) => /^(\d+) servers$/.exec(change)?.[1]).find((count) => count !== undefined);
  await page.getByLabel("Users at the same time").fill("500");
  await expect.poll(async () => (await cells("GPUs: H100"))[0]).toMatch(/^\d+ \(\d+ × (8|16)\)$/);
  await page.getByLabel("Users at the same time").fill("100");
  await page.getByLabel("Servers").fill(servers!);
  await expect
    .poll(() => page.locator(".plan li").first().textContent())
    .toMatch(/copies of the model, on (8|16) H800 each, serve up to \d+ users/);
  await page.waitForURL(/context=200k/);
  expect(problems).toEqual([]);
  await page.context().close();
});

test("figure 1 by each rule, and the verdicts on benchmarks", async () => {
  const { page } = await open();
  await page.goto(address());
  const reading = page.locator("m1-generation-flops .view-reading");
  await expect.poll(() => reading.textContent()).toContain("34.4 % of DeepSeek-R1's operations");
  await page.getByLabel("all, as if there were no causality").check();
  await expect.poll(() => reading.textContent()).toContain("22.2 %");
  await page.getByLabel("absorbed: as engines decode").check();
  await expect.poll(() => reading.textContent()).toContain("7.19 %");
  const benchmarks = page.locator("m1-benchmarks");
  expect(await benchmarks.locator(".view-reading").textContent()).toContain("scores higher on 13 of 17 benchmarks");
  expect(await benchmarks.locator(".claims .fails").count()).toBe(2);
  await page.context().close();
});

test("a config.json of the reader replaces the model, survives a reload, and is refused with a reason", async () => {
  const { page, problems } = await open();
  await page.goto(address(), { waitUntil: "networkidle" });
  await page.getByLabel("your own config.json").check();
  await page.getByLabel("Paste a config.json").fill(JSON.stringify(TRANSFORMERS_CONFIG));
  const status = page.locator("m1-model-choice [role=status]");
  await expect.poll(() => status.textContent()).toContain("4 layers, 2 with lightning and 2 with softmax attention");
  await page.reload();
  await expect.poll(() => status.textContent()).toContain("4 layers, 2 with lightning");
  expect(page.url()).toContain("model=own");
  await page.getByLabel("Paste a config.json").fill('{ "model_type": "llama" }');
  await expect.poll(() => status.textContent()).toContain("Its architecture is not supported: expected minimax_m1");
  expect(await status.textContent()).toMatch(/[^.]\. What follows still shows the configuration that was valid before\.$/);
  await page.getByLabel("Paste a config.json").fill(JSON.stringify({ ...TRANSFORMERS_CONFIG, head_dim: -1 }));
  await expect.poll(() => status.textContent()).toMatch(/Its entry head_dim is not valid: expected .*[^.]\. What/);
  await page.getByLabel("Paste a config.json").fill(JSON.stringify(hypeNet2B.source));
  await expect.poll(() => status.textContent()).toContain("1,926,138,880 parameters");
  expect(await page.locator("m1-requirements .view-reading").textContent()).toContain("does not implement HypeNet");
  expect(await page.locator("m1-generation-flops .view-reading").textContent()).toContain("Your model needs");
  await page.getByLabel("MiniMax-M1 (its versions").check();
  await expect.poll(() => status.textContent()).toContain("456,089,655,296");
  expect(problems).toEqual([]);
  await page.context().close();
});
