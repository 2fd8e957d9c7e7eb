/** Every word that an emulated host knows. */
import { ARPING } from "./arping.ts";
import { BASIC_WORDS } from "./basic-words.ts";
import { BRIDGE } from "./bridge/bridge.ts";
import { CONNTRACK } from "./conntrack.ts";
import { CURL } from "./curl/curl.ts";
import { DIG } from "./dns/dig.ts";
import { GETENT } from "./dns/getent.ts";
import { HOST } from "./dns/host-word.ts";
import { NSLOOKUP } from "./dns/nslookup.ts";
import { DOCKER } from "./docker/docker.ts";
import { ETHTOOL } from "./ethtool.ts";
import { IP } from "./ip/ip.ts";
import { IPERF } from "./iperf/iperf.ts";
import { IPTABLES, IPTABLES_RESTORE, IPTABLES_SAVE } from "./iptables.ts";
import { IPVSADM } from "./ipvsadm/ipvsadm.ts";
import { NC } from "./nc/nc.ts";
import { PING } from "./ping/ping.ts";
import { SERVE } from "./serve.ts";
import { shellWord } from "./shell.ts";
import { SS } from "./ss/ss.ts";
import { SYSCTL } from "./sysctl.ts";
import { TC } from "./tc/tc.ts";
import { TCPDUMP } from "./tcpdump/tcpdump.ts";
import { TRACEPATH } from "./tracepath.ts";
import { TRACEROUTE } from "./traceroute/traceroute.ts";
import type { Word } from "./word.ts";

const ALL: readonly Word[] = [
  ...BASIC_WORDS,
  TRACEPATH,
  ARPING,
  BRIDGE,
  CONNTRACK,
  DIG,
  DOCKER,
  ETHTOOL,
  GETENT,
  HOST,
  NSLOOKUP,
  SERVE,
  NC,
  CURL,
  IP,
  IPERF,
  IPTABLES,
  IPTABLES_RESTORE,
  IPTABLES_SAVE,
  IPVSADM,
  PING,
  SS,
  SYSCTL,
  TC,
  TCPDUMP,
  TRACEROUTE,
  shellWord("bash"),
  shellWord("sh"),
];

export const WORDS: ReadonlyMap<string, Word> = new Map(ALL.map((word) => [word.name, word]));
