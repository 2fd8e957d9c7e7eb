ip netns add "h1
