#!/bin/sh
ip netns add h1
ipp link add br0 type bridge
