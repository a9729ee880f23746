"""Keeps a load balancer's servers equal to the registered replicas."""
