/** A namespace's `net.ipv4.tcp_*`, read into the settings that its connections share, and read again when one is set. */
import { SECOND } from "../../sim/time.ts";
import type { Sysctl } from "../sysctl.ts";
import { defaultSettings, type TcpSettings } from "./settings.ts";

/** Settings that follow `sysctl`. */
export function settingsOf(sysctl: Sysctl): TcpSettings {
  const settings = defaultSettings();
  refresh(settings, sysctl);
  sysctl.listeners.push({
    sysctlChanged: (key) => {
      if (key.startsWith("net.ipv4.tcp_") || key.startsWith("net.core.") || key === "net.ipv4.ip_default_ttl")
        refresh(settings, sysctl);
    },
  });
  return settings;
}

function refresh(settings: TcpSettings, sysctl: Sysctl): void {
  const number = (name: string): number => sysctl.number(`net.ipv4.tcp_${name}`);
  const flag = (name: string): boolean => number(name) !== 0;
  settings.retries1 = number("retries1");
  settings.retries2 = number("retries2");
  settings.orphanRetries = number("orphan_retries");
  settings.synRetries = number("syn_retries");
  settings.synLinearTimeouts = number("syn_linear_timeouts");
  settings.synAckRetries = number("synack_retries");
  settings.maxSynBacklog = number("max_syn_backlog");
  settings.maxListenBacklog = sysctl.number("net.core.somaxconn");
  settings.abortOnOverflow = flag("abort_on_overflow");
  settings.finTimeoutNs = number("fin_timeout") * SECOND;
  settings.keepaliveTimeNs = number("keepalive_time") * SECOND;
  settings.keepaliveIntervalNs = number("keepalive_intvl") * SECOND;
  settings.keepaliveProbes = number("keepalive_probes");
  settings.windowScaling = flag("window_scaling");
  settings.sack = flag("sack");
  settings.dsack = flag("dsack");
  settings.timestamps = flag("timestamps");
  settings.rack = (number("recovery") & 1) !== 0;
  settings.tailLossProbe = number("early_retrans") >= 3;
  settings.forwardRto = flag("frto");
  settings.reordering = number("reordering");
  settings.slowStartAfterIdle = flag("slow_start_after_idle");
  settings.receiveMemory = triple(sysctl.numbers("net.ipv4.tcp_rmem"));
  settings.sendMemory = triple(sysctl.numbers("net.ipv4.tcp_wmem"));
  settings.receiveMemoryLimit = sysctl.number("net.core.rmem_max");
  settings.sendMemoryLimit = sysctl.number("net.core.wmem_max");
  settings.moderateReceiveBuffer = flag("moderate_rcvbuf");
  settings.challengeAckLimit = number("challenge_ack_limit");
  settings.invalidRateLimitNs = number("invalid_ratelimit") * 1_000_000;
  settings.minRttWindowNs = number("min_rtt_wlen") * SECOND;
  settings.minimumSendMss = number("min_snd_mss");
  settings.rfc1337 = flag("rfc1337");
  settings.timeToLive = sysctl.defaultTtl;
}

function triple(values: readonly number[]): readonly [number, number, number] {
  return [values[0] ?? 0, values[1] ?? 0, values[2] ?? 0];
}
