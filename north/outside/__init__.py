"""What agents may reach outside the house: the hosts whose pages they may read, workspace by workspace. Nothing is reachable by default."""
