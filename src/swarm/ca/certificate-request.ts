/**
 * How a node comes by its certificate (swarmkit ca/certificates.go): a joiner first fetches the root certificate and holds it against the digest in its
 * token; then it asks for a certificate, and waits for it. Each step is tried five times, two seconds apart.
 */
import type { Random } from "../../sim/random.ts";
import type { Clock } from "../../sim/simulation.ts";
import { type Nanoseconds, SECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import { formatStatus } from "../grpc/status.ts";
import { hex } from "../identifiers.ts";
import type { Channel } from "../manager/channel.ts";
import {
  type Availability,
  CERTIFICATE_STATUS,
  GET_ROOT_CERTIFICATE,
  ISSUE_CERTIFICATE,
  issueRequestShape,
  issueResponseShape,
  rootCertificateResponseShape,
  statusRequestShape,
  statusResponseShape,
} from "./ca-shapes.ts";
import type { KeyedCertificate, Pki } from "./pki.ts";
import { isValidAt } from "./root.ts";

const TRIES = 5;
const RETRY_NS: Nanoseconds = 2 * SECOND;
const CALL_TIMEOUT_NS: Nanoseconds = 5 * SECOND;
const MOST_BACKOFF_NS: Nanoseconds = 30 * SECOND;
const EMPTY = new Uint8Array(0);
const EXPIRED = "x509: certificate has expired or is not yet valid";
const DEADLINE_EXCEEDED = 4;

/** Got, or why not in the words that dockerd shows. */
export type Got<T> = { readonly value: T } | { readonly error: string };

export interface RequestSettings {
  readonly clock: Clock;
  readonly random: Random;
  readonly pki: Pki;
  nowSeconds(): number;
  /** A way to some manager, anew for each try: to the own one only if `mayBeLocal`. Undefined: none is known. */
  connect(mayBeLocal: boolean): Channel | undefined;
}

/** Ends what is under way; nothing is said any more. */
export type Abandon = () => void;

/** Tries until it is got, at most five times. */
function tryFor<T>(
  clock: Clock,
  attempt: (number: number, done: (got: Got<T>) => void) => Abandon,
  done: (got: Got<T>) => void,
): Abandon {
  let number = 0;
  let abandon: Abandon = () => {};
  let isOver = false;
  const retry = new Timer(clock, () => run());
  const run = () => {
    abandon = attempt(number, (got) => {
      if (isOver) return;
      number++;
      if ("value" in got || number === TRIES) {
        isOver = true;
        done(got);
      } else retry.set(RETRY_NS);
    });
  };
  run();
  return () => {
    isOver = true;
    retry.stop();
    abandon();
  };
}

/** The root certificate whose SHA-256 is `digest`. */
export function fetchRoot(
  settings: RequestSettings,
  digest: Uint8Array,
  done: (got: Got<Uint8Array>) => void,
): Abandon {
  const attempt = (_number: number, done: (got: Got<Uint8Array>) => void): Abandon => {
    const channel = settings.connect(false);
    if (channel === undefined) {
      done({ error: "no remote hosts provided" });
      return () => {};
    }
    const cancel = channel.unary(GET_ROOT_CERTIFICATE, EMPTY, CALL_TIMEOUT_NS, (result) => {
      channel.close();
      if ("status" in result) done({ error: formatStatus(result.status) });
      else done(checkRoot(settings, rootCertificateResponseShape.parse(result.response)?.certificate ?? EMPTY, digest));
    });
    return () => {
      cancel();
      channel.close();
    };
  };
  return tryFor(settings.clock, attempt, done);
}

function checkRoot(settings: RequestSettings, certificate: Uint8Array, digest: Uint8Array): Got<Uint8Array> {
  const found = settings.pki.sha256(certificate);
  if (!digest.every((byte, at) => byte === found[at]))
    return { error: `remote CA does not match fingerprint. Expected: ${hex(digest)}` };
  const content = settings.pki.read(certificate);
  if (content === undefined) return { error: "invalid root certificates" };
  if (isValidAt(content, settings.nowSeconds())) return { value: certificate };
  return { error: `error while validating Root CA Certificate: ${EXPIRED}` };
}

/** A certificate under `root` for a new key. */
export function requestCertificate(
  settings: RequestSettings,
  root: Uint8Array,
  asked: { readonly token: string; readonly availability: Availability },
  done: (got: Got<KeyedCertificate>) => void,
): Abandon {
  const { request, key } = settings.pki.newRequest(settings.random);
  const attempt = (number: number, done: (got: Got<KeyedCertificate>) => void): Abandon => {
    // Our own manager may just have been demoted: only the first try goes to it.
    const channel = settings.connect(number === 0);
    if (channel === undefined) {
      done({ error: "no remote hosts provided" });
      return () => {};
    }
    const issue = new Issue(settings, channel, request, (got) => {
      channel.close();
      done("error" in got ? got : checkCertificate(settings, root, { certificate: got.value, key }));
    });
    issue.start(asked);
    return () => {
      issue.abandon();
      channel.close();
    };
  };
  return tryFor(settings.clock, attempt, done);
}

function checkCertificate(settings: RequestSettings, root: Uint8Array, keyed: KeyedCertificate): Got<KeyedCertificate> {
  const content = settings.pki.read(keyed.certificate);
  if (content?.identity === undefined) return { error: "no certificates to validate" };
  if (!isValidAt(content, settings.nowSeconds())) return { error: EXPIRED };
  if (!settings.pki.isSignedBy(keyed.certificate, root))
    return { error: "x509: certificate signed by unknown authority" };
  return { value: keyed };
}

/** One request: asked for, then waited for. */
class Issue {
  readonly #settings: RequestSettings;
  readonly #channel: Channel;
  readonly #request: Uint8Array;
  readonly #done: (got: Got<Uint8Array>) => void;
  readonly #again: Timer;
  #cancel: () => void = () => {};
  #nodeId = "";
  #failures = 0;

  constructor(settings: RequestSettings, channel: Channel, request: Uint8Array, done: (got: Got<Uint8Array>) => void) {
    this.#settings = settings;
    this.#channel = channel;
    this.#request = request;
    this.#done = done;
    this.#again = new Timer(settings.clock, () => this.#askStatus());
  }

  start({ token, availability }: { readonly token: string; readonly availability: Availability }): void {
    const request = issueRequestShape.emit({ role: "worker", request: this.#request, token, availability });
    this.#cancel = this.#channel.unary(ISSUE_CERTIFICATE, request, CALL_TIMEOUT_NS, (result) => {
      if ("status" in result) {
        this.#done({ error: formatStatus(result.status) });
        return;
      }
      this.#nodeId = issueResponseShape.parse(result.response)?.nodeId ?? "";
      this.#askStatus();
    });
  }

  abandon(): void {
    this.#again.stop();
    this.#cancel();
  }

  #askStatus(): void {
    const request = statusRequestShape.emit({ nodeId: this.#nodeId });
    this.#cancel = this.#channel.unary(CERTIFICATE_STATUS, request, CALL_TIMEOUT_NS, (result) => {
      if ("response" in result) this.#look(result.response);
      else if (result.status.code === DEADLINE_EXCEEDED) this.#askLater();
      else this.#done({ error: formatStatus(result.status) });
    });
  }

  #look(response: Uint8Array): void {
    const certificate = statusResponseShape.parse(response)?.certificate;
    const isOurs =
      certificate !== undefined &&
      certificate.csr.length === this.#request.length &&
      certificate.csr.every((byte, at) => byte === this.#request[at]);
    if (isOurs && certificate.status.state === "issued") this.#done({ value: certificate.certificate });
    else this.#askLater();
  }

  /** go-events' backoff: a second, and up to one more, two, four... at random. */
  #askLater(): void {
    const spread = Math.min(2 ** this.#failures * SECOND, MOST_BACKOFF_NS);
    this.#failures++;
    this.#again.set(SECOND + this.#settings.random.below(spread));
  }
}
