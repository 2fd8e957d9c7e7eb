/** Names of well-known ports, as far as one meets them: what /etc/services tells getservbyport(3). IANA's registry. */
type Transport = "tcp" | "udp";

const BOTH: readonly (readonly [number, string])[] = [
  [7, "echo"],
  [9, "discard"],
  [13, "daytime"],
  [37, "time"],
  [53, "domain"],
  [88, "kerberos"],
  [161, "snmp"],
  [162, "snmp-trap"],
  [389, "ldap"],
  [5060, "sip"],
  [5061, "sip-tls"],
];
const TCP: readonly (readonly [number, string])[] = [
  [19, "chargen"],
  [20, "ftp-data"],
  [21, "ftp"],
  [22, "ssh"],
  [23, "telnet"],
  [25, "smtp"],
  [43, "whois"],
  [79, "finger"],
  [80, "http"],
  [110, "pop3"],
  [111, "sunrpc"],
  [119, "nntp"],
  [143, "imap2"],
  [179, "bgp"],
  [443, "https"],
  [465, "submissions"],
  [514, "shell"],
  [587, "submission"],
  [636, "ldaps"],
  [853, "domain-s"],
  [873, "rsync"],
  [993, "imaps"],
  [995, "pop3s"],
  [1080, "socks"],
  [3306, "mysql"],
  [3389, "ms-wbt-server"],
  [5432, "postgresql"],
  [5672, "amqp"],
  [6379, "redis"],
  [8080, "http-alt"],
  [11211, "memcached"],
];
const UDP: readonly (readonly [number, string])[] = [
  [67, "bootps"],
  [68, "bootpc"],
  [69, "tftp"],
  [123, "ntp"],
  [500, "isakmp"],
  [514, "syslog"],
  [4500, "ipsec-nat-t"],
];

const NAMES: ReadonlyMap<Transport, ReadonlyMap<number, string>> = new Map([
  ["tcp", new Map([...BOTH, ...TCP])],
  ["udp", new Map([...BOTH, ...UDP])],
]);

export function serviceName(port: number, transport: Transport): string | undefined {
  return NAMES.get(transport)?.get(port);
}

export function servicePort(name: string, transport: Transport): number | undefined {
  for (const [port, known] of NAMES.get(transport) ?? []) if (known === name) return port;
  return undefined;
}
