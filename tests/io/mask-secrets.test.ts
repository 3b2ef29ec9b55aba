import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { CheckpointError } from "../../src/base/errors.js";
import { inspectCheckpoint } from "../../src/checkpoint/inspect.js";
import { loadCheckpoint } from "../../src/checkpoint/load.js";
import { maskUrl, maskUrls, secretMasker, withCredentialsInHeader } from "../../src/io/mask-secrets.js";
import { expectSaved, singleFile, withServer } from "../support/checkpoints.js";
import { type Disturb, faulty, QUICK, text } from "../support/faulty-server.js";
import { startFileServer } from "../support/file-server.js";
import { loadStreamed, streamedFiles } from "../support/streaming.js";

test("URLs in texts are reduced to origin and path", () => {
  const cases: [string, string][] = [
    ["https://u:p@host/a/b?sig=1#x", "https://host/a/b"],
    ["http://host:8000/", "http://host:8000/"],
    ["ftp://u:p@host/x?y", "ftp://***@host/x"],
    ["http://u:p@", "http://***@"],
    ["//u:p@host/x", "//***@host/x"],
    ["u:p@host/x?y", "***@host/x"],
    ["user:p:q@host", "***@host"],
    ["./models/a@b?c", "./models/a@b?c"],
    ["models/a:b@c", "models/a:b@c"],
    ["C:\\models\\a@b", "C:\\models\\a@b"],
  ];
  for (const [from, to] of cases) expect(maskUrl(from)).toBe(to);
  expect(maskUrls("GET https://u:p@a/x?t=1, then (http://b/y?z=2): failed.")).toBe("GET https://a/x, then (http://b/y): failed.");
});

test("what a request sends is hidden in texts, in each form", () => {
  const endpoint = withCredentialsInHeader(new URL("https://reader:pass%20word@host/x?token=abc%2Fdef"));
  const hide = secretMasker(endpoint, ["another"]);
  for (const secret of ["pass word", btoa("reader:pass word"), "abc/def", "abc%2Fdef", "another"])
    expect(hide(`<${secret}>`)).toBe("<***>");
});

describe("secrets", () => {
  const secrets = "S3cret";

  /** Everything that a program could print of an error. */
  const printed = (error: unknown) => `${inspect(error, { depth: 20, showHidden: true })} ${(error as Error).stack}`;

  test("user name and password go to the server as a header, and to no other one", async () => {
    const files = singleFile();
    const [here, elsewhere]: [Set<unknown>, Set<unknown>] = [new Set(), new Set()];
    await withServer(
      faulty(files, (request) => void elsewhere.add(request.headers.authorization)),
      (other) =>
        withServer(
          faulty(files, (request, response) => {
            here.add(request.headers.authorization);
            return request.url === "/model.safetensors" && response.writeHead(302, { location: `${other}/model.safetensors` }).end();
          }),
          async (url) => {
            const source = url.replace("//", "//r%C3%A9ader:S3%3Acret@");
            for (const each of [source, new URL(source)]) {
              const checkpoint = await loadCheckpoint(each);
              await expectSaved(checkpoint, files);
              checkpoint.rt.dispose();
            }
          },
        ),
    );
    expect([...here]).toEqual([`Basic ${Buffer.from("réader:S3:cret").toString("base64")}`]);
    expect([...elsewhere]).toEqual([undefined]);
  });

  const faults: [string, Disturb][] = [
    ["no file", (_, response) => response.writeHead(404).end()],
    ["401", (_, response) => response.writeHead(401).end()],
    ["503", (_, response) => response.writeHead(503).end()],
    ["reset", (request) => request.socket.destroy()],
    ["silence", () => true],
    ["a header that cannot be read", (_, response) => response.socket!.end("HTTP/1.1 206 OK\r\nbad header S3cret\r\n\r\n")],
    ["a redirect to nowhere", (request, response) => response.writeHead(302, { location: `http://127.0.0.1:9${request.url}` }).end()],
  ];
  test.each(faults)("%s: no message, cause or stack shows credentials or the query", async (_, disturb) => {
    await withServer(faulty(text, disturb), async (url) => {
      for (const source of [
        url.replace("//", "//reader:S3cret@"),
        url.replace("//", "//S3cret-token@"),
        `${url}/?token=S3cret&X-Amz-Signature=S3cretSig`,
      ]) {
        for (const load of [loadCheckpoint, inspectCheckpoint]) {
          for (const each of [source, new URL(source)]) {
            const error = await load(each, { ...QUICK, stallMs: 100, retries: 1 }).then(
              () => undefined,
              (error: Error) => error,
            );
            expect(error).toBeInstanceOf(CheckpointError);
            expect(error!.message).toContain(url);
            expect(printed(error)).not.toContain(secrets);
          }
        }
      }
    });
  });

  test("addresses that cannot be opened", async () => {
    for (const source of [
      "http://reader:S3cret@",
      "http://reader:S3cret@host:port/",
      "http://reader:S3?cret@S3cret:x/",
      "http://reader:S3#cret@host:S3cret/",
      "ftp://reader:S3cret@host/model?token=S3cret",
      "htps:reader:S3cret@host",
      "//reader:S3cret@host/model",
    ]) {
      const error = await loadCheckpoint(source).then(
        () => undefined,
        (error: Error) => error,
      );
      expect(error, source).toBeInstanceOf(CheckpointError);
      expect(printed(error)).not.toContain("cret@");
      expect(printed(error).replaceAll("S3cret:x", "").replaceAll("host:S3cret", "")).not.toContain(secrets);
    }
    const offline = loadCheckpoint("http://reader:S3cret@host/", { localFilesOnly: true });
    await expect(offline).rejects.toThrow(/^(?!.*S3cret)http:\/\/host\/: expected a path/);
  });

  test("streamed weights: the header is sent, and no error shows it", async () => {
    const server = await startFileServer(streamedFiles());
    const model = await loadStreamed(`${server.url.replace("//", "//reader:S3cret@")}/?token=S3cret`, QUICK);
    expect(model.forward([[1, 2]]).logits.length).toBeGreaterThan(0);
    for (const behaviour of ["404", "500", "reset", "silent", "shifted"] as const) {
      const other = await loadStreamed(`${server.url.replace("//", "//reader:S3cret@")}/?token=S3cret`, { ...QUICK, retries: 1 });
      server.behave(behaviour);
      let error: unknown;
      try {
        other.forward([[1, 2]]);
      } catch (caught) {
        error = caught;
      }
      expect(error).toBeInstanceOf(CheckpointError);
      expect(printed(error)).not.toContain(secrets);
      server.behave("sound");
    }
  });
});
