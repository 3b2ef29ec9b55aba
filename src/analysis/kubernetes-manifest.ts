// Writes Kubernetes manifests of a deployment. A replica that fits on a node becomes a Deployment (apps/v1), and one that spans several
// nodes a LeaderWorkerSet (leaderworkerset.x-k8s.io/v1). A Service and a PodDisruptionBudget are added.

import { stringify } from "yaml";
import { expectArgument, isObjectLike } from "../base/options.js";
import type { Deployment } from "./smallest-deployment.js";
import { SERVER_PORT, serveArguments, serverEnvironment, VLLM_IMAGE } from "./vllm.js";

/** A script in vLLM's image. On the leader it starts Ray and waits for all workers. On a worker it joins the leader. */
const RAY_SCRIPT = "/vllm-workspace/examples/online_serving/multi-node-serving.sh";

/**
 * Time limit for loading the weights. Loading 912 GB may take two hours, and a restarted server has to load them again. A running server is
 * therefore killed only after ten minutes without a response.
 */
const LOADING_SECONDS = 7200;

/** Time that running answers get when a pod stops: 80,000 tokens take most of an hour at 25 tokens per second. */
const TERMINATION_SECONDS = 3600;

/**
 * A shell command that waits until the Service sends no new requests and no request runs or waits. It delays SIGTERM, at which vLLM aborts
 * all responses.
 */
const WAIT_FOR_RUNNING_REQUESTS =
  `sleep 15; while curl -s -m 30 http://localhost:${SERVER_PORT}/metrics` +
  ` | grep -E '^vllm:num_requests_(running|waiting|swapped)[{ ]' | grep -qvE ' 0(\\.0+)?$'; do sleep 5; done`;

/** A shell command for the other nodes of a replica. They run until the leader no longer responds. */
const WAIT_FOR_LEADER = `while curl -sf -m 30 http://$LWS_LEADER_ADDRESS:${SERVER_PORT}/health; do sleep 5; done`;

/** The hub's cache lies on a volume, because downloading or copying the weights takes hours and must not repeat with every restart. */
const HUB_CACHE = "/root/.cache/huggingface";

/**
 * Writes the manifests of a plan, ready for `kubectl apply -f -`. They need a PersistentVolumeClaim `<name>-weights` that all pods can
 * mount. It holds the checkpoint if `served` is an absolute path, and otherwise the hub's cache.
 */
export function kubernetesManifest(plan: Deployment): string {
  expectArgument("kubernetesManifest: plan", isObjectLike(plan), "a plan of planDeployment", plan);
  const name = resourceName(plan.served);
  const parts =
    plan.nodesPerReplica > 1
      ? [leaderWorkerSet(plan, name), service(name, leaderLabels(name)), disruptionBudget(plan, name, setLabels(name))]
      : [deployment(plan, name), service(name, { app: name }), disruptionBudget(plan, name, { app: name })];
  return parts.map((part) => stringify(part, { lineWidth: 0, aliasDuplicateObjects: false })).join("---\n");
}

/** Converts `org/Name-1` to a name that Kubernetes allows. */
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
      // A new pod finds no free GPUs until an old pod has ended.
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
      progressDeadlineSeconds: TERMINATION_SECONDS + LOADING_SECONDS,
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
        workerTemplate: {
          spec: podSpec(plan, name, { ...container(plan), command: ["sh", "-c", join], lifecycle: beforeStop(WAIT_FOR_LEADER) }),
        },
      },
    },
  };
}

/** Returns the labels that the controller of a LeaderWorkerSet gives to all of its pods. */
function setLabels(name: string) {
  return { "leaderworkerset.sigs.k8s.io/name": name };
}

function leaderLabels(name: string) {
  return { ...setLabels(name), role: "leader" };
}

/**
 * Returns a PodDisruptionBudget. One pod may be evicted at a time, and its group restarts with it. A single replica may not be evicted,
 * because no other replica serves requests meanwhile.
 */
function disruptionBudget({ replicas }: Deployment, name: string, matchLabels: Record<string, string>) {
  return {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: { name },
    spec: { maxUnavailable: replicas > 1 ? 1 : 0, selector: { matchLabels } },
  };
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
    terminationGracePeriodSeconds: TERMINATION_SECONDS,
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

function beforeStop(script: string) {
  return { preStop: { exec: { command: ["sh", "-c", script] } } };
}

/** Returns the container of the server. Probes have time limits of 10 s or more, because a busy server responds late. */
function serverContainer(plan: Deployment) {
  const httpGet = { path: "/health", port: SERVER_PORT };
  return {
    ...container(plan),
    ports: [{ name: "http", containerPort: SERVER_PORT }],
    startupProbe: { httpGet, periodSeconds: 30, timeoutSeconds: 10, failureThreshold: LOADING_SECONDS / 30 },
    readinessProbe: { httpGet, periodSeconds: 10, timeoutSeconds: 10, failureThreshold: 6 },
    livenessProbe: { httpGet, periodSeconds: 30, timeoutSeconds: 15, failureThreshold: 20 },
    lifecycle: beforeStop(WAIT_FOR_RUNNING_REQUESTS),
  };
}
