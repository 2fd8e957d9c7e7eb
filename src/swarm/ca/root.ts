/** The cluster's own certificate, and how long certificates live (swarmkit ca/certificates.go). */
import type { Random } from "../../sim/random.ts";
import { MINUTE, type Nanoseconds } from "../../sim/time.ts";
import type { KeyedCertificate, Pki, Validity } from "./pki.ts";

const HOUR_SECONDS = 3600;
const DAY_SECONDS = 24 * HOUR_SECONDS;
export const ROOT_NAME = "swarm-ca";
/** 20 years of 365 days. */
const ROOT_LIFE_SECONDS = 20 * 365 * DAY_SECONDS;
/** cfssl's: for clocks that are a little behind. */
const ROOT_BACKDATE_SECONDS = 5 * 60;
export const BACKDATE_SECONDS = HOUR_SECONDS;
export const DEFAULT_EXPIRY_NS: Nanoseconds = 90 * 24 * 60 * MINUTE;
export const MINIMUM_EXPIRY_NS: Nanoseconds = 60 * MINUTE;

export function newRoot(pki: Pki, nowSeconds: number, random: Random): KeyedCertificate {
  const notBeforeSeconds = Math.floor(nowSeconds / 60) * 60 - ROOT_BACKDATE_SECONDS;
  return pki.newRoot(ROOT_NAME, { notBeforeSeconds, notAfterSeconds: notBeforeSeconds + ROOT_LIFE_SECONDS }, random);
}

/** Of a node's certificate signed now. */
export function nodeValidity(nowSeconds: number, expiryNs: Nanoseconds): Validity {
  const expirySeconds = Math.floor(Math.max(expiryNs, MINIMUM_EXPIRY_NS) / 1_000_000_000);
  return { notBeforeSeconds: nowSeconds - BACKDATE_SECONDS, notAfterSeconds: nowSeconds + expirySeconds };
}

export function isValidAt({ notBeforeSeconds, notAfterSeconds }: Validity, seconds: number): boolean {
  return seconds >= notBeforeSeconds && seconds <= notAfterSeconds;
}

/** In minutes after the beginning of its life: between half and four fifths of it, so that not all nodes renew at once. */
export function renewalSeconds({ notBeforeSeconds, notAfterSeconds }: Validity, random: Random): number {
  const lifeMinutes = Math.floor((notAfterSeconds - notBeforeSeconds) / 60);
  const low = Math.floor(lifeMinutes / 2);
  const high = Math.floor((lifeMinutes * 4) / 5);
  const minutes = high - low < 1 ? low : low + random.below(high - low);
  return notBeforeSeconds + minutes * 60;
}
