/**
 * The leader's certificate authority (swarmkit ca/server.go): gives out the root certificate, takes requests from those with a join token and from nodes
 * that renew, and signs them. A request becomes part of the node's object; whoever asked waits until it is signed there.
 */
import { assert } from "../../sim/assert.ts";
import { type Nanoseconds, SECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import { type Node, nodeShape } from "../api/objects.ts";
import { type NodeRole, nodeSpecShape } from "../api/specs.ts";
import { status } from "../grpc/status.ts";
import { newId } from "../identifiers.ts";
import type { Answer, LeaderComponent, LeaderContext, LeaderWork } from "../manager/leader-work.ts";
import {
  type Availability,
  CERTIFICATE_STATUS,
  GET_ROOT_CERTIFICATE,
  GET_UNLOCK_KEY,
  ISSUE_CERTIFICATE,
  issueRequestShape,
  issueResponseShape,
  rootCertificateResponseShape,
  statusRequestShape,
  statusResponseShape,
  unlockKeyResponseShape,
} from "./ca-shapes.ts";
import type { Caller } from "./identity.ts";
import type { Pki } from "./pki.ts";
import { DEFAULT_EXPIRY_NS, nodeValidity } from "./root.ts";

const RETRY_NS: Nanoseconds = 10 * SECOND;

export interface AuthoritySettings {
  readonly pki: Pki;
  /** The host's clock. */
  nowSeconds(): number;
}

export function authorityWork(settings: AuthoritySettings): LeaderWork {
  return {
    name: "CA signer",
    methods: [
      { method: GET_ROOT_CERTIFICATE, kind: "unary", allowed: "anybody" },
      { method: GET_UNLOCK_KEY, kind: "unary", allowed: "manager" },
      { method: ISSUE_CERTIFICATE, kind: "unary", allowed: "anybody" },
      { method: CERTIFICATE_STATUS, kind: "unary", allowed: "anybody" },
    ],
    start: (context) => new CertificateAuthority(context, settings),
  };
}

interface Waiter {
  readonly nodeId: string;
  readonly answer: Answer;
}

class CertificateAuthority implements LeaderComponent {
  readonly #context: LeaderContext;
  readonly #settings: AuthoritySettings;
  readonly #retry: Timer;
  readonly #stopWatch: () => void;
  /** Nodes whose request is to be signed. */
  readonly #unsigned = new Set<string>();
  #waiters: Waiter[] = [];

  constructor(context: LeaderContext, settings: AuthoritySettings) {
    this.#context = context;
    this.#settings = settings;
    this.#retry = new Timer(context.clock, () => this.#signAll());
    this.#stopWatch = context.store.watch((changes) => {
      for (const change of changes) if (change.kind === "node" && change.action !== "remove") this.#look(change.object);
      this.#answerWaiters();
      this.#signAll();
    });
    for (const node of context.store.all("node")) this.#look(node);
    this.#signAll();
  }

  stop(): void {
    this.#stopWatch();
    this.#retry.stop();
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { answer } of waiters) answer({ status: status("Canceled", "context canceled") });
  }

  unary(method: string, request: Uint8Array, caller: Caller, answer: Answer): void {
    if (method === GET_ROOT_CERTIFICATE) this.#giveRoot(answer);
    else if (method === GET_UNLOCK_KEY) this.#giveUnlockKey(answer);
    else if (method === ISSUE_CERTIFICATE) this.#issue(request, caller, answer);
    else this.#awaitStatus(request, answer);
  }

  #giveRoot(answer: Answer): void {
    const certificate = this.#cluster.rootCa.caCert;
    answer({ response: rootCertificateResponseShape.emit({ certificate }) });
  }

  #giveUnlockKey(answer: Answer): void {
    const { spec, unlockKeys, meta } = this.#cluster;
    const key = spec.autoLockManagers
      ? unlockKeys.find(({ subsystem }) => subsystem === "swarm-manager")?.key
      : undefined;
    answer({ response: unlockKeyResponseShape.emit({ unlockKey: key ?? new Uint8Array(0), version: meta.version }) });
  }

  get #cluster() {
    const cluster = this.#context.store.cluster;
    assert(cluster !== undefined, "a certificate authority without a cluster");
    return cluster;
  }

  #issue(bytes: Uint8Array, { identity }: Caller, answer: Answer): void {
    const asked = issueRequestShape.parse(bytes);
    if (asked === undefined || asked.request.length === 0) {
      answer({ status: status("InvalidArgument", "InvalidArgument") });
      return;
    }
    if (identity?.clusterId === this.#context.clusterId) {
      this.#renew(identity.nodeId, asked.request, answer);
      return;
    }
    const { worker, manager } = this.#cluster.rootCa.joinTokens;
    const role = asked.token === manager ? "manager" : asked.token === worker ? "worker" : undefined;
    if (role === undefined)
      answer({ status: status("InvalidArgument", "A valid join token is necessary to join this cluster") });
    else this.#admit(role, asked.request, asked.availability, answer);
  }

  /** A node that is known asks anew: its role is the one that it has by now. */
  #renew(nodeId: string, request: Uint8Array, answer: Answer): void {
    let isKnown = false;
    this.#context.store.update(
      (tx) => {
        const node = tx.get("node", nodeId);
        isKnown = node !== undefined;
        if (node === undefined) return;
        const certificate = {
          role: node.role,
          csr: request,
          status: { state: "renew" as const, error: "" },
          certificate: new Uint8Array(0),
          commonName: nodeId,
        };
        tx.update("node", { ...node, certificate });
      },
      (outcome) => {
        const unknown = `node ${nodeId} not found when attempting to renew certificate`;
        if (!isKnown) answer({ status: status("NotFound", unknown) });
        else if (outcome === "committed") answer(issued(nodeId));
        else answer({ status: status("Unknown", `raft: ${outcome}`) });
      },
    );
  }

  /** A new node: its object begins here. */
  #admit(role: NodeRole, request: Uint8Array, availability: Availability, answer: Answer): void {
    const nodeId = newId(this.#context.random);
    this.#context.store.update(
      (tx) => {
        const certificate = {
          role,
          csr: request,
          status: { state: "pending" as const, error: "" },
          certificate: new Uint8Array(0),
          commonName: nodeId,
        };
        const spec = nodeSpecShape.make({ desiredRole: role, membership: "accepted", availability });
        const { vxlanUdpPort } = this.#cluster;
        tx.create("node", nodeShape.make({ id: nodeId, role, spec, certificate, vxlanUdpPort }));
      },
      (outcome) => {
        if (outcome === "committed") answer(issued(nodeId));
        else answer({ status: status("Unknown", `raft: ${outcome}`) });
      },
    );
  }

  /** Answered when the certificate is there, or refused for good. */
  #awaitStatus(request: Uint8Array, answer: Answer): void {
    const nodeId = statusRequestShape.parse(request)?.nodeId ?? "";
    if (nodeId === "") answer({ status: status("InvalidArgument", "InvalidArgument") });
    else if (this.#context.store.get("node", nodeId) === undefined) answer({ status: status("NotFound", "NotFound") });
    else {
      this.#waiters.push({ nodeId, answer });
      this.#answerWaiters();
    }
  }

  #answerWaiters(): void {
    if (this.#waiters.length === 0) return;
    const waiting: Waiter[] = [];
    for (const waiter of this.#waiters) {
      const node = this.#context.store.get("node", waiter.nodeId);
      if (node === undefined) waiter.answer({ status: status("NotFound", "NotFound") });
      else if (isFinal(node)) {
        const { certificate } = node;
        waiter.answer({ response: statusResponseShape.emit({ status: certificate.status, certificate }) });
      } else waiting.push(waiter);
    }
    this.#waiters = waiting;
  }

  #look(node: Node): void {
    const { state } = node.certificate.status;
    const isAccepted = state === "pending" && node.spec.membership === "accepted";
    if (state === "renew" || isAccepted) this.#unsigned.add(node.id);
  }

  #signAll(): void {
    for (const nodeId of [...this.#unsigned]) this.#sign(nodeId);
  }

  #sign(nodeId: string): void {
    this.#unsigned.delete(nodeId);
    const seen = this.#context.store.get("node", nodeId);
    if (seen === undefined) return;
    const { rootCa, spec } = this.#cluster;
    const { pki } = this.#settings;
    const root = { certificate: rootCa.caCert, key: rootCa.caKey };
    const validity = nodeValidity(this.#settings.nowSeconds(), spec.ca.nodeCertExpiry ?? DEFAULT_EXPIRY_NS);
    const identity = { nodeId, role: seen.certificate.role, clusterId: this.#context.clusterId };
    const certificate = pki.sign(root, seen.certificate.csr, identity, validity);
    this.#context.store.update(
      (tx) => {
        const node = tx.get("node", nodeId);
        // Another request has come in the meantime: it is signed on its own.
        if (node === undefined || node.certificate.csr !== seen.certificate.csr) return;
        const next =
          certificate === undefined
            ? { ...node.certificate, status: { state: "failed" as const, error: "failed to sign CSR" } }
            : { ...node.certificate, certificate, status: { state: "issued" as const, error: "" } };
        tx.update("node", { ...node, certificate: next });
      },
      (outcome) => {
        if (outcome === "committed") return;
        this.#unsigned.add(nodeId);
        this.#retry.set(RETRY_NS);
      },
    );
  }
}

function issued(nodeId: string) {
  return { response: issueResponseShape.emit({ nodeId, membership: "accepted" }) };
}

function isFinal(node: Node): boolean {
  const { state } = node.certificate.status;
  return state === "issued" || state === "failed" || state === "rotate";
}
