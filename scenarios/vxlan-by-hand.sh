#!/bin/sh
# Two "machines" joined by a cable, a VXLAN tunnel between them, a container on each: built with ip and bridge, as one would type it as root.
ip netns add n1
ip netns add n2
ip link add eth0 netns n1 type veth peer name eth0 netns n2
ip -n n1 addr add 192.168.56.11/24 dev eth0
ip -n n2 addr add 192.168.56.12/24 dev eth0
ip -n n1 link set eth0 up
ip -n n2 link set eth0 up

ip -n n1 link add br0 type bridge
ip -n n2 link add br0 type bridge
ip -n n1 link set br0 up
ip -n n2 link set br0 up
ip -n n1 link add vxlan0 type vxlan id 100 dstport 4789 local 192.168.56.11
ip -n n2 link add vxlan0 type vxlan id 100 dstport 4789 local 192.168.56.12
ip -n n1 link set vxlan0 master br0 up
ip -n n2 link set vxlan0 master br0 up
bridge -n n1 fdb append 00:00:00:00:00:00 dev vxlan0 dst 192.168.56.12
bridge -n n2 fdb append 00:00:00:00:00:00 dev vxlan0 dst 192.168.56.11

ip netns add c1
ip netns add c2
ip link add eth0 netns c1 mtu 1450 type veth peer name v-c1 netns n1
ip link add eth0 netns c2 mtu 1450 type veth peer name v-c2 netns n2
ip -n n1 link set v-c1 master br0 up
ip -n n2 link set v-c2 master br0 up
ip -n c1 addr add 10.0.0.2/24 dev eth0
ip -n c2 addr add 10.0.0.3/24 dev eth0
ip -n c1 link set eth0 up
ip -n c2 link set eth0 up

ip netns exec c1 ping -c 3 10.0.0.3
ip netns exec n1 bridge fdb show dev vxlan0
