/** A valid scenario that uses most keys of the format: what tests damage. */
export const VALID_SCENARIO = `# most of the format
name: most-keys
description: |
  one of everything
seed: 7
start: 2026-03-01T12:00:00Z
crossing: 2us
until: 30s
x-note: &fast { delay: 50us, rate: 1gbit, queue: 64kb }
underlay: { subnet: 192.168.50.0/24, mtu: 1500, link: *fast }
nodes:
  node1: { role: manager, address: 192.168.50.20, labels: { rack: "1" } }
  node2: { role: worker, link: { <<: *fast, loss: 0.5%, burst: { enter: 1%, leave: 20% } } }
  laptop: { role: host, setup: [sysctl -w net.ipv4.ip_forward=1] }
networks:
  my-net: { driver: overlay, subnet: 10.0.1.0/24, vni: 4097, mtu: 1450, attachable: true }
  flat: { mode: flood-and-learn }
  local: { driver: bridge }
containers:
  c1: { node: node1, networks: [my-net, local] }
  c2: { node: node2, networks: { my-net: { address: 10.0.1.9, mac: "02:42:0a:00:01:09" }, flat: } }
  c3:
    node: node1
    networks: [flat]
    setup:
      - ip link show
capture: ["node*/eth0", c1/eth0]
steps:
  - { at: 1s, in: c1, run: ping -c 3 c2, as: p1 }
  - at: 2s
    on: node1
    run: "bridge fdb show"
    for: 1s
  - { at: 3s, fault: { link: node2, direction: in, loss: 5%, duplicate: 1%, reorder: 1%, corrupt: 0.1%, jitter: 1ms }, for: 2s }
  - { at: 4s, fault: { partition: [[node1], [node2, laptop]] }, for: 1s }
  - { at: 5s, fault: { down: c2/eth0 } }
expect:
  - p1: { transmitted: 3, received: ">= 1", errors: 0, exit: 0, output: ["0% packet loss", "/time=\\\\d+/"] }
  - { capture: node2/eth0, filter: udp port 4789 and host 192.168.50.20, at-least: 6, at-most: 100 }
  - { drops: link-partition, at: "*", at-least: 0 }
  - { eventually: { reach: c1 -> c2 }, within: 20s, after: 5s }
`;
