"""Keeping a load balancer's servers equal to the replicas that are there."""
