/**
 * Keeps a node's certificate fresh (swarmkit ca/renewer.go): renews it at a random moment between half and four fifths of its life, and at once when the
 * node's role is to change; tries on with growing pauses until the certificate says what it should.
 */
import type { Random } from "../../sim/random.ts";
import type { Clock } from "../../sim/simulation.ts";
import { MILLISECOND, MINUTE, type Nanoseconds, SECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import type { NodeRole } from "../api/specs.ts";
import type { Abandon, Got } from "./certificate-request.ts";
import type { KeyedCertificate, Pki, Validity } from "./pki.ts";
import { renewalSeconds } from "./root.ts";

/** So that the leader has given the node its new role by then. */
const FORCED_DELAY_NS: Nanoseconds = 500 * MILLISECOND;
const BASE_BACKOFF_NS: Nanoseconds = 5 * SECOND;
const MOST_BACKOFF_NS: Nanoseconds = 60 * MINUTE;

export interface RenewerSettings {
  readonly clock: Clock;
  readonly random: Random;
  readonly pki: Pki;
  nowSeconds(): number;
  /** The certificate in use. */
  current(): KeyedCertificate;
  request(done: (got: Got<KeyedCertificate>) => void): Abandon;
  /** Takes the new certificate in use. */
  renewed(certificate: KeyedCertificate): void;
}

export class Renewer {
  readonly #settings: RenewerSettings;
  readonly #timer: Timer;
  #expectedRole: NodeRole | undefined;
  #isForced = false;
  #failures = 0;
  #abandon: Abandon | undefined;
  /** Asked for while a request was under way. */
  #isWanted = false;

  constructor(settings: RenewerSettings) {
    this.#settings = settings;
    this.#timer = new Timer(settings.clock, () => this.#request());
  }

  start(): void {
    this.#schedule();
  }

  stop(): void {
    this.#timer.stop();
    this.#abandon?.();
    this.#abandon = undefined;
  }

  /** Renewal goes on until the certificate is of this role. */
  expect(role: NodeRole): void {
    this.#expectedRole = role;
  }

  renewNow(): void {
    if (this.#abandon !== undefined) {
      this.#isWanted = true;
      return;
    }
    this.#isForced = true;
    this.#timer.stop();
    this.#timer.set(FORCED_DELAY_NS);
  }

  #schedule(): void {
    const { pki, current, nowSeconds, random } = this.#settings;
    const validity: Validity | undefined = pki.read(current().certificate);
    const now = nowSeconds();
    let delayNs = 5 * MINUTE;
    if (this.#isForced || (validity !== undefined && validity.notAfterSeconds < now)) delayNs = this.#backoffNs();
    else if (validity !== undefined) delayNs = Math.max(0, renewalSeconds(validity, random) - now) * SECOND;
    this.#timer.stop();
    this.#timer.set(delayNs);
  }

  #backoffNs(): Nanoseconds {
    if (this.#failures === 0) return 0;
    const spread = Math.min(BASE_BACKOFF_NS * 2 ** (this.#failures - 1), MOST_BACKOFF_NS);
    return BASE_BACKOFF_NS + this.#settings.random.between(0, spread - 1);
  }

  #request(): void {
    this.#abandon = this.#settings.request((got) => {
      this.#abandon = undefined;
      this.#take(got);
      if (this.#isWanted) {
        this.#isWanted = false;
        this.renewNow();
      } else this.#schedule();
    });
  }

  #take(got: Got<KeyedCertificate>): void {
    if ("error" in got) {
      this.#failures++;
      return;
    }
    const role = this.#settings.pki.read(got.value.certificate)?.identity?.role;
    const isAsExpected = this.#expectedRole === undefined || role === this.#expectedRole;
    this.#failures = isAsExpected ? 0 : this.#failures + 1;
    if (isAsExpected) this.#isForced = false;
    this.#settings.renewed(got.value);
  }
}
