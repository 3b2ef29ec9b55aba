// A deployment as Kubernetes reads it: a Deployment (apps/v1) where a replica fits on a node, a LeaderWorkerSet (leaderworkerset.x-k8s.io/v1)
// where it spans several, and a Service before them.

import { stringify } from "yaml";
import type { Deployment } from "./placement.js";
import { SERVER_PORT, serveArguments, serverEnvironment, VLLM_IMAGE } from "./vllm.js";

/** In the image: starts Ray on the leader, waits until all have joined; joins from the others. */
const RAY_SCRIPT = "/vllm-workspace/examples/online_serving/multi-node-serving.sh";

/** Weights are read from here. Both a download and a copy take hours, which no restart should cost again. */
const HUB_CACHE = "/root/.cache/huggingface";

/**
 * The manifests, ready for `kubectl apply -f -`. They expect a PersistentVolumeClaim `<name>-weights` that all pods can mount: with the
 * checkpoint, if an absolute path is served, otherwise for the hub's cache.
 */
export function kubernetesManifest(plan: Deployment): string {
  const name = resourceName(plan.served);
  const parts =
    plan.nodesPerReplica > 1
      ? [leaderWorkerSet(plan, name), service(name, leaderLabels(name))]
      : [deployment(plan, name), service(name, { app: name })];
  return parts.map((part) => stringify(part, { lineWidth: 0, aliasDuplicateObjects: false })).join("---\n");
}

/** `org/Name-1` as Kubernetes allows it. */
function resourceName(served: string): string {
  const last = served.split("/").filter(Boolean).at(-1) ?? "";
  const name = last.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  return name.slice(0, 40).replace(/^[-0-9]+|-+$/g, "") || "minimax-m1";
}

function deployment(plan: Deployment, name: string) {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: {
      replicas: plan.replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: podSpec(plan, name, { ...serverContainer(plan), command: serveArguments(plan) }),
      },
    },
  };
}

function leaderWorkerSet(plan: Deployment, name: string) {
  const lead = `bash ${RAY_SCRIPT} leader --ray_cluster_size=$(LWS_GROUP_SIZE) && exec ${serveArguments(plan).join(" ")}`;
  const join = `exec bash ${RAY_SCRIPT} worker --ray_address=$(LWS_LEADER_ADDRESS)`;
  return {
    apiVersion: "leaderworkerset.x-k8s.io/v1",
    kind: "LeaderWorkerSet",
    metadata: { name },
    spec: {
      replicas: plan.replicas,
      leaderWorkerTemplate: {
        size: plan.nodesPerReplica,
        restartPolicy: "RecreateGroupOnPodRestart",
        leaderTemplate: {
          metadata: { labels: { role: "leader" } },
          spec: podSpec(plan, name, { ...serverContainer(plan), command: ["sh", "-c", lead] }),
        },
        workerTemplate: { spec: podSpec(plan, name, { ...container(plan), command: ["sh", "-c", join] }) },
      },
    },
  };
}

function leaderLabels(name: string) {
  return { "leaderworkerset.sigs.k8s.io/name": name, role: "leader" };
}

function service(name: string, selector: Record<string, string>) {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name },
    spec: { selector, ports: [{ name: "http", port: SERVER_PORT, targetPort: SERVER_PORT }] },
  };
}

function podSpec(plan: Deployment, name: string, own: object) {
  return {
    containers: [own],
    volumes: [
      { name: "shm", emptyDir: { medium: "Memory", sizeLimit: "16Gi" } },
      { name: "weights", persistentVolumeClaim: { claimName: `${name}-weights`, readOnly: plan.served.startsWith("/") } },
    ],
  };
}

function container({ gpu, gpusPerNode, tensorParallel, served }: Deployment) {
  return {
    name: "vllm",
    image: VLLM_IMAGE,
    env: Object.entries(serverEnvironment).map(([name, value]) => ({ name, value })),
    resources: { limits: { [gpu.resource]: Math.min(tensorParallel, gpusPerNode) } },
    volumeMounts: [
      { name: "shm", mountPath: "/dev/shm" },
      { name: "weights", mountPath: served.startsWith("/") ? served : HUB_CACHE },
    ],
  };
}

/** The container that answers. It may take two hours until it does. */
function serverContainer(plan: Deployment) {
  const httpGet = { path: "/health", port: SERVER_PORT };
  return {
    ...container(plan),
    ports: [{ name: "http", containerPort: SERVER_PORT }],
    startupProbe: { httpGet, periodSeconds: 30, failureThreshold: 240 },
    readinessProbe: { httpGet, periodSeconds: 10 },
    livenessProbe: { httpGet, periodSeconds: 30, failureThreshold: 4 },
  };
}
