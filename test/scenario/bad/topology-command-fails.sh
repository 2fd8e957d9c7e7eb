ip netns add h1
ip link add v1 type veth \
  peer name eth0 netns h2
