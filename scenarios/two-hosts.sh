#!/bin/sh
# Two network namespaces on one bridge, in the lines that one would type as root on Linux.
# vxlab run scenarios/two-hosts.sh
ip netns add h1
ip netns add h2
ip link add br0 type bridge
ip link add v1 type veth peer name eth0 netns h1
ip link add v2 type veth peer name eth0 netns h2
ip link set v1 master br0 up
ip link set v2 master br0 up
ip link set br0 up
ip -n h1 link set eth0 address 02:42:0a:00:00:01 up
ip -n h2 link set eth0 address 02:42:0a:00:00:02 up
ip -n h1 addr add 10.0.0.1/24 dev eth0
ip -n h2 addr add 10.0.0.2/24 dev eth0

ip netns exec h1 ping -c 2 10.0.0.2
ip -n h1 neigh show
bridge fdb show br br0 dynamic
